"""From seeds to keys: what a session publishes, keeps and derives (docs/rng.md, section 2)."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from rgs_core.errors import SeedError

DERIVATION = "rgs-rng-1"
"""Name of the outcome derivation; a change of the derivation is a new name."""

SERVER_SEED_BYTES = 32
CLIENT_SEED_BYTES_MAX = 256


def new_server_seed() -> bytes:
    """256 bits from the operating system's generator."""
    return secrets.token_bytes(SERVER_SEED_BYTES)


def commitment(server_seed: bytes) -> str:
    """SHA-256 of the server seed in hex, shown before the first spin."""
    _check(server_seed, "")
    return hashlib.sha256(server_seed).hexdigest()


def derive_key(server_seed: bytes, client_seed: str = "") -> bytes:
    """HMAC-SHA256(server_seed, "rgs-rng-1|" + client_seed): the 32-byte key of a session (RFC 2104).

    Raises SeedError when the server seed is not 32 bytes or the client seed is over 256 bytes of UTF-8.
    """
    _check(server_seed, client_seed)
    return hmac.digest(server_seed, f"{DERIVATION}|{client_seed}".encode(), "sha256")


def parse_server_seed(text: str) -> bytes:
    """A server seed from 64 hex digits. Raises SeedError."""
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        raise SeedError(f"'{text}' is not hexadecimal; a server seed is 64 hex digits") from None
    _check(seed, "")
    return seed


def _check(server_seed: bytes, client_seed: str) -> None:
    if len(server_seed) != SERVER_SEED_BYTES:
        raise SeedError(f"a server seed is {SERVER_SEED_BYTES} bytes (64 hex digits), not {len(server_seed)}")
    if len(client_seed.encode()) > CLIENT_SEED_BYTES_MAX:
        raise SeedError(f"a client seed is at most {CLIENT_SEED_BYTES_MAX} bytes of UTF-8")
