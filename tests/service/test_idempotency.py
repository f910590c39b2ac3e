"""Same key, same bytes; a new key never draws again. Over real HTTP, from two worker processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from rgs_server.client import Reply
from rgs_server.operators import Rules, Statuses, change_operator
from service_process import Service, code, run, sending, session_body, spin_body


def spins_of(service: Service, session: str) -> int:
    return int(run(service.fetch("SELECT count(*) FROM spins WHERE session_id = $1", session))[0][0])


def post(service: Service, *bodies: bytes, headers: dict[str, str] | None = None) -> list[Reply]:
    """Sends bodies one after the other, each on a connection of its own, so that workers alternate."""

    async def job() -> list[Reply]:
        replies = []
        for body in bodies:
            async with service.client() as client:
                replies.append(await client.send("POST", "/rgs/v1/spins", body, headers))
        return replies

    return run(job())


def test_the_same_key_gives_the_same_bytes_from_every_worker(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    replies = post(service, *[spin_body("same", session)] * 20)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert "Idempotent-Replayed" not in replies[0].headers
    assert all(reply.headers["Idempotent-Replayed"] == "true" for reply in replies[1:])
    assert spins_of(service, session) == 1


def test_the_request_counts_and_not_its_text(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    body = spin_body("text", session, "1.00")
    shuffled = json.dumps(dict(reversed(list(json.loads(body).items())))).encode()
    number = body.replace(b'"1.00"', b"1.0")
    replies = post(service, body, shuffled, number)
    assert len({reply.body for reply in replies}) == 1
    assert spins_of(service, session) == 1


def test_another_request_under_the_key_conflicts(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    first, changed, unplayable = post(
        service,
        spin_body("clash", session),
        spin_body("clash", session, "2.00"),
        spin_body("clash", session, "0.33"),  # would be refused anyway; the key decides first
    )
    assert first.status == 200
    for reply in (changed, unplayable):
        assert reply.status == 409
        assert reply.json()["code"] == "IDEMPOTENCY_CONFLICT"
    assert spins_of(service, session) == 1


def test_a_new_key_cannot_draw_an_old_spin_again(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    first, again, other_session = post(
        service,
        spin_body("fixed", session),
        spin_body("fixed", session, idempotency_key="another"),
        spin_body("fixed", new_session(), idempotency_key="third"),
    )
    assert first.status == 200
    assert again.status == other_session.status == 409
    assert again.json()["code"] == "IDEMPOTENCY_CONFLICT"
    assert spins_of(service, session) == 1
    nonce = run(service.fetch("SELECT next_nonce FROM sessions WHERE session_id = $1", session))[0][0]
    assert nonce == 1, "nothing was drawn for the refused requests"


def test_a_round_is_played_once(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    first, second = post(
        service, spin_body("round-a", session, round_id="one"), spin_body("round-b", session, round_id="one")
    )
    assert first.status == 200
    assert (second.status, second.json()["code"]) == (409, "ROUND_ALREADY_CLOSED")


def test_the_key_may_come_as_a_header(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    body = spin_body("header", session, idempotency_key=None)
    (first,) = post(service, body, headers={"Idempotency-Key": "from-header"})
    (second,) = post(service, spin_body("header", session, idempotency_key="from-header"))
    assert first.status == 200
    assert first.body == second.body
    (both,) = post(service, spin_body("header", session), headers={"Idempotency-Key": "different"})
    assert both.json()["code"] == "VALIDATION_FAILED"


def test_fifty_concurrent_duplicates_make_one_spin(service: Service, new_session: Callable[[], str]) -> None:
    for round_number in range(5):
        session = new_session()
        body = spin_body(f"crowd-{round_number}", session)

        async def job(body: bytes = body) -> list[Reply]:
            async with service.client() as client:
                return await asyncio.gather(*(client.send("POST", "/rgs/v1/spins", body) for _ in range(50)))

        replies = run(job())
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        assert sum("Idempotent-Replayed" not in reply.headers for reply in replies) == 1
        assert spins_of(service, session) == 1


def test_concurrent_keys_for_one_spin_make_one_spin(service: Service, new_session: Callable[[], str]) -> None:
    for round_number in range(5):
        session = new_session()
        bodies = [
            spin_body(f"race-{round_number}", session, idempotency_key=f"race-{round_number}-{k}") for k in range(20)
        ]

        async def job(bodies: list[bytes] = bodies) -> list[int]:
            async with service.client() as client:
                replies = await asyncio.gather(*(client.send("POST", "/rgs/v1/spins", body) for body in bodies))
                return [reply.status for reply in replies]

        statuses = run(job())
        assert sorted(set(statuses)) == [200, 409]
        assert statuses.count(200) == 1
        assert spins_of(service, session) == 1


def test_many_sessions_and_duplicates_at_once_keep_nonces_gapless(
    service: Service, new_session: Callable[[], str]
) -> None:
    sessions = [new_session() for _ in range(6)]
    bodies = [spin_body(f"mix-{s}-{n}", s) for n in range(30) for s in sessions]

    async def job() -> list[Reply]:
        async with service.client() as client:
            return await asyncio.gather(
                *(client.send("POST", "/rgs/v1/spins", body) for body in bodies for _ in range(2))
            )

    replies = run(job())
    assert {reply.status for reply in replies} == {200}
    for first, second in zip(replies[::2], replies[1::2], strict=True):
        assert first.body == second.body
    rows = run(
        service.fetch(
            "SELECT session_id, array_agg(nonce ORDER BY nonce) AS nonces FROM spins WHERE session_id = ANY($1) "
            "GROUP BY session_id",
            sessions,
        )
    )
    assert len(rows) == 6
    assert all(row["nonces"] == list(range(30)) for row in rows)


def test_a_session_is_opened_once(service: Service) -> None:
    async def job() -> list[Reply]:
        async with service.client() as client:
            same = await asyncio.gather(
                *(client.send("POST", "/rgs/v1/sessions", session_body("once", jwt=f"t{i}")) for i in range(20))
            )
            other = await client.send("POST", "/rgs/v1/sessions", session_body("once", player_id="p-2"))
            return [*same, other]

    *same, other = run(job())
    assert {reply.status for reply in same} == {200}
    assert len({reply.body for reply in same}) == 1
    assert (other.status, other.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")


@pytest.mark.parametrize(("duplicate", "conflict"), [(409, 422), (425, 409)])
def test_operators_choose_the_statuses_of_repeated_and_refused_keys(
    service: Service, duplicate: int, conflict: int
) -> None:
    """Every money step answers again with the same bytes, under the status that was asked for."""
    operator_id = f"op-statuses-{duplicate}"
    credentials = service.add_operator(operator_id)
    config = replace(service.config, database_url=service.database_url)
    rules = Rules(wallets=["platform", "transfer"], settle_within_s=3600)
    run(change_operator(config, operator_id, rules=rules, statuses=Statuses(duplicate, conflict)))
    run(change_operator(config, operator_id, statuses=Statuses()))  # None leaves what is there
    send = sending(service, credentials)
    settled, held = f"settled-{duplicate}", f"held-{duplicate}"
    steps: list[tuple[str, object, object]] = [
        ("/sessions", json.loads(session_body(settled, operator_id)), {"geo": "SE"}),
        ("/spins", json.loads(spin_body(f"a-{duplicate}", settled)), {"spin_type": "cash", "round_id": "other"}),
        (f"/rounds/r-a-{duplicate}/settlement", {"debit_tx": "d", "credit_tx": "c"}, {"debit_tx": "e"}),
        (f"/rounds/unknown-{duplicate}/void", {"session_id": settled, "reason": "lost"}, {"reason": "other"}),
        ("/sessions", json.loads(session_body(held, operator_id, wallet="transfer")), {"geo": "SE"}),
        (
            f"/sessions/{held}/transfers",
            {"transfer_id": "t", "amount": {"amount": "5.00", "currency": "EUR"}},
            {"amount": {"amount": "6.00", "currency": "EUR"}},
        ),
        (f"/sessions/{held}/close", {}, None),
    ]
    for path, body, change in steps:
        first, again = send("POST", path, body), send("POST", path, body)  # type: ignore[arg-type]
        assert first.status == 200, first.body
        assert (again.status, again.body) == (duplicate, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
        if change is not None:
            other = send("POST", path, {**body, **change})  # type: ignore[dict-item]
            assert code(other) == (conflict, "IDEMPOTENCY_CONFLICT"), path
            assert other.json()["status"] == conflict
    assert send("GET", f"/rounds/r-a-{duplicate}").status == 200
