"""The latency of spins at constant rates, corrected for coordinated omission.

    python bench/bench_latency.py [--tiny] [--seconds 10] [--rates 250,500,1000,2000] [--workers 1]

Open loop: every spin has a moment at which it is due, whatever became of those before, and its latency counts from that
moment, also while it waits for a connection (Tene, "How NOT to measure latency"). Histograms are HDR, of three digits. The
baseline, in the same run, is one commit of one row over one connection, one after the other, which is what a disk and a
round trip take alone. The load comes from this process, on the cores that the service uses too: read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import uvloop
from hdrh.histogram import HdrHistogram

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_server import open_sessions, spin_requests
from service_process import Service

CONNECTIONS = 128
SHARES = (50.0, 90.0, 99.0, 99.9)
MOST_US = 60_000_000


def histogram() -> HdrHistogram:
    """Of microseconds, up to a minute."""
    return HdrHistogram(1, MOST_US, 3)


class Connection(asyncio.Protocol):
    """One request at a time; tells the generator when it is free again."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.buffer = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.generator.free.append(self)

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self.buffer = b""
        self.generator.answered(self, head.startswith(b"HTTP/1.1 200"))


class Generator:
    """Sends requests when they are due, over the first connection that is free."""

    def __init__(self, requests: Iterator[bytes], rate: float, seconds: float) -> None:
        count = int(rate * seconds)
        self.requests = list(itertools.islice(requests, count))
        self.rate = rate
        self.free: list[Connection] = []
        self.waiting: deque[tuple[bytes, float]] = deque()
        self.latencies = histogram()
        self.refused = 0
        self.open = count
        self.done = asyncio.get_running_loop().create_future()
        self.finished_at = 0.0

    def due(self, request: bytes, moment: float) -> None:
        if self.free:
            self.free.pop().send(request, moment)
        else:
            self.waiting.append((request, moment))

    def answered(self, connection: Connection, taken: bool) -> None:
        now = time.perf_counter()
        self.latencies.record_value(max(1, min(MOST_US, int(1e6 * (now - connection.due)))))
        self.refused += not taken
        self.open -= 1
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.free.append(connection)
        if not self.open:
            self.finished_at = now
            self.done.set_result(None)

    async def run(self, port: int) -> float:
        """Plays the whole schedule; returns answers a second."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
        started = time.perf_counter()
        for n, request in enumerate(self.requests):
            moment = started + n / self.rate
            while (pause := moment - time.perf_counter()) > 0:
                await asyncio.sleep(pause if pause > 0.001 else 0)
            self.due(request, moment)
            if n % 64 == 0:
                await asyncio.sleep(0)  # answers are read also while the schedule is behind
        await asyncio.wait_for(self.done, 120)
        for connection in self.free:
            connection.transport.close()
        return len(self.requests) / (self.finished_at - started)


async def commits(url: str, seconds: float) -> HdrHistogram:
    """One row a commit over one connection: the least that anything durable takes."""
    latencies = histogram()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS bench_commits (id bigserial PRIMARY KEY, body text)")
    statement = await connection.prepare("INSERT INTO bench_commits (body) VALUES ($1)")
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        await statement.fetch("x" * 200)
        latencies.record_value(max(1, int(1e6 * (time.perf_counter() - started))))
    await connection.close()
    return latencies


def line(name: str, rate: float, latencies: HdrHistogram, base_us: float | None, refused: int = 0) -> str:
    figures = " ".join(f"{latencies.get_value_at_percentile(share) / 1000:8.2f}" for share in SHARES)
    ratio = "" if base_us is None else f"{latencies.get_value_at_percentile(99.0) / base_us:8.1f}"
    note = f"   {refused} refused" if refused else ""
    return f"{name:30} {rate:8.0f} {figures} {latencies.get_max_value() / 1000:8.2f} {ratio}{note}"


async def measure(service: Service, rates: list[float], seconds: float) -> None:
    await open_sessions(service)
    requests = spin_requests(service)
    await Generator(requests, 200, min(2.0, seconds)).run(service.config.port)  # plans, caches
    base = await commits(service.database_url, seconds)
    base_us = base.get_value_at_percentile(99.0)
    heads = " ".join(f"p{share:g} ms".rjust(8) for share in SHARES)
    print(f"{'':30} {'a second':>8} {heads} {'most ms':>8} {'p99 / it':>8}")
    print(line("one commit, one connection", base.get_total_count() / seconds, base, None))
    for rate in rates:
        generator = Generator(requests, rate, seconds)
        reached = await generator.run(service.config.port)
        print(line(f"spins, {rate:g} due a second", reached, generator.latencies, base_us, generator.refused))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="short: only that it works")
    arguments.add_argument("--seconds", type=float, default=10.0, help="of each rate (default: %(default)s)")
    arguments.add_argument("--rates", default="250,500,1000,2000", help="spins due a second (default: %(default)s)")
    arguments.add_argument("--workers", type=int, default=1, help="of the service (default: %(default)s)")
    args = arguments.parse_args()
    rates = [float(rate) for rate in args.rates.split(",")]
    if args.tiny:
        rates, args.seconds = [100.0], 0.5
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), workers=args.workers)
        service.start()
        try:
            uvloop.run(measure(service, rates, args.seconds))
        finally:
            service.stop()
            service.remove()


if __name__ == "__main__":
    main()
