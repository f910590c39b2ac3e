"""Where the microseconds of a spin go: the stages of one worker, timed from within while spins come over HTTP.

    python bench/bench_budget.py [--tiny] [--seconds 5] [--connections 1,32,128]

The worker is the service's own, in this process, on the database of a service beside it. A stage is timed by a clock before
and after the function that does it, without those that it calls and that are stages themselves. Times are of the wall: what
the machine does meanwhile for others counts too. `processor` is what the whole worker used, and the database, for each spin.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web
from rgs_server import answers, happenings, spin_listener
from rgs_server.app import create_app
from rgs_server.catalogue import load_catalogue
from rgs_server.drawing import Drawing
from rgs_server.gate import Gate
from rgs_server.logs import configure_logging
from rgs_server.master_key import read_master_keys
from rgs_server.registry import read_registry
from rgs_server.sealing import Sealer
from rgs_server.service import Service as Handlers
from rgs_server.sessions import Rulebook
from rgs_server.spin_lane import Lane
from rgs_server.spin_listener import SpinConnection, SpinListener
from rgs_server.spins import SpinDesk
from rgs_server.store import Store

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_server import open_sessions, spin_requests
from bench_spins import Cell, Load, cpu_seconds
from service_process import Service, children, free_port

KEEPALIVE_S = 75
STAGES = (
    ("read the head of the request", spin_listener, "fields"),
    ("check signature and caller", Gate, "operator"),
    ("decode the body", SpinDesk, "_decode"),
    ("check and draw", Drawing, "draw"),
    ("encode the answer", answers, "spin_answer"),
    ("encode the event", happenings, "spin_finished"),
    ("write: the statement and its commit", Store, "commit_spins"),
    ("answer those who wait", Lane, "_write"),
    ("write the response", SpinConnection, "_written"),
)


class Clock:
    """Seconds and calls of each stage, without those of stages within it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.rows = 0
        self._within: list[float] = [0.0]

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(function):
            # Another spin may run while this one waits: what it takes is this one's waiting.
            async def timed(*args: Any, **options: Any) -> Any:
                begun = time.perf_counter()
                try:
                    return await function(*args, **options)
                finally:
                    self.seconds[name] += time.perf_counter() - begun
                    self.calls[name] += 1

            return timed

        def measured(*args: Any, **options: Any) -> Any:
            self._within.append(0.0)
            begun = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                taken = time.perf_counter() - begun
                inner = self._within.pop()
                self._within[-1] += taken
                self.seconds[name] += taken - inner
                self.calls[name] += 1

        return measured


def watch() -> Clock:
    """Puts clocks around the stages."""
    clock = Clock()
    for name, owner, attribute in STAGES:
        found = vars(owner)[attribute]
        assert not isinstance(found, staticmethod), attribute
        setattr(owner, attribute, clock.wrap(name, found))
    return clock


async def serve(service: Service, args: argparse.Namespace, folder: Path) -> None:
    """A worker in this process; the load comes from another one."""
    port = free_port()
    config = replace(service.config, database_url=service.database_url, port=port)
    rules = Rulebook(load_catalogue(""), read_registry("", ""), "strictest", {})
    handlers = Handlers(config, config.database_url, rules, Sealer(*read_master_keys(config.master_key_path)))
    runner = web.AppRunner(create_app(handlers), access_log=None)
    await runner.setup()
    assert runner.server is not None
    listener = SpinListener(handlers, runner.server, KEEPALIVE_S)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(listener.connection, "127.0.0.1", port)
    load = Load(folder, spin_requests(service, args.sessions))
    postgres = service.postgres()
    with ThreadPoolExecutor(1) as threads:
        await loop.run_in_executor(threads, lambda: load.run(port, 8, min(1.0, args.seconds), most=2000))
        for connections in args.connections:
            clock = watch()
            database = [postgres, *children(postgres)]
            before = time.process_time(), cpu_seconds(database)
            load_once = lambda: load.run(port, connections, args.seconds)  # noqa: B023, E731
            cell: Cell = await loop.run_in_executor(threads, load_once)
            spent = time.process_time() - before[0], cpu_seconds(database) - before[1]
            report(connections, cell, clock, spent)
            unwatch()
    server.close()
    await listener.stop(1)
    await runner.cleanup()


ORIGINALS = {(owner, attribute): vars(owner)[attribute] for _, owner, attribute in STAGES}


def unwatch() -> None:
    for (owner, attribute), function in ORIGINALS.items():
        setattr(owner, attribute, function)


def report(connections: int, cell: Cell, clock: Clock, spent: tuple[float, float]) -> None:
    spins_played = max(1, cell.latencies.get_total_count())
    batches = max(1, clock.calls["write: the statement and its commit"])
    latency = 1000 * cell.ms(50)
    print(
        f"\n{connections} connections: {cell.rate:.0f} spins/s, p50 {latency:.0f} us, {spins_played / batches:.1f} spins a commit;"
        f" processor: worker {1e6 * spent[0] / spins_played:.0f} us a spin, database {1e6 * spent[1] / spins_played:.0f} us"
    )
    write = clock.seconds["write: the statement and its commit"]
    for name, _, _ in STAGES:
        seconds = clock.seconds[name]
        if name == "answer those who wait":  # around the commit, and does its own work behind it
            seconds -= write
        if name == "write: the statement and its commit":
            print(
                f"  {name:40} {1e6 * seconds / batches:8.1f} us a batch {1e6 * seconds / spins_played:8.1f} us a spin"
            )
        else:
            print(f"  {name:40} {'':17} {1e6 * seconds / spins_played:10.1f} us a spin")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="short: only that it works")
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each run (default: %(default)s)")
    arguments.add_argument("--connections", default="1,32,128", help="of the runs (default: %(default)s)")
    arguments.add_argument("--sessions", type=int, default=1024, help="that take turns (default: %(default)s)")
    args = arguments.parse_args()
    if args.tiny:
        args.seconds, args.connections, args.sessions = 0.3, "1,8", 64
    args.connections = [int(text) for text in args.connections.split(",")]
    configure_logging("warning")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), workers=1)
        service.start()
        try:
            asyncio.run(open_sessions(service, args.sessions))
            uvloop.run(serve(service, args, Path(folder)))
        finally:
            service.stop()
            service.remove()


if __name__ == "__main__":
    main()
