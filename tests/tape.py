"""Every way that the reference can draw, with its exact probability: an oracle for the exact analysis.

A tape stands in for the words of a spin. It takes the first branch of every draw, then comes back and takes
the next one of the last draw that has some left, until all paths are done. A weighted draw branches by entry,
not by unit of weight, so that big weights cost nothing. Good for some 10^5 paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from fractions import Fraction
from math import prod
from typing import TypeVar

from rgs_core.language.model import Build
from rgs_core.outcome import Outcome, Spin
from rgs_core.reference import Memory, Numbers, play_spin, play_with

T = TypeVar("T")


class Tape:
    """Numbers for one path: the branches of `path` first, then the first possible one of every further draw."""

    def __init__(self, path: Sequence[int] = ()) -> None:
        self.path = list(path)
        self.draws: list[tuple[int, ...]] = []
        """The weights of each draw so far."""

    def below(self, n: int) -> int:
        return self.index((1,) * n)

    def index(self, weights: Sequence[int]) -> int:
        place = len(self.draws)
        self.draws.append(tuple(weights))
        if place == len(self.path):
            self.path.append(following(weights, -1))
        return self.path[place]

    @property
    def probability(self) -> Fraction:
        drawn = zip(self.path, self.draws, strict=True)
        return Fraction(
            prod(weights[branch] for branch, weights in drawn), prod(sum(weights) for weights in self.draws)
        )

    def next_path(self) -> list[int] | None:
        """The path that follows in depth-first order, as far as it is decided; None after the last one."""
        for place in reversed(range(len(self.path))):
            branch = following(self.draws[place], self.path[place])
            if branch < len(self.draws[place]):
                return [*self.path[:place], branch]
        return None


def following(weights: Sequence[int], branch: int) -> int:
    """The next branch that has a weight; the number of branches when there is none."""
    return next((place for place in range(branch + 1, len(weights)) if weights[place] > 0), len(weights))


def enumerate_paths(run: Callable[[Numbers], T]) -> Iterator[tuple[Fraction, T]]:
    """Probability and result of every path through the draws of `run`."""
    path: list[int] | None = []
    while path is not None:
        tape = Tape(path)
        result = run(tape)
        yield tape.probability, result
        path = tape.next_path()


def enumerate_spin(build: Build, state_name: str, memory: Memory | None = None) -> Iterator[tuple[Fraction, Spin]]:
    """Every spin of a state: the first of a feature, or one with what `memory` says (a copy of it is played).

    What pays at the end of a feature is a matter of the round and not part of it.
    """
    for probability, (spin, _) in enumerate_feature_spin(build, state_name, memory):
        yield probability, spin


def enumerate_feature_spin(
    build: Build, state_name: str, memory: Memory | None = None
) -> Iterator[tuple[Fraction, tuple[Spin, Memory]]]:
    """The same with what the feature remembers afterwards, so that a test can walk through a feature."""

    def run(numbers: Numbers) -> tuple[Spin, Memory]:
        kept = deepcopy(memory) if memory is not None else Memory()
        return play_spin(build, state_name, kept, numbers)[0], kept

    return enumerate_paths(run)


def enumerate_round(build: Build) -> Iterator[tuple[Fraction, Outcome]]:
    """Every round of a tiny game: all of its spins draw from one tape. It must be sure to end."""
    return enumerate_paths(lambda numbers: play_with(build, lambda sub_spin: numbers))
