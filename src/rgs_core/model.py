"""A slot game as data: frozen dataclasses, their canonical form and the build hash.

A `Model` is what one model file says. A `Build` is a model with one of its RTP profiles: the
thing that is certified, hashed, played and replayed. Nothing here draws or evaluates anything.

Amounts are whole *units*. The paid stake is `stake_units` units and one line bets `line_units`
units, so a win in units times (stake / stake_units) is the win in money.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypeVar

FORMAT = 1
"""Version of the model language."""

MECHANIC_VERSION = 1
"""Version of the rules that turn (build, seed, nonce) into an outcome; part of every build hash."""

REELS_MIN, REELS_MAX = 3, 6
ROWS_MIN, ROWS_MAX = 1, 6
SYMBOLS_MAX = 64
PAYLINES_MAX = 256
STOPS_MAX = 4096
WEIGHT_MAX = 2**24
WEIGHT_TOTAL_MAX = 2**31
TABLE_ENTRIES_MAX = 1024
PAY_MAX = 10**8
MULTIPLIER_MAX = 1000
FREE_SPINS_MAX = 100_000
EVALUATORS_MAX = 8
TRIGGERS_MAX = 4
SPIN_DRAWS_MAX = 2048
WIN_UNITS_MAX = 2**62

START_STATE = "base"
"""Every round begins with one paid spin of this state."""

Basis = Literal["line_bet", "total_bet"]

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Table:
    """Weighted table: `values[i]` is drawn with probability `weights[i] / sum(weights)`."""

    values: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True, slots=True)
class Strip:
    """One reel: symbols by stop, and the weight of each stop (all 1 when stops are equally likely)."""

    symbols: tuple[str, ...]
    weights: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.weights)

    @property
    def uniform(self) -> bool:
        return all(weight == 1 for weight in self.weights)

    def window(self, stop: int, rows: int) -> tuple[str, ...]:
        """Symbols in view, top to bottom, when the reel stops at `stop`; strips are endless loops."""
        return tuple(self.symbols[(stop + row) % len(self.symbols)] for row in range(rows))


@dataclass(frozen=True, slots=True)
class Wild:
    """A symbol that stands for others. Its multiplier counts once a win or once for each wild in it."""

    symbol: str
    substitutes: frozenset[str]
    multiplier: int
    combine: Literal["once", "product"]


@dataclass(frozen=True, slots=True)
class Lines:
    """Pays equal symbols from the leftmost reel along paylines; the best reading of each line counts.

    `pays[symbol][count]` is in line bets. `pure_wild_run` says whether a run made of wilds only may
    also be read as another symbol ("any") or pays the wild's own prizes alone ("own").
    """

    name: str
    paylines: tuple[tuple[int, ...], ...]
    pays: Mapping[str, Mapping[int, int]]
    pure_wild_run: Literal["own", "any"]

    kind: Literal["lines"] = "lines"


@dataclass(frozen=True, slots=True)
class Scatter:
    """Pays by the count of a symbol anywhere in view; counts above the largest pay like the largest."""

    name: str
    symbol: str
    pays: Mapping[int, int]
    of: Basis

    kind: Literal["scatter"] = "scatter"

    def pay(self, count: int) -> int:
        """Pay for `count` symbols in view, in multiples of the basis."""
        return by_count(self.pays, count)


@dataclass(frozen=True, slots=True)
class FreeSpinsTrigger:
    """Awards spins of `state` by the count of a symbol anywhere in view."""

    name: str
    symbol: str
    spins: Mapping[int, int]
    state: str

    kind: Literal["free_spins"] = "free_spins"

    def award(self, count: int) -> int:
        """Spins awarded for `count` symbols in view."""
        return by_count(self.spins, count)


@dataclass(frozen=True, slots=True)
class PickTrigger:
    """Starts a pick bonus for every payline that begins with `pattern` (None matches any symbol)."""

    name: str
    pattern: tuple[str | None, ...]
    pick: str

    kind: Literal["pick"] = "pick"


@dataclass(frozen=True, slots=True)
class Pick:
    """Pick bonus whose result is fixed by the draw: places opened, prizes a place, a prize table.

    Prizes are drawn with replacement and are in multiples of the basis.
    """

    name: str
    picks: Table
    prizes_per_pick: Table
    prizes: Table
    of: Basis


@dataclass(frozen=True, slots=True)
class State:
    """One kind of spin: its strips, evaluators in order, multiplier and triggers in order.

    `multiplier_exempt` holds "EVALUATOR", "EVALUATOR.SYMBOL", "EVALUATOR.SYMBOL.COUNT" or "TRIGGER".
    """

    name: str
    strips: str
    evaluators: tuple[str, ...]
    multiplier: int
    multiplier_exempt: frozenset[str]
    triggers: tuple[FreeSpinsTrigger | PickTrigger, ...]

    def multiplier_for(self, part: str, symbol: str | None = None, count: int | None = None) -> int:
        """Multiplier of a win of `part` (evaluator or trigger name), 1 when it is exempt."""
        names = {part, f"{part}.{symbol}", f"{part}.{symbol}.{count}"}
        return 1 if names & self.multiplier_exempt else self.multiplier


@dataclass(frozen=True, slots=True)
class Profile:
    """One RTP version of a game: strips by set name, one strip a reel."""

    name: str
    strips: Mapping[str, tuple[Strip, ...]]


@dataclass(frozen=True, slots=True)
class Model:
    """All that one model file says. Build it with `load` or `loads`, which validate."""

    id: str
    title: str
    version: str
    description: str
    stake_units: int
    line_units: int
    reels: int
    rows: int
    symbols: tuple[str, ...]
    wilds: Mapping[str, Wild]
    evaluators: Mapping[str, Lines | Scatter]
    picks: Mapping[str, Pick]
    states: Mapping[str, State]
    free_spins_max: int
    profiles: Mapping[str, Profile]

    def build(self, profile: str | None = None) -> Build:
        """The build of one profile; without a name, the only or first one. KeyError if unknown."""
        name = next(iter(self.profiles)) if profile is None else profile
        if name not in self.profiles:
            raise KeyError(f"{self.id} has no profile '{name}'; it has {', '.join(self.profiles)}")
        return Build(self, self.profiles[name])

    def basis_units(self, of: Basis) -> int:
        """Units in one line bet or in the whole stake."""
        return self.line_units if of == "line_bet" else self.stake_units

    def lines_of(self, state: State) -> Lines | None:
        """The state's line evaluator, None when it has none."""
        for name in state.evaluators:
            evaluator = self.evaluators[name]
            if isinstance(evaluator, Lines):
                return evaluator
        return None


@dataclass(frozen=True)
class Build:
    """A model with one profile: what is certified and played. Identified by `build_hash`."""

    model: Model
    profile: Profile

    @property
    def label(self) -> str:
        """`game/profile`, as commands and documents name a build."""
        return f"{self.model.id}/{self.profile.name}"

    def strips(self, state: State) -> tuple[Strip, ...]:
        """The reels of a state, leftmost first."""
        return self.profile.strips[state.strips]

    @cached_property
    def canonical(self) -> bytes:
        """Canonical JSON of all that can change an outcome, and of the names used in records.

        Title and description are left out. Keys are sorted, numbers are integers, text is ASCII,
        so the bytes are the same on every machine and Python version.
        """
        model = self.model
        form = {
            "format": FORMAT,
            "mechanic_version": MECHANIC_VERSION,
            "id": model.id,
            "version": model.version,
            "profile": self.profile.name,
            "stake_units": model.stake_units,
            "line_units": model.line_units,
            "reels": model.reels,
            "rows": model.rows,
            "symbols": model.symbols,
            "wilds": model.wilds,
            "evaluators": model.evaluators,
            "picks": model.picks,
            "states": model.states,
            "free_spins_max": model.free_spins_max,
            "strips": self.profile.strips,
        }
        return json.dumps(_plain(form), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @cached_property
    def build_hash(self) -> str:
        """`sha256:` and 64 hex digits: SHA-256 (FIPS 180-4) of the canonical form."""
        return f"sha256:{hashlib.sha256(self.canonical).hexdigest()}"


def by_count(table: Mapping[int, int], count: int) -> int:
    """Entry for `count` in a count table: 0 below the smallest, the largest entry above the largest."""
    largest = max(table)
    return table.get(min(count, largest), 0)


def frozen(mapping: Mapping[K, V]) -> Mapping[K, V]:
    """A read-only copy, so that a model cannot change after it was hashed."""
    return MappingProxyType(dict(mapping))


def _plain(value: object) -> object:
    """Dataclasses, mappings, sets and tuples as JSON-ready values; integer keys become decimal text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: _plain(getattr(value, name)) for name in fields}
    return value
