"""The round: the spins of its mode, then every further spin that is awarded, feature by feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rgs_core.language.mechanics import FreeSpinsTrigger
from rgs_core.language.model import Build, State
from rgs_core.outcome import Award, BonusPlay, FreeSpinsAward, Outcome, Spin
from rgs_core.reference.gamble import play_gamble
from rgs_core.reference.grid import Cell, Grid, Memory
from rgs_core.reference.spins import end_wins, play_spin
from rgs_core.reference.words import Draws, Numbers


@dataclass
class Feature:
    """A state with the spins that are left of it, and what it remembers."""

    state: str
    left: int
    memory: Memory = field(default_factory=Memory)


def play(build: Build, key: bytes, nonce: int, stream: int = 0) -> Outcome:
    """Round `nonce` of a key: every spin draws from the words of its own number."""
    return play_with(build, lambda sub_spin: Draws(key, stream, nonce, sub_spin))


def play_with(build: Build, source: Callable[[int], Numbers]) -> Outcome:
    """One round; `source` gives the numbers that a spin draws.

    Features wait in a queue. The front one plays; when none of its spins is left, or when its cells draw
    alone and all are held, it ends, and the next one begins. A round that reaches the maximum win ends at
    once and pays just that. What the player gambles comes last.
    """
    model, mode = build.model, build.play
    queue = [Feature(mode.start, mode.spins)]
    spins: list[Spin] = []
    granted = 0
    won = 0
    while queue:
        feature = queue[0]
        feature.left -= 1
        spin, playing = play_spin(build, feature.state, feature.memory, source(len(spins)), len(spins))
        for award in spin.awards:
            granted += grant(queue, award, playing.state, playing.grid, model.free_spins_max - granted)
        if playing.full:
            feature.left = 0
        if feature.left == 0:
            spin = replace(spin, closing=(*spin.closing, *end_wins(playing)))
            queue.pop(0)
        spins.append(spin)
        won += spin.win_units
        if model.win_units_cap is not None and won >= model.win_units_cap:
            return Outcome(tuple(spins), model.win_units_cap, capped=True)
    won, gamble = play_gamble(model, won, source)
    return Outcome(tuple(spins), won, gamble=gamble)


def grant(queue: list[Feature], award: Award, state: State, grid: Grid, rest: int) -> int:
    """Spins that an award adds, at most `rest`: to the feature of its state if one plays or waits, else a new one.

    A trigger that resets fills the spins left up to its award. One that carries gives the cells with its
    symbols, held, to the feature that it starts.
    """
    if not isinstance(award, FreeSpinsAward | BonusPlay) or award.spins == 0:
        return 0
    trigger = next((t for t in state.triggers if t.name == award.trigger and isinstance(t, FreeSpinsTrigger)), None)
    feature = next((feature for feature in queue if feature.state == award.state), None)
    left = 0 if feature is None else feature.left
    reset = isinstance(trigger, FreeSpinsTrigger) and trigger.reset
    more = min(max(0, award.spins - left) if reset else award.spins, rest)
    if feature is not None:
        feature.left += more
    elif more > 0:
        carry = trigger.carry if isinstance(trigger, FreeSpinsTrigger) else frozenset[str]()
        held: dict[Cell, tuple[str, int]] = {
            cell: (grid.symbol(cell), grid.value(cell)) for cell in grid.showing(carry)
        }
        queue.append(Feature(award.state, more, Memory(held=held)))
    return more
