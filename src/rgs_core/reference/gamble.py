"""The gamble: what a player makes of the win of a round.

Every step draws from a sub-spin of its own, so it can be played when the player asks for it, and the spins do
not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable

from rgs_core.language.mechanics import Gamble
from rgs_core.language.model import GAMBLE_SUB_SPIN, Model
from rgs_core.outcome import GambleStep
from rgs_core.reference.words import Numbers, draw_unless_one

Source = Callable[[int], Numbers]
"""The numbers of a sub-spin."""


def play_gamble(model: Model, won: int, source: Source) -> tuple[int, tuple[GambleStep, ...]]:
    """The win after the bets of the player's policy, and each step; it ends where a bet is not offered."""
    gamble = model.gamble
    if gamble is None:
        return won, ()
    steps = climb(model, gamble, won, source) if gamble.rungs else multiply(model, gamble, won, source)
    return (steps[-1].win_units if steps else won), steps


def multiply(model: Model, gamble: Gamble, won: int, source: Source) -> tuple[GambleStep, ...]:
    """All of the win, or half of it rounded down, is put at risk and multiplied by what is drawn.

    A bet is offered while something is at risk and its best result is at most the limit.
    """
    assert gamble.win_max is not None
    steps = []
    for number, name in enumerate(gamble.plays):
        bet = gamble.bets[name]
        risk = won if bet.part == "all" else won // 2
        if risk == 0 or won - risk + risk * max(bet.table.values) > gamble.win_max * model.stake_units:
            break
        drawn = draw_unless_one(bet.table.values, bet.table.weights, source(GAMBLE_SUB_SPIN + number))
        won += risk * (drawn - 1)
        steps.append(GambleStep(name, drawn, won))
    return tuple(steps)


def climb(model: Model, gamble: Gamble, won: int, source: Source) -> tuple[GambleStep, ...]:
    """The win stands on the highest rung that it reaches, and what it has above that is kept.

    A bet is offered on any rung but the last. It moves up or down; below the first rung the amount is lost.
    """
    ladder = [rung * model.basis_units(gamble.of) for rung in gamble.rungs]
    rung = sum(amount <= won for amount in ladder) - 1  # -1 below the first
    kept = won - ladder[rung] if rung >= 0 else won
    steps = []
    for number, name in enumerate(gamble.plays):
        if not 0 <= rung < len(ladder) - 1:
            break
        table = gamble.bets[name].table
        drawn = draw_unless_one(table.values, table.weights, source(GAMBLE_SUB_SPIN + number))
        rung = min(max(rung + drawn, -1), len(ladder) - 1)
        won = kept + (ladder[rung] if rung >= 0 else 0)
        steps.append(GambleStep(name, drawn, won))
    return tuple(steps)
