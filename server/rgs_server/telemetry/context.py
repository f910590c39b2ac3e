"""What a request is called in logs, problems and traces. Made for each request; read only where something is written."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from typing import NamedTuple

from aiohttp import web

from rgs_server.gate import CALLER, OPERATION

TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
IDS = ("session_id", "round_id", "spin_id", "txn_id")
"""Of what stands in paths, that which is written to logs. Ids of players are not: they are personal data."""
ID_CHARS_MAX = 128


class TraceParent(NamedTuple):
    """Where a caller is in its trace (W3C Trace Context, level 1, section 3.2)."""

    trace_id: str
    span_id: str
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def read_traceparent(header: str) -> TraceParent | None:
    """None where the header is not valid, which is then treated as if it were not there (section 3.2.2)."""
    match = TRACEPARENT.fullmatch(header)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if set(match[2]) == {"0"} or set(match[3]) == {"0"}:
        return None
    return TraceParent(match[2], match[3], bool(int(match[4], 16) & 1))


class RequestContext:
    """The names of one request. Nothing is read of it before somebody asks: most requests write no line."""

    __slots__ = ("_read", "_request", "_trace_id", "_traceparent")

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._read = False
        self._traceparent: TraceParent | None = None
        self._trace_id: str | None = None

    @property
    def traceparent(self) -> TraceParent | None:
        """What the caller sent, where that is valid."""
        if not self._read:
            self._traceparent = read_traceparent(self._request.headers.get("traceparent", ""))
            self._read = True
        return self._traceparent

    @property
    def trace_id(self) -> str:
        """That of the caller's trace, or one of our own."""
        if self._trace_id is None:
            given = self.traceparent
            self._trace_id = secrets.token_hex(16) if given is None else given.trace_id
        return self._trace_id

    def fields(self) -> dict[str, str]:
        """What a line of the log says of the request."""
        request = self._request
        found = {"trace_id": self.trace_id}
        operation, caller = request.get(OPERATION), request.get(CALLER)
        if operation is not None:
            found["operation"] = operation.operation_id
        if caller is not None:
            found["operator"] = caller.operator_id
        for name in IDS:
            if name in request.match_info:
                found[name] = request.match_info[name][:ID_CHARS_MAX]
        return found


CONTEXT: ContextVar[RequestContext | None] = ContextVar("request", default=None)
"""The request that is being answered here, where there is one."""


def current_fields() -> dict[str, str]:
    """What a line says of the request that is being answered; nothing outside of requests."""
    context = CONTEXT.get()
    return {} if context is None else context.fields()
