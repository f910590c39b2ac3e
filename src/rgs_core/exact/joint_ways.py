"""Joint law of a spin that pays ways: equal situations are merged reel by reel.

A situation is what the symbols still running have for their product of cells (and of cells that are wilds
only, where a run of those does not pay), what has been paid, and the counts of counted symbols. Symbols that
cannot win any more are dropped at once, so few situations are left after the first reels. Transforms that look at single
reels are part of what these may show (rgs_core.exact.columns). Where reels depend on each other, laws under conditions are
mixed (rgs_core.exact.spin_conditions).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.exact.closed_parts import on_reel
from rgs_core.exact.columns import Case, Looks, cases, columns, heights, local_refused
from rgs_core.exact.row_merging import Rows, Weights, merged_rows
from rgs_core.exact.spin_conditions import fills_refused
from rgs_core.exact.spin_multiplier import grid_transforms, multiplies, partly_exempt
from rgs_core.language.mechanics import (
    BonusTrigger,
    Counted,
    FreeSpinsTrigger,
    JackpotTrigger,
    Scatter,
    Ways,
)
from rgs_core.language.model import Build, Model, State, Strip

SITUATIONS_MAX = 2_000_000
"""Most different situations at a time."""

STEPS_MAX = 40_000_000
"""Most situations taken on by one reel: about a minute."""

BATCH = 2_000_000
"""Situations that are gathered before they are merged."""

Figures = tuple[int, ...]

Reel = dict[Figures, int]
"""Weight of a column by its figures: cells for each paying symbol, wild cells for each, counts."""


def ways_refused(build: Build, state: State) -> str:
    """Why this merging does not know a state; "" when it does."""
    model = build.model
    if refused := local_refused(state) or fills_refused(model, state):
        return refused
    if state.cascade or state.final or state.special:
        return "cascades, final multipliers and special symbols"
    dependent = bool(model.top or state.linked or grid_transforms(state))
    if model.top and state.cells:
        return "a top reel whose cells draw alone"
    ways = [e for name in state.evaluators if isinstance(e := model.evaluators[name], Ways)]
    others = [e for name in state.evaluators if not isinstance(e := model.evaluators[name], Ways | Scatter)]
    if others or len(ways) > 1:
        return "evaluators other than one of ways and scatters"
    if multiplies(state) and any(partly_exempt(state, e.name) for e in ways):
        return "multipliers of some wins of ways and not of others"
    for trigger in state.triggers:
        if not isinstance(trigger, FreeSpinsTrigger | BonusTrigger | JackpotTrigger):
            return f"triggers of kind {trigger.kind}"
    plain = state.heights is None and not state.cells and state.strip_choice is None and not dependent
    if not ways and plain:
        return "no ways"  # plain scatters belong to the compiled merging
    return ""


def ways_law(build: Build, state: State, symbols: Sequence[Counted]) -> tuple[Rows, Rows, NDArray[np.object_]]:
    """(units of the ways int64[n], counts int64[n, len(symbols)], weights object[n]) of a spin.

    Counts stop at the largest that matters. Raises AnalysisError when the situations are too many.
    """
    model = build.model
    ways = next((e for name in state.evaluators if isinstance(e := model.evaluators[name], Ways)), None)
    figures = _Figures(model, state, ways, tuple(symbols))
    laws = []
    chances: list[int] = []
    for case in cases(build, state):
        reels = [figures.reel(reel, strip, case) for reel, strip in enumerate(case.strips)]
        laws.append(_merged_reels(figures, reels[::-1] if ways is not None and ways.direction == "right" else reels))
        chances.append(case.weight)
    cycles = [int(weights.sum()) for _, weights in laws]
    common = math.lcm(*cycles)
    rows = np.concatenate([rows for rows, _ in laws])
    scaled = [
        weights.astype(object) * (chance * (common // cycle))
        for (_, weights), chance, cycle in zip(laws, chances, cycles, strict=True)
    ]
    rows, weights = merged_rows(rows, np.concatenate(scaled))
    return rows[:, 0], rows[:, 1 : 1 + len(symbols)], weights.astype(object)


class _Figures:
    """What a window of one reel comes to, and pays by symbol and run."""

    def __init__(self, model: Model, state: State, ways: Ways | None, counted: tuple[Counted, ...]) -> None:
        self.model, self.state = model, state
        self.paying = tuple(ways.pays) if ways else ()
        self.own = ways is not None and ways.pure_wild_run == "own"
        self.counted = counted
        n = len(self.paying)
        self.pays = np.zeros((n, model.reels + 1), dtype=np.int64)
        self.starts: range = range(0)
        self.cells: dict[str, tuple[int, ...]] = {}
        for i, paid in enumerate(self.paying):
            assert ways is not None
            for count, pay in ways.pays[paid].items():
                multiplier = state.multiplier_for(ways.name, paid, count)
                self.pays[i, count] = pay * model.line_units * multiplier
        if ways is not None and ways.direction == "both":
            # A run from the right that begins on reel s, from 1 on as a full one is paid once, is one that nothing else
            # pays than its end on the last reel: an entry of its own for each symbol and s.
            paid_counts = np.flatnonzero(self.pays.any(axis=0))
            self.starts = range(1, model.reels - int(paid_counts[0]) + 1 if len(paid_counts) else 1)
            right = np.zeros((len(self.starts) * n, model.reels + 1), dtype=np.int64)
            for place, start in enumerate(self.starts):
                right[place * n : (place + 1) * n, -1] = self.pays[:, model.reels - start]
            self.pays = np.concatenate([self.pays, right])
        for shown in model.symbols:
            whole, wilds = [0] * n, [0] * n
            read, times = model.read(shown)
            wild = model.wilds.get(read)
            for i, paid in enumerate(self.paying):
                if read == paid:
                    whole[i] = times
                elif wild is not None and paid in wild.substitutes:
                    whole[i] = wild.multiplier * times
                    wilds[i] = whole[i] if self.own else 0
            self.cells[shown] = (*whole, *wilds, *(times * (read in model.members(of.symbol)) for of in counted))
        self.most = tuple(self._matters(symbol) for symbol in counted)
        self.looks = Looks(
            stopped=any(of.stopped for of in counted), by_cell=ways is not None and ways.cell_values == "product"
        )

    def _matters(self, counted: Counted) -> int:
        """Largest count of the symbol that may differ from one less."""
        found = [0]
        for name in self.state.evaluators:
            evaluator = self.model.evaluators[name]
            if isinstance(evaluator, Scatter) and evaluator.symbol == counted.symbol:
                found += evaluator.pays
        for t in self.state.triggers:
            if isinstance(t, FreeSpinsTrigger | BonusTrigger):
                if t.symbol == counted.symbol:
                    found += t.spins if isinstance(t, FreeSpinsTrigger) else t.plays
                for condition in t.in_view:
                    if condition.counted.symbol == counted.symbol:
                        found += [condition.least, 0 if condition.most is None else condition.most + 1]
        return max(found)

    def reel(self, reel: int, strip: Strip, case: Case) -> Reel:
        """Law of what a reel shows, in figures."""
        law = self._cells(reel, strip) if self.state.cells and not case.transforms else self._columns(reel, strip, case)
        capped: Reel = defaultdict(int)
        first = 2 * len(self.paying)
        for key, weight in law.items():
            counted = on_reel(self.counted, reel, key[first:])
            counts = (min(n, most) for n, most in zip(counted, self.most, strict=True))
            whole, wilds = key[: first // 2], key[first // 2 : first]
            right = [self._from_right(reel, start, whole, wilds) for start in self.starts]
            whole, wilds = sum((x for x, _ in right), whole), sum((x for _, x in right), wilds)
            capped[(*whole, *wilds, *counts)] += weight
        common = math.gcd(*capped.values()) if case.transforms else 1  # of what they draw
        return {key: weight // common for key, weight in capped.items()}

    def _from_right(self, reel: int, start: int, whole: Figures, wilds: Figures) -> tuple[Figures, Figures]:
        """The same figures for runs that begin on reel `start` and go on to the last one."""
        if reel >= start:
            return whole, wilds
        before = tuple(int(reel < start - 1 or cells == 0) for cells in whole)
        return before, before if self.own else (0,) * len(wilds)

    def _cells(self, reel: int, strip: Strip) -> Reel:
        """Of a reel whose cells draw alone, and nothing changes them: one cell after the other."""
        cell: Reel = defaultdict(int)
        for symbol, weight in zip(strip.symbols, strip.weights, strict=True):
            cell[self.cells[symbol]] += weight
        drawn = heights(self.model, self.state, reel)
        law: Reel = defaultdict(int)
        column: Reel = {(0,) * len(next(iter(cell))): 1}
        highest = max(rows for rows, _ in drawn)
        for row in range(highest + 1):
            for rows, weight in drawn:
                if rows == row:  # heights have a common total of strip.total ** highest
                    for key, times in column.items():
                        law[key] += times * weight * strip.total ** (highest - row)
            column = _sums(column, cell)
        return law

    def _columns(self, reel: int, strip: Strip, case: Case) -> Reel:
        """Of all that the reel may show."""
        first, by_cell = 2 * len(self.paying), self.looks.by_cell
        law: Reel = defaultdict(int)
        for column, weight in columns(self.model, self.state, reel, strip, case, self.looks).items():
            figures = [0] * (first + len(self.counted))
            for row, symbol in enumerate(column.shown):
                times = column.values[row] or 1 if by_cell else 1
                for i, figure in enumerate(self.cells[symbol]):
                    figures[i] += figure * times if i < first else figure
            for i, of in enumerate(self.counted, start=first):
                if of.stopped:
                    figures[i] = sum(self.cells[symbol][i] for symbol in column.stopped)
            law[tuple(figures)] += weight
        return law


def _sums(a: Reel, b: Reel) -> Reel:
    """Law of the sum of two independent cells."""
    result: Reel = defaultdict(int)
    for x, v in a.items():
        for y, w in b.items():
            result[tuple(i + j for i, j in zip(x, y, strict=True))] += v * w
    return result


def _merged_reels(figures: _Figures, reels: Sequence[Reel]) -> tuple[Rows, Weights]:
    """Rows (units, counts) with weights over all reels. Columns on the way: units, counts, products, wild products."""
    n, counted = len(figures.pays), len(figures.counted)
    first = 1 + counted
    rows = np.zeros((1, first + 2 * n), dtype=np.int64)
    rows[:, first:] = 1
    if not figures.own:
        rows[:, first + n :] = 0
    most = np.array(figures.most, dtype=np.int64)
    weights: Weights = np.ones(1, dtype=object)
    if math.prod(sum(reel.values()) for reel in reels) < 2**63:
        weights = np.ones(1, dtype=np.int64)
    for run, reel in enumerate(reels):
        # Symbols whose runs pay nothing from here on; those that cannot go on are settled by `_step`.
        hopeless = np.flatnonzero((figures.pays[:, run:] == 0).all(axis=1))
        rows[:, first + hopeless] = 0
        rows[:, first + n + hopeless] = 0
        rows, weights = merged_rows(rows, weights)
        merge = _Merge(figures.state.name)
        groups = [(chosen, _narrowed(reel, alive, n)) for alive, chosen in _by_alive(rows[:, first : first + n])]
        steps = sum(len(chosen) * len(windows) for chosen, windows in groups)
        if steps > STEPS_MAX:
            raise AnalysisError(
                f"the law of state '{figures.state.name}' has {steps:,} situations after {run + 1} reels; ways are "
                f"merged up to {STEPS_MAX:,}"
            )
        for chosen, windows in groups:
            for key, weight in windows.items():
                part = _step(rows[chosen], np.array(key, dtype=np.int64), figures.pays[:, run], n, first, most)
                if run == len(reels) - 1:
                    part[:, 0] += _paid(part, figures.pays[:, run + 1], n, first)
                    part = part[:, :first]
                merge.add(part, weights[chosen] * weight)
        rows, weights = merge.result()
    return rows, weights


class _Merge:
    """Gathers situations and merges equal ones whenever many have come together."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.parts: list[tuple[Rows, Weights]] = []
        self.waiting = 0

    def add(self, rows: Rows, weights: Weights) -> None:
        """Raises AnalysisError when there are too many."""
        self.parts.append((rows, weights))
        self.waiting += len(rows)
        if self.waiting > BATCH:
            self.parts = [self.result()]
            merged = len(self.parts[0][0])
            if merged > SITUATIONS_MAX:
                raise AnalysisError(
                    f"the law of state '{self.state}' has more than {SITUATIONS_MAX:,} situations, too many to merge"
                )
            self.waiting = 0 if merged < BATCH else -merged  # so that large ones are merged more seldom

    def result(self) -> tuple[Rows, Weights]:
        rows = np.concatenate([rows for rows, _ in self.parts])
        weights: Any = np.concatenate([weights for _, weights in self.parts])
        return merged_rows(rows, weights)


def _by_alive(products: Rows) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Row numbers by which symbols still run."""
    if not products.shape[1]:
        return [(np.zeros(0, dtype=bool), np.arange(len(products)))]
    alive = products != 0
    patterns, member = np.unique(alive, axis=0, return_inverse=True)
    return [(pattern, np.flatnonzero(member.reshape(-1) == i)) for i, pattern in enumerate(patterns)]


def _narrowed(reel: Reel, alive: NDArray[np.bool_], n: int) -> Reel:
    """The windows of a reel as far as they matter to the symbols that still run."""
    mask = [*alive.tolist(), *alive.tolist()]
    result: Reel = defaultdict(int)
    for key, weight in reel.items():
        result[(*(x if on else 0 for x, on in zip(key, mask, strict=False)), *key[2 * n :])] += weight
    return result


def _paid(rows: Rows, pays: Rows, n: int, first: int) -> Rows:
    """Units of the runs in `rows` when they end now."""
    paid: Rows = (rows[:, first : first + n] - rows[:, first + n : first + 2 * n]) @ pays
    return paid


def _step(rows: Rows, key: Rows, pays: Rows, n: int, first: int, most: Rows) -> Rows:
    """Situations after one more reel with the figures `key`; runs that end are paid."""
    after = rows.copy()
    ending = key[:n] == 0
    if ending.any() and pays[ending].any():
        columns = first + np.flatnonzero(ending)
        after[:, 0] += (rows[:, columns] - rows[:, columns + n]) @ pays[ending]
    after[:, first:] *= key[: 2 * n]
    after[:, 1:first] = np.minimum(rows[:, 1:first] + key[2 * n :], most)
    return after
