"""Closed form: the mean of everything in a build by multiplying symbol frequencies, exact.

A line is an automaton fed by one column of symbols a reel; counted symbols are convolved reel by reel.
Plain Python on integers and Fractions, and no code in common with the engine: one of the two ways that
must agree (rgs_core.analysis).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from rgs_core.feature import expected_free_spins
from rgs_core.model import START_STATE, Build, FreeSpinsTrigger, Lines, Model, PickTrigger, Scatter, State, Strip
from rgs_core.picks import pick_moments


@dataclass(frozen=True, slots=True)
class Prize:
    """One row of the pay table on one line, averaged over the lines of the state.

    `hits` of `cycle` combinations of the reels show it (a Fraction if lines differ); `pay_units` is with
    the state multiplier, `mean_units` the mean amount when it hits, wild multipliers included.
    """

    symbol: str
    count: int
    pay_units: int
    hits: Fraction
    mean_units: Fraction


@dataclass(frozen=True, slots=True)
class SpinFigures:
    """One spin of a state. `parts`: mean units by evaluator and pick trigger name."""

    state: str
    cycle: int
    parts: Mapping[str, Fraction]
    prizes: tuple[Prize, ...]
    line_hit_frequency: Fraction
    awards: Mapping[int, Fraction]
    trigger_hits: Mapping[str, Fraction]

    @property
    def mean_units(self) -> Fraction:
        return sum(self.parts.values(), Fraction(0))

    @property
    def spins_awarded(self) -> Fraction:
        """Mean free spins awarded by one spin, before the cap."""
        return sum((r * p for r, p in self.awards.items()), Fraction(0))

    @property
    def award_probability(self) -> Fraction:
        """Odds that one spin awards free spins."""
        return 1 - self.awards.get(0, Fraction(0))


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """Means of a build. `rtp_parts` add up to `rtp`; "free spins" holds all that free spins win."""

    build: Build
    paid: SpinFigures
    free: SpinFigures | None
    free_spins_per_round: Fraction
    rtp: Fraction
    rtp_parts: Mapping[str, Fraction]

    @property
    def feature_probability(self) -> Fraction:
        """Odds that a round has free spins."""
        return self.paid.award_probability

    @property
    def free_spins_per_feature(self) -> Fraction:
        """Mean free spins of a round that has any; 0 when there are none."""
        p = self.feature_probability
        return self.free_spins_per_round / p if p else Fraction(0)

    @property
    def feature_win(self) -> Fraction:
        """Mean win of the free spins of a round that has any, in stakes."""
        if self.free is None or not self.feature_probability:
            return Fraction(0)
        return self.free_spins_per_feature * self.free.mean_units / self.build.model.stake_units


def closed_form(build: Build) -> ClosedForm:
    """Means of every part. Raises AnalysisError when the expected free spins have no finite value."""
    model = build.model
    paid = _spin_figures(build, model.states[START_STATE])
    free_state = next((s for s in model.states.values() if s.name != START_STATE), None)
    free = _spin_figures(build, free_state) if free_state else None
    spins = expected_free_spins(paid.awards, free.awards, model.free_spins_max) if free else Fraction(0)
    parts = {name: units / model.stake_units for name, units in paid.parts.items()}
    if free:
        parts["free spins"] = spins * free.mean_units / model.stake_units
    return ClosedForm(build, paid, free, spins, sum(parts.values(), Fraction(0)), parts)


def _spin_figures(build: Build, state: State) -> SpinFigures:
    model = build.model
    strips = build.strips(state)
    cycle = prod(strip.total for strip in strips)
    parts: dict[str, Fraction] = {}
    prizes: tuple[Prize, ...] = ()
    line_hits = Fraction(0)
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if isinstance(evaluator, Scatter):
            unit = model.basis_units(evaluator.of)
            law = count_law(model, strips, (evaluator.symbol,))
            pays = {n: evaluator.pay(n) * unit * state.multiplier_for(name, evaluator.symbol, n) for (n,) in law}
            parts[name] = sum((p * pays[n] for (n,), p in law.items()), Fraction(0))
        else:
            prizes, parts[name] = _line_figures(model, state, evaluator, strips)
            line_hits = sum((prize.hits for prize in prizes), Fraction(0)) / cycle
    trigger_hits: dict[str, Fraction] = {}
    for trigger in state.triggers:
        if isinstance(trigger, PickTrigger):
            matches = _pattern_matches(model, state, trigger, strips)
            mean, _ = pick_moments(model, state, trigger)
            parts[trigger.name] = matches * mean
            trigger_hits[trigger.name] = matches
        else:
            law = count_law(model, strips, (trigger.symbol,))
            trigger_hits[trigger.name] = sum((p for (n,), p in law.items() if trigger.award(n)), Fraction(0))
    return SpinFigures(state.name, cycle, parts, prizes, line_hits, _award_law(model, state, strips), trigger_hits)


def count_law(model: Model, strips: Iterable[Strip], symbols: tuple[str, ...]) -> dict[tuple[int, ...], Fraction]:
    """Law of how often each of `symbols` is in view: one convolution a reel."""
    law: dict[tuple[int, ...], int] = {(0,) * len(symbols): 1}
    total = 1
    for strip in strips:
        window_law: dict[tuple[int, ...], int] = defaultdict(int)
        for stop, weight in enumerate(strip.weights):
            window = strip.window(stop, model.rows)
            window_law[tuple(window.count(symbol) for symbol in symbols)] += weight
        following: dict[tuple[int, ...], int] = defaultdict(int)
        for counts, weight in law.items():
            for more, window_weight in window_law.items():
                following[tuple(a + b for a, b in zip(counts, more, strict=True))] += weight * window_weight
        law = following
        total *= strip.total
    return {counts: Fraction(weight, total) for counts, weight in law.items()}


def _award_law(model: Model, state: State, strips: tuple[Strip, ...]) -> dict[int, Fraction]:
    """Law of the free spins that one spin awards, all its triggers together."""
    triggers = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger)]
    symbols = tuple(dict.fromkeys(t.symbol for t in triggers))
    law: dict[int, Fraction] = defaultdict(Fraction)
    for counts, probability in count_law(model, strips, symbols).items():
        seen = dict(zip(symbols, counts, strict=True))
        law[sum(t.award(seen[t.symbol]) for t in triggers)] += probability
    return dict(law)


def _line_figures(
    model: Model, state: State, lines: Lines, strips: tuple[Strip, ...]
) -> tuple[tuple[Prize, ...], Fraction]:
    """Prizes averaged over the lines, and the mean units of all lines together."""
    laws: dict[tuple[tuple[tuple[str, int], ...], ...], dict[tuple[str, int], tuple[int, int]]] = {}
    hits: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
    paid: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
    count = len(lines.paylines)
    columns = [[_column(strip, row) for row in range(model.rows)] for strip in strips]
    for payline in lines.paylines:
        cells = tuple(columns[reel][row] for reel, row in enumerate(payline))
        if cells not in laws:
            laws[cells] = _line_law(model, state, lines, cells)
        for key, (weight, amount) in laws[cells].items():
            hits[key] += Fraction(weight, count)
            paid[key] += Fraction(amount, count)
    cycle = prod(strip.total for strip in strips)
    prizes = []
    for symbol in model.symbols:
        for n in sorted(lines.pays.get(symbol, ()), reverse=True):
            if hits[symbol, n]:
                pay = lines.pays[symbol][n] * model.line_units * state.multiplier_for(lines.name, symbol, n)
                mean = paid[symbol, n] / hits[symbol, n]
                prizes.append(Prize(symbol, n, pay, hits[symbol, n], mean))
    return tuple(prizes), sum(paid.values(), Fraction(0)) * count / cycle


def _column(strip: Strip, row: int) -> tuple[tuple[str, int], ...]:
    """Weight of each symbol in one row of a reel. With equal stops every row has the same column."""
    weights: dict[str, int] = defaultdict(int)
    for stop, weight in enumerate(strip.weights):
        weights[strip.symbols[(stop + row) % len(strip.symbols)]] += weight
    return tuple(sorted(weights.items()))


def _line_law(
    model: Model, state: State, lines: Lines, columns: tuple[tuple[tuple[str, int], ...], ...]
) -> dict[tuple[str, int], tuple[int, int]]:
    """Law of one line: (symbol, count) -> (weight, weight x units), by an automaton over the reels.

    The automaton keeps which readings still run, which symbols were seen, how many wilds of each kind,
    and the best reading that has ended; equal situations are merged and their weights added.
    """
    order = {symbol: i for i, symbol in enumerate(model.symbols)}
    wilds = tuple(model.wilds)
    stands = {
        shown: frozenset(
            x for x in lines.pays if x == shown or (shown in model.wilds and x in model.wilds[shown].substitutes)
        )
        for shown in model.symbols
    }

    def amount(symbol: str, count: int, seen: frozenset[str], wild_counts: tuple[int, ...]) -> int:
        pay = lines.pays[symbol].get(count, 0)
        if symbol not in seen and lines.pure_wild_run == "own":
            return 0
        for name, n in zip(wilds, wild_counts, strict=True):
            wild = model.wilds[name]
            if n and name != symbol:
                pay *= wild.multiplier**n if wild.combine == "product" else wild.multiplier
        return pay * model.line_units * state.multiplier_for(lines.name, symbol, count)

    Best = tuple[int, int, int, str]  # amount, count, minus the order of the symbol, symbol
    nothing: Best = (0, 0, 0, "")
    situations: dict[tuple[frozenset[str], frozenset[str], tuple[int, ...], Best], int] = {
        (frozenset(lines.pays), frozenset(), (0,) * len(wilds), nothing): 1
    }
    ended: dict[Best, int] = defaultdict(int)
    rest = prod(sum(weight for _, weight in column) for column in columns)
    for count, column in enumerate(columns):
        rest //= sum(weight for _, weight in column)
        following: dict[tuple[frozenset[str], frozenset[str], tuple[int, ...], Best], int] = defaultdict(int)
        for (running, seen, wild_counts, best), weight in situations.items():
            for shown, column_weight in column:
                still = running & stands[shown]
                top = best
                if count:
                    for symbol in running - still:
                        units = amount(symbol, count, seen, wild_counts)
                        if units:
                            top = max(top, (units, count, -order[symbol], symbol))
                if not still:
                    ended[top] += weight * column_weight * rest
                    continue
                wild_after = tuple(n + (name == shown) for name, n in zip(wilds, wild_counts, strict=True))
                following[still, seen | {shown} & still, wild_after, top] += weight * column_weight
        situations = following
    for (running, seen, wild_counts, best), weight in situations.items():
        for symbol in running:
            units = amount(symbol, len(columns), seen, wild_counts)
            if units:
                best = max(best, (units, len(columns), -order[symbol], symbol))
        ended[best] += weight
    law: dict[tuple[str, int], tuple[int, int]] = {}
    for (units, count, _, symbol), weight in ended.items():
        if units:
            hits, paid = law.get((symbol, count), (0, 0))
            law[symbol, count] = hits + weight, paid + weight * units
    return law


def _pattern_matches(model: Model, state: State, trigger: PickTrigger, strips: tuple[Strip, ...]) -> Fraction:
    """Mean number of paylines of a spin that begin with the trigger's pattern."""
    lines = model.lines_of(state)
    assert lines is not None
    total = Fraction(0)
    for payline in lines.paylines:
        odds = Fraction(1)
        for reel, wanted in enumerate(trigger.pattern):
            if wanted is not None:
                odds *= Fraction(dict(_column(strips[reel], payline[reel])).get(wanted, 0), strips[reel].total)
        total += odds
    return total
