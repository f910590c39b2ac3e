"""T1: the exact law of what n rounds win together, with stakes of several levels.

Sums of independent wins are products of transforms (FFT). To read a tail with relative accuracy the law is tilted
exponentially first, p(x) e^(tx) / M(t), so that the observed sum becomes the mean, and tilted back after (Esscher 1932;
Daniels, "Saddlepoint approximations in statistics", Ann. Math. Stat. 25, 1954). The grid is a circle that is long
enough for a Chernoff bound of what lies outside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from rgs_core.monitor.null_law import NullLaw

Floats = NDArray[np.float64]

GRID_MAX = 1 << 22
"""Points at most. Beyond it wins are split between two points of a coarser grid, which keeps the mean."""

OUTSIDE = 1e-13
"""Chernoff bound of the probability outside of the grid."""

NORMAL_RATIO = 0.1
"""The normal law stands in where skew / sqrt(n_eff) is below this."""


@dataclass(frozen=True)
class Stakes:
    """Rounds by stake: `levels` maps a stake (whole numbers of any unit) to its number of rounds."""

    levels: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, rounds_by_stake: Mapping[int, int]) -> Stakes:
        return cls(tuple(sorted((b, n) for b, n in rounds_by_stake.items() if n)))

    @property
    def n(self) -> int:
        return sum(n for _, n in self.levels)

    @property
    def total(self) -> int:
        """Sum of all stakes."""
        return sum(b * n for b, n in self.levels)

    @property
    def squares(self) -> int:
        return sum(b * b * n for b, n in self.levels)

    @property
    def n_eff(self) -> float:
        """(sum b)^2 / sum b^2: rounds of equal stakes with the same error of the RTP."""
        return self.total**2 / self.squares if self.squares else 0.0


class SumLaw:
    """The law of the RTP (win / stake) of so many rounds at such stakes, for an exact null."""

    def __init__(self, null: NullLaw, stakes: Stakes) -> None:
        if not null.exact or not stakes.levels:
            raise ValueError("the law of a sum needs an exact law of a round, and rounds")
        self.null = null
        self.unit = reduce(math.gcd, (b for b, _ in stakes.levels))
        self.levels = [(b // self.unit, n) for b, n in stakes.levels]
        self.total = stakes.total // self.unit
        self.mean = null.mean * self.total
        self.sd = null.sd * math.sqrt(stakes.squares) / self.unit
        self._x, self._p = null.stakes, null.probabilities

    def _log_mgf(self, t: float) -> float:
        """log E exp(t S), S the sum in stakes of the smallest unit."""
        return math.fsum(n * self._log_mgf_of_one(t * b) for b, n in self.levels)

    def _log_mgf_of_one(self, t: float) -> float:
        exponents = t * self._x
        top = float(exponents.max())
        return top + math.log(float(np.exp(exponents - top) @ self._p))

    def _bound(self, t: float, sign: int) -> float:
        """Distance from the mean, on one side, outside of which the law tilted by t has at most OUTSIDE."""
        base, slope = self._log_mgf(t), self._mean_at(t)
        steps: list[float] = (np.geomspace(1e-4, 60.0, 60) / self.sd).tolist()
        return min(
            max(0.0, (self._log_mgf(t + sign * s) - base - sign * s * slope - math.log(OUTSIDE)) / s) for s in steps
        )

    def _mean_at(self, t: float) -> float:
        """Mean of the sum tilted by t."""
        total = 0.0
        for b, n in self.levels:
            exponents = t * b * self._x
            weights = np.exp(exponents - exponents.max()) * self._p
            total += n * b * float(weights @ self._x) / float(weights.sum())
        return total

    def _law(self, t: float) -> tuple[Floats, Floats]:
        """Values in stakes of the smallest unit, ascending, and probabilities of the sum tilted by t."""
        centre = self._mean_at(t)
        low, high = self._bound(t, -1), self._bound(t, 1)
        step = math.gcd(self.null.step, *(int(u) for u in self.null.units)) / self.null.stake_units
        size, fine = 1 << 12, step
        while size * step < (low + high) * 1.01 + 4 * step:
            if size < GRID_MAX:
                size *= 2
            else:
                step *= 2
        log_phi = np.zeros(size // 2 + 1, dtype=np.complex128)
        for b, n in self.levels:
            exponents = t * b * self._x
            weights = np.exp(exponents - exponents.max()) * self._p
            weights /= weights.sum()
            places = self._x * b / step
            floor = np.floor(places + 1e-9).astype(np.int64)
            share = np.clip(places - floor, 0.0, 1.0) if step != fine else np.zeros(len(floor))
            grid = np.bincount(floor % size, weights * (1 - share), size)
            grid += np.bincount((floor + 1) % size, weights * share, size)
            phi = np.fft.rfft(grid)
            phi[np.abs(phi) < 1e-300] = 1e-300  # no logarithm of 0
            log_phi += n * np.log(phi)
        law: Floats = np.asarray(np.fft.irfft(np.exp(log_phi), size), dtype=np.float64)
        np.maximum(law, 0.0, out=law)
        first = math.floor((centre - low) / step) - 1
        first = max(first, 0)
        values: Floats = (first + np.arange(size, dtype=np.float64)) * step
        return values, np.asarray(np.roll(law, -(first % size)), dtype=np.float64)

    def band(self, confidence: float = 0.95) -> tuple[float, float]:
        """The RTP between the exact quantiles at (1 - confidence) / 2 on each side, both ends inside."""
        values, law = self._law(0.0)
        below = np.cumsum(law)
        tail = (1 - confidence) / 2
        ends = np.searchsorted(below, [tail * below[-1], (1 - tail) * below[-1]])
        return tuple(float(values[i]) / self.total for i in ends)  # type: ignore[return-value]

    def p_value(self, win: float) -> float:
        """Two-sided exact p-value of a total win, in stakes of the smallest unit: twice the smaller tail, at most 1."""
        above = win >= self.mean
        t = self._tilt(win)
        values, law = self._law(t)
        keep = values >= win - 1e-6 if above else values <= win + 1e-6
        logs = self._log_mgf(t) - t * values[keep]
        return min(1.0, 2 * float(np.exp(np.minimum(logs, 700.0)) @ law[keep]))

    def _tilt(self, win: float) -> float:
        """The t at which `win` is the mean, kept to 12 standard deviations of tilt; by bisection, as the mean rises in t."""
        reach = 12.0 / self.sd
        low, high = (0.0, reach) if win >= self.mean else (-reach, 0.0)
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self._mean_at(middle) < win else (low, middle)
        return (low + high) / 2


def rtp_band(null: NullLaw, stakes: Stakes, confidence: float = 0.95) -> tuple[float, float] | None:
    """The band of the RTP: exact, normal where the sum is near to it; None where no law gives one."""
    if normal(null, stakes):
        from scipy.stats import norm

        half = float(norm.ppf(0.5 + confidence / 2)) * null.sd / math.sqrt(stakes.n_eff)
        return null.mean - half, null.mean + half
    return SumLaw(null, stakes).band(confidence) if null.exact and stakes.n else None


def rtp_p(null: NullLaw, stakes: Stakes, win: int) -> float | None:
    """p-value of T1 for a total win in the unit of the stakes; None where no law gives one."""
    if normal(null, stakes):
        z = (win / stakes.total - null.mean) * math.sqrt(stakes.n_eff) / null.sd
        return math.erfc(abs(z) / math.sqrt(2))
    if not null.exact or not stakes.n:
        return None
    law = SumLaw(null, stakes)
    return law.p_value(win / law.unit)


def normal(null: NullLaw, stakes: Stakes) -> bool:
    """Whether the skew of the sum is small enough for the normal law."""
    return stakes.n > 0 and null.skew / math.sqrt(stakes.n_eff) < NORMAL_RATIO
