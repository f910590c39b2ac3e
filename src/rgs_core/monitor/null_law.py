"""The null hypothesis of a cell: the certified law of a round's win, in units of its mode's cost.

Where the build has an exact law it is a *simple* hypothesis, so every test against it is exact. Where it has none, the
win classes of the certificate stand in; they are estimates of a stated number of rounds, and marked as such.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rgs_core.certified.certificate import Certificate
from rgs_core.errors import AnalysisError
from rgs_core.language.model import Build
from rgs_core.sheet.sheet import Sheet

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CLASS_LEAST = 2e-3
"""A win of at least this probability is a class of its own; rarer neighbours share one up to it."""

TAIL_EDGES = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
"""Stakes at which a class ends in any case: the rare wins, by size."""


@dataclass(frozen=True, repr=False)
class NullLaw:
    """What a build pays by its certificate.

    `units` int64[k], ascending, and `probabilities` float64[k]: the wins that are listed. `last` int64[c]: the largest
    win in units of each class; class i holds (last[i-1], last[i]]. `class_probabilities` float64[c]. `step`: every win
    is a multiple of it. `unlisted`: bound of the probability of all wins that are not listed. `estimated_rounds`: 0
    where the law is exact; else the rounds behind the class probabilities, and `units` is empty.
    """

    label: str
    build_hash: str
    mode: str
    stake_units: int
    units: Integers
    probabilities: Floats
    last: Integers
    class_probabilities: Floats
    max_units: int
    step: int
    mean: float
    sd: float
    unlisted: float
    feature_probability: float | None
    estimated_rounds: int = 0
    _classes: dict[int, int] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        kind = f"{self.estimated_rounds:,} simulated rounds" if self.estimated_rounds else f"{len(self.units):,} wins"
        return f"<NullLaw {self.label}, {kind}, {len(self.last)} classes>"

    @property
    def exact(self) -> bool:
        return self.estimated_rounds == 0

    @property
    def stakes(self) -> Floats:
        """float64[k]: the listed wins in stakes."""
        return np.asarray(self.units / self.stake_units, dtype=np.float64)

    @cached_property
    def skew(self) -> float:
        """Third standardised moment; infinite where it is unknown."""
        if not self.exact:
            return math.inf
        return float(((self.stakes - self.mean) / self.sd) ** 3 @ self.probabilities)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (FIPS 180-4) of the law, for verdict rows: which hypothesis was tested."""
        parts = (self.units, self.probabilities, self.last, self.class_probabilities)
        text = f"{self.label} {self.build_hash} {self.stake_units} {self.feature_probability!r}".encode()
        return f"sha256:{hashlib.sha256(text + b''.join(part.tobytes() for part in parts)).hexdigest()}"

    @cached_property
    def _listed(self) -> frozenset[int]:
        return frozenset(self.units.tolist())

    def possible(self, win_units: int, rounds: int, negligible: float = 1e-4) -> bool:
        """Whether a win can have been paid at all, seen in so many rounds.

        False for amounts below 0, above the certified maximum and beside the step. One that is merely not listed counts
        as impossible while all unlisted wins together are expected `negligible` times, so it never pages by rounding.
        """
        if not 0 <= win_units <= self.max_units or win_units % self.step:
            return False
        if not self.exact or win_units in self._listed:
            return True
        return self.unlisted * rounds > negligible

    def class_of(self, win_units: int) -> int:
        """Index of the class of a win; wins above the maximum belong to the last one."""
        found = self._classes.get(win_units)
        if found is None:
            found = min(bisect_left(self._last, win_units), len(self.last) - 1)
            self._classes[win_units] = found
        return found

    @cached_property
    def _last(self) -> list[int]:
        return [int(last) for last in self.last]

    def truncated(self, n: float, ratio: float = 0.1) -> Body | None:
        """The body of the law for n rounds: wins up to the largest c whose truncated skew / sqrt(n) is at most `ratio`.

        None where no win but 0 is small enough, or the law is not exact.
        """
        if not self.exact or n <= 0:
            return None
        means, sds, skews = self._truncations
        fit = np.flatnonzero(np.abs(skews) <= ratio * math.sqrt(n))
        if not len(fit) or fit[-1] == 0:
            return None
        i = int(fit[-1])
        return Body(int(self.units[i]), float(means[i]), float(sds[i]), float(self.probabilities[i + 1 :][::-1].sum()))

    @cached_property
    def _truncations(self) -> tuple[Floats, Floats, Floats]:
        """Mean, standard deviation and skew of X 1[X <= c] for every listed c, in stakes."""
        x, p = self.stakes, self.probabilities
        first, second, third = (np.cumsum(x**power * p) for power in (1, 2, 3))
        variance = np.maximum(second - first**2, 0.0)
        central = third - 3 * first * second + 2 * first**3
        sd = np.sqrt(variance)
        with np.errstate(divide="ignore", invalid="ignore"):
            skew = np.where(variance > 1e-15, central / np.maximum(sd, 1e-300) ** 3, math.inf)
        return first, sd, skew

    def drift(self, n: float) -> float:
        """Smallest drift of the RTP that n rounds show with power 80 % at 95 %: 2.80 sd / sqrt(n). Infinite for n = 0."""
        return 2.8016 * self.sd / math.sqrt(n) if n > 0 else math.inf


@dataclass(frozen=True)
class Body:
    """X 1[X <= `most_units`]: its certified mean and standard deviation in stakes; P(X > it) is `beyond`."""

    most_units: int
    mean: float
    sd: float
    beyond: float


def exact_null(sheet: Sheet) -> NullLaw:
    """The null of a build with an exact law. Raises AnalysisError where there is none."""
    law, build = sheet.law, sheet.build
    if law is None:
        raise AnalysisError(f"{build.label} has no exact law of wins: {sheet.law_skipped}")
    # Below this the entries are rounding of the transforms.
    keep = law.probabilities > max(law.error / 100, 1e-16)
    dropped = float(law.probabilities[~keep].sum())
    units = np.flatnonzero(keep).astype(np.int64) * law.step
    probabilities = law.probabilities[keep]
    probabilities = probabilities / probabilities.sum()
    frequency = sheet.analysis.feature_probability
    return null_of(
        units,
        probabilities,
        label=build.label,
        build_hash=build.build_hash,
        mode=build.mode,
        stake_units=law.stake_units,
        step=law.step,
        max_units=_max_units(sheet, int(units[-1]), (len(law.probabilities) - 1) * law.step),
        unlisted=law.error + dropped,
        feature_probability=float(frequency) if frequency else None,
    )


def null_of(
    units: Integers,
    probabilities: Floats,
    *,
    label: str,
    stake_units: int,
    build_hash: str = "",
    mode: str = "base",
    step: int = 1,
    max_units: int | None = None,
    unlisted: float = 0.0,
    feature_probability: float | None = None,
) -> NullLaw:
    """A null from listed wins and their probabilities, which sum to 1."""
    stakes = units / stake_units
    mean = float(stakes @ probabilities)
    last = class_ends(units, probabilities, stake_units)
    ends = np.searchsorted(units, last, side="right")
    starts = np.concatenate([[0], ends[:-1]])
    return NullLaw(
        label=label,
        build_hash=build_hash,
        mode=mode,
        stake_units=stake_units,
        units=units,
        probabilities=probabilities,
        last=last,
        class_probabilities=np.add.reduceat(probabilities, starts),
        max_units=int(units[-1]) if max_units is None else max_units,
        step=step,
        mean=mean,
        sd=math.sqrt(float((stakes - mean) ** 2 @ probabilities)),
        unlisted=unlisted,
        feature_probability=feature_probability,
    )


def _max_units(sheet: Sheet, listed: int, reachable: int) -> int:
    """The largest win that is certified; where it is not known, the end of the law's grid."""
    cycle = sheet.analysis.cycle
    if cycle is not None and cycle.max_win_reached:
        cap = sheet.build.model.win_units_cap
        return min(cycle.max_win_units, cap) if cap is not None else cycle.max_win_units
    return max(listed, reachable)


def class_ends(units: Integers, probabilities: Floats, stake_units: int) -> Integers:
    """Largest win of each class: nothing, common wins each alone, rarer neighbours together, rare ones by size.

    The classes depend on the law only, so counts of different days and cells add up, and the e-process is one.
    """
    ends: list[int] = []
    held, edges = 0.0, [edge * stake_units for edge in TAIL_EDGES]
    listed = list(zip(units.tolist(), probabilities.tolist(), strict=True))
    for i, (win, p) in enumerate(listed):
        if p >= CLASS_LEAST and held > 0:
            ends.append(listed[i - 1][0])
            held = 0.0
        held += p
        following = listed[i + 1][0] if i + 1 < len(listed) else None
        crosses = following is not None and any(win <= edge < following for edge in edges)
        if win == 0 or following is None or held >= CLASS_LEAST or crosses:
            ends.append(win)
            held = 0.0
    return np.array(ends, dtype=np.int64)


def certificate_null(build: Build, certificate: Certificate) -> NullLaw:
    """The null of a build without an exact law, from the classes its certificate declares.

    Raises AnalysisError where it declares none.
    """
    declared = certificate.declared
    above = {
        float(name.split(".", 1)[1]): float(p) for name, p in declared.items() if name.startswith("win_above.")
    }  # edge in stakes -> P(win > edge)
    if 0.0 not in above or "sd" not in declared:
        raise AnalysisError(f"{build.label}: its certificate declares no win classes; certify it with a simulation")
    cost, most = build.play.cost_units, float(declared.get("max_win", 0)) or 1e12
    edges = sorted(above)
    shares = [1 - above[edges[0]]]
    shares += [above[low] - above[high] for low, high in pairwise(edges)]
    shares.append(above[edges[-1]])
    last = [*(int(edge * cost) for edge in edges), int(most * cost)]
    kept = [i for i, share in enumerate(shares) if share > 0]
    probabilities = np.array([shares[i] for i in kept])
    feature = declared.get("feature_probability")
    return NullLaw(
        label=build.label,
        build_hash=build.build_hash,
        mode=build.mode,
        stake_units=cost,
        units=np.zeros(0, np.int64),
        probabilities=np.zeros(0),
        last=np.array([last[i] for i in kept], dtype=np.int64),
        class_probabilities=probabilities / probabilities.sum(),
        max_units=int(most * cost),
        step=1,
        mean=float(declared["rtp"]),
        sd=float(declared["sd"]),
        unlisted=0.0,
        feature_probability=float(feature) if feature else None,
        estimated_rounds=certificate.estimated_rounds or certificate.simulation_rounds,
    )
