"""One trace from the platform's request to its wallet and its events, seen by a receiver of OTLP over real HTTP."""

from __future__ import annotations

import gzip
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rgs_server.client import Credentials
from rgs_server.operators import Rules
from rgs_server.receivers import set_webhook
from rgs_server.telemetry.tracing import Tracing
from service_process import Service, free_port, run, session_body, spin_body, wait_for
from wallet_server import WalletServer

OPERATOR = "op-traced"
PLATFORM_SPAN = "00f067aa0ba902b7"


@dataclass(frozen=True)
class Seen:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failed: bool
    text: str


class Collector:
    """Takes spans at /v1/traces and events at /events."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.events: list[tuple[dict[str, Any], str | None]] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/traces":
                    collector.take(body)
                else:
                    collector.events.append((json.loads(body), self.headers.get("traceparent")))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.kind,
                            span.status.code == 2,
                            str(span),
                        )
                    )
                    assert span.end_time_unix_nano >= span.start_time_unix_nano

    def of(self, trace_id: str) -> dict[str, Seen]:
        """Spans of a trace by name; each once."""
        found = [span for span in self.spans if span.trace_id == trace_id]
        assert len({span.name for span in found}) == len(found)
        return {span.name: span for span in found}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.server.shutdown()
    server.server.server_close()


def seamless(service: Service, collector: Collector, wallet: WalletServer, credentials: Credentials) -> None:
    """An operator whose wallet and receiver are ours."""
    service.change_operator(OPERATOR, rules=Rules(wallets=["seamless"]), wallet=(wallet.url, credentials.key_id))
    config = replace(service.config, database_url=service.database_url)
    assert run(set_webhook(config, OPERATOR, f"{collector.url}/events"))


@dataclass(frozen=True)
class Platform:
    """Plays with and without traces."""

    service: Service
    credentials: Credentials
    wallet: WalletServer

    def play(self, name: str, traceparent: str | None) -> None:
        headers = {} if traceparent is None else {"traceparent": traceparent}
        session = session_body(f"s-{name}", OPERATOR, player_id=f"player-{name}")
        for path, body, given in (("sessions", session, {}), ("spins", spin_body(name, f"s-{name}"), headers)):
            reply = self.service.send("POST", f"/rgs/v1/{path}", body, credentials=self.credentials, headers=given)
            assert reply.status == 200, reply.body


@contextmanager
def serving(folder: Path, collector: Collector, traces_url: str) -> Iterator[Platform]:
    own = Service(folder, workers=2, traces_url=traces_url)
    own.start()
    credentials = own.add_operator(OPERATOR)
    with WalletServer(credentials.secret.encode()) as wallet:
        seamless(own, collector, wallet, credentials)
        yield Platform(own, credentials, wallet)
    assert own.stop() == 0
    own.remove()


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[dict[str, Platform]]:
    """A service that makes spans, and one that does not: both stay, since tests take turns with them."""
    folder = tmp_path_factory.mktemp("tracing")
    (folder / "spans").mkdir()
    (folder / "none").mkdir()
    with (
        serving(folder / "spans", collector, f"{collector.url}/v1/traces") as spans,
        serving(folder / "none", collector, "") as none,
    ):
        yield {"spans": spans, "none": none}


@pytest.fixture(params=["spans", "none"])
def platform(request: pytest.FixtureRequest, platforms: dict[str, Platform]) -> Platform:
    return platforms[request.param]


def event_of(collector: Collector, spin_id: str) -> tuple[dict[str, Any], str | None]:
    """The event of a spin, and the header that came with it."""

    def found() -> list[tuple[dict[str, Any], str | None]]:
        return [(event, header) for event, header in collector.events if event["data"].get("spin_id") == spin_id]

    wait_for(found)
    return found()[0]


@pytest.mark.parametrize("platform", ["spans"], indirect=True)
def test_one_trace_joins_request_commit_wallet_and_event(platform: Platform, collector: Collector) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    platform.play("joined", f"00-{trace_id}-{PLATFORM_SPAN}-01")
    names = {"playSpin", "commit", "wallet debit", "wallet credit", "deliver event"}
    wait_for(lambda: collector.of(trace_id).keys() == names, lambda: str(collector.of(trace_id).keys()))
    spans = collector.of(trace_id)
    top = spans.pop("playSpin")
    assert (top.parent_id, top.kind) == (PLATFORM_SPAN, 2)  # a server's
    assert {span.parent_id for span in spans.values()} == {top.span_id}
    assert not [span for span in (top, *spans.values()) if span.failed]
    # Wallet and receiver see the place of the call that they get; the event tells where it was caused.
    for kind in ("debit", "credit"):
        assert platform.wallet.traces[f"{kind}:joined"] == f"00-{trace_id}-{spans[f'wallet {kind}'].span_id}-01"
    event, header = event_of(collector, "joined")
    assert event["traceparent"] == f"00-{trace_id}-{top.span_id}-01"
    assert header == f"00-{trace_id}-{spans['deliver event'].span_id}-01"
    assert "s-joined" not in top.text  # in the body, which is not looked at
    assert "player-joined" not in "".join(span.text for span in (top, *spans.values()))


@pytest.mark.parametrize("platform", ["spans"], indirect=True)
def test_a_failed_call_is_a_failed_span(platform: Platform, collector: Collector) -> None:
    trace_id = "5bf92f3577b34da6a3ce929d0e0e4736"
    platform.wallet.faults["credit:player-failing"] = ["error"]
    platform.play("failing", f"00-{trace_id}-{PLATFORM_SPAN}-01")
    wait_for(lambda: [span for span in collector.spans if span.trace_id == trace_id and span.name == "wallet credit"])
    first = next(span for span in collector.spans if span.trace_id == trace_id and span.name == "wallet credit")
    assert first.failed
    assert "the wallet answered 500" in first.text


@pytest.mark.parametrize(
    ("platform", "flags"), [("spans", "00"), ("none", "00"), ("none", "01")], indirect=["platform"]
)
def test_a_traceparent_goes_on_as_it_came_where_there_are_no_spans(
    platform: Platform, collector: Collector, flags: str
) -> None:
    name = f"passed-{flags}-{bool(platform.service.config.traces_url)}"
    trace_id = "6bf92f3577b34da6a3ce929d0e0e4736"
    given = f"00-{trace_id}-{PLATFORM_SPAN}-{flags}"
    platform.play(name, given)
    event, header = event_of(collector, name)
    assert event["traceparent"] == header == given
    wait_for(lambda: f"credit:{name}" in platform.wallet.traces)
    assert {platform.wallet.traces[f"{kind}:{name}"] for kind in ("debit", "credit")} == {given}
    assert not [span for span in collector.spans if span.trace_id == trace_id]


SENT = ["4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736", "6bf92f3577b34da6a3ce929d0e0e4736"]
"""Ids of the traces of this module that are sampled."""


@pytest.mark.parametrize("header", [None, f"00-{'0' * 32}-{PLATFORM_SPAN}-01", "nonsense"])
def test_without_a_valid_traceparent_there_is_none(
    platform: Platform, collector: Collector, header: str | None
) -> None:
    name = f"none-{hash(header)}-{bool(platform.service.config.traces_url)}"
    platform.play(name, header)
    event, sent = event_of(collector, name)
    assert sent is None
    assert "traceparent" not in event
    assert platform.wallet.traces[f"debit:{name}"] is None
    if platform.service.config.traces_url:
        # Spans come later than answers: those of a request behind it have come when its own would have.
        last = f"{len(SENT):032x}"
        SENT.append(last)
        platform.play(f"after-{name}", f"00-{last}-{PLATFORM_SPAN}-01")
        wait_for(lambda: "playSpin" in collector.of(last))
    assert {span.trace_id for span in collector.spans} <= set(SENT)


def test_a_receiver_that_is_gone_costs_no_spin(tmp_path: Path) -> None:
    own = Service(tmp_path, workers=1, traces_url=f"http://127.0.0.1:{free_port()}/v1/traces", drain_timeout_ms=1000)
    own.start()
    try:
        headers = {"traceparent": f"00-{'7' * 32}-{PLATFORM_SPAN}-01"}
        assert own.send("POST", "/rgs/v1/sessions", session_body("s-1"), headers=headers).status == 200
        for n in range(20):
            assert own.send("POST", "/rgs/v1/spins", spin_body(f"lonely-{n}", "s-1"), headers=headers).status == 200
    finally:
        assert own.stop() == 0
        own.remove()


def test_nothing_of_opentelemetry_is_loaded_unless_it_is_asked_for() -> None:
    code = "import sys, rgs_server.worker; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
    assert Tracing().begin("x", f"00-{'7' * 32}-{PLATFORM_SPAN}-01", "server") is None


def test_a_missing_library_is_named_at_the_start() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
        "from rgs_server.telemetry.tracing import tracing_to\ntracing_to('http://127.0.0.1:4318/v1/traces')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "pip install 'rgs-core[telemetry]'" in done.stderr
