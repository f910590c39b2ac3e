"""The files that decide outcomes and money, hashed at the start and every day: a changed byte stops new rounds.

They are the code and tables of both packages with the compiled extension, every model with its certificates, packs of markets,
and the key that verifies the registry. The registry itself is signed and may change between starts. Models that are added at
SIGHUP are a fact, and right from then on. Configuration that is no file is in the fact of each start.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import asyncpg

import rgs_core
import rgs_server
from rgs_core import games
from rgs_server.audit.audit_store import AuditStore
from rgs_server.background import Background
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.store import Stores

log = logging.getLogger("rgs.audit")

KINDS = {".py", ".so", ".pyd", ".sql", ".toml"}
SHOWN_MAX = 20
CONNECT_S = 10
MODELS = "models/"
"""The names of models of one's own, which may be added while the service runs."""
SECRET = "_url"
"""What settings end with that may hold passwords."""


def critical_files(config: Config) -> dict[str, Path]:
    """By the name under which they are told: of packages and folders, below them."""
    found: dict[str, Path] = {}
    for package in (rgs_core, rgs_server):
        assert package.__file__ is not None
        folder = Path(package.__file__).parent
        found |= {
            f"{folder.name}/{path.relative_to(folder)}": path for path in folder.rglob("*") if path.suffix in KINDS
        }
    folders = {"shipped": games.folder()}
    if config.models_dir:
        folders["models"] = Path(config.models_dir)
    if config.markets_dir:
        folders["markets"] = Path(config.markets_dir)
    for kind, folder in folders.items():
        for path in [*folder.glob("*.toml"), *folder.glob("certificates/*.toml")]:
            found[f"{kind}/{path.relative_to(folder)}"] = path
    if config.registry_key_file:
        found["registry.key"] = Path(config.registry_key_file)
    return found


def hashed(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 in hex of each file; empty where it cannot be read."""
    digests = {}
    for name, path in sorted(files.items()):
        try:
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            digests[name] = ""
    return digests


def digest_of(digests: Mapping[str, str]) -> str:
    """One digest of all: SHA-256 of the lines that sha256sum would print, sorted by name."""
    return hashlib.sha256("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()).hexdigest()


def with_models(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Files of before with the models of now."""
    others = {name: digest for name, digest in before.items() if not name.startswith(MODELS)}
    return others | {name: digest for name, digest in now.items() if name.startswith(MODELS)}


class FileWatch:
    """What a worker knows of the files. `changed` are the names of those that are not what they were, or "all files" where
    already the start found others than it was told to find."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._first = hashed(critical_files(config))
        self._background = Background("file watch")
        self.changed: Sequence[str] = ()
        wanted = config.files_digest or config.files_found
        if wanted and digest_of(self._first) != wanted:
            self.changed = ("all files: they were others when the service began, or RGS_FILES_DIGEST names others",)

    def require_unchanged(self) -> None:
        """Raises Problem where no round may begin."""
        if self.changed:
            raise Problem("BUILD_UNAVAILABLE", "files of the service have changed; no round begins until it is checked")

    def start(self, stores: Stores) -> None:
        self._background.begin(self._run(stores))

    async def stop(self) -> None:
        await self._background.end()

    async def _run(self, stores: Stores) -> None:
        told: Sequence[str] = ()
        while True:
            if self.changed:
                log.error("critical files have changed, no round begins: %s", ", ".join(self.changed[:SHOWN_MAX]))
            if self.changed != told:
                told = self.changed if await self._tell(stores) else told
            await asyncio.sleep(self._config.rehash_s)
            await self.look()

    async def look(self) -> None:
        """Hashes again. What has changed once stays so until the worker ends."""
        now = await asyncio.to_thread(lambda: hashed(critical_files(self._config)))
        names = sorted(name for name in now.keys() | self._first.keys() if now.get(name) != self._first.get(name))
        self.changed = tuple(dict.fromkeys((*self.changed, *names)))

    async def take_models(self) -> None:
        """The models that were read again are right from now on, unless RGS_FILES_DIGEST says which they have to be."""
        if self._config.files_digest:
            await self.look()
            return
        now = await asyncio.to_thread(lambda: hashed(critical_files(self._config)))
        self._first = with_models(self._first, now)
        self.changed = tuple(name for name in self.changed if not name.startswith(MODELS))

    async def _tell(self, stores: Stores) -> bool:
        """Writes the fact; False where the database did not take it, to be tried again."""
        try:
            async with stores() as store:
                await AuditStore(store.connection).add_fact("files", "changed", json.dumps({"changed": self.changed}))
        except (Problem, asyncpg.PostgresError) as error:
            log.error("that files have changed could not be logged: %s", error)
            return False
        return True


class FoundFiles:
    """What the supervisor found at the start, and the facts of it; its workers have to find the same."""

    def __init__(self, url: str, config: Config) -> None:
        self._url = url
        self._config = config
        self._digests: Mapping[str, str] = {}

    async def tell_start(self) -> Config:
        """Writes the fact of a start. Returns the settings of workers."""
        self._digests = hashed(critical_files(self._config))
        return await self._tell("start")

    async def tell_models(self) -> Config:
        """Writes the fact that models are read again, and which there are now. Returns the settings of workers that start from
        now on: whatever else has changed is still not what they have to find."""
        now = await asyncio.to_thread(lambda: hashed(critical_files(self._config)))
        self._digests = with_models(self._digests, now)
        return await self._tell("models")

    async def _tell(self, kind: str) -> Config:
        """Version, settings and files."""
        config, digest = self._config, digest_of(self._digests)
        settings = {
            field.name: getattr(config, field.name) for field in fields(Config) if not field.name.endswith(SECRET)
        }
        fact = {"version": rgs_core.__version__, "files_digest": digest, "settings": settings, "files": self._digests}
        connection = await asyncpg.connect(self._url, timeout=CONNECT_S)
        try:
            await AuditStore(connection).add_fact(kind, digest, json.dumps(fact, ensure_ascii=False))
        finally:
            await connection.close()
        return replace(config, files_found=digest)
