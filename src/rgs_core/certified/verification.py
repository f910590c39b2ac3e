"""Does a build have the figures that its certificate declares? Exactly, and by playing it.

Exact figures are compared digit by digit. A simulation is tested against the declared figures: RTP by its
known standard deviation, frequencies by the exact binomial law, the classes of wins by chi-square; the
p-values are corrected for their number (Holm), so that a right build fails as seldom as the certificate says.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from rgs_core.certified.certificate import WIN_ABOVE, WIN_ABOVE_LEAST, Certificate, exact_figures, marks
from rgs_core.certified.significance import classes_p, frequency_p, holm, mean_p
from rgs_core.exact.analysis import analyse
from rgs_core.exact.distribution import WinLaw
from rgs_core.exact.policy_figures import without_matter
from rgs_core.language.model import Build
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import Simulation

OPTION_TOLERANCE = 1e-9
"""Difference of RTP between options that are declared not to matter."""

RARE_COUNT = 100
RARE_SHARE_MAX = 0.05
"""The RTP of a simulation is tested only when so little of its spread hangs on rare prizes."""


@dataclass(frozen=True)
class Check:
    """One comparison: `measured` against `declared`, `ok` when it is as `allowed` says."""

    figure: str
    method: str
    declared: str
    measured: str
    allowed: str
    ok: bool


def compare_exact(certificate: Certificate, sheet: Sheet) -> list[Check]:
    """Every declared figure against the exact one, and the build hash."""
    build = sheet.build
    same = certificate.build_hash == build.build_hash
    hashes = _short(certificate.build_hash), _short(build.build_hash)
    named = certificate.label
    checks = [
        Check("build_hash", "hash", *hashes, "equal", same),
        Check("build", "name", named, build.label, "equal", named == build.label),
    ]
    if certificate.callbacks or build.model.callbacks:
        declared_marks, found = ", ".join(certificate.callbacks) or "none", ", ".join(marks(build)) or "none"
        checks.append(Check("callbacks", "mark", declared_marks, found, "equal", declared_marks == found))
    figures = exact_figures(sheet)
    for name, declared in certificate.declared.items():
        measured = figures.get(name)
        if measured is None and certificate.estimated_rounds:
            continue  # an estimate, which the simulation is compared with
        if measured is None:
            checks.append(Check(name, "exact", str(declared), "not computed", "-", False))
            continue
        # Tolerances of figures above 1 are relative: a standard deviation of 8 has fewer decimals.
        tolerance = certificate.tolerance * max(Decimal(1), abs(declared))
        ok = abs(Decimal(measured) - declared) <= tolerance
        checks.append(Check(name, "exact", str(declared), f"{measured:.10f}", f"± {tolerance:.1e}", ok))
    return checks


def compare_options(build: Build) -> list[Check]:
    """Choices that are declared not to matter: every option has the RTP of the first one."""
    checks = []
    for first, other in without_matter(build):
        wanted, found = analyse(first).rtp, analyse(other).rtp
        known = wanted is not None and found is not None
        ok = known and abs(float(wanted or 0) - float(found or 0)) < OPTION_TOLERANCE
        declared, measured = ("not computed" if rtp is None else f"{float(rtp):.10f}" for rtp in (wanted, found))
        checks.append(Check(f"rtp ({other.policy})", "exact", declared, measured, f"± {OPTION_TOLERANCE:.0e}", ok))
    return checks


def compare_simulated(certificate: Certificate, simulation: Simulation, sheet: Sheet) -> list[Check]:
    """Declared figures against a simulation: all of them that it can tell.

    The test of the RTP takes the exact standard deviation where it is known, else the declared one, else
    that of the simulation, which is too small while rare prizes have not come up.
    """
    alpha = 1 - certificate.simulation_confidence
    tests = simulated_p(certificate.declared, simulation, sheet, certificate.estimated_rounds)
    adjusted = holm([p for *_, p in tests])
    return [
        Check(name, "simulated", declared, measured, f"p = {p:.4f} ≥ {alpha:.4g}", p >= alpha)
        for (name, declared, measured, _), p in zip(tests, adjusted, strict=True)
    ]


def simulated_p(
    declared: Mapping[str, Decimal], simulation: Simulation, sheet: Sheet, estimated_rounds: int = 0
) -> list[tuple[str, str, str, float]]:
    """(figure, declared, measured, p-value) of every test, not corrected.

    Declared figures that are estimates of `estimated_rounds` rounds have an error of their own.
    """
    if sheet.rtp is None and estimated_rounds:
        return _two_samples(declared, simulation, estimated_rounds)
    totals, n = simulation.totals, simulation.rounds
    exact = sheet.analysis.sd
    sd = float(declared.get("sd", Decimal(simulation.sd))) if exact is None else exact
    rtp = declared["rtp"]
    tests = []
    if sheet.law is None or rare_share(sheet.law, n) <= RARE_SHARE_MAX:
        tests.append(("rtp", str(rtp), f"{simulation.rtp:.6f}", mean_p(simulation.rtp, float(rtp), sd, n)))
    for name, count in (("hit_frequency", totals["hits"]), ("feature_probability", totals["features"])):
        if name in declared:
            p = frequency_p(count, n, float(declared[name]))
            tests.append((name, str(declared[name]), f"{count / n:.6f}", p))
    above = [float(declared[name]) if name in declared else 0.0 for name in WIN_ABOVE]
    if any(above):
        edges = [1.0, *above, 0.0]
        shares = [max(0.0, high - low) for high, low in itertools.pairwise(edges)]
        p = classes_p(simulation.distribution.tolist(), shares, WIN_ABOVE_LEAST)
        tests.append(("win classes", f"{sum(share > 0 for share in shares)} classes", "chi-square", p))
    return tests


def _two_samples(
    declared: Mapping[str, Decimal], simulation: Simulation, estimated_rounds: int
) -> list[tuple[str, str, str, float]]:
    """The tests of `simulated_p` between two simulations: variances add up."""
    totals, n = simulation.totals, simulation.rounds
    both = n * estimated_rounds / (n + estimated_rounds)  # rounds of one simulation with the same error
    sd = max(simulation.sd, float(declared.get("sd", Decimal(0))))
    rtp = declared["rtp"]
    tests = [("rtp", str(rtp), f"{simulation.rtp:.6f}", mean_p(simulation.rtp, float(rtp), sd, both))]
    for name, count in (("hit_frequency", totals["hits"]), ("feature_probability", totals["features"])):
        if name in declared and 0 < declared[name] < 1:
            p = float(declared[name])
            spread = (p * (1 - p)) ** 0.5
            tests.append((name, str(declared[name]), f"{count / n:.6f}", mean_p(count / n, p, spread, both)))
    above = list(itertools.takewhile(bool, (float(declared.get(name, 0)) for name in WIN_ABOVE)))
    if above:
        shares = [max(0.0, high - low) for high, low in itertools.pairwise([1.0, *above, 0.0])]
        # The last class holds all larger wins. Differences of counts are those of two samples: as if fewer rounds
        # had been compared.
        counts = simulation.distribution.tolist()
        counts = [*counts[: len(above)], sum(counts[len(above) :])]
        p = classes_p([round(count * both / n) for count in counts], shares)
        tests.append(("win classes", f"{len(shares)} classes", "chi-square", p))
    return tests


def rare_share(law: WinLaw, rounds: int) -> float:
    """Share of the second moment that comes from wins expected less than RARE_COUNT times in `rounds`.

    While it is large the mean of a simulation is not normal, and its test would refuse right builds.
    """
    survival = np.cumsum(law.probabilities[::-1])[::-1]
    second = law.stakes**2 * law.probabilities
    total = float(second.sum())
    return float(second[survival * rounds < RARE_COUNT].sum()) / total if total else 0.0


def _short(build_hash: str) -> str:
    return f"{build_hash[:19]}…"
