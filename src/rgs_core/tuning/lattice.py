"""Small integer weights near given probabilities whose exact figures are in the targets.

Weights of a reel start as the old ones times a multiple, so what does not change reads as that multiple and kept
stops keep their odds exactly. Rounding moves the figures; transfers of one unit of weight from stop to stop move
them back. Slopes say which, exact figures whether it is enough, and what was seen corrects the slopes (Broyden,
Mathematics of Computation 19, 1965). Multiples grow until the weights are as near as the solution, but for little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.tuning.figures import Figures, Target
from rgs_core.tuning.tilt import Floats

Ints = NDArray[np.int64]

MULTIPLES = (*(n * 10**e for e in range(4) for n in (1, 2, 3, 4, 5, 6, 8)), 10_000, 20_000, 40_000, 65_536)

NEAR_FACTOR, NEAR_REEL = 1.1, 2e-4
"""Rounding may cost a tenth of the divergence and so many nats a reel."""

ROUNDS_MAX = 24
PATIENCE = 4
"""Measurements in a row that may come no nearer."""

TRANSFERS_MAX = 80
PAIRS_FROM, PAIRS_MAX = 800, 4
"""Transfers out of which pairs are made, and how often between two measurements."""

GOOD = 0.02


@dataclass(frozen=True)
class Lattice:
    """A reel: integer `base` weights, which stops are `free`, wanted `p` in [`low`, `high`], and `slopes`
    float64[figures, stops] of the figures at p."""

    base: Ints
    free: NDArray[np.bool_]
    p: Floats
    low: Floats
    high: Floats
    slopes: Floats


@dataclass(frozen=True)
class Found:
    """Integer weights of each reel, and their KL divergence from the base weights, in nats."""

    weights: list[Ints]
    divergence: float


class Measure(Protocol):
    """Exact figures of integer weights."""

    def __call__(self, weights: Sequence[Ints], /, *, quick: bool = False) -> Figures: ...


def integer_weights(
    reels: Sequence[Lattice],
    targets: Sequence[Target],
    measure: Measure,
    total_max: int,
    weight_max: int,
    progress: Callable[[str], None],
) -> Found | None:
    """The smallest weights near `p` that meet the targets, None when none with sums up to `total_max` do."""
    least = _divergence([reel.p for reel in reels], reels)
    allowed = NEAR_FACTOR * least + NEAR_REEL * len(reels)
    nearest: Found | None = None
    for multiple in MULTIPLES:
        room = [
            multiple if multiple * int(reel.base.sum()) <= total_max else _largest(reel, total_max) for reel in reels
        ]
        starts = [_start(reel, m, weight_max) for reel, m in zip(reels, room, strict=True)]
        if any(start is None for start in starts):
            continue
        weights = [start for start in starts if start is not None]
        last = all(m < multiple for m in room)
        if not last and max(_divergence([w / w.sum() for w in weights], reels), _noise(reels, room)) > allowed:
            continue
        progress(f"weights of {multiple} times the old ones")
        bounds = [_bounds(reel, m, weight_max) for reel, m in zip(reels, room, strict=True)]
        repaired = _repair(weights, reels, bounds, targets, measure)
        if repaired is None:
            if last:
                break
            continue
        found = Found(repaired, _divergence([w / w.sum() for w in repaired], reels))
        if nearest is None or found.divergence < nearest.divergence:
            nearest = found
        if found.divergence <= allowed or last:
            break
    return nearest


def _largest(reel: Lattice, total_max: int) -> int:
    return max(1, total_max // int(reel.base.sum()))


def _divergence(ps: Sequence[Floats], reels: Sequence[Lattice]) -> float:
    total = 0.0
    for p, reel in zip(ps, reels, strict=True):
        total += float((p * np.log(p / (reel.base / reel.base.sum()))).sum())
    return total


def _noise(reels: Sequence[Lattice], multiples: Sequence[int]) -> float:
    """Divergence that rounding costs on average: a variance of 1/12 of a unit of weight at each stop."""
    noise = 0.0
    for reel, multiple in zip(reels, multiples, strict=True):
        total = multiple * int(reel.base.sum())
        noise += float((1 / (24 * reel.p[reel.free])).sum()) / total**2
    return noise


def _bounds(reel: Lattice, multiple: int, weight_max: int) -> tuple[Ints, Ints]:
    """Smallest and largest weight of each stop; kept stops have but one."""
    same = reel.base * multiple
    total = int(same.sum())
    low = np.maximum(1, np.ceil(reel.low * total - 1e-9)).astype(np.int64)
    high = np.minimum(weight_max, np.floor(reel.high * total + 1e-9)).astype(np.int64)
    return np.where(reel.free, np.minimum(low, same), same), np.where(reel.free, np.maximum(high, same), same)


def _start(reel: Lattice, multiple: int, weight_max: int) -> Ints | None:
    """Largest remainders within the bounds."""
    low, high = _bounds(reel, multiple, weight_max)
    total = int(reel.base.sum()) * multiple
    exact = reel.p * total
    weights = np.clip(np.floor(exact + 1e-9).astype(np.int64), low, high)
    rest = total - int(weights.sum())
    step = 1 if rest > 0 else -1
    for _ in range(abs(rest)):
        room = (weights < high) if step > 0 else (weights > low)
        if not room.any():
            return None
        weights[int(np.argmax(np.where(room, step * (exact - weights), -np.inf)))] += step
    return weights


def _repair(
    weights: list[Ints],
    reels: Sequence[Lattice],
    bounds: Sequence[tuple[Ints, Ints]],
    targets: Sequence[Target],
    measure: Measure,
) -> list[Ints] | None:
    """Transfers weight until the exact figures meet the targets; None when that does not come about."""
    half = np.array([target.half_width for target in targets])
    wanted = np.array([target.wanted for target in targets])
    slopes = [reel.slopes / half[:, None] / int(w.sum()) for reel, w in zip(reels, weights, strict=True)]
    weights = [w.copy() for w in weights]
    seen: set[bytes] = set()
    last: tuple[list[Ints], Floats] | None = None
    beyond = np.zeros(len(targets))  # what quick figures leave out
    nearest, waited = np.inf, 0
    for _ in range(ROUNDS_MAX):
        try:
            quick = measure(weights, quick=True)
            values = np.array([quick.value(target.name) for target in targets]) + beyond
            off = np.abs(values - np.clip(values, wanted[:, 0], wanted[:, 1])) / half
            if last is None or (off < 1.05).all():
                figures = measure(weights)
                if all(target.met(figures) for target in targets):
                    return weights
                exact = np.array([figures.value(target.name) for target in targets])
                beyond, values = beyond + exact - values, exact
        except AnalysisError:
            return None
        distance = float(np.max(np.abs(values - np.clip(values, wanted[:, 0], wanted[:, 1])) / half))
        nearest, waited = (distance, 0) if distance < nearest else (nearest, waited + 1)
        if waited > PATIENCE:
            return None
        if last is not None:
            _learn(slopes, [w - old for w, old in zip(weights, last[0], strict=True)], (values - last[1]) / half)
        last = [w.copy() for w in weights], values
        seen.add(b"".join(w.tobytes() for w in weights))
        off = (np.clip(values, wanted[:, 0], wanted[:, 1]) - values) / half
        weights = _transferred(weights, slopes, bounds, off, seen)
        if b"".join(w.tobytes() for w in weights) in seen:
            return None
    return None


def _learn(slopes: list[Floats], moved: Sequence[Ints], seen: Floats) -> None:
    """Corrects the slopes so that they would have foretold what was seen, and changes them least."""
    expected = sum((s @ d for s, d in zip(slopes, moved, strict=True)), np.zeros(len(seen)))
    length = sum(float(d @ d) for d in moved)
    if length:
        for place, d in enumerate(moved):
            slopes[place] = slopes[place] + np.outer(seen - expected, d) / length


def _transferred(
    weights: list[Ints],
    slopes: Sequence[Floats],
    bounds: Sequence[tuple[Ints, Ints]],
    off: Floats,
    seen: set[bytes],
) -> list[Ints]:
    """Weights after the transfers that the slopes say bring the figures nearest to their targets."""
    weights = [w.copy() for w in weights]
    rest = off.copy()
    pairs = PAIRS_MAX
    for turn in range(TRANSFERS_MAX):
        reel, source, target, change = _transfers(weights, slopes, bounds)
        if not len(reel):
            break
        after = ((rest[:, None] - change) ** 2).sum(axis=0)
        best = int(np.argmin(after))
        chosen = [best]
        now = float(rest @ rest)
        if pairs and (after[best] >= now or now < 1):
            pairs -= 1
            pair = _best_pair(change, rest)
            if pair is not None and pair[2] < min(now, float(after[best])):
                chosen = [pair[0], pair[1]]
            elif after[best] >= now:
                if turn:
                    break
                chosen = [best]  # not a step nearer, but elsewhere: what is seen there is news
        for one in chosen:
            place, a, b = int(reel[one]), int(source[one]), int(target[one])
            low, high = bounds[place]
            if weights[place][a] <= low[a] or weights[place][b] >= high[b]:
                continue
            weights[place][a] -= 1
            weights[place][b] += 1
            rest = rest - change[:, one]
        if float(rest @ rest) < GOOD and b"".join(w.tobytes() for w in weights) not in seen:
            break
    return weights


def _transfers(
    weights: Sequence[Ints], slopes: Sequence[Floats], bounds: Sequence[tuple[Ints, Ints]]
) -> tuple[Ints, Ints, Ints, Floats]:
    """All transfers of one unit: reel, from, to, and the change of each figure in half widths."""
    parts = []
    for place, (w, slope, (low, high)) in enumerate(zip(weights, slopes, bounds, strict=True)):
        source, target = np.nonzero(np.outer(w > low, w < high) & ~np.eye(len(w), dtype=bool))
        parts.append((np.full(len(source), place), source, target, slope[:, target] - slope[:, source]))
    reel, source, target = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return reel, source, target, np.concatenate([part[3] for part in parts], axis=1)


def _best_pair(change: Floats, rest: Floats) -> tuple[int, int, float] | None:
    """Two transfers that together come nearest, among some of every size."""
    count = change.shape[1]
    if count < 2:
        return None
    order = np.argsort((change**2).sum(axis=0), kind="stable")
    some = order[np.unique(np.linspace(0, count - 1, min(count, PAIRS_FROM)).astype(np.int64))]
    picked = change[:, some]
    off = rest[:, None] - picked
    distances = (
        (off**2).sum(axis=0)[:, None] - 2 * off.T @ picked + (picked**2).sum(axis=0)[None, :]
    )  # |rest - a - b|^2
    best = int(np.argmin(distances))
    i, j = divmod(best, len(some))
    return int(some[i]), int(some[j]), float(distances[i, j])
