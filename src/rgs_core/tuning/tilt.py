"""The nearest distributions that move linear figures to where they should be: a convex problem.

Each row is one distribution p over its items, beside a prior p0. Wanted: the p of least
sum of KL(p || p0) with figures base + sum(gradients * (p - here)) inside their intervals and every p inside its
bounds. Its solution is p = clip(p0 exp(lambda . gradients + c), low, high), one multiplier a figure
(I-projection: Csiszar, Annals of Probability 3(1), 1975), found by Newton's method on the concave dual.
What cannot be reached is approached: a soft penalty keeps the multipliers finite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SOFTNESS = 1e-7
"""Of the penalty: a figure stays off by this times its multiplier, in scales."""

NEWTON_STEPS = 40
HALVINGS = 16


@dataclass(frozen=True)
class TiltProblem:
    """`prior`, `here`, `low`, `high`: float64[rows, items], 0 where a row has fewer items.
    `gradients`: float64[figures, rows, items], of figures divided by their scales; `base`: their values at `here`."""

    prior: Floats
    here: Floats
    low: Floats
    high: Floats
    gradients: Floats
    base: Floats


def divergence(p: Floats, prior: Floats) -> float:
    """Sum of KL(p || prior) over all rows, in nats."""
    used = p > 0
    return float((p[used] * np.log(p[used] / prior[used])).sum())


def clipped(logs: Floats, low: Floats, high: Floats) -> Floats:
    """clip(exp(logs + c), low, high) with one c a row, so that every row adds up to 1.

    The sum grows with c and bends where an item leaves its lower bound or reaches its upper one. Between the two
    bends around 1 the items that are free have a share in closed form.
    """
    used = high > 0
    with np.errstate(divide="ignore"):
        leaves = np.where(used, np.log(np.where(used, low, 1)) - logs, np.inf)
        arrives = np.where(used, np.log(np.where(used, high, 1)) - logs, np.inf)
    bends = np.sort(np.concatenate([leaves, arrives], axis=1), axis=1)
    rows = np.arange(len(logs))
    first, last = np.zeros(len(logs), dtype=np.int64), 2 * used.sum(axis=1) - 1

    def at(c: Floats) -> Floats:
        p: Floats = np.where(c >= arrives, high, np.where(c <= leaves, low, np.exp(np.clip(logs + c, -700, 1))))
        return np.where(used, p, 0)

    while (last - first > 1).any():
        middle = (first + last) // 2
        over = at(bends[rows, middle][:, None]).sum(axis=1) > 1
        first, last = np.where(over, first, middle), np.where(over, middle, last)
    start, end = bends[rows, first][:, None], bends[rows, last][:, None]
    free = used & (leaves <= start) & (arrives >= end) & (leaves < arrives)
    fixed = np.where(free, 0, np.where(arrives <= start, high, low) * used).sum(axis=1, keepdims=True)
    top = np.where(free, logs, -np.inf).max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    shares = np.where(free, np.exp(np.where(free, logs, top) - top), 0)
    total = shares.sum(axis=1, keepdims=True)
    shares *= np.maximum(1 - fixed, 0) / np.where(total > 0, total, 1)
    return np.where(free, np.clip(shares, low, high), np.where(arrives <= start, high, low) * used)


def tilted(problem: TiltProblem, wanted_low: Floats, wanted_high: Floats) -> tuple[Floats, Floats]:
    """The solution p and the linear figures there. Figures that cannot be reached come as near as they can."""
    count = len(problem.base)
    side = np.zeros(count, dtype=np.int8)  # of its interval that a figure is held at: -1 low, 1 high, 0 not held
    side[wanted_low == wanted_high] = -1
    multipliers = np.zeros(count)
    p, figures = _at(problem, multipliers)
    for _ in range(4 * count + 4):
        bounds = np.where(side > 0, wanted_high, wanted_low)
        multipliers = _newton(problem, multipliers * (side != 0), bounds, side != 0)
        p, figures = _at(problem, multipliers)
        fixed = wanted_low == wanted_high
        wrong = ~fixed & ((side < 0) & (multipliers < 0) | (side > 0) & (multipliers > 0))
        free = side == 0
        following = np.where(wrong, 0, side)
        following = np.where(free & (figures < wanted_low), -1, following)
        following = np.where(free & (figures > wanted_high), 1, following)
        if np.array_equal(following, side):
            break
        side = following.astype(np.int8)
    return p, figures


def _at(problem: TiltProblem, multipliers: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        logs = np.log(problem.prior) + np.tensordot(multipliers, problem.gradients, 1)
    p = clipped(logs, problem.low, problem.high)
    return p, problem.base + (problem.gradients * (p - problem.here)).sum(axis=(1, 2))


def _newton(problem: TiltProblem, multipliers: Floats, bounds: Floats, held: NDArray[np.bool_]) -> Floats:
    """Multipliers of the held figures with figure + SOFTNESS * multiplier = bound: a strictly monotone equation."""
    index = np.flatnonzero(held)
    if not len(index):
        return np.zeros_like(multipliers)

    def off(at: Floats) -> tuple[Floats, Floats]:
        p, figures = _at(problem, at)
        return p, (figures + SOFTNESS * at - bounds)[index]

    p, error = off(multipliers)
    for _ in range(NEWTON_STEPS):
        if np.abs(error).max() < 1e-12:
            break
        free = (p > problem.low * (1 + 1e-12)) & (p < problem.high * (1 - 1e-12))
        weights = p * free
        slopes = problem.gradients[index]
        totals = weights.sum(axis=1)
        means = np.einsum("ri,kri->kr", weights, slopes) / np.where(totals > 0, totals, 1)
        centred = (slopes - means[:, :, None]) * np.sqrt(weights)
        flat = centred.reshape(len(index), -1)
        step = np.linalg.solve(flat @ flat.T + SOFTNESS * np.eye(len(index)), -error)
        length = float(min(1.0, 50.0 / max(np.abs(np.tensordot(step, slopes, 1)).max(), 1e-300)))
        for _ in range(HALVINGS):
            trial = multipliers.copy()
            trial[index] += length * step
            p_trial, error_trial = off(trial)
            if np.linalg.norm(error_trial) < np.linalg.norm(error):
                break
            length /= 2
        else:
            break
        ended = np.linalg.norm(error_trial) > (1 - 1e-6) * np.linalg.norm(error)  # every item is at a bound
        multipliers, p, error = trial, p_trial, error_trial
        if ended:
            break
    return multipliers


def extreme(low: Floats, high: Floats, gradient: Floats) -> Floats:
    """The p of one row inside its bounds with the largest mean of `gradient`: the best items filled first."""
    p = low.copy()
    rest = 1 - float(low.sum())
    for item in np.argsort(-gradient, kind="stable"):
        more = min(rest, float(high[item] - low[item]))
        p[item] += more
        rest -= more
    return p
