"""Joint law of a spin by pruned enumeration (ext/rgs_core/prune.h), for evaluators that do not merge.

Reels are independent, if need be under conditions (rgs_core.exact.spin_conditions), and each shows one of its columns
(rgs_core.exact.columns). Prefixes of reels are walked depth first, and one is closed where nothing that is paid depends on
the others any more. Counts of symbols and sums of collected values are added up, and never a reason to go on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import COUNTED_MAX, MATCHES_MAX, Engine
from rgs_core.engine.tables import decided_by_lines
from rgs_core.errors import AnalysisError
from rgs_core.exact.closed_parts import on_reel
from rgs_core.exact.columns import Case, Column, Looks, cases, columns, local_refused
from rgs_core.exact.row_merging import Rows, merged_rows
from rgs_core.exact.spin_conditions import fills_refused
from rgs_core.exact.spin_multiplier import multiplies, partly_exempt
from rgs_core.language.mechanics import (
    BonusTrigger,
    Cluster,
    Collect,
    Count,
    Counted,
    FreeSpinsTrigger,
    JackpotTrigger,
    Match,
    PickTrigger,
    Scatter,
    WinTrigger,
)
from rgs_core.language.model import Model, State, Strip

AWARDED_MAX = 1 << 15
"""Spins that the wins of a spin award by one trigger, which are counted in 16 bits, one of them for the sign."""

SIZE_MAX = 127
"""Sizes that are merged are smaller: they are kept in seven bits, and this one says that nothing can come of it."""

CYCLE_MAX = 1 << 127
"""Weights of a spin add up to less."""


def pruned_refused(model: Model, state: State, symbols: Sequence[Counted]) -> str:
    """Why pruned enumeration does not know a state; "" when it does. `symbols`: what is counted, `collect_counts` too."""
    if refused := local_refused(state) or fills_refused(model, state):
        return refused
    if state.cascade or state.final or state.special or state.spots:
        return "cascades, final multipliers, places that multiply and special symbols"
    if model.top and state.cells:
        return "a top reel whose cells draw alone"
    evaluators = [model.evaluators[name] for name in state.evaluators]
    if any(isinstance(evaluator, Match) for evaluator in evaluators):
        return "evaluators of kind match"
    if sum(isinstance(evaluator, Collect) for evaluator in evaluators) > 1:
        return "several sums of values"
    if multiplies(state) and any(
        partly_exempt(state, e.name) for e in evaluators if not isinstance(e, Scatter | Collect)
    ):
        return "multipliers of some wins of an evaluator and not of others"
    for trigger in state.triggers:
        if isinstance(trigger, WinTrigger):
            most = max(n for table in trigger.spins.values() for n in table.values())
            if most * max(len(model.paylines_of(state)), model.reels * model.rows) >= AWARDED_MAX:
                return "wins that award too many spins"
        elif not isinstance(trigger, FreeSpinsTrigger | PickTrigger | BonusTrigger | JackpotTrigger):
            return f"triggers of kind {trigger.kind}"
    if len(decided_by_lines(state)) > MATCHES_MAX:
        return f"more than {MATCHES_MAX} triggers of kind pick and win_spins"
    return f"more than {COUNTED_MAX} counted symbols" if len(symbols) > COUNTED_MAX else ""


def collects(model: Model, state: State) -> Collect | None:
    """The evaluator of a state that adds up values."""
    return next((e for name in state.evaluators if isinstance(e := model.evaluators[name], Collect)), None)


def collect_counts(collect: Collect | None) -> list[Counted]:
    """What is counted for a sum of values: its cells, and its collectors."""
    if collect is None:
        return []
    return [Counted(collect.symbol), *([] if collect.collector is None else [Counted(collect.collector)])]


@dataclass(frozen=True)
class PrunedLaw:
    """Row i: with `weights[i]` every evaluator that is looked at wins `pays[name][i]`, symbols are counted `counts[i]`,
    collected values add up to `sums[i]`, and the t-th trigger that lines decide has `matches[i, t]`. `merged`: prefixes
    with the same prospects were merged."""

    pays: Mapping[str, NDArray[np.int64]]
    counts: NDArray[np.int64]
    sums: NDArray[np.int64]
    matches: NDArray[np.int64]
    weights: NDArray[np.object_]
    merged: bool


def sizes_merge(model: Model, state: State) -> bool:
    """Whether prefixes with the same prospects can be merged: all that is looked at is the sizes of counts and clusters."""
    looked = [e for name in state.evaluators if not isinstance(e := model.evaluators[name], Scatter | Collect)]
    return (
        bool(looked)
        and all(isinstance(e, Count | Cluster) and e.cell_values == "ignore" for e in looked)
        and not (
            any(wild.multiplier > 1 for wild in model.wilds.values()) and any(isinstance(e, Cluster) for e in looked)
        )
        and not any(isinstance(trigger, PickTrigger | WinTrigger) for trigger in state.triggers)
        and model.reels * model.rows * model.count_most < SIZE_MAX
    )


def pruned_law(engine: Engine, state_index: int, symbols: Sequence[Counted], most: int) -> PrunedLaw:
    """The law of a state that is not refused; `symbols`: what is counted.

    Raises AnalysisError where more than `most` prefixes of reels are expected, and for rows that are too many.
    """
    build, table = engine.build, engine.tables.states[state_index]
    model, state = build.model, table.state
    added = [e for e, name in enumerate(state.evaluators) if isinstance(model.evaluators[name], Scatter | Collect)]
    reading = Reading(engine, state_index, tuple(symbols), added)
    order = _order(model, state)
    found: list[tuple[int, Rows, NDArray[np.object_]]] = []
    grids = [(case.weight, reading.reels(case)) for case in cases(build, state)]
    if sizes_merge(model, state):
        with suppress(AnalysisError):
            straight = list(range(model.reels))
            laws = [engine.pruned(state_index, reels, straight, added, limit=most, merging=True) for _, reels in grids]
            found = [(chance, *law) for (chance, _), law in zip(grids, laws, strict=True)]
            return _mixed(state, symbols, added, found, True)
    expected = sum(engine.prefixes(state_index, reels, order, added) for _, reels in grids)
    if expected > most:
        raise AnalysisError(
            f"pruned, a spin of state '{state.name}' still has about {expected:,} prefixes of reels; a law is found from "
            f"at most {most:,}"
        )
    for chance, reels in grids:
        # The estimate may be off; what takes ten times as long is given up.
        words, weights = engine.pruned(state_index, reels, order, added, limit=10 * most)
        found.append((chance, words, weights))
    return _mixed(state, symbols, added, found, False)


def _mixed(
    state: State,
    symbols: Sequence[Counted],
    added: Sequence[int],
    found: Sequence[tuple[int, Rows, NDArray[np.object_]]],
    merged: bool,
) -> PrunedLaw:
    """Laws with their weights as one."""
    cycles = [int(weights.sum()) for _, _, weights in found]
    common = math.lcm(*cycles)
    rows, weights = merged_rows(
        np.concatenate([words for _, words, _ in found]),
        np.concatenate(
            [of * (chance * (common // cycle)) for (chance, _, of), cycle in zip(found, cycles, strict=True)]
        ),
    )
    looked = [name for e, name in enumerate(state.evaluators) if e not in added]
    packed, counted, sums = (rows[:, len(looked) + i] for i in range(3))
    return PrunedLaw(
        {name: rows[:, i] for i, name in enumerate(looked)},
        counted[:, None] >> (8 * np.arange(len(symbols), dtype=np.int64)) & 255,
        sums,
        packed[:, None] >> (16 * np.arange(len(decided_by_lines(state)), dtype=np.int64)) & 65535,
        weights.astype(object),
        merged,
    )


def _order(model: Model, state: State) -> list[int]:
    """The reels in the order in which most prefixes are closed early: from the side from which wins run, or else from the
    middle, where most of them meet."""
    directions = {getattr(model.evaluators[name], "direction", "") for name in state.evaluators} - {""}
    reels = list(range(model.reels))
    if directions == {"right"}:
        return reels[::-1]
    if directions <= {"left"}:
        return reels
    return sorted(reels, key=lambda reel: abs(2 * reel - (model.reels - 1)))


Reel = tuple[
    NDArray[np.uint8],
    NDArray[np.uint8],
    NDArray[np.int32] | None,
    NDArray[np.uint64],
    NDArray[np.int64],
    NDArray[np.uint64],
]
"""The columns of a reel, as `Engine.pruned` takes them."""


class Reading:
    """What the compiled walk is told of a reel."""

    def __init__(self, engine: Engine, state_index: int, symbols: tuple[Counted, ...], added: Sequence[int]) -> None:
        build, table = engine.build, engine.tables.states[state_index]
        self.model, self.state = model, state = build.model, table.state
        self.symbols = symbols
        self.collect = collects(model, state)
        looked = [e for e in range(len(state.evaluators)) if e not in added]
        evaluators = [model.evaluators[state.evaluators[e]] for e in looked]
        self.looks = Looks(
            stopped=any(counted.stopped for counted in symbols),
            by_cell=any(getattr(e, "cell_values", "ignore") != "ignore" for e in evaluators),
            collected=model.members(self.collect.symbol) if self.collect else frozenset(),
        )
        if self.collect:  # cells with a double have the values of their own symbol
            doubles = {name for name, double in model.doubles.items() if double.symbol in self.looks.collected}
            self.looks = Looks(self.looks.stopped, self.looks.by_cell, self.looks.collected | doubles)
        self.letters = self._letters(engine, state_index, looked)
        self.known: dict[object, Reel] = {}

    def _letters(self, engine: Engine, state_index: int, looked: Sequence[int]) -> dict[str, int]:
        """Numbers of symbols; those that nothing looks at are one."""
        model, table = self.model, engine.tables.states[state_index]
        reads = np.zeros(len(model.symbols), dtype=bool)
        for e in looked:
            fields = table.evaluators[e].fields
            reads |= np.asarray(fields["readings"][: len(reads)] != 0)
            reads |= fields.get("full_grid") is not None
        patterns = {symbol for t in self.state.triggers if isinstance(t, PickTrigger) for symbol in t.pattern}
        silent = [i for i, s in enumerate(model.symbols) if not reads[i] and model.read(s)[0] not in patterns]
        return {s: silent[0] if i in silent else i for i, s in enumerate(model.symbols)}

    def reels(self, case: Case) -> list[Reel]:
        """All that the reels may show."""
        cycle = 1
        found = []
        for reel, strip in enumerate(case.strips):
            key = reel, strip, case.above.get(reel, ""), case.transforms
            if key not in self.known:
                self.known[key] = self._reel(reel, strip, case)
            found.append(self.known[key])
            cycle *= int(found[-1][-1].sum(dtype=object))
        if cycle >= CYCLE_MAX:
            raise AnalysisError(f"a cycle of {cycle} is too long to count exactly in 127 bits")
        return found

    def _reel(self, reel: int, strip: Strip, case: Case) -> Reel:
        model = self.model
        law: dict[tuple[tuple[int, ...], tuple[int, ...], int, int], int] = {}
        for column, weight in columns(model, self.state, reel, strip, case, self.looks).items():
            letters = tuple(self.letters[symbol] for symbol in column.shown)
            key = letters, column.values if self.looks.by_cell else (), self._counts(reel, column), self._sum(column)
            law[key] = law.get(key, 0) + weight
        common = math.gcd(*law.values()) if case.transforms else 1  # of what they draw
        if max(law.values()) // common >= 1 << 63:
            raise AnalysisError(f"weights of a reel of state '{self.state.name}' are too large to count with")
        rows = model.rows
        symbols = np.zeros((len(law), rows), dtype=np.uint8)
        values = np.zeros((len(law), rows), dtype=np.int32) if self.looks.by_cell else None
        for i, (letters, of, _, _) in enumerate(law):
            symbols[i, : len(letters)] = letters
            if values is not None:
                values[i, : len(of)] = of
        return (
            symbols,
            np.array([len(letters) for letters, *_ in law], dtype=np.uint8),
            values,
            np.array([counts for _, _, counts, _ in law], dtype=np.uint64),
            np.array([total for *_, total in law], dtype=np.int64),
            np.array([weight // common for weight in law.values()], dtype=np.uint64),
        )

    def _counts(self, reel: int, column: Column) -> int:
        numbers = []
        for counted in self.symbols:
            members = self.model.members(counted.symbol)
            cells = map(self.model.read, column.stopped if counted.stopped else column.shown)
            numbers.append(sum(times for symbol, times in cells if symbol in members))
        return sum(n << 8 * i for i, n in enumerate(on_reel(self.symbols, reel, numbers)))

    def _sum(self, column: Column) -> int:
        if self.collect is None:
            return 0
        if not self.looks.by_cell:
            return column.values[0]
        cells = zip(column.shown, column.values, strict=True)
        return sum(value for symbol, value in cells if symbol in self.looks.collected)
