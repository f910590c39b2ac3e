"""What a spin wins and awards together with the very cells that it carries into a chain of memories, exact.

By merging lines, where one symbol is carried: merge.h tells apart on which cells it is (as rgs_core.exact.memory.held does).
Else by every combination: a variant of the state holds the symbols as its last transform, so what it remembers
is what would be carried.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError
from rgs_core.exact.joint import (
    COMBINATIONS_MAX,
    Joint,
    bonus_triggers,
    counted_symbols,
    lines_joint,
    lines_refused,
    remembers_because,
    visited_joint,
)
from rgs_core.exact.memory.beginnings import Handed
from rgs_core.exact.memory.held import BITS
from rgs_core.exact.spin_paths import paths_text, spin_paths
from rgs_core.language.mechanics import FreeSpinsTrigger, Stick
from rgs_core.language.model import TRANSFORMS_MAX, Build, Model, State


def carried_law(
    build: Build, state: State, trigger: FreeSpinsTrigger, *, merge: bool = True
) -> tuple[Joint, tuple[Handed, ...], NDArray[np.int64]]:
    """The law of a spin, all cells that it may hand on, and for each of its rows which of these they are.

    Raises AnalysisError with the reason where there is none.
    """
    reason = _refused(build.model, state)
    if reason:
        raise AnalysisError(
            f"trigger '{trigger.name}' of state '{state.name}' carries cells into the feature, and its state {reason}"
        )
    cells = _cells(build, state, trigger) if merge else None
    if cells is None:
        return _visited(build, state, trigger)
    (name,) = trigger.carry
    symbol = build.model.symbols.index(name)
    engine = Engine(build, simd="scalar")
    joint, landed = lines_joint(engine, state_names(build.model).index(state.name), held=(symbol, 0, cells))
    patterns, which = np.unique(landed, return_inverse=True)
    handed = tuple(
        Handed(tuple((cell, symbol, 0) for place, cell in enumerate(cells) if bits >> place & 1))
        for bits in patterns.tolist()
    )
    return joint, handed, which.reshape(-1)


def _visited(
    build: Build, state: State, trigger: FreeSpinsTrigger
) -> tuple[Joint, tuple[Handed, ...], NDArray[np.int64]]:
    """By every combination of draws."""
    model = build.model
    if spin_paths(build, state) > COMBINATIONS_MAX:
        raise AnalysisError(
            f"{paths_text(build, state)}; what it carries into another is found from at most {COMBINATIONS_MAX:,}"
        )
    holding = replace(state, transforms=(*state.transforms, Stick(trigger.carry, 0)))
    engine = Engine(replace(build, model=replace(model, states={**model.states, state.name: holding})), simd="scalar")
    index = state_names(model).index(state.name)
    law = engine.spin_law(index, last=True)
    handed = tuple(Handed(engine.held_cells(memory or b"")) for memory in law.memories)
    joint = visited_joint(engine, index, law, law.left)
    left = joint.awards[:, -1]
    alone = replace(joint, states=joint.states[:-1], awards=joint.awards[:, :-1])
    return replace(alone, model=model, state=state), handed, left


def _cells(build: Build, state: State, trigger: FreeSpinsTrigger) -> list[int] | None:
    """Cells on which the only carried symbol can be, where merging knows the law; None where it does not."""
    model = build.model
    if len(trigger.carry) != 1 or lines_refused(model, state):
        return None
    (symbol,) = trigger.carry
    shown = [bool(state.transforms) or symbol in strip.symbols for strip in build.strips(state)]
    cells = [reel * model.rows + row for reel, there in enumerate(shown) for row in range(model.rows) if there]
    return cells if 8 * len(counted_symbols(model, state)) + len(cells) <= BITS else None


def _refused(model: Model, state: State) -> str:
    """Why the cells that a spin carries are not known; "" when they are."""
    if remembers_because(model, state):
        return "remembers itself"
    if state.cascade is not None or state.cells:
        return "cascades, or draws every cell for itself"
    if any(model.multiplies_win(trigger) for trigger in bonus_triggers(state)):
        return "plays a bonus that multiplies the win"
    return "has too many transforms" if len(state.transforms) == TRANSFORMS_MAX else ""
