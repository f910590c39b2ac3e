"""Bonuses: what is drawn apart from the reels.

Prizes are multiplied by the basis of the bonus and by the state's multiplier, unless the trigger is exempt
from it; never by the multipliers of a spin or of a cascade. A bonus of the win multiplies what the spin has won.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rgs_core.language.mechanics import Choice, Pick, Take, Trail, Wheel, given
from rgs_core.language.model import Model, State
from rgs_core.outcome import BonusPlay, JackpotWin, PickBonus
from rgs_core.reference.words import Numbers, draw_table, draw_unless_one


def play_bonus(
    model: Model, state: State, trigger: str, name: str, line: int, numbers: Numbers, won: int = 0
) -> Iterator[PickBonus | BonusPlay | JackpotWin]:
    """One bonus, and after a wheel the bonus that its segment leads to. `line` is 0 when no line started it.

    What a bonus of the win draws multiplies the `won` units of the spin; its record says how many units that adds.
    A multiplier of 0 leaves the win as it is.
    """
    bonus = model.bonuses[name]
    if bonus.of != "win":
        unit = model.basis_units(bonus.of) * state.multiplier_for(trigger)
        yield from play_prizes(model, state, trigger, name, line, unit, numbers)
        return
    for award in play_prizes(model, state, trigger, name, line, 1, numbers):
        if isinstance(award, JackpotWin):
            yield award
        else:
            yield replace(award, amount_units=won * max(0, award.amount_units - 1))


def play_prizes(
    model: Model, state: State, trigger: str, name: str, line: int, unit: int, numbers: Numbers
) -> Iterator[PickBonus | BonusPlay | JackpotWin]:
    """One bonus whose prizes are in multiples of `unit`."""
    bonus = model.bonuses[name]
    match bonus:
        case Pick():
            yield play_pick(bonus, trigger, line, unit, numbers)
        case Take():
            yield play_take(bonus, trigger, line, unit, numbers)
        case Trail():
            yield play_trail(bonus, trigger, line, unit, numbers)
        case Wheel() | Choice():
            if isinstance(bonus, Choice):
                place = bonus.chosen  # the player decides: nothing is drawn
            else:
                place = numbers.index([segment.weight for segment in bonus.segments])
            part = given(bonus)[place]
            table = part.multiplier  # of the feature that the spins belong to
            multiplier = 0 if table is None else draw_unless_one(table.values, table.weights, numbers)
            yield BonusPlay(trigger, line, name, (place,), part.pay * unit, part.spins, part.state or "", multiplier)
            if part.jackpot is not None:
                yield JackpotWin(trigger, part.jackpot)
            if part.bonus is not None:
                yield from play_bonus(model, state, trigger, part.bonus, line, numbers)


def play_pick(pick: Pick, trigger: str, line: int, unit: int, numbers: Numbers) -> PickBonus:
    """Draw how many places are opened, then for each place how many prizes, then these prizes."""
    places = []
    for _ in range(draw_table(pick.picks, numbers)):
        prizes = draw_table(pick.prizes_per_pick, numbers)
        places.append(tuple(draw_table(pick.prizes, numbers) * unit for _ in range(prizes)))
    return PickBonus(trigger, line, tuple(places), sum(sum(place) for place in places))


def play_take(take: Take, trigger: str, line: int, unit: int, numbers: Numbers) -> BonusPlay:
    """Prizes are taken one after the other, each of those left equally likely, and paid together.

    When all that were taken are equal, the sum is multiplied. Where some prizes take a life, nothing more is taken
    once the last life is lost.
    """
    left = list(range(len(take.prizes)))
    taken: list[int] = []
    lives = take.lives
    while len(taken) < take.take and lives > 0:
        taken.append(left.pop(numbers.below(len(left))))
        if taken[-1] + 1 in take.ends:
            lives -= 1
    prizes = [take.prizes[number] for number in taken]
    equal = take.equal_multiplier if len(set(prizes)) == 1 else 1
    return BonusPlay(trigger, line, take.name, tuple(taken), sum(prizes) * unit * equal, 0, "")


def play_trail(trail: Trail, trigger: str, line: int, unit: int, numbers: Numbers) -> BonusPlay:
    """Roll, move on and take the pay of the square, until an end square, the end of the board or the last roll.

    Past the last square the finish is paid; on record that is the number after the last one. A trail that pays the
    last square alone pays the one where the walk ends, or the finish.
    """
    position, pays, reached = 0, [], []
    for _ in range(trail.rolls_max):
        position += draw_unless_one(trail.die.values, trail.die.weights, numbers)
        if position > len(trail.squares):
            reached.append(len(trail.squares) + 1)
            pays.append(trail.finish)
            break
        reached.append(position)
        pays.append(trail.squares[position - 1])
        if position in trail.ends:
            break
    pay = pays[-1] if trail.pays == "last" else sum(pays)
    return BonusPlay(trigger, line, trail.name, tuple(reached), pay * unit, 0, "")
