"""Statistical tests of bounded integers, as a test lab runs them on the scaled output of a generator.

Each takes integers below n and returns a p-value in [0, 1], uniform when they are independent and equally
likely. Chi-square, serial pairs, gaps, poker and coupon collector: Knuth, The Art of Computer Programming
2, 3.3.2; runs: Wald and Wolfowitz, Annals of Mathematical Statistics 11, 1940.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.uint32]
Test = Callable[[Draws, int], float]
DRAWS_MIN = 1000
COUPON_BOUND_MAX = 40
PAIRS_EXPECTED_MIN = 5.0


def _checked(test: Test) -> Test:
    """The test, on at least DRAWS_MIN integers below n; ValueError for others."""

    @wraps(test)
    def checked(draws: Draws, n: int) -> float:
        if len(draws) < DRAWS_MIN:
            raise ValueError(f"a test takes {DRAWS_MIN:,} draws or more, not {len(draws)}")
        if not 0 <= int(draws.min()) <= int(draws.max()) < n:
            raise ValueError(f"draws are integers from 0 to {n - 1}, not {draws.min()} to {draws.max()}")
        return test(draws, n)

    return checked


@_checked
def chi_square(draws: Draws, n: int) -> float:
    """Whether all values come up equally often."""
    return _chi_square_p(np.bincount(draws, minlength=n), np.full(n, len(draws) / n))


@_checked
def serial_pairs(draws: Draws, n: int) -> float:
    """Whether all pairs of neighbours come up equally often; values are joined where pairs are too many."""
    group = 1
    while (-(-n // group)) ** 2 * PAIRS_EXPECTED_MIN > len(draws) / 2:
        group += 1
    values = (draws // group).astype(np.int64)
    size = -(-n // group)
    share = np.bincount(np.arange(n) // group, minlength=size) / n
    even = len(values) // 2 * 2
    pairs = np.bincount(values[0:even:2] * size + values[1:even:2], minlength=size * size)
    return _chi_square_p(pairs, np.outer(share, share).reshape(-1) * (even / 2))


@_checked
def serial_correlation(draws: Draws, n: int) -> float:
    """Whether neighbours correlate: the sample correlation is normal with variance 1 / count."""
    if draws.min() == draws.max():
        return 0.0 if n > 1 else 1.0
    x = draws.astype(np.float64) - draws.mean()
    correlation = float(x[:-1] @ x[1:] / (x @ x))
    return _normal_p(correlation * math.sqrt(len(draws)))


@_checked
def runs(draws: Draws, n: int) -> float:
    """Whether runs of values in the lower and in the upper half are as many as they should be."""
    low = draws < n / 2
    a, b = int(low.sum()), int((~low).sum())
    if not a or not b:
        return 0.0 if n > 1 and len(draws) > 64 else 1.0
    counted = 1 + int((low[1:] != low[:-1]).sum())
    mean = 1 + 2 * a * b / (a + b)
    variance = 2 * a * b * (2 * a * b - a - b) / ((a + b) ** 2 * (a + b - 1))
    return _normal_p((counted - mean) / math.sqrt(variance))


@_checked
def gaps(draws: Draws, n: int) -> float:
    """Whether the gaps between values of the lowest quarter are geometric."""
    limit = max(1, n // 4)
    p = limit / n
    places = np.flatnonzero(draws < limit)
    lengths = np.diff(places) - 1
    if p == 1 or len(draws) * p < 200:
        return 1.0  # too few to tell
    if len(lengths) < 100:
        return 0.0
    longest = max(1, int(math.log(10 / len(lengths)) / math.log(1 - p)))
    expected = p * (1 - p) ** np.arange(longest + 1, dtype=np.float64)
    expected[-1] = (1 - p) ** longest
    return _chi_square_p(np.bincount(np.minimum(lengths, longest), minlength=longest + 1), expected * len(lengths))


@_checked
def poker(draws: Draws, n: int) -> float:
    """Whether the number of different values in hands of five is as it should be."""
    hand = 5
    hands = draws[: len(draws) // hand * hand].reshape(-1, hand)
    different = 1 + (np.diff(np.sort(hands, axis=1), axis=1) != 0).sum(axis=1)
    stirling = [0, 1, 15, 25, 10, 1]  # of the second kind, S(5, k)
    expected = np.array([stirling[k] * math.perm(n, k) / n**hand for k in range(hand + 1)])
    return _chi_square_p(np.bincount(different, minlength=hand + 1), expected * len(hands))


@_checked
def coupon_collector(draws: Draws, n: int) -> float:
    """Whether it takes as many draws as it should to see every value. For small bounds; above, halves of n."""
    if n > COUPON_BOUND_MAX:
        group = -(-n // COUPON_BOUND_MAX)
        if n % group:
            return 1.0
        draws, n = draws // np.uint32(group), n // group
    if n == 1 or len(draws) < 200 * n * sum(1 / k for k in range(1, n + 1)):
        return 1.0  # too few to tell
    lengths = []
    seen, start = 0, 0
    everything = (1 << n) - 1
    for i, value in enumerate(draws.tolist()):
        seen |= 1 << value
        if seen == everything:
            lengths.append(i + 1 - start)
            seen, start = 0, i + 1
    if len(lengths) < 100:
        return 0.0
    # Lengths above this are expected about ten times and are one class.
    longest = math.ceil(n * (math.log(n) + math.log(len(lengths) / 10)))
    # P(all n seen within t draws) by inclusion and exclusion.
    complete = [
        sum((-1) ** k * math.comb(n, k) * ((n - k) / n) ** t for k in range(n + 1)) if t >= n else 0.0
        for t in range(longest)
    ]
    expected = np.append(np.diff(np.maximum(complete, 0.0), prepend=0.0), 1 - complete[-1])
    counted = np.bincount(np.minimum(lengths, longest), minlength=longest + 1)
    return _chi_square_p(counted, expected * len(lengths))


TESTS: Mapping[str, Test] = {
    "chi-square": chi_square,
    "serial pairs": serial_pairs,
    "serial correlation": serial_correlation,
    "runs": runs,
    "gaps": gaps,
    "poker": poker,
    "coupon collector": coupon_collector,
}


def interplay(first: Draws, n: int, second: Draws, m: int) -> float:
    """Whether two columns (two reels of the same spins) are independent of each other."""
    if int(first.max()) >= n or int(second.max()) >= m:
        raise ValueError(f"draws are integers below {n} and below {m}")
    size_n, size_m = n, m
    group = 1
    while -(-n // group) * -(-m // group) * PAIRS_EXPECTED_MIN > len(first):
        group += 1
    size_n, size_m = -(-n // group), -(-m // group)
    share_n = np.bincount(np.arange(n) // group, minlength=size_n) / n
    share_m = np.bincount(np.arange(m) // group, minlength=size_m) / m
    joint = (first // group).astype(np.int64) * size_m + second // group
    return _chi_square_p(
        np.bincount(joint, minlength=size_n * size_m), np.outer(share_n, share_m).reshape(-1) * len(first)
    )


def battery(columns: NDArray[np.uint32], bounds: list[int]) -> list[tuple[str, float]]:
    """Every test on every column (uint32[reels, spins]) and on each pair of neighbouring columns."""
    results = [
        (f"{name}, {bound} stops", test(column, bound))
        for column, bound in zip(columns, bounds, strict=True)
        for name, test in TESTS.items()
        if bound > 1
    ]
    for i in range(len(bounds) - 1):
        p = interplay(columns[i], bounds[i], columns[i + 1], bounds[i + 1])
        results.append((f"interplay, {bounds[i]} and {bounds[i + 1]} stops", p))
    return results


def _normal_p(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))


def _chi_square_p(counted: NDArray[np.int64], expected: NDArray[np.float64]) -> float:
    """Pearson's test; classes that expect fewer than five are joined."""
    from scipy.stats import chi2

    order = np.argsort(-expected, kind="stable")
    wanted, seen = expected[order], counted[order].astype(np.float64)
    large = int((wanted >= PAIRS_EXPECTED_MIN).sum())
    if large < len(wanted):
        rest, rest_seen = wanted[large:].sum(), seen[large:].sum()
        wanted, seen = wanted[:large], seen[:large]
        if rest >= PAIRS_EXPECTED_MIN or large == 0:
            wanted, seen = np.append(wanted, rest), np.append(seen, rest_seen)
        else:
            wanted[-1] += rest
            seen[-1] += rest_seen
    if len(wanted) < 2:
        return 1.0
    return float(chi2.sf(((seen - wanted) ** 2 / wanted).sum(), len(wanted) - 1))
