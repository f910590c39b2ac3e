"""Events of the store in their envelope, the same for every sink and for those who ask."""

from __future__ import annotations

import asyncpg
from msgspec import UNSET, Raw

from rgs_server.balances import read_session
from rgs_server.clock import time_text
from rgs_server.contract.answers import encode
from rgs_server.contract.events import CloudEvent, EventsAnswer
from rgs_server.store import Store

EVENTS_MAX = 200
"""In one answer; an event is a few hundred bytes."""


def envelope(event: asyncpg.Record) -> CloudEvent:
    """An event as a CloudEvent (version 1.0)."""
    session_id, seq, traceparent = event["session_id"], event["seq"], event["traceparent"]
    return CloudEvent(
        specversion="1.0",
        id=event["event_id"],
        source=f"/rgs/v1/operators/{event['operator_id']}",
        type=event["event_type"],
        time=time_text(event["created_at"]),
        datacontenttype="application/json",
        operatorid=event["operator_id"],
        data=Raw(event["payload"]),
        traceparent=UNSET if traceparent is None else traceparent,
        sessionid=UNSET if session_id is None else session_id,
        sequence=UNSET if seq is None else str(seq),
    )


async def session_events(store: Store, operator_id: str, session_id: str, after_seq: int) -> bytes:
    """Events of a session behind `after_seq`, for a receiver that misses some. Raises Problem."""
    session = await read_session(store, operator_id, session_id)
    events = await store.list_events(operator_id, session_id, after_seq, EVENTS_MAX)
    last_seq = session["event_count"]
    more = bool(events) and events[-1]["seq"] < last_seq
    return encode(EventsAnswer([envelope(event) for event in events], last_seq, more))
