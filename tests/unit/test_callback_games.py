"""Games with callbacks from the file to the certificate: commands, simulation, sheet, marks, and who refuses them."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from rgs_server.catalogue import load_catalogue

from rgs_core import Engine, games
from rgs_core.__main__ import main
from rgs_core.certified.certificate import load_certificate
from rgs_core.certified.verification import compare_exact
from rgs_core.engine.playing import PLAIN, PlainPlayer, player
from rgs_core.errors import CallbackError, CertificateError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.stats import z_for
from rgs_core.game import load as load_game
from rgs_core.game import seeded_key
from rgs_core.language.callback import BITS_MAX, BUILTINS, METHODS, SOURCE_BYTES_MAX, STEPS_MAX, View
from rgs_core.language.model import CALLBACK_DRAWS_MAX
from rgs_core.language.model_file import load, loads
from rgs_core.outcome import Win
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation import montecarlo
from rgs_core.simulation.montecarlo import Keep, Simulation, Until, simulate

NOTE = "Simulated only: state 'base' has the callback storm.py:storm, a function in Python."
KEY = seeded_key("rgs")
PAGE = Path(__file__).parents[2] / "docs/math-models.md"

WORDS = """\
format = 1
id = "storm"
title = "Storm"
version = "1"
symbols = ["star", "A", "B"]
stake.units = 2
grid = { reels = 3, rows = 3 }

[evaluators.ways]
kind = "ways"
pays = { A = { 3 = 1 }, B = { 3 = 1 } }

[evaluators.stars]
kind = "scatter"
symbol = "star"
of = "total_bet"
pays = { 2 = 1, 3 = 4 }

[states.base]
strips = "base"
evaluators = ["ways", "stars"]

[[states.base.triggers]]
name = "FreeSpins"
kind = "free_spins"
symbol = "star"
spins = { 3 = 4 }
state = "free"

[states.free]
strips = "base"
evaluators = ["ways", "stars"]

[profiles.main.strips]
base = ["A B star B B A B A A", "B A star A B B B A B", "A star B B A A B B A"]
"""
CALLBACK = """\
PAYS = [0, 0, 2, 8]


def storm(spin, draw):
    return {"wins": {"stars": PAYS[min(sum(reel.count("star") for reel in spin.grid), 3)]}}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """WORDS with the stars of the paid spin as a callback."""
    (tmp_path / "storm.py").write_text(CALLBACK)
    path = tmp_path / "storm.toml"
    base = '[states.base]\nstrips = "base"\nevaluators = ["ways"'
    path.write_text(WORDS.replace(f'{base}, "stars"]', f'{base}]\ncallback = "storm.py:storm"'))
    return path


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> int:
    """Shards of 64 rounds, so that short runs have many."""
    monkeypatch.setattr(montecarlo, "PLAIN_SHARD_ROUNDS", 64)
    return 64


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 0
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    return capsys.readouterr().err


def failing(model: Path) -> Path:
    """A callback that fails in some of the rounds."""
    model.with_name("storm.py").write_text(
        "def storm(spin, draw):\n    assert draw(40), 'drew nothing'\n    return {}\n"
    )
    return model


# -- playing ------------------------------------------------------------------------------------------------


def test_the_plain_player_has_the_sums_of_the_engine() -> None:
    """On shipped games, which have no callback: the same rounds, the same totals."""
    for name in ("lantern_tide", "thistle_moor", "salt_codex"):
        build = load(games.find(name)).build()
        edges = (0, 10, 100)
        assert PlainPlayer(build).simulate(KEY, 5, 60, edges=edges) == Engine(build).simulate(KEY, 5, 60, edges=edges)
        assert PlainPlayer(build).spin(KEY, 3) == Engine(build).spin(KEY, 3)


def test_only_builds_with_callbacks_are_played_plainly(model: Path) -> None:
    assert isinstance(player(loads(WORDS).build()), Engine)
    plays = player(load(model).build())
    assert isinstance(plays, PlainPlayer)
    assert (plays.kernel, plays.general_because) == (PLAIN, NOTE)


def test_a_scatter_as_a_callback_has_the_rtp_of_the_word(model: Path, small_shards: int) -> None:
    """Round by round the same wins, so the same sums as the engine's, about the exact RTP of the words."""
    words = loads(WORDS).build()
    result = simulate(load(model).build(), KEY, 2_000)
    expected = simulate(words, KEY, 2_000)
    for name in ("win", "win_squared", "hits", "features", "spins", "classes", "win_max", "win_max_nonce", "fired"):
        assert result.totals[name] == expected.totals[name], name
    assert result.totals["parts"][0]["storm"] == expected.totals["parts"][0]["stars"] > 0
    exact = analyse(words)
    assert exact.rtp is not None
    assert exact.sd is not None
    assert abs(result.rtp - float(exact.rtp)) < z_for(0.9999) * exact.sd / 2_000**0.5


# -- simulation ---------------------------------------------------------------------------------------------


def test_processes_give_the_very_same_result(model: Path, small_shards: int) -> None:
    build, keep = load(model).build(), Keep.parse("win>=4x")
    one = simulate(build, KEY, 300, keep=keep)
    two = simulate(build, KEY, 300, keep=keep, threads=2)
    assert one == two
    assert [n for n, _, _ in one.shards] == [64, 64, 64, 64, 44]
    assert one.kept
    assert all(player(build).spin(KEY, nonce).win_units == win for nonce, win in one.kept)


def test_resume_equals_a_straight_run(model: Path, small_shards: int) -> None:
    build = load(model).build()
    part = simulate(build, KEY, 200)
    state = json.loads(json.dumps(part.state()))
    resumed = simulate(build, KEY, 330, resume=montecarlo.restored(build, state))
    assert resumed == simulate(build, KEY, 330)


def test_until_stops_by_itself(model: Path, small_shards: int) -> None:
    until = Until.parse("hit_frequency=4%@95")
    result = simulate(load(model).build(), KEY, 10_000, until=until)
    assert result.finished
    assert until.reached(result)
    assert result.rounds < 10_000


def test_the_commands_save_and_resume(model: Path, small_shards: int, capsys: pytest.CaptureFixture[str]) -> None:
    file = model.with_name("run.json")
    shown(capsys, "simulate", model, "--spins", 100, "--threads", 1, "--save", file)
    text = shown(capsys, "simulate", model, "--spins", 180, "--threads", 1, "--resume", file, "--json")
    assert json.loads(text) == json.loads(shown(capsys, "simulate", model, "--spins", 180, "--threads", 1, "--json"))
    assert json.loads(text)["callbacks"] == {"base": "storm.py:storm"}


def test_an_error_ends_the_command_with_its_round_and_line(
    model: Path, small_shards: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (
        ["check", failing(model)],
        ["simulate", model, "--spins", 300, "--threads", 1],
        ["simulate", model, "--spins", 300, "--threads", 2],
    ):
        text = failed(capsys, *command)
        found = re.fullmatch(
            rf"rgs {command[0]}: storm/main, round (\d+): state 'base', spin 1 of its feature, callback storm\.py:storm, "
            r"line 2: AssertionError: drew nothing\n",
            text,
        )
        assert found, text
        assert "line 2: AssertionError" in failed(capsys, "spin", model, "--nonce", found[1])


# -- marks --------------------------------------------------------------------------------------------------


def test_check_names_the_kernel_and_the_callback(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "check", model)
    assert PLAIN in text
    assert f"storm/main is played by plain Python, tried with 200 rounds. {NOTE}" in text
    (row,) = json.loads(shown(capsys, "check", model, "--json"))
    assert (row["kernel"], row["callbacks"]) == (PLAIN, {"base": "storm.py:storm"})


def test_a_record_is_marked_and_replayed_and_a_changed_callback_is_found(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nonce = next(
        n
        for n in range(200)
        if any(win.symbol == "stars" for win in player(load(model).build()).spin(KEY, n).spins[0].closing)
    )
    text = shown(capsys, "spin", model, "--nonce", nonce)
    assert "storm (callback): stars = " in text
    assert NOTE in text
    record = json.loads(shown(capsys, "spin", model, "--nonce", nonce, "--json"))
    assert record["callbacks"] == {"base": "storm.py:storm"}
    assert record["spins"][0]["closing"][0]["evaluator"] == "storm"
    file = model.with_name("record.json")
    file.write_text(json.dumps(record))
    text = shown(capsys, "replay", file, "--model", model)
    assert " MATCH" in text
    assert NOTE in text
    record["spins"][0]["closing"][0]["amount_units"] += 1  # is not looked at: the digest is
    record["outcome_digest"] = "0" * 64
    file.write_text(json.dumps(record))
    assert main(["replay", str(file), "--model", str(model)]) == 1
    source = model.with_name("storm.py")
    source.write_text(source.read_text().replace("[0, 0, 2, 8]", "[0, 0, 2, 9]"))
    assert "no build sha256:" in failed(capsys, "replay", file, "--model", model)


def test_the_sheet_keeps_what_is_exact_and_estimates_the_rest(
    model: Path, monkeypatch: pytest.MonkeyPatch, small_shards: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from rgs_core.commands import parsheet

    monkeypatch.setattr(parsheet, "PLAIN_ESTIMATE_ROUNDS", 60)
    page = model.with_name("page.html")
    text = shown(capsys, "parsheet", model, "--report", page)
    assert text.count(NOTE) == 1
    assert NOTE.replace("'", "&#x27;") in page.read_text()
    assert "callback of 'base' │ storm.py:storm" in text
    assert "state 'base' has a callback, which is simulated only" in text
    sheet = json.loads(shown(capsys, "parsheet", model, "--json"))
    assert (sheet["callbacks"], sheet["rtp_exact"], sheet["simulated"]["rounds"]) == (
        {"base": "storm.py:storm"},
        None,
        60,
    )
    analysis, words = analyse(load(model).build()), analyse(loads(WORDS).build())
    assert analysis.laws["base"] is None
    free, expected = analysis.laws["free"], words.laws["free"]
    assert free is not None
    assert expected is not None
    assert free.mean_parts() == expected.mean_parts()
    assert free.hit_frequency == expected.hit_frequency


def test_a_callback_may_award_every_state(model: Path) -> None:
    """A state that it alone awards is reached, and holds cells without a law of how its features begin."""
    text = model.read_text()
    start, end = text.index("[[states.base.triggers]]"), text.index("[states.free]")
    hold = 'draw = "cell"\n\n[[states.free.transforms]]\nkind = "stick"\nsymbols = ["star"]\n\n[profiles.'
    text = (text[:start] + text[end:]).replace("[profiles.", hold, 1)
    text = text.replace("pays = { 2 = 1, 3 = 4 }", 'pays = { 2 = 1, 3 = 4 }\nat = "end"').replace(
        '[states.free]\nstrips = "base"\nevaluators = ["ways", "stars"]',
        '[states.free]\nstrips = "base"\nevaluators = ["stars"]',
    )
    model.write_text(text)
    analysis = analyse(load(model).build())
    assert analysis.skipped["free"] == "a callback may begin features of state free"


def test_the_certificate_is_marked_and_verified(
    model: Path, monkeypatch: pytest.MonkeyPatch, small_shards: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from rgs_core.commands import certify

    monkeypatch.setattr(certify, "PLAIN_ROUNDS", 200)
    text = shown(capsys, "certify", model, "--spins", 800, "--write")
    assert NOTE in text
    path = games.certificate_path(model, load(model).build())
    lines = path.read_text().splitlines()
    assert f"# {NOTE}" in lines
    assert 'callbacks = ["base: storm.py:storm"]' in lines
    assert "estimated_rounds = 800   # behind figures without an exact value" in lines
    text = shown(capsys, "verify", model, "--threads", 1)
    assert NOTE in text
    assert "All figures of 1 build agree." in text
    path.write_text(path.read_text().replace("storm.py:storm", "other.py:storm"))
    build = load(model).build()
    off = [check.figure for check in compare_exact(load_certificate(path), Sheet.of(build)) if not check.ok]
    assert off == ["callbacks"]
    path.write_text(re.sub(r"callbacks = .*", "callbacks = 5", path.read_text()))
    with pytest.raises(CertificateError, match="callbacks is missing or not list"):
        load_certificate(path)


def test_a_notebook_simulates_and_spins_it(model: Path) -> None:
    game = load_game(model)
    result = game.simulate(50)
    assert isinstance(result, Simulation)
    assert result.totals["win"] == sum(game.spin(nonce).win_units for nonce in range(50))
    with pytest.raises(CallbackError):
        _ = game.engine


# -- refusals -----------------------------------------------------------------------------------------------


def test_what_needs_the_engine_refuses_and_says_why(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("weights", "strips"):
        text = failed(capsys, "tune", model, "--method", method, "--target", "rtp=94%", "--out", "new")
        assert "state 'base' has a callback, which is simulated only: its profile is not tuned" in text
    folder = model.with_name("books")
    assert NOTE in failed(capsys, "export", model, "--books", 10, "--out", folder)
    assert NOTE in failed(capsys, "simulate", model, "--cluster", "tcp://localhost:1")


def test_the_service_refuses_it(model: Path) -> None:
    with pytest.raises(CallbackError, match=r"storm\.toml: storm/main cannot be served\. Simulated only"):
        load_catalogue(str(model.parent))


def test_a_new_profile_is_added_beside_the_callback(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rgs import` reads the longer text again, with the callback of the folder."""
    strips = model.with_name("reels.csv")
    strips.write_text("A,A,B\nB,star,A\nstar,B,star\n")
    shown(capsys, "import", strips, "--model", model, "--profile", "other", "--write")
    assert list(load(model).profiles) == ["main", "other"]


def test_the_page_names_all_that_is_there() -> None:
    text = re.sub(r"\s+", " ", PAGE.read_text("utf-8"))
    assert f"the built-in functions `{' '.join(sorted(BUILTINS))}`" in text
    assert f"the methods `{' '.join(sorted(METHODS))}`" in text
    for record in (View, Win):
        assert all(re.search(rf"`(spin\.)?{field.name}`", text) for field in fields(record))
    for limit in (
        f"{STEPS_MAX:,} steps",
        f"{CALLBACK_DRAWS_MAX} draws",
        f"numbers of {BITS_MAX} bits",
        f"File {SOURCE_BYTES_MAX // 1024} KiB",
    ):
        assert limit in text, limit


def test_the_example_of_the_page_is_one(tmp_path: Path) -> None:
    """docs/math-models.md: the callback of the page, in the whole game of the page."""
    text = PAGE.read_text("utf-8")
    (game,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    lines = text[text.index('    """Wilds gather a storm') :].splitlines()
    stop = next(i for i, line in enumerate(lines) if line and not line.startswith("    "))
    (tmp_path / "my_game.py").write_text("\n".join(line[4:] for line in lines[:stop]))
    path = tmp_path / "my_game.toml"
    path.write_text(game.replace("[states.free]\n", '[states.free]\ncallback = "my_game.py:wild_storm"\n'))
    result = simulate(load(path).build(), KEY, 600)
    assert result.totals["parts"][1]["wild_storm"] > 0
    assert result.free_spins_per_feature > 8
