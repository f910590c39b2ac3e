"""Features that are known as a whole: all that they win and award, by the way in which they begin.

Where the spins of a feature depend on each other a single one has no law that serves all of them, but the feature
has. It then takes part in a round as one spin of a state of its own, so that a round is a branching process again: of
the paid spin, of such features and of all other states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol, Self

import numpy as np

from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.joint import Joint
from rgs_core.exact.spin_terms import Amount, Value


class WholeFeature(Protocol):
    """Law of a feature that begins in a certain way (rgs_core.exact.memory.hold, rgs_core.exact.memory.chain)."""

    @property
    def name(self) -> str:
        """Names the law among those of the states of a round: the state, ` @ ` and how the feature begins."""

    @property
    def state_name(self) -> str:
        """The state whose spins it plays."""

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what it awards."""

    @property
    def spins(self) -> Fraction:
        """Mean spins that it plays."""

    @property
    def granted(self) -> int:
        """Most spins that it can be awarded, those included that it begins with."""

    @property
    def neglected(self) -> float:
        """Odds of the features that are left out, because they are too long."""

    @property
    def most_reached(self) -> bool:
        """Whether the largest win of `by_award` can be reached, or is an upper bound only."""

    def among(self, states: tuple[str, ...]) -> Self:
        """The same law where there are these states; the first ones are those that it knows."""

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win by the spins of other states that it awards."""

    def terms(self, amount: Amount[Value]) -> Mapping[Awards, Value]:
        """Transform of the win by the spins of other states that it awards."""

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts in units that a win adds up from; 0 without wins."""

    @property
    def amounts(self) -> float:
        """Most random amounts that a win adds up."""

    @property
    def transforms(self) -> int:
        """Transforms that are held at once to compute `terms`."""


@dataclass(frozen=True)
class FeatureRound:
    """The paid spin and the features that are known as a whole and that it starts.

    `paid`: its law by real states and spins; `starting`: the same by those and by features, named as in `laws`;
    `laws`: of each such feature; `methods`: by the states of these features, how their laws are computed.
    """

    paid: Joint
    starting: Joint
    laws: Mapping[str, WholeFeature]
    methods: Mapping[str, str]

    @property
    def granted(self) -> Mapping[str, int]:
        """Most spins that a round awards by state of these features; only states that it can lead to."""
        most: dict[str, int] = {}
        for law in self.laws.values():
            most[law.state_name] = max(most.get(law.state_name, 0), law.granted)
        return most

    @property
    def neglected(self) -> float:
        """Odds of features that are left out, at most, whatever begins."""
        return sum(law.neglected for law in self.laws.values())

    def widened(self, joint: Joint) -> Joint:
        """Another state's law with the features among the states that it does not award."""
        more = len(self.starting.states) - len(joint.states)
        return replace(joint, states=self.starting.states, awards=np.pad(joint.awards, ((0, 0), (0, more))))
