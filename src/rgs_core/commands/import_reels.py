"""rgs import: reels of other tools as a profile of a model."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console

from rgs_core import games
from rgs_core.commands.arguments import OK, written
from rgs_core.language.model_file import load
from rgs_core.language.strip_files import find_sets
from rgs_core.language.strip_import import (
    checked_symbols,
    choose,
    completed,
    pairs,
    profile_text,
    strip_sets,
    translate,
    with_profile,
)

HELP = "turn reels of other tools (CSV, YAML, JSON) into a profile of a model"
EXAMPLES = """\
  rgs import reels/BR0.csv --model my_game.toml --profile from_csv             (prints the profile)
  rgs import reels/ --model my_game.toml --profile rtp_97 --map BR0=base,FR0=free --write
  rgs import reels/ --model my_game.toml --profile p2 --map BR0=base,FR0=free --symbols S=star,W=wild,H1=seven
  rgs import pearl_data.yaml --model pearl.toml --profile rtp_96 --map 96.178109=base,bon=free --write
  rgs import base.json --model my_game.toml --profile p3 --others-from rtp_95 --write"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", metavar="SOURCE", nargs="+", help="CSV, YAML or JSON files with reels, or folders of CSV files"
    )
    parser.add_argument("--model", required=True, metavar="MODEL.toml", help="the model that has the symbols")
    parser.add_argument("--profile", required=True, metavar="NAME", help="name of the new profile")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--set", metavar="SET", dest="single", help="strip set of the only reels (default: base)")
    which.add_argument(
        "--map", metavar="LABEL=SET,...", help="which reels are which strip set: BR0=base,FR0=free; 96.17=base,bon=free"
    )
    parser.add_argument(
        "--symbols",
        metavar="THEIRS=OURS,...",
        help="what their symbols are called in the model; numbers count its symbols from 1 unless one is named here",
    )
    parser.add_argument("--others-from", metavar="PROFILE", help="take strip sets that are not imported from a profile")
    parser.add_argument("--write", action="store_true", help="append the profile to the model file instead of printing")


def run(args: argparse.Namespace, console: Console) -> int:
    path = games.find(args.model)
    model = load(path)
    if args.write and not Path(args.model).is_file():
        raise ValueError(f"'{args.model}' is a shipped game; --write changes only a file that is named by its path")
    mapping = pairs(args.map, "BR0=base,FR0=free") if args.map else None
    symbols = checked_symbols(model, pairs(args.symbols, "1=wild,2=A") if args.symbols else {})
    found = [one for source in args.sources for one in find_sets(Path(source))]
    strips = completed(model, translate(model, choose(model, found, mapping, args.single), symbols), args.others_from)
    section = profile_text(args.profile, strips)
    missing = [name for name in strip_sets(model) if name not in strips]
    lacks = (
        f"a whole profile also has {', '.join(missing)}; name their reels with --map, or take them with --others-from"
    )
    if args.write:
        if missing:
            raise ValueError(lacks)
        write(path.resolve(), args.profile, section)
        console.print(f"added profile {args.profile} to {args.model}", highlight=False, markup=False, soft_wrap=True)
        command = f"rgs parsheet {args.model} --profile {args.profile}"
        console.print(f"its figures: {command}", highlight=False, markup=False, soft_wrap=True)
        return OK
    print(section, end="")
    if missing:
        print(lacks, file=sys.stderr)
    return OK


def write(path: Path, profile: str, section: str) -> None:
    """Appends a profile to a model file: the whole new file or none. Raises StripsError, OSError."""
    longer = with_profile(path.read_bytes().decode("utf-8"), str(path), profile, section)
    with written(str(path)) as temporary:
        temporary.write_bytes(longer.encode())
        shutil.copymode(path, temporary)
