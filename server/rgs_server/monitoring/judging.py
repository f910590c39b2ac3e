"""Verdicts of all cells and of their sums: one of each window a day, and at once where the evidence says so.

T1 to T6 are looked at once a day, when all of its rounds are counted: their p-values hold for one look. The evidence of T7
and wins that cannot be may be looked at at any time, so a page is told with the slice that brings it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import orjson

from rgs_core.monitor.counts import ALL, AMOUNT_DIGITS, Cell, Counts, stake_bucket, sums_of
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
WINDOWS_DAYS = (1, 7, 30)
"""Lengths of what is judged every day: a day, a week, and the 30 days that regulators ask for."""
SPINS_NAMED = 5
"""Spins that an alert names, to be replayed."""
TOLD = ("page", "investigate")
"""Levels that platforms are told of, as the event `math_alert`, when a cell comes to them."""

EPOCH = date(1970, 1, 1)

CellDays = Mapping[Cell, Mapping[int, Counts]]
Levels = dict[tuple[Cell, int], str]
"""The last level of each cell and length of a window."""


class Monitor:
    """Counts and judges. Keeps the counts of all days, so that a look reads only those that have changed."""

    def __init__(self, laws: Laws) -> None:
        self._laws = laws
        self.days: dict[Cell, dict[int, Counts]] = {}
        """What was counted, by cell and day since 1970-01-01."""
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
            levels = {(cell_of(row), row["window_days"]): row["level"] for row in await store.last_verdicts(None)}
            # The day before that of the first moment which is not counted yet is counted wholly.
            over = (counted_to + SLICE).date() - timedelta(days=1)
            last = await store.last_judged_day() or over - timedelta(days=DAYS_LATE_MAX)
            for day in (last + timedelta(days=n) for n in range(1, (over - last).days + 1)):
                until = up_to(days, number(day))
                if any(number(day) in counted for counted in until.values()):
                    # All windows, also of equal rounds: a longer one that was left out would be an old verdict.
                    played = [verdict for verdict in self._judge(until, WINDOWS_DAYS) if verdict.n]
                    written += await self._write(store, "day", day, played, levels, now)
            today = self._judge(days, (1,))
            alarms = [v for v in today if v.level == "page" and levels.get((v.cell, 1)) != "page"]
            written += await self._write(store, "alarm", counted_to.date(), alarms, levels, now)
        return written

    async def _count(self, store: Store, changed: Collection[date], today: date) -> None:
        """Reads the counts of days that have changed, or all of them."""
        first = min(changed) if self._read else today - timedelta(days=HISTORY_DAYS)
        for counted in self.days.values():
            for day in [day for day in counted if day >= number(first)]:
                del counted[day]
        for row in await store.math_counts(first):
            scale = 10 ** (AMOUNT_DIGITS - row["exponent"])
            stake, win = int(row["stake_minor"]) * scale, int(row["win_minor"]) * scale
            cell = cell_of(row, stake_bucket(row["currency"], stake))
            counts = self.days.setdefault(cell, {}).setdefault(number(row["day"]), Counts())
            counts.add(stake, win, row["status"], row["feature"], row["rounds"])
        self._read = True

    async def _judged_days(self, store: Store, now: datetime) -> CellDays:
        """The cells whose builds have a law, and their sums; which builds have none is kept."""
        played = {(cell.build_hash, cell.mode) for cell, days in self.days.items() if days}
        laws = await self._laws.of(played)
        unjudged = {key: reason for key, reason in self._laws.missing.items() if key in played}
        if unjudged != self._unjudged:
            await store.keep_unjudged(unjudged, now)
            self._unjudged = unjudged
        cells = {cell: days for cell, days in self.days.items() if days and (cell.build_hash, cell.mode) in laws}
        return {**cells, **sums_of(cells)}

    def _judge(self, days: CellDays, windows: Sequence[int]) -> list[Verdict]:
        ends = {day for counted in days.values() for day in counted}
        named = {n: day_of(n).isoformat() for n in range(min(ends) - 2 * max(windows), max(ends) + 1)}
        return judge(days, self._laws.found, windows=windows, names=named)

    async def _write(
        self, store: Store, kind: str, day: date, verdicts: Iterable[Verdict], levels: Levels, now: datetime
    ) -> list[Verdict]:
        """Writes verdicts, and events of cells that come to a level that is told."""
        written = list(verdicts)
        for verdict in written:
            cell, length = verdict.cell, window_days(verdict)
            await store.add_verdict(
                stored_operator(cell), cell.game, cell.build_hash, cell.mode, cell.channel, cell.kind, cell.stakes, kind, day,
                length, verdict.n, verdict.level, orjson.dumps(row_of(verdict)).decode(), now,
            )  # fmt: skip
            # Once, whichever window shows it first.
            if verdict.level in TOLD and all(levels.get((cell, days)) != verdict.level for days in WINDOWS_DAYS):
                log.error("%s, %d days: %s: %s", cell, length, verdict.level, "; ".join(verdict.reasons))
                if cell.operator != ALL:  # no platform is told of the others
                    await store.add_events([alert(verdict, kind, day, await largest_wins(store, verdict), now)])
            levels[cell, length] = verdict.level
        return written


def window_days(verdict: Verdict) -> int:
    """The length of what was judged."""
    first, last = map(date.fromisoformat, verdict.window)
    return (last - first).days + 1


async def largest_wins(store: Store, verdict: Verdict) -> list[str]:
    """Spins of a cell, of all stakes, that won most on the last day of the window: to be replayed by who looks into it. More
    days would be more rounds than anybody should wait for."""
    cell = verdict.cell
    last = datetime.combine(date.fromisoformat(verdict.window[1]), time(), UTC)
    rows = await store.largest_wins(
        None if cell.operator == ALL else cell.operator, cell.build_hash, cell.mode,
        None if cell.channel == ALL else cell.channel, cell.kind, cell.stakes.split()[0],
        last, last + timedelta(days=1), SPINS_NAMED,
    )  # fmt: skip
    return [row["spin_id"] for row in rows]


def stored_operator(cell: Cell) -> str:
    """As the database has it, where no operator can be named so."""
    return "" if cell.operator == ALL else cell.operator


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=number)


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
        channel=row["channel"],
        operator=row["operator_id"] or ALL,
        kind=row["spin_type"],
    )


def row_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it is kept and shown."""
    row = verdict.row()
    del row["cell"]
    row["impossible"] = [list(win) for win in verdict.impossible[:20]]
    row["stake"], row["win"] = str(verdict.stake), str(verdict.win)  # more digits than other readers of JSON keep
    return row


def alert(verdict: Verdict, kind: str, day: date, spin_ids: list[str], now: datetime) -> EventRow:
    """The event `math_alert`."""
    cell, length = verdict.cell, window_days(verdict)
    event = MathAlert(
        event_id_of("math", str(cell), cell.build_hash, kind, str(day), str(length), verdict.level),
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
        cell.channel,
        length,
        spin_ids,
    )
    return row_of_event(event, cell.operator, None, now)
