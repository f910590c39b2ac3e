"""The contract over real HTTP: the literal examples, every error code, catalogue and records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import aiohttp
import pytest
from rgs_server.client import Credentials, Reply
from rgs_server.contract.problems import KINDS
from service_process import BUILD, Service, run, session_body, spin_body

# Section 6 of the integration guide, with its typographic quotes and stray spaces mended.
EXAMPLE_SESSION = """{
"session_id": "s-…",  "operator_id": "op-…",  "player_id": "p-…",  "game_id": "g-BookOf…",  "build_hash": "sha256:…",  "jwt": "eyJhbGci…",  "geo": "DE",  "currency": "EUR",  "rg_flags": {"self_excluded": false, "time_limit_min": 60}
}"""
EXAMPLE_SPIN = """{
"spin_id": "spin-…",  "round_id": "rnd-…",  "session_id": "s-…",  "stake": {"amount": 1.00, "currency": "EUR"},  "spin_type": "cash",  "idempotency_key": "spin-…"
}"""
EXAMPLE_EVENTS = """{
"events":[
{
"type":"spin_finished",    "ts":"2025-10-20T11:22:33.123Z",    "spin_id":"spin-…",    "round_id":"rnd-…",    "stake":1.00,"win":3.40,"currency":"EUR",    "game_id":"g-…","build_hash":"sha256:…",    "player_id":"p-…","operator_id":"op-…",    "spin_type":"cash"
}
]
}"""


def problem(reply: Reply, code: str) -> dict[str, object]:
    assert reply.headers["Content-Type"].startswith("application/problem+json"), reply.body
    document = reply.json()
    assert document["code"] == code, document
    assert reply.status == document["status"] == KINDS[code].status
    assert document["retryable"] == KINDS[code].retryable
    assert document["money_state"] == KINDS[code].money_state
    assert document["detail"]
    assert len(document["trace_id"]) == 32
    return document  # type: ignore[no-any-return]


def test_the_literal_examples_work_unchanged(service: Service) -> None:
    example = Credentials.read(service.folder / "example.json")
    opened = service.send("POST", "/rgs/v1/sessions", EXAMPLE_SESSION.encode(), credentials=example)
    assert opened.status == 200, opened.body
    assert opened.json()["session_id"] == "s-…"
    spin = service.send("POST", "/rgs/v1/spins", EXAMPLE_SPIN.encode(), credentials=example)
    assert spin.status == 200, spin.body
    answer = spin.json()
    assert answer["spin_id"] == "spin-…"
    assert answer["rgs_txns"] == []
    assert answer["telemetry_ref"].startswith("evt-")
    win = answer["outcome"]["win"]
    assert win["currency"] == "EUR"
    # A number with exactly the currency's decimals, as the guide prints it.
    assert f'"amount":{win["minor"] // 100}.{win["minor"] % 100:02d},'.encode() in spin.body
    assert isinstance(answer["outcome"]["features"], list)
    stored = service.send("GET", "/rgs/v1/spins/spin-%E2%80%A6", credentials=example)
    assert stored.json()["answer"] == answer
    events = service.send("POST", "/rgs/v1/events/batch", EXAMPLE_EVENTS.encode(), credentials=example)
    assert events.status == 200, events.body
    (result,) = events.json()["results"]
    assert result["status"] == "accepted"
    # The guide's own ids: its event names another game than its session, and a win that is not the drawn one.
    assert set(result["differences"]) - {"win"} == {"game_id"}


def test_the_catalogue_lists_certified_builds(service: Service) -> None:
    games = service.send("GET", "/rgs/v1/games").json()["games"]
    mine = {game["build_ref"]: game for game in games}[BUILD.build_hash]
    assert mine["rtp"] == pytest.approx(0.96495758, abs=1e-8)
    assert (mine["game_id"], mine["rtp_profile"], mine["lines"]) == ("lantern_tide", "rtp_96", 20)
    assert {"lantern_tide", "ember_sevens"} <= {game["game_id"] for game in games}


def test_health_needs_no_signature(service: Service) -> None:
    async def job() -> None:
        async with aiohttp.ClientSession() as session:
            for path in ("/healthz", "/readyz"):
                async with session.get(f"{service.credentials.url}{path}") as response:  # type: ignore[union-attr]
                    assert response.status == 200

    run(job())


def test_a_spin_can_be_read_back(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    played = service.send("POST", "/rgs/v1/spins", spin_body("read-back", session))
    record = service.send("GET", "/rgs/v1/spins/read-back").json()
    assert record["answer"] == played.json()
    assert record["stake"] == {"amount": 1.00, "currency": "EUR", "minor": 100}
    assert record["nonce"] == 0
    assert record["created_at"].endswith("Z")
    assert len(record["created_at"]) == len("2026-01-31T12:00:00.000Z")


def test_nonces_count_up_without_gaps(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    nonces = [service.send("POST", "/rgs/v1/spins", spin_body(f"count-{n}", session)).json()["nonce"] for n in range(6)]
    assert nonces == list(range(6))


def test_each_spin_writes_its_event_and_its_transfers(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    for n in range(12):
        service.send("POST", "/rgs/v1/spins", spin_body(f"books-{n}", session))
    rows = run(
        service.fetch(
            "SELECT p.win_minor, p.stake_minor, p.telemetry_ref, o.payload, "
            "  (SELECT sum(CASE WHEN kind = 'stake' THEN amount_minor ELSE -amount_minor END) FROM ledger t "
            "   WHERE t.spin_id = p.spin_id) AS kept "
            "FROM spins p JOIN events o ON o.event_id = p.telemetry_ref WHERE p.session_id = $1",
            session,
        )
    )
    assert len(rows) == 12
    for row in rows:
        assert row["kept"] == row["stake_minor"] - row["win_minor"]
        event = json.loads(row["payload"])
        assert event["type"] == "spin_finished"
        assert event["build_hash"] == BUILD.build_hash
        assert {
            "ts",
            "spin_id",
            "round_id",
            "stake",
            "win",
            "currency",
            "game_id",
            "player_id",
            "operator_id",
        } <= set(event)
        assert round(event["win"] * 100) == row["win_minor"]


CASES: list[tuple[str, str, str, bytes]] = [
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", b"{"),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", b"\xff\xfe"),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", b"[]"),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", b'{"spin_id": 7}'),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("a\x00b", "s")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("", "s")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("x" * 256, "s")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("surrogate", "s").replace(b'"s"', b'"\\ud800"')),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("neg", "s", "-1.00")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("exp", "s").replace(b'"1.00"', b"1e2")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("nan", "s", "NaN")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("many", "s", "9" * 28)),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/spins", spin_body("free", "s", spin_type="free")),
    (
        "VALIDATION_FAILED",
        "POST",
        "/rgs/v1/spins",
        spin_body("cur", "s", stake={"amount": 1, "currency": "EURO"}),
    ),
    ("AMOUNT_PRECISION", "POST", "/rgs/v1/spins", spin_body("fine", "s", "1.001")),
    ("IDEMPOTENCY_KEY_REQUIRED", "POST", "/rgs/v1/spins", spin_body("nokey", "s", idempotency_key=None)),
    ("SESSION_UNKNOWN", "POST", "/rgs/v1/spins", spin_body("lost", "no-such-session")),
    ("STAKE_NOT_ALLOWED", "POST", "/rgs/v1/spins", spin_body("odd", "SESSION", "0.33")),
    ("STAKE_NOT_ALLOWED", "POST", "/rgs/v1/spins", spin_body("zero", "SESSION", "0")),
    (
        "STAKE_NOT_ALLOWED",
        "POST",
        "/rgs/v1/spins",
        spin_body("usd", "SESSION", stake={"amount": 1, "currency": "USD"}),
    ),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/sessions", session_body("geo", geo="Germany")),
    ("VALIDATION_FAILED", "POST", "/rgs/v1/sessions", session_body("cur", currency="XYZ")),
    ("FORBIDDEN", "POST", "/rgs/v1/sessions", session_body("other", operator_id="op-other")),
    ("RG_BLOCKED", "POST", "/rgs/v1/sessions", session_body("rg", rg_flags={"self_excluded": True})),
    ("GAME_UNKNOWN", "POST", "/rgs/v1/sessions", session_body("game", game_id="no_such_game")),
    (
        "BUILD_NOT_CERTIFIED",
        "POST",
        "/rgs/v1/sessions",
        session_body("build", build_hash="sha256:" + "0" * 64),
    ),
    ("BUILD_NOT_CERTIFIED", "POST", "/rgs/v1/sessions", session_body("cross", game_id="ember_sevens")),
    ("SPIN_UNKNOWN", "GET", "/rgs/v1/spins/no-such-spin", b""),
    ("SPIN_UNKNOWN", "GET", "/rgs/v1/spins/no-such-spin/replay", b""),
    ("SPIN_UNKNOWN", "GET", "/rgs/v1/spins/a%00b", b""),
    ("NOT_FOUND", "GET", "/rgs/v1/nothing", b""),
    ("METHOD_NOT_ALLOWED", "GET", "/rgs/v1/spins", b""),
    ("BODY_TOO_LARGE", "POST", "/rgs/v1/spins", b" " * 70_000),
]


@pytest.mark.parametrize(("code", "method", "target", "body"), CASES, ids=lambda value: str(value)[:30])
def test_bad_input_gets_its_code(
    service: Service, new_session: Callable[[], str], code: str, method: str, target: str, body: bytes
) -> None:
    if b"SESSION" in body:
        body = body.replace(b"SESSION", new_session().encode())
    before = run(service.fetch("SELECT count(*) FROM spins"))[0][0]
    problem(service.send(method, target, body), code)
    assert run(service.fetch("SELECT count(*) FROM spins"))[0][0] == before


def test_validation_names_the_path(service: Service) -> None:
    document = problem(
        service.send("POST", "/rgs/v1/spins", spin_body("p", "s", stake={"amount": 1, "currency": 5})),
        "VALIDATION_FAILED",
    )
    assert document["errors"] == [{"path": "stake.currency", "message": "Expected `str`, got `int`"}]


def test_another_operators_spin_does_not_exist(service: Service, new_session: Callable[[], str]) -> None:
    service.send("POST", "/rgs/v1/spins", spin_body("private", new_session()))
    stranger = service.add_operator("op-stranger")
    problem(service.send("GET", "/rgs/v1/spins/private", credentials=stranger), "SPIN_UNKNOWN")


def test_wrong_signatures_are_refused(service: Service) -> None:
    assert service.credentials is not None
    good = service.credentials
    for wrong in (
        replace(good, secret="wrong"),
        replace(good, key_id="key-nobody"),
        replace(good, key_id="k" * 300),
    ):
        problem(service.send("GET", "/rgs/v1/games", credentials=wrong), "SIGNATURE_INVALID")

    async def unsigned() -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{good.url}/rgs/v1/games") as response:
            return response.status

    assert run(unsigned()) == 401


def test_an_old_timestamp_is_refused(service: Service) -> None:
    from rgs_server import signing

    assert service.credentials is not None
    key = service.credentials
    for timestamp in ("2020-01-01T00:00:00.000Z", "yesterday", "2999-01-01T00:00:00.000Z"):
        signature = signing.sign(key.secret.encode(), "GET", "/rgs/v1/games", timestamp, "n", b"")

        async def job(timestamp: str = timestamp, signature: str = signature) -> str:
            headers = {
                signing.KEY_ID: key.key_id,
                signing.TIMESTAMP: timestamp,
                signing.NONCE: "n",
                signing.SIGNATURE: f"v1={signature}",
            }
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{key.url}/rgs/v1/games", headers=headers) as response,
            ):
                return str((await response.json(content_type=None))["code"])

        assert run(job()) == "TIMESTAMP_SKEW"


def test_the_trace_id_of_the_caller_is_kept(service: Service) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    reply = service.send("GET", "/rgs/v1/nothing", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert reply.json()["trace_id"] == trace
