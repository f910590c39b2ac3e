"""Exact law of all spins of a round: awards of several states, the cap, moments, odds of winning nothing.

A spin of state i wins X_i and awards K_ij further spins of every state j; spins are independent of each
other, X and K of one spin are not. Without a cap in reach this is a branching process with a type for each
state (Harris, The Theory of Branching Processes, 1963, ch. II): what a spin wins with all it starts has
t = E[X] + M t with M_ij = E[K_ij], and Var(T_i) = Var(X_i + sum_j K_ij t_j) + sum_j M_ij Var(T_j), linear
systems that are solved in fractions. With a cap in reach a round with one further state, or with one of
several (`alternatives`), is a walk over (spins left, awards still allowed), computed backwards in integers scaled by powers of a common denominator. Whether a cap is
in reach is told by a bound on the spins that it cuts off (`cap_tail`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rgs_core.errors import AnalysisError
from rgs_core.exact.awarding import NOTHING, Awarding, Awards, SpinLaw, one_state, reachable, repeated

CAP_EXACT_MAX = 250
"""Largest cap computed by the exact walk; above it the cap must be out of reach."""

NEGLIGIBLE = 1e-15
"""Mean spins a round that a cap may cut off and still counts as out of reach: no walk."""

NEGLECTED_MAX = 1e-6
"""The same where there is no walk; figures are then given with this bound."""

FREE_SPINS_MAX = 100_000
"""Largest cap that is advised."""

DIGITS_MAX = 20_000
"""Bits of a denominator above which odds of winning nothing are rounded to double precision."""


@dataclass(frozen=True, slots=True)
class RoundMoments:
    """All spins of a round: those that the mode begins with and every further one.

    `spins`: mean further spins by state; `neglected` bounds the mean spins that the cap cuts off and that are
    counted in all the same, 0 where the cap is exact; `most_reached` says whether a round can win `most`, or whether it is an upper bound only.
    """

    mean: Fraction
    second: Fraction
    nothing: Fraction
    most: int
    spins: Mapping[str, Fraction]
    neglected: float
    most_reached: bool

    @property
    def free_spins(self) -> Fraction:
        """Mean further spins of a round, of all states."""
        return sum(self.spins.values(), Fraction(0))


def round_moments(
    laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, spins: int, cap: int, apart: int = 0
) -> RoundMoments:
    """Moments of a whole round that begins with `spins` spins of `start` and awards at most `cap` further ones.

    `laws` by state, with keys in the order of `states`; `apart`: spins of the model's cap that `cap` leaves out. Raises
    AnalysisError when retriggers never end and the cap is large, and when a cap can be reached that is too large or
    shared by several states.
    """
    further = reachable(laws, states, start)
    if not further:
        one = repeated(laws[start], spins, len(states))[(0,) * len(states)]
        return RoundMoments(one.win, one.win_squared, one.nothing, one.most, {}, 0.0, True)
    tail = cap_tail(laws, states, start, spins, cap)
    if len(further) == 1 and cap <= CAP_EXACT_MAX and tail > NEGLIGIBLE:
        return _capped(laws, states, start, spins, further[0], cap)
    if cap <= CAP_EXACT_MAX and tail > NEGLIGIBLE and spins == 1:
        parts = alternatives(laws, states, start, further)
        if parts is not None:
            walks = [_capped({**laws, start: part}, states, start, 1, name, cap) for name, part in parts.items()]
            return _either(walks)
    if NEGLECTED_MAX < tail < math.inf:
        raise AnalysisError(_cap_matters(laws, states, start, spins, further, cap, tail, apart))
    return _uncapped(laws, states, start, spins, further, cap, tail)


def _cap_matters(
    laws: Mapping[str, SpinLaw],
    states: Sequence[str],
    start: str,
    spins: int,
    further: Sequence[str],
    cap: int,
    tail: float,
    apart: int,
) -> str:
    """Why there are no figures with this cap, and which caps have some."""
    shared = list(dict.fromkeys(name.partition(" @ ")[0] for name in further))  # features of one state count once
    why, remedies = "too large for the exact walk", []
    if len(further) > 1:
        why = f"shared by {len(shared)} states ({', '.join(shared)}), for which there is no exact walk"
    enough = cap_out_of_reach(laws, states, start, spins)
    if enough is not None and enough + apart <= FREE_SPINS_MAX:
        remedies.append(f"{enough + apart} or more")
    if len(further) == 1:
        remedies.append(f"{CAP_EXACT_MAX} or less (figures, not always the law of wins)")
    remedy = f"set caps.free_spins to {', or to '.join(remedies)}" if remedies else "award fewer spins"
    return (
        f"the cap of {cap + apart} free spins matters (it may cut off up to {tail:.1e} free spins a round) but is {why}; "
        f"{remedy}"
    )


def cap_out_of_reach(laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, spins: int) -> int | None:
    """Smallest cap that cuts off NEGLECTED_MAX spins a round at most; None above FREE_SPINS_MAX."""
    low, high = 0, FREE_SPINS_MAX
    if cap_tail(laws, states, start, spins, high) > NEGLECTED_MAX:
        return None
    while low < high:
        middle = (low + high) // 2
        if cap_tail(laws, states, start, spins, middle) > NEGLECTED_MAX:
            low = middle + 1
        else:
            high = middle
    return high


def alternatives(
    laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, further: Sequence[str]
) -> dict[str, SpinLaw] | None:
    """By further state the events of a first spin that lead to it, where a round has spins of one of them at most: a
    spin starts one, and none of them leads to another. Else None. What starts nothing is with the first one.

    Each is then a round of its own whose cap can be walked, and the round is either of them.
    """
    if not further:
        return None
    columns = {list(states).index(name): name for name in further}
    parts: dict[str, dict[Awards, Awarding]] = {name: {} for name in further}
    for key, event in laws[start].items():
        led = [columns[i] for i, n in enumerate(key) if n and event.probability]
        if len(led) > 1:
            return None
        parts[led[0] if led else further[0]][key] = event
    for i, name in columns.items():
        if name == start or any(
            n and j != i for key, a in laws[name].items() if a.probability for j, n in enumerate(key)
        ):
            return None
    return dict(parts)


def _either(rounds: Sequence[RoundMoments]) -> RoundMoments:
    """The round that is one of these, whose moments are those on the event that it is."""
    zero = Fraction(0)
    return RoundMoments(
        mean=sum((one.mean for one in rounds), zero),
        second=sum((one.second for one in rounds), zero),
        nothing=sum((one.nothing for one in rounds), zero),
        most=max(one.most for one in rounds),
        spins={name: n for one in rounds for name, n in one.spins.items()},
        neglected=max(one.neglected for one in rounds),
        most_reached=all(one.most_reached for one in rounds),
    )


def expected_spins(
    awards: Mapping[str, Mapping[Awards, Fraction]], states: Sequence[str], start: str, spins: int, cap: int
) -> Mapping[str, Fraction]:
    """E[further spins of a round] by state, from the laws of the awards alone."""
    zero = Fraction(0)
    laws = {state: {key: Awarding(p, zero, zero, p, 0) for key, p in law.items() if p} for state, law in awards.items()}
    return round_moments(laws, states, start, spins, cap).spins


def _two_laws(
    laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, spins: int, further: str
) -> tuple[dict[int, Awarding], dict[int, Awarding], int]:
    """By the spins awarded: what a round begins with and a further spin, and how many of those are paid for."""
    column = list(states).index(further)
    free = {r: a for r, a in one_state(laws[further], column).items() if a.probability}
    if start == further:  # the mode's own spins are the first that are left
        return {spins: NOTHING}, free, spins
    paid = one_state(repeated(laws[start], spins, len(states)), column)
    return {r: a for r, a in paid.items() if a.probability}, free, 0


def _capped(
    laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, spins: int, further: str, cap: int
) -> RoundMoments:
    """Backward recursion. Level n holds the states with n = left + allowed, scaled by scale**n."""
    paid, free, first = _two_laws(laws, states, start, spins, further)
    scale = math.lcm(*(x.denominator for a in free.values() for x in (a.probability, a.win, a.win_squared, a.nothing)))
    steps = [
        (r, *(int(x * scale) for x in (a.probability, a.win, a.win_squared, a.nothing)), a.most)
        for r, a in free.items()
    ]
    # By `allowed` at the current level: spins, win, win squared, nothing, most. Level 0: nothing left.
    level: list[tuple[int, int, int, int, int]] = [(0, 0, 0, 1, 0)]
    power = 1
    for n in range(1, cap + first + 1):
        here = []
        for allowed in range(min(n, cap) + 1):
            if allowed == n:  # no spin left: the round is over
                here.append((0, 0, 0, power * scale, 0))
                continue
            played = win = squared = nothing = most = 0
            for r, p, x, xx, z, top in steps:
                spins_after, win_after, squared_after, nothing_after, most_after = level[allowed - min(r, allowed)]
                played += p * (power + spins_after)
                win += x * power + p * win_after
                squared += xx * power + 2 * x * win_after + p * squared_after
                nothing += z * nothing_after
                most = max(most, top + most_after)
            here.append((played, win, squared, nothing, most))
        level = here
        power *= scale
    mean = second = nothing_all = spins_all = Fraction(0)
    most_all = 0
    for r, a in paid.items():
        played, win, squared, nothing, most = level[cap if first else cap - min(r, cap)]
        mean += a.win + a.probability * Fraction(win, power)
        second += a.win_squared + 2 * a.win * Fraction(win, power) + a.probability * Fraction(squared, power)
        nothing_all += a.nothing * Fraction(nothing, power)
        spins_all += a.probability * Fraction(played, power)
        most_all = max(most_all, a.most + most)
    return RoundMoments(mean, second, nothing_all, most_all, {further: spins_all - first}, 0.0, True)


@dataclass(frozen=True)
class _Types:
    """The states that take part, and mean awards `matrix[i][j]` of spins of type j by a spin of type i."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    laws: tuple[SpinLaw, ...]
    matrix: tuple[tuple[Fraction, ...], ...]

    @classmethod
    def of(cls, laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, further: Sequence[str]) -> _Types:
        names = tuple(dict.fromkeys([start, *further]))
        columns = tuple(list(states).index(name) for name in names)
        # Sorted, so that laws from two sources give the same sums to the last bit.
        chosen = tuple({k: a for k, a in sorted(laws[name].items()) if a.probability} for name in names)
        matrix = tuple(
            tuple(sum((key[j] * a.probability for key, a in law.items() if key[j]), Fraction(0)) for j in columns)
            for law in chosen
        )
        return cls(names, columns, chosen, matrix)

    @property
    def radius(self) -> float:
        """Spectral radius of the matrix: below 1 exactly when rounds end by themselves."""
        return float(max(abs(np.linalg.eigvals(np.array(self.matrix, dtype=np.float64)))))

    def leads_to(self, i: int) -> set[int]:
        """Types that a spin of type i can lead to."""
        found: set[int] = set()
        queue = [i]
        while queue:
            row = self.matrix[queue.pop()]
            new = {j for j, mean in enumerate(row) if mean} - found
            found |= new
            queue += new
        return found

    def remaining(self) -> list[Fraction] | None:
        """Mean spins from one of each type on, itself included; None when rounds do not end.

        A matrix M of no negative entries has a radius below 1 exactly when (I - M) x = 1 has a positive
        solution (Berman and Plemmons, Nonnegative Matrices in the Mathematical Sciences, 1979, ch. 6).
        """
        solution = _solve(self.matrix, [Fraction(1)] * len(self.names))
        return solution if solution is not None and all(x > 0 for x in solution) else None


def _solve(matrix: Sequence[Sequence[Fraction]], right: Sequence[Fraction]) -> list[Fraction] | None:
    """x = right + matrix x, exact, by elimination; None when there is no single solution."""
    n = len(right)
    rows = [[Fraction(int(i == j)) - matrix[i][j] for j in range(n)] + [right[i]] for i in range(n)]
    for i in range(n):
        pivot = next((k for k in range(i, n) if rows[k][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        divisor = rows[i][i]
        rows[i] = [x / divisor if x else x for x in rows[i]] if divisor != 1 else rows[i]
        for k in range(n):
            if k != i and rows[k][i]:  # most entries are 0: few types lead to many
                factor = rows[k][i]
                rows[k] = [x - factor * y if y else x for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[n] for row in rows]


def _uncapped(
    laws: Mapping[str, SpinLaw],
    states: Sequence[str],
    start: str,
    spins: int,
    further: Sequence[str],
    cap: int,
    neglected: float,
) -> RoundMoments:
    """A branching process. `neglected`: the cap's `cap_tail`, at most NEGLECTED_MAX where rounds end by themselves."""
    types = _Types.of(laws, states, start, further)
    if types.remaining() is None:
        remedy = (
            f"set caps.free_spins to {CAP_EXACT_MAX} or less, or award fewer spins"
            if len(further) == 1
            else "award fewer spins"
        )
        raise AnalysisError(
            f"a free spin awards {types.radius:.4f} further spins on average, so rounds end only at the cap of {cap}; "
            f"{remedy}"
        )
    means = [sum((a.win for a in law.values()), Fraction(0)) for law in types.laws]
    t = _solve(types.matrix, means)
    assert t is not None
    own = []  # Var(X + sum_j K_j t_j), of mean t as the systems say
    for law, mean in zip(types.laws, t, strict=True):
        second = Fraction(0)
        for key, a in law.items():
            started = sum((key[j] * tj for j, tj in zip(types.columns, t, strict=True) if key[j]), Fraction(0))
            second += a.win_squared + 2 * started * a.win + started**2 * a.probability
        own.append(second - mean**2)
    variances = _solve(types.matrix, own)
    transposed = [[row[i] for row in types.matrix] for i in range(len(types.names))]
    played = _solve(transposed, [spins * mean for mean in types.matrix[0]])
    assert variances is not None
    assert played is not None
    mean = spins * t[0]
    if neglected and len(further) == 1 and cap <= CAP_EXACT_MAX:
        most, reached = _capped_most(laws, states, start, spins, further[0], cap), True
    else:
        most, reached = _most(types, spins, cap)
    return RoundMoments(
        mean=mean,
        second=spins * variances[0] + mean**2,
        nothing=_nothing(types) ** spins,
        most=most,
        spins={name: n for name, n in zip(types.names, played, strict=True) if name in further},
        neglected=neglected,
        most_reached=reached,
    )


def _nothing(types: _Types) -> Fraction:
    """Odds that a spin of the first type and all it starts win nothing.

    Exact where no spin can lead to another of its state, else the smallest fixed point of
    z_i = E[prod_j z_j^K_ij; X_i = 0] in double precision.
    """
    width = range(len(types.names))
    events = [[(float(a.nothing), [key[j] for j in types.columns]) for key, a in law.items()] for law in types.laws]
    z = [1.0] * len(types.names)
    for _ in range(10_000):
        following = [sum(p * math.prod(z[j] ** k[j] for j in width if k[j]) for p, k in event) for event in events]
        settled = max(abs(x - y) for x, y in zip(following, z, strict=True)) < 1e-17
        z = following
        if settled:
            break
    known: dict[int, Fraction] = {}

    def exact(i: int) -> Fraction:
        if i not in known:
            known[i] = Fraction(z[i]) if i in types.leads_to(i) else start(i)
        return known[i]

    def start(i: int) -> Fraction:
        total = Fraction(0)
        for key, a in types.laws[i].items():
            if a.nothing:
                odds = a.nothing
                for j, column in enumerate(types.columns):
                    odds *= exact(j) ** key[column] if key[column] else 1
                total += odds
        return total if total.denominator.bit_length() < DIGITS_MAX else Fraction(float(total))

    # Also where the first type leads to itself its own awards are known exactly.
    return start(0)


def _capped_most(
    laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, spins: int, further: str, cap: int
) -> int:
    """Largest win of a round with a cap, however unlikely: the walk of `_capped`, of nothing but that."""
    paid, free, first = _two_laws(laws, states, start, spins, further)
    steps = [(r, a.most) for r, a in free.items()]
    level = [0]  # by `allowed`
    for n in range(1, cap + first + 1):
        spun = range(min(n - 1, cap) + 1)
        here = [max(top + level[allowed - min(r, allowed)] for r, top in steps) for allowed in spun]
        level = here + [0] * (n <= cap)
    return max(a.most + level[cap if first else cap - min(r, cap)] for r, a in paid.items())


def _most(types: _Types, spins: int, cap: int) -> tuple[int, bool]:
    """Largest win of a round, and whether it can be reached; the cap is known to be out of reach."""
    everywhere = {0} | types.leads_to(0)
    if any(i in types.leads_to(i) for i in everywhere):
        top = max(a.most for i in types.leads_to(0) for a in types.laws[i].values())
        first = max(a.most + (cap * top if any(key) else 0) for key, a in types.laws[0].items())
        return spins * max(a.most for a in types.laws[0].values()) + cap * top if spins > 1 else first, False
    known: dict[int, int] = {}

    def best(i: int) -> int:
        if i not in known:
            known[i] = max(
                a.most + sum(key[column] * best(j) for j, column in enumerate(types.columns) if key[column])
                for key, a in types.laws[i].items()
            )
        return known[i]

    return spins * best(0), True


def most_spins(types: _Types, spins: int) -> float:
    """Most further spins of a round without a cap; infinite when a state can lead to itself."""
    if any(i in types.leads_to(i) for i in {0} | types.leads_to(0)):
        return math.inf
    known: dict[int, int] = {}

    def further(i: int) -> int:
        if i not in known:
            known[i] = max(
                sum(key[column] * (1 + further(j)) for j, column in enumerate(types.columns) if key[column])
                for key in types.laws[i]
            )
        return known[i]

    return spins * further(0)


def cap_tail(laws: Mapping[str, SpinLaw], states: Sequence[str], start: str, spins: int, cap: int) -> float:
    """Bound on E[(N - cap)+], N the further spins of a round without a cap: Chernoff, minimised over s.

    With w_i the mean spins from one of type i on, V = sum of w over the spins left falls by 1 a spin on
    average, and P(spins left after n) <= E[e^(s V)] ratio^n, ratio the largest of E[e^(s change of V)].
    Infinite when rounds do not end by themselves.
    """
    types = _Types.of(laws, states, start, reachable(laws, states, start))
    if most_spins(types, spins) <= cap:
        return 0.0
    weights = types.remaining()
    if weights is None:
        return math.inf
    w = np.array([float(x) for x in weights])
    odds = [np.array([float(a.probability) for a in law.values()]) for law in types.laws]
    started = [np.array([[key[j] for j in types.columns] for key in law], dtype=np.float64) @ w for law in types.laws]
    own = 0 in types.leads_to(0)  # the mode's spins are of a type that is awarded: counted like awarded ones
    later = range(len(types.names)) if own else range(1, len(types.names))
    s = 1e-4 * 1.03 ** np.arange(400)
    s = s[s * max(float(x.max()) for x in started) <= 600]
    ratio = np.max([np.exp(np.outer(s, started[i] - w[i])) @ odds[i] for i in later], axis=0)
    s, ratio = s[ratio < 1], ratio[ratio < 1]
    if not len(s):
        return math.inf
    begin = spins * (s * w[0] if own else np.log(np.exp(np.outer(s, started[0])) @ odds[0]))
    exponents = begin + (cap + spins * own) * np.log(ratio) - np.log1p(-ratio)
    return math.exp(min(float(exponents.min()), 700))
