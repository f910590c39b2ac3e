"""The same game in other ways, as people write it: numpy vectorised, numba, plain Python.

All play Lantern Tide's paid spin: five uniform stops, twenty lines with the best reading of each,
moon scatters. They return the summed win in units, which the engine must equal statistically; with
the same stops they must equal it exactly (tested in bench_engine.py).
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgs_core import games
from rgs_core.language.mechanics import Lines, Scatter
from rgs_core.language.model import Build, Profile, Strip
from rgs_core.language.model_file import load
from rgs_core.reference import wins_on

BUILD: Build = load(games.find("lantern_tide")).build()
MODEL = BUILD.model
STATE = MODEL.states["base"]
LINES = MODEL.evaluators["lines"]
MOONS = MODEL.evaluators["moons"]
assert isinstance(LINES, Lines)
assert isinstance(MOONS, Scatter)
STRIPS = [np.array([MODEL.symbols.index(s) for s in strip.symbols], dtype=np.int64) for strip in BUILD.strips(STATE)]
LENGTHS = [len(strip) for strip in STRIPS]
PAYLINES = np.array(LINES.paylines, dtype=np.int64)
SYMBOLS = len(MODEL.symbols)
MOON = MODEL.symbols.index("moon")
MOON_PAYS = np.array([MOONS.pay(n) * MODEL.stake_units for n in range(16)], dtype=np.int64)


def paid_spin_build() -> Build:
    """Lantern Tide without its free spins: what the peers play."""
    base = replace(STATE, triggers=())
    return Build(replace(MODEL, states={"base": base}), BUILD.profile)


def long_build() -> Build:
    """Lantern Tide's rules on five random reels of 219 stops."""
    rng = random.Random(5)
    strips = []
    for _ in range(5):
        symbols = rng.choices([s for s in MODEL.symbols if s not in ("lantern", "moon")], k=219)
        for place in rng.sample(range(0, 219, 4), 10):
            symbols[place] = rng.choice(("lantern", "moon"))
        strips.append(Strip(tuple(symbols), (1,) * 219))
    return Build(MODEL, Profile("long", {"base": tuple(strips), "free": tuple(strips)}))


def line_table() -> NDArray[np.int64]:
    """Pay of every line of five symbols, int64[symbols ** 5], from the reference rules."""
    one = replace(LINES, paylines=((0,) * 5,))
    table = np.zeros(SYMBOLS**5, dtype=np.int64)
    for index, cells in enumerate(product(MODEL.symbols, repeat=5)):
        window = tuple((cell,) for cell in cells)
        table[index] = sum(win.amount_units for win in wins_on(MODEL, STATE, one, window))
    return table


def numpy_wins(stops: NDArray[np.int64], table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Vectorised over spins: one fancy index a line into the table of all lines. stops: int64[5, n]."""
    windows = [
        strip[(stops[reel][:, None] + np.arange(3)) % LENGTHS[reel]] for reel, strip in enumerate(STRIPS)
    ]  # each int64[n, 3]
    wins = np.zeros(stops.shape[1], dtype=np.int64)
    for payline in PAYLINES:
        index = windows[0][:, payline[0]]
        for reel in range(1, 5):
            index = index * SYMBOLS + windows[reel][:, payline[reel]]
        wins += table[index]
    moons = sum((window == MOON).sum(axis=1) for window in windows)
    return wins + MOON_PAYS[moons]


def numpy_spins(n: int, table: NDArray[np.int64], seed: int) -> int:
    """n spins with PCG64, in blocks that stay in the cache."""
    generator = np.random.Generator(np.random.PCG64(seed))
    total = 0
    for start in range(0, n, 8192):
        size = min(8192, n - start)
        stops = np.stack([generator.integers(0, length, size) for length in LENGTHS])
        total += int(numpy_wins(stops, table).sum())
    return total


def make_numba() -> Callable[[int, Any, int], int]:
    """Compiled loops with the same table and numba's own generator (MT19937)."""
    import numba

    width = max(LENGTHS) + 2
    strips = np.zeros((5, width), dtype=np.int64)
    for reel, strip in enumerate(STRIPS):
        strips[reel, : len(strip) + 2] = np.concatenate([strip, strip[:2]])
    lengths = np.array(LENGTHS, dtype=np.int64)
    paylines, moon_pays, moon, symbols = PAYLINES, MOON_PAYS, MOON, SYMBOLS

    @numba.njit(cache=False)  # type: ignore[untyped-decorator]
    def spins(n: int, table: Any, seed: int) -> int:
        np.random.seed(seed)
        total = 0
        stops = np.zeros(5, dtype=np.int64)
        for _ in range(n):
            moons = 0
            for reel in range(5):
                stops[reel] = np.random.randint(0, lengths[reel])
                for row in range(3):
                    moons += strips[reel, stops[reel] + row] == moon
            for line in range(len(paylines)):
                index = 0
                for reel in range(5):
                    index = index * symbols + strips[reel, stops[reel] + paylines[line, reel]]
                total += table[index]
            total += moon_pays[moons]
        return total

    return spins  # type: ignore[no-any-return]


def python_spins(n: int, key: bytes) -> int:
    """The "provably fair" loop as it is commonly written: an HMAC a spin, plain-Python rules."""
    strips = BUILD.strips(STATE)
    total = 0
    for nonce in range(n):
        digest = hmac.new(key, f"client:{nonce}:0".encode(), hashlib.sha256).digest()
        stops = [int.from_bytes(digest[4 * r : 4 * r + 4], "big") * LENGTHS[r] >> 32 for r in range(5)]
        window = tuple(strip.window(stop, 3) for strip, stop in zip(strips, stops, strict=True))
        total += sum(win.amount_units for win in wins_on(MODEL, STATE, LINES, window))
        total += sum(win.amount_units for win in wins_on(MODEL, STATE, MOONS, window))
    return total
