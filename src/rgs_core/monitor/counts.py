"""Cells and what is counted of them: whole numbers, so that parts merge to the same whole in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rgs_core.monitor.exact_sum import Stakes
from rgs_core.monitor.null_law import NullLaw

Status = Literal["normal", "retried", "recovered", "voided"]
"""How the round ended: as usual, on a repeated request, by recovery, or voided."""

STATUSES: tuple[Status, ...] = get_args(Status)

ROLLED_UP = ("stakes", "channel", "operator")
"""What cells may be merged over; builds, modes and kinds of money are judged apart."""

ALL = "all"
"""The channel, or the operator, of a sum over all of them."""

AMOUNT_DIGITS = 18
"""Stakes and wins are whole numbers of 10^-18 of the currency, whatever its exponent: the most that any has."""

ROLL_UPS = (("stakes", "channel"), ("stakes", "channel", "operator"))
"""The sums that are judged beside the cells: of each operator, and of all."""


@dataclass(frozen=True, order=True)
class Cell:
    """Rounds that are judged together. `stakes`: the 1-2-5 bucket of the stake, as `EUR 0.5`; `kind`: cash, free, ..."""

    game: str
    build_hash: str
    mode: str
    stakes: str
    channel: str
    operator: str
    kind: str = "cash"

    def over(self, fields: Iterable[str]) -> Cell:
        """The cell that it belongs to when some of `ROLLED_UP` do not matter; stakes are told apart by currency still."""
        return replace(self, **{name: self.stakes.split()[0] if name == "stakes" else ALL for name in fields})

    def __str__(self) -> str:
        parts = (self.game, self.mode, self.stakes, self.channel or "any channel", self.operator, self.kind)
        return " · ".join(parts)


def stake_bucket(currency: str, stake: int) -> str:
    """The bucket of a stake in 10^-18 of the currency: from 1, 2 or 5 times a power of ten on. ValueError below 1."""
    if stake < 1:
        raise ValueError(f"a stake of {stake} is no stake")
    digits = len(str(stake)) - 1
    head = stake // 10**digits
    least = max(edge for edge in (1, 2, 5) if edge <= head)
    power = digits - AMOUNT_DIGITS
    amount = f"{least * 10**power}" if power >= 0 else f"0.{'0' * (-power - 1)}{least}"
    return f"{currency} {amount}"


@dataclass
class Counts:
    """Rounds of a cell in some time.

    `rounds`: by (status, stake, win), both in 10^-18 of the currency. `known`, `triggered`: rounds of which it is known
    whether they had a feature, and those that had.
    """

    rounds: Counter[tuple[Status, int, int]] = field(default_factory=Counter)
    known: int = 0
    triggered: int = 0
    _classed: dict[str, ClassCounts] = field(default_factory=dict, repr=False, compare=False)
    """By the digest of a null: days are looked at again and again, and seldom change."""

    def add(self, stake: int, win: int, status: Status = "normal", feature: bool | None = None, times: int = 1) -> None:
        """Counts a round, or `times` equal ones. ValueError for a stake below 1."""
        if stake < 1:
            raise ValueError(f"a stake of {stake} is no stake")
        self._classed.clear()
        self.rounds[status, stake, win] += times
        if feature is not None:
            self.known += times
            self.triggered += times * feature

    def merge(self, other: Counts) -> None:
        """Adds the rounds of another part."""
        self._classed.clear()
        self.rounds.update(other.rounds)
        self.known += other.known
        self.triggered += other.triggered

    @classmethod
    def together(cls, parts: Iterable[Counts]) -> Counts:
        whole = cls()
        for part in parts:
            whole.merge(part)
        return whole

    def __iter__(self) -> Iterator[tuple[Status, int, int, int]]:
        """(status, stake, win, number of rounds), in an order that depends on nothing but the counts."""
        for key, n in sorted(self.rounds.items()):
            if n:
                yield (*key, n)

    @property
    def n(self) -> int:
        return self.rounds.total()

    @property
    def win(self) -> int:
        return sum(win * n for _, _, win, n in self)

    @property
    def stakes(self) -> Stakes:
        levels: Counter[int] = Counter()
        for _, stake, _, n in self:
            levels[stake] += n
        return Stakes.of(levels)


def rolled_up(days: Mapping[Cell, Mapping[int, Counts]], over: Collection[str]) -> dict[Cell, dict[int, Counts]]:
    """Cells merged over some of `ROLLED_UP`; stakes are merged within their currency, as amounts of two do not add up.

    ValueError for another field.
    """
    if unknown := set(over) - set(ROLLED_UP):
        raise ValueError(f"cells are not rolled up over {', '.join(sorted(unknown))}; use {', '.join(ROLLED_UP)}")
    found: dict[Cell, dict[int, Counts]] = {}
    for cell, counted in days.items():
        into = found.setdefault(cell.over(over), {})
        for day, counts in counted.items():
            into.setdefault(day, Counts()).merge(counts)
    return found


def sums_of(days: Mapping[Cell, Mapping[int, Counts]]) -> dict[Cell, dict[int, Counts]]:
    """The sums over `ROLL_UPS` of cells, but for those that hold the rounds of one cell, or of a smaller sum, and no others."""
    members: dict[Cell, frozenset[Cell]] = {}
    known = {frozenset([cell]) for cell in days}
    for over in ROLL_UPS:
        parts: dict[Cell, set[Cell]] = {}
        for cell in days:
            parts.setdefault(cell.over(over), set()).add(cell)
        members |= {whole: frozenset(cells) for whole, cells in parts.items() if frozenset(cells) not in known}
        known |= set(members.values())
    found: dict[Cell, dict[int, Counts]] = {}
    for whole, cells in members.items():
        into = found.setdefault(whole, {})
        for cell in cells:
            for day, counts in days[cell].items():
                into.setdefault(day, Counts()).merge(counts)
    return found


@dataclass(frozen=True)
class ClassCounts:
    """Rounds by class of the null, int64[c], of all statuses and of those that are not normal; `impossible`: (stake,
    win, rounds) of wins that cannot be."""

    all: NDArray[np.int64]
    exceptional: NDArray[np.int64]
    impossible: tuple[tuple[int, int, int], ...]


def classed(counts: Counts, null: NullLaw) -> ClassCounts:
    """Counts by class of the null. A win that is no possible multiple of its stake is counted apart."""
    found = counts._classed.get(null.digest)
    if found is None:
        found = counts._classed[null.digest] = _classed(counts, null)
    return found


def _classed(counts: Counts, null: NullLaw) -> ClassCounts:
    every = np.zeros(len(null.last), dtype=np.int64)
    exceptional = np.zeros(len(null.last), dtype=np.int64)
    impossible: list[tuple[int, int, int]] = []
    total = counts.n
    for status, stake, win, n in counts:
        units, beside = divmod(win * null.stake_units, stake)
        if beside or not null.possible(units, total):
            impossible.append((stake, win, n))
            continue
        place = null.class_of(units)
        every[place] += n
        if status != "normal":
            exceptional[place] += n
    return ClassCounts(every, exceptional, tuple(impossible))
