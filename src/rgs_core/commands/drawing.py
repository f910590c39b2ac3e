"""Draws rounds for people: the grid with its winning cells, each win in words."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rgs_core.model import Build, Lines
from rgs_core.outcome import FreeSpinsAward, PickBonus, Played, Spin
from rgs_core.sheet import Section


def draw_round(console: Console, build: Build, outcome: Played) -> None:
    """Every spin of a round; free spins that win nothing are counted, not drawn."""
    silent = 0
    for spin in outcome.spins:
        if spin.sub_spin and not spin.wins and not spin.awards:
            silent += 1
            continue
        draw_spin(console, build, spin)
    if silent:
        console.print(Text(f"{silent} further free spins won nothing.", style="dim"))
    stakes = outcome.win_units / build.model.stake_units
    console.print(f"[bold]Round wins {outcome.win_units} units = {stakes:.2f} x stake[/bold]")


def draw_spin(console: Console, build: Build, spin: Spin) -> None:
    """One grid, its stops, wins and awards."""
    model = build.model
    state = model.states[spin.state]
    title = "Paid spin" if spin.sub_spin == 0 else f"Free spin {spin.sub_spin}"
    if state.multiplier != 1:
        title += f"  (wins x{state.multiplier})"
    lit = winning_cells(build, spin)
    table = Table(box=box.ROUNDED, show_header=False, title=title, title_justify="left", padding=(0, 1))
    width = max(len(symbol) for symbol in model.symbols) + 2
    for _ in spin.window:
        table.add_column(justify="center", min_width=width)
    for row in range(model.rows):
        table.add_row(
            # Winning cells carry a mark besides their colour: colours do not survive a pipe.
            *(
                Text(f"*{reel[row]}*", style="bold green") if (r, row) in lit else Text(reel[row], style="dim")
                for r, reel in enumerate(spin.window)
            )
        )
    console.print(table)
    console.print(Text(f"stops {' '.join(map(str, spin.stops))}", style="dim"))
    for win in spin.wins:
        where = f"line {win.line}" if win.line else win.evaluator
        factors = "".join(f" x{f}" for f in (win.wild_multiplier, win.multiplier) if f != 1)
        console.print(f"  {where}: {win.count} x {win.symbol}{factors} = {win.amount_units} units")
    for award in spin.awards:
        if isinstance(award, FreeSpinsAward):
            console.print(f"  {award.trigger}: {award.count} x {award.symbol} = {award.spins} free spins")
        else:
            draw_pick(console, award)


def draw_pick(console: Console, award: PickBonus) -> None:
    """A pick bonus: the prizes of each place opened."""
    places = " | ".join(" + ".join(map(str, prizes)) for prizes in award.prizes)
    console.print(f"  {award.trigger} on line {award.line}: {places} = {award.amount_units} units")


def winning_cells(build: Build, spin: Spin) -> set[tuple[int, int]]:
    """(reel, row) of every cell that is part of a win or of an award by count."""
    cells: set[tuple[int, int]] = set()
    for win in spin.wins:
        if win.line is None:
            cells |= cells_with(spin, win.symbol)
        else:
            evaluator = build.model.evaluators[win.evaluator]
            assert isinstance(evaluator, Lines)
            cells |= set(list(enumerate(evaluator.paylines[win.line - 1]))[: win.count])
    for award in spin.awards:
        if isinstance(award, FreeSpinsAward):
            cells |= cells_with(spin, award.symbol)
    return cells


def cells_with(spin: Spin, symbol: str) -> set[tuple[int, int]]:
    """(reel, row) of every cell that shows a symbol."""
    return {(r, i) for r, reel in enumerate(spin.window) for i, shown in enumerate(reel) if shown == symbol}


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
