"""Whether our clock can be believed: compared with the database's, since times are written to one and compared by both.

Two clocks that agree can both be wrong, so time servers still belong on every machine. But one that has jumped shows here,
and rounds whose times nobody could believe are not begun (GLI-19, 2.2).
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime

from rgs_server.background import Background
from rgs_server.clock import Clock
from rgs_server.contract.problems import Problem
from rgs_server.store import Stores
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.clock")

EVERY_S = 5.0
STOP_S = 5.0
"""From that on no round begins. Alerts tell from half a second on."""


class ClockWatch:
    """Looks at the database's clock now and then."""

    def __init__(self, stores: Stores, clock: Clock, metrics: Metrics) -> None:
        self._stores = stores
        self._clock = clock
        self._offset_s = 0.0
        self._wrong = False
        self._background = Background("clock watch")
        metrics.watch("rgs_clock_offset_seconds", lambda: self._offset_s)

    async def start(self) -> None:
        """Looks once before anything is played, then every few seconds."""
        await self.look()
        self._background.begin(self._run())

    async def stop(self) -> None:
        await self._background.end()

    @property
    def is_right(self) -> bool:
        """Whether rounds may begin."""
        return not self._wrong

    def now(self) -> datetime:
        """The time at which a round begins. Raises Problem CLOCK_WRONG where none may."""
        if self._wrong:
            raise Problem("CLOCK_WRONG", f"the clocks of the service differ by {abs(self._offset_s):.1f} s")
        return self._clock()

    async def look(self) -> None:
        """Compares the clocks; what was seen before stays where the database does not answer."""
        try:
            async with self._stores() as store:
                ours, started = self._clock(), time.monotonic()
                theirs = await store.database_time()
                took_s = time.monotonic() - started
        except Problem:
            return  # logged where it was met
        # The database looked at its clock at some moment in between; the middle is wrong by half of that at most.
        offset_s = (theirs - ours).total_seconds() - took_s / 2
        wrong = abs(offset_s) - took_s / 2 > STOP_S
        if wrong != self._wrong:
            level, say = (logging.ERROR, "no round begins") if wrong else (logging.WARNING, "rounds begin again")
            log.log(level, "the database's clock is %+.3f s from ours: %s", offset_s, say)
        self._offset_s, self._wrong = offset_s, wrong

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except Exception:
                log.exception("the clocks could not be compared")
