"""Rounds whose money the platform moves: settled, voided, left unsettled."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from rgs_server.client import Client, Credentials, Reply
from rgs_server.operators import Rules
from rgs_server.store import Store
from rgs_server.sweeping import report_unsettled
from service_process import Send, Service, code, run, sending, session_body, spin_body

SPINS = "/rgs/v1/spins"
OPERATOR = "op-settling"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def settling(service: Service) -> Credentials:
    """An operator whose rounds wait 60 seconds for their settlement."""
    credentials = service.add_operator(OPERATOR)
    service.change_operator(OPERATOR, rules=Rules(settle_within_s=60))
    return credentials


@pytest.fixture
def send(service: Service, settling: Credentials) -> Send:
    return sending(service, settling)


def opened(send: Send, operator: str = OPERATOR, **changes: object) -> str:
    session = f"settled-{next(_numbers)}"
    reply = send("POST", "/sessions", session_body(session, operator, **{"player_id": session, **changes}))
    assert reply.status == 200, reply.body
    return session


def played(send: Send, session: str) -> tuple[str, dict[str, Any]]:
    """Round and answer of a new spin."""
    name = f"{session}-{next(_numbers)}"
    reply = send("POST", "/spins", spin_body(name, session))
    assert reply.status == 200, reply.body
    return f"r-{name}", reply.json()


def ledger_of(service: Service, session: str) -> int:
    """What the game has earned in a session, in minor units."""
    rows = run(
        service.fetch(
            "SELECT coalesce(sum(CASE WHEN credit_account = 'game' THEN amount_minor ELSE -amount_minor END), 0) AS game "
            "FROM ledger WHERE session_id = $1",
            session,
        )
    )
    return int(rows[0]["game"])


def test_a_round_is_open_until_it_is_settled(send: Send) -> None:
    session = opened(send)
    round_id, answer = played(send, session)
    before = send("GET", f"/rounds/{round_id}").json()
    assert (before["state"], before["spin_id"], before["known"]) == ("open", answer["spin_id"], True)
    assert (before["stake"], before["win"]) == (answer["stake"], answer["outcome"]["win"])
    assert [r["round_id"] for r in send("GET", f"/sessions/{session}").json()["open_rounds"]] == [round_id]
    body = {"debit_tx": "d-1", "credit_tx": "c-1"}
    first = send("POST", f"/rounds/{round_id}/settlement", body)
    again = send("POST", f"/rounds/{round_id}/settlement", body)
    assert first.status == 200, first.body
    assert first.json() | {"state": "completed", "debit_tx": "d-1", "credit_tx": "c-1"} == first.json()
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert "Idempotent-Replayed" not in first.headers
    assert send("GET", f"/rounds/{round_id}").body == first.body
    assert send("GET", f"/sessions/{session}").json()["open_rounds"] == []


def test_a_void_that_comes_while_a_round_is_being_settled(service: Service, settling: Credentials, send: Send) -> None:
    """Its answer is the one that every later void gets."""
    round_id, _ = played(send, session := opened(send))
    body = json.dumps({"session_id": session, "reason": "late"}).encode()

    async def job() -> tuple[Reply, Reply]:
        connection = await asyncpg.connect(service.database_url)
        try:
            async with service.client(settling) as client:
                async with connection.transaction():
                    await Store(connection).settle_round(OPERATOR, round_id, "d", "c", datetime.now(UTC))
                    void = asyncio.create_task(client.send("POST", f"/rgs/v1/rounds/{round_id}/void", body))
                    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%round_ends%'"
                    while not await service.fetch(waits):
                        await asyncio.sleep(0.01)
                return await void, await client.send("POST", f"/rgs/v1/rounds/{round_id}/void", body)
        finally:
            await connection.close()

    assert [code(reply) for reply in run(job())] == [(409, "ROUND_ALREADY_CLOSED")] * 2


def test_a_settled_round_stays_as_it_is(send: Send) -> None:
    round_id, _ = played(send, session := opened(send))
    path = f"/rounds/{round_id}"
    assert send("POST", f"{path}/settlement", {"debit_tx": "d", "credit_tx": "c"}).status == 200
    other = send("POST", f"{path}/settlement", {"debit_tx": "d", "credit_tx": "other"})
    assert code(other) == (409, "IDEMPOTENCY_CONFLICT")
    void = send("POST", f"{path}/void", {"session_id": session, "reason": "late"})
    assert code(void) == (409, "ROUND_ALREADY_CLOSED")


def test_a_voided_round_gives_its_money_back(service: Service, send: Send) -> None:
    session = opened(send)
    rounds = [played(send, session) for _ in range(6)]
    for round_id, _ in rounds:
        body = {"session_id": session, "reason": "the debit was refused"}
        first, again = (send("POST", f"/rounds/{round_id}/void", body) for _ in range(2))
        assert first.status == 200, first.body
        assert (first.json()["state"], first.json()["known"]) == ("voided", True)
        assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
        settled = send("POST", f"/rounds/{round_id}/settlement", {"debit_tx": "d", "credit_tx": "c"})
        assert code(settled) == (409, "ROUND_ALREADY_CLOSED")
        other = send("POST", f"/rounds/{round_id}/void", {**body, "reason": "another"})
        assert code(other) == (409, "IDEMPOTENCY_CONFLICT")
    assert ledger_of(service, session) == 0
    spin = rounds[0][1]["spin_id"]
    assert send("GET", f"/transactions/void_stake:{spin}").json()["amount"]["minor"] == 100
    # Its nonce stays used: what was drawn is never drawn again.
    assert send("GET", f"/sessions/{session}").json()["next_nonce"] == 6


def test_a_round_that_was_voided_before_it_came_is_never_played(send: Send) -> None:
    session = opened(send)
    body = {"session_id": session, "reason": "timeout"}
    tombstone = send("POST", "/rounds/r-late/void", body)
    assert tombstone.status == 200, tombstone.body
    assert (tombstone.json()["known"], tombstone.json()["state"]) == (False, "voided")
    late = send("POST", "/spins", spin_body("late", session))
    assert code(late) == (409, "ROUND_ALREADY_CLOSED")
    assert "voided" in late.json()["detail"]
    assert send("GET", f"/sessions/{session}").json()["next_nonce"] == 0
    assert send("POST", "/spins", spin_body("in-time", session)).status == 200


def test_a_void_beside_the_spin_leaves_one_of_two_histories(
    service: Service, send: Send, settling: Credentials
) -> None:
    """The spin is there and voided, or it was never played; the nonces have no gap."""
    session = opened(send)

    async def pair(client: Client, n: int) -> tuple[Reply, Reply]:
        """Both at once; one in four times each the one after the other."""
        name = f"race-{session}-{n}"
        body = json.dumps({"session_id": session, "reason": "timeout"}).encode()
        spin = client.send("POST", SPINS, spin_body(name, session))
        void = client.send("POST", f"/rgs/v1/rounds/r-{name}/void", body)
        match n % 4:
            case 0:
                return await spin, await void
            case 1:
                voided = await void
                return await spin, voided
        return await asyncio.gather(spin, void)

    async def job() -> list[tuple[Reply, Reply]]:
        async with service.client(settling) as client:
            return await asyncio.gather(*(pair(client, n) for n in range(40)))

    seen = set()
    for spin, void in run(job()):
        assert void.status == 200, void.body
        assert void.json()["known"] == (spin.status == 200)
        assert spin.status == 200 or code(spin) == (409, "ROUND_ALREADY_CLOSED")
        seen.add(spin.status)
    assert seen == {200, 409}
    assert ledger_of(service, session) == 0
    state = send("GET", f"/sessions/{session}").json()
    rows = run(service.fetch("SELECT count(*) AS n FROM spins WHERE session_id = $1", session))
    assert state["next_nonce"] == rows[0]["n"]
    assert state["open_rounds"] == []


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/rounds/none/settlement", {"debit_tx": "d"}, (404, "ROUND_UNKNOWN")),
        ("/rounds/none/settlement", {}, (400, "VALIDATION_FAILED")),
        ("/rounds/none/void", {"session_id": "none", "reason": "r"}, (404, "SESSION_UNKNOWN")),
        ("/rounds/none/void", {"reason": "r"}, (400, "VALIDATION_FAILED")),
        ("/rounds/%00/void", {"session_id": "none", "reason": "r"}, (404, "ROUND_UNKNOWN")),
    ],
)
def test_bad_requests(send: Send, path: str, body: dict[str, str], expected: tuple[int, str]) -> None:
    assert code(send("POST", path, body)) == expected


def test_a_win_needs_the_transaction_that_paid_it(send: Send) -> None:
    session = opened(send)
    for _ in range(200):
        round_id, answer = played(send, session)
        if answer["outcome"]["win"]["minor"]:
            break
        assert send("POST", f"/rounds/{round_id}/settlement", {"debit_tx": "d"}).status == 200
    refused = send("POST", f"/rounds/{round_id}/settlement", {"debit_tx": "d"})
    assert code(refused) == (400, "VALIDATION_FAILED")
    assert refused.json()["detail"].startswith("credit_tx: the round won ")


def test_rounds_of_another_session_or_operator_are_not_there(service: Service, send: Send) -> None:
    round_id, _ = played(send, opened(send))
    other = send("POST", f"/rounds/{round_id}/void", {"session_id": opened(send), "reason": "r"})
    assert code(other) == (404, "ROUND_UNKNOWN")
    assert code(service.send("GET", f"/rgs/v1/rounds/{round_id}")) == (404, "ROUND_UNKNOWN")


def test_without_settlement_a_round_ends_with_its_spin(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    service.send("POST", SPINS, spin_body(f"plain-{session}", session))
    path = f"/rgs/v1/rounds/r-plain-{session}"
    assert service.send("GET", path).json()["state"] == "completed"
    void = service.send("POST", f"{path}/void", json.dumps({"session_id": session, "reason": "r"}).encode())
    assert code(void) == (409, "ROUND_ALREADY_CLOSED")


def test_a_new_session_names_the_rounds_to_go_on_with(send: Send) -> None:
    session = opened(send, player_id="resuming")
    round_id, answer = played(send, session)
    again = f"{session}-again"
    reply = send("POST", "/sessions", session_body(again, OPERATOR, player_id="resuming")).json()
    (waiting,) = reply["open_rounds"]
    assert (waiting["round_id"], waiting["session_id"], waiting["state"]) == (round_id, session, "open")
    assert waiting["win"] == answer["outcome"]["win"]


def test_one_open_round_of_a_player_in_a_game(service: Service) -> None:
    credentials = service.add_operator("op-one-round")
    service.change_operator("op-one-round", rules=Rules(settle_within_s=60, one_round=True))
    send = sending(service, credentials)
    sessions = [opened(send, "op-one-round", player_id="greedy") for _ in range(3)]

    async def job() -> list[Reply]:
        async with service.client(credentials) as client:
            bodies = [spin_body(f"greedy-{n}", sessions[n % 3]) for n in range(50)]
            return await asyncio.gather(*(client.send("POST", SPINS, body) for body in bodies))

    replies = run(job())
    assert sorted({code(reply) for reply in replies}) == [(200, ""), (409, "ROUND_OPEN")]
    (winner,) = [n for n, reply in enumerate(replies) if reply.status == 200]
    assert send("POST", "/spins", spin_body(f"greedy-{winner}", sessions[winner % 3])).body == replies[winner].body
    assert send("POST", f"/rounds/r-greedy-{winner}/settlement", {"debit_tx": "d", "credit_tx": "c"}).status == 200
    assert send("POST", "/spins", spin_body("greedy-next", sessions[0])).status == 200


def test_rounds_left_unsettled_are_reported_once(service: Service, send: Send) -> None:
    session = opened(send)
    round_id, _ = played(send, session)
    settled, _ = played(send, session)
    assert send("POST", f"/rounds/{settled}/settlement", {"debit_tx": "d", "credit_tx": "c"}).status == 200

    async def job(now: datetime) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(service.database_url)
        try:
            await report_unsettled(Store(connection), now)
            rows = await connection.fetch(
                "SELECT payload FROM events WHERE event_type = 'round_unsettled' AND operator_id = $1", OPERATOR
            )
            events = [json.loads(row["payload"]) for row in rows]
            return [event for event in events if event["session_id"] == session]
        finally:
            await connection.close()

    now = datetime.now(UTC)
    assert run(job(now + timedelta(seconds=50))) == []
    (event,) = run(job(now + timedelta(seconds=61)))
    assert (event["type"], event["round_id"], event["operator_id"]) == ("round_unsettled", round_id, OPERATOR)
    assert run(job(now + timedelta(seconds=90))) == [event]
    # Late is not too late.
    assert send("POST", f"/rounds/{round_id}/settlement", {"debit_tx": "d", "credit_tx": "c"}).status == 200


def test_voids_are_counted(service: Service) -> None:
    credentials = service.add_operator("op-shopping")
    service.change_operator("op-shopping", rules=Rules(settle_within_s=60))
    send = sending(service, credentials)
    assert send("GET", "/reports/endings").json()["endings"] == []
    session = opened(send, "op-shopping")
    won: dict[str, int] = {"settled": 0, "voided": 0}
    for n in range(8):
        round_id, answer = played(send, session)
        won["voided" if n % 2 else "settled"] += answer["outcome"]["win"]["minor"]
        if n % 2:
            send("POST", f"/rounds/{round_id}/void", {"session_id": session, "reason": "r"})
        else:
            send("POST", f"/rounds/{round_id}/settlement", {"debit_tx": "d", "credit_tx": "c"})
    counted = send("GET", "/reports/endings").json()["endings"]
    assert {row["ending"]: (row["rounds"], row["stake"]["minor"], row["win"]["minor"]) for row in counted} == {
        "settled": (4, 400, won["settled"]),
        "voided": (4, 400, won["voided"]),
    }
    later = send("GET", "/reports/endings?since=2999-01-01T00:00:00.000Z")
    assert later.json() == {"since": "2999-01-01T00:00:00.000Z", "endings": []}
    assert code(send("GET", "/reports/endings?since=yesterday")) == (400, "VALIDATION_FAILED")
