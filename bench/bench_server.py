"""The spin endpoint against a bare aiohttp handler and one that does a single INSERT a request.

    python bench/bench_server.py [--tiny] [--seconds 2] [--repetitions 3]

Closed loop over 1, 8 and 32 connections on loopback; all servers have one worker and run at the same
time, and the cells are measured in turn. Every request is signed and new, so each is a durable spin.
The load comes from this process, prepared before the clock starts, on the cores that the servers use
too: read the ratios, not the rates.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import uvloop
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from rgs_server import signing
from service_process import Service, free_port, session_body

CONNECTIONS = (1, 8, 32)
SESSIONS = 64
BODY = json.dumps(
    {
        "spin_id": "spin-1",
        "round_id": "rnd-1",
        "session_id": "s-1",
        "stake": {"amount": 1.00, "currency": "EUR"},
        "spin_type": "cash",
        "idempotency_key": "spin-1",
    }
).encode()


# --- Baselines -------------------------------------------------------------------------------------


async def bare(request: web.Request) -> web.Response:
    """Reads the body, decodes it, answers: what HTTP alone costs."""
    body = json.loads(await request.read())
    return web.json_response({"spin_id": body["spin_id"], "ok": True})


async def insert(request: web.Request) -> web.Response:
    """The same with one durable INSERT."""
    body = json.loads(await request.read())
    pool: asyncpg.Pool[asyncpg.Record] = request.app["pool"]
    await pool.execute("INSERT INTO bench_rows (body) VALUES ($1)", json.dumps(body))
    return web.json_response({"spin_id": body["spin_id"], "ok": True})


def serve_baseline(handler: Callable[..., object], port: int, url: str) -> None:
    """Entry of a baseline's process."""

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/spins", handler)  # type: ignore[arg-type]
        if handler is insert:
            pool = await asyncpg.create_pool(url, min_size=16, max_size=16)
            await pool.execute("CREATE TABLE IF NOT EXISTS bench_rows (id bigserial PRIMARY KEY, body text)")
            app["pool"] = pool
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()

    uvloop.run(main())


# --- Load ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A server under load and an endless supply of whole HTTP requests for it."""

    name: str
    port: int
    requests: Iterator[bytes]


def http_request(port: int, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next; keeps every latency."""

    def __init__(self, requests: Iterator[bytes], until: float, done: asyncio.Future[None]) -> None:
        self.requests, self.until, self.done = requests, until, done
        self.latencies: list[float] = []
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = next(self.requests, None)
        if request is None or time.perf_counter() >= self.until:
            self.done.set_result(None)
            return
        self.started = time.perf_counter()
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.latencies.append(time.perf_counter() - self.started)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(self.buffer.decode())
        self.buffer = b""
        self.send()


async def load(target: Target, connections: int, seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and the sorted latencies in milliseconds."""
    loop = asyncio.get_running_loop()
    most = int(seconds * 12_000) + 100
    prepared = iter(list(itertools.islice(target.requests, most)))
    started = time.perf_counter()
    clients = []
    for _ in range(connections):
        done = loop.create_future()
        _, client = await loop.create_connection(
            lambda done=done: Connection(prepared, started + seconds, done),  # type: ignore[misc]
            "127.0.0.1",
            target.port,
        )
        clients.append((client, done))
    await asyncio.wait_for(asyncio.gather(*(done for _, done in clients)), seconds + 30)
    elapsed = time.perf_counter() - started
    for client, _ in clients:
        client.transport.close()
    latencies = sorted(1000 * x for client, _ in clients for x in client.latencies)
    return len(latencies) / elapsed, latencies


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# --- The run ---------------------------------------------------------------------------------------


def spin_requests(service: Service, sessions: int = SESSIONS) -> Iterator[bytes]:
    """Signed spins, each of its own id, over many sessions."""
    assert service.credentials is not None
    secret, key_id = service.credentials.secret.encode(), service.credentials.key_id
    for n in itertools.count():
        name = f"b{os.getpid()}-{n}"
        body = json.dumps(
            {
                "spin_id": name,
                "round_id": name,
                "session_id": f"bench-{n % sessions}",
                "stake": {"amount": 1.00, "currency": "EUR"},
                "spin_type": "cash",
                "idempotency_key": name,
            }
        ).encode()
        headers = signing.headers(key_id, secret, "POST", "/rgs/v1/spins", body)
        yield http_request(service.config.port, "/rgs/v1/spins", body, headers)


async def open_sessions(service: Service, sessions: int = SESSIONS) -> None:
    async with service.client() as client:
        for n in range(sessions):
            reply = await client.send("POST", "/rgs/v1/sessions", session_body(f"bench-{n}"))
            assert reply.status == 200, reply.body


async def wait_for_port(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            except OSError:
                await asyncio.sleep(0.05)


async def measure(service: Service, seconds: float, repetitions: int) -> None:
    spawn = multiprocessing.get_context("spawn")
    ports = {"bare": free_port(), "insert": free_port()}
    processes = [
        spawn.Process(target=serve_baseline, args=(handler, ports[name], service.database_url), daemon=True)
        for name, handler in (("bare", bare), ("insert", insert))
    ]
    for process in processes:
        process.start()
    try:
        for port in ports.values():
            await wait_for_port(port)
        await open_sessions(service)
        targets = [
            Target(
                name,
                ports.get(name, service.config.port),
                spin_requests(service)
                if name == "spin"
                else itertools.repeat(http_request(ports[name], "/spins", BODY, {})),
            )
            for name in ("bare", "insert", "spin")
        ]
        cells: dict[tuple[str, int], list[tuple[float, list[float]]]] = {}
        for _ in range(repetitions):
            for connections in CONNECTIONS:
                for target in targets:
                    cells.setdefault((target.name, connections), []).append(await load(target, connections, seconds))
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
            process.join()
    report(cells)


def report(cells: dict[tuple[str, int], list[tuple[float, list[float]]]]) -> None:
    names = {
        "bare": "bare aiohttp handler",
        "insert": "aiohttp, one INSERT a request",
        "spin": "POST /rgs/v1/spins",
    }
    print(f"{'':32} {'c':>3} {'req/s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}   spin endpoint / it")
    for connections in CONNECTIONS:
        rates = {name: statistics.median(rate for rate, _ in cells[name, connections]) for name in names}
        for name, label in names.items():
            runs = cells[name, connections]
            shares = [statistics.median(percentile(x, share) for _, x in runs) for share in (0.5, 0.95, 0.99)]
            ratio = "" if name == "spin" else f"{rates['spin'] / rates[name]:.2f}"
            figures = " ".join(f"{share:8.2f}" for share in shares)
            print(f"{label:32} {connections:3} {rates[name]:8.0f} {figures}   {ratio}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="once and short: only that it works")
    arguments.add_argument("--seconds", type=float, default=2.0, help="length of one cell (default: %(default)s)")
    arguments.add_argument("--repetitions", type=int, default=3, help="of every cell (default: %(default)s)")
    args = arguments.parse_args()
    if args.tiny:
        args = argparse.Namespace(**{**vars(args), "seconds": 0.2, "repetitions": 1})
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), workers=1)
        service.start()
        try:
            uvloop.run(measure(service, args.seconds, args.repetitions))
        finally:
            service.stop()
            service.remove()


if __name__ == "__main__":
    main()
