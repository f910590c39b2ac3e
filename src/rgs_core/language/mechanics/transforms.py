"""Transforms: what changes the grid before it pays.

A conditional transform works in some spins only: where the grid before it shows certain numbers of symbols, would pay,
or would not, and then as drawn; that holds for all grids of the spin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rgs_core.language.mechanics.conditions import ConditionalTransform
from rgs_core.language.mechanics.fields import later
from rgs_core.language.mechanics.tables import SymbolTable, Table


@dataclass(frozen=True, slots=True)
class Reveal(ConditionalTransform):
    """Cells that show `symbol` turn into a drawn symbol: one for the feature, for the spin, one a reel or one a cell."""

    symbol: str
    table: SymbolTable
    each: Literal["spin", "reel", "cell", "feature"]

    kind: Literal["reveal"] = "reveal"


@dataclass(frozen=True, slots=True)
class Expand(ConditionalTransform):
    """A reel that shows `symbol` turns into `into` as a whole; `reels` from 0, None for all."""

    symbol: str
    into: str
    reels: tuple[int, ...] | None

    kind: Literal["expand"] = "expand"


@dataclass(frozen=True, slots=True)
class Replace(ConditionalTransform):
    """Cells that show `symbol` turn into `into`; `reels` from 0, None for all."""

    symbol: str
    into: str
    reels: tuple[int, ...] | None

    kind: Literal["replace"] = "replace"


@dataclass(frozen=True, slots=True)
class Add(ConditionalTransform):
    """A drawn number of cells, each equally likely, turn into `symbol`. Cells of `reels` (None: all) that show
    one of `over` (None: anything but `symbol`) can be chosen; there may be fewer of them than drawn."""

    symbol: str
    count: Table
    reels: tuple[int, ...] | None
    over: frozenset[str] | None

    kind: Literal["add"] = "add"


@dataclass(frozen=True, slots=True)
class Values(ConditionalTransform):
    """Every cell that shows one of `symbols` and has no value yet gets a drawn one, those of a reel perhaps the same.

    `reels`: from 0, None for all. `grow`: how much more the value of a cell is in the next step or spin when the cell is part of a win.
    """

    symbols: frozenset[str]
    table: Table

    kind: Literal["values"] = "values"
    each: Literal["cell", "reel"] = later("cell")
    grow: int = later(0)
    reels: tuple[int, ...] | None = later(None)


@dataclass(frozen=True, slots=True)
class Stick:
    """Cells that show one of `symbols` stay, with their value, for the further spins of the feature.

    `step`: reels that they move before each further spin, 0 sticky, -1 walking to the left, 1 to the right. `fall`: rows
    that they move downwards; `jump`: to a random cell that is not held. `each`: before each further spin, or before each
    refill of a cascade, after which new ones stick too. `stack`: when they move up or down, the rest of a stack of the same
    symbol comes in behind them, as far as it stands on the strip beyond the window.
    """

    symbols: frozenset[str]
    step: Literal[-1, 0, 1]

    kind: Literal["stick"] = "stick"
    fall: Literal[-1, 0, 1] = later(0)
    jump: bool = later(False)
    each: Literal["spin", "step"] = later("spin")
    stack: bool = later(False)

    @property
    def moves(self) -> bool:
        """Whether what it holds does not stay where it is."""
        return self.jump or self.step != 0 or self.fall != 0


@dataclass(frozen=True, slots=True)
class Multiplier(ConditionalTransform):
    """Draws multipliers of everything the spin wins: one a spin, one for all spins of the feature, one for each reel full
    of `symbol`, or one for each cell that shows it; several combine by product or sum. `persist`: they add up over the
    feature."""

    table: Table
    each: Literal["spin", "full_reel", "cell", "feature"]
    symbol: str | None
    combine: Literal["product", "sum"]
    persist: bool

    kind: Literal["multiplier"] = "multiplier"


@dataclass(frozen=True, slots=True)
class Nudge(ConditionalTransform):
    """A reel that shows `symbol` moves by up to `steps_max` stops, to where most of its cells show it.

    Of equal moves the shortest counts, then the one downwards. `reels` from 0, None for all. `multiplier` is added
    to that of the spin, from 1 on, for each step of any reel; with `multiplies` "cells" it is added to a value, from 1 on,
    of the cells of a reel that moved and show the symbol, for each step of that reel.
    """

    symbol: str
    reels: tuple[int, ...] | None
    steps_max: int
    multiplier: int

    kind: Literal["nudge"] = "nudge"
    multiplies: Literal["spin", "cells"] = later("spin")


@dataclass(frozen=True, slots=True)
class Fill(ConditionalTransform):
    """A drawn number of reels, each of `among` (None: all) equally likely, turn into `symbol` as a whole."""

    symbol: str
    count: Table
    among: tuple[int, ...] | None

    kind: Literal["fill"] = "fill"


@dataclass(frozen=True, slots=True)
class Act(ConditionalTransform):
    """Cells that show one of `symbols` act on the values of other cells, each by its own value.

    `does`: adds it to all of them, multiplies all or `count` of them by it, or collects them all, adding them to its own.
    `over`: symbols of the cells that it acts on (None: any); only cells with a value are. `once`: not again when it was
    held before the spin. No value becomes larger than `value_max` by it.
    """

    symbols: frozenset[str]
    does: Literal["add_to_all", "multiply_all", "multiply_some", "collect_all"]
    count: Table | None
    over: frozenset[str] | None
    once: bool
    value_max: int

    kind: Literal["act"] = "act"


@dataclass(frozen=True, slots=True)
class Mark(ConditionalTransform):
    """Cells that show one of `symbols` mark their places over the feature (frames); in its last spin all marked places turn
    into `into`."""

    symbols: frozenset[str]
    into: str

    kind: Literal["mark"] = "mark"


Transform = Reveal | Expand | Replace | Add | Values | Stick | Multiplier | Nudge | Act | Fill | Mark


def works_always(transform: Transform) -> bool:
    """Whether a transform works in every spin."""
    return isinstance(transform, Stick) or not transform.conditional
