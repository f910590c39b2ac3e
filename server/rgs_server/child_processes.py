"""Servers that run as children of the supervisor: they end with it, and when it asks them to."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import sys

log = logging.getLogger("rgs.children")

STOP_TIMEOUT_S = 20


async def end_child(process: asyncio.subprocess.Process, asked_by: signal.Signals, name: str) -> None:
    """Sends the signal by which a server ends in order, and kills it when it has not ended in time."""
    if process.returncode is not None:
        return
    process.send_signal(asked_by)
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        log.warning("%s did not stop in %d s and is killed", name, STOP_TIMEOUT_S)
        process.kill()
        await process.wait()


def die_with_parent() -> None:
    """In the child, on Linux: a fast shutdown when the supervisor dies, even by SIGKILL."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGINT)
