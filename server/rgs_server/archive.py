"""Builds that were served once: each is written down with its model file, so that its rounds can be rebuilt when the file
is gone (ADR 7).

What is read back is believed only when the model still has the hash it was written under; nobody plays it: it serves
recall and replay alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from rgs_core._engine import Engine
from rgs_core.errors import RgsError
from rgs_core.language.model import MECHANIC_VERSION, Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import Outcome
from rgs_core.stages import StagedRounds
from rgs_server.catalogue import Playable, played
from rgs_server.clock import Clock
from rgs_server.store import Stores

log = logging.getLogger("rgs.archive")

REBUILT_MAX = 32
"""Engines of retired builds that are kept."""


class BuildLost(Exception):
    """A build cannot be made again; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A build in one mode with its compiled engine, from the catalogue or from the archive."""

    build: Build
    engine: Engine
    retired: bool

    def play(self, key: bytes, nonce: int, policy: str) -> Outcome:
        """A round as it was played by a policy."""
        return played(self.build, self.engine, key, nonce, policy).outcome


class BuildArchive:
    """Writes down what is served, and makes builds again that are served no more."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores = stores
        self._clock = clock
        self._rebuilt: OrderedDict[tuple[str, str], Rebuilt] = OrderedDict()
        self._making = asyncio.Lock()

    async def keep(self, catalogue: Mapping[str, Playable]) -> None:
        """Writes the builds down that were never served before: before any round of them can be played."""
        async with self._stores() as store:
            new = sorted(await store.unknown_builds(list(catalogue)))
            if not new:
                return
            builds = [(catalogue[name].build, catalogue[name].source) for name in new]
            rows = [(build.build_hash, build.model.id, build.profile.name, source) for build, source in builds]
            await store.add_builds(rows, MECHANIC_VERSION, self._clock())
        log.info("%d builds are served for the first time", len(new))

    async def find(self, catalogue: Mapping[str, Playable], build_hash: str, mode: str) -> Rebuilt:
        """A build in a mode. Raises BuildLost."""
        served = catalogue.get(build_hash)
        playable = None if served is None else served.in_mode(mode)
        if playable is not None:
            return Rebuilt(playable.build, playable.engine, retired=False)
        # One at a time: a model takes a while to be read, and nobody asks for many.
        async with self._making:
            kept = self._rebuilt.get((build_hash, mode))
            if kept is None:
                kept = self._rebuilt[build_hash, mode] = await self._make(build_hash, mode)
                while len(self._rebuilt) > REBUILT_MAX:
                    self._rebuilt.popitem(last=False)
            self._rebuilt.move_to_end((build_hash, mode))
            return kept

    async def staged(self, catalogue: Mapping[str, Playable], build_hash: str, mode: str) -> StagedRounds:
        """What plays rounds of a build in stages: those that wait go on, also when it is served no more. Raises BuildLost."""
        served = catalogue.get(build_hash)
        playable = None if served is None else served.in_mode(mode)
        if playable is not None and playable.staged is not None:
            return playable.staged
        return StagedRounds((await self.find(catalogue, build_hash, mode)).build)

    async def _make(self, build_hash: str, mode: str) -> Rebuilt:
        async with self._stores() as store:
            record = await store.find_build(build_hash)
        if record is None:
            raise BuildLost(f"build {build_hash} is not loaded here and was never written down")
        if record["mechanic_version"] != MECHANIC_VERSION:
            version = record["mechanic_version"]
            raise BuildLost(f"build {build_hash} is of mechanic {version}, this version plays {MECHANIC_VERSION}")
        try:
            return await asyncio.to_thread(rebuild, record["source"], record["profile"], mode, build_hash)
        except (RgsError, KeyError) as error:
            log.error("build %s cannot be made again: %s", build_hash, error)
            raise BuildLost(f"the model of build {build_hash} cannot be read by this version") from error


def rebuild(source: str, profile: str, mode: str, build_hash: str) -> Rebuilt:
    """The build of a model file's text. Raises ModelError, KeyError for a profile or mode that it has not, or BuildLost
    where it is another one than `build_hash`."""
    build = loads(source, source=build_hash).build(profile, mode)
    if build.build_hash != build_hash:
        log.error("what is written down as %s is %s", build_hash, build.build_hash)
        raise BuildLost(f"what is written down as build {build_hash} is another one: {build.build_hash}")
    return Rebuilt(build, Engine(build), retired=True)
