"""The grid: how it is drawn, what a feature remembers of it, how a cascade falls and refills."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rgs_core.language.mechanics import NOTHING_LINKED, Cascade, Stick
from rgs_core.language.model import Model, State, Strip
from rgs_core.outcome import CellTable, Window
from rgs_core.reference.words import Numbers, draw_stop, draw_unless_one

Cell = tuple[int, int]
"""A place of the grid: (reel, row), both from 0."""

RESTS_MAX = 64
"""Most cells of a stack that come in beyond the window."""

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
    over the feature. `multipliers`: running multiplier by the place of its transform among those that persist; `final`:
    running closing multiplier; `collected`: symbols counted by trigger; `multiplying` and `waiting`: of triggers whose
    levels wait, how many of them multiply, and the spins before each further one does; `left`: spins left behind the one
    that plays, without those that it awards; `fired`: triggers that fire once and have; `specials`: special symbols
    of the feature, in the order in which they were drawn, and `more_specials`: how many triggers have added. `called`:
    calls of the state's callback; `callback`: what it asked to be shown again. `spots`: what places hold. `drawn`: what
    was drawn for all spins, by the place of its transform. `marked`: places that turn in the last spin. `rest`: by reel
    the symbol of a stack that is partly held, and how many more of its cells come in. `modifier`: that of the spin.
    """

    started: bool = False
    left: int = 0
    held: dict[Cell, tuple[str, int]] = field(default_factory=dict)
    won_steps: int = 0
    multipliers: dict[int, int] = field(default_factory=dict)
    final: int | None = None
    collected: dict[str, int] = field(default_factory=dict)
    fired: set[str] = field(default_factory=set)
    multiplying: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, list[int]] = field(default_factory=dict)
    specials: list[str] = field(default_factory=list)
    more_specials: int = 0
    called: int = 0
    callback: object = None
    spots: dict[Cell, int] = field(default_factory=dict)
    drawn: dict[int, str | int] = field(default_factory=dict)
    marked: set[Cell] = field(default_factory=set)
    modifier: str = ""
    rest: dict[int, tuple[str, int]] = field(default_factory=dict)


# --- Drawing a grid --------------------------------------------------------------------------------


def draw_heights(model: Model, state: State, numbers: Numbers) -> list[int]:
    """Rows in view on each reel, from the left; only a reel whose height varies draws it."""
    if state.heights is None:
        return [model.rows] * model.reels
    return [draw_unless_one(table.values, table.weights, numbers) for table in state.heights]


def move_held(state: State, memory: Memory, each: str, heights: Sequence[int], numbers: Numbers) -> None:
    """Held cells move before a further spin, or before a refill: each by the first transform that holds its symbol.

    First all walk, in order of their cells; one that arrives where another already is takes its place, and one that
    leaves the grid is gone. Next the rest of stacks comes in behind them, a cell a reel, where its place is free. Then
    those that jump go, in order, each to a cell that is not held by then, all such cells equally likely; without one they
    stay.
    """
    moved: dict[Cell, tuple[str, int]] = {}
    for (reel, row), (symbol, value) in sorted(memory.held.items()):
        rule = stick_of(state, symbol, each)
        moved[(reel, row) if rule is None else (reel + rule.step, row + rule.fall)] = (symbol, value)
    memory.held = moved
    drop_lost(memory, heights)
    for reel, (symbol, left) in list(memory.rest.items()) if each == "spin" else ():
        rule = stick_of(state, symbol, each)
        if rule is None or not rule.stack:  # of a state from which the feature has gone on
            del memory.rest[reel]
            continue
        entry = (reel, 0 if rule.fall > 0 else heights[reel] - 1)
        if entry not in memory.held:
            memory.held[entry] = (symbol, 0)
            memory.rest[reel] = (symbol, left - 1)
            if left == 1:
                del memory.rest[reel]
    for cell, (symbol, value) in sorted(memory.held.items()):
        rule = stick_of(state, symbol, each)
        free = [(reel, row) for reel, height in enumerate(heights) for row in range(height)]
        free = [place for place in free if place not in memory.held]
        if rule is not None and rule.jump and free:
            del memory.held[cell]
            memory.held[free[numbers.below(len(free))]] = (symbol, value)


def stick_of(state: State, symbol: str, each: str) -> Stick | None:
    """The transform that moves a held symbol, where it does so now."""
    for transform in state.transforms:
        if isinstance(transform, Stick) and symbol in transform.symbols:
            return transform if transform.each == each else None
    return None


def note_rest(
    state: State, memory: Memory, cell: Cell, symbol: str, strips: Sequence[Strip], tops: Sequence[int], height: int
) -> None:
    """A cell that comes to be held where the rest of its stack will come in: remembers how many of the symbol stand on
    the strip beyond it, at most RESTS_MAX. Where the strip shows another symbol there, transforms have made the cell."""
    rule, (reel, row) = stick_of(state, symbol, "spin"), cell
    if rule is None or not rule.stack or row != (0 if rule.fall > 0 else height - 1):
        return
    symbols, count = strips[reel].symbols, 0
    while (
        count <= min(len(symbols), RESTS_MAX)
        and symbols[(tops[reel] + row - rule.fall * count) % len(symbols)] == symbol
    ):
        count += 1
    memory.rest.pop(reel, None)
    if count > 1:
        memory.rest[reel] = (symbol, count - 1)


def drop_lost(memory: Memory, heights: Sequence[int]) -> None:
    """Held cells whose place does not exist on this spin's grid are gone for good."""
    memory.held = {
        (reel, row): kept
        for (reel, row), kept in memory.held.items()
        if 0 <= reel < len(heights) and 0 <= row < heights[reel]
    }


@dataclass
class Top:
    """The reel that lies above the grid: its cells are row 0 of the reels below it, `reels`, from the left.

    `next`: the place on its strip of the symbol that comes in next, from the right.
    """

    strip: Strip
    reels: tuple[int, ...]
    next: int = 0


def draw_run(state: State, numbers: Numbers) -> tuple[int, int]:
    """First and last of the linked reels of a spin."""
    if state.linked is None:
        return NOTHING_LINKED
    return draw_unless_one(state.linked.runs, state.linked.weights, numbers)


def link_strips(strips: Sequence[Strip], run: tuple[int, int]) -> tuple[Strip, ...]:
    """Linked reels have the strip of the first of them for the whole spin."""
    first, last = run
    return tuple(strips[first] if first <= reel <= last else strip for reel, strip in enumerate(strips))


def draw_reels(
    strips: Sequence[Strip], run: tuple[int, int], top: Top | None, heights: Sequence[int], numbers: Numbers
) -> tuple[list[int], Grid]:
    """A stop for each reel from the left; from there on the strip shows as many symbols as there are rows.

    Of linked reels only the first draws, and the others have its stop. The top reel comes last; from its stop on its strip shows one symbol above each reel below it, from the left.
    """
    stops: list[int] = []
    for reel, strip in enumerate(strips):
        stops.append(stops[run[0]] if run[0] < reel <= run[1] else draw_stop(strip, numbers))
    above: dict[int, list[str]] = {}
    if top is not None:
        stop = draw_stop(top.strip, numbers)
        stops.append(stop)
        above = {reel: [top.strip.symbols[(stop + i) % len(top.strip.symbols)]] for i, reel in enumerate(top.reels)}
        top.next = (stop + len(top.reels)) % len(top.strip.symbols)
    columns: list[list[str]] = []
    for reel, (strip, height) in enumerate(zip(strips, heights, strict=True)):
        column = above.get(reel, [])
        columns.append(
            column + [strip.symbols[(stops[reel] + i) % len(strip.symbols)] for i in range(height - len(column))]
        )
    return stops, Grid(columns)


def draw_cells(
    strips: Sequence[Strip], top: Top | None, heights: Sequence[int], held: Collection[Cell], numbers: Numbers
) -> tuple[list[int], Grid]:
    """A stop for each cell, reel by reel from the left, top to bottom; held cells draw nothing. Row 0 of a reel below
    the top reel draws a stop of that one."""
    stops = []
    symbols: list[list[str]] = []
    for reel, height in enumerate(heights):
        symbols.append([])
        for row in range(height):
            strip = top.strip if top is not None and row == 0 and reel in top.reels else strips[reel]
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
    top: Top | None,
    numbers: Numbers,
) -> None:
    """Removed cells vanish, the others of their reel fall, the places that get free at the top are refilled.

    Held cells stay where they are and the others fall past them. A strip refill continues the strip upwards:
    `tops` is the place on the strip of the topmost symbol, and moves up. A fresh one draws a stop for each
    empty place, reel by reel from the left, top to bottom. Without a refill these places show the symbol for empty ones.
    Values fall along; new cells have none. The top reel is no
    part of this: it moves after all others.
    """
    for reel, strip in enumerate(strips):
        first = 1 if top is not None and reel in top.reels else 0
        places = [row for row in range(first, len(grid.symbols[reel])) if (reel, row) not in held]
        staying = [(grid.symbol((reel, row)), grid.value((reel, row))) for row in places if (reel, row) not in removed]
        empty = len(places) - len(staying)
        if cascade.refill == "strip":
            tops[reel] = (tops[reel] - empty) % len(strip.symbols)
            new = [strip.symbols[(tops[reel] + i) % len(strip.symbols)] for i in range(empty)]
        elif cascade.refill == "none":
            new = [cascade.empty] * empty
        else:
            new = [strip.symbols[draw_stop(strip, numbers)] for _ in range(empty)]
        column = [(symbol, 0) for symbol in new] + staying
        for row, (symbol, value) in zip(places, column, strict=True):
            grid.put((reel, row), symbol, value)
    if top is not None:
        slide_and_refill(grid, removed, held, cascade, top, numbers)


def slide_and_refill(
    grid: Grid, removed: Collection[Cell], held: Collection[Cell], cascade: Cascade, top: Top, numbers: Numbers
) -> None:
    """The top reel moves from right to left: its cells close up to the left, new ones come in from the right.

    Held cells stay and the others move past them. A strip refill goes on to the right on the strip, a fresh one draws
    a stop for each empty place, from the left.
    """
    cells = [(reel, 0) for reel in top.reels if (reel, 0) not in held]
    row = [(grid.symbol(cell), grid.value(cell)) for cell in cells if cell not in removed]
    for _ in range(len(cells) - len(row)):
        if cascade.refill == "strip":
            row.append((top.strip.symbols[top.next], 0))
            top.next = (top.next + 1) % len(top.strip.symbols)
        elif cascade.refill == "none":
            row.append((cascade.empty, 0))
        else:
            row.append((top.strip.symbols[draw_stop(top.strip, numbers)], 0))
    for cell, (symbol, value) in zip(cells, row, strict=True):
        grid.put(cell, symbol, value)
