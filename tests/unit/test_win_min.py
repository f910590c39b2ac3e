"""The least that a feature pays: what is missing when it ends, exact figures, what is told of it."""

from __future__ import annotations

import pytest
from exact_rounds import check_figures, round_law
from rich.console import Console

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.language.model_file import loads

KEY = bytes(range(32))

GAME = """format = 1
id = "least"
title = "Least"
version = "1"
symbols = ["A", "B", "S", "R"]

[stake]
units = 2

[grid]
reels = 1
rows = 1

[caps]
free_spins = 60
CAP

[evaluators.lines]
kind = "lines"
paylines = ["0"]
pays = { A = { 1 = 3 }, B = { 1 = 1 } }

[states.base]
strips = "base"
evaluators = ["lines"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 1 = 3 }
state = "free"

[states.free]
strips = "free"
evaluators = ["lines"]
win_min = 3
MORE

[profiles.one.strips]
base = ["A B S"]
free = ["A B FREE"]
"""

AGAIN = """
[[states.free.triggers]]
name = "Again"
kind = "free_spins"
symbol = "R"
spins = { 1 = 1 }
state = "free"
"""


def text(more: str = "", free: str = "S S", cap: str = "") -> str:
    return GAME.replace("MORE", more).replace("FREE", free).replace("CAP", cap)


@pytest.mark.parametrize(("more", "free"), [("", "S S"), (AGAIN, "S R")])
def test_what_is_missing_is_paid_when_the_feature_ends(more: str, free: str) -> None:
    """Three stakes are 6 units: A A A wins 9 and gets nothing, A B S wins 4 and gets 2."""
    build = loads(text(more, free)).build()
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(400)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(400)]
    missing = set()
    for played in rounds:
        feature = played.spins[1:]
        if not feature:
            continue
        won = sum(win.amount_units for spin in feature for win in spin.wins)
        paid = sum(spin.win_units for spin in feature)
        assert paid == max(won, 6)
        assert all(not spin.closing for spin in feature[:-1])
        assert [win.amount_units for win in feature[-1].closing] == ([6 - won] if won < 6 else [])
        missing.add(6 - won)
    assert {6, 5, 2, 0, -3} <= missing


def test_exact_figures_are_those_of_every_path() -> None:
    build = loads(text()).build()
    law = round_law(build, 10_000)
    assert law is not None
    check_figures(build, *law)


def test_exact_figures_with_retriggers_are_simulated_ones() -> None:
    """Every further spin is awarded with odds of 1/4: the chain knows how much is missing at the end of each."""
    build = loads(text(AGAIN, "S R")).build()
    cycle = analyse(build).cycle
    assert cycle is not None
    totals = Engine(build).simulate(KEY, 0, 400_000)
    mean = totals["win"] / 400_000 / 2
    assert abs(mean - float(cycle.rtp)) < 4 * cycle.sd / 400_000**0.5
    assert totals["parts"][1]["win_min"] > 0
    plain = analyse(loads(text(AGAIN, "S R").replace("win_min = 3\n", "")).build()).cycle
    assert plain is not None
    assert plain.rtp < cycle.rtp


def test_a_round_that_the_maximum_win_ends_pays_no_least_win() -> None:
    build = loads(text(cap="win = 1")).build()
    rounds = [Engine(build).spin(KEY, nonce) for nonce in range(100)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(100)]
    assert max(played.win_units for played in rounds) == 2


def test_records_drawings_and_books_tell_it() -> None:
    build = loads(text()).build()
    played = next(p for n in range(400) if (p := Engine(build).spin(KEY, n)).spins[-1].closing)
    (win,) = played.spins[-1].closing
    assert played.as_dict()["spins"][-1]["closing"][0]["evaluator"] == "win_min"
    console = Console(record=True, width=100)
    draw_round(console, build, played)
    assert "the least that the feature wins:" in console.export_text()
    (event,) = [e for e in Narrator(build).book(1, played)["events"] if e["type"] == "minimumWin"]
    assert event["amount"] == 50 * win.amount_units


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="every paid spin would pay so much"):
        loads(text().replace("[states.base]\n", "[states.base]\nwin_min = 2\n"))
    with pytest.raises(ModelError, match="0 is out of range"):
        loads(text().replace("win_min = 3", "win_min = 0"))
    with pytest.raises(ModelError, match="the name 'win_min' is used twice"):
        loads(
            text()
            .replace("lines", "win_min")
            .replace('kind = "win_min"', 'kind = "lines"')
            .replace("payline", "paylin")
        )


def test_a_feature_that_remembers_more_has_no_exact_law() -> None:
    sticky = 'transforms = [{ kind = "stick", symbols = ["A"] }]'
    assert analyse(loads(text(sticky)).build()).cycle is None


def test_a_mode_that_begins_with_it_pays_it() -> None:
    game = text() + '[modes.buy]\ncost = 10\nstart = "free"\nspins = 1\n'
    build = loads(game).build(mode="buy")
    assert {Engine(build).win(KEY, nonce) for nonce in range(60)} == {6}
    assert analyse(build).cycle is None
