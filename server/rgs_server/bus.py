"""Events to a NATS JetStream: subjects `rgs.{operator}.{type}`, each acknowledged when it is on its disk.

`Nats-Msg-Id` is the id of the event, so the stream itself drops what is published twice within its window.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl

import asyncpg
import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from rgs_server.config import Config
from rgs_server.contract.answers import encode
from rgs_server.contract.asyncapi import MEDIA_TYPE
from rgs_server.envelopes import envelope
from rgs_server.relay import Failure
from rgs_server.store import Store

log = logging.getLogger("rgs.bus")

STREAM = "RGS"
TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
DUPLICATES_S = 600.0
"""For so long the stream knows ids. What is repeated later arrives twice, as it may."""

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")


def token(operator_id: str) -> str:
    """An operator's id as one token of a subject: what is not safe there as `=` and two hex digits a byte."""
    return _UNSAFE.sub(lambda match: b"=%02X" % match[0][0], operator_id.encode()).decode()


def subject(operator_id: str, event_type: str) -> str:
    """Where an event is published."""
    return f"rgs.{token(operator_id)}.{event_type}"


class Bus:
    """The sink of a JetStream: one connection, shared by all lanes."""

    name = "bus"
    batch = 256
    in_flight_max = 256
    timeout_s = TIMEOUT_S

    def __init__(self, config: Config) -> None:
        self._url = config.nats_url
        self._credentials = config.nats_credentials_file or None
        self._ca_file = config.nats_ca_file
        self._max_age_s = config.events_days * 86_400.0
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._connecting = asyncio.Lock()

    async def route(self, store: Store, operator_id: str) -> Bus:
        """The same way for all."""
        return self

    async def send(self, event: asyncpg.Record, traceparent: str | None) -> Failure | None:
        """One try; None: the stream has it on disk. Never raises for what the bus or a network can do."""
        try:
            stream = await self._connected()
            await stream.publish(
                subject(event["operator_id"], event["event_type"]),
                encode(envelope(event)),
                timeout=TIMEOUT_S,
                headers={
                    "Nats-Msg-Id": event["event_id"],
                    "Content-Type": MEDIA_TYPE,
                    **({} if traceparent is None else {"traceparent": traceparent}),
                },
            )
        except nats.js.errors.NoStreamResponseError:
            self._stream = None  # somebody has deleted it: it is made again
            return Failure("the stream is gone", away=True)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            return Failure(f"the bus does not take it: {type(error).__name__}", away=True)
        return None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> JetStreamContext:
        """The stream, made where it is not there yet. Raises errors of NATS or OSError."""
        if self._stream is not None:
            return self._stream
        async with self._connecting:
            if self._stream is None:
                if self._client is None or self._client.is_closed:
                    self._client = await nats.connect(
                        self._url,
                        name="rgs-server",
                        user_credentials=self._credentials,
                        tls=ssl.create_default_context(cafile=self._ca_file) if self._ca_file else None,
                        connect_timeout=CONNECT_TIMEOUT_S,
                        max_reconnect_attempts=-1,
                        reconnect_time_wait=0.25,
                        allow_reconnect=True,
                        error_cb=report,
                    )
                stream = self._client.jetstream(timeout=TIMEOUT_S)
                try:
                    await stream.stream_info(STREAM)
                except nats.js.errors.NotFoundError:
                    await stream.add_stream(
                        StreamConfig(
                            name=STREAM,
                            subjects=["rgs.>"],
                            storage=StorageType.FILE,
                            retention=RetentionPolicy.LIMITS,
                            max_age=self._max_age_s,
                            duplicate_window=DUPLICATES_S,
                        )
                    )
                    log.info("made the stream %s", STREAM)
                self._stream = stream
        return self._stream


async def report(error: Exception) -> None:
    """The client reconnects by itself; its address may hold a password and is not shown."""
    log.warning("the bus: %s", type(error).__name__)
