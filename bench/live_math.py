"""Acceptance of live math monitoring: false alarms, coverage, injected faults beside a fixed rule of +-5 pp.

    python bench/live_math.py [--tiny] [--fleets N] [--only healthy|coverage|faults]

Everything is drawn from the library's own exact laws: class counts of a day are multinomial. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rgs_core import games
from rgs_core.language.model import Build, Strip
from rgs_core.monitor.evidence import RESTARTS_KEPT, WEEK_DAYS, log_e, log_threshold
from rgs_core.monitor.exact_sum import Stakes, SumLaw
from rgs_core.monitor.null_law import NullLaw, exact_null
from rgs_core.monitor.verdicts import ALPHA, PROCESSES
from rgs_core.sheet.sheet import Sheet

CELLS = 20
DAYS = 365
FLEET_PAGE = math.log(CELLS * PROCESSES / ALPHA)
"""ln E at which a cell of a fleet of 20 is paged, before the raise for restarts."""

GAMES = (
    "ember_sevens/rtp_95",
    "lantern_tide/rtp_96",
    "clockwork_aviary/rtp_96",
    "thistle_moor/rtp_96",
    "salt_codex/rtp_96",
)
RETRIED = 0.005
"""Share of rounds that are not normal."""

RULE = 0.05
"""The fixed rule: an alarm where the RTP is off by more than this."""

Counts = NDArray[np.int64]


@cache
def null(name: str) -> NullLaw:
    return exact_null(Sheet.of(games.find_build(name)[0]))


def raised(daily: Counts, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest ln E less the raised thresholds, by fleet and day, of daily int64[fleets, days, k]: as `anytime`, all days."""
    fleets, days, _ = daily.shape
    sums = np.cumsum(daily, axis=1)
    best = np.full((fleets, days), -np.inf)
    for week in range(1, (days - 1) // WEEK_DAYS + 2):
        start = (week - 1) * WEEK_DAYS
        end = days if week == 1 else min(days, start + RESTARTS_KEPT * WEEK_DAYS)
        before = sums[:, start - 1 : start] if start else 0
        values = log_e(sums[:, start:end] - before, probabilities) - log_threshold(week)
        np.maximum(best[:, start:end], values, out=best[:, start:end])
    return best


# --- healthy fleets


@dataclass
class Healthy:
    """Fleets without a fault that were ever paged, of so many; cells of them that reached 1 % by themselves."""

    fleets: int
    paged: int
    bound: float
    cell_one_percent: float
    seconds: float


def healthy(fleets: int, days: int = DAYS, seed: int = 1, block: int = 10) -> Healthy:
    """Fleets of 20 cells, looked at daily: all three processes of each cell, with restarts."""
    from scipy.stats import beta

    drawn, begun = np.random.default_rng(seed), time.perf_counter()
    volumes = np.geomspace(500, 50_000, CELLS).astype(int)
    paged, ones = np.zeros(fleets, dtype=bool), 0
    for cell in range(CELLS):
        law, n = null(GAMES[cell % len(GAMES)]), int(volumes[cell])
        for first in range(0, fleets, block):
            size = (min(block, fleets - first), days)
            rare = drawn.binomial(n, RETRIED, size)
            exceptional = drawn.multinomial(rare, law.class_probabilities)
            wins = exceptional + drawn.multinomial(n - rare, law.class_probabilities)
            most = np.maximum(raised(wins, law.class_probabilities), raised(exceptional, law.class_probabilities))
            if law.feature_probability is not None:
                p = np.array([1 - law.feature_probability, law.feature_probability])
                most = np.maximum(most, raised(drawn.multinomial(n, p, size), p))
            top = most.max(axis=1)
            paged[first : first + block] |= top >= FLEET_PAGE
            ones += int((top >= math.log(PROCESSES / ALPHA)).sum())
    count = int(paged.sum())
    bound = float(beta.ppf(0.95, count + 1, fleets - count)) if count < fleets else 1.0
    return Healthy(fleets, count, bound, ones / fleets / CELLS, time.perf_counter() - begun)


# --- coverage of T1


def coverage(name: str, rounds_by_stake: dict[int, int], runs: int, seed: int = 2) -> float:
    """Share of runs whose RTP is in the exact 95 % band."""
    law, drawn = null(name), np.random.default_rng(seed)
    low, high = SumLaw(law, Stakes.of(rounds_by_stake)).band(0.95)
    total = sum(b * n for b, n in rounds_by_stake.items())
    rtp = np.zeros(runs)
    for stake, n in rounds_by_stake.items():
        for i in range(runs):
            rtp[i] += stake * float(drawn.multinomial(n, law.probabilities) @ law.stakes) / total
    return float(((rtp >= low - 1e-9) & (rtp <= high + 1e-9)).mean())


def mixed(n: int) -> dict[int, int]:
    """Stakes of 20 cents to 10 euros, most of them small."""
    shares = {20: 0.4, 50: 0.25, 100: 0.2, 200: 0.1, 500: 0.04, 1000: 0.01}
    return {stake: int(n * share) for stake, share in shares.items()}


# --- faults


@dataclass(frozen=True)
class Played:
    """What a faulty cell plays: wins in units with probabilities, of all rounds and of the exceptional ones."""

    units: Counts
    probabilities: NDArray[np.float64]
    feature: float | None
    exceptional: Counts | None = None  # units of the exceptional rounds, at the same probabilities


@dataclass(frozen=True)
class Fault:
    """A fault, the law it breaks, rounds a day of the cell, and within how many rounds it has to be found."""

    name: str
    law: str
    rounds_a_day: int
    within: int
    played: Callable[[NullLaw], Played]


def of_build(build: Build) -> Played:
    law = exact_null(Sheet.of(build))
    return Played(law.units, law.probabilities, law.feature_probability)


def with_strips(name: str, change: Callable[[str, int, Strip], Strip]) -> Build:
    """A build whose strips are changed by (set, reel, strip)."""
    build = games.find_build(name)[0]
    strips = {key: tuple(change(key, i, s) for i, s in enumerate(reels)) for key, reels in build.profile.strips.items()}
    return replace(build, profile=replace(build.profile, strips=strips))


def off_by_one(law: NullLaw) -> Played:
    """The last stop of the middle reel is never drawn."""

    def change(key: str, reel: int, strip: Strip) -> Strip:
        if (key, reel) != ("base", 2):
            return strip
        return replace(strip, weights=(*(10**6 * w for w in strip.weights[:-1]), 1))

    return of_build(with_strips(law.label, change))


def wrong_weights(law: NullLaw) -> Played:
    """The first reel is drawn with the weights of sevens and threefold bars exchanged."""

    def change(key: str, reel: int, strip: Strip) -> Strip:
        if (key, reel) != ("base", 0):
            return strip
        other = {"seven": "bar3", "bar3": "seven"}
        weight = dict(zip(strip.symbols, strip.weights, strict=True))
        return replace(strip, weights=tuple(weight[other.get(s, s)] for s in strip.symbols))

    return of_build(with_strips(law.label, change))


def byte_modulo(law: NullLaw) -> Played:
    """Stops are a byte modulo the number of stops."""

    def change(key: str, reel: int, strip: Strip) -> Strip:
        stops = len(strip.symbols)
        return replace(strip, weights=tuple(256 // stops + (i < 256 % stops) for i in range(stops)))

    return of_build(with_strips(law.label, change))


def rarer_bonus(law: NullLaw) -> Played:
    """Stops that show a moon come so much less often that a tenth of the free spins is missing."""
    rows = games.find_build(law.label)[0].model.rows

    def change(key: str, reel: int, strip: Strip) -> Strip:
        if key != "base":
            return strip
        shows = ["moon" in strip.window(stop, rows) for stop in range(len(strip.symbols))]
        return replace(strip, weights=tuple(MOON if shown else 1000 for shown in shows))

    return of_build(with_strips(law.label, change))


MOON = 959
"""Weight of a stop with a moon, of 1000: three of them are needed."""


def other_profile(law: NullLaw) -> Played:
    return of_build(games.find_build(law.label.replace("rtp_96", "rtp_94"))[0])


def stake_ignored(law: NullLaw) -> Played:
    """A tenth of the rounds has twice the stake and is paid for one."""
    units = np.concatenate([law.units * 2, law.units])  # in halves of a unit
    return Played(units, np.concatenate([law.probabilities * 0.9, law.probabilities * 0.1]), law.feature_probability)


def double_credit(law: NullLaw) -> Played:
    return Played(law.units, law.probabilities, law.feature_probability, law.units * 2)


def dropped(law: NullLaw) -> Played:
    """Wins above 100 stakes are not paid."""
    return Played(np.where(law.units > 100 * law.stake_units, 0, law.units), law.probabilities, law.feature_probability)


FAULTS = (
    Fault("reel strip off by one", "lantern_tide/rtp_96", 20_000, 1_000_000, off_by_one),
    Fault("wrong weight row", "ember_sevens/rtp_95", 20_000, 1_000_000, wrong_weights),
    Fault("stake multiplier ignored at one stake level", "salt_codex/rtp_96", 20_000, 20_000, stake_ignored),
    Fault("bonus rate -10 %", "lantern_tide/rtp_96", 20_000, 1_000_000, rarer_bonus),
    Fault("wrong RTP profile at one operator", "lantern_tide/rtp_96", 20_000, 1_000_000, other_profile),
    Fault("8-bit modulo-biased RNG", "lantern_tide/rtp_96", 20_000, 3_000_000, byte_modulo),
    Fault("double credit on retry (0.5 % of rounds)", "lantern_tide/rtp_96", 20_000, 1_000_000, double_credit),
    Fault("wins above 100 x dropped", "clockwork_aviary/rtp_96", 20_000, 1_000_000, dropped),
    Fault("off by one on mobile only (30 % of rounds)", "lantern_tide/rtp_96", 6_000, 1_000_000, off_by_one),
)


@dataclass
class Found:
    """Rounds until the page (median, 90 %), share of runs found in time and by the fixed rule at that many rounds."""

    fault: Fault
    rtp: float
    median: float
    ninety: float
    in_time: float
    rule: float
    impossible: float


def find(fault: Fault, runs: int, seed: int = 3) -> Found:
    """A faulty cell in a fleet of 20, looked at daily; the fixed rule looks at the same rounds when the time is over."""
    law, drawn = null(fault.law), np.random.default_rng(seed)
    played = fault.played(law)
    halves = 2 if fault.played is stake_ignored else 1
    days = -(-fault.within // fault.rounds_a_day)
    classes = len(law.last)

    def placed(units: Counts) -> Counts:
        """Class of each win; `classes` for an impossible one."""
        return np.array([
            classes if u % halves or not law.possible(int(u) // halves, fault.within) else law.class_of(int(u) // halves)
            for u in units
        ])  # fmt: skip

    share = np.bincount(placed(played.units), played.probabilities, classes + 1)
    special = (
        share
        if played.exceptional is None
        else np.bincount(placed(played.exceptional), played.probabilities, classes + 1)
    )
    n, size = fault.rounds_a_day, (runs, days)
    rare = drawn.binomial(n, RETRIED, size)
    exceptional = drawn.multinomial(rare, special / special.sum())
    everything = exceptional + drawn.multinomial(n - rare, share / share.sum())
    most = np.maximum(
        raised(everything[..., :-1], law.class_probabilities), raised(exceptional[..., :-1], law.class_probabilities)
    )
    if law.feature_probability is not None and played.feature is not None:
        p, q = law.feature_probability, played.feature
        most = np.maximum(most, raised(drawn.multinomial(n, [1 - q, q], size), np.array([1 - p, p])))
    impossible = everything[..., -1] > 0
    alarm = (most >= FLEET_PAGE) | impossible
    first = np.where(alarm.any(axis=1), alarm.argmax(axis=1) + 1.0, np.inf) * n
    stakes = played.units / halves / law.stake_units
    if halves == 2:  # of 1.1 stakes a round; half the multiple at twice the stake
        stakes = np.concatenate([law.stakes, law.stakes / 2])
        stakes = stakes * np.concatenate([np.full(len(law.units), 1 / 1.1), np.full(len(law.units), 2 / 1.1)])
    extra = float(stakes @ played.probabilities) * RETRIED if played.exceptional is not None else 0.0
    total = days * n
    rtp = (
        np.array([float(drawn.multinomial(total, played.probabilities) @ stakes) / total for _ in range(runs)]) + extra
    )
    return Found(
        fault,
        float(stakes @ played.probabilities) + extra,
        float(np.quantile(first, 0.5, method="higher")),
        float(np.quantile(first, 0.9, method="higher")),
        float((first <= fault.within).mean()),
        float((abs(rtp - law.mean) > RULE).mean()),
        float(impossible.any(axis=1).mean()),
    )


def rule_on_days(name: str, n: int, days: int, seed: int = 4) -> float:
    """False alarms of the fixed rule in a year of a healthy cell that looks at single days."""
    law, drawn = null(name), np.random.default_rng(seed)
    rtp = np.array([float(drawn.multinomial(n, law.probabilities) @ law.stakes) / n for _ in range(days)])
    return float((abs(rtp - law.mean) > RULE).mean() * 365)


def fault_rows(runs: int) -> Iterator[str]:
    yield "| fault | RTP | rounds to the page: median | 90 % | stated | found in time | +-5 pp rule finds it |"
    yield "|---|---|---|---|---|---|---|"
    for fault in FAULTS:
        f = find(fault, runs)
        drift = f.rtp - null(fault.law).mean
        late = [f"{x:,.0f}" if math.isfinite(x) else "later" for x in (f.median, f.ninety)]
        yield (
            f"| {fault.name} | {f.rtp:.2%} ({drift * 100:+.2f} pp) | {late[0]} | {late[1]} | {fault.within:,} "
            f"| {f.in_time:.0%}{' (impossible wins)' if f.impossible > 0.5 else ''} | {f.rule:.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--fleets", type=int, default=1000)
    parser.add_argument("--only", choices=["healthy", "coverage", "faults"])
    args = parser.parse_args()
    if args.only in (None, "faults"):
        for line in fault_rows(3 if args.tiny else 100):
            print(line, flush=True)
        for name in GAMES[:3]:
            alarms = rule_on_days(name, 20_000, 20 if args.tiny else 2_000)
            print(f"healthy {name}, 20,000 rounds a day: the +-5 pp rule gives {alarms:.0f} alarms a year", flush=True)
    if args.only in (None, "coverage"):
        for name in GAMES[:2] if args.tiny else GAMES[:3]:
            for n in (10_000,) if args.tiny else (10_000, 100_000, 1_000_000):
                for stakes, kind in (({100: n}, "one stake"), (mixed(n), "mixed stakes")):
                    share = coverage(name, stakes, 50 if args.tiny else 2_000)
                    print(f"coverage of 95 %: {name}, {n:,} rounds, {kind}: {share:.4f}", flush=True)
    if args.only in (None, "healthy"):
        found = healthy(1 if args.tiny else args.fleets, 30 if args.tiny else DAYS)
        print(
            f"healthy: {found.paged} of {found.fleets} fleet-years paged (95 % upper bound {found.bound:.4f}); cells "
            f"that alone reached 1 %: {found.cell_one_percent:.5f}; {found.seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
