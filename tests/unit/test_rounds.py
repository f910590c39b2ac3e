"""The life of a round: every edge, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rgs_server.rounds import EDGES, ENDED, Event, IllegalStep, State, state_of, step


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_only_the_edges_are_taken(state: State, event: Event) -> None:
    if (state, event) in EDGES:
        assert step(state, event) is EDGES[state, event]
    else:
        with pytest.raises(IllegalStep, match=f"a round that is {state} takes no {event}"):
            step(state, event)


def test_nothing_follows_an_end() -> None:
    assert not [state for state, _ in EDGES if state in ENDED]


def test_a_round_cannot_be_voided_once_its_win_is_being_paid() -> None:
    assert {state for state, event in EDGES if event is Event.VOID} == {State.DEBIT_PENDING, State.OPEN}


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_every_history_can_still_end(events: list[Event]) -> None:
    """From wherever a history leads, an end can be reached; steps that are refused change nothing."""
    state = State.CREATED
    for event in events:
        if (state, event) in EDGES:
            state = step(state, event)
    reached = {state}
    for _ in State:
        reached |= {after for (before, _), after in EDGES.items() if before in reached}
    assert reached & ENDED


@pytest.mark.parametrize(
    ("ending", "waits", "state"),
    [
        (None, True, State.OPEN),
        (None, False, State.COMPLETED),
        ("settled", False, State.COMPLETED),
        ("voided", False, State.VOIDED),
    ],
)
def test_the_state_on_record(ending: str | None, waits: bool, state: State) -> None:
    assert state_of(ending, waits) is state
