"""What features begin with: carried cells, spins of other features, bonuses. Exact laws of whole rounds equal the
plain-Python rules along every path of draws."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice

import pytest
from exact_rounds import check_figures, round_law
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tape import enumerate_round

from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

PATHS_MAX = 3_000

GAME = """
format = 1
id = "starts"
title = "Starts"
version = "1"
symbols = ["A", "B", "W", "C", "S"]
[stake]
units = 2
[grid]
reels = 2
rows = 1
[caps]
free_spins = CAP
[wilds.W]
substitutes = ["A", "B"]
multiplier = 2
[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays.A = { 2 = 3 }
pays.B = { 1 = 1, 2 = 2 }
[states.base]
strips = "base"
evaluators = ["lines"]
transforms = VALUES
triggers = [TRIGGERS]
STATES
[profiles.one.strips]
base = BASE
STRIPS
"""
DEFAULTS = {
    "CAP": "1000",
    "VALUES": "[]",
    "TRIGGERS": "",
    "STATES": "",
    "BASE": '["A W B", "W B:2"]',
    "OTHER": '["A W", "B"]',
}
WALK = """
[states.walk]
strips = "other"
evaluators = ["lines"]
transforms = [{ kind = "stick", symbols = ["W"], step = STEP }]
triggers = [AGAIN]
"""
CARRIES = (
    '{ name = "Walk", kind = "free_spins", symbol = "W", spins = { 1 = 1, 2 = 2 }, state = "walk", carry = ["W"] },'
)
HOLD = """
[evaluators.coins]
kind = "collect"
symbol = "C"
at = "end"
[states.hold]
strips = "hold"
evaluators = ["coins"]
draw = "cell"
transforms = [{ kind = "values", symbols = ["C"], table = { 1 = 2, 5 = 1 } }, { kind = "stick", symbols = ["C"] }]
"""
COINS = '[{ kind = "values", symbols = ["C"], table = { 2 = 1, 3 = 1 } }]'
FREE = """
[states.free]
strips = "other"
evaluators = ["lines"]
transforms = VALUES
triggers = [{ name = "Coins", kind = "free_spins", symbol = "C", spins = { 1 = 1 }, state = "hold", carry = ["C"] RESET }, AGAIN]
"""


def game(**given: str) -> Build:
    """The game above with some of its words replaced; later words may stand in earlier ones."""
    text = GAME
    for word, value in [*given.items(), *DEFAULTS.items(), ("STEP", "0"), ("AGAIN", ""), ("RESET", "")]:
        text = text.replace(word, value)
    sets = {"other": given.get("OTHER", DEFAULTS["OTHER"]), "hold": '["C B:2", "C B:2"]'}
    used = [f"{name} = {strips}" for name, strips in sets.items() if f'strips = "{name}"' in text]
    text = text.replace("STRIPS", "\n".join(used))
    return loads(text).build()


def check(build: Build) -> bool:
    """All figures of rounds against every path of the reference; whether there are few enough."""
    expected = round_law(build, PATHS_MAX)
    if expected is None:
        return False
    cycle = check_figures(build, *expected)
    assert cycle.features is not None
    assert cycle.neglected == 0
    return True


strips = st.lists(st.sampled_from(["A W", "B W", "W B:2", "A", "W"]), min_size=2, max_size=2)
few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@given(base=strips, other=strips, step=st.sampled_from(["0", "-1", "1"]), expand=st.booleans(), fresh=st.booleans())
@few
def test_wilds_that_are_carried(base: list[str], other: list[str], step: str, expand: bool, fresh: bool) -> None:
    """They stay, or walk from the second spin on, and new ones may award a further spin."""
    again = ""
    if fresh:
        again = '{ name = "On", kind = "free_spins", symbol = "W", spins = { 1 = 1 }, state = "walk", fresh = true }'
    words = {
        "TRIGGERS": CARRIES,
        "STATES": WALK,
        "STEP": step,
        "AGAIN": again,
        "BASE": repr(base),
        "OTHER": repr(other),
    }
    if expand:
        words["VALUES"] = '[{ kind = "expand", symbol = "W", into = "W" }]'
    build = game(**words, CAP="8")
    try:
        assume(check(build))
    except AnalysisError as error:
        assume("cap" not in str(error))
        raise


def test_carried_cells_merged_and_visited() -> None:
    """Two algorithms for the paid spin and for the feature; the law of wins has the exact moments."""
    again = '{ name = "On", kind = "free_spins", symbol = "S", spins = { 1 = 1 }, state = "walk" }'
    for step in ("0", "1", "-1"):
        build = game(
            TRIGGERS=CARRIES,
            STATES=WALK,
            STEP=step,
            AGAIN=again,
            BASE='["A W B:3", "W B A"]',
            OTHER='["A W B", "B S:2 W"]',
        )
        merged, visited = (full_cycle(build, merge=merge) for merge in (True, False))
        assert merged.features is not None
        assert visited.features is not None
        assert "each by merging" in merged.features.methods["walk"]
        assert "each by every combination" in visited.features.methods["walk"]
        assert merged.paid.method == "merging"
        assert merged.features.laws.keys() == visited.features.laws.keys()
        assert (merged.rtp, merged.variance) == (visited.rtp, visited.variance)
        law = win_law(merged)
        assert law.rtp == pytest.approx(float(merged.rtp), abs=1e-9)
        assert law.sd == pytest.approx(merged.sd, abs=1e-8)


def test_carried_values() -> None:
    """Coins with values on ordinary reels stay, and the end pays their sum."""
    hold = HOLD.replace('draw = "cell"\n', "")
    trigger = '{ name = "Hold", kind = "free_spins", symbol = "C", spins = { 1 = 2 }, state = "hold", carry = ["C"] },'
    assert check(game(TRIGGERS=trigger, STATES=hold, VALUES=COINS, BASE='["A C", "C B"]'))


@pytest.mark.parametrize("reset", ["", ", reset = true"])
@pytest.mark.parametrize("values", ["[]", COINS])
def test_hold_and_spin_from_free_spins(reset: str, values: str) -> None:
    """Spins of a feature award others that wait for its end: they add up or are filled up, and hand on the cells of
    the first. The paid spin may start both features too."""
    free = '{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 2 }, state = "free" },'
    both = '{ name = "Hold", kind = "free_spins", symbol = "C", spins = { 1 = 1 }, state = "hold", carry = ["C"] },'
    for triggers in (free, both + free):
        build = game(
            TRIGGERS=triggers,
            STATES=FREE + HOLD,
            RESET=reset,
            VALUES=values,
            BASE='["W C:2", "A"]',
            OTHER='["B C:2", "C A:3"]',
        )
        assert check(build)


def test_free_spins_that_go_on_before_hold_and_spin() -> None:
    """The waiting feature has as many ways to begin as there are sums of spins and numbers of carried cells."""
    free = '{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 1 }, state = "free" },'
    again = '{ name = "More", kind = "free_spins", symbol = "B", spins = { 1 = 1 }, state = "free" }'
    build = game(
        TRIGGERS=free, STATES=FREE + HOLD, AGAIN=again, BASE='["W C", "A"]', OTHER='["B C:2 A", "C A"]', CAP="500"
    )
    cycle = full_cycle(build)
    assert cycle.features is not None
    assert {law.state_name for law in cycle.features.laws.values()} == {"free", "hold"}
    assert cycle.features.methods["free"].startswith("chain of 3 memories, one law for all of them by merging")
    # A spin awards a further one with odds of a quarter: 1/2 x 4/3 of them, and those of hold and spin.
    assert float(cycle.spins["free"]) == pytest.approx(float(Fraction(1, 2) * Fraction(4, 3)), rel=1e-14)
    assert win_law(cycle).rtp == pytest.approx(float(cycle.rtp), abs=1e-9)


WHEEL = """
[bonuses.wheel]
kind = "wheel"
segments = [
  { weight = 2, pay = 3 },
  { weight = 1, spins = 1, state = "walk" },
  { weight = 1, pay = 1, bonus = "game" },
]
"""
CHOICE = """
[bonuses.game]
kind = "choice"
matters = true
options = [{ name = "walk", spins = 2, state = "walk" }, { name = "pay", pay = 9 }]
"""


@pytest.mark.parametrize("bonus", ["wheel", "game"])
@pytest.mark.parametrize("plays", ["{ 1 = 1 }", "{ 1 = 1, 2 = 2 }"])
def test_wheels_and_choices_that_start_features(bonus: str, plays: str) -> None:
    """Several plays of one spin add up to one feature, also with spins that a trigger awards."""
    trigger = f'{{ name = "Bonus", kind = "bonus", symbol = "W", plays = {plays}, bonus = "{bonus}" }},'
    more = '{ name = "Walk", kind = "free_spins", symbol = "A", spins = { 1 = 1 }, state = "walk" },'
    for triggers in (trigger, trigger + more):
        bonuses = WHEEL + CHOICE if bonus == "wheel" else CHOICE
        build = game(TRIGGERS=triggers, STATES=bonuses + WALK, BASE='["A W", "W B"]', OTHER='["A W", "B W"]')
        assert check(build)


TWO = """
[states.free]
strips = "other"
evaluators = ["lines"]
triggers = [{ name = "T", kind = "free_spins", symbol = "B", spins = { 1 = 1 }, state = "walk" }]
"""
FIRST = '{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 1 }, state = "free" },'


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"TRIGGERS": FIRST + CARRIES, "STATES": TWO + WALK}, "spins of state 'walk' that wait for those of state 'free'"),
        ({"TRIGGERS": FIRST, "STATES": TWO.replace("triggers = [", 'triggers = [{ name = "G", kind = "free_spins", '
          'symbol = "A", spins = { 1 = 1 }, state = "more" }, ') + TWO.replace("free]", "more]") + WALK},
         "are awarded by states 'free' and 'more'"),
        ({"TRIGGERS": FIRST, "STATES": TWO + WALK, "AGAIN": '{ name = "B", kind = "free_spins", symbol = "B", '
          'spins = { 1 = 1 }, state = "free" }'}, "which it leads to"),
        ({"TRIGGERS": CARRIES + CARRIES.replace("Walk", "Two").replace(', carry = ["W"]', ""), "STATES": WALK},
         "several triggers start state 'walk', and 'Walk' resets or carries"),
        ({"TRIGGERS": CARRIES, "STATES": WALK, "VALUES": '[{ kind = "stick", symbols = ["W"] }]'},
         "its state remembers itself"),
    ],
)  # fmt: skip
def test_what_has_no_exact_law_is_said(words: dict[str, str], reason: str) -> None:
    with pytest.raises(AnalysisError, match=reason):
        full_cycle(game(**words))


# -- features with multipliers, and features that go on -------------------------------------------------

TIMES = "multiplier = { 2 = 1, 3 = 2 }"
STARTS = '{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 2 }, state = "free" },'
STICKY = WALK.replace("AGAIN", "")
COINS_TIMES = FREE.replace('carry = ["C"] RESET', TIMES)
GIVING = """
[bonuses.wheel]
kind = "wheel"
OF
segments = [SEGMENTS]
"""
SPINS = '{ weight = 1, pay = 2, spins = 1, state = "walk", multiplier = { 1 = 1, 3 = 1 } }, { weight = 1, pay = 1 }'
PLAYS = '{ name = "Play", kind = "bonus", symbol = "W", plays = { 1 = 1 }, bonus = "wheel" },'


def award(state: str, more: str = "", symbol: str = "W", spins: str = "{ 1 = 1, 2 = 2 }", name: str = "Award") -> str:
    more = more and f", {more}"
    return f'{{ name = "{name}", kind = "free_spins", symbol = "{symbol}", spins = {spins}, state = "{state}"{more} }},'


def wheel(segments: str, of: str = "") -> str:
    return GIVING.replace("SEGMENTS", segments).replace("OF", of)


@pytest.mark.parametrize("values", ["[]", '[{ kind = "values", symbols = ["C"], table = { 2 = 1 } }]'])
@pytest.mark.parametrize("cells", ['draw = "cell"\n', ""])
def test_features_start_features_with_multipliers(values: str, cells: str) -> None:
    """They wait by multiplier, and each has as many spins as all awards of it together. The paid spin starts some too."""
    hold = HOLD.replace('draw = "cell"\n', cells).replace("{ 1 = 2, 5 = 1 }", "{ 5 = 1 }")
    for first in ("", award("hold", "multiplier = 3", "C", "{ 1 = 1 }", "First")):
        words = {"TRIGGERS": first + STARTS, "STATES": COINS_TIMES + hold, "VALUES": values}
        assert check(game(**words, BASE='["W C:2", "A"]', OTHER='["B C:2", "C A:3"]'))


def test_multipliers_of_1_belong_to_the_feature_without() -> None:
    for segments in (SPINS, SPINS.replace("1 = 1, 3 = 1", "1 = 1")):
        for triggers in (PLAYS, award("walk") + PLAYS, award("walk", TIMES) + PLAYS):
            build = game(TRIGGERS=triggers, STATES=wheel(segments) + STICKY, BASE='["A W", "A"]')
            assert check(build)


@pytest.mark.parametrize("odds", ["chance = 1, out_of = 3", 'when = "no_win"', 'chance = 1, out_of = 2, when = "win"'])
@pytest.mark.parametrize("merge", [True, False])
def test_odds_and_conditions_of_triggers_with_multipliers(odds: str, merge: bool) -> None:
    trigger = award("walk", f"{TIMES}, {odds}") + award("walk", "", "B", "{ 1 = 1 }", "Plain")
    build = game(TRIGGERS=trigger, STATES=STICKY, BASE='["A W", "B A"]')
    assert check(build)
    assert full_cycle(build, merge=merge).variance == full_cycle(build).variance


def test_wins_that_bonuses_and_awards_multiply() -> None:
    """First the bonus, then the feature."""
    segments = "{ weight = 1, pay = 2 }, { weight = 2, pay = 0 }"
    free = f'[states.free]\nstrips = "other"\nevaluators = ["lines"]\ntriggers = [{PLAYS}]\n'
    for state, states in (("walk", WALK.replace("AGAIN", PLAYS)), ("free", free)):
        build = game(TRIGGERS=award(state, TIMES), STATES=wheel(segments, 'of = "win"') + states, BASE='["A W", "A"]')
        wins = check(build) if state == "walk" else full_cycle(build).rtp > 0
        assert wins


def test_features_that_remember_start_features_with_multipliers() -> None:
    """What a spin leaves and what it awards stay together: by merging and by every combination."""
    plain = '[states.plain]\nstrips = "other"\nevaluators = ["lines"]\n'
    walk = WALK.replace("AGAIN", award("plain", TIMES, "B", "{ 1 = 1 }"))
    build = game(TRIGGERS=award("walk"), STATES=walk + plain, BASE='["A W", "A"]')
    assert check(build)
    merged, visited = (full_cycle(build, merge=merge) for merge in (True, False))
    assert merged.features is not None
    assert visited.features is not None
    assert "each by merging" in merged.features.methods["walk"]
    assert (merged.rtp, merged.variance) == (visited.rtp, visited.variance)


@pytest.mark.parametrize("merge", [True, False])
def test_carried_cells_beside_odds_and_multipliers(merge: bool) -> None:
    """Cells of a row stay with it where a trigger or a transform makes several of it."""
    plain = '[states.plain]\nstrips = "other"\nevaluators = ["lines"]\n'
    for more in (award("plain", TIMES, "B", "{ 1 = 1 }"), award("plain", "chance = 1, out_of = 3", "B", "{ 1 = 1 }")):
        for values in ("[]", '[{ kind = "multiplier", table = { 1 = 1, 2 = 1 } }]'):
            build = game(TRIGGERS=CARRIES + more, STATES=STICKY + plain, VALUES=values, BASE='["A W B", "W B:2"]')
            assert check(build)
            assert full_cycle(build, merge=merge).variance == full_cycle(build).variance


GOES_ON = """
[states.free]
strips = "other"
evaluators = ["lines"]
triggers = [{ name = "Walks", kind = "free_spins", symbol = "S", spins = { 1 = 1 }, state = "level" }, MORE]
[states.level]
strips = "other"
evaluators = ["lines"]
triggers = [{ name = "Up", kind = "collected", symbol = "W", every = 1, spins = [1], states = ["high"] }, LATER]
[states.high]
strips = "base"
evaluators = ["lines"]
multiplier = 2
triggers = [HIGH]
"""


def goes_on(triggers: str, more: str = "", later: str = "", high: str = "") -> Build:
    states = GOES_ON.replace("MORE", more).replace("LATER", later).replace("HIGH", high)
    return game(TRIGGERS=triggers, STATES=states, BASE='["A W", "A"]', OTHER='["A S W", "A"]')


def test_features_start_features_that_go_on() -> None:
    for more in ("", award("level", TIMES, "A", "{ 2 = 1 }")):
        assert check(goes_on(award("free", "", "W", "{ 1 = 2 }"), more))


def test_what_is_refused() -> None:
    sticky = WALK.replace("AGAIN", award("hold", "", "C", "{ 1 = 1 }", "Coins"))
    build = game(TRIGGERS=award("walk", TIMES), STATES=sticky + HOLD, OTHER='["A W", "B C"]')
    with pytest.raises(AnalysisError, match="'walk' a multiplier: several of them may start features that remember"):
        full_cycle(build)
    again = WALK.replace("AGAIN", PLAYS)
    build = game(TRIGGERS=award("walk"), STATES=wheel(SPINS) + again)
    with pytest.raises(AnalysisError, match="'Play' of state 'walk', which remembers, awards other features"):
        full_cycle(build)
    least = STICKY.replace("[states.walk]", "[states.walk]\nwin_min = 3").replace("{ kind", "# { kind")
    least = least.split("transforms")[0]
    with pytest.raises(AnalysisError, match="which does not apply to the least win"):
        full_cycle(game(TRIGGERS=award("walk", TIMES), STATES=least))
    levels = GOES_ON[GOES_ON.index("[states.level]") :].replace("LATER", "")
    build = game(TRIGGERS=award("level"), STATES=levels.replace("HIGH", award("level", "", "A")))
    with pytest.raises(AnalysisError, match="'level', which remembers, are awarded by state 'high' too, whose"):
        full_cycle(build)
    stick = 'transforms = [{ kind = "stick", symbols = ["W"] }]'
    sticky = (
        levels.replace("HIGH", "").replace("multiplier = 2", stick).replace("triggers = [{", f"{stick}\ntriggers = [{{")
    )
    with pytest.raises(AnalysisError, match="carries cells into a feature that goes on as another state"):
        full_cycle(game(TRIGGERS=award("level", 'carry = ["W"]'), STATES=sticky))
    build = game(TRIGGERS=PLAYS, STATES=wheel(SPINS, 'of = "win"') + STICKY.split("transforms")[0])
    with pytest.raises(AnalysisError, match="multiplies the win of a spin and awards spins with multipliers"):
        full_cycle(build)


def test_what_would_be_wrong_is_refused() -> None:
    """Found by comparing exact figures with simulations of random models."""
    build = game(TRIGGERS=CARRIES + PLAYS, STATES=wheel("{ weight = 1, pay = 3 }", 'of = "win"') + STICKY)
    with pytest.raises(AnalysisError, match="plays a bonus that multiplies the win"):
        full_cycle(build)
    levels = GOES_ON[GOES_ON.index("[states.level]") :].replace("LATER", "").replace("HIGH", "")
    least = levels.replace("[states.high]", "[states.high]\nwin_min = 3")
    with pytest.raises(AnalysisError, match="'high' pays a least win for features that go on as it"):
        full_cycle(game(TRIGGERS=award("level"), STATES=least))
    build = game(TRIGGERS=award("level") + award("high", name="High"), STATES=levels)
    with pytest.raises(AnalysisError, match="go on as state 'high', whose spins are awarded as well"):
        full_cycle(build)


# --- Modes -------------------------------------------------------------------------------------------------

BUY = """
[modes.buy]
cost = 7
start = "START"
spins = 2
"""


def check_mode(build: Build) -> bool:
    """A round of a mode that begins with a feature, against every path of the reference."""
    paths = list(islice(enumerate_round(build), PATHS_MAX + 1))
    if len(paths) > PATHS_MAX:
        return False
    own = build.play.spins
    wins: dict[int, Fraction] = {}
    for p, outcome in paths:
        wins[outcome.win_units] = wins.get(outcome.win_units, Fraction(0)) + p
    cycle = full_cycle(build)
    cost = build.play.cost_units
    mean = sum((p * x for x, p in wins.items()), Fraction(0))
    assert cycle.rtp * cost == mean
    assert cycle.variance * cost**2 == sum((p * x**2 for x, p in wins.items()), Fraction(0)) - mean**2
    assert cycle.hit_frequency == 1 - wins.get(0, Fraction(0))
    assert sum(cycle.rtp_parts.values()) == cycle.rtp
    assert cycle.max_win_units == max(wins)
    assert cycle.feature_probability == sum((p for p, outcome in paths if len(outcome.spins) > own), Fraction(0))
    assert cycle.free_spins_per_round == sum((p * max(0, len(o.spins) - own) for p, o in paths), Fraction(0))
    law = win_law(cycle)
    for x, p in wins.items():
        assert law.probabilities[x // law.step] == pytest.approx(float(p), abs=1e-11)
    analysis = analyse(build)
    assert analysis.rtp == cycle.rtp
    assert analysis.feature_probability == cycle.feature_probability
    return True


@pytest.mark.parametrize(
    "again", ["", '{ name = "On", kind = "free_spins", symbol = "S", spins = { 1 = 1 }, state = "walk" }']
)
@pytest.mark.parametrize("cap", ["2", "9"])
def test_modes_that_begin_with_walking_wilds(again: str, cap: str) -> None:
    """Spins that the mode begins with are beside the cap of free spins."""
    build = game(
        TRIGGERS=CARRIES, STATES=WALK + BUY.replace("START", "walk"), AGAIN=again, CAP=cap, STEP="1",
        OTHER='["A W B", "B:3 A"]' if not again else '["A W S", "B"]' if cap == "2" else '["A W", "B"]',
    )  # fmt: skip
    assert check_mode(replace(build, mode="buy"))


def test_modes_that_begin_with_hold_and_spin_or_what_leads_to_it() -> None:
    again = 'triggers = [{ name = "On", kind = "free_spins", symbol = "C", spins = { 1 = 2 }, state = "hold", fresh = true, reset = true }]'
    free = '{ name = "Free", kind = "free_spins", symbol = "W", spins = { 1 = 2 }, state = "free" },'
    for start in ("hold", "free"):
        build = game(
            TRIGGERS=free,
            STATES=BUY.replace("START", start) + FREE + HOLD + again,
            VALUES=COINS,
            OTHER='["B C:2", "A"]',
        )
        assert check_mode(replace(build, mode="buy"))
