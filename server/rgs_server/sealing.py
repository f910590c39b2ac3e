"""Secrets at rest: AES-256-GCM under a master key, bound to what they belong to.

Sealed form: 1 byte version (2), 4 bytes of the key's id, 12 bytes nonce, ciphertext with its 16-byte tag (NIST SP
800-38D). The first version (1) had no id of a key: its seals are opened with each key in turn, and no longer written.
The context (such as the session id) is authenticated, so a sealed seed cannot be moved to another row. The id of a key is
the beginning of its SHA-256, and tells which of several keys opens a seal.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x02"
WITHOUT_KEY_ID = b"\x01"
"""Seals of the first version, which do not tell their key."""
KEY_ID_BYTES = 4
NONCE_BYTES = 12
TAG_BYTES = 16


class SealBroken(Exception):
    """A sealed value cannot be opened: another master key, another context, or altered bytes."""


class Sealer:
    """Seals with the first of its 32-byte master keys, and opens with all of them."""

    def __init__(self, *master_keys: bytes) -> None:
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(master_keys)}
        self._first = master_keys[0]
        self.prefix = VERSION + _key_id(master_keys[0])
        """How seals of the first key begin."""

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for another purpose, which tells nothing of the first master key (HMAC-SHA256, RFC 2104)."""
        return hmac.new(self._first, b"rgs derived key|" + purpose.encode(), hashlib.sha256).digest()

    def seal(self, secret: bytes, context: str) -> bytes:
        """The sealed form of a secret."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = self._ciphers[self.prefix[len(VERSION) :]]
        return self.prefix + nonce + cipher.encrypt(nonce, secret, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The secret. Raises SealBroken."""
        if sealed[:1] == WITHOUT_KEY_ID:
            return self._open_by_any(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], context)
        head = len(VERSION) + KEY_ID_BYTES
        if sealed[:1] != VERSION or len(sealed) < head + NONCE_BYTES + TAG_BYTES:
            raise SealBroken(f"no seal of a known version for {context}")
        cipher = self._ciphers.get(sealed[len(VERSION) : head])
        if cipher is None:
            raise SealBroken(f"cannot open the seal of {context}: its master key is none of those given")
        try:
            return cipher.decrypt(sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :], context.encode())
        except InvalidTag:
            raise SealBroken(
                f"cannot open the seal of {context}: it belongs to something else, or was altered"
            ) from None

    def _open_by_any(self, nonce: bytes, ciphertext: bytes, context: str) -> bytes:
        for cipher in self._ciphers.values() if len(ciphertext) >= TAG_BYTES else ():
            with suppress(InvalidTag):
                return cipher.decrypt(nonce, ciphertext, context.encode())
        raise SealBroken(f"cannot open the seal of {context} with any of the master keys")


def _key_id(master_key: bytes) -> bytes:
    return hashlib.sha256(b"rgs master key id" + master_key).digest()[:KEY_ID_BYTES]
