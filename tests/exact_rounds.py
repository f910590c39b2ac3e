"""Exact figures of whole rounds against every path of the reference."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import islice

import pytest
from tape import enumerate_round

from rgs_core.exact.cycle import FullCycle, full_cycle
from rgs_core.exact.distribution import feature_law, win_law
from rgs_core.language.model import Build

Law = dict[int, Fraction]


def round_law(build: Build, paths_max: int) -> tuple[Law, Law, Fraction] | None:
    """Law of a round's win, of what its further spins win where there are some, and the mean number of further spins,
    by the reference; None with more paths than that."""
    paths = list(islice(enumerate_round(build), paths_max + 1))
    if len(paths) > paths_max:
        return None
    wins: Law = defaultdict(Fraction)
    feature: Law = defaultdict(Fraction)
    played = Fraction(0)
    for p, outcome in paths:
        wins[outcome.win_units] += p
        further = outcome.spins[1:]
        played += p * len(further)
        if further:
            feature[sum(spin.win_units for spin in further)] += p
    return wins, feature, played


def check_figures(build: Build, wins: Law, feature: Law, played: Fraction) -> FullCycle:
    """Moments, frequencies and the law of wins of `full_cycle` are those."""
    cycle = full_cycle(build)
    begun = sum(feature.values(), Fraction(0))
    cost = build.play.cost_units
    mean = sum((p * x for x, p in wins.items()), Fraction(0))
    won = sum((p * x for x, p in feature.items()), Fraction(0))
    if cycle.capped:
        assert build.model.win_units_cap == max(wins)
    else:
        assert cycle.rtp * cost == mean
        assert cycle.variance * cost**2 == sum((p * x**2 for x, p in wins.items()), Fraction(0)) - mean**2
        assert cycle.rtp_parts["free spins"] * cost == won
        assert sum(cycle.rtp_parts.values()) == cycle.rtp
        assert cycle.max_win_units == max(wins)
        assert cycle.max_win_reached
        assert cycle.free_spins_per_round == played
        law = feature_law(cycle)
        assert (law is None) == (not begun)
        for x, p in feature.items():
            assert law is not None
            assert law.probabilities[x // law.step] == pytest.approx(float(p / begun), abs=1e-11)
    assert cycle.hit_frequency == 1 - wins.get(0, Fraction(0))
    assert cycle.feature_probability == begun
    law = win_law(cycle)
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-11)
    for x, p in wins.items():
        assert law.probabilities[x // law.step] == pytest.approx(float(p), abs=1e-11)
    return cycle
