"""Sessions whose money we move at the platform's wallet, which answers, refuses, fails, and hangs."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from monitored import stored
from rgs_server.__main__ import main
from rgs_server.client import Credentials, Reply
from rgs_server.clock import time_text
from rgs_server.monitoring.slices import count_slices
from rgs_server.operators import Rules
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.tracing import Tracing
from rgs_server.wallet_api import Wallet, WalletClient
from service_process import Send, Service, code, run, sending, session_body, spin_body, wait_for
from told_events import check
from wallet_server import WalletServer

OPERATOR = "op-seamless"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that gives a wallet little time."""
    running = Service(Path(tmp_path_factory.mktemp("seamless")), workers=2, wallet_timeout_ms=300, wallet_tries=2)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


@pytest.fixture(scope="module")
def credentials(own: Service) -> Credentials:
    return own.add_operator(OPERATOR)


@pytest.fixture
def wallet(own: Service, credentials: Credentials) -> Iterator[WalletServer]:
    with WalletServer(credentials.secret.encode()) as server:
        rules = Rules(wallets=["seamless"])
        own.change_operator(OPERATOR, rules=rules, wallet=(server.url, credentials.key_id))
        yield server
        settled(own)
        assert server.bad_signatures == 0


@pytest.fixture
def send(own: Service, credentials: Credentials, wallet: WalletServer) -> Send:
    return sending(own, credentials)


def opened(send: Send) -> tuple[str, str]:
    """Session and player, both new."""
    session = f"seamless-{next(_numbers)}"
    # A channel of its own, by which its rounds can be told from others in sums.
    reply = send("POST", "/sessions", session_body(session, OPERATOR, player_id=f"p-{session}", channel=session))
    assert reply.status == 200, reply.body
    assert reply.json()["wallet"] == "seamless"
    return session, f"p-{session}"


def settled(service: Service, timeout_s: float = 20) -> None:
    """Waits until no step is under way."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        rows = run(service.fetch("SELECT * FROM wallet_steps WHERE next_try_at IS NOT NULL"))
        if not rows:
            return
        run(service.fetch("UPDATE wallet_steps SET next_try_at = now() WHERE state = 'pending' AND kind <> 'debit'"))
        time.sleep(0.1)
    raise AssertionError([dict(row) for row in rows])


def check_books(service: Service, wallet: WalletServer, session: str, player: str) -> None:
    """What the wallet gave and took is what the ledger says, and nothing is held or owed."""
    settled(service)
    rows = run(
        service.fetch(
            "SELECT account, sum(change) AS minor FROM ("
            "  SELECT credit_account AS account, amount_minor AS change FROM ledger WHERE session_id = $1 UNION ALL "
            "  SELECT debit_account, -amount_minor FROM ledger WHERE session_id = $1) t GROUP BY account",
            session,
        )
    )
    accounts = {row["account"]: int(row["minor"]) for row in rows}
    assert accounts.get("held", 0) == accounts.get("payable", 0) == 0
    moved = wallet.balances[player] - wallet.start_minor if player in wallet.balances else 0
    assert accounts.get("platform", 0) == moved == -accounts.get("game", 0)


def test_a_round_is_debited_drawn_and_credited(own: Service, send: Send, wallet: WalletServer) -> None:
    session, player = opened(send)
    for n in range(8):
        reply = send("POST", "/spins", spin_body(f"{session}-{n}", session))
        assert reply.status == 200, reply.body
        again = send("POST", "/spins", spin_body(f"{session}-{n}", session))
        assert (again.body, again.headers["Idempotent-Replayed"]) == (reply.body, "true")
    check_books(own, wallet, session, player)
    # One debit and one credit each, also where nothing was won: every round has its closing call.
    counted = [call for call in wallet.calls if call[1].split(":")[1].startswith(f"{session}-")]
    assert sorted(counted) == sorted((k, f"{k}:{session}-{n}") for k in ("credit", "debit") for n in range(8))
    answer = send("GET", f"/rounds/r-{session}-0").json()
    assert (answer["state"], answer["debit_tx"], answer["credit_tx"]) == (
        "completed",
        f"debit:{session}-0",
        f"credit:{session}-0",
    )
    posted = send("GET", f"/transactions/debit:{session}-0").json()
    assert (posted["status"], posted["debit_account"], posted["credit_account"]) == ("posted", "platform", "held")


def test_what_the_wallet_refuses_is_not_drawn(own: Service, send: Send, wallet: WalletServer) -> None:
    session, player = opened(send)
    wallet.balances[player] = 50
    poor = send("POST", "/spins", spin_body(f"{session}-poor", session))
    assert code(poor) == (422, "INSUFFICIENT_FUNDS")
    wallet.balances[player] = wallet.start_minor
    # The same request stays refused, however much money there is.
    assert code(send("POST", "/spins", spin_body(f"{session}-poor", session))) == (422, "INSUFFICIENT_FUNDS")
    wallet.faults[f"debit:{player}"] = ["refuse"]
    refused = send("POST", "/spins", spin_body(f"{session}-limit", session))
    assert code(refused) == (422, "WALLET_REFUSED")
    assert "LIMIT" in refused.json()["detail"]
    assert send("GET", f"/sessions/{session}").json()["next_nonce"] == 0
    assert send("GET", f"/rounds/r-{session}-limit").json()["state"] == "voided"
    assert send("POST", "/spins", spin_body(f"{session}-new", session)).status == 200
    check_books(own, wallet, session, player)


@pytest.mark.parametrize("mood", ["error", "lost", "hang", "deaf", "garbage"])
def test_a_debit_that_nobody_knows_of_is_rolled_back(own: Service, send: Send, wallet: WalletServer, mood: str) -> None:
    session, player = opened(send)
    wallet.faults[f"debit:{player}"] = [mood, mood]
    reply = send("POST", "/spins", spin_body(f"{session}-x", session))
    assert code(reply) == (504, "WALLET_TIMEOUT")
    assert (reply.json()["money_state"], reply.json()["retryable"]) == ("unknown", True)
    settled(own)
    assert wallet.balances[player] in (0, wallet.start_minor)
    assert send("GET", f"/rounds/r-{session}-x").json()["state"] == "voided"
    assert code(send("POST", "/spins", spin_body(f"{session}-x", session))) == (409, "ROUND_ALREADY_CLOSED")
    assert send("GET", f"/sessions/{session}").json()["next_nonce"] == 0
    check_books(own, wallet, session, player)


@pytest.mark.parametrize("mood", ["error", "lost", "hang", "garbage"])
def test_a_second_try_finds_the_first(own: Service, send: Send, wallet: WalletServer, mood: str) -> None:
    session, player = opened(send)
    wallet.faults[f"debit:{player}"] = [mood]
    assert send("POST", "/spins", spin_body(f"{session}-x", session)).status == 200
    check_books(own, wallet, session, player)


@pytest.mark.parametrize("mood", ["error", "lost", "hang", "garbage", "refuse"])
def test_a_credit_is_asked_for_until_it_is_taken(own: Service, send: Send, wallet: WalletServer, mood: str) -> None:
    session, player = opened(send)
    wallet.faults[f"credit:{player}"] = [mood] * 3
    reply = send("POST", "/spins", spin_body(f"{session}-x", session))
    assert reply.status == 200, "the player does not wait for the credit"
    waiting = wait_for_error(send, f"credit:{session}-x")
    assert (waiting["status"], waiting["attempts"] >= 1) == ("pending", True)
    assert send("GET", f"/rounds/r-{session}-x").json()["state"] == "settling"
    assert waiting["txn_id"] in [t["txn_id"] for t in send("GET", "/transactions").json()["transactions"]]
    check_books(own, wallet, session, player)
    assert send("GET", f"/rounds/r-{session}-x").json()["state"] == "completed"
    assert send("GET", "/transactions").json()["transactions"] == []


def wait_for_error(send: Send, txn_id: str) -> dict[str, Any]:
    for _ in range(100):
        step: dict[str, Any] = send("GET", f"/transactions/{txn_id}").json()
        if step.get("last_error"):
            return step
        time.sleep(0.05)
    raise AssertionError(step)


def test_the_same_spin_at_many_workers_is_debited_once(
    own: Service, credentials: Credentials, send: Send, wallet: WalletServer
) -> None:
    session, player = opened(send)

    async def job() -> list[Reply]:
        async with own.client(credentials) as client:
            body = spin_body(f"{session}-x", session)
            return await asyncio.gather(*(client.send("POST", "/rgs/v1/spins", body) for _ in range(16)))

    replies = run(job())
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    check_books(own, wallet, session, player)
    assert send("GET", f"/sessions/{session}").json()["next_nonce"] == 1


def test_another_request_for_a_spin_is_a_conflict(own: Service, send: Send, wallet: WalletServer) -> None:
    session, player = opened(send)
    wallet.faults[f"debit:{player}"] = ["refuse"]
    assert code(send("POST", "/spins", spin_body(f"{session}-x", session))) == (422, "WALLET_REFUSED")
    other = send("POST", "/spins", spin_body(f"{session}-x", session, "2.00", idempotency_key=f"other-{session}"))
    assert code(other) == (409, "IDEMPOTENCY_CONFLICT")
    check_books(own, wallet, session, player)


def test_an_operator_without_a_wallet(own: Service, send: Send, wallet: WalletServer) -> None:
    lone = own.add_operator("op-no-wallet")
    own.change_operator("op-no-wallet", rules=Rules(wallets=["seamless"]))
    other = sending(own, lone)
    other("POST", "/sessions", session_body("s-no-wallet", "op-no-wallet"))
    refused = other("POST", "/spins", spin_body("no-wallet", "s-no-wallet"))
    assert code(refused) == (422, "WALLET_REFUSED")
    assert "--wallet-url" in refused.json()["detail"]


def test_closing_beside_debits_loses_nothing(
    own: Service, credentials: Credentials, send: Send, wallet: WalletServer
) -> None:
    session, player = opened(send)

    async def job() -> list[Reply]:
        async with own.client(credentials) as client:
            jobs = [client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-{n}", session)) for n in range(30)]
            jobs[15:15] = [client.send("POST", f"/rgs/v1/sessions/{session}/close")]
            return await asyncio.gather(*jobs)

    replies = run(job())
    assert {code(reply) for reply in replies} <= {(200, ""), (409, "SESSION_CLOSED"), (409, "ROUND_ALREADY_CLOSED")}
    # Debits whose spin came too late are due after their budget.
    run(own.fetch("UPDATE wallet_steps SET next_try_at = now() WHERE kind = 'debit' AND next_try_at IS NOT NULL"))
    check_books(own, wallet, session, player)


def test_a_spin_that_is_refused_after_its_debit_gets_it_back_at_once(
    own: Service, credentials: Credentials, send: Send, wallet: WalletServer
) -> None:
    session, player = opened(send)
    wallet.faults[f"debit:{player}"] = ["slow"]

    async def job() -> Reply:
        async with own.client(credentials) as client:
            spin = asyncio.create_task(client.send("POST", "/rgs/v1/spins", spin_body(f"{session}-x", session)))
            while ("debit", f"debit:{session}-x") not in wallet.calls:
                await asyncio.sleep(0.01)
            await client.send("POST", f"/rgs/v1/sessions/{session}/close")
            return await spin

    assert code(run(job())) == (409, "SESSION_CLOSED")
    check_books(own, wallet, session, player)
    assert f"rollback:{session}-x" in wallet.done
    assert wallet.balances[player] == wallet.start_minor


def test_workers_that_are_killed_leave_nothing_undone(
    own: Service, credentials: Credentials, send: Send, wallet: WalletServer
) -> None:
    """Killed again and again while debits and credits are under way: each round is whole or was never there."""
    session, player = opened(send)
    names = [f"{session}-{n}" for n in range(150)]

    async def job() -> dict[str, Reply]:
        got: dict[str, Reply] = {}
        async with own.client(credentials) as client:

            async def one(name: str) -> None:
                for _ in range(200):
                    try:
                        reply = await client.send("POST", "/rgs/v1/spins", spin_body(name, session))
                    except Exception:
                        await asyncio.sleep(0.05)
                        continue
                    if reply.status == 200 or not reply.json()["retryable"]:
                        got[name] = reply
                        return
                    await asyncio.sleep(0.05)

            async def kill() -> None:
                for _ in range(6):
                    await asyncio.sleep(0.25)
                    for pid in own.workers()[:1]:
                        os.kill(pid, signal.SIGKILL)

            slots = asyncio.Semaphore(8)

            async def slotted(name: str) -> None:
                async with slots:
                    await one(name)

            await asyncio.gather(kill(), *(slotted(name) for name in names))
        return got

    got = run(job())
    own.wait_until_ready()  # the last ones that were killed may be starting
    assert got.keys() == set(names)
    assert {code(reply) for reply in got.values()} <= {(200, ""), (409, "ROUND_ALREADY_CLOSED")}
    run(own.fetch("UPDATE wallet_steps SET next_try_at = now() WHERE kind = 'debit' AND next_try_at IS NOT NULL"))
    check_books(own, wallet, session, player)
    played = {name for name, reply in got.items() if reply.status == 200}
    credited = {txn.removeprefix("credit:") for txn in wallet.done if txn.startswith(f"credit:{session}-")}
    assert credited == played
    for name in sorted(played)[:10]:
        again = send("POST", "/spins", spin_body(name, session))
        assert again.body == got[name].body


def test_a_wallet_that_was_away_gets_everything_once(own: Service, send: Send, wallet: WalletServer) -> None:
    session, player = opened(send)
    wallet.always[f"credit:{player}"] = "error"
    for n in range(20):
        assert send("POST", "/spins", spin_body(f"{session}-{n}", session)).status == 200
    for n in range(20):
        wait_for_error(send, f"credit:{session}-{n}")
    assert len(send("GET", "/transactions").json()["transactions"]) == 20
    wallet.always.clear()
    check_books(own, wallet, session, player)
    assert json.loads(send("GET", "/transactions").body) == {"transactions": []}


def test_a_credit_that_is_given_up_is_told_once(own: Service) -> None:
    """Nobody asks for it any more by itself: its platform has to know."""
    operator_id = "op-gives-up"
    credentials = own.add_operator(operator_id)
    send = sending(own, credentials)
    with WalletServer(credentials.secret.encode()) as wallet:
        own.change_operator(operator_id, rules=Rules(wallets=["seamless"]), wallet=(wallet.url, credentials.key_id))
        assert send("POST", "/sessions", session_body("given-up", operator_id, player_id="p-given-up")).status == 200
        wallet.always["credit:p-given-up"] = "error"
        assert send("POST", "/spins", spin_body("given-up-1", "given-up")).status == 200
        wait_for_error(send, "credit:given-up-1")
        older = "UPDATE wallet_steps SET created_at = created_at - interval '25 hours', next_try_at = now() WHERE operator_id = $1"
        run(own.fetch(older + " AND kind = 'credit'", operator_id))
        wait_for(lambda: len(told(send, "given-up", "technical_error")) > 0, own.log_text)
    (event,) = told(send, "given-up", "technical_error")
    check(event)
    facts = {
        name: event["data"][name] for name in ("kind", "operator_id", "session_id", "round_id", "spin_id", "txn_id")
    }
    assert facts == {
        "kind": "wallet_step_failed", "operator_id": operator_id, "session_id": "given-up", "round_id": "r-given-up-1",
        "spin_id": "given-up-1", "txn_id": "credit:given-up-1",
    }  # fmt: skip
    (step,) = send("GET", "/transactions").json()["transactions"]
    assert (step["txn_id"], step["status"]) == ("credit:given-up-1", "failed")


def told(send: Send, session: str, kind: str) -> list[dict[str, Any]]:
    """Events of a kind in a session."""
    events = send("GET", f"/sessions/{session}/events").json()["events"]
    return [event for event in events if event["type"] == kind]


def test_rounds_with_trouble_are_counted_as_such(own: Service, send: Send, wallet: WalletServer) -> None:
    """By live math monitoring, which compares them with all others."""
    session, player = opened(send)
    names = [f"{session}-{what}" for what in ("plain", "paid-twice", "not-yet-paid", "debited-twice")]
    wallet.faults[f"debit:{player}"] = ["error"]
    assert send("POST", "/spins", spin_body(names[3], session)).status == 200
    assert send("POST", "/spins", spin_body(names[0], session)).status == 200
    wait_for(lambda: f"credit:{names[0]}" in wallet.done)
    wallet.faults[f"credit:{player}"] = ["error"]
    assert send("POST", "/spins", spin_body(names[1], session)).status == 200
    wait_for_error(send, f"credit:{names[1]}")
    settled(own)
    wallet.always[f"credit:{player}"] = "error"
    assert send("POST", "/spins", spin_body(names[2], session)).status == 200
    wait_for_error(send, f"credit:{names[2]}")

    async def count() -> set[tuple[str, int]]:
        async with stored(own) as store:
            await count_slices(store, datetime.now(UTC) + timedelta(hours=1))
            rows = await store.connection.fetch(
                "SELECT c.status, sum(c.rounds)::integer AS rounds FROM math_counts c WHERE c.operator_id = $1 AND c.channel = $2 GROUP BY 1",
                OPERATOR, session,
            )  # fmt: skip
            return {(row["status"], row["rounds"]) for row in rows}

    assert run(count()) == {("normal", 1), ("retried", 2), ("recovered", 1)}
    wallet.always.clear()
    settled(own)
    statuses = {event["data"]["spin_id"]: event["data"]["status"] for event in told(send, session, "round_status")}
    assert statuses == {names[1]: "retried", names[2]: "recovered", names[3]: "retried"}


def test_a_list_of_the_wallet_reconciles(
    own: Service, send: Send, wallet: WalletServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the wallet says it did is what the ledger has; faults in the list are found."""
    since = time_text(datetime.now(UTC))
    session, player = opened(send)
    wallet.faults[f"debit:{player}"] = ["ok", "lost", "lost"]
    for n in range(6):
        send("POST", "/spins", spin_body(f"{session}-{n}", session))
    check_books(own, wallet, session, player)
    listed = [(txn_id, minor) for txn_id, minor in wallet.moved.items() if minor]
    assert f"rollback:{session}-1" in dict(listed), "the debit was made and its answers were lost"
    lines = [f"{txn_id},{minor / 100:.2f},EUR,posted,{time_text(datetime.now(UTC))}" for txn_id, minor in listed]
    until = time_text(datetime.now(UTC) + timedelta(seconds=5))

    def reconciled(listed: list[str]) -> tuple[int, str]:
        file = tmp_path / "list.csv"
        file.write_text("\n".join(["txn_id,amount,currency,status,time", *listed, ""]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RGS_DATABASE_URL", own.database_url)
            exit_code = main(["reconcile", OPERATOR, str(file), "--since", since, "--until", until])
        return exit_code, capsys.readouterr().out

    assert reconciled(lines) == (0, "")
    exit_code, out = reconciled([*lines[1:], lines[-1]])
    assert exit_code == 1
    assert sorted(line.split()[0] for line in out.splitlines()) == ["duplicate", "missing"]


def test_wallets_that_hang_delay_nobody_else(own: Service, wallet: WalletServer, send: Send) -> None:
    """Two hundred credits are due at each of two wallets that never answer, more than any limit of connections: debits and
    credits of another operator go on while all of those wait."""
    deaf_session, deaf_player = opened(send)
    wallet.always[f"credit:{deaf_player}"] = "deaf"
    names = ("op-deaf", "op-quick")
    deaf_credentials, credentials = (own.add_operator(name) for name in names)
    with WalletServer(deaf_credentials.secret.encode()) as deaf, WalletServer(credentials.secret.encode()) as quick:
        for name, key, server in zip(names, (deaf_credentials, credentials), (deaf, quick), strict=True):
            own.change_operator(name, rules=Rules(wallets=["seamless"]), wallet=(server.url, key.key_id))
        deaf.always["credit:p-deaf"] = "deaf"
        for name, key in zip(("deaf", "quick"), (deaf_credentials, credentials), strict=True):
            body = session_body(name, f"op-{name}", player_id=f"p-{name}")
            assert sending(own, key)("POST", "/sessions", body).status == 200
        for n in range(200):
            own.give_up(OPERATOR, deaf_session, f"deaf-a{n}")
            own.give_up("op-deaf", "deaf", f"deaf-b{n}")
        again = "UPDATE wallet_steps SET state = 'pending', ended_at = NULL, next_try_at = now() WHERE spin_id LIKE 'deaf-%'"
        run(own.fetch(again))
        try:
            for n in range(10):
                assert sending(own, credentials)("POST", "/spins", spin_body(f"quick-{n}", "quick")).status == 200
                paid = "SELECT state FROM wallet_steps WHERE txn_id = $1"
                wait_for(lambda: run(own.fetch(paid, f"credit:quick-{n}"))[0]["state"] == "accepted")  # noqa: B023
            assert {call[0] for call in quick.calls} == {"debit", "credit"}
            unpaid = run(
                own.fetch("SELECT count(*) FROM wallet_steps WHERE spin_id LIKE 'deaf-%' AND state = 'pending'")
            )
            assert unpaid[0][0] == 400
        finally:
            given_up = "UPDATE wallet_steps SET state = 'failed', ended_at = now(), next_try_at = NULL WHERE spin_id LIKE 'deaf-%'"
            run(own.fetch(given_up))
    wallet.always.clear()


def test_calls_that_hang_leave_connections_to_other_wallets(wallet: WalletServer, credentials: Credentials) -> None:
    """A healthy wallet answers while two hundred calls of one that never does are under way."""

    async def job() -> None:
        deaf = socket.create_server(("127.0.0.1", 0), backlog=512)  # takes connections, and never reads
        port = deaf.getsockname()[1]
        client = WalletClient(5000, Metrics(), Tracing())
        step = {
            "txn_id": "debit:healthy", "player_id": "p-healthy", "amount": {"amount": "1.00", "currency": "EUR", "minor": 100},
        }  # fmt: skip
        body = json.dumps(step).encode()
        hung = {
            asyncio.ensure_future(client.call(Wallet(f"http://127.0.0.1:{port}", "k", b"s"), "op", "debit", body))
            for _ in range(200)
        }
        await asyncio.sleep(0.1)
        healthy = asyncio.ensure_future(
            client.call(Wallet(wallet.url, credentials.key_id, credentials.secret.encode()), "op", "debit", body)
        )
        done, _ = await asyncio.wait({healthy, *hung}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {healthy}
        assert healthy.result().status == "accepted"
        for call in hung:
            call.cancel()
        await asyncio.gather(*hung, return_exceptions=True)
        await client.close()
        deaf.close()

    run(job())
