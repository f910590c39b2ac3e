"""rgs parsheet: the exact figures of a build."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from rgs_core.certified.certificate import exact_figures
from rgs_core.commands.arguments import OK, add_game, add_json, add_policy, chosen_build, count, written
from rgs_core.commands.drawing import draw_callback_note, draw_section
from rgs_core.commands.progress import advance, rounds_bar
from rgs_core.commands.simulate import as_json as simulated_json
from rgs_core.errors import AnalysisError
from rgs_core.exact.closed_form import SpinFigures
from rgs_core.exact.policy_figures import PolicyFigures, policy_figures
from rgs_core.game import DEFAULT_SEED, seeded_key
from rgs_core.sheet.sections import Section
from rgs_core.sheet.sheet import ABOVE_STAKES, CAPS_STAKES, QUANTILES, Sheet
from rgs_core.simulation.montecarlo import simulate
from rgs_core.simulation.session_sampling import SampledSessions, sample_sessions
from rgs_core.simulation.stratified import Stratified, stratified

HELP = "print the PAR sheet: RTP and its parts, hit frequency, volatility, law of wins, pay tables"
EXAMPLES = """\
  rgs parsheet lantern_tide
  rgs parsheet ember_sevens --profile rtp_93 --json
  rgs parsheet my_game.toml --report my_game.html --workbook my_game.xlsx
  rgs parsheet my_game.toml --session 200:5000   (200 stakes of money, 5,000 spins)
  rgs parsheet my_game.toml --visit              (count every combination of stops as well)
  rgs parsheet rose_window --spins 1e8           (a game without exact figures: more rounds for its estimates)"""


ESTIMATE_ROUNDS = 10_000_000
"""Simulated where there is no exact law of wins and --spins does not say; fewer where they take too long."""

ESTIMATE_SECONDS = 5.0
"""How long they may take, about; those in strata take as long once more."""

ESTIMATE_ROUNDS_MIN = 20_000
PILOT_ROUNDS, PILOT_SECONDS = 2_000, 0.1
"""Rounds that are played to see how long one takes: four times as many until they take so long."""

STRATIFIED_PART = 2
"""A round in strata for so many others: they take a few times as long, and say as much as a few others."""

PLAIN_ESTIMATE_ROUNDS = 20_000
"""The same with a callback, which plain Python plays."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    add_policy(parser)
    parser.add_argument(
        "--visit", action="store_true", help="visit every combination of stops too, a third way; seconds to minutes"
    )
    parser.add_argument(
        "--session", type=session, metavar="STAKES:SPINS", help="odds of being ruined or doubled in a session"
    )
    parser.add_argument(
        "--spins",
        type=count,
        metavar="N",
        help=f"rounds of the estimates where there are no exact figures (default: {ESTIMATE_ROUNDS:.0e}, or as many as "
        f"take {ESTIMATE_SECONDS:.0f} s)",
    )
    parser.add_argument("--report", metavar="FILE.html", help="write a page with charts")
    parser.add_argument("--workbook", metavar="FILE.xlsx", help="write an Excel workbook")
    add_json(parser)


def session(text: str) -> tuple[int, int]:
    """A bankroll in stakes and a number of spins: `200:5000`."""
    bankroll, _, spins = text.partition(":")
    try:
        return count(bankroll), count(spins)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"'{text}' is not STAKES:SPINS, as 200:5000") from None


def run(args: argparse.Namespace, console: Console) -> int:
    build, _ = chosen_build(args)
    for target in filter(None, (args.report, args.workbook)):
        if not Path(target).resolve().parent.is_dir():
            raise FileNotFoundError(f"no folder for {target}")
    with Console(stderr=True).status(f"counting the cycle of {build.label}"):
        sheet = Sheet.of(build, visit=args.visit, sessions=(args.session,) if args.session else None)
    if sheet.law is None:
        sheet = estimated(sheet, args, console)
    with Console(stderr=True).status("writing the sheet"):
        shown = as_json(sheet) if args.json else sheet.sections()
        write_files(args, sheet)
    if isinstance(shown, dict):
        print(json.dumps(shown, indent=2))
        return OK
    draw(console, sheet, shown, args.spins)
    for target in filter(None, (args.report, args.workbook)):
        console.print(f"wrote {target}", highlight=False, markup=False)
    return OK


def estimated(sheet: Sheet, args: argparse.Namespace, console: Console) -> Sheet:
    """The sheet with estimates of what has no exact figure, and the session that was asked for played out."""
    build, key, threads = sheet.build, seeded_key(DEFAULT_SEED), min(256, os.cpu_count() or 1)
    rounds = args.spins
    if rounds is None and build.model.callbacks:
        rounds = PLAIN_ESTIMATE_ROUNDS
    elif rounds is None:
        rounds = affordable(lambda n: simulate(build, key, n).rounds, ESTIMATE_ROUNDS, threads)
    sampled: tuple[SampledSessions, ...] = ()
    with rounds_bar(shown=Console(stderr=True).is_terminal) as bar:
        if args.session:
            task = bar.add_task(f"{build.label}, sessions", total=rounds, rate="")
            more = partial(advance, bar, task)
            bankroll, spins = args.session
            sampled = (sample_sessions(build, key, bankroll, spins, rounds, threads=threads, progress=more),)
        task = bar.add_task(build.label, total=rounds, rate="")
        played = simulate(build, key, rounds, threads=threads, progress=lambda n, _: advance(bar, task, n))
        strata: Stratified | None = None
        with suppress(AnalysisError):  # a game without such strata
            few = max(1, rounds // STRATIFIED_PART)
            if args.spins is None:
                few = affordable(lambda n: sum(s.rounds for s in stratified(build, key, n).strata), few, threads)
            task = bar.add_task(f"{build.label}, strata", total=few, rate="")
            strata = stratified(build, key, few, threads=threads, progress=partial(advance, bar, task))
    return replace(sheet, simulation=played, sampled=sampled, stratified=strata)


def affordable(play: Callable[[int], int], most: int, threads: int) -> int:
    """How many rounds take ESTIMATE_SECONDS, `most` at most, in a number that is easily said: 1, 2 or 5 times a power of
    ten. `play` plays about so many on one thread and returns how many it played."""
    rounds, speed, seconds = PILOT_ROUNDS // 4, 0.0, 0.0
    while seconds < PILOT_SECONDS and 4 * rounds < most:
        rounds *= 4
        started = time.perf_counter()
        played = play(rounds)
        seconds = max(time.perf_counter() - started, 1e-9)
        speed = played / seconds
    within = ESTIMATE_SECONDS * threads * speed
    said = (first * 10**power for power in range(len(str(most))) for first in (1, 2, 5))
    return min(most, max(ESTIMATE_ROUNDS_MIN, max((n for n in said if n <= within), default=0)))


def write_files(args: argparse.Namespace, sheet: Sheet) -> None:
    """The report and the workbook, where they were asked for."""
    if not (args.report or args.workbook):
        return
    from rgs_core.report import write_page, write_workbook

    for target, write in ((args.report, write_page), (args.workbook, write_workbook)):
        if target:
            with written(target) as temporary:
                write(sheet, temporary)


def as_json(sheet: Sheet) -> dict[str, Any]:
    """Figures for machines: decimals, and the exact fractions of the RTP beside them."""
    analysis, build = sheet.analysis, sheet.build
    closed, exact = analysis.closed, isinstance(analysis.rtp, Fraction)
    return {
        "game": build.model.id,
        "profile": build.profile.name,
        "build_hash": build.build_hash,
        "callbacks": dict(build.model.callbacks),
        "figures": exact_figures(sheet),
        "mode": build.mode,
        "rtp_exact": str(analysis.rtp) if exact else None,
        "rtp_exact_methods": [
            *(["closed form"] if closed else []),
            *(["joint law of the full cycle"] if analysis.cycle else []),
        ],
        "methods": dict(analysis.methods),
        "cycle_skipped": analysis.cycle_skipped or None,
        "combinations": closed.paid.cycle if closed else analysis.cycle.combinations if analysis.cycle else None,
        "line_hit_frequency": float(closed.paid.line_hit_frequency) if closed else None,
        "feature_win": None if analysis.feature_win is None else float(analysis.feature_win),
        "wins": law_json(sheet),
        "stratified": None if sheet.stratified is None else stratified_json(sheet.stratified),
        "sessions_estimated": [sampled_json(played) for played in sheet.sampled],
        "policies": [policy_json(found) for found in policy_figures(analysis)],
        "wins_skipped": sheet.law_skipped or None,
        "simulated": None if sheet.simulation is None else simulated_json(sheet.simulation, 0.95),
        "prizes": {s.state: prize_rows(s) for s in analysis.figures.values()},
    }


def law_json(sheet: Sheet) -> dict[str, Any] | None:
    """The law of wins in numbers: None without one."""
    law = sheet.law
    if law is None:
        return None
    return {
        "error": law.error,
        "above": {str(limit): law.above(limit) for limit in ABOVE_STAKES},
        "quantiles": {f"{q:g}": law.quantile(q) for q in QUANTILES},
        "rtp_capped": {str(cap): law.rtp_capped(cap) for cap in CAPS_STAKES},
        "sessions": [
            {
                "bankroll": odds.bankroll,
                "spins": odds.spins,
                "ruined": odds.ruined,
                "doubled": odds.doubled,
                "neither": odds.neither,
                "mean_left": odds.mean_left,
            }
            for odds in sheet.session_odds()
        ],
    }


def policy_json(found: PolicyFigures) -> dict[str, Any]:
    """Figures by what the player chooses; null where they are not known."""
    figures = {"rtp": found.rtp, "hit_frequency": found.hit_frequency, "sd": found.sd}
    known = {name: None if x is None else float(x) for name, x in figures.items()}
    return {"policy": found.policy} | known | {"reason": found.reason or None}


def stratified_json(found: Stratified) -> dict[str, Any]:
    """The estimate by strata in numbers."""
    return {
        "symbol": found.symbol,
        "rtp": found.rtp,
        "rtp_error": found.rtp_error,
        "strata": [
            {
                "in_view": stratum.label,
                "probability": float(stratum.probability),
                "rounds": stratum.rounds,
                "mean_win": stratum.mean,
                "sd": stratum.sd,
            }
            for stratum in found.strata
        ],
    }


def sampled_json(played: SampledSessions) -> dict[str, Any]:
    """A session that was played out, with intervals of 95 %."""
    counts = {"ruined": played.ruined, "doubled": played.doubled, "neither": played.neither}
    return {
        "bankroll": played.bankroll,
        "spins": played.spins,
        "sessions": played.sessions,
        **{name: n / played.sessions for name, n in counts.items()},
        **{f"{name}_interval": played.interval(n) for name, n in counts.items()},
        "mean_left": played.mean_left,
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


def draw(console: Console, sheet: Sheet, sections: list[Section], spins: int | None) -> None:
    """The sheet for people."""
    build = sheet.build
    console.print(f"[bold]{escape(f'{build.model.title} {build.model.version}')}[/bold]  {build.label}")
    console.print(f"[dim]{build.build_hash}[/dim]")
    draw_callback_note(console, build)
    for section in sections:
        draw_section(console, section)
    if sheet.remark:
        more = ""
        if sheet.simulation:
            few = spins is None and not build.model.callbacks and sheet.simulation.rounds < ESTIMATE_ROUNDS
            more = f" More would take longer than {ESTIMATE_SECONDS:.0f} s:" if few else ""
            more += " --spins N plays more."
        console.print(f"{escape(sheet.remark)}{more}", soft_wrap=True, highlight=False)
    elif spins:
        console.print("--spins was not needed: the figures are exact; 'rgs simulate' plays rounds.", highlight=False)
