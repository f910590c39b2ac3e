"""Estimates by strata: exact odds, first grids of that law, means that are those of the game."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare, norm

from rgs_core import games
from rgs_core._engine import Engine
from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.game import seeded_key
from rgs_core.language.model_file import loads
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.stratified import FirstGrids, stratified

KEY = seeded_key("strata")

GAME = """
format = 1
id = "strata"
title = "Strata"
version = "1"
symbols = ["A", "S", "SS"]
[stake]
units = 2
[grid]
reels = 3
rows = [{ 1 = 2, 2 = 1, 3 = 1 }, 2, { 1 = 1, 3 = 3 }]
[caps]
free_spins = 1000
[doubles.SS]
symbol = "S"
count = 2
[evaluators.ways]
kind = "ways"
pays = { A = { 2 = 1, 3 = 2 } }
[states.base]
strips = "base"
evaluators = ["ways"]
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 3 = 0, 4 = 5, 5 = 8 }
state = "free"
[states.free]
strips = "base"
evaluators = ["ways"]
multiplier = 5
[profiles.main.strips]
base = ["A:3 S A A:2 SS", "A S A A", "A A:4 S A"]
"""


def test_the_estimate_is_the_exact_rtp() -> None:
    """Twenty keys: the errors in standard errors are those of a normal law."""
    build = loads(GAME).build()
    exact = float(analyse(build).rtp or 0)
    found = [stratified(build, seeded_key(f"key {i}"), 10_000) for i in range(20)]
    errors = np.array([(s.rtp - exact) / s.rtp_error for s in found])
    assert abs(errors.mean()) * 20**0.5 < norm.isf(1e-6)
    assert float((errors**2).sum()) < 60  # chi-square of 20 degrees: 60 once in a million
    assert float(sum(s.probability for s in found[0].strata)) == 1


def test_first_grids_have_their_law() -> None:
    """Heights and stops as the engine lays them out: each number of the symbol, and each stop, as often as it should."""
    build = loads(GAME).build()
    grids, law = FirstGrids(build), FirstGrids(build).law()
    random = np.random.default_rng(7)
    state = build.model.states["base"]
    assert state.heights is not None
    rows = [table.values for table in state.heights]

    def in_view(first: int, last: int, *stops: int) -> int:
        heights = rows[0][first], 2, rows[2][last]
        window = [strip.window(*at) for strip, *at in zip(build.strips(state), stops, heights, strict=True)]
        return sum(n for reel in window for s, n in map(build.model.read, reel) if s == "S")

    drawn = grids.draws(random, 0, max(law) + 1, 40_000)
    counted = Counter(in_view(*row) for row in drawn.tolist())
    assert chisquare([counted[n] for n in law], [float(p) * 40_000 for p in law.values()]).pvalue > 1e-6
    for count in law:
        assert {in_view(*row) for row in grids.draws(random, count, count + 1, 50).tolist()} == {count}
    first_reel = np.unique(drawn[:, 0] * 10 + drawn[:, 2], return_counts=True)[1]
    weights = np.outer([2, 1, 1], [3, 1, 1, 2, 1]).reshape(-1)
    assert chisquare(first_reel, weights / weights.sum() * 40_000).pvalue > 1e-6


def test_given_draws_are_played() -> None:
    """A round that begins with the draws of another one wins as that where all is drawn at the beginning."""
    build, _ = games.find_build("ember_sevens")
    engine = Engine(build)
    given = np.array([engine.spin(KEY, n).spins[0].stops for n in range(300)])
    paid = [engine.spin(KEY, n).spins[0].win_units for n in range(300)]
    alone = [n for n in range(300) if len(engine.spin(KEY, n).spins) == 1]
    wins = engine.wins_given(KEY, 10**6, given)
    same = [n for n in alone if wins[n] == paid[n]]
    assert len(same) > 0.9 * len(alone)  # those that draw nothing after their stops


def test_draws_that_there_are_not() -> None:
    engine = Engine(loads(GAME).build())
    for wrong in ([[0, 0, 0, 0]], [[3, 0, 0, 0, 0]], [[0, 2, 0, 0, 0]], [[0, 0, 5, 0, 0]]):
        with pytest.raises(ValueError, match="given draws are 5 numbers a round"):
            engine.wins_given(KEY, 0, np.array(wrong))
    assert engine.wins_given(KEY, 0, np.zeros((0, 5), dtype=np.uint32)).tolist() == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('strips = "base"\nevaluators = ["ways"]\n[[', 'strips = "base"\ndraw = "cell"\nevaluators = ["ways"]\n[[', "cells"),
        ('kind = "free_spins"\nsymbol = "S"\nspins = { 3 = 0, 4 = 5, 5 = 8 }\nstate = "free"',
         'kind = "win_spins"\nevaluator = "ways"\nspins.A = { 3 = 1 }\nstate = "free"', "no trigger counts a symbol"),
    ],
)  # fmt: skip
def test_games_without_strata(old: str, new: str, reason: str) -> None:
    assert old in GAME
    with pytest.raises(AnalysisError, match=reason):
        stratified(loads(GAME.replace(old, new)).build(), KEY, 1000)


def test_it_says_more_for_as_many_rounds() -> None:
    """Features are rare and weigh much: the shipped cascades have a smaller error than their plain simulation."""
    from rgs_core.simulation.montecarlo import simulate

    build, _ = games.find_build("rose_window")
    found = stratified(build, KEY, 60_000, threads=2)
    plain = simulate(build, KEY, found.rounds, threads=2)
    assert found.rtp_error < 0.8 * plain.rtp_error
    assert abs(found.rtp - plain.rtp) < 5 * (found.rtp_error**2 + plain.rtp_error**2) ** 0.5


def test_the_sheet_shows_strata() -> None:
    from dataclasses import replace

    build = loads(GAME).build()
    sheet = replace(Sheet.of(build), stratified=stratified(build, KEY, 10_000))
    (section,) = [s for s in sheet.sections() if s.title.startswith("RTP by the number of 'S'")]
    assert str(section.rows[-1][0]) == "RTP"
    assert sum(float(row[5].value or 0) for row in section.rows[:-1]) == pytest.approx(
        float(section.rows[-1][5].value or 0)
    )
