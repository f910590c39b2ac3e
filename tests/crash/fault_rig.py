"""A cluster, workers and a wallet, each worker and the wallet behind a proxy, and the ways to do them harm."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import aiohttp
import asyncpg
from crash.fault_proxy import Fault, FaultProxy, Link, Pieces, PostgresFrames
from rgs_server.client import Client, Credentials, Reply
from rgs_server.config import Config, environment_of
from rgs_server.master_key import ensure_master_key, read_master_keys
from rgs_server.operators import Rules, add_operator, change_operator
from rgs_server.postgres import EmbeddedPostgres
from rgs_server.sealing import Sealer
from rgs_server.supervisor import prepare_database
from rgs_server.token_keys import ensure_token_key
from service_process import children, command_line, free_port
from wallet_server import WalletServer

T = TypeVar("T")

COMMIT_TIMEOUT_MS, WALLET_TIMEOUT_MS = 600, 300
LATE_S = COMMIT_TIMEOUT_MS / 1000 + 0.2
"""A message that comes so late is one of a request that was given up."""
KEEPALIVE_S = 1.0
"""After so long the kernel of the server finds a client gone that cannot say so; here, since the proxy answers for it."""
ANSWER_S = 30.0

PLATFORM, SEAMLESS = "op-fault", "op-fault-wallet"


@dataclass(frozen=True)
class Request:
    """One request of a platform, which repeats it until it is answered."""

    operator_id: str
    path: str
    body: dict[str, Any]


@dataclass
class Worker:
    """A process of its own port, with the way to its database."""

    pid: int
    port: int
    database: FaultProxy

    def kill(self) -> None:
        if self.lives:
            os.kill(self.pid, signal.SIGKILL)

    @property
    def lives(self) -> bool:
        """Its number may have passed to another process since, so it is not enough that there is one."""
        return "forked_workers" in command_line(self.pid)


class Rig:
    """All of it. Coroutines run in a loop of its own thread, by `run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()
        self.config = Config(
            data_dir=str(folder), commit_timeout_ms=COMMIT_TIMEOUT_MS, wallet_timeout_ms=WALLET_TIMEOUT_MS,
            wallet_tries=2, sweep_s=1, monitor_s=0,
        )  # fmt: skip
        self.postgres = EmbeddedPostgres(self.config.data_path)
        self.clock_file = folder / "clock"
        self.credentials: dict[str, Credentials] = {}
        self.workers: list[Worker] = []
        self._spare: asyncio.Task[Worker] | None = None
        self._reader: asyncpg.Connection[asyncpg.Record] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Rig:
        self._thread.start()
        self._forker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forked_workers.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("RGS_")},
        )  # fmt: skip
        self.run(self._start(), 120)
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stop(), 60)
        self.wallet_server.__exit__()
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        self._forker.stdin.close()
        self._forker.wait(20)
        self._forker.stdout.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()
        inside = self.postgres.cluster_path.parent == self.config.data_path
        shutil.rmtree(self.postgres.cluster_path if inside else self.postgres.cluster_path.parent, ignore_errors=True)

    def run(self, job: Coroutine[Any, Any, T], timeout_s: float = 240) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(job, self._loop)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise

    # -- its parts ----------------------------------------------------------------------------------

    async def _start(self) -> None:
        self.clock_file.write_text("0")
        ensure_master_key(self.config.master_key_path)
        await self.postgres.start()
        await prepare_database(self.postgres.url, self.postgres.worker_url)
        # A crash is followed by one sync of the file system, not one of each of a thousand files; nothing else is relaxed.
        with (self.postgres.cluster_path / "postgresql.auto.conf").open("a") as settings:
            settings.write("recovery_init_sync_method = syncfs\n")
        await ensure_token_key(self.postgres.url, Sealer(*read_master_keys(self.config.master_key_path)))
        owner = replace(self.config, database_url=self.postgres.url)
        rules = {
            PLATFORM: Rules(["platform", "transfer"], settle_within_s=3600, enforces_markets=False),
            SEAMLESS: Rules(["seamless"], enforces_markets=False),
        }
        for operator_id, own in rules.items():
            self.credentials[operator_id] = await add_operator(
                owner, operator_id, f"key-{operator_id}", reveal_seeds=True
            )
            await change_operator(owner, operator_id, rules=own)
        seamless = self.credentials[SEAMLESS]
        self.wallet_server = WalletServer(seamless.secret.encode())
        self.wallet_server.__enter__()
        port = int(self.wallet_server.url.split(":")[2].split("/")[0])
        self.wallet = FaultProxy(lambda: asyncio.open_connection("127.0.0.1", port), Pieces)
        url = f"http://127.0.0.1:{await self.wallet.start()}/wallet"
        await change_operator(owner, SEAMLESS, wallet=(url, seamless.key_id))
        await self.add_worker()

    async def _stop(self) -> None:
        for worker in [*self.workers, *([await self._spare] if self._spare else [])]:
            worker.kill()
            await worker.database.stop()
        await self.wallet.stop()
        if self._reader is not None:
            self._reader.terminate()
        await self.postgres.stop()

    async def _new_worker(self) -> Worker:
        """Starts one until it serves, as a supervisor does: one that finds no database ends."""
        sockets = self.postgres.worker_url.split("host=")[1]
        database = FaultProxy(lambda: asyncio.open_unix_connection(f"{sockets}/.s.PGSQL.5432"), PostgresFrames)
        url = f"postgresql://rgs_worker@127.0.0.1:{await database.start()}/postgres?sslmode=disable"
        until = time.monotonic() + ANSWER_S
        while True:
            config = replace(self.config, port=free_port(), database_url=url)
            order = {
                "environment": environment_of(config), "log": str(self.folder / "workers.log"),
                "clock": str(self.clock_file),
            }  # fmt: skip
            worker = Worker(await asyncio.to_thread(self._fork, json.dumps(order)), config.port, database)
            while worker.lives:
                async with self.client(worker, PLATFORM) as client:
                    with contextlib.suppress(TimeoutError):
                        await client.wait_until_ready(0.3)
                        return worker
            assert time.monotonic() < until, (self.folder / "workers.log").read_text()[-2000:]

    def _fork(self, order: str) -> int:
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        self._forker.stdin.write(order + "\n")
        self._forker.stdin.flush()
        return int(self._forker.stdout.readline())

    async def add_worker(self) -> Worker:
        """One more that serves; another one is made ready meanwhile."""
        worker = await (self._spare or self._new_worker())
        self.workers.append(worker)
        self._spare = asyncio.create_task(self._new_worker())
        return worker

    async def two_workers(self) -> tuple[Worker, Worker]:
        while len(self.workers) < 2:
            await self.add_worker()
        return self.workers[0], self.workers[1]

    def set_clock(self, offset_s: float) -> None:
        """How far the clocks of all workers are from the right time. At once: nobody sees half a number."""
        new = self.clock_file.with_suffix(".new")
        new.write_text(str(offset_s))
        new.replace(self.clock_file)

    async def replace_worker(self) -> None:
        """Another one in place of the first, which was killed."""
        gone = self.workers.pop(0)
        gone.kill()
        await gone.database.stop()
        await self.add_worker()

    def client(self, worker: Worker, operator_id: str) -> Client:
        return Client(replace(self.credentials[operator_id], url=f"http://127.0.0.1:{worker.port}"))

    # -- harm ---------------------------------------------------------------------------------------

    async def kill_worker(self, link: Link, message: bytes) -> bool:
        self.workers[0].kill()
        return False

    async def kill_postgres(self, link: Link, message: bytes) -> bool:
        self.crash_postgres()
        return False

    def crash_postgres(self) -> None:
        """Kills the postmaster and all its children; the watcher starts another one, which recovers."""
        with contextlib.suppress(FileNotFoundError, IndexError, ProcessLookupError):
            pid = int((self.postgres.cluster_path / "postmaster.pid").read_text().split()[0])
            if str(self.postgres.cluster_path) not in command_line(pid):
                return  # it is dead already, and its number another's
            for victim in (pid, *children(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)

    async def drop(self, link: Link, message: bytes) -> bool:
        link.drop()
        return False

    async def go_silent(self, link: Link, message: bytes) -> bool:
        """Half open: neither side hears anything any more. Between two commands the database ends a transaction by its own
        timeouts; in the middle of one it has none, and its kernel has to find out."""
        link.silent = True
        if not link.idle:
            asyncio.get_running_loop().call_later(KEEPALIVE_S, link.server.transport.abort)
        return False

    async def delay(self, link: Link, message: bytes) -> bool:
        await asyncio.sleep(LATE_S)
        return True

    def faults(self) -> dict[str, Fault]:
        """What can happen at a message, by name."""
        return {
            "kill worker": self.kill_worker,
            "kill postgres": self.kill_postgres,
            "drop": self.drop,
            "half open": self.go_silent,
            "delay": self.delay,
        }

    # -- what a platform does -----------------------------------------------------------------------

    async def once(self, request: Request, worker: Worker | None = None) -> Reply | None:
        """One try; None where no answer came."""
        async with self.client(worker or self.workers[0], request.operator_id) as client:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                body = json.dumps(request.body).encode()
                return await client.send("POST", f"/rgs/v1{request.path}", body if request.body else b"")
        return None

    async def answered(self, request: Request, worker: Worker | None = None) -> Reply:
        """Repeats a request until its answer is final."""
        until = time.monotonic() + ANSWER_S
        while True:
            reply = await self.once(request, worker)
            if reply is not None and (reply.status == 200 or not reply.json()["retryable"]):
                return reply
            assert time.monotonic() < until, f"no answer in {ANSWER_S} s: {request}: {reply}"
            await asyncio.sleep(0.02)

    async def done(self, request: Request) -> dict[str, Any]:
        """The answer of a request that has to succeed."""
        reply = await self.answered(request)
        assert reply.status == 200, reply.body
        return dict(reply.json())

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Asks the database itself, waiting until it is there."""
        until = time.monotonic() + ANSWER_S
        while True:
            try:
                if self._reader is None or self._reader.is_closed():
                    self._reader = await asyncpg.connect(self.postgres.url, timeout=5)
                return await self._reader.fetch(sql, *values)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if self._reader is not None:
                    self._reader.terminate()
                    self._reader = None
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.05)
