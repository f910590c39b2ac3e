"""The vocabulary of the model language: what can pay, change the grid, start a feature, be played as a bonus.

Every class is one word of the language, as frozen data; docs/math-models.md says how each is written and
rgs_core.reference what it does. A word added later has fields with defaults that stay out of the canonical
form (`later`), so the hashes of older builds never change.
"""

from __future__ import annotations

import copyreg
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
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


def by_count(table: Mapping[int, int], count: int) -> int:
    """Entry for `count` in a count table: 0 below the smallest, the largest entry above the largest."""
    largest = max(table)
    return table.get(min(count, largest), 0)


@dataclass(frozen=True, slots=True)
class Table:
    """Weighted table: `values[i]` is drawn with probability `weights[i] / sum(weights)`."""

    values: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """Weighted table of symbols."""

    symbols: tuple[str, ...]
    weights: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True, slots=True)
class Wild:
    """A symbol that stands for others. Several of the same wild in one win multiply it once, by the product
    or by the sum of their multipliers; different wilds multiply."""

    symbol: str
    substitutes: frozenset[str]
    multiplier: int
    combine: Literal["once", "product", "sum"]

    @property
    def multiplies(self) -> bool:
        """Whether it can make a win more; the sum of several ones is more than one of them."""
        return self.multiplier != 1 or self.combine == "sum"


@dataclass(frozen=True, slots=True)
class Double:
    """A symbol whose cell counts as `count` of another one (a split symbol: two cats in one cell).

    What pays and triggers reads a cell with it as `symbol`, `count` times; what changes cells sees it as itself.
    """

    name: str
    symbol: str
    count: int


@dataclass(frozen=True, slots=True)
class Odds:
    """`chance` in `out_of`: a number below `out_of` is drawn, and one of the first `chance` succeeds."""

    chance: int
    out_of: int

    @property
    def probability(self) -> Fraction:
        return Fraction(self.chance, self.out_of)


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted in view: a symbol or group, on some reels (from 0; None: all). `per_reel`: a reel that shows it
    counts once; `stopped`: on the grid as the reels stopped. The symbol "" counts nothing."""

    symbol: str
    reels: tuple[int, ...] | None = None
    per_reel: bool = False
    stopped: bool = False


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


# --- Evaluators: what pays -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lines:
    """Pays equal symbols along paylines; the best reading of each line counts.

    `pays[symbol or group][count]` is in line bets. `pure_wild_run` says whether a run made of wilds only
    may also be read as another symbol ("any") or pays the wild's own prizes alone ("own"). `direction`:
    runs from the leftmost reel, the rightmost, from both (a full line counts once), or of neighbours
    anywhere on the line. `full_grid[symbol]` multiplies all wins when every cell shows the symbol. A count is of
    symbols, so runs with double symbols count for more than their cells.
    """

    name: str
    paylines: tuple[tuple[int, ...], ...]
    pays: Mapping[str, Mapping[int, int]]
    pure_wild_run: Literal["own", "any"]

    kind: Literal["lines"] = "lines"
    direction: Direction = later("left")
    cell_values: CellValues = later("ignore")
    full_grid: Mapping[str, int] = later_mapping()
    cell_values_max: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Combination:
    """A combination of symbols, one element a reel: a symbol, a group, or None for any symbol."""

    symbols: tuple[str | None, ...]
    pay: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class Combinations:
    """Pays listed combinations on paylines, the best one a line. An unordered one may stand in any order.

    A wild matches an element that it stands for, and multiplies; as itself or under None it does not.
    """

    name: str
    paylines: tuple[tuple[int, ...], ...]
    combinations: tuple[Combination, ...]

    kind: Literal["combinations"] = "combinations"


@dataclass(frozen=True, slots=True)
class Ways:
    """Pays a symbol on consecutive reels, once for every way to choose one matching cell on each of them.

    `pays[symbol][reels]` is in line bets for each way. Cells with a value count as so many when
    `cell_values` is "product", and so do wilds with a multiplier.
    """

    name: str
    pays: Mapping[str, Mapping[int, int]]
    pure_wild_run: Literal["own", "any"]
    direction: Literal["left", "right", "both"]
    cell_values: Literal["ignore", "product"]

    kind: Literal["ways"] = "ways"


@dataclass(frozen=True, slots=True)
class Count:
    """Pays each symbol by its number anywhere in view; numbers above the largest pay like the largest."""

    name: str
    pays: Mapping[str, Mapping[int, int]]
    of: Basis
    wilds: bool
    cell_values: CellValues

    kind: Literal["count"] = "count"
    cell_values_max: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pays groups of touching equal symbols by size, each group on its own.

    `neighbours` 4: cells that share an edge; 6: a honeycomb whose odd reels (the second, fourth, ...) stand
    half a cell lower. A wild belongs to every cluster that it touches and stands for.
    """

    name: str
    pays: Mapping[str, Mapping[int, int]]
    of: Basis
    neighbours: Literal[4, 6]
    cell_values: CellValues

    kind: Literal["cluster"] = "cluster"
    cell_values_max: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Scatter:
    """Pays by the count of a symbol anywhere in view; counts above the largest pay like the largest.

    `stopped`: looks at the grid as the reels stopped, before any transform. `at`: at every spin, or once at
    the end of a feature.
    """

    name: str
    symbol: str
    pays: Mapping[int, int]
    of: Basis

    kind: Literal["scatter"] = "scatter"
    stopped: bool = later(False)
    at: Literal["spin", "end"] = later("spin")

    def pay(self, count: int) -> int:
        """Pay for `count` symbols in view, in multiples of the basis."""
        return by_count(self.pays, count)


@dataclass(frozen=True, slots=True)
class Collect:
    """Pays the sum of the values of all cells that show a symbol, from `count_min` such cells on.

    With a `collector` the sum is paid once for each collector in view.
    """

    name: str
    symbol: str
    count_min: int
    collector: str | None
    of: Basis
    at: Literal["spin", "end"]

    kind: Literal["collect"] = "collect"


Evaluator = Lines | Combinations | Ways | Count | Cluster | Scatter | Collect

# --- Transforms: what changes the grid before it pays -------------------------------------------------
# With `when` or `odds` a transform works in some spins only: where the grid before it would pay, or would not, and
# then as drawn; that holds for all grids of the spin.


@dataclass(frozen=True, slots=True)
class Reveal:
    """Cells that show `symbol` turn into a drawn symbol: one for the feature, for the spin, one a reel or one a cell."""

    symbol: str
    table: SymbolTable
    each: Literal["spin", "reel", "cell", "feature"]

    kind: Literal["reveal"] = "reveal"
    odds: Odds | None = later(None)
    when: When = later("always")


@dataclass(frozen=True, slots=True)
class Expand:
    """A reel that shows `symbol` turns into `into` as a whole; `reels` from 0, None for all."""

    symbol: str
    into: str
    reels: tuple[int, ...] | None

    kind: Literal["expand"] = "expand"
    odds: Odds | None = later(None)
    when: When = later("always")


@dataclass(frozen=True, slots=True)
class Replace:
    """Cells that show `symbol` turn into `into`; `reels` from 0, None for all."""

    symbol: str
    into: str
    reels: tuple[int, ...] | None

    kind: Literal["replace"] = "replace"
    odds: Odds | None = later(None)
    when: When = later("always")


@dataclass(frozen=True, slots=True)
class Add:
    """A drawn number of cells, each equally likely, turn into `symbol`. Cells of `reels` (None: all) that show
    one of `over` (None: anything but `symbol`) can be chosen; there may be fewer of them than drawn."""

    symbol: str
    count: Table
    reels: tuple[int, ...] | None
    over: frozenset[str] | None

    kind: Literal["add"] = "add"
    odds: Odds | None = later(None)
    when: When = later("always")


@dataclass(frozen=True, slots=True)
class Values:
    """Every cell that shows one of `symbols` and has no value yet gets a drawn one, those of a reel perhaps the same.

    `grow`: how much more the value of a cell is in the next step or spin when the cell is part of a win.
    """

    symbols: frozenset[str]
    table: Table

    kind: Literal["values"] = "values"
    odds: Odds | None = later(None)
    when: When = later("always")
    each: Literal["cell", "reel"] = later("cell")
    grow: int = later(0)


@dataclass(frozen=True, slots=True)
class Stick:
    """Cells that show one of `symbols` stay, with their value, for the further spins of the feature.

    `step`: reels that they move before each further spin, 0 sticky, -1 walking to the left, 1 to the right. `fall`: rows
    that they move downwards; `jump`: to a random cell that is not held. `each`: before each further spin, or before each
    refill of a cascade, after which new ones stick too.
    """

    symbols: frozenset[str]
    step: Literal[-1, 0, 1]

    kind: Literal["stick"] = "stick"
    fall: Literal[-1, 0, 1] = later(0)
    jump: bool = later(False)
    each: Literal["spin", "step"] = later("spin")

    @property
    def moves(self) -> bool:
        """Whether what it holds does not stay where it is."""
        return self.jump or self.step != 0 or self.fall != 0


@dataclass(frozen=True, slots=True)
class Multiplier:
    """Draws multipliers of everything the spin wins: one a spin, one for all spins of the feature, one for each reel full
    of `symbol`, or one for each cell that shows it; several combine by product or sum. `persist`: they add up over the
    feature."""

    table: Table
    each: Literal["spin", "full_reel", "cell", "feature"]
    symbol: str | None
    combine: Literal["product", "sum"]
    persist: bool

    kind: Literal["multiplier"] = "multiplier"
    odds: Odds | None = later(None)
    when: When = later("always")


@dataclass(frozen=True, slots=True)
class Nudge:
    """A reel that shows `symbol` moves by up to `steps_max` stops, to where most of its cells show it.

    Of equal moves the shortest counts, then the one downwards. `reels` from 0, None for all. `multiplier` is added
    to that of the spin, from 1 on, for each step of any reel; with `multiplies` "cells" it is added to a value, from 1 on,
    of the cells of a reel that moved and show the symbol, for each step of that reel.
    """

    symbol: str
    reels: tuple[int, ...] | None
    steps_max: int
    multiplier: int

    kind: Literal["nudge"] = "nudge"
    odds: Odds | None = later(None)
    when: When = later("always")
    multiplies: Literal["spin", "cells"] = later("spin")


@dataclass(frozen=True, slots=True)
class Fill:
    """A drawn number of reels, each of `among` (None: all) equally likely, turn into `symbol` as a whole."""

    symbol: str
    count: Table
    among: tuple[int, ...] | None

    kind: Literal["fill"] = "fill"
    odds: Odds | None = later(None)
    when: When = later("always")


@dataclass(frozen=True, slots=True)
class Act:
    """Cells that show one of `symbols` act on the values of other cells, each by its own value.

    `does`: adds it to all of them, multiplies all or `count` of them by it, or collects them all, adding them to its own.
    `over`: symbols of the cells that it acts on (None: any); only cells with a value are. `once`: not again when it was
    held before the spin. No value becomes larger than `value_max` by it.
    """

    symbols: frozenset[str]
    does: Literal["add_to_all", "multiply_all", "multiply_some", "collect_all"]
    count: Table | None
    over: frozenset[str] | None
    once: bool
    value_max: int

    kind: Literal["act"] = "act"
    odds: Odds | None = later(None)
    when: When = later("always")


Transform = Reveal | Expand | Replace | Add | Values | Stick | Multiplier | Nudge | Act | Fill


@dataclass(frozen=True, slots=True)
class Charge:
    """A meter of the cells that a cascade removes in one spin: every `every` of them, of `symbols` (None: all), are a charge.

    When a step removes nothing, a charge that is left is used up: `then`, transforms, change the grid, which pays again.
    """

    every: int
    symbols: frozenset[str] | None
    then: tuple[Transform, ...]


@dataclass(frozen=True, slots=True)
class Cascade:
    """Winning cells are removed, what is above falls, the reels refill, and the grid pays again.

    `remove`: evaluators and triggers whose cells go (those triggers are looked at after every step). Symbols
    in `keep` stay. `refill`: the symbols above the window on the strip, or fresh stops. `multipliers`: of the
    first, second, ... winning step, `multiplier_step` more with each one after the last of them; `persist`: counted over
    the feature.
    """

    refill: Literal["strip", "fresh"]
    remove: frozenset[str]
    keep: frozenset[str]
    multipliers: tuple[int, ...]
    persist: bool
    steps_max: int
    charge: Charge | None = later(None)
    multiplier_step: int = later(0)

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
    """

    name: str
    table: SymbolTable
    lines: str
    own_lines: bool


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

# --- Triggers: what starts something ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FreeSpinsTrigger:
    """Awards spins of `state` by the count of a symbol anywhere in view.

    `stopped`: on the grid as the reels stopped. `fresh`: held cells do not count. `reset`: the spins left
    become at least the award, instead of growing by it. `carry`: cells with these symbols stay, held, in the
    awarded feature. `reels`, `per_reel`: as in `Counted`. `when`: only if the spin has won, or has not. `once`: no more
    than once in a feature. `odds`: drawn where all else holds. Without a symbol ("") the count is 0.
    `multiplier`: drawn when it awards, of all that the feature wins; None: that of the feature which is
    lengthened, 1 of a new one. `become`: the spins lengthen the feature that plays, which goes on as `state`; also by no
    spins, from the smallest count of the table on. So it is wherever spins are awarded.
    """

    name: str
    symbol: str
    spins: Mapping[int, int]
    state: str

    kind: Literal["free_spins"] = "free_spins"
    stopped: bool = later(False)
    fresh: bool = later(False)
    reset: bool = later(False)
    carry: frozenset[str] = later(frozenset())
    odds: Odds | None = later(None)
    when: When = later("always")
    once: bool = later(False)
    reels: tuple[int, ...] | None = later(None)
    per_reel: bool = later(False)
    multiplier: Table | None = later(None)
    become: bool = later(False)

    @property
    def counted(self) -> Counted:
        """What it counts."""
        return Counted(self.symbol, self.reels, self.per_reel, self.stopped)

    def award(self, count: int) -> int:
        """Spins awarded for `count` symbols in view."""
        return by_count(self.spins, count)


@dataclass(frozen=True, slots=True)
class WinTrigger:
    """Awards spins of `state` for every win of an evaluator: `spins[symbol][count]`."""

    name: str
    evaluator: str
    spins: Mapping[str, Mapping[int, int]]
    state: str

    kind: Literal["win_spins"] = "win_spins"
    multiplier: Table | None = later(None)
    become: bool = later(False)


@dataclass(frozen=True, slots=True)
class CollectedTrigger:
    """Counts a symbol over the spins of a feature; every `every` of them reach the next level.

    Level i awards `spins[i]` spins of `state`, and from the next spin on wins are multiplied by
    `multipliers[i]`. After the last level nothing more is counted. With `states` the spins lengthen the feature, which
    goes on as `states[i]`. `multipliers_from`: "batch" multiplies once the spins are played that were left before.
    """

    name: str
    symbol: str
    every: int
    spins: tuple[int, ...]
    multipliers: tuple[int, ...]
    state: str

    kind: Literal["collected"] = "collected"
    multiplier: Table | None = later(None)
    states: tuple[str, ...] = later(())
    multipliers_from: Literal["spin", "batch"] = later("spin")


@dataclass(frozen=True, slots=True)
class PickTrigger:
    """Starts a bonus for every payline that begins with `pattern` (None matches any symbol)."""

    name: str
    pattern: tuple[str | None, ...]
    pick: str

    kind: Literal["pick"] = "pick"


@dataclass(frozen=True, slots=True)
class BonusTrigger:
    """Plays a bonus as often as `plays` says for the count of a symbol anywhere in view.

    What else it needs is said as of FreeSpinsTrigger.
    """

    name: str
    symbol: str
    plays: Mapping[int, int]
    bonus: str
    stopped: bool

    kind: Literal["bonus"] = "bonus"
    odds: Odds | None = later(None)
    when: When = later("always")
    once: bool = later(False)
    reels: tuple[int, ...] | None = later(None)
    per_reel: bool = later(False)

    @property
    def counted(self) -> Counted:
        """What it counts."""
        return Counted(self.symbol, self.reels, self.per_reel, self.stopped)

    def times(self, count: int) -> int:
        """Bonuses played for `count` symbols in view."""
        return by_count(self.plays, count)


@dataclass(frozen=True, slots=True)
class JackpotTrigger:
    """Wins a jackpot of the service by name, with `chance` in `out_of` at every spin of the state.

    `per`: "unit" has that chance for each unit that a round costs in its mode. With a `symbol` only spins that show it
    `count` times at least can win. `fresh`: cells that were held before the spin do not count. `at`: looks at every spin,
    or once, at the last grid of a feature.
    """

    name: str
    jackpot: str
    chance: int
    out_of: int

    kind: Literal["jackpot"] = "jackpot"
    per: Literal["spin", "unit"] = later("spin")
    symbol: str | None = later(None)
    count: int = later(0)
    fresh: bool = later(False)
    at: Literal["spin", "end"] = later("spin")

    def chance_of(self, cost_units: int) -> int:
        """Chance in `out_of` at every spin of a round that costs so many units."""
        return self.chance * (cost_units if self.per == "unit" else 1)


@dataclass(frozen=True, slots=True)
class FullReelsTrigger:
    """Awards spins of `state` by the number of reels that show nothing but the same symbol, the one that fills most of
    them. Their cells stay, held, in the awarded feature."""

    name: str
    spins: Mapping[int, int]
    state: str

    kind: Literal["full_reels"] = "full_reels"


Trigger = (
    FreeSpinsTrigger | WinTrigger | CollectedTrigger | PickTrigger | BonusTrigger | JackpotTrigger | FullReelsTrigger
)


def fires_by_count(trigger: FreeSpinsTrigger | BonusTrigger) -> bool:
    """Whether the number of its symbol in view alone decides what a trigger gives."""
    return fires_always(trigger) and trigger.reels is None and not trigger.per_reel


def fires_always(trigger: FreeSpinsTrigger | BonusTrigger) -> bool:
    """Whether a trigger fires wherever what it counts suffices."""
    return trigger.odds is None and trigger.when == "always" and not trigger.once


def works_always(transform: Transform) -> bool:
    """Whether a transform works in every spin."""
    return isinstance(transform, Stick) or (transform.odds is None and transform.when == "always")


# --- Bonuses: what is drawn apart from the reels -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pick:
    """Pick bonus whose result is fixed by the draw: places opened, prizes a place, a prize table.

    Prizes are drawn with replacement and are in multiples of the basis.
    """

    name: str
    picks: Table
    prizes_per_pick: Table
    prizes: Table
    of: BonusBasis


@dataclass(frozen=True, slots=True)
class Take:
    """Takes `take` of the listed prizes without replacement; equal ones are multiplied by `equal_multiplier`.

    With `ends`, numbers of prizes from 1, it is over sooner: when `lives` of those have been taken. They pay too.
    """

    name: str
    prizes: tuple[int, ...]
    take: int
    equal_multiplier: int
    of: BonusBasis

    kind: Literal["take"] = "take"
    ends: frozenset[int] = later(frozenset())
    lives: int = later(1)

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The prizes that end nothing, and those that take a life."""
        numbered = list(enumerate(self.prizes, start=1))
        return tuple(p for n, p in numbered if n not in self.ends), tuple(p for n, p in numbered if n in self.ends)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a wheel: a pay, spins of a state, another bonus, a jackpot of the service, or several of them."""

    weight: int
    pay: int
    spins: int
    state: str | None
    bonus: str | None
    jackpot: str | None = later(None)
    multiplier: Table | None = later(None)
    become: bool = later(False)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel of weighted segments; a segment may lead to another bonus."""

    name: str
    segments: tuple[Segment, ...]
    of: BonusBasis

    kind: Literal["wheel"] = "wheel"


@dataclass(frozen=True, slots=True)
class Trail:
    """A board walk: roll `die`, move on, take the pay of the square; it ends on an `ends` square (from 1),
    past the last one (which pays `finish`), or after `rolls_max` rolls. `pays`: every square on which a roll ends is
    paid, or only the last one."""

    name: str
    squares: tuple[int, ...]
    ends: frozenset[int]
    die: Table
    rolls_max: int
    finish: int
    of: BonusBasis

    kind: Literal["trail"] = "trail"
    pays: Literal["all", "last"] = later("all")


@dataclass(frozen=True, slots=True)
class Option:
    """What one choice of the player gives: a pay, spins of a state, another bonus, a jackpot, or several of them."""

    name: str
    pay: int
    spins: int
    state: str | None
    bonus: str | None
    jackpot: str | None = later(None)
    multiplier: Table | None = later(None)
    become: bool = later(False)


@dataclass(frozen=True, slots=True)
class Choice:
    """The player takes one of the options. `matters`: whether they may differ in what they return in the mean.

    `chosen`: number of the option that is taken; the first one unless a policy says otherwise.
    """

    name: str
    options: tuple[Option, ...]
    of: BonusBasis
    matters: bool

    kind: Literal["choice"] = "choice"
    chosen: int = played(0)

    @property
    def option(self) -> Option:
        """The option that is taken."""
        return self.options[self.chosen]


Bonus = Pick | Take | Wheel | Trail | Choice


def given(bonus: Bonus) -> tuple[Segment | Option, ...]:
    """What a bonus may lead to: the segments of a wheel, the options of a choice."""
    if isinstance(bonus, Wheel):
        return bonus.segments
    return bonus.options if isinstance(bonus, Choice) else ()


def settled(bonus: Bonus) -> Pick | Take | Wheel | Trail:
    """A bonus as it is played: a choice is a wheel that has the chosen option alone."""
    if not isinstance(bonus, Choice):
        return bonus
    option = bonus.option
    given_by = option.pay, option.spins, option.state, option.bonus, option.jackpot, option.multiplier, option.become
    segment = Segment(1, *given_by)
    return Wheel(bonus.name, (segment,), bonus.of)


# --- Jackpots: pools that the service keeps ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Jackpot:
    """A pool outside of the game: it begins with `start` stakes and takes `share_ppm` millionths of every stake.

    A trigger wins it; or, with `must_hit_by`, the service draws an amount between `start` and that many stakes,
    every one equally likely, at which it drops.
    """

    name: str
    start: int
    share_ppm: int
    must_hit_by: int | None


# --- The gamble: what a player may do with the win of a round ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Bet:
    """A way to gamble: `table` is drawn, of multipliers of what is put at risk, or of rungs to climb or fall.
    `part`: whether the whole win is put at risk, or half of it, rounded down."""

    name: str
    table: Table
    part: Literal["all", "half"]


@dataclass(frozen=True, slots=True)
class Gamble:
    """The win of a round can be gambled up to `steps_max` times.

    Without `rungs` a bet multiplies, and is only offered where its best result is at most `win_max` stakes. With
    them it moves on a ladder of amounts, in multiples of `of`: the win stands on the highest rung that it
    reaches, what is above is kept; below the first rung all is lost, on the last the gamble ends.

    `plays`: names of the bets that a player makes, in order, while there is a win and a bet is offered.
    """

    bets: Mapping[str, Bet]
    steps_max: int
    win_max: int | None
    rungs: tuple[int, ...]
    of: Basis
    plays: tuple[str, ...] = played(())

    def table(self, bet: str) -> Table:
        """What a bet draws."""
        return self.bets[bet].table
