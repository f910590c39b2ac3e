"""Workers that serve at once: a process that has loaded everything forks one for each line that it reads.

Each of them is a worker like those of the supervisor, with the same `main`; only its imports and the catalogue, which is
never changed, are there already. Run as a script; a line is JSON {"environment", "log", "clock"}, answered with a pid.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rgs_server import worker
from rgs_server.clock import Clock, system_clock


def clock_with_offset(file: str) -> Clock:
    """The system's clock and as many seconds as a file says now."""

    def clock() -> datetime:
        return system_clock() + timedelta(seconds=float(Path(file).read_text()))

    return clock


def become_worker(order: dict[str, Any]) -> int:
    """The exit code of a worker."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, place)
    os.environ.update(order["environment"])
    if order["clock"]:
        worker.Service = partial(worker.Service, clock=clock_with_offset(order["clock"]))  # type: ignore[misc,assignment]
    sys.argv = ["worker", str(os.getppid())]
    return worker.main()


def main() -> None:
    catalogue = worker.load_catalogue("")
    worker.load_catalogue = lambda folder, in_production: catalogue  # type: ignore[assignment]
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = become_worker(json.loads(line))
            finally:
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
