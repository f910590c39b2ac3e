"""Tables for programs: win classes and the exact law as columns (pyarrow)."""

from __future__ import annotations

import json

import pyarrow as pa

from rgs_core.exact.distribution import WinLaw
from rgs_core.simulation.montecarlo import EDGES_TENTHS, Simulation


def class_table(simulation: Simulation) -> pa.Table:
    """Columns above_stakes, up_to_stakes (null for the open class), rounds, share; metadata `simulation`."""
    edges = [edge / 10 for edge in EDGES_TENTHS]
    rounds = simulation.classes.tolist()
    table = pa.table({
        "above_stakes": pa.array([None, *edges], pa.float64()),
        "up_to_stakes": pa.array([*edges, None], pa.float64()),
        "rounds": pa.array(rounds, pa.int64()),
        "share": pa.array([n / simulation.rounds for n in rounds], pa.float64()),
    })  # fmt: skip
    return table.replace_schema_metadata({"simulation": json.dumps(simulation.state())})


def law_table(law: WinLaw) -> pa.Table:
    """Columns win_units, win_stakes, probability, of all wins with a probability above the error of the law."""
    chosen = law.probabilities > law.error / 100
    return pa.table({
        "win_units": pa.array(chosen.nonzero()[0] * law.step, pa.int64()),
        "win_stakes": pa.array(law.stakes[chosen], pa.float64()),
        "probability": pa.array(law.probabilities[chosen], pa.float64()),
    })  # fmt: skip
