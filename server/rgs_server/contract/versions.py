"""Which version of the API a request asks for, and what a client hears of operations that end.

Two selectors: the path (/rgs/v1/...) and the media type (`Accept: application/vnd.rgs.v1+json`). Without either it is
the newest, v1. `Deprecation` is RFC 9745, `Sunset` RFC 8594.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import format_datetime

from rgs_server.contract.openapi import MEDIA_TYPE
from rgs_server.contract.operations import ROOT, VERSION, Operation
from rgs_server.contract.problems import Problem

_PATH = re.compile(rf"{ROOT}/v(\d{{1,9}})(?:/|\Z)")
_MEDIA_TYPE = re.compile(r"application/vnd\.rgs\.v(\d{1,9})\+json", re.IGNORECASE)
_ANY = re.compile(r"\*/\*|application/\*|application/json", re.IGNORECASE)


def answer_type(path: str, accept: str) -> str:
    """The media type of an answer: the versioned one where it was asked for.

    Raises Problem VERSION_UNKNOWN when the path or `Accept` name only versions that are not served.
    """
    in_path = _PATH.match(path)
    if in_path and int(in_path[1]) != VERSION:
        raise Problem("VERSION_UNKNOWN", f"v{in_path[1]} is not served; use {ROOT}/v{VERSION}")
    asked = {int(found) for found in _MEDIA_TYPE.findall(accept)}
    if VERSION in asked:
        return MEDIA_TYPE
    if asked and not _ANY.search(accept):
        names = ", ".join(f"v{version}" for version in sorted(asked))
        raise Problem("VERSION_UNKNOWN", f"Accept asks for {names}; served is {MEDIA_TYPE}")
    return "application/json"


def ending_headers(operation: Operation) -> dict[str, str]:
    """`Deprecation` and `Sunset` of an operation that ends; nothing for all others."""
    found: dict[str, str] = {}
    if operation.deprecated_on is not None:
        found["Deprecation"] = f"@{int(_midnight(operation.deprecated_on).timestamp())}"
    if operation.sunset_on is not None:
        found["Sunset"] = format_datetime(_midnight(operation.sunset_on), usegmt=True)
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
