"""Events to the platforms as signed webhooks: HTTP to the receiver that an operator has named.

Signatures are those of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

import aiohttp
import asyncpg

from rgs_server.clock import Clock
from rgs_server.config import Config
from rgs_server.contract.answers import encode
from rgs_server.contract.asyncapi import MEDIA_TYPE
from rgs_server.envelopes import envelope
from rgs_server.relay import Failure
from rgs_server.sealing import Sealer
from rgs_server.store import Store

GONE = 410
AWAY = {408, 429}
"""Statuses below 500 that say nothing of the event: it comes later."""


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


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where an operator takes its events."""

    url: str
    secret: str = field(repr=False)
    session: aiohttp.ClientSession
    clock: Clock

    async def send(self, event: asyncpg.Record, traceparent: str | None) -> Failure | None:
        """One try; None: it was taken. Never raises for what a receiver or a network can do."""
        body, event_id = encode(envelope(event)), event["event_id"]
        timestamp = int(self.clock().timestamp())
        headers = {
            "Content-Type": MEDIA_TYPE,
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.secret, event_id, timestamp, body),
            **({} if traceparent is None else {"traceparent": traceparent}),
        }
        try:
            async with self.session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer:
                if 200 <= answer.status < 300:
                    return None
                away = answer.status >= 500 or answer.status in AWAY
                return Failure(str(answer.status), away=away, gone=answer.status == GONE)
        except TimeoutError:
            return Failure("no answer in time", away=True)
        except (aiohttp.ClientError, OSError) as error:
            return Failure(f"it cannot be reached: {type(error).__name__}", away=True)


class Webhooks:
    """The sink of signed webhooks."""

    name = "webhook"
    batch = 256
    in_flight_max = 16

    def __init__(self, config: Config, sealer: Sealer, clock: Clock) -> None:
        self.timeout_s = config.webhook_timeout_ms / 1000
        self._timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        self._sealer = sealer
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def route(self, store: Store, operator_id: str) -> Receiver | None:
        row = await store.receiver_of(operator_id)
        if row is None:
            return None
        if self._session is None:
            # Lanes bound what is under way; a limit over all of them would let those that hang hold up the others.
            self._session = aiohttp.ClientSession(timeout=self._timeout, connector=aiohttp.TCPConnector(limit=0))
        secret = self._sealer.open(row["secret_sealed"], secret_context(operator_id)).decode()
        return Receiver(row["url"], secret, self._session, self._clock)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
