"""Monte Carlo of a build: exact integer sums over a range of nonces, and what they estimate.

Round i of a simulation is the outcome function itself at nonce i, so `rgs spin --nonce i` draws any
simulated round again. Chunks are summed as integers: the result is the same for any number of
threads, chunk size or order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import PARTS, Engine
from rgs_core.model import Build, PickTrigger
from rgs_core.stats import proportion_interval, z_for

CHUNK_ROUNDS = 1 << 17
ROUNDS_MAX = 10**13

CLASS_EDGES_STAKES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Upper limits of the win classes in stakes; the first class is "nothing", the last is open."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Simulation:
    """Sums over rounds first_nonce .. first_nonce + rounds - 1, and the estimates from them."""

    build: Build
    first_nonce: int
    totals: dict[str, Any]

    @property
    def rounds(self) -> int:
        return int(self.totals["rounds"])

    @property
    def rtp(self) -> float:
        """Mean win of a round in stakes."""
        return float(self.totals["win"] / (self.rounds * self.build.model.stake_units))

    @property
    def sd(self) -> float:
        """Sample standard deviation of win / stake; 0 for fewer than two rounds."""
        n, total, squared = self.rounds, self.totals["win"], self.totals["win_squared"]
        if n < 2:
            return 0.0
        return math.sqrt((n * squared - total * total) / (n * (n - 1))) / self.build.model.stake_units

    def rtp_interval(self, confidence: float = 0.95) -> Interval:
        """Normal confidence interval of the RTP."""
        half = z_for(confidence) * self.sd / math.sqrt(self.rounds)
        return self.rtp - half, self.rtp + half

    @property
    def rtp_parts(self) -> dict[str, float]:
        """RTP by part: what the paid spin wins on lines, scatters and picks, and all free spins."""
        unit = self.rounds * self.build.model.stake_units
        parts = {name: total / unit for name, total in zip(PARTS, self.totals["parts"][0], strict=True)}
        if len(self.totals["parts"]) > 1:
            parts["free spins"] = sum(self.totals["parts"][1]) / unit
        return parts

    @property
    def hit_frequency(self) -> float:
        """Share of rounds that win anything."""
        return float(self.totals["hits"] / self.rounds)

    @property
    def feature_frequency(self) -> float:
        """Share of rounds that have free spins."""
        return float(self.totals["features"] / self.rounds)

    @property
    def free_spins_per_feature(self) -> float:
        """Mean free spins of a round that has any; 0 when none had."""
        spins = self.totals["spins"]
        features = self.totals["features"]
        return float(spins[1] / features) if len(spins) > 1 and features else 0.0

    @property
    def trigger_frequencies(self) -> dict[str, float]:
        """For each paid spin, how often each trigger fired; pick bonuses are counted line by line."""
        triggers = self.build.model.states["base"].triggers
        counted = [self.totals["awarded" if isinstance(t, PickTrigger) else "fired"][0] for t in triggers]
        return {t.name: counted[i][i] / self.rounds for i, t in enumerate(triggers)}

    def interval(self, hits: int, confidence: float = 0.95) -> Interval:
        """Wilson interval of a frequency counted over all rounds."""
        return proportion_interval(hits, self.rounds, z_for(confidence))

    @property
    def distribution(self) -> NDArray[np.int64]:
        """Rounds by win class: int64[len(CLASS_EDGES_STAKES) + 1]."""
        return np.array(self.totals["classes"], dtype=np.int64)

    @property
    def max_win(self) -> float:
        """Largest win in stakes; `totals["win_max_nonce"]` is the first round with it."""
        return float(self.totals["win_max"] / self.build.model.stake_units)


def simulate(
    build: Build,
    key: bytes,
    rounds: int,
    *,
    first_nonce: int = 0,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Simulation:
    """Plays `rounds` rounds on `threads` threads without the GIL.

    `progress` is called with the number of rounds just done. An interruption (KeyboardInterrupt)
    waits for the chunks at work and is raised again. ValueError for counts out of range.
    """
    if not 1 <= rounds <= ROUNDS_MAX:
        raise ValueError(f"rounds is 1 to {ROUNDS_MAX}")
    if not 1 <= threads <= 256:
        raise ValueError("threads is 1 to 256")
    if not 0 <= first_nonce <= 2**64 - rounds:
        raise ValueError("the last nonce is below 2^64")
    engine = Engine(build)
    edges = [edge * build.model.stake_units for edge in CLASS_EDGES_STAKES]
    ranges = iter(range(first_nonce, first_nonce + rounds, CHUNK_ROUNDS))
    end = first_nonce + rounds
    merged: dict[str, Any] | None = None
    with ThreadPoolExecutor(threads) as pool:
        working: set[Future[dict[str, Any]]] = set()
        while True:
            # Only a few chunks are queued at a time, so that an interruption ends within one chunk.
            while len(working) < 2 * threads and (start := next(ranges, None)) is not None:
                n = min(CHUNK_ROUNDS, end - start)
                working.add(pool.submit(engine.simulate, key, start, n, edges=edges))
            if not working:
                break
            done, working = wait(working, return_when=FIRST_COMPLETED)
            for future in done:
                part = future.result()
                merged = part if merged is None else merge(merged, part)
                if progress is not None:
                    progress(part["rounds"])
    assert merged is not None
    return Simulation(build, first_nonce, merged)


def merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Totals of two disjoint ranges together: sums, and the first nonce of the largest win."""
    merged: dict[str, Any] = {}
    for name, left in a.items():
        right = b[name]
        if name == "win_max":
            merged[name] = max(left, right)
        elif name == "win_max_nonce":
            first = min((-x["win_max"], x["win_max_nonce"]) for x in (a, b))
            merged[name] = first[1]
        else:
            merged[name] = _add(left, right)
    return merged


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        return [_add(x, y) for x, y in zip(left, right, strict=True)]
    return left + right


def class_labels() -> list[str]:
    """Names of the win classes, in stakes."""
    edges = CLASS_EDGES_STAKES
    inner = [f"{low} to {high}x" for low, high in itertools.pairwise(edges)]
    inner[0] = "up to 1x"
    return ["nothing", *inner, f"over {edges[-1]}x"]
