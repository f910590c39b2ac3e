"""Merged law and closed form of ways, counts and lines equal every combination, by the rules as they are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rgs_core.exact.closed_form import spin_figures
from rgs_core.exact.joint import joint_law
from rgs_core.exact.joint_ways import ways_law, ways_refused
from rgs_core.language.mechanics import (
    BonusTrigger,
    Count,
    Counted,
    FreeSpinsTrigger,
    Lines,
    Scatter,
    Segment,
    Table,
    Ways,
    Wheel,
    Wild,
)
from rgs_core.language.model import Build, Model, NameTable, Profile, State, Strip

SYMBOLS = ("A", "B", "C", "W", "X", "S")
Grid = tuple[tuple[str, ...], ...]


def model_of(
    evaluators: list[Any],
    states: dict[str, State],
    strips: dict[str, tuple[Strip, ...]],
    *,
    reels: int,
    rows: int,
    wilds: dict[str, Wild] | None = None,
    groups: dict[str, frozenset[str]] | None = None,
    bonuses: dict[str, Any] | None = None,
    cap: int = 1000,
) -> Build:
    """A build put together by hand, without a file."""
    model = Model(
        "tiny", "Tiny", "1", "", 10, 2, reels, rows, SYMBOLS, wilds or {}, {e.name: e for e in evaluators},
        bonuses or {}, states, cap, {"one": Profile("one", strips)}, groups or {},
    )  # fmt: skip
    return model.build()


def engine_of(build: Build) -> Any:
    """What `joint_law` asks of an engine, without its compiled parts."""
    tables = SimpleNamespace(states=[SimpleNamespace(state=state) for state in build.model.states.values()])
    return SimpleNamespace(build=build, tables=tables, combinations=lambda index: 10**12)


def grids(build: Build, state: State) -> Iterator[tuple[Fraction, Grid]]:
    """Every grid with its probability."""
    choice = state.strip_choice or NameTable((state.strips,), (1,))
    for name, chance in zip(choice.names, choice.weights, strict=True):
        strips = build.strips(state, name)
        tables = state.heights or tuple(Table((build.model.rows,), (1,)) for _ in strips)
        for heights in product(*(zip(t.values, t.weights, strict=True) for t in tables)):
            odds = Fraction(chance, sum(choice.weights))
            for (_, weight), table in zip(heights, tables, strict=True):
                odds *= Fraction(weight, table.total)
            columns = []
            for (rows, _), strip in zip(heights, strips, strict=True):
                stops = range(len(strip.symbols))
                if state.cells:
                    shown = [(tuple(strip.symbols[i] for i in cells), cells) for cells in product(stops, repeat=rows)]
                    columns.append([
                        (window, np.prod([Fraction(strip.weights[i], strip.total) for i in cells]))
                        for window, cells in shown
                    ])  # fmt: skip
                else:
                    columns.append([
                        (strip.window(stop, rows), Fraction(strip.weights[stop], strip.total)) for stop in stops
                    ])  # fmt: skip
            for windows in product(*columns):
                p = odds
                for _, q in windows:
                    p *= q
                yield p, tuple(window for window, _ in windows)


def ways_units(model: Model, state: State, ways: Ways, grid: Grid) -> int:
    """The rules of ways, read literally."""
    total = 0
    columns = grid if ways.direction == "left" else grid[::-1]
    for symbol, pays in ways.pays.items():
        cells, wild_cells = [], []
        for column in columns:
            whole = alone = 0
            for shown in column:
                if shown == symbol:
                    whole += 1
                elif shown in model.wilds and symbol in model.wilds[shown].substitutes:
                    whole += model.wilds[shown].multiplier
                    alone += model.wilds[shown].multiplier
            if whole == 0:
                break
            cells.append(whole)
            wild_cells.append(alone)
        number = int(np.prod(cells)) if cells else 0
        if ways.pure_wild_run == "own" and cells and all(wild_cells):
            number -= int(np.prod(wild_cells))
        pay = pays.get(len(cells), 0)
        total += number * pay * model.line_units * state.multiplier_for(ways.name, symbol, len(cells))
    return total


def strip_sets(draw: st.DrawFn, reels: int, most: int = 5) -> tuple[Strip, ...]:
    strips = []
    for _ in range(reels):
        stops = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=most))
        strips.append(Strip(tuple(stops), tuple(draw(st.integers(1, 3)) for _ in stops)))
    return tuple(strips)


@st.composite
def ways_builds(draw: st.DrawFn) -> Build:
    reels = draw(st.integers(2, 4))
    symbols = draw(st.lists(st.sampled_from(["A", "B", "W", "X"]), unique=True, min_size=1))
    wilds = {
        name: Wild(name, frozenset(draw(st.sets(st.sampled_from(["A", "B", "W", "X"]))) - {name}), n, "product")
        for name, n in (("W", draw(st.integers(1, 3))), ("X", 1))
    }
    pays = {s: {n: draw(st.integers(0, 5)) for n in range(draw(st.integers(1, reels)), reels + 1)} for s in symbols}
    direction, pure = draw(st.sampled_from(["left", "right"])), draw(st.sampled_from(["own", "any"]))
    evaluators: list[Any] = [Ways("ways", pays, pure, direction, "ignore")]  # type: ignore[arg-type]
    if draw(st.booleans()):
        evaluators.append(Scatter("scatter", "S", {2: 3, 3: 4}, "total_bet"))
    wheel = Wheel("wheel", (Segment(1, 5, 0, None, None), Segment(2, 0, 3, "base", None)), "line_bet")
    triggers: list[Any] = [FreeSpinsTrigger("Free", "S", {2: 1, 4: 3}, "base")] if draw(st.booleans()) else []
    if draw(st.booleans()):
        triggers.append(BonusTrigger("Wheel", "A", {3: 1, 5: 2}, "wheel", False))
    kind = draw(st.sampled_from(["reel", "heights", "cell"]))
    heights = None
    if kind != "reel":
        values = [draw(st.sampled_from([(1,), (2,), (1, 2), (3, 1)])) for _ in range(reels)]
        heights = tuple(Table(v, tuple(range(2, 2 + len(v)))) for v in values)
    choice = NameTable(("one", "two"), (1, 2)) if draw(st.booleans()) else None
    exempt = frozenset(draw(st.sets(st.sampled_from(["ways.A", "ways.B.3", "scatter", "Wheel"]))))
    state = State(
        "base", "one", tuple(e.name for e in evaluators), draw(st.integers(1, 3)), exempt, tuple(triggers), choice,
        heights, kind == "cell",
    )  # fmt: skip
    sets = {name: strip_sets(draw, reels, 3 if kind == "cell" else 5) for name in ("one", "two")}
    return model_of(
        evaluators, {"base": state}, sets, reels=reels, rows=3 if heights else 2, wilds=wilds, bonuses={"wheel": wheel}
    )


@given(ways_builds())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_merged_ways_equal_every_combination(build: Build) -> None:
    model = build.model
    state = model.states["base"]
    ways = model.evaluators["ways"]
    assert isinstance(ways, Ways)
    assert not ways_refused(build, state)
    every = 1
    for strip, table in zip(build.strips(state), state.heights or [None] * model.reels, strict=True):
        every *= len(strip.symbols) ** (max(table.values) if table and state.cells else 1)
    assume(every <= 3000)
    expected: dict[tuple[int, int, int], Fraction] = defaultdict(Fraction)
    scatter = model.evaluators.get("scatter")
    ways_mean = scatter_mean = Fraction(0)
    for p, grid in grids(build, state):
        won = ways_units(model, state, ways, grid)
        ways_mean += p * won
        seen = [symbol for column in grid for symbol in column]
        if isinstance(scatter, Scatter):
            n = seen.count("S")
            paid = scatter.pay(n) * 10 * state.multiplier_for("scatter", "S", n)
            scatter_mean += p * paid
            won += paid
        awarded = played = 0
        for trigger in state.triggers:
            if isinstance(trigger, FreeSpinsTrigger):
                awarded += trigger.award(seen.count("S"))
            elif isinstance(trigger, BonusTrigger):
                played += trigger.times(seen.count("A"))
        expected[won, awarded, played] += p
    joint = joint_law(engine_of(build), 0)
    got: dict[tuple[int, int, int], Fraction] = defaultdict(Fraction)
    for units, awards, plays, weight in zip(joint.units, joint.awards, joint.plays, joint.weights, strict=True):
        got[int(units), int(awards[0]), int(plays.sum())] += Fraction(int(weight), joint.cycle)
    assert dict(got) == dict(expected)
    assert joint.parts_mean["ways"] == ways_mean
    closed = spin_figures(build, state)
    assert dict(closed.parts) == joint.mean_parts()
    if scatter:
        assert closed.parts["scatter"] == scatter_mean
    law = {key: event.probability for key, event in joint.by_award().items()}
    assert {key: p for key, p in closed.awards.items() if p} == law
    hits = sum((prize.hits for prize in closed.prizes), Fraction(0)) / closed.cycle
    assert hits >= sum((p for p, grid in grids(build, state) if ways_units(model, state, ways, grid)), Fraction(0))


def test_two_hundred_and_forty_three_ways_take_a_moment() -> None:
    """Five reels of forty stops, eleven paying symbols, a wild and a scatter."""
    rng = np.random.default_rng(1)
    names = (*"ABCDEFGHIJK", "W", "S")
    odds = np.array([3] * 11 + [1, 1]) / 35
    strips = tuple(Strip(tuple(rng.choice(names, 40, p=odds).tolist()), (1,) * 40) for _ in range(5))
    pays = {name: {3: 2 + i, 4: 10 + i, 5: 40 + 9 * i} for i, name in enumerate(names[:11])}
    ways = Ways("ways", pays, "own", "left", "ignore")
    scatter = Scatter("scatter", "S", {3: 2, 4: 10, 5: 100}, "total_bet")
    state = State("base", "one", ("ways", "scatter"), 1, frozenset(), ())
    model = Model(
        "w", "W", "1", "", 10, 1, 5, 3, names, {"W": Wild("W", frozenset(names[:11]), 1, "once")},
        {"ways": ways, "scatter": scatter}, {}, {"base": state}, 10, {"one": Profile("one", {"one": strips})},
    )  # fmt: skip
    build = model.build()
    units, _, weights = ways_law(build, state, [Counted("S")])
    assert weights.sum() == 40**5
    assert Fraction(int((units * weights).sum()), 40**5) == spin_figures(build, state).parts["ways"]


def lines_units(model: Model, state: State, lines: Lines, grid: Grid) -> int:
    """Lines from one side with groups, read literally."""
    total = 0
    for payline in lines.paylines:
        shown = [grid[reel][row] for reel, row in enumerate(payline)]
        shown = shown if lines.direction == "left" else shown[::-1]
        best = 0
        for entry, pays in lines.pays.items():
            members = model.groups.get(entry, {entry})
            run = []
            for symbol in shown:
                wild = model.wilds.get(symbol)
                if symbol not in members and not (wild and members & wild.substitutes):
                    break
                run.append(symbol)
            if not any(symbol in members for symbol in run) and lines.pure_wild_run == "own":
                continue
            factor = 1
            for name, wild in model.wilds.items():
                n = run.count(name)
                if n and name not in members:
                    factor *= {"once": wild.multiplier, "product": wild.multiplier**n, "sum": wild.multiplier * n}[
                        wild.combine
                    ]
            multiplier = state.multiplier_for(lines.name, entry, len(run))
            best = max(best, pays.get(len(run), 0) * factor * model.line_units * multiplier)
        total += best
    return total


@st.composite
def lines_builds(draw: st.DrawFn) -> Build:
    reels = 3
    groups = {"any": frozenset(draw(st.sets(st.sampled_from("ABCW"), min_size=1)))}
    entries = draw(st.lists(st.sampled_from(["A", "B", "W", "any"]), unique=True, min_size=1))
    pays = {e: {n: draw(st.integers(0, 6)) for n in range(draw(st.integers(1, 3)), 4)} for e in entries}
    combine = st.sampled_from(["once", "product", "sum"])
    wilds = {
        name: Wild(name, frozenset(draw(st.sets(st.sampled_from("ABCWX"))) - {name}), draw(st.integers(1, 3)), c)
        for name, c in (("W", draw(combine)), ("X", draw(combine)))
    }
    paylines = tuple(draw(st.lists(st.tuples(*[st.integers(0, 1)] * reels), min_size=1, max_size=3, unique=True)))
    direction, pure = draw(st.sampled_from(["left", "right"])), draw(st.sampled_from(["own", "any"]))
    lines = Lines("lines", paylines, pays, pure, direction=direction)  # type: ignore[arg-type]
    counted = {s: {n: draw(st.integers(0, 4)) for n in range(2, 5)} for s in draw(st.sets(st.sampled_from("ABC")))}
    evaluators: list[Any] = [lines]
    if counted:
        evaluators.append(Count("count", counted, "total_bet", draw(st.booleans()), "ignore"))
    choice = NameTable(("one", "two"), (3, 2)) if draw(st.booleans()) else None
    heights = tuple(Table((n,), (1,)) for n in (2, 3, 2)) if draw(st.booleans()) else None
    exempt = frozenset(draw(st.sets(st.sampled_from(["lines.any", "lines.A.3", "count"]))))
    state = State(
        "base", "one", tuple(e.name for e in evaluators), draw(st.integers(1, 3)), exempt, (), choice, heights,
        draw(st.booleans()) and heights is None,
    )  # fmt: skip
    sets = {name: strip_sets(draw, reels, 3 if state.cells else 4) for name in ("one", "two")}
    return model_of(
        evaluators, {"base": state}, sets, reels=reels, rows=3 if heights else 2, wilds=wilds, groups=groups
    )


@given(lines_builds())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_closed_form_of_lines_groups_and_counts_equals_every_combination(build: Build) -> None:
    model = build.model
    state = model.states["base"]
    closed = spin_figures(build, state)
    means: dict[str, Fraction] = defaultdict(Fraction)
    for p, grid in grids(build, state):
        lines = model.evaluators["lines"]
        assert isinstance(lines, Lines)
        means["lines"] += p * lines_units(model, state, lines, grid)
        count = model.evaluators.get("count")
        if isinstance(count, Count):
            seen = [symbol for column in grid for symbol in column]
            means["count"] += Fraction(0)
            for symbol, pays in count.pays.items():
                n = seen.count(symbol)
                if n and count.wilds:
                    n += sum(symbol in w.substitutes and seen.count(w.symbol) for w in model.wilds.values())
                pay = pays.get(min(n, max(pays)), 0)
                means["count"] += p * pay * 10 * state.multiplier_for("count", symbol, n)
    assert dict(closed.parts) == dict(means)


def test_what_merging_does_not_know_is_said() -> None:
    ways, more = (Ways(name, {"A": {2: 1}}, "any", "both", "ignore") for name in ("ways", "more"))
    state = State("base", "one", ("ways", "more"), 1, frozenset(), ())
    strips = {"one": (Strip(("A", "B"), (1, 1)),) * 2}
    build = model_of([ways, more], {"base": state}, strips, reels=2, rows=1)
    assert "other than one of ways" in ways_refused(build, state)
    from rgs_core.exact.closed_form import NoClosedForm

    with pytest.raises(NoClosedForm, match="both sides"):
        spin_figures(build, state)
