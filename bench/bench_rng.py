"""The word source against numpy's PCG64 and the operating system: five bounded stops a spin."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from rgs_core import ChaCha20, Engine, derive_key, games
from rgs_core._rng import draw_below
from rgs_core.language.model_file import load

KEY = derive_key(bytes(32))
LENGTHS = [45, 44, 45, 45, 47]
SPINS = 20_000


def test_numpy_pcg64_stops(benchmark: Any) -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    stops = benchmark(lambda: [generator.integers(0, n, SPINS, dtype=np.uint32) for n in LENGTHS])
    assert len(stops) == 5


def test_numpy_on_our_chacha20_stops(benchmark: Any) -> None:
    generator = np.random.Generator(ChaCha20(KEY))  # type: ignore[arg-type]
    stops = benchmark(lambda: [generator.integers(0, n, SPINS, dtype=np.uint32) for n in LENGTHS])
    assert len(stops) == 5


def test_secrets_stops(benchmark: Any) -> None:
    stops = benchmark(lambda: [[secrets.randbelow(n) for n in LENGTHS] for _ in range(SPINS // 100)])
    assert len(stops) == SPINS // 100


def test_engine_draws_from_python(benchmark: Any) -> None:
    """One call a spin through the audited entry point; in the engine no call is made."""
    stops = benchmark(lambda: [draw_below(KEY, nonce, LENGTHS)[0] for nonce in range(SPINS // 100)])
    assert len(stops) == SPINS // 100


def test_engine_whole_rounds(benchmark: Any) -> None:
    """Draws, evaluation, free spins and totals together."""
    engine = Engine(load(games.find("lantern_tide")).build())
    totals = benchmark(engine.simulate, KEY, 0, SPINS)
    assert totals["win"] == 389800
