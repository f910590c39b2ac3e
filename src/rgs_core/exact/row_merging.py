"""Rows of whole numbers with weights: equal ones merged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Weights = NDArray[np.object_] | NDArray[np.int64]


def merged_rows(rows: Rows, weights: Weights) -> tuple[Rows, Weights]:
    """Equal rows once, their weights added up; in lexical order."""
    if len(rows) == 1:
        return rows, weights
    varies = np.flatnonzero((rows != rows[:1]).any(axis=0))
    if not len(varies):
        return rows[:1], weights.sum(keepdims=True)
    # Columns packed into as few whole numbers as hold them, so that sorting takes few keys.
    keys: list[NDArray[np.int64]] = []
    room = 0
    for column in varies:
        values = rows[:, column]
        low = int(values.min())
        span = int(values.max()) - low + 1
        if keys and room * span < 2**62:
            keys[-1] = keys[-1] * span + (values - low)
            room *= span
        else:
            keys.append(values - low)
            room = span
    order = np.argsort(keys[0], kind="stable") if len(keys) == 1 else np.lexsort(keys[::-1])
    new = np.zeros(len(rows), dtype=bool)
    new[0] = True
    for packed in keys:
        ordered = packed[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    return rows[order[starts]], np.add.reduceat(weights[order], starts)
