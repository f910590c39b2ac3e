"""Bonuses: what is drawn apart from the reels. Jackpots and gambles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rgs_core.language.mechanics.fields import Basis, BonusBasis, later, played
from rgs_core.language.mechanics.tables import Table


@dataclass(frozen=True, slots=True)
class Pick:
    """Pick bonus whose result is fixed by the draw: places opened, prizes a place, a prize table.

    Prizes are drawn with replacement and are in multiples of the basis.
    """

    name: str
    picks: Table
    prizes_per_pick: Table
    prizes: Table
    of: BonusBasis


@dataclass(frozen=True, slots=True)
class Take:
    """Takes `take` of the listed prizes without replacement; equal ones are multiplied by `equal_multiplier`.

    With `ends`, numbers of prizes from 1, it is over sooner: when `lives` of those have been taken. They pay too.
    """

    name: str
    prizes: tuple[int, ...]
    take: int
    equal_multiplier: int
    of: BonusBasis

    kind: Literal["take"] = "take"
    ends: frozenset[int] = later(frozenset())
    lives: int = later(1)

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The prizes that end nothing, and those that take a life."""
        numbered = list(enumerate(self.prizes, start=1))
        return tuple(p for n, p in numbered if n not in self.ends), tuple(p for n, p in numbered if n in self.ends)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a wheel: a pay, spins of a state, another bonus, a jackpot of the service, or several of them."""

    weight: int
    pay: int
    spins: int
    state: str | None
    bonus: str | None
    jackpot: str | None = later(None)
    multiplier: Table | None = later(None)
    become: bool = later(False)
    at_once: bool = later(False)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of weighted segments; a segment may lead to another bonus."""

    name: str
    segments: tuple[Segment, ...]
    of: BonusBasis

    kind: Literal["wheel"] = "wheel"


@dataclass(frozen=True, slots=True)
class Trail:
    """A board walk: roll `die`, move on, take the pay of the square; it ends on an `ends` square (from 1),
    past the last one (which pays `finish`), or after `rolls_max` rolls. `pays`: every square on which a roll ends is
    paid, or only the last one."""

    name: str
    squares: tuple[int, ...]
    ends: frozenset[int]
    die: Table
    rolls_max: int
    finish: int
    of: BonusBasis

    kind: Literal["trail"] = "trail"
    pays: Literal["all", "last"] = later("all")


@dataclass(frozen=True, slots=True)
class Option:
    """What one choice of the player gives: a pay, spins of a state, another bonus, a jackpot, or several of them."""

    name: str
    pay: int
    spins: int
    state: str | None
    bonus: str | None
    jackpot: str | None = later(None)
    multiplier: Table | None = later(None)
    become: bool = later(False)
    at_once: bool = later(False)


@dataclass(frozen=True, slots=True)
class Choice:
    """The player takes one of the options. `matters`: whether they may differ in what they return in the mean.

    `chosen`: number of the option that is taken; the first one unless a policy says otherwise.
    """

    name: str
    options: tuple[Option, ...]
    of: BonusBasis
    matters: bool

    kind: Literal["choice"] = "choice"
    chosen: int = played(0)

    @property
    def option(self) -> Option:
        """The option that is taken."""
        return self.options[self.chosen]


Bonus = Pick | Take | Wheel | Trail | Choice


def given(bonus: Bonus) -> tuple[Segment | Option, ...]:
    """What a bonus may lead to: the segments of a wheel, the options of a choice."""
    if isinstance(bonus, Wheel):
        return bonus.segments
    return bonus.options if isinstance(bonus, Choice) else ()


def settled(bonus: Bonus) -> Pick | Take | Wheel | Trail:
    """A bonus as it is played: a choice is a wheel that has the chosen option alone."""
    if not isinstance(bonus, Choice):
        return bonus
    option = bonus.option
    given_by = option.pay, option.spins, option.state, option.bonus, option.jackpot, option.multiplier, option.become
    segment = Segment(1, *given_by, option.at_once)
    return Wheel(bonus.name, (segment,), bonus.of)


@dataclass(frozen=True, slots=True)
class Jackpot:
    """A pool outside of the game: it begins with `start` stakes and takes `share_ppm` millionths of every stake.

    A trigger wins it; or, with `must_hit_by`, the service draws an amount between `start` and that many stakes,
    every one equally likely, at which it drops.
    """

    name: str
    start: int
    share_ppm: int
    must_hit_by: int | None


COLLECT = "collect"
"""What a player does who does not gamble, or no more."""


@dataclass(frozen=True, slots=True)
class Bet:
    """A way to gamble: `table` is drawn, of multipliers of what is put at risk, or of rungs to climb or fall.
    `part`: whether the whole win is put at risk, or half of it, rounded down."""

    name: str
    table: Table
    part: Literal["all", "half"]


@dataclass(frozen=True, slots=True)
class Gamble:
    """The win of a round can be gambled up to `steps_max` times.

    Without `rungs` a bet multiplies, and is only offered where its best result is at most `win_max` stakes. With
    them it moves on a ladder of amounts, in multiples of `of`: the win stands on the highest rung that it
    reaches, what is above is kept; below the first rung all is lost, on the last the gamble ends.

    `plays`: names of the bets that a player makes, in order, while there is a win and a bet is offered.
    """

    bets: Mapping[str, Bet]
    steps_max: int
    win_max: int | None
    rungs: tuple[int, ...]
    of: Basis
    plays: tuple[str, ...] = played(())

    def table(self, bet: str) -> Table:
        """What a bet draws."""
        return self.bets[bet].table
