"""Charges: removed cells fill a meter; where nothing is removed any more, a full one changes the grid, which pays again."""

from __future__ import annotations

import pytest
from exact_rounds import round_law
from rich.console import Console
from tape import enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.language.model_file import loads
from rgs_core.outcome import Spin

KEY = bytes(range(32))

GAME = """format = 1
id = "charges"
title = "Charges"
version = "1"
symbols = ["A", "B", "x", "y"]

[stake]
units = 1

[grid]
reels = 1
rows = 2

[evaluators.pair]
kind = "count"
pays = { A = { 2 = 10 }, B = { 2 = 100 } }

[states.base]
strips = "base"
evaluators = ["pair"]

[states.base.cascade]
refill = "strip"
multipliers = [1, 2, 3]
STEPS

[states.base.cascade.charge]
every = EVERY
then = [THEN]
MORE

[profiles.one.strips]
base = ["y x A A"]
"""

TO_B = '{ kind = "replace", symbol = "x", into = "B" }, { kind = "replace", symbol = "y", into = "B" }'


def text(every: int, then: str = TO_B, more: str = "", steps: str = "") -> str:
    game = GAME.replace("EVERY", str(every)).replace("THEN", then).replace("MORE", more)
    return game.replace("STEPS", steps)


def stopped_at(game: str, stop: int) -> Spin:
    """The spin whose reel stops there; engine and reference agree on it."""
    build = loads(game).build()
    spins = {spin.stops[0]: spin for _, spin in enumerate_spin(build, "base")}
    engine = Engine(build)
    rounds = [engine.spin(KEY, nonce) for nonce in range(60)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(60)]
    assert spins[stop] in {played.spins[0] for played in rounds}
    return spins[stop]


def told(spin: Spin) -> list[tuple[str, int, bool]]:
    """What each step shows and wins, and whether it comes of a charge."""
    first = "".join(spin.window[0]), sum(win.amount_units for win in spin.wins), False
    steps = [("".join(s.window[0]), sum(win.amount_units for win in s.wins), s.charged) for s in spin.steps]
    return [first, *steps]


def test_a_full_meter_changes_the_grid_when_no_win_is_left() -> None:
    """A A go, y x wins nothing, a charge makes it B B, which win twice as much and go; A A come down again.

    They win three times as much; four more cells have been removed since, so that the next charge follows.
    """
    spin = stopped_at(text(2, steps="steps_max = 6"), 2)
    assert told(spin) == [
        ("AA", 10, False),
        ("yx", 0, False),
        ("BB", 200, True),
        ("AA", 30, False),
        ("yx", 0, False),
        ("BB", 300, True),
    ]


def test_a_meter_that_is_not_full_does_nothing() -> None:
    assert told(stopped_at(text(3), 2)) == [("AA", 10, False), ("yx", 0, False)]


def test_charges_are_used_one_after_the_other() -> None:
    """Two cells are two charges: y becomes x, then x becomes y again."""
    swap = '{ kind = "replace", symbol = "y", into = "x" }, { kind = "expand", symbol = "x", into = "y" }'
    spin = stopped_at(text(1, swap), 2)
    assert told(spin) == [("AA", 10, False), ("yx", 0, False), ("yy", 0, True), ("yy", 0, True)]


def test_only_chosen_symbols_count() -> None:
    assert len(stopped_at(text(1, more='symbols = ["B"]'), 2).steps) == 1
    assert len(stopped_at(text(2, more='symbols = ["A"]', steps="steps_max = 3"), 2).steps) == 2


def test_what_a_charge_draws() -> None:
    """One of the two cells becomes A, each equally likely, then values and symbols as of any transform."""
    build = loads(text(2, '{ kind = "add", symbol = "A", count = 1 }')).build()
    shown = {"".join(spin.steps[1].window[0]): p for p, spin in enumerate_spin(build, "base") if len(spin.steps) > 1}
    assert shown.keys() == {"Ax", "yA"}
    assert len(set(shown.values())) == 1
    assert "draws again at every step" in str(analyse(build).skipped)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_exact_figures_are_those_of_every_path(every: int) -> None:
    build = loads(text(every)).build()
    law = round_law(build, 1000)
    assert law is not None
    assert full_cycle(build).rtp == sum(p * x for x, p in law[0].items())


def test_records_drawings_and_books_tell_them() -> None:
    build = loads(text(2, steps="steps_max = 4")).build()
    played = next(p for n in range(60) if len((p := Engine(build).spin(KEY, n)).spins[0].steps) == 3)
    steps = played.as_dict()["spins"][0]["steps"]
    assert [step.get("charged", False) for step in steps] == [False, True, False]
    console = Console(record=True, width=100)
    draw_round(console, build, played)
    assert "step 3 of the cascade , by a charge" in " ".join(console.export_text().split())
    kinds = [event["type"] for event in Narrator(build).book(1, played)["events"]]
    assert kinds.count("useCharge") == 1
    assert kinds[kinds.index("useCharge") + 1] == "transformBoard"
    assert kinds.count("tumbleBoard") == 2


@pytest.mark.parametrize(
    ("every", "then", "message"),
    [
        (0, TO_B, "0 is out of range"),
        (1, "", "0 entries; give 1 to 16"),
        (1, '{ kind = "stick", symbols = ["A"] }', "'stick' works on the first grid of a spin only"),
        (1, '{ kind = "reveal", symbol = "x", table = { A = 1 }, each = "feature" }', "a charge draws when it is used"),
    ],
)
def test_what_is_refused(every: int, then: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        loads(text(every, then))


def test_values_of_a_charge_count_in_what_a_round_can_win() -> None:
    game = text(1, '{ kind = "values", symbols = ["A"], table = { 1000000 = 1 } }')
    game = game.replace('kind = "count"', 'kind = "count"\ncell_values = "product"').replace("rows = 2", "rows = 12")
    with pytest.raises(ModelError, match=r"2\^62"):
        loads(game)
