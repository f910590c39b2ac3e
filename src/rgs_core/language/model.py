"""A slot game as data: frozen dataclasses, their canonical form and the build hash.

A `Model` is what one model file says. A `Build` is a model with one of its RTP profiles: the
thing that is certified, hashed, played and replayed. Nothing here draws or evaluates anything; the words
of the language are in rgs_core.language.mechanics.

Amounts are whole *units*. The paid stake is `stake_units` units and one line bets `line_units`
units, so a win in units times (stake / stake_units) is the win in money.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from itertools import groupby

from rgs_core.language.mechanics import (
    Bonus,
    BonusBasis,
    BonusTrigger,
    Callback,
    Cascade,
    Choice,
    Double,
    Evaluator,
    Final,
    Gamble,
    Jackpot,
    JackpotTrigger,
    Linked,
    PickTrigger,
    Special,
    Spots,
    Table,
    Transform,
    Trigger,
    Wild,
    frozen,
    given,
    later,
)

FORMAT = 1
"""Version of the model language."""

MECHANIC_VERSION = 1
"""Version of the rules that turn (build, seed, nonce) into an outcome; part of every build hash."""

REELS_MIN, REELS_MAX = 1, 8
ROWS_MIN, ROWS_MAX = 1, 12
CELLS_MAX = 64
SYMBOLS_MAX = 64
PAYLINES_MAX = 256
STOPS_MAX = 4096
WEIGHT_MAX = 2**24
WEIGHT_TOTAL_MAX = 2**31
TABLE_ENTRIES_MAX = 1024
PAY_MAX = 10**8
MULTIPLIER_MAX = 1000
VALUE_MAX = 10**6
COUNTED_MAX = 10**15
SPECIALS_MAX = 8
"""Special symbols of a feature."""
FREE_SPINS_MAX = 100_000
CAP_WIN_MAX = 10**9
JACKPOTS_MAX = 8
SHARE_PPM_MAX = 1_000_000
STATES_MAX = 32
MODES_MAX = 8
STRIP_SETS_MAX = 8
MODIFIERS_MAX = 32
EVALUATORS_MAX = 8
TRANSFORMS_MAX = 16
TRIGGERS_MAX = 16
COLLECTED_MAX = 8
"""Names under which a feature collects symbols, over all states as which it goes on."""
BONUSES_MAX = 8
MULTIPLIED_MAX = 64
"""Features with multipliers that awards give them: pairs of a state and a multiplier."""
STEPS_MAX = 64
GAMBLE_STEPS_MAX = 16
GAMBLE_SUB_SPIN = 2**23
"""Sub-spin of the first step of a gamble; rounds have fewer spins."""
SPIN_DRAWS_MAX = 2**14
"""Half of the words of a sub-spin, so that rejected words never use them up."""
WIN_UNITS_MAX = 2**62
CALLBACK_DRAWS_MAX = 256
CALLBACK_UNITS_MAX = 10**12
CALLBACK_SPINS_MAX = 1000
"""What one call of a callback may do at most: draw so many numbers, win so many units, award so many spins of a state."""
DOUBLE_MAX = 4
COUNT_MAX = 255

START_STATE = "base"
"""The state of the paid spin, unless a mode says otherwise."""

BASE_MODE = "base"
"""The mode of a paid spin of `START_STATE` for one stake; every model has it."""


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
        if stop >= 0 and stop + rows <= len(self.symbols):
            return self.symbols[stop : stop + rows]
        return tuple(self.symbols[(stop + row) % len(self.symbols)] for row in range(rows))


@dataclass(frozen=True, slots=True)
class NameTable:
    """Weighted table of names, one of them drawn at every spin: strip sets, modifiers."""

    names: tuple[str, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class State:
    """One kind of spin: strips, grid, transforms, evaluators and triggers, each in order.

    `multiplier_exempt` holds "EVALUATOR", "EVALUATOR.SYMBOL", "EVALUATOR.SYMBOL.COUNT" or "TRIGGER": what no
    multiplier of the state, of a step or of the spin applies to. `strips` is the set, or the first of
    `strip_choice`. `heights`: rows in view by reel, a table where they are drawn; None: the rows of the model
    on every reel. `cells`: every cell draws a stop of its own from the strip of its reel. `win_min`: a feature pays so many
    stakes at least. `linked`: reels that stop as one. `rows_below`: where a feature goes on as this state with more or
    fewer rows, these are the lowest ones, not the uppermost. `modifiers`: one is drawn at every spin, before the transforms.
    """

    name: str
    strips: str
    evaluators: tuple[str, ...]
    multiplier: int
    multiplier_exempt: frozenset[str]
    triggers: tuple[Trigger, ...]
    strip_choice: NameTable | None = later(None)
    heights: tuple[Table, ...] | None = later(None)
    cells: bool = later(False)
    transforms: tuple[Transform, ...] = later(())
    cascade: Cascade | None = later(None)
    final: Final | None = later(None)
    special: Special | None = later(None)
    callback: Callback | None = later(None)
    spots: Spots | None = later(None)
    win_min: int | None = later(None)
    linked: Linked | None = later(None)
    rows_below: bool = later(False)
    modifiers: NameTable | None = later(None)

    def exempt(self, part: str, symbol: str | None = None, count: int | None = None) -> bool:
        """Whether no multiplier applies to a win of `part` (evaluator or trigger name)."""
        return bool({part, f"{part}.{symbol}", f"{part}.{symbol}.{count}"} & self.multiplier_exempt)

    def multiplier_for(self, part: str, symbol: str | None = None, count: int | None = None) -> int:
        """The state's multiplier of a win of `part` (evaluator or trigger name), 1 when it is exempt."""
        return 1 if self.exempt(part, symbol, count) else self.multiplier

    @property
    def strip_sets(self) -> tuple[str, ...]:
        """Names of the strip sets that the state may use, in the order of their weights."""
        return self.strip_choice.names if self.strip_choice else (self.strips,)

    @property
    def remembers(self) -> bool:
        """Whether a spin depends on the spins before it in the same feature."""
        persist = any(
            getattr(part, "persist", False) for part in (*self.transforms, self.cascade, self.final, self.spots)
        )
        sticks = any(part.kind == "stick" for part in self.transforms)
        collects = any(trigger.kind == "collected" for trigger in self.triggers)
        once = any(getattr(trigger, "once", False) for trigger in self.triggers)
        return persist or sticks or collects or once or self.special is not None or self.draws_once or self.marks

    @property
    def all_transforms(self) -> tuple[Transform, ...]:
        """Its transforms, and those of the charges of its cascade."""
        charge = self.cascade.charge if self.cascade else None
        return (*self.transforms, *(charge.then if charge else ()))

    @property
    def marks(self) -> bool:
        """Whether its cells mark places that turn into a symbol in the last spin of a feature."""
        return any(part.kind == "mark" for part in self.transforms)

    @property
    def stacks(self) -> bool:
        """Whether held cells bring in the rest of their stacks when they move."""
        return any(getattr(part, "stack", False) for part in self.transforms)

    @property
    def draws_once(self) -> bool:
        """Whether some transform draws once for all spins of a feature."""
        return any(getattr(part, "each", "") == "feature" for part in self.transforms)

    @property
    def goes_on_as(self) -> tuple[str, ...]:
        """States as which a feature of this one may go on by its triggers; bonuses may name more."""
        found = [t.state for t in self.triggers if getattr(t, "become", False)]  # type: ignore[union-attr]
        return (*found, *(name for t in self.triggers for name in getattr(t, "states", ())))


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to play: what it costs in units, and the spins that it begins with."""

    name: str
    cost_units: int
    start: str
    spins: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One RTP version of a game: strips by set name, one strip a reel."""

    name: str
    strips: Mapping[str, tuple[Strip, ...]]


@dataclass(frozen=True, slots=True)
class Model:
    """All that one model file says. Build it with `load` or `loads`, which validate.

    `rows` is the largest number of rows in view. `win_max` caps the win of a round, in stakes; None: no cap. `top`:
    reels below the top reel, whose row 0 is a cell of it; () without one.
    """

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
    evaluators: Mapping[str, Evaluator]
    bonuses: Mapping[str, Bonus]
    states: Mapping[str, State]
    free_spins_max: int
    profiles: Mapping[str, Profile]
    groups: Mapping[str, frozenset[str]] = field(default_factory=lambda: frozen({}))
    modes: Mapping[str, Mode] = field(default_factory=lambda: frozen({}))
    win_max: int | None = None
    gamble: Gamble | None = None
    jackpots: Mapping[str, Jackpot] = field(default_factory=lambda: frozen({}))
    doubles: Mapping[str, Double] = field(default_factory=lambda: frozen({}))
    top: tuple[int, ...] = ()

    def build(self, profile: str | None = None, mode: str = BASE_MODE) -> Build:
        """The build of one profile; without a name, the only or first one. KeyError if unknown."""
        name = next(iter(self.profiles)) if profile is None else profile
        if name not in self.profiles:
            raise KeyError(f"{self.id} has no profile '{name}'; it has {', '.join(self.profiles)}")
        if mode != BASE_MODE and mode not in self.modes:
            raise KeyError(f"{self.id} has no mode '{mode}'; it has {', '.join([BASE_MODE, *self.modes])}")
        return Build(self, self.profiles[name], mode)

    def read(self, shown: str) -> tuple[str, int]:
        """The symbol that a cell counts as, and how many of it."""
        double = self.doubles.get(shown)
        return (shown, 1) if double is None else (double.symbol, double.count)

    def members(self, entry: str) -> frozenset[str]:
        """The symbols of a group, or the symbol that the entry is."""
        return self.groups.get(entry, frozenset({entry}))

    @property
    def count_most(self) -> int:
        """Most symbols that one cell counts for."""
        return max((double.count for double in self.doubles.values()), default=1)

    def cells_of(self, shown: Sequence[str], count: int) -> int:
        """How many cells, from the first of `shown` on, count for `count` symbols together."""
        cells = 0
        while cells < len(shown) and count > 0:
            count -= self.read(shown[cells])[1]
            cells += 1
        return cells

    def basis_units(self, of: BonusBasis) -> int:
        """Units in one line bet or in the whole stake; 1 for what multiplies a win."""
        return {"line_bet": self.line_units, "total_bet": self.stake_units, "win": 1}[of]

    def multiplies_win(self, trigger: Trigger) -> bool:
        """Whether a trigger plays a bonus that multiplies what the spin has won."""
        if isinstance(trigger, PickTrigger):
            return self.bonuses[trigger.pick].of == "win"
        return isinstance(trigger, BonusTrigger) and self.bonuses[trigger.bonus].of == "win"

    @property
    def jackpots_won(self) -> frozenset[str]:
        """Names of the jackpots that a round can win, with or without a pool in the model."""
        by_triggers = {
            trigger.jackpot
            for state in self.states.values()
            for trigger in state.triggers
            if isinstance(trigger, JackpotTrigger)
        }
        by_bonuses = {
            part.jackpot for bonus in self.bonuses.values() for part in given(bonus) if part.jackpot is not None
        }
        dropping = {name for name, jackpot in self.jackpots.items() if jackpot.must_hit_by is not None}
        return frozenset(by_triggers | by_bonuses | dropping)

    @property
    def callbacks(self) -> Mapping[str, str]:
        """Label of the callback of every state that has one: such a model is simulated only."""
        return {name: state.callback.label for name, state in self.states.items() if state.callback is not None}

    @property
    def callback_note(self) -> str:
        """What marks a model with callbacks wherever its figures are shown; "" without any."""
        if not self.callbacks:
            return ""
        states = " and ".join(f"state '{name}' has the callback {label}" for name, label in self.callbacks.items())
        return f"Simulated only: {states}, a function in Python."

    @property
    def win_units_cap(self) -> int | None:
        """Most units that a round pays, None without a cap."""
        return None if self.win_max is None else self.win_max * self.stake_units

    def paylines_of(self, state: State) -> tuple[tuple[int, ...], ...]:
        """Paylines of the first evaluator of the state that has some."""
        for name in state.evaluators:
            paylines: tuple[tuple[int, ...], ...] = getattr(self.evaluators[name], "paylines", ())
            if paylines:
                return paylines
        return ()


@dataclass(frozen=True)
class Build:
    """A model with one profile: what is certified and played. Identified by `build_hash`.

    `mode` says how it is played, and the model what its player chooses; the hash is that of all modes and choices.
    """

    model: Model
    profile: Profile
    mode: str = BASE_MODE

    @property
    def label(self) -> str:
        """`game/profile`, as commands and documents name a build; `game/profile@mode` in another mode, with the policy
        of the player in brackets."""
        mode = "" if self.mode == BASE_MODE else f"@{self.mode}"
        policy = f" ({self.policy})" if self.policy else ""
        return f"{self.model.id}/{self.profile.name}{mode}{policy}"

    @property
    def policy(self) -> str:
        """What the player does where the game lets him choose, as rgs_core.language.policies reads it; "" for the first options
        and no gamble."""
        choices = [bonus for bonus in self.model.bonuses.values() if isinstance(bonus, Choice) and bonus.chosen]
        parts = [f"{choice.name}={choice.option.name}" for choice in choices]
        runs = [(name, len(list(run))) for name, run in groupby(self.model.gamble.plays if self.model.gamble else ())]
        bets = "+".join(name if times == 1 else f"{name}*{times}" for name, times in runs)
        return ", ".join([*parts, *([f"gamble={bets}"] if bets else [])])

    @property
    def play(self) -> Mode:
        """The mode: cost, and the spins that a round begins with."""
        if self.mode == BASE_MODE:
            return Mode(BASE_MODE, self.model.stake_units, START_STATE, 1)
        return self.model.modes[self.mode]

    def strips(self, state: State, name: str | None = None) -> tuple[Strip, ...]:
        """The reels of a state, leftmost first; of one of its strip sets when `name` says which."""
        return self.profile.strips[state.strips if name is None else name][: self.model.reels]

    def top_strip(self, name: str) -> Strip:
        """The strip of the top reel in a strip set, which comes after those of the reels."""
        return self.profile.strips[name][self.model.reels]

    @cached_property
    def canonical(self) -> bytes:
        """Canonical JSON of all that can change an outcome, and of the names used in records.

        Title and description are left out. Keys are sorted, numbers are integers, text is ASCII,
        so the bytes are the same on every machine and Python version. What the language has gained since a
        model was written is left out where it has its default, so that hashes stay.
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
            "picks": model.bonuses,
            "states": model.states,
            "free_spins_max": model.free_spins_max,
            "strips": self.profile.strips,
        }
        later = {
            "groups": model.groups,
            "modes": model.modes,
            "win_max": model.win_max,
            "gamble": model.gamble,
            "jackpots": model.jackpots,
            "doubles": model.doubles,
            "top": model.top,
        }
        form |= {name: value for name, value in later.items() if value}
        return json.dumps(_plain(form), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @cached_property
    def build_hash(self) -> str:
        """`sha256:` and 64 hex digits: SHA-256 (FIPS 180-4) of the canonical form."""
        return f"sha256:{hashlib.sha256(self.canonical).hexdigest()}"


def _plain(value: object) -> object:
    """Dataclasses, mappings, sets and tuples as JSON-ready values; integer keys become decimal text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Callback):
        return {"function": value.function, "sha256": value.sha256}
    if hasattr(value, "__dataclass_fields__"):
        named = {f.name: (getattr(value, f.name), f) for f in fields(value)}  # type: ignore[arg-type]
        return {
            name: _plain(item)
            for name, (item, f) in named.items()
            if not f.metadata.get("played")
            and not (f.metadata.get("later") and item == (f.default if f.default is not MISSING else {}))
        }
    return value
