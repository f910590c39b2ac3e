"""GET /metrics of the whole service: what workers report, what waits in the database, what the supervisor knows.

It has a port of its own, which belongs to operations: RGS_METRICS_PORT on RGS_METRICS_HOST, closed by default.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from collections.abc import Iterator
from datetime import datetime

import asyncpg
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from rgs_core import __version__
from rgs_core.language.model import MECHANIC_VERSION
from rgs_server.billing.hours import SETTLED_AFTER
from rgs_server.clock import system_clock
from rgs_server.monitoring.slices import SETTLED_AFTER as SETTLED
from rgs_server.monitoring.slices import SLICE
from rgs_server.store import Store
from rgs_server.telemetry.catalogue import OBSERVED, OF_SUPERVISOR
from rgs_server.telemetry.instruments import Snapshot, Value
from rgs_server.telemetry.totals import Totals, exposed

log = logging.getLogger("rgs.metrics")

COUNTED_MAX = 10_000
DATABASE_TIMEOUT_S = 3.0
DATABASE_SETTINGS = {"jit": "off"}
"""While tables are new the planner guesses them large, and the server compiled the statement at every look, 0.6 to 2.7 s long,
to run it for a few milliseconds."""
LEVELS = ("insufficient", "within", "info", "investigate", "page")
FRESH_S = 1.0
"""Several who ask at once share one look at the database."""
DATABASE_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

Observed = list[tuple[str, tuple[str, ...], float]]
"""(metric, labels, value)."""


class DatabaseWatch:
    """What waits in the database and what the math monitor found, over a connection of its own that is made again when it broke."""

    def __init__(self, url: str, *, monitored: bool) -> None:
        self._url = url
        self._monitored = monitored
        self._store: Store | None = None
        self._looking = asyncio.Lock()
        self._seen: Observed | None = None
        self._seen_at = float("-inf")

    async def look(self) -> Observed | None:
        """None when the database does not answer."""
        async with self._looking:
            if time.monotonic() - self._seen_at > FRESH_S:
                self._seen = await self._read()
                self._seen_at = time.monotonic()
            return self._seen

    async def close(self) -> None:
        if self._store is not None:
            self._store.connection.terminate()

    async def _read(self) -> Observed | None:
        try:
            if self._store is None or self._store.connection.is_closed():
                timeout = DATABASE_TIMEOUT_S
                self._store = Store(
                    await asyncpg.connect(
                        self._url, timeout=timeout, command_timeout=timeout, server_settings=DATABASE_SETTINGS
                    )
                )
            rows = await self._store.observed_state(COUNTED_MAX, SETTLED_AFTER)
            cells = await self._store.observed_math()
            unjudged = await self._store.unjudged_builds()
            uncounted = await self._store.next_slice(SLICE) if self._monitored else None
        except DATABASE_TROUBLE as error:
            log.warning("the database does not say what waits: %r", error)
            await self.close()
            self._store = None
            return None
        waiting = [(row["metric"], (row["label"],) if row["label"] else (), row["value"]) for row in rows]
        found = [*waiting, *(gauge for row in cells for gauge in judged(row))]
        found += [("rgs_monitor_unjudged", (row["build"], row["mode"]), 1.0) for row in unjudged]
        if self._monitored:
            found.append(("rgs_monitor_lag_seconds", (), lag_s(uncounted, system_clock())))
        return found


def lag_s(uncounted: datetime | None, now: datetime) -> float:
    """For how long the slice that is counted next could have been."""
    return 0.0 if uncounted is None else max(0.0, (now - uncounted - SLICE - SETTLED).total_seconds())


def judged(row: asyncpg.Record) -> Observed:
    """The gauges of a cell's last verdict."""
    cell = tuple(row[name] for name in ("operator_id", "game_id", "build", "mode", "channel", "stakes"))
    labels = (*cell, f"{row['window_days']}d")
    return [
        ("rgs_monitor_level", labels, float(LEVELS.index(row["level"]))),
        ("rgs_monitor_page", labels, float(row["level"] == "page")),
        ("rgs_monitor_rtp", labels, row["rtp"]),
        ("rgs_monitor_rtp_certified", labels, row["rtp_certified"]),
    ]


class WorkerNumbers:
    """What workers reported, and when."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.totals = Totals()
        self.ends = 0
        self._reported_at: dict[str, float] = {}

    def report(self, worker: int, snapshot: Snapshot) -> None:
        self.totals.report(str(worker), snapshot)
        self._reported_at[str(worker)] = time.monotonic()

    def end(self, worker: int) -> None:
        """A worker ended; its counts stay. Its age goes on until another one reports in its place."""
        self.totals.end(str(worker))
        self.ends += 1

    def ages(self) -> dict[str, float]:
        """Seconds since each worker has reported."""
        now = time.monotonic()
        return {worker: now - at for worker, at in self._reported_at.items()}


class Page:
    """The page, and the server that has it."""

    def __init__(self, numbers: WorkerNumbers, database_url: str, *, monitored: bool) -> None:
        self._numbers = numbers
        self._database = DatabaseWatch(database_url, monitored=monitored)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        log.info("metrics are at http://%s:%d/metrics", host, port)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self._database.close()

    async def _answer(self, request: web.Request) -> web.Response:
        # Text or OpenMetrics, as the scraper asks.
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        collected = Collected([*self._numbers.totals.metrics(), *await self._observed(), *self._of_supervisor()])
        registry = CollectorRegistry()
        registry.register(collected)
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def _observed(self) -> list[Metric]:
        waiting = await self._database.look()
        found: dict[str, list[tuple[tuple[str, ...], Value]]] = {description.name: [] for description in OBSERVED}
        found["rgs_database_up"].append(((), float(waiting is not None)))
        for name, labels, value in waiting or ():
            found[name].append((labels, value))
        return [exposed(description, found[description.name]) for description in OBSERVED]

    def _of_supervisor(self) -> list[Metric]:
        numbers = self._numbers
        build = (__version__, platform.python_version(), str(MECHANIC_VERSION))
        found: dict[str, list[tuple[tuple[str, ...], Value]]] = {
            "rgs_build": [(build, 1.0)],
            "rgs_workers": [((), numbers.workers)],
            "rgs_worker_report_age_seconds": [((worker,), age) for worker, age in numbers.ages().items()],
            "rgs_worker_ends": [((), numbers.ends)],
        }
        return [exposed(description, found[description.name]) for description in OF_SUPERVISOR]


class Collected:
    """Metrics as a collector of prometheus_client, which writes the page."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)
