"""Jackpots: chances for each unit of the cost, pools, and what they return; the loader's checks."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from tape import enumerate_round

from rgs_core import reference
from rgs_core._engine import Engine
from rgs_core.errors import ModelError
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.jackpots import jackpot_figures, wins_per_round
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import JackpotWin
from rgs_core.seeds import derive_key
from rgs_core.sheet.sheet import Sheet

KEY = derive_key(bytes(32))

GAME = """
format = 1
id = "pools"
title = "Pools"
version = "1"
symbols = ["A", "S"]
[stake]
units = 2
[grid]
reels = 2
rows = 1
[caps]
free_spins = 100
[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays = { A = { 2 = 3 } }
[modes.ante]
cost = 3
[jackpots.grand]
start = 100
share_ppm = 20_000
[jackpots.daily]
start = 10
share_ppm = 5_000
must_hit_by = 40
[states.base]
strips = "base"
evaluators = ["lines"]
triggers = [
  { name = "Grand", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 10, per = "unit" },
  { name = "Free", kind = "free_spins", symbol = "S", spins = { 1 = 0, 2 = 2 }, state = "free" },
]
[states.free]
strips = "base"
evaluators = ["lines"]
triggers = [{ name = "Rare", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 20 }]
[profiles.main.strips]
base = ["A A S", "A S A"]
"""


def game(mode: str = "base") -> Build:
    return loads(GAME).build(mode=mode)


@pytest.mark.parametrize("mode", ["base", "ante"])
def test_wins_of_a_round_are_those_of_every_path(mode: str) -> None:
    build = game(mode)
    mean = Fraction(0)
    for p, outcome in enumerate_round(build):
        mean += p * sum(isinstance(award, JackpotWin) for spin in outcome.spins for award in spin.awards)
    assert wins_per_round(full_cycle(build), "grand") == mean
    # 1/10 for each unit, and 1/20 in two spins that come once in nine rounds
    assert mean == Fraction(build.play.cost_units, 10) + Fraction(2, 9 * 20)


def test_engine_and_rules_win_the_same() -> None:
    for mode in ("base", "ante"):
        build, engine = game(mode), Engine(game(mode))
        assert all(engine.spin(KEY, n) == reference.play(build, KEY, n) for n in range(300))


def test_what_pools_return() -> None:
    """Against pools that are played: what goes in and out, by the same rules with other random numbers."""
    grand, daily = jackpot_figures(full_cycle(game()))
    wins = Fraction(1, 5) + Fraction(1, 90)
    assert (grand.rounds, grand.value) == (1 / wins, 100 + Fraction(1, 50) / wins)
    assert grand.rtp == 100 * wins + Fraction(1, 50)
    assert (daily.rounds, daily.value, daily.rtp) == (3000, 25, Fraction(25, 3000))
    draw = random.Random(5)
    paid = rounds = 0.0
    for _ in range(20_000):
        amount = draw.uniform(10, 40)
        rounds += (amount - 10) / 0.005
        paid += amount
    assert paid / rounds == pytest.approx(float(daily.rtp), rel=0.02)


def test_the_sheet_shows_them() -> None:
    (section,) = [s for s in Sheet.of(game()).sections() if s.title.startswith("Jackpots")]
    assert [str(row[0]) for row in section.rows] == ["grand", "daily", "game and jackpots"]
    sheet = Sheet.of(game())
    assert section.rows[-1][3].value == pytest.approx(
        float(sheet.rtp or 0) + float(sum(f.rtp for f in jackpot_figures(full_cycle(game()))))
    )


def test_games_without_pools_are_as_they_were() -> None:
    text = GAME[: GAME.index("[jackpots.grand]")] + GAME[GAME.index("[states.base]") :]
    build = loads(text).build()
    assert b'"jackpots"' not in build.canonical
    assert b'"per":"unit"' in build.canonical
    assert b'"per"' not in loads(text.replace(', per = "unit"', "")).build().canonical


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("chance = 1, out_of = 10", "chance = 4, out_of = 10", "4 for each of 3 units, in 10; keep it at most 3"),
        ('jackpot = "grand", chance = 1, out_of = 20', 'jackpot = "gran", chance = 1, out_of = 20', "no jackpot 'gran'"),
        ('jackpot = "grand", chance = 1, out_of = 20', 'jackpot = "daily", chance = 1, out_of = 20', "drops by its amount"),
        ("must_hit_by = 40\n", "", "jackpots.daily .*nothing wins it"),
        ("must_hit_by = 40", "must_hit_by = 10", "must_hit_by .*out of range"),
        ("share_ppm = 5_000", "share_ppm = 0", "never drops"),
        ("share_ppm = 5_000\n", "", "key 'share_ppm' is missing"),
        ('per = "unit"', 'per = "stake"', "per .*is not allowed"),
    ],
)  # fmt: skip
def test_wrong_jackpots(old: str, new: str, problem: str) -> None:
    assert old in GAME
    with pytest.raises(ModelError, match=problem):
        loads(GAME.replace(old, new))


SYMBOLS = GAME.replace('chance = 1, out_of = 10, per = "unit" }', 'chance = 2, out_of = 3, symbol = "S", count = 2 }')
WHEEL = """
[bonuses.wheel]
kind = "wheel"
segments = [
  { weight = 3, pay = 2 },
  { weight = 2, jackpot = "grand" },
  { weight = 1, pay = 1, bonus = "doors" },
]
[bonuses.doors]
kind = "choice"
matters = true
options = [{ name = "one", jackpot = "grand", pay = 1 }, { name = "two", pay = 5 }]
[states.base]"""
BY_WHEEL = GAME.replace("[states.base]", WHEEL, 1).replace(
    '{ name = "Grand", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 10, per = "unit" }',
    '{ name = "Spin", kind = "bonus", symbol = "S", plays = { 1 = 1, 2 = 2 }, bonus = "wheel" }',
)
HOLD = (
    GAME.replace(
        'triggers = [{ name = "Rare", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 20 }]',
        """draw = "cell"
transforms = [{ kind = "stick", symbols = ["S"] }]
triggers = [
  { name = "Again", kind = "free_spins", symbol = "S", spins = { 1 = 1 }, state = "free", fresh = true, reset = true },
  { name = "Full", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 2, symbol = "S", count = 2 },
]""",
    )
    .replace(
        '[states.free]\nstrips = "base"\nevaluators = ["lines"]', '[states.free]\nstrips = "base"\nevaluators = ["end"]'
    )
    .replace(
        "[modes.ante]",
        '[evaluators.end]\nkind = "scatter"\nsymbol = "S"\npays = { 1 = 1, 2 = 5 }\nof = "total_bet"\nat = "end"\n[modes.ante]',
    )
    .replace("spins = { 1 = 0, 2 = 2 }, state", "spins = { 1 = 2, 2 = 2 }, state")
)


@pytest.mark.parametrize("text", [SYMBOLS, BY_WHEEL, HOLD], ids=["symbols", "wheel", "hold"])
def test_jackpots_by_symbols_wheels_and_full_grids(text: str) -> None:
    """Engine, rules and exact odds agree; the odds are those of every path."""
    build = loads(text).build()
    engine = Engine(build)
    rounds = [reference.play(build, KEY, n) for n in range(300)]
    assert [engine.spin(KEY, n) for n in range(300)] == rounds
    assert any(isinstance(award, JackpotWin) for r in rounds for spin in r.spins for award in spin.awards)
    mean = Fraction(0)
    for p, outcome in enumerate_round(build):
        mean += p * sum(isinstance(award, JackpotWin) for spin in outcome.spins for award in spin.awards)
    assert wins_per_round(full_cycle(build), "grand") == mean


def test_a_policy_chooses_the_jackpot() -> None:
    from rgs_core.language.policies import with_policy

    build = loads(BY_WHEEL).build()
    first, other = (wins_per_round(full_cycle(b), "grand") for b in (build, with_policy(build, "doors=two")))
    assert first is not None
    assert other is not None
    assert first > other > 0


def test_odds_that_are_not_known() -> None:
    """Where a transform changes the grid, the jackpot has no figures."""
    text = SYMBOLS.replace(
        '[states.base]\nstrips = "base"',
        '[states.base]\ntransforms = [{ kind = "replace", symbol = "A", into = "S", reels = [1] }]\nstrips = "base"',
    )
    cycle = full_cycle(loads(text).build())
    assert wins_per_round(cycle, "grand") is None
    assert [figures.jackpot.name for figures in jackpot_figures(cycle)] == ["daily"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (', symbol = "S", count = 2 }', ', symbol = "S" }', "'symbol' without 'count'"),
        (', symbol = "S", count = 2 }', ", count = 2 }", "'count' without 'symbol'"),
        (', symbol = "S", count = 2 }', ', symbol = "S", count = 3 }', "count .*out of range"),
    ],
)
def test_wrong_symbols(old: str, new: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        loads(SYMBOLS.replace(old, new))


def test_a_segment_that_wins_no_pool() -> None:
    with pytest.raises(ModelError, match=r"bonuses.wheel.segments\[1\].jackpot .*no jackpot 'major'"):
        loads(BY_WHEEL.replace('weight = 2, jackpot = "grand"', 'weight = 2, jackpot = "major"'))
