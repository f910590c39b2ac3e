"""Sessions that hold money: transferred in, played with, paid out once."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from rgs_server.client import Reply
from rgs_server.master_key import read_master_keys
from rgs_server.operators import Rules
from rgs_server.sealing import Sealer
from rgs_server.store import Store
from rgs_server.sweeping import close_idle
from service_process import Send, Service, code, run, sending, session_body, spin_body

from rgs_core.seeds import commitment

_numbers = itertools.count()


@pytest.fixture
def send(service: Service) -> Send:
    return sending(service)


def opened(send: Send, minor: int = 0, operator: str = "op-sandbox", **changes: object) -> str:
    """A session with so much money."""
    session = f"balance-{next(_numbers)}"
    reply = send("POST", "/sessions", session_body(session, operator, **{"wallet": "transfer", **changes}))
    assert reply.status == 200, reply.body
    assert reply.json()["wallet"] == changes.get("wallet", "transfer")
    if minor:
        assert transfer(send, session, f"first-{session}", minor).status == 200
    return session


def transfer(send: Send, session: str, name: str, minor: int) -> Reply:
    amount = {"amount": f"{minor // 100}.{minor % 100:02}", "currency": "EUR"}
    return send("POST", f"/sessions/{session}/transfers", {"transfer_id": name, "amount": amount})


def balance(send: Send, session: str) -> int:
    return int(send("GET", f"/sessions/{session}").json()["balance"]["minor"])


def books(service: Service, session: str) -> dict[str, int]:
    """Balances of all accounts by the ledger."""
    rows = run(
        service.fetch(
            "SELECT account, sum(change) AS minor FROM ("
            "  SELECT credit_account AS account, amount_minor AS change FROM ledger WHERE session_id = $1 UNION ALL "
            "  SELECT debit_account, -amount_minor FROM ledger WHERE session_id = $1) t GROUP BY account",
            session,
        )
    )
    return {row["account"]: int(row["minor"]) for row in rows}


def test_the_balance_goes_with_every_step(service: Service, send: Send) -> None:
    session = opened(send)
    assert balance(send, session) == 0
    row = transfer(send, session, f"in-{session}", 2000).json()
    assert (row["kind"], row["debit_account"], row["credit_account"]) == ("in", "platform", "session")
    assert (row["balance_before"]["minor"], row["balance_after"]["minor"]) == (0, 2000)
    held = 2000
    for n in range(10):
        answer = send("POST", "/spins", spin_body(f"{session}-{n}", session)).json()
        win = answer["outcome"]["win"]["minor"]
        stake_row = send("GET", f"/transactions/stake:{session}-{n}").json()
        assert (stake_row["balance_before"]["minor"], stake_row["balance_after"]["minor"]) == (held, held - 100)
        assert (stake_row["round_id"], stake_row["spin_id"]) == (f"r-{session}-{n}", f"{session}-{n}")
        held += win - 100
        assert answer["balance"]["minor"] == held == balance(send, session)
        found = send("GET", f"/transactions/win:{session}-{n}")
        assert found.json()["balance_after"]["minor"] == held if win else found.status == 404
    assert books(service, session)["session"] == held
    assert sum(books(service, session).values()) == 0


def test_a_transfer_moves_money_once(send: Send) -> None:
    session = opened(send)
    first, again = (transfer(send, session, f"once-{session}", 500) for _ in range(2))
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert balance(send, session) == 500
    assert code(transfer(send, session, f"once-{session}", 600)) == (409, "IDEMPOTENCY_CONFLICT")
    assert code(transfer(send, opened(send), f"once-{session}", 500)) == (409, "IDEMPOTENCY_CONFLICT")
    assert balance(send, session) == 500


def test_the_same_transfer_at_the_same_time_moves_money_once(service: Service, send: Send) -> None:
    session = opened(send)
    body = json.dumps({"transfer_id": f"many-{session}", "amount": {"amount": 5, "currency": "EUR"}}).encode()

    async def job() -> list[Reply]:
        async with service.client() as client:
            path = f"/rgs/v1/sessions/{session}/transfers"
            return await asyncio.gather(*(client.send("POST", path, body) for _ in range(24)))

    replies = run(job())
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert balance(send, session) == 500


def test_a_stake_above_the_balance_is_refused_and_nothing_is_drawn(send: Send) -> None:
    session = opened(send, 250)
    spent = 0
    while balance(send, session) >= 100:
        assert send("POST", "/spins", spin_body(f"{session}-{spent}", session)).status == 200
        spent += 1
    refused = send("POST", "/spins", spin_body(f"{session}-over", session))
    assert code(refused) == (422, "INSUFFICIENT_FUNDS")
    assert refused.json()["money_state"] == "none"
    assert send("GET", f"/sessions/{session}").json()["next_nonce"] == spent
    # With more money the same request is played.
    assert transfer(send, session, f"more-{session}", 1000).status == 200
    assert send("POST", "/spins", spin_body(f"{session}-over", session)).status == 200


def test_a_crowd_of_spins_and_transfers_keeps_the_books(service: Service, send: Send) -> None:
    """Through both workers at once: the balance never goes below zero and always is what the ledger says."""
    session = opened(send, 500)

    async def job() -> list[Reply]:
        async with service.client() as client:
            jobs = [client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-{n}", session)) for n in range(120)]
            for n in range(20):
                body = {"transfer_id": f"{session}-{n}", "amount": {"amount": 1, "currency": "EUR"}}
                path = f"/rgs/v1/sessions/{session}/transfers"
                jobs.insert(n * 6, client.send("POST", path, json.dumps(body).encode()))
            return await asyncio.gather(*jobs)

    replies = run(job())
    assert {code(reply) for reply in replies} <= {(200, ""), (422, "INSUFFICIENT_FUNDS")}
    rows = run(
        service.fetch(
            "SELECT kind, amount_minor, balance_before_minor, balance_after_minor FROM ledger WHERE session_id = $1",
            session,
        )
    )
    assert books(service, session)["session"] == balance(send, session)
    # The rows form one chain from nothing to the balance: every `before` is another row's `after`.
    afters = sorted([0, *(int(row["balance_after_minor"]) for row in rows)])
    befores = sorted([balance(send, session), *(int(row["balance_before_minor"]) for row in rows)])
    assert afters == befores


def test_closing_pays_out_once_and_shows_the_seed(service: Service, send: Send) -> None:
    session = opened(send, 1000)
    for n in range(3):
        send("POST", "/spins", spin_body(f"{session}-{n}", session))
    held = balance(send, session)
    first, again = (send("POST", f"/sessions/{session}/close") for _ in range(2))
    closed = first.json()
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert (closed["rounds"], closed["paid_out"]["amount"]["minor"]) == (3, held)
    assert commitment(bytes.fromhex(closed["server_seed"])) == closed["seed_commitment"]
    assert code(send("POST", "/spins", spin_body(f"{session}-late", session))) == (409, "SESSION_CLOSED")
    assert code(transfer(send, session, f"late-{session}", 100)) == (409, "SESSION_CLOSED")
    assert send("POST", "/spins", spin_body(f"{session}-0", session)).headers["Idempotent-Replayed"] == "true"
    assert transfer(send, session, f"first-{session}", 1000).headers["Idempotent-Replayed"] == "true"
    assert books(service, session)["session"] == 0
    state = send("GET", f"/sessions/{session}").json()
    assert (state["state"], state["balance"]["minor"]) == ("closed", 0)


def test_closing_beside_spins_pays_every_cent_once(service: Service, send: Send) -> None:
    session = opened(send, 3000)

    async def job() -> list[Reply]:
        async with service.client() as client:
            jobs = [client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-{n}", session)) for n in range(60)]
            jobs[30:30] = [client.send("POST", f"/rgs/v1/sessions/{session}/close") for _ in range(4)]
            return await asyncio.gather(*jobs)

    replies = run(job())
    assert {code(reply) for reply in replies} <= {(200, ""), (409, "SESSION_CLOSED"), (422, "INSUFFICIENT_FUNDS")}
    closings = {reply.body for reply in replies[30:34]}
    assert len(closings) == 1
    assert books(service, session)["session"] == 0
    assert sum(books(service, session).values()) == 0


def test_a_session_without_money_pays_nothing_out(send: Send) -> None:
    assert send("POST", f"/sessions/{opened(send)}/close").json()["paid_out"] is None
    assert send("POST", f"/sessions/{opened(send, wallet='platform')}/close").json()["paid_out"] is None


def test_money_that_was_left_behind_is_paid_out(service: Service) -> None:
    send = sending(service, service.add_operator("op-idle"))
    service.change_operator("op-idle", rules=Rules(wallets=["transfer"], idle_close_s=3600))
    session, played = opened(send, 700, "op-idle"), opened(send, 900, "op-idle")
    assert send("POST", "/spins", spin_body(f"{played}-0", played)).status == 200
    held = balance(send, played)

    async def job(now: datetime) -> None:
        connection = await asyncpg.connect(service.database_url)
        try:
            sealer = Sealer(*read_master_keys(service.config.master_key_path))
            await close_idle(Store(connection), sealer, now)
        finally:
            await connection.close()

    run(job(datetime.now(UTC) + timedelta(minutes=59)))
    assert (balance(send, session), balance(send, played)) == (700, held)
    for minutes in (61, 62):
        run(job(datetime.now(UTC) + timedelta(minutes=minutes)))
    for swept, amount in ((session, 700), (played, held)):
        closed = send("POST", f"/sessions/{swept}/close")
        assert (closed.json()["reason"], closed.headers["Idempotent-Replayed"]) == ("idle", "true")
        assert closed.json()["paid_out"]["amount"]["minor"] == amount
        rows = run(
            service.fetch("SELECT payload FROM events WHERE session_id = $1 AND event_type = 'session_swept'", swept)
        )
        assert [json.loads(row["payload"])["session"] for row in rows] == [closed.json()]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": {"amount": 0, "currency": "EUR"}}, (400, "VALIDATION_FAILED")),
        ({"amount": {"amount": "1.001", "currency": "EUR"}}, (400, "AMOUNT_PRECISION")),
        ({"amount": {"amount": 1, "currency": "USD"}}, (400, "VALIDATION_FAILED")),
        ({"transfer_id": ""}, (400, "VALIDATION_FAILED")),
    ],
)
def test_bad_transfers(send: Send, changes: dict[str, Any], expected: tuple[int, str]) -> None:
    body = {"transfer_id": "bad", "amount": {"amount": 1, "currency": "EUR"}} | changes
    assert code(send("POST", f"/sessions/{opened(send)}/transfers", body)) == expected


def test_money_stays_where_it_is_held(service: Service, send: Send) -> None:
    platform = opened(send, wallet="platform")
    assert code(transfer(send, platform, "wrong", 100)) == (422, "WALLET_MISMATCH")
    session = opened(send, 1000)
    send("POST", "/spins", spin_body(f"{session}-x", session))
    void = send("POST", f"/rounds/r-{session}-x/void", {"session_id": session, "reason": "r"})
    assert code(void) == (422, "WALLET_MISMATCH")
    settled = send("POST", f"/rounds/r-{session}-x/settlement", {"debit_tx": "d", "credit_tx": "c"})
    assert code(settled) == (422, "WALLET_MISMATCH")
    plain = service.add_operator("op-plain-wallet")
    body = session_body("s-plain-wallet", "op-plain-wallet", wallet="transfer")
    refused = service.send("POST", "/rgs/v1/sessions", body, credentials=plain)
    assert code(refused) == (422, "WALLET_MISMATCH")


def test_what_is_not_there(send: Send) -> None:
    assert code(send("GET", "/transactions/stake:none")) == (404, "TRANSACTION_UNKNOWN")
    assert code(send("GET", "/sessions/none")) == (404, "SESSION_UNKNOWN")
    assert code(send("POST", "/sessions/none/close")) == (404, "SESSION_UNKNOWN")
    assert code(transfer(send, "none", "t-none", 100)) == (404, "SESSION_UNKNOWN")
