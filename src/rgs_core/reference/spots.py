"""Spots: places of the grid that are marked by the cells removed from them, and multiply the wins that cover them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import prod

from rgs_core.language.mechanics import Spots
from rgs_core.language.model import State
from rgs_core.outcome import CellTable
from rgs_core.reference.grid import Cell, Grid, Memory
from rgs_core.reference.pays import Found


def mark_spots(spots: Spots, memory: Memory, removed: Collection[Cell]) -> None:
    """Every cell that is removed marks its place, or makes what the place holds grow."""
    for cell in removed:
        memory.spots[cell] = grown(spots, memory.spots.get(cell, 0))


def grown(spots: Spots, mark: int) -> int:
    """Nothing (0) becomes a mark (1), a mark the first multiplier, and that grows up to the largest."""
    if mark == 0:
        return 1
    if mark == 1:
        return spots.first
    return min(mark * 2 if spots.step is None else mark + spots.step, spots.multiplier_max)


def multiplied(state: State, memory: Memory, found: Found) -> Found:
    """A win, times what the multipliers of its places come to. A place that is only marked does not count.

    The win of a line was chosen before, by what it pays without them. What the state exempts is not multiplied.
    """
    win, cells = found
    multipliers = [memory.spots[cell] for cell in cells if memory.spots.get(cell, 0) > 1]
    if state.spots is None or not multipliers or state.exempt(win.evaluator, win.symbol, win.count):
        return found
    factor = sum(multipliers) if state.spots.combine == "sum" else prod(multipliers)
    more = replace(win, wild_multiplier=win.wild_multiplier * factor, amount_units=win.amount_units * factor)
    return more, cells


def spot_table(memory: Memory, grid: Grid) -> CellTable:
    """What the places of a grid hold, for the record; nothing when none holds anything."""
    if not any(memory.spots.get(cell) for cell in grid.cells()):
        return ()
    return tuple(
        tuple(memory.spots.get((reel, row), 0) for row in range(len(column)))
        for reel, column in enumerate(grid.symbols)
    )
