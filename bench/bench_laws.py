"""The law of a spin by the fastest way that knows it, and by playing every combination of stops, in one run.

    python bench/bench_laws.py [--tiny]

Games of one state on strips of random symbols, all with the same pays; they differ in the evaluator. Both laws must be equal.
"""

from __future__ import annotations

import argparse
import random
import time

from rgs_core import Engine
from rgs_core.exact.joint import joint_law
from rgs_core.exact.spin_paths import spin_paths
from rgs_core.language.model_file import loads

SYMBOLS = ("dragon", "tiger", "fish", "turtle", "A", "K", "Q", "J", "T")
ODDS = (2, 3, 3, 4, 5, 5, 6, 6, 6)
LINES = ["11111", "00000", "22222", "01210", "21012", "00100", "22122", "12221", "10001", "12101"]
REVEAL = '[[states.base.transforms]]\nkind = "reveal"\nsymbol = "box"\ntable = { A = 2, wild = 1, dragon = 1 }\neach = "EACH"'
VALUES = '[[states.base.transforms]]\nkind = "values"\nsymbols = ["wild"]\ntable = { 1 = 5, 2 = 2, 3 = 1 }'


def pays(first: int, last: int) -> str:
    """Pays of all symbols from one count to another."""
    entries = (
        f"{symbol} = {{ {', '.join(f'{n} = {(n - first + 1) ** 2 * (9 - i)}' for n in range(first, last + 1))} }}"
        for i, symbol in enumerate(SYMBOLS)
    )
    return f"pays = {{ {', '.join(entries)} }}"


LINED = f'kind = "lines"\npaylines = {LINES!r}\n{pays(3, 5)}'
GAMES = {
    "lines from the left": (LINED, "", 5, 3),
    "lines from both sides": (f'{LINED}\ndirection = "both"', "", 5, 3),
    "lines of neighbours anywhere": (f'{LINED}\ndirection = "adjacent"', "", 5, 3),
    "lines, a symbol revealed for the spin": (LINED, REVEAL.replace("EACH", "spin"), 5, 3),
    "lines, a symbol revealed for each reel": (LINED, REVEAL.replace("EACH", "reel"), 5, 3),
    "lines, values that multiply": (f'{LINED}\ncell_values = "product"', VALUES, 5, 3),
    "ways, a symbol revealed for each cell": (f'kind = "ways"\n{pays(3, 5)}', REVEAL.replace("EACH", "cell"), 5, 3),
    "ways from both sides": (f'kind = "ways"\ndirection = "both"\n{pays(3, 5)}', "", 5, 3),
    "counts from 6 of 15 on": (f'kind = "count"\nwilds = true\n{pays(6, 15)}', "", 5, 3),
    "clusters from 5 of 16 on": (f'kind = "cluster"\n{pays(5, 16)}', "", 4, 4),
    "clusters from 5 of 25 on": (f'kind = "cluster"\n{pays(5, 25)}', "", 5, 5),
}


def game(evaluator: str, transform: str, reels: int, rows: int, stops: int) -> str:
    """The text of a model file; the same at every run."""
    drawn = random.Random(1)
    strips = []
    for reel in range(reels):
        strip = drawn.choices(SYMBOLS, ODDS, k=stops)
        for symbol in ("box", "box", *(["wild", "wild"] if 0 < reel < reels - 1 else [])):
            strip[drawn.randrange(stops)] = symbol
        strips.append(" ".join(strip))
    combine = 'combine = "product"' if "ways" in evaluator else ""
    return (
        f'format = 1\nid = "game"\ntitle = "Game"\nversion = "1"\nsymbols = {[*SYMBOLS, "wild", "box"]!r}\n'
        f"[stake]\nunits = 10\n[grid]\nreels = {reels}\nrows = {rows}\n"
        f"[wilds.wild]\nsubstitutes = {list(SYMBOLS)!r}\n{combine}\n"
        f'[evaluators.main]\n{evaluator}\n[states.base]\nstrips = "base"\nevaluators = ["main"]\n{transform}\n'
        f"[profiles.main.strips]\nbase = {strips!r}\n"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tiny", action="store_true", help="short strips: only that it works")
    stops = 8 if arguments.parse_args().tiny else 24
    print(f"{'':42} {'combinations':>14} {'s':>8} {'every, s':>9} {'ratio':>8}  way")
    for name, (evaluator, transform, reels, rows) in GAMES.items():
        build = loads(game(evaluator, transform, reels, rows, stops)).build()
        engine = Engine(build, simd="scalar")
        started = time.perf_counter()
        law = joint_law(engine, 0)
        found = time.perf_counter()
        every = joint_law(engine, 0, merge=False)
        visited = time.perf_counter()
        if (law.mean_units, law.variance_units) != (every.mean_units, every.variance_units):
            raise SystemExit(f"{name}: {law.method} and {every.method} give different laws")
        mine, theirs = found - started, visited - found
        paths = spin_paths(build, build.model.states["base"])
        print(f"{name:42} {paths:14,} {mine:8.3f} {theirs:9.2f} {theirs / mine:7.0f}x  {law.method}", flush=True)


if __name__ == "__main__":
    main()
