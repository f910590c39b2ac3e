"""Columns of what spins award: one for each state, and one for each multiplier that awards give features of a state.

A feature is known by its state and the multiplier of all that it wins. An award without a multiplier of its own counts
in the column of its state: within a feature of that state it lengthens the feature, elsewhere it starts one that
multiplies by 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from rgs_core.engine.tables import state_names
from rgs_core.language.mechanics import Table, given
from rgs_core.language.model import Model, State


def award_multipliers(model: Model) -> Iterator[tuple[str, Table]]:
    """State and table of every award that gives its feature a multiplier."""
    parts: list[object] = [trigger for state in model.states.values() for trigger in state.triggers]
    parts += [part for bonus in model.bonuses.values() for part in given(bonus)]
    for part in parts:
        table, state = getattr(part, "multiplier", None), getattr(part, "state", None)
        if isinstance(table, Table) and state is not None:
            yield state, table


def multiplied_features(model: Model) -> list[tuple[str, int]]:
    """State and multiplier of all features that get one from an award, in the order of `state_names`."""
    names = state_names(model)
    found = {(state, value) for state, table in award_multipliers(model) for value in table.values}
    return sorted(found, key=lambda feature: (names.index(feature[0]), feature[1]))


def feature_name(state: str, multiplier: int) -> str:
    """The column of a feature with a multiplier."""
    return f"{state} x{multiplier}"


def award_columns(model: Model) -> tuple[str, ...]:
    """Columns of what a spin awards: states in the engine's order, then features with multipliers."""
    return (*state_names(model), *(feature_name(*feature) for feature in multiplied_features(model)))


def shares(table: Table) -> Iterator[tuple[int, Fraction]]:
    """Multipliers with their odds."""
    for value, weight in zip(table.values, table.weights, strict=True):
        yield value, Fraction(weight, table.total)


def column_of(state: State, awarded: str, multiplier: int, columns: tuple[str, ...]) -> int:
    """Where an award of a spin of `state` with this multiplier counts. Outside of the awarded state 1 is as good as none."""
    plain = multiplier == 1 and awarded != state.name
    return columns.index(awarded if plain else feature_name(awarded, multiplier))
