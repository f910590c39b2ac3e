"""Exact law of a whole round's win: every amount with its probability, retriggers and picks included.

The win of a round is the paid spin's plus that of each free spin, and a free spin may award more of
them. On the Fourier side sums of independent wins are products, so with a_r(w) the transform of
"a free spin wins x and awards r", the transform F of one free spin with all it starts solves
F = sum_r a_r F^r (branching process; Harris 1963, ch. I), and the round's is sum_r a0_r F^r. A round
whose cap can be reached is walked instead, level by level, over (spins left, spins still allowed).

The result is exact but for `error`, a bound on any probability read from it: wins beyond the grid
(Chernoff), rounds cut short by the cap (Chernoff), and the rounding of the transforms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.analysis import FullCycle
from rgs_core.errors import AnalysisError
from rgs_core.feature import cap_tail
from rgs_core.joint import Joint
from rgs_core.model import Build, Model, PickTrigger, State, Table

GRID_MIN, GRID_MAX = 1 << 12, 1 << 22
TAIL_MAX = 1e-12
"""Probability of wins beyond the grid that is let go."""

CAP_ERROR_MAX = 1e-6
"""Probability of a round cut short by its cap that is let go, and stated, where a walk would be too large."""

WALK_MAX = 1 << 30
"""Largest work (states x awards x frequencies) of a walk with a cap."""

BLOCK = 1 << 13
"""Frequencies that a walk takes at a time, for the sake of memory."""

SESSION_STEPS_MAX = 1_000_000
SESSION_GRID_MAX = 1 << 20
SESSION_WORK_MAX = 4_000_000_000
"""Largest product of grid and spins of a session: minutes."""


Complex = NDArray[np.complex128]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SessionOdds:
    """A session of `spins` rounds of one stake each, begun with `bankroll` stakes.

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
    """`probabilities` float64[n]: entry i is the probability that a round wins `i * step` units."""

    build: Build
    step: int
    probabilities: Floats
    error: float

    def __repr__(self) -> str:
        return f"<WinLaw {self.build.label}, {len(self.probabilities):,} wins, error {self.error:.1e}>"

    @property
    def stakes(self) -> Floats:
        """float64[n]: the wins in stakes."""
        return np.arange(len(self.probabilities), dtype=np.float64) * (self.step / self.build.model.stake_units)

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
        first = math.ceil(stakes * self.build.model.stake_units / self.step - 1e-9)
        # From the small end up, so that rare wins are not lost behind common ones.
        return min(1.0, float(self.probabilities[max(first, 0) :][::-1].sum()))

    def above(self, stakes: float) -> float:
        """P(win > stakes)."""
        first = math.floor(stakes * self.build.model.stake_units / self.step + 1e-9) + 1
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
        unit = self.build.model.stake_units / self.step
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
        return 2 * bankroll * self.build.model.stake_units // math.gcd(self.step, self.build.model.stake_units) * spins

    def session(self, bankroll: int, spins: int) -> SessionOdds:
        """Odds of a session that ends when the money is below a stake, doubled, or all spins are played.

        `bankroll` in stakes. Raises ValueError for sessions too large to compute.
        """
        if not 1 <= spins <= SESSION_STEPS_MAX:
            raise ValueError(f"a session has 1 to {SESSION_STEPS_MAX:,} spins")
        step = math.gcd(self.step, self.build.model.stake_units)
        stake = self.build.model.stake_units // step
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


@dataclass(frozen=True)
class _Terms:
    """A spin's law by spins awarded and pick matches: rows of a `Joint` grouped."""

    awarded: tuple[int, ...]
    matches: tuple[tuple[int, ...], ...]
    units: tuple[NDArray[np.int64], ...]
    probabilities: tuple[Floats, ...]
    picks: tuple[PickTrigger, ...]
    model: Model
    state: State


def win_law(cycle: FullCycle) -> WinLaw:
    """The law of a round's win. Raises AnalysisError when it needs a grid or a walk that is too large."""
    return _law(cycle, feature_only=False)


def feature_law(cycle: FullCycle) -> WinLaw | None:
    """The law of what the free spins of a round win, for rounds that have any; None when there are none.

    Raises AnalysisError as `win_law`.
    """
    if cycle.free is None or cycle.feature_probability == 0:
        return None
    return _law(cycle, feature_only=True)


def _law(cycle: FullCycle, *, feature_only: bool) -> WinLaw:
    model = cycle.build.model
    paid, free = _terms(cycle.paid), _terms(cycle.free) if cycle.free else None
    step = math.gcd(*_amounts(paid), *(_amounts(free) if free else ())) or model.stake_units
    tail = _cap_error(cycle)
    capped = free is not None and tail > TAIL_MAX
    size, beyond = _grid(cycle, paid, free, step)
    frequencies = size // 2 + 1
    if capped and tail <= CAP_ERROR_MAX and free is not None:
        capped = _walk_work(model.free_spins_max, len(set(free.awarded)), frequencies) <= WALK_MAX
    if feature_only:
        share = float(cycle.feature_probability)
        odds = {r: float(a.probability) / share for r, a in cycle.paid.by_award().items() if r}
        paid_terms: dict[int, Complex] = {r: np.full(frequencies, p, np.complex128) for r, p in odds.items()}
        beyond, tail = beyond / share, tail / share
    else:
        paid_terms = _transforms(paid, step, size)
    if free is None:
        transform = sum(paid_terms.values(), np.zeros(frequencies, np.complex128))
    elif capped:
        transform = _walk(paid_terms, _transforms(free, step, size), model.free_spins_max, frequencies)
    else:
        transform = _polynomial(paid_terms, _one_free_spin(_transforms(free, step, size), frequencies))
    probabilities = np.fft.irfft(transform, size)
    np.maximum(probabilities, 0.0, out=probabilities)
    # Each power taken of a transform multiplies its rounding.
    powers = _powers(paid) + (_most_spins(cycle, capped) * _powers(free) if free else 0.0)
    rounding = 2.0**-52 * math.log2(size) * math.sqrt(size) * powers
    reachable = min(size, cycle.max_win_units // step + 1)
    return WinLaw(cycle.build, step, probabilities[:reachable], beyond + (0.0 if capped else tail) + rounding)


def _terms(joint: Joint) -> _Terms:
    keys = np.column_stack([joint.awarded, joint.matches])
    groups, member = np.unique(keys, axis=0, return_inverse=True)
    probabilities = joint.probabilities
    rows = [member.reshape(-1) == index for index in range(len(groups))]
    return _Terms(
        awarded=tuple(int(group[0]) for group in groups),
        matches=tuple(tuple(int(n) for n in group[1:]) for group in groups),
        units=tuple(joint.units[chosen] for chosen in rows),
        probabilities=tuple(probabilities[chosen] for chosen in rows),
        picks=tuple(joint.picks),
        model=joint.model,
        state=joint.state,
    )


def _amounts(terms: _Terms) -> Iterator[int]:
    """All amounts that a spin adds up from, for the step of the grid."""
    for units in terms.units:
        yield int(np.gcd.reduce(units))
    for trigger in terms.picks:
        yield math.gcd(*_prize_units(terms, trigger).values)


def _prize_units(terms: _Terms, trigger: PickTrigger) -> Table:
    pick = terms.model.picks[trigger.pick]
    unit = terms.model.basis_units(pick.of) * terms.state.multiplier_for(trigger.name)
    return Table(tuple(value * unit for value in pick.prizes.values), pick.prizes.weights)


def _compound(terms: _Terms, trigger: PickTrigger, prize: Complex | float) -> Complex | float:
    """Transform of one pick bonus from that of one prize: a random number of places of random prizes."""
    pick = terms.model.picks[trigger.pick]

    def mixture(table: Table, inner: Complex | float) -> Complex | float:
        mixed: Complex | float = 0.0
        for value, weight in zip(table.values, table.weights, strict=True):
            mixed = mixed + weight / table.total * inner**value
        return mixed

    return mixture(pick.picks, mixture(pick.prizes_per_pick, prize))


def _transforms(terms: _Terms, step: int, size: int) -> dict[int, Complex]:
    """By spins awarded r, the transform of (win, awards r) on the grid."""
    bonuses = []
    for trigger in terms.picks:
        prizes = _prize_units(terms, trigger)
        grid = np.zeros(size)
        np.add.at(grid, np.array(prizes.values) // step % size, np.array(prizes.weights) / prizes.total)
        bonuses.append(_compound(terms, trigger, np.fft.rfft(grid)))
    transforms: dict[int, Complex] = {}
    for awarded, matches, units, probabilities in zip(
        terms.awarded, terms.matches, terms.units, terms.probabilities, strict=True
    ):
        term: Complex = np.fft.rfft(np.bincount(units // step % size, weights=probabilities, minlength=size))
        for n, bonus in zip(matches, bonuses, strict=True):
            if n:
                term = term * bonus**n
        transforms[awarded] = transforms[awarded] + term if awarded in transforms else term
    return transforms


def _polynomial(terms: dict[int, Complex], value: Complex) -> Complex:
    """sum_r terms[r] value^r."""
    total: Complex = np.zeros_like(value)
    for r, term in terms.items():
        total += term * value**r if r else term
    return total


def _one_free_spin(terms: dict[int, Complex], frequencies: int) -> Complex:
    """F = sum_r a_r F^r, by a few plain steps and then Newton's; |derivative| >= 1 - q > 0 everywhere."""
    value: Complex = np.ones(frequencies, np.complex128)
    if set(terms) == {0}:
        return terms[0]
    for _ in range(8):
        value = _polynomial(terms, value)
    slopes = {r - 1: r * term for r, term in terms.items() if r}
    for _ in range(50):
        change = (_polynomial(terms, value) - value) / (1 - _polynomial(slopes, value))
        value = value + change
        if float(np.abs(change).max()) < 1e-13:
            return value
    raise AnalysisError("the law of the free spins did not settle; award fewer further spins")


def _walk_work(cap: int, awards: int, frequencies: int) -> int:
    return cap * cap // 2 * awards * frequencies


def _walk(paid: dict[int, Complex], free: dict[int, Complex], cap: int, frequencies: int) -> Complex:
    """Transform of a round whose cap can be reached; the states and their order are those of feature._capped."""
    if _walk_work(cap, len(free), frequencies) > WALK_MAX:
        raise AnalysisError(
            f"the cap of {cap} free spins can be reached, and the exact law of wins with it needs too many states; "
            "simulate, or set caps.free_spins lower or out of reach"
        )
    result: Complex = np.zeros(frequencies, np.complex128)
    for start in range(0, frequencies, BLOCK):
        block = slice(start, min(start + BLOCK, frequencies))
        width = block.stop - block.start
        level: Complex = np.ones((1, width), np.complex128)  # by `allowed`; nothing left at level 0
        for n in range(1, cap + 1):
            here: Complex = np.zeros((n + 1, width), np.complex128)
            allowed = np.arange(n)
            for r, term in free.items():
                here[:n] += term[block] * level[allowed - np.minimum(r, allowed)]
            here[n] = 1.0
            level = here
        for r, term in paid.items():
            result[block] += term[block] * level[cap - min(r, cap)]
    return result


def _cap_error(cycle: FullCycle) -> float:
    """Bound on the probability that a round reaches its cap of free spins; 1 when retriggers never end."""
    if cycle.free is None:
        return 0.0
    paid, free = cycle.paid.by_award(), cycle.free.by_award()
    cap = cycle.build.model.free_spins_max
    if max(paid) <= cap and set(free) == {0}:
        return 0.0
    if _further_spins(cycle.free) >= 1:
        return 1.0
    return min(1.0, cap_tail(paid, free, cap))


def _grid(cycle: FullCycle, paid: _Terms, free: _Terms | None, step: int) -> tuple[int, float]:
    """Size of the grid, and a bound on P(win beyond it): min over s of E[e^(s win)] e^(-s size).

    The bound is that of rounds without a cap, which win at least as much.
    """
    most = cycle.max_win_units // step
    endless = cycle.free is not None and _further_spins(cycle.free) >= 1
    size = GRID_MIN
    while size <= most:
        if not endless and (bound := _chernoff(paid, free, size * step)) <= TAIL_MAX:
            return size, bound
        if size == GRID_MAX:
            raise AnalysisError(
                f"wins of up to {cycle.max_win_units:,} units in steps of {step} are too many for the exact law of "
                "wins; simulate instead"
            )
        size *= 2
    return size, 0.0


def _powers(terms: _Terms) -> float:
    """Largest number of random prizes that a spin may add up, and itself."""
    prizes = 1.0
    for column, trigger in enumerate(terms.picks):
        pick = terms.model.picks[trigger.pick]
        most = max((matches[column] for matches in terms.matches), default=0)
        prizes += most * max(pick.picks.values) * max(pick.prizes_per_pick.values)
    return prizes


def _most_spins(cycle: FullCycle, capped: bool) -> float:
    """Free spins that a round takes as factors: the cap, or the largest award with what it leads to."""
    assert cycle.free is not None
    if capped:
        return float(cycle.build.model.free_spins_max)
    return float(cycle.paid.awarded.max()) / (1 - _further_spins(cycle.free))


def _further_spins(free: Joint) -> float:
    """Mean number of spins that a free spin awards."""
    return float(free.awarded @ free.probabilities)


def _chernoff(paid: _Terms, free: _Terms | None, limit_units: int) -> float:
    """min over s of E[e^(s win)] e^(-s limit), over a grid of s; 1 when no s gives a finite moment."""
    best = 1.0
    for exponent in range(160):
        s = 700.0 / limit_units / 1.05**exponent
        try:
            total = _round_moment(paid, free, s)
        except OverflowError:
            continue  # the moment is infinite for this s
        if 0 < total < math.inf:
            best = min(best, math.exp(min(0.0, math.log(total * 1.0001) - s * limit_units)))
    return best


def _round_moment(paid: _Terms, free: _Terms | None, s: float) -> float:
    """E[e^(s win)] of a round without a cap. OverflowError when it has no finite value."""
    one = 1.0
    if free is not None:
        terms = _moments(free, s)
        for _ in range(10_000):
            following = sum(a * one**r for r, a in terms.items())
            if abs(following - one) <= 1e-12 * one:
                break
            one = following
        else:
            raise OverflowError
    return float(sum(a * one**r for r, a in _moments(paid, s).items()))


def _moments(terms: _Terms, s: float) -> dict[int, float]:
    """By spins awarded r, E[e^(s win); awards r]."""
    bonuses = []
    for trigger in terms.picks:
        prizes = _prize_units(terms, trigger)
        prize = sum(
            w / prizes.total * math.exp(min(700.0, s * v)) for v, w in zip(prizes.values, prizes.weights, strict=True)
        )
        bonuses.append(float(_compound(terms, trigger, prize).real))
    moments: dict[int, float] = {}
    for awarded, matches, units, probabilities in zip(
        terms.awarded, terms.matches, terms.units, terms.probabilities, strict=True
    ):
        term = float(np.exp(np.minimum(700.0, s * units)) @ probabilities)
        for n, bonus in zip(matches, bonuses, strict=True):
            term *= bonus**n
        moments[awarded] = moments.get(awarded, 0.0) + term
    return moments
