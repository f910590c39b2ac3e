"""Figures that a game can be tuned to, the targets for them, and the one place where they are computed.

`Meter` is all that tuning needs from the exact analysis: strips in, exact figures out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from rgs_core._engine import Engine
from rgs_core.awarding import SpinLaw
from rgs_core.errors import AnalysisError, TuningError
from rgs_core.feature import CAP_EXACT_MAX, round_moments
from rgs_core.joint import joint_law
from rgs_core.mechanics import SIMULATED_ONLY, frozen
from rgs_core.model import START_STATE, Build, Model, Profile, Strip
from rgs_core.stats import root
from rgs_core.tables import state_names

Strips = Mapping[str, tuple[Strip, ...]]
"""Strips by set name, one a reel: what a profile holds."""

NAMES = ("rtp", "hit", "sd", "feature")
"""Figures with a target: RTP, share of rounds that win, standard deviation / stake, odds of free spins."""

QUICK_CAP_MAX = 60
"""Caps on free spins up to here are walked exactly even for gradients."""

LAWS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Figures:
    """Exact figures of a round. The standard deviation is the root of `variance`, of win / stake."""

    rtp: Fraction
    hit: Fraction
    variance: Fraction
    feature: Fraction

    def value(self, name: str) -> float:
        """The figure `name` of NAMES as a float."""
        if name == "sd":
            return root(self.variance)
        exact: Fraction = getattr(self, name)
        return float(exact)


class Meter:
    """Figures of a model with any strips. Laws of spins are kept, so a state with strips as before costs nothing."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._laws: dict[tuple[int, tuple[Strip, ...]], SpinLaw] = {}

    @property
    def has_feature(self) -> bool:
        return len(self.model.states) > 1

    def figures(self, strips: Strips, *, quick: bool = False) -> Figures:
        """Exact figures; `quick` leaves a large cap on free spins out where retriggers end, for gradients.

        Raises AnalysisError where the figures have no exact value.
        """
        build = Build(self.model, Profile("tuned", frozen(dict(strips))))
        laws = self._spin_laws(build)
        states, cap = tuple(laws), self.model.free_spins_max
        moments = None
        if quick and len(states) > 1 and QUICK_CAP_MAX < cap <= CAP_EXACT_MAX:
            try:
                moments = round_moments(laws, states, START_STATE, 1, 10**6)
            except AnalysisError:
                moments = None
        if moments is None:
            moments = round_moments(laws, states, START_STATE, 1, cap)
        stake = self.model.stake_units
        return Figures(
            rtp=moments.mean / stake,
            hit=1 - moments.nothing,
            variance=(moments.second - moments.mean**2) / stake**2,
            feature=sum((a.probability for key, a in laws[START_STATE].items() if any(key)), Fraction(0)),
        )

    def _spin_laws(self, build: Build) -> dict[str, SpinLaw]:
        """The law of one spin of each state, in the engine's order: linear in the stop probabilities of a reel."""
        if self.model.win_max is not None:
            raise AnalysisError("a maximum win is declared: figures with it are no sums over stops, so it is not tuned")
        engine: Engine | None = None
        laws = {}
        for index, name in enumerate(state_names(self.model)):
            state = self.model.states[name]
            if state.callback is not None:
                raise AnalysisError(f"state '{name}' {SIMULATED_ONLY}: its profile is not tuned")
            if state.special is not None:
                raise AnalysisError(f"state '{name}' draws a special symbol: its profile is not tuned")
            key = index, tuple(strip for strips in state.strip_sets for strip in build.strips(state, strips))
            if key not in self._laws:
                if len(self._laws) >= LAWS_KEPT:
                    self._laws.clear()
                engine = engine or Engine(build)
                self._laws[key] = joint_law(engine, index).by_award()
            laws[name] = self._laws[key]
        return laws


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and the exact interval it has to be in. `aim` is the middle of a point target, None for a range."""

    name: str
    text: str
    low: Fraction
    high: Fraction
    aim: Fraction | None

    def met(self, figures: Figures) -> bool:
        """Exactly: no rounding is in it."""
        if self.name == "sd":
            return self.low**2 <= figures.variance <= self.high**2
        exact: Fraction = getattr(figures, self.name)
        return self.low <= exact <= self.high

    @property
    def wanted(self) -> tuple[float, float]:
        """Where to go: the aim, or the range less a hundredth of its width on either side."""
        if self.aim is not None:
            return float(self.aim), float(self.aim)
        margin = (self.high - self.low) / 100
        return float(self.low + margin), float(self.high - margin)

    @property
    def half_width(self) -> float:
        return float(self.high - self.low) / 2

    @property
    def scale(self) -> float:
        """What counts as a notable difference: a percentage point, or a hundredth of odds and deviations."""
        if self.name in ("rtp", "hit"):
            return 0.01
        return max(float(self.high + self.low) / 200, 1e-12)

    def show(self, value: Fraction | float) -> str:
        """A value of this figure for people."""
        return show(self.name, value)


RTP_HALF_WIDTH = Fraction(5, 100_000)
"""An RTP is met when it is within 0.005 percentage points, or rounds to what was written if that is narrower."""

RTP_MAX = 10
"""Targets from 1,000 % on are a forgotten percent sign."""

NUMBER = re.compile(r"(?P<one>1/)?(?P<digits>[0-9]+(?:\.(?P<places>[0-9]+))?)(?P<percent>%)?")


def show(name: str, value: Fraction | float) -> str:
    """A figure for people: percent, odds, or multiples of the stake."""
    number = float(value)
    if name == "feature":
        return f"1 in {1 / number:,.3f}" if number > 0 else "never"
    return f"{number:.4f}" if name == "sd" else f"{100 * number:.4f} %"


def parse_target(text: str) -> Target:
    """`rtp=94.00%`, `hit=28%`, `sd=6..8`, `feature=1/150`: a number is met by all that rounds to it, a..b by all
    from a to b. Raises TuningError."""
    name, equals, wanted = text.replace(" ", "").partition("=")
    if name not in NAMES or not equals:
        raise TuningError(f"'{text}' is no target; write {'=…, '.join(NAMES)}=…, as rtp=94.00% or sd=6..8")
    parts = wanted.split("..")
    if len(parts) == 2 and parts[1].endswith("%") and not parts[0].endswith("%"):
        parts[0] += "%"  # 94..95% is 94% to 95%
    ends = [_number(name, end, text) for end in parts]
    if len(ends) > 2:
        raise TuningError(f"'{text}' is no target; a range has two ends: {name}=a..b")
    if len(ends) == 2:
        (low, _, _), (high, _, _) = ends
        if name == "feature":
            low, high = min(low, high), max(low, high)
        if low >= high:
            raise TuningError(f"'{text}': the range is empty; write the smaller end first")
        target = Target(name, text, low, high, None)
    else:
        value, low, high = ends[0]
        if name == "rtp":
            low, high = max(low, value - RTP_HALF_WIDTH), min(high, value + RTP_HALF_WIDTH)
        target = Target(name, text, low, high, value)
    if name in ("hit", "feature") and target.low >= 1:
        raise TuningError(f"'{text}': a probability is below 1; write {name}=28% or {name}=1/150")
    if name == "rtp" and target.low >= RTP_MAX:
        raise TuningError(f"'{text}' is {float(100 * target.low):,.0f} % and more; write percent as rtp=94.00%")
    if target.high <= 0:
        raise TuningError(f"'{text}': must be above 0")
    return replace(target, low=max(target.low, Fraction(0)))


def _number(name: str, text: str, whole: str) -> tuple[Fraction, Fraction, Fraction]:
    """The value, and the ends of what rounds to it."""
    match = NUMBER.fullmatch(text)
    if not match or (match["one"] and (match["percent"] or name == "sd")) or (match["percent"] and name == "sd"):
        form = {"sd": "sd=7.5", "feature": "feature=1/150"}.get(name, f"{name}=94.00%")
        raise TuningError(f"'{whole}': '{text}' is not a number of this figure; write it like {form}")
    value = Fraction(match["digits"])
    half = Fraction(1, 2 * 10 ** len(match["places"] or ""))
    if match["one"]:
        if value <= half:
            raise TuningError(f"'{whole}': odds are 1/N with N above 0")
        return 1 / value, 1 / (value + half), 1 / (value - half)
    part = Fraction(1, 100) if match["percent"] else Fraction(1)
    return value * part, (value - half) * part, (value + half) * part
