"""What tests of events share: a service with a bus, operators, the AsyncAPI document as a check."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema
from rgs_server.client import Credentials
from rgs_server.contract.asyncapi import asyncapi_document
from rgs_server.operators import Rules
from rgs_server.store import Store
from service_process import Send, Service, run, sending

_numbers = itertools.count()
CREDENTIALS: dict[str, Credentials] = {}


def service_with_bus(folder: Path) -> Iterator[Service]:
    """A service with a bus of its own, as the body of a fixture."""
    running = Service(folder, workers=2, nats_url="embedded", sweep_s=3600)
    running.start()
    yield running
    assert running.stop() == 0
    running.remove()


def with_store(own: Service, job: Callable[[Store], Awaitable[Any]]) -> Any:
    async def connected() -> Any:
        connection = await asyncpg.connect(own.database_url)
        try:
            return await job(Store(connection))
        finally:
            await connection.close()

    return run(connected())


def new_operator(own: Service, **rules: Any) -> tuple[str, Send]:
    operator_id = f"op.odd*>{next(_numbers)}"
    CREDENTIALS[operator_id] = own.add_operator(operator_id)
    send = sending(own, CREDENTIALS[operator_id])
    if rules:
        own.change_operator(operator_id, rules=Rules(**rules))
    return operator_id, send


def check(event: dict[str, Any]) -> None:
    """The event fits its message of the document."""
    document = asyncapi_document()
    schema = document["components"]["messages"][event["type"]]["payload"]
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(event)


def events_of(own: Service, operator_id: str) -> list[asyncpg.Record]:
    return run(own.fetch("SELECT * FROM events WHERE operator_id = $1 ORDER BY event_seq", operator_id))


def now() -> datetime:
    return datetime.now(UTC)
