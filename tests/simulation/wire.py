"""What is between the service and PostgreSQL in a simulation: messages in a definite order, faults at any of them, and time
that passes only while nothing else can happen.

All workers share one real connection, and a message waits for those before it, so the same history meets the database in the
same order every time. A transaction holds the connection from its BEGIN on, as it would hold its locks. A worker that has
crashed hears of nothing any more, and what it still does reaches nobody.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import asyncpg
from simulation.histories import Fault

MESSAGES_MAX = 500
"""Of one worker in one step; more are a loop without end."""


class Differs(Exception):
    """The service and the model do not agree; the message says where."""


class Stuck(Exception):
    """Nothing can happen any more, and somebody still waits."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time stands while the database works, and jumps to the next timer when nobody does."""

    def __init__(self) -> None:
        super().__init__(_Selector(self))
        self.now_s = 0.0
        self.until_s = math.inf
        """Whoever still waits then waits for ever: timers that come again and again let time pass without end."""
        self.outside = 0  # real work that somebody waits for

    def time(self) -> float:
        return self.now_s


class _Selector(selectors.EpollSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self._loop.outside:
            return super().select(None)
        if timeout is None or self._loop.now_s > self._loop.until_s:
            raise Stuck("nothing can happen any more")
        self._loop.now_s += timeout
        return super().select(0)


class Link:
    """A worker's way to the database, until it crashes."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.fault: Fault | None = None
        self.messages = 0

    def arm(self, fault: Fault | None) -> None:
        """From now on messages are counted for this fault."""
        self.fault, self.messages = fault, 0

    def due(self) -> Fault | None:
        """The fault of the message that is about to be sent."""
        number, self.messages = self.messages, self.messages + 1
        if number > MESSAGES_MAX:
            raise RuntimeError(f"{number} messages in one step, and no end")
        if self.fault is None or self.fault.message != number:
            return None
        fault, self.fault = self.fault, None
        return fault

    @property
    def dead(self) -> bool:
        return self.crashed.done()

    def crash(self) -> None:
        if not self.dead:
            self.crashed.set_result(None)

    def connection(self) -> Connection:
        return Connection(self)


async def silence() -> None:
    """What a crashed worker waits for."""
    await asyncio.Event().wait()


class Wire:
    """The real connection."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._turn = asyncio.Lock()
        self.real: asyncpg.Connection[asyncpg.Record] | None = None
        self.messages = 0

    async def connect(self, url: str, settings: dict[str, str]) -> None:
        self.real = await self.outside(
            asyncpg.connect(url, server_settings=settings, max_cached_statement_lifetime=0, statement_cache_size=500)
        )

    async def close(self) -> None:
        assert self.real is not None
        await self.outside(self.real.close())

    async def outside(self, work: Awaitable[Any]) -> Any:
        """Real work: time stands still until it is done."""
        self._loop.outside += 1
        try:
            return await work
        finally:
            self._loop.outside -= 1

    async def ask(self, name: str, *arguments: Any) -> Any:
        """A message of the simulator itself."""
        async with self._turn:
            return await self.outside(getattr(self.real, name)(*arguments))

    async def take(self) -> None:
        await self._turn.acquire()

    def leave(self) -> None:
        self._turn.release()


class Connection:
    """As much of a connection as `Store` and the lanes use."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._wire = link.wire
        self._closed = False
        self._open: Transaction | None = None

    def is_closed(self) -> bool:
        return self._closed

    def terminate(self) -> None:
        self._closed = True

    async def fetch(self, *arguments: Any) -> Any:
        return await self._message("fetch", *arguments)

    async def fetchrow(self, *arguments: Any) -> Any:
        return await self._message("fetchrow", *arguments)

    async def fetchval(self, *arguments: Any) -> Any:
        return await self._message("fetchval", *arguments)

    async def execute(self, *arguments: Any) -> Any:
        return await self._message("execute", *arguments)

    def transaction(self) -> Transaction | Savepoint:
        return Transaction(self) if self._open is None else Savepoint(self, self._open)

    async def _message(self, name: str, *arguments: Any) -> Any:
        if self._closed:
            raise asyncpg.InterfaceError("connection is closed")
        transaction = self._open
        if transaction is None:
            await self._wire.take()
        try:
            failure = await self._exchange(lambda: getattr(self._wire.real, name)(*arguments))
        finally:
            if transaction is None:
                self._wire.leave()
        return await self._heard(*failure)

    async def _exchange(self, send: Callable[[], Awaitable[Any]]) -> tuple[Fault | None, Any]:
        """Sends a message in its turn: (the fault of it, what came back)."""
        if self._link.dead:
            if self._open is not None:
                await self._open.undo()
            return Fault("crash", 0, False, 0), None
        fault = self._link.due()
        if fault is not None and fault.kind == "crash":
            self._link.crash()
        result = None
        if fault is None or fault.after:
            self._wire.messages += 1
            try:
                result = await self._wire.outside(send())
            except asyncpg.PostgresError:
                if fault is None:
                    raise
        if fault is not None:
            self._closed = True
            if self._open is not None:
                await self._open.undo()
        return fault, result

    async def _heard(self, fault: Fault | None, result: Any) -> Any:
        if fault is None:
            return result
        if fault.kind == "crash":
            await silence()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


class Transaction:
    """Holds the connection until it ends; a fault inside undoes it, as the server does."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._wire = connection._wire
        self._ended = False

    async def __aenter__(self) -> None:
        if self._connection._closed:
            raise asyncpg.InterfaceError("connection is closed")
        await self._wire.take()
        self._connection._open = self
        await self._wire.outside(self._wire.real.execute("BEGIN"))  # type: ignore[union-attr]

    async def undo(self) -> None:
        if not self._ended:
            await self._end("ROLLBACK")

    async def _end(self, command: str) -> None:
        self._ended = True
        self._connection._open = None
        try:
            await self._wire.outside(self._wire.real.execute(command))  # type: ignore[union-attr]
        finally:
            self._wire.leave()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ended:
            return
        if kind is not None:
            await self._end("ROLLBACK")
            return
        fault, _ = await self._connection._exchange(lambda: self._end("COMMIT"))
        await self._connection._heard(fault, None)


class Savepoint:
    """A transaction in another one; what undoes the outer one has undone this."""

    def __init__(self, connection: Connection, outer: Transaction) -> None:
        self._connection = connection
        self._outer = outer

    async def __aenter__(self) -> None:
        await self._connection.execute("SAVEPOINT inner_transaction")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._outer._ended:
            command = "RELEASE SAVEPOINT" if kind is None else "ROLLBACK TO SAVEPOINT"
            await self._connection.execute(f"{command} inner_transaction")
