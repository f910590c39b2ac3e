"""The operations of the API, one entry each: routes, documents and tests are made of this table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from msgspec import Struct

from rgs_server.contract import answers
from rgs_server.contract.events import EventBatchAnswer, EventsAnswer
from rgs_server.contract.requests import (
    BuildRequest,
    ChoiceRequest,
    EventBatch,
    PlayerFlagsRequest,
    ResolutionRequest,
    SessionRequest,
    SettlementRequest,
    SpinRequest,
    TokenForm,
    TransferRequest,
    VoidRequest,
)

VERSION = 1
ROOT = "/rgs"
UNVERSIONED = ("/healthz", "/readyz", "/status", "/.well-known/")
SCOPES = {"play": "open sessions, play and finish rounds", "read": "read what is there"}
"""What an access token may be good for."""


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    `path` lies under /rgs/v1, or is absolute where it is not versioned. `problems` are the codes that a right but
    refused request can meet, beside those that every operation has (`COMMON`, and `SIGNED` where a signature is
    needed). `example` is a request that the sandbox answers with 200: its body, and `values` those of its path and query.
    """

    operation_id: str
    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: type[Struct]
    description: str = ""
    request: type[Struct] | None = None
    problems: tuple[str, ...] = ()
    signed: bool = True
    repeatable: bool = False  # answers twice with the same bytes, and says so
    form: bool = False  # takes a form instead of JSON, and answers errors as OAuth 2.0 does
    finishes_money: bool = False  # settles, voids or closes what was begun, or keeps a player from more: has no quota
    parameters: dict[str, str] = field(default_factory=dict)  # what the values in the path are
    query: dict[str, str] = field(default_factory=dict)  # what the values in the query are; none is needed
    example: dict[str, object] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    body_bytes_max: int = 0  # where it may be more than RGS_BODY_BYTES_MAX
    deprecated_on: date | None = None
    sunset_on: date | None = None

    @property
    def versioned(self) -> bool:
        return not self.path.startswith(UNVERSIONED)

    @property
    def scope(self) -> str:
        """The scope that an access token needs for it."""
        return "read" if self.method == "GET" else "play"

    @property
    def full_path(self) -> str:
        return f"{ROOT}/v{VERSION}{self.path}" if self.versioned else self.path

    @property
    def codes(self) -> list[str]:
        """Every problem code that it can answer."""
        signed = (*SIGNED, *(() if self.finishes_money else LIMITED)) if self.signed else ()
        return list(dict.fromkeys([*self.problems, *signed, *(COMMON if self.versioned else ())]))


SIGNED = (
    "SIGNATURE_INVALID",
    "KEY_RETIRED",
    "TIMESTAMP_SKEW",
    "NONCE_REUSED",
    "TOKEN_INVALID",
    "TOKEN_EXPIRED",
    "TOKEN_KEY_UNKNOWN",
    "FORBIDDEN",
    "SCOPE_MISSING",
    "ORIGIN_FORBIDDEN",
)
LIMITED = ("RATE_LIMITED",)
COMMON = ("VERSION_UNKNOWN", "BODY_TOO_LARGE", "INTERNAL", "OVERLOADED")

SESSION_EXAMPLE: dict[str, object] = {
    "session_id": "s-1",
    "operator_id": "op-sandbox",
    "player_id": "p-1",
    "game_id": "g-BookOf…",
    "build_hash": "sha256:…",
    "geo": "DE",
    "currency": "EUR",
    "client_seed": "any words",
    "rg_flags": {"self_excluded": False, "time_limit_min": 60},
}
SPIN_EXAMPLE: dict[str, object] = {
    "spin_id": "spin-1",
    "round_id": "rnd-1",
    "session_id": "s-1",
    "stake": {"amount": "1.00", "currency": "EUR"},
    "spin_type": "cash",
    "idempotency_key": "spin-1",
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "openSession",
        "POST",
        "/sessions",
        "Open a session",
        answers.SessionAnswer,
        "A player's session with one build and one seed, whose SHA-256 is answered before the first spin. The same "
        "`session_id` with the same request gets the same bytes.",
        request=SessionRequest,
        problems=(
            "VALIDATION_FAILED",
            "PLAYER_TOKEN_REQUIRED",
            "PLAYER_TOKEN_INVALID",
            "PLAYER_TOKEN_AUDIENCE",
            "PLAYER_TOKEN_EXPIRED",
            "PLAYER_TOKEN_KEY_UNKNOWN",
            "PLAYER_TOKEN_REPLAYED",
            "PLAYER_KEYS_UNAVAILABLE",
            "RG_BLOCKED",
            "GEO_BLOCKED",
            "BUILD_NOT_CERTIFIED",
            "GAME_UNKNOWN",
            "IDEMPOTENCY_CONFLICT",
            "WALLET_MISMATCH",
        ),
        repeatable=True,
        example=SESSION_EXAMPLE,
    ),
    Operation(
        "playSpin",
        "POST",
        "/spins",
        "Play a round",
        answers.SpinAnswer,
        "Draws a paid spin with all that follows from it, and writes it before it answers. The same key with the same "
        "request gets the stored bytes, from every worker, after any crash; a new key never draws an old `spin_id` "
        "again.",
        request=SpinRequest,
        problems=(
            "VALIDATION_FAILED",
            "AMOUNT_PRECISION",
            "IDEMPOTENCY_KEY_REQUIRED",
            "SESSION_UNKNOWN",
            "IDEMPOTENCY_CONFLICT",
            "IDEMPOTENCY_IN_PROGRESS",
            "ROUND_ALREADY_CLOSED",
            "ROUND_OPEN",
            "SESSION_CLOSED",
            "RG_BLOCKED",
            "RG_LIMIT",
            "RG_ACK_REQUIRED",
            "RG_BREAK",
            "BUILD_NOT_CERTIFIED",
            "MODE_NOT_ALLOWED",
            "STAKE_NOT_ALLOWED",
            "TOO_FAST",
            "INSUFFICIENT_FUNDS",
            "WALLET_REFUSED",
            "WALLET_TIMEOUT",
            "ROUND_UNPLAYABLE",
            "CLOCK_WRONG",
            "OVERLOADED",
            "BUILD_UNAVAILABLE",
            "MAINTENANCE",
        ),
        repeatable=True,
        example=SPIN_EXAMPLE,
    ),
    Operation(
        "getSpin",
        "GET",
        "/spins/{spin_id}",
        "Read a round",
        answers.SpinRecord,
        "The record of a round with the last answer that was given. A round that waits for a choice has none yet.",
        problems=("SPIN_UNKNOWN", "ROUND_OPEN"),
        parameters={"spin_id": "id of the spin, percent-encoded"},
        values={"spin_id": "spin-1"},
    ),
    Operation(
        "listSpins",
        "GET",
        "/sessions/{session_id}/spins",
        "List the rounds of a session",
        answers.SpinsAnswer,
        "Rounds in the order in which they were played, with the answers that were given: for a player who asks, and for "
        "events that did not arrive. Nonces of a session have no gaps, so a missing one is seen.",
        problems=("VALIDATION_FAILED", "SESSION_UNKNOWN"),
        parameters={"session_id": "id of the session, percent-encoded"},
        query={
            "after_nonce": "rounds behind this one; without it from the first on",
            "last": "so many rounds at the end instead, from 1 to 100",
        },
        values={"session_id": "s-1"},
    ),
    Operation(
        "listEvents",
        "GET",
        "/sessions/{session_id}/events",
        "List the events of a session",
        EventsAnswer,
        "What was told of a session, in order, as it is delivered: for receivers that miss some. `sequence` has no gaps. Events "
        "are kept for 30 days or as the service is set, and for as long as somebody has not taken them.",
        problems=("VALIDATION_FAILED", "SESSION_UNKNOWN"),
        parameters={"session_id": "id of the session, percent-encoded"},
        query={"after_seq": "events behind this one; without it from the first that is kept"},
        values={"session_id": "s-1"},
    ),
    Operation(
        "reportEvents",
        "POST",
        "/events/batch",
        "Report events",
        EventBatchAnswer,
        "What the platform tells of its side: 1 to 500 events, 512 KiB, with a result for each. Those that are accepted are "
        "durable, and are told on the bus as `platform_event`, once. A `spin_finished` is compared with the round on record.",
        request=EventBatch,
        problems=("VALIDATION_FAILED",),
        body_bytes_max=1 << 19,
        example={
            "events": [
                {
                    "type": "spin_finished",
                    "ts": "2025-10-20T11:22:33.123Z",
                    "spin_id": "spin-1",
                    "round_id": "rnd-1",
                    "stake": 1.00,
                    "win": 3.40,
                    "currency": "EUR",
                    "game_id": "g-BookOf…",
                    "build_hash": "sha256:…",
                    "player_id": "p-1",
                    "operator_id": "op-sandbox",
                    "spin_type": "cash",
                }
            ]
        },
    ),
    Operation(
        "replaySpin",
        "GET",
        "/spins/{spin_id}/replay",
        "Replay a round",
        answers.ReplayAnswer,
        "Recomputes the round from its seed and nonce and compares it with the record, bit for bit.",
        problems=("SPIN_UNKNOWN", "ROUND_OPEN"),
        parameters={"spin_id": "id of the spin, percent-encoded"},
        values={"spin_id": "spin-1"},
    ),
    Operation(
        "getRound",
        "GET",
        "/rounds/{round_id}",
        "Read the money of a round",
        answers.RoundAnswer,
        "Where a round is: `awaiting_input` while the player has to choose, `open` while the platform has not settled it, "
        "then `completed` or `voided`. Rounds of operators that do not settle are completed with their spin.",
        problems=("ROUND_UNKNOWN",),
        parameters={"round_id": "id of the round, percent-encoded"},
        values={"round_id": "rnd-1"},
    ),
    Operation(
        "chooseInRound",
        "POST",
        "/rounds/{round_id}/choices",
        "Decide in a round",
        answers.SpinAnswer,
        "What the player decides where a round waits for it: a choice of the game, or whether its win is gambled. The answer "
        "is the round as far as it then comes. A step is decided once: the same option gets the same bytes, another one is "
        "a conflict. Rounds that nobody decides are decided for the player, with the first options.",
        request=ChoiceRequest,
        problems=(
            "VALIDATION_FAILED",
            "ROUND_UNKNOWN",
            "ROUND_ALREADY_CLOSED",
            "IDEMPOTENCY_CONFLICT",
            "CHOICE_NOT_OFFERED",
            "BUILD_UNAVAILABLE",
        ),
        repeatable=True,
        finishes_money=True,
        parameters={"round_id": "id of the round, percent-encoded"},
        example={"step": 1, "choice": "tide", "option": "spring"},
        values={"round_id": "rnd-3"},
    ),
    Operation(
        "recallRound",
        "GET",
        "/rounds/{round_id}/recall",
        "Recall a round",
        answers.RecallAnswer,
        "The round as it was shown: the grid, the wins and the awards of each of its spins, played again from its seed "
        "and compared with its record and with the answer of then. Also of builds that are served no more.",
        problems=("ROUND_UNKNOWN",),
        parameters={"round_id": "id of the round, percent-encoded"},
        values={"round_id": "rnd-1"},
    ),
    Operation(
        "settleRound",
        "POST",
        "/rounds/{round_id}/settlement",
        "Settle a round",
        answers.RoundAnswer,
        "The platform took the stake and paid the win, under these transactions of its own. A round that won nothing "
        "needs no `credit_tx`, but a settlement all the same. The same request gets the same bytes.",
        request=SettlementRequest,
        problems=(
            "VALIDATION_FAILED",
            "ROUND_UNKNOWN",
            "ROUND_ALREADY_CLOSED",
            "ROUND_OPEN",
            "IDEMPOTENCY_CONFLICT",
            "WALLET_MISMATCH",
        ),
        repeatable=True,
        finishes_money=True,
        parameters={"round_id": "id of the round, percent-encoded"},
        example={"debit_tx": "tx-1", "credit_tx": "tx-2"},
        values={"round_id": "rnd-1"},
    ),
    Operation(
        "voidRound",
        "POST",
        "/rounds/{round_id}/void",
        "Void a round",
        answers.RoundAnswer,
        "The stake was not taken, or was given back. A round that is not known is kept from ever being played, so that "
        "a request which is still under way cannot win. A settled round cannot be voided. Rounds that are voided after "
        "their outcome was known are counted.",
        request=VoidRequest,
        problems=(
            "VALIDATION_FAILED",
            "SESSION_UNKNOWN",
            "ROUND_UNKNOWN",
            "ROUND_ALREADY_CLOSED",
            "ROUND_OPEN",
            "IDEMPOTENCY_CONFLICT",
            "WALLET_MISMATCH",
        ),
        repeatable=True,
        finishes_money=True,
        parameters={"round_id": "id of the round, percent-encoded"},
        example={"session_id": "s-1", "reason": "the debit was refused"},
        values={"round_id": "rnd-2"},
    ),
    Operation(
        "countEndings",
        "GET",
        "/reports/endings",
        "Count how rounds ended",
        answers.EndingsAnswer,
        "Settled and voided rounds with their stakes and wins, in each currency.",
        problems=("VALIDATION_FAILED",),
        query={"since": "RFC 3339 in UTC with milliseconds; default: 30 days ago"},
    ),
    Operation(
        "reportDays",
        "GET",
        "/reports/days",
        "Report what was played",
        answers.ReportAnswer,
        "Rounds, stakes, gross and net wins and fees, by game, build, currency and day (UTC). A round that is voided later "
        "is taken out of its day.",
        problems=("VALIDATION_FAILED",),
        query={
            "first": "such as 2026-01-01; default: 30 days ago",
            "last": "included, at most 92 days on; default: today",
        },
    ),
    Operation(
        "listVerdicts",
        "GET",
        "/monitor/verdicts",
        "Read what live math monitoring found",
        answers.VerdictsAnswer,
        "The last verdict on the rounds of each build, mode and size of stake: once a day, when all rounds of the day are "
        "counted, and at once where it is `page`. When a cell comes to `investigate` or `page` the event `math_alert` says so.",
    ),
    Operation(
        "getSession",
        "GET",
        "/sessions/{session_id}",
        "Read a session",
        answers.SessionState,
        "Its balance and state, and the open rounds of its player in its game.",
        problems=("SESSION_UNKNOWN",),
        parameters={"session_id": "id of the session, percent-encoded"},
        values={"session_id": "s-1"},
    ),
    Operation(
        "transferIn",
        "POST",
        "/sessions/{session_id}/transfers",
        "Transfer money in",
        answers.TransactionAnswer,
        "Adds to the balance of a session with `wallet` `transfer`, once for each `transfer_id`.",
        request=TransferRequest,
        problems=(
            "VALIDATION_FAILED",
            "AMOUNT_PRECISION",
            "SESSION_UNKNOWN",
            "SESSION_CLOSED",
            "IDEMPOTENCY_CONFLICT",
            "WALLET_MISMATCH",
        ),
        repeatable=True,
        parameters={"session_id": "id of the session, percent-encoded"},
        example={"transfer_id": "t-1", "amount": {"amount": "20.00", "currency": "EUR"}},
        values={"session_id": "s-2"},
    ),
    Operation(
        "closeSession",
        "POST",
        "/sessions/{session_id}/close",
        "Close a session",
        answers.SessionClosed,
        "Ends a session, pays its balance out once, and makes its seed public. Rounds that wait for their settlement "
        "can still be settled; one that waits for a choice of the player is decided first.",
        problems=("SESSION_UNKNOWN", "ROUND_OPEN"),
        repeatable=True,
        finishes_money=True,
        parameters={"session_id": "id of the session, percent-encoded"},
        values={"session_id": "s-2"},
    ),
    Operation(
        "listUnfinished",
        "GET",
        "/transactions",
        "List unfinished transactions",
        answers.UnfinishedAnswer,
        "Steps at the platform's wallet that are under way or failed, with their attempts and the next one; 200 at most.",
    ),
    Operation(
        "getTransaction",
        "GET",
        "/transactions/{txn_id}",
        "Read a transaction",
        answers.TransactionAnswer,
        "A movement of money: what it was for, and the balance before and after.",
        problems=("TRANSACTION_UNKNOWN",),
        parameters={"txn_id": "id of the transaction, percent-encoded: its kind, a colon, and what caused it"},
        values={"txn_id": "stake:spin-1"},
    ),
    Operation(
        "resolveTransaction",
        "POST",
        "/transactions/{txn_id}/resolution",
        "Close a failed step by hand",
        answers.ResolutionAnswer,
        "For steps at the platform's wallet that have failed for good. The first call proposes how it ends, a call of "
        "another person confirms it within a day; nothing is moved before.",
        request=ResolutionRequest,
        problems=("VALIDATION_FAILED", "TRANSACTION_UNKNOWN", "RESOLUTION_REFUSED"),
        repeatable=True,
        finishes_money=True,
        parameters={"txn_id": "id of the step, percent-encoded"},
        example={"resolution": "paid", "reason": "paid out by hand, ticket 4711"},
        values={"txn_id": "credit:failed-1"},
    ),
    Operation(
        "acknowledgeReminder",
        "POST",
        "/sessions/{session_id}/acknowledgement",
        "Acknowledge a reminder",
        answers.Acknowledged,
        "The player was reminded of how long the session has lasted. Play goes on, after the break of the market.",
        problems=("SESSION_UNKNOWN",),
        parameters={"session_id": "id of the session, percent-encoded"},
        values={"session_id": "s-1"},
    ),
    Operation(
        "setPlayerFlags",
        "POST",
        "/players/{player_id}/flags",
        "Block a player",
        answers.PlayerFlags,
        "A player who is excluded begins no more rounds, in open sessions and new ones; rounds that were begun are settled "
        "and paid.",
        request=PlayerFlagsRequest,
        problems=("VALIDATION_FAILED",),
        finishes_money=True,
        parameters={"player_id": "id of the player, percent-encoded"},
        example={"self_excluded": True},
        values={"player_id": "p-2"},
    ),
    Operation(
        "validateBuild",
        "POST",
        "/builds/validate",
        "Validate a build",
        answers.BuildVerdict,
        "Whether a build may be played in a country, by its certificate and the rules there, and each reason why not.",
        request=BuildRequest,
        problems=("VALIDATION_FAILED", "GAME_UNKNOWN"),
        example={"game_id": "g-BookOf…", "build_hash": "sha256:…", "country": "DE"},
    ),
    Operation(
        "listGames",
        "GET",
        "/games",
        "List games",
        answers.GamesAnswer,
        "The builds that the operator may offer, with their certified RTP. `ETag` tells whether anything has changed since: "
        "send it back in `If-None-Match`.",
        problems=("VALIDATION_FAILED",),
        query={
            "limit": "how many at most, from 1 to 1000, which is the default",
            "cursor": "`next_cursor` of the part before",
        },
    ),
    Operation(
        "getCheckpoint",
        "GET",
        "/audit/checkpoint",
        "Read the newest checkpoint",
        answers.AuditCheckpoint,
        "How large the audit log is, with its root, signed. Who keeps one can show later that the log was rewritten.",
        problems=("AUDIT_PENDING",),
    ),
    Operation(
        "proveSpin",
        "GET",
        "/audit/spins/{spin_id}",
        "Prove that a round is in the audit log",
        answers.InclusionProof,
        "The leaf of a bet and its outcome, with a proof that it is under the newest checkpoint.",
        problems=("SPIN_UNKNOWN", "AUDIT_PENDING"),
        parameters={"spin_id": "id of the spin, percent-encoded"},
        values={"spin_id": "spin-1"},
    ),
    Operation(
        "proveTransaction",
        "GET",
        "/audit/transactions/{txn_id}",
        "Prove that a transaction is in the audit log",
        answers.InclusionProof,
        "The leaf of a movement of money, with a proof that it is under the newest checkpoint.",
        problems=("TRANSACTION_UNKNOWN", "AUDIT_PENDING"),
        parameters={"txn_id": "id of the transaction, percent-encoded"},
        values={"txn_id": "stake:spin-1"},
    ),
    Operation(
        "proveConsistency",
        "GET",
        "/audit/consistency",
        "Prove that the audit log has only grown",
        answers.ConsistencyProof,
        "That the log under an older checkpoint is the beginning of the log under a newer one.",
        problems=("VALIDATION_FAILED", "AUDIT_PENDING"),
        query={
            "first": "`tree_size` of the older checkpoint; default: 1",
            "second": "`tree_size` of the newer one; default: that of the newest",
        },
    ),
    Operation(
        "issueToken",
        "POST",
        "/oauth/token",
        "Get an access token",
        answers.TokenAnswer,
        "OAuth 2.0 client credentials (RFC 6749, section 4.4). The client is named by `Authorization: Basic` or in the "
        "form. Errors have the members `error` and `error_description` of RFC 6749 beside those of other problems.",
        request=TokenForm,
        problems=(
            "VALIDATION_FAILED",
            "GRANT_UNSUPPORTED",
            "SCOPE_INVALID",
            "CLIENT_INVALID",
            "FORBIDDEN",
            "ORIGIN_FORBIDDEN",
        ),
        signed=False,
        form=True,
        example={"grant_type": "client_credentials", "scope": "play read"},
    ),
    Operation(
        "getKeys",
        "GET",
        "/.well-known/jwks.json",
        "Keys of access tokens",
        answers.JwkSet,
        "Verifies access tokens without this service (RFC 7517).",
        signed=False,
        problems=("INTERNAL",),
    ),
    Operation(
        "getStatus",
        "GET",
        "/status",
        "How does the service do",
        answers.StatusAnswer,
        "The parts of the service, and what is said of an incident, a few seconds old; always 200. A page for people where "
        "`Accept` asks for `text/html`. `wallets` and `events` are degraded where those of most operators are late: a single "
        "wallet or receiver is no incident.",
        signed=False,
    ),
    Operation("getHealth", "GET", "/healthz", "Is the process alive", answers.Health, signed=False),
    Operation(
        "getReady",
        "GET",
        "/readyz",
        "Does the worker take spins",
        answers.Ready,
        "The database answers, and the worker is not being stopped.",
        signed=False,
        problems=("INTERNAL", "MAINTENANCE"),
    ),
)
