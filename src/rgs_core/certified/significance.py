"""Tests of counted results against expected probabilities, and the correction for many of them (scipy)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

EXPECTED_MIN = 10.0
"""Classes expected to hold fewer rounds are joined with their neighbours, so that chi-square holds."""


def mean_p(mean: float, expected: float, sd: float, n: float) -> float:
    """Two-sided p-value of a mean of n values with a known standard deviation, by the central limit theorem."""
    if sd == 0:
        return 1.0 if math.isclose(mean, expected, rel_tol=1e-9, abs_tol=1e-9) else 0.0
    return math.erfc(abs(mean - expected) * math.sqrt(n) / sd / math.sqrt(2))


def frequency_p(count: int, n: int, probability: float) -> float:
    """Two-sided exact binomial p-value (Clopper-Pearson's test: twice the smaller tail, at most 1)."""
    from scipy.stats import binom

    lower, upper = float(binom.cdf(count, n, probability)), float(binom.sf(count - 1, n, probability))
    return min(1.0, 2 * min(lower, upper))


def classes_p(counts: Sequence[int], probabilities: Sequence[float], least: float = 0.0) -> float:
    """Pearson chi-square p-value of counts by class; small classes are joined from the rare end on.

    What is counted where the probability is 0 (all such classes together: at most `least`) is tested for
    itself, as a Poisson count, and both tests are corrected for being two.
    """
    from scipy.stats import chi2, poisson

    n = sum(counts)
    stray = sum(count for count, share in zip(counts, probabilities, strict=True) if share == 0)
    stray_p = 1.0 if stray == 0 else float(poisson.sf(stray - 1, n * least)) if least else 0.0
    observed: list[float] = []
    expected: list[float] = []
    held_count, held_share = 0.0, 0.0
    for count, share in zip(reversed(counts), reversed(probabilities), strict=True):
        if share == 0:
            continue
        held_count, held_share = held_count + count, held_share + share
        if held_share * n >= EXPECTED_MIN:
            observed.append(held_count)
            expected.append(held_share * n)
            held_count = held_share = 0.0
    if observed:
        observed[-1] += held_count
        expected[-1] += held_share * n
    if len(observed) < 2:
        return stray_p
    difference = np.array(observed) - np.array(expected)
    chi_p = float(chi2.sf((difference**2 / np.array(expected)).sum(), len(observed) - 1))
    return min(1.0, chi_p if stray_p == 1.0 else 2 * min(chi_p, stray_p))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: reject where they are below alpha, and all together err at most alpha often.

    Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
