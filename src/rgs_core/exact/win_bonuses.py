"""Bonuses that multiply what a spin has won: every row of its law by all that they draw.

Such a bonus is independent of the grid once it is known how often it is played, so a row that plays it n times becomes
rows of its units times the product of n draws. The rows then know the whole win, and nothing is added later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awards
from rgs_core.exact.bonuses import bonus_law
from rgs_core.exact.row_merging import merged_rows
from rgs_core.exact.spin_multiplier import MULTIPLIERS_MAX, ROWS_MAX
from rgs_core.language.mechanics import given
from rgs_core.language.model import Model

FactorLaw = dict[tuple[int, Awards], int]
"""Weight by the multiplier of the win and the spins awarded by state."""


@dataclass(frozen=True)
class Multiplied:
    """Rows after a bonus: units int64[n], events int64[n, k], weights object[n], out of `scale` times the former sum."""

    units: NDArray[np.int64]
    events: NDArray[np.int64]
    weights: NDArray[np.object_]
    scale: int


def factor_law(model: Model, name: str, states: Sequence[str]) -> tuple[FactorLaw, int]:
    """What one play multiplies the win by and awards, with the sum of the weights; a multiplier of 0 leaves the win as
    it is. Raises AnalysisError for more than MULTIPLIERS_MAX outcomes, and where spins are awarded with multipliers."""
    if _gives_multipliers(model, name):
        raise AnalysisError(
            f"bonus '{name}' multiplies the win of a spin and awards spins with multipliers of their own"
        )
    rows = bonus_law(model, name).rows
    total = lcm(*(p.denominator for p, _, _ in rows))
    law: FactorLaw = defaultdict(int)
    for p, multiplier, awards in rows:
        law[max(1, multiplier), tuple(awards.get(state, 0) for state in states)] += int(p * total)
    return _bounded(law, name), total


def _gives_multipliers(model: Model, name: str) -> bool:
    """Whether a bonus, or one that it leads to, awards spins with a multiplier."""
    parts = given(model.bonuses[name])
    return any(part.multiplier or (part.bonus and _gives_multipliers(model, part.bonus)) for part in parts)


def win_bonus(
    model: Model,
    name: str,
    states: Sequence[str],
    units: NDArray[np.int64],
    events: NDArray[np.int64],
    plays: NDArray[np.int64],
    weights: NDArray[np.object_],
) -> Multiplied:
    """Rows of units int64[n], events int64[n, k] and weights object[n], in which the bonus is played plays[n] times.

    The first columns of `events` are spins awarded, in the order of `states`; others tell rows apart. Raises
    AnalysisError for too many rows or multipliers.
    """
    one, total = factor_law(model, name, states)
    most = int(plays.max(initial=0))
    law: FactorLaw = {(1, (0,) * len(states)): 1}
    found, shares = [], []
    rows_count = 0
    for n in range(most + 1):
        if n:
            law = _product(law, one, name)
        chosen = np.flatnonzero(plays == n)
        rows_count += len(chosen) * len(law)
        if rows_count > ROWS_MAX:
            raise AnalysisError(f"bonus '{name}' makes more than {ROWS_MAX:,} different wins of a spin")
        for (multiplier, awards), weight in law.items() if len(chosen) else ():
            after = events[chosen].copy()
            after[:, : len(states)] += np.array(awards, dtype=np.int64)
            found.append(np.column_stack([units[chosen] * multiplier, after]))
            shares.append(weights[chosen] * (weight * total ** (most - n)))
    rows, merged = merged_rows(np.concatenate(found), np.concatenate(shares))
    return Multiplied(rows[:, 0], rows[:, 1:], merged.astype(object), total**most)


def _product(a: FactorLaw, b: FactorLaw, name: str) -> FactorLaw:
    """Law of two independent plays together."""
    law: FactorLaw = defaultdict(int)
    for (x, before), v in a.items():
        for (y, more), w in b.items():
            law[x * y, tuple(i + j for i, j in zip(before, more, strict=True))] += v * w
    return _bounded(law, name)


def _bounded(law: FactorLaw, name: str) -> FactorLaw:
    if len(law) > MULTIPLIERS_MAX:
        raise AnalysisError(f"bonus '{name}' multiplies the win of a spin in more than {MULTIPLIERS_MAX:,} ways")
    return law
