"""A round on the Fourier side: transforms of spins and of all that they start (rgs_core.exact.spin_terms).

The same sums with real exponents give the moments E[e^(s win)] that bound what is beyond a grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awards, reachable
from rgs_core.exact.cycle import FullCycle, Scenario
from rgs_core.exact.feature import FREE_SPINS_MAX, alternatives, cap_out_of_reach, cap_tail
from rgs_core.exact.joint import Joint
from rgs_core.exact.memory.beginnings import NamedSpin
from rgs_core.exact.memory.whole_feature import TakenSpins, WholeFeature
from rgs_core.exact.spin_terms import Complex, Floats, SpinTerms, Value, power

BLOCK = 1 << 13
"""Frequencies that a system of several states takes at a time, for the sake of memory."""

WALK_BLOCK = 1 << 9
"""Frequencies that a walk takes at a time: its levels then fit a cache."""
EXPONENTS_MAX = 1 << 22
"""Most values of exponentials that are held at once: 32 MB."""


class RoundLaw:
    """One scenario of a round: its terms on a grid, and what bounds them."""

    def __init__(self, cycle: FullCycle, case: Scenario) -> None:
        self.probability = float(case.probability)
        self.build = cycle.build
        self.start, self.spins = cycle.build.play.start, cycle.start_spins
        self.states = case.laws[self.start].states
        self.cap = cycle.spins_max
        self.model_cap = cycle.build.model.free_spins_max
        self.laws = {name: joint.by_award() for name, joint in case.laws.items()}
        self.further = reachable(self.laws, self.states, self.start)
        self.names = list(dict.fromkeys([self.start, *self.further]))
        self.columns = [self.states.index(name) for name in self.names]
        self.rows: dict[str, SpinTerms | NamedSpin | TakenSpins | WholeFeature] = {}
        for name in self.names:
            law = case.laws[name]
            self.rows[name] = SpinTerms.of(law) if isinstance(law, Joint) else law

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts; 0 when nothing wins."""
        return math.gcd(*(rows.step for rows in self.rows.values()))

    @cached_property
    def ways(self) -> tuple[str, ...] | None:
        """The states of which a round has further spins of one at most, so that its cap can be walked; else None."""
        if len(self.further) == 1:
            return tuple(self.further)
        parts = alternatives(self.laws, self.states, self.start, self.further) if self.spins == 1 else None
        return tuple(parts) if parts else None

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
    def cap_advice(self) -> str:
        """Which cap has no part in the law."""
        enough = cap_out_of_reach(self.laws, self.states, self.start, self.spins)
        apart = self.model_cap - self.cap
        if enough is None or enough + apart > FREE_SPINS_MAX:
            return "simulate, or award fewer spins"
        return f"simulate, or set caps.free_spins to {enough + apart} or more"

    @property
    def terms_count(self) -> int:
        """Transforms that are held at once: of what a state's spin wins, by what it awards."""
        whole = sum(
            law.transforms for law in self.rows.values() if not isinstance(law, SpinTerms | NamedSpin | TakenSpins)
        )
        return whole + sum(len(self.laws[name]) for name in self.names)

    def walk_work(self, frequencies: int) -> int:
        """States x awards x frequencies of a walk."""
        levels = self.cap + (self.spins if self.start in self.further else 0)
        columns = {name: self.states.index(name) for name in self.ways or ()}
        awards = sum(len({key[column] for key in self.laws[name]}) for name, column in columns.items())
        return levels * self.cap // 2 * awards * frequencies

    def powers(self, *, walked: bool) -> float:
        """Transforms multiplied for a round: of its spins with their bonuses."""
        own = self.spins * self.rows[self.start].amounts
        if not self.further:
            return own
        each = max(self.rows[name].amounts for name in self.further)
        if walked:
            return own + self.cap * each
        most = max(sum(key) for key in self.laws[self.start])
        return own + self.spins * most / (1 - self.radius) * each

    # -- transforms on a grid ---------------------------------------------------------------------------

    def transforms(self, step: int, size: int, *, walked: bool, feature_only: Sequence[bool]) -> list[Complex]:
        """Transforms of the round's win, or with True of what its further spins win on the event that there are some,
        divided by the odds of that event; complex128[size // 2 + 1] for each. What further spins win is found once."""

        def amount(units: NDArray[np.int64], odds: NDArray[np.float64]) -> Complex:
            return np.fft.rfft(np.bincount(units // step % size, weights=odds, minlength=size))

        frequencies = size // 2 + 1
        terms: dict[str, Mapping[Awards, Complex]] = {name: self.rows[name].terms(amount) for name in self.further}

        def first_of(alone: bool) -> Mapping[Awards, Complex]:
            if alone:
                odds = {key: float(a.probability) for key, a in self.laws[self.start].items()}
                return {key: np.full(frequencies, p, np.complex128) for key, p in odds.items()}
            return terms[self.start] if self.start in terms else self.rows[self.start].terms(amount)

        firsts = [first_of(alone) for alone in feature_only]
        results = [np.zeros(frequencies, np.complex128) for _ in firsts]
        width = WALK_BLOCK if walked else BLOCK
        for begin in range(0, frequencies, width):
            block = slice(begin, min(begin + width, frequencies))
            part = {name: {key: term[block] for key, term in of.items()} for name, of in terms.items()}
            begun = [{key: term[block] for key, term in first.items()} for first in firsts]
            for result, found in zip(results, self._block(begun, part, walked, any(feature_only)), strict=True):
                result[block] = found
        law = self.laws[self.start]
        none = float(law[self._none].probability) ** self.spins if self._none in law else 0.0
        return [
            (result - none) / (1 - none) if alone else result
            for result, alone in zip(results, feature_only, strict=True)
        ]

    @property
    def _none(self) -> Awards:
        return (0,) * len(self.states)

    def _block(
        self,
        firsts: Sequence[dict[Awards, Complex]],
        terms: dict[str, dict[Awards, Complex]],
        walked: bool,
        feature_only: bool,
    ) -> list[Complex]:
        """Of each of these first spins with all that it starts; `feature_only`: some of them win nothing themselves."""
        if walked and self.ways is not None:
            if self.start in self.further and feature_only:
                raise AnalysisError(
                    "the further spins of a mode of free spins have no law of their own with a cap in reach"
                )
            levels = {name: self._walk(name, terms[name]) for name in self.ways}
            return [
                cast(Complex, sum(self._begun(name, self._leading(first, name), of) for name, of in levels.items()))
                for first in firsts
            ]
        settled = self._settled(terms)
        return [_polynomial(first, settled) ** self.spins for first in firsts]

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

    def _leading(self, first: dict[Awards, Complex], name: str) -> dict[Awards, Complex]:
        """Of the terms of the first spin those that lead to a state; what starts nothing is with the first one."""
        if len(self.further) == 1:
            return first
        column, others = self.states.index(name), name == self.further[0]
        return {key: term for key, term in first.items() if key[column] or (others and not any(key))}

    def _begun(self, name: str, first: dict[Awards, Complex], level: Complex) -> Complex:
        """Transform of a round with further spins of a state, by what they win: the last level of `_walk`."""
        if self.start == name:
            return cast(Complex, level[self.cap])
        paid = _one_state(power(first, self.spins), self.states.index(name))
        return cast(Complex, sum(term * level[self.cap - min(r, self.cap)] for r, term in paid.items()))

    def _walk(self, name: str, free: dict[Awards, Complex]) -> Complex:
        """Transforms of all further spins of a state, whose cap can be reached, by how many are still allowed; the states
        and their order are those of feature._capped."""
        column = self.states.index(name)
        one = _one_state(free, column)
        own = self.start == name
        width = len(next(iter(free.values())))
        level: Complex = np.ones((1, width), np.complex128)  # by `allowed`; nothing left at level 0
        scratch: Complex = np.empty((self.cap + 1, width), np.complex128)
        begin = self.spins if own else 0
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
        return level

    # -- moments ----------------------------------------------------------------------------------------

    def moments(self, s: Floats) -> Floats:
        """E[e^(s win)] of a round without a cap for each s, float64[n]; infinite where it has no finite value."""

        def amount(units: NDArray[np.int64], odds: Floats) -> Floats:
            if len(s) * len(units) <= EXPONENTS_MAX:
                return cast(Floats, np.exp(np.multiply.outer(s, units)) @ odds)
            return np.array([np.exp(x * units) @ odds for x in s])

        with np.errstate(over="ignore", invalid="ignore"):
            terms: dict[str, Mapping[Awards, Floats]] = {name: self.rows[name].terms(amount) for name in self.names}
            values = {self.states.index(name): np.ones(len(s)) for name in self.further}
            settled = np.full(len(s), not self.further)
            for _ in range(10_000):
                if settled.all():
                    break
                following = {self.states.index(name): _polynomial(terms[name], values) for name in self.further}
                settled = np.logical_and.reduce([
                    ~(np.abs(following[i] - values[i]) > 1e-12 * values[i]) for i in values  # or no number any more
                ])  # fmt: skip
                values = following
            found = _polynomial(terms[self.start], values) ** self.spins
        finite = settled & np.isfinite(found)
        for value in values.values():
            finite &= np.isfinite(value)
        return np.where(finite, found, np.inf)


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
