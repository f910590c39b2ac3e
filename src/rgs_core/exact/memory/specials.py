"""Special symbols of a feature: the sets of them that may be drawn, and features in which triggers add more of them.

What special symbols pay does not depend on the order of their draws, so a memory is the set of those that the feature has.
From each there is one law of a spin; where the spin adds a symbol, one of the others is drawn behind it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.joint import Joint, joint_law, remembers_because
from rgs_core.exact.memory.beginnings import EMPTY, Handed
from rgs_core.exact.memory.memories import FRESH, NEXT, Situation
from rgs_core.exact.reached import awards_of
from rgs_core.exact.spin_terms import SpinTerms
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import Special
from rgs_core.language.model import Build

Specials = tuple[str, ...]
"""Special symbols in the order of their table."""

SETS_MAX = 256
"""Most sets of special symbols of a state whose laws are computed."""


def special_sets(special: Special) -> Mapping[Specials, Fraction]:
    """The sets with which a feature may begin, and their odds. Raises AnalysisError where there are too many."""
    if math.comb(len(special.table.symbols), special.count) > SETS_MAX:
        raise AnalysisError(f"a feature may have special symbols in more than {SETS_MAX} ways")
    sets: dict[Specials, Fraction] = {(): Fraction(1)}
    for _ in range(special.count):
        larger: dict[Specials, Fraction] = {}
        for symbols, p in sets.items():
            for following, q in with_another(special, symbols):
                larger[following] = larger.get(following, Fraction(0)) + p * q
        sets = larger
    return dict(sorted(sets.items(), key=lambda item: [special.table.symbols.index(symbol) for symbol in item[0]]))


def with_another(special: Special, symbols: Specials) -> Iterator[tuple[Specials, Fraction]]:
    """The set after another draw, by its odds."""
    weights = dict(zip(special.table.symbols, special.table.weights, strict=True))
    rest = special.table.total - sum(weights[symbol] for symbol in symbols)
    for symbol, weight in weights.items():
        if symbol not in symbols:
            yield tuple(other for other in weights if other in (*symbols, symbol)), Fraction(weight, rest)


class SpecialMemories:
    """Laws of the spins of a state by the special symbols of the feature, to which a trigger adds."""

    def __init__(self, build: Build, name: str, *, merge: bool = True) -> None:
        """Raises AnalysisError with the reason where spins remember anything else, or it is not known which add one."""
        model, self._merge = build.model, merge
        state = model.states[name]
        special = state.special
        assert special is not None
        self._special = special
        self._why = remembers_because(model, state)
        alone = replace(state, special=None)
        more = remembers_because(replace(model, states={**model.states, name: alone}), alone)
        trigger = next(t for t in state.triggers if t.name == special.more_with)
        if more or goes_on_as(model, state):
            raise AnalysisError(f"{more or self._why}, and adds special symbols")
        if list(awards_of(model, state)).count(name) > 1 or getattr(trigger, "multiplier", None) is not None:
            raise AnalysisError(f"{self._why} with one of several awards of its own spins")
        self._build, self._state = build, state
        self._column = state_names(model).index(name)
        self._numbers: dict[Specials, int] = {(): FRESH}
        self._memories: list[Specials] = [()]
        self._joints: dict[Specials, Joint] = {}
        self._laws: dict[int, SpinTerms] = {}

    @property
    def count(self) -> int:
        """Memories that were met so far, those included that have no further spin."""
        return len(self._memories)

    @property
    def method(self) -> str:
        """How the laws of all sets are computed."""
        methods = sorted({joint.method for joint in self._joints.values()})
        return f"one law for each set of special symbols by {' and '.join(methods)}"

    def state(self, memory: int) -> str:
        """The state that plays from a memory: always the same."""
        return self._state.name

    def handed(self, handed: Handed) -> int:
        """A feature begins with nothing. Raises AnalysisError for one that is handed cells."""
        if handed != EMPTY:
            raise AnalysisError(f"{self._why}, and begins with cells that are carried into it")
        return FRESH

    def need(self, situations: Collection[Situation], further: int = 0) -> None:
        """Raises AnalysisError when there are too many sets."""
        size = len(self._special.table.symbols)
        most = sum(math.comb(size, n) for n in range(self._special.count, self._special.count_most + 1))
        if most > SETS_MAX:
            raise AnalysisError(f"{self._why} in {most} ways, of which laws are computed up to {SETS_MAX}")

    def law(self, situation: Situation) -> SpinTerms:
        """Law of a spin; what it leaves is its last award."""
        number, _ = situation
        if number not in self._laws:
            symbols = self._memories[number - FRESH]
            sets = {symbols: Fraction(1)} if symbols else special_sets(self._special)
            parts = [part for of, p in sets.items() for part in self._parts(of, p)]
            self._laws[number] = SpinTerms.of(_together(parts))
        return self._laws[number]

    def _parts(self, symbols: Specials, odds: Fraction) -> Iterator[tuple[Fraction, Joint, NDArray[np.intp], int]]:
        """What a spin with these symbols can be: odds, rows of its law, and the memory that they leave."""
        joint = self._joint(symbols)
        adds = joint.awards[:, self._column] > 0
        if len(symbols) == self._special.count_most:
            adds[:] = False
        yield odds, joint, np.flatnonzero(~adds), self._number(symbols)
        if adds.any():
            for following, p in with_another(self._special, symbols):
                yield odds * p, joint, np.flatnonzero(adds), self._number(following)

    def _joint(self, symbols: Specials) -> Joint:
        """The law of a spin with these symbols."""
        if symbols not in self._joints:
            special = replace(self._special, count=len(symbols), more_with=None, most=None)
            model = self._build.model
            states = {**model.states, self._state.name: replace(self._state, special=special)}
            engine = Engine(replace(self._build, model=replace(model, states=states)), simd="scalar")
            self._joints[symbols] = joint_law(engine, self._column, merge=self._merge, specials=symbols)
        return self._joints[symbols]

    def _number(self, memory: Specials) -> int:
        if memory not in self._numbers:
            self._numbers[memory] = FRESH + len(self._memories)
            self._memories.append(memory)
        return self._numbers[memory]


def _together(parts: Sequence[tuple[Fraction, Joint, NDArray[np.intp], int]]) -> Joint:
    """One law of rows of several, each with its odds, with the memory that they leave as their last award."""
    first = parts[0][1]
    cycle = math.lcm(*(joint.cycle * p.denominator for p, joint, _, _ in parts))
    scales = [int(cycle * p / joint.cycle) for p, joint, _, _ in parts]
    return replace(
        first,
        states=(*first.states, NEXT),
        units=np.concatenate([joint.units[rows] for _, joint, rows, _ in parts]),
        awards=np.concatenate([_leaving(joint.awards[rows], left) for _, joint, rows, left in parts]),
        plays=np.concatenate([joint.plays[rows] for _, joint, rows, _ in parts]),
        weights=np.concatenate(
            [
                joint.weights[rows].astype(object) * scale
                for (_, joint, rows, _), scale in zip(parts, scales, strict=True)
            ]
        ),
        parts={},
        cycle=cycle,
        steps=(),
    )


def _leaving(awards: NDArray[np.int64], left: int) -> NDArray[np.int64]:
    return np.column_stack([awards, np.full(len(awards), left, dtype=np.int64)])
