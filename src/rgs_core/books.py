"""Rounds as *books*: what publishers of games take that play by drawing from a list of finished rounds.

The files are those of Stake Engine: index.json names the modes; for each mode a table of lines
`id,weight,payout`, and the books themselves, one JSON object a line, compressed with Zstandard. Amounts are whole
hundredths of the stake. Book k is round first_nonce + k - 1 of its seed, so `rgs spin` draws any book again.
Weights are all 1: the books are a plain sample, and drawing from them pays what they paid on average.

Events of a book, in order: for each spin (`updateFreeSpin` before a free one) `reveal`, `winInfo` and `setWin` when
it won, `pickBonus` for each pick bonus, `setTotalWin`, `freeSpinTrigger` or `freeSpinRetrigger`; after the last free
spin `freeSpinEnd`; at the end `finalWin`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from operator import index
from pathlib import Path
from typing import Any, BinaryIO

from rgs_core._engine import Engine
from rgs_core.errors import BooksError
from rgs_core.mechanics import Cluster, Combinations, Count, FreeSpinsTrigger, Lines, Pick, Scatter, Ways
from rgs_core.model import BASE_MODE, START_STATE, Build, State
from rgs_core.outcome import FreeSpinsAward, PickBonus, Played, Spin, Win
from rgs_core.stats import z_for

BOOKS_MAX = 10**7
MODE = "base"
BLOCK_BOOKS = 2000
"""Books that are written at a time; memory does not grow with their number."""

WIN_LEVELS = (10, 100, 200, 500, 1_500, 3_000, 5_000, 10_000, 500_000)
"""Hundredths from which the win of a spin has level 2, 3, ...: how loudly it is celebrated."""

FEATURE_LEVELS = (100, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 200_000, 500_000)
"""The same for all that free spins won."""

PUBLISHED_STEP = 10
"""Stake Engine's own check takes only payouts that are multiples of this, in hundredths."""

_KNOWN = {
    Spin: {"state", "sub_spin", "stops", "window", "wins", "awards"},
    Win: {"evaluator", "line", "symbol", "count", "wild_multiplier", "multiplier", "amount_units"},
}
_UNKNOWN = {
    record: [(f.name, f.default) for f in fields(record) if f.name not in known and f.default is not MISSING]
    for record, known in _KNOWN.items()
}
"""Fields of records that no event tells of, with the value at which there is nothing to tell."""

Event = dict[str, Any]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Books:
    """What was written: sums over all books. `off_step`: books whose payout is no multiple of PUBLISHED_STEP."""

    books: int
    first_nonce: int
    payout: int
    payout_squared: int
    free_payout: int
    hits: int
    features: int
    payout_max: int
    off_step: int

    @property
    def rtp(self) -> float:
        """Mean payout / stake; every book has the same weight."""
        return self.payout / (100 * self.books)

    def half_width(self, confidence: float = 0.95) -> float:
        """How far the RTP of so many books is from the exact one at most, with this probability."""
        variance = self.payout_squared / self.books - (self.payout / self.books) ** 2
        return z_for(confidence) * math.sqrt(max(variance, 0.0) / self.books) / 100


class Narrator:
    """Tells rounds of one build as books. Raises BooksError for a build whose prizes are no whole hundredths.

    With `padding` each reel of a board has the symbol above and the one below it as well, as math-sdk's boards do,
    and rows are counted from the one above.
    """

    def __init__(self, build: Build, *, padding: bool = True) -> None:
        if build.mode != BASE_MODE:
            raise BooksError(f"books are written of the mode '{BASE_MODE}', not of '{build.mode}'")
        self._model = build.model
        self._stake = build.model.stake_units
        self._padding = padding
        check_hundredths(build)
        scatters = {e.symbol for e in build.model.evaluators.values() if isinstance(e, Scatter)}
        self._cells: dict[str, Event] = {
            symbol: {"name": symbol, **({"wild": True} if build.model.read(symbol)[0] in build.model.wilds else {})}
            for symbol in build.model.symbols
        }
        for state in build.model.states.values():
            scatters |= {t.symbol for t in state.triggers if isinstance(t, FreeSpinsTrigger)}
        for symbol, cell in self._cells.items():
            if build.model.read(symbol)[0] in scatters:
                cell["scatter"] = True
        self._states = {name: _StateView(build, state) for name, state in build.model.states.items()}

    def book(self, number: int, played: Played) -> Event:
        """One round as a book, JSON-ready. Raises BooksError when it has no form as one."""
        if getattr(played, "capped", False):
            raise BooksError("a round was ended by the maximum win, for which books have no event here")
        events: list[Event] = []
        spins = played.spins
        granted = total = free = 0
        for spin in spins:
            is_free = spin.sub_spin > 0
            if is_free:
                events.append({"type": "updateFreeSpin", "amount": spin.sub_spin - 1, "total": granted})
            won = self._spin(spin, events)
            total += won
            free += won if is_free else 0
            events.append({"type": "setTotalWin", "amount": total})
            granted = self._awards(spin, granted, events)
        if len(spins) > 1:
            events.append({"type": "freeSpinEnd", "amount": free, "winLevel": _level(free, FEATURE_LEVELS)})
        payout = self.hundredths(played.win_units)
        if payout != total or granted != len(spins) - 1:
            raise BooksError(f"book {number}: its events do not add up to its win; do not use these books")
        events.append({"type": "finalWin", "amount": payout})
        return {
            "id": number,
            "payoutMultiplier": payout,
            "events": [{"index": i, **event} for i, event in enumerate(events)],
            "criteria": "freegame" if len(spins) > 1 else "basegame" if payout else "0",
            "baseGameWins": (payout - free) / 100,
            "freeGameWins": free / 100,
        }

    def hundredths(self, units: int) -> int:
        """An amount of units in hundredths of the stake. Raises BooksError when that is no whole number."""
        amount, rest = divmod(100 * units, self._stake)
        if rest:
            raise BooksError(f"a win of {units} of {self._stake} units is no whole number of hundredths of the stake")
        return amount

    def _spin(self, spin: Spin, events: list[Event]) -> int:
        """Appends what a spin shows and wins; returns its win in hundredths."""
        _refuse_unknown(spin)
        view = self._states[spin.state]
        events.append(self._reveal(spin, view))
        won = 0
        if spin.wins:
            wins = [self._win(win, spin, view) for win in spin.wins]
            line_total = sum(win["win"] for win in wins)
            won += line_total
            events.append({"type": "winInfo", "totalWin": line_total, "wins": wins})
        for award in spin.awards:
            if isinstance(award, PickBonus):
                amount = self.hundredths(award.amount_units)
                won += amount
                prizes = [[self.hundredths(units) for units in place] for place in award.prizes]
                events.append(
                    {"type": "pickBonus", "name": award.trigger, "line": award.line, "prizes": prizes, "amount": amount}
                )
            elif not isinstance(award, FreeSpinsAward):
                raise BooksError(f"books have no event here for what '{award.trigger}' started")
        if won:
            events.append({"type": "setWin", "amount": won, "winLevel": _level(won, WIN_LEVELS)})
        return won

    def _reveal(self, spin: Spin, view: _StateView) -> Event:
        cells = self._cells
        board = [[cells[symbol] for symbol in reel] for reel in spin.window]
        if self._padding:
            for column, symbols, stop in zip(board, view.strips, spin.stops, strict=True):
                column.append(cells[symbols[(stop + len(column)) % len(symbols)]])
                column.insert(0, cells[symbols[stop - 1]])
        return {
            "type": "reveal",
            "board": board,
            "paddingPositions": list(spin.stops),
            "gameType": "basegame" if spin.state == START_STATE else "freegame",
            "anticipation": view.anticipation(spin),
        }

    def _win(self, win: Win, spin: Spin, view: _StateView) -> Event:
        _refuse_unknown(win)
        multiplier = win.wild_multiplier * win.multiplier
        meta: Event = {
            "multiplier": multiplier,
            "winWithoutMult": self.hundredths(win.amount_units // multiplier),
            "globalMult": win.multiplier,
        }
        if win.line is None:
            positions = self._where(spin, win.symbol)
        else:
            line = list(enumerate(view.paylines[win.line - 1]))
            cells = self._model.cells_of([spin.window[reel][row] for reel, row in line], win.count)
            positions = [self._at(reel, row) for reel, row in line[:cells]]
            meta = {"lineIndex": win.line, **meta, "lineMultiplier": win.wild_multiplier}
        amount = self.hundredths(win.amount_units)
        return {"symbol": win.symbol, "kind": win.count, "win": amount, "positions": positions, "meta": meta}

    def _awards(self, spin: Spin, granted: int, events: list[Event]) -> int:
        """Appends the triggers of free spins; returns how many are granted now, the cap of the round applied."""
        for award in spin.awards:
            if isinstance(award, FreeSpinsAward):
                more = min(award.spins, self._model.free_spins_max - granted)
                if more:
                    granted += more
                    kind = "freeSpinRetrigger" if spin.sub_spin else "freeSpinTrigger"
                    events.append({"type": kind, "totalFs": granted, "positions": self._where(spin, award.symbol)})
        return granted

    def _where(self, spin: Spin, symbol: str) -> list[Event]:
        return [
            self._at(reel, row)
            for reel, column in enumerate(spin.window)
            for row, shown in enumerate(column)
            if self._model.read(shown)[0] == symbol
        ]

    def _at(self, reel: int, row: int) -> Event:
        return {"reel": reel, "row": row + 1 if self._padding else row}


class _StateView:
    """What books need to know of a state."""

    def __init__(self, build: Build, state: State) -> None:
        lines = build.model.lines_of(state)
        self._read = build.model.read
        self.strips = [strip.symbols for strip in build.strips(state)]
        self.paylines = lines.paylines if lines else ()
        triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger)]
        self._scatter = triggers[0].symbol if triggers else ""
        self._needed = min((n for n, spins in triggers[0].spins.items() if spins), default=0) if triggers else 0

    def anticipation(self, spin: Spin) -> list[int]:
        """For each reel 0, or 1, 2, ... where one more scatter is enough for free spins: how long it is held."""
        seen = level = 0
        levels: list[int] = []
        for reel in spin.window:
            level = level + 1 if self._needed > 1 and seen >= self._needed - 1 else 0
            levels.append(level)
            seen += sum(times for symbol, times in map(self._read, reel) if symbol == self._scatter)
        return levels


def check_hundredths(build: Build) -> None:
    """Raises BooksError, naming one, when a prize of the build is no whole number of hundredths of the stake."""
    model = build.model
    prizes: list[tuple[str, int]] = []
    for e in model.evaluators.values():
        place = f"evaluators.{e.name}"
        if isinstance(e, Lines | Ways | Count | Cluster):
            unit = model.line_units if isinstance(e, Lines | Ways) else model.basis_units(e.of)
            prizes += [(f"{place}.pays.{x}.{n}", pay * unit) for x, pays in e.pays.items() for n, pay in pays.items()]
        elif isinstance(e, Combinations):
            prizes += [(f"{place}.combinations[{i}]", c.pay * model.line_units) for i, c in enumerate(e.combinations)]
        elif isinstance(e, Scatter):
            prizes += [(f"{place}.pays.{n}", pay * model.basis_units(e.of)) for n, pay in e.pays.items()]
    for bonus in model.bonuses.values():
        if isinstance(bonus, Pick):
            units = model.basis_units(bonus.of)
            prizes += [(f"bonuses.{bonus.name}.prizes", value * units) for value in bonus.prizes.values]
    for path, units in prizes:
        if 100 * units % model.stake_units:
            raise BooksError(
                f"{build.label} cannot be written as books: they count hundredths of the stake, and {path} is {units} of "
                f"{model.stake_units} units, {100 * units / model.stake_units:.4f} hundredths; "
                "choose stake.units or pays so that all prizes are whole hundredths"
            )


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
    """Plays `books` rounds and writes index.json, the table and the books into an existing folder.

    Raises ValueError for numbers out of range, BooksError for a build that has no books, or without Zstandard.
    """
    books, first_nonce = index(books), index(first_nonce)
    if not 1 <= books <= BOOKS_MAX:
        raise ValueError(f"the number of books is 1 to {BOOKS_MAX:,}")
    if not 0 <= first_nonce <= 2**64 - books:
        raise ValueError("the last nonce is below 2^64")
    narrator, engine = Narrator(build, padding=padding), Engine(build)
    dump = json.JSONEncoder(separators=(",", ":")).encode
    payout = payout_squared = free_payout = hits = features = payout_max = off_step = 0
    events_name, weights_name = f"books_{MODE}.jsonl.zst", f"lookUpTable_{MODE}_0.csv"
    with compressed(folder / events_name) as events, (folder / weights_name).open("w", encoding="ascii") as weights:
        for start in range(0, books, BLOCK_BOOKS):
            lines: list[str] = []
            rows: list[str] = []
            for number in range(start + 1, min(start + BLOCK_BOOKS, books) + 1):
                book = narrator.book(number, engine.spin(key, first_nonce + number - 1))
                paid = int(book["payoutMultiplier"])
                lines.append(dump(book))
                rows.append(f"{number},1,{paid}\n")
                payout += paid
                payout_squared += paid * paid
                free_payout += round(100 * book["freeGameWins"])
                hits += paid > 0
                features += book["criteria"] == "freegame"
                payout_max = max(payout_max, paid)
                off_step += paid % PUBLISHED_STEP != 0
            events.write(("\n".join(lines) + "\n").encode("ascii"))
            weights.writelines(rows)
            if progress is not None:
                progress(start + len(rows))
    modes = [{"name": MODE, "cost": 1.0, "events": events_name, "weights": weights_name}]
    (folder / "index.json").write_text(json.dumps({"modes": modes}, indent=4) + "\n", "ascii")
    return Books(books, first_nonce, payout, payout_squared, free_payout, hits, features, payout_max, off_step)


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


def _level(amount: int, limits: tuple[int, ...]) -> int:
    return 1 + sum(amount >= limit for limit in limits)


def _refuse_unknown(record: Spin | Win) -> None:
    for name, nothing in _UNKNOWN[type(record)]:
        if getattr(record, name) != nothing:
            raise BooksError(f"books have no event here for the {name} of a {type(record).__name__.lower()}")
