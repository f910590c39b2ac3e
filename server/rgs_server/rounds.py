"""The life of a round, as a pure table of states and events.

    created -> debit_pending -> open -> (awaiting_input <-> open)* -> settling -> completed
                      \\---------\\-> voided

Where the platform moves the money, a round is `open` from its spin on, and a settlement or a void ends it. Every
round ends as completed or voided, and nothing follows after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


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


def state_of(ending: str | None, waits: bool) -> State:
    """The state of a round that was played, or voided before, from what is on record.

    `waits`: for a settlement; where nobody does, the round ended with its spin.
    """
    if ending == "voided":
        return step(State.OPEN, Event.VOID)
    if waits and ending is None:
        return State.OPEN
    return step(step(State.OPEN, Event.SETTLE), Event.SETTLED)
