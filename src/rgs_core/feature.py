"""Exact law of the free spins of a round: retriggers, the cap, moments, odds of winning nothing.

One free spin wins X and awards R further spins; spins are independent of each other, X and R of one
spin are not. With a cap the round is a walk over (spins left, awards still allowed); the moments are
computed backwards in integers scaled by powers of a common denominator, so they are exact.
Without a cap in reach the sums are geometric: E[T] = E[X] / (1 - q) and
Var[T] = Var(X + R E[T]) / (1 - q), q = E[R] (branching process; Harris 1963, ch. I).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from rgs_core.errors import AnalysisError

CAP_EXACT_MAX = 250
"""Largest cap computed by the exact walk; above it the cap must be out of reach."""

NEGLIGIBLE = 1e-15


@dataclass(frozen=True, slots=True)
class Awarding:
    """What a spin does when it awards `r` spins: probability and win moments on that event.

    `win`, `win_squared`: E[X; R = r] and E[X^2; R = r]; `nothing`: P(X = 0, R = r); `most`: largest X.
    """

    probability: Fraction
    win: Fraction
    win_squared: Fraction
    nothing: Fraction
    most: int


SpinLaw = Mapping[int, Awarding]
"""Law of one spin by the number of spins it awards."""


@dataclass(frozen=True, slots=True)
class RoundMoments:
    """Round = paid spin plus its free spins.

    `neglected` bounds what leaving out the cap changes; `most_reached` says whether a round can win
    `most`, or whether it is an upper bound only.
    """

    mean: Fraction
    second: Fraction
    nothing: Fraction
    most: int
    free_spins: Fraction
    neglected: float
    most_reached: bool


def round_moments(paid: SpinLaw, free: SpinLaw | None, cap: int) -> RoundMoments:
    """Moments of a whole round. Raises AnalysisError when retriggers never end and the cap is large."""
    if free is None:
        zero = Awarding(Fraction(0), Fraction(0), Fraction(0), Fraction(0), 0)
        one = paid.get(0, zero)
        return RoundMoments(one.win, one.win_squared, one.nothing, one.most, Fraction(0), 0.0, True)
    if cap <= CAP_EXACT_MAX:
        return _capped(paid, free, cap)
    return _uncapped(paid, free, cap)


def expected_free_spins(paid: Mapping[int, Fraction], free: Mapping[int, Fraction], cap: int) -> Fraction:
    """E[free spins of a round] from the laws of the awards alone."""
    one = Fraction(1)

    def law(awards: Mapping[int, Fraction], win: Fraction) -> dict[int, Awarding]:
        return {r: Awarding(p, p * win, p * win, p, 0) for r, p in awards.items()}

    return round_moments(law(paid, 0 * one), law(free, one), cap).mean


def _capped(paid: SpinLaw, free: SpinLaw, cap: int) -> RoundMoments:
    """Backward recursion. Level n holds the states with n = left + allowed, scaled by scale**n."""
    scale = math.lcm(*(x.denominator for a in free.values() for x in (a.probability, a.win, a.win_squared, a.nothing)))
    steps = [
        (r, *(int(x * scale) for x in (a.probability, a.win, a.win_squared, a.nothing)), a.most)
        for r, a in free.items()
        if a.probability > 0
    ]
    # By `allowed` at the current level: spins, win, win squared, nothing, most. Level 0: nothing left.
    level: list[tuple[int, int, int, int, int]] = [(0, 0, 0, 1, 0)]
    power = 1
    for n in range(1, cap + 1):
        here = []
        for allowed in range(n + 1):
            if allowed == n:  # no spin left: the round is over
                here.append((0, 0, 0, power * scale, 0))
                continue
            spins = win = squared = nothing = most = 0
            for r, p, x, xx, z, top in steps:
                spins_after, win_after, squared_after, nothing_after, most_after = level[allowed - min(r, allowed)]
                spins += p * (power + spins_after)
                win += x * power + p * win_after
                squared += xx * power + 2 * x * win_after + p * squared_after
                nothing += z * nothing_after
                most = max(most, top + most_after)
            here.append((spins, win, squared, nothing, most))
        level = here
        power *= scale
    mean = second = nothing_all = spins_all = Fraction(0)
    most_all = 0
    for r, a in paid.items():
        if a.probability == 0:
            continue
        spins, win, squared, nothing, most = level[cap - min(r, cap)]
        mean += a.win + a.probability * Fraction(win, power)
        second += a.win_squared + 2 * a.win * Fraction(win, power) + a.probability * Fraction(squared, power)
        nothing_all += a.nothing * Fraction(nothing, power)
        spins_all += a.probability * Fraction(spins, power)
        most_all = max(most_all, a.most + most)
    return RoundMoments(mean, second, nothing_all, most_all, spins_all, 0.0, True)


def _uncapped(paid: SpinLaw, free: SpinLaw, cap: int) -> RoundMoments:
    q = sum((r * a.probability for r, a in free.items()), Fraction(0))
    if q >= 1:
        raise AnalysisError(
            f"a free spin awards {float(q):.4f} further spins on average, so rounds end only at the cap of {cap}; "
            f"set caps.free_spins to {CAP_EXACT_MAX} or less, or award fewer spins"
        )
    neglected = cap_tail(paid, free, cap)
    if neglected > NEGLIGIBLE:
        raise AnalysisError(
            f"the cap of {cap} free spins matters (up to {neglected:.1e} of the free-spin win) but is too large "
            f"for the exact walk; set caps.free_spins to {CAP_EXACT_MAX} or less"
        )
    x = sum((a.win for a in free.values()), Fraction(0))
    t = x / (1 - q)
    # Second moment of Y = X + R t, from the joint law of X and R.
    y2 = sum(
        (a.win_squared + 2 * r * t * a.win + (r * t) ** 2 * a.probability for r, a in free.items()),
        Fraction(0),
    )
    variance = (y2 - t * t) / (1 - q)  # E[Y] = x + q t = t
    awards = sum((r * a.probability for r, a in paid.items()), Fraction(0))
    mean = sum((a.win for a in paid.values()), Fraction(0)) + awards * t
    second = awards * variance + sum(
        (a.win_squared + 2 * r * t * a.win + (r * t) ** 2 * a.probability for r, a in paid.items()),
        Fraction(0),
    )
    spin_nothing = 1.0
    for _ in range(10_000):  # smallest fixed point of z = E[z^R; X = 0]
        following = sum(float(a.nothing) * spin_nothing**r for r, a in free.items())
        if abs(following - spin_nothing) < 1e-17:
            break
        spin_nothing = following
    nothing = sum((a.nothing * Fraction(spin_nothing) ** r for r, a in paid.items()), Fraction(0))
    # Without retriggers every awarded spin can win the most; with them the cap bounds their number.
    spin_most = max(a.most for a in free.values() if a.probability > 0)
    spins_most = {r: min(r, cap) if q == 0 else cap for r in paid}
    most = max(a.most + (spins_most[r] * spin_most if r else 0) for r, a in paid.items() if a.probability > 0)
    return RoundMoments(mean, second, nothing, most, awards / (1 - q), neglected, q == 0)


def cap_tail(paid: SpinLaw, free: SpinLaw, cap: int) -> float:
    """Bound on E[(T - cap)+], T the free spins without a cap: Chernoff, minimised over a grid of s."""
    first = max((r for r, a in paid.items() if a.probability > 0), default=0)
    best = math.inf
    if max((r for r, a in free.items() if a.probability > 0), default=0) == 0 and first <= cap:
        return 0.0
    for step in range(400):
        s = 1e-4 * 1.03**step
        if s * max(free) > 600:
            break
        ratio = sum(float(a.probability) * math.exp(s * (r - 1)) for r, a in free.items())
        if ratio < 1:
            exponent = s * first + cap * math.log(ratio) - math.log1p(-ratio)
            best = min(best, math.exp(min(exponent, 700)))
    return best
