"""One spin: draw the grid, change it, pay it step by step, close it, call back, then trigger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import prod

from rgs_core.language.mechanics import (
    NOTHING_LINKED,
    Add,
    BonusTrigger,
    Cascade,
    Charge,
    Collect,
    Evaluator,
    Expand,
    Final,
    FreeSpinsTrigger,
    JackpotTrigger,
    Replace,
    Reveal,
    Scatter,
    Special,
    Stick,
    Trigger,
    Values,
    run_name,
)
from rgs_core.language.model import VALUE_MAX, Build, Model, State, Strip
from rgs_core.outcome import Award, BonusPlay, CellChange, PickBonus, Spin, Step, Win
from rgs_core.reference.callbacks import call_callback
from rgs_core.reference.changes import become, leave
from rgs_core.reference.grid import (
    Cell,
    Grid,
    Memory,
    Top,
    draw_cells,
    draw_heights,
    draw_reels,
    draw_run,
    drop_lost,
    fall_and_refill,
    lay_held,
    link_strips,
    move_held,
)
from rgs_core.reference.pays import Found, Look, evaluate, special_wins
from rgs_core.reference.spots import mark_spots, multiplied, spot_table
from rgs_core.reference.transforms import add, change, draw_for_feature, transform_refilled, transform_stopped
from rgs_core.reference.triggers import Seen, awards_of, collected_multiplier, pass_waiting
from rgs_core.reference.words import Numbers, draw_unless_one, succeeds


@dataclass
class Playing:
    """A spin while it is played.

    `grid` is what is in view now, `stopped` the same before the transforms; `factor` is the multiplier of the
    spin without that of the cascade, `held` the cells held when it began, `tops` the place on its strip of the
    topmost symbol of each reel; `top`: the top reel; `idle`: the places of transforms that do not work in it.
    """

    build: Build
    state: State
    memory: Memory
    numbers: Numbers
    strips: tuple[Strip, ...]
    tops: list[int]
    top: Top | None
    grid: Grid
    stopped: Grid
    factor: int
    held: Collection[Cell]
    idle: Collection[int]
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

    The order of all draws: at the start of a feature the special symbols and what transforms draw for it, the strip
    set, the heights, the linked reels, the
    stops, the transforms; with a cascade, after each step its triggers, then refill and transforms; the callback;
    at last the other triggers, those that look at the end of a feature after all others.
    """
    model = build.model
    state = model.states[state_name]
    if state.special is not None:
        draw_specials(state.special, memory, numbers)
    draw_for_feature(state, memory, numbers)
    strip_set = state.strips
    if state.strip_choice is not None:
        strip_set = draw_unless_one(state.strip_choice.names, state.strip_choice.weights, numbers)
    strips = build.strips(state, strip_set)
    top = Top(build.top_strip(strip_set), model.top) if model.top else None
    heights = draw_heights(model, state, numbers)
    run = draw_run(state, numbers)
    strips = link_strips(strips, run)
    if memory.started:
        move_held(state, memory, "spin", heights, numbers)
    memory.started = True
    drop_lost(memory, heights)
    held = frozenset(memory.held)
    if state.cells:
        stops, grid = draw_cells(strips, top, heights, held, numbers)
    else:
        stops, grid = draw_reels(strips, run, top, heights, numbers)
    lay_held(grid, memory)

    stopped = grid.copy()
    tops = list(stops)
    idle: set[int] = set()
    pass_waiting(state, memory)
    drawn, acts = transform_stopped(
        state,
        grid,
        memory,
        held,
        strips,
        tops,
        idle,
        numbers,
        would_win=lambda: would_win(model, state, grid, stopped),
        shows=Seen(model, grid, stopped, held, ()).shows,
    )
    factor = state.multiplier * drawn * collected_multiplier(state, memory)
    nudged = tuple(tops) if tops != list(stops) else ()
    playing = Playing(build, state, memory, numbers, strips, tops, top, grid, stopped, factor, held, idle)
    first = grid.copy()
    paid = pay_steps(playing)
    closing = final_wins(state.final, playing) if state.final is not None else []
    spin_win = sum(win.amount_units for win in [*playing.wins, *closing])
    if state.callback is not None:
        so_far = [*playing.wins, *closing]
        won, awarded = call_callback(model, state_name, state.callback, grid, so_far, memory, numbers)
        closing += won
        playing.awards += awarded
    for trigger in state.triggers:
        if not jackpot_at_end(trigger) and (state.cascade is None or trigger.name not in state.cascade.remove):
            seen = Seen(model, grid, playing.stopped, held, playing.wins, spin_win)
            awards = list(awards_of(build, state, trigger, seen, memory, numbers))
            if model.multiplies_win(trigger):
                spin_win += sum(award.amount_units for award in awards if isinstance(award, PickBonus | BonusPlay))
            if state.special is not None and trigger.name == state.special.more_with and awards:
                memory.more_specials += 1
            playing.awards += awards
    specials = memory.specials if state.special is not None else []
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
        special=specials[0] if specials else "",
        specials=tuple(specials) if state.special is not None and state.special.count_most > 1 else (),
        multiplier=drawn,
        nudged=nudged,
        spots=paid[0].spots,
        acts=tuple(acts),
        linked=run_name(run) if run != NOTHING_LINKED else "",
        marked=tuple(sorted(memory.marked)),
        modifier=memory.modifier if state.modifiers is not None else "",
    )
    return spin, playing


def draw_specials(special: Special, memory: Memory, numbers: Numbers) -> None:
    """Special symbols are drawn one after the other, each other than those before, until the feature has as many as it
    shall have by now. The last one that is left needs no draw."""
    while len(memory.specials) < min(special.count + memory.more_specials, special.count_most):
        weights = dict(zip(special.table.symbols, special.table.weights, strict=True))
        left = [symbol for symbol in weights if symbol not in memory.specials]
        memory.specials.append(draw_unless_one(left, [weights[symbol] for symbol in left], numbers))


# --- Steps -----------------------------------------------------------------------------------------


def pay_steps(playing: Playing) -> list[Step]:
    """What every step of a spin shows and wins; without a cascade there is one step.

    A cascade goes on as long as a step removes cells, or where none is removed a charge is left; at most `steps_max`
    steps. A step wins when anything pays or a trigger that removes its cells fires; the multiplier goes up with every
    winning step, beyond the listed ones by `multiplier_step`.
    """
    cascade = playing.state.cascade
    if cascade is None:
        found = step_wins(playing, playing.factor)
        grow_values(playing, found, further=False)
        return [Step(playing.grid.window, tuple(win for win, _ in found))]
    memory = playing.memory
    if not cascade.persist:
        memory.won_steps = 0
    spots = playing.state.spots
    if spots is not None and not spots.persist:
        memory.spots = {}
    steps: list[Step] = []
    counted = charges = 0
    charged = False
    changed: list[CellChange] = []
    while True:
        rung = min(memory.won_steps, len(cascade.multipliers) - 1)
        ladder = cascade.multipliers[rung] + (memory.won_steps - rung) * cascade.multiplier_step
        found = step_wins(playing, playing.factor * ladder)
        fired, cells = step_triggers(playing, cascade)
        for win, its_cells in found:
            if win.evaluator in cascade.remove:
                cells += its_cells
        going = {cell for cell in cells if cell not in memory.held and playing.grid.symbol(cell) not in cascade.staying}
        removed = {cell for cell in going if playing.grid.symbol(cell) not in cascade.become}
        if found or fired:
            memory.won_steps += 1
        shown = spot_table(memory, playing.grid)
        wins = tuple(win for win, _ in found)
        steps.append(Step(playing.grid.window, wins, playing.grid.cell_table, shown, charged, tuple(changed)))
        charge = cascade.charge
        charged = not going and charge is not None and charges < counted // charge.every
        over = len(steps) == cascade.steps_max or not (going or charged)
        grow_values(playing, found, further=not over)
        if over:
            return steps
        if charged:
            assert charge is not None
            charges += 1
            changed = []
            use_charge(playing, charge)
        else:
            counted += charging(cascade, playing.grid, removed)
            changed = next_step(playing, cascade, found, removed, going - removed)


def next_step(
    playing: Playing, cascade: Cascade, found: list[Found], removed: set[Cell], becoming: set[Cell]
) -> list[CellChange]:
    """The grid of the next step: cells are removed or become other symbols, wins leave some, the others fall, places
    refill, transforms work again. Returns the cells that have not gone."""
    if playing.state.spots is not None:
        mark_spots(playing.state.spots, playing.memory, removed)
    changed = become(cascade, playing.grid, becoming, playing.numbers)
    changed += leave(cascade, playing.grid, found, removed, playing.numbers)
    removed = move_in_step(playing, removed - {change.cell for change in changed})
    held, strips, tops = playing.memory.held, playing.strips, playing.tops
    fall_and_refill(playing.grid, removed, held, cascade, strips, tops, playing.top, playing.numbers)
    playing.stopped = playing.grid.copy()
    transform_refilled(playing.state, playing.grid, playing.memory, playing.idle, playing.numbers)
    return changed


def charging(cascade: Cascade, grid: Grid, removed: Collection[Cell]) -> int:
    """How many of the removed cells count for the meter of charges."""
    if cascade.charge is None:
        return 0
    symbols = cascade.charge.symbols
    return sum(symbols is None or grid.symbol(cell) in symbols for cell in removed)


def use_charge(playing: Playing, charge: Charge) -> None:
    """Uses up a charge: its transforms change the grid in order. What `stopped` looks at is the grid after them."""
    for transform in charge.then:
        assert isinstance(transform, Add | Reveal | Expand | Replace | Values)  # the model file was refused otherwise
        seen = Seen(playing.model, playing.grid, playing.grid, playing.held, ())
        with_it = not transform.modifiers or playing.memory.modifier in transform.modifiers
        if not with_it or not seen.shows(transform.in_view) or not succeeds(transform.odds, playing.numbers):
            continue
        if isinstance(transform, Add):
            add(transform, playing.grid, playing.memory, playing.numbers)
        else:
            change(transform, playing.grid, playing.numbers)
    playing.stopped = playing.grid.copy()


def move_in_step(playing: Playing, removed: set[Cell]) -> set[Cell]:
    """Held cells that move between steps do so before the refill, over what is there; the places that they leave are
    empty. Returns the cells that are empty now."""
    state, grid, memory = playing.state, playing.grid, playing.memory
    if not any(isinstance(transform, Stick) and transform.each == "step" for transform in state.transforms):
        return removed
    before = set(memory.held)
    move_held(state, memory, "step", [len(column) for column in grid.symbols], playing.numbers)
    lay_held(grid, memory)
    return (removed | before) - set(memory.held)


def grow_values(playing: Playing, found: list[Found], further: bool) -> None:
    """Values of cells that were part of a win grow, once a step, by the first transform that says so for their symbol.

    They are seen grown in the next step if there is a `further` one, and held ones in the next spin.
    """
    grid, memory = playing.grid, playing.memory
    for cell in sorted({cell for _, cells in found for cell in cells}):
        rules = [t for t in playing.state.transforms if isinstance(t, Values) and grid.symbol(cell) in t.symbols]
        grow = next((rule.grow for rule in rules if rule.grow > 0), 0)
        if grow == 0 or grid.value(cell) == 0:
            continue
        value = min(grid.value(cell) + grow, VALUE_MAX)
        if further:
            grid.put(cell, grid.symbol(cell), value)
        if cell in memory.held:
            memory.held[cell] = (memory.held[cell][0], value)


def step_wins(playing: Playing, factor: int) -> list[Found]:
    """What the grid pays now: the evaluators in order, then the special symbols of the feature."""
    model, state, memory = playing.model, playing.state, playing.memory
    special = state.special
    found: list[Found] = []
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if not at_end(evaluator):
            silenced = special is not None and special.lines == name and not special.own_lines
            look = look_of(playing, evaluator, factor)
            pays = evaluate(look, evaluator, silent=memory.specials if silenced else ())
            found += [multiplied(state, memory, paid) for paid in pays]
    if special is not None:
        for symbol in memory.specials:
            found += special_wins(Look(model, state, playing.grid, factor), special, symbol)
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


def would_win(model: Model, state: State, grid: Grid, stopped: Grid) -> bool:
    """Whether a grid would win anything, as it is while transforms change it; `stopped` before they do."""
    evaluators = [model.evaluators[name] for name in state.evaluators]
    return any(
        True
        for evaluator in evaluators
        if not at_end(evaluator)
        for _ in evaluate(Look(model, state, stopped if looks_stopped(evaluator) else grid, 1), evaluator)
    )


def looks_stopped(evaluator: Evaluator) -> bool:
    """Whether an evaluator looks at the grid as it stopped."""
    return isinstance(evaluator, Scatter) and evaluator.stopped


def look_of(playing: Playing, evaluator: Evaluator, factor: int) -> Look:
    """The grid as an evaluator looks at it: some look at it as it stopped."""
    grid = playing.stopped if looks_stopped(evaluator) else playing.grid
    return Look(playing.model, playing.state, grid, factor)


def jackpot_at_end(trigger: Trigger) -> bool:
    """Whether a trigger is looked at once, at the end of a feature."""
    return isinstance(trigger, JackpotTrigger) and trigger.at == "end"


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


def end_awards(playing: Playing) -> list[Award]:
    """Jackpots that the last grid of a feature wins."""
    awards: list[Award] = []
    for trigger in playing.state.triggers:
        if jackpot_at_end(trigger):
            seen = Seen(playing.model, playing.grid, playing.stopped, (), playing.wins)
            awards += awards_of(playing.build, playing.state, trigger, seen, playing.memory, playing.numbers)
    return awards


def end_wins(playing: Playing) -> list[Win]:
    """What pays at the end of a feature, on the last grid of its last spin."""
    wins: list[Win] = []
    for name in playing.state.evaluators:
        evaluator = playing.model.evaluators[name]
        if at_end(evaluator):
            wins += [win for win, _ in evaluate(look_of(playing, evaluator, playing.factor), evaluator)]
    return wins
