"""Reads a model file (TOML) into a `Model`, or says everything that is wrong with it at once.

Each problem names the file, the path inside it with its line, the offending value and the remedy.
Unknown keys are errors: a typing mistake must never silently change a game. docs/math-models.md
describes every field.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rgs_core import model as m
from rgs_core.errors import ModelError, Problem
from rgs_core.toml_lines import line_numbers

T = TypeVar("T")

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
SYMBOL = re.compile(r"[A-Za-z0-9_]{1,16}")
TOKEN = re.compile(r"([A-Za-z0-9_]{1,16})(?:\*([0-9]{1,5}))?(?::([0-9]{1,9}))?")
RESERVED = "free_spins"
FILE_BYTES_MAX = 4 * 1024 * 1024


def load(path: str | Path) -> m.Model:
    """The model in the file at `path`. Raises ModelError with all problems, OSError if unreadable."""
    path = Path(path)
    size = path.stat().st_size
    if size > FILE_BYTES_MAX:
        raise ModelError(str(path), [Problem("file", f"{size} bytes long", f"keep it below {FILE_BYTES_MAX} bytes")])
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(str(path), [Problem("file", f"not UTF-8: {error}", "save it as UTF-8")]) from None
    return loads(text, source=str(path))


def loads(text: str, source: str = "<text>") -> m.Model:
    """The model in a TOML text; `source` names it in errors. Raises ModelError with all problems."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits and endless nesting
        raise ModelError(source, [Problem("file", f"not valid TOML: {error}", "correct the syntax")]) from None
    reader = _Reader(text)
    model = reader.model(document)
    if reader.problems or model is None:
        raise ModelError(source, reader.problems)
    return model


class _Reader:
    """Walks the document once and collects problems instead of stopping at the first."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self.lines = line_numbers(text)

    # -- reporting and primitive values ---------------------------------------------------------

    def bad(self, path: str, message: str, remedy: str) -> None:
        """Record a problem at a path, with the line of its nearest known ancestor."""
        place = path
        while place and place not in self.lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        self.problems.append(Problem(path, message, remedy, self.lines.get(place)))

    def table(self, value: object, path: str, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
        """The table at `path` after reporting missing and unknown keys; {} when it is no table."""
        if not isinstance(value, dict):
            self.bad(path, f"{_show(value)} is not a table", "write it as a TOML table")
            return {}
        known = [*required, *optional]
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
                self.bad(_join(path, key), "unknown key", f"remove it; {hint}")
        for key in required:
            if key not in value:
                self.bad(path or "file", f"key '{key}' is missing", f"add '{key}'")
        return value

    def named(self, value: object, path: str, read: Callable[[str, object, str], T | None]) -> dict[str, T]:
        """A table of named entries: checks each name, reads each entry, keeps those that could be read."""
        if not isinstance(value, dict):
            self.bad(path, f"{_show(value)} is not a table", "write one sub-table for each entry")
            return {}
        entries: dict[str, T] = {}
        for key, item in value.items():
            place = _join(path, key)
            if not NAME.fullmatch(key):
                self.bad(place, f"{_show(key)} is not a name", "use letters, digits and _, at most 32, first a letter")
            elif key == RESERVED:
                self.bad(place, f"'{key}' is the part that all free spins win", "take another name")
            entry = read(key, item, place)
            if entry is not None:
                entries[key] = entry
        return entries

    def integer(self, value: object, path: str, low: int, high: int, default: int) -> int:
        """A whole number in [low, high]; `default` after reporting anything else."""
        if isinstance(value, bool) or not isinstance(value, int):
            self.bad(path, f"{_show(value)} is not a whole number", f"write a number from {low} to {high}")
            return default
        if not low <= value <= high:
            self.bad(path, f"{_show(value)} is out of range", f"write a number from {low} to {high}")
            return default
        return value

    def text(self, value: object, path: str, characters_max: int = 2000) -> str:
        if not isinstance(value, str):
            self.bad(path, f"{_show(value)} is not text", "put it in quotes")
            return ""
        if len(value) > characters_max:
            self.bad(path, f"{len(value)} characters long", f"keep it below {characters_max}")
        return value

    def choice(self, value: object, path: str, allowed: Sequence[str]) -> str:
        if value not in allowed:
            self.bad(path, f"{_show(value)} is not allowed", f"write one of {', '.join(allowed)}")
            return allowed[0]
        return str(value)

    def array(self, value: object, path: str, length_min: int, length_max: int) -> list[Any]:
        if not isinstance(value, list):
            self.bad(path, f"{_show(value)} is not an array", "write it in square brackets")
            return []
        if not length_min <= len(value) <= length_max:
            self.bad(path, f"{len(value)} entries", f"give {_span(length_min, length_max)}")
        return value

    def reference(self, value: object, path: str, known: Sequence[str], what: str) -> str | None:
        """A name that must be one of `known`; None after reporting, or when the key was missing."""
        if value is None:
            return None
        if not isinstance(value, str) or value not in known:
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
            self.bad(path, f"unknown {what} {_show(value)}", hint)
            return None
        return value

    def counts(self, value: object, path: str, count_max: int, pay_max: int, pay_min: int = 0) -> dict[int, int] | None:
        """A table from symbol count to amount, with every count from its smallest to its largest."""
        if not isinstance(value, dict) or not value:
            self.bad(path, f"{_show(value)} is not a count table", "write it like { 3 = 5, 4 = 20, 5 = 100 }")
            return None
        table: dict[int, int] = {}
        for key, item in value.items():
            place = _join(path, key)
            if not re.fullmatch(r"[1-9][0-9]?", key) or int(key) > count_max:
                self.bad(place, f"'{key}' is not a symbol count", f"write a count from 1 to {count_max}")
                continue
            table[int(key)] = self.integer(item, place, pay_min, pay_max, pay_min)
        gaps = [n for n in range(min(table, default=0), max(table, default=0)) if n not in table]
        if gaps:
            self.bad(path, f"count {gaps[0]} is missing", "give every count from the smallest up, 0 for no award")
        return {count: table[count] for count in sorted(table)} or None

    def weights(self, value: object, path: str, value_max: int) -> m.Table:
        """A table { value = weight }, drawn with one bounded integer."""
        fallback = m.Table((1,), (1,))
        if not isinstance(value, dict) or not value:
            self.bad(
                path,
                f"{_show(value)} is not a weight table",
                "write it like { 2 = 1, 3 = 2 }: value = weight",
            )
            return fallback
        rows: list[tuple[int, int]] = []
        for key, item in value.items():
            place = _join(path, key)
            if not re.fullmatch(r"[1-9][0-9]{0,8}", key) or int(key) > value_max:
                self.bad(place, f"'{key}' is out of range", f"write a value from 1 to {value_max}")
                continue
            rows.append((int(key), self.integer(item, place, 1, m.WEIGHT_MAX, 1)))
        rows.sort()
        if sum(weight for _, weight in rows) > m.WEIGHT_TOTAL_MAX:
            self.bad(path, "the weights add up to too much", f"keep their sum below {m.WEIGHT_TOTAL_MAX}")
        return m.Table(tuple(v for v, _ in rows), tuple(w for _, w in rows)) if rows else fallback

    # -- the parts of a model -------------------------------------------------------------------

    def model(self, document: dict[str, Any]) -> m.Model | None:
        top = self.table(
            document,
            "",
            [
                "format",
                "id",
                "title",
                "version",
                "stake",
                "grid",
                "symbols",
                "evaluators",
                "states",
                "profiles",
            ],
            ["description", "wilds", "picks", "caps"],
        )
        self.integer(top.get("format", m.FORMAT), "format", m.FORMAT, m.FORMAT, m.FORMAT)
        game_id = self.text(top.get("id", "x"), "id")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", game_id):
            self.bad(
                "id",
                f"'{game_id}' is not an id",
                "use small letters, digits and _, at most 64, first a letter",
            )
        stake = self.table(top.get("stake", {}), "stake", ["units"], ["line_units"])
        stake_units = self.integer(stake.get("units", 1), "stake.units", 1, 100_000, 1)
        line_units = self.integer(stake.get("line_units", 1), "stake.line_units", 1, 100_000, 1)
        grid = self.table(top.get("grid", {}), "grid", ["reels", "rows"])
        self.reels = self.integer(grid.get("reels", 5), "grid.reels", m.REELS_MIN, m.REELS_MAX, 5)
        self.rows = self.integer(grid.get("rows", 3), "grid.rows", m.ROWS_MIN, m.ROWS_MAX, 3)
        self.symbols = self._symbols(top.get("symbols", []))
        caps = self.table(top.get("caps", {}), "caps", [], ["free_spins"])
        free_spins_max = self.integer(
            caps.get("free_spins", m.FREE_SPINS_MAX), "caps.free_spins", 1, m.FREE_SPINS_MAX, m.FREE_SPINS_MAX
        )
        raw_wilds = top.get("wilds", {})
        if not isinstance(raw_wilds, dict):
            self.bad("wilds", f"{_show(raw_wilds)} is not a table", "write [wilds.SYMBOL] for each wild")
        wilds = {w.symbol: w for w in map(self._wild, _items(raw_wilds)) if w is not None}
        title = self.text(top.get("title", ""), "title", 200)
        version = self.text(top.get("version", ""), "version", 40)
        description = self.text(top.get("description", ""), "description")
        evaluators: dict[str, m.Lines | m.Scatter] = self.named(
            top.get("evaluators", {}), "evaluators", self._evaluator
        )
        picks = self.named(top.get("picks", {}), "picks", self._pick)
        self.pick_names = list(picks)
        self.evaluators = evaluators
        raw_states = top.get("states", {})
        self.state_names = list(raw_states) if isinstance(raw_states, dict) else []
        states = self.named(raw_states, "states", self._state)
        if len(evaluators) > m.EVALUATORS_MAX:
            self.bad("evaluators", f"{len(evaluators)} evaluators", f"use at most {m.EVALUATORS_MAX}")
        if "states" in top and m.START_STATE not in self.state_names:
            self.bad("states", f"no state '{m.START_STATE}'", f"add [states.{m.START_STATE}], the paid spin")
        sets = list(dict.fromkeys(state.strips for state in states.values()))
        profiles = self.named(
            top.get("profiles", {}),
            "profiles",
            lambda name, item, path: self._profile(name, item, path, sets),
        )
        if "profiles" in top and not profiles:
            self.bad("profiles", "no profile", "add at least one [profiles.NAME.strips]")
        if any(not w.symbol for w in wilds.values()) or self.problems:
            return None
        model = m.Model(
            id=game_id,
            title=title,
            version=version,
            description=description,
            stake_units=stake_units,
            line_units=line_units,
            reels=self.reels,
            rows=self.rows,
            symbols=tuple(self.symbols),
            wilds=m.frozen(wilds),
            evaluators=m.frozen(evaluators),
            picks=m.frozen(picks),
            states=m.frozen(states),
            free_spins_max=free_spins_max,
            profiles=m.frozen(profiles),
        )
        self._whole(model)
        return model

    def _symbols(self, value: object) -> list[str]:
        symbols = self.array(value, "symbols", 1, m.SYMBOLS_MAX)
        names: list[str] = []
        for index, item in enumerate(symbols):
            path = f"symbols[{index}]"
            if not isinstance(item, str) or not SYMBOL.fullmatch(item):
                self.bad(path, f"{_show(item)} is not a symbol", "use 1 to 16 letters, digits and _")
            elif item in names:
                self.bad(path, f"'{item}' stands there twice", "remove one")
            else:
                names.append(item)
        return names

    def _wild(self, entry: tuple[str, object]) -> m.Wild | None:
        symbol, value = entry
        path = f"wilds.{symbol}"
        self.reference(symbol, path, self.symbols, "symbol")
        table = self.table(value, path, ["substitutes"], ["multiplier", "combine"])
        substitutes = [
            self.reference(item, f"{path}.substitutes[{i}]", self.symbols, "symbol")
            for i, item in enumerate(self.array(table.get("substitutes", []), f"{path}.substitutes", 0, m.SYMBOLS_MAX))
        ]
        if symbol in substitutes:
            self.bad(f"{path}.substitutes", f"'{symbol}' stands for itself anyway", "remove it from the list")
        multiplier = self.integer(table.get("multiplier", 1), f"{path}.multiplier", 1, 100, 1)
        combine = self.choice(table.get("combine", "once"), f"{path}.combine", ["once", "product"])
        return m.Wild(symbol, frozenset(s for s in substitutes if s), multiplier, combine)  # type: ignore[arg-type]

    def _evaluator(self, name: str, value: object, path: str) -> m.Lines | m.Scatter | None:
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind == "lines":
            return self._lines(name, value, path)
        if kind == "scatter":
            return self._scatter(name, value, path)
        self.bad(_join(path, "kind"), f"{_show(kind)} is not allowed", "write one of lines, scatter")
        return None

    def _lines(self, name: str, value: object, path: str) -> m.Lines:
        table = self.table(value, path, ["kind", "paylines", "pays"], ["pure_wild_run"])
        paylines: list[tuple[int, ...]] = []
        rows = self.array(table.get("paylines", []), f"{path}.paylines", 1, m.PAYLINES_MAX)
        for index, item in enumerate(rows):
            place = f"{path}.paylines[{index}]"
            good = isinstance(item, str) and re.fullmatch(rf"[0-{self.rows - 1}]{{{self.reels}}}", item)
            if not good:
                self.bad(
                    place,
                    f"{_show(item)} is not a payline",
                    f"write {self.reels} digits from 0 (top row) to {self.rows - 1}, one a reel",
                )
                continue
            line = tuple(int(digit) for digit in item)
            if line in paylines:
                self.bad(place, f"{_show(item)} is payline {paylines.index(line) + 1} again", "remove one")
            paylines.append(line)
        pays: dict[str, Mapping[int, int]] = {}
        raw = table.get("pays", {})
        if not isinstance(raw, dict) or ("pays" in table and not raw):
            self.bad(f"{path}.pays", "no pays", "write SYMBOL = { 3 = 5, 4 = 20, 5 = 100 } for each paying symbol")
            raw = {}
        for symbol, counts in raw.items():
            place = f"{path}.pays.{symbol}"
            self.reference(symbol, place, self.symbols, "symbol")
            read = self.counts(counts, place, self.reels, m.PAY_MAX)
            if read is None:
                continue
            if max(read) != self.reels:
                self.bad(place, f"no pay for {self.reels} of a kind", f"give every count up to {self.reels}")
            pays[symbol] = m.frozen(read)
        pure = self.choice(table.get("pure_wild_run", "own"), f"{path}.pure_wild_run", ["own", "any"])
        return m.Lines(name, tuple(paylines), m.frozen(pays), pure)  # type: ignore[arg-type]

    def _scatter(self, name: str, value: object, path: str) -> m.Scatter:
        table = self.table(value, path, ["kind", "symbol", "pays", "of"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
        pays = self.counts(table.get("pays"), f"{path}.pays", self.reels * self.rows, m.PAY_MAX)
        of = self.choice(table.get("of", "total_bet"), f"{path}.of", ["total_bet", "line_bet"])
        return m.Scatter(name, symbol or "", m.frozen(pays or {1: 0}), of)  # type: ignore[arg-type]

    def _pick(self, name: str, value: object, path: str) -> m.Pick:
        table = self.table(value, path, ["prizes"], ["of", "picks", "prizes_per_pick"])
        picks = self.weights(table.get("picks", {"1": 1}), f"{path}.picks", 64)
        each = self.weights(table.get("prizes_per_pick", {"1": 1}), f"{path}.prizes_per_pick", 64)
        values: list[int] = []
        weights: list[int] = []
        prizes = self.array(table.get("prizes", []), f"{path}.prizes", 1, m.TABLE_ENTRIES_MAX)
        for index, item in enumerate(prizes):
            place = f"{path}.prizes[{index}]"
            row = self.table(item, place, ["pay", "weight"])
            values.append(self.integer(row.get("pay", 0), f"{place}.pay", 0, m.PAY_MAX, 0))
            weights.append(self.integer(row.get("weight", 1), f"{place}.weight", 1, m.WEIGHT_MAX, 1))
        if sum(weights) > m.WEIGHT_TOTAL_MAX:
            self.bad(f"{path}.prizes", f"weights add up to {sum(weights)}", f"keep it below {m.WEIGHT_TOTAL_MAX}")
        of = self.choice(table.get("of", "line_bet"), f"{path}.of", ["line_bet", "total_bet"])
        return m.Pick(name, picks, each, m.Table(tuple(values), tuple(weights)), of)  # type: ignore[arg-type]

    def _state(self, name: str, value: object, path: str) -> m.State:
        table = self.table(value, path, ["strips", "evaluators"], ["multiplier", "multiplier_exempt", "triggers"])
        strips = self.text(table.get("strips", ""), f"{path}.strips", 32)
        names: list[str] = []
        for i, item in enumerate(self.array(table.get("evaluators", []), f"{path}.evaluators", 1, m.EVALUATORS_MAX)):
            found = self.reference(item, f"{path}.evaluators[{i}]", list(self.evaluators), "evaluator")
            if found in names:
                self.bad(f"{path}.evaluators[{i}]", f"'{found}' stands there twice", "remove one")
            elif found:
                names.append(found)
        if sum(isinstance(self.evaluators[n], m.Lines) for n in names) > 1:
            self.bad(f"{path}.evaluators", "two line evaluators in one state", "put all pays and paylines in one")
        multiplier = self.integer(table.get("multiplier", 1), f"{path}.multiplier", 1, m.MULTIPLIER_MAX, 1)
        raw = table.get("triggers", [])
        if len(self.array(raw, f"{path}.triggers", 0, m.TRIGGERS_MAX)) == 0:
            raw = []
        triggers = [t for i, item in enumerate(raw) if (t := self._trigger(item, f"{path}.triggers[{i}]", name, names))]
        labels = [*self.evaluators, *(t.name for t in triggers)]
        for label in {label for label in labels if labels.count(label) > 1}:
            self.bad(f"{path}.triggers", f"the name '{label}' is used twice", "rename one trigger or evaluator")
        exempt: set[str] = set()
        for i, item in enumerate(self.array(table.get("multiplier_exempt", []), f"{path}.multiplier_exempt", 0, 64)):
            place = f"{path}.multiplier_exempt[{i}]"
            parts = item.split(".") if isinstance(item, str) else []
            known = [*names, *(t.name for t in triggers if isinstance(t, m.PickTrigger))]
            if not 1 <= len(parts) <= 3 or parts[0] not in known:
                self.bad(
                    place,
                    f"{_show(item)} names nothing that pays here",
                    f"names that pay here: {', '.join(known) or 'none'}",
                )
            elif len(parts) > 1 and parts[1] not in self._paying(parts[0]):
                paying = ", ".join(self._paying(parts[0])) or "none, name the bonus alone"
                self.bad(place, f"'{parts[0]}' pays nothing for '{parts[1]}'", f"symbols it pays: {paying}")
            elif len(parts) > 2 and parts[2] not in self._paying(parts[0])[parts[1]]:
                counts = ", ".join(self._paying(parts[0])[parts[1]])
                self.bad(place, f"'{parts[2]}' is not a count that pays", f"counts it pays: {counts}")
            else:
                exempt.add(item)
        return m.State(name, strips, tuple(names), multiplier, frozenset(exempt), tuple(triggers))

    def _paying(self, name: str) -> dict[str, list[str]]:
        """Symbols that an evaluator pays, each with its counts as text; nothing for a pick bonus."""
        evaluator = self.evaluators.get(name)
        if isinstance(evaluator, m.Lines):
            return {symbol: [str(count) for count in pays] for symbol, pays in evaluator.pays.items()}
        if isinstance(evaluator, m.Scatter):
            counts = range(min(evaluator.pays), self.reels * self.rows + 1)
            return {evaluator.symbol: [str(count) for count in counts]}
        return {}

    def _trigger(
        self, value: object, path: str, state: str, evaluators: list[str]
    ) -> m.FreeSpinsTrigger | m.PickTrigger | None:
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind == "free_spins":
            table = self.table(value, path, ["name", "kind", "symbol", "spins", "state"])
            symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
            spins = self.counts(table.get("spins"), f"{path}.spins", self.reels * self.rows, 1000)
            target = self.reference(table.get("state"), f"{path}.state", self.state_names, "state")
            if target == m.START_STATE:
                self.bad(f"{path}.state", f"'{target}' is the paid spin", "award spins of another state")
            elif target and state not in (m.START_STATE, target):
                self.bad(
                    f"{path}.state",
                    f"'{state}' may not award spins of '{target}'",
                    f"a free-spin state awards spins of itself only: write '{state}'",
                )
            name = self._label(table, path)
            return m.FreeSpinsTrigger(name, symbol or "", m.frozen(spins or {1: 0}), target or "")
        if kind == "pick":
            table = self.table(value, path, ["name", "kind", "pattern", "pick"])
            pattern: list[str | None] = []
            raw = self.array(table.get("pattern", []), f"{path}.pattern", 1, self.reels)
            for i, item in enumerate(raw):
                known = item == "*" or self.reference(item, f"{path}.pattern[{i}]", self.symbols, "symbol")
                pattern.append(None if item == "*" or not known else item)
            if raw and all(item == "*" for item in raw):
                self.bad(f"{path}.pattern", "matches every line", "name at least one symbol")
            pick = self.reference(table.get("pick"), f"{path}.pick", self.pick_names, "pick")
            if not any(isinstance(self.evaluators[name], m.Lines) for name in evaluators):
                self.bad(path, "no paylines in this state", "add a line evaluator to the state")
            return m.PickTrigger(self._label(table, path), tuple(pattern), pick or "")
        self.bad(_join(path, "kind"), f"{_show(kind)} is not allowed", "write one of free_spins, pick")
        return None

    def _label(self, table: dict[str, Any], path: str) -> str:
        name = self.text(table.get("name", "x"), f"{path}.name", 32)
        if not NAME.fullmatch(name):
            self.bad(f"{path}.name", f"{_show(name)} is not a name", "use letters, digits and _, first a letter")
        elif name == RESERVED:
            self.bad(f"{path}.name", f"'{name}' is the part that all free spins win", "take another name")
        return name

    def _profile(self, name: str, value: object, path: str, sets: list[str]) -> m.Profile:
        table = self.table(value, path, ["strips"])
        raw = table.get("strips", {})
        strips: dict[str, tuple[m.Strip, ...]] = {}
        for key, reels in _items(raw):
            place = f"{path}.strips.{key}"
            if key not in sets:
                self.bad(place, "no state uses these strips", f"remove them; used: {', '.join(sets)}")
            rows = self.array(reels, place, self.reels, self.reels)
            strips[key] = tuple(self._strip(item, f"{place}[{i}]") for i, item in enumerate(rows))
        for key in sets:
            if key not in strips:
                self.bad(f"{path}.strips", f"no strips '{key}'", f"add '{key}' with {self.reels} strips")
        return m.Profile(name, m.frozen(strips))

    def _strip(self, value: object, path: str) -> m.Strip:
        if not isinstance(value, str):
            self.bad(path, f"{_show(value)} is not a strip", 'write symbols in quotes: "A K Q*2 W:5"')
            return m.Strip((), ())
        symbols: list[str] = []
        weights: list[int] = []
        for index, token in enumerate(value.split()):
            match = TOKEN.fullmatch(token)
            if not match:
                self.bad(
                    f"{path}[{index}]",
                    f"'{token}' is not a stop",
                    "write SYMBOL, SYMBOL*REPEAT or SYMBOL:WEIGHT",
                )
                continue
            symbol, repeat, weight = match[1], int(match[2] or 1), int(match[3] or 1)
            self.reference(symbol, f"{path}[{index}]", self.symbols, "symbol")
            if repeat < 1 or len(symbols) + repeat > m.STOPS_MAX:
                self.bad(f"{path}[{index}]", f"repeat {repeat}", f"keep 1 to {m.STOPS_MAX} stops a strip")
                continue
            if not 1 <= weight <= m.WEIGHT_MAX:
                self.bad(f"{path}[{index}]", f"weight {weight}", f"write a weight from 1 to {m.WEIGHT_MAX}")
                continue
            symbols += [symbol] * repeat
            weights += [weight] * repeat
        if not symbols:
            self.bad(path, "no stops", "write at least one symbol")
        if sum(weights) > m.WEIGHT_TOTAL_MAX:
            self.bad(path, f"weights add up to {sum(weights)}", f"keep it below {m.WEIGHT_TOTAL_MAX}")
        return m.Strip(tuple(symbols), tuple(weights))

    # -- what only the whole model shows --------------------------------------------------------

    def _whole(self, model: m.Model) -> None:
        start = model.states[m.START_STATE]
        awarded = {t.state for t in start.triggers if isinstance(t, m.FreeSpinsTrigger)}
        if len(awarded) > 1:
            self.bad(
                "states.base.triggers",
                f"award spins of {', '.join(sorted(awarded))}",
                "award spins of one state",
            )
        for name in model.states:
            if name != m.START_STATE and name not in awarded:
                self.bad(f"states.{name}", "no trigger of 'base' leads here", "add a trigger or remove the state")
        for name in model.evaluators:
            if all(name not in state.evaluators for state in model.states.values()):
                self.bad(f"evaluators.{name}", "no state uses it", "list it in a state or remove it")
        paid = {symbol for e in model.evaluators.values() if isinstance(e, m.Lines) for symbol in e.pays}
        for wild in model.wilds.values():
            for symbol in sorted(wild.substitutes - paid):
                path = f"wilds.{wild.symbol}.substitutes"
                self.bad(path, f"no line pays for '{symbol}'", "remove it; wilds stand in on lines only")
        used = {t.pick for s in model.states.values() for t in s.triggers if isinstance(t, m.PickTrigger)}
        for name in model.picks:
            if name not in used:
                self.bad(f"picks.{name}", "no trigger uses it", "add a pick trigger or remove it")
        for state in model.states.values():
            draws = draws_most(model, state)
            if draws > m.SPIN_DRAWS_MAX:
                self.bad(
                    f"states.{state.name}.triggers",
                    f"one spin could draw {draws} numbers",
                    f"keep picks x prizes x paylines below {m.SPIN_DRAWS_MAX}",
                )
        if most_units(model) > m.WIN_UNITS_MAX:
            self.bad("file", "a round could win more than 2^62 units", "lower pays, multipliers or caps.free_spins")


def draws_most(model: m.Model, state: m.State) -> int:
    """Most numbers that one spin of a state draws: a stop a reel, and every pick bonus on every line."""
    lines = model.lines_of(state)
    draws = model.reels
    for trigger in state.triggers:
        if isinstance(trigger, m.PickTrigger) and lines is not None:
            pick = model.picks[trigger.pick]
            draws += len(lines.paylines) * (1 + max(pick.picks.values) * (1 + max(pick.prizes_per_pick.values)))
    return draws


def most_units(model: m.Model) -> int:
    """Upper bound of the win of one round in units, from the pay tables alone (not from the strips)."""
    wild = max([1, *(w.multiplier for w in model.wilds.values())]) ** model.reels
    most = 0
    for state in model.states.values():
        spin = 0
        for name in state.evaluators:
            evaluator = model.evaluators[name]
            if isinstance(evaluator, m.Lines):
                best = max((pay for pays in evaluator.pays.values() for pay in pays.values()), default=0)
                spin += best * wild * len(evaluator.paylines) * model.line_units
            else:
                spin += max(evaluator.pays.values()) * model.basis_units(evaluator.of)
        lines = model.lines_of(state)
        for trigger in state.triggers:
            if isinstance(trigger, m.PickTrigger) and lines is not None:
                pick = model.picks[trigger.pick]
                draws = max(pick.picks.values) * max(pick.prizes_per_pick.values)
                spin += draws * max(pick.prizes.values) * model.basis_units(pick.of) * len(lines.paylines)
        most += spin * state.multiplier * (1 if state.name == m.START_STATE else model.free_spins_max)
    return most


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _items(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _show(value: object) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, endless nesting
        return "this value"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _span(low: int, high: int) -> str:
    return f"exactly {low}" if low == high else f"{low} to {high}"
