"""Events to a sink, at least once, a lane for each operator.

Events are owed to each sink in the transaction of what they tell of, and are owed until the sink has taken them. Nothing
remembers how far it has come: rows that are there are due, in whatever order they were committed. One worker at a time has
the lane of an operator, under a lease; when it dies another one takes it over, and sends again what may have arrived. The
id of an event tells those apart. A sink that fails or hangs for one operator keeps nobody else waiting.

A sink that takes nothing at all is left alone for a while, and its events are due when it takes the first again: waiting
of single events would go on long after an outage is over. Events that are refused alone wait alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, Protocol

import asyncpg

from rgs_server.backoff import next_try
from rgs_server.clock import Clock
from rgs_server.contract.problems import Problem
from rgs_server.store import Store
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.tracing import Tracing

log = logging.getLogger("rgs.relay")

POLL_S = 0.25
LOOK_S = 0.02
"""From one look for what is due to the next, at least; longer, up to `POLL_S`, while looks that were asked for find nothing: no
operator has a receiver, or other workers have the lanes."""
LEASE = timedelta(seconds=30)
DEAD_AFTER = timedelta(hours=72)
"""After so long an event is put aside, from where it can be sent again."""
PAUSE_MAX_S = 15.0
"""Between looks at a sink that takes nothing."""
AT_ONCE = datetime.min.replace(tzinfo=UTC)


class Failure(NamedTuple):
    """Why an event was not taken; `away`: the sink takes no event now, whatever it holds."""

    reason: str
    away: bool = False
    gone: bool = False


class Route(Protocol):
    """The way to a sink for one operator."""

    async def send(self, event: asyncpg.Record, traceparent: str | None) -> Failure | None:
        """One try, as a part of a trace; None: it was taken. Never raises for what a sink or a network can do."""


class Sink(Protocol):
    """Where events go. `batch` events are read at once, `in_flight_max` are under way."""

    name: str
    batch: int
    in_flight_max: int

    async def route(self, store: Store, operator_id: str) -> Route | None:
        """The way for an operator; None where there is none any more."""

    async def close(self) -> None: ...


class Relay:
    """Delivers to one sink what is due, in this worker and beside the others."""

    def __init__(
        self,
        sink: Sink,
        stores: Callable[[], AbstractAsyncContextManager[Store]],
        clock: Clock,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._sink = sink
        self._metrics = metrics
        self._tracing = tracing
        self._stores = stores
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._due = asyncio.Event()
        self._pause_s = LOOK_S

    def look(self) -> None:
        """Something may be due: this worker has written events. What others write is found with the next poll."""
        self._due.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"relay {self._sink.name}")

    async def stop(self) -> None:
        """What is under way may be sent again by another worker."""
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
        async with self._stores() as store:
            taken = await store.take_lanes(self._sink.name, now, now + LEASE, list(self._lanes))
        for row in taken:
            operator_id = row["operator_id"]
            name = f"events {self._sink.name} {operator_id}"
            lane = asyncio.create_task(self._serve(operator_id, row["failures"]), name=name)
            self._lanes[operator_id] = lane
            lane.add_done_callback(partial(self._left, operator_id))
        return len(taken)

    def _left(self, operator_id: str, _: asyncio.Task[None]) -> None:
        self._lanes.pop(operator_id, None)

    async def _serve(self, operator_id: str, failures: int) -> None:
        """Sends what is due to one operator until nothing is, or the sink takes nothing; then gives its lane back."""
        name = self._sink.name
        try:
            while True:
                now = self._clock()
                async with self._stores() as store:
                    events = await store.due_events(name, operator_id, now, self._sink.batch)
                    held = events and await store.keep_lane(name, operator_id, now + LEASE)
                    route = await self._sink.route(store, operator_id) if held else None
                    if route is None:
                        await store.leave_lane(name, operator_id, AT_ONCE, failures)
                        return
                results = await self._send_all(route, events)
                away = all(failure is not None and failure.away for failure in results)
                failures = failures + 1 if away else 0
                now = self._clock()
                resumes_at = next_try(now, failures - 1, PAUSE_MAX_S) if away else None
                async with self._stores() as store, store.connection.transaction():
                    await self._write_down(store, operator_id, events, results, resumes_at)
                    if resumes_at is not None:
                        await store.leave_lane(name, operator_id, resumes_at, failures)
                        return
        except Problem as problem:
            log.warning("events of %s wait: %s", operator_id, problem.detail)
        except Exception:
            log.exception("sending events of %s failed", operator_id)

    async def _send_all(self, route: Route, events: Sequence[asyncpg.Record]) -> list[Failure | None]:
        """Sends a batch, so many at the same time; how each ended."""
        places = asyncio.Semaphore(self._sink.in_flight_max)

        async def one(event: asyncpg.Record) -> Failure | None:
            async with places:
                failure = await self._traced(route, event)
            self._metrics.event_sent(event["operator_id"], delivered=failure is None)
            return failure

        return await asyncio.gather(*(one(event) for event in events))

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
        self,
        store: Store,
        operator_id: str,
        events: Sequence[asyncpg.Record],
        results: Sequence[Failure | None],
        resumes_at: datetime | None,
    ) -> None:
        name, now = self._sink.name, self._clock()
        delivered = [event["event_seq"] for event, failure in zip(events, results, strict=True) if failure is None]
        await store.events_delivered(name, operator_id, delivered)
        for event, failure in zip(events, results, strict=True):
            if failure is None:
                continue
            if now - event["owed_since"] > DEAD_AFTER:
                log.error("event %s of %s is put aside: %s", event["event_id"], operator_id, failure.reason)
                await store.bury_event(name, operator_id, event["event_seq"], now, failure.reason)
                continue
            again_at = resumes_at or next_try(now, event["attempts"])
            await store.postpone_event(name, operator_id, event["event_seq"], again_at, failure.reason)
        if any(failure is not None and failure.gone for failure in results):
            log.error("the receiver of %s is gone: nothing is sent to it any more", operator_id)
            await store.disable_webhook(operator_id, now)
