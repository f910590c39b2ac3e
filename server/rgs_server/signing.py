"""Signatures of requests between servers: HMAC-SHA256 over a canonical string.

    METHOD \\n path \\n sorted query \\n timestamp \\n nonce \\n hex(SHA-256(body))

Path and query are taken as they are sent, percent-encoded. docs/api.md shows the same in shell.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from rgs_server.clock import read_time, time_text

KEY_ID, TIMESTAMP, NONCE, SIGNATURE = "X-Key-Id", "X-Timestamp", "X-Nonce", "X-Signature"
HEADERS = (KEY_ID, TIMESTAMP, NONCE, SIGNATURE)
VERSION = "v1="


def canonical_string(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """The bytes that are signed; `target` is path and query as in the request line."""
    path, _, query = target.partition("?")
    ordered = "&".join(sorted(query.split("&"))) if query else ""
    return "\n".join([method, path, ordered, timestamp, nonce, hashlib.sha256(body).hexdigest()]).encode()


def sign(secret: bytes, method: str, target: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 of the canonical string."""
    return hmac.digest(secret, canonical_string(method, target, timestamp, nonce, body), "sha256").hex()


def headers(key_id: str, secret: bytes, method: str, target: str, body: bytes = b"") -> dict[str, str]:
    """Headers that sign a request now."""
    timestamp, nonce = now_text(), secrets.token_hex(12)
    signature = sign(secret, method, target, timestamp, nonce, body)
    return {KEY_ID: key_id, TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: f"{VERSION}{signature}"}


def verified(secret: bytes, given: Mapping[str, str], method: str, target: str, body: bytes) -> bool:
    """Whether one of the signatures of a request is right. Takes the same time for any wrong one."""
    expected = sign(secret, method, target, given.get(TIMESTAMP, ""), given.get(NONCE, ""), body)
    offered = [s.strip().removeprefix(VERSION) for s in given.get(SIGNATURE, "").split(",") if VERSION in s]
    matches = [hmac.compare_digest(expected.encode(), s.encode(errors="replace")) for s in offered[:4]]
    return any(matches)


def plainly_verified(secret: bytes, given: Mapping[str, str], body: bytes) -> bool:
    """Whether a request is signed in the plain form: the hex HMAC-SHA256 of its body, and nothing else.

    It says neither when nor where to: whoever sees such a request can send it again, to any path. An empty body is
    never right, since its signature would open every path for ever.
    """
    expected = hmac.digest(secret, body, "sha256").hex()
    right = hmac.compare_digest(expected.encode(), given.get(SIGNATURE, "").strip().encode(errors="replace"))
    return right and bool(body)


def skew_seconds(timestamp: str, now: datetime) -> float | None:
    """Distance of a timestamp from now; None when it is not RFC 3339 in UTC with milliseconds."""
    then = read_time(timestamp)
    return None if then is None else abs((now - then).total_seconds())


def now_text() -> str:
    """The present as `time_text`."""
    return time_text(datetime.now(UTC))
