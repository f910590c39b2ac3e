"""Random histories of the money path, the second half of the seeds: two files, so that two processes share them."""

from __future__ import annotations

import os

from simulation.histories import Author
from simulation.simulator import Simulator


def test_service_and_model_agree(simulator: Simulator, seeds: range) -> None:
    if "SIM_SEED" in os.environ:
        print("", *Author(seeds[0]).history().lines(), sep="\n")
    failure = simulator.search(seeds)
    assert failure is None, failure.report()
