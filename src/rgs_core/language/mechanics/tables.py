"""Weighted tables and odds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


def by_count(table: Mapping[int, int], count: int) -> int:
    """Entry for `count` in a count table: 0 below the smallest, the largest entry above the largest."""
    largest = max(table)
    return table.get(min(count, largest), 0)


@dataclass(frozen=True, slots=True)
class Table:
    """Weighted table: `values[i]` is drawn with probability `weights[i] / sum(weights)`."""

    values: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """Weighted table of symbols."""

    symbols: tuple[str, ...]
    weights: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True, slots=True)
class Odds:
    """`chance` in `out_of`: a number below `out_of` is drawn, and one of the first `chance` succeeds."""

    chance: int
    out_of: int

    @property
    def probability(self) -> Fraction:
        return Fraction(self.chance, self.out_of)
