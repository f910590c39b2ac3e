"""rgs simulate: play many rounds and estimate what the sheet says exactly."""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from rgs_core.commands.arguments import (
    OK,
    add_game,
    add_json,
    add_seed,
    chosen_build,
    chosen_key,
    count,
    nonce,
)
from rgs_core.model import Build
from rgs_core.montecarlo import Simulation, class_labels, simulate

HELP = "play many rounds: RTP with its interval, hit and bonus frequency, win distribution"
EXAMPLES = """\
  rgs simulate lantern_tide --spins 1e8
  rgs simulate ember_sevens --spins 5e6 --threads 2 --json
  rgs simulate my_game.toml --spins 1e7 --seed acceptance --first-nonce 1000000"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    add_seed(parser)
    parser.add_argument("--spins", type=count, default=10_000_000, metavar="N", help="rounds (default: 1e7)")
    parser.add_argument("--first-nonce", type=nonce, default=0, metavar="N", help="first round (default: 0)")
    parser.add_argument("--threads", type=count, default=os.cpu_count() or 1, metavar="N", help="default: all cores")
    parser.add_argument("--confidence", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    build, _ = chosen_build(args)
    if not 0 < args.confidence < 1:
        raise ValueError(f"--confidence {args.confidence} is not between 0 and 1")
    started = time.perf_counter()
    result = play(build, chosen_key(args), args, console)
    seconds = time.perf_counter() - started
    if args.json:
        print(json.dumps(as_json(result, args.confidence), indent=2))
    else:
        draw(console, result, args.confidence)
        console.print(f"[dim]{result.rounds / seconds / 1e6:.2f} M rounds/s on {args.threads} threads[/dim]")
    return OK


def play(build: Build, key: bytes, args: argparse.Namespace, console: Console) -> Simulation:
    """Simulate with a progress bar (on a terminal only)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=args.json or not console.is_terminal) as bar:
        task = bar.add_task(build.label, total=args.spins, rate="")

        def advance(rounds: int) -> None:
            bar.advance(task, rounds)
            speed = bar.tasks[task].speed
            bar.update(task, rate=f"{speed / 1e6:.1f} M/s" if speed else "")

        return simulate(build, key, args.spins, first_nonce=args.first_nonce, threads=args.threads, progress=advance)


def as_json(result: Simulation, confidence: float) -> dict[str, Any]:
    return {
        "game": result.build.model.id,
        "profile": result.build.profile.name,
        "build_hash": result.build.build_hash,
        "first_nonce": result.first_nonce,
        "rounds": result.rounds,
        "confidence": confidence,
        "rtp": result.rtp,
        "rtp_interval": result.rtp_interval(confidence),
        "rtp_parts": result.rtp_parts,
        "sd": result.sd,
        "hit_frequency": result.hit_frequency,
        "hit_frequency_interval": result.interval(result.totals["hits"], confidence),
        "feature_frequency": result.feature_frequency,
        "feature_frequency_interval": result.interval(result.totals["features"], confidence),
        "free_spins_per_feature": result.free_spins_per_feature,
        "trigger_frequencies": result.trigger_frequencies,
        "max_win": result.max_win,
        "max_win_nonce": result.totals["win_max_nonce"],
        "distribution": dict(zip(class_labels(), result.distribution.tolist(), strict=True)),
        "sums": {"win_units": result.totals["win"], "win_units_squared": result.totals["win_squared"]},
    }


def draw(console: Console, result: Simulation, confidence: float) -> None:
    level = f"{confidence * 100:g} % interval"
    table = Table("figure", "estimate", level, title=f"{result.build.label}, {result.rounds:,} rounds")

    def interval(low: float, high: float) -> str:
        return f"{low * 100:.4f} … {high * 100:.4f} %"

    table.add_row(
        "[bold]RTP[/bold]",
        f"[bold]{result.rtp * 100:.4f} %[/bold]",
        interval(*result.rtp_interval(confidence)),
    )
    for name, part in result.rtp_parts.items():
        table.add_row(f"  {name}", f"{part * 100:.4f} %", "")
    totals = result.totals
    hits = interval(*result.interval(totals["hits"], confidence))
    table.add_row("hit frequency", f"{result.hit_frequency * 100:.4f} %", hits)
    if len(totals["spins"]) > 1:
        features = interval(*result.interval(totals["features"], confidence))
        table.add_row("free spins start", f"{result.feature_frequency * 100:.4f} %", features)
        table.add_row("free spins per feature", f"{result.free_spins_per_feature:.4f}", "")
    for name, frequency in result.trigger_frequencies.items():
        table.add_row(f"{name} for each paid spin", f"{frequency:.8f}", "")
    table.add_row("standard deviation", f"{result.sd:.4f} x", "")
    table.add_row("largest win", f"{result.max_win:,.2f} x", f"round {totals['win_max_nonce']}")
    console.print(table)
    classes = Table("win, stakes", "rounds", "share", "", title="Distribution")
    widest = max(result.distribution.max(), 1)
    for label, rounds in zip(class_labels(), result.distribution.tolist(), strict=True):
        bar = "█" * round(30 * rounds / widest) or ("▏" if rounds else "")
        classes.add_row(label, f"{rounds:,}", f"{rounds / result.rounds * 100:.5f} %", bar)
    console.print(classes)
