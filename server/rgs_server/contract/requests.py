"""What clients send: typed requests, decoded and validated in one step.

Unknown fields are ignored, so that a platform may send more than this version reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from rgs_server.contract.money import EXPONENTS
from rgs_server.contract.problems import FieldError, Problem

PRINTABLE = {"pattern": r"^[^\u0000-\u001f\u007f]*$"}
"""What the document says of texts; msgspec does not check it: `Decoder` does, many times faster."""

Id = Annotated[
    str,
    Meta(
        description="an opaque id of the caller: printable characters",
        min_length=1,
        max_length=255,
        extra_json_schema=PRINTABLE,
    ),
]
Currency = Annotated[
    str,
    Meta(description="ISO 4217, or the usual code of a crypto currency", extra_json_schema={"enum": sorted(EXPONENTS)}),
]
COUNTRY = r"^[A-Z]{2}(?![\s\S])"  # $ would let a line end through
CHANNEL = r"^(?!all(?![\s\S]))[a-z0-9_-]{0,32}(?![\s\S])"
PATTERNS = {COUNTRY: "two capital letters, such as SE", CHANNEL: "at most 32 of a-z, 0-9, _ and -, and not 'all'"}
"""What each asks for, in words."""


class Stake(Struct, frozen=True):
    """What a round costs. `amount` is kept as it was written, so that no float can touch it."""

    amount: Annotated[
        Raw,
        Meta(
            description="a plain decimal as number or string, with at most the currency's decimals; never rounded",
            extra_json_schema={
                "anyOf": [
                    {"type": "number", "minimum": 0},
                    {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,29})(\.[0-9]{1,30})?$"},
                ]
            },
        ),
    ]
    currency: Currency


class SpinRequest(Struct, frozen=True):
    """A paid spin with all that follows from it."""

    spin_id: Id
    round_id: Id
    session_id: Id
    stake: Stake
    spin_type: Annotated[str, Meta(extra_json_schema={"enum": ["cash"]})] = "cash"
    mode: Annotated[
        str,
        Meta(
            description="a mode of the game, such as an ante bet or a bonus buy, as `GET /games` lists them",
            max_length=32,
        ),
    ] = "base"
    idempotency_key: Annotated[
        Id | None,
        Meta(
            description="needed here or as the header Idempotency-Key; the same key, the same bytes",
            extra_json_schema=PRINTABLE,
        ),
    ] = None


class ChoiceRequest(Struct, frozen=True):
    """What the player decides, as the round asks in `awaiting`. The same step with the same option is decided once."""

    step: Annotated[int, Meta(description="number of the decision in the round, as it was asked", ge=1, le=1_000_000)]
    choice: Id
    option: Id


class SettlementRequest(Struct, frozen=True):
    """The platform's transactions that took the stake and paid the win."""

    debit_tx: Id
    credit_tx: Annotated[Id | None, Meta(description="needed where the round won", extra_json_schema=PRINTABLE)] = None


class VoidRequest(Struct, frozen=True):
    """Why a round is taken back; `session_id` is needed as the round may not be known here."""

    session_id: Id
    reason: Annotated[str, Meta(min_length=1, max_length=255, extra_json_schema=PRINTABLE)]


class ResolutionRequest(Struct, frozen=True):
    """How a failed step at the platform's wallet ends."""

    resolution: Annotated[
        Literal["paid", "retry"],
        Meta(
            description="`paid`: the money was moved by other means, and is booked; `retry`: the wallet is asked once more"
        ),
    ]
    reason: Annotated[str, Meta(min_length=1, max_length=255, extra_json_schema=PRINTABLE)]


class TransferRequest(Struct, frozen=True):
    """Money for the balance of a session. The same `transfer_id` moves it once."""

    transfer_id: Id
    amount: Stake


class RgFlags(Struct, frozen=True):
    """What the platform knows about the player's limits."""

    self_excluded: Annotated[bool, Meta(description="true: refused with RG_BLOCKED")] = False
    time_limit_min: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    age: Annotated[int, Meta(ge=0, le=150, description="in years; unknown: the youngest that may play")] | None = None


class PlayerFlagsRequest(Struct, frozen=True):
    """What the platform learns of a player in the middle of play."""

    self_excluded: bool


class BuildRequest(Struct, frozen=True):
    """A build and the country where it would be played."""

    game_id: Id
    build_hash: Annotated[Id, Meta(description="a `build_ref` of the catalogue, or the hash of any build")]
    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2", pattern=COUNTRY)]


class SessionRequest(Struct, frozen=True):
    """A player's session with one build."""

    session_id: Id
    operator_id: Id
    player_id: Id
    game_id: Id
    build_hash: Annotated[Id, Meta(description="a `build_ref` of the catalogue; mostly the hash of the build")]
    geo: Annotated[
        str,
        Meta(
            description="ISO 3166-1 alpha-2",
            pattern=COUNTRY,
        ),
    ]
    currency: Currency
    jwt: Annotated[
        str, Meta(description="the player's token, verified where the operator has agreed to send one", max_length=4096)
    ] = ""
    rg_flags: RgFlags = RgFlags()
    wallet: Annotated[
        Literal["platform", "transfer", "seamless"] | None,
        Meta(
            description="who moves the player's money: the `platform` itself; a `transfer` to the session, which then "
            "holds it; or `seamless`, we at the platform's wallet. Default: the operator's usual one"
        ),
    ] = None
    channel: Annotated[
        str,
        Meta(
            description="how the player plays, such as `mobile`; math is also monitored by it. `all` is none",
            pattern=CHANNEL,
            examples=["desktop", "mobile"],
        ),
    ] = ""
    client_seed: Annotated[
        str,
        Meta(
            description="what the player adds to the seed",
            max_length=64,
            extra_json_schema=PRINTABLE,
        ),
    ] = ""


EVENTS_IN_BATCH_MAX = 500


class ReportedEvent(Struct, frozen=True):
    """What a platform tells of its side. Other fields are kept as they are; those of a `spin_finished` that are named like ours
    are compared with the round on record."""

    type: Annotated[
        str,
        Meta(
            description="`spin_finished`, or any other name of the platform's",
            min_length=1,
            max_length=64,
            extra_json_schema=PRINTABLE,
        ),
    ]
    ts: Annotated[
        str, Meta(description="when it happened: RFC 3339 in UTC, as 2026-01-31T12:00:00.000Z", max_length=40)
    ]
    event_id: Annotated[
        Id | None,
        Meta(
            description="the same id with the same event is taken once; missing: the same bytes are",
            extra_json_schema=PRINTABLE,
        ),
    ] = None
    operator_id: Annotated[Id | None, Meta(description="where it is sent, the caller", extra_json_schema=PRINTABLE)] = (
        None
    )
    spin_id: Annotated[Id | None, Meta(extra_json_schema=PRINTABLE)] = None


class EventBatch(Struct, frozen=True):
    """Events of a platform. Each is taken or refused alone."""

    events: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/ReportedEvent"})]],
        Meta(min_length=1, max_length=EVENTS_IN_BATCH_MAX),
    ]


class TokenForm(Struct, frozen=True):
    """A request for an access token, as a form (RFC 6749, section 4.4.2)."""

    grant_type: Annotated[str, Meta(extra_json_schema={"enum": ["client_credentials"]})]
    scope: Annotated[
        str, Meta(description="of `play` and `read`, separated by spaces; missing: all of the client's")
    ] = ""
    client_id: Annotated[str, Meta(description="here, or in `Authorization: Basic`")] = ""
    client_secret: Annotated[str, Meta(description="here, or in `Authorization: Basic`")] = ""


T = TypeVar("T", bound=Struct)

_PATH = re.compile(r"(.*) - at `\$\.?(.*)`\Z", re.DOTALL)


CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a request, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from texts(getattr(value, name), f"{path}.{name}" if path else name)


class Decoder(Generic[T]):
    """Decodes bodies of one type. Raises Problem VALIDATION_FAILED with the path of the error."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def decode(self, body: bytes) -> T:
        try:
            request = self._decoder.decode(body)
            # JSON has control characters in escaped form only, but for DEL: most bodies need no closer look.
            if b"\\" in body or b"\x7f" in body:
                for path, text in texts(request):
                    if CONTROL.search(text):
                        message = "a control character"
                        raise Problem("VALIDATION_FAILED", f"{path}: {message}", errors=[FieldError(path, message)])
            return request
        except msgspec.ValidationError as error:
            match = _PATH.match(str(error))
            message, path = (match[1], match[2]) if match else (str(error), "")
            for pattern, words in PATTERNS.items():
                message = message.replace(f"`str` matching regex {pattern!r}", words)
            raise Problem(
                "VALIDATION_FAILED",
                f"{path or 'body'}: {message}",
                errors=[FieldError(path, message)],
            ) from None
        except msgspec.DecodeError as error:
            raise Problem("VALIDATION_FAILED", f"the body is not JSON: {error}") from None
        except RecursionError:
            raise Problem("VALIDATION_FAILED", "the body is nested too deep") from None
        except UnicodeDecodeError:
            raise Problem("VALIDATION_FAILED", "the body is not UTF-8") from None


_SPIN = Decoder(SpinRequest)
_SESSION = Decoder(SessionRequest)
_CHOICE = Decoder(ChoiceRequest)
_SETTLEMENT = Decoder(SettlementRequest)
_VOID = Decoder(VoidRequest)
_RESOLUTION = Decoder(ResolutionRequest)
_TRANSFER = Decoder(TransferRequest)
_FLAGS = Decoder(PlayerFlagsRequest)
_BUILD = Decoder(BuildRequest)
_BATCH = Decoder(EventBatch)
_REPORTED = Decoder(ReportedEvent)


def decode_spin(body: bytes) -> SpinRequest:
    """A spin request. Raises Problem."""
    return _SPIN.decode(body)


def decode_session(body: bytes) -> SessionRequest:
    """A session request. Raises Problem."""
    return _SESSION.decode(body)


def decode_choice(body: bytes) -> ChoiceRequest:
    """A decision. Raises Problem."""
    return _CHOICE.decode(body)


def decode_settlement(body: bytes) -> SettlementRequest:
    """A settlement request. Raises Problem."""
    return _SETTLEMENT.decode(body)


def decode_void(body: bytes) -> VoidRequest:
    """A void request. Raises Problem."""
    return _VOID.decode(body)


def decode_resolution(body: bytes) -> ResolutionRequest:
    """A resolution. Raises Problem."""
    return _RESOLUTION.decode(body)


def decode_transfer(body: bytes) -> TransferRequest:
    """A transfer request. Raises Problem."""
    return _TRANSFER.decode(body)


def decode_flags(body: bytes) -> PlayerFlagsRequest:
    """The flags of a player. Raises Problem."""
    return _FLAGS.decode(body)


def decode_build(body: bytes) -> BuildRequest:
    """A build to be validated. Raises Problem."""
    return _BUILD.decode(body)


def decode_batch(body: bytes) -> EventBatch:
    """Events of a platform, each still as bytes. Raises Problem."""
    return _BATCH.decode(body)


def decode_reported(raw: bytes) -> ReportedEvent:
    """One of them. Raises Problem."""
    return _REPORTED.decode(raw)
