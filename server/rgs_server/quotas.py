"""How much an operator may ask for: calls a second, and calls at the same time.

Calls a second are counted in the database, so that it does not matter how many workers there are or which of them an
operator meets. A worker takes tokens for a twentieth of a second at once and spends them alone: together the workers
may let through so many more than the rate. Calls that finish money are never refused here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rgs_server.config import Config
from rgs_server.contract.operations import Operation
from rgs_server.contract.problems import Problem
from rgs_server.store import Stores

LEASE_S = 0.05
"""Tokens are taken for so long at once."""
CROWDED_MS = 100
"""When to try again after too many calls at the same time: about as long as a call takes."""
RESERVE = 8
"""An eighth more calls at the same time are taken where they finish money."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What an operator may ask for. `rate_per_s` None: no limit; `in_flight_max` None: that of the service."""

    rate_per_s: float | None = None
    burst: int | None = None
    in_flight_max: int | None = None


@dataclass(slots=True)
class Use:
    """What a worker has of an operator: calls that are being answered, tokens taken, and until when there are none."""

    in_flight: int = 0
    tokens: int = 0
    none_until: float = 0
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Quotas:
    """Counts calls of all operators, in this worker and with the others."""

    def __init__(self, config: Config, stores: Stores) -> None:
        self._config = config
        self._stores = stores
        self._in_flight = 0
        self._uses: dict[str, Use] = {}

    @property
    def in_flight(self) -> int:
        """Requests of all operators that are being answered here."""
        return self._in_flight

    @contextmanager
    def place(self, operation: Operation) -> Iterator[None]:
        """A place among all calls of this worker. Raises Problem OVERLOADED when there is none, at once."""
        most = self._config.in_flight_max
        if operation.finishes_money:
            most += max(1, most // RESERVE)
        if self._in_flight >= most:
            raise Problem("OVERLOADED", f"{self._in_flight} requests are being answered; repeat the same request later")
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    async def admit(self, operator_id: str, quota: Quota, operation: Operation) -> Callable[[], None]:
        """Lets a call of an operator in; returns what is to be called when it is answered. Raises RATE_LIMITED."""
        if operation.finishes_money:
            return nothing
        use = self._uses.setdefault(operator_id, Use())
        most = quota.in_flight_max or self._config.operator_in_flight_max
        if use.in_flight >= most:
            detail = f"{use.in_flight} requests of '{operator_id}' are being answered; send {most} at the same time"
            raise Problem("RATE_LIMITED", detail, retry_after_ms=CROWDED_MS)
        use.in_flight += 1

        def leave() -> None:
            use.in_flight -= 1

        if quota.rate_per_s is not None:
            try:
                await self._take(operator_id, use, quota.rate_per_s, quota.burst)
            except BaseException:
                leave()
                raise
        return leave

    def give_back(self, operator_id: str, quota: Quota, operation: Operation) -> None:
        """A call was not begun after all: what others replay is not taken from the operator's quota."""
        if quota.rate_per_s is not None and not operation.finishes_money:
            self._uses[operator_id].tokens += 1

    async def _take(self, operator_id: str, use: Use, rate_per_s: float, burst: int | None) -> None:
        if use.tokens == 0 and time.monotonic() >= use.none_until:
            async with use.taking:  # one request asks, the others wait for what it brings
                if use.tokens == 0 and time.monotonic() >= use.none_until:
                    wanted = max(1, int(rate_per_s * LEASE_S))
                    most = burst or max(1, int(rate_per_s))
                    async with self._stores() as store:
                        use.tokens, left = await store.take_tokens(operator_id, rate_per_s, most, wanted)
                    if use.tokens == 0:
                        use.none_until = time.monotonic() + (1 - left) / rate_per_s
        if use.tokens == 0:
            wait_ms = max(1, int(1000 * (use.none_until - time.monotonic())) + 1)
            detail = f"operator '{operator_id}' may send {rate_per_s:g} requests a second"
            raise Problem("RATE_LIMITED", detail, retry_after_ms=wait_ms)
        use.tokens -= 1


def nothing() -> None:
    """What there is to do when a call is answered that was not counted."""
