"""Sums of whole hours, from which reports are made: so they read few rows, however many rounds there are."""

from __future__ import annotations

from datetime import datetime, timedelta

from rgs_server.store import Store

SETTLED_AFTER = timedelta(hours=1)
"""A round is dated before it is written, by the clock of its worker. By then every round of an hour is written."""
HOURS_MAX = 200
"""Hours that are summed up in one look; a service that was down catches up."""


async def roll_up(store: Store, now: datetime) -> int:
    """Sums up the hours that are over and were not; returns how many."""
    for done in range(HOURS_MAX):
        hour = await store.next_hour()
        if hour is None or hour + timedelta(hours=1) + SETTLED_AFTER > now or not await store.roll_up_hour(hour):
            return done
    return HOURS_MAX
