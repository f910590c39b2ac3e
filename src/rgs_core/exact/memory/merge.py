"""Memories that only multiply what a spin wins: levels of collected symbols and multipliers that persist.

Such a memory does not reach the grid, so one joint law, by any algorithm that knows the state without it, serves all:
that of the win, the awards and how many symbols are collected, or draw multipliers, together. A variant of the state
counts those (rgs_core.exact.memory.hold_awards does it the same way). From a memory m every win is then multiplied by

    product of the levels reached before  x  product of the running multipliers after the draws of this spin.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.joint import Joint, bonus_triggers, joint_law, remembers_because
from rgs_core.exact.memory.hold_awards import CHANGING, columns_for, counting_table, only
from rgs_core.exact.memory.memories import FRESH, MEMORIES_MAX, Situation
from rgs_core.exact.spin_terms import Amount, Floats, Value
from rgs_core.language.mechanics import CollectedTrigger, FreeSpinsTrigger, JackpotTrigger, Multiplier, Stick, Trigger
from rgs_core.language.model import TRIGGERS_MAX, Build, Model, State

Multiplying = tuple[int, ...]
"""A memory: symbols collected by trigger, up to the last level, and then the running multipliers."""


@dataclass(frozen=True)
class ScaledSpin:
    """Law of a spin from one memory: `moves` with their probability, the group of the one law that they come from,
    what multiplies its wins, and what is awarded, with the number of the memory that is left."""

    groups: tuple[Awarding, ...]
    units: tuple[NDArray[np.int64], ...]
    odds: tuple[Floats, ...]
    moves: tuple[tuple[Fraction, int, int, Awards], ...]

    def by_award(self) -> dict[Awards, Awarding]:
        """Exact moments of the win by what is awarded and left."""
        law: dict[Awards, Awarding] = {}
        for p, group, factor, key in self.moves:
            event = self.groups[group].times(factor).given(p)
            law[key] = law[key] | event if key in law else event
        return law

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """The transform of the win by the same."""
        terms: dict[Awards, Value] = {}
        for p, group, factor, key in self.moves:
            here = amount(self.units[group] * factor, self.odds[group] * float(p))
            terms[key] = terms[key] + here if key in terms else here
        return terms

    @cached_property
    def step(self) -> int:
        """Greatest common divisor of all amounts of a win."""
        steps = [int(np.gcd.reduce(units)) for units in self.units]
        return math.gcd(*(steps[group] * factor for _, group, factor, _ in self.moves))

    @property
    def amounts(self) -> float:
        """A spin wins one amount."""
        return 1.0


class MergedMemories:
    """Laws of the spins of a state by memory, all from one."""

    def __init__(self, build: Build, name: str) -> None:
        """Raises AnalysisError with the reason where memories do more than multiply, or the one law is unknown."""
        model = build.model
        self._state = state = model.states[name]
        reason = _refused(model, state)
        if reason:
            raise AnalysisError(f"{remembers_because(model, state)} and {reason}")
        self._model = model
        self._collected = [t for t in state.triggers if isinstance(t, CollectedTrigger)]
        self._multipliers = [t for t in state.transforms if isinstance(t, Multiplier) and t.persist]
        self._states = tuple(state_names(model))
        self._counts: list[Awards] = []
        self._joint = self._counted(build)
        self._numbers: dict[Multiplying, int] = {}
        self._memories: list[Multiplying] = []
        empty = [0] * len(self._collected) + [int(t.combine == "product") for t in self._multipliers]
        self._number(tuple(empty))
        self._laws: dict[int, ScaledSpin] = {}

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories)

    @property
    def method(self) -> str:
        """How the one law is computed."""
        return f"one law for all of them by {self._joint.method}"

    def need(self, situations: Collection[Situation]) -> None:
        """Raises AnalysisError when there are too many memories."""
        if self.count > MEMORIES_MAX:
            why = remembers_because(self._model, self._state)
            raise AnalysisError(f"{why} in more than {MEMORIES_MAX:,} ways, up to which their laws are computed")

    def law(self, situation: Situation) -> ScaledSpin:
        """Law of a spin; what it leaves is its last award."""
        number, _ = situation
        if number not in self._laws:
            memory = self._memories[number - FRESH]
            groups, units, odds = self._groups
            moves = []
            for group, (awards, counts) in enumerate(self._keys):
                for p, left, factor in self._drawn(memory, counts):
                    gained = list(awards)
                    for trigger, before, after in zip(self._collected, memory, left, strict=False):
                        column = self._states.index(trigger.state)
                        gained[column] += sum(trigger.spins[before // trigger.every : after // trigger.every])
                    moves.append((p, group, factor, (*gained, self._number(left))))
            self._laws[number] = ScaledSpin(groups, units, odds, tuple(moves))
        return self._laws[number]

    def _number(self, memory: Multiplying) -> int:
        if memory not in self._numbers:
            self._numbers[memory] = FRESH + len(self._memories)
            self._memories.append(memory)
        return self._numbers[memory]

    def _drawn(self, memory: Multiplying, counts: Mapping[str, int]) -> Iterator[tuple[Fraction, Multiplying, int]]:
        """What a spin with these numbers of symbols leaves, with its odds, and what multiplies its wins."""
        collected = []
        factor = 1
        for trigger, before in zip(self._collected, memory, strict=False):
            level = before // trigger.every
            factor *= trigger.multipliers[level - 1] if level else 1
            collected.append(min(before + counts[trigger.symbol], trigger.every * len(trigger.spins)))
        drawn: dict[tuple[int, ...], Fraction] = {(): Fraction(1)}
        for transform, running in zip(self._multipliers, memory[len(self._collected) :], strict=True):
            times = 1 if transform.each == "spin" else counts[transform.symbol or ""]
            law = _running(transform, running, times)
            drawn = {(*so_far, value): p * q for so_far, p in drawn.items() for value, q in law.items()}
        for running_now, p in drawn.items():
            yield p, (*collected, *running_now), factor * math.prod(max(1, value) for value in running_now)

    # -- the one law ------------------------------------------------------------------------------------

    @property
    def _symbols(self) -> list[str]:
        """What is counted."""
        symbols = [trigger.symbol for trigger in self._collected]
        symbols += [t.symbol for t in self._multipliers if t.each == "cell" and t.symbol is not None]
        return list(dict.fromkeys(symbols))

    def _counted(self, build: Build) -> Joint:
        """The law of the state without its memory, that awards as many spins of other states as it has symbols."""
        model, state, symbols = build.model, self._state, self._symbols
        columns = columns_for(model, state, "", len(symbols), awarded=True)
        cells = model.reels * model.rows
        counters: list[Trigger] = [
            FreeSpinsTrigger(f"count {symbol}", symbol, counting_table(cells), column)
            for symbol, column in zip(symbols, columns, strict=True)
        ]
        triggers = [t for t in state.triggers if not isinstance(t, CollectedTrigger | JackpotTrigger)]
        if len(triggers) + len(counters) > TRIGGERS_MAX:
            raise AnalysisError(f"state '{state.name}' counts {len(counters)} symbols beside {len(triggers)} triggers")
        variant = replace(
            state,
            triggers=(*triggers, *counters),
            transforms=tuple(t for t in state.transforms if t not in self._multipliers),
        )
        counting = only(build, state, variant, {}, columns)
        joint = joint_law(Engine(counting), state_names(counting.model).index(state.name))
        self._places = [joint.states.index(name) if name not in columns else None for name in self._states]
        self._columns = [joint.states.index(name) for name in columns]
        return joint

    @cached_property
    def _groups(self) -> tuple[tuple[Awarding, ...], tuple[NDArray[np.int64], ...], tuple[Floats, ...]]:
        """Moments, units and probabilities of the rows that award and count the same."""
        law, odds = self._joint.by_award(), self._joint.probabilities
        rows = [(awards, rows) for awards, _, rows in self._joint.groups()]
        return (
            tuple(law[awards] for awards, _ in rows),
            tuple(self._joint.units[of] for _, of in rows),
            tuple(odds[of] for _, of in rows),
        )

    @cached_property
    def _keys(self) -> list[tuple[Awards, Mapping[str, int]]]:
        """What the groups award, by state, and how many symbols they have."""
        keys: list[tuple[Awards, Mapping[str, int]]] = []
        for awards, _, _ in self._joint.groups():
            real = tuple(0 if place is None else awards[place] for place in self._places)
            keys.append((real, {s: awards[i] for s, i in zip(self._symbols, self._columns, strict=True)}))
        return keys


def _running(transform: Multiplier, running: int, times: int) -> dict[int, Fraction]:
    """Law of a running multiplier after so many draws."""
    law = {running: Fraction(1)}
    table = transform.table
    for _ in range(times):
        following: dict[int, Fraction] = defaultdict(Fraction)
        for so_far, p in law.items():
            for value, weight in zip(table.values, table.weights, strict=True):
                after = so_far * value if transform.combine == "product" else so_far + value
                following[after] += p * Fraction(weight, table.total)
        law = dict(following)
    return law


def _refused(model: Model, state: State) -> str:
    """Why memories of a state do more than multiply its wins, all of them; "" when they do not."""
    if any(isinstance(transform, Stick) for transform in state.transforms):
        return "keeps cells"
    if (state.cascade and state.cascade.persist) or (state.final and state.final.persist):
        return "counts steps, or adds up values of cells"
    if any(getattr(model.evaluators[name], "at", "") == "end" for name in state.evaluators):
        return "pays at the end of a feature"
    if {part.partition(".")[0] for part in state.multiplier_exempt} & set(state.evaluators):
        return "pays wins that no multiplier applies to"
    if bonus_triggers(state):
        return "plays bonuses, which no multiplier applies to"
    changes = state.cascade is not None or any(isinstance(transform, CHANGING) for transform in state.transforms)
    for transform in state.transforms:
        if isinstance(transform, Multiplier) and transform.persist:
            if transform.each == "full_reel":
                return "draws a multiplier for each full reel"
            if transform.each == "cell" and changes:
                return "draws multipliers for cells that change"
    return ""
