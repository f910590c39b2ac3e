"""rgs parsheet: the exact figures of a build."""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rgs_core.analysis import Analysis, analyse
from rgs_core.certificate import exact_figures
from rgs_core.closed_form import SpinFigures
from rgs_core.commands.arguments import OK, add_game, add_json, chosen_build

HELP = "print the exact RTP, its parts, hit frequency, volatility and pay table hits"
EXAMPLES = """\
  rgs parsheet lantern_tide
  rgs parsheet ember_sevens --profile rtp_93 --json
  rgs parsheet my_game.toml --visit     (count every combination of stops as well)"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    parser.add_argument(
        "--visit", action="store_true", help="visit every combination of stops too, a third way; seconds to minutes"
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    build, _ = chosen_build(args)
    with console.status(f"counting the cycle of {build.label}"):
        analysis = analyse(build, visit=args.visit)
    if args.json:
        print(json.dumps(as_json(analysis), indent=2))
    else:
        draw(console, analysis)
    return OK


def as_json(analysis: Analysis) -> dict[str, Any]:
    """Figures for machines: decimals, and the exact fractions of the RTP beside them."""
    closed, cycle = analysis.closed, analysis.cycle
    build = closed.build
    return {
        "game": build.model.id,
        "profile": build.profile.name,
        "build_hash": build.build_hash,
        "figures": exact_figures(analysis),
        "rtp_exact": str(closed.rtp),
        "rtp_exact_methods": ["closed form", *(["joint law of the full cycle"] if cycle else [])],
        "cycle_skipped": analysis.cycle_skipped or None,
        "combinations": closed.paid.cycle,
        "line_hit_frequency": float(closed.paid.line_hit_frequency),
        "feature_win": float(closed.feature_win),
        "prizes": {s.state: prize_rows(s) for s in (closed.paid, closed.free) if s},
    }


def prize_rows(figures: SpinFigures) -> list[dict[str, Any]]:
    return [
        {
            "symbol": p.symbol,
            "count": p.count,
            "pay_units": p.pay_units,
            "hits_per_line": float(p.hits),
            "probability_per_line": float(p.hits / figures.cycle),
            "mean_units": float(p.mean_units),
        }
        for p in figures.prizes
    ]


def draw(console: Console, analysis: Analysis) -> None:
    """The sheet for people."""
    closed, cycle = analysis.closed, analysis.cycle
    build = closed.build
    console.print(f"[bold]{escape(f'{build.model.title} {build.model.version}')}[/bold]  {build.label}")
    console.print(f"[dim]{build.build_hash}[/dim]")
    figures = Table("figure", "value", "", title="Round", title_justify="left")
    ways = "closed form = full cycle" if cycle else "closed form"
    figures.add_row("[bold]RTP[/bold]", f"[bold]{percent(closed.rtp)}[/bold]", ways)
    for name, part in closed.rtp_parts.items():
        figures.add_row(f"  {name}", percent(part), "")
    if closed.free:
        p = closed.feature_probability
        figures.add_row("free spins start", f"1 in {one_in(p)}", f"{float(closed.free_spins_per_feature):.6f} spins")
        figures.add_row("mean win of the feature", f"{float(closed.feature_win):.6f} x", "in stakes")
        figures.add_row("further spins per free spin", f"{float(closed.free.spins_awarded):.6f}", "before the cap")
    for name, probability in closed.paid.trigger_hits.items():
        figures.add_row(f"{name} for each paid spin", f"{float(probability):.8f}", f"1 in {one_in(probability)}")
    figures.add_row("hit frequency of one line", percent(closed.paid.line_hit_frequency), "")
    if cycle:
        figures.add_row("hit frequency", percent(cycle.hit_frequency), f"1 in {one_in(cycle.hit_frequency)}")
        figures.add_row("  paid spin alone", percent(cycle.paid_spin_hit_frequency), "")
        figures.add_row("standard deviation", f"{cycle.sd:.6f} x", f"paid spin alone {cycle.paid_spin_sd:.6f} x")
        figures.add_row("volatility index, 90 %", f"{cycle.volatility_index():.4f}", "1.645 standard deviations")
        most = cycle.max_win_units / build.model.stake_units
        figures.add_row("maximum win", f"{most:,.2f} x", "possible" if cycle.max_win_reached else "upper bound")
        figures.add_row("combinations of the paid spin", f"{cycle.combinations:,}", "")
    else:
        figures.add_row("hit frequency, volatility", "not computed", analysis.cycle_skipped)
    console.print(figures)
    for spin in (closed.paid, closed.free):
        if spin and spin.prizes:
            draw_prizes(console, spin, build.model.stake_units)


def draw_prizes(console: Console, figures: SpinFigures, stake: int) -> None:
    table = Table(
        "symbol", "count", "pays, units", "hits a line", "1 in", "mean, units",
        title=f"Pay table of state '{figures.state}', one line, {figures.cycle:,} combinations",
        title_justify="left",
    )  # fmt: skip
    for prize in figures.prizes:
        probability = prize.hits / figures.cycle
        table.add_row(
            prize.symbol,
            str(prize.count),
            f"{prize.pay_units:,}",
            f"{float(prize.hits):,.10g}",
            one_in(probability),
            f"{float(prize.mean_units):,.4f}",
        )
    console.print(table)


def percent(value: Fraction | float) -> str:
    return f"{float(value) * 100:.6f} %"


def one_in(probability: Fraction | float) -> str:
    return f"{1 / float(probability):,.2f}" if probability else "never"
