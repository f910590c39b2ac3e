"""rgs verify: do exact and simulated figures agree with the certificate?"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rgs_core import games
from rgs_core.certified.certificate import load_certificate
from rgs_core.certified.verification import Check, compare_exact, compare_options, compare_simulated
from rgs_core.commands.arguments import OFF, OK, add_json, add_seed, chosen_key, count
from rgs_core.commands.drawing import draw_callback_note
from rgs_core.language.model import Build
from rgs_core.language.model_file import load
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import simulate

HELP = "compare a build's exact and simulated figures with its certificate; exit 1 when one is off"
EXAMPLES = """\
  rgs verify                                   (every build of every shipped game)
  rgs verify lantern_tide/rtp_96
  rgs verify my_game.toml --certificate my_game.cert.toml --spins 1e8"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("games", metavar="GAME", nargs="*", help="shipped ids or model files; all shipped by default")
    parser.add_argument("--profile", help="one profile only; every profile by default")
    parser.add_argument("--mode", help="with --profile: another mode than the base one; all modes by default")
    parser.add_argument("--certificate", metavar="FILE", help="certificate; certificates/GAME.PROFILE.toml by default")
    parser.add_argument(
        "--spins", type=count, metavar="N", help="rounds to simulate; what the certificate says by default"
    )
    parser.add_argument("--visit", action="store_true", help="count every combination of stops too; seconds to minutes")
    parser.add_argument(
        "--threads", type=count, default=min(256, os.cpu_count() or 1), metavar="N", help="default: all cores"
    )
    add_seed(parser)
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    chosen: list[tuple[Build, Path]] = []
    for name in args.games or list(games.shipped()):
        if args.profile or args.mode or (not Path(name).exists() and ("/" in name or "@" in name)):
            chosen.append(games.find_build(name, args.profile, args.mode))
            continue
        path = games.find(name)
        chosen += [(mode, path) for build in games.builds(load(path)) for mode in games.modes(build)]
    if args.certificate and len(chosen) != 1:
        raise ValueError("--certificate belongs to one build; name GAME and --profile")
    reports: dict[str, list[Check]] = {}
    builds = {build.label: build for build, _ in chosen}
    for build, path in chosen:
        certificate = load_certificate(
            Path(args.certificate) if args.certificate else games.certificate_path(path, build)
        )
        with console.status(f"verifying {build.label}"):
            sheet = Sheet.of(build, visit=args.visit)
            checks = compare_exact(certificate, sheet)
            rounds = args.spins or certificate.simulation_rounds
            result = simulate(build, chosen_key(args), rounds, threads=args.threads)
            checks += [*compare_options(build), *compare_simulated(certificate, result, sheet)]
        reports[build.label] = checks
    off = sum(not check.ok for checks in reports.values() for check in checks)
    if args.json:
        checked = {label: [asdict(check) for check in checks] for label, checks in reports.items()}
        callbacks = {label: dict(build.model.callbacks) for label, build in builds.items() if build.model.callbacks}
        print(json.dumps({"ok": off == 0, "builds": checked, "callbacks": callbacks}, indent=2))
        return OFF if off else OK
    for label, checks in reports.items():
        table = Table("figure", "way", "declared", "measured", "allowed", "", title=label, title_justify="left")
        for check in checks:
            mark = "[green]ok[/green]" if check.ok else "[bold red]OFF[/bold red]"
            table.add_row(check.figure, check.method, check.declared, check.measured, check.allowed, mark)
        console.print(table)
        draw_callback_note(console, builds[label])
    if off:
        console.print(f"[bold red]{off} figures are off.[/bold red] Build and certificate do not belong together.")
    else:
        all_of = "1 build" if len(reports) == 1 else f"{len(reports)} builds"
        console.print(f"[bold green]All figures of {all_of} agree.[/bold green]")
    return OFF if off else OK
