"""Closed forms of single evaluators: lines, ways and counts by multiplying symbol frequencies, exact.

A line is an automaton fed by one column of symbols a reel; ways multiply the means of cells a reel; counted
symbols are convolved reel by reel. Plain Python on integers and Fractions, no code in common with the engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from rgs_core.language.mechanics import Count, Counted, Lines, PickTrigger, Table, Ways, by_count
from rgs_core.language.model import Model, State, Strip

Column = tuple[tuple[str, int], ...]
"""Weight of each symbol in one cell."""


@dataclass(frozen=True, slots=True)
class Prize:
    """One row of a pay table: on one line, averaged over the lines of the state, or of the whole spin.

    `hits` of `cycle` combinations of the reels show it (a Fraction if lines differ); `pay_units` is with
    the state multiplier, for one way where ways pay; `mean_units` the mean amount when it hits, multipliers
    of wilds and those drawn for the spin included. A spin has `times` chances of it: the number of lines, or 1.
    """

    symbol: str
    count: int
    pay_units: int
    hits: Fraction
    mean_units: Fraction
    evaluator: str
    times: int


def heights(model: Model, state: State | None, reel: int) -> Table:
    """Law of the rows in view of a reel."""
    if state is None or state.heights is None:
        return Table((model.rows,), (1,))
    return state.heights[reel]


def reel_law(
    model: Model, state: State | None, reel: int, strip: Strip, figures: Mapping[str, tuple[int, ...]]
) -> dict[tuple[int, ...], Fraction]:
    """Law of the sum over a reel's cells in view of `figures[symbol]`, zeros for symbols that have none."""
    width = len(next(iter(figures.values())))
    none = (0,) * width
    law: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    table = heights(model, state, reel)
    for rows, chance in zip(table.values, table.weights, strict=True):
        weights: dict[tuple[int, ...], int] = defaultdict(int)
        if state is not None and state.cells:
            weights[none] = 1
            for _ in range(rows):
                following: dict[tuple[int, ...], int] = defaultdict(int)
                for total, weight in weights.items():
                    for symbol, more in zip(strip.symbols, strip.weights, strict=True):
                        cell = figures.get(symbol, none)
                        following[tuple(a + b for a, b in zip(total, cell, strict=True))] += weight * more
                weights = following
        else:
            for stop, weight in enumerate(strip.weights):
                cells = [figures.get(symbol, none) for symbol in strip.window(stop, rows)]
                weights[tuple(sum(cell[i] for cell in cells) for i in range(width))] += weight
        scale = Fraction(chance, table.total * sum(weights.values()))
        for total, weight in weights.items():
            law[total] += weight * scale
    return dict(law)


def count_law(
    model: Model, strips: Iterable[Strip], entries: Iterable[str | Counted], state: State | None = None
) -> dict[tuple[int, ...], Fraction]:
    """Law of how often each of `entries`, symbols and groups, is in view: one convolution a reel. `state` says the
    heights."""
    counting = [entry if isinstance(entry, Counted) else Counted(entry) for entry in entries]
    members = [model.members(counted.symbol) for counted in counting]
    figures = {symbol: tuple(int(symbol in of) for of in members) for symbol in model.symbols}
    return _sum_law(model, state, strips, _with_doubles(model, figures), counting)


def on_reel(counting: Sequence[Counted], reel: int, shown: Iterable[int]) -> tuple[int, ...]:
    """What the numbers of symbols that a reel shows count."""
    return tuple(
        0 if counted.reels is not None and reel not in counted.reels else min(n, 1) if counted.per_reel else n
        for counted, n in zip(counting, shown, strict=True)
    )


def _with_doubles(model: Model, figures: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The figures of a cell by what it shows: those of a double are those of its symbol, several times."""
    doubles = [double for double in model.doubles.values() if double.symbol in figures]
    return {**figures, **{d.name: tuple(d.count * figure for figure in figures[d.symbol]) for d in doubles}}


def _sum_law(
    model: Model,
    state: State | None,
    strips: Iterable[Strip],
    figures: Mapping[str, tuple[int, ...]],
    counting: Sequence[Counted] = (),
) -> dict[tuple[int, ...], Fraction]:
    law = {(0,) * len(next(iter(figures.values()))): Fraction(1)}
    for reel, strip in enumerate(strips):
        following: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
        for shown, p in reel_law(model, state, reel, strip, figures).items():
            more = on_reel(counting, reel, shown) if counting else shown
            for counts, q in law.items():
                following[tuple(a + b for a, b in zip(counts, more, strict=True))] += p * q
        law = dict(following)
    return law


# --- Counts and ways -----------------------------------------------------------------------------------


def count_prizes(model: Model, state: State, count: Count, strips: tuple[Strip, ...], cycle: int) -> list[Prize]:
    """Pay table of an evaluator that counts symbols anywhere; cells have no values here."""
    prizes = []
    for symbol, pays in count.pays.items():
        figures: dict[str, tuple[int, ...]] = {symbol: (1, 0)}
        for name, wild in model.wilds.items():
            if count.wilds and name != symbol and symbol in wild.substitutes:
                figures[name] = (0, 1)
        figures = _with_doubles(model, figures)
        by_number: dict[int, Fraction] = defaultdict(Fraction)
        for (natural, stand_ins), p in _sum_law(model, state, strips, figures).items():
            if natural:
                by_number[natural + stand_ins] += p
        for n, p in sorted(by_number.items(), reverse=True):
            unit = model.basis_units(count.of) * state.multiplier_for(count.name, symbol, n)
            pay = by_count(pays, n) * unit
            if pay:
                prizes.append(Prize(symbol, n, pay, p * cycle, Fraction(pay), count.name, 1))
    return prizes


def ways_prizes(model: Model, state: State, ways: Ways, strips: tuple[Strip, ...], cycle: int) -> list[Prize]:
    """Pay table of ways from one side: E = pay(n) prod E[cells] P(none on the next), by reels independent.

    The same product over cells that are wilds only is taken off where a run of those does not pay.
    """
    prizes = []
    order = range(model.reels) if ways.direction == "left" else range(model.reels - 1, -1, -1)
    for symbol, pays in ways.pays.items():
        figures: dict[str, tuple[int, ...]] = {symbol: (1, 0)}
        for name, wild in model.wilds.items():
            if name != symbol and symbol in wild.substitutes:
                own = wild.multiplier if ways.pure_wild_run == "own" else 0
                figures[name] = (wild.multiplier, own)
        figures = _with_doubles(model, figures)
        run = wild_run = shown = only_wild = Fraction(1)
        rows = []
        for count, reel in enumerate(order):
            law = reel_law(model, state, reel, strips[reel], figures)
            ends = sum((p for (cells, _), p in law.items() if cells == 0), Fraction(0))
            rows.append((count, ends * (run - wild_run * (count > 0)), ends * (shown - only_wild)))
            run *= sum((p * cells for (cells, _), p in law.items()), Fraction(0))
            wild_run *= sum((p * wilds for (_, wilds), p in law.items()), Fraction(0))
            shown *= 1 - ends
            only_wild *= sum((p for (cells, wilds), p in law.items() if cells and cells == wilds), Fraction(0))
        rows.append((model.reels, run - wild_run, shown - only_wild))
        for count, number, hits in reversed(rows):
            unit = model.line_units * state.multiplier_for(ways.name, symbol, count)
            pay = pays.get(count, 0) * unit
            if count and pay and hits:
                prizes.append(Prize(symbol, count, pay, hits * cycle, pay * number / hits, ways.name, 1))
    return prizes


# --- Lines ---------------------------------------------------------------------------------------------


def line_prizes(model: Model, state: State, lines: Lines, strips: tuple[Strip, ...], cycle: int) -> list[Prize]:
    """Pay table of one line, averaged over the lines."""
    laws: dict[tuple[Column, ...], dict[tuple[str, int], tuple[int, int]]] = {}
    hits: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
    paid: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
    count = len(lines.paylines)
    for payline in lines.paylines:
        cells = tuple(column(state, strips[reel], row) for reel, row in enumerate(payline))
        cells = cells if lines.direction == "left" else cells[::-1]
        if cells not in laws:
            laws[cells] = _line_law(model, state, lines, cells)
        for key, (weight, amount) in laws[cells].items():
            hits[key] += Fraction(weight, count)
            paid[key] += Fraction(amount, count)
    scale = Fraction(cycle, prod(strip.total for strip in strips))
    prizes = []
    for entry in _entries(model, lines):
        for n in sorted(lines.pays.get(entry, ()), reverse=True):
            if hits[entry, n]:
                pay = lines.pays[entry][n] * model.line_units * state.multiplier_for(lines.name, entry, n)
                mean = paid[entry, n] / hits[entry, n]
                prizes.append(Prize(entry, n, pay, hits[entry, n] * scale, mean, lines.name, count))
    return prizes


def _entries(model: Model, lines: Lines) -> list[str]:
    """Symbols and groups that pay, in the order in which equal readings are preferred."""
    return [entry for entry in (*model.symbols, *model.groups) if entry in lines.pays]


def column(state: State, strip: Strip, row: int) -> Column:
    """Weight of each symbol in one row of a reel. With equal stops every row has the same column."""
    weights: dict[str, int] = defaultdict(int)
    for stop, weight in enumerate(strip.weights):
        weights[strip.symbols[stop if state.cells else (stop + row) % len(strip.symbols)]] += weight
    return tuple(sorted(weights.items()))


def _line_law(
    model: Model, state: State, lines: Lines, columns: tuple[Column, ...]
) -> dict[tuple[str, int], tuple[int, int]]:
    """Law of one line: (entry, count) -> (weight, weight x units), by an automaton over the reels.

    The automaton keeps which readings still run, which of them had a symbol of their own, how many wilds of
    each kind, how many symbols the cells count for, and the best reading that has ended; equal situations are merged
    and their weights added.
    """
    entries = _entries(model, lines)
    order = {entry: i for i, entry in enumerate(entries)}
    members = {entry: model.members(entry) for entry in entries}
    wilds = tuple(model.wilds)
    read = {shown: model.read(shown) for shown in model.symbols}
    natural = {shown: frozenset(e for e in entries if symbol in members[e]) for shown, (symbol, _) in read.items()}
    stands = {
        shown: natural[shown]
        | frozenset(e for e in entries if symbol in model.wilds and members[e] & model.wilds[symbol].substitutes)
        for shown, (symbol, _) in read.items()
    }

    def amount(entry: str, count: int, seen: frozenset[str], wild_counts: tuple[int, ...]) -> int:
        pay = lines.pays[entry].get(count, 0)
        if entry not in seen and lines.pure_wild_run == "own":
            return 0
        for name, n in zip(wilds, wild_counts, strict=True):
            wild = model.wilds[name]
            if n and name not in members[entry]:
                pay *= {"once": wild.multiplier, "product": wild.multiplier**n, "sum": wild.multiplier * n}[
                    wild.combine
                ]
        return pay * model.line_units * state.multiplier_for(lines.name, entry, count)

    Best = tuple[int, int, int, str]  # amount, count, minus the order of the entry, entry
    Situation = tuple[frozenset[str], frozenset[str], tuple[int, ...], int, Best]
    nothing: Best = (0, 0, 0, "")
    situations: dict[Situation, int] = {(frozenset(entries), frozenset(), (0,) * len(wilds), 0, nothing): 1}
    ended: dict[Best, int] = defaultdict(int)
    rest = prod(sum(weight for _, weight in cell) for cell in columns)
    for cell in columns:
        rest //= sum(weight for _, weight in cell)
        following: dict[Situation, int] = defaultdict(int)
        for (running, seen, wild_counts, count, best), weight in situations.items():
            for shown, cell_weight in cell:
                still = running & stands[shown]
                top = best
                if count:
                    for entry in running - still:
                        units = amount(entry, count, seen, wild_counts)
                        if units:
                            top = max(top, (units, count, -order[entry], entry))
                if not still:
                    ended[top] += weight * cell_weight * rest
                    continue
                symbol, times = read[shown]
                wild_after = tuple(n + (name == symbol) for name, n in zip(wilds, wild_counts, strict=True))
                following[still, (seen | natural[shown]) & still, wild_after, count + times, top] += (
                    weight * cell_weight
                )
        situations = following
    for (running, seen, wild_counts, count, best), weight in situations.items():
        for entry in running:
            units = amount(entry, count, seen, wild_counts)
            if units:
                best = max(best, (units, count, -order[entry], entry))
        ended[best] += weight
    law: dict[tuple[str, int], tuple[int, int]] = {}
    for (units, count, _, entry), weight in ended.items():
        if units:
            hits, paid = law.get((entry, count), (0, 0))
            law[entry, count] = hits + weight, paid + weight * units
    return law


def pattern_matches(model: Model, state: State, trigger: PickTrigger, strips: tuple[Strip, ...]) -> Fraction:
    """Mean number of paylines of a spin that begin with the trigger's pattern."""
    total = Fraction(0)
    for payline in model.paylines_of(state):
        odds = Fraction(1)
        for reel, wanted in enumerate(trigger.pattern):
            if wanted is not None:
                weights = dict(column(state, strips[reel], payline[reel]))
                shown = sum(weight for symbol, weight in weights.items() if model.read(symbol)[0] == wanted)
                odds *= Fraction(shown, strips[reel].total)
        total += odds
    return total
