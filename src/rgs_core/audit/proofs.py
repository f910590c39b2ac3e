"""The proof that one leaf is in the log, as the service answers it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rgs_core.audit.merkle import HASH_BYTES, included, leaf_hash
from rgs_core.audit.notes import Checkpoint, VerifierKey
from rgs_core.errors import AuditError

PATH_MAX = 64


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A leaf, where it is, and what joins it with the root of a checkpoint, which is a signed note."""

    leaf: str
    position: int
    tree_size: int
    path: tuple[bytes, ...]
    checkpoint: str

    def faults(self, keys: Sequence[VerifierKey]) -> list[str]:
        """Why it proves nothing; empty: the leaf is in the log of that checkpoint."""
        try:
            checkpoint = Checkpoint.open(self.checkpoint, keys)
        except AuditError as error:
            return [f"checkpoint: {error}"]
        if checkpoint.size != self.tree_size:
            return [f"tree_size: {self.tree_size} leaves, the checkpoint has {checkpoint.size}"]
        if not included(leaf_hash(self.leaf.encode()), self.position, self.tree_size, self.path, checkpoint.root):
            return ["path: leads from this leaf at this position to another root than that of the checkpoint"]
        return []


def read_proof(text: str) -> InclusionProof:
    """Raises AuditError."""
    try:
        document = json.loads(text)
        leaf, position, size, path, checkpoint = (
            document[name] for name in ("leaf", "position", "tree_size", "path", "checkpoint")
        )
        hashes = tuple(bytes.fromhex(value) for value in path)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise AuditError(f"no proof with leaf, position, tree_size, path and checkpoint: {error!r}") from None
    if type(leaf) is not str or type(checkpoint) is not str or type(position) is not int or type(size) is not int:
        raise AuditError("leaf and checkpoint are texts, position and tree_size whole numbers")
    if len(hashes) > PATH_MAX or any(len(value) != HASH_BYTES for value in hashes):
        raise AuditError(f"path: at most {PATH_MAX} hashes of {HASH_BYTES} bytes")
    try:
        leaf.encode()
    except UnicodeEncodeError:
        raise AuditError("leaf: half of a character") from None
    return InclusionProof(leaf, position, size, hashes, checkpoint)
