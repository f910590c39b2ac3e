"""The Markov chain of a feature of hold and spin: with which odds it ends with which cells held.

With v = (h, l) a situation before a spin, h the held cells by class and symbol and l the spins left, P_h(d) the odds
that d lands on the free cells (a multinomial law for each class) and v' = (h + d, l') what it leads to, the odds
that the feature ends with N held cells are

    E_v(N) = sum_d P_h(d) E_v'(N),        E_v(N) = 1 where v has no spin left or every cell is held,

and its spins have the mean S_v = 1 + sum_d P_h(d) S_v'. Every spin uses up a spin or fills a cell, so both are
computed backwards, in integers over powers of the sums of weights.

Where enough held cells unlock rows, v' is a situation of another state, whose chain is known before.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from rgs_core.errors import AnalysisError
from rgs_core.exact.memory.hold import Counts, Held, HoldRules, HoldStart, Situation, Start
from rgs_core.exact.memory.unlocking import UnlockingStart

HELD_MAX = 20_000
"""Most ways in which cells can be held, by class and symbol."""

MOVES_MAX = 1_000_000
"""Most moves of a chain that are looked at one by one: seconds."""


@dataclass(frozen=True, slots=True)
class _End:
    """From a situation on: `weights[i, N]` / scale that the feature ends in the state i with N held cells by symbol,
    `spins` / scale mean spins, with scale the product of total**power over the classes of all states; `granted`: most
    spins awarded."""

    weights: Mapping[tuple[int, Counts], int]
    spins: int
    powers: tuple[int, ...]
    granted: int


def hold_starts(
    rules: HoldRules, starts: Iterable[Start], states: tuple[str, ...] = ()
) -> dict[Start, HoldStart | UnlockingStart]:
    """Laws of features by how they begin. Raises AnalysisError for chains that are too large."""
    chains = linked_chains(rules)
    starts = list(dict.fromkeys(starts))
    begun: list[set[Situation]] = [set() for _ in chains]
    begun[0] |= {(start.held, start.spins) for start in starts}
    orders = []
    for chain in chains:  # a feature goes on as a later state only
        orders.append(chain.reached(sorted(begun[chain.number])))
        for number, situation in chain.handed:
            begun[number].add(situation)
    for chain, order in zip(reversed(chains), reversed(orders), strict=True):
        chain.backwards(order)
    laws: dict[Start, HoldStart | UnlockingStart] = {}
    for start in starts:
        end = chains[0].known[start.held, start.spins]
        scale = chains[0].scale(end.powers)
        spins, granted = Fraction(end.spins, scale), end.granted + start.spins
        parts = []
        for chain in chains:
            weights = {n: w for (number, n), w in sorted(end.weights.items()) if number == chain.number and w}
            odds = {n: Fraction(weight, scale) for n, weight in weights.items()}
            parts.append(HoldStart(chain.rules, start, odds, spins, granted, states))
        laws[start] = parts[0] if len(parts) == 1 else UnlockingStart(tuple(parts))
    return laws


def linked_chains(rules: HoldRules) -> list[HoldChain]:
    """The chains of a state and of those as which its features go on."""
    chains: list[HoldChain] = []
    for number, each in enumerate((rules, *rules.further)):
        chains.append(HoldChain(each, number, chains))
    return chains


def own_spins(rules: HoldRules, start: Start) -> tuple[Fraction, Fraction]:
    """Odds that a feature plays no more spins than it begins with, and how many of those it plays on average."""
    chains = linked_chains(rules)
    now = {(0, start.held, start.spins): Fraction(1)}
    ended = played = Fraction(0)
    for _ in range(start.spins):
        after: dict[tuple[int, Held, int], Fraction] = defaultdict(Fraction)
        for (number, held, left), p in now.items():
            played += p
            chain = chains[number]
            free = chain.rules.free(held)
            scale = math.prod(c.total**n for c, n in zip(chain.rules.classes, free, strict=True))
            for landed, weight in chain.everywhere(held).items():
                then = plus(held, landed)
                spins, _ = chain.rules.following(left, chain.rules.counts(landed), full=chain.over(then))
                further, spins, _ = chain.unlocked(then, spins)
                if spins:
                    after[number if further < 0 else further, then, spins] += p * Fraction(weight, scale)
                else:
                    ended += p * Fraction(weight, scale)
        now = after
    return ended, played


class HoldChain:
    """The chain of a state.

    Often a spin in which anything lands leaves the same l' spins whatever it is (they are filled up). Then the sum
    over all d but nothing is taken class by class. With U_0(h) = E_(h, l') and U_c(h) = sum_d P_c(d) U_c-1(h + d),
    d on class c alone, it is the sum over c of what lands last on class c:
    sum_(d not 0) P_c(d) U_c-1(h + d), times the odds of nothing on all later classes.
    """

    def __init__(self, rules: HoldRules, number: int = 0, chains: Sequence[HoldChain] | None = None) -> None:
        """`number`: which of the states it is that features go on as, `chains`: those of all."""
        self.rules = rules
        self.number = number
        self.chains: Sequence[HoldChain] = [self] if chains is None else chains
        self.handed: set[tuple[int, Situation]] = set()
        self.width = len(rules.symbols)
        ways = math.prod(math.comb(c.cells + self.width, self.width) for c in rules.classes)
        if ways > HELD_MAX:
            raise AnalysisError(
                f"the cells of state '{rules.state.name}' can be held in {ways:,} ways by reels that draw alike and "
                f"symbols; the law of its features is known up to {HELD_MAX:,}: use equal strips, or fewer symbols"
            )
        self.known: dict[Situation, _End] = {}
        self.partial: dict[tuple[Held, int, int], _End] = {}
        self.laws: dict[tuple[int, int], dict[Held, int]] = {}
        self.outcomes: dict[tuple[int, int], tuple[int, int] | None] = {}
        self.landings: dict[tuple[int, ...], dict[Held, int]] = {}
        self.moves = 0

    # -- what lands -------------------------------------------------------------------------------------

    def on_class(self, number: int, free: int) -> dict[Held, int]:
        """Weights of what lands on the free cells of one class, nothing first; they add up to total**free."""
        if (number, free) not in self.laws:
            of = self.rules.classes[number]
            before, after = (0,) * (number * self.width), (0,) * ((len(self.rules.classes) - number - 1) * self.width)
            law = multinomial(free, of.weights, of.total - sum(of.weights))
            self.laws[number, free] = {(*before, *landed, *after): weight for landed, weight in law.items()}
        return self.laws[number, free]

    def everywhere(self, held: Held) -> dict[Held, int]:
        """Weights of what lands on all free cells."""
        free = self.rules.free(held)
        if free not in self.landings:
            laws = [self.on_class(number, n) for number, n in enumerate(free)]
            self.landings[free] = {
                plus(*(landed for landed, _ in chosen)): math.prod(weight for _, weight in chosen)
                for chosen in product(*(law.items() for law in laws))
            }
        self.moves += len(self.landings[free])
        if self.moves > MOVES_MAX:
            raise AnalysisError(
                f"features of state '{self.rules.state.name}' can take too many ways for their law: use equal strips, "
                "or fewer held symbols"
            )
        return self.landings[free]

    def nothing(self, number: int, free: int) -> int:
        """Weight of nothing on the free cells of a class."""
        return self.on_class(number, free).get(self.rules.nothing, 0)

    def filled(self, left: int, free: int) -> tuple[int, int] | None:
        """Spins left and granted after a spin with `left` spins in which anything lands, the same whatever it is
        (but for the last cell); None when it is not the same."""
        if (left, free) not in self.outcomes:
            lands = [any(c.weights[s] for c in self.rules.classes) for s in range(self.width)]
            counts = product(*(range(free + 1 if possible else 1) for possible in lands))
            found = {self.rules.following(left, n, full=False) for n in counts if 0 < sum(n) <= free}
            self.outcomes[left, free] = found.pop() if len(found) == 1 else None
        return self.outcomes[left, free]

    # -- what follows -----------------------------------------------------------------------------------

    def over(self, held: Held) -> bool:
        """Whether these held cells end the feature: all of the state, where it does not go on as another one."""
        return not any(self.rules.free(held)) and self.unlocked(held, 1)[0] < 0

    def unlocked(self, held: Held, left: int) -> tuple[int, int, int]:
        """The state as which the feature goes on behind a spin that leaves so many spins, -1 for none, the spins left
        then, and those granted; without spins it ends as it is."""
        if not self.rules.unlocks:
            return -1, left, 0
        number, spins, granted = self.rules.unlocked(left, self.rules.counts(held))
        return (number if spins else -1), spins, granted

    # -- backwards --------------------------------------------------------------------------------------

    def backwards(self, order: Sequence[tuple[Held, set[int]]]) -> None:
        """All situations that can be reached, backwards: more held cells first, then fewer spins left."""
        for held, lefts in reversed(order):
            free = self.rules.free(held)
            none = math.prod(self.nothing(number, n) for number, n in enumerate(free))
            sums: dict[object, _End] = {}
            for left in sorted(lefts):
                each: list[tuple[_End, int, int]] = []  # end, weight, spins granted
                if none:
                    spins, more = self.rules.following(left, (0,) * self.width, full=self.over(held))
                    each.append((self._end(held, spins), none, more))
                filled = self.filled(left, sum(free))
                if any(free) and filled is None:
                    each += self._each(held, left)
                whole = self._over(self._sum((end, weight) for end, weight, _ in each), free)
                granted = max((more + end.granted for end, _, more in each), default=0)
                if any(free) and filled is not None:
                    spins, more = filled
                    if spins not in sums:
                        sums[spins] = self._landed(held, spins)
                    if sums[spins].weights:
                        granted = max(granted, more + sums[spins].granted)
                        whole = self._sum([(whole, 1), (sums[spins], 1)])
                passed = whole.spins + self.scale(whole.powers)  # this spin itself
                self.known[held, left] = replace(whole, spins=passed, granted=granted)

    def reached(self, starts: Iterable[Situation]) -> list[tuple[Held, set[int]]]:
        """Held cells with the spins left at them, those with fewer cells first."""
        lefts: dict[Held, set[int]] = defaultdict(set)
        landed: dict[Held, set[int]] = defaultdict(set)  # spins left wherever anything lands, from here on
        totals: dict[int, set[Held]] = defaultdict(set)
        for held, left in starts:
            lefts[held].add(left)
            totals[sum(held)].add(held)
        order = []
        for total in range(self.rules.cells + 1):
            for held in sorted(totals[total]):
                free = sum(self.rules.free(held))
                on = set(landed[held])
                lefts[held] |= self._kept(held, on)
                for left in range(max(lefts[held], default=0), 0, -1):
                    if left not in lefts[held]:
                        continue
                    spins, _ = self.rules.following(left, (0,) * self.width, full=False)
                    lefts[held] |= self._kept(held, {spins})
                    if not free:
                        continue
                    filled = self.filled(left, free)
                    if filled is not None:
                        on |= {filled[0]} - {0}
                        continue
                    for after, _, spins in self._moves(held, left):
                        lefts[after] |= self._kept(after, {spins})
                        totals[sum(after)].add(after)
                for after in self._one_more(held) if on else ():
                    landed[after] |= on
                    totals[total + 1].add(after)
                order.append((held, lefts[held]))
        return order

    def _kept(self, held: Held, lefts: Iterable[int]) -> set[int]:
        """Which of these spins left are of the state itself; with others the feature ends, or is handed to another."""
        kept = set()
        for left in lefts:
            number, spins, _ = self.unlocked(held, left)
            if number >= 0:
                self.handed.add((number, (held, spins)))
            elif spins and any(self.rules.free(held)):
                kept.add(spins)
        return kept

    def _one_more(self, held: Held) -> list[Held]:
        """With one more cell held."""
        return [
            plus(held, landed)
            for number, free in enumerate(self.rules.free(held))
            for landed in self.on_class(number, 1 if free else 0)
            if any(landed)
        ]

    def _moves(self, held: Held, left: int) -> Iterator[tuple[Held, int, int]]:
        """Wherever a spin in which anything lands can lead to: held cells, weight, spins left."""
        for landed, weight in self.everywhere(held).items():
            if any(landed):
                counts, then = self.rules.counts(landed), plus(held, landed)
                yield then, weight, self.rules.following(left, counts, full=self.over(then))[0]

    def _each(self, held: Held, left: int) -> list[tuple[_End, int, int]]:
        """What lands, all at once: the end that it leads to, its weight and the spins granted."""
        parts = []
        for landed, weight in self.everywhere(held).items():
            if any(landed):
                then = plus(held, landed)
                spins, granted = self.rules.following(left, self.rules.counts(landed), self.over(then))
                parts.append((self._end(then, spins), weight, granted))
        return parts

    def _landed(self, held: Held, spins: int) -> _End:
        """What lands, class by class, when it leaves `spins` whatever it is."""
        free = self.rules.free(held)
        parts = []
        for number, n in enumerate(free):
            later = math.prod(self.nothing(other, free[other]) for other in range(number + 1, len(free)))
            over = tuple(f if other >= number else 0 for other, f in enumerate(free))
            here = [
                (self._partly(plus(held, landed), spins, number), weight)
                for landed, weight in self.on_class(number, n).items()
                if any(landed)
            ]
            parts += [(self._over(self._sum(here), over), later)] if later and here else []
        return self._sum(parts)

    def _partly(self, held: Held, spins: int, classes: int) -> _End:
        """U_c of the first classes."""
        if classes == 0:
            return self._end(held, spins)
        if (held, spins, classes) not in self.partial:
            free = self.rules.free(held)[classes - 1]
            over = tuple(free if other == classes - 1 else 0 for other in range(len(self.rules.classes)))
            whole = self._sum(
                (self._partly(plus(held, landed), spins, classes - 1), weight)
                for landed, weight in self.on_class(classes - 1, free).items()
            )
            self.partial[held, spins, classes] = self._over(whole, over)
        return self.partial[held, spins, classes]

    # -- in integers ------------------------------------------------------------------------------------

    def _end(self, held: Held, spins: int) -> _End:
        """The end of the feature where no spin is left, or no cell; else what follows, perhaps in another state."""
        number, spins, granted = self.unlocked(held, spins)
        if number >= 0:
            further = self.chains[number].known[held, spins]
            return replace(further, granted=further.granted + granted)
        if spins and any(self.rules.free(held)):
            return self.known[held, spins]
        return _End({(self.number, self.rules.counts(held)): 1}, 0, (0,) * len(self.totals), 0)

    @property
    def totals(self) -> tuple[int, ...]:
        """What weights add up to, by state and class."""
        return tuple(c.total for chain in self.chains for c in chain.rules.classes)

    def scale(self, powers: Iterable[int]) -> int:
        """The product of these powers of the sums of weights."""
        return math.prod(total**power for total, power in zip(self.totals, powers, strict=True))

    def _over(self, end: _End, powers: Iterable[int]) -> _End:
        """Divided by these powers of the sums of weights of the state."""
        before = (0,) * (self.number * len(self.rules.classes))
        after = (0,) * (len(self.totals) - len(before) - len(self.rules.classes))
        return replace(end, powers=plus(end.powers, (*before, *powers, *after)))

    def _sum(self, parts: Iterable[tuple[_End, int]]) -> _End:
        """Ends by their weights, over one scale."""
        parts = list(parts)
        powers = [max((end.powers[c] for end, _ in parts), default=0) for c in range(len(self.totals))]
        weights: dict[tuple[int, Counts], int] = defaultdict(int)
        spins = 0
        factors: dict[tuple[int, ...], int] = {}
        for end, weight in parts:
            if end.powers not in factors:
                factors[end.powers] = self.scale(power - own for power, own in zip(powers, end.powers, strict=True))
            factor = weight * factors[end.powers]
            spins += factor * end.spins
            for counts, w in end.weights.items():
                weights[counts] += factor * w
        return _End(dict(weights), spins, tuple(powers), max((end.granted for end, _ in parts), default=0))


def plus(*counts: tuple[int, ...]) -> tuple[int, ...]:
    """The sum of counts, each for itself."""
    return tuple(map(sum, zip(*counts, strict=True)))


def multinomial(cells: int, weights: Sequence[int], rest: int) -> dict[Counts, int]:
    """Weights of the numbers of cells by symbol: cells! / prod d! / r! prod weight**d rest**r; possible ones only."""
    law: dict[Counts, int] = {(): 1}
    for weight in weights:
        following: dict[Counts, int] = {}
        for counts, w in law.items():
            free = cells - sum(counts)
            for n in range(free + 1 if weight else 1):
                following[*counts, n] = w * math.comb(free, n) * weight**n
        law = following
    return {counts: w * rest ** (cells - sum(counts)) for counts, w in law.items() if rest or sum(counts) == cells}
