"""Spins that are drawn while the database writes those before them: what becomes of them when it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from rgs_server.client import Client, Reply
from rgs_server.store import Store
from service_process import Service, run, session_body, spin_body
from spin_rows import row

HELD_MINOR = 100_000


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker with one lane, so that all spins meet in it."""
    running = Service(Path(tmp_path_factory.mktemp("lone")), workers=1)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


async def opened(client: Client, session: str) -> str:
    """A session that holds money, and that the lane knows."""
    assert (await client.send("POST", "/rgs/v1/sessions", session_body(session, wallet="transfer"))).status == 200
    amount = {"amount": f"{HELD_MINOR // 100}.00", "currency": "EUR"}
    body = json.dumps({"transfer_id": f"in-{session}", "amount": amount}).encode()
    assert (await client.send("POST", f"/rgs/v1/sessions/{session}/transfers", body)).status == 200
    assert (await client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-0", session))).status == 200
    return session


@asynccontextmanager
async def writing(service: Service, client: Client, session: str) -> AsyncIterator[tuple[Store, asyncio.Task[Reply]]]:
    """A time in which the lane writes a spin of a session and cannot finish; it ends when the connection commits."""
    other = await asyncpg.connect(service.database_url)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT FROM sessions WHERE session_id = $1 FOR UPDATE", session)
        first = asyncio.create_task(client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-1", session)))
        while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
        yield Store(other), first
        await transaction.commit()
    finally:
        await other.close()


async def balances(service: Service, session: str) -> dict[int, int]:
    """What the session held after each nonce, by what was staked and won."""
    held, found = HELD_MINOR, {}
    for spin in await service.fetch(
        "SELECT nonce, stake_minor, win_minor FROM spins WHERE session_id = $1 ORDER BY nonce", session
    ):
        held += int(spin["win_minor"] - spin["stake_minor"])
        found[spin["nonce"]] = held
    assert list(found) == list(range(len(found)))
    return found


def told(replies: list[Reply]) -> dict[int, int]:
    """Nonce and balance of each answer."""
    assert [reply.status for reply in replies] == [200] * len(replies), [reply.body for reply in replies]
    return {reply.json()["nonce"]: reply.json()["balance"]["minor"] for reply in replies}


def spins(client: Client, session: str, names: range) -> list[asyncio.Task[Reply]]:
    """Several at once, each over a connection of its own."""
    return [
        asyncio.create_task(client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-{name}", session)))
        for name in names
    ]


def test_what_follows_a_written_spin_is_as_it_was_drawn(lone: Service) -> None:
    async def job() -> None:
        async with lone.client() as client:
            session, beside = await opened(client, "ahead-a"), await opened(client, "ahead-b")
            async with writing(lone, client, session) as (_, first):
                ahead = spins(client, session, range(2, 6))
                others = spins(client, beside, range(1, 4))
                await asyncio.sleep(0.3)
                assert not any(task.done() for task in (first, *ahead, *others))
            replies = await asyncio.gather(first, *ahead)
            assert told(replies).items() <= (await balances(lone, session)).items()
            assert told(await asyncio.gather(*others)).items() <= (await balances(lone, beside)).items()

    run(job())


def test_what_follows_a_forestalled_spin_is_drawn_again(lone: Service) -> None:
    """Another worker's spin has the nonce of the one that is being written. Those drawn behind it would fit by their nonces,
    and would tell balances that never were."""

    async def job() -> None:
        async with lone.client() as client:
            session, beside = await opened(client, "forestalled-a"), await opened(client, "forestalled-b")
            [version] = await lone.fetch("SELECT version FROM sessions WHERE session_id = $1", session)
            async with writing(lone, client, session) as (store, first):
                ahead = spins(client, session, range(2, 6))
                others = spins(client, beside, range(1, 4))
                await asyncio.sleep(0.3)
                of_other = row(session, "other", 1)._replace(stake_minor=7700, session_version=version["version"])
                assert (await store.commit_spins([of_other], 1)).spins
            replies = await asyncio.gather(first, *ahead)
            held = await balances(lone, session)
            assert told(replies).items() <= held.items()
            assert sorted(told(replies)) == [2, 3, 4, 5, 6]
            assert told(await asyncio.gather(*others)).items() <= (await balances(lone, beside)).items()

    run(job())


def test_what_follows_a_lost_connection_is_drawn_again(lone: Service) -> None:
    async def job() -> None:
        async with lone.client() as client:
            session, beside = await opened(client, "lost-a"), await opened(client, "lost-b")
            async with writing(lone, client, session) as (store, first):
                ahead = spins(client, session, range(2, 6))
                others = spins(client, beside, range(1, 4))
                await asyncio.sleep(0.3)
                waiting = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
                assert await store.connection.fetchval(waiting)
            replies = await asyncio.gather(first, *ahead)
            assert told(replies).items() <= (await balances(lone, session)).items()
            assert told(await asyncio.gather(*others)).items() <= (await balances(lone, beside)).items()

    run(job())


def test_nobody_is_refused_for_what_was_drawn_ahead(lone: Service) -> None:
    """But for what is on record when those before it are: money may have come in meanwhile."""

    async def job() -> None:
        async with lone.client() as client:
            session = await opened(client, "poor")
            [held] = (await balances(lone, session)).values()
            async with writing(lone, client, session) as (store, first):
                greedy = asyncio.create_task(
                    client.send("POST", "/rgs/v1/spins", spin_body("poor-2", session, f"{held // 100 + 100}.00"))
                )
                await asyncio.sleep(0.3)
                assert not greedy.done()
                more = "UPDATE sessions SET balance_minor = balance_minor + 1000000, version = version + 1 WHERE session_id = $1"
                await store.connection.execute(more, session)
            replies = await asyncio.gather(first, greedy)
            found = {nonce: minor + 1_000_000 for nonce, minor in (await balances(lone, session)).items()}
            assert told(replies).items() <= found.items()

    run(job())
