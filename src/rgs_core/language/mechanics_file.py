"""Reads wilds, groups, evaluators and bonuses of a model file: the parts that states refer to by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial
from typing import Any

from rgs_core.language import mechanics as words
from rgs_core.language import model as m
from rgs_core.language.reading import Reading, items, join, show

ROWS = "0123456789ab"
"""How the rows of a payline are written, the top one first."""

COMBINATIONS_MAX = 256
PATTERNS_MAX = 4096
SEGMENTS_MAX = 256
SQUARES_MAX = 64
DIE_MAX = 64
OPTIONS_MAX = 16
MATCHED_GROUPS_MAX = 4
MODE_SPINS_MAX = 1000
BETS_MAX = 8
RUNGS_MAX = 64
GAMBLE_MULTIPLIER_MAX = 100
SELF = "self"
GIVEN_KEYS = ["pay", "spins", "state", "bonus", "jackpot", "multiplier", "become", "at_once"]
CELL_VALUES_MAX = 10**9
CELL_VALUES = ["ignore", "product", "sum", "highest"]


class MechanicsReading(Reading):
    """Reads what stands in sections of its own, beside the states."""

    reels: int
    rows: int
    symbols: list[str]
    doubles: dict[str, words.Double]
    groups: dict[str, frozenset[str]]
    wilds: dict[str, words.Wild]
    state_names: list[str]
    current = ""
    """The state that is read, which awards may call `self`."""
    bonus_names: list[str]

    def __init__(self, lines: Mapping[str, int]) -> None:
        super().__init__(lines)
        self.doubles = {}  # every reference to a symbol asks for them

    @property
    def cells(self) -> int:
        """Most cells in view."""
        return self.reels * self.rows

    # -- doubles, groups and wilds --------------------------------------------------------------

    def read_doubles(self, value: object) -> dict[str, words.Double]:
        if not isinstance(value, dict):
            self.bad("doubles", f"{show(value)} is not a table", "write [doubles.SYMBOL] for each double symbol")
        doubles = {
            name: self._double(name, item, [other for other, _ in items(value)])
            for name, item in items(value)[: m.SYMBOLS_MAX + 1]
        }
        most = max((double.count for double in doubles.values()), default=1)
        if self.cells * most > m.COUNT_MAX:
            message = f"{self.cells} cells could count for {self.cells * most} symbols"
            self.bad("doubles", message, f"keep reels x rows x count at most {m.COUNT_MAX}")
        return doubles

    def _double(self, name: str, value: object, doubles: list[str]) -> words.Double:
        path = f"doubles.{name}"
        self.reference(name, path, self.symbols, "symbol")
        table = self.table(value, path, ["symbol", "count"])
        symbol = self.reference(table.get("symbol"), f"{path}.symbol", self.symbols, "symbol")
        if symbol in doubles:
            self.bad(f"{path}.symbol", f"'{symbol}' is a double symbol itself", "write the symbol that it counts as")
        count = self.integer(table.get("count", 2), f"{path}.count", 2, m.DOUBLE_MAX, 2)
        return words.Double(name, symbol or "", count)

    @property
    def counted(self) -> list[str]:
        """The symbols that pay and trigger: all but doubles, which count as one of them."""
        return [symbol for symbol in self.symbols if symbol not in self.doubles]

    def counting(self, value: object, path: str) -> str | None:
        """The symbol or group that is counted."""
        if isinstance(value, list):
            self.bad(path, f"{show(value)} is a list", "give these symbols a name in [groups], and write that")
            return None
        return self.reference(value, path, [*self.counted, *self.groups], "symbol")

    def reference(self, value: object, path: str, known: Sequence[str], what: str) -> str | None:
        """As of every reading; a double symbol where one that pays or triggers belongs is told apart."""
        if isinstance(value, str) and value in self.doubles and value not in known:
            double = self.doubles[value]
            self.bad(
                path,
                f"'{value}' is a double symbol, which counts as {double.count} of '{double.symbol}'",
                f"write '{double.symbol}'",
            )
            return None
        return super().reference(value, path, known, what)

    def heaviest(self, entry: str) -> int:
        """Most that one cell counts for a symbol or group, wilds that stand for it included."""
        members = self.groups.get(entry, frozenset({entry}))
        wilds = {wild.symbol for wild in self.wilds.values() if wild.substitutes & members}
        return max((d.count for d in self.doubles.values() if d.symbol in members | wilds), default=1)

    def read_groups(self, value: object) -> dict[str, frozenset[str]]:
        """Groups in the order of their names: ties between wins are decided by it."""
        groups = self.named(value, "groups", self._group, m.SYMBOLS_MAX, "groups")
        if len(self.symbols) + len(groups) > m.SYMBOLS_MAX:
            message = f"{len(groups)} groups beside {len(self.symbols)} symbols"
            self.bad("groups", message, f"use at most {m.SYMBOLS_MAX} symbols and groups together")
        return {name: groups[name] for name in sorted(groups)}

    def _group(self, name: str, value: object, path: str) -> frozenset[str]:
        if name in self.symbols:
            self.bad(path, f"'{name}' is a symbol", "take another name for the group")
        return self.references(value, path, self.counted, "symbol")

    def read_wilds(self, value: object) -> dict[str, words.Wild]:
        if not isinstance(value, dict):
            self.bad("wilds", f"{show(value)} is not a table", "write [wilds.SYMBOL] for each wild")
        return {symbol: self._wild(symbol, item) for symbol, item in items(value)[: m.SYMBOLS_MAX + 1]}

    def _wild(self, symbol: str, value: object) -> words.Wild:
        path = f"wilds.{symbol}"
        self.reference(symbol, path, self.counted, "symbol")
        table = self.table(value, path, ["substitutes"], ["multiplier", "combine"])
        substitutes = [
            self.reference(item, f"{path}.substitutes[{i}]", self.counted, "symbol")
            for i, item in enumerate(self.array(table.get("substitutes", []), f"{path}.substitutes", 0, m.SYMBOLS_MAX))
        ]
        if symbol in substitutes:
            self.bad(f"{path}.substitutes", f"'{symbol}' stands for itself anyway", "remove it from the list")
        multiplier = self.integer(table.get("multiplier", 1), f"{path}.multiplier", 1, 100, 1)
        combine = self.choice(table.get("combine", "once"), f"{path}.combine", ["once", "product", "sum"])
        doubled = [double.name for double in self.doubles.values() if double.symbol == symbol]
        if doubled and (combine == "sum" or (combine == "product" and multiplier > 1)):
            message = f"'{combine}' of wilds that count several times, as '{doubled[0]}' does"
            self.bad(f"{path}.combine", message, 'write combine = "once", or remove the double')
        return words.Wild(symbol, frozenset(s for s in substitutes if s), multiplier, combine)

    # -- evaluators -----------------------------------------------------------------------------

    def read_evaluators(self, value: object) -> dict[str, words.Evaluator]:
        readers: Mapping[str, Callable[[str, object, str], words.Evaluator]] = {
            "lines": self._lines,
            "combinations": self._combinations,
            "ways": self._ways,
            "count": self._count,
            "cluster": self._cluster,
            "scatter": self._scatter,
            "collect": self._collect,
            "match": self._match,
        }

        def read(name: str, item: object, path: str) -> words.Evaluator | None:
            reader = self.kind(item, path, readers)
            return reader(name, item, path) if reader else None

        return self.named(value, "evaluators", read, m.EVALUATORS_MAX, "evaluators")

    def _lines(self, name: str, value: object, path: str) -> words.Lines:
        table = self.table(
            value,
            path,
            ["kind", "paylines", "pays"],
            ["pure_wild_run", "direction", "cell_values", "full_grid", "cell_values_max"],
        )
        paylines = self._paylines(table, path)
        pays = self._pays(table, path, [*self.counted, *self.groups], self.reels, full=True)
        pure = self.choice(table.get("pure_wild_run", "own"), f"{path}.pure_wild_run", ["own", "any"])
        directions = ["left", "right", "both", "adjacent"]
        direction = self.choice(table.get("direction", "left"), f"{path}.direction", directions)
        values = self.choice(table.get("cell_values", "ignore"), f"{path}.cell_values", CELL_VALUES)
        full: dict[str, int] = {}
        if "full_grid" in table:
            place = f"{path}.full_grid"
            if not isinstance(table["full_grid"], dict):
                self.bad(place, f"{show(table['full_grid'])} is not a table", "write it like { cherry = 2 }")
            for symbol, multiplier in items(table["full_grid"]):
                self.reference(symbol, join(place, symbol), self.counted, "symbol")
                full[symbol] = self.integer(multiplier, join(place, symbol), 2, m.MULTIPLIER_MAX, 2)
        return words.Lines(
            name,
            paylines,
            pays,
            pure,
            direction=direction,
            cell_values=values,
            full_grid=words.frozen(full),
            cell_values_max=self._values_max(table, path, values),
        )

    def _values_max(self, table: dict[str, Any], path: str, values: str) -> int | None:
        """`cell_values_max`, where the values of cells multiply."""
        if "cell_values_max" not in table:
            return None
        place = f"{path}.cell_values_max"
        if values == "ignore":
            self.bad(place, "the values of cells do not multiply", 'add cell_values = "product" or "sum", or remove it')
        return self.integer(table["cell_values_max"], place, 1, CELL_VALUES_MAX, 1)

    def _combinations(self, name: str, value: object, path: str) -> words.Combinations:
        table = self.table(value, path, ["kind", "paylines", "combinations"])
        paylines = self._paylines(table, path)
        found: list[words.Combination] = []
        patterns = 0
        place = f"{path}.combinations"
        for i, item in enumerate(self.array(table.get("combinations", []), place, 1, COMBINATIONS_MAX)):
            combination = self._combination(item, f"{place}[{i}]")
            if (combination.symbols, combination.ordered) in [(c.symbols, c.ordered) for c in found]:
                self.bad(f"{place}[{i}]", "the same combination again", "remove one")
            found.append(combination)
            patterns += 1 if combination.ordered else _permutations(combination.symbols)
        if patterns > PATTERNS_MAX:
            self.bad(place, f"{patterns} patterns in all orders", f"keep them below {PATTERNS_MAX}; write orders out")
        return words.Combinations(name, paylines, tuple(found))

    def _combination(self, value: object, path: str) -> words.Combination:
        table = self.table(value, path, ["symbols", "pay"], ["any_order"])
        elements: list[str | None] = []
        raw = self.array(table.get("symbols", [None] * self.reels), f"{path}.symbols", self.reels, self.reels)
        for i, item in enumerate(raw):
            known = [*self.counted, *self.groups]
            elements.append(None if item == "*" else self.reference(item, f"{path}.symbols[{i}]", known, "symbol"))
        if raw and all(item == "*" for item in raw):
            self.bad(f"{path}.symbols", "matches every line", "name at least one symbol")
        pay = self.integer(table.get("pay", 1), f"{path}.pay", 1, m.PAY_MAX, 1)
        any_order = self.flag(table.get("any_order", False), f"{path}.any_order")
        return words.Combination(tuple(elements), pay, ordered=not any_order)

    def _ways(self, name: str, value: object, path: str) -> words.Ways:
        table = self.table(value, path, ["kind", "pays"], ["pure_wild_run", "direction", "cell_values"])
        pays = self._pays(table, path, self.counted, self.reels, full=True, by_reel=True)
        pure = self.choice(table.get("pure_wild_run", "own"), f"{path}.pure_wild_run", ["own", "any"])
        direction = self.choice(table.get("direction", "left"), f"{path}.direction", ["left", "right", "both"])
        values = self.choice(table.get("cell_values", "ignore"), f"{path}.cell_values", ["ignore", "product"])
        return words.Ways(name, pays, pure, direction, values)

    def _count(self, name: str, value: object, path: str) -> words.Count:
        table = self.table(value, path, ["kind", "pays"], ["of", "wilds", "cell_values", "cell_values_max"])
        pays = self._pays(table, path, self.counted, self.cells)
        wilds = self.flag(table.get("wilds", False), f"{path}.wilds")
        values = self.choice(table.get("cell_values", "ignore"), f"{path}.cell_values", CELL_VALUES)
        most = self._values_max(table, path, values)
        return words.Count(name, pays, self.basis(table, path, "total_bet"), wilds, values, cell_values_max=most)

    def _cluster(self, name: str, value: object, path: str) -> words.Cluster:
        table = self.table(value, path, ["kind", "pays"], ["of", "neighbours", "cell_values", "cell_values_max"])
        pays = self._pays(table, path, self.counted, self.cells)
        neighbours = table.get("neighbours", 4)
        if isinstance(neighbours, bool) or not isinstance(neighbours, int) or neighbours not in (4, 6):
            self.bad(f"{path}.neighbours", f"{show(neighbours)} is not allowed", "write 4 (edges) or 6 (a honeycomb)")
            neighbours = 4
        values = self.choice(table.get("cell_values", "ignore"), f"{path}.cell_values", CELL_VALUES)
        of = self.basis(table, path, "total_bet")
        most = self._values_max(table, path, values)
        return words.Cluster(name, pays, of, neighbours, values, cell_values_max=most)  # type: ignore[arg-type]

    def _match(self, name: str, value: object, path: str) -> words.Match:
        table = self.table(value, path, ["kind", "pays"], ["of", "along", "cell_values", "cell_values_max"])
        along = self.choice(table.get("along", "both"), f"{path}.along", ["rows", "columns", "both"])
        longest = {"rows": self.reels, "columns": self.rows, "both": max(self.reels, self.rows)}[along]
        pays = self._pays(table, path, [*self.counted, *self.groups], longest)
        groups = [entry for entry in pays if entry in self.groups]
        if len(groups) > MATCHED_GROUPS_MAX:
            self.bad(f"{path}.pays", f"{len(groups)} groups", f"pay at most {MATCHED_GROUPS_MAX} groups")
        values = self.choice(table.get("cell_values", "ignore"), f"{path}.cell_values", CELL_VALUES)
        most = self._values_max(table, path, values)
        return words.Match(name, pays, self.basis(table, path, "total_bet"), along, values, most)

    def _scatter(self, name: str, value: object, path: str) -> words.Scatter:
        table = self.table(value, path, ["kind", "symbol", "pays", "of"], ["stopped", "at"])
        symbol = self.counting(table.get("symbol"), f"{path}.symbol")
        pays = self.counts(table.get("pays"), f"{path}.pays", self.cells * self.heaviest(symbol or ""), m.PAY_MAX)
        of = self.basis(table, path, "total_bet")
        stopped = self.flag(table.get("stopped", False), f"{path}.stopped")
        at = self.choice(table.get("at", "spin"), f"{path}.at", ["spin", "end"])
        return words.Scatter(name, symbol or "", words.frozen(pays or {1: 0}), of, stopped=stopped, at=at)

    def _collect(self, name: str, value: object, path: str) -> words.Collect:
        table = self.table(value, path, ["kind", "symbol"], ["count_min", "collector", "of", "at"])
        symbol = self.counting(table.get("symbol"), f"{path}.symbol")
        most = self.cells * self.heaviest(symbol or "")
        count_min = self.integer(table.get("count_min", 1), f"{path}.count_min", 1, most, 1)
        collector = self.counting(table.get("collector"), f"{path}.collector")
        at = self.choice(table.get("at", "spin"), f"{path}.at", ["spin", "end"])
        return words.Collect(name, symbol or "", count_min, collector, self.basis(table, path, "total_bet"), at)

    def _paylines(self, table: dict[str, Any], path: str) -> tuple[tuple[int, ...], ...]:
        paylines: list[tuple[int, ...]] = []
        known = ROWS[: self.rows]
        for index, item in enumerate(self.array(table.get("paylines", []), f"{path}.paylines", 1, m.PAYLINES_MAX)):
            place = f"{path}.paylines[{index}]"
            if not isinstance(item, str) or len(item) != self.reels or not set(item) <= set(known):
                self.bad(
                    place,
                    f"{show(item)} is not a payline",
                    f"write {self.reels} digits from 0 (top row) to {known[-1]}, one a reel",
                )
                continue
            line = tuple(ROWS.index(digit) for digit in item)
            if line in paylines:
                self.bad(place, f"{show(item)} is payline {paylines.index(line) + 1} again", "remove one")
            paylines.append(line)
        return tuple(paylines)

    def _pays(
        self,
        table: dict[str, Any],
        path: str,
        known: list[str],
        cells: int,
        full: bool = False,
        by_reel: bool = False,
    ) -> Mapping[str, Mapping[int, int]]:
        """`pays`: a count table for each paying symbol, which `cells` cells can show. `full`: up to the largest count;
        `by_reel`: cells are counted, whatever they count for."""
        pays: dict[str, Mapping[int, int]] = {}
        raw = table.get("pays", {})
        if not isinstance(raw, dict) or ("pays" in table and not raw):
            self.bad(f"{path}.pays", "no pays", "write SYMBOL = { 3 = 5, 4 = 20, 5 = 100 } for each paying symbol")
        for symbol, counts in items(raw):
            place = f"{path}.pays.{symbol}"
            if symbol in self.groups and symbol not in known:
                self.bad(place, f"'{symbol}' is a group", "groups pay on lines and in matches only: write a symbol")
            else:
                self.reference(symbol, place, known, "symbol")
            count_max = cells if by_reel else cells * self.heaviest(symbol)
            read = self.counts(counts, place, count_max, m.PAY_MAX)
            if read is None:
                continue
            if full and max(read) != count_max:
                self.bad(place, f"no pay for {count_max} of a kind", f"give every count up to {count_max}")
            pays[symbol] = words.frozen(read)
        return words.frozen(pays)

    # -- bonuses --------------------------------------------------------------------------------

    def read_bonuses(self, value: object) -> dict[str, words.Bonus]:
        readers: Mapping[str, Callable[[str, object, str], words.Bonus]] = {
            "pick": self._pick,
            "take": self._take,
            "wheel": self._wheel,
            "trail": self._trail,
            "choice": self._choice,
        }
        self.bonus_names = [name for name, _ in items(value)]

        def read(name: str, item: object, path: str) -> words.Bonus | None:
            reader = self.kind(item, path, readers)
            return reader(name, item, path) if reader else None

        bonuses: dict[str, words.Bonus] = self.named(value, "bonuses", read, m.BONUSES_MAX, "bonuses")
        for name in bonuses:
            circle = _circle(bonuses, name)
            if circle:
                where = f"bonuses.{name}.{'segments' if isinstance(bonuses[name], words.Wheel) else 'options'}"
                self.bad(where, f"the bonus leads back to itself: {' -> '.join(circle)}", "break the circle")
        return bonuses

    def _pick(self, name: str, value: object, path: str) -> words.Pick:
        table = self.table(value, path, ["kind", "prizes"], ["of", "picks", "prizes_per_pick"])
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
        of = self.basis(table, path, "line_bet", ["win"])
        return words.Pick(name, picks, each, words.Table(tuple(values), tuple(weights)), of)

    def _take(self, name: str, value: object, path: str) -> words.Take:
        table = self.table(value, path, ["kind", "prizes"], ["take", "equal_multiplier", "ends", "lives", "of"])
        prizes = self.integers(table.get("prizes", [0, 0]), f"{path}.prizes", (2, 64), 0, m.PAY_MAX)
        most = max(len(prizes), 1)
        ends = self._numbers(table, path, "ends", most, "prize")
        if "take" not in table and "ends" not in table:
            self.bad(path, "key 'take' is missing", "add how many prizes are taken, or ends: those that end it")
        take = self.integer(table.get("take", most), f"{path}.take", 1, most, 1)
        equal = self.integer(table.get("equal_multiplier", 1), f"{path}.equal_multiplier", 1, m.MULTIPLIER_MAX, 1)
        lives = self.integer(table.get("lives", 1), f"{path}.lives", 1, max(len(ends), 1), 1)
        if "lives" in table and not ends:
            self.bad(f"{path}.lives", "lives that no prize takes", "add ends: the numbers of those that do")
        if ends and "equal_multiplier" in table:
            message = "a multiplier of equal prizes where the number of prizes varies"
            self.bad(f"{path}.equal_multiplier", message, "remove it, or ends")
        return words.Take(
            name, prizes, take, equal, self.basis(table, path, "line_bet", ["win"]), ends=ends, lives=lives
        )

    def _wheel(self, name: str, value: object, path: str) -> words.Wheel:
        table = self.table(value, path, ["kind", "segments"], ["of"])
        rows = self.array(table.get("segments", []), f"{path}.segments", 1, SEGMENTS_MAX)
        segments = tuple(self._segment(item, f"{path}.segments[{i}]") for i, item in enumerate(rows))
        self.total(f"{path}.segments", [segment.weight for segment in segments])
        return words.Wheel(name, segments, self.basis(table, path, "total_bet", ["win"]))

    def _segment(self, value: object, path: str) -> words.Segment:
        table = self.table(value, path, ["weight"], GIVEN_KEYS)
        weight = self.integer(table.get("weight", 1), f"{path}.weight", 1, m.WEIGHT_MAX, 1)
        return words.Segment(weight, *self._given(table, path))

    def _given(
        self, table: Mapping[str, Any], path: str
    ) -> tuple[int, int, str | None, str | None, str | None, words.Table | None, bool, bool]:
        """What a segment or an option gives: pay, spins of a state, another bonus, a jackpot, a multiplier of the spins,
        whether the feature goes on as the state, whether it is played at once."""
        become = self.become(table, path)
        pay = self.integer(table.get("pay", 0), f"{path}.pay", 0, m.PAY_MAX, 0)
        spins, state = 0, None
        if "spins" in table:
            spins = self.integer(table["spins"], f"{path}.spins", 1, 1000, 1)
            if "state" not in table:
                self.bad(path, "spins of no state", "add state = the state whose spins are awarded")
        if "state" in table:
            state = self.awarded(table, path)
            if "spins" not in table and not become:
                self.bad(path, "a state without spins", "add spins = their number")
        elif become:
            self.bad(path, "a feature that goes on as no state", "add state = what it becomes")
        bonus = self.reference(table.get("bonus"), f"{path}.bonus", self.bonus_names, "bonus")
        jackpot = self.label(table, path, key="jackpot") if "jackpot" in table else None
        if "multiplier" in table and "spins" not in table:
            self.bad(path, "a multiplier of no spins", "add spins and their state, or raise pay")
        at_once = self.at_once(table, path)
        if at_once and "spins" not in table and not become:
            self.bad(
                f"{path}.at_once", "no spins that could be played at once", "add spins and their state, or remove it"
            )
        return pay, spins, state, bonus, jackpot, self.award_multiplier(table, path), become, at_once

    def _choice(self, name: str, value: object, path: str) -> words.Choice:
        table = self.table(value, path, ["kind", "options", "matters"], ["of"])
        options: list[words.Option] = []
        for i, item in enumerate(self.array(table.get("options", [{}, {}]), f"{path}.options", 2, OPTIONS_MAX)):
            place = f"{path}.options[{i}]"
            row = self.table(item, place, ["name"], GIVEN_KEYS)
            option = words.Option(self.label(row, place, f"option{i}"), *self._given(row, place))
            if any(option.name == other.name for other in options):
                self.bad(f"{place}.name", f"the name '{option.name}' is used twice", "rename one option")
            options.append(option)
        matters = self.flag(table.get("matters", True), f"{path}.matters")
        return words.Choice(name, tuple(options), self.basis(table, path, "total_bet", ["win"]), matters)

    def _trail(self, name: str, value: object, path: str) -> words.Trail:
        table = self.table(value, path, ["kind", "squares", "die", "rolls_max"], ["ends", "finish", "pays", "of"])
        squares = self.integers(table.get("squares", [0]), f"{path}.squares", (1, SQUARES_MAX), 0, m.PAY_MAX)
        ends = self._numbers(table, path, "ends", max(len(squares), 1), "square")
        die = self.weights(table.get("die", {"1": 1}), f"{path}.die", DIE_MAX)
        rolls_max = self.integer(table.get("rolls_max", 1), f"{path}.rolls_max", 1, 64, 1)
        finish = self.integer(table.get("finish", 0), f"{path}.finish", 0, m.PAY_MAX, 0)
        pays = self.choice(table.get("pays", "all"), f"{path}.pays", ["all", "last"])
        of = self.basis(table, path, "total_bet", ["win"])
        return words.Trail(name, squares, ends, die, rolls_max, finish, of, pays=pays)

    def _numbers(self, table: Mapping[str, Any], path: str, key: str, last: int, what: str) -> frozenset[int]:
        """Different numbers from 1 to `last`, none where the key is missing."""
        numbers = self.integers(table.get(key, []), f"{path}.{key}", (0, last), 1, last)
        if len(set(numbers)) < len(numbers):
            self.bad(f"{path}.{key}", f"a {what} stands there twice", "remove one")
        return frozenset(numbers)

    def award_multiplier(self, table: Mapping[str, Any], path: str) -> words.Table | None:
        """`multiplier` of the feature whose spins are awarded; None without one."""
        if "multiplier" not in table:
            return None
        return self.number_table(table["multiplier"], f"{path}.multiplier", m.MULTIPLIER_MAX)

    def become(self, table: Mapping[str, Any], path: str) -> bool:
        """`become`: whether the feature that plays goes on as the state; it keeps its multiplier and its cells."""
        become = self.flag(table.get("become", False), f"{path}.become")
        for key in ("multiplier", "carry"):
            if become and key in table:
                message = f"a feature that goes on as another state keeps its {'cells' if key == 'carry' else key}"
                self.bad(f"{path}.{key}", message, f"remove {key}, or become")
        return become

    def at_once(self, table: Mapping[str, Any], path: str) -> bool:
        """`at_once`: whether the awarded feature is played next, before the spins that are left."""
        at_once = self.flag(table.get("at_once", False), f"{path}.at_once")
        if at_once and table.get("become") is True:
            message = "a feature that goes on as another state plays already: it interrupts nothing"
            self.bad(f"{path}.at_once", message, "remove at_once, or become")
        return at_once

    def awarded(self, table: Mapping[str, Any], path: str) -> str | None:
        """`state`, whose spins are awarded: any but the paid spin; `self` in a state is that state."""
        return self.award_state(table.get("state"), f"{path}.state")

    def award_state(self, value: object, path: str) -> str | None:
        """A state whose spins can be awarded."""
        if value == SELF and SELF not in self.state_names and self.current:
            value = self.current
        target = self.reference(value, path, self.state_names, "state")
        if target == m.START_STATE:
            self.bad(path, f"'{target}' is the paid spin", "award spins of another state")
        return target

    # -- jackpots -------------------------------------------------------------------------------

    def read_jackpots(self, value: object) -> dict[str, words.Jackpot]:
        return self.named(value, "jackpots", self._jackpot_pool, m.JACKPOTS_MAX, "jackpots")

    def _jackpot_pool(self, name: str, value: object, path: str) -> words.Jackpot:
        table = self.table(value, path, ["start", "share_ppm"], ["must_hit_by"])
        start = self.integer(table.get("start", 0), f"{path}.start", 0, m.CAP_WIN_MAX, 0)
        share = self.integer(table.get("share_ppm", 0), f"{path}.share_ppm", 0, m.SHARE_PPM_MAX, 0)
        must = None
        if "must_hit_by" in table:
            must = self.integer(table["must_hit_by"], f"{path}.must_hit_by", start + 1, m.CAP_WIN_MAX + 1, start + 1)
            if share == 0:
                self.bad(f"{path}.share_ppm", "a pool that nothing goes into never drops", "give it a share")
        return words.Jackpot(name, start, share, must)

    # -- the gamble -----------------------------------------------------------------------------

    def read_gamble(self, value: object) -> words.Gamble:
        path = "gamble"
        table = self.table(value, path, ["bets"], ["steps_max", "win_max", "rungs", "of"])
        steps_max = self.integer(table.get("steps_max", 5), f"{path}.steps_max", 1, m.GAMBLE_STEPS_MAX, 5)
        ladder = "rungs" in table
        rungs: tuple[int, ...] = ()
        win_max = None
        if ladder:
            rungs = self.integers(table["rungs"], f"{path}.rungs", (2, RUNGS_MAX), 1, m.PAY_MAX)
            if list(rungs) != sorted(set(rungs)):
                self.bad(f"{path}.rungs", "the rungs do not ascend", "write each amount once, the smallest first")
            if "win_max" in table:
                self.bad(f"{path}.win_max", "the last rung of the ladder is the limit", "remove it")
        else:
            for key in {"win_max"} - set(table):
                self.bad(path, f"key '{key}' is missing", "add the most that a gamble may lead to, in stakes")
            if "of" in table:
                self.bad(f"{path}.of", "bets that multiply have no basis", "remove it, or write rungs")
            win_max = self.integer(table.get("win_max", 1), f"{path}.win_max", 1, m.CAP_WIN_MAX, 1)
        bets = self.named(
            table.get("bets", {}),
            f"{path}.bets",
            lambda name, item, at: self._bet(name, item, at, ladder),
            BETS_MAX,
            "bets",
        )
        if words.COLLECT in bets:
            self.bad(f"{path}.bets.{words.COLLECT}", f"'{words.COLLECT}' is what ends a gamble", "rename the bet")
        if "bets" in table and not bets:
            self.bad(f"{path}.bets", "no bet", "add [gamble.bets.NAME] with a table")
        of = self.basis(table, path, "total_bet")
        return words.Gamble(words.frozen(bets), steps_max, win_max, rungs, of)

    def _bet(self, name: str, value: object, path: str, ladder: bool) -> words.Bet:
        table = self.table(value, path, ["table"], [] if ladder else ["part"])
        part = self.choice(table.get("part", "all"), f"{path}.part", ["all", "half"])
        low, high = (-RUNGS_MAX, RUNGS_MAX) if ladder else (0, GAMBLE_MULTIPLIER_MAX)
        drawn = self.weights(table.get("table"), f"{path}.table", high, low)
        least = 1 if ladder else 2
        if "table" in table and max(drawn.values) < least:
            self.bad(f"{path}.table", "nothing can be won", f"give a value of at least {least} a weight")
        return words.Bet(name, drawn, part)

    # -- modes ----------------------------------------------------------------------------------

    def read_modes(self, value: object) -> dict[str, m.Mode]:
        return self.named(value, "modes", self._mode, m.MODES_MAX, "modes")

    def _mode(self, name: str, value: object, path: str) -> m.Mode:
        if name == m.BASE_MODE:
            self.bad(path, f"'{name}' is the mode of the paid spin, which every game has", "take another name")
        table = self.table(value, path, ["cost"], ["start", "spins"])
        cost = self.integer(table.get("cost", 1), f"{path}.cost", 1, m.CAP_WIN_MAX, 1)
        start = self.reference(table.get("start", m.START_STATE), f"{path}.start", self.state_names, "state")
        spins = self.integer(table.get("spins", 1), f"{path}.spins", 1, MODE_SPINS_MAX, 1)
        return m.Mode(name, cost, start or m.START_STATE, spins)


def _permutations(elements: tuple[str | None, ...]) -> int:
    """In how many distinct orders the elements of a combination can stand."""
    orders = factorial(len(elements))
    for element in set(elements):
        orders //= factorial(elements.count(element))
    return orders


def _circle(bonuses: Mapping[str, words.Bonus], start: str) -> list[str]:
    """The way from a bonus back to itself, [] when there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        bonus = bonuses.get(way[-1])
        for part in words.given(bonus) if bonus else ():
            if part.bonus == start:
                return [*way, start]
            if part.bonus and part.bonus not in seen:
                seen.add(part.bonus)
                ways.append([*way, part.bonus])
    return []
