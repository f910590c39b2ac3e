"""Bonuses and gambles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rgs_core.engine.tables.numbers import state_names, weight_table
from rgs_core.engine.tables.records import ANY_SYMBOL, BONUSES, Fields, WeightTable
from rgs_core.language import mechanics as k
from rgs_core.language import model as m


def gamble_fields(model: m.Model, gamble: k.Gamble) -> Fields:
    """The bets of a policy in order: their tables, and 1 for those that put half at risk."""
    bets = [gamble.bets[name] for name in gamble.plays]
    limit = 0 if gamble.win_max is None else gamble.win_max * model.stake_units
    return {
        "tables": tuple(weight_table(bet.table) for bet in bets),
        "halves": tuple(int(bet.part == "half") for bet in bets),
        "limit": limit,
        "rungs": np.array(gamble.rungs, dtype=np.int64) * model.basis_units(gamble.of),
    }


def bonus_fields(model: m.Model, bonus: k.Bonus) -> Fields:
    drawn, bonus = isinstance(bonus, k.Wheel), k.settled(bonus)
    unit = model.basis_units(bonus.of)
    names = list(model.bonuses)
    one = WeightTable(np.zeros(1, np.int64), np.ones(1, np.uint32), fixed=True)
    fields: dict[str, Any] = {
        "kind": BONUSES.index(getattr(bonus, "kind", "pick")),
        "picks": one,
        "prizes_per_pick": one,
        "prizes": one,
        "of_win": int(bonus.of == "win"),
    }
    match bonus:
        case k.Pick():
            fields |= {
                "picks": weight_table(bonus.picks, draws_single=True),
                "prizes_per_pick": weight_table(bonus.prizes_per_pick, draws_single=True),
                "prizes": weight_table(bonus.prizes, unit=unit, draws_single=True),
            }
        case k.Take():
            fields |= {
                "prizes": weight_table(k.Table(bonus.prizes, (1,) * len(bonus.prizes)), unit=unit),
                "take": bonus.take,
                "equal_multiplier": bonus.equal_multiplier,
                "ends": _end_bits(bonus.ends),
                "lives": bonus.lives,
            }
        case k.Wheel():
            segments = bonus.segments
            pays = k.Table(tuple(s.pay for s in segments), tuple(s.weight for s in segments))
            states = state_names(model)
            fields |= {
                "prizes": weight_table(pays, unit=unit, draws_single=drawn),
                "segment_spins": np.array([s.spins for s in segments], dtype=np.uint32),
                "segment_states": np.array(
                    [states.index(s.state) if s.state else 0 for s in segments], dtype=np.uint32
                ),
                **_segment_multipliers(segments),
                "segment_become": np.array([s.become for s in segments], dtype=np.uint8)
                if any(s.become for s in segments)
                else None,
                "segment_at_once": np.array([s.at_once for s in segments], dtype=np.uint8)
                if any(s.at_once for s in segments)
                else None,
                "segment_jackpots": np.array([s.jackpot is not None for s in segments], dtype=np.uint8)
                if any(s.jackpot for s in segments)
                else None,
                "segment_bonuses": np.array(
                    [ANY_SYMBOL if s.bonus is None else names.index(s.bonus) for s in segments], dtype=np.uint32
                ),
            }
        case k.Trail():
            fields |= {
                "picks": weight_table(bonus.die),
                "squares": len(bonus.squares),
                "square_pays": np.array(bonus.squares, dtype=np.int64) * unit,
                "rolls_max": bonus.rolls_max,
                "finish": bonus.finish * unit,
                "ends": _end_bits(bonus.ends),
                "pays_last": int(bonus.pays == "last"),
            }
    return fields


def _end_bits(ends: Iterable[int]) -> tuple[int, int]:
    """Numbers from 1 to 64 as a set of 128 bits, in two words."""
    low, high = (sum(1 << number % 64 for number in ends if number // 64 == word) for word in range(2))
    return low, high


def _segment_multipliers(segments: Sequence[k.Segment]) -> Fields:
    """Tables of the multipliers that segments give to the features they award, one after the other."""
    tables = [segment.multiplier for segment in segments]
    if not any(tables):
        return {}
    places: list[tuple[int, int]] = []
    values: list[int] = []
    cumulative: list[int] = []
    for table in tables:
        places.append((len(values), len(table.values) if table else 0))
        if table:
            values += table.values
            cumulative += itertools.accumulate(table.weights)
    return {
        "segment_multipliers": np.array(places, dtype=np.uint32).reshape(-1),
        "multiplier_values": np.array(values, dtype=np.int64),
        "multiplier_cumulative": np.array(cumulative, dtype=np.uint32),
    }
