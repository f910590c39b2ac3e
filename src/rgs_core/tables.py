"""Compiles a build into the flat integer tables that the kernels read (ext/rgs_core/game.h).

State multipliers and bases are folded into the pays here, once, so that a kernel only adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgs_core import model as m
from rgs_core.model_file import most_units

ANY_SYMBOL = 255


@dataclass(frozen=True)
class StripTable:
    """One reel. `symbols`: uint8[stops + rows - 1], so that stop s shows symbols[s : s + rows]."""

    length: int
    total: int
    symbols: NDArray[np.uint8]
    cumulative: NDArray[np.uint32] | None


@dataclass(frozen=True)
class WeightTable:
    """`values` int64[n] in units or counts, `cumulative` uint32[n] running weights."""

    values: NDArray[np.int64]
    cumulative: NDArray[np.uint32]


@dataclass(frozen=True)
class EvaluatorTable:
    """Lines: pays int64[symbols, reels + 1]. Scatter: pays int64[cells + 1]. In units."""

    evaluator: m.Lines | m.Scatter
    symbol: int
    pays: NDArray[np.int64]


@dataclass(frozen=True)
class TriggerTable:
    """Free spins: `spins` uint32[cells + 1]. Pick: `pattern` uint8[k] and three weight tables."""

    trigger: m.FreeSpinsTrigger | m.PickTrigger
    symbol: int
    spins: NDArray[np.uint32]
    pattern: NDArray[np.uint8]
    picks: WeightTable
    prizes_per_pick: WeightTable
    prizes: WeightTable


@dataclass(frozen=True)
class StateTable:
    """One state. `paylines` uint8[lines, reels]; `readings` uint64[symbols], see rgs_state."""

    state: m.State
    strips: tuple[StripTable, ...]
    evaluators: tuple[EvaluatorTable, ...]
    triggers: tuple[TriggerTable, ...]
    paylines: NDArray[np.uint8]
    readings: NDArray[np.uint64]
    count_min: int
    pure_wild_run: bool


@dataclass(frozen=True)
class Tables:
    """A compiled build: the paid state first, then the free-spin state if there is one."""

    build: m.Build
    states: tuple[StateTable, ...]
    win_units_max: int


def compile_tables(build: m.Build) -> Tables:
    """The tables of a build. The model was validated when it was loaded, so this cannot fail."""
    names = [m.START_STATE, *(name for name in build.model.states if name != m.START_STATE)]
    states = tuple(_state(build, build.model.states[name]) for name in names)
    for state in states:
        _freeze(state)
    return Tables(build, states, most_units(build.model))


def _freeze(table: object) -> None:
    """Makes every array of a table read-only: the engine points into them, and builds do not change."""
    if isinstance(table, np.ndarray):
        table.setflags(write=False)
    elif isinstance(table, tuple):
        for part in table:
            _freeze(part)
    elif isinstance(table, StateTable | StripTable | EvaluatorTable | TriggerTable | WeightTable):
        for name in table.__dataclass_fields__:
            _freeze(getattr(table, name))


def _state(build: m.Build, state: m.State) -> StateTable:
    model = build.model
    lines = model.lines_of(state)
    paylines = np.array(lines.paylines if lines else [], dtype=np.uint8).reshape(-1, model.reels)
    counts = [c for pays in lines.pays.values() for c, pay in pays.items() if pay > 0] if lines else []
    return StateTable(
        state=state,
        strips=tuple(_strip(model, strip) for strip in build.strips(state)),
        evaluators=tuple(_evaluator(model, state, model.evaluators[name]) for name in state.evaluators),
        triggers=tuple(_trigger(model, state, trigger) for trigger in state.triggers),
        paylines=paylines,
        readings=_readings(model, lines),
        count_min=min(counts, default=model.reels + 1),
        pure_wild_run=lines is not None and lines.pure_wild_run == "any",
    )


def _strip(model: m.Model, strip: m.Strip) -> StripTable:
    length = len(strip.symbols)
    looped = [model.symbols.index(strip.symbols[i % length]) for i in range(length + model.rows - 1)]
    cumulative = None if strip.uniform else np.cumsum(strip.weights, dtype=np.uint64).astype(np.uint32)
    return StripTable(length, strip.total, np.array(looped, dtype=np.uint8), cumulative)


def _readings(model: m.Model, lines: m.Lines | None) -> NDArray[np.uint64]:
    readings = np.zeros(len(model.symbols), dtype=np.uint64)
    for x, paying in enumerate(model.symbols):
        if lines is None or paying not in lines.pays:
            continue
        for y, shown in enumerate(model.symbols):
            wild = model.wilds.get(shown)
            if shown == paying or (wild is not None and paying in wild.substitutes):
                readings[y] |= np.uint64(1 << x)
    return readings


def _evaluator(model: m.Model, state: m.State, evaluator: m.Lines | m.Scatter) -> EvaluatorTable:
    if isinstance(evaluator, m.Scatter):
        symbol = model.symbols.index(evaluator.symbol)
        unit = model.basis_units(evaluator.of)
        counts = range(model.reels * model.rows + 1)
        pays = [evaluator.pay(n) * unit * state.multiplier_for(evaluator.name, evaluator.symbol, n) for n in counts]
        return EvaluatorTable(evaluator, symbol, np.array(pays, dtype=np.int64))
    table = np.zeros((len(model.symbols), model.reels + 1), dtype=np.int64)
    for name, by_count in evaluator.pays.items():
        for count, pay in by_count.items():
            multiplier = state.multiplier_for(evaluator.name, name, count)
            table[model.symbols.index(name), count] = pay * model.line_units * multiplier
    return EvaluatorTable(evaluator, 0, table)


def _trigger(model: m.Model, state: m.State, trigger: m.FreeSpinsTrigger | m.PickTrigger) -> TriggerTable:
    none = WeightTable(np.zeros(1, np.int64), np.ones(1, np.uint32))
    if isinstance(trigger, m.FreeSpinsTrigger):
        counts = range(model.reels * model.rows + 1)
        return TriggerTable(
            trigger=trigger,
            symbol=model.symbols.index(trigger.symbol),
            spins=np.array([trigger.award(n) for n in counts], dtype=np.uint32),
            pattern=np.zeros(0, np.uint8),
            picks=none,
            prizes_per_pick=none,
            prizes=none,
        )
    pick = model.picks[trigger.pick]
    unit = model.basis_units(pick.of) * state.multiplier_for(trigger.name)
    pattern = [ANY_SYMBOL if symbol is None else model.symbols.index(symbol) for symbol in trigger.pattern]
    return TriggerTable(
        trigger=trigger,
        symbol=0,
        spins=np.zeros(0, np.uint32),
        pattern=np.array(pattern, dtype=np.uint8),
        picks=_weights(pick.picks, 1),
        prizes_per_pick=_weights(pick.prizes_per_pick, 1),
        prizes=_weights(pick.prizes, unit),
    )


def _weights(table: m.Table, unit: int) -> WeightTable:
    values = np.array([value * unit for value in table.values], dtype=np.int64)
    return WeightTable(values, np.cumsum(table.weights, dtype=np.uint64).astype(np.uint32))
