"""What makes the spins of a state: linked reels, cascades, places that multiply, what is settled at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rgs_core.language.mechanics.fields import later, later_mapping
from rgs_core.language.mechanics.tables import SymbolTable
from rgs_core.language.mechanics.transforms import Transform


@dataclass(frozen=True, slots=True)
class Linked:
    """Neighbouring reels that stop as one, drawn at every spin: `runs[i]`, the first and last of them from 0, with
    `weights[i]`. A run of a single reel links nothing."""

    runs: tuple[tuple[int, int], ...]
    weights: tuple[int, ...]


NOTHING_LINKED = (0, 0)
"""A run of one reel."""


def run_name(run: tuple[int, int]) -> str:
    """A run as model files and records name it: "2-3", reels from 1; "none"."""
    first, last = run
    return "none" if first == last else f"{first + 1}-{last + 1}"


@dataclass(frozen=True, slots=True)
class Charge:
    """A meter of the cells that a cascade removes in one spin: every `every` of them, of `symbols` (None: all), are a charge.

    When a step removes nothing, a charge that is left is used up: `then`, transforms, change the grid, which pays again.
    """

    every: int
    symbols: frozenset[str] | None
    then: tuple[Transform, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """A win leaves a drawn symbol in one of the places that its removed cells make empty.

    It holds for wins of the evaluators `of`, of the entries `symbols` (None: all) and from `count_min` symbols on.
    `place`: each of these places equally likely, or the one nearest to the middle of them.
    """

    table: SymbolTable
    place: Literal["random", "middle"]
    of: frozenset[str]
    symbols: frozenset[str] | None
    count_min: int

    def holds(self, evaluator: str, symbol: str, count: int) -> bool:
        """Whether a win leaves something by this rule."""
        return evaluator in self.of and (self.symbols is None or symbol in self.symbols) and count >= self.count_min


@dataclass(frozen=True, slots=True)
class Cascade:
    """Winning cells are removed, what is above falls, the reels refill, and the grid pays again.

    `remove`: evaluators and triggers whose cells go (those triggers are looked at after every step). Symbols
    in `keep` stay. `refill`: the symbols above the window on the strip, fresh stops, or nothing: then places that are
    emptied show the symbol `empty`, which stays as well. `multipliers`: of the
    first, second, ... winning step, `multiplier_step` more with each one after the last of them; `persist`: counted over
    the feature. `become`: cells with these symbols do not go, but become a drawn one. `leave`: the first of these rules
    that holds for a win says what it leaves.
    """

    refill: Literal["strip", "fresh", "none"]
    remove: frozenset[str]
    keep: frozenset[str]
    multipliers: tuple[int, ...]
    persist: bool
    steps_max: int
    charge: Charge | None = later(None)
    multiplier_step: int = later(0)
    become: Mapping[str, SymbolTable] = later_mapping()
    leave: tuple[Leave, ...] = later(())
    empty: str = later("")

    @property
    def staying(self) -> frozenset[str]:
        """The symbols that are never removed."""
        return self.keep | {self.empty} if self.empty else self.keep

    @property
    def changes(self) -> bool:
        """Whether cells become other symbols instead of going, or wins leave some."""
        return bool(self.become or self.leave)

    @property
    def made(self) -> frozenset[str]:
        """The symbols that it puts on the grid by itself."""
        tables = [*self.become.values(), *(rule.table for rule in self.leave)]
        return frozenset(symbol for table in tables for symbol in table.symbols) | ({self.empty} - {""})

    def multiplier(self, won_steps: int) -> int:
        """Of a step after so many that have won."""
        beyond = max(0, won_steps - len(self.multipliers) + 1)
        return self.multipliers[won_steps - beyond] + beyond * self.multiplier_step


@dataclass(frozen=True, slots=True)
class Spots:
    """Places of the grid that multiply wins (position multipliers), in a state with a cascade.

    The first cell that is removed from a place marks it. The second one gives the place a multiplier of `first`; every
    further one doubles it, or adds `step`, up to `multiplier_max`. A win is multiplied by the multipliers of its
    places together. `persist`: they stay over the feature, else over the cascade of one spin.
    """

    first: int
    step: int | None
    multiplier_max: int
    combine: Literal["product", "sum"]
    persist: bool


@dataclass(frozen=True, slots=True)
class Final:
    """Values in view of `symbols` multiply all that a winning spin has won on its grid, at its end.

    `persist`: they add up over the feature, and the sum multiplies.
    """

    name: str
    symbols: frozenset[str]
    combine: Literal["product", "sum"]
    persist: bool


@dataclass(frozen=True, slots=True)
class Special:
    """A symbol drawn at the start of a feature that fills each reel it is on (the "book").

    After the other wins it pays by the number of reels that show it, neighbours or not, on every payline, by
    the pays of the line evaluator `lines`. `own_lines`: whether lines that begin with it also pay as usual.
    `count`: so many different ones are drawn, one after the other. `more_with`: a trigger that adds one each time it
    awards spins, up to `most` of them (None: all of the table).
    """

    name: str
    table: SymbolTable
    lines: str
    own_lines: bool

    count: int = later(1)
    more_with: str | None = later(None)
    most: int | None = later(None)

    @property
    def count_most(self) -> int:
        """Most special symbols that a feature has."""
        return (self.most or len(self.table.symbols)) if self.more_with is not None else self.count


@dataclass(frozen=True)
class Callback:
    """A pure function in Python, called once a spin: what the vocabulary lacks (rgs_core.language.callback).

    `source` is the whole text of the file, so that a build needs no file but itself; `file` names it in errors.
    """

    file: str
    function: str
    source: str

    @property
    def label(self) -> str:
        """As a model file names it."""
        return f"{self.file}:{self.function}"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the source in hex: what of it enters the build hash, beside the name of the function."""
        return hashlib.sha256(self.source.encode()).hexdigest()


WIN_MIN = "win_min"
"""Name in records of what a feature wins up to the least that it pays (`State.win_min`)."""
SIMULATED_ONLY = "has a callback, which is simulated only"
"""Why a state has no exact figures."""
