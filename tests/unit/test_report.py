"""Pages, workbooks, tables and notebooks: they hold the figures of the sheet, and a real browser shows them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet
import pytest

import rgs_core as rgs
from rgs_core import games
from rgs_core.__main__ import main
from rgs_core.commands import parsheet
from rgs_core.game import seeded_key
from rgs_core.language.model_file import load, loads
from rgs_core.report import ReportError, write_page, write_workbook
from rgs_core.report.columns import law_table
from rgs_core.sheet.sections import Cell
from rgs_core.sheet.sheet import Sheet, rounds_within
from rgs_core.simulation.montecarlo import EDGES_TENTHS, restored
from rgs_core.simulation.session_sampling import sample_sessions

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of one simulation."""
    folder = tmp_path_factory.mktemp("report")
    arguments = ["simulate", "lantern_tide", "--spins", "3e6", "--save", f"{folder}/run.json"]
    arguments += [
        "--report",
        f"{folder}/run.html",
        "--workbook",
        f"{folder}/run.xlsx",
        "--parquet",
        f"{folder}/run.parquet",
    ]
    assert main(arguments) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["run.html", "run.json", "run.parquet", "run.xlsx"]
    return folder


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    game = rgs.load("lantern_tide")
    return Sheet.of(game.build, game.simulate(3_000_000))


def texts(html: str) -> list[str]:
    return [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", html)]


def test_the_page_holds_every_figure_of_the_sheet(written: Path, sheet: Sheet) -> None:
    html = (written / "run.html").read_text("utf-8")
    assert texts(html) == [
        text
        for section in sheet.sections()
        for text in (*section.columns, *(str(c) for row in section.rows for c in row))
    ]
    assert html.count("<svg") == 4
    assert sheet.build.build_hash in html


def test_the_page_loads_nothing_and_runs_nothing(written: Path) -> None:
    html = (written / "run.html").read_text("utf-8")
    assert "<script" not in html
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"|url\(([^)]+)\)", html)
    assert all((a or b).startswith("#") for a, b in loaded)


def test_the_page_is_the_same_for_the_same_run(written: Path, sheet: Sheet, tmp_path: Path) -> None:
    write_page(sheet, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text("utf-8") == (written / "run.html").read_text("utf-8")


def test_titles_do_not_break_out_of_the_page(tmp_path: Path) -> None:
    text = games.find("ember_sevens").read_text().replace('title = "Ember Sevens"', 'title = "</title><b onload=x>&"')
    path = tmp_path / "evil.toml"
    path.write_text(text)
    write_page(rgs.load(path).exact(), tmp_path / "evil.html")
    html = (tmp_path / "evil.html").read_text()
    assert "<b onload" not in html
    assert "&lt;/title&gt;&lt;b onload=x&gt;&amp; 1.0.0" in html


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_shows_the_page(written: Path, tmp_path: Path) -> None:
    from PIL import Image

    page = (written / "run.html").as_uri()
    browser = [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path}/profile"]
    dom = subprocess.run([*browser, "--dump-dom", page], capture_output=True, text=True, timeout=60, check=True).stdout
    assert dom.count("<svg") == 4
    assert "96.495758 %" in dom
    shot = tmp_path / "page.png"
    subprocess.run(
        [*browser, "--window-size=1100,3600", f"--screenshot={shot}", page], capture_output=True, timeout=60, check=True
    )
    pixels = np.asarray(Image.open(shot).convert("RGB")).reshape(-1, 3)
    for name, colour in (
        ("exact", (0x0B, 0x6E, 0x99)),
        ("simulated", (0xD9, 0x73, 0x0D)),
        ("bars", (0x9F, 0xC5, 0xD8)),
    ):
        assert int((pixels == colour).all(axis=1).sum()) > 200, name
    narrow = tmp_path / "narrow.png"
    subprocess.run(
        [*browser, "--window-size=500,900", f"--screenshot={narrow}", page], capture_output=True, timeout=60, check=True
    )
    right = np.asarray(Image.open(narrow).convert("RGB"))[:, -8:]
    assert (right > 200).mean() > 0.9  # nothing runs out of a narrow window


def test_the_workbook_is_a_par_sheet_with_numbers(written: Path, sheet: Sheet) -> None:
    book = openpyxl.load_workbook(written / "run.xlsx")
    assert book.sheetnames == ["PAR sheet", "Pay tables", "Strips", "Wins", "Simulation"]
    front = {row[0]: row[1] for row in book["PAR sheet"].iter_rows(values_only=True) if row[0] and row[1] is not None}
    assert front["free spins start"] in ("1 in 105.41", pytest.approx(sheet.simulation.feature_frequency))  # type: ignore[union-attr]
    cells = {cell.value: cell for (cell,) in book["PAR sheet"].iter_rows(max_col=1) if cell.value}
    rtp = book["PAR sheet"].cell(cells["RTP"].row, 2)
    assert isinstance(rtp.value, float)
    assert "%" in rtp.number_format
    prizes = [row for row in book["Pay tables"].iter_rows(values_only=True) if row[0] == "whale"]
    assert [row[:4] for row in prizes[:2]] == [("whale", 5, 750, 4184), ("whale", 4, 150, 34944)]
    strips = list(book["Strips"].iter_rows(min_row=3, values_only=True))
    reel = load(games.find("lantern_tide")).build().strips(sheet.build.model.states["base"])[0]
    assert [row[1] for row in strips[: len(reel.symbols)]] == list(reel.symbols)
    wins = list(book["Wins"].iter_rows(min_row=2, max_col=2, values_only=True))
    assert wins[-1][1] == pytest.approx(sheet.law.above(wins[-1][0]))  # type: ignore[union-attr, arg-type]
    assert book["Wins"]._charts
    rounds = sum(row[2] for row in book["Simulation"].iter_rows(min_row=2, values_only=True) if row[2])
    assert rounds == 3_000_000


def test_the_parquet_table_and_its_state(written: Path, sheet: Sheet) -> None:
    table = pyarrow.parquet.read_table(written / "run.parquet")
    assert table.column_names == ["above_stakes", "up_to_stakes", "rounds", "share"]
    assert table.num_rows == len(EDGES_TENTHS) + 1
    assert sum(table["rounds"].to_pylist()) == 3_000_000
    state = json.loads(table.schema.metadata[b"simulation"])
    assert restored(sheet.build, state) == sheet.simulation
    assert json.loads((written / "run.json").read_text()) == state


def test_parsheet_writes_files_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = [f"--report={tmp_path}/a.html", f"--workbook={tmp_path}/a.xlsx"]
    assert main(["parsheet", "ember_sevens", *target, "--session", "20:300"]) == 0
    out = capsys.readouterr().out
    assert f"wrote {tmp_path}/a.html" in out
    assert "20 stakes, 300 spins" in out
    assert (tmp_path / "a.html").read_text().count("<svg") == 2
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames == ["PAR sheet", "Pay tables", "Strips", "Wins"]
    assert main(["parsheet", "ember_sevens", f"--report={tmp_path}/no/a.html"]) == 2
    assert "no folder for" in capsys.readouterr().err
    for text in ("20", "x:5", "0:5", "20:0"):
        with pytest.raises(SystemExit):
            main(["parsheet", "ember_sevens", "--session", text])
        assert "STAKES:SPINS" in capsys.readouterr().err
    assert main(["parsheet", "ember_sevens", "--session", "99999999:5"]) == 2
    assert "a bankroll is 1 to" in capsys.readouterr().err


def test_a_missing_package_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, sheet: Sheet, tmp_path: Path
) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("rgs_core.report.workbook"):
            raise ImportError("no", name="openpyxl")
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ReportError, match=r"reports need openpyxl: pip install 'rgs-core\[report\]'"):
        write_workbook(sheet, tmp_path / "a.xlsx")


def test_a_game_without_an_exact_law_still_has_a_page(tmp_path: Path) -> None:
    text = games.find("ember_sevens").read_text().replace("ember = { 3 = 1000 }", "ember = { 3 = 90000001 }")
    path = tmp_path / "tall.toml"
    path.write_text(text)
    game = rgs.load(path)
    sheet = Sheet.of(game.build, game.simulate(600_000))
    assert sheet.law is None
    write_page(sheet, tmp_path / "tall.html")
    html = (tmp_path / "tall.html").read_text()
    assert "too many for the exact law of wins" in html
    assert html.count("<svg") == 3
    write_workbook(sheet, tmp_path / "tall.xlsx")


def test_the_sheet_of_such_a_game_has_estimates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsheet, "ESTIMATE_SECONDS", 1e6)  # as many as there are at most
    text = games.find("ember_sevens").read_text().replace("ember = { 3 = 1000 }", "ember = { 3 = 90000001 }")
    path = tmp_path / "tall.toml"
    path.write_text(text)
    assert main(["parsheet", str(path)]) == 0
    out = capsys.readouterr().out
    assert "95 % from" in out
    assert "too many for the exact law of wins" in out
    assert "Estimates are of 10,000,000 simulated rounds. --spins N plays more." in out
    monkeypatch.setattr(parsheet, "ESTIMATE_SECONDS", 1e-6)  # so few that they say something
    assert main(["parsheet", str(path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Estimates are of 20,000 simulated rounds. More would take longer than 0 s: --spins N plays more." in out
    assert main(["parsheet", str(path), "--json", "--spins", "3e5", "--session", "20:300"]) == 0
    sheet = json.loads(capsys.readouterr().out)
    assert sheet["wins"] is None
    assert sheet["simulated"]["rounds"] == 300_000
    (played,) = sheet["sessions_estimated"]
    assert played["sessions"] == 1000
    assert played["ruined"] + played["doubled"] + played["neither"] == pytest.approx(1)
    assert main(["parsheet", str(path), "--spins", "3e5", "--session", "20:5000"]) == 2
    assert "3e5 or more" not in (said := capsys.readouterr().err)
    assert "300,000 rounds are 60 sessions of 5,000 spins; --spins 500000 or more" in said


@pytest.mark.parametrize("name", ["canopy_rise", "rose_window"])
def test_a_sheet_of_estimates_has_no_empty_columns_and_gives_the_reason_once(name: str, tmp_path: Path) -> None:
    game = rgs.load(name)
    sheet = Sheet.of(game.build, game.simulate(20_000))
    sections = sheet.sections()
    for section in sections:
        for i, column in enumerate(section.columns):
            assert any(row[i].value not in (None, "") for row in section.rows), (section.title, column)
    shown = [cell for section in sections for row in section.rows for cell in map(str, row)] + [sheet.remark]
    assert sum(sheet.law_skipped in text for text in shown) == 1
    assert sheet.remark.endswith("Estimates are of 20,000 simulated rounds.")
    (evaluator,) = game.model.evaluators.values()
    table = next(s for s in sections if s.title == f"Pay table of '{evaluator.name}', units by count")
    assert [row[0].value for row in table.rows] == list(evaluator.pays)
    write_page(sheet, tmp_path / "a.html")
    html = unescape((tmp_path / "a.html").read_text("utf-8"))
    assert html.count(sheet.law_skipped) == 1
    assert table.title in html
    assert "not computed" not in html
    write_workbook(sheet, tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    cells = [str(cell) for page in book for row in page.iter_rows(values_only=True) for cell in row if cell]
    assert sum(sheet.law_skipped in text for text in cells) == 1
    assert table.title in [cell for (cell, *_) in book["Pay tables"].iter_rows(values_only=True)]


def test_states_with_a_closed_form_have_one_where_the_game_has_none() -> None:
    """A base that only visiting could count, with free spins of plain lines."""
    text = games.find("thistle_moor").read_text()
    cascading = loads(text.replace("[states.base]\n", '[states.base]\ncascade = { refill = "fresh", steps_max = 9 }\n'))
    sheet = Sheet.of(cascading.build())
    assert sheet.law is None
    assert list(sheet.analysis.figures) == ["free"]
    assert any(section.title.startswith("Pay table of state 'free'") for section in sheet.sections())


def test_sessions_that_are_played_out_agree_with_the_law() -> None:
    game = rgs.load("ember_sevens")
    law = game.exact().law
    assert law is not None
    key = seeded_key("sessions")
    played = sample_sessions(game.build, key, 20, 100, 2_000_000, threads=2)
    exact = law.session(20, 100)
    for count, odds in (
        (played.ruined, exact.ruined),
        (played.doubled, exact.doubled),
        (played.neither, exact.neither),
    ):
        low, high = played.interval(count, 0.9999)
        assert low < odds < high
    assert played.mean_left == pytest.approx(exact.mean_left, rel=0.05)
    few = sample_sessions(game.build, key, 3, 7, 700, first_nonce=5)
    by_hand = [0, 0, 0, 0]
    for session in range(100):
        money, stake = 3 * game.build.play.cost_units, game.build.play.cost_units
        for i in range(7):
            money += game.engine.spin(key, 5 + 7 * session + i).win_units - stake
            if money < stake or money >= 6 * stake:
                break
        place = 0 if money < stake else 1 if money >= 6 * stake else 2
        by_hand[place] += 1
        by_hand[3] += money if place == 2 else 0
    assert [few.ruined, few.doubled, few.neither, few.left_units] == by_hand


# --- Notebooks -------------------------------------------------------------------------------------


def test_a_game_in_a_notebook() -> None:
    game = rgs.load("lantern_tide/rtp_94")
    assert repr(game).startswith("<Game lantern_tide/rtp_94 sha256:")
    assert [g.build.label for g in game.profiles] == [f"lantern_tide/rtp_{n}" for n in (96, 94, 92)]
    sheet = game.exact()
    assert sheet is game.exact()
    assert sheet.rtp == pytest.approx(0.9448554002)
    assert "94.485540 %" in sheet._repr_html_()
    frames = sheet.frames()
    assert frames["Round"].iloc[0].tolist()[:2] == ["RTP", pytest.approx(0.9448554002)]
    law = sheet.law
    assert law is not None
    assert law.frame()["probability"].sum() == pytest.approx(1)
    assert law_table(law).to_pandas().equals(law.frame())
    run = game.simulate(10**6, keep="win>=100x")
    assert run.rtp == pytest.approx(0.945, abs=0.02)
    assert "RTP" in run._repr_html_()
    frame = run.frame()
    assert isinstance(frame, pd.DataFrame)
    assert int(frame["rounds"].sum()) == 10**6
    nonce, win = run.kept[0]
    assert game.spin(nonce).win_units == win
    assert game.simulate(10**9, until="rtp=2%@90").rounds < 10**8


def test_the_forms_of_cells() -> None:
    for value, form, text in (
        (0.5, "percent", "50.000000 %"),
        (1234.5, "stakes", "1,234.500000 x"),
        (3.0, "stakes", "3 x"),
        (12, "count", "12"),
        (12.25, "count", "12.2500"),
        (0.25, "probability", "0.250000000"),
        (1e-7, "probability", "1.0000e-07"),
        (0.0, "probability", "0"),
        (12345.678, "odds", "12,345.68"),
        (None, "percent", ""),
        ("x", "percent", "x"),
    ):
        assert str(Cell(value, form)) == text  # type: ignore[arg-type]
    assert rounds_within(0.5, 0.5) == 1
    assert rounds_within(0.01, 0.95) == 299
    assert rounds_within(1.0, 0.5) == 1
