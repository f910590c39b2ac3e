"""Which states a round can lead to."""

from __future__ import annotations

from collections.abc import Iterator

from rgs_core.exact.joint import bonus_name, bonus_triggers
from rgs_core.language.mechanics import CollectedTrigger, FreeSpinsTrigger, WinTrigger, given, settled
from rgs_core.language.model import START_STATE, Build, Model, State


def reached(build: Build) -> list[str]:
    """States that the mode can reach, the one it begins with first."""
    found = [build.play.start]
    for name in found:
        found += dict.fromkeys(s for s in awards_of(build.model, build.model.states[name]) if s not in found)
    return found


def plays_once(build: Build, name: str) -> bool:
    """Whether a round has one spin of this state at most, the one that it begins with."""
    play = build.play
    return (
        name == play.start
        and play.spins == 1
        and not any(name in awards_of(build.model, build.model.states[other]) for other in reached(build))
    )


def awards_of(model: Model, state: State) -> Iterator[str]:
    """Every state that a spin of a state may award spins of, as often as something awards it."""
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger | WinTrigger | CollectedTrigger):
            yield trigger.state
    for bonus in bonus_triggers(state):
        yield from bonus_awards(model, bonus_name(bonus))
    if state.callback is not None:
        yield from (name for name in model.states if name != START_STATE)


def bonus_awards(model: Model, name: str) -> Iterator[str]:
    """States that a bonus may award spins of, as its player chooses."""
    for segment in given(settled(model.bonuses[name])):
        if segment.state is not None:
            yield segment.state
        if segment.bonus is not None:
            yield from bonus_awards(model, segment.bonus)
