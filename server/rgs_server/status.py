"""GET /status: what a platform may know of how the service does, for machines and for people.

It is open to everybody, so it names no operator and shows no figures, and however often it is asked for, the database is looked
at every few seconds only. Trouble of a single operator's wallet or receiver is none of the service.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg

from rgs_core import __version__
from rgs_server.clock import Clock, time_text
from rgs_server.config import Config
from rgs_server.contract.answers import Component, ServiceState, StatusAnswer
from rgs_server.contract.problems import Problem
from rgs_server.store import Stores

log = logging.getLogger("rgs.status")

FRESH_S = 2.0
STEPS_LOOKED_AT = 1000
WALLET_LATE = timedelta(minutes=5)
EVENT_LATE = timedelta(minutes=1)
INCIDENT_CHARS_MAX = 4000
GRAVITY: dict[ServiceState, int] = {"operational": 0, "degraded": 1, "down": 2}


class StatusBoard:
    """The state of the service as one worker sees it."""

    def __init__(
        self,
        config: Config,
        stores: Stores,
        clock: Clock,
        clock_is_right: Callable[[], bool],
        spins_waiting: Callable[[], int],
    ) -> None:
        self._config = config
        self._stores = stores
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._spins_waiting = spins_waiting
        self._looking = asyncio.Lock()
        self._seen: StatusAnswer | None = None
        self._seen_at = 0.0

    async def read(self) -> StatusAnswer:
        """The state, a few seconds old at most."""
        async with self._looking:
            if self._seen is None or time.monotonic() - self._seen_at > FRESH_S:
                self._seen = await self._look()
                self._seen_at = time.monotonic()
            return self._seen

    async def _look(self) -> StatusAnswer:
        now = self._clock()
        record: asyncpg.Record | None = None
        try:
            async with self._stores() as store:
                record = await store.service_state(now - WALLET_LATE, now - EVENT_LATE, STEPS_LOOKED_AT)
        except Problem:
            pass  # logged where it was met; it is what is to be said here
        components = [
            Component("database", "operational" if record is not None else "down"),
            Component("clock", "operational" if self._clock_is_right() else "down"),
            Component("spins", "operational" if 5 * self._spins_waiting() < 4 * self._config.queue_max else "degraded"),
        ]
        for name in ("wallets", "events"):
            most_late = record is not None and 2 * record[f"{name}_late"] > record[name]
            components.append(Component(name, "degraded" if most_late else "operational"))
        incident = read_incident(self._config.incident_file)
        worst = max((component.status for component in components), key=GRAVITY.__getitem__)
        if incident and worst == "operational":
            worst = "degraded"
        return StatusAnswer(
            worst, __version__, time_text(now), components, incident or None, self._config.contact or None
        )


def read_incident(path: str) -> str:
    """What people are told of an incident; "" where there is none, or no file."""
    if not path:
        return ""
    try:
        return Path(path).read_text("utf-8", errors="replace").strip()[:INCIDENT_CHARS_MAX]
    except FileNotFoundError:
        return ""
    except OSError as error:
        log.warning("the text of an incident cannot be read: %s", error)
        return ""
