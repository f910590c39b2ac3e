"""One spin: draw the grid, change it, pay it step by step, close it, call back, then trigger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import prod

from rgs_core.language.mechanics import BonusTrigger, Cascade, Collect, Evaluator, Final, FreeSpinsTrigger, Scatter
from rgs_core.language.model import Build, Model, State, Strip
from rgs_core.outcome import Award, Spin, Step, Win
from rgs_core.reference.callbacks import call_callback
from rgs_core.reference.grid import (
    Cell,
    Grid,
    Memory,
    draw_cells,
    draw_heights,
    draw_reels,
    drop_lost,
    fall_and_refill,
    lay_held,
    move_held,
)
from rgs_core.reference.pays import Found, Look, evaluate, special_wins
from rgs_core.reference.transforms import transform_refilled, transform_stopped
from rgs_core.reference.triggers import Seen, awards_of, collected_multiplier
from rgs_core.reference.words import Numbers, draw_unless_one


@dataclass
class Playing:
    """A spin while it is played.

    `grid` is what is in view now, `stopped` the same before the transforms; `factor` is the multiplier of the
    spin without that of the cascade, `held` the cells held when it began, `tops` the place on its strip of the
    topmost symbol of each reel.
    """

    build: Build
    state: State
    memory: Memory
    numbers: Numbers
    strips: tuple[Strip, ...]
    tops: list[int]
    grid: Grid
    stopped: Grid
    factor: int
    held: Collection[Cell]
    wins: list[Win] = field(default_factory=list)
    awards: list[Award] = field(default_factory=list)

    @property
    def model(self) -> Model:
        """The model of the build."""
        return self.build.model

    @property
    def full(self) -> bool:
        """Whether cells draw alone and all of them are held now: the feature can change no more."""
        return self.state.cells and all(cell in self.memory.held for cell in self.grid.cells())


def play_spin(
    build: Build, state_name: str, memory: Memory, numbers: Numbers, sub_spin: int = 0
) -> tuple[Spin, Playing]:
    """One spin of a state; `memory` is that of its feature, and changes. Also returns how the spin ended.

    The order of all draws: the special symbol at the start of a feature, the strip set, the heights, the
    stops, the transforms; with a cascade, after each step its triggers, then refill and transforms; the callback;
    at last the other triggers.
    """
    model = build.model
    state = model.states[state_name]
    if state.special is not None and not memory.started:
        memory.special = draw_unless_one(state.special.table.symbols, state.special.table.weights, numbers)
    strip_set = state.strips
    if state.strip_choice is not None:
        strip_set = draw_unless_one(state.strip_choice.names, state.strip_choice.weights, numbers)
    strips = build.strips(state, strip_set)
    heights = draw_heights(model, state, numbers)
    if memory.started:
        move_held(state, memory)
    memory.started = True
    drop_lost(memory, heights)
    held = frozenset(memory.held)
    stops, grid = draw_cells(strips, heights, held, numbers) if state.cells else draw_reels(strips, heights, numbers)
    lay_held(grid, memory)

    stopped = grid.copy()
    tops = list(stops)
    drawn = transform_stopped(state, grid, memory, strips, tops, numbers)
    factor = state.multiplier * drawn * collected_multiplier(state, memory)
    nudged = tuple(tops) if tops != list(stops) else ()
    playing = Playing(build, state, memory, numbers, strips, tops, grid, stopped, factor, held)
    first = grid.copy()
    paid = pay_steps(playing)
    closing = final_wins(state.final, playing) if state.final is not None else []
    if state.callback is not None:
        so_far = [*playing.wins, *closing]
        won, awarded = call_callback(model, state_name, state.callback, grid, so_far, memory, numbers)
        closing += won
        playing.awards += awarded
    for trigger in state.triggers:
        if state.cascade is None or trigger.name not in state.cascade.remove:
            seen = Seen(model, grid, playing.stopped, held, playing.wins)
            playing.awards += awards_of(build, state, trigger, seen, memory, numbers)
    spin = Spin(
        state_name,
        sub_spin,
        tuple(stops),
        first.window,
        paid[0].wins,
        tuple(playing.awards),
        values=first.cell_table,
        stopped=stopped.window if stopped.window != first.window else (),
        steps=tuple(paid[1:]),
        closing=tuple(closing),
        strips=strip_set if len(state.strip_sets) > 1 else "",
        special=memory.special,
        multiplier=drawn,
        nudged=nudged,
    )
    return spin, playing


# --- Steps -----------------------------------------------------------------------------------------


def pay_steps(playing: Playing) -> list[Step]:
    """What every step of a spin shows and wins; without a cascade there is one step.

    A cascade goes on as long as a step removes cells, at most `steps_max` steps. A step wins when anything
    pays or a trigger that removes its cells fires; the multiplier goes up with every winning step.
    """
    cascade = playing.state.cascade
    if cascade is None:
        found = step_wins(playing, playing.factor)
        return [Step(playing.grid.window, tuple(win for win, _ in found))]
    memory = playing.memory
    if not cascade.persist:
        memory.won_steps = 0
    steps: list[Step] = []
    removed: set[Cell] = set()
    while not steps or (removed and len(steps) < cascade.steps_max):
        if steps:
            fall_and_refill(playing.grid, removed, memory.held, cascade, playing.strips, playing.tops, playing.numbers)
            playing.stopped = playing.grid.copy()
            transform_refilled(playing.state, playing.grid, playing.numbers)
        ladder = cascade.multipliers[min(memory.won_steps, len(cascade.multipliers) - 1)]
        found = step_wins(playing, playing.factor * ladder)
        fired, cells = step_triggers(playing, cascade)
        for win, its_cells in found:
            if win.evaluator in cascade.remove:
                cells += its_cells
        removed = {cell for cell in cells if cell not in memory.held and playing.grid.symbol(cell) not in cascade.keep}
        if found or fired:
            memory.won_steps += 1
        steps.append(Step(playing.grid.window, tuple(win for win, _ in found), playing.grid.cell_table))
    return steps


def step_wins(playing: Playing, factor: int) -> list[Found]:
    """What the grid pays now: the evaluators in order, then the special symbol of the feature."""
    model, state, memory = playing.model, playing.state, playing.memory
    special = state.special
    found: list[Found] = []
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if not at_end(evaluator):
            silenced = special is not None and special.lines == name and not special.own_lines
            look = look_of(playing, evaluator, factor)
            found += evaluate(look, evaluator, silent=memory.special if silenced else "")
    if special is not None:
        found += special_wins(Look(model, state, playing.grid, factor), special, memory.special)
    playing.wins += [win for win, _ in found]
    return found


def step_triggers(playing: Playing, cascade: Cascade) -> tuple[bool, list[Cell]]:
    """The triggers whose cells the cascade removes: whether one fired, and all cells with the symbols of those."""
    fired = False
    cells: list[Cell] = []
    for trigger in playing.state.triggers:
        if trigger.name in cascade.remove:
            assert isinstance(trigger, FreeSpinsTrigger | BonusTrigger)  # the model file was refused otherwise
            seen = Seen(playing.model, playing.grid, playing.stopped, playing.held, playing.wins)
            awards = list(awards_of(playing.build, playing.state, trigger, seen, playing.memory, playing.numbers))
            if awards:
                fired = True
                cells += seen.cells(trigger.symbol, trigger.stopped)
            playing.awards += awards
    return fired, cells


def look_of(playing: Playing, evaluator: Evaluator, factor: int) -> Look:
    """The grid as an evaluator looks at it: some look at it as it stopped."""
    stopped = isinstance(evaluator, Scatter) and evaluator.stopped
    return Look(playing.model, playing.state, playing.stopped if stopped else playing.grid, factor)


def at_end(evaluator: Evaluator) -> bool:
    """Whether an evaluator pays once, at the end of a feature."""
    return isinstance(evaluator, Scatter | Collect) and evaluator.at == "end"


# --- Closing ---------------------------------------------------------------------------------------


def final_wins(final: Final, playing: Playing) -> list[Win]:
    """The closing multiplier of a spin that has won: values in view of its symbols, by sum or product.

    If it persists, they add up over the feature, and the spin is multiplied even when none is in view now. The
    win on record is what the multiplier adds.
    """
    spin_win = sum(win.amount_units for win in playing.wins)
    if spin_win == 0:
        return []
    grid, memory = playing.grid, playing.memory
    cells = [cell for cell in grid.cells() if playing.model.read(grid.symbol(cell))[0] in final.symbols]
    values = [grid.value(cell) for cell in cells if grid.value(cell) > 0]
    multiplier = sum(values) if final.combine == "sum" else prod(values)
    if final.persist:
        if memory.final is not None:
            multiplier = memory.final + multiplier if final.combine == "sum" else memory.final * multiplier
        memory.final = multiplier
    if multiplier <= 1:
        return []
    symbol = min(final.symbols)
    return [Win(final.name, None, symbol, len(values), 1, multiplier, spin_win * (multiplier - 1))]


def end_wins(playing: Playing) -> list[Win]:
    """What pays at the end of a feature, on the last grid of its last spin."""
    wins: list[Win] = []
    for name in playing.state.evaluators:
        evaluator = playing.model.evaluators[name]
        if at_end(evaluator):
            wins += [win for win, _ in evaluate(look_of(playing, evaluator, playing.factor), evaluator)]
    return wins
