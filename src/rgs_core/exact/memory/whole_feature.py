"""Features that are known as a whole: all that they win and award, by the way in which they begin.

Where the spins of a feature depend on each other a single one has no law that serves all of them, but the feature
has. It then takes part in a round as one spin of a state of its own, so that a round is a branching process again: of
the paid spin, of such features and of all other states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Protocol, Self

import numpy as np

from rgs_core.exact.awarding import NOTHING, Awarding, Awards
from rgs_core.exact.joint import Joint
from rgs_core.exact.memory.beginnings import NamedSpin, Names, Way
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

    def ways(self) -> list[Way]:
        """All features that it may begin."""

    def among(self, names: Names) -> Self:
        """The same law where there are these states and features."""

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win by the spins of other states that it awards, and features that it begins."""

    def terms(self, amount: Amount[Value]) -> Mapping[Awards, Value]:
        """Transform of the win by the same."""

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
class TakenSpins:
    """Spins that a feature takes from the cap of a round, but for the one that the feature counts as itself. They win
    and award nothing."""

    states: tuple[str, ...]
    step = 0
    amounts = 0.0
    transforms = 1

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Surely nothing."""
        return {(0,) * len(self.states): NOTHING}

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """The transform of nothing."""
        return {(0,) * len(self.states): amount(np.zeros(1, np.int64), np.ones(1))}


TAKEN = "spins of features"
"""Names them among the states of a round."""


@dataclass(frozen=True)
class CountedFeature:
    """A feature that is known as a whole with the spins that it may take from the cap beside itself, as spins of a state
    of their own: so many as it can be awarded at most."""

    law: WholeFeature
    taken: int

    @property
    def name(self) -> str:
        """That of the feature."""
        return self.law.name

    @property
    def state_name(self) -> str:
        """The state whose spins it plays."""
        return self.law.state_name

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what it awards."""
        return self.law.states

    @property
    def spins(self) -> Fraction:
        """Mean spins that it plays."""
        return self.law.spins

    @property
    def granted(self) -> int:
        """Most spins that it can be awarded."""
        return self.law.granted

    @property
    def neglected(self) -> float:
        """Odds of the features that are left out."""
        return self.law.neglected

    @property
    def most_reached(self) -> bool:
        """Whether the largest win can be reached."""
        return self.law.most_reached

    def ways(self) -> list[Way]:
        """All features that it may begin."""
        return self.law.ways()

    def among(self, names: Names) -> CountedFeature:
        """The same law where there are these states and features."""
        return replace(self, law=self.law.among(names))

    def _key(self, awards: Awards) -> Awards:
        taken = self.states.index(TAKEN)
        return (*awards[:taken], awards[taken] + self.taken, *awards[taken + 1 :])

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win by what is awarded."""
        return {self._key(awards): event for awards, event in self.law.by_award().items()}

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """Transform of the win by the same."""
        return {self._key(awards): term for awards, term in self.law.terms(amount).items()}

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts in units; 0 without wins."""
        return self.law.step

    @property
    def amounts(self) -> float:
        """Most random amounts that a win adds up."""
        return self.law.amounts

    @property
    def transforms(self) -> int:
        """Transforms that are held at once to compute `terms`."""
        return self.law.transforms


@dataclass(frozen=True)
class FeatureRound:
    """The paid spin and the features that are known as a whole and that it starts.

    `spins`: the law of one spin, by real states and spins, of the paid state and of those that remember nothing;
    `starting`: that of the paid spin by those and by features, named as in `laws`; `laws`: of each such feature;
    `methods`: by the states of these features, how their laws are computed. Where the mode begins with such a feature,
    `starting` is its law, and `own_spins` the odds that it has no spins but those that it begins with and awards none, and
    how many of those it plays on average. `interrupted`: laws of single spins, by state, that such features interrupt;
    `inside`: how many of each interrupt a feature that is known as a whole, by the names of both. Where there are any, the
    features are `CountedFeature`s, as nothing bounds how many there are.
    """

    spins: Mapping[str, Joint]
    starting: NamedSpin | WholeFeature
    laws: Mapping[str, WholeFeature]
    methods: Mapping[str, str]
    own_spins: tuple[Fraction, Fraction] | None = None
    interrupted: Mapping[str, NamedSpin] = field(default_factory=dict)
    inside: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)

    @property
    def counted(self) -> Mapping[str, NamedSpin | TakenSpins]:
        """The laws of interrupted spins, and of those that features take from the cap beside them."""
        counts = self.interrupted or self.inside
        return {**self.interrupted, TAKEN: TakenSpins(self.starting.states)} if counts else {}

    @cached_property
    def granted(self) -> Mapping[str, int]:
        """Most spins that a round awards by state of these features; only states that it can lead to."""
        states = dict.fromkeys(law.state_name for law in self.laws.values())
        return {
            state: self._most({name: law.granted for name, law in self.laws.items() if law.state_name == state})
            for state in states
        }

    @cached_property
    def granted_further(self) -> int:
        """Most spins that all these features of a round are awarded together, but for the first one of each."""
        return self._most({name: law.granted - 1 for name, law in self.laws.items()})

    def _most(self, amounts: Mapping[str, int]) -> int:
        """The largest sum of such amounts over all features of a round: no feature leads to itself."""
        known: dict[str, int] = {}

        def begun(laws: Mapping[Awards, Awarding]) -> int:
            found = ({name: n for name, n in zip(self.starting.states, key, strict=True) if n} for key in laws)
            return max(sum(n * most(name) for name, n in of.items() if name in self.laws) for of in found)

        def most(name: str) -> int:
            if name not in known:
                known[name] = amounts.get(name, 0) + begun(self.laws[name].by_award())
            return known[name]

        return begun(self.starting.by_award())

    @property
    def neglected(self) -> float:
        """Odds of features that are left out, at most, whatever begins."""
        return sum(law.neglected for law in self.laws.values())

    def widened(self, joint: Joint) -> Joint:
        """Another state's law with the features among the states that it does not award."""
        more = len(self.starting.states) - len(joint.states)
        return replace(joint, states=self.starting.states, awards=np.pad(joint.awards, ((0, 0), (0, more))))
