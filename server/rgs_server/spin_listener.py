"""The listener of a worker: plain spins are answered without a framework, everything else is aiohttp's.

A connection begins here. As long as it sends what `HEAD` matches, spins with a length and nothing unusual about them, they
are read and answered here, one at a time. The first bytes that are anything else (another route, chunks, `Expect`, two
lengths, a byte beyond ASCII, a head that is too long) go to aiohttp as they came, and the connection with them, for good.
So there is one parser for all that could be read in two ways, and this one understands only what can be read in one.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from multidict import CIMultiDict

from rgs_server.service import Service
from rgs_server.spin_calls import PATH, Reply, SpinCalls
from rgs_server.tls import STRICT_TRANSPORT

log = logging.getLogger("rgs.http")

HEAD_BYTES_MAX = 8190
"""As aiohttp has it for a line; here for the whole head."""
CHECK_S = 1.0
"""How often connections are looked through for those that have been quiet for too long."""

START = f"POST {PATH} HTTP/1.1\r\n".encode()
HEAD = re.compile(re.escape(START) + rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e]*\r\n)+)\r\n")
"""A request line and fields as RFC 9110 and 9112 have them, in printable ASCII, without folding."""
LENGTH = re.compile(r"0|[1-9][0-9]{0,8}")
UNUSUAL = ("Transfer-Encoding", "Content-Encoding", "Expect", "Upgrade", "Trailer", "Origin")
"""Fields that ask for more than a spin: framing, negotiation, browsers."""
REASONS = {status.value: status.phrase for status in HTTPStatus}


class SpinListener:
    """The connections of a worker that are not aiohttp's, and what they share."""

    def __init__(self, service: Service, fallback: Callable[[], asyncio.Protocol], keepalive_s: float) -> None:
        self.calls = SpinCalls(service)
        self.service = service
        self.fallback = fallback
        self.body_bytes_max = service.config.body_bytes_max
        self.connections: set[SpinConnection] = set()
        self._keepalive_s = keepalive_s
        self._checks: asyncio.Task[None] | None = None
        self._date = (0, "")

    def connection(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if self._checks is None:
            self._checks = asyncio.create_task(self._check(), name="quiet connections")
        return SpinConnection(self)

    async def stop(self, timeout_s: float) -> None:
        """Closes connections without a spin at once, the others when they are answered or the time is over."""
        if self._checks is not None:
            self._checks.cancel()
        running = [connection.task for connection in self.connections if connection.task is not None]
        for connection in [connection for connection in self.connections if connection.task is None]:
            connection.close()
        if running:
            await asyncio.wait(running, timeout=timeout_s)
        for connection in list(self.connections):
            connection.close()

    def date(self) -> str:
        """The field `Date`, made once a second."""
        second = int(time.time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]

    async def _check(self) -> None:
        """Closes connections that have been waited for too long: for a request, for the rest of one, for an answer to be read."""
        while True:
            await asyncio.sleep(CHECK_S)
            before = time.monotonic() - self._keepalive_s
            for connection in [c for c in self.connections if c.since < before and c.task is None]:
                connection.close()


class SpinConnection(asyncio.Protocol):
    """One connection. Spins that are sent at once wait for each other, and what is too much stays in the kernel."""

    __slots__ = ("_buffer", "_full", "_listener", "_needed", "_paused", "_secure", "_transport", "since", "task")

    def __init__(self, listener: SpinListener) -> None:
        self._listener = listener
        self._buffer = b""
        self._needed = 0  # bytes of a request whose head is there
        self._full = False  # of answers that the client does not read
        self._paused = False
        self.task: asyncio.Task[None] | None = None
        self.since = time.monotonic()

    # -- what the loop calls ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._listener.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        # A spin that was begun is finished: its outcome may be written by now, and is asked for by its key.
        self._listener.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self.task is None and not self._full:
            self._next()
        else:
            self._pause()

    def pause_writing(self) -> None:
        """The client does not read its answers: nothing more of it is read."""
        self._full = True
        self._pause()

    def resume_writing(self) -> None:
        self._full = False
        if self.task is None:
            self._go_on()

    def close(self) -> None:
        self._transport.close()

    # -- requests -----------------------------------------------------------------------------------

    def _next(self) -> None:
        """Begins the next request, or hands over, or waits for more."""
        data = self._buffer
        if len(data) < self._needed:
            return
        if b"\r\n\r\n" not in data and len(data) <= HEAD_BYTES_MAX and data.startswith(START[: len(data)]):
            return
        head = HEAD.match(data)
        headers = None if head is None or len(head[0]) > HEAD_BYTES_MAX else fields(head[1])
        length = None if headers is None else body_length(headers, self._listener.body_bytes_max)
        if head is None or headers is None or length is None:
            self._hand_over()
            return
        end = head.end() + length
        if len(data) < end:
            self._needed = end
            return
        self._buffer, self._needed = data[end:], 0
        self.task = asyncio.create_task(self._answer(headers, data[head.end() : end]))

    async def _answer(self, headers: CIMultiDict[str], body: bytes) -> None:
        try:
            reply = await self._listener.calls.answer(headers, self._transport, body)
        except BaseException:
            self.close()
            raise
        finally:
            self.task = None
            self.since = time.monotonic()
        if self._transport.is_closing():
            return
        closing = self._listener.service.draining
        self._transport.write(self._written(reply, closing))
        if closing:
            self.close()
        elif not self._full:
            self._go_on()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Answers what was sent already, and reads on when that is done."""
        if self._buffer:
            self._next()
        if self.task is None:
            self._resume()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _written(self, reply: Reply, closing: bool) -> bytes:
        status, media_type, headers, body = reply
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\nContent-Type: {media_type}\r\n"
            f"Content-Length: {len(body)}\r\nDate: {self._listener.date()}\r\n"
        )
        for name, value in headers.items():
            head += f"{name}: {value}\r\n"
        if self._secure:
            head += f"Strict-Transport-Security: {STRICT_TRANSPORT}\r\n"
        if closing:
            head += "Connection: close\r\n"
        return f"{head}\r\n".encode() + body

    def _hand_over(self) -> None:
        """Everything that is not answered yet, and all that follows, is aiohttp's."""
        data, self._buffer = self._buffer, b""
        self._listener.connections.discard(self)
        self._resume()
        handler = self._listener.fallback()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(data)


def fields(lines: bytes) -> CIMultiDict[str] | None:
    """The fields of a head that `HEAD` matches; None where a name stands twice."""
    found: CIMultiDict[str] = CIMultiDict()
    count = 0
    for line in lines.decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        found[name] = value.strip(" \t")
        count += 1
    return found if len(found) == count else None


def body_length(headers: CIMultiDict[str], most: int) -> int | None:
    """The length of a body; None where it is too long, or the request asks for more than to be answered."""
    length = headers.get("Content-Length", "")
    if LENGTH.fullmatch(length) is None or "Host" not in headers:
        return None
    if headers.get("Connection", "keep-alive").lower() != "keep-alive":
        return None
    for name in UNUSUAL:
        if name in headers:
            return None
    return int(length) if int(length) <= most else None
