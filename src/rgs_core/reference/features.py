"""Features as a whole: what multiplies all that they win, and how one goes on as another state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rgs_core.language.mechanics import Cascade, CollectedTrigger, Multiplier, given
from rgs_core.language.model import Build, Model, State
from rgs_core.outcome import Award, BonusPlay, FreeSpinsAward, PickBonus, Spin, Win
from rgs_core.reference.grid import Cell, Memory


@dataclass(eq=False)
class Feature:
    """A state with the spins that are left of it, what multiplies all that they win, what it remembers, and the units
    that it has won. `first`: the state with which it begins; it may go on as another one."""

    state: str
    left: int
    memory: Memory = field(default_factory=Memory)
    multiplier: int = 1
    won: int = 0
    first: str = ""

    def __post_init__(self) -> None:
        self.first = self.first or self.state

    @property
    def begun(self) -> bool:
        """Whether a spin of it has been played."""
        return self.memory.started


# --- Playing at once -------------------------------------------------------------------------------------


def plays_at_once(model: Model, state: State, award: FreeSpinsAward | BonusPlay) -> bool:
    """Whether the feature that an award of a spin of `state` lengthens or starts is played next."""
    if isinstance(award, BonusPlay):
        parts = given(model.bonuses[award.bonus])
        return bool(parts) and parts[award.drawn[0]].at_once
    trigger = next((trigger for trigger in state.triggers if trigger.name == award.trigger), None)
    return getattr(trigger, "at_once", False)


# --- Going on as another state -------------------------------------------------------------------------


def goes_on(model: Model, state: State, award: FreeSpinsAward | BonusPlay) -> bool:
    """Whether an award of a spin of `state` makes its feature go on as the state that the award names."""
    if isinstance(award, BonusPlay):
        parts = given(model.bonuses[award.bonus])
        return bool(parts) and parts[award.drawn[0]].become
    trigger = next((trigger for trigger in state.triggers if trigger.name == award.trigger), None)
    return getattr(trigger, "become", False) or bool(getattr(trigger, "states", ()))


def go_on(model: Model, feature: Feature, following: str) -> None:
    """The feature goes on as another state, with its spins, multiplier and held cells.

    It keeps what that state remembers too: steps that both count, values that both add up, multipliers in the same
    place, symbols collected under the same name, marked places, the rest of stacks. All else is forgotten.
    """
    before, after, memory = model.states[feature.state], model.states[following], feature.memory
    if not (persists(before.cascade) and persists(after.cascade)):
        memory.won_steps = 0
    if not (before.final and before.final.persist and after.final and after.final.persist):
        memory.final = None
    if not (before.spots and before.spots.persist and after.spots and after.spots.persist):
        memory.spots = {}
    if not (before.marks and after.marks):
        memory.marked = set()
    if not after.stacks:
        memory.rest = {}
    memory.fired = set()
    memory.drawn = {}
    running = sum(isinstance(transform, Multiplier) and transform.persist for transform in after.transforms)
    memory.multipliers = {place: value for place, value in memory.multipliers.items() if place < running}
    names = {trigger.name for trigger in after.triggers if isinstance(trigger, CollectedTrigger)}
    for counted in (memory.collected, memory.multiplying, memory.waiting):
        for name in counted.keys() - names:
            del counted[name]
    if not after.rows_below:
        memory.held = moved_down(model, before, after, memory.held)
    feature.state = following


def persists(cascade: Cascade | None) -> bool:
    """Whether the steps of a cascade are counted over the feature."""
    return cascade is not None and cascade.persist


def moved_down(
    model: Model, before: State, after: State, held: dict[Cell, tuple[str, int]]
) -> dict[Cell, tuple[str, int]]:
    """Held cells on a grid with more or fewer rows, added or taken at the top: each stays in its place from below. On
    reels whose height is drawn, before or after, it stays in its row from the top."""
    moved = {}
    for (reel, row), kept in held.items():
        low, high = fixed_height(model, before, reel), fixed_height(model, after, reel)
        place = row + high - low if low and high else row
        if place >= 0:
            moved[reel, place] = kept
    return moved


def fixed_height(model: Model, state: State, reel: int) -> int:
    """Rows of a reel, 0 where they are drawn."""
    if state.heights is None:
        return model.rows
    heights = state.heights[reel].values
    return heights[0] if len(heights) == 1 else 0


def full(model: Model, feature: Feature) -> bool:
    """Whether nothing can land any more in a feature that has just gone on: cells draw alone and all are held."""
    state = model.states[feature.state]
    heights = [fixed_height(model, state, reel) for reel in range(model.reels)]
    cells = [(reel, row) for reel, height in enumerate(heights) for row in range(height)]
    return state.cells and all(heights) and all(cell in feature.memory.held for cell in cells)


# --- The multiplier of a feature -------------------------------------------------------------------------


def multiplied(build: Build, spin: Spin, multiplier: int) -> Spin:
    """The spin of a feature with a multiplier: all that it wins times that, bonuses and exempt wins as well.

    The closing multiplier of a state stays what it is; what it adds is multiplied.
    """
    if multiplier == 1:
        return spin
    final = build.model.states[spin.state].final

    def won(wins: tuple[Win, ...]) -> tuple[Win, ...]:
        return tuple(
            replace(
                win,
                multiplier=win.multiplier * (1 if final is not None and win.evaluator == final.name else multiplier),
                amount_units=win.amount_units * multiplier,
            )
            for win in wins
        )

    awards: list[Award] = []
    for award in spin.awards:
        if isinstance(award, PickBonus):
            prizes = tuple(tuple(prize * multiplier for prize in place) for place in award.prizes)
            award = replace(award, prizes=prizes, amount_units=award.amount_units * multiplier)
        elif isinstance(award, BonusPlay):
            award = replace(award, amount_units=award.amount_units * multiplier)
        awards.append(award)
    return replace(
        spin,
        wins=won(spin.wins),
        steps=tuple(replace(step, wins=won(step.wins)) for step in spin.steps),
        closing=won(spin.closing),
        awards=tuple(awards),
        feature_multiplier=multiplier,
    )
