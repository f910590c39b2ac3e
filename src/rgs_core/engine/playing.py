"""Who plays the rounds of a build: the compiled engine, or plain Python where a state has a callback.

Both give the same records and the same sums, so that whatever plays rounds need not know which it has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import index
from typing import Any, Protocol

from numpy.typing import NDArray

from rgs_core import reference
from rgs_core._engine import Engine
from rgs_core._rng import block
from rgs_core.engine.tables import state_names
from rgs_core.errors import CallbackError, SeedError
from rgs_core.language.mechanics import WIN_MIN, BonusTrigger, Pick, PickTrigger, Trigger
from rgs_core.language.model import TRIGGERS_MAX, Build, Model, State
from rgs_core.outcome import Award, BonusPlay, Outcome, PickBonus, Played, Spin

PLAIN = "callback (plain Python)"
"""The kernel of a build with callbacks."""


class Player(Protocol):
    """What plays a build; `Engine` says what the methods do."""

    @property
    def kernel(self) -> str: ...
    @property
    def simd(self) -> str: ...
    @property
    def general_because(self) -> str: ...
    def spin(self, key: bytes, nonce: int) -> Played: ...
    def simulate(
        self, key: bytes, first_nonce: int, n: int, *, edges: Sequence[int] = (), wins: NDArray[Any] | None = None
    ) -> dict[str, Any]: ...


def player(build: Build) -> Player:
    """The engine of a build, or the plain player where the engine does not play it."""
    return PlainPlayer(build) if build.model.callbacks else Engine(build)


class _CompiledWords(reference.Draws):
    """The same words from the compiled ChaCha20, which is most of the work of a small game."""

    def block_at(self, number: int) -> tuple[int, ...]:
        return block(self.key, self.sub_spin << 8 | number, self.stream, self.nonce)


class PlainPlayer:
    """Plays one build by the rules of rgs_core.reference, some hundred times slower than the engine.

    Any build can be played; `rgs replay` compares its rounds with those on the words of the reference.
    """

    kernel = PLAIN
    simd = ""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.general_because = build.model.callback_note

    def spin(self, key: bytes, nonce: int) -> Outcome:
        """Round `nonce` in full. Raises SeedError for a bad key, CallbackError that names the round."""
        if len(key) != 32:
            raise SeedError(f"the key has {len(key)} bytes; it has 32")
        try:
            return reference.play_with(self.build, lambda sub_spin: _CompiledWords(key, 0, nonce, sub_spin))
        except CallbackError as error:
            raise CallbackError(f"{self.build.label}, round {nonce}: {error}") from None

    def simulate(
        self, key: bytes, first_nonce: int, n: int, *, edges: Sequence[int] = (), wins: NDArray[Any] | None = None
    ) -> dict[str, Any]:
        """The sums of `Engine.simulate`."""
        first_nonce = index(first_nonce)
        sums = _Sums(self.build, edges)
        for i in range(n):
            outcome = self.spin(key, first_nonce + i)
            sums.add(outcome, first_nonce + i)
            if wins is not None:
                wins[i] = outcome.win_units
        return sums.totals


class _Sums:
    """Sums over rounds, named as those of the engine; lists by state are in the engine's order.

    They are made from the records alone: a level of collected symbols that awards no spins fires nothing here.
    """

    def __init__(self, build: Build, edges: Sequence[int]) -> None:
        self.model = model = build.model
        self.paid_spins = build.play.spins
        self.edges = edges
        self.states = {name: i for i, name in enumerate(state_names(model))}
        states = [model.states[name] for name in self.states]
        self.triggers = [state.triggers for state in states]
        self.totals: dict[str, Any] = dict.fromkeys(
            ("rounds", "hits", "paid_spin_hits", "features", "capped", "win", "win_squared", "gambled", "regained"), 0
        )
        self.totals |= {
            "parts": [dict.fromkeys(_part_names(state), 0) for state in states],
            "spins": [0] * len(states),
            "fired": [[0] * TRIGGERS_MAX for _ in states],
            "awarded": [[0] * TRIGGERS_MAX for _ in states],
            "win_max": 0,
            "win_max_nonce": 0,
            "classes": [0] * (len(edges) + 1),
        }

    def add(self, outcome: Outcome, nonce: int) -> None:
        """One more round."""
        totals, win = self.totals, outcome.win_units
        totals["rounds"] += 1
        totals["hits"] += win > 0
        totals["paid_spin_hits"] += outcome.spins[0].win_units > 0
        totals["features"] += len(outcome.spins) > self.paid_spins
        totals["capped"] += outcome.capped
        totals["win"] += win
        totals["win_squared"] += win * win
        totals["classes"][bisect_left(self.edges, win)] += 1
        if win > totals["win_max"]:
            totals["win_max"], totals["win_max_nonce"] = win, nonce
        if outcome.gamble:
            totals["gambled"] += sum(spin.win_units for spin in outcome.spins)
            totals["regained"] += win
        for spin in outcome.spins:
            self._spin(spin)

    def _spin(self, spin: Spin) -> None:
        state = self.states[spin.state]
        self.totals["spins"][state] += 1
        parts = self.totals["parts"][state]
        for win in spin.all_wins:
            parts[win.evaluator] += win.amount_units
        for award in spin.awards:
            if isinstance(award, PickBonus | BonusPlay):
                parts[award.trigger] += award.amount_units
        for t, trigger in enumerate(self.triggers[state]):
            awards = [award for award in spin.awards if award.trigger == trigger.name]
            if trigger.kind == "free_spins":  # a cascade may look at it, and fire it, after every step
                self.totals["fired"][state][t] += len(awards)
            elif awards:
                self.totals["fired"][state][t] += 1
            self.totals["awarded"][state][t] += sum(_plays(self.model, trigger, award) for award in awards)


def _plays(model: Model, trigger: Trigger, award: Award) -> bool:
    """Whether an award is a bonus that the trigger plays itself, and not one that a wheel leads to."""
    if not isinstance(trigger, PickTrigger | BonusTrigger):
        return False
    name = trigger.pick if isinstance(trigger, PickTrigger) else trigger.bonus
    if isinstance(model.bonuses[name], Pick):
        return isinstance(award, PickBonus)
    return isinstance(award, BonusPlay) and award.bonus == name


def _part_names(state: State) -> list[str]:
    """Names of all that a state can win."""
    names = [*state.evaluators, *(t.name for t in state.triggers if t.kind in ("pick", "bonus"))]
    names += [part.name for part in (state.special, state.final) if part is not None]
    names += [WIN_MIN] if state.win_min is not None else []
    return names + ([state.callback.function] if state.callback else [])
