"""`rgs verify` finds what is wrong and passes what is right, as often as it says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rgs_core import derive_key
from rgs_core.certified.certificate import Certificate, load_certificate, write_certificate
from rgs_core.certified.significance import classes_p, frequency_p, holm, mean_p
from rgs_core.certified.verification import compare_exact, compare_simulated, simulated_p
from rgs_core.language.model_file import loads
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import simulate

GAME = """
format = 1
id = "planted"
title = "Planted"
version = "1"
symbols = ["W", "A", "B", "C", "S", "P"]
[stake]
units = 5
[grid]
reels = 5
rows = 3
[caps]
free_spins = 60
[wilds.W]
substitutes = ["A", "B", "C"]
[evaluators.lines]
kind = "lines"
paylines = ["11111", "00000", "22222", "01210", "21012"]
pays.W = { 3 = 20, 4 = 100, 5 = 500 }
pays.A = { 3 = 5, 4 = 20, 5 = 100 }
pays.B = { 3 = 3, 4 = 10, 5 = 40 }
pays.C = { 3 = 2, 4 = 5, 5 = 20 }
[evaluators.stars]
kind = "scatter"
symbol = "S"
of = "total_bet"
pays = { 3 = 2, 4 = 5 }
[bonuses.chest]
kind = "pick"
prizes = [{ pay = 5, weight = 60 }, { pay = 25, weight = 20 }]
picks = { 2 = 1, 3 = 1 }
[states.base]
strips = "base"
evaluators = ["lines", "stars"]
triggers = [
  { name = "Free", kind = "free_spins", symbol = "S", spins = { 3 = 8, 4 = 12 }, state = "free" },
  { name = "Chest", kind = "pick", pattern = ["P", "P"], pick = "chest" },
]
[states.free]
strips = "base"
evaluators = ["lines", "stars"]
multiplier = 2
triggers = [{ name = "Again", kind = "free_spins", symbol = "S", spins = { 3 = 4 }, state = "free" }]
[profiles.one.strips]
base = [
  "A B C S C B A P C A B C W B C A C B",
  "B C A C S B C A P B C A B W C A B C A",
  "C A B W C B A S C B A C B A C B C",
  "A C B C A S B C A B C W A B C A B C A B",
  "C B A C S B C A B C A W C B A C B A",
]
"""

PLANTED = {
    "a swapped stop": ("A B C S C B A P C", "A B C S C B P A C"),
    "a pay off by one": ("pays.B = { 3 = 3, 4 = 10, 5 = 40 }", "pays.B = { 3 = 3, 4 = 10, 5 = 41 }"),
    "a bonus weight off by 5 %": ("weight = 60", "weight = 63"),
    "an award off by one": ("4 = 12", "4 = 13"),
    "a scatter pay": ("4 = 5 }\n[bonuses", "4 = 6 }\n[bonuses"),
    "a retrigger": ("spins = { 3 = 4 }", "spins = { 3 = 5 }"),
}


@cache
def sheet_of(text: str) -> Sheet:
    return Sheet.of(loads(text).build())


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    path = tmp_path / "planted.toml"
    path.write_text(write_certificate(sheet_of(GAME)))
    return load_certificate(path)


def test_a_right_build_passes(certificate: Certificate) -> None:
    sheet = sheet_of(GAME)
    assert all(check.ok for check in compare_exact(certificate, sheet))
    played = simulate(sheet.build, derive_key(bytes(32)), 3_000_000, threads=2)
    checks = compare_simulated(certificate, played, sheet)
    assert [check.figure for check in checks] == ["rtp", "hit_frequency", "feature_probability", "win classes"]
    assert all(check.ok for check in checks)


@pytest.mark.parametrize("error", PLANTED)
def test_planted_errors_are_found(certificate: Certificate, error: str) -> None:
    """By the hash, and also by the figures alone, if somebody had signed the wrong file's hash."""
    old, new = PLANTED[error]
    assert GAME.count(old) == 1
    sheet = sheet_of(GAME.replace(old, new))
    assert not compare_exact(certificate, sheet)[0].ok
    signed = replace(certificate, build_hash=sheet.build.build_hash)
    off = [check.figure for check in compare_exact(signed, sheet) if not check.ok]
    assert off, error
    assert "build_hash" not in off


@pytest.mark.parametrize(
    ("old", "new", "figure"),
    [
        ("4 = 10, 5 = 40", "4 = 15, 5 = 40", "rtp"),
        ("C A C B\"", "C A C B B\"", "hit_frequency"),
        ("weight = 20", "weight = 40", "win classes"),
        ("C A B C W B C A C B", "C A S C W B C A C B", "feature_probability"),
    ],
)  # fmt: skip
def test_larger_errors_are_found_by_simulation_alone(certificate: Certificate, old: str, new: str, figure: str) -> None:
    assert old in GAME
    sheet = sheet_of(GAME.replace(old, new, 1))
    played = simulate(sheet.build, derive_key(bytes(32)), 20_000_000, threads=2)
    off = {check.figure for check in compare_simulated(certificate, played, sheet) if not check.ok}
    assert figure in off


def test_a_right_build_fails_no_more_often_than_stated(certificate: Certificate) -> None:
    """1,000 simulations with seeds of their own; at 95 % about 50 may fail, and fewer as Holm is careful."""
    sheet = sheet_of(GAME)
    runs, rounds, alpha = 1000, 100_000, 0.05
    failed = 0
    singles = []
    for run in range(runs):
        played = simulate(sheet.build, derive_key(bytes(32), str(run)), rounds, threads=2)
        tests = [p for *_, p in simulated_p(certificate.declared, played, sheet)]
        singles.append(tests)
        failed += min(holm(tests)) < alpha
    assert failed <= scipy_stats.binom.isf(1e-4, runs, alpha)
    assert failed > 0  # a test that never fails says nothing
    for column in np.array(singles).T:
        assert scipy_stats.binomtest(int((column < alpha).sum()), runs, alpha, alternative="greater").pvalue > 1e-4


def test_p_values_against_scipy() -> None:
    assert mean_p(0.95, 0.96, 5.0, 10**6) == pytest.approx(2 * scipy_stats.norm.sf(2.0))
    assert mean_p(1.0, 1.0, 0.0, 5) == 1
    assert mean_p(1.1, 1.0, 0.0, 5) == 0
    for count, n, p in ((0, 10, 0.5), (5, 10, 0.5), (30, 1000, 0.02), (1000, 1000, 0.9)):
        lower, upper = scipy_stats.binom.cdf(count, n, p), scipy_stats.binom.sf(count - 1, n, p)
        assert frequency_p(count, n, p) == pytest.approx(min(1, 2 * min(lower, upper)))
    counts, shares = [480, 330, 150, 40], [0.5, 0.3, 0.16, 0.04]
    wanted = scipy_stats.chisquare(counts, [1000 * share for share in shares]).pvalue
    assert classes_p(counts, shares) == pytest.approx(wanted)
    joined = scipy_stats.chisquare([480, 520], [500, 500]).pvalue
    assert classes_p([480, 518, 2], [0.5, 0.4995, 0.0005]) == pytest.approx(joined)
    assert classes_p([10**6, 1], [1.0, 0.0]) == 0  # what cannot happen has happened
    assert classes_p([10**9, 1], [1.0, 0.0], least=1e-9) > 0.5
    assert classes_p([10**9, 20], [1.0, 0.0], least=1e-9) < 1e-9
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_without_an_exact_law_the_declared_deviation_is_taken(certificate: Certificate) -> None:
    sheet = sheet_of(GAME)
    bare = replace(sheet, law=None, analysis=replace(sheet.analysis, cycle=None))
    played = simulate(sheet.build, derive_key(bytes(32)), 20_000_000)
    with_law = simulated_p(certificate.declared, played, sheet)
    without = simulated_p(certificate.declared, played, bare)
    assert [row[3] for row in without] == pytest.approx([row[3] for row in with_law], rel=1e-6)
    assert simulated_p({"rtp": Decimal(1)}, played, bare)[0][3] < 1e-3


def test_the_rtp_is_not_tested_while_it_hangs_on_prizes_too_rare() -> None:
    """One jackpot of 4 % of the expectation would be four standard deviations."""
    text = """
format = 1
id = "rare"
title = "Rare"
version = "1"
symbols = ["A", "K", "X"]
[stake]
units = 1
[grid]
reels = 3
rows = 1
[evaluators.lines]
kind = "lines"
paylines = ["000"]
pays.A = { 3 = 1000000 }
pays.K = { 3 = 2 }
[states.base]
strips = "base"
evaluators = ["lines"]
[profiles.one.strips]
base = ["A K:350 X:149", "A K:350 X:149", "A K:350 X:149"]
"""
    sheet = sheet_of(text)
    declared = {"rtp": Decimal(repr(sheet.rtp))}
    few = simulate(sheet.build, derive_key(bytes(32)), 5_000_000, threads=2)
    assert simulated_p(declared, few, sheet) == []
    assert sheet.law is not None
    from rgs_core.certified.verification import rare_share

    assert rare_share(sheet.law, 10**6) > 0.9
    assert rare_share(sheet.law, 10**11) == 0
