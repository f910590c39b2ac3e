"""Processes are killed with SIGKILL under load; every acknowledged spin is there, once, and replays.

The short form runs with the suite; `make crash` sets CRASH_SECONDS for a long one. The random moments
come from CRASH_SEED, which a failure prints.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import PLAYERS, SECONDS, SEED, SESSIONS, Load, kill, wait_for_postgres
from rgs_server.master_key import read_master_keys
from rgs_server.sealing import Sealer
from rgs_server.sessions import seed_context
from service_process import BUILD, Service, children, command_line, run, session_body, spin_body, wait_for

from rgs_core import Engine, derive_key


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path, workers=2)
    running.start()
    yield running
    running.stop()
    running.remove()


@pytest.mark.parametrize("victims", ["workers", "postgres", "both"])
@pytest.mark.timeout(SECONDS * 10 + 180)
def test_nothing_acknowledged_is_lost(service: Service, victims: str) -> None:
    rng = random.Random(f"{SEED}/{victims}")
    print(f"CRASH_SEED={SEED}")
    load = Load(service)
    kills = []

    async def chaos() -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await asyncio.sleep(rng.uniform(0.3, 1.6))
            if victims != "postgres":
                kills.append("worker")
                kill(rng.choice(service.workers() or [0]))
            if victims != "workers":
                kills.append("postgres")
                postmaster = service.postgres()
                for pid in [postmaster, *children(postmaster)]:
                    kill(pid)
                # Let it come back, or every later moment hits a database that is down already.
                await asyncio.to_thread(wait_for_postgres, service)

    async def scenario() -> None:
        async with service.client() as client:
            for n in range(SESSIONS):
                opened = await client.send("POST", "/rgs/v1/sessions", session_body(f"s{n}"))
                assert opened.status == 200, opened.body
        await load.run(asyncio.create_task(chaos()))

    run(scenario())
    print(f"{len(load.acknowledged)} acknowledged, {load.retries} retries, {len(kills)} kills")
    assert kills
    # A dead worker breaks connections; a dead database is hidden from clients by the workers' own retries.
    hurt = load.retries if victims != "postgres" else service.log_text().count("trying again")
    assert hurt, "the kills must have hurt, or this test proves nothing"
    assert load.refused == []
    assert load.different == []
    verify(service, load)


def verify(service: Service, load: Load) -> None:
    """Acknowledged spins against the database: there, once, same bytes, gapless, balanced, replayable."""
    rows = run(
        service.fetch(
            "SELECT p.*, i.response, s.seed_sealed, s.client_seed FROM spins p JOIN sessions s USING (operator_id, session_id) "
            "JOIN idempotency i ON i.operator_id = p.operator_id AND i.key = p.idempotency_key"
        )
    )
    by_id = {row["spin_id"]: row for row in rows}
    assert len(by_id) == len(rows), "a spin is there twice"
    missing = load.acknowledged.keys() - by_id.keys()
    assert not missing, f"{len(missing)} acknowledged spins are missing"
    for name, (_, body) in load.acknowledged.items():
        assert by_id[name]["response"] == body
    nonces: dict[str, list[int]] = {}
    for row in rows:
        nonces.setdefault(row["session_id"], []).append(row["nonce"])
    for used in nonces.values():
        assert sorted(used) == list(range(len(used))), "a nonce was skipped or used twice"
    counts = run(
        service.fetch(
            "SELECT (SELECT count(*) FROM spins) AS spins, (SELECT count(*) FROM idempotency) AS answers, "
            "(SELECT count(*) FROM events WHERE event_type = 'spin_finished') AS events, (SELECT count(*) FROM ledger WHERE kind = 'stake') AS stakes, "
            "(SELECT count(*) FROM ledger WHERE kind = 'win') AS wins, "
            "(SELECT count(*) FROM spins WHERE win_minor > 0) AS winning"
        )
    )[0]
    assert counts["spins"] == counts["answers"] == counts["events"] == counts["stakes"]
    assert counts["wins"] == counts["winning"]
    sealer = Sealer(*read_master_keys(service.config.master_key_path))
    engine = Engine(BUILD)
    for row in rows:
        context = seed_context(row["operator_id"], row["session_id"])
        key = derive_key(sealer.open(row["seed_sealed"], context), row["client_seed"])
        outcome = engine.spin(key, row["nonce"])
        assert outcome.digest() == row["outcome_digest"].hex()


def test_the_same_bytes_after_the_whole_service_was_killed(service: Service) -> None:
    body = spin_body("before", "survivor")
    service.send("POST", "/rgs/v1/sessions", session_body("survivor"))
    before = service.send("POST", "/rgs/v1/spins", body)
    assert before.status == 200
    assert service.process is not None
    everything = [service.process.pid, *service.workers(), service.postgres()]
    for pid in everything:
        kill(pid)
    service.process.wait()
    service.start()
    after = service.send("POST", "/rgs/v1/spins", body)
    assert after.body == before.body
    assert after.headers["Idempotent-Replayed"] == "true"
    assert service.send("GET", "/rgs/v1/spins/before/replay").json()["result"] == "match"


def test_children_end_when_the_supervisor_is_killed(service: Service) -> None:
    assert service.process is not None
    orphans = [*service.workers(), service.postgres()]
    kill(service.process.pid)
    service.process.wait()
    wait_for(lambda: not any("rgs" in command_line(pid) for pid in orphans), timeout_s=15)
    service.start()


def test_a_drained_worker_loses_no_request(service: Service) -> None:
    load = Load(service)

    async def scenario() -> None:
        async with service.client() as client:
            for n in range(SESSIONS):
                await client.send("POST", "/rgs/v1/sessions", session_body(f"s{n}"))

        async def rolling_restart() -> None:
            for pid in service.workers():
                await asyncio.sleep(0.7)
                served = service.log_text().count("worker serves")
                os.kill(pid, signal.SIGTERM)
                # The next one goes when this one is replaced, however slow the machine is.
                while service.log_text().count("worker serves") == served:
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.7)

        await load.run(asyncio.create_task(rolling_restart()))

    run(scenario())
    assert len(load.acknowledged) > 100
    assert load.refused == []
    assert load.different == []
    # No request that a worker has read is lost. A connection that the kernel had queued for the closing
    # socket can be reset before anything is read; that is the only reason to send again. How many are queued then is up
    # to the machine: a few of all players, each time that one of the two workers closes.
    assert load.retries <= PLAYERS // 4
    verify(service, load)


def test_the_negative_control_is_caught(service: Service) -> None:
    """The check itself must fail when a spin was acknowledged but never written."""
    load = Load(service)
    load.acknowledged["never-written"] = (b"", b"")
    with pytest.raises(AssertionError, match="missing"):
        verify(service, load)
