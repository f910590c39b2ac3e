"""Rounds of several states: moments and laws equal the rules of the queue, played out over every history."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import Awarding, Awards
from rgs_core.exact.bonuses import bonus_law
from rgs_core.exact.cycle import FullCycle, SpinLaws, round_figures
from rgs_core.exact.distribution import feature_law, win_law
from rgs_core.exact.feature import CAP_EXACT_MAX, NEGLECTED_MAX, cap_tail, round_moments
from rgs_core.exact.joint import Joint
from rgs_core.language.mechanics import (
    BonusTrigger,
    FreeSpinsTrigger,
    Lines,
    Scatter,
    Segment,
    Special,
    SymbolTable,
    Wheel,
)
from rgs_core.language.model import Build, Mode, Model, Profile, State, Strip

STATES = ("base", "one", "two")
STAKE = 4
WHEEL = Wheel(
    "wheel", (Segment(3, 2, 0, None, None), Segment(1, 0, 2, "two", None), Segment(1, 1, 1, "one", None)), "line_bet"
)
Rows = list[tuple[int, int, tuple[int, int, int], int]]
"""(weight, units, spins awarded by state, plays of the wheel)."""


def model_of(targets: Mapping[str, set[str]], wheels: set[str], cap: int, win_max: int | None, special: bool) -> Model:
    """States that may award spins of `targets`, those in `wheels` with a wheel; strips do not matter here."""
    states = {}
    for name in STATES:
        triggers: list[Any] = [FreeSpinsTrigger(f"To {t}", "A", {1: 1}, t) for t in sorted(targets[name])]
        if name in wheels:
            triggers.append(BonusTrigger("Wheel", "A", {1: 1}, "wheel", False))
        drawn = Special("Book", SymbolTable(("A", "B"), (1, 2)), "lines", True) if special and name == "one" else None
        states[name] = State(name, "s", ("scatter",), 2, frozenset(), tuple(triggers), special=drawn)
    return Model(
        "r", "R", "1", "", STAKE, 1, 1, 1, ("A", "B"), {},
        {"scatter": Scatter("scatter", "A", {1: 1}, "line_bet"), "lines": Lines("lines", ((0,),), {}, "any")},
        {"wheel": WHEEL}, states, cap, {"p": Profile("p", {"s": (Strip(("A",), (1,)),)})},
        modes={"buy": Mode("buy", 10, "one", 3), "twice": Mode("twice", 6, "base", 2)}, win_max=win_max,
    )  # fmt: skip


def joint_of(model: Model, name: str, rows: Rows) -> Joint:
    units = np.array([u for _, u, _, _ in rows], dtype=np.int64)
    weights = np.array([w for w, *_ in rows], dtype=object)
    state = model.states[name]
    wheel = any(isinstance(t, BonusTrigger) for t in state.triggers)
    return Joint(
        model=model,
        state=state,
        states=STATES,
        units=units,
        awards=np.array([a for _, _, a, _ in rows], dtype=np.int64),
        plays=np.array([[p] if wheel else [] for *_, p in rows], dtype=np.int64).reshape(len(rows), int(wheel)),
        weights=weights,
        parts={"scatter": int((units * weights).sum())},
        cycle=int(weights.sum()),
        method="by hand",
    )


Law = dict[tuple[int, tuple[int, ...]], Fraction]


def spin_of(joint: Joint) -> Law:
    """(units, awards) -> probability, with the wheel played out."""
    law: Law = defaultdict(Fraction)
    for weight, units, awards, plays in zip(
        joint.weights.tolist(), joint.units.tolist(), joint.awards.tolist(), joint.plays.tolist(), strict=True
    ):
        here: Law = {(units, tuple(awards)): Fraction(weight, joint.cycle)}
        for _ in range(sum(plays)):
            after: Law = defaultdict(Fraction)
            for (x, k), p in here.items():
                for q, pay, spins in bonus_law(joint.model, "wheel").rows:
                    more = tuple(n + spins.get(s, 0) for n, s in zip(k, STATES, strict=True))
                    after[x + pay * joint.state.multiplier, more] += p * q
            here = after
        for key, p in here.items():
            law[key] += p
    return law


def every_history(build: Build, spins: SpinLaws, floor: float = 0.0) -> dict[int, Any]:
    """Law of a round by its queue; situations below the probability `floor` are dropped (floats then)."""
    play, cap, most = build.play, build.model.free_spins_max, build.model.win_units_cap
    laws: dict[tuple[str, str], Law] = {(n, ""): spin_of(j) for n, j in spins.laws.items() if j is not None}
    laws |= {(n, x): spin_of(j) for n, by in spins.special_laws.items() for x, j in by.items()}
    odds = {
        (n, x): Fraction(w, 3)
        for n in spins.special_laws
        for x, w in zip(("A", "B"), (1, 2), strict=True)
    }  # fmt: skip
    one: Any = 1.0 if floor else Fraction(1)
    # queue of (state, left, special symbol or ""), granted, won
    now: dict[Any, Any] = {(((play.start, play.spins, ""),), 0, 0): one}
    result: dict[int, Any] = defaultdict(type(one))
    while now:
        after: dict[Any, Any] = defaultdict(type(one))
        for (queue, granted, won), p in now.items():
            name, left, drawn = queue[0]
            starts = [(drawn, Fraction(1))]
            if name in spins.special_laws and not drawn:
                starts = [(x, q) for (n, x), q in odds.items() if n == name]
            for x, q in starts:
                for (units, awards), r in laws[name, x].items():
                    entries, total = [[name, left - 1, x], *map(list, queue[1:])], granted
                    for target, n in zip(STATES, awards, strict=True):
                        n = min(n, cap - total)
                        total += n
                        if n:
                            at = next((e for e in entries if e[0] == target), None)
                            if at is None:
                                entries.append([target, n, ""])
                            else:
                                at[1] += n
                    if entries[0][1] == 0:
                        entries.pop(0)
                    chance = p * (float(q * r) if floor else q * r)
                    if chance <= floor:
                        continue
                    if most is not None and won + units >= most:
                        result[most] += chance
                    elif not entries:
                        result[won + units] += chance
                    else:
                        after[tuple(map(tuple, entries)), total if cap < 100 else 0, won + units] += chance
        now = after
    return result


def rows_of(draw: st.DrawFn, targets: set[str], wheel: bool, most: int, quiet: int) -> Rows:
    rows: Rows = [(quiet, draw(st.sampled_from([0, 0, 1, 3])), (0, 0, 0), 0)]
    for _ in range(draw(st.integers(1, 2))):
        awards = tuple(draw(st.integers(0, most)) if s in targets else 0 for s in STATES)
        rows.append((draw(st.integers(1, 2)), draw(st.integers(0, 4)), awards, int(wheel and draw(st.booleans()))))  # type: ignore[arg-type]
    return rows


def check(cycle: FullCycle, expected: Mapping[int, Any], tolerance: float = 1e-9) -> None:
    """Moments and law of the round against the law by every history."""
    cost = cycle.build.play.cost_units
    exact = isinstance(next(iter(expected.values())), Fraction)
    mean = sum(x * p for x, p in expected.items())
    second = sum(x * x * p for x, p in expected.items())
    if not cycle.capped:
        if exact:
            assert cycle.rtp * cost == mean
            assert cycle.variance * cost**2 == second - mean**2
            assert cycle.max_win_reached
            assert cycle.max_win_units == max(expected)
        assert float(cycle.rtp * cost) == pytest.approx(float(mean), rel=tolerance, abs=tolerance)
        assert (cycle.sd * cost) ** 2 == pytest.approx(second - mean**2, rel=2 * tolerance, abs=2 * tolerance)
        assert sum(cycle.rtp_parts.values()) == cycle.rtp
    assert float(cycle.hit_frequency) == pytest.approx(1 - float(expected.get(0, 0)), abs=tolerance)
    law = win_law(cycle)
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-9)
    for x, p in expected.items():
        assert law.probabilities[x // law.step] == pytest.approx(float(p), abs=tolerance)
    assert law.rtp * cost == pytest.approx(float(mean), rel=tolerance, abs=tolerance)


@st.composite
def acyclic(draw: st.DrawFn) -> tuple[Build, SpinLaws]:
    """No state leads to itself: everything is exact."""
    targets = {"base": {"one", "two"}, "one": {"two"}, "two": set[str]()}
    special = draw(st.booleans())
    win_max = draw(st.sampled_from([None, None, 1, 3]))
    wheels = {"base"} if draw(st.booleans()) else set()
    if special and draw(st.booleans()):
        targets["one"] = set()
    model = model_of(targets, wheels, 1000, win_max, special)
    build = model.build(mode=draw(st.sampled_from(["base", "twice"] if special else ["base", "twice", "buy"])))
    laws: dict[str, Joint | None] = {}
    special_laws = {}
    names = STATES if build.play.start == "base" else STATES[1:]
    for name in names:
        rows = [rows_of(draw, targets[name], name in wheels, 2 if name == "base" else 1, 3) for _ in range(2)]
        laws[name] = joint_of(model, name, rows[0])
        if special and name == "one":
            laws[name] = None
            special_laws[name] = {"A": joint_of(model, name, rows[0]), "B": joint_of(model, name, rows[1])}
    return build, SpinLaws(laws, special_laws, {})


@given(acyclic())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_states_that_end_by_themselves_are_exact(case: tuple[Build, SpinLaws]) -> None:
    build, spins = case
    expected = every_history(build, spins)
    assert sum(expected.values()) == 1
    check(round_figures(build, spins), expected)


@st.composite
def retriggering(draw: st.DrawFn) -> tuple[Build, SpinLaws]:
    """Both further states lead to themselves and to each other, not too often."""
    targets = {"base": {"one", "two"}, "one": {"one", "two"}, "two": {"one", "two"}}
    model = model_of(targets, {"base"}, 100_000, draw(st.sampled_from([None, 2])), False)
    laws = {
        name: joint_of(model, name, rows_of(draw, targets[name], name == "base", 1, 3 if name == "base" else 200))
        for name in STATES
    }
    build = model.build(mode=draw(st.sampled_from(["base", "buy"])))
    return build, SpinLaws({n: j for n, j in laws.items() if n != "base" or build.mode == "base"}, {}, {})


@given(retriggering())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_states_that_start_each_other(case: tuple[Build, SpinLaws]) -> None:
    build, spins = case
    cycle = round_figures(build, spins)
    expected = every_history(build, spins, floor=1e-12)
    lost = 1 - sum(expected.values())
    assume(lost < 1e-7)
    check(cycle, expected, tolerance=1000 * lost + 1e-8)
    play = build.play
    laws = {name: joint.by_award() for name, joint in cycle.laws.items()}
    assert cap_tail(laws, STATES, play.start, play.spins, 100_000) < 1e-15
    assert cycle.free_spins_per_round >= cycle.feature_probability


def awarding(odds: Fraction, units: int) -> Awarding:
    return Awarding(odds, odds * units, odds * units**2, odds if not units else Fraction(0), units)


@pytest.mark.parametrize("further", [1, 2])
def test_the_caps_that_have_figures_and_what_messages_advise(further: int) -> None:
    """One state: up to 250 by the walk, then from one cap on; several: from one on. The advice names it; what is
    neglected is bounded, and the figures hardly move beyond it."""
    states = ("base", "one", "two")
    second = (0, 5, 5) if further == 2 else (0, 10, 0)
    free = {(0, 0, 0): awarding(Fraction(29, 30), 1), second: awarding(Fraction(1, 30), 2)}
    laws: dict[str, dict[Awards, Awarding]] = {
        "base": {(0, 0, 0): awarding(Fraction(49, 50), 0), (0, 10, 0): awarding(Fraction(1, 50), 3)},
        "one": free,
        "two": {(0, 0, 0): awarding(Fraction(1), 2)},
    }
    with pytest.raises(AnalysisError, match=r"but is (too large|shared)") as caught:
        round_moments(laws, states, "base", 1, CAP_EXACT_MAX + 1 if further == 1 else 20)
    advised = re.search(r"set caps.free_spins to (\d+) or more", str(caught.value))
    assert advised is not None
    enough = int(advised[1])
    assert (f", or to {CAP_EXACT_MAX} or less" in str(caught.value)) == (further == 1)
    for cap in (enough - 1, enough - 7):
        with pytest.raises(AnalysisError, match=f"free_spins to {enough} or more"):
            round_moments(laws, states, "base", 1, cap)
    found = [round_moments(laws, states, "base", 1, cap) for cap in (enough, enough + 1, 2 * enough)]
    assert [0 < moments.neglected <= NEGLECTED_MAX for moments in found[:2]] == [True, True]
    assert found[0].neglected > found[1].neglected > found[2].neglected
    with pytest.raises(AnalysisError, match=f"the cap of {enough + 4} free spins matters .* to {enough + 5} or more"):
        round_moments(laws, states, "base", 1, enough - 1, 5)
    if further == 1:
        exact = round_moments(laws, states, "base", 1, CAP_EXACT_MAX)
        assert exact.neglected == 0
        assert 0 < float(found[0].mean - exact.mean) < 1e-3


@pytest.mark.parametrize("cap", [1, 2, 5])
@pytest.mark.parametrize("mode", ["base", "twice", "buy"])
def test_a_cap_in_reach_of_one_further_state(cap: int, mode: str) -> None:
    model = model_of({"base": {"one"}, "one": {"one"}, "two": set()}, set(), cap, None, False)
    laws: dict[str, Joint | None] = {
        "base": joint_of(model, "base", [(3, 0, (0, 0, 0), 0), (1, 2, (0, 2, 0), 0), (1, 5, (0, 1, 0), 0)]),
        "one": joint_of(model, "one", [(2, 0, (0, 0, 0), 0), (1, 7, (0, 1, 0), 0), (1, 1, (0, 2, 0), 0)]),
    }
    build = model.build(mode=mode)
    spins = SpinLaws({n: j for n, j in laws.items() if n != "base" or mode != "buy"}, {}, {})
    check(round_figures(build, spins), every_history(build, spins))


def test_the_cap_of_several_states_in_reach_is_refused_with_the_reason() -> None:
    model = model_of({"base": {"one", "two"}, "one": {"two"}, "two": {"one"}}, set(), 3, None, False)
    rows: Rows = [(3, 0, (0, 0, 0), 0), (1, 2, (0, 1, 1), 0)]
    spins = SpinLaws({name: joint_of(model, name, rows) for name in STATES}, {}, {})
    with pytest.raises(AnalysisError, match=r"shared by 2 states \(one, two\)"):
        round_figures(model.build(), spins)
    endless: Rows = [(1, 2, (0, 1, 1), 0)]
    spins = SpinLaws({name: joint_of(model, name, endless) for name in STATES}, {}, {})
    with pytest.raises(AnalysisError, match=r"awards 2\.0000 further spins on average"):
        round_figures(model.build(), spins)


def test_the_law_of_the_further_spins_alone() -> None:
    """Given that there are some; two spins to begin with."""
    model = model_of({"base": {"one"}, "one": set(), "two": set()}, set(), 1000, None, False)
    base: Rows = [(3, 5, (0, 0, 0), 0), (1, 2, (0, 2, 0), 0)]
    one: Rows = [(1, 0, (0, 0, 0), 0), (1, 3, (0, 0, 0), 0)]
    spins = SpinLaws({"base": joint_of(model, "base", base), "one": joint_of(model, "one", one)}, {}, {})
    cycle = round_figures(model.build(mode="twice"), spins)
    law = feature_law(cycle)
    assert law is not None
    once, both = 2 * 3 / 7, 1 / 7  # of the rounds in which a spin awards two spins, or each of them
    for wins in range(5):
        expected = once * math.comb(2, wins) / 4 * (wins < 3) + both * math.comb(4, wins) / 16
        assert law.probabilities[3 * wins // law.step] == pytest.approx(expected, abs=1e-12)
    assert float(cycle.rtp_parts["free spins"]) * 6 == pytest.approx(law.rtp * 6 * float(cycle.feature_probability))


def test_what_makes_no_branching_process_is_said() -> None:
    rows: Rows = [(3, 0, (0, 0, 0), 0), (1, 2, (0, 1, 0), 0)]
    model = model_of({"base": {"one", "two"}, "one": set(), "two": {"one"}}, set(), 1000, None, True)
    book = joint_of(model, "one", [(1, 1, (0, 0, 0), 0)])
    laws: dict[str, Joint | None] = {"base": joint_of(model, "base", rows), "two": joint_of(model, "two", rows)}
    spins = SpinLaws(laws | {"one": None}, {"one": {"A": book, "B": book}}, {})
    with pytest.raises(AnalysisError, match="several features of state 'one'"):
        round_figures(model.build(), spins)
    with pytest.raises(AnalysisError, match="no law of their own"):
        round_figures(model.build(), SpinLaws(laws, {}, {"one": "its spins have no law of their own"}))
