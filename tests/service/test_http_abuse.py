"""HTTP that tries to do harm, against both readers of a worker: the one of plain spins, and aiohttp behind it.

A connection whose first request is another one than a spin is aiohttp's from then on, so every test is run twice.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rgs_server import signing
from service_process import Service, run, session_body, spin_body

SPINS = "/rgs/v1/spins"
READERS = ("spins", "aiohttp")
_numbers = itertools.count()


class Wire:
    """A connection that sends any bytes and reads whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes, pause_s: float = 0.0) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(pause_s)

    async def answer(self) -> tuple[int, bytes]:
        """Status and body; (0, b"") where the connection was closed instead."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        return int(head[9:12]), await asyncio.wait_for(self.reader.readexactly(int(fields[b"content-length"])), 20)

    async def rest(self) -> bytes:
        """All that still comes within a moment."""
        try:
            return await asyncio.wait_for(self.reader.read(), 0.5)
        except (TimeoutError, ConnectionError):
            return b""


@asynccontextmanager
async def wire(service: Service, reader: str) -> AsyncIterator[Wire]:
    incoming, outgoing = await asyncio.open_connection("127.0.0.1", service.config.port)
    one = Wire(incoming, outgoing)
    try:
        if reader == "aiohttp":
            await one.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await one.answer())[0] == 200
        yield one
    finally:
        outgoing.close()


def head(
    service: Service, body: bytes, *more: str, length: str | None = "", line: str = f"POST {SPINS} HTTP/1.1"
) -> bytes:
    """The head of a signed spin, with more fields; `length`: as it is where empty, None: no such field."""
    assert service.credentials is not None
    mine = service.credentials
    signed = signing.headers(mine.key_id, mine.secret.encode(), "POST", SPINS, body)
    fields = ["Host: x", "Content-Type: application/json", *(f"{name}: {value}" for name, value in signed.items())]
    if length is not None:
        fields.append(f"Content-Length: {length or len(body)}")
    return "\r\n".join([line, *fields, *more, "", ""]).encode("latin-1")


def chunked(body: bytes) -> bytes:
    return f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


@pytest.fixture
def spin(new_session: Callable[[], str]) -> Callable[[], bytes]:
    """Bodies of new spins in one session."""
    session = new_session()
    return lambda: spin_body(f"abuse-{next(_numbers)}", session)


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def played(service: Service, *bodies: bytes) -> int:
    """How many of some spins are on record."""
    ids = [json.loads(body)["spin_id"] for body in bodies]
    return len(run(service.fetch("SELECT FROM spins WHERE spin_id = ANY($1)", ids)))


def exchange(service: Service, reader: str, *parts: bytes, pause_s: float = 0.0) -> list[tuple[int, bytes]]:
    """Answers to some bytes until none comes any more."""

    async def job() -> list[tuple[int, bytes]]:
        async with wire(service, reader) as one:
            await one.send(*parts, pause_s=pause_s)
            answers = []
            while True:
                try:
                    answers.append(await asyncio.wait_for(one.answer(), 0.75 if answers else 1.5))
                except TimeoutError:
                    return answers
                if answers[-1][0] == 0:
                    return answers

    return run(job())


def statuses(answers: list[tuple[int, bytes]]) -> list[int]:
    return [status for status, _ in answers]


# --- What has to work --------------------------------------------------------------------------------


def test_a_spin_in_one_piece(service: Service, reader: str, spin: Callable[[], bytes]) -> None:
    body = spin()
    assert statuses(exchange(service, reader, head(service, body) + body)) == [200]


def test_a_spin_byte_by_byte(service: Service, reader: str, spin: Callable[[], bytes]) -> None:
    body = spin()
    parts = [bytes([byte]) for byte in head(service, body) + body]
    assert statuses(exchange(service, reader, *parts)) == [200]


def test_head_and_body_apart(service: Service, reader: str, spin: Callable[[], bytes]) -> None:
    body = spin()
    assert statuses(exchange(service, reader, head(service, body), body, pause_s=0.2)) == [200]


def test_spins_that_are_sent_at_once_are_answered_in_order(
    service: Service, reader: str, spin: Callable[[], bytes]
) -> None:
    bodies = [spin() for _ in range(30)]
    answers = exchange(service, reader, b"".join(head(service, body) + body for body in bodies))
    assert statuses(answers) == [200] * 30
    names = [answer.split(b'"spin_id":"')[1].split(b'"')[0] for _, answer in answers]
    assert names == [body.split(b'"spin_id": "')[1].split(b'"')[0] for body in bodies]


def test_another_route_behind_a_spin(service: Service, reader: str, spin: Callable[[], bytes]) -> None:
    """And a spin behind that one: both readers serve one connection, one after the other."""
    first, second = spin(), spin()
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = head(service, first) + first + health + head(service, second) + second
    answers = exchange(service, reader, sent)
    assert statuses(answers) == [200, 200, 200]
    assert b'"ok"' in answers[1][1]


@pytest.mark.parametrize("size", [1, 7, 4000])
def test_chunks(service: Service, reader: str, spin: Callable[[], bytes], size: int) -> None:
    body = spin()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    encoded = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
    sent = head(service, body, "Transfer-Encoding: chunked", length=None) + encoded
    assert statuses(exchange(service, reader, sent)) == [200]


def test_expect_is_answered(service: Service, reader: str, spin: Callable[[], bytes]) -> None:
    body = spin()

    async def job() -> tuple[bytes, int]:
        async with wire(service, reader) as one:
            await one.send(head(service, body, "Expect: 100-continue"))
            interim = await asyncio.wait_for(one.reader.readuntil(b"\r\n\r\n"), 10)
            await one.send(body)
            return interim, (await one.answer())[0]

    interim, status = run(job())
    assert (interim.startswith(b"HTTP/1.1 100"), status) == (True, 200)


def test_a_connection_that_is_to_be_closed_is(service: Service, reader: str, spin: Callable[[], bytes]) -> None:
    body = spin()
    assert statuses(exchange(service, reader, head(service, body, "Connection: close") + body)) == [200, 0]


# --- Smuggling: no byte may be read in two ways --------------------------------------------------------


def smuggled(service: Service, body: bytes) -> dict[str, bytes]:
    """Requests whose end could be seen in two places; `inner` is what would be let in behind."""
    inner = head(service, body) + body
    empty = b"0\r\n\r\n"
    return {
        "length and chunks": head(service, empty + inner, "Transfer-Encoding: chunked") + empty + inner,
        "chunks that are none": head(service, b"{}", "Transfer-Encoding: xchunked") + b"{}" + inner,
        "chunks twice": head(service, b"", "Transfer-Encoding: chunked, chunked", length=None) + empty + inner,
        "chunks behind a tab": head(service, b"{}", "Transfer-Encoding:\tchunked") + empty + inner,
        "a space before the colon": head(service, b"{}", "Transfer-Encoding : chunked") + empty + inner,
        "a folded field": head(service, b"{}", "X-A: b", " Transfer-Encoding: chunked") + empty + inner,
        "two lengths": head(service, b"{}", "Content-Length: 0") + b"{}" + inner,
        "two equal lengths": head(service, b"{}", "Content-Length: 2") + b"{}" + inner,
        "a list of lengths": head(service, b"{}", length="2, 2") + b"{}" + inner,
        "a signed length": head(service, b"{}", length="+2") + b"{}" + inner,
        "a negative length": head(service, b"{}", length="-2") + b"{}" + inner,
        "a length in hexadecimal": head(service, b"{}", length="0x2") + b"{}" + inner,
        "a length with a fraction": head(service, b"{}", length="2.0") + b"{}" + inner,
        "a length of other digits": head(service, b"{}", length="²") + b"{}" + inner,
        "a length beyond all": head(service, b"{}", length="9" * 40) + b"{}" + inner,
        "a zero byte in a field": head(service, b"{}", "X-A: b\0c") + b"{}" + inner,
        "a bare carriage return": head(service, b"{}", "X-A: b\rTransfer-Encoding: chunked") + empty + inner,
        "a bare line feed": head(service, b"{}", "X-A: b\nTransfer-Encoding: chunked") + empty + inner,
        "a field without a colon": head(service, b"{}", "chunked") + b"{}" + inner,
        "a field without a name": head(service, b"{}", ": chunked") + b"{}" + inner,
        "another protocol": head(service, b"{}", line=f"POST {SPINS} HTTP/3.7") + b"{}" + inner,
    }


@pytest.mark.parametrize("name", [
    "length and chunks", "chunks that are none", "chunks twice", "a space before the colon", "a folded field",
    "two lengths", "two equal lengths", "a list of lengths", "a signed length", "a negative length",
    "a length in hexadecimal", "a length with a fraction", "a length of other digits", "a length beyond all",
    "a zero byte in a field", "a bare carriage return", "a bare line feed", "a field without a colon",
    "a field without a name", "another protocol",
])  # fmt: skip
def test_nothing_is_let_in_behind_a_request_that_has_two_ends(
    service: Service, reader: str, spin: Callable[[], bytes], name: str
) -> None:
    """It is refused, and what follows on its connection is not read."""
    body = spin()
    answers = exchange(service, reader, smuggled(service, body)[name])
    assert 200 not in statuses(answers), answers
    assert len([status for status in statuses(answers) if status]) <= 1, answers
    assert played(service, body) == 0


def test_both_readers_say_the_same(service: Service, spin: Callable[[], bytes]) -> None:
    """All of the cases, and what they are answered: a front that reads otherwise than the one behind is a way in."""
    found: dict[str, dict[str, list[int]]] = {reader: {} for reader in READERS}
    for reader in READERS:
        for name, sent in smuggled(service, spin()).items():
            found[reader][name] = statuses(exchange(service, reader, sent))
    assert found["spins"] == found["aiohttp"]


@pytest.mark.parametrize(
    "field",
    ["X-Key-Id", "X-Nonce", "X-Signature", "X-Timestamp", "Idempotency-Key", "Host", "X-Forwarded-For", "Accept"],
)
def test_a_field_twice_is_read_alike(service: Service, spin: Callable[[], bytes], field: str) -> None:
    answers = []
    for reader in READERS:
        body = spin()
        answers.append(statuses(exchange(service, reader, head(service, body, f"{field}: other") + body)))
    assert answers[0] == answers[1]


# --- Limits ------------------------------------------------------------------------------------------


def test_a_body_that_is_too_long_is_refused(service: Service, reader: str) -> None:
    body = b"{" + b" " * service.config.body_bytes_max
    answers = exchange(service, reader, head(service, body) + body)
    assert answers[0][0] == 413
    assert b"BODY_TOO_LARGE" in answers[0][1]


@pytest.mark.parametrize("more", [["X-A: " + "a" * 20_000], [f"X-{n}: a" for n in range(3000)]])
def test_a_head_that_is_too_long_is_refused(
    service: Service, reader: str, spin: Callable[[], bytes], more: list[str]
) -> None:
    body = spin()
    answers = exchange(service, reader, head(service, body, *more) + body)
    assert answers[0][0] in (0, 400, 431)
    assert played(service, body) == 0


def test_a_head_without_end_is_cut_off(service: Service, reader: str) -> None:
    """Megabytes of fields are not kept."""

    async def job() -> int:
        async with wire(service, reader) as one:
            sent = 0
            try:
                await one.send(f"POST {SPINS} HTTP/1.1\r\n".encode())
                for _ in range(4000):
                    await one.send(b"X-Filler: " + b"a" * 4000 + b"\r\n")
                    sent += 4000
            except ConnectionError:
                pass
            return sent

    assert run(job()) < 16_000_000


def test_bytes_that_are_no_http(service: Service, reader: str) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 400, b"\0" * 9000, b"POST " + b"/" * 9000):
        assert 200 not in statuses(exchange(service, reader, sent))
    assert service.send("GET", "/healthz").status == 200


# --- Slow clients -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two places for requests, in one worker, and little time for bodies."""
    running = Service(Path(tmp_path_factory.mktemp("narrow")), workers=1, in_flight_max=2, body_timeout_ms=1000)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


def test_bodies_that_do_not_come_take_no_places(narrow: Service, reader: str) -> None:
    """Nobody has to sign anything to send a head: it must not keep others out."""
    body = session_body(f"slow-{reader}")

    async def job() -> list[int]:
        wires = []
        for _ in range(20):
            incoming, outgoing = await asyncio.open_connection("127.0.0.1", narrow.config.port)
            one = Wire(incoming, outgoing)
            if reader == "aiohttp":
                await one.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await one.answer())[0] == 200
            await one.send(head(narrow, b"a" * 100) + b"{")
            wires.append(one)
        found = []
        async with narrow.client() as client:
            for _ in range(10):
                found.append((await client.send("POST", "/rgs/v1/sessions", body)).status)
        for one in wires:
            one.writer.close()
        return found

    assert run(job()) == [200] * 10


def test_a_body_that_does_not_come_is_given_up(narrow: Service) -> None:
    """aiohttp waits without end; a worker does not."""

    async def job() -> list[int]:
        async with wire(narrow, "aiohttp") as one:
            await one.send(head(narrow, b"a" * 100) + b"{")
            return [(await one.answer())[0], (await one.answer())[0]]

    assert run(job()) == [408, 0]


def test_answers_that_are_not_read_stop_the_reading(service: Service, reader: str) -> None:
    """A client that sends and never reads fills the kernel's buffers, not the memory of the worker."""
    request = head(service, b"{}") + b"{}"

    async def job() -> int:
        channel = socket.socket()
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        channel.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(channel, ("127.0.0.1", service.config.port))
        sent = 0
        try:
            if reader == "aiohttp":
                await loop.sock_sendall(channel, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                await loop.sock_recv(channel, 4096)
            while sent < 60_000_000:
                await asyncio.wait_for(loop.sock_sendall(channel, request * 200), 4)
                sent += len(request) * 200
        except TimeoutError:
            pass
        finally:
            channel.close()
        return sent

    assert run(job()) < 60_000_000
    assert service.send("GET", "/healthz").status == 200
