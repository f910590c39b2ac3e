"""The engine: bulk simulation and single rounds, and that the peers play the same game."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from peers import BUILD, LENGTHS, line_table, long_build, make_numba, numpy_spins, numpy_wins, python_spins

from rgs_core import Engine, derive_key, reference
from rgs_core.exact.analysis import full_cycle
from rgs_core.exact.closed_form import closed_form
from rgs_core.exact.distribution import win_law
from rgs_core.exact.joint import joint_law

KEY = derive_key(bytes(32))
TABLE = line_table()
N = 20_000


def test_peers_play_the_same_game() -> None:
    engine = Engine(BUILD)
    spins = [engine.spin(KEY, nonce).spins[0] for nonce in range(2000)]
    stops = np.array([spin.stops for spin in spins]).T
    assert numpy_wins(stops, TABLE).tolist() == [spin.win_units for spin in spins]
    closed = float(closed_form(BUILD).paid.mean_units)
    for total in (numpy_spins(2_000_000, TABLE, 1), make_numba()(2_000_000, TABLE, 1)):
        assert total / 2_000_000 == pytest.approx(closed, rel=0.02)
    assert python_spins(2000, KEY) / 2000 == pytest.approx(closed, rel=0.3)
    assert max(LENGTHS) < 65536


def test_engine_bulk(benchmark: Any) -> None:
    assert benchmark(Engine(BUILD).simulate, KEY, 0, N)["rounds"] == N


def test_engine_spin_in_full(benchmark: Any) -> None:
    engine = Engine(BUILD)
    assert benchmark(lambda: [engine.spin(KEY, n) for n in range(500)])[499].spins


def test_engine_win_only(benchmark: Any) -> None:
    engine = Engine(BUILD)
    assert len(benchmark(lambda: [engine.win(KEY, n) for n in range(500)])) == 500


def test_reference_spin(benchmark: Any) -> None:
    assert len(benchmark(lambda: [reference.play(BUILD, KEY, n) for n in range(5)])) == 5


def test_closed_form(benchmark: Any) -> None:
    assert benchmark(closed_form, BUILD).rtp > 0


def test_joint_law_by_merging(benchmark: Any) -> None:
    """A cycle of 1.9e8 with 20 lines."""
    engine = Engine(BUILD)
    assert benchmark(joint_law, engine, 0).cycle == 188_446_500


def test_joint_law_by_visiting(benchmark: Any) -> None:
    engine = Engine(BUILD)
    assert benchmark.pedantic(lambda: joint_law(engine, 0, merge=False).cycle, rounds=3) == 188_446_500


def test_joint_law_of_a_long_cycle(benchmark: Any) -> None:
    """Five reels of 219 stops, 20 lines: 5e11 combinations."""
    engine = Engine(long_build())
    assert benchmark.pedantic(lambda: joint_law(engine, 0).cycle, rounds=3) == 219**5


def test_all_exact_figures(benchmark: Any) -> None:
    assert benchmark(full_cycle, BUILD).combinations == 188_446_500


def test_law_of_a_whole_round(benchmark: Any) -> None:
    cycle = full_cycle(BUILD)
    assert benchmark(win_law, cycle).rtp > 0.9
