"""The audit records of a closed session in one file: what anybody needs to draw all of its rounds again."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import msgspec

from rgs_server.answers import audit_record
from rgs_server.audit.exporting import ExportRefused
from rgs_server.contract.answers import AuditRecord
from rgs_server.sealing import Sealer
from rgs_server.sessions import seed_context
from rgs_server.store import Store

PART = 1000
"""Rounds in one query."""


async def write_records(url: str, sealer: Sealer, operator_id: str, session_id: str, out: Path) -> int:
    """Writes the records of all rounds; returns how many. Raises ExportRefused while the seed is not public, SealBroken."""
    connection = await asyncpg.connect(url)
    try:
        store = Store(connection)
        session = await store.find_session(operator_id, session_id)
        if session is None:
            raise ExportRefused(f"no session '{session_id}' of operator '{operator_id}'")
        if session["closed_at"] is None:
            raise ExportRefused(f"session '{session_id}' is open; its seed is shown when it is closed")
        seed = sealer.open(session["seed_sealed"], seed_context(operator_id, session_id))
        known = {name: session[name] for name in ("seed_commitment", "client_seed")}
        records: list[AuditRecord] = []
        while part := await store.list_spins(operator_id, session_id, len(records), PART):
            records += [audit_record({**row, **known}, seed) for row in part]
    finally:
        await connection.close()
    out.write_bytes(msgspec.json.encode({"rounds_played": session["next_nonce"], "records": records}))
    return len(records)
