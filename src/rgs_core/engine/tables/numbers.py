"""Numbers of states, symbols and entries, sets of them as bits, weighted tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.engine.tables.records import WHEN, Fields, WeightTable
from rgs_core.language import mechanics as k
from rgs_core.language import model as m


def state_names(model: m.Model) -> list[str]:
    """States in the order of the engine: START_STATE, what its triggers award, then the rest of the file."""
    awarded = [getattr(trigger, "state", None) for trigger in model.states[m.START_STATE].triggers]
    return list(dict.fromkeys([m.START_STATE, *filter(None, awarded), *model.states]))


def entries(model: m.Model) -> list[str]:
    """What can be read on a line: symbols, then groups; a number in a table is a place in this list."""
    return [*model.symbols, *model.groups]


def symbol_bits(model: m.Model, symbols: Iterable[str]) -> int:
    return sum(1 << model.symbols.index(symbol) for symbol in set(symbols))


def read_bits(model: m.Model, symbols: Iterable[str]) -> int:
    """The symbols, and the doubles that count as one of them."""
    wanted = set(symbols)
    return symbol_bits(model, [shown for shown in model.symbols if model.read(shown)[0] in wanted])


def reel_bits(model: m.Model, reels: tuple[int, ...] | None) -> int:
    return sum(1 << reel for reel in (range(model.reels) if reels is None else reels))


def counted_bits(model: m.Model, entry: str) -> int:
    """What a cell may show to count as a symbol or group, as bits."""
    return read_bits(model, model.members(entry))


def readings_of(model: m.Model, paying: Iterable[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
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
        "reels": reel_bits(model, counted.reels),
    }


def weight_table(table: k.Table, *, unit: int = 1, draws_single: bool = False) -> WeightTable:
    values = np.array([value * unit for value in table.values], dtype=np.int64)
    cumulative = np.cumsum(table.weights, dtype=np.uint64).astype(np.uint32)
    return WeightTable(values, cumulative, fixed=len(values) == 1 and not draws_single)


def symbol_table(model: m.Model, table: k.SymbolTable) -> WeightTable:
    return weight_table(k.Table(tuple(model.symbols.index(s) for s in table.symbols), table.weights))


def condition_fields(model: m.Model, part: k.Conditional) -> Fields:
    """What a transform or trigger needs to work; `in_view` is rows of rgs_in_view."""
    fields: dict[str, Any] = {"when": WHEN.index(part.when)}
    if part.odds is not None:
        fields |= {"chance": part.odds.chance, "out_of": part.odds.out_of}
    rows = [
        [
            counted_bits(model, condition.counted.symbol),
            reel_bits(model, condition.counted.reels),
            int(condition.counted.per_reel),
            int(condition.counted.stopped),
            condition.least,
            m.COUNT_MAX if condition.most is None else condition.most,
        ]
        for condition in part.in_view
    ]
    if rows:
        fields["in_view"] = np.array(rows, dtype=np.uint64)
    return fields
