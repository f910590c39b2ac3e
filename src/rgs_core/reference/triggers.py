"""Triggers: what a grid or a win starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from rgs_core.language.mechanics import (
    BonusTrigger,
    CollectedTrigger,
    FreeSpinsTrigger,
    JackpotTrigger,
    PickTrigger,
    Trigger,
    WinTrigger,
)
from rgs_core.language.model import Build, Model, State
from rgs_core.outcome import Award, FreeSpinsAward, JackpotWin, Win
from rgs_core.reference.bonuses import play_bonus
from rgs_core.reference.grid import Cell, Grid, Memory
from rgs_core.reference.pays import pay_for
from rgs_core.reference.words import Numbers


@dataclass(frozen=True)
class Seen:
    """What triggers look at: the grid, the grid as it stopped, the cells held before the spin, and its wins.

    A double symbol is seen as the symbol that it counts for.
    """

    model: Model
    grid: Grid
    stopped: Grid
    held: Collection[Cell]
    wins: Sequence[Win]

    def cells(self, symbol: str, stopped: bool = False) -> list[Cell]:
        """The cells that show a symbol."""
        grid = self.stopped if stopped else self.grid
        return [cell for cell in grid.cells() if self.model.read(grid.symbol(cell))[0] == symbol]

    def count(self, symbol: str, stopped: bool = False, fresh: bool = False) -> int:
        """How often a symbol is in view; without the cells that were held when only fresh ones count."""
        grid = self.stopped if stopped else self.grid
        cells = [cell for cell in self.cells(symbol, stopped) if not (fresh and cell in self.held)]
        return sum(self.model.read(grid.symbol(cell))[1] for cell in cells)


def awards_of(
    build: Build, state: State, trigger: Trigger, seen: Seen, memory: Memory, numbers: Numbers
) -> Iterator[Award]:
    """What one trigger awards."""
    model = build.model
    match trigger:
        case FreeSpinsTrigger():
            return free_spins_awards(trigger, seen)
        case WinTrigger():
            return win_awards(trigger, seen)
        case CollectedTrigger():
            return collected_awards(trigger, seen, memory)
        case PickTrigger():
            return line_bonuses(model, state, trigger, seen, numbers)
        case BonusTrigger():
            return count_bonuses(model, state, trigger, seen, numbers)
        case JackpotTrigger():
            return jackpot_wins(trigger, seen, build.play.cost_units, numbers)


def free_spins_awards(trigger: FreeSpinsTrigger, seen: Seen) -> Iterator[FreeSpinsAward]:
    """Spins for the number of trigger symbols anywhere in view."""
    count = seen.count(trigger.symbol, trigger.stopped, trigger.fresh)
    spins = pay_for(trigger.spins, count)
    if spins > 0:
        yield FreeSpinsAward(trigger.name, trigger.symbol, count, spins, trigger.state)


def win_awards(trigger: WinTrigger, seen: Seen) -> Iterator[FreeSpinsAward]:
    """Spins for every win of an evaluator in this spin, by its symbol and count."""
    for win in seen.wins:
        if win.evaluator == trigger.evaluator and win.symbol in trigger.spins:
            spins = pay_for(trigger.spins[win.symbol], win.count)
            if spins > 0:
                yield FreeSpinsAward(trigger.name, win.symbol, win.count, spins, trigger.state)


def collected_awards(trigger: CollectedTrigger, seen: Seen, memory: Memory) -> Iterator[FreeSpinsAward]:
    """The symbols in view are added to those collected; every level that is reached now awards its spins."""
    before = level_of(trigger, memory)
    memory.collected[trigger.name] = memory.collected.get(trigger.name, 0) + seen.count(trigger.symbol)
    for level in range(before + 1, level_of(trigger, memory) + 1):
        spins = trigger.spins[level - 1]
        if spins > 0:
            yield FreeSpinsAward(trigger.name, trigger.symbol, level, spins, trigger.state)


def level_of(trigger: CollectedTrigger, memory: Memory) -> int:
    """The level reached: every so many collected symbols one, up to the last."""
    return min(memory.collected.get(trigger.name, 0) // trigger.every, len(trigger.spins))


def collected_multiplier(state: State, memory: Memory) -> int:
    """The multiplier of the levels reached in the spins before, of all triggers that collect."""
    reached = [(t, level_of(t, memory)) for t in state.triggers if isinstance(t, CollectedTrigger)]
    return prod(trigger.multipliers[level - 1] for trigger, level in reached if level > 0)


def line_bonuses(model: Model, state: State, trigger: PickTrigger, seen: Seen, numbers: Numbers) -> Iterator[Award]:
    """A bonus for every payline that begins with the trigger's pattern."""
    for number, rows in enumerate(model.paylines_of(state), start=1):
        shown = [model.read(seen.grid.symbol((reel, rows[reel])))[0] for reel in range(len(trigger.pattern))]
        if all(wanted is None or wanted == cell for wanted, cell in zip(trigger.pattern, shown, strict=True)):
            yield from play_bonus(model, state, trigger.name, trigger.pick, number, numbers)


def count_bonuses(model: Model, state: State, trigger: BonusTrigger, seen: Seen, numbers: Numbers) -> Iterator[Award]:
    """A bonus as often as the number of trigger symbols anywhere in view says."""
    for _ in range(pay_for(trigger.plays, seen.count(trigger.symbol, trigger.stopped))):
        yield from play_bonus(model, state, trigger.name, trigger.bonus, 0, numbers)


def jackpot_wins(trigger: JackpotTrigger, seen: Seen, cost_units: int, numbers: Numbers) -> Iterator[JackpotWin]:
    """A jackpot of the service: one number below `out_of` is drawn at every spin, the first `chance` of them win.

    With `per = "unit"` there are so many for each unit that the round costs. With a symbol nothing is drawn where
    too few of it are in view.
    """
    if trigger.symbol is not None and seen.count(trigger.symbol) < trigger.count:
        return
    chance = trigger.chance * cost_units if trigger.per == "unit" else trigger.chance
    if numbers.index([chance, trigger.out_of - chance]) == 0:
        yield JackpotWin(trigger.name, trigger.jackpot)
