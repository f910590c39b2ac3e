"""The rules as pictures: small grids and what the reference says of them, word by word of the language.

A picture shows a grid as one sees it: rows of symbols, one letter a cell, with the value of the cell behind it,
"." where a reel has no such row. Wins read `line:symbol count @start xwild ~ways = units`, parts that say
nothing left out: "1:A3x2=10" is line 1, three A with a wild multiplier of 2, ten units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import pytest
from tape import enumerate_feature_spin, enumerate_round, enumerate_spin

from rgs_core.language.mechanics import (
    Add,
    Bonus,
    BonusTrigger,
    Cascade,
    Cluster,
    Collect,
    CollectedTrigger,
    Combination,
    Combinations,
    Count,
    Evaluator,
    Expand,
    Final,
    FreeSpinsTrigger,
    JackpotTrigger,
    Lines,
    Multiplier,
    Pick,
    PickTrigger,
    Replace,
    Reveal,
    Scatter,
    Segment,
    Special,
    Stick,
    SymbolTable,
    Table,
    Take,
    Trail,
    Transform,
    Values,
    Ways,
    Wheel,
    Wild,
    WinTrigger,
    by_count,
    frozen,
)
from rgs_core.language.model import Build, Mode, Model, NameTable, Profile, State, Strip
from rgs_core.outcome import BonusPlay, CellTable, FreeSpinsAward, JackpotWin, Outcome, PickBonus, Spin, Win, Window
from rgs_core.reference import Draws, Grid, Memory, play, play_spin, play_with
from rgs_core.reference.pays import Look, evaluate, neighbours, pay_for

SYMBOLS = tuple("ABCDEFSVWXYZ")

# --- Models in a line ------------------------------------------------------------------------------


def table(entries: Mapping[int, int] | int) -> Table:
    return Table((entries,), (1,)) if isinstance(entries, int) else Table(tuple(entries), tuple(entries.values()))


def symbol_table(**weights: int) -> SymbolTable:
    return SymbolTable(tuple(weights), tuple(weights.values()))


def wild(symbol: str, stands_for: str, multiplier: int = 1, combine: Any = "product") -> Wild:
    return Wild(symbol, frozenset(stands_for), multiplier, combine)


def lines(pays: Mapping[str, Mapping[int, int]], *paylines: str, name: str = "lines", **rest: Any) -> Lines:
    """Line evaluator; without paylines the top row of three reels; pure wild runs are "any"."""
    rows = tuple(tuple(map(int, line)) for line in paylines or ("000",))
    return Lines(name, rows, pays, rest.pop("pure_wild_run", "any"), **rest)


def scatter(symbol: str = "S", pays: Mapping[int, int] | None = None, **rest: Any) -> Scatter:
    return Scatter(rest.pop("name", "scatter"), symbol, pays or {1: 1, 2: 10}, "total_bet", **rest)


def collect(symbol: str = "V", count_min: int = 1, collector: str | None = None, at: Any = "spin") -> Collect:
    return Collect("collect", symbol, count_min, collector, "total_bet", at)


def state(*evaluators: str, name: str = "base", **rest: Any) -> State:
    """A state that plays the strips "main"."""
    rest.setdefault("multiplier", 1)
    rest.setdefault("multiplier_exempt", frozenset())
    rest.setdefault("triggers", ())
    rest.setdefault("strips", "main")
    return State(name, evaluators=evaluators, **rest)


def strips(*reels: str) -> tuple[Strip, ...]:
    return tuple(Strip(tuple(reel), (1,) * len(reel)) for reel in reels)


def game(
    reels: Sequence[str],
    evaluators: Iterable[Evaluator] = (),
    states: Iterable[State] | None = None,
    *,
    rows: int = 1,
    wilds: Iterable[Wild] = (),
    bonuses: Iterable[Bonus] = (),
    groups: Mapping[str, str] | None = None,
    sets: Mapping[str, Sequence[str]] | None = None,
    stake: int = 1,
    line: int = 1,
    free_spins_max: int = 100,
    win_max: int | None = None,
    modes: Iterable[Mode] = (),
    mode: str = "base",
) -> Build:
    """A game whose strips are written top to bottom, one text a reel."""
    named = {evaluator.name: evaluator for evaluator in evaluators}
    all_states = [state(*named)] if states is None else list(states)
    profile = Profile("one", {"main": strips(*reels), **{name: strips(*texts) for name, texts in (sets or {}).items()}})
    return Build(
        Model(
            id="picture",
            title="Picture",
            version="1",
            description="",
            stake_units=stake,
            line_units=line,
            reels=len(reels),
            rows=rows,
            symbols=SYMBOLS,
            wilds={w.symbol: w for w in wilds},
            evaluators=named,
            bonuses={bonus.name: bonus for bonus in bonuses},
            states={s.name: s for s in all_states},
            free_spins_max=free_spins_max,
            profiles={"one": profile},
            groups=frozen({name: frozenset(members) for name, members in (groups or {}).items()}),
            modes={m.name: m for m in modes},
            win_max=win_max,
        ),
        profile,
        mode,
    )


# --- Pictures --------------------------------------------------------------------------------------


def picture(text: str) -> Grid:
    """The grid of a picture."""
    rows = [line.split() for line in text.strip().splitlines()]
    columns = [[cell for cell in column if cell != "."] for column in zip(*rows, strict=True)]
    return Grid(
        [[cell[0] for cell in column] for column in columns],
        [[int(cell[1:] or 0) for cell in column] for column in columns],
    )


def drawn(window: Window, values: CellTable = ()) -> str:
    """The picture of a record, rows divided by "/"."""
    rows = max(map(len, window))
    shown = [
        [
            window[reel][row] + (str(values[reel][row]) if values and values[reel][row] else "")
            if row < len(column)
            else "."
            for reel, column in enumerate(window)
        ]
        for row in range(rows)
    ]
    return " / ".join(" ".join(row) for row in shown)


def text_of(win: Win) -> str:
    line = "" if win.line is None else f"{win.line}:"
    start = f"@{win.start}" if win.start else ""
    by_wild = f"x{win.wild_multiplier}" if win.wild_multiplier != 1 else ""
    ways = f"~{win.ways}" if win.ways else ""
    return f"{line}{win.symbol}{win.count}{start}{by_wild}{ways}={win.amount_units}"


def texts(wins: Iterable[Win]) -> str:
    return " ".join(text_of(win) for win in wins)


def pays(text: str, evaluator: Evaluator, *, multiplier: int = 1, exempt: Iterable[str] = (), **rest: Any) -> str:
    """What an evaluator pays on a picture."""
    grid = picture(text)
    base = state(evaluator.name, multiplier_exempt=frozenset(exempt))
    build = game(["A"] * len(grid.symbols), [evaluator], [base], **rest)
    return texts(win for win, _ in evaluate(Look(build.model, base, grid, multiplier), evaluator))


class Script:
    """Numbers written down by a test; all have to be used, no more asked for."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def below(self, n: int) -> int:
        number = self.numbers.pop(0)
        assert 0 <= number < n
        return number

    def index(self, weights: Sequence[int]) -> int:
        return self.below(len(weights))


def spin(build: Build, *numbers: int, name: str = "base", memory: Memory | None = None) -> Spin:
    """One spin with these draws."""
    script = Script(*numbers)
    played, _ = play_spin(build, name, Memory() if memory is None else memory, script)
    assert not script.numbers, "draws left over"
    return played


def play_script(build: Build, *spins: Sequence[int]) -> Outcome:
    """A round with these draws for each of its spins."""
    scripts = [Script(*numbers) for numbers in spins]
    outcome = play_with(build, scripts.__getitem__)
    assert len(outcome.spins) == len(spins)
    assert not any(script.numbers for script in scripts), "draws left over"
    return outcome


# --- Lines -----------------------------------------------------------------------------------------

FIVE = {"A": {3: 5, 4: 10, 5: 50}, "B": {3: 4, 4: 8, 5: 40}}


@pytest.mark.parametrize(
    ("line", "direction", "expected"),
    [
        ("A A A B B", "left", "1:A3=5"),
        ("A A B A A", "left", ""),
        ("B B A A A", "right", "1:A3@2=5"),
        ("A A A A A", "right", "1:A5=50"),
        ("A A A B B", "right", ""),
        ("A A A B C", "both", "1:A3=5"),
        ("A A A A A", "both", "1:A5=50"),
        ("C A A A A", "both", "1:A4@1=10"),
        ("A A W B B", "both", "1:A3=5 1:B3@2=4"),
        ("C A A A C", "adjacent", "1:A3@1=5"),
        ("C C A A A", "adjacent", "1:A3@2=5"),
        ("A A W B B", "adjacent", "1:A3=5"),
        ("C B B B B", "adjacent", "1:B4@1=8"),
        ("A A C A A", "adjacent", ""),
    ],
)
def test_directions(line: str, direction: str, expected: str) -> None:
    """The highest amount wins; both ways may pay twice on one line, a full line once."""
    wilds = [wild("W", "AB")]
    assert pays(line, lines(FIVE, "00000", direction=direction), wilds=wilds) == expected


def test_neighbours_of_equal_pay_the_earlier_entry_then_the_run_further_left() -> None:
    pairs = {"A": {2: 5}, "B": {2: 5}}
    assert pays("B B C A A", lines(pairs, "00000", direction="adjacent")) == "1:A2@3=5"
    assert pays("A A C A A", lines(pairs, "00000", direction="adjacent")) == "1:A2=5"


@pytest.mark.parametrize(
    ("line", "combine", "expected"),
    [
        ("W W A A C", "once", "1:A4x2=20"),
        ("W W A A C", "product", "1:A4x4=40"),
        ("W W W A C", "product", "1:A4x8=80"),
        ("W W W A C", "sum", "1:A4x6=60"),
        ("W X A A C", "sum", "1:A4x6=60"),
        ("A A A A C", "sum", "1:A4=10"),
    ],
)
def test_wild_multipliers(line: str, combine: str, expected: str) -> None:
    """The same wild multiplies once, by the product or by the sum; different wilds multiply."""
    wilds = [wild("W", "A", 2, combine), wild("X", "A", 3, combine)]
    assert pays(line, lines(FIVE, "00000"), wilds=wilds) == expected


def test_a_run_of_wilds_alone() -> None:
    """It reads as another symbol where "any" says so, and multiplies; with "own" it has only its own prizes."""
    prizes = {"A": {3: 5}, "W": {3: 7}}
    wilds = [wild("W", "A", 2)]
    assert pays("W W W", lines(prizes), wilds=wilds) == "1:A3x8=40"
    assert pays("W W W", lines(prizes, pure_wild_run="own"), wilds=wilds) == "1:W3=7"
    assert pays("W W A", lines(prizes, pure_wild_run="own"), wilds=wilds) == "1:A3x4=20"


def test_groups() -> None:
    """A mixed run reads as the group; symbols come before groups at equal pay; a wild for a member stands in."""
    groups = {"any": "AB"}
    prizes = {"A": {3: 9}, "B": {3: 2}, "any": {3: 2}}
    assert pays("A B A", lines(prizes), groups=groups) == "1:any3=2"
    assert pays("A A A", lines(prizes), groups=groups) == "1:A3=9"
    assert pays("B B B", lines(prizes), groups=groups) == "1:B3=2"
    assert pays("A W B", lines(prizes), groups=groups, wilds=[wild("W", "B", 3)]) == "1:any3x3=6"
    own = lines({"any": {3: 2}}, pure_wild_run="own")
    assert pays("W W W", own, groups=groups, wilds=[wild("W", "B", 3)]) == ""
    assert pays("W W W", own, groups={"any": "AW"}, wilds=[wild("W", "A", 3)]) == "1:any3=2", "a member, no stand-in"


@pytest.mark.parametrize(
    ("how", "expected"),
    [("ignore", "1:A3=5"), ("product", "1:A3x6=30"), ("sum", "1:A3x5=25"), ("highest", "1:A3x3=15")],
)
def test_cell_values_on_lines(how: str, expected: str) -> None:
    assert pays("A2 A A3", lines({"A": {3: 5}}, cell_values=how)) == expected
    assert pays("A A A", lines({"A": {3: 5}}, cell_values=how)) == "1:A3=5", "no value, no multiplier"


def test_cell_values_and_wilds_multiply() -> None:
    prizes = lines({"A": {3: 5}}, cell_values="sum")
    assert pays("A2 W4 A", prizes, wilds=[wild("W", "A", 2)]) == "1:A3x12=60"


def test_full_grid() -> None:
    """Every win is multiplied when all cells show the very same symbol; wilds do not help."""
    prizes = lines({"A": {3: 5}}, "000", "111", full_grid={"A": 2})
    assert pays("A A A\nA A A", prizes) == "1:A3x2=10 2:A3x2=10"
    assert pays("A A A\nA A B", prizes) == "1:A3=5"
    assert pays("A A A\nA A W", prizes, wilds=[wild("W", "A")]) == "1:A3=5 2:A3=5"
    assert pays("B B B\nB B B", lines({"B": {3: 5}}, full_grid={"A": 2})) == "1:B3=5"


def test_multipliers_and_exemptions() -> None:
    prizes = lines({"A": {2: 1, 3: 5}})
    assert pays("A A A", prizes, multiplier=3) == "1:A3=15"
    for name in ("lines", "lines.A", "lines.A.3"):
        assert pays("A A A", prizes, multiplier=3, exempt=[name]) == "1:A3=5"
    assert pays("A A A", prizes, multiplier=3, exempt=["lines.A.2"]) == "1:A3=15"


def test_an_exemption_can_change_the_best_reading() -> None:
    assert pays("W W W", lines({"A": {3: 5}, "W": {3: 7}}), wilds=[wild("W", "A")], multiplier=2) == "1:W3=14"
    prizes = lines({"A": {3: 5}, "W": {3: 7}})
    assert pays("W W W", prizes, wilds=[wild("W", "A")], multiplier=2, exempt=["lines.W"]) == "1:A3=10"


# --- Combinations ----------------------------------------------------------------------------------


def combos(*listed: tuple[str, int, bool], line: str = "000") -> Combinations:
    parts = [
        Combination(tuple({"*": None, "G": "any"}.get(e, e) for e in symbols), pay, ordered)
        for symbols, pay, ordered in listed
    ]
    return Combinations("combos", (tuple(map(int, line)),), tuple(parts))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A A A", "1:A3=100"),
        ("A B C", "1:A3=20"),
        ("C B A", "1:A1=1"),
        ("C B D", ""),
        ("D A A", "1:A2=3"),
        ("A D D", "1:A1=1"),
        ("D D A", "1:A1=1"),
        ("B C B", "1:any3=4"),
        ("A W A", "1:A3x2=200"),
        ("A W D", "1:A2x2=6"),
        ("D D W", "1:A1x2=2"),
        ("W D D", "1:A1x2=2"),
    ],
)
def test_combinations(line: str, expected: str) -> None:
    """The one that pays most; "*" is anything; a wild multiplies where it stands in, not under "*"."""
    listed = combos(("AAA", 100, True), ("ABC", 20, True), ("AA*", 3, False), ("A**", 1, False), ("GGG", 4, True))
    assert pays(line, listed, groups={"any": "BC"}, wilds=[wild("W", "A", 2)]) == expected


def test_a_wild_that_is_listed_does_not_multiply_and_any_order_takes_the_best_one() -> None:
    wilds = [wild("W", "A", 2)]
    assert pays("W W A", combos(("WWA", 5, True)), wilds=wilds) == "1:W3=5"
    assert pays("W W W", combos(("WA*", 5, False)), wilds=wilds) == "1:W2x2=10"
    assert pays("W A W", combos(("A**", 5, False)), wilds=wilds) == "1:A1x2=10", "under A and not under *"


def test_equal_combinations_pay_the_one_listed_first() -> None:
    assert pays("A B C", combos(("A**", 5, True), ("AB*", 5, True))) == "1:A1=5"
    assert pays("A B C", combos(("AB*", 5, True), ("A**", 5, True))) == "1:A2=5"


def test_a_combination_removes_its_named_cells() -> None:
    build = game(["XAB", "YAB", "ZCB"], [combos(("AA*", 5, False))], [cascading(remove=["combos"])])
    assert drawn(spin(build, 1, 1, 1).steps[0].window) == "X Y C", "the cell under * stays"
    orders = game(["XAB", "YAB", "ZAB"], [combos(("A**", 5, False))], [cascading(remove=["combos"])])
    assert drawn(spin(orders, 1, 1, 1).steps[0].window) == "X A A", "of equal orders the first"


# --- Ways ------------------------------------------------------------------------------------------


def ways(pays: Mapping[str, Mapping[int, int]], **rest: Any) -> Ways:
    return Ways(
        "ways",
        pays,
        rest.pop("pure_wild_run", "any"),
        rest.pop("direction", "left"),
        rest.pop("cell_values", "ignore"),
    )


THREE = {"A": {2: 1, 3: 5}}


def test_ways_multiply_matching_cells() -> None:
    assert pays("A A A\nA B A", ways(THREE)) == "A3~4=20"
    assert pays("A A B\nA B B", ways(THREE)) == "A2~2=2"
    assert pays("A A A\n. A A\n. . A", ways(THREE)) == "A3~6=30", "reels of different height"
    assert pays("B A A\nB B A", ways(THREE)) == ""


@pytest.mark.parametrize(
    ("grid", "direction", "expected"),
    [
        ("B A A\nB B A", "right", "A2@1~2=2"),
        ("A A A\nB B A", "right", "A3~2=10"),
        ("A A A\nB B A", "both", "A3~2=10"),
        ("A B A B\nB A A A", "both", "A4~2=10"),
        ("A A B A\nB B B A", "both", "A2~1=1"),
        ("A A B A A\nA B B A B", "both", "A2~2=2 A2@3~2=2"),
    ],
)
def test_ways_from_both_sides(grid: str, direction: str, expected: str) -> None:
    prizes = ways({"A": {2: 1, 3: 5, 4: 5}}, direction=direction)
    assert pays(grid, prizes) == expected


def test_ways_of_wilds() -> None:
    """With "own" the ways of stand-ins alone are taken off; a wild's multiplier counts as so many cells."""
    prizes = {**THREE, "W": {3: 50}}
    grid = "A W W\nW B A"
    assert pays(grid, ways(prizes), wilds=[wild("W", "A")]) == "A3~4=20 W3~1=50"
    assert pays(grid, ways(prizes, pure_wild_run="own"), wilds=[wild("W", "A")]) == "A3~3=15 W3~1=50"
    assert pays(grid, ways(prizes), wilds=[wild("W", "A", 2)]) == "A3~18=90 W3~1=50", "3 * 2 * 3"
    assert pays(grid, ways(prizes, pure_wild_run="own"), wilds=[wild("W", "A", 2)]) == "A3~10=50 W3~1=50"
    assert pays("W W W", ways(THREE, pure_wild_run="own"), wilds=[wild("W", "A")]) == ""


def test_ways_by_the_values_of_cells() -> None:
    grid = "A2 A A3\nB A4 B"
    assert pays(grid, ways(THREE)) == "A3~2=10"
    assert pays(grid, ways(THREE, cell_values="product")) == "A3~30=150", "2 * (1 + 4) * 3"
    assert pays("W3 A", ways(THREE, cell_values="product"), wilds=[wild("W", "A", 2)]) == "A2~6=6"


# --- Anywhere in view ------------------------------------------------------------------------------


def count(pays: Mapping[str, Mapping[int, int]], wilds: bool = False, cell_values: Any = "ignore") -> Count:
    return Count("count", pays, "total_bet", wilds, cell_values)


def test_count() -> None:
    """By number anywhere; above the largest like the largest; wilds only beside the symbol, without multiplying."""
    prizes = {"A": {3: 2, 4: 7}, "B": {2: 1}}
    wilds = [wild("W", "AB", 3)]
    assert pays("A B A\nC A B", count(prizes), stake=10) == "A3=20 B2=10"
    assert pays("A A A\nA A B", count(prizes)) == "A5=7"
    assert pays("A W A\nC A W", count(prizes), wilds=wilds) == "A3=2"
    assert pays("A W A\nC A W", count(prizes, wilds=True), wilds=wilds) == "A5=7"
    assert pays("W W\nW W", count(prizes, wilds=True), wilds=wilds) == ""
    assert pays("A2 A\nA3 C", count(prizes, cell_values="sum")) == "A3x5=10"


def cluster(
    pays: Mapping[str, Mapping[int, int]], neighbours: Literal[4, 6] = 4, cell_values: Any = "ignore"
) -> Cluster:
    return Cluster("cluster", pays, "total_bet", neighbours, cell_values)


def test_clusters() -> None:
    """Cells touch by their edges; each group pays on its own; corners do not touch."""
    prizes = {"A": {3: 2, 4: 5}, "B": {3: 1}}
    assert pays("A A B\nC A B\nA C B", cluster(prizes)) == "A3=2 B3=1"
    assert pays("A A C\nA C A\nC A A", cluster(prizes)) == "A3=2 A3=2"
    assert pays("A A A\nA A A", cluster(prizes)) == "A6=5"


def test_a_wild_belongs_to_two_clusters() -> None:
    grid = "A A B\nC W B\nC C C"
    prizes = {"A": {3: 2}, "B": {3: 1}, "C": {5: 9}}
    assert pays(grid, cluster(prizes), wilds=[wild("W", "AB", 2)]) == "A3x2=4 B3x2=2"
    assert pays("W W W", cluster(prizes), wilds=[wild("W", "AB", 2)]) == "", "wilds alone are no cluster"


def test_cells_and_values_of_a_cluster() -> None:
    grid = picture("B A\nA A")
    evaluator = cluster({"A": {3: 2}}, cell_values="product")
    grid.values = [[0, 2], [3, 0]]
    build = game(["A", "A"], [evaluator])
    [(win, cells)] = evaluate(Look(build.model, build.model.states["base"], grid, 1), evaluator)
    assert win.cells == tuple(cells) == ((0, 1), (1, 0), (1, 1))
    assert text_of(win) == "A3x6=12"


def test_honeycomb() -> None:
    """Odd reels stand half a cell lower: row 1 of an even reel touches rows 0 and 1 beside it, of an odd one 1 and 2."""
    assert sorted(neighbours((2, 1), 6)) == [(1, 0), (1, 1), (2, 0), (2, 2), (3, 0), (3, 1)]
    assert sorted(neighbours((1, 1), 6)) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 1), (2, 2)]
    prizes = {"A": {3: 2}}
    assert pays("C A C\nA C A", cluster(prizes, 6)) == "A3=2", "row 0 of reel 1 touches rows 0 and 1 beside it"
    assert pays("A C A\nC A C", cluster(prizes, 6)) == ""
    assert pays("C A C\nA C A", cluster(prizes)) == ""
    for cell in ((r, i) for r in range(4) for i in range(4)):
        assert all(cell in neighbours(other, 6) for other in neighbours(cell, 6)), "touching is mutual"


def test_scatter() -> None:
    assert pays("S B\nC S", scatter(), stake=5, multiplier=3) == "S2=150"
    assert pays("S S\nS S", scatter()) == "S4=10"
    assert pays("W W", scatter(), wilds=[wild("W", "S")]) == "", "wilds are no scatters"


def test_collect() -> None:
    assert pays("V2 V3\nC V", collect(), stake=10) == "V3=50"
    assert pays("V2 V3\nC V", collect(count_min=4)) == ""
    assert pays("V2 S\nS V", collect(collector="S")) == "V2=4", "once for each collector"
    assert pays("V2 V3", collect(collector="S")) == ""
    assert pays("V V", collect()) == "", "nothing to pay is no win"


def test_count_tables_are_read_as_everywhere() -> None:
    for n in range(7):
        assert pay_for({2: 1, 3: 0, 4: 6}, n) == by_count({2: 1, 3: 0, 4: 6}, n)


# --- Stops -----------------------------------------------------------------------------------------


def test_heights_are_drawn_from_the_left_before_the_stops() -> None:
    heights = (table({1: 1, 2: 1}), table(3), table({2: 1, 3: 1}))
    build = game(["ABC", "DEF", "XYZ"], states=[state(heights=heights)], rows=3)
    assert drawn(spin(build, 0, 1, 2, 0, 1).window) == "C D Y / . E Z / . F X"


def test_strip_sets_are_drawn_first() -> None:
    choice = NameTable(("main", "other"), (3, 1))
    build = game(["AB"], states=[state(strip_choice=choice)], sets={"other": ["XY"]})
    assert [(s.strips, drawn(s.window)) for s in (spin(build, 0, 1), spin(build, 1, 0))] == [
        ("main", "B"),
        ("other", "X"),
    ]
    one = game(["AB"], states=[state(strip_choice=NameTable(("main",), (3,)))])
    assert spin(one, 1).strips == ""


def test_cells_that_draw_alone() -> None:
    build = game(["AB", "XY"], states=[state(cells=True)], rows=2)
    played = spin(build, 0, 0, 1, 0)
    assert (played.stops, drawn(played.window)) == ((0, 0, 1, 0), "A Y / A X")
    held = Memory(started=True, held={(0, 1): ("V", 5)})
    played = spin(build, 1, 1, 1, memory=held)
    assert (played.stops, drawn(played.window, played.values)) == ((1, -1, 1, 1), "B Y / V5 Y")


# --- Transforms ------------------------------------------------------------------------------------


def transformed(text: str, *transforms: Transform, numbers: Sequence[int] = (), memory: Memory | None = None) -> str:
    """The picture after the transforms; the strips are its columns and stop at 0."""
    grid = picture(text)
    reels = ["".join(column) for column in grid.symbols]
    heights = tuple(table(len(column)) for column in reels)
    build = game(reels, states=[state(transforms=transforms, heights=heights)], rows=max(map(len, reels)))
    played = spin(build, *[0] * len(reels), *numbers, memory=memory)
    assert drawn(played.stopped or played.window) == drawn(grid.window) or memory is not None
    return drawn(played.window, played.values)


MYSTERY = symbol_table(A=3, B=1)


@pytest.mark.parametrize(
    ("each", "numbers", "expected"),
    [
        ("spin", [1], "B B C / B C C"),
        ("reel", [0, 1], "A B C / A C C"),
        ("cell", [0, 1, 0], "A A C / B C C"),
    ],
)
def test_reveal(each: Any, numbers: list[int], expected: str) -> None:
    assert transformed("X X C\nX C C", Reveal("X", MYSTERY, each), numbers=numbers) == expected


def test_reveal_draws_nothing_without_its_symbol_or_with_a_single_entry() -> None:
    assert transformed("C C", Reveal("X", MYSTERY, "spin")) == "C C"
    assert transformed("X X", Reveal("X", symbol_table(A=5), "cell")) == "A A"


def test_expand() -> None:
    assert transformed("A W\nW B", Expand("W", "W", None)) == "W W / W W"
    assert transformed("A W\nW B", Expand("W", "X", (1,))) == "A X / W X"
    valued = transformed("V W\nW W", Values(frozenset("VW"), table(3)), Expand("W", "W", None))
    assert valued == "W W3 / W3 W3", "what changes loses its value"


def test_replace() -> None:
    assert transformed("A B\nB A", Replace("A", "C", None)) == "C B / B C"
    assert transformed("A B\nB A", Replace("A", "C", (1,))) == "A B / B C"
    assert transformed("V V", Values(frozenset("V"), table(3)), Replace("V", "C", (0,))) == "C3 V3"


def test_add() -> None:
    """Places are drawn among those left, and also where one is left; the number comes first."""
    assert transformed("A B\nC X", Add("X", table({1: 1, 2: 1}), None, None), numbers=[1, 1, 1]) == "A X / X X"
    assert transformed("A B\nC X", Add("X", table(3), (0,), None), numbers=[0, 0]) == "X B / X X"
    assert transformed("A B\nC X", Add("X", table(2), None, frozenset("BC")), numbers=[0, 0]) == "A X / X X"
    assert transformed("X X", Add("X", table({0: 1, 2: 1}), None, None), numbers=[1]) == "X X"


def test_add_takes_no_held_cell() -> None:
    memory = Memory(started=True, held={(0, 0): ("A", 7)})
    assert transformed("A B", Add("X", table(1), None, None), numbers=[0], memory=memory) == "A7 X"


def test_values_are_drawn_cell_by_cell_where_there_is_none() -> None:
    coins = Values(frozenset("VX"), table({5: 1, 9: 1}))
    assert transformed("V A\nA X", coins, numbers=[1, 0]) == "V9 A / A X5"
    memory = Memory(started=True, held={(0, 0): ("V", 3)})
    assert transformed("A X", coins, numbers=[0], memory=memory) == "V3 X5"


STICKY = Stick(frozenset("V"), 0)


def test_stick_holds_symbol_and_value_for_the_feature() -> None:
    coins = Values(frozenset("V"), table({5: 1, 9: 1}))
    build = game(["VABC", "ABVC"], states=[state(transforms=(coins, STICKY))])
    memory = Memory()
    shown = [spin(build, *numbers, memory=memory) for numbers in ([0, 0, 1], [1, 2, 0], [3, 3])]
    assert [drawn(s.window, s.values) for s in shown] == ["V9 A", "V9 V5", "V9 V5"]
    assert shown[1].stopped == (), "held cells lie on the grid as it stopped"


def test_what_is_held_is_what_the_cell_shows_when_the_transform_comes() -> None:
    grow = (Replace("B", "C", None), Replace("A", "B", None), Stick(frozenset("BC"), 0))
    build = game(["AD"], states=[state(transforms=grow)])
    memory = Memory()
    assert [drawn(spin(build, stop, memory=memory).window) for stop in (0, 1, 1)] == ["B", "C", "C"]


@pytest.mark.parametrize(("step", "expected"), [(-1, ["A A V", "A V A", "V A A", "A A A"]), (1, ["A A V", "A A A"])])
def test_walking(step: Any, expected: list[str]) -> None:
    """Held cells walk before every further spin, and off the grid."""
    build = game(["A", "A", "AV"], states=[state(transforms=(Stick(frozenset("V"), step),))])
    memory = Memory()
    shown = [drawn(spin(build, 0, 0, int(i == 0), memory=memory).window) for i in range(len(expected))]
    assert shown == expected


def test_of_two_that_meet_the_one_further_right_stays() -> None:
    meet = (Stick(frozenset("V"), 1), Stick(frozenset("X"), -1))
    build = game(["A", "A", "A"], states=[state(transforms=meet)])
    memory = Memory(started=True, held={(0, 0): ("V", 2), (2, 0): ("X", 3)})
    played = spin(build, 0, 0, 0, memory=memory)
    assert drawn(played.window, played.values) == "A X3 A"


def test_held_cells_vanish_with_their_row() -> None:
    build = game(["A"], states=[state(heights=(table({1: 1, 2: 1}),), transforms=(STICKY,))], rows=2)
    memory = Memory(started=True, held={(0, 1): ("V", 2)})
    assert [drawn(spin(build, n, 0, memory=memory).window) for n in (1, 0, 1)] == ["A / V", "A", "A / A"]


def multiplier(each: Any = "spin", combine: Any = "product", persist: bool = False, values: Any = None) -> Multiplier:
    entries = table({2: 1, 3: 1} if values is None else values)
    return Multiplier(entries, each, None if each == "spin" else "W", combine, persist)


@pytest.mark.parametrize(
    ("transform", "numbers", "expected"),
    [
        (multiplier(), [1], 3),
        (multiplier(values=4), [], 4),
        (multiplier("cell"), [0, 1, 1], 18),
        (multiplier("cell", "sum"), [0, 1, 1], 8),
        (multiplier("full_reel"), [1], 3),
        (multiplier("cell", "sum", values=2), [], 6),
    ],
)
def test_multipliers_of_a_spin(transform: Multiplier, numbers: list[int], expected: int) -> None:
    """One for the spin, each full reel or each cell; everything that the spin wins is multiplied."""
    build = game(["WW", "WA"], [scatter()], [state("scatter", transforms=(transform,), multiplier=5)], rows=2)
    assert spin(build, 0, 0, *numbers).multiplier == expected
    none = game(["SA"], [scatter()], [state("scatter", transforms=(multiplier("cell", "sum"),), multiplier=5)])
    played = spin(none, 0)
    assert (played.multiplier, texts(played.wins)) == (1, "S1=5"), "none drawn"


@pytest.mark.parametrize(("combine", "expected"), [("product", [2, 6, 6]), ("sum", [2, 5, 5])])
def test_multipliers_that_persist(combine: Any, expected: list[int]) -> None:
    build = game(["AW"], [], [state(transforms=(multiplier("cell", combine, persist=True),))])
    memory = Memory()
    assert [spin(build, *n, memory=memory).multiplier for n in ([1, 0], [1, 1], [0])] == expected


# --- Cascades --------------------------------------------------------------------------------------


def cascading(
    *evaluators: str,
    remove: Iterable[str],
    refill: Any = "strip",
    keep: str = "",
    multipliers: Sequence[int] = (1,),
    persist: bool = False,
    steps_max: int = 64,
    multiplier_step: int = 0,
    **rest: Any,
) -> State:
    """A state with a cascade; without names its evaluators are those that remove."""
    remove = frozenset(remove)
    cascade = Cascade(
        refill, remove, frozenset(keep), tuple(multipliers), persist, steps_max, multiplier_step=multiplier_step
    )
    return state(*(evaluators or sorted(remove)), cascade=cascade, **rest)


def steps_of(played: Spin) -> list[str]:
    """Pictures and wins of all steps."""
    first = f"{drawn(played.window, played.values)} | {texts(played.wins)}"
    return [first, *(f"{drawn(step.window, step.values)} | {texts(step.wins)}" for step in played.steps)]


def test_a_strip_refills_upwards() -> None:
    """The strip goes on above the window; what is left falls."""
    build = game(["XYAB", "ZAAC", "DEAF"], [lines({"A": {3: 5}})], [cascading(remove=["lines"])], rows=2)
    assert steps_of(spin(build, 2, 2, 2)) == ["A A A / B C F | 1:A3=5", "Y A E / B C F | "]
    around = game(["AXYB", "AAAC", "ADEF"], [lines({"A": {3: 5}})], [cascading(remove=["lines"])], rows=2)
    assert steps_of(spin(around, 0, 0, 0))[1] == "B C F / X A D | ", "strips are endless loops"


def test_several_cells_of_a_reel() -> None:
    build = game(["XYZABA"], [count({"A": {2: 3}, "Z": {1: 1}})], [cascading(remove=["count"])], rows=3)
    assert steps_of(spin(build, 3)) == ["A / B / A | A2=3", "Y / Z / B | Z1=1", "X / Y / B | "]


def test_fresh_refills_draw_reel_by_reel_top_to_bottom() -> None:
    build = game(["ABC", "ACB"], [count({"A": {3: 3}})], [cascading(remove=["count"], refill="fresh")], rows=2)
    both = game(["AAB", "AAC"], [count({"A": {4: 3}})], [cascading(remove=["count"], refill="fresh")], rows=2)
    assert steps_of(spin(build, 0, 0)) == ["A A / B C | "]
    assert steps_of(spin(both, 0, 0, 0, 2, 2, 1)) == ["A A / A A | A4=3", "A C / B A | "]


def test_keep_and_held_cells() -> None:
    """Kept cells fall like others; held cells stay in place and the others fall past them."""
    every = {"A": {1: 1}, "V": {1: 1}}
    build = game(["XYVABA"], [count(every)], [cascading(remove=["count"], keep="V")], rows=3)
    assert steps_of(spin(build, 2))[1] == "Y / V / B | V1=1", "kept"
    memory = Memory(started=True, held={(0, 1): ("V", 2)})
    held = game(["XYZBCA"], [count({"A": {1: 1}, "V": {1: 1}})], [cascading(remove=["count"])], rows=3)
    assert steps_of(spin(held, 3, memory=memory)) == ["B / V2 / A | A1=1 V1=1", "Z / V2 / B | V1=1"]


def test_the_ladder_goes_up_with_every_winning_step() -> None:
    build = game(["CBAA"], [count({"A": {1: 1}, "B": {1: 1}})], [cascading(remove=["count"], multipliers=[1, 2, 5])])
    assert steps_of(spin(build, 3)) == ["A | A1=1", "A | A1=2", "B | B1=5", "C | "]
    long = game(["A"], [count({"A": {1: 1}})], [cascading(remove=["count"], multipliers=[1, 2], steps_max=4)])
    assert steps_of(spin(long, 0)) == ["A | A1=1", "A | A1=2", "A | A1=2", "A | A1=2"], "the last step removes nothing"


def test_a_ladder_that_persists() -> None:
    base = cascading(remove=["count"], multipliers=[1, 2, 5], persist=True)
    build = game(["BA"], [count({"A": {1: 1}})], [base])
    memory = Memory()
    assert [texts(spin(build, stop, memory=memory).all_wins) for stop in (1, 0, 1, 1)] == ["A1=1", "", "A1=2", "A1=5"]


def test_a_ladder_without_end() -> None:
    """Beyond the listed multipliers each winning step has so much more, and a ladder that persists goes on so."""
    base = cascading(remove=["count"], multipliers=[1, 5], multiplier_step=3, steps_max=5)
    assert steps_of(spin(game(["A"], [count({"A": {1: 1}})], [base]), 0)) == [
        "A | A1=1", "A | A1=5", "A | A1=8", "A | A1=11", "A | A1=14",
    ]  # fmt: skip
    base = cascading(remove=["count"], multiplier_step=1, persist=True)
    memory = Memory()
    build = game(["BA"], [count({"A": {1: 1}})], [base])
    assert [texts(spin(build, stop, memory=memory).all_wins) for stop in (1, 0, 1, 1)] == ["A1=1", "", "A1=2", "A1=3"]
    assert base.cascade is not None
    assert [base.cascade.multiplier(steps) for steps in (0, 1, 9)] == [1, 2, 10], "what books tell"


def test_wins_that_do_not_remove_raise_the_ladder_but_do_not_go_on() -> None:
    base = cascading("count", "scatter", remove=["count"], multipliers=[1, 2], persist=True)
    build = game(["SAB"], [count({"A": {1: 1}}), scatter()], [base])
    memory = Memory()
    assert steps_of(spin(build, 0, memory=memory)) == ["S | S1=1"]
    assert memory.won_steps == 1
    assert steps_of(spin(build, 1, memory=memory)) == ["A | A1=2", "S | S1=2"]


def test_transforms_after_a_refill() -> None:
    """Reveal, expand, replace and values work again; adding, holding and multipliers do not."""
    transforms = (
        Reveal("X", symbol_table(A=1, B=1), "cell"),
        Add("D", table(1), None, frozenset("C")),
        multiplier(values=3),
        Values(frozenset("A"), table({4: 1, 6: 1})),
    )
    prizes = Collect("collect", "A", 1, None, "total_bet", "spin")
    build = game(["CXX"], [prizes], [cascading(remove=["collect"], transforms=transforms)])
    played = spin(build, 2, 0, 1, 0, 0)
    assert steps_of(played) == ["A6 | A1=18", "A4 | A1=12", "C | "]
    assert drawn(played.stopped) == "X"


def test_stopped_evaluators_look_at_the_grid_before_transforms_on_every_step() -> None:
    look = scatter("X", {1: 1}, stopped=True)
    base = cascading("scatter", "count", remove=["count"], transforms=(Replace("X", "A", None),))
    build = game(["BXX"], [look, count({"A": {1: 5}})], [base])
    assert steps_of(spin(build, 2)) == ["A | X1=1 A1=5", "A | X1=1 A1=5", "B | "]


def test_triggers_that_remove_are_looked_at_on_every_step() -> None:
    free = FreeSpinsTrigger("Free", "S", {1: 3}, "free")
    chest = BonusTrigger("Chest", "X", {1: 1}, "take", False)
    base = cascading("count", remove=["count", "Free", "Chest"], multipliers=[1, 2], triggers=(chest, free))
    evaluators, bonuses = [count({"A": {1: 1}})], [Take("take", (10, 20), 1, 1, "line_bet")]
    build = game(["BAXS"], evaluators, [base, state(name="free")], bonuses=bonuses)
    played = spin(build, 3, 1)
    assert steps_of(played) == ["S | ", "X | ", "A | A1=2", "B | "]
    assert played.awards == (FreeSpinsAward("Free", "S", 1, 3, "free"), BonusPlay("Chest", 0, "take", (1,), 20, 0, ""))


def test_what_each_evaluator_removes() -> None:
    def after(text: str, evaluator: Evaluator, **rest: Any) -> str:
        """The cells that stay in place, removed ones as "-"."""
        grid = picture(text)
        found = evaluate(Look(game(["A"] * len(grid.symbols), **rest).model, state(), grid, 1), evaluator)
        gone = {cell for _, cells in found for cell in cells}
        for cell in gone:
            grid.put(cell, "-", 0)
        return drawn(grid.window)

    wilds = [wild("W", "A")]
    assert after("A W A B", lines({"A": {3: 1}}, "0000"), wilds=wilds) == "- - - B"
    assert after("B W A A", lines({"A": {3: 1}}, "0000", direction="right"), wilds=wilds) == "B - - -"
    assert after("A A B A\nW B B A", ways({"A": {2: 1}}), wilds=wilds) == "- - B A / - B B A"
    assert after("A W B\nA B A", count({"A": {3: 1}}, wilds=True), wilds=wilds) == "- - B / - B -"
    assert after("A W B\nC B A", cluster({"A": {2: 1}}), wilds=wilds) == "- - B / C B A"
    assert after("S B\nB S", scatter()) == "- B / B -"
    assert after("V2 S\nV B", collect(collector="S")) == "- S / - B"


# --- Final and special -----------------------------------------------------------------------------


def final(combine: Any = "sum", persist: bool = False) -> Final:
    return Final("Final", frozenset("VX"), combine, persist)


@pytest.mark.parametrize(("combine", "expected"), [("sum", "V2=40"), ("product", "V2=50")])
def test_final(combine: Any, expected: str) -> None:
    """Values in view multiply all that the spin won; the closing win is what they add."""
    coins = Values(frozenset("VX"), table({2: 1, 3: 1}))
    build = game(["V", "S", "X", "S"], [scatter()], [state("scatter", transforms=(coins,), final=final(combine))])
    played = spin(build, 0, 0, 0, 0, 0, 1)
    assert texts(played.closing) == expected
    assert played.closing[0].multiplier == {"sum": 5, "product": 6}[combine]
    assert played.win_units == 10 * played.closing[0].multiplier


def test_final_needs_a_win_and_a_multiplier_above_one() -> None:
    coins = Values(frozenset("V"), table({1: 1, 3: 1}))
    build = game(["V", "SA"], [scatter()], [state("scatter", transforms=(coins,), final=final())])
    assert spin(build, 0, 1, 1).closing == ()
    assert spin(build, 0, 0, 0).closing == ()
    assert texts(spin(build, 0, 0, 1).closing) == "V1=2"


def test_final_that_persists_adds_up_over_winning_spins() -> None:
    coins = Values(frozenset("V"), table({2: 1, 3: 1}))
    build = game(["VA", "SA"], [scatter()], [state("scatter", transforms=(coins,), final=final(persist=True))])
    memory = Memory()
    spins = [spin(build, *n, memory=memory) for n in ([0, 1, 1], [0, 0, 0], [0, 0, 1], [1, 0])]
    assert [texts(s.closing) for s in spins] == ["", "V1=1", "V1=4", "V0=4"], "0, 2, 5, 5"


def test_special_symbol() -> None:
    """Drawn at the start, before all else; it pays by the reels that show it, on all lines."""
    special = Special("Book", symbol_table(A=1, B=1), "lines", True)
    prizes = lines({"A": {2: 1, 3: 5}, "B": {2: 2, 3: 9}}, "000", "111")
    base = state("lines", special=special, multiplier=2)
    build = game(["AC", "CB", "AB"], [prizes], [base], rows=2)
    memory = Memory()
    first = spin(build, 0, 0, 0, 0, memory=memory)
    assert (first.special, drawn(first.window), texts(first.wins)) == ("A", "A C A / C B B", "A2=4")
    second = spin(build, 0, 0, 0, memory=memory)
    assert (second.special, texts(second.wins)) == ("A", "A2=4")
    other = spin(build, 1, 0, 1, 1)
    assert (other.special, texts(other.wins)) == ("B", "B2=8")


def test_several_special_symbols() -> None:
    """Drawn one after the other, each other than those before; each pays for itself, in the order of the draws."""
    special = Special("Book", symbol_table(A=1, B=3, C=2), "lines", True, count=2)
    prizes = lines({"A": {2: 1, 3: 5}, "B": {2: 2, 3: 9}, "C": {3: 4}}, "000", "111")
    build = game(["AC", "CB", "AB"], [prizes], [state("lines", special=special)], rows=2)
    first = spin(build, 1, 0, 0, 0, 0)
    assert (first.special, first.specials, texts(first.wins)) == ("B", ("B", "A"), "B2=4 A2=2")
    laws = {s.specials: sum((p for p, t in enumerate_spin(build, "base") if t.specials == s.specials), Fraction(0))
            for _, s in enumerate_spin(build, "base")}  # fmt: skip
    assert laws["A", "B"] == Fraction(1, 6) * Fraction(3, 5)
    assert laws["B", "A"] == Fraction(3, 6) * Fraction(1, 3)
    assert sum(laws.values()) == 1


def test_special_symbols_that_a_trigger_adds() -> None:
    """One more before the spin that follows the award, up to three; the last one left needs no draw."""
    again = FreeSpinsTrigger("Again", "S", {1: 1}, "free")
    special = Special("Book", symbol_table(A=1, B=1, C=1), "lines", True, more_with="Again")
    prizes = lines({"A": {1: 1}, "B": {1: 1}, "C": {1: 1}}, "00")
    build = game(["AS", "B"], [prizes], [state("lines", name="free", triggers=(again,), special=special)])
    memory = Memory()
    draws = [(0, 0, 0), (1, 0), (1, 1, 0), (1, 0), (1, 0)]
    spins = [spin(build, *numbers, name="free", memory=memory) for numbers in draws]
    assert [s.specials for s in spins] == [("A",), ("A",), ("A", "C"), ("A", "C", "B"), ("A", "C", "B")]


def test_special_symbol_without_lines_of_its_own() -> None:
    prizes = lines({"A": {2: 1, 3: 5}, "B": {2: 1}}, "000", "111")
    special = Special("Book", symbol_table(A=1), "lines", False)
    build = game(["AB", "AB", "AC"], [prizes], [state("lines", special=special)], rows=2)
    assert texts(spin(build, 0, 0, 0).wins) == "2:B2=1 A3=10"
    with_own = replace(special, own_lines=True)
    build = game(["AB", "AB", "AC"], [prizes], [state("lines", special=with_own)], rows=2)
    assert texts(spin(build, 0, 0, 0).wins) == "1:A3=5 2:B2=1 A3=10"


# --- Triggers --------------------------------------------------------------------------------------


def free_spins(spins: Mapping[int, int] | None = None, to: str = "free", **rest: Any) -> FreeSpinsTrigger:
    return FreeSpinsTrigger(rest.pop("name", "Free"), rest.pop("symbol", "S"), spins or {1: 2}, to, **rest)


def test_free_spins_play_after_the_paid_one_and_add_up() -> None:
    base = state(triggers=(free_spins(),))
    free = state(name="free", triggers=(free_spins({1: 1}),))
    outcome = play_script(game(["AS"], [], [base, free]), [1], [0], [1], [0])
    assert [s.state for s in outcome.spins] == ["base", "free", "free", "free"]
    assert [s.sub_spin for s in outcome.spins] == [0, 1, 2, 3]


def test_the_cap_of_free_spins_cuts_awards() -> None:
    base, free = state(triggers=(free_spins({1: 2}),)), state(name="free", triggers=(free_spins({1: 2}),))
    assert len(play_script(game(["S"], [], [base, free], free_spins_max=3), [0], [0], [0], [0]).spins) == 4


def test_features_wait_in_a_queue() -> None:
    """Further spins of a feature that waits are added where it waits; those of the front one are played first."""
    to_free = free_spins({1: 1}, name="Free")
    to_more = free_spins({1: 1}, to="more", symbol="X", name="More")
    base = state(triggers=(to_more, to_free))
    free = state(name="free", triggers=(to_more, to_free))
    more = state(name="more", triggers=(to_free,))
    build = game(["AS", "AX"], [], [base, free, more])
    outcome = play_script(build, [1, 1], [1, 0], [0, 0], [1, 1], [0, 0], [0, 0])
    assert [s.state for s in outcome.spins] == ["base", "more", "free", "free", "free", "more"]


def test_reset_fills_up_instead_of_adding() -> None:
    base = state(triggers=(free_spins({1: 3}),))
    free = state(name="free", triggers=(free_spins({1: 3}, reset=True),))
    outcome = play_script(game(["AS"], [], [base, free]), [1], [0], [1], [0], [0], [0])
    assert len(outcome.spins) == 6, "three, one of them played, filled up to three after the second"


def test_stopped_and_fresh_triggers() -> None:
    covers = (Expand("S", "A", None),)
    trigger = free_spins(stopped=True)
    build = game(
        ["AS"], [], [state(transforms=covers, triggers=(trigger, replace(trigger, name="Late", stopped=False)))]
    )
    assert spin(build, 1).awards == (FreeSpinsAward("Free", "S", 1, 2, "free"),)
    held = Memory(started=True, held={(0, 0): ("S", 0)})
    build = game(["A", "AS"], [], [state(transforms=(Stick(frozenset("S"), 0),), triggers=(free_spins(fresh=True),))])
    assert spin(build, 0, 0, memory=held).awards == ()
    assert spin(build, 0, 1, memory=held).awards == (FreeSpinsAward("Free", "S", 1, 2, "free"),)
    assert spin(build, 0, 0, memory=held).awards == (), "held since"


def test_carry_takes_cells_along() -> None:
    coins = Values(frozenset("V"), table({5: 1, 7: 1}))
    base = state(transforms=(coins,), triggers=(free_spins({1: 2}, symbol="V", carry=frozenset("V")),))
    free = state("collect", name="free", transforms=(coins, STICKY), cells=True)
    build = game(["VA", "AB"], [collect(at="end")], [base, free])
    outcome = play_script(build, [0, 0, 1], [0], [1])
    assert [drawn(s.window, s.values) for s in outcome.spins] == ["V7 A", "V7 A", "V7 B"]
    assert [texts(s.closing) for s in outcome.spins] == ["", "", "V1=7"]


def test_a_feature_whose_cells_are_all_held_ends() -> None:
    free = state("collect", name="free", cells=True, transforms=(Values(frozenset("V"), table(4)), STICKY))
    build = game(["SV", "AV"], [collect(at="end")], [state(triggers=(free_spins({1: 5}),)), free])
    outcome = play_script(build, [0, 0], [1, 0], [1])
    assert [texts(s.closing) for s in outcome.spins] == ["", "", "V2=8"]


def test_evaluators_at_the_end_pay_once_after_awards_and_after_the_final_win() -> None:
    """A feature that wins more spins in its last one has not ended."""
    free = state(
        "collect", "scatter", name="free", transforms=(Values(frozenset("V"), table(4)),), final=final(), multiplier=3
    )
    free = replace(free, triggers=(free_spins({1: 1}),))
    build = game(["SA", "VA"], [collect(at="end"), scatter()], [state(triggers=(free_spins({1: 1}),)), free])
    outcome = play_script(build, [0, 1], [0, 0], [0, 0], [1, 0])
    assert [texts(s.closing) for s in outcome.spins] == ["", "V1=9", "V1=9", "V1=12"]
    build = replace(build, model=replace(build.model, free_spins_max=1))
    outcome = play_script(build, [0, 1], [0, 0])
    assert [texts(s.closing) for s in outcome.spins] == ["", "V1=9 V1=12"]


def test_spins_for_wins() -> None:
    trigger = WinTrigger("Award", "count", {"A": {1: 1, 2: 4}, "B": {1: 0, 2: 5}}, "free")
    base = cascading("count", remove=["count"], triggers=(trigger,))
    build = game(["DBAEAA"], [count({"A": {1: 1}, "B": {1: 1}})], [base], rows=2)
    played = spin(build, 4)
    assert steps_of(played) == ["A / A | A2=1", "A / E | A1=1", "B / E | B1=1", "D / E | "]
    assert played.awards == (
        FreeSpinsAward("Award", "A", 2, 4, "free"),
        FreeSpinsAward("Award", "A", 1, 1, "free"),
    )


def test_spins_for_lines_by_their_count() -> None:
    trigger = WinTrigger("Award", "lines", {"A": {3: 2}}, "free")
    build = game(["A"] * 3, [lines({"A": {3: 1}}, "000", "000")], [state("lines", triggers=(trigger,))])
    assert spin(build, 0, 0, 0).awards == (FreeSpinsAward("Award", "A", 3, 2, "free"),) * 2


def test_collected_levels() -> None:
    """Every second X is a level; its multiplier works from the next spin on; after the last nothing counts."""
    trigger = CollectedTrigger("Levels", "X", 2, (10, 0, 5), (2, 3, 10), "free")
    build = game(["AX", "AX", "S"], [scatter()], [state("scatter", name="free", triggers=(trigger,))])
    memory = Memory()
    spins = [spin(build, *n, 0, name="free", memory=memory) for n in ([1, 0], [1, 0], [1, 1], [0, 0], [1, 1], [1, 1])]
    assert [[(a.count, a.spins) for a in s.awards if isinstance(a, FreeSpinsAward)] for s in spins] == [
        [],
        [(1, 10)],
        [],
        [],
        [(3, 5)],
        [],
    ]
    assert [s.win_units for s in spins] == [1, 1, 2, 3, 3, 10]
    at_once = CollectedTrigger("Levels", "X", 1, (1, 2), (2, 3), "free")
    build = game(["X", "X"], [], [state(name="free", triggers=(at_once,))])
    assert [a.spins for a in spin(build, 0, 0, name="free").awards if isinstance(a, FreeSpinsAward)] == [1, 2]


def test_jackpots() -> None:
    build = game(["A"], [], [state(triggers=(JackpotTrigger("Drop", "grand", 1, 1000),))])
    assert spin(build, 0, 0).awards == (JackpotWin("Drop", "grand"),)
    assert spin(build, 0, 1).awards == ()
    odds = {bool(s.awards): p for p, s in enumerate_spin(build, "base")}
    assert odds == {True: Fraction(1, 1000), False: Fraction(999, 1000)}


# --- Bonuses ---------------------------------------------------------------------------------------


def with_bonus(*bonuses: Bonus, multiplier: int = 1, exempt: Iterable[str] = (), plays: int = 1) -> Build:
    """A game that plays its first bonus at every spin."""
    trigger = BonusTrigger("Go", "S", {1: plays}, bonuses[0].name, False)
    base = state(triggers=(trigger,), multiplier=multiplier, multiplier_exempt=frozenset(exempt))
    return game(["S"], [], [base, state(name="free")], bonuses=bonuses, stake=10, line=1)


def test_pick() -> None:
    """Places, then for each its number of prizes, then these: always drawn, even from a single entry."""
    pick = Pick("chest", table({1: 1, 2: 1}), table(1), table({5: 1, 8: 1}), "line_bet")
    played = spin(with_bonus(pick, multiplier=3), 0, 1, 0, 0, 0, 1)
    assert played.awards == (PickBonus("Go", 0, ((15,), (24,)), 39),)
    assert spin(with_bonus(pick, multiplier=3, exempt=["Go"]), 0, 0, 0, 1).win_units == 8
    assert len(spin(with_bonus(pick, plays=2), 0, 0, 0, 1, 0, 0, 1).awards) == 2


def test_pick_by_a_pattern_on_lines() -> None:
    bonus = Take("take", (5, 7), 1, 1, "line_bet")
    evaluator = lines({"A": {3: 1}}, "000", "111", "010")
    base = state("lines", triggers=(PickTrigger("Chest", ("X", None, "X"), "take"),))
    build = game(["XX", "AB", "XA"], [evaluator], [base], rows=2, bonuses=[bonus])
    assert spin(build, 0, 0, 0, 1, 0).awards == (
        BonusPlay("Chest", 1, "take", (1,), 7, 0, ""),
        BonusPlay("Chest", 3, "take", (0,), 5, 0, ""),
    )


def test_take() -> None:
    """Without replacement; record numbers are those of the list; equal ones are multiplied."""
    take = Take("take", (10, 10, 20, 50), 2, 3, "line_bet")
    assert spin(with_bonus(take), 0, 1, 0).awards == (BonusPlay("Go", 0, "take", (1, 0), 60, 0, ""),)
    assert spin(with_bonus(take, multiplier=2), 0, 1, 2).awards == (BonusPlay("Go", 0, "take", (1, 3), 120, 0, ""),)
    everything = Take("take", (1, 2), 2, 1, "line_bet")
    assert spin(with_bonus(everything), 0, 1, 0).win_units == 3, "the last one is drawn too"


def test_take_until_a_prize_ends_it() -> None:
    """The ending prize is paid; with two lives the second one ends it; `take` ends it in any case."""
    pots = Take("pots", (5, 10, 1, 2), 4, 1, "line_bet", ends=frozenset({3, 4}))
    assert spin(with_bonus(pots), 0, 1, 1).awards == (BonusPlay("Go", 0, "pots", (1, 2), 11, 0, ""),)
    assert spin(with_bonus(pots), 0, 3).awards == (BonusPlay("Go", 0, "pots", (3,), 2, 0, ""),)
    two = replace(pots, lives=2)
    assert spin(with_bonus(two), 0, 2, 0, 1).awards == (BonusPlay("Go", 0, "pots", (2, 0, 3), 8, 0, ""),)
    assert spin(with_bonus(replace(two, take=2)), 0, 2, 0).awards == (BonusPlay("Go", 0, "pots", (2, 0), 6, 0, ""),)


def test_trail_that_pays_its_last_square() -> None:
    """Where an end square, the finish or the last roll stops the walk."""
    trail = Trail("trail", (1, 2, 0, 7), frozenset({4}), table({1: 1, 2: 1}), 3, 9, "total_bet", pays="last")
    for rolls, drawn, pay in [((1, 1), (2, 4), 7), ((0, 1, 1), (1, 3, 5), 9), ((0, 0, 0), (1, 2, 3), 0)]:
        assert spin(with_bonus(trail), 0, *rolls).awards == (BonusPlay("Go", 0, "trail", drawn, pay * 10, 0, ""),)


def test_wheel() -> None:
    """A segment pays, awards spins, leads to another bonus, or all of it."""
    wheel = Wheel("wheel", (Segment(3, 5, 0, None, None), Segment(1, 2, 4, "free", "take")), "total_bet")
    take = Take("take", (1, 2), 1, 1, "line_bet")
    assert spin(with_bonus(wheel, take), 0, 0).awards == (BonusPlay("Go", 0, "wheel", (0,), 50, 0, ""),)
    assert spin(with_bonus(wheel, take), 0, 1, 1).awards == (
        BonusPlay("Go", 0, "wheel", (1,), 20, 4, "free"),
        BonusPlay("Go", 0, "take", (1,), 2, 0, ""),
    )
    assert len(play_script(with_bonus(wheel, take), [0, 1, 0], *[[0]] * 4).spins) == 5
    assert spin(with_bonus(Wheel("one", (Segment(1, 1, 0, None, None),), "total_bet")), 0, 0).win_units == 10


@pytest.mark.parametrize(
    ("rolls", "drawn", "pay"),
    [([0, 0, 0], (1, 2, 3), 1 + 2 + 0), ([0, 1, 1], (1, 3, 5), 1 + 0 + 9), ([1, 1], (2, 4), 2 + 7)],
)
def test_trail(rolls: list[int], drawn: tuple[int, ...], pay: int) -> None:
    """Each square reached pays; square 4 ends; past the last one the finish is paid; three rolls at most."""
    trail = Trail("trail", (1, 2, 0, 7), frozenset({4}), table({1: 1, 2: 1}), 3, 9, "total_bet")
    assert spin(with_bonus(trail), 0, *rolls).awards == (BonusPlay("Go", 0, "trail", drawn, pay * 10, 0, ""),)


def test_a_die_with_one_side_is_not_drawn() -> None:
    trail = Trail("trail", (1, 2), frozenset(), table(2), 9, 5, "line_bet")
    assert spin(with_bonus(trail), 0).awards == (BonusPlay("Go", 0, "trail", (2, 3), 7, 0, ""),)


def test_bonuses_that_multiply_the_win() -> None:
    """The record is what the multiplier adds. Each multiplies what those before it have made of the win; no prize of
    another bonus is multiplied, nor does the multiplier of the state count again. 0 leaves the win as it is."""
    wheel = Wheel("wheel", (Segment(1, 5, 0, None, None), Segment(1, 0, 2, "free", None)), "win")
    pick = Pick("stars", table(2), table(1), table({1: 1, 2: 1}), "win")
    take = Take("take", (1, 2), 1, 1, "line_bet")
    triggers = (
        BonusTrigger("Take", "S", {1: 1}, "take", False),
        BonusTrigger("Wheel", "S", {1: 2}, "wheel", False),
        BonusTrigger("Stars", "S", {1: 1}, "stars", False),
    )
    base = state("scatter", triggers=triggers, multiplier=3)
    build = game(
        ["S"], [scatter(pays={1: 4})], [base, state(name="free")], bonuses=[take, wheel, pick], stake=10, line=1
    )
    played = spin(build, 0, 1, 0, 1, 0, 0, 0, 0, 1)
    assert played.awards == (
        BonusPlay("Take", 0, "take", (1,), 2 * 3, 0, ""),
        BonusPlay("Wheel", 0, "wheel", (0,), 4 * 120, 0, ""),
        BonusPlay("Wheel", 0, "wheel", (1,), 0, 2, "free"),
        PickBonus("Stars", 0, ((1,), (2,)), 2 * 600),
    )
    assert played.win_units == 120 + 6 + 480 + 1200


# --- Rounds ----------------------------------------------------------------------------------------


def test_the_maximum_win_ends_the_round() -> None:
    base, free = state("scatter", triggers=(free_spins({1: 5}),)), state("scatter", name="free")
    build = game(["SA"], [scatter(pays={1: 4})], [base, free], win_max=8)
    outcome = play_script(build, [0], [1], [0])
    assert (outcome.win_units, outcome.capped, len(outcome.spins)) == (8, True, 3), "reached is enough"
    build = game(["SA"], [scatter(pays={1: 4})], [base, free], win_max=3)
    outcome = play_script(build, [0])
    assert (outcome.win_units, outcome.spins[0].win_units) == (3, 4)
    assert outcome.as_dict()["capped"] is True
    assert not play_script(build, [1]).capped


def test_modes() -> None:
    """A mode begins with its own spins; they do not count as awarded."""
    base, free = state(triggers=(free_spins(),)), state(name="free", triggers=(free_spins({1: 2}),))
    modes = [Mode("buy", 50, "free", 2)]
    build = game(["AS"], [], [base, free], modes=modes, mode="buy", free_spins_max=1)
    outcome = play_script(build, [1], [1], [0])
    assert [s.state for s in outcome.spins] == ["free"] * 3


def test_a_feature_that_begins_again_remembers_nothing() -> None:
    """Two features of one state: held cells, ladder and special symbol of the first are gone in the second."""
    special = Special("Book", symbol_table(A=1, B=1), "lines", True)
    free = state("lines", name="free", transforms=(STICKY,), special=special)
    to_more = free_spins({1: 1}, to="more", symbol="X", name="More")
    more = state(name="more", triggers=(free_spins({1: 1}, symbol="X"),))
    base = state(triggers=(free_spins({1: 1}), to_more))
    build = game(["SVA", "XAA", "AAA"], [lines({"A": {3: 1}, "B": {3: 1}})], [base, free, more])
    outcome = play_script(build, [0, 0, 0], [0, 1, 1, 1], [0, 0, 0], [1, 2, 1, 1])
    assert [(s.state, s.special, s.window[0]) for s in outcome.spins] == [
        ("base", "", ("S",)),
        ("free", "A", ("V",)),
        ("more", "", ("S",)),
        ("free", "B", ("A",)),
    ]


def test_a_feature_that_is_prolonged_in_its_last_spin_goes_on() -> None:
    free = state(name="free", transforms=(STICKY,), triggers=(free_spins({1: 1}),))
    build = game(["SVA", "SAA"], [], [state(triggers=(free_spins({1: 1}),)), free])
    outcome = play_script(build, [0, 1], [1, 0], [2, 1])
    assert [drawn(s.window) for s in outcome.spins] == ["S A", "V S", "V A"]


# --- Words and tapes -------------------------------------------------------------------------------


def test_a_round_draws_from_the_words_of_its_spins() -> None:
    build = game(["AS", "ABC"], [], [state(triggers=(free_spins(),)), state(name="free")])
    key = bytes(range(32))
    for nonce in range(20):
        outcome = play(build, key, nonce, stream=2)
        for number, played in enumerate(outcome.spins):
            draws = Draws(key, 2, nonce, number)
            assert played.stops == (draws.below(2), draws.below(3))


def test_a_tape_knows_every_round_and_its_probability() -> None:
    """One reel, S in 4 of 10: the paid spin and, after an S, one more."""
    build = game(["AS"], [scatter()], [state("scatter", triggers=(free_spins({1: 1}),)), state("scatter", name="free")])
    weighted = Profile("one", {"main": (Strip(("A", "S"), (6, 4)),)})
    rounds = list(enumerate_round(replace(build, profile=weighted)))
    assert [(p, o.win_units) for p, o in rounds] == [
        (Fraction(6, 10), 0),
        (Fraction(24, 100), 1),
        (Fraction(16, 100), 2),
    ]
    assert sum(p for p, _ in rounds) == 1


def test_a_tape_walks_through_a_feature() -> None:
    build = game(["AV", "AV"], [], [state(cells=True, transforms=(STICKY,))])
    one = Memory(started=True, held={(0, 0): ("V", 0)})
    after = {len(memory.held): p for p, (_, memory) in enumerate_feature_spin(build, "base", one)}
    assert after == {1: Fraction(1, 2), 2: Fraction(1, 2)}
    assert one.held == {(0, 0): ("V", 0)}, "a copy was played"
    assert len(list(enumerate_spin(build, "base"))) == 4
