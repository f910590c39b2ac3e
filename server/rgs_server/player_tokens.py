"""Tokens of players: an operator vouches for who plays, where, and under which limits, when a session is opened.

A JWT with `sub`, `geo`, `exp`, `aud`, `jti` and, where there are limits, `rg_flags`; signed with a key of a set that the
operator publishes, or with a secret that both share. Which algorithm is right is said by the key, never by the token. A
token opens one session: it is bound to the session's id, so that a retry may show it again and nobody else can.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
import orjson

from rgs_server.access_tokens import NO_JWT
from rgs_server.addresses import plain
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import SessionRequest
from rgs_server.kept import Kept
from rgs_server.sealing import Sealer
from rgs_server.store import Stores

log = logging.getLogger("rgs.players")

ALGORITHMS = frozenset({"EdDSA", "ES256", "ES384", "PS256", "RS256"})
"""What published keys may sign with; a secret signs with HS256."""
REQUIRED = ["sub", "geo", "exp", "aud", "jti"]
LIFETIME_S_MAX = 3600
LEEWAY_S = 5
"""Clocks of two companies differ."""
JTI_CHARS_MAX = 255
RSA_BITS_MIN = 2048

FETCH_TIMEOUT_S = 3
FETCH_BYTES_MAX = 65_536
FRESH_S = 300
AGAIN_S = 5
"""A set is fetched again for a key that is missing, or after a failure, so often at most."""
STALE_S = 86_400
"""A set that cannot be fetched any more is used for so long."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an operator signs tokens of its players: with keys at `jwks_url`, or with `secret`."""

    audience: str
    issuer: str | None
    jwks_url: str | None
    secret: bytes | None = field(repr=False)


@dataclass(slots=True)
class KeySet:
    """Published keys by id, and when they were fetched."""

    keys: Mapping[str, jwt.PyJWK]
    fetched: float
    tried: float


def context_of(operator_id: str) -> str:
    """What a sealed shared secret is bound to."""
    return f"player-tokens:{operator_id}"


def acceptable(url: str) -> bool:
    """Whether keys may be fetched from there: over TLS, or from this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment or not url.isprintable():
        return False
    address = plain(host)
    local = host == "localhost" or (address is not None and address.is_loopback)
    return parts.scheme == "https" or (parts.scheme == "http" and local)


class PlayerTokens:
    """Checks tokens of players, for operators that send them."""

    def __init__(self, config: Config, sealer: Sealer, stores: Stores) -> None:
        self._sealer = sealer
        self._stores = stores
        self._rules = Kept(self._read_rule, config.key_cache_s)
        self._sets: dict[str, KeySet] = {}
        self._fetching: dict[str, asyncio.Lock] = {}

    async def required(self, operator_id: str) -> bool:
        """Whether sessions of an operator need a token."""
        return await self._rules.get(operator_id) is not None

    async def admit(self, operator_id: str, request: SessionRequest) -> None:
        """Uses the token of a request that opens a session. Raises Problem when it is not right."""
        rule = await self._rules.get(operator_id)
        if rule is None:
            return
        async with self._stores() as store:
            if await store.session_answer(operator_id, request.session_id) is not None:
                return  # opened before: the same request gets its answer again, whatever has become of the token
        claims = await self._claims(rule, request.jwt)
        for name, value in (("sub", request.player_id), ("geo", request.geo)):
            if claims[name] != value:
                raise Problem("PLAYER_TOKEN_INVALID", f"the token's {name} is not that of the request")
        flags = claims.get("rg_flags", {})
        if not isinstance(flags, dict) or not isinstance(flags.get("self_excluded", False), bool):
            raise Problem("PLAYER_TOKEN_INVALID", "rg_flags is an object, and its self_excluded true or false")
        if flags.get("self_excluded", False):
            raise Problem("RG_BLOCKED", "the player is self-excluded")
        jti, expires = claims["jti"], datetime.fromtimestamp(claims["exp"] + LEEWAY_S, UTC)
        async with self._stores() as store:
            if not await store.use_player_token(operator_id, jti, request.session_id, expires):
                raise Problem("PLAYER_TOKEN_REPLAYED", "the token opened another session; get a new one for this")

    async def _claims(self, rule: Rule, token: str) -> dict[str, Any]:
        """What a token says. Raises Problem."""
        if not token:
            raise Problem("PLAYER_TOKEN_REQUIRED", "sessions of this operator need a token of the player in 'jwt'")
        if not token.isascii():
            raise Problem("PLAYER_TOKEN_INVALID", "the token is no JWT")
        key: jwt.PyJWK | bytes
        try:
            if rule.jwks_url is not None:
                key = await self._key(rule.jwks_url, jwt.get_unverified_header(token).get("kid"))
                algorithm = key.algorithm_name
            else:
                assert rule.secret is not None
                key, algorithm = rule.secret, "HS256"
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=rule.audience,
                issuer=rule.issuer,
                leeway=LEEWAY_S,
                options={"require": REQUIRED, "strict_aud": True},
            )
            claims["exp"] = int(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Problem("PLAYER_TOKEN_EXPIRED", "the player's token has expired; get a new one") from None
        except jwt.InvalidAudienceError:
            raise Problem("PLAYER_TOKEN_AUDIENCE", f"the player's token is not for '{rule.audience}'") from None
        except (jwt.PyJWTError, *NO_JWT) as error:
            raise Problem("PLAYER_TOKEN_INVALID", f"the player's token is refused: {error}") from None
        if claims["exp"] > time.time() + LIFETIME_S_MAX + LEEWAY_S:
            raise Problem("PLAYER_TOKEN_INVALID", f"the player's token lives longer than {LIFETIME_S_MAX} s")
        jti = claims["jti"]
        if not isinstance(jti, str) or not 0 < len(jti) <= JTI_CHARS_MAX or not jti.isprintable():
            raise Problem("PLAYER_TOKEN_INVALID", f"jti is no text of 1 to {JTI_CHARS_MAX} printable characters")
        return claims

    async def _read_rule(self, operator_id: str) -> Rule | None:
        async with self._stores() as store:
            row = await store.find_player_rule(operator_id)
        if row is None:
            return None
        sealed = row["secret_sealed"]
        secret = self._sealer.open(sealed, context_of(operator_id)) if sealed is not None else None
        return Rule(row["audience"], row["issuer"], row["jwks_url"], secret)

    # -- published keys -------------------------------------------------------------------------

    async def _key(self, url: str, kid: object) -> jwt.PyJWK:
        """A published key. Raises Problem PLAYER_TOKEN_KEY_UNKNOWN, or PLAYER_KEYS_UNAVAILABLE."""
        if not isinstance(kid, str):
            raise Problem("PLAYER_TOKEN_KEY_UNKNOWN", "the token names no key: its header has no kid")
        found = self._usable(url, kid)
        if found is None:
            async with self._fetching.setdefault(url, asyncio.Lock()):
                found = self._usable(url, kid)
                if found is None:
                    found = (await self._renewed(url)).get(kid)
        if found is None:
            raise Problem("PLAYER_TOKEN_KEY_UNKNOWN", f"no key '{kid[:80]}' among those of the operator")
        return found

    def _usable(self, url: str, kid: str) -> jwt.PyJWK | None:
        """A key of a set that need not be fetched again."""
        kept = self._sets.get(url)
        return kept.keys.get(kid) if kept is not None and time.monotonic() < kept.fetched + FRESH_S else None

    async def _renewed(self, url: str) -> Mapping[str, jwt.PyJWK]:
        """The keys at a place; those that were there before where it does not answer, for a while."""
        now = time.monotonic()
        kept = self._sets.get(url)
        if kept is None or now >= kept.tried + AGAIN_S:
            try:
                self._sets[url] = KeySet(await fetch_keys(url), now, now)
                return self._sets[url].keys
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                log.warning("keys of players at %s: %r", url, error)
                if kept is None:
                    kept = self._sets[url] = KeySet({}, float("-inf"), now)
                kept.tried = now
        if now >= kept.fetched + STALE_S:
            raise Problem("PLAYER_KEYS_UNAVAILABLE", "the operator's keys cannot be fetched; repeat the same request")
        return kept.keys


async def fetch_keys(url: str) -> Mapping[str, jwt.PyJWK]:
    """Keys that are published at a place, by id; those that cannot sign a token are left out.

    Raises aiohttp.ClientError, OSError, TimeoutError, or ValueError for what is no set of keys.
    """
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"answered {answer.status}")
        body = await answer.content.read(FETCH_BYTES_MAX + 1)
        while len(body) <= FETCH_BYTES_MAX and (more := await answer.content.read(FETCH_BYTES_MAX)):
            body += more
    if len(body) > FETCH_BYTES_MAX:
        raise ValueError(f"more than {FETCH_BYTES_MAX} bytes")
    document = orjson.loads(body)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no set of keys")
    found: dict[str, jwt.PyJWK] = {}
    for member in document["keys"]:
        if not isinstance(member, dict) or not isinstance(member.get("kid"), str) or member.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(member)
        except jwt.PyJWTError:
            continue
        if key.algorithm_name in ALGORITHMS and getattr(key.key, "key_size", RSA_BITS_MIN) >= minimum(key):
            found[member["kid"]] = key
    return found


def minimum(key: jwt.PyJWK) -> int:
    """Least bits of a key: RSA may be too short, curves have their size."""
    return RSA_BITS_MIN if key.key_type == "RSA" else 0
