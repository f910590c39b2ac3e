"""A round on the Fourier side: transforms of spins, of bonuses and of all that they start.

The same sums with real exponents give the moments E[e^(s win)] that bound what is beyond a grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from rgs_core.awarding import Awards, reachable
from rgs_core.bonuses import awarded, bonus_law
from rgs_core.cycle import FullCycle, Scenario
from rgs_core.errors import AnalysisError
from rgs_core.feature import cap_tail
from rgs_core.hold import HoldStart
from rgs_core.joint import Joint, bonus_name
from rgs_core.mechanics import Pick, Table, Wheel, settled
from rgs_core.model import Model

BLOCK = 1 << 13
"""Frequencies that a system of several states takes at a time, for the sake of memory."""

WALK_BLOCK = 1 << 9
"""Frequencies that a walk takes at a time: its levels then fit a cache."""

Complex = NDArray[np.complex128]
Value = TypeVar("Value", Complex, float)
Amount = Callable[[NDArray[np.int64], NDArray[np.float64]], Value]
"""Transform, or moment, of amounts in units with their probabilities."""

Terms = Mapping[Awards, Value]
"""By the spins awarded, the transform of "wins x and awards these"."""


@dataclass(frozen=True)
class _Rows:
    """A spin's law by what it awards and plays: rows of a `Joint` grouped."""

    joint: Joint
    awards: tuple[Awards, ...]
    plays: tuple[Awards, ...]
    units: tuple[NDArray[np.int64], ...]
    probabilities: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, joint: Joint) -> _Rows:
        groups = list(joint.groups())
        odds = joint.probabilities
        return cls(
            joint,
            tuple(awards for awards, _, _ in groups),
            tuple(plays for _, plays, _ in groups),
            tuple(joint.units[rows] for *_, rows in groups),
            tuple(odds[rows] for *_, rows in groups),
        )

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """By spins awarded, those of bonuses included, the transform of the win, bonuses included."""
        states = self.joint.states
        bonuses = [
            bonus_terms(self.joint.model, bonus_name(t), self.joint.state.multiplier_for(t.name), states, amount)
            for t in self.joint.bonuses
        ]
        powers: dict[tuple[int, int], dict[Awards, Value]] = {}
        terms: dict[Awards, Value] = {}
        for awards, plays, units, odds in zip(self.awards, self.plays, self.units, self.probabilities, strict=True):
            here = {awards: amount(units, odds)}
            for column, n in enumerate(plays):
                if n:
                    if (column, n) not in powers:
                        powers[column, n] = _power(bonuses[column], n)
                    here = _times(here, powers[column, n])
            for key, term in here.items():
                terms[key] = terms[key] + term if key in terms else term
        return terms

    @cached_property
    def step(self) -> int:
        """Greatest common divisor of all amounts that a spin adds up from."""
        step = math.gcd(*(int(np.gcd.reduce(units)) for units in self.units))
        for trigger in self.joint.bonuses:
            multiplier = self.joint.state.multiplier_for(trigger.name)
            step = math.gcd(step, multiplier * bonus_step(self.joint.model, bonus_name(trigger)))
        return step

    @property
    def powers(self) -> float:
        """Largest number of random amounts that a spin may add up, itself included."""
        amounts = 1.0
        for column, trigger in enumerate(self.joint.bonuses):
            most = max((plays[column] for plays in self.plays), default=0)
            amounts += most * _bonus_amounts(self.joint.model, bonus_name(trigger))
        return amounts


def _times(a: Mapping[Awards, Value], b: Mapping[Awards, Value]) -> dict[Awards, Value]:
    """Terms of two independent plays together."""
    result: dict[Awards, Value] = {}
    for left, x in a.items():
        for right, y in b.items():
            key = tuple(i + j for i, j in zip(left, right, strict=True))
            result[key] = result[key] + x * y if key in result else x * y
    return result


def _power(terms: dict[Awards, Value], n: int) -> dict[Awards, Value]:
    """Terms of n independent plays, n at least 1."""
    result = terms
    for bit in bin(n)[3:]:
        result = _times(result, result)
        if bit == "1":
            result = _times(result, terms)
    return result


def bonus_terms(
    model: Model, name: str, multiplier: int, states: Sequence[str], amount: Amount[Value]
) -> dict[Awards, Value]:
    """Terms of one play of a bonus with the multiplier of a state."""
    bonus = settled(model.bonuses[name])
    none = (0,) * len(states)
    unit = model.basis_units(bonus.of) * multiplier
    if isinstance(bonus, Pick):
        prize = amount(
            np.array(bonus.prizes.values, dtype=np.int64) * unit, np.array(bonus.prizes.weights) / bonus.prizes.total
        )
        return {none: _mixture(bonus.picks, _mixture(bonus.prizes_per_pick, prize))}
    if isinstance(bonus, Wheel):
        total = sum(segment.weight for segment in bonus.segments)
        terms: dict[Awards, Value] = {}
        for segment in bonus.segments:
            here = {
                awarded(segment, states): amount(np.array([segment.pay * unit]), np.array([segment.weight / total]))
            }
            if segment.bonus is not None:
                here = _times(here, bonus_terms(model, segment.bonus, multiplier, states, amount))
            for key, term in here.items():
                terms[key] = terms[key] + term if key in terms else term
        return terms
    rows = bonus_law(model, name).rows
    amounts = np.array([units * multiplier for _, units, _ in rows], dtype=np.int64)
    return {none: amount(amounts, np.array([float(p) for p, _, _ in rows]))}


def _mixture(table: Table, inner: Value) -> Value:
    """Transform of a random number of independent amounts."""
    mixed: Any = 0.0
    for value, weight in zip(table.values, table.weights, strict=True):
        mixed = mixed + weight / table.total * inner**value
    return mixed  # type: ignore[no-any-return]


def bonus_step(model: Model, name: str) -> int:
    """Greatest common divisor of what a bonus adds up from, in units."""
    bonus = settled(model.bonuses[name])
    unit = model.basis_units(bonus.of)
    if isinstance(bonus, Pick):
        return unit * math.gcd(*bonus.prizes.values)
    if isinstance(bonus, Wheel):
        chained = [bonus_step(model, s.bonus) for s in bonus.segments if s.bonus is not None]
        return math.gcd(*(segment.pay * unit for segment in bonus.segments), *chained)
    return math.gcd(*(units for _, units, _ in bonus_law(model, name).rows))


def _bonus_amounts(model: Model, name: str) -> float:
    """Most random amounts that a play adds up."""
    bonus = settled(model.bonuses[name])
    if isinstance(bonus, Pick):
        return float(max(bonus.picks.values) * max(bonus.prizes_per_pick.values))
    if isinstance(bonus, Wheel):
        return 1 + max((_bonus_amounts(model, s.bonus) for s in bonus.segments if s.bonus is not None), default=0.0)
    return 1.0


@dataclass(frozen=True)
class _Hold:
    """A feature of hold and spin as a whole: given the cells that are held at its end, independent values."""

    law: HoldStart

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """The transform of what it wins; it awards nothing."""
        law, total = self.law, cast(Any, 0.0)
        powers: dict[tuple[Table, int], list[Value]] = {}
        for counts, p in law.ends.items():
            term: Any = amount(np.array([law.rules.fixed(counts)], dtype=np.int64), np.array([float(p)]))
            for s, scale in enumerate(law.scales(counts)):
                for table, n in law.tables(s, counts[s]) if scale else ():
                    known = powers.setdefault((table, scale), [])
                    while len(known) < n:
                        known.append(known[0] * known[-1] if known else self._value(table, scale, amount))
                    term = term * known[n - 1]
            total = total + term
        return {(0,) * len(law.states): total}

    @staticmethod
    def _value(table: Table, scale: int, amount: Amount[Value]) -> Value:
        return amount(np.array(table.values, dtype=np.int64) * scale, np.array(table.weights) / table.total)

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts that it adds up from."""
        return self.law.step

    @property
    def powers(self) -> float:
        """Largest number of random amounts that it adds up."""
        return 1.0 + self.law.rules.cells


class RoundLaw:
    """One scenario of a round: its terms on a grid, and what bounds them."""

    def __init__(self, cycle: FullCycle, case: Scenario) -> None:
        self.probability = float(case.probability)
        self.build = cycle.build
        self.start, self.spins = cycle.build.play.start, cycle.build.play.spins
        self.states = case.laws[self.start].states
        self.cap = cycle.spins_max
        self.laws = {name: joint.by_award() for name, joint in case.laws.items()}
        self.further = reachable(self.laws, self.states, self.start)
        self.names = list(dict.fromkeys([self.start, *self.further]))
        self.columns = [self.states.index(name) for name in self.names]
        self.rows: dict[str, _Rows | _Hold] = {}
        for name in self.names:
            law = case.laws[name]
            self.rows[name] = _Hold(law) if isinstance(law, HoldStart) else _Rows.of(law)

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts; 0 when nothing wins."""
        return math.gcd(*(rows.step for rows in self.rows.values()))

    @property
    def one_further(self) -> bool:
        return len(self.further) == 1

    @cached_property
    def radius(self) -> float:
        """Spectral radius of the mean awards."""
        means = [
            [float(sum(key[j] * a.probability for key, a in self.laws[name].items())) for j in self.columns]
            for name in self.names
        ]
        return float(max(abs(np.linalg.eigvals(np.array(means)))))

    @property
    def endless(self) -> bool:
        """Whether rounds end only at the cap."""
        return self.radius >= 1

    @cached_property
    def cap_tail(self) -> float:
        """Bound on the probability that a round reaches its cap of spins; 1 when retriggers never end."""
        if not self.further:
            return 0.0
        return min(1.0, cap_tail(self.laws, self.states, self.start, self.spins, self.cap))

    @property
    def terms_count(self) -> int:
        """Transforms that are held at once: of what a state's spin wins, by what it awards."""
        return sum(len(self.laws[name]) for name in self.names)

    def walk_work(self, frequencies: int) -> int:
        """States x awards x frequencies of a walk."""
        levels = self.cap + (self.spins if self.start in self.further else 0)
        column = self.states.index(self.further[0])
        awards = len({key[column] for key in self.laws[self.further[0]]})
        return levels * self.cap // 2 * awards * frequencies

    def powers(self, *, walked: bool) -> float:
        """Transforms multiplied for a round: of its spins with their bonuses."""
        own = self.spins * self.rows[self.start].powers
        if not self.further:
            return own
        each = max(self.rows[name].powers for name in self.further)
        if walked:
            return own + self.cap * each
        most = max(sum(key) for key in self.laws[self.start])
        return own + self.spins * most / (1 - self.radius) * each

    # -- transforms on a grid ---------------------------------------------------------------------------

    def transform(self, step: int, size: int, *, walked: bool, feature_only: bool) -> Complex:
        """Transform of the round's win, or of what its further spins win on the event that there are some,
        divided by the odds of that event; complex128[size // 2 + 1]."""

        def amount(units: NDArray[np.int64], odds: NDArray[np.float64]) -> Complex:
            return np.fft.rfft(np.bincount(units // step % size, weights=odds, minlength=size))

        frequencies = size // 2 + 1
        terms: dict[str, dict[Awards, Complex]] = {name: self.rows[name].terms(amount) for name in self.further}
        first: dict[Awards, Complex]
        if feature_only:
            first = {
                key: np.full(frequencies, float(a.probability), np.complex128)
                for key, a in self.laws[self.start].items()
            }
        elif self.start in terms:
            first = terms[self.start]
        else:
            first = self.rows[self.start].terms(amount)
        result = np.zeros(frequencies, np.complex128)
        width = WALK_BLOCK if walked else BLOCK
        for begin in range(0, frequencies, width):
            block = slice(begin, min(begin + width, frequencies))
            part = {name: {key: term[block] for key, term in of.items()} for name, of in terms.items()}
            result[block] = self._block({key: term[block] for key, term in first.items()}, part, walked, feature_only)
        if feature_only:
            none = float(self.laws[self.start][self._none].probability) if self._none in self.laws[self.start] else 0.0
            none **= self.spins
            result = (result - none) / (1 - none)
        return result

    @property
    def _none(self) -> Awards:
        return (0,) * len(self.states)

    def _block(
        self, first: dict[Awards, Complex], terms: dict[str, dict[Awards, Complex]], walked: bool, feature_only: bool
    ) -> Complex:
        if walked:
            return self._walk(first, terms[self.further[0]], feature_only)
        return _polynomial(first, self._settled(terms)) ** self.spins

    def _settled(self, terms: dict[str, dict[Awards, Complex]]) -> dict[int, Complex]:
        """F_i by column of state i: plain steps, then Newton's; states that lead to none of their own at once."""
        values: dict[int, Complex] = {}
        columns = {name: self.states.index(name) for name in terms}
        waiting = dict(terms)
        while waiting:
            ready = [
                name for name, of in waiting.items() if not any(key[columns[other]] for key in of for other in waiting)
            ]
            for name in ready:
                values[columns[name]] = _polynomial(waiting.pop(name), values)
            if not ready:
                values |= _newton({columns[name]: of for name, of in waiting.items()}, values)
                break
        return values

    def _walk(self, first: dict[Awards, Complex], free: dict[Awards, Complex], feature_only: bool) -> Complex:
        """Transform of a round whose cap can be reached; the states and their order are those of feature._capped."""
        column = self.states.index(self.further[0])
        one = _one_state(free, column)
        own = self.start == self.further[0]
        width = len(next(iter(free.values())))
        level: Complex = np.ones((1, width), np.complex128)  # by `allowed`; nothing left at level 0
        scratch: Complex = np.empty((self.cap + 1, width), np.complex128)
        begin = self.spins if own else 0
        paid = {} if own else _one_state(_power(first, self.spins), column)
        if own and feature_only:
            raise AnalysisError(
                "the further spins of a mode of free spins have no law of their own with a cap in reach"
            )
        for n in range(1, self.cap + begin + 1):
            most = min(n - 1, self.cap)
            here: Complex = np.zeros((min(n, self.cap) + 1, width), np.complex128)
            for r, term in one.items():
                cut = min(r, most + 1)  # with fewer allowed than awarded, all that are allowed are played
                here[:cut] += term * level[0]
                if cut <= most:
                    here[cut : most + 1] += np.multiply(term, level[: most + 1 - cut], out=scratch[: most + 1 - cut])
            if n <= self.cap:
                here[n] = 1.0
            level = here
        result: Complex = np.zeros(width, np.complex128)
        if own:
            result += level[self.cap]
        for r, term in paid.items():
            result += term * level[self.cap - min(r, self.cap)]
        return result

    # -- moments ----------------------------------------------------------------------------------------

    def moment(self, s: float) -> float:
        """E[e^(s win)] of a round without a cap. OverflowError when it has no finite value."""

        def amount(units: NDArray[np.int64], odds: NDArray[np.float64]) -> float:
            return float(np.exp(np.minimum(700.0, s * units)) @ odds)

        terms: dict[str, dict[Awards, float]] = {name: self.rows[name].terms(amount) for name in self.names}
        columns = {name: self.states.index(name) for name in self.further}
        values = dict.fromkeys(columns.values(), 1.0)
        for _ in range(10_000 if self.further else 0):
            following = {columns[name]: _polynomial(terms[name], values) for name in self.further}
            settled = all(abs(following[i] - values[i]) <= 1e-12 * values[i] for i in values)
            values = following
            if not all(map(math.isfinite, values.values())):
                raise OverflowError
            if settled:
                break
        else:
            if self.further:
                raise OverflowError
        return float(_polynomial(terms[self.start], values) ** self.spins)


def _polynomial(terms: Mapping[Awards, Value], values: Mapping[int, Value]) -> Value:
    """sum_K terms[K] prod_j values[j]^K_j."""
    total: Any = 0.0
    for key, term in terms.items():
        product: Any = term
        for j, n in enumerate(key):
            if n:
                product = product * values[j] ** n
        total = total + product
    return total  # type: ignore[no-any-return]


def _one_state(terms: Mapping[Awards, Complex], column: int) -> dict[int, Complex]:
    """Terms by the spins of one state alone."""
    result: dict[int, Complex] = {}
    for key, term in terms.items():
        r = key[column]
        result[r] = result[r] + term if r in result else term
    return result


def _newton(terms: Mapping[int, Mapping[Awards, Complex]], known: Mapping[int, Complex]) -> dict[int, Complex]:
    """F_i = sum_K a_iK prod_j F_j^K_j for the states in `terms`; the Jacobian I - M is regular where rounds end."""
    columns = list(terms)
    width = len(next(iter(next(iter(terms.values())).values())))
    values = {i: np.ones(width, np.complex128) for i in columns}
    for _ in range(8):
        values = {i: _polynomial(terms[i], {**known, **values}) for i in columns}
    slopes = {
        (i, j): {(*key[:j], key[j] - 1, *key[j + 1 :]): key[j] * term for key, term in terms[i].items() if key[j]}
        for i in columns
        for j in columns
    }
    for _ in range(50):
        now = {**known, **values}
        change: Complex = np.stack([_polynomial(terms[i], now) - values[i] for i in columns], axis=-1)
        if len(columns) == 1:
            change /= (1 - _polynomial(slopes[columns[0], columns[0]], now))[:, None]
        else:
            matrix = np.zeros((width, len(columns), len(columns)), np.complex128)
            for a, i in enumerate(columns):
                for b, j in enumerate(columns):
                    matrix[:, a, b] = float(a == b) - _polynomial(slopes[i, j], now)
            change[:] = np.linalg.solve(matrix, change[:, :, None])[:, :, 0]
        for a, i in enumerate(columns):
            values[i] = values[i] + change[:, a]
        if float(np.abs(change).max()) < 1e-13:
            return values
    raise AnalysisError("the law of the free spins did not settle; award fewer further spins")
