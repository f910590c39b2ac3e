"""Tuning of games with more than lines: the maximum win, special symbols, hold and spin, modes; and what has no figures."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from rgs_core.__main__ import main
from rgs_core.errors import TuningError
from rgs_core.exact.analysis import analyse
from rgs_core.language.model import BASE_MODE
from rgs_core.language.model_file import loads
from rgs_core.language.profile_text import profile_text, with_profile
from rgs_core.language.starters import starter
from rgs_core.tuning.figures import parse_target
from rgs_core.tuning.strips import tune_strips
from rgs_core.tuning.weights import Tuned, tune_weights

GAME = """
format = 1
id = "game"
title = "Game"
version = "1"
symbols = ["star", "coin", "A", "B", "C"]
[stake]
units = 1
[grid]
reels = 3
rows = 1
[evaluators.lines]
kind = "lines"
paylines = ["000"]
pays = { A = { 3 = 40 }, B = { 2 = 1, 3 = 6 } }
[states.base]
strips = "base"
evaluators = ["lines"]
"""
BASE = '[profiles.main.strips]\nbase = ["A:2 B:5 C:9 star coin", "A:2 B:4 C:7 star coin", "A:1 B:6 C:8 star:2 coin"]\n'

FREE = """
[[states.base.triggers]]
name = "Free"
kind = "free_spins"
symbol = "star"
spins = { 2 = 4 }
state = "free"
[states.free]
strips = "free"
evaluators = ["lines"]
"""
FREE_STRIPS = 'free = ["A:2 B:5 C:9", "A:2 B:4 C:7", "A:1 B:6 C:8"]\n'

HOLD = """
[evaluators.coins]
kind = "collect"
symbol = "coin"
at = "end"
[[states.base.triggers]]
name = "Hold"
kind = "free_spins"
symbol = "coin"
spins = { 2 = 3 }
state = "hold"
carry = ["coin"]
[[states.base.transforms]]
kind = "values"
symbols = ["coin"]
table = { 1 = 1, 5 = 1 }
[states.hold]
strips = "hold"
evaluators = ["coins"]
draw = "cell"
[[states.hold.transforms]]
kind = "values"
symbols = ["coin"]
table = { 1 = 1, 5 = 1 }
[[states.hold.transforms]]
kind = "stick"
symbols = ["coin"]
[[states.hold.triggers]]
name = "Again"
kind = "free_spins"
symbol = "coin"
spins = { 1 = 3 }
state = "hold"
fresh = true
reset = true
"""
HOLD_STRIPS = 'hold = ["C:9 coin", "C:9 coin", "C:12 coin"]\n'


def tuned(text: str, *wanted: str, mode: str = BASE_MODE, keep: tuple[str, ...] = ()) -> Tuned:
    """The tuned build, after its figures were found by the ordinary analysis of the text that it becomes."""
    found = tune_weights(loads(text).build(mode=mode), [parse_target(one) for one in wanted], keep=keep)
    _, new = with_profile(text, "new", profile_text("new", found.strips), "text")
    analysis = analyse(new.model.build("new", mode))
    assert analysis.rtp is not None
    assert float(analysis.rtp) == pytest.approx(float(found.after.rtp), abs=1e-12)
    assert analysis.sd == pytest.approx(found.after.value("sd"), abs=1e-9)
    assert analysis.hit_frequency == found.after.hit
    assert all(target.met(found.after) for target in found.targets)
    assert not all(target.met(found.before) for target in found.targets)
    return found


def test_the_maximum_win_is_in_the_figures() -> None:
    """Against every combination, each win cut off at the maximum."""
    found = tuned(
        GAME.replace("[evaluators.lines]", "[caps]\nwin = 20\n[evaluators.lines]") + BASE, "rtp=60.00%", "hit=20%"
    )
    strips = found.strips["base"]
    rtp = 0.0
    for stops in itertools.product(*(range(len(strip.symbols)) for strip in strips)):
        p = 1.0
        for strip, stop in zip(strips, stops, strict=True):
            p *= strip.weights[stop] / strip.total
        shown = "".join(strip.symbols[stop] for strip, stop in zip(strips, stops, strict=True))
        rtp += p * (20 if shown == "AAA" else 6 if shown == "BBB" else 1 if shown.startswith("BB") else 0)
    assert float(found.after.rtp) == pytest.approx(rtp, abs=1e-12)
    assert not found.after.exact
    assert 0.59995 <= rtp <= 0.60005


def test_special_symbols_are_a_mixture() -> None:
    special = '[states.free.special]\nname = "Book"\ntable = { A = 1, B = 3 }\nlines = "lines"\n'
    found = tuned(GAME + FREE + special + BASE + FREE_STRIPS, "feature=1/40")
    assert found.after.exact
    assert 39.5 <= 1 / float(found.after.feature) <= 40.5


def test_hold_and_spin_is_tuned_and_equal_reels_stay_equal() -> None:
    found = tuned(GAME + HOLD + BASE + HOLD_STRIPS, "rtp=31.00%", keep=("base",))
    first, second, third = found.strips["hold"]
    assert first == second != third
    assert first != found.build.profile.strips["hold"][0]
    assert found.strips["base"] == found.build.profile.strips["base"]
    assert found.divergence == pytest.approx(found.least_divergence, rel=0.3)


MODES = '[modes.ante]\ncost = 2\nstart = "ante"\n[modes.buy]\ncost = 5\nstart = "free"\nspins = 6\n[states.ante]\nlike = "base"\nstrips = "ante"\n'
ANTE_STRIPS = 'ante = ["A:2 B:5 C:9 star:3", "A:2 B:4 C:7 star:3", "A:1 B:6 C:8 star:3"]\n'
GAME_OF_MODES = GAME + FREE + MODES + BASE + FREE_STRIPS + ANTE_STRIPS


@pytest.mark.parametrize(("mode", "sets"), [("base", {"base", "free"}), ("ante", {"ante", "free"}), ("buy", {"free"})])
def test_a_mode_changes_its_own_strips(mode: str, sets: set[str]) -> None:
    before = analyse(loads(GAME_OF_MODES).build(mode=mode)).rtp
    assert before is not None
    found = tuned(GAME_OF_MODES, f"rtp={100 * float(before) * 0.98:.2f}%", mode=mode)
    old = found.build.profile.strips
    assert {name for name, strips in found.strips.items() if strips != old[name]} <= sets
    with pytest.raises(TuningError, match="everything is kept"):
        tuned(GAME_OF_MODES, "rtp=50.00%", mode=mode, keep=tuple(sets))


def test_the_command_shows_what_other_modes_become(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "game.toml"
    path.write_text(GAME_OF_MODES)
    arguments = ["tune", str(path), "--mode", "buy", "--target", "rtp=110.00%", "--out", "new"]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mode"] == "buy"
    assert told["other_modes"].keys() == {"base", "ante"}  # they play the same free spins
    new = loads(GAME_OF_MODES + told["toml"])
    for mode, rtps in told["other_modes"].items():
        rtp = analyse(new.build("new", mode)).rtp
        assert rtp is not None
        assert rtps["after"] == pytest.approx(float(rtp), abs=1e-12)
        assert rtps["after"] != rtps["before"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "RTP of mode 'ante'" in shown
    assert "# main tuned to rtp=110.00% in mode 'buy'" in shown
    assert "# each reel from stop 0 on" in shown


@pytest.mark.parametrize("tune", [tune_weights, tune_strips])
def test_what_has_no_exact_figures_is_refused_with_a_remedy(tune: object) -> None:
    build = loads(starter("mine", "cascade")).build()
    with pytest.raises(TuningError, match=r"no exact figures.*draws at every step of a cascade.*rgs simulate"):
        tune(build, [parse_target("rtp=95%")])  # type: ignore[operator]
