"""Triggers: what a grid or a win starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rgs_core.language.mechanics import (
    BonusTrigger,
    CollectedTrigger,
    Counted,
    FreeSpinsTrigger,
    FullReelsTrigger,
    InView,
    JackpotTrigger,
    Odds,
    PickTrigger,
    Table,
    Trigger,
    WinTrigger,
)
from rgs_core.language.model import Build, Model, State
from rgs_core.outcome import Award, FreeSpinsAward, JackpotWin, Win
from rgs_core.reference.bonuses import play_bonus
from rgs_core.reference.grid import Cell, Grid, Memory
from rgs_core.reference.pays import pay_for
from rgs_core.reference.transforms import chosen
from rgs_core.reference.words import Numbers, draw_unless_one, succeeds


@dataclass(frozen=True)
class Seen:
    """What triggers look at: the grid, the grid as it stopped, the cells held before the spin, and its wins so far; `won`
    units are what a bonus of the win multiplies.

    A double symbol is seen as the symbol that it counts for.
    """

    model: Model
    grid: Grid
    stopped: Grid
    held: Collection[Cell]
    wins: Sequence[Win]
    won: int = 0

    def cells(self, entry: str, stopped: bool = False) -> list[Cell]:
        """The cells that show a symbol, or a member of a group."""
        grid = self.stopped if stopped else self.grid
        members = self.model.members(entry)
        return [cell for cell in grid.cells() if self.model.read(grid.symbol(cell))[0] in members]

    def counted(self, counted: Counted, fresh: bool = False) -> int:
        """What a trigger counts: symbols in view on its reels, or the reels that show any."""
        grid = self.stopped if counted.stopped else self.grid
        cells = [
            cell
            for cell in self.cells(counted.symbol, counted.stopped)
            if chosen(cell[0], counted.reels) and not (fresh and cell in self.held)
        ]
        if counted.per_reel:
            return len({reel for reel, _ in cells})
        return sum(self.model.read(grid.symbol(cell))[1] for cell in cells)

    def shows(self, conditions: Iterable[InView]) -> bool:
        """Whether as many symbols are in view as all these conditions ask for."""
        return all(condition.holds(self.counted(condition.counted)) for condition in conditions)

    def count(self, entry: str, stopped: bool = False, fresh: bool = False) -> int:
        """How often a symbol or group is in view; without the cells that were held when only fresh ones count."""
        grid = self.stopped if stopped else self.grid
        cells = [cell for cell in self.cells(entry, stopped) if not (fresh and cell in self.held)]
        return sum(self.model.read(grid.symbol(cell))[1] for cell in cells)


def awards_of(
    build: Build, state: State, trigger: Trigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[Award]:
    """What one trigger awards."""
    model = build.model
    match trigger:
        case FreeSpinsTrigger():
            return free_spins_awards(trigger, seen, memory, numbers)
        case FullReelsTrigger():
            return full_reels_awards(trigger, seen, memory, numbers)
        case WinTrigger():
            return win_awards(trigger, seen, memory, numbers)
        case CollectedTrigger():
            return collected_awards(trigger, seen, memory, numbers)
        case PickTrigger():
            return line_bonuses(model, state, trigger, seen, memory, numbers)
        case BonusTrigger():
            return count_bonuses(model, state, trigger, seen, memory, numbers)
        case JackpotTrigger():
            return jackpot_wins(trigger, seen, build.play.cost_units, memory, numbers)


def fires(
    trigger: FreeSpinsTrigger | FullReelsTrigger | WinTrigger | PickTrigger | BonusTrigger | JackpotTrigger,
    seen: Seen,
    memory: Memory,
    numbers: Numbers,
    odds: Odds | None = None,
) -> bool:
    """Whether a trigger that finds what it looks at fires: by the numbers of symbols in view, by its condition on the wins
    of the spin, at most once in the feature if it says so, and then by its odds, which are drawn only where all else
    holds. `odds`: those of a jackpot."""
    if not seen.shows(trigger.in_view):
        return False
    if (trigger.when == "win" and not seen.wins) or (trigger.when == "no_win" and seen.wins):
        return False
    if trigger.once and trigger.name in memory.fired:
        return False
    if not succeeds(odds or trigger.odds, numbers):
        return False
    if trigger.once:
        memory.fired.add(trigger.name)
    return True


def free_spins_awards(
    trigger: FreeSpinsTrigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[FreeSpinsAward]:
    """Spins for the number of trigger symbols in view."""
    count = seen.counted(trigger.counted, trigger.fresh)
    spins = pay_for(trigger.spins, count)
    awards = spins > 0 or (trigger.become and count >= min(trigger.spins))
    if awards and fires(trigger, seen, memory, numbers):
        multiplier = drawn_multiplier(trigger.multiplier, numbers)
        yield FreeSpinsAward(trigger.name, trigger.symbol, count, spins, trigger.state, multiplier)


def full_reels(trigger: FullReelsTrigger, model: Model, grid: Grid, symbol: str) -> list[int]:
    """The reels of a trigger that show nothing but a symbol."""
    full = [reel for reel, column in enumerate(grid.symbols) if {model.read(shown)[0] for shown in column} == {symbol}]
    return [reel for reel in full if chosen(reel, trigger.reels)]


def full_reels_awards(
    trigger: FullReelsTrigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[FreeSpinsAward]:
    """Spins for the reels that are full of the same symbol: the one that fills most, of equal ones the first."""
    symbol = max(seen.model.symbols, key=lambda symbol: len(full_reels(trigger, seen.model, seen.grid, symbol)))
    count = len(full_reels(trigger, seen.model, seen.grid, symbol))
    spins = pay_for(trigger.spins, count)
    if count > 0 and spins > 0 and fires(trigger, seen, memory, numbers):
        yield FreeSpinsAward(trigger.name, symbol, count, spins, trigger.state)


def drawn_multiplier(table: Table | None, numbers: Numbers) -> int:
    """The multiplier that an award gives to its feature: drawn where there are several; 0 for none of its own."""
    return 0 if table is None else draw_unless_one(table.values, table.weights, numbers)


def win_awards(trigger: WinTrigger, seen: Seen, memory: Memory, numbers: Numbers) -> Iterator[FreeSpinsAward]:
    """Spins for every win of an evaluator in this spin, by its symbol and count; all by one draw of the odds, and with one
    multiplier."""
    awarding = [
        (win, spins)
        for win in seen.wins
        if win.evaluator == trigger.evaluator and win.symbol in trigger.spins
        if (spins := pay_for(trigger.spins[win.symbol], win.count)) > 0
    ]
    if awarding and fires(trigger, seen, memory, numbers):
        multiplier = drawn_multiplier(trigger.multiplier, numbers)
        for win, spins in awarding:
            yield FreeSpinsAward(trigger.name, win.symbol, win.count, spins, trigger.state, multiplier)


def collected_awards(
    trigger: CollectedTrigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[FreeSpinsAward]:
    """What the spin shows is added to what was collected; every level that is reached now awards its spins, all with one
    multiplier. Levels beyond the last one give what that does. Counted in a row, all is lost where nothing is added."""
    multiplier = 0
    before = level_of(trigger, memory)
    more = collected_now(trigger, seen)
    lost = trigger.in_a_row and more == 0
    memory.collected[trigger.name] = 0 if lost else memory.collected.get(trigger.name, 0) + more
    for level in range(before + 1, level_of(trigger, memory) + 1):
        listed = min(level, len(trigger.spins)) - 1
        spins = trigger.spins[listed]
        memory.waiting.setdefault(trigger.name, []).append(memory.left)
        if spins > 0 or trigger.states:
            multiplier = multiplier or drawn_multiplier(trigger.multiplier, numbers)
            state = trigger.states[listed] if trigger.states else trigger.state
            yield FreeSpinsAward(trigger.name, trigger.symbol, level, spins, state, multiplier)


def collected_now(trigger: CollectedTrigger, seen: Seen) -> int:
    """What a spin adds to a count: symbols in view, or the values of their cells, once for each collector in view where
    there is one; or 1 where it has won or lost as the trigger says."""
    match trigger.counts:
        case "wins":
            return 1 if seen.wins else 0
        case "losses":
            return 0 if seen.wins else 1
        case "spins":
            return 1
        case "values":
            cells = seen.cells(trigger.symbol)
            more = sum(seen.grid.value(cell) for cell in cells if not (trigger.fresh and cell in seen.held))
        case _:
            more = seen.count(trigger.symbol, fresh=trigger.fresh)
    return more * (1 if trigger.collector is None else seen.count(trigger.collector))


def pass_waiting(state: State, memory: Memory) -> None:
    """A spin begins: levels that need wait no more multiply from now on, the others wait for a spin less."""
    for trigger in state.triggers:
        if isinstance(trigger, CollectedTrigger) and trigger.multipliers_from == "batch":
            waiting = memory.waiting.get(trigger.name, [])
            while waiting and waiting[0] == 0:
                waiting.pop(0)
                memory.multiplying[trigger.name] = memory.multiplying.get(trigger.name, 0) + 1
            memory.waiting[trigger.name] = [spins - 1 for spins in waiting]


def level_of(trigger: CollectedTrigger, memory: Memory) -> int:
    """The level reached: every so many collected symbols one, or at listed counts; up to the last, or where there is no
    end beyond it by every so many more."""
    collected, levels = memory.collected.get(trigger.name, 0), len(trigger.spins)
    if not trigger.thresholds:
        reached = collected // trigger.every
        return reached if trigger.endless else min(reached, levels)
    reached = sum(collected >= needed for needed in trigger.thresholds)
    if trigger.endless and reached == levels:
        reached += (collected - trigger.thresholds[-1]) // trigger.every
    return reached


def collected_multiplier(state: State, memory: Memory) -> int:
    """The multiplier of the levels reached in the spins before, of all triggers that collect."""
    reached = [(t, multiplying_level(t, memory)) for t in state.triggers if isinstance(t, CollectedTrigger)]
    multiplier = 1
    for trigger, level in reached:
        if level > 0:
            beyond = max(0, level - len(trigger.multipliers))
            multiplier *= trigger.multipliers[level - beyond - 1] + beyond * trigger.multiplier_step
    return multiplier


def multiplying_level(trigger: CollectedTrigger, memory: Memory) -> int:
    """The level whose multiplier counts: that reached, or of those that wait for spins the last that needs to no more."""
    if trigger.multipliers_from == "spin":
        return level_of(trigger, memory)
    return min(memory.multiplying.get(trigger.name, 0), len(trigger.multipliers))


def line_bonuses(
    model: Model, state: State, trigger: PickTrigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[Award]:
    """A bonus for every payline that begins with the trigger's pattern."""
    lines = []
    for number, rows in enumerate(model.paylines_of(state), start=1):
        shown = [model.read(seen.grid.symbol((reel, rows[reel])))[0] for reel in range(len(trigger.pattern))]
        if all(wanted is None or wanted == cell for wanted, cell in zip(trigger.pattern, shown, strict=True)):
            lines.append(number)
    if lines and fires(trigger, seen, memory, numbers):
        yield from bonuses(model, state, trigger, trigger.pick, lines, seen.won, numbers)


def count_bonuses(
    model: Model, state: State, trigger: BonusTrigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[Award]:
    """A bonus as often as the number of trigger symbols in view says."""
    plays = pay_for(trigger.plays, seen.counted(trigger.counted))
    if plays > 0 and fires(trigger, seen, memory, numbers):
        yield from bonuses(model, state, trigger, trigger.bonus, [0] * plays, seen.won, numbers)


def bonuses(
    model: Model, state: State, trigger: Trigger, name: str, lines: Sequence[int], won: int, numbers: Numbers
) -> Iterator[Award]:
    """A bonus for each of these lines. One of the win multiplies what those before it have made of the win."""
    for line in lines:
        for award in play_bonus(model, state, trigger.name, name, line, numbers, won):
            if model.multiplies_win(trigger) and not isinstance(award, JackpotWin):
                won += award.amount_units
            yield award


def jackpot_wins(
    trigger: JackpotTrigger, seen: Seen, cost_units: int, memory: Memory, numbers: Numbers
) -> Iterator[JackpotWin]:
    """A jackpot of the service: one number below `out_of` is drawn at every spin, the first `chance` of them win.

    With `per = "unit"` there are so many for each unit that the round costs. With a symbol nothing is drawn where
    too few of it are in view.
    """
    if trigger.symbol is not None and seen.counted(trigger.counted, trigger.fresh) < trigger.count:
        return
    chance = trigger.chance * cost_units if trigger.per == "unit" else trigger.chance
    if fires(trigger, seen, memory, numbers, Odds(chance, trigger.out_of)):
        yield JackpotWin(trigger.name, trigger.jackpot)
