"""Policies: what a player does where the game lets him choose.

A model has nodes of policy: bonuses of kind `choice`, by name, and the gamble. A policy names an option for some of
the choices and the bets that are made on a win:

    doors=few, gamble=red*2+half        the option few; the bet red twice, then half

What it does not name is as without a policy: the first option, no gamble. Policies change no build hash: the
game is the same, it is played in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product

from rgs_core.errors import PolicyError
from rgs_core.language.mechanics import Choice, Gamble, frozen
from rgs_core.language.model import Build, Model

GAMBLE = "gamble"
POLICIES_MAX = 16
"""Most ways to choose that are compared."""


def choices(model: Model) -> dict[str, Choice]:
    """Bonuses in which the player chooses, by name."""
    return {name: bonus for name, bonus in model.bonuses.items() if isinstance(bonus, Choice)}


def with_policy(build: Build, text: str) -> Build:
    """The build as it is played by the policy in a text. Raises PolicyError that says what there is."""
    model, named = build.model, _parts(text)
    options = {}
    plays: tuple[str, ...] = ()
    for name, value in named.items():
        if name == GAMBLE:
            plays = _plays(model, value)
        else:
            options[name] = _option(model, name, value)
    return replace(build, model=_played(model, options, plays))


def variants(build: Build) -> Iterator[Build]:
    """The build by every way to choose options, the first ones first, without a gamble; at most POLICIES_MAX."""
    found = choices(build.model)
    for number, numbers in enumerate(product(*(range(len(choice.options)) for choice in found.values()))):
        if number == POLICIES_MAX:
            return
        yield with_options(build, dict(zip(found, numbers, strict=True)))


def gambles(gamble: Gamble) -> Iterator[tuple[str, ...]]:
    """Each bet once, and as often as it may be made."""
    for name in gamble.bets:
        yield (name,)
        if gamble.steps_max > 1:
            yield (name,) * gamble.steps_max


def with_options(build: Build, options: Mapping[str, int]) -> Build:
    """The build with these options, by number; the first ones of other choices."""
    return replace(build, model=_played(build.model, options, ()))


def with_bets(build: Build, plays: tuple[str, ...]) -> Build:
    """The build with these bets on every win."""
    gamble = build.model.gamble
    assert gamble is not None
    return replace(build, model=replace(build.model, gamble=replace(gamble, plays=plays)))


def with_decisions(build: Build, decisions: Iterable[tuple[str, str]]) -> Build:
    """The build as it is played by (choice, option) and ("gamble", bet) in turn. Raises PolicyError."""
    options: dict[str, int] = {}
    plays: list[str] = []
    for name, value in decisions:
        if name == GAMBLE:
            plays += _plays(build.model, value)
        else:
            options[name] = _option(build.model, name, value)
    return replace(build, model=_played(build.model, options, tuple(plays)))


def _played(model: Model, options: Mapping[str, int], plays: tuple[str, ...]) -> Model:
    bonuses = {
        name: replace(bonus, chosen=options.get(name, 0)) if isinstance(bonus, Choice) else bonus
        for name, bonus in model.bonuses.items()
    }
    gamble = None if model.gamble is None else replace(model.gamble, plays=plays)
    return replace(model, bonuses=frozen(bonuses), gamble=gamble)


def _parts(text: str) -> dict[str, str]:
    named: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise PolicyError(f"'{part.strip()}' is not of the form CHOICE=OPTION or {GAMBLE}=BET*TIMES")
        if name in named:
            raise PolicyError(f"'{name}' stands in the policy twice")
        named[name] = value
    return named


def _option(model: Model, name: str, value: str) -> int:
    known = choices(model)
    if name not in known:
        named = ", ".join([*known, *([GAMBLE] if model.gamble else [])]) or "none"
        raise PolicyError(f"{model.id} has no choice '{name}'; it has: {named}")
    options = [option.name for option in known[name].options]
    if value not in options:
        raise PolicyError(f"the choice '{name}' has no option '{value}'; it has: {', '.join(options)}")
    return options.index(value)


def _plays(model: Model, value: str) -> tuple[str, ...]:
    gamble = model.gamble
    if gamble is None:
        raise PolicyError(f"{model.id} has no gamble")
    plays: list[str] = []
    for part in value.split("+"):
        match = re.fullmatch(r"([A-Za-z]\w*)(?:\*([1-9][0-9]?))?", part.strip())
        if match is None or match[1] not in gamble.bets:
            raise PolicyError(f"'{part.strip()}' is no bet of the gamble; it has: {', '.join(gamble.bets)}")
        plays += [match[1]] * int(match[2] or 1)
    if len(plays) > gamble.steps_max:
        raise PolicyError(f"{len(plays)} bets, of which the gamble allows {gamble.steps_max}")
    return tuple(plays)
