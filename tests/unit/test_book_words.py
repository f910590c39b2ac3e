"""Books of what a player chooses, of nudges and of doubles: the events tell the round, and pay what it won."""

from __future__ import annotations

from rgs_core._engine import Engine
from rgs_core.books.events import Narrator
from rgs_core.game import seeded_key
from rgs_core.language.model_file import loads

KEY = seeded_key("books")

GAME = """
format = 1
id = "words"
title = "Words"
version = "1"
symbols = ["A", "AA", "S", "B"]
[stake]
units = 1
[grid]
reels = 3
rows = 2
[caps]
free_spins = 40
[doubles.AA]
symbol = "A"
count = 2
[evaluators.lines]
kind = "lines"
paylines = ["000", "111"]
pays = { A = { 3 = 1, 4 = 2, 5 = 3, 6 = 9 } }
[bonuses.doors]
kind = "choice"
matters = true
options = [{ name = "spins", spins = 3, state = "free" }, { name = "cash", pay = 4 }]
[states.base]
strips = "base"
evaluators = ["lines"]
transforms = [{ kind = "nudge", symbol = "S", steps_max = 1, multiplier = 1 }]
triggers = [{ name = "Doors", kind = "bonus", symbol = "S", plays = { 3 = 1 }, bonus = "doors" }]
[states.free]
strips = "base"
evaluators = ["lines"]
[[states.free.triggers]]
name = "Levels"
kind = "collected"
symbol = "A"
every = 4
spins = [1, 1]
multipliers = [2, 3]
state = "free"
[profiles.main.strips]
base = ["A AA S S B A", "AA A S A S B", "A A S AA B S"]
"""


def test_events_of_choices_nudges_and_doubles() -> None:
    build = loads(GAME).build()
    engine, narrator = Engine(build), Narrator(build)
    seen: set[str] = set()
    for nonce in range(400):
        played = engine.spin(KEY, nonce)
        book = narrator.book(nonce + 1, played)
        assert book["payoutMultiplier"] == 100 * played.win_units
        told = [event["type"] for event in book["events"]]
        seen |= set(told)
        first = played.spins[0]
        assert ("nudgeReels" in told) == any(spin.nudged for spin in played.spins)
        board = next(event["board"] for event in book["events"] if event["type"] == "reveal")
        stopped = first.stopped or first.window
        assert [[cell["name"] for cell in reel[1:-1]] for reel in board] == [list(reel) for reel in stopped]
        for event in book["events"]:
            if event["type"] == "choiceBonus":
                assert (event["option"], event["spins"], event["state"]) == ("spins", 3, "free")
            for win in event.get("wins", ()):
                assert 2 <= len(win["positions"]) <= 3  # two doubles are four of a kind
                assert win["kind"] >= 3
            if event["type"] == "updateCollected":
                assert event["collected"] >= len(event["positions"])
    assert {"nudgeReels", "transformBoard", "choiceBonus", "freeSpinTrigger", "updateCollected", "winInfo"} <= seen
