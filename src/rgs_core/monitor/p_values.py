"""T1 to T6: p-values of the counts of one window against the certified law. None: too few rounds, or no such figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgs_core.certified.significance import frequency_p
from rgs_core.monitor.counts import STATUSES, ClassCounts, Counts
from rgs_core.monitor.exact_sum import rtp_p
from rgs_core.monitor.null_law import Body, NullLaw

Floats = NDArray[np.float64]

EXPECTED_LEAST = 20.0
"""Classes expected to hold fewer rounds are joined with their neighbours from the rare end on: with 20 the chi-square
law is near enough down to p = 1e-5."""

EXPECTED_LEAST_OF_TWO = 5.0
"""The same of the smaller of two samples (Cochran, "Some methods for strengthening the common chi-square tests",
Biometrics 10, 1954)."""

ESTIMATE_SHARE = 100
"""Estimated classes are tested on at most 1/100 of the rounds behind them, as if they were exact."""


@dataclass(frozen=True)
class PValues:
    """One p-value for each test that has one: T1 rtp, T2 body, T3 classes, T4 feature, T5 tail, T6 bias."""

    rtp: float | None
    body: float | None
    classes: float | None
    feature: float | None
    tail: float | None
    bias: float | None

    def known(self) -> dict[str, float]:
        return {name: p for name, p in vars(self).items() if p is not None}

    def smallest(self) -> float:
        """The smallest of them, corrected for their number (Bonferroni); 1 where there is none."""
        known = self.known()
        return min(1.0, len(known) * min(known.values())) if known else 1.0


def p_values(counts: Counts, by_class: ClassCounts, null: NullLaw) -> PValues:
    """All tests of a window. Impossible wins are part of T1, and of no other."""
    stakes = counts.stakes
    n = counts.n
    body = null.truncated(stakes.n_eff)
    usable = null.exact or n * ESTIMATE_SHARE <= null.estimated_rounds
    return PValues(
        rtp=rtp_p(null, stakes, counts.win) if n else None,
        body=None if body is None else body_p(counts, null, body),
        classes=classes_p(by_class.all, null.class_probabilities) if usable else None,
        feature=feature_p(counts, null) if usable else None,
        tail=None if body is None else tail_p(counts, null, body),
        bias=bias_p(counts, null),
    )


def body_p(counts: Counts, null: NullLaw, body: Body) -> float | None:
    """T2: z-test of what wins up to the truncation return, weighted by stake."""
    stakes = counts.stakes
    if body.sd == 0:
        return None
    paid = sum(win * n for _, stake, win, n in counts if win * null.stake_units <= body.most_units * stake)
    z = (paid - body.mean * stakes.total) / (body.sd * math.sqrt(stakes.squares))
    return math.erfc(abs(z) / math.sqrt(2))


def joined(expected: Floats, least: float) -> NDArray[np.int64]:
    """First class of each group, so that every group expects at least `least`; grouped from the last class on."""
    starts: list[int] = []
    held = 0.0
    for i in range(len(expected) - 1, -1, -1):
        held += float(expected[i])
        if held >= least:
            starts.append(i)
            held = 0.0
    if starts:
        starts[-1] = 0  # what is left joins the commonest group
    return np.array(starts[::-1], dtype=np.int64)


def classes_p(counted: NDArray[np.int64], probabilities: Floats) -> float | None:
    """T3: Pearson's chi-square of win classes against certified probabilities."""
    from scipy.stats import chi2

    expected = probabilities * float(counted.sum())
    starts = joined(expected, EXPECTED_LEAST)
    if len(starts) < 2:
        return None
    seen, due = np.add.reduceat(counted, starts), np.add.reduceat(expected, starts)
    return float(chi2.sf(((seen - due) ** 2 / due).sum(), len(starts) - 1))


def feature_p(counts: Counts, null: NullLaw) -> float | None:
    """T4: exact binomial test of rounds with a feature."""
    if null.feature_probability is None or not counts.known:
        return None
    return frequency_p(counts.triggered, counts.known, null.feature_probability)


def tail_p(counts: Counts, null: NullLaw, body: Body) -> float | None:
    """T5: two-sided Poisson test of wins above the truncation."""
    from scipy.stats import poisson

    if body.beyond <= 0:
        return None
    above = sum(n for _, stake, win, n in counts if win * null.stake_units > body.most_units * stake)
    expected = counts.n * body.beyond
    return min(1.0, 2 * min(float(poisson.cdf(above, expected)), float(poisson.sf(above - 1, expected))))


def bias_p(counts: Counts, null: NullLaw) -> float | None:
    """T6: do voided, retried and recovered rounds win as normal ones do? Chi-square of homogeneity for each status,
    the smallest p-value corrected for their number. Finds outcome shopping and faults of recovery."""
    table = np.zeros((len(STATUSES), len(null.last)), dtype=np.int64)
    for status, stake, win, n in counts:
        # An impossible win is in the class of its size, so that it weighs here as well.
        table[STATUSES.index(status), null.class_of(max(0, win * null.stake_units // stake))] += n
    found = [p for other in table[1:] if (p := _two_samples_p(table[0], other)) is not None]
    return min(1.0, len(found) * min(found)) if found else None


def _two_samples_p(one: NDArray[np.int64], other: NDArray[np.int64]) -> float | None:
    from scipy.stats import chi2

    both = (one + other).astype(np.float64)
    total, first, second = both.sum(), float(one.sum()), float(other.sum())
    if not first or not second:
        return None
    starts = joined(both * min(first, second) / total, EXPECTED_LEAST_OF_TWO)
    if len(starts) < 2:
        return None
    pooled = np.add.reduceat(both, starts) / total
    statistic = sum(
        float(((np.add.reduceat(sample, starts) - pooled * size) ** 2 / (pooled * size)).sum())
        for sample, size in ((one, first), (other, second))
    )
    return float(chi2.sf(statistic, len(starts) - 1))
