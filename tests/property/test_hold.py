"""Hold and spin: exact laws of features and rounds equal the plain-Python rules along every path of draws."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

import pytest
from exact_rounds import Law, check_figures, round_law
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tape import enumerate_paths

from rgs_core import games
from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import feature_law, win_law
from rgs_core.exact.memory.feature_starts import feature_round
from rgs_core.exact.memory.hold import HoldStart, Start, hold_rules
from rgs_core.exact.memory.hold_chain import hold_starts, multinomial
from rgs_core.exact.memory.whole_feature import FeatureRound
from rgs_core.language.mechanics import Table
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from rgs_core.reference import Memory
from rgs_core.reference.rounds import Feature, grant
from rgs_core.reference.spins import end_wins, play_spin

PATHS_MAX = 30_000

GAME = """
format = 1
id = "hold"
title = "Hold"
version = "1"
symbols = ["A", "W", "C", "D", "x"]
[stake]
units = 2
[grid]
reels = REELS
rows = ROWS
[caps]
free_spins = CAP
WINMAX
[wilds.W]
substitutes = ["A"]
multiplier = 2
[evaluators.lines]
kind = "lines"
paylines = ["LINE"]
pays.A = LONG
pays.W = SHORT
[evaluators.coins]
kind = "collect"
symbol = "C"
at = "end"
count_min = LEAST
[evaluators.gems]
kind = "collect"
symbol = "D"
of = "line_bet"
at = "end"
[evaluators.full]
kind = "scatter"
symbol = "C"
pays = FULL
of = "total_bet"
at = "end"
[states.base]
strips = "base"
evaluators = ["lines"]
transforms = BASE_TRANSFORMS
triggers = [
  { name = "Hold", kind = "free_spins", symbol = "C", spins = AWARD, state = "hold" CARRY },
  MORE
]
[states.hold]
strips = "hold"
evaluators = ["coins", "gems", "full"]
draw = "cell"
rows = HIGH
multiplier = 3
multiplier_exempt = EXEMPT
transforms = [
  { kind = "values", symbols = ["C"], table = { 1 = 2, 5 = 1 } },
  { kind = "values", symbols = ["C", "D"], table = { 2 = 1, 3 = 1 } },
  { kind = "stick", symbols = HELD },
]
triggers = [{ name = "Again", kind = "free_spins", symbol = "C", spins = AGAIN, state = "hold", fresh = true, reset = RESET }]
FREE
[profiles.one.strips]
base = BASE
hold = STRIPS
"""
VALUES = '[{ kind = "values", symbols = ["C"], table = { 1 = 1, 4 = 3 } }]'
DEFAULTS = {
    "BASE_TRANSFORMS": VALUES,
    "REELS": "2",
    "ROWS": "1",
    "CAP": "1000",
    "WINMAX": "",
    "LINE": "00",
    "LONG": "{ 2 = 3 }",
    "SHORT": "{ 1 = 1, 2 = 4 }",
    "LEAST": "1",
    "FULL": "{ 2 = 7 }",
    "AWARD": "{ 1 = 2 }",
    "AGAIN": "{ 1 = 2 }",
    "CARRY": ', carry = ["C"]',
    "MORE": "",
    "HIGH": "1",
    "EXEMPT": "[]",
    "HELD": '["C", "D"]',
    "RESET": "true",
    "FREE": "",
    "BASE": '["A W C", "A C x:2"]',
    "STRIPS": '["C x:2", "C x:2"]',
}


def game(**given: str) -> Build:
    """The game above with some of its words replaced."""
    text = GAME
    for word, value in sorted({**DEFAULTS, **given}.items(), key=lambda item: -len(item[0])):
        text = text.replace(word, value)
    return loads(text).build()


def convolved(a: Law, b: Law) -> Law:
    law: Law = defaultdict(Fraction)
    for x, p in a.items():
        for y, q in b.items():
            law[x + y] += p * q
    return law


def exact_law(hold: FeatureRound) -> Law:
    """The law of a round that has no other features, in fractions: rows of the paid spin and the laws of features."""
    law: Law = defaultdict(Fraction)
    features = {name: feature.law() for name, feature in hold.laws.items() if isinstance(feature, HoldStart)}
    starting = hold.starting
    joint = starting.spin.joint
    for units, awards, weight in zip(joint.units.tolist(), joint.awards.tolist(), joint.weights.tolist(), strict=True):
        here: Law = {units: Fraction(weight, joint.cycle)}
        named = starting.names.awards(starting.beginnings, tuple(awards))
        for name, n in zip(starting.states, named, strict=True):
            for _ in range(n):
                here = convolved(here, features[name])
        for x, p in here.items():
            law[x] += p
    return law


def check(build: Build, *, exact: bool = True) -> bool:
    """All figures of rounds against every path of the reference; whether there are few enough."""
    expected = round_law(build, PATHS_MAX)
    if expected is None:
        return False
    cycle = check_figures(build, *expected)
    assert cycle.features is not None
    wins, cost = expected[0], build.play.cost_units
    mean = sum((p * x for x, p in wins.items()), Fraction(0))
    if exact and not cycle.capped:
        assert {x: p for x, p in exact_law(cycle.features).items() if p} == {x: p for x, p in wins.items() if p}
    analysis = analyse(build, visit=True)
    assert analysis.rtp is not None
    assert float(analysis.rtp) * cost == pytest.approx(float(mean), abs=1e-9)
    assert analysis.methods["state hold"] == "chain of held cells, for each way to begin"
    return True


# --- Rounds ------------------------------------------------------------------------------------------------

strips = st.sampled_from(["C x:2", "C:2 x:3", "x", "C", "C D x", "C x D:2", "D x"])
base = st.sampled_from(["A W C", "C x:2", "C C A", "A C x C", "W A:2"])
counts = st.sampled_from(["{ 1 = 1 }", "{ 1 = 2 }", "{ 1 = 1, 2 = 2 }", "{ 2 = 2 }"])


@given(
    strips=st.lists(strips, min_size=2, max_size=2),
    base=st.lists(base, min_size=2, max_size=2),
    award=counts,
    again=counts,
    reset=st.sampled_from(["true", "true", "false"]),
    carry=st.sampled_from(["", ', carry = ["C"]']),
    least=st.sampled_from(["1", "2"]),
    full=st.sampled_from(["{ 2 = 7 }", "{ 1 = 1, 2 = 0 }"]),
    exempt=st.sampled_from(["[]", '["coins"]', '["coins.C.2"]', '["full.C.2", "gems"]']),
    values=st.sampled_from(["[]", VALUES]),
    cap=st.sampled_from(["", "", "win = 6"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_rounds_of_two_cells(
    strips: list[str], base: list[str], award: str, again: str, reset: str, carry: str, least: str, full: str,
    exempt: str, values: str, cap: str,
) -> None:  # fmt: skip
    build = game(
        STRIPS=repr(strips), BASE=repr(base), AWARD=award, AGAIN=again, RESET=reset, CARRY=carry, LEAST=least,
        FULL=full, EXEMPT=exempt, BASE_TRANSFORMS=values, WINMAX=cap,
    )  # fmt: skip
    assume(check(build))


@pytest.mark.parametrize("carry", ["", ', carry = ["C"]'])
@pytest.mark.parametrize("strips", ['["C x:2", "C x:2"]', '["C x:2", "C:2 x:3"]'])
def test_grids_of_two_by_two(carry: str, strips: str) -> None:
    """Four cells, alike or of two classes; all of them can be held."""
    assert check(
        game(
            ROWS="2", HIGH="2", STRIPS=strips, CARRY=carry, BASE='["C A x:3", "C x:4"]', FULL="{ 4 = 9 }",
            AWARD="{ 1 = 0, 2 = 1 }", AGAIN="{ 1 = 1 }", BASE_TRANSFORMS=VALUES if carry else "[]",
        )
    )  # fmt: skip


def test_three_reels_of_different_heights() -> None:
    """The feature has more rows on some reels than the paid spin."""
    assert check(
        game(
            REELS="3", ROWS="1", LONG="{ 2 = 1, 3 = 3 }", SHORT="{ 3 = 4 }", HIGH="[1, 1, 2]", STRIPS='["C x:2", "C x:2", "C:3 x"]', LINE="000",
            BASE='["C A", "C A x", "C x:5"]', FULL="{ 3 = 1, 4 = 9 }", AWARD="{ 2 = 1 }", AGAIN="{ 1 = 1 }",
        )
    )  # fmt: skip


FREE = """
[states.free]
strips = "base"
evaluators = ["lines"]
multiplier = 5
"""


def test_ordinary_free_spins_beside_it() -> None:
    """Both start independently of each other, given the paid spin."""
    more = '{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 1 }, state = "free" },'
    for carry in ("", DEFAULTS["CARRY"]):
        assert check(game(FREE=FREE, MORE=more, CARRY=carry, STRIPS='["C x", "C:2 x"]', AGAIN="{ 1 = 1 }"), exact=False)


BUY = """
[modes.buy]
cost = 7
start = "rich"
[states.rich]
like = "base"
strips = "hold"
"""


def test_a_mode_whose_spin_starts_it() -> None:
    """The feature is awarded by two states, but a round begins with one of them."""
    for carry in ("", DEFAULTS["CARRY"]):
        build = game(FREE=BUY, CARRY=carry, STRIPS='["C x", "C:2 x"]', AGAIN="{ 1 = 1 }")
        assert check(build)
        assert check(replace(build, mode="buy"))


@pytest.mark.parametrize("again", ["{ 1 = 2 }", "{ 1 = 1, 2 = 2 }", "{ 1 = 1 }"])
@pytest.mark.parametrize("reset", ["true", "false"])
def test_the_cap_that_is_just_out_of_reach(again: str, reset: str) -> None:
    """With as many spins as can be awarded the round is the same; with one less it is refused."""
    words = {"STRIPS": '["C x", "C x:2"]', "AGAIN": again, "RESET": reset, "CARRY": ""}
    hold = full_cycle(game(**words)).features
    assert hold is not None
    (granted,) = hold.granted.values()
    assert check(game(**words, CAP=str(granted)))
    with pytest.raises(AnalysisError, match=f"can be awarded {granted} spins, more than the cap of {granted - 1}"):
        full_cycle(game(**words, CAP=str(granted - 1)))


SECOND = """
[evaluators.gold]
kind = "collect"
symbol = "D"
at = "end"
[states.second]
strips = "hold"
evaluators = ["gold"]
draw = "cell"
transforms = [{ kind = "values", symbols = ["D"], table = { 1 = 1, 8 = 1 } }, { kind = "stick", symbols = ["D", "C"] }]
"""


def test_two_features_of_hold_and_spin_in_one_round() -> None:
    """The second one has no trigger of its own, and is started by wins or by symbols."""
    wins = '{ name = "Wins", kind = "win_spins", evaluator = "lines", spins.W = { 1 = 1, 2 = 2 }, state = "second" },'
    scatters = '{ name = "Two", kind = "free_spins", symbol = "W", spins = { 1 = 1, 2 = 2 }, state = "second" },'
    for more in (wins, scatters, wins + scatters):
        words = {"FREE": SECOND, "MORE": more, "STRIPS": '["D x", "C x"]', "AGAIN": "{ 1 = 1 }", "AWARD": "{ 1 = 1 }"}
        assert check(game(**words, BASE='["A W C", "A W x:2"]'))


def test_a_trigger_that_counts_something_else_than_it_carries() -> None:
    """The scatter W starts the feature, coins are carried; also as the reels stopped, before they change."""
    text = GAME.replace(
        'name = "Hold", kind = "free_spins", symbol = "C"', 'name = "Hold", kind = "free_spins", symbol = "W"'
    )
    for stopped in ("", ", stopped = true"):
        changed = text
        for word, value in sorted(
            {**DEFAULTS, "CARRY": DEFAULTS["CARRY"] + stopped, "BASE": '["A W C", "C W x:2"]'}.items(),
            key=lambda item: -len(item[0]),
        ):
            changed = changed.replace(word, value)
        assert check(loads(changed).build())
    replaced = '[{ kind = "replace", symbol = "W", into = "C" }, ' + VALUES[1:]
    assert check(game(BASE_TRANSFORMS=replaced, CARRY=', carry = ["C"], stopped = true', BASE='["A W C", "C W x"]'))
    assert check(game(BASE_TRANSFORMS=replaced, CARRY=', carry = ["C"]', BASE='["A W C", "C W x"]'))


# --- Features ----------------------------------------------------------------------------------------------


def feature_by_rules(build: Build, name: str, spins: int, held: dict[tuple[int, int], tuple[str, int]]) -> Law:
    """Law of what one feature wins, by the spins and the queue of the reference; equal memories are merged."""
    law: Law = defaultdict(Fraction)
    now = {(tuple(sorted(held.items())), spins): Fraction(1)}
    while now:
        after: dict[tuple[object, int], Fraction] = defaultdict(Fraction)
        for (kept, left), p in now.items():

            def run(numbers: object, kept: object = kept, left: int = left) -> tuple[int, object, int]:
                feature = Feature(name, left - 1, Memory(held=dict(kept), started=True))  # type: ignore[call-overload]
                spin, playing = play_spin(build, name, feature.memory, numbers)  # type: ignore[arg-type]
                for award in spin.awards:
                    grant(build, [feature], award, playing, 10**6)
                if playing.full:
                    feature.left = 0
                won = spin.win_units
                if feature.left == 0:
                    won += sum(win.amount_units for win in end_wins(playing))
                return won, tuple(sorted(feature.memory.held.items())), feature.left

            for q, (won, memory, rest) in enumerate_paths(run):
                if rest:
                    assert won == 0
                    after[memory, rest] += p * q
                else:
                    law[won] += p * q
        now = after  # type: ignore[assignment]
    return law


@pytest.mark.parametrize("reset", ["true", "false"])
@pytest.mark.parametrize(("spins", "carried"), [(1, 0), (2, 1), (2, 3), (1, 4)])
def test_a_feature_by_what_it_begins_with(reset: str, spins: int, carried: int) -> None:
    """Two symbols with values of their own, carried cells with values of a third table, two classes of reels."""
    build = game(
        ROWS="2",
        HIGH="2",
        STRIPS='["C x:2", "C D x:3"]',
        FULL="{ 3 = 2, 4 = 9 }",
        AGAIN="{ 1 = 1, 2 = 2 }",
        RESET=reset,
    )
    rules = hold_rules(build, build.model.states["hold"], {"C"})
    assert [c.cells for c in rules.classes] == [2, 2]
    cells = [(0, 0), (1, 1), (1, 0), (0, 1)][:carried]
    held = list(rules.nothing)
    for reel, _ in cells:
        held[reel * 2] += 1
    own = Table((6, 7), (1, 2))
    start = Start(spins, tuple(held), (own, own))
    law = hold_starts(rules, [start])[start]
    expected: Law = defaultdict(Fraction)
    for pattern in range(2**carried):
        values = [6 + (pattern >> i & 1) for i in range(carried)]
        p = Fraction(1)
        for value in values:
            p *= Fraction(1 if value == 6 else 2, 3)
        carried_cells = {cell: ("C", value) for cell, value in zip(cells, values, strict=True)}
        for x, q in feature_by_rules(build, "hold", spins, carried_cells).items():
            expected[x] += p * q
    assert law.law() == expected
    moments = law.moments
    assert moments.win == sum(x * p for x, p in expected.items()) == sum(law.mean_parts().values())
    assert moments.win_squared == sum(x * x * p for x, p in expected.items())
    assert moments.nothing == expected.get(0, 0)
    assert moments.most == max(expected)
    assert sum(law.ends.values()) == 1
    assert all(x % law.step == 0 for x in expected)


def test_spins_of_a_feature() -> None:
    """One cell of two with odds of a half, two spins and two again: the mean number of spins by hand."""
    build = game(STRIPS='["C x", "x"]', AGAIN="{ 1 = 2 }", CARRY="")
    rules = hold_rules(build, build.model.states["hold"])
    start = Start(2, rules.nothing)
    law = hold_starts(rules, [start])[start]
    # none in two spins: 1/4, 2 spins; in the second: 1/4, 2 + 2; in the first: 1/2, 1 + 2
    assert law.spins == Fraction(1, 4) * 2 + Fraction(1, 4) * 4 + Fraction(1, 2) * 3
    assert law.granted == 4
    assert law.ends == {(0,): Fraction(1, 4), (1,): Fraction(3, 4)}


def test_what_lands_is_multinomial() -> None:
    law = multinomial(3, (1, 2), 3)
    assert sum(law.values()) == 6**3
    assert law[1, 1] == 6 * 1 * 2 * 3
    assert multinomial(2, (1,), 0) == {(2,): 1}
    assert multinomial(2, (0, 1), 1) == {(0, 0): 1, (0, 1): 2, (0, 2): 1}


def test_the_paid_spin_by_every_combination() -> None:
    """Merging and visiting count the same cells."""
    build = game(ROWS="2", HIGH="2", STRIPS='["C x:2", "C:2 x:3"]', BASE='["A W C C x", "C A x C W"]')
    merged, visited = (feature_round(build, merge=merge) for merge in (True, False))
    assert merged.laws.keys() == visited.laws.keys()
    assert len(merged.laws) > 4
    assert merged.starting.by_award() == visited.starting.by_award()
    assert merged.spins["base"].by_award() == visited.spins["base"].by_award()


def test_fossil_coast() -> None:
    """A dig of the shipped game: two classes of reels, eight values; the law of wins has the exact moments."""
    build, _ = games.find_build("fossil_coast/rtp_96")
    cycle = full_cycle(build)
    law, feature = win_law(cycle), feature_law(cycle)
    assert feature is not None
    assert law.error < 1e-10
    assert law.rtp == pytest.approx(float(cycle.rtp), abs=1e-10)
    assert law.sd == pytest.approx(cycle.sd, abs=1e-8)
    assert feature.rtp * float(cycle.feature_probability) == pytest.approx(float(cycle.rtp_parts["free spins"]))
    assert 1 - law.probabilities[0] == pytest.approx(float(cycle.hit_frequency), abs=1e-11)
    assert cycle.features is not None
    start = next(iter(cycle.features.laws.values()))
    whole = start.law()
    assert sum(whole.values()) == 1
    assert sum(x * p for x, p in whole.items()) == start.moments.win


# --- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"CAP": "3"}, "more than the cap of 3"),
        ({"CARRY": ', carry = ["C", "A"]'}, "does not hold all that is carried into it \\(A\\)"),
        (
            {"MORE": '{ name = "Two", kind = "free_spins", symbol = "W", spins = { 1 = 1 }, state = "hold" },'},
            "several triggers start state 'hold', and 'Hold' resets or carries",
        ),
        (
            {"BASE_TRANSFORMS": VALUES[:-1] + ', { kind = "replace", symbol = "x", into = "C" }]'},
            "cells change after they have their values",
        ),
        (
            {"STRIPS": '["C x", "C x:2"]', "MORE": '{ name = "P", kind = "pick", pattern = ["C"], pick = "b" },',
             "FREE": '[bonuses.b]\nkind = "take"\nprizes = [1, 2]\ntake = 1'},
            "'C' is more than what is carried",
        ),
    ],
)  # fmt: skip
def test_what_has_no_exact_law_is_said(words: dict[str, str], reason: str) -> None:
    build = game(**words)
    with pytest.raises(AnalysisError, match=reason):
        full_cycle(build)
    assert analyse(build).cycle is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("fresh = true", "fresh = false", "other than newly held cells"),
        ('{ kind = "stick", symbols = HELD }', '{ kind = "stick", symbols = HELD, step = 1 }', "moves them"),
        ('kind = "collect"\nsymbol = "C"\nat = "end"', 'kind = "collect"\nsymbol = "C"', "pays 'coins' at every spin"),
        ('symbol = "D"\nof', 'symbol = "D"\ncollector = "C"\nof', "once for each collector"),
        ("HELD }", '["C"] }', "pays 'gems' for a symbol that it does not hold"),
        ("rows = HIGH", "rows = { 1 = 1, 2 = 1 }", "draws the heights"),
        (
            '{ kind = "stick", symbols = HELD },',
            '{ kind = "multiplier", table = { 1 = 1, 2 = 1 } }, { kind = "stick", symbols = HELD },',
            "has a transform of kind multiplier",
        ),
        (
            'evaluators = ["lines"]\ntransforms',
            'evaluators = ["lines", "now"]\ntransforms',
            "and 'now' pays by the values of cells",
        ),
    ],
)
def test_states_that_are_no_chain_of_held_cells(old: str, new: str, reason: str) -> None:
    text = GAME.replace(old, new, 1)
    assert text != GAME
    if "now" in new:
        text = text.replace("[states.base]", '[evaluators.now]\nkind = "collect"\nsymbol = "C"\n[states.base]')
    for word, value in sorted(DEFAULTS.items(), key=lambda item: -len(item[0])):
        text = text.replace(word, value)
    build = loads(text.replace("rows = 1\n[caps]", "rows = 2\n[caps]") if "2 = 1 }" in new else text).build()
    with pytest.raises(AnalysisError, match=reason):
        full_cycle(build)


def test_chains_that_are_too_large() -> None:
    strips = str([f"C x:{n}" for n in range(2, 8)]).replace("'", '"')
    base = str(["A C"] * 6).replace("'", '"')
    build = game(
        REELS="6", ROWS="5", HIGH="5", STRIPS=strips, BASE=base, LINE="000000", LONG="{ 6 = 1 }", SHORT="{ 6 = 1 }"
    )
    rules = hold_rules(build, build.model.states["hold"])
    with pytest.raises(AnalysisError, match=r"can be held in 46,656 ways"):
        hold_starts(rules, [Start(3, rules.nothing)])
    alike = replace(rules, classes=(replace(rules.classes[0], cells=30),))
    law = hold_starts(alike, [Start(3, (6,), (rules.values[0],))])
    assert sum(next(iter(law.values())).ends.values()) == 1
