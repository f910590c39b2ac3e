"""Events of every kind: valid against the AsyncAPI document, numbered without gaps, refilled; the bus beside webhooks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema
import nats
import pytest
from monitored import laws_of
from nats.js.errors import NotFoundError
from rgs_server.__main__ import main
from rgs_server.bus import STREAM, subject, token
from rgs_server.choices import Builds
from rgs_server.contract.asyncapi import asyncapi_document
from rgs_server.contract.compatibility import broken_messages
from rgs_server.contract.events import EVENTS, type_of
from rgs_server.master_key import read_master_keys
from rgs_server.operators import Rules
from rgs_server.sealing import Sealer
from rgs_server.store import EventRow, Store
from rgs_server.sweeping import close_idle, decide_overdue, report_unsettled
from rgs_server.telemetry.metrics import Metrics
from service_process import BUILD, Send, Service, code, run, session_body, spin_body, wait_for
from sinks import bus_url, owed, published
from spin_rows import played_round
from told_events import CREDENTIALS, check, events_of, new_operator, now, service_with_bus, with_store

from rgs_core import games
from rgs_core.language.model_file import load, loads

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from service_with_bus(Path(tmp_path_factory.mktemp("events")))


def everything_happens(own: Service) -> tuple[str, Send]:
    """An operator to whom each kind of event happens."""
    operator_id, send = new_operator(own, wallets=["platform", "transfer", "seamless"], settle_within_s=1)
    sealer = Sealer(*read_master_keys(own.config.master_key_path))
    tides = load(games.find("three_tides")).build()
    for session in ("a", "limited"):
        flags = {"rg_flags": {"time_limit_min": 0}} if session == "limited" else {}
        assert send("POST", "/sessions", session_body(session, operator_id, **flags)).status == 200
    for n in range(3000):  # features come once in dozens of rounds, at times much later
        assert send("POST", "/spins", spin_body(f"{operator_id}-{n}", "a")).status == 200
        kinds = {row["event_type"] for row in events_of(own, operator_id)}
        if "bonus_triggered" in kinds and n > 3:
            break
    assert code(send("POST", "/spins", spin_body("late", "limited"))) == (403, "RG_LIMIT")
    assert code(send("POST", "/spins", spin_body("late", "limited"))) == (403, "RG_LIMIT")
    opened = session_body("c", operator_id, game_id="three_tides", build_hash=tides.build_hash)
    assert send("POST", "/sessions", opened).status == 200
    spin = spin_body("waits", "c", "2.25", mode="buy")
    assert send("POST", "/spins", spin).status == 200
    moved = session_body("t", operator_id, wallet="transfer")
    assert send("POST", "/sessions", moved).status == 200
    transfer = {"transfer_id": f"in-{operator_id}", "amount": {"amount": "5.00", "currency": "EUR"}}
    assert send("POST", "/sessions/t/transfers", transfer).status == 200
    assert send("POST", "/players/p-1/flags", {"self_excluded": True}).status == 200
    assert send("POST", "/players/p-1/flags", {"self_excluded": False}).status == 200
    assert send("POST", "/sessions/a/close").status == 200
    own.change_operator(operator_id, rules=Rules(idle_close_s=1))
    late = datetime.now(UTC) + timedelta(days=2)

    async def time_passes(store: Store) -> None:
        laws = laws_of(store)  # knows the catalogue and the archive
        await decide_overdue(store, Builds(laws.archive, laws.rules, sealer), late, 200, Metrics())
        await report_unsettled(store, late)
        await close_idle(store, sealer, late)

    with_store(own, time_passes)
    return operator_id, send


def test_every_event_fits_the_document_and_arrives_on_the_bus(own: Service) -> None:
    operator_id, _ = everything_happens(own)
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    found = published(own, f"rgs.{token(operator_id)}.>")
    kinds = {event["type"] for _, event in found}
    rare = {
        "bonus_awarded",
        "jackpot_win",
        "technical_error",
        "math_alert",
        "round_voided",
        "round_status",
        "platform_event",
    }  # other tests
    assert kinds >= {type_of(kind) for kind in EVENTS} - rare
    for where, event in found:
        assert where == subject(operator_id, event["type"])
        assert event["data"]["type"] == event["type"]
        check(event)
    # Each once; many are under way at the same time, so the bus may have them in another order.
    assert sorted(event["id"] for _, event in found) == sorted(row["event_id"] for row in events_of(own, operator_id))
    kinds_of_rg = sorted(event["data"]["kind"] for _, event in found if event["type"] == "rg_event")
    assert kinds_of_rg == ["blocked", "limit_reached", "unblocked"]


def test_the_check_bites(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("x", operator_id)).status == 200
    event = send("GET", "/sessions/x/events").json()["events"][0]
    check(event)
    del event["data"]["build_hash"]
    with pytest.raises(jsonschema.ValidationError, match="build_hash"):
        check(event)


POOLS = """
format = 1
id = "pools"
title = "Pools"
version = "1"
symbols = ["A", "S"]
[stake]
units = 1
[grid]
reels = 1
rows = 1
[evaluators.lines]
kind = "lines"
paylines = ["0"]
pays = { A = { 1 = 1 } }
[jackpots.grand]
start = 100
share_ppm = 20_000
[states.base]
strips = "base"
evaluators = ["lines"]
triggers = [{ name = "Grand", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 10 }]
[profiles.main.strips]
base = ["A S"]
"""
"""No shipped game draws a jackpot."""


def test_features_of_any_game_are_told() -> None:
    """Bonuses and jackpots: rounds of games that have them, until each has come."""
    from rgs_server.happenings import feature_events

    from rgs_core import Engine, derive_key

    wanted = {"bonus_triggered", "bonus_awarded", "jackpot_win"}
    builds = [load(path).build() for path in games.shipped().values()]
    for build in [loads(POOLS, source="pools").build(), *builds]:
        engine = Engine(build)
        key = derive_key(bytes(32), "x")
        for nonce in range(3000):
            outcome = engine.spin(key, nonce)
            told = feature_events(played_round(build, outcome, nonce))
            assert len(told) == sum(len(spin.awards) for spin in outcome.spins)
            for number, (event_id, kind, payload) in enumerate(told, start=1):
                assert event_id == f"evt-{nonce}-{number}"
                if kind in wanted:
                    wanted.discard(kind)
                    check(enveloped(kind, payload))
    assert not wanted


def enveloped(kind: str, payload: bytes) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "evt-1", "source": "/rgs/v1/operators/o", "type": kind,
        "time": "2026-01-01T00:00:00.000Z", "datacontenttype": "application/json", "operatorid": "o",
        "data": json.loads(payload),
    }  # fmt: skip


def test_a_receiver_refills_a_gap(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("gap", operator_id)).status == 200
    for n in range(12):
        assert send("POST", "/spins", spin_body(f"{operator_id}-{n}", "gap")).status == 200
    whole = send("GET", "/sessions/gap/events").json()
    numbers = [int(event["sequence"]) for event in whole["events"]]
    assert numbers == list(range(1, whole["last_seq"] + 1))
    assert whole["events"][0]["type"] == "session_opened"
    nonces = [event["data"]["nonce"] for event in whole["events"] if event["type"] == "spin_finished"]
    assert nonces == list(range(12))
    assert whole["more"] is False
    part = send("GET", "/sessions/gap/events?after_seq=7").json()
    assert part["events"] == whole["events"][7:]
    assert send("GET", f"/sessions/gap/events?after_seq={whole['last_seq']}").json()["events"] == []
    assert code(send("GET", "/sessions/gap/events?after_seq=x")) == (400, "VALIDATION_FAILED")
    assert code(send("GET", "/sessions/none/events")) == (404, "SESSION_UNKNOWN")


def test_numbers_have_no_gaps_when_many_write(own: Service) -> None:
    """Spins of both workers, refusals and reports at the same time."""
    operator_id, send = new_operator(own)
    for n in range(2):
        assert send("POST", "/sessions", session_body(f"m{n}", operator_id)).status == 200

    async def load_() -> None:
        clients = [own.client(CREDENTIALS[operator_id]) for _ in range(4)]
        async with clients[0], clients[1], clients[2], clients[3]:

            async def play(client: Any, number: int) -> None:
                for n in range(25):
                    body = spin_body(f"{operator_id}-{number}-{n}", f"m{n % 2}")
                    assert (await client.send("POST", "/rgs/v1/spins", body)).status == 200

            async def tell() -> None:
                connection = await asyncpg.connect(own.database_url)
                try:
                    for n in range(60):
                        rows = [
                            EventRow(f"{operator_id}-told-{n // 2}", operator_id, f"m{n % 2}", "rg_event", b"{}", now())
                        ]
                        await Store(connection).add_events(rows)
                finally:
                    await connection.close()

            await asyncio.gather(*(play(client, n) for n, client in enumerate(clients)), tell(), tell())

    run(load_())
    for session in ("m0", "m1"):
        sql = "SELECT seq, event_type FROM events WHERE operator_id = $1 AND session_id = $2 ORDER BY event_seq"
        rows = run(own.fetch(sql, operator_id, session))
        count = run(
            own.fetch(
                "SELECT event_count FROM sessions WHERE operator_id = $1 AND session_id = $2", operator_id, session
            )
        )
        assert sorted(row["seq"] for row in rows) == list(range(1, count[0][0] + 1))
        assert sum(row["event_type"] == "spin_finished" for row in rows) == (52 if session == "m0" else 48)


def test_the_bus_is_killed_and_gets_what_it_missed(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("k", operator_id)).status == 200
    for n in range(30):
        if n in (5, 15):
            os.kill(own.pids("nats-server")[0], signal.SIGKILL)
        assert send("POST", "/spins", spin_body(f"{operator_id}-{n}", "k")).status == 200
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    found = published(own, f"rgs.{token(operator_id)}.>")
    committed = {row["event_id"] for row in events_of(own, operator_id)}
    assert {event["id"] for _, event in found} == committed
    assert own.log_text().count("NATS ended") >= 2


def test_an_event_that_commits_late_is_not_passed_over(own: Service) -> None:
    """Its number is taken first and its transaction ends last: whoever asked for `id > last_seen` would never see it."""
    operator_id, _ = new_operator(own)

    def event(name: str) -> EventRow:
        return EventRow(f"{operator_id}-{name}", operator_id, None, "rg_event", b"{}", now())

    async def job() -> None:
        late, soon = [await asyncpg.connect(own.database_url) for _ in range(2)]
        try:
            open_one = late.transaction()
            await open_one.start()
            await Store(late).add_events([event("late")])
            await Store(soon).add_events([event("soon")])
            await asyncio.to_thread(wait_for, lambda: not owed(own, operator_id), own.log_text)
            await open_one.commit()
            rows = await soon.fetch(
                "SELECT event_id FROM events WHERE operator_id = $1 ORDER BY event_seq", operator_id
            )
            assert [row["event_id"] for row in rows] == [f"{operator_id}-late", f"{operator_id}-soon"]
        finally:
            await late.close()
            await soon.close()

    run(job())
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    found = [event["id"] for _, event in published(own, f"rgs.{token(operator_id)}.>")]
    assert found == [f"{operator_id}-soon", f"{operator_id}-late"]


def test_what_was_rolled_back_is_told_nobody(own: Service) -> None:
    operator_id, _ = new_operator(own)

    async def job(store: Store) -> None:
        transaction = store.connection.transaction()
        await transaction.start()
        await store.add_events([EventRow(f"{operator_id}-ghost", operator_id, None, "rg_event", b"{}", now())])
        await transaction.rollback()
        await store.add_events([EventRow(f"{operator_id}-real", operator_id, None, "rg_event", b"{}", now())])

    with_store(own, job)
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    assert [event["id"] for _, event in published(own, f"rgs.{token(operator_id)}.>")] == [f"{operator_id}-real"]


def test_a_stream_that_somebody_deletes_is_made_again(own: Service) -> None:
    operator_id, send = new_operator(own)

    async def delete() -> None:
        client = await nats.connect(bus_url(own))
        await client.jetstream().delete_stream(STREAM)
        with pytest.raises(NotFoundError):
            await client.jetstream().stream_info(STREAM)
        await client.close()

    run(delete())
    assert send("POST", "/sessions", session_body("again", operator_id)).status == 200
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    assert len(published(own, f"rgs.{token(operator_id)}.>")) == 1


def test_the_receiver_of_one_sink_does_not_settle_the_other(own: Service) -> None:
    """No receiver: webhooks are owed for as long as nobody is named, whatever the bus has."""
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("two", operator_id)).status == 200
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    assert owed(own, operator_id, "webhook") == 1


def test_old_events_are_deleted_when_every_sink_has_them(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("old", operator_id)).status == 200
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    later = datetime.now(UTC) + timedelta(days=1)
    with_store(own, lambda store: store.forget_events(later, 1_000_000))
    assert len(events_of(own, operator_id)) == 1  # owed to a receiver
    run(own.fetch("DELETE FROM outbox WHERE operator_id = $1", operator_id))
    with_store(own, lambda store: store.forget_events(later, 1_000_000))
    assert events_of(own, operator_id) == []
    answer = send("GET", "/sessions/old/events").json()
    assert (answer["events"], answer["last_seq"]) == ([], 1)


def test_events_are_not_changed(own: Service) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        run(own.fetch("UPDATE events SET payload = ''"))


def test_a_round_that_cannot_be_played_is_told_once(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("broken", operator_id)).status == 200
    gone = f"sha256:{'0' * 64}"
    run(own.fetch("UPDATE sessions SET build_hash = $2 WHERE operator_id = $1", operator_id, gone))
    for n in range(2):
        answer = send("POST", "/spins", spin_body(f"{operator_id}-{n}", "broken"))
        assert code(answer) == (503, "BUILD_UNAVAILABLE")
    events = send("GET", "/sessions/broken/events").json()["events"]
    assert [event["type"] for event in events] == ["session_opened", "technical_error"]
    assert events[1]["data"]["kind"] == "build_unavailable"
    check(events[1])


def test_a_round_that_is_taken_back_is_told(own: Service) -> None:
    operator_id, send = new_operator(own, settle_within_s=3600)
    assert send("POST", "/sessions", session_body("void", operator_id)).status == 200
    name = "taken-back"
    assert send("POST", "/spins", spin_body(name, "void")).status == 200
    for round_id in (f"r-{name}", "r-never"):
        for _ in range(2):
            body = {"session_id": "void", "reason": "late"}
            assert send("POST", f"/rounds/{round_id}/void", body).status == 200
    events = send("GET", "/sessions/void/events").json()["events"]
    for event in events:
        check(event)
    assert [event["type"] for event in events] == ["session_opened", "spin_finished", "round_voided", "round_voided"]
    played, never = (event["data"] for event in events[2:])
    assert (played["spin_id"], played["stake"], played["reason"]) == (name, 1.00, "late")
    assert (never["round_id"], "spin_id" in never, "stake" in never) == ("r-never", False, False)


def test_a_finished_spin_says_what_monitoring_counts(own: Service) -> None:
    """Also what the paid spin alone has won, and whether there was a feature; rounds are looked at until one had."""
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("seen", operator_id)).status == 200
    kinds = set()
    for n in range(400):
        answer = send("POST", "/spins", spin_body(f"{operator_id}-{n}", "seen")).json()
        last = send("GET", f"/sessions/seen/events?after_seq={n + 1}").json()["events"]
        data = next(event["data"] for event in last if event["type"] == "spin_finished" and event["data"]["nonce"] == n)
        assert data["feature"] == bool(answer["outcome"]["features"])
        assert 0 <= data["base_win"] <= data["win"]
        assert data["feature"] or data["base_win"] == data["win"]
        assert data["status"] == "normal"
        kinds.add(data["feature"])
        if kinds == {True, False} and n > 20:
            return
    raise AssertionError("no round of 400 had a feature")


def test_subjects_are_safe() -> None:
    assert subject("op-acme_1", "spin_finished") == "rgs.op-acme_1.spin_finished"
    assert token("a.b *>ü=") == "a=2Eb=20=2A=3E=C3=BC=3D"
    assert len({token(text) for text in ("a=2Eb", "a.b", "a b", "a\tb")}) == 4


def test_the_file_in_the_docs_is_todays_contract(own: Service) -> None:
    assert json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8")) == asyncapi_document(), "run 'make asyncapi'"


def test_a_message_that_loses_a_field_breaks_a_promise() -> None:
    old = asyncapi_document()
    assert broken_messages(old, old) == []
    new = json.loads(json.dumps(old))
    del new["components"]["schemas"]["SpinFinished"]["properties"]["win"]
    del new["components"]["messages"]["jackpot_win"]
    new["channels"]["bus"]["address"] = "x.{operator}"
    del new["channels"]["bus"]["messages"]["rg_event"]
    assert sorted(broken_messages(old, new)) == [
        "channel bus carries no rg_event any more",
        "channel bus has another address",
        "message jackpot_win is gone",
        "spin_finished.data: win is gone",
    ]
    new = json.loads(json.dumps(old))
    new["components"]["schemas"]["SpinFinished"]["properties"]["more"] = {"type": "string"}
    assert broken_messages(old, new) == []


def test_the_state_of_the_bus_in_words(
    own: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    assert main(["bus"]) == 0
    assert "the bus is on" in capsys.readouterr().out


def test_no_password_in_logs(own: Service) -> None:
    password = bus_url(own).split(":")[2].split("@")[0]
    assert password not in own.log_text()
    assert replace(own.config).nats_url == "embedded"
    assert BUILD is not None
