"""Features that interrupt others: `at_once` on whatever awards spins."""

from __future__ import annotations

from io import StringIO

import pytest
from exact_rounds import check_figures, round_law
from rich.console import Console

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.model import BASE_MODE, Build
from rgs_core.language.model_file import loads
from rgs_core.outcome import Outcome

SURE = """
format = 1
id = "sure"
title = "Sure"
version = "1"
symbols = ["A", "B"]
[stake]
units = 1
[grid]
reels = 1
rows = 1
[caps]
CAPS
[evaluators.count]
kind = "count"
pays.A = { 1 = 1 }
[states.base]
strips = "base"
evaluators = ["count"]
triggers = [BASE]
STATES
[profiles.one.strips]
base = ["A"]
"""
"""Every spin shows A and wins a unit, so that rounds are certain."""


def award(name: str, state: str, spins: int, *, once: bool = True, **more: object) -> str:
    """A trigger that fires in every spin, or once in a feature."""
    words = {"once": once} if once else {}
    text = "".join(
        f", {key} = {str(value).lower() if isinstance(value, bool) else value}"
        for key, value in {**words, **more}.items()
    )
    return f'{{ name = "{name}", kind = "free_spins", spins = {spins}, state = "{state}", when = "win"{text} }}, '


def state(name: str, triggers: str = "", more: str = "") -> str:
    return f'[states.{name}]\nstrips = "base"\nevaluators = ["count"]\ntriggers = [{triggers}]\n{more}\n'


def sure(base: str, *states: str, caps: str = "free_spins = 100", mode: str = "") -> Build:
    text = SURE.replace("CAPS", caps).replace("BASE", base).replace("STATES", "\n".join(states))
    return loads(text + mode).build(mode=BASE_MODE if not mode else "more")


def round_of(build: Build) -> Outcome:
    """A round of the reference; the engine plays the same."""
    played = reference.play(build, bytes(32), 0)
    engine = Engine(build)
    assert engine.spin(bytes(32), 0) == played
    assert engine.win(bytes(32), 0) == played.win_units
    return played


def states_of(build: Build) -> str:
    return " ".join(spin.state for spin in round_of(build).spins)


FREE = award("Free", "free", 3, once=False)
HOLD = award("Hold", "hold", 2, at_once=True)


def test_the_awarded_feature_is_played_next() -> None:
    assert states_of(sure(FREE, state("free", HOLD), state("hold"))) == "base free hold hold free free"
    queued = award("Hold", "hold", 2)
    assert states_of(sure(FREE, state("free", queued), state("hold"))) == "base free free free hold hold"


def test_an_interrupting_feature_is_interrupted() -> None:
    more = award("More", "more", 1, at_once=True)
    states = [state("free", HOLD), state("hold", more), state("more")]
    assert states_of(sure(FREE, *states)) == "base free hold more hold free free"


def test_each_spin_may_start_a_feature() -> None:
    """A feature that is over starts anew, with a memory of its own: its trigger that fires once does so again."""
    more = award("More", "more", 1, at_once=True)
    every = award("Hold", "hold", 1, once=False, at_once=True)
    states = [state("free", every), state("hold", more), state("more")]
    assert states_of(sure(FREE, *states)) == "base free hold more free hold more free hold more"


def test_several_features_play_in_the_order_of_their_awards_before_what_waits() -> None:
    more = award("More", "more", 1, at_once=True)
    last = award("Last", "last", 1)
    states = [state("free", last + more + HOLD), state("hold"), state("more"), state("last")]
    assert states_of(sure(FREE, *states)) == "base free more hold hold free free last"


def test_at_once_in_the_paid_spin_comes_before_other_awards() -> None:
    hold = award("Hold", "hold", 2, once=False, at_once=True)
    assert states_of(sure(FREE + hold, state("free"), state("hold"))) == "base hold hold free free free"


def test_spins_of_the_mode_are_interrupted() -> None:
    hold = award("Hold", "hold", 1, once=False, at_once=True)
    mode = '[modes.more]\ncost = 2\nstart = "base"\nspins = 2\n'
    assert states_of(sure(hold, state("hold"), mode=mode)) == "base hold base hold"


def test_a_feature_that_waits_is_lengthened_and_comes_first() -> None:
    waits = award("Waits", "hold", 1, once=False)
    assert states_of(sure(FREE + waits, state("free", HOLD), state("hold"))) == "base free hold hold hold free free"


def test_an_award_of_the_own_state_lengthens_the_feature() -> None:
    own = award("Own", "free", 1, at_once=True)
    assert states_of(sure(FREE, state("free", own))) == "base free free free free"


def test_an_award_of_an_interrupted_feature_lengthens_it() -> None:
    """Whatever its multiplier, and also where it says at_once: it goes on when those that interrupt it are over."""
    for more in ({}, {"at_once": True}):
        again = award("Again", "free", 1, **more)
        free = award("Free", "free", 3, once=False, multiplier=5)
        played = round_of(sure(free, state("free", HOLD), state("hold", again)))
        assert " ".join(spin.state for spin in played.spins) == "base free hold hold free free free"
        assert [spin.win_units for spin in played.spins] == [1, 5, 1, 1, 5, 5, 5]


def test_an_award_with_another_multiplier_is_another_feature() -> None:
    again = award("Again", "free", 1, multiplier=2)
    played = round_of(sure(FREE, state("free", HOLD), state("hold", again), caps="free_spins = 6"))
    assert [spin.win_units for spin in played.spins] == [1, 1, 1, 1, 1, 1, 2]


def test_an_interrupted_feature_that_has_gone_on_is_lengthened_by_awards_of_its_first_state() -> None:
    become = award("Up", "free2", 1, become=True)
    again = award("Again", "free", 1)
    states = [state("free", become + HOLD), state("free2"), state("hold", again)]
    assert states_of(sure(FREE, *states)) == "base free hold hold free2 free2 free2 free2"


def test_memory_is_kept() -> None:
    """Running multipliers of both features: that of free spins goes on, that of the other begins anew each time."""
    running = 'transforms = [{ kind = "multiplier", table = { 1 = 1 }, combine = "sum", persist = true }]'
    every = award("Hold", "hold", 2, once=False, at_once=True)
    played = round_of(sure(FREE, state("free", every, running), state("hold", more=running)))
    assert [spin.win_units for spin in played.spins] == [1, 1, 1, 2, 2, 1, 2, 3, 1, 2]


def test_the_least_win_is_that_of_each_feature() -> None:
    """Three free spins win 3 units of 10, two others 2 of 5."""
    played = round_of(sure(FREE, state("free", HOLD, "win_min = 10"), state("hold", more="win_min = 5")))
    assert [spin.win_units for spin in played.spins] == [1, 1, 1, 4, 1, 8]


def test_the_cap_of_spins_counts_in_the_order_of_awards() -> None:
    build = sure(FREE, state("free", HOLD), state("hold"), caps="free_spins = 4")
    assert states_of(build) == "base free hold free free"


def test_the_maximum_win_ends_the_round_in_the_middle() -> None:
    played = round_of(sure(FREE, state("free", HOLD), state("hold"), caps="free_spins = 100\nwin = 3"))
    assert [spin.state for spin in played.spins] == ["base", "free", "hold"]
    assert played.win_units == 3
    assert played.capped


def test_books_tell_the_spins_left_of_each_feature() -> None:
    build = sure(FREE, state("free", HOLD), state("hold"))
    book = Narrator(build, padding=False).book(1, round_of(build))
    told = [event for event in book["events"] if event["type"] in ("updateFreeSpin", "freeSpinTrigger", "freeSpinEnd")]
    assert [
        (e["type"], e.get("state"), e.get("amount"), e.get("totalFs", e.get("total")), e.get("atOnce")) for e in told
    ] == [
        ("freeSpinTrigger", "free", None, 3, None),
        ("updateFreeSpin", "free", 0, 3, None),
        ("freeSpinTrigger", "hold", None, 2, True),
        ("updateFreeSpin", "hold", 0, 2, None),
        ("updateFreeSpin", "hold", 1, 2, None),
        ("freeSpinEnd", None, 200, None, None),
        ("updateFreeSpin", "free", 1, 3, None),
        ("updateFreeSpin", "free", 2, 3, None),
        ("freeSpinEnd", None, 300, None, None),
    ]


def test_rounds_are_drawn_with_what_they_interrupt() -> None:
    build = sure(FREE, state("free", HOLD), state("hold", award("More", "more", 1, at_once=True)), state("more"))
    console = Console(record=True, width=100, file=StringIO())
    draw_round(console, build, round_of(build))
    shown = " ".join(console.export_text().split())
    assert "Hold: 2 free spins, hold at once" in shown
    assert "state more inside hold inside free" in shown
    assert "state free)" in shown


CELLS = """
format = 1
id = "cells"
title = "Cells"
version = "1"
symbols = ["A", "C", "W"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[evaluators.coins]
kind = "collect"
symbol = "C"
at = "end"
[evaluators.count]
kind = "count"
pays.W = { 1 = 1, 2 = 5 }
[states.base]
strips = "base"
evaluators = ["count"]
triggers = [{ name = "Free", kind = "free_spins", symbol = "A", spins = { 2 = 2 }, state = "free" }]
[states.free]
strips = "free"
evaluators = ["count"]
transforms = [{ kind = "values", symbols = ["C"], table = { 7 = 1 } }, { kind = "stick", symbols = ["W"] }]
triggers = [{ name = "Hold", kind = "free_spins", symbol = "C", spins = { 1 = 1 }, state = "hold", carry = ["C"], at_once = true }]
[states.hold]
strips = "base"
evaluators = ["coins"]
transforms = [{ kind = "stick", symbols = ["C"] }]
[profiles.one.strips]
base = ["A", "A"]
free = ["W C", "C W"]
"""


def test_cells_are_handed_to_the_interrupting_feature_only() -> None:
    """The free spins hold their wilds and nothing else, the other feature the coins with their values."""
    build = loads(CELLS).build()
    engine = Engine(build)
    seen = set()
    for nonce in range(60):
        played = reference.play(build, bytes(32), nonce)
        assert engine.spin(bytes(32), nonce) == played
        spins = [(spin.state, spin.window, spin.win_units) for spin in played.spins[1:]]
        if spins[0][1] != (("W",), ("C",)):
            continue
        assert spins[0][2] == 1
        assert spins[1] == ("hold", (("A",), ("C",)), 7)
        assert spins[2][0] == "free"
        assert spins[2][1][0] == ("W",)  # still held
        seen.add(spins[2][1])
    assert seen == {(("W",), ("C",)), (("W",), ("W",))}


def test_bonuses_and_full_reels_award_at_once() -> None:
    wheel = """
[bonuses.wheel]
kind = "wheel"
segments = [{ weight = 1, spins = 1, state = "hold", at_once = true }]
[bonuses.doors]
kind = "choice"
matters = true
options = [{ name = "now", spins = 1, state = "hold", at_once = true }, { name = "later", spins = 1, state = "hold" }]
"""
    for bonus, rest in (("wheel", "doors"), ("doors", "wheel")):
        trigger = f'{{ name = "Bonus", kind = "bonus", plays = 1, bonus = "{bonus}", when = "win", once = true }}'
        other = f'{{ name = "Other", kind = "bonus", plays = 1, bonus = "{rest}", when = "win" }}'
        assert (
            states_of(sure(FREE, state("free", trigger), state("hold", other.replace("}", ", once = true }")), wheel))
            == "base free hold hold free free"
        )
    full = '{ name = "Full", kind = "full_reels", spins = { 1 = 1 }, state = "hold", at_once = true }'
    assert states_of(sure(FREE, state("free", full), state("hold"))) == "base free hold free hold free hold"


@pytest.mark.parametrize(
    ("triggers", "message"),
    [
        (award("Up", "hold", 1, become=True, at_once=True), "a feature that goes on as another state plays already"),
        (
            '{ name = "L", kind = "collected", symbol = "A", every = 1, multipliers = [2], at_once = true }',
            "no spins that could",
        ),
        (
            '{ name = "L", kind = "collected", symbol = "A", every = 1, states = ["hold"], at_once = true }',
            "lengthen the feature that plays, as it is: no at_once",
        ),
        ('{ name = "F", kind = "free_spins", symbol = "A", spins = 1, state = "hold", at_once = 1 }', "at_once"),
    ],
)
def test_files_are_told_what_is_wrong(triggers: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        sure(FREE, state("free", HOLD + triggers), state("hold"))


def test_features_that_go_on_do_not_start_others_of_their_states() -> None:
    """Else more of them could wait than the queue has places."""
    become = award("Up", "free2", 1, become=True)
    with pytest.raises(ModelError, match="features that go on as 'free2' start others of state 'free'"):
        sure(FREE, state("free", become + HOLD), state("free2", award("Back", "free", 1)), state("hold"))


# --- Exact figures ---------------------------------------------------------------------------------------

EXACT = """
format = 1
id = "exact"
title = "Exact"
version = "1"
symbols = ["A", "C", "S"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[caps]
free_spins = 1000
MAXIMUM
[evaluators.count]
kind = "count"
pays.A = { 1 = 1, 2 = 3 }
EVALUATORS
[states.base]
strips = "base"
evaluators = ["count"]
BASE
[states.free]
strips = "free"
evaluators = ["count"]
FREE
[states.hold]
strips = "hold"
HOLD
[profiles.one.strips]
base = ["A S", "A:2 S C"]
free = ["A C", "A C"]
hold = ["A C:2", "A C"]
MODE
"""
COINS = '[evaluators.coins]\nkind = "collect"\nsymbol = "C"\nat = "end"\n'
VALUES = 'transforms = [{ kind = "values", symbols = ["C"], table = { 2 = 1, 3 = 1 } }]\n'
STARTS = 'triggers = [{ name = "Free", kind = "free_spins", symbol = "S", spins = { 1 = 1, 2 = 2 }, state = "free" GIVES } ALSO]\n'
INTERRUPTS = (
    'triggers = [{ name = "Hold", kind = "free_spins", symbol = "C", spins = { 1 = 1, 2 = 2 }, state = "hold", '
    "at_once = INTERRUPTED CARRY } OWN]\n"
)
HOLDS = (
    'draw = "cell"\nevaluators = ["coins"]\n'
    'transforms = [{ kind = "values", symbols = ["C"], table = { 2 = 1, 3 = 1 } }, { kind = "stick", symbols = ["C"] }]\n'
    "triggers = [AGAIN]\n"
)
RUNS = (
    'evaluators = ["count"]\n'
    'transforms = [{ kind = "multiplier", table = { 1 = 1, 2 = 1 }, combine = "sum", persist = true }]\ntriggers = [AGAIN]\n'
)
SMALL = {'free = ["A C", "A C"]': 'free = ["A C", "A"]'}
STEPS = RUNS.replace("{ 1 = 1, 2 = 1 }", "{ 1 = 1 }")
REMEMBERS = RUNS.split("\n", 1)[1].replace("triggers = [AGAIN]\n", INTERRUPTS)
PLAIN = 'evaluators = ["count"]\ntriggers = [AGAIN]\n'
AGAIN_FREE = '{ name = "Back", kind = "free_spins", symbol = "C", spins = { 2 = 1 }, state = "free" }'
FROM_BASE = ', { name = "Now", kind = "free_spins", symbol = "C", spins = { 1 = 1 }, state = "hold", at_once = true }'


def exact(hold: str = HOLDS, **given: str) -> Build:
    defaults = {
        "EVALUATORS": COINS if "coins" in hold else "",
        "BASE": STARTS,
        "FREE": INTERRUPTS if "CARRY" not in given or "coins" not in hold else VALUES + INTERRUPTS,
        "HOLD": hold,
        **dict.fromkeys(["MAXIMUM", "GIVES", "ALSO", "CARRY", "OWN", "AGAIN", "MODE"], ""),
        "INTERRUPTED": "true",
    }
    text = EXACT
    for word, value in (defaults | given).items():
        text = text.replace(word, value)
    return loads(text).build(mode="more" if "MODE" in given else BASE_MODE)


@pytest.mark.parametrize(
    ("hold", "given"),
    [
        (PLAIN, {}),
        (PLAIN, {"MAXIMUM": "win = 9"}),
        (HOLDS, {}),
        (HOLDS, {"CARRY": ', carry = ["C"]'}),
        (HOLDS, {"CARRY": ", multiplier = 3", **SMALL}),
        (HOLDS, {"CARRY": ', multiplier = 3, carry = ["C"]', "A C:2": "A C"}),
        (HOLDS, {"GIVES": ", multiplier = 4"}),
        (HOLDS, {"ALSO": FROM_BASE}),
        (HOLDS, {"MAXIMUM": "win = 9"}),
        (RUNS, {}),
        (RUNS, {"FREE": REMEMBERS, **SMALL}),
        (HOLDS, {"FREE": REMEMBERS, "{ 1 = 1, 2 = 1 }": "{ 1 = 1 }", **SMALL}),
        (RUNS, {"ALSO": FROM_BASE, "GIVES": ", multiplier = 2", **SMALL}),
    ],
)
def test_exact_figures_of_a_paid_spin(hold: str, given: dict[str, str]) -> None:
    build = exact(hold, **given)
    law = round_law(build, 60_000)
    assert law is not None
    check_figures(build, *law)


@pytest.mark.parametrize(
    ("hold", "given"),
    [
        (RUNS, {"MODE": '[modes.more]\ncost = 2\nstart = "free"\nspins = 2'}),
        (
            STEPS,
            {"MODE": '[modes.more]\ncost = 3\nstart = "base"\nspins = 2', "ALSO": FROM_BASE, "A:2 S C": "A C", **SMALL},
        ),
        (
            PLAIN,
            {"MODE": '[modes.more]\ncost = 3\nstart = "base"\nspins = 2', "ALSO": FROM_BASE, "A:2 S C": "A C", **SMALL},
        ),
    ],
)
def test_exact_figures_of_modes(hold: str, given: dict[str, str]) -> None:
    """Several paid spins: each may be followed by features of its own."""
    build = exact(hold, **given)
    expected = round_law(build, 60_000)
    assert expected is not None
    wins = expected[0]
    cycle = full_cycle(build)
    mean = sum(p * x for x, p in wins.items())
    assert cycle.rtp * build.play.cost_units == mean
    assert cycle.variance * build.play.cost_units**2 == sum(p * x**2 for x, p in wins.items()) - mean**2
    assert cycle.hit_frequency == 1 - wins.get(0, 0)
    assert cycle.max_win_units == max(wins)
    law = win_law(cycle)
    for x, p in wins.items():
        assert law.probabilities[x // law.step] == pytest.approx(float(p), abs=1e-11)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            exact(RUNS, FREE=REMEMBERS, GIVES=", multiplier = 2"),
            "interrupt those of state 'free', which have multipliers",
        ),
        (exact(RUNS, FREE="win_min = 3\n" + REMEMBERS), "interrupt those of state 'free', which pay a least win"),
        (exact(RUNS, ALSO=FROM_BASE.replace(", at_once = true", "")), "say at_once wherever they are awarded"),
        (exact(RUNS, AGAIN=AGAIN_FREE, FREE=REMEMBERS), "which it leads to"),
        (exact(HOLDS, CARRY=', multiplier = 3, carry = ["C"]'), "reels of the feature draw differently"),
        (
            exact(PLAIN, AGAIN=AGAIN_FREE, GIVES=", multiplier = 2"),
            "may interrupt features of state 'free' with a multiplier",
        ),
    ],
)
def test_what_is_not_known_is_refused(build: Build, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        full_cycle(build)
    assert analyse(build).rtp is None


def test_retriggers_by_the_interrupting_feature_are_exact_where_nothing_is_remembered() -> None:
    """The order does not matter: figures are those of features that wait."""
    ones = [exact(PLAIN, AGAIN=AGAIN_FREE, INTERRUPTED=word) for word in ("true", "false")]
    cycles = [full_cycle(build) for build in ones]
    assert cycles[0].rtp == cycles[1].rtp
    assert cycles[0].variance == cycles[1].variance
    totals = Engine(ones[0]).simulate(bytes(32), 0, 200_000)
    assert totals["win"] / 200_000 == pytest.approx(float(cycles[0].rtp), abs=5 * cycles[0].sd / 200_000**0.5)


WITHIN = """
format = 1
id = "within"
title = "Within"
version = "1"
symbols = ["A", "C", "S"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[evaluators.count]
kind = "count"
pays.A = { 1 = 1, 2 = 3 }
[evaluators.coins]
kind = "collect"
symbol = "C"
at = "end"
[states.base]
strips = "base"
evaluators = ["count"]
transforms = [{ kind = "values", symbols = ["C"], table = { 2 = 1, 3 = 1 } }]
triggers = [{ name = "Hold", kind = "free_spins", symbol = "C", spins = { 1 = 2 }, state = "hold", carry = ["C"] }]
[states.free]
strips = "base"
evaluators = ["count"]
transforms = [{ kind = "multiplier", table = { 1 = 1, 2 = 1 }, combine = "sum", persist = true }]
[states.hold]
strips = "hold"
draw = "cell"
evaluators = ["coins"]
transforms = [{ kind = "values", symbols = ["C"], table = { 2 = 1, 3 = 1 } }, { kind = "stick", symbols = ["C"] }]
[[states.hold.triggers]]
name = "Again"
kind = "free_spins"
symbol = "C"
spins = { 1 = 1 }
fresh = true
reset = true
state = "hold"
[[states.hold.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 1 }
state = "free"
at_once = INTERRUPTED
[profiles.one.strips]
base = ["A S", "A C"]
hold = ["A C S", "A C S"]
"""


@pytest.mark.parametrize("at_once", ["true", "false"])
def test_free_games_within_hold_and_spin(at_once: str) -> None:
    """Behind it, or in the middle; hold and spin goes on with its cells."""
    build = loads(WITHIN.replace("INTERRUPTED", at_once)).build()
    engine = Engine(build)
    orders = set()
    for nonce in range(100):
        played = engine.spin(bytes(32), nonce)
        assert played == reference.play(build, bytes(32), nonce)
        orders.add(tuple(spin.state for spin in played.spins[1:]))
        assert {spin.inside for spin in played.spins if spin.state == "free"} <= {(), ("hold",)}
    assert (("hold", "free", "hold") in orders) == (at_once == "true")
    assert (("hold", "hold", "free") in orders) == (at_once == "false")
    law = round_law(build, 30_000)
    assert law is not None
    check_figures(build, *law)
