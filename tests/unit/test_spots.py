"""Spots: how places are marked and grow, what they multiply, what the record, the drawing and a book tell of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from rich.console import Console
from tape import enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.language.model_file import loads
from rgs_core.outcome import Spin

KEY = bytes(range(32))

GAME = """format = 1
id = "spots"
title = "Spots"
version = "1"
symbols = ["A", "B", "S", "x"]

[stake]
units = 1

[grid]
reels = 1
rows = 2

[caps]
free_spins = 4

[evaluators.pair]
kind = "count"
pays.A = { 2 = 10 }
pays.B = { 2 = 100 }

[states.base]
strips = "base"
evaluators = ["pair"]
MORE

[states.base.cascade]
refill = "strip"
EXEMPT

[states.base.spots]
FIELDS

[profiles.one.strips]
base = ["STRIP"]
"""


def text(strip: str, fields: str = "", more: str = "", cascade: str = "") -> str:
    game = GAME.replace("STRIP", strip).replace("FIELDS", fields)
    return game.replace("MORE", more).replace("EXEMPT", cascade)


def stopped_at(game: str, stop: int) -> Spin:
    """The spin whose reel stops there, of a build with one reel; engine and reference agree on it."""
    build = loads(game).build()
    spins = {spin.stops[0]: spin for _, spin in enumerate_spin(build, "base")}
    engine = Engine(build)
    for nonce in range(200):
        played = engine.spin(KEY, nonce)
        assert played == reference.play(build, KEY, nonce)
        if played.spins[0].stops[0] == stop:
            assert played.spins[0] == spins[stop]
            return spins[stop]
    raise AssertionError("no such stop")


def amounts(spin: Spin) -> list[int]:
    return [sum(win.amount_units for win in wins) for wins in (spin.wins, *(step.wins for step in spin.steps))]


PAIRS = "x B B A A B B A A"
"""From stop 7 on four pairs fall one after the other: A A, B B, A A, B B, and then x."""


def test_a_place_is_marked_then_multiplies_then_grows() -> None:
    """Nothing, a mark, x2, x4: each pair lies on both places, whose multipliers add up."""
    spin = stopped_at(text(PAIRS), 7)
    assert amounts(spin) == [10, 100, 10 * (2 + 2), 100 * (4 + 4), 0]
    assert spin.spots == ()
    assert [step.spots for step in spin.steps] == [((1, 1),), ((2, 2),), ((4, 4),), ((8, 8),)]
    assert [win.wild_multiplier for step in spin.steps for win in step.wins] == [1, 4, 8]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("combine = 'product'", [10, 100, 10 * 2 * 2, 100 * 4 * 4, 0]),
        ("grow = 'add'", [10, 100, 10 * (2 + 2), 100 * (3 + 3), 0]),
        ("grow = 'add'\nstep = 5\nfirst = 3", [10, 100, 10 * (3 + 3), 100 * (8 + 8), 0]),
        ("max = 3", [10, 100, 10 * (2 + 2), 100 * (3 + 3), 0]),
        ("first = 10\nmax = 10", [10, 100, 10 * (10 + 10), 100 * (10 + 10), 0]),
    ],
)
def test_how_they_grow(fields: str, expected: list[int]) -> None:
    assert amounts(stopped_at(text(PAIRS, fields), 7)) == expected


def test_one_cell_alone_marks_one_place() -> None:
    """B A stays while S goes: only where S lay is a mark, and then a multiplier beside a bare place."""
    game = text("x x x x A A S S S", more='multiplier_exempt = ["stars"]').replace("rows = 2", "rows = 3")
    game = game.replace('evaluators = ["pair"]', 'evaluators = ["pair", "stars"]')
    game += '[evaluators.stars]\nkind = "scatter"\nsymbol = "S"\npays = { 1 = 1 }\nof = "total_bet"\n'
    spin = stopped_at(game.replace("pays.A = { 2 = 10 }", "pays.A = { 2 = 10, 3 = 10 }"), 6)
    # S S S; x A A on three marks; x x x
    assert amounts(spin) == [1, 10, 0]
    assert [step.spots for step in spin.steps] == [((1, 1, 1),), ((1, 2, 2),)]


def test_exempt_wins_are_not_multiplied() -> None:
    spin = stopped_at(text(PAIRS, more='multiplier_exempt = ["pair.B"]'), 7)
    assert amounts(spin) == [10, 100, 40, 100, 0]


def test_symbols_that_are_kept_mark_nothing() -> None:
    """A pair that stays ends the cascade."""
    spin = stopped_at(text(PAIRS, cascade='keep = ["B"]'), 7)
    assert amounts(spin) == [10, 100]
    assert spin.steps[-1].spots == ((1, 1),)


FREE = """
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 3 }
state = "free"
[states.free]
strips = "base"
evaluators = ["pair"]
cascade = { refill = "strip", steps_max = 3 }
spots = { persist = PERSIST, max = 4 }
"""


@pytest.mark.parametrize("persist", ["true", "false"])
def test_exact_figures_are_those_of_every_path(persist: str) -> None:
    """Over a feature they are the memory of a chain; of one spin they are part of its law."""
    game = text("B B A A S S x", more=FREE.replace("PERSIST", persist))
    build = loads(game).build()
    law = round_law(build, 10_000)
    assert law is not None
    cycle = check_figures(build, *law)
    assert cycle.rtp > 0
    analysis = analyse(build)
    assert analysis.cycle is not None
    assert analysis.cycle.rtp == cycle.rtp


def test_a_spin_that_others_follow_forgets_what_does_not_persist() -> None:
    build = loads(text("B B A A S S x", more=FREE.replace("PERSIST", "true"))).build()
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(300)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(300)]
    assert {spin.spots for played in rounds for spin in played.spins[2:]} > {(), ((1, 1),)}
    assert {spin.spots for played in rounds for spin in played.spins[:2]} == {()}


def test_records_drawings_and_books_show_them() -> None:
    build = loads(text(PAIRS)).build()
    nonce = next(n for n in range(200) if len(Engine(build).spin(KEY, n).spins[0].steps) == 4)
    played = Engine(build).spin(KEY, nonce)
    assert played.as_dict()["spins"][0]["steps"][1]["spots"] == [[2, 2]]
    console = Console(record=True, width=100, file=None)
    draw_round(console, build, played)
    drawn = console.export_text()
    assert "*A x2*" in drawn
    assert "*B x1*" in drawn
    told = Narrator(build).book(1, played)["events"]
    grids = [event["gridMultipliers"] for event in told if event["type"] == "updateGrid"]
    assert grids == [[[1, 1]], [[2, 2]], [[4, 4]], [[8, 8]]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("first = 1", r"states.base.spots.first \(line \d+\): 1 is out of range"),
        ("max = 70000", r"states.base.spots.max \(line \d+\): 70000 is out of range"),
        ("first = 9\nmax = 8", r"states.base.spots.max \(line \d+\): 8 is below the first multiplier, 9"),
        ("step = 2", r"states.base.spots.step \(line \d+\): a multiplier that doubles has no step"),
        ("grows = 'add'", r"states.base.spots.grows \(line \d+\): unknown key"),
    ],
)
def test_what_is_refused(fields: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text(PAIRS, fields))


def test_a_cascade_is_needed() -> None:
    game = text(PAIRS).replace('[states.base.cascade]\nrefill = "strip"\n', "")
    with pytest.raises(ModelError, match="no cell is removed in a state without a cascade"):
        loads(game)


def test_they_count_in_what_a_round_can_win() -> None:
    """Product of 12 places of x65536 is above 2^62; their sum is not."""
    game = text(PAIRS, "max = 65536\ncombine = 'product'").replace("rows = 2", "rows = 12")
    with pytest.raises(ModelError, match="2\\^62"):
        loads(game)
    model = loads(game.replace("'product'", "'sum'"))
    assert model.states["base"].spots is not None
    assert Fraction(model.states["base"].spots.multiplier_max) == 65536
