"""Another master key: everything that older ones have sealed is sealed anew under the first one."""

from __future__ import annotations

import json
from collections.abc import Callable

import asyncpg

from rgs_server.audit.audit_store import AuditStore
from rgs_server.config import Config
from rgs_server.master_key import read_master_keys
from rgs_server.sealing import Sealer
from rgs_server.store import Store

BATCH = 500


async def reseal(config: Config, told: Callable[[int], None]) -> int:
    """Seals anew what is sealed under other keys than the first; returns how many. `told`: so many so far. May be stopped
    and begun again. Raises SealBroken where none of the keys opens a seal; what was done before stays."""
    sealer = Sealer(*read_master_keys(config.master_key_path))
    connection = await asyncpg.connect(config.database_url)
    done = 0
    try:
        store = Store(connection)
        while rows := await store.seals_of_other_keys(sealer.prefix, BATCH):
            await store.reseal(
                [
                    (
                        row["place"],
                        row["operator_id"],
                        row["name"],
                        row["sealed"],
                        sealer.seal(sealer.open(row["sealed"], row["context"]), row["context"]),
                    )
                    for row in rows
                ]
            )
            done += len(rows)
            told(done)
        if done:
            await AuditStore(connection).add_fact("reseal", sealer.prefix[1:].hex(), json.dumps({"sealed": done}))
    finally:
        await connection.close()
    return done
