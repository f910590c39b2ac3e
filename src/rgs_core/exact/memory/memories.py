"""What a feature can remember, and the joint law of its next spin from each of these memories.

A memory is all that earlier spins of the feature leave to a further one: held cells with their values, running
multipliers, collected symbols, steps of a cascade that are counted on. Memories are numbered as they are met. The law
of a spin from one of them has an award more than the states, the last one: the number of the memory that it leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from rgs_core._engine import Engine, memory_state
from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awards, SpinLaw
from rgs_core.exact.joint import COMBINATIONS_MAX, model_states, remembers_because, visited_joint, with_win_bonuses
from rgs_core.exact.memory.beginnings import EMPTY, Cell, Handed
from rgs_core.exact.memory.hold import reel_heights
from rgs_core.exact.spin_paths import UNCOUNTED, spin_paths
from rgs_core.exact.spin_terms import Amount, SpinTerms, Value
from rgs_core.language.bounds import going_on
from rgs_core.language.mechanics import Multiplier, Nudge, Stick, Values
from rgs_core.language.model import Build, State, Strip

NEXT = "memory"
"""Stands behind the names of the states in a joint law: what the spin leaves."""

OVER, FRESH = 0, 1
"""Numbers: no memory, as every cell is held and the feature is over; what a feature begins with."""

MEMORIES_MAX = 4_096
"""Most memories of a state whose laws are computed."""

Situation = tuple[int, int]
"""A memory, and whether the spin is the last one of its feature unless it awards others: 1 if it is. Where memories tell
how many spins are left the number of these, with the spin itself."""


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

    def state(self, memory: int) -> str:
        """The state that plays from a memory."""

    def handed(self, handed: Handed) -> int:
        """The number of the memory of a feature that begins with these cells."""

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when the laws of all these cannot be had, or those that are met `further` spins on, where
        that can be foreseen."""

    def law(self, situation: Situation) -> RememberingSpin:
        """Law of a spin; what it leaves is its last award."""


def held_least(build: Build, state: State) -> int:
    """Fewest memories that features of a state have, without playing any: 2, or as many as the sets of cells that its
    first spin can hold, where the stops alone say so."""
    held = {symbol for transform in state.transforms if isinstance(transform, Stick) for symbol in transform.symbols}
    plain = all(isinstance(transform, Stick | Values | Multiplier) for transform in state.transforms)
    if (
        not held
        or not plain
        or state.cells
        or state.cascade
        or state.linked
        or state.heights is not None
        or build.model.top
    ):
        return 2
    least = 1
    for strip in build.strips(state):
        rows = range(build.model.rows)
        length = len(strip.symbols)
        least *= len({tuple(strip.symbols[(p + row) % length] in held for row in rows) for p in range(length)})
    return max(2, least)


class VisitedMemories:
    """By every combination of draws from each memory: for all that can be remembered.

    Stops of a reel that held cells cover are all equal, and are taken as one.
    """

    method = "each by every combination"

    def __init__(self, build: Build, name: str) -> None:
        self._engine = Engine(build)
        self._states = model_states(self._engine)
        self._state = build.model.states[name]
        linked = [build.model.states[other] for other in going_on(build.model, name)]
        self._ends = any(
            getattr(build.model.evaluators[part], "at", "") == "end" for other in linked for part in other.evaluators
        ) or any(other.marks for other in linked)
        self._stacks = any(other.stacks for other in linked)
        self._paths = max(spin_paths(build, other) for other in linked)
        self._goes_on = len(linked) > 1
        self._least = held_least(build, self._state)
        self._visited = 0
        self._walks = any(
            isinstance(transform, Stick) and transform.moves for other in linked for transform in other.transforms
        )
        # With each memory whether a first spin begins with it, before which held cells do not walk.
        self._numbers: dict[tuple[bytes | None, bool], int] = {(None, False): OVER, (b"", False): FRESH}
        self._memories: list[tuple[bytes | None, bool]] = list(self._numbers)
        self._laws: dict[Situation, SpinTerms] = {}
        self._engines: dict[frozenset[int], Engine] = {}

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories) - 1

    def state(self, memory: int) -> str:
        """The state that plays from a memory."""
        number = memory_state(self._memories[memory][0] or b"")
        return self._state.name if number is None else self._states[number]

    def handed(self, handed: Handed) -> int:
        """The number of the memory of a feature that begins with these cells."""
        if handed != EMPTY and self._stacks:
            why = remembers_because(self._engine.build.model, self._state)
            raise AnalysisError(
                f"{why} with the rest of stacks, and what is carried into it does not tell how far they go on"
            )
        return FRESH if handed == EMPTY else self._number(self._engine.held_memory(handed.cells), first=self._walks)

    def _number(self, memory: bytes | None, *, first: bool = False) -> int:
        if (memory, first) not in self._numbers:
            self._numbers[memory, first] = len(self._memories)
            self._memories.append((memory, first))
        return self._numbers[memory, first]

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when there are too many memories, or combinations of draws from all of them."""
        missing = {self._known(situation) for situation in situations} - self._laws.keys()
        why = remembers_because(self._engine.build.model, self._state)
        if self._paths >= UNCOUNTED:
            raise AnalysisError(f"{why}, and its spins have more combinations of draws than can be counted")
        if self.count > MEMORIES_MAX:
            raise AnalysisError(f"{why} in more than {MEMORIES_MAX:,} ways, up to which their laws are computed")
        least = max(self._least, len(missing))
        if missing and self._visited + least * self._paths > COMBINATIONS_MAX:
            raise AnalysisError(
                f"{why} in at least {max(self._least, self.count)} ways, from each of which a spin has {self._paths:,} "
                f"combinations of draws; they are counted up to {COMBINATIONS_MAX:,} in all"
            )

    def law(self, situation: Situation) -> SpinTerms:
        """Law of a spin; what it leaves is its last award."""
        known = self._known(situation)
        if known not in self._laws:
            memory, last = known
            remembered, first = self._memories[memory]
            assert remembered is not None  # nothing follows when the feature is over
            index = self._states.index(self.state(memory))
            engine = self._uncovered(self._engine.held_cells(remembered), first)
            law = engine.spin_law(index, memory=remembered, first=first or not remembered, last=bool(last))
            numbers = np.array([self._number(left) for left in law.memories], dtype=np.int64)
            joint = visited_joint(self._engine, index, law, numbers[law.left])
            self._visited += law.paths
            self._laws[known] = SpinTerms.of(with_win_bonuses(replace(joint, states=(*joint.states[:-1], NEXT))))
        return self._laws[known]

    def _uncovered(self, held: Sequence[Cell], first: bool) -> Engine:
        """An engine in which reels that are covered by held cells have one stop: whatever they draw is not seen."""
        state, build = self._state, self._engine.build
        rows = reel_heights(build.model, state)
        covered = {
            reel
            for reel, height in enumerate(rows)
            if {reel * build.model.rows + row for row in range(height)} <= {cell for cell, _, _ in held}
        }
        moves = state.cascade is not None or any(isinstance(transform, Nudge) for transform in state.transforms)
        if not covered or moves or state.cells or self._goes_on or (self._walks and not first):
            return self._engine
        key = frozenset(covered)
        if key not in self._engines:
            strips = {
                name: tuple(
                    Strip(strip.symbols[:1], (1,)) if reel in covered else strip
                    for reel, strip in enumerate(build.strips(state, name))
                )
                for name in state.strip_sets
            }
            profile = replace(build.profile, strips={**build.profile.strips, **strips})
            self._engines[key] = Engine(replace(build, profile=profile), simd="scalar")
        return self._engines[key]

    def _known(self, situation: Situation) -> Situation:
        """Without a pay at the end of the feature, or places that turn then, its last spin is like all others."""
        return situation[0], int(situation[1] and self._ends)
