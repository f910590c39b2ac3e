"""The figures of reports: what was played, won and kept, by game, build, operator, currency and day.

All amounts are minor units of a currency; currencies are never added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date

import asyncpg


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over rounds. A round that was voided counts among `spins_total` alone.

    `ggr` is what was staked less what was won. `netwin` is that less `bonus_cost` (wins of rounds that no money was staked on)
    and `jackpot_contrib` (what stakes put into pools); nothing of either is played here yet.
    """

    spins_total: int = 0
    eligible_spins: int = 0
    turnover_minor: int = 0
    win_minor: int = 0
    jackpot_contrib_minor: int = 0
    bonus_cost_minor: int = 0

    @property
    def ggr_minor(self) -> int:
        return self.turnover_minor - self.win_minor

    @property
    def netwin_minor(self) -> int:
        return self.ggr_minor - self.bonus_cost_minor - self.jackpot_contrib_minor

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Figures)))

    def __sub__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(Figures)))


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one game and build of an operator in one currency, on a `day` (UTC) or in the month that it begins."""

    operator_id: str
    game_id: str
    build_hash: str
    currency: str
    exponent: int
    day: date
    figures: Figures
    royalty_due_minor: int = 0

    @classmethod
    def of(cls, record: asyncpg.Record) -> Row:
        """From `report_days`."""
        figures = Figures(
            record["spins_total"], record["eligible_spins"], int(record["turnover_minor"]), int(record["win_minor"])
        )
        names = (record["operator_id"], record["game_id"], record["build_hash"])
        return cls(*names, record["currency"], record["exponent"], record["day"], figures)

    @property
    def place(self) -> tuple[str, str, str]:
        """Game, build and currency."""
        return self.game_id, self.build_hash, self.currency


def by_month(rows: Iterable[Row]) -> list[Row]:
    """The same without days: each row has the first day of its month."""
    sums: dict[tuple[object, ...], Row] = {}
    for row in rows:
        month = replace(row, day=row.day.replace(day=1))
        key = (month.operator_id, month.day, *month.place)
        before = sums.get(key)
        sums[key] = month if before is None else replace(before, figures=before.figures + month.figures)
    return [sums[key] for key in sorted(sums)]


def by_currency(rows: Iterable[Row]) -> Mapping[str, Figures]:
    """Sums in each currency."""
    sums: dict[str, Figures] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, Figures()) + row.figures
    return sums
