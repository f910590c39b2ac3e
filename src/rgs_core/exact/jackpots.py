"""Jackpots: how often they are won, what is in the pool then, and what they return. The pools are the service's.

Triggered: with c wins a round in the mean, a pool that begins with S stakes and takes the share s of each holds
S + s / c stakes in the mean when it is won, and returns c (S + s / c) = c S + s of a stake.

Must hit by: it drops at an amount between S and M stakes, every one equally likely, so after (M - S) / 2s rounds
in the mean, with (S + M) / 2 stakes in it; by the law of renewals with reward it returns their quotient.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rgs_core.exact.closed_parts import count_law
from rgs_core.exact.cycle import FullCycle
from rgs_core.exact.joint import bonus_name
from rgs_core.exact.memory.hold import HoldStart
from rgs_core.exact.memory.unlocking import UnlockingStart
from rgs_core.exact.memory.whole_feature import CountedFeature
from rgs_core.language.bounds import goes_on_as, going_on
from rgs_core.language.mechanics import (
    BonusTrigger,
    Counted,
    Jackpot,
    JackpotTrigger,
    PickTrigger,
    Wheel,
    fires_always,
    settled,
)
from rgs_core.language.model import Model, State

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
    """Figures of the jackpots that the rounds of a mode can win; a stake is what a round costs. Jackpots whose odds
    are not known are left out."""
    found = []
    for jackpot in cycle.build.model.jackpots.values():
        share = Fraction(jackpot.share_ppm, PPM)
        if jackpot.must_hit_by is not None:
            rounds = Fraction(jackpot.must_hit_by - jackpot.start) / (2 * share)
            value = Fraction(jackpot.start + jackpot.must_hit_by, 2)
        else:
            wins = wins_per_round(cycle, jackpot.name)
            if not wins:
                continue
            rounds = 1 / wins
            value = jackpot.start + share * rounds
        found.append(JackpotFigures(jackpot, rounds, value, value / rounds))
    return found


def wins_per_round(cycle: FullCycle, name: str) -> Fraction | None:
    """Mean number of times that a round wins a jackpot: by triggers, and by bonuses that lead to it. None where the
    odds of a spin are not known: of symbols on grids that change, of triggers with conditions, in features that are
    known as a whole only."""
    model, play = cycle.build.model, cycle.build.play
    spins = dict(cycle.spins)
    spins[play.start] = spins.get(play.start, Fraction(0)) + play.spins
    wins = Fraction(0)
    for state_name, n in spins.items():
        state = model.states[state_name]
        linked = [model.states[other] for other in going_on(model, state_name)] if goes_on_as(model, state) else []
        if any(isinstance(t, JackpotTrigger) and t.jackpot == name for other in linked for t in other.triggers):
            won = _unlocked(cycle, state_name, name)  # the spins of a feature that goes on are known together only
            if won is None:
                return None
            wins += won
        else:
            linked = []
        for trigger in state.triggers:
            if isinstance(trigger, JackpotTrigger) and trigger.jackpot == name and not linked:
                if not fires_always(trigger):
                    return None
                odds = Fraction(trigger.chance_of(play.cost_units), trigger.out_of)
                if trigger.symbol is None:
                    wins += n * odds
                    continue
                shown = _shown(cycle, state, trigger, n)
                if shown is None:
                    return None
                wins += shown * odds
            elif isinstance(trigger, PickTrigger | BonusTrigger):
                each = _bonus_wins(model, bonus_name(trigger), name)
                law = cycle.laws.get(state_name)
                if each and law is None:
                    return None
                if each and law is not None:
                    wins += n * law.plays_mean()[trigger.name] * each
    return wins


def _shown(cycle: FullCycle, state: State, trigger: JackpotTrigger, spins: Fraction) -> Fraction | None:
    """Mean number of spins of a round in which so many of the symbol of a trigger are in view, of so many spins."""
    assert trigger.symbol is not None
    model = cycle.build.model
    dependent = model.top or state.linked
    if state.name in cycle.laws and not state.transforms and state.cascade is None and not dependent:
        odds = Fraction(0)
        weights = state.strip_choice.weights if state.strip_choice else (1,)
        for strips, weight in zip(state.strip_sets, weights, strict=True):
            law = count_law(model, cycle.build.strips(state, strips), (trigger.counted,), state)
            odds += Fraction(weight, sum(weights)) * sum(
                (p for (n,), p in law.items() if n >= trigger.count), Fraction(0)
            )
        # Once a feature: of a mode that is one spin, the spin is the feature.
        alone = spins == 1 and state.name == cycle.build.play.start
        return spins * odds if trigger.at == "spin" or alone else None
    if cycle.features is None or state.name not in cycle.features.methods:
        return None
    shown = Fraction(0)
    for name, feature in cycle.features.laws.items():
        if feature.state_name != state.name:
            continue
        feature = feature.law if isinstance(feature, CountedFeature) else feature
        seen = _shown_in_the_end(feature, trigger) if isinstance(feature, HoldStart) else None
        if seen is None:
            return None
        shown += cycle.features_played.get(name, Fraction(0)) * seen
    return shown


def _shown_in_the_end(feature: HoldStart, trigger: JackpotTrigger) -> Fraction | None:
    """Odds that a feature of hold and spin shows so many of the symbol of a trigger when it ends in the state of the
    trigger, None where that is not when the trigger looks. A full grid of held cells ends its feature, if it does not go
    on as another state, so it is seen once, as is what the end shows."""
    rules = feature.rules
    if (
        trigger.symbol is None
        or not fires_always(trigger)
        or trigger.counted != Counted(trigger.symbol)
        or not rules.model.members(trigger.symbol) & set(rules.symbols)
        or (trigger.at == "spin" and (trigger.fresh or trigger.count < rules.cells or rules.unlocks))
    ):
        return None
    ends = ((p, rules.count(counts, trigger.symbol)) for counts, p in feature.ends.items())
    return sum((p for p, count in ends if count >= trigger.count), Fraction(0))


def _unlocked(cycle: FullCycle, state: str, name: str) -> Fraction | None:
    """Mean number of times that features which begin in a state and go on as others win a jackpot in a round."""
    wins = Fraction(0)
    laws = {} if cycle.features is None else cycle.features.laws
    for way, feature in laws.items():
        if feature.state_name != state:
            continue
        if not isinstance(feature, UnlockingStart):
            return None
        for end in feature.ends:
            for trigger in end.rules.state.triggers:
                if isinstance(trigger, JackpotTrigger) and trigger.jackpot == name:
                    odds = _shown_in_the_end(end, trigger)
                    if odds is None:
                        return None
                    chance = Fraction(trigger.chance_of(cycle.build.play.cost_units), trigger.out_of)
                    wins += cycle.features_played.get(way, Fraction(0)) * odds * chance
    return wins


def _bonus_wins(model: Model, bonus: str, name: str) -> Fraction:
    """Mean number of times that a play of a bonus wins a jackpot."""
    wins = Fraction(0)
    played = settled(model.bonuses[bonus])
    if isinstance(played, Wheel):
        total = sum(segment.weight for segment in played.segments)
        for segment in played.segments:
            further = _bonus_wins(model, segment.bonus, name) if segment.bonus else Fraction(0)
            wins += Fraction(segment.weight, total) * (further + (segment.jackpot == name))
    return wins
