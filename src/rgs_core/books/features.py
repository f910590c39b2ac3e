"""Follows the features of a round through its records: the spins left of each, and what it remembers.

Records tell what every spin showed and won. Front ends want to be told as well how many spins a feature has, which
cells stay, how far a ladder has climbed and how much has been collected; the rules of rounds (docs/math-models.md)
give that from the records in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from rgs_core.books.win_cells import Cell, cells_with
from rgs_core.errors import BooksError
from rgs_core.language.mechanics import (
    Add,
    CollectedTrigger,
    Expand,
    Fill,
    FreeSpinsTrigger,
    FullReelsTrigger,
    Mark,
    Replace,
    Reveal,
    Scatter,
    Stick,
    given,
)
from rgs_core.language.model import Build, Model, State
from rgs_core.outcome import Award, BonusPlay, FreeSpinsAward, Spin, Window


@dataclass(eq=False)
class Feature:
    """The spins of one state in a row. `paid`: those that the round began with as a paid spin.

    `played`, `left`: its spins. `held`: cells that stay, with the symbol that each holds. `won_steps`: steps that
    the ladder has climbed. `collected`: symbols counted, by trigger. `won`: hundredths won so far. `multiplier`: of all that it
    wins, by its award. `multiplying`, `waiting`: levels that multiply, and spins before each further one does, of triggers
    whose levels wait. `first`: the state with which it begins, by name. `specials`: special symbols that it has drawn.
    """

    state: State
    left: int
    paid: bool = False
    played: int = 0
    held: dict[Cell, str] = field(default_factory=dict)
    won_steps: int = 0
    collected: dict[str, int] = field(default_factory=dict)
    won: int = 0
    multiplier: int = 1
    multiplying: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, list[int]] = field(default_factory=dict)
    first: str = ""
    specials: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = self.first or self.state.name

    def of(self, state: str, front: Feature) -> bool:
        """Whether it is a feature of the state; an interrupted one is also of that with which it began."""
        return self.state.name == state or (self is not front and self.played > 0 and self.first == state)

    @property
    def total(self) -> int:
        """All its spins as far as they are known."""
        return self.played + self.left

    def begin(self, spin: Spin) -> None:
        """Its next spin: held cells walk, those without a place are gone, a ladder that does not persist falls."""
        if self.played:
            self.held = {
                (reel + across, row + down): symbol
                for (reel, row), symbol in sorted(self.held.items())
                for across, down in [_move(self.state, symbol)]
            }
        shown = spin.window
        self.held = {
            (reel, row): symbol
            for (reel, row), symbol in self.held.items()
            if 0 <= reel < len(shown) and 0 <= row < len(shown[reel])
        }
        self.played += 1
        self.left -= 1
        if self.state.cascade is None or not self.state.cascade.persist:
            self.won_steps = 0
        for trigger in self.state.triggers:
            if isinstance(trigger, CollectedTrigger) and trigger.multipliers_from == "batch":
                waiting = self.waiting.get(trigger.name, [])
                ready = next((i for i, spins in enumerate(waiting) if spins), len(waiting))
                self.multiplying[trigger.name] = self.multiplying.get(trigger.name, 0) + ready
                self.waiting[trigger.name] = [spins - 1 for spins in waiting[ready:]]

    def draw_specials(self, spin: Spin) -> list[str]:
        """The special symbols that are drawn before a spin."""
        shown = spin.specials or ((spin.special,) if spin.special else ())
        drawn = [symbol for symbol in shown if symbol not in self.specials]
        self.specials += drawn
        return drawn

    def stick(self, window: Window) -> list[Cell]:
        """The cells that are held from this spin on; they are held now."""
        if not self.state.transforms:
            return []
        symbols = {symbol for t in self.state.transforms if isinstance(t, Stick) for symbol in t.symbols}
        shown = {cell: symbol for symbol in symbols for cell in cells_with(window, symbol)}
        new = sorted(shown.keys() - self.held.keys())
        self.held.update(shown)
        return new

    @property
    def levels_multiplier(self) -> int:
        """Of the levels of collected symbols that the spins before have reached."""
        levels = ((t, self._multiplying(t)) for t in self.state.triggers if isinstance(t, CollectedTrigger))
        return prod(trigger.level_multiplier(level) for trigger, level in levels)

    def _multiplying(self, trigger: CollectedTrigger) -> int:
        """The level of a trigger whose multiplier counts."""
        if trigger.multipliers_from == "spin":
            return self.level(trigger)
        return min(self.multiplying.get(trigger.name, 0), len(trigger.multipliers))

    def collect(self, trigger: CollectedTrigger, more: int) -> None:
        """Counts symbols; levels that are reached may wait for the spins that are left now."""
        before = self.level(trigger)
        lost = trigger.in_a_row and more == 0
        self.collected[trigger.name] = 0 if lost else self.collected.get(trigger.name, 0) + more
        self.waiting.setdefault(trigger.name, []).extend([self.left] * (self.level(trigger) - before))

    def go_on(self, model: Model, state: State) -> None:
        """It goes on as another state: what that does not keep is forgotten, held cells move with rows at the top."""
        ladders = (self.state.cascade, state.cascade)
        if not all(ladder is not None and ladder.persist for ladder in ladders):
            self.won_steps = 0
        names = {trigger.name for trigger in state.triggers if isinstance(trigger, CollectedTrigger)}
        self.collected = {name: count for name, count in self.collected.items() if name in names}
        self.multiplying = {name: level for name, level in self.multiplying.items() if name in names}
        self.waiting = {name: spins for name, spins in self.waiting.items() if name in names}
        if not state.rows_below:
            heights = [(_height(model, self.state, reel), _height(model, state, reel)) for reel in range(model.reels)]
            more = [new - old if old and new else 0 for old, new in heights]
            held = {(reel, row + more[reel]): symbol for (reel, row), symbol in self.held.items()}
            self.held = {(reel, row): symbol for (reel, row), symbol in held.items() if row >= 0}
        self.state = state

    @property
    def ladder(self) -> int:
        """The multiplier that a cascade gives to the step at hand."""
        cascade = self.state.cascade
        return 1 if cascade is None else cascade.multiplier(self.won_steps)

    def level(self, trigger: CollectedTrigger) -> int:
        """The level that a trigger has reached, from 0."""
        return trigger.level(self.collected.get(trigger.name, 0))


class Course:
    """The features of one round, in a queue whose front one plays. `next`: those that play at once after its spin."""

    def __init__(self, build: Build, bought: bool) -> None:
        model, play = build.model, build.play
        self.model = model
        self.queue = [Feature(model.states[play.start], play.spins, paid=not bought)]
        self.granted = 0
        self.next: list[Feature] = []

    def front(self, spin: Spin) -> Feature:
        """The feature that plays this spin. Raises BooksError when the records belong to no round."""
        if not self.queue or self.queue[0].state.name != spin.state:
            raise BooksError(f"spin {spin.sub_spin} of '{spin.state}' was not awarded; do not use these books")
        return self.queue[0]

    def grant(self, award: Award, feature: Feature, window: Window) -> tuple[Feature, bool] | None:
        """The feature that an award begins (True) or lengthens (False); None when it adds no spin."""
        if not isinstance(award, FreeSpinsAward | BonusPlay) or not award.spins:
            return None
        triggers = {t.name: t for t in feature.state.triggers}
        trigger = triggers.get(award.trigger)
        multiplier = award.multiplier or 1
        known_as = [f for f in self.queue if f.of(award.state, feature)]
        begun = [f for f in known_as if f.played and not award.multiplier]
        known = iter([*begun, *(f for f in known_as if f.multiplier == multiplier)])
        target = feature if goes_on(self.model, feature.state, award) else next(known, None)
        wanted = award.spins
        if isinstance(trigger, FreeSpinsTrigger) and trigger.reset:
            wanted = max(0, award.spins - (target.left if target else 0))
        more = min(wanted, self.model.free_spins_max - self.granted)
        if more <= 0:
            return None
        self.granted += more
        if target is not None:
            target.left += more
            self._hurry(feature, award, target)
            return target, False
        carry = trigger.carry if isinstance(trigger, FreeSpinsTrigger) else ()
        held = {cell: symbol for symbol in carry for cell in cells_with(window, symbol)}
        if isinstance(trigger, FullReelsTrigger) and isinstance(award, FreeSpinsAward):
            held = {
                (reel, row): window[reel][row] for reel, row in full_cells(self.model, window, trigger, award.symbol)
            }
        target = Feature(self.model.states[award.state], more, held=held, multiplier=multiplier)
        self.queue.append(target)
        self._hurry(feature, award, target)
        return target, True

    def _hurry(self, feature: Feature, award: FreeSpinsAward | BonusPlay, target: Feature) -> None:
        """Notes that a feature which has not begun plays next, where its award says so."""
        if not target.played and target not in self.next and plays_at_once(self.model, feature.state, award):
            self.next.append(target)

    def follow(self, feature: Feature, awards: Sequence[Award]) -> bool:
        """Makes the feature go on as another state, if the awards of its spin say so and it has spins left."""
        ways = [
            a.state
            for a in awards
            if isinstance(a, FreeSpinsAward | BonusPlay) and goes_on(self.model, feature.state, a)
        ]
        if not ways or not feature.left:
            return False
        feature.go_on(self.model, self.model.states[ways[-1]])
        return True

    def end(self, feature: Feature, window: Window, went_on: bool) -> bool:
        """Whether the feature is over after its spin: no spin is left, or its cells draw alone and all are held."""
        cells = sum(len(reel) for reel in window)
        if went_on:  # where a height is drawn nobody knows yet
            heights = [_height(self.model, feature.state, reel) for reel in range(self.model.reels)]
            cells = sum(heights) if all(heights) else -1
        over = not feature.left or (feature.state.cells and len(feature.held) == cells)
        self.queue = [*self.next, *(f for f in self.queue if f not in self.next and not (over and f is feature))]
        self.next = []
        return over


def full_cells(model: Model, window: Window, trigger: FullReelsTrigger, symbol: str) -> list[Cell]:
    """The cells of reels of a trigger that show nothing but a symbol."""
    reels = range(len(window)) if trigger.reels is None else trigger.reels
    full = [reel for reel in reels if {model.read(shown)[0] for shown in window[reel]} == {symbol}]
    return [(reel, row) for reel in full for row in range(len(window[reel]))]


def check_told(model: Model) -> None:
    """Raises BooksError where the records of a round do not tell which cells stay, or which a cascade removes."""
    for state in model.states.values():
        for place, transform in enumerate(state.transforms):
            if isinstance(transform, Stick) and (transform.jump or transform.each == "step"):
                raise BooksError(
                    f"states.{state.name}.transforms[{place}] moves held cells at random or between steps, and the records "
                    "do not tell where to; move them left, right, up or down before each spin"
                )
            if isinstance(transform, Stick) and transform.stack:
                raise BooksError(
                    f"states.{state.name}.transforms[{place}] brings in the rest of stacks, and the records do not tell how "
                    "far they go on; hold cells without 'stack'"
                )
        kinds = [type(t) for t in state.transforms]
        after = kinds.index(Stick) + 1 if Stick in kinds else len(kinds)
        for place in range(after, len(kinds)):
            if kinds[place] in (Reveal, Expand, Replace, Add, Fill, Mark):
                raise BooksError(
                    f"states.{state.name}.transforms[{place}] changes symbols after 'stick' has held some, and the "
                    "records do not tell which; move 'stick' behind it"
                )
        if state.cascade is not None and {Reveal, Expand, Replace} & set(kinds):
            looking = [e for e in map(model.evaluators.get, state.evaluators) if isinstance(e, Scatter)]
            removing = [t for t in state.triggers if t.name in state.cascade.remove]
            for part in (*looking, *removing):
                if getattr(part, "stopped", False):
                    raise BooksError(
                        f"'{part.name}' of state '{state.name}' looks at the grid before transforms after every refill, "
                        "which the records do not tell; count without 'stopped'"
                    )


def plays_at_once(model: Model, state: State, award: FreeSpinsAward | BonusPlay) -> bool:
    """Whether an award of a spin of the state is played before the spins left of the feature that plays."""
    if isinstance(award, BonusPlay):
        parts = given(model.bonuses[award.bonus])
        return bool(parts) and parts[award.drawn[0]].at_once
    trigger = next((t for t in state.triggers if t.name == award.trigger), None)
    return getattr(trigger, "at_once", False)


def goes_on(model: Model, state: State, award: FreeSpinsAward | BonusPlay) -> bool:
    """Whether an award of a spin of the state makes its feature go on as another one."""
    if isinstance(award, BonusPlay):
        parts = given(model.bonuses[award.bonus])
        return bool(parts) and parts[award.drawn[0]].become
    trigger = next((t for t in state.triggers if t.name == award.trigger), None)
    return getattr(trigger, "become", False) or bool(getattr(trigger, "states", ()))


def _height(model: Model, state: State, reel: int) -> int:
    """Rows of a reel of a state, 0 where they are drawn."""
    if state.heights is None:
        return model.rows
    heights = state.heights[reel].values
    return heights[0] if len(heights) == 1 else 0


def _move(state: State, symbol: str) -> tuple[int, int]:
    """Reels and rows that a held symbol moves before each further spin."""
    return next(((t.step, t.fall) for t in state.transforms if isinstance(t, Stick) and symbol in t.symbols), (0, 0))
