"""The grid: how it is drawn, what a feature remembers of it, how a cascade falls and refills."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rgs_core.language.mechanics import Cascade
from rgs_core.language.model import Model, State, Strip
from rgs_core.outcome import CellTable, Window
from rgs_core.reference.words import Numbers, draw_stop, draw_unless_one

Cell = tuple[int, int]
"""A place of the grid: (reel, row), both from 0."""

HELD = -1
"""The stop on record for a held cell, which draws none."""


class Grid:
    """What is in view: a symbol for every cell, and a value, 0 for none. Reels may differ in height."""

    def __init__(self, symbols: Iterable[Iterable[str]], values: Iterable[Iterable[int]] | None = None) -> None:
        self.symbols = [list(reel) for reel in symbols]
        self.values = [list(reel) for reel in values] if values else [[0] * len(reel) for reel in self.symbols]

    def copy(self) -> Grid:
        """The same grid, to be kept while this one changes."""
        return Grid(self.symbols, self.values)

    def cells(self) -> Iterator[Cell]:
        """All cells, reel by reel from the left, each from top to bottom."""
        for reel, column in enumerate(self.symbols):
            for row in range(len(column)):
                yield reel, row

    def has(self, cell: Cell) -> bool:
        """Whether there is such a place."""
        reel, row = cell
        return 0 <= reel < len(self.symbols) and 0 <= row < len(self.symbols[reel])

    def symbol(self, cell: Cell) -> str:
        return self.symbols[cell[0]][cell[1]]

    def value(self, cell: Cell) -> int:
        return self.values[cell[0]][cell[1]]

    def put(self, cell: Cell, symbol: str, value: int) -> None:
        self.symbols[cell[0]][cell[1]] = symbol
        self.values[cell[0]][cell[1]] = value

    def showing(self, symbols: Collection[str]) -> list[Cell]:
        """The cells that show one of these symbols, in order."""
        return [cell for cell in self.cells() if self.symbol(cell) in symbols]

    @property
    def window(self) -> Window:
        return tuple(tuple(reel) for reel in self.symbols)

    @property
    def cell_table(self) -> CellTable:
        """The values for the record; nothing when no cell has one."""
        if not any(value for reel in self.values for value in reel):
            return ()
        return tuple(tuple(reel) for reel in self.values)


@dataclass
class Memory:
    """What a feature remembers from spin to spin. It begins empty, but for cells carried into it.

    `held`: symbol and value of the cells that stay. `won_steps`: winning cascade steps, where they are counted
    over the feature. `multipliers`: running multiplier by the place of its transform; `final`: running closing
    multiplier; `collected`: symbols counted by trigger; `special`: the symbol of the feature. `called`: calls
    of the state's callback; `callback`: what it asked to be shown again.
    """

    started: bool = False
    held: dict[Cell, tuple[str, int]] = field(default_factory=dict)
    won_steps: int = 0
    multipliers: dict[int, int] = field(default_factory=dict)
    final: int | None = None
    collected: dict[str, int] = field(default_factory=dict)
    special: str = ""
    called: int = 0
    callback: object = None


# --- Drawing a grid --------------------------------------------------------------------------------


def draw_heights(model: Model, state: State, numbers: Numbers) -> list[int]:
    """Rows in view on each reel, from the left; only a reel whose height varies draws it."""
    if state.heights is None:
        return [model.rows] * model.reels
    return [draw_unless_one(table.values, table.weights, numbers) for table in state.heights]


def move_held(state: State, memory: Memory) -> None:
    """Before a further spin held cells walk: each by the step of the first transform that holds its symbol.

    They go in order of their cells; one that arrives where another already is takes its place.
    """
    moved: dict[Cell, tuple[str, int]] = {}
    for (reel, row), (symbol, value) in sorted(memory.held.items()):
        moved[reel + step_of(state, symbol), row] = (symbol, value)
    memory.held = moved


def step_of(state: State, symbol: str) -> int:
    """Reels that a held symbol moves before each further spin."""
    for transform in state.transforms:
        if transform.kind == "stick" and symbol in transform.symbols:
            return transform.step
    return 0


def drop_lost(memory: Memory, heights: Sequence[int]) -> None:
    """Held cells whose place does not exist on this spin's grid are gone for good."""
    memory.held = {
        (reel, row): kept
        for (reel, row), kept in memory.held.items()
        if 0 <= reel < len(heights) and row < heights[reel]
    }


def draw_reels(strips: Sequence[Strip], heights: Sequence[int], numbers: Numbers) -> tuple[list[int], Grid]:
    """A stop for each reel from the left; from there on the strip shows as many symbols as there are rows."""
    stops = [draw_stop(strip, numbers) for strip in strips]
    return stops, Grid(
        [strip.symbols[(stop + row) % len(strip.symbols)] for row in range(height)]
        for strip, stop, height in zip(strips, stops, heights, strict=True)
    )


def draw_cells(
    strips: Sequence[Strip], heights: Sequence[int], held: Collection[Cell], numbers: Numbers
) -> tuple[list[int], Grid]:
    """A stop for each cell, reel by reel from the left, top to bottom; held cells draw nothing."""
    stops = []
    symbols: list[list[str]] = []
    for reel, (strip, height) in enumerate(zip(strips, heights, strict=True)):
        symbols.append([])
        for row in range(height):
            stop = HELD if (reel, row) in held else draw_stop(strip, numbers)
            stops.append(stop)
            symbols[reel].append("" if stop == HELD else strip.symbols[stop])
    return stops, Grid(symbols)


def lay_held(grid: Grid, memory: Memory) -> None:
    """Held cells lie over what was drawn, with their symbol and value."""
    for cell, (symbol, value) in memory.held.items():
        grid.put(cell, symbol, value)


# --- Cascades --------------------------------------------------------------------------------------


def fall_and_refill(
    grid: Grid,
    removed: Collection[Cell],
    held: Collection[Cell],
    cascade: Cascade,
    strips: Sequence[Strip],
    tops: list[int],
    numbers: Numbers,
) -> None:
    """Removed cells vanish, the others of their reel fall, the places that get free at the top are refilled.

    Held cells stay where they are and the others fall past them. A strip refill continues the strip upwards:
    `tops` is the place on the strip of the topmost symbol, and moves up. A fresh one draws a stop for each
    empty place, reel by reel from the left, top to bottom. Values fall along; new cells have none.
    """
    for reel, strip in enumerate(strips):
        places = [row for row in range(len(grid.symbols[reel])) if (reel, row) not in held]
        staying = [(grid.symbol((reel, row)), grid.value((reel, row))) for row in places if (reel, row) not in removed]
        empty = len(places) - len(staying)
        if cascade.refill == "strip":
            tops[reel] = (tops[reel] - empty) % len(strip.symbols)
            new = [strip.symbols[(tops[reel] + i) % len(strip.symbols)] for i in range(empty)]
        else:
            new = [strip.symbols[draw_stop(strip, numbers)] for _ in range(empty)]
        column = [(symbol, 0) for symbol in new] + staying
        for row, (symbol, value) in zip(places, column, strict=True):
            grid.put((reel, row), symbol, value)
