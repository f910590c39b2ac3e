"""T7: evidence against the certified law that may be looked at at any time.

With certified class probabilities p_k, counts n_k and a_k = A p_k, the ratio of a Dirichlet(a) mixture of laws to the
certified one is an e-process (Good, "A Bayesian significance test for multinomial distributions", JRSS B 29, 1967):

    log E_A = lnG(A) - lnG(A + n) + sum_k [lnG(a_k + n_k) - lnG(a_k) - n_k ln p_k],   E = mean of E_A

Under the certified law P(E ever reaches x) <= 1/x, however often one looks (Ville 1939; Ramdas et al., "Game-theoretic
statistics and safe anytime-valid inference", Statistical Science 38, 2023). Old data dilute a fault that begins late,
so a fresh process begins every week k; its threshold is k (k + 1) times higher, and sum 1 / (k (k + 1)) = 1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIXED = np.array([1e3, 1e4, 1e5, 1e6, 1e7])
"""Concentrations A that are mixed: small ones find large faults early, large ones small faults."""

WEEK_DAYS = 7
RESTARTS_KEPT = 8
"""Weekly processes that are alive beside the first; fewer are as valid, and cost less."""


def log_e(counts: NDArray[np.integer], probabilities: Floats) -> Floats:
    """log E of counts int[..., k] against float64[k]; float64[...]. Probabilities are above 0 and sum to 1."""
    from scipy.special import gammaln

    counted = np.asarray(counts, dtype=np.float64)
    n = counted.sum(axis=-1)
    fit = counted @ np.log(probabilities)
    each = np.empty((len(MIXED), *n.shape))
    for i, a in enumerate(MIXED):
        share = a * probabilities
        ratio = (gammaln(share + counted) - gammaln(share)).sum(axis=-1)
        each[i] = gammaln(a) - gammaln(a + n) + ratio - fit
    top = each.max(axis=0)
    return np.asarray(top + np.log(np.exp(each - top).mean(axis=0)), dtype=np.float64)


def log_threshold(week: int) -> float:
    """By how much the threshold of the process that began in week 1, 2, ... is raised, as a logarithm."""
    return math.log(week * (week + 1))


def live_weeks(day: int) -> list[int]:
    """Weeks, counted from 1, whose processes are alive on a day counted from 0: the first and the latest ones."""
    week = day // WEEK_DAYS + 1
    return sorted({1, *range(max(1, week - RESTARTS_KEPT + 1), week + 1)})


def anytime(daily: NDArray[np.integer], probabilities: Floats) -> tuple[float, int]:
    """The most evidence on the last of `daily` int[days, k], less the raised thresholds, and the week it began in.

    The first number is compared with log(m / alpha).
    """
    days = len(daily)
    if not days:
        return 0.0, 1
    weeks = live_weeks(days - 1)
    after = np.cumsum(daily[::-1], axis=0, dtype=np.int64)[::-1]
    counts = np.stack([after[(week - 1) * WEEK_DAYS] for week in weeks])
    values = log_e(counts, probabilities) - np.array([log_threshold(week) for week in weeks])
    best = int(values.argmax())
    return float(values[best]), weeks[best]
