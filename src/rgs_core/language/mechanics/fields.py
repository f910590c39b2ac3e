"""What the fields of all words share: marks of the canonical form, and names for kinds of values."""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, Literal, TypeVar

Basis = Literal["line_bet", "total_bet"]
BonusBasis = Literal["line_bet", "total_bet", "win"]
"""With "win" what a bonus draws multiplies all that the spin has won."""
Direction = Literal["left", "right", "both", "adjacent"]
CellValues = Literal["ignore", "product", "sum", "highest"]
"""What the values of the cells of a win multiply it by; at most by the `cell_values_max` of its evaluator."""
When = Literal["always", "win", "no_win"]
K = TypeVar("K")
V = TypeVar("V")


def frozen(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """A read-only copy, so that a model cannot change after it was hashed."""
    return MappingProxyType(dict(mapping))


# Python does not pickle read-only mappings by itself; with this a build can be sent to another process.
copyreg.pickle(MappingProxyType, lambda mapping: (frozen, (dict(mapping),)))  # type: ignore[arg-type, return-value]


def later(default: Any) -> Any:
    """A field that was added to the language after its class: left out of the canonical form at its default."""
    return field(default=default, metadata={"later": True})


def later_mapping() -> Any:
    """The same for a mapping, empty by default."""
    return field(default_factory=lambda: frozen({}), metadata={"later": True})


def played(default: Any) -> Any:
    """What a player's policy decides (rgs_core.language.policies): never a part of the canonical form."""
    return field(default=default, metadata={"played": True})
