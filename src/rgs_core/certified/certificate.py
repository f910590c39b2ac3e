"""Certificates: the declared figures of one build.

A certificate names its build by hash, so it can never vouch for other mathematics.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from rgs_core.errors import CertificateError
from rgs_core.exact.stats import Z_90
from rgs_core.language.model import BASE_MODE, MECHANIC_VERSION, Build
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import ROUNDS_MAX, TABLE_EDGES_TENTHS, Simulation

FIGURES = (
    "rtp",
    "hit_frequency",
    "feature_probability",
    "free_spins_per_feature",
    "sd",
    "volatility_index",
    "max_win",
)
"""Figures that a certificate may declare, as fractions or multiples of the stake; also rtp_parts.* and win_above.*."""


WIN_ABOVE = {f"win_above.{edge // 10}": edge // 10 for edge in TABLE_EDGES_TENTHS}
"""P(win of a round > x stakes), for the limits of the win classes of tables."""

WIN_ABOVE_LEAST = 1e-9
"""Smaller probabilities are not declared."""

ESTIMATED_LEAST = 1_000
"""Times that a win class must have come up for its probability to be estimated."""

FIGURE_MAX = 10**18
TOLERANCE_MAX = Decimal("1e-6")


@dataclass(frozen=True)
class Certificate:
    """Declared figures by name, with the tolerance of the exact ones. `estimated_rounds`: those that have no exact
    value were estimated by so many simulated rounds; 0: all are exact. `callbacks`: what marks a build that has some."""

    source: str
    game: str
    profile: str
    build_hash: str
    declared: Mapping[str, Decimal]
    tolerance: Decimal
    simulation_rounds: int
    simulation_confidence: float
    estimated_rounds: int = 0
    mode: str = BASE_MODE
    callbacks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The build that it is for, as `Build.label`."""
        return f"{self.game}/{self.profile}" + ("" if self.mode == BASE_MODE else f"@{self.mode}")


def load_certificate(path: Path) -> Certificate:
    """Reads a certificate. Raises CertificateError with the place of what is wrong."""
    if not path.is_file():
        raise CertificateError(f"no certificate {path}; write one with: rgs certify GAME --profile PROFILE --write")
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
        if name not in FIGURES and not name.startswith("rtp_parts.") and name not in WIN_ABOVE:
            known = f"{', '.join(FIGURES)}, rtp_parts.*, win_above.{{{', '.join(n.split('.')[1] for n in WIN_ABOVE)}}}"
            raise CertificateError(f"{path}: declared.{name} is no figure; known: {known}")
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
    estimated = verify.get("estimated_rounds", 0)
    if isinstance(estimated, bool) or not isinstance(estimated, int) or not 0 <= estimated <= ROUNDS_MAX:
        raise CertificateError(f"{path}: verify.estimated_rounds is 0 to {ROUNDS_MAX}")
    callbacks = want({"callbacks": [], **document}, "callbacks", (list,), "")
    return Certificate(
        callbacks=tuple(map(str, callbacks)),
        estimated_rounds=estimated,
        source=str(path),
        game=want(document, "game", (str,), ""),
        profile=want(document, "profile", (str,), ""),
        mode=want({"mode": BASE_MODE, **document}, "mode", (str,), ""),
        build_hash=want(document, "build_hash", (str,), ""),
        declared=declared,
        tolerance=tolerance,
        simulation_rounds=rounds,
        simulation_confidence=float(confidence),
    )


def exact_figures(sheet: Sheet) -> dict[str, float]:
    """The figures a certificate declares; what has no exact value is missing."""
    analysis, cycle = sheet.analysis, sheet.analysis.cycle
    figures: dict[str, float] = {}
    if analysis.rtp is not None:
        figures["rtp"] = float(analysis.rtp)
        figures |= {f"rtp_parts.{name.replace(' ', '_')}": float(part) for name, part in analysis.rtp_parts.items()}
    if len(sheet.build.model.states) > 1:
        if analysis.feature_probability is not None:
            figures["feature_probability"] = float(analysis.feature_probability)
        if analysis.free_spins_per_feature is not None:
            figures["free_spins_per_feature"] = float(analysis.free_spins_per_feature)
    if analysis.hit_frequency is not None:
        figures["hit_frequency"] = float(analysis.hit_frequency)
    if analysis.sd is not None:
        figures["sd"] = analysis.sd
        figures["volatility_index"] = analysis.volatility_index() or 0.0
    gamble = sheet.build.model.gamble
    if gamble is not None and gamble.plays:
        pass  # the largest win is that of the gamble, which is the player's own
    elif cycle is not None and cycle.capped and sheet.build.model.win_units_cap is not None:
        figures["max_win"] = sheet.build.model.win_units_cap / sheet.cost_units
    elif cycle is not None and cycle.max_win_reached:
        figures["max_win"] = cycle.max_win_units / sheet.cost_units
    if sheet.law is not None:
        above = {name: sheet.law.above(limit) for name, limit in WIN_ABOVE.items()}
        figures |= {name: p for name, p in above.items() if p > WIN_ABOVE_LEAST}
    return figures


def estimated_figures(simulation: Simulation) -> dict[str, float]:
    """The same figures as a simulation estimates them; the largest win is not among them."""
    figures = {"rtp": simulation.rtp}
    figures |= {f"rtp_parts.{name.replace(' ', '_')}": part for name, part in simulation.rtp_parts.items()}
    if len(simulation.build.model.states) > 1:
        figures["feature_probability"] = simulation.feature_frequency
        figures["free_spins_per_feature"] = simulation.free_spins_per_feature
    figures |= {"hit_frequency": simulation.hit_frequency, "sd": simulation.sd}
    figures["volatility_index"] = Z_90 * simulation.sd
    counts = simulation.distribution.tolist()
    above = {name: sum(counts[i + 1 :]) / simulation.rounds for i, name in enumerate(WIN_ABOVE)}
    return figures | {name: p for name, p in above.items() if p * simulation.rounds >= ESTIMATED_LEAST}


def write_certificate(sheet: Sheet, rounds: int = 50_000_000, simulation: Simulation | None = None) -> str:
    """The TOML text of a certificate that declares the exact figures of a build, and estimates of `simulation` where
    there are none. Raises CertificateError when the RTP is neither known nor estimated."""
    build, figures = sheet.build, exact_figures(sheet)
    if simulation is not None:
        figures = estimated_figures(simulation) | figures
    if "rtp" not in figures:
        raise CertificateError(f"{build.label} has no exact RTP ({sheet.analysis.methods['rtp']}): simulate it")
    lines = [
        f"# Declared figures of the build {build.label}. Fractions and multiples of the stake.",
        *([f"# {build.model.callback_note}"] if build.model.callbacks else []),
        *([] if simulation is None else ["# Those without an exact value are estimates: see verify.estimated_rounds."]),
        "# `rgs verify` compares them with exact and simulated ones; see docs/math-models.md.",
        f'game = "{build.model.id}"',
        f'profile = "{build.profile.name}"',
        *([] if build.mode == BASE_MODE else [f'mode = "{build.mode}"']),
        f'build_hash = "{build.build_hash}"',
        f"mechanic_version = {MECHANIC_VERSION}",
        *([f"callbacks = {json.dumps(marks(build))}"] if build.model.callbacks else []),
        "",
        "[verify]",
        "tolerance = 1e-9      # of exact figures",
        f"rounds = {rounds}      # of the simulation",
        "confidence = 0.9999   # that a right build passes it",
        *(
            []
            if simulation is None
            else [f"estimated_rounds = {simulation.rounds}   # behind figures without an exact value"]
        ),
        "",
        "[declared]",
        *(f"{name} = {_number(figures[name])}" for name in FIGURES if name in figures),
        "",
        "[declared.rtp_parts]",
        *(f"{n.split('.', 1)[1]} = {_number(v)}" for n, v in figures.items() if n.startswith("rtp_parts.")),
        "",
        *_win_above(figures),
    ]
    return "\n".join(lines)


def marks(build: Build) -> list[str]:
    """What a certificate says of callbacks: `STATE: FILE.py:FUNCTION` of each."""
    return [f"{state}: {label}" for state, label in build.model.callbacks.items()]


def _win_above(figures: Mapping[str, float]) -> list[str]:
    rows = [f"{limit} = {figures[name]:.12f}" for name, limit in WIN_ABOVE.items() if name in figures]
    return ["[declared.win_above]   # P(win of a round > x stakes)", *rows, ""] if rows else []


def _number(value: float) -> str:
    return f"{value:.10f}"


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows
