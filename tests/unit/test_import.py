"""rgs import: reels of other tools, read cell by cell, with every fault named."""

from __future__ import annotations

import builtins
import contextlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rgs_core import games
from rgs_core.__main__ import main
from rgs_core.errors import StripsError
from rgs_core.language.model import Strip
from rgs_core.language.model_file import load, loads
from rgs_core.language.starters import starter
from rgs_core.language.strip_files import FILE_BYTES_MAX, find_sets
from rgs_core.language.strip_import import pairs, profile_text, strip_text, with_profile

BASE = "A,K,Q,J,A\nK,A,J,Q,K\nstar,wild,wild,wild,star\nA,A,A,A,A\nA,A,A,A,A\n"
FREE = "A,K,Q,J,A\nK,A,J,Q,K\nstar,wild,wild,wild,star\nA,,A,A,A\n"
SLOTOPOL = """
# Maker / Pearl

maker/pearl/bon

---

# reels lengths [3, 4, 3, 3, 3], total reshuffles 324
- [1, 2, 3]
- [1, 2, 3, 4]
- [10, 2, 3] # 3
- [1, 2, 3]
- [1, 2, 2]

---

maker/pearl/reel

---

# RTP list of available reels:
# 90.500000
# 96.178109

90.500000:
  - [1, 2, 3]
  - [1, 2, 3]
  - [1, 2, 3]
  - [1, 2, 3]
  - [1, 2, 3]
96.178109:
  - [4, 4, 3]
  - [1, 2, 3]
  - [1, 2, 3]
  - [1, 2, 3]
  - [7, 8, 9]
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(starter("mine"))
    return path


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["import", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["import", *arguments]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def sets_of(text: str) -> dict[str, list[str]]:
    import tomllib

    (profile,) = tomllib.loads(text)["profiles"].values()
    found: dict[str, list[str]] = profile["strips"]
    return found


# -- formats ---------------------------------------------------------------------------------------------


def test_a_folder_of_csv(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "reels"
    folder.mkdir()
    (folder / "BR0.csv").write_text(BASE)
    (folder / "FR0.csv").write_bytes(b"\xef\xbb\xbf" + FREE.replace("\n", "\r\n").encode())
    (folder / "notes.txt").write_text("not reels")
    out = imported(capsys, str(folder), "--model", str(model), "--profile", "p1", "--map", "BR0=base,FR0=free")
    assert sets_of(out) == {
        "base": ["A K star A*2", "K A wild A*2", "Q J wild A*2", "J Q wild A*2", "A K star A*2"],
        "free": ["A K star A", "K A wild", "Q J wild A", "J Q wild A", "A K star A"],
    }
    message = refused(capsys, str(folder), "--model", str(model), "--profile", "p1")
    assert "BR0, FR0; say which is which: --map BR0=base,FR0=free" in message


def test_files_named_like_the_sets_need_no_map(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("base.csv", BASE), ("free.csv", FREE)):
        (tmp_path / name).write_text(text)
    arguments = [str(tmp_path / "free.csv"), str(tmp_path / "base.csv"), "--model", str(model), "--profile", "p1"]
    assert list(sets_of(imported(capsys, *arguments))) == ["base", "free"]


def test_one_file_becomes_base_or_the_set_that_is_named(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(BASE)
    assert main(["import", str(path), "--model", str(model), "--profile", "p1"]) == 0
    captured = capsys.readouterr()
    assert list(sets_of(captured.out)) == ["base"]
    assert "a whole profile also has free" in captured.err
    out = imported(capsys, str(path), "--model", str(model), "--profile", "p1", "--set", "free")
    assert list(sets_of(out)) == ["free"]


def test_yaml_with_rtp_keys_and_numbers(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pearl_data.yaml"
    path.write_text(SLOTOPOL)
    arguments = [str(path), "--model", str(model), "--profile", "rtp_96"]
    out = imported(capsys, *arguments, "--map", "96.178109=base,bon=free")
    # symbols = wild, star, seven, bell, melon, plum, A, K, Q, J, counted from 1
    assert sets_of(out) == {
        "base": ["bell*2 seven", *["wild star seven"] * 3, "A K Q"],
        "free": ["wild star seven", "wild star seven bell", "J star seven", "wild star seven", "wild star*2"],
    }
    # The text of a key counts, also its last zeros.
    out = imported(capsys, *arguments, "--map", "maker/pearl/reel/90.500000=base")
    assert sets_of(out)["base"] == ["wild star seven"] * 5
    message = refused(capsys, *arguments)
    assert "maker/pearl/bon, maker/pearl/reel/90.500000, maker/pearl/reel/96.178109" in message
    assert "no such set of reels; did you mean '96.178109'?" in refused(capsys, *arguments, "--map", "96.17811=base")


def test_yaml_without_names(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (
        ("a_reel.yaml", "95.1:\n" + "  - [A, K]\n" * 5 + "93.2:\n" + "  - [A, Q]\n" * 5),
        ("a_bon.yaml", "- [A, J]\n" * 5),
    ):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / "a_reel.yaml"), str(tmp_path / "a_bon.yaml")]
    out = imported(capsys, *files, "--model", str(model), "--profile", "p", "--map", "93.2=base,a_bon=free")
    assert sets_of(out) == {"base": ["A Q"] * 5, "free": ["A J"] * 5}


def test_json(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "reels.json"
    path.write_text(json.dumps({"free": [["A", "K"]] * 5, "base": [["A", "A", "K", 1]] * 5}))
    out = imported(capsys, str(path), "--model", str(model), "--profile", "p")
    assert sets_of(out) == {"base": ["A*2 K wild"] * 5, "free": ["A K"] * 5}


def test_symbols_are_renamed(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([["W", "S", "A", 3]] * 5))
    arguments = [str(path), "--model", str(model), "--profile", "p", "--symbols"]
    assert sets_of(imported(capsys, *arguments, "W=wild, S=star"))["base"] == ["wild star A seven"] * 5
    assert sets_of(imported(capsys, *arguments, "W=wild,S=star,3=Q"))["base"] == ["wild star A Q"] * 5
    # One named number: all of them have to be named.
    assert "unknown symbol '3', 5 times; name it too: --symbols 3=SYMBOL" in refused(
        capsys, *arguments, "W=wild,S=star,4=Q"
    )
    assert "unknown symbol 'sevn'; did you mean 'seven'?" in refused(capsys, *arguments, "W=sevn")
    assert "'W' is not of the form 1=wild,2=A" in refused(capsys, *arguments, "W")
    assert "'W' is there twice" in refused(capsys, *arguments, "W=A,W=K")


# -- writing ---------------------------------------------------------------------------------------------


def test_write_appends_a_profile_and_changes_nothing_else(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "base.csv").write_text(BASE)
    (tmp_path / "free.csv").write_text(FREE)
    files = [str(tmp_path / "base.csv"), str(tmp_path / "free.csv")]
    before, builds = model.read_text(), {b.profile.name: b.build_hash for b in games.builds(load(model))}
    model.chmod(0o640)
    printed = imported(capsys, *files, "--model", str(model), "--profile", "p1")
    assert model.read_text() == before
    out = imported(capsys, *files, "--model", str(model), "--profile", "p1", "--write")
    assert f"rgs parsheet {model} --profile p1" in out
    assert model.read_text() == f"{before.rstrip()}\n\n{printed}"
    assert stat.S_IMODE(model.stat().st_mode) == 0o640
    after = load(model)
    assert list(after.profiles) == ["rtp_95", "p1"]
    assert after.build("rtp_95").build_hash == builds["rtp_95"]
    assert after.profiles["p1"].strips["free"][1] == Strip(("K", "A", "wild"), (1, 1, 1))
    assert "has it already, and it is not replaced" in refused(
        capsys, *files, "--model", str(model), "--profile", "p1", "--write"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"mine.toml", "base.csv", "free.csv"}


def test_sets_that_are_not_imported_come_from_another_profile(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text(BASE)
    arguments = [str(path), "--model", str(model), "--profile", "p1", "--write"]
    before = model.read_text()
    assert "also has free" in refused(capsys, *arguments)
    assert "did you mean 'rtp_95'?" in refused(capsys, *arguments, "--others-from", "rtp_96")
    assert model.read_text() == before
    imported(capsys, *arguments, "--others-from", "rtp_95")
    profiles = load(model).profiles
    assert profiles["p1"].strips["free"] == profiles["rtp_95"].strips["free"]
    assert profiles["p1"].strips["base"] != profiles["rtp_95"].strips["base"]


def test_a_link_stays_a_link_and_line_ends_stay(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.write_bytes(model.read_bytes().replace(b"\n", b"\r\n"))
    link = tmp_path / "link.toml"
    link.symlink_to(model)
    (tmp_path / "x.csv").write_text(BASE)
    arguments = ["--model", str(link), "--profile", "p1", "--others-from", "rtp_95", "--write"]
    imported(capsys, str(tmp_path / "x.csv"), *arguments)
    assert link.is_symlink()
    content = model.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert "p1" in load(model).profiles


def test_a_profile_that_would_break_the_file_is_not_written(model: Path) -> None:
    text = model.read_text()
    with pytest.raises(StripsError, match="no strips 'free'"):
        with_profile(text, "mine.toml", "p", '[profiles.p.strips]\nbase = ["A", "A", "A", "A", "A"]\n')
    inline = text.split("\n[profiles")[0]
    inline = (
        'profiles = { one = { strips = { base = ["A","A","A","A","A"], free = ["A","A","A","A","A"] } } }\n' + inline
    )
    section = profile_text("two", {name: (Strip(("A",), (1,)),) * 5 for name in ("base", "free")})
    with pytest.raises(StripsError, match="not valid TOML"):
        with_profile(inline, "mine.toml", "two", section)


def test_shipped_games_are_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.csv").write_text("A,A,A,A,A\n")
    arguments = [str(tmp_path / "x.csv"), "--model", "lantern_tide", "--profile", "p", "--others-from", "rtp_96"]
    imported(capsys, *arguments)
    assert "only a file that is named by its path" in refused(capsys, *arguments, "--write")


@pytest.mark.parametrize("name", ["", "1a", "a.b", "a b", 'a"', "free_spins", "x" * 33])
def test_names_that_are_no_profile(name: str, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.csv").write_text(BASE)
    message = refused(capsys, str(tmp_path / "x.csv"), "--model", str(model), "--profile", name)
    assert "is not a name of a profile" in message


@given(st.lists(st.tuples(st.sampled_from(["A", "K", "wild"]), st.sampled_from([1, 1, 5])), min_size=1, max_size=30))
def test_strips_read_back_as_they_were(stops: list[tuple[str, int]]) -> None:
    strip = Strip(tuple(s for s, _ in stops), tuple(w for _, w in stops))
    text = starter("mine").split("\n[profiles")[0] + "\n"
    section = profile_text("p", dict.fromkeys(("base", "free"), (strip,) * 5))
    assert loads(text + section).profiles["p"].strips["base"][0] == strip
    assert len(strip_text(strip).split()) <= len(stops)


# -- faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["bad.csv: empty; write a column for each reel"]),
        ("\n \n,,\n", ["bad.csv: empty"]),
        ("A,K,Q,J\n", ["bad.csv (bad): 4 reels, set 'base' of the model has 5"]),
        ("A;K;Q;J;A\nA,K,Q,J,A\n", ["row 2: 5 cells, 1 above"]),
        ("A,K,Q,J,A\nA;K;Q;J;A\n", ["row 2: 1 cell, 5 above; separate the reels with commas"]),
        ("A,K,Q,J,A\nA,K,Q\n", ["row 2: 3 cells, 5 above; give every reel a cell"]),
        ("A,K,Q,J,A\nA,K,,J,A\nA,K,Q,J,A\n", ["bad.csv, row 2, column 3: empty, and the reel goes on below"]),
        ("A,K,Q,J,\nA,K,Q,J,\n", ["row 1, column 5: this reel is empty"]),
        ("A,K,Q,J,A\n\nA,K,Q,J,A\n", ["row 2, column 1: empty, and the reel goes on below"]),
        (
            "A,K,Q,J,A\nsevn,K,Q,WILD,A\nH1,K,H1,J,A\n",
            [
                "3 problems",
                "row 2, column 1: unknown symbol 'sevn'; did you mean 'seven'? say what it is: --symbols sevn=SYMBOL",
                "row 2, column 4: unknown symbol 'WILD'; did you mean 'wild'?",
                "row 3, column 1: unknown symbol 'H1', 2 times; say what it is",
            ],
        ),
        ("A,K,Q,J,11\n", ["unknown symbol '11'; the model has 10 symbols, counted from 1"]),
        ("A,K,Q,J,0\n", ["unknown symbol '0'"]),
        ("A,K,Q,J,A\n" * 4097, ["row 4097: too many rows; give at most 4096 stops"]),
        ("x" * 200_000, ["not CSV: field larger than field limit"]),
    ],
)
def test_faults_of_csv(
    text: str, messages: list[str], tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    shown = refused(capsys, str(tmp_path / "bad.csv"), "--model", str(model), "--profile", "p")
    for message in messages:
        assert message in shown


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.yaml", "- [A, K\n- [A", "bad.yaml, line 2, column 3: not YAML"),
        ("bad.yaml", "", "no lists of reels"),
        ("bad.yaml", "only a name", "no lists of reels"),
        ("bad.yaml", "95: 0.2\n96: 0.3", "no lists of reels"),
        ("bad.yaml", "[1, 2, 3]", "reel 1: one symbol where a list is expected"),
        ("bad.yaml", "- [A, K]\n- []\n- [A]\n- [A]\n- [A]", "reel 2: 0 stops; give 1 to 4096"),
        ("bad.yaml", "- [A, {x: 1}]\n" * 5, "reel 1, stop 2: not a symbol"),
        (
            "bad.yaml",
            "- [A, K]\n- [A, kk]\n" + "- [A]\n" * 3,
            "line 2, column 7: unknown symbol 'kk'; did you mean 'K'?",
        ),
        ("bad.yaml", "? [1, 2]\n: [[1]]", "line 1, column 3: a key that is no text"),
        ("bad.yaml", "a: {b: {c: {d: {e: {f: [[A]]}}}}}", "too many keys, or too deep"),
        ("bad.yaml", "\n".join(f"k{i}: 1" for i in range(20_001)), "too many keys, or too deep"),
        ("bad.yaml", "\n".join(f"k{i}: [[A]]" for i in range(1001)), "more than 1000 sets of reels"),
        ("bad.yaml", "[" * 5000, "nested without end"),
        ("bad.yaml", "a: \x01", "not YAML"),
        ("bad.yaml", "[]", "an empty list of reels"),
        ("bad.json", "{", "bad.json, line 1, column 2: not JSON"),
        ("bad.json", '{"a": [["A"]], "a": [["K"]]}', "the key 'a' is there twice"),
        ("bad.json", "[" * 100_000, "nested without end"),
        ("bad.json", "[[" + "9" * 5000 + "]]", "bad.json: "),
        ("bad.json", '[["A", true]]', "reel 1, stop 2: not a symbol"),
        ("bad.json", '[["A", 1.5]]', "reel 1, stop 2: not a symbol"),
        ("bad.json", '["A K Q"]', "write a list of symbols for each reel"),
        ("bad.json", '{"base": [["A", ""]]}', "bad/base, reel 1, stop 2: unknown symbol ''"),
        ("bad.json", '{"base": [[' + ",".join(['"A"'] * 4097) + "]]}", "4097 stops; give 1 to 4096"),
        ("bad.txt", "A", "not a file of reels that is known here; give a folder or one of .csv"),
    ],
)
def test_faults_of_lists(
    name: str, text: str, message: str, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert message in refused(capsys, str(tmp_path / name), "--model", str(model), "--profile", "p")


def test_faults_of_the_choice(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"a": {"r": [["A"]] * 5}, "b": {"r": [["K"]] * 5}}))
    arguments = [str(tmp_path / "x.json"), "--model", str(model), "--profile", "p"]
    assert "'r': fits 2 sets of reels; write more of the label: x/a/r, x/b/r" in refused(
        capsys, *arguments, "--map", "r=base"
    )
    assert "no state uses it; did you mean 'base'?" in refused(capsys, *arguments, "--map", "a/r=bse")
    assert "no state uses it" in refused(capsys, *arguments, "--set", "other")
    assert "named twice" in refused(capsys, *arguments, "--map", "a/r=base,b/r=base")
    assert sets_of(imported(capsys, *arguments, "--map", "b/r=base,a/r=free")) == {"base": ["K"] * 5, "free": ["A"] * 5}


def test_what_is_not_there_or_too_long(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", str(model), "--profile", "p"]
    assert "No such file" in refused(capsys, str(tmp_path / "none.csv"), *arguments)
    (tmp_path / "empty").mkdir()
    assert "no CSV file in this folder" in refused(capsys, str(tmp_path / "empty"), *arguments)
    (tmp_path / "long.csv").write_bytes(b"A" * (FILE_BYTES_MAX + 1))
    assert "keep it below 4,194,304 bytes" in refused(capsys, str(tmp_path / "long.csv"), *arguments)
    (tmp_path / "latin.csv").write_bytes(b"\xe9,A\n")
    assert "save it as UTF-8" in refused(capsys, str(tmp_path / "latin.csv"), *arguments)
    many = tmp_path / "many"
    many.mkdir()
    for number in range(65):
        (many / f"{number}.csv").write_text("A\n")
    assert "65 CSV files; give a folder with at most 64" in refused(capsys, str(many), *arguments)


def test_without_pyyaml_the_message_says_how_to_install_it(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    (tmp_path / "x.yaml").write_text("- [A]\n" * 5)
    monkeypatch.setattr(builtins, "__import__", without)
    message = refused(capsys, str(tmp_path / "x.yaml"), "--model", str(model), "--profile", "p")
    assert "pip install pyyaml" in message


def test_pairs() -> None:
    assert pairs(" a = b ,c=d=e,", "x=y") == {"a": "b", "c": "d=e"}
    for text in ("", " , ", "a", "a=", "=b"):
        with pytest.raises(ValueError, match="x=y"):
            pairs(text, "x=y")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    suffix=st.sampled_from([".csv", ".yaml", ".json"]),
    text=st.one_of(
        st.binary(max_size=60),
        st.text("A,;[]{}:-&*#\"'\n \t|>!%@`1?", max_size=60).map(str.encode),
    ),
)
def test_no_file_does_worse_than_a_clear_refusal(tmp_path: Path, suffix: str, text: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(text)
    with contextlib.suppress(StripsError):
        for found in find_sets(path):
            assert found.reels()
