"""rgs certify: write the certificate that declares a build's exact figures."""

from __future__ import annotations

import argparse

from rich.console import Console

from rgs_core.certificate import write_certificate
from rgs_core.commands.arguments import OK, add_game, chosen_build
from rgs_core.games import certificate_path
from rgs_core.sheet import Sheet

HELP = "print a certificate with a build's exact figures, or write it beside the model file"
EXAMPLES = """\
  rgs certify lantern_tide --profile rtp_96
  rgs certify my_game.toml --write"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    parser.add_argument("--write", action="store_true", help="write certificates/GAME.PROFILE.toml beside the model")


def run(args: argparse.Namespace, console: Console) -> int:
    build, path = chosen_build(args)
    text = write_certificate(Sheet.of(build))
    if not args.write:
        print(text, end="")
        return OK
    target = certificate_path(path, build)
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, "utf-8")
    console.print(f"wrote {target}")
    return OK
