"""The files behind the rules of play, read again while the service runs: the signed registry, and the folder of models.

The registry is read again when its file or key has changed, and both at SIGHUP. What is new is read and checked beside the
event loop, told to the audit log, and then put in place at once; what cannot be used leaves all as it was, and the log says
why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from rgs_core.errors import RgsError
from rgs_server.archive import BuildArchive
from rgs_server.audit.audit_store import AuditStore
from rgs_server.catalogue import load_folder
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.registry import Registry, RegistryRefused, read_registry
from rgs_server.sessions import Rulebook
from rgs_server.store import Stores

log = logging.getLogger("rgs.rules")

LOOK_S = 2.0
"""Between looks whether the registry has changed."""

Mark = tuple[tuple[int, int, int] | None, ...]


def mark_of(files: Sequence[str]) -> Mark:
    """What tells a file from the one that was there before: time of its change, size, inode; None where there is none."""
    marks: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            found = Path(file).stat()
        except OSError:
            marks.append(None)
        else:
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(marks)


class RuleFiles:
    """Keeps the rulebook of a worker up to date."""

    def __init__(self, config: Config, rules: Rulebook, archive: BuildArchive, stores: Stores) -> None:
        self._config = config
        self._stores = stores
        self._rules = rules
        self._archive = archive
        self._files = [config.registry_file, config.registry_key_file] if config.registry_file else []
        self._mark: Mark | None = None
        self._reading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Tells which registry is in force, and watches it. Raises Problem where the database does not answer."""
        if self._files:
            await self._tell(self._rules.registry)
            self._run(self._watch())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reload(self) -> None:
        """Reads everything again, soon: for a handler of a signal."""
        self._run(self._reload())

    def _run(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        """The first look reads once more what was read at the start: it may have changed in between."""
        while True:
            mark = await asyncio.to_thread(mark_of, self._files)
            if mark != self._mark:
                await self._read_registry(mark)
            await asyncio.sleep(LOOK_S)

    async def _reload(self) -> None:
        if self._files:
            await self._read_registry(await asyncio.to_thread(mark_of, self._files))
        if self._config.models_dir:
            await self._read_models()

    async def _read_registry(self, mark: Mark) -> None:
        """`mark` was taken before, so that a change while it is read is seen by the next look."""
        config = self._config
        async with self._reading:
            self._mark = mark
            try:
                registry = await asyncio.to_thread(read_registry, config.registry_file, config.registry_key_file)
                await self._tell(registry)
            except RegistryRefused as error:
                log.error("registry refused, the old one stays: %s", error)
            except Problem as problem:
                self._mark = None  # it is read again at the next look
                log.error("a registry that cannot be told to the audit log waits: %s", problem.detail)
            except Exception:
                log.exception("registry refused, the old one stays")
            else:
                self._rules.registry = registry
                log.info("registry in force: entries=%d builds=%d", registry.entries, registry.builds)

    async def _tell(self, registry: Registry) -> None:
        """Writes the fact of a registry, unless it is there. Raises Problem."""
        async with self._stores() as opened, opened.connection.transaction():
            store = AuditStore(opened.connection)
            await store.wait_for_registry()
            await store.tell_registry(registry.file_digest, registry.fact().decode())

    async def _read_models(self) -> None:
        """Adds builds; those whose files are gone are served until the next start, as sessions may have them."""
        async with self._reading:
            try:
                config = self._config
                found = await asyncio.to_thread(load_folder, config.models_dir, in_production=config.in_production)
                new = found.keys() - self._rules.catalogue.keys()
                await self._archive.keep(found)
            except (RgsError, OSError) as error:
                log.error("models refused, the old ones stay: %s", error)
            except Problem as problem:
                log.error("models refused, the old ones stay: %s", problem.detail)
            except Exception:
                log.exception("models refused, the old ones stay")
            else:
                self._rules.catalogue = {**self._rules.catalogue, **found}
                if self._rules.files is not None:
                    await self._rules.files.take_models()
                log.info("models in force: builds=%d new=%d", len(self._rules.catalogue), len(new))
