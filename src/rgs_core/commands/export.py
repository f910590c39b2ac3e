"""rgs export: play rounds and write them as books, for publishers that draw from finished rounds."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rgs_core.analysis import analyse
from rgs_core.books import BOOKS_MAX, PUBLISHED_STEP, Books, write_books, zstandard
from rgs_core.commands.arguments import OK, add_game, add_json, add_seed, chosen_build, chosen_key, count, nonce
from rgs_core.errors import AnalysisError
from rgs_core.model import Build

HELP = "play rounds and write them as books: index.json, look-up table, events (Stake Engine's format)"
EXAMPLES = """\
  rgs export my_game.toml --books 1e5 --out books/
  rgs export lantern_tide --profile rtp_94 --books 1_000_000 --seed release-1 --out books/
  rgs export my_game.toml --books 1e6 --first-nonce 1000000 --out more/       (the next million)"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    add_seed(parser)
    parser.add_argument("--books", type=count, required=True, metavar="N", help=f"rounds, 1 to {BOOKS_MAX:,}")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write; it must be new or empty")
    parser.add_argument("--first-nonce", type=nonce, default=0, metavar="N", help="first round (default: %(default)s)")
    parser.add_argument(
        "--no-padding", action="store_true", help="boards without the symbols above and below the rows in view"
    )
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    build, _ = chosen_build(args)
    key = chosen_key(args)
    if args.books > BOOKS_MAX:
        raise ValueError(f"--books {args.books:,} is more than {BOOKS_MAX:,}")
    zstandard()
    started = time.perf_counter()
    with new_folder(args.out) as folder:
        written = play(build, key, folder, args, console)
    seconds = time.perf_counter() - started
    exact, reason = exact_rtp(build)
    if args.json:
        print(json.dumps(as_json(build, written, args.out, exact), indent=2))
        return OK
    draw(console, build, written, args.out, exact, reason)
    console.print(f"[dim]{written.books / seconds:,.0f} books/s[/dim]", highlight=False)
    return OK


@contextmanager
def new_folder(name: str) -> Iterator[Path]:
    """A temporary folder that becomes the folder `name` when the block ends well: whole or not at all."""
    target = Path(name)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{name} is a file; --out names a folder")
    if target.is_dir() and any(target.iterdir()):
        raise FileExistsError(f"{name} is not empty; --out names a folder that is new or empty")
    target = target.resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"no folder {target.parent} to write {target.name} in")
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def play(build: Build, key: bytes, folder: Path, args: argparse.Namespace, console: Console) -> Books:
    """Writes the books with a progress bar (on a terminal only)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    shown = Progress(*columns, console=Console(stderr=True), disable=args.json or not console.is_terminal)
    with shown as bar:
        task = bar.add_task(build.label, total=args.books, rate="")

        def progress(books: int) -> None:
            speed = bar.tasks[task].speed
            bar.update(task, completed=books, rate=f"{speed:,.0f}/s" if speed else "")

        return write_books(
            build,
            key,
            args.books,
            folder,
            first_nonce=args.first_nonce,
            padding=not args.no_padding,
            progress=progress,
        )


def exact_rtp(build: Build) -> tuple[float | None, str]:
    """The exact RTP, or None and why there is none."""
    try:
        analysis = analyse(build)
    except AnalysisError as error:
        return None, str(error)
    return (None, analysis.methods["rtp"]) if analysis.rtp is None else (float(analysis.rtp), "")


def as_json(build: Build, written: Books, out: str, exact: float | None) -> dict[str, Any]:
    return {
        "game": build.model.id,
        "profile": build.profile.name,
        "build_hash": build.build_hash,
        "out": out,
        "books": written.books,
        "first_nonce": written.first_nonce,
        "rtp": written.rtp,
        "rtp_half_width_95": written.half_width(),
        "rtp_exact": exact,
        "rtp_free_spins": written.free_payout / (100 * written.books),
        "hit_frequency": written.hits / written.books,
        "feature_frequency": written.features / written.books,
        "max_win": written.payout_max / 100,
        "payouts_off_step": written.off_step,
    }


def draw(console: Console, build: Build, written: Books, out: str, exact: float | None, reason: str) -> None:
    """What was written, beside the exact RTP."""
    table = Table("figure", "value", "", title=f"{written.books:,} books of {build.label}")
    table.columns[1].justify = "right"
    table.add_row("RTP of the books", f"{written.rtp * 100:.6f} %", "every book with weight 1")
    width = f"so many books are within {written.half_width() * 100:.4f} % of it in 95 of 100 cases"
    table.add_row("exact RTP", "none" if exact is None else f"{exact * 100:.6f} %", escape(reason) or width)
    table.add_row("hit frequency", f"{written.hits / written.books * 100:.4f} %", "")
    table.add_row("with free spins", f"{written.features / written.books * 100:.4f} %", "")
    table.add_row("largest win", f"{written.payout_max / 100:,.2f} x", "")
    table.add_row("rounds", f"{written.first_nonce} to {written.first_nonce + written.books - 1}", "nonces of the seed")
    console.print(table)
    console.print(f"wrote {out}", highlight=False, markup=False, soft_wrap=True)
    if written.off_step:
        step = PUBLISHED_STEP / 100
        console.print(
            f"{written.off_step:,} books pay what is no multiple of {step} x; Stake Engine's own check refuses those. "
            f"Pays that are multiples of {step} stakes, such as line bets of a tenth, avoid them.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
