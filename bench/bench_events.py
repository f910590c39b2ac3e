"""From a round to its event at a receiver and on the bus: under load, while the receiver is away, and after that.

    python bench/bench_events.py [--tiny] [--rate 500] [--seconds 10] [--outage 10]

Open loop of spins at a constant rate against one worker, with an operator whose receiver and whose bus (the embedded NATS)
both take each event. An event's latency counts from the `time` that it was written with, which is some milliseconds before its
commit, to its arrival here; of events that arrive twice the first arrival counts. The receiver answers 503 for a while in the
second phase; the third counts the rounds that are committed after everything had arrived again. Receiver, subscriber, load,
worker, database and bus share the machine: read the ratios. That to an answer is: the p99 of an event by the p99 of the answer
to its spin, of the same spins.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import asyncpg
import nats
import orjson
import uvloop
from rgs_server.nats_server import find_server
from rgs_server.receivers import set_webhook

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_server import open_sessions, percentile, spin_requests
from bench_spins import Cell, Load
from service_process import Service
from sinks import bus_url

OPERATOR = "op-sandbox"
CONNECTIONS = 64
DRAIN_TIMEOUT_S = 300.0
PROMPT_S = 1.0
"""Events that are owed for no longer than this wait for nothing but their turn."""
SIGNATURE_WINDOW_S = 3600
"""Requests of an outage and of the time after it are signed before it begins."""


@dataclass
class Arrivals:
    """When events were written and when they arrived, by id: seconds since 1970."""

    seen: dict[str, tuple[float, float]] = field(default_factory=dict)
    repeated: int = 0

    def take(self, body: bytes) -> None:
        arrived = time.time()
        event = orjson.loads(body)
        if event["id"] in self.seen:
            self.repeated += 1
        else:
            written = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
            self.seen[event["id"]] = (written, arrived)

    def latencies(self, since: float, until: float) -> list[float]:
        """Sorted, in milliseconds, of events that were written in a span of time."""
        return sorted(1000 * (arrived - at) for at, arrived in self.seen.values() if since <= at < until)


class Receiver(asyncio.Protocol):
    """The least HTTP/1.1 server that takes webhooks: what is measured is the service."""

    def __init__(self, arrivals: Arrivals, away: asyncio.Event) -> None:
        self.arrivals, self.away, self.buffer = arrivals, away, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, mark, rest = self.buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(rest) < length:
                return
            body, self.buffer = rest[:length], rest[length:]
            status = b"503 Service Unavailable" if self.away.is_set() else b"204 No Content"
            if not self.away.is_set():
                self.arrivals.take(body)
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]


async def spins(load: Load, service: Service, rate: float, seconds: float) -> tuple[Cell, float, float]:
    """Load at a constant rate: its answers, and the span of time."""
    prepared = await asyncio.to_thread(load.prepare, requests(rate, seconds))
    since = time.time()
    running = load.start(prepared, service.config.port, CONNECTIONS, seconds, rate)
    return await asyncio.to_thread(running.cell), since, time.time()


def requests(rate: float, seconds: float) -> int:
    return int(rate * seconds) + 200


async def delivered(service: Service) -> None:
    """Waits until nothing is owed to any sink."""
    async with asyncio.timeout(DRAIN_TIMEOUT_S):
        while (await service.fetch("SELECT EXISTS (SELECT FROM outbox WHERE operator_id = $1) AS owed", OPERATOR))[0][
            "owed"
        ]:
            await asyncio.sleep(0.05)


async def caught_up(service: Service, timeout_s: float) -> None:
    """Waits until the oldest event that is owed to the receiver is as young as one of a receiver that was never away."""
    connection = await asyncpg.connect(service.database_url)
    oldest = (
        "SELECT coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox"
        " WHERE operator_id = $1 AND sink = 'webhook' ORDER BY event_seq LIMIT 1), 0)"
    )
    try:
        async with asyncio.timeout(timeout_s):
            while await connection.fetchval(oldest, OPERATOR) > PROMPT_S:
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


def worker_memory(service: Service) -> int:
    """What the worker holds in memory, in MiB."""
    status = Path(f"/proc/{service.workers()[0]}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def measure(service: Service, folder: Path, args: argparse.Namespace) -> None:
    hooks, bus, away = Arrivals(), Arrivals(), asyncio.Event()
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(hooks, away), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"
    await set_webhook(replace(service.config, database_url=service.database_url), OPERATOR, url)
    client = None
    if service.config.nats_url:
        client = await nats.connect(bus_url(service))

        async def take(message: nats.aio.msg.Msg) -> None:
            bus.take(message.data)

        await client.subscribe("rgs.>", cb=take)
    await open_sessions(service)
    load = Load(folder, spin_requests(service))
    sinks = [("webhook", hooks), *([("bus", bus)] if client is not None else [])]
    await spins(load, service, args.rate, min(2.0, args.seconds))  # plans, caches
    await delivered(service)

    cell, since, until = await spins(load, service, args.rate, args.seconds)
    await delivered(service)
    print(f"{args.rate:g} spins due a second, reached {cell.rate:.0f}")
    quiet = answers("under load", cell)
    before = {name: line("under load", name, arrivals, since, until, cell) for name, arrivals in sinks}
    memory = [worker_memory(service)]

    # Prepared before, so that nothing is at work meanwhile but the service, its load and its sinks.
    timeout_s = 60 + 3 * args.outage
    at_most = await asyncio.to_thread(load.prepare, requests(args.rate, timeout_s), "catching-up")
    away.set()
    cell, since, until = await spins(load, service, args.rate, args.outage)
    owed = (await service.fetch("SELECT count(*) FROM outbox WHERE operator_id = $1 AND sink = 'webhook'", OPERATOR))[
        0
    ][0]
    memory.append(worker_memory(service))
    running = load.start(at_most, service.config.port, CONNECTIONS, timeout_s, args.rate)
    back = time.time()
    away.clear()
    try:
        await caught_up(service, timeout_s)
        took = time.time() - back
        await asyncio.sleep(max(0.0, 1.0 - took))  # some spins there have to be, however soon it is over
    finally:
        running.stop()
    catching_up = await asyncio.to_thread(running.cell)
    arrived = [(written, at) for written, at in hooks.seen.values() if at >= back]
    first, last = min(at for _, at in arrived), max(at for written, at in arrived if written < back)
    memory.append(worker_memory(service))
    print(
        f"receiver away for {until - since:.0f} s of load: {owed} events owed when it was back; the first arrived after "
        f"{first - back:.1f} s, the last of them after {last - back:.1f} s, and no event waited for more than "
        f"{PROMPT_S:g} s after {took:.1f} s, with the load going on ({len(arrived) / (back + took - first):.0f} events a second)"
    )
    print(f"memory of the worker, before, at the end of the outage and after catching up: {memory} MiB")
    answers("outage", cell, quiet)
    answers("catching up", catching_up, quiet)
    for name, arrivals in sinks[1:]:
        line("outage", name, arrivals, since, until, cell, before[name])
    for name, arrivals in sinks:
        line("catching up", name, arrivals, back, back + took, catching_up, before[name])

    await delivered(service)
    cell, since, until = await spins(load, service, args.rate, args.seconds)
    await delivered(service)
    answers("after the outage", cell, quiet)
    for name, arrivals in sinks:
        line("after the outage", name, arrivals, since, until, cell, before[name])
    counts = await service.fetch("SELECT count(*) FROM events WHERE operator_id = $1", OPERATOR)
    for name, arrivals in sinks:
        missing = counts[0][0] - len(arrivals.seen)
        print(f"{name}: {len(arrivals.seen)} of {counts[0][0]} events, {arrivals.repeated} of them more than once")
        assert missing == 0, f"{name}: {missing} events have not arrived"
    server.close()
    if client is not None:
        await client.close()


def answers(phase: str, cell: Cell, before: float | None = None) -> float:
    """Prints the latencies of the spins of a phase; returns their p99 in milliseconds."""
    p99 = cell.ms(99)
    ratio = f"; p99 is {p99 / before:.2f} x that before" if before is not None else ""
    print(
        f"{phase:17} {'answers':8} {cell.latencies.get_total_count():6} spins:  p50 {cell.ms(50):8.1f} ms, p99 {p99:8.1f} ms, "
        f"most {cell.ms(100):8.1f} ms{ratio}"
    )
    return p99


def line(
    phase: str, name: str, arrivals: Arrivals, since: float, until: float, cell: Cell, before: float | None = None
) -> float:
    """Prints the latencies of a phase; returns their p99 in milliseconds."""
    found: Sequence[float] = arrivals.latencies(since, until)
    p50, p99 = percentile(list(found), 0.5), percentile(list(found), 0.99)
    ratio = f"p99 is {p99 / cell.ms(99):5.1f} x that of an answer"
    ratio += f", {p99 / before:.2f} x that before" if before is not None else ""
    print(
        f"{phase:17} {name:8} {len(found):6} events: p50 {p50:8.1f} ms, p99 {p99:8.1f} ms, most {found[-1]:8.1f} ms; {ratio}"
    )
    return p99


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="short: only that it works")
    arguments.add_argument("--rate", type=float, default=500.0, help="spins due a second (default: %(default)s)")
    arguments.add_argument(
        "--seconds", type=float, default=10.0, help="of load, before and after (default: %(default)s)"
    )
    arguments.add_argument("--outage", type=float, default=10.0, help="seconds without receiver (default: %(default)s)")
    args = arguments.parse_args()
    if args.tiny:
        args = argparse.Namespace(rate=50.0, seconds=1.0, outage=1.0)
    bus = "embedded" if find_server() is not None else ""
    if not bus:
        print("no nats-server: webhooks alone", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), workers=1, nats_url=bus, signature_window_s=SIGNATURE_WINDOW_S)
        service.start()
        try:
            uvloop.run(measure(service, Path(folder), args))
        finally:
            service.stop()
            service.remove()


if __name__ == "__main__":
    main()
