"""One spin on the Fourier side: transforms of what it wins, by what it awards, with those of the bonuses it plays.

The same sums with real exponents s give the moments E[e^(s win)].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rgs_core.exact.awarding import Awards, SpinLaw
from rgs_core.exact.bonuses import awarded, bonus_law
from rgs_core.exact.joint import Joint, bonus_name
from rgs_core.language.mechanics import Pick, Table, Wheel, settled
from rgs_core.language.model import Model

Complex = NDArray[np.complex128]
Floats = NDArray[np.float64]
Value = TypeVar("Value", Complex, Floats)
"""Values at frequencies, or at real exponents: one-dimensional arrays of equal length."""

Amount = Callable[[NDArray[np.int64], Floats], Value]
"""Transform, or moments, of amounts in units with their probabilities."""

Terms = Mapping[Awards, Value]
"""By the spins awarded, the transform of "wins x and awards these"."""


@dataclass(frozen=True)
class SpinTerms:
    """A spin's law by what it awards and plays, on the Fourier side: rows of a `Joint` grouped."""

    joint: Joint
    awards: tuple[Awards, ...]
    plays: tuple[Awards, ...]
    units: tuple[NDArray[np.int64], ...]
    probabilities: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, joint: Joint) -> SpinTerms:
        groups = list(joint.groups())
        odds = joint.probabilities
        return cls(
            joint,
            tuple(awards for awards, _, _ in groups),
            tuple(plays for _, plays, _ in groups),
            tuple(joint.units[rows] for *_, rows in groups),
            tuple(odds[rows] for *_, rows in groups),
        )

    def by_award(self) -> SpinLaw:
        """Exact moments of the win by spins awarded, bonuses included."""
        return self.joint.by_award()

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
                        powers[column, n] = power(bonuses[column], n)
                    here = times(here, powers[column, n])
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
    def amounts(self) -> float:
        """Largest number of random amounts that a spin may add up, itself included."""
        amounts = 1.0
        for column, trigger in enumerate(self.joint.bonuses):
            most = max((plays[column] for plays in self.plays), default=0)
            amounts += most * _bonus_amounts(self.joint.model, bonus_name(trigger))
        return amounts


def times(a: Mapping[Awards, Value], b: Mapping[Awards, Value]) -> dict[Awards, Value]:
    """Terms of two independent plays together."""
    result: dict[Awards, Value] = {}
    for left, x in a.items():
        for right, y in b.items():
            key = tuple(i + j for i, j in zip(left, right, strict=True))
            result[key] = result[key] + x * y if key in result else x * y
    return result


def power(terms: dict[Awards, Value], n: int) -> dict[Awards, Value]:
    """Terms of n independent plays, n at least 1."""
    result = terms
    for bit in bin(n)[3:]:
        result = times(result, result)
        if bit == "1":
            result = times(result, terms)
    return result


def bonus_terms(
    model: Model, name: str, multiplier: int, states: Sequence[str], amount: Amount[Value]
) -> dict[Awards, Value]:
    """Terms of one play of a bonus with the multiplier of a state; those of nothing for one that multiplies the win,
    as the law of the spin knows it."""
    bonus = settled(model.bonuses[name])
    none = (0,) * len(states)
    if bonus.of == "win":
        return {none: amount(np.zeros(1, dtype=np.int64), np.ones(1))}
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
            here: dict[Awards, Value] = {
                awards: amount(np.array([segment.pay * unit]), np.array([segment.weight / total * float(p)]))
                for awards, p in awarded(segment, states)
            }
            if segment.bonus is not None:
                here = times(here, bonus_terms(model, segment.bonus, multiplier, states, amount))
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
    """Greatest common divisor of what a bonus adds up from, in units; 0 for one that adds nothing."""
    bonus = settled(model.bonuses[name])
    if bonus.of == "win":
        return 0
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
    if bonus.of == "win":
        return 0.0
    if isinstance(bonus, Pick):
        return float(max(bonus.picks.values) * max(bonus.prizes_per_pick.values))
    if isinstance(bonus, Wheel):
        return 1 + max((_bonus_amounts(model, s.bonus) for s in bonus.segments if s.bonus is not None), default=0.0)
    return 1.0
