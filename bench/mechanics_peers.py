"""243 ways and a cascade from the strip in numba, as a careful person writes them: what the engine is compared with.

Both play the paid spin of a published sheet (tests/conformance/models) with numba's own generator (MT19937), which is
not cryptographic, and return the summed win in units. `bench_mechanics.py` checks them against the exact mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgs_core.language.mechanics import Lines, Ways
from rgs_core.language.model import Build
from rgs_core.language.model_file import load

MODELS = Path(__file__).parents[1] / "tests/conformance/models"
REELS, ROWS = 5, 3

Peer = Callable[[int, int], int]
"""(rounds, seed) -> units won."""


def build(name: str) -> Build:
    """The first profile of a published sheet."""
    return load(MODELS / f"{name}.toml").build()


def strip_arrays(game: Build) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Strips int64[5, longest + 2], looped so that no window wraps, and their lengths."""
    symbols = game.model.symbols
    strips = game.strips(game.model.states["base"])
    lengths = np.array([len(strip.symbols) for strip in strips], dtype=np.int64)
    table = np.zeros((REELS, int(lengths.max()) + ROWS - 1), dtype=np.int64)
    for reel, strip in enumerate(strips):
        looped = [symbols.index(strip.symbols[i % len(strip.symbols)]) for i in range(len(strip.symbols) + ROWS - 1)]
        table[reel, : len(looped)] = looped
    return table, lengths


def pay_table(game: Build, evaluator: Lines | Ways) -> NDArray[np.int64]:
    """Pays int64[symbols, 6] by run length."""
    table = np.zeros((len(game.model.symbols), REELS + 1), dtype=np.int64)
    for symbol, pays in evaluator.pays.items():
        for count, pay in pays.items():
            table[game.model.symbols.index(symbol), count] = pay * game.model.line_units
    return table


def numba_ways(game: Build) -> Peer:
    """243 ways with wilds that stand for everything."""
    import numba

    evaluator = game.model.evaluators["ways"]
    assert isinstance(evaluator, Ways)
    strips, lengths = strip_arrays(game)
    pays, wild = pay_table(game, evaluator), game.model.symbols.index("wild")

    @numba.njit(cache=False)  # type: ignore[untyped-decorator]
    def play(n: int, seed: int) -> int:
        np.random.seed(seed)
        total = 0
        stops = np.zeros(REELS, dtype=np.int64)
        for _ in range(n):
            for reel in range(REELS):
                stops[reel] = np.random.randint(0, lengths[reel])
            # Only symbols on the first reel can win; each is looked at once.
            for row in range(ROWS):
                symbol = strips[0, stops[0] + row]
                seen = False
                for before in range(row):
                    seen = seen or strips[0, stops[0] + before] == symbol
                if seen or pays[symbol, REELS] == 0:
                    continue
                ways, count = 1, 0
                for reel in range(REELS):
                    here = 0
                    for cell in range(ROWS):
                        shown = strips[reel, stops[reel] + cell]
                        here += shown in (symbol, wild)
                    if here == 0:
                        break
                    ways *= here
                    count += 1
                total += pays[symbol, count] * ways
        return total

    return play  # type: ignore[no-any-return]


def numba_cascade(game: Build) -> Peer:
    """Twenty lines, cascades from the strip, multipliers 1 to 5 by step."""
    import numba

    evaluator = game.model.evaluators["lines"]
    assert isinstance(evaluator, Lines)
    strips, lengths = strip_arrays(game)
    pays, wild = pay_table(game, evaluator), game.model.symbols.index("wild")
    scatter = game.model.symbols.index("freefall")
    lines = np.array(evaluator.paylines, dtype=np.int64)

    @numba.njit(cache=False)  # type: ignore[untyped-decorator]
    def play(n: int, seed: int) -> int:
        np.random.seed(seed)
        total = 0
        tops = np.zeros(REELS, dtype=np.int64)
        grid = np.zeros((REELS, ROWS), dtype=np.int64)
        gone = np.zeros((REELS, ROWS), dtype=np.bool_)
        for _ in range(n):
            for reel in range(REELS):
                tops[reel] = np.random.randint(0, lengths[reel])
                for row in range(ROWS):
                    grid[reel, row] = strips[reel, tops[reel] + row]
            for step in range(1, 21):
                gone[:] = False
                removed = False
                for line in range(len(lines)):
                    symbol = grid[0, lines[line, 0]]
                    count = 1
                    while count < REELS:
                        shown = grid[count, lines[line, count]]
                        if symbol == scatter or (shown != symbol and shown != wild):
                            break
                        count += 1
                    pay = pays[symbol, count]
                    if pay:
                        total += pay * min(step, 5)
                        removed = True
                        for reel in range(count):
                            gone[reel, lines[line, reel]] = True
                scatters = 0
                for reel in range(REELS):
                    for row in range(ROWS):
                        scatters += grid[reel, row] == scatter
                if scatters >= 3:
                    removed = True
                    for reel in range(REELS):
                        for row in range(ROWS):
                            gone[reel, row] = gone[reel, row] or grid[reel, row] == scatter
                if not removed:
                    break
                for reel in range(REELS):
                    to = ROWS - 1
                    for row in range(ROWS - 1, -1, -1):
                        if not gone[reel, row]:
                            grid[reel, to] = grid[reel, row]
                            to -= 1
                    for row in range(to, -1, -1):
                        tops[reel] = (tops[reel] - 1) % lengths[reel]
                        grid[reel, row] = strips[reel, tops[reel]]
        return total

    return play  # type: ignore[no-any-return]
