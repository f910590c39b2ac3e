"""What the player chooses: options of choices, bets on wins; in rules, engine, exact figures and commands."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from doors import CARDS, GAME, LADDER, game
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tape import enumerate_round

from rgs_core import reference
from rgs_core.__main__ import main
from rgs_core._engine import Engine
from rgs_core.certified.significance import mean_p
from rgs_core.certified.verification import compare_options
from rgs_core.commands import parsheet
from rgs_core.commands.drawing import draw_round
from rgs_core.engine.playing import PlainPlayer
from rgs_core.errors import AnalysisError, ModelError, PolicyError, SimulationError
from rgs_core.exact.analysis import analyse
from rgs_core.exact.policy_figures import policy_figures
from rgs_core.language.model_file import loads
from rgs_core.language.policies import variants, with_policy
from rgs_core.seeds import derive_key
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import restored, simulate

KEY = derive_key(bytes(32))

POLICIES = [
    (CARDS, "doors=few"),
    (CARDS, "doors=cash"),
    (CARDS, "gamble=red"),
    (CARDS, "gamble=red*3"),
    (CARDS, "doors=few, gamble=half+suit"),
    (CARDS, "gamble=half*4"),
    (CARDS, "gamble=sure+red"),
    (LADDER, "gamble=up"),
    (LADDER, "doors=cash, gamble=up*2+leap"),
    (LADDER, "doors=few, gamble=leap*3"),
]


@pytest.mark.parametrize(("gamble", "policy"), POLICIES)
def test_exact_figures_are_those_of_every_path(gamble: str, policy: str) -> None:
    """The law of wins, RTP and hit frequency against every draw of the plain rules."""
    build = with_policy(game(gamble), policy)
    law: dict[int, Fraction] = defaultdict(Fraction)
    for p, outcome in enumerate_round(build):
        law[outcome.win_units] += p
    sheet = Sheet.of(build)
    assert sheet.law is not None
    wins = {int(i) * sheet.law.step: p for i, p in enumerate(sheet.law.probabilities) if p > 1e-13}
    assert wins == pytest.approx({win: float(p) for win, p in law.items()}, abs=1e-12)
    mean = sum(win * p for win, p in law.items())
    assert float(sheet.rtp or 0) == pytest.approx(float(mean) / 3, abs=1e-12)
    assert float(sheet.analysis.hit_frequency or 0) == pytest.approx(float(1 - law[0]), abs=1e-12)
    variance = sum(win * win * p for win, p in law.items()) - mean**2
    assert sheet.analysis.sd == pytest.approx(float(variance) ** 0.5 / 3, abs=1e-11)
    assert sum(float(part) for part in sheet.analysis.rtp_parts.values()) == pytest.approx(float(mean) / 3, abs=1e-11)


@pytest.mark.parametrize(("gamble", "policy"), POLICIES)
def test_engine_and_rules_play_the_same(gamble: str, policy: str) -> None:
    build = with_policy(game(gamble), policy)
    engine = Engine(build)
    assert engine.kernel == "general"
    gambled = 0
    for nonce in range(200):
        played, expected = engine.spin(KEY, nonce), reference.play(build, KEY, nonce)
        assert played == expected
        assert played.digest() == expected.digest()
        assert engine.win(KEY, nonce) == expected.win_units
        gambled += bool(played.gamble)
    assert gambled > 20 or "gamble" not in policy
    totals = engine.simulate(KEY, 0, 200)
    assert PlainPlayer(build).simulate(KEY, 0, 200) == totals
    assert totals["win"] == sum(engine.win(KEY, nonce) for nonce in range(200))
    parts = sum(sum(state.values()) for state in totals["parts"])
    assert totals["win"] == parts + totals["regained"] - totals["gambled"]


def test_a_policy_is_no_other_build() -> None:
    build = game()
    played = with_policy(build, "doors=few, gamble=red*2+half")
    assert played.build_hash == build.build_hash
    assert played.policy == "doors=few, gamble=red*2+half"
    assert played.label == "doors/main (doors=few, gamble=red*2+half)"
    assert with_policy(played, "doors=many") == build
    assert game(LADDER).build_hash != build.build_hash


def test_the_spins_do_not_depend_on_the_gamble() -> None:
    """A step draws from a sub-spin of its own: the player may ask for it whenever he likes."""
    build = game()
    plain, bold = Engine(build), Engine(with_policy(build, "gamble=red*2"))
    for nonce in range(100):
        assert bold.spin(KEY, nonce).spins == plain.spin(KEY, nonce).spins
        once = Engine(with_policy(build, "gamble=red")).spin(KEY, nonce)
        assert bold.spin(KEY, nonce).gamble[:1] == once.gamble


def test_a_bet_is_offered_up_to_the_limit() -> None:
    """The largest win that may be doubled is half the limit; on a ladder the last rung is the end."""
    build = with_policy(game("win_max = 3\n[gamble.bets.sure]\ntable = { 2 = 1 }"), "gamble=sure*5")
    wins = {outcome.win_units: len(outcome.gamble) for _, outcome in enumerate_round(build)}
    assert wins == {0: 0, 5: 0} | {10: 0}  # 5 would become 10, more than 9
    build = with_policy(game("win_max = 4\n[gamble.bets.sure]\ntable = { 2 = 1 }"), "gamble=sure*5")
    assert {(o.win_units, len(o.gamble)) for _, o in enumerate_round(build)} == {(0, 0), (10, 1), (10, 0)}
    build = with_policy(game("rungs = [1, 2, 3]\nsteps_max = 5\n[gamble.bets.up]\ntable = { 1 = 1 }"), "gamble=up*5")
    # 5 stands on 3 and keeps 2: up to 6 and 9; 10 is above the last rung
    assert {(o.win_units, len(o.gamble)) for _, o in enumerate_round(build)} == {(0, 0), (11, 2), (10, 0)}


@given(st.integers(1, 400), st.lists(st.sampled_from(["red", "suit", "half", "sure"]), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_wins_of_a_gamble_stay_below_its_limit(limit: int, plays: list[str]) -> None:
    build = with_policy(game(CARDS.replace("20", str(limit))), f"gamble={'+'.join(plays)}")
    wins = Engine(build).wins(KEY, 0, 500)
    assert int(np.max(wins)) <= max(3 * limit, 10)


def test_simulated_figures_agree() -> None:
    build = with_policy(game(), "doors=few, gamble=red*2")
    sheet, run = Sheet.of(build), simulate(build, KEY, 200_000)
    assert sheet.law is not None
    assert mean_p(run.rtp, sheet.law.rtp, sheet.law.sd, run.rounds) > 1e-4
    assert sum(run.rtp_parts.values()) == pytest.approx(run.rtp)
    assert "gamble" in run.rtp_parts


def test_a_saved_simulation_knows_its_policy() -> None:
    build = with_policy(game(), "gamble=red")
    run = simulate(build, KEY, 1000)
    assert restored(build, json.loads(json.dumps(run.state()))).totals == run.totals
    with pytest.raises(SimulationError, match="a player with policy 'gamble=red', not with no policy"):
        restored(game(), run.state())


def test_a_choice_that_only_awards_spins_is_no_part_of_the_rtp() -> None:
    text = GAME.replace("MATTERS", "true").replace("GAMBLE", CARDS)
    cash = '  { name = "cash", pay = 2, bonus = "more" },\n'
    begin, end = text.replace(cash, "").split("[bonuses.more]")
    silent = loads(f"{begin}[states.base]{end.split('[states.base]')[1]}").build()
    for build, parts in ((silent, {"lines", "free spins"}), (game(), {"lines", "Doors", "free spins"})):
        assert set(analyse(build).rtp_parts) == parts
        assert set(simulate(build, KEY, 1000).rtp_parts) == parts


def test_a_policy_without_figures_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AnalysisError("a law of wins that is too large")

    sheet = Sheet.of(game())
    monkeypatch.setattr("rgs_core.exact.policy_figures.win_law", refused)
    (red,) = (figures for figures in policy_figures(sheet.analysis) if figures.policy == "gamble=red")
    assert (red.rtp, red.reason) == (None, "a law of wins that is too large")
    assert sheet.policies_section().remark.endswith("Not computed: a law of wins that is too large.")
    assert {p["reason"] for p in parsheet.as_json(sheet)["policies"]} == {None, "a law of wins that is too large"}


def test_figures_by_policy() -> None:
    build = game()
    found = {figures.policy: figures for figures in policy_figures(analyse(build))}
    assert list(found)[:3] == ["first options, no gamble", "doors=few", "doors=cash"]
    assert [b.policy for b in variants(build)] == ["", "doors=few", "doors=cash"]
    assert found["gamble=red"].rtp == pytest.approx(float(found["first options, no gamble"].rtp or 0))
    for policy in ("doors=cash", "gamble=suit*4"):
        assert float(found[policy].rtp or 0) == pytest.approx(float(analyse(with_policy(build, policy)).rtp or 0))
    assert policy_figures(analyse(with_policy(build, "doors=few"))) == []
    assert [p["policy"] for p in parsheet.as_json(Sheet.of(build))["policies"]] == list(found)
    titles = [section.title for section in Sheet.of(build).sections()]
    assert "By what the player chooses" in titles


def test_choices_that_are_declared_not_to_matter() -> None:
    checks = compare_options(game(matters="false"))
    assert [(check.figure, check.ok) for check in checks] == [("rtp (doors=few)", True), ("rtp (doors=cash)", False)]
    assert compare_options(game()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not of the form CHOICE=OPTION"),
        ("doors", "not of the form CHOICE=OPTION"),
        ("doors=few, doors=many", "stands in the policy twice"),
        ("windows=few", "no choice 'windows'; it has: doors, gamble"),
        ("doors=all", "no option 'all'; it has: many, few, cash"),
        ("gamble=blue", "'blue' is no bet of the gamble; it has: red, suit, half, sure"),
        ("gamble=red*0", "'red\\*0' is no bet"),
        ("gamble=red*3+half*2", "5 bets, of which the gamble allows 4"),
    ],
)
def test_policies_that_are_none(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        with_policy(game(), text)


def test_a_game_without_a_gamble() -> None:
    build = game()
    with pytest.raises(PolicyError, match="doors has no gamble"):
        with_policy(replace(build, model=replace(build.model, gamble=None)), "gamble=red")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("win_max = 20", "", "gamble .*: key 'win_max' is missing"),
        ("win_max = 20", "rungs = [1, 2]", "gamble.bets.half.part .*unknown key"),
        ("win_max = 20", "rungs = [2, 1]", "gamble.rungs .*the rungs do not ascend"),
        ("win_max = 20", "win_max = 20\nrungs = [1, 2]", "gamble.win_max .*the last rung of the ladder is the limit"),
        ("win_max = 20", 'win_max = 20\nof = "line_bet"', "gamble.of .*have no basis"),
        ("{ 0 = 2, 3 = 1 }", "{ 0 = 2, 1 = 1 }", "gamble.bets.suit.table .*nothing can be won"),
        ("{ 0 = 2, 3 = 1 }", "{ -1 = 2, 3 = 1 }", "'-1' is out of range"),
        ("steps_max = 4", "steps_max = 17", "gamble.steps_max .*out of range"),
        ("matters = true\n", "", "bonuses.doors .*key 'matters' is missing"),
        ('name = "few"', 'name = "many"', "'many' is used twice"),
        ("spins = 1, ", "", "a state without spins"),
        ('bonus = "more"', 'bonus = "doors"', "leads back to itself: doors -> doors"),
        ('state = "few"', 'state = "base"', "'base' is the paid spin"),
    ],
)
def test_wrong_choices_and_gambles(old: str, new: str, problem: str) -> None:
    text = GAME.replace("GAMBLE", CARDS).replace("MATTERS", "true")
    assert old in text
    with pytest.raises(ModelError, match=problem):
        loads(text.replace(old, new))


def test_drawn_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rgs spin --policy` shows choice and bets, and writes a record that `rgs replay` plays again."""
    path = tmp_path / "doors.toml"
    path.write_text(GAME.replace("GAMBLE", LADDER).replace("MATTERS", "true"))
    build = with_policy(loads(path.read_text()).build(), "doors=cash, gamble=up*2")
    nonce = next(n for n in range(1000) if len(reference.play(build, KEY, n).gamble) == 2)
    chosen = next(n for n in range(1000) if reference.play(build, KEY, n).spins[0].awards)
    out = StringIO()
    draw_round(Console(file=out, width=100), build, reference.play(build, KEY, nonce))
    assert "gamble, up: +1 rungs" in out.getvalue()
    draw_round(Console(file=out, width=100), build, reference.play(build, KEY, chosen))
    assert "Doors, doors: chose cash = 6 units" in out.getvalue()
    seed = ["--server-seed", bytes(32).hex()]
    policy = ["--policy", "doors=cash, gamble=up*2"]
    assert main(["spin", str(path), *policy, *seed, "--nonce", str(nonce), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["policy"] == "doors=cash, gamble=up*2"
    assert len(record["gamble"]) == 2
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert main(["replay", str(tmp_path / "record.json"), "--model", str(path)]) == 0
    assert "MATCH" in capsys.readouterr().out
    assert main(["spin", str(path), "--policy", "doors=none"]) == 2
    assert "the choice 'doors' has no option 'none'" in capsys.readouterr().err


def test_a_bet_is_not_called_what_ends_a_gamble() -> None:
    with pytest.raises(ModelError, match="'collect' is what ends a gamble; rename the bet"):
        game(CARDS.replace("gamble.bets.sure", "gamble.bets.collect"))
