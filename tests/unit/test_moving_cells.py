"""Held cells that move up, down or at random, between spins or steps; values that grow in wins."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from exact_rounds import check_figures, round_law
from tape import enumerate_feature_spin, enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.errors import BooksError
from rgs_core.language.model_file import loads
from rgs_core.reference import Memory

KEY = bytes(range(32))

GAME = """format = 1
id = "moving"
title = "Moving"
version = "1"
symbols = ["W", "A", "B"]

[stake]
units = 1

[caps]
free_spins = 4

[grid]
reels = REELS
rows = ROWS

[evaluators.all]
kind = "count"
of = "line_bet"
pays = { W = { 1 = 1 }, A = { 2 = 2 } }
cell_values = "sum"

[states.base]
strips = "base"
evaluators = ["all"]
triggers = [{ name = "Free", kind = "free_spins", symbol = "B", spins = { 1 = 2 }, state = "free" }]
transforms = [{ kind = "values", symbols = ["W"], table = { 1 = 1 } }]

[states.free]
strips = "free"
evaluators = ["all"]
MORE

[[states.free.transforms]]
kind = "values"
symbols = ["W"]
table = { 2 = 1 }
GROW

[[states.free.transforms]]
kind = "stick"
symbols = ["W"]
MOVE

[profiles.one.strips]
base = BASE
free = FREE
"""


def text(reels: int, rows: int, free: list[str], move: str, more: str = "", grow: str = "") -> str:
    filled = GAME.replace("REELS", str(reels)).replace("ROWS", str(rows)).replace("FREE", repr(free))
    base = repr(["B", *["A"] * (reels - 1)])
    return filled.replace("BASE", base).replace("MOVE", move).replace("MORE", more).replace("GROW", grow)


def places(source: str, held: tuple[int, int]) -> dict[tuple[tuple[int, int], ...], Fraction]:
    """Odds of where the only held cell is after a further spin that shows no other wild."""
    build = loads(source).build()
    odds: dict[tuple[tuple[int, int], ...], Fraction] = defaultdict(Fraction)
    memory = Memory(started=True, held={held: ("W", 7)})
    for p, (_, left) in enumerate_feature_spin(build, "free", memory):
        odds[tuple(left.held)] += p
    return dict(odds)


@pytest.mark.parametrize(
    ("move", "held", "there"),
    [
        ('move = "down"', (0, 0), ((0, 1),)),
        ('move = "down"', (0, 2), ()),
        ('move = "up"', (0, 1), ((0, 0),)),
        ('move = "up"', (1, 0), ()),
        ('move = "left"', (1, 1), ((0, 1),)),
        ('move = "right"', (1, 1), ()),
        ("", (1, 1), ((1, 1),)),
    ],
)
def test_walking(move: str, held: tuple[int, int], there: tuple[tuple[int, int], ...]) -> None:
    assert places(text(2, 3, ["A", "A"], move), held) == {there: 1}


def test_a_random_jump_takes_every_free_cell_alike() -> None:
    odds = places(text(2, 2, ["A", "A"], 'move = "random"'), (1, 0))
    assert odds == {((reel, row),): Fraction(1, 3) for reel, row in [(0, 0), (0, 1), (1, 1)]}


def test_left_is_the_old_step() -> None:
    sources = [text(2, 2, ["A", "A"], move) for move in ('move = "left"', "step = -1")]
    assert len({loads(source).build().build_hash for source in sources}) == 1


CASCADE = '[states.free.cascade]\nrefill = "strip"\nsteps_max = 3\n'


def test_cells_that_move_between_steps_leave_their_place_to_the_refill() -> None:
    """W on the first reel pays with value 2, moves down over the A below it, and two B of the strip come in."""
    build = loads(text(1, 3, ["W A A B B B"], 'move = "down"\neach = "step"', CASCADE, "grow = 3")).build()
    spin = next(spin for _, spin in enumerate_spin(build, "free") if spin.stops == (0,))
    windows = [spin.window, *(step.window for step in spin.steps)]
    values = [spin.values, *(step.values for step in spin.steps)]
    # Both A pay and go; W moves to the row below, so two cells fall in above and below it.
    assert windows == [(("W", "A", "A"),), (("B", "W", "B"),)]
    assert values == [((2, 0, 0),), ((0, 5, 0),)]
    # W pays its value each time; in the second step nothing that could be removed wins, and the cascade ends.
    assert [win.amount_units for win in spin.all_wins] == [2, 2, 5]


def test_growth_of_a_held_cell_is_seen_in_the_next_spin() -> None:
    build = loads(text(2, 1, ["W", "A"], "", grow="grow = 3")).build()
    memory = Memory()
    seen = []
    for _ in range(3):
        spin, left = next(iter(enumerate_feature_spin(build, "free", memory)))[1]
        seen.append((spin.values, spin.win_units))
        memory = left
    assert seen == [(((2,), (0,)), 2), (((5,), (0,)), 5), (((8,), (0,)), 8)]


@pytest.mark.parametrize(
    ("move", "more", "grow"),
    [
        ('move = "down"', "", ""),
        ('move = "random"', "", "grow = 1"),
        ('move = "up"\neach = "step"', CASCADE, "grow = 2"),
        ("", "", "grow = 1"),
    ],
)
def test_rounds_are_exact(move: str, more: str, grow: str) -> None:
    build = loads(text(2, 2, ["W A B", "A A"], move, more, grow)).build()
    found = round_law(build, 5_000)
    assert found is not None
    cycle = check_figures(build, *found)
    engine = Engine(build)
    assert all(engine.spin(KEY, nonce) == reference.play(build, KEY, nonce) for nonce in range(60))
    mean, spread = float(cycle.rtp), float(cycle.variance)
    assert abs(engine.simulate(KEY, 0, 40_000)["win"] / 40_000 - mean) < 4 * (spread / 40_000) ** 0.5 + 1e-9


def test_books_of_moves_that_records_do_not_tell_are_refused() -> None:
    for move, more in (('move = "random"', ""), ('move = "up"\neach = "step"', CASCADE)):
        with pytest.raises(BooksError, match="do not tell where to"):
            Narrator(loads(text(2, 2, ["A", "A"], move, more)).build())


@pytest.mark.parametrize(
    ("move", "message"),
    [
        ('move = "down"\nstep = 1', "beside move"),
        ('each = "step"', "nothing moves"),
        ('move = "up"\neach = "step"', "where there is none"),
        ('move = "around"', "around"),
    ],
)
def test_moves_that_make_no_sense_are_refused(move: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text(2, 2, ["A", "A"], move))
