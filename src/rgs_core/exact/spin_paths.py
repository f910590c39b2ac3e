"""How many paths the draws of one spin can take: what counting its law path by path costs.

An upper bound: windows of a reel by its distinct stops, each with what transforms may draw for its cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from math import perm, prod

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.language.mechanics import (
    NOTHING_LINKED,
    Act,
    Add,
    Expand,
    Fill,
    Mark,
    Multiplier,
    Nudge,
    Replace,
    Reveal,
    Stick,
    Table,
    Transform,
    Values,
)
from rgs_core.language.model import CELLS_MAX, Build, Model, State, Strip

UNCOUNTED = 1 << 63
"""Cascades that draw at every step, and whatever has as many paths."""

WALKED_MAX = 2_000_000
"""Most paths that are counted by walking over them, where cells of a cascade change by draws."""

WINDOWS_MAX = 100_000
"""Most windows of a reel of cells that are looked at one by one."""

Cells = list[set[str]]
"""What each cell of a reel may show by now."""


def spin_paths(build: Build, state: State) -> int:
    """Paths of the draws of one spin, at most; UNCOUNTED where a cascade draws again at every step, or where more of its
    cells change by draws than can be walked over."""
    if _draws_at_every_step(state):
        return UNCOUNTED
    if _changes_by_draws(state):
        return _walked(_Spin(build.build_hash, state, build))
    total = 0
    for name in state.strip_sets:
        above = build.top_strip(name) if build.model.top else None
        strips = build.strips(state, name)
        for run in state.linked.runs if state.linked else [NOTHING_LINKED]:
            paths = prod(_linked_paths(build.model, state, reel, run, strips, above) for reel in range(len(strips)))
            total += paths * (_top_paths(build.model, state, above) if above else 1)
    return total * _whole_paths(build.model, state)


def paths_text(build: Build, state: State) -> str:
    """How many paths a spin has, in words for messages: "a spin of state 'base' has 4,096 combinations of draws"."""
    if _draws_at_every_step(state):
        assert state.cascade is not None
        return (
            f"a spin of state '{state.name}' draws again at every step of its cascade, up to {state.cascade.steps_max} "
            "steps: too many combinations of draws to visit"
        )
    if _changes_by_draws(state) and spin_paths(build, state) == UNCOUNTED:
        return f"a spin of state '{state.name}' draws for cells of its cascade in more than {WALKED_MAX:,} combinations"
    paths = spin_paths(build, state)
    number = f"{paths:,}" if paths < UNCOUNTED else "more than 2^63"
    return f"a spin of state '{state.name}' has {number} combinations of draws"


def _draws_at_every_step(state: State) -> bool:
    if state.cascade is None:
        return False
    if any(
        isinstance(transform, Stick) and transform.jump and transform.each == "step" for transform in state.transforms
    ):
        return True
    again = [t for t in state.all_transforms if not isinstance(t, Multiplier | Act) and not _once(t)]
    drawn = any(_branches(t) > 1 for t in again)
    return state.cascade.refill == "fresh" or drawn


def _changes_by_draws(state: State) -> bool:
    """Whether a cascade draws what cells of wins become, or what wins leave and where."""
    cascade = state.cascade
    if cascade is None:
        return False
    drawn = [table for table in cascade.become.values() if len(table.symbols) > 1]
    return bool(drawn) or any(rule.place == "random" or len(rule.table.symbols) > 1 for rule in cascade.leave)


@dataclass(frozen=True)
class _Spin:
    """A state of a build, which its hash stands for."""

    build_hash: str
    state: State = field(hash=False)
    build: Build = field(compare=False)


@lru_cache(maxsize=64)
def _walked(spin: _Spin) -> int:
    """The paths of a spin without memory, each walked over; UNCOUNTED above WALKED_MAX."""
    model, state = spin.build.model, spin.state
    if model.callbacks:
        return UNCOUNTED
    own = replace(spin.build, model=replace(model, states={**model.states, state.name: state}))
    paths = Engine(own, simd="scalar").paths(state_names(own.model).index(state.name), WALKED_MAX)
    return UNCOUNTED if paths is None else paths


def _once(transform: Transform) -> bool:
    """Whether a transform draws once for all spins of a feature."""
    return getattr(transform, "each", "") == "feature"


def _branches(transform: Transform, others: int = CELLS_MAX) -> int:
    """Entries that one draw of a transform chooses from; ways in which a cell acts on some of so many others."""
    if isinstance(transform, Reveal):
        return len(transform.table.symbols)
    if isinstance(transform, Values | Multiplier):
        return len(transform.table.values)
    if isinstance(transform, Act) and transform.count is not None:
        return sum(perm(others, min(n, others)) for n in transform.count.values)
    return len(transform.count.values) + 1 if isinstance(transform, Add) else 1


def _whole_paths(model: Model, state: State) -> int:
    """Draws that are made once a spin, and those for the cells that such a draw adds."""
    chances = [*state.all_transforms, *state.triggers]
    paths = 1 << sum(getattr(part, "odds", None) is not None for part in chances)
    paths *= len(state.modifiers.names) if state.modifiers else 1
    for place, transform in enumerate(state.transforms):
        if isinstance(transform, Stick) and transform.jump:
            cells = model.reels * model.rows
            paths *= max(((cells - held) ** held for held in range(cells)), default=1)
        if isinstance(transform, Reveal | Multiplier) and transform.each in ("spin", "feature"):
            paths *= _branches(transform)
        if isinstance(transform, Fill):
            reels = model.reels if transform.among is None else len(transform.among)
            paths *= sum(perm(reels, n) for n in transform.count.values)
        if isinstance(transform, Add):
            cells = model.reels * model.rows
            paths *= sum(perm(cells, min(n, cells)) for n in transform.count.values)
            later = state.transforms[place + 1 :]
            most = max(transform.count.values)
            paths *= prod(_branches(t) ** most for t in later if not isinstance(t, Add) and _each_cell(t))
    return paths


def _each_cell(transform: Transform) -> bool:
    return isinstance(transform, Values) or (isinstance(transform, Reveal | Multiplier) and transform.each == "cell")


def _linked_paths(
    model: Model, state: State, reel: int, run: tuple[int, int], strips: Sequence[Strip], above: Strip | None
) -> int:
    """Of a reel that may be linked to those before it: then its stop is no draw, but what transforms draw for it is."""
    first, last = run
    if not first < reel <= last:
        return _reel_paths(model, state, reel, strips[reel], above)
    if any(_branches(transform) > 1 for transform in state.transforms):
        return _reel_paths(model, state, reel, strips[first], above)
    return 1 if state.heights is None else len(state.heights[reel].values)


def _top_paths(model: Model, state: State, strip: Strip) -> int:
    """Distinct windows of the top reel."""
    cells = len(model.top)
    if state.cells:
        return int(len(set(strip.symbols)) ** cells)
    seen = len(strip.symbols) if state.cascade else cells
    return len({strip.window(stop, seen) for stop in range(len(strip.symbols))})


def _reel_paths(model: Model, state: State, reel: int, strip: Strip, top: Strip | None) -> int:
    """Distinct windows of a reel, each as often as its own draws branch; a cell of the top reel may show anything that
    is on its strip."""
    table = Table((model.rows,), (1,)) if state.heights is None else state.heights[reel]
    above = [set(top.symbols)] if top is not None and reel in model.top else []
    highest = max(table.values) - len(above)
    paths = 0
    for rows in (rows - len(above) for rows in table.values):
        if state.cells:
            shown = sorted(set(strip.symbols))
            if len(shown) ** rows > WINDOWS_MAX:  # as if every cell drew from every table
                paths += len(shown) ** rows * prod(_branches(t) ** (rows + len(above)) for t in state.transforms)
                continue
            drawn = product(shown, repeat=rows)
            paths += sum(
                _branched(model, state.transforms, reel, [*_copied(above), *_cells(window)]) for window in drawn
            )
        else:
            # As many symbols as any height shows tell stops apart; cascades and nudges see the whole strip.
            steps = sum(transform.steps_max for transform in state.transforms if isinstance(transform, Nudge))
            seen = len(strip.symbols) if state.cascade or steps or state.stacks else highest
            windows = _windows(strip.symbols, seen)
            if not state.transforms:
                paths += len(windows)
                continue
            if steps:
                paths += sum(_branched(model, state.transforms, reel, _near(window, rows, steps)) for window in windows)
                continue
            cells = (_cells(strip_window(window, rows)) for window in windows)
            paths += sum(_branched(model, state.transforms, reel, [*_copied(above), *column]) for column in cells)
    return paths


@lru_cache(maxsize=256)
def _windows(symbols: tuple[str, ...], seen: int) -> frozenset[tuple[str, ...]]:
    """Different windows of a strip, whatever its weights: tuning asks for them again and again."""
    return frozenset(strip_window(symbols[stop:] + symbols[:stop], seen) for stop in range(len(symbols)))


def strip_window(window: Sequence[str], rows: int) -> tuple[str, ...]:
    """The first `rows` symbols from a stop on, around the strip where it is shorter."""
    return tuple(window[row % len(window)] for row in range(rows))


def _copied(cells: Cells) -> Cells:
    """Cells that may be changed."""
    return [set(cell) for cell in cells]


def _cells(window: Sequence[str]) -> Cells:
    """What each cell of a window shows."""
    return [{symbol} for symbol in window]


def _near(window: Sequence[str], rows: int, steps: int) -> Cells:
    """What each cell of a reel may show after nudges by so many stops."""
    return [{window[(row + step) % len(window)] for step in range(-steps, steps + 1)} for row in range(rows)]


def _branched(model: Model, transforms: Sequence[Transform], reel: int, cells: Cells) -> int:
    """Paths of what transforms draw for the cells of one window."""
    others = model.reels * model.rows - 1
    return prod(_step(transform, reel, cells, others) for transform in transforms)


def _step(transform: Transform, reel: int, cells: Cells, others: int) -> int:
    """Branches of one transform on a reel; `cells` then hold what they may show after it."""
    if isinstance(transform, Reveal):
        showing = [cell for cell in cells if transform.symbol in cell]
        for cell in showing:
            cell |= set(transform.table.symbols)
        times = {"spin": 0, "feature": 0, "reel": min(1, len(showing)), "cell": len(showing)}[transform.each]
        return int(_branches(transform) ** times)
    if isinstance(transform, Multiplier):
        times = sum(transform.symbol in cell for cell in cells)
        if transform.each == "full_reel":
            times = int(times == len(cells))
        return 1 if transform.each in ("spin", "feature") else int(_branches(transform) ** times)
    if isinstance(transform, Values):
        if transform.reels is not None and reel not in transform.reels:
            return 1
        times = sum(bool(transform.symbols & cell) for cell in cells)
        return int(_branches(transform) ** (min(1, times) if transform.each == "reel" else times))
    if isinstance(transform, Act):
        return int(_branches(transform, others) ** sum(bool(transform.symbols & cell) for cell in cells))
    if isinstance(transform, Mark):
        for cell in cells:
            cell.add(transform.into)
        return 1
    if isinstance(transform, Fill):
        for cell in cells if transform.among is None or reel in transform.among else ():
            cell.add(transform.symbol)
        return 1
    for cell in _changed(transform, reel, cells):
        cell.add(transform.into)  # type: ignore[union-attr]
    return 1


def _changed(transform: Transform, reel: int, cells: Cells) -> Iterator[set[str]]:
    """Cells that an expanding or replacing transform may change."""
    if not isinstance(transform, Expand | Replace) or (transform.reels is not None and reel not in transform.reels):
        return
    showing = [cell for cell in cells if transform.symbol in cell]
    yield from cells if showing and isinstance(transform, Expand) else showing
