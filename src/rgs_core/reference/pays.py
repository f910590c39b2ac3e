"""Evaluators: what a grid pays.

Every function finds the wins of one evaluator and, with each, the cells that a cascade would remove for it.
Evaluators draw nothing. A cell's symbol reads as an entry of a pay table when it is that symbol, a member of
that group, or a wild that stands for it. A double symbol is read as the symbol that it counts for, and its cell
counts several times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import prod

from rgs_core.language.mechanics import (
    CellValues,
    Cluster,
    Collect,
    Combination,
    Combinations,
    Count,
    Evaluator,
    Lines,
    Match,
    Scatter,
    Special,
    Ways,
)
from rgs_core.language.model import Model, State
from rgs_core.outcome import Win, Window
from rgs_core.reference.grid import Cell, Grid

Found = tuple[Win, list[Cell]]
"""A win and the cells that it is made of."""

Runs = Callable[["Look", str, list[Cell]], list[list[Cell]]]
"""Finds the runs of a line that read as an entry."""


@dataclass(frozen=True)
class Look:
    """A grid as evaluators look at it; `factor` multiplies every win that is not exempt."""

    model: Model
    state: State
    grid: Grid
    factor: int

    def multiplier(self, part: str, symbol: str, count: int) -> int:
        """The multiplier of a win: the factor, or 1 if the state exempts it."""
        return 1 if self.state.exempt(part, symbol, count) else self.factor

    def symbol(self, cell: Cell) -> str:
        """The symbol that a cell counts as: the one that it shows, or the one of which that is a double."""
        return self.model.read(self.grid.symbol(cell))[0]

    def size(self, cells: Iterable[Cell]) -> int:
        """How many symbols cells count for: one each, doubles as many as they say."""
        return sum(self.model.read(self.grid.symbol(cell))[1] for cell in cells)

    def showing(self, entry: str) -> list[Cell]:
        """The cells that count as a symbol, or as a member of a group, in order."""
        return [cell for cell in self.grid.cells() if self.natural(cell, entry)]

    def natural(self, cell: Cell, entry: str) -> bool:
        """Whether a cell shows the entry itself: the symbol, or a member of the group."""
        return self.symbol(cell) in self.model.members(entry)

    def stands_in(self, cell: Cell, entry: str) -> bool:
        """Whether a cell shows a wild that only stands for the symbol, or for any member of the group."""
        wild = self.model.wilds.get(self.symbol(cell))
        if wild is None or self.natural(cell, entry):
            return False
        return not wild.substitutes.isdisjoint(self.model.members(entry))

    def matches(self, cell: Cell, entry: str) -> bool:
        """Whether a cell reads as the entry."""
        return self.natural(cell, entry) or self.stands_in(cell, entry)

    def entries(self, pays: Mapping[str, object]) -> list[str]:
        """The entries of a pay table: symbols in declared order, then groups in declared order."""
        return [entry for entry in (*self.model.symbols, *self.model.groups) if entry in pays]


def wins_on(model: Model, state: State, evaluator: Evaluator, window: Window) -> list[Win]:
    """What one evaluator pays on a window without values, with the multiplier of the state alone."""
    look = Look(model, state, Grid(window), state.multiplier)
    return [win for win, _ in evaluate(look, evaluator)]


def evaluate(look: Look, evaluator: Evaluator, silent: Collection[str] = ()) -> Iterator[Found]:
    """The wins of one evaluator. Paylines that begin with one of the symbols `silent` do not pay."""
    match evaluator:
        case Lines():
            return line_wins(look, evaluator, silent)
        case Combinations():
            return combination_wins(look, evaluator)
        case Ways():
            return ways_wins(look, evaluator)
        case Count():
            return count_wins(look, evaluator)
        case Cluster():
            return cluster_wins(look, evaluator)
        case Match():
            return match_wins(look, evaluator)
        case Scatter():
            return scatter_wins(look, evaluator)
        case Collect():
            return collect_wins(look, evaluator)


# --- Multipliers of a win --------------------------------------------------------------------------


def wild_factor(look: Look, stand_ins: Iterable[Cell]) -> int:
    """Several of the same wild multiply once, by the product or by the sum; different wilds multiply."""
    shown = [look.symbol(cell) for cell in stand_ins]
    factor = 1
    for wild in look.model.wilds.values():
        used = shown.count(wild.symbol)
        if used > 0:
            factor *= {"once": wild.multiplier, "product": wild.multiplier**used, "sum": wild.multiplier * used}[
                wild.combine
            ]
    return factor


def cell_factor(look: Look, cells: Iterable[Cell], how: CellValues, most: int | None = None) -> int:
    """The values of the cells of a win together, at most `most`; 1 when they do not count or no cell has one."""
    values = [value for value in map(look.grid.value, cells) if value > 0]
    if not values or how == "ignore":
        return 1
    factor = {"product": prod(values), "sum": sum(values), "highest": max(values)}[how]
    return factor if most is None else min(factor, most)


# --- Lines -----------------------------------------------------------------------------------------


def line_wins(look: Look, evaluator: Lines, silent: Collection[str]) -> Iterator[Found]:
    """The best reading of every payline, where it pays.

    In both directions a line may win twice, from the left and then from the right; when the win from the
    left spans all reels it is the only one.
    """
    for number, rows in enumerate(evaluator.paylines, start=1):
        line = list(enumerate(rows))
        if look.symbol(line[0]) in silent:
            continue
        if evaluator.direction == "both":
            left = best_reading(look, evaluator, number, left_runs, line)
            right = best_reading(look, evaluator, number, right_runs, line)
            if left is not None:
                yield left
            if right is not None and (left is None or len(left[1]) < len(line)):
                yield right
        else:
            runs = {"left": left_runs, "right": right_runs, "adjacent": all_runs}[evaluator.direction]
            best = best_reading(look, evaluator, number, runs, line)
            if best is not None:
                yield best


def best_reading(look: Look, evaluator: Lines, number: int, runs: Runs, line: list[Cell]) -> Found | None:
    """The highest amount counts; of equal amounts the longer run, then the entry declared first, then the
    run further to the left."""
    best: Found | None = None
    for entry in look.entries(evaluator.pays):
        for run in runs(look, entry, line):
            win = reading(look, evaluator, number, entry, run)
            if win is None:
                continue
            if best is None or (win.amount_units, win.count) > (best[0].amount_units, best[0].count):
                best = win, run
    return best


def reading(look: Look, evaluator: Lines, line: int, entry: str, run: list[Cell]) -> Win | None:
    """What a run pays when it is read as one entry, by the number of symbols that its cells count for."""
    if evaluator.pure_wild_run == "own" and not any(look.natural(cell, entry) for cell in run):
        return None  # only wilds: they pay their own prizes, not those of another symbol
    count = look.size(run)
    pay = evaluator.pays[entry].get(count, 0)
    if pay == 0:
        return None
    wild_multiplier = wild_factor(look, [cell for cell in run if look.stands_in(cell, entry)])
    wild_multiplier *= cell_factor(look, run, evaluator.cell_values, evaluator.cell_values_max)
    wild_multiplier *= full_grid_multiplier(look, evaluator)
    multiplier = look.multiplier(evaluator.name, entry, count)
    amount = pay * look.model.line_units * wild_multiplier * multiplier
    return Win(evaluator.name, line, entry, count, wild_multiplier, multiplier, amount, start=run[0][0])


def full_grid_multiplier(look: Look, evaluator: Lines) -> int:
    """All wins are multiplied when every cell shows the same symbol and the evaluator says by how much."""
    shown = {look.symbol(cell) for cell in look.grid.cells()}
    return evaluator.full_grid.get(shown.pop(), 1) if len(shown) == 1 else 1


def left_runs(look: Look, entry: str, line: list[Cell]) -> list[list[Cell]]:
    """The cells from the leftmost reel on that read as the entry, if any."""
    run: list[Cell] = []
    for cell in line:
        if not look.matches(cell, entry):
            break
        run.append(cell)
    return [run] if run else []


def right_runs(look: Look, entry: str, line: list[Cell]) -> list[list[Cell]]:
    """The same from the rightmost reel on."""
    return [run[::-1] for run in left_runs(look, entry, line[::-1])]


def all_runs(look: Look, entry: str, line: list[Cell]) -> list[list[Cell]]:
    """All longest runs of neighbours on the line that read as the entry, from the left."""
    runs: list[list[Cell]] = [[]]
    for cell in line:
        if look.matches(cell, entry):
            runs[-1].append(cell)
        else:
            runs.append([])
    return [run for run in runs if run]


# --- Combinations ----------------------------------------------------------------------------------


def combination_wins(look: Look, evaluator: Combinations) -> Iterator[Found]:
    """The combination of every payline that pays most; of equal amounts the one listed first."""
    for number, rows in enumerate(evaluator.paylines, start=1):
        line = list(enumerate(rows))
        best: Found | None = None
        for combination in evaluator.combinations:
            found = combination_win(look, evaluator, number, combination, line)
            if found is not None and (best is None or found[0].amount_units > best[0].amount_units):
                best = found
        if best is not None:
            yield best


def combination_win(
    look: Look, evaluator: Combinations, number: int, combination: Combination, line: list[Cell]
) -> Found | None:
    """A combination that the line shows: every cell reads as its element, and None as any symbol.

    Wilds multiply where they stand in for their element. Of several orders the one with the highest wild
    multiplier counts, then the first. The cells under None are no part of the win. Elements are cells, so a double
    symbol is one of them.
    """
    best: tuple[int, list[Cell]] | None = None
    for order in [combination.symbols] if combination.ordered else orders(combination.symbols):
        named = [(cell, entry) for cell, entry in zip(line, order, strict=True) if entry is not None]
        if all(look.matches(cell, entry) for cell, entry in named):
            factor = wild_factor(look, [cell for cell, entry in named if look.stands_in(cell, entry)])
            if best is None or factor > best[0]:
                best = factor, [cell for cell, _ in named]
    if best is None:
        return None
    factor, cells = best
    symbol = next(entry for entry in combination.symbols if entry is not None)
    multiplier = look.multiplier(evaluator.name, symbol, len(cells))
    amount = combination.pay * look.model.line_units * factor * multiplier
    if amount == 0:
        return None
    return Win(evaluator.name, number, symbol, len(cells), factor, multiplier, amount), cells


@cache
def orders(elements: tuple[str | None, ...]) -> list[tuple[str | None, ...]]:
    """The different orders of the elements, sorted by the first place that each element has in the list."""
    return sorted(set(permutations(elements)), key=lambda order: [elements.index(element) for element in order])


# --- Ways ------------------------------------------------------------------------------------------


def ways_wins(look: Look, evaluator: Ways) -> Iterator[Found]:
    """For every symbol the ways on the reels from the left, from the right, or both.

    In both directions a symbol may win twice; when its run from the left spans all reels it wins once.
    """
    reels = list(range(look.model.reels))
    for symbol in look.entries(evaluator.pays):
        left = way_run(look, symbol, reels)
        right = way_run(look, symbol, reels[::-1])
        if evaluator.direction in ("left", "both"):
            yield from ways_win(look, evaluator, symbol, left)
        if evaluator.direction == "right" or (evaluator.direction == "both" and len(left) < len(reels)):
            yield from ways_win(look, evaluator, symbol, right)


def way_run(look: Look, symbol: str, reels: Sequence[int]) -> list[list[Cell]]:
    """The matching cells of each reel, as far as every reel has some."""
    run: list[list[Cell]] = []
    for reel in reels:
        cells = [(reel, row) for row in range(len(look.grid.symbols[reel]))]
        matching = [cell for cell in cells if look.matches(cell, symbol)]
        if not matching:
            break
        run.append(matching)
    return run


def ways_win(look: Look, evaluator: Ways, symbol: str, run: list[list[Cell]]) -> Iterator[Found]:
    """The pay of the run times its ways: on each reel the matching cells are added up, by weight, and the sums
    multiply. Where wilds pay only their own prizes, the ways made of stand-ins alone are taken off."""
    pay = evaluator.pays[symbol].get(len(run), 0)
    ways = prod(sum(way_weight(look, evaluator, cell, symbol) for cell in cells) for cells in run)
    if evaluator.pure_wild_run == "own":
        ways -= prod(
            sum(way_weight(look, evaluator, cell, symbol) for cell in cells if look.stands_in(cell, symbol))
            for cells in run
        )
    if pay > 0 and ways > 0:
        multiplier = look.multiplier(evaluator.name, symbol, len(run))
        amount = pay * look.model.line_units * ways * multiplier
        start = min(cells[0][0] for cells in run)
        win = Win(evaluator.name, None, symbol, len(run), 1, multiplier, amount, start=start, ways=ways)
        yield win, [cell for cells in run for cell in cells]


def way_weight(look: Look, evaluator: Ways, cell: Cell, symbol: str) -> int:
    """As how many ways a cell counts: its symbols, times its value, if values count, times the multiplier of a wild
    standing in."""
    weight = look.size([cell]) * cell_factor(look, [cell], evaluator.cell_values)
    return weight * look.model.wilds[look.symbol(cell)].multiplier if look.stands_in(cell, symbol) else weight


# --- Anywhere in view ------------------------------------------------------------------------------


def count_wins(look: Look, evaluator: Count) -> Iterator[Found]:
    """Each symbol by its number in view. Wilds help, without multiplying, where the evaluator says so and the
    symbol itself is there."""
    for symbol in look.entries(evaluator.pays):
        cells = [cell for cell in look.grid.cells() if look.natural(cell, symbol)]
        if cells and evaluator.wilds:
            cells = [cell for cell in look.grid.cells() if look.matches(cell, symbol)]
        count = look.size(cells)
        pay = pay_for(evaluator.pays[symbol], count)
        if pay > 0:
            factor = cell_factor(look, cells, evaluator.cell_values, evaluator.cell_values_max)
            multiplier = look.multiplier(evaluator.name, symbol, count)
            amount = pay * look.model.basis_units(evaluator.of) * factor * multiplier
            yield Win(evaluator.name, None, symbol, count, factor, multiplier, amount), cells


def cluster_wins(look: Look, evaluator: Cluster) -> Iterator[Found]:
    """Each group of touching cells that read as a symbol and show it at least once, by its size."""
    for symbol in look.entries(evaluator.pays):
        for cells in clusters(look, evaluator, symbol):
            size = look.size(cells)
            pay = pay_for(evaluator.pays[symbol], size)
            if pay == 0 or not any(look.natural(cell, symbol) for cell in cells):
                continue
            factor = wild_factor(look, [cell for cell in cells if look.stands_in(cell, symbol)])
            factor *= cell_factor(look, cells, evaluator.cell_values, evaluator.cell_values_max)
            multiplier = look.multiplier(evaluator.name, symbol, size)
            amount = pay * look.model.basis_units(evaluator.of) * factor * multiplier
            win = Win(evaluator.name, None, symbol, size, factor, multiplier, amount, cells=tuple(cells))
            yield win, cells


def clusters(look: Look, evaluator: Cluster, symbol: str) -> list[list[Cell]]:
    """The matching cells in groups that touch, each sorted, in order of their first cells."""
    waiting = [cell for cell in look.grid.cells() if look.matches(cell, symbol)]
    groups = []
    while waiting:
        group = [waiting.pop(0)]
        for cell in group:  # grows while it is walked over
            for neighbour in neighbours(cell, evaluator.neighbours):
                if neighbour in waiting:
                    waiting.remove(neighbour)
                    group.append(neighbour)
        groups.append(sorted(group))
    return groups


def neighbours(cell: Cell, number: int) -> list[Cell]:
    """The cells that touch a cell: across its edges, or in a honeycomb whose odd reels stand half a cell lower."""
    reel, row = cell
    if number == 4:
        return [(reel, row - 1), (reel, row + 1), (reel - 1, row), (reel + 1, row)]
    upper = row - 1 if reel % 2 == 0 else row
    beside = [(reel + side, near) for side in (-1, 1) for near in (upper, upper + 1)]
    return [(reel, row - 1), (reel, row + 1), *beside]


def match_wins(look: Look, evaluator: Match) -> Iterator[Found]:
    """Runs of neighbours in rows, then in columns, that read as a symbol and show it at least once; then those of groups.

    For a group cells do not count that are in a run along the same row or column that pays for one of its members.
    """
    steps = {"rows": [(1, 0)], "columns": [(0, 1)], "both": [(1, 0), (0, 1)]}[evaluator.along]
    paid: dict[tuple[str, Cell], set[Cell]] = {}
    for entry in look.entries(evaluator.pays):
        for step in steps:
            members = look.model.members(entry) - {entry}
            taken = {cell for symbol in members for cell in paid.get((symbol, step), ())}
            for run in match_runs(look, entry, step, taken):
                count = look.size(run)
                pay = pay_for(evaluator.pays[entry], count)
                if pay == 0 or not any(look.natural(cell, entry) for cell in run):
                    continue
                paid.setdefault((entry, step), set()).update(run)
                factor = wild_factor(look, [cell for cell in run if look.stands_in(cell, entry)])
                factor *= cell_factor(look, run, evaluator.cell_values, evaluator.cell_values_max)
                multiplier = look.multiplier(evaluator.name, entry, count)
                amount = pay * look.model.basis_units(evaluator.of) * factor * multiplier
                yield Win(evaluator.name, None, entry, count, factor, multiplier, amount, cells=tuple(run)), run


def match_runs(look: Look, entry: str, step: Cell, taken: Collection[Cell]) -> list[list[Cell]]:
    """The longest runs of matching cells, each a `step` from the one before it, in order of their first cells."""
    matching = [cell for cell in look.grid.cells() if look.matches(cell, entry) and cell not in taken]
    runs = []
    for cell in matching:
        if (cell[0] - step[0], cell[1] - step[1]) in matching:
            continue
        run = [cell]
        while (run[-1][0] + step[0], run[-1][1] + step[1]) in matching:
            run.append((run[-1][0] + step[0], run[-1][1] + step[1]))
        runs.append(run)
    return runs


def scatter_wins(look: Look, evaluator: Scatter) -> Iterator[Found]:
    """Pay for the number of scatter symbols anywhere in view."""
    cells = look.showing(evaluator.symbol)
    count = look.size(cells)
    pay = pay_for(evaluator.pays, count)
    if pay > 0:
        multiplier = look.multiplier(evaluator.name, evaluator.symbol, count)
        amount = pay * look.model.basis_units(evaluator.of) * multiplier
        yield Win(evaluator.name, None, evaluator.symbol, count, 1, multiplier, amount), cells


def collect_wins(look: Look, evaluator: Collect) -> Iterator[Found]:
    """The values of all cells that show the symbol, if they are enough; once for each collector, if there is one."""
    cells = look.showing(evaluator.symbol)
    count = look.size(cells)
    times = 1 if evaluator.collector is None else look.size(look.showing(evaluator.collector))
    total = sum(look.grid.value(cell) for cell in cells) * times
    if count >= evaluator.count_min and total > 0:
        multiplier = look.multiplier(evaluator.name, evaluator.symbol, count)
        amount = total * look.model.basis_units(evaluator.of) * multiplier
        yield Win(evaluator.name, None, evaluator.symbol, count, 1, multiplier, amount), cells


def pay_for(table: Mapping[int, int], count: int) -> int:
    """The entry for a number in view: 0 below the smallest; above the largest it is like the largest."""
    return table.get(min(count, max(table)), 0)


# --- The special symbol of a feature ---------------------------------------------------------------


def special_wins(look: Look, special: Special, symbol: str) -> Iterator[Found]:
    """The symbol fills each reel it is on: it pays by the number of these reels, neighbours or not, on all lines."""
    lines = look.model.evaluators[special.lines]
    assert isinstance(lines, Lines)  # the model file was refused otherwise
    reels = len({reel for reel, _ in look.showing(symbol)})
    pay = lines.pays[symbol].get(reels, 0)
    if pay > 0:
        multiplier = look.multiplier(special.name, symbol, reels)
        amount = pay * look.model.line_units * len(lines.paylines) * multiplier
        yield Win(special.name, None, symbol, reels, 1, multiplier, amount), []
