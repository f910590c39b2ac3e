"""Exact law of a pick bonus: a sum of a random number of random prizes, twice over."""

from __future__ import annotations

from fractions import Fraction

from rgs_core.model import Model, Pick, PickTrigger, State


def pick_moments(model: Model, state: State, trigger: PickTrigger) -> tuple[Fraction, Fraction]:
    """Mean and variance of one pick bonus in units: a sum of a random number of random prizes, twice."""
    pick = model.picks[trigger.pick]
    unit = model.basis_units(pick.of) * state.multiplier_for(trigger.name)
    prize, prize_variance = _table_moments(pick.prizes.values, pick.prizes.weights)
    each, each_variance = _table_moments(pick.prizes_per_pick.values, pick.prizes_per_pick.weights)
    picks, picks_variance = _table_moments(pick.picks.values, pick.picks.weights)
    place = each * prize
    place_variance = each * prize_variance + each_variance * prize**2
    mean = picks * place
    variance = picks * place_variance + picks_variance * place**2
    return mean * unit, variance * unit**2


def _table_moments(values: tuple[int, ...], weights: tuple[int, ...]) -> tuple[Fraction, Fraction]:
    total = sum(weights)
    mean = Fraction(sum(v * w for v, w in zip(values, weights, strict=True)), total)
    return mean, Fraction(sum(v * v * w for v, w in zip(values, weights, strict=True)), total) - mean**2


def pick_extremes(model: Model, state: State, trigger: PickTrigger) -> tuple[Fraction, int]:
    """Odds that a pick bonus pays nothing, and the most it can pay in units."""
    pick: Pick = model.picks[trigger.pick]
    unit = model.basis_units(pick.of) * state.multiplier_for(trigger.name)
    zero = Fraction(
        sum(w for v, w in zip(pick.prizes.values, pick.prizes.weights, strict=True) if v == 0),
        pick.prizes.total,
    )
    odds = Fraction(0)
    place = sum(
        (
            Fraction(w, pick.prizes_per_pick.total) * zero**v
            for v, w in zip(pick.prizes_per_pick.values, pick.prizes_per_pick.weights, strict=True)
        ),
        Fraction(0),
    )
    for picks, weight in zip(pick.picks.values, pick.picks.weights, strict=True):
        odds += Fraction(weight, pick.picks.total) * place**picks
    return odds, max(pick.picks.values) * max(pick.prizes_per_pick.values) * max(pick.prizes.values) * unit
