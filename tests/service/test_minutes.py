"""What workers have answered is kept by the minute, and read in bins with quantiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from monitored import stored
from rgs_server.store import Store
from rgs_server.telemetry.catalogue import SECONDS
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.minutes import KEPT, Minutes, quantile, read_traffic
from service_process import Service, run

NOW = datetime(2026, 1, 1, 12, 2, 30, tzinfo=UTC)


def test_quantiles_are_linear_within_a_bucket() -> None:
    counts = [0.0] * (len(SECONDS) + 1)
    assert quantile(counts, 0.5) is None
    counts[0] = 10
    assert quantile(counts, 0.5) == pytest.approx(SECONDS[0] / 2)
    counts[3] = 10  # 0.003 to 0.005
    assert quantile(counts, 0.75) == pytest.approx((SECONDS[2] + SECONDS[3]) / 2)
    assert quantile(counts, 1) == pytest.approx(SECONDS[3])
    counts[-1] = 1000  # above the last bound: nobody knows by how much
    assert quantile(counts, 0.99) == SECONDS[-1]


def test_two_workers_are_one_and_old_minutes_go(tmp_path: Path) -> None:
    service = Service(tmp_path, workers=1)
    service.start()
    try:

        async def job() -> None:
            async with stored(service) as store:
                await store.connection.execute("DELETE FROM traffic")
                clock = [NOW]
                workers = [Metrics(), Metrics()]
                writers = [Minutes(lambda: stored(service), lambda: clock[0], metrics) for metrics in workers]
                for metrics in workers:
                    for seconds in (0.0005, 0.004, 0.004, 0.2):
                        metrics.answered("playSpin", 200, seconds)
                    metrics.answered("playSpin", 503, 0.001)
                    metrics.refused("playSpin", "OVERLOADED")
                    metrics.answered("openSession", 200, 0.01)
                for writer in writers:
                    await writer.write()
                    await writer.write()  # nothing is new
                clock[0] += timedelta(minutes=5)
                workers[0].answered("playSpin", 200, 0.004)
                await writers[0].write()
                first, second = (await found(store))["bins"]
                assert (first["at"], first["spins"], first["requests"], first["faults"]) == (
                    "2026-01-01T12:00:00.000Z", 8, 12, 2,
                )  # fmt: skip
                assert first["p50_ms"] == pytest.approx(4.0, abs=0.01)  # in the bucket of 3 to 5 ms
                assert 150 <= first["p99_ms"] <= 200
                assert (second["spins"], second["faults"]) == (1, 0)
                assert (await found(store))["errors"] == [{"operation": "playSpin", "code": "OVERLOADED", "errors": 2}]
                clock[0] += KEPT + timedelta(seconds=1)
                workers[1].answered("playSpin", 200, 0.004)
                await writers[1].write()
                assert await store.connection.fetchval("SELECT count(*) FROM traffic") == 1

        async def found(store: Store) -> dict[str, list[dict[str, object]]]:
            return await read_traffic(store, NOW + timedelta(minutes=6))

        run(job())
    finally:
        assert service.stop() == 0
        service.remove()
