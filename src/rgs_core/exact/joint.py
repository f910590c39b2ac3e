"""Joint law of one spin of a state: what it wins, what it awards, which bonuses it plays, together and exact.

Three algorithms give it. Merging equal situations reel by reel, compiled, for paylines, and in numpy for
ways (rgs_core.exact.joint_ways), both times a multiplier drawn for the spin (rgs_core.exact.spin_multiplier); and playing every
combination of draws, compiled, for all that does not remember earlier spins. Bonuses are drawn after the reels; they are kept as the number of plays, and their own law is
exact too (rgs_core.exact.bonuses).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import COUNTED_MAX, Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awarding, SpinLaw, plus, repeated
from rgs_core.exact.bonuses import bonus_moments
from rgs_core.exact.joint_ways import ways_law, ways_refused
from rgs_core.exact.spin_law import SpinLaw as VisitedLaw
from rgs_core.exact.spin_multiplier import grid_transforms, multiplied, multiplier_law, multiplies, partly_exempt
from rgs_core.exact.spin_paths import paths_text, spin_paths
from rgs_core.language.mechanics import (
    BonusTrigger,
    CollectedTrigger,
    Expand,
    FreeSpinsTrigger,
    JackpotTrigger,
    Lines,
    PickTrigger,
    Replace,
    Scatter,
    Special,
    WinTrigger,
)
from rgs_core.language.model import Model, State

COMBINATIONS_MAX = 400_000_000
"""Most combinations of draws of a spin that are played one by one for its law: minutes."""

AWARDED_MAX = 1 << 16
"""Spins that the wins of a spin award by one trigger, which merging counts in 16 bits."""

MERGING = "merging"
WAYS = "merging of ways"
EVERY = "every combination"


@dataclass(frozen=True)
class Joint:
    """Row i: with `weights[i]` of `cycle` combinations a spin wins `units[i]` before bonuses, awards
    `awards[i, s]` spins of state `states[s]` and plays the bonus of `bonuses[t]` `plays[i, t]` times.

    `units` int64[n], `awards` int64[n, states], `plays` int64[n, bonus triggers], `weights` object[n] of ints;
    `parts` sums units x weight by evaluator, special and final name, exact ints. `method`: which algorithm.
    `steps[k]`: weight of the spins that reach step k + 1 of their cascade after the first.
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
        """Exact moments of one play of each bonus trigger, with the state's multiplier."""
        return tuple(
            {
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


def bonus_triggers(state: State) -> list[PickTrigger | BonusTrigger]:
    """Triggers of a state that play bonuses, in order."""
    return [t for t in state.triggers if isinstance(t, PickTrigger | BonusTrigger)]


def bonus_name(trigger: PickTrigger | BonusTrigger) -> str:
    """The bonus that a trigger plays."""
    return trigger.pick if isinstance(trigger, PickTrigger) else trigger.bonus


def remembers_because(model: Model, state: State) -> str:
    """Why a spin of the state depends on earlier ones of its feature, so that it has no law of its own; "" if not.

    A drawn special symbol is no such reason: for each symbol there is a law.
    """
    where = f"state '{state.name}'"
    for part in (*state.transforms, state.cascade, state.final):
        if part is not None and getattr(part, "persist", False):
            return f"{where} adds up multipliers over a feature"
    if any(transform.kind == "stick" for transform in state.transforms):
        return f"{where} keeps cells over the spins of a feature"
    if any(isinstance(trigger, CollectedTrigger) for trigger in state.triggers):
        return f"{where} collects symbols over the spins of a feature"
    for name in state.evaluators:
        if getattr(model.evaluators[name], "at", "spin") == "end":
            return f"{where} pays '{name}' at the end of a feature"
    return ""


def joint_law(
    engine: Engine, state_index: int, *, merge: bool = True, special: str | None = None, single: bool = False
) -> Joint:
    """Joint law of a state, by merging where that is known for all its words, else by playing every combination.

    `merge=False` visits every combination in any case. `special` is the drawn special symbol of a state that
    has one. `single`: the spin is the only one of its feature, so that nothing it remembers matters. Raises
    AnalysisError with the reason for states that remember and for laws too large to hold.
    """
    build = engine.build
    state = engine.tables.states[state_index].state
    reason = remembers_because(build.model, state)
    if reason and not single:
        raise AnalysisError(f"{reason}, so its spins have no law of their own")
    if merge and not ways_refused(build, state):
        try:
            return _ways_joint(engine, state)
        except AnalysisError:
            if spin_paths(build, state) > COMBINATIONS_MAX:
                raise
    counting = merge or (special is None and grid_transforms(state) == list(state.transforms))
    if not lines_refused(build.model, state) and counting:
        try:
            return lines_joint(engine, state_index, merge=merge, special=special)[0]
        except AnalysisError:
            if not merge or spin_paths(build, state) > COMBINATIONS_MAX:
                raise
    return _every_joint(engine, state_index, special)


def model_states(engine: Engine) -> tuple[str, ...]:
    """Names of all states, in the engine's order."""
    return tuple(table.state.name for table in engine.tables.states)


Counted = tuple[str, bool]
"""A symbol whose number in view matters; True: as the reels stopped, before transforms."""


def counted(state: State, part: Scatter | FreeSpinsTrigger | BonusTrigger) -> Counted:
    """What a scatter or trigger counts. Without transforms the two grids are one."""
    return part.symbol, part.stopped and bool(state.transforms)


def counted_symbols(model: Model, state: State) -> list[Counted]:
    """What is counted in a state: by its scatters and by triggers that count."""
    scatters = [e for name in state.evaluators if isinstance(e := model.evaluators[name], Scatter)]
    triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger | BonusTrigger)]
    return list(dict.fromkeys(counted(state, part) for part in [*scatters, *triggers]))


def lines_refused(model: Model, state: State) -> str:
    """Why the compiled merging does not know a state; "" when it does."""
    if state.heights is not None or state.cells or state.strip_choice is not None:
        return "grids of drawn or uneven heights, cells or strips"
    if any(not isinstance(transform, Expand | Replace) for transform in grid_transforms(state)):
        return "transforms that draw or look at more than one reel"
    if state.cascade or state.final:
        return "cascades and final multipliers"
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Lines):
            plain = evaluator.direction == "left" and evaluator.cell_values == "ignore" and not evaluator.full_grid
            if not plain:
                return "cell values, full grids and other directions"
            if multiplies(state) and partly_exempt(state, name):
                return "multipliers of some wins of lines and not of others"
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
    if len(counted_symbols(model, state)) + (state.special is not None) > COUNTED_MAX:
        return f"more than {COUNTED_MAX} counted symbols"
    return ""


def lines_joint(
    engine: Engine,
    state_index: int,
    *,
    merge: bool = True,
    special: str | None = None,
    held: tuple[int, int, Sequence[int]] | None = None,
) -> tuple[Joint, NDArray[np.uint32]]:
    """Paylines by the compiled kernels, and what counted symbols add; `held` and, by row, where its symbol landed, as
    in `Engine.joint`."""
    model = engine.build.model
    state = engine.tables.states[state_index].state
    symbols = counted_symbols(model, state)
    numbers = [model.symbols.index(symbol) for symbol, _ in symbols]
    stopped = [place for place, (_, as_stopped) in enumerate(symbols) if as_stopped]
    drawn = None if special is None else model.symbols.index(special)
    pays, counts, matches, weights, landed = engine.joint(
        state_index, numbers, merge=merge, special=drawn, stopped=stopped, held=held
    )
    pays = pays.astype(np.int64)
    parts = evaluator_parts(model, state, pays, counts, symbols)
    if special is not None:
        assert state.special is not None
        reels = counts[:, -1]
        parts[state.special.name] = Part(
            special_table(model, state, state.special, special)[reels],
            exempt_table(model, state, state.special.name, special)[reels],
        )
    matched = {
        trigger.name: matches[:, column].astype(np.int64)
        for column, trigger in enumerate(state.triggers)
        if isinstance(trigger, PickTrigger | WinTrigger)
    }
    joint = assembled(
        model, state, model_states(engine), parts, matched, counts, symbols, weights, MERGING if merge else EVERY
    )
    return joint, landed


@dataclass(frozen=True)
class Part:
    """What one part wins in the rows of a law, int64[n], and where no multiplier applies to it, bool[n]."""

    units: NDArray[np.int64]
    exempt: NDArray[np.bool_]


def evaluator_parts(
    model: Model, state: State, pays: NDArray[np.int64], counts: NDArray[np.integer], symbols: Sequence[Counted]
) -> dict[str, Part]:
    """What every evaluator wins: scatters by `counts`, the only other one `pays`."""
    parts = {}
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Scatter):
            seen = counts[:, symbols.index(counted(state, evaluator))]
            exempt = exempt_table(model, state, name, evaluator.symbol)[seen]
            parts[name] = Part(scatter_table(model, state, evaluator)[seen], exempt)
        else:
            parts[name] = Part(pays, np.full(len(pays), state.exempt(name)))
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
) -> Joint:
    """The law from what every part wins, counts int[n, len(symbols)], and by trigger name the lines that match a
    pick pattern or the spins that wins award; times the multiplier that the state draws for a spin."""
    rows = len(weights)
    awards = np.zeros((rows, len(states)), dtype=np.int64)
    plays: list[NDArray[np.int64]] = []
    cells = int(counts.max(initial=0)) + 1
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger):
            table = np.array([trigger.award(n) for n in range(cells)], dtype=np.int64)
            awards[:, states.index(trigger.state)] += table[counts[:, symbols.index(counted(state, trigger))]]
        elif isinstance(trigger, BonusTrigger):
            table = np.array([trigger.times(n) for n in range(cells)], dtype=np.int64)
            plays.append(table[counts[:, symbols.index(counted(state, trigger))]])
        elif isinstance(trigger, PickTrigger):
            plays.append(matched[trigger.name])
        elif isinstance(trigger, WinTrigger):
            awards[:, states.index(trigger.state)] += matched[trigger.name]
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
        events = np.column_stack([awards, played])
        units, events, weights = multiplied(law, times, fixed, events, weights)
        awards, played = events[:, : len(states)], events[:, len(states) :]
        method = f"{method}, times the multiplier of a spin"
    return Joint(
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


def exempt_table(model: Model, state: State, part: str, symbol: str) -> NDArray[np.bool_]:
    """Whether no multiplier applies to a win of a part by the count of the symbol, bool[cells + 1]."""
    return np.array([state.exempt(part, symbol, n) for n in range(model.reels * model.rows + 1)], dtype=bool)


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
    pays, counts, weights = ways_law(engine.build, state, [symbol for symbol, _ in symbols])
    parts = evaluator_parts(model, state, pays, counts, symbols)
    return assembled(model, state, model_states(engine), parts, {}, counts, symbols, weights, WAYS)


def _every_joint(engine: Engine, state_index: int, special: str | None) -> Joint:
    """Every combination of draws, played by the compiled rules."""
    state = engine.tables.states[state_index].state
    if spin_paths(engine.build, state) > COMBINATIONS_MAX:
        raise AnalysisError(f"{paths_text(engine.build, state)}; a law is found from at most {COMBINATIONS_MAX:,}")
    drawn = None if special is None else engine.build.model.symbols.index(special)
    return visited_joint(engine, state_index, engine.spin_law(state_index, special=drawn, last=True))


def visited_joint(engine: Engine, state_index: int, law: VisitedLaw) -> Joint:
    """What the engine visited as a joint law."""
    state = engine.tables.states[state_index].state
    columns = [i for i, trigger in enumerate(state.triggers) if isinstance(trigger, PickTrigger | BonusTrigger)]
    return Joint(
        model=engine.build.model,
        state=state,
        states=model_states(engine),
        units=np.asarray(law.units, dtype=np.int64),
        awards=np.asarray(law.awards, dtype=np.int64),
        plays=np.asarray(law.plays, dtype=np.int64)[:, columns],
        weights=np.asarray(law.weights, dtype=object),
        parts={name: int(total) for name, total in law.parts.items()},
        cycle=int(law.cycle),
        method=EVERY,
        steps=tuple(int(n) for n in law.steps),
    )
