"""Each signed request once: nonces in the database, where every worker sees them.

A nonce is held in its worker from the moment when its signature was checked, and written no later than its request is
answered: those of spins by the statement that commits them, the others here. Requests that arrive while an insert is under
way share the next one, so the memory costs one short statement for many requests; nothing waits for the disk. The table is not logged: after a crash of the database itself it begins empty,
and until the window of timestamps has passed a captured request could be sent once more. It would find its key used.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import secrets
import time
from typing import NamedTuple

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


class Use(NamedTuple):
    """A nonce that is to be written. `claim` tells our own row of a lost answer from that of another request."""

    digest: bytes
    claim: int


class Waiting:
    """A use that waits to be written here."""

    __slots__ = ("deadline", "future", "use")

    def __init__(self, use: Use, deadline: float) -> None:
        self.use = use
        self.deadline = deadline
        self.future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


def kept_seconds(config: Config) -> float:
    """How long nonces are kept: longer than their timestamps could be right."""
    return 2 * config.signature_window_s + MARGIN_S


def reused() -> Problem:
    """The refusal of a request that was taken before."""
    return Problem("NONCE_REUSED", "a request with this nonce was taken before; sign again with a new one")


class NonceMemory:
    """Remembers nonces of operators for as long as their timestamps could be right."""

    def __init__(self, config: Config, url: str) -> None:
        self._timeout_s = config.commit_timeout_ms / 1000
        self._kept_s = kept_seconds(config)
        self._url = url
        self._held: set[bytes] = set()
        self._claims = itertools.count(secrets.randbits(62))  # no secret, only no other worker's
        self._waiting: list[Waiting] = []
        self._writing: list[Waiting] = []
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

    def hold(self, operator_id: str, nonce: str) -> Use:
        """A nonce that no other request of this worker has now; `write` or `release` has to follow. Raises Problem."""
        digest = hashlib.sha256(f"{operator_id}\0{nonce}".encode()).digest()[:16]
        if digest in self._held:
            raise reused()
        self._held.add(digest)
        return Use(digest, next(self._claims))

    def release(self, use: Use) -> None:
        """A nonce is written, or its request has come to nothing."""
        self._held.discard(use.digest)

    async def write(self, use: Use) -> None:
        """Writes a nonce and releases it. Raises Problem when it was used before, or the database does not answer."""
        waiting = Waiting(use, time.monotonic() + self._timeout_s)
        waiting.future.add_done_callback(lambda _: self.release(use))
        self._waiting.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="nonce writer")
        # Shielded: the row may be there already when a client hangs up.
        if not await asyncio.shield(waiting.future):
            raise reused()

    async def _write(self) -> None:
        pause = BACKOFF_S
        while self._waiting or self._writing:
            room = BATCH_MAX - len(self._writing)
            self._writing += self._waiting[:room]
            del self._waiting[:room]
            try:
                store = await self._connected()
                # In one order, so that two workers cannot wait for each other's rows.
                uses = sorted(waiting.use for waiting in self._writing)
                new = await store.remember_nonces([u.digest for u in uses], [u.claim for u in uses], self._kept_s)
            except DATABASE_TROUBLE as error:
                log.warning("database trouble, trying again: %r", error)
                self._disconnect()
                self._drop_expired()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.5)
                continue
            except BaseException as error:
                for waiting in (*self._writing, *self._waiting):
                    if not waiting.future.done():
                        waiting.future.set_exception(error)
                raise
            pause = BACKOFF_S
            for waiting in self._writing:
                if not waiting.future.done():
                    waiting.future.set_result(waiting.use.digest in new)
            self._writing.clear()

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for waiting in (*self._writing, *self._waiting):
            if waiting.deadline <= now and not waiting.future.done():
                problem = Problem("INTERNAL", "the database does not answer; sign the request again and repeat it")
                waiting.future.set_exception(problem)
        self._writing = [waiting for waiting in self._writing if waiting.deadline > now]
        self._waiting = [waiting for waiting in self._waiting if waiting.deadline > now]

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
