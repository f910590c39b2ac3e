"""Durable spins against the same handler without a database and with a transaction a spin.

    python bench/bench_spins.py [--tiny] [--seconds 3] [--repetitions 3] [--connections 1,8,32,128] [--rate 4000]

All servers have one worker, are alive at the same time and are loaded in turn; a cell is the median of its repetitions. Every
spin is signed, new and written with synchronous_commit=on. The load comes from a C program (bench/load.c) with requests
that were prepared before: closed loops over several connections, then an open loop at a constant rate whose latencies
count from the moment when a spin was due. Server, PostgreSQL and load share the machine: read the ratios.

The last table is two workers against one.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import itertools
import os
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram
from rgs_server.config import environment_of

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_latency import commits, histogram
from bench_server import open_sessions, spin_requests
from service_process import Service, children, free_port, wait_for

HERE = Path(__file__).parent
NAMES = {
    "service": "the service",
    "memory": "without a database",
    "transaction": "a transaction a spin",
}
RATE_MOST = 24_000
"""Spins a second that requests are prepared for."""


@dataclass
class Cell:
    """One run: answers a second, latencies in microseconds, refused ones."""

    rate: float
    latencies: HdrHistogram
    refused: int
    cpu_us: tuple[float, float] = (0.0, 0.0)
    """Of the server and of PostgreSQL, for each spin: what noise on the machine changes least."""

    def ms(self, share: float) -> float:
        return float(self.latencies.get_value_at_percentile(share)) / 1000


class Load:
    """The generator, compiled once, with requests for many runs."""

    def __init__(self, folder: Path, requests: Iterator[bytes]) -> None:
        self.folder, self.requests = folder, requests
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "cc"
        self.program = folder / "load"
        subprocess.run([compiler, "-O2", "-o", str(self.program), str(HERE / "load.c")], check=True)

    def prepare(self, count: int, name: str = "requests") -> Path:
        """A file of the next requests; each is sent once in all runs."""
        prepared = self.folder / name
        with prepared.open("wb") as file:
            for request in itertools.islice(self.requests, count):
                file.write(struct.pack("<I", len(request)) + request)
        return prepared

    def start(self, prepared: Path, port: int, connections: int, seconds: float, rate: float) -> Running:
        """Begins to send requests to one server."""
        latencies = prepared.with_suffix(".latencies")
        arguments = [port, prepared, connections, seconds, rate, latencies]
        pipe = subprocess.PIPE
        process = subprocess.Popen([self.program, *map(str, arguments)], stdout=pipe, stderr=pipe, text=True)
        return Running(process, latencies)

    def run(self, port: int, connections: int, seconds: float, rate: float = 0, most: int = 0) -> Cell:
        """Requests for one server, until they are answered."""
        prepared = self.prepare(most or int((rate or RATE_MOST) * seconds) + 200)
        return self.start(prepared, port, connections, seconds, rate).cell()


@dataclass(frozen=True)
class Running:
    """A load that is under way."""

    process: subprocess.Popen[str]
    latencies: Path

    def stop(self) -> None:
        """Nothing more is sent."""
        self.process.terminate()

    def cell(self) -> Cell:
        """Waits for its end. Raises RuntimeError when it could not go on."""
        written, complaints = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(complaints)
        answered, taken, refused = written.split()
        if int(refused):
            print(f"{refused} refused: {complaints}", file=sys.stderr)
        latencies = histogram()
        found = array.array("I", self.latencies.read_bytes())
        for us in found:
            latencies.record_value(max(1, us & 0x7FFFFFFF))
        return Cell(int(answered) / float(taken), latencies, int(refused))


def cpu_seconds(pids: list[int]) -> float:
    """What processes have used so far."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def watched(load: Load, server: list[int], service: Service, *arguments: Any, **options: Any) -> Cell:
    """A run with the processor time that server and database took for it."""
    postmaster = service.postgres()
    database = [postmaster, *children(postmaster)]
    before = cpu_seconds(server), cpu_seconds(database)
    cell = load.run(*arguments, **options)
    spins = max(1, cell.latencies.get_total_count())
    cell.cpu_us = (
        1e6 * (cpu_seconds(server) - before[0]) / spins,
        1e6 * (cpu_seconds(database) - before[1]) / spins,
    )
    return cell


def variant(name: str, service: Service) -> tuple[subprocess.Popen[bytes], int]:
    """A process with another form of the handler, on the same database."""
    port = free_port()
    config = replace(service.config, database_url=service.database_url, port=port)
    # In front of what is there: both sides must be of the same checkout.
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    environment = os.environ | environment_of(config) | {"PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, str(HERE / "spin_variants.py"), name, str(port)], env=environment)
    wait_for(lambda: listening(port) or process.poll() is not None)
    return process, port


def listening(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def measure(service: Service, folder: Path, args: argparse.Namespace) -> None:
    asyncio.run(open_sessions(service, args.sessions))
    requests = spin_requests(service, args.sessions)
    load = Load(folder, requests)
    processes = {name: variant(name, service) for name in ("memory", "transaction")}
    ports = {"service": service.config.port, **{name: port for name, (_, port) in processes.items()}}
    connections = [int(text) for text in args.connections.split(",")]
    try:
        for port in ports.values():
            load.run(port, 8, min(1.0, args.seconds), most=2000)  # plans, caches
        closed: dict[tuple[str, int], list[Cell]] = {}
        opened: list[tuple[Cell, float]] = []
        for _ in range(args.repetitions):
            for count in connections:
                for name, port in ports.items():
                    # Sessions are shared: the memory variant knows nothing of what others have played.
                    pids = service.workers() if name == "service" else [processes[name][0].pid]
                    cell = watched(load, pids, service, port, count, args.seconds)
                    closed.setdefault((name, count), []).append(cell)
            base = asyncio.run(commits(service.database_url, min(2.0, args.seconds)))
            cell = load.run(ports["service"], 128, args.seconds, rate=args.rate)
            opened.append((cell, base.get_value_at_percentile(99.0) / 1000))
    finally:
        for process, _ in processes.values():
            process.send_signal(signal.SIGKILL)
            process.wait()
    report(closed, connections)
    ratios = [cell.ms(99.0) / base for cell, base in opened]
    cell, base = opened[len(opened) // 2]
    print(
        f"\n{args.rate:g} due a second: p50 {cell.ms(50):.2f} ms, p99 {cell.ms(99):.2f} ms, reached {cell.rate:.0f}/s;"
        f" p99 is {statistics.median(ratios):.1f} x that of one commit ({base:.2f} ms)"
    )


def report(closed: dict[tuple[str, int], list[Cell]], connections: list[int]) -> None:
    heads = f"{'spins/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'us server':>10} {'us database':>12}"
    print(f"{'':24} {'c':>4} {heads}   rate of the service / it   p99 of the service / it")
    for count in connections:
        rates = {name: statistics.median(cell.rate for cell in closed[name, count]) for name in NAMES}
        p99 = {name: statistics.median(cell.ms(99) for cell in closed[name, count]) for name in NAMES}
        for name, label in NAMES.items():
            p50 = statistics.median(cell.ms(50) for cell in closed[name, count])
            paired = list(zip(closed["service", count], closed[name, count], strict=True))
            rate = "" if name == "service" else f"{statistics.median(a.rate / b.rate for a, b in paired):.2f}"
            tail = "" if name == "service" else f"{statistics.median(a.ms(99) / b.ms(99) for a, b in paired):.2f}"
            cpu = [statistics.median(cell.cpu_us[i] for cell in closed[name, count]) for i in (0, 1)]
            figures = f"{rates[name]:9.0f} {p50:8.2f} {p99[name]:8.2f} {cpu[0]:10.0f} {cpu[1]:12.0f}"
            print(f"{label:24} {count:4} {figures}   {rate:>24}   {tail:>23}")


def workers(args: argparse.Namespace) -> None:
    """Two workers against one, each a service of its own, in turn."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(max(1, args.repetitions - 1)):
        for count, rates in found.items():
            with tempfile.TemporaryDirectory() as folder:
                service = Service(Path(folder), workers=count)
                service.start()
                try:
                    asyncio.run(open_sessions(service, args.sessions))
                    load = Load(Path(folder), spin_requests(service, args.sessions))
                    load.run(service.config.port, 8, min(1.0, args.seconds), most=2000)
                    rates.append(load.run(service.config.port, 128, args.seconds).rate)
                finally:
                    service.stop()
                    service.remove()
    one, two = (statistics.median(rates) for rates in found.values())
    print(f"\ntwo workers, c = 128: {two:.0f} spins/s, {two / one:.2f} x one")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="short: only that it works")
    arguments.add_argument("--seconds", type=float, default=3.0, help="of each cell (default: %(default)s)")
    arguments.add_argument("--repetitions", type=int, default=3, help="of every cell (default: %(default)s)")
    arguments.add_argument("--connections", default="1,8,32,128", help="of the closed loops (default: %(default)s)")
    arguments.add_argument(
        "--sessions", type=int, default=1024, help="that take turns, as players do (default: %(default)s)"
    )
    arguments.add_argument("--rate", type=float, default=4000.0, help="of the open loop (default: %(default)s)")
    arguments.add_argument("--no-workers", action="store_true", help="leave the last table out")
    args = arguments.parse_args()
    if args.tiny:
        args = argparse.Namespace(
            seconds=0.3, repetitions=1, connections="1,8", sessions=64, rate=100.0, no_workers=False
        )
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), workers=1)
        service.start()
        try:
            measure(service, Path(folder), args)
        finally:
            service.stop()
            service.remove()
    if not args.no_workers:
        workers(args)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
