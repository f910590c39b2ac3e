"""The callback of a state: what it is shown, and what of its answer counts.

It is called once a spin, when everything that the spin wins on its grid is known and before the triggers. Its
numbers come from the words of the spin, like all others. An answer is nothing (None) or a dict with any of

    wins     {name: units}: whole units of 0 or more, which no multiplier changes
    spins    {state: number}: further spins, awarded as by a trigger
    memory   what it is shown in the next spin of the feature: numbers, text, lists and dicts of them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rgs_core.errors import CallbackError
from rgs_core.language.callback import Refusal, View, run
from rgs_core.language.mechanics import Callback, frozen
from rgs_core.language.model import CALLBACK_DRAWS_MAX, CALLBACK_SPINS_MAX, CALLBACK_UNITS_MAX, START_STATE, Model
from rgs_core.outcome import FreeSpinsAward, Win
from rgs_core.reference.grid import Grid, Memory
from rgs_core.reference.words import Numbers

DRAW_MAX = 2**31
NAMES_MAX = 16
NAME_CHARACTERS_MAX = 32
MEMORY_VALUES_MAX = 1_000
MEMORY_DEPTH_MAX = 8
TEXT_CHARACTERS_MAX = 1_000
NUMBER_MAX = 2**63


def call_callback(
    model: Model,
    state: str,
    callback: Callback,
    grid: Grid,
    wins: Sequence[Win],
    memory: Memory,
    numbers: Numbers,
) -> tuple[list[Win], list[FreeSpinsAward]]:
    """What the callback of a state wins and awards in a spin; what it remembers goes into `memory`.

    Raises CallbackError that names the state, the spin of its feature, the callback, and the line or the value.
    """
    memory.called += 1  # once a spin, so that it tells the spins of the feature
    place = f"state '{state}', spin {memory.called} of its feature, callback "
    view = View(
        state=state,
        index=memory.called - 1,
        grid=grid.window,
        values=tuple(tuple(reel) for reel in grid.values),
        wins=tuple(wins),
        memory=memory.callback,
    )
    try:
        answer = run(callback, view, _Drawing(numbers).draw)
        fields = _table("the answer", {} if answer is None else answer)
        for name in fields:
            if name not in ("wins", "spins", "memory"):
                raise Refusal(f"{_show(name)} in the answer; there are 'wins', 'spins' and 'memory'")
        won = _wins(callback, fields.get("wins", {}))
        awarded = _spins(model, callback, fields.get("spins", {}))
        memory.callback = _Remembered().kept(fields.get("memory"), MEMORY_DEPTH_MAX)
    except Refusal as error:
        raise CallbackError(f"{place}{callback.label}: {error}") from None
    except CallbackError as error:
        raise CallbackError(f"{place}{error}") from None
    return won, awarded


class _Drawing:
    """Draws for one call, counted."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.drawn = 0

    def draw(self, n: int) -> int:
        """An integer in [0, n), every value equally likely, from the words of the spin."""
        if type(n) is not int or not 1 <= n <= DRAW_MAX:
            raise Refusal(f"draw({_show(n)}); give a whole number from 1 to 2^31")
        if self.drawn == CALLBACK_DRAWS_MAX:
            raise Refusal(f"more than {CALLBACK_DRAWS_MAX} draws in one call")
        self.drawn += 1
        return self.numbers.below(n)


def _wins(callback: Callback, value: object) -> list[Win]:
    """A win on record for every name with units."""
    table = _table("wins", value)
    if len(table) > NAMES_MAX:
        raise Refusal(f"{len(table)} wins; give at most {NAMES_MAX}")
    for name, units in table.items():
        if type(name) is not str or not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isascii():
            raise Refusal(f"a win named {_show(name)}; give 1 to {NAME_CHARACTERS_MAX} plain characters")
        if type(units) is not int or not 0 <= units <= CALLBACK_UNITS_MAX:
            raise Refusal(f"wins['{name}'] = {_show(units)}; give whole units from 0 to {CALLBACK_UNITS_MAX}")
    total = sum(table.values())
    if total > CALLBACK_UNITS_MAX:
        raise Refusal(f"wins of {total} units together; give at most {CALLBACK_UNITS_MAX}")
    return [Win(callback.function, None, name, 1, 1, 1, units) for name, units in table.items() if units > 0]


def _spins(model: Model, callback: Callback, value: object) -> list[FreeSpinsAward]:
    """An award on record for every state with spins."""
    known = [name for name in model.states if name != START_STATE]
    for name, spins in (table := _table("spins", value)).items():
        if name not in known:
            raise Refusal(f"spins of {_show(name)}; states that can be awarded: {', '.join(known) or 'none'}")
        if type(spins) is not int or not 0 <= spins <= CALLBACK_SPINS_MAX:
            raise Refusal(f"spins['{name}'] = {_show(spins)}; give a whole number from 0 to {CALLBACK_SPINS_MAX}")
    return [FreeSpinsAward(callback.function, "", 0, spins, name) for name, spins in table.items() if spins > 0]


class _Remembered:
    """Makes what a callback returned as memory unchangeable, and bounds it."""

    def __init__(self) -> None:
        self.values = 0

    def kept(self, value: object, depth: int) -> object:
        """The same value, lists as tuples and dicts read only."""
        self.values += 1
        if self.values > MEMORY_VALUES_MAX:
            raise Refusal(f"memory of more than {MEMORY_VALUES_MAX:,} values")
        if depth == 0:
            raise Refusal(f"memory nested deeper than {MEMORY_DEPTH_MAX}")
        if value is None or type(value) is bool:
            return value
        if type(value) is int and abs(value) < NUMBER_MAX:
            return value
        if type(value) is str and len(value) <= TEXT_CHARACTERS_MAX:
            return value
        if isinstance(value, list | tuple):
            return tuple(self.kept(item, depth - 1) for item in value)
        if isinstance(value, Mapping):
            return frozen({self._key(key): self.kept(item, depth - 1) for key, item in value.items()})
        raise Refusal(
            f"memory with {_show(value)}; give None, True, False, numbers below 2^63, short text, lists and dicts"
        )

    def _key(self, key: object) -> object:
        if type(key) is not int and type(key) is not str:
            raise Refusal(f"memory with the key {_show(key)}; give numbers or text")
        return self.kept(key, 1)


def _table(what: str, value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise Refusal(f"{what} is {_show(value)}; give a dict")
    return value


def _show(value: object) -> str:
    """A value in an error: small ones as they are written, of others what they are."""
    if type(value) is int and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    if value is None or type(value) in (int, bool):
        return repr(value)
    return repr(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
