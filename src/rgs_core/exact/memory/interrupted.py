"""Laws of spins that other features interrupt, together with all that these win.

A feature that is played at once begins and ends between two spins of the one that it interrupts, and does nothing to
it. So what it wins and awards counts as that of the spin that starts it: the interrupted feature stays the chain that
it is. How often such features are begun is counted beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from rgs_core.exact.awarding import Awarding, Awards, plus
from rgs_core.exact.memory.beginnings import Beginnings, Handed, Way
from rgs_core.exact.memory.memories import Memories, RememberingSpin, Situation
from rgs_core.exact.memory.whole_feature import WholeFeature
from rgs_core.exact.spin_terms import Amount, Value


class Transformed:
    """Transforms of whole features, of which those by the last `amount` are remembered: all spins need the same."""

    def __init__(self) -> None:
        self._amount: object = None
        self._known: dict[str, Any] = {}

    def __call__(self, feature: WholeFeature, amount: Amount[Value]) -> Mapping[Awards, Value]:
        if amount is not self._amount:
            self._amount, self._known = amount, {}
        if feature.name not in self._known:
            self._known[feature.name] = feature.terms(amount)
        found: Mapping[Awards, Value] = self._known[feature.name]
        return found


@dataclass(frozen=True)
class InterruptedMemories:
    """Laws of the spins of a state by memory, with the features of `beginnings` inside; `law_of` knows these."""

    alone: Memories
    beginnings: Beginnings
    law_of: Callable[[Way], WholeFeature]
    transformed: Transformed = field(default_factory=lambda: Transformed())

    @property
    def count(self) -> int:
        """Memories that were met so far."""
        return self.alone.count

    @property
    def method(self) -> str:
        """How the laws are computed."""
        return f"{self.alone.method}, with the features that interrupt them"

    def state(self, memory: int) -> str:
        """The state that plays from a memory."""
        return self.alone.state(memory)

    def handed(self, handed: Handed) -> int:
        """The number of the memory of a feature that begins with these cells."""
        return self.alone.handed(handed)

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when the laws of all these cannot be had."""
        self.alone.need(situations, further)

    def law(self, situation: Situation) -> InterruptedSpin:
        """Law of a spin; what it leaves is its last award."""
        return InterruptedSpin(self.alone.law(situation), self.beginnings, self.law_of, self.transformed)

    def begun(self, visits: Mapping[Situation, Fraction]) -> dict[Way, Fraction]:
        """Mean number of features that begin inside, by way, of so many spins by situation."""
        found: dict[Way, Fraction] = {}
        for situation, n in visits.items():
            for awards, event in self.alone.law(situation).by_award().items():
                for way in self.beginnings.of((*awards[:-1], 0))[1]:
                    found[way] = found.get(way, Fraction(0)) + n * event.probability
        return {way: n for way, n in found.items() if n}


@dataclass(frozen=True)
class InterruptedSpin:
    """Law of one spin from a memory, with the features that it starts at once."""

    alone: RememberingSpin
    beginnings: Beginnings
    law_of: Callable[[Way], WholeFeature]
    transformed: Transformed

    def _split(self, awards: Awards) -> tuple[Awards, list[WholeFeature], int]:
        """Spins that wait, features that are played at once, and the memory that is left."""
        *spins, left = awards
        waiting, ways = self.beginnings.of((*spins, 0))
        return waiting, [self.law_of(way) for way in ways], left

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win by the spins awarded and the memory left."""
        law: dict[Awards, Awarding] = {}
        for awards, event in self.alone.by_award().items():
            waiting, features, left = self._split(awards)
            together: Mapping[Awards, Awarding] = reduce(plus, (f.by_award() for f in features), {waiting: event})
            for key, more in together.items():
                place = (*key, left)
                law[place] = law[place] | more if place in law else more
        return law

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """Transform of the win by the same."""
        terms: dict[Awards, Value] = {}
        spins: Awards
        for awards, term in self.alone.terms(amount).items():
            waiting, features, left = self._split(awards)
            inside = [self.transformed(feature, amount) for feature in features]
            together: Mapping[Awards, Value] = reduce(_times, inside, {waiting: term})
            for spins, more in together.items():
                _add(terms, (*spins, left), more)
        return terms

    def _features(self) -> Iterator[WholeFeature]:
        for awards in self.alone.by_award():
            yield from self._split(awards)[1]

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts in units; 0 without wins."""
        return int(np.gcd.reduce([self.alone.step, *(feature.step for feature in self._features())]))

    @property
    def amounts(self) -> float:
        """Most random amounts that the win adds up."""
        most = (sum(feature.amounts for feature in self._split(awards)[1]) for awards in self.alone.by_award())
        return self.alone.amounts + max(most, default=0.0)


def _times(a: Mapping[Awards, Value], b: Mapping[Awards, Value]) -> dict[Awards, Value]:
    """Transforms of two independent plays together."""
    together: dict[Awards, Value] = {}
    for left, x in a.items():
        for right, y in b.items():
            _add(together, tuple(i + j for i, j in zip(left, right, strict=True)), x * y)
    return together


def _add(terms: dict[Awards, Value], key: Awards, value: Value) -> None:
    """Adds a transform to that of the same awards."""
    terms[key] = terms[key] + value if key in terms else value
