"""The tables as data. A table of a word of the language is a `Fields`: the names and values of the C struct's members,
arrays where C has pointers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgs_core.language import mechanics as k
from rgs_core.language import model as m

if TYPE_CHECKING:
    from rgs_core.engine.spin_texts import SpinTexts

ANY_SYMBOL = 255
EVALUATORS = ("lines", "scatter", "combinations", "ways", "count", "cluster", "collect", "match")
DIRECTIONS = ("left", "right", "both", "adjacent")
COMBINES = ("ignore", "product", "sum", "highest", "once")
TRANSFORMS = ("reveal", "expand", "replace", "add", "values", "stick", "multiplier", "nudge", "act", "fill", "mark")
EACH = {"spin": 0, "reel": 1, "full_reel": 1, "cell": 2, "feature": 3, "step": 4}
ACTS = ("add_to_all", "multiply_all", "multiply_some", "collect_all")
TRIGGERS = ("free_spins", "pick", "win_spins", "collected", "bonus", "jackpot", "full_reels")
COUNTING = ("symbols", "values", "wins", "losses", "spins")
BONUSES = ("pick", "take", "wheel", "trail")
"""Names in the order of the numbers in game.h."""
Fields = Mapping[str, Any]
"""Members of a C struct by name."""


@dataclass(frozen=True)
class StripTable:
    """One reel. `symbols`: uint8[stops + rows - 1], so that stop s shows symbols[s : s + rows]; of the top reel uint8[stops
    + cells - 1]. `shows`: uint64[stops], bit x set when symbol x is in that window.

    `distinct_stops` uint32[d], `distinct_weights` uint64[d]: one stop of each different window, for visiting.
    """

    length: int
    total: int
    symbols: NDArray[np.uint8]
    shows: NDArray[np.uint64]
    cumulative: NDArray[np.uint32] | None
    distinct_stops: NDArray[np.uint32]
    distinct_weights: NDArray[np.uint64]


@dataclass(frozen=True)
class WeightTable:
    """`values` int64[n], `cumulative` uint32[n] running weights. `fixed`: the only entry is taken without a draw."""

    values: NDArray[np.int64]
    cumulative: NDArray[np.uint32]
    fixed: bool = False


@dataclass(frozen=True)
class EvaluatorTable:
    """Ways: pays int64[entries, reels + 1]; lines int64[entries, reels x n + 1], where a cell counts for n symbols at
    most; count, cluster, match: int64[entries, cells x n + 1]; scatter: int64[cells x n + 1]; collect: the same, of a value
    of 1; in units. `symbol` is the entry that a scatter or collection counts. `fields`: the rest of rgs_evaluator."""

    evaluator: k.Evaluator
    symbol: int
    pays: NDArray[np.int64]
    fields: Fields


@dataclass(frozen=True)
class TriggerTable:
    """`spins` uint32: free spins and bonus plays [counts], win spins [entries, counts]; `pattern` uint8[k].

    `fields`: the rest of rgs_trigger.
    """

    trigger: k.Trigger
    symbol: int
    spins: NDArray[np.uint32]
    pattern: NDArray[np.uint8]
    fields: Fields


@dataclass(frozen=True)
class StateTable:
    """One state, by its number. `sets`: strips by set, that of the top reel last; `paylines` uint8[lines, reels]; `cell_lines` uint64[reels * rows], the set of
    lines through each cell, or None for more than 64 lines; `readings`, `naturals` uint64[symbols] of its
    line evaluator, see rgs_evaluator; `fields`: scalars of rgs_state."""

    state: m.State
    number: int
    sets: tuple[tuple[StripTable, ...], ...]
    set_choice: WeightTable
    heights: tuple[WeightTable, ...]
    evaluators: tuple[EvaluatorTable, ...]
    transforms: tuple[Fields, ...]
    triggers: tuple[TriggerTable, ...]
    cascade: Fields | None
    special: Fields | None
    linked: WeightTable | None
    moves: Fields
    paylines: NDArray[np.uint8]
    cell_lines: NDArray[np.uint64] | None
    readings: NDArray[np.uint64]
    naturals: NDArray[np.uint64]
    count_min: int
    pure_wild_run: bool
    fields: Fields

    @property
    def strips(self) -> tuple[StripTable, ...]:
        """Reels of the first strip set."""
        return self.sets[0]

    @property
    def awarded_states(self) -> list[int]:
        """Numbers of the states whose spins its triggers award without a multiplier; what bonuses award is not among
        them."""
        awarding = ("free_spins", "win_spins", "collected", "full_reels")
        plain = [t for t in self.triggers if t.trigger.kind in awarding and "multiplier" not in t.fields]
        awarded = {int(t.fields["state"]) for t in plain if not t.fields.get("become")}
        # A feature that goes on as another state is lengthened by the spins.
        return sorted(awarded | ({self.number} if any(t.fields.get("become") for t in plain) else set()))

    @property
    def multiplying(self) -> list[int]:
        """Numbers of the triggers that give a multiplier to the features they award."""
        return [i for i, table in enumerate(self.triggers) if "multiplier" in table.fields]


@dataclass(frozen=True)
class Tables:
    """A compiled build, its states in the order of `state_names`."""

    build: m.Build
    states: tuple[StateTable, ...]
    bonuses: tuple[Fields, ...]
    win_units_max: int
    gamble: Fields | None = None

    @cached_property
    def texts(self) -> dict[tuple[int, int], SpinTexts]:
        """What is kept of plain spins, by state and the multiplier of the feature."""
        return {}

    def index(self, state: str) -> int:
        """Number of a state by its name."""
        return next(i for i, table in enumerate(self.states) if table.state.name == state)


WHEN = ("always", "win", "no_win")
"""Conditions of triggers and transforms, numbered as in game.h."""
