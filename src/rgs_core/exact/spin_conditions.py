"""What makes the reels of a spin depend on each other; under each condition they stop independently again.

A top reel shows a symbol above several reels at once, and linked reels stop as one. The window of the top reel, and the
linked reels with their stop, are such a condition: under it all other reels are independent, and the law of a spin is the
mixture of the laws under all conditions. So are the reels that a transform fills, whose stops do not matter then, and
the transforms that work in some spins by their odds alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from rgs_core.errors import AnalysisError
from rgs_core.exact.spin_multiplier import is_spin_multiplier
from rgs_core.language.mechanics import Fill, Multiplier, Stick, Transform, works_always
from rgs_core.language.model import Build, Model, State, Strip

CONDITIONS_MAX = 2_000
"""Most conditions of a strip set: each needs a law of its own."""


CHOICES_MAX = 64
"""Most combinations of transforms that work by odds: each needs laws of its own."""


@dataclass(frozen=True)
class Condition:
    """It has `weight` among those of a strip set. `strips`: what the reels draw from, where linked ones have a single stop
    of any weight; `above`: symbols of the top reel by the reel below them."""

    weight: int
    strips: tuple[Strip, ...]
    above: Mapping[int, str] = field(default_factory=dict)


def by_odds_alone(transform: Transform) -> bool:
    """Whether a transform works in every spin, or in some by its odds and the modifier of the spin alone."""
    return isinstance(transform, Stick) or works_always(replace(transform, odds=None, modifiers=()))


def drawn_transforms(state: State) -> Sequence[tuple[int, State]]:
    """(weight, state) of every choice of the transforms of a state that work by its modifier and by odds alone; in the
    state all do. Raises AnalysisError for more than CHOICES_MAX."""
    if state.modifiers is None:
        return _by_odds(state)
    mixed = [_by_odds(_with_modifier(state, name)) for name in state.modifiers.names]
    totals = [sum(weight for weight, _ in choices) for choices in mixed]
    if sum(map(len, mixed)) > CHOICES_MAX:
        raise AnalysisError(f"the transforms of state '{state.name}' work in more than {CHOICES_MAX} combinations")
    return [
        (weight * times * (math.lcm(*totals) // total), alone)
        for weight, choices, total in zip(state.modifiers.weights, mixed, totals, strict=True)
        for times, alone in choices
    ]


def _with_modifier(state: State, name: str) -> State:
    """The state of spins that draw one modifier."""
    working = [t for t in state.transforms if name in (getattr(t, "modifiers", ()) or (name,))]
    kept = tuple(t if isinstance(t, Stick) else replace(t, modifiers=()) for t in working)
    return replace(state, transforms=kept, modifiers=None)


def _by_odds(state: State) -> Sequence[tuple[int, State]]:
    """The same of transforms that work by odds alone."""
    found: list[tuple[int, tuple[Transform, ...]]] = [(1, ())]
    for transform in state.transforms:
        if isinstance(transform, Stick) or transform.odds is None or is_spin_multiplier(transform):
            found = [(weight, (*kept, transform)) for weight, kept in found]
            continue
        odds, working = transform.odds, replace(transform, odds=None)
        found = [
            *((weight * odds.chance, (*kept, working)) for weight, kept in found),
            *((weight * (odds.out_of - odds.chance), kept) for weight, kept in found if odds.chance < odds.out_of),
        ]
        if len(found) > CHOICES_MAX:
            raise AnalysisError(f"the transforms of state '{state.name}' work in more than {CHOICES_MAX} combinations")
    return [(weight, replace(state, transforms=kept)) for weight, kept in found]


def conditions(build: Build, state: State, name: str) -> Sequence[Condition]:
    """The conditions of a spin from one strip set of a state whose reels stop as a whole; a single one where its reels
    are independent. Raises AnalysisError for more than CONDITIONS_MAX."""
    model = build.model
    links = _links(model, state, build.strips(state, name))
    above = _above(model, build.top_strip(name)) if model.top else [(1, {})]
    filled = _filled(model, state)
    number = len(links) * len(above) * len(filled)
    if number > CONDITIONS_MAX:
        raise AnalysisError(
            f"the reels of state '{state.name}' are independent under {number:,} conditions; at most {CONDITIONS_MAX:,} "
            "laws are mixed"
        )
    return [
        Condition(
            weight * times * chance,
            tuple(Strip((full[reel],), (1,)) if reel in full else strip for reel, strip in enumerate(strips)),
            {reel: full.get(reel, symbol) for reel, symbol in shown.items()},
        )
        for weight, strips in links
        for times, shown in above
        for full, chance in filled
    ]


def fills_refused(model: Model, state: State) -> str:
    """Why filled reels of a state are no condition; "" when they are, or none are filled."""
    fills = [isinstance(transform, Fill) for transform in state.transforms if not isinstance(transform, Multiplier)]
    if not any(fills):
        return ""
    if fills != sorted(fills, reverse=True):
        return "reels that are filled after other transforms"
    parts = [*state.triggers, *(model.evaluators[name] for name in state.evaluators)]
    needed = [condition.counted for part in parts for condition in getattr(part, "in_view", ())]
    stopped = any(getattr(part, "stopped", False) for part in [*parts, *needed])
    return "filled reels, and symbols counted as they stopped" if stopped else ""


def _filled(model: Model, state: State) -> list[tuple[Mapping[int, str], int]]:
    """The reels that transforms fill, with their symbol and the weight of that."""
    found: dict[tuple[tuple[int, str], ...], int] = {(): 1}
    for transform in state.transforms:
        if not isinstance(transform, Fill):
            continue
        reels = range(model.reels) if transform.among is None else transform.among
        counts = list(zip(transform.count.values, transform.count.weights, strict=True))
        common = math.lcm(*(math.comb(len(reels), n) for n, _ in counts))
        following: dict[tuple[tuple[int, str], ...], int] = defaultdict(int)
        for before, times in found.items():
            for n, weight in counts:
                for some in combinations(reels, n):
                    after = {**dict(before), **dict.fromkeys(some, transform.symbol)}
                    following[tuple(sorted(after.items()))] += times * weight * (common // math.comb(len(reels), n))
        found = following
    return [(dict(full), weight) for full, weight in found.items()]


def _links(model: Model, state: State, strips: tuple[Strip, ...]) -> list[tuple[int, tuple[Strip, ...]]]:
    """(weight, strips) of every window of every run of linked reels."""
    if state.linked is None:
        return [(1, strips)]
    common = math.lcm(*(strips[first].total for first, _ in state.linked.runs))
    found = []
    for (first, last), chance in zip(state.linked.runs, state.linked.weights, strict=True):
        if first == last:
            found.append((chance * common, strips))
            continue
        for window, weight in _windows(strips[first], model.rows).items():
            stopped = Strip(window, (1, *[0] * (len(window) - 1)))
            linked = tuple(stopped if first <= reel <= last else strip for reel, strip in enumerate(strips))
            found.append((chance * weight * (common // strips[first].total), linked))
    return found


def _above(model: Model, top: Strip) -> list[tuple[int, Mapping[int, str]]]:
    """(weight, symbol by reel) of every window of the top reel."""
    windows = _windows(top, len(model.top))
    return [(weight, dict(zip(model.top, window, strict=True))) for window, weight in windows.items()]


def _windows(strip: Strip, shown: int) -> Mapping[tuple[str, ...], int]:
    """Weights of the different windows of a strip."""
    windows: dict[tuple[str, ...], int] = defaultdict(int)
    for stop, weight in enumerate(strip.weights):
        windows[strip.window(stop, shown)] += weight
    return windows
