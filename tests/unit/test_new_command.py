"""rgs new: the starters are sound games, and nothing is ever written over."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rgs_core import Engine
from rgs_core.__main__ import main
from rgs_core.books.events import Narrator
from rgs_core.exact.analysis import analyse
from rgs_core.game import seeded_key
from rgs_core.language.model_file import loads
from rgs_core.language.starters import kinds, starter

KINDS = list(kinds())

EXACT_RTP = {
    "book": 0.9307141490,
    "classic": 0.9531432749,
    "cluster": 0.9545708152,
    "drawn_rows": 0.9661314789,
    "hold": 0.9623752240,
    "lines": 0.9475362262,
    "ways": 0.9600035396,
}
"""As docs/exchange.md says it, to four places of a percentage."""

SIMULATED_RTP = {"cascade": (0.924, 0.009)}
"""Of two million rounds, with the half width of its interval at 95 %."""


def test_every_kind_has_a_stated_rtp() -> None:
    assert sorted([*EXACT_RTP, *SIMULATED_RTP]) == KINDS
    text = (Path(__file__).parents[2] / "docs/exchange.md").read_text("utf-8")
    for kind, rtp in EXACT_RTP.items():
        assert re.search(rf"^\| `{kind}`.*\| {100 * rtp:.2f} % \|$", text, re.MULTILINE), kind
    for kind, (rtp, width) in SIMULATED_RTP.items():
        assert re.search(rf"^\| `{kind}`.*\| {100 * rtp:.1f} ± {100 * width:.1f} %, simulated \|$", text, re.MULTILINE)


@pytest.mark.parametrize("kind", EXACT_RTP)
def test_every_starter_is_a_sensible_game(kind: str) -> None:
    model = loads(starter("first_game", kind))
    assert (model.id, model.title) == ("first_game", "First Game")
    for name in model.profiles:
        build = model.build(name)
        analysis = analyse(build)
        assert analysis.rtp is not None
        assert float(analysis.rtp) == pytest.approx(EXACT_RTP[kind], abs=1e-9)
        assert 0.9 <= analysis.rtp <= 0.97
        assert analysis.cycle is not None
        assert 0.15 < analysis.cycle.hit_frequency < 0.6
        if len(model.states) > 1:
            assert 1 / 300 < analysis.cycle.feature_probability < 1 / 40
        Narrator(build)  # it can be exported
        rounds = 100_000
        win = Engine(build).simulate(seeded_key("starter"), 0, rounds)["win"] / model.stake_units
        assert analysis.sd is not None
        assert abs(win / rounds - float(analysis.rtp)) < 4.5 * analysis.sd / rounds**0.5


@pytest.mark.parametrize("kind", SIMULATED_RTP)
def test_starters_without_a_law_are_what_they_are_said_to_be(kind: str) -> None:
    stated, width = SIMULATED_RTP[kind]
    assert stated - width >= 0.9
    assert stated + width <= 0.97
    build = loads(starter("first_game", kind)).build()
    assert analyse(build).rtp is None
    Narrator(build)
    rounds = 400_000
    totals = Engine(build).simulate(seeded_key("starter"), 0, rounds)
    stake = build.model.stake_units
    mean = totals["win"] / rounds / stake
    sd = (totals["win_squared"] / rounds / stake**2 - mean**2) ** 0.5
    assert abs(mean - stated) < width + 4.5 * sd / rounds**0.5
    assert 0.15 < totals["hits"] / rounds < 0.6
    assert 1 / 300 < totals["features"] / rounds < 1 / 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_through_the_commands(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "first", "--kind", kind]) == 0
    shown = capsys.readouterr().out
    assert kinds()[kind] in shown.replace("\n", " ")
    assert shown.count("first.toml") >= 5
    assert main(["check", "first.toml"]) == 0
    assert main(["simulate", "first.toml", "--spins", "5000", "--json"]) == 0
    capsys.readouterr()
    assert main(["spin", "first.toml", "--nonce", "3"]) == 0
    assert main(["export", "first.toml", "--books", "50", "--out", "books", "--no-padding"]) == 0
    assert "multiple of 0.1 x" not in capsys.readouterr().out


def test_help_lists_every_kind_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["new", "--help"])
    lines = capsys.readouterr().out.splitlines()
    for kind, text in kinds().items():
        assert sum(line.split() == [kind, *text.split()] for line in lines) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_starter_says_what_it_is_and_explains_itself(kind: str) -> None:
    text = starter("first_game", kind)
    assert kinds()[kind].endswith(".")
    assert text.startswith(f"# {kinds()[kind]}\n")
    assert sum("#" in line for line in text.splitlines()) > 20
    assert "my_game" not in text
    assert "My Game" not in text
    assert "rgs parsheet first_game.toml" in text
    assert max(len(line) for line in text.splitlines() if "#" in line) <= 120


def test_new_writes_a_file_that_the_other_commands_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "lucky_7s"]) == 0
    shown = capsys.readouterr().out
    for command in ("rgs check lucky_7s.toml", "rgs parsheet lucky_7s.toml", "rgs simulate lucky_7s.toml"):
        assert command in shown
    assert [path.name for path in tmp_path.iterdir()] == ["lucky_7s.toml"]
    assert 'title = "Lucky 7s"' in (tmp_path / "lucky_7s.toml").read_text()
    assert main(["check", "lucky_7s.toml", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["game"] == "lucky_7s"
    assert row["kernel"] == "lanes"


def test_new_refuses_to_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text("precious")
    assert main(["new", "mine"]) == 2
    assert "already there" in capsys.readouterr().err
    assert Path("mine.toml").read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My Game", "first a letter: my_game?"),
        ("games/7-up.toml", "first a letter: up?"),
        ("7", "first a letter"),
        ("../evil", "first a letter: evil?"),
        ("", "first a letter"),
        ("x" * 65, "at most 64"),
        ("lantern_tide", "is a shipped game"),
    ],
)
def test_names_that_are_no_ids(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", name]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["new", "mine", "--kind", "wheel_of_cheese"])
    assert caught.value.code == 2
    assert "lines" in capsys.readouterr().err
    with pytest.raises(KeyError, match="no starter"):
        starter("mine", "wheel_of_cheese")
