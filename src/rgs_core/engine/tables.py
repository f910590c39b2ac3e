"""Compiles a build into the flat integer tables that the kernels read (ext/rgs_core/game.h).

State multipliers and bases are folded into the pays here, once, so that a kernel only adds. A table of a word of
the language is a `Fields`: the names and values of the C struct's members, arrays where C has pointers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import CallbackError
from rgs_core.language import mechanics as k
from rgs_core.language import model as m
from rgs_core.language.bounds import carries, collected_most, going_on, slots
from rgs_core.language.model_file import most_units

ANY_SYMBOL = 255

EVALUATORS = ("lines", "scatter", "combinations", "ways", "count", "cluster", "collect")
DIRECTIONS = ("left", "right", "both", "adjacent")
COMBINES = ("ignore", "product", "sum", "highest", "once")
TRANSFORMS = ("reveal", "expand", "replace", "add", "values", "stick", "multiplier", "nudge", "act", "fill")
EACH = {"spin": 0, "reel": 1, "full_reel": 1, "cell": 2, "feature": 3, "step": 4}
ACTS = ("add_to_all", "multiply_all", "multiply_some", "collect_all")
TRIGGERS = ("free_spins", "pick", "win_spins", "collected", "bonus", "jackpot", "full_reels")
BONUSES = ("pick", "take", "wheel", "trail")
"""Names in the order of the numbers in game.h."""

Fields = Mapping[str, Any]
"""Members of a C struct by name."""


@dataclass(frozen=True)
class StripTable:
    """One reel. `symbols`: uint8[stops + rows - 1], so that stop s shows symbols[s : s + rows]; of the top reel uint8[stops
    + cells - 1]. `shows`: uint64[stops], bit x set when symbol x is in that window.

    `distinct_stops` uint32[d], `distinct_weights` uint64[d]: one stop of each different window, for visiting.
    """

    length: int
    total: int
    symbols: NDArray[np.uint8]
    shows: NDArray[np.uint64]
    cumulative: NDArray[np.uint32] | None
    distinct_stops: NDArray[np.uint32]
    distinct_weights: NDArray[np.uint64]


@dataclass(frozen=True)
class WeightTable:
    """`values` int64[n], `cumulative` uint32[n] running weights. `fixed`: the only entry is taken without a draw."""

    values: NDArray[np.int64]
    cumulative: NDArray[np.uint32]
    fixed: bool = False


@dataclass(frozen=True)
class EvaluatorTable:
    """Ways: pays int64[entries, reels + 1]; lines int64[entries, reels x n + 1], where a cell counts for n symbols at
    most; count, cluster: int64[symbols, cells x n + 1]; scatter: int64[cells x n + 1]; collect: the same, of a value
    of 1; in units. `symbol` is the entry that a scatter or collection counts. `fields`: the rest of rgs_evaluator."""

    evaluator: k.Evaluator
    symbol: int
    pays: NDArray[np.int64]
    fields: Fields


@dataclass(frozen=True)
class TriggerTable:
    """`spins` uint32: free spins and bonus plays [counts], win spins [entries, counts]; `pattern` uint8[k].

    `fields`: the rest of rgs_trigger.
    """

    trigger: k.Trigger
    symbol: int
    spins: NDArray[np.uint32]
    pattern: NDArray[np.uint8]
    fields: Fields


@dataclass(frozen=True)
class StateTable:
    """One state, by its number. `sets`: strips by set, that of the top reel last; `paylines` uint8[lines, reels]; `cell_lines` uint64[reels * rows], the set of
    lines through each cell, or None for more than 64 lines; `readings`, `naturals` uint64[symbols] of its
    line evaluator, see rgs_evaluator; `fields`: scalars of rgs_state."""

    state: m.State
    number: int
    sets: tuple[tuple[StripTable, ...], ...]
    set_choice: WeightTable
    heights: tuple[WeightTable, ...]
    evaluators: tuple[EvaluatorTable, ...]
    transforms: tuple[Fields, ...]
    triggers: tuple[TriggerTable, ...]
    cascade: Fields | None
    special: Fields | None
    linked: WeightTable | None
    moves: Fields
    paylines: NDArray[np.uint8]
    cell_lines: NDArray[np.uint64] | None
    readings: NDArray[np.uint64]
    naturals: NDArray[np.uint64]
    count_min: int
    pure_wild_run: bool
    fields: Fields

    @property
    def strips(self) -> tuple[StripTable, ...]:
        """Reels of the first strip set."""
        return self.sets[0]

    @property
    def awarded_states(self) -> list[int]:
        """Numbers of the states whose spins its triggers award without a multiplier; what bonuses award is not among
        them."""
        awarding = ("free_spins", "win_spins", "collected", "full_reels")
        plain = [t for t in self.triggers if t.trigger.kind in awarding and "multiplier" not in t.fields]
        awarded = {int(t.fields["state"]) for t in plain if not t.fields.get("become")}
        # A feature that goes on as another state is lengthened by the spins.
        return sorted(awarded | ({self.number} if any(t.fields.get("become") for t in plain) else set()))

    @property
    def multiplying(self) -> list[int]:
        """Numbers of the triggers that give a multiplier to the features they award."""
        return [i for i, table in enumerate(self.triggers) if "multiplier" in table.fields]


@dataclass(frozen=True)
class Tables:
    """A compiled build, its states in the order of `state_names`."""

    build: m.Build
    states: tuple[StateTable, ...]
    bonuses: tuple[Fields, ...]
    win_units_max: int
    gamble: Fields | None = None

    def index(self, state: str) -> int:
        """Number of a state by its name."""
        return next(i for i, table in enumerate(self.states) if table.state.name == state)


def state_names(model: m.Model) -> list[str]:
    """States in the order of the engine: START_STATE, what its triggers award, then the rest of the file."""
    awarded = [getattr(trigger, "state", None) for trigger in model.states[m.START_STATE].triggers]
    return list(dict.fromkeys([m.START_STATE, *filter(None, awarded), *model.states]))


def compile_tables(build: m.Build) -> Tables:
    """The tables of a build. The model was validated when it was loaded.

    Raises CallbackError for one with a callback: tables hold no code.
    """
    model = build.model
    if model.callbacks:
        raise CallbackError(f"{build.label} is not for the compiled engine. {model.callback_note}")
    states = tuple(_state(build, model.states[name]) for name in state_names(model))
    bonuses = tuple(_bonus(model, bonus) for bonus in model.bonuses.values())
    gamble = _gamble(model, model.gamble) if model.gamble is not None and model.gamble.plays else None
    tables = Tables(build, states, bonuses, most_units(model), gamble)
    _freeze(tables)
    return tables


def _freeze(table: object) -> None:
    """Makes every array of a table read-only: the engine points into them, and builds do not change."""
    if isinstance(table, np.ndarray):
        table.setflags(write=False)
    elif isinstance(table, tuple):
        for part in table:
            _freeze(part)
    elif isinstance(table, Mapping):
        for part in table.values():
            _freeze(part)
    elif isinstance(table, Tables | StateTable | StripTable | EvaluatorTable | TriggerTable | WeightTable):
        for name in table.__dataclass_fields__:
            _freeze(getattr(table, name))


# --- Numbers of symbols, entries and sets of them ---------------------------------------------------------


def entries(model: m.Model) -> list[str]:
    """What can be read on a line: symbols, then groups; a number in a table is a place in this list."""
    return [*model.symbols, *model.groups]


def _bits(model: m.Model, symbols: Iterable[str]) -> int:
    return sum(1 << model.symbols.index(symbol) for symbol in set(symbols))


def _read_bits(model: m.Model, symbols: Iterable[str]) -> int:
    """The symbols, and the doubles that count as one of them."""
    wanted = set(symbols)
    return _bits(model, [shown for shown in model.symbols if model.read(shown)[0] in wanted])


def _reel_bits(model: m.Model, reels: tuple[int, ...] | None) -> int:
    return sum(1 << reel for reel in (range(model.reels) if reels is None else reels))


def counted_bits(model: m.Model, entry: str) -> int:
    """What a cell may show to count as a symbol or group, as bits."""
    return _read_bits(model, model.members(entry))


def _reading(model: m.Model, paying: Iterable[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """`readings` and `naturals` of the entries that an evaluator pays or names."""
    named = entries(model)
    readings, naturals = np.zeros(64, dtype=np.uint64), np.zeros(64, dtype=np.uint64)
    for entry in set(paying):
        bit = np.uint64(1 << named.index(entry))
        members = model.members(entry)
        for y, shown in enumerate(model.read(symbol)[0] for symbol in model.symbols):
            wild = model.wilds.get(shown)
            if shown in members:
                naturals[y] |= bit
            if shown in members or (wild is not None and wild.substitutes & members):
                readings[y] |= bit
    return readings, naturals


def counted_fields(model: m.Model, counted: k.Counted) -> dict[str, int]:
    """Members of rgs_counted."""
    return {
        "symbols": counted_bits(model, counted.symbol),
        "stopped": int(counted.stopped),
        "by_reel": int(counted.per_reel),
        "reels": _reel_bits(model, counted.reels),
    }


def _table(table: k.Table, *, unit: int = 1, draws_single: bool = False) -> WeightTable:
    values = np.array([value * unit for value in table.values], dtype=np.int64)
    cumulative = np.cumsum(table.weights, dtype=np.uint64).astype(np.uint32)
    return WeightTable(values, cumulative, fixed=len(values) == 1 and not draws_single)


def _symbol_table(model: m.Model, table: k.SymbolTable) -> WeightTable:
    return _table(k.Table(tuple(model.symbols.index(s) for s in table.symbols), table.weights))


# --- States ----------------------------------------------------------------------------------------------


def _state(build: m.Build, state: m.State) -> StateTable:
    model = build.model
    lines = next((model.evaluators[n] for n in state.evaluators if hasattr(model.evaluators[n], "paylines")), None)
    paylines = np.array(model.paylines_of(state), dtype=np.uint8).reshape(-1, model.reels)
    heights = state.heights or (k.Table((model.rows,), (1,)),) * model.reels
    choice = state.strip_choice
    weights = (1,) if choice is None else choice.weights
    evaluators = tuple(_evaluator(model, state, model.evaluators[name]) for name in state.evaluators)
    line_table = next((e for e in evaluators if e.evaluator is lines), None)
    carried = any(
        carries(t) and getattr(t, "state", "") == state.name for other in model.states.values() for t in other.triggers
    )
    remembers = state.remembers or carried or state.name in going_on(model)
    changes = bool(
        remembers or state.transforms or state.cascade or state.final or state.special or state.cells
    ) or bool(model.top or state.linked)  # fmt: skip
    final = state.final
    none64 = np.zeros(64, dtype=np.uint64)
    readings, naturals = (
        (line_table.fields["readings"], line_table.fields["naturals"]) if line_table else (none64, none64)
    )
    names = list(state.evaluators)
    return StateTable(
        state=state,
        number=state_names(model).index(state.name),
        sets=tuple(_strip_set(build, state, name) for name in state.strip_sets),
        set_choice=_table(k.Table(tuple(range(len(weights))), weights)),
        heights=tuple(_table(table) for table in heights),
        evaluators=evaluators,
        transforms=tuple(_transform(model, state, transform) for transform in state.transforms),
        triggers=tuple(_trigger(build, state, trigger) for trigger in state.triggers),
        cascade=_cascade(model, state, state.cascade) if state.cascade else None,
        special=_special(model, state, state.special) if state.special else None,
        linked=_linked(state.linked) if state.linked else None,
        moves=_moves(model, state),
        paylines=paylines,
        cell_lines=_cell_lines(model, paylines),
        readings=readings,
        naturals=naturals,
        count_min=int(line_table.fields["count_min"]) if line_table else model.reels + 1,
        pure_wild_run=isinstance(lines, k.Lines) and lines.pure_wild_run == "any",
        fields={
            "heights_drawn": int(any(len(table.values) > 1 for table in heights)),
            "cells": int(state.cells),
            "changes": int(changes),
            "remembers": int(remembers),
            "waits": int(any(getattr(t, "multipliers_from", "spin") == "batch" for t in state.triggers)),
            "rows_below": int(state.rows_below),
            "persisting": sum(isinstance(t, k.Multiplier) and t.persist for t in state.transforms),
            "looks_stopped": int(
                any(
                    getattr(part, "stopped", False) for part in (*state.triggers, *(model.evaluators[n] for n in names))
                )
            ),
            "ends": int(
                any(
                    getattr(part, "at", "") == "end"
                    for part in (*state.triggers, *(model.evaluators[n] for n in names))
                )
            ),
            "final_symbols": _read_bits(model, final.symbols) if final else 0,
            "final_combine": COMBINES.index(final.combine) if final else 0,
            "final_persist": int(final.persist) if final else 0,
            "lines": names.index(lines.name) if lines else ANY_SYMBOL,
            "win_min": (state.win_min or 0) * model.stake_units,
            "draws_once": int(state.draws_once),
            "spots": _spots(state.spots) if state.spots else None,
        },
    )


def _cell_lines(model: m.Model, paylines: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    if not 0 < len(paylines) <= 64:
        return None
    cells = np.zeros(model.reels * model.rows, dtype=np.uint64)
    for line, rows in enumerate(paylines):
        for reel, row in enumerate(rows):
            cells[reel * model.rows + int(row)] |= np.uint64(1 << line)
    return cells


def _moves(model: m.Model, state: m.State) -> Fields:
    """How held cells move and values grow, [symbol]; of two transforms for a symbol the first counts."""
    step, fall, each, jump = (np.zeros(64, dtype=np.int8) for _ in range(4))
    grow = np.zeros(64, dtype=np.int32)
    for transform in reversed(state.transforms):
        for symbol in (model.symbols.index(s) for s in getattr(transform, "symbols", ())):
            if isinstance(transform, k.Stick):
                step[symbol], fall[symbol], jump[symbol] = transform.step, transform.fall, transform.jump
                each[symbol] = EACH[transform.each]
            elif isinstance(transform, k.Values) and transform.grow:
                grow[symbol] = transform.grow
    return {"held_step": step, "held_fall": fall, "held_each": each, "held_jump": jump, "grow": grow}


def _linked(linked: k.Linked) -> WeightTable:
    return _table(k.Table(tuple(first + 8 * last for first, last in linked.runs), linked.weights))


def _strip_set(build: m.Build, state: m.State, name: str) -> tuple[StripTable, ...]:
    """The reels of a set from the left, then the top reel if there is one."""
    model = build.model
    reels = [_strip(model, state, strip, model.rows) for strip in build.strips(state, name)]
    if model.top:
        reels.append(_strip(model, state, build.top_strip(name), len(model.top)))
    return tuple(reels)


def _strip(model: m.Model, state: m.State, strip: m.Strip, shown: int) -> StripTable:
    length = len(strip.symbols)
    looped = np.array(
        [model.symbols.index(strip.symbols[i % length]) for i in range(length + shown - 1)], dtype=np.uint8
    )
    weights = np.array(strip.weights, dtype=np.uint64)
    cumulative = None if strip.uniform else np.cumsum(weights).astype(np.uint32)
    refilled = state.cascade is not None and state.cascade.refill == "strip" and not state.cells
    if refilled or any(isinstance(transform, k.Nudge) for transform in state.transforms):
        stops, shares = np.arange(length), weights  # what lies beyond the window matters too
    else:
        seen = 1 if state.cells else shown
        windows = np.lib.stride_tricks.sliding_window_view(looped, seen)[:length]
        _, stops, member = np.unique(windows, axis=0, return_index=True, return_inverse=True)
        shares = np.zeros(len(stops), dtype=np.uint64)
        np.add.at(shares, member.reshape(-1), weights)
    stops, shares = (
        stops[shares > 0],
        shares[shares > 0],
    )  # a condition (spin_conditions) leaves a single stop its weight
    views = np.lib.stride_tricks.sliding_window_view(looped, shown)
    shows = np.bitwise_or.reduce(np.uint64(1) << views.astype(np.uint64), axis=1)
    return StripTable(length, strip.total, looped, shows, cumulative, stops.astype(np.uint32), shares)


# --- Evaluators --------------------------------------------------------------------------------------------


def _evaluator(model: m.Model, state: m.State, evaluator: k.Evaluator) -> EvaluatorTable:
    fields: dict[str, Any] = {
        "kind": EVALUATORS.index(evaluator.kind),
        "stopped": int(getattr(evaluator, "stopped", False)),
        "at_end": int(getattr(evaluator, "at", "spin") == "end"),
        "cell_values": COMBINES.index(getattr(evaluator, "cell_values", "ignore")),
        "cell_values_max": getattr(evaluator, "cell_values_max", None) or m.WIN_UNITS_MAX,
        "direction": DIRECTIONS.index(getattr(evaluator, "direction", "left")),
        "pure_wild_run": int(getattr(evaluator, "pure_wild_run", "own") == "any"),
    }
    most = model.count_most
    cells = model.reels * model.rows * most
    if isinstance(evaluator, k.Scatter | k.Collect):
        name, symbol = evaluator.name, evaluator.symbol
        unit = model.basis_units(evaluator.of)
        counts = range(cells + 1)
        if isinstance(evaluator, k.Scatter):
            row = [evaluator.pay(n) * unit * state.multiplier_for(name, symbol, n) for n in counts]
        else:
            row = [unit * state.multiplier_for(name, symbol, n) for n in counts]  # of a value of 1
            fields |= {
                "count_min": evaluator.count_min,
                "collectors": 0 if evaluator.collector is None else counted_bits(model, evaluator.collector),
            }
        exempt = np.array([state.exempt(name, symbol, n) for n in counts], dtype=np.uint8)
        fields |= {
            "symbols": counted_bits(model, symbol),
            "exempt": exempt if exempt.any() else None,
            "counts": len(counts),
        }
        number = entries(model).index(symbol)
        return EvaluatorTable(evaluator, number, np.array(row, dtype=np.int64), fields)
    if isinstance(evaluator, k.Combinations):
        return _combinations(model, state, evaluator, fields)
    longest = {"lines": model.reels * most, "ways": model.reels}.get(evaluator.kind, cells)
    unit = model.line_units if isinstance(evaluator, k.Lines | k.Ways) else model.basis_units(evaluator.of)
    named = entries(model)
    pays = np.zeros((len(named), longest + 1), dtype=np.int64)
    exempt = np.zeros_like(pays, dtype=np.uint8)
    for name, table in evaluator.pays.items():
        for count in range(min(table), longest + 1):
            place = named.index(name), count
            pays[place] = k.by_count(table, count) * unit * state.multiplier_for(evaluator.name, name, count)
            exempt[place] = state.exempt(evaluator.name, name, count)
    readings, naturals = _reading(model, evaluator.pays)
    paying = np.flatnonzero(pays.any(axis=0))
    fields |= {
        "exempt": exempt if exempt.any() else None,
        "counts": longest + 1,
        "count_min": -(-int(paying[0]) // (1 if evaluator.kind == "ways" else most)) if len(paying) else longest + 1,
        "readings": readings,
        "naturals": naturals,
        "wilds": int(getattr(evaluator, "wilds", True)),
        "neighbours": getattr(evaluator, "neighbours", 4),
    }
    if isinstance(evaluator, k.Lines) and evaluator.full_grid:
        fields["full_grid"] = np.array([evaluator.full_grid.get(s, 1) for s in model.symbols], dtype=np.int64)
    return EvaluatorTable(evaluator, 0, pays, fields)


def _combinations(model: m.Model, state: m.State, evaluator: k.Combinations, fields: Fields) -> EvaluatorTable:
    """Every order of every combination as a pattern of its own, in the order in which they count."""
    named = entries(model)
    readings, naturals = _reading(model, {s for c in evaluator.combinations for s in c.symbols if s is not None})
    patterns: list[list[int]] = []
    owners: list[int] = []
    symbols, counts, exempt, pays = [], [], [], []
    for number, combination in enumerate(evaluator.combinations):
        for order in orders(combination):
            patterns.append([ANY_SYMBOL if s is None else named.index(s) for s in order])
            owners.append(number)
        given = [s for s in combination.symbols if s is not None]
        part = evaluator.name, given[0], len(given)
        symbols.append(named.index(given[0]))
        counts.append(len(given))
        exempt.append(state.exempt(*part))
        pays.append(combination.pay * model.line_units * state.multiplier_for(*part))
    more: Fields = {
        "counts": 0,
        "count_min": model.reels,
        "readings": readings,
        "naturals": naturals,
        "patterns_count": len(patterns),
        "patterns": np.array(patterns, dtype=np.uint8),
        "pattern_combinations": np.array(owners, dtype=np.uint16),
        "combination_symbols": np.array(symbols, dtype=np.uint8),
        "combination_counts": np.array(counts, dtype=np.uint8),
        "combination_exempt": np.array(exempt, dtype=np.uint8),
        "combination_pays": np.array(pays, dtype=np.int64),
    }
    table: Fields = {**fields, **more}
    return EvaluatorTable(evaluator, 0, np.array(pays, dtype=np.int64), table)


def orders(combination: k.Combination) -> list[tuple[str | None, ...]]:
    """The orders in which a combination may stand, sorted by the places of their elements in the listed one."""
    if combination.ordered:
        return [combination.symbols]
    listed = combination.symbols
    places = [listed.index(symbol) for symbol in listed]
    return [tuple(listed[i] for i in order) for order in sorted(set(itertools.permutations(places)))]


# --- Transforms, cascades, specials --------------------------------------------------------------------------


def _transform(model: m.Model, state: m.State, transform: k.Transform) -> Fields:
    symbol = getattr(transform, "symbol", None)
    fields: dict[str, Any] = {
        "kind": TRANSFORMS.index(transform.kind),
        "symbol": ANY_SYMBOL if symbol is None else model.symbols.index(symbol),
        "each": EACH[getattr(transform, "each", "spin")],
        "reels": _reel_bits(model, getattr(transform, "reels", None)),
        "persist": int(getattr(transform, "persist", False)),
        **_odds(getattr(transform, "odds", None)),
        "conditional": int(not k.works_always(transform)),
        "when": WHEN.index(getattr(transform, "when", "always")),
    }
    match transform:
        case k.Reveal():
            fields["table"] = _symbol_table(model, transform.table)
        case k.Expand() | k.Replace():
            fields["into"] = model.symbols.index(transform.into)
        case k.Add():
            over = set(model.symbols) - {transform.symbol} if transform.over is None else transform.over
            fields |= {"table": _table(transform.count), "symbols": _bits(model, over)}
        case k.Values():
            fields |= {"table": _table(transform.table), "symbols": _bits(model, transform.symbols)}
        case k.Stick():
            fields["symbols"] = _bits(model, transform.symbols)
        case k.Multiplier():
            persisting = [t for t in state.transforms if isinstance(t, k.Multiplier) and t.persist]
            fields |= {
                "table": _table(transform.table),
                "combine": COMBINES.index(transform.combine),
                "slot": next((i for i, other in enumerate(persisting) if other is transform), 0),
            }
        case k.Fill():
            fields |= {"table": _table(transform.count), "reels": _reel_bits(model, transform.among)}
        case k.Nudge():
            fields |= {"steps_max": transform.steps_max, "multiplier": transform.multiplier}
            fields["each"] = EACH["spin" if transform.multiplies == "spin" else "cell"]
        case k.Act():
            over = set(model.symbols) if transform.over is None else transform.over
            fields |= {
                "symbols": _bits(model, transform.symbols),
                "over": _bits(model, over),
                "does": ACTS.index(transform.does),
                "once": int(transform.once),
                "value_max": transform.value_max,
            }
            if transform.count is not None:
                fields["table"] = _table(transform.count)
    return fields


def _cascade(model: m.Model, state: m.State, cascade: k.Cascade) -> Fields:
    triggers = [trigger.name for trigger in state.triggers]
    return {
        "on": 1,
        "fresh": int(cascade.refill == "fresh"),
        "persist": int(cascade.persist),
        "steps_max": cascade.steps_max,
        "multipliers_count": len(cascade.multipliers),
        "multiplier_step": cascade.multiplier_step,
        "multipliers": np.array(cascade.multipliers, dtype=np.int64),
        "remove_evaluators": sum(1 << i for i, name in enumerate(state.evaluators) if name in cascade.remove),
        "remove_triggers": sum(1 << i for i, name in enumerate(triggers) if name in cascade.remove),
        "keep": _bits(model, cascade.keep),
        "charge_every": cascade.charge.every if cascade.charge else 0,
        "charge_symbols": _charging(model, cascade.charge) if cascade.charge else 0,
        "charge": tuple(_transform(model, state, t) for t in cascade.charge.then) if cascade.charge else (),
    }


def _charging(model: m.Model, charge: k.Charge) -> int:
    return _bits(model, model.symbols if charge.symbols is None else charge.symbols)


def _spots(spots: k.Spots) -> Fields:
    return {
        "on": 1,
        "persist": int(spots.persist),
        "product": int(spots.combine == "product"),
        "first": spots.first,
        "step": spots.step or 0,
        "multiplier_max": spots.multiplier_max,
    }


def _special(model: m.Model, state: m.State, special: k.Special) -> Fields:
    lines = model.evaluators[special.lines]
    assert isinstance(lines, k.Lines)
    pays = np.zeros((len(model.symbols), model.reels + 1), dtype=np.int64)
    exempt = np.zeros_like(pays, dtype=np.uint8)
    unit = model.line_units * len(lines.paylines)
    for symbol in special.table.symbols:
        for count, pay in lines.pays[symbol].items():
            if count > model.reels:
                break  # of double symbols; here reels are counted
            place = model.symbols.index(symbol), count
            pays[place] = pay * unit * state.multiplier_for(special.name, symbol, count)
            exempt[place] = state.exempt(special.name, symbol, count)
    return {
        "special": _symbol_table(model, special.table),
        "special_own_lines": int(special.own_lines),
        "special_pays": pays,
        "special_exempt": exempt,
    }


# --- Triggers and bonuses --------------------------------------------------------------------------------------


WHEN = ("always", "win", "no_win")
"""Conditions of triggers and transforms, numbered as in game.h."""


def _odds(odds: k.Odds | None) -> dict[str, int]:
    return {} if odds is None else {"chance": odds.chance, "out_of": odds.out_of}


def _conditions(model: m.Model, trigger: k.FreeSpinsTrigger | k.BonusTrigger) -> dict[str, int]:
    """What a trigger needs beside its count, and where it counts."""
    return {
        **_odds(trigger.odds),
        "conditional": int(not k.fires_always(trigger)),
        "when": WHEN.index(trigger.when),
        "once": int(trigger.once),
        "by_reels": int(trigger.reels is not None or trigger.per_reel),
        "per_reel": int(trigger.per_reel),
        "reels": _reel_bits(model, trigger.reels),
    }


def _trigger(build: m.Build, state: m.State, trigger: k.Trigger) -> TriggerTable:
    model = build.model
    counts = range(model.reels * model.rows * model.count_most + 1)
    symbol = getattr(trigger, "symbol", None)
    target = getattr(trigger, "state", None)
    fields: dict[str, Any] = {
        "kind": TRIGGERS.index(trigger.kind),
        "state": 0 if target is None else state_names(model).index(target),
        "stopped": int(getattr(trigger, "stopped", False)),
        "symbols": 0 if symbol is None else counted_bits(model, symbol),
    }
    multiplier = getattr(trigger, "multiplier", None)
    if multiplier is not None:
        fields["multiplier"] = _table(multiplier)
    spins, pattern = np.zeros(0, np.uint32), np.zeros(0, np.uint8)
    match trigger:
        case k.FreeSpinsTrigger():
            spins = np.array([trigger.award(n) for n in counts], dtype=np.uint32)
            fields |= {
                "fresh": int(trigger.fresh),
                "reset": int(trigger.reset),
                "carry": _bits(model, trigger.carry),
                **_conditions(model, trigger),
                "become": int(trigger.become),
                "least": min(trigger.spins),
            }
        case k.FullReelsTrigger():
            spins = np.array([k.by_count(trigger.spins, n) for n in range(model.reels + 1)], dtype=np.uint32)
        case k.WinTrigger():
            fields["become"] = int(trigger.become)
            spins = np.zeros((len(entries(model)), len(counts)), dtype=np.uint32)
            for name, table in trigger.spins.items():
                spins[entries(model).index(name)] = [k.by_count(table, n) for n in counts]
            fields |= {"evaluator": state.evaluators.index(trigger.evaluator), "counts": len(counts)}
        case k.CollectedTrigger():
            fields |= {
                "every": trigger.every,
                "levels": len(trigger.spins),
                "level_spins": trigger.spins,
                "level_multipliers": trigger.multipliers,
                "level_states": tuple(
                    state_names(model).index(trigger.states[i]) if trigger.states else ANY_SYMBOL
                    for i in range(len(trigger.spins))
                ),
                "from_batch": int(trigger.multipliers_from == "batch"),
                "slot": slots(model, state).index(trigger.name),
                "most": collected_most(model, state, trigger.name),
            }
        case k.PickTrigger():
            pattern = np.array(
                [ANY_SYMBOL if s is None else model.symbols.index(s) for s in trigger.pattern], dtype=np.uint8
            )
            fields |= {
                "bonus": list(model.bonuses).index(trigger.pick),
                "factor": state.multiplier_for(trigger.name),
            }
        case k.BonusTrigger():
            spins = np.array([trigger.times(n) for n in counts], dtype=np.uint32)
            fields |= {
                "bonus": list(model.bonuses).index(trigger.bonus),
                "factor": state.multiplier_for(trigger.name),
                **_conditions(model, trigger),
            }
        case k.JackpotTrigger():
            fields |= {
                "chance": trigger.chance_of(build.play.cost_units),
                "out_of": trigger.out_of,
                "counts": trigger.count,
                "fresh": int(trigger.fresh),
                "at_end": int(trigger.at == "end"),
            }
    number = ANY_SYMBOL if not symbol else entries(model).index(symbol)
    return TriggerTable(trigger, number, spins, pattern, fields)


def _gamble(model: m.Model, gamble: k.Gamble) -> Fields:
    """The bets of a policy in order: their tables, and 1 for those that put half at risk."""
    bets = [gamble.bets[name] for name in gamble.plays]
    limit = 0 if gamble.win_max is None else gamble.win_max * model.stake_units
    return {
        "tables": tuple(_table(bet.table) for bet in bets),
        "halves": tuple(int(bet.part == "half") for bet in bets),
        "limit": limit,
        "rungs": np.array(gamble.rungs, dtype=np.int64) * model.basis_units(gamble.of),
    }


def _bonus(model: m.Model, bonus: k.Bonus) -> Fields:
    drawn, bonus = isinstance(bonus, k.Wheel), k.settled(bonus)
    unit = model.basis_units(bonus.of)
    names = list(model.bonuses)
    one = WeightTable(np.zeros(1, np.int64), np.ones(1, np.uint32), fixed=True)
    fields: dict[str, Any] = {
        "kind": BONUSES.index(getattr(bonus, "kind", "pick")),
        "picks": one,
        "prizes_per_pick": one,
        "prizes": one,
        "of_win": int(bonus.of == "win"),
    }
    match bonus:
        case k.Pick():
            fields |= {
                "picks": _table(bonus.picks, draws_single=True),
                "prizes_per_pick": _table(bonus.prizes_per_pick, draws_single=True),
                "prizes": _table(bonus.prizes, unit=unit, draws_single=True),
            }
        case k.Take():
            fields |= {
                "prizes": _table(k.Table(bonus.prizes, (1,) * len(bonus.prizes)), unit=unit),
                "take": bonus.take,
                "equal_multiplier": bonus.equal_multiplier,
                "ends": _end_bits(bonus.ends),
                "lives": bonus.lives,
            }
        case k.Wheel():
            segments = bonus.segments
            pays = k.Table(tuple(s.pay for s in segments), tuple(s.weight for s in segments))
            states = state_names(model)
            fields |= {
                "prizes": _table(pays, unit=unit, draws_single=drawn),
                "segment_spins": np.array([s.spins for s in segments], dtype=np.uint32),
                "segment_states": np.array(
                    [states.index(s.state) if s.state else 0 for s in segments], dtype=np.uint32
                ),
                **_segment_multipliers(segments),
                "segment_become": np.array([s.become for s in segments], dtype=np.uint8)
                if any(s.become for s in segments)
                else None,
                "segment_jackpots": np.array([s.jackpot is not None for s in segments], dtype=np.uint8)
                if any(s.jackpot for s in segments)
                else None,
                "segment_bonuses": np.array(
                    [ANY_SYMBOL if s.bonus is None else names.index(s.bonus) for s in segments], dtype=np.uint32
                ),
            }
        case k.Trail():
            fields |= {
                "picks": _table(bonus.die),
                "squares": len(bonus.squares),
                "square_pays": np.array(bonus.squares, dtype=np.int64) * unit,
                "rolls_max": bonus.rolls_max,
                "finish": bonus.finish * unit,
                "ends": _end_bits(bonus.ends),
                "pays_last": int(bonus.pays == "last"),
            }
    return fields


def _end_bits(ends: Iterable[int]) -> tuple[int, int]:
    """Numbers from 1 to 64 as a set of 128 bits, in two words."""
    low, high = (sum(1 << number % 64 for number in ends if number // 64 == word) for word in range(2))
    return low, high


def _segment_multipliers(segments: Sequence[k.Segment]) -> Fields:
    """Tables of the multipliers that segments give to the features they award, one after the other."""
    tables = [segment.multiplier for segment in segments]
    if not any(tables):
        return {}
    places: list[tuple[int, int]] = []
    values: list[int] = []
    cumulative: list[int] = []
    for table in tables:
        places.append((len(values), len(table.values) if table else 0))
        if table:
            values += table.values
            cumulative += itertools.accumulate(table.weights)
    return {
        "segment_multipliers": np.array(places, dtype=np.uint32).reshape(-1),
        "multiplier_values": np.array(values, dtype=np.int64),
        "multiplier_cumulative": np.array(cumulative, dtype=np.uint32),
    }


def combination_count(table: StateTable) -> int:
    """Paths of draws of one spin of a state that differ in its grid: an upper bound of what visiting costs.

    Draws of transforms and refills are not counted; states that have some are visited only when they are tiny.
    """
    linked = table.state.linked
    sets = [
        int(np.prod([len(s.distinct_stops) for reel, s in enumerate(strips) if not first < reel <= last], dtype=object))
        for strips in table.sets
        for first, last in (linked.runs if linked else [k.NOTHING_LINKED])
    ]
    heights = int(np.prod([len(t.values) for t in table.heights], dtype=object))
    per_cell = sum(sets)
    if table.fields["cells"]:
        rows: Sequence[int] = [int(t.values.max()) for t in table.heights]
        rows = [*rows, *[len(rows)] * (len(table.strips) - len(rows))]  # cells of the top reel, at most
        per_cell = sum(
            int(np.prod([len(s.distinct_stops) ** n for s, n in zip(strips, rows, strict=True)], dtype=object))
            for strips in table.sets
        )
    return per_cell * heights
