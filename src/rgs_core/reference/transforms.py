"""Transforms: what changes the grid before it pays, and the multipliers that a spin draws or earns.

Where a table has a single entry nothing is drawn from it. Held cells take part like all others, except
that `add` never chooses one; what they are remembered as only `stick` changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from rgs_core.language.mechanics import Add, Expand, Multiplier, Nudge, Replace, Reveal, Stick, Values
from rgs_core.language.model import State, Strip
from rgs_core.reference.grid import Grid, Memory
from rgs_core.reference.words import Numbers, draw_unless_one


def transform_stopped(
    state: State, grid: Grid, memory: Memory, strips: Sequence[Strip], tops: list[int], numbers: Numbers
) -> int:
    """All transforms of the state in order, on the grid as it stopped. Returns the multiplier of the spin.

    `tops` is the stop of each reel; nudges move it.
    """
    multiplier = 1
    for place, transform in enumerate(state.transforms):
        match transform:
            case Add():
                add(transform, grid, memory, numbers)
            case Stick():
                stick(transform, grid, memory)
            case Multiplier():
                multiplier *= draw_multiplier(transform, place, grid, memory, numbers)
            case Nudge():
                multiplier *= 1 + transform.multiplier * nudge(transform, grid, memory, strips, tops)
            case _:
                change(transform, grid, numbers)
    return multiplier


def transform_refilled(state: State, grid: Grid, numbers: Numbers) -> None:
    """After a refill only those transforms work that change what symbols are: no adding, holding, multiplying or
    nudging."""
    for transform in state.transforms:
        if not isinstance(transform, Add | Stick | Multiplier | Nudge):
            change(transform, grid, numbers)


def change(transform: Reveal | Expand | Replace | Values, grid: Grid, numbers: Numbers) -> None:
    """One transform that works on every step."""
    match transform:
        case Reveal():
            reveal(transform, grid, numbers)
        case Expand():
            expand(transform, grid)
        case Replace():
            replace(transform, grid)
        case Values():
            give_values(transform, grid, numbers)


def chosen(reel: int, reels: tuple[int, ...] | None) -> bool:
    """Whether a transform works on this reel; None means all."""
    return reels is None or reel in reels


def reveal(transform: Reveal, grid: Grid, numbers: Numbers) -> None:
    """Cells that show the symbol turn into a drawn one: one draw for all, for each reel, or for each cell.

    Nothing is drawn where no cell shows the symbol. Values stay.
    """
    cells = grid.showing({transform.symbol})
    drawn: dict[tuple[int, ...], str] = {}
    for reel, row in cells:
        together: dict[str, tuple[int, ...]] = {"spin": (), "reel": (reel,), "cell": (reel, row)}
        share = together[transform.each]
        if share not in drawn:
            drawn[share] = draw_unless_one(transform.table.symbols, transform.table.weights, numbers)
        grid.put((reel, row), drawn[share], grid.value((reel, row)))


def expand(transform: Expand, grid: Grid) -> None:
    """A chosen reel that shows the symbol turns into `into`; cells that change lose their value."""
    for reel, column in enumerate(grid.symbols):
        if chosen(reel, transform.reels) and transform.symbol in column:
            for row in range(len(column)):
                if column[row] != transform.into:
                    grid.put((reel, row), transform.into, 0)


def replace(transform: Replace, grid: Grid) -> None:
    """Cells of the chosen reels that show the symbol turn into `into` and keep their value."""
    for cell in grid.showing({transform.symbol}):
        if chosen(cell[0], transform.reels):
            grid.put(cell, transform.into, grid.value(cell))


def add(transform: Add, grid: Grid, memory: Memory, numbers: Numbers) -> None:
    """A drawn number of cells, one after the other, each of those left equally likely, turn into the symbol.

    Eligible are cells of the chosen reels that are not held and show one of `over` (None: anything else than
    the symbol). The number is drawn even when there is no such cell.
    """
    count = draw_unless_one(transform.count.values, transform.count.weights, numbers)
    candidates = [
        cell
        for cell in grid.cells()
        if chosen(cell[0], transform.reels)
        and cell not in memory.held
        and (grid.symbol(cell) != transform.symbol if transform.over is None else grid.symbol(cell) in transform.over)
    ]
    for _ in range(min(count, len(candidates))):
        cell = candidates.pop(numbers.below(len(candidates)))
        grid.put(cell, transform.symbol, 0)


def give_values(transform: Values, grid: Grid, numbers: Numbers) -> None:
    """Each cell that shows one of the symbols and has no value gets a drawn one."""
    for cell in grid.showing(transform.symbols):
        if grid.value(cell) == 0:
            value = draw_unless_one(transform.table.values, transform.table.weights, numbers)
            grid.put(cell, grid.symbol(cell), value)


def stick(transform: Stick, grid: Grid, memory: Memory) -> None:
    """Cells that show one of the symbols are held from now on, with the symbol and value that they have now."""
    for cell in grid.showing(transform.symbols):
        memory.held[cell] = (grid.symbol(cell), grid.value(cell))


def nudge(transform: Nudge, grid: Grid, memory: Memory, strips: Sequence[Strip], tops: list[int]) -> int:
    """Moves each chosen reel that shows the symbol, and returns how many steps all of them have moved.

    Of the stops up to `steps_max` away the reel takes the one at which most of its cells show the symbol; of equal
    ones the nearest, then the one downwards, where symbols come in from above: the stop goes back on the strip.
    Held cells are no part of the reel: they lie over it and stay, while it moves beneath them.
    """
    moved = 0
    for reel, strip in enumerate(strips):
        rows = [row for row in range(len(grid.symbols[reel])) if (reel, row) not in memory.held]
        if not chosen(reel, transform.reels) or all(grid.symbol((reel, row)) != transform.symbol for row in rows):
            continue
        best, most = 0, 0
        for step in sorted(range(-transform.steps_max, transform.steps_max + 1), key=lambda step: (abs(step), step)):
            count = in_view(strip, tops[reel] + step, rows).count(transform.symbol)
            if count > most:  # of equal ones the first: the nearest, downwards before upwards
                best, most = step, count
        tops[reel] = (tops[reel] + best) % len(strip.symbols)
        for row, symbol in zip(rows, in_view(strip, tops[reel], rows), strict=True):
            grid.put((reel, row), symbol, 0)
        moved += abs(best)
    return moved


def in_view(strip: Strip, stop: int, rows: Sequence[int]) -> list[str]:
    """What a strip shows in some rows at a stop."""
    return [strip.symbols[(stop + row) % len(strip.symbols)] for row in rows]


def draw_multiplier(transform: Multiplier, place: int, grid: Grid, memory: Memory, numbers: Numbers) -> int:
    """The multiplier of the spin by one transform: its draws by product or sum, over the feature if it persists.

    One is drawn for the spin, for each reel that shows nothing but the symbol, or for each cell that shows it.
    """
    match transform.each:
        case "spin":
            times = 1
        case "full_reel":
            times = sum(all(symbol == transform.symbol for symbol in column) for column in grid.symbols)
        case "cell":
            times = sum(column.count(transform.symbol or "") for column in grid.symbols)
    drawn = [draw_unless_one(transform.table.values, transform.table.weights, numbers) for _ in range(times)]
    if transform.combine == "product":
        result = prod(drawn)
        running = memory.multipliers.get(place, 1) * result
    else:
        result = sum(drawn)
        running = memory.multipliers.get(place, 0) + result
    if transform.persist:
        memory.multipliers[place] = running
        result = running
    return max(1, result)
