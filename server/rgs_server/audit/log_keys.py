"""The keys of the log: Ed25519, the first one made with the database, their private halves sealed like all secrets.

The newest signs checkpoints and exports. The log keeps its name under another key, so what older ones have signed goes on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rgs_core.audit.notes import Checkpoint, VerifierKey, sign_note
from rgs_server.audit.audit_store import AuditStore
from rgs_server.sealing import Sealer


class LogKeyMissing(Exception):
    """The database has no key of the log, or holds one whose halves do not belong together."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """Both halves. The name of the key is the origin of the log."""

    public: VerifierKey
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def note(self, checkpoint: Checkpoint) -> str:
        """A checkpoint as it is published."""
        return sign_note(checkpoint.text(), self.public, self.sign)


def context_of(name: str) -> str:
    """What the sealed private half of a key is bound to."""
    return f"audit-key:{name}"


async def public_keys(store: AuditStore) -> list[VerifierKey]:
    """What verifies the log, the key that signs now first. Raises LogKeyMissing."""
    return [VerifierKey(row["name"], row["public_key"]) for row in await _keys(store)]


async def log_key(store: AuditStore, sealer: Sealer) -> LogKey:
    """The key of the log. Raises LogKeyMissing, SealBroken."""
    row = (await _keys(store))[0]
    private = Ed25519PrivateKey.from_private_bytes(sealer.open(row["private_sealed"], context_of(row["name"])))
    if private.public_key().public_bytes_raw() != row["public_key"]:
        raise LogKeyMissing(f"the halves of the key '{row['name']}' of the audit log do not belong together")
    return LogKey(VerifierKey(row["name"], row["public_key"]), private)


async def _keys(store: AuditStore) -> list[asyncpg.Record]:
    rows = await store.list_keys()
    if not rows:
        raise LogKeyMissing("the database has no key of the audit log; 'rgs-server serve' makes it at its start")
    return rows


async def rotate_log_key(store: AuditStore, sealer: Sealer) -> None:
    """Makes a key that signs from the next checkpoint on. Raises LogKeyMissing."""
    await _add_key(store, sealer, (await _keys(store))[0]["name"])


async def ensure_log_key(url: str, sealer: Sealer) -> None:
    """Makes the key of a new database. The log is named after it."""
    connection = await asyncpg.connect(url)
    try:
        store = AuditStore(connection)
        if not await store.list_keys():
            await _add_key(store, sealer, None)
    finally:
        await connection.close()


async def _add_key(store: AuditStore, sealer: Sealer, name: str | None) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    name = name or f"rgs-audit-{hashlib.sha256(public).hexdigest()[:12]}"
    await store.add_key(name, public, sealer.seal(private.private_bytes_raw(), context_of(name)))
