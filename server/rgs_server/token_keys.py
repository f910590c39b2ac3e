"""The keys that sign access tokens: Ed25519, published as a JSON Web Key Set, two of them live while they change.

The newest one signs. The one before it is still published, so that tokens it has signed stay good until they expire.
Private halves lie in the database, sealed under the master key.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rgs_server.config import Config
from rgs_server.contract.answers import Jwk
from rgs_server.kept import Kept
from rgs_server.master_key import read_master_keys
from rgs_server.sealing import Sealer
from rgs_server.store import Store, Stores

ALGORITHM = "EdDSA"
LIVE_MAX = 2
UNKNOWN_AGAIN_S = 1
"""A key that is not known is looked for in the database so often at most."""
SETTLED_S = 2 * UNKNOWN_AGAIN_S
"""A key signs when it is so old: by then no worker refuses it for having looked a moment too early."""


class KeyUnknown(Exception):
    """There is no live key of that id."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A live key, with both halves."""

    private: Ed25519PrivateKey
    public: jwt.PyJWK
    jwk: Jwk
    age_s: float

    @classmethod
    def of(cls, raw: bytes, age_s: float = 0) -> TokenKey:
        """From the 32 bytes of the private half."""
        private = Ed25519PrivateKey.from_private_bytes(raw)
        x = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).rstrip(b"=").decode()
        # RFC 7638 with RFC 8037: the id of a key is made of the key.
        thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
        kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
        jwk = Jwk(kty="OKP", crv="Ed25519", kid=kid, use="sig", alg="EdDSA", x=x)
        return cls(private, jwt.PyJWK({"kty": jwk.kty, "crv": jwk.crv, "x": x}, ALGORITHM), jwk, age_s)


def context_of(kid: str) -> str:
    """What the sealed private half of a key is bound to."""
    return f"token-key:{kid}"


class TokenKeys:
    """The live keys, newest first, kept for a while."""

    def __init__(self, config: Config, sealer: Sealer, stores: Stores) -> None:
        self._sealer = sealer
        self._stores = stores
        self._kept: Kept[Sequence[TokenKey]] = Kept(self._read, config.key_cache_s)
        self._read_at = 0.0

    async def live(self) -> Sequence[TokenKey]:
        return await self._kept.get("live") or ()

    async def signing(self) -> TokenKey:
        """The key that signs: the newest that all workers know. Raises KeyUnknown where there is none."""
        live = await self.live()
        if not live:
            raise KeyUnknown("no live key")
        return next((key for key in live if key.age_s >= SETTLED_S), live[-1])

    async def find(self, kid: str) -> TokenKey:
        """A live key. One that was made a moment ago is found at once. Raises KeyUnknown."""
        for _ in range(2):
            for key in await self.live():
                if key.jwk.kid == kid:
                    return key
            if time.monotonic() < self._read_at + UNKNOWN_AGAIN_S:
                break
            self._kept.forget("live")
        raise KeyUnknown(kid)

    async def _read(self, _: str) -> Sequence[TokenKey]:
        async with self._stores() as store:
            records = await store.live_token_keys()
        self._read_at = time.monotonic()
        return [
            TokenKey.of(self._sealer.open(row["private_sealed"], context_of(row["kid"])), row["age_s"])
            for row in records
        ]


async def add_token_key(store: Store, sealer: Sealer) -> str:
    """Makes a key that signs from now on; returns its id."""
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    kid = TokenKey.of(private).jwk.kid
    await store.add_token_key(kid, sealer.seal(private, context_of(kid)))
    return kid


async def ensure_token_key(url: str, sealer: Sealer) -> None:
    """Makes the first key of a new database."""
    connection = await asyncpg.connect(url)
    try:
        store = Store(connection)
        if not await store.live_token_keys():
            await add_token_key(store, sealer)
    finally:
        await connection.close()


async def change_token_keys(
    config: Config, *, rotate: bool = False, retire: str | None = None
) -> tuple[list[str], list[str]]:
    """Makes a new key and keeps one older; or retires one, for one that leaked. Raises KeyUnknown.

    Returns the ids that are live, newest first, and those that were retired now.
    """
    sealer = Sealer(*read_master_keys(config.master_key_path))
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        retired: list[str] = []
        async with connection.transaction():
            if retire is not None:
                if not await store.retire_token_key(retire):
                    raise KeyUnknown(f"no live key '{retire}'")
                retired = [retire]
            if rotate or not await store.live_token_keys():
                await add_token_key(store, sealer)
            retired += await store.retire_old_token_keys(LIVE_MAX)
        return [row["kid"] for row in await store.live_token_keys()], retired
    finally:
        await connection.close()
