"""Nudges: where a reel moves to, what its steps multiply, and what the record tells of it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from tape import enumerate_feature_spin, enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.joint import joint_law
from rgs_core.language.model_file import load, loads
from rgs_core.outcome import Spin
from rgs_core.reference import Memory

KEY = bytes(range(32))

GAME = """format = 1
id = "nudged"
title = "Nudged"
version = "1"
symbols = ["W", "A", "B", "C", "S"]

[stake]
units = 1

[grid]
reels = 2
rows = 3

[evaluators.count]
kind = "count"
of = "line_bet"
pays.W = { 1 = 1, 2 = 2, 3 = 3, 4 = 4, 5 = 5, 6 = 6 }

[evaluators.stars]
kind = "scatter"
symbol = "S"
of = "line_bet"
pays = { 1 = 100 }
stopped = STOPPED

[states.base]
strips = "base"
evaluators = ["count", "stars"]
multiplier_exempt = ["stars"]
MORE

[[states.base.transforms]]
kind = "nudge"
symbol = "W"
FIELDS

[profiles.one.strips]
base = ["LEFT", "RIGHT"]
"""


def text(left: str, fields: str, right: str = "B", more: str = "", stopped: str = "false") -> str:
    filled = GAME.replace("FIELDS", fields).replace("MORE", more).replace("STOPPED", stopped)
    return filled.replace("LEFT", " ".join(left)).replace("RIGHT", " ".join(right))


def spins(source: str) -> dict[tuple[int, ...], Spin]:
    """Every spin by its stops, of a game that draws nothing else; the engine plays the same ones."""
    build = loads(source).build()
    found = {spin.stops: spin for _, spin in enumerate_spin(build, "base")}
    engine = Engine(build)
    for nonce in range(60):
        played = engine.spin(KEY, nonce)
        assert played == reference.play(build, KEY, nonce)
        assert played.spins[0] == found[played.spins[0].stops]
        assert engine.win(KEY, nonce) == played.win_units
    return found


def moves(source: str) -> str:
    """Where the left reel ends, by its stop from 0 on."""
    by_stop = sorted((stops[0], spin.nudged[0] if spin.nudged else stops[0]) for stops, spin in spins(source).items())
    return " ".join(str(end) for _, end in by_stop)


@pytest.mark.parametrize(
    ("strip", "fields", "expected"),
    [
        # stop            0 1 2 3 4 5 6 7: the stack W W W stands at 3, 4, 5
        ("AABWWWCC", "steps_max = 3", "0 3 3 3 3 3 6 7"),
        ("AABWWWCC", "steps_max = 1", "0 2 3 3 3 4 6 7"),
        ("AABWWWCC", "steps_max = 2, reels = [1]", "0 3 3 3 3 3 6 7"),
        ("AABWWWCC", "steps_max = 3, reels = [2]", "0 1 2 3 4 5 6 7"),
        # a stack of two is whole at two stops, 1 and 2: the nearest one counts
        ("AAWWBBBC", "steps_max = 3", "1 1 2 2 4 5 6 7"),
        # single symbols two stops apart: both are in view at stop 0 alone
        ("WAWBBBBB", "steps_max = 2", "0 0 0 3 4 5 0 0"),
        # from stop 2 a step down, to 1, and a step up, to 3, show two of them: down it goes
        ("AWBWBWBA", "steps_max = 2", "1 1 1 3 3 3 6 1"),
    ],
)
def test_where_a_reel_moves_to(strip: str, fields: str, expected: str) -> None:
    assert moves(text(strip, fields.replace(", ", "\n"))) == expected


def test_downwards_is_towards_the_stops_before() -> None:
    """A step either way shows two of them; symbols of the reel go down as its stop goes back."""
    found = spins(text("WBWBWB", "steps_max = 1"))
    assert found[1, 0].window[0] == ("W", "B", "W")
    assert found[1, 0].nudged == (0, 0)
    assert found[1, 0].stopped[0] == ("B", "W", "B")


def test_steps_multiply_all_that_is_not_exempt() -> None:
    found = spins(text("AABWWWCS", "steps_max = 3\nmultiplier = 2", "WWWB"))
    two = found[5, 1]  # left by 2 down, right by 1 down: 1 + 2 x 3
    assert (two.multiplier, two.nudged) == (7, (3, 0))
    assert [(win.symbol, win.count, win.multiplier, win.amount_units) for win in two.wins] == [("W", 6, 7, 42)]
    still = found[3, 0]
    assert (still.multiplier, still.nudged, still.stopped) == (1, (), ())
    with_star = spins(text("AABWWWCS", "steps_max = 1\nmultiplier = 2", "WWWB", stopped="true"))[5, 0]
    assert [(win.symbol, win.multiplier, win.amount_units) for win in with_star.wins] == [("W", 3, 15), ("S", 1, 100)]


def test_one_nudge_after_another_goes_on_from_there() -> None:
    second = '[[states.base.transforms]]\nkind = "nudge"\nsymbol = "S"\nsteps_max = 1\nmultiplier = 1\n'

    def played(left: str) -> dict[tuple[int, ...], Spin]:
        return spins(text(left, "steps_max = 1\nmultiplier = 1").replace("[profiles", second + "[profiles"))

    found = played("AABWCCSSS")
    assert found[1, 0].nudged == ()  # W in view, no more of it to come
    assert found[5, 0].nudged == (6, 0)
    assert played("AABWCSWSS")[4, 0].nudged == (5, 0)
    both = played("AWSWSSBAC")[2, 0]
    assert (both.nudged, both.multiplier, both.window[0]) == ((), 4, ("S", "W", "S")), "down by one, and back up"


def test_held_cells_lie_over_the_reel() -> None:
    stick = (
        'symbol = "W"\nsteps_max = 2\nmultiplier = 1\n\n[[states.base.transforms]]\nkind = "stick"\nsymbols = ["S"]\n'
    )
    build = loads(text("AWWWSC", "steps_max = 2").replace('symbol = "W"\nsteps_max = 2\n', stick)).build()
    memory = Memory(started=True, held={(0, 0): ("S", 0)})
    played = {spin.stops[0]: spin for _, (spin, _) in enumerate_feature_spin(build, "base", memory)}
    # the upper cell is held: the reel shows its lower two cells only
    assert played[2].window[0] == ("S", "W", "W")
    assert (played[2].nudged, played[2].multiplier) == ((1, 0), 2)
    assert played[3].nudged == (), "the only W of stop 3 is beneath the held cell"
    assert played[3].window[0] == ("S", "S", "C")
    assert played[0].nudged == ()
    assert played[0].window[0] == ("S", "W", "W")


def test_a_cascade_goes_on_above_the_stop_that_was_nudged_to() -> None:
    cascade = 'cascade = { refill = "strip", steps_max = 3 }'
    spin = spins(text("ABCWWWAA", "steps_max = 2", more=cascade))[5, 0]
    assert spin.window[0] == ("W", "W", "W")
    assert [step.window[0] for step in spin.steps] == [("A", "B", "C")]
    assert spin.nudged == (3, 0)


def test_the_exact_law_is_that_of_the_reference() -> None:
    """Stops with equal windows are told apart: what lies beyond them differs."""
    build = loads(text("WABWWBABWAB", "steps_max = 2\nmultiplier = 3", "WAW")).build()
    expected: Counter[int] = Counter()
    for p, spin in enumerate_spin(build, "base"):
        expected[spin.win_units] += p  # type: ignore[assignment]
    law = Engine(build).spin_law(0)
    found: Counter[int] = Counter()
    for units, weight in zip(law.units.tolist(), law.weights.tolist(), strict=True):
        found[units] += Fraction(weight, law.cycle)  # type: ignore[assignment]
    assert found == expected


def test_a_picture_tells_both_stops(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    build = loads(text("AABWWWCC", "steps_max = 3")).build()
    engine = Engine(build)
    nonce = next(n for n in range(100) if engine.spin(KEY, n).spins[0].nudged)
    draw_round(Console(width=100), build, engine.spin(KEY, nonce))
    spin = engine.spin(KEY, nonce).spins[0]
    assert f"stops {spin.stops[0]} 0, nudged to 3 0" in capsys.readouterr().out
    assert engine.spin(KEY, nonce).as_dict()["spins"][0]["nudged"] == [3, 0]


GOOD = text("AW", "steps_max = 3")
MISTAKES = [
    ("steps_max = 3", "steps_max = 4", "[0].steps_max", "4 is out of range", "1 to 3"),
    ("steps_max = 3", "steps_max = 3\nmultiplier = 1001", "[0].multiplier", "1001 is out of range", "0 to 1000"),
    ("steps_max = 3", "steps_max = 3\nreels = [3]", "[0].reels[0]", "3 is out of range", "1 to 2"),
    ("steps_max = 3", "", "[0]", "key 'steps_max' is missing", "add 'steps_max'"),
    ('symbol = "W"\nsteps', 'symbol = "Q"\nsteps', "[0].symbol", "unknown symbol 'Q'", "known"),
    ("[[states", '[[states.base.transforms]]\nkind = "expand"\nsymbol = "A"\n[[states', "[1]", "after a transform", "before all"),
    ('evaluators = ["count', 'draw = "cell"\nevaluators = ["count', "[0]", "are no reel that could move", 'draw = "reel"'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "message", "remedy"), MISTAKES, ids=lambda part: str(part)[:24])
def test_a_mistake_is_named(old: str, new: str, place: str, message: str, remedy: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(ModelError) as caught:
        loads(GOOD.replace(old, new))
    path = "states.base.transforms" + place
    found = [p for p in caught.value.problems if p.path == path and message in p.message]
    assert found, str(caught.value)
    assert remedy in found[0].remedy


def test_a_nudge_counts_in_the_bound_of_a_round() -> None:
    from rgs_core.language.model_file import most_units

    plain, nudged = loads(GOOD), loads(GOOD.replace("steps_max = 3", "steps_max = 3\nmultiplier = 5"))
    assert most_units(nudged) == (1 + 5 * 3 * 2) * most_units(plain)
    assert b"nudge" not in load("math_models/ember_sevens.toml").build().canonical


def test_steps_that_multiply_the_wins_through_the_symbol() -> None:
    """Each reel that moves gives its own steps to its cells with the symbol; wins without it are not multiplied."""
    lines = (
        'kind = "lines"\npaylines = ["00", "11", "22"]\ncell_values = "sum"\n'
        "pays = { W = { 1 = 1, 2 = 10 }, A = { 2 = 5 } }"
    )
    body = text("WWWABB", 'steps_max = 3\nmultiplier = 2\nmultiplies = "cells"', "WABCSB")
    head, rest = body.split("[evaluators.count]")
    body = f"{head}[evaluators.count]\n{lines}\n[evaluators.stars]{rest.split('[evaluators.stars]')[1]}"
    build = loads(body).build()
    seen = set()
    for p, outcome in enumerate_spin(build, "base"):
        del p
        values = outcome.values or (((0,) * 3,) * 2)
        for reel, (column, given) in enumerate(zip(outcome.window, values, strict=True)):
            length = 6
            moved = (outcome.nudged or outcome.stops)[reel] - outcome.stops[reel]
            steps = min(moved % length, -moved % length)
            assert given == tuple(1 + 2 * steps if steps and symbol == "W" else 0 for symbol in column)
        for win in outcome.wins:
            if win.evaluator != "count":
                continue
            row = (win.line or 1) - 1
            through = [values[reel][row] for reel in range(win.count) if values[reel][row]]
            assert win.amount_units == {("W", 1): 1, ("W", 2): 10, ("A", 2): 5}[win.symbol, win.count] * (
                sum(through) or 1
            )
            seen.add((win.symbol, win.count, len(through)))
        assert outcome.multiplier == 1
    assert {("W", 2, 0), ("W", 2, 1), ("W", 1, 1)} <= seen
    engine = Engine(build)
    for nonce in range(300):
        assert engine.spin(KEY, nonce) == reference.play(build, KEY, nonce)
    joint = joint_law(engine, 0)
    assert joint.mean_units == sum((p * spin.win_units for p, spin in enumerate_spin(build, "base")), Fraction(0))


def test_cells_that_no_step_multiplies() -> None:
    with pytest.raises(ModelError, match=r"cells that no step multiplies.*add multiplier"):
        loads(text("WAB", 'steps_max = 1\nmultiplies = "cells"'))
