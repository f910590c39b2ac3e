"""Pays of evaluators and specials, with multipliers and bases folded in."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.engine.tables.numbers import counted_bits, entries, readings_of, symbol_table
from rgs_core.engine.tables.records import ANY_SYMBOL, COMBINES, DIRECTIONS, EVALUATORS, EvaluatorTable, Fields
from rgs_core.language import mechanics as k
from rgs_core.language import model as m


def lines_through(model: m.Model, paylines: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    if not 0 < len(paylines) <= 64:
        return None
    cells = np.zeros(model.reels * model.rows, dtype=np.uint64)
    for line, rows in enumerate(paylines):
        for reel, row in enumerate(rows):
            cells[reel * model.rows + int(row)] |= np.uint64(1 << line)
    return cells


def evaluator_table(model: m.Model, state: m.State, evaluator: k.Evaluator) -> EvaluatorTable:
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
    readings, naturals = readings_of(model, evaluator.pays)
    paying = np.flatnonzero(pays.any(axis=0))
    fields |= {
        "exempt": exempt if exempt.any() else None,
        "counts": longest + 1,
        "count_min": -(-int(paying[0]) // (1 if evaluator.kind == "ways" else most)) if len(paying) else longest + 1,
        "readings": readings,
        "naturals": naturals,
        "wilds": int(getattr(evaluator, "wilds", True)),
        "neighbours": getattr(evaluator, "neighbours", 4),
        "along": {"rows": 1, "columns": 2, "both": 3}[getattr(evaluator, "along", "both")],
    }
    if isinstance(evaluator, k.Lines) and evaluator.full_grid:
        fields["full_grid"] = np.array([evaluator.full_grid.get(s, 1) for s in model.symbols], dtype=np.int64)
    return EvaluatorTable(evaluator, 0, pays, fields)


def _combinations(model: m.Model, state: m.State, evaluator: k.Combinations, fields: Fields) -> EvaluatorTable:
    """Every order of every combination as a pattern of its own, in the order in which they count."""
    named = entries(model)
    readings, naturals = readings_of(model, {s for c in evaluator.combinations for s in c.symbols if s is not None})
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


def special_fields(model: m.Model, state: m.State, special: k.Special) -> Fields:
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
        "special": symbol_table(model, special.table),
        "special_own_lines": int(special.own_lines),
        "special_count": special.count,
        "special_most": special.count_most,
        "special_more": 1 << [t.name for t in state.triggers].index(special.more_with) if special.more_with else 0,
        "special_pays": pays,
        "special_exempt": exempt,
    }
