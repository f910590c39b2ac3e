"""Each signed request once: nonces in the database, where every worker sees them.

Requests that arrive while an insert is under way share the next one, so the memory costs one short statement for many
requests; nothing waits for the disk. The table is not logged: after a crash of the database itself it begins empty,
and until the window of timestamps has passed a captured request could be sent once more. It would find its key used.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time

import asyncpg

from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.store import Store

log = logging.getLogger("rgs.nonces")

SWEEP_S = 60
MARGIN_S = 60
"""Kept for longer than a timestamp can be right, since clocks of workers differ."""
NONCE_CHARS_MAX = 255
BATCH_MAX = 1024
BACKOFF_S = 0.05
DATABASE_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Use:
    """A nonce that waits to be written. `claim` tells our own row of a lost answer from that of another request."""

    __slots__ = ("claim", "deadline", "digest", "future")

    def __init__(self, digest: bytes, deadline: float) -> None:
        self.digest = digest
        self.claim = secrets.randbits(63)
        self.deadline = deadline
        self.future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class NonceMemory:
    """Remembers nonces of operators for as long as their timestamps could be right."""

    def __init__(self, config: Config, url: str) -> None:
        self._timeout_s = config.commit_timeout_ms / 1000
        self._kept_s = 2 * config.signature_window_s + MARGIN_S
        self._url = url
        self._waiting: dict[bytes, Use] = {}
        self._writing: dict[bytes, Use] = {}
        self._store: Store | None = None
        self._writer: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._sweeper = asyncio.create_task(self._sweep(), name="nonce sweeper")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._writer is not None:
            await self._writer
        self._disconnect()

    async def first_use(self, operator_id: str, nonce: str) -> bool:
        """Whether a nonce is new, which it is not from now on. Raises Problem when the database does not answer."""
        digest = hashlib.sha256(f"{operator_id}\0{nonce}".encode()).digest()[:16]
        if digest in self._waiting or digest in self._writing:
            return False
        use = self._waiting[digest] = Use(digest, time.monotonic() + self._timeout_s)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="nonce writer")
        # Shielded: the row may be there already when a client hangs up.
        return await asyncio.shield(use.future)

    async def _write(self) -> None:
        pause = BACKOFF_S
        while self._waiting or self._writing:
            while self._waiting and len(self._writing) < BATCH_MAX:
                digest, use = self._waiting.popitem()
                self._writing[digest] = use
            try:
                store = await self._connected()
                # In one order, so that two workers cannot wait for each other's rows.
                uses = sorted(self._writing.values(), key=lambda use: use.digest)
                new = await store.remember_nonces([u.digest for u in uses], [u.claim for u in uses], self._kept_s)
            except DATABASE_TROUBLE as error:
                log.warning("database trouble, trying again: %r", error)
                self._disconnect()
                self._drop_expired()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.5)
                continue
            except BaseException as error:
                for use in (*self._writing.values(), *self._waiting.values()):
                    if not use.future.done():
                        use.future.set_exception(error)
                raise
            pause = BACKOFF_S
            for use in uses:
                if not use.future.done():
                    use.future.set_result(use.digest in new)
            self._writing.clear()

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for uses in (self._writing, self._waiting):
            for use in [use for use in uses.values() if use.deadline <= now]:
                del uses[use.digest]
                if not use.future.done():
                    problem = Problem("INTERNAL", "the database does not answer; sign the request again and repeat it")
                    use.future.set_exception(problem)

    async def _sweep(self) -> None:
        """Deletes what no timestamp could bring back; of several workers the first one does it."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                connection = await asyncpg.connect(self._url, timeout=self._timeout_s, command_timeout=SWEEP_S)
                try:
                    await Store(connection).sweep_nonces()
                    await Store(connection).sweep_player_tokens()
                finally:
                    connection.terminate()
            except DATABASE_TROUBLE as error:
                log.warning("old nonces and tokens stay for now: %r", error)

    async def _connected(self) -> Store:
        if self._store is None or self._store.connection.is_closed():
            settings = {"synchronous_commit": "off", "jit": "off"}
            self._store = Store(
                await asyncpg.connect(
                    self._url, timeout=self._timeout_s, command_timeout=self._timeout_s, server_settings=settings
                )
            )
        return self._store

    def _disconnect(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(Exception):
                store.connection.terminate()
