"""Events by signed webhooks: every committed one arrives, nobody waits for another's receiver, the dead can be raised."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from rgs_server.__main__ import main
from rgs_server.operators import OperatorRefused
from rgs_server.receivers import set_webhook
from rgs_server.relay import RELAY_SETTINGS
from rgs_server.store import EventRow, Store
from rgs_server.webhooks import Webhooks
from service_process import Send, Service, run, sending, session_body, spin_body, wait_for
from sinks import ReceiverServer

_numbers = itertools.count()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("webhooks")), workers=2, webhook_timeout_ms=500)
    running.start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture
def receiver() -> Iterator[ReceiverServer]:
    server = ReceiverServer()
    yield server
    server.close()


def operator(own: Service, receiver: ReceiverServer) -> tuple[str, Send]:
    """A new operator with a session, whose events go to the receiver."""
    operator_id = f"op-events-{next(_numbers)}"
    send = sending(own, own.add_operator(operator_id))
    config = replace(own.config, database_url=own.database_url)
    secret = run(set_webhook(config, operator_id, receiver.url))
    assert secret is not None
    receiver.secret = secret
    assert send("POST", "/sessions", session_body(operator_id, operator_id)).status == 200
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    assert [event["type"] for event in receiver.events] == ["session_opened"]
    receiver.events.clear()
    return operator_id, send


def play(send: Send, operator_id: str, names: range) -> None:
    for n in names:
        assert send("POST", "/spins", spin_body(f"{operator_id}-{n}", operator_id)).status == 200


def spins_of(receiver: ReceiverServer) -> set[str]:
    return {event["data"]["spin_id"] for event in receiver.events if event["type"] == "spin_finished"}


def waiting(own: Service, operator_id: str) -> int:
    return int(run(own.fetch("SELECT count(*) FROM outbox WHERE operator_id = $1", operator_id))[0][0])


def test_every_event_arrives_once_and_signed(own: Service, receiver: ReceiverServer) -> None:
    operator_id, send = operator(own, receiver)
    play(send, operator_id, range(20))
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    spins = [event for event in receiver.events if event["type"] == "spin_finished"]
    # At least once: a delivery whose answer was late comes again, under the same id.
    assert {event["data"]["spin_id"] for event in spins} == {f"{operator_id}-{n}" for n in range(20)}
    assert len({event["id"] for event in spins}) == 20
    event = spins[0]
    assert (event["specversion"], event["type"], event["source"]) == (
        "1.0",
        "spin_finished",
        f"/rgs/v1/operators/{operator_id}",
    )
    assert event["data"]["event_id"] == event["id"]
    assert (event["operatorid"], event["sessionid"]) == (operator_id, operator_id)
    assert {event["id"] for event in spins} == {
        row["telemetry_ref"]
        for row in run(own.fetch("SELECT telemetry_ref FROM spins WHERE operator_id = $1", operator_id))
    }


def test_a_receiver_that_was_away_gets_what_it_missed(own: Service, receiver: ReceiverServer) -> None:
    operator_id, send = operator(own, receiver)
    receiver.status = 503
    play(send, operator_id, range(5))  # a round with a feature tells more than one event
    wait_for(lambda: attempts(own, operator_id) == waiting(own, operator_id), own.log_text)
    assert receiver.events == []
    receiver.status = 200
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(5)}


def attempts(own: Service, operator_id: str) -> int:
    rows = run(own.fetch("SELECT count(*) FROM outbox WHERE operator_id = $1 AND attempts > 0", operator_id))
    return int(rows[0][0])


def test_a_receiver_that_is_away_is_asked_little(own: Service, receiver: ReceiverServer) -> None:
    """No more events are tried than are under way at once, the same ones each time, whatever is owed."""
    operator_id, send = operator(own, receiver)
    receiver.status = 503
    with nothing_sent(own, operator_id):
        play(send, operator_id, range(40))
    wait_for(lambda: failures(own, operator_id) >= 2, own.log_text)
    assert attempts(own, operator_id) == Webhooks.in_flight_max
    receiver.status = 204
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(40)}


def test_a_receiver_that_refuses_everything_is_away(own: Service, receiver: ReceiverServer) -> None:
    """It is not for what events hold: waiting of each alone, up to a quarter of an hour, would go on when it is mended."""
    operator_id, send = operator(own, receiver)
    receiver.status = 404
    with nothing_sent(own, operator_id):
        play(send, operator_id, range(40))
    wait_for(lambda: failures(own, operator_id) >= 2, own.log_text)
    receiver.status = 204
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text, timeout_s=30)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(40)}


def test_an_event_that_is_refused_alone_waits_alone(own: Service, receiver: ReceiverServer) -> None:
    operator_id, send = operator(own, receiver)
    receiver.status = 404
    play(send, operator_id, range(1))
    wait_for(lambda: attempts(own, operator_id) == waiting(own, operator_id), own.log_text)
    assert failures(own, operator_id) == 0
    refused = waiting(own, operator_id)
    run(own.fetch("UPDATE outbox SET next_try_at = 'infinity' WHERE operator_id = $1", operator_id))
    receiver.status = 204
    play(send, operator_id, range(1, 4))
    wait_for(lambda: waiting(own, operator_id) == refused, own.log_text)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(1, 4)}


@contextmanager
def nothing_sent(own: Service, operator_id: str) -> Iterator[None]:
    """Meanwhile the receiver is not named, and what is owed to it waits."""
    run(own.fetch("UPDATE webhooks SET disabled_at = now() WHERE operator_id = $1", operator_id))
    yield
    run(own.fetch("UPDATE webhooks SET disabled_at = NULL WHERE operator_id = $1", operator_id))


def failures(own: Service, operator_id: str) -> int:
    """Looks in a row at which the receiver took nothing at all."""
    rows = run(own.fetch("SELECT failures FROM lanes WHERE operator_id = $1 AND sink = 'webhook'", operator_id))
    return int(rows[0][0])


@pytest.mark.parametrize("owed", [200, 5000])
def test_a_look_costs_the_same_whatever_is_owed(own: Service, owed: int) -> None:
    """By plans that were made while nothing was. Nobody serves this sink here."""
    operator_id, now = f"op-owed-{owed}", datetime.now(UTC)
    own.add_operator(operator_id)

    async def job() -> tuple[list[int], int]:
        relay = await asyncpg.connect(own.database_url, server_settings=RELAY_SETTINGS)
        store = Store(relay)

        async def look() -> list[int]:
            taken = await store.take_lanes("bus", now, now, [])
            due = [event["event_seq"] for event in await store.due_events("bus", operator_id, now, 64)]
            await store.events_delivered("bus", operator_id, due[:32])
            await store.postpone_events("bus", operator_id, [(number, now, "503") for number in due[32:]])
            return [*due, *(row["operator_id"] == operator_id for row in taken)]

        async def read() -> int:
            counts = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'outbox'"
            return int(await relay.fetchval(counts))

        try:
            await relay.execute("VACUUM ANALYZE outbox")
            async with relay.transaction():
                assert await look() == []
            transaction = relay.transaction()
            await transaction.start()
            events = [EventRow(f"{operator_id}-{n}", operator_id, None, "rg_event", b"{}", now) for n in range(owed)]
            await store.add_events(events)
            await relay.execute("UPDATE outbox SET sink = 'bus' WHERE operator_id = $1", operator_id)
            before = await read()
            found = await look()
            after = await read()
            states = "SELECT count(*), sum(attempts) FROM outbox WHERE operator_id = $1"
            assert tuple(await relay.fetchrow(states, operator_id)) == (owed - 32, 32)
            await transaction.rollback()
            return found, after - before
        finally:
            await relay.close()

    found, rows_read = run(job())
    assert len(found) == 65
    assert rows_read < 200


def test_a_receiver_that_hangs_keeps_nobody_else_waiting(own: Service, receiver: ReceiverServer) -> None:
    slow = ReceiverServer()
    try:
        stuck, stuck_send = operator(own, slow)
        slow.pause_s = 2
        quick, quick_send = operator(own, receiver)
        play(stuck_send, stuck, range(40))
        play(quick_send, quick, range(10))
        wait_for(lambda: waiting(own, quick) == 0, own.log_text)
        assert waiting(own, stuck) > 0
        assert spins_of(receiver) == {f"{quick}-{n}" for n in range(10)}
        run(own.fetch("DELETE FROM webhooks WHERE operator_id = $1", stuck))
    finally:
        slow.close()


def test_nothing_is_lost_when_workers_are_killed(own: Service, receiver: ReceiverServer) -> None:
    operator_id, send = operator(own, receiver)
    receiver.pause_s = 0.05
    play(send, operator_id, range(30))
    for pid in own.workers():
        os.kill(pid, signal.SIGKILL)
    # The lane of a killed worker is free when its lease is over; here it is over now.
    wait_for(lambda: len(own.workers()) == 2, own.log_text)
    run(own.fetch("UPDATE lanes SET lease_until = '-infinity' WHERE operator_id = $1", operator_id))
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text, timeout_s=30)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(30)}


def test_events_that_nobody_takes_are_put_aside_and_raised(
    own: Service, receiver: ReceiverServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator_id, send = operator(own, receiver)
    receiver.status = 500
    play(send, operator_id, range(3))
    owed = waiting(own, operator_id)
    wait_for(lambda: attempts(own, operator_id) == owed, own.log_text)
    old = "UPDATE outbox SET created_at = created_at - interval '73 hours', next_try_at = now() WHERE operator_id = $1"
    run(own.fetch(old, operator_id))
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(own.config.master_key_path))
    assert main(["webhook", operator_id]) == 0
    assert f"put aside: {owed}" in capsys.readouterr().out
    receiver.status = 204
    assert main(["webhook", operator_id, "--replay"]) == 0
    assert f"{owed} events are sent again" in capsys.readouterr().out
    told = "SELECT fact::jsonb AS fact FROM audit_facts WHERE kind = 'replay' AND operator_id = $1"
    (fact,) = [json.loads(row["fact"]) for row in run(own.fetch(told, operator_id))]
    assert fact["events"] == owed
    assert fact["by"].endswith(": rgs-server webhook")
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(3)}


def test_a_receiver_that_is_gone_is_left_alone(own: Service, receiver: ReceiverServer) -> None:
    operator_id, send = operator(own, receiver)
    receiver.status = 410
    play(send, operator_id, range(1))
    gone = "SELECT disabled_at FROM webhooks WHERE operator_id = $1"
    wait_for(lambda: run(own.fetch(gone, operator_id))[0][0] is not None, own.log_text)
    assert waiting(own, operator_id) == 1


def test_receivers_are_named_with_care(own: Service) -> None:
    config = replace(own.config, database_url=own.database_url)
    with pytest.raises(OperatorRefused, match="does not begin with https"):
        run(set_webhook(config, "op-sandbox", "ftp://x"))
    with pytest.raises(OperatorRefused, match="https:// in production"):
        run(set_webhook(replace(config, mode="production"), "op-sandbox", "http://127.0.0.1/x"))
    with pytest.raises(OperatorRefused, match="no operator 'op-nobody'"):
        run(set_webhook(config, "op-nobody", "https://x.example/"))
    assert run(set_webhook(config, "op-sandbox", "")) is None
