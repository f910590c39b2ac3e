"""The spin handler in other forms, as processes for bench_spins.py: without a database, and with a transaction a spin.

    python bench/spin_variants.py memory|transaction PORT        (settings of the service in the environment)

Everything but the writing is the service's own: HTTP, signatures, nonces once, quotas, decoding, checks, draw, answer, event.

`memory`: the batch is written into a dictionary, nonces are kept in a set. `transaction`: what one would write first: a pool of
sixteen connections, and for each spin a transaction of separate statements on the same tables: nonce, session, spin,
answer, stake, win, event, session.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

import asyncpg
import uvloop
from aiohttp import web
from rgs_server import spin_lane
from rgs_server.app import create_app
from rgs_server.catalogue import load_catalogue
from rgs_server.config import read_config
from rgs_server.logs import configure_logging
from rgs_server.master_key import read_master_keys
from rgs_server.nonces import NonceMemory, Use, reused
from rgs_server.pending import Answer, Pending
from rgs_server.registry import read_registry
from rgs_server.sealing import Sealer
from rgs_server.service import SERVICE, Service
from rgs_server.sessions import Rulebook
from rgs_server.spin_listener import SpinListener
from rgs_server.spins import SpinDesk
from rgs_server.store import SpinRow, Store, Taken
from rgs_server.worker import KEEPALIVE_S

POOL = 16


class MemoryStore(Store):
    """Writes nothing; sessions are read from the database, once."""

    seen: ClassVar[set[bytes]] = set()

    async def commit_spins(
        self,
        rows: Sequence[SpinRow],
        mechanic_version: int,
        digests: Sequence[bytes] = (),
        claims: Sequence[int] = (),
        kept_s: float = 0,
        *,
        finished: bool = False,
    ) -> Taken:
        replayed = self.seen.intersection(digests)
        self.seen.update(digests)
        return Taken({(r.operator_id, r.spin_id) for r in rows if r.nonce_digest not in replayed}, replayed)


def without_database() -> None:
    """Makes lanes write into this process alone; nonces come with their spins."""
    spin_lane.Store = MemoryStore  # type: ignore[misc,attr-defined]


class TransactionDesk(SpinDesk):
    """Each spin in a transaction of its own."""

    pool: asyncpg.Pool[asyncpg.Record]

    async def play(self, operator_id: str, body: bytes, header_key: str | None, nonce: Use | None = None) -> Answer:
        pending = self._decode(operator_id, body, header_key)
        if nonce is not None:
            await self._nonces.write(nonce)
        lane = self._lanes[0]
        async with self.pool.acquire() as connection, connection.transaction():
            store = Store(connection)  # type: ignore[arg-type]
            await connection.execute(
                "SELECT FROM sessions WHERE session_id = $1 AND operator_id = $2 FOR UPDATE",
                pending.request.session_id,
                operator_id,
            )
            (record,) = await store.load_sessions([operator_id], [pending.request.session_id])
            lane._sessions.keep(record, None)
            row = lane._drawing.draw(pending, lane._sessions.get(pending.session_key)).row
            await self.write(connection, pending, row)
        return Answer(row.response, False)

    @staticmethod
    async def write(connection: Any, pending: Pending, row: SpinRow) -> None:
        await connection.execute(
            "INSERT INTO spins (operator_id, spin_id, round_id, session_id, idempotency_key, build_hash, mechanic_version, nonce,"
            " spin_type, mode, policy, currency, stake_minor, win_minor, win_units, outcome_digest, telemetry_ref, created_at)"
            " SELECT $1, $2, $3, $4, $5, build_hash, 1, $6, 'cash', 'base', '', currency, $7, $8, $9, $10, $11, $12"
            " FROM sessions WHERE session_id = $4 AND operator_id = $1",
            row.operator_id, row.spin_id, row.round_id, row.session_id, row.idempotency_key, row.nonce, Decimal(row.stake_minor),
            Decimal(row.win_minor), row.win_units, row.outcome_digest, row.telemetry_ref, row.created_at,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO idempotency (operator_id, operation, key, fingerprint, status, response, created_at)"
            " VALUES ($1, 'spin', $2, $3, 200, $4, $5)",
            row.operator_id, row.idempotency_key, row.fingerprint, row.response, row.created_at,
        )  # fmt: skip
        moves = [("stake", "platform", "game", row.stake_minor), ("win", "game", "platform", row.win_minor)]
        for kind, debit, credit, minor in moves[: 2 if row.win_minor else 1]:
            await connection.execute(
                "INSERT INTO ledger (operator_id, txn_id, kind, session_id, spin_id, debit_account, credit_account, currency,"
                " exponent, amount_minor, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'EUR', 2, $8, $9)",
                row.operator_id, f"{kind}:{row.spin_id}", kind, row.session_id, row.spin_id, debit, credit, Decimal(minor),
                row.created_at,
            )  # fmt: skip
        await connection.execute(
            "INSERT INTO events (event_id, operator_id, session_id, seq, event_type, payload, created_at)"
            " SELECT $1, $2, $3, event_count + 1, 'spin_finished', $4, $5 FROM sessions WHERE session_id = $3 AND operator_id = $2",
            row.telemetry_ref, row.operator_id, row.session_id, row.event, row.created_at,
        )  # fmt: skip
        await connection.execute(
            "UPDATE sessions SET next_nonce = next_nonce + 1, event_count = event_count + 1 WHERE session_id = $1 AND operator_id = $2",
            row.session_id,
            row.operator_id,
        )


def with_transactions(service: Service, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Replaces the desk and the memory of nonces of a service."""
    desk = service.desk
    desk.__class__ = TransactionDesk
    desk.pool = pool  # type: ignore[attr-defined]

    async def write(self: NonceMemory, use: Use) -> None:
        done = await pool.execute(
            "INSERT INTO nonces (digest, claim, expires_at) VALUES ($1, 1, now() + interval '600 s') ON CONFLICT DO NOTHING",
            use.digest,
        )
        self.release(use)
        if not str(done).endswith("1"):
            raise reused()

    NonceMemory.write = write  # type: ignore[method-assign]


async def main(variant: str, port: int) -> None:
    config = read_config()
    configure_logging("warning")
    if variant == "memory":
        without_database()
    rules = Rulebook(load_catalogue(""), read_registry("", ""), "strictest")
    service = Service(config, config.database_url, rules, Sealer(*read_master_keys(config.master_key_path)))
    if variant == "transaction":
        with_transactions(service, await asyncpg.create_pool(config.database_url, min_size=POOL, max_size=POOL))
    runner = web.AppRunner(create_app(service), access_log=None)
    await runner.setup()
    assert runner.app[SERVICE] is service
    assert runner.server is not None
    listener = SpinListener(service, runner.server, KEEPALIVE_S)
    await asyncio.get_running_loop().create_server(listener.connection, "127.0.0.1", port)
    gc.collect()
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
