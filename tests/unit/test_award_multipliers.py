"""Multipliers that come with awarded spins: what they multiply, and which spins are one feature."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law

from rgs_core import Engine, ModelError, reference
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import BonusPlay

GAME = """
format = 1
id = "awards"
title = "Awards"
version = "1"
symbols = ["A", "B", "S", "T"]
[stake]
units = 2
[grid]
reels = 2
rows = 1
[caps]
free_spins = CAP
[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays.A = { 2 = 3 }
pays.B = { 1 = 1, 2 = 5 }
[evaluators.stars]
kind = "scatter"
symbol = "S"
of = "line_bet"
pays = { 1 = 2 }
[bonuses.wheel]
kind = "wheel"
segments = [
  { weight = 1, pay = 1, spins = 1, state = "free", multiplier = { 2 = 3, 5 = 1 } },
  { weight = 2, spins = 2, state = "free", multiplier = 3 },
]
[states.base]
strips = "base"
evaluators = ["lines"]
TRIGGER
[states.free]
strips = "free"
evaluators = ["lines", "stars"]
multiplier = 2
multiplier_exempt = ["stars"]
MORE
[profiles.one.strips]
base = ["A S", "A B"]
free = FREE
"""
FREE = '[[states.base.triggers]]\nname = "Free"\nkind = "free_spins"\nsymbol = "S"\nspins = { 1 = 2 }\nstate = "free"\n'
WHEEL = '[[states.base.triggers]]\nname = "Spin"\nkind = "bonus"\nsymbol = "S"\nplays = { 1 = 1 }\nbonus = "wheel"\n'
AGAIN = (
    '[[states.free.triggers]]\nname = "Again"\nkind = "free_spins"\nsymbol = "T"\nspins = { 1 = 1 }\nstate = "free"\n'
)
WINS = (
    '[[states.free.triggers]]\nname = "Won"\nkind = "win_spins"\nevaluator = "lines"\nspins.B = { 1 = 1 }\n'
    'state = "free"\nmultiplier = { 1 = 1, 4 = 1 }\n'
)
STICKY = '[[states.free.transforms]]\nkind = "stick"\nsymbols = ["B"]\n'
BOOK = '[states.free.special]\nname = "Book"\nlines = "lines"\ntable = { A = 1, B = 2 }\n'


def game(trigger: str = FREE, more: str = "", free: str = '["A S B", "A B"]', cap: int = 1000) -> Build:
    text = GAME.replace("TRIGGER", trigger).replace("MORE", more).replace("FREE", free).replace("CAP", str(cap))
    if "wheel" not in trigger + more:
        start, end = text.index("[bonuses"), text.index("[states.base]")
        text = text[:start] + text[end:]
    return loads(text).build()


def test_everything_that_the_feature_wins() -> None:
    """A A pays 3 x 2, S pays 2 to which the state's multiplier does not apply; times the 5 of the award both do."""
    build = game(FREE + "multiplier = 5\n", free='["A S", "A"]')
    rounds = [reference.play(build, bytes(32), nonce) for nonce in range(60)]
    spins = [spin for played in rounds for spin in played.spins if spin.state == "free"]
    assert {spin.win_units for spin in spins} == {5 * 3 * 2, 5 * 2}
    assert {spin.feature_multiplier for spin in spins} == {5}
    assert {(win.evaluator, win.multiplier) for spin in spins for win in spin.all_wins} == {("lines", 10), ("stars", 5)}


def test_a_wheel_of_spins_times_a_wheel_of_multipliers() -> None:
    """1/3: 1 spin times 2 (3/4) or 5; 2/3: 2 spins times 3. A free spin wins 3 x 2 or 2 units."""
    build = game(WHEEL, free='["A S", "A"]')
    cycle = full_cycle(build)
    spin = Fraction(6 + 2, 2)
    expected = Fraction(1, 3) * spin * Fraction(2 * 3 + 5, 4) + Fraction(2, 3) * 2 * spin * 3
    assert cycle.rtp_parts["free spins"] == Fraction(1, 2) * expected / 2
    assert cycle.max_win_units == max(2 + 6 * 5, 2 * 6 * 3)
    drawn = {
        (award.drawn, award.multiplier)
        for nonce in range(80)
        for spin in reference.play(build, bytes(32), nonce).spins
        for award in spin.awards
        if isinstance(award, BonusPlay)
    }
    assert drawn == {((0,), 2), ((0,), 5), ((1,), 3)}


def test_features_are_known_by_state_and_multiplier() -> None:
    """T lengthens the feature that plays, whatever its multiplier; an award of another multiplier is another feature."""
    build = game(FREE + "multiplier = { 2 = 1, 3 = 1 }\n", AGAIN, free='["A A T", "A A A A T"]', cap=40)
    for nonce in range(60):
        spins = reference.play(build, bytes(32), nonce).spins[1:]
        assert len({spin.feature_multiplier for spin in spins}) <= 1
    build = game(FREE + "multiplier = 2\n", WINS, free='["A A B", "A"]', cap=12)
    engine = Engine(build)
    runs = set()
    for nonce in range(200):
        played = engine.spin(bytes(32), nonce)
        assert played == reference.play(build, bytes(32), nonce)
        runs.add(tuple(spin.feature_multiplier for spin in played.spins[1:]))
    assert (2, 2) in runs
    assert any(run[:4] == (2, 2, 4, 4) for run in runs)  # 4 was awarded twice while 2 played: one feature
    assert any({1, 2, 4} <= set(run) for run in runs)


@pytest.mark.parametrize(
    "build",
    [
        game(FREE + "multiplier = 3\n"),
        game(FREE + "multiplier = { 1 = 1, 2 = 2, 5 = 1 }\n"),
        game(WHEEL),
        game(FREE + WHEEL),
        game(FREE + "multiplier = { 2 = 1, 3 = 1 }\n", STICKY),
        game(FREE + "multiplier = { 1 = 2, 3 = 1 }\n" + FREE.replace('"Free"', '"More"'), STICKY),
        game(FREE + "multiplier = { 2 = 1, 3 = 1 }\n", BOOK),
        game(FREE + "multiplier = { 2 = 1, 3 = 1 }\n", AGAIN, free='["A T S", "A T"]', cap=4),
        game(WHEEL, AGAIN, free='["A T S", "B"]', cap=3),
    ],
)
def test_exact_rounds(build: Build) -> None:
    """Moments and the whole law of wins, along every path of the reference."""
    expected = round_law(build, 20_000)
    assert expected is not None
    check_figures(build, *expected)


def test_endless_features_and_simulation() -> None:
    """Retriggers keep the multiplier, or draw one for another feature: exact figures equal a simulation."""
    more = AGAIN + WINS
    build = game(FREE + "multiplier = { 2 = 1, 3 = 1 }\n", more, free='["A A A T", "A B A S A"]')
    cycle = full_cycle(build)
    law = win_law(cycle)
    assert law.rtp == pytest.approx(float(cycle.rtp), abs=1e-9)
    assert law.sd == pytest.approx(cycle.sd, abs=1e-8)
    rounds = 300_000
    totals = Engine(build).simulate(bytes(32), 0, rounds)
    error = cycle.sd / rounds**0.5
    assert totals["win"] / rounds / 2 == pytest.approx(float(cycle.rtp), abs=4.5 * error)
    assert totals["hits"] / rounds == pytest.approx(float(cycle.hit_frequency), abs=0.005)


def test_a_level_of_a_cascade_draws_several() -> None:
    """Triggers that are looked at after every step may draw a multiplier each: fixed ones only are exact."""
    cascade = '[states.base.cascade]\nrefill = "strip"\nremove = ["Free"]\nsteps_max = 2\n'
    fixed = game(FREE + "multiplier = 2\n" + cascade)
    expected = round_law(fixed, 20_000)
    assert expected is not None
    check_figures(fixed, *expected)
    with pytest.raises(Exception, match="may draw several multipliers of 'Free' in a spin"):
        full_cycle(game(FREE + "multiplier = { 2 = 1, 3 = 1 }\n" + cascade))


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("multiplier = 3 }", "multiplier = 0 }", "bonuses.wheel.segments[1].multiplier", "0 is out of range"),
        ('spins = 2, state = "free", ', "", "bonuses.wheel.segments[1]", "a multiplier of no spins"),
        ("{ 2 = 3, 5 = 1 }", "{}", "bonuses.wheel.segments[0].multiplier", "{} is not a weight table"),
    ],
)
def test_errors(old: str, new: str, path: str, message: str) -> None:
    text = GAME.replace("TRIGGER", WHEEL).replace("MORE", "").replace("FREE", '["A", "A"]').replace("CAP", "9")
    with pytest.raises(ModelError) as caught:
        loads(text.replace(old, new))
    assert any(p.path == path and message in p.message for p in caught.value.problems), str(caught.value)


CELLS = """
format = 1
id = "cells"
title = "Cells"
version = "1"
symbols = ["A", "C", "S"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[evaluators.count]
kind = "count"
pays.C = { 1 = 1, 2 = 5 }
[states.base]
strips = "base"
evaluators = ["count"]
triggers = [{ name = "Go", kind = "free_spins", symbol = "S", spins = { 1 = 2 }, state = "stick", carry = ["C"], multiplier = TABLE }]
[states.stick]
strips = "stick"
evaluators = ["count"]
transforms = [{ kind = "stick", symbols = ["C"] }]
[profiles.one.strips]
base = ["A C S", "A C S"]
stick = ["A:2 C", "A:2 C"]
"""


@pytest.mark.parametrize("table", ["3", "{ 1 = 1, 4 = 2 }"])
def test_cells_are_carried_into_a_feature_with_a_multiplier(table: str) -> None:
    build = loads(CELLS.replace("TABLE", table)).build()
    engine = Engine(build)
    held = set()
    for nonce in range(100):
        played = engine.spin(bytes(32), nonce)
        assert played == reference.play(build, bytes(32), nonce)
        if len(played.spins) > 1:
            first, then = played.spins[:2]
            held.add(first.window)
            for reel in range(2):
                assert first.window[reel] != ("C",) or then.window[reel] == ("C",)
    assert {(("C",), ("S",)), (("S",), ("C",)), (("S",), ("S",))} <= held
    law = round_law(build, 10_000)
    assert law is not None
    check_figures(build, *law)
