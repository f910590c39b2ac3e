"""The audit records of a closed session in one document: what anybody needs to draw all of its rounds again, each with the
proof that the audit log has held it since it was played."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import msgspec

from rgs_core.audit.merkle import inclusion_spans
from rgs_server.answers import audit_record
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.exporting import ExportRefused, NotLogged
from rgs_server.audit.tree import span_hashes
from rgs_server.sealing import Sealer
from rgs_server.sessions import seed_context
from rgs_server.store import Store

PART = 1000
"""Rounds in one query."""
ROUNDS_MAX = 100_000
LOOK_S = 0.5


async def session_records(store: Store, sealer: Sealer, operator_id: str, session_id: str, wait_s: float) -> bytes:
    """The document, as JSON. A session that was closed just now is not in the signed log yet: waits for it so long.

    Raises ExportRefused while the seed is not public, or where there are too many rounds; NotLogged; SealBroken.
    """
    session = await store.find_session(operator_id, session_id)
    if session is None:
        raise ExportRefused(f"no session '{session_id}' of operator '{operator_id}'")
    if session["closed_at"] is None:
        raise ExportRefused(f"session '{session_id}' is open; its seed is shown when it is closed")
    if session["next_nonce"] > ROUNDS_MAX:
        raise ExportRefused(f"session '{session_id}' has more than {ROUNDS_MAX:,} rounds")
    seed = sealer.open(session["seed_sealed"], seed_context(operator_id, session_id))
    known = {name: session[name] for name in ("seed_commitment", "client_seed")}
    rows: list[asyncpg.Record] = []
    while part := await store.list_spins(operator_id, session_id, len(rows), PART):
        rows += part
    audit = AuditStore(store.connection)
    signed, leaves = await _logged(audit, operator_id, [row["spin_id"] for row in rows], wait_s)
    records = []
    for row, leaf in zip(rows, leaves, strict=True):
        record: dict[str, Any] = msgspec.to_builtins(audit_record({**row, **known}, seed))
        path = await span_hashes(audit, inclusion_spans(leaf["position"], signed["tree_size"]))
        proof = {"leaf": leaf["leaf"], "position": leaf["position"], "path": [value.hex() for value in path]}
        records.append(record | proof)
    log = {"size": signed["tree_size"], "root": signed["root"].hex(), "checkpoint": signed["note"]}
    return msgspec.json.encode({"rounds_played": session["next_nonce"], "log": log, "records": records})


async def _logged(
    audit: AuditStore, operator_id: str, spin_ids: list[str], wait_s: float
) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    """The newest checkpoint, once it covers the rounds, and their leaves. Raises ExportRefused."""
    leaves: list[asyncpg.Record] = []
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        signed = await audit.last_checkpoint()
        size = 0 if signed is None else signed["tree_size"]
        while len(leaves) < len(spin_ids):
            found = await audit.find_spin_leaf(operator_id, spin_ids[len(leaves)])
            if found is None or found["position"] >= size:
                break
            leaves.append(found)
        if len(leaves) == len(spin_ids) and signed is not None:
            return signed, leaves
        if asyncio.get_running_loop().time() > deadline:
            what = f"spin '{spin_ids[len(leaves)]}'" if spin_ids else "anything"
            raise NotLogged(
                f"the signed log does not have {what}: it will some seconds after it was played, and no longer has it once "
                "its time in the log is over"
            )
        await asyncio.sleep(LOOK_S)
