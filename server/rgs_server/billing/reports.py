"""Reports for the API: one at a time on a connection of its own, so that they never take one from the spins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import asyncpg

from rgs_server.billing.fees import TermsRefused
from rgs_server.billing.figures import Row
from rgs_server.billing.months import report
from rgs_server.contract.problems import Problem
from rgs_server.store import Store

READ_ONLY = {
    "default_transaction_read_only": "on",
    "statement_timeout": "20s",
    "lock_timeout": "2s",
    "max_parallel_workers_per_gather": "0",  # the other processors are for spins
}
WAIT_S = 10.0


class Reports:
    """Reads the figures of operators, from a standby where there is one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def stop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def days(self, operator_id: str, first: date, last: date) -> list[Row]:
        """Figures by day with fees. Raises Problem."""
        async with self.store() as store:
            try:
                return await report(store, operator_id, first, date.fromordinal(last.toordinal() + 1))
            except TermsRefused as error:
                raise Problem("INTERNAL", f"the fees cannot be reckoned: {error}") from None

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The connection of reports, when it is free. Raises Problem."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise Problem("OVERLOADED", "another report is being made; repeat later", retry_after_ms=5000) from None
        try:
            yield await self._connected()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Problem("INTERNAL", f"the report could not be read; repeat the same request ({error})") from error
        finally:
            self._turn.release()

    async def _connected(self) -> Store:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url, timeout=5, command_timeout=30, server_settings=READ_ONLY
            )
        return Store(self._connection)
