"""What a feature can remember, and the joint law of its next spin from each of these memories.

A memory is all that earlier spins of the feature leave to a further one: held cells with their values, running
multipliers, collected symbols, steps of a cascade that are counted on. Memories are numbered as they are met. The law
of a spin from one of them has an award more than the states, the last one: the number of the memory that it leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from rgs_core._engine import Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awards, SpinLaw
from rgs_core.exact.joint import COMBINATIONS_MAX, model_states, remembers_because, visited_joint
from rgs_core.exact.spin_paths import UNCOUNTED, spin_paths
from rgs_core.exact.spin_terms import Amount, SpinTerms, Value
from rgs_core.language.model import Build

NEXT = "memory"
"""Stands behind the names of the states in a joint law: what the spin leaves."""

OVER, FRESH = 0, 1
"""Numbers: no memory, as every cell is held and the feature is over; what a feature begins with."""

MEMORIES_MAX = 4_096
"""Most memories of a state whose laws are computed."""

Situation = tuple[int, bool]
"""A memory, and whether the spin is the last one of its feature unless it awards others."""


class RememberingSpin(Protocol):
    """Law of a spin from one memory."""

    def by_award(self) -> SpinLaw:
        """Exact moments of the win by the spins awarded and the memory left, bonuses included."""

    def terms(self, amount: Amount[Value]) -> Mapping[Awards, Value]:
        """Transform of the win by the same."""

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts in units; 0 without wins."""

    @property
    def amounts(self) -> float:
        """Most random amounts that the win adds up."""


class Memories(Protocol):
    """Laws of the spins of a state by memory."""

    @property
    def count(self) -> int:
        """Memories that were met so far."""

    @property
    def method(self) -> str:
        """How the laws are computed."""

    def need(self, situations: Collection[Situation]) -> None:
        """Raises AnalysisError when the laws of all these cannot be had."""

    def law(self, situation: Situation) -> RememberingSpin:
        """Law of a spin; what it leaves is its last award."""


class VisitedMemories:
    """By every combination of draws from each memory: for all that can be remembered."""

    method = "each by every combination"

    def __init__(self, build: Build, name: str) -> None:
        self._engine = Engine(build)
        self._index = model_states(self._engine).index(name)
        self._state = build.model.states[name]
        self._ends = any(getattr(build.model.evaluators[part], "at", "") == "end" for part in self._state.evaluators)
        self._paths = spin_paths(build, self._state)
        self._visited = 0
        self._numbers: dict[bytes | None, int] = {None: OVER, b"": FRESH}
        self._memories: list[bytes | None] = [None, b""]
        self._laws: dict[Situation, SpinTerms] = {}

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories) - 1

    def need(self, situations: Collection[Situation]) -> None:
        """Raises AnalysisError when there are too many memories, or combinations of draws from all of them."""
        missing = {self._known(situation) for situation in situations} - self._laws.keys()
        why = remembers_because(self._engine.build.model, self._state)
        if self._paths >= UNCOUNTED:
            raise AnalysisError(f"{why}, and its spins have more combinations of draws than can be counted")
        if self.count > MEMORIES_MAX:
            raise AnalysisError(f"{why} in more than {MEMORIES_MAX:,} ways, up to which their laws are computed")
        if missing and self._visited + max(2, len(missing)) * self._paths > COMBINATIONS_MAX:
            raise AnalysisError(
                f"{why} in at least {max(2, self.count)} ways, from each of which a spin has {self._paths:,} "
                f"combinations of draws; they are counted up to {COMBINATIONS_MAX:,} in all"
            )

    def law(self, situation: Situation) -> SpinTerms:
        """Law of a spin; what it leaves is its last award."""
        known = self._known(situation)
        if known not in self._laws:
            memory, last = known
            remembered = self._memories[memory]
            assert remembered is not None  # nothing follows when the feature is over
            law = self._engine.spin_law(self._index, memory=remembered, last=last)
            for left in law.memories:
                if left not in self._numbers:
                    self._numbers[left] = len(self._memories)
                    self._memories.append(left)
            numbers = np.array([self._numbers[left] for left in law.memories], dtype=np.int64)
            joint = visited_joint(self._engine, self._index, law)
            self._visited += law.paths
            awards = np.column_stack([joint.awards, numbers[law.left]])
            self._laws[known] = SpinTerms.of(replace(joint, states=(*joint.states, NEXT), awards=awards))
        return self._laws[known]

    def _known(self, situation: Situation) -> Situation:
        """Without a pay at the end of the feature its last spin is like all others."""
        return situation[0], situation[1] and self._ends
