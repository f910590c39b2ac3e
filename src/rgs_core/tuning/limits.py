"""What cannot be reached: the interval of a figure, and which targets conflict.

Each reel is pushed to its limits with the others fixed, where the figure is extreme, until no reel gives more. That
is exact reel by reel; all reels together may have a still better corner, so the ends are reached, and what lies
beyond them was not found.
"""

from __future__ import annotations

from itertools import combinations

from rgs_core.errors import AnalysisError, TuningError
from rgs_core.tuning.figures import Target
from rgs_core.tuning.tilt import Floats, extreme
from rgs_core.tuning.tuner import Solution, Tuner, played_sets

ROUNDS_MAX = 5
HALVINGS = 40
GAIN_LEAST = 1e-4
"""A round that gives no more than this part of the figure is the last."""


def otherwise(tuner: Tuner, failed: Solution) -> Solution:
    """A solution where the direct search found none, for one target. Raises TuningError that says what is possible."""
    reels = sum(len(tuner.build.profile.strips[name]) for name in played_sets(tuner.build))
    kept = "" if len(tuner.rows) == reels else " and what is kept"
    bounds = f"with --most {tuner.most}{kept}"
    if len(tuner.targets) == 1:
        found = alone(tuner, tuner.targets[0], failed)
        if isinstance(found, Solution):
            return found
        raise TuningError(_out_of_reach(tuner.targets[0], found, bounds))
    beyond = [
        (target, found)
        for target in tuner.targets
        if not isinstance(found := alone(tuner, target, tuner.solve([target])), Solution)
    ]
    if beyond:
        raise TuningError("; ".join(_out_of_reach(target, found, bounds) for target, found in beyond))
    raise TuningError(_conflict(tuner, bounds))


def alone(tuner: Tuner, target: Target, direct: Solution) -> Solution | tuple[float, float]:
    """A solution for one target: the direct one, or one between the old weights and the limit beyond the target.
    Where the target is beyond the limits, these."""
    if direct.reached:
        return direct
    (low, low_p), (high, high_p) = _ends(tuner, target)
    wanted_low, wanted_high = target.wanted
    if wanted_high < low or wanted_low > high:
        return low, high
    # On the way to a limit the figure is continuous, so somewhere it is right.
    upwards = tuner.figures(tuner.prior).value(target.name) < wanted_low
    corner, goal = (high_p, wanted_low) if upwards else (low_p, wanted_high)
    near, far = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        value = tuner.figures(_between(tuner, corner, middle)).value(target.name)
        near, far = (middle, far) if (value < goal) == upwards else (near, middle)
        if abs(value - goal) < target.half_width / 8:
            break
    start = _between(tuner, corner, (near + far) / 2)
    solution = tuner.solve([target], start=start)
    return solution if solution.reached else (low, high)


def reach(tuner: Tuner, target: Target) -> tuple[float, float]:
    """Smallest and largest value found of a figure, with everything that is kept and within --most."""
    (low, _), (high, _) = _ends(tuner, target)
    return low, high


def _between(tuner: Tuner, corner: Floats, part: float) -> Floats:
    return tuner.prior + part * (corner - tuner.prior)


def _ends(tuner: Tuner, target: Target) -> list[tuple[float, Floats]]:
    ends = []
    for sign in (-1, 1):
        p = tuner.prior
        value = tuner.figures(p).value(target.name)
        for turn in range(ROUNDS_MAX):
            before = value
            for place in tuner.leaders:
                row = tuner.rows[place]
                tuner.progress(f"limits of {target.name}, round {turn + 1}, {row.name}: {target.show(value)}")
                try:
                    slopes = tuner.slopes(p, tuner.figures(p, quick=True), [target], only=place)[0, place]
                    n = len(row.weights)
                    q = p.copy()
                    q[tuner.followers(place), :n] = extreme(
                        tuner.low[place, :n], tuner.high[place, :n], sign * slopes[:n]
                    )
                    here = tuner.figures(q).value(target.name)
                except AnalysisError:
                    continue
                if sign * here > sign * value:
                    p, value = q, here
            if sign * (value - before) <= GAIN_LEAST * abs(before):
                break
        ends.append((value, p))
    return ends


def _out_of_reach(target: Target, ends: tuple[float, float], bounds: str) -> str:
    low, high = ends
    return f"{target.text} is out of reach: {target.name} goes from {target.show(low)} to {target.show(high)} {bounds}"


def _conflict(tuner: Tuner, bounds: str) -> str:
    """The smallest group of targets that were not met together, with how near each comes while the others hold."""
    for size in range(2, len(tuner.targets) + 1):
        for group in combinations(tuner.targets, size):
            if size < len(tuner.targets) and tuner.solve(group).reached:
                continue
            lines = []
            for target in group:
                others = " and ".join(t.text for t in group if t is not target)
                nearest = tuner.solve(group, yielding=target.name).figures.value(target.name)
                lines.append(f"with {others}, the {target.name} found nearest is {target.show(nearest)}")
            names = " and ".join(t.text for t in group)
            return f"{names} conflict: each can be met, but not together {bounds}; {'; '.join(lines)}"
    raise AssertionError("all targets together were not met")
