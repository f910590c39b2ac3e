"""Errors as the API shows them: application/problem+json (RFC 9457) with a code to act upon.

Every answer says whether to retry and whether money may have moved. `KINDS` is the list: the OpenAPI document and
the pages under /docs/problems are made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MoneyState = Literal["none", "moved", "unknown"]
PAGES = "/docs/problems/"
"""Where the page of each code is."""
RETRY_AFTER_MS = 1000
"""When to try again where nothing better is known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One error code: its status, its title, what the caller does, and whether the same request may succeed later."""

    status: int
    title: str
    remedy: str
    retryable: bool = False
    money_state: MoneyState = "none"


KINDS: dict[str, Kind] = {
    "VALIDATION_FAILED": Kind(
        400,
        "The request is malformed",
        "Correct what `detail` names; `errors` has the path where a field is missing or of another type.",
    ),
    "AMOUNT_PRECISION": Kind(
        400,
        "The amount has more decimals than its currency",
        "Send no more decimals than the currency has: nothing is rounded.",
    ),
    "IDEMPOTENCY_KEY_REQUIRED": Kind(
        400,
        "A money step needs an idempotency key",
        "Send `idempotency_key` in the body or the header `Idempotency-Key`.",
    ),
    "SIGNATURE_INVALID": Kind(
        401,
        "The request is not signed by a known key",
        "Check key id, secret and the canonical string; sign the bytes that are sent.",
    ),
    "KEY_RETIRED": Kind(401, "The key is retired", "Sign with a newer key of the operator."),
    "TIMESTAMP_SKEW": Kind(401, "The timestamp is outside the window", "Set the clock, and sign anew."),
    "NONCE_REUSED": Kind(
        401,
        "A request with this nonce was taken before",
        "Sign the same request again, with a new nonce and the present time; its idempotency key stays, so the answer "
        "tells what the first one did.",
        False,
        "unknown",
    ),
    "TOKEN_INVALID": Kind(
        401, "The token is refused", "Send a token as it was issued; `detail` says what is wrong with this one."
    ),
    "TOKEN_EXPIRED": Kind(401, "The token has expired", "Get a new token, then repeat the same request."),
    "TOKEN_KEY_UNKNOWN": Kind(
        401, "The token is signed by a key that is not known", "Get a new token; the key may have been retired."
    ),
    "CLIENT_INVALID": Kind(
        401, "The client is unknown, or its secret is wrong", "Check `client_id` and `client_secret`."
    ),
    "LOGIN_REFUSED": Kind(
        401, "The name or the password is wrong", "Ask for a new password: `rgs-server console NAME`."
    ),
    "LOGIN_REQUIRED": Kind(401, "Somebody has to log in", "Log in at `/console`."),
    "GRANT_UNSUPPORTED": Kind(400, "The grant is not served", "Use `grant_type=client_credentials`."),
    "SCOPE_INVALID": Kind(400, "The client has no such scope", "Ask for scopes of the client, or leave `scope` out."),
    "PLAYER_TOKEN_REQUIRED": Kind(
        401, "A token of the player is needed", "Send the player's token in `jwt`: the operator has agreed to."
    ),
    "PLAYER_TOKEN_INVALID": Kind(
        401, "The player's token is refused", "Sign a new token; `detail` says what is wrong with this one."
    ),
    "PLAYER_TOKEN_AUDIENCE": Kind(
        401, "The player's token is for somebody else", "Sign a token whose `aud` is the agreed one, alone."
    ),
    "PLAYER_TOKEN_EXPIRED": Kind(401, "The player's token has expired", "Sign a new token, then repeat."),
    "PLAYER_TOKEN_KEY_UNKNOWN": Kind(
        401, "The player's token is signed by a key that is not published", "Publish the key, or sign with one that is."
    ),
    "PLAYER_TOKEN_REPLAYED": Kind(
        401, "The player's token has opened another session", "Sign a new token, with a new `jti`, for each session."
    ),
    "SCOPE_MISSING": Kind(403, "The token is not good for this", "Get a token with the scope that `detail` names."),
    "ORIGIN_FORBIDDEN": Kind(
        403,
        "The page that called is of no origin of the operator",
        "Register the origin of the loader; a server sends no `Origin`.",
    ),
    "FORBIDDEN": Kind(
        403,
        "This key may not do that",
        "Use a key of the operator that the request names, from its networks and with its certificate.",
    ),
    "RG_BLOCKED": Kind(403, "The player is blocked", "Do not offer play to this player."),
    "RG_LIMIT": Kind(
        403, "The player's limit is reached", "The session takes no more stakes; open rounds are settled as ever."
    ),
    "RG_ACK_REQUIRED": Kind(
        403,
        "The player has to be reminded of the time first",
        "Show the reminder, then `POST /rgs/v1/sessions/{session_id}/acknowledgement`, and repeat.",
    ),
    "RG_BREAK": Kind(403, "The player has to take a break", "Wait `Retry-After`, then repeat.", True),
    "GEO_BLOCKED": Kind(403, "There is no play in this country", "Do not offer the game there."),
    "BUILD_NOT_CERTIFIED": Kind(
        403,
        "The operator may not offer this build, or not in this country",
        "Take a build of `GET /rgs/v1/games`; `POST /rgs/v1/builds/validate` names the reasons.",
    ),
    "NOT_FOUND": Kind(404, "No such resource", "See the list of operations in `/openapi.json`."),
    "SESSION_UNKNOWN": Kind(
        404, "No such session", "Open it with `POST /rgs/v1/sessions`; those of other operators do not exist for you."
    ),
    "SPIN_UNKNOWN": Kind(404, "No such spin", "Check the id; spins of other operators do not exist for you."),
    "ROUND_UNKNOWN": Kind(404, "No such round", "Check the id; rounds of other operators do not exist for you."),
    "TRANSACTION_UNKNOWN": Kind(
        404,
        "No such transaction",
        "Nothing was moved under this id. Ids are `stake:` or `win:` and the spin, `in:` and the transfer, `out:` and "
        "the session, and `void_` before those that were taken back.",
    ),
    "GAME_UNKNOWN": Kind(404, "No such game", "`GET /rgs/v1/games` lists yours."),
    "METHOD_NOT_ALLOWED": Kind(405, "This resource does not take the method", "Use one of the methods in `Allow`."),
    "VERSION_UNKNOWN": Kind(
        406,
        "No such version of the API",
        "Ask for `application/vnd.rgs.v1+json`, or use `/rgs/v1` and leave the version out of `Accept`.",
    ),
    "IDEMPOTENCY_CONFLICT": Kind(
        409,
        "The key or the spin belongs to another request",
        "Never use a key or an id for two requests; a new spin needs new ones.",
    ),
    "IDEMPOTENCY_IN_PROGRESS": Kind(
        409,
        "The first request with this key is still under way",
        "Wait `Retry-After`, then repeat the same request with the same key: it gets the answer of the first one.",
        True,
        "unknown",
    ),
    "ROUND_ALREADY_CLOSED": Kind(409, "The round has ended already", "Open a new round with a new `round_id`."),
    "ROUND_OPEN": Kind(
        409,
        "A round is open",
        "End the round that `detail` names, then repeat: make the choice that it waits for, settle it or void it.",
    ),
    "CHOICE_NOT_OFFERED": Kind(
        422,
        "The round does not ask for that",
        "`GET /rgs/v1/rounds/{round_id}` says in `awaiting` which step it waits for and what can be chosen.",
    ),
    "AUDIT_PENDING": Kind(
        409,
        "The audit log has not signed this yet",
        "Repeat after `Retry-After`: what has happened is in the signed log within seconds.",
        True,
    ),
    "SESSION_CLOSED": Kind(409, "The session is closed", "Open a new one; rounds that were played stay as they are."),
    "BODY_TOO_LARGE": Kind(413, "The body is too large", "Bodies have at most 64 KiB unless the operator set more."),
    "MODE_NOT_ALLOWED": Kind(
        422,
        "The game is not played in this mode here",
        "Take a mode of `GET /rgs/v1/games`; some markets forbid bonus buys.",
    ),
    "STAKE_NOT_ALLOWED": Kind(
        422,
        "The game does not take this stake",
        "Send a multiple of `stake_step_minor`, in the session's currency.",
    ),
    "TOO_FAST": Kind(422, "The last round is not over", "Wait `Retry-After`, then repeat.", True),
    "INSUFFICIENT_FUNDS": Kind(
        422,
        "The balance is below the stake",
        "Transfer money in, or play a smaller stake. What the platform's wallet refused stays refused: a new spin needs a "
        "new id.",
    ),
    "WALLET_REFUSED": Kind(
        422,
        "The platform's wallet refused the stake",
        "`detail` has its reason. Nothing was drawn; a new spin needs a new id.",
    ),
    "RESOLUTION_REFUSED": Kind(
        409,
        "The step cannot be closed by hand like this",
        "Only steps that have failed are, and as the first person proposed it.",
    ),
    "WALLET_MISMATCH": Kind(
        422,
        "The money of this session is held elsewhere",
        "Transfers are for sessions with `wallet` `transfer`; settlement and void for those with `platform`.",
    ),
    "RATE_LIMITED": Kind(
        429,
        "The operator sends more than was agreed; nothing was started",
        "Wait `retry_after_ms`, then repeat. Calls that finish money are never limited.",
        True,
    ),
    "ROUND_UNPLAYABLE": Kind(
        500,
        "The round cannot be drawn; nothing was written",
        "Open a new session, and report the session to the operator of the service.",
    ),
    "INTERNAL": Kind(
        500,
        "The outcome is unknown; repeat the same request",
        "Repeat the same request with the same key: the answer tells what happened.",
        True,
        "unknown",
    ),
    "WALLET_TIMEOUT": Kind(
        504,
        "The platform's wallet did not answer for the stake",
        "The debit is rolled back if it was made; nothing was drawn. Repeat the same request to learn how it ended.",
        True,
        "unknown",
    ),
    "OVERLOADED": Kind(
        503, "Too many requests are waiting; nothing was started", "Wait `Retry-After`, then repeat.", True
    ),
    "BUILD_UNAVAILABLE": Kind(
        503,
        "The session's build is not loaded here; nothing was started",
        "Repeat: another worker may have it. If it lasts, the service lacks the model or its master key.",
        True,
    ),
    "CLOCK_WRONG": Kind(
        503,
        "The clocks of the service differ; nothing was started",
        "Repeat later: no round begins until they agree. Open rounds are settled and paid as ever.",
        True,
    ),
    "PLAYER_KEYS_UNAVAILABLE": Kind(
        503,
        "The operator's keys cannot be fetched; nothing was started",
        "Repeat the same request; see that the place where you publish your keys answers.",
        True,
    ),
    "MAINTENANCE": Kind(503, "The service is stopping; nothing was started", "Repeat: another worker takes it.", True),
}


OAUTH_ERRORS = {
    "VALIDATION_FAILED": "invalid_request",
    "GRANT_UNSUPPORTED": "unsupported_grant_type",
    "SCOPE_INVALID": "invalid_scope",
    "CLIENT_INVALID": "invalid_client",
    "FORBIDDEN": "unauthorized_client",
    "ORIGIN_FORBIDDEN": "unauthorized_client",
    "INTERNAL": "server_error",
    "OVERLOADED": "temporarily_unavailable",
}
"""What OAuth 2.0 calls our codes (RFC 6749, section 5.2)."""


class FieldError(Struct, frozen=True):
    """Where a request is wrong."""

    path: Annotated[str, Meta(description="such as stake.amount")]
    message: str


class ProblemDocument(Struct, frozen=True):
    """RFC 9457, with what a machine needs to go on."""

    type: Annotated[str, Meta(description="page of the code, relative to the service")]
    title: str
    status: int
    detail: str
    instance: Annotated[str, Meta(description="path of the request")]
    code: Annotated[str, Meta(description="what to act upon; codes may be added", examples=list(KINDS))]
    retryable: Annotated[bool, Meta(description="the same request may succeed later")]
    retry_after_ms: int | None
    money_state: Annotated[MoneyState, Meta(description="whether money has moved")]
    trace_id: Annotated[str, Meta(description="that of `traceparent` where it was sent", pattern=r"^[0-9a-f]{32}$")]
    errors: list[FieldError]
    error: Annotated[str | UnsetType, Meta(description="of `issueToken` only: the code of RFC 6749")] = UNSET
    error_description: Annotated[str | UnsetType, Meta(description="of `issueToken` only: `detail`")] = UNSET


class Problem(Exception):
    """Raised anywhere below a handler; becomes the answer."""

    def __init__(
        self, code: str, detail: str, *, errors: list[FieldError] | None = None, retry_after_ms: int | None = None
    ) -> None:
        """`retry_after_ms`: when the same request may succeed, where that is known."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.kind = KINDS[code]
        self.retry_after_ms = (retry_after_ms or RETRY_AFTER_MS) if self.kind.retryable else None

    def body(self, instance: str, trace_id: str, *, status: int | None = None, oauth: bool = False) -> bytes:
        """The problem document. `status`: where an operator asked for another one; `oauth`: as OAuth 2.0 has it, too."""
        detail = self.detail.encode(errors="replace").decode()
        return msgspec.json.encode(
            ProblemDocument(
                type=f"{PAGES}{self.code}",
                title=self.kind.title,
                status=status or self.kind.status,
                detail=detail,
                instance=instance.encode(errors="replace").decode(),
                code=self.code,
                retryable=self.kind.retryable,
                retry_after_ms=self.retry_after_ms,
                money_state=self.kind.money_state,
                trace_id=trace_id,
                errors=self.errors,
                error=OAUTH_ERRORS.get(self.code, "invalid_request") if oauth else UNSET,
                error_description=detail if oauth else UNSET,
            )
        )
