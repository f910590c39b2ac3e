"""Figures that a game can be tuned to, the targets for them, and the one place where they are computed.

`Meter` is all that tuning needs from the exact analysis: strips in, exact figures out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from rgs_core._engine import Engine
from rgs_core.engine.tables import state_names
from rgs_core.errors import AnalysisError, TuningError
from rgs_core.exact.cycle import FullCycle, round_figures, spin_laws
from rgs_core.exact.distribution import WinLaw, win_law
from rgs_core.exact.feature import CAP_EXACT_MAX
from rgs_core.exact.joint import COMBINATIONS_MAX, Joint, joint_law
from rgs_core.exact.memory.feature_starts import feature_round
from rgs_core.exact.memory.hold import HoldRules, HoldStart, Start
from rgs_core.exact.memory.hold_chain import hold_starts
from rgs_core.exact.memory.unlocking import UnlockingStart
from rgs_core.exact.memory.whole_feature import FeatureRound
from rgs_core.exact.reached import awards_of, reached
from rgs_core.exact.stats import root
from rgs_core.language.mechanics import SIMULATED_ONLY, frozen
from rgs_core.language.model import BASE_MODE, Build, Model, Profile, Strip

Strips = Mapping[str, tuple[Strip, ...]]
"""Strips by set name, one a reel: what a profile holds."""

NAMES = ("rtp", "hit", "sd", "feature")
"""Figures with a target: RTP, share of rounds that win, standard deviation / stake, odds of free spins."""

QUICK_CAP_MAX = 60
"""Caps on free spins up to here are walked exactly even for gradients."""

LAWS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a round of a mode, of win / cost. The standard deviation is the root of `variance`.

    Exact; where the maximum win cuts rounds short `rtp` and `variance` are those of the law of wins, which is in
    double precision, and `exact` is False. `hit` and `feature` are without it, as in the sheet.
    """

    rtp: Fraction
    hit: Fraction
    variance: Fraction
    feature: Fraction
    exact: bool = True

    @classmethod
    def of(cls, cycle: FullCycle, law: WinLaw | None) -> Figures:
        """The figures of a round, with the law of its win where the maximum win matters."""
        rtp = cycle.rtp if law is None else Fraction(law.rtp)
        variance = cycle.variance if law is None else Fraction(law.sd) ** 2
        return cls(rtp, cycle.hit_frequency, variance, cycle.feature_probability, law is None)

    def value(self, name: str) -> float:
        """The figure `name` of NAMES as a float."""
        if name == "sd":
            return root(self.variance)
        exact: Fraction = getattr(self, name)
        return float(exact)


class Meter:
    """Figures of a model, in one of its modes, with any strips. Laws of spins are kept, so a state with strips as
    before costs nothing."""

    def __init__(self, model: Model, mode: str = BASE_MODE) -> None:
        self.model = model
        self.mode = mode
        self._laws: dict[tuple[object, ...], Joint] = {}
        self._kept: dict[tuple[object, ...], FeatureRound] = {}
        self._holds: dict[tuple[object, ...], Mapping[Start, HoldStart | UnlockingStart]] = {}

    @property
    def has_feature(self) -> bool:
        """Whether a round of the mode can have further spins."""
        start = self.model.build(mode=self.mode).play.start
        return any(True for _ in awards_of(self.model, self.model.states[start]))

    def figures(self, strips: Strips, *, quick: bool = False) -> Figures:
        """Figures as they are paid; `quick`, for gradients, leaves out a large cap on free spins where retriggers end,
        and the maximum win.

        Raises AnalysisError where the figures have no exact value.
        """
        build = Build(self.model, Profile("tuned", frozen(dict(strips))), self.mode)
        if self.model.callbacks:
            state = next(iter(self.model.callbacks))
            raise AnalysisError(f"state '{state}' {SIMULATED_ONLY}: its profile is not tuned")
        spins = spin_laws(build, Engine(build), joint=self._joint, features_of=self._features)
        cap = self.model.free_spins_max
        if quick and QUICK_CAP_MAX < cap <= CAP_EXACT_MAX:
            try:
                endless = replace(build, model=replace(self.model, free_spins_max=10**6))
                return Figures.of(round_figures(endless, spins), None)
            except AnalysisError:
                pass
        cycle = round_figures(build, spins)
        return Figures.of(cycle, win_law(cycle) if cycle.capped and not quick else None)

    def _joint(
        self,
        engine: Engine,
        index: int,
        *,
        merge: bool = True,
        specials: Sequence[str] = (),
        single: bool = False,
        most: int = COMBINATIONS_MAX,
    ) -> Joint:
        """The law of one spin of a state, kept by the strips that it plays."""
        build = engine.build
        state = self.model.states[state_names(self.model)[index]]
        key = index, tuple(specials), *(build.profile.strips[name] for name in state.strip_sets)
        if key not in self._laws:
            if len(self._laws) >= LAWS_KEPT:
                self._laws.clear()
            self._laws[key] = joint_law(engine, index, merge=merge, specials=specials, single=single, most=most)
        return self._laws[key]

    def _features(self, build: Build, *, merge: bool = True) -> FeatureRound:
        """The paid spin with the features that remember, kept by the strips of all states that it reaches."""
        states = [self.model.states[name] for name in reached(build)]
        key = tuple(build.profile.strips[name] for state in states for name in state.strip_sets)
        if key not in self._kept:
            if len(self._kept) >= LAWS_KEPT:
                self._kept.clear()
            self._kept[key] = feature_round(build, merge=merge, held_laws=self._held)
        return self._kept[key]

    def _held(
        self, rules: HoldRules, starts: Iterable[Start], states: tuple[str, ...]
    ) -> Mapping[Start, HoldStart | UnlockingStart]:
        """Features of hold and spin, kept by all that they depend on: the strips of the paid spin are no part of it."""
        begun = tuple(dict.fromkeys(starts))
        chained = tuple((of.state.name, of.symbols, of.classes, of.values) for of in (rules, *rules.further))
        key = chained, begun, states
        if key not in self._holds:
            if len(self._holds) >= LAWS_KEPT:
                self._holds.clear()
            self._holds[key] = hold_starts(rules, begun, states)
        return self._holds[key]


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
