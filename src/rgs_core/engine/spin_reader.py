"""Puts the record of a spin together from the events of the engine's log (ext/rgs_core/log.h)."""

from __future__ import annotations

from rgs_core import outcome as records
from rgs_core.engine.tables import ANY_SYMBOL, StateTable, Tables, entries
from rgs_core.language.mechanics import (
    NOTHING_LINKED,
    WIN_MIN,
    Bonus,
    Choice,
    Cluster,
    Combinations,
    Match,
    given,
    run_name,
    settled,
)

WIN_SPECIAL, WIN_FINAL, WIN_MINIMUM = 250, 251, 252
"""Evaluators of wins that no evaluator pays, as in log.h."""

Cells = list[tuple[list[str], list[int]]]
"""Symbols and values of each reel, from the top."""


class SpinReader:
    """Takes the events of one spin in order; `record` makes the record of them."""

    def __init__(self, tables: Tables, table: StateTable) -> None:
        self.tables = tables
        self.model = tables.build.model
        self.state = table.state
        self.heights = [int(t.values[0]) for t in table.heights]
        self.stops: list[int] = []
        self.nudged: list[int] = []
        self.set_index = 0
        self.factor = 1
        self.sub_spin = 0
        self.specials: list[str] = []
        self.run = NOTHING_LINKED
        self.inside: list[str] = []
        self.modifier = ""
        self.feature_multiplier = 1
        self.grids: dict[int, Cells] = {}
        self.steps: list[tuple[Cells, list[records.Win], bool, list[records.CellChange]]] = []
        self.changed: list[records.CellChange] = []
        self.first_wins: list[records.Win] = []
        self.closing: list[records.Win] = []
        self.wins = self.first_wins
        self.awards: list[records.FreeSpinsAward | records.JackpotWin | _Pick | _Bonus] = []
        self.cells: Cells = []
        self.spots: dict[int, records.CellTable] = {}
        self.acts: list[records.ValueAct] = []
        self.marked: tuple[tuple[int, int], ...] = ()

    def begin(self, sub_spin: int, special: int, multiplier: int) -> None:
        """The spin's number, its special symbol's number plus 1, the multiplier of its feature."""
        self.sub_spin = sub_spin
        self.feature_multiplier = multiplier
        if special:
            self.add_special(special - 1)

    def add_special(self, symbol: int) -> None:
        """A special symbol of the feature, beside those before."""
        self.specials.append(self.model.symbols[symbol])

    def modify(self, number: int) -> None:
        """The modifier that was drawn."""
        assert self.state.modifiers is not None
        self.modifier = self.state.modifiers.names[number]

    def interrupt(self, state: int) -> None:
        """The next feature that waits for the end of this one."""
        self.inside.append(self.tables.states[state].state.name)

    def nudge(self, reel: int, stop: int) -> None:
        """Where a reel stands after nudges; those of which nothing is told have not moved."""
        self.nudged = self.nudged or list(self.stops)
        self.nudged[reel] = stop

    def grid(self, which: int) -> None:
        """A grid follows, cell by cell: 0 as stopped, 1 as it pays first, 2 of a further step, 3 of one by a charge."""
        self.cells = [([], []) for _ in range(self.model.reels)]
        if which >= 2:
            self.wins = []
            self.steps.append((self.cells, self.wins, which == 3, self.changed))
            self.changed = []
        else:
            self.grids[which] = self.cells

    def cell(self, reel: int, symbol: int, value: int) -> None:
        """The next cell of a reel."""
        symbols, values = self.cells[reel]
        symbols.append(self.model.symbols[symbol])
        values.append(value)

    def mark(self, cells: int) -> None:
        """Places that are marked so far."""
        self.marked = tuple(divmod(cell, self.model.rows) for cell in range(64) if cells >> cell & 1)

    def change(self, cell: int, symbol: int) -> None:
        """A cell of the grid at hand shows another symbol instead of going."""
        self.changed.append(records.CellChange(divmod(cell, self.model.rows), self.model.symbols[symbol]))

    def spot(self, reel: int, row: int, mark: int) -> None:
        """What a place holds, of the grid at hand."""
        step = len(self.steps)
        shown = self.spots.get(step) or tuple((0,) * len(symbols) for symbols, _ in self.cells)
        column = (*shown[reel][:row], mark, *shown[reel][row + 1 :])
        self.spots[step] = (*shown[:reel], column, *shown[reel + 1 :])

    def act(self, transform: int, cell: int, symbol: int, amount: int, cells: int) -> None:
        """A cell acts on the values of others."""
        rule = self.state.transforms[transform]
        rows = self.model.rows
        others = tuple(divmod(other, rows) for other in range(64) if cells >> other & 1)
        shown = self.model.symbols[symbol]
        self.acts.append(records.ValueAct(shown, getattr(rule, "does", ""), divmod(cell, rows), amount, others))

    def win(
        self,
        evaluator: int,
        line: int,
        entry: int,
        count: int,
        start: int,
        multiplier: int,
        factor: int,
        amount: int,
        cells: int,
    ) -> None:
        """A win, in the list of the step at hand."""
        state = self.state
        ways = 0
        places: tuple[tuple[int, int], ...] = ()
        if evaluator == WIN_MINIMUM:
            self.wins.append(records.Win(WIN_MIN, None, "", 0, 1, 1, amount))
            return
        if evaluator == WIN_FINAL:
            assert state.final is not None
            self.wins.append(records.Win(state.final.name, None, min(state.final.symbols), count, 1, factor, amount))
            return
        if evaluator == WIN_SPECIAL:
            assert state.special is not None
            name, symbol = state.special.name, entries(self.model)[entry]
        else:
            name = state.evaluators[evaluator]
            rule = self.model.evaluators[name]
            if isinstance(rule, Combinations):
                symbol = next(s for s in rule.combinations[entry].symbols if s is not None)
            else:
                symbol = entries(self.model)[entry]
            if isinstance(rule, Cluster | Match):
                places = tuple(divmod(cell, self.model.rows) for cell in range(64) if cells >> cell & 1)
            else:
                ways = cells
        applied = 1 if state.exempt(name, symbol, count) else state.multiplier * factor
        applied *= self.feature_multiplier
        self.wins.append(
            records.Win(name, line or None, symbol, count, multiplier, applied, amount, start, ways, places)
        )

    def free_spins(self, trigger: int, count: int, spins: int, entry: int, multiplier: int, state: int) -> None:
        """Spins of a state awarded by a trigger, and the multiplier that it gives them, 0 for none of its own."""
        rule = self.state.triggers[trigger]
        symbol = "" if entry == ANY_SYMBOL else entries(self.model)[entry]
        self.awards.append(
            records.FreeSpinsAward(rule.name, symbol, count, spins, self.tables.states[state].state.name, multiplier)
        )

    def pick(self, trigger: int, line: int, amount: int) -> None:
        """A pick bonus; its prizes follow."""
        self.awards.append(_Pick(self.state.triggers[trigger].name, line, amount))

    def picked(self, place: int, amount: int) -> None:
        """The next prize of the pick bonus at hand."""
        pick = self.awards[-1]
        assert isinstance(pick, _Pick)
        if place == len(pick.places):
            pick.places.append([])
        pick.places[-1].append(amount)

    def bonus(self, trigger: int, line: int, bonus: int, amount: int, spins: int, state: int, multiplier: int) -> None:
        """Another bonus; what it drew follows. `multiplier`: of the spins, 0 for none of their own."""
        multiplier = multiplier if spins else 0
        name, played = self.state.triggers[trigger].name, list(self.model.bonuses)[bonus]
        target = self.tables.states[state].state.name if state else ""  # no bonus awards the first state
        self.awards.append(_Bonus(name, line, played, amount, spins, target, self.model.bonuses[played], multiplier))

    def drawn(self, number: int) -> None:
        """The next number that the bonus at hand drew."""
        bonus = self.awards[-1]
        assert isinstance(bonus, _Bonus)
        bonus.numbers.append(number)

    def jackpot(self, trigger: int, bonus: int, segment: int) -> None:
        """A jackpot was won, by the trigger itself or by a segment of a bonus, whose number plus 1 is given."""
        rule = self.state.triggers[trigger]
        won = getattr(rule, "jackpot", "")
        if bonus:
            played = settled(list(self.model.bonuses.values())[bonus - 1])
            won = given(played)[segment].jackpot or ""
        self.awards.append(records.JackpotWin(rule.name, won))

    def record(self) -> records.Spin:
        """The record, once all events are read."""
        name, rule = self.state.strip_sets[self.set_index], self.state.special
        if 1 in self.grids:
            window, values = _window(self.grids[1]), _values(self.grids[1])
            stopped = _window(self.grids[0])
        else:
            strips = self.tables.build.strips(self.state, name)
            window = tuple(s.window(p, h) for s, p, h in zip(strips, self.stops, self.heights, strict=True))
            values, stopped = (), window
        return records.Spin(
            state=self.state.name,
            sub_spin=self.sub_spin,
            stops=tuple(self.stops),
            window=window,
            wins=tuple(self.first_wins),
            awards=tuple(a.record() if isinstance(a, _Pick | _Bonus) else a for a in self.awards),
            values=values,
            stopped=stopped if stopped != window else (),
            steps=tuple(
                records.Step(_window(c), tuple(w), _values(c), self.spots.get(i, ()), charged, tuple(changed))
                for i, (c, w, charged, changed) in enumerate(self.steps, start=1)
            ),
            closing=tuple(self.closing),
            strips=name if len(self.state.strip_sets) > 1 else "",
            special=self.specials[0] if self.specials else "",
            multiplier=self.factor,
            nudged=tuple(self.nudged),
            spots=self.spots.get(0, ()),
            acts=tuple(self.acts),
            linked=run_name(self.run) if self.run != NOTHING_LINKED else "",
            feature_multiplier=self.feature_multiplier,
            marked=self.marked,
            inside=tuple(self.inside),
            modifier=self.modifier,
            specials=tuple(self.specials) if rule is not None and rule.count_most > 1 else (),
        )


class _Pick:
    """A pick bonus while its prizes are read."""

    def __init__(self, trigger: str, line: int, amount: int) -> None:
        self.trigger, self.line, self.amount = trigger, line, amount
        self.places: list[list[int]] = []

    def record(self) -> records.PickBonus:
        return records.PickBonus(self.trigger, self.line, tuple(map(tuple, self.places)), self.amount)


class _Bonus:
    """Another bonus while its draws are read."""

    def __init__(
        self, trigger: str, line: int, name: str, amount: int, spins: int, state: str, rule: Bonus, multiplier: int
    ) -> None:
        self.trigger, self.line, self.name, self.amount = trigger, line, name, amount
        self.spins, self.state, self.rule, self.multiplier = spins, state, rule, multiplier
        self.numbers: list[int] = []

    def record(self) -> records.BonusPlay:
        # the engine knows a choice as a wheel of the chosen option alone
        numbers = (self.rule.chosen,) if isinstance(self.rule, Choice) else tuple(self.numbers)
        return records.BonusPlay(
            self.trigger, self.line, self.name, numbers, self.amount, self.spins, self.state, self.multiplier
        )


def _window(cells: Cells) -> records.Window:
    return tuple(tuple(symbols) for symbols, _ in cells)


def _values(cells: Cells) -> records.CellTable:
    if not any(any(values) for _, values in cells):
        return ()
    return tuple(tuple(values) for _, values in cells)
