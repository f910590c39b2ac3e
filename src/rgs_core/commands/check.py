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
from rgs_core.engine.playing import Player, player
from rgs_core.errors import ModelError, RgsError
from rgs_core.game import DEFAULT_SEED, seeded_key
from rgs_core.language.model import Build, Model
from rgs_core.language.model_file import load

HELP = "read a model file and list everything that is wrong with it"
EXAMPLES = """\
  rgs check my_game.toml
  rgs check lantern_tide --json
  rgs check                    (all shipped games)"""


TRIAL_ROUNDS = 200
"""Rounds that a build with a callback plays here, so that most mistakes of its function show themselves."""


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
            {
                "game": build.model.id,
                "profile": build.profile.name,
                "build_hash": build.build_hash,
                "valid": True,
                "kernel": plays.kernel,
                "simd": plays.simd,
                "general_because": plays.general_because,
                "callbacks": dict(model.callbacks),
            }
            for model in models
            for build in games.builds(model)
            for plays in [tried(build)]
        ]
        print(json.dumps(rows, indent=2))
        return OK
    table = Table("build", "title", "grid", "strip lengths", "kernel", "build hash", title="Valid builds")
    table.columns[0].no_wrap = True
    remarks: list[str] = []
    for model in models:
        slow: dict[str, list[str]] = {}
        if model.modes:
            modes = ", ".join(f"{mode.name} ({mode.cost_units:,} units)" for mode in model.modes.values())
            remarks.append(f"{model.id} has modes beside the base one: {modes}")
        for build in games.builds(model):
            plays = tried(build)
            if model.callbacks:
                remarks.append(
                    f"{build.label} is played by plain Python, tried with {TRIAL_ROUNDS} rounds. {model.callback_note}"
                )
            elif plays.general_because:
                slow.setdefault(plays.general_because, []).append(build.profile.name)
            state = model.states["base"]
            lines = len(model.paylines_of(state))
            pays = f"{lines} lines" if lines else ", ".join(model.evaluators[n].kind for n in state.evaluators)
            table.add_row(
                build.label,
                escape(f"{model.title} {model.version}"),
                f"{model.reels} x {rows_text(model)}, {pays}",
                " ".join(str(len(strip.symbols)) for strip in build.profile.strips[state.strips]),
                f"{plays.kernel} {plays.simd}" if plays.kernel == "lanes" else plays.kernel,
                build.build_hash[:15],
            )
        for reason, profiles in slow.items():
            names = f"{model.id}/{', '.join(profiles)}"
            remarks.append(f"{names}: played by the general kernel ({reason})")
    console.print(table)
    for remark in remarks:
        console.print(remark, highlight=False, markup=False, soft_wrap=True)
    return OK


def tried(build: Build) -> Player:
    """What plays a build, after some rounds where there is a callback. Raises CallbackError when it fails in one."""
    plays = player(build)
    if build.model.callbacks:
        for mode in games.modes(build):
            player(mode).simulate(seeded_key(DEFAULT_SEED), 0, TRIAL_ROUNDS)
    return plays


def rows_text(model: Model) -> str:
    """Rows in view of the base state: "3", or "2 to 7" where they differ or are drawn."""
    heights = model.states["base"].heights
    values = [value for table in heights for value in table.values] if heights else [model.rows]
    return str(model.rows) if min(values) == max(values) else f"{min(values)} to {max(values)}"
