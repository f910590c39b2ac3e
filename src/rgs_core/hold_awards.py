"""How features of hold and spin begin: what the paid spin wins, awards and carries into them, together and exact.

The values of carried cells are drawn for themselves and nothing in the paid spin looks at them, so the spin has
the same law without them, and they are independent of all else in it. What is left to know is how many cells of
each carried symbol are in view on each class of reels (rgs_core.hold). A variant of the paid state counts them:
triggers that award as many spins of a state as there are such cells, and where reels differ their symbol has
another name on each class of them. So every algorithm for the joint law of a spin counts them too.

A feature is then one spin of a state of its own, by the spins and cells that it begins with: a round is a
branching process again, of the paid spin, of such features and of all other states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import Engine
from rgs_core.errors import AnalysisError
from rgs_core.hold import (
    NO_VALUE,
    HoldRules,
    HoldStart,
    Start,
    hold_rules,
    holds,
    reel_heights,
    values_of,
)
from rgs_core.hold_chain import hold_starts
from rgs_core.joint import Joint, bonus_name, bonus_triggers, joint_law, remembers_because
from rgs_core.mechanics import (
    Add,
    Collect,
    CollectedTrigger,
    Combinations,
    Expand,
    FreeSpinsTrigger,
    JackpotTrigger,
    Lines,
    Multiplier,
    Nudge,
    Replace,
    Reveal,
    Scatter,
    Trigger,
    Values,
    Wheel,
    WinTrigger,
)
from rgs_core.model import STATES_MAX, SYMBOLS_MAX, TRIGGERS_MAX, Build, Model, State, Strip
from rgs_core.tables import state_names


@dataclass(frozen=True)
class HoldRound:
    """The paid spin and the features of hold and spin that it starts.

    `paid`: its law by real states and spins; `starting`: the same by those and by features, named as in `laws`;
    `laws`: of each such feature as a whole; `held`: the states of these features.
    """

    held: tuple[str, ...]
    paid: Joint
    starting: Joint
    laws: Mapping[str, HoldStart]

    @property
    def granted(self) -> Mapping[str, int]:
        """Most spins that a round awards by state of hold and spin; only states that it can lead to."""
        most: dict[str, int] = {}
        for law in self.laws.values():
            state = law.rules.state.name
            most[state] = max(most.get(state, 0), law.granted)
        return most

    def widened(self, joint: Joint) -> Joint:
        """Another state's law with the features among the states that it does not award."""
        more = len(self.starting.states) - len(joint.states)
        return replace(joint, states=self.starting.states, awards=np.pad(joint.awards, ((0, 0), (0, more))))


def awards_of(model: Model, state: State) -> Iterator[str]:
    """Every state that a spin of a state may award spins of, as often as something awards it."""
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger | WinTrigger | CollectedTrigger):
            yield trigger.state
    for bonus in bonus_triggers(state):
        yield from _wheel_awards(model, bonus_name(bonus))


def _wheel_awards(model: Model, name: str) -> Iterator[str]:
    bonus = model.bonuses[name]
    if isinstance(bonus, Wheel):
        for segment in bonus.segments:
            if segment.state is not None:
                yield segment.state
            if segment.bonus is not None:
                yield from _wheel_awards(model, segment.bonus)


def held_states(model: Model, reached: Sequence[str]) -> list[str]:
    """States of hold and spin among those that a mode can reach."""
    return [name for name in reached if holds(model.states[name])]


def hold_round(build: Build, reached: Sequence[str], *, merge: bool = True) -> HoldRound:
    """The paid spin of a mode with its features of hold and spin, exact; `reached`: its states, the first one first.

    `merge=False` visits every combination of the paid spin. Raises AnalysisError with the reason where the
    features have no law, or begin in a way that is not known.
    """
    model, name = build.model, build.play.start
    state, targets = model.states[name], held_states(model, reached)
    carrying = _started_alone(build, reached, targets)
    rules = {target: hold_rules(build, model.states[target]) for target in targets}
    if carrying is not None:
        rules[carrying.state] = hold_rules(build, model.states[carrying.state], carrying.carry)
    counting = _Counting.of(build, state, carrying, rules.get(carrying.state) if carrying else None)
    engine = Engine(counting.build)
    joint = joint_law(engine, state_names(counting.build.model).index(name), merge=merge)
    real = tuple(state_names(model))
    column = {known: i for i, known in enumerate(joint.states)}
    awards = np.zeros((len(joint.units), len(real)), dtype=np.int64)
    for i, known in enumerate(real):
        if known not in counting.columns:
            awards[:, i] = joint.awards[:, column[known]]
    held = joint.awards[:, [column[known] for known in counting.columns]]
    if carrying is not None and not counting.awarded:
        total = held[:, [symbol == carrying.symbol for symbol in counting.symbols]].sum(axis=1)
        awards[:, real.index(carrying.state)] = np.array([carrying.award(n) for n in range(total.max() + 1)])[total]
    paid = replace(joint, model=model, state=state, states=real, awards=awards)
    return _with_features(paid, rules, carrying, counting, held)


def _with_features(
    paid: Joint,
    rules: Mapping[str, HoldRules],
    carrying: FreeSpinsTrigger | None,
    counting: _Counting,
    held: NDArray[np.int64],
) -> HoldRound:
    """The features in the place of the spins that they begin with."""
    laws: dict[str, HoldStart] = {}
    begun: list[NDArray[np.int64]] = []
    awards = paid.awards.copy()
    for name, rule in rules.items():
        spins = awards[:, paid.states.index(name)].copy()
        awards[:, paid.states.index(name)] = 0
        if carrying is not None and carrying.state == name:
            tables = tuple(
                values_of(paid.state, symbol) or own for symbol, own in zip(rule.symbols, rule.values, strict=True)
            )
            places = [counting.place(rule, symbol, number) for symbol, number in counting.keys]
        else:
            tables, places = (NO_VALUE,) * len(rule.symbols), []
        keys = np.column_stack([spins, held]) if places else spins[:, None]
        found, which = np.unique(keys, axis=0, return_inverse=True)
        starts: dict[int, Start] = {}
        for i, (n, *counts) in enumerate(found.tolist()):
            if n:
                cells = list(rule.nothing)
                for place, count in zip(places, counts, strict=True):
                    cells[place] += count
                starts[i] = Start(n, tuple(cells), tables)
        known = hold_starts(rule, starts.values())
        for i, start in starts.items():
            laws[known[start].name] = known[start]
            begun.append((which.reshape(-1) == i).astype(np.int64))
    states = (*paid.states, *laws)
    starting = replace(paid, states=states, awards=np.column_stack([awards, *begun]))
    return HoldRound(tuple(rules), paid, starting, {name: replace(law, states=states) for name, law in laws.items()})


# --- What begins a feature --------------------------------------------------------------------------------


def _started_alone(build: Build, reached: Sequence[str], targets: Sequence[str]) -> FreeSpinsTrigger | None:
    """The trigger of the paid spin that carries cells into a feature, if one does.

    Raises AnalysisError where a feature of hold and spin can begin in any other way than by one paid spin.
    """
    model, play = build.model, build.play
    start = model.states[play.start]

    def no(reason: str) -> AnalysisError:
        return AnalysisError(f"{reason}, for which there is no exact law of a round")

    if play.start in targets:
        raise no(f"mode '{build.mode}' begins with spins of state '{play.start}', which keeps cells")
    reason = remembers_because(model, start)
    if reason:
        raise AnalysisError(f"{reason}, so its spins have no law of their own")
    for target in targets:
        for other in reached:
            if other not in (play.start, target) and target in awards_of(model, model.states[other]):
                raise no(f"spins of state '{target}', which keeps cells, are awarded by state '{other}' too")
        triggers = [t for t in start.triggers if isinstance(t, FreeSpinsTrigger | WinTrigger) and t.state == target]
        if len(triggers) < list(awards_of(model, start)).count(target):
            raise no(f"a wheel awards spins of state '{target}', which keeps cells")
        filled = [t for t in triggers if isinstance(t, FreeSpinsTrigger) and (t.reset or t.carry)]
        if filled and len(triggers) > 1:
            raise no(f"several triggers start state '{target}', and '{filled[0].name}' resets or carries")
    if play.spins > 1 or any(play.start in awards_of(model, model.states[other]) for other in reached):
        raise no(
            f"several spins of state '{play.start}' in one round may start state '{targets[0]}', which keeps cells"
        )
    carrying = [t for t in start.triggers if isinstance(t, FreeSpinsTrigger) and t.carry]
    for trigger in carrying:
        if trigger.state not in targets:
            raise no(f"trigger '{trigger.name}' of state '{start.name}' carries cells into the feature")
    if len(carrying) > 1:
        raise no(f"triggers '{carrying[0].name}' and '{carrying[1].name}' both carry cells into a feature")
    return carrying[0] if carrying else None


# --- Counting what is carried --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Counting:
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
    def of(cls, build: Build, state: State, carrying: FreeSpinsTrigger | None, rules: HoldRules | None) -> _Counting:
        """Raises AnalysisError with the reason where it cannot be counted, or values matter in the paid spin."""
        model = build.model
        looks = looks_at_values(model, state)
        if carrying is None or rules is None:
            return cls(build if looks else _only(build, state, _without_values(state), {}, ()))
        reason = looks or _carried_refused(model, state, carrying, rules)
        if reason:
            raise AnalysisError(
                f"trigger '{carrying.name}' of state '{state.name}' carries cells into the feature, and {reason}, for "
                "which there is no exact law of a round"
            )
        carried = [symbol for symbol in rules.symbols if symbol in carrying.carry]
        keys = tuple((symbol, number) for symbol in carried for number in range(len(rules.classes)))
        stopped = carrying.stopped and any(isinstance(t, CHANGING) for t in state.transforms)
        awarded = stopped or carrying.symbol not in carried
        columns = _columns(model, state, carrying.state, len(keys), awarded)
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
                f"what trigger '{carrying.name}' of state '{state.name}' carries is counted by {len(counters)} symbols "
                f"and classes of reels that draw alike, beside {len(triggers)} triggers; {TRIGGERS_MAX} can be told "
                "apart: use equal strips in the feature, or fewer carried symbols"
            )
        aliases = {
            reel: {symbol: alias(symbol, number) for symbol in carried}
            for number, cells_of in enumerate(rules.classes)
            for reel in cells_of.reels
        }
        variant = replace(_without_values(state), triggers=(*triggers, *counters))
        return cls(_only(build, state, variant, aliases, columns), keys, columns, awarded)


CHANGING = (Reveal, Expand, Replace, Add, Nudge)
"""Transforms that change what cells show."""


def counting_table(cells: int) -> Mapping[int, int]:
    """As many as there are."""
    return {n: n for n in range(1, cells + 1)}


def alias(symbol: str, number: int) -> str:
    """The name of a symbol on a class of reels; its own on the first."""
    return f"{symbol}@{number}" if number else symbol


def _without_values(state: State) -> State:
    return replace(state, transforms=tuple(t for t in state.transforms if not isinstance(t, Values)))


def looks_at_values(model: Model, state: State) -> str:
    """What in a spin of the state depends on the values of cells, in words; "" when nothing does."""
    if not any(isinstance(transform, Values) for transform in state.transforms):
        return ""
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Collect) or getattr(evaluator, "cell_values", "ignore") != "ignore":
            return f"'{name}' pays by the values of cells"
    return "the final multiplier is made of the values of cells" if state.final else ""


def _carried_refused(model: Model, state: State, carrying: FreeSpinsTrigger, rules: HoldRules) -> str:
    """Why the cells that a trigger carries are not counted, or their values not independent; "" if they are."""
    if state.cascade is not None and (
        carrying.name in state.cascade.remove or any(isinstance(t, CHANGING) for t in state.transforms)
    ):
        return "its state cascades with transforms, or removes what is carried"
    changes = [i for i, t in enumerate(state.transforms) if isinstance(t, CHANGING)]
    gives = [i for i, t in enumerate(state.transforms) if isinstance(t, Values)]
    if changes and gives and min(gives) < max(changes):
        return "cells change after they have their values"
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
        elif trigger.stopped and any(isinstance(t, CHANGING) for t in state.transforms):
            used.add(trigger.symbol)
    for transform in state.transforms:
        if isinstance(transform, CHANGING):
            return "the reels of the feature draw differently, while transforms change the grid"
        if isinstance(transform, Multiplier) and transform.symbol:
            used.add(transform.symbol)
    if state.cascade is not None:
        used |= state.cascade.keep
    for symbol in carried:
        named = {symbol} | {name for name, members in model.groups.items() if symbol in members}
        if named & used or symbol in model.wilds or any(symbol in w.substitutes for w in model.wilds.values()):
            return reason.format(symbol)
    return ""


def _columns(model: Model, state: State, target: str, needed: int, awarded: bool) -> tuple[str, ...]:
    """States whose spins stand for counts: such as the paid state does not award, and new ones."""
    taken = {*awards_of(model, state), state.name} - (set() if awarded else {target})
    known = [name for name in model.states if name not in taken]
    new = [f"count {i}" for i in range(STATES_MAX - len(model.states))]
    if len(known) + len(new) < needed:
        raise AnalysisError(f"what state '{state.name}' carries into '{target}' has too many classes of reels to count")
    return tuple([*known, *new][:needed])


def _only(
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
            for reel, strip in enumerate(build.strips(state, name))
        )
        for name in state.strip_sets
    }
    changed = replace(model, states=states, symbols=(*model.symbols, *more))
    return replace(build, model=changed, profile=replace(build.profile, strips=strips))
