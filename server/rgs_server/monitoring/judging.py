"""Verdicts of all cells: one of each a day, and at once where the evidence says so.

T1 to T6 are looked at once a day, when all of its rounds are counted: their p-values hold for one look. The evidence of T7
and wins that cannot be may be looked at at any time, so a page is told with the slice that brings it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from rgs_core.monitor.counts import AMOUNT_DIGITS, Cell, Counts, stake_bucket
from rgs_core.monitor.verdicts import Verdict, judge
from rgs_server.clock import time_text
from rgs_server.contract.events import MathAlert
from rgs_server.happenings import event_id_of
from rgs_server.happenings import row_of as row_of_event
from rgs_server.monitoring.laws import Laws
from rgs_server.monitoring.slices import SLICE, count_slices
from rgs_server.store import EventRow, Store

log = logging.getLogger("rgs.monitor")

HISTORY_DAYS = 400
"""Of counts that the evidence is made of."""
DAYS_LATE_MAX = 31
"""Days that are judged after the event, by a monitor that was down."""
TOLD = ("page", "investigate")
"""Levels that platforms are told of, as the event `math_alert`, when a cell comes to them."""

EPOCH = date(1970, 1, 1)

CellDays = Mapping[Cell, Mapping[int, Counts]]


class Monitor:
    """Counts and judges. Keeps the counts of all days, so that a look reads only those that have changed."""

    def __init__(self, laws: Laws) -> None:
        self._laws = laws
        self._days: dict[Cell, dict[int, Counts]] = {}
        self._read = False
        self._unjudged: Mapping[tuple[str, str], str] | None = None

    async def look(self, store: Store, now: datetime) -> list[Verdict]:
        """Counts what is new and judges it. Returns the verdicts that were written."""
        changed = await count_slices(store, now)
        counted_to = await store.last_slice()
        if counted_to is None or (self._read and not changed):
            return []
        await self._count(store, changed, counted_to.date())
        days = await self._judged_days(store, now)
        if not days:
            return []
        written: list[Verdict] = []
        async with store.connection.transaction():
            levels = {cell_of(row): row["level"] for row in await store.last_verdicts(None)}
            # The day before that of the first moment which is not counted yet is counted wholly.
            over = (counted_to + SLICE).date() - timedelta(days=1)
            last = await store.last_judged_day() or over - timedelta(days=DAYS_LATE_MAX)
            for day in (last + timedelta(days=n) for n in range(1, (over - last).days + 1)):
                until = up_to(days, number(day))
                if any(number(day) in counted for counted in until.values()):
                    played = [verdict for verdict in self._judge(until) if verdict.n]
                    written += await self._write(store, "day", day, played, levels, now)
            alarms = [v for v in self._judge(days) if v.level == "page" and levels.get(v.cell) != "page"]
            written += await self._write(store, "alarm", counted_to.date(), alarms, levels, now)
        return written

    async def _count(self, store: Store, changed: Collection[date], today: date) -> None:
        """Reads the counts of days that have changed, or all of them."""
        first = min(changed) if self._read else today - timedelta(days=HISTORY_DAYS)
        for counted in self._days.values():
            for day in [day for day in counted if day >= number(first)]:
                del counted[day]
        for row in await store.math_counts(first):
            scale = 10 ** max(0, AMOUNT_DIGITS - row["exponent"])
            stake, win = int(row["stake_minor"]) * scale, int(row["win_minor"]) * scale
            bucket = stake_bucket(row["currency"], max(1, stake // 10 ** max(0, row["exponent"] - AMOUNT_DIGITS)))
            counts = self._days.setdefault(cell_of(row, bucket), {}).setdefault(number(row["day"]), Counts())
            counts.add(stake, win, row["status"], row["feature"], row["rounds"])
        self._read = True

    async def _judged_days(self, store: Store, now: datetime) -> CellDays:
        """The cells whose builds have a law; which have none is kept."""
        played = {(cell.build_hash, cell.mode) for cell, days in self._days.items() if days}
        laws = await self._laws.of(played)
        unjudged = {key: reason for key, reason in self._laws.missing.items() if key in played}
        if unjudged != self._unjudged:
            await store.keep_unjudged(unjudged, now)
            self._unjudged = unjudged
        return {cell: days for cell, days in self._days.items() if days and (cell.build_hash, cell.mode) in laws}

    def _judge(self, days: CellDays) -> list[Verdict]:
        named = {day: (EPOCH + timedelta(days=day)).isoformat() for counted in days.values() for day in counted}
        return judge(days, self._laws.found, names=named)

    async def _write(
        self,
        store: Store,
        kind: str,
        day: date,
        verdicts: Iterable[Verdict],
        levels: dict[Cell, str],
        now: datetime,
    ) -> list[Verdict]:
        """Writes verdicts, and events of cells that come to a level that is told."""
        written = list(verdicts)
        for verdict in written:
            cell = verdict.cell
            await store.add_verdict(
                cell.operator, cell.game, cell.build_hash, cell.mode, cell.kind, cell.stakes, kind, day, verdict.level,
                orjson.dumps(row_of(verdict)).decode(), now,
            )  # fmt: skip
            if verdict.level in TOLD and levels.get(cell) != verdict.level:
                log.error("%s: %s: %s", cell, verdict.level, "; ".join(verdict.reasons))
                await store.add_events([alert(verdict, kind, day, now)])
            levels[cell] = verdict.level
        return written


def number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def up_to(days: CellDays, last: int) -> dict[Cell, dict[int, Counts]]:
    """The days until one, of cells that had any."""
    cut = {cell: {day: counts for day, counts in counted.items() if day <= last} for cell, counted in days.items()}
    return {cell: counted for cell, counted in cut.items() if counted}


def cell_of(row: asyncpg.Record, stakes: str | None = None) -> Cell:
    """The cell of a row of counts or of verdicts."""
    return Cell(
        game=row["game_id"],
        build_hash=row["build_hash"],
        mode=row["mode"],
        stakes=row["stakes"] if stakes is None else stakes,
        channel="",
        operator=row["operator_id"],
        kind=row["spin_type"],
    )


def row_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it is kept and shown."""
    row = verdict.row()
    del row["cell"]
    row["impossible"] = [list(win) for win in verdict.impossible[:20]]
    row["stake"], row["win"] = str(verdict.stake), str(verdict.win)  # more digits than other readers of JSON keep
    return row


def alert(verdict: Verdict, kind: str, day: date, now: datetime) -> EventRow:
    """The event `math_alert`."""
    cell = verdict.cell
    event = MathAlert(
        event_id_of("math", str(cell), cell.build_hash, kind, str(day), verdict.level),
        time_text(now),
        cell.operator,
        cell.game,
        cell.build_hash,
        cell.mode,
        cell.kind,
        cell.stakes,
        verdict.level,
        list(verdict.reasons),
        day.isoformat(),
        verdict.n,
        verdict.rtp,
        verdict.theory,
    )
    return row_of_event(event, cell.operator, None, now)
