"""The certified law of each build that is played: what its rounds are judged by."""

from __future__ import annotations

import logging

from rgs_core.errors import RgsError
from rgs_core.language.model import Build
from rgs_core.monitor.null_law import NullLaw, certificate_null, exact_null
from rgs_core.sheet.sheet import Sheet
from rgs_core.stages import has_choices
from rgs_server.archive import BuildArchive, BuildLost
from rgs_server.sessions import Rulebook

log = logging.getLogger("rgs.monitor")

Key = tuple[str, str]
"""Build hash and mode."""


class Laws:
    """Laws by build and mode; each is reckoned once, which takes seconds for some."""

    def __init__(self, rules: Rulebook, archive: BuildArchive) -> None:
        self.rules = rules
        self.archive = archive
        self.found: dict[Key, NullLaw] = {}
        self.missing: dict[Key, str] = {}
        """Why a build has no law to be judged by."""

    async def of(self, keys: set[Key]) -> dict[Key, NullLaw]:
        """The laws that there are."""
        for key in sorted(keys - self.found.keys() - self.missing.keys()):
            try:
                rebuilt = await self.archive.find(self.rules.catalogue, *key)
                self.found[key] = self._law(rebuilt.build)
            except (BuildLost, RgsError) as error:
                log.warning("rounds of build %s, mode %s, are not judged: %s", *key, error)
                self.missing[key] = str(error)
        return {key: self.found[key] for key in keys & self.found.keys()}

    def _law(self, build: Build) -> NullLaw:
        """Raises RgsError where a build has none."""
        if has_choices(build):
            raise RgsError(f"{build.label} leaves choices to its players, so its wins have no one law")
        sheet = Sheet.of(build)
        if sheet.law is not None:
            return exact_null(sheet)
        served = self.rules.catalogue.get(build.build_hash)
        playable = None if served is None else served.in_mode(build.mode)
        if playable is None:
            raise RgsError(f"{build.label} has no exact law, and its certificate is not here any more")
        return certificate_null(build, playable.certificate)
