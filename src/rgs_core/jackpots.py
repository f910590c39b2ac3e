"""Jackpots: how often they are won, what is in the pool then, and what they return. The pools are the service's.

Triggered: with c wins a round in the mean, a pool that begins with S stakes and takes the share s of each holds
S + s / c stakes in the mean when it is won, and returns c (S + s / c) = c S + s of a stake.

Must hit by: it drops at an amount between S and M stakes, every one equally likely, so after (M - S) / 2s rounds
in the mean, with (S + M) / 2 stakes in it; by the law of renewals with reward it returns their quotient.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rgs_core.cycle import FullCycle
from rgs_core.mechanics import Jackpot, JackpotTrigger

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class JackpotFigures:
    """`rounds`: mean number of rounds from one win to the next; `value`: mean stakes in the pool at a win; `rtp`: what
    it returns of a stake. All exact."""

    jackpot: Jackpot
    rounds: Fraction
    value: Fraction
    rtp: Fraction


def jackpot_figures(cycle: FullCycle) -> list[JackpotFigures]:
    """Figures of the jackpots that the rounds of a mode can win; a stake is what a round costs."""
    found = []
    for jackpot in cycle.build.model.jackpots.values():
        share = Fraction(jackpot.share_ppm, PPM)
        if jackpot.must_hit_by is not None:
            rounds = Fraction(jackpot.must_hit_by - jackpot.start) / (2 * share)
            value = Fraction(jackpot.start + jackpot.must_hit_by, 2)
        else:
            wins = wins_per_round(cycle, jackpot.name)
            if wins == 0:
                continue
            rounds = 1 / wins
            value = jackpot.start + share * rounds
        found.append(JackpotFigures(jackpot, rounds, value, value / rounds))
    return found


def wins_per_round(cycle: FullCycle, name: str) -> Fraction:
    """Mean number of times that a round wins a jackpot: by the spins of each state that it plays."""
    model, play = cycle.build.model, cycle.build.play
    spins = dict(cycle.spins)
    spins[play.start] = spins.get(play.start, Fraction(0)) + play.spins
    return sum(
        (
            n * Fraction(trigger.chance_of(play.cost_units), trigger.out_of)
            for state, n in spins.items()
            for trigger in model.states[state].triggers
            if isinstance(trigger, JackpotTrigger) and trigger.jackpot == name
        ),
        Fraction(0),
    )
