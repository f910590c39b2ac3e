"""Closed form: the mean of everything in a build by multiplying symbol frequencies, exact.

Covers states that pay lines from one side, ways from one side, counted symbols and scatters on grids that
nothing changes (rgs_core.exact.closed_parts). Plain Python on integers and Fractions, and no code in common with the
engine: one of the two ways that must agree (rgs_core.exact.analysis).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm, prod

from rgs_core.errors import AnalysisError
from rgs_core.exact.award_columns import multiplied_features
from rgs_core.exact.awarding import Awards
from rgs_core.exact.bonuses import bonus_moments
from rgs_core.exact.closed_parts import (
    Prize,
    count_law,
    count_prizes,
    heights,
    line_prizes,
    pattern_matches,
    ways_prizes,
)
from rgs_core.exact.feature import expected_spins
from rgs_core.exact.reached import awards_of, bonus_awards
from rgs_core.exact.spin_multiplier import grid_transforms, multiplier_mean
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import (
    SIMULATED_ONLY,
    BonusTrigger,
    ConditionalTrigger,
    Count,
    FreeSpinsTrigger,
    JackpotTrigger,
    Lines,
    PickTrigger,
    Scatter,
    Ways,
)
from rgs_core.language.model import Build, Model, State, Strip

__all__ = ["ClosedForm", "NoClosedForm", "Prize", "SpinFigures", "closed_form", "count_law"]


class NoClosedForm(AnalysisError):
    """A state has words that the closed form does not cover; the message names them."""


@dataclass(frozen=True, slots=True)
class SpinFigures:
    """One spin of a state. `parts`: mean units by evaluator and bonus trigger name; `awards`: law of the spins
    awarded by state, in the order of the model's states; `trigger_hits`: odds that a trigger awards spins or a
    jackpot, or the mean number of bonuses that it plays."""

    state: str
    cycle: int
    parts: Mapping[str, Fraction]
    prizes: tuple[Prize, ...]
    line_hit_frequency: Fraction
    awards: Mapping[Awards, Fraction]
    trigger_hits: Mapping[str, Fraction]

    @property
    def mean_units(self) -> Fraction:
        return sum(self.parts.values(), Fraction(0))

    @property
    def spins_awarded(self) -> Fraction:
        """Mean free spins awarded by one spin, of all states, before the cap."""
        return sum((sum(key) * p for key, p in self.awards.items()), Fraction(0))

    @property
    def award_probability(self) -> Fraction:
        """Odds that one spin awards free spins."""
        return sum((p for key, p in self.awards.items() if any(key)), Fraction(0))


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """Means of a build. `rtp_parts` add up to `rtp`, of win / cost of the mode; "free spins" holds all that
    further spins win. `paid`: the state that the mode begins with, `free`: the only other one if there is one,
    `figures`: all that the mode reaches; `spins`: mean further spins of a round by state."""

    build: Build
    paid: SpinFigures
    free: SpinFigures | None
    free_spins_per_round: Fraction
    rtp: Fraction
    rtp_parts: Mapping[str, Fraction]
    figures: Mapping[str, SpinFigures] = field(default_factory=dict)
    spins: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def feature_probability(self) -> Fraction:
        """Odds that a round has free spins beyond those that the mode begins with."""
        return 1 - (1 - self.paid.award_probability) ** self.build.play.spins

    @property
    def free_spins_per_feature(self) -> Fraction:
        """Mean free spins of a round that has any; 0 when there are none."""
        p = self.feature_probability
        return self.free_spins_per_round / p if p else Fraction(0)

    @property
    def feature_win(self) -> Fraction:
        """Mean win of the free spins of a round that has any, in costs of the mode."""
        p = self.feature_probability
        return self.rtp_parts.get("free spins", Fraction(0)) / p if p else Fraction(0)


def closed_form(build: Build) -> ClosedForm:
    """Means of every part. Raises NoClosedForm with the reason for states that it does not cover, AnalysisError
    when the expected free spins have no finite value."""
    model, play = build.model, build.play
    figures: dict[str, SpinFigures] = {}
    waiting = [play.start]
    for name in waiting:
        figures[name] = spin_figures(build, model.states[name])
        for state in awards_of(model, model.states[name]):
            if state not in waiting:
                waiting.append(state)
    if any(state in figures for state, _ in multiplied_features(model)):
        raise NoClosedForm("awards give features a multiplier, for which there is no closed form")
    states = tuple(model.states)
    awards = {name: spin.awards for name, spin in figures.items()}
    spins = expected_spins(awards, states, play.start, play.spins, model.free_spins_max)
    paid = figures[play.start]
    parts = {name: units * play.spins / play.cost_units for name, units in paid.parts.items()}
    if len(figures) > 1 or spins:
        won = sum((n * figures[name].mean_units for name, n in spins.items()), Fraction(0))
        parts["free spins"] = won / play.cost_units
    others = [spin for name, spin in figures.items() if name != play.start]
    return ClosedForm(
        build=build,
        paid=paid,
        free=others[0] if len(others) == 1 else None,
        free_spins_per_round=sum(spins.values(), Fraction(0)),
        rtp=sum(parts.values(), Fraction(0)),
        rtp_parts=parts,
        figures=figures,
        spins=spins,
    )


def refuse(model: Model, state: State) -> None:
    """Raises NoClosedForm when a state has words that are not covered."""

    def no(words: str) -> NoClosedForm:
        return NoClosedForm(f"state '{state.name}' has {words}, for which there is no closed form")

    if goes_on_as(model, state):
        raise no("features that go on as other states")
    if state.callback is not None:
        raise NoClosedForm(f"state '{state.name}' {SIMULATED_ONLY}")
    if model.top:
        raise no("a top reel")
    if state.linked:
        raise no("linked reels")
    if grid_transforms(state) or state.cascade or state.final or state.special:
        raise no("transforms of the grid, cascades, final multipliers or a special symbol")
    if state.win_min is not None:
        raise no("a least win of its features")
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Lines) and (evaluator.direction not in ("left", "right") or evaluator.full_grid):
            raise no("lines from both sides or with full grids")
        if isinstance(evaluator, Ways) and evaluator.direction == "both":
            raise no("ways from both sides")
        if isinstance(evaluator, Scatter) and evaluator.at == "end":
            raise no("wins at the end of a feature")
        if not isinstance(evaluator, Lines | Ways | Count | Scatter):
            raise no(f"an evaluator of kind {evaluator.kind}")
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger) and (trigger.carry or trigger.reset):
            raise no("triggers that carry cells or reset the spins left")
        if model.multiplies_win(trigger):
            raise no("bonuses that multiply the win of the spin")
        if isinstance(trigger, PickTrigger) and any(bonus_awards(model, trigger.pick)):
            raise no("bonuses by lines that award spins")
        if isinstance(trigger, ConditionalTrigger) and (trigger.when != "always" or trigger.once or trigger.in_view):
            raise no("triggers that look at wins or at further symbols, or fire once")
        if isinstance(trigger, JackpotTrigger) and trigger.at == "end":
            raise no("jackpots at the end of a feature")
        if not isinstance(trigger, FreeSpinsTrigger | PickTrigger | BonusTrigger | JackpotTrigger):
            raise no(f"a trigger of kind {trigger.kind}")


def spin_figures(build: Build, state: State) -> SpinFigures:
    """Means of one spin of a state; of a drawn strip set the mixture. Raises NoClosedForm with the reason."""
    refuse(build.model, state)
    names = state.strip_sets
    chances = state.strip_choice.weights if state.strip_choice else (1,)
    spins = [_set_figures(build, state, build.strips(state, name)) for name in names]
    if len(spins) == 1:
        return spins[0]
    total = sum(chances)
    odds = [Fraction(chance, total) for chance in chances]
    cycle = total * lcm(*(spin.cycle for spin in spins))
    parts: dict[str, Fraction] = defaultdict(Fraction)
    hits: dict[str, Fraction] = defaultdict(Fraction)
    awards: dict[Awards, Fraction] = defaultdict(Fraction)
    rows: dict[tuple[str, str, int], Prize] = {}
    for p, spin in zip(odds, spins, strict=True):
        for name, units in spin.parts.items():
            parts[name] += p * units
        for name, n in spin.trigger_hits.items():
            hits[name] += p * n
        for key, q in spin.awards.items():
            awards[key] += p * q
        for prize in spin.prizes:
            at = prize.evaluator, prize.symbol, prize.count
            more = prize.hits * p * cycle / spin.cycle
            before = rows.get(at, replace(prize, hits=Fraction(0)))
            mean = (before.hits * before.mean_units + more * prize.mean_units) / (before.hits + more)
            rows[at] = replace(prize, hits=before.hits + more, mean_units=mean)
    line_hits = sum((p * spin.line_hit_frequency for p, spin in zip(odds, spins, strict=True)), Fraction(0))
    return SpinFigures(state.name, cycle, dict(parts), tuple(rows.values()), line_hits, dict(awards), dict(hits))


def mean_multiplier(state: State, part: str, symbol: str, count: int) -> Fraction:
    """Mean multiplier of a win: that of the state, and what is drawn for the spin; 1 when it is exempt."""
    factor = 1 if state.exempt(part, symbol, count) else multiplier_mean(state)
    return factor * Fraction(state.multiplier_for(part, symbol, count))


def _set_figures(build: Build, state: State, strips: tuple[Strip, ...]) -> SpinFigures:
    model = build.model
    """Means of one spin from one strip set."""
    tables = [heights(model, state, reel) for reel in range(model.reels)]
    drawn = prod(table.total if len(table.values) > 1 else 1 for table in tables)
    powers = [max(table.values) if state.cells else 1 for table in tables]
    cycle = drawn * prod(strip.total**power for strip, power in zip(strips, powers, strict=True))
    parts: dict[str, Fraction] = {}
    prizes: list[Prize] = []
    line_hits = Fraction(0)
    drawn_mean = multiplier_mean(state)
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Scatter):
            unit = model.basis_units(evaluator.of)
            law = count_law(model, strips, (evaluator.symbol,), state)
            pays = {n: evaluator.pay(n) * unit * mean_multiplier(state, name, evaluator.symbol, n) for (n,) in law}
            parts[name] = sum((p * pays[n] for (n,), p in law.items()), Fraction(0))
            continue
        if isinstance(evaluator, Ways):
            rows = ways_prizes(model, state, evaluator, strips, cycle)
        elif isinstance(evaluator, Count):
            rows = count_prizes(model, state, evaluator, strips, cycle)
        else:
            assert isinstance(evaluator, Lines)
            rows = line_prizes(model, state, evaluator, strips, cycle)
            line_hits = sum((prize.hits for prize in rows), Fraction(0)) / cycle
        rows = [
            row if state.exempt(name, row.symbol, row.count) else replace(row, mean_units=row.mean_units * drawn_mean)
            for row in rows
        ]
        parts[name] = sum((row.hits * row.mean_units * row.times for row in rows), Fraction(0)) / cycle
        prizes += rows
    states = tuple(model.states)
    trigger_hits: dict[str, Fraction] = {}
    for trigger in state.triggers:
        if isinstance(trigger, PickTrigger):
            trigger_hits[trigger.name] = pattern_matches(model, state, trigger, strips) * _odds(trigger)
        elif isinstance(trigger, JackpotTrigger):
            trigger_hits[trigger.name] = Fraction(trigger.chance_of(build.play.cost_units), trigger.out_of)
            if trigger.symbol is not None:
                law = count_law(model, strips, (trigger.counted,), state)
                trigger_hits[trigger.name] *= sum((p for (n,), p in law.items() if n >= trigger.count), Fraction(0))
        elif isinstance(trigger, FreeSpinsTrigger):
            law = count_law(model, strips, (trigger.counted,), state)
            trigger_hits[trigger.name] = sum((p for (n,), p in law.items() if trigger.award(n)), Fraction(0))
            trigger_hits[trigger.name] *= _odds(trigger)
        elif isinstance(trigger, BonusTrigger):
            law = count_law(model, strips, (trigger.counted,), state)
            trigger_hits[trigger.name] = sum((p * trigger.times(n) for (n,), p in law.items()), Fraction(0))
            trigger_hits[trigger.name] *= _odds(trigger)
        if isinstance(trigger, PickTrigger | BonusTrigger):
            bonus = trigger.pick if isinstance(trigger, PickTrigger) else trigger.bonus
            mean = sum((a.win for a in bonus_moments(model, bonus, states).values()), Fraction(0))
            parts[trigger.name] = trigger_hits[trigger.name] * mean * state.multiplier_for(trigger.name)
    awards = _award_law(model, state, strips, states)
    return SpinFigures(state.name, cycle, parts, tuple(prizes), line_hits, awards, trigger_hits)


def _award_law(
    model: Model, state: State, strips: tuple[Strip, ...], states: tuple[str, ...]
) -> dict[Awards, Fraction]:
    """Law of the spins that one spin awards by state, all its triggers and their wheels together."""
    triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger)]
    wheels = [t for t in state.triggers if isinstance(t, BonusTrigger) and any(bonus_awards(model, t.bonus))]
    counting = tuple(dict.fromkeys([*(t.counted for t in triggers), *(t.counted for t in wheels)]))
    law: dict[Awards, Fraction] = defaultdict(Fraction)
    nothing = (0,) * len(states)
    for counts, probability in count_law(model, strips, counting, state).items():
        seen = dict(zip(counting, counts, strict=True))
        here: dict[Awards, Fraction] = {nothing: probability}
        for trigger in triggers:
            place = states.index(trigger.state)
            award = tuple(trigger.award(seen[trigger.counted]) * (i == place) for i in range(len(states)))
            here = _either(here, _plus(here, {award: Fraction(1)}), trigger)
        for wheel in wheels:
            one = {key: event.probability for key, event in bonus_moments(model, wheel.bonus, states).items()}
            played = here
            for _ in range(wheel.times(seen[wheel.counted])):
                played = _plus(played, one)
            here = _either(here, played, wheel)
        for key, p in here.items():
            law[key] += p
    return dict(law)


def _odds(trigger: FreeSpinsTrigger | PickTrigger | BonusTrigger) -> Fraction:
    """Odds that a trigger fires where it finds what it looks at."""
    return trigger.odds.probability if trigger.odds else Fraction(1)


def _plus(law: Mapping[Awards, Fraction], more: Mapping[Awards, Fraction]) -> dict[Awards, Fraction]:
    """Law of the sum of two independent awards."""
    result: dict[Awards, Fraction] = defaultdict(Fraction)
    for key, p in law.items():
        for other, q in more.items():
            result[tuple(a + b for a, b in zip(key, other, strict=True))] += p * q
    return result


def _either(
    without: Mapping[Awards, Fraction], fired: Mapping[Awards, Fraction], trigger: FreeSpinsTrigger | BonusTrigger
) -> dict[Awards, Fraction]:
    """The law where a trigger fires with its odds."""
    odds = _odds(trigger)
    if odds == 1:
        return dict(fired)
    result: dict[Awards, Fraction] = defaultdict(Fraction)
    for law, p in ((without, 1 - odds), (fired, odds)):
        for key, q in law.items():
            result[key] += p * q
    return result
