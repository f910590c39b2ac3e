"""Draws rounds for people: the grid with its winning cells, each win in words."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rgs_core.mechanics import Cluster, Combinations, Count, Lines, Ways
from rgs_core.model import BASE_MODE, Build, Model
from rgs_core.outcome import Award, CellTable, FreeSpinsAward, JackpotWin, PickBonus, Played, Spin, Win, Window
from rgs_core.sheet import Section

Cell = tuple[int, int]
"""(reel, row) from 0."""


def draw_round(console: Console, build: Build, outcome: Played) -> None:
    """Every spin of a round; free spins that win nothing are counted, not drawn."""
    silent = 0
    for spin in outcome.spins:
        if spin.sub_spin and not spin.all_wins and not spin.awards:
            silent += 1
            continue
        draw_spin(console, build, spin)
    if silent:
        console.print(Text(f"{silent} further free spins won nothing.", style="dim"))
    if getattr(outcome, "capped", False):
        console.print("The maximum win ended the round.")
    stakes = outcome.win_units / build.play.cost_units
    what = "stake" if build.mode == BASE_MODE else f"cost of '{build.mode}'"
    console.print(f"[bold]Round wins {outcome.win_units} units = {stakes:.2f} x {what}[/bold]")


def draw_spin(console: Console, build: Build, spin: Spin) -> None:
    """The grids of a spin, its stops, wins and awards."""
    state = build.model.states[spin.state]
    play = build.play
    title = "Paid spin" if spin.sub_spin == 0 else f"Free spin {spin.sub_spin}"
    if spin.sub_spin and spin.sub_spin < play.spins:
        title = f"Spin {spin.sub_spin + 1} of {play.spins} paid for"
    notes = [f"state {spin.state}"] if len(build.model.states) > 2 else []
    notes += [f"strips {spin.strips}"] if spin.strips else []
    notes += [f"special symbol {spin.special}"] if spin.special else []
    if state.multiplier * spin.multiplier != 1:
        notes.append(f"wins x{state.multiplier * spin.multiplier}")
    if notes:
        title += f"  ({', '.join(notes)})"
    if spin.stopped:
        draw_grid(console, f"{title}, as the reels stopped", spin.stopped, (), set())
        title = "turns into"
    lit = winning_cells(build, spin, spin.window, spin.wins) | award_cells(build, spin, spin.window)
    draw_grid(console, title, spin.window, spin.values, lit)
    if not state.cells:
        nudged = f", nudged to {' '.join(map(str, spin.nudged))}" if spin.nudged else ""
        console.print(Text(f"stops {' '.join(map(str, spin.stops))}{nudged}", style="dim"))
    draw_wins(console, spin.wins)
    for number, step in enumerate(spin.steps, start=2):
        lit = winning_cells(build, spin, step.window, step.wins)
        draw_grid(console, f"step {number} of the cascade", step.window, step.values, lit)
        draw_wins(console, step.wins)
    draw_wins(console, spin.closing, final=state.final.name if state.final else "")
    for award in spin.awards:
        draw_award(console, build, spin, award)


def draw_grid(console: Console, title: str, window: Window, values: CellTable, lit: set[Cell]) -> None:
    """One grid; winning cells carry a mark besides their colour: colours do not survive a pipe."""
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
            won = (r, row) in lit
            cells.append(Text(f"*{shown}*" if won else shown, style="bold green" if won else "dim"))
        table.add_row(*cells)
    console.print(table)


def draw_wins(console: Console, wins: tuple[Win, ...], final: str = "") -> None:
    """Every win in words; `final` names the multiplier of the whole spin."""
    for win in wins:
        if win.evaluator == final:
            console.print(f"  {win.evaluator}: all of it x{win.multiplier}, {win.amount_units} units more")
            continue
        where = f"line {win.line}" if win.line else win.evaluator
        ways = f" in {win.ways} way{'s' * (win.ways > 1)}" if win.ways else ""
        factors = "".join(f" x{f}" for f in (win.wild_multiplier, win.multiplier) if f != 1)
        console.print(f"  {where}: {win.count} x {win.symbol}{ways}{factors} = {win.amount_units} units")


def draw_award(console: Console, build: Build, spin: Spin, award: Award) -> None:
    """What a trigger started."""
    if isinstance(award, FreeSpinsAward):
        spins = "free spin" if award.spins == 1 else "free spins"
        triggers = build.model.states[spin.state].triggers
        if any(t.name == award.trigger and getattr(t, "reset", False) for t in triggers):
            spins = "spins left again" if award.spins > 1 else "spin left again"
        console.print(f"  {award.trigger}: {award.count} x {award.symbol} = {award.spins} {spins}")
    elif isinstance(award, PickBonus):
        draw_pick(console, award)
    elif isinstance(award, JackpotWin):
        console.print(f"  {award.trigger}: jackpot {award.jackpot}")
    else:
        drawn = ", ".join(map(str, award.drawn))
        spins = f" and {award.spins} spins of {award.state}" if award.spins else ""
        console.print(f"  {award.trigger}, {award.bonus}: drew {drawn} = {award.amount_units} units{spins}")


def draw_pick(console: Console, award: PickBonus) -> None:
    """A pick bonus: the prizes of each place opened."""
    places = " | ".join(" + ".join(map(str, prizes)) for prizes in award.prizes)
    where = f" on line {award.line}" if award.line else ""
    console.print(f"  {award.trigger}{where}: {places} = {award.amount_units} units")


def winning_cells(build: Build, spin: Spin, window: Window, wins: tuple[Win, ...]) -> set[Cell]:
    """Every cell that is part of a win of a grid."""
    model = build.model
    cells: set[Cell] = set()
    for win in wins:
        rule = model.evaluators.get(win.evaluator)
        if isinstance(rule, Cluster):
            cells |= set(win.cells)
        elif win.line is not None and isinstance(rule, Lines):
            line = list(enumerate(rule.paylines[win.line - 1]))[win.start :]
            cells |= set(line[: model.cells_of([window[r][i] for r, i in line], win.count)])
        elif win.line is not None and isinstance(rule, Combinations):
            cells |= set(enumerate(rule.paylines[win.line - 1]))
        elif isinstance(rule, Ways | Count):
            stands = {s for s, w in model.wilds.items() if win.symbol in w.substitutes} | {win.symbol}
            reels = range(win.start, win.start + win.count) if isinstance(rule, Ways) else range(len(window))
            cells |= {(r, i) for r in reels for i, shown in enumerate(window[r]) if model.read(shown)[0] in stands}
        else:
            cells |= cells_with(model, window, win.symbol)
    return cells


def award_cells(build: Build, spin: Spin, window: Window) -> set[Cell]:
    """Every cell that is part of an award by count."""
    cells: set[Cell] = set()
    for award in spin.awards:
        if isinstance(award, FreeSpinsAward):
            cells |= cells_with(build.model, window, award.symbol)
    return cells


def cells_with(model: Model, window: Window, symbol: str) -> set[Cell]:
    """Every cell that counts as a symbol."""
    return {(r, i) for r, reel in enumerate(window) for i, shown in enumerate(reel) if model.read(shown)[0] == symbol}


def draw_section(console: Console, section: Section) -> None:
    """A section of a sheet as a table; the first row of a section of figures is its headline."""
    table = Table(title=escape(section.title), title_justify="left")
    for index, name in enumerate(section.columns):
        number = any(isinstance(row[index].value, (int, float)) for row in section.rows)
        table.add_column(escape(name), justify="right" if number else "left")
    for index, row in enumerate(section.rows):
        headline = index == 0 and row[0].value == "RTP"
        table.add_row(*(escape(str(cell)) for cell in row), style="bold" if headline else None)
    console.print(table)
    if section.remark:
        console.print(f"[dim]{escape(section.remark)}[/dim]", highlight=False)
