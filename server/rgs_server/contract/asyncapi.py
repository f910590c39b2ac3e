"""The AsyncAPI 3.0 document, made of the types from which events are encoded."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from rgs_core import __version__
from rgs_server.contract.events import EVENTS, CloudEvent, Event, type_of

Json = dict[str, Any]

MEDIA_TYPE = "application/cloudevents+json"
DESCRIPTION = """\
What the service did, as CloudEvents 1.0 (structured JSON), at least once: skip an `id` that you have.

* **Order.** `sequence` numbers the events of a session without gaps, in the order in which they were committed; deliveries
  can overtake each other. What is missing is read with `GET /rgs/v1/sessions/{session_id}/events?after_seq=`.
* **Growth.** Fields and types of events are only added. Skip what you do not know.
"""
HEADERS: dict[str, str] = {
    "webhook-id": "the `id` of the event",
    "webhook-timestamp": "seconds since 1970; refuse what is minutes old",
    "webhook-signature": "`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks)",
}


def reference(*path: str) -> Json:
    return {"$ref": "#/" + "/".join(path)}


@cache
def asyncapi_document() -> Json:
    """The whole document. Callers do not change it."""
    _, found = msgspec.json.schema_components([*EVENTS, CloudEvent], ref_template="#/components/schemas/{name}")
    envelope = found["CloudEvent"]
    names = [type_of(kind) for kind in EVENTS]
    every = {name: reference("components", "messages", name) for name in names}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "rgs-core events",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {
            "bus": {
                "address": "rgs.{operator}.{type}",
                "title": "NATS JetStream",
                "description": "Subjects of the stream. The header `Nats-Msg-Id` is the `id` of the event.",
                "parameters": {
                    "operator": {
                        "description": "the operator's id; what is not a letter, a digit, `-` or `_` is written as `=` and "
                        "two hex digits for each byte of UTF-8"
                    },
                    "type": {"description": "of the event", "enum": names},
                },
                "messages": every,
            },
            "webhook": {
                "address": None,
                "title": "The operator's receiver",
                "description": "POST to the address that the operator has named, signed as Standard Webhooks has it.",
                "messages": every,
                "bindings": {"http": {"bindingVersion": "0.3.0"}},
            },
        },
        "operations": {
            "publishEvent": {
                "action": "send",
                "channel": reference("channels", "bus"),
                "summary": "Publish an event on the bus",
            },
            "deliverEvent": {
                "action": "send",
                "channel": reference("channels", "webhook"),
                "summary": "Deliver an event to the operator's receiver",
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
            },
        },
        "components": {
            "messages": {type_of(kind): message(kind, envelope) for kind in EVENTS},
            "schemas": found,
        },
    }


def message(kind: type[Event], envelope: Json) -> Json:
    """The message object of a kind of events: its envelope around its data."""
    name = type_of(kind)
    payload = {
        **envelope,
        "title": f"{kind.__name__}Message",
        "properties": {
            **envelope["properties"],
            "type": {"const": name},
            "data": reference("components", "schemas", kind.__name__),
        },
    }
    headers = {name: {"type": "string", "description": text} for name, text in HEADERS.items()}
    return {
        "name": name,
        "title": name,
        "summary": kind.__doc__,
        "contentType": MEDIA_TYPE,
        "payload": payload,
        "headers": {"type": "object", "properties": headers, "description": "of webhooks"},
    }
