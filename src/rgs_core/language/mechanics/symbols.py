"""Symbols that stand for others or count for more, and what is counted in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Wild:
    """A symbol that stands for others. Several of the same wild in one win multiply it once, by the product
    or by the sum of their multipliers; different wilds multiply."""

    symbol: str
    substitutes: frozenset[str]
    multiplier: int
    combine: Literal["once", "product", "sum"]

    @property
    def multiplies(self) -> bool:
        """Whether it can make a win more; the sum of several ones is more than one of them."""
        return self.multiplier != 1 or self.combine == "sum"


@dataclass(frozen=True, slots=True)
class Double:
    """A symbol whose cell counts as `count` of another one (a split symbol: two cats in one cell).

    What pays and triggers reads a cell with it as `symbol`, `count` times; what changes cells sees it as itself.
    """

    name: str
    symbol: str
    count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted in view: a symbol or group, on some reels (from 0; None: all). `per_reel`: a reel that shows it
    counts once; `stopped`: on the grid as the reels stopped. The symbol "" counts nothing."""

    symbol: str
    reels: tuple[int, ...] | None = None
    per_reel: bool = False
    stopped: bool = False
