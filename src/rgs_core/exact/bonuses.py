"""Exact law of one play of a bonus: what it pays and the spins that it awards.

Units are with the basis of the bonus and without the multiplier of a state. The moments come from closed
sums and always exist; the law with every amount is made of integer convolutions, where it is not too large.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rgs_core.errors import AnalysisError
from rgs_core.exact.award_columns import feature_name, shares
from rgs_core.exact.awarding import NOTHING, Awarding, Awards, plus
from rgs_core.language.mechanics import Pick, Segment, Table, Take, Trail, Wheel, frozen, settled
from rgs_core.language.model import Model

OUTCOMES_MAX = 1_000_000
"""Largest number of different outcomes of a law, and of products to get there at a time."""

TOO_MANY = f"a bonus has more than {OUTCOMES_MAX:,} different outcomes, too many for its exact law"

Amounts = dict[int, int]
"""Weight by amount."""

IMPOSSIBLE = Awarding(Fraction(0), Fraction(0), Fraction(0), Fraction(0), 0)


@dataclass(frozen=True)
class BonusLaw:
    """`rows`: probability, units, and spins awarded by state; equal rows are merged, in order of units."""

    rows: tuple[tuple[Fraction, int, Mapping[str, int]], ...]

    @property
    def mean(self) -> Fraction:
        """Mean units."""
        return sum((p * units for p, units, _ in self.rows), Fraction(0))

    @property
    def variance(self) -> Fraction:
        """Variance in units squared."""
        return sum((p * units**2 for p, units, _ in self.rows), Fraction(0)) - self.mean**2

    @property
    def nothing(self) -> Fraction:
        """Odds that it pays nothing."""
        return sum((p for p, units, _ in self.rows if units == 0), Fraction(0))

    @property
    def most(self) -> int:
        """The most that it pays, in units."""
        return max(units for _, units, _ in self.rows)

    @property
    def award_mean(self) -> Mapping[str, Fraction]:
        """Mean spins awarded by state."""
        means: dict[str, Fraction] = defaultdict(Fraction)
        for p, _, awards in self.rows:
            for state, spins in awards.items():
                means[state] += p * spins
        return dict(means)


def bonus_law(model: Model, name: str) -> BonusLaw:
    """Law of one play, every amount with its probability. Raises AnalysisError when there are too many."""
    merged: dict[tuple[int, tuple[tuple[str, int], ...]], Fraction] = defaultdict(Fraction)
    for p, units, awards in _amounts(model, settled(model.bonuses[name])):
        merged[units, tuple(sorted(awards.items()))] += p
        if len(merged) > OUTCOMES_MAX:
            raise AnalysisError(TOO_MANY)
    return BonusLaw(tuple((p, units, frozen(dict(awards))) for (units, awards), p in sorted(merged.items())))


def bonus_moments(model: Model, name: str, states: Sequence[str]) -> dict[Awards, Awarding]:
    """Exact moments of one play by the spins awarded, in the order of `states`. They exist for every bonus."""
    bonus = settled(model.bonuses[name])
    unit = model.basis_units(bonus.of)
    if isinstance(bonus, Wheel):
        return _wheel_moments(model, bonus, unit, states)
    if isinstance(bonus, Pick):
        moments = _pick_moments(bonus)
    elif isinstance(bonus, Take):
        moments = _take_moments(bonus)
    else:
        moments = _trail_moments(bonus)
    return {(0,) * len(states): moments.times(unit)}


def certain(units: int) -> Awarding:
    """Surely this win."""
    return Awarding(Fraction(1), Fraction(units), Fraction(units**2), Fraction(int(units == 0)), units)


def _wheel_moments(model: Model, wheel: Wheel, unit: int, states: Sequence[str]) -> dict[Awards, Awarding]:
    law: dict[Awards, Awarding] = {}
    total = sum(segment.weight for segment in wheel.segments)
    for segment in wheel.segments:
        own = certain(segment.pay * unit).given(Fraction(segment.weight, total))
        events: dict[Awards, Awarding] = {awards: own.given(p) for awards, p in awarded(segment, states)}
        if segment.bonus is not None:
            events = plus(events, bonus_moments(model, segment.bonus, states))
        for key, event in events.items():
            law[key] = law[key] | event if key in law else event
    return law


def awarded(segment: Segment, states: Sequence[str]) -> list[tuple[Awards, Fraction]]:
    """What a segment of a wheel awards itself, by state, with its odds: one way for each multiplier that it draws, where
    `states` has columns for features with multipliers (rgs_core.exact.award_columns)."""
    ways: dict[str | None, Fraction] = {segment.state: Fraction(1)}
    if segment.multiplier is not None and segment.state is not None:
        named = {feature_name(segment.state, value): p for value, p in shares(segment.multiplier)}
        ways = {name: p for name, p in named.items() if name in states} or ways
    return [(tuple(segment.spins if state == name else 0 for state in states), p) for name, p in ways.items()]


def _pick_moments(pick: Pick) -> Awarding:
    """A sum of a random number of random prizes, twice."""
    prize, prize_variance = _table_moments(pick.prizes)
    each, each_variance = _table_moments(pick.prizes_per_pick)
    picks, picks_variance = _table_moments(pick.picks)
    place = each * prize
    place_variance = each * prize_variance + each_variance * prize**2
    mean = picks * place
    variance = picks * place_variance + picks_variance * place**2
    zero = sum((p for value, p in _entries(pick.prizes) if value == 0), Fraction(0))
    empty = sum((p * zero**value for value, p in _entries(pick.prizes_per_pick)), Fraction(0))
    nothing = sum((p * empty**value for value, p in _entries(pick.picks)), Fraction(0))
    most = max(pick.picks.values) * max(pick.prizes_per_pick.values) * max(pick.prizes.values)
    return Awarding(Fraction(1), mean, variance + mean**2, nothing, most)


def _entries(table: Table) -> list[tuple[int, Fraction]]:
    return [(value, Fraction(weight, table.total)) for value, weight in zip(table.values, table.weights, strict=True)]


def _table_moments(table: Table) -> tuple[Fraction, Fraction]:
    mean = sum((p * value for value, p in _entries(table)), Fraction(0))
    return mean, sum((p * value**2 for value, p in _entries(table)), Fraction(0)) - mean**2


def _taken(take: Take) -> Iterator[tuple[Fraction, int, int]]:
    """Odds that so many prizes that end nothing are taken, and so many that do.

    Each side is a sample without replacement of its own then. The last of t prizes taken is one of the L that take
    lives among them with L / t, whatever they are (negative hypergeometric law).
    """
    others, ends = map(len, take.sides)

    def odds(total: int, found: int) -> Fraction:
        return Fraction(math.comb(ends, found) * math.comb(others, total - found), math.comb(others + ends, total))

    if ends:
        for total in range(take.lives, take.take + 1):
            yield odds(total, take.lives) * Fraction(take.lives, total), total - take.lives, take.lives
    for found in range(min(take.lives if ends else 1, take.take + 1)):
        yield odds(take.take, found), take.take - found, found


def _take_moments(take: Take) -> Awarding:
    """Sums of samples without replacement, and what equal prizes add to them."""
    others, ends = take.sides
    mixed = IMPOSSIBLE
    for p, k, found in _taken(take):
        if p:
            mixed |= (_sample_moments(others, k) + _sample_moments(ends, found)).given(p)
    mean, second, most = mixed.win, mixed.win_squared, mixed.most
    for prize, times in Counter(take.prizes).items():
        equal = Fraction(math.comb(times, take.take), math.comb(len(take.prizes), take.take))
        if equal and take.equal_multiplier != 1:
            amount = take.take * prize
            mean += equal * amount * (take.equal_multiplier - 1)
            second += equal * amount**2 * (take.equal_multiplier**2 - 1)
            most = max(most, amount * take.equal_multiplier)
    return Awarding(Fraction(1), mean, second, mixed.nothing, most)


def _sample_moments(prizes: Sequence[int], k: int) -> Awarding:
    """Sum of k of the prizes without replacement, every subset equally likely."""
    n = len(prizes)
    if k == 0:
        return NOTHING
    total, squares = sum(prizes), sum(prize**2 for prize in prizes)
    pairs = Fraction(k * (k - 1), n * (n - 1)) if n > 1 else Fraction(0)
    second = Fraction(k * squares, n) + pairs * (total**2 - squares)
    nothing = Fraction(math.comb(prizes.count(0), k), math.comb(n, k))
    return Awarding(Fraction(1), Fraction(k * total, n), second, nothing, sum(sorted(prizes)[-k:]))


def _trail_moments(trail: Trail) -> Awarding:
    """Backwards over the rolls left and the square stood on."""
    last = trail.pays == "last"
    ahead = [NOTHING, *(certain(pay) if last else NOTHING for pay in trail.squares)]
    for _ in range(trail.rolls_max):
        here = []
        for position in range(len(trail.squares) + 1):
            mixed = IMPOSSIBLE
            for roll, p in _entries(trail.die):
                target = position + roll
                if target > len(trail.squares):
                    event = certain(trail.finish)
                else:
                    event = certain(trail.squares[target - 1])
                    if target not in trail.ends:
                        event = ahead[target] if last else event + ahead[target]
                mixed |= event.given(p)
            here.append(mixed)
        ahead = here
    return ahead[0]


# --- Every amount --------------------------------------------------------------------------------------


def _amounts(model: Model, bonus: Pick | Take | Wheel | Trail) -> Iterator[tuple[Fraction, int, Mapping[str, int]]]:
    """Rows of the law of a bonus, not merged."""
    unit = model.basis_units(bonus.of)
    if isinstance(bonus, Wheel):
        total = sum(segment.weight for segment in bonus.segments)
        for segment in bonus.segments:
            p, pay = Fraction(segment.weight, total), segment.pay * unit
            own = {segment.state: segment.spins} if segment.state is not None else {}
            if segment.bonus is None:
                yield p, pay, own
                continue
            for q, units, awards in bonus_law(model, segment.bonus).rows:
                both = dict(awards)
                for state, spins in own.items():
                    both[state] = both.get(state, 0) + spins
                yield p * q, pay + units, both
        return
    if isinstance(bonus, Pick):
        prize = _table_amounts(bonus.prizes)
        amounts = _compound(bonus.picks, _compound(bonus.prizes_per_pick, prize))
    elif isinstance(bonus, Take):
        amounts = _take_amounts(bonus)
    else:
        amounts = _trail_amounts(bonus)
    total = sum(amounts.values())
    for units, weight in amounts.items():
        yield Fraction(weight, total), units * unit, {}


def _table_amounts(table: Table) -> Amounts:
    amounts: Amounts = defaultdict(int)
    for value, weight in zip(table.values, table.weights, strict=True):
        amounts[value] += weight
    return amounts


def _convolved(a: Amounts, b: Amounts) -> Amounts:
    if len(a) * len(b) > 20 * OUTCOMES_MAX:
        raise AnalysisError(TOO_MANY)
    result: Amounts = defaultdict(int)
    for x, v in a.items():
        for y, w in b.items():
            result[x + y] += v * w
    if len(result) > OUTCOMES_MAX:
        raise AnalysisError(TOO_MANY)
    return result


def _compound(times: Table, amounts: Amounts) -> Amounts:
    """Weights of the sum of a random number of independent amounts; all powers scaled to the same total."""
    total, most = sum(amounts.values()), max(times.values)
    wanted = _table_amounts(times)
    result: Amounts = defaultdict(int)
    power: Amounts = {0: 1}
    for n in range(most + 1):
        if n:
            power = _convolved(power, amounts)
        if n in wanted:
            scale = wanted[n] * total ** (most - n)
            for units, weight in power.items():
                result[units] += scale * weight
    divisor = math.gcd(*result.values())
    return {units: weight // divisor for units, weight in result.items()}


def _take_amounts(take: Take) -> Amounts:
    """Weights by amount: subsets of each side, by how many are taken of it; equal prizes apart."""
    others, ends = take.sides
    subsets = _subsets(others, take.take), _subsets(ends, min(take.lives, len(ends)))
    cases = [(p, k, found) for p, k, found in _taken(take) if p]
    if sum(len(subsets[0][k]) * len(subsets[1][found]) for _, k, found in cases) > 20 * OUTCOMES_MAX:
        raise AnalysisError(TOO_MANY)
    shares = [p / (math.comb(len(others), k) * math.comb(len(ends), found)) for p, k, found in cases]
    scale = math.lcm(*(share.denominator for share in shares))
    amounts: Amounts = defaultdict(int)
    for share, (_, k, found) in zip(shares, cases, strict=True):
        for units, n in _convolved(subsets[0][k], subsets[1][found]).items():
            amounts[units] += int(share * scale) * n
    for prize, times in Counter(take.prizes).items():
        equal, units = math.comb(times, take.take), take.take * prize
        if equal and take.equal_multiplier != 1:  # every sample weighs 1, as nothing ends it
            amounts[units] -= equal
            amounts[units * take.equal_multiplier] += equal
    return {units: n for units, n in amounts.items() if n}


def _subsets(prizes: Sequence[int], most: int) -> list[Amounts]:
    """Number of subsets by amount, for each size up to `most`."""
    subsets: list[Amounts] = [{0: 1}, *({} for _ in range(most))]
    for prize in prizes:
        for k in range(most, 0, -1):
            for units, n in subsets[k - 1].items():
                subsets[k][units + prize] = subsets[k].get(units + prize, 0) + n
        if sum(map(len, subsets)) > OUTCOMES_MAX:
            raise AnalysisError(TOO_MANY)
    return subsets


def _trail_amounts(trail: Trail) -> Amounts:
    """Forwards over the rolls: weight by square and amount, scaled to die.total ** rolls_max. Where only the last
    square pays, the amount is that of the square stood on."""
    ended: Amounts = defaultdict(int)
    standing: dict[tuple[int, int], int] = {(0, 0): 1}
    scale = trail.die.total**trail.rolls_max
    for _ in range(trail.rolls_max):
        scale //= trail.die.total
        following: dict[tuple[int, int], int] = defaultdict(int)
        for (position, units), weight in standing.items():
            units = 0 if trail.pays == "last" else units
            for roll, chance in zip(trail.die.values, trail.die.weights, strict=True):
                target = position + roll
                if target > len(trail.squares):
                    ended[units + trail.finish] += weight * chance * scale
                elif target in trail.ends:
                    ended[units + trail.squares[target - 1]] += weight * chance * scale
                else:
                    following[target, units + trail.squares[target - 1]] += weight * chance
        if len(following) + len(ended) > OUTCOMES_MAX:
            raise AnalysisError(TOO_MANY)
        standing = following
    for (_, units), weight in standing.items():
        ended[units] += weight
    return ended
