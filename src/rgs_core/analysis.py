"""Exact figures of a build, two independent ways that must agree.

The closed form multiplies symbol frequencies and knows the mean of everything. The joint law counts
the whole cycle with the compiled rules and so knows what wins and awards do together: hit frequency,
variance, maximum win, and from them the law of whole rounds. All results are integers and Fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from rgs_core._engine import Engine
from rgs_core.closed_form import ClosedForm, closed_form
from rgs_core.errors import AnalysisError
from rgs_core.feature import RoundMoments, round_moments
from rgs_core.joint import Joint, joint_law
from rgs_core.model import Build
from rgs_core.stats import Z_90, root

VISITED_MAX = 5_000_000_000
"""Longest cycle that `analyse` visits combination by combination: seconds, with many lines a minute."""


@dataclass(frozen=True, slots=True)
class FullCycle:
    """Figures of a round over its full cycle. Variances are of win / stake; `paid_spin` means without its
    free spins; `paid` and `free` are the joint laws of single spins behind them."""

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

    @property
    def combinations(self) -> int:
        """Length of the paid spin's cycle, in stop weights."""
        return self.paid.cycle

    @property
    def sd(self) -> float:
        """Standard deviation of a round's win / stake."""
        return root(self.variance)

    @property
    def paid_spin_sd(self) -> float:
        return root(self.paid_spin_variance)

    def volatility_index(self, z: float = Z_90) -> float:
        """z times the standard deviation of a round."""
        return z * self.sd


@dataclass(frozen=True, slots=True)
class Analysis:
    """Both ways. `cycle` is None, with `cycle_skipped` saying why, when the cycle was not counted."""

    closed: ClosedForm
    cycle: FullCycle | None
    cycle_skipped: str
    visited: bool = False


def analyse(build: Build, *, visit: bool = False) -> Analysis:
    """All exact figures of a build. Raises AnalysisError if the ways differ or have no value.

    With `visit` every combination of stops is visited as well, up to VISITED_MAX of them: a third way.
    """
    closed = closed_form(build)
    try:
        cycle = full_cycle(build)
    except AnalysisError as error:
        return Analysis(closed, None, str(error))
    if cycle.rtp != closed.rtp or dict(cycle.rtp_parts) != dict(closed.rtp_parts):
        raise AnalysisError(
            f"{build.label}: closed form gives {closed.rtp}, joint law {cycle.rtp}; one of them is wrong, trust neither"
        )
    if visit:
        longest = max(spin.cycle for spin in (closed.paid, closed.free) if spin)
        if longest > VISITED_MAX:
            raise AnalysisError(
                f"a cycle of {longest:,} combinations is too long to visit; the limit is {VISITED_MAX:,}"
            )
        visited = full_cycle(build, merge=False)
        if (visited.rtp, visited.variance, visited.max_win_units) != (cycle.rtp, cycle.variance, cycle.max_win_units):
            raise AnalysisError(
                f"{build.label}: visiting every combination gives other figures than merging; trust none"
            )
    return Analysis(closed, cycle, "", visit)


def full_cycle(build: Build, *, merge: bool = True) -> FullCycle:
    """Figures of the joint law, by merging situations or (merge=False) by visiting every combination.

    Raises AnalysisError for laws too large to hold, or retriggers without end.
    """
    model = build.model
    engine = Engine(build)
    paid = joint_law(engine, 0, merge=merge)
    free = joint_law(engine, 1, merge=merge) if len(model.states) > 1 else None
    paid_law, paid_parts = paid.by_award(), paid.mean_parts()
    free_law = free.by_award() if free else None
    free_mean = sum(free.mean_parts().values(), Fraction(0)) if free else Fraction(0)
    moments: RoundMoments = round_moments(paid_law, free_law, model.free_spins_max)
    stake = model.stake_units
    parts = {name: units / stake for name, units in paid_parts.items()}
    if free_law is not None:
        parts["free spins"] = moments.free_spins * free_mean / stake
    first = sum((a.win for a in paid_law.values()), Fraction(0))
    second = sum((a.win_squared for a in paid_law.values()), Fraction(0))
    awarding = sum((a.probability for r, a in paid_law.items() if r), Fraction(0))
    return FullCycle(
        build=build,
        paid=paid,
        free=free,
        rtp=moments.mean / stake,
        rtp_parts=parts,
        hit_frequency=1 - moments.nothing,
        paid_spin_hit_frequency=1 - sum((a.nothing for a in paid_law.values()), Fraction(0)),
        paid_spin_variance=(second - first**2) / stake**2,
        variance=(moments.second - moments.mean**2) / stake**2,
        max_win_units=moments.most,
        max_win_reached=moments.most_reached,
        feature_probability=awarding,
        neglected=moments.neglected,
    )
