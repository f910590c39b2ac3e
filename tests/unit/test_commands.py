"""The command `rgs`: what it prints for people and machines, its messages and exit codes."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rgs_core import Engine, derive_key, games
from rgs_core.__main__ import COMMANDS, main
from rgs_core.certified.certificate import load_certificate
from rgs_core.errors import CertificateError
from rgs_core.language.model_file import load


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"  rgs {command}" in text
    assert "exit codes:" in text


def test_check_shows_every_shipped_build(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "check")
    rows = json.loads(shown(capsys, "check", "--json"))
    assert {row["profile"] for row in rows} == {"rtp_96", "rtp_94", "rtp_92", "rtp_95", "rtp_93"}
    for row in rows:
        assert f"{row['game']}/{row['profile']}" in text


def test_check_lists_all_problems_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(games.find("ember_sevens").read_text().replace("reels = 3", "reels = 9").replace("seven:", "sevn:"))
    message = failed(capsys, "check", str(path))
    assert "bad.toml" in message
    assert "grid.reels (line" in message
    assert "unknown symbol 'sevn'; did you mean 'seven'?" in message


def test_parsheet(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "parsheet", "lantern_tide")
    assert "96.495758 %" in text
    assert "closed form = full cycle" in text
    sheet = json.loads(shown(capsys, "parsheet", "lantern_tide/rtp_94", "--json"))
    assert sheet["rtp_exact_methods"] == ["closed form", "joint law of the full cycle"]
    assert sheet["figures"]["rtp"] == pytest.approx(0.9448554002)
    visited = json.loads(shown(capsys, "parsheet", "ember_sevens", "--visit", "--json"))
    merged = json.loads(shown(capsys, "parsheet", "ember_sevens", "--json"))
    assert visited.pop("methods")["rtp"] == merged.pop("methods")["rtp"] + ", merged and visited"
    assert visited == merged


def test_spin_draws_the_round_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    seed = "11" * 32
    text = shown(capsys, "spin", "lantern_tide", "--server-seed", seed, "--client-seed", "me", "--nonce", "3")
    data = json.loads(
        shown(capsys, "spin", "lantern_tide", "--server-seed", seed, "--client-seed", "me", "--nonce", "3", "--json")
    )
    outcome = Engine(load(games.find("lantern_tide")).build()).spin(derive_key(bytes.fromhex(seed), "me"), 3)
    assert data["outcome_digest"] == outcome.digest()
    assert f"Round wins {outcome.win_units:,} units" in text
    for win in outcome.spins[0].wins:
        where = f"line {win.line}" if win.line else win.evaluator
        assert f"{where}: {win.count} x {win.symbol}" in text


def test_a_spin_in_json_is_a_record_that_replays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(games.find("ember_sevens").read_text().replace('version = "1.0.0"', 'version = "mine"'))
    record = tmp_path / "record.json"
    record.write_text(shown(capsys, "spin", str(path), "--seed", "x", "--nonce", "9", "--json"))
    assert "MATCH" in shown(capsys, "replay", str(record), "--model", str(path))
    assert "give the model file" in failed(capsys, "replay", str(record))


def test_simulate_is_the_same_for_any_threads_and_split(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", "lantern_tide", "--seed", "t", "--json"]
    one = json.loads(shown(capsys, *arguments, "--spins", "3e5", "--threads", "1"))
    four = json.loads(shown(capsys, *arguments, "--spins", "300_000", "--threads", "4"))
    assert one == four
    parts = [
        json.loads(shown(capsys, *arguments, "--spins", n, "--first-nonce", first))
        for n, first in (("123457", "0"), ("176543", "123457"))
    ]
    assert sum(part["sums"]["win_units"] for part in parts) == one["sums"]["win_units"]
    nonce = str(one["max_win_nonce"])
    best = json.loads(shown(capsys, "spin", "lantern_tide", "--seed", "t", "--nonce", nonce, "--json"))
    assert best["win_units"] / 20 == one["max_win"]


def test_simulate_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "simulate", "ember_sevens", "--spins", "1e5")
    assert "100,000 rounds" in text
    assert "largest win" in text
    assert "Distribution" in text


def test_verify_agrees_with_the_certificates(capsys: pytest.CaptureFixture[str]) -> None:
    assert "agree" in shown(capsys, "verify", "ember_sevens", "--spins", "1e6")


def test_verify_finds_what_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, path = games.find_build("ember_sevens", "rtp_95")
    text = games.certificate_path(path, build).read_text()
    for old, new, figure in (
        ("rtp = 0.95486", "rtp = 0.95586", "rtp"),
        ("sd = 6.09", "sd = 6.10", "sd"),
        (build.build_hash, build.build_hash.replace("a", "b"), "build_hash"),
    ):
        assert old in text
        wrong = tmp_path / f"{figure}.toml"
        wrong.write_text(text.replace(old, new, 1))
        arguments = ["verify", "ember_sevens", "--profile", "rtp_95", "--certificate", str(wrong), "--spins", "1e7"]
        assert main([*arguments, "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        off = {check["figure"] for check in report["builds"][build.label] if not check["ok"]}
        assert figure in off
        assert main(arguments) == 1
        assert "OFF" in capsys.readouterr().out


def test_an_rtp_that_is_off_is_found_by_simulation_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, path = games.find_build("ember_sevens", "rtp_95")
    wrong = tmp_path / "c.toml"
    wrong.write_text(games.certificate_path(path, build).read_text().replace("rtp = 0.95486", "rtp = 0.98486"))
    assert main(["verify", "ember_sevens", "--profile", "rtp_95", "--certificate", str(wrong), "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["builds"][build.label]
    assert [c["ok"] for c in checks if c["figure"] == "rtp"] == [False, False]


def test_certify_writes_what_verify_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(games.find("ember_sevens").read_text())
    assert "wrote" in shown(capsys, "certify", str(path), "--profile", "rtp_93", "--write")
    assert main(["verify", str(path), "--profile", "rtp_93", "--spins", "1e5"]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "declared is missing"),
        ("[declared]\nrtp = 1.0", "verify is missing"),
        ("[declared]\nrpt = 1.0", "declared.rpt is no figure"),
        ("[declared]\nrtp = 'x'", "is not a number"),
        ("= ", "not valid TOML"),
    ],
)
def test_a_broken_certificate_names_its_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(content)
    with pytest.raises(CertificateError, match=r"c\.toml") as caught:
        load_certificate(path)
    assert message in str(caught.value)


def test_a_missing_certificate_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="rgs certify"):
        load_certificate(tmp_path / "none.toml")


def test_a_figure_that_was_not_computed_is_off() -> None:
    from dataclasses import replace

    from rgs_core.certified.verification import compare_exact
    from rgs_core.sheet.sheet import Sheet

    build, path = games.find_build("lantern_tide")
    sheet = Sheet.of(build)
    unknown = replace(sheet.analysis, cycle=None, hit_frequency=None, sd=None)
    sheet = replace(sheet, analysis=unknown, law=None)
    checks = compare_exact(load_certificate(games.certificate_path(path, build)), sheet)
    off = {c.figure for c in checks if not c.ok}
    assert {name for name in off if not name.startswith("win_above.")} == {
        "hit_frequency", "sd", "volatility_index", "max_win"
    }  # fmt: skip
    assert "win_above.100" in off


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["spin", "nothing_like_it"],
            "shipped: canopy_rise, clockwork_aviary, ember_sevens, fossil_coast, lantern_tide",
        ),
        (["spin", "no/such/file.toml"], "no such file"),
        (["spin", "lantern_tide", "--profile", "rtp_1"], "it has rtp_96, rtp_94, rtp_92"),
        (["spin", "lantern_tide/rtp_1"], "it has rtp_96"),
        (["spin", "lantern_tide", "--server-seed", "00"], "64 hex digits"),
        (["simulate", "lantern_tide", "--confidence", "2", "--spins", "1"], "is not above 0"),
        (["verify", "--certificate", "x.toml"], "belongs to one build"),
        (["replay", "/no/such/record.json"], "No such file"),
    ],
)
def test_wrong_use_says_what_is_right(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in failed(capsys, *arguments)


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "x", "inf"])
def test_counts_are_checked(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["simulate", "lantern_tide", "--spins", number])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("[]", "no audit record"),
        ("{", "is not JSON"),
        ("{}", "record.build_hash is missing"),
        ('{"build_hash": "sha256:0"}', "give the model file of that version with --model"),
    ],
)
def test_a_broken_audit_record_is_explained(
    tmp_path: Path, record: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.json"
    path.write_text(record)
    assert message in failed(capsys, "replay", str(path))


def test_an_interruption_ends_with_130() -> None:
    import signal
    import time

    command = [sys.executable, "-m", "rgs_core", "simulate", "lantern_tide", "--spins", "1e10", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(5)  # Python starts first
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted after" in message.decode()
    assert "of 10,000,000,000 rounds; --save FILE would let you go on" in message.decode()


def test_check_says_why_a_model_needs_the_general_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_tiny(tmp_path, "A = { 2 = 9, 3 = 5 }", "['A B', 'A B', 'A B']")
    assert "played by the general kernel (state 'base': a longer run of a symbol pays less" in shown(
        capsys, "check", path
    )
    (row,) = json.loads(shown(capsys, "check", path, "--json"))
    assert row["kernel"] == "general"


def test_a_long_cycle_can_be_interrupted(tmp_path: Path) -> None:
    """Six tall reels and many lines: hours of counting, ended by Ctrl-C."""
    import itertools
    import signal
    import time

    lines = ["".join(row) for row in itertools.islice(itertools.product("012345", repeat=6), 0, 46656, 200)]
    rng = random.Random(1)
    strips = [" ".join(rng.choices("ABCDE", k=120)) for _ in range(6)]
    path = tmp_path / "long.toml"
    path.write_text(
        "format = 1\nid = 'long'\ntitle = 'l'\nversion = '1'\nsymbols = ['A', 'B', 'C', 'D', 'E']\n[stake]\nunits = 1\n"
        f"[grid]\nreels = 6\nrows = 6\n[evaluators.lines]\nkind = 'lines'\npaylines = {lines}\n[evaluators.lines.pays]\n"
        + "".join(f"{x} = {{ 3 = 1, 4 = {i}, 5 = {i * i}, 6 = {i**3} }}\n" for i, x in enumerate("ABCDE", 2))
        + "[states.base]\nstrips = 'base'\nevaluators = ['lines']\n"
        f"[profiles.one.strips]\nbase = {strips}\n"
    )
    command = [sys.executable, "-m", "rgs_core", "parsheet", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(5)  # Python starts first
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130


# --- Found by a hostile review ----------------------------------------------------------------------

TINY = """
    format = 1
    id = "tiny"
    title = "Fire [/b] Gold"
    version = "1"
    symbols = ["A", "B", "S"]
    stake = {{ units = 1 }}
    grid = {{ reels = 3, rows = 1 }}
    evaluators.lines = {{ kind = "lines", paylines = ["000"], pays = {{ {pays} }} }}
    {more}
    profiles.one.strips.base = {strips}
"""
PLAIN = "states.base = { strips = 'base', evaluators = ['lines'] }"
FREE = """
    states.free = { strips = 'base', evaluators = ['lines'] }
    [states.base]
    strips = 'base'
    evaluators = ['lines']
    triggers = [{ name = "Free", kind = "free_spins", symbol = "S", spins = { 1 = 5 }, state = "free" }]
    [x]
"""


def write_tiny(tmp_path: Path, pays: str, strips: str, more: str = PLAIN) -> str:
    path = tmp_path / "tiny.toml"
    text = TINY.format(pays=pays, more="", strips=strips)
    path.write_text(text.replace("profiles.one", f"{more}\n    profiles.one"))
    return str(path)


def test_titles_are_not_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_tiny(tmp_path, "A = { 3 = 5 }", "['A B', 'A B', 'A B']")
    for command in (["check", path], ["spin", path], ["parsheet", path]):
        assert "Fire [/b] Gold" in shown(capsys, *command)


def test_a_jackpot_that_did_not_come_up_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The interval of the simulated RTP takes the exact standard deviation, not that of the sample."""
    path = write_tiny(
        tmp_path,
        "A = { 3 = 10000000 }, B = { 3 = 1 }",
        "['A:1 B:400 S:63', 'A:1 B:440 S:23', 'A:1 B:450 S:13']",
    )
    assert "wrote" in shown(capsys, "certify", path, "--write")
    assert main(["verify", path, "--spins", "1e6"]) == 0


def test_the_maximum_win_is_one_that_can_be_won(tmp_path: Path) -> None:
    """Five free spins, no retrigger, the default cap of 100,000."""
    from rgs_core.exact.analysis import full_cycle

    free = FREE.replace("[x]", "").strip()
    text = TINY.format(pays="A = { 3 = 1 }", more="", strips="['A', 'A', 'A S']")
    model_text = text.replace("profiles.one.strips.base = ['A', 'A', 'A S']", "") + "\n" + free
    model_text += "\n    [profiles.one.strips]\n    base = ['A', 'A', 'A S']\n"
    from rgs_core.language.model_file import loads

    cycle = full_cycle(loads(model_text).build())
    assert cycle.max_win_reached
    assert cycle.max_win_units == 5


def test_many_counted_symbols_merge() -> None:
    from rgs_core.exact.analysis import analyse
    from rgs_core.language.model_file import loads

    symbols = ["A", "S", "T", "U", "V", "X"]
    evaluators = "\n".join(
        f"[evaluators.e{s}]\nkind = 'scatter'\nsymbol = '{s}'\nof = 'total_bet'\npays = {{ 1 = 1 }}" for s in symbols
    )
    names = [f"e{s}" for s in symbols]
    text = (
        f"format = 1\nid = 'many'\ntitle = 'm'\nversion = '1'\nsymbols = {symbols}\n[stake]\nunits = 1\n"
        f"[grid]\nreels = 3\nrows = 1\n{evaluators}\n[states.base]\nstrips = 'base'\nevaluators = {names}\n"
        "[profiles.one.strips]\nbase = ['A S T', 'A U V', 'A X']\n"
    )
    analysis = analyse(loads(text).build())
    assert analysis.closed is not None
    assert analysis.rtp == analysis.closed.rtp > 0
    assert analysis.methods["state base"].startswith("merging")
    long = " ".join(random.Random(1).choices(symbols, k=100))
    analysis = analyse(
        loads(
            text.replace("reels = 3\nrows = 1", "reels = 6\nrows = 3").replace(
                "['A S T', 'A U V', 'A X']", repr([long] * 6)
            )
        ).build()
    )
    assert analysis.closed is not None
    assert analysis.cycle is not None
    assert analysis.cycle.combinations == len(long.split()) ** 6 > 400_000_000
    assert analysis.rtp == analysis.closed.rtp > 0


def test_numbers_of_combinations_in_words() -> None:
    """A number, more than 2^63, or that every step of a cascade draws again."""
    from rgs_core.exact.spin_paths import paths_text
    from rgs_core.language.model_file import loads

    rose = load(games.find("rose_window")).build()
    assert "draws again at every step of its cascade, up to 20 steps" in paths_text(rose, rose.model.states["base"])
    text = (
        "format = 1\nid = 'cells'\ntitle = 'c'\nversion = '1'\nsymbols = ['A', 'B']\n[stake]\nunits = 1\n[grid]\n"
        "reels = REELS\nrows = 8\n[evaluators.jewels]\nkind = 'cluster'\npays.A = { 1 = 1, 2 = 2 }\n[states.base]\n"
        "strips = 'base'\nevaluators = ['jewels']\ndraw = 'cell'\n[profiles.one.strips]\nbase = STRIPS\n"
    )
    few, many = (
        loads(text.replace("REELS", str(reels)).replace("STRIPS", repr(["A B B"] * reels))).build() for reels in (2, 8)
    )
    assert paths_text(few, few.model.states["base"]) == "a spin of state 'base' has 65,536 combinations of draws"
    assert "has more than 2^63 combinations" in paths_text(many, many.model.states["base"])


def test_squares_of_the_largest_wins_do_not_overflow(tmp_path: Path) -> None:
    from rgs_core import Engine as Core
    from rgs_core.language.model_file import loads

    text = (
        "format = 1\nid = 'big'\ntitle = 'b'\nversion = '1'\nsymbols = ['A', 'B']\n[stake]\nunits = 1\n"
        "line_units = 100000\n[grid]\nreels = 3\nrows = 1\n[evaluators.lines]\nkind = 'lines'\npaylines = ['000']\n"
        "[evaluators.lines.pays]\nA = { 3 = 100000000 }\n[states.base]\nstrips = 'base'\nevaluators = ['lines']\n"
        "multiplier = 400\n[profiles.one.strips]\nbase = ['A', 'A', 'A']\n"
    )
    totals = Core(loads(text).build()).simulate(bytes(32), 0, 200_000)
    assert totals["win_squared"] == 200_000 * (400 * 10**13) ** 2 > 2**128 // 200


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rtp = 0.954", "rtp = nan #", "is no figure of a game"),
        ("rtp = 0.954", "rtp = 1e99999 #", "is no figure of a game"),
        ("tolerance = 1e-9", "tolerance = inf", "verify.tolerance is above 0"),
        ("tolerance = 1e-9", "tolerance = 0.1", "verify.tolerance is above 0"),
        ("confidence = 0.9999", "confidence = 1.5", "verify.confidence"),
        ("rounds = 50000000", "rounds = 0", "verify.rounds"),
        ("[declared]\nrtp =", "[declared]\nsd = 1.0 #", "declared.rtp is missing"),
    ],
)
def test_certificates_that_would_agree_with_anything(
    tmp_path: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build, path = games.find_build("ember_sevens", "rtp_95")
    text = games.certificate_path(path, build).read_text()
    assert old in text
    wrong = tmp_path / "c.toml"
    wrong.write_text(text.replace(old, new, 1).replace("sd = 6.09", "#") if "sd" in new else text.replace(old, new, 1))
    assert message in failed(capsys, "verify", "ember_sevens", "--profile", "rtp_95", "--certificate", str(wrong))


def test_a_certificate_of_another_game_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, path = games.find_build("ember_sevens", "rtp_95")
    wrong = tmp_path / "c.toml"
    wrong.write_text(games.certificate_path(path, build).read_text().replace('"ember_sevens"', '"other"'))
    arguments = [
        "verify",
        "ember_sevens",
        "--profile",
        "rtp_95",
        "--certificate",
        str(wrong),
        "--spins",
        "1e5",
        "--json",
    ]
    assert main(arguments) == 1
    off = [c["figure"] for c in json.loads(capsys.readouterr().out)["builds"][build.label] if not c["ok"]]
    assert off == ["build"]


def test_nonces_up_to_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    from rgs_core import Engine as Core

    engine = Core(load(games.find("ember_sevens")).build())
    last = 2**64 - 1
    assert engine.simulate(bytes(32), last, 1)["win"] == engine.win(bytes(32), last)
    arguments = ["simulate", "ember_sevens", "--spins", "600000", "--first-nonce", str(last), "--threads", "2"]
    assert "below 2^64" in failed(capsys, *arguments)


def test_check_goes_on_after_a_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text("format = 3\n")
    message = failed(capsys, "check", str(tmp_path / "a.toml"), "ember_sevens", str(tmp_path / "b.toml"))
    assert "a.toml" in message
    assert "b.toml" in message


def test_a_round_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells of what pays or is awarded at the end are marked in the last grid; one unit is no units."""
    assert main(["simulate", "fossil_coast", "--spins", "3000", "--keep", "feature", "--json"]) == 0
    nonce = json.loads(capsys.readouterr().out)["kept"][0]["nonce"]
    *_, last = shown(capsys, "spin", "fossil_coast", "--nonce", str(nonce)).split("Free spin ")
    number = re.search(r"amber: (\d+) x amber = [\d,]+ units", last)
    assert number is not None
    assert len(re.findall(r"\*amber \d+\*", last)) == int(number[1])
    text = shown(capsys, "spin", "ember_sevens", "--nonce", "2")
    assert "line 2: 1 x cherry = 1 unit\n" in text
    assert "Round wins 2 units = 0.40 x stake" in text
    bought = shown(capsys, "spin", "clockwork_aviary@buy", "--nonce", "1")
    assert "Spin 1 of 10 paid for  (state free)" in bought
    assert "7 more spins won nothing." in bought


def test_figures_of_a_bought_feature_are_named_for_what_they_count(capsys: pytest.CaptureFixture[str]) -> None:
    """A trigger by the spins of its state; parts of a state that awards itself include the spins that it awards."""
    simulated = json.loads(shown(capsys, "simulate", "clockwork_aviary@buy", "--spins", "1e5", "--json"))
    assert simulated["trigger_frequencies"]["Retrigger"] == pytest.approx(0.004297, rel=0.1)
    text = shown(capsys, "simulate", "clockwork_aviary@buy", "--spins", "1e4")
    assert "lines, all spins" in text
    assert "Retrigger for each spin of 'free'" in text
    assert "maximum win reached" in text
    sheet = shown(capsys, "parsheet", "clockwork_aviary@buy")
    assert "Symbols of strip set 'free'" in sheet
    assert "Symbols of strip set 'ante'" not in sheet
    assert "Win of the free spins of a round that has any, exact\n" in sheet


def test_check_names_modes_and_gives_a_reason_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "check")
    assert "clockwork_aviary has modes beside the base one: ante (25 units), buy (1,200 units)" in text
    assert "rose_window/rtp_96, rtp_94: played by the general kernel (more than 6 reels)" in text
    assert text.count("more than 6 reels") == 1


def test_a_file_that_is_not_there_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["replay", "nothing.json"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("rgs replay: nothing.json: No such file or directory; check the path")
    assert main(["replay", str(tmp_path)]) == 2
    assert f"rgs replay: {tmp_path}: Is a directory; name a file" in capsys.readouterr().err
