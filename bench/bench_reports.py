"""The latency of spins while reports are read, against the same without them.

    python bench/bench_reports.py [--tiny] [--rounds 300000] [--rate 500] [--reports 5] [--seconds 6] [--repetitions 3]

A month of rounds is in the database; one client then asks for reports of all of it, some a second, through the API.
Spins come in an open loop as in bench_latency.py; both cells are measured in turn. Read the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import uvloop

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench_latency import Generator, histogram
from bench_server import open_sessions, spin_requests
from rgs_server.billing.hours import roll_up
from rgs_server.store import Store
from service_process import Service, session_body

ROUNDS = """
    INSERT INTO spins (operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, mechanic_version, nonce, spin_type,
                       mode, policy, currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at)
    SELECT operator_id, 'old-' || n, 'old-' || n, session_id, 'old-' || n, build_hash, 1, n, 'cash', 'base', '', currency, 100,
           CASE WHEN n % 3 = 0 THEN 250 ELSE 0 END, 0, decode(repeat('00', 32), 'hex'), 'evt-old-' || n,
           now() - make_interval(secs => 2592000.0 * n / $1)
    FROM sessions, generate_series(1, $1::integer) AS n WHERE session_id = 'reported'
"""


async def read_reports(service: Service, stop: asyncio.Event, pause_s: float) -> list[float]:
    """Milliseconds of each report."""
    taken = []
    async with service.client() as client:
        while not stop.is_set():
            started = time.perf_counter()
            reply = await client.send("GET", "/rgs/v1/reports/days")
            assert reply.status == 200, reply.body
            taken.append(1000 * (time.perf_counter() - started))
            await asyncio.sleep(max(0.0, pause_s - (time.perf_counter() - started)))
    return taken


async def measure(
    service: Service, rounds: int, rate: float, reports_rate: float, seconds: float, repetitions: int
) -> None:
    await open_sessions(service)
    async with service.client() as client:
        assert (await client.send("POST", "/rgs/v1/sessions", session_body("reported"))).status == 200
    connection = await asyncpg.connect(service.database_url)
    await connection.execute(ROUNDS, rounds)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute(
        "UPDATE sessions SET created_at = now() - interval '31 days' WHERE session_id = 'reported'"
    )
    while await roll_up(Store(connection), datetime.now(UTC)):
        pass  # as the service does hour by hour
    await connection.close()
    requests = spin_requests(service)
    await Generator(requests, 200, min(2.0, seconds)).run(service.config.port)  # plans, caches
    found: dict[str, list[tuple[float, float]]] = {"alone": [], "reports": []}
    reports: list[float] = []
    for _ in range(repetitions):
        for name, cells in found.items():
            stop = asyncio.Event()
            reading = asyncio.create_task(read_reports(service, stop, 1 / reports_rate)) if name == "reports" else None
            generator = Generator(requests, rate, seconds)
            await generator.run(service.config.port)
            stop.set()
            reports += await reading if reading is not None else []
            latencies = generator.latencies or histogram()
            cells.append(tuple(latencies.get_value_at_percentile(share) / 1000 for share in (50.0, 99.0)))  # type: ignore[arg-type]
    print(f"{rounds:,} rounds in the database, {rate:g} spins due a second, medians of {repetitions}")
    for name, cells in found.items():
        p50, p99 = (statistics.median(cell[i] for cell in cells) for i in (0, 1))
        print(f"{name:10} p50 {p50:8.2f} ms   p99 {p99:8.2f} ms")
    pairs = zip(found["reports"], found["alone"], strict=True)
    ratios = [(a[0] / b[0], a[1] / b[1]) for a, b in pairs]
    print(
        f"{'ratio':10} p50 {statistics.median(r[0] for r in ratios):8.2f}      p99 {statistics.median(r[1] for r in ratios):8.2f}"
    )
    print(f"{len(reports)} reports, {statistics.median(reports):.0f} ms each")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="short: only that it works")
    arguments.add_argument("--rounds", type=int, default=300_000, help="in the database (default: %(default)s)")
    arguments.add_argument("--rate", type=float, default=500.0, help="spins due a second (default: %(default)s)")
    arguments.add_argument("--reports", type=float, default=5.0, help="reports a second (default: %(default)s)")
    arguments.add_argument("--seconds", type=float, default=6.0, help="of each cell (default: %(default)s)")
    arguments.add_argument("--repetitions", type=int, default=3, help="of both cells (default: %(default)s)")
    args = arguments.parse_args()
    if args.tiny:
        args = argparse.Namespace(rounds=2000, rate=50.0, reports=5.0, seconds=0.5, repetitions=1)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), workers=1)
        service.start()
        try:
            uvloop.run(measure(service, args.rounds, args.rate, args.reports, args.seconds, args.repetitions))
        finally:
            service.stop()
            service.remove()


if __name__ == "__main__":
    main()
