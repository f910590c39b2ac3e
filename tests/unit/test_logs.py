"""Lines of the log: their form, what never is in them, and a reader that does not read."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rgs_server.client import Credentials
from rgs_server.clock import system_clock
from rgs_server.logs import BufferedLines, json_lines
from rgs_server.redaction import REDACTED, redacted
from rgs_server.telemetry.traceparent import read_traceparent
from rgs_server.wallet_api import Wallet
from rgs_server.webhooks import Receiver, new_secret

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, Logged]]:
    """A logger, and the lines that it has written."""
    stream = io.StringIO()
    handler = BufferedLines(stream)
    handler.setFormatter(json_lines(lambda: {"trace_id": "ab" * 16}))
    logger = logging.Logger("rgs.test", logging.DEBUG)
    logger.addHandler(handler)

    def lines() -> list[dict[str, Any]]:
        handler.close()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield logger, lines
    handler.close()


def test_a_line_says_when_who_what_and_for_which_request(log: tuple[logging.Logger, Logged]) -> None:
    logger, lines = log
    logger.warning("%d spins", 3, extra={"spin_id": "spin-1", "duration_ms": 1.5})
    try:
        raise ValueError("wrong")
    except ValueError:
        logger.exception("it failed")
    first, second = lines()
    assert list(first) == ["ts", "level", "logger", "pid", "message", "trace_id", "spin_id", "duration_ms"]
    assert (first["level"], first["logger"], first["pid"]) == ("warning", "rgs.test", os.getpid())
    assert (first["message"], first["spin_id"], first["duration_ms"]) == ("3 spins", "spin-1", 1.5)
    assert first["ts"].endswith("Z")
    assert second["traceback"].endswith("ValueError: wrong")
    assert first["trace_id"] == "ab" * 16


def test_lines_are_json_whatever_is_in_them(log: tuple[logging.Logger, Logged]) -> None:
    logger, lines = log
    logger.info("a surrogate \udc80, a newline\nand %s", "\x00")
    logger.info("fine", extra={"odd": object})
    assert len(lines()) == 2


# Formed as the service makes them, and the same in every run.
RANDOM = hashlib.sha256(b"a secret").digest()
SEED = RANDOM.hex()
URLSAFE = base64.urlsafe_b64encode(RANDOM).rstrip(b"=").decode()
BASE64 = base64.b64encode(RANDOM).decode()
WEBHOOK = f"whsec_{BASE64}"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJwbGF5ZXItMSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"the key is {SEED}", SEED),
        (f"the key is {SEED.upper()}.", SEED.upper()),
        (f"X-Signature: v1={SEED}", SEED),
        (f"client_secret={URLSAFE}&grant_type=client_credentials", URLSAFE),
        (f"secret {URLSAFE}", URLSAFE),
        (f"sent with {WEBHOOK}", WEBHOOK),
        (f"webhook-signature: v1,{BASE64}", BASE64),
        (f"Authorization: Bearer {JWT}", JWT),
        (f"token '{JWT}'", JWT),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("postgresql://rgs_worker:Pa55-w0rd@db/rgs does not answer", "Pa55-w0rd"),
        ("{'player_id': 'p-jane-doe', 'session_id': 's-1'}", "p-jane-doe"),
        ('{"player_id":"p-jane-doe","session_id":"s-1"}', "p-jane-doe"),
        ("Session(player_id='p-jane-doe', game_id='g')", "p-jane-doe"),
        ("POST /rgs/v1/players/p-jane-doe/flags HTTP/1.1", "p-jane-doe"),
        ("DETAIL:  Key (player_id, game_id, operator_id)=(p-jane-doe, g, op) already exists.", "p-jane-doe"),
        ("DETAIL:  Failing row contains (op, s-1, p-jane-doe, \\x00ff).", "p-jane-doe"),
    ],
)
def test_secrets_and_players_are_taken_out(text: str, secret: str) -> None:
    assert secret in text
    found = redacted(text)
    assert secret not in found
    assert REDACTED in found


@pytest.mark.parametrize(
    "text",
    [
        f"session s-1 needs build sha256:{'0a' * 32}, which is not loaded",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 of spin spin-8f14e45f-ceea-467f-9d3a-6a1d0f0a6a54",
        "http://127.0.0.1:8080/rgs/v1/rounds/r-1",
        "the wallet refused the stake: INSUFFICIENT_FUNDS",
    ],
)
def test_what_is_needed_to_find_a_round_stays(text: str) -> None:
    assert redacted(text) == text


def test_tracebacks_and_fields_are_redacted_too(log: tuple[logging.Logger, Logged]) -> None:
    logger, lines = log
    try:
        raise ValueError(f"cannot use {SEED}")
    except ValueError:
        logger.exception("failed with %s", URLSAFE, extra={"note": WEBHOOK, "jwt": "short", "player_id": "p-jane-doe"})
    text = json.dumps(lines())
    assert not [secret for secret in (SEED, URLSAFE, WEBHOOK, "short", "p-jane-doe") if secret in text]
    assert "ValueError" in text


def test_secrets_that_the_service_makes_are_known_by_their_form() -> None:
    for secret in (new_secret(), secrets.token_urlsafe(32), secrets.token_hex(32)):
        assert secret not in redacted(f"secret: {secret}, {secret}")


def test_what_holds_a_secret_does_not_show_it() -> None:
    held = [
        Wallet("https://w.example", "key-1", b"hidden"),
        Receiver("https://r.example", "hidden", None, system_clock),  # type: ignore[arg-type]
        Credentials("https://s.example", "op", "key-1", "hidden"),
    ]
    assert "hidden" not in repr(held)


def test_a_reader_that_does_not_read_holds_nobody_up_and_what_is_dropped_is_counted() -> None:
    read_end, write_end = os.pipe()
    dropped: list[None] = []
    received = bytearray()

    def read() -> None:
        while chunk := os.read(read_end, 1 << 16):
            received.extend(chunk)

    reader = threading.Thread(target=read)
    with os.fdopen(write_end, "w") as stream:
        handler = BufferedLines(stream, lines_max=50)
        handler.dropped = lambda: dropped.append(None)
        logger = logging.Logger("rgs.test", logging.DEBUG)
        logger.addHandler(handler)
        for _ in range(5000):  # far more than a pipe and the buffer hold
            logger.info("x" * 1000)
        reader.start()
        handler.close()
    reader.join(20)
    os.close(read_end)
    assert dropped
    assert received.count(b"\n") == 5000 - len(dropped)


@pytest.mark.parametrize(
    ("header", "valid"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", True),
        ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", True),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", False),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
        ("", False),
    ],
)
def test_traceparent_is_read_as_w3c_says(header: str, valid: bool) -> None:
    found = read_traceparent(header)
    assert (found is not None) == valid
    if found is not None:
        assert found.sampled == (header.split("-")[3] == "01")
