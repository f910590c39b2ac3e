"""The statement that commits a batch, on a real database, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from rgs_server.client import Reply
from rgs_server.spin_lane import LANE_SETTINGS
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


def test_rows_of_a_session_are_taken_all_or_none(
    service: Service, session: str, new_session: Callable[[], str]
) -> None:
    """One behind a gap would have the nonce of another, and so would those before it be without one."""
    other = new_session()
    assert commit(service, row(session, "a", 0)) == ["a"]
    assert commit(service, row(session, "a", 1), row(session, "b", 2)) == []
    assert commit(service, row(session, "b", 1), row(session, "a", 2), row(session, "c", 3)) == []
    assert commit(service, row(session, "b", 1), row(session, "c", 3)) == []
    assert commit(service, row(session, "b", 1), row(other, "x", 0), row(session, "a", 2)) == ["x"]
    assert commit(service, row(session, "b", 1), row(other, "y", 1), row(session, "c", 2)) == ["b", "c", "y"]


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
    """And with it all of its session. The same claim is the same request."""
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
            for claims in ([7, 2], [7, 1], [8, 1]):
                taken = await store.commit_spins(rows, 1, [new, used], claims, 600)
                found.append((sorted(spin_id.split("-")[-1] for _, spin_id in taken.spins), taken.replayed))
            return found
        finally:
            await connection.close()

    # The third time all keys are known, and the nonce of the first row is another request's.
    assert run(job()) == [([], {used}), (["a", "b", "c"], set()), ([], {new})]


def test_balances_and_numbers_of_events_run_through_a_session(service: Service, new_session: Callable[[], str]) -> None:
    """Several spins in one statement: each has the balance and the number of its event that it would have alone."""
    session = new_session()

    async def job() -> tuple[list[tuple[int, int]], list[int], tuple[int, int]]:
        connection = await asyncpg.connect(service.database_url)
        try:
            await connection.execute(
                "UPDATE sessions SET wallet = 'transfer', balance_minor = 1000 WHERE session_id = $1", session
            )
            rows = [
                row(session, "a", 0)._replace(win_minor=250),
                row(session, "b", 1)._replace(following=[("evt-x-" + session, "bonus_triggered", b"{}")]),
                row(session, "c", 2),
            ]
            assert len((await Store(connection).commit_spins(rows, 1, finished=True)).spins) == 3
            moves = await connection.fetch(
                "SELECT balance_before_minor, balance_after_minor FROM ledger WHERE session_id = $1"
                " ORDER BY spin_id, kind",
                session,
            )
            seqs = await connection.fetch(
                "SELECT seq FROM events WHERE session_id = $1 AND event_type <> 'session_opened' ORDER BY seq", session
            )
            left = await connection.fetchrow(
                "SELECT balance_minor, event_count FROM sessions WHERE session_id = $1", session
            )
            assert left is not None
            return [(int(m[0]), int(m[1])) for m in moves], [r["seq"] for r in seqs], (int(left[0]), left[1])
        finally:
            await connection.close()

    assert run(job()) == ([(1000, 900), (900, 1150), (1150, 1050), (1050, 950)], [2, 3, 4, 5], (950, 5))


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ("next_nonce = next_nonce + 1", False),
        ("version = version + 1", False),
        ("event_count = event_count + 7", True),
        ("one_round = true", True),
    ],
)
def test_a_row_that_waits_for_its_session_is_looked_at_again(
    service: Service, session: str, change: str, taken: bool
) -> None:
    """Another worker has the session: what it leaves counts, whatever was there when the statement began."""

    async def job() -> tuple[bool, list[str], list[int]]:
        first, second = await asyncpg.connect(service.database_url), await asyncpg.connect(service.database_url)
        try:
            transaction = first.transaction()
            await transaction.start()
            await first.execute(f"UPDATE sessions SET {change} WHERE session_id = $1", session)
            digest = session.encode().ljust(16, b"-")[:16]
            rows = [row(session, "b", 0)._replace(nonce_digest=digest)]
            late = asyncio.create_task(Store(second).commit_spins(rows, 1, [digest], [5], 600))
            await asyncio.sleep(0.3)
            waits = not late.done()
            await transaction.commit()
            spins = [spin for _, spin in (await late).spins]
            seqs = await second.fetch(
                "SELECT seq FROM events WHERE session_id = $1 AND event_type = 'spin_finished'", session
            )
            return waits, spins, [found["seq"] for found in seqs]
        finally:
            await first.close()
            await second.close()

    seq = 9 if "event_count" in change else 2  # the session has told that it was opened
    assert run(job()) == (True, [f"{session}-b"] if taken else [], [seq] if taken else [])


@pytest.mark.parametrize("finished", [False, True])
def test_both_forms_of_the_statement_plan_and_write_alike(service: Service, session: str, finished: bool) -> None:
    """The shorter one leaves out what rounds that go on would write, and nothing else."""

    async def job() -> list[int]:
        connection = await asyncpg.connect(service.database_url)
        try:
            one = row(session, "a", 0)._replace(win_minor=5)
            assert (await Store(connection).commit_spins([one], 1, finished=finished)).spins
            tables = ("spins", "ledger", "events WHERE event_type = 'spin_finished'")
            counts = [
                await connection.fetchval(
                    f"SELECT count(*) FROM {table} {'AND' if 'WHERE' in table else 'WHERE'} session_id = $1", session
                )
                for table in tables
            ]
            key = "SELECT count(*) FROM idempotency WHERE key = $1"
            return [*counts, await connection.fetchval(key, one.idempotency_key)]
        finally:
            await connection.close()

    assert run(job()) == [1, 2, 1, 1]


def test_spins_and_money_are_of_sessions_that_are_there(service: Service, session: str) -> None:
    """What a foreign key would say, for all rows of a statement at once; sessions keep their names and are never deleted."""
    spin = (
        "INSERT INTO spins SELECT operator_id, 's-' || spin_id, 'r-' || round_id, $2, idempotency_key, build_hash,"
        " mechanic_version, nonce, spin_type, mode, policy, currency, stake_minor, win_minor, win_units, outcome_digest,"
        " telemetry_ref, created_at FROM spins WHERE session_id = $1"
    )
    money = (
        "INSERT INTO ledger SELECT operator_id, 'x' || txn_id, kind, $2, spin_id, debit_account, credit_account, currency,"
        " exponent, amount_minor, NULL, NULL, created_at FROM ledger WHERE session_id = $1"
    )
    commit(service, row(session, "a", 0))

    async def job() -> None:
        connection = await asyncpg.connect(service.database_url)
        try:
            for statement in (spin, money):
                with pytest.raises(asyncpg.ForeignKeyViolationError, match="there is no session nobody"):
                    await connection.execute(statement, session, "nobody")
            for statement in (
                "DELETE FROM sessions WHERE session_id = $1",
                "UPDATE sessions SET session_id = 'another' WHERE session_id = $1",
            ):
                with pytest.raises(asyncpg.RaiseError, match="keep their names"):
                    await connection.execute(statement, session)
        finally:
            await connection.close()

    run(job())


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
        values = (
            "p",
            "g",
            "h",
            "DE",
            "EUR",
            2,
            "",
            b"s",
            b"c" * 32,
            b"f",
            b"r",
            now,
            "platform",
            False,
            None,
            None,
            "",
        )
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
