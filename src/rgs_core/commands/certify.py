"""rgs certify: write the certificate that declares a build's exact figures, or estimates where there are none."""

from __future__ import annotations

import argparse
import os

from rich.console import Console

from rgs_core.certified.certificate import write_certificate
from rgs_core.commands.arguments import OK, add_game, chosen_build, count
from rgs_core.commands.drawing import draw_callback_note
from rgs_core.game import seeded_key
from rgs_core.games import certificate_path
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import simulate

HELP = "print a certificate with a build's figures, exact where they can be, or write it beside the model file"
EXAMPLES = """\
  rgs certify lantern_tide --profile rtp_96
  rgs certify my_game.toml --write
  rgs certify my_game.toml --spins 1e9 --write   (a game without exact figures: simulated)"""


SPINS = 100_000_000
ROUNDS = 5_000_000
"""Rounds that `rgs verify` plays of a build without exact figures, which is not played in lanes."""

PLAIN_SPINS = 200_000
PLAIN_ROUNDS = 50_000
"""The same of a build with a callback, which plain Python plays."""

SEED = "certificate"
"""Of the estimates: another one than that of `rgs verify`, so that the two are independent."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    parser.add_argument(
        "--spins",
        type=count,
        metavar="N",
        help=f"rounds behind figures without an exact value (default: {SPINS:.0e}, with a callback {PLAIN_SPINS:.0e})",
    )
    parser.add_argument("--write", action="store_true", help="write certificates/GAME.PROFILE.toml beside the model")


def run(args: argparse.Namespace, console: Console) -> int:
    build, path = chosen_build(args)
    with Console(stderr=True).status(f"computing the figures of {build.label}"):
        sheet = Sheet.of(build)
    plain = bool(build.model.callbacks)
    spins = args.spins or (PLAIN_SPINS if plain else SPINS)
    simulation = None
    if sheet.rtp is None:
        threads = min(256, os.cpu_count() or 1)
        with Console(stderr=True).status(f"{spins:,} rounds of {build.label}, which has no exact figures"):
            simulation = simulate(build, seeded_key(SEED), spins, threads=threads)
    text = write_certificate(
        sheet, simulation=simulation, **({} if simulation is None else {"rounds": PLAIN_ROUNDS if plain else ROUNDS})
    )
    if not args.write:
        print(text, end="")
        return OK
    target = certificate_path(path, build)
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, "utf-8")
    console.print(f"wrote {target}")
    draw_callback_note(console, build)
    return OK
