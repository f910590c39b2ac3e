"""Exact law of a whole round's win: every amount with its probability, retriggers and picks included.

The win of a round is that of the mode's spins plus that of each further spin, and any of them may award more.
On the Fourier side sums of independent wins are products, so with a_iK(w) the transform of "a spin of state i
wins x and awards K_j spins of each state j", the transforms F_i of one spin with all it starts solve
F_i = sum_K a_iK prod_j F_j^K_j (branching process with a type for each state; Harris 1963, ch. II), and the
round's is the power of its first. Features that draw a special symbol make it a mixture. A round whose cap of
spins can be reached is walked instead, level by level, over (spins left, spins still allowed). The maximum
win needs no walk: wins never decrease, so a round that it ends pays min(win, maximum).

The result is exact but for `error`, a bound on any probability read from it: wins beyond the grid
(Chernoff), rounds cut short by the cap of spins (Chernoff), and the rounding of the transforms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import FullCycle
from rgs_core.exact.spin_terms import Complex
from rgs_core.exact.transforms import RoundLaw
from rgs_core.language.model import Build

GRID_MIN, GRID_MAX = 1 << 12, 1 << 22
TAIL_MAX = 1e-12
"""Probability of wins beyond the grid that is let go."""

EXPONENTS = 300
"""Exponents that are tried for the bound of it."""

CAP_NEGLIGIBLE = 1e-10
"""Probability of a round cut short by its cap that is let go, and stated: no walk."""

CAP_ERROR_MAX = 1e-6
"""The same where a walk would take more than seconds."""

WALK_QUICK = 1 << 31
"""Work (states x awards x frequencies) of the walks of all scenarios that takes seconds."""

WALK_MAX = 1 << 32
"""Largest work of the walk of a scenario."""

TERMS_MAX = 1 << 27
"""Most values of transforms that are held at once: 2 GB."""

SESSION_STEPS_MAX = 1_000_000
SESSION_GRID_MAX = 1 << 20
SESSION_WORK_MAX = 4_000_000_000
"""Largest product of grid and spins of a session: minutes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SessionOdds:
    """A session of `spins` rounds of one stake each (the cost of the mode), begun with `bankroll` stakes.

    `ruined`: the money fell below a stake; `doubled`: it reached twice the bankroll, and the player left;
    `neither`: all rounds were played. `mean_left`: mean stakes at the end of those.
    """

    spins: int
    bankroll: int
    ruined: float
    doubled: float
    neither: float
    mean_left: float


@dataclass(frozen=True, repr=False)
class WinLaw:
    """`probabilities` float64[n]: entry i is the probability that a round wins `i * step` units.

    Stakes are costs of the mode. Of a round with a maximum win the last entry is the odds to reach it.
    """

    build: Build
    step: int
    probabilities: Floats
    error: float

    def __repr__(self) -> str:
        return f"<WinLaw {self.build.label}, {len(self.probabilities):,} wins, error {self.error:.1e}>"

    @property
    def stake_units(self) -> int:
        """Units that a round of the mode costs."""
        return self.build.play.cost_units

    @property
    def stakes(self) -> Floats:
        """float64[n]: the wins in stakes."""
        return np.arange(len(self.probabilities), dtype=np.float64) * (self.step / self.stake_units)

    @property
    def rtp(self) -> float:
        """Mean win in stakes."""
        return float(self.stakes @ self.probabilities)

    @property
    def sd(self) -> float:
        """Standard deviation of win / stake."""
        return math.sqrt(float((self.stakes - self.rtp) ** 2 @ self.probabilities))

    def at_least(self, stakes: float) -> float:
        """P(win >= stakes)."""
        first = math.ceil(stakes * self.stake_units / self.step - 1e-9)
        # From the small end up, so that rare wins are not lost behind common ones.
        return min(1.0, float(self.probabilities[max(first, 0) :][::-1].sum()))

    def above(self, stakes: float) -> float:
        """P(win > stakes)."""
        first = math.floor(stakes * self.stake_units / self.step + 1e-9) + 1
        return min(1.0, float(self.probabilities[max(first, 0) :][::-1].sum()))

    def quantile(self, p: float) -> float:
        """Smallest win in stakes with P(win <= it) >= p. ValueError outside (0, 1)."""
        if not 0 < p < 1:
            raise ValueError(f"quantile {p} is not between 0 and 1")
        index = int(np.searchsorted(np.cumsum(self.probabilities), p - 1e-13))
        return float(self.stakes[min(index, len(self.probabilities) - 1)])

    def rtp_capped(self, stakes: float) -> float:
        """RTP if no round could win more than `stakes`: E[min(win, cap)]."""
        return float(np.minimum(self.stakes, stakes) @ self.probabilities)

    def class_probabilities(self, edges: tuple[float, ...]) -> Floats:
        """Probabilities of the classes "up to edges[0]", (edges[i-1], edges[i]], "above": float64[k + 1]."""
        unit = self.stake_units / self.step
        ends = [math.floor(edge * unit + 1e-9) + 1 for edge in edges]
        starts = [0, *ends]
        return np.array([
            float(self.probabilities[start:end].sum())
            for start, end in zip(starts, [*ends, len(self.probabilities)], strict=True)
        ])  # fmt: skip

    def frame(self) -> Any:
        """Wins with a probability above the error, as a pandas data frame: win_units, win_stakes, probability."""
        import pandas as pd

        chosen = np.flatnonzero(self.probabilities > self.error / 100)
        return pd.DataFrame({
            "win_units": chosen * self.step, "win_stakes": self.stakes[chosen], "probability": self.probabilities[chosen]
        })  # fmt: skip

    def session_work(self, bankroll: int, spins: int) -> int:
        """Steps of money times spins: what a session costs to compute, about 2e7 a second."""
        return 2 * bankroll * self.stake_units // math.gcd(self.step, self.stake_units) * spins

    def session(self, bankroll: int, spins: int) -> SessionOdds:
        """Odds of a session that ends when the money is below a stake, doubled, or all spins are played.

        `bankroll` in stakes. Raises ValueError for sessions too large to compute.
        """
        if not 1 <= spins <= SESSION_STEPS_MAX:
            raise ValueError(f"a session has 1 to {SESSION_STEPS_MAX:,} spins")
        step = math.gcd(self.step, self.stake_units)
        stake = self.stake_units // step
        goal = 2 * bankroll * stake
        if not bankroll >= 1 or goal > SESSION_GRID_MAX:
            raise ValueError(f"a bankroll is 1 to {SESSION_GRID_MAX // (2 * stake):,} stakes for this game")
        if self.session_work(bankroll, spins) > SESSION_WORK_MAX:
            most = SESSION_WORK_MAX // self.session_work(bankroll, 1)
            raise ValueError(f"with {bankroll:,} stakes a session of this game has at most {most:,} spins")
        wins = np.zeros(goal + 1)
        spread = self.probabilities[: goal * step // self.step + 1]
        wins[: len(spread) * (self.step // step) : self.step // step] = spread[: -(-(goal + 1) * step // self.step)]
        size = 1 << (2 * goal).bit_length()
        transform = np.fft.rfft(wins, size)
        money = np.zeros(goal)
        money[bankroll * stake] = 1.0
        ruined = doubled = 0.0
        for _ in range(spins):
            staked = money[stake:]  # what is left after the stake is taken; below a stake nobody plays
            after = np.fft.irfft(np.fft.rfft(staked, size) * transform, size)[:goal]
            np.maximum(after, 0.0, out=after)
            alive = float(staked.sum())
            doubled += max(0.0, alive - float(after.sum()))
            ruined += float(after[:stake].sum())
            after[:stake] = 0.0
            money = after
        left = float(money.sum())
        mean = float(np.arange(goal) @ money) / stake / left if left > 1e-12 else 0.0
        return SessionOdds(spins, bankroll, ruined, doubled, left, mean)


class RoundGrid:
    """A round on the Fourier side, with all that its laws share. `further`: the law of its further spins will be asked
    for as well, so that both are taken from one walk."""

    def __init__(self, cycle: FullCycle, *, further: bool = False) -> None:
        self.cycle = cycle
        self.cases = [RoundLaw(cycle, case) for case in cycle.scenarios]
        cap = cycle.build.model.win_units_cap if cycle.capped else None
        self.step = math.gcd(*(case.step for case in self.cases), cap or 0) or cycle.build.model.stake_units
        self._further = further
        self._waiting: dict[tuple[int, bool], Complex] = {}

    @cached_property
    def size(self) -> tuple[int, float]:
        """Size of the grid, and a bound on P(win beyond it)."""
        return _grid(self.cycle, self.cases, self.step)

    def transform(self, place: int, *, walked: bool, feature_only: bool) -> Complex:
        """Transform of a case, as `RoundLaw.transforms`."""
        case, size = self.cases[place], self.size[0]
        if (place, feature_only) in self._waiting:
            return self._waiting.pop((place, feature_only))
        both = self._further and not feature_only and bool(case.further) and case.start not in case.further
        wanted = [feature_only, True] if both else [feature_only]
        found, *other = case.transforms(self.step, size, walked=walked, feature_only=wanted)
        if other:
            self._waiting[place, True] = other[0]
        return found


def win_law(cycle: FullCycle, on: RoundGrid | None = None) -> WinLaw:
    """The law of a round's win, as it is paid: with the maximum win, where there is one. `on`: its grid, if it is known.

    Raises AnalysisError when it needs a grid or a walk that is too large.
    """
    law = _law(on or RoundGrid(cycle), feature_only=False)
    return _with_maximum(law, cycle) if cycle.capped else law


def feature_law(cycle: FullCycle, on: RoundGrid | None = None) -> WinLaw | None:
    """The law of what the further spins of a round win, for rounds that have any; None when there are none.

    Without the maximum win, which is one of the whole round. Raises AnalysisError as `win_law`, and where they are part
    of the feature with which the mode begins.
    """
    if not cycle.spins or cycle.feature_probability == 0:
        return None
    if cycle.paid is None:
        raise AnalysisError("the further spins of a mode that begins with a feature have no law of their own")
    return _law(on or RoundGrid(cycle), feature_only=True)


def _with_maximum(law: WinLaw, cycle: FullCycle) -> WinLaw:
    """All wins of the maximum and above as the maximum."""
    cap = cycle.build.model.win_units_cap
    assert cap is not None
    last = cap // law.step
    probabilities = law.probabilities[: last + 1].copy()
    if len(probabilities) == last + 1:
        probabilities[last] = law.probabilities[last:][::-1].sum()
    return WinLaw(law.build, law.step, probabilities, law.error)


def _law(grid: RoundGrid, *, feature_only: bool) -> WinLaw:
    cycle, cases, step = grid.cycle, grid.cases, grid.step
    model = cycle.build.model
    odds = [float(case.probability) for case in cycle.scenarios]
    size, beyond = grid.size
    frequencies = size // 2 + 1
    probabilities = np.zeros(size)
    error = beyond
    work = sum(case.walk_work(frequencies) for case in cases if case.ways and case.cap_tail > CAP_NEGLIGIBLE)
    for place, (case, p) in enumerate(zip(cases, odds, strict=True)):
        if case.terms_count * frequencies > TERMS_MAX:
            raise AnalysisError(
                f"a round awards in {case.terms_count:,} ways, too many for an exact law of wins of up to "
                f"{_most(cycle):,} units in steps of {step}; simulate instead"
            )
        tail = case.cap_tail
        walked = tail > CAP_ERROR_MAX or (tail > CAP_NEGLIGIBLE and case.ways is not None and work <= WALK_QUICK)
        if walked and case.ways is None:
            raise AnalysisError(
                f"the cap of {model.free_spins_max} free spins can be reached, and it is shared by several states; "
                f"{case.cap_advice}"
            )
        if walked and case.walk_work(frequencies) > WALK_MAX:
            raise AnalysisError(
                f"the cap of {model.free_spins_max} free spins can be reached, and the exact law of wins with it needs "
                f"too many states; {case.cap_advice}"
            )
        found = np.fft.irfft(grid.transform(place, walked=walked, feature_only=feature_only), size)
        np.maximum(found, 0.0, out=found)
        probabilities += p * found
        # Each power taken of a transform multiplies its rounding.
        rounding = 2.0**-52 * math.log2(size) * math.sqrt(size) * case.powers(walked=walked)
        error += p * ((0.0 if walked else tail) + rounding)
    if cycle.features is not None:
        error += cycle.features.neglected
    if feature_only:
        error /= float(cycle.feature_probability)
    reachable = min(size, _most(cycle) // step + 1)
    return WinLaw(cycle.build, step, probabilities[:reachable], error)


def _most(cycle: FullCycle) -> int:
    """Most units of a round without the maximum win."""
    return cycle.most_units


def _grid(cycle: FullCycle, cases: list[RoundLaw], step: int) -> tuple[int, float]:
    """Size of the grid, and a bound on P(win beyond it).

    The bound is that of rounds without a cap, which win at least as much.
    """
    most = _most(cycle) // step
    endless = any(case.endless for case in cases)
    size = GRID_MIN
    beyond: _Beyond | None = None
    while size <= most:
        if not endless:
            beyond = beyond or _Beyond.of(cases, step)
            if (bound := beyond.bound(size * step)) <= TAIL_MAX:
                return size, bound
        if size == GRID_MAX:
            raise AnalysisError(
                f"wins of up to {_most(cycle):,} units in steps of {step} are too many for the exact law of "
                "wins; simulate instead"
            )
        size *= 2
    return size, 0.0


@dataclass(frozen=True)
class _Beyond:
    """Chernoff bounds: `logs[k]` is log E[e^(s win)] of a round for s = `exponents[k]`, infinite where there is none."""

    exponents: Floats
    logs: Floats

    @classmethod
    def of(cls, cases: list[RoundLaw], step: int) -> _Beyond:
        """Exponents for grids of all sizes, fourteen for each doubling."""
        exponents = 700.0 / (GRID_MIN * step) / 2.0 ** (np.arange(EXPONENTS) / 14)
        total = np.zeros(EXPONENTS)
        for case in cases:
            total += case.probability * case.moments(exponents)
        return cls(exponents, np.log(total * 1.0001))

    def bound(self, limit_units: int) -> float:
        """min over s of E[e^(s win)] e^(-s limit)."""
        return math.exp(min(0.0, float((self.logs - self.exponents * limit_units).min())))
