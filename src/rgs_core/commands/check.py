"""rgs check: is a model file right, and what does it describe?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rgs_core import games
from rgs_core.commands.arguments import OK, add_json
from rgs_core.errors import ModelError, RgsError
from rgs_core.model import Model
from rgs_core.model_file import load

HELP = "read a model file and list everything that is wrong with it"
EXAMPLES = """\
  rgs check my_game.toml
  rgs check lantern_tide --json
  rgs check                    (all shipped games)"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("games", metavar="GAME", nargs="*", help="model files or shipped ids; all shipped by default")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    paths: list[Path] = [games.find(name) for name in args.games] or list(games.shipped().values())
    models: list[Model] = []
    broken: list[ModelError] = []
    for path in paths:
        try:
            models.append(load(path))
        except ModelError as error:
            broken.append(error)
    if broken:
        raise RgsError("\n".join(map(str, broken)))
    if args.json:
        rows = [
            {"game": b.model.id, "profile": b.profile.name, "build_hash": b.build_hash, "valid": True}
            for model in models
            for b in games.builds(model)
        ]
        print(json.dumps(rows, indent=2))
        return OK
    table = Table("build", "title", "grid", "lines", "states", "strip lengths", "build hash", title="Valid builds")
    for model in models:
        for build in games.builds(model):
            state = model.states["base"]
            lines = model.lines_of(state)
            table.add_row(
                build.label,
                escape(f"{model.title} {model.version}"),
                f"{model.reels} x {model.rows}",
                str(len(lines.paylines)) if lines else "-",
                ", ".join(model.states),
                " ".join(str(len(strip.symbols)) for strip in build.strips(state)),
                f"{build.build_hash[:19]}…",
            )
    console.print(table)
    return OK
