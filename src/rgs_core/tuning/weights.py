"""Tunes the stop weights of a profile until its exact figures meet targets, changing it as little as possible.

The nearest real weights come first (rgs_core.tuning.tuner), then small integers beside them whose exact figures are in the
targets (rgs_core.tuning.lattice). Where there are none the error says what is possible (rgs_core.tuning.limits). The same
question always has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError, TuningError
from rgs_core.language.model import WEIGHT_MAX, Build, Strip
from rgs_core.tuning.figures import Figures, Meter, Strips, Target
from rgs_core.tuning.lattice import Lattice, integer_weights
from rgs_core.tuning.limits import otherwise
from rgs_core.tuning.tilt import divergence
from rgs_core.tuning.tuner import MOST, TOTAL_MAX, Grain, Progress, Row, Tuner


@dataclass(frozen=True)
class Tuned:
    """Strips that meet the targets. Divergences are KL in nats, of all reels together: of these strips from the
    starting ones, and of the nearest probabilities before rounding (None where strips change)."""

    build: Build
    strips: Strips
    before: Figures
    after: Figures
    targets: tuple[Target, ...]
    divergence: float
    least_divergence: float | None
    grain: str
    measured: int


def tune_weights(
    build: Build,
    targets: Sequence[Target],
    *,
    keep: Iterable[str] = (),
    most: int = MOST,
    grain: Grain = "auto",
    progress: Progress = lambda _: None,
) -> Tuned:
    """New stop weights for the strips of `build`. Raises TuningError when targets cannot be met, and says why."""
    tuner = Tuner(build, targets, keep=keep, most=most, grain=grain, progress=progress)
    before = first_figures(tuner.meter, build)
    if all(target.met(before) for target in tuner.targets):
        strips = build.profile.strips
        return Tuned(build, strips, before, before, tuner.targets, 0.0, 0.0, tuner.grain, tuner.measured)
    if not tuner.rows:
        raise TuningError("everything is kept, so nothing can change; keep less")
    solution = tuner.solve(tuner.targets)
    if not solution.reached:
        solution = otherwise(tuner, solution)
    least = divergence(solution.p, tuner.prior)
    progress("small integers")
    lattices = [
        Lattice(
            base=np.array(row.weights),
            free=row.free,
            p=solution.p[place, : len(row.weights)],
            low=tuner.low[place, : len(row.weights)],
            high=tuner.high[place, : len(row.weights)],
            slopes=solution.slopes[:, place, : len(row.weights)] * len(tuner.followers(place)),
        )
        for place, row in ((place, tuner.rows[place]) for place in tuner.leaders)
    ]

    def measure(weights: Sequence[NDArray[np.int64]], *, quick: bool = False) -> Figures:
        return tuner.integer_figures(tuner.all_rows(weights), quick=quick)

    found = integer_weights(lattices, tuner.targets, measure, TOTAL_MAX, WEIGHT_MAX, progress)
    if found is None:
        raise TuningError(
            f"weights with a sum up to {TOTAL_MAX:,} a reel come near the targets "
            f"({tuner.shown(solution.figures)}) but not into them; give wider ranges"
        )
    weights = tuner.all_rows([_reduced(weights) for weights in found.weights])
    strips = tuner.strips(weights)
    after = tuner.meter.figures(strips)
    spent = sum(_divergence(row, new) for row, new in zip(tuner.rows, weights, strict=True))
    return Tuned(build, strips, before, after, tuner.targets, spent, least, tuner.grain, tuner.measured)


def _divergence(row: Row, weights: NDArray[np.int64]) -> float:
    """KL divergence of new weights of a reel from its old ones, in nats."""
    p, q = weights / weights.sum(), np.array(row.weights) / row.total
    return float((p * np.log(p / q)).sum())


def first_figures(meter: Meter, build: Build) -> Figures:
    """The figures to begin with. Raises TuningError with reason and remedy for a build that has no exact ones."""
    try:
        return meter.figures(build.profile.strips)
    except AnalysisError as error:
        raise TuningError(
            f"{build.label} has no exact figures, so its targets cannot be met exactly: {error}. Change weights or pays by "
            f"hand and see what 'rgs simulate' makes of them, as 'rgs simulate FILE --until rtp=0.05%@99'; or give the "
            "state mechanics that have an exact law (docs/math-tools.md)"
        ) from error


def _reduced(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weights without a common divisor, so that a reel that did not change reads as it did."""
    return weights // gcd(*weights.tolist())


def shares(strip: Strip) -> dict[str, Fraction]:
    """The share of each symbol in the weights of a strip."""
    total = strip.total
    found: dict[str, int] = {}
    for symbol, weight in zip(strip.symbols, strip.weights, strict=True):
        found[symbol] = found.get(symbol, 0) + weight
    return {symbol: Fraction(weight, total) for symbol, weight in found.items()}
