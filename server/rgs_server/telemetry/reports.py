"""How numbers come from a worker to the supervisor: a line of JSON every second, down a pipe that both have from the start.

Nobody waits for anybody: a worker leaves out a report while the one before is still in the pipe, and the page is made of
what was reported last, also of a worker that hangs. One that is killed takes the counts of its last second along.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable

import orjson

from rgs_server.background import Background
from rgs_server.telemetry.instruments import Snapshot
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.metrics")

EVERY_S = 1.0
LINE_BYTES_MAX = 16 * 1024 * 1024
PIPE_BYTES = 1024 * 1024
"""So that a report fits at once; the kernel may allow less."""


class Reporter:
    """Sends the metrics of this worker down a pipe; `descriptor` None: to nobody."""

    def __init__(self, metrics: Metrics, descriptor: int | None) -> None:
        self._metrics = metrics
        self._descriptor = descriptor
        self._lag_s = 0.0
        self._background = Background("metrics")
        metrics.watch("rgs_loop_lag_seconds", lambda: self._lag_s)

    def start(self) -> None:
        if self._descriptor is not None:
            self._background.begin(self._run(self._descriptor))

    async def stop(self) -> None:
        """Sends the last numbers, as far as they fit."""
        await self._background.end()

    async def _run(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(descriptor, "wb", 0))
        try:
            while True:
                due = loop.time() + EVERY_S
                await asyncio.sleep(EVERY_S)
                self._lag_s = max(0.0, loop.time() - due)
                if transport.is_closing():
                    return
                if not transport.get_write_buffer_size():
                    transport.write(orjson.dumps(self._metrics.snapshot()) + b"\n")
        finally:
            if not transport.is_closing() and not transport.get_write_buffer_size():
                transport.write(orjson.dumps(self._metrics.snapshot()) + b"\n")
            transport.close()


def report_pipe() -> tuple[int, int]:
    """A pipe with room for a report: (to read from, to write to). Only who is handed an end inherits it."""
    read_end, write_end = os.pipe()
    try:
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (AttributeError, OSError):  # another system, or the user has too many
        log.debug("pipes of reports keep their usual size")
    return read_end, write_end


async def read_reports(read_end: int, take: Callable[[Snapshot], None]) -> None:
    """Hands on each report until the worker has ended. Lines that cannot be read are left out."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
    )
    try:
        while True:
            try:
                line = await reader.readline()
                if line.endswith(b"\n"):
                    take(orjson.loads(line))
                else:  # the end, perhaps in the middle of a line that a killed worker wrote
                    return
            except ValueError as error:
                log.warning("a report of a worker cannot be read: %s", error)
    finally:
        transport.close()
