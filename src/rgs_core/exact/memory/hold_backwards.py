"""What a feature of hold and spin leads to, computed backwards through its chain of held cells, by an algebra."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from rgs_core.errors import AnalysisError
from rgs_core.exact.memory.hold import Counts, Held, HoldRules, Situation, Start
from rgs_core.exact.memory.hold_chain import HoldChain

STEPS_MAX = 2_000_000
"""Most steps in which the landing of cells is computed: minutes."""

X = TypeVar("X")


class Algebra(Protocol[X]):
    """What is computed backwards."""

    def end(self, counts: Counts) -> X:
        """Where the feature has ended with these held cells."""

    def landed(self, after: X, symbol: int, cells: int) -> X:
        """Before so many cells of a symbol have landed, whose values are drawn."""

    def acted(self, after: X, counts: Counts, landed: Counts) -> X:
        """Before acts, where these cells are held and of those that act once so many have just landed."""

    def either(self, parts: Sequence[tuple[int, X]], scale: int) -> X:
        """Events by their weights, of `scale`."""


def values(rules: HoldRules, starts: Iterable[Start], algebra: Algebra[X]) -> dict[Situation, X]:
    """What is to be computed, for every situation that can be reached."""
    return Backwards(rules, algebra).values((start.held, start.spins) for start in starts)


class Backwards(Generic[X]):
    """A walk backwards through the chain of held cells; within a spin cells land class by class and symbol by symbol,
    those last that are counted."""

    def __init__(self, rules: HoldRules, algebra: Algebra[X]) -> None:
        self.rules, self.algebra, self.chain = rules, algebra, HoldChain(rules)
        width = self.chain.width
        once = [any(a.once and s in a.symbols for a in rules.acts) for s in rules.symbols]
        self.pending = [s for s in range(width) if once[s]]
        self.known: dict[Situation, X] = {}
        self.before_acts: dict[tuple[Held, Counts, int], X] = {}
        self.partial: dict[tuple[int, Held, Counts, bool, tuple[int, int] | None], tuple[X, int] | None] = {}
        places = [(c, s) for c, of in enumerate(rules.classes) for s in range(width) if of.weights[s]]
        self.stages = sorted(places, key=lambda place: place[1] in self.pending)
        self.rest = [of.total - sum(of.weights) for of in rules.classes]
        self.steps = 0

    def values(self, starts: Iterable[Situation]) -> dict[Situation, X]:
        """All situations, those with more held cells first, then with fewer spins left."""
        rules, chain = self.rules, self.chain
        zeros = (0,) * chain.width
        for held, lefts in reversed(chain.reached(starts)):
            free = rules.free(held)
            none = math.prod(rest**n for rest, n in zip(self.rest, free, strict=True))
            scale = math.prod(of.total**n for of, n in zip(rules.classes, free, strict=True))
            for left in sorted(lefts):
                parts: list[tuple[int, X]] = []
                if none:
                    spins, _ = rules.following(left, zeros, full=not any(free))
                    parts.append((none, self._acted(held, zeros, spins)))
                if any(free):
                    filled = chain.filled(left, sum(free))
                    outcome = (-1, left) if filled is None else (filled[0], 0)
                    found = self._landing(0, held, zeros, False, outcome)
                    parts += [(found[1], found[0])] if found else []
                self.known[held, left] = self.algebra.either(parts, scale)
        return self.known

    def _landing(
        self, stage: int, held: Held, landed: Counts, anything: bool, outcome: tuple[int, int]
    ) -> tuple[X, int] | None:
        """What is to be computed before cells land of this stage and further ones, with its weight beside it; None where
        that is impossible. `outcome`: the spins that are left whatever lands, or (-1, spins left with this one)."""
        key = stage, held, landed, anything, outcome
        if key in self.partial:
            return self.partial[key]
        free = self.rules.free(held)
        found: tuple[X, int] | None = None
        if stage == len(self.stages):
            weight = math.prod(rest**n for rest, n in zip(self.rest, free, strict=True))
            if anything and weight:
                full = not any(free)
                spins = outcome[0] if outcome[0] >= 0 else self.rules.following(outcome[1], landed, full)[0]
                found = self._acted(held, landed, 0 if full else spins), weight
        else:
            number, symbol = self.stages[stage]
            place = number * self.chain.width + symbol
            parts: list[tuple[int, X]] = []
            counted = outcome[0] < 0 or symbol in self.pending
            for n in range(free[number] + 1):
                then = held if n == 0 else (*held[:place], held[place] + n, *held[place + 1 :])
                more = (*landed[:symbol], landed[symbol] + n, *landed[symbol + 1 :]) if counted and n else landed
                after = self._landing(stage + 1, then, more, anything or n > 0, outcome)
                if after is None:
                    continue
                item, weight = after
                if n and symbol not in self.pending:
                    item = self.algebra.landed(item, symbol, n)
                weight *= math.comb(free[number], n) * self.rules.classes[number].weights[symbol] ** n
                parts.append((weight, item))
            self.steps += len(parts)
            if self.steps > STEPS_MAX:
                raise AnalysisError(
                    f"features of state '{self.rules.state.name}' can take too many ways for the law of acts on values: use "
                    "equal strips, or fewer held symbols"
                )
            found = (self.algebra.either(parts, 1), 1) if parts else None
        self.partial[key] = found
        return found

    def _acted(self, held: Held, landed: Counts, spins: int) -> X:
        """Before the acts of a spin after which so many are left."""
        landed = tuple(n if s in self.pending else 0 for s, n in enumerate(landed))
        key = held, landed, spins
        if key not in self.before_acts:
            counts = self.rules.counts(held)
            goes_on = spins and any(self.rules.free(held))
            after = self.known[held, spins] if goes_on else self.algebra.end(counts)
            self.before_acts[key] = self.algebra.acted(after, counts, landed)
        return self.before_acts[key]
