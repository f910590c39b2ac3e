"""The statement that commits a batch, on a real database, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from rgs_server.client import Reply
from rgs_server.spins import LANE_SETTINGS
from rgs_server.store import QUERIES, SpinRow, Store, create_schema
from service_process import Service, run, spin_body
from spin_rows import row


def commit(service: Service, *rows: SpinRow) -> list[str]:
    """Names of the rows that were taken, and the invariant that nonces have no gaps."""

    async def job() -> list[str]:
        connection = await asyncpg.connect(service.database_url)
        try:
            taken = await Store(connection).commit_spins(rows, 1)
            found = await connection.fetchrow(
                "SELECT next_nonce, array(SELECT nonce FROM spins WHERE session_id = s.session_id ORDER BY nonce) AS used "
                "FROM sessions s WHERE session_id = $1",
                rows[0].session_id,
            )
            assert found is not None
            assert found["used"] == list(range(found["next_nonce"]))
            return sorted(spin_id.split("-")[-1] for _, spin_id in taken.spins)
        finally:
            await connection.close()

    return run(job())


@pytest.fixture
def session(service: Service, new_session: Callable[[], str]) -> str:
    return new_session()


def test_consecutive_rows_are_taken(service: Service, session: str) -> None:
    assert commit(service, row(session, "a", 0), row(session, "b", 1)) == ["a", "b"]
    assert commit(service, row(session, "c", 2)) == ["c"]


def test_a_stale_or_early_row_is_left_out(service: Service, session: str) -> None:
    assert commit(service, row(session, "a", 1)) == []
    assert commit(service, row(session, "a", 0)) == ["a"]
    assert commit(service, row(session, "b", 0)) == []


def test_a_row_behind_a_gap_is_left_out(service: Service, session: str) -> None:
    assert commit(service, row(session, "a", 0)) == ["a"]
    assert commit(service, row(session, "a", 1), row(session, "b", 2)) == []
    assert commit(service, row(session, "b", 1), row(session, "c", 3)) == ["b"]


def test_a_stale_batch_with_a_repeated_row_cannot_slip_in(service: Service, session: str) -> None:
    """Found by killing processes: rows 0, 1, 2 are stale, the repeated row makes 4 fit by its place alone."""
    assert commit(service, row(session, "old", 0)) == ["old"]
    stale = [row(session, name, nonce) for nonce, name in enumerate(["p", "q", "r", "old", "s"])]
    assert commit(service, *stale) == []


@pytest.mark.parametrize("changed", ["spin_id", "round_id", "idempotency_key"])
def test_what_was_used_before_is_left_out(service: Service, session: str, changed: str) -> None:
    first = row(session, "a", 0)
    assert commit(service, first) == ["a"]
    names = {"spin_id", "round_id", "idempotency_key", "telemetry_ref"} - {changed}
    again = first._replace(nonce=1, **dict.fromkeys(names, f"{session}-new-{changed}"))
    assert commit(service, again) == []


def test_a_row_whose_nonce_was_used_is_left_out(service: Service, session: str) -> None:
    """And with it all that follow in its session, whose places are others now. The same claim is the same request."""
    used, new = b"u" * 16, session.encode().ljust(16, b".")[:16]
    rows = [
        row(session, "a", 0)._replace(nonce_digest=new),
        row(session, "b", 1)._replace(nonce_digest=used),
        row(session, "c", 2),
    ]

    async def job() -> list[tuple[list[str], set[bytes]]]:
        connection = await asyncpg.connect(service.database_url)
        try:
            store = Store(connection)
            await store.remember_nonces([used], [1], 600)
            found = []
            for claims in ([7, 2], [7, 2], [8, 1]):
                taken = await store.commit_spins(rows, 1, [new, used], claims, 600)
                found.append((sorted(spin_id.split("-")[-1] for _, spin_id in taken.spins), taken.replayed))
            return found
        finally:
            await connection.close()

    # The second time the key of the first row is known; the third time its nonce is another request's.
    assert run(job()) == [(["a"], {used}), ([], {used}), (["b", "c"], {new})]


def test_a_spin_costs_the_same_in_a_large_table(service: Service) -> None:
    """Plans made while the tables are empty must not read more with every spin that is there."""
    spins = 300

    async def job() -> int:
        admin = await asyncpg.connect(service.database_url)
        await admin.execute("DROP DATABASE IF EXISTS growing")
        await admin.execute("CREATE DATABASE growing")
        await admin.close()
        url = service.database_url.replace("/postgres?", "/growing?")
        await create_schema(url)
        lane = await asyncpg.connect(url, server_settings=LANE_SETTINGS)
        store = Store(lane)
        await store.add_operator("op-sandbox", False)
        now = datetime.now(UTC)
        values = ("p", "g", "h", "DE", "EUR", 2, "", b"s", b"c" * 32, b"f", b"r", now, "platform", False, None, None)
        assert await store.open_session("op-sandbox", "one", *values)
        for nonce in range(spins):
            assert (await store.commit_spins([row("one", f"n{nonce}", nonce)], 1)).spins
        await lane.close()
        reader = await asyncpg.connect(url)
        try:
            for _ in range(100):  # the closed connection hands in its statistics when it ends
                read = await reader.fetchval(
                    "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) + "
                    "(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
                )
                if read >= spins:
                    return int(read)
                await asyncio.sleep(0.1)
            raise AssertionError("no statistics")
        finally:
            await reader.close()

    assert run(job()) < 20 * spins


def test_a_lane_plans_once(service: Service, new_session: Callable[[], str]) -> None:
    """Not for each batch, nor anew for the batches after an ANALYZE: planning takes longer than a commit."""
    session = new_session()

    async def job() -> tuple[int, int]:
        lane = await asyncpg.connect(service.database_url, server_settings=LANE_SETTINGS)
        try:
            store = Store(lane)
            for nonce in range(20):
                if nonce == 10:
                    await service.fetch("ANALYZE")
                assert (await store.commit_spins([row(session, f"p{nonce}", nonce)], 1)).spins
            plans = await lane.fetchrow(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1",
                QUERIES["commit_spins"],
            )
            assert plans is not None
            return plans["generic_plans"], plans["custom_plans"]
        finally:
            await lane.close()

    assert run(job()) == (20, 0)


def test_spins_do_not_make_the_table_of_sessions_grow(service: Service, new_session: Callable[[], str]) -> None:
    """Each writes its session anew: into the room that its page has, which is freed again."""
    sessions = [new_session() for _ in range(8)]

    async def job() -> int:
        connection = await asyncpg.connect(service.database_url)
        try:
            store = Store(connection)
            before = await connection.fetchval("SELECT pg_relation_size('sessions')")
            for nonce in range(200):
                taken = await store.commit_spins([row(session, f"g{nonce}", nonce) for session in sessions], 1)
                assert len(taken.spins) == len(sessions)
            after: int = await connection.fetchval("SELECT pg_relation_size('sessions')")
            return after - before
        finally:
            await connection.close()

    assert run(job()) < 200_000


def test_a_spin_that_another_worker_is_writing_is_a_conflict(service: Service, new_session: Callable[[], str]) -> None:
    """The database sees the clash only when the other one commits; the answer is 409, not 500."""
    first, second = new_session(), new_session()

    async def job() -> Reply:
        other = await asyncpg.connect(service.database_url)
        transaction = other.transaction()
        await transaction.start()
        assert (await Store(other).commit_spins([row(first, "clash", 0)], 1)).spins
        async with service.client() as client:
            body = spin_body(f"{first}-clash", second)
            asked = asyncio.create_task(client.send("POST", "/rgs/v1/spins", body))
            await asyncio.sleep(0.5)
            assert not asked.done()
            await transaction.commit()
            await other.close()
            return await asked

    reply = run(job())
    assert (reply.status, reply.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")
