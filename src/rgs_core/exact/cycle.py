"""Figures of a round over its full cycle, from the joint laws of the spins that it can be made of.

A round is a branching process over states (rgs_core.exact.feature). Where a feature draws a special symbol that all
its spins share, it is one such process for each symbol, and the round is their mixture: `Scenario`s. A feature whose
spins remember has a law as a whole by what it begins with (rgs_core.exact.memory.whole_feature), and takes part as one spin of a
state of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product

from rgs_core._engine import Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact.award_columns import multiplied_features
from rgs_core.exact.awarding import NOTHING
from rgs_core.exact.feature import FREE_SPINS_MAX, RoundMoments, round_moments
from rgs_core.exact.joint import COMBINATIONS_ALONE_MAX, COMBINATIONS_MAX, Joint, joint_law, model_states
from rgs_core.exact.memory.beginnings import NamedSpin
from rgs_core.exact.memory.feature_starts import feature_refused, feature_round, remembering_states
from rgs_core.exact.memory.specials import special_sets
from rgs_core.exact.memory.whole_feature import FeatureRound, TakenSpins, WholeFeature
from rgs_core.exact.multiplied_features import MultipliedFeature
from rgs_core.exact.reached import awards_at, awards_of, begun, plays_once, reached
from rgs_core.exact.spin_paths import spin_paths
from rgs_core.exact.stats import Z_90, root
from rgs_core.language.mechanics import SIMULATED_ONLY, FreeSpinsTrigger, FullReelsTrigger, frozen
from rgs_core.language.model import Build, Model

SCENARIOS_MAX = 256
"""Most combinations of special symbols of a round."""

OWN = "feature"
"""The part of the RTP that the feature wins with which a mode begins, where it is known as a whole."""

FURTHER = "free spins"
"""The part of the RTP that all further spins win."""


@dataclass(frozen=True)
class SpinLaws:
    """Laws of single spins of the states that a mode can reach, or why there is none.

    `laws[state]` is None, with the reason in `skipped`, or where `special_laws[state]` holds a law for each
    set of special symbols, or where `features` knows those of the state as a whole.
    """

    laws: Mapping[str, Joint | None]
    special_laws: Mapping[str, Mapping[str, Joint]]
    skipped: Mapping[str, str]
    features: FeatureRound | None = None

    @property
    def whole(self) -> tuple[str, ...]:
        """States whose features have laws as a whole."""
        return () if self.features is None else tuple(self.features.methods)


@dataclass(frozen=True)
class Scenario:
    """With this probability the spins of a round have these laws."""

    probability: Fraction
    laws: Mapping[str, Joint | NamedSpin | TakenSpins | WholeFeature]


@dataclass(frozen=True)
class FullCycle:
    """Figures of a round over its full cycle; RTP and variances are of win / cost of the mode.

    `paid` is the law of the mode's first state and `free` that of the only other one, if there is one and it
    has a law of its own; `laws` and `special_laws` hold those of all. `paid_spin` figures are of the mode's own
    spins without what they start; all three are None where the mode begins with a feature that is known as a whole,
    which then is its only spin: `start_spins`. Means and variances are those without the maximum win: where `capped`,
    the law of wins (rgs_core.exact.distribution) knows the round as it is paid. `most_units` is the largest win
    without it. `spins`: mean further spins by state. `features`: those that are known as a whole, `scenarios` then
    hold their laws by name, and `features_played` how many of each a round has on average; `spins_max`: most further spins of a round, each such feature as one.
    """

    build: Build
    paid: Joint | None
    free: Joint | None
    rtp: Fraction
    rtp_parts: Mapping[str, Fraction]
    hit_frequency: Fraction
    paid_spin_hit_frequency: Fraction | None
    paid_spin_variance: Fraction | None
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
    features: FeatureRound | None = None
    features_played: Mapping[str, Fraction] = field(default_factory=dict)
    spins_max: int = 0
    start_spins: int = 1

    @property
    def combinations(self) -> int:
        """Length of the paid spin's cycle, in stop weights; 0 where it has none of its own."""
        return 0 if self.paid is None else self.paid.cycle

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what spins award."""
        return self.scenarios[0].laws[self.build.play.start].states

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
    def paid_spin_sd(self) -> float | None:
        return None if self.paid_spin_variance is None else root(self.paid_spin_variance)

    def volatility_index(self, z: float = Z_90) -> float:
        """z times the standard deviation of a round."""
        return z * self.sd


def full_cycle(build: Build, *, merge: bool = True) -> FullCycle:
    """Figures of the joint laws, by merging situations or (merge=False) by visiting every combination.

    Raises AnalysisError with the reason for states that remember, laws too large to hold, or retriggers
    without end.
    """
    return round_figures(build, spin_laws(build, counting_engine(build), merge=merge))


def counting_engine(build: Build) -> Engine:
    """The engine that counts the spins of a build; callbacks are left out, and so are laws of their states."""
    model = build.model
    if not model.callbacks:
        return Engine(build)
    states = {name: replace(state, callback=None) for name, state in model.states.items()}
    return Engine(replace(build, model=replace(model, states=frozen(states))))


def spin_laws(
    build: Build,
    engine: Engine,
    *,
    merge: bool = True,
    joint: Callable[..., Joint] = joint_law,
    features_of: Callable[..., FeatureRound] = feature_round,
    alone: int = COMBINATIONS_ALONE_MAX,
) -> SpinLaws:
    """Laws of the spins of every state that the mode can reach; `engine`: its `counting_engine`.

    `joint` and `features_of` compute them; who asks for many builds gives functions that remember. States that can
    have no law are found first: what is left of the others is the law of a single spin, for which `alone` combinations
    are counted at most.
    """
    names = model_states(engine)
    special_laws: dict[str, dict[str, Joint]] = {}
    skipped: dict[str, str] = {}
    left: dict[str, str] = {}  # skipped because others are, so never the reason for what has no figures
    states = reached(build)
    first = begun(build)
    features, remembering = None, remembering_states(build)
    if remembering:
        try:
            if build.model.callbacks:
                raise AnalysisError(f"a callback may begin features of state {' and '.join(remembering)}")
            features = features_of(build, merge=merge)
        except AnalysisError as error:
            skipped |= {name: feature_refused(build, name) or str(error) for name in remembering}
    laws: dict[str, Joint | None] = dict.fromkeys(states)
    for name in sorted(states, key=lambda name: -spin_paths(build, build.model.states[name])):
        state, index = build.model.states[name], names.index(name)
        most = alone if skipped and merge else COMBINATIONS_MAX
        if state.callback is not None:
            skipped[name] = f"state '{name}' {SIMULATED_ONLY}"
            continue
        if name in remembering:
            continue
        if name not in first:
            if features is None:
                skipped[name] = f"features of another state go on as state '{name}', and are not known"
            continue
        if features is not None and name in features.spins:
            laws[name] = features.spins[name]
            continue
        try:
            if state.special is None:
                laws[name] = joint(engine, index, merge=merge, single=plays_once(build, name), most=most)
            else:
                special_laws[name] = {
                    ", ".join(symbols): joint(engine, index, merge=merge, specials=symbols, most=most)
                    for symbols in special_sets(state.special)
                }
        except AnalysisError as error:
            (left if most < COMBINATIONS_MAX else skipped)[name] = str(error)
    start = build.play.start
    for name in remembering:
        if name != start and name in skipped and skipped[name] == skipped.get(start):
            skipped[name] = f"its features begin with spins of state '{start}', which have no law"
    skipped = {name: skipped[name] for name in states if name in skipped} | left
    return SpinLaws(laws, special_laws, skipped, features)


def round_refused(build: Build, whole: Collection[str] = ()) -> str:
    """Why spins with laws of their own do not make a round that is a mixture of branching processes; "" if they do.

    `whole`: states whose features have a law as a whole, by the way in which they begin.
    """
    model, play = build.model, build.play
    states = reached(build)
    awarded = {name: set(awards_of(model, model.states[name])) for name in states}
    returns = any(play.start in targets for targets in awarded.values())
    for name in states:
        state = model.states[name]
        for trigger in state.triggers:
            if isinstance(trigger, FullReelsTrigger) and trigger.state != name:
                return f"trigger '{trigger.name}' of state '{name}' holds full reels in the feature"
            if not isinstance(trigger, FreeSpinsTrigger) or trigger.state in whole:
                continue
            if trigger.carry:
                return f"trigger '{trigger.name}' of state '{name}' carries cells into the feature"
            alone = list(awards_of(model, state)).count(trigger.state) == 1
            others = any(trigger.state in awarded[other] for other in states if other != name)
            if trigger.reset and not (name == play.start and play.spins == 1 and not returns and alone and not others):
                return f"trigger '{trigger.name}' of state '{name}' resets the spins left"
        by_others = any(name in awarded[other] for other in states if other not in (name, play.start))
        sources = list(awards_of(model, model.states[play.start])).count(name)
        several = (sources > 1 or play.spins > 1 or name in awarded[name]) and name in dict(multiplied_features(model))
        several |= play.spins > 1 and (name, True) in awards_at(model, model.states[play.start])
        if state.special is not None and name not in whole and (by_others or returns or several):
            return f"several features of state '{name}' may draw a special symbol each in one round"
        back = [other for other in _interrupting(model, states, name) if name in awarded[other]]
        if back and name in dict(multiplied_features(model)):
            return (
                f"state '{back[0]}' may interrupt features of state '{name}' with a multiplier, and makes them longer"
            )
    return ""


def _interrupting(model: Model, states: Collection[str], name: str) -> list[str]:
    """States whose spins may be played while a feature of this one is interrupted."""
    found = [other for other, at_once in awards_at(model, model.states[name]) if at_once and other != name]
    for other in found:
        found += dict.fromkeys(more for more in awards_of(model, model.states[other]) if more not in (*found, name))
    return [other for other in dict.fromkeys(found) if other in states]


def scenarios(build: Build, spins: SpinLaws) -> tuple[Scenario, ...]:
    """Every combination of special symbols with its probability; one without special states.

    Raises AnalysisError with the reason when a state has no law, or the round is no such mixture.
    """
    for reason in spins.skipped.values():
        raise AnalysisError(reason)
    reason = round_refused(build, spins.whole)
    if reason:
        raise AnalysisError(f"{reason}, for which there is no exact law of a round")
    multiplied = multiplied_features(build.model)
    plain: dict[str, Joint | NamedSpin | TakenSpins | WholeFeature] = {
        name: law for name, law in spins.laws.items() if law is not None
    }
    features = spins.features
    if features is not None:
        ordinary = [name for name in spins.laws if name not in features.methods]
        plain = {name: features.widened(law) for name in ordinary if (law := spins.laws[name]) is not None}
        plain |= {build.play.start: features.starting, **features.laws, **features.counted}
    choices = []
    for name, laws in spins.special_laws.items():
        special = build.model.states[name].special
        assert special is not None
        choices.append([
            (name, p, law if features is None else features.widened(law))
            for p, law in zip(special_sets(special).values(), laws.values(), strict=True)
        ])  # fmt: skip
    result = []
    for chosen in product(*choices):
        odds = Fraction(1)
        for _, p, _ in chosen:
            odds *= p
        case = plain | {name: law for name, _, law in chosen}
        with_multipliers = [
            MultipliedFeature(state, value, of)
            for state, value in multiplied
            if isinstance(of := case.get(state), Joint | NamedSpin)
        ]
        result.append(Scenario(odds, case | {feature.name: feature for feature in with_multipliers}))
        if len(result) > SCENARIOS_MAX:
            raise AnalysisError(f"a round has more than {SCENARIOS_MAX} combinations of special symbols")
    return tuple(result)


def round_figures(build: Build, spins: SpinLaws) -> FullCycle:
    """Figures of a round from the laws of its spins. Raises AnalysisError when they make none."""
    model, play = build.model, build.play
    cases = scenarios(build, spins)
    cost = play.cost_units
    spins_max = model.free_spins_max
    features = spins.features
    whole = features is not None and play.start in features.methods  # the mode begins with a feature as one spin
    start_spins = 1 if whole else play.spins
    paid = None if whole else spins.laws[play.start]
    if features is not None and not features.counted:
        # a feature counts as one spin, and its spins must be within the cap
        granted = sum(features.granted.values())
        if granted > spins_max:
            # A feature that reaches the cap alone is awarded more with a higher one.
            cut = [name for name, spins in features.granted.items() if spins >= spins_max]
            remedy = f"set caps.free_spins to {granted} or more"
            if cut:
                remedy = f"set caps.free_spins so high that no feature of state {' and '.join(cut)} reaches it alone"
            raise AnalysisError(
                f"features of state {' and '.join(features.granted)} can be awarded {granted} spins, more than the cap of "
                f"{spins_max}, for which there is no exact walk; "
                f"{remedy if granted <= FREE_SPINS_MAX else 'award fewer spins'}"
            )
        spins_max -= features.granted_further
    mean = second = nothing = further = Fraction(0)
    played: dict[str, Fraction] = {}
    begun: dict[str, Fraction] = {}
    most, reached_most, neglected = -1, True, 0.0

    def play_feature(name: str, law: WholeFeature, times: Fraction) -> None:
        """Counts features, and those that interrupt them."""
        begun[name] = begun.get(name, Fraction(0)) + times
        played[law.state_name] = played.get(law.state_name, Fraction(0)) + times * law.spins
        if features is not None:
            for other, n in features.inside.get(name, {}).items():
                play_feature(other, features.laws[other], times * n)

    for case in cases:
        laws = {name: law.by_award() for name, law in case.laws.items()}
        states = case.laws[play.start].states
        apart = model.free_spins_max - spins_max
        moments: RoundMoments = round_moments(laws, states, play.start, start_spins, spins_max, apart)
        p = case.probability
        mean += p * moments.mean
        second += p * moments.second
        nothing += p * moments.nothing
        for name, n in moments.spins.items():
            of = case.laws[name]
            if isinstance(of, TakenSpins):
                continue
            further += p * n * sum((a.win for a in laws[name].values()), Fraction(0))
            if isinstance(of, Joint | NamedSpin):
                played[name] = played.get(name, Fraction(0)) + p * n
            else:
                play_feature(name, of, p * n)
        single = Joint | NamedSpin | TakenSpins
        certain = all(law.most_reached for law in case.laws.values() if not isinstance(law, single))
        most, reached_most = max((most, reached_most), (moments.most, moments.most_reached and certain))
        neglected = max(neglected, moments.neglected)
    others = [name for name in spins.laws if name != play.start]
    hits = spread = None
    if paid is not None:
        parts = {name: units * play.spins / cost for name, units in paid.mean_parts().items()}
        law = paid.by_award()
        first = sum((a.win for a in law.values()), Fraction(0))
        first_second = sum((a.win_squared for a in law.values()), Fraction(0))
        alone = law.get((0,) * len(paid.states), NOTHING.given(Fraction(0))).probability ** play.spins
        hits = 1 - sum((a.nothing for a in law.values()), Fraction(0)) ** play.spins
        spread = play.spins * (first_second - first**2) / cost**2
    else:
        assert features is not None  # a state with a special symbol begins no mode
        assert features.own_spins is not None
        alone, own_spins = features.own_spins
        ((own_name, own),) = ((name, law) for name, law in features.laws.items() if law.state_name == play.start)
        for name, times in features.inside.get(own_name, {}).items():
            play_feature(name, features.laws[name], times)
            further += times * sum((a.win for a in features.laws[name].by_award().values()), Fraction(0))
        parts = {OWN: (mean - further) / cost}
        if own.spins > own_spins:
            played[play.start] = own.spins - own_spins
    if others or (played and paid is not None):
        parts[FURTHER] = further / cost
    cap = model.win_units_cap
    return FullCycle(
        build=build,
        paid=paid,
        free=spins.laws[others[0]] if len(others) == 1 else None,
        rtp=mean / cost,
        rtp_parts=parts,
        hit_frequency=1 - nothing,
        paid_spin_hit_frequency=hits,
        paid_spin_variance=spread,
        variance=(second - mean**2) / cost**2,
        max_win_units=most if cap is None else min(most, cap),
        max_win_reached=reached_most,
        feature_probability=1 - alone,
        neglected=neglected + (0.0 if features is None else features.neglected),
        laws={name: joint for name, joint in spins.laws.items() if joint is not None},
        special_laws=spins.special_laws,
        scenarios=cases,
        spins=played,
        most_units=most,
        capped=cap is not None and most > cap,
        features=features,
        features_played=begun,
        spins_max=spins_max,
        start_spins=start_spins,
    )
