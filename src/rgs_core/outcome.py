"""What one round was: plain records, filled by the engine and by the reference alike.

Amounts are units (see rgs_core.language.model). Lines and rows are numbered as people read them: line 1 is
the first of the model file; `window[reel][row]` holds symbols top to bottom. Fields that were added after
the first records have defaults, and stay out of the JSON form there, so that older digests never change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any, Protocol

CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
"""What digests are made of: JSON without spaces, keys in order, in ASCII."""

Window = tuple[tuple[str, ...], ...]
"""Symbols in view: `window[reel][row]`, reels from the left, rows from the top."""

CellTable = tuple[tuple[int, ...], ...]
"""A number for every cell: `values[reel][row]`."""


@dataclass(frozen=True, slots=True)
class Win:
    """One paid combination. `amount_units` includes all multipliers.

    `wild_multiplier` is of the wilds, cell values and spots in the win, `multiplier` of state, step, spin
    and feature together. `start` is the leftmost reel of the win, from 0, for runs that do not begin on the left;
    `ways` the number of ways; `cells` the (reel, row) of a cluster or match.
    """

    evaluator: str
    line: int | None
    symbol: str
    count: int
    wild_multiplier: int
    multiplier: int
    amount_units: int
    start: int = 0
    ways: int = 0
    cells: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FreeSpinsAward:
    """A trigger that awarded spins; `spins` is before the cap of the round is applied. `multiplier`: what it gave or drew
    for the feature; 0: none of its own."""

    trigger: str
    symbol: str
    count: int
    spins: int
    state: str
    multiplier: int = 0


@dataclass(frozen=True, slots=True)
class PickBonus:
    """A pick bonus: for each place opened the prizes found, in units with the state multiplier; of one that multiplies
    the win the multipliers found, and `amount_units` is what they add to it."""

    trigger: str
    line: int
    prizes: tuple[tuple[int, ...], ...]
    amount_units: int


@dataclass(frozen=True, slots=True)
class BonusPlay:
    """A bonus of another kind. `drawn`: numbers from 0 of the prizes taken or the segment drawn; for a trail the
    square reached by each roll, from 1. `line` is 0 when no line started it. `spins` of `state` are awarded,
    with the `multiplier` as of a trigger."""

    trigger: str
    line: int
    bonus: str
    drawn: tuple[int, ...]
    amount_units: int
    spins: int
    state: str
    multiplier: int = 0


@dataclass(frozen=True, slots=True)
class JackpotWin:
    """A jackpot of the service was won; the pool is not the game's."""

    trigger: str
    jackpot: str


Award = FreeSpinsAward | PickBonus | BonusPlay | JackpotWin

KINDS: dict[type, str] = {FreeSpinsAward: "free_spins", PickBonus: "pick", BonusPlay: "bonus", JackpotWin: "jackpot"}


@dataclass(frozen=True, slots=True)
class ValueAct:
    """A cell that acted on the values of others: what it `does` (rgs_core.language.mechanics.Act), the `value` by which it did or
    that it collected, and the `cells` that it acted on, as (reel, row) like its own."""

    symbol: str
    does: str
    cell: tuple[int, int]
    value: int
    cells: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class CellChange:
    """A `cell` of a win, as (reel, row), that shows a `symbol` now instead of being removed."""

    cell: tuple[int, int]
    symbol: str


@dataclass(frozen=True, slots=True)
class Step:
    """A further step of a cascade: the grid after removal and refill, what it won, and `spots` as of a spin.
    `charged`: it comes of a charge instead, which changed the grid where no cell was removed any more. `changed`: cells
    of the grid before it that became another symbol, then those in which a win left one, each before it fell."""

    window: Window
    wins: tuple[Win, ...]
    values: CellTable = ()
    spots: CellTable = ()
    charged: bool = False
    changed: tuple[CellChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Spin:
    """One spin of a round: sub_spin 0 is the paid spin, k the k-th further one.

    `stops`: one a reel and one of a top reel, or one a cell in reading order of the reels where cells draw alone (-1: held).
    `window` is the grid as it pays first, with `values` of its cells when any is not 0; `stopped` the grid as
    the reels stopped where a transform changed it. `steps` are further steps of a cascade. `closing` are wins
    at the end of the spin or feature. `strips` names the set where it was drawn, `special` the symbol of the
    feature (`specials`: all of them in the order of their draws, where there may be several), `multiplier` what
    transforms drew for this spin or gave for nudges. `nudged`: the stops of all reels after nudges, where one has moved any. `spots`: what places hold when the grid pays first, where any does: 1 when marked,
    else their multiplier. `acts`: what cells did to the values of others, in order. `linked`: the reels that stopped as
    one, "2-3". `marked`: places that are marked so far, as (reel, row). `feature_multiplier`: what multiplies all that the
    feature wins, amounts included. `inside`: states of the features that this one interrupts, the last one first.
    `modifier`: the one that was drawn.
    """

    state: str
    sub_spin: int
    stops: tuple[int, ...]
    window: Window
    wins: tuple[Win, ...]
    awards: tuple[Award, ...]
    values: CellTable = ()
    stopped: Window = ()
    steps: tuple[Step, ...] = ()
    closing: tuple[Win, ...] = ()
    strips: str = ""
    special: str = ""
    multiplier: int = 1
    nudged: tuple[int, ...] = ()
    spots: CellTable = ()
    acts: tuple[ValueAct, ...] = ()
    linked: str = ""
    feature_multiplier: int = 1
    marked: tuple[tuple[int, int], ...] = ()
    inside: tuple[str, ...] = ()
    modifier: str = ""
    specials: tuple[str, ...] = ()

    @property
    def all_wins(self) -> tuple[Win, ...]:
        """Wins of all steps, and the closing ones."""
        return (*self.wins, *(win for step in self.steps for win in step.wins), *self.closing)

    @property
    def numbered_awards(self) -> tuple[tuple[int, Award], ...]:
        """Awards with the number of the spin."""
        return tuple((self.sub_spin, award) for award in self.awards)

    @property
    def win_units(self) -> int:
        """Units won by this spin alone."""
        bonuses = sum(a.amount_units for a in self.awards if isinstance(a, PickBonus | BonusPlay))
        return sum(win.amount_units for win in self.all_wins) + bonuses


@dataclass(frozen=True, slots=True)
class GambleStep:
    """One bet on the win of a round: `drawn` is the multiplier, or the rungs climbed; `win_units` the win after it."""

    bet: str
    drawn: int
    win_units: int


class Played(Protocol):
    """What a round can be asked: an `Outcome`, or the engine's `Round`, which makes its records when asked."""

    @property
    def win_units(self) -> int: ...
    @property
    def spins(self) -> tuple[Spin, ...]: ...
    @property
    def gamble(self) -> tuple[GambleStep, ...]: ...
    @property
    def window(self) -> Window: ...
    @property
    def paid_spin_units(self) -> int: ...
    @property
    def awards(self) -> tuple[tuple[int, Award], ...]: ...
    def as_dict(self) -> dict[str, Any]: ...
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round: the paid spin and every further one. `capped`: the maximum win ended it. `gamble`: what the player
    then made of its win; `win_units` is what is left."""

    spins: tuple[Spin, ...]
    win_units: int
    capped: bool = False
    gamble: tuple[GambleStep, ...] = ()

    @property
    def window(self) -> Window:
        """The grid of the paid spin as it pays first."""
        return self.spins[0].window

    @property
    def paid_spin_units(self) -> int:
        """Units won by the paid spin alone."""
        return self.spins[0].win_units

    @property
    def awards(self) -> tuple[tuple[int, Award], ...]:
        """All awards in order, each with the number of its spin."""
        return tuple(pair for spin in self.spins for pair in spin.numbered_awards)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form; award records carry their kind."""
        capped = {"capped": True} if self.capped else {}
        gamble = {"gamble": [_record(step) for step in self.gamble]} if self.gamble else {}
        return {"win_units": self.win_units, "spins": [_spin(spin) for spin in self.spins], **capped, **gamble}

    def digest(self) -> str:
        """SHA-256 in hex of the canonical JSON of the whole outcome: equal digests, equal rounds."""
        return hashlib.sha256(CANONICAL.encode(self.as_dict()).encode()).hexdigest()


def _spin(spin: Spin) -> dict[str, Any]:
    record = _record(spin)
    record["awards"] = [award_json(award) for award in spin.awards]
    record["win_units"] = spin.win_units
    return record


def win_json(win: Win) -> dict[str, Any]:
    """A win as it stands in the JSON of a round."""
    return _record(win)


def award_json(award: Award) -> dict[str, Any]:
    """An award as it stands in the JSON of a round."""
    return {"kind": KINDS[type(award)], **_record(award)}


def _record(record: object) -> dict[str, Any]:
    """The fields of a record that are not as usual, ready for JSON."""
    shown: dict[str, Any] = {}
    for name, default in _FIELDS[type(record)]:
        value = getattr(record, name)
        if value != default:  # MISSING is like nothing
            shown[name] = _plain(value) if type(value) in _NESTED else value
    return shown


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        # Rows of symbols and numbers are most of what there is.
        if not value or type(value[0]) not in _NESTED:
            return list(value)
        return [_plain(item) for item in value]
    return _record(value)


_RECORDS = (Win, FreeSpinsAward, PickBonus, BonusPlay, JackpotWin, ValueAct, CellChange, Step, Spin, GambleStep)
_FIELDS: dict[type[object], tuple[tuple[str, object], ...]] = {
    kind: tuple((f.name, f.default) for f in fields(kind)) for kind in _RECORDS
}
_NESTED = frozenset({tuple, *_RECORDS})
