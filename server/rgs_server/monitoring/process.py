"""The process that monitors, beside the workers: judging takes seconds of a processor, which no spin should wait for.

Started by the supervisor as `python -m rgs_server.monitoring.process PARENT_PID`; the settings are in the environment. Of
several, also on other machines, one monitors: that which holds the lock in the database.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from rgs_server.archive import BuildArchive
from rgs_server.catalogue import load_catalogue
from rgs_server.clock import Clock, system_clock
from rgs_server.config import Config, read_config
from rgs_server.logs import configure_logging
from rgs_server.monitoring.judging import Monitor
from rgs_server.monitoring.laws import Laws
from rgs_server.registry import read_registry
from rgs_server.sessions import Rulebook
from rgs_server.store import Store

log = logging.getLogger("rgs.monitor")

PARENT_CHECK_S = 1.0
NICENESS = 10
"""Spins come first."""
STATEMENT_S = 600.0


async def monitor(config: Config, clock: Clock = system_clock) -> None:
    """Looks every `monitor_s` seconds, whatever happens, until it is cancelled."""
    rules = Rulebook(
        load_catalogue(config.models_dir, in_production=config.in_production),
        read_registry(config.registry_file, config.registry_key_file),
        config.unknown_market,
        {},
    )
    while True:
        try:
            connection = await asyncpg.connect(config.database_url, timeout=10, command_timeout=STATEMENT_S)
        except (OSError, asyncpg.PostgresError) as error:
            log.warning("the database does not answer: %r", error)
            await asyncio.sleep(min(5, config.monitor_s))
            continue
        try:
            await watch(Store(connection), config, rules, clock)
        except Exception:
            log.exception("monitoring failed and begins anew")
            await asyncio.sleep(min(5, config.monitor_s))
        finally:
            connection.terminate()


async def watch(store: Store, config: Config, rules: Rulebook, clock: Clock) -> None:
    """Monitors over one connection, when no other process does."""
    while not await store.take_monitoring():
        await asyncio.sleep(config.monitor_s)

    @asynccontextmanager
    async def same() -> AsyncIterator[Store]:
        yield store

    monitor = Monitor(Laws(rules, BuildArchive(same, clock)))
    while True:
        for verdict in await monitor.look(store, clock()):
            log.info("%s: %s, %d rounds, RTP %.4f", verdict.cell, verdict.level, verdict.n, verdict.rtp)
        await asyncio.sleep(config.monitor_s)


async def serve(config: Config, parent: int) -> None:
    """Monitors until SIGTERM, SIGINT or the end of the supervisor, process `parent`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    task = asyncio.create_task(monitor(config), name="monitor")
    while not stop.is_set() and os.getppid() == parent and not task.done():
        try:
            await asyncio.wait_for(stop.wait(), PARENT_CHECK_S)
        except TimeoutError:
            continue
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    else:
        task.result()


def main() -> int:
    config = read_config()
    configure_logging(config.log_level)
    os.nice(NICENESS)
    if len(sys.argv) > 2:
        os.close(int(sys.argv[2]))  # the pipe that workers report their metrics by: verdicts are in the database
    asyncio.run(serve(config, int(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
