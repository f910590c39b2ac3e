"""Held cells that bring in the rest of a stacked symbol as they move up or down."""

from __future__ import annotations

from typing import Any

import pytest
from exact_rounds import check_figures, round_law

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.errors import BooksError
from rgs_core.exact.analysis import analyse
from rgs_core.language.model_file import loads
from rgs_core.outcome import Outcome

KEY = bytes(range(32))

GAME = """format = 1
id = "stacks"
title = "Stacks"
version = "1"
symbols = ["A", "W", "S", "x"]

[stake]
units = 1

[grid]
reels = REELS
rows = 3

[caps]
free_spins = 6

[evaluators.wilds]
kind = "count"
pays = { W = { 1 = 1, 2 = 10, 3 = 100 } }

[states.base]
strips = "base"
evaluators = ["wilds"]
TRANSFORMS

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "SYMBOL"
spins = { 1 = SPINS }
state = "free"
CARRY

[states.free]
strips = "free"
evaluators = ["wilds"]

[[states.free.transforms]]
kind = "stick"
symbols = ["W"]
move = "MOVE"
stack = true
MORE

[profiles.one.strips]
base = BASE
free = FREE
"""


def text(free: list[str], base: list[str] | None = None, move: str = "down", **parts: Any) -> str:
    base = base or ["S x A"] * len(free)
    values = {"SYMBOL": "S", "SPINS": "4", "CARRY": "", "TRANSFORMS": "", "MORE": "", "MOVE": move} | parts
    game = GAME.replace("REELS", str(len(free))).replace("BASE", str(base)).replace("FREE", str(free))
    for key, value in values.items():
        game = game.replace(key, value)
    return game


def rounds(game: str, number: int = 120) -> list[Outcome]:
    """Rounds with a feature; engine and reference agree on all."""
    build = loads(game).build()
    played = [reference.play(build, KEY, nonce) for nonce in range(number)]
    assert [Engine(build).spin(KEY, nonce) for nonce in range(number)] == played
    return [outcome for outcome in played if len(outcome.spins) > 1]


def told(game: str) -> set[str]:
    """What the first reel shows in the spins of a feature."""
    return {" ".join("".join(spin.window[0]) for spin in outcome.spins[1:]) for outcome in rounds(game)}


FOUR = ["x A x W W W W A A"]


def test_the_rest_of_a_stack_comes_in_from_above() -> None:
    """One W at the top has three more above it, which come in while they all move down; W below are the end of one."""
    shown = told(text(FOUR))
    assert any(spins.startswith("WAA WWA WWW WWW") for spins in shown)
    assert any(spins.startswith("WWA WWW WWW") for spins in shown)
    ends = [spins.split()[1] for spins in shown if spins.startswith("AxW ")]
    assert any("W" not in second for second in ends)  # the upper end of the stack moves out, and nothing follows


def test_upwards_it_comes_in_from_below() -> None:
    shown = told(text(["A A W W W W x A x"], move="up"))
    assert any(spins.startswith("AAW AWW WWW WWW") for spins in shown)


def test_carried_cells_take_their_stack_along() -> None:
    """A W in the paid spin starts the feature; the strip of the paid spin says what comes in."""
    game = text(["x A x"], ["x A x W W W W A A"], SYMBOL="W", CARRY='carry = ["W"]')
    shown = {
        "".join(outcome.spins[0].window[0]) + " " + " ".join("".join(spin.window[0]) for spin in outcome.spins[1:4])
        for outcome in rounds(game)
    }
    turned = [spins.split() for spins in shown if spins.startswith("WAA ")]
    assert turned
    assert all(second[0] == "W" and third[:2] == "WW" for _, second, third, *_ in turned)
    assert all(fourth == "WWW" for *_, fourth in turned)


def test_what_transforms_made_has_no_stack() -> None:
    """An A at the top turns into W, under which W W stand on the strip: these move down, and nothing comes in."""
    game = text(["W W x x A"]).replace("[[states.free.transforms]]", "", 1)
    game = game.replace(
        'kind = "stick"\nsymbols = ["W"]\nmove = "down"\nstack = true',
        "transforms = [{ kind = 'replace', symbol = 'A', into = 'W' }, "
        "{ kind = 'stick', symbols = ['W'], move = 'down', stack = true }]",
    )
    assert any(spins.startswith(("WWW xWW", "WWW AWW", "WWW WWW")) for spins in told(game))
    alone = game.replace("W W x x A", "A x x x")  # a W made of A moves down alone
    turned = [spins.split() for spins in told(alone) if spins.startswith("Wxx")]
    assert {second for _, second, *_ in turned} <= {"xWx", "xWW", "WWx"}
    assert "xWx" in {second for _, second, *_ in turned}


def test_exact_figures_are_those_of_every_path() -> None:
    build = loads(text(["x W W A", "x W"], SPINS="3")).build()
    law = round_law(build, 60_000)
    assert law is not None
    cycle = check_figures(build, *law)
    assert cycle.rtp > 0
    assert analyse(build).cycle is not None


def test_what_carries_stacks_has_no_exact_law_and_no_books() -> None:
    game = text(["x A x"], ["x A x W W W W A A"], SYMBOL="W", CARRY='carry = ["W"]')
    build = loads(game).build()
    assert "does not tell how far they go on" in str(analyse(build).skipped)
    with pytest.raises(BooksError, match="brings in the rest of stacks"):
        Narrator(build)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('move = "down"', 'move = "left"', "comes in behind cells that move up or down"),
        ('move = "down"\n', "", "comes in behind cells that move up or down"),
        ('strips = "free"\n', 'strips = "free"\ndraw = "cell"\n', "stacks stand on reels that stop as a whole"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        loads(text(FOUR).replace(old, new, 1))
    assert len(refused.value.problems) == 1
