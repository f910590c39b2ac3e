"""Spans of what a request does, for OpenTelemetry, as far as its caller asks for them.

A trace begins at the platform: a request is part of one where its `traceparent` is sampled, and of none otherwise. The trace is
written down with the round (wallet_steps, outbox), so that a credit or an event that another worker sends hours later still
belongs to it. Without RGS_TRACES_URL there are no spans, and the caller's `traceparent` is handed on as it came. The libraries
are those of the extra `telemetry`; nothing of them is imported before tracing is switched on.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Literal

from rgs_core import __version__
from rgs_server.config import ConfigError
from rgs_server.telemetry.traceparent import read_traceparent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Role = Literal["server", "internal", "client", "producer"]
EXPORT_TIMEOUT_S = 5
QUEUE_SPANS = 4096


class Tracing:
    """Begins spans. `provider` None: there are none."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("rgs_server", __version__)

    def begin(
        self, name: str, parent: str | None, role: Role, began_ns: int | None = None, **attributes: str | int
    ) -> Span | None:
        """A span below `parent`, a traceparent; `began_ns`: since the epoch, where that was not now. None where nobody asks
        for it."""
        if self._tracer is None or parent is None:
            return None
        above = read_traceparent(parent)
        if above is None or not above.sampled:
            return None
        from opentelemetry import trace

        remote = trace.SpanContext(int(above.trace_id, 16), int(above.span_id, 16), True, trace.TraceFlags(1))
        span = self._tracer.start_span(
            name,
            trace.set_span_in_context(trace.NonRecordingSpan(remote)),
            trace.SpanKind[role.upper()],
            {f"rgs.{key}": value for key, value in attributes.items()},
            start_time=began_ns,
        )
        return Span(self, span)

    async def stop(self) -> None:
        """Sends what waits, beside the loop."""
        if self._provider is not None:
            await asyncio.to_thread(self._provider.shutdown)


class Span:
    """Something that takes time. End it."""

    __slots__ = ("_span", "_tracing", "traceparent")

    def __init__(self, tracing: Tracing, span: Any) -> None:
        self._tracing = tracing
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def rename(self, name: str, **attributes: str | int) -> None:
        """What it is, once that is known."""
        self._span.update_name(name)
        for key, value in attributes.items():
            self._span.set_attribute(f"rgs.{key}", value)

    def end(self, fault: str = "") -> None:
        """`fault`: what went wrong, in words of ours."""
        if fault:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, fault))
        self._span.end()

    def contained(self, name: str, seconds: float, **attributes: str | int) -> None:
        """Something within it that has just ended and took so long."""
        began_ns = time.time_ns() - int(seconds * 1e9)
        span = self._tracing.begin(name, self.traceparent, "internal", began_ns, **attributes)
        if span is not None:
            span.end()


def tracing_to(url: str) -> Tracing:
    """Spans go to an OTLP/HTTP receiver, such as http://127.0.0.1:4318/v1/traces; "": nowhere. Raises ConfigError where the
    libraries are missing."""
    if not url:
        return Tracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
    except ImportError as error:
        raise ConfigError(f"RGS_TRACES_URL needs OpenTelemetry ({error}): pip install 'rgs-core[telemetry]'") from None
    resource = Resource.create({"service.name": "rgs-core", "service.version": __version__})
    # Who asks for a span has decided already.
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS, schedule_delay_millis=1000, max_export_batch_size=512)
    )
    return Tracing(provider)
