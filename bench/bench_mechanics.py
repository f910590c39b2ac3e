"""Whole rounds of one canonical game a mechanic, against the plain-Python reference and, where one can be written
fairly, numba; measured in turn in one run.

    python bench/bench_mechanics.py [--tiny]

The games are published sheets (tests/conformance/models). The engine plays whole rounds with free spins and a
cryptographic generator; numba plays the paid spin only.
"""

from __future__ import annotations

import argparse

from bench_ratios import KEY, measure, table
from mechanics_peers import build, numba_cascade, numba_ways

from rgs_core import Engine, reference
from rgs_core.exact.analysis import analyse

GAMES = {
    "cleopatra": "20 lines, free spins",
    "african_simba": "243 ways, free spins",
    "gonzos_quest": "cascades from the strip, ladder, free falls",
    "book_of_ra": "10 lines, book",
    "jewels": "9 lines, neighbours anywhere",
    "triple_diamond": "9 lines of combinations",
    "lucky_slot_10_lines": "10 lines, expanding wilds",
    "rainbow_charm": "pays anywhere, drawn multipliers",
}
PEERS = {"african_simba": numba_ways, "gonzos_quest": numba_cascade}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="once and small: only that it works")
    tiny = arguments.parse_args().tiny
    bulk, slow, repetitions = (5_000, 20, 1) if tiny else (1_000_000, 500, 7)
    for name, what in GAMES.items():
        game = build(name)
        engine = Engine(game)
        contestants = {
            "engine": (bulk, lambda engine=engine: engine.simulate(KEY, 0, bulk)),
            "plain-Python reference": (
                slow,
                lambda game=game: [reference.play(game, KEY, nonce) for nonce in range(slow)],
            ),
        }
        if name in PEERS:
            peer = PEERS[name](game)
            contestants["numba, MT19937, paid spin only"] = (bulk, lambda peer=peer: peer(bulk, 1))
            if not tiny:
                exact = analyse(game).laws["base"]
                assert exact is not None
                mean = peer(20_000_000, 2) / 20_000_000
                print(f"{name}: numba wins {mean:.4f} units a paid spin, exactly {float(exact.mean_units):.4f}")
        table(f"{name}: {what} ({engine.kernel}, {engine.simd})", "engine", measure(contestants, repetitions))


if __name__ == "__main__":
    main()
