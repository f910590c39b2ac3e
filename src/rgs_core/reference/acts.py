"""Acts: cells that change the values of other cells, such as payers, collectors and multipliers of hold and spin."""

from __future__ import annotations

from collections.abc import Collection

from rgs_core.language.mechanics import Act
from rgs_core.outcome import ValueAct
from rgs_core.reference.grid import Cell, Grid
from rgs_core.reference.words import Numbers, draw_unless_one


def act(transform: Act, grid: Grid, held: Collection[Cell], numbers: Numbers) -> list[ValueAct]:
    """Every cell with one of the symbols acts, reel by reel from the left, from the top; later ones see what
    earlier ones did. `held`: the cells that were held before the spin, which act no more where that is once.

    Only a collector acts without a value of its own, and none where there is no cell to act on.
    """
    done = []
    for cell in grid.showing(transform.symbols):
        own = grid.value(cell)
        if (transform.once and cell in held) or (own == 0 and transform.does != "collect_all"):
            continue
        others = [other for other in grid.cells() if other != cell and acted_on(transform, grid, other)]
        if not others:
            continue
        amount = own
        match transform.does:
            case "add_to_all":
                for other in others:
                    set_value(transform, grid, other, grid.value(other) + own)
            case "multiply_all":
                for other in others:
                    set_value(transform, grid, other, grid.value(other) * own)
            case "multiply_some":
                others = some_of(transform, others, numbers)
                for other in others:
                    set_value(transform, grid, other, grid.value(other) * own)
            case "collect_all":
                amount = sum(grid.value(other) for other in others)
                set_value(transform, grid, cell, own + amount)
        done.append(ValueAct(grid.symbol(cell), transform.does, cell, amount, tuple(others)))
    return done


def acted_on(transform: Act, grid: Grid, cell: Cell) -> bool:
    """Whether a cell has a value, and shows what the transform acts on."""
    return grid.value(cell) > 0 and (transform.over is None or grid.symbol(cell) in transform.over)


def some_of(transform: Act, cells: list[Cell], numbers: Numbers) -> list[Cell]:
    """A drawn number of the cells, one after the other, each of those left equally likely; returned in order."""
    assert transform.count is not None  # the model file was refused otherwise
    count = draw_unless_one(transform.count.values, transform.count.weights, numbers)
    left = list(cells)
    return sorted(left.pop(numbers.below(len(left))) for _ in range(min(count, len(cells))))


def set_value(transform: Act, grid: Grid, cell: Cell, value: int) -> None:
    """Gives a cell a value, at most the largest that the transform makes; what it had is never lost."""
    grid.put(cell, grid.symbol(cell), max(grid.value(cell), min(value, transform.value_max)))
