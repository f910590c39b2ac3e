"""What is read from the database by a name and trusted for a while, so that a request does not wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

KEPT_MAX = 10_000
UNKNOWN_S = 1
"""How long it is remembered that there is nothing of a name: long enough against floods, short for what is new."""

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by name. `read` gives one, or None where there is none."""

    def __init__(self, read: Callable[[str], Awaitable[T | None]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._values: dict[str, tuple[float, T | None]] = {}
        self._reading: dict[str, asyncio.Future[T | None]] = {}

    async def get(self, name: str) -> T | None:
        """The value of a name; None where there is none, or where it could not be the name of anything."""
        kept = self._values.get(name)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        if len(name) > 255 or not name.isprintable():
            return None
        reading = self._reading.get(name)
        if reading is None:  # one read, however many requests wait for it
            reading = self._reading[name] = asyncio.ensure_future(self._read_now(name))
            reading.add_done_callback(lambda _: self._reading.pop(name, None))
        return await asyncio.shield(reading)

    def forget(self, name: str) -> None:
        """Reads the value of a name again when it is asked for."""
        self._values.pop(name, None)

    async def _read_now(self, name: str) -> T | None:
        value = await self._read(name)
        if len(self._values) >= KEPT_MAX:
            self._values.clear()
        seconds = self._seconds if value is not None else min(UNKNOWN_S, self._seconds)
        self._values[name] = (time.monotonic() + seconds, value)
        return value
