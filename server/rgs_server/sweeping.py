"""What nobody asks for and time brings: choices are made for players, unsettled rounds are reported, balances left behind are
paid out.

Every worker sweeps; rows that another one has in hand are passed over, so it does not matter who is first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from rgs_server import answers
from rgs_server.balances import close_session
from rgs_server.billing.hours import roll_up
from rgs_server.choices import Builds, decide_overdue
from rgs_server.clock import Clock, time_text
from rgs_server.contract.problems import Problem
from rgs_server.sealing import Sealer
from rgs_server.store import Store

log = logging.getLogger("rgs.sweep")

BATCH = 200


class Sweeper:
    """A task that looks every `every_s` seconds, and goes on whatever happens."""

    def __init__(
        self,
        stores: Callable[[], AbstractAsyncContextManager[Store]],
        builds: Builds,
        clock: Clock,
        every_s: int,
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._builds = builds
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                async with self._stores() as store:
                    await decide_overdue(store, self._builds, self._clock(), BATCH)
                    await report_unsettled(store, self._clock())
                    await roll_up(store, self._clock())
                    await close_idle(store, self._builds.sealer, self._clock())
            except Problem as problem:
                log.warning("no sweep: %s", problem.detail)
            except Exception:
                log.exception("a sweep failed")


async def report_unsettled(store: Store, now: datetime) -> int:
    """Writes an event for each round that waited too long for its settlement, once; returns how many."""
    reported = 0
    while True:
        async with store.connection.transaction():
            rounds = await store.overdue_rounds(now, BATCH)
            if not rounds:
                return reported
            events = []
            for row in rounds:
                event_id = f"evt-unsettled-{row['operator_id']}-{row['round_id']}"
                payload = answers.unsettled_event(row, event_id, time_text(now))
                events.append((event_id, row["operator_id"], "round_unsettled", payload, now))
            await store.add_events(events)
            await store.report_rounds(now, [r["operator_id"] for r in rounds], [r["round_id"] for r in rounds])
        reported += len(rounds)


async def close_idle(store: Store, sealer: Sealer, now: datetime) -> int:
    """Closes sessions whose balance was left behind, and pays it out; returns how many."""
    idle = await store.idle_sessions(now, BATCH)
    for session in idle:
        operator_id, session_id = session["operator_id"], session["session_id"]
        async with store.connection.transaction():
            body, before = await close_session(store, sealer, operator_id, session_id, now, "idle")
            if not before:
                event_id = f"evt-swept-{operator_id}-{session_id}"
                payload = answers.swept_event(operator_id, body, event_id, time_text(now))
                await store.add_events([(event_id, operator_id, "session_swept", payload, now)])
                log.warning("session %s of %s was idle and is closed", session_id, operator_id)
    return len(idle)
