"""What the handlers of one worker share, and how they answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
from aiohttp import web

from rgs_server.access_tokens import AccessTokens
from rgs_server.archive import BuildArchive
from rgs_server.audit.places import place_of
from rgs_server.audit.sequencer import Sequencer
from rgs_server.billing.reports import Reports
from rgs_server.bus import Bus
from rgs_server.choices import Builds
from rgs_server.clock import Clock, system_clock
from rgs_server.clock_watch import ClockWatch
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.gate import Gate
from rgs_server.nonces import NonceMemory
from rgs_server.origins import Origins
from rgs_server.player_tokens import PlayerTokens
from rgs_server.quotas import Quotas
from rgs_server.relay import RELAY_SETTINGS, Relay, Sink
from rgs_server.rule_files import RuleFiles
from rgs_server.sealing import Sealer
from rgs_server.seamless import Cashier
from rgs_server.sessions import Rulebook
from rgs_server.spin_lane import CONNECTION_LOST, DATABASE_BUSY
from rgs_server.spins import SpinDesk
from rgs_server.status import StatusBoard
from rgs_server.store import Store, released_after
from rgs_server.sweeping import Sweeper
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.minutes import Minutes
from rgs_server.telemetry.tracing import tracing_to
from rgs_server.token_keys import TokenKeys
from rgs_server.webhooks import Webhooks

log = logging.getLogger("rgs.http")


class Service:
    """What the handlers share. Built once a worker by `create_app`, handed down, never global."""

    def __init__(self, config: Config, url: str, rules: Rulebook, sealer: Sealer, clock: Clock = system_clock) -> None:
        self.config = config
        self.rules = rules
        self.sealer = sealer
        self.draining = False
        self.slow_s = config.log_slow_ms / 1000
        self._url = url
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._relay_pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.clock = clock
        self.metrics = Metrics()
        self.tracing = tracing_to(config.traces_url)
        self.clock_watch = ClockWatch(self.store, clock, self.metrics)
        self.archive = BuildArchive(self.store, clock)
        self.builds = Builds(self.archive, rules, sealer)
        self.rule_files = RuleFiles(config, rules, self.archive, self.store)
        self.cashier = Cashier(config, self.store, sealer, self.clock, self.metrics, self.tracing)
        self.reports = Reports(config.report_url or url)
        self._nonces = NonceMemory(config, url)
        self.desk = SpinDesk(
            config,
            url,
            rules,
            sealer,
            self.cashier,
            self._nonces,
            self.clock_watch.now,
            self.metrics,
            self._events_written,
        )
        self.status_board = StatusBoard(
            config, self.store, clock, lambda: self.clock_watch.is_right, lambda: self.desk.waiting
        )
        self._minutes = Minutes(self.store, clock, self.metrics)
        self.quotas = Quotas(config, self.store)
        self.metrics.watch("rgs_in_flight_requests", lambda: self.quotas.in_flight)
        self.origins = Origins(config, self.store)
        self.player_tokens = PlayerTokens(config, sealer, self.store)
        self.token_keys = TokenKeys(config, sealer, self.store)
        self.tokens = AccessTokens(config, self.token_keys)
        self.gate = Gate(config, sealer, self.store, self._nonces, self.quotas, self.tokens)
        sinks: list[Sink] = [Webhooks(config, sealer, clock), *([Bus(config)] if config.nats_url else [])]
        self._relays = [Relay(sink, self._relay_store, clock, self.metrics, self.tracing) for sink in sinks]
        self._sequencer = Sequencer(self.store, sealer, self.clock, config.checkpoint_s, place_of(config))
        self._sweeper = Sweeper(self.store, self.builds, self.clock, config.sweep_s, self.metrics, config.events_days)

    def _events_written(self) -> None:
        for relay in self._relays:
            relay.look()

    async def start(self) -> None:
        self._pool = await self._open_pool(4, {})
        self._relay_pool = await self._open_pool(2, RELAY_SETTINGS)
        await self.archive.keep(self.rules.catalogue)
        pool = self._pool
        self.metrics.watch("rgs_pool_connections", pool.get_idle_size, "idle")
        self.metrics.watch("rgs_pool_connections", lambda: pool.get_size() - pool.get_idle_size(), "used")
        self._nonces.start()
        await self.clock_watch.start()
        self.desk.start()
        self._sweeper.start()
        self._sequencer.start()
        if (files := self.rules.files) is not None:
            self.metrics.watch("rgs_critical_files_changed", lambda: len(files.changed))
            files.start(self.store)
        for relay in self._relays:
            relay.start()
        self.cashier.start()
        await self.rule_files.start()
        self._minutes.start()

    async def stop(self) -> None:
        await self.rule_files.stop()
        await self._sweeper.stop()
        await self._sequencer.stop()
        if self.rules.files is not None:
            await self.rules.files.stop()
        for relay in self._relays:
            await relay.stop()
        await self.desk.stop()
        await self.clock_watch.stop()
        await self.cashier.stop()
        await self._nonces.stop()
        await self.reports.stop()
        await self._minutes.stop()
        for pool in (self._pool, self._relay_pool):
            if pool is not None:
                await pool.close()
        await self.tracing.stop()

    async def _open_pool(self, most: int, settings: Mapping[str, str]) -> asyncpg.Pool[asyncpg.Record]:
        timeout_s = self.config.commit_timeout_ms / 1000
        return await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=most,
            timeout=timeout_s,
            command_timeout=timeout_s,
            server_settings={**released_after(timeout_s), **settings},
        )

    def store(self) -> AbstractAsyncContextManager[Store]:
        """A connection for everything but spins and the relays. Raises Problem when the database does not answer."""
        return self._acquired(self._pool)

    def _relay_store(self) -> AbstractAsyncContextManager[Store]:
        return self._acquired(self._relay_pool)

    @asynccontextmanager
    async def _acquired(self, pool: asyncpg.Pool[asyncpg.Record] | None) -> AsyncIterator[Store]:
        assert pool is not None
        try:
            async with pool.acquire(timeout=self.config.commit_timeout_ms / 1000) as connection:
                yield Store(connection)  # type: ignore[arg-type]
        except CONNECTION_LOST as error:
            log.warning("database trouble: %r", error)
            self.metrics.database_failures.add()
            raise Problem("INTERNAL", "the database does not answer; repeat the same request") from error
        except DATABASE_BUSY as error:
            log.warning("database trouble: %r", error)
            self.metrics.database_failures.add()
            raise Problem("INTERNAL", "the database cannot do it now; repeat the same request") from error


SERVICE = web.AppKey("service", Service)
REPLAYED = "Idempotent-Replayed"
"""Header of answers that were given before."""


def json_answer(body: bytes, replayed: bool = False) -> web.Response:
    """An answer of the contract; `replayed` when these bytes were given before."""
    headers = {REPLAYED: "true"} if replayed else None
    return web.Response(body=body, content_type="application/json", headers=headers)
