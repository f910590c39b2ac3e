"""Access tokens: OAuth 2.0 client credentials (RFC 6749, section 4.4), as signed JWTs (RFC 9068).

A client proves itself with its secret and gets a token for minutes; whoever shows the token acts for the client's
operator, within its scopes. A token that was verified is kept until it expires, but the key that signed it and the
client it belongs to are looked at every time: what is retired ends within RGS_KEY_CACHE_S.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

import jwt

from rgs_server.config import Config
from rgs_server.contract.answers import TokenAnswer
from rgs_server.contract.operations import SCOPES
from rgs_server.contract.problems import Problem
from rgs_server.token_keys import ALGORITHM, KeyUnknown, TokenKeys

KIND = "at+jwt"
"""The `typ` of access tokens: no other token passes for one."""
TOKEN_CHARS_MAX = 4096
VERIFIED_MAX = 10_000
LEEWAY_S = 5
NO_JWT = (OverflowError, RecursionError, TypeError, ValueError)
"""What reading a text that is no JWT may raise beside the library's own errors: numbers without end, depths."""
REQUIRED = ["exp", "iat", "sub", "jti", "client_id", "scope"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a verified token says."""

    client_id: str
    scopes: frozenset[str]
    kid: str
    expires: int


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Who asks for a token, and for which scopes; None: all of the client's."""

    client_id: str
    client_secret: str
    scopes: frozenset[str] | None


class AccessTokens:
    """Issues tokens and verifies them."""

    def __init__(self, config: Config, keys: TokenKeys) -> None:
        self._config = config
        self._keys = keys
        self._verified: dict[bytes, Grant] = {}

    async def issue(self, client_id: str, scopes: frozenset[str]) -> TokenAnswer:
        """A token for a client that has proved itself."""
        try:
            key = await self._keys.signing()
        except KeyUnknown:
            problem = "there is no key to sign tokens with; `rgs-server keys --rotate` makes one"
            raise Problem("INTERNAL", problem) from None
        now, seconds = int(time.time()), self._config.token_lifetime_s
        scope = " ".join(sorted(scopes))
        claims = {
            "iss": self._config.token_issuer,
            "aud": self._config.token_issuer,
            "sub": client_id,
            "client_id": client_id,
            "scope": scope,
            "iat": now,
            "exp": now + seconds,
            "jti": secrets.token_hex(16),
        }
        token = jwt.encode(claims, key.private, ALGORITHM, headers={"kid": key.jwk.kid, "typ": KIND})
        return TokenAnswer(token, "Bearer", seconds, scope)

    async def verified(self, token: str) -> Grant:
        """What a token grants. Raises Problem TOKEN_INVALID, TOKEN_KEY_UNKNOWN or TOKEN_EXPIRED."""
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        grant = self._verified.get(digest)
        if grant is None:
            grant = await self._verify(token)
            if len(self._verified) >= VERIFIED_MAX:
                self._verified.clear()
            self._verified[digest] = grant
        else:
            await self._key(grant.kid)
        if grant.expires <= time.time():
            self._verified.pop(digest, None)
            raise Problem("TOKEN_EXPIRED", "the access token has expired; ask for a new one")
        return grant

    async def _key(self, kid: str) -> jwt.PyJWK:
        try:
            return (await self._keys.find(kid)).public
        except KeyUnknown:
            raise Problem("TOKEN_KEY_UNKNOWN", f"no live key '{kid[:80]}'; /.well-known/jwks.json lists them") from None

    async def _verify(self, token: str) -> Grant:
        if len(token) > TOKEN_CHARS_MAX or not token.isascii():
            raise Problem("TOKEN_INVALID", f"an access token has at most {TOKEN_CHARS_MAX} characters, all of ASCII")
        issuer = self._config.token_issuer
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if header.get("typ") != KIND or not isinstance(kid, str):
                raise Problem("TOKEN_INVALID", f"the token is no access token: its typ is not {KIND}, or it has no kid")
            claims = jwt.decode(
                token,
                await self._key(kid),
                algorithms=[ALGORITHM],
                audience=issuer,
                issuer=issuer,
                leeway=LEEWAY_S,  # of `iat`, between clocks of workers; `exp` is looked at once more
                options={"require": REQUIRED, "strict_aud": True},
            )
            return Grant(str(claims["client_id"]), frozenset(str(claims["scope"]).split()), kid, int(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise Problem("TOKEN_EXPIRED", "the access token has expired; ask for a new one") from None
        except (jwt.PyJWTError, *NO_JWT) as error:
            raise Problem("TOKEN_INVALID", f"the access token is refused: {error}") from None


def read_token_request(authorization: str, content_type: str, body: bytes) -> TokenRequest:
    """A request for a token; the client is named in `Authorization: Basic` or in the form. Raises Problem."""
    form = read_form(content_type, body)
    if authorization:
        if "client_secret" in form:
            raise Problem("VALIDATION_FAILED", "the client is named twice; use Authorization or the form")
        client_id, client_secret = read_basic(authorization)
        if form.get("client_id", client_id) != client_id:
            raise Problem("VALIDATION_FAILED", "client_id differs from that of Authorization")
    else:
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
    if not client_id or not client_secret:
        raise Problem("CLIENT_INVALID", "name the client: Authorization: Basic, or client_id and client_secret")
    grant = form.get("grant_type")
    if grant is None:
        raise Problem("VALIDATION_FAILED", "grant_type is missing; it is client_credentials")
    if grant != "client_credentials":
        raise Problem("GRANT_UNSUPPORTED", f"grant_type '{grant[:80]}' is not served; use client_credentials")
    scopes = frozenset(form["scope"].split(" ")) if form.get("scope") else None
    if scopes is not None and not scopes <= SCOPES.keys():
        raise Problem("SCOPE_INVALID", f"scopes are {', '.join(SCOPES)}")
    return TokenRequest(client_id, client_secret, scopes)


def read_form(content_type: str, body: bytes) -> Mapping[str, str]:
    """The fields of a form, each once. Raises Problem."""
    if content_type != "application/x-www-form-urlencoded":
        raise Problem("VALIDATION_FAILED", "send a form: Content-Type: application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise Problem("VALIDATION_FAILED", "the form is not UTF-8, percent-encoded, of at most 20 fields") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Problem("VALIDATION_FAILED", "a field of the form is there twice")
    return fields


def read_basic(authorization: str) -> tuple[str, str]:
    """Client and secret of `Authorization: Basic`, each form-encoded (RFC 6749, section 2.3.1). Raises Problem."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if not colon:
            raise ValueError
    except (ValueError, binascii.Error):
        raise Problem("CLIENT_INVALID", "Authorization is not Basic with client_id:client_secret") from None
    return unquote_plus(client_id), unquote_plus(secret)
