"""The life of a round: every edge, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rgs_server.rounds import EDGES, ENDED, Event, Facts, IllegalStep, State, state_of, step


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
    ("facts", "state"),
    [
        (Facts(), State.COMPLETED),
        (Facts(waits=True), State.OPEN),
        (Facts(played=False, awaits_choice=True), State.AWAITING_INPUT),
        (Facts(played=False, choices_made=2, awaits_choice=True, debit="accepted"), State.AWAITING_INPUT),
        (Facts(choices_made=3), State.COMPLETED),
        (Facts(choices_made=1, waits=True), State.OPEN),
        (Facts(ending="settled"), State.COMPLETED),
        (Facts(ending="voided"), State.VOIDED),
        (Facts(played=False, ending="voided"), State.VOIDED),
        (Facts(played=False, debit="pending"), State.DEBIT_PENDING),
        (Facts(played=False, debit="refused"), State.VOIDED),
        (Facts(played=False, debit="abandoned"), State.VOIDED),
        (Facts(played=False, debit="accepted"), State.OPEN),
        (Facts(debit="accepted", credit="pending"), State.SETTLING),
        (Facts(debit="accepted", credit="failed"), State.SETTLING),
        (Facts(debit="accepted", credit="accepted"), State.COMPLETED),
    ],
)
def test_the_state_on_record(facts: Facts, state: State) -> None:
    assert state_of(facts) is state
