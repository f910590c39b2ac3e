"""Multipliers that a spin draws whatever its reels show: they multiply what the law of its grid says.

Such a transform has `each = "spin"` and does not persist. It is independent of the grid, so its law is merged apart:
every amount of the grid by every multiplier, weights multiplied. Awards and bonuses are not multiplied, nor what the
state exempts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.exact.row_merging import merged_rows
from rgs_core.language.mechanics import Multiplier, Transform
from rgs_core.language.model import State

MULTIPLIERS_MAX = 4_096
"""Most different multipliers of a spin."""

ROWS_MAX = 20_000_000
"""Most amounts x multipliers that are merged at a time: seconds."""


def is_spin_multiplier(transform: Transform) -> bool:
    """Whether a transform multiplies a spin whatever its grid shows."""
    return (
        isinstance(transform, Multiplier)
        and transform.each == "spin"
        and not transform.persist
        and transform.when == "always"
        and not transform.in_view
        and not transform.modifiers
    )


def multiplies(state: State) -> bool:
    """Whether a state draws such multipliers."""
    return any(map(is_spin_multiplier, state.transforms))


def grid_transforms(state: State) -> list[Transform]:
    """The other transforms: those that look at the grid or change it."""
    return [transform for transform in state.transforms if not is_spin_multiplier(transform)]


def multiplier_law(state: State) -> Mapping[int, int]:
    """Weight of each multiplier of a spin, all its transforms together; {1: 1} without any.

    Raises AnalysisError for more than MULTIPLIERS_MAX different ones.
    """
    law: dict[int, int] = {1: 1}
    for transform in state.transforms:
        if isinstance(transform, Multiplier) and is_spin_multiplier(transform):
            following: dict[int, int] = defaultdict(int)
            for value, weight in law.items():
                for factor, chance in _factors(transform):
                    following[value * factor] += weight * chance
            law = following
            if len(law) > MULTIPLIERS_MAX:
                raise AnalysisError(f"a spin of state '{state.name}' has more than {MULTIPLIERS_MAX:,} multipliers")
    return law


def _factors(transform: Multiplier) -> list[tuple[int, int]]:
    """Multipliers that a transform gives with their weights; 1 where its odds do not succeed."""
    table = list(zip(transform.table.values, transform.table.weights, strict=True))
    odds = transform.odds
    if odds is None or odds.chance == odds.out_of:
        return table
    return [
        *((value, weight * odds.chance) for value, weight in table),
        (1, transform.table.total * (odds.out_of - odds.chance)),
    ]


def multiplier_mean(state: State) -> Fraction:
    """Mean multiplier of a spin: the draws are independent."""
    mean = Fraction(1)
    for transform in state.transforms:
        if isinstance(transform, Multiplier) and is_spin_multiplier(transform):
            factors = _factors(transform)
            drawn = sum(value * weight for value, weight in factors)
            mean *= Fraction(drawn, sum(weight for _, weight in factors))
    return mean


def partly_exempt(state: State, evaluator: str) -> bool:
    """Whether no multiplier applies to some wins of an evaluator and to others one does."""
    return not state.exempt(evaluator) and any(name.startswith(f"{evaluator}.") for name in state.multiplier_exempt)


def multiplied(
    law: Mapping[int, int],
    units: NDArray[np.int64],
    fixed: NDArray[np.int64],
    events: NDArray[np.int64],
    weights: NDArray[np.object_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.object_]]:
    """Rows of a grid by every multiplier, equal ones merged, in lexical order: units int64[n], events int64[n, k]
    and weights object[n].

    `units` int64[m] are multiplied, `fixed` int64[m] are not; `events` int64[m, k] tells rows apart. AnalysisError
    for too many.
    """
    if len(units) * len(law) > ROWS_MAX:
        raise AnalysisError(f"{len(units):,} amounts by {len(law):,} multipliers are too many; at most {ROWS_MAX:,}")
    rows = np.concatenate([np.column_stack([units * value + fixed, events]) for value in law])
    rows, merged = merged_rows(rows, np.concatenate([weights * weight for weight in law.values()]))
    return rows[:, 0], rows[:, 1:], merged.astype(object)
