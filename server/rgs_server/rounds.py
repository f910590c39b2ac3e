"""The life of a round, as a pure table of states and events.

    created -> debit_pending -> open -> (awaiting_input <-> open)* -> settling -> completed
                      \\---------\\-> voided

Where the platform moves the money, a round is `open` from its spin on, and a settlement or a void ends it. Every
round ends as completed or voided, and nothing follows after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce


class State(StrEnum):
    """Where a round is."""

    CREATED = "created"
    DEBIT_PENDING = "debit_pending"
    OPEN = "open"
    AWAITING_INPUT = "awaiting_input"
    SETTLING = "settling"
    COMPLETED = "completed"
    VOIDED = "voided"


class Event(StrEnum):
    """What happens to it."""

    DEBIT = "debit"  # the stake is asked for
    DEBIT_CONFIRMED = "debit_confirmed"
    CHOICE_ASKED = "choice_asked"  # the player has to decide
    CHOICE_MADE = "choice_made"
    SETTLE = "settle"  # the outcome is final, the win is paid
    SETTLED = "settled"  # the win was taken
    VOID = "void"


ENDED = frozenset({State.COMPLETED, State.VOIDED})

EDGES: Mapping[tuple[State, Event], State] = {
    (State.CREATED, Event.DEBIT): State.DEBIT_PENDING,
    (State.DEBIT_PENDING, Event.DEBIT_CONFIRMED): State.OPEN,
    (State.DEBIT_PENDING, Event.VOID): State.VOIDED,
    (State.OPEN, Event.CHOICE_ASKED): State.AWAITING_INPUT,
    (State.OPEN, Event.SETTLE): State.SETTLING,
    (State.OPEN, Event.VOID): State.VOIDED,
    (State.AWAITING_INPUT, Event.CHOICE_MADE): State.OPEN,
    (State.SETTLING, Event.SETTLED): State.COMPLETED,
}


class IllegalStep(Exception):
    """A round in this state does not take this event."""


def step(state: State, event: Event) -> State:
    """The state after an event. Raises IllegalStep."""
    after = EDGES.get((state, event))
    if after is None:
        raise IllegalStep(f"a round that is {state} takes no {event}")
    return after


@dataclass(frozen=True, slots=True)
class Facts:
    """What is on record of a round."""

    played: bool = True
    ending: str | None = None  # settled or voided by the platform
    waits: bool = False  # for a settlement; where nobody does, the round ended with its spin
    debit: str | None = None  # state of the debit asked of the platform's wallet, where we move the money
    credit: str | None = None
    choices_made: int = 0
    awaits_choice: bool = False  # of the player


def state_of(facts: Facts) -> State:
    """The state that the facts have led to."""
    return reduce(step, events_of(facts), State.CREATED)


def events_of(facts: Facts) -> list[Event]:
    """What has happened to a round, in order."""
    events = [Event.DEBIT]
    if facts.ending == "voided" or facts.debit in ("refused", "abandoned"):
        return [*events, Event.VOID]
    if facts.debit == "pending":
        return events
    events.append(Event.DEBIT_CONFIRMED)
    events += [Event.CHOICE_ASKED, Event.CHOICE_MADE] * facts.choices_made
    if facts.awaits_choice:
        return [*events, Event.CHOICE_ASKED]
    if not facts.played or (facts.waits and facts.ending is None):
        return events
    events.append(Event.SETTLE)
    if facts.credit in ("pending", "failed"):
        return events
    return [*events, Event.SETTLED]
