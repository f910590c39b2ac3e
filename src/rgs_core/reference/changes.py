"""Cells of wins that do not go in a cascade: they become other symbols, or a win leaves one in their place."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rgs_core.language.mechanics import Cascade
from rgs_core.outcome import CellChange
from rgs_core.reference.grid import Cell, Grid
from rgs_core.reference.pays import Found
from rgs_core.reference.words import Numbers, draw_unless_one


def become(cascade: Cascade, grid: Grid, cells: Collection[Cell], numbers: Numbers) -> list[CellChange]:
    """Each of these cells shows another symbol now, by its own table; it keeps its value."""
    changed = []
    for cell in sorted(cells):
        table = cascade.become[grid.symbol(cell)]
        symbol = draw_unless_one(table.symbols, table.weights, numbers)
        grid.put(cell, symbol, grid.value(cell))
        changed.append(CellChange(cell, symbol))
    return changed


def leave(
    cascade: Cascade, grid: Grid, found: Sequence[Found], removed: Collection[Cell], numbers: Numbers
) -> list[CellChange]:
    """Each win, in their order, leaves what the first rule that holds for it says, without a value.

    It does so in one of its own cells that are removed and in which no other win has left anything; a win without
    such a cell leaves nothing. First the place is drawn, then the symbol.
    """
    changed: list[CellChange] = []
    for win, cells in found:
        rule = next((rule for rule in cascade.leave if rule.holds(win.evaluator, win.symbol, win.count)), None)
        taken = {change.cell for change in changed}
        empty = sorted(cell for cell in set(cells) if cell in removed and cell not in taken)
        if rule is None or not empty:
            continue
        cell = middle(empty) if rule.place == "middle" else empty[numbers.below(len(empty))]
        symbol = draw_unless_one(rule.table.symbols, rule.table.weights, numbers)
        grid.put(cell, symbol, 0)
        changed.append(CellChange(cell, symbol))
    return changed


def middle(cells: Sequence[Cell]) -> Cell:
    """The cell nearest to the mean of the reels and rows of all, of equal ones the first. Distances are in units of one
    cell divided by their number, so that they are whole."""
    n = len(cells)
    reels, rows = sum(reel for reel, _ in cells), sum(row for _, row in cells)
    return min(cells, key=lambda cell: (n * cell[0] - reels) ** 2 + (n * cell[1] - rows) ** 2)
