"""A real service for tests: supervisor, workers and PostgreSQL as processes, on a free port."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from rgs_server.client import Client, Credentials, Reply
from rgs_server.config import Config, environment_of
from rgs_server.operators import Rules, add_operator, change_operator
from rgs_server.postgres import EmbeddedPostgres
from rgs_server.sandbox import open_operators

from rgs_core import games
from rgs_core.language.model_file import load

T = TypeVar("T")

GAME = "lantern_tide"
BUILD = load(games.find(GAME)).build()


def run(job: Coroutine[Any, Any, T]) -> T:
    """Runs a test's coroutine; in a thread of its own where the test's thread has a loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(job)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, job).result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`rgs-server serve` in a folder of its own, with the sandbox operators opened."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.config = Config(data_dir=str(folder), port=free_port(), **{"monitor_s": 0, **settings})  # type: ignore[arg-type]
        self.tls: ssl.SSLContext | None = None
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.credentials: Credentials | None = None
        database = EmbeddedPostgres(self.config.data_path)
        self.database_url = database.url
        self.cluster_path = database.cluster_path

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RGS_")}
        environment |= environment_of(self.config)
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rgs_server", "serve"], env=environment, stderr=log, stdout=log
            )
        if self.credentials is None:
            wait_for(lambda: self.log_text().count("worker serves") >= self.config.workers, self.log_text)
            config = replace(self.config, database_url=self.database_url)
            self.credentials = run(open_operators(config))
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Waits until some worker serves."""
        run(self._ready())

    async def _ready(self) -> None:
        async with self.client() as client:
            await client.wait_until_ready()

    def log_text(self) -> str:
        return (self.folder / "service.log").read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        finally:
            self.process.kill()
            self.process.wait()

    def remove(self) -> None:
        """Deletes the database; for root it may lie outside the test's own folder."""
        inside = self.cluster_path.parent == self.config.data_path
        shutil.rmtree(self.cluster_path if inside else self.cluster_path.parent, ignore_errors=True)

    def add_operator(self, operator_id: str, *, reveal_seeds: bool = False, markets: bool = False) -> Credentials:
        """An operator, by default one that enforces the rules of countries itself: tests do not wait between spins."""
        config = replace(self.config, database_url=self.database_url)
        credentials = run(add_operator(config, operator_id, f"key-{operator_id}", reveal_seeds=reveal_seeds))
        self.change_operator(operator_id, rules=Rules(enforces_markets=markets))
        return credentials

    def change_operator(self, operator_id: str, **changes: Any) -> None:
        run(change_operator(replace(self.config, database_url=self.database_url), operator_id, **changes))

    def pids(self, pattern: str) -> list[int]:
        """Children of the supervisor whose command line holds a text."""
        assert self.process is not None
        return [pid for pid in children(self.process.pid) if pattern in command_line(pid)]

    def workers(self) -> list[int]:
        return self.pids("rgs_server.worker")

    def postgres(self) -> int:
        return self.pids("postgres")[0]

    def kill_workers(self) -> None:
        """SIGKILL; returns when others serve."""
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
        self.wait_until_ready()

    def give_up(self, operator_id: str, session_id: str, spin_id: str) -> None:
        """Writes a credit that its wallet has never taken and that nobody tries any more."""
        sql = (
            "INSERT INTO wallet_steps (operator_id, txn_id, kind, round_id, spin_id, session_id, currency, exponent,"
            " amount_minor, state, created_at, ended_at)"
            " VALUES ($1, 'credit:' || $3, 'credit', 'r-' || $3, $3, $2, 'EUR', 2, 100, 'failed', now(), now())"
        )
        run(self.fetch(sql, operator_id, session_id, spin_id))

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    def send(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        credentials: Credentials | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One signed request."""

        async def job() -> Reply:
            async with self.client(credentials) as client:
                return await client.send(method, target, body, headers)

        return run(job())

    def client(self, credentials: Credentials | None = None) -> Client:
        chosen = credentials or self.credentials
        assert chosen is not None
        return Client(chosen, self.tls)


Send = Callable[..., Reply]


def sending(service: Service, credentials: Credentials | None = None) -> Send:
    """Sends signed requests with JSON bodies to paths under /rgs/v1; by default of the sandbox operator."""

    def send(method: str, path: str, body: dict[str, Any] | bytes = b"") -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return service.send(method, f"/rgs/v1{path}", raw, credentials=credentials)

    return send


def code(reply: Reply) -> tuple[int, str]:
    """Status and problem code of an answer."""
    return reply.status, reply.json().get("code", "")


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def wait_for(condition: Any, explain: Any = lambda: "", timeout_s: float = 60) -> None:
    """Waits until a condition holds; AssertionError with an explanation when it does not."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {explain()}"
        time.sleep(0.05)


def session_body(session_id: str, operator_id: str = "op-sandbox", **changes: object) -> bytes:
    return json.dumps(
        {
            "session_id": session_id,
            "operator_id": operator_id,
            "player_id": "p-1",
            "game_id": GAME,
            "build_hash": BUILD.build_hash,
            "geo": "DE",
            "currency": "EUR",
            **changes,
        }
    ).encode()


def spin_body(name: str, session_id: str, amount: object = "1.00", **changes: object) -> bytes:
    return json.dumps(
        {
            "spin_id": name,
            "round_id": f"r-{name}",
            "session_id": session_id,
            "stake": {"amount": amount, "currency": "EUR"},
            "spin_type": "cash",
            "idempotency_key": f"k-{name}",
            **changes,
        }
    ).encode()
