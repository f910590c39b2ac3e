"""Monte Carlo of a build: exact integer sums over a range of nonces, and what they estimate.

Round i of a simulation is the outcome function itself at nonce i, so `rgs spin --nonce i` draws any
simulated round again. The range is cut into shards at fixed places; a shard is a sum of integers that
depends on nothing but its range. Shards may be played by threads or by other machines, in any order:
they are merged in the order of their nonces, so the result is the same bit for bit, also where a
simulation stops by itself (`Until`), was interrupted, or went on from a saved state.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from operator import index
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rgs_core.engine.playing import player
from rgs_core.engine.tables import state_names
from rgs_core.errors import SimulationError
from rgs_core.exact.stats import proportion_interval, z_for
from rgs_core.language.bounds import silent_triggers
from rgs_core.language.model import Build
from rgs_core.simulation.kept_rounds import KEPT_MAX, Events, Keep

SHARD_ROUNDS = 1 << 18
PLAIN_SHARD_ROUNDS = 1 << 10
"""Rounds of a shard, and of one of a build with callbacks, which plain Python plays: a second or so."""

BLOCK_ROUNDS = 1 << 17
"""Rounds that a shard plays at a time when it keeps some: their wins fit a cache."""

ROUNDS_MAX = 10**12
UNTIL_ROUNDS = SHARD_ROUNDS << 16
"""Rounds at most where a simulation stops by itself and no other limit is given: 1.7e10."""

STATE_FORMAT = 1

EDGES_TENTHS = (
    0, 1, 2, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700,
    1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000, 70_000,
    100_000, 200_000, 500_000, 1_000_000,
)  # fmt: skip
"""Upper limits of the win classes in tenths of a stake; the first class is "nothing", the last is open."""

TABLE_EDGES_TENTHS = (0, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
"""The coarser classes of tables; each limit is one of EDGES_TENTHS."""

Interval = tuple[float, float]
Totals = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Until:
    """Stop when the confidence interval of a figure is at most `half_width` to either side."""

    figure: Literal["rtp", "hit_frequency", "feature_frequency"]
    half_width: float
    confidence: float
    sd: float = 0.0  # exact standard deviation of win / stake, where it is known

    @classmethod
    def parse(cls, text: str) -> Until:
        """From `FIGURE=WIDTH%@CONFIDENCE`, as `rtp=0.02%@99`. Raises ValueError that shows the form."""
        match = re.fullmatch(r"(rtp|hit_frequency|feature_frequency)=([\d.]+)%@([\d.]+)%?", text.strip())
        form = "rtp=0.02%@99 (rtp, hit_frequency or feature_frequency; half width in %; confidence in %)"
        if match is None:
            raise ValueError(f"'{text}' is not of the form {form}")
        try:
            width, confidence = float(match[2]) / 100, float(match[3]) / 100
        except ValueError:
            raise ValueError(f"'{text}' is not of the form {form}") from None
        if not 1e-9 <= width < 1 or not 0 < confidence < 1:
            raise ValueError(f"'{text}': the width is above 0.0000001 % and the confidence between 0 and 100 %")
        return cls(match[1], width, confidence)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.figure}={_plain(self.half_width * 100)}%@{_plain(self.confidence * 100)}"

    def reached(self, result: Simulation) -> bool:
        """Whether a result is narrow enough. A figure that never came up is not."""
        if self.figure == "rtp":
            # That of the sample is too small while rare prizes have not come up.
            sd = max(self.sd, result.sd)
            return sd > 0 and z_for(self.confidence) * sd / math.sqrt(result.rounds) <= self.half_width
        count = result.totals["hits" if self.figure == "hit_frequency" else "features"]
        low, high = result.interval(count, self.confidence)
        return count > 0 and (high - low) / 2 <= self.half_width


@dataclass(frozen=True, repr=False)
class Simulation:
    """Sums over rounds first_nonce .. first_nonce + rounds - 1, and the estimates from them.

    `shards`: for each shard in order, (rounds, win, win squared) in units: how the estimate converged.
    `kept`: (nonce, win in units) of the rounds that were asked for. `target_rounds` is what was to be
    played at most; `finished` is false when the simulation was interrupted before that, or `until`.
    `whole` are the totals without the last shard where that was cut short by the target, else empty.
    """

    build: Build
    key_id: str
    first_nonce: int
    target_rounds: int
    until: Until | None
    keep: Keep | None
    totals: Totals
    whole: Totals
    shards: tuple[tuple[int, int, int], ...]
    kept: tuple[tuple[int, int], ...]
    finished: bool

    def __repr__(self) -> str:
        state = "" if self.finished else ", interrupted"
        return f"<Simulation {self.build.label}, {self.rounds:,} rounds, RTP {self.rtp:.4%}{state}>"

    @property
    def rounds(self) -> int:
        return int(self.totals["rounds"])

    @property
    def stake_units(self) -> int:
        """Units that a round costs in its mode: "a stake" of all figures here."""
        return self.build.play.cost_units

    @property
    def rtp(self) -> float:
        """Mean win of a round in stakes."""
        return float(self.totals["win"] / (self.rounds * self.stake_units))

    @property
    def sd(self) -> float:
        """Sample standard deviation of win / stake; 0 for fewer than two rounds."""
        return _sd(self.rounds, self.totals["win"], self.totals["win_squared"]) / self.stake_units

    @property
    def rtp_error(self) -> float:
        """Standard error of the RTP: of the mean of so many independent rounds."""
        return self.sd / math.sqrt(self.rounds)

    def frequency_error(self, count: int) -> float:
        """Standard error of the share of rounds that `count` of them are."""
        share = count / self.rounds
        return math.sqrt(share * (1 - share) / self.rounds)

    def rtp_interval(self, confidence: float = 0.95) -> Interval:
        """Normal confidence interval of the RTP."""
        half = z_for(confidence) * self.rtp_error
        return self.rtp - half, self.rtp + half

    @property
    def rtp_parts(self) -> dict[str, float]:
        """RTP by part: evaluators, and bonuses that can pay, of the state that a round begins with, and "free spins": all
        others.

        Before the cap of a maximum win, where there is one.
        """
        unit = self.rounds * self.stake_units
        start = state_names(self.build.model).index(self.build.play.start)
        by_state = self.totals["parts"]
        silent = silent_triggers(self.build.model, self.build.model.states[self.build.play.start])
        parts = {name: total / unit for name, total in by_state[start].items() if name not in silent}
        if len(by_state) > 1:
            others = [sum(state.values()) for i, state in enumerate(by_state) if i != start]
            parts["free spins"] = sum(others) / unit
        if self.totals.get("gambled"):
            parts["gamble"] = (self.totals["regained"] - self.totals["gambled"]) / unit
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
        further = sum(self.totals["spins"]) - self.rounds * self.build.play.spins
        features = self.totals["features"]
        return float(further / features) if features else 0.0

    @property
    def trigger_frequencies(self) -> dict[str, float]:
        """How often each trigger of the state that a round begins with fired, by the spins of that state; bonuses are
        counted one by one."""
        start = state_names(self.build.model).index(self.build.play.start)
        spins = self.totals["spins"][start]
        triggers = self.build.model.states[self.build.play.start].triggers
        counted = [self.totals["awarded" if t.kind in ("pick", "bonus") else "fired"][start] for t in triggers]
        return {t.name: counted[i][i] / spins for i, t in enumerate(triggers)}

    def interval(self, hits: int, confidence: float = 0.95) -> Interval:
        """Wilson interval of a frequency counted over all rounds."""
        return proportion_interval(hits, self.rounds, z_for(confidence))

    @property
    def classes(self) -> NDArray[np.int64]:
        """Rounds by win class: int64[len(EDGES_TENTHS) + 1]."""
        return np.array(self.totals["classes"], dtype=np.int64)

    @property
    def distribution(self) -> NDArray[np.int64]:
        """Rounds by the coarser classes of tables: int64[len(TABLE_EDGES_TENTHS) + 1]."""
        ends = [EDGES_TENTHS.index(edge) + 1 for edge in TABLE_EDGES_TENTHS]
        return np.add.reduceat(self.classes, [0, *ends])

    @property
    def max_win(self) -> float:
        """Largest win in stakes; `totals["win_max_nonce"]` is the first round with it."""
        return float(self.totals["win_max"] / self.stake_units)

    def convergence(self, points: int = 200) -> NDArray[np.float64]:
        """How the RTP settled: float64[n, 3], rows (rounds so far, RTP, standard error), n <= `points`."""
        ends = sorted({round(i) for i in np.geomspace(1, len(self.shards), points)})
        rounds = win = squared = done = 0
        rows = []
        for end in ends:
            for n, w, ww in self.shards[done:end]:
                rounds, win, squared = rounds + n, win + w, squared + ww
            done = end
            unit = self.stake_units
            rows.append((rounds, win / (rounds * unit), _sd(rounds, win, squared) / unit / math.sqrt(rounds)))
        return np.array(rows, dtype=np.float64)

    def frame(self) -> Any:
        """Win classes as a pandas data frame: above and up to how many stakes, rounds, share."""
        import pandas as pd

        edges = [edge / 10 for edge in EDGES_TENTHS]
        share = self.classes / self.rounds
        return pd.DataFrame({
            "above_stakes": [-math.inf, *edges], "up_to_stakes": [*edges, math.inf], "rounds": self.classes, "share": share
        })  # fmt: skip

    def _repr_html_(self) -> str:
        from rgs_core.report.html import section_html
        from rgs_core.sheet.estimate_sections import estimates

        return section_html(estimates(self, 0.95))

    def state(self) -> dict[str, Any]:
        """All of it as JSON-ready integers and text, for `restored`. The key is not in it, only its hash."""
        return {
            "format": STATE_FORMAT,
            "game": self.build.model.id,
            "profile": self.build.profile.name,
            "mode": self.build.mode,
            "policy": self.build.policy,
            "build_hash": self.build.build_hash,
            "key_id": self.key_id,
            "first_nonce": self.first_nonce,
            "target_rounds": self.target_rounds,
            "until": str(self.until) if self.until else None,
            "keep": str(self.keep) if self.keep else None,
            "finished": self.finished,
            "totals": dict(self.totals),
            "whole": dict(self.whole),
            "shards": [list(shard) for shard in self.shards],
            "kept": [list(kept) for kept in self.kept],
        }


def restored(build: Build, state: Mapping[str, Any]) -> Simulation:
    """A simulation from its `state()`. Raises SimulationError when it is of another build or malformed."""
    try:
        if state["format"] != STATE_FORMAT:
            raise SimulationError(f"its format is {state['format']}, this version reads {STATE_FORMAT}")
        if state.get("mode", build.mode) != build.mode:
            raise SimulationError(f"it is of mode '{state['mode']}', not of '{build.mode}'")
        if state.get("policy", "") != build.policy:
            policies = (f"policy '{text}'" if text else "no policy" for text in (state.get("policy", ""), build.policy))
            raise SimulationError(f"it is of a player with {', not with '.join(policies)}")
        if state["build_hash"] != build.build_hash:
            raise SimulationError(
                f"it is of build {state['build_hash']} ({state['game']}/{state['profile']}), not of {build.build_hash} ({build.label})"
            )
        result = Simulation(
            build=build,
            key_id=str(state["key_id"]),
            first_nonce=int(state["first_nonce"]),
            target_rounds=int(state["target_rounds"]),
            until=Until.parse(state["until"]) if state["until"] else None,
            keep=Keep.parse(state["keep"]) if state["keep"] else None,
            totals=dict(state["totals"]),
            whole=dict(state["whole"]),
            shards=tuple((int(n), int(w), int(ww)) for n, w, ww in state["shards"]),
            kept=tuple((int(nonce), int(win)) for nonce, win in state["kept"]),
            finished=bool(state["finished"]),
        )
        consistent = (
            result.rounds == sum(n for n, _, _ in result.shards) == sum(result.totals["classes"])
            and len(result.totals["classes"]) == len(EDGES_TENTHS) + 1
            and result.totals["win"] == sum(w for _, w, _ in result.shards)
            and result.totals["win_squared"] == sum(ww for _, _, ww in result.shards)
            and result.totals["hits"] == result.rounds - result.totals["classes"][0]
            and _parts_fit(result.totals)
            and 0 <= result.totals["features"] <= result.rounds
            and all(n == shard_rounds(build) for n, _, _ in result.shards[:-1])
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise SimulationError(f"it is no saved simulation: {error}") from None
    if not consistent:
        raise SimulationError("its sums contradict each other; it was changed or cut")
    return result


def _parts_fit(totals: Totals) -> bool:
    """Whether the parts add up to the win; with rounds cut by the maximum win they may exceed it."""
    parts = sum(sum(state.values()) for state in totals["parts"]) + totals.get("regained", 0) - totals.get("gambled", 0)
    return bool(parts >= totals["win"] if totals["capped"] else parts == totals["win"])


def key_id(key: bytes) -> str:
    """What tells keys apart without telling them: SHA-256, in hex."""
    return hashlib.sha256(key).hexdigest()


def shard_rounds(build: Build) -> int:
    """Rounds of every shard of a build but the last."""
    return PLAIN_SHARD_ROUNDS if build.model.callbacks else SHARD_ROUNDS


Progress = Callable[[int, Callable[[], Simulation]], None]
"""Called with the rounds merged so far and a function that gives the result so far."""

Shard = Callable[[int, int], dict[str, Any]]
"""Plays rounds first .. first + n - 1: totals, and `kept` as a list of (nonce, win)."""


def simulate(
    build: Build,
    key: bytes,
    rounds: int,
    *,
    first_nonce: int = 0,
    threads: int = 1,
    until: Until | None = None,
    keep: Keep | None = None,
    resume: Simulation | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    shard: Shard | None = None,
    plain: Shard | None = None,
    together: int = 1,
) -> Simulation:
    """Plays `rounds` rounds (with `until`, at most so many): without the GIL, or for a build with callbacks in as
    many processes as `threads` (the main module of a script needs its `if __name__ == "__main__"` then).

    `resume` goes on where an unfinished simulation of the same build, key and first nonce stopped.
    An interruption (KeyboardInterrupt) waits for the shards at work and returns what is done, unfinished;
    it is raised again when nothing is. `executor` and `shard` say who plays, `plain` the same without looking for rounds
    to keep, `together` how many shards at a time (rgs_core.simulation.cluster); by default threads of this process. ValueError for
    counts out of range and a `keep` that no round can have, SimulationError for a `resume` of another run.
    """
    rounds, first_nonce = index(rounds), index(first_nonce)
    if not 1 <= rounds <= ROUNDS_MAX:
        raise ValueError(f"rounds is 1 to {ROUNDS_MAX}")
    if not 1 <= threads <= 256:
        raise ValueError("threads is 1 to 256")
    if not 0 <= first_nonce <= 2**64 - rounds:
        raise ValueError("the last nonce is below 2^64")
    if keep is not None:
        keep.check(build)
    merger = _Merger(build, key_id(key), first_nonce, rounds, until, keep, resume)
    play = shard or local_shard(build, key, keep)
    plain = plain or (local_shard(build, key, None) if keep is not None and shard is None else play)
    own: Executor | None = None
    if executor is None and shard is None and threads > 1 and build.model.callbacks and rounds > shard_rounds(build):
        from concurrent.futures import ProcessPoolExecutor  # takes a while to import, and few need it

        play, plain = (partial(_play_in_process, build, key, rule) for rule in (keep, None))
        own = ProcessPoolExecutor(threads, get_context("spawn"), _leave_interruptions_to_the_parent)
    elif executor is None:
        own = ThreadPoolExecutor(threads)
    try:
        _run(merger, play, plain, own or executor, threads, together, progress)  # type: ignore[arg-type]
    except BrokenExecutor:
        raise SimulationError("a process that played rounds ended; play with fewer of them (--threads)") from None
    finally:
        if own:
            own.shutdown()
    return merger.result()


def _leave_interruptions_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; those that play finish the shards at work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play_in_process(build: Build, key: bytes, keep: Keep | None, first: int, n: int) -> dict[str, Any]:
    return local_shard(build, key, keep)(first, n)


def _run(
    merger: _Merger,
    play: Shard,
    plain: Shard,
    executor: Executor,
    threads: int,
    together: int,
    progress: Progress | None,
) -> None:
    """Plays until the end; `plain` once enough rounds are kept."""
    ranges = merger.ranges()
    working: dict[Future[list[dict[str, Any]]], int] = {}
    try:
        while not merger.finished:
            # Only a few shards are at work at a time, so that an interruption or `until` wastes little.
            while len(working) < 2 * threads and (batch := list(itertools.islice(ranges, together))):
                player = plain if merger.kept_enough else play
                working[executor.submit(_play, player, [(first, n) for _, first, n in batch])] = batch[0][0]
            if not working:
                break
            done, _ = wait(working, return_when=FIRST_COMPLETED)
            for future in done:
                merger.add(working.pop(future), future.result())
            if progress is not None and merger.totals:
                progress(merger.rounds, merger.result)
    except (KeyboardInterrupt, CancelledError):
        for future in working:
            future.cancel()
        for future, shard in working.items():
            if not future.cancelled() and future.exception() is None:
                merger.add(shard, future.result())
        if not merger.totals:
            raise
    finally:
        for future in working:
            future.cancel()


def _play(play: Shard, ranges: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [play(first, n) for first, n in ranges]


class _Merger:
    """Puts shards together in the order of their nonces, whatever order they come in."""

    def __init__(
        self,
        build: Build,
        key: str,
        first_nonce: int,
        rounds: int,
        until: Until | None,
        keep: Keep | None,
        resume: Simulation | None,
    ) -> None:
        self.finished = False
        self.totals: dict[str, Any] = {}
        self._waiting: dict[int, dict[str, Any]] = {}
        self._shards: list[tuple[int, int, int]] = []
        self._kept: list[tuple[int, int]] = []
        self._whole: Totals = {}
        self._empty = Simulation(build, key, first_nonce, rounds, until, keep, {}, {}, (), (), False)
        self._size = shard_rounds(build)
        if resume is not None:
            self._take(resume)

    def _take(self, saved: Simulation) -> None:
        empty = self._empty
        for name in ("key_id", "first_nonce", "keep"):  # what the sums depend on; the target may change
            if getattr(saved, name) != getattr(empty, name):
                raise SimulationError(
                    f"the saved simulation has another {name.replace('_', ' ')}: {getattr(saved, name)}, not {getattr(empty, name)}"
                )
        if (saved.build.build_hash, saved.build.mode) != (empty.build.build_hash, empty.build.mode):
            raise SimulationError("the saved simulation is of another build or mode")
        shards, totals, kept = list(saved.shards), dict(saved.totals), list(saved.kept)
        if saved.rounds != empty.target_rounds and shards and shards[-1][0] != self._size:
            # The last shard was cut short by a smaller target: it is played again in full.
            cut = shards.pop()[0]
            totals = dict(saved.whole)
            kept = [(nonce, win) for nonce, win in kept if nonce < saved.first_nonce + saved.rounds - cut]
        if any(n != self._size for n, _, _ in shards[:-1]) or (shards and totals["rounds"] > empty.target_rounds):
            raise SimulationError(
                f"the saved simulation of {saved.rounds:,} rounds cannot be gone on with to {empty.target_rounds:,}"
            )
        self.totals, self._shards, self._kept = totals, shards, kept
        self._whole = dict(saved.whole) if len(shards) == len(saved.shards) else {}
        if shards:
            self._look()

    @property
    def rounds(self) -> int:
        return int(self.totals["rounds"]) if self.totals else 0

    @property
    def kept_enough(self) -> bool:
        return len(self._kept) >= KEPT_MAX

    def ranges(self) -> Any:
        """(index, first nonce, rounds) of every shard that is still to be played."""
        first, target = self._empty.first_nonce, self._empty.target_rounds
        for number in itertools.count(len(self._shards)):
            start = number * self._size
            if start >= target:
                return
            yield number, first + start, min(self._size, target - start)

    def add(self, first: int, parts: list[dict[str, Any]]) -> None:
        """Takes consecutive shards; they count once all before them are there, unless the end came before."""
        self._waiting.update(enumerate(parts, first))
        while not self.finished and (part := self._waiting.pop(len(self._shards), {})):
            kept = part.pop("kept")
            self._kept += kept[: KEPT_MAX - len(self._kept)]
            if part["rounds"] != self._size:
                self._whole = self.totals
            self.totals = merge(self.totals, part) if self.totals else part
            self._shards.append((part["rounds"], part["win"], part["win_squared"]))
            self._look()

    def _look(self) -> None:
        until = self._empty.until
        self.finished = self.rounds == self._empty.target_rounds or (
            # The totals decide; the list of all shards is not copied for every one of them.
            until is not None and until.reached(replace(self._empty, totals=self.totals))
        )

    def result(self) -> Simulation:
        """What is merged so far."""
        return replace(
            self._empty,
            totals=self.totals,
            whole=self._whole,
            shards=tuple(self._shards),
            kept=tuple(self._kept),
            finished=self.finished,
        )


def local_shard(build: Build, key: bytes, keep: Keep | None) -> Shard:
    """A function that plays shards in this process; any number of threads may call it."""
    plays = player(build)
    edges = [edge * build.play.cost_units // 10 for edge in EDGES_TENTHS]
    least = keep.least_units(build) if keep else 0
    events = Events(plays, build, key, keep) if keep and keep.kind != "win" else None

    def play(first: int, n: int) -> dict[str, Any]:
        if keep is None:
            return {**plays.simulate(key, first, n, edges=edges), "kept": []}
        wins = np.empty(min(n, BLOCK_ROUNDS), dtype=np.int64)
        totals: dict[str, Any] = {}
        kept: list[tuple[int, int]] = []
        for start in range(0, n, BLOCK_ROUNDS):
            block = wins[: min(BLOCK_ROUNDS, n - start)]
            begin = first + start
            part = plays.simulate(key, begin, len(block), edges=edges, wins=block)
            totals = merge(totals, part) if totals else part
            if len(kept) >= KEPT_MAX:
                continue
            if events is not None:
                found = itertools.islice(events.rounds(begin, len(block), events.count(part)), KEPT_MAX - len(kept))
                kept += [(nonce, int(block[nonce - begin])) for nonce in found]
            elif part["win_max"] >= least:
                kept += [(begin + int(i), int(block[i])) for i in np.flatnonzero(block >= least)]
        return {**totals, "kept": kept[:KEPT_MAX]}

    return play


def merge(a: Totals, b: Totals) -> dict[str, Any]:
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
    if isinstance(left, dict):
        return {name: _add(value, right[name]) for name, value in left.items()}
    return left + right


def _sd(n: int, total: int, squared: int) -> float:
    if n < 2:
        return 0.0
    return math.sqrt((n * squared - total * total) / (n * (n - 1)))


def _plain(value: float) -> str:
    """A decimal without exponent or trailing zeros."""
    return f"{value:.10f}".rstrip("0").rstrip(".")


def class_labels() -> list[str]:
    """Names of the classes of `Simulation.distribution`, in stakes."""
    edges = [edge // 10 for edge in TABLE_EDGES_TENTHS]
    inner = [f"{low:,} to {high:,}x" for low, high in itertools.pairwise(edges)]
    inner[0] = "up to 1x"
    return ["nothing", *inner, f"over {edges[-1]:,}x"]
