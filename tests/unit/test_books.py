"""rgs export: books read back say exactly what the engine played, and nothing is left half-written."""

from __future__ import annotations

import builtins
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from book_files import Book, read

from rgs_core import Engine, games
from rgs_core.__main__ import main
from rgs_core.books.amounts import FEATURE_LEVELS, WIN_LEVELS, check_hundredths
from rgs_core.books.events import Narrator
from rgs_core.books.files import BLOCK_BOOKS, write_books, write_index
from rgs_core.errors import BooksError
from rgs_core.game import seeded_key
from rgs_core.language.model import Build
from rgs_core.language.model_file import load, loads
from rgs_core.language.starters import starter
from rgs_core.outcome import Outcome

KEY = seeded_key("books")

PICKS = """
format = 1
id = "picks"
title = "Picks"
version = "1"
symbols = ["wild", "star", "chest", "A", "K"]
stake = { units = 4 }
grid = { reels = 3, rows = 3 }
caps = { free_spins = 7 }
wilds.wild = { substitutes = ["A", "K"], multiplier = 2, combine = "product" }
bonuses.treasure = { kind = "pick", prizes = [{ pay = 5, weight = 3 }, { pay = 20, weight = 1 }], picks = { 2 = 1, 3 = 1 } }
[evaluators.lines]
kind = "lines"
paylines = ["111", "000", "222", "012"]
pays = { wild = { 3 = 40 }, A = { 2 = 1, 3 = 7 }, K = { 3 = 3 } }
[evaluators.stars]
kind = "scatter"
symbol = "star"
of = "total_bet"
pays = { 2 = 1, 3 = 5 }
[states.base]
strips = "base"
evaluators = ["lines", "stars"]
triggers = [
  { name = "Free", kind = "free_spins", symbol = "star", spins = { 2 = 3, 3 = 5 }, state = "free" },
  { name = "Treasure", kind = "pick", pattern = ["chest", "*", "chest"], pick = "treasure" },
]
[states.free]
strips = "base"
evaluators = ["stars", "lines"]
multiplier = 3
multiplier_exempt = ["stars"]
triggers = [
  { name = "More", kind = "free_spins", symbol = "star", spins = { 2 = 3 }, state = "free" },
  { name = "Treasure2", kind = "pick", pattern = ["chest"], pick = "treasure" },
]
[profiles.main.strips]
base = ["A K:3 wild K star chest A:2", "K A wild K A star", "A K chest wild K:2 star A"]
"""


def builds() -> dict[str, Build]:
    return {
        "lantern_tide": load(games.find("lantern_tide")).build(),
        "ember_sevens": load(games.find("ember_sevens")).build(),
        "starter": loads(starter("mine")).build(),
        "picks": loads(PICKS).build(),
    }


@pytest.mark.parametrize("name", builds())
def test_the_files_say_what_the_simulation_says(name: str, tmp_path: Path) -> None:
    build, first, n = builds()[name], 10**6, BLOCK_BOOKS + 321
    counted: list[int] = []
    written = write_books(build, KEY, n, tmp_path, first_nonce=first, progress=counted.append)
    write_index([build], tmp_path)
    assert counted == [BLOCK_BOOKS, n]
    books, rows = read(tmp_path)
    assert [book["id"] for book in books] == [number for number, _, _ in rows] == list(range(1, n + 1))
    assert [book["payoutMultiplier"] for book in books] == [payout for _, _, payout in rows]
    assert {weight for _, weight, _ in rows} == {1}
    totals = Engine(build).simulate(KEY, first, n)
    stake = build.model.stake_units
    assert sum(payout * weight for _, weight, payout in rows) * stake == 100 * totals["win"]
    assert written.payout * stake == 100 * totals["win"]
    assert written.payout_squared * stake**2 == 100**2 * totals["win_squared"]
    assert written.payout_max * stake == 100 * totals["win_max"]
    assert written.hits == totals["hits"] == sum(payout > 0 for _, _, payout in rows)
    assert written.features == totals["features"] == sum(book["criteria"] == "freegame" for book in books)
    free = sum(totals["parts"][1].values()) if len(totals["parts"]) > 1 else 0
    assert round(100 * sum(book["freeGameWins"] for book in books)) * stake == 100 * free
    assert written.free_payout * stake == 100 * free
    assert written.rtp == pytest.approx(totals["win"] / n / stake)
    assert written.off_step == sum(payout % 10 > 0 for _, _, payout in rows)


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("name", builds())
def test_events_tell_the_round(name: str, padding: bool) -> None:
    """Every event is worked out again from the records of the round."""
    build = builds()[name]
    engine, narrator = Engine(build), Narrator(build, padding=padding)
    seen: set[str] = set()
    for nonce in range(400):
        outcome = engine.spin(KEY, nonce).outcome
        book = narrator.book(nonce + 1, outcome)
        seen |= {event["type"] for event in book["events"]}
        assert [event["index"] for event in book["events"]] == list(range(len(book["events"])))
        check_book(build, outcome, book, 1 if padding else 0)
    expected = {"reveal", "winInfo", "setWin", "setTotalWin", "finalWin"}
    if len(build.model.states) > 1:
        expected |= {"freeSpinTrigger", "updateFreeSpin", "freeSpinEnd"}
    if name == "picks":
        expected |= {"pickBonus", "freeSpinRetrigger"}
    assert expected <= seen


def check_book(build: Build, outcome: Outcome, book: Book, pad: int) -> None:
    model, stake = build.model, build.model.stake_units
    events = list(book["events"])
    base = outcome.spins[0].win_units
    assert book["payoutMultiplier"] * stake == 100 * outcome.win_units
    assert book["baseGameWins"] * stake == pytest.approx(base)
    assert book["freeGameWins"] * stake == pytest.approx(outcome.win_units - base)
    kinds = {True: "freegame", False: "basegame" if outcome.win_units else "0"}
    assert book["criteria"] == kinds[len(outcome.spins) > 1]
    total = granted = 0
    for spin in outcome.spins:
        state = model.states[spin.state]
        if spin.sub_spin:
            update = events.pop(0)
            assert (update["type"], update["amount"], update["total"]) == ("updateFreeSpin", spin.sub_spin - 1, granted)
        reveal = events.pop(0)
        assert reveal["type"] == "reveal"
        assert reveal["gameType"] == ("freegame" if spin.sub_spin else "basegame")
        for reel, stop in enumerate(spin.stops):
            strip = build.strips(state)[reel]
            shown = strip.window(stop - pad, model.rows + 2 * pad)
            assert [cell["name"] for cell in reveal["board"][reel]] == list(shown)
        assert reveal["paddingPositions"] == list(spin.stops)
        marked = {cell["name"] for reel in reveal["board"] for cell in reel if "scatter" in cell}
        assert marked <= {"star", "moon"}
        assert {cell["name"] for reel in reveal["board"] for cell in reel if "wild" in cell} <= model.wilds.keys()
        won = 0
        if spin.sub_spin == 1 and state.multiplier != 1:
            assert events.pop(0) == {
                "index": reveal["index"] + 1,
                "type": "updateGlobalMult",
                "globalMult": state.multiplier,
            }
        if spin.wins:
            info = events.pop(0)
            assert info["type"] == "winInfo"
            assert info["totalWin"] == sum(win["win"] for win in info["wins"])
            assert len(info["wins"]) == len(spin.wins)
            for told, win in zip(info["wins"], spin.wins, strict=True):
                assert told["win"] * stake == 100 * win.amount_units
                assert (told["symbol"], told["kind"]) == (win.symbol, win.count)
                assert told["meta"].get("lineIndex") == win.line
                assert told["meta"]["winWithoutMult"] * told["meta"]["multiplier"] == told["win"]
                cells = {reveal["board"][at["reel"]][at["row"]]["name"] for at in told["positions"]}
                assert len(told["positions"]) == win.count
                assert cells <= {win.symbol, *(w for w, v in model.wilds.items() if win.symbol in v.substitutes)}
            won += info["totalWin"]
        while events[0]["type"] == "pickBonus":
            pick = events.pop(0)
            assert pick["amount"] == sum(map(sum, pick["prizes"]))
            won += pick["amount"]
        assert won * stake == 100 * spin.win_units
        if won:
            told = events.pop(0)
            assert (told["type"], told["amount"]) == ("setWin", won)
            assert 1 <= told["winLevel"] <= 10
        total += won
        told = events.pop(0)
        assert (told["type"], told["amount"]) == ("setTotalWin", total)
        while events[0]["type"] in ("freeSpinTrigger", "freeSpinRetrigger"):
            trigger = events.pop(0)
            assert trigger["type"] == ("freeSpinRetrigger" if spin.sub_spin else "freeSpinTrigger")
            assert granted < trigger["totalFs"] <= model.free_spins_max
            granted = trigger["totalFs"]
            assert all(reveal["board"][at["reel"]][at["row"]].get("scatter") for at in trigger["positions"])
    assert granted == len(outcome.spins) - 1
    if granted:
        end = events.pop(0)
        assert (end["type"], end["amount"]) == ("freeSpinEnd", round(100 * book["freeGameWins"]))
    (final,) = events
    assert (final["type"], final["amount"]) == ("finalWin", book["payoutMultiplier"])


def test_anticipation_begins_where_one_more_scatter_is_enough() -> None:
    build = loads(starter("mine")).build()  # three stars award spins
    engine, narrator = Engine(build), Narrator(build)
    seen = set()
    for nonce in range(3000):
        outcome = engine.spin(KEY, nonce).outcome
        reveal = narrator.book(1, outcome)["events"][0]
        stars, level = 0, 0
        for reel, told in zip(outcome.spins[0].window, reveal["anticipation"], strict=True):
            level = level + 1 if stars >= 2 else 0
            assert told == level
            stars += reel.count("star")
        seen.add(tuple(reveal["anticipation"]))
    assert {(0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 1, 2, 3)} <= seen


def test_levels_rise_with_the_win() -> None:
    assert list(WIN_LEVELS) == sorted(WIN_LEVELS)
    assert list(FEATURE_LEVELS) == sorted(FEATURE_LEVELS)
    assert len(WIN_LEVELS) == len(FEATURE_LEVELS) == 9


def test_prizes_that_are_no_whole_hundredths_are_refused(tmp_path: Path) -> None:
    thirds = starter("mine").replace("units = 10\n", "units = 3\n", 1)
    message = r"evaluators\.lines\.pays\.wild\.3 is 50 of 3 units, 1666\.6667 hundredths; choose stake\.units or pays"
    with pytest.raises(BooksError, match=message):
        write_books(loads(thirds).build(), KEY, 10, tmp_path)
    assert not list(tmp_path.iterdir())
    text = (
        PICKS.replace("units = 4 }", "units = 400 }").replace("2 = 1, 3 = 7", "2 = 4, 3 = 8").replace("3 = 3", "3 = 4")
    )
    with pytest.raises(BooksError, match=r"bonuses\.treasure\.prizes is 5 of 400 units, 1\.2500 hundredths"):
        check_hundredths(loads(text).build())


def test_a_round_that_has_no_form_is_refused() -> None:
    build = builds()["lantern_tide"]
    narrator = Narrator(build)
    narrator._stake = 7
    with pytest.raises(BooksError, match="3 of 7 units"):
        narrator.hundredths(3)
    narrator = Narrator(build)
    spin = Engine(build).spin(KEY, 0).outcome.spins[0]
    with pytest.raises(BooksError, match="do not add up"):
        narrator.book(1, Outcome((spin,), spin.win_units + 20))

    with pytest.raises(BooksError, match="more were awarded"):
        narrator.book(1, triggered(build))
    free = replace(spin, state="free")
    with pytest.raises(BooksError, match="spin 0 of 'free' was not awarded"):
        narrator.book(1, Outcome((free,), free.win_units))


def triggered(build: Build) -> Outcome:
    """A round that stops at the spin that awards others."""
    rounds = (Engine(build).spin(KEY, nonce).outcome for nonce in range(1000))
    spin = next(outcome.spins[0] for outcome in rounds if outcome.spins[0].awards)
    return Outcome((spin,), spin.win_units)


@pytest.mark.parametrize(
    ("books", "first", "message"),
    [(0, 0, "1 to 10,000,000"), (10**7 + 1, 0, "1 to 10,000,000"), (2, 2**64 - 1, "below 2"), (1, -1, "below 2")],
)
def test_numbers_out_of_range(books: int, first: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write_books(builds()["picks"], KEY, books, tmp_path, first_nonce=first)
    assert not list(tmp_path.iterdir())


# -- the command -----------------------------------------------------------------------------------------


def test_export_prints_the_rtp_beside_the_exact_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "books"
    arguments = ["export", "lantern_tide", "--books", "3e3", "--seed", "s", "--first-nonce", "5"]
    assert main([*arguments, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "96.495758 %" in text
    assert f"wrote {out}" in text
    assert "no multiple of 0.1 x" in text
    books, rows = read(out)
    assert len(books) == 3000
    other = tmp_path / "same"
    assert main([*arguments, "--out", str(other), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (data,) = data["modes"]
    assert (data["mode"], data["cost"]) == ("base", 1.0)
    assert data["rtp"] == sum(payout for _, _, payout in rows) / 300_000
    assert data["rtp_exact"] == pytest.approx(0.96495758, abs=1e-8)
    assert abs(data["rtp"] - data["rtp_exact"]) < 2 * data["rtp_half_width_95"]
    for name in ("index.json", "lookUpTable_base_0.csv", "books_base.jsonl.zst"):
        assert (out / name).read_bytes() == (other / name).read_bytes()
    # Book k is round first + k - 1: rgs spin draws it.
    best = max(rows, key=lambda row: row[2])
    assert main(["spin", "lantern_tide", "--seed", "s", "--nonce", str(5 + best[0] - 1), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["win_units"] * 5 == best[2]


def test_the_starter_passes_the_check_of_publishers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(starter("mine"))
    assert main(["export", str(path), "--books", "2000", "--out", str(tmp_path / "b"), "--no-padding"]) == 0
    assert "multiple" not in capsys.readouterr().out
    books, rows = read(tmp_path / "b")
    assert all(payout % 10 == 0 for _, _, payout in rows)
    assert {len(reel) for book in books for reel in book["events"][0]["board"]} == {3}


@pytest.mark.parametrize(
    ("out", "message"),
    [("full", "is not empty"), ("full/precious.txt", "is a file"), ("no/such/place", "no folder")],
)
def test_where_books_cannot_go(out: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/precious.txt").write_text("x")
    assert main(["export", "ember_sevens", "--books", "10", "--out", str(tmp_path / out)]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "precious.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["export", "ember_sevens", "--books", "10", "--out", str(tmp_path / "empty")]) == 0
    assert len(read(tmp_path / "empty")[0]) == 10


def test_too_many_books(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "ember_sevens", "--books", "10000001", "--out", str(tmp_path / "b")]) == 2
    assert "is more than 10,000,000" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    played = Narrator.book
    monkeypatch.setattr(Narrator, "book", lambda self, n, o: played(self, n, o) if n < 2500 else 1 / 0)
    assert main(["export", "ember_sevens", "--books", "3000", "--out", str(tmp_path / "b")]) == 2
    assert "division by zero" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rgs_core",
        "export",
        "lantern_tide",
        "--books",
        "1e7",
        "--out",
        str(tmp_path / "b"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(200):
        time.sleep(0.05)
        (*files,) = tmp_path.glob(".b.*/books_base.jsonl.zst")
        if files and files[0].stat().st_size:
            break
    assert not (tmp_path / "b").exists()
    assert len(files) == 1
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in message.decode()
    assert not list(tmp_path.iterdir())


def test_without_zstandard_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name in ("compression", "backports"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["export", "ember_sevens", "--books", "10", "--out", str(tmp_path / "b")]) == 2
    assert "pip install backports.zstd" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_number_of_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    from rgs_core.books import files as books

    monkeypatch.setattr(books, "BLOCK_BOOKS", 100)
    build, peaks = builds()["ember_sevens"], []
    write_books(build, KEY, 100, tmp_path)
    for n in (200, 2000):
        tracemalloc.start()
        write_books(build, KEY, n, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # ten times the books, some kilobytes each
