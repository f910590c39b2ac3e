"""Slices of time, in which rounds are counted once they are all written; so no look at the figures reads them again.

What becomes of a round at the platform's wallet after its `spin_finished` is told as it is counted, in the same transaction; so
whoever counts the events has the same numbers.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from rgs_server.happenings import round_status
from rgs_server.store import Store

SLICE = timedelta(minutes=10)
SETTLED_AFTER = timedelta(minutes=10)
"""A round is dated before it is written, by the clock of its worker. By then every round of a slice is written."""
SLICES_MAX = 1000
"""Slices that are counted in one look; a service that was down catches up."""


async def count_slices(store: Store, now: datetime) -> set[date]:
    """Counts the slices that are over and were not; returns the days whose counts have changed."""
    changed: set[date] = set()
    for _ in range(SLICES_MAX):
        begin = await store.next_slice(SLICE)
        if begin is None or begin + SLICE + SETTLED_AFTER > now:
            break
        async with store.connection.transaction():
            days, exceptional = await store.count_slice(begin, SLICE)
            await store.add_events([round_status(row, now) for row in exceptional])
        changed |= days
    return changed
