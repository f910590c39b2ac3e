"""Boards as books show them: cells with what a front end has to know of their symbols, padding, anticipation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rgs_core.books.win_cells import Cell
from rgs_core.language.mechanics import Collect, FreeSpinsTrigger, Scatter
from rgs_core.language.model import Build, State, Strip
from rgs_core.outcome import CellTable, Spin, Window

Event = dict[str, Any]


class Boards:
    """Draws grids of one build. `hundredths` turns units into hundredths of the stake.

    With `padding` each reel of a board has the symbol above and the one below it as well, as math-sdk's boards do,
    and rows are counted from the one above. A cell of the top reel lies between the reel and the symbol above it.
    """

    def __init__(self, build: Build, *, padding: bool, hundredths: Callable[[int], int]) -> None:
        model = build.model
        self.build = build
        self._padding = padding
        self._hundredths = hundredths
        named = {e.symbol for e in model.evaluators.values() if isinstance(e, Scatter)}
        for state in model.states.values():
            named |= {t.symbol for t in state.triggers if isinstance(t, FreeSpinsTrigger)}
        scatters = {symbol for entry in named for symbol in model.members(entry)}
        self._symbols: dict[str, Event] = {
            symbol: {
                "name": symbol,
                **({"wild": True} if model.read(symbol)[0] in model.wilds else {}),
                **({"scatter": True} if model.read(symbol)[0] in scatters else {}),
            }
            for symbol in model.symbols
        }
        collects = [e for e in model.evaluators.values() if isinstance(e, Collect)]
        self._prizes = {symbol: model.basis_units(e.of) for e in collects for symbol in model.members(e.symbol)}
        self._multiplying = {s for state in model.states.values() if state.final for s in state.final.symbols}
        self._anticipated = {name: _anticipated(state) for name, state in model.states.items()}

    def reveal(self, spin: Spin, game_type: str) -> Event:
        """The grid as the reels stop; values are those that it pays with."""
        window = spin.stopped or spin.window
        event = {
            "type": "reveal",
            "board": self.board(replace(spin, nudged=()), window, spin.values),
            "paddingPositions": list(spin.stops),
            "gameType": game_type,
            "anticipation": self._anticipation(spin.state, window),
        }
        drawn = {"strips": spin.strips, "linked": spin.linked, "modifier": spin.modifier}
        return event | {name: value for name, value in drawn.items() if value}

    def board(self, spin: Spin, window: Window, values: CellTable) -> list[list[Event]]:
        """The cells of a grid of a spin, by reel, from the top; with padding, those of reels that nudges moved."""
        stops = spin.nudged or spin.stops
        board = self._plain(window, values)
        if self._padding:
            state = self.build.model.states[spin.state]
            first = 0
            for reel, (column, strip) in enumerate(zip(board, self._strips(state, spin), strict=True)):
                # Where cells draw alone a reel has no stop: the neighbours of its first and last cell stand in.
                top, bottom, above = reel, reel, int(reel in self.build.model.top)
                if state.cells:
                    top, bottom = first + above, first + len(column) - 1
                    first += len(column)
                below = stops[bottom] + (1 if state.cells else len(column) - above)
                column.append(self._symbols[strip.symbols[below % len(strip.symbols)]])
                column.insert(0, self._symbols[strip.symbols[(stops[top] - 1) % len(strip.symbols)]])
        return board

    def tops(self, window: Window, values: CellTable, cells: Iterable[Cell]) -> list[list[Event]]:
        """Chosen cells of a grid, for each reel from the top."""
        found: list[list[Event]] = [[] for _ in window]
        for reel, row in sorted(cells):
            found[reel].append(self._cell(window[reel][row], values[reel][row] if values else 0))
        return found

    def at(self, cell: Cell) -> Event:
        """A place of a board."""
        reel, row = cell
        return {"reel": reel, "row": row + 1 if self._padding else row}

    def places(self, cells: Iterable[Cell]) -> list[Event]:
        """Places of a board, in order."""
        return [self.at(cell) for cell in sorted(cells)]

    def _plain(self, window: Window, values: CellTable) -> list[list[Event]]:
        if not values:
            return [[self._symbols[symbol] for symbol in reel] for reel in window]
        return [
            [self._cell(symbol, value) for symbol, value in zip(reel, numbers, strict=True)]
            for reel, numbers in zip(window, values, strict=True)
        ]

    def _cell(self, symbol: str, value: int) -> Event:
        """A symbol with its value: a prize in hundredths where cells are collected, else a multiplier."""
        cell = self._symbols[symbol]
        if not value:
            return cell
        basis = self._prizes.get(symbol)
        if basis is not None:
            cell = {**cell, "prize": self._hundredths(value * basis)}
        if basis is None or symbol in self._multiplying:
            cell = {**cell, "multiplier": value}
        return cell

    def _strips(self, state: State, spin: Spin) -> tuple[Strip, ...]:
        strips = self.build.strips(state, spin.strips or None)
        if not spin.linked:
            return strips
        first, last = (int(reel) - 1 for reel in spin.linked.split("-"))
        return tuple(strips[first] if first <= reel <= last else strip for reel, strip in enumerate(strips))

    def _anticipation(self, state: str, window: Window) -> list[int]:
        """For each reel 0, or 1, 2, ... where one more scatter is enough for free spins: how long it is held."""
        scatter, needed = self._anticipated[state]
        seen = level = 0
        levels: list[int] = []
        for reel in window:
            level = level + 1 if needed > 1 and seen >= needed - 1 else 0
            levels.append(level)
            members = self.build.model.members(scatter)
            seen += sum(times for symbol, times in map(self.build.model.read, reel) if symbol in members)
        return levels


def _anticipated(state: State) -> tuple[str, int]:
    """The scatter that is waited for, and how many of it award spins; nothing where cells draw alone."""
    counting = [t for t in state.triggers if isinstance(t, FreeSpinsTrigger)]
    triggers = [t for t in counting if t.symbol and t.reels is None and not t.per_reel]
    if not triggers or state.cells:
        return "", 0
    return triggers[0].symbol, min((n for n, spins in triggers[0].spins.items() if spins), default=0)
