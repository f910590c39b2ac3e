"""Features that interrupt others, wait, carry and multiply at random: where there are exact figures of rounds, they are
those of every path of the plain-Python rules."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tape import enumerate_round

from rgs_core import Engine, reference
from rgs_core.errors import AnalysisError
from rgs_core.exact.cycle import full_cycle
from rgs_core.exact.distribution import win_law
from rgs_core.language.model import Build
from rgs_core.language.model_file import loads

PATHS_MAX = 4_000

GAME = """
format = 1
id = "random"
title = "Random"
version = "1"
symbols = ["A", "X", "Y"]
[stake]
units = 1
[grid]
reels = 2
rows = 1
[caps]
free_spins = 1000
CAP
[evaluators.count]
kind = "count"
pays.A = { 1 = 1, 2 = 4 }
STATES
[profiles.one.strips]
"""
NAMES = ("base", "a", "b", "c")
MEMORIES = (
    "",
    "",
    '{ kind = "multiplier", table = { 1 = 1 }, combine = "sum", persist = true }',
    '{ kind = "stick", symbols = ["A"] }',
)
CARRIED = '{ kind = "stick", symbols = ["X"] }'
STRIPS = ("A X", "A Y", "A", "X", "Y", "A X Y")


@st.composite
def games(draw: st.DrawFn) -> str:
    """Four states, each of which may award those behind it, and sometimes one before it."""
    lines, strips, used = [], [], {"base"}
    for place, name in enumerate(NAMES):
        if name not in used:
            continue
        triggers = []
        for symbol in draw(st.lists(st.sampled_from(["X", "Y"]), max_size=2, unique=True)):
            known = [*NAMES[place + 1 :], *(NAMES[1:] if draw(st.integers(0, 3)) == 0 else ())]
            if not known:
                continue
            target = draw(st.sampled_from(known))
            used.add(target)
            counts = draw(st.sampled_from(["{ 1 = 1 }", "{ 2 = 1 }", "{ 1 = 1, 2 = 2 }", "{ 2 = 2 }"]))
            words = [f'name = "{symbol}"', 'kind = "free_spins"', f'symbol = "{symbol}"', f'state = "{target}"']
            words += [f"spins = {counts}"]
            words += draw(st.sampled_from([[], [], ["multiplier = 3"], ["multiplier = { 1 = 1, 2 = 1 }"]]))
            words += ["at_once = true"] if draw(st.integers(0, 2)) else []
            words += draw(st.sampled_from([[], [], ['carry = ["A"]'], ["reset = true"]]))
            triggers.append("{ " + ", ".join(words) + " }")
        memory = draw(st.sampled_from(MEMORIES)) if name != "base" else ""
        least = f"win_min = {draw(st.integers(2, 5))}\n" if name != "base" and draw(st.integers(0, 7)) == 0 else ""
        lines.append(
            f'[states.{name}]\nstrips = "{name}"\nevaluators = ["count"]\ntransforms = [{memory}]\n{least}'
            f"triggers = [{', '.join(triggers)}]\n"
        )
        strips.append(f"{name} = {draw(st.lists(st.sampled_from(STRIPS), min_size=2, max_size=2))!r}")
    text = GAME.replace("CAP", draw(st.sampled_from(["", "", "win = 5"]))).replace("STATES", "\n".join(lines))
    missing = [
        f'[states.{name}]\nstrips = "base"\nevaluators = ["count"]\n' for name in used if f"[states.{name}]" not in text
    ]
    text = text.replace("[profiles", "\n".join([*missing, "[profiles"]))
    mode = draw(st.sampled_from(["", "", '[modes.two]\ncost = 2\nstart = "START"\nspins = 2\n']))
    return text + "\n".join(strips) + "\n" + mode.replace("START", draw(st.sampled_from(sorted(used))))


def check(build: Build) -> bool:
    """Engine and reference agree; so do exact figures, where there are some, and all paths, where they are few."""
    engine = Engine(build)
    for nonce in range(10):
        assert engine.spin(bytes(32), nonce) == reference.play(build, bytes(32), nonce)
    try:
        cycle = full_cycle(build)
    except AnalysisError:
        return False
    paths = list(islice(enumerate_round(build), PATHS_MAX + 1))
    if len(paths) > PATHS_MAX:
        return False
    wins: dict[int, Fraction] = {}
    for p, outcome in paths:
        wins[outcome.win_units] = wins.get(outcome.win_units, Fraction(0)) + p
    cost = build.play.cost_units
    mean = sum((p * units for units, p in wins.items()), Fraction(0))
    if not cycle.capped:
        assert cycle.rtp * cost == mean
        assert cycle.variance * cost**2 == sum((p * units**2 for units, p in wins.items()), Fraction(0)) - mean**2
        played = sum((p * len(outcome.spins) for p, outcome in paths), Fraction(0))
        assert cycle.free_spins_per_round == played - build.play.spins or cycle.paid is None
    assert cycle.max_win_units == max(wins) or not cycle.max_win_reached
    assert cycle.hit_frequency == 1 - wins.get(0, Fraction(0))
    law = win_law(cycle)
    for units, p in wins.items():
        assert law.probabilities[units // law.step] == pytest.approx(float(p), abs=1e-9)
    return True


@given(text=games())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_figures_of_random_games(text: str) -> None:
    note(text)
    model = loads(text)
    for mode in ("base", *model.modes):
        check(model.build(mode=mode))
