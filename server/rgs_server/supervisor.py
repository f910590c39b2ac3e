"""The parent process: owns the embedded database and the workers, restarts what dies, drains at the end."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from rgs_server.audit.critical_files import FoundFiles
from rgs_server.audit.log_keys import ensure_log_key
from rgs_server.config import EMBEDDED, Config, ConfigError, environment_of
from rgs_server.master_key import ensure_master_key, read_master_keys
from rgs_server.nats_server import EmbeddedNats
from rgs_server.postgres import EmbeddedPostgres
from rgs_server.sealing import Sealer
from rgs_server.store import Store, changeable_records, create_schema
from rgs_server.telemetry.page import Page, WorkerNumbers
from rgs_server.telemetry.reports import read_reports, report_pipe
from rgs_server.tls import server_context
from rgs_server.token_keys import ensure_token_key

log = logging.getLogger("rgs.supervisor")

WORKER, MONITOR = "rgs_server.worker", "rgs_server.monitoring.process"
RESTART_PAUSE_S = 0.2
RESTART_PAUSE_MAX_S = 5.0
HEALTHY_AFTER_S = 2.0
STARTS_WITHIN_S = 30.0
"""A worker that ends by itself before that, and never served, cannot be helped by another start: machines may be busy."""
DATABASE_WAIT_S = 30


class WorkerFailed(Exception):
    """A worker ended before it ever served."""


class AlreadyRunning(Exception):
    """Another service has the port or the data folder."""


class DatabaseUnreachable(Exception):
    """The database of RGS_DATABASE_URL did not answer for DATABASE_WAIT_S."""


async def prepare_database(url: str, worker_url: str) -> None:
    """Creates the schema and grants it to the workers, waiting for a database that is not up yet. Raises
    DatabaseUnreachable."""
    deadline = asyncio.get_running_loop().time() + DATABASE_WAIT_S
    while True:
        try:
            await create_schema(url, worker_url)
            return
        except (OSError, asyncpg.CannotConnectNowError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise DatabaseUnreachable(f"no database at RGS_DATABASE_URL for {DATABASE_WAIT_S} s: {error}") from None
            log.warning("the database does not answer yet: %s", error)
            await asyncio.sleep(1)


async def refuse_changeable_records(url: str) -> None:
    """Raises ConfigError when workers could change what they have written."""
    if found := await changeable_records(url):
        raise ConfigError(
            f"RGS_MODE=production, but the role of RGS_DATABASE_URL may change rows of {', '.join(found)}; let another role "
            "own the tables (RGS_OWNER_DATABASE_URL, docs/operations.md)"
        )


async def refuse_plain_signatures(url: str) -> None:
    """Raises ConfigError when operators sign bodies alone: that is for trying out."""
    connection = await asyncpg.connect(url)
    try:
        found = await Store(connection).plain_operators()
    finally:
        await connection.close()
    if found:
        raise ConfigError(
            f"RGS_MODE=production, but {', '.join(found)} may sign bodies alone; "
            "rgs-server operator ID --plain-signatures off"
        )


async def open_bus(url: str, has_bus: bool) -> None:
    """From now on every event is owed to the bus. Only a person turns that off: a service that was started without the bus by
    mistake must not lose what the others owe it."""
    connection = await asyncpg.connect(url)
    try:
        store = Store(connection)
        if has_bus:
            await store.open_bus()
        elif "bus" in await store.open_sinks():
            log.warning("events wait for a bus, and RGS_NATS_URL is not set; set it, or: rgs-server bus --off")
    finally:
        await connection.close()


def require_free_port(host: str, port: int, setting: str) -> None:
    """Raises AlreadyRunning when anything listens there; workers share ports, so they would not notice."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise AlreadyRunning(f"cannot listen on {host}:{port} ({error.strerror}); set {setting}") from None


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds the data folder for this process. Raises AlreadyRunning when another service holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"another service uses {folder}; stop it, or set RGS_DATA_DIR") from None
        yield


class Supervisor:
    """Runs the service until SIGTERM or SIGINT."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._postgres: EmbeddedPostgres | None = None
        self._nats: EmbeddedNats | None = None
        self._workers: list[asyncio.subprocess.Process | None] = []
        self._stopping = asyncio.Event()
        self._worker = config
        """Settings of workers that start from now on."""
        self._files: FoundFiles | None = None
        self._reading: asyncio.Task[None] | None = None
        self._numbers = WorkerNumbers(config.workers)
        self._page: Page | None = None

    async def run(self, when_up: Callable[[Config], Coroutine[Any, Any, None]] | None = None) -> None:
        """Starts everything, calls `when_up`, serves, stops. Raises what prevents the start."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        server_context(self._config)  # what is wrong with certificates is said before anything starts
        require_free_port(self._config.host, self._config.port, "RGS_PORT")
        if self._config.metrics_port:
            require_free_port(self._config.metrics_host, self._config.metrics_port, "RGS_METRICS_PORT")
        if self._config.in_production and self._config.nats_url.startswith(("nats://", "ws://")):
            raise ConfigError("RGS_NATS_URL: events go over tls:// or wss:// in production")
        if self._config.database_url and self._config.nats_url != EMBEDDED:
            await self._run(self._config, when_up)
            return
        with only_one(self._config.data_path):
            await self._run(self._config, when_up)

    async def _run(self, config: Config, when_up: Callable[[Config], Coroutine[Any, Any, None]] | None) -> None:
        try:
            if not config.database_url:
                ensure_master_key(config.master_key_path)
                self._postgres = EmbeddedPostgres(config.data_path)
                await self._postgres.start()
                log.info("database: %s", self._postgres.description)
                config = replace(config, database_url=self._postgres.worker_url, owner_database_url=self._postgres.url)
            sealer = Sealer(*read_master_keys(config.master_key_path))
            owner_url = config.owner_database_url or config.database_url
            await prepare_database(owner_url, config.database_url)
            await ensure_token_key(owner_url, sealer)
            await ensure_log_key(owner_url, sealer)
            if config.nats_url == EMBEDDED:
                self._nats = EmbeddedNats(config.data_path)
                await self._nats.start()
                config = replace(config, nats_url=self._nats.url)
            await open_bus(owner_url, bool(config.nats_url))
            if config.in_production:
                await refuse_plain_signatures(owner_url)
                await refuse_changeable_records(config.database_url)
            self._files = FoundFiles(owner_url, replace(config, owner_database_url=""))
            worker = self._worker = await self._files.tell_start()
            if config.metrics_port:
                self._page = Page(self._numbers, worker.database_url, monitored=config.monitor_s > 0)
                await self._page.start(config.metrics_host, config.metrics_port)
            modules = [WORKER] * config.workers + [MONITOR] * (config.monitor_s > 0)
            self._workers = [None] * len(modules)
            keepers = [asyncio.create_task(self._keep(n, module)) for n, module in enumerate(modules)]
            ready = asyncio.create_task(when_up(worker)) if when_up else None
            stop = asyncio.create_task(self._stopping.wait())
            watcher = self._postgres.watcher if self._postgres else None
            bus_watcher = self._nats.watcher if self._nats else None
            waiting = {stop, *keepers, *(task for task in (ready, watcher, bus_watcher) if task)}
            while not self._stopping.is_set():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            if ready is not None:
                ready.cancel()
            await self._stop_workers(keepers)
        finally:
            self._kill_workers()
            if self._page is not None:
                await self._page.stop()
            if self._nats is not None:
                await self._nats.stop()
            if self._postgres is not None:
                await self._postgres.stop()

    async def _keep(self, number: int, module: str) -> None:
        """Runs process `number`, a worker or the monitor, and starts it again when it dies."""
        pause = RESTART_PAUSE_S
        served = False
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            read_end, write_end = report_pipe()
            reports = asyncio.create_task(read_reports(read_end, partial(self._numbers.report, number)))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                str(os.getpid()),
                str(write_end),
                env={**os.environ, **environment_of(self._worker)},
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(write_end,),
            )
            os.close(write_end)
            self._workers[number] = process
            if self._stopping.is_set():
                process.terminate()  # it was not there yet when the others were told
            code = await process.wait()
            await reports
            if module == WORKER:
                self._numbers.end(number)
            if self._stopping.is_set():
                return
            lived = loop.time() - started
            # A worker that never came up says why on its standard error; starting it again cannot help.
            if module == WORKER and code > 0 and not served and lived < STARTS_WITHIN_S:
                raise WorkerFailed(f"{module} ended with status {code} at its start; its message is above")
            served = True
            log.warning("%s %d (pid %d) ended with %d and is started again", module, number, process.pid, code)
            pause = RESTART_PAUSE_S if lived > HEALTHY_AFTER_S else min(2 * pause, RESTART_PAUSE_MAX_S)
            await asyncio.sleep(pause)

    def _reload(self) -> None:
        self._reading = asyncio.create_task(self._read_again())

    async def _read_again(self) -> None:
        """Tells workers to read their files again, after it was logged what is there now."""
        if self._files is not None:
            try:
                self._worker = await self._files.tell_models()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.error("what files are read again could not be logged: %s", error)
        self._tell_workers(signal.SIGHUP)

    def _tell_workers(self, signum: int) -> None:
        for process in self._workers:
            if process is not None and process.returncode is None:
                process.send_signal(signum)

    async def _stop_workers(self, keepers: list[asyncio.Task[None]]) -> None:
        self._tell_workers(signal.SIGTERM)
        limit = self._config.drain_timeout_ms / 1000 + 5
        _, late = await asyncio.wait(keepers, timeout=limit)
        for keeper in late:
            log.warning("a worker did not drain in time and is killed")
            keeper.cancel()

    def _kill_workers(self) -> None:
        self._tell_workers(signal.SIGKILL)
