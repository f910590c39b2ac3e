"""Joint law of one spin of a state: what it wins, what it awards, which bonuses it plays, together and exact.

Four algorithms give it. Merging equal situations reel by reel, compiled, for paylines, and in numpy for
ways (rgs_core.exact.joint_ways); walking prefixes of reels as far as they matter, compiled, for all other evaluators of one
grid (rgs_core.exact.joint_pruned); these three mixed under conditions where reels depend on each other
(rgs_core.exact.spin_conditions) and times a multiplier drawn for the spin (rgs_core.exact.spin_multiplier); and playing every
combination of draws, compiled, for all that does not remember earlier spins. Bonuses are drawn after the reels; they are kept as the number of plays, and their own law is
exact too (rgs_core.exact.bonuses).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import COUNTED_MAX, MATCHES_MAX, Engine
from rgs_core.engine.tables import counted_fields, decided_by_lines
from rgs_core.errors import AnalysisError
from rgs_core.exact.award_columns import award_columns, column_of
from rgs_core.exact.awarding import NOTHING, Awarding, SpinLaw, plus, repeated
from rgs_core.exact.bonuses import bonus_moments
from rgs_core.exact.columns import cases
from rgs_core.exact.joint_pruned import collect_counts, collects, pruned_law, pruned_refused
from rgs_core.exact.joint_ways import ways_law, ways_refused
from rgs_core.exact.row_merging import merged_rows
from rgs_core.exact.spin_conditions import by_odds_alone, fills_refused
from rgs_core.exact.spin_law import SpinLaw as VisitedLaw
from rgs_core.exact.spin_multiplier import grid_transforms, multiplied, multiplier_law, multiplies, partly_exempt
from rgs_core.exact.spin_paths import paths_text, spin_paths
from rgs_core.exact.trigger_odds import Part, by_count, counting_triggers, fired_triggers, giving_triggers
from rgs_core.exact.win_bonuses import win_bonus
from rgs_core.language.bounds import goes_on_as
from rgs_core.language.mechanics import (
    BonusTrigger,
    Collect,
    CollectedTrigger,
    Combinations,
    Counted,
    Expand,
    Fill,
    FreeSpinsTrigger,
    InView,
    JackpotTrigger,
    Lines,
    PickTrigger,
    Replace,
    Reveal,
    Scatter,
    Special,
    WinTrigger,
    works_always,
)
from rgs_core.language.model import Model, State

COMBINATIONS_MAX = 400_000_000
"""Most combinations of draws of a spin that are played one by one for its law: minutes."""

COMBINATIONS_ALONE_MAX = 20_000_000
"""The same where another state of the round has no law, so that this one gives no RTP: seconds."""

AWARDED_MAX = 1 << 16
"""Spins that the wins of a spin award by one trigger, which merging counts in 16 bits."""

LEFT = "left"
"""Stands behind the columns of what spins award: what tells rows apart beside, such as a memory that is left."""

MERGING = "merging"
WAYS = "merging of ways"
SIZES = "merging of counts and clusters"
PRUNED = "pruned enumeration"
EVERY = "every combination"


@dataclass(frozen=True)
class Joint:
    """Row i: with `weights[i]` of `cycle` combinations a spin wins `units[i]` before bonuses, awards
    `awards[i, s]` spins of state `states[s]` and plays the bonus of `bonuses[t]` `plays[i, t]` times.

    `units` int64[n], `awards` int64[n, states], `plays` int64[n, bonus triggers], `weights` object[n] of ints;
    `parts` sums units x weight by evaluator, special and final name, exact ints. `method`: which algorithm.
    `steps[k]`: weight of the spins that reach step k + 1 of their cascade after the first. `reason`: why none that is
    tried before it; "" for the first.
    """

    model: Model
    state: State
    states: tuple[str, ...]
    units: NDArray[np.int64]
    awards: NDArray[np.int64]
    plays: NDArray[np.int64]
    weights: NDArray[np.object_]
    parts: Mapping[str, int]
    cycle: int
    method: str
    steps: tuple[int, ...] = ()
    reason: str = ""

    @property
    def computed(self) -> str:
        """How, and why so: for people."""
        return f"{self.method}: {self.reason}" if self.reason else self.method

    @property
    def bonuses(self) -> list[PickTrigger | BonusTrigger]:
        """Triggers of bonuses, in the order of the columns of `plays`."""
        return bonus_triggers(self.state)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """float64[n], correctly rounded."""
        return np.array([int(weight) / self.cycle for weight in self.weights], dtype=np.float64)

    @property
    def mean_units(self) -> Fraction:
        """Mean units of a spin without its bonuses."""
        return Fraction(sum(self.parts.values()), self.cycle)

    def mean_parts(self) -> dict[str, Fraction]:
        """Mean units by evaluator, special, final and bonus trigger name."""
        parts = {name: Fraction(total, self.cycle) for name, total in self.parts.items()}
        for column, trigger in enumerate(self.bonuses):
            if self.model.multiplies_win(trigger):
                continue
            played = Fraction(int((self.weights * self.plays[:, column]).sum()), self.cycle)
            parts[trigger.name] = played * sum((a.win for a in self.bonus_laws[column].values()), Fraction(0))
        return parts

    @property
    def parts_mean(self) -> dict[str, Fraction]:
        """`mean_parts()`."""
        return self.mean_parts()

    def plays_mean(self) -> dict[str, Fraction]:
        """Mean number of plays by bonus trigger name."""
        return {
            trigger.name: Fraction(int((self.weights * self.plays[:, column]).sum()), self.cycle)
            for column, trigger in enumerate(self.bonuses)
        }

    @cached_property
    def bonus_laws(self) -> tuple[SpinLaw, ...]:
        """Exact moments of one play of each bonus trigger, with the state's multiplier; nothing for one that multiplies
        the win, as the rows know what it makes of it."""
        return tuple(
            {(0,) * len(self.states): NOTHING}
            if self.model.multiplies_win(trigger)
            else {
                key: event.times(self.state.multiplier_for(trigger.name))
                for key, event in bonus_moments(self.model, bonus_name(trigger), self.states).items()
            }
            for trigger in self.bonuses
        )

    def by_award(self) -> SpinLaw:
        """Exact moments of the win, bonuses included, by the spins awarded by state, those of bonuses included."""
        return self._by_award

    @cached_property
    def _by_award(self) -> SpinLaw:
        law: dict[tuple[int, ...], Awarding] = {}
        powers: dict[tuple[int, int], SpinLaw] = {}
        for awards, plays, rows in self.groups():
            weights, units = self.weights[rows], self.units[rows].astype(object)
            weighted = weights * units
            total, first, second = int(weights.sum()), int(weighted.sum()), int((weighted * units).sum())
            zero = int(weights[units == 0].sum())
            p, win, win_squared, nothing = (Fraction(x, self.cycle) for x in (total, first, second, zero))
            events: SpinLaw = {awards: Awarding(p, win, win_squared, nothing, int(units.max()))}
            for column, n in enumerate(plays):
                if n:
                    if (column, n) not in powers:
                        powers[column, n] = repeated(self.bonus_laws[column], n, len(self.states))
                    events = plus(events, powers[column, n])
            for key, event in events.items():
                law[key] = law[key] | event if key in law else event
        return {key: event for key, event in law.items() if event.probability}

    def groups(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], NDArray[np.intp]]]:
        """Rows by what they award and play: (awards by state, plays by trigger, row numbers)."""
        keys = np.column_stack([self.awards, self.plays])
        varies = np.flatnonzero((keys != keys[:1]).any(axis=0))
        code = np.zeros(len(keys), dtype=np.int64)
        for column in varies:  # ranks of the rows so far, so that the code never grows beyond rows x values
            values, rank = np.unique(keys[:, column], return_inverse=True)
            code = np.unique(code * len(values) + rank.reshape(-1), return_inverse=True)[1].reshape(-1)
        order = np.argsort(code, kind="stable")
        ends = np.flatnonzero(np.diff(code[order])) + 1
        width = self.awards.shape[1]
        for rows in np.split(order, ends):
            key = tuple(keys[rows[0]].tolist())
            yield key[:width], key[width:], rows

    @property
    def variance_units(self) -> Fraction:
        """Variance of a spin's units, bonuses included."""
        events = self.by_award().values()
        mean = sum((a.win for a in events), Fraction(0))
        return sum((a.win_squared for a in events), Fraction(0)) - mean**2

    @property
    def hit_frequency(self) -> Fraction:
        """Odds that a spin wins anything, bonuses included."""
        return 1 - sum((a.nothing for a in self.by_award().values()), Fraction(0))

    @property
    def award_mean(self) -> dict[str, Fraction]:
        """Mean spins that a spin awards by state, those of bonuses included."""
        return {
            state: sum((key[i] * a.probability for key, a in self.by_award().items()), Fraction(0))
            for i, state in enumerate(self.states)
        }

    @property
    def award_probability(self) -> Fraction:
        """Odds that a spin awards any spins."""
        return sum((a.probability for key, a in self.by_award().items() if any(key)), Fraction(0))


def with_win_bonuses(joint: Joint) -> Joint:
    """The law with what bonuses of the win make of every row, and the spins that they award; a bonus after the other."""
    for column, trigger in enumerate(joint.bonuses):
        if not joint.model.multiplies_win(trigger):
            continue
        events = np.column_stack([joint.awards, joint.plays])
        plays = joint.plays[:, column]
        found = win_bonus(joint.model, bonus_name(trigger), joint.states, joint.units, events, plays, joint.weights)
        parts = {name: total * found.scale for name, total in joint.parts.items()}
        parts[trigger.name] = int((found.weights * found.units).sum()) - sum(parts.values())
        width = joint.awards.shape[1]
        joint = replace(
            joint,
            units=found.units,
            awards=found.events[:, :width],
            plays=found.events[:, width:],
            weights=found.weights,
            parts=parts,
            cycle=joint.cycle * found.scale,
            steps=tuple(weight * found.scale for weight in joint.steps),
        )
    return joint


def bonus_triggers(state: State) -> list[PickTrigger | BonusTrigger]:
    """Triggers of a state that play bonuses, in order."""
    return [t for t in state.triggers if isinstance(t, PickTrigger | BonusTrigger)]


def bonus_name(trigger: PickTrigger | BonusTrigger) -> str:
    """The bonus that a trigger plays."""
    return trigger.pick if isinstance(trigger, PickTrigger) else trigger.bonus


def remembers_because(model: Model, state: State) -> str:
    """Why a spin of the state depends on earlier ones of its feature, so that it has no law of its own; "" if not.

    Drawn special symbols are no such reason, where none is added: for each set of them there is a law.
    """
    where = f"state '{state.name}'"
    for part in (*state.transforms, state.cascade, state.final, state.spots):
        if part is not None and getattr(part, "persist", False):
            return f"{where} adds up multipliers over a feature"
    if state.marks:
        return f"{where} marks places over a feature"
    if state.draws_once:
        return f"{where} draws once for all spins of a feature"
    if any(transform.kind == "stick" for transform in state.transforms):
        return f"{where} keeps cells over the spins of a feature"
    if any(getattr(trigger, "once", False) for trigger in state.triggers):
        return f"{where} has triggers that fire once in a feature"
    if any(isinstance(trigger, CollectedTrigger) for trigger in state.triggers):
        return f"{where} collects symbols over the spins of a feature"
    if state.special is not None and state.special.more_with is not None:
        return f"{where} adds special symbols over a feature"
    if state.win_min is not None:
        return f"{where} pays at least {state.win_min} stakes for a feature"
    if goes_on_as(model, state):
        return f"{where} goes on as another state"
    for name in state.evaluators:
        if getattr(model.evaluators[name], "at", "spin") == "end":
            return f"{where} pays '{name}' at the end of a feature"
    return ""


def joint_law(
    engine: Engine,
    state_index: int,
    *,
    merge: bool = True,
    specials: Sequence[str] = (),
    single: bool = False,
    most: int = COMBINATIONS_MAX,
) -> Joint:
    """Joint law of a state, by merging where that is known for all its words, else by playing every combination. Wins
    are with the bonuses that multiply them.

    `merge=False` visits every combination in any case. `specials` are the drawn special symbols of a state
    that has some. `single`: the spin is the only one of its feature, so that nothing it remembers matters. `most`:
    combinations that are played. Raises AnalysisError with the reason for states that remember and for laws too large to hold.
    """
    build = engine.build
    state = engine.tables.states[state_index].state
    reason = remembers_because(build.model, state)
    if trigger := drawn_in_steps(state):
        raise AnalysisError(f"state '{state.name}' may draw several multipliers of '{trigger}' in a spin, one a step")
    if reason and (not single or state.win_min is not None):
        raise AnalysisError(f"{reason}, so its spins have no law of their own")
    return with_win_bonuses(_joint_law(engine, state_index, merge, specials, most))


def _joint_law(engine: Engine, state_index: int, merge: bool, specials: Sequence[str], most: int) -> Joint:
    build = engine.build
    model, state = build.model, engine.tables.states[state_index].state
    reason = ""
    if merge and not ways_refused(build, state):
        try:
            return _ways_joint(engine, state)
        except AnalysisError as error:
            reason = str(error)
    counting = merge or (not specials and grid_transforms(state) == list(state.transforms) and _from_left(model, state))
    refused = lines_refused(model, state)
    if not refused and counting:
        try:
            return lines_joint(engine, state_index, merge=merge, specials=specials)[0]
        except AnalysisError as error:
            if not merge and spin_paths(build, state) > most:
                raise
            reason = str(error)
    reason = reason or (f"there is no merging of {refused}" if merge and refused else "")
    unpruned = pruned_refused(model, state, _pruned_symbols(model, state)) if not specials else "special symbols"
    visits = spin_paths(build, state) <= most
    if merge and not unpruned:
        try:
            joint = _pruned_joint(engine, state_index, most)
            return joint if joint.method.startswith(SIZES) else replace(joint, reason=reason)
        except AnalysisError:
            if not visits:
                raise
    if reason and visits and unpruned:
        reason += f", and no pruning of {unpruned}" if unpruned not in reason else ", and no pruning either"
    if not visits and reason and not refused:
        raise AnalysisError(reason)
    return replace(_every_joint(engine, state_index, specials, most), reason=reason)


def model_states(engine: Engine) -> tuple[str, ...]:
    """Columns of what spins award: all states in the engine's order, and features with multipliers behind them."""
    return award_columns(engine.build.model)


def counted(state: State, part: Scatter | FreeSpinsTrigger | BonusTrigger) -> Counted:
    """What a scatter or trigger counts. Without transforms the two grids are one."""
    seen = Counted(part.symbol) if isinstance(part, Scatter) else part.counted
    return where_seen(state, replace(seen, stopped=part.stopped))


def where_seen(state: State, of: Counted) -> Counted:
    """What is counted, with `stopped` only where that makes a difference."""
    return replace(of, stopped=of.stopped and bool(state.transforms))


def counted_symbols(model: Model, state: State) -> list[Counted]:
    """What is counted in a state: by its scatters, and by its triggers and what they need."""
    scatters = [e for name in state.evaluators if isinstance(e := model.evaluators[name], Scatter)]
    needed = [condition.counted for trigger in giving_triggers(state) for condition in trigger.in_view]
    parts = [counted(state, part) for part in [*scatters, *counting_triggers(state)]]
    return list(dict.fromkeys([*parts, *(where_seen(state, of) for of in needed)]))


def lines_refused(model: Model, state: State) -> str:
    """Why the compiled merging does not know a state; "" when it does."""
    if model.top:
        return "a top reel"
    if state.heights is not None or state.cells or state.strip_choice is not None:
        return "grids of drawn or uneven heights, cells or strips"
    drawn = [t for t in grid_transforms(state) if not (isinstance(t, Reveal) and t.each == "spin")]
    if any(not isinstance(t, Expand | Replace | Fill) for t in drawn):
        return "transforms that draw or look at more than one reel"
    if not all(map(by_odds_alone, grid_transforms(state))):
        return "transforms that work in some spins only"
    if refused := fills_refused(model, state):
        return refused
    if state.cascade or state.final:
        return "cascades and final multipliers"
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Lines | Combinations):
            if isinstance(evaluator, Lines) and (evaluator.cell_values != "ignore" or evaluator.full_grid):
                return "cell values and full grids"
            if multiplies(state) and partly_exempt(state, name):
                return f"multipliers of some wins of {evaluator.kind} and not of others"
        elif not isinstance(evaluator, Scatter):
            return f"evaluators of kind {evaluator.kind}"
    for trigger in state.triggers:
        if isinstance(trigger, WinTrigger):
            evaluator = model.evaluators[trigger.evaluator]
            most = max(n for table in trigger.spins.values() for n in table.values())
            if not isinstance(evaluator, Lines) or most * len(evaluator.paylines) >= AWARDED_MAX:
                return "awards by other wins than of lines, or of too many spins"
        elif not isinstance(trigger, FreeSpinsTrigger | PickTrigger | BonusTrigger | JackpotTrigger):
            return f"triggers of kind {trigger.kind}"
    if len(decided_by_lines(state)) > MATCHES_MAX:
        return f"more than {MATCHES_MAX} triggers of kind pick and win_spins"
    if len(counted_symbols(model, state)) + (state.special.count_most if state.special else 0) > COUNTED_MAX:
        return f"more than {COUNTED_MAX} counted symbols"
    return ""


def _from_left(model: Model, state: State) -> bool:
    """Whether all lines of a state are read from the left, as counting every combination of stops (cycle.h) needs."""
    evaluators = (model.evaluators[name] for name in state.evaluators)
    return all(
        getattr(evaluator, "direction", "left") == "left" and evaluator.kind != "combinations"
        for evaluator in evaluators
    )


def lines_joint(
    engine: Engine,
    state_index: int,
    *,
    merge: bool = True,
    specials: Sequence[str] = (),
    held: tuple[int, int, Sequence[int]] | None = None,
) -> tuple[Joint, NDArray[np.uint32]]:
    """Paylines by the compiled kernels, and what counted symbols add; `held` and, by row, where its symbol landed, as
    in `Engine.joint`."""
    model = engine.build.model
    state = engine.tables.states[state_index].state
    symbols = counted_symbols(model, state)
    sets = [counted_fields(model, of) for of in symbols]
    drawn = [model.symbols.index(symbol) for symbol in specials]
    laws = [
        (chance, under.joint(state_index, sets, merge=merge, specials=drawn, held=held))
        for chance, under in _conditional(engine, state)
    ]
    pays, counts, matches, weights, landed = laws[0][1] if len(laws) == 1 else _mixed(laws)
    pays = pays.astype(np.int64)
    parts = evaluator_parts(model, state, dict.fromkeys(state.evaluators, pays), counts, symbols)
    if specials:
        assert state.special is not None
        for symbol, reels in zip(specials, counts[:, len(symbols) :].T, strict=True):
            parts[f"{state.special.name} {symbol}"] = Part(
                special_table(model, state, state.special, symbol)[reels],
                exempt_table(model, state, state.special.name, symbol)[reels],
            )
    matched = {
        trigger.name: matches[:, column].astype(np.int64) for column, trigger in enumerate(decided_by_lines(state))
    }
    joint = assembled(
        model,
        state,
        model_states(engine),
        parts,
        matched,
        counts,
        symbols,
        weights,
        MERGING if merge else EVERY,
        landed,
    )
    if specials:
        assert state.special is not None
        by_symbol = [f"{state.special.name} {symbol}" for symbol in specials]
        sums = {name: total for name, total in joint.parts.items() if name not in by_symbol}
        joint = replace(joint, parts={**sums, state.special.name: sum(joint.parts[name] for name in by_symbol)})
    landed = joint.awards[:, -1].astype(np.uint32)
    return replace(joint, states=joint.states[:-1], awards=joint.awards[:, :-1]), landed


Merged = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.object_], NDArray[np.uint32]]
"""What `Engine.joint` returns."""


def _conditional(engine: Engine, state: State) -> Iterator[tuple[int, Engine]]:
    """(weight, engine) under every condition in which the reels of a state are independent."""
    dependent = any(isinstance(t, Fill | Reveal) or not works_always(t) for t in grid_transforms(state))
    if not state.linked and not dependent:
        yield 1, engine
        return
    build = engine.build
    for case in cases(build, state):
        alone = replace(state, linked=None, transforms=case.transforms)
        model = replace(build.model, states={**build.model.states, state.name: alone})
        profile = replace(build.profile, strips={**build.profile.strips, state.strips: case.strips})
        yield case.weight, Engine(replace(build, model=model, profile=profile), simd="scalar")


def _mixed(laws: Sequence[tuple[int, Merged]]) -> Merged:
    """Laws with their weights as one; its rows may be equal."""
    cycles = [int(law[3].sum()) for _, law in laws]
    common = math.lcm(*cycles)
    weights = [
        law[3].astype(object) * (chance * (common // cycle)) for (chance, law), cycle in zip(laws, cycles, strict=True)
    ]
    pays, counts, matches, _, landed = (
        np.concatenate(columns) for columns in zip(*(law for _, law in laws), strict=True)
    )
    width = counts.shape[1]
    rows, merged = merged_rows(
        np.column_stack([pays, counts, matches, landed]).astype(np.int64), np.concatenate(weights)
    )
    return (
        rows[:, 0],
        rows[:, 1 : 1 + width],
        rows[:, 1 + width : -1],
        merged.astype(object),
        rows[:, -1].astype(np.uint32),
    )


def evaluator_parts(
    model: Model,
    state: State,
    pays: Mapping[str, NDArray[np.int64]],
    counts: NDArray[np.integer],
    symbols: Sequence[Counted],
    sums: NDArray[np.int64] | None = None,
) -> dict[str, Part]:
    """What every evaluator wins: scatters by `counts`, a sum of values by `sums` and `counts`, others `pays` by name."""
    parts = {}
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Collect):
            assert sums is not None
            cells, *collectors = (counts[:, symbols.index(of)].astype(np.int64) for of in collect_counts(evaluator))
            units = sums * collect_table(model, state, evaluator)[cells]
            exempt = exempt_table(model, state, name, evaluator.symbol)[cells]
            parts[name] = Part(math.prod(collectors, start=units), exempt)
        elif isinstance(evaluator, Scatter):
            seen = counts[:, symbols.index(counted(state, evaluator))]
            exempt = exempt_table(model, state, name, evaluator.symbol)[seen]
            parts[name] = Part(scatter_table(model, state, evaluator)[seen], exempt)
        else:
            parts[name] = Part(pays[name], np.full(len(pays[name]), state.exempt(name)))
    return parts


def assembled(
    model: Model,
    state: State,
    states: tuple[str, ...],
    parts: Mapping[str, Part],
    matched: Mapping[str, NDArray[np.int64]],
    counts: NDArray[np.integer],
    symbols: Sequence[Counted],
    weights: NDArray[np.object_],
    method: str,
    left: NDArray[np.integer] | None = None,
) -> Joint:
    """The law from what every part wins, counts int[n, len(symbols)], and by trigger name the lines that match a
    pick pattern or the spins that wins award; times the multiplier that the state draws for a spin. `left`, int[n],
    becomes its last award, behind those of the states."""
    seen = {t.name: counts[:, symbols.index(counted(state, t))] for t in counting_triggers(state)}
    gains = {t.name: by_count(t, seen[t.name]) for t in counting_triggers(state)} | dict(matched)

    def shown(condition: InView) -> NDArray[np.bool_]:
        n = counts[:, symbols.index(where_seen(state, condition.counted))]
        return np.asarray((n >= condition.least) & (True if condition.most is None else n <= condition.most))

    fired = fired_triggers(state, gains, shown, parts, weights)
    parts = {name: Part(part.units[fired.rows], part.exempt[fired.rows]) for name, part in parts.items()}
    weights = fired.weights
    rows = len(weights)
    awards = np.zeros((rows, len(states)), dtype=np.int64)
    if left is not None:
        states = (*states, LEFT)
        awards = np.column_stack([awards, left[fired.rows].astype(np.int64)])
    plays: list[NDArray[np.int64]] = []
    given: dict[str, NDArray[np.int64]] = {}
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger):
            if trigger.multiplier is None:
                awards[:, states.index(trigger.state)] += fired.given[trigger.name]
            else:
                given[trigger.name] = fired.given[trigger.name]
        elif isinstance(trigger, BonusTrigger | PickTrigger):
            plays.append(fired.given[trigger.name])
        elif isinstance(trigger, WinTrigger) and trigger.multiplier is None:
            awards[:, states.index(trigger.state)] += fired.given[trigger.name]
        elif isinstance(trigger, WinTrigger):
            given[trigger.name] = fired.given[trigger.name]
    played = np.column_stack(plays) if plays else np.zeros((rows, 0), dtype=np.int64)
    times, fixed = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    sums: dict[str, int] = {}
    law = multiplier_law(state)
    total, mean = sum(law.values()), sum(value * weight for value, weight in law.items())
    for name, part in parts.items():
        times += np.where(part.exempt, 0, part.units)
        fixed += np.where(part.exempt, part.units, 0)
        weighted = weights * part.units
        sums[name] = int(weighted[~part.exempt].sum()) * mean + int(weighted[part.exempt].sum()) * total
    units = times + fixed
    if multiplies(state):
        events = np.column_stack([awards, played, *given.values()])
        units, events, weights = multiplied(law, times, fixed, events, weights)
        width = len(states) + played.shape[1]
        awards, played = events[:, : len(states)], events[:, len(states) : width]
        given = {name: events[:, width + i] for i, name in enumerate(given)}
        method = f"{method}, times the multiplier of a spin"
    joint = Joint(
        model=model,
        state=state,
        states=states,
        units=units,
        awards=awards,
        plays=played,
        weights=weights,
        parts=sums,
        cycle=int(weights.sum()),
        method=method,
    )
    return with_multipliers(joint, given)


def with_multipliers(joint: Joint, given: Mapping[str, NDArray[np.int64]]) -> Joint:
    """The law with what triggers award to features with a multiplier: `given`, int64[n] spins by trigger name. Where a
    trigger draws the multiplier a row becomes one for each."""
    for trigger in joint.state.triggers:
        if trigger.name not in given:
            continue
        assert isinstance(trigger, FreeSpinsTrigger | WinTrigger | CollectedTrigger)
        assert trigger.multiplier is not None
        table, spins = trigger.multiplier, given[trigger.name]
        rows = [np.flatnonzero(spins == 0), *([np.flatnonzero(spins)] * len(table.values))]
        shares = (table.total, *table.weights)
        awards = [joint.awards[of] for of in rows]
        for number, value in enumerate(table.values, start=1):
            column = column_of(joint.state, trigger.state, value, joint.states)
            awards[number] = awards[number].copy()
            awards[number][:, column] += spins[rows[number]]
        chosen = np.concatenate(rows)
        joint = replace(
            joint,
            units=joint.units[chosen],
            awards=np.concatenate(awards),
            plays=joint.plays[chosen],
            weights=np.concatenate([joint.weights[of] * share for of, share in zip(rows, shares, strict=True)]),
            parts={name: total * table.total for name, total in joint.parts.items()},
            cycle=joint.cycle * table.total,
            steps=tuple(n * table.total for n in joint.steps),
        )
        given = {name: of[chosen] for name, of in given.items()}
    return joint


def drawn_in_steps(state: State) -> str:
    """The trigger that draws a multiplier after every step of a cascade, so that it may draw several; "" for none."""
    for trigger in state.triggers:
        table = getattr(trigger, "multiplier", None)
        if state.cascade is not None and trigger.name in state.cascade.remove and table and len(table.values) > 1:
            return trigger.name
    return ""


def exempt_table(model: Model, state: State, part: str, symbol: str) -> NDArray[np.bool_]:
    """Whether no multiplier applies to a win of a part by the count of the symbol, bool[counts]."""
    counts = range(model.reels * model.rows * model.count_most + 1)
    return np.array([state.exempt(part, symbol, n) for n in counts], dtype=bool)


def scatter_table(model: Model, state: State, scatter: Scatter) -> NDArray[np.int64]:
    """Units by count int64[counts], with the state's multiplier."""
    unit = model.basis_units(scatter.of)
    return np.array(
        [
            scatter.pay(n) * unit * state.multiplier_for(scatter.name, scatter.symbol, n)
            for n in range(model.reels * model.rows * model.count_most + 1)
        ],
        dtype=np.int64,
    )


def collect_table(model: Model, state: State, collect: Collect) -> NDArray[np.int64]:
    """Units that a value of 1 pays by count int64[counts], with the state's multiplier; 0 where they are too few."""
    unit = model.basis_units(collect.of)
    return np.array(
        [
            unit * state.multiplier_for(collect.name, collect.symbol, n) if n >= max(1, collect.count_min) else 0
            for n in range(model.reels * model.rows * model.count_most + 1)
        ],
        dtype=np.int64,
    )


def special_table(model: Model, state: State, special: Special, symbol: str) -> NDArray[np.int64]:
    """Units by number of reels that show the special symbol, int64[reels + 1]: on every payline at once."""
    lines = model.evaluators[special.lines]
    assert isinstance(lines, Lines)
    pays = lines.pays.get(symbol, {})
    unit = model.line_units * len(lines.paylines)
    return np.array(
        [pays.get(n, 0) * unit * state.multiplier_for(special.name, symbol, n) for n in range(model.reels + 1)],
        dtype=np.int64,
    )


def _ways_joint(engine: Engine, state: State) -> Joint:
    model = engine.build.model
    symbols = counted_symbols(model, state)
    pays, counts, weights = ways_law(engine.build, state, symbols)
    parts = evaluator_parts(model, state, dict.fromkeys(state.evaluators, pays), counts, symbols)
    return assembled(model, state, model_states(engine), parts, {}, counts, symbols, weights, WAYS)


def _pruned_symbols(model: Model, state: State) -> list[Counted]:
    """What is counted beside what evaluators look at."""
    return list(dict.fromkeys([*counted_symbols(model, state), *collect_counts(collects(model, state))]))


def _pruned_joint(engine: Engine, state_index: int, most: int) -> Joint:
    model = engine.build.model
    state = engine.tables.states[state_index].state
    symbols = _pruned_symbols(model, state)
    law = pruned_law(engine, state_index, symbols, most)
    parts = evaluator_parts(model, state, law.pays, law.counts, symbols, law.sums)
    matched = {trigger.name: law.matches[:, place] for place, trigger in enumerate(decided_by_lines(state))}
    states = model_states(engine)
    method = SIZES if law.merged else PRUNED
    return assembled(model, state, states, parts, matched, law.counts, symbols, law.weights, method)


def _every_joint(engine: Engine, state_index: int, specials: Sequence[str], most: int) -> Joint:
    """Every combination of draws, played by the compiled rules."""
    state = engine.tables.states[state_index].state
    if spin_paths(engine.build, state) > most:
        alone = ", as another state of the round has none (--visit: in any case)" if most < COMBINATIONS_MAX else ""
        raise AnalysisError(f"{paths_text(engine.build, state)}; a law is found from at most {most:,}{alone}")
    drawn = [engine.build.model.symbols.index(symbol) for symbol in specials]
    return visited_joint(engine, state_index, engine.spin_law(state_index, specials=drawn, last=True))


def visited_joint(engine: Engine, state_index: int, law: VisitedLaw, left: NDArray[np.int64] | None = None) -> Joint:
    """What the engine visited as a joint law. `left`, int64[n] by its rows, becomes the last award, behind those of the
    states."""
    table = engine.tables.states[state_index]
    state, states = table.state, model_states(engine)
    columns = [i for i, trigger in enumerate(state.triggers) if isinstance(trigger, PickTrigger | BonusTrigger)]
    awards = np.asarray(law.awards, dtype=np.int64)
    awards = np.pad(awards, ((0, 0), (0, len(states) - awards.shape[1])))
    if left is not None:
        states, awards = (*states, LEFT), np.column_stack([awards, left])
    joint = Joint(
        model=engine.build.model,
        state=state,
        states=states,
        units=np.asarray(law.units, dtype=np.int64),
        awards=awards,
        plays=np.asarray(law.plays, dtype=np.int64)[:, columns],
        weights=np.asarray(law.weights, dtype=object),
        parts={name: int(total) for name, total in law.parts.items()},
        cycle=int(law.cycle),
        method=EVERY,
        steps=tuple(int(n) for n in law.steps),
    )
    return with_multipliers(joint, {state.triggers[t].name: law.given[:, t] for t in table.multiplying})
