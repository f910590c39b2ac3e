"""What single reels may show, with weights: all that comes of a stop where transforms look at nothing but the reel.

Reels whose stops are independent, if need be under a condition (rgs_core.exact.spin_conditions), then have columns that are
independent, and the law of a spin is that of some function of them. A symbol that is revealed for the whole spin is a
condition too: under it the reveal replaces.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from rgs_core.errors import AnalysisError
from rgs_core.exact.spin_conditions import CONDITIONS_MAX, by_odds_alone, conditions, drawn_transforms
from rgs_core.exact.spin_multiplier import grid_transforms
from rgs_core.language.mechanics import Expand, Fill, Replace, Reveal, Transform, Values
from rgs_core.language.model import Build, Model, State, Strip

COLUMNS_MAX = 200_000
"""Most different columns of a reel."""

REVEALED_MAX = 1_000
"""Most combinations of symbols that are revealed for a whole spin."""


class Column(NamedTuple):
    """Symbols in view from the top, those that were in view as the reel stopped, and the values of the cells, 0 for none.
    What nobody looks at is empty: `stopped`, `values`; where values are only added up they are one number, the sum."""

    shown: tuple[str, ...]
    stopped: tuple[str, ...]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Looks:
    """What is looked at beside the symbols in view: the reels as they stopped; values of single cells (`by_cell`), or
    else the sum of the values of cells with one of the symbols `collected`."""

    stopped: bool = False
    by_cell: bool = False
    collected: frozenset[str] = frozenset()


Law = dict[Column, int]


def local_refused(state: State) -> str:
    """Why transforms of a state are no matter of single reels; "" when all are, but those that fill reels."""
    for transform in grid_transforms(state):
        if not isinstance(transform, Expand | Fill | Replace | Reveal | Values):
            return f"transforms of kind {transform.kind}"
        if not by_odds_alone(transform):
            return "transforms that work in some spins only"
        if isinstance(transform, Reveal) and transform.each == "feature":
            return "symbols that are revealed for a feature"
    return ""


def revealed(state: State) -> list[tuple[int, tuple[Transform, ...]]]:
    """(weight, transforms of the grid) under every choice of the symbols that are revealed for a whole spin; reels that
    are filled are no part of them. Raises AnalysisError for more than REVEALED_MAX."""
    found: list[tuple[int, tuple[Transform, ...]]] = [(1, ())]
    for transform in grid_transforms(state):
        if isinstance(transform, Fill):
            continue
        if isinstance(transform, Reveal) and transform.each == "spin":
            table = transform.table
            found = [
                (weight * chance, (*before, Replace(transform.symbol, symbol, None)))
                for weight, before in found
                for symbol, chance in zip(table.symbols, table.weights, strict=True)
            ]
        else:
            found = [(weight, (*before, transform)) for weight, before in found]
        if len(found) > REVEALED_MAX:
            raise AnalysisError(
                f"a spin of state '{state.name}' reveals more than {REVEALED_MAX:,} combinations of symbols"
            )
    return found


@dataclass(frozen=True)
class Case:
    """With this weight the reels are independent, draw from `strips` and are changed by `transforms`; `above`: symbols of
    the top reel by the reel below them."""

    weight: int
    strips: tuple[Strip, ...]
    above: Mapping[int, str]
    transforms: tuple[Transform, ...]


def cases(build: Build, state: State) -> list[Case]:
    """All conditions of a spin together: which transforms work, its strip set, what makes reels depend on each other, what
    is revealed for all of them. Raises AnalysisError for more than CONDITIONS_MAX."""
    sets = list(zip(state.strip_sets, state.strip_choice.weights if state.strip_choice else (1,), strict=True))
    mixed = [
        (weight * chance, conditions(build, working, name), revealed(working))
        for weight, working in drawn_transforms(state)
        for name, chance in sets
    ]
    number = sum(len(some) * len(choices) for _, some, choices in mixed)
    if number > CONDITIONS_MAX:
        raise AnalysisError(
            f"the reels of state '{state.name}' are independent under {number:,} conditions; at most {CONDITIONS_MAX:,} "
            "laws are mixed"
        )
    totals = [sum(one.weight for one in some) * sum(times for times, _ in choices) for _, some, choices in mixed]
    common = math.lcm(*totals)
    return [
        Case(weight * one.weight * times * (common // total), one.strips, one.above, transforms)
        for (weight, some, choices), total in zip(mixed, totals, strict=True)
        for one in some
        for times, transforms in choices
    ]


def columns(model: Model, state: State, reel: int, strip: Strip, case: Case, looks: Looks) -> Law:
    """All that a reel may show, with weights; of the case only what it says of this reel matters. Raises AnalysisError
    for more than COLUMNS_MAX."""
    above = case.above.get(reel, "")
    values = looks.by_cell or bool(looks.collected)
    working = [t for t in case.transforms if values or not isinstance(t, Values)]
    law: Law = defaultdict(int)
    for window, weight in _windows(model, state, reel, strip, above):
        stopped = window if looks.stopped else ()
        law[Column(window, stopped, (0,) * len(window) if values else ())] += weight
        _check(state, law)
    last = working[-1] if working else None
    for transform in working:
        if transform is last and isinstance(transform, Values) and not looks.by_cell:
            return _summed(state, reel, transform, law, looks.collected)
        law = _after(state, reel, transform, law)
    if values and not looks.by_cell:
        return _mapped(law, lambda column: column._replace(values=(_sum(column, looks.collected),)))
    return law


def heights(model: Model, state: State, reel: int) -> list[tuple[int, int]]:
    """(rows, weight) of a reel."""
    if state.heights is None:
        return [(model.rows, 1)]
    table = state.heights[reel]
    if len(table.values) == 1:
        return [(table.values[0], 1)]
    return list(zip(table.values, table.weights, strict=True))


def _check(state: State, law: Mapping[Column, int]) -> None:
    if len(law) > COLUMNS_MAX:
        raise AnalysisError(f"a reel of state '{state.name}' may show more than {COLUMNS_MAX:,} different columns")


def _windows(model: Model, state: State, reel: int, strip: Strip, above: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """What a reel shows as it stops, with weights; the weights of all heights have a common total."""
    shown = (above,) if above else ()
    drawn = heights(model, state, reel)
    highest = max(rows for rows, _ in drawn)
    cell: dict[str, int] = defaultdict(int)
    for symbol, weight in zip(strip.symbols, strip.weights, strict=True):
        cell[symbol] += weight
    for rows, chance in drawn:
        if state.cells:
            scale = chance * strip.total ** (highest - rows)
            for symbols in product(cell, repeat=rows):
                if weight := math.prod(cell[symbol] for symbol in symbols):
                    yield symbols, weight * scale
        else:
            for stop, weight in enumerate(strip.weights):
                if weight:
                    yield shown + strip.window(stop, rows - len(shown)), weight * chance


def _mapped(law: Law, change: Callable[[Column], Column]) -> Law:
    after: Law = defaultdict(int)
    for column, weight in law.items():
        after[change(column)] += weight
    return after


def _after(state: State, reel: int, transform: Transform, law: Law) -> Law:
    """The law after a transform. Drawn entries are counted out of as many draws in every column."""
    if isinstance(transform, Expand | Replace):
        if transform.reels is not None and reel not in transform.reels:
            return law
        return _mapped(law, lambda column: _changed(transform, column))
    assert isinstance(transform, Reveal | Values)
    entries = transform.table.symbols if isinstance(transform, Reveal) else transform.table.values
    table: list[tuple[str | int, int]] = list(zip(entries, transform.table.weights, strict=True))
    total = sum(weight for _, weight in table)
    places = {column: _drawing(transform, reel, column) for column in law}
    draws = {column: min(1, len(of)) if transform.each == "reel" else len(of) for column, of in places.items()}
    most = max(draws.values(), default=0)
    after: Law = defaultdict(int)
    for column, weight in law.items():
        scale = weight * total ** (most - draws[column])
        for drawn in product(table, repeat=draws[column]):
            chance = math.prod(w for _, w in drawn)
            given = [entry for entry, _ in drawn] * (len(places[column]) if transform.each == "reel" else 1)
            cells: list[str | int] = list(column.shown if isinstance(transform, Reveal) else column.values)
            for place, entry in zip(places[column], given, strict=True):
                cells[place] = entry
            changed = {"shown" if isinstance(transform, Reveal) else "values": tuple(cells)}
            after[column._replace(**changed)] += scale * chance  # type: ignore[arg-type]
        _check(state, after)
    return after


def _changed(transform: Expand | Replace, column: Column) -> Column:
    """A column after it was expanded, or its cells replaced; expanded cells that change lose their value."""
    if transform.symbol not in column.shown:
        return column
    if isinstance(transform, Replace):
        shown = tuple(transform.into if symbol == transform.symbol else symbol for symbol in column.shown)
        return column._replace(shown=shown)
    kept = zip(column.shown, column.values, strict=True) if column.values else ()
    values = tuple(value if symbol == transform.into else 0 for symbol, value in kept)
    return column._replace(shown=(transform.into,) * len(column.shown), values=values)


def _drawing(transform: Reveal | Values, reel: int, column: Column) -> list[int]:
    """Rows for which a transform draws."""
    if isinstance(transform, Reveal):
        return [row for row, symbol in enumerate(column.shown) if symbol == transform.symbol]
    if transform.reels is not None and reel not in transform.reels:
        return []
    return [row for row, symbol in enumerate(column.shown) if symbol in transform.symbols and column.values[row] == 0]


def _sum(column: Column, collected: frozenset[str]) -> int:
    return sum(value for symbol, value in zip(column.shown, column.values, strict=True) if symbol in collected)


def _summed(state: State, reel: int, transform: Values, law: Law, collected: frozenset[str]) -> Law:
    """The law after values were drawn that are only added up, cell by cell, so that equal sums are met once."""
    table = list(zip(transform.table.values, transform.table.weights, strict=True))
    total = transform.table.total
    places = {
        column: [row for row in _drawing(transform, reel, column) if column.shown[row] in collected] for column in law
    }
    draws = {column: min(1, len(of)) if transform.each == "reel" else len(of) for column, of in places.items()}
    most = max(draws.values(), default=0)
    after: Law = defaultdict(int)
    for column, weight in law.items():
        sums = {_sum(column, collected): weight * total ** (most - draws[column])}
        times = len(places[column]) if transform.each == "reel" else 1
        for _ in range(draws[column]):
            following: dict[int, int] = defaultdict(int)
            for so_far, scale in sums.items():
                for value, chance in table:
                    following[so_far + value * times] += scale * chance
            sums = following
        for so_far, scale in sums.items():
            after[column._replace(values=(so_far,))] += scale
        _check(state, after)
    return after
