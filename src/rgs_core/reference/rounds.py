"""The round: the spins of its mode, then every further spin that is awarded, feature by feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rgs_core.language.mechanics import WIN_MIN, FreeSpinsTrigger, FullReelsTrigger
from rgs_core.language.model import Build
from rgs_core.outcome import Award, BonusPlay, FreeSpinsAward, Outcome, Spin, Win
from rgs_core.reference.features import Feature, full, go_on, goes_on, multiplied, plays_at_once
from rgs_core.reference.gamble import play_gamble
from rgs_core.reference.grid import Cell, Memory, note_rest
from rgs_core.reference.spins import Playing, end_awards, end_wins, play_spin
from rgs_core.reference.triggers import full_reels
from rgs_core.reference.words import Draws, Numbers


def play(build: Build, key: bytes, nonce: int, stream: int = 0) -> Outcome:
    """Round `nonce` of a key: every spin draws from the words of its own number."""
    return play_with(build, lambda sub_spin: Draws(key, stream, nonce, sub_spin))


def play_with(build: Build, source: Callable[[int], Numbers]) -> Outcome:
    """One round; `source` gives the numbers that a spin draws.

    Features wait in a queue. The front one plays; when none of its spins is left, or when its cells draw
    alone and all are held, it ends, pays what is missing to the least that it wins, and the next one begins. Where
    awards say so, the one that plays goes on as another state, if it has spins left; of several such awards the last
    counts. Features that are awarded at once are played before the spins left of the one that plays, in the order of
    their awards; each feature keeps its memory while it waits. A round that reaches the maximum win ends at
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
        feature.memory.left = feature.left
        inside = tuple(waiting.state for waiting in queue[1:] if waiting.begun)
        spin, playing = play_spin(build, feature.state, feature.memory, source(len(spins)), len(spins))
        spin = replace(spin, inside=inside)
        following = ""
        next_ones: list[Feature] = []
        for award in spin.awards:
            more, lengthened = grant(build, queue, award, playing, model.free_spins_max - granted)
            granted += more
            if lengthened is not None and lengthened not in next_ones and not lengthened.begun:
                assert isinstance(award, FreeSpinsAward | BonusPlay)  # nothing else awards spins
                if plays_at_once(model, playing.state, award):
                    next_ones.append(lengthened)
            if isinstance(award, FreeSpinsAward | BonusPlay) and goes_on(model, playing.state, award):
                following = award.state
        if following and feature.left > 0:
            go_on(model, feature, following)
            feature.left = 0 if full(model, feature) else feature.left
        elif playing.full:
            feature.left = 0
        if feature.left == 0:
            spin = replace(
                spin,
                closing=(*spin.closing, *end_wins(playing)),
                awards=(*spin.awards, *end_awards(playing)),
            )
        spin = multiplied(build, spin, feature.multiplier)
        if feature.left == 0:
            least = (playing.state.win_min or 0) * model.stake_units
            if feature.won + spin.win_units < least:
                missing = least - feature.won - spin.win_units
                spin = replace(spin, closing=(*spin.closing, Win(WIN_MIN, None, "", 0, 1, 1, missing)))
            queue.remove(feature)
        if next_ones:
            queue = next_ones + [waiting for waiting in queue if waiting not in next_ones]
        spins.append(spin)
        won += spin.win_units
        feature.won += spin.win_units
        if model.win_units_cap is not None and won >= model.win_units_cap:
            return Outcome(tuple(spins), model.win_units_cap, capped=True)
    won, gamble = play_gamble(model, won, source)
    return Outcome(tuple(spins), won, gamble=gamble)


def grant(build: Build, queue: list[Feature], award: Award, spin: Playing, most: int) -> tuple[int, Feature | None]:
    """Spins that an award of a spin adds, at most `most`, and the feature to which it does: that of its state if one
    plays or waits, else a new one, last in the queue.

    Features of a state with different multipliers are different ones. An award without a multiplier of its own
    lengthens the feature that plays, or one that is interrupted, if that is of its state, whatever its multiplier; else
    it awards spins at 1. An interrupted feature is also of the state with which it began.
    Spins with which a feature goes on as another state are its own.
    A trigger that resets fills the spins left up to its award. One that carries gives the cells with its
    symbols, held, to the feature that it starts; one of full reels gives all cells of these. Where stacks come in there,
    the strips of this spin say how far they go on, if its reels stopped as a whole and were not refilled otherwise.
    """
    state, grid = spin.state, spin.grid
    if not isinstance(award, FreeSpinsAward | BonusPlay) or award.spins == 0:
        return 0, None
    trigger = next((t for t in state.triggers if t.name == award.trigger), None)
    playing = queue[0]
    of_state = [
        other
        for other in queue
        if other.state == award.state or (other is not playing and other.begun and other.first == award.state)
    ]
    plain = [other for other in of_state if other.begun and not award.multiplier]
    known = (other for other in [*plain, *of_state] if other in plain or other.multiplier == (award.multiplier or 1))
    feature = playing if goes_on(build.model, state, award) else next(known, None)
    left = 0 if feature is None else feature.left
    reset = isinstance(trigger, FreeSpinsTrigger) and trigger.reset
    more = min(max(0, award.spins - left) if reset else award.spins, most)
    if feature is not None:
        feature.left += more
    elif more > 0:
        carry = trigger.carry if isinstance(trigger, FreeSpinsTrigger) else frozenset[str]()
        cells = grid.showing(carry)
        if isinstance(trigger, FullReelsTrigger) and isinstance(award, FreeSpinsAward):
            reels = full_reels(trigger, build.model, grid, award.symbol)
            cells = [cell for cell in grid.cells() if cell[0] in reels]
        held: dict[Cell, tuple[str, int]] = {cell: (grid.symbol(cell), grid.value(cell)) for cell in cells}
        memory = Memory(held=held)
        for cell in cells if not state.cells and (state.cascade is None or state.cascade.refill == "strip") else ():
            target, height = build.model.states[award.state], len(grid.symbols[cell[0]])
            note_rest(target, memory, cell, grid.symbol(cell), spin.strips, spin.tops, height)
        feature = Feature(award.state, more, memory, award.multiplier or 1)
        queue.append(feature)
    return more, feature if more > 0 else None
