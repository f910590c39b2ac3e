"""Features whose spins remember nothing but what they carry into another feature, which waits for their end.

The first spin that starts the waiting feature hands its cells on; further ones only add spins. So one law of a spin
(rgs_core.exact.memory.beginnings) serves all memories: nothing is handed on yet, or something certain is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rgs_core.exact.memory.beginnings import EMPTY, Handed, StartingSpin
from rgs_core.exact.memory.memories import FRESH, NEXT, Situation
from rgs_core.exact.spin_terms import SpinTerms


class CarriedMemories:
    """Laws of the spins of a state by what was handed on before."""

    def __init__(self, spin: StartingSpin) -> None:
        self._spin = spin
        self._laws: dict[int, SpinTerms] = {}

    @property
    def count(self) -> int:
        """All that may be handed on, and nothing."""
        return len({0, *self._spin.joint.awards[:, -1].tolist()})

    @property
    def method(self) -> str:
        """How the one law is computed."""
        return f"one law for all of them by {self._spin.joint.method}"

    def state(self, memory: int) -> str:
        """The state that plays from a memory: always the same."""
        return self._spin.joint.state.name

    def handed(self, handed: Handed) -> int:
        """A feature begins with nothing."""
        assert handed == EMPTY
        return FRESH

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """There are never too many."""

    def law(self, situation: Situation) -> SpinTerms:
        """Law of a spin; what was handed on by its end is its last award."""
        number, _ = situation
        if number not in self._laws:
            joint = self._spin.joint
            awards = joint.awards.copy()
            awards[:, -1] = awards[:, -1] + FRESH if number == FRESH else number
            self._laws[number] = SpinTerms.of(replace(joint, states=(*joint.states[:-1], NEXT), awards=awards))
        return self._laws[number]
