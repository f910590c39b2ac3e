"""Counting what a spin of the paid state carries into a feature of hold and spin.

The values of carried cells are drawn for themselves and nothing in the paid spin looks at them, so the spin has
the same law without them, and they are independent of all else in it. What is left to know is how many cells of
each carried symbol are in view on each class of reels (rgs_core.exact.memory.hold). A variant of the paid state counts them:
triggers that award as many spins of a state as there are such cells, and where reels differ their symbol has
another name on each class of them. So every algorithm for the joint law of a spin counts them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rgs_core.errors import AnalysisError
from rgs_core.exact.memory.hold import HoldRules, reel_heights
from rgs_core.exact.reached import awards_of
from rgs_core.language.mechanics import (
    Act,
    Add,
    Collect,
    Combinations,
    Expand,
    Fill,
    FreeSpinsTrigger,
    JackpotTrigger,
    Lines,
    Mark,
    Multiplier,
    Nudge,
    Replace,
    Reveal,
    Scatter,
    Trigger,
    Values,
    fires_by_count,
    works_always,
)
from rgs_core.language.model import STATES_MAX, SYMBOLS_MAX, TRIGGERS_MAX, Build, Model, State, Strip


@dataclass(frozen=True)
class Counting:
    """A build in which spins of the paid state award as many spins of the states `columns` as there are cells in
    view of the symbols and classes `keys`. `awarded`: whether the trigger that carries still awards spins."""

    build: Build
    keys: tuple[tuple[str, int], ...] = ()
    columns: tuple[str, ...] = ()
    awarded: bool = True

    @property
    def symbols(self) -> list[str]:
        """The symbol of each column."""
        return [symbol for symbol, _ in self.keys]

    def place(self, rules: HoldRules, symbol: str, number: int) -> int:
        """Where the cells of a symbol on a class of reels are among the held ones."""
        return number * len(rules.symbols) + rules.symbols.index(symbol)

    @classmethod
    def of(cls, build: Build, state: State, carrying: FreeSpinsTrigger | None, rules: HoldRules | None) -> Counting:
        """Raises AnalysisError with the reason where it cannot be counted, or values matter in the paid spin."""
        model = build.model
        looks = looks_at_values(model, state)
        if carrying is None or rules is None:
            return cls(build if looks else only(build, state, _without_values(state), {}, ()))
        reason = looks or _carried_refused(model, state, carrying, rules)
        if reason:
            raise AnalysisError(
                f"trigger '{carrying.name}' of state '{state.name}' carries cells into the feature, and {reason}, for "
                "which there is no exact law of a round"
            )
        carried = [symbol for symbol in rules.symbols if symbol in carrying.carry]
        keys = tuple((symbol, number) for symbol in carried for number in range(len(rules.classes)))
        stopped = carrying.stopped and any(isinstance(t, CHANGING) for t in state.transforms)
        plain = (
            carrying.multiplier is None and fires_by_count(carrying) and model.members(carrying.symbol) <= set(carried)
        )
        awarded = stopped or not plain
        columns = columns_for(model, state, carrying.state, len(keys), awarded)
        cells = model.reels * model.rows
        counters: list[Trigger] = [
            FreeSpinsTrigger(f"count {alias(symbol, number)}", alias(symbol, number), counting_table(cells), column)
            for (symbol, number), column in zip(keys, columns, strict=True)
        ]
        if awarded:
            counters.append(replace(carrying, carry=frozenset()))
        triggers = [t for t in state.triggers if t is not carrying and not isinstance(t, JackpotTrigger)]
        if len(triggers) + len(counters) > TRIGGERS_MAX:
            raise AnalysisError(
                f"what trigger '{carrying.name}' of state '{state.name}' carries takes {len(counters)} counts, one for each "
                f"symbol and class of reels that draw alike, and the state has other triggers ({len(triggers)}): together "
                f"more than {TRIGGERS_MAX}; use equal strips in the feature, or fewer carried symbols or triggers"
            )
        aliases = {
            reel: {symbol: alias(symbol, number) for symbol in carried}
            for number, cells_of in enumerate(rules.classes)
            for reel in cells_of.reels
        }
        variant = replace(_without_values(state), triggers=(*triggers, *counters))
        return cls(only(build, state, variant, aliases, columns), keys, columns, awarded)


CHANGING = (Reveal, Expand, Replace, Add, Nudge, Fill, Mark)
"""Transforms that change what cells show."""


def counting_table(cells: int) -> Mapping[int, int]:
    """As many as there are."""
    return {n: n for n in range(1, cells + 1)}


def alias(symbol: str, number: int) -> str:
    """The name of a symbol on a class of reels; its own on the first."""
    return f"{symbol}@{number}" if number else symbol


def _without_values(state: State) -> State:
    """Where nothing looks at values, what gives and changes them matters no more."""
    return replace(state, transforms=tuple(t for t in state.transforms if not isinstance(t, Values | Act)))


def looks_at_values(model: Model, state: State) -> str:
    """What in a spin of the state depends on the values of cells, in words; "" when nothing does."""
    if not any(isinstance(transform, Values) for transform in state.transforms):
        return ""
    if any(isinstance(transform, Values) and transform.grow for transform in state.transforms):
        return "values grow in wins"
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Collect) or getattr(evaluator, "cell_values", "ignore") != "ignore":
            return f"'{name}' pays by the values of cells"
    return "the final multiplier is made of the values of cells" if state.final else ""


def _carried_refused(model: Model, state: State, carrying: FreeSpinsTrigger, rules: HoldRules) -> str:
    """Why the cells that a trigger carries are not counted, or their values not independent; "" if they are."""
    if state.cascade is not None and (
        carrying.name in state.cascade.remove
        or state.cascade.changes
        or any(isinstance(t, CHANGING) for t in state.all_transforms)
    ):
        return "its state cascades with transforms or changes of cells, or removes what is carried"
    if any(isinstance(t, Act) for t in state.transforms):
        return "its cells act on the values of others"
    if any(isinstance(t, Values) and t.each == "reel" for t in state.transforms):
        return "it draws one value for all cells of a reel"
    if any(isinstance(t, Values) and t.reels is not None for t in state.transforms):
        return "it gives values on some reels only"
    changes = [i for i, t in enumerate(state.transforms) if isinstance(t, CHANGING)]
    gives = [i for i, t in enumerate(state.transforms) if isinstance(t, Values)]
    if any(isinstance(t, Values) and not works_always(t) for t in state.transforms):
        return "cells have values in some spins only"
    if changes and gives and min(gives) < max(changes):
        return "cells change after they have their values"
    if model.top:
        return "the grid has a top reel"
    if any(high > low for high, low in zip(reel_heights(model, state), rules.heights(), strict=True)):
        return "the feature has fewer rows"
    if len(rules.classes) > 1:
        return _aliases_refused(model, state, carrying, [s for s in rules.symbols if s in carrying.carry])
    return ""


def _aliases_refused(model: Model, state: State, carrying: FreeSpinsTrigger, carried: Sequence[str]) -> str:
    """Why carried symbols cannot have other names on some reels: something else looks at them. "" if nothing does."""
    reason = "the reels of the feature draw differently, while '{}' is more than what is carried"
    if len(model.symbols) + 8 * len(carried) > SYMBOLS_MAX:
        return f"the reels of the feature draw differently, and there are more than {SYMBOLS_MAX} symbols then"
    used: set[str] = set()
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Scatter):
            used.add(evaluator.symbol)
        elif isinstance(evaluator, Combinations):
            used |= {element for c in evaluator.combinations for element in c.symbols if element}
        elif isinstance(evaluator, Collect):
            used |= {evaluator.symbol, evaluator.collector or ""}
        else:
            used |= set(evaluator.pays)
            used |= set(evaluator.full_grid) if isinstance(evaluator, Lines) else set()
    for trigger in state.triggers:
        if trigger is not carrying:
            used |= {getattr(trigger, "symbol", "")} | {s for s in getattr(trigger, "pattern", ()) if s}
        elif (
            not fires_by_count(trigger)
            or carrying.multiplier is not None
            or not model.members(trigger.symbol) <= set(carried)
            or (trigger.stopped and any(isinstance(t, CHANGING) for t in state.transforms))
        ):
            used.add(trigger.symbol)
    for part in (*state.transforms, *state.triggers):
        used |= {condition.counted.symbol for condition in getattr(part, "in_view", ())}
    for transform in state.transforms:
        if isinstance(transform, CHANGING):
            return "the reels of the feature draw differently, while transforms change the grid"
        if isinstance(transform, Multiplier) and transform.symbol:
            used.add(transform.symbol)
    if state.cascade is not None:
        used |= {*state.cascade.staying, *state.cascade.become, *state.cascade.made}
    for symbol in carried:
        named = {symbol} | {name for name, members in model.groups.items() if symbol in members}
        if named & used or symbol in model.wilds or any(symbol in w.substitutes for w in model.wilds.values()):
            return reason.format(symbol)
    return ""


def columns_for(model: Model, state: State, target: str, needed: int, awarded: bool) -> tuple[str, ...]:
    """States whose spins stand for counts: such as the paid state does not award, and new ones."""
    taken = {*awards_of(model, state), state.name} - (set() if awarded else {target})
    known = [name for name in model.states if name not in taken]
    new = [f"count {i}" for i in range(STATES_MAX - len(model.states))]
    if len(known) + len(new) < needed:
        raise AnalysisError(f"what state '{state.name}' carries into '{target}' has too many classes of reels to count")
    return tuple([*known, *new][:needed])


def only(
    build: Build, state: State, variant: State, aliases: Mapping[int, Mapping[str, str]], columns: Sequence[str]
) -> Build:
    """A build of one state: the variant of it; all others stand for their names only."""
    model = build.model
    empty = State("", state.strips, (), 1, frozenset(), ())
    states = {name: replace(empty, name=name) for name in (*model.states, *columns)} | {state.name: variant}
    more = dict.fromkeys(new for names in aliases.values() for new in names.values() if new not in model.symbols)
    strips = {
        name: tuple(
            Strip(tuple(aliases.get(reel, {}).get(symbol, symbol) for symbol in strip.symbols), strip.weights)
            for reel, strip in enumerate(build.profile.strips[name])
        )
        for name in state.strip_sets
    }
    changed = replace(model, states=states, symbols=(*model.symbols, *more))
    return replace(build, model=changed, profile=replace(build.profile, strips=strips))
