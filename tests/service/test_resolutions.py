"""Failed steps at the platform's wallet, closed by hand: what one person proposes, another one confirms."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from rgs_server.__main__ import main
from rgs_server.client import Credentials, Reply
from rgs_server.operators import Rules, add_client, add_operator
from rgs_server.resolutions import LAPSES_AFTER
from service_process import Send, Service, code, run, sending, session_body, spin_body, wait_for
from wallet_server import WalletServer

OPERATOR = "op-resolving"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(
        Path(tmp_path_factory.mktemp("resolutions")), wallet_timeout_ms=300, wallet_tries=2, key_cache_s=1
    )
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


@pytest.fixture(scope="module")
def persons(own: Service) -> tuple[Credentials, Credentials]:
    """Two keys of one operator."""
    first = own.add_operator(OPERATOR)
    config = replace(own.config, database_url=own.database_url)
    return first, run(add_operator(config, OPERATOR, "key-second", reveal_seeds=False))


@pytest.fixture
def wallet(own: Service, persons: tuple[Credentials, Credentials]) -> Iterator[WalletServer]:
    with WalletServer(persons[0].secret.encode()) as server:
        own.change_operator(OPERATOR, rules=Rules(wallets=["seamless"]), wallet=(server.url, persons[0].key_id))
        yield server


def failed_credit(own: Service, send: Send, wallet: WalletServer) -> tuple[str, int]:
    """A credit that its wallet has never taken and that was given up, and its amount."""
    session = f"resolving-{next(_numbers)}"
    player = f"p-{session}"
    assert send("POST", "/sessions", session_body(session, OPERATOR, player_id=player)).status == 200
    wallet.always[f"credit:{player}"] = "error"
    for n in itertools.count():
        reply = send("POST", "/spins", spin_body(f"{session}-{n}", session))
        assert reply.status == 200, reply.body
        minor = reply.json()["outcome"]["win"]["minor"]
        if minor:
            break
    txn = f"credit:{session}-{n}"
    given_up = (
        "UPDATE wallet_steps SET state = 'failed', ended_at = now(), next_try_at = NULL"
        " WHERE txn_id = $1 AND state = 'pending'"
    )
    while send("GET", f"/transactions/{txn}").json()["status"] != "failed":
        run(own.fetch(given_up, txn))
    return txn, minor


def posted(own: Service, path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    """The answer to a request without a signature."""
    request = urllib.request.Request(f"http://127.0.0.1:{own.config.port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, str] = json.load(answer)
    return found


def test_two_persons_book_what_was_paid_by_other_means(
    own: Service, persons: tuple[Credentials, Credentials], wallet: WalletServer
) -> None:
    first, second = (sending(own, person) for person in persons)
    txn, minor = failed_credit(own, first, wallet)
    path, body = f"/transactions/{txn}/resolution", {"resolution": "paid", "reason": "paid by hand, ticket 4711"}
    assert txn in {step["txn_id"] for step in first("GET", "/transactions").json()["transactions"]}
    proposed = first("POST", path, body)
    assert (proposed.status, proposed.json()["state"], proposed.json()["proposed_by"]) == (
        200,
        "proposed",
        persons[0].key_id,
    )
    # The same person can repeat it, and confirms nothing.
    again = first("POST", path, body)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (proposed.body, "true")
    assert first("GET", f"/transactions/{txn}").json()["status"] == "failed"
    assert code(second("POST", path, {"resolution": "retry", "reason": "try again"})) == (409, "RESOLUTION_REFUSED")
    confirmed = second("POST", path, {"resolution": "paid", "reason": "seen"}).json()
    assert (confirmed["state"], confirmed["confirmed_by"], confirmed["reason"]) == (
        "confirmed",
        "key-second",
        "paid by hand, ticket 4711",
    )
    booked = first("GET", f"/transactions/{txn}").json()
    assert (booked["status"], booked["amount"]["minor"]) == ("posted", minor)
    rows = run(own.fetch("SELECT count(*) FROM ledger WHERE txn_id = $1", txn))
    assert rows[0][0] == 1
    for send in (first, second):  # and once only
        assert send("POST", path, body).headers["Idempotent-Replayed"] == "true"
    assert txn not in {step["txn_id"] for step in first("GET", "/transactions").json()["transactions"]}


def test_a_step_is_tried_once_more(
    own: Service, persons: tuple[Credentials, Credentials], wallet: WalletServer
) -> None:
    first, second = (sending(own, person) for person in persons)
    txn, minor = failed_credit(own, first, wallet)
    path, body = f"/transactions/{txn}/resolution", {"resolution": "retry", "reason": "the wallet was mended"}
    before = sum(call[1] == txn for call in wallet.calls)
    wallet.always.clear()
    assert first("POST", path, body).json()["state"] == "proposed"
    assert second("POST", path, body).json()["state"] == "confirmed"
    wait_for(lambda: first("GET", f"/transactions/{txn}").json()["status"] == "posted", own.log_text)
    assert first("GET", f"/transactions/{txn}").json()["amount"]["minor"] == minor
    assert sum(call[1] == txn for call in wallet.calls) > before


def test_clients_are_persons_too_and_proposals_lapse(
    own: Service, persons: tuple[Credentials, Credentials], wallet: WalletServer
) -> None:
    first, second = (sending(own, person) for person in persons)
    txn, _ = failed_credit(own, first, wallet)
    path, body = f"/transactions/{txn}/resolution", {"resolution": "paid", "reason": "by hand"}
    first("POST", path, body)
    lapsed = "UPDATE resolutions SET proposed_at = proposed_at - $2::interval WHERE txn_id = $1"
    run(own.fetch(lapsed, txn, LAPSES_AFTER + timedelta(seconds=1)))
    renewed = second("POST", path, body).json()
    assert (renewed["state"], renewed["proposed_by"]) == ("proposed", "key-second")
    config = replace(own.config, database_url=own.database_url)
    secret = run(add_client(config, OPERATOR, "client-resolving", ["play"]))
    form = f"grant_type=client_credentials&client_id=client-resolving&client_secret={secret}".encode()
    token = posted(own, "/rgs/v1/oauth/token", form, {"Content-Type": "application/x-www-form-urlencoded"})[
        "access_token"
    ]
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    confirmed = posted(own, f"/rgs/v1{path}", json.dumps(body).encode(), bearer)
    assert confirmed["confirmed_by"] == "client:client-resolving"


def test_what_cannot_be_closed_by_hand(
    own: Service, persons: tuple[Credentials, Credentials], wallet: WalletServer
) -> None:
    send = sending(own, persons[0])
    session = "resolving-fine"
    assert send("POST", "/sessions", session_body(session, OPERATOR)).status == 200
    assert send("POST", "/spins", spin_body("fine", session)).status == 200
    body = {"resolution": "paid", "reason": "x"}
    assert code(send("POST", "/transactions/debit:fine/resolution", body)) == (409, "RESOLUTION_REFUSED")
    assert code(send("POST", "/transactions/credit:none/resolution", body)) == (404, "TRANSACTION_UNKNOWN")
    assert (
        code(send("POST", "/transactions/debit:fine/resolution", {**body, "resolution": "forget"}))[1]
        == "VALIDATION_FAILED"
    )
    other = sending(own, own.add_operator("op-stranger"))
    assert code(other("POST", "/transactions/debit:fine/resolution", body)) == (404, "TRANSACTION_UNKNOWN")


def test_two_keys_of_one_person_are_one_person(
    own: Service, persons: tuple[Credentials, Credentials], wallet: WalletServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named on the command line, for keys and clients alike."""
    config = replace(own.config, database_url=own.database_url)
    anna = [
        sending(own, run(add_operator(config, OPERATOR, key_id, reveal_seeds=False, person="anna")))
        for key_id in ("key-anna-1", "key-anna-2")
    ]
    secret = run(add_client(config, OPERATOR, "client-anna", ["play"], "anna"))
    txn, _ = failed_credit(own, anna[0], wallet)
    path, body = f"/transactions/{txn}/resolution", {"resolution": "paid", "reason": "by hand"}
    proposed = anna[0]("POST", path, body)
    assert (proposed.json()["proposed_by"], proposed.json()["proposed_person"]) == ("key-anna-1", "anna")
    again = anna[1]("POST", path, body)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (proposed.body, "true")
    form = f"grant_type=client_credentials&client_id=client-anna&client_secret={secret}".encode()
    token = posted(own, "/rgs/v1/oauth/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    bearer = {"Authorization": f"Bearer {token['access_token']}", "Content-Type": "application/json"}
    assert posted(own, f"/rgs/v1{path}", json.dumps(body).encode(), bearer)["state"] == "proposed"
    assert anna[0]("GET", f"/transactions/{txn}").json()["status"] == "failed"
    # A new secret of a key leaves it whose it was.
    renewed = sending(own, run(add_operator(config, OPERATOR, "key-anna-2", reveal_seeds=False)))
    replies: list[Reply] = []
    wait_for(lambda: replies.append(renewed("POST", path, body)) or replies[-1].status == 200)  # trusted for a second
    assert replies[-1].json()["state"] == "proposed"
    # Nor does the table take it, whatever a worker believes.
    forged = (
        "UPDATE resolutions SET confirmed_by = 'x', confirmed_person = 'anna', confirmed_at = now() WHERE txn_id = $1"
    )
    with pytest.raises(asyncpg.CheckViolationError):
        run(own.fetch(forged, txn))
    confirmed = sending(own, persons[1])("POST", path, body).json()
    assert (confirmed["state"], confirmed["confirmed_person"]) == ("confirmed", "key-second")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--person", "anna"], "give --key or --client too"),
        (["--person", " ", "--key", "key-x"], "a name of 1 to 80 printable characters"),
    ],
)
def test_a_person_is_named_with_a_key(
    own: Service,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    assert main(["operator", OPERATOR, *arguments]) == 2
    assert message in capsys.readouterr().err
