"""One database and one simulator for each process that runs tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from simulation.simulator import Simulator, running_database

SEEDS = int(os.environ.get("SIM_SEEDS", "10000"))
PART = 500
"""Seeds of one test, so that none takes minutes."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seeds`: those of half of the histories, in parts. SIM_SEEDS says how many there are; `make simulate` plays more."""
    if "seeds" in metafunc.fixturenames:
        first = "first" in metafunc.module.__name__
        half = range(SEEDS // 2) if first else range(SEEDS // 2, SEEDS)
        parts = [half[n : n + PART] for n in range(0, len(half), PART)]
        metafunc.parametrize("seeds", parts, ids=lambda part: f"{part[0]}-{part[-1]}")


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    with running_database() as url:
        yield url


@pytest.fixture
def simulator(database: str) -> Iterator[Simulator]:
    with Simulator(database) as running:
        yield running
