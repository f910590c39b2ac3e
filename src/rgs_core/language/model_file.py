"""Reads a model file (TOML) into a `Model`, or says everything that is wrong with it at once.

Each problem names the file, the path inside it with its line, the offending value and the remedy.
Unknown keys are errors: a typing mistake must never silently change a game. docs/math-models.md
describes every field. Values are read in model_reading, what states refer to in mechanics_file, states in
states_file; model_checks and model_bounds look at the whole.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from rgs_core.errors import ModelError, Problem
from rgs_core.language import model as m
from rgs_core.language.bounds import draws_most, most_units
from rgs_core.language.checks import problems
from rgs_core.language.mechanics import frozen
from rgs_core.language.reading import TooManyProblems, items, show
from rgs_core.language.states_file import StatesReading
from rgs_core.language.toml_lines import line_numbers

__all__ = ["draws_most", "load", "loads", "most_units", "read_text"]

SYMBOL = re.compile(r"[A-Za-z0-9_]{1,16}")
TOKEN = re.compile(r"([A-Za-z0-9_]{1,16})(?:\*([0-9]{1,5}))?(?::([0-9]{1,9}))?")
FILE_BYTES_MAX = 4 * 1024 * 1024
PROFILES_MAX = 64


def load(path: str | Path) -> m.Model:
    """The model in the file at `path`. Raises ModelError with all problems, OSError if unreadable."""
    path = Path(path)
    return loads(read_text(path), source=str(path), folder=path.parent)


def read_text(path: Path) -> str:
    """The text of a model file. Raises ModelError where it is none or too long, OSError if unreadable."""
    size = path.stat().st_size
    if size > FILE_BYTES_MAX:
        raise ModelError(str(path), [Problem("file", f"{size} bytes long", f"keep it below {FILE_BYTES_MAX} bytes")])
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(str(path), [Problem("file", f"not UTF-8: {error}", "save it as UTF-8")]) from None


def loads(text: str, source: str = "<text>", folder: Path | None = None) -> m.Model:
    """The model in a TOML text; `source` names it in errors, `folder` holds the files of its callbacks.

    Raises ModelError with all problems."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits and endless nesting
        raise ModelError(source, [Problem("file", f"not valid TOML: {error}", "correct the syntax")]) from None
    reader = _Reader(line_numbers(text), folder)
    model = None
    with suppress(TooManyProblems):
        model = reader.model(document)
    if reader.problems or model is None:
        raise ModelError(source, reader.problems)
    return model


class _Reader(StatesReading):
    """Walks the document once and collects problems instead of stopping at the first."""

    def __init__(self, lines: dict[str, int], folder: Path | None) -> None:
        super().__init__(lines)
        self.folder = folder

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
            ["description", "wilds", "groups", "doubles", "bonuses", "modes", "jackpots", "gamble", "caps"],
            moved={"picks": 'write [bonuses.NAME] with kind = "pick" instead'},
        )
        self.integer(top.get("format", m.FORMAT), "format", m.FORMAT, m.FORMAT, m.FORMAT)
        game_id = self.text(top.get("id", "x"), "id")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", game_id):
            self.bad(
                "id",
                f"{show(game_id)} is not an id",
                "use small letters, digits and _, at most 64, first a letter",
            )
        stake = self.table(top.get("stake", {}), "stake", ["units"], ["line_units"])
        stake_units = self.integer(stake.get("units", 1), "stake.units", 1, 100_000, 1)
        line_units = self.integer(stake.get("line_units", 1), "stake.line_units", 1, 100_000, 1)
        raw_states = top.get("states", {})
        self.inherit(raw_states)
        self.read_grid(self.table(top.get("grid", {}), "grid", ["reels", "rows"], ["top"]))
        self.symbols = self._symbols(top.get("symbols", []))
        caps = self.table(top.get("caps", {}), "caps", [], ["free_spins", "win"])
        free_spins_max = self.integer(
            caps.get("free_spins", m.FREE_SPINS_MAX), "caps.free_spins", 1, m.FREE_SPINS_MAX, m.FREE_SPINS_MAX
        )
        win_max = self.integer(caps["win"], "caps.win", 1, m.CAP_WIN_MAX, 1) if "win" in caps else None
        self.doubles = self.read_doubles(top.get("doubles", {}))
        self.groups = self.read_groups(top.get("groups", {}))
        self.wilds = self.read_wilds(top.get("wilds", {}))
        title = self.text(top.get("title", ""), "title", 200)
        version = self.text(top.get("version", ""), "version", 40)
        description = self.text(top.get("description", ""), "description")
        self.evaluators = self.read_evaluators(top.get("evaluators", {}))
        self.bonuses = self.read_bonuses(top.get("bonuses", {}))
        states = self.read_states(raw_states)
        if "states" in top and m.START_STATE not in self.state_names:
            self.bad("states", f"no state '{m.START_STATE}'", f"add [states.{m.START_STATE}], the paid spin")
        modes = self.read_modes(top.get("modes", {}))
        jackpots = self.read_jackpots(top.get("jackpots", {}))
        gamble = self.read_gamble(top["gamble"]) if "gamble" in top else None
        sets = list(dict.fromkeys(name for state in states.values() for name in state.strip_sets))
        profiles = self.named(
            top.get("profiles", {}),
            "profiles",
            lambda name, item, path: self._profile(name, item, path, sets),
            PROFILES_MAX,
            "profiles",
        )
        if "profiles" in top and not profiles:
            self.bad("profiles", "no profile", "add at least one [profiles.NAME.strips]")
        if self.problems:
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
            wilds=frozen(self.wilds),
            evaluators=frozen(self.evaluators),
            bonuses=frozen(self.bonuses),
            states=frozen(states),
            free_spins_max=free_spins_max,
            profiles=frozen(profiles),
            groups=frozen(self.groups),
            modes=frozen(modes),
            win_max=win_max,
            gamble=gamble,
            jackpots=frozen(jackpots),
            doubles=frozen(self.doubles),
            top=self.top,
        )
        for path, message, remedy in problems(model):
            self.bad(self._stands(path), message, remedy)
        return model

    def _stands(self, path: str) -> str:
        """Where the key of a state stands, when the state has it from another one."""
        parts = path.split(".")
        if len(parts) > 2 and parts[0] == "states":
            _, places = self.inherited[parts[1]]
            return ".".join([places.get(parts[2], ".".join(parts[:3])), *parts[3:]])
        return path

    def _symbols(self, value: object) -> list[str]:
        symbols = self.array(value, "symbols", 1, m.SYMBOLS_MAX)
        names: list[str] = []
        for index, item in enumerate(symbols):
            path = f"symbols[{index}]"
            if not isinstance(item, str) or not SYMBOL.fullmatch(item):
                self.bad(path, f"{show(item)} is not a symbol", "use 1 to 16 letters, digits and _")
            elif item in names:
                self.bad(path, f"'{item}' stands there twice", "remove one")
            else:
                names.append(item)
        return names

    def _profile(self, name: str, value: object, path: str, sets: list[str]) -> m.Profile:
        table = self.table(value, path, ["strips"])
        raw = table.get("strips", {})
        strips: dict[str, tuple[m.Strip, ...]] = {}
        for key, reels in items(raw):
            place = f"{path}.strips.{key}"
            if key not in sets and len(self.state_names) <= m.STATES_MAX:
                self.bad(place, "no state uses these strips", f"remove them; used: {', '.join(sets)}")
            count = self.reels + bool(self.top)
            rows = self.array(reels, place, count, count)
            strips[key] = tuple(self._strip(item, f"{place}[{i}]") for i, item in enumerate(rows))
        for key in sets:
            if key not in strips:
                needed = f"{self.reels} strips" + (" and that of the top reel" if self.top else "")
                self.bad(f"{path}.strips", f"no strips '{key}'", f"add '{key}' with {needed}")
        return m.Profile(name, frozen(strips))

    def _strip(self, value: object, path: str) -> m.Strip:
        if not isinstance(value, str):
            self.bad(path, f"{show(value)} is not a strip", 'write symbols in quotes: "A K Q*2 W:5"')
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
