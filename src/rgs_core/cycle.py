"""Figures of a round over its full cycle, from the joint laws of the spins that it can be made of.

A round is a branching process over states (rgs_core.feature). Where a feature draws a special symbol that all
its spins share, it is one such process for each symbol, and the round is their mixture: `Scenario`s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from rgs_core._engine import Engine
from rgs_core.awarding import NOTHING
from rgs_core.errors import AnalysisError
from rgs_core.feature import RoundMoments, round_moments
from rgs_core.joint import Joint, bonus_name, bonus_triggers, joint_law, model_states
from rgs_core.mechanics import CollectedTrigger, FreeSpinsTrigger, Wheel, WinTrigger
from rgs_core.model import Build, Model, State
from rgs_core.stats import Z_90, root

SCENARIOS_MAX = 256
"""Most combinations of special symbols of a round."""

FURTHER = "free spins"
"""The part of the RTP that all further spins win."""


@dataclass(frozen=True)
class SpinLaws:
    """Laws of single spins of the states that a mode can reach, or why there is none.

    `laws[state]` is None, with the reason in `skipped`, or where `special_laws[state]` holds a law for each
    special symbol.
    """

    laws: Mapping[str, Joint | None]
    special_laws: Mapping[str, Mapping[str, Joint]]
    skipped: Mapping[str, str]


@dataclass(frozen=True)
class Scenario:
    """With this probability the spins of a round have these laws."""

    probability: Fraction
    laws: Mapping[str, Joint]


@dataclass(frozen=True)
class FullCycle:
    """Figures of a round over its full cycle; RTP and variances are of win / cost of the mode.

    `paid` is the law of the mode's first state and `free` that of the only other one, if there is one and it
    has a law of its own; `laws` and `special_laws` hold those of all. `paid_spin` figures are of the mode's own
    spins without what they start. Means and variances are those without the maximum win: where `capped`,
    the law of wins (rgs_core.distribution) knows the round as it is paid. `most_units` is the largest win
    without it. `spins`: mean further spins by state.
    """

    build: Build
    paid: Joint
    free: Joint | None
    rtp: Fraction
    rtp_parts: Mapping[str, Fraction]
    hit_frequency: Fraction
    paid_spin_hit_frequency: Fraction
    paid_spin_variance: Fraction
    variance: Fraction
    max_win_units: int
    max_win_reached: bool
    feature_probability: Fraction
    neglected: float
    laws: Mapping[str, Joint] = field(default_factory=dict)
    special_laws: Mapping[str, Mapping[str, Joint]] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    spins: Mapping[str, Fraction] = field(default_factory=dict)
    most_units: int = 0
    capped: bool = False

    @property
    def combinations(self) -> int:
        """Length of the paid spin's cycle, in stop weights."""
        return self.paid.cycle

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what spins award."""
        return self.paid.states

    @property
    def free_spins_per_round(self) -> Fraction:
        """Mean further spins of a round."""
        return sum(self.spins.values(), Fraction(0))

    @property
    def free_spins_per_feature(self) -> Fraction:
        """Mean further spins of a round that has any; 0 when there are none."""
        return self.free_spins_per_round / self.feature_probability if self.feature_probability else Fraction(0)

    @property
    def sd(self) -> float:
        """Standard deviation of a round's win / cost."""
        return root(self.variance)

    @property
    def paid_spin_sd(self) -> float:
        return root(self.paid_spin_variance)

    def volatility_index(self, z: float = Z_90) -> float:
        """z times the standard deviation of a round."""
        return z * self.sd


def full_cycle(build: Build, *, merge: bool = True) -> FullCycle:
    """Figures of the joint laws, by merging situations or (merge=False) by visiting every combination.

    Raises AnalysisError with the reason for states that remember, laws too large to hold, or retriggers
    without end.
    """
    return round_figures(build, spin_laws(Engine(build), merge=merge))


def spin_laws(engine: Engine, *, merge: bool = True) -> SpinLaws:
    """Laws of the spins of every state that the mode can reach."""
    build = engine.build
    names = model_states(engine)
    laws: dict[str, Joint | None] = {}
    special_laws: dict[str, dict[str, Joint]] = {}
    skipped: dict[str, str] = {}
    for name in reached(build):
        state, index = build.model.states[name], names.index(name)
        laws[name] = None
        try:
            if state.special is None:
                laws[name] = joint_law(engine, index, merge=merge)
            else:
                special_laws[name] = {
                    symbol: joint_law(engine, index, merge=merge, special=symbol)
                    for symbol in state.special.table.symbols
                }
        except AnalysisError as error:
            skipped[name] = str(error)
    return SpinLaws(laws, special_laws, skipped)


def awards_of(model: Model, state: State) -> Iterator[str]:
    """Every state that a spin of a state may award spins of, as often as something awards it."""
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger | WinTrigger | CollectedTrigger):
            yield trigger.state
    for bonus in bonus_triggers(state):
        yield from _wheel_awards(model, bonus_name(bonus))


def _wheel_awards(model: Model, name: str) -> Iterator[str]:
    bonus = model.bonuses[name]
    if isinstance(bonus, Wheel):
        for segment in bonus.segments:
            if segment.state is not None:
                yield segment.state
            if segment.bonus is not None:
                yield from _wheel_awards(model, segment.bonus)


def reached(build: Build) -> list[str]:
    """States that the mode can reach, the one it begins with first."""
    found = [build.play.start]
    for name in found:
        found += dict.fromkeys(s for s in awards_of(build.model, build.model.states[name]) if s not in found)
    return found


def round_refused(build: Build) -> str:
    """Why spins with laws of their own do not make a round that is a mixture of branching processes; "" if they do."""
    model, play = build.model, build.play
    states = reached(build)
    awarded = {name: set(awards_of(model, model.states[name])) for name in states}
    returns = any(play.start in targets for targets in awarded.values())
    for name in states:
        state = model.states[name]
        for trigger in state.triggers:
            if not isinstance(trigger, FreeSpinsTrigger):
                continue
            if trigger.carry:
                return f"trigger '{trigger.name}' of state '{name}' carries cells into the feature"
            alone = list(awards_of(model, state)).count(trigger.state) == 1
            others = any(trigger.state in awarded[other] for other in states if other != name)
            if trigger.reset and not (name == play.start and play.spins == 1 and not returns and alone and not others):
                return f"trigger '{trigger.name}' of state '{name}' resets the spins left"
        by_others = any(name in awarded[other] for other in states if other not in (name, play.start))
        if state.special is not None and (by_others or returns):
            return f"several features of state '{name}' may draw a special symbol each in one round"
    return ""


def scenarios(build: Build, spins: SpinLaws) -> tuple[Scenario, ...]:
    """Every combination of special symbols with its probability; one without special states.

    Raises AnalysisError with the reason when a state has no law, or the round is no such mixture.
    """
    for reason in spins.skipped.values():
        raise AnalysisError(reason)
    reason = round_refused(build)
    if reason:
        raise AnalysisError(f"{reason}, for which there is no exact law of a round")
    plain = {name: law for name, law in spins.laws.items() if law is not None}
    choices = []
    for name, laws in spins.special_laws.items():
        special = build.model.states[name].special
        assert special is not None
        table = special.table
        choices.append([
            (name, Fraction(weight, table.total), laws[symbol])
            for symbol, weight in zip(table.symbols, table.weights, strict=True)
        ])  # fmt: skip
    result = []
    for chosen in product(*choices):
        odds = Fraction(1)
        for _, p, _ in chosen:
            odds *= p
        result.append(Scenario(odds, plain | {name: law for name, _, law in chosen}))
        if len(result) > SCENARIOS_MAX:
            raise AnalysisError(f"a round has more than {SCENARIOS_MAX} combinations of special symbols")
    return tuple(result)


def round_figures(build: Build, spins: SpinLaws) -> FullCycle:
    """Figures of a round from the laws of its spins. Raises AnalysisError when they make none."""
    model, play = build.model, build.play
    cases = scenarios(build, spins)
    paid = cases[0].laws[play.start]
    cost = play.cost_units
    mean = second = nothing = further = Fraction(0)
    played: dict[str, Fraction] = {}
    most, reached_most, neglected = -1, True, 0.0
    for case in cases:
        laws = {name: law.by_award() for name, law in case.laws.items()}
        moments: RoundMoments = round_moments(laws, paid.states, play.start, play.spins, model.free_spins_max)
        p = case.probability
        mean += p * moments.mean
        second += p * moments.second
        nothing += p * moments.nothing
        for name, n in moments.spins.items():
            played[name] = played.get(name, Fraction(0)) + p * n
            further += p * n * sum(case.laws[name].mean_parts().values(), Fraction(0))
        most, reached_most = max((most, reached_most), (moments.most, moments.most_reached))
        neglected = max(neglected, moments.neglected)
    parts = {name: units * play.spins / cost for name, units in paid.mean_parts().items()}
    others = [name for name in spins.laws if name != play.start]
    if others or played:
        parts[FURTHER] = further / cost
    law = paid.by_award()
    first = sum((a.win for a in law.values()), Fraction(0))
    first_second = sum((a.win_squared for a in law.values()), Fraction(0))
    none = law.get((0,) * len(paid.states), NOTHING.given(Fraction(0))).probability
    cap = model.win_units_cap
    return FullCycle(
        build=build,
        paid=paid,
        free=spins.laws[others[0]] if len(others) == 1 else None,
        rtp=mean / cost,
        rtp_parts=parts,
        hit_frequency=1 - nothing,
        paid_spin_hit_frequency=1 - sum((a.nothing for a in law.values()), Fraction(0)) ** play.spins,
        paid_spin_variance=play.spins * (first_second - first**2) / cost**2,
        variance=(second - mean**2) / cost**2,
        max_win_units=most if cap is None else min(most, cap),
        max_win_reached=reached_most,
        feature_probability=1 - none**play.spins,
        neglected=neglected,
        laws={name: joint for name, joint in spins.laws.items() if joint is not None},
        special_laws=spins.special_laws,
        scenarios=cases,
        spins=played,
        most_units=most,
        capped=cap is not None and most > cap,
    )
