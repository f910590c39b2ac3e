"""Features that wait for others which award spins of them too: by every path of the reference, or refused with what helps."""

from __future__ import annotations

import pytest
from exact_rounds import check_figures, round_law

from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import full_cycle
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

GAME = """
format = 1
id = "order"
title = "Order"
version = "1"
symbols = ["A", "F", "T"]
stake.units = 1
grid = { reels = 2, rows = 1 }
caps = { free_spins = 30 }
[evaluators.a]
kind = "scatter"
symbol = "A"
of = "total_bet"
pays = { 1 = 1 }
BONUS
[states.base]
strips = "base"
evaluators = ["a"]
CASCADE
triggers = [TRIGGERS]
[states.mid]
strips = "free"
evaluators = ["a"]
triggers = [{ name = "M", kind = "free_spins", symbol = "T", spins = { 1 = 1 }, state = "free" }]
[states.free]
strips = "one"
evaluators = ["a"]
transforms = [{ kind = "multiplier", table = { 2 = 1 }, persist = true }]
[profiles.one.strips]
base = ["A F T", "A F T"]
free = ["A T", "A"]
one = ["A", "A"]
"""
"""Spins of `free` remember a multiplier; those of `mid` award some of them."""

FREE = '{ name = "T", kind = "free_spins", symbol = "T", spins = { 1 = 1 }, state = "free" }'
MID = '{ name = "F", kind = "free_spins", symbol = "F", spins = { 1 = 1 }, state = "mid" }'
ONCE = '{ name = "W", kind = "bonus", symbol = "F", plays = { 1 = 1 }, bonus = "w" }'
TWICE = ONCE.replace("1 = 1", "1 = 1, 2 = 2")
EITHER = """[bonuses.w]
kind = "wheel"
segments = [{ weight = 1, spins = 1, state = "mid" }, { weight = 1, spins = 1, state = "free" }]
"""
CHAIN = (
    EITHER.replace('"mid" }', '"mid", bonus = "x" }')
    + """[bonuses.x]
kind = "wheel"
segments = [{ weight = 1, spins = 1, state = "free" }, { weight = 1, pay = 1 }]
"""
)


def game(triggers: str, removed: str = "", bonuses: str = "") -> Build:
    cascade = f'cascade = {{ refill = "strip", remove = ["a", {removed}], steps_max = 2 }}' if removed else ""
    return loads(GAME.replace("TRIGGERS", triggers).replace("CASCADE", cascade).replace("BONUS", bonuses)).build()


@pytest.mark.parametrize(
    ("triggers", "removed", "bonuses"),
    [
        (f"{FREE}, {MID}", "", ""),
        (f"{MID}, {FREE}", '"T"', ""),  # looked at first: its cells are removed
        (ONCE, "", EITHER),
    ],
)
def test_those_that_come_first_wait_for_none(triggers: str, removed: str, bonuses: str) -> None:
    build = game(triggers, removed, bonuses)
    law = round_law(build, 100_000)
    assert law is not None
    check_figures(build, *law)


@pytest.mark.parametrize(
    ("triggers", "removed", "bonuses", "why"),
    [
        (f"{MID}, {FREE}", "", "", "name trigger 'T' before 'F'"),
        (f"{ONCE}, {FREE}", "", EITHER, "name trigger 'T' before 'W'"),
        (f"{FREE}, {MID}", '"F"', "", "'T' may fire after 'F', whatever their order"),
        (f"{FREE}, {MID}", '"F", "T"', "", "'T' may fire after 'F', whatever their order"),
        (TWICE, "", EITHER, "'W' may award both"),
        (ONCE, '"W"', EITHER, "'W' may award both"),
        (ONCE, "", CHAIN, "'W' may award both"),
    ],
)
def test_those_that_wait_are_refused(triggers: str, removed: str, bonuses: str, why: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        full_cycle(game(triggers, removed, bonuses))
    assert str(caught.value) == (
        "a spin of state 'base' may award spins of state 'free' that wait for those of state 'mid', which award some "
        f"too, for which there is no exact law of a round: {why}"
    )
