"""The cells of a win: which places of a grid it is made of, worked out from its record.

Reports draw them, books name them, and the cells of winning evaluators are those that a cascade removes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import permutations
from math import prod

from rgs_core.language.mechanics import Cluster, Combinations, Count, Lines, Match, Scatter, Ways
from rgs_core.language.model import Model, State
from rgs_core.outcome import Win, Window

Cell = tuple[int, int]
"""(reel, row), both from 0."""


def cells_with(window: Window, symbol: str) -> list[Cell]:
    """The cells that show a symbol, reel by reel, from the top."""
    return [(r, i) for r, reel in enumerate(window) for i, shown in enumerate(reel) if shown == symbol]


def cells_counting(model: Model, window: Window, entry: str) -> list[Cell]:
    """The cells that count as a symbol or group: those that show one of it, and its doubles."""
    return [(r, i) for r, reel in enumerate(window) for i, shown in enumerate(reel) if is_entry(model, shown, entry)]


def win_cells(model: Model, state: State, win: Win, window: Window, stopped: Window = ()) -> list[Cell]:
    """The cells of a win of a state on a grid, in order. `stopped` is the grid before transforms, where it differs.

    A special symbol wins with all cells of the reels that show it; a closing multiplier is no win of cells.
    """
    rule = model.evaluators.get(win.evaluator)
    match rule:
        case Cluster() | Match():
            return list(win.cells)
        case Lines():
            assert win.line is not None
            line = list(enumerate(rule.paylines[win.line - 1]))[win.start :]
            return line[: model.cells_of([window[r][i] for r, i in line], win.count)]
        case Combinations():
            assert win.line is not None
            return _combination(model, rule, win, list(enumerate(rule.paylines[win.line - 1])), window)
        case Ways():
            reels = range(win.start, win.start + win.count)
            return [(r, i) for r in reels for i, shown in enumerate(window[r]) if reads_as(model, shown, win.symbol)]
        case Count():
            return [
                (r, i)
                for r, reel in enumerate(window)
                for i, shown in enumerate(reel)
                if (reads_as if rule.wilds else is_entry)(model, shown, win.symbol)
            ]
        case Scatter():
            return cells_counting(model, (stopped or window) if rule.stopped else window, win.symbol)
    if state.special is not None and win.evaluator == state.special.name:
        showing = [any(is_entry(model, shown, win.symbol) for shown in reel) for reel in window]
        return [(r, i) for r, reel in enumerate(window) if showing[r] for i in range(len(reel))]
    if state.final is not None and win.evaluator == state.final.name:
        return []
    return cells_counting(model, window, win.symbol)


def is_entry(model: Model, shown: str, entry: str) -> bool:
    """Whether a symbol counts as the entry of a pay table itself, or as a member of that group."""
    return model.read(shown)[0] in model.members(entry)


def reads_as(model: Model, shown: str, entry: str) -> bool:
    """The same, or a wild that stands for the entry or for a member of it."""
    if is_entry(model, shown, entry):
        return True
    wild = model.wilds.get(model.read(shown)[0])
    return wild is not None and not wild.substitutes.isdisjoint(model.members(entry))


def _combination(model: Model, rule: Combinations, win: Win, line: list[Cell], window: Window) -> list[Cell]:
    """The named cells of the combination that this win is of: the first one and the first order that pay as it did.

    The record does not say which combination it was, nor in which order it stands.
    """
    for combination in rule.combinations:
        named = [entry for entry in combination.symbols if entry is not None]
        amount = combination.pay * model.line_units * win.wild_multiplier * win.multiplier
        if named[0] != win.symbol or len(named) != win.count or amount != win.amount_units:
            continue
        for order in _orders(combination.symbols) if not combination.ordered else (combination.symbols,):
            places = [(cell, entry) for cell, entry in zip(line, order, strict=True) if entry is not None]
            shown = [(window[r][i], entry) for (r, i), entry in places]
            if all(reads_as(model, s, e) for s, e in shown) and _wilds(model, shown) == win.wild_multiplier:
                return [cell for cell, _ in places]
    raise AssertionError(f"no combination of '{rule.name}' is won on line {win.line}")


@cache
def _orders(elements: tuple[str | None, ...]) -> tuple[tuple[str | None, ...], ...]:
    """The different orders of the elements of a combination, in the order in which the rules try them."""
    return tuple(sorted(set(permutations(elements)), key=lambda order: [elements.index(element) for element in order]))


def _wilds(model: Model, shown: list[tuple[str, str]]) -> int:
    """The multiplier of the wilds that stand in for their element."""
    standing = [symbol for symbol, entry in shown if not is_entry(model, symbol, entry)]
    return prod(_factors(model, standing))


def _factors(model: Model, standing: list[str]) -> Iterator[int]:
    for symbol, wild in model.wilds.items():
        used = sum(model.read(shown)[0] == symbol for shown in standing)
        if used:
            yield {"once": wild.multiplier, "product": wild.multiplier**used, "sum": wild.multiplier * used}[
                wild.combine
            ]
