"""Cells of wins that do not go in a cascade: they become other symbols, or a win leaves one in their place."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import round_law
from rich.console import Console
from tape import enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.commands.drawing import draw_round
from rgs_core.exact import spin_paths
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.language.model_file import loads
from rgs_core.outcome import Spin
from rgs_core.reference.changes import middle

KEY = bytes(range(32))

GAME = """format = 1
id = "changes"
title = "Changes"
version = "1"
symbols = ["A", "G", "w", "v", "x", "y"]

[stake]
units = 1

[grid]
reels = 1
rows = ROWS

[evaluators.pairs]
kind = "count"
pays = { A = { 2 = 10 }, G = { 1 = 1 }, w = { 2 = 100 }, v = { 2 = 1000 } }

[states.base]
strips = "base"
evaluators = ["pairs"]
MORE

[states.base.cascade]
refill = "strip"
CASCADE

[profiles.one.strips]
base = ["STRIP"]
"""


def text(strip: str, cascade: str, rows: int = 2, more: str = "") -> str:
    game = GAME.replace("STRIP", strip).replace("CASCADE", cascade).replace("ROWS", str(rows))
    return game.replace("MORE", more)


def stopped_at(game: str, stop: int) -> Spin:
    """The spin whose reel stops there; engine and reference agree on it."""
    build = loads(game).build()
    spins = {spin.stops[0]: spin for _, spin in enumerate_spin(build, "base")}
    rounds = [Engine(build).spin(KEY, nonce) for nonce in range(60)]
    assert rounds == [reference.play(build, KEY, nonce) for nonce in range(60)]
    assert spins[stop] in {played.spins[0] for played in rounds}
    return spins[stop]


def told(spin: Spin) -> list[tuple[str, int]]:
    """What each step shows and wins."""
    first = "".join(spin.window[0]), sum(win.amount_units for win in spin.wins)
    return [first, *(("".join(s.window[0]), sum(win.amount_units for win in s.wins)) for s in spin.steps)]


# --- Cells that become others ----------------------------------------------------------------------


def test_winning_cells_become_another_symbol_and_stay() -> None:
    spin = stopped_at(text("y x G G", 'become = { G = "w" }'), 2)
    assert told(spin) == [("GG", 1), ("ww", 100), ("yx", 0)]
    assert [[(change.cell, change.symbol) for change in step.changed] for step in spin.steps] == [
        [((0, 0), "w"), ((0, 1), "w")],
        [],
    ]


def test_they_fall_with_the_others() -> None:
    """Both A go, the G between them becomes w and lies at the bottom."""
    spin = stopped_at(text("x y A G A", 'become = { G = "w" }', rows=3), 2)
    assert told(spin) == [("AGA", 11), ("xyw", 0)]


def test_a_chain_counts_down_and_goes_at_last() -> None:
    game = text("y x v v", 'become = { v = "w", w = "A" }')
    assert told(stopped_at(game, 2)) == [("vv", 1000), ("ww", 100), ("AA", 10), ("yx", 0)]


def test_cells_without_a_win_and_other_symbols_do_not_change() -> None:
    game = text("y x A A v", 'become = { x = "w", v = "w" }')
    assert told(stopped_at(game, 2)) == [("AA", 10), ("yx", 0)]


def test_a_changed_cell_keeps_its_value() -> None:
    values = '[[states.base.transforms]]\nkind = "values"\nsymbols = ["G"]\ntable = { 7 = 1 }'
    spin = stopped_at(text("y x G G", 'become = { G = "w" }', more=values), 2)
    assert spin.values == ((7, 7),)
    assert [step.values for step in spin.steps] == [((7, 7),), ()]


def test_it_fills_no_meter_and_marks_no_place() -> None:
    charge = 'charge = { every = 1, then = [{ kind = "replace", symbol = "x", into = "y" }] }\nbecome = { G = "x" }'
    spin = stopped_at(text("y y G G", charge, more="spots = {}"), 2)
    assert told(spin) == [("GG", 1), ("xx", 0)]
    assert all(step.spots == () for step in spin.steps)


def test_what_it_becomes_may_be_drawn() -> None:
    build = loads(text("y x y x G y", "become = { G = { w = 1, v = 3 } }")).build()
    law: dict[str, Fraction] = {}
    for p, spin in enumerate_spin(build, "base"):
        if spin.stops == (4,):
            shown = "".join(spin.steps[0].window[0])
            law[shown] = law.get(shown, Fraction(0)) + p
    assert law == {"wy": Fraction(1, 24), "vy": Fraction(3, 24)}


# --- What wins leave -------------------------------------------------------------------------------


def test_a_win_leaves_a_symbol_in_its_middle() -> None:
    game = text("x y A A A", 'leave = [{ symbol = "w", place = "middle" }]', rows=3)
    spin = stopped_at(game, 2)
    assert told(spin) == [("AAA", 10), ("xyw", 0)]
    assert [(change.cell, change.symbol) for change in spin.steps[0].changed] == [((0, 1), "w")]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([(0, 2)], (0, 2)),
        ([(0, 0), (0, 1)], (0, 0)),
        ([(0, 0), (0, 1), (0, 2), (0, 3)], (0, 1)),
        ([(0, 0), (1, 0), (2, 0)], (1, 0)),
        ([(0, 0), (0, 2), (2, 0), (2, 2), (1, 2)], (1, 2)),
    ],
)
def test_the_middle_of_cells(cells: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    assert middle(cells) == expected


def test_a_place_at_random() -> None:
    build = loads(text("x y A A A", "leave = [{ symbol = { w = 1, v = 1 } }]", rows=3)).build()
    law: dict[tuple[tuple[int, int], str], Fraction] = {}
    for p, spin in enumerate_spin(build, "base"):
        if spin.stops == (2,):
            (change,) = spin.steps[0].changed
            law[change.cell, change.symbol] = law.get((change.cell, change.symbol), Fraction(0)) + p
    assert law == {((0, row), symbol): Fraction(1, 30) for row in range(3) for symbol in "wv"}


@pytest.mark.parametrize(
    ("rules", "last"),
    [
        ('[{ symbol = "w", count_min = 3 }]', "yxyx"),
        ('[{ symbol = "w", symbols = ["G"] }]', "yxyw"),
        ('[{ symbol = "w", symbols = ["A"] }, { symbol = "v" }]', "yxwv"),
        ('[{ symbol = "w", of = ["pairs"], place = "middle" }]', "yxww"),
    ],
)
def test_which_wins_leave_what(rules: str, last: str) -> None:
    """A A and G are two wins; the first rule that holds counts. Two cells below the grid's top are new."""
    game = text("y x y x A A x G", f"leave = {rules}", rows=4).replace("w = { 2 = 100 }", "w = { 3 = 100 }")
    shown = {"".join(s.steps[0].window[0]) for _, s in enumerate_spin(loads(game).build(), "base") if s.stops == (4,)}
    kept = [symbol for symbol in last if symbol in "wv"]
    assert all([symbol for symbol in grid if symbol in "wv"] == kept for grid in shown)
    stopped_at(game, 0)


def test_what_is_kept_or_becomes_leaves_no_place() -> None:
    game = text("y x A A", 'keep = ["A"]\nleave = [{ symbol = "w" }]')
    assert told(stopped_at(game, 2)) == [("AA", 10)]
    game = text("y x G G", 'become = { G = "x" }\nleave = [{ symbol = "w" }]')
    assert told(stopped_at(game, 2)) == [("GG", 1), ("xx", 0)]


def test_a_cell_that_leaves_something_was_removed() -> None:
    """It marks its place, fills the meter and has lost its value."""
    values = 'spots = {}\n[[states.base.transforms]]\nkind = "values"\nsymbols = ["A"]\ntable = { 7 = 1 }'
    game = text("y x A A", 'leave = [{ symbol = "v", place = "middle" }]', more=values)
    spin = stopped_at(game, 2)
    assert told(spin) == [("AA", 10), ("xv", 0)]
    assert spin.steps[0].spots == ((1, 1),)
    assert spin.steps[0].values == ()


# --- Exact figures, records ------------------------------------------------------------------------

DRAWN = [
    "become = { G = { w = 1, v = 3 }, w = { v = 1, w = 2 } }\nsteps_max = 4",
    "leave = [{ symbol = { w = 1, A = 2 } }]\nsteps_max = 4",
    'become = { G = "w" }\nleave = [{ symbol = "v", symbols = ["A"], place = "middle" }]',
]


@pytest.mark.parametrize("cascade", DRAWN)
def test_exact_figures_are_those_of_every_path(cascade: str) -> None:
    build = loads(text("y A G x A A G w x w", cascade, rows=3)).build()
    law = round_law(build, 20_000)
    assert law is not None
    cycle = full_cycle(build)
    mean = sum((p * x for x, p in law[0].items()), Fraction(0))
    assert cycle.rtp == mean
    assert cycle.variance == sum((p * x**2 for x, p in law[0].items()), Fraction(0)) - mean**2
    assert cycle.hit_frequency == 1 - law[0].get(0, Fraction(0))
    analysis = analyse(build)
    assert analysis.cycle is not None
    assert analysis.cycle.rtp == mean


def test_too_many_paths_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spin_paths, "WALKED_MAX", 3)
    spin_paths._walked.cache_clear()
    assert "in more than 3 combinations" in str(analyse(loads(text("y G x G A", DRAWN[0], rows=3)).build()).skipped)
    spin_paths._walked.cache_clear()


def test_drawings_and_books_tell_them() -> None:
    build = loads(text("x y A G A", 'become = { G = "w" }', rows=3)).build()
    played = next(p for n in range(60) if (p := Engine(build).spin(KEY, n)).spins[0].stops == (2,))
    steps = played.as_dict()["spins"][0]["steps"]
    assert steps[0]["changed"] == [{"cell": [0, 1], "symbol": "w"}]
    console = Console(record=True, width=100)
    draw_round(console, build, played)
    assert "reel 1, row 1 turns into w" in console.export_text()
    events = Narrator(build, padding=False).book(1, played)["events"]
    kinds = [event["type"] for event in events]
    turned = events[kinds.index("tumbleBoard") - 1]
    assert turned["type"] == "transformBoard"
    assert turned["positions"] == [{"reel": 0, "row": 1}]
    assert events[kinds.index("tumbleBoard")]["explodingSymbols"] == [{"reel": 0, "row": 0}, {"reel": 0, "row": 2}]


@pytest.mark.parametrize(
    ("cascade", "message"),
    [
        ("become = {}", "names no symbols"),
        ('become = { G = "G" }', "'G' becomes itself"),
        ('become = { Q = "w" }', "unknown symbol 'Q'"),
        ("become = { G = { Q = 1 } }", "unknown symbol 'Q'"),
        ('keep = ["G"]\nbecome = { G = "w" }', "'G' stays where it is, so it never becomes anything"),
        ("leave = []", "0 entries"),
        ('leave = [{ place = "middle" }]', "key 'symbol' is missing"),
        ('leave = [{ symbol = "w", place = "top" }]', "'top' is not allowed"),
        ('leave = [{ symbol = "w", of = ["other"] }]', "unknown evaluator whose cells the cascade removes 'other'"),
        ('leave = [{ symbol = "w", symbols = ["Q"] }]', "unknown symbol 'Q'"),
        ('leave = [{ symbol = "w", count_min = 9 }]', "9 is out of range"),
    ],
)
def test_what_is_refused(cascade: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        loads(text("y x G G", cascade))
    assert len(refused.value.problems) == 1
