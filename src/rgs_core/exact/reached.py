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


def bonus_awards(model: Model, name: str, own: str = "") -> Iterator[str]:
    """States that a bonus may award spins of, as its player chooses; `own`: the state that plays it."""
    for segment in given(settled(model.bonuses[name])):
        if segment.state is not None:
            yield own if segment.become else segment.state
        if segment.bonus is not None:
            yield from bonus_awards(model, segment.bonus, own)
