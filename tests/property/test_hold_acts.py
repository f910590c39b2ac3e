"""Hold and spin whose cells act on the values of others: exact moments equal the plain-Python rules on every path."""

from __future__ import annotations

from dataclasses import replace

import pytest
from exact_rounds import round_law
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.mechanics import Values
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

PATHS_MAX = 2_000

GAME = """
format = 1
id = "acting"
title = "Acting"
version = "1"
symbols = ["coin", "payer", "boost", "x"]
[stake]
units = 1
[grid]
reels = REELS
rows = 1
[caps]
free_spins = 600
[groups]
all = ["coin", "payer", "boost"]
[evaluators.now]
kind = "scatter"
symbol = "payer"
of = "total_bet"
pays = { 2 = 1 }
[evaluators.values]
kind = "collect"
symbol = "PAID"
at = "end"
[evaluators.full]
kind = "scatter"
symbol = "all"
of = "total_bet"
pays = { 2 = 3 }
at = "end"
[states.base]
strips = "base"
evaluators = ["now"]
transforms = [{ kind = "values", symbols = ["coin", "payer"], table = { 4 = 1, 5 = 1 } }]
triggers = [{ name = "Begin", kind = "free_spins", symbol = "coin", spins = { 1 = AWARD }, state = "hold" CARRY }]
[states.hold]
strips = "hold"
evaluators = ["values", "full"]
draw = "cell"
rows = HIGH
multiplier = 2
multiplier_exempt = ["full"]
transforms = [
  { kind = "values", symbols = ["coin"], table = COIN },
  { kind = "values", symbols = ["payer"], table = PAYER },
  { kind = "values", symbols = ["boost"], table = BOOST },
  ACTS
  { kind = "stick", symbols = ["coin", "payer", "boost"] },
]
triggers = [{ name = "Again", kind = "free_spins", symbol = "NEW", spins = AGAIN, state = "hold", fresh = true, reset = RESET }]
[profiles.one.strips]
base = BASE
hold = STRIPS
"""
DEFAULTS = {
    "REELS": "2", "HIGH": "1", "PAID": "all", "AWARD": "1", "CARRY": ', carry = ["coin"]', "COIN": "{ 1 = 1, 3 = 2 }",
    "PAYER": "{ 1 = 2, 2 = 1 }", "BOOST": "{ 2 = 1, 3 = 1 }", "NEW": "all", "AGAIN": "{ 1 = 1 }", "RESET": "true",
    "BASE": '["coin x", "coin x"]', "STRIPS": '["coin payer boost x", "coin payer boost x"]',
}  # fmt: skip


def game(*acts: str, **given: str) -> Build:
    """The game above with some of its words replaced."""
    text = GAME.replace("ACTS", "".join(f'{{ kind = "act", {act} }},\n  ' for act in acts))
    for word, value in sorted({**DEFAULTS, **given}.items(), key=lambda item: -len(item[0])):
        text = text.replace(word, value)
    return loads(text).build()


def check(build: Build, paths_max: int = PATHS_MAX) -> bool:
    """Moments against every path of the reference; whether there are few enough."""
    expected = round_law(build, paths_max)
    if expected is None:
        return False
    wins, feature, played = expected
    cycle = full_cycle(build)
    mean = sum(p * x for x, p in wins.items())
    assert cycle.rtp == mean == sum(cycle.rtp_parts.values())
    assert cycle.variance == sum(p * x**2 for x, p in wins.items()) - mean**2
    assert cycle.hit_frequency == 1 - wins.get(0, 0)
    assert cycle.free_spins_per_round == played
    assert cycle.rtp_parts["free spins"] == sum(p * x for x, p in feature.items())
    assert cycle.max_win_units == max(wins) if cycle.max_win_reached else cycle.max_win_units >= max(wins)
    return True


does = st.sampled_from(["add_to_all", "multiply_all", "multiply_some", "collect_all"])
over = st.sampled_from(["", ', over = ["coin"]', ', over = ["coin"]', ', over = ["coin", "payer"]'])
odds = st.sampled_from(["", "", "", ", chance = 1, out_of = 3"])
many = st.sampled_from(["1", "2", "{ 1 = 1, 2 = 2 }"])


@st.composite
def acts(draw: st.DrawFn) -> str:
    what = draw(does)
    count = f", count = {draw(many)}" if what == "multiply_some" else ""
    once = draw(st.sampled_from(["", "", ", once = false"]))
    who = draw(st.sampled_from(['["payer"]', '["boost"]', '["payer", "boost"]']))
    return f'symbols = {who}, does = "{what}"{count}{draw(over)}{once}{draw(odds)}'


strips = st.sampled_from(["coin payer x", "coin boost x:2", "coin payer boost", "coin:2 boost payer x", "boost x"])
tables = st.sampled_from(["{ 2 = 1 }", "{ 1 = 1, 3 = 2 }", "{ 1 = 2, 2 = 1 }"])


@given(
    rules=st.lists(acts(), min_size=1, max_size=3),
    reels=st.lists(strips, min_size=2, max_size=2),
    alike=st.booleans(),
    base=st.lists(st.sampled_from(["coin x", "coin payer x", "coin x:3"]), min_size=2, max_size=2),
    high=st.sampled_from(["1", "1", "[1, 2]"]),
    paid=st.sampled_from(["all", "all", "coin", "boost", "payer"]),
    new=st.sampled_from(["all", "all", "coin"]),
    again=st.sampled_from(["{ 1 = 1 }", "{ 1 = 1 }", "{ 1 = 2 }", "{ 1 = 1, 2 = 2 }"]),
    reset=st.sampled_from(["true", "true", "false"]),
    carry=st.sampled_from(["", ', carry = ["coin"]', ', carry = ["coin", "payer"]']),
    values=st.lists(tables, min_size=3, max_size=3),
)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_rounds_with_any_acts(
    rules: list[str], reels: list[str], alike: bool, base: list[str], high: str, paid: str, new: str, again: str,
    reset: str, carry: str, values: list[str],
) -> None:  # fmt: skip
    coin, payer, boost = values
    build = game(
        *rules, STRIPS=repr(reels[:1] * 2 if alike else reels), BASE=repr(base), HIGH=high, PAID=paid, NEW=new,
        AGAIN=again, RESET=reset, CARRY=carry, COIN=coin, PAYER=payer, BOOST=boost,
    )  # fmt: skip
    try:
        full_cycle(build)
    except AnalysisError:
        assume(False)
    assume(check(build))


PAYER, BOOST = 'symbols = ["payer"], does = ', 'symbols = ["boost"], does = '


@pytest.mark.parametrize(
    "rules",
    [
        [f'{PAYER}"add_to_all"'],
        [f'{PAYER}"add_to_all", over = ["coin", "payer"]', f'{BOOST}"multiply_some", count = 1, over = ["coin", "payer"]'],
        [f'{BOOST}"multiply_all", over = ["coin"]', f'{PAYER}"collect_all"'],
        [f'{PAYER}"add_to_all", over = ["coin"], once = false', f'{BOOST}"collect_all"'],
        [f'{BOOST}"add_to_all"', f'{BOOST}"collect_all", over = ["coin", "payer"]', f'{PAYER}"add_to_all", over = ["coin"]'],
        [f'{BOOST}"multiply_all", over = ["coin", "payer"], chance = 1, out_of = 4', f'{PAYER}"add_to_all"'],
    ],
)  # fmt: skip
def test_three_cells_that_pay_each_other(rules: list[str]) -> None:
    """Those that have landed together and act on each other, in the order of their cells; two classes of reels."""
    short = {"COIN": "{ 2 = 1 }", "PAYER": "{ 1 = 1, 2 = 1 }", "BOOST": "{ 3 = 1 }", "CARRY": ""}
    kinds = {"STRIPS": '["coin payer boost", "payer boost x"]', "BASE": '["coin x", "x"]'}
    assert check(game(*rules, HIGH="[1, 2]", **short, **kinds), 60_000)


def test_the_largest_win_and_the_law_of_wins() -> None:
    """Three coins of 3 that two payers of 2 pay, but cells are two: a payer lands beside a coin that it pays. Of the law
    of wins only the moments are known."""
    cycle = full_cycle(
        game(f'{PAYER}"add_to_all", over = ["coin"]', STRIPS='["coin payer x", "coin payer x"]', CARRY="")
    )
    assert cycle.max_win_reached
    assert cycle.max_win_units == 2 * (3 + 2 + 2) + 3
    with pytest.raises(AnalysisError, match="only the mean and the spread"):
        win_law(cycle)


@pytest.mark.parametrize(
    ("act", "words", "reason"),
    [
        (f'{BOOST}"multiply_all"', {}, r"act on each other \(boost\); leave them out of 'over'"),
        ('symbols = ["payer", "boost"], does = "add_to_all"', {}, r"act on each other \(boost, payer\)"),
        (f'{BOOST}"multiply_all", over = ["coin"], once = false', {}, "multiplies at every spin by values that are drawn"),
        (f'{BOOST}"add_to_all", when = "no_win"', {}, "where a spin wins, or does not"),
        (
            f'{PAYER}"add_to_all" }},\n{{ kind = "act", {BOOST}"multiply_all", over = ["coin"]',
            {},
            r"multiplies by values that acts have used or changed before \(boost\)",
        ),
        (
            f'{PAYER}"add_to_all" }},\n{{ kind = "act", {PAYER}"collect_all", once = false',
            {},
            "when they are new, and also at every spin",
        ),
        (f'{PAYER}"add_to_all", max = 5', {}, "may reach their 'max'"),
        (f'{PAYER}"add_to_all", once = false', {"CARRY": ""}, "act on each other at every spin"),
        (
            f'{PAYER}"add_to_all" }},\n{{ kind = "act", {PAYER}"collect_all"',
            {},
            r"act on each other \(payer\)",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(act: str, words: dict[str, str], reason: str) -> None:
    with pytest.raises(AnalysisError, match=reason):
        full_cycle(game(act, **words))


def test_a_collector_without_a_value() -> None:
    """What pays by it alone may pay nothing; beside a coin that was carried it is exact."""
    for carry in ("", DEFAULTS["CARRY"]):
        text = {"STRIPS": '["coin boost x", "coin boost x"]', "CARRY": carry, "BOOST": "{ 9 = 1 }"}
        build = game(f'{BOOST}"collect_all", over = ["coin"]', **text)
        hold = build.model.states["hold"]
        transforms = tuple(t for t in hold.transforms if not (isinstance(t, Values) and "boost" in t.symbols))
        states = {**build.model.states, "hold": replace(hold, transforms=transforms)}
        build = replace(build, model=replace(build.model, states=states))
        if carry:
            assert check(build)
        else:
            with pytest.raises(AnalysisError, match="have no value before they collect some"):
                full_cycle(build)
