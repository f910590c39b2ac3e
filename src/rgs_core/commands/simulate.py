"""rgs simulate: play many rounds and estimate what the sheet says exactly."""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rgs_core.commands.arguments import (
    INTERRUPTED,
    OFF,
    OK,
    add_game,
    add_json,
    add_policy,
    add_seed,
    chosen_build,
    chosen_key,
    count,
    nonce,
    written,
)
from rgs_core.commands.drawing import draw_section
from rgs_core.commands.progress import advance, rounds_bar
from rgs_core.errors import AnalysisError, CallbackError, SimulationError
from rgs_core.exact.analysis import MAXIMUM, full_cycle
from rgs_core.exact.stats import Z_90, z_for
from rgs_core.game import DEFAULT_SEED
from rgs_core.language.model import Build
from rgs_core.sheet.estimate_sections import estimates
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.cluster import Cluster, remote_shard
from rgs_core.simulation.kept_rounds import Keep
from rgs_core.simulation.montecarlo import UNTIL_ROUNDS, Simulation, Until, class_labels, key_id, restored, simulate

HELP = "play many rounds: RTP with its interval, hit and bonus frequency, win distribution"
EXAMPLES = """\
  rgs simulate lantern_tide --spins 1e9
  rgs simulate lantern_tide --until rtp=0.02%@99          (stop at +-0.02 % with 99 % confidence)
  rgs simulate lantern_tide --spins 1e10 --save run.json  (Ctrl-C keeps what was done)
  rgs simulate lantern_tide --resume run.json
  rgs simulate lantern_tide --spins 1e8 --keep 'win>=500x'
  rgs simulate fossil_coast --spins 1e8 --keep jackpot   (or feature, capped, trigger:NAME)
  rgs simulate my_game.toml --spins 1e8 --report my_game.html --workbook my_game.xlsx
  rgs simulate my_game.toml --spins 1e11 --cluster tcp://10.0.0.7:8786"""

SPINS = 10_000_000
PLAIN_SPINS = 100_000
"""Of a build with a callback, which plain Python plays: a minute or so."""

SAVE_EVERY_S = 10.0
SHOWN_KEPT = 10
CLUSTER_SHARDS = 16


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    add_policy(parser)
    add_seed(parser)
    parser.add_argument(
        "--spins",
        type=count,
        metavar="N",
        help=f"rounds (default: {SPINS:.0e}, with a callback {PLAIN_SPINS:.0e}); at most, with --until",
    )
    parser.add_argument("--until", type=parsed(Until.parse), metavar="RULE", help="stop by itself: rtp=0.02%%@99")
    parser.add_argument("--first-nonce", type=nonce, metavar="N", help="first round (default: 0)")
    parser.add_argument(
        "--keep",
        type=parsed(Keep.parse),
        metavar="RULE",
        help="remember rounds: 'win>=500x', jackpot, feature, capped (by the maximum win) or trigger:NAME",
    )
    parser.add_argument("--save", metavar="FILE", help="save the result as JSON, every few seconds and at the end")
    parser.add_argument("--resume", metavar="FILE", help="go on with a saved simulation, and save it again")
    parser.add_argument(
        "--threads", type=count, default=min(256, os.cpu_count() or 1), metavar="N", help="default: all cores"
    )
    parser.add_argument("--cluster", metavar="ADDRESS", help="play on a Dask cluster: tcp://HOST:PORT of its scheduler")
    parser.add_argument("--confidence", type=float, help="of the intervals (default: 0.95, or that of --until)")
    parser.add_argument("--report", metavar="FILE.html", help="write a page with PAR sheet and charts")
    parser.add_argument("--workbook", metavar="FILE.xlsx", help="write an Excel workbook")
    parser.add_argument("--parquet", metavar="FILE.parquet", help="write the win classes as a Parquet table")
    add_json(parser)


def parsed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of text as argparse wants it: its ValueErrors are shown."""

    def parse_argument(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


def run(args: argparse.Namespace, console: Console) -> int:
    build, path = chosen_build(args)
    if args.confidence is None:
        args.confidence = args.until.confidence if args.until else 0.95
    if not 0 < args.confidence <= 0.999999:
        raise ValueError(f"--confidence {args.confidence} is not above 0 and at most 0.999999, as 0.99")
    for target in (args.save, args.report, args.workbook, args.parquet):
        if target and not Path(target).resolve().parent.is_dir():
            raise FileNotFoundError(f"no folder for {target}")
        if target and Path(target).is_dir():
            raise IsADirectoryError(f"{target} is a folder; name a file")
    if args.cluster and build.model.callbacks:
        raise CallbackError(f"a cluster plays compiled builds only. {build.model.callback_note}")
    key = chosen_key(args)
    saved = load(args.resume, build, key) if args.resume else None
    if saved is not None:
        args.save = args.save or args.resume
        for name in ("first_nonce", "keep"):
            if getattr(args, name) not in (None, getattr(saved, name)):
                raise ValueError(f"--{name.replace('_', '-')} cannot change in a simulation that goes on")
        args.first_nonce, args.keep = saved.first_nonce, saved.keep
        if args.spins is None and args.until is None:
            args.spins, args.until = saved.target_rounds, saved.until
    if args.spins is None:
        args.spins = UNTIL_ROUNDS if args.until else PLAIN_SPINS if build.model.callbacks else SPINS
    args.first_nonce = args.first_nonce or 0
    args.until = with_exact_sd(args.until, build)
    started, before = time.perf_counter(), saved.rounds if saved else 0
    result = play(build, path, key, args, console, saved)
    seconds = time.perf_counter() - started
    if args.save:
        save(args.save, result)
    if args.json:
        print(json.dumps(as_json(result, args.confidence), indent=2))
    else:
        draw(console, result, args)
        console.print(f"[dim]{rate((result.rounds - before) / seconds)} rounds/s[/dim]", highlight=False)
    write_files(args, result, console)
    if result.until and result.finished and not result.until.reached(result):
        print(f"{result.until} was not reached in {result.rounds:,} rounds; --spins N allows more", file=sys.stderr)
        return OFF
    if result.finished:
        return OK
    go_on = f"; go on with --resume {args.save}" if args.save else "; --save FILE would let you go on"
    print(f"interrupted after {result.rounds:,} of {result.target_rounds:,} rounds{go_on}", file=sys.stderr)
    return INTERRUPTED


def rate(rounds: float) -> str:
    """Rounds a second in millions; below a hundred thousand in whole ones."""
    return f"{rounds / 1e6:.2f} M" if rounds >= 1e5 else f"{rounds:,.0f}"


def with_exact_sd(until: Until | None, build: Build) -> Until | None:
    """The rule with the exact standard deviation, where the build has one."""
    if until is None:
        return None
    try:
        return replace(until, sd=full_cycle(build).sd)
    except AnalysisError:
        return until


def load(name: str, build: Build, key: bytes) -> Simulation:
    """A saved simulation. Raises SimulationError that names the file."""
    if not Path(name).is_file():
        raise SimulationError(f"no saved simulation {name}; a run with --save FILE writes one")
    try:
        saved = restored(build, json.loads(Path(name).read_text("utf-8")))
    except (SimulationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SimulationError(f"{name} cannot be gone on with: {error}") from None
    if saved.key_id != key_id(key):
        raise SimulationError(f"{name} was played with another seed; give the same --seed and --client-seed")
    return saved


def save(name: str, result: Simulation) -> None:
    """Writes the state whole or not at all."""
    with written(name) as temporary:
        temporary.write_text(json.dumps(result.state()), "utf-8")


def write_files(args: argparse.Namespace, result: Simulation, console: Console) -> None:
    """The report, the workbook and the table, where they were asked for."""
    if not (args.report or args.workbook or args.parquet):
        return
    from rgs_core.report import write_page, write_parquet, write_workbook

    with Console(stderr=True).status("writing the report"):
        sheet = Sheet.of(result.build, result)
        for target, write in ((args.report, write_page), (args.workbook, write_workbook)):
            if target:
                with written(target) as temporary:
                    write(sheet, temporary, args.confidence)
        if args.parquet:
            with written(args.parquet) as temporary:
                write_parquet(result, temporary)
    if not args.json:
        for target in filter(None, (args.report, args.workbook, args.parquet)):
            console.print(f"wrote {target}", highlight=False, markup=False)


def play(
    build: Build, path: Path, key: bytes, args: argparse.Namespace, console: Console, saved: Simulation | None
) -> Simulation:
    """Simulate with a progress bar (on a terminal only), saving now and then."""
    with rounds_bar(shown=console.is_terminal and not args.json) as bar:
        done = saved.rounds if saved else 0
        task = bar.add_task(build.label, total=None if args.until else args.spins, completed=done, rate="")
        last_saved = last_estimate = time.monotonic()

        def progress(rounds: int, so_far: Callable[[], Simulation]) -> None:
            nonlocal last_saved, last_estimate
            advance(bar, task, rounds)
            now = time.monotonic()
            if args.until and now - last_estimate > 0.5:
                last_estimate = now
                bar.update(task, total=needed(args.until, so_far()))
            if args.save and now - last_saved > SAVE_EVERY_S:
                last_saved = now
                save(args.save, so_far())

        options: dict[str, Any] = {
            "first_nonce": args.first_nonce,
            "until": args.until,
            "keep": args.keep,
            "resume": saved,
            "progress": progress,
        }
        if args.cluster is None:
            return simulate(build, key, args.spins, threads=args.threads, **options)
        with Cluster(args.cluster) as cluster:
            return simulate(
                build,
                key,
                args.spins,
                threads=min(256, cluster.threads),
                executor=cluster.executor,
                shard=remote_shard(path.read_text("utf-8"), build, key, args.keep),
                plain=remote_shard(path.read_text("utf-8"), build, key, None),
                together=CLUSTER_SHARDS,
                **options,
            )


def needed(until: Until, result: Simulation) -> float:
    """Rounds that a rule will take, as it looks now."""
    if until.figure == "rtp":
        spread = result.sd
    else:
        share = result.hit_frequency if until.figure == "hit_frequency" else result.feature_frequency
        spread = math.sqrt(share * (1 - share))
    return max(result.rounds, (z_for(until.confidence) * spread / until.half_width) ** 2)


def as_json(result: Simulation, confidence: float) -> dict[str, Any]:
    parts = sum(result.rtp_parts.values())
    return {
        "game": result.build.model.id,
        "profile": result.build.profile.name,
        "build_hash": result.build.build_hash,
        "callbacks": dict(result.build.model.callbacks),
        "first_nonce": result.first_nonce,
        "rounds": result.rounds,
        "finished": result.finished,
        "confidence": confidence,
        "rtp": result.rtp,
        "rtp_standard_error": result.rtp_error,
        "rtp_interval": result.rtp_interval(confidence),
        "rtp_parts": {**result.rtp_parts, **({MAXIMUM: result.rtp - parts} if result.totals["capped"] else {})},
        "sd": result.sd,
        "volatility_index": Z_90 * result.sd,
        "hit_frequency": result.hit_frequency,
        "hit_frequency_standard_error": result.frequency_error(result.totals["hits"]),
        "hit_frequency_interval": result.interval(result.totals["hits"], confidence),
        "feature_frequency": result.feature_frequency,
        "feature_frequency_standard_error": result.frequency_error(result.totals["features"]),
        "feature_frequency_interval": result.interval(result.totals["features"], confidence),
        "free_spins_per_feature": result.free_spins_per_feature,
        "trigger_frequencies": result.trigger_frequencies,
        "max_win": result.max_win,
        "max_win_nonce": result.totals["win_max_nonce"],
        "distribution": dict(zip(class_labels(), result.distribution.tolist(), strict=True)),
        "sums": {"win_units": result.totals["win"], "win_units_squared": result.totals["win_squared"]},
        "kept": [{"nonce": nonce, "win_units": win, "win": win / result.stake_units} for nonce, win in result.kept],
    }


def draw(console: Console, result: Simulation, args: argparse.Namespace) -> None:
    """The estimates, the win classes, and what was kept."""
    draw_section(console, estimates(result, args.confidence))
    classes = Table("win, stakes", "rounds", "share", "", title="Distribution")
    widest = max(result.distribution.max(), 1)
    for label, rounds in zip(class_labels(), result.distribution.tolist(), strict=True):
        bar = "█" * round(30 * rounds / widest) or ("▏" if rounds else "")
        classes.add_row(label, f"{rounds:,}", f"{rounds / result.rounds * 100:.5f} %", bar)
    console.print(classes)
    if result.keep is not None:
        draw_kept(console, result, args)


def draw_kept(console: Console, result: Simulation, args: argparse.Namespace) -> None:
    """The rounds that were remembered, and how to look at one."""
    if not result.kept:
        console.print(f"no round to keep: {result.keep}", highlight=False)
        return
    table = Table("nonce", "win", title=f"Rounds kept: {result.keep}")
    for number, win in result.kept[:SHOWN_KEPT]:
        table.add_row(str(number), f"{win / result.stake_units:,.2f} x")
    console.print(table)
    more = len(result.kept) - SHOWN_KEPT
    if more > 0:
        console.print(f"and {more:,} more; --save or --json have them all", highlight=False)
    command = ["rgs", "spin", args.game, *(["--profile", args.profile] if args.profile else [])]
    command += ["--mode", args.mode] if args.mode else []
    if args.server_seed is not None:
        command += ["--server-seed", "HEX"]  # a secret is not repeated on the screen
    elif args.seed != DEFAULT_SEED:
        command += ["--seed", args.seed]
    if args.client_seed:
        command += ["--client-seed", args.client_seed]
    command += ["--nonce", str(result.kept[0][0])]
    console.print(f"draw one: {shlex.join(command)}", highlight=False, markup=False, soft_wrap=True)
