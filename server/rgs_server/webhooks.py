"""Events to the platforms: signed webhooks, at least once, a lane for each operator.

Events are written to the outbox in the transaction of what they tell of, and leave it when their receiver has answered
with 2xx. Nothing remembers how far it has come: rows that are there are due, in whatever order they were committed. One
worker at a time has an operator's lane, under a lease; when it dies another one takes it over, and sends again what may
have arrived. `webhook-id` tells those apart. A receiver that fails or hangs keeps nobody waiting but itself.

Signatures are those of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import aiohttp
import asyncpg
import orjson

from rgs_server.backoff import next_try
from rgs_server.clock import Clock, time_text
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.sealing import Sealer
from rgs_server.store import Store
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.tracing import Tracing

log = logging.getLogger("rgs.webhooks")

POLL_S = 0.25
LEASE = timedelta(seconds=30)
BATCH = 64
IN_FLIGHT_MAX = 16
"""Of one operator."""
DEAD_AFTER = timedelta(hours=72)
"""After so long an event is put aside, from where it can be sent again."""
GONE = 410


def new_secret() -> str:
    """A signing secret in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def secret_context(operator_id: str) -> str:
    """What a sealed secret is bound to."""
    return f"webhook:{operator_id}"


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """`webhook-signature` of a delivery."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def envelope(event: asyncpg.Record) -> bytes:
    """An event of the outbox as a CloudEvent (version 1.0, structured), with its extension for distributed tracing."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event["event_id"],
            "source": f"/rgs/v1/operators/{event['operator_id']}",
            "type": event["event_type"],
            "time": time_text(event["created_at"]),
            "datacontenttype": "application/json",
            **({} if event["traceparent"] is None else {"traceparent": event["traceparent"]}),
            "data": orjson.Fragment(event["payload"]),
        }
    )


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where an operator takes its events."""

    operator_id: str
    url: str
    secret: str = field(repr=False)


class WebhookRelay:
    """Delivers what is due, in this worker and beside the others."""

    def __init__(
        self,
        config: Config,
        stores: Callable[[], AbstractAsyncContextManager[Store]],
        sealer: Sealer,
        clock: Clock,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._tracing = tracing
        self._metrics = metrics
        self._timeout_s = config.webhook_timeout_ms / 1000
        self._stores = stores
        self._sealer = sealer
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="webhook relay")

    async def stop(self) -> None:
        """What is under way may be sent again by another worker."""
        tasks = [task for task in (self._task, *self._lanes.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        # Lanes bound what is under way; a limit over all of them would let those that hang hold up the others.
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        while True:
            try:
                await self._take_lanes()
            except Problem as problem:
                log.warning("no events are sent: %s", problem.detail)
            except Exception:
                log.exception("taking lanes failed")
            await asyncio.sleep(POLL_S)

    async def _take_lanes(self) -> None:
        now = self._clock()
        async with self._stores() as store:
            taken = await store.take_lanes(now, now + LEASE, list(self._lanes))
        for row in taken:
            operator_id = row["operator_id"]
            secret = self._sealer.open(row["secret_sealed"], secret_context(operator_id)).decode()
            lane = asyncio.create_task(
                self._serve(Receiver(operator_id, row["url"], secret)), name=f"events {operator_id}"
            )
            self._lanes[operator_id] = lane
            lane.add_done_callback(partial(self._left, operator_id))

    def _left(self, operator_id: str, _: asyncio.Task[None]) -> None:
        self._lanes.pop(operator_id, None)

    async def _serve(self, receiver: Receiver) -> None:
        """Sends what is due to one operator until nothing is, then gives its lane back."""
        try:
            while True:
                now = self._clock()
                async with self._stores() as store:
                    events = await store.due_events(receiver.operator_id, now, BATCH)
                    held = events and await store.keep_lane(receiver.operator_id, now + LEASE)
                    if not held:
                        await store.leave_lane(receiver.operator_id)
                        return
                await self._send_all(receiver, events)
        except Problem as problem:
            log.warning("events of %s wait: %s", receiver.operator_id, problem.detail)
        except Exception:
            log.exception("sending events of %s failed", receiver.operator_id)

    async def _send_all(self, receiver: Receiver, events: list[asyncpg.Record]) -> None:
        """Sends a batch, so many at the same time, and writes down how each ended."""
        places = asyncio.Semaphore(IN_FLIGHT_MAX)

        async def one(event: asyncpg.Record) -> str:
            async with places:
                error = await self._traced(receiver, event)
            self._metrics.event_sent(receiver.operator_id, delivered=not error)
            return error

        errors = await asyncio.gather(*(one(event) for event in events))
        now = self._clock()
        delivered = [event["event_seq"] for event, error in zip(events, errors, strict=True) if not error]
        async with self._stores() as store:
            await store.events_delivered(delivered)
            for event, error in zip(events, errors, strict=True):
                if error and now - event["created_at"] > DEAD_AFTER:
                    log.error("event %s of %s is put aside: %s", event["event_id"], receiver.operator_id, error)
                    await store.bury_event(event["event_seq"], now, error)
                elif error:
                    await store.postpone_event(event["event_seq"], next_try(now, event["attempts"]), error)
            if str(GONE) in errors:
                log.error("the receiver of %s is gone: nothing is sent to it any more", receiver.operator_id)
                await store.disable_webhook(receiver.operator_id, now)

    async def _traced(self, receiver: Receiver, event: asyncpg.Record) -> str:
        """One try, as a part of the trace of what the event tells of."""
        given: str | None = event["traceparent"]
        span = self._tracing.begin("deliver event", given, "producer", operator=receiver.operator_id)
        error = await self._send(receiver, event, given if span is None else span.traceparent)
        if span is not None:
            span.end(error)
        return error

    async def _send(self, receiver: Receiver, event: asyncpg.Record, traceparent: str | None) -> str:
        """One try; what went wrong, or "". Never raises for what a receiver or a network can do."""
        assert self._session is not None
        body, event_id = envelope(event), event["event_id"]
        timestamp = int(self._clock().timestamp())
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(receiver.secret, event_id, timestamp, body),
            **({} if traceparent is None else {"traceparent": traceparent}),
        }
        try:
            async with self._session.post(receiver.url, data=body, headers=headers, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else str(answer.status)
        except TimeoutError:
            return "no answer in time"
        except (aiohttp.ClientError, OSError) as error:
            return f"it cannot be reached: {type(error).__name__}"
