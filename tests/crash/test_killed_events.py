"""Workers, database and bus are killed under load, and the receiver fails: every event arrives, and none that was not written.

The random moments come from CRASH_SEED, as in test_kill.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from killing import SECONDS, SEED, SESSIONS, Load, kill, wait_for_postgres
from rgs_server.receivers import set_webhook
from service_process import Service, children, run, session_body, wait_for
from sinks import ReceiverServer, owed, published

OPERATOR = "op-sandbox"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path, workers=2, nats_url="embedded", webhook_timeout_ms=500)
    running.start()
    yield running
    running.stop()
    running.remove()


@pytest.fixture
def receiver(service: Service) -> Iterator[ReceiverServer]:
    server = ReceiverServer()
    secret = run(set_webhook(replace(service.config, database_url=service.database_url), OPERATOR, server.url))
    assert secret is not None
    server.secret = secret
    yield server
    server.close()


VICTIMS = ("workers", "postgres", "bus", "receiver", "all")


@pytest.mark.parametrize("victims", VICTIMS)
@pytest.mark.timeout(SECONDS * 10 + 240)
def test_no_event_is_lost_or_invented(service: Service, receiver: ReceiverServer, victims: str) -> None:
    rng = random.Random(f"{SEED}/events/{victims}")
    print(f"CRASH_SEED={SEED}")
    load = Load(service)
    hurt: list[str] = []

    async def strike(victim: str) -> None:
        hurt.append(victim)
        if victim == "workers":
            kill(rng.choice(service.workers() or [0]))
        elif victim == "bus":
            kill(rng.choice(service.pids("nats-server") or [0]))
        elif victim == "receiver":
            receiver.status = rng.choice((500, 503, 429))
            await asyncio.sleep(rng.uniform(0.1, 0.8))
            receiver.status = 204
        else:
            postmaster = service.postgres()
            for pid in [postmaster, *children(postmaster)]:
                kill(pid)
            await asyncio.to_thread(wait_for_postgres, service)

    async def chaos() -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await asyncio.sleep(rng.uniform(0.3, 1.2))
            await strike(rng.choice(VICTIMS[:-1]) if victims == "all" else victims)

    async def scenario() -> None:
        async with service.client() as client:
            for n in range(SESSIONS):
                opened = await client.send("POST", "/rgs/v1/sessions", session_body(f"s{n}"))
                assert opened.status == 200, opened.body
        await load.run(asyncio.create_task(chaos()))

    run(scenario())
    assert hurt
    assert load.acknowledged
    assert load.refused == []
    wait_for_delivery(service)
    verify(service, load, receiver.events, [event for _, event in published(service, "rgs.>")])


def wait_for_delivery(service: Service) -> None:
    """The lane of a killed worker is free when its lease is over, and a sink that failed is looked at within its pause."""
    wait_for(lambda: not owed(service, OPERATOR, "webhook") and not owed(service, OPERATOR), service.log_text, 120)


def verify(
    service: Service, load: Load, delivered: Iterable[dict[str, object]], stream: list[dict[str, object]]
) -> None:
    """What was committed against what has arrived: all of it, nothing else, numbered without gaps."""
    rows = run(
        service.fetch(
            "SELECT event_id, session_id, seq, event_type, payload FROM events WHERE operator_id = $1", OPERATOR
        )
    )
    committed = {row["event_id"] for row in rows}
    on_bus = [event["id"] for event in stream]
    assert set(on_bus) == committed, "the bus has not what was committed"
    assert len(on_bus) == len(committed), "the stream has an event twice"
    assert {event["id"] for event in delivered} == committed, "the receiver has not what was committed"
    spins = {row["spin_id"]: row for row in run(service.fetch("SELECT spin_id, telemetry_ref FROM spins"))}
    assert load.acknowledged.keys() <= spins.keys()
    told = {row["event_id"] for row in rows if row["event_type"] == "spin_finished"}
    assert told == {row["telemetry_ref"] for row in spins.values()}
    counts = {
        row["session_id"]: row["event_count"]
        for row in run(service.fetch("SELECT session_id, event_count FROM sessions"))
    }
    for session_id, count in counts.items():
        numbers = sorted(row["seq"] for row in rows if row["session_id"] == session_id)
        assert numbers == list(range(1, count + 1)), f"{session_id}: a number is missing or there twice"


@pytest.mark.timeout(240)
def test_the_whole_service_dies_and_delivers_when_it_is_back(service: Service, receiver: ReceiverServer) -> None:
    """Also what the supervisor held: the bus, its password and its port are others afterwards."""
    load = Load(service)
    receiver.status = 503

    async def dies() -> None:
        await asyncio.sleep(1.5)
        assert service.process is not None
        everything = [service.process.pid, *service.workers(), service.postgres(), *service.pids("nats-server")]
        for pid in everything:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(service.process.wait)
        await asyncio.to_thread(service.start)

    async def scenario() -> None:
        async with service.client() as client:
            for n in range(SESSIONS):
                assert (await client.send("POST", "/rgs/v1/sessions", session_body(f"s{n}"))).status == 200
        await load.run(asyncio.create_task(dies()))

    run(scenario())
    assert load.acknowledged
    assert receiver.events == []
    receiver.status = 204
    wait_for_delivery(service)
    verify(service, load, receiver.events, [event for _, event in published(service, "rgs.>")])


def test_the_check_sees_what_is_lost_invented_or_doubled(service: Service, receiver: ReceiverServer) -> None:
    assert service.send("POST", "/rgs/v1/sessions", session_body("one")).status == 200
    wait_for_delivery(service)
    load, stream = Load(service), [event for _, event in published(service, "rgs.>")]
    verify(service, load, receiver.events, stream)
    other = {"id": "evt-invented"}
    for wrong in ((receiver.events, []), ([], stream), (receiver.events, [*stream, *stream]), ([other], stream),
                  (receiver.events, [*stream, other])):  # fmt: skip
        with pytest.raises(AssertionError, match=r"committed|twice"):
            verify(service, load, *wrong)
