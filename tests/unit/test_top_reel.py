"""The top reel: what it shows, how it moves in a cascade, its exact law, and what it goes with."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from tape import enumerate_spin

from rgs_core import Engine, ModelError
from rgs_core.books.events import Narrator
from rgs_core.exact.analysis import analyse
from rgs_core.exact.joint import joint_law
from rgs_core.language.model_file import loads
from rgs_core.outcome import Outcome

KEY = bytes(range(32))

GAME = """format = 1
id = "topped"
title = "Topped"
version = "1"
symbols = ["A", "B", "C", "S"]

[stake]
units = 1

[grid]
reels = 4
rows = ROWS
top = { reels = [2, 3, 4] }

[evaluators.ways]
kind = "ways"
pays = { A = { 2 = 1, 3 = 2, 4 = 5 }, B = { 3 = 1, 4 = 3 } }

[evaluators.stars]
kind = "scatter"
symbol = "S"
of = "total_bet"
pays = { 1 = 1, 2 = 3 }

[states.base]
strips = "base"
evaluators = ["ways", "stars"]
MORE

[profiles.one.strips]
base = STRIPS
"""


def text(rows: str, strips: list[str], more: str = "") -> str:
    return GAME.replace("ROWS", rows).replace("STRIPS", repr(strips)).replace("MORE", more)


def test_the_top_reel_shows_one_symbol_above_each_of_its_reels() -> None:
    build = loads(text("1", ["A", "B", "B", "C", "A S B C B"])).build()
    windows = {spin.stops[-1]: spin.window for _, spin in enumerate_spin(build, "base")}
    assert windows == {
        0: (("A",), ("A", "B"), ("S", "B"), ("B", "C")),
        1: (("A",), ("S", "B"), ("B", "B"), ("C", "C")),
        2: (("A",), ("B", "B"), ("C", "B"), ("B", "C")),
        3: (("A",), ("C", "B"), ("B", "B"), ("A", "C")),
        4: (("A",), ("B", "B"), ("A", "B"), ("S", "C")),
    }
    # Stop 0: A on the first reel and above the second, one way; one star above the third.
    first = next(spin for _, spin in enumerate_spin(build, "base") if spin.stops[-1] == 0)
    assert [(w.evaluator, w.symbol, w.count, w.ways, w.amount_units) for w in first.wins] == [
        ("ways", "A", 2, 1, 1),
        ("stars", "S", 1, 0, 1),
    ]


CASCADE = """[states.base.cascade]
refill = "strip"
remove = ["ways"]
steps_max = 2
"""


def test_what_is_removed_above_is_refilled_from_the_right() -> None:
    """A and B above reels 2 and 4 stay or close up; the strip of the top reel goes on to the right."""
    build = loads(text("1", ["A B", "B C", "C", "C", "A B C S B"], CASCADE)).build()
    found = {spin.stops: spin for _, spin in enumerate_spin(build, "base")}
    # Reel 1 shows A, the top reel A B C: the win A A removes reel 1 (refilled by the B above on its strip, a loop of
    # two) and the A above reel 2. B and C move to the left, and S, next on the strip, comes in above reel 4.
    spin = found[0, 1, 0, 0, 0]
    assert spin.window == (("A",), ("A", "C"), ("B", "C"), ("C", "C"))
    assert [step.window for step in spin.steps] == [(("B",), ("B", "C"), ("C", "C"), ("S", "C"))]
    events = Narrator(build, padding=False).book(1, Outcome((spin,), spin.win_units))["events"]
    tumble = next(event for event in events if event["type"] == "tumbleBoard")
    assert [[cell["name"] for cell in reel] for reel in tumble["newSymbols"]] == [["B"], [], [], ["S"]]
    assert not any(event["type"] == "transformBoard" for event in events)


def test_held_cells_stay_while_the_top_reel_moves_past_them() -> None:
    more = CASCADE + '[[states.base.transforms]]\nkind = "stick"\nsymbols = ["C"]\n'
    build = loads(text("1", ["A", "B", "B", "B", "A C B S S"], more)).build()
    spin = next(spin for _, spin in enumerate_spin(build, "base") if spin.stops[-1] == 0)
    assert [reel[0] for reel in spin.window] == ["A", "A", "C", "B"]
    assert [reel[0] for reel in spin.steps[0].window] == ["A", "B", "C", "S"]


@pytest.mark.parametrize("draw", ["reel", "cell"])
@pytest.mark.parametrize("rows", ["2", "[1, { 1 = 1, 3 = 2 }, 2, { 1 = 3, 2 = 1 }]"])
def test_its_exact_law_is_that_of_all_paths(rows: str, draw: str) -> None:
    """Ways by merging under each window of the top reel, cells that draw alone by every combination."""
    strips = ["A B", "A:2 S", "B A", "A C", "A:3 B S"] if draw == "reel" else ["A B", "A", "B:2 A", "A", "A:3 S"]
    build = loads(text(rows, strips, f'draw = "{draw}"')).build()
    joint = joint_law(Engine(build), 0)
    assert joint.method == ("merging of ways" if draw == "reel" else "every combination")
    expected: dict[int, Fraction] = defaultdict(Fraction)
    for p, spin in enumerate_spin(build, "base"):
        expected[spin.win_units] += p
    law: dict[int, Fraction] = defaultdict(Fraction)
    for units, weight in zip(joint.units.tolist(), joint.weights, strict=True):
        law[units] += Fraction(int(weight), joint.cycle)
    assert law == expected
    analysis = analyse(build)
    assert analysis.rtp == sum(units * p for units, p in expected.items())
    simulated = Engine(build).simulate(KEY, 0, 40_000)
    spread = sum(units**2 * p for units, p in expected.items()) - analysis.rtp**2
    assert abs(simulated["win"] / 40_000 - analysis.rtp) < 4 * float(spread / 40_000) ** 0.5


NUDGE = '[[states.base.transforms]]\nkind = "nudge"\nsymbol = "A"\nsteps_max = 1\n'


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        (text("1", ["A", "A", "A", "A"]), "profiles.one.strips.base", "5"),
        (text("1", ["A"] * 5).replace("[2, 3, 4]", "[2, 4]"), "grid.top.reels", "side by side"),
        (text("12", ["A"] * 5), "grid.rows", "12"),
        (text("1", ["A"] * 5, NUDGE), "states.base.transforms[0]", "top reel"),
        (
            text("1", ["A"] * 5).replace('kind = "ways"\n', 'kind = "cluster"\n'),
            "evaluators.ways",
            "clusters in a game with a top reel",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(source: str, path: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        loads(source)
    assert any(problem.path.startswith(path) and message in str(problem) for problem in caught.value.problems)


def test_a_game_without_one_keeps_its_hash() -> None:
    build = loads(text("1", ["A"] * 5)).build()
    assert b'"top":[1,2,3]' in build.canonical
    plain = text("1", ["A"] * 4).replace("top = { reels = [2, 3, 4] }\n", "")
    assert b'"top"' not in loads(plain).build().canonical
