"""The time of the service: UTC with milliseconds, as it is written and answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]

RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z")
"""In UTC, with a fraction."""


def system_clock() -> datetime:
    """The server's clock; no client's clock ever decides."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with exactly three decimals."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def read_time(text: str) -> datetime | None:
    """A time as `time_text` writes it; None when it is not RFC 3339 in UTC with a fraction of up to six digits."""
    if RFC_3339.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text[:-1].ljust(26, "0")).replace(tzinfo=UTC)
    except ValueError:
        return None
