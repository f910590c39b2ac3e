"""A TCP proxy that knows where messages begin, and does harm at the N-th of them.

Messages are counted in the order in which they pass, of all connections and in both directions. A fault happens in place of
forwarding a message: what came before it has been handed to the kernel, the message itself has not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

READY_FOR_QUERY = b"Z"
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Frames(Protocol):
    """Cuts a stream into whole messages."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class PostgresFrames:
    """PostgreSQL's protocol 3: a letter and a length that counts itself, but not the letter. A client's first message has no
    letter."""

    def __init__(self, startup: bool) -> None:
        self._buffer = bytearray()
        self._letter = 0 if startup else 1

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        while len(self._buffer) >= self._letter + 4:
            size = self._letter + int.from_bytes(self._buffer[self._letter : self._letter + 4], "big")
            if len(self._buffer) < size:
                return
            message = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._letter = 1
            yield message


class Pieces:
    """Whatever came at once: requests and answers of a wallet are small and written whole."""

    def __init__(self, startup: bool) -> None: ...

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data


class Link:
    """A connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.silent = False
        """Swallows all that comes, and does not tell one side that the other one has closed."""
        self.idle = False
        """Whether the server of a database waits for the next command, in a transaction or not."""

    def drop(self) -> None:
        """Resets both sides."""
        for writer in (self.client, self.server):
            writer.transport.abort()


Fault = Callable[[Link, bytes], Awaitable[bool]]
"""What happens at a message of a connection; whether the message is forwarded after all."""


class FaultProxy:
    """Listens on a free port of this machine and forwards to a server. Use in one event loop."""

    def __init__(self, connect: Connect, frames: Callable[[bool], Frames]) -> None:
        self._connect, self._frames = connect, frames
        self._server: asyncio.Server | None = None
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._fault: Fault | None = None
        self._when: Callable[[int, bytes], bool] = lambda number, message: False
        self.happened = False
        """Whether the fault has come."""
        self.passed = 0
        """Messages since `arm`, with the one at which the fault happened."""

    async def start(self) -> int:
        """Its port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._links.values())
        for link in list(self._links):
            link.drop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def arm(self, when: int | bytes, fault: Fault) -> None:
        """Has a fault happen once, at the message of this number from now on, counted from 1, or at the first with this text."""
        if isinstance(when, int):
            self._when = lambda number, message: number == when
        else:
            self._when = lambda number, message: when in message
        self.passed, self.happened, self._fault = 0, False, fault

    def disarm(self) -> bool:
        """Nothing happens from now on; whether it has."""
        self._fault = None
        return self.happened

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await self._connect()
        except OSError:  # the server is down: so is the way to it
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        task = asyncio.current_task()
        assert task is not None
        self._links[link] = task
        try:
            await asyncio.gather(
                self._pump(link, reader, to_server, from_client=True),
                self._pump(link, from_server, writer, from_client=False),
            )
            while link.silent:  # the other side has not heard of anything
                await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        finally:
            del self._links[link]
            link.drop()

    async def _pump(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        frames = self._frames(from_client)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                for message in frames.feed(data):
                    if not from_client:
                        link.idle = message[:1] == READY_FOR_QUERY
                    if await self._passes(link, message) and not link.silent:
                        link.idle &= not from_client
                        writer.write(message)
                await writer.drain()
        if not link.silent:
            writer.close()

    async def _passes(self, link: Link, message: bytes) -> bool:
        if self._fault is None or link.silent:
            return True
        self.passed += 1
        if self.happened or not self._when(self.passed, message):
            return True
        self.happened = True
        return await self._fault(link, message)
