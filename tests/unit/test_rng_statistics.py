"""The battery on the scaled output of the generator with fixed seeds, and that it finds weak generators."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from rgs_core import derive_key
from rgs_core._rng import block, draw_columns, keystream
from rgs_core.certified.battery import TESTS, battery, interplay
from rgs_core.certified.significance import holm
from rgs_core.engine.simd import chosen

BOUNDS = [45, 44, 22, 64, 10, 37]
SPINS = 2_000_000


def stops(seed: str, spins: int = SPINS) -> NDArray[np.uint32]:
    out = np.zeros((len(BOUNDS), spins), dtype=np.uint32)
    draw_columns(derive_key(bytes(32), seed), 0, BOUNDS, out, simd=chosen())
    return out


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_the_stops_of_spins_pass(seed: str) -> None:
    results = battery(stops(seed), BOUNDS)
    assert len(results) == 6 * len(TESTS) + 5
    assert min(holm([p for _, p in results])) > 0.01, sorted(results, key=lambda r: r[1])[:3]


def test_p_values_are_uniform() -> None:
    """Over many short ranges: a battery whose p-values crowd together says nothing."""
    rows = []
    columns = stops("uniform", 1_200_000)
    for part in np.split(columns, 60, axis=1):
        rows.append([test(part[i], BOUNDS[i]) for test in TESTS.values() for i in (0, 4)])
    from scipy.stats import kstest

    p = [kstest(column, "uniform").pvalue for column in np.array(rows).T if (column < 1).any()]
    assert len(p) > 10
    assert min(holm(p)) > 0.01


def weak(kind: str) -> NDArray[np.uint32]:
    """Generators with the faults that are found in real games."""
    spins = 400_000
    columns = stops("weak", spins)
    if kind == "a byte modulo the stops":
        words = np.array(keystream(derive_key(bytes(32)), 0, 0, 0, spins // 2, simd=chosen()), dtype=np.uint32)
        data = words.view(np.uint8)[: len(BOUNDS) * spins].reshape(len(BOUNDS), spins)
        return np.stack([column.astype(np.uint32) % n for column, n in zip(data, BOUNDS, strict=True)])
    if kind == "every nonce twice":
        return np.repeat(columns[:, : spins // 2], 2, axis=1)
    if kind == "one word for two reels":
        columns[1] = columns[0] * 44 // 45
        return columns
    if kind == "a stop that never comes":
        return np.stack([np.where(column == n - 1, 0, column) for column, n in zip(columns, BOUNDS, strict=True)])
    if kind == "a low counter":
        return np.stack([(np.arange(spins, dtype=np.uint32) * 7 + i) % n for i, n in enumerate(BOUNDS)])
    generator = np.random.default_rng(1)  # "no zero after a zero"
    for column, n in zip(columns, BOUNDS, strict=True):
        again = (column[1:] == 0) & (column[:-1] == 0)
        column[1:][again] = generator.integers(1, n, int(again.sum()))
    return columns


@pytest.mark.parametrize(
    "kind",
    ["a byte modulo the stops", "every nonce twice", "one word for two reels", "a stop that never comes",
     "a low counter", "no zero after a zero"],
)  # fmt: skip
def test_weak_generators_fail(kind: str) -> None:
    results = battery(weak(kind), BOUNDS)
    assert min(holm([p for _, p in results])) < 1e-6


@pytest.mark.parametrize("name", TESTS)
def test_each_test_can_fail(name: str) -> None:
    """A sequence made for it: each test rejects something, and a constant never passes them all."""
    n = 16
    steps = np.arange(200_000, dtype=np.uint32)
    made = {
        "chi-square": np.minimum(stops("x", 200_000)[3] // 4, 14),
        "serial pairs": steps % n,
        "serial correlation": steps // 3 % n,
        "runs": steps % 2 * 8,
        "gaps": steps % n,
        "poker": np.repeat(steps[: len(steps) // 5], 5) % n,
        "coupon collector": steps % n,
    }
    assert TESTS[name](made[name].astype(np.uint32), n) < 1e-9


@pytest.mark.parametrize("name", TESTS)
def test_draws_that_are_none_are_refused(name: str) -> None:
    good = stops("x", 2000)[0]
    with pytest.raises(ValueError, match="from 0 to 9"):
        TESTS[name](good, 10)
    with pytest.raises(ValueError, match="1,000 draws or more"):
        TESTS[name](good[:5], 45)
    assert TESTS[name](np.zeros(20_000, dtype=np.uint32), 10) < 1e-6


def test_interplay_of_joined_values() -> None:
    columns = stops("joined", 20_000)
    assert 1e-4 < interplay(columns[0], 45, columns[3], 64) < 1
    assert interplay(columns[0], 45, columns[0], 45) < 1e-9


# --- rgs rng-stream --------------------------------------------------------------------------------


def stream(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "rgs_core", "rng-stream", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def test_the_raw_stream() -> None:
    from rgs_core.game import seeded_key

    key = seeded_key("rgs")
    words = [w for counter in range(4) for w in block(key, counter, 2, 5)]
    data = stream("--bytes", "250", "--first-nonce", "5")
    assert data == np.array(words, dtype="<u4").tobytes()[:250]
    words = [w for nonce in range(4) for w in block(key, 0, 0, nonce)]
    assert stream("--bytes", "256", "--rounds") == np.array(words, dtype="<u4").tobytes()
    large = stream("--bytes", "3_000_001", "--rounds")
    assert len(large) == 3_000_001
    assert large[64 * 20_000 : 64 * 20_001] == np.array(block(key, 0, 0, 20_000), dtype="<u4").tobytes()


def test_the_stream_ends_quietly_when_its_reader_goes() -> None:
    command = f"{sys.executable} -m rgs_core rng-stream | head -c 100 | wc -c"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "100"
    assert done.stderr == ""


def test_a_sheet_whose_reader_goes_is_no_error() -> None:
    command = f"{sys.executable} -m rgs_core parsheet lantern_tide | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert "Lantern Tide" in done.stdout
    assert done.stderr == ""
    assert done.returncode == 0
