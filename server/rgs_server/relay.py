"""Events to a sink, at least once, a lane for each operator.

Events are owed to each sink in the transaction of what they tell of, and are owed until the sink has taken them. Nothing
remembers how far it has come: rows that are there are due, in whatever order they were committed. One worker at a time has
the lane of an operator, under a lease; when it dies another one takes it over, and sends again what may have arrived. The
id of an event tells those apart. A sink that fails or hangs for one operator keeps nobody else waiting.

A sink that takes nothing at all is left alone for a while, and its events are due when it takes the first again: waiting
of single events would go on long after an outage is over. Events that are refused alone wait alone.

After an outage much is owed, while as much as ever is added: many events are read and written down at a time, and as few are
under way as at any other time, since spins are answered by the same process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, Protocol

import asyncpg

from rgs_server.backoff import next_try
from rgs_server.clock import Clock
from rgs_server.contract.problems import Problem
from rgs_server.store import BY_KEY, Store, Stores
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.tracing import Tracing

log = logging.getLogger("rgs.relay")

POLL_S = 0.25
LOOK_S = 0.02
"""From one look for what is due to the next, at least; longer, up to `POLL_S`, while looks that were asked for find nothing: no
operator has a receiver, or other workers have the lanes."""
LEASE_S = 10.0
"""Of a lane, at least."""
SEND_S = 2.0
"""After so long what was sent is written down, and the lane kept for longer, before more is sent."""
STOP_S = 2.0
"""So long a worker that stops waits for sinks to answer."""
DEAD_AFTER = timedelta(hours=72)
"""After so long an event is put aside, from where it can be sent again."""
PAUSE_MAX_S = 15.0
"""Between looks at a sink that takes nothing."""
RELAY_SETTINGS = {
    # What the database forgets when it dies is sent again, as after any crash: nothing here has to wait for its disk.
    "synchronous_commit": "off",
    **BY_KEY,
}
AT_ONCE = datetime.min.replace(tzinfo=UTC)


class Failure(NamedTuple):
    """Why an event was not taken; `away`: the sink takes no event now, whatever it holds."""

    reason: str
    away: bool = False
    gone: bool = False


class Try(NamedTuple):
    """An event that was sent; `failure` None: it was taken."""

    event: asyncpg.Record
    failure: Failure | None


class Route(Protocol):
    """The way to a sink for one operator."""

    async def send(self, event: asyncpg.Record, traceparent: str | None) -> Failure | None:
        """One try, as a part of a trace; None: it was taken. Never raises for what a sink or a network can do."""


class Sink(Protocol):
    """Where events go. `batch` events are read at once, `in_flight_max` are under way, each for `timeout_s` at most."""

    name: str
    batch: int
    in_flight_max: int
    timeout_s: float

    async def route(self, store: Store, operator_id: str) -> Route | None:
        """The way for an operator; None where there is none any more."""

    async def close(self) -> None: ...


class Relay:
    """Delivers to one sink what is due, in this worker and beside the others."""

    def __init__(
        self,
        sink: Sink,
        stores: Stores,
        clock: Clock,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._sink = sink
        self._metrics = metrics
        self._tracing = tracing
        self._stores = stores
        self._clock = clock
        # Two relays must not serve a lane at once, however long a sink may take to answer: half of it is left before a batch.
        self._lease = timedelta(seconds=max(LEASE_S, 2 * (SEND_S + sink.timeout_s)))
        self._task: asyncio.Task[None] | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._due = asyncio.Event()
        self._pause_s = LOOK_S
        self._stopping = False

    def look(self) -> None:
        """Something may be due: this worker has written events. What others write is found with the next poll."""
        self._due.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"relay {self._sink.name}")

    async def stop(self) -> None:
        """What is under way is finished, and lanes are given back, where sinks answer soon. What is not may be sent again by
        another worker."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=STOP_S)
        tasks = [task for task in (self._task, *self._lanes.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sink.close()

    async def _run(self) -> None:
        while True:
            asked = self._due.is_set()
            self._due.clear()
            taken = 0
            try:
                taken = await self._take_lanes()
            except Problem as problem:
                log.warning("no events are sent: %s", problem.detail)
            except Exception:
                log.exception("taking lanes failed")
            if taken:
                self._pause_s = LOOK_S
            elif asked and not self._lanes:
                self._pause_s = min(2 * self._pause_s, POLL_S)
            await asyncio.sleep(self._pause_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), POLL_S - self._pause_s)

    async def _take_lanes(self) -> int:
        """Begins to serve lanes that nobody has; how many."""
        now = self._clock()
        lease_until = now + self._lease
        async with self._stores() as store:
            taken = await store.take_lanes(self._sink.name, now, lease_until, list(self._lanes))
        for row in taken:
            operator_id = row["operator_id"]
            name = f"events {self._sink.name} {operator_id}"
            lane = asyncio.create_task(self._serve(operator_id, row["failures"], lease_until), name=name)
            self._lanes[operator_id] = lane
            lane.add_done_callback(partial(self._left, operator_id))
        return len(taken)

    def _left(self, operator_id: str, _: asyncio.Task[None]) -> None:
        self._lanes.pop(operator_id, None)

    async def _serve(self, operator_id: str, failures: int, lease_until: datetime) -> None:
        """Sends what is due to one operator until nothing is, or the sink takes nothing; then gives its lane back."""
        name = self._sink.name
        tries: list[Try] = []
        resumes_at: datetime | None = None
        try:
            while True:
                now = self._clock()
                async with self._stores() as store:
                    await self._write_down(store, operator_id, tries, resumes_at)
                    goes_on = resumes_at is None and not self._stopping
                    events = await store.due_events(name, operator_id, now, self._sink.batch) if goes_on else []
                    route = await self._sink.route(store, operator_id) if events else None
                    if route is None:
                        await store.leave_lane(name, operator_id, resumes_at or AT_ONCE, failures)
                        return
                    if lease_until - now < self._lease / 2:
                        lease_until = now + self._lease
                        await store.keep_lane(name, operator_id, lease_until)
                tries = await self._send_all(route, events)
                away = self._takes_nothing(tries)
                failures = failures + 1 if away else 0
                resumes_at = next_try(self._clock(), failures - 1, PAUSE_MAX_S) if away else None
        except Problem as problem:
            log.warning("events of %s wait: %s", operator_id, problem.detail)
        except Exception:
            log.exception("sending events of %s failed", operator_id)

    async def _send_all(self, route: Route, events: Sequence[asyncpg.Record]) -> list[Try]:
        """Sends a batch, so many at the same time; how each try ended. What a sink that is away or slow leaves over is not
        tried: it is still due."""
        tries: list[Try] = []
        waiting = iter(events)
        until = time.monotonic() + SEND_S

        async def one_after_another() -> None:
            for event in waiting:
                failure = await self._traced(route, event)
                self._metrics.event_sent(event["operator_id"], delivered=failure is None)
                tries.append(Try(event, failure))
                useless = failure is not None and (failure.away or failure.gone)
                if useless or self._stopping or time.monotonic() > until:
                    return

        await asyncio.gather(*(one_after_another() for _ in range(min(len(events), self._sink.in_flight_max))))
        return tries

    def _takes_nothing(self, tries: Sequence[Try]) -> bool:
        """Whether the sink is away, or refuses so many events and takes none that it is not for what they hold."""
        if any(failure is None for _, failure in tries):
            return False
        many = len(tries) >= self._sink.in_flight_max
        return many or all(failure is not None and failure.away for _, failure in tries)

    async def _traced(self, route: Route, event: asyncpg.Record) -> Failure | None:
        """One try, as a part of the trace of what the event tells of."""
        given: str | None = event["traceparent"]
        span = self._tracing.begin(
            "deliver event", given, "producer", operator=event["operator_id"], sink=self._sink.name
        )
        failure = await route.send(event, given if span is None else span.traceparent)
        if span is not None:
            span.end("" if failure is None else failure.reason)
        return failure

    async def _write_down(
        self, store: Store, operator_id: str, tries: Sequence[Try], resumes_at: datetime | None
    ) -> None:
        name, now = self._sink.name, self._clock()
        await store.events_delivered(
            name, operator_id, [event["event_seq"] for event, failure in tries if failure is None]
        )
        again: list[tuple[int, datetime, str]] = []
        for event, failure in tries:
            if failure is None:
                continue
            if now - event["owed_since"] > DEAD_AFTER:
                log.error("event %s of %s is put aside: %s", event["event_id"], operator_id, failure.reason)
                await store.bury_event(name, operator_id, event["event_seq"], now, failure.reason)
                continue
            again_at = resumes_at or next_try(now, event["attempts"])
            again.append((event["event_seq"], again_at, failure.reason))
        await store.postpone_events(name, operator_id, again)
        if any(failure is not None and failure.gone for _, failure in tries):
            log.error("the receiver of %s is gone: nothing is sent to it any more", operator_id)
            await store.disable_webhook(operator_id, now)
