"""What platforms report in batches: a result for each, taken once, compared with the record, told on the bus."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rgs_server.bus import subject, token
from service_process import BUILD, Send, Service, code, run, session_body, spin_body, wait_for
from sinks import owed, published
from told_events import CREDENTIALS, check, events_of, new_operator, service_with_bus


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from service_with_bus(Path(tmp_path_factory.mktemp("reported")))


def report(send: Send, *events: Any) -> dict[str, Any]:
    answer = send("POST", "/events/batch", {"events": list(events)})
    assert answer.status == 200, answer.body
    return dict(answer.json())


def told(operator_id: str, **changes: Any) -> dict[str, Any]:
    return {"type": "bonus_shown", "ts": "2026-01-31T12:00:00.000Z", "operator_id": operator_id, **changes}


def test_a_batch_has_a_result_for_each_event(own: Service) -> None:
    operator_id, send = new_operator(own)
    answer = report(
        send,
        told(operator_id, event_id="e-1", shown=1.50),
        told(operator_id, event_id="e-1", shown=1.5),
        told(operator_id, event_id="e-1", shown=2),
        told("op-other"),
        told(operator_id, ts="yesterday"),
        {"type": "bonus_shown"},
        [],
        told(operator_id, event_id="e-2"),
    )
    results = [(row["index"], row["status"], row.get("code")) for row in answer["results"]]
    assert results == [
        (0, "accepted", None),
        (1, "duplicate", None),
        (2, "refused", "IDEMPOTENCY_CONFLICT"),
        (3, "refused", "FORBIDDEN"),
        (4, "refused", "VALIDATION_FAILED"),
        (5, "refused", "VALIDATION_FAILED"),
        (6, "refused", "VALIDATION_FAILED"),
        (7, "accepted", None),
    ]
    assert (answer["accepted"], answer["duplicates"], answer["refused"]) == (2, 1, 5)
    again = report(send, told(operator_id, event_id="e-2"), told(operator_id, event_id="e-1", shown=2))
    assert [row["status"] for row in again["results"]] == ["duplicate", "refused"]


def test_what_is_reported_is_told_on_the_bus_alone_and_once(own: Service) -> None:
    operator_id, send = new_operator(own)
    events = [told(operator_id, number=n) for n in range(3)]
    for _ in range(2):
        report(send, *events)
    wait_for(lambda: owed(own, operator_id) == 0, own.log_text)
    found = published(own, f"rgs.{token(operator_id)}.>")
    assert [where for where, _ in found] == [subject(operator_id, "platform_event")] * 3
    for _, event in found:
        check(event)
    assert sorted(event["data"]["reported"]["number"] for _, event in found) == [0, 1, 2]
    assert owed(own, operator_id, "webhook") == 0


def test_a_batch_takes_one_to_500_events_of_any_usual_size(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert code(send("POST", "/events/batch", {"events": []})) == (400, "VALIDATION_FAILED")
    one = told(operator_id, text="x" * 800)
    assert code(send("POST", "/events/batch", {"events": [{**one, "n": n} for n in range(501)]}))[0] == 400
    answer = report(send, *({**one, "n": n} for n in range(500)))
    assert (answer["accepted"], len(answer["results"])) == (500, 500)
    answer = send("POST", "/events/batch", {"events": [told(operator_id, text="x" * (1 << 19))]})
    assert code(answer) == (413, "BODY_TOO_LARGE")
    assert "524288" in answer.json()["detail"]
    assert code(send("POST", "/spins", b"x" * 70_000)) == (413, "BODY_TOO_LARGE")


def test_a_reported_round_is_compared_with_the_record(own: Service) -> None:
    operator_id, send = new_operator(own)
    assert send("POST", "/sessions", session_body("cmp", operator_id)).status == 200
    name = f"{operator_id}-cmp"
    spin = send("POST", "/spins", spin_body(name, "cmp")).json()
    win = spin["outcome"]["win"]["amount"]
    mine = told(
        operator_id, type="spin_finished", spin_id=name, round_id=f"r-{name}", stake=1.00, win=win, currency="EUR",
        game_id=BUILD.model.id, build_hash=BUILD.build_hash, player_id="p-1", spin_type="cash", session_id="cmp",
    )  # fmt: skip
    answer = report(
        send,
        mine,
        {**mine, "win": win + 1, "round_id": "other", "n": 1},
        {**mine, "stake": "1.000", "n": 2},
        {**mine, "stake": True, "build_hash": 7, "n": 3},
        {**mine, "spin_id": "never", "n": 4},
        {**mine, "type": "mine", "n": 5},
    )
    found = [(row["status"], row.get("record"), row.get("differences")) for row in answer["results"]]
    assert found == [
        ("accepted", "equal", None),
        ("accepted", "different", ["round_id", "win"]),
        ("accepted", "equal", None),
        ("accepted", "different", ["build_hash", "stake"]),
        ("accepted", "unknown", None),
        ("accepted", None, None),
    ]


def test_the_same_batch_at_the_same_time_is_taken_once(own: Service) -> None:
    operator_id, _ = new_operator(own)
    body = json.dumps({"events": [told(operator_id, event_id=f"e-{n}") for n in range(50)]}).encode()

    async def job() -> list[dict[str, Any]]:
        async with own.client(CREDENTIALS[operator_id]) as one, own.client(CREDENTIALS[operator_id]) as two:
            sends = [client.send("POST", "/rgs/v1/events/batch", body) for client in (one, two, one, two)]
            return [reply.json() for reply in await asyncio.gather(*sends)]

    answers = run(job())
    assert sum(answer["accepted"] for answer in answers) == 50
    assert sum(answer["duplicates"] for answer in answers) == 150
    assert len(events_of(own, operator_id)) == 50
