"""Sessions of a player played out, for games whose wins have no exact law: what `WinLaw.session` computes elsewhere.

The rounds are those of a simulation of the same key: session k plays `spins` rounds from `first_nonce + k spins` on.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from rgs_core.engine.playing import player
from rgs_core.exact.stats import proportion_interval, z_for
from rgs_core.language.model import Build

ROUNDS_AT_ONCE = 1 << 20
"""Most rounds whose wins are held by a thread: 8 MB each for several arrays."""

SESSION_SPINS_MAX = 1_000_000
BANKROLL_MAX = 10**9
SESSIONS_LEAST = 100
"""Fewest sessions that say anything."""


@dataclass(frozen=True, slots=True)
class SampledSessions:
    """`sessions` sessions of `spins` rounds of one stake (the cost of the mode), begun with `bankroll` stakes.

    `ruined`: the money fell below a stake; `doubled`: it reached twice the bankroll, and the player left; all others
    played every round, and have `left_units` units together.
    """

    bankroll: int
    spins: int
    sessions: int
    ruined: int
    doubled: int
    left_units: int
    stake_units: int

    @property
    def neither(self) -> int:
        return self.sessions - self.ruined - self.doubled

    @property
    def mean_left(self) -> float:
        """Mean stakes at the end of those that played every round; 0 without any."""
        return self.left_units / self.stake_units / self.neither if self.neither else 0.0

    def interval(self, count: int, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson interval of a share of the sessions."""
        return proportion_interval(count, self.sessions, z_for(confidence))


def sample_sessions(
    build: Build,
    key: bytes,
    bankroll: int,
    spins: int,
    rounds: int,
    *,
    first_nonce: int = 0,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> SampledSessions:
    """As many sessions as `rounds` rounds hold. `progress` is called with the number of those played so far.

    ValueError for a session out of range, and for fewer than SESSIONS_LEAST of them.
    """
    if not 1 <= spins <= SESSION_SPINS_MAX or not 1 <= bankroll <= BANKROLL_MAX:
        raise ValueError(
            f"a session has 1 to {SESSION_SPINS_MAX:,} spins, and a bankroll is 1 to {BANKROLL_MAX:,} stakes"
        )
    sessions = rounds // spins
    if sessions < SESSIONS_LEAST:
        raise ValueError(
            f"{rounds:,} rounds are {sessions:,} sessions of {spins:,} spins; --spins {SESSIONS_LEAST * spins} or more "
            "says something about them"
        )
    plays, stake = player(build), build.play.cost_units
    together = max(1, ROUNDS_AT_ONCE // spins)

    def play(first: int) -> tuple[int, int, int, int]:
        count = min(together, sessions - first)
        wins = np.empty(count * spins, dtype=np.int64)
        plays.simulate(key, first_nonce + first * spins, len(wins), edges=[0], wins=wins)
        money = bankroll * stake + np.cumsum(wins.reshape(count, spins) - stake, axis=1)
        over, broke = money >= 2 * bankroll * stake, money < stake
        # argmax finds the first; a session that never gets there counts as one beyond its end.
        when_over = np.where(over.any(axis=1), over.argmax(axis=1), spins)
        when_broke = np.where(broke.any(axis=1), broke.argmax(axis=1), spins)
        lasted = (when_over == spins) & (when_broke == spins)
        return (
            count,
            int((when_broke < when_over).sum()),
            int((when_over < when_broke).sum()),
            int(money[lasted, -1].sum()),
        )

    done = ruined = doubled = left = 0
    with ThreadPoolExecutor(threads) as pool:
        for count, broke, over, units in pool.map(play, range(0, sessions, together)):
            done, ruined, doubled, left = done + count, ruined + broke, doubled + over, left + units
            if progress is not None:
                progress(done * spins)
    return SampledSessions(bankroll, spins, sessions, ruined, doubled, left, stake)
