"""A job that goes on beside the answers of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Begun once, and ended with the worker."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        return self._task is not None

    def begin(self, job: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(job, name=self._name)

    async def end(self) -> None:
        """Cancels the job and waits until it is over; how it ends is nobody's concern."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
