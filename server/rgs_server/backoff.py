"""When to try again what a machine of others did not take: later each time, and never all at once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

FIRST_S, MOST_S = 1.0, 900.0


def next_try(now: datetime, attempts: int, most_s: float = MOST_S) -> datetime:
    """Doubling from `FIRST_S` to `most_s`, at a random time of the second half of that."""
    most = min(most_s, FIRST_S * 2 ** min(attempts, 20))
    return now + timedelta(seconds=most * (0.5 + fraction() / 2))


def fraction() -> float:
    """A random number from 0 to 1, so that callers do not come all at once."""
    return secrets.randbelow(1 << 20) / (1 << 20)
