"""rgs new: the starters are sound games, and nothing is ever written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rgs_core.__main__ import main
from rgs_core.analysis import analyse
from rgs_core.books import Narrator
from rgs_core.model_file import loads
from rgs_core.starters import kinds, starter

KINDS = list(kinds())


def test_there_is_a_starter_with_lines() -> None:
    assert "lines" in KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_starter_is_a_sensible_game(kind: str) -> None:
    model = loads(starter("first_game", kind))
    assert (model.id, model.title) == ("first_game", "First Game")
    for name in model.profiles:
        analysis = analyse(model.build(name))
        assert 0.94 <= analysis.closed.rtp <= 0.96, float(analysis.closed.rtp)
        assert analysis.cycle is not None
        assert 0.2 < analysis.cycle.hit_frequency < 0.5
        assert 1 / 300 < analysis.closed.feature_probability < 1 / 40
        Narrator(model.build(name))  # it can be exported


@pytest.mark.parametrize("kind", KINDS)
def test_every_starter_says_what_it_is_and_explains_itself(kind: str) -> None:
    text = starter("first_game", kind)
    assert kinds()[kind].endswith(".")
    assert text.startswith(f"# {kinds()[kind]}\n")
    assert sum("#" in line for line in text.splitlines()) > 25
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
