"""Estimates of games without an exact RTP, by strata: rounds sorted by how often a symbol stops in the paid spin.

The number of trigger symbols on the grid as its reels stop decides most of what a round is worth, and its law is exact,
as the first grid is drawn before anything else. So the mean of each stratum h, with its exact odds P_h, is estimated by
itself, and the rare and wild strata by more rounds than chance would give them:

    RTP = sum P_h mean_h,        Var = sum P_h^2 s_h^2 / n_h,        n_h in proportion to P_h s_h

(Neyman, JRSS 97, 1934; Cochran, Sampling Techniques, 3rd ed., ch. 5). The s_h of the allocation come from pilot rounds,
which are not used again, so the estimate has no bias. The first grid of a round is drawn by the exact law that it has in
its stratum, reel by reel; all that follows is drawn as always, from the words of the stream for statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import Engine
from rgs_core._rng import ChaCha20
from rgs_core.errors import AnalysisError
from rgs_core.exact.closed_parts import count_law, heights
from rgs_core.exact.stats import z_for
from rgs_core.language.mechanics import BonusTrigger, FreeSpinsTrigger, Table
from rgs_core.language.model import Build, Model, State, Strip

PILOT_ROUNDS = 2_000
"""Rounds of each stratum that tell how much it spreads."""

STRATUM_ROUNDS = 1_000
"""Fewest rounds of a stratum."""

ODDS_LEAST = Fraction(1, 10**7)
"""Rarer numbers of the symbol are one stratum with the next smaller one."""

BLOCK_ROUNDS = 1 << 16
STREAM = 2


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rounds whose first grid shows the symbol `count` times, or with `more` that often at least.

    `mean` and `sd` are of win / cost over `rounds` rounds.
    """

    count: int
    more: bool
    probability: Fraction
    rounds: int
    mean: float
    sd: float

    @property
    def label(self) -> str:
        return f"{self.count} or more" if self.more else str(self.count)


@dataclass(frozen=True, slots=True)
class Stratified:
    """An estimate by strata of `symbol` in view."""

    symbol: str
    strata: tuple[Stratum, ...]

    @property
    def rounds(self) -> int:
        """Rounds behind it, without those of the pilot."""
        return sum(stratum.rounds for stratum in self.strata)

    @property
    def rtp(self) -> float:
        return sum(float(s.probability) * s.mean for s in self.strata)

    @property
    def rtp_error(self) -> float:
        """Standard error of the RTP."""
        return math.sqrt(sum(float(s.probability) ** 2 * s.sd**2 / s.rounds for s in self.strata))

    def rtp_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Normal confidence interval of the RTP."""
        half = z_for(confidence) * self.rtp_error
        return self.rtp - half, self.rtp + half


def stratified(
    build: Build, key: bytes, rounds: int, *, threads: int = 1, progress: Callable[[int], None] | None = None
) -> Stratified:
    """Estimates the RTP of a build by about `rounds` rounds.

    `progress` is called with the number of rounds played. Raises AnalysisError with the reason for builds that have
    no such strata.
    """
    grids = FirstGrids(build)
    law = grids.law()
    bounds = _strata(law)
    player = _Player(grids, key, threads, progress or (lambda _: None))
    odds = [sum((p for n, p in law.items() if low <= n < high), Fraction(0)) for low, high in bounds]
    spreads = [float(player.wins(low, high, PILOT_ROUNDS).std()) for low, high in bounds]
    shares = [float(p) * spread for p, spread in zip(odds, spreads, strict=True)]
    total = sum(shares) or 1.0
    strata = []
    for (low, high), p, share in zip(bounds, odds, shares, strict=True):
        wins = player.wins(low, high, max(STRATUM_ROUNDS, round(rounds * share / total))) / build.play.cost_units
        strata.append(Stratum(low, high > low + 1, p, len(wins), float(wins.mean()), float(wins.std(ddof=1))))
    return Stratified(grids.symbol, tuple(strata))


class _Player:
    """Plays rounds of a stratum, each with words of its own."""

    def __init__(self, grids: FirstGrids, key: bytes, threads: int, progress: Callable[[int], None]) -> None:
        self.grids, self.key, self.threads, self.progress = grids, key, threads, progress
        self.engine = Engine(grids.build)
        self.nonce = self.done = 0

    def wins(self, low: int, high: int, n: int) -> NDArray[np.int64]:
        """Units won by n rounds whose first grid shows the symbol low .. high - 1 times: int64[n]."""
        first, self.nonce = self.nonce, self.nonce + n

        def play(start: int) -> NDArray[np.int64]:
            count = min(BLOCK_ROUNDS, n - start)
            random = np.random.Generator(cast(Any, ChaCha20(self.key, first + start, stream=STREAM)))
            given = self.grids.draws(random, low, high, count)
            return self.engine.wins_given(self.key, first + start, given, stream=STREAM + 1)

        parts = []
        with ThreadPoolExecutor(self.threads) as pool:
            for part in pool.map(play, range(0, n, BLOCK_ROUNDS)):
                parts.append(part)
                self.done += len(part)
                self.progress(self.done)
        return np.concatenate(parts)


class FirstGrids:
    """First grids of the paid spin of a build, by how often a trigger symbol is in view when the reels stop."""

    def __init__(self, build: Build) -> None:
        """Raises AnalysisError with the reason where the first grid is not drawn at once."""
        self.build = build
        self.state = state = build.model.states[build.play.start]
        triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger | BonusTrigger) and t.symbol]
        reason = _refused(build, state, bool(triggers))
        if reason:
            raise AnalysisError(f"state '{state.name}' has no strata: {reason}")
        self.symbol = triggers[0].symbol
        self._reels = [
            _Reel(build.model, strip, heights(build.model, state, reel), self.symbol)
            for reel, strip in enumerate(build.strips(state))
        ]
        # rest[r][k]: odds that the reels from r on show the symbol k times
        self._rest = [np.ones(1)]
        for reel in reversed(self._reels):
            self._rest.insert(0, np.convolve(reel.odds, self._rest[0]))

    def law(self) -> dict[int, Fraction]:
        """Exact odds of each number of the symbol in view."""
        law = count_law(self.build.model, self.build.strips(self.state), (self.symbol,), self.state)
        return {count: p for (count,), p in sorted(law.items())}

    def draws(self, random: np.random.Generator, low: int, high: int, n: int) -> NDArray[np.uint32]:
        """The first draws of n rounds by their law, given that the symbol is in view low .. high - 1 times.

        uint32[n, d]: entries of the tables of heights of the reels that draw them, then stops.
        """
        wanted = np.zeros_like(self._rest[0])
        wanted[low:high] = self._rest[0][low:high]
        left = random.choice(len(wanted), n, p=wanted / wanted.sum())
        entries: list[NDArray[np.int64]] = []
        stops: list[NDArray[np.int64]] = []
        for reel, rest in zip(self._reels, self._rest[1:], strict=True):
            entry, stop, counts = reel.draw(random, left, rest)
            if reel.drawn:
                entries.append(entry)
            stops.append(stop)
            left = left - counts
        return np.column_stack([*entries, *stops]).astype(np.uint32)


class _Reel:
    """One reel: heights and stops by how often they show the symbol."""

    def __init__(self, model: Model, strip: Strip, rows: Table, symbol: str) -> None:
        members = model.members(symbol)
        counts = [
            sum(times for shown, times in map(model.read, strip.window(stop, height)) if shown in members)
            for height in rows.values
            for stop in range(len(strip.symbols))
        ]
        self.drawn = len(rows.values) > 1
        self._stops = len(strip.symbols)
        self._counts = np.array(counts, dtype=np.int64)  # by entry * stops + stop, as are the weights
        self._weights = np.outer(rows.weights, strip.weights).reshape(-1) / (rows.total * strip.total)
        self.odds = np.bincount(self._counts, weights=self._weights)

    def draw(
        self, random: np.random.Generator, left: NDArray[np.int64], rest: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Entry of the heights, stop, and number of the symbol on this reel, given how many are left for it and those
        after it; `rest`: odds of the numbers on those after it. Three int64[n]."""
        places = np.zeros(len(left), dtype=np.int64)
        drawn = random.random(len(left))
        for wanted in np.flatnonzero(np.bincount(left)):
            here = np.flatnonzero(left == wanted)
            others = wanted - self._counts
            possible = (others >= 0) & (others < len(rest))
            running = np.cumsum(self._weights * np.where(possible, rest[np.where(possible, others, 0)], 0.0))
            places[here] = np.searchsorted(running, drawn[here] * running[-1], side="right")
        places = np.minimum(places, len(self._counts) - 1)
        return places // self._stops, places % self._stops, self._counts[places]


def _refused(build: Build, state: State, counted: bool) -> str:
    if build.play.spins > 1:
        return "its mode begins with several spins"
    if build.model.callbacks:
        return "callbacks are played by plain Python"
    if build.model.top:
        return "it has a top reel"
    if state.linked:
        return "its reels are linked"
    if state.cells or state.strip_choice is not None:
        return "it draws its cells alone, or its strips"
    return "" if counted else "no trigger counts a symbol"


def _strata(law: Mapping[int, Fraction]) -> list[tuple[int, int]]:
    """Ranges of numbers: each its own, but the rarest ones together."""
    bounds: list[tuple[int, int]] = []
    high, rest = max(law) + 1, Fraction(0)
    for count in sorted(law, reverse=True):
        rest += law[count]
        if rest >= ODDS_LEAST or count == min(law):
            bounds.append((count, high))
            high, rest = count, Fraction(0)
    return bounds[::-1]
