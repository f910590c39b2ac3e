"""The header `traceparent` (W3C Trace Context, level 1)."""

from __future__ import annotations

import re
from typing import NamedTuple

TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceParent(NamedTuple):
    """Where a caller is in its trace (W3C Trace Context, level 1, section 3.2)."""

    trace_id: str
    span_id: str
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def read_traceparent(header: str) -> TraceParent | None:
    """None where the header is not valid, which is then treated as if it were not there (section 3.2.2)."""
    match = TRACEPARENT.fullmatch(header)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if set(match[2]) == {"0"} or set(match[3]) == {"0"}:
        return None
    return TraceParent(match[2], match[3], bool(int(match[4], 16) & 1))
