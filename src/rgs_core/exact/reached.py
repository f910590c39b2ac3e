"""Which states a round can lead to."""

from __future__ import annotations

from collections.abc import Iterator

from rgs_core.exact.joint import bonus_name, bonus_triggers
from rgs_core.language.bounds import goes_on_as, lengthens
from rgs_core.language.mechanics import FreeSpinsTrigger, FullReelsTrigger, WinTrigger, given, settled
from rgs_core.language.model import START_STATE, Build, Model, State


def reached(build: Build) -> list[str]:
    """States that the mode can reach, the one it begins with first."""
    model = build.model
    found = [build.play.start]
    for name in found:
        ways = [*awards_of(model, model.states[name]), *sorted(goes_on_as(model, model.states[name]))]
        found += dict.fromkeys(s for s in ways if s not in found)
    return found


def begun(build: Build) -> list[str]:
    """Of these the states that features begin with: all but those as which features go on only."""
    states = reached(build)
    awarded = {other for name in states for other in awards_of(build.model, build.model.states[name]) if other != name}
    return [name for name in states if name == build.play.start or name in awarded]


def interrupting(build: Build) -> frozenset[str]:
    """States whose features are played at once wherever another state awards them: none of them ever waits with others."""
    model = build.model
    states = [model.states[name] for name in reached(build)]
    awards = [award for state in states for award in awards_at(model, state) if award[0] != state.name]
    return frozenset(name for name, _ in awards) - {name for name, at_once in awards if not at_once}


def queued(build: Build, name: str) -> set[str]:
    """States of which a spin of this state may award features that wait for their turn."""
    return {other for other in awards_of(build.model, build.model.states[name]) if other not in interrupting(build)}


def plays_once(build: Build, name: str) -> bool:
    """Whether a round has one spin of this state at most, the one that it begins with."""
    play = build.play
    return (
        name == play.start
        and play.spins == 1
        and not any(name in awards_of(build.model, build.model.states[other]) for other in reached(build))
    )


def feature_states(model: Model, name: str) -> list[str]:
    """The state, and those as which its features may go on."""
    found = [name]
    for other in found:
        found += sorted(goes_on_as(model, model.states[other]) - set(found))
    return found


def awards_of(model: Model, state: State) -> Iterator[str]:
    """Every state that a spin of a state may award spins of, as often as something awards it. What makes the feature go
    on as another state lengthens the feature itself."""
    for trigger in state.triggers:
        if isinstance(trigger, FreeSpinsTrigger | WinTrigger | FullReelsTrigger) or lengthens(state, trigger):
            yield state.name if getattr(trigger, "become", False) else trigger.state  # type: ignore[union-attr]
    for bonus in bonus_triggers(state):
        yield from bonus_awards(model, bonus_name(bonus), state.name)
    if state.callback is not None:
        yield from (name for name in model.states if name != START_STATE)


def awards_at(model: Model, state: State) -> Iterator[tuple[str, bool]]:
    """Every state whose features a spin of a state may start, and whether that is played at once."""
    for trigger in state.triggers:
        goes_on = getattr(trigger, "become", False) or getattr(trigger, "states", ())
        awards = isinstance(trigger, FreeSpinsTrigger | WinTrigger | FullReelsTrigger) or lengthens(state, trigger)
        if awards and not goes_on:
            yield trigger.state, trigger.at_once  # type: ignore[union-attr]
    for bonus in bonus_triggers(state):
        yield from _bonus_awards_at(model, bonus_name(bonus))
    if state.callback is not None:
        yield from ((name, False) for name in model.states if name != START_STATE)


def _bonus_awards_at(model: Model, name: str) -> Iterator[tuple[str, bool]]:
    for segment in given(settled(model.bonuses[name])):
        if segment.state is not None and not segment.become:
            yield segment.state, segment.at_once
        if segment.bonus is not None:
            yield from _bonus_awards_at(model, segment.bonus)


def bonus_awards(model: Model, name: str, own: str = "") -> Iterator[str]:
    """States that a bonus may award spins of, as its player chooses; `own`: the state that plays it."""
    for segment in given(settled(model.bonuses[name])):
        if segment.state is not None:
            yield own if segment.become else segment.state
        if segment.bonus is not None:
            yield from bonus_awards(model, segment.bonus, own)
