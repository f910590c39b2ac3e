"""Plain spins are answered by the listener of a worker. If it passed them on, all would be answered as well, only slower.

What the listener passes on is answered by aiohttp, which names itself in the field `Server`. The listener sends no such field.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from bench_server import open_sessions, spin_requests
from rgs_server import signing
from rgs_server.client import Client
from service_process import Service, run, spin_body

SPINS = "/rgs/v1/spins"
JSON = {"Content-Type": "application/json"}
FIELDS = {
    "curl": {
        "User-Agent": "curl/8.5.0",
        "Accept": "*/*",
        "Content-Type": "application/x-www-form-urlencoded",
    },
    "trace": {
        **JSON,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "platform=t61rcWkgMzE",
    },
    "key": {**JSON, "Idempotency-Key": "{key}"},
    "version": {**JSON, "Accept": "application/vnd.rgs.v1+json"},
    "proxy": {**JSON, "X-Forwarded-For": "203.0.113.7", "Via": "1.1 gateway", "Connection": "keep-alive"},
    "all": {
        "content-type": "application/json; charset=utf-8",
        "accept": "application/vnd.rgs.v1+json",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "idempotency-key": "{key}",
        "connection": "Keep-Alive",
    },
}
"""What callers may send with a signed spin; `{key}` is its idempotency key."""
_numbers = itertools.count()

Answer = tuple[int, dict[str, str]]
"""Status and fields, whose names are in small letters."""


def request(service: Service, body: bytes, fields: Mapping[str, str]) -> bytes:
    """A signed spin as it is sent, with more fields."""
    assert service.credentials is not None
    mine = service.credentials
    key = json.loads(body)["idempotency_key"]
    sent = {
        "Host": f"127.0.0.1:{service.config.port}",
        "Content-Length": str(len(body)),
        **signing.headers(mine.key_id, mine.secret.encode(), "POST", SPINS, body),
        **{name: value.format(key=key) for name, value in fields.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"POST {SPINS} HTTP/1.1\r\n{head}\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> Answer:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode()
    status, *lines = head.split("\r\n")[:-2]
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    await asyncio.wait_for(reader.readexactly(int(fields["content-length"])), 20)
    return int(status.split(" ")[1]), fields


def exchange(service: Service, *requests: bytes, cut: int | None = None) -> list[Answer]:
    """The answers over one connection to requests, each of which waits for the answer before; in two pieces where `cut`."""

    async def job() -> list[Answer]:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.config.port)
        found = []
        try:
            for sent in requests:
                for piece in (sent,) if cut is None else (sent[:cut], sent[cut:]):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0 if cut is None else 0.1)
                found.append(await answer(reader))
        finally:
            writer.close()
        return found

    return run(job())


def servers(answers: list[Answer]) -> list[str]:
    """Who has answered; all have to be well."""
    assert [status for status, _ in answers] == [200] * len(answers)
    return ["aiohttp" if "aiohttp" in fields.get("server", "") else "listener" for _, fields in answers]


@pytest.fixture
def spin(new_session: Callable[[], str]) -> Callable[[], bytes]:
    """Bodies of new spins in one session."""
    session = new_session()
    return lambda: spin_body(f"listener-{next(_numbers)}", session)


@pytest.fixture(scope="module")
def fields_of_client(service: Service) -> dict[str, str]:
    """What the client sends, but for what each request has of its own."""
    assert service.credentials is not None
    credentials = service.credentials
    found: dict[str, str] = {}

    async def keep(received: web.BaseRequest) -> web.Response:
        found.update(received.headers)
        return web.Response()

    async def job() -> None:
        async with RawTestServer(keep) as server:
            url = f"http://{server.host}:{server.port}"
            async with Client(replace(credentials, url=url)) as client:
                await client.send("POST", SPINS, b"{}")

    run(job())
    return {name: value for name, value in found.items() if name not in ("Host", "Content-Length", *signing.HEADERS)}


# --- What the listener answers -----------------------------------------------------------------------


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_plain_spins_over_a_kept_connection(
    service: Service, spin: Callable[[], bytes], fields: Mapping[str, str]
) -> None:
    answers = exchange(service, *(request(service, spin(), fields) for _ in range(3)))
    assert servers(answers) == ["listener"] * 3
    versioned = "application/vnd.rgs.v1+json" in fields.values()
    media_type = "application/vnd.rgs.v1+json" if versioned else "application/json"
    assert {found["content-type"] for _, found in answers} == {media_type}


def test_spins_with_the_fields_of_our_client(
    service: Service, spin: Callable[[], bytes], fields_of_client: dict[str, str]
) -> None:
    assert {"User-Agent", "Accept", "Accept-Encoding", "Content-Type"} <= fields_of_client.keys()
    answers = exchange(service, *(request(service, spin(), fields_of_client) for _ in range(3)))
    assert servers(answers) == ["listener"] * 3


def test_spins_that_our_client_sends(service: Service, spin: Callable[[], bytes]) -> None:
    async def job() -> list[Answer]:
        async with service.client() as client:
            replies = [await client.send("POST", SPINS, spin()) for _ in range(3)]
        return [(reply.status, {name.lower(): value for name, value in reply.headers.items()}) for reply in replies]

    assert servers(run(job())) == ["listener"] * 3


def test_spins_of_the_bench(service: Service) -> None:
    run(open_sessions(service, 1))
    requests: Iterator[bytes] = spin_requests(service, 1)
    assert servers(exchange(service, *itertools.islice(requests, 3))) == ["listener"] * 3


@pytest.mark.parametrize("place", ["request line", "fields", "end of the head", "body"])
def test_spins_that_come_in_two_pieces(service: Service, spin: Callable[[], bytes], place: str) -> None:
    sent = [request(service, spin(), JSON) for _ in range(2)]
    end = sent[0].index(b"\r\n\r\n") + 4
    cut = {"request line": 9, "fields": 60, "end of the head": end, "body": end + 20}[place]
    assert servers(exchange(service, *sent, cut=cut)) == ["listener"] * 2


# --- What it passes on -------------------------------------------------------------------------------


def test_a_spin_that_asks_for_more_is_answered_by_aiohttp(service: Service, spin: Callable[[], bytes]) -> None:
    """Or the tests above could not tell who answers."""
    sent = request(service, spin(), {**JSON, "Connection": "close"})
    assert servers(exchange(service, sent)) == ["aiohttp"]


def test_behind_another_request_spins_are_answered_by_aiohttp(service: Service, spin: Callable[[], bytes]) -> None:
    """A connection is passed on for good: whoever opens sessions over those on which he plays is answered by aiohttp."""
    first, second = (request(service, spin(), JSON) for _ in range(2))
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert servers(exchange(service, first, health, second)) == ["listener", "aiohttp", "aiohttp"]
