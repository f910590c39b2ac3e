"""Draws rounds for people: the grid with its winning cells, each win in words."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rgs_core.books.features import goes_on, plays_at_once
from rgs_core.books.win_cells import Cell, cells_counting, win_cells
from rgs_core.language.mechanics import WIN_MIN, Choice
from rgs_core.language.model import BASE_MODE, Build
from rgs_core.outcome import (
    Award,
    BonusPlay,
    CellTable,
    FreeSpinsAward,
    JackpotWin,
    PickBonus,
    Played,
    Spin,
    ValueAct,
    Win,
    Window,
)
from rgs_core.sheet.sections import Section


def draw_round(console: Console, build: Build, outcome: Played) -> None:
    """Every spin of a round; free spins that win nothing are counted, not drawn."""
    silent = 0
    for spin in outcome.spins:
        if spin.sub_spin and not spin.all_wins and not spin.awards:
            silent += 1
            continue
        draw_spin(console, build, spin)
    if silent:
        spins = "spin" if silent == 1 else "spins"
        console.print(Text(f"{silent} more {spins} won nothing.", style="dim"))
    if getattr(outcome, "capped", False):
        console.print("The maximum win ended the round.")
    for step in outcome.gamble:
        drawn = f"x{step.drawn}" if build.model.gamble and not build.model.gamble.rungs else f"{step.drawn:+d} rungs"
        console.print(f"  gamble, {step.bet}: {drawn} = {units(step.win_units)}")
    stakes = outcome.win_units / build.play.cost_units
    what = "stake" if build.mode == BASE_MODE else f"cost of '{build.mode}'"
    console.print(f"[bold]Round wins {units(outcome.win_units)} = {stakes:,.2f} x {what}[/bold]")


def units(n: int) -> str:
    """An amount in words: "1 unit", "1,250 units"."""
    return f"{n:,} unit" if n == 1 else f"{n:,} units"


def draw_spin(console: Console, build: Build, spin: Spin) -> None:
    """The grids of a spin, its stops, wins and awards."""
    state = build.model.states[spin.state]
    play = build.play
    title = "Paid spin" if spin.sub_spin == 0 else f"Free spin {spin.sub_spin}"
    if spin.sub_spin < play.spins > 1:
        title = f"Spin {spin.sub_spin + 1} of {play.spins} paid for"
    notes = (
        [" inside ".join([f"state {spin.state}", *spin.inside])] if len(build.model.states) > 2 or spin.inside else []
    )
    notes += [f"strips {spin.strips}"] if spin.strips else []
    notes += [f"special symbol {spin.special}"] if spin.special and len(spin.specials) < 2 else []
    notes += [f"special symbols {', '.join(spin.specials)}"] if len(spin.specials) > 1 else []
    notes += [f"reels {spin.linked} linked"] if spin.linked else []
    notes += [f"modifier {spin.modifier}"] if spin.modifier else []
    if state.multiplier * spin.multiplier != 1:
        notes.append(f"wins x{state.multiplier * spin.multiplier}")
    notes += [f"feature x{spin.feature_multiplier}"] if spin.feature_multiplier != 1 else []
    if notes:
        title += f"  ({', '.join(notes)})"
    if spin.stopped:
        draw_grid(console, f"{title}, as the reels stopped", spin.stopped, (), set())
        title = "turns into"
    shown = [spin.window, *(step.window for step in spin.steps)]
    # Triggers and what pays at the end look at the last grid.
    last = winning_cells(build, spin, shown[-1], spin.closing) | award_cells(build, spin, shown[-1])
    lit = winning_cells(build, spin, spin.window, spin.wins) | (set() if spin.steps else last)
    draw_grid(console, title, spin.window, spin.values, lit, spin.spots)
    for act in spin.acts:
        draw_act(console, act)
    if not state.cells:
        nudged = f", nudged to {' '.join(map(str, spin.nudged))}" if spin.nudged else ""
        console.print(Text(f"stops {' '.join(map(str, spin.stops))}{nudged}", style="dim"))
    if spin.marked:
        places = "; ".join(f"reel {reel + 1}, row {row}" for reel, row in spin.marked)
        console.print(f"  marked: {places}", highlight=False)
    draw_wins(console, spin.wins)
    for number, step in enumerate(spin.steps, start=2):
        lit = winning_cells(build, spin, step.window, step.wins) | (last if number == len(shown) else set())
        by = ", by a charge" if step.charged else ""
        for change in step.changed:
            console.print(f"  reel {change.cell[0] + 1}, row {change.cell[1]} turns into {change.symbol}")
        draw_grid(console, f"step {number} of the cascade{by}", step.window, step.values, lit, step.spots)
        draw_wins(console, step.wins)
    final = state.final.name if state.final else ""
    draw_wins(console, spin.closing, final, state.callback.function if state.callback else "")
    for award in spin.awards:
        draw_award(console, build, spin, award)


def draw_grid(
    console: Console, title: str, window: Window, values: CellTable, lit: set[Cell], spots: CellTable = ()
) -> None:
    """One grid; winning cells carry a mark besides their colour: colours do not survive a pipe. What the place of a cell
    holds stands behind it, as x1 where it is only marked."""
    table = Table(box=box.ROUNDED, show_header=False, title=title, title_justify="left", padding=(0, 1))
    width = max(len(symbol) for reel in window for symbol in reel) + 2
    for _ in window:
        table.add_column(justify="center", min_width=width)
    for row in range(max(len(reel) for reel in window)):
        cells = []
        for r, reel in enumerate(window):
            if row >= len(reel):
                cells.append(Text(""))
                continue
            value = values[r][row] if values else 0
            shown = f"{reel[row]} {value}" if value else reel[row]
            shown += f" x{spots[r][row]}" if spots and spots[r][row] else ""
            won = (r, row) in lit
            cells.append(Text(f"*{shown}*" if won else shown, style="bold green" if won else "dim"))
        table.add_row(*cells)
    console.print(table)


def draw_act(console: Console, act: ValueAct) -> None:
    """What a cell did to the values of others."""
    cells = f"{len(act.cells)} cell{'s' * (len(act.cells) != 1)}"
    did = {
        "add_to_all": f"adds {act.value} to {cells}",
        "collect_all": f"collects {act.value} of {cells}",
    }.get(act.does, f"multiplies {cells} by {act.value}")
    console.print(f"  {act.symbol} on reel {act.cell[0] + 1}, row {act.cell[1]}: {did}")


def draw_wins(console: Console, wins: tuple[Win, ...], final: str = "", callback: str = "") -> None:
    """Every win in words; `final` names the multiplier of the whole spin, `callback` the function of the state."""
    for win in wins:
        if win.evaluator == callback:
            console.print(f"  {win.evaluator} (callback): {escape(win.symbol)} = {units(win.amount_units)}")
            continue
        if win.evaluator == WIN_MIN:
            console.print(f"  the least that the feature wins: {units(win.amount_units)} more")
            continue
        if win.evaluator == final:
            console.print(f"  {win.evaluator}: all of it x{win.multiplier}, {units(win.amount_units)} more")
            continue
        where = f"line {win.line}" if win.line else win.evaluator
        ways = f" in {win.ways} way{'s' * (win.ways > 1)}" if win.ways else ""
        factors = "".join(f" x{f}" for f in (win.wild_multiplier, win.multiplier) if f != 1)
        console.print(f"  {where}: {win.count} x {win.symbol}{ways}{factors} = {units(win.amount_units)}")


def draw_award(console: Console, build: Build, spin: Spin, award: Award) -> None:
    """What a trigger started."""
    triggers = build.model.states[spin.state].triggers
    if isinstance(award, FreeSpinsAward):
        spins = "free spin" if award.spins == 1 else "free spins"
        if any(t.name == award.trigger and getattr(t, "reset", False) for t in triggers):
            spins = "spins left again" if award.spins > 1 else "spin left again"
        further = award.state != spin.state and goes_on(build.model, build.model.states[spin.state], award)
        become = f", goes on as {award.state}" if further else ""
        spins += f" at x{award.multiplier}" if award.multiplier else ""
        spins += at_once(build, spin, award)
        what = f"{award.count} x {award.symbol} = " if award.symbol else ""  # a callback counts nothing
        console.print(f"  {award.trigger}: {what}{award.spins} {spins}{become}")
    elif isinstance(award, PickBonus):
        multiplies = any(t.name == award.trigger and build.model.multiplies_win(t) for t in triggers)
        draw_pick(console, award, multiplies)
    elif isinstance(award, JackpotWin):
        console.print(f"  {award.trigger}: jackpot {award.jackpot}")
    else:
        bonus = build.model.bonuses[award.bonus]
        chose = bonus.option.name if isinstance(bonus, Choice) else ""
        what = f"chose {chose}" if chose else f"drew {', '.join(map(str, award.drawn))}"
        spins = f" and {award.spins} spins of {award.state}" if award.state else ""
        spins += f" at x{award.multiplier}" if award.multiplier else ""
        spins += at_once(build, spin, award)
        more = " more" if bonus.of == "win" else ""
        console.print(f"  {award.trigger}, {award.bonus}: {what} = {units(award.amount_units)}{more}{spins}")


def at_once(build: Build, spin: Spin, award: FreeSpinsAward | BonusPlay) -> str:
    """Says of spins that they come before the others."""
    if not award.spins or not plays_at_once(build.model, build.model.states[spin.state], award):
        return ""
    return f", {award.state} at once" if isinstance(award, FreeSpinsAward) else ", at once"


def draw_pick(console: Console, award: PickBonus, multiplies: bool = False) -> None:
    """A pick bonus: the prizes of each place opened, or multipliers of the win."""
    places = " | ".join(" + ".join(map(str, prizes)) for prizes in award.prizes)
    where = f" on line {award.line}" if award.line else ""
    more = " more" if multiplies else ""
    console.print(f"  {award.trigger}{where}: {places} = {units(award.amount_units)}{more}")


def winning_cells(build: Build, spin: Spin, window: Window, wins: tuple[Win, ...]) -> set[Cell]:
    """Every cell that is part of a win of a grid."""
    state = build.model.states[spin.state]
    stopped = spin.stopped if window == spin.window else ()
    return {cell for win in wins for cell in win_cells(build.model, state, win, window, stopped)}


def award_cells(build: Build, spin: Spin, window: Window) -> set[Cell]:
    """Every cell that is part of an award by count."""
    symbols = {award.symbol for award in spin.awards if isinstance(award, FreeSpinsAward)}
    return {cell for symbol in symbols for cell in cells_counting(build.model, window, symbol)}


def draw_callback_note(console: Console, build: Build) -> None:
    """Marks a build with callbacks."""
    if build.model.callbacks:
        console.print(build.model.callback_note, highlight=False, markup=False, soft_wrap=True)


def draw_section(console: Console, section: Section) -> None:
    """A section of a sheet as a table; the first row of a section of figures is its headline."""
    console.print(f"[italic]{escape(section.title)}[/italic]", highlight=False)  # a table would break it to its width
    table = Table()
    for index, name in enumerate(section.columns):
        number = any(isinstance(row[index].value, (int, float)) for row in section.rows)
        table.add_column(escape(name), justify="right" if number else "left")
    for index, row in enumerate(section.rows):
        headline = index == 0 and row[0].value == "RTP"
        table.add_row(*(escape(str(cell)) for cell in row), style="bold" if headline else None)
    console.print(table)
    if section.remark:
        console.print(f"[dim]{escape(section.remark)}[/dim]", highlight=False)
