"""Whether a spin is in the signed log as its row says it, for people who look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rgs_core.audit.merkle import inclusion_spans
from rgs_core.audit.notes import Checkpoint, VerifierKey
from rgs_core.audit.proofs import InclusionProof
from rgs_core.errors import AuditError
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.log_keys import LogKeyMissing, public_keys
from rgs_server.audit.tree import LogBroken, span_hashes
from rgs_server.store import Store


@dataclass(frozen=True, slots=True)
class Verdict:
    """`result`: match, mismatch or pending; `reason` says why it is no match. Of a match, the checkpoint that covers it."""

    result: str
    reason: str = ""
    position: int | None = None
    tree_size: int | None = None
    signed_at: str | None = None
    log: str | None = None
    root: str | None = None


async def spin_verdict(store: Store, operator_id: str, spin_id: str) -> Verdict:
    """Proves the spin of today's database against the newest checkpoint, and the checkpoint with the key of the log."""
    audit = AuditStore(store.connection)
    signed = await audit.last_checkpoint()
    found = await audit.find_spin_leaf(operator_id, spin_id)
    if found is None:
        return Verdict("pending", "the log has no leaf of it: not sequenced yet, or erased when its time was over")
    position = int(found["position"])
    if signed is None or position >= signed["tree_size"]:
        return Verdict("pending", "it is in the log, and waits for the next checkpoint", position)
    try:
        keys = await public_keys(audit)
        path = await span_hashes(audit, inclusion_spans(position, signed["tree_size"]))
        checkpoint = Checkpoint.open(signed["note"], keys)
    except (AuditError, LogBroken, LogKeyMissing) as error:
        return Verdict("mismatch", str(error), position)
    proof = InclusionProof(found["leaf"], position, signed["tree_size"], tuple(path), signed["note"])
    return judged(proof, checkpoint, keys)


def judged(proof: InclusionProof, checkpoint: Checkpoint, keys: Sequence[VerifierKey]) -> Verdict:
    """The verdict of a proof."""
    faults = proof.faults(keys)
    if faults:
        return Verdict(
            "mismatch", f"the spin is not the one that was logged, or the log was changed; {faults[0]}", proof.position
        )
    return Verdict(
        "match",
        position=proof.position,
        tree_size=proof.tree_size,
        signed_at=checkpoint.time,
        log=checkpoint.origin,
        root=checkpoint.root.hex(),
    )
