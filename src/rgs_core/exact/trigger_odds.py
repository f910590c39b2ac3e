"""Which triggers fire in the rows of a law: by numbers of symbols in view, by what the spin wins, and by their odds.

A row in which a trigger could fire becomes two, weighted by its odds, so a law keeps whole weights over one cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgs_core.language.mechanics import BonusTrigger, FreeSpinsTrigger, InView, PickTrigger, WinTrigger
from rgs_core.language.model import State


@dataclass(frozen=True)
class Part:
    """What one part wins in the rows of a law, int64[n], and where no multiplier applies to it, bool[n]."""

    units: NDArray[np.int64]
    exempt: NDArray[np.bool_]


@dataclass(frozen=True)
class Fired:
    """Row i of the law comes from row `rows[i]` of that without odds and weighs `weights[i]`, object[n] of ints.
    `given[t]` int64[n]: the spins or bonuses that the trigger named t gives in it."""

    rows: NDArray[np.intp]
    weights: NDArray[np.object_]
    given: Mapping[str, NDArray[np.int64]]


def counting_triggers(state: State) -> list[FreeSpinsTrigger | BonusTrigger]:
    """The triggers of a state that count symbols, in order."""
    return [t for t in state.triggers if isinstance(t, FreeSpinsTrigger | BonusTrigger)]


def giving_triggers(state: State) -> list[FreeSpinsTrigger | WinTrigger | PickTrigger | BonusTrigger]:
    """The triggers of a state that give anything in a law of merged situations, in order."""
    return [t for t in state.triggers if isinstance(t, FreeSpinsTrigger | WinTrigger | PickTrigger | BonusTrigger)]


def by_count(trigger: FreeSpinsTrigger | BonusTrigger, counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """What a trigger gives by what it counts, int64[n]."""
    gives = trigger.award if isinstance(trigger, FreeSpinsTrigger) else trigger.times
    table = np.array([gives(n) for n in range(int(counts.max(initial=0)) + 1)], dtype=np.int64)
    return np.asarray(table[counts], dtype=np.int64)


def fired_triggers(
    state: State,
    gains: Mapping[str, NDArray[np.int64]],
    shown: Callable[[InView], NDArray[np.bool_]],
    parts: Mapping[str, Part],
    weights: NDArray[np.object_],
) -> Fired:
    """What the triggers of a state give by what they would give if they fired, int64[n] by name, by the rows in which a
    number of symbols is in view, and by what the parts win.

    A trigger that fires once in a feature is taken as if it could: such states have no law of single spins.
    """
    won = np.zeros(len(weights), dtype=bool)
    for part in parts.values():
        won |= part.units > 0
    rows = np.arange(len(weights))
    given: dict[str, NDArray[np.int64]] = {}
    for trigger in giving_triggers(state):
        gain = gains[trigger.name]
        for condition in trigger.in_view:
            gain = np.where(shown(condition), gain, 0)
        gain = gain[rows]
        if trigger.when != "always":
            gain = np.where(won[rows] == (trigger.when == "win"), gain, 0)
        odds = trigger.odds
        if odds is not None and odds.chance < odds.out_of:
            could = np.flatnonzero(gain)
            weighted = weights * odds.out_of
            weighted[could] = weights[could] * (odds.out_of - odds.chance)
            weights = np.concatenate([weighted, weights[could] * odds.chance])
            given = {name: np.concatenate([other, other[could]]) for name, other in given.items()}
            gain = np.concatenate([np.where(gain > 0, 0, gain), gain[could]])
            rows = np.concatenate([rows, rows[could]])
        given[trigger.name] = gain
    return Fired(rows, weights, given)
