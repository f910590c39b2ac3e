"""What clients send: typed requests, decoded and validated in one step.

Unknown fields are ignored, so that a platform may send more than this version reads.
"""

from __future__ import annotations

import re
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from rgs_server.problems import Problem

# Ids are opaque strings of the caller: any printable characters.
Id = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
Text = Annotated[str, Meta(max_length=4096)]


class Stake(Struct, frozen=True):
    """`amount` is kept as it was written, so that no float can touch it."""

    amount: Raw
    currency: str


class SpinRequest(Struct, frozen=True):
    """POST /rgs/v1/spins."""

    spin_id: Id
    round_id: Id
    session_id: Id
    stake: Stake
    spin_type: str = "cash"
    idempotency_key: Id | None = None


class RgFlags(Struct, frozen=True):
    """What the platform knows about the player's limits."""

    self_excluded: bool = False
    time_limit_min: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class SessionRequest(Struct, frozen=True):
    """POST /rgs/v1/sessions."""

    session_id: Id
    operator_id: Id
    player_id: Id
    game_id: Id
    build_hash: Id
    geo: Annotated[str, Meta(pattern=r"\A[A-Z]{2}\Z")]
    currency: str
    jwt: Text = ""
    rg_flags: RgFlags = RgFlags()
    client_seed: Annotated[str, Meta(max_length=64, pattern=r"\A[^\x00-\x1f\x7f]*\Z")] = ""


T = TypeVar("T", SpinRequest, SessionRequest)

_PATH = re.compile(r"(.*) - at `\$\.?(.*)`\Z", re.DOTALL)


class Decoder(Generic[T]):
    """Decodes bodies of one type. Raises Problem VALIDATION_FAILED with the path of the error."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def decode(self, body: bytes) -> T:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            match = _PATH.match(str(error))
            message, path = (match[1], match[2]) if match else (str(error), "")
            raise Problem(
                "VALIDATION_FAILED",
                f"{path or 'body'}: {message}",
                errors=[{"path": path, "message": message}],
            ) from None
        except msgspec.DecodeError as error:
            raise Problem("VALIDATION_FAILED", f"the body is not JSON: {error}") from None
        except RecursionError:
            raise Problem("VALIDATION_FAILED", "the body is nested too deep") from None
        except UnicodeDecodeError:
            raise Problem("VALIDATION_FAILED", "the body is not UTF-8") from None


_SPIN = Decoder(SpinRequest)
_SESSION = Decoder(SessionRequest)


def decode_spin(body: bytes) -> SpinRequest:
    """A spin request. Raises Problem."""
    return _SPIN.decode(body)


def decode_session(body: bytes) -> SessionRequest:
    """A session request. Raises Problem."""
    return _SESSION.decode(body)
