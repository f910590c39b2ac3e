"""Repeated spins whose first request is still under way: they wait for it a while, and are then told to come back."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from rgs_server.client import Credentials, Reply
from rgs_server.operators import Rules
from service_process import Service, code, run, session_body, spin_body, wait_for
from wallet_server import WalletServer

OPERATOR = "op-in-progress"
SPINS = "/rgs/v1/spins"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("progress")), workers=2, wallet_timeout_ms=3000, wallet_tries=1)
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
        own.change_operator(OPERATOR, rules=Rules(wallets=["seamless"]), wallet=(server.url, credentials.key_id))
        yield server
        server.release.set()
        pending = "SELECT FROM wallet_steps WHERE next_try_at IS NOT NULL"
        wait_for(lambda: not run(own.fetch(pending)), own.log_text)


class Sent(threading.Thread):
    """A request under way; `reply` when it is answered."""

    def __init__(self, own: Service, body: bytes, credentials: Credentials | None = None) -> None:
        super().__init__(daemon=True)
        self._args = (own, body, credentials)
        self.reply: Reply | None = None
        self.start()

    def run(self) -> None:
        own, body, credentials = self._args
        try:
            self.reply = own.send("POST", SPINS, body, credentials=credentials)
        except (OSError, aiohttp.ClientError):
            return  # its worker was killed


def test_a_duplicate_is_told_that_the_first_request_is_under_way(tmp_path: Path) -> None:
    """The commit is held by a lock on the session."""
    alone = Service(tmp_path, workers=1)
    alone.start()
    try:
        assert alone.send("POST", "/rgs/v1/sessions", session_body("held")).status == 200
        body = spin_body("held", "held")

        async def duplicate_while_held() -> tuple[Sent, Reply, Reply]:
            connection = await asyncpg.connect(alone.database_url)
            async with connection.transaction():
                await connection.execute("SELECT FROM sessions WHERE session_id = 'held' FOR UPDATE")
                first = Sent(alone, body)
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                while not (await alone.fetch(waiting))[0][0]:  # elsewhere: a transaction sees its first look for ever
                    await asyncio.sleep(0.02)
                async with alone.client() as client:
                    other = client.send("POST", SPINS, spin_body("held", "held", amount="2.00"))
                    conflict, reply = await asyncio.gather(other, client.send("POST", SPINS, body))
            await connection.close()
            return first, reply, conflict

        first, reply, conflict = run(duplicate_while_held())
        assert code(reply) == (409, "IDEMPOTENCY_IN_PROGRESS")
        assert (reply.json()["retryable"], reply.json()["money_state"]) == (True, "unknown")
        assert reply.headers["Retry-After"] == "1"
        assert code(conflict) == (409, "IDEMPOTENCY_CONFLICT")
        first.join(20)
        assert first.reply is not None
        assert first.reply.status == 200
        again = alone.send("POST", SPINS, body)
        assert (again.body, again.headers["Idempotent-Replayed"]) == (first.reply.body, "true")
    finally:
        assert alone.stop() == 0
        alone.remove()


def debits(wallet: WalletServer, spin_id: str) -> int:
    return wallet.calls.count(("debit", f"debit:{spin_id}"))


def opened(own: Service, credentials: Credentials, name: str) -> None:
    body = session_body(name, OPERATOR, player_id=f"p-{name}")
    assert own.send("POST", "/rgs/v1/sessions", body, credentials=credentials).status == 200


def test_one_worker_asks_for_a_stake_whoever_gets_the_duplicates(
    own: Service, credentials: Credentials, wallet: WalletServer
) -> None:
    opened(own, credentials, "crowd")
    body = spin_body("crowd", "crowd")
    wallet.faults["debit:p-crowd"] = ["held"]
    first = Sent(own, body, credentials)
    wait_for(lambda: debits(wallet, "crowd") == 1)
    crowd = [Sent(own, body, credentials) for _ in range(12)]  # on connections of their own: of both workers
    for sent in crowd:
        sent.join(20)
    assert {code(sent.reply) for sent in crowd if sent.reply} == {(409, "IDEMPOTENCY_IN_PROGRESS")}
    assert debits(wallet, "crowd") == 1
    wallet.release.set()
    first.join(20)
    assert first.reply is not None
    assert first.reply.status == 200
    again = own.send("POST", SPINS, body, credentials=credentials)
    assert (again.status, again.body) == (200, first.reply.body)
    assert debits(wallet, "crowd") == 1


def test_the_stake_of_a_worker_that_is_gone_is_asked_for_by_another(
    own: Service, credentials: Credentials, wallet: WalletServer
) -> None:
    opened(own, credentials, "gone")
    body = spin_body("gone", "gone")
    wallet.faults["debit:p-gone"] = ["held"]
    first = Sent(own, body, credentials)
    wait_for(lambda: debits(wallet, "gone") == 1)
    for pid in own.workers():
        os.kill(pid, signal.SIGKILL)
    first.join(20)
    assert first.reply is None
    own.wait_until_ready()
    replies: list[Reply] = []

    def answered() -> bool:
        try:
            replies.append(own.send("POST", SPINS, body, credentials=credentials))
        except (OSError, aiohttp.ClientError):
            return False
        return replies[-1].status == 200

    wait_for(answered, own.log_text)
    assert {code(reply) for reply in replies[:-1]} <= {(409, "IDEMPOTENCY_IN_PROGRESS")}
    assert debits(wallet, "gone") == 2
    wallet.release.set()
    win = replies[-1].json()["outcome"]["win"]["minor"]
    wait_for(lambda: ("credit", "credit:gone") in wallet.calls)
    wait_for(lambda: wallet.balances["p-gone"] == wallet.start_minor - 100 + win)
