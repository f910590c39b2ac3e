"""Law of one spin by visiting every path of its draws: the parts that the engine visited, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray

from rgs_core.engine.tables import StateTable
from rgs_core.language.mechanics import WIN_MIN
from rgs_core.language.model import STATES_MAX

PART_TRIGGERS, PART_SPECIAL, PART_FINAL, PART_MINIMUM, PARTS = 8, 24, 25, 26, 27
"""Places of what a state wins in a row of parts (ext/rgs_core/spin.h); evaluators come first."""

STEPS = 64

Row = tuple[int, tuple[int, ...], tuple[int, ...], bytes | None, int, int]

Piece = tuple[list[int], list[Row], list[list[int]], list[list[int]], int]
"""One part of a visit: totals of its paths, rows (units, awards, plays, memory, total, weight), sums of parts and of
steps reached for each total, and the number of paths."""


@dataclass(frozen=True)
class SpinLaw:
    """Row i: with `weights[i]` of `cycle` a spin wins `units[i]` before bonuses, awards `awards[i, s]` spins of state s,
    `given[i, t]` to features with the multiplier of trigger t, plays the bonus of trigger t `plays[i, t]` times and leaves its feature with the memory `memories[left[i]]`.

    `units` int64[n], `awards` int64[n, states], `given` and `plays` int64[n, triggers], `weights` object[n] of ints, `left`
    int64[n]. A memory is opaque and names what a feature remembers; None: nothing, or the feature is over, as all
    cells are held. `parts` sums units x weight by name; `steps[k]` is the weight of spins that reach step k + 1 of
    their cascade; `paths` were visited.
    """

    units: NDArray[np.int64]
    awards: NDArray[np.int64]
    given: NDArray[np.int64]
    plays: NDArray[np.int64]
    weights: NDArray[np.object_]
    cycle: int
    parts: Mapping[str, int]
    steps: Sequence[int]
    paths: int
    memories: tuple[bytes | None, ...]
    left: NDArray[np.int64]


def merged_law(pieces: Sequence[Piece], targets: Sequence[int], states: int, table: StateTable) -> SpinLaw:
    """The pieces of a visit as one law over a common denominator. `targets`: states whose awards the rows have, and, from
    STATES_MAX on, triggers whose multiplied awards they have."""
    cycle = lcm(*(total for totals, *_ in pieces for total in totals))
    law: dict[tuple[int, tuple[int, ...], tuple[int, ...], int], int] = {}
    memories: dict[bytes | None, int] = {}
    parts, reached, paths = [0] * PARTS, [0] * STEPS, 0
    for totals, rows, sums, steps, visited in pieces:
        paths += visited
        for pay, awarded, played, memory, total, weight in rows:
            place = pay, awarded, played, memories.setdefault(memory, len(memories))
            law[place] = law.get(place, 0) + weight * (cycle // total)
        for total, row, step_row in zip(totals, sums, steps, strict=True):
            scale = cycle // total
            parts = [so_far + more * scale for so_far, more in zip(parts, row, strict=True)]
            reached = [so_far + more * scale for so_far, more in zip(reached, step_row, strict=True)]
    places = sorted(law)
    awards = np.zeros((len(places), states), dtype=np.int64)
    plays = np.zeros((len(places), len(table.triggers)), dtype=np.int64)
    given = np.zeros_like(plays)
    for i, (_, awarded, played, _) in enumerate(places):
        for target, spins in zip(targets, awarded, strict=True):
            if target < STATES_MAX:
                awards[i, target] = spins
            else:
                given[i, target - STATES_MAX] = spins
        plays[i] = played
    weights = np.empty(len(places), dtype=object)
    weights[:] = [law[place] for place in places]
    for step in range(STEPS - 2, -1, -1):
        reached[step] += reached[step + 1]
    while len(reached) > 1 and reached[-1] == 0:
        reached.pop()
    return SpinLaw(
        units=np.array([pay for pay, *_ in places], dtype=np.int64),
        awards=awards,
        given=given,
        plays=plays,
        weights=weights,
        cycle=cycle,
        parts={name: parts[place] for name, place in part_places(table)},
        steps=reached,
        paths=paths,
        memories=tuple(memories),
        left=np.array([left for *_, left in places], dtype=np.int64),
    )


def part_places(table: StateTable) -> list[tuple[str, int]]:
    """(name, place in a row of parts) of all that a state can win."""
    state = table.state
    places = [(name, e) for e, name in enumerate(state.evaluators)]
    places += [(t.name, PART_TRIGGERS + i) for i, t in enumerate(state.triggers) if t.kind in ("pick", "bonus")]
    if state.special is not None:
        places.append((state.special.name, PART_SPECIAL))
    if state.final is not None:
        places.append((state.final.name, PART_FINAL))
    if state.win_min is not None:
        places.append((WIN_MIN, PART_MINIMUM))
    return places
