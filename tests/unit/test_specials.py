"""Several special symbols of a feature: drawn at once or added by retriggers, what is told of them, and files."""

from __future__ import annotations

import pytest
from rich.console import Console

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.exact.memory.specials import special_sets
from rgs_core.language.model_file import loads

KEY = bytes(range(32))

GAME = """format = 1
id = "books"
title = "Books"
version = "1"
symbols = ["A", "K", "Q", "book"]
stake = { units = 2 }
grid = { reels = 3, rows = 2 }
caps = { free_spins = 60 }

[evaluators.lines]
kind = "lines"
paylines = ["000", "111"]
pays = { A = { 2 = 2, 3 = 10 }, K = { 2 = 1, 3 = 5 }, Q = { 3 = 3 } }

[states.base]
strips = "base"
evaluators = ["lines"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "book"
spins = { 2 = 4 }
state = "free"

[states.free]
strips = "base"
evaluators = ["lines"]
special = { name = "Page", table = { A = 1, K = 2, Q = 3 }, lines = "lines" MORE }

[[states.free.triggers]]
name = "Again"
kind = "free_spins"
symbol = "book"
spins = { 2 = 3 }
state = "free"

[profiles.one.strips]
base = ["A K Q book A", "K Q book A Q", "Q A K book Q"]
"""


def text(more: str) -> str:
    return GAME.replace("MORE", more and f", {more}")


def test_sets_and_their_odds() -> None:
    special = loads(text("count = 2")).states["free"].special
    assert special is not None
    odds = {"".join(symbols): float(p) for symbols, p in special_sets(special).items()}
    assert odds == pytest.approx({"AK": 1 / 6 * 2 / 5 + 2 / 6 / 4, "AQ": 1 / 6 * 3 / 5 + 3 / 6 / 3,
                                  "KQ": 2 / 6 * 3 / 4 + 3 / 6 * 2 / 3})  # fmt: skip


@pytest.mark.parametrize(
    ("more", "method"),
    [
        ("count = 2", "merging, for each special symbol"),
        ("count = 2, own_lines = false", "merging, for each special symbol"),
        ('more_with = "Again", own_lines = false', "one law for each set of special symbols"),
        ('count = 1, more_with = "Again", most = 2', "one law for each set of special symbols"),
    ],
)
def test_rounds_and_what_is_told_of_them(more: str, method: str) -> None:
    build = loads(text(more)).build()
    engine, narrator, console = Engine(build), Narrator(build), Console(width=120, record=True, quiet=True)
    sizes, won, rounds = set(), 0, 2_000
    for nonce in range(rounds):
        played = engine.spin(KEY, nonce)
        won += played.win_units
        if nonce < 100:
            assert played == reference.play(build, KEY, nonce)
            told: list[str] = []
            events = iter(narrator.book(nonce, played)["events"])
            for spin in played.spins[1:]:
                for event in events:
                    if event["type"] == "specialSymbol":
                        told.append(event["symbol"])
                    if event["type"] == "reveal" and told:
                        break
                assert tuple(told) == spin.specials
                assert spin.special == spin.specials[0]
                sizes.add(len(spin.specials))
            draw_round(console, build, reference.play(build, KEY, nonce))
    figures = analyse(build)
    assert method in figures.methods["state free"]
    assert figures.rtp is not None
    assert figures.sd is not None
    error = figures.sd / rounds**0.5
    assert won / rounds / 2 == pytest.approx(float(figures.rtp), abs=4 * error)
    assert sizes == {2} if "more" not in more else {1, 2} <= sizes


def test_records_of_one_special_symbol_stay_what_they_are() -> None:
    played = next(p for n in range(400) if len((p := Engine(loads(text("")).build()).spin(KEY, n)).spins) > 1)
    record = played.as_dict()["spins"][1]
    assert record["special"] in "AKQ"
    assert "specials" not in record


@pytest.mark.parametrize(
    ("more", "place", "message"),
    [
        ("count = 4", ".count", "4 is out of range"),
        ("most = 2", ".most", "'most' without 'more_with'"),
        ('count = 3, more_with = "Again"', ".more_with", "3 of 3 are drawn at once"),
        ('count = 2, more_with = "Again", most = 2', ".most", "2 is out of range"),
        ('more_with = "Free"', ".more_with", "unknown trigger of kind free_spins"),
    ],
)
def test_files_say_what_is_wrong(more: str, place: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        loads(text(more))
    (problem,) = error.value.problems
    assert problem.path == f"states.free.special{place}"
    assert message in problem.message
