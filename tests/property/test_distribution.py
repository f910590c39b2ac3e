"""The exact law of a round's win: against enumeration, exact moments, simulation and published figures."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from random_models import model_texts
from scipy import stats as scipy_stats

from rgs_core import derive_key, games
from rgs_core.certified.certificate import load_certificate
from rgs_core.errors import AnalysisError
from rgs_core.exact import distribution, feature
from rgs_core.exact.analysis import FullCycle, full_cycle
from rgs_core.exact.distribution import RoundGrid, feature_law, win_law
from rgs_core.exact.joint import Joint
from rgs_core.exact.transforms import RoundLaw
from rgs_core.language.mechanics import Pick, PickTrigger, Table
from rgs_core.language.model import Build
from rgs_core.language.model_file import load, loads
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import EDGES_TENTHS, simulate

slow_data = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
Law = dict[tuple[int, int], Fraction]
"""(units, spins awarded) -> probability."""


def add(a: dict[int, Fraction], b: dict[int, Fraction]) -> dict[int, Fraction]:
    """Law of the sum of two independent amounts."""
    total: dict[int, Fraction] = defaultdict(Fraction)
    for x, p in a.items():
        for y, q in b.items():
            total[x + y] += p * q
    return total


def mixture(table: Table, inner: dict[int, Fraction]) -> dict[int, Fraction]:
    """Law of the sum of a random number of independent amounts."""
    total: dict[int, Fraction] = defaultdict(Fraction)
    for times, weight in zip(table.values, table.weights, strict=True):
        law = {0: Fraction(1)}
        for _ in range(times):
            law = add(law, inner)
        for x, p in law.items():
            total[x] += p * Fraction(weight, table.total)
    return total


def spin_law(joint: Joint) -> Law:
    """A spin with its pick bonuses played out, by convolution of dictionaries."""
    law: Law = defaultdict(Fraction)
    for units, awards, plays, weight in zip(
        joint.units.tolist(), joint.awards.tolist(), joint.plays.tolist(), joint.weights.tolist(), strict=True
    ):
        awarded = sum(awards)
        amounts = {units: Fraction(weight, joint.cycle)}
        for trigger, n in zip(joint.bonuses, plays, strict=True):
            assert isinstance(trigger, PickTrigger)
            pick = joint.model.bonuses[trigger.pick]
            assert isinstance(pick, Pick)
            unit = joint.model.basis_units(pick.of) * joint.state.multiplier_for(trigger.name)
            prize: dict[int, Fraction] = defaultdict(Fraction)
            for value, chance in zip(pick.prizes.values, pick.prizes.weights, strict=True):
                prize[value * unit] += Fraction(chance, pick.prizes.total)
            bonus = mixture(pick.picks, mixture(pick.prizes_per_pick, prize))
            for _ in range(n):
                amounts = add(amounts, bonus)
        for x, p in amounts.items():
            law[x, awarded] += p
    return law


def every_history(cycle: FullCycle, cap: int) -> dict[int, Fraction]:
    """Law of a round by visiting every sequence of (win, award), amounts merged at each (left, allowed)."""
    situations: dict[tuple[int, int], dict[int, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for (x, r), p in spin_law(cycle.paid).items():
        situations[min(r, cap), cap - min(r, cap)][x] += p
    free = spin_law(cycle.free) if cycle.free else {}
    result: dict[int, Fraction] = defaultdict(Fraction)
    while situations:
        left, allowed = max(situations, key=sum)  # the total falls with every spin
        amounts = situations.pop((left, allowed))
        if left == 0:
            for x, p in amounts.items():
                result[x] += p
            continue
        for (y, r), q in free.items():
            more = min(r, allowed)
            target = situations[left - 1 + more, allowed - more]
            for x, p in amounts.items():
                target[x + y] += p * q
    return result


@given(text=model_texts())
@settings(max_examples=80, deadline=None, suppress_health_check=slow_data)
def test_the_law_of_wins_on_random_models(text: str) -> None:
    note(text)
    build = loads(text).build()
    try:
        cycle = full_cycle(build)
        law = win_law(cycle)
    except AnalysisError:
        return  # no finite law, or one too large, said with the reason
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-9)
    assert law.rtp == pytest.approx(float(cycle.rtp), rel=1e-8, abs=1e-8)
    # Rounding of 1e-16 in each probability is weighed by the square of the win.
    assert law.sd == pytest.approx(cycle.sd, rel=1e-6, abs=1e-6 + 1e-7 * cycle.max_win_units)
    assert law.probabilities[0] == pytest.approx(1 - float(cycle.hit_frequency), abs=1e-9)
    assume(build.model.free_spins_max <= 3 or cycle.free is None)
    assume(not cycle.paid.plays.any() or len(cycle.paid.units) < 20)
    assume(len(cycle.paid.units) * (len(cycle.free.units) if cycle.free else 1) < 120)
    expected = every_history(cycle, build.model.free_spins_max)
    for units, probability in expected.items():
        assert law.probabilities[units // law.step] == pytest.approx(float(probability), abs=max(law.error, 1e-12))


CAPPED = """
format = 1
id = "capped"
title = "Capped"
version = "1"
symbols = ["A", "B", "S", "P"]
[stake]
units = 2
[grid]
reels = 3
rows = 1
[caps]
free_spins = CAP
[evaluators.lines]
kind = "lines"
paylines = ["000"]
pays.A = { 2 = 1, 3 = 5 }
pays.B = { 3 = 2 }
[bonuses.chest]
kind = "pick"
prizes = [{ pay = 0, weight = 1 }, { pay = 3, weight = 2 }]
picks = { 1 = 1, 2 = 1 }
[states.base]
strips = "base"
evaluators = ["lines"]
triggers = [
  { name = "Free", kind = "free_spins", symbol = "S", spins = { 1 = 2, 2 = 3 }, state = "free" },
  { name = "Chest", kind = "pick", pattern = ["P"], pick = "chest" },
]
[states.free]
strips = "base"
evaluators = ["lines"]
multiplier = 3
triggers = [
  { name = "Again", kind = "free_spins", symbol = "S", spins = { 1 = 1, 2 = 2 }, state = "free" },
]
[profiles.one.strips]
base = ["A A B S P", "A B B A S", "A B A B"]
"""


@pytest.mark.parametrize("cap", [1, 2, 3, 7, 12])
def test_a_cap_within_reach_equals_every_history(cap: int) -> None:
    cycle = full_cycle(loads(CAPPED.replace("CAP", str(cap))).build())
    law, expected = win_law(cycle), every_history(cycle, cap)
    assert sum(expected.values()) == 1
    assert cycle.max_win_units == max(expected)
    got = {i * law.step: p for i, p in enumerate(law.probabilities) if p > 1e-13}
    assert got.keys() <= expected.keys()
    for units, probability in expected.items():
        assert law.probabilities[units // law.step] == pytest.approx(float(probability), abs=1e-13)
    assert law.sd == pytest.approx(cycle.sd, rel=1e-12)
    for stakes in (0, 0.5, 1, 3.5, 10):
        assert law.at_least(stakes) == pytest.approx(
            float(sum(p for x, p in expected.items() if x >= 2 * stakes)), abs=1e-12
        )
        capped = sum(min(Fraction(x, 2), Fraction(stakes)) * p for x, p in expected.items())
        assert law.rtp_capped(stakes) == pytest.approx(float(capped), abs=1e-12)
    for p in (0.25, 0.5, 0.9, 0.999):
        x = Fraction(law.quantile(p))
        assert sum(q for y, q in expected.items() if Fraction(y, 2) <= x) >= p - 1e-12
        assert sum((q for y, q in expected.items() if Fraction(y, 2) < x), Fraction(0)) < p


def exact_builds() -> list[str]:
    """Shipped builds in all their modes whose certificates are no estimates."""
    chosen = [
        (build, path)
        for path in games.shipped().values()
        for profile in games.builds(load(path))
        for build in games.modes(profile)
    ]
    return [b.label for b, path in chosen if not load_certificate(games.certificate_path(path, b)).estimated_rounds]


@pytest.mark.parametrize("name", exact_builds())
def test_shipped_games(name: str) -> None:
    build, _ = games.find_build(name)
    cycle = full_cycle(build)
    law = win_law(cycle)
    assert law.error < 1e-9
    if not cycle.capped:
        assert law.rtp == pytest.approx(float(cycle.rtp), abs=1e-10)
        assert law.sd == pytest.approx(cycle.sd, abs=1e-8)
    assert 1 - law.probabilities[0] == pytest.approx(float(cycle.hit_frequency), abs=1e-12)
    rounds = 20_000_000 if len(build.model.states) < 3 and build.model.win_max is None else 4_000_000
    played = simulate(build, derive_key(bytes(32), "law of wins"), rounds, threads=2)
    expected = law.class_probabilities(tuple(edge / 10 for edge in EDGES_TENTHS)) * rounds
    counted = played.classes.astype(float)
    enough = expected >= 20
    pool = [counted[~enough].sum()], [expected[~enough].sum()]
    observed, wanted = np.append(counted[enough], pool[0]), np.append(expected[enough], pool[1])
    keep = wanted > 0
    assert observed[~keep].sum() == 0
    statistic = float(((observed[keep] - wanted[keep]) ** 2 / wanted[keep]).sum())
    assert scipy_stats.chi2.sf(statistic, int(keep.sum()) - 1) > 1e-4


def test_atkins_diet_on_twenty_lines() -> None:
    """Standard deviation of a round as recomputed from the published sheet: 4.373125 total bets."""
    path = Path(__file__).parents[1] / "conformance/models/atkins_diet.toml"
    law = win_law(full_cycle(load(path).build()))
    assert law.sd == pytest.approx(4.373125, abs=5e-7)


def session_by_hand(
    law: dict[int, Fraction], stake: int, bankroll: int, spins: int
) -> tuple[Fraction, Fraction, Fraction]:
    """(ruined, doubled, neither) on dictionaries of money in units."""
    money, ruined, doubled = {bankroll * stake: Fraction(1)}, Fraction(0), Fraction(0)
    for _ in range(spins):
        after: dict[int, Fraction] = defaultdict(Fraction)
        for held, p in money.items():
            for win, q in law.items():
                now = held - stake + win
                if now >= 2 * bankroll * stake:
                    doubled += p * q
                elif now < stake:
                    ruined += p * q
                else:
                    after[now] += p * q
        money = after
    return ruined, doubled, sum(money.values(), Fraction(0))


@pytest.mark.parametrize(("bankroll", "spins"), [(1, 1), (1, 5), (2, 3), (5, 20), (9, 40)])
def test_sessions_equal_the_same_sum_by_hand(bankroll: int, spins: int) -> None:
    cycle = full_cycle(loads(CAPPED.replace("CAP", "3")).build())
    odds = win_law(cycle).session(bankroll, spins)
    ruined, doubled, neither = session_by_hand(every_history(cycle, 3), 2, bankroll, spins)
    assert odds.ruined == pytest.approx(float(ruined), abs=1e-12)
    assert odds.doubled == pytest.approx(float(doubled), abs=1e-12)
    assert odds.neither == pytest.approx(float(neither), abs=1e-12)
    assert odds.ruined + odds.doubled + odds.neither == pytest.approx(1, abs=1e-12)
    if neither:
        assert bankroll * 2 > odds.mean_left >= 1


def test_a_session_that_cannot_be_computed_says_what_can() -> None:
    law = win_law(full_cycle(loads(CAPPED.replace("CAP", "3")).build()))
    with pytest.raises(ValueError, match="a session has 1 to"):
        law.session(10, 0)
    with pytest.raises(ValueError, match="a bankroll is 1 to 262,144 stakes"):
        law.session(10**6, 10)
    with pytest.raises(ValueError, match="between 0 and 1"):
        law.quantile(1.0)


def test_a_law_that_is_too_large_is_refused_with_the_reason() -> None:
    text = CAPPED.replace("pays.A = { 2 = 1, 3 = 5 }", "pays.A = { 2 = 1, 3 = 100000000 }")
    with pytest.raises(AnalysisError, match="too many for the exact law of wins"):
        win_law(full_cycle(loads(text.replace("CAP", "3")).build()))
    text = CAPPED.replace("spins = { 1 = 1, 2 = 2 }", "spins = { 1 = 3, 2 = 9 }")
    with pytest.raises(AnalysisError, match="can be reached"):
        win_law(full_cycle(loads(text.replace("CAP", "250").replace("3 = 5 }", "3 = 500 }")).build()))


def test_a_cap_out_of_reach_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures and law of the branching process, with the exact largest win, and the page says what is neglected."""

    def walked(*_: object) -> None:
        raise AssertionError("a walk")

    rare = CAPPED.replace("spins = { 1 = 1, 2 = 2 }", "spins = { 1 = 0, 2 = 1 }")
    near, far = (full_cycle(loads(rare.replace("CAP", cap)).build()) for cap in ("4", "20"))
    assert near.neglected == 0 < far.neglected < feature.NEGLIGIBLE
    assert near.rtp != far.rtp == pytest.approx(near.rtp, rel=1e-2)
    assert far.max_win_reached
    with monkeypatch.context() as patched:
        patched.setattr(feature, "NEGLIGIBLE", -1.0)
        exact = full_cycle(far.build)
    assert (exact.neglected, exact.max_win_units) == (0, far.max_win_units)
    assert float(exact.rtp) == float(far.rtp)
    monkeypatch.setattr(feature, "_capped", walked)
    monkeypatch.setattr(RoundLaw, "_walk", walked)
    sheet = Sheet.of(far.build)
    assert sheet.law is not None
    notes = [str(cell) for row in sheet.round_section().rows for cell in row]
    assert any("neglected" in note for note in notes)


def test_a_cap_that_is_hardly_ever_reached_is_walked_where_that_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law without a walk is within its own error of the one with it."""
    rare = CAPPED.replace("spins = { 1 = 1, 2 = 2 }", "spins = { 1 = 0, 2 = 1 }")
    cycle = full_cycle(loads(rare.replace("CAP", "9")).build())
    walked = win_law(cycle)
    monkeypatch.setattr(distribution, "WALK_QUICK", 0)
    stated = win_law(cycle)
    assert walked.error < distribution.CAP_NEGLIGIBLE < stated.error < distribution.CAP_ERROR_MAX
    several = min(len(walked.probabilities), len(stated.probabilities))
    difference = abs(walked.probabilities[:several] - stated.probabilities[:several])
    assert 0 < difference.max() <= stated.error


def test_build_is_named() -> None:
    build: Build = loads(CAPPED.replace("CAP", "1")).build()
    law = win_law(full_cycle(build))
    assert law.build is build
    assert math.isclose(law.stakes[1], law.step / 2)


def test_sessions_of_a_game_with_a_fine_stake_are_left_out_unless_asked_for() -> None:
    """A stake of 3,000 units makes a fine grid of money; the sheet must not take minutes for it."""
    text = CAPPED.replace("CAP", "3").replace("units = 2", "units = 3000")
    sheet = Sheet.of(loads(text).build())
    assert sheet.session_odds() == []
    assert "--session STAKES:SPINS" in sheet.sessions_section().remark
    asked = Sheet.of(loads(text).build(), sessions=((20, 50),))
    assert len(asked.session_odds()) == 1
    law = asked.law
    assert law is not None
    with pytest.raises(ValueError, match=r"at most [\d,]+ spins"):
        law.session(100, 1_000_000)


@pytest.mark.parametrize("game", ["lantern_tide", "salt_codex", "thistle_moor"])
def test_both_laws_from_one_grid_are_those_from_two(game: str) -> None:
    cycle = full_cycle(load(games.find(game)).build())
    grid = RoundGrid(cycle, further=True)
    for shared, alone in ((win_law(cycle, grid), win_law(cycle)), (feature_law(cycle, grid), feature_law(cycle))):
        assert shared is not None
        assert alone is not None
        assert (shared.step, shared.error) == (alone.step, alone.error)
        assert (shared.probabilities == alone.probabilities).all()
