"""Exact law of a hold-and-spin feature: cells draw for themselves, what lands is held, the end pays.

Held cells never change and nothing else is remembered, and the cells of a reel are alike, those of reels with
equal odds too: they are a class. So a feature is a Markov chain on (held cells by class and symbol, spins left),
rgs_core.exact.memory.hold_chain. The values of the held cells are independent of it: with k cells of a symbol carried into the
feature and j landed in it, the values add up to the k-fold law of those that were carried and the j-fold law of
the others (`HoldStart`).

`hold_rules` says which states this is about, and why others are not; rgs_core.exact.memory.feature_starts how features begin.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import numpy as np

from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.memory.acting import acts_refused
from rgs_core.exact.memory.beginnings import Names, Way
from rgs_core.exact.reached import feature_states
from rgs_core.exact.spin_terms import Amount, Value
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import (
    Act,
    Collect,
    FreeSpinsTrigger,
    JackpotTrigger,
    Scatter,
    Stick,
    Table,
    Values,
    fires_by_count,
    works_always,
)
from rgs_core.language.model import Build, Model, State

HOLDING = "chain of held cells"
"""How the law of a feature is computed."""

NO_VALUE = Table((0,), (1,))
"""The value of a cell that never draws one."""

Held = tuple[int, ...]
"""Held cells by class and symbol: of class c and symbol s at `c * symbols + s`."""

Counts = tuple[int, ...]
"""Held cells by symbol."""

Situation = tuple[Held, int]
"""Held cells and spins left, before a spin."""


@dataclass(frozen=True, slots=True)
class CellClass:
    """Cells that draw alike: those of `reels`. `weights[s]` of `total` show the held symbol s."""

    reels: tuple[int, ...]
    cells: int
    weights: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True)
class HoldRules:
    """A state of hold and spin: which symbols are held, where they land, what they are worth.

    `values[s]`: the table of values of the symbol s when it lands, NO_VALUE without one; `acts`: what cells do to the
    values of others. `further`: of states with more cells as which the feature may go on, with the same symbols and
    reels of the same classes; `unlocks`: triggers by which it does, with the number of the state, this one being 0 and
    those the following ones.
    """

    model: Model
    state: State
    symbols: tuple[str, ...]
    classes: tuple[CellClass, ...]
    values: tuple[Table, ...]
    acts: tuple[Act, ...] = ()
    further: tuple[HoldRules, ...] = ()
    unlocks: tuple[tuple[FreeSpinsTrigger, int], ...] = ()

    @property
    def cells(self) -> int:
        """Cells of the grid."""
        return sum(cells.cells for cells in self.classes)

    @property
    def nothing(self) -> Held:
        """No cell held."""
        return (0,) * (len(self.classes) * len(self.symbols))

    def heights(self) -> tuple[int, ...]:
        """Rows in view on each reel."""
        return reel_heights(self.model, self.state)

    def counts(self, held: Held) -> Counts:
        """Held cells by symbol."""
        return tuple(sum(held[s :: len(self.symbols)]) for s in range(len(self.symbols)))

    def free(self, held: Held) -> tuple[int, ...]:
        """Cells that are not held, by class."""
        width = len(self.symbols)
        return tuple(c.cells - sum(held[i * width : (i + 1) * width]) for i, c in enumerate(self.classes))

    def following(self, left: int, landed: Counts, full: bool) -> tuple[int, int]:
        """Spins left after a spin that had `left` left with itself, and the spins that it was granted."""
        left -= 1
        granted = 0
        for trigger in self.state.triggers:
            if isinstance(trigger, FreeSpinsTrigger) and not trigger.become:
                award = trigger.award(self.count(landed, trigger.symbol))
                more = max(0, award - left) if trigger.reset else award
                left, granted = left + more, granted + more
        return (0 if full else left), granted

    def unlocked(self, left: int, counts: Counts) -> tuple[int, int, int]:
        """The number of the state as which the feature goes on behind a spin that leaves so many spins and held cells, -1
        for none, the spins left then, and the spins that it was granted."""
        state, granted = -1, 0
        for trigger, number in self.unlocks:
            count = self.count(counts, trigger.symbol)
            if count >= min(trigger.spins):
                award = trigger.award(count)
                more = max(0, award - left) if trigger.reset else award
                state, left, granted = number, left + more, granted + more
        return state, left, granted

    def count(self, counts: Counts, entry: str) -> int:
        """How many cells of a symbol or group there are."""
        members = self.model.members(entry)
        return sum(n for symbol, n in zip(self.symbols, counts, strict=True) if symbol in members)

    def scale(self, symbol: int, counts: Counts) -> int:
        """Units that the end pays for each 1 of the values of a symbol where so many cells are held."""
        name, scale = self.symbols[symbol], 0
        for part in self.state.evaluators:
            evaluator = self.model.evaluators[part]
            if isinstance(evaluator, Collect) and name in self.model.members(evaluator.symbol):
                count = self.count(counts, evaluator.symbol)
                scale += self._unit(evaluator, count) if counts[symbol] and count >= evaluator.count_min else 0
        return scale

    def fixed(self, counts: Counts) -> int:
        """Units that the end pays for the numbers of held symbols, whatever their values."""
        return sum(self._prizes(counts).values())

    def _prizes(self, counts: Counts) -> dict[str, int]:
        prizes = {}
        for part in self.state.evaluators:
            evaluator = self.model.evaluators[part]
            if isinstance(evaluator, Scatter):
                count = self.count(counts, evaluator.symbol)
                prizes[part] = evaluator.pay(count) * self._unit(evaluator, count)
        return prizes

    def _unit(self, evaluator: Collect | Scatter, count: int) -> int:
        multiplier = self.state.multiplier_for(evaluator.name, evaluator.symbol, count)
        return self.model.basis_units(evaluator.of) * multiplier

    def parts(self, counts: Counts, sums: Sequence[Fraction]) -> dict[str, Fraction]:
        """Units that each evaluator pays at the end, by held cells and the sums of their values, or means of these."""
        paid = dict.fromkeys(self.state.evaluators, Fraction(0))
        for part, units in self._prizes(counts).items():
            paid[part] += units
        for part in self.state.evaluators:
            evaluator = self.model.evaluators[part]
            if isinstance(evaluator, Collect):
                count = self.count(counts, evaluator.symbol)
                members = self.model.members(evaluator.symbol)
                if count >= evaluator.count_min:
                    total = sum((x for s, x in zip(self.symbols, sums, strict=True) if s in members), Fraction(0))
                    paid[part] += self._unit(evaluator, count) * total
        return paid


@dataclass(frozen=True, slots=True)
class Start:
    """How a feature begins: spins left, cells already held, and the values of these by symbol."""

    spins: int
    held: Held
    carried: tuple[Table, ...] = ()


@dataclass(frozen=True)
class HoldStart:
    """Law of all that a feature wins when it begins with `start`.

    `ends[N]`: odds that it ends with N held cells by symbol; `spins`: mean spins that it plays; `granted`: most
    spins that can be awarded to it on its way; `states`: order of the states in what spins award.
    """

    rules: HoldRules
    start: Start
    ends: Mapping[Counts, Fraction]
    spins: Fraction
    granted: int
    states: tuple[str, ...] = ()
    neglected: float = 0.0
    most_reached: bool = True

    transforms: ClassVar[int] = 1

    @property
    def state_name(self) -> str:
        """The state whose spins it plays."""
        return self.rules.state.name

    @property
    def name(self) -> str:
        """Names the law among those of the states of a round."""
        held = ", ".join(f"{n} {s}" for s, n in zip(self.rules.symbols, self.carried, strict=True) if n)
        places = "/".join(map(str, self.start.held)) if len(self.rules.classes) > 1 and held else ""
        return f"{self.rules.state.name} @ {self.start.spins} spins" + (held and f" with {held} {places}".rstrip())

    @cached_property
    def carried(self) -> Counts:
        """Cells held from the beginning, by symbol."""
        return self.rules.counts(self.start.held)

    def tables(self, symbol: int, count: int) -> list[tuple[Table, int]]:
        """Tables of values of the cells of a symbol of which so many are held, with their number of cells."""
        old = self.carried[symbol]
        carried = [(self.start.carried[symbol], old)] if old else []
        return [*carried, *([(self.rules.values[symbol], count - old)] if count > old else [])]

    def scales(self, counts: Counts) -> list[int]:
        """Units for each 1 of the values, by symbol."""
        return [self.rules.scale(s, counts) for s in range(len(counts))]

    def beside(self, spins: int) -> Self:
        """The same where so many of its spins are paid for."""
        return replace(self, granted=self.granted - spins)

    def ways(self) -> list[Way]:
        """A feature begins no other."""
        return []

    def among(self, names: Names) -> HoldStart:
        """The same law where there are these states; its moments are the same and are not computed again."""
        named = replace(self, states=names.states)
        vars(named)["moments"] = self.moments
        return named

    # -- moments ----------------------------------------------------------------------------------------

    def by_award(self) -> Mapping[Awards, Awarding]:
        """Exact moments of the win; a feature awards nothing."""
        return {(0,) * len(self.states): self.moments}

    @cached_property
    def moments(self) -> Awarding:
        """E[X], E[X^2], P(X = 0) and the largest X: by the held cells, given which the values are independent."""
        win = second = nothing = Fraction(0)
        most = 0
        for counts, p in self.ends.items():
            fixed = self.rules.fixed(counts)
            mean, variance, zero, top = Fraction(fixed), Fraction(0), Fraction(int(fixed == 0)), fixed
            for s, scale in enumerate(self.scales(counts)):
                for table, n in self.tables(s, counts[s]) if scale else ():
                    one = table_mean(table, 1)
                    mean += scale * n * one
                    variance += scale**2 * n * (table_mean(table, 2) - one**2)
                    zero *= Fraction(weight_of(table, 0), table.total) ** n
                    top += scale * n * largest(table)
            win += p * mean
            second += p * (variance + mean**2)
            nothing += p * zero
            most = max(most, top)
        return Awarding(Fraction(1), win, second, nothing, most)

    def mean_parts(self) -> dict[str, Fraction]:
        """Mean units by evaluator."""
        parts = dict.fromkeys(self.rules.state.evaluators, Fraction(0))
        for counts, p in self.ends.items():
            sums = [
                sum((n * table_mean(table, 1) for table, n in self.tables(s, count)), Fraction(0))
                for s, count in enumerate(counts)
            ]
            for part, units in self.rules.parts(counts, sums).items():
                parts[part] += p * units
        return parts

    # -- the whole law ----------------------------------------------------------------------------------

    def terms(self, amount: Amount[Value]) -> dict[Awards, Value]:
        """The transform of what it wins, given which cells are held at its end; it awards nothing."""
        total = cast(Any, 0.0)
        powers: dict[tuple[Table, int], list[Value]] = {}
        for counts, p in self.ends.items():
            term: Any = amount(np.array([self.rules.fixed(counts)], dtype=np.int64), np.array([float(p)]))
            for s, scale in enumerate(self.scales(counts)):
                for table, n in self.tables(s, counts[s]) if scale else ():
                    known = powers.setdefault((table, scale), [])
                    while len(known) < n:
                        known.append(known[0] * known[-1] if known else self._value(table, scale, amount))
                    term = term * known[n - 1]
            total = total + term
        return {(0,) * len(self.states): total}

    @staticmethod
    def _value(table: Table, scale: int, amount: Amount[Value]) -> Value:
        return amount(np.array(table.values, dtype=np.int64) * scale, np.array(table.weights) / table.total)

    @property
    def amounts(self) -> float:
        """Largest number of random amounts that it adds up."""
        return 1.0 + self.rules.cells

    @property
    def step(self) -> int:
        """Greatest common divisor of all amounts that a win adds up from."""
        step = 0
        for counts in self.ends:
            step = math.gcd(step, self.rules.fixed(counts))
            for s, scale in enumerate(self.scales(counts)):
                for table, _ in self.tables(s, counts[s]) if scale else ():
                    values = (v for v, w in zip(table.values, table.weights, strict=True) if w)
                    step = math.gcd(step, *(scale * value for value in values))
        return step

    def law(self) -> dict[int, Fraction]:
        """Every win in units with its probability: convolutions of the weights of the tables, in integers."""
        sums: dict[tuple[tuple[Table, int], ...], dict[int, int]] = {}

        def of_values(tables: tuple[tuple[Table, int], ...]) -> dict[int, int]:
            """Weights of the sum of the values of all these cells."""
            if tables not in sums:
                if not tables:
                    sums[tables] = {0: 1}
                else:
                    *others, (table, n) = tables
                    fewer = of_values((*others, (table, n - 1)) if n > 1 else tuple(others))
                    sums[tables] = convolved(fewer, list(zip(table.values, table.weights, strict=True)))
            return sums[tables]

        law: dict[int, Fraction] = defaultdict(Fraction)
        for counts, p in sorted(self.ends.items()):
            here = {self.rules.fixed(counts): 1}
            for s, scale in enumerate(self.scales(counts)):
                if scale:
                    weights = of_values(tuple(self.tables(s, counts[s])))
                    here = convolved(here, [(scale * value, weight) for value, weight in weights.items()])
            total = sum(here.values())
            for units, weight in here.items():
                law[units] += p * Fraction(weight, total)
        return dict(law)


def convolved(law: Mapping[int, int], more: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Weights of the sum of two independent amounts."""
    result: dict[int, int] = defaultdict(int)
    for value, weight in more:
        if weight:
            for so_far, w in law.items():
                result[so_far + value] += w * weight
    return dict(result)


def table_mean(table: Table, power: int) -> Fraction:
    """E[V^power] of a value of a table."""
    return Fraction(sum(v**power * w for v, w in zip(table.values, table.weights, strict=True)), table.total)


def weight_of(table: Table, value: int) -> int:
    """Weight of a value of a table."""
    return sum(w for v, w in zip(table.values, table.weights, strict=True) if v == value)


def largest(table: Table) -> int:
    """Largest value that is possible."""
    return max(v for v, w in zip(table.values, table.weights, strict=True) if w)


# --- Which states ------------------------------------------------------------------------------------------


def holds(state: State) -> bool:
    """Whether a state is of the kind that is looked at here: cells that draw for themselves, and some that stay."""
    return state.cells and any(isinstance(transform, Stick) for transform in state.transforms)


def hold_rules(build: Build, state: State, carried: Iterable[str] = ()) -> HoldRules:
    """The rules of a state of hold and spin that may begin with cells of the symbols `carried`.

    Raises AnalysisError with the reason where a feature of the state is no such chain.
    """
    model = build.model
    states = [state, *sorted((model.states[name] for name in _linked(model, state)), key=lambda of: _cells(model, of))]
    for other in states:
        reason = _refused(model, other, set(carried)) or (_unlocks_refused(model, state, states) if states[1:] else "")
        if reason:
            where = "" if other is state else f"state '{other.name}' "
            raise AnalysisError(f"state '{state.name}' keeps cells over the spins of a feature and {where}{reason}")
    sticky = [s for s in model.symbols if s in held_symbols(state)]
    strips = [build.strips(other) for other in states]
    odds = [[[symbol_weight(strip.symbols, strip.weights, s) for s in sticky] for strip in of] for of in strips]
    kept = [i for i, s in enumerate(sticky) if s in carried or any(reel[i] for of in odds for reel in of)]
    classes: dict[tuple[tuple[tuple[int, ...], int], ...], list[int]] = {}
    for reel in range(model.reels):
        draws = []
        for of, weights_of in zip(strips, odds, strict=True):
            weights, total = [weights_of[reel][i] for i in kept], of[reel].total
            shared = math.gcd(total, *weights)
            draws.append((tuple(w // shared for w in weights), total // shared))
        classes.setdefault(tuple(draws), []).append(reel)
    symbols = tuple(sticky[i] for i in kept)
    acts = tuple(transform for transform in state.transforms if isinstance(transform, Act))
    tables = {symbol: values_of(state, symbol) for symbol in symbols}
    landing = {symbol for strip in strips[0] for symbol in strip.symbols} | set(symbols)
    valued = {symbol for symbol in landing if symbol in carried or values_of(state, symbol)}
    if acts and (reason := acts_refused(acts, tables, landing, valued)):
        raise AnalysisError(f"state '{state.name}' keeps cells over the spins of a feature and {reason}")
    found = []
    for number, other in enumerate(states):
        heights = reel_heights(model, other)
        places = [
            CellClass(tuple(reels), sum(heights[reel] for reel in reels), *draws[number])
            for draws, reels in classes.items()
        ]
        names = [of.name for of in states]
        unlocks = [(t, names.index(t.state)) for t in other.triggers if isinstance(t, FreeSpinsTrigger) and t.become]
        values = tuple(tables[symbol] or NO_VALUE for symbol in symbols)
        found.append(HoldRules(model, other, symbols, tuple(places), values, acts, unlocks=tuple(unlocks)))
    return replace(found[0], further=tuple(found[1:]))


def _linked(model: Model, state: State) -> list[str]:
    """States as which features of a state may go on."""
    return feature_states(model, state.name)[1:]


def _cells(model: Model, state: State) -> int:
    """Cells of a state."""
    return sum(reel_heights(model, state))


def held_symbols(state: State) -> set[str]:
    """Symbols that stay where they land."""
    return {symbol for t in state.transforms if isinstance(t, Stick) for symbol in t.symbols}


def _unlocks_refused(model: Model, first: State, states: Sequence[State]) -> str:
    """Why features that begin in a state and go on as others are no chain of held cells; "" when they are."""
    for state in states:
        if any(isinstance(transform, Act) for transform in state.transforms):
            return "goes on as another state while cells act on the values of others"
        if held_symbols(state) != held_symbols(first):
            return f"goes on as state '{state.name}', which holds other symbols"
        if any(values_of(state, symbol) != values_of(first, symbol) for symbol in held_symbols(first)):
            return f"goes on as state '{state.name}', which gives cells other values"
        plain = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger)]
        for place, trigger in enumerate(plain):
            if trigger.become:
                lower, higher = reel_heights(model, state), reel_heights(model, model.states[trigger.state])
                if lower == higher or any(a > b for a, b in zip(lower, higher, strict=True)):
                    return f"goes on as state '{trigger.state}', which has not more rows"
                if any(not other.become and not other.reset for other in plain[place:]) and any(trigger.spins.values()):
                    return f"awards spins by '{trigger.name}' before others add some: name it last"
                if (
                    any(not other.become for other in plain[place:])
                    and not trigger.reset
                    and any(trigger.spins.values())
                ):
                    return f"awards spins by '{trigger.name}' before others fill them up: name it last"
    return ""


def _refused(model: Model, state: State, carried: set[str]) -> str:
    """Why a state is no chain of held cells; "" when it is one."""
    if not state.cells:
        return "draws its reels as a whole"
    if state.win_min is not None:
        return "pays a least win"
    by_held = {t.state for t in state.triggers if isinstance(t, FreeSpinsTrigger) and t.become}
    if goes_on_as(model, state) - by_held:
        return "goes on as another state otherwise than by the number of held cells"
    if model.doubles:
        return "may hold double symbols"
    if model.top:
        return "has a top reel"
    if state.heights is not None and any(len(reel.values) > 1 for reel in state.heights):
        return "draws the heights of its reels"
    if state.strip_choice or state.cascade or state.final or state.special:
        return "draws its strips, cascades, or has a final multiplier or a special symbol"
    first: dict[str, int] = {}
    acting: int | None = None
    for place, transform in enumerate(state.transforms):
        if isinstance(transform, Stick):
            if transform.moves:
                return "moves them"
            for symbol in transform.symbols:
                first.setdefault(symbol, place)
        elif isinstance(transform, Act):
            acting = place
        elif not isinstance(transform, Values):
            return f"has a transform of kind {transform.kind}"
        elif not works_always(transform):
            return "gives them values in some spins only"
        elif transform.each == "reel":
            return "draws one value for all cells of a reel"
        elif transform.reels is not None:
            return "gives values on some reels only"
        elif acting is not None:
            return "gives cells values after others have acted"
    for place, transform in enumerate(state.transforms):
        if isinstance(transform, Values) and any(first.get(s, place) < place for s in transform.symbols):
            return "gives them values after it holds them"
        if isinstance(transform, Act) and any(before < place for before in first.values()):
            return "lets cells act after it holds them"
    if not carried <= first.keys():
        return f"does not hold all that is carried into it ({', '.join(sorted(carried - first.keys()))})"
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if not isinstance(evaluator, Scatter | Collect) or evaluator.at != "end":
            return f"pays '{name}' at every spin"
        if not model.members(evaluator.symbol) <= set(first):
            return f"pays '{name}' for a symbol that it does not hold"
        if isinstance(evaluator, Collect) and evaluator.collector is not None:
            return f"pays '{name}' once for each collector"
    for trigger in state.triggers:
        if isinstance(trigger, JackpotTrigger):
            continue
        if not isinstance(trigger, FreeSpinsTrigger):
            return f"has a trigger of kind {trigger.kind}"
        if trigger.state != state.name and not trigger.become:
            return f"awards spins of state '{trigger.state}'"
        if not fires_by_count(trigger):
            return f"awards spins by '{trigger.name}' with odds, conditions or reels of its own"
        if trigger.become:
            if trigger.fresh or trigger.stopped or not model.members(trigger.symbol) <= set(first):
                return f"goes on by '{trigger.name}' for other than all held cells"
            if trigger.multiplier is not None:
                return f"gives features a multiplier by '{trigger.name}'"
            continue
        if not trigger.fresh or not model.members(trigger.symbol) <= set(first) or trigger.award(0):
            return f"awards spins by '{trigger.name}' for other than newly held cells"
    return ""


def values_of(state: State, symbol: str) -> Table | None:
    """The table that gives a symbol its value: the first one does."""
    tables = (t.table for t in state.transforms if isinstance(t, Values) and symbol in t.symbols)
    return next(tables, None)


def symbol_weight(symbols: Sequence[str], weights: Sequence[int], symbol: str) -> int:
    """Weight of the stops of a strip that show a symbol."""
    return sum(w for s, w in zip(symbols, weights, strict=True) if s == symbol)


def reel_heights(model: Model, state: State) -> tuple[int, ...]:
    """Most rows in view on each reel."""
    return (model.rows,) * model.reels if state.heights is None else tuple(max(r.values) for r in state.heights)
