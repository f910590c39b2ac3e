"""What bets make of the law of a round's win: the win is put at risk, drawn for, and perhaps put at risk again.

Bets are independent of the round and of each other, so the law after a bet is a mixture of the law before it:
every probability is handed on to the amounts that it may lead to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import FullCycle
from rgs_core.exact.distribution import GRID_MAX, RoundGrid, WinLaw, win_law
from rgs_core.language.mechanics import Bet, Gamble, Table

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def law_with_bets(cycle: FullCycle, on: RoundGrid | None = None) -> WinLaw:
    """The law of what a round leaves to its player: `win_law`, and the bets of the policy on it."""
    law, gamble = win_law(cycle, on), cycle.build.model.gamble
    return law if gamble is None else gambled(law, gamble)


def gambled(law: WinLaw, gamble: Gamble) -> WinLaw:
    """The law of the win after the bets of the policy. Raises AnalysisError when its grid is too large."""
    model = law.build.model
    if not gamble.plays:
        return law
    if gamble.rungs:
        ladder = np.array(gamble.rungs, dtype=np.int64) * model.basis_units(gamble.of)
        return _climbed(law, gamble, ladder)
    assert gamble.win_max is not None
    return _multiplied(law, gamble, gamble.win_max * model.stake_units)


def _multiplied(law: WinLaw, gamble: Gamble, limit: int) -> WinLaw:
    halves = any(gamble.bets[name].part == "half" for name in gamble.plays)
    step = 1 if halves else law.step
    size = max((len(law.probabilities) - 1) * law.step, limit) // step + 1
    if size > GRID_MAX:
        raise AnalysisError(f"wins of a gamble in {size:,} steps are too many for their exact law; simulate instead")
    playing, done = np.zeros(size), np.zeros(size)
    playing[:: law.step // step][: len(law.probabilities)] = law.probabilities
    amounts = np.arange(size, dtype=np.int64) * step
    for name in gamble.plays:
        bet = gamble.bets[name]
        risk = amounts if bet.part == "all" else amounts // 2
        offered = (risk > 0) & (amounts <= limit) & (amounts + risk * (max(bet.table.values) - 1) <= limit)
        done += np.where(offered, 0.0, playing)
        playing = _drawn(bet, amounts[offered], risk[offered], playing[offered], step, size)
    return _law(law, step, done + playing)


def _drawn(bet: Bet, amounts: Whole, risk: Whole, odds: Floats, step: int, size: int) -> Floats:
    """Law after one bet on these amounts."""
    law = np.zeros(size)
    for value, weight in zip(bet.table.values, bet.table.weights, strict=True):
        np.add.at(law, (amounts + risk * (value - 1)) // step, odds * (weight / bet.table.total))
    return law


def _climbed(law: WinLaw, gamble: Gamble, ladder: Whole) -> WinLaw:
    wins = np.arange(len(law.probabilities), dtype=np.int64) * law.step
    rung = np.searchsorted(ladder, wins, side="right") - 1
    standing = rung >= 0
    kept = np.where(standing, wins - ladder[np.maximum(rung, 0)], wins)
    step = int(np.gcd.reduce(np.concatenate([ladder, [law.step]])))
    most = max(int(wins[-1]), int(ladder[-1] + kept[standing].max(initial=0)))
    if most // step >= GRID_MAX:
        raise AnalysisError(f"wins of a gamble in {most // step:,} steps are too many for their exact law")
    ends = _rungs(gamble, len(ladder))
    probabilities = np.zeros(most // step + 1)
    probabilities[kept[~standing] // step] += law.probabilities[~standing]
    for end, amount in enumerate([0, *ladder.tolist()]):
        odds = law.probabilities[standing] * ends[rung[standing], end]
        np.add.at(probabilities, (kept[standing] + amount) // step, odds)
    return _law(law, step, probabilities)


def _rungs(gamble: Gamble, count: int) -> Floats:
    """float64[rungs, 1 + rungs]: odds to end below the ladder or on each rung, by the rung that it began on."""
    ends = np.zeros((count, count + 1))
    ends[np.arange(count), np.arange(1, count + 1)] = 1.0
    for name in gamble.plays:
        ends = ends @ _moves(gamble.bets[name].table, count)
    return ends


def _moves(table: Table, count: int) -> Floats:
    """float64[1 + rungs, 1 + rungs]: one bet; below the ladder and on its last rung nothing moves any more."""
    moves = np.zeros((count + 1, count + 1))
    moves[0, 0] = moves[count, count] = 1.0
    for place in range(1, count):
        for value, weight in zip(table.values, table.weights, strict=True):
            moves[place, min(max(place + value, 0), count)] += weight / table.total
    return moves


def _law(law: WinLaw, step: int, probabilities: Floats) -> WinLaw:
    """Without the amounts that cannot be reached at its end."""
    last = int(np.flatnonzero(probabilities)[-1])
    return WinLaw(law.build, step, probabilities[: last + 1], law.error)
