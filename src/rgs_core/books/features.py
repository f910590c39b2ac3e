"""Follows the features of a round through its records: the spins left of each, and what it remembers.

Records tell what every spin showed and won. Front ends want to be told as well how many spins a feature has, which
cells stay, how far a ladder has climbed and how much has been collected; the rules of rounds (docs/math-models.md)
give that from the records in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from rgs_core.books.win_cells import Cell, cells_with
from rgs_core.errors import BooksError
from rgs_core.language.mechanics import Add, CollectedTrigger, Expand, FreeSpinsTrigger, Replace, Reveal, Scatter, Stick
from rgs_core.language.model import Build, Model, State
from rgs_core.outcome import Award, BonusPlay, FreeSpinsAward, Spin, Window


@dataclass
class Feature:
    """The spins of one state in a row. `paid`: those that the round began with as a paid spin.

    `played`, `left`: its spins. `held`: cells that stay, with the symbol that each holds. `won_steps`: steps that
    the ladder has climbed. `collected`: symbols counted, by trigger. `won`: hundredths won so far.
    """

    state: State
    left: int
    paid: bool = False
    played: int = 0
    held: dict[Cell, str] = field(default_factory=dict)
    won_steps: int = 0
    collected: dict[str, int] = field(default_factory=dict)
    won: int = 0

    @property
    def total(self) -> int:
        """All its spins as far as they are known."""
        return self.played + self.left

    def begin(self, spin: Spin) -> None:
        """Its next spin: held cells walk, those without a place are gone, a ladder that does not persist falls."""
        if self.played:
            self.held = {
                (reel + _step(self.state, symbol), row): symbol for (reel, row), symbol in sorted(self.held.items())
            }
        shown = spin.window
        self.held = {
            (reel, row): symbol
            for (reel, row), symbol in self.held.items()
            if 0 <= reel < len(shown) and row < len(shown[reel])
        }
        self.played += 1
        self.left -= 1
        if self.state.cascade is None or not self.state.cascade.persist:
            self.won_steps = 0

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
        levels = ((t, self.level(t)) for t in self.state.triggers if isinstance(t, CollectedTrigger))
        return prod(trigger.multipliers[level - 1] for trigger, level in levels if level)

    @property
    def ladder(self) -> int:
        """The multiplier that a cascade gives to the step at hand."""
        cascade = self.state.cascade
        return 1 if cascade is None else cascade.multipliers[min(self.won_steps, len(cascade.multipliers) - 1)]

    def level(self, trigger: CollectedTrigger) -> int:
        """The level that a trigger has reached, from 0."""
        return min(self.collected.get(trigger.name, 0) // trigger.every, len(trigger.spins))


class Course:
    """The features of one round, in a queue whose front one plays."""

    def __init__(self, build: Build, bought: bool) -> None:
        model, play = build.model, build.play
        self.model = model
        self.queue = [Feature(model.states[play.start], play.spins, paid=not bought)]
        self.granted = 0

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
        target = next((f for f in self.queue if f.state.name == award.state), None)
        wanted = award.spins
        if isinstance(trigger, FreeSpinsTrigger) and trigger.reset:
            wanted = max(0, award.spins - (target.left if target else 0))
        more = min(wanted, self.model.free_spins_max - self.granted)
        if more <= 0:
            return None
        self.granted += more
        if target is not None:
            target.left += more
            return target, False
        carry = trigger.carry if isinstance(trigger, FreeSpinsTrigger) else ()
        held = {cell: symbol for symbol in carry for cell in cells_with(window, symbol)}
        target = Feature(self.model.states[award.state], more, held=held)
        self.queue.append(target)
        return target, True

    def end(self, feature: Feature, window: Window) -> bool:
        """Whether the feature is over after its spin: no spin is left, or its cells draw alone and all are held."""
        cells = sum(len(reel) for reel in window)
        if feature.left and not (feature.state.cells and len(feature.held) == cells):
            return False
        self.queue.pop(0)
        return True


def check_told(model: Model) -> None:
    """Raises BooksError where the records of a round do not tell which cells stay, or which a cascade removes."""
    for state in model.states.values():
        kinds = [type(t) for t in state.transforms]
        after = kinds.index(Stick) + 1 if Stick in kinds else len(kinds)
        for place in range(after, len(kinds)):
            if kinds[place] in (Reveal, Expand, Replace, Add):
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


def _step(state: State, symbol: str) -> int:
    """Reels that a held symbol moves before each further spin."""
    return next((t.step for t in state.transforms if isinstance(t, Stick) and symbol in t.symbols), 0)
