"""Rounds as *books*: what publishers of games take that play by drawing from a list of finished rounds.

The files are those of Stake Engine: index.json names the modes; for each mode a table of lines
`id,weight,payout`, and the books themselves, one JSON object a line, compressed with Zstandard. Amounts are whole
hundredths of the stake, whatever the mode costs. Book k is round first_nonce + k - 1 of its seed, so `rgs spin` draws
any book again. Weights are all 1: the books are a plain sample, and drawing from them pays what they paid on average.
What a book tells is in rgs_core.books.events.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, BinaryIO

from rgs_core._engine import Engine
from rgs_core.books.events import Narrator
from rgs_core.errors import BooksError
from rgs_core.exact.stats import z_for
from rgs_core.language.model import Build

BOOKS_MAX = 10**7
BLOCK_BOOKS = 2000
"""Books that are written at a time; memory does not grow with their number."""

PUBLISHED_STEP = 10
"""Stake Engine's own check takes only payouts that are multiples of this, in hundredths."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Books:
    """What was written of one mode: sums over all its books, in hundredths of the stake.

    `features`: rounds with spins beyond those of the mode; `off_step`: books whose payout is no multiple of
    PUBLISHED_STEP; `capped`: rounds that the maximum win ended.
    """

    build: Build
    books: int
    first_nonce: int
    payout: int
    payout_squared: int
    free_payout: int
    hits: int
    features: int
    payout_max: int
    off_step: int
    capped: int

    @property
    def cost(self) -> float:
        """What a round of the mode costs, in stakes."""
        return mode_cost(self.build)

    @property
    def rtp(self) -> float:
        """Mean payout / cost of the mode; every book has the same weight."""
        return self.payout / (100 * self.books * self.cost)

    def half_width(self, confidence: float = 0.95) -> float:
        """How far the RTP of so many books is from the exact one at most, with this probability."""
        variance = self.payout_squared / self.books - (self.payout / self.books) ** 2
        return z_for(confidence) * math.sqrt(max(variance, 0.0) / self.books) / (100 * self.cost)


def mode_cost(build: Build) -> float:
    """What a round costs, in stakes, as index.json says it."""
    return build.play.cost_units / build.model.stake_units


def events_name(build: Build) -> str:
    """The file of the books of a mode."""
    return f"books_{build.mode}.jsonl.zst"


def weights_name(build: Build) -> str:
    """The file of the look-up table of a mode."""
    return f"lookUpTable_{build.mode}_0.csv"


def write_index(builds: Sequence[Build], folder: Path) -> None:
    """Writes index.json, which names the files of every mode."""
    modes = [
        {"name": b.mode, "cost": mode_cost(b), "events": events_name(b), "weights": weights_name(b)} for b in builds
    ]
    (folder / "index.json").write_text(json.dumps({"modes": modes}, indent=4) + "\n", "ascii")


def write_books(
    build: Build,
    key: bytes,
    books: int,
    folder: Path,
    *,
    first_nonce: int = 0,
    padding: bool = True,
    progress: Progress | None = None,
) -> Books:
    """Plays `books` rounds of a build in its mode and writes the table and the books into an existing folder.

    Raises ValueError for numbers out of range, BooksError for a build that has no books, or without Zstandard.
    """
    books, first_nonce = index(books), index(first_nonce)
    if not 1 <= books <= BOOKS_MAX:
        raise ValueError(f"the number of books is 1 to {BOOKS_MAX:,}")
    if not 0 <= first_nonce <= 2**64 - books:
        raise ValueError("the last nonce is below 2^64")
    narrator, engine = Narrator(build, padding=padding), Engine(build)
    dump = json.JSONEncoder(separators=(",", ":")).encode
    payout = payout_squared = free_payout = hits = features = payout_max = off_step = capped = 0
    own_spins = build.play.spins
    with (
        compressed(folder / events_name(build)) as events,
        (folder / weights_name(build)).open("w", encoding="ascii") as weights,
    ):
        for start in range(0, books, BLOCK_BOOKS):
            lines: list[str] = []
            rows: list[str] = []
            for number in range(start + 1, min(start + BLOCK_BOOKS, books) + 1):
                played = engine.spin(key, first_nonce + number - 1)
                book = narrator.book(number, played)
                paid = int(book["payoutMultiplier"])
                lines.append(dump(book))
                rows.append(f"{number},1,{paid}\n")
                payout += paid
                payout_squared += paid * paid
                free_payout += round(100 * book["freeGameWins"])
                hits += paid > 0
                features += len(played.spins) > own_spins
                payout_max = max(payout_max, paid)
                off_step += paid % PUBLISHED_STEP != 0
                capped += played.capped
            events.write(("\n".join(lines) + "\n").encode("ascii"))
            weights.writelines(rows)
            if progress is not None:
                progress(start + len(rows))
    return Books(
        build, books, first_nonce, payout, payout_squared, free_payout, hits, features, payout_max, off_step, capped
    )


def zstandard() -> Any:
    """The module that compresses: Python's own from 3.14 on, before that backports.zstd, which is the same."""
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            raise BooksError(
                "books are compressed with Zstandard, which Python has from 3.14 on; before that install it: "
                "pip install 'rgs-core[exchange]' or pip install backports.zstd"
            ) from None
    return zstd


@contextmanager
def compressed(path: Path) -> Iterator[BinaryIO]:
    """A new file whose bytes are compressed as they come."""
    with zstandard().open(path, "wb") as file:
        yield file
