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

from rgs_core import games
from rgs_core.books.files import BOOKS_MAX, PUBLISHED_STEP, Books, write_books, write_index, zstandard
from rgs_core.commands.arguments import OK, add_game, add_json, add_seed, chosen_build, chosen_key, count, nonce
from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.language.model import BASE_MODE, Build

HELP = "play rounds and write them as books: index.json, look-up table, events (Stake Engine's format)"
EXAMPLES = """\
  rgs export my_game.toml --books 1e5 --out books/
  rgs export lantern_tide --profile rtp_94 --books 1_000_000 --seed release-1 --out books/
  rgs export clockwork_aviary --books 1e5 --out books/               (base, ante and buy)
  rgs export clockwork_aviary --mode buy --books 1e5 --out bought/   (the bought feature alone)
  rgs export my_game.toml --books 1e6 --first-nonce 1000000 --out more/       (the next million)"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_game(parser)
    add_seed(parser)
    parser.add_argument(
        "--books", type=count, required=True, metavar="N", help=f"rounds of each mode, 1 to {BOOKS_MAX:,}"
    )
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
    restricted = args.mode is not None or build.mode != BASE_MODE
    builds = [build] if restricted else games.modes(build)
    started = time.perf_counter()
    with new_folder(args.out) as folder:
        modes = [play(one, key, folder, args, console) for one in builds]
        write_index(builds, folder)
    seconds = time.perf_counter() - started
    exact = [exact_rtp(one) for one in builds]
    if args.json:
        print(json.dumps(as_json(build, modes, args.out, [rtp for rtp, _ in exact]), indent=2))
        return OK
    for written, (rtp, reason) in zip(modes, exact, strict=True):
        draw(console, written, rtp, reason)
    console.print(f"wrote {args.out}", highlight=False, markup=False, soft_wrap=True)
    warn(console, modes)
    console.print(f"[dim]{len(modes) * args.books / seconds:,.0f} books/s[/dim]", highlight=False)
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


def as_json(build: Build, modes: list[Books], out: str, exact: list[float | None]) -> dict[str, Any]:
    return {
        "game": build.model.id,
        "profile": build.profile.name,
        "build_hash": build.build_hash,
        "out": out,
        "modes": [mode_json(written, rtp) for written, rtp in zip(modes, exact, strict=True)],
    }


def mode_json(written: Books, exact: float | None) -> dict[str, Any]:
    """What was written of one mode; figures are of payout / cost of the mode, but for the largest win, in stakes."""
    return {
        "mode": written.build.mode,
        "cost": written.cost,
        "books": written.books,
        "first_nonce": written.first_nonce,
        "rtp": written.rtp,
        "rtp_half_width_95": written.half_width(),
        "rtp_exact": exact,
        "rtp_free_spins": written.free_payout / (100 * written.books * written.cost),
        "hit_frequency": written.hits / written.books,
        "feature_frequency": written.features / written.books,
        "max_win": written.payout_max / 100,
        "max_win_reached": written.capped,
        "payouts_off_step": written.off_step,
    }


def draw(console: Console, written: Books, exact: float | None, reason: str) -> None:
    """What was written of one mode, beside the exact RTP."""
    table = Table("figure", "value", "", title=f"{written.books:,} books of {written.build.label}")
    table.columns[1].justify = "right"
    table.add_row("RTP of the books", f"{written.rtp * 100:.6f} %", "every book with weight 1")
    width = f"so many books are within {written.half_width() * 100:.4f} % of it in 95 of 100 cases"
    table.add_row("exact RTP", "none" if exact is None else f"{exact * 100:.6f} %", escape(reason) or width)
    if written.build.mode != BASE_MODE:
        table.add_row("cost of a round", f"{written.cost:,g} x", "in stakes; RTP is of it, payouts are of the stake")
    table.add_row("hit frequency", f"{written.hits / written.books * 100:.4f} %", "")
    table.add_row("with further spins", f"{written.features / written.books * 100:.4f} %", "")
    table.add_row("largest win", f"{written.payout_max / 100:,.2f} x", "")
    if written.build.model.win_max is not None:
        table.add_row("ended by the maximum win", f"{written.capped:,}", "")
    table.add_row("rounds", f"{written.first_nonce} to {written.first_nonce + written.books - 1}", "nonces of the seed")
    console.print(table)


def warn(console: Console, modes: list[Books]) -> None:
    """Payouts that the publisher's own check does not take."""
    off_step = sum(written.off_step for written in modes)
    if off_step:
        step = PUBLISHED_STEP / 100
        console.print(
            f"{off_step:,} books pay what is no multiple of {step} x; Stake Engine's own check refuses those. "
            f"Pays that are multiples of {step} stakes, such as line bets of a tenth, avoid them.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
