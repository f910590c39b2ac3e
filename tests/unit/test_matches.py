"""Matches of neighbours in rows and columns, and cascades whose places stay empty."""

from __future__ import annotations

from fractions import Fraction

import pytest
from exact_rounds import round_law
from tape import enumerate_spin

from rgs_core import Engine, ModelError, reference
from rgs_core.books.events import Narrator
from rgs_core.exact.analysis import analyse
from rgs_core.exact.cycle import full_cycle
from rgs_core.language.mechanics import frozen
from rgs_core.language.model_file import loads
from rgs_core.outcome import Spin, Win
from rgs_core.reference.grid import Grid
from rgs_core.reference.pays import Look, evaluate

KEY = bytes(range(32))

GAME = """format = 1
id = "matches"
title = "Matches"
version = "1"
symbols = ["A", "B", "C", "D", "W", "gap"]

[stake]
units = 1

[grid]
reels = REELS
rows = ROWS

[groups]
girls = ["A", "B", "C"]

[wilds.W]
substitutes = ["A", "B", "C", "D"]
multiplier = 2

[evaluators.match]
kind = "match"
pays.A = { 3 = 10, 4 = 100 }
pays.B = { 3 = 20 }
pays.D = { 3 = 30 }
pays.girls = { 3 = 1 }
MATCH

[states.base]
strips = "base"
evaluators = ["match"]
MORE

[profiles.one.strips]
base = STRIPS
"""


def text(strips: list[str], rows: int, match: str = "", more: str = "") -> str:
    game = GAME.replace("REELS", str(len(strips))).replace("ROWS", str(rows)).replace("MATCH", match)
    if max(len(strips), rows) < 4:
        game = game.replace(", 4 = 100", "")
    return game.replace("MORE", more).replace("STRIPS", str(strips))


def wins(picture: str, match: str = "") -> list[tuple[str, int, int, list[tuple[int, int]]]]:
    """What a picture wins: symbol, count, units, cells; engine and reference agree on the only spin that shows it."""
    rows = [line.split() for line in picture.split("/")]
    columns = [" ".join(column) for column in zip(*rows, strict=True)]
    build = loads(text(columns, len(rows), match)).build()
    grid = Grid([column.split() for column in columns])
    found = evaluate(Look(build.model, build.model.states["base"], grid, 1), build.model.evaluators["match"])
    expected = [win for win, _ in found]
    engine = Engine(build)
    for nonce in range(40_000):
        if engine.win(KEY, nonce) == sum(win.amount_units for win in expected):
            (spin,) = engine.spin(KEY, nonce).spins
            if spin.window == grid.window:
                assert list(spin.wins) == expected
                break
    return [(win.symbol, win.count, win.amount_units, list(win.cells)) for win in expected]


def short(picture: str, match: str = "") -> str:
    return " ".join(f"{symbol}{count}={amount}" for symbol, count, amount, _ in wins(picture, match))


# --- Matches ---------------------------------------------------------------------------------------


def test_runs_anywhere_in_rows_and_columns() -> None:
    found = wins("D A A A / D B C B / D B D D")
    assert found == [
        ("A", 3, 10, [(1, 0), (2, 0), (3, 0)]),
        ("D", 3, 30, [(0, 0), (0, 1), (0, 2)]),
        ("girls", 3, 1, [(1, 1), (2, 1), (3, 1)]),
        ("girls", 3, 1, [(1, 0), (1, 1), (1, 2)]),
    ]


@pytest.mark.parametrize(
    ("picture", "match", "expected"),
    [
        ("A A A / A D D / A D D", "", "A3=10 A3=10"),  # a corner belongs to both
        ("A A A / A D D / A D D", 'along = "rows"', "A3=10"),
        ("A A A / A D D / A D D", 'along = "columns"', "A3=10"),
        ("A A / A A / D D", "", ""),  # a block is no run
        ("A A A A A", "", "A5=100"),  # above the largest count as the largest
        ("A W A D D", "", "A3=20"),
        ("A A W D D", "", "A3=20 D3=60"),  # a wild belongs to both runs
        ("W W W D D", "", "D5=60"),  # and stands for nothing without a symbol of the run
        ("W W W W", "", ""),
        ("A A A B C", "", "A3=10"),  # what is left of the girls are two
        ("A A A B C A", "", "A3=10 girls3=1"),
        ("A B A C D", "", "girls4=1"),
        ("A A W B C D", "", "A3=20"),  # the wild is taken by the A
        ("A A A / B D D / C D D", "", "A3=10 girls3=1"),  # taken along the row, not along the column
        ("A A D A", "", ""),
    ],
)
def test_what_matches(picture: str, match: str, expected: str) -> None:
    assert short(picture, match) == expected


def test_reels_of_different_heights() -> None:
    """A row is broken where a reel is too short, and a column ends at its last row."""
    build = loads(text(["A", "A", "A", "A"], 2).replace("rows = 2", "rows = [2, 1, 2, 2]")).build()
    (win_0,) = Engine(build).spin(KEY, 0).spins[0].wins
    assert (win_0.symbol, win_0.count, win_0.cells) == ("A", 4, ((0, 0), (1, 0), (2, 0), (3, 0)))
    assert Engine(build).spin(KEY, 0) == reference.play(build, KEY, 0)


def test_values_multiply_a_match() -> None:
    values = '[[states.base.transforms]]\nkind = "values"\nsymbols = ["A"]\ntable = { 3 = 1 }'
    build = loads(text(["A", "A", "A"], 1, 'cell_values = "sum"\ncell_values_max = 8', values)).build()
    assert Engine(build).spin(KEY, 0).win_units == 80
    assert reference.play(build, KEY, 0).win_units == 80


def test_a_match_awards_spins_and_is_exempt() -> None:
    more = """multiplier = 5
multiplier_exempt = ["match.A.3"]
[[states.base.triggers]]
name = "Again"
kind = "win_spins"
evaluator = "match"
spins.A = { 3 = 2 }
state = "free"
[states.free]
strips = "base"
evaluators = ["match"]"""
    build = loads(text(["A", "A", "A"], 1, "", more)).build()
    played = Engine(build).spin(KEY, 0)
    assert [spin.win_units for spin in played.spins] == [10, 10, 10]
    assert played == reference.play(build, KEY, 0)


# --- Without a refill ------------------------------------------------------------------------------

CLEARED = """[states.base.cascade]
refill = "none"
empty = "gap"
CASCADE
[evaluators.cleared]
kind = "scatter"
symbol = "gap"
pays = { CELLS = 500 }
of = "total_bet"
"""


def cleared(strips: list[str], rows: int, cascade: str = "") -> str:
    more = CLEARED.replace("CELLS", str(len(strips) * rows)).replace("CASCADE", cascade)
    return text(strips, rows, "", more).replace('evaluators = ["match"]', 'evaluators = ["match", "cleared"]')


def stopped_at(game: str, stops: tuple[int, ...]) -> Spin:
    """The spin whose reels stop there; engine and reference agree on others."""
    build = loads(game).build()
    engine = Engine(build)
    assert all(engine.spin(KEY, nonce) == reference.play(build, KEY, nonce) for nonce in range(40))
    return next(spin for _, spin in enumerate_spin(build, "base") if spin.stops == stops)


def shown(spin: Spin) -> list[str]:
    windows = [spin.window, *(step.window for step in spin.steps)]
    return [" ".join("".join(symbol[0] for symbol in reel) for reel in window) for window in windows]


def units(won: tuple[Win, ...]) -> int:
    return sum(win.amount_units for win in won)


def test_emptied_places_stay_empty_and_a_cleared_grid_pays() -> None:
    """Row 0 goes, nothing falls; then the columns are B B on which A A A fell before; at last the grid is cleared."""
    spin = stopped_at(cleared(["A B", "A B", "A B"], 2), (0, 0, 0))
    assert shown(spin) == ["AB AB AB", "gg gg gg"]
    assert units(spin.wins) == 10 + 20
    assert units(spin.steps[0].wins) == 500


def test_what_is_above_falls_and_matches() -> None:
    """D D D go, and the A above them falls beside B and C: three girls."""
    spin = stopped_at(cleared(["A D D D", "D B D B", "B D B C"], 4), (0, 0, 0))
    assert shown(spin) == ["ADDD DBDB BDBC", "gggA DBDB BDBC", "gggg gDBD gBDB"]
    assert [units(spin.wins), *(units(step.wins) for step in spin.steps)] == [30, 1, 0]


def test_what_wins_leave_stays_in_the_grid() -> None:
    spin = stopped_at(cleared(["A B", "A B", "A B"], 2, 'leave = [{ symbol = "W", place = "middle" }]'), (0, 0, 0))
    assert shown(spin) == ["AB AB AB", "gg WW gg"]


def test_spins_by_a_cleared_grid() -> None:
    free = """
[[states.base.triggers]]
name = "Cleared"
kind = "free_spins"
symbol = "gap"
spins = { 6 = 4 }
state = "free"
[states.free]
strips = "base"
evaluators = ["match"]"""
    build = loads(cleared(["A D", "A D", "A D"], 2) + free).build()
    law = {spin.stops: len(spin.awards) for _, spin in enumerate_spin(build, "base")}
    assert [stops for stops, awards in law.items() if awards] == [(0, 0, 0), (1, 1, 1)]


def test_exact_figures_are_those_of_every_path() -> None:
    build = loads(cleared(["A A D", "B D A", "A B D"], 3, 'leave = [{ symbol = "W" }]\nsteps_max = 5')).build()
    law = round_law(build, 20_000)
    assert law is not None
    cycle = full_cycle(build)
    mean = sum((p * x for x, p in law[0].items()), Fraction(0))
    assert cycle.rtp == mean
    assert cycle.variance == sum((p * x**2 for x, p in law[0].items()), Fraction(0)) - mean**2
    assert analyse(build).cycle is not None


def test_books_name_the_cells() -> None:
    build = loads(cleared(["A B", "A B", "A B"], 2)).build()
    played = next(p for n in range(60) if (p := Engine(build).spin(KEY, n)).spins[0].stops == (0, 0, 0))
    events = Narrator(build, padding=False).book(1, played)["events"]
    (first, *_) = [event for event in events if event["type"] == "winInfo"]
    assert first["wins"][0]["positions"] == [{"reel": reel, "row": 0} for reel in range(3)]
    assert first["wins"][0]["meta"]["clusterMult"] == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('empty = "gap"', "", "emptied places show no symbol"),
        ('refill = "none"', 'refill = "strip"', "places are refilled"),
        ('empty = "gap"', 'empty = "hole"', "unknown symbol 'hole'"),
        ('empty = "gap"', 'empty = "gap"\nbecome = { gap = "A" }', "'gap' stays where it is"),
        ("pays.girls = { 3 = 1 }", "pays.girls = { 9 = 1 }", "'9' is not a symbol count"),
        ('kind = "match"', 'kind = "match"\nalong = "diagonals"', "'diagonals' is not allowed"),
        ("rows = 2", "rows = 2\ntop = { reels = [1] }", "matches in a game with a top reel"),
    ],
)
def test_what_is_refused(old: str, new: str, message: str) -> None:
    game = cleared(["A B", "A B", "A B"], 2).replace(old, new, 1)
    if "top" in new:
        game = game.replace("['A B', 'A B', 'A B']", "['A B', 'A B', 'A B', 'A']")
    with pytest.raises(ModelError, match=message) as refused:
        loads(game)
    assert len(refused.value.problems) == 1


def test_at_most_four_groups_match() -> None:
    names = [f"g{i}" for i in range(5)]
    groups = "\n".join(f'{name} = ["A", "B"]' for name in names)
    pays = "\n".join(f"pays.{name} = {{ 3 = 1 }}" for name in names)
    game = (
        text(["A", "B", "A"], 1, pays).replace('girls = ["A", "B", "C"]', groups).replace("pays.girls = { 3 = 1 }", "")
    )
    with pytest.raises(ModelError, match="5 groups; pay at most 4 groups"):
        loads(game)


def test_pays_are_read_only() -> None:
    pays = loads(text(["A", "B", "A"], 1)).evaluators["match"].pays  # type: ignore[union-attr]
    assert isinstance(pays, type(frozen({})))
