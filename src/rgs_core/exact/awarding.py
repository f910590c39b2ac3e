"""What a spin awards and wins together: events with their moments, and sums of independent plays.

Exact: probabilities and moments are fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

Awards = tuple[int, ...]
"""Spins awarded by state, in the order of the states of the law."""


@dataclass(frozen=True, slots=True)
class Awarding:
    """What a spin does on the event that it awards what it awards: probability and moments of its win X.

    `win`, `win_squared`: E[X] and E[X^2] on the event; `nothing`: P(X = 0) on it; `most`: largest X.
    """

    probability: Fraction
    win: Fraction
    win_squared: Fraction
    nothing: Fraction
    most: int

    def __or__(self, other: Awarding) -> Awarding:
        """Either of two events that exclude each other."""
        return Awarding(
            self.probability + other.probability,
            self.win + other.win,
            self.win_squared + other.win_squared,
            self.nothing + other.nothing,
            max(self.most, other.most),
        )

    def __add__(self, other: Awarding) -> Awarding:
        """Both of two independent events; their wins add up."""
        return Awarding(
            self.probability * other.probability,
            self.win * other.probability + self.probability * other.win,
            self.win_squared * other.probability + 2 * self.win * other.win + self.probability * other.win_squared,
            self.nothing * other.nothing,
            self.most + other.most,
        )

    def given(self, probability: Fraction) -> Awarding:
        """The same behind an independent event of this probability."""
        return Awarding(
            self.probability * probability,
            self.win * probability,
            self.win_squared * probability,
            self.nothing * probability,
            self.most,
        )

    def times(self, factor: int) -> Awarding:
        """The same with every win multiplied by `factor`, at least 1."""
        return Awarding(
            self.probability, self.win * factor, self.win_squared * factor**2, self.nothing, self.most * factor
        )


SpinLaw = Mapping[Awards, Awarding]
"""Law of one spin by what it awards; only events that are possible."""

NOTHING = Awarding(Fraction(1), Fraction(0), Fraction(0), Fraction(1), 0)
"""Surely no win."""


def plus(a: SpinLaw, b: SpinLaw) -> dict[Awards, Awarding]:
    """Law of two independent plays together."""
    law: dict[Awards, Awarding] = {}
    for left, x in a.items():
        for right, y in b.items():
            key = tuple(i + j for i, j in zip(left, right, strict=True))
            law[key] = law[key] | x + y if key in law else x + y
    return law


def repeated(law: SpinLaw, times: int, width: int) -> dict[Awards, Awarding]:
    """Law of `times` independent plays together; keys have `width` entries."""
    result: dict[Awards, Awarding] = {(0,) * width: NOTHING}
    square = dict(law)
    while times:
        if times & 1:
            result = plus(result, square)
        times >>= 1
        if times:
            square = plus(square, square)
    return result


def one_state(law: SpinLaw, column: int) -> dict[int, Awarding]:
    """The law by the spins of one state alone."""
    result: dict[int, Awarding] = {}
    for awards, event in law.items():
        r = awards[column]
        result[r] = result[r] | event if r in result else event
    return result


def reachable(laws: Mapping[str, SpinLaw], states: Sequence[str], start: str) -> list[str]:
    """States that a round from `start` can award spins of, in the order of `states`."""
    found: set[str] = set()
    queue = [start]
    while queue:
        for awards, event in laws[queue.pop()].items():
            for state, n in zip(states, awards, strict=True):
                if n and event.probability and state not in found:
                    found.add(state)
                    queue.append(state)
    return [state for state in states if state in found]
