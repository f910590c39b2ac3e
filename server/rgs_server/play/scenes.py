"""A round as scenes for a client that draws and decides nothing: grids, winning cells, sums, words.

Amounts are minor units of the stake's currency. Grids are `window[reel][row]`, cells are [reel, row].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rgs_core.books.win_cells import win_cells
from rgs_core.language.model import Build
from rgs_core.outcome import Award, BonusPlay, FreeSpinsAward, JackpotWin, PickBonus, Played, Spin, Win, Window

Scene = dict[str, Any]


def scenes(build: Build, outcome: Played, unit_minor: int) -> list[Scene]:
    """What the player sees of a round, in order."""
    found: list[Scene] = []
    won = 0
    for number, spin in enumerate(outcome.spins):
        for scene in _spin(build, spin, unit_minor):
            won += scene["won_minor"]
            found.append({**scene, "number": number, "total_minor": won})
    for step in outcome.gamble:
        won = step.win_units * unit_minor
        found.append(
            {"kind": "gamble", "words": _gamble(build, step.bet, step.drawn), "total_minor": won, "won_minor": won}
        )
    if getattr(outcome, "capped", False):
        found.append(
            {
                "kind": "cap",
                "words": ["The maximum win ended the round"],
                "won_minor": 0,
                "total_minor": outcome.win_units * unit_minor,
            }
        )
    return found


def _spin(build: Build, spin: Spin, unit_minor: int) -> Iterator[Scene]:
    state = build.model.states[spin.state]
    notes = [f"{spin.special} is the special symbol"] if spin.special else []
    notes += [f"all wins x{spin.multiplier}"] if spin.multiplier != 1 else []

    def scene(kind: str, window: Window, wins: Sequence[Win], values: Any, words: list[str], extra: int = 0) -> Scene:
        rows: list[dict[str, Any]] = [
            {
                "cells": win_cells(build.model, state, win, window, spin.stopped),
                "line": win.line,
                "won_minor": win.amount_units * unit_minor,
                "words": _win(win),
            }
            for win in wins
        ]
        return {
            "kind": kind,
            "state": spin.state,
            "window": window,
            "values": values,
            "wins": rows,
            "words": words,
            "won_minor": sum(row["won_minor"] for row in rows) + extra,
        }

    awarded = [_award(award) for award in spin.awards]
    extra = sum(a.amount_units for a in spin.awards if isinstance(a, PickBonus | BonusPlay)) * unit_minor
    last = not spin.steps and not spin.closing
    if spin.stopped:
        yield scene("stop", spin.stopped, (), (), [])
    yield scene(
        "spin" if not spin.stopped else "change",
        spin.window,
        spin.wins,
        spin.values,
        [*notes, *(awarded if last else [])],
        extra if last else 0,
    )
    for i, step in enumerate(spin.steps):
        last = i == len(spin.steps) - 1 and not spin.closing
        yield scene("fall", step.window, step.wins, step.values, awarded if last else [], extra if last else 0)
    if spin.closing:
        window, values = (spin.steps[-1].window, spin.steps[-1].values) if spin.steps else (spin.window, spin.values)
        yield scene("close", window, spin.closing, values, awarded, extra)


def _win(win: Win) -> str:
    what = f"{win.count} x {win.symbol}" if win.symbol else win.evaluator
    where = f" on line {win.line}" if win.line else f", {win.ways} ways" if win.ways > 1 else ""
    times = win.wild_multiplier * win.multiplier
    return f"{what}{where}{f', x{times}' if times > 1 else ''}"


def _award(award: Award) -> str:
    if isinstance(award, FreeSpinsAward):
        return f"{award.trigger}: {award.spins} spins"
    if isinstance(award, JackpotWin):
        return f"{award.trigger}: jackpot {award.jackpot}"
    if isinstance(award, BonusPlay) and award.spins:
        return f"{award.trigger}: {award.spins} spins, {award.state}"
    return f"{award.trigger}: bonus"


def _gamble(build: Build, bet: str, drawn: int) -> list[str]:
    ladder = build.model.gamble is not None and bool(build.model.gamble.rungs)
    return [f"gamble, {bet}: {f'{drawn:+d} rungs' if ladder else f'x{drawn}'}"]
