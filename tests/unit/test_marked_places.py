"""Places that symbols mark over a feature, and that turn into another one in its last spin."""

from __future__ import annotations

import pytest
from exact_rounds import check_figures, round_law
from rich.console import Console

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.language.model_file import loads
from rgs_core.outcome import Outcome

KEY = bytes(range(32))

GAME = """format = 1
id = "marks"
title = "Marks"
version = "1"
symbols = ["A", "F", "C", "S", "x"]

[stake]
units = 1

[grid]
reels = 1
rows = 2

[caps]
free_spins = 4

[evaluators.coins]
kind = "count"
pays = { C = { 1 = 10, 2 = 100 } }

[states.base]
strips = "base"
evaluators = ["coins"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 3 }
state = "free"

[states.free]
strips = "free"
evaluators = ["coins"]
triggers = [TRIGGERS]

[[states.free.transforms]]
kind = "mark"
symbols = ["F"]
into = "C"
MORE

[profiles.one.strips]
base = ["S x A"]
free = ["FREE"]
"""


def text(free: str, triggers: str = "", more: str = "") -> str:
    return GAME.replace("FREE", free).replace("TRIGGERS", triggers).replace("MORE", more)


def rounds(game: str, number: int = 200) -> list[Outcome]:
    """Rounds with a feature; engine and reference agree on all."""
    build = loads(game).build()
    played = [reference.play(build, KEY, nonce) for nonce in range(number)]
    assert [Engine(build).spin(KEY, nonce) for nonce in range(number)] == played
    return [outcome for outcome in played if len(outcome.spins) > 1]


def test_marked_places_turn_in_the_last_spin() -> None:
    """F at either place marks it; only the third spin turns all that are marked, by then and in it."""
    seen = set()
    for outcome in rounds(text("F x x x")):
        marked: set[tuple[int, int]] = set()
        for spin in outcome.spins[1:]:
            shown = spin.stopped[0] if spin.stopped else spin.window[0]
            marked |= {(0, row) for row, symbol in enumerate(shown) if symbol == "F"}
            assert spin.marked == tuple(sorted(marked))
            if spin is outcome.spins[-1]:
                assert {(0, row) for row, symbol in enumerate(spin.window[0]) if symbol == "C"} == marked
                assert spin.win_units == (0, 10, 100)[len(marked)]
                seen.add(len(marked))
            else:
                assert spin.win_units == 0
                assert spin.window[0] == shown
    assert seen == {0, 1, 2}


def test_a_last_spin_that_awards_others_is_followed_by_another_one() -> None:
    """Two spins by each S: the spins that have none left behind them turn the places."""
    again = '{ name = "Again", kind = "free_spins", symbol = "S", spins = { 1 = 1 }, state = "self" }'
    turned = {
        sum("C" in spin.window[0] for spin in outcome.spins if spin.marked) for outcome in rounds(text("F S x", again))
    }
    assert turned == {0, 1, 2} or turned == {1, 2}


def test_values_come_after() -> None:
    values = """
[[states.free.transforms]]
kind = "values"
symbols = ["C"]
table = { 7 = 1 }"""
    game = text("F F", more=values).replace('kind = "count"', 'kind = "count"\ncell_values = "sum"')
    assert {outcome.win_units for outcome in rounds(game)} == {1400}
    assert {outcome.spins[-1].values for outcome in rounds(game)} == {((7, 7),)}


@pytest.mark.parametrize(
    "triggers",
    [
        "",
        '{ name = "Again", kind = "free_spins", symbol = "S", spins = { 1 = 1 }, state = "self" }',
        '{ name = "Again", kind = "free_spins", symbol = "S", spins = { 1 = 2 }, state = "self", reset = true }',
    ],
)
def test_exact_figures_are_those_of_every_path(triggers: str) -> None:
    build = loads(text("F S x", triggers)).build()
    law = round_law(build, 20_000)
    assert law is not None
    cycle = check_figures(build, *law)
    assert cycle.rtp > 0
    assert analyse(build).cycle is not None


def test_marks_go_on_to_a_state_that_marks_too() -> None:
    further = '{ name = "Up", kind = "free_spins", symbol = "x", spins = { 1 = 1 }, state = "more", become = true }'
    more = """
[states.more]
like = "free"
triggers = []"""
    for keeps, transforms in ((True, ""), (False, "transforms = []\n")):
        game = text("F x", further).replace("[profiles", f"{more}\n{transforms}\n[profiles")
        build = loads(game).build()
        law = round_law(build, 20_000)
        assert law is not None
        check_figures(build, *law)
        last = {outcome.spins[-1].marked for outcome in rounds(game)}
        assert (last == {()}) is not keeps


def test_drawings_and_books_tell_them() -> None:
    game = text("F F")
    build = loads(game).build()
    outcome = rounds(game)[0]
    assert "marked" not in outcome.as_dict()["spins"][0]
    assert outcome.as_dict()["spins"][1]["marked"] == [[0, 0], [0, 1]]
    console = Console(record=True, width=100)
    draw_round(console, build, outcome)
    assert console.export_text().count("marked: reel 1, row 0; reel 1, row 1") == 1
    events = Narrator(build, padding=False).book(1, outcome)["events"]
    (told,) = [event for event in events if event["type"] == "markPlaces"]
    assert told["positions"] == [{"reel": 0, "row": 0}, {"reel": 0, "row": 1}]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('into = "C"', "", "key 'into' is missing"),
        ('into = "C"', 'into = "Q"', "unknown symbol 'Q'"),
        ('symbols = ["F"]', "symbols = []", "0 entries"),
        (
            'into = "C"',
            'into = "C"\n[[states.free.transforms]]\nkind = "mark"\nsymbols = ["A"]\ninto = "C"',
            "marks of a second kind",
        ),
        ("[[states.free.transforms]]", "[[states.base.transforms]]", "every paid spin is the last one of its own"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        loads(text("F x").replace(old, new, 1))
    assert len(refused.value.problems) == 1
