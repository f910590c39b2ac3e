"""How features begin that are known as a whole: what spins win, award and carry into them, together and exact.

A feature is then one spin of a state of its own, by the spins and cells that it begins with: a round is a branching
process again (rgs_core.exact.memory.whole_feature). Features of hold and spin are chains of held cells, all others chains of
memories. A state of several spins that starts such features is a chain of memories too: they wait for its end, so what
its spins award and hand on belongs together (rgs_core.exact.memory.carried).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.award_columns import award_columns, feature_name, multiplied_features
from rgs_core.exact.joint import bonus_name, bonus_triggers, joint_law, remembers_because
from rgs_core.exact.memory.acting_start import acting_starts
from rgs_core.exact.memory.beginnings import EMPTY, Beginnings, Handed, Names, StartingSpin, Way, unique
from rgs_core.exact.memory.carried_cells import carried_law
from rgs_core.exact.memory.chain import MemoryChain, MemoryFeature
from rgs_core.exact.memory.hold import HOLDING, NO_VALUE, HoldRules, HoldStart, Start, hold_rules, holds, values_of
from rgs_core.exact.memory.hold_awards import Counting
from rgs_core.exact.memory.hold_chain import hold_starts, own_spins
from rgs_core.exact.memory.memories import FRESH, NEXT
from rgs_core.exact.memory.unlocking import UnlockingStart
from rgs_core.exact.memory.whole_feature import TAKEN, CountedFeature, FeatureRound, WholeFeature
from rgs_core.exact.multiplied_features import MultipliedFeature
from rgs_core.exact.reached import (
    awards_at,
    awards_of,
    begun,
    bonus_awards,
    feature_states,
    interrupting,
    plays_once,
    queued,
    reached,
)
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import (
    BonusTrigger,
    FreeSpinsTrigger,
    FullReelsTrigger,
    PickTrigger,
    Stick,
    WinTrigger,
    given,
    settled,
)
from rgs_core.language.model import Build, Model, State


def remembering_states(build: Build) -> list[str]:
    """States that features of the mode begin with and that have a memory, and a second spin that could use it."""
    model = build.model
    states = [name for name in begun(build) if remembers_because(model, model.states[name])]
    return [name for name in states if not plays_once(build, name)]


def whole_states(build: Build) -> list[str]:
    """States whose features are looked at as a whole: those that remember, and those of several spins that may start
    such features, which wait for their end. What starts a feature comes before it, as far as there is such an order."""
    model = build.model
    states = [name for name in begun(build) if not plays_once(build, name)]
    awards = {name: set(awards_of(model, model.states[name])) for name in states}
    waited = {name: queued(build, name) for name in states}
    whole = set(remembering_states(build))
    while more := {name for name in states if waited[name] & whole} - whole:
        whole |= more
    order: list[str] = []
    waiting = [name for name in states if name in whole]
    while waiting:
        free = [name for name in waiting if not any(name in awards[other] for other in waiting if other != name)]
        order += free or waiting
        waiting = [name for name in waiting if name not in order]
    return order


def feature_round(
    build: Build,
    *,
    merge: bool = True,
    held_laws: Callable[..., Mapping[Start, HoldStart | UnlockingStart]] = hold_starts,
) -> FeatureRound:
    """The paid spin of a mode with its features that are known as a whole, exact.

    `merge=False` visits every combination of draws. `held_laws` computes features of hold and spin; who asks for many builds
    gives a function that remembers. Raises AnalysisError with the reason where the features have no law, or begin in a
    way that is not known.
    """
    model, start = build.model, build.play.start
    targets = whole_states(build)
    _check(build, targets)
    sources = {name: model.states[name] for name in reached(build)}
    carried: dict[str, frozenset[str]] = defaultdict(frozenset)
    for state in sources.values():
        for trigger in _carrying(state, targets):
            carried[trigger.state] |= trigger.carry
    rules = {name: hold_rules(build, sources[name], carried[name]) for name in targets if _held_alone(build, name)}
    awarded = {
        target: tuple(name for name in targets if name != target and name in queued(build, target))
        for target in targets
    }
    inside = {
        target: tuple(
            name
            for name in targets
            if name not in (target, *awarded[target]) and name in awards_of(model, sources[target])
        )
        for target in targets
    }
    known: dict[tuple[str, int, Handed], MemoryFeature] = {}

    def chained(way: Way) -> WholeFeature:
        beginning = way.state, way.spins, way.handed
        if beginning not in known:
            known[beginning] = chains[way.state].feature(way.spins, way.handed, paid=way.state == start)
        return _multiplied(way, known[beginning])

    def law_of(way: Way) -> WholeFeature:
        """The law of a feature inside of another one."""
        if way not in found:
            found[way] = (
                chained(way)
                if way.state in chains
                else _held(rules[way.state], [way], award_columns(model), held_laws)[way]
            )
        return found[way]

    chains = {
        target: MemoryChain(
            build,
            target,
            merge=merge,
            carried=carried[target],
            targets=awarded[target],
            inside=inside[target],
            law_of=law_of,
        )
        for target in targets
        if target not in rules and remembers_because(model, sources[target])
    }
    for chain in chains.values():  # before the paid spin is counted, which may take a minute
        chain.memories.need({(FRESH, False)})
    paid = None if start in targets else starting_spin(build, start, targets, rules, merge=merge)
    stopped = {
        name: starting_spin(build, name, targets, rules, merge=merge)
        for name, state in sources.items()
        if name not in (start, *targets) and set(awards_of(model, state)) & set(targets)
    }
    ways: dict[str, dict[Way, None]] = {target: {} for target in targets}
    plain = {} if paid is None else {start: paid.plain}
    plain |= {name: spin.plain for name, spin in stopped.items()}
    own_law: tuple[Fraction, Fraction] | None = None
    found: dict[Way, WholeFeature] = {}
    methods: dict[str, str] = {}
    further: dict[str, str] = {}

    def begin(started: Sequence[Way]) -> None:
        for way in started:
            ways[way.state].setdefault(way)

    first = Way(start, build.play.spins, EMPTY)
    begin([first] if paid is None else paid.ways())
    for spin in stopped.values():
        begin(spin.ways())
    for target in targets:
        if target in rules:
            begun_ways = [way for way in ways[target] if way not in found]
            found |= _held(rules[target], begun_ways, award_columns(model), held_laws)
            if target == start:
                own_law = own_spins(rules[target], Start(build.play.spins, rules[target].nothing))
                begun_law = found[first]
                assert isinstance(begun_law, HoldStart | UnlockingStart)
                found[first] = begun_law.beside(build.play.spins)
            methods[target] = f"{HOLDING}, for each way to begin"
            names_of = [of.state.name for of in rules[target].further]
            further |= dict.fromkeys(names_of, f"in the features of state {target}")
            continue
        if target in chains:
            chain = chains[target]
        else:
            spin = starting_spin(build, target, awarded[target], rules, merge=merge)
            plain[target] = spin.plain
            chains[target] = chain = MemoryChain(
                build, target, merge=merge, targets=awarded[target], spin=spin, inside=inside[target], law_of=law_of
            )
        for way in ways[target]:
            found[way] = chained(way)
            feature = known[target, way.spins, way.handed]
            begin([*feature.ways(), *feature.inside])
        if target == start:
            own_law = chain.own_spins(build.play.spins)
        methods[target] = chain.method
        further |= dict.fromkeys(chain.further, f"in the features of state {target}")
    order = [way for target in targets for way in ways[target]]
    named = dict(zip(order, unique([found[way].name for way in order]), strict=True))
    insides = {way: of.inside for way in order if (of := known.get(way[:3])) is not None and of.inside}
    taken = (TAKEN,) if stopped or insides else ()
    names = Names((*award_columns(model), *named.values(), *taken), named)
    laws = {name: found[way].among(names) for way, name in named.items()}
    if taken:  # the feature with which a mode begins is no further spin itself
        laws = {
            name: CountedFeature(law, law.granted - (name != named.get(first) or paid is not None))
            for name, law in laws.items()
        }
    starting = laws[named[first]] if paid is None else paid.named(names)
    interrupted = {name: spin.named(names) for name, spin in stopped.items()}
    inner = {named[way]: {named[other]: n for other, n in of.items()} for way, of in insides.items()}
    return FeatureRound(plain, starting, laws, further | methods, own_law, interrupted, inner)


def starting_spin(
    build: Build, name: str, targets: Sequence[str], rules: Mapping[str, HoldRules], *, merge: bool
) -> StartingSpin:
    """The law of a spin of a state with the features that it starts: of `targets`, those of hold and spin by `rules`.

    Raises AnalysisError with the reason where there is none.
    """
    model, real = build.model, award_columns(build.model)
    state = model.states[name]
    carrying = next(iter(_carrying(state, targets)), None)
    if carrying is not None and carrying.state not in rules:
        joint, handed, which = carried_law(build, state, carrying, merge=merge)
    else:
        rule = rules[carrying.state] if carrying is not None else None
        counting = Counting.of(build, state, carrying, rule)
        engine = Engine(counting.build)
        index = state_names(counting.build.model).index(name)
        counted = joint_law(engine, index, merge=merge, single=plays_once(build, name))
        column = {known: i for i, known in enumerate(counted.states)}
        awards = np.zeros((len(counted.units), len(real)), dtype=np.int64)
        for i, known in enumerate(real):
            if known not in counting.columns and known in column:  # a variant has no columns for what others award
                awards[:, i] = counted.awards[:, column[known]]
        held = counted.awards[:, [column[known] for known in counting.columns]]
        if carrying is not None and not counting.awarded:
            triggering = model.members(carrying.symbol)
            total = held[:, [symbol in triggering for symbol in counting.symbols]].sum(axis=1)
            awards[:, real.index(carrying.state)] = np.array([carrying.award(n) for n in range(total.max() + 1)])[total]
        joint = replace(counted, model=model, state=state, states=real, awards=awards)
        keys, which = np.unique(held, axis=0, return_inverse=True)
        handed = (EMPTY,) if rule is None else tuple(_handed(rule, state, counting, key) for key in keys.tolist())
    # 0 behind the awards where nothing is awarded that could be handed anything.
    number = np.zeros(len(joint.units), dtype=np.int64)
    if carrying is not None:
        columns = [real.index(carrying.state)]
        columns += [real.index(feature_name(*pair)) for pair in multiplied_features(model) if pair[0] == carrying.state]
        number = np.where(joint.awards[:, columns].any(axis=1), which.reshape(-1) + 1, 0)
    numbered = replace(joint, states=(*real, NEXT), awards=np.column_stack([joint.awards, number]))
    beginnings = Beginnings.among(model, targets, carrying.state if carrying else "", (EMPTY, *handed))
    return StartingSpin(numbered, joint, beginnings)


def _handed(rules: HoldRules, state: State, counting: Counting, counts: Sequence[int]) -> Handed:
    """Cells that hold and spin is handed, with the tables of their values."""
    held = list(rules.nothing)
    for (symbol, number), count in zip(counting.keys, counts, strict=True):
        held[counting.place(rules, symbol, number)] += count
    tables = tuple(values_of(state, symbol) or own for symbol, own in zip(rules.symbols, rules.values, strict=True))
    return Handed(held=tuple(held), carried=tables)


def _held(
    rules: HoldRules,
    ways: Sequence[Way],
    states: Sequence[str],
    held_laws: Callable[..., Mapping[Start, HoldStart | UnlockingStart]],
) -> dict[Way, WholeFeature]:
    """Features of hold and spin, by how they begin."""
    none = (NO_VALUE,) * len(rules.symbols)
    starts = {way: Start(way.spins, way.handed.held or rules.nothing, way.handed.carried or none) for way in ways}
    known = held_laws(rules, starts.values(), tuple(states))
    if rules.acts:
        known = acting_starts({start: law for start, law in known.items() if isinstance(law, HoldStart)})
    return {way: _multiplied(way, known[start]) for way, start in starts.items()}


def _multiplied(way: Way, law: WholeFeature) -> WholeFeature:
    """The law with the multiplier of its award."""
    return law if way.multiplier == 1 else MultipliedFeature(way.state, way.multiplier, law)


def _held_alone(build: Build, name: str) -> bool:
    """Whether features of a state are chains of held cells and nothing else: they start none of other states. Where they
    go on as other states they may be chains of memories as well."""
    state = build.model.states[name]
    if not holds(state) or set(awards_of(build.model, state)) - set(feature_states(build.model, name)):
        return False
    if not goes_on_as(build.model, state):
        return True
    try:
        hold_rules(build, state)
    except AnalysisError:
        return False
    return True


def feature_refused(build: Build, name: str) -> str:
    """Why the features of a state have no law, whatever begins them; "" where that is not the reason."""
    try:
        if _held_alone(build, name):
            hold_rules(build, build.model.states[name])
        else:
            MemoryChain(build, name)
    except AnalysisError as error:
        return str(error)
    return ""


def _carrying(state: State, targets: Sequence[str]) -> list[FreeSpinsTrigger]:
    """Triggers of a state that carry cells into features of these others."""
    triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger) and t.carry]
    return [trigger for trigger in triggers if trigger.state in targets and trigger.state != state.name]


def _awarding(model: Model, state: State, target: str) -> list[int]:
    """Places among the triggers of a state of those that may award spins of another, in order."""
    places = []
    for place, trigger in enumerate(state.triggers):
        if trigger in bonus_triggers(state):
            if target in bonus_awards(model, bonus_name(trigger), state.name):
                places.append(place)
        elif getattr(trigger, "state", "") == target and not getattr(trigger, "become", False):
            places.append(place)
    return places


def _waiting(model: Model, state: State, target: str, other: str) -> str:
    """How a spin of a state may award spins of `target` after those of `other`, or what helps; "" when it may not."""
    places = [(own, before) for own in _awarding(model, state, target) for before in _awarding(model, state, other)]
    found = [place for place in places if _may_follow(model, state, *place)]
    if not found:
        return ""
    names = [state.triggers[place].name for place in found[0]]
    if any(own == before or before in _removing(state) for own, before in found):
        if names[0] == names[1]:
            return f"'{names[0]}' may award both"
        return f"'{names[0]}' may fire after '{names[1]}', whatever their order"
    only = [own for own, _ in places if other not in _awarded_by(model, state, own)]
    if {own for own, _ in found} <= set(only):
        return f"name trigger '{names[0]}' before '{names[1]}'"
    return f"'{names[0]}' comes after '{names[1]}'"


def _may_follow(model: Model, state: State, own: int, before: int) -> bool:
    """Whether in one spin the trigger at `own` may award spins of one state after the one at `before` those of another.
    Triggers whose cells a cascade removes are looked at first, after each of its steps."""
    removing = _removing(state)
    if own in removing or before in removing:
        return before in removing
    if own != before:
        return before < own
    trigger = state.triggers[own]
    if isinstance(trigger, PickTrigger):
        return len(model.paylines_of(state)) > 1 or _gives_on(model, trigger.pick)
    assert isinstance(trigger, BonusTrigger)
    return max(trigger.plays.values()) > 1 or _gives_on(model, trigger.bonus)


def _removing(state: State) -> set[int]:
    """Places of the triggers whose cells the cascade removes."""
    remove = state.cascade.remove if state.cascade is not None else frozenset[str]()
    return {place for place, trigger in enumerate(state.triggers) if trigger.name in remove}


def _gives_on(model: Model, bonus: str) -> bool:
    """Whether one play of a bonus may award spins and then play another one."""
    parts = [part for part in given(settled(model.bonuses[bonus])) if part.bonus is not None]
    return any(part.spins or _gives_on(model, part.bonus or "") for part in parts)


def _awarded_by(model: Model, state: State, place: int) -> set[str]:
    """States whose spins the trigger at a place may award."""
    return {name for name in model.states if place in _awarding(model, state, name)}


def _multiplying(model: Model, state: State, target: str) -> str:
    """The first trigger of a state that may give features of `target` a multiplier; "" for none."""
    for trigger in state.triggers:
        if trigger in bonus_triggers(state):
            if _bonus_multiplies(model, bonus_name(trigger), target):
                return trigger.name
        elif getattr(trigger, "state", "") == target and getattr(trigger, "multiplier", None) is not None:
            return trigger.name
    return ""


def _bonus_multiplies(model: Model, bonus: str, target: str) -> bool:
    """Whether a bonus may give features of `target` a multiplier."""
    parts = given(settled(model.bonuses[bonus]))
    return any(
        (part.state == target and part.multiplier is not None)
        or (part.bonus is not None and _bonus_multiplies(model, part.bonus, target))
        for part in parts
    )


def _no_law(reason: str, remedy: str = "") -> AnalysisError:
    """Why a round has no exact law, and what helps."""
    return AnalysisError(f"{reason}, for which there is no exact law of a round{remedy}")


def _check(build: Build, targets: Sequence[str]) -> None:
    """Raises AnalysisError where features that are known as a whole can begin in a way that is not known: by spins of
    several features, or while others of their state wait or play."""
    model, play = build.model, build.play
    states = {name: model.states[name] for name in reached(build)}
    awards = {name: set(awards_of(model, state)) for name, state in states.items()}

    awarded = begun(build)
    for target in targets:
        twice = [other for other in feature_states(model, target)[1:] if other in awarded]
        if twice:
            raise _no_law(f"features of state '{target}' go on as state '{twice[0]}', whose spins are awarded as well")
        what = _kept_whole(model, states[target])
        sources = [name for name in states if name != target and target in awards[name]]
        later = _led_to(awards, target)
        again = [name for name in sources if name in later]
        if target in interrupting(build):  # where it is over before they play, they are like any others
            within = _played_within(awards, states, model, target)
            again = [name for name in again if name in targets or name in within]
        if again:
            raise _no_law(
                f"spins of state '{target}', which {what}, are awarded by state '{again[0]}' too, which it leads to"
            )
        features = [name for name in sources if name != play.start or name in targets]
        _check_at_once(build, target, sources, targets, what)
        if len(features) > 1 and target not in interrupting(build):
            raise _no_law(
                f"spins of state '{target}', which {what}, are awarded by states '{features[0]}' and '{features[1]}'"
            )
        for name in sources:
            _check_triggers(build, states[name], target, what)
        _check_multipliers(build, target, sources, targets)
        for name in feature_states(model, target) if goes_on_as(model, states[target]) else ():
            further = [other for other in targets if other != name and other in awards[name]]
            if further:
                raise _no_law(
                    f"spins of state '{further[0]}', which {_kept_whole(model, states[further[0]])}, are awarded by "
                    f"state '{name}' too, whose features go on as others"
                )
        queued_by_start = play.start in sources and play.start not in targets and target not in interrupting(build)
        if features and queued_by_start:
            hurried = {name for state in states.values() for name, at_once in awards_at(model, state) if at_once}
            if features[0] in hurried.union(*(_led_to(awards, name) for name in hurried)):
                raise _no_law(
                    f"spins of state '{features[0]}' may be played at once while features of state '{target}' wait, of which "
                    "they award spins too"
                )
            if waits := _waiting(model, states[play.start], target, features[0]):
                raise _no_law(
                    f"a spin of state '{play.start}' may award spins of state '{target}' that wait for those of state "
                    f"'{features[0]}', which award some too",
                    f": {waits}",
                )
    for state in states.values():
        for trigger in state.triggers:
            if isinstance(trigger, FullReelsTrigger) and trigger.state != state.name:
                raise _no_law(f"trigger '{trigger.name}' of state '{state.name}' holds full reels in the feature")
        carrying = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger) and t.carry and t.state != state.name]
        for trigger in carrying:
            target = trigger.state
            if target not in targets or not any(isinstance(t, Stick) for t in states[target].transforms):
                raise _no_law(f"trigger '{trigger.name}' of state '{state.name}' carries cells into the feature")
            if goes_on_as(model, states[target]) and not _held_alone(build, target):
                raise _no_law(
                    f"trigger '{trigger.name}' of state '{state.name}' carries cells into a feature that goes on as "
                    "another state"
                )
            if state.name in targets and remembers_because(model, state):
                raise _no_law(
                    f"trigger '{trigger.name}' of state '{state.name}', which remembers, carries cells into a feature"
                )
        if len(carrying) > 1:
            raise _no_law(f"triggers '{carrying[0].name}' and '{carrying[1].name}' both carry cells into a feature")


def _check_at_once(build: Build, target: str, sources: Sequence[str], targets: Sequence[str], what: str) -> None:
    """Raises AnalysisError where features that are played at once begin in a way that is not known: as parts of others
    that remember, or as longer ones that wait."""
    model, start = build.model, build.play.start
    states = {name: model.states[name] for name in sources}

    if target not in interrupting(build):
        mixed = [name for name, state in states.items() if (target, True) in awards_at(model, state)]
        if mixed:
            raise _no_law(
                f"state '{mixed[0]}' awards spins of state '{target}', which {what}, at once, while others of them may wait: "
                "say at_once wherever they are awarded"
            )
        return
    for name in (name for name in sources if name in targets):
        inside = f"features of state '{target}', which {what}, interrupt those of state '{name}'"
        if name in dict(multiplied_features(model)):
            raise _no_law(f"{inside}, which have multipliers")
        if states[name].win_min is not None:
            raise _no_law(f"{inside}, which pay a least win of their own")
        if _carrying(states[name], [target]):
            raise _no_law(f"{inside}, which {_kept_whole(model, states[name])}, and hold cells of theirs")
    several = [name for name in sources if name != start or build.play.spins > 1 or name in targets]
    begun_by = [name for name in targets if name != target and name in awards_of(model, model.states[target])]
    if several and begun_by:
        raise _no_law(
            f"several features of state '{target}' may interrupt others in a round and award spins of state "
            f"'{begun_by[0]}', which {_kept_whole(model, model.states[begun_by[0]])}"
        )
    awards = {name: set(awards_of(model, model.states[name])) for name in reached(build)}
    for name, state in states.items():
        for other, at_once in awards_at(model, state):
            leads = at_once and other not in (name, target) and target in _led_to(awards, other)
            if leads and (waits := _waiting(model, state, target, other)):
                raise _no_law(
                    f"a spin of state '{name}' may award spins of state '{target}' that wait for those of state '{other}', "
                    "which lead to some too",
                    f": {waits}",
                )


def _played_within(awards: Mapping[str, set[str]], states: Mapping[str, State], model: Model, name: str) -> set[str]:
    """States whose spins may be played while a feature of this one is interrupted, among others."""
    found = {other for other, at_once in awards_at(model, states[name]) if at_once and other != name}
    return found.union(*(_led_to(awards, other) for other in found))


def _kept_whole(model: Model, state: State) -> str:
    """What makes features of a state known as a whole only."""
    return "remembers" if remembers_because(model, state) else "starts features that remember"


def _check_triggers(build: Build, state: State, target: str, what: str) -> None:
    """Raises AnalysisError where triggers of a state that award spins of another go together in a way that is not
    known."""
    places = _awarding(build.model, state, target)
    triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger | WinTrigger) and t.state == target]
    filled = [t for t in triggers if isinstance(t, FreeSpinsTrigger) and (t.reset or t.carry)]
    if filled and len(places) > 1:
        raise AnalysisError(
            f"several triggers start state '{target}', and '{filled[0].name}' resets or carries, for which there is no "
            "exact law of a round"
        )
    if filled and state.cascade is not None and filled[0].name in state.cascade.remove:
        raise AnalysisError(
            f"trigger '{filled[0].name}' of state '{state.name}' starts state '{target}', which {what}, at every step "
            "of a cascade and resets or carries, for which there is no exact law of a round"
        )


def _check_multipliers(build: Build, target: str, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Raises AnalysisError where features that are known as a whole have multipliers in a way that is not known."""
    model = build.model

    for name in feature_states(model, target):
        if trigger := _multiplying(model, model.states[name], name):
            what = _kept_whole(model, model.states[name])
            raise _no_law(f"'{trigger}' of state '{name}', which {what}, awards other features of that state")
    giving = [(name, trigger) for name in sources if (trigger := _multiplying(model, model.states[name], target))]
    for name, trigger in giving:
        what = f"trigger '{trigger}' of state '{name}' gives features of state '{target}' a multiplier"
        if model.states[target].win_min is not None:
            raise _no_law(f"{what}, which does not apply to the least win that they pay")
        if any(other != target and other in queued(build, target) for other in targets):
            raise _no_law(f"{what}: several of them may start features that remember, which wait for all of them")
        filling = [t for t in model.states[name].triggers if isinstance(t, FreeSpinsTrigger) and t.name == trigger]
        if name in targets and any(t.reset or t.carry for t in filling):
            raise _no_law(f"{what} and {'resets their spins' if filling[0].reset else 'carries cells into them'}")


def _led_to(awards: Mapping[str, set[str]], name: str) -> set[str]:
    """States that features of a state can lead to."""
    found: set[str] = set()
    queue = [name]
    while queue:
        more = awards[queue.pop()] - found
        found |= more
        queue += more
    return found
