"""Events by signed webhooks: every committed one arrives, nobody waits for another's receiver, the dead can be raised."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rgs_server.__main__ import main
from rgs_server.operators import OperatorRefused
from rgs_server.receivers import set_webhook
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
    play(send, operator_id, range(5))
    wait_for(lambda: attempts(own, operator_id) == 5, own.log_text)
    assert receiver.events == []
    receiver.status = 200
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    assert spins_of(receiver) == {f"{operator_id}-{n}" for n in range(5)}


def attempts(own: Service, operator_id: str) -> int:
    rows = run(own.fetch("SELECT count(*) FROM outbox WHERE operator_id = $1 AND attempts > 0", operator_id))
    return int(rows[0][0])


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
    wait_for(lambda: attempts(own, operator_id) == 3, own.log_text)
    old = "UPDATE outbox SET created_at = created_at - interval '73 hours', next_try_at = now() WHERE operator_id = $1"
    run(own.fetch(old, operator_id))
    wait_for(lambda: waiting(own, operator_id) == 0, own.log_text)
    monkeypatch.setenv("RGS_DATABASE_URL", own.database_url)
    monkeypatch.setenv("RGS_MASTER_KEY_FILE", str(own.config.master_key_path))
    assert main(["webhook", operator_id]) == 0
    assert "put aside: 3" in capsys.readouterr().out
    receiver.status = 204
    assert main(["webhook", operator_id, "--replay"]) == 0
    assert "3 events are sent again" in capsys.readouterr().out
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
