"""Closed form, full cycle and brute force by the reference agree exactly, on random models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from random_models import model_texts

from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import full_cycle
from rgs_core.exact.awarding import Awarding
from rgs_core.exact.bonuses import bonus_moments
from rgs_core.exact.closed_form import closed_form
from rgs_core.exact.feature import RoundMoments, round_moments
from rgs_core.exact.joint import Joint, lines_refused
from rgs_core.language.mechanics import FreeSpinsTrigger, Multiplier, PickTrigger
from rgs_core.language.model import Build, State
from rgs_core.language.model_file import loads
from rgs_core.reference.pays import wins_on

slow_data = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def small(build: Build) -> bool:
    """Few enough combinations to visit each with the plain-Python rules."""
    return all(
        prod(len(s.symbols) for s in build.strips(state)) * len(drawn_multipliers(state)) <= 600
        for state in build.model.states.values()
    )


def drawn_multipliers(state: State) -> list[tuple[Fraction, int]]:
    """(probability, multiplier) of all draws of the multipliers of a spin."""
    drawn = [(Fraction(1), 1)]
    for transform in state.transforms:
        assert isinstance(transform, Multiplier)
        assert (transform.each, transform.persist) == ("spin", False)
        table = transform.table
        entries = list(zip(table.values, table.weights, strict=True))
        drawn = [(p * Fraction(w, table.total), x * v) for p, x in drawn for v, w in entries]
    return drawn


def rows_of(joint: Joint) -> dict[tuple[int, ...], Fraction]:
    """(units, awards, plays) -> probability."""
    rows: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    keys = np.column_stack([joint.units, joint.awards, joint.plays]).tolist()
    for key, weight in zip(keys, joint.weights.tolist(), strict=True):
        rows[tuple(key)] += Fraction(weight, joint.cycle)
    return dict(rows)


def brute_force(build: Build, state: State) -> Iterator[tuple[Fraction, int, int]]:
    """(probability, units without picks plus their mean, spins awarded) of every combination of stops."""
    model = build.model
    strips = build.strips(state)
    total = prod(strip.total for strip in strips)
    for stops in product(*(range(len(strip.symbols)) for strip in strips)):
        weight = prod(strip.weights[stop] for strip, stop in zip(strips, stops, strict=True))
        window = tuple(strip.window(stop, model.rows) for strip, stop in zip(strips, stops, strict=True))
        bonuses = Fraction(0)
        awarded = 0
        for trigger in state.triggers:
            if isinstance(trigger, FreeSpinsTrigger):
                awarded += trigger.award(sum(column.count(trigger.symbol) for column in window))
            elif isinstance(trigger, PickTrigger):
                mean = bonus_moments(model, trigger.pick, ())[()].win * state.multiplier_for(trigger.name)
                bonuses += mean * sum(
                    all(w is None or w == window[r][rows[r]] for r, w in enumerate(trigger.pattern))
                    for rows in model.paylines_of(state)
                )
        for p, drawn in drawn_multipliers(state):
            factored = replace(state, multiplier=state.multiplier * drawn)
            units = bonuses
            for name in state.evaluators:
                units += sum(win.amount_units for win in wins_on(model, factored, model.evaluators[name], window))
            yield Fraction(weight, total) * p, units, awarded  # type: ignore[misc]


@given(text=model_texts())
@settings(max_examples=150, deadline=None, suppress_health_check=slow_data)
def test_closed_form_equals_full_cycle_equals_brute_force(text: str) -> None:
    note(text)
    build = loads(text).build()
    assume(small(build))
    try:
        closed, cycle = closed_form(build), full_cycle(build)
    except AnalysisError:
        return  # endless retriggers: refused, with the reason
    assert closed.rtp == cycle.rtp
    assert dict(closed.rtp_parts) == dict(cycle.rtp_parts)
    assert closed.feature_probability == cycle.feature_probability
    for state in filter(None, (cycle.paid, cycle.free)):
        partly = "multipliers of some wins" in lines_refused(build.model, state.state)
        assert partly or state.method.startswith("merging")
    visited = full_cycle(build, merge=False)
    for merged, counted in ((cycle.paid, visited.paid), (cycle.free, visited.free)):
        if merged is not None:
            assert counted is not None
            assert rows_of(merged) == rows_of(counted)
    stake = build.model.stake_units
    paid = list(brute_force(build, build.model.states["base"]))
    assert sum(p for p, _, _ in paid) == 1
    assert sum((p * units for p, units, _ in paid), Fraction(0)) == closed.paid.mean_units
    if not any(isinstance(t, PickTrigger) for t in build.model.states["base"].triggers):
        second = sum((p * units**2 for p, units, _ in paid), Fraction(0)) / stake**2
        assert second - (closed.paid.mean_units / stake) ** 2 == cycle.paid_spin_variance
        assert sum((p for p, units, _ in paid if units > 0), Fraction(0)) == cycle.paid_spin_hit_frequency
    assert sum((p * awarded for p, _, awarded in paid), Fraction(0)) == closed.paid.spins_awarded
    if closed.free is not None:
        free = list(brute_force(build, build.model.states["free"]))
        assert sum((p * units for p, units, _ in free), Fraction(0)) == closed.free.mean_units
        assert sum((p * awarded for p, _, awarded in free), Fraction(0)) == closed.free.spins_awarded


def law(*rows: tuple[int, Fraction, int]) -> dict[int, Awarding]:
    """Spin law from rows of (spins awarded, probability, win)."""
    return {r: Awarding(p, p * x, p * x * x, p if x == 0 else Fraction(0), x) for r, p, x in rows}


def moments_of(paid: dict[int, Awarding], free: dict[int, Awarding], cap: int) -> RoundMoments:
    """Moments of a round of one paid spin and free spins of one state."""
    laws = {name: {(0, r): a for r, a in by.items()} for name, by in (("base", paid), ("free", free))}
    return round_moments(laws, ("base", "free"), "base", 1, cap)


def walk(paid: dict[int, Awarding], free: dict[int, Awarding], cap: int) -> dict[int, Fraction]:
    """Exact win distribution of a round by visiting every history; for laws with one win for each award."""
    result: dict[int, Fraction] = {}

    def win(a: Awarding) -> int:
        return int(a.win / a.probability)

    def visit(left: int, allowed: int, won: int, p: Fraction) -> None:
        if left == 0:
            result[won] = result.get(won, Fraction(0)) + p
            return
        for r, a in free.items():
            more = min(r, allowed)
            visit(left - 1 + more, allowed - more, won + win(a), p * a.probability)

    for r, a in paid.items():
        visit(min(r, cap), cap - min(r, cap), win(a), a.probability)
    return result


def test_capped_rounds_equal_every_history() -> None:
    half, third = Fraction(1, 2), Fraction(1, 3)
    paid = law((0, half, 0), (2, third, 5), (3, Fraction(1, 6), 0))
    free = law((0, half, 0), (1, third, 7), (2, Fraction(1, 6), 1))
    for cap in range(1, 9):
        law_of_round = walk(paid, free, cap)
        moments = moments_of(paid, free, cap)
        assert moments.mean == sum(x * p for x, p in law_of_round.items())
        assert moments.second == sum(x * x * p for x, p in law_of_round.items())
        assert moments.nothing == law_of_round.get(0, 0)
        assert moments.most == max(law_of_round)


def test_the_cap_out_of_reach_equals_the_cap_far_away() -> None:
    """The geometric sums and the exact walk meet when the cap hardly matters."""
    paid = law((0, Fraction(9, 10), 0), (5, Fraction(1, 10), 3))
    free = law((0, Fraction(19, 20), 2), (1, Fraction(1, 20), 40))
    capped, uncapped = moments_of(paid, free, 250), moments_of(paid, free, 100_000)
    assert float(capped.mean) == float(uncapped.mean)
    assert abs(float(capped.second / uncapped.second) - 1) < 1e-14
    assert abs(float(capped.nothing - uncapped.nothing)) < 1e-15
    assert float(capped.free_spins) == float(uncapped.free_spins)


def test_endless_retriggers_are_refused_with_the_reason() -> None:
    paid, free = law((1, Fraction(1), 0)), law((1, Fraction(1), 1))
    assert moments_of(paid, free, 100).free_spins == 100
    with pytest.raises(AnalysisError, match=r"set caps\.free_spins to 250 or less"):
        moments_of(paid, free, 1000)
