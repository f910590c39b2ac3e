"""Transforms: what changes the grid before it pays, and the multipliers that a spin draws or earns.

Where a table has a single entry nothing is drawn from it. Held cells take part like all others, except
that `add` never chooses one; what they are remembered as only `stick` changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import prod

from rgs_core.language.mechanics import (
    Act,
    Add,
    Expand,
    Fill,
    InView,
    Mark,
    Multiplier,
    Nudge,
    Replace,
    Reveal,
    Stick,
    SymbolTable,
    Table,
    Transform,
    Values,
)
from rgs_core.language.model import State, Strip
from rgs_core.outcome import ValueAct
from rgs_core.reference.acts import act
from rgs_core.reference.grid import Cell, Grid, Memory, note_rest
from rgs_core.reference.words import Numbers, draw_unless_one, succeeds


def draw_for_feature(state: State, memory: Memory, numbers: Numbers) -> None:
    """What transforms draw once for all spins of a feature: in its first spin, before all else but a special symbol."""
    for place, transform in enumerate(state.transforms):
        if isinstance(transform, Reveal | Multiplier) and transform.each == "feature" and place not in memory.drawn:
            table = transform.table
            entries: tuple[str | int, ...] = table.symbols if isinstance(table, SymbolTable) else table.values
            memory.drawn[place] = draw_unless_one(entries, table.weights, numbers)


def as_drawn(state: State, memory: Memory) -> Iterator[Transform]:
    """The transforms of a state in order; one that was drawn for the feature has nothing but that in its table now."""
    for place, transform in enumerate(state.transforms):
        drawn = memory.drawn.get(place)
        if isinstance(transform, Reveal) and isinstance(drawn, str):
            yield dataclasses.replace(transform, table=SymbolTable((drawn,), (1,)))
        elif isinstance(transform, Multiplier) and isinstance(drawn, int):
            yield dataclasses.replace(transform, table=Table((drawn,), (1,)))
        else:
            yield transform


def transform_stopped(
    state: State,
    grid: Grid,
    memory: Memory,
    held: Collection[Cell],
    strips: Sequence[Strip],
    tops: list[int],
    idle: set[int],
    numbers: Numbers,
    would_win: Callable[[], bool],
    shows: Callable[[Iterable[InView]], bool],
) -> tuple[int, list[ValueAct]]:
    """All transforms of the state in order, on the grid as it stopped; before them the modifier of the spin is drawn.
    Returns the multiplier of the spin, and what cells did to the values of others.

    `held`: the cells held before the spin. `tops` is the stop of each reel; nudges move it. A condition asks for
    numbers of symbols in view, or whether the grid as it is now would win; then odds are drawn. The places of
    transforms that do not work are added to `idle`: such a transform does nothing in this spin, but a multiplier that
    persists stays what it was.
    """
    if state.modifiers is not None:
        memory.modifier = draw_unless_one(state.modifiers.names, state.modifiers.weights, numbers)
    multiplier = 1
    acts: list[ValueAct] = []
    persisting = 0
    for place, transform in enumerate(as_drawn(state, memory)):
        running = persisting
        persisting += isinstance(transform, Multiplier) and transform.persist
        if not works(transform, memory.modifier, numbers, would_win, shows):
            idle.add(place)
            if persisting > running:
                multiplier *= max(1, memory.multipliers.get(running, 1))
            continue
        match transform:
            case Add():
                add(transform, grid, memory, numbers)
            case Fill():
                fill(transform, grid, numbers)
            case Mark():
                mark(transform, grid, memory)
            case Stick():
                for cell in stick(transform, grid, memory):
                    height = len(grid.symbols[cell[0]])
                    note_rest(state, memory, cell, grid.symbol(cell), strips, tops, height)
            case Multiplier():
                multiplier *= draw_multiplier(transform, running, grid, memory, numbers)
            case Nudge():
                steps = nudge(transform, grid, memory, strips, tops)
                multiplier *= 1 + transform.multiplier * steps if transform.multiplies == "spin" else 1
            case Act():
                acts += act(transform, grid, held, numbers)
            case _:
                change(transform, grid, numbers)
    return multiplier, acts


def works(
    transform: Transform,
    modifier: str,
    numbers: Numbers,
    would_win: Callable[[], bool],
    shows: Callable[[Iterable[InView]], bool],
) -> bool:
    """Whether a transform works in this spin: with the modifier that was drawn, where its conditions hold, and its odds,
    drawn only then, succeed."""
    if isinstance(transform, Stick):
        return True
    if transform.modifiers and modifier not in transform.modifiers:
        return False
    if not shows(transform.in_view):
        return False
    if transform.when != "always" and would_win() != (transform.when == "win"):
        return False
    return succeeds(transform.odds, numbers)


def transform_refilled(state: State, grid: Grid, memory: Memory, idle: Collection[int], numbers: Numbers) -> None:
    """After a refill only those transforms work that change what symbols are: no adding, holding, multiplying, nudging
    or acting on values. But what moves between steps is held from the step on in which it comes."""
    for place, transform in enumerate(as_drawn(state, memory)):
        if isinstance(transform, Stick) and transform.each == "step":
            stick(transform, grid, memory)
        elif place not in idle and not isinstance(transform, Add | Stick | Multiplier | Nudge | Act | Fill | Mark):
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
        together: dict[str, tuple[int, ...]] = {"feature": (), "spin": (), "reel": (reel,), "cell": (reel, row)}
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


def fill(transform: Fill, grid: Grid, numbers: Numbers) -> None:
    """A drawn number of reels, one after the other, each of those left equally likely, turn into the symbol; cells that
    change lose their value."""
    count = draw_unless_one(transform.count.values, transform.count.weights, numbers)
    left = [reel for reel in range(len(grid.symbols)) if chosen(reel, transform.among)]
    for _ in range(count):
        reel = left.pop(numbers.below(len(left)))
        for row, symbol in enumerate(grid.symbols[reel]):
            if symbol != transform.symbol:
                grid.put((reel, row), transform.symbol, 0)


def mark(transform: Mark, grid: Grid, memory: Memory) -> None:
    """Cells that show one of the symbols mark their places over the feature. In its last spin, behind which none is left
    before its own awards, all marked places in view turn into the symbol; cells that change lose their value."""
    memory.marked |= set(grid.showing(transform.symbols))
    for cell in grid.cells() if memory.left == 0 else ():
        if cell in memory.marked and grid.symbol(cell) != transform.into:
            grid.put(cell, transform.into, 0)


def give_values(transform: Values, grid: Grid, numbers: Numbers) -> None:
    """Each cell that shows one of the symbols and has no value gets a drawn one, or all of a reel the same."""
    drawn: dict[tuple[int, ...], int] = {}
    for cell in grid.showing(transform.symbols):
        if grid.value(cell) == 0 and chosen(cell[0], transform.reels):
            share = cell[:1] if transform.each == "reel" else cell
            if share not in drawn:
                drawn[share] = draw_unless_one(transform.table.values, transform.table.weights, numbers)
            grid.put(cell, grid.symbol(cell), drawn[share])


def stick(transform: Stick, grid: Grid, memory: Memory) -> list[Cell]:
    """Cells that show one of the symbols are held from now on, with the symbol and value that they have now. Returns
    those that were not held before."""
    cells = grid.showing(transform.symbols)
    new = [cell for cell in cells if cell not in memory.held]
    for cell in cells:
        memory.held[cell] = (grid.symbol(cell), grid.value(cell))
    return new


def nudge(transform: Nudge, grid: Grid, memory: Memory, strips: Sequence[Strip], tops: list[int]) -> int:
    """Moves each chosen reel that shows the symbol, and returns how many steps all of them have moved.

    Of the stops up to `steps_max` away the reel takes the one at which most of its cells show the symbol; of equal
    ones the nearest, then the one downwards, where symbols come in from above: the stop goes back on the strip.
    Held cells are no part of the reel: they lie over it and stay, while it moves beneath them. Where cells are
    multiplied, those of a reel that moved and show the symbol get 1 + `multiplier` x its steps as their value.
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
            multiplied = transform.multiplies == "cells" and best != 0 and symbol == transform.symbol
            grid.put((reel, row), symbol, 1 + transform.multiplier * abs(best) if multiplied else 0)
        moved += abs(best)
    return moved


def in_view(strip: Strip, stop: int, rows: Sequence[int]) -> list[str]:
    """What a strip shows in some rows at a stop."""
    return [strip.symbols[(stop + row) % len(strip.symbols)] for row in rows]


def draw_multiplier(transform: Multiplier, place: int, grid: Grid, memory: Memory, numbers: Numbers) -> int:
    """The multiplier of the spin by one transform: its draws by product or sum, over the feature if it persists.
    `place`: how many that persist stand before it; as another state the feature goes on with the one in this place.

    One is drawn for the spin, for each reel that shows nothing but the symbol, or for each cell that shows it.
    """
    match transform.each:
        case "spin" | "feature":
            times = 1
        case "full_reel":
            times = sum(all(symbol == transform.symbol for symbol in column) for column in grid.symbols)
        case "cell":
            times = sum(column.count(transform.symbol or "") for column in grid.symbols)
    drawn = [draw_unless_one(transform.table.values, transform.table.weights, numbers) for _ in range(times)]
    if transform.combine == "product":
        result = prod(drawn)
        running = (memory.multipliers.get(place) or 1) * result
    else:
        result = sum(drawn)
        running = memory.multipliers.get(place, 0) + result
    if transform.persist:
        memory.multipliers[place] = running
        result = running
    return max(1, result)
