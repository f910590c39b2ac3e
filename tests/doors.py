"""A small game in which the player chooses a feature and gambles what he wins, for tests."""

from __future__ import annotations

from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

GAME = """
format = 1
id = "doors"
title = "Doors"
version = "1"
symbols = ["A", "S"]
[stake]
units = 3
[grid]
reels = 2
rows = 1
[caps]
free_spins = 100
[evaluators.lines]
kind = "lines"
paylines = ["00"]
pays = { A = { 2 = 5 } }
[bonuses.doors]
kind = "choice"
matters = MATTERS
options = [
  { name = "many", spins = 2, state = "many" },
  { name = "few", spins = 1, state = "few" },
  { name = "cash", pay = 2, bonus = "more" },
]
[bonuses.more]
kind = "take"
prizes = [0, 1]
take = 1
of = "total_bet"
[gamble]
GAMBLE
[states.base]
strips = "base"
evaluators = ["lines"]
[[states.base.triggers]]
name = "Doors"
kind = "bonus"
symbol = "S"
plays = { 1 = 0, 2 = 1 }
bonus = "doors"
[states.many]
strips = "base"
evaluators = ["lines"]
[states.few]
strips = "base"
evaluators = ["lines"]
multiplier = 2
[profiles.main.strips]
base = ["A A S", "A S A"]
"""
CARDS = """
win_max = 20
steps_max = 4
[gamble.bets.red]
table = { 0 = 1, 2 = 1 }
[gamble.bets.suit]
table = { 0 = 2, 3 = 1 }
[gamble.bets.half]
table = { 0 = 1, 2 = 1 }
part = "half"
[gamble.bets.sure]
table = { 2 = 1 }
"""
LADDER = """
rungs = [1, 2, 4, 9]
steps_max = 3
[gamble.bets.up]
table = { 1 = 1, -2 = 2 }
[gamble.bets.leap]
table = { 3 = 1, -9 = 2 }
"""


def source(gamble: str = CARDS, matters: str = "true") -> str:
    """The model file."""
    return GAME.replace("GAMBLE", gamble).replace("MATTERS", matters)


def game(gamble: str = CARDS, matters: str = "true") -> Build:
    return loads(source(gamble, matters)).build()
