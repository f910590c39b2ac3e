"""One worker process: serves the shared port until SIGTERM, then finishes what it has begun.

Started by the supervisor as `python -m rgs_server.worker PARENT_PID METRICS_PIPE`; the settings are in the environment.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import Mapping

import uvloop
from aiohttp import web

from rgs_server.app import create_app
from rgs_server.audit.critical_files import FileWatch
from rgs_server.catalogue import load_catalogue
from rgs_server.config import Config, ConfigError, read_config
from rgs_server.logs import BufferedLines, configure_logging
from rgs_server.markets import Market, packs, read_packs
from rgs_server.master_key import read_master_keys
from rgs_server.registry import RegistryRefused, read_registry
from rgs_server.sealing import Sealer
from rgs_server.service import SERVICE, Service
from rgs_server.sessions import Rulebook
from rgs_server.spin_listener import SpinListener
from rgs_server.telemetry.context import current_fields
from rgs_server.telemetry.reports import Reporter
from rgs_server.tls import load_files, server_context

log = logging.getLogger("rgs.worker")

PARENT_CHECK_S = 1.0
UNREADY_S = 0.2
KEEPALIVE_S = 75
BACKLOG = 128


async def serve(config: Config, parent: int, metrics_pipe: int | None, lines: BufferedLines) -> None:
    """Serves until SIGTERM, SIGINT or the end of the supervisor, process `parent`. Metrics go down a pipe (a descriptor),
    how many lines of the log were dropped among them."""
    service = Service(
        config,
        config.database_url,
        Rulebook(
            load_catalogue(config.models_dir, in_production=config.in_production),
            read_registry(config.registry_file, config.registry_key_file),
            config.unknown_market,
            packs_of(config.markets_dir),
            FileWatch(config),
        ),
        Sealer(*read_master_keys(config.master_key_path)),
    )
    reporter = Reporter(service.metrics, metrics_pipe)
    lines.dropped = service.metrics.log_lines_dropped.add
    # Keep-alive is long: platforms keep their connections. Drain closes them on their next answer.
    runner = web.AppRunner(
        create_app(service),
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=config.drain_timeout_ms / 1000,
        handle_signals=False,
    )
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    context = server_context(config)
    # Always, or the signal would end a worker that has no files to read again.
    loop.add_signal_handler(signal.SIGHUP, reload_files, context, service)
    assert runner.server is not None
    listener = SpinListener(runner.app[SERVICE], runner.server, KEEPALIVE_S)
    server = await loop.create_server(
        listener.connection, config.host, config.port, reuse_port=True, ssl=context, backlog=BACKLOG
    )
    reporter.start()
    # Tables, models and code live as long as the process: keep the collector from walking them.
    gc.collect()
    gc.freeze()
    log.info("worker serves %s:%d", config.host, config.port)
    while not stop.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stop.wait(), PARENT_CHECK_S)
        except TimeoutError:
            continue
    # Drain: not ready, every answer closes its connection, no new connections, open requests finish.
    runner.app[SERVICE].draining = True
    await asyncio.sleep(UNREADY_S)
    server.close()
    await asyncio.sleep(UNREADY_S)
    await listener.stop(config.drain_timeout_ms / 1000)
    await runner.cleanup()
    await reporter.stop()
    log.info("worker drained")


def packs_of(folder: str) -> Mapping[str, Market]:
    """The packs of all countries. Raises ConfigError."""
    try:
        return read_packs(folder) if folder else packs()
    except (OSError, ValueError) as error:
        raise ConfigError(f"RGS_MARKETS_DIR: {error}") from None


def reload_files(context: ssl.SSLContext | None, service: Service) -> None:
    """Certificates for the connections to come, the registry and models; the old ones stay where the new cannot be used."""
    service.rule_files.reload()
    if context is None:
        log.info("there are no certificates to be read again")
        return
    try:
        load_files(context, service.config)
    except ConfigError as error:
        log.error("certificates stay as they are: %s", error)
    else:
        log.info("certificates were read again")


def main() -> int:
    config = read_config()
    lines = configure_logging(config.log_level, current_fields)
    try:
        uvloop.run(serve(config, int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None, lines))
    except (ConfigError, RegistryRefused) as error:
        print(f"rgs-server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
