"""A signed request is taken once, by whichever worker: what others have captured is of no use to them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import asyncpg
import pytest
from rgs_server import signing
from rgs_server.client import Client, Credentials, Reply
from rgs_server.store import Store
from service_process import Service, run, session_body, spin_body

GAMES = "/rgs/v1/games"
SPINS = "/rgs/v1/spins"


def code(reply: Reply) -> str:
    return "" if reply.status == 200 else str(reply.json()["code"])


def signed(credentials: Credentials, method: str, target: str, body: bytes = b"", nonce: str = "") -> dict[str, str]:
    """Headers of one request, to be sent as often as one likes."""
    if not nonce:
        return signing.headers(credentials.key_id, credentials.secret.encode(), method, target, body)
    timestamp = signing.now_text()
    signature = signing.sign(credentials.secret.encode(), method, target, timestamp, nonce, body)
    return {
        signing.KEY_ID: credentials.key_id,
        signing.TIMESTAMP: timestamp,
        signing.NONCE: nonce,
        signing.SIGNATURE: f"v1={signature}",
    }


@pytest.fixture(scope="module")
def mine(service: Service) -> Credentials:
    return service.add_operator("op-nonces")


def test_a_captured_request_is_refused_by_every_worker(service: Service, mine: Credentials) -> None:
    """Forty copies at once over connections of their own, which the kernel spreads over both workers."""
    headers = signed(mine, "GET", GAMES)

    async def copy() -> str:
        async with Client(mine) as client:
            return code(await client.send("GET", GAMES, headers=headers))

    async def job() -> list[str]:
        return await asyncio.gather(*(copy() for _ in range(40)))

    assert sorted(run(job())) == ["", *["NONCE_REUSED"] * 39]
    assert {code(service.send("GET", GAMES, credentials=mine, headers=headers)) for _ in range(10)} == {"NONCE_REUSED"}


def test_the_same_bytes_are_refused_and_the_same_key_is_answered(
    service: Service, new_session: Callable[[], str]
) -> None:
    """A retry is signed anew and keeps its idempotency key."""
    assert service.credentials is not None
    body = spin_body("resent", new_session())
    headers = signed(service.credentials, "POST", SPINS, body)
    first = service.send("POST", SPINS, body, headers=headers)
    again = service.send("POST", SPINS, body, headers=headers)
    anew = service.send("POST", SPINS, body)
    assert first.status == 200
    assert code(again) == "NONCE_REUSED"
    # Whether the first one moved money, its sender does not know; voiding the bet now would be wrong.
    assert (again.json()["money_state"], again.json()["retryable"]) == ("unknown", False)
    assert (anew.status, anew.body, anew.headers["Idempotent-Replayed"]) == (200, first.body, "true")


def test_a_captured_spin_is_refused_by_every_worker(service: Service, new_session: Callable[[], str]) -> None:
    """Its nonce is written by the statement that commits it: of forty copies one is played, by whichever worker."""
    assert service.credentials is not None
    mine = service.credentials
    body = spin_body("nonce-copied", new_session())
    headers = signed(mine, "POST", SPINS, body)

    async def copy() -> str:
        async with Client(mine) as client:
            return code(await client.send("POST", SPINS, body, headers=headers))

    async def job() -> list[str]:
        return await asyncio.gather(*(copy() for _ in range(40)))

    assert sorted(run(job())) == ["", *["NONCE_REUSED"] * 39]
    assert code(service.send("POST", SPINS, body, headers=headers)) == "NONCE_REUSED"


def test_other_spins_of_a_batch_do_not_mind_a_captured_one(service: Service, new_session: Callable[[], str]) -> None:
    """A used nonce under a new body: signed by the owner of the key, so only the nonce refuses it."""
    assert service.credentials is not None
    mine, session = service.credentials, new_session()
    first = spin_body("nonce-taker", session)
    assert code(service.send("POST", SPINS, first, headers=signed(mine, "POST", SPINS, first, nonce="n-taken"))) == ""

    async def job() -> list[str]:
        async with service.client() as client:
            bodies = [spin_body(f"nonce-mate-{n}", session) for n in range(30)]
            nonces = ["n-taken" if n % 10 == 5 else "" for n in range(30)]
            replies = await asyncio.gather(
                *(
                    client.send("POST", SPINS, body, headers=signed(mine, "POST", SPINS, body, nonce=nonce))
                    for body, nonce in zip(bodies, nonces, strict=True)
                )
            )
            return [code(reply) for reply in replies]

    assert run(job()) == ["NONCE_REUSED" if n % 10 == 5 else "" for n in range(30)]
    played = run(service.fetch("SELECT spin_id FROM spins WHERE spin_id LIKE 'nonce-mate-%'"))
    assert len(played) == 27


@pytest.mark.parametrize("body", [b"{", b'{"spin_id": 1}'])
def test_a_spin_that_cannot_be_read_uses_its_nonce_up(service: Service, body: bytes) -> None:
    """It never comes to the statement that commits spins."""
    assert service.credentials is not None
    headers = signed(service.credentials, "POST", SPINS, body)
    assert code(service.send("POST", SPINS, body, headers=headers)) == "VALIDATION_FAILED"
    assert code(service.send("POST", SPINS, body, headers=headers)) == "NONCE_REUSED"


def test_a_spin_that_waits_for_the_same_one_uses_its_nonce_up(service: Service, new_session: Callable[[], str]) -> None:
    """Retries that arrive while the first one is being written are answered with it, each by a nonce of its own."""
    assert service.credentials is not None
    mine, body = service.credentials, spin_body("nonce-joined", new_session())
    headers = [signed(mine, "POST", SPINS, body) for _ in range(20)]

    async def job() -> list[list[str]]:
        async with service.client() as client:
            return [
                [code(r) for r in await asyncio.gather(*(client.send("POST", SPINS, body, headers=h) for h in headers))]
                for _ in range(2)
            ]

    assert run(job()) == [[""] * 20, ["NONCE_REUSED"] * 20]


def test_what_was_refused_is_not_played_by_a_replay(service: Service) -> None:
    """The platform gave up on it: sent again by somebody else it must not become a bet."""
    assert service.credentials is not None
    session = "opened-later"
    body = spin_body("given-up", session)
    headers = signed(service.credentials, "POST", SPINS, body)
    assert code(service.send("POST", SPINS, body, headers=headers)) == "SESSION_UNKNOWN"
    assert code(service.send("POST", "/rgs/v1/sessions", session_body(session))) == ""
    assert code(service.send("POST", SPINS, body, headers=headers)) == "NONCE_REUSED"
    assert not run(service.fetch("SELECT FROM spins WHERE spin_id = 'given-up'"))


def test_a_nonce_stands_for_one_request_of_one_operator(service: Service, mine: Credentials) -> None:
    other = service.add_operator("op-nonces-too")
    for credentials, target, expected in (
        (mine, GAMES, ""),
        (mine, "/rgs/v1/spins/none", "NONCE_REUSED"),
        (mine, GAMES, "NONCE_REUSED"),
        (other, GAMES, ""),
    ):
        headers = signed(credentials, "GET", target, nonce="n-shared")
        assert code(service.send("GET", target, credentials=credentials, headers=headers)) == expected


def test_a_request_that_is_not_signed_right_uses_no_nonce_up(service: Service, mine: Credentials) -> None:
    """Or anybody who sees a nonce first could have the request of its owner refused."""
    headers = signed(mine, "GET", GAMES, nonce="n-raced")
    old = {**headers, signing.TIMESTAMP: "2020-01-01T00:00:00.000Z"}
    signature = signing.sign(mine.secret.encode(), "GET", GAMES, old[signing.TIMESTAMP], "n-raced", b"")
    for wrong, expected in (
        ({**headers, signing.SIGNATURE: "v1=" + "0" * 64}, "SIGNATURE_INVALID"),
        ({**old, signing.SIGNATURE: f"v1={signature}"}, "TIMESTAMP_SKEW"),
        (headers, ""),
    ):
        assert code(service.send("GET", GAMES, credentials=mine, headers=wrong)) == expected


def test_the_length_of_a_nonce(service: Service, mine: Credentials) -> None:
    for length, expected in ((255, ""), (256, "SIGNATURE_INVALID")):
        headers = signed(mine, "GET", GAMES, nonce="n" * length)
        assert code(service.send("GET", GAMES, credentials=mine, headers=headers)) == expected


def test_an_answer_that_was_lost_is_asked_for_again(service: Service) -> None:
    """The worker that wrote a nonce and did not hear of it takes it as new; another request does not."""

    async def job() -> list[set[bytes]]:
        connection = await asyncpg.connect(service.database_url)
        try:
            store = Store(connection)
            digests = [b"a" * 16, b"b" * 16]
            return [
                await store.remember_nonces(digests, [1, 2], 600),
                await store.remember_nonces(digests, [1, 2], 600),
                await store.remember_nonces(digests, [3, 2], 600),
                await store.remember_nonces([b"c" * 16], [3], 600),
            ]
        finally:
            await connection.close()

    a, b, c = b"a" * 16, b"b" * 16, b"c" * 16
    assert run(job()) == [{a, b}, {a, b}, {b}, {c}]


def test_workers_that_write_the_same_nonces_do_not_wait_for_each_other(service: Service) -> None:
    """The same requests at the same time to many connections, each nonce taken by exactly one of them."""

    async def job() -> list[int]:
        stores = [Store(await asyncpg.connect(service.database_url)) for _ in range(4)]
        try:
            taken = []
            for round_number in range(30):
                digests = [bytes([round_number, n]) * 8 for n in range(50)]
                new = await asyncio.gather(
                    *(store.remember_nonces(digests, [k] * 50, 600) for k, store in enumerate(stores))
                )
                taken.append(len(list(itertools.chain(*new))))
            return taken
        finally:
            for store in stores:
                await store.connection.close()

    assert run(job()) == [50] * 30


def test_old_nonces_are_swept(service: Service) -> None:
    async def job() -> list[int]:
        connection = await asyncpg.connect(service.database_url)
        try:
            store = Store(connection)
            await store.remember_nonces([b"d" * 16], [1], -1)
            await store.remember_nonces([b"e" * 16], [1], 600)
            await store.sweep_nonces()
            rows = await connection.fetch("SELECT digest FROM nonces WHERE digest = ANY($1)", [b"d" * 16, b"e" * 16])
            return [row["digest"][0] for row in rows]
        finally:
            await connection.close()

    assert run(job()) == [ord("e")]


def test_a_nonce_outlives_its_timestamp(service: Service, mine: Credentials) -> None:
    """A timestamp may lie a window ahead, so it can be right for two windows."""
    service.send("GET", GAMES, credentials=mine)
    left = run(service.fetch("SELECT extract(epoch FROM max(expires_at) - now()) AS seconds FROM nonces"))[0]
    assert left["seconds"] > 2 * service.config.signature_window_s
