"""Random histories of the money path, the first half of the seeds: two files, so that two processes share them."""

from __future__ import annotations

from simulation.simulator import Simulator


def test_service_and_model_agree(simulator: Simulator, seeds: range) -> None:
    failure = simulator.search(seeds)
    assert failure is None, failure.report()
