"""Strips, and which of their stops look different."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rgs_core.engine.tables.numbers import weight_table
from rgs_core.engine.tables.records import StateTable, StripTable, WeightTable
from rgs_core.language import mechanics as k
from rgs_core.language import model as m


def linked_table(linked: k.Linked) -> WeightTable:
    return weight_table(k.Table(tuple(first + 8 * last for first, last in linked.runs), linked.weights))


def strip_set(build: m.Build, state: m.State, name: str) -> tuple[StripTable, ...]:
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
    if refilled or state.stacks or any(isinstance(transform, k.Nudge) for transform in state.transforms):
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
