"""Statistics of wins: moments of an exact distribution, volatility index, confidence bands.

Wins and stakes are in the same unit; figures "of the stake" are divided by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist

Z_90 = 1.645
"""Two-sided 90 % normal quantile as PAR sheets round it."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Exact win distribution: `weights[win]` out of `total`, for a stake in the same unit."""

    weights: Mapping[int, int]
    stake: int

    @property
    def total(self) -> int:
        return sum(self.weights.values())

    @property
    def rtp(self) -> Fraction:
        """Mean win of the stake."""
        return Fraction(sum(win * n for win, n in self.weights.items()), self.total * self.stake)

    @property
    def hit_frequency(self) -> Fraction:
        """Share of plays that win anything."""
        return 1 - Fraction(self.weights.get(0, 0), self.total)

    @property
    def variance(self) -> Fraction:
        """Variance of win / stake."""
        second = Fraction(sum(win * win * n for win, n in self.weights.items()), self.total * self.stake**2)
        return second - self.rtp**2

    @property
    def sd(self) -> float:
        """Standard deviation of win / stake."""
        return root(self.variance)

    def volatility_index(self, z: float = Z_90) -> float:
        """z times the standard deviation: the PAR sheet's measure of volatility."""
        return z * self.sd


def root(value: Fraction) -> float:
    """Square root of a fraction of any size, to double precision."""
    scale = 1 << 256
    return math.isqrt(value.numerator * scale // value.denominator) / math.sqrt(scale)


def confidence_band(rtp: float, sd: float, plays: int, z: float) -> tuple[float, float]:
    """RTP that `plays` plays show with the probability of z: rtp -+ z sd / sqrt(plays)."""
    half = z * sd / math.sqrt(plays)
    return rtp - half, rtp + half


def z_for(confidence: float) -> float:
    """Two-sided normal quantile: 0.95 gives 1.95996. ValueError outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def proportion_interval(hits: int, n: int, z: float) -> tuple[float, float]:
    """Wilson score interval for a frequency (Wilson, JASA 22, 1927); good for rare events too."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = hits / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)
