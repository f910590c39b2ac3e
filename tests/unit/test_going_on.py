"""Features that go on as another state: levels, awards with `become`, rows that unlock, levels that wait for a batch."""

from __future__ import annotations

from itertools import pairwise

import pytest
from exact_rounds import check_figures, round_law

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

GAME = """
format = 1
id = "levels"
title = "Levels"
version = "1"
symbols = ["A", "B", "K", "S"]
[stake]
units = 1
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
[states.base]
strips = "base"
evaluators = ["lines"]
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = AWARD }
state = "free"
MULTIPLIER
[states.free]
strips = "free"
evaluators = ["lines"]
EXTRA
[[states.free.triggers]]
name = "Keys"
kind = "collected"
symbol = "K"
LEVELS
MORE
[states.free2]
like = "free"
multiplier = 2
[states.free3]
like = "free"
strips = "base"
multiplier = 3
[profiles.one.strips]
base = ["A S", "A B"]
free = ["A K", "A B K"]
"""
LEVELS = 'every = 1\nstates = ["free2", "free3"]\nspins = [1, 0]\n'
STICKY = '[[states.free.transforms]]\nkind = "stick"\nsymbols = ["B"]\n'
RUNNING = '[[states.free.transforms]]\nkind = "multiplier"\ntable = { 1 = 1, 2 = 1 }\npersist = true\ncombine = "sum"\n'
AGAIN = (
    '[[states.free.triggers]]\nname = "Again"\nkind = "free_spins"\nsymbol = "B"\nspins = { 1 = 1 }\nstate = "self"\n'
)


def game(levels: str = LEVELS, **given: str) -> Build:
    text = GAME
    for word, value in {"CAP": "20", "AWARD": "2", "MULTIPLIER": "", "EXTRA": "", "MORE": ""}.items():
        text = text.replace(word, given.get(word, value))
    return loads(text.replace("LEVELS", levels)).build()


def states_of(build: Build, rounds: int = 200) -> set[tuple[str, ...]]:
    """States of the further spins of some rounds; engine and reference play the same."""
    engine, runs = Engine(build), set()
    for nonce in range(rounds):
        played = engine.spin(bytes(32), nonce)
        assert played == reference.play(build, bytes(32), nonce)
        runs.add(tuple(spin.state for spin in played.spins[1:]))
    return runs


def test_levels_change_the_rules() -> None:
    """One key: level 1 and a spin more; two keys: level 2. The feature goes on with the spins that are left."""
    runs = states_of(game())
    assert runs == {
        (),
        ("free", "free"),
        ("free", "free2", "free2"),
        ("free", "free2", "free3"),
        ("free", "free3", "free3"),
        ("free", "free", "free2"),
        ("free", "free", "free3"),
    }


def test_a_feature_without_spins_left_ends_as_it_is() -> None:
    levels = LEVELS.replace("spins = [1, 0]\n", "")
    assert states_of(game(levels)) == {(), ("free", "free"), ("free", "free2"), ("free", "free3")}


def test_become_by_a_trigger() -> None:
    """B makes a super feature of it, also without any spins more; its own retriggers are of the state that plays."""
    more = AGAIN.replace('"self"', '"free3"').replace("{ 1 = 1 }", "{ 1 = 0, 2 = 1 }") + "become = true\n"
    levels = "every = 9\nmultipliers = [1]\n"
    text = GAME.replace("MORE", more).replace("LEVELS", levels)
    text = text.replace('[states.free2]\nlike = "free"\nmultiplier = 2\n', "").replace("EXTRA", "").replace("CAP", "9")
    build = loads(text.replace("AWARD", "2").replace("MULTIPLIER", "")).build()
    assert states_of(build) == {(), ("free", "free"), ("free", "free3")}


HOLD = """
format = 1
id = "rows"
title = "Rows"
version = "1"
symbols = ["A", "C", "S"]
[stake]
units = 1
[grid]
reels = 1
rows = 1
[caps]
free_spins = 12
[evaluators.coins]
kind = "count"
pays.C = { 1 = 1, 2 = 10 }
[states.base]
strips = "base"
evaluators = ["coins"]
[[states.base.triggers]]
name = "Hold"
kind = "free_spins"
symbol = "S"
spins = { 1 = 3 }
state = "one"
[states.one]
strips = "hold"
evaluators = ["coins"]
draw = "cell"
rows = 1
transforms = [{ kind = "stick", symbols = ["C"] }]
[[states.one.triggers]]
name = "Unlock"
kind = "collected"
symbol = "C"
every = 1
states = ["two"]
[states.two]
like = "one"
rows = [{ 2 = 1 }]
NEW
[profiles.one.strips]
base = ["A S"]
hold = ["A C A"]
"""


@pytest.mark.parametrize(("new", "row"), [("", 1), ('new_rows = "bottom"', 0)])
def test_rows_that_unlock(new: str, row: int) -> None:
    """A held coin stays in its place from below when a row comes in at the top, and from above when it comes below."""
    build = loads(HOLD.replace("NEW", new)).build()
    assert states_of(build) >= {("one", "two", "two"), ("one", "one", "one")}
    seen = set()
    for nonce in range(200):
        spins = reference.play(build, bytes(32), nonce).spins
        for before, spin in pairwise(spins):
            if (before.state, spin.state) == ("one", "two"):
                assert spin.window[0][row] == "C"
                assert spin.stops[row] == -1
                seen.add(spin.window)
    assert len(seen) > 1
    expected = round_law(build, 20_000)
    assert expected is not None
    check_figures(build, *expected)


def test_become_by_a_bonus() -> None:
    """A wheel in the feature: one segment makes it the last state, with no spins more. There is no exact law of that."""
    wheel = '[bonuses.wheel]\nkind = "wheel"\nsegments = [\n  { weight = 1, state = "free3", become = true },\n'
    wheel += "  { weight = 1, pay = 4 },\n]\n[states.base]"
    more = '[[states.free.triggers]]\nname = "Spin"\nkind = "bonus"\nsymbol = "B"\nplays = { 1 = 1 }\nbonus = "wheel"\n'
    text = GAME.replace("[states.base]", wheel).replace("LEVELS", "every = 9\nmultipliers = [1]\n")
    text = text.replace("MORE", more).replace("EXTRA", "").replace("MULTIPLIER", "").replace("CAP", "9")
    text = text.replace('[states.free2]\nlike = "free"\nmultiplier = 2\n', "").replace("AWARD", "2")
    build = loads(text).build()
    assert states_of(build) == {(), ("free", "free"), ("free", "free3")}
    with pytest.raises(AnalysisError, match="goes on as another state by a bonus"):
        full_cycle(build)


def test_books_follow() -> None:
    """Books say that the feature goes on, and tell its spins as before."""
    build = game(MORE=AGAIN, EXTRA=STICKY)
    narrator, goes_on = Narrator(build, padding=False), 0
    for nonce in range(100):
        book = narrator.book(nonce, reference.play(build, bytes(32), nonce))
        goes_on += sum(event["type"] == "featureGoesOn" for event in book["events"])
    assert goes_on > 20


def test_levels_that_wait_for_the_batch() -> None:
    """Two keys in the first of three spins: two spins of 5 at 1, then the one that was awarded at 10."""
    levels = 'every = 2\nspins = [1]\nmultipliers = [10]\nstate = "self"\nmultipliers_from = "batch"\n'
    text = GAME.replace("LEVELS", levels).replace("MORE", "").replace("EXTRA", "").replace("MULTIPLIER", "")
    text = text.replace("CAP", "9").replace("AWARD", "3").replace('free = ["A K", "A B K"]', 'free = ["B K", "B K"]')
    start, end = text.index("[states.free2]"), text.index("[profiles")
    build = loads(text[:start] + text[end:]).build()
    assert states_of(build)
    wins = set()
    for nonce in range(300):
        spins = reference.play(build, bytes(32), nonce).spins[1:]
        if spins and spins[0].window == (("K",), ("K",)):
            wins.add(tuple(spin.win_units for spin in spins))
    assert {run[1:3] for run in wins} <= {(a, b) for a in (0, 1, 5) for b in (0, 1, 5)}
    assert {run[3] for run in wins} == {0, 10, 50}
    assert full_cycle(build).features is not None


BATCH = 'multipliers_from = "batch"\n'


@pytest.mark.parametrize("award", ["2", "3"])
@pytest.mark.parametrize(
    ("levels", "given"),
    [
        ('every = 1\nspins = [1, 0]\nmultipliers = [2, 3]\nstate = "self"\n', {}),
        ('every = 2\nspins = [1]\nmultipliers = [10]\nstate = "self"\n', {"EXTRA": RUNNING, "AWARD": "2"}),
        ('every = 1\nmultipliers = [2, 5, 7]\n', {"MORE": AGAIN, "CAP": "4"}),
        ('every = 1\nstates = ["free2", "free3"]\nspins = [1, 0]\nmultipliers = [3, 4]\n', {}),
    ],
)  # fmt: skip
def test_exact_rounds_with_levels_that_wait(levels: str, given: dict[str, str], award: str) -> None:
    """Also where the cap of spins is reached, levels are handed on to other states, and multipliers persist beside them."""
    text = GAME
    if "states" not in levels:
        start, end = text.index("[states.free2]"), text.index("[profiles")
        text = text[:start] + text[end:]
    words = {"CAP": "20", "AWARD": award, "MULTIPLIER": "", "EXTRA": "", "MORE": "", "LEVELS": levels + BATCH} | given
    for word, value in words.items():
        text = text.replace(word, value)
    build = loads(text).build()
    expected = round_law(build, 60_000)
    assert expected is not None
    cycle = check_figures(build, *expected)
    visited = full_cycle(build, merge=False)
    assert (visited.rtp, visited.variance) == (cycle.rtp, cycle.variance)


def test_levels_that_wait_beside_held_cells_have_no_exact_law() -> None:
    levels = 'every = 1\nstates = ["free2", "free3"]\nspins = [1, 0]\nmultipliers = [3, 4]\n' + BATCH
    with pytest.raises(AnalysisError, match="keeps cells"):
        full_cycle(game(levels, EXTRA=STICKY))


@pytest.mark.parametrize(
    ("given", "method"),
    [
        ({}, "one law for all of them in each state by merging"),
        ({"EXTRA": RUNNING, "AWARD": "1"}, "one law for all of them in each state by merging"),
        ({"EXTRA": STICKY, "AWARD": "1"}, "each by every combination"),
        ({"MULTIPLIER": "multiplier = { 2 = 1, 3 = 1 }\n"}, "one law for all of them in each state by merging"),
        ({"MORE": AGAIN, "CAP": "3"}, "one law for all of them in each state by merging"),
        ({"MORE": AGAIN, "CAP": "3", "EXTRA": STICKY}, "each by every combination"),
    ],
)
def test_exact_rounds(given: dict[str, str], method: str) -> None:
    """Moments and the whole law of wins, along every path of the reference, merged and visited."""
    build = game(**given)
    expected = round_law(build, 20_000)
    assert expected is not None
    cycle = check_figures(build, *expected)
    assert cycle.features is not None
    assert method in cycle.features.methods["free"]
    visited = full_cycle(build, merge=False)
    assert (visited.rtp, visited.variance) == (cycle.rtp, cycle.variance)


def test_exact_equals_simulated() -> None:
    build = game(AWARD="8", EXTRA=RUNNING)
    cycle = full_cycle(build)
    law = win_law(cycle)
    assert law.rtp == pytest.approx(float(cycle.rtp), abs=1e-9)
    assert law.sd == pytest.approx(cycle.sd, abs=1e-8)
    rounds = 300_000
    totals = Engine(build).simulate(bytes(32), 0, rounds)
    assert totals["win"] / rounds == pytest.approx(float(cycle.rtp), abs=4.5 * cycle.sd / rounds**0.5)
    assert totals["hits"] / rounds == pytest.approx(float(cycle.hit_frequency), abs=0.005)


@pytest.mark.parametrize(
    ("levels", "path", "message"),
    [
        ('every = 1\nstates = ["free9"]\n', "states.free.triggers[0].states[0]", "unknown state 'free9'"),
        ('every = 1\nstates = ["base"]\n', "states.free.triggers[0].states[0]", "'base' is the paid spin"),
        ('every = 1\nstates = ["free2"]\nspins = [1, 2]\n', "states.free.triggers[0].states", "1 states for 2 levels"),
        ('every = 1\nstates = ["free2"]\nstate = "free3"\n', "states.free.triggers[0].state", "no state"),
        ("every = 1\n", "states.free.triggers[0]", "a level that does nothing"),
        ("every = 1\nspins = [2]\n", "states.free.triggers[0]", "spins of no state"),
    ],
)
def test_errors(levels: str, path: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        game(levels)
    assert any(p.path == path and message in p.message for p in caught.value.problems), str(caught.value)


def test_the_paid_spin_is_no_feature() -> None:
    with pytest.raises(ModelError, match="the paid spin is no feature that could go on"):
        game(MULTIPLIER="become = true\n")


def test_a_feature_that_goes_on_keeps_its_multiplier() -> None:
    with pytest.raises(ModelError, match="goes on as another state keeps its multiplier"):
        game(MORE=AGAIN + "become = true\nmultiplier = 2\n")
    runs = game(MULTIPLIER="multiplier = 5\n")
    for nonce in range(100):
        spins = reference.play(runs, bytes(32), nonce).spins[1:]
        assert {spin.feature_multiplier for spin in spins} <= {5}
