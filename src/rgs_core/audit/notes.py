"""Signed notes and checkpoints: small texts that say how large the log is and what its root is.

The forms are those of C2SP: signed-note (`text`, an empty line, lines of signatures) with Ed25519, verifier keys
`name+id+key`, and tlog-checkpoint (origin, size, root), whose further lines here are the time and what made it.
https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rgs_core.audit.ed25519 import signed_by
from rgs_core.audit.merkle import HASH_BYTES
from rgs_core.errors import AuditError

ED25519 = b"\x01"
"""The algorithm's byte in keys and key ids."""
KEY_ID_BYTES = 4
SIGNATURE = "— "
NOTE_BYTES_MAX = 16 * 1024
SIZE_MAX = 2**63 - 1
NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,128}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name under which it signs."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(f"{self.name}\n".encode() + ED25519 + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """From the form `name+id+key`. Raises AuditError."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not NAME.fullmatch(parts[0]):
            raise AuditError(f"'{text[:80].strip()}' is no verifier key; it has the form name+id+key")
        raw = _decoded(parts[2])
        if raw is None or len(raw) != 33 or raw[:1] != ED25519:
            raise AuditError(f"the key of '{parts[0]}' is no Ed25519 key in base64")
        key = cls(parts[0], raw[1:])
        if key.key_id.hex() != parts[1]:
            raise AuditError(f"the id {parts[1][:16]} is not that of the key of '{parts[0]}', {key.key_id.hex()}")
        return key


def read_keys(text: str) -> list[VerifierKey]:
    """The verifier keys of a file, one a line; lines with # are comments. Raises AuditError."""
    keys = [VerifierKey.parse(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not keys:
        raise AuditError("no verifier key, such as 'rgs-server audit key' prints it")
    return keys


def sign_note(text: str, key: VerifierKey, sign: Callable[[bytes], bytes]) -> str:
    """A signed note of a text, which ends with a line feed; `sign` has the private half."""
    signature = base64.b64encode(key.key_id + sign(text.encode())).decode()
    return f"{text}\n{SIGNATURE}{key.name} {signature}\n"


def open_note(note: str, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that one of the keys has signed. Signatures of others are passed over. Raises AuditError."""
    if len(note.encode("utf-8", "surrogatepass")) > NOTE_BYTES_MAX:
        raise AuditError(f"more than {NOTE_BYTES_MAX} bytes are no note")
    text, cut, signatures = note.rpartition("\n\n")
    if not cut or not signatures.endswith("\n"):
        raise AuditError("no signed note: a text, an empty line, lines of signatures")
    text += "\n"
    good = False
    for line in signatures[:-1].split("\n"):
        name, _, encoded = line.removeprefix(SIGNATURE).partition(" ")
        raw = _decoded(encoded)
        if not line.startswith(SIGNATURE) or not NAME.fullmatch(name) or raw is None or len(raw) <= KEY_ID_BYTES:
            raise AuditError(f"'{line[:80]}' is no line of a signature")
        for key in keys:
            if (key.name, key.key_id) == (name, raw[:KEY_ID_BYTES]):
                if not signed_by(key.public, text.encode(), raw[KEY_ID_BYTES:]):
                    raise AuditError(f"the signature of {name} does not fit the text")
                good = True
    if not good:
        raise AuditError(f"not signed by {' or '.join(f'{key.name}+{key.key_id.hex()}' for key in keys)}")
    return text


def has_signed(note: str, key: VerifierKey) -> bool:
    """Whether a note opens with a key."""
    try:
        open_note(note, [key])
    except AuditError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How large a log was at a time (RFC 3339, UTC, milliseconds), and its root."""

    origin: str
    size: int
    root: bytes
    time: str

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\ntime {self.time}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """From the text of a note. Raises AuditError."""
        lines = text.split("\n")
        if len(lines) < 5 or lines[-1]:
            raise AuditError("no checkpoint: lines of origin, size, root and time")
        origin, size, root, time = lines[:4]
        raw = _decoded(root)
        if not re.fullmatch("0|[1-9][0-9]{0,18}", size) or int(size) > SIZE_MAX:
            raise AuditError(f"the size of the checkpoint is '{size[:40]}', no number of leaves")
        if raw is None or len(raw) != HASH_BYTES:
            raise AuditError(f"the root of the checkpoint is '{root[:80]}', no SHA-256 in base64")
        if not time.startswith("time ") or not TIME.fullmatch(time[5:]):
            raise AuditError(f"the checkpoint has '{time[:40]}' for a line like 'time 2026-01-31T12:00:00.000Z'")
        return cls(origin, int(size), raw, time[5:])

    @classmethod
    def open(cls, note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
        """From a signed note, whose signer's name is the origin. Raises AuditError."""
        checkpoint = cls.parse(open_note(note, keys))
        if all(key.name != checkpoint.origin for key in keys):
            raise AuditError(f"a checkpoint of the log '{checkpoint.origin[:80]}', which none of the keys is for")
        return checkpoint


def _decoded(text: str) -> bytes | None:
    """The bytes of base64 in its only form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if base64.b64encode(raw).decode() == text else None
