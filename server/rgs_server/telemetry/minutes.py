"""What was answered, minute by minute, kept for a week: latency and errors for the console, where no Prometheus is asked.

Every worker writes its own share of a minute. One that is killed takes the minute that it was in with it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from rgs_server.background import Background
from rgs_server.clock import Clock, time_text
from rgs_server.contract.problems import Problem
from rgs_server.store import Store, Stores
from rgs_server.telemetry.catalogue import SECONDS
from rgs_server.telemetry.instruments import Snapshot
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.metrics")

MINUTE_S = 60.0
KEPT = timedelta(days=7)
SHOWN = timedelta(hours=6)
BIN = timedelta(minutes=5)
SPIN = "playSpin"

Numbers = dict[tuple[str, str], list[float]]


class Minutes:
    """Writes what this worker has answered since it wrote last."""

    def __init__(self, stores: Stores, clock: Clock, metrics: Metrics) -> None:
        self._stores = stores
        self._clock = clock
        self._metrics = metrics
        self._worker = secrets.token_hex(8)
        self._written = taken(metrics.snapshot())
        self._background = Background("minutes")

    def start(self) -> None:
        self._background.begin(self._run())

    async def stop(self) -> None:
        """Writes the last minute, too, where the database answers."""
        await self._background.end()
        if self._background.begun:
            await self._try()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(MINUTE_S)
            await self._try()

    async def _try(self) -> None:
        try:
            await self.write()
        except Problem as problem:
            log.warning("a minute is not written yet: %s", problem.detail)
        except Exception:
            log.exception("a minute could not be written")

    async def write(self) -> None:
        """What could not be written goes into the next minute. Raises Problem."""
        now, seen = self._clock(), taken(self._metrics.snapshot())
        nothing = [0.0] * (len(SECONDS) + 2)
        durations, errors = (
            {key: minus(value, before.get(key, nothing)) for key, value in numbers.items() if value != before.get(key)}
            for numbers, before in zip(seen, self._written, strict=True)
        )
        durations = {key: value for key, value in durations.items() if any(value)}
        errors = {key: value for key, value in errors.items() if any(value)}
        if not durations and not errors:
            return
        async with self._stores() as store:
            await store.add_minute(
                now,
                self._worker,
                [key[0] for key in durations],
                [key[1] for key in durations],
                [orjson.dumps(value).decode() for value in durations.values()],
                [key[0] for key in errors],
                [key[1] for key in errors],
                [int(value[0]) for value in errors.values()],
                now - KEPT,
            )
        self._written = seen


def taken(snapshot: Snapshot) -> tuple[Numbers, Numbers]:
    """Durations by (operation, class), errors by (operation, code)."""
    durations = {(labels[0], labels[1]): values(value) for labels, value in snapshot["rgs_request_duration_seconds"]}
    return durations, {(labels[0], labels[1]): values(value) for labels, value in snapshot["rgs_errors"]}


def values(value: float | list[float]) -> list[float]:
    return list(value) if isinstance(value, list) else [value]


def minus(value: Sequence[float], before: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(value, before, strict=False)]


def quantile(counts: Sequence[float], share: float) -> float | None:
    """Seconds that a share of the values is below, from counts by bucket; linear within one, as Prometheus reckons it."""
    total = sum(counts)
    if not total:
        return None
    left = share * total
    for place, count in enumerate(counts):
        if count and left <= count:
            below = SECONDS[place - 1] if place else 0.0
            return below if place == len(SECONDS) else below + (SECONDS[place] - below) * left / count
        left -= count
    return SECONDS[-1]


async def read_traffic(store: Store, now: datetime) -> dict[str, Any]:
    """The last hours in bins: spins with their latency, all requests and faults; errors by code."""
    begin = now - SHOWN
    bins: dict[datetime, dict[str, Any]] = {}
    for row in await store.traffic(begin, BIN):
        found = bins.setdefault(row["bin"], {"spins": [0.0] * (len(SECONDS) + 1), "requests": 0, "faults": 0})
        counts = orjson.loads(row["counts"])[:-1]
        found["requests"] += int(sum(counts))
        found["faults"] += int(sum(counts)) if row["class"] == "5xx" else 0
        if row["operation"] == SPIN and row["class"] == "2xx":
            found["spins"] = [a + b for a, b in zip(found["spins"], counts, strict=True)]
    return {
        "bins": [shown(at, found) for at, found in sorted(bins.items())],
        "errors": [dict(row) for row in await store.traffic_errors(begin)],
    }


def shown(at: datetime, found: dict[str, Any]) -> dict[str, Any]:
    """A bin as the console draws it; latencies in milliseconds."""
    spins: Iterable[float] = found["spins"]
    p50, p99 = (quantile(found["spins"], share) for share in (0.5, 0.99))
    return {
        "at": time_text(at),
        "spins": int(sum(spins)),
        "p50_ms": None if p50 is None else round(1000 * p50, 2),
        "p99_ms": None if p99 is None else round(1000 * p99, 2),
        "requests": found["requests"],
        "faults": found["faults"],
    }
