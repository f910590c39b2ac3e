"""What nobody asks for and time brings: choices are made for players, unsettled rounds are reported, balances left behind are
paid out.

Every worker sweeps; rows that another one has in hand are passed over, so it does not matter who is first.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from rgs_server import happenings
from rgs_server.background import Background
from rgs_server.balances import close_session
from rgs_server.billing.hours import roll_up
from rgs_server.choices import Builds, decide_overdue
from rgs_server.clock import Clock
from rgs_server.contract.problems import Problem
from rgs_server.sealing import Sealer
from rgs_server.store import Store, Stores
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.sweep")

BATCH = 200
FORGET_BATCH = 5000
FORGET_EVERY = timedelta(hours=1)


class Sweeper:
    """A task that looks every `every_s` seconds, and goes on whatever happens."""

    def __init__(
        self,
        stores: Stores,
        builds: Builds,
        clock: Clock,
        every_s: int,
        metrics: Metrics,
        events_days: int,
    ) -> None:
        self._metrics = metrics
        self._stores = stores
        self._clock = clock
        self._builds = builds
        self._every_s = every_s
        self._events_kept = timedelta(days=events_days)
        self._forget_at: datetime | None = None
        self._background = Background("sweeper")

    def start(self) -> None:
        self._background.begin(self._run())

    async def stop(self) -> None:
        await self._background.end()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            for step in (self._decide, self._report, self._roll_up, self._close, self._forget):
                # One that fails keeps none of the others from being done.
                try:
                    async with self._stores() as store:
                        await step(store, self._clock())
                except Problem as problem:
                    log.warning("no sweep: %s", problem.detail)
                except Exception:
                    log.exception("a sweep failed")

    async def _decide(self, store: Store, now: datetime) -> None:
        self._metrics.elastic["timed_out"].add(await decide_overdue(store, self._builds, now, BATCH, self._metrics))

    async def _report(self, store: Store, now: datetime) -> None:
        self._metrics.elastic["unsettled"].add(await report_unsettled(store, now))

    async def _roll_up(self, store: Store, now: datetime) -> None:
        await roll_up(store, now)

    async def _close(self, store: Store, now: datetime) -> None:
        await close_idle(store, self._builds.sealer, now)

    async def _forget(self, store: Store, now: datetime) -> None:
        """Deletes events that are old, a part each time while there are many."""
        if self._forget_at is None or now >= self._forget_at:
            gone = await store.forget_events(now - self._events_kept, FORGET_BATCH)
            self._forget_at = now + (timedelta() if gone == FORGET_BATCH else FORGET_EVERY)


async def report_unsettled(store: Store, now: datetime) -> int:
    """Writes an event for each round that waited too long for its settlement, once; returns how many."""
    reported = 0
    while True:
        async with store.connection.transaction():
            rounds = await store.overdue_rounds(now, BATCH)
            if not rounds:
                return reported
            await store.add_events([happenings.round_unsettled(row, now) for row in rounds])
            await store.report_rounds(now, [r["operator_id"] for r in rounds], [r["round_id"] for r in rounds])
        reported += len(rounds)


async def close_idle(store: Store, sealer: Sealer, now: datetime) -> int:
    """Closes sessions whose balance was left behind, and pays it out; returns how many."""
    idle = await store.idle_sessions(now, BATCH)
    for session in idle:
        operator_id, session_id = session["operator_id"], session["session_id"]
        _, before = await close_session(store, sealer, operator_id, session_id, now, "idle")
        if not before:
            log.warning("session %s of %s was idle and is closed", session_id, operator_id)
    return len(idle)
