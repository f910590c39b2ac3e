"""How features begin whose spins remember: what the paid spin wins, awards and carries into them, together and exact.

A feature is then one spin of a state of its own, by the spins and cells that it begins with: a round is a branching
process again (rgs_core.exact.memory.whole_feature). Features of hold and spin are chains of held cells, all others that remember
chains of memories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.joint import Joint, joint_law, remembers_because
from rgs_core.exact.memory.chain import MemoryChain
from rgs_core.exact.memory.hold import HOLDING, NO_VALUE, HoldRules, Start, hold_rules, holds, values_of
from rgs_core.exact.memory.hold_awards import Counting
from rgs_core.exact.memory.hold_chain import hold_starts
from rgs_core.exact.memory.whole_feature import FeatureRound, WholeFeature
from rgs_core.exact.reached import awards_of, plays_once, reached
from rgs_core.language.mechanics import FreeSpinsTrigger, WinTrigger
from rgs_core.language.model import Build


def remembering_states(build: Build) -> list[str]:
    """States that the mode can reach whose features are looked at as a whole: those with a memory, and a second spin
    that could use it."""
    model = build.model
    states = [name for name in reached(build) if remembers_because(model, model.states[name])]
    return [name for name in states if not plays_once(build, name)]


def feature_round(build: Build, *, merge: bool = True) -> FeatureRound:
    """The paid spin of a mode with its features that remember, exact.

    `merge=False` visits every combination of draws. Raises AnalysisError with the reason where the features have no
    law, or begin in a way that is not known.
    """
    model, name = build.model, build.play.start
    state, targets = model.states[name], remembering_states(build)
    carrying = _started_alone(build, targets)
    rules = {target: hold_rules(build, model.states[target]) for target in targets if holds(model.states[target])}
    chains = {target: MemoryChain(build, target, merge=merge) for target in targets if target not in rules}
    if carrying is not None:
        rules[carrying.state] = hold_rules(build, model.states[carrying.state], carrying.carry)
    counting = Counting.of(build, state, carrying, rules.get(carrying.state) if carrying else None)
    engine = Engine(counting.build)
    joint = joint_law(engine, state_names(counting.build.model).index(name), merge=merge, single=True)
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
    begun = _Begun(replace(joint, model=model, state=state, states=real, awards=awards))
    for target, rule in rules.items():
        begun.holding(rule, carrying if carrying is not None and carrying.state == target else None, counting, held)
    for target, chain in chains.items():
        begun.remembering(target, chain)
    methods = dict.fromkeys(rules, f"{HOLDING}, for each way to begin")
    return begun.round(methods | {target: chain.method for target, chain in chains.items()})


def feature_refused(build: Build, name: str) -> str:
    """Why the features of a state have no law, whatever begins them; "" where that is not the reason."""
    try:
        if holds(build.model.states[name]):
            hold_rules(build, build.model.states[name])
        else:
            MemoryChain(build, name)
    except AnalysisError as error:
        return str(error)
    return ""


class _Begun:
    """Puts features in the place of the spins that they begin with."""

    def __init__(self, paid: Joint) -> None:
        self.paid = paid
        self.awards = paid.awards.copy()
        self.laws: dict[str, WholeFeature] = {}
        self.columns: list[NDArray[np.int64]] = []

    def holding(
        self, rule: HoldRules, carrying: FreeSpinsTrigger | None, counting: Counting, held: NDArray[np.int64]
    ) -> None:
        """Features of hold and spin, by spins and by what they are handed."""
        tables, places = (NO_VALUE,) * len(rule.symbols), []
        if carrying is not None:
            tables = tuple(
                values_of(self.paid.state, symbol) or own for symbol, own in zip(rule.symbols, rule.values, strict=True)
            )
            places = [counting.place(rule, symbol, number) for symbol, number in counting.keys]
        keys, which = self._ways(rule.state.name, held[:, : len(places)])
        starts: dict[int, Start] = {}
        for i, (n, *counts) in enumerate(keys):
            if n:
                cells = list(rule.nothing)
                for place, count in zip(places, counts, strict=True):
                    cells[place] += count
                starts[i] = Start(n, tuple(cells), tables)
        known = hold_starts(rule, starts.values(), self.paid.states)
        self._add(which, {i: known[start] for i, start in starts.items()})

    def remembering(self, name: str, chain: MemoryChain) -> None:
        """Features that begin with spins alone."""
        keys, which = self._ways(name, self.awards[:, :0])
        self._add(which, {i: chain.feature(n) for i, (n,) in enumerate(keys) if n})

    def _ways(self, name: str, held: NDArray[np.int64]) -> tuple[list[list[int]], NDArray[np.intp]]:
        """The ways in which features of a state begin, spins first, and for each row of the law which of them it is."""
        column = self.paid.states.index(name)
        found, which = np.unique(np.column_stack([self.awards[:, column], held]), axis=0, return_inverse=True)
        self.awards[:, column] = 0
        return found.tolist(), which.reshape(-1)

    def _add(self, which: NDArray[np.intp], laws: Mapping[int, WholeFeature]) -> None:
        for i, law in laws.items():
            self.laws[law.name] = law
            self.columns.append((which == i).astype(np.int64))

    def round(self, methods: Mapping[str, str]) -> FeatureRound:
        """The paid spin with all of them."""
        states = (*self.paid.states, *self.laws)
        starting = replace(self.paid, states=states, awards=np.column_stack([self.awards, *self.columns]))
        laws = {name: law.among(states) for name, law in self.laws.items()}
        return FeatureRound(self.paid, starting, laws, methods)


def _started_alone(build: Build, targets: Sequence[str]) -> FreeSpinsTrigger | None:
    """The trigger of the paid spin that carries cells into a feature, if one does.

    Raises AnalysisError where a feature that remembers can begin in any other way than by one paid spin.
    """
    model, play = build.model, build.play
    start = model.states[play.start]

    def no(reason: str) -> AnalysisError:
        return AnalysisError(f"{reason}, for which there is no exact law of a round")

    if play.start in targets:
        raise no(f"mode '{build.mode}' begins with spins of state '{play.start}', which remembers")
    for target in targets:
        for other in reached(build):
            if other not in (play.start, target) and target in awards_of(model, model.states[other]):
                raise no(f"spins of state '{target}', which remembers, are awarded by state '{other}' too")
        triggers = [t for t in start.triggers if isinstance(t, FreeSpinsTrigger | WinTrigger) and t.state == target]
        if len(triggers) < list(awards_of(model, start)).count(target):
            raise no(f"a wheel or choice awards spins of state '{target}', which remembers")
        filled = [t for t in triggers if isinstance(t, FreeSpinsTrigger) and (t.reset or t.carry)]
        if filled and len(triggers) > 1:
            raise no(f"several triggers start state '{target}', and '{filled[0].name}' resets or carries")
    if not plays_once(build, play.start):
        raise no(f"several spins of state '{play.start}' in one round may start state '{targets[0]}', which remembers")
    carrying = [t for t in start.triggers if isinstance(t, FreeSpinsTrigger) and t.carry]
    for trigger in carrying:
        if trigger.state not in targets or not holds(model.states[trigger.state]):
            raise no(f"trigger '{trigger.name}' of state '{start.name}' carries cells into the feature")
    if len(carrying) > 1:
        raise no(f"triggers '{carrying[0].name}' and '{carrying[1].name}' both carry cells into a feature")
    return carrying[0] if carrying else None
