"""Advisory locks of the database: what only one process does at a time, on any machine."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """Numbers that nothing else in the database should use."""

    SCHEMA = 7_249_001  # makes the schema
    SWEEP = 7_249_002  # deletes what has expired
    ROLL_UP = 7_249_003  # sums up hours
    MONITOR = 7_249_004  # monitors the math
    SEQUENCE = 7_249_005  # gives facts of the audit log their places
    REGISTRY = 7_249_006  # tells the audit log of a registry
