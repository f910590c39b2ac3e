"""Reels that are filled at random: how many, which, and the exact law by merging."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from tape import enumerate_spin

from rgs_core import Engine, ModelError
from rgs_core.exact.joint import joint_law
from rgs_core.language.model_file import loads

GAME = """format = 1
id = "filled"
title = "Filled"
version = "1"
symbols = ["W", "A", "B", "S"]

[stake]
units = 1

[grid]
reels = 3
rows = 2
ABOVE

[wilds.W]
substitutes = ["A", "B"]

PAYS

[evaluators.stars]
kind = "scatter"
symbol = "S"
of = "total_bet"
pays = { 1 = 1, 2 = 3 }
STOPPED

[states.base]
strips = "base"
evaluators = ["wins", "stars"]
MORE

[[states.base.transforms]]
kind = "fill"
symbol = "W"
FIELDS

LAST
[profiles.one.strips]
base = STRIPS
"""
WAYS = '[evaluators.wins]\nkind = "ways"\npays = { A = { 2 = 1, 3 = 5 }, B = { 3 = 2 } }\npure_wild_run = "any"'
LINES = '[evaluators.wins]\nkind = "lines"\npaylines = ["000", "010"]\npays = { A = { 2 = 1, 3 = 5 }, B = { 3 = 1 }, W = { 3 = 9 } }'
REPLACE = '[[states.base.transforms]]\nkind = "replace"\nsymbol = "S"\ninto = "A"\n'


def text(fields: str, pays: str = WAYS, more: str = "", last: str = "", top: str = "", stopped: str = "") -> str:
    strips = ["A B S", "B A", "S A B", *(["A B S"] if top else [])]
    filled = GAME.replace("FIELDS", fields).replace("PAYS", pays).replace("MORE", more).replace("LAST", last)
    return filled.replace("ABOVE", top).replace("STOPPED", stopped).replace("STRIPS", repr(strips))


def full(window: tuple[tuple[str, ...], ...]) -> tuple[int, ...]:
    return tuple(reel for reel, column in enumerate(window, start=1) if set(column) == {"W"})


def test_a_drawn_number_of_reels_turns_into_the_symbol() -> None:
    """Of three reels two can be filled; each pair of reels has the same odds."""
    odds: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for p, spin in enumerate_spin(loads(text("reels = { 0 = 5, 1 = 3, 2 = 1 }")).build(), "base"):
        odds[full(spin.window)] += p
    assert odds == {
        (): Fraction(5, 9),
        **dict.fromkeys([(1,), (2,), (3,)], Fraction(1, 9)),
        **dict.fromkeys([(1, 2), (1, 3), (2, 3)], Fraction(1, 27)),
    }
    some = {full(spin.window) for _, spin in enumerate_spin(loads(text("reels = 1\namong = [1, 3]")).build(), "base")}
    assert some == {(1,), (3,)}


@pytest.mark.parametrize(
    ("pays", "fields", "more", "last", "method"),
    [
        (WAYS, "reels = { 0 = 5, 1 = 3, 2 = 1 }", "", "", "merging of ways"),
        (WAYS, "reels = { 0 = 5, 2 = 1 }\namong = [2, 3]", "linked = { none = 1, '1-2' = 2 }", "", "merging of ways"),
        (LINES, "reels = { 1 = 3, 3 = 1 }", "", REPLACE, "merging"),
        (LINES, "reels = 2", "", '[[states.base.transforms]]\nkind = "fill"\nsymbol = "A"\nreels = 1\n', "merging"),
        (LINES, "reels = { 1 = 3, 3 = 1 }", REPLACE, "", "every combination"),
    ],
)
@pytest.mark.parametrize("top", ["", "top = { reels = [1, 2] }"])
def test_its_exact_law_is_that_of_all_paths(
    pays: str, fields: str, more: str, last: str, method: str, top: str
) -> None:
    build = loads(text(fields, pays, more, last, top)).build()
    joint = joint_law(Engine(build), 0)
    assert joint.method == ("pruned enumeration" if top and method == "merging" else method)
    expected: dict[int, Fraction] = defaultdict(Fraction)
    for p, spin in enumerate_spin(build, "base"):
        expected[spin.win_units] += p
    law: dict[int, Fraction] = defaultdict(Fraction)
    for units, weight in zip(joint.units.tolist(), joint.weights, strict=True):
        law[units] += Fraction(int(weight), joint.cycle)
    assert law == expected
    mean = sum(units * p for units, p in expected.items())
    spread = sum(units**2 * p for units, p in expected.items()) - mean**2
    simulated = Engine(build).simulate(bytes(32), 0, 40_000)["win"] / 40_000
    assert abs(simulated - mean) < 4 * float(spread / 40_000) ** 0.5


def test_stars_counted_as_they_stopped_are_visited() -> None:
    build = loads(text("reels = 1", stopped="stopped = true")).build()
    joint = joint_law(Engine(build), 0)
    assert joint.method == "every combination"
    assert joint.mean_units == sum(p * spin.win_units for p, spin in enumerate_spin(build, "base"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("reels = 4", r"transforms\[0\].reels"),
        ("reels = 2\namong = [1]", r"transforms\[0\].reels"),
        ("reels = { 1 = 1 }\namong = [4]", r"transforms\[0\].among"),
        ("", "key 'reels' is missing"),
    ],
)
def test_reels_that_there_are_not_are_refused(fields: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text(fields))
