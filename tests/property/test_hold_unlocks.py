"""Hold and spin whose rows unlock: exact figures and laws equal the plain-Python rules along every path of draws."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tape import enumerate_round

from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.exact.jackpots import wins_per_round
from rgs_core.exact.memory.hold import hold_rules
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import JackpotWin

PATHS_MAX = 8_000

GAME = """
format = 1
id = "unlocks"
title = "Unlocks"
version = "1"
symbols = ["A", "C", "D", "x"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[caps]
free_spins = 500
[groups]
coins = ["C", "D"]
[evaluators.now]
kind = "scatter"
symbol = "A"
of = "total_bet"
pays = { 2 = 1 }
[evaluators.coins]
kind = "collect"
symbol = "C"
at = "end"
[evaluators.full]
kind = "scatter"
symbol = "coins"
of = "total_bet"
pays = PAYS
at = "end"
[states.base]
strips = "base"
evaluators = ["now"]
transforms = [{ kind = "values", symbols = ["C"], table = { 4 = 1, 5 = 2 } }]
triggers = [{ name = "Hold", kind = "free_spins", symbol = "C", spins = { 1 = AWARD }, state = "one" CARRY }]
[states.one]
strips = "one"
evaluators = ["coins", "full"]
draw = "cell"
transforms = [
  { kind = "values", symbols = ["C"], table = { 1 = 1, 3 = 1 } },
  { kind = "stick", symbols = ["C", "D"] },
]
triggers = [
  { name = "Again", kind = "free_spins", symbol = "coins", spins = AGAIN, state = "self", fresh = true, reset = RESET },
  { name = "Up", kind = "free_spins", symbol = "UPBY", spins = UP, state = "two", become = true UPRESET },
]
[states.two]
like = "one"
strips = "two"
rows = HIGH
multiplier = 2
triggers = [
  { name = "Again", kind = "free_spins", symbol = "coins", spins = AGAIN, state = "self", fresh = true, reset = RESET },
  MORE
]
EXTRA
[profiles.one.strips]
base = BASE
one = ONE
two = TWO
"""
DEFAULTS = {
    "PAYS": "{ 2 = 3, 3 = 7 }", "AWARD": "1", "CARRY": ', carry = ["C"]', "AGAIN": "{ 1 = 1 }", "RESET": "true", "UPBY": "coins", "UP": "{ 2 = 0 }",
    "UPRESET": "", "HIGH": "[1, 2]", "MORE": "", "EXTRA": "", "BASE": '["C x", "A C x"]', "ONE": '["C x", "C x"]',
    "TWO": '["C x", "C x:2"]',
}  # fmt: skip
THREE = """
[states.three]
like = "two"
rows = [2, 2]
multiplier = 5
triggers = [{ name = "Last", kind = "free_spins", symbol = "coins", spins = { 1 = 1 }, state = "self", fresh = true }]
"""
FURTHER = '{ name = "Top", kind = "free_spins", symbol = "coins", spins = { 3 = 0 }, state = "three", become = true },'


def game(**given: str) -> Build:
    """The game above with some of its words replaced."""
    text = GAME
    for word, value in sorted({**DEFAULTS, **given}.items(), key=lambda item: -len(item[0])):
        text = text.replace(word, value)
    return loads(text).build()


def check(build: Build, paths_max: int = PATHS_MAX) -> bool:
    """All figures of rounds against every path of the reference; whether there are few enough."""
    expected = round_law(build, paths_max)
    if expected is None:
        return False
    cycle = check_figures(build, *expected)
    assert cycle.features is not None
    assert cycle.features.methods["one"] == "chain of held cells, for each way to begin"
    return True


strips = st.sampled_from(["C x", "C:2 x:3", "x", "C D x", "C", "D x"])
counts = st.sampled_from(["{ 1 = 1 }", "{ 1 = 1 }", "{ 1 = 2 }", "{ 1 = 1, 2 = 2 }"])


@given(
    one=st.lists(strips, min_size=2, max_size=2),
    two=st.lists(strips, min_size=2, max_size=2),
    alike=st.booleans(),
    award=st.sampled_from(["1", "1", "2"]),
    again=counts,
    reset=st.sampled_from(["true", "true", "false"]),
    carry=st.sampled_from(["", DEFAULTS["CARRY"]]),
    high=st.sampled_from(["[1, 2]", "[2, 1]", "[2, 2]"]),
    by=st.sampled_from(["coins", "coins", "C", "D"]),
    up=st.sampled_from(["{ 1 = 0 }", "{ 2 = 0 }", "{ 1 = 1, 2 = 0 }", "{ 2 = 1 }"]),
    filled=st.sampled_from(["", ", reset = true"]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_rounds(
    one: list[str], two: list[str], alike: bool, award: str, again: str, reset: str, carry: str, high: str, by: str,
    up: str, filled: str,
) -> None:  # fmt: skip
    pairs = [reels[:1] * 2 if alike else reels for reels in (one, two)]
    assume(
        check(
            game(
                ONE=repr(pairs[0]), TWO=repr(pairs[1]), AWARD=award, AGAIN=again, RESET=reset, CARRY=carry, HIGH=high,
                UPBY=by, UP=up, UPRESET=filled,
            )
        )
    )  # fmt: skip


@pytest.mark.parametrize("carry", ["", DEFAULTS["CARRY"]])
def test_three_states_in_a_row(carry: str) -> None:
    """One cell of two takes the feature to the second state, three cells to the third."""
    words = {
        "EXTRA": THREE,
        "MORE": FURTHER,
        "CARRY": carry,
        "UP": "{ 1 = 0 }",
        "BASE": '["C x", "x"]',
        "PAYS": "{ 2 = 3, 3 = 7, 4 = 20 }",
    }
    assert check(game(**words, ONE='["C x", "x"]', TWO='["C x", "C x"]'), 60_000)


@pytest.mark.parametrize("carry", ["", DEFAULTS["CARRY"]])
def test_jackpots_of_a_full_grid_and_of_the_end(carry: str) -> None:
    """The grid is full in the last state only; what the end shows counts in each state."""
    grand = (
        '{ name = "Grand", kind = "jackpot", jackpot = "grand", symbol = "coins", count = 3, chance = 1, out_of = 1 },'
    )
    end = '{ name = "Mini", kind = "jackpot", jackpot = "mini", symbol = "C", count = 1, chance = 1, out_of = 2, at = "end" },'
    pools = "[jackpots.grand]\nstart = 10\nshare_ppm = 1000\n[jackpots.mini]\nstart = 1\nshare_ppm = 1000\n"
    words = {
        "MORE": grand + end,
        "EXTRA": pools,
        "CARRY": carry,
        "ONE": '["C x", "C:2 x"]',
        "UPRESET": "},\n" + end[:-3],
    }
    build = game(**words)
    won = {"grand": Fraction(0), "mini": Fraction(0)}
    for p, outcome in enumerate_round(build):
        for award in (award for spin in outcome.spins for award in spin.awards):
            if isinstance(award, JackpotWin):
                won[award.jackpot] += p
    cycle = full_cycle(build)
    assert {name: wins_per_round(cycle, name) for name in won} == won
    assert all(won.values())


def test_a_mode_that_begins_with_it() -> None:
    build = replace(game(EXTRA='[modes.buy]\ncost = 5\nstart = "one"\nspins = 2\n'), mode="buy")
    expected = round_law(build, PATHS_MAX)
    assert expected is not None
    wins, cycle, cost = expected[0], full_cycle(build), build.play.cost_units
    mean = sum(p * x for x, p in wins.items())
    assert cycle.rtp * cost == mean
    assert cycle.variance * cost**2 == sum(p * x**2 for x, p in wins.items()) - mean**2
    assert cycle.hit_frequency == 1 - wins.get(0, 0)
    assert cycle.max_win_units == max(wins)
    law = win_law(cycle)
    for x, p in wins.items():
        assert law.probabilities[x // law.step] == pytest.approx(float(p), abs=1e-11)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"HIGH": "[1, 1]", "PAYS": "{ 2 = 3 }"}, "which has not more rows"),
        ({"UP": "{ 2 = 1 }, once = true"}, "with odds, conditions or reels of its own"),
        ({"UP": "{ 2 = 1 }, fresh = true"}, "goes on by 'Up' for other than all held cells"),
    ],
)
def test_what_is_refused(words: dict[str, str], reason: str) -> None:
    build = game(**words)
    with pytest.raises(AnalysisError, match=reason):
        hold_rules(build, build.model.states["one"])
