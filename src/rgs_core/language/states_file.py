"""Reads the states of a model file: grid, strips, transforms, cascade, final, special and triggers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.callback import SOURCE_BYTES_MAX, faults
from rgs_core.language.cells_file import CellsReading
from rgs_core.language.conditions_file import COUNT_KEYS, ODDS_KEYS, TRANSFORM_KEYS, TRIGGER_KEYS
from rgs_core.language.reading import items, join, show

STATE_KEYS = [
    "strips", "evaluators", "multiplier", "multiplier_exempt", "triggers", "rows", "draw", "transforms", "cascade",
    "final", "special", "callback", "spots", "win_min", "linked", "new_rows", "modifiers",
]  # fmt: skip
CASCADE_KEYS = [
    "remove", "keep", "multipliers", "multiplier_step", "persist", "steps_max", "charge", "become", "leave",
    "empty",
]  # fmt: skip
LEAVES_MAX = 8
ONCE_A_SPIN = words.Stick | words.Multiplier | words.Nudge | words.Act | words.Fill | words.Mark
"""Transforms that work on the first grid of a spin only."""
MOVES = ["left", "right", "up", "down", "random"]
AWARD_MAX = 1000
PLAYS_MAX = 64
WIN_KEYS = [key for key in TRIGGER_KEYS if key != "when"]
"""What a trigger by wins may need; that there is a win is what it is about."""
JACKPOT_KEYS = [key for key in TRIGGER_KEYS if key not in ODDS_KEYS]
"""What a jackpot may need beside odds, which it has in any case."""
AWARD_KEYS = ["multiplier", "become", "at_once"]
"""How awarded spins are played."""
LEVELS_MAX = 64
LEVEL_COUNT_MAX = 10**9
LEVEL_KEYS = ["every", "spins", "multipliers", "states"]
COLLECTED_KEYS = ["symbol", "counts", "fresh", "collector", "in_a_row"]
COUNTS = ["symbols", "values", "wins", "losses", "spins"]
ENDLESS_KEYS = ["endless", "multiplier_step"]
LIKE_MAX = 256
"""States of a file that another one may be like; more than a model may have, so that errors name what is wrong."""
CALLBACK = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,59}\.py):([A-Za-z0-9_]+)")

Heights = tuple[words.Table, ...]
Inherited = tuple[dict[str, Any], dict[str, str]]
"""The keys of a state with what `like` adds, and the path at which each of them stands."""


class StatesReading(CellsReading):
    """Reads states. `evaluators` and `bonuses` have been read before; `folder`: where callback files lie."""

    folder: Path | None

    evaluators: dict[str, words.Evaluator]
    bonuses: dict[str, words.Bonus]
    inherited: dict[str, Inherited]
    grid_heights: Heights
    top: tuple[int, ...]

    # -- inheritance and the grid ---------------------------------------------------------------

    def inherit(self, raw: object) -> None:
        """Completes each state by the keys of the state that it is `like`."""
        self.state_names = [
            name for name, _ in items(raw)
        ]  # also of states beyond the limit, so that only that is said
        states = dict(items(raw)[:LIKE_MAX])
        self.inherited = {}
        for name, value in list(states.items())[: m.STATES_MAX]:
            keys: dict[str, Any] = {}
            places: dict[str, str] = {}
            for ancestor in self._ancestry(states, name) if isinstance(value, dict) else []:
                own = states[ancestor]
                for key in STATE_KEYS:
                    if key in own and key not in keys:
                        keys[key] = own[key]
                        places[key] = f"states.{ancestor}.{key}"
            self.inherited[name] = (keys, places)

    def _ancestry(self, states: dict[str, Any], name: str) -> list[str]:
        """The state and those that it is like, nearest first."""
        found = [name]
        while isinstance(states[found[-1]], dict) and "like" in states[found[-1]]:
            path = f"states.{found[-1]}.like"
            other = self.reference(states[found[-1]]["like"], path, list(states), "state")
            if other is None:
                break
            if other in found:
                circle = " -> ".join([*found[found.index(other) :], other])
                self.bad(path, f"states like each other in a circle: {circle}", "write one of them out")
                break
            if not isinstance(states[other], dict):
                break
            found.append(other)
        return found

    def read_grid(self, table: Mapping[str, Any]) -> None:
        """Reels, heights of the grid, and `rows`, the largest height of any state."""
        self.reels = self.integer(table.get("reels", 5), "grid.reels", m.REELS_MIN, m.REELS_MAX, 5)
        self.top = self._top(table["top"], "grid.top") if "top" in table else ()
        heights = {"grid.rows": self._heights(table.get("rows", 3), "grid.rows")}
        self.grid_heights = heights["grid.rows"]
        for keys, places in self.inherited.values():
            if "rows" in keys:
                heights[places["rows"]] = self._heights(keys["rows"], places["rows"])
        for path, reels in heights.items():
            rows = max(max(reel.values) for reel in reels)
            if rows * self.reels > m.CELLS_MAX:
                self.bad(path, f"{self.reels} reels of {rows} rows", f"keep reels x rows at most {m.CELLS_MAX}")
        self.rows = max(max(reel.values) for reels in heights.values() for reel in reels)

    def _top(self, value: object, path: str) -> tuple[int, ...]:
        """The reels below the top reel, from 0: neighbours, as it moves over them."""
        table = self.table(value, path, ["reels"])
        reels = self.chosen_reels(table, path) or ()
        if reels and reels[-1] - reels[0] + 1 != len(reels):
            self.bad(f"{path}.reels", "the reels below it do not stand side by side", "name neighbouring reels")
        return reels

    def _heights(self, value: object, path: str) -> Heights:
        """Rows in view by reel: a number or a weight table for all reels, or an array of them; a cell of the top reel
        is one row more."""
        most = m.ROWS_MAX - bool(self.top)
        if isinstance(value, list):
            rows = self.array(value, path, self.reels, self.reels)
            heights = [self.number_table(item, f"{path}[{i}]", most, m.ROWS_MIN) for i, item in enumerate(rows)]
            heights = heights or [words.Table((1,), (1,))]
        else:
            heights = [self.number_table(value, path, most, m.ROWS_MIN)] * self.reels
        return tuple(
            words.Table(tuple(rows + 1 for rows in table.values), table.weights) if reel in self.top else table
            for reel, table in enumerate(heights)
        )

    # -- a state --------------------------------------------------------------------------------

    def read_states(self, value: object) -> dict[str, m.State]:
        return self.named(value, "states", self._state, m.STATES_MAX, "states")

    def _state(self, name: str, value: object, path: str) -> m.State | None:
        own = self.table(value, path, [], ["like", *STATE_KEYS])
        if not isinstance(value, dict):
            return None
        self.current = name
        keys, places = self.inherited[name]
        for key in ("strips", "evaluators"):
            if key not in keys:
                self.bad(path, f"key '{key}' is missing", f"add '{key}'" + (" here or there" if "like" in own else ""))
        at = {key: places.get(key, f"{path}.{key}") for key in STATE_KEYS}
        modifiers = self._modifier_table(keys["modifiers"], at["modifiers"]) if "modifiers" in keys else None
        self.modifier_names = modifiers.names if modifiers else ()
        strips, choice = self._strip_choice(keys.get("strips", ""), at["strips"])
        names = self._evaluator_names(keys.get("evaluators", []), at["evaluators"])
        multiplier = self.integer(keys.get("multiplier", 1), at["multiplier"], 1, m.MULTIPLIER_MAX, 1)
        raw = self.array(keys.get("triggers", []), at["triggers"], 0, m.TRIGGERS_MAX)
        read = [self._trigger(item, f"{at['triggers']}[{i}]", names) for i, item in enumerate(raw)]
        triggers = tuple(trigger for trigger in read if trigger)
        raw = self.array(keys.get("transforms", []), at["transforms"], 0, m.TRANSFORMS_MAX)
        changes = [self._transform(item, f"{at['transforms']}[{i}]") for i, item in enumerate(raw)]
        transforms = tuple(transform for transform in changes if transform)
        heights = self._heights(keys["rows"], at["rows"]) if "rows" in keys else self.grid_heights
        fixed = all(reel.values == (self.rows,) for reel in heights)
        cells = self.choice(keys.get("draw", "reel"), at["draw"], ["reel", "cell"]) == "cell"
        self._check_nudges(transforms, cells, at["transforms"])
        self._check_marks(transforms, at["transforms"])
        if modifiers and not any(getattr(transform, "modifiers", ()) for transform in transforms):
            self.bad(at["modifiers"], "no transform has a modifier", 'add modifier = "NAME" to one, or remove this')
        for i, transform in enumerate(transforms):
            if isinstance(transform, words.Stick) and transform.stack and (cells or self.top):
                message = "stacks stand on reels that stop as a whole, without a top reel above them"
                self.bad(f"{at['transforms']}[{i}].stack", message, 'remove it, or draw = "cell" and grid.top')
        linked = self._linked(keys["linked"], at["linked"], cells) if "linked" in keys else None
        cascade = self._cascade(keys["cascade"], at["cascade"], names, triggers) if "cascade" in keys else None
        final = self._final(keys["final"], at["final"]) if "final" in keys else None
        special = self._special(keys["special"], at["special"], names, triggers) if "special" in keys else None
        callback = self._callback(keys["callback"], at["callback"]) if "callback" in keys else None
        spots = self.read_spots(keys["spots"], at["spots"], names, cascade) if "spots" in keys else None
        if cascade and cascade.refill == "strip" and cells:
            self.bad(
                f"{at['cascade']}.refill",
                "cells that draw alone have no strip to go on",
                'write refill = "fresh", or draw = "reel"',
            )
        for place, transform in enumerate(transforms):
            if isinstance(transform, words.Stick) and transform.each == "step" and not cascade:
                message = "cells that move between the steps of a cascade, where there is none"
                self.bad(f"{at['transforms']}[{place}].each", message, 'add [cascade], or write each = "spin"')
        for i, transform in enumerate(transforms if special else ()):
            if getattr(transform, "when", "always") != "always":
                message = "whether a grid with a special symbol would win is not looked at"
                self.bad(f"{at['transforms']}[{i}].when", message, "remove it, or the special symbol")
        if cascade and special:
            self.bad(at["special"], "a special symbol in a state with a cascade", "remove one of them")
        win_min = self.integer(keys["win_min"], at["win_min"], 1, m.CAP_WIN_MAX, 1) if "win_min" in keys else None
        if win_min is not None and name == m.START_STATE:
            self.bad(
                at["win_min"], "every paid spin would pay so much", "write it into a state whose spins are awarded"
            )
        extra = [
            *([words.WIN_MIN] if win_min else []),
            *(part.name for part in (final, special) if part),
            *([callback.function] if callback else []),
        ]
        labels = [*self.evaluators, *(t.name for t in triggers), *extra]
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            where = at["triggers"] if label not in extra else path
            parts = (
                "trigger or evaluator"
                if label not in extra
                else "trigger, evaluator, final, special, callback or win_min"
            )
            self.bad(where, f"the name '{label}' is used twice", f"rename one {parts}")
        exempt = self._exempt(
            keys.get("multiplier_exempt", []), at["multiplier_exempt"], names, triggers, special.name if special else ""
        )
        return m.State(
            name,
            strips,
            tuple(names),
            multiplier,
            exempt,
            triggers,
            strip_choice=choice,
            heights=None if fixed else heights,
            cells=cells,
            transforms=transforms,
            cascade=cascade,
            final=final,
            special=special,
            callback=callback,
            spots=spots,
            win_min=win_min,
            linked=linked,
            rows_below=self.choice(keys.get("new_rows", "top"), at["new_rows"], ["top", "bottom"]) == "bottom",
            modifiers=modifiers,
        )

    def _linked(self, value: object, path: str, cells: bool) -> words.Linked:
        """A weight table of runs of reels, written "2-3"; "none" comes first."""
        if cells:
            self.bad(path, "cells that draw alone have no reels that stop", 'remove it, or write draw = "reel"')
        pairs = [(first, last) for first in range(self.reels) for last in range(first + 1, self.reels)]
        runs = {words.run_name(run): run for run in [words.NOTHING_LINKED, *pairs]}
        example = '{ none = 3, "2-3" = 1 }: first and last reel = weight'
        names, weights = self.named_weights(value, path, list(runs), "run of reels", example)
        return words.Linked(tuple(runs.get(name, words.NOTHING_LINKED) for name in names), weights)

    def _callback(self, value: object, path: str) -> words.Callback | None:
        """A function in a file beside the model file; its source becomes part of the model."""
        match = CALLBACK.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            remedy = 'write "FILE.py:FUNCTION", a file beside the model file and a function in it'
            self.bad(path, f"{show(value)} names no callback", remedy)
            return None
        file, function = match[1], self.label({"name": match[2]}, path)
        if self.folder is None:
            self.bad(path, "a text without a folder has no callback files", "load the model from its file")
            return None
        try:
            with (self.folder / file).open("rb") as opened:
                raw = opened.read(SOURCE_BYTES_MAX + 1)
            source = raw.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            self.bad(path, f"{file} cannot be read: {reason}", "put it beside the model file, as UTF-8")
            return None
        if len(raw) > SOURCE_BYTES_MAX:
            self.bad(path, f"{file} is too long", f"keep it below {SOURCE_BYTES_MAX} bytes")
            return None
        callback = words.Callback(file, function, source)
        for fault in faults(callback):
            self.bad(path, f"{file}, line {fault.line}: {fault.message}", fault.remedy)
        return callback

    def _strip_choice(self, value: object, path: str) -> tuple[str, m.NameTable | None]:
        """The strip set, and the weights when there are several."""
        if not isinstance(value, dict):
            return self.text(value, path, 32), None
        order = sorted(name for name in value if len(name) <= 32)
        names, weights = self.named_weights(value, path, order, "strip set", "{ one = 3, two = 1 }: set = weight")
        if len(value) > m.STRIP_SETS_MAX:
            self.bad(path, f"{len(value)} strip sets", f"use at most {m.STRIP_SETS_MAX}")
        if len(names) < 2:
            return names[0] if names else "", None
        return names[0], m.NameTable(names, weights)

    def _modifier_table(self, value: object, path: str) -> m.NameTable:
        """Modifiers with their weights, in the order of their names."""
        order = sorted(name for name in value if len(name) <= 32) if isinstance(value, dict) else []
        names, weights = self.named_weights(value, path, order, "modifier", "{ none = 9, rain = 1 }: modifier = weight")
        if len(names) > m.MODIFIERS_MAX:
            self.bad(path, f"{len(names)} modifiers", f"use at most {m.MODIFIERS_MAX}")
        return m.NameTable(names, weights)

    def _evaluator_names(self, value: object, path: str) -> list[str]:
        names: list[str] = []
        for i, item in enumerate(self.array(value, path, 1, m.EVALUATORS_MAX)):
            found = self.reference(item, f"{path}[{i}]", list(self.evaluators), "evaluator")
            if found in names:
                self.bad(f"{path}[{i}]", f"'{found}' stands there twice", "remove one")
            elif found:
                names.append(found)
        lines = [n for n in names if isinstance(self.evaluators[n], words.Lines | words.Combinations)]
        if len(lines) > 1:
            self.bad(path, "two line evaluators in one state", "put all pays and paylines in one")
        return names

    def _exempt(
        self, value: object, path: str, names: list[str], triggers: tuple[words.Trigger, ...], special: str
    ) -> frozenset[str]:
        exempt: set[str] = set()
        bonuses = [t.name for t in triggers if isinstance(t, words.PickTrigger | words.BonusTrigger)]
        known = [*names, *bonuses, *([special] if special else [])]
        for i, item in enumerate(self.array(value, path, 0, 64)):
            place = f"{path}[{i}]"
            parts = item.split(".") if isinstance(item, str) else []
            paying = self._paying(parts[0]) if parts and parts[0] in known else {}
            if not 1 <= len(parts) <= 3 or parts[0] not in known:
                self.bad(
                    place,
                    f"{show(item)} names nothing that pays here",
                    f"names that pay here: {', '.join(known) or 'none'}",
                )
            elif len(parts) > 1 and parts[1] not in paying:
                shown = ", ".join(paying) or f"none, name '{parts[0]}' alone"
                self.bad(place, f"'{parts[0]}' pays nothing for '{parts[1]}'", f"symbols it pays: {shown}")
            elif len(parts) > 2 and parts[2] not in paying[parts[1]]:
                counts = ", ".join(paying[parts[1]])
                self.bad(place, f"'{parts[2]}' is not a count that pays", f"counts it pays: {counts}")
            else:
                exempt.add(item)
        return frozenset(exempt)

    def _paying(self, name: str) -> dict[str, list[str]]:
        """Symbols that an evaluator pays, each with its counts as text; nothing for a bonus or special."""
        evaluator = self.evaluators.get(name)
        if isinstance(evaluator, words.Lines | words.Ways):
            return {symbol: [str(count) for count in pays] for symbol, pays in evaluator.pays.items()}
        if isinstance(evaluator, words.Count | words.Cluster | words.Match):
            return {symbol: self._counts_from(min(pays)) for symbol, pays in evaluator.pays.items()}
        if isinstance(evaluator, words.Scatter):
            return {evaluator.symbol: self._counts_from(min(evaluator.pays))}
        if isinstance(evaluator, words.Collect):
            return {evaluator.symbol: self._counts_from(evaluator.count_min)}
        paying: dict[str, list[str]] = {}
        for combination in evaluator.combinations if isinstance(evaluator, words.Combinations) else ():
            named = [element for element in combination.symbols if element]
            if named:
                paying.setdefault(named[0], []).append(str(len(named)))
        return {symbol: sorted(set(counts)) for symbol, counts in paying.items()}

    def _counts_from(self, first: int) -> list[str]:
        most = self.cells * max((double.count for double in self.doubles.values()), default=1)
        return [str(count) for count in range(first, most + 1)]

    # -- transforms -----------------------------------------------------------------------------

    def _transform(self, value: object, path: str) -> words.Transform | None:
        readers: Mapping[str, Callable[[object, str], words.Transform]] = {
            "reveal": self._reveal,
            "expand": self._expand,
            "replace": self._replace,
            "add": self._add,
            "values": self._values,
            "stick": self._stick,
            "multiplier": self._multiplier,
            "nudge": self._nudge,
            "act": self._act,
            "fill": self._fill,
            "mark": self._mark,
        }
        reader = self.kind(value, path, readers)
        if reader is None:
            return None
        if not isinstance(value, dict) or value["kind"] == "stick":
            return reader(value, path)
        transform = reader({key: item for key, item in value.items() if key not in TRANSFORM_KEYS}, path)
        if isinstance(transform, words.Stick):
            return transform
        return replace(transform, **self.conditions(value, path, TRANSFORM_KEYS))

    def _reveal(self, value: object, path: str) -> words.Reveal:
        table = self.table(value, path, ["kind", "symbol", "table"], ["each"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
        revealed = self.symbol_table(table.get("table"), f"{path}.table", self.symbols)
        each = self.choice(table.get("each", "spin"), f"{path}.each", ["spin", "reel", "cell", "feature"])
        return words.Reveal(symbol or "", revealed, each)

    def _expand(self, value: object, path: str) -> words.Expand:
        table = self.table(value, path, ["kind", "symbol"], ["into", "reels"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol") or ""
        into = self.reference(table.get("into", symbol or None), f"{path}.into", self.symbols, "symbol") or ""
        return words.Expand(symbol, into, self.chosen_reels(table, path))

    def _replace(self, value: object, path: str) -> words.Replace:
        table = self.table(value, path, ["kind", "symbol", "into"], ["reels"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol") or ""
        into = self.reference(table.get("into"), f"{path}.into", self.symbols, "symbol") or ""
        if symbol and symbol == into:
            self.bad(f"{path}.into", f"'{symbol}' becomes itself", "write another symbol or remove the transform")
        return words.Replace(symbol, into, self.chosen_reels(table, path))

    def _add(self, value: object, path: str) -> words.Add:
        table = self.table(value, path, ["kind", "symbol", "count"], ["reels", "over"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
        count = self.number_table(table.get("count", 0), f"{path}.count", m.CELLS_MAX, 0)
        over = self.references(table["over"], f"{path}.over", self.symbols, "symbol") if "over" in table else None
        return words.Add(symbol or "", count, self.chosen_reels(table, path), over)

    def _fill(self, value: object, path: str) -> words.Fill:
        table = self.table(value, path, ["kind", "symbol", "reels"], ["among"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
        among = self.chosen_reels(table, path, "among")
        most = self.reels if among is None else len(among)
        return words.Fill(symbol or "", self.number_table(table.get("reels", 0), f"{path}.reels", most, 0), among)

    def _mark(self, value: object, path: str) -> words.Mark:
        table = self.table(value, path, ["kind", "symbols", "into"])
        symbols = self.references(table.get("symbols", []), f"{path}.symbols", self.symbols, "symbol")
        into = self.reference(table.get("into"), f"{path}.into", self.symbols, "symbol") or ""
        return words.Mark(symbols, into)

    def _values(self, value: object, path: str) -> words.Values:
        table = self.table(value, path, ["kind", "symbols", "table"], ["each", "grow", "reels"])
        symbols = self.references(table.get("symbols", []), f"{path}.symbols", self.symbols, "symbol")
        each = self.choice(table.get("each", "cell"), f"{path}.each", ["cell", "reel"])
        grow = self.integer(table["grow"], f"{path}.grow", 1, m.MULTIPLIER_MAX, 1) if "grow" in table else 0
        drawn = self.weights(table.get("table"), f"{path}.table", m.VALUE_MAX)
        return words.Values(symbols, drawn, each=each, grow=grow, reels=self.chosen_reels(table, path))

    def _stick(self, value: object, path: str) -> words.Stick:
        table = self.table(value, path, ["kind", "symbols"], ["step", "move", "each", "stack"])
        symbols = self.references(table.get("symbols", []), f"{path}.symbols", self.symbols, "symbol")
        step = self.integer(table.get("step", 0), f"{path}.step", -1, 1, 0)
        move = self.choice(table["move"], f"{path}.move", MOVES) if "move" in table else ""
        if move and "step" in table:
            self.bad(f"{path}.step", f"'step' beside move = '{move}'", "remove one of them")
        each = self.choice(table.get("each", "spin"), f"{path}.each", ["spin", "step"])
        if each == "step" and not (move or step):
            self.bad(f"{path}.each", "nothing moves at each step", f"add move: {', '.join(MOVES)}")
        across = {"left": -1, "right": 1}.get(move, step)
        down = {"up": -1, "down": 1}.get(move, 0)
        stack = self.flag(table.get("stack", False), f"{path}.stack")
        if stack and (not down or each == "step"):
            message = "the rest of a stack comes in behind cells that move up or down before each spin"
            self.bad(f"{path}.stack", message, 'write move = "down" or "up", and no each, or remove it')
        return words.Stick(symbols, across, fall=down, jump=move == "random", each=each, stack=stack)  # type: ignore[arg-type]

    def _multiplier(self, value: object, path: str) -> words.Multiplier:
        table = self.table(value, path, ["kind", "table"], ["each", "symbol", "combine", "persist"])
        drawn = self.weights(table.get("table"), f"{path}.table", m.MULTIPLIER_MAX)
        each = self.choice(table.get("each", "spin"), f"{path}.each", ["spin", "full_reel", "cell", "feature"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
        alone = each in ("spin", "feature")
        if alone and "symbol" in table:
            self.bad(f"{path}.symbol", f"one multiplier a {each} needs no symbol", 'remove it, or write each = "cell"')
        if not alone and "symbol" not in table:
            self.bad(path, f"a multiplier for each {each} of no symbol", "add 'symbol'")
        combine = self.choice(table.get("combine", "product"), f"{path}.combine", ["product", "sum"])
        persist = self.flag(table.get("persist", False), f"{path}.persist")
        if persist and each == "feature":
            self.bad(f"{path}.persist", "a multiplier of all spins of a feature adds up to nothing", "remove it")
        return words.Multiplier(drawn, each, symbol, combine, persist)

    def _nudge(self, value: object, path: str) -> words.Nudge:
        table = self.table(value, path, ["kind", "symbol", "steps_max"], ["reels", "multiplier", "multiplies"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol") or ""
        steps_max = self.integer(table.get("steps_max", 1), f"{path}.steps_max", 1, self.rows, 1)
        multiplier = self.integer(table.get("multiplier", 0), f"{path}.multiplier", 0, m.MULTIPLIER_MAX, 0)
        multiplies = self.choice(table.get("multiplies", "spin"), f"{path}.multiplies", ["spin", "cells"])
        if multiplies == "cells" and not multiplier:
            self.bad(f"{path}.multiplies", "cells that no step multiplies", "add multiplier: at least 1 for each step")
        return words.Nudge(symbol, self.chosen_reels(table, path), steps_max, multiplier, multiplies=multiplies)

    def _check_nudges(self, transforms: tuple[words.Transform, ...], cells: bool, path: str) -> None:
        """Nudges move whole reels as they stopped."""
        for place, transform in enumerate(transforms):
            if not isinstance(transform, words.Nudge):
                continue
            if cells:
                message = "cells that draw alone are no reel that could move"
                self.bad(f"{path}[{place}]", message, 'remove the nudge, or write draw = "reel"')
            elif any(not isinstance(before, words.Nudge) for before in transforms[:place]):
                message = "a nudge after a transform that looks at the reels or changes them"
                self.bad(f"{path}[{place}]", message, "put nudges before all other transforms")
            elif self.top:
                message = "a nudge below a top reel, which would stay behind"
                self.bad(f"{path}[{place}]", message, "remove the nudge, or grid.top")

    def _check_marks(self, transforms: tuple[words.Transform, ...], path: str) -> None:
        """A state marks places in one way, and a paid spin of the base game, which is no feature, not at all."""
        places = [place for place, transform in enumerate(transforms) if isinstance(transform, words.Mark)]
        for place in places[1:]:
            message = "marks of a second kind: a place is marked or not"
            self.bad(f"{path}[{place}]", message, "put all symbols in one transform of kind mark")
        if places and self.current == m.START_STATE:
            message = "every paid spin is the last one of its own feature, so nothing stays marked"
            self.bad(f"{path}[{places[0]}]", message, "write it into a state whose spins are awarded, or use replace")

    # -- cascade, final, special ----------------------------------------------------------------

    def _cascade(
        self, value: object, path: str, names: list[str], triggers: tuple[words.Trigger, ...]
    ) -> words.Cascade:
        table = self.table(value, path, ["refill"], CASCADE_KEYS)
        refill = self.choice(table.get("refill", "strip"), f"{path}.refill", ["strip", "fresh", "none"])
        spin = [name for name in names if getattr(self.evaluators[name], "at", "spin") == "spin"]
        counting = [t for t in triggers if isinstance(t, words.FreeSpinsTrigger | words.BonusTrigger)]
        removing = [t.name for t in counting]
        remove = frozenset(spin)
        if "remove" in table:
            known = [*spin, *removing]
            remove = self.references(table["remove"], f"{path}.remove", known, "removing evaluator or trigger")
        elif not remove:
            self.bad(path, "no evaluator that removes cells", 'list one with at = "spin" in the state')
        for trigger in counting:
            if trigger.name in remove and not words.fires_by_count(trigger):
                message = f"'{trigger.name}' has odds, conditions or reels, so it is looked at once a spin"
                self.bad(f"{path}.remove", message, "leave it out, or remove those")
        keep = self.references(table.get("keep", []), f"{path}.keep", self.symbols, "symbol", 0)
        multipliers = self.integers(
            table.get("multipliers", [1]), f"{path}.multipliers", (1, m.STEPS_MAX), 1, m.MULTIPLIER_MAX
        )
        step = 0
        if "multiplier_step" in table:
            step = self.integer(table["multiplier_step"], f"{path}.multiplier_step", 1, m.MULTIPLIER_MAX, 1)
        persist = self.flag(table.get("persist", False), f"{path}.persist")
        steps_max = self.integer(table.get("steps_max", m.STEPS_MAX), f"{path}.steps_max", 2, m.STEPS_MAX, m.STEPS_MAX)
        charge = self._charge(table["charge"], f"{path}.charge") if "charge" in table else None
        empty = self.reference(table.get("empty"), f"{path}.empty", self.symbols, "symbol") or ""
        if refill == "none" and "empty" not in table:
            self.bad(path, "emptied places show no symbol", 'add empty = a symbol of its own, that nothing pays: "gap"')
        elif refill != "none" and "empty" in table:
            self.bad(f"{path}.empty", "places are refilled", 'remove it, or write refill = "none"')
        become = self._become(table["become"], f"{path}.become", keep | {empty}) if "become" in table else {}
        raw = self.array(table.get("leave", []), f"{path}.leave", 0 if "leave" not in table else 1, LEAVES_MAX)
        removing = [name for name in spin if name in remove]
        leave = tuple(self._leave(item, f"{path}.leave[{i}]", removing) for i, item in enumerate(raw))
        return words.Cascade(
            refill,
            remove,
            keep,
            multipliers or (1,),
            persist,
            steps_max,
            charge,
            step,
            become=words.frozen(become),
            leave=leave,
            empty=empty,
        )

    def _become(self, value: object, path: str, keep: frozenset[str]) -> dict[str, words.SymbolTable]:
        """What cells become instead of going, by their symbol; in the order of the model's symbols."""
        if not isinstance(value, dict) or not value:
            self.bad(path, f"{show(value)} names no symbols", 'write it like { gold = "wild" }: symbol = symbol')
        found: dict[str, words.SymbolTable] = {}
        for key, item in items(value)[: m.SYMBOLS_MAX]:
            place = join(path, key)
            symbol = self.reference(key, place, self.symbols, "symbol")
            table = self.drawn_symbol(item, place)
            if symbol is None:
                continue
            if symbol in keep:
                message = f"'{symbol}' stays where it is, so it never becomes anything"
                self.bad(place, message, "remove it here, or in keep")
            if table.symbols == (symbol,):
                self.bad(place, f"'{symbol}' becomes itself", "write another symbol, or keep it")
            found[symbol] = table
        return {symbol: found[symbol] for symbol in self.symbols if symbol in found}

    def _leave(self, value: object, path: str, removing: list[str]) -> words.Leave:
        table = self.table(value, path, ["symbol"], ["place", "of", "symbols", "count_min"])
        of = frozenset(removing)
        if "of" in table:
            of = self.references(table["of"], f"{path}.of", removing, "evaluator whose cells the cascade removes")
        elif not removing:
            self.bad(path, "no evaluator whose wins leave anything", "name one in remove")
        symbols = None
        if "symbols" in table:
            known = [*self.counted, *self.groups]
            symbols = self.references(table["symbols"], f"{path}.symbols", known, "symbol")
        most = self.cells * max((double.count for double in self.doubles.values()), default=1)
        return words.Leave(
            self.drawn_symbol(table.get("symbol"), f"{path}.symbol"),
            self.choice(table.get("place", "random"), f"{path}.place", ["random", "middle"]),
            of,
            symbols,
            self.integer(table.get("count_min", 1), f"{path}.count_min", 1, most, 1),
        )

    def drawn_symbol(self, value: object, path: str) -> words.SymbolTable:
        """A symbol, or a weight table of them. A single one weighs 1, as it is not drawn."""
        if isinstance(value, dict):
            table = self.symbol_table(value, path, self.symbols)
            return table if len(table.symbols) > 1 else words.SymbolTable(table.symbols, (1,))
        return words.SymbolTable((self.reference(value, path, self.symbols, "symbol") or "",), (1,))

    def _charge(self, value: object, path: str) -> words.Charge:
        table = self.table(value, path, ["every", "then"], ["symbols"])
        every = self.integer(table.get("every", 1), f"{path}.every", 1, m.CELLS_MAX * m.STEPS_MAX, 1)
        symbols = None
        if "symbols" in table:
            symbols = self.references(table["symbols"], f"{path}.symbols", self.symbols, "symbol")
        then: list[words.Transform] = []
        for i, item in enumerate(self.array(table.get("then", []), f"{path}.then", 1, m.TRANSFORMS_MAX)):
            place = f"{path}.then[{i}]"
            transform = self._transform(item, place)
            if isinstance(transform, ONCE_A_SPIN):
                remedy = "write reveal, expand, replace, add or values"
                self.bad(f"{place}.kind", f"'{transform.kind}' works on the first grid of a spin only", remedy)
            elif getattr(transform, "each", "") == "feature":
                self.bad(f"{place}.each", "a charge draws when it is used", 'write each = "spin", "reel" or "cell"')
            elif getattr(transform, "when", "always") != "always":
                self.bad(f"{place}.when", "a charge is used where nothing wins", "remove it")
            elif any(condition.counted.stopped for condition in getattr(transform, "in_view", ())):
                self.bad(f"{place}.in_view", "no reels stop before a charge is used", "count without 'stopped'")
            elif transform:
                then.append(transform)
        return words.Charge(every, symbols, tuple(then))

    def _final(self, value: object, path: str) -> words.Final:
        table = self.table(value, path, ["symbols"], ["name", "combine", "persist"])
        symbols = self.references(table.get("symbols", []), f"{path}.symbols", self.counted, "symbol")
        combine = self.choice(table.get("combine", "sum"), f"{path}.combine", ["sum", "product"])
        persist = self.flag(table.get("persist", False), f"{path}.persist")
        return words.Final(self.label(table, path, "Final"), symbols, combine, persist)

    def _special(
        self, value: object, path: str, names: list[str], triggers: tuple[words.Trigger, ...]
    ) -> words.Special:
        table = self.table(value, path, ["name", "table", "lines"], ["own_lines", "count", "more_with", "most"])
        drawn = self.symbol_table(table.get("table"), f"{path}.table", self.counted)
        lines = [name for name in names if isinstance(self.evaluators[name], words.Lines)]
        by = self.reference(table.get("lines"), f"{path}.lines", lines, "line evaluator of this state")
        evaluator = self.evaluators.get(by or "")
        if isinstance(evaluator, words.Lines):
            for symbol in drawn.symbols:
                if symbol and symbol not in evaluator.pays:
                    self.bad(f"{path}.table.{symbol}", f"'{by}' pays nothing for '{symbol}'", "add pays or remove it")
        own = self.flag(table.get("own_lines", True), f"{path}.own_lines")
        size = min(len(drawn.symbols), m.SPECIALS_MAX) if all(drawn.symbols) else m.SPECIALS_MAX
        count = self.integer(table.get("count", 1), f"{path}.count", 1, size, 1)
        most = None
        if "more_with" not in table:
            if "most" in table:
                self.bad(f"{path}.most", "'most' without 'more_with'", "add the trigger that adds one, or remove it")
        elif count >= size:
            self.bad(f"{path}.more_with", f"{count} of {size} are drawn at once", "lower count, or remove it")
        else:
            most = self.integer(table.get("most", size), f"{path}.most", count + 1, size, size)
        known = [t.name for t in triggers if isinstance(t, words.FreeSpinsTrigger) and t.state == self.current]
        what = "trigger of kind free_spins that awards spins of this state:"
        more = self.reference(table.get("more_with"), f"{path}.more_with", known, what)
        name = self.label(table, path)
        return words.Special(name, drawn, by or "", own, count=count, more_with=more, most=most)

    # -- triggers -------------------------------------------------------------------------------

    def _trigger(self, value: object, path: str, names: list[str]) -> words.Trigger | None:
        readers: Mapping[str, Callable[[object, str, list[str]], words.Trigger]] = {
            "free_spins": self._free_spins,
            "win_spins": self._win_spins,
            "collected": self._collected,
            "pick": self._pick_trigger,
            "bonus": self._bonus_trigger,
            "jackpot": self._jackpot,
            "full_reels": self._full_reels,
        }
        reader = self.kind(value, path, readers)
        return reader(value, path, names) if reader else None

    def _free_spins(self, value: object, path: str, names: list[str]) -> words.FreeSpinsTrigger:
        keys = ["symbol", "stopped", "fresh", "reset", "carry", *AWARD_KEYS, *TRIGGER_KEYS, *COUNT_KEYS]
        table = self.table(value, path, ["name", "kind", "spins", "state"], keys)
        symbol, spins = self.counted_table(table, path, "spins", AWARD_MAX)
        target = self.awarded(table, path)
        stopped = self.flag(table.get("stopped", False), f"{path}.stopped")
        fresh = self.flag(table.get("fresh", False), f"{path}.fresh")
        reset = self.flag(table.get("reset", False), f"{path}.reset")
        carry = self.references(table.get("carry", []), f"{path}.carry", self.symbols, "symbol", 0)
        return words.FreeSpinsTrigger(
            self.label(table, path),
            symbol,
            spins,
            target or "",
            stopped=stopped,
            fresh=fresh,
            reset=reset,
            carry=carry,
            **self.conditions(table, path, TRIGGER_KEYS),
            **self.where_counted(table, path),
            multiplier=self.award_multiplier(table, path),
            become=self.become(table, path),
            at_once=self.at_once(table, path),
        )

    def _full_reels(self, value: object, path: str, names: list[str]) -> words.FullReelsTrigger:
        table = self.table(value, path, ["name", "kind", "spins", "state"], ["reels", "at_once", *TRIGGER_KEYS])
        reels = self.chosen_reels(table, path)
        most = self.reels if reels is None else len(reels)
        spins = self.counts(table.get("spins"), f"{path}.spins", max(most, 1), AWARD_MAX)
        return words.FullReelsTrigger(
            self.label(table, path),
            words.frozen(spins or {1: 0}),
            self.awarded(table, path) or "",
            reels=reels,
            at_once=self.at_once(table, path),
            **self.conditions(table, path, TRIGGER_KEYS),
        )

    def _win_spins(self, value: object, path: str, names: list[str]) -> words.WinTrigger:
        table = self.table(value, path, ["name", "kind", "evaluator", "spins", "state"], [*AWARD_KEYS, *WIN_KEYS])
        kinds = words.Lines | words.Ways | words.Count | words.Cluster | words.Match
        known = [name for name in names if isinstance(self.evaluators[name], kinds)]
        what = "evaluator of this state of kind lines, ways, count, cluster or match:"
        by = self.reference(table.get("evaluator"), f"{path}.evaluator", known, what)
        evaluator = self.evaluators.get(by or "")
        cells = self.reels if isinstance(evaluator, words.Lines | words.Ways) else self.cells
        paid = list(evaluator.pays) if isinstance(evaluator, kinds) else [*self.counted, *self.groups]
        spins: dict[str, Mapping[int, int]] = {}
        raw = table.get("spins", {})
        if not isinstance(raw, dict) or ("spins" in table and not raw):
            self.bad(f"{path}.spins", "no spins", "write SYMBOL = { 3 = 5, 4 = 10 } for each symbol whose wins award")
        for symbol, counts in items(raw):
            place = join(f"{path}.spins", symbol)
            self.reference(symbol, place, paid, "paid symbol")
            most = cells if isinstance(evaluator, words.Ways) else cells * self.heaviest(symbol)
            read = self.counts(counts, place, most, AWARD_MAX)
            spins[symbol] = words.frozen(read or {1: 0})
            pays = evaluator.pays.get(symbol, {}) if isinstance(evaluator, kinds) else {}
            for count, award in spins[symbol].items():
                if award and pays and not words.by_count(pays, count):
                    message = f"{count} of '{symbol}' pay 0 in '{by}', which is no win, so they never award spins"
                    self.bad(join(place, str(count)), message, "give them a pay of at least 1, or award 0")
        target = self.awarded(table, path)
        multiplier = self.award_multiplier(table, path)
        name = self.label(table, path)
        return words.WinTrigger(
            name,
            by or "",
            words.frozen(spins),
            target or "",
            multiplier=multiplier,
            become=self.become(table, path),
            at_once=self.at_once(table, path),
            **self.conditions(table, path, WIN_KEYS),
        )

    def _collected(self, value: object, path: str, names: list[str]) -> words.CollectedTrigger:
        optional = [
            *LEVEL_KEYS[1:],
            "state",
            "multiplier",
            "multipliers_from",
            *COLLECTED_KEYS,
            *ENDLESS_KEYS,
            "at_once",
        ]
        table = self.table(value, path, ["name", "kind", "every"], optional)
        counted = self._collecting(table, path)
        raw = self.array(table.get("states", []), f"{path}.states", 0 if "states" not in table else 1, LEVELS_MAX)
        states = tuple(self.award_state(item, f"{path}.states[{i}]") or "" for i, item in enumerate(raw))
        levels = {key: len(table[key]) for key in LEVEL_KEYS if isinstance(table.get(key), list)}
        count = next(filter(None, levels.values()), 1)
        every, thresholds = self._level_counts(table.get("every", 1), f"{path}.every")
        spins = self.integers(table.get("spins", [0] * count), f"{path}.spins", (1, LEVELS_MAX), 0, AWARD_MAX)
        multipliers = self.integers(
            table.get("multipliers", [1] * count), f"{path}.multipliers", (1, LEVELS_MAX), 1, m.MULTIPLIER_MAX
        )
        if set(levels.values()) - {0, count}:
            key = next(key for key, length in levels.items() if length not in (0, count))
            message = f"{levels[key]} {key} for {count} levels"
            remedy = f"give {' and '.join(f'`{key}`' for key in levels)} one entry a level"
            self.bad(f"{path}.{key}", message, remedy)
        if not levels.keys() - {"every"}:
            self.bad(path, "a level that does nothing", "add spins with their state, multipliers, or states")
        if states:
            for key in ("state", "multiplier", "at_once"):
                if key in table:
                    message = f"the spins of levels with states lengthen the feature that plays, as it is: no {key}"
                    self.bad(f"{path}.{key}", message, f"remove {key}, or states")
            target: str | None = self.current
        else:
            if "state" not in table and "spins" in table:
                self.bad(path, "spins of no state", "add state = the state whose spins are awarded")
            target = self.awarded(table, path) if "spins" in table else self.current
        batch = self.choice(table.get("multipliers_from", "spin"), f"{path}.multipliers_from", ["spin", "batch"])
        for key in ("endless", "in_a_row"):
            if batch == "batch" and table.get(key) is True:
                message = "levels that are reached again cannot wait for the spins left"
                self.bad(f"{path}.multipliers_from", message, f'write "spin", or remove {key}')
        at_once = self.at_once(table, path)
        if at_once and "spins" not in table and not states:
            self.bad(
                f"{path}.at_once", "no spins that could be played at once", "add spins and their state, or remove it"
            )
        return words.CollectedTrigger(
            self.label(table, path),
            counted.pop("symbol"),
            every,
            spins,
            multipliers,
            target or "",
            multiplier=self.award_multiplier(table, path),
            states=states,
            multipliers_from=batch,
            thresholds=thresholds,
            at_once=at_once,
            **self._endless(table, path, bool(states or spins[-1:] != (0,))),
            **counted,
        )

    def _collecting(self, table: Mapping[str, Any], path: str) -> dict[str, Any]:
        """What a trigger counts over a feature; cells are those of a symbol."""
        counts = self.choice(table.get("counts", "symbols"), f"{path}.counts", COUNTS)
        cells = counts in ("symbols", "values")
        if cells and table and "symbol" not in table:
            self.bad(path, "key 'symbol' is missing", 'add it, or counts = "wins", "losses" or "spins"')
        for key in ("symbol", "fresh", "collector") if not cells else ():
            if key in table:
                self.bad(
                    f"{path}.{key}",
                    f"of the cells, where {counts} are counted",
                    'remove it, or count "symbols" or "values"',
                )
        return {
            "symbol": (self.counting(table.get("symbol"), f"{path}.symbol") or "") if cells else "",
            "counts": counts,
            "collector": self.counting(table.get("collector"), f"{path}.collector"),
            "fresh": self.flag(table.get("fresh", False), f"{path}.fresh"),
            "in_a_row": self.flag(table.get("in_a_row", False), f"{path}.in_a_row"),
        }

    def _level_counts(self, value: object, path: str) -> tuple[int, tuple[int, ...]]:
        """How many more a level needs, of listed counts beyond the last of them; and the listed counts."""
        if not isinstance(value, list):
            return self.integer(value, path, 1, m.VALUE_MAX, 1), ()
        counts = self.integers(value, path, (1, LEVELS_MAX), 1, LEVEL_COUNT_MAX)
        for i, (low, high) in enumerate(itertools.pairwise(counts), start=1):
            if high <= low:
                message = f"level {i + 1} needs {high}, no more than the {low} of the level before"
                self.bad(f"{path}[{i}]", message, "write counts from the start of the feature, each above the last")
                return 1, ()
        return max(1, counts[-1] - (counts[-2] if counts[1:] else 0)) if counts else 1, counts

    def _endless(self, table: Mapping[str, Any], path: str, awards: bool) -> dict[str, Any]:
        """Whether levels go on after the last one, which `awards` something that can come again."""
        endless = self.flag(table.get("endless", False), f"{path}.endless")
        step = 0
        if "multiplier_step" in table:
            step = self.integer(table["multiplier_step"], f"{path}.multiplier_step", 1, m.MULTIPLIER_MAX, 1)
            for key in ("endless", "multipliers"):
                if key not in table:
                    self.bad(
                        f"{path}.multiplier_step", f"'multiplier_step' without '{key}'", f"add {key}, or remove it"
                    )
        elif endless and not awards:
            remedy = "add multiplier_step, spins of the last level, or states"
            self.bad(f"{path}.endless", "the last level gives nothing that could come again", remedy)
        return {"endless": endless, "multiplier_step": step}

    def _pick_trigger(self, value: object, path: str, names: list[str]) -> words.PickTrigger:
        table = self.table(value, path, ["name", "kind", "pattern", "pick"], TRIGGER_KEYS)
        pattern: list[str | None] = []
        raw = self.array(table.get("pattern", []), f"{path}.pattern", 1, self.reels)
        for i, item in enumerate(raw):
            known = item == "*" or self.reference(item, f"{path}.pattern[{i}]", self.counted, "symbol")
            pattern.append(None if item == "*" or not known else item)
        if raw and all(item == "*" for item in raw):
            self.bad(f"{path}.pattern", "matches every line", "name at least one symbol")
        pick = self.reference(table.get("pick"), f"{path}.pick", self.bonus_names, "bonus")
        if not any(isinstance(self.evaluators[name], words.Lines | words.Combinations) for name in names):
            self.bad(path, "no paylines in this state", "add a line evaluator to the state")
        conditions = self.conditions(table, path, TRIGGER_KEYS)
        return words.PickTrigger(self.label(table, path), tuple(pattern), pick or "", **conditions)

    def _bonus_trigger(self, value: object, path: str, names: list[str]) -> words.BonusTrigger:
        keys = ["symbol", "stopped", *TRIGGER_KEYS, *COUNT_KEYS]
        table = self.table(value, path, ["name", "kind", "plays", "bonus"], keys)
        symbol, plays = self.counted_table(table, path, "plays", PLAYS_MAX)
        bonus = self.reference(table.get("bonus"), f"{path}.bonus", self.bonus_names, "bonus")
        stopped = self.flag(table.get("stopped", False), f"{path}.stopped")
        name = self.label(table, path)
        conditions = self.conditions(table, path, TRIGGER_KEYS) | self.where_counted(table, path)
        return words.BonusTrigger(name, symbol, plays, bonus or "", stopped, **conditions)

    def _jackpot(self, value: object, path: str, names: list[str]) -> words.JackpotTrigger:
        keys = ["per", "symbol", "count", "fresh", "at", *JACKPOT_KEYS, *COUNT_KEYS]
        table = self.table(value, path, ["name", "kind", "jackpot", *ODDS_KEYS], keys)
        out_of = self.integer(table.get("out_of", m.WEIGHT_TOTAL_MAX), f"{path}.out_of", 1, m.WEIGHT_TOTAL_MAX, 1)
        chance = self.integer(table.get("chance", 1), f"{path}.chance", 1, out_of, 1)
        jackpot = self.label(table, path, key="jackpot")
        per = self.choice(table.get("per", "spin"), f"{path}.per", ["spin", "unit"])
        symbol = self.counting(table.get("symbol"), f"{path}.symbol")
        most = self.cells * self.heaviest(symbol or "")
        count = self.integer(table["count"], f"{path}.count", 1, most, 1) if "count" in table else 0
        for key, other in (("symbol", "count"), ("count", "symbol")):
            if key in table and other not in table:
                self.bad(path, f"'{key}' without '{other}'", f"add '{other}': how many of which symbol win it")
        fresh = self.flag(table.get("fresh", False), f"{path}.fresh")
        at = self.choice(table.get("at", "spin"), f"{path}.at", ["spin", "end"])
        for key in ("fresh", "at", *COUNT_KEYS) if "symbol" not in table else ():
            if key in table:
                self.bad(f"{path}.{key}", "a jackpot without a symbol looks at no cells", "remove it, or add 'symbol'")
        if fresh and at == "end":
            self.bad(f"{path}.fresh", "no cell is new at the end of a feature", "remove it, or 'at'")
        for key in ("when", "once") if at == "end" else ():
            if key in table:
                self.bad(f"{path}.{key}", "a jackpot at the end of a feature is looked at once", "remove it, or 'at'")
        conditions = self.conditions(table, path, JACKPOT_KEYS) | self.where_counted(table, path)
        name = self.label(table, path)
        return words.JackpotTrigger(
            name, jackpot, chance, out_of, per=per, symbol=symbol, count=count, fresh=fresh, at=at, **conditions
        )
