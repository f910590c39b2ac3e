"""Model files: what is refused, with which words, and what the build hash depends on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rgs_core import Engine, ModelError, games, reference
from rgs_core.language.model import STATES_MAX
from rgs_core.language.model_file import load, loads
from rgs_core.language.toml_lines import line_numbers

GOOD = """format = 1
id = "tiny"
title = "Tiny"
version = "1"
symbols = ["W", "A", "B", "S", "P"]

[stake]
units = 2

[grid]
reels = 3
rows = 2

[caps]
free_spins = 20

[wilds.W]
substitutes = ["A", "B"]
multiplier = 2

[evaluators.lines]
kind = "lines"
paylines = ["000", "111"]

[evaluators.lines.pays]
A = { 2 = 1, 3 = 10 }
B = { 3 = 5 }

[evaluators.scatter]
kind = "scatter"
symbol = "S"
of = "total_bet"
pays = { 2 = 1, 3 = 5 }

[bonuses.chest]
kind = "pick"
of = "line_bet"
prizes = [
  { pay = 5, weight = 2 },
  { pay = 50, weight = 1 },
]

[states.base]
strips = "base"
evaluators = ["lines", "scatter"]

[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "S"
spins = { 2 = 3, 3 = 5 }
state = "free"

[[states.base.triggers]]
name = "Chest"
kind = "pick"
pattern = ["P", "P"]
pick = "chest"

[states.free]
strips = "base"
evaluators = ["lines", "scatter"]
multiplier = 3
multiplier_exempt = ["scatter", "lines.A.3"]

[profiles.main.strips]
base = [
  "W A B S P",
  "W A*2 B S P",
  "W A:3 B S",
]
"""

# (replace this, by that) -> path, part of the message, part of the remedy
MISTAKES = [
    ('"W A*2 B S P"', '"W A*2 Q S P"', "profiles.main.strips.base[1][2]", "unknown symbol 'Q'", "known"),
    ('"W A*2 B S P"', '"W A*0 B S P"', "profiles.main.strips.base[1][1]", "repeat 0", "4096"),
    ('"W A:3 B S"', '"W A:0 B S"', "profiles.main.strips.base[2][1]", "weight 0", "from 1"),
    ('"W A:3 B S"', '"W A;3 B S"', "profiles.main.strips.base[2][1]", "'A;3' is not a stop", "SYMBOL:WEIGHT"),
    ('"W A:3 B S"', '""', "profiles.main.strips.base[2]", "no stops", "at least one"),
    ('  "W A:3 B S",\n', "", "profiles.main.strips.base", "2 entries", "exactly 3"),
    ("reels = 3", "reels = 9", "grid.reels", "9 is out of range", "1 to 8"),
    ("rows = 2", "rows = 0", "grid.rows", "0 is out of range", "1 to 12"),
    ("units = 2", 'units = "2"', "stake.units", "'2' is not a whole number", "from 1"),
    ("units = 2", "units = 2.5", "stake.units", "2.5 is not a whole number", "from 1"),
    ("units = 2", "unit = 2", "stake.unit", "unknown key", "did you mean 'units'?"),
    ("multiplier = 2", "multiplier = true", "wilds.W.multiplier", "True is not a whole number", "from 1"),
    ('substitutes = ["A", "B"]', 'substitutes = ["A", "W"]', "wilds.W.substitutes", "stands for itself", "remove"),
    ('substitutes = ["A", "B"]', 'substitutes = ["A", "S"]', "wilds.W.substitutes", "no line pays for 'S'", "remove it"),
    ('["000", "111"]', '["000", "112"]', "evaluators.lines.paylines[1]", "'112' is not a payline", "0 (top row) to 1"),
    ('["000", "111"]', '["000", "000"]', "evaluators.lines.paylines[1]", "payline 1 again", "remove"),
    ("A = { 2 = 1, 3 = 10 }", "A = { 1 = 1, 3 = 10 }", "evaluators.lines.pays.A", "count 2 is missing", "0 for no"),
    ("A = { 2 = 1, 3 = 10 }", "A = { 2 = 1 }", "evaluators.lines.pays.A", "no pay for 3 of a kind", "up to 3"),
    ("B = { 3 = 5 }", "B = { 3 = -5 }", "evaluators.lines.pays.B.3", "-5 is out of range", "from 0"),
    ("B = { 3 = 5 }", "B = { 4 = 5 }", "evaluators.lines.pays.B.4", "'4' is not a symbol count", "1 to 3"),
    ('of = "total_bet"', 'of = "bet"', "evaluators.scatter.of", "'bet' is not allowed", "total_bet, line_bet"),
    ('kind = "scatter"', 'kind = "scater"', "evaluators.scatter.kind", "'scater' is not allowed", "cluster, scatter"),
    ('["lines", "scatter"]\n\n[[', '["line", "scatter"]\n\n[[', "states.base.evaluators[0]", "unknown evaluator", "did you mean 'lines'?"),
    ('state = "free"', 'state = "fre"', "states.base.triggers[0].state", "unknown state 'fre'", "did you mean 'free'?"),
    ('state = "free"', 'state = "base"', "states.base.triggers[0].state", "is the paid spin", "another state"),
    ('name = "Chest"', 'name = "Free"', "states.base.triggers", "'Free' is used twice", "rename"),
    ('pattern = ["P", "P"]', 'pattern = ["*"]', "states.base.triggers[1].pattern", "matches every line", "name at least"),
    ('pick = "chest"', 'pick = "box"', "states.base.triggers[1].pick", "unknown bonus 'box'", "known: chest"),
    ('"lines.A.3"]', '"lines.Z"]', "states.free.multiplier_exempt[1]", "pays nothing for 'Z'", "symbols it pays: A, B"),
    ('"lines.A.3"]', '"lines.A.4"]', "states.free.multiplier_exempt[1]", "'4' is not a count", "counts it pays: 2, 3"),
    ('"lines.A.3"]', '"scatter.A"]', "states.free.multiplier_exempt[1]", "pays nothing for 'A'", "symbols it pays: S"),
    ("[evaluators.scatter]", "[evaluators.free_spins]", "evaluators.free_spins", "all free spins win", "another name"),
    ("{ pay = 5, weight = 2 },", "{ pay = 5, weight = 2, '' = 1 },", "bonuses.chest.prizes[0].", "unknown key", "remove it"),
    ('"lines.A.3"]', '"wins"]', "states.free.multiplier_exempt[1]", "'wins' names nothing that pays here", "names that pay here"),
    ("[profiles.main.strips]", "[profiles.main.strip]", "profiles.main.strip", "unknown key", "did you mean 'strips'?"),
    ("format = 1", "format = 2", "format", "2 is out of range", "from 1 to 1"),
    ('id = "tiny"', 'id = "Tiny Game"', "id", "'Tiny Game' is not an id", "small letters"),
    ('"S", "P"]', '"S", "S"]', "symbols[4]", "stands there twice", "remove"),
    ("pay = 50", "pay = 99999999999", "bonuses.chest.prizes[1].pay", "out of range", "from 0"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "message", "remedy"), MISTAKES, ids=lambda text: text[:24])
def test_a_mistake_is_named_with_place_value_and_remedy(
    old: str, new: str, path: str, message: str, remedy: str
) -> None:
    assert old in GOOD
    with pytest.raises(ModelError) as caught:
        loads(GOOD.replace(old, new, 1), source="tiny.toml")
    found = [p for p in caught.value.problems if p.path == path and message in p.message]
    assert found, str(caught.value)
    assert remedy in found[0].remedy
    assert found[0].line is not None
    assert str(caught.value).startswith("tiny.toml: ")


def test_a_game_needs_a_paid_spin() -> None:
    with pytest.raises(ModelError, match="no state 'base'; add"):
        loads(GOOD.replace("states.base", "states.start"))


def test_too_many_states_are_one_problem() -> None:
    """Nothing is said to be unknown or unused only because the states beyond the limit are not read."""
    more = "".join(f'[states.s{i}]\nlike = "last"\n' for i in range(STATES_MAX - 1))
    last = '[states.last]\nlike = "base"\nstrips = "late"\n[modes.late]\ncost = 1\nstart = "last"\n'
    strips = '[profiles.main.strips]\nlate = ["A", "A", "A"]'
    text = GOOD.replace("[states.free]", f"{more}{last}[states.free]").replace("[profiles.main.strips]", strips)
    with pytest.raises(ModelError) as caught:
        loads(text)
    (problem,) = caught.value.problems
    assert (problem.path, problem.message) == ("states", f"{STATES_MAX + 2} states")
    assert problem.remedy == f"use at most {STATES_MAX}"


def test_all_problems_of_a_file_at_once() -> None:
    text = GOOD.replace("A*2", "Q").replace("reels = 3", "reels = 33").replace("multiplier = 2", "multipler = 2")
    with pytest.raises(ModelError) as caught:
        loads(text)
    paths = {p.path for p in caught.value.problems}
    assert {"grid.reels", "wilds.W.multipler", "profiles.main.strips.base[1][1]"} <= paths


def test_the_line_of_a_problem_is_that_of_the_file() -> None:
    text = GOOD.replace('"W A*2 B S P"', '"W Q B S P"')
    with pytest.raises(ModelError) as caught:
        loads(text)
    (problem,) = caught.value.problems
    assert problem.line is not None
    assert "Q" in text.splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    "text", ["", "x", "= 1", "format = 1", "[stake", "stake = 5\ngrid = []", "\x00", "symbols = 'A'"]
)
def test_broken_files_are_refused_and_never_crash(text: str) -> None:
    with pytest.raises(ModelError):
        loads(text)


@pytest.mark.parametrize(
    "text",
    [
        'stake = { units = 1, "" = 2 }', '[states."x]"]', 'pays = { "K." = 1 }', "units = " + "9" * 5000,
        "units = 0x" + "f" * 5000, "x = " + "[" * 3000, "title" + ".a" * 2500 + " = 1", '"a.b[c]" = 1', "wilds = 5",
        '[[wilds]]\nsymbol = "W"', "[bonuses.chest]\npicks = { 1 = 16777216, 01 = 16777216 }",
    ],
)  # fmt: skip
def test_hostile_files_are_refused_in_no_time(text: str) -> None:
    with pytest.raises(ModelError):
        loads(text)
    with pytest.raises(ModelError):
        loads(GOOD + "\n" + text)


def test_wilds_of_another_type_are_refused() -> None:
    start, end = GOOD.index("[wilds.W]"), GOOD.index("[evaluators.lines]")
    for wilds in ('[[wilds]]\nsymbol = "W"\nsubstitutes = ["A"]\n',):
        with pytest.raises(ModelError, match=r"wilds.* is not a table"):
            loads(GOOD[:start] + wilds + GOOD[end:])
    with pytest.raises(ModelError, match=r"wilds.* is not a table"):
        loads(GOOD[:start].replace("[stake]", 'wilds = ["W"]\n[stake]') + GOOD[end:])


def test_heavy_weight_tables_are_refused() -> None:
    heavy = ", ".join(f"{n} = 16777216" for n in range(1, 65))
    assert loads(GOOD.replace('of = "line_bet"', f'of = "line_bet"\npicks = {{ {heavy} }}'))
    with pytest.raises(ModelError, match="is out of range"):
        loads(GOOD.replace('of = "line_bet"', 'of = "line_bet"\npicks = { 01 = 1 }'))


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(GOOD.replace('"1"', '"\xff"').encode("latin-1"))
    with pytest.raises(ModelError, match="not UTF-8"):
        load(path)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_files_are_read_or_refused(data: st.DataObject) -> None:
    """Pieces of the file deleted, doubled or replaced: a model or a ModelError, never anything else."""
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        piece = data.draw(
            st.sampled_from(
                ["", '"', "[", "]", ".", "=", "{ }", "[]", "0", "-1", "'x'", text[start:end] * 2, "W A", "\n"]
            )
        )
        text = text[:start] + piece + text[end:]
    try:
        model = loads(text)
    except ModelError:
        return
    assert Engine(model.build()).spin(bytes(32), 0) == reference.play(model.build(), bytes(32), 0)


def test_every_value_replaced_by_another_type_is_refused_and_never_crashes() -> None:
    """Each scalar of the file in turn becomes something else."""
    import tomllib

    lines = GOOD.splitlines()
    tried = 0
    for number, line in enumerate(lines):
        if " = " not in line or line.startswith(" "):
            continue
        key = line.split(" = ")[0]
        for value in ("[]", "{}", "'?'", "-1", "1.5", "true", "1979-05-27", "[[]]"):
            text = "\n".join([*lines[:number], f"{key} = {value}", *lines[number + 1 :]])
            try:
                tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                continue
            tried += 1
            if (key, value) in {
                ("title", "'?'"),
                ("version", "'?'"),
                ("multiplier_exempt", "[]"),
                ("substitutes", "[]"),
            }:
                loads(text)
                continue
            with pytest.raises(ModelError):
                loads(text)
    assert tried > 200


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    path.write_text("# " + "x" * 5_000_000)
    with pytest.raises(ModelError, match="bytes long"):
        load(path)


def test_wins_that_could_overflow_are_refused() -> None:
    huge = GOOD.replace("3 = 10", "3 = 100000000").replace("multiplier = 2", 'multiplier = 100\ncombine = "product"')
    huge = huge.replace("multiplier = 3", "multiplier = 1000").replace("free_spins = 20", "free_spins = 100000")
    huge = huge.replace("units = 2", "units = 2\nline_units = 100000")
    with pytest.raises(ModelError, match=r"2\^62"):
        loads(huge)


# --- The build hash --------------------------------------------------------------------------------


def hash_of(text: str) -> str:
    return loads(text).build().build_hash


def test_comments_key_order_and_titles_do_not_change_the_hash() -> None:
    reference = hash_of(GOOD)
    assert hash_of("# a comment\n" + GOOD.replace("[grid]", "# grid\n[grid]")) == reference
    assert (
        hash_of(GOOD.replace("A = { 2 = 1, 3 = 10 }\nB = { 3 = 5 }", "B = { 3 = 5 }\nA = { 3 = 10, 2 = 1 }"))
        == reference
    )
    assert hash_of(GOOD.replace('"Tiny"', '"Another title"')) == reference
    grid = "[grid]\nreels = 3\nrows = 2\n\n"
    moved = GOOD.replace(grid, "") + "\n[grid]\nrows = 2\nreels = 3\n"
    assert hash_of(moved) == reference
    assert hash_of(GOOD.replace("A*2", "A A")) == reference


def test_every_number_changes_the_hash() -> None:
    """Each number of the file in turn, one higher; where that is refused, the file says so."""
    import re

    reference = hash_of(GOOD)
    changed = 0
    for match in re.finditer(r"(?<![A-Za-z0-9\"])\d+(?![0-9\"])", GOOD):
        text = GOOD[: match.start()] + str(int(match[0]) + 1) + GOOD[match.end() :]
        try:
            assert hash_of(text) != reference, f"{GOOD[match.start() - 20 : match.end() + 5]!r}"
            changed += 1
        except ModelError:
            continue
    assert changed >= 12


def test_the_hash_is_the_same_in_another_process_with_another_hash_seed() -> None:
    script = (
        "import sys; from rgs_core.language.model_file import loads; print(loads(sys.stdin.read()).build().build_hash)"
    )
    for seed in ("0", "1", "4242"):
        shown = subprocess.run(
            [sys.executable, "-c", script],
            input=GOOD,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
            check=True,
        )
        assert shown.stdout.strip() == hash_of(GOOD)


def test_the_hash_is_frozen() -> None:
    """A change here is a change of the canonical form: every certificate would be void."""
    assert hash_of(GOOD) == "sha256:3c3c68db5cab58dbe293efe530510156b0a5e2542c0317a031fc0fec7734f234"
    canonical = loads(GOOD).build().canonical
    assert canonical == json.dumps(json.loads(canonical), sort_keys=True, separators=(",", ":")).encode()


def test_profiles_are_different_builds() -> None:
    model = load(games.find("lantern_tide"))
    assert len({build.build_hash for build in games.builds(model)}) == 3
    with pytest.raises(KeyError, match="rtp_96, rtp_94, rtp_92"):
        model.build("rtp_99")


def test_line_numbers_of_entries_that_share_lines() -> None:
    text = 'a = 1\n[t]\nlines = [ # first, [second\n  "00,0", "11]1",\n  "222",\n]\nnext = 2\ninline = ["x",\n "y"]\n'
    lines = line_numbers(text)
    assert [lines[f"t.lines[{i}]"] for i in range(3)] == [4, 4, 5]
    assert lines["t.next"] == 7
    assert (lines["t.inline[0]"], lines["t.inline[1]"]) == (8, 9)


def test_line_numbers_of_a_file() -> None:
    lines = line_numbers(GOOD)
    text = GOOD.splitlines()
    assert text[lines["states.base.triggers[1].pattern"] - 1].startswith("pattern")
    assert text[lines["profiles.main.strips.base[2]"] - 1].strip().startswith('"W A:3')
    assert text[lines["bonuses.chest.prizes[1]"] - 1].strip().startswith("{ pay = 50")
