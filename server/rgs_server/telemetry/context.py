"""What a request is called in logs, problems and traces. Made for each request; read only where something is written."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Protocol

from rgs_server.gate import CALLER, OPERATION, Call
from rgs_server.telemetry.traceparent import read_traceparent
from rgs_server.telemetry.tracing import Span, Tracing

IDS = ("session_id", "round_id", "spin_id", "txn_id")
"""Of what stands in paths, that which is written to logs. Ids of players are not: they are personal data."""
ID_CHARS_MAX = 128


class NamedCall(Call, Protocol):
    """A request as the gate sees it, with what stands in its path."""

    @property
    def match_info(self) -> Mapping[str, str]: ...


class RequestContext:
    """The names of one request. Little is read of it before somebody asks: most requests write no line."""

    __slots__ = ("_request", "_trace_id", "_traceparent", "span")

    def __init__(self, request: NamedCall, tracing: Tracing | None = None) -> None:
        self._request = request
        header = request.headers.get("traceparent")
        self._traceparent = None if header is None else read_traceparent(header)
        self._trace_id: str | None = None
        self.span: Span | None = None
        """Of the request, where its caller asks for spans and somebody takes them."""
        if tracing is not None and self._traceparent is not None:
            self.span = tracing.begin("request", header, "server")

    @property
    def traceparent(self) -> str | None:
        """What is handed on to whom we call: our own place in the caller's trace, else the caller's."""
        if self.span is not None:
            return self.span.traceparent
        return None if self._traceparent is None else str(self._traceparent)

    @property
    def trace_id(self) -> str:
        """That of the caller's trace, or one of our own."""
        if self._trace_id is None:
            given = self._traceparent
            self._trace_id = secrets.token_hex(16) if given is None else given.trace_id
        return self._trace_id

    def end(self, status: int) -> None:
        """The request is answered."""
        if self.span is not None:
            fields = self.fields()
            fields.pop("trace_id")
            self.span.rename(fields.get("operation", self._request.method), status=status, **fields)
            self.span.end("" if status < 500 else f"answered with {status}")

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


def current_traceparent() -> str | None:
    """What is written down with what a request does, so that it stays a part of its trace."""
    context = CONTEXT.get()
    return None if context is None else context.traceparent
