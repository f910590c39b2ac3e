"""Laws of features with a multiplier that an award gave them: those of the feature without it, times the multiplier.

Fixed or drawn, the multiplier is known when a feature begins, and multiplies all that its spins win. So a spin of such
a feature is one of a state of its own; what it awards to its own state goes on with the same multiplier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.exact.award_columns import feature_name
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.joint import Joint
from rgs_core.exact.memory.beginnings import NamedSpin, Names, Way
from rgs_core.exact.memory.whole_feature import WholeFeature
from rgs_core.exact.spin_terms import Amount, Floats, SpinTerms, Value

ONE_SPIN = Joint | NamedSpin
"""Laws of single spins."""


@dataclass(frozen=True)
class MultipliedFeature:
    """A law of single spins of a state, or of its features as a whole, with `multiplier` times what it wins."""

    state_name: str
    multiplier: int
    law: Joint | NamedSpin | WholeFeature

    @property
    def name(self) -> str:
        """Names the law among those of the states of a round."""
        own = feature_name(self.state_name, self.multiplier)
        return own if isinstance(self.law, ONE_SPIN) else own + self.law.name.removeprefix(self.state_name)

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the columns of what it awards."""
        return self.law.states

    @property
    def spins(self) -> Fraction:
        """Mean spins that it plays."""
        return Fraction(1) if isinstance(self.law, ONE_SPIN) else self.law.spins

    @property
    def granted(self) -> int:
        """Most spins that it can be awarded, those included that it begins with."""
        return 1 if isinstance(self.law, ONE_SPIN) else self.law.granted

    @property
    def neglected(self) -> float:
        """Odds of the features that are left out."""
        return 0.0 if isinstance(self.law, ONE_SPIN) else self.law.neglected

    @property
    def most_reached(self) -> bool:
        """Whether the largest win can be reached."""
        return isinstance(self.law, ONE_SPIN) or self.law.most_reached

    def ways(self) -> list[Way]:
        """All features that it may begin; these have multipliers of their own."""
        return [] if isinstance(self.law, ONE_SPIN) else self.law.ways()

    def among(self, names: Names) -> MultipliedFeature:
        """The same law where there are these states and features."""
        assert not isinstance(self.law, ONE_SPIN)  # these are widened by their round
        return replace(self, law=self.law.among(names))

    def _key(self, awards: Awards) -> Awards:
        """Awards with those of the own state in the own column."""
        plain = self.states.index(self.state_name)
        if not awards[plain]:
            return awards
        own = self.states.index(feature_name(self.state_name, self.multiplier))
        moved = list(awards)
        moved[own] += moved[plain]
        moved[plain] = 0
        return tuple(moved)

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win by what is awarded."""
        law: dict[Awards, Awarding] = {}
        for awards, event in self.law.by_award().items():
            key, more = self._key(awards), event.times(self.multiplier)
            law[key] = law[key] | more if key in law else more
        return law

    @cached_property
    def _source(self) -> SpinTerms | NamedSpin | WholeFeature:
        return SpinTerms.of(self.law) if isinstance(self.law, Joint) else self.law

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """Transform of the win by what is awarded."""

        def multiplied(units: NDArray[np.int64], odds: Floats) -> Value:
            return amount(units * self.multiplier, odds)

        terms: dict[Awards, Any] = {}
        for awards, term in self._source.terms(multiplied).items():
            key = self._key(awards)
            terms[key] = terms[key] + term if key in terms else term
        return terms

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts in units that a win adds up from; 0 without wins."""
        return self.multiplier * self._source.step

    @property
    def amounts(self) -> float:
        """Most random amounts that a win adds up."""
        return self._source.amounts

    @property
    def transforms(self) -> int:
        """Transforms that are held at once to compute `terms`."""
        return len(self.by_award()) if isinstance(self.law, ONE_SPIN) else self.law.transforms
