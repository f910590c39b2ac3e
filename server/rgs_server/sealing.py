"""Secrets at rest: AES-256-GCM under the master key, bound to what they belong to.

Sealed form: 1 byte version, 12 bytes nonce, ciphertext with its 16-byte tag (NIST SP 800-38D).
The context (such as the session id) is authenticated, so a sealed seed cannot be moved to another row.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE_BYTES = 12
TAG_BYTES = 16


class SealBroken(Exception):
    """A sealed value cannot be opened: another master key, another context, or altered bytes."""


class Sealer:
    """Seals and opens with one 32-byte master key."""

    def __init__(self, master_key: bytes) -> None:
        self._cipher = AESGCM(master_key)

    def seal(self, secret: bytes, context: str) -> bytes:
        """The sealed form of a secret."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The secret. Raises SealBroken."""
        if sealed[:1] != VERSION or len(sealed) < len(VERSION) + NONCE_BYTES + TAG_BYTES:
            raise SealBroken(f"no seal of a known version for {context}")
        nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, context.encode())
        except InvalidTag:
            raise SealBroken(f"cannot open the seal of {context}: is it the right master key?") from None
