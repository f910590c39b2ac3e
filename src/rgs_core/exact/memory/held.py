"""Memories of one symbol that stays or walks on ordinary reels: sticky and walking wilds of games with paylines.

A memory is the set of cells that are held. Before a spin they move by the step of the symbol; then they show it
whatever their reels stop at. Windows of a reel are changed accordingly, and the law of the spin comes by merging lines
(merge.h), which also tells apart on which cells the symbol landed: these and the held ones are the next memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.joint import counted_symbols, lines_joint, lines_refused, remembers_because, with_win_bonuses
from rgs_core.exact.memory.beginnings import EMPTY, Handed
from rgs_core.exact.memory.memories import FRESH, NEXT, Situation
from rgs_core.exact.spin_terms import SpinTerms
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import CollectedTrigger, ConditionalTrigger, FreeSpinsTrigger, JackpotTrigger, Stick
from rgs_core.language.model import Build, Model, State

HELD_MAX = 2_048
"""Most sets of held cells."""

ROWS_MAX = 4_000_000
"""Most rows of their laws, all together: two minutes."""

BITS = 32
"""Bits for the counts of counted symbols, eight each, and the cells on which the symbol lands."""


class HeldMemories:
    """Laws of the spins of a state by memory, each by merging."""

    method = "each by merging"

    def __init__(self, build: Build, name: str, carried: frozenset[str] = frozenset()) -> None:
        """`carried`: symbols of cells with which features may begin. Raises AnalysisError with the reason where the
        state is of another kind, or too large."""
        self._state = state = build.model.states[name]
        self._model = model = build.model
        if goes_on_as(model, state):
            raise AnalysisError(remembers_because(model, state))
        sticks = [t for t in state.transforms if isinstance(t, Stick)]
        triggers = tuple(t for t in state.triggers if not isinstance(t, JackpotTrigger))
        variant = replace(state, transforms=(), triggers=triggers)
        reason = _refused(model, state, sticks) or lines_refused(model, variant)
        if reason:
            raise AnalysisError(f"{remembers_because(model, state)} and has {reason}")
        (self._symbol,) = sticks[0].symbols
        if carried - {self._symbol}:
            raise AnalysisError(f"{remembers_because(model, state)} and begins with others")
        self._step = sticks[0].step
        strips = build.strips(state)
        reels = [reel for reel, strip in enumerate(strips) if self._symbol in strip.symbols]
        self._cells = [reel * model.rows + row for reel in reels for row in range(model.rows)]
        if 8 * len(counted_symbols(model, variant)) + len(self._cells) > BITS:
            raise AnalysisError(f"state '{name}' holds '{self._symbol}' on too many cells")
        alone = replace(model, states={**model.states, name: variant})
        self._engine = Engine(replace(build, model=alone), simd="scalar")
        self._index = state_names(model).index(name)
        # With each set of held cells whether a first spin begins with it, before which they do not walk.
        self._numbers = {(0, False): FRESH}
        self._memories = list(self._numbers)
        self._laws: dict[int, SpinTerms] = {}
        self._rows = 0

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories)

    def handed(self, handed: Handed) -> int:
        """The number of the memory of a feature that begins with these cells."""
        held = sum(1 << cell for cell, _, _ in handed.cells)
        return FRESH if handed == EMPTY else self._number(held, first=self._step != 0)

    def state(self, memory: int) -> str:
        """The state that plays from a memory: always the same."""
        return self._state.name

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when there are too many memories, or their laws too large; before any but the first law
        is found, where the sets that `further` spins can hold show that."""
        why = remembers_because(self._model, self._state)
        missing = {memory for memory, _ in situations} - self._laws.keys()
        known = len(self._laws)
        expected = self._foreseen(situations, further) if known == 1 else 0
        if max(known + len(missing), expected) > HELD_MAX:
            raise AnalysisError(
                f"{why} in more than {HELD_MAX:,} ways, up to which their laws are merged: put the symbol on fewer reels"
            )
        if self._rows * expected > 2 * ROWS_MAX:  # twice, as the first law is larger than most
            raise AnalysisError(
                f"{why} in {expected:,} ways, and the first spin has {self._rows:,} different results; they are merged up "
                f"to {ROWS_MAX:,} in all: put the symbol on fewer reels"
            )
        if missing and known and self._rows * (known + len(missing)) > ROWS_MAX * known:
            raise AnalysisError(
                f"{why} in at least {known + len(missing):,} ways, from each of which a spin has some "
                f"{self._rows // known:,} different results; they are merged up to {ROWS_MAX:,} in all: put the symbol on "
                "fewer reels"
            )

    def _foreseen(self, situations: Collection[Situation], further: int) -> int:
        """How many sets of held cells there are after so many further spins: unions of what a spin lands. 0 where they
        walk; a number above HELD_MAX is not counted to its end."""
        if self._step:
            return 0
        landed = {memory for memory, _ in self._memories}
        sets = {self._memories[number - FRESH][0] for number, _ in situations}
        for _ in range(further):
            before = len(sets)
            for held in list(sets):
                sets.update(held | more for more in landed)
                if len(sets) > HELD_MAX:
                    return len(sets)
            if len(sets) == before:
                break
        return len(sets)

    def law(self, situation: Situation) -> SpinTerms:
        """Law of a spin; what it leaves is its last award."""
        number, _ = situation
        if number not in self._laws:
            memory, first = self._memories[number - FRESH]
            held = memory if first else self._moved(memory)
            given = self._model.symbols.index(self._symbol), held, self._cells
            joint, landed = lines_joint(self._engine, self._index, held=given)
            patterns, which = np.unique(landed, return_inverse=True)
            left = np.array([self._number(held | self._mask(bits)) for bits in patterns.tolist()], dtype=np.int64)
            awards = np.column_stack([joint.awards, left[which.reshape(-1)]])
            self._rows += len(joint.units)
            self._laws[number] = SpinTerms.of(
                with_win_bonuses(replace(joint, states=(*joint.states, NEXT), awards=awards))
            )
        return self._laws[number]

    def _moved(self, held: int) -> int:
        """Held cells as they are before the next spin: those that walk off the grid are gone."""
        rows = self._step * self._model.rows
        everywhere = (1 << self._model.reels * self._model.rows) - 1
        return (held << rows if rows > 0 else held >> -rows) & everywhere

    def _mask(self, landed: int) -> int:
        return sum(1 << cell for place, cell in enumerate(self._cells) if landed >> place & 1)

    def _number(self, memory: int, *, first: bool = False) -> int:
        if (memory, first) not in self._numbers:
            self._numbers[memory, first] = FRESH + len(self._memories)
            self._memories.append((memory, first))
        return self._numbers[memory, first]


def _refused(model: Model, state: State, sticks: list[Stick]) -> str:
    """Why a state remembers more than cells of one symbol; "" when it does not."""
    if len(sticks) != 1 or len(sticks[0].symbols) != 1 or len(state.transforms) != 1:
        return "other transforms, or several held symbols"
    if sticks[0].fall or sticks[0].jump:
        return "cells that move up, down or at random"
    if state.linked:
        return "linked reels"
    if (state.cascade and state.cascade.persist) or (state.final and state.final.persist):
        return "more that persists"
    if any(isinstance(trigger, CollectedTrigger) for trigger in state.triggers):
        return "collected symbols"
    if any(getattr(model.evaluators[name], "at", "") == "end" for name in state.evaluators):
        return "pays at the end of a feature"
    conditional = [t for t in state.triggers if isinstance(t, ConditionalTrigger)]
    if any(trigger.once or trigger.odds or trigger.in_view for trigger in conditional):
        return "triggers with odds or further conditions, or that fire once"
    if any(isinstance(trigger, FreeSpinsTrigger) and trigger.fresh for trigger in state.triggers):
        return "triggers that count cells that are not held"
    return ""
