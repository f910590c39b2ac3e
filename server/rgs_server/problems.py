"""Errors as the API shows them: application/problem+json (RFC 9457) with a code to act upon.

Every answer says whether to retry and whether money may have moved; docs/api.md lists the codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

MoneyState = Literal["none", "moved", "unknown"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One error code: its status, its title and whether the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False
    money_state: MoneyState = "none"


KINDS: dict[str, Kind] = {
    "VALIDATION_FAILED": Kind(400, "The request is malformed"),
    "AMOUNT_PRECISION": Kind(400, "The amount has more decimals than its currency"),
    "IDEMPOTENCY_KEY_REQUIRED": Kind(400, "A money step needs an idempotency key"),
    "SIGNATURE_INVALID": Kind(401, "The request is not signed by a known key"),
    "TIMESTAMP_SKEW": Kind(401, "The timestamp is outside the window"),
    "FORBIDDEN": Kind(403, "This key may not do that"),
    "RG_BLOCKED": Kind(403, "The player is blocked"),
    "BUILD_NOT_CERTIFIED": Kind(403, "The operator may not offer this build"),
    "NOT_FOUND": Kind(404, "No such resource"),
    "SESSION_UNKNOWN": Kind(404, "No such session"),
    "SPIN_UNKNOWN": Kind(404, "No such spin"),
    "GAME_UNKNOWN": Kind(404, "No such game"),
    "METHOD_NOT_ALLOWED": Kind(405, "This resource does not take the method"),
    "IDEMPOTENCY_CONFLICT": Kind(409, "The key or the spin belongs to another request"),
    "ROUND_ALREADY_CLOSED": Kind(409, "The round was played already"),
    "BODY_TOO_LARGE": Kind(413, "The body is too large"),
    "STAKE_NOT_ALLOWED": Kind(422, "The game does not take this stake"),
    "ROUND_UNPLAYABLE": Kind(500, "The round cannot be drawn; nothing was written"),
    "INTERNAL": Kind(500, "The outcome is unknown; repeat the same request", True, "unknown"),
    "OVERLOADED": Kind(503, "Too many spins are waiting; nothing was started", True),
    "BUILD_UNAVAILABLE": Kind(503, "The session's build is not loaded here; nothing was started", True),
    "MAINTENANCE": Kind(503, "The service is stopping; nothing was started", True),
}


class Problem(Exception):
    """Raised anywhere below a handler; becomes the answer."""

    def __init__(self, code: str, detail: str, *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.kind = KINDS[code]

    @property
    def retry_after_ms(self) -> int | None:
        """When to try again, for codes that may succeed later."""
        return 1000 if self.kind.retryable else None

    def body(self, instance: str, trace_id: str) -> bytes:
        """The problem document."""
        return orjson.dumps(
            {
                "type": f"urn:rgs-core:problem:{self.code}",
                "title": self.kind.title,
                "status": self.kind.status,
                "detail": self.detail.encode(errors="replace").decode(),
                "instance": instance.encode(errors="replace").decode(),
                "code": self.code,
                "retryable": self.kind.retryable,
                "retry_after_ms": self.retry_after_ms,
                "money_state": self.kind.money_state,
                "trace_id": trace_id,
                "errors": self.errors,
            }
        )
