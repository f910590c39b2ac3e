"""rgs new: begin a game with a commented model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from rgs_core import games
from rgs_core.commands.arguments import OK
from rgs_core.language.starters import DEFAULT_KIND, kinds, starter

HELP = "write a commented model file to begin a game with"
EXAMPLES = """\
  rgs new my_game                 (writes my_game.toml here; never over a file)
  rgs new my_game --kind cascade"""


def configure(parser: argparse.ArgumentParser) -> None:
    known = kinds()
    width = max(map(len, known))
    shown = "\n".join(f"  {kind:<{width}}  {text}" for kind, text in known.items())
    parser.description = f"{parser.description}\n\nkinds:\n{shown}"
    parser.add_argument("name", metavar="NAME", help="id of the game: small letters, digits and _, first a letter")
    parser.add_argument(
        "--kind",
        choices=list(known),
        default=DEFAULT_KIND,
        metavar="KIND",
        help="one of the above (default: %(default)s)",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    text = starter(args.name, args.kind)
    if args.name in games.shipped():
        raise ValueError(f"'{args.name}' is a shipped game; take another name")
    path = Path(f"{args.name}.toml")
    write_new(path, text)
    console.print(f"wrote {path}: {kinds()[args.kind]}", highlight=False, markup=False, soft_wrap=True)
    console.print("It explains itself; open it in an editor. Then", highlight=False)
    for command, what in (
        (f"rgs check {path}", "says what is wrong with it, with line and remedy"),
        (f"rgs parsheet {path}", "its RTP and all other figures, exact where it has a law"),
        (f"rgs simulate {path}", "plays ten million rounds of it"),
        (f"rgs spin {path}", "draws one round"),
    ):
        console.print(f"  {command:<{len(args.name) + 20}}  {what}", highlight=False, markup=False, soft_wrap=True)
    return OK


def write_new(path: Path, text: str) -> None:
    """Writes a file that must not be there yet, whole or not at all."""
    try:
        file = path.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise FileExistsError(f"{path} is already there and stays as it is; take another name or move it") from None
    try:
        with file:
            file.write(text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
