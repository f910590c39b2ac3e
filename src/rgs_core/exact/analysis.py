"""Exact figures of a build, two independent ways that must agree, and how each figure was computed.

The closed form multiplies symbol frequencies and knows the mean of everything. The joint laws count whole
cycles with the compiled rules and so know what wins and awards do together: hit frequency, variance, maximum
win, and from them the law of whole rounds. All results are integers and Fractions, but for those of rounds
that the maximum win cuts short: they come from the law of wins, in double precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

from rgs_core._engine import Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact.closed_form import ClosedForm, NoClosedForm, SpinFigures, closed_form, spin_figures
from rgs_core.exact.cycle import FURTHER as FURTHER
from rgs_core.exact.cycle import FullCycle as FullCycle
from rgs_core.exact.cycle import SpinLaws, counting_engine, round_figures, spin_laws
from rgs_core.exact.cycle import full_cycle as full_cycle
from rgs_core.exact.distribution import WinLaw, win_law
from rgs_core.exact.gamble_law import gambled
from rgs_core.exact.joint import COMBINATIONS_ALONE_MAX, COMBINATIONS_MAX, Joint
from rgs_core.exact.stats import Z_90, root
from rgs_core.language.bounds import silent_triggers
from rgs_core.language.model import Build

VISITED_MAX = 5_000_000_000
"""Longest cycle that `analyse` visits combination by combination: seconds, with many lines a minute."""

MAXIMUM = "maximum win"
"""The part of the RTP that the maximum win takes away, below 0."""

GAMBLE = "gamble"
"""The part of the RTP that the player's bets on wins add or take away."""


@dataclass(frozen=True)
class Analysis:
    """All exact figures of a build, and why some are missing.

    `laws`, `skipped` as in `SpinLaws`; `special_states` are its `special_laws`, and `special_laws` those of the first
    state that has some, by symbol. `closed` and `cycle` are None, with `closed_skipped`
    and `cycle_skipped` saying why, where a way has no figures; `figures` are closed forms of the states that have one.
    `rtp`, parts and variances are of win / cost of
    the mode. A figure is a Fraction where it is exact, a float where it comes from `law` because the maximum
    win or a gamble matters, None where it is unknown; `methods` says how each was computed. Frequencies of features and
    numbers of spins are those without the maximum win.
    """

    build: Build
    laws: Mapping[str, Joint | None]
    special_laws: Mapping[str, Joint]
    special_states: Mapping[str, Mapping[str, Joint]]
    skipped: Mapping[str, str]
    closed: ClosedForm | None
    closed_skipped: str
    figures: Mapping[str, SpinFigures]
    cycle: FullCycle | None
    cycle_skipped: str
    visited: bool
    law: WinLaw | None
    rtp: Fraction | float | None
    rtp_parts: Mapping[str, Fraction | float]
    hit_frequency: Fraction | float | None
    paid_spin_hit_frequency: Fraction | None
    sd: float | None
    paid_spin_sd: float | None
    feature_probability: Fraction | None
    free_spins_per_feature: Fraction | None
    methods: Mapping[str, str] = field(default_factory=dict)

    @property
    def paid(self) -> Joint | None:
        """Law of the spins that the mode begins with."""
        return self.laws[self.build.play.start]

    @property
    def feature_win(self) -> Fraction | None:
        """Mean win of the further spins of a round that has any, in costs, without the maximum win; 0 without any."""
        parts = self.cycle.rtp_parts if self.cycle else self.closed.rtp_parts if self.closed else None
        if parts is None or self.feature_probability is None or (self.cycle and self.cycle.paid is None):
            return None
        return parts.get(FURTHER, Fraction(0)) / (self.feature_probability or 1)

    def volatility_index(self, z: float = Z_90) -> float | None:
        """z times the standard deviation of a round; None when it is unknown."""
        return None if self.sd is None else z * self.sd


def analyse(build: Build, *, visit: bool = False) -> Analysis:
    """All exact figures of a build. Raises AnalysisError if two ways differ; what has no value is None.

    With `visit` every combination of stops is visited as well, up to VISITED_MAX of them: a third way; and states whose
    laws give no RTP, as another state has none, are counted all the same.
    """
    closed, closed_skipped = None, ""
    try:
        closed = closed_form(build)
    except AnalysisError as error:
        closed_skipped = str(error)
        if not isinstance(error, NoClosedForm) and len(build.model.states) <= 2:
            raise  # the means themselves have no value
    engine = counting_engine(build)
    spins = spin_laws(build, engine, alone=COMBINATIONS_MAX if visit else COMBINATIONS_ALONE_MAX)
    cycle, cycle_skipped = None, ""
    try:
        cycle = round_figures(build, spins)
    except AnalysisError as error:
        cycle_skipped = str(error)
    if closed and cycle and (cycle.rtp != closed.rtp or dict(cycle.rtp_parts) != dict(closed.rtp_parts)):
        raise AnalysisError(
            f"{build.label}: closed form gives {closed.rtp}, joint law {cycle.rtp}; one of them is wrong, trust neither"
        )
    if cycle and visit:
        _visit(build, engine, cycle)
    return _figures(build, spins, closed, closed_skipped, cycle, cycle_skipped, visit and cycle is not None)


def _visit(build: Build, engine: Engine, cycle: FullCycle) -> None:
    """The figures once more by every combination."""
    single = [*cycle.laws.values(), *(law for laws in cycle.special_laws.values() for law in laws.values())]
    longest = max((law.cycle for law in single), default=0)
    if longest > VISITED_MAX:
        raise AnalysisError(f"a cycle of {longest:,} combinations is too long to visit; the limit is {VISITED_MAX:,}")
    visited = round_figures(build, spin_laws(build, engine, merge=False))
    if (visited.rtp, visited.variance, visited.max_win_units) != (cycle.rtp, cycle.variance, cycle.max_win_units):
        raise AnalysisError(f"{build.label}: visiting every combination gives other figures than merging; trust none")


def _state_figures(build: Build, states: Iterable[str]) -> dict[str, SpinFigures]:
    """Closed forms of single states, where the build as a whole has none."""
    found = {}
    for name in states:
        with suppress(NoClosedForm):
            found[name] = spin_figures(build, build.model.states[name])
    return found


def _figures(
    build: Build,
    spins: SpinLaws,
    closed: ClosedForm | None,
    closed_skipped: str,
    cycle: FullCycle | None,
    cycle_skipped: str,
    visited: bool,
) -> Analysis:
    """Chooses the source of every figure and says which it was."""
    play = build.play
    source = cycle or closed
    rtp: Fraction | float | None = source.rtp if source else None
    parts: dict[str, Fraction | float] = dict(source.rtp_parts) if source else {}
    sd = cycle.sd if cycle else None
    both = " = ".join(name for name, there in (("closed form", closed), ("full cycle", cycle)) if there)
    methods = {"rtp": both + (", merged and visited" if visited else "") if source else cycle_skipped}
    methods["sd"] = "full cycle" if cycle else cycle_skipped
    law = None
    paid = spins.laws[play.start]
    hit_frequency: Fraction | float | None = cycle.hit_frequency if cycle else None
    gamble = build.model.gamble
    matters = ["the maximum win"] if build.model.win_max is not None and (cycle is None or cycle.capped) else []
    matters += ["the gamble"] if gamble is not None and gamble.plays else []
    if matters:
        # The closed form knows nothing of them.
        rtp = sd = None
        what, reason = " and ".join(matters), cycle_skipped
        if cycle is not None:
            try:
                law = win_law(cycle)
                if cycle.capped:
                    parts[MAXIMUM] = law.rtp - float(cycle.rtp)
                if gamble is not None and gamble.plays:
                    before, law = law, gambled(law, gamble)
                    parts[GAMBLE] = law.rtp - before.rtp
                    hit_frequency = 1 - float(law.probabilities[0])
            except AnalysisError as error:
                law, reason = None, str(error)
        if law is not None:
            rtp, sd = law.rtp, law.sd
            methods["rtp"] = methods["sd"] = f"law of wins with {what}, in double precision; before it {both}"
        else:
            hit_frequency = None if gamble is not None and gamble.plays else hit_frequency
            methods["rtp"] = methods["sd"] = f"{what} matters, and the law of wins is unknown: {reason}"
    if not source and paid is not None:
        parts = {name: units * play.spins / play.cost_units for name, units in paid.mean_parts().items()}
    silent = silent_triggers(build.model, build.model.states[play.start])
    parts = {name: part for name, part in parts.items() if name not in silent}
    for name, joint in spins.laws.items():
        if name in spins.skipped:
            methods[f"state {name}"] = spins.skipped[name]
        elif spins.features is not None and name in spins.features.methods:
            methods[f"state {name}"] = spins.features.methods[name]
        elif joint is not None:
            methods[f"state {name}"] = joint.computed
        else:
            kinds = sorted({law.method for law in spins.special_laws[name].values()})
            methods[f"state {name}"] = f"{' and '.join(kinds)}, for each special symbol"
    awards = closed.feature_probability if closed else None
    hits = spread = None
    if cycle is not None and cycle.paid is None:
        awards = cycle.feature_probability
    elif paid is not None:
        awards = 1 - (1 - paid.award_probability) ** play.spins
        hits = 1 - (1 - paid.hit_frequency) ** play.spins
        spread = root(play.spins * paid.variance_units / play.cost_units**2)
    return Analysis(
        build=build,
        laws=spins.laws,
        special_laws=next(iter(spins.special_laws.values()), {}),
        special_states=spins.special_laws,
        skipped=spins.skipped,
        closed=closed,
        closed_skipped=closed_skipped,
        figures=closed.figures if closed else _state_figures(build, spins.laws),
        cycle=cycle,
        cycle_skipped=cycle_skipped,
        visited=visited,
        law=law,
        rtp=rtp,
        rtp_parts=parts,
        hit_frequency=hit_frequency,
        paid_spin_hit_frequency=hits,
        sd=sd,
        paid_spin_sd=spread,
        feature_probability=awards,
        free_spins_per_feature=source.free_spins_per_feature if source else None,
        methods=methods,
    )
