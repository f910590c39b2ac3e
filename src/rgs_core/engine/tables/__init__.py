"""Compiles a build into the flat integer tables that the kernels read (ext/rgs_core/game.h).

State multipliers and bases are folded into the pays here, once, so that a kernel only adds.
"""

from rgs_core.engine.tables.building import compile_tables
from rgs_core.engine.tables.numbers import counted_bits, counted_fields, entries, state_names
from rgs_core.engine.tables.records import ANY_SYMBOL, COMBINES, Fields, StateTable, Tables, WeightTable
from rgs_core.engine.tables.reels import combination_count
from rgs_core.engine.tables.triggers import decided_by_lines

__all__ = [
    "ANY_SYMBOL",
    "COMBINES",
    "Fields",
    "StateTable",
    "Tables",
    "WeightTable",
    "combination_count",
    "compile_tables",
    "counted_bits",
    "counted_fields",
    "decided_by_lines",
    "entries",
    "state_names",
]
