"""What receivers get, as types: events are encoded from them, and the AsyncAPI document is made of them.

Fields are only ever added, and kinds of events too; a receiver skips what it does not know. An event is `data` of a
CloudEvent (version 1.0, structured JSON), on the bus as in webhooks and in `GET /sessions/{session_id}/events`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from rgs_server.contract.answers import BuildHash, JudgedChannel, Number, SessionClosed, StakeBucket, Time, WindowDays

EventId = Annotated[str, Meta(description="the same at each delivery of the event: who has it already skips it")]


class Event(Struct, frozen=True, tag_field="type"):
    """What every event says."""

    event_id: EventId
    ts: Annotated[Time, Meta(description="when it was written")]


class SpinFinished(Event, frozen=True, tag="spin_finished"):
    """A round is over: what it cost and won."""

    spin_id: str
    round_id: str
    session_id: str
    stake: Number
    win: Number
    currency: str
    game_id: str
    build_hash: BuildHash
    player_id: str
    operator_id: str
    spin_type: Annotated[str, Meta(examples=["cash"])]
    mode: Annotated[str, Meta(description="of the game", examples=["base"])]
    nonce: Annotated[int, Meta(description="number of the round in its session, from 0, without gaps", ge=0)]
    feature: Annotated[bool, Meta(description="whether the round triggered a feature, a bonus or a jackpot")]
    base_win: Annotated[Number, Meta(description="of the paid spin alone, before a maximum win or a gamble")]
    status: Annotated[
        Literal["normal"],
        Meta(
            description="of the round when this was written; `round_voided` and `round_status` tell what becomes of it later"
        ),
    ] = "normal"
    channel: Annotated[
        str | UnsetType, Meta(description="of the session; missing where the platform named none", examples=["mobile"])
    ] = UNSET


class RoundEvent(Event, frozen=True):
    """What events of a round say."""

    spin_id: str
    round_id: str
    session_id: str
    player_id: str
    game_id: str
    operator_id: str
    build_hash: BuildHash


class BonusTriggered(RoundEvent, frozen=True, tag="bonus_triggered"):
    """A round started a feature, or made one longer. Told when the round is over, behind its `spin_finished`."""

    name: Annotated[str, Meta(description="of the trigger in the model file")]
    count: Annotated[int, Meta(description="spins awarded")]
    again: Annotated[bool, Meta(description="within a feature: a retrigger")]


class BonusAwarded(RoundEvent, frozen=True, tag="bonus_awarded"):
    """A bonus of a round paid; its win is in that of the round."""

    name: Annotated[str, Meta(description="of the bonus in the model file")]
    win: Number
    currency: str


class JackpotWon(RoundEvent, frozen=True, tag="jackpot_win"):
    """The game drew a jackpot. What the pool holds is not the game's to know."""

    name: Annotated[str, Meta(description="of the trigger in the model file")]
    jackpot: str


class RoundUnsettled(RoundEvent, frozen=True, tag="round_unsettled"):
    """A round waits for its settlement for longer than agreed."""

    stake: Number
    win: Number
    currency: str
    due_at: Time


class RoundVoided(Event, frozen=True, tag="round_voided"):
    """The platform took a round back, or kept one that was not played from being played."""

    round_id: str
    session_id: str
    player_id: str
    game_id: str
    operator_id: str
    build_hash: BuildHash
    reason: str
    spin_id: Annotated[str | UnsetType, Meta(description="missing where the round was never played")] = UNSET
    stake: Number | UnsetType = UNSET
    win: Number | UnsetType = UNSET
    currency: str | UnsetType = UNSET


class RoundStatus(RoundEvent, frozen=True, tag="round_status"):
    """A round went through with trouble at the platform's wallet. Told some minutes after it; live math monitoring compares
    such rounds with all others."""

    status: Annotated[
        Literal["retried", "recovered"],
        Meta(
            description="`retried`: a step took more than one attempt; `recovered`: its credit was not taken within ten minutes"
        ),
    ]


class RoundAutoclosed(RoundEvent, frozen=True, tag="round_autoclosed"):
    """A round whose player did not choose in time was decided for him."""

    decided: Annotated[list[str], Meta(description="what was decided, as choice=option")]


class MathAlert(Event, frozen=True, tag="math_alert"):
    """The rounds of a build came to a level of live math monitoring that needs people."""

    operator_id: str
    game_id: str
    build_hash: BuildHash
    mode: Annotated[str, Meta(description="of the game", examples=["base"])]
    spin_type: Annotated[str, Meta(examples=["cash"])]
    stakes: StakeBucket
    level: Annotated[str, Meta(examples=["investigate", "page"])]
    reasons: list[str]
    day: Annotated[str, Meta(description="the last that was judged", pattern=r"^\d{4}-\d\d-\d\d$")]
    rounds: Annotated[int, Meta(description="of the days that were judged")]
    rtp: Annotated[float, Meta(description="of those days, as a fraction")]
    rtp_certified: float
    channel: JudgedChannel
    window_days: WindowDays
    spin_ids: Annotated[
        list[str],
        Meta(description="that won most of their stakes on that day: replay them to see whether they match"),
    ]


class SessionOpened(Event, frozen=True, tag="session_opened"):
    """A session was opened."""

    session_id: str
    player_id: str
    game_id: str
    operator_id: str
    build_hash: BuildHash
    currency: str
    geo: str
    wallet: str
    channel: Annotated[
        str | UnsetType, Meta(description="missing where the platform named none", examples=["mobile"])
    ] = UNSET


class SessionEnded(Event, frozen=True, tag="session_closed"):
    """A session was closed as it was asked for."""

    operator_id: str
    session: Annotated[SessionClosed, Meta(description="as it was answered")]


class SessionSwept(Event, frozen=True, tag="session_swept"):
    """A session that was idle is closed, and its balance paid out."""

    operator_id: str
    session: Annotated[SessionClosed, Meta(description="as closing would have been answered")]


class RgEvent(Event, frozen=True, tag="rg_event"):
    """Responsible gaming: something keeps a player from playing on, or lets him again."""

    kind: Annotated[
        str,
        Meta(
            description="`blocked`, `unblocked`: the flag of the player; `limit_reached`: of the time of the session; "
            "`reminder_due`, `acknowledged`; `break`: a round was asked for during one. Others may come",
            examples=["blocked", "unblocked", "limit_reached", "reminder_due", "acknowledged", "break"],
        ),
    ]
    operator_id: str
    player_id: str
    session_id: Annotated[str | UnsetType, Meta(description="missing where it is about the player as such")] = UNSET
    game_id: str | UnsetType = UNSET
    build_hash: BuildHash | UnsetType = UNSET
    detail: Annotated[str | UnsetType, Meta(description="as the refused round was answered")] = UNSET
    reminders: Annotated[int | UnsetType, Meta(description="acknowledged so far")] = UNSET
    resumes_at: Annotated[Time | UnsetType, Meta(description="the end of a break")] = UNSET


class TechnicalError(Event, frozen=True, tag="technical_error"):
    """Something failed that needs people."""

    kind: Annotated[
        str,
        Meta(
            description="`wallet_step_failed`: money at the platform's wallet is not moved any more by itself; "
            "`round_unplayable`: the next round of a session cannot be drawn; `build_unavailable`: a worker has not the "
            "build of a session. Others may come",
            examples=["wallet_step_failed", "round_unplayable", "build_unavailable"],
        ),
    ]
    operator_id: str
    session_id: str
    detail: str
    round_id: str | UnsetType = UNSET
    spin_id: str | UnsetType = UNSET
    txn_id: Annotated[str | UnsetType, Meta(description="of the step, for `/transactions/{txn_id}`")] = UNSET
    build_hash: BuildHash | UnsetType = UNSET


class PlatformEvent(Event, frozen=True, tag="platform_event"):
    """What a platform told with `POST /events/batch`, as it was written. On the bus alone: its platform knows it."""

    operator_id: str
    reported: Annotated[Raw, Meta(description="the platform's event", extra_json_schema={"type": "object"})]
    record: Annotated[
        str | UnsetType,
        Meta(
            description="of a `spin_finished`, how it compares with the round on record; missing: not compared",
            examples=["equal", "different", "unknown"],
        ),
    ] = UNSET
    differences: Annotated[list[str] | UnsetType, Meta(description="fields that differ from the record")] = UNSET


EVENTS: tuple[type[Event], ...] = (
    SpinFinished,
    BonusTriggered,
    BonusAwarded,
    JackpotWon,
    RoundUnsettled,
    RoundVoided,
    RoundAutoclosed,
    RoundStatus,
    SessionOpened,
    SessionEnded,
    SessionSwept,
    RgEvent,
    TechnicalError,
    MathAlert,
    PlatformEvent,
)
"""Every event that is sent; the types that `data` can have."""


def type_of(kind: type[Event]) -> str:
    """The name of a kind of events: `spin_finished`."""
    return str(kind.__struct_config__.tag)


class CloudEvent(Struct, frozen=True):
    """An event in its envelope (CloudEvents 1.0, structured JSON)."""

    specversion: Literal["1.0"]
    id: EventId
    source: Annotated[str, Meta(description="the operator, as a path", examples=["/rgs/v1/operators/op-acme"])]
    type: Annotated[str, Meta(examples=["spin_finished"])]
    time: Time
    datacontenttype: Literal["application/json"]
    operatorid: str
    data: Annotated[
        Raw, Meta(description="the event; the AsyncAPI document has its types", extra_json_schema={"type": "object"})
    ]
    sessionid: Annotated[str | UnsetType, Meta(description="missing where it is of no session")] = UNSET
    traceparent: Annotated[
        str | UnsetType, Meta(description="W3C Trace Context of the request that it comes from, where it had one")
    ] = UNSET
    sequence: (
        Annotated[
            str,
            Meta(
                description="number of the event in its session, from 1, without gaps, in the order of what happened; "
                "decimal digits, as the CloudEvents extension of that name is a text",
                pattern=r"^[1-9][0-9]*$",
            ),
        ]
        | UnsetType
    ) = UNSET


class EventsAnswer(Struct, frozen=True):
    """Events of a session, in order."""

    events: list[CloudEvent]
    last_seq: Annotated[int, Meta(description="of the session's last event so far; 0: it has none")]
    more: Annotated[bool, Meta(description="whether there are events behind these")]


class EventResult(Struct, frozen=True):
    """What became of one event of a batch."""

    index: Annotated[int, Meta(description="of the event in the request, from 0")]
    status: Annotated[
        Literal["accepted", "duplicate", "refused"],
        Meta(
            description="`duplicate`: it was accepted before, and is not told again; `refused`: correct it, others stand"
        ),
    ]
    event_id: Annotated[str | UnsetType, Meta(description="under which it is told; missing where it is refused")] = (
        UNSET
    )
    record: Annotated[
        str | UnsetType,
        Meta(
            description="of a `spin_finished`: `equal` to the round on record, `different`, or `unknown` here",
            examples=["equal", "different", "unknown"],
        ),
    ] = UNSET
    differences: Annotated[list[str] | UnsetType, Meta(description="fields that differ from the record")] = UNSET
    code: Annotated[str | UnsetType, Meta(description="of the problem, where it is refused")] = UNSET
    detail: str | UnsetType = UNSET


class EventBatchAnswer(Struct, frozen=True):
    """A result for each event, in the order of the request."""

    accepted: int
    duplicates: int
    refused: int
    results: list[EventResult]
