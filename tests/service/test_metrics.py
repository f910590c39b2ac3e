"""The page of metrics of a real service: workers on one port, killed ones, the database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from rgs_server.locks import Lock
from rgs_server.store import Store, create_schema
from rgs_server.telemetry.catalogue import ALL
from rgs_server.telemetry.metrics import Metrics
from service_process import Service, free_port, run, session_body, spin_body, wait_for

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
Page = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(Path(tmp_path_factory.mktemp("metrics")), workers=2, metrics_port=free_port(), sweep_s=1)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


def text(service: Service) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.config.metrics_port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def scrape(service: Service) -> Page:
    """Samples by name and labels."""
    page: Page = {}
    for family in text_string_to_metric_families(text(service)):
        for sample in family.samples:
            page.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return page


def total(page: Page, name: str, **labels: str) -> float:
    """The sum over all samples with these labels."""
    return sum(value for found, value in page.get(name, {}).items() if set(labels.items()) <= set(found))


def reported(service: Service, name: str, at_least: float, **labels: str) -> Page:
    """The page, once the workers have reported so much: they do so every second."""
    wait_for(lambda: total(scrape(service), name, **labels) >= at_least, lambda: text(service))
    return scrape(service)


def play(service: Service, session_id: str, names: list[str]) -> None:
    """Opens a session and plays; requests go to workers as the kernel likes."""

    async def job() -> None:
        async with service.client() as client:
            assert (await client.send("POST", "/rgs/v1/sessions", session_body(session_id))).status == 200
        for name in names:
            async with service.client() as client:
                reply = await client.send("POST", "/rgs/v1/spins", spin_body(name, session_id))
                assert reply.status == 200, reply.body

    run(job())


def test_a_scrape_sees_all_workers(service: Service) -> None:
    before = scrape(service)
    names = [f"all-{n}" for n in range(20)]
    play(service, "s-all", names)
    page = reported(service, "rgs_spins_answered_total", total(before, "rgs_spins_answered_total") + 20)
    labels = {"game": "lantern_tide", "build": "lantern_tide/rtp_96", "mode": "base", "currency": "EUR"}
    sql = "SELECT count(*) AS rounds, sum(stake_minor) AS staked, sum(win_minor) AS won FROM spins"
    (truth,) = run(service.fetch(sql))
    assert total(page, "rgs_rounds_total", **labels) == truth["rounds"]
    assert total(page, "rgs_stakes_minor_total", **labels) == truth["staked"]
    assert total(page, "rgs_wins_minor_total", **labels) == truth["won"]
    answered = total(page, "rgs_request_duration_seconds_count", operation="playSpin", **{"class": "2xx"})
    assert answered == total(page, "rgs_spins_answered_total")
    assert total(page, "rgs_workers") == len(page["rgs_worker_report_age_seconds"]) == 2
    assert total(page, "rgs_database_up") == 1


def test_what_is_refused_is_counted_by_code(service: Service) -> None:
    before = scrape(service)
    assert service.send("GET", "/rgs/v1/rounds/nobody").status == 404
    assert service.send("GET", "/nothing").status == 404
    page = reported(service, "rgs_errors_total", total(before, "rgs_errors_total") + 2)
    for operation, code in (("getRound", "ROUND_UNKNOWN"), ("none", "NOT_FOUND")):
        was, is_ = (total(found, "rgs_errors_total", operation=operation, code=code) for found in (before, page))
        assert is_ == was + 1


def test_spins_that_did_not_go_straight_through_are_counted_by_cause(service: Service) -> None:
    before = scrape(service)
    play(service, "s-elastic", ["elastic"])
    assert service.send("POST", "/rgs/v1/spins", spin_body("elastic", "s-elastic")).headers["Idempotent-Replayed"]
    replayed = total(before, "rgs_spins_elastic_total", cause="replayed") + 1
    reported(service, "rgs_spins_elastic_total", replayed, cause="replayed")
    # One round was played, and answered twice: maybe by two workers, each of which reports when it does.
    page = reported(service, "rgs_rounds_total", total(before, "rgs_rounds_total") + 1)
    assert total(page, "rgs_spins_elastic_total", cause="replayed") == replayed
    assert total(page, "rgs_rounds_total") == total(before, "rgs_rounds_total") + 1
    assert total(page, "rgs_spins_answered_total") == total(before, "rgs_spins_answered_total") + 2

    # Both workers keep the session; the one that has not played last is forestalled and draws again.
    redrawn = total(page, "rgs_spins_elastic_total", cause="redrawn")
    names = (f"turn-{n}" for n in range(10_000))
    wait_for(
        lambda: (
            play(service, f"s-{(name := next(names))}", [f"{name}-{n}" for n in range(8)])
            or total(scrape(service), "rgs_spins_elastic_total", cause="redrawn") > redrawn
        )
    )


def test_a_killed_worker_leaves_its_counts(service: Service) -> None:
    play(service, "s-killed", [f"killed-{n}" for n in range(4)])
    (truth,) = run(service.fetch("SELECT count(*) AS rounds FROM spins"))
    before = reported(service, "rgs_rounds_total", truth["rounds"])
    ends = total(before, "rgs_worker_ends_total")
    os.kill(service.workers()[0], signal.SIGKILL)
    page = reported(service, "rgs_worker_ends_total", ends + 1)
    assert total(page, "rgs_rounds_total") == truth["rounds"]
    wait_for(lambda: len(scrape(service).get("rgs_queue_spins", {})) == 2)
    play(service, "s-after", ["after"])
    reported(service, "rgs_rounds_total", truth["rounds"] + 1)


def test_what_waits_in_the_database_is_shown(service: Service) -> None:
    play(service, "s-waits", ["waits"])
    run(
        service.fetch(
            "WITH held AS (INSERT INTO lanes (operator_id, sink, lease_until)"
            " VALUES ('op-sandbox', 'webhook', now() + interval '1 hour'))"
            " INSERT INTO webhooks (operator_id, url, secret_sealed) VALUES ('op-sandbox', 'http://127.0.0.1:9/', 'x')"
        )
    )
    run(
        service.fetch(
            "UPDATE outbox SET created_at = now() - interval '10 minutes'"
            " WHERE event_seq = (SELECT min(event_seq) FROM outbox)"
        )
    )
    run(
        service.fetch(
            "INSERT INTO dead_events (operator_id, sink, event_seq, died_at, last_error)"
            " VALUES ('op-sandbox', 'webhook', 1000000, now(), '500')"
        )
    )
    service.give_up("op-sandbox", "s-waits", "waits")
    (truth,) = run(service.fetch("SELECT count(*) AS events FROM outbox WHERE operator_id = 'op-sandbox'"))
    page = reported(service, "rgs_wallet_steps", 1, state="failed")
    page = reported(service, "rgs_dead_events", 1, operator="op-sandbox")
    assert total(page, "rgs_outbox_events", operator="op-sandbox") == truth["events"]
    assert 600 <= total(page, "rgs_outbox_lag_seconds", operator="op-sandbox") < 900
    run(service.fetch("DELETE FROM webhooks"))


def test_a_log_that_stands_still_is_shown(service: Service) -> None:
    """Held back by a transaction that stays open."""
    name = "rgs_audit_unsequenced_age_seconds"
    wait_for(lambda: scrape(service).get("rgs_audit_checkpoint_age_seconds"))
    assert total(scrape(service), name) < 600

    async def held() -> None:
        holder = await asyncpg.connect(service.database_url)
        async with holder.transaction():
            await holder.execute("SELECT pg_current_xact_id()")
            await service.fetch(
                "INSERT INTO audit_facts (written_at, kind, operator_id, subject, fact) "
                "VALUES (now() - interval '10 minutes', 'test', '', 'held', '{}')"
            )
            page = await asyncio.to_thread(reported, service, name, 600)
            assert total(page, name) < 900
        await holder.close()

    run(held())


def test_a_log_that_never_began_is_shown(service: Service) -> None:
    """Nothing was ever sequenced: the oldest fact waits all the same."""

    async def age_s() -> float:
        admin = await asyncpg.connect(service.database_url)
        await admin.execute("DROP DATABASE IF EXISTS never_sequenced")
        await admin.execute("CREATE DATABASE never_sequenced")
        await admin.close()
        url = service.database_url.replace("/postgres?", "/never_sequenced?")
        await create_schema(url)
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(
                "INSERT INTO audit_facts (written_at, kind, operator_id, subject, fact)"
                " VALUES (now() - interval '10 minutes', 'test', '', 'first', '{}')"
            )
            rows = await Store(connection).observed_state(100, timedelta(hours=1))
            return next(float(row[2]) for row in rows if row[0] == "rgs_audit_unsequenced_age_seconds")
        finally:
            await connection.close()

    assert 600 <= run(age_s()) < 900


def test_hours_that_are_not_summed_up_are_shown(service: Service) -> None:
    """Kept from the workers by their own lock, which is what hangs where a transaction stays open; then they catch up."""
    name = "rgs_roll_up_lag_seconds"

    def lags(hour: datetime) -> None:
        """Waits until the page says how long this hour could have been summed up: an hour after its end."""
        overdue = lambda: (datetime.now(UTC) - hour - timedelta(hours=2)).total_seconds()  # noqa: E731
        wait_for(lambda: abs(total(scrape(service), name) - overdue()) < 60, lambda: text(service))

    async def held() -> None:
        holder = await asyncpg.connect(service.database_url)
        await holder.execute("SELECT pg_advisory_lock($1)", Lock.ROLL_UP)
        try:
            # Nothing is summed up yet: the first session tells where to begin.
            hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=6)
            for begin in (hour, hour - timedelta(hours=3)):
                await service.fetch("UPDATE sessions SET created_at = $1", begin + timedelta(minutes=50))
                await asyncio.to_thread(lags, begin)
            # From then on it is the hour after the last one.
            await service.fetch("INSERT INTO rolled_hours (hour) VALUES ($1)", hour - timedelta(hours=3))
            await asyncio.to_thread(lags, hour - timedelta(hours=2))
            (runbook,) = re.findall(
                r"### RgsRollUpLag\n.*?`(SELECT pid[^`]+)`", OPERATIONS.read_text("utf-8"), re.DOTALL
            )
            assert holder.get_server_pid() in [row["pid"] for row in await service.fetch(runbook)]
        finally:
            await holder.close()

    play(service, "s-hours", ["hours"])
    assert scrape(service)[name] == {(): 0}, "an hour that is not over cannot be late"
    (already,) = run(service.fetch("SELECT count(*) AS hours FROM rolled_hours"))
    assert already["hours"] == 0
    run(held())
    wait_for(lambda: total(scrape(service), name) == 0, lambda: text(service))
    (rolled,) = run(service.fetch("SELECT count(*) AS hours, max(hour) AS last FROM rolled_hours"))
    assert rolled["hours"] >= 8  # of an hour of 9 hours ago to the last that was over for an hour
    assert rolled["last"] > datetime.now(UTC) - timedelta(hours=3)


def test_every_metric_of_the_catalogue_is_on_the_page_with_its_kind(service: Service) -> None:
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text(service), re.MULTILINE))
    for description in ALL:
        name = f"{description.name}_total" if description.kind == "counter" else description.name
        assert typed[name] == description.kind
    assert len(typed) == len(ALL)


def test_the_page_is_not_on_the_port_of_platforms(service: Service) -> None:
    assert service.send("GET", "/metrics").status == 404
    other = Service(service.folder)  # as it is without settings
    assert (other.config.metrics_port, other.config.metrics_host) == (0, "127.0.0.1")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: make debian-tools")
def test_promtool_finds_nothing_to_complain_of(service: Service) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text(service), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_supervisor_that_hangs_does_not_hold_up_a_worker() -> None:
    """Reports are left out while the pipe is full, and the loop goes on."""
    from rgs_server.telemetry import reports

    async def job() -> None:
        read_end, write_end = os.pipe()
        metrics = Metrics()
        for n in range(2000):
            metrics.answered(f"operation-{n}", 200, 0.1)
        reporter = reports.Reporter(metrics, write_end)
        reporter.start()
        await asyncio.sleep(3.5 * reports.EVERY_S)
        os.set_blocking(read_end, False)
        received = bytearray()
        for _ in range(30):  # before the next report is due
            with contextlib.suppress(BlockingIOError):
                received += os.read(read_end, 1 << 20)
            await asyncio.sleep(0.005)
        assert len(received) > 1 << 16, "a report did not fit into the pipe"
        assert received.count(b"\n") == 1, "reports queue up behind a supervisor that does not read"
        await reporter.stop()
        os.close(read_end)

    run(job())
