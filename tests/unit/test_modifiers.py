"""Modifiers: one of several changes of the grid, drawn at every spin; and values by reel."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rgs_core import reference
from rgs_core._engine import Engine
from rgs_core.errors import ModelError
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.joint import MERGING, joint_law, visited_joint
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads
from tests.exact_rounds import enumerate_round

GAME = """
format = 1
id = "game"
title = "Game"
version = "1"
symbols = ["A", "W", "S", "V"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[wilds.W]
substitutes = ["A"]
[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays = { A = { 2 = 6 } }
EVALUATORS
[states.base]
strips = "base"
evaluators = NAMES
MODIFIERS
TRANSFORMS
[profiles.one.strips]
base = ["A S", "A S S V"]
"""
CHANGES = """
[[states.base.transforms]]
kind = "replace"
symbol = "S"
into = "W"
modifier = "rain"
[[states.base.transforms]]
kind = "replace"
symbol = "V"
into = "A"
modifier = ["rain", "storm"]
chance = 1
out_of = 2
"""
WEIGHTS = "modifiers = { storm = 2, none = 3, rain = 1 }"


def game(transforms: str = CHANGES, modifiers: str = WEIGHTS, evaluators: str = "", names: str = '["lines"]') -> Build:
    text = GAME.replace("TRANSFORMS", transforms).replace("MODIFIERS", modifiers)
    return loads(text.replace("EVALUATORS", evaluators).replace("NAMES", names)).build()


def test_one_modifier_a_spin_decides_which_transforms_work() -> None:
    """Drawn by 3 : 1 : 2 in the order of the names. `none`: A A pays, 1/2 x 1/4. `storm`: V is A in every other spin, so 1/2 x
    3/8. `rain`: S is W besides, and reel 2 shows A by 3/8, or W by 1/2, which pays with A on reel 1 only."""
    build = game()
    modifiers = build.model.states["base"].modifiers
    assert modifiers is not None
    assert (modifiers.names, modifiers.weights) == (("none", "rain", "storm"), (3, 1, 2))
    none, rain, storm = Fraction(1, 8), Fraction(3, 8) + Fraction(1, 4), Fraction(3, 16)
    odds = (3 * none + rain + 2 * storm) / 6
    assert full_cycle(build).rtp == 6 * odds
    law = joint_law(Engine(build), 0)
    assert law.method == MERGING
    assert law.mean_units == 6 * odds
    assert visited_joint(Engine(build), 0, Engine(build).spin_law(0)).mean_units == 6 * odds
    assert sum(p for p, outcome in enumerate_round(build) if outcome.win_units) == odds


def test_the_engine_draws_as_the_reference_and_says_which() -> None:
    build = game()
    engine, seen = Engine(build), set()
    for nonce in range(300):
        outcome = engine.spin(bytes(32), nonce)
        assert outcome == reference.play(build, bytes(32), nonce)
        spin = outcome.spins[0]
        seen.add(spin.modifier)
        shown = [symbol for reel in spin.window for symbol in reel]
        assert spin.modifier == "rain" or "W" not in shown
        assert spin.modifier != "none" or not spin.stopped
    assert seen == {"none", "rain", "storm"}


def test_a_multiplier_with_a_modifier_is_no_law_of_its_own() -> None:
    """It goes with what the others do in the same spin, so the law comes by every combination."""
    multiplier = '[[states.base.transforms]]\nkind = "multiplier"\ntable = { 10 = 1 }\nmodifier = "rain"\n'
    build = game(CHANGES + multiplier)
    none, rain, storm = Fraction(1, 8), (Fraction(3, 8) + Fraction(1, 4)) * 10, Fraction(3, 16)
    assert full_cycle(build).rtp == (3 * none + rain + 2 * storm)
    assert sum(p * outcome.win_units for p, outcome in enumerate_round(build)) == full_cycle(build).rtp


def test_charges_know_the_modifier() -> None:
    cascade = (
        '[states.base.cascade]\nrefill = "strip"\nsteps_max = 3\n[states.base.cascade.charge]\nevery = 1\n'
        'then = [{ kind = "replace", symbol = "S", into = "A", modifier = "storm" }]\n'
    )
    build = game(CHANGES + cascade)
    changed: dict[bool, int] = {True: 0, False: 0}
    for nonce in range(600):
        outcome = Engine(build).spin(bytes(32), nonce)
        assert outcome == reference.play(build, bytes(32), nonce)
        for step in outcome.spins[0].steps:
            if step.charged:
                storm = outcome.spins[0].modifier == "storm"
                assert not storm or ("S",) not in step.window
                changed[storm] += 1
    assert all(changed.values())


VALUES = """
[[states.base.transforms]]
kind = "values"
symbols = ["V"]
table = { 5 = 1 }
reels = [1]
[[states.base.transforms]]
kind = "values"
symbols = ["V"]
table = { 7 = 1, 9 = 1 }
"""


def test_values_by_reel() -> None:
    """V is on reel 2 alone: the values of reel 1 do not reach it, and each reel draws from its own table."""
    collect = '[evaluators.coins]\nkind = "collect"\nsymbol = "V"\n'
    build = game(VALUES, "", collect, '["lines", "coins"]')
    assert full_cycle(build).rtp == Fraction(6, 8) + Fraction(1, 4) * 8
    law = joint_law(Engine(build), 0)
    assert law.method.startswith("pruned")
    assert law.by_award() == joint_law(Engine(build), 0, merge=False).by_award()
    other = game(VALUES.replace("reels = [1]", "reels = [2]"), "", collect, '["lines", "coins"]')
    assert full_cycle(other).rtp == Fraction(6, 8) + Fraction(1, 4) * 5
    for nonce in range(100):
        assert Engine(build).spin(bytes(32), nonce) == reference.play(build, bytes(32), nonce)


@pytest.mark.parametrize(
    ("modifiers", "transforms", "path", "message"),
    [
        ("", CHANGES, "states.base.transforms[0].modifier", "unknown modifier 'rain'"),
        (WEIGHTS, "", "states.base.modifiers", "no transform has a modifier"),
        ("modifiers = 3", "", "states.base.modifiers", "3 is not a weight table"),
        (WEIGHTS, CHANGES.replace('modifier = "rain"', "modifier = []"), "states.base.transforms[0].modifier", "no modifier"),
        (WEIGHTS, CHANGES.replace('"storm"]', '"hail"]'), "states.base.transforms[1].modifier", "unknown modifier 'hail'"),
        ("modifiers = { rain = 0 }", CHANGES.replace(', "storm"', ""), "states.base.modifiers.rain", "0 is out of range"),
    ],
)  # fmt: skip
def test_mistakes(modifiers: str, transforms: str, path: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        game(transforms, modifiers)
    assert path in [problem.path for problem in caught.value.problems]
    assert message in str(caught.value)
