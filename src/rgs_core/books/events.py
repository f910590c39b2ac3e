"""Tells a round as the events of a book, in the order in which a front end plays them.

Events have the names and fields that front ends on Stake Engine's SDK know, where it has such an event: `reveal`,
`winInfo`, `updateTumbleWin`, `tumbleBoard`, `updateGlobalMult`, `updateGrid`, `boardMultiplierInfo`, `newStickySymbols`, `setWin`,
`setTotalWin`, `freeSpinTrigger`, `freeSpinRetrigger`, `updateFreeSpin`, `freeSpinEnd`, `wincap`, `finalWin`. For what
it has none of there are events of ours: `transformBoard`, `nudgeReels`, `actOnValues`, `useCharge`, `minimumWin`,
`specialSymbol`, `updateCollected`, `featureGoesOn`, `pickBonus`,
`takeBonus`, `wheelBonus`, `choiceBonus`, `trailBonus`, `jackpotWin`. docs/exchange.md lists the fields. Amounts are hundredths of the stake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rgs_core.books.amounts import FEATURE_LEVELS, WIN_LEVELS, check_hundredths, level
from rgs_core.books.boards import Boards, Event
from rgs_core.books.features import Course, Feature, check_told, full_cells
from rgs_core.books.win_cells import Cell, cells_counting, cells_with, win_cells
from rgs_core.errors import BooksError
from rgs_core.language.mechanics import (
    WIN_MIN,
    BonusTrigger,
    Choice,
    Cluster,
    CollectedTrigger,
    Count,
    FreeSpinsTrigger,
    FullReelsTrigger,
    Match,
    Take,
    Wheel,
    WinTrigger,
)
from rgs_core.language.model import START_STATE, Build, Model
from rgs_core.outcome import (
    Award,
    BonusPlay,
    CellChange,
    CellTable,
    FreeSpinsAward,
    JackpotWin,
    PickBonus,
    Played,
    Spin,
    Win,
    Window,
)


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of a spin: as it pays first, or of a further step of its cascade. `stopped`: as it was before transforms,
    where the record knows. `fired`: triggers whose cells are removed from it."""

    window: Window
    values: CellTable
    wins: tuple[Win, ...]
    stopped: Window
    fired: tuple[FreeSpinsTrigger | BonusTrigger, ...]
    spots: CellTable = ()


class Narrator:
    """Tells rounds of one build, in its mode, as books.

    Raises BooksError for a build whose prizes are no whole hundredths of the stake, or whose held or removed cells
    the records do not tell. `padding`: boards have the symbols above and below the rows in view.
    """

    def __init__(self, build: Build, *, padding: bool = True) -> None:
        self.build = build
        self._model = build.model
        self._stake = build.model.stake_units
        check_hundredths(build)
        check_told(build.model)
        self._boards = Boards(build, padding=padding, hundredths=self.hundredths)
        self._bought = build.play.spins > 1 or build.play.start in _awarded(build.model)

    def book(self, number: int, played: Played) -> Event:
        """One round as a book, JSON-ready. Raises BooksError when its events do not add up to its win."""
        story = _Story(self, played)
        events = story.events
        payout = self.hundredths(played.win_units)
        if payout != story.total:
            raise BooksError(f"book {number}: its events do not add up to its win; do not use these books")
        events.append({"type": "finalWin", "amount": payout})
        criteria = "freegame" if story.free_spins else "basegame" if payout else "0"
        return {
            "id": number,
            "payoutMultiplier": payout,
            "events": [{"index": i, **event} for i, event in enumerate(events)],
            "criteria": "wincap" if story.capped else criteria,
            "baseGameWins": (payout - story.free) / 100,
            "freeGameWins": story.free / 100,
        }

    def hundredths(self, units: int) -> int:
        """An amount of units in hundredths of the stake. Raises BooksError when that is no whole number."""
        amount, rest = divmod(100 * units, self._stake)
        if rest:
            raise BooksError(f"a win of {units} of {self._stake} units is no whole number of hundredths of the stake")
        return amount


class _Story:
    """One round while it is told. `total`: hundredths won so far; `free`: of them by features; `free_spins`: their
    spins."""

    def __init__(self, narrator: Narrator, played: Played) -> None:
        self.narrator = narrator
        self.model = narrator._model
        self.boards = narrator._boards
        self.hundredths = narrator.hundredths
        self.capped = bool(getattr(played, "capped", False))
        self.events: list[Event] = []
        self.total = self.free = self.free_spins = 0
        self.global_multiplier = 1
        self.spots: CellTable = ()
        self.marked: tuple[Cell, ...] = ()
        self.course = Course(narrator.build, narrator._bought)
        if narrator._bought:
            self._tell_trigger(self.course.queue[0], True, "", [])
        spins = played.spins
        for place, spin in enumerate(spins):
            self._spin(spin, last=place == len(spins) - 1)
        if self.course.queue and not self.capped:
            raise BooksError(f"the round has {len(spins)} spins, but more were awarded; do not use these books")

    def _spin(self, spin: Spin, last: bool) -> None:
        """One spin: what it shows, what it wins step by step, what it starts."""
        feature = self.course.front(spin)
        feature.begin(spin)
        if not feature.paid:
            self.free_spins += 1
            event = {"type": "updateFreeSpin", "amount": feature.played - 1, "total": feature.total}
            self.events.append({**event, "state": spin.state} if len(self.model.states) > 2 else event)
        for symbol in feature.draw_specials(spin):
            assert feature.state.special is not None
            self.events.append({"type": "specialSymbol", "name": feature.state.special.name, "symbol": symbol})
        held_before = frozenset(feature.held)
        self._show(spin, feature)
        grids = list(_grids(self.model, spin, feature, held_before))
        won = self._steps(spin, feature, grids)
        won += self._closing(spin, feature, grids[-1], won)
        if self.capped and last:
            cap = self.model.win_units_cap
            assert cap is not None
            won = self.hundredths(cap) - self.total
            self.events.append({"type": "wincap", "amount": self.hundredths(cap)})
        if won:
            self.events.append({"type": "setWin", "amount": won, "winLevel": level(won, WIN_LEVELS)})
        self.total += won
        feature.won += won
        self.free += 0 if feature.paid else won
        self.events.append({"type": "setTotalWin", "amount": self.total})
        self._collect(feature, grids, held_before)
        for award in spin.awards:
            granted = self.course.grant(award, feature, grids[-1].window)
            if granted is not None and not (self.capped and last):
                cells = self._cells_of(award, spin, feature, grids, held_before)
                self._tell_trigger(*granted, award.trigger, cells, at_once=granted[0] in self.course.next)
        went_on = self.course.follow(feature, spin.awards)
        if went_on:
            self.events.append({"type": "featureGoesOn", "state": feature.state.name})
        if (self.course.end(feature, grids[-1].window, went_on) or (self.capped and last)) and not feature.paid:
            loud = level(feature.won, FEATURE_LEVELS)
            self.events.append({"type": "freeSpinEnd", "amount": feature.won, "winLevel": loud})

    # -- what a spin shows ----------------------------------------------------------------------

    def _show(self, spin: Spin, feature: Feature) -> None:
        """The grid as it stops, what transforms make of it, cells that stay, and the multiplier of its wins."""
        boards = self.boards
        reveal = boards.reveal(spin, "basegame" if feature.paid else "freegame")
        if feature.held:
            reveal["held"] = boards.places(feature.held)
        self.events.append(reveal)
        if spin.nudged:
            self.events.append({"type": "nudgeReels", "stops": list(spin.nudged)})
        if spin.marked != self.marked:
            self.marked = spin.marked
            self.events.append({"type": "markPlaces", "positions": boards.places(spin.marked)})
        if spin.stopped:
            self._transform(spin, spin.stopped, spin.window, spin.values)
        for act in spin.acts:
            event = {"type": "actOnValues", "symbol": act.symbol, "does": act.does, "value": act.value}
            self.events.append({**event, "position": boards.at(act.cell), "positions": boards.places(act.cells)})
        new = feature.stick(spin.window)
        if new:
            cells = [
                {**boards.at((reel, row)), **boards.tops(spin.window, spin.values, [(reel, row)])[reel][0]}
                for reel, row in new
            ]
            self.events.append({"type": "newStickySymbols", "newPrizes": cells})
        self._tell_multiplier(spin, feature, feature.ladder)

    def _transform(self, spin: Spin, before: Window, after: Window, values: CellTable) -> None:
        """Cells that show another symbol than they stopped with."""
        changed = [(r, i) for r, reel in enumerate(after) for i, symbol in enumerate(reel) if symbol != before[r][i]]
        board = self.boards.board(spin, after, values)
        self.events.append({"type": "transformBoard", "positions": self.boards.places(changed), "board": board})

    def _tell_multiplier(self, spin: Spin, feature: Feature, ladder: int) -> None:
        """The multiplier of feature, state, levels, spin and step together, where it changes."""
        factor = feature.multiplier * feature.state.multiplier * feature.levels_multiplier * spin.multiplier * ladder
        if factor != self.global_multiplier:
            self.global_multiplier = factor
            self.events.append({"type": "updateGlobalMult", "globalMult": factor})

    def _tell_spots(self, grid: Grid) -> None:
        """What the places of the grid hold, where it changes."""
        if grid.spots != self.spots:
            self.spots = grid.spots
            held = grid.spots or tuple((0,) * len(reel) for reel in grid.window)
            self.events.append({"type": "updateGrid", "gridMultipliers": [list(reel) for reel in held]})

    # -- what it wins ---------------------------------------------------------------------------

    def _steps(self, spin: Spin, feature: Feature, grids: list[Grid]) -> int:
        """Every grid of the spin: its wins, and how the next one comes about. Returns hundredths."""
        won = 0
        for place, grid in enumerate(grids):
            self._tell_spots(grid)
            if grid.wins:
                won += self._wins(grid.wins, feature, grid)
                if feature.state.cascade is not None:
                    self.events.append({"type": "updateTumbleWin", "amount": won})
            if grid.wins or grid.fired:
                feature.won_steps += 1
            if place + 1 < len(grids):
                if spin.steps[place].charged:
                    self._use_charge(spin, grid, grids[place + 1])
                else:
                    self._tumble(spin, feature, grid, grids[place + 1], spin.steps[place].changed)
                self._tell_multiplier(spin, feature, feature.ladder)
        return won

    def _wins(self, wins: tuple[Win, ...], feature: Feature, grid: Grid) -> int:
        told = [self._win(win, feature, grid) for win in wins]
        total: int = sum(win["win"] for win in told)
        self.events.append({"type": "winInfo", "totalWin": total, "wins": told})
        return total

    def _win(self, win: Win, feature: Feature, grid: Grid) -> Event:
        cells = win_cells(self.model, feature.state, win, grid.window, grid.stopped)
        multiplier = win.wild_multiplier * win.multiplier
        meta: Event = {} if win.line is None else {"lineIndex": win.line}
        meta |= {
            "multiplier": multiplier,
            "winWithoutMult": self.hundredths(win.amount_units // multiplier),
            "globalMult": win.multiplier,
        }
        rule = self.model.evaluators.get(win.evaluator)
        if win.line is not None:
            meta["lineMultiplier"] = win.wild_multiplier
        elif win.ways:
            meta["ways"] = win.ways
        else:
            meta |= {"clusterMult": win.wild_multiplier} if isinstance(rule, Cluster | Count | Match) else {}
            meta["overlay"] = self.boards.at(_middle(cells))
        return {
            "symbol": win.symbol,
            "kind": win.count,
            "win": self.hundredths(win.amount_units),
            "positions": [self.boards.at(cell) for cell in cells],
            "meta": meta,
        }

    def _tumble(self, spin: Spin, feature: Feature, grid: Grid, after: Grid, changed: tuple[CellChange, ...]) -> None:
        """Winning cells go or change, those above fall past held ones, new ones come from above."""
        cascade = feature.state.cascade
        assert cascade is not None
        window = changed_window(grid.window, changed)
        if window != grid.window:
            left = {c.cell for c in changed if grid.window[c.cell[0]][c.cell[1]] not in cascade.become}
            values = tuple(
                tuple(0 if (r, i) in left else v for i, v in enumerate(reel)) for r, reel in enumerate(grid.values)
            )
            self._transform(spin, grid.window, window, values)
        staying = {change.cell for change in changed}
        removed = [cell for cell in removed_cells(self.model, feature, grid) if cell not in staying]
        fallen, new = _fall(self.model, window, removed, feature.held.keys(), after.window)
        event = {"type": "tumbleBoard", "explodingSymbols": self.boards.places(removed)}
        self.events.append({**event, "newSymbols": self.boards.tops(after.window, after.values, new)})
        if fallen != after.window:
            self._transform(spin, fallen, after.window, after.values)

    def _use_charge(self, spin: Spin, grid: Grid, after: Grid) -> None:
        """A charge of the cascade changes the grid."""
        self.events.append({"type": "useCharge"})
        self._transform(spin, grid.window, after.window, after.values)

    def _closing(self, spin: Spin, feature: Feature, grid: Grid, won: int) -> int:
        """Multipliers in view, then bonuses, then what pays at the end of the feature. Returns hundredths."""
        final = feature.state.final
        at_end = []
        more = 0
        missing = sum(self.hundredths(win.amount_units) for win in spin.closing if win.evaluator == WIN_MIN)
        for win in spin.closing:
            if win.evaluator == WIN_MIN:
                continue
            if final is None or win.evaluator != final.name:
                at_end.append(win)
                continue
            more += self.hundredths(win.amount_units)
            places = [
                {**self.boards.at((r, i)), "multiplier": grid.values[r][i], "name": symbol}
                for symbol in sorted(final.symbols)
                for r, i in cells_with(grid.window, symbol)
                if grid.values and grid.values[r][i]
            ]
            shown = {"tumbleWin": won, "boardMult": win.multiplier, "totalWin": won + more}
            self.events.append({"type": "boardMultiplierInfo", "multInfo": {"positions": places}, "winInfo": shown})
        for award in spin.awards:
            if isinstance(award, PickBonus | BonusPlay | JackpotWin):
                more += self._bonus(award, feature)
        if at_end:
            self._tell_multiplier(spin, feature, ladder=1)  # no step wins these
            more += self._wins(tuple(at_end), feature, grid)
        if missing:
            self.events.append({"type": "minimumWin", "amount": missing})
        return more + missing

    def _bonus(self, award: PickBonus | BonusPlay | JackpotWin, feature: Feature) -> int:
        """A bonus with what it drew. Returns hundredths."""
        if isinstance(award, JackpotWin):
            self.events.append({"type": "jackpotWin", "name": award.trigger, "jackpot": award.jackpot})
            return 0
        amount = self.hundredths(award.amount_units)
        if isinstance(award, PickBonus):
            event: Event = {"type": "pickBonus", "name": award.trigger, "line": award.line}
            if any(t.name == award.trigger and self.model.multiplies_win(t) for t in feature.state.triggers):
                event["multipliers"] = [list(place) for place in award.prizes]
            else:
                event["prizes"] = [[self.hundredths(units) for units in place] for place in award.prizes]
            self.events.append({**event, "amount": amount})
            return amount
        bonus = self.model.bonuses[award.bonus]
        event = {"name": award.trigger, "bonus": award.bonus, "line": award.line}
        if isinstance(bonus, Take):
            unit = self.model.basis_units(bonus.of) * feature.state.multiplier_for(award.trigger) * feature.multiplier
            event = {"type": "takeBonus", **event, "taken": list(award.drawn)}
            if bonus.of == "win":
                event["multipliers"] = [bonus.prizes[place] for place in award.drawn]
            else:
                event["prizes"] = [self.hundredths(bonus.prizes[place] * unit) for place in award.drawn]
        elif isinstance(bonus, Wheel):
            event = {"type": "wheelBonus", **event, "segment": award.drawn[0]}
            if award.state:
                event |= {"spins": award.spins, "state": award.state}
        elif isinstance(bonus, Choice):
            event = {"type": "choiceBonus", **event, "option": bonus.option.name}
            if award.state:
                event |= {"spins": award.spins, "state": award.state}
        else:
            event = {"type": "trailBonus", **event, "squares": list(award.drawn)}
        self.events.append({**event, "amount": amount})
        return amount

    # -- what it starts -------------------------------------------------------------------------

    def _collect(self, feature: Feature, grids: list[Grid], held: frozenset[Cell]) -> None:
        """What is counted over the feature, with the level reached. `held`: cells that were held before the spin."""
        for trigger in feature.state.triggers:
            if isinstance(trigger, CollectedTrigger):
                cells = self._collected_cells(trigger, grids[-1].window, held)
                before = feature.collected.get(trigger.name, 0)
                feature.collect(trigger, self._collected_now(trigger, grids, cells))
                if cells or feature.collected[trigger.name] != before:
                    self.events.append(
                        {
                            "type": "updateCollected",
                            "name": trigger.name,
                            "symbol": trigger.symbol,
                            "positions": self.boards.places(cells),
                            "collected": feature.collected[trigger.name],
                            "level": feature.level(trigger),
                        }
                    )

    def _collected_cells(self, trigger: CollectedTrigger, window: Window, held: frozenset[Cell]) -> list[Cell]:
        cells = cells_counting(self.model, window, trigger.symbol)
        return [cell for cell in cells if not (trigger.fresh and cell in held)]

    def _collected_now(self, trigger: CollectedTrigger, grids: list[Grid], cells: list[Cell]) -> int:
        """What the spin adds to a count, of these cells where cells are counted."""
        grid = grids[-1]
        won = any(grid.wins for grid in grids)
        if trigger.counts == "symbols":
            more = count_of(self.model, grid.window, cells)
        elif trigger.counts == "values":
            more = sum(grid.values[reel][row] for reel, row in cells) if grid.values else 0
        else:
            return int(trigger.counts == "spins" or won == (trigger.counts == "wins"))
        if trigger.collector is None:
            return more
        return more * count_of(self.model, grid.window, cells_counting(self.model, grid.window, trigger.collector))

    def _tell_trigger(
        self, target: Feature, begins: bool, trigger: str, cells: list[Cell], *, at_once: bool = False
    ) -> None:
        event: Event = {"type": "freeSpinTrigger" if begins else "freeSpinRetrigger", "totalFs": target.total}
        event["positions"] = self.boards.places(cells)
        if len(self.model.states) > 2:
            event |= {"name": trigger, "state": target.state.name}
        if target.multiplier != 1:
            event["multiplier"] = target.multiplier
        if at_once:
            event["atOnce"] = True
        self.events.append(event)

    def _cells_of(
        self, award: Award, spin: Spin, feature: Feature, grids: list[Grid], held: frozenset[Cell]
    ) -> list[Cell]:
        """The cells that awarded spins, on the grid where they did."""
        if not isinstance(award, FreeSpinsAward):
            return []
        trigger = next(t for t in feature.state.triggers if t.name == award.trigger)
        if isinstance(trigger, WinTrigger):
            return sorted(
                {
                    cell
                    for grid in grids
                    for win in grid.wins
                    if (win.evaluator, win.symbol, win.count) == (trigger.evaluator, award.symbol, award.count)
                    for cell in win_cells(self.model, feature.state, win, grid.window, grid.stopped)
                }
            )
        grid = next((grid for grid in grids if trigger in grid.fired), grids[-1])
        if isinstance(trigger, FreeSpinsTrigger):
            return _counted(self.model, trigger, grid, held)
        if isinstance(trigger, FullReelsTrigger):
            return full_cells(self.model, grid.window, trigger, award.symbol)
        if isinstance(trigger, CollectedTrigger):
            return cells_counting(self.model, grid.window, trigger.symbol)
        return []


# --- Grids of a spin -----------------------------------------------------------------------------------


def _grids(model: Model, spin: Spin, feature: Feature, held: frozenset[Cell]) -> Iterator[Grid]:
    """The grid as it pays first and those of the further steps, with the triggers that fired on each.

    `held`: cells that were held before the spin.
    """
    cascade = feature.state.cascade
    removing = [t for t in feature.state.triggers if cascade is not None and t.name in cascade.remove]
    first = spin.window, spin.values, spin.wins, spin.stopped, spin.spots
    further = ((s.window, s.values, s.wins, (), s.spots) for s in spin.steps)
    for window, values, wins, stopped, spots in [first, *further]:
        grid = Grid(window, values, wins, stopped, ())
        fired = []
        for trigger in removing:
            assert isinstance(trigger, FreeSpinsTrigger | BonusTrigger)  # the model file was refused otherwise
            count = count_of(model, trigger_grid(trigger, grid), _counted(model, trigger, grid, held))
            if trigger.award(count) if isinstance(trigger, FreeSpinsTrigger) else trigger.times(count):
                fired.append(trigger)
        yield Grid(window, values, wins, stopped, tuple(fired), spots)


def _counted(model: Model, trigger: FreeSpinsTrigger | BonusTrigger, grid: Grid, held: frozenset[Cell]) -> list[Cell]:
    """The cells that a trigger counts."""
    fresh = isinstance(trigger, FreeSpinsTrigger) and trigger.fresh
    return [cell for cell in trigger_cells(model, trigger, grid) if not (fresh and cell in held)]


def trigger_grid(trigger: FreeSpinsTrigger | BonusTrigger, grid: Grid) -> Window:
    """Where a trigger looks."""
    return (grid.stopped or grid.window) if trigger.stopped else grid.window


def trigger_cells(model: Model, trigger: FreeSpinsTrigger | BonusTrigger, grid: Grid) -> list[Cell]:
    """The cells that count as the symbol of a trigger."""
    cells = cells_counting(model, trigger_grid(trigger, grid), trigger.symbol)
    return [cell for cell in cells if trigger.reels is None or cell[0] in trigger.reels]


def count_of(model: Model, window: Window, cells: list[Cell]) -> int:
    """How many symbols cells count as."""
    return sum(model.read(window[reel][row])[1] for reel, row in cells)


def removed_cells(model: Model, feature: Feature, grid: Grid) -> list[Cell]:
    """The cells that a cascade removes from a grid, in order."""
    cascade = feature.state.cascade
    assert cascade is not None
    cells = {cell for trigger in grid.fired for cell in trigger_cells(model, trigger, grid)}
    for win in grid.wins:
        if win.evaluator in cascade.remove:
            cells |= set(win_cells(model, feature.state, win, grid.window, grid.stopped))
    return sorted(c for c in cells if c not in feature.held and grid.window[c[0]][c[1]] not in cascade.staying)


def changed_window(window: Window, changed: tuple[CellChange, ...]) -> Window:
    """A grid whose cells have changed instead of being removed."""
    shown = {change.cell: change.symbol for change in changed}
    return tuple(tuple(shown.get((r, i), symbol) for i, symbol in enumerate(reel)) for r, reel in enumerate(window))


def _fall(
    model: Model, window: Window, removed: list[Cell], held: Collection[Cell], after: Window
) -> tuple[Window, list[Cell]]:
    """The grid once cells have fallen, and those of the top reel have moved to the left, with the symbols of the next one
    where cells are new, and these cells."""
    fallen, new = [list(column) for column in window], []
    tracks = [[(reel, row) for row in range(reel in model.top, len(column))] for reel, column in enumerate(window)]
    for track in [*tracks, [(reel, 0) for reel in reversed(model.top)]]:
        places = [cell for cell in track if cell not in held]
        staying = [window[reel][row] for reel, row in places if (reel, row) not in removed]
        empty = places[: len(places) - len(staying)]
        new += empty
        shown = [after[reel][row] for reel, row in empty] + staying
        for (reel, row), symbol in zip(places, shown, strict=True):
            fallen[reel][row] = symbol
    return tuple(map(tuple, fallen)), new


def _middle(cells: list[Cell]) -> Cell:
    """The cell nearest to the middle of a win, where its amount is shown."""
    reel, row = (sum(cell[axis] for cell in cells) / len(cells) for axis in (0, 1))
    return min(cells, key=lambda cell: ((cell[0] - reel) ** 2 + (cell[1] - row) ** 2, cell))


def _awarded(model: Model) -> set[str]:
    """States whose spins something awards; a mode that begins with one of them is a bought feature."""
    found = {getattr(trigger, "state", START_STATE) for s in model.states.values() for trigger in s.triggers}
    for bonus in model.bonuses.values():
        if isinstance(bonus, Wheel):
            found |= {segment.state or START_STATE for segment in bonus.segments}
    return found - {START_STATE}
