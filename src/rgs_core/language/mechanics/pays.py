"""Evaluators: what pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rgs_core.language.mechanics.fields import Basis, CellValues, Direction, later, later_mapping
from rgs_core.language.mechanics.tables import by_count


@dataclass(frozen=True, slots=True)
class Lines:
    """Pays equal symbols along paylines; the best reading of each line counts.

    `pays[symbol or group][count]` is in line bets. `pure_wild_run` says whether a run made of wilds only
    may also be read as another symbol ("any") or pays the wild's own prizes alone ("own"). `direction`:
    runs from the leftmost reel, the rightmost, from both (a full line counts once), or of neighbours
    anywhere on the line. `full_grid[symbol]` multiplies all wins when every cell shows the symbol. A count is of
    symbols, so runs with double symbols count for more than their cells.
    """

    name: str
    paylines: tuple[tuple[int, ...], ...]
    pays: Mapping[str, Mapping[int, int]]
    pure_wild_run: Literal["own", "any"]

    kind: Literal["lines"] = "lines"
    direction: Direction = later("left")
    cell_values: CellValues = later("ignore")
    full_grid: Mapping[str, int] = later_mapping()
    cell_values_max: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Combination:
    """A combination of symbols, one element a reel: a symbol, a group, or None for any symbol."""

    symbols: tuple[str | None, ...]
    pay: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class Combinations:
    """Pays listed combinations on paylines, the best one a line. An unordered one may stand in any order.

    A wild matches an element that it stands for, and multiplies; as itself or under None it does not.
    """

    name: str
    paylines: tuple[tuple[int, ...], ...]
    combinations: tuple[Combination, ...]

    kind: Literal["combinations"] = "combinations"


@dataclass(frozen=True, slots=True)
class Ways:
    """Pays a symbol on consecutive reels, once for every way to choose one matching cell on each of them.

    `pays[symbol][reels]` is in line bets for each way. Cells with a value count as so many when
    `cell_values` is "product", and so do wilds with a multiplier.
    """

    name: str
    pays: Mapping[str, Mapping[int, int]]
    pure_wild_run: Literal["own", "any"]
    direction: Literal["left", "right", "both"]
    cell_values: Literal["ignore", "product"]

    kind: Literal["ways"] = "ways"


@dataclass(frozen=True, slots=True)
class Count:
    """Pays each symbol by its number anywhere in view; numbers above the largest pay like the largest."""

    name: str
    pays: Mapping[str, Mapping[int, int]]
    of: Basis
    wilds: bool
    cell_values: CellValues

    kind: Literal["count"] = "count"
    cell_values_max: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pays groups of touching equal symbols by size, each group on its own.

    `neighbours` 4: cells that share an edge; 6: a honeycomb whose odd reels (the second, fourth, ...) stand
    half a cell lower. A wild belongs to every cluster that it touches and stands for.
    """

    name: str
    pays: Mapping[str, Mapping[int, int]]
    of: Basis
    neighbours: Literal[4, 6]
    cell_values: CellValues

    kind: Literal["cluster"] = "cluster"
    cell_values_max: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Match:
    """Pays runs of neighbours that read as the same symbol or group, anywhere along a row or column, each on its own.

    A wild belongs to every run in which it stands for the symbol. A group pays for runs of its members whose cells are in
    no run of the same row or column that pays for one of them.
    """

    name: str
    pays: Mapping[str, Mapping[int, int]]
    of: Basis
    along: Literal["rows", "columns", "both"]
    cell_values: CellValues
    cell_values_max: int | None = None

    kind: Literal["match"] = "match"


@dataclass(frozen=True, slots=True)
class Scatter:
    """Pays by the count of a symbol anywhere in view; counts above the largest pay like the largest.

    `stopped`: looks at the grid as the reels stopped, before any transform. `at`: at every spin, or once at
    the end of a feature.
    """

    name: str
    symbol: str
    pays: Mapping[int, int]
    of: Basis

    kind: Literal["scatter"] = "scatter"
    stopped: bool = later(False)
    at: Literal["spin", "end"] = later("spin")

    def pay(self, count: int) -> int:
        """Pay for `count` symbols in view, in multiples of the basis."""
        return by_count(self.pays, count)


@dataclass(frozen=True, slots=True)
class Collect:
    """Pays the sum of the values of all cells that show a symbol, from `count_min` such cells on.

    With a `collector` the sum is paid once for each collector in view.
    """

    name: str
    symbol: str
    count_min: int
    collector: str | None
    of: Basis
    at: Literal["spin", "end"]

    kind: Literal["collect"] = "collect"


Evaluator = Lines | Combinations | Ways | Count | Cluster | Match | Scatter | Collect
