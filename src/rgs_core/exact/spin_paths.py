"""How many paths the draws of one spin can take: what counting its law path by path costs.

An upper bound: windows of a reel by its distinct stops, each with what transforms may draw for its cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import perm, prod

from rgs_core.language.mechanics import Add, Expand, Multiplier, Nudge, Replace, Reveal, Table, Transform, Values
from rgs_core.language.model import Build, Model, State, Strip

UNCOUNTED = 1 << 63
"""Cascades that draw at every step, and whatever has as many paths."""

WINDOWS_MAX = 100_000
"""Most windows of a reel of cells that are looked at one by one."""

Cells = list[set[str]]
"""What each cell of a reel may show by now."""


def spin_paths(build: Build, state: State) -> int:
    """Paths of the draws of one spin, at most; UNCOUNTED where a cascade draws again at every step."""
    if _draws_at_every_step(state):
        return UNCOUNTED
    total = sum(
        prod(_reel_paths(build.model, state, reel, strip) for reel, strip in enumerate(build.strips(state, name)))
        for name in state.strip_sets
    )
    return total * _whole_paths(build.model, state)


def paths_text(build: Build, state: State) -> str:
    """How many paths a spin has, in words for messages: "a spin of state 'base' has 4,096 combinations of draws"."""
    if _draws_at_every_step(state):
        assert state.cascade is not None
        return (
            f"a spin of state '{state.name}' draws again at every step of its cascade, up to {state.cascade.steps_max} "
            "steps: too many combinations of draws to visit"
        )
    paths = spin_paths(build, state)
    number = f"{paths:,}" if paths < UNCOUNTED else "more than 2^63"
    return f"a spin of state '{state.name}' has {number} combinations of draws"


def _draws_at_every_step(state: State) -> bool:
    if state.cascade is None:
        return False
    drawn = any(_branches(transform) > 1 for transform in state.transforms if not isinstance(transform, Multiplier))
    return state.cascade.refill == "fresh" or drawn


def _branches(transform: Transform) -> int:
    """Entries that one draw of a transform chooses from."""
    if isinstance(transform, Reveal):
        return len(transform.table.symbols)
    if isinstance(transform, Values | Multiplier):
        return len(transform.table.values)
    return len(transform.count.values) + 1 if isinstance(transform, Add) else 1


def _whole_paths(model: Model, state: State) -> int:
    """Draws that are made once a spin, and those for the cells that such a draw adds."""
    paths = 1
    for place, transform in enumerate(state.transforms):
        if isinstance(transform, Reveal | Multiplier) and transform.each == "spin":
            paths *= _branches(transform)
        if isinstance(transform, Add):
            cells = model.reels * model.rows
            paths *= sum(perm(cells, min(n, cells)) for n in transform.count.values)
            later = state.transforms[place + 1 :]
            most = max(transform.count.values)
            paths *= prod(_branches(t) ** most for t in later if not isinstance(t, Add) and _each_cell(t))
    return paths


def _each_cell(transform: Transform) -> bool:
    return isinstance(transform, Values) or (isinstance(transform, Reveal | Multiplier) and transform.each == "cell")


def _reel_paths(model: Model, state: State, reel: int, strip: Strip) -> int:
    """Distinct windows of a reel, each as often as its own draws branch."""
    table = Table((model.rows,), (1,)) if state.heights is None else state.heights[reel]
    highest = max(table.values)
    paths = 0
    for rows in table.values:
        if state.cells:
            shown = sorted(set(strip.symbols))
            if len(shown) ** rows > WINDOWS_MAX:  # as if every cell drew from every table
                paths += len(shown) ** rows * prod(_branches(t) ** rows for t in state.transforms)
                continue
            paths += sum(_branched(state.transforms, reel, _cells(window)) for window in product(shown, repeat=rows))
        else:
            # As many symbols as any height shows tell stops apart; cascades and nudges see the whole strip.
            steps = sum(transform.steps_max for transform in state.transforms if isinstance(transform, Nudge))
            seen = len(strip.symbols) if state.cascade or steps else highest
            windows = {strip.window(stop, seen) for stop in range(len(strip.symbols))}
            if steps:
                paths += sum(_branched(state.transforms, reel, _near(window, rows, steps)) for window in windows)
                continue
            paths += sum(_branched(state.transforms, reel, _cells(strip_window(window, rows))) for window in windows)
    return paths


def strip_window(window: Sequence[str], rows: int) -> tuple[str, ...]:
    """The first `rows` symbols from a stop on, around the strip where it is shorter."""
    return tuple(window[row % len(window)] for row in range(rows))


def _cells(window: Sequence[str]) -> Cells:
    """What each cell of a window shows."""
    return [{symbol} for symbol in window]


def _near(window: Sequence[str], rows: int, steps: int) -> Cells:
    """What each cell of a reel may show after nudges by so many stops."""
    return [{window[(row + step) % len(window)] for step in range(-steps, steps + 1)} for row in range(rows)]


def _branched(transforms: Sequence[Transform], reel: int, cells: Cells) -> int:
    """Paths of what transforms draw for the cells of one window."""
    return prod(_step(transform, reel, cells) for transform in transforms)


def _step(transform: Transform, reel: int, cells: Cells) -> int:
    """Branches of one transform on a reel; `cells` then hold what they may show after it."""
    if isinstance(transform, Reveal):
        showing = [cell for cell in cells if transform.symbol in cell]
        for cell in showing:
            cell |= set(transform.table.symbols)
        times = {"spin": 0, "reel": min(1, len(showing)), "cell": len(showing)}[transform.each]
        return int(_branches(transform) ** times)
    if isinstance(transform, Multiplier):
        times = sum(transform.symbol in cell for cell in cells)
        if transform.each == "full_reel":
            times = int(times == len(cells))
        return 1 if transform.each == "spin" else int(_branches(transform) ** times)
    if isinstance(transform, Values):
        return int(_branches(transform) ** sum(bool(transform.symbols & cell) for cell in cells))
    for cell in _changed(transform, reel, cells):
        cell.add(transform.into)  # type: ignore[union-attr]
    return 1


def _changed(transform: Transform, reel: int, cells: Cells) -> Iterator[set[str]]:
    """Cells that an expanding or replacing transform may change."""
    if not isinstance(transform, Expand | Replace) or (transform.reels is not None and reel not in transform.reels):
        return
    showing = [cell for cell in cells if transform.symbol in cell]
    yield from cells if showing and isinstance(transform, Expand) else showing
