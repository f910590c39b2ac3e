"""Plays random histories for as long as one likes, or a single one again."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from simulation.histories import STEPS_MAX, Author
from simulation.simulator import search_together

EPILOG = """
A history is sessions, spins, choices, settlements, voids, transfers, waits, captured requests, moods of wallets, workers that
die and connections that break, drawn from its seed. It is played by two workers of the real service on a real PostgreSQL
and by a model of the rules; they must agree on each answer and, at the end, on all tables. Where they do not, the whole
history is printed, then as few of its steps as fail, too.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__, epilog=EPILOG)
    parser.add_argument("--seeds", type=int, default=100_000, help="how many histories (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="print and play this one alone")
    parser.add_argument(
        "--steps",
        type=int,
        default=STEPS_MAX,
        help="most steps of one; others mean other histories (default: %(default)s)",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at the same time (default: %(default)s)")
    args = parser.parse_args()
    if args.steps < 2 or args.processes < 1:
        parser.error("--steps takes 2 or more, --processes 1 or more")
    seeds, processes = range(args.first, args.first + args.seeds), args.processes
    if args.seed is not None:
        print(*Author(args.seed, args.steps).history().lines(), sep="\n", end="\n\n")
        seeds, processes = range(args.seed, args.seed + 1), 1
    context = multiprocessing.get_context("spawn")
    found, began_s = context.Event(), time.monotonic()
    workers = [
        context.Process(target=search_together, args=(seeds[n::processes], args.steps, found)) for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    failed = found.is_set() or any(worker.exitcode for worker in workers)
    took_s = time.monotonic() - began_s
    if not failed:
        print(f"{len(seeds)} histories, service and model agree ({len(seeds) / took_s:.0f} a second)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
