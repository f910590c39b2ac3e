"""Linked reels: what they show, that their laws are exact, giant symbols, and what they go with."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from rich.console import Console
from tape import enumerate_spin

from rgs_core import Engine, ModelError
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.exact.joint import joint_law
from rgs_core.language.model_file import loads
from rgs_core.outcome import Outcome

KEY = bytes(range(32))

GAME = """format = 1
id = "twins"
title = "Twins"
version = "1"
symbols = ["A", "B", "C", "S"]

[stake]
units = 2

[grid]
reels = 3
rows = ROWS

PAYS

[evaluators.stars]
kind = "scatter"
symbol = "S"
of = "total_bet"
pays = { 2 = 1, 3 = 3 }

[states.base]
strips = "base"
evaluators = ["wins", "stars"]
linked = LINKED
MORE

[profiles.one.strips]
base = STRIPS
"""
WAYS = '[evaluators.wins]\nkind = "ways"\npays = { A = { 2 = 1, 3 = 5 }, B = { 3 = 2 } }'
LINES = '[evaluators.wins]\nkind = "lines"\npaylines = ["000", "010"]\npays = { A = { 2 = 1, 3 = 5 }, B = { 3 = 2 } }'


def text(strips: list[str], linked: str, pays: str = WAYS, rows: str = "2", more: str = "") -> str:
    filled = GAME.replace("ROWS", rows).replace("STRIPS", repr(strips)).replace("LINKED", linked)
    return filled.replace("PAYS", pays).replace("MORE", more)


def test_linked_reels_stop_where_the_first_of_them_does() -> None:
    build = loads(text(["A B S", "C A", "B"], '{ none = 2, "1-2" = 3, "2-3" = 1 }', rows="[2, 1, 2]")).build()
    odds: dict[tuple[str, tuple[tuple[str, ...], ...]], Fraction] = defaultdict(Fraction)
    for p, spin in enumerate_spin(build, "base"):
        odds[spin.linked, spin.window] += p
        if spin.linked == "1-2":
            assert spin.stops[0] == spin.stops[1]
    pairs = {key: p for key, p in odds.items() if key[0] == "1-2"}
    assert pairs == {
        ("1-2", (("A", "B"), ("A",), ("B", "B"))): Fraction(1, 6),
        ("1-2", (("B", "S"), ("B",), ("B", "B"))): Fraction(1, 6),
        ("1-2", (("S", "A"), ("S",), ("B", "B"))): Fraction(1, 6),
    }
    assert sum(p for (linked, _), p in odds.items() if linked == "2-3") == Fraction(1, 6)
    assert odds["2-3", (("A", "B"), ("C",), ("C", "A"))] == Fraction(1, 36)
    assert odds["", (("A", "B"), ("C",), ("B", "B"))] == Fraction(2, 36)


def test_they_cascade_on_the_strip_of_the_first() -> None:
    more = '[states.base.cascade]\nrefill = "strip"\nremove = ["wins"]\nsteps_max = 2\n'
    build = loads(text(["B C A", "C", "C"], '{ "1-3" = 1 }', rows="1", more=more)).build()
    spin = next(spin for _, spin in enumerate_spin(build, "base") if spin.stops == (2, 2, 2))
    assert spin.window == (("A",),) * 3
    assert [step.window for step in spin.steps] == [(("C",),) * 3]


def test_a_giant_symbol_is_a_stack_on_linked_reels(capsys: pytest.CaptureFixture[str]) -> None:
    build = loads(text(["A*2 B*2", "C", "C"], '{ "1-3" = 1 }')).build()
    windows = [spin.window for _, spin in enumerate_spin(build, "base")]
    assert (("A", "A"),) * 3 in windows
    assert (("A", "B"),) * 3 in windows, "cut off"
    # Two cells of A on each of three reels: eight ways.
    assert max(spin.win_units for _, spin in enumerate_spin(build, "base")) == 8 * 5
    spin = next(spin for _, spin in enumerate_spin(build, "base"))
    reveal = Narrator(build, padding=True).book(1, Outcome((spin,), spin.win_units))["events"][0]
    assert reveal["linked"] == "1-3"
    assert [[cell["name"] for cell in reel] for reel in reveal["board"]] == [["B", "A", "A", "B"]] * 3
    draw_round(Console(), build, Engine(build).spin(KEY, 0))
    assert "reels 1-3 linked" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("pays", "rows", "more", "method"),
    [
        (WAYS, "2", "", "merging of ways"),
        (WAYS, "[1, { 1 = 1, 2 = 2 }, 2]", "", "merging of ways"),
        (LINES, "2", "", "merging"),
        (
            WAYS.replace("A = { 2 = 1, 3 = 5 }", "A = { 3 = 5 }").replace("ways", "count"),
            "2",
            "",
            "merging of counts and clusters",
        ),
        (
            LINES,
            "2",
            '[[states.base.transforms]]\nkind = "reveal"\nsymbol = "C"\ntable = { A = 1, B = 2 }\neach = "cell"\n',
            "pruned enumeration",
        ),
    ],
)
def test_their_exact_law_is_that_of_all_paths(pays: str, rows: str, more: str, method: str) -> None:
    strips = ["A B:2 S", "B A C:3 A", "S A:5 B B"]
    source = text(strips, '{ none = 5, "1-2" = 3, "2-3" = 2, "1-3" = 1 }', pays, rows, more)
    build = loads(source).build()
    joint = joint_law(Engine(build), 0)
    assert joint.method == method
    expected: dict[int, Fraction] = defaultdict(Fraction)
    for p, spin in enumerate_spin(build, "base"):
        expected[spin.win_units] += p
    law: dict[int, Fraction] = defaultdict(Fraction)
    for units, weight in zip(joint.units.tolist(), joint.weights, strict=True):
        law[units] += Fraction(int(weight), joint.cycle)
    assert law == expected
    mean = sum(units * p for units, p in expected.items())
    assert analyse(build).rtp == mean / 2
    simulated = Engine(build).simulate(KEY, 0, 40_000)
    spread = sum(units**2 * p for units, p in expected.items()) - mean**2
    assert abs(simulated["win"] / 40_000 - mean) < 4 * float(spread / 40_000) ** 0.5


@pytest.mark.parametrize(
    ("linked", "more", "path", "message"),
    [
        ('{ "1-4" = 1 }', "", "states.base.linked.1-4", "unknown run of reels"),
        ('{ "2-2" = 1 }', "", "states.base.linked.2-2", "unknown run of reels"),
        ("3", "", "states.base.linked", "not a weight table"),
        ('{ "1-2" = 1 }', 'draw = "cell"', "states.base.linked", "cells that draw alone"),
    ],
)
def test_what_is_no_run_is_refused(linked: str, more: str, path: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        loads(text(["A", "A", "A"], linked, more=more))
    assert any(message in str(problem) for problem in caught.value.problems if path in problem.path.replace('"', ""))


def test_they_are_drawn_only_where_there_is_a_choice_and_kept_out_of_lanes() -> None:
    build = loads(text(["A B", "A B", "A B"], '{ "1-3" = 1 }')).build()
    assert "linked" in Engine(build, simd=None).general_because or Engine(build).simd == "scalar"
    assert len(list(enumerate_spin(build, "base"))) == 2
