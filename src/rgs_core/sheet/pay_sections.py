"""Sections of a sheet about pays: what each prize returns, what counted symbols pay and award, symbols on reels."""

from __future__ import annotations

from fractions import Fraction

from rgs_core.exact.closed_form import SpinFigures, count_law, mean_multiplier
from rgs_core.language.mechanics import Collect, Combinations, FreeSpinsTrigger, Lines, Scatter, Ways, by_count
from rgs_core.language.model import Build
from rgs_core.sheet.sections import Cell, Section, odds_of, percent


def contribution_section(build: Build, spin: SpinFigures) -> Section:
    """RTP of one spin of a state by symbol and evaluator."""
    cost = build.play.cost_units
    listed = {prize.evaluator for prize in spin.prizes}
    several = len(listed) > 1
    rows: list[tuple[Cell, ...]] = []
    for (name, symbol), units in symbol_contributions(spin).items():
        label = f"{symbol} in {name}" if several or name != "lines" else f"{symbol} on lines"
        rows.append((Cell(label), percent(units / cost), percent(units / (spin.mean_units or 1))))
    for name, units in spin.parts.items():
        if name not in listed:
            rows.append((Cell(name), percent(units / cost), percent(units / (spin.mean_units or 1))))
    return Section(
        f"What a spin of state '{spin.state}' pays", ("part", "of the stake", "of the spin's win"), tuple(rows)
    )


def pay_section(build: Build, spin: SpinFigures, evaluator: str) -> Section:
    """The pay table of an evaluator: hits, and what each prize returns; of lines by the line."""
    prizes = [prize for prize in spin.prizes if prize.evaluator == evaluator]
    times = prizes[0].times
    rows = tuple(
        (
            Cell(prize.symbol),
            Cell(prize.count, "count"),
            Cell(prize.pay_units, "count"),
            Cell(float(prize.hits), "count"),
            Cell(float(spin.cycle / prize.hits), "odds"),
            Cell(float(prize.mean_units), "count"),
            percent(prize.hits * prize.mean_units * times / spin.cycle / build.play.cost_units),
        )
        for prize in prizes
    )
    hits = sum((prize.hits for prize in prizes), Fraction(0))
    total = (
        Cell("all"), Cell(None), Cell(None), Cell(float(hits), "count"),
        Cell(float(spin.cycle / hits), "odds"), Cell(None),
        percent(spin.parts[evaluator] / build.play.cost_units),
    )  # fmt: skip
    what = "one line" if times > 1 else f"'{evaluator}'"
    return Section(
        f"Pay table of state '{spin.state}', {what}, {spin.cycle:,} combinations",
        ("symbol", "count", "pays, units", "hits a line" if times > 1 else "hits", "1 in", "mean, units",
         "of the stake, all lines" if times > 1 else "of the stake"),
        (*rows, total),
        "Combinations and hits count stop weights; where lines differ, hits are their average. "
        "The mean is with the multipliers of wilds and those drawn for a spin.",
    )  # fmt: skip


def listed_section(build: Build, name: str) -> Section:
    """The pay table of an evaluator as the model lists it; counts that pay the same share a column."""
    model, evaluator = build.model, build.model.evaluators[name]
    title = f"Pay table of '{name}', units by count"
    if isinstance(evaluator, Combinations):
        listed = [(" ".join(s or "*" for s in c.symbols), c.pay * model.line_units) for c in evaluator.combinations]
        lines = tuple((Cell(symbols), Cell(units, "count")) for symbols, units in listed)
        return Section(f"Pay table of '{name}'", ("combination", "pays, units"), lines)
    if isinstance(evaluator, Collect):
        return Section(title, (), ())
    tables = {evaluator.symbol: evaluator.pays} if isinstance(evaluator, Scatter) else evaluator.pays
    unit = model.line_units if isinstance(evaluator, Lines | Ways) else model.basis_units(evaluator.of)
    columns: list[tuple[int, int, list[int]]] = []  # first and last count, pays
    for count in range(min(map(min, tables.values())), max(map(max, tables.values())) + 1):
        pays = [by_count(table, count) * unit for table in tables.values()]
        if columns and columns[-1][2] == pays:
            columns[-1] = (columns[-1][0], count, pays)
        elif columns or any(pays):
            columns.append((count, count, pays))
    names = [f"{first}" if first == last else f"{first} to {last}" for first, last, _ in columns]
    rows = tuple(
        (Cell(symbol), *(Cell(pays[i] or None, "count") for _, _, pays in columns)) for i, symbol in enumerate(tables)
    )
    return Section(title, ("symbol", *names), rows, _basis(build, name))


def _basis(build: Build, name: str) -> str:
    """What multiplies a listed pay."""
    states = [
        s for s in build.model.states.values() if name in s.evaluators and s.multiplier > 1 and not s.exempt(name)
    ]
    times = "".join(f"; state '{state.name}' pays {state.multiplier} times as much" for state in states)
    ways = "For each way. " if isinstance(build.model.evaluators[name], Ways) else ""
    return f"{ways}A stake is {build.model.stake_units} units{times}."


def count_section(build: Build, spin: SpinFigures) -> Section:
    """What counted symbols pay and award, by their number in view."""
    model = build.model
    state = model.states[spin.state]
    strips = build.strips(state)
    rows: list[tuple[Cell, ...]] = []
    for name in state.evaluators:
        evaluator = model.evaluators[name]
        if not isinstance(evaluator, Scatter):
            continue
        unit = model.basis_units(evaluator.of)
        for (n,), p in sorted(count_law(model, strips, (evaluator.symbol,), state).items()):
            units = evaluator.pay(n) * unit * state.multiplier_for(name, evaluator.symbol, n)
            if units:
                factor = mean_multiplier(state, name, evaluator.symbol, n)
                share = percent(p * evaluator.pay(n) * unit * factor / build.play.cost_units)
                rows.append(
                    (
                        Cell(name),
                        Cell(evaluator.symbol),
                        Cell(n, "count"),
                        Cell(f"{units:,} units"),
                        odds_of(p),
                        share,
                    )
                )
    for trigger in state.triggers:
        if not isinstance(trigger, FreeSpinsTrigger):
            continue
        for (n,), p in sorted(count_law(model, strips, (trigger.counted,), state).items()):
            if trigger.odds is not None:
                p *= trigger.odds.probability
            if trigger.award(n):
                award = Cell(f"{trigger.award(n):,} spins")
                rows.append((Cell(trigger.name), Cell(trigger.symbol), Cell(n, "count"), award, odds_of(p), Cell(None)))
    return Section(
        f"Counted symbols of state '{spin.state}'",
        ("part", "symbol", "in view", "pays or awards", "1 in", "of the stake"),
        tuple(rows),
    )


def reel_name(build: Build, reel: int) -> str:
    """The heading of a strip of a set, by its place from 0."""
    return f"reel {reel + 1}" if reel < build.model.reels else "top reel"


def symbols_section(build: Build, strips: str) -> Section:
    """How often each symbol is on each reel of a strip set, in stop weights."""
    reels = build.profile.strips[strips]
    weights = [dict.fromkeys(build.model.symbols, 0) for _ in reels]
    for reel, strip in zip(weights, reels, strict=True):
        for symbol, weight in zip(strip.symbols, strip.weights, strict=True):
            reel[symbol] += weight
    rows = [(Cell(symbol), *(Cell(reel[symbol], "count") for reel in weights)) for symbol in build.model.symbols]
    rows.append((Cell("all"), *(Cell(strip.total, "count") for strip in reels)))
    return Section(
        f"Symbols of strip set '{strips}', by weight",
        ("symbol", *(reel_name(build, i) for i in range(len(reels)))),
        tuple(rows),
    )


def symbol_contributions(spin: SpinFigures) -> dict[tuple[str, str], Fraction]:
    """Mean units that a spin pays by evaluator and symbol."""
    units: dict[tuple[str, str], Fraction] = {}
    for prize in spin.prizes:
        mean = prize.hits * prize.mean_units * prize.times / spin.cycle
        key = prize.evaluator, prize.symbol
        units[key] = units.get(key, Fraction(0)) + mean
    return units
