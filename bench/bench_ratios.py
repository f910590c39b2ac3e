"""Ratios between the engine and its peers, measured in turn in one run; prints a table.

    python bench/bench_ratios.py [--tiny]

Each contestant is timed in interleaved repetitions and the medians are compared, so that a change of
the machine's speed meets all of them.
"""

from __future__ import annotations

import argparse
import collections
import secrets
import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np
from peers import BUILD, LENGTHS, line_table, make_numba, numpy_spins, paid_spin_build, python_spins

from rgs_core import ChaCha20, Engine, derive_key
from rgs_core._rng import draw_columns
from rgs_core.engine import simd
from rgs_core.simulation.montecarlo import EDGES_TENTHS, simulate

KEY = derive_key(bytes(32))


def measure(contestants: dict[str, tuple[int, Callable[[], object]]], repetitions: int) -> dict[str, float]:
    """Median nanoseconds a spin by name; every contestant runs once in each repetition."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for name, (_, run) in contestants.items():
        run()  # warm caches and compilers
        del name
    for _ in range(repetitions):
        for name, (spins, run) in contestants.items():
            started = time.perf_counter_ns()
            run()
            times[name].append((time.perf_counter_ns() - started) / spins)
    return {name: statistics.median(values) for name, values in times.items()}


def each(calls: Iterable[object]) -> None:
    """Makes the calls and keeps nothing, so that a call is timed and not the heap of its results."""
    collections.deque(calls, maxlen=0)


def table(title: str, baseline: str, medians: dict[str, float]) -> None:
    """Prints nanoseconds, and how many times as fast as each the baseline is."""
    print(f"\n{title}\n{'':42} {'ns/spin':>12} {baseline + ' is':>16}")
    for name, ns in medians.items():
        ratio = "" if name == baseline else f"{ns / medians[baseline]:.2f} x as fast"
        print(f"{name:42} {ns:12.1f} {ratio:>16}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="once and small: only that it works")
    tiny = arguments.parse_args().tiny
    scale, repetitions = (0.01, 1) if tiny else (1.0, 7)

    def count(n: int) -> int:
        return max(10, int(n * scale))

    engine, lines = Engine(BUILD), line_table()
    others = {name: Engine(BUILD, simd=name) for name in simd.available()[:-1]}
    numba_spins = make_numba()
    paid = Engine(paid_spin_build())
    bulk, slow = count(2_000_000), count(2000)
    edges = [edge * BUILD.model.stake_units // 10 for edge in EDGES_TENTHS]
    table(
        f"Lantern Tide. The engine ({engine.simd}) plays whole rounds with free spins and counts win classes; "
        "its peers play the paid spin only, with generators that are not cryptographic",
        "engine",
        measure(
            {
                "engine": (bulk, lambda: engine.simulate(KEY, 0, bulk, edges=edges)),
                "engine, paid spin only, as the peers": (bulk, lambda: paid.simulate(KEY, 0, bulk, edges=edges)),
                "engine, 2 threads": (8 * bulk, lambda: simulate(BUILD, KEY, 8 * bulk, threads=2)),
                **{
                    f"engine, {name if name != 'scalar' else 'scalar, general kernel'}": (
                        bulk,
                        lambda other=other: other.simulate(KEY, 0, bulk),  # type: ignore[misc]
                    )
                    for name, other in reversed(others.items())
                },
                "numba, MT19937, table of all lines": (bulk, lambda: numba_spins(bulk, lines, 1)),
                "numpy, PCG64, table of all lines": (bulk, lambda: numpy_spins(bulk, lines, 1)),
                "pure Python, HMAC-SHA256 a spin": (slow, lambda: python_spins(slow, KEY)),
            },
            repetitions,
        ),
    )
    table(
        "One call from Python a round",
        "engine.spin in full",
        measure(
            {
                "engine.spin in full": (slow, lambda: each(engine.spin(KEY, n) for n in range(slow))),
                "engine.spin, made into records": (slow, lambda: each(engine.spin(KEY, n).spins for n in range(slow))),
                "engine.win": (slow, lambda: each(engine.win(KEY, n) for n in range(slow))),
                "pure Python, HMAC-SHA256, paid spin only": (slow, lambda: python_spins(slow, KEY)),
            },
            repetitions,
        ),
    )
    columns = np.zeros((5, count(200_000)), dtype=np.uint32)
    pcg64 = np.random.Generator(np.random.PCG64(1))
    chacha20 = np.random.Generator(ChaCha20(KEY))  # type: ignore[arg-type]
    arrays = count(200_000)
    table(
        "Five bounded stops a spin, into numpy arrays",
        "Generator(ChaCha20)",
        measure(
            {
                "Generator(ChaCha20)": (arrays, lambda: [chacha20.integers(0, n, arrays, np.uint32) for n in LENGTHS]),
                "draw_columns, each nonce a spin": (
                    arrays,
                    lambda: draw_columns(KEY, 0, LENGTHS, columns, simd=engine.simd),
                ),
                "Generator(PCG64), not cryptographic": (
                    arrays,
                    lambda: [pcg64.integers(0, n, arrays, np.uint32) for n in LENGTHS],
                ),
                "secrets.randbelow": (slow, lambda: [[secrets.randbelow(n) for n in LENGTHS] for _ in range(slow)]),
            },
            repetitions,
        ),
    )


if __name__ == "__main__":
    main()
