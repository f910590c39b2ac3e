"""Respins of what matched: reels full of one symbol are held while the others turn once more."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from tape import enumerate_round, enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.joint import joint_law
from rgs_core.language.model_file import loads
from rgs_core.outcome import FreeSpinsAward

KEY = bytes(range(32))

GAME = """format = 1
id = "joker"
title = "Joker"
version = "1"
symbols = ["A", "B", "AA"]

[stake]
units = 1

[grid]
reels = 3
rows = 2

[doubles.AA]
symbol = "A"
count = 2

[evaluators.all]
kind = "count"
of = "line_bet"
pays = { A = { 12 = 1 }, B = { 6 = 10 } }

[states.base]
strips = "base"
evaluators = ["all"]

[[states.base.triggers]]
name = "Respin"
kind = "full_reels"
spins = SPINS
state = "respin"

[states.respin]
strips = "respin"
evaluators = ["all"]

[profiles.one.strips]
base = BASE
respin = ["A A", "A A", "A B*2"]
"""


def text(base: list[str], spins: str = "{ 2 = 1, 3 = 0 }") -> str:
    return GAME.replace("BASE", repr(base)).replace("SPINS", spins)


def test_full_reels_are_held_and_the_others_turn() -> None:
    """B B on two reels; the third of the respin shows B B at one of three stops."""
    build = loads(text(["B B", "B", "A B"])).build()
    wins: dict[int, Fraction] = defaultdict(Fraction)
    for p, outcome in enumerate_round(build):
        base, respin = outcome.spins
        assert base.awards == (FreeSpinsAward("Respin", "B", 2, 1, "respin"),)
        assert respin.window[:2] == (("B", "B"), ("B", "B"))
        wins[outcome.win_units] += p
    assert wins == {10: Fraction(1, 3), 0: Fraction(2, 3)}


@pytest.mark.parametrize(
    ("base", "award"),
    [
        (["A", "B", "B"], ("B", 2, 1)),
        (["A", "A", "B"], ("A", 2, 1)),
        (["A AA", "AA", "B"], ("A", 2, 1)),  # a double counts as its symbol
        (["B", "A B", "A"], None),  # one each
        (["B", "B", "B"], None),  # three award none
    ],
)
def test_the_symbol_that_fills_most_reels_counts(base: list[str], award: tuple[str, int, int] | None) -> None:
    for _, spin in enumerate_spin(loads(text(base)).build(), "base"):
        found = [(a.symbol, a.count, a.spins) for a in spin.awards if isinstance(a, FreeSpinsAward)]
        assert found == ([award] if award else [])


def test_of_equal_ones_the_first_symbol_counts() -> None:
    for _, spin in enumerate_spin(loads(text(["B", "A", "A B"], "{ 1 = 2 }")).build(), "base"):
        assert [(a.symbol, a.count) for a in spin.awards if isinstance(a, FreeSpinsAward)] == [("A", 1)]


def test_the_engine_and_books_hold_the_same_cells() -> None:
    build = loads(text(["A B B", "B B A", "A B"])).build()
    engine, narrator = Engine(build), Narrator(build, padding=False)
    respins = 0
    for nonce in range(200):
        played = engine.spin(KEY, nonce)
        assert played == reference.play(build, KEY, nonce)
        reveals = [e for e in narrator.book(1, played)["events"] if e["type"] == "reveal"]
        for event in reveals[1:]:
            respins += 1
            assert [(cell["reel"], cell["row"]) for cell in event["held"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert respins


def test_spins_have_laws_but_rounds_have_none() -> None:
    build = loads(text(["A B B", "B B A", "A B"])).build()
    joint = joint_law(Engine(build), 0)
    odds = sum(p for p, spin in enumerate_spin(build, "base") if spin.awards)
    assert joint.award_probability == odds
    with pytest.raises(AnalysisError, match="'Respin' of state 'base' holds full reels in the feature"):
        full_cycle(build)
    assert analyse(build).rtp is None


@pytest.mark.parametrize(
    ("spins", "message"),
    [("{ 4 = 1 }", r"triggers\[0\].spins"), ("{ 2 = 1 }\nsymbol = 'A'", r"triggers\[0\].symbol")],
)
def test_what_makes_no_sense_is_refused(spins: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text(["A", "A", "A"], spins))
