"""Memories that only multiply what a spin wins: levels of collected symbols and multipliers that persist.

Such a memory does not reach the grid, so one joint law, by any algorithm that knows the state without it, serves all:
that of the win, the awards and how many symbols are collected, or draw multipliers, together. A variant of the state
counts those (rgs_core.exact.memory.hold_awards does it the same way). From a memory m every win is then multiplied by

    product of the levels reached before  x  product of the running multipliers after the draws of this spin.

Levels that wait for the spins that are left are part of the memory with the number of these.

Where levels make the feature go on as another state, each of these has such a law.
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
from rgs_core.exact.award_columns import award_columns
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.joint import Joint, bonus_triggers, joint_law, remembers_because
from rgs_core.exact.memory.beginnings import Handed
from rgs_core.exact.memory.hold_awards import CHANGING, columns_for, counting_table, only
from rgs_core.exact.memory.memories import FRESH, MEMORIES_MAX, Situation
from rgs_core.exact.reached import feature_states
from rgs_core.exact.spin_terms import Amount, Floats, Value
from rgs_core.language.bounds import collected_kept, collected_range, slots
from rgs_core.language.mechanics import (
    CollectedTrigger,
    FreeSpinsTrigger,
    JackpotTrigger,
    Multiplier,
    Stick,
    Trigger,
    works_always,
)
from rgs_core.language.model import TRIGGERS_MAX, Build, Model, State

Waiting = tuple[int, tuple[int, ...]]
"""Of levels that wait for the spins that were left before them: how many multiply, and the spins that others wait for."""

Multiplying = tuple[str, tuple[int, ...], tuple[int, ...], tuple[Waiting, ...]]
"""A memory: the state, symbols collected by name of their trigger, up to the last level, the running multipliers, and
by name of their trigger levels that wait."""

NO_LEVEL: Waiting = (0, ())
"""Nothing multiplies, and nothing waits."""


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
    """Laws of the spins of a state, and of those as which its features go on, by memory: all of a state from one."""

    def __init__(self, build: Build, name: str, carried: frozenset[str] = frozenset(), *, merge: bool = True) -> None:
        """`carried`: symbols of cells with which features may begin. Raises AnalysisError with the reason where
        memories do more than multiply, or the one law is unknown."""
        model = build.model
        self._state = model.states[name]
        for other in feature_states(model, name):
            if reason := _refused(model, model.states[other]) or ("begins with cells" if carried else ""):
                where = "" if other == name else f"state '{other}' "
                raise AnalysisError(f"{remembers_because(model, self._state)} and {where}{reason}")
        self._model = model
        self._parts = {other: _Counted(build, other, merge=merge) for other in feature_states(model, name)}
        self._slots = slots(model, self._state)
        self._numbers: dict[Multiplying, int] = {}
        self._memories: list[Multiplying] = []
        none = (NO_LEVEL,) * len(self._slots)
        self._number((name, (0,) * len(self._slots), self._parts[name].running(()), none))
        self._laws: dict[Situation, ScaledSpin] = {}

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories)

    @property
    def method(self) -> str:
        """How the one law of each state is computed."""
        methods = sorted({part.joint.method for part in self._parts.values()})
        one = "one law for all of them" if len(self._parts) == 1 else "one law for all of them in each state"
        return f"{one} by {' and '.join(methods)}"

    def state(self, memory: int) -> str:
        """The state that plays from a memory."""
        return self._memories[memory - FRESH][0]

    def handed(self, handed: Handed) -> int:
        """The number of the memory that a feature begins with: nothing is carried into it."""
        return FRESH

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when there are too many memories."""
        if self.count > MEMORIES_MAX:
            why = remembers_because(self._model, self._state)
            raise AnalysisError(f"{why} in more than {MEMORIES_MAX:,} ways, up to which their laws are computed")

    def law(self, situation: Situation) -> ScaledSpin:
        """Law of a spin; what it leaves is its last award."""
        number, left = situation
        if situation not in self._laws:
            name, collected, running, before = self._memories[number - FRESH]
            part = self._parts[name]
            waiting = tuple(_passed(levels) for levels in before)
            groups, units, odds = part.groups
            moves = []
            for group, (awards, counts, won) in enumerate(part.keys):
                after, spins, following = self._collect(part, collected, counts, won)
                waits = self._waiting(part, waiting, collected, after, int(left) - 1)
                gained = tuple(map(sum, zip(awards, spins, strict=True)))
                for p, now, factor in part.drawn(running, counts):
                    then = self._number(self._left(part, after, now, waits, following))
                    moves.append((p, group, factor * self._factor(part, collected, waiting), (*gained, then)))
            self._laws[situation] = ScaledSpin(groups, units, odds, tuple(moves))
        return self._laws[situation]

    def _number(self, memory: Multiplying) -> int:
        if memory not in self._numbers:
            self._numbers[memory] = FRESH + len(self._memories)
            self._memories.append(memory)
        return self._numbers[memory]

    def _factor(self, part: _Counted, collected: tuple[int, ...], waiting: tuple[Waiting, ...]) -> int:
        """Multiplier of the levels that the spins before have reached, and that wait no more."""
        factor = 1
        for trigger in part.collected:
            slot = self._slots.index(trigger.name)
            level = waiting[slot][0] if waits_for_batch(trigger) else trigger.level(collected[slot])
            factor *= trigger.level_multiplier(level)
        return factor

    def _collect(
        self, part: _Counted, collected: tuple[int, ...], counts: Mapping[str, int], won: bool
    ) -> tuple[tuple[int, ...], Awards, str]:
        """What is collected after a spin with these numbers of symbols that has won or lost, the spins that levels award,
        and the state as which they make the feature go on, "" for none."""
        after, spins, following = list(collected), [0] * len(part.columns), ""
        for trigger in part.collected:
            slot = self._slots.index(trigger.name)
            before, more = trigger.level(collected[slot]), _more(trigger, counts, won)
            count = 0 if trigger.in_a_row and not more else collected[slot] + more
            reached = trigger.level(count)
            after[slot] = collected_kept(count, *collected_range(self._model, part.state, trigger.name))
            spins[part.columns.index(trigger.state)] += sum(map(trigger.level_spins, range(before + 1, reached + 1)))
            if reached > before and trigger.states:
                following = trigger.level_state(reached)
        return tuple(after), tuple(spins), following

    def _waiting(
        self,
        part: _Counted,
        before: tuple[Waiting, ...],
        collected: tuple[int, ...],
        after: tuple[int, ...],
        spins: int,
    ) -> tuple[Waiting, ...]:
        """Levels that wait after a spin, behind which so many spins were left."""
        waiting = list(before)
        for trigger in part.collected:
            if waits_for_batch(trigger):
                slot = self._slots.index(trigger.name)
                more = trigger.level(after[slot]) - trigger.level(collected[slot])
                level, others = before[slot]
                waiting[slot] = level, (*others, *[spins] * more)
        return tuple(waiting)

    def _left(
        self,
        part: _Counted,
        collected: tuple[int, ...],
        running: tuple[int, ...],
        waiting: tuple[Waiting, ...],
        following: str,
    ) -> Multiplying:
        """The memory, as the state keeps it that goes on."""
        if not following:
            return part.state.name, collected, running, waiting
        after = self._parts[following]
        names = {trigger.name for trigger in after.collected}
        kept = tuple(n if name in names else 0 for name, n in zip(self._slots, collected, strict=True))
        waits = tuple(of if name in names else NO_LEVEL for name, of in zip(self._slots, waiting, strict=True))
        return following, kept, after.running(running), waits


class _Counted:
    """The one law of a state: that of the win, the awards, and the symbols that are collected or draw multipliers."""

    def __init__(self, build: Build, name: str, *, merge: bool = True) -> None:
        self.state = state = build.model.states[name]
        self._merge = merge
        self.collected = [t for t in state.triggers if isinstance(t, CollectedTrigger)]
        self.multipliers = [t for t in state.transforms if isinstance(t, Multiplier) and t.persist]
        self.columns = award_columns(build.model)
        self.joint = self._counted(build)

    def running(self, before: tuple[int, ...]) -> tuple[int, ...]:
        """Multipliers with which the state begins, or goes on: those in the same place."""
        padded = [*before, *([0] * len(self.multipliers))]
        return tuple(
            value or int(transform.combine == "product")
            for value, transform in zip(padded, self.multipliers, strict=False)
        )

    def drawn(
        self, running: tuple[int, ...], counts: Mapping[str, int]
    ) -> Iterator[tuple[Fraction, tuple[int, ...], int]]:
        """Running multipliers after a spin with these numbers of symbols, with their odds and what they multiply by."""
        found: dict[tuple[int, ...], Fraction] = {(): Fraction(1)}
        for transform, before in zip(self.multipliers, running, strict=True):
            times = 1 if transform.each == "spin" else counts[transform.symbol or ""]
            law = _running(transform, before, times)
            found = {(*so_far, value): p * q for so_far, p in found.items() for value, q in law.items()}
        for now, p in found.items():
            yield p, now, math.prod(max(1, value) for value in now)

    @property
    def _symbols(self) -> list[str]:
        """What is counted."""
        symbols = [name for t in self.collected for name in (t.symbol, t.collector) if name]
        symbols += [t.symbol for t in self.multipliers if t.each == "cell" and t.symbol is not None]
        return list(dict.fromkeys(symbols))

    def _counted(self, build: Build) -> Joint:
        """The law of the state without its memory, that awards as many spins of other states as it has symbols."""
        model, state, symbols = build.model, self.state, self._symbols
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
            transforms=tuple(t for t in state.transforms if t not in self.multipliers),
        )
        counting = only(build, state, variant, {}, columns)
        joint = joint_law(Engine(counting), state_names(counting.model).index(state.name), merge=self._merge)
        known = set(joint.states) - set(columns)  # the variant has no columns for what only other states award
        self._places = [joint.states.index(name) if name in known else None for name in self.columns]
        self._counters = [joint.states.index(name) for name in columns]
        return joint

    @cached_property
    def groups(self) -> tuple[tuple[Awarding, ...], tuple[NDArray[np.int64], ...], tuple[Floats, ...]]:
        """Moments, units and probabilities of the rows that award and count the same, and win or lose where that counts."""
        law, odds = self.joint.by_award(), self.joint.probabilities
        return (
            tuple(law[awards] if won is None else _settled(law[awards], won) for awards, won, _ in self._rows),
            tuple(self.joint.units[of] for _, _, of in self._rows),
            tuple(odds[of] for _, _, of in self._rows),
        )

    @cached_property
    def keys(self) -> list[tuple[Awards, Mapping[str, int], bool]]:
        """What the groups award, by state, how many symbols they have, and whether they win."""
        keys: list[tuple[Awards, Mapping[str, int], bool]] = []
        for awards, won, _ in self._rows:
            real = tuple(0 if place is None else awards[place] for place in self._places)
            counts = {s: awards[i] for s, i in zip(self._symbols, self._counters, strict=True)}
            keys.append((real, counts, bool(won)))
        return keys

    @cached_property
    def _rows(self) -> list[tuple[Awards, bool | None, NDArray[np.intp]]]:
        """The groups with their rows in the joint law; None where it does not matter whether they win."""
        groups = [(awards, rows) for awards, _, rows in self.joint.groups()]
        if not any(trigger.counts in ("wins", "losses") for trigger in self.collected):
            return [(awards, None, rows) for awards, rows in groups]
        wins = self.joint.units > 0
        parts = [(awards, won, rows[wins[rows] == won]) for awards, rows in groups for won in (False, True)]
        return [part for part in parts if len(part[2])]


def _settled(law: Awarding, won: bool) -> Awarding:
    """The part of a law that wins, or that does not."""
    zero = Fraction(0)
    if not won:
        return Awarding(law.nothing, zero, zero, law.nothing, 0)
    return replace(law, probability=law.probability - law.nothing, nothing=zero)


def waits_for_batch(trigger: Trigger) -> bool:
    """Whether levels of a trigger multiply only once the spins are played that were left before them."""
    return isinstance(trigger, CollectedTrigger) and trigger.multipliers_from == "batch"


def _passed(levels: Waiting) -> Waiting:
    """When a spin begins: those that need wait no more multiply, the others wait for a spin less."""
    level, waiting = levels
    over = next((i for i, spins in enumerate(waiting) if spins), len(waiting))
    return level + over, tuple(spins - 1 for spins in waiting[over:])


def _more(trigger: CollectedTrigger, counts: Mapping[str, int], won: bool) -> int:
    """What a spin with these numbers of symbols adds to a count."""
    if trigger.counts == "symbols":
        return counts[trigger.symbol] * (counts[trigger.collector] if trigger.collector else 1)
    return int(trigger.counts == "spins" or won == (trigger.counts == "wins"))


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
    if state.marks:
        return "marks places"
    if state.draws_once:
        return "draws what the grid shows, or its multiplier, once"
    if state.spots and state.spots.persist:
        return "keeps multipliers of places"
    if any(getattr(model.evaluators[name], "at", "") == "end" for name in state.evaluators):
        return "pays at the end of a feature"
    if {part.partition(".")[0] for part in state.multiplier_exempt} & set(state.evaluators):
        return "pays wins that no multiplier applies to"
    if any(getattr(trigger, "once", False) for trigger in state.triggers):
        return "has triggers that fire once"
    if any(isinstance(trigger, CollectedTrigger) and trigger.counts == "values" for trigger in state.triggers):
        return "adds up values of cells"
    if any(isinstance(trigger, CollectedTrigger) and trigger.multiplier for trigger in state.triggers):
        return "awards features with multipliers by levels"
    if bonus_triggers(state):
        return "plays bonuses, which no multiplier applies to"
    if any(getattr(trigger, "become", False) for trigger in state.triggers):
        return "goes on as another state other than by levels"
    changes = state.cascade is not None or any(isinstance(transform, CHANGING) for transform in state.transforms)
    for transform in state.transforms:
        if isinstance(transform, Multiplier) and transform.persist:
            if not works_always(transform):
                return "draws multipliers in some spins only"
            if transform.each == "full_reel":
                return "draws a multiplier for each full reel"
            if transform.each == "cell" and changes:
                return "draws multipliers for cells that change"
    return ""
