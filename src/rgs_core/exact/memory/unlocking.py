"""Law of a feature of hold and spin that goes on as states with more rows: the sum of its laws by the state of its end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, cast

from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.memory.beginnings import Names, Way
from rgs_core.exact.memory.hold import HoldStart
from rgs_core.exact.spin_terms import Amount, Value


@dataclass(frozen=True)
class UnlockingStart:
    """Law of all that such a feature wins. `ends[i]`: of those that end in the state i, whose odds add up to less than 1."""

    ends: tuple[HoldStart, ...]

    neglected: ClassVar[float] = 0.0
    most_reached: ClassVar[bool] = True
    transforms: ClassVar[int] = 1

    @property
    def state_name(self) -> str:
        """The state whose spins it plays at first."""
        return self.ends[0].state_name

    @property
    def name(self) -> str:
        """Names the law among those of the states of a round."""
        return self.ends[0].name

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what it awards."""
        return self.ends[0].states

    @property
    def spins(self) -> Fraction:
        """Mean spins that it plays."""
        return self.ends[0].spins

    @property
    def granted(self) -> int:
        """Most spins that it can be awarded, those included that it begins with."""
        return self.ends[0].granted

    def beside(self, spins: int) -> UnlockingStart:
        """The same where so many of its spins are paid for."""
        return UnlockingStart(tuple(replace(end, granted=end.granted - spins) for end in self.ends))

    def ways(self) -> list[Way]:
        """A feature begins no other."""
        return []

    def among(self, names: Names) -> UnlockingStart:
        """The same law where there are these states."""
        return UnlockingStart(tuple(end.among(names) for end in self.ends))

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win; a feature awards nothing."""
        return {(0,) * len(self.states): self.moments}

    @cached_property
    def moments(self) -> Awarding:
        """E[X], E[X^2], P(X = 0) and the largest X."""
        first, *others = (end.moments for end in self.ends)
        for more in others:
            first = first | more
        return replace(first, probability=Fraction(1))

    def mean_parts(self) -> dict[str, Fraction]:
        """Mean units by evaluator."""
        parts: dict[str, Fraction] = defaultdict(Fraction)
        for end in self.ends:
            for name, units in end.mean_parts().items():
                parts[name] += units
        return dict(parts)

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """The transform of what it wins; it awards nothing."""
        total = cast(Any, 0.0)
        for end in self.ends:
            for term in end.terms(amount).values():
                total = total + term
        return {(0,) * len(self.states): total}

    @property
    def amounts(self) -> float:
        """Largest number of random amounts that it adds up."""
        return max(end.amounts for end in self.ends)

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts that a win adds up from."""
        return math.gcd(*(end.step for end in self.ends))

    def law(self) -> dict[int, Fraction]:
        """Every win in units with its probability."""
        law: dict[int, Fraction] = defaultdict(Fraction)
        for end in self.ends:
            for units, p in end.law().items():
                law[units] += p
        return dict(law)
