"""Memories of what a feature has won, up to the least that it pays: features with a least win, exact.

Spins of such a state do not depend on each other, but what the last one pays does: it makes up for what is missing. So a
memory is what was won so far, cut off at the least win, and the law of a spin from it is the one law of its spins, with
what is missing added where the feature ends.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.joint import bonus_triggers, joint_law, remembers_because
from rgs_core.exact.memory.beginnings import EMPTY, Handed
from rgs_core.exact.memory.memories import FRESH, MEMORIES_MAX, NEXT, Situation
from rgs_core.exact.spin_terms import SpinTerms
from rgs_core.language.model import Build

ROWS_MAX = 5_000_000
"""Most rows of all laws together: a minute."""


class WonMemories:
    """Laws of the spins of a state with a least win by what its feature has won before."""

    def __init__(self, build: Build, name: str, *, merge: bool = True) -> None:
        """Raises AnalysisError with the reason where spins remember anything else, or have no law."""
        model = build.model
        state = model.states[name]
        alone = replace(state, win_min=None)
        self._why = remembers_because(replace(model, states={**model.states, name: alone}), alone)
        if self._why:
            raise AnalysisError(f"{self._why}, and pays a least win")
        self._why = remembers_because(model, state)
        if bonus_triggers(state):
            raise AnalysisError(f"{self._why}, and plays bonuses")
        assert state.win_min is not None
        self._least = state.win_min * model.stake_units
        self._column = state_names(model).index(name)
        variant = replace(build, model=replace(model, states={**model.states, name: alone}))
        self._name = name
        self._joint = joint_law(Engine(variant), self._column, merge=merge)
        self._memories = [0]
        self._numbers = {0: FRESH}
        self._laws: dict[Situation, SpinTerms] = {}

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories)

    @property
    def method(self) -> str:
        """How the one law is computed."""
        return f"one law for all of them by {self._joint.method}"

    def state(self, memory: int) -> str:
        """The state that plays from a memory: always the same."""
        return self._name

    def handed(self, handed: Handed) -> int:
        """A feature begins with nothing. Raises AnalysisError for one that is handed cells."""
        if handed != EMPTY:
            raise AnalysisError(f"{self._why}, and begins with cells that are carried into it")
        return FRESH

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when there are too many memories, or rows of laws."""
        rows = len(set(situations) | self._laws.keys()) * len(self._joint.units)
        if self.count > MEMORIES_MAX or rows > ROWS_MAX:
            raise AnalysisError(f"{self._why}, which can be won in too many ways for a law of its features")

    def law(self, situation: Situation) -> SpinTerms:
        """Law of a spin; what it leaves is its last award."""
        if situation not in self._laws:
            number, last = situation
            won = np.minimum(self._memories[number - FRESH] + self._joint.units, self._least)
            over = (self._joint.awards[:, self._column] == 0) & last
            missing = np.where(over, self._least - won, 0)
            kept = np.where(over, 0, won)
            found, which = np.unique(kept, return_inverse=True)
            left = np.array([self._number(units) for units in found.tolist()], dtype=np.int64)[which.reshape(-1)]
            awards = np.column_stack([self._joint.awards, left])
            states = (*self._joint.states, NEXT)
            joint = replace(self._joint, states=states, awards=awards, units=self._joint.units + missing)
            self._laws[situation] = SpinTerms.of(joint)
        return self._laws[situation]

    def _number(self, memory: int) -> int:
        if memory not in self._numbers:
            self._numbers[memory] = FRESH + len(self._memories)
            self._memories.append(memory)
        return self._numbers[memory]
