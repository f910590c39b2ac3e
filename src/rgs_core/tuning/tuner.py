"""The search for stop weights: probabilities of least KL divergence from the old ones whose figures meet targets.

Figures of a spin are linear in the stop probabilities of each reel, so their slopes are exact differences: weigh
one stop (or all stops that show a symbol) more, compute again. With slopes the nearest probabilities are a convex
problem (rgs_core.tuning.tilt); slopes are taken again at its solution until both agree. No random number is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError, TuningError
from rgs_core.exact.reached import reached
from rgs_core.language.mechanics import frozen
from rgs_core.language.model import Build, Strip
from rgs_core.tuning.figures import Figures, Meter, Strips, Target
from rgs_core.tuning.tilt import Floats, TiltProblem, divergence, tilted

Progress = Callable[[str], None]
Grain = Literal["auto", "stop", "symbol"]

MOST = 10
"""A stop becomes at most so many times as likely, or as rare, as it was."""

MOST_LEAST = "--most is 2 or more: how many times as likely or as rare a stop may become"

TOTAL_MAX = 65_536
"""Sum of the weights of a reel that lane kernels play (rgs_core.engine.lanes)."""

BY_STOP_MAX = 160
"""Stops that may change, up to which `auto` weighs every stop on its own."""

FINE_BITS = 21
FINE_CYCLE_BITS = 118
"""Weights are taken as fine as this while solving, and the cycle of a state stays within so many bits."""

SWEEPS_MAX = 16
CHORDS_MAX = 4
TRUST_LEAST = 1.02
"""A step in which no stop may become more than so many times as likely is no step."""

STALLED = 0.99
"""Three passes in a row that leave so much of the distance find nothing more."""

CONVERGED = 0.25
"""Of half the width of a target: near enough before rounding."""

NEAREST = 0.02
"""Slopes are taken again until the divergence is within so much of the least."""


@dataclass(frozen=True)
class Row:
    """A reel that may change. `free[stop]`; `columns` int[directions, stops]: what is weighed more together.

    `cells`: cells draw from it one by one, so figures are no linear function of its stop probabilities. Reels of one
    set that cells draw from and that are equal stay equal, as laws of hold and spin know few different ones: `leader`
    is the place of the first of them among the rows.
    """

    set: str
    reel: int
    strip: Strip
    weights: tuple[int, ...]
    free: NDArray[np.bool_]
    columns: NDArray[np.int64]
    cells: bool
    leader: int

    @property
    def name(self) -> str:
        return f"{self.set}.{self.reel + 1}"

    @property
    def total(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True)
class Solution:
    """Distributions, their exact figures, whether these are in the targets, and the slopes there."""

    p: Floats
    figures: Figures
    reached: bool
    slopes: Floats


def check_targets(meter: Meter, targets: Sequence[Target]) -> tuple[Target, ...]:
    """The targets, at least one, each figure once, and all of figures that the game has. Raises TuningError."""
    if not targets:
        raise TuningError("no target; give at least one, as --target rtp=94.00%")
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            texts = " and ".join(t.text for t in targets if t.name == name)
            raise TuningError(f"two targets for {name}: {texts}; give one, or a range as {name}=a..b")
    if "feature" in names and not meter.has_feature:
        raise TuningError(f"{meter.model.id} has no free spins, so there are no odds of them to tune")
    return tuple(targets)


def played_sets(build: Build) -> tuple[str, ...]:
    """Strip sets that rounds of the mode play: those whose stops change its figures."""
    played = {name for state in reached(build) for name in build.model.states[state].strip_sets}
    return tuple(name for name in build.profile.strips if name in played)


def kept_cells(build: Build, keep: Iterable[str]) -> tuple[set[tuple[str, int]], set[tuple[str, str]]]:
    """What --keep names: (set, reel) whole reels, and (set, symbol) on all reels of a set. Raises TuningError.

    `SET`, `SET.REEL` with reels from 1, `SYMBOL`, `SET.SYMBOL`.
    """
    sets, symbols = build.profile.strips, build.model.symbols
    reels: set[tuple[str, int]] = set()
    cells: set[tuple[str, str]] = set()
    for entry in keep:
        head, dot, tail = entry.partition(".")
        if not dot and head in sets and head in symbols:
            raise TuningError(f"--keep {entry}: both strips and a symbol have this name; write {head}.1, {head}.2, …")
        if not dot and head in sets:
            reels |= {(head, reel) for reel in range(len(sets[head]))}
        elif not dot and head in symbols:
            cells |= {(name, head) for name in sets}
        elif head in sets and tail.isdigit() and 1 <= int(tail) <= len(sets[head]):
            reels.add((head, int(tail) - 1))
        elif head in sets and tail in symbols:
            cells.add((head, tail))
        else:
            raise TuningError(
                f"--keep {entry}: no such strips, reel or symbol; strips: {', '.join(sets)} with reels 1 to "
                f"{len(next(iter(sets.values())))}; symbols: {', '.join(symbols)}"
            )
    return reels, cells


class Tuner:
    """One question: build, targets, what is kept. All arrays are float64[rows, stops], padded with 0."""

    def __init__(
        self,
        build: Build,
        targets: Sequence[Target],
        *,
        keep: Iterable[str] = (),
        most: int = MOST,
        grain: Grain = "auto",
        progress: Progress = lambda _: None,
    ) -> None:
        if most < 2:
            raise TuningError(MOST_LEAST)
        self.build = build
        self.most = most
        self.meter = Meter(build.model, build.mode)
        self.targets = check_targets(self.meter, targets)
        self.progress = progress
        self.measured = 0
        self.rows, self.grain = _rows(build, keep, grain)
        width = max((len(row.weights) for row in self.rows), default=0)
        self.prior, self.low, self.high = (np.zeros((len(self.rows), width)) for _ in range(3))
        for place, row in enumerate(self.rows):
            n, total = len(row.weights), row.total
            p = np.array(row.weights) / total
            least = 1 / (total * max(1, TOTAL_MAX // total))
            self.prior[place, :n] = p
            self.low[place, :n] = np.where(row.free, np.minimum(np.maximum(p / most, least), p), p)
            self.high[place, :n] = np.where(row.free, np.minimum(p * most, 1), p)
        self.fine = self._fine_totals()

    def solve(self, targets: Sequence[Target], *, yielding: str = "", start: Floats | None = None) -> Solution:
        """The nearest distributions whose figures meet targets, or come as near as they can.

        Where not all can be met, the figure `yielding` gives way and the others hold. The search begins at `start`,
        the old weights by default.
        """
        scales = np.array([t.scale * (1e3 if t.name == yielding else 1) for t in targets])
        wanted = np.array([t.wanted for t in targets]) / scales[:, None]
        tolerance = np.array([t.half_width for t in targets]) / scales * CONVERGED

        def values_of(figures: Figures) -> Floats:
            values: Floats = np.array([figures.value(t.name) for t in targets]) / scales
            return values

        def miss_of(values: Floats) -> Floats:
            return np.abs(values - np.clip(values, wanted[:, 0], wanted[:, 1]))

        p = self.prior if start is None else start
        values = values_of(self.figures(p))
        slopes = np.zeros((len(targets), *p.shape))
        stale, trust, spread, stalled, sweep = True, float(self.most), 0.0, 0, 0
        while sweep < SWEEPS_MAX:
            miss = miss_of(values)
            now_at = ", ".join(t.show(value) for t, value in zip(targets, values * scales, strict=True))
            self.progress(f"{len(self.rows)} reels by {self.grain}, pass {sweep + stale}: {now_at}")
            if stale:
                sweep += 1
                quick = self.figures(p, quick=True)
                beyond = values - values_of(quick)  # what quick figures leave out
                slopes = self.slopes(p, quick, targets) / scales[:, None, None]
            low, high = np.maximum(self.low, p / trust), np.minimum(self.high, p * trust)
            best: tuple[float, Floats] | None = None
            offset = np.zeros(len(targets))
            for _ in range(CHORDS_MAX):
                problem = TiltProblem(self.prior, p, low, high, slopes, values + offset)
                q, expected = tilted(problem, wanted[:, 0], wanted[:, 1])
                try:
                    seen = values_of(self.figures(q, quick=True)) + beyond
                except AnalysisError:
                    break
                off = miss_of(seen)
                norm = float(np.linalg.norm(off))
                if best is not None and norm >= best[0]:
                    break
                best = (norm, q)
                offset = offset + seen - expected
                if (off <= tolerance / 4).all():
                    break
            before = float(np.linalg.norm(miss))
            after = values if best is None else values_of(self.figures(best[1]))
            arrived = best is not None and bool((miss_of(after) <= tolerance).all())
            norm = float(np.linalg.norm(miss_of(after)))
            if best is None or (norm >= before and not arrived):
                trust, stale = trust**0.5, False
                if trust < TRUST_LEAST:
                    break
                continue
            p, values, stale, trust = best[1], after, True, min(float(self.most), trust**1.5)
            now = divergence(p, self.prior)
            # Slopes at the start are those at the solution but for about so much of them: 2 KL reels.
            if arrived and (abs(now - spread) <= NEAREST * now + 1e-7 or 2 * now * len(self.rows) < NEAREST):
                break
            spread = now
            stalled = stalled + 1 if not arrived and norm > STALLED * before else 0
            if stalled == 3:
                break
        figures = self.figures(p)
        reached = bool((miss_of(values_of(figures)) <= tolerance / CONVERGED).all())
        return Solution(p, figures, reached, slopes * scales[:, None, None])

    def shown(self, figures: Figures) -> str:
        """The figures that have targets, for people."""
        return ", ".join(f"{t.name} {t.show(figures.value(t.name))}" for t in self.targets)

    # -- figures and slopes ---------------------------------------------------------------------

    def slopes(self, p: Floats, start: Figures, targets: Sequence[Target], only: int | None = None) -> Floats:
        """float64[targets, rows, stops]: by how much a figure exceeds its mean when the reel is at a stop.

        Each direction weighs its stops more and computes again. Stops of one direction cannot be told apart by
        that, so slopes are the combination of directions that has just these differences.
        """
        weights = self._fine_weights(p)
        slopes = np.zeros((len(targets), *p.shape))
        for place, row in enumerate(self.rows):
            if only not in (None, place) or row.leader != place:
                continue
            equal = self.followers(place)
            n = len(row.weights)
            here = weights[place] / weights[place].sum()
            columns = row.columns
            finer = 1 if columns.max(initial=0) <= 1 and self.grain == "stop" and not row.cells else 16
            differences = np.zeros((len(targets), len(columns)))
            for index, column in enumerate(columns):
                changed = list(weights)
                for one in equal:
                    changed[one] = weights[place] * (finer + column)
                moved = self.integer_figures(changed, quick=True)
                factor = finer + float(here @ column)
                differences[:, index] = [(moved.value(t.name) - start.value(t.name)) * factor for t in targets]
            means = columns @ here
            covariance = (columns * here) @ columns.T - np.outer(means, means)
            combined = np.linalg.lstsq(covariance, differences.T, rcond=1e-9)[0]
            for one in equal:  # each of equal reels does an equal part
                slopes[:, one, :n] = combined.T @ (columns - means[:, None]) / len(equal)
        return slopes

    def followers(self, leader: int) -> list[int]:
        """The rows that stay equal to a row, itself first."""
        return [place for place, row in enumerate(self.rows) if row.leader == leader]

    @property
    def leaders(self) -> list[int]:
        """The rows that change on their own."""
        return [place for place, row in enumerate(self.rows) if row.leader == place]

    def all_rows(self, leading: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """Weights of all rows from those of the leaders."""
        known = dict(zip(self.leaders, leading, strict=True))
        return [known[row.leader] for row in self.rows]

    def figures(self, p: Floats, *, quick: bool = False) -> Figures:
        """Figures of distributions, as fine as weights are while solving."""
        return self.integer_figures(self._fine_weights(p), quick=quick)

    def integer_figures(self, weights: Sequence[NDArray[np.int64]], *, quick: bool = False) -> Figures:
        """Figures of integer weights, one array a row."""
        self.measured += 1
        return self.meter.figures(self.strips(weights), quick=quick)

    def strips(self, weights: Sequence[NDArray[np.int64]]) -> Strips:
        """The strips of the profile with these weights on the rows."""
        sets = {name: list(strips) for name, strips in self.build.profile.strips.items()}
        for row, values in zip(self.rows, weights, strict=True):
            sets[row.set][row.reel] = Strip(row.strip.symbols, tuple(values.tolist()))
        return frozen({name: tuple(strips) for name, strips in sets.items()})

    def _fine_totals(self) -> list[int]:
        """The sum of the weights of each row while solving: fine, within the bits of a cycle."""
        totals = []
        for row in self.rows:
            mine = [other for other in self.rows if other.set == row.set]
            rest = sum(
                strip.total.bit_length()
                for reel, strip in enumerate(self.build.profile.strips[row.set])
                if all(other.reel != reel for other in mine)
            )
            totals.append(1 << max(8, min(FINE_BITS, (FINE_CYCLE_BITS - rest) // len(mine))))
        return totals

    def _fine_weights(self, p: Floats) -> list[NDArray[np.int64]]:
        return [
            np.maximum(1, np.rint(p[place, : len(row.weights)] * total)).astype(np.int64)
            for place, (row, total) in enumerate(zip(self.rows, self.fine, strict=True))
        ]


def _rows(build: Build, keep: Iterable[str], grain: Grain) -> tuple[list[Row], str]:
    reels, cells = kept_cells(build, keep)
    chosen = []
    for name in played_sets(build):
        height, alone = _height(build, name)
        for reel, strip in enumerate(build.profile.strips[name]):
            seen = [set(strip.window(stop, height)) for stop in range(len(strip.symbols))]
            fixed = {symbol for owner, symbol in cells if owner == name}
            free = np.array([(name, reel) not in reels and not shown & fixed for shown in seen])
            if free.sum() > 1:
                chosen.append((name, reel, strip, free, height, alone))
    stops = sum(int(free.sum()) for *_, free, _, _ in chosen)
    used = grain if grain != "auto" else "stop" if stops <= BY_STOP_MAX else "symbol"
    rows: list[Row] = []
    for name, reel, strip, free, height, alone in chosen:
        divisor = gcd(*strip.weights)
        weights = tuple(weight // divisor for weight in strip.weights)
        equal = (i for i, r in enumerate(rows) if r.set == name and r.strip == strip and (r.free == free).all())
        leader = next(equal, len(rows)) if alone else len(rows)
        rows.append(Row(name, reel, strip, weights, free, _columns(strip, height, free, used), alone, leader))
    return rows, used


def _height(build: Build, name: str) -> tuple[int, bool]:
    """Rows that a stop of a strip set shows at most, and whether any state draws its cells one by one."""
    states = [build.model.states[state] for state in reached(build)]
    playing = [state for state in states if name in state.strip_sets]
    return 1 if all(state.cells for state in playing) else build.model.rows, any(state.cells for state in playing)


def _columns(strip: Strip, height: int, free: NDArray[np.bool_], grain: str) -> NDArray[np.int64]:
    """Directions: stops with the same window, or how often each symbol is in view. Kept stops are in none."""
    windows = [strip.window(stop, height) for stop in range(len(strip.symbols))]
    if grain == "stop":
        different = dict.fromkeys(window for window, is_free in zip(windows, free, strict=True) if is_free)
        columns = [[int(window == wanted) for window in windows] for wanted in different]
    else:
        columns = [[window.count(symbol) for window in windows] for symbol in dict.fromkeys(strip.symbols)]
    found = np.array(columns, dtype=np.int64) * free
    together = found.sum(axis=0)
    return found[:-1] if (together == together[0]).all() else found  # the last one says what the others say
