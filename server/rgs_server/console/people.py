"""Who may look: people with passwords that are made for them, and the cookie that a login gives.

Passwords are 128 random bits, kept as scrypt (RFC 7914). A cookie is the name and the end of its time with an HMAC under a key
that is derived from the master key, so every worker knows it and none keeps it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from datetime import datetime

from rgs_server.audit.audit_store import AuditStore
from rgs_server.clock import Clock
from rgs_server.contract.problems import Problem
from rgs_server.sealing import Sealer
from rgs_server.store import Store, Stores

log = logging.getLogger("rgs.console")

LIFETIME_S = 8 * 3600
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
SALT_BYTES = 16
FAILURES_MAX = 5
PAUSE_S = 30.0
"""After so many wrong passwords in a row a name waits so long, in each worker."""
NAMES_MAX = 10_000


def password_digest(password: str, salt: bytes) -> bytes:
    """scrypt of a password; takes some 50 ms, on purpose."""
    return hashlib.scrypt(password.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=2**26, dklen=32)


def new_password() -> tuple[str, bytes, bytes]:
    """A password, its salt and its digest."""
    password, salt = secrets.token_urlsafe(16), secrets.token_bytes(SALT_BYTES)
    return password, salt, password_digest(password, salt)


class People:
    """Lets people in and knows them again."""

    def __init__(self, stores: Stores, sealer: Sealer, clock: Clock) -> None:
        self._stores, self._clock = stores, clock
        self._key = sealer.derived("console")
        self._failures: dict[str, tuple[int, float]] = {}
        self._turn = asyncio.Lock()

    async def login(self, name: str, password: str, address: str) -> str:
        """The cookie of somebody at an address who knows the password; the audit log has the fact. Raises Problem."""
        failures, since = self._failures.get(name, (0, 0.0))
        if failures >= FAILURES_MAX and (left := since + PAUSE_S - time.monotonic()) > 0:
            raise Problem("RATE_LIMITED", "too many wrong passwords; wait", retry_after_ms=int(1000 * left) + 1)
        async with self._stores() as store:
            person = await store.find_person(name)
        salt = person["salt"] if person is not None else bytes(SALT_BYTES)
        async with self._turn:  # one at a time: it is work
            digest = await asyncio.to_thread(password_digest, password, salt)
        right = hmac.compare_digest(digest, person["password_digest"] if person is not None else bytes(32))
        if person is None or not right or person["retired_at"] is not None:
            if len(self._failures) >= NAMES_MAX:
                self._failures.clear()
            self._failures[name] = (failures + 1, time.monotonic())
            log.warning("somebody at %s was not let in to the console", address)
            if person is not None:  # names that nobody has are no acts, and there is no end of them
                await self._tell(name, "refused", address)
            raise Problem("LOGIN_REFUSED", "the name or the password is wrong")
        self._failures.pop(name, None)
        await self._tell(name, "let in", address)
        ends = int(self._clock().timestamp()) + LIFETIME_S
        return self._signed(f"{ends}|{name}")

    async def _tell(self, name: str, outcome: str, address: str) -> None:
        fact = json.dumps({"name": name, "outcome": outcome, "address": address})
        async with self._stores() as store:
            await AuditStore(store.connection).add_fact("console_login", name, fact)

    async def known(self, cookie: str) -> str:
        """Whose cookie it is. Raises Problem."""
        try:
            text = base64.urlsafe_b64decode(cookie.encode()).decode()
        except ValueError:
            raise Problem("LOGIN_REQUIRED", "log in") from None
        signature, _, claim = text.partition("|")
        if not hmac.compare_digest(self._signed(claim), cookie) or not signature:
            raise Problem("LOGIN_REQUIRED", "log in")
        ends, _, name = claim.partition("|")
        if int(ends) <= self._clock().timestamp():
            raise Problem("LOGIN_REQUIRED", "the login is over; log in again")
        async with self._stores() as store:
            person = await store.find_person(name)
        if person is None or person["retired_at"] is not None:
            raise Problem("LOGIN_REQUIRED", "this person may not look any more")
        return name

    def _signed(self, claim: str) -> str:
        signature = hmac.new(self._key, claim.encode(), hashlib.sha256).hexdigest()
        return base64.urlsafe_b64encode(f"{signature}|{claim}".encode()).decode()


async def add_person(store: Store, name: str, now: datetime) -> str | None:
    """A new person, or a new password of one: the password; None where the person is retired."""
    password, salt, digest = new_password()
    return password if await store.add_person(name, salt, digest, now) else None
