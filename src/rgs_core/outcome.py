"""What one round was: plain records, filled by the engine and by the reference alike.

Amounts are units (see rgs_core.model). Lines and rows are numbered as people read them: line 1 is
the first of the model file; `window[reel][row]` holds symbols top to bottom.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Win:
    """One paid combination. `amount_units` includes the wild and the state multiplier."""

    evaluator: str
    line: int | None
    symbol: str
    count: int
    wild_multiplier: int
    multiplier: int
    amount_units: int


@dataclass(frozen=True, slots=True)
class FreeSpinsAward:
    """A trigger that awarded spins; `spins` is before the cap of the round is applied."""

    trigger: str
    symbol: str
    count: int
    spins: int
    state: str


@dataclass(frozen=True, slots=True)
class PickBonus:
    """A pick bonus: for each place opened the prizes found, in units with the state multiplier."""

    trigger: str
    line: int
    prizes: tuple[tuple[int, ...], ...]
    amount_units: int


@dataclass(frozen=True, slots=True)
class Spin:
    """One spin of a round: sub_spin 0 is the paid spin, k the k-th free spin."""

    state: str
    sub_spin: int
    stops: tuple[int, ...]
    window: tuple[tuple[str, ...], ...]
    wins: tuple[Win, ...]
    awards: tuple[FreeSpinsAward | PickBonus, ...]

    @property
    def win_units(self) -> int:
        """Units won by this spin alone."""
        picks = sum(a.amount_units for a in self.awards if isinstance(a, PickBonus))
        return sum(win.amount_units for win in self.wins) + picks


class Played(Protocol):
    """What a round can be asked: an `Outcome`, or the engine's `Round`, which makes its records when asked."""

    @property
    def win_units(self) -> int: ...
    @property
    def spins(self) -> tuple[Spin, ...]: ...
    def as_dict(self) -> dict[str, Any]: ...
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round: the paid spin and every free spin it started."""

    spins: tuple[Spin, ...]
    win_units: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form; award records carry their kind."""
        return {"win_units": self.win_units, "spins": [_spin(spin) for spin in self.spins]}

    def digest(self) -> str:
        """SHA-256 in hex of the canonical JSON of the whole outcome: equal digests, equal rounds."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _spin(spin: Spin) -> dict[str, Any]:
    return {
        "state": spin.state,
        "sub_spin": spin.sub_spin,
        "stops": list(spin.stops),
        "window": [list(reel) for reel in spin.window],
        "wins": [_record(win) for win in spin.wins],
        "awards": [
            {"kind": "pick" if isinstance(award, PickBonus) else "free_spins", **_record(award)}
            for award in spin.awards
        ],
        "win_units": spin.win_units,
    }


def _record(record: Win | FreeSpinsAward | PickBonus) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
