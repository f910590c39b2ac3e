"""The rounds of a session, in order: for a player who asks, and for events that did not arrive."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from service_process import Service, code, spin_body


def test_rounds_are_listed_in_order_and_in_parts(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    path = f"/rgs/v1/sessions/{session}/spins"
    empty = service.send("GET", path).json()
    assert empty == {"spins": [], "next_nonce": 0, "more": False}
    given = [service.send("POST", "/rgs/v1/spins", spin_body(f"{session}-{n}", session)).json() for n in range(105)]
    first = service.send("GET", path).json()
    assert [spin["nonce"] for spin in first["spins"]] == list(range(100))
    assert [spin["answer"] for spin in first["spins"]] == given[:100]
    assert (first["next_nonce"], first["more"]) == (105, True)
    rest = service.send("GET", f"{path}?after_nonce=99").json()
    assert [spin["answer"] for spin in rest["spins"]] == given[100:]
    assert rest["more"] is False
    last = service.send("GET", f"{path}?last=3").json()
    assert [spin["nonce"] for spin in last["spins"]] == [102, 103, 104]
    assert service.send("GET", f"{path}?after_nonce=104").json()["spins"] == []


@pytest.mark.parametrize(
    "query", ["after_nonce=-1", "after_nonce=x", "last=101", "last=0", "last=1&after_nonce=1", f"after_nonce={2**63}"]
)
def test_what_is_no_part(service: Service, new_session: Callable[[], str], query: str) -> None:
    reply = service.send("GET", f"/rgs/v1/sessions/{new_session()}/spins?{query}")
    assert code(reply) == (400, "VALIDATION_FAILED")


def test_rounds_of_others_are_not_shown(service: Service, new_session: Callable[[], str]) -> None:
    session = new_session()
    stranger = service.add_operator("op-recall")
    reply = service.send("GET", f"/rgs/v1/sessions/{session}/spins", credentials=stranger)
    assert code(reply) == (404, "SESSION_UNKNOWN")
