"""The math monitor over a service's database, without its process: tests say what time it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from rgs_server.archive import BuildArchive
from rgs_server.catalogue import load_catalogue
from rgs_server.monitoring.judging import Monitor
from rgs_server.monitoring.laws import Laws
from rgs_server.registry import read_registry
from rgs_server.sessions import Rulebook
from rgs_server.store import Store
from service_process import Service


@asynccontextmanager
async def stored(service: Service) -> AsyncIterator[Store]:
    """A connection as workers have them."""
    connection = await asyncpg.connect(service.database_url)
    try:
        yield Store(connection)
    finally:
        await connection.close()


def laws_of(store: Store) -> Laws:
    """The laws of the shipped games."""

    @asynccontextmanager
    async def same() -> AsyncIterator[Store]:
        yield store

    rules = Rulebook(load_catalogue(""), read_registry("", ""), "strictest", {})
    return Laws(rules, BuildArchive(same, lambda: datetime.now(UTC)))


def monitor_of(store: Store) -> Monitor:
    """One that has seen nothing."""
    return Monitor(laws_of(store))
