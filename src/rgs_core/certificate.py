"""Certificates: the declared figures of one build, and how measured ones compare with them.

A certificate names its build by hash, so it can never vouch for other mathematics.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rgs_core.analysis import Analysis
from rgs_core.errors import CertificateError
from rgs_core.model import MECHANIC_VERSION, Build
from rgs_core.montecarlo import ROUNDS_MAX, Simulation
from rgs_core.stats import confidence_band, z_for

FIGURES = (
    "rtp",
    "hit_frequency",
    "feature_probability",
    "free_spins_per_feature",
    "sd",
    "volatility_index",
    "max_win",
)
"""Figures that a certificate may declare, as fractions or multiples of the stake; also rtp_parts.*."""


FIGURE_MAX = 10**18
TOLERANCE_MAX = Decimal("1e-6")


@dataclass(frozen=True)
class Certificate:
    """Declared figures by name, with the tolerance of the exact ones."""

    source: str
    game: str
    profile: str
    build_hash: str
    declared: Mapping[str, Decimal]
    tolerance: Decimal
    simulation_rounds: int
    simulation_confidence: float


@dataclass(frozen=True)
class Check:
    """One comparison: `measured` against `declared`, `ok` when it is inside [low, high]."""

    figure: str
    method: str
    declared: str
    measured: str
    allowed: str
    ok: bool


def load_certificate(path: Path) -> Certificate:
    """Reads a certificate. Raises CertificateError with the place of what is wrong."""
    if not path.is_file():
        raise CertificateError(f"no certificate {path}; write it with: rgs certify GAME --profile PROFILE")
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise CertificateError(f"{path}: not valid TOML: {error}") from None

    def want(table: Mapping[str, Any], key: str, kinds: tuple[type, ...], place: str) -> Any:
        value = table.get(key)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise CertificateError(f"{path}: {place}{key} is missing or not {kinds[0].__name__}")
        return value

    declared = {}
    for name, value in _flat(want(document, "declared", (dict,), "")):
        if name not in FIGURES and not name.startswith("rtp_parts."):
            raise CertificateError(f"{path}: declared.{name} is no figure; known: {', '.join(FIGURES)}, rtp_parts.*")
        try:
            declared[name] = Decimal(value)
        except (InvalidOperation, TypeError, ValueError):
            raise CertificateError(f"{path}: declared.{name} = {value!r} is not a number") from None
    if "rtp" not in declared:
        raise CertificateError(f"{path}: declared.rtp is missing; a certificate declares at least the RTP")
    for name, figure in declared.items():
        if not figure.is_finite() or abs(figure) > FIGURE_MAX:
            raise CertificateError(f"{path}: declared.{name} = {figure} is no figure of a game")
    verify = want(document, "verify", (dict,), "")
    tolerance = Decimal(want(verify, "tolerance", (Decimal, int), "verify."))
    if not 0 < tolerance <= TOLERANCE_MAX:
        raise CertificateError(f"{path}: verify.tolerance is above 0 and at most {TOLERANCE_MAX}")
    confidence = want(verify, "confidence", (Decimal,), "verify.")
    if not 0 < confidence < 1:
        raise CertificateError(f"{path}: verify.confidence is between 0 and 1")
    rounds = want(verify, "rounds", (int,), "verify.")
    if not 1 <= rounds <= ROUNDS_MAX:
        raise CertificateError(f"{path}: verify.rounds is 1 to {ROUNDS_MAX}")
    return Certificate(
        source=str(path),
        game=want(document, "game", (str,), ""),
        profile=want(document, "profile", (str,), ""),
        build_hash=want(document, "build_hash", (str,), ""),
        declared=declared,
        tolerance=tolerance,
        simulation_rounds=rounds,
        simulation_confidence=float(confidence),
    )


def exact_figures(analysis: Analysis) -> dict[str, float]:
    """The figures a certificate declares, from an analysis; what the full cycle alone knows may lack."""
    closed = analysis.closed
    stake = closed.build.model.stake_units
    figures = {"rtp": float(closed.rtp)}
    figures |= {f"rtp_parts.{name.replace(' ', '_')}": float(part) for name, part in closed.rtp_parts.items()}
    if closed.free is not None:
        figures["feature_probability"] = float(closed.feature_probability)
        figures["free_spins_per_feature"] = float(closed.free_spins_per_feature)
    if analysis.cycle is not None:
        figures["hit_frequency"] = float(analysis.cycle.hit_frequency)
        figures["sd"] = analysis.cycle.sd
        figures["volatility_index"] = analysis.cycle.volatility_index()
        if analysis.cycle.max_win_reached:
            figures["max_win"] = analysis.cycle.max_win_units / stake
    return figures


def compare_exact(certificate: Certificate, build: Build, analysis: Analysis) -> list[Check]:
    """Every declared figure against the exact one, and the build hash."""
    checks = [
        Check(
            "build_hash",
            "hash",
            _short(certificate.build_hash),
            _short(build.build_hash),
            "equal",
            certificate.build_hash == build.build_hash,
        )
    ]
    named, played = f"{certificate.game}/{certificate.profile}", build.label
    checks.append(Check("build", "name", named, played, "equal", named == played))
    figures = exact_figures(analysis)
    for name, declared in certificate.declared.items():
        measured = figures.get(name)
        if measured is None:
            checks.append(Check(name, "exact", str(declared), "not computed", "-", False))
            continue
        # Tolerances of figures above 1 are relative: a standard deviation of 8 has fewer decimals.
        tolerance = certificate.tolerance * max(Decimal(1), abs(declared))
        ok = abs(Decimal(measured) - declared) <= tolerance
        checks.append(Check(name, "exact", str(declared), f"{measured:.10f}", f"± {tolerance:.1e}", ok))
    return checks


def compare_simulated(certificate: Certificate, simulation: Simulation, analysis: Analysis) -> list[Check]:
    """Declared figures against intervals of a simulation; those it can estimate.

    The interval of the RTP takes the exact standard deviation where it is known: that of a sample is
    far too small while the rare prizes have not come up.
    """
    confidence = certificate.simulation_confidence
    totals = simulation.totals
    sd = analysis.cycle.sd if analysis.cycle is not None else simulation.sd
    intervals = {
        "rtp": (simulation.rtp, confidence_band(simulation.rtp, sd, simulation.rounds, z_for(confidence))),
        "hit_frequency": (simulation.hit_frequency, simulation.interval(totals["hits"], confidence)),
        "feature_probability": (
            simulation.feature_frequency,
            simulation.interval(totals["features"], confidence),
        ),
    }
    checks = []
    for name, (measured, (low, high)) in intervals.items():
        if name in certificate.declared:
            declared = certificate.declared[name]
            ok = low <= float(declared) <= high
            allowed = f"{low:.6f} … {high:.6f}"
            checks.append(Check(name, "simulated", str(declared), f"{measured:.6f}", allowed, ok))
    return checks


def write_certificate(build: Build, analysis: Analysis, rounds: int = 5_000_000) -> str:
    """The TOML text of a certificate that declares the exact figures of a build."""
    figures = exact_figures(analysis)
    lines = [
        f"# Declared figures of the build {build.label}. Fractions and multiples of the stake.",
        "# `rgs verify` compares them with exact and simulated ones; see docs/math-models.md.",
        f'game = "{build.model.id}"',
        f'profile = "{build.profile.name}"',
        f'build_hash = "{build.build_hash}"',
        f"mechanic_version = {MECHANIC_VERSION}",
        "",
        "[verify]",
        "tolerance = 1e-9      # of exact figures",
        f"rounds = {rounds}      # of the simulation",
        "confidence = 0.9999   # of its intervals",
        "",
        "[declared]",
        *(f"{name} = {_number(figures[name])}" for name in FIGURES if name in figures),
        "",
        "[declared.rtp_parts]",
        *(f"{n.split('.', 1)[1]} = {_number(v)}" for n, v in figures.items() if n.startswith("rtp_parts.")),
        "",
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.10f}"


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _short(build_hash: str) -> str:
    return f"{build_hash[:19]}…"
