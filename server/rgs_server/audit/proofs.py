"""Checkpoints and proofs, as operators ask for them: what they show of others' facts are hashes."""

from __future__ import annotations

import asyncpg

from rgs_core.audit.merkle import consistency_spans, inclusion_spans
from rgs_core.audit.notes import has_signed
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.log_keys import public_keys
from rgs_server.audit.tree import root_at, span_hashes
from rgs_server.clock import time_text
from rgs_server.contract.answers import AuditCheckpoint, ConsistencyProof, InclusionProof, encode
from rgs_server.contract.problems import Problem
from rgs_server.store import Store


async def newest_checkpoint(store: Store) -> bytes:
    """The answer with the newest checkpoint. Raises Problem."""
    audit = AuditStore(store.connection)
    row = await audit.last_checkpoint()
    if row is None:
        raise Problem("AUDIT_PENDING", "the log was not signed yet")
    keys = await public_keys(audit)
    # A key that was made since has not signed this one.
    signers = [str(key) for key in sorted(keys, key=lambda key: not has_signed(row["note"], key))]
    return encode(
        AuditCheckpoint(
            row["tree_size"], row["root"].hex(), time_text(row["made_at"]), row["note"], signers[0], signers
        )
    )


async def spin_proof(store: Store, operator_id: str, spin_id: str) -> bytes:
    """That the bet and its outcome are in the log. Raises Problem."""
    audit = AuditStore(store.connection)
    known = await _inclusion(audit, await audit.find_spin_leaf(operator_id, spin_id))
    if known is None and await store.find_spin(operator_id, spin_id) is None:
        raise Problem("SPIN_UNKNOWN", f"no spin '{spin_id[:255]}'")
    return _answer(known, f"spin '{spin_id[:255]}'")


async def transaction_proof(store: Store, operator_id: str, txn_id: str) -> bytes:
    """That a movement of money is in the log. Raises Problem."""
    audit = AuditStore(store.connection)
    known = await _inclusion(audit, await audit.find_ledger_leaf(operator_id, txn_id))
    if known is None and await store.find_transaction(operator_id, txn_id) is None:
        raise Problem("TRANSACTION_UNKNOWN", f"no transaction '{txn_id[:255]}'")
    return _answer(known, f"transaction '{txn_id[:255]}'")


def _answer(proof: InclusionProof | None, what: str) -> bytes:
    if proof is None:
        raise Problem("AUDIT_PENDING", f"{what} is not in the signed log yet, or was erased when its time was over")
    return encode(proof)


async def _inclusion(audit: AuditStore, found: asyncpg.Record | None) -> InclusionProof | None:
    """None where the newest checkpoint does not cover the leaf."""
    signed = await audit.last_checkpoint()
    if signed is None or found is None or found["position"] >= signed["tree_size"]:
        return None
    path = await span_hashes(audit, inclusion_spans(found["position"], signed["tree_size"]))
    return InclusionProof(
        found["leaf"], found["position"], signed["tree_size"], [value.hex() for value in path], signed["note"]
    )


async def consistency_proof(store: Store, first: int | None, second: int | None) -> bytes:
    """That the log of one size is the beginning of that of another, by default of the newest checkpoint. Raises Problem."""
    audit = AuditStore(store.connection)
    signed = await audit.last_checkpoint()
    if signed is None:
        raise Problem("AUDIT_PENDING", "the log was not signed yet")
    first = 1 if first is None else first
    second = signed["tree_size"] if second is None else second
    if not 0 < first <= second <= signed["tree_size"]:
        size = signed["tree_size"]
        raise Problem("VALIDATION_FAILED", f"first and second: not 1 to {size}, the first one not above the second")
    path = await span_hashes(audit, consistency_spans(first, second))
    first_root, second_root = await root_at(audit, first), await root_at(audit, second)
    hashes = [value.hex() for value in path]
    return encode(ConsistencyProof(first, second, first_root.hex(), second_root.hex(), hashes))
