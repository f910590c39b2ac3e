"""rgs export of every shipped game in all its modes: files read back pay what the engine pays and `rgs spin` shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from book_files import Book, read

from rgs_core import Engine, games
from rgs_core.__main__ import main
from rgs_core.books.events import Narrator
from rgs_core.books.win_cells import win_cells
from rgs_core.errors import BooksError
from rgs_core.game import seeded_key
from rgs_core.language.model import Build
from rgs_core.language.model_file import load, loads
from rgs_core.outcome import Win

BOOKS = 200
KNOWN = {
    *("reveal", "winInfo", "setWin", "setTotalWin", "freeSpinTrigger", "freeSpinRetrigger", "updateFreeSpin"),
    *("freeSpinEnd", "tumbleBoard", "updateTumbleWin", "updateGlobalMult", "boardMultiplierInfo", "newStickySymbols"),
    *("wincap", "finalWin", "transformBoard", "specialSymbol", "updateCollected", "pickBonus", "takeBonus"),
    *("wheelBonus", "choiceBonus", "trailBonus", "jackpotWin"),
}
"""Every event of docs/exchange.md."""


@pytest.mark.parametrize("game", games.shipped())
def test_every_mode_of_every_game(game: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "books"
    assert main(["export", game, "--books", str(BOOKS), "--seed", "s", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    model = load(games.find(game))
    assert [mode["mode"] for mode in told["modes"]] == ["base", *model.modes]
    for build, said in zip(games.modes(model.build()), told["modes"], strict=True):
        cost = build.play.cost_units / model.stake_units
        books, rows = read(out, build.mode, cost)
        totals = Engine(build).simulate(seeded_key("s"), 0, BOOKS)
        payouts = [book["payoutMultiplier"] for book in books]
        assert payouts == [payout for _, _, payout in rows]
        assert sum(payouts) * model.stake_units == 100 * totals["win"]
        assert sum(payout**2 for payout in payouts) * model.stake_units**2 == 100**2 * totals["win_squared"]
        assert said["rtp"] == pytest.approx(totals["win"] / BOOKS / build.play.cost_units)
        assert said["feature_frequency"] * BOOKS == pytest.approx(totals["features"])
        for book in books:
            check_totals(book)
        # A book is a round of `rgs spin`: the best one, and one that is not.
        best = max(range(BOOKS), key=payouts.__getitem__)
        for nonce in {0, best}:
            assert main(["spin", game, "--mode", build.mode, "--seed", "s", "--nonce", str(nonce), "--json"]) == 0
            spun = json.loads(capsys.readouterr().out)
            assert spun["win_units"] * 100 == payouts[nonce] * model.stake_units
            reveals = [event for event in books[nonce]["events"] if event["type"] == "reveal"]
            assert [event["paddingPositions"] for event in reveals] == [spin["stops"] for spin in spun["spins"]]


def check_totals(book: Book) -> None:
    """The amounts of a book say the same, whichever of them a front end adds up."""
    events = book["events"]
    assert {event["type"] for event in events} <= KNOWN
    of = lambda kind: [event for event in events if event["type"] == kind]  # noqa: E731
    assert sum(event["amount"] for event in of("setWin")) == book["payoutMultiplier"]
    assert of("setTotalWin")[-1]["amount"] == of("finalWin")[0]["amount"] == book["payoutMultiplier"]
    assert sum(event["amount"] for event in of("freeSpinEnd")) == round(100 * book["freeGameWins"])
    assert len(of("freeSpinTrigger")) == len(of("freeSpinEnd"))
    assert round(100 * (book["baseGameWins"] + book["freeGameWins"])) == book["payoutMultiplier"]
    for info in of("winInfo"):
        assert info["totalWin"] == sum(win["win"] for win in info["wins"])
        assert all(win["positions"] for win in info["wins"])


def test_mode_restricts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert main(["export", "clockwork_aviary", "--mode", "buy", "--books", "20", "--out", str(one)]) == 0
    assert "cost of a round" in capsys.readouterr().out
    assert main(["export", "clockwork_aviary/rtp_94@ante", "--books", "20", "--out", str(other)]) == 0
    assert [mode["name"] for mode in json.loads((one / "index.json").read_text())["modes"]] == ["buy"]
    assert [mode["name"] for mode in json.loads((other / "index.json").read_text())["modes"]] == ["ante"]
    books, _ = read(one, "buy", 60.0)
    first = books[0]["events"][:3]
    assert [event["type"] for event in first] == ["freeSpinTrigger", "updateFreeSpin", "reveal"]
    assert (first[0]["totalFs"], first[2]["gameType"]) == (10, "freegame")
    assert {book["criteria"] for book in books} == {"freegame"}
    books, _ = read(other, "ante", 1.25)
    assert {book["events"][0]["gameType"] for book in books} == {"basegame"}
    assert main(["export", "clockwork_aviary", "--mode", "base", "--books", "20", "--out", str(tmp_path / "b")]) == 0
    read(tmp_path / "b")


# -- mechanics, one at a time --------------------------------------------------------------------------------

GAME = """
format = 1
id = "game"
title = "Game"
version = "1"
symbols = ["wild", "coin", "star", "A", "K", "Q"]
stake = { units = 10 }
grid = { reels = 3, rows = 3 }
"""
COUNT = """
[evaluators.count]
kind = "count"
pays = { A = { 4 = 1 }, K = { 4 = 2 }, Q = { 4 = 3 } }
of = "total_bet"
"""
STRIPS = """
[profiles.main.strips]
base = ["A*2 K coin Q star A K*2 Q", "K A*2 star Q coin K Q A", "Q*2 coin A K star A*2 K"]
"""


def told(text: str, kind: str, *, mode: str = "base", rounds: int = 2000) -> tuple[Build, list[Any], list[Any]]:
    """The build, and of the first round that has an event of a kind the events and the spins."""
    build = loads(GAME + text + STRIPS).build(mode=mode)
    engine, narrator = Engine(build), Narrator(build)
    for nonce in range(rounds):
        outcome = engine.spin(seeded_key("mechanics"), nonce).outcome
        events = narrator.book(1, outcome)["events"]
        if any(event["type"] == kind for event in events):
            return build, events, list(outcome.spins)
    raise AssertionError(f"no round has {kind}")


def first(events: list[Any], kind: str) -> Any:
    return next(event for event in events if event["type"] == kind)


def test_transforms_show_the_grid_before_and_after() -> None:
    text = (
        COUNT
        + """
[states.base]
strips = "base"
evaluators = ["count"]
transforms = [{ kind = "reveal", symbol = "star", table = { A = 1, K = 1 } }]
"""
    )
    _, events, spins = told(text, "transformBoard")
    shown = first(events, "reveal")["board"]
    changed = first(events, "transformBoard")
    assert [[cell["name"] for cell in reel[1:-1]] for reel in shown] == [list(reel) for reel in spins[0].stopped]
    assert [[cell["name"] for cell in reel[1:-1]] for reel in changed["board"]] == [list(r) for r in spins[0].window]
    stars = [{"reel": r, "row": i} for r, reel in enumerate(shown) for i, c in enumerate(reel) if c["name"] == "star"]
    assert changed["positions"] == [at for at in stars if 1 <= at["row"] <= 3]


CASCADE = (
    COUNT
    + """
[states.base]
strips = "base"
evaluators = ["count"]
cascade = { refill = "fresh", multipliers = [1, 2, 5], steps_max = 9 }
transforms = [{ kind = "values", symbols = ["coin"], table = { 2 = 1, 3 = 1 } }]
final = { symbols = ["coin"] }
"""
)


def test_cascades_tumble_climb_and_multiply() -> None:
    _, events, spins = told(CASCADE, "boardMultiplierInfo")
    (spin,) = spins
    tumbles = [event for event in events if event["type"] == "tumbleBoard"]
    assert len(tumbles) == len(spin.steps) > 0
    board = first(events, "reveal")["board"]
    for tumble, step in zip(tumbles, spin.steps, strict=True):
        # A front end takes the exploding cells away and puts the new ones on top.
        for reel, column in enumerate(board):
            gone = {at["row"] for at in tumble["explodingSymbols"] if at["reel"] == reel}
            new = tumble["newSymbols"][reel]
            assert len(new) == len(gone)
            kept = [cell for row, cell in enumerate(column) if 1 <= row <= 3 and row not in gone]
            board[reel] = [column[0], *new, *kept, column[4]]
        assert [[cell["name"] for cell in reel[1:-1]] for reel in board] == [list(reel) for reel in step.window]
        if step.values:
            values = [[cell.get("multiplier", 0) for cell in reel[1:-1]] for reel in board]
            assert values == [list(reel) for reel in step.values]
    multipliers = [event["globalMult"] for event in events if event["type"] == "updateGlobalMult"]
    assert multipliers == [2, 5, 5][: len(tumbles)][:2]
    (info,) = [event for event in events if event["type"] == "boardMultiplierInfo"]
    assert info["winInfo"]["boardMult"] == sum(at["multiplier"] for at in info["multInfo"]["positions"])
    assert info["winInfo"]["totalWin"] == info["winInfo"]["tumbleWin"] * info["winInfo"]["boardMult"]
    assert info["winInfo"]["totalWin"] == first(events, "setWin")["amount"]
    assert [e["amount"] for e in events if e["type"] == "updateTumbleWin"][-1] == info["winInfo"]["tumbleWin"]


HOLD = """
[modes.buy]
cost = 50
start = "hold"
spins = 3
[evaluators.coins]
kind = "collect"
symbol = "coin"
of = "total_bet"
at = "end"
[evaluators.star]
kind = "scatter"
symbol = "star"
of = "total_bet"
pays = { 3 = 1 }
[states.base]
strips = "base"
evaluators = ["star"]
transforms = [{ kind = "values", symbols = ["coin"], table = { 1 = 1, 5 = 1 } }]
triggers = [
  { name = "Hold", kind = "free_spins", symbol = "coin", spins = { 3 = 3 }, state = "hold", carry = ["coin"] },
  { name = "Grand", kind = "jackpot", jackpot = "grand", chance = 1, out_of = 2 },
]
[states.hold]
strips = "base"
evaluators = ["coins"]
draw = "cell"
transforms = [
  { kind = "values", symbols = ["coin"], table = { 1 = 1, 5 = 1 } },
  { kind = "stick", symbols = ["coin"] },
]
triggers = [{ name = "Again", kind = "free_spins", symbol = "coin", spins = { 1 = 3 }, state = "hold", fresh = true, reset = true }]
"""


@pytest.mark.parametrize("mode", ["base", "buy"])
def test_held_cells_stay_until_the_end(mode: str) -> None:
    _, events, spins = told(HOLD, "newStickySymbols", mode=mode)
    reveals = [event for event in events if event["type"] == "reveal"]
    held: set[tuple[int, int]] = set()
    if mode == "base":  # the coins of the paid spin are carried into the feature
        assert "held" not in reveals.pop(0)
        held = {(at["reel"], at["row"]) for at in first(events, "freeSpinTrigger")["positions"]}
        assert len(held) == 3
    stuck = iter([event for event in events if event["type"] == "newStickySymbols"])
    for place, reveal in enumerate(reveals):
        assert {(at["reel"], at["row"]) for at in reveal.get("held", [])} == held
        positions = spins[place + (mode == "base")].stops
        assert [positions[3 * r + i - 1] for r, i in sorted(held)] == [-1] * len(held)
        prizes = {(r, i) for r, reel in enumerate(reveal["board"]) for i, cell in enumerate(reel) if "prize" in cell}
        if prizes != held:
            new = next(stuck)["newPrizes"]
            assert {(at["reel"], at["row"]) for at in new} == prizes - held
            assert {at["prize"] for at in new} <= {100, 500}
        held = prizes
    assert next(stuck, None) is None
    assert first(events, "freeSpinEnd")["amount"] == events[-1]["amount"] - round(100 * spins[0].win_units / 10) * (
        mode == "base"
    )
    assert all(event["total"] <= len(spins) for event in events if event["type"] == "updateFreeSpin")


def test_jackpots_have_no_amount() -> None:
    _, events, _ = told(HOLD, "jackpotWin")
    assert first(events, "jackpotWin") == {"index": 1, "type": "jackpotWin", "name": "Grand", "jackpot": "grand"}


BONUSES = (
    COUNT
    + """
[bonuses.take]
kind = "take"
prizes = [1, 2, 2, 5]
take = 2
equal_multiplier = 3
of = "total_bet"
[bonuses.board]
kind = "trail"
squares = [1, 0, 3]
die = { 1 = 1, 2 = 1 }
rolls_max = 3
finish = 10
[bonuses.wheel]
kind = "wheel"
segments = [{ weight = 1, pay = 5 }, { weight = 1, spins = 2, state = "free" }, { weight = 1, pay = 1, bonus = "board" }]
[states.base]
strips = "base"
evaluators = ["count"]
multiplier = 2
triggers = [
  { name = "Wheel", kind = "bonus", symbol = "star", plays = { 2 = 1 }, bonus = "wheel" },
  { name = "Take", kind = "bonus", symbol = "coin", plays = { 2 = 1, 3 = 2 }, bonus = "take" },
]
[states.free]
strips = "base"
evaluators = ["count"]
"""
)


def test_bonuses_say_what_they_drew() -> None:
    _, events, _ = told(BONUSES, "takeBonus")
    take = first(events, "takeBonus")
    assert take["prizes"] == [200 * (1, 2, 2, 5)[place] for place in take["taken"]]
    assert take["amount"] == sum(take["prizes"]) * (3 if len(set(take["prizes"])) == 1 else 1)
    _, events, _ = told(BONUSES, "trailBonus")
    trail, wheel = first(events, "trailBonus"), first(events, "wheelBonus")
    assert wheel == {
        "index": wheel["index"], "type": "wheelBonus", "name": "Wheel", "bonus": "wheel", "line": 0, "segment": 2,
        "amount": 200,
    }  # fmt: skip
    assert trail["amount"] == 200 * sum((1, 0, 3, 10)[square - 1] for square in trail["squares"])
    _, events, _ = told(BONUSES, "freeSpinTrigger")
    assert (first(events, "wheelBonus")["segment"], first(events, "wheelBonus")["spins"]) == (1, 2)
    assert (first(events, "freeSpinTrigger")["totalFs"], first(events, "freeSpinTrigger")["positions"]) == (2, [])


BOOK = """
caps = { win = 20 }
modes = { buy = { cost = 500, start = "free", spins = 4 } }
[evaluators.lines]
kind = "lines"
paylines = ["000", "111", "222"]
pays = { A = { 2 = 1, 3 = 9 }, K = { 3 = 20 }, Q = { 3 = 30 } }
[states.base]
strips = "base"
evaluators = ["lines"]
triggers = [{ name = "Free", kind = "free_spins", symbol = "star", spins = { 2 = 4 }, state = "free" }]
[states.free]
strips = "base"
evaluators = ["lines"]
special = { name = "Book", table = { A = 1, K = 1, Q = 1 }, lines = "lines" }
triggers = [
  { name = "Stars", kind = "collected", symbol = "star", every = 2, spins = [3, 3], multipliers = [2, 10], state = "free" },
]
"""


def test_special_symbols_levels_and_the_maximum_win() -> None:
    text = BOOK.replace('modes = { buy = { cost = 500, start = "free", spins = 4 } }\n', "")
    _, events, spins = told(text, "wincap")
    kinds = [event["type"] for event in events]
    assert kinds.index("specialSymbol") == kinds.index("updateFreeSpin") + 1 == kinds.index("freeSpinTrigger") + 2
    assert first(events, "specialSymbol")["symbol"] == spins[1].special
    assert kinds.count("wincap") == 1
    ending = kinds[kinds.index("wincap") :]
    assert (ending[:3], ending[-2:]) == (["wincap", "setWin", "setTotalWin"], ["freeSpinEnd", "finalWin"])
    assert [event["amount"] for event in events if event["type"] in ("wincap", "finalWin")] == [2000, 2000]
    assert sum(event["amount"] for event in events if event["type"] == "setWin") == 2000
    _, events, spins = told(text, "updateCollected")
    collected = [event for event in events if event["type"] == "updateCollected"]
    assert [event["level"] for event in collected] == [min(event["collected"] // 2, 2) for event in collected]
    specials = [
        win
        for event in events
        if event["type"] == "winInfo"
        for win in event["wins"]
        if win["symbol"] == spins[1].special
    ]
    assert all(len(win["positions"]) in (win["kind"], 3 * win["kind"]) for win in specials)


def test_a_double_of_the_special_symbol_shows_it() -> None:
    text = BOOK.replace('modes = { buy = { cost = 500, start = "free", spins = 4 } }\n', "")
    doubles = '[doubles.AA]\nsymbol = "A"\ncount = 2\n'
    text = text.replace("A = { 2 = 1, 3 = 9 }", "A = { 2 = 1, 3 = 9, 4 = 9, 5 = 9, 6 = 9 }")
    model = loads(GAME.replace('"star"', '"star", "AA"') + doubles + text.replace("caps = { win = 20 }", "") + STRIPS)
    win = Win("Book", None, "A", 2, 1, 1, 5)
    window = (("K", "AA", "K"), ("K", "Q", "K"), ("Q", "Q", "A"))
    assert win_cells(model, model.states["free"], win, window) == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)]


def test_symbols_that_change_after_they_stick_are_refused() -> None:
    text = HOLD.replace(
        '  { kind = "stick", symbols = ["coin"] },',
        '  { kind = "stick", symbols = ["coin"] },\n  { kind = "replace", symbol = "star", into = "coin" },',
    )
    with pytest.raises(BooksError, match=r"states\.hold\.transforms\[2\] changes symbols after 'stick'.*behind it"):
        Narrator(loads(GAME + text + STRIPS).build())


def test_grids_before_transforms_of_refills_are_refused() -> None:
    text = CASCADE.replace(
        "{ 2 = 1, 3 = 1 } }]", '{ 2 = 1, 3 = 1 } }, { kind = "replace", symbol = "star", into = "A" }]'
    )
    stars = (
        '[evaluators.stars]\nkind = "scatter"\nsymbol = "star"\nof = "total_bet"\npays = { 3 = 1 }\nstopped = true\n'
    )
    text = stars + text.replace('evaluators = ["count"]', 'evaluators = ["count", "stars"]')
    with pytest.raises(
        BooksError, match=r"'stars' of state 'base' looks at the grid before transforms.*without 'stopped'"
    ):
        Narrator(loads(GAME + text + STRIPS).build())
    Narrator(loads(GAME + text.replace("stopped = true\n", "") + STRIPS).build())
