"""No round begins while our clock and the database's differ."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from rgs_server.clock import system_clock
from rgs_server.clock_watch import STOP_S, ClockWatch
from rgs_server.contract.problems import Problem
from rgs_server.store import Store
from rgs_server.telemetry.metrics import Metrics
from service_process import Service, code, run, sending, session_body, spin_body, wait_for


@pytest.mark.parametrize(
    ("ahead_s", "wrong"),
    [(0, False), (STOP_S - 1, False), (1 - STOP_S, False), (STOP_S + 1, True), (-STOP_S - 1, True)],
)
def test_clocks_that_differ_by_more_than_five_seconds_stop_rounds(
    service: Service, ahead_s: float, wrong: bool
) -> None:
    async def job() -> None:
        @asynccontextmanager
        async def stores() -> AsyncIterator[Store]:
            connection = await asyncpg.connect(service.database_url)
            try:
                yield Store(connection)
            finally:
                await connection.close()

        def clock() -> datetime:
            return system_clock() + timedelta(seconds=ahead_s)

        metrics = Metrics()
        watch = ClockWatch(stores, clock, metrics)
        await watch.look()
        ((_, offset_s),) = metrics.snapshot()["rgs_clock_offset_seconds"]
        assert isinstance(offset_s, float)
        assert offset_s == pytest.approx(-ahead_s, abs=0.5)
        if wrong:
            with pytest.raises(Problem, match="CLOCK_WRONG"):
                watch.now()
        else:
            watch.now()

    run(job())


def test_a_database_that_does_not_answer_leaves_what_was_seen() -> None:
    @asynccontextmanager
    async def stores() -> AsyncIterator[Store]:
        raise Problem("INTERNAL", "the database does not answer")
        yield

    watch = ClockWatch(stores, system_clock, Metrics())
    asyncio.run(watch.look())
    watch.now()


def test_workers_refuse_spins_and_answer_those_that_were_played(tmp_path: Path) -> None:
    """The database's clock is set a minute ahead, as its sessions see it, and set right again."""
    own = Service(tmp_path, workers=1)
    own.start()
    try:
        send = sending(own)
        assert send("POST", "/sessions", session_body("s-1")).status == 200
        played = send("POST", "/spins", spin_body("before", "s-1"))
        assert played.status == 200
        ahead = "SELECT pg_catalog.clock_timestamp() + interval '1 minute'"
        run(own.fetch(f"CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ {ahead} $$"))
        run(own.fetch("ALTER DATABASE postgres SET search_path TO public, pg_catalog"))
        os.kill(own.workers()[0], signal.SIGKILL)  # the next one has new connections
        own.wait_until_ready()
        assert code(send("POST", "/spins", spin_body("during", "s-1"))) == (503, "CLOCK_WRONG")
        again = send("POST", "/spins", spin_body("before", "s-1"))
        assert (again.status, again.body) == (200, played.body)
        (row,) = run(own.fetch("SELECT count(*) AS spins FROM spins"))
        assert row["spins"] == 1
        run(own.fetch("DROP FUNCTION public.clock_timestamp()"))
        wait_for(lambda: send("POST", "/spins", spin_body("during", "s-1")).status == 200, own.log_text)
    finally:
        own.stop()
        own.remove()
