"""Who may call: the key that signed a request, the network it comes from, the certificate it was sent with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from rgs_server import signing
from rgs_server.addresses import Network, caller, networks, within
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.sealing import Sealer
from rgs_server.store import Store
from rgs_server.tls import common_name

KEYS_MAX = 10_000

Stores = Callable[[], AbstractAsyncContextManager[Store]]


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a signing key and of its operator; empty lists allow all."""

    operator_id: str
    secret: bytes
    retired: bool
    networks: tuple[Network, ...]
    certificates: frozenset[str]


class Gate:
    """Lets requests of operators through, and says whose they are. Keys are kept for a while."""

    def __init__(self, config: Config, sealer: Sealer, stores: Stores) -> None:
        self._config = config
        self._sealer = sealer
        self._stores = stores
        self._trusted = networks(config.trusted_proxies)
        self._keys: dict[str, tuple[float, Key | None]] = {}
        self._reading: dict[str, asyncio.Future[Key | None]] = {}

    async def operator(self, request: web.Request, body: bytes) -> str:
        """The operator whose key signed the request. Raises Problem."""
        given = request.headers
        key_id, timestamp = given.get(signing.KEY_ID, ""), given.get(signing.TIMESTAMP, "")
        # Bytes beyond ASCII arrive as surrogates, which can be neither signed nor stored.
        if not all(given.get(name, "").isascii() for name in signing.HEADERS) or not request.raw_path.isascii():
            raise Problem("SIGNATURE_INVALID", "the signing headers and the path are ASCII; percent-encode the rest")
        if not key_id or not given.get(signing.NONCE) or not given.get(signing.SIGNATURE):
            names = f"{signing.KEY_ID}, {signing.TIMESTAMP}, {signing.NONCE} and {signing.SIGNATURE}"
            raise Problem("SIGNATURE_INVALID", f"sign the request with {names}")
        key = await self._key(key_id)
        if key is None or not signing.verified(key.secret, given, request.method, request.raw_path, body):
            wrong = "unknown key, or the signature does not fit the request as it arrived"
            raise Problem("SIGNATURE_INVALID", wrong)
        if key.retired:
            raise Problem("KEY_RETIRED", f"key '{key_id}' is retired; sign with a newer one")
        skew = signing.skew_seconds(timestamp, datetime.now(UTC))
        if skew is None:
            raise Problem("TIMESTAMP_SKEW", f"'{timestamp[:40]}' is not a time like 2026-01-31T12:00:00.000Z")
        if skew > self._config.signature_window_s:
            raise Problem(
                "TIMESTAMP_SKEW",
                f"{skew:.0f} s from the server's clock; allowed are {self._config.signature_window_s} s",
            )
        if key.networks:
            self._check_network(request, key)
        if key.certificates:
            self._check_certificate(request, key)
        return key.operator_id

    def _check_network(self, request: web.Request, key: Key) -> None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        forwarded_for = request.headers.getall("X-Forwarded-For", [])
        address = caller(str(peer[0]) if peer else "", forwarded_for, self._trusted)
        if address is None or not within(address, key.networks):
            shown = address or "an address that cannot be read"
            raise Problem("FORBIDDEN", f"{shown} is in none of the networks of operator '{key.operator_id}'")

    def _check_certificate(self, request: web.Request, key: Key) -> None:
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        name = common_name(certificate)
        if name not in key.certificates:
            shown = f"the certificate of '{name[:80]}'" if name else "a connection without a certificate"
            raise Problem("FORBIDDEN", f"{shown} is none of operator '{key.operator_id}'")

    async def _key(self, key_id: str) -> Key | None:
        """A key, None when it is unknown; unknown ones are kept briefly."""
        kept = self._keys.get(key_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        if len(key_id) > 255 or not key_id.isprintable():
            return None
        reading = self._reading.get(key_id)
        if reading is None:  # one read, however many requests wait for it
            reading = self._reading[key_id] = asyncio.ensure_future(self._read_key(key_id))
            reading.add_done_callback(lambda _: self._reading.pop(key_id, None))
        return await asyncio.shield(reading)

    async def _read_key(self, key_id: str) -> Key | None:
        async with self._stores() as store:
            record = await store.find_key(key_id)
        key = None
        if record is not None:
            key = Key(
                operator_id=record["operator_id"],
                secret=self._sealer.open(record["secret_sealed"], f"key:{key_id}"),
                retired=record["retired_at"] is not None,
                networks=networks(",".join(record["networks"])),
                certificates=frozenset(record["certificates"]),
            )
        if len(self._keys) >= KEYS_MAX:
            self._keys.clear()
        kept_s = self._config.key_cache_s if key else min(1, self._config.key_cache_s)
        self._keys[key_id] = (time.monotonic() + kept_s, key)
        return key
