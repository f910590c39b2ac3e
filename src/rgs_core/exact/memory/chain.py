"""Features whose spins remember: a Markov chain on (memory, spins left), exact.

With v = (m, l) a situation before a spin, the joint law of a spin from m (rgs_core.exact.memory.memories) says with which odds it
wins x, awards r spins of its own state and K of others, and leaves m'. Then l' = l - 1 + r spins are left, or
max(l - 1, r) where a trigger resets, and never more than the cap of free spins allows. A feature that goes on as
another state remembers which one it is. The chain is walked forwards
from (nothing, n): for each situation the odds to be in it and the moments of what was won by then,

    P' = P p,   E[S'] = E[S] p + P E[x],   E[S'^2] = E[S^2] p + 2 E[S] E[x] + P E[x^2],   P0' = P0 P(x = 0),

in integers over one common denominator. As every spin uses up one of those that are granted, this ends by itself
where a feature cannot go on; else situations that are less likely than RARE are left out, and `neglected` says how
likely all of these are together. On the Fourier side the same walk multiplies transforms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.engine.tables import compile_tables
from rgs_core.errors import AnalysisError
from rgs_core.exact.award_columns import award_columns
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.joint import bonus_name, bonus_triggers, drawn_in_steps, remembers_because
from rgs_core.exact.memory.beginnings import EMPTY, Beginnings, Handed, Names, StartingSpin, Way
from rgs_core.exact.memory.carried import CarriedMemories
from rgs_core.exact.memory.held import HeldMemories
from rgs_core.exact.memory.interrupted import InterruptedMemories
from rgs_core.exact.memory.memories import FRESH, OVER, Memories, RememberingSpin, Situation, VisitedMemories
from rgs_core.exact.memory.merge import MergedMemories, waits_for_batch
from rgs_core.exact.memory.specials import SpecialMemories
from rgs_core.exact.memory.whole_feature import WholeFeature
from rgs_core.exact.memory.won import WonMemories
from rgs_core.exact.reached import awards_of, feature_states
from rgs_core.exact.spin_paths import UNCOUNTED, spin_paths
from rgs_core.exact.spin_terms import Amount, Value
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import CollectedTrigger, FreeSpinsTrigger, FullReelsTrigger, Trigger, WinTrigger
from rgs_core.language.model import Build, Model, State

RARE = 10**22
"""One in so many: situations that are less likely are left out."""

NEGLIGIBLE = 1e-15
"""Odds of all that is left out, at most."""

MOVES_MAX = 10_000_000
"""Most moves of a chain: half a minute."""

TRANSFORMED_MAX = 1 << 32
"""Largest product of moves and frequencies of a law of wins: half a minute."""

BLOCK_VALUES = 1 << 22
"""Values of transforms of a layer that are held at once."""

Weights = tuple[int, int, int, int, int]
"""Odds, E[S], E[S^2] and odds of nothing as integers over a common denominator, and the largest S."""

Place = tuple[int, int, Awards]
"""Memory, spins left, and the spins awarded to other states so far."""


@dataclass(frozen=True, slots=True)
class _Moves:
    """What a spin can do: awards with the memory it leaves, and weights over `scale`."""

    scale: int
    events: tuple[tuple[Awards, Weights], ...]


@dataclass(frozen=True)
class _Layer:
    """Moves of one spin of the feature: from place `sources[i]` by `moves[i]` to place `targets[i]` of the following
    layer of `following` places, or to the end number ~`targets[i]`. int32 arrays of equal length."""

    sources: NDArray[np.int32]
    moves: NDArray[np.int32]
    targets: NDArray[np.int32]
    following: int


@dataclass(frozen=True)
class MemoryFeature:
    """Law of all that a feature wins and awards to other states when it begins in this `way`.

    `text` says what it is handed. `law`: exact moments by awards, as `beginnings` reads them; `spins`: mean spins;
    `granted`: most spins awarded to it; `layers`, `moves` and `ends` are the walk: its moves by spin, the situation and
    awards of each move, the awards of each end. `names`: of the features that it begins. `inside`: how many features
    interrupt it on average, by the way in which they begin; they win and are granted with it.
    """

    way: Way
    text: str
    beginnings: Beginnings
    names: Names
    law: Mapping[Awards, Awarding]
    spins: Fraction
    granted: int
    neglected: float
    most_reached: bool
    memories: Memories
    layers: tuple[_Layer, ...]
    moves: tuple[tuple[Situation, Awards], ...]
    ends: tuple[Awards, ...]
    inside: Mapping[Way, Fraction] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Names the law among those of the states of a round."""
        return f"{self.state_name} @ {self.way.spins} spins" + (self.text and f" with {self.text}")

    @property
    def state_name(self) -> str:
        """The state whose spins it plays."""
        return self.way.state

    @property
    def states(self) -> tuple[str, ...]:
        """Order of the states in what it awards."""
        return self.names.states

    def ways(self) -> list[Way]:
        """All features that it may begin."""
        return self.beginnings.all(self.law)

    def among(self, names: Names) -> MemoryFeature:
        """The same law where there are these states and features."""
        return replace(self, names=names)

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win by the spins of other states that it awards, and features that it begins."""
        return self._named

    @cached_property
    def _named(self) -> Mapping[Awards, Awarding]:
        return self.names.law(self.beginnings, self.law)

    @cached_property
    def _spins(self) -> dict[Situation, RememberingSpin]:
        return {situation: self.memories.law(situation) for situation in {s for s, _ in self.moves}}

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """Transform of the win by the spins of other states that it awards, and features that it begins.

        Raises AnalysisError where it takes too long.
        """
        spins = {situation: terms.terms(amount) for situation, terms in self._spins.items()}
        moves: list[Any] = [spins[situation][key] for situation, key in self.moves]
        width, kind = len(moves[0]), moves[0].dtype
        steps = sum(len(layer.sources) for layer in self.layers)
        if steps * width > TRANSFORMED_MAX:
            raise AnalysisError(
                f"features of state '{self.state_name}' are chains of {steps:,} moves, too many for an exact law of "
                f"wins at {width:,} frequencies; simulate instead"
            )
        result: dict[Awards, Any] = {key: np.zeros(width, kind) for key in self.ends}
        block = max(1, BLOCK_VALUES // max(layer.following + 1 for layer in self.layers))
        for begin in range(0, width, block):
            part = slice(begin, begin + block)
            values = np.ones((1, len(moves[0][part])), kind)
            for layer in self.layers:
                following = np.zeros((layer.following, values.shape[1]), kind)
                for source, move, target in zip(layer.sources, layer.moves, layer.targets, strict=True):
                    after = values[source] * moves[move][part]
                    if target >= 0:
                        following[target] += after
                    else:
                        result[self.ends[~target]][part] += after
                values = following
        return self.names.terms(self.beginnings, result)

    @cached_property
    def step(self) -> int:
        """Greatest common divisor of all amounts that a win adds up from; 0 without wins."""
        return math.gcd(*(terms.step for terms in self._spins.values()))

    @property
    def amounts(self) -> float:
        """Most random amounts that a win adds up."""
        return len(self.layers) * max(terms.amounts for terms in self._spins.values())

    @property
    def transforms(self) -> int:
        """Transforms that are held at once to compute `terms`."""
        return len(self.moves)


class MemoryChain:
    """The chain of a state: features by the way in which they begin."""

    def __init__(
        self,
        build: Build,
        name: str,
        *,
        merge: bool = True,
        carried: frozenset[str] = frozenset(),
        targets: tuple[str, ...] = (),
        spin: StartingSpin | None = None,
        inside: tuple[str, ...] = (),
        law_of: Callable[[Way], WholeFeature] | None = None,
    ) -> None:
        """`carried`: symbols of cells with which features may begin; `targets`: states whose features, known as a
        whole, its spins may start; `spin`: their law where they remember nothing else. `inside`: states whose features,
        known by `law_of`, interrupt it.

        Raises AnalysisError with the reason where features of the state are no such chain.
        """
        self.state = state = build.model.states[name]
        linked = [build.model.states[other] for other in feature_states(build.model, name)]
        for other in linked:
            if reason := _refused(build, other) or _ends_otherwise(other, linked):
                why = remembers_because(build.model, state) or f"state '{name}' starts features that remember"
                where = "" if other is state else f"state '{other.name}' "
                raise AnalysisError(f"{why} and {where}{reason}")
        self._merge = merge
        self._carried = carried
        self._spin = spin
        self._inside = inside
        self._law_of = law_of
        self.states = award_columns(build.model)
        self.beginnings = Beginnings.among(build.model, targets) if spin is None else spin.beginnings
        filling = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger) and t.reset and t.state in targets]
        self._filled = {self.states.index(trigger.state) for trigger in filling}
        self._build = build
        self._cap = build.model.free_spins_max
        self.further = tuple(other.name for other in linked[1:])
        self._resetting = {other.name: _resets(other) for other in linked}
        self._columns = {other.name: self.states.index(other.name) for other in linked}
        self._waits = any(waits_for_batch(trigger) for other in linked for trigger in other.triggers)
        self._ends = any(_pays_at_end(build.model, other) for other in linked)
        self._known: dict[Situation, _Moves] = {}
        self._steps = 0

    @cached_property
    def memories(self) -> Memories:
        """The laws of its spins, with all that interrupts them."""
        if not self._inside:
            return self.alone
        assert self._law_of is not None
        return InterruptedMemories(self.alone, Beginnings.among(self._build.model, self._inside), self._law_of)

    @cached_property
    def alone(self) -> Memories:
        """The laws of its spins: by merging where that is known, else by visiting."""
        if self.state.special is not None:
            return SpecialMemories(self._build, self.state.name, merge=self._merge)
        if self.state.win_min is not None:
            return WonMemories(self._build, self.state.name, merge=self._merge)
        if self._spin is not None:
            return CarriedMemories(self._spin)
        if self._waits:
            return MergedMemories(self._build, self.state.name, self._carried, merge=self._merge)
        for kind in (MergedMemories, HeldMemories) if self._merge else ():
            with suppress(AnalysisError):
                return kind(self._build, self.state.name, self._carried)
        return VisitedMemories(self._build, self.state.name)

    @property
    def method(self) -> str:
        """How the laws of features are computed."""
        return f"chain of {self.memories.count:,} memories, {self.memories.method}"

    def feature(self, spins: int, handed: Handed = EMPTY, *, paid: bool = False) -> MemoryFeature:
        """The law of a feature that begins with so many spins and these cells; spins that are `paid` for are beside the
        cap. Raises AnalysisError where it is too large."""
        free = spins if paid else 0
        walk = _Walk(self._ends, self._cap + free, self._steps)
        place = self.memories.handed(handed), min(spins, self._cap + free), (0,) * len(self.states)
        layer: dict[Place, Weights] = {place: (1, 0, 0, 1, 0)}
        visits: dict[Situation, Fraction] = {}
        while layer:
            for (memory, left, _), weights in layer.items() if self._inside else ():
                situation = self.situation(memory, left)
                visits[situation] = visits.get(situation, Fraction(0)) + Fraction(weights[0], walk.scale)
            situations = {self.situation(memory, left) for memory, left, _ in layer}
            self.memories.need(situations, max(left for _, left, _ in layer) - 1)
            moves = {situation: self._moves(situation) for situation in sorted(situations)}
            layer = walk.spin(self, layer, moves)
        self._steps = walk.steps
        if walk.neglected > NEGLIGIBLE:
            raise AnalysisError(
                f"features of state '{self.state.name}' go on for too long: {walk.neglected:.1e} of them are left out; "
                "award fewer spins, or set caps.free_spins lower"
            )
        inside: dict[Way, Fraction] = {}
        most = 0  # spins that features inside of one spin are awarded
        if isinstance(self.memories, InterruptedMemories):
            inside = self.memories.begun(visits)
            most = sum(self.memories.law_of(way).granted for way in inside)
        return MemoryFeature(
            way=Way(self.state.name, spins, handed),
            text=handed.text(self._build.model),
            beginnings=self.beginnings,
            names=Names(self.states, {}),
            law={key: self._awarding(weights, walk) for key, weights in walk.ended.items()},
            spins=Fraction(walk.spins, walk.scale),
            granted=walk.granted - free + most * walk.played,
            neglected=walk.neglected,
            most_reached=walk.neglected == 0,
            memories=self.memories,
            layers=tuple(walk.layers),
            moves=tuple(walk.moves),
            ends=tuple(walk.ended),
            inside=inside,
        )

    def own_spins(self, spins: int) -> tuple[Fraction, Fraction]:
        """Odds that a feature plays no more spins than it begins with and awards none, and how many of those it plays
        on average."""
        now = {(FRESH, spins, False): Fraction(1)}
        ended = played = Fraction(0)
        for _ in range(spins):
            after: dict[tuple[int, int, bool], Fraction] = {}
            for (memory, left, awarded), p in now.items():
                played += p
                for key, event in self.alone.law(self.situation(memory, left)).by_award().items():
                    own, others, then = self.split(memory, key)
                    rest = self.following(memory, left, own)
                    place = then, rest, awarded or any(others)
                    here = p * event.probability
                    if rest and then != OVER:
                        after[place] = after.get(place, Fraction(0)) + here
                    elif not place[2]:
                        ended += here
            now = after
        return ended, played

    def _awarding(self, weights: Weights, walk: _Walk) -> Awarding:
        p, first, second, zero, most = weights
        if walk.neglected:  # something may have won more
            bound = compile_tables(self._build).win_units_max  # of a round; of a spin where a maximum win is declared
            most = max(most, bound * (1 if self._build.model.win_max is None else self._cap))
        scale = walk.scale
        return Awarding(
            Fraction(p, scale), Fraction(first, scale), Fraction(second, scale), Fraction(zero, scale), most
        )

    def _moves(self, situation: Situation) -> _Moves:
        if situation not in self._known:
            law = {key: a for key, a in self.memories.law(situation).by_award().items() if a.probability}
            amounts = {key: (a.probability, a.win, a.win_squared, a.nothing) for key, a in law.items()}
            scale = math.lcm(*(x.denominator for of in amounts.values() for x in of))
            events = []
            for key, of in amounts.items():
                p, first, second, zero = (int(x * scale) for x in of)
                events.append((key, (p, first, second, zero, law[key].most)))
            self._known[situation] = _Moves(scale, tuple(events))
        return self._known[situation]

    def situation(self, memory: int, left: int) -> Situation:
        """What the law of a spin depends on that has so many spins left with itself."""
        return memory, left if self._waits else int(left == 1)

    def following(self, memory: int, left: int, awarded: int) -> int:
        """Spins left after a spin from a memory that had `left` left with itself and awards so many, without the cap."""
        return max(left - 1, awarded) if self._resetting[self.memories.state(memory)] else left - 1 + awarded

    def split(self, memory: int, awards: Awards) -> tuple[int, Awards, int]:
        """What a move from a memory does: spins of the feature itself, of others, and the memory that it leaves."""
        *others, left = awards
        column = self._columns[self.memories.state(memory)]
        own, others[column] = others[column], 0
        return own, tuple(others), left

    def mean_awarded(self, memory: int, moves: _Moves) -> float:
        """Mean spins of its own feature that a spin awards from a memory; 0 where they fill up the spins left."""
        if self._resetting[self.memories.state(memory)]:
            return 0.0
        total = sum(self.split(memory, key)[0] * event[0] for key, event in moves.events)
        return total / moves.scale

    def awarded(self, before: Awards, more: Awards) -> Awards:
        """Spins of other states that are awarded after a spin: they add up, where no trigger fills them up."""
        if not self._filled:
            return tuple(map(sum, zip(before, more, strict=True)))
        return tuple(
            max(n, m) if column in self._filled else n + m
            for column, (n, m) in enumerate(zip(before, more, strict=True))
        )

    def ended(self, awards: Awards, memory: int) -> Awards:
        """What a feature awards and hands on that ends with this memory."""
        return (*awards, memory - FRESH if self.beginnings.carried else 0)


class _Walk:
    """A walk through a chain, spin by spin, after so many `steps` of others. All weights are over `scale`."""

    def __init__(self, ends: bool, cap: int, steps: int) -> None:
        self.ends, self.cap = ends, cap
        self.scale = 1
        self.spins = self.granted = self.played = 0
        self.neglected = 0.0
        self.ended: dict[Awards, Weights] = {}
        self.layers: list[_Layer] = []
        self.moves: dict[tuple[Situation, Awards], int] = {}
        self.steps = steps
        self._parts: dict[Situation, list[tuple[int, Awards, int, int, Weights]]] = {}

    def _moved(
        self, chain: MemoryChain, situation: Situation, of: _Moves
    ) -> list[tuple[int, Awards, int, int, Weights]]:
        """What a spin can do: spins of its own, those of others (none as nothing), the memory that it leaves, the number
        of the move, and its weights."""
        if situation not in self._parts:
            parts = []
            for key, event in of.events:
                own, more, then = chain.split(situation[0], key)
                move = self.moves.setdefault((situation, key), len(self.moves))
                parts.append((own, more if any(more) else (), then, move, event))
            self._parts[situation] = parts
        return self._parts[situation]

    def spin(
        self, chain: MemoryChain, layer: Mapping[Place, Weights], moves: Mapping[Situation, _Moves]
    ) -> dict[Place, Weights]:
        """One spin from all places of a layer: those that follow."""
        common = math.lcm(*(of.scale for of in moves.values()))
        self.spins = (self.spins + sum(weights[0] for weights in layer.values())) * common
        self.scale *= common
        self.ended = {key: _times(weights, common) for key, weights in self.ended.items()}
        ends = {key: place for place, key in enumerate(self.ended)}
        following: dict[Place, Weights] = {}
        numbers: dict[Place, int] = {}
        steps: list[tuple[int, int, int]] = []
        for source, ((memory, left, others), weights) in enumerate(layer.items()):
            situation = chain.situation(memory, left)
            of = moves[situation]
            here = _times(weights, common // of.scale)
            self.granted = max(self.granted, self.played + left)
            for own, more, then, move, event in self._moved(chain, situation, of):
                awards = chain.awarded(others, more) if more else others
                rest = chain.following(memory, left, own)
                if self.played + 1 + rest > self.cap:
                    if self.ends:
                        remedy = "set caps.free_spins out of reach"
                        if (mean := chain.mean_awarded(memory, of)) >= 1:
                            remedy = (
                                f"award fewer: a spin awards {mean:.4f} further ones on average, so they end there only"
                            )
                        raise AnalysisError(
                            f"features of state '{chain.state.name}', which pays at their end, can reach the cap of "
                            f"{self.cap} free spins; {remedy}"
                        )
                    rest = self.cap - self.played - 1
                after = _joined(here, event)
                if rest == 0 or then == OVER:
                    end = chain.ended(awards, then)
                    self.ended[end] = _either(self.ended.get(end), after)
                    steps.append((source, move, ~ends.setdefault(end, len(ends))))
                else:
                    place = then, rest, awards
                    following[place] = _either(following.get(place), after)
                    steps.append((source, move, numbers.setdefault(place, len(numbers))))
        self.steps += len(steps)
        if self.steps > MOVES_MAX:
            raise AnalysisError(
                f"features of state '{chain.state.name}' can take too many ways for their law: award fewer spins, or set "
                "caps.free_spins lower"
            )
        self.played += 1
        return self._kept(following, steps)

    def _kept(self, following: dict[Place, Weights], steps: list[tuple[int, int, int]]) -> dict[Place, Weights]:
        """Leaves out what is too unlikely, and writes the layer down."""
        kept = {place: weights for place, weights in following.items() if weights[0] * RARE >= self.scale}
        sources, moves, targets = np.array(steps, dtype=np.int32).reshape(-1, 3).T
        if len(kept) < len(following):
            self.neglected += float(
                Fraction(sum(weights[0] for place, weights in following.items() if place not in kept), self.scale)
            )
            numbers = {place: number for number, place in enumerate(kept)}
            renumbered = np.array([numbers.get(place, -1) for place in following], dtype=np.int32)
            stay = targets < 0
            stay |= renumbered[np.maximum(targets, 0)] >= 0
            sources, moves, targets = sources[stay], moves[stay], targets[stay]
            targets = np.where(targets < 0, targets, renumbered[np.maximum(targets, 0)])
        self.layers.append(_Layer(sources, moves, targets, len(kept)))
        return kept


def _times(weights: Weights, factor: int) -> Weights:
    p, first, second, zero, most = weights
    return p * factor, first * factor, second * factor, zero * factor, most


def _joined(a: Weights, b: Weights) -> Weights:
    """Both of two independent events; their wins add up."""
    p, first, second, zero, most = a
    q, one, two, none, top = b
    return p * q, first * q + p * one, second * q + 2 * first * one + p * two, zero * none, most + top


def _either(a: Weights | None, b: Weights) -> Weights:
    """Either of two events that exclude each other."""
    if a is None:
        return b
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], max(a[4], b[4])


def _resets(state: State) -> bool:
    """Whether what lengthens a feature fills up the spins left instead."""
    return any(trigger.reset for trigger in _own_triggers(state) if isinstance(trigger, FreeSpinsTrigger))


def _own_triggers(state: State) -> list[FreeSpinsTrigger | WinTrigger | CollectedTrigger | FullReelsTrigger]:
    """Triggers of a state that lengthen its features."""
    kinds = FreeSpinsTrigger | WinTrigger | CollectedTrigger | FullReelsTrigger
    triggers = [trigger for trigger in state.triggers if isinstance(trigger, kinds)]
    return [t for t in triggers if getattr(t, "become", False) or (t.state == state.name and not zero(t))]


def zero(trigger: FreeSpinsTrigger | WinTrigger | CollectedTrigger | FullReelsTrigger) -> bool:
    """Whether levels are reached without any spins."""
    return isinstance(trigger, CollectedTrigger) and not any(trigger.spins)


def _becoming(trigger: Trigger) -> tuple[str, ...]:
    return (trigger.state,) if isinstance(trigger, FreeSpinsTrigger | WinTrigger) and trigger.become else ()


def _pays_at_end(model: Model, state: State) -> bool:
    """Whether something is paid when a feature ends."""
    return state.win_min is not None or any(getattr(model.evaluators[e], "at", "") == "end" for e in state.evaluators)


def _ends_otherwise(state: State, linked: Sequence[State]) -> str:
    """Why a feature that goes on as a state cannot end in it; "" when it can."""
    return "pays a least win for features that go on as it" if len(linked) > 1 and state.win_min is not None else ""


def _refused(build: Build, state: State) -> str:
    """Why features of a state are no chain of memories; "" when they are."""
    model, own = build.model, _own_triggers(state)
    sources = list(awards_of(model, state)).count(state.name)
    if state.special is not None and state.special.more_with is None:
        return "draws a special symbol"
    if goes_on_as(model, state) and state.win_min is not None:
        return "pays a least win"
    if trigger := drawn_in_steps(state):
        return f"may draw several multipliers of '{trigger}' in a spin, one a step"
    named = {part for trigger in state.triggers for part in (*_becoming(trigger), *getattr(trigger, "states", ()))}
    if goes_on_as(model, state) - named:
        return "goes on as another state by a bonus"
    if any(isinstance(trigger, FreeSpinsTrigger) and trigger.reset for trigger in own):
        if sources > 1:
            return "has several triggers that award its own spins, of which one resets those left"
        if state.cascade is not None and own[0].name in state.cascade.remove:
            return "resets the spins left at every step of a cascade"
    if state.cascade is not None and spin_paths(build, state) >= UNCOUNTED:
        return "draws at every step of a cascade"
    if sources > len(own) and _pays_at_end(model, state):
        names = {bonus_name(trigger) for trigger in bonus_triggers(state)}
        return f"pays at the end of a feature that bonuses make longer ({', '.join(sorted(names))})"
    return ""
