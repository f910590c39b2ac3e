"""Exact figures of a game by what its player chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import Analysis, analyse
from rgs_core.exact.distribution import WinLaw, win_law
from rgs_core.exact.gamble_law import gambled
from rgs_core.language.model import Build
from rgs_core.language.policies import choices, gambles, variants, with_bets, with_options

FIRST_OPTIONS = "first options, no gamble"


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """A policy with its figures of win / cost; None where they are not known, with the `reason`."""

    policy: str
    rtp: Fraction | float | None
    hit_frequency: Fraction | float | None
    sd: float | None
    reason: str = ""


def policy_figures(analysis: Analysis) -> list[PolicyFigures]:
    """Figures of every way to choose options, and of every bet made once and as often as it may be, on the first
    options; [] where there is nothing to choose."""
    build = analysis.build
    if build.policy or not (choices(build.model) or build.model.gamble):
        return []
    return [*_by_options(analysis), *_by_bets(analysis)]


def _by_options(analysis: Analysis) -> Iterator[PolicyFigures]:
    for number, build in enumerate(variants(analysis.build)):
        found = analyse(build) if number else analysis
        reason = found.methods["rtp"] if found.rtp is None else ""
        yield PolicyFigures(build.policy or FIRST_OPTIONS, found.rtp, found.hit_frequency, found.sd, reason)


def _by_bets(analysis: Analysis) -> Iterator[PolicyFigures]:
    gamble = analysis.build.model.gamble
    if gamble is None:
        return
    law: WinLaw | None = None
    reason = analysis.cycle_skipped
    if analysis.cycle is not None:
        try:
            law = win_law(analysis.cycle)
        except AnalysisError as error:
            reason = str(error)
    for plays in gambles(gamble):
        build = with_bets(analysis.build, plays)
        assert build.model.gamble is not None
        if law is None:
            yield PolicyFigures(build.policy, None, None, None, reason)
            continue
        after = gambled(law, build.model.gamble)
        yield PolicyFigures(build.policy, after.rtp, 1 - float(after.probabilities[0]), after.sd)


def without_matter(build: Build) -> Iterator[tuple[Build, Build]]:
    """For each choice that is declared not to matter, the build with each further option beside that with the first."""
    first = with_options(build, {})
    for name, choice in choices(build.model).items():
        for number in range(1, len(choice.options) if not choice.matters else 0):
            yield first, with_options(build, {name: number})
