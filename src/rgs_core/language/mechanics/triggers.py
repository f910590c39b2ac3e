"""Triggers: what starts something."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rgs_core.language.mechanics.conditions import ConditionalTrigger
from rgs_core.language.mechanics.fields import later
from rgs_core.language.mechanics.symbols import Counted
from rgs_core.language.mechanics.tables import Table, by_count


@dataclass(frozen=True, slots=True)
class FreeSpinsTrigger(ConditionalTrigger):
    """Awards spins of `state` by the count of a symbol anywhere in view.

    `stopped`: on the grid as the reels stopped. `fresh`: held cells do not count. `reset`: the spins left
    become at least the award, instead of growing by it. `carry`: cells with these symbols stay, held, in the
    awarded feature. `reels`, `per_reel`: as in `Counted`. Without a symbol ("") the count is 0.
    `multiplier`: drawn when it awards, of all that the feature wins; None: that of the feature which is
    lengthened, 1 of a new one. `become`: the spins lengthen the feature that plays, which goes on as `state`; also by no
    spins, from the smallest count of the table on. `at_once`: the awarded feature is played next; the one that plays goes
    on after it. So it is wherever spins are awarded.
    """

    name: str
    symbol: str
    spins: Mapping[int, int]
    state: str

    kind: Literal["free_spins"] = "free_spins"
    stopped: bool = later(False)
    fresh: bool = later(False)
    reset: bool = later(False)
    carry: frozenset[str] = later(frozenset())
    reels: tuple[int, ...] | None = later(None)
    per_reel: bool = later(False)
    multiplier: Table | None = later(None)
    become: bool = later(False)
    at_once: bool = later(False)

    @property
    def counted(self) -> Counted:
        """What it counts."""
        return Counted(self.symbol, self.reels, self.per_reel, self.stopped)

    def award(self, count: int) -> int:
        """Spins awarded for `count` symbols in view."""
        return by_count(self.spins, count)


@dataclass(frozen=True, slots=True)
class WinTrigger(ConditionalTrigger):
    """Awards spins of `state` for every win of an evaluator: `spins[symbol][count]`; its odds are of all these together."""

    name: str
    evaluator: str
    spins: Mapping[str, Mapping[int, int]]
    state: str

    kind: Literal["win_spins"] = "win_spins"
    multiplier: Table | None = later(None)
    become: bool = later(False)
    at_once: bool = later(False)


@dataclass(frozen=True, slots=True)
class CollectedTrigger:
    """Counts a symbol over the spins of a feature; every `every` of them reach the next level.

    Level i awards `spins[i]` spins of `state`, and from the next spin on wins are multiplied by
    `multipliers[i]`. After the last level nothing more is counted. With `states` the spins lengthen the feature, which
    goes on as `states[i]`. `multipliers_from`: "batch" multiplies once the spins are played that were left before.

    `thresholds`: the count of each level, where these are not multiples of `every`; that is what each level beyond the
    last one needs then. `endless`: what the last level gives is given again every `every` more, and the multiplier grows
    by `multiplier_step` each time. `fresh`: held cells do not count. `counts`: the cells with the symbol, the sum of their
    values, or 1 for a spin that wins, that loses, or for any, without a symbol (""). `collector`: a symbol that counts
    all of this once for each of its cells in view. `in_a_row`: a spin that adds nothing takes the count back to 0.
    """

    name: str
    symbol: str
    every: int
    spins: tuple[int, ...]
    multipliers: tuple[int, ...]
    state: str

    kind: Literal["collected"] = "collected"
    multiplier: Table | None = later(None)
    states: tuple[str, ...] = later(())
    multipliers_from: Literal["spin", "batch"] = later("spin")
    thresholds: tuple[int, ...] = later(())
    endless: bool = later(False)
    multiplier_step: int = later(0)
    fresh: bool = later(False)
    counts: Literal["symbols", "values", "wins", "losses", "spins"] = later("symbols")
    collector: str | None = later(None)
    in_a_row: bool = later(False)
    at_once: bool = later(False)

    @property
    def level_counts(self) -> tuple[int, ...]:
        """The count that each level needs."""
        return self.thresholds or tuple(self.every * level for level in range(1, len(self.spins) + 1))

    def level(self, count: int) -> int:
        """The level that a count reaches, from 0."""
        counts = self.level_counts
        beyond = max(0, count - counts[-1]) // self.every if self.endless else 0
        return bisect_right(counts, count) + beyond

    def level_spins(self, level: int) -> int:
        """Spins that a level awards."""
        return self.spins[min(level, len(self.spins)) - 1]

    def level_state(self, level: int) -> str:
        """The state that a level's spins are of, or as which the feature goes on."""
        return self.states[min(level, len(self.states)) - 1] if self.states else self.state

    def level_multiplier(self, level: int) -> int:
        """What multiplies wins after a level."""
        last = len(self.multipliers)
        return self.multipliers[min(level, last) - 1] + max(0, level - last) * self.multiplier_step if level else 1


@dataclass(frozen=True, slots=True)
class PickTrigger(ConditionalTrigger):
    """Starts a bonus for every payline that begins with `pattern` (None matches any symbol); its odds are of all these
    together."""

    name: str
    pattern: tuple[str | None, ...]
    pick: str

    kind: Literal["pick"] = "pick"


@dataclass(frozen=True, slots=True)
class BonusTrigger(ConditionalTrigger):
    """Plays a bonus as often as `plays` says for the count of a symbol anywhere in view, counted as by FreeSpinsTrigger."""

    name: str
    symbol: str
    plays: Mapping[int, int]
    bonus: str
    stopped: bool

    kind: Literal["bonus"] = "bonus"
    reels: tuple[int, ...] | None = later(None)
    per_reel: bool = later(False)

    @property
    def counted(self) -> Counted:
        """What it counts."""
        return Counted(self.symbol, self.reels, self.per_reel, self.stopped)

    def times(self, count: int) -> int:
        """Bonuses played for `count` symbols in view."""
        return by_count(self.plays, count)


@dataclass(frozen=True, slots=True)
class JackpotTrigger(ConditionalTrigger):
    """Wins a jackpot of the service by name, with `chance` in `out_of` at every spin of the state.

    `per`: "unit" has that chance for each unit that a round costs in its mode. With a `symbol` only spins that show it
    `count` times at least can win. `fresh`: cells that were held before the spin do not count. `at`: looks at every spin,
    or once, at the last grid of a feature. `reels`, `per_reel`: as in `Counted`. It has no odds beside its own.
    """

    name: str
    jackpot: str
    chance: int
    out_of: int

    kind: Literal["jackpot"] = "jackpot"
    per: Literal["spin", "unit"] = later("spin")
    symbol: str | None = later(None)
    count: int = later(0)
    fresh: bool = later(False)
    at: Literal["spin", "end"] = later("spin")
    reels: tuple[int, ...] | None = later(None)
    per_reel: bool = later(False)

    @property
    def counted(self) -> Counted:
        """What it counts."""
        return Counted(self.symbol or "", self.reels, self.per_reel)

    def chance_of(self, cost_units: int) -> int:
        """Chance in `out_of` at every spin of a round that costs so many units."""
        return self.chance * (cost_units if self.per == "unit" else 1)


@dataclass(frozen=True, slots=True)
class FullReelsTrigger(ConditionalTrigger):
    """Awards spins of `state` by the number of reels, of `reels` from 0 (None: all), that show nothing but the same symbol,
    the one that fills most of them. Their cells stay, held, in the awarded feature."""

    name: str
    spins: Mapping[int, int]
    state: str

    kind: Literal["full_reels"] = "full_reels"
    reels: tuple[int, ...] | None = later(None)
    at_once: bool = later(False)


Trigger = (
    FreeSpinsTrigger | WinTrigger | CollectedTrigger | PickTrigger | BonusTrigger | JackpotTrigger | FullReelsTrigger
)


def fires_by_count(trigger: FreeSpinsTrigger | BonusTrigger) -> bool:
    """Whether the number of its symbol in view alone decides what a trigger gives."""
    return fires_always(trigger) and trigger.reels is None and not trigger.per_reel


def fires_always(trigger: Trigger) -> bool:
    """Whether a trigger fires wherever what it looks at itself suffices."""
    return isinstance(trigger, CollectedTrigger) or not (trigger.conditional or trigger.once)
