"""What clients receive, as types: answers are encoded from them, and the OpenAPI document is made of them.

Fields are only ever added. Lists of kinds (of features, transactions, problems) may grow; a client skips what it
does not know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from rgs_server.contract.money import format_amount

Time = Annotated[
    str,
    Meta(
        description="RFC 3339 in UTC with milliseconds",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        examples=["2026-01-31T12:00:00.000Z"],
    ),
]
BuildHash = Annotated[str, Meta(description="SHA-256 of the build's canonical form", pattern=r"^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[
    Raw,
    Meta(
        description="A decimal with exactly the currency's decimals. Read it from its text: a binary float may not "
        "hold it.",
        extra_json_schema={"type": "number", "examples": [3.40]},
    ),
]
Minor = Annotated[
    Raw,
    Meta(
        description="Minor units of the currency; a string of digits above 2^53 - 1.",
        extra_json_schema={"type": ["integer", "string"], "pattern": r"^[0-9]+$", "examples": [340]},
    ),
]
SAFE_INTEGER_MAX = 2**53 - 1
"""The largest integer that every JSON reader keeps (RFC 8259, section 6)."""


class Money(Struct, frozen=True):
    """An amount of a currency, as a decimal and in minor units."""

    amount: Number
    currency: str
    minor: Minor


def number(minor: int, exponent: int) -> Raw:
    """An amount as a JSON number."""
    return Raw(format_amount(minor, exponent).encode())


def money(minor: int, currency: str, exponent: int) -> Money:
    """An amount as the contract shows it."""
    digits = str(minor) if minor <= SAFE_INTEGER_MAX else f'"{minor}"'
    return Money(number(minor, exponent), currency, Raw(digits.encode()))


class Awaiting(Struct, frozen=True):
    """What a round waits for: `POST /rounds/{round_id}/choices` with this `step` and `choice` and one of the options."""

    step: Annotated[int, Meta(description="number of the decision in the round, from 1")]
    choice: Annotated[str, Meta(description="a choice of the game, or `gamble`", examples=["gamble"])]
    options: Annotated[list[str], Meta(description="the first one is taken for a player who does not decide")]
    won: Annotated[Money, Meta(description="so far; nothing of it is paid before the round is over")]
    choose_by: Annotated[Time, Meta(description="after that the round is decided for the player")]


class OpenRound(Struct, frozen=True):
    """A round that waits for its settlement, or for a choice of its player."""

    round_id: str
    spin_id: str
    session_id: str
    state: Annotated[str, Meta(examples=["open", "awaiting_input"])]
    stake: Money
    win: Annotated[Money, Meta(description="0 while the player has to choose")]
    played_at: Time
    settle_by: Annotated[Time, Meta(description="when it is reported, or decided for the player")]
    awaiting: Annotated[Awaiting | None, Meta(description="null where the player has nothing to decide")] = None


class MarketRules(Struct, frozen=True):
    """What the country of a session asks for, as far as it is enforced here or shown by the client."""

    country: str
    enforced: Annotated[bool, Meta(description="false: the operator enforces it itself")]
    cycle_ms: Annotated[int, Meta(description="from one round to the next; 0: none")]
    reminder_min: Annotated[int, Meta(description="of play, after which the player is reminded; 0: never")]
    break_min: Annotated[int, Meta(description="after each reminder")]
    stake_max: Annotated[Money | None, Meta(description="for this player in this currency")]
    one_round: Annotated[bool, Meta(description="no two rounds of a player in a game at once")]
    flags: Annotated[
        dict[str, bool], Meta(description="what a client may offer: autoplay, turbo, slam_stop, bonus_buy")
    ]
    notices: Annotated[list[str], Meta(description="what a client has to show")]
    clauses: Annotated[dict[str, str], Meta(description="where each rule comes from")]
    unverified: Annotated[list[str], Meta(description="rules that nobody has compared with the text of their clause")]


class SessionAnswer(Struct, frozen=True):
    """An open session."""

    session_id: str
    operator_id: str
    player_id: str
    game_id: Annotated[str, Meta(description="as in the request")]
    build_hash: BuildHash
    rtp_profile: str
    currency: str
    stake_step_minor: Annotated[int, Meta(description="stakes are multiples of so many minor units")]
    seed_commitment: Annotated[str, Meta(description="SHA-256 of the server seed", pattern=r"^[0-9a-f]{64}$")]
    client_seed: str
    created_at: Time
    open_rounds: Annotated[
        list[OpenRound], Meta(description="rounds of the player in this game that wait for their settlement")
    ]
    wallet: Annotated[str, Meta(description="who moves the player's money", examples=["platform", "transfer"])]
    market: MarketRules | None


class BonusTrigger(Struct, frozen=True, tag_field="type", tag="bonus_trigger"):
    """The paid spin awarded spins."""

    name: Annotated[str, Meta(description="of the trigger in the model file")]
    count: Annotated[int, Meta(description="spins awarded")]


class BonusRetrigger(Struct, frozen=True, tag_field="type", tag="bonus_retrigger"):
    """A further spin awarded spins."""

    name: str
    count: int


class BonusAward(Struct, frozen=True, tag_field="type", tag="bonus_award"):
    """A bonus paid."""

    name: str
    line: Annotated[int | None, Meta(description="number of the payline that started it, from 0")]
    win: Money


class JackpotAward(Struct, frozen=True, tag_field="type", tag="jackpot_win"):
    """A jackpot was won."""

    name: str
    jackpot: str


Feature = BonusTrigger | BonusRetrigger | BonusAward | JackpotAward


class SpinOutcome(Struct, frozen=True):
    """What a round paid and showed."""

    win: Money
    features: Annotated[list[Feature], Meta(description="in the order in which they happened")]
    symbols: Annotated[
        list[list[str | None]],
        Meta(description="rows of the paid spin's window from the top; null where a reel is shorter"),
    ]


class RgsTransaction(Struct, frozen=True):
    """Money that moved on our side."""

    type: Annotated[str, Meta(examples=["jackpot_contribution"])]
    amount: Number


class SpinAnswer(Struct, frozen=True):
    """A round: finished, or with `awaiting` as far as it has come. The same request gives these bytes for ever."""

    spin_id: str
    round_id: str
    outcome: SpinOutcome
    stake: Money
    rgs_txns: list[RgsTransaction]
    build_hash: BuildHash
    nonce: Annotated[int, Meta(description="number of the round in its session, from 0, without gaps", ge=0)]
    telemetry_ref: Annotated[str, Meta(description="id of the event spin_finished")]
    balance: Annotated[Money | UnsetType, Meta(description="of a session with transferred money, after the round")] = (
        UNSET
    )
    awaiting: Annotated[
        Awaiting | UnsetType,
        Meta(description="there while the player has to choose; the round is not over, and its `win` is still 0"),
    ] = UNSET


class SpinRecord(Struct, frozen=True):
    """A stored round."""

    spin_id: str
    round_id: str
    session_id: str
    operator_id: str
    player_id: str
    game_id: str
    build_hash: BuildHash
    spin_type: str
    stake: Money
    win: Money
    nonce: int
    created_at: Time
    telemetry_ref: str
    answer: Annotated[
        Raw,
        Meta(
            description="the answer that was given, byte for byte",
            extra_json_schema={"$ref": "#/components/schemas/SpinAnswer"},
        ),
    ]
    mode: str = "base"


class SpinsAnswer(Struct, frozen=True):
    """Rounds of a session, or a part of them."""

    spins: list[SpinRecord]
    next_nonce: Annotated[int, Meta(description="of the next round that the session will play")]
    more: Annotated[bool, Meta(description="whether there are rounds behind these: go on with `after_nonce`")]


class AuditRecord(Struct, frozen=True):
    """What recomputes a round without this service (`rgs replay`)."""

    derivation: Literal["rgs-rng-1"]
    mechanic_version: int
    build_hash: BuildHash
    seed_commitment: Sha256
    server_seed: Annotated[str | None, Meta(description="null until the seed is revealed")]
    client_seed: str
    nonce: int
    win_units: Annotated[int, Meta(description="win in units, the smallest parts of a stake")]
    outcome_digest: Sha256
    spin_id: str
    session_id: str
    created_at: Time
    mode: str = "base"
    policy: Annotated[str | UnsetType, Meta(description="what the player decided, where it was not the usual")] = UNSET


class ReplayAnswer(Struct, frozen=True):
    """The verdict on a stored round."""

    result: Literal["match", "mismatch", "unavailable"]
    spin_id: str
    audit_record: AuditRecord
    reason: Annotated[str | UnsetType, Meta(description="why it is unavailable")] = UNSET
    checks: Annotated[dict[str, bool] | UnsetType, Meta(description="what was compared")] = UNSET
    outcome: Annotated[
        dict[str, Any] | UnsetType, Meta(description="the whole round: stops, windows, wins, awards of every spin")
    ] = UNSET


class RecalledWin(Struct, frozen=True):
    """A win of a spin, as it was shown."""

    name: Annotated[str, Meta(description="of the evaluator in the model file")]
    line: Annotated[int | None, Meta(description="number of the payline from 1; null where no line pays")]
    symbol: str
    count: int
    win: Money
    cells: Annotated[
        list[list[int]], Meta(description="reel from the left and row from the top, from 0; empty for lines")
    ]


class RecalledCascade(Struct, frozen=True):
    """A further step of a cascade."""

    symbols: list[list[str | None]]
    wins: list[RecalledWin]


class RecalledSpin(Struct, frozen=True):
    """One spin of a round, as it was shown."""

    sub_spin: Annotated[int, Meta(description="0: the paid spin; then the spins that it won, in order")]
    state: Annotated[str | None, Meta(description="kind of spin in the model file; null: not on record")]
    symbols: Annotated[
        list[list[str | None]], Meta(description="rows of the grid from the top; null where a reel is shorter")
    ]
    wins: list[RecalledWin]
    cascades: list[RecalledCascade]
    closing: Annotated[list[RecalledWin], Meta(description="wins at the end of the spin or of its feature")]
    features: Annotated[list[Feature], Meta(description="what the spin started or a bonus paid")]
    win: Annotated[Money | None, Meta(description="of this spin alone; null: not on record")]
    record: Annotated[
        dict[str, Any] | None, Meta(description="everything about the spin, as replay has it; null: not on record")
    ]


class RecallAnswer(Struct, frozen=True):
    """A round as it was shown, step by step."""

    result: Annotated[
        Literal["match", "mismatch", "stored"],
        Meta(
            description="`match`: played again, and equal to the record and to what was answered. `stored`: this "
            "version cannot play it; `spins` is the paid spin as it was answered"
        ),
    ]
    reason: Annotated[str | None, Meta(description="why it cannot be played")]
    checks: Annotated[dict[str, bool], Meta(description="what was compared")]
    round_id: str
    spin_id: str
    session_id: str
    player_id: str
    game_id: str
    build_hash: BuildHash
    retired: Annotated[bool, Meta(description="whether the build is served no more")]
    mode: str
    nonce: int
    played_at: Time
    stake: Money
    win: Money
    spins: list[RecalledSpin]
    answer: Annotated[
        Raw,
        Meta(
            description="the answer that was given, byte for byte",
            extra_json_schema={"$ref": "#/components/schemas/SpinAnswer"},
        ),
    ]


class RoundAnswer(Struct, frozen=True):
    """A round with its money."""

    round_id: str
    session_id: str
    state: Annotated[str, Meta(examples=["awaiting_input", "open", "completed", "voided"])]
    known: Annotated[bool, Meta(description="false: voided without having been played, and never to be played")]
    spin_id: str | None
    stake: Money | None
    win: Money | None
    played_at: Time | None
    settle_by: Annotated[Time | None, Meta(description="when an unsettled round is reported")]
    ended_at: Annotated[Time | None, Meta(description="when it was settled or voided")]
    debit_tx: str | None
    credit_tx: str | None
    reason: Annotated[str | None, Meta(description="why it was voided")]
    awaiting: Annotated[Awaiting | None, Meta(description="what the player has to decide")] = None
    answer: Annotated[
        Raw | UnsetType,
        Meta(
            description="the last answer that was given, byte for byte: what the player has seen of it",
            extra_json_schema={"$ref": "#/components/schemas/SpinAnswer"},
        ),
    ] = UNSET


class Ending(Struct, frozen=True):
    """Rounds that ended alike, in one currency."""

    ending: Annotated[str, Meta(examples=["settled", "voided"])]
    rounds: int
    stake: Money
    win: Money


class EndingsAnswer(Struct, frozen=True):
    """How rounds that were played ended. Voided rounds that won more than settled ones are outcome shopping."""

    since: Time
    endings: list[Ending]


Signed = Annotated[
    str,
    Meta(description="a decimal with exactly the currency's decimals, negative for a loss", pattern=r"^-?\d+(\.\d+)?$"),
]


class ReportRow(Struct, frozen=True):
    """What was played of one game and build in one currency on one day (UTC)."""

    game_id: str
    build_hash: BuildHash
    currency: str
    day: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
    spins_total: int
    eligible_spins: Annotated[int, Meta(description="those that were not voided")]
    turnover: Annotated[Signed, Meta(description="stakes of eligible spins")]
    ggr: Annotated[Signed, Meta(description="turnover less what was won")]
    netwin: Annotated[Signed, Meta(description="that less bonus_cost and jackpot_contrib")]
    jackpot_contrib: Signed
    bonus_cost: Signed
    royalty_due: Annotated[Signed, Meta(description="by the agreement; of a month that is not over: so far")]


class ReportAnswer(Struct, frozen=True):
    """Figures of an operator, day by day."""

    operator_id: str
    first: str
    last: str
    rows: list[ReportRow]


StakeBucket = Annotated[
    str,
    Meta(
        description="currency and where the bucket of the stake begins; the currency alone: all stakes together",
        examples=["EUR 0.5"],
    ),
]
JudgedChannel = Annotated[str, Meta(description="empty: none was named; `all`: all together", examples=["mobile"])]
WindowDays = Annotated[int, Meta(description="that were judged", examples=[1, 7, 30])]


class CellVerdict(Struct, frozen=True):
    """What live math monitoring last found of rounds of one build, mode, kind of money and size of stake."""

    game_id: str
    build_hash: BuildHash
    mode: Annotated[str, Meta(description="of the game", examples=["base"])]
    spin_type: Annotated[str, Meta(examples=["cash"])]
    stakes: StakeBucket
    level: Annotated[
        str,
        Meta(
            description="`page`: evidence against the certified law that chance does not explain; `investigate`, `info`: weaker "
            "signs; `within`: none; `insufficient`: none, and too few rounds to see a drift of 5 points of RTP",
            examples=["insufficient", "within", "info", "investigate", "page"],
        ),
    ]
    reasons: list[str]
    day: Annotated[str, Meta(description="the last that was judged", pattern=r"^\d{4}-\d\d-\d\d$")]
    rounds: Annotated[int, Meta(description="of the days that were judged")]
    rtp: Annotated[float, Meta(description="of those days, as a fraction")]
    rtp_certified: float
    band: Annotated[
        list[float] | None, Meta(description="95 % of windows of so many rounds are in it; null: no exact law")
    ]
    judged_at: Time
    channel: JudgedChannel
    window_days: WindowDays


class VerdictsAnswer(Struct, frozen=True):
    """The last verdict of each cell."""

    verdicts: list[CellVerdict]


class TransactionAnswer(Struct, frozen=True):
    """A movement of money between two accounts: `platform`, `session` (transferred money), `game`, `held` (debits whose
    spin was not drawn yet) and `payable` (wins that the platform's wallet has not taken yet)."""

    txn_id: str
    kind: Annotated[
        str, Meta(examples=["stake", "win", "void_stake", "void_win", "in", "out", "debit", "credit", "rollback"])
    ]
    status: Annotated[
        str,
        Meta(
            description="`posted` when the money has moved; steps at the platform's wallet before that are `pending`, or "
            "ended without: `refused`, `abandoned`, `failed`",
            examples=["posted", "pending", "refused", "abandoned", "failed"],
        ),
    ]
    session_id: str
    round_id: str | None
    spin_id: str | None
    debit_account: Annotated[str, Meta(description="what the amount was taken from")]
    credit_account: str
    amount: Money
    balance_before: Annotated[Money | None, Meta(description="of the session; null where the platform holds the money")]
    balance_after: Money | None
    created_at: Time
    attempts: Annotated[int | UnsetType, Meta(description="of a step that has not been taken")] = UNSET
    next_try_at: Time | UnsetType | None = UNSET
    last_error: Annotated[str | UnsetType | None, Meta(description="what the wallet said last")] = UNSET


class UnfinishedAnswer(Struct, frozen=True):
    """Steps that the platform's wallet has not taken yet, and those that nobody tries any more, oldest first."""

    transactions: list[TransactionAnswer]


class ResolutionAnswer(Struct, frozen=True):
    """How a failed step at the platform's wallet is closed by hand, by two persons."""

    txn_id: str
    resolution: str
    state: Annotated[Literal["proposed", "confirmed"], Meta(description="`proposed`: another person has to confirm it")]
    reason: str
    proposed_by: Annotated[str, Meta(description="id of the key, or of the client after `client:`")]
    proposed_at: Time
    lapses_at: Annotated[str | None, Meta(description="when the proposal counts no more; null once it is confirmed")]
    confirmed_by: str | None
    confirmed_at: str | None
    proposed_person: Annotated[str, Meta(description="whose key or client that is; its id where nobody was named")]
    confirmed_person: str | None


class SessionState(Struct, frozen=True):
    """A session as it is now."""

    session_id: str
    player_id: str
    game_id: str
    build_hash: BuildHash
    state: Annotated[str, Meta(examples=["open", "closed"])]
    wallet: str
    currency: str
    balance: Annotated[Money | None, Meta(description="null where the platform holds the money")]
    next_nonce: Annotated[int, Meta(description="rounds played so far")]
    open_rounds: list[OpenRound]
    created_at: Time
    closed_at: Time | None


class SessionClosed(Struct, frozen=True):
    """A session that has ended."""

    session_id: str
    rounds: Annotated[int, Meta(description="that were played: nonces 0 to one less")]
    seed_commitment: Sha256
    server_seed: Annotated[Sha256, Meta(description="public from now on; its SHA-256 is the commitment")]
    client_seed: str
    paid_out: Annotated[TransactionAnswer | None, Meta(description="the balance, which is the player's again")]
    reason: Annotated[str, Meta(examples=["asked", "idle"])]
    closed_at: Time


class Acknowledged(Struct, frozen=True):
    """Reminders that the player has seen."""

    session_id: str
    reminders: Annotated[int, Meta(description="so far in this session")]
    resumes_at: Annotated[Time | None, Meta(description="when play may go on; null: there was no reminder yet")]


class PlayerFlags(Struct, frozen=True):
    """What is known of a player."""

    player_id: str
    self_excluded: bool
    open_sessions: Annotated[int, Meta(description="to which that applies at once")]


class BuildReason(Struct, frozen=True):
    """Why a build may not be played somewhere."""

    code: Annotated[
        str,
        Meta(
            examples=[
                "UNKNOWN_BUILD", "NOT_OFFERED", "NOT_CERTIFIED", "OTHER_COUNTRY", "OTHER_BUILD", "NOT_YET_VALID",
                "EXPIRED", "REVOKED", "RTP_BELOW_MARKET", "NO_MARKET",
            ]
        ),
    ]  # fmt: skip
    detail: str


class BuildVerdict(Struct, frozen=True):
    """Whether a build may be played in a country."""

    game_id: str
    build_hash: str
    country: str
    valid: bool
    reasons: list[BuildReason]
    rtp_profile: str | None
    certificate_id: Annotated[str | None, Meta(description="null where no registry is kept")]
    valid_until: Time | None


class ModeRow(Struct, frozen=True):
    """A certified mode of a build: an ante bet, a bonus buy."""

    mode: Annotated[str, Meta(description="`mode` of a spin")]
    stake_step_minor: Annotated[int, Meta(description="what stakes in it are multiples of: what the mode costs")]
    rtp: Annotated[float, Meta(description="certified return to player, as a part of the stake in this mode")]
    buys_feature: Annotated[bool, Meta(description="a bonus buy, which some markets forbid")]


class GameRow(Struct, frozen=True):
    """A build that the operator may offer."""

    game_id: str
    build_ref: Annotated[str, Meta(description="the operator's name of the build: `build_hash` in a session")]
    build_hash: BuildHash
    model: str
    title: str
    version: str
    rtp_profile: str
    rtp: Annotated[float, Meta(description="certified return to player, as a part of the stake")]
    reels: int
    rows: int
    lines: int
    stake_step_minor: int
    modes: Annotated[list[ModeRow], Meta(description="certified modes beside the base one")] = []


class GamesAnswer(Struct, frozen=True):
    """The catalogue, or a part of it."""

    games: list[GameRow]
    next_cursor: Annotated[str | None, Meta(description="of the next part; null: this is the last")] = None


class TokenAnswer(Struct, frozen=True):
    """An access token (RFC 6749, section 5.1)."""

    access_token: Annotated[
        str, Meta(description="for `Authorization: Bearer`; a JWT that /.well-known/jwks.json verifies")
    ]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="seconds")]
    scope: Annotated[str, Meta(description="what was granted, separated by spaces")]


class Jwk(Struct, frozen=True):
    """A public key (RFC 7517, RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    x: str


class JwkSet(Struct, frozen=True):
    """The keys of access tokens, the newest first."""

    keys: list[Jwk]


Hash = Annotated[str, Meta(description="SHA-256 in hex", pattern="^[0-9a-f]{64}$")]


class AuditCheckpoint(Struct, frozen=True):
    """How large the audit log was at a time, signed."""

    tree_size: Annotated[int, Meta(description="leaves of the Merkle tree (RFC 6962)")]
    root: Hash
    made_at: Time
    checkpoint: Annotated[str, Meta(description="the signed note (C2SP tlog-checkpoint, Ed25519); keep it")]
    public_key: Annotated[
        str, Meta(description="`name+id+key`; get it another way, too: a log vouches for itself here")
    ]
    public_keys: Annotated[
        list[str], Meta(description="all of the log, the one that signed this first; each verifies what it has signed")
    ]


class InclusionProof(Struct, frozen=True):
    """A leaf of the audit log, and the hashes that join it with the root of a checkpoint: `rgs audit proof` verifies it."""

    leaf: Annotated[str, Meta(description="the text that is hashed, JSON; its SHA-256 begins with a zero byte")]
    position: int
    tree_size: int
    path: Annotated[list[Hash], Meta(description="RFC 6962, section 2.1.1")]
    checkpoint: Annotated[str, Meta(description="the signed note")]


class ConsistencyProof(Struct, frozen=True):
    """The hashes that show that the log of one size is the beginning of the log of another."""

    first: int
    second: int
    first_root: Hash
    second_root: Hash
    path: Annotated[list[Hash], Meta(description="RFC 6962, section 2.1.2")]


class Health(Struct, frozen=True):
    """The process lives."""

    status: Literal["ok"]


class Ready(Struct, frozen=True):
    """The worker takes spins."""

    status: Literal["ready"]
    builds: Annotated[int, Meta(description="builds that can be played")]


ServiceState = Literal["operational", "degraded", "down"]


class Component(Struct, frozen=True):
    """A part of the service."""

    name: Annotated[
        str,
        Meta(description="database, clock, spins, wallets, events; others may be added", examples=["database"]),
    ]
    status: ServiceState


class StatusAnswer(Struct, frozen=True):
    """How the service does."""

    status: Annotated[ServiceState, Meta(description="that of the worst component; `degraded` in an incident")]
    version: str
    time: Annotated[str, Meta(description="when it was looked at")]
    components: list[Component]
    incident: Annotated[str | None, Meta(description="what the operator of the service says of it")]
    contact: Annotated[str | None, Meta(description="where to report trouble: a page, or `mailto:`")]


encode = msgspec.json.encode
