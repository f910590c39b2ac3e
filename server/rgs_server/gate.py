"""Who may call: the key that signed a request, the network it comes from, the certificate it was sent with."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar

import asyncpg
from aiohttp import web
from multidict import MultiMapping

from rgs_server import signing
from rgs_server.access_tokens import AccessTokens, read_token_request
from rgs_server.addresses import Address, Network, caller, networks, within
from rgs_server.config import Config
from rgs_server.contract.operations import Operation
from rgs_server.contract.problems import Problem
from rgs_server.kept import Kept
from rgs_server.nonces import NONCE_CHARS_MAX, NonceMemory, Use
from rgs_server.quotas import Quota, Quotas
from rgs_server.sealing import Sealer
from rgs_server.store import Stores
from rgs_server.tls import common_name

T = TypeVar("T")

OPERATION = web.RequestKey("operation", Operation)
"""The operation that a request calls."""
NONCE: web.RequestKey[Use | None] = web.RequestKey("nonce")
"""The nonce of a signature that is written with the work of its request."""
LEAVE: web.RequestKey[Callable[[], None]] = web.RequestKey("leave")
"""What is to be called when it is answered."""
ORIGIN = web.RequestKey("origin", str)
"""The origin of the page that called, where it is one of the operator's."""


@dataclass(frozen=True, slots=True)
class Operator:
    """What is known of an operator; empty lists allow all, but for `origins`, of which none allows none."""

    operator_id: str
    networks: tuple[Network, ...]
    certificates: frozenset[str]
    quota: Quota
    plain_signatures: bool
    origins: frozenset[str]
    duplicate_status: int
    conflict_status: int

    @classmethod
    def of(cls, record: asyncpg.Record) -> Operator:
        """From a row of operator_rules."""
        return cls(
            operator_id=record["operator_id"],
            networks=networks(",".join(record["networks"])),
            certificates=frozenset(record["certificates"]),
            quota=Quota(record["rate_per_s"], record["burst"], record["in_flight_max"]),
            plain_signatures=record["plain_signatures"],
            origins=frozenset(record["origins"]),
            duplicate_status=record["duplicate_status"],
            conflict_status=record["conflict_status"],
        )


CALLER = web.RequestKey("caller", Operator)
"""The operator that a request was proved to come from."""


class Person(NamedTuple):
    """Who called. `by`: the key that signed the request, or the client whose token it showed, after `client:`. `name`: whose
    key or client that is; where nobody was named, `by` once more."""

    by: str
    name: str


PERSON = web.RequestKey("person", Person)
"""Who called, for what takes two persons."""


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key of an operator."""

    operator: Operator
    secret: bytes = field(repr=False)
    person: str | None
    retired: bool


@dataclass(frozen=True, slots=True)
class Client:
    """A client of an operator, which gets access tokens. Its secret is random, so a plain digest keeps it."""

    operator: Operator
    secret_digest: bytes = field(repr=False)
    scopes: frozenset[str]
    person: str | None
    retired: bool


class Call(Protocol):
    """What the gate has to see of a request, of aiohttp's or another one. It keeps what it finds out in it."""

    @property
    def method(self) -> str: ...
    @property
    def raw_path(self) -> str: ...
    @property
    def headers(self) -> MultiMapping[str]: ...
    @property
    def transport(self) -> asyncio.BaseTransport | None: ...
    def __getitem__(self, key: web.RequestKey[T], /) -> T: ...
    def __setitem__(self, key: web.RequestKey[T], value: T, /) -> None: ...
    def get(self, key: web.RequestKey[T], /) -> T | None: ...


class Gate:
    """Lets requests of operators through, and says whose they are. Keys are kept for a while."""

    def __init__(
        self, config: Config, sealer: Sealer, stores: Stores, nonces: NonceMemory, quotas: Quotas, tokens: AccessTokens
    ) -> None:
        self._config = config
        self._sealer = sealer
        self._stores = stores
        self._nonces = nonces
        self._quotas = quotas
        self._tokens = tokens
        self._trusted = networks(config.trusted_proxies)
        self._keys = Kept(self._read_key, config.key_cache_s)
        self._clients = Kept(self._read_client, config.key_cache_s)

    async def operator(self, request: Call, body: bytes, *, nonce_with_work: bool = False) -> str:
        """The operator whose key signed the request, or whose client's token it shows. Raises Problem.

        With `nonce_with_work` the nonce of the signature is only held, as request[NONCE]: what the caller does next writes it.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            key = await self._signer(request, body)
            operator, key_id = key.operator, request.headers[signing.KEY_ID]
            request[PERSON] = Person(key_id, key.person or key_id)
            await self._admit(request, operator, request.headers.get(signing.NONCE), nonce_with_work)
        elif signing.SIGNATURE in request.headers:
            raise Problem("SIGNATURE_INVALID", "sign the request or show a token, not both")
        else:
            client, client_id = await self._bearer(token.strip(), request[OPERATION])
            operator, by = client.operator, f"client:{client_id}"
            request[PERSON] = Person(by, client.person or by)
            await self._admit(request, operator, None, nonce_with_work)
        request[CALLER] = operator
        return operator.operator_id

    async def client(self, request: web.Request, body: bytes) -> tuple[str, frozenset[str]]:
        """The client that asks for a token, and what it is to be good for. Raises Problem."""
        authorization = request.headers.get("Authorization", "")
        asked = read_token_request(authorization, request.content_type, body)
        client = await self._clients.get(asked.client_id)
        digest = hashlib.sha256(asked.client_secret.encode(errors="surrogateescape")).digest()
        right = hmac.compare_digest(digest, client.secret_digest if client else bytes(32))
        if client is None or not right or client.retired:
            raise Problem("CLIENT_INVALID", "no such client, or its secret is wrong")
        if "Origin" in request.headers:
            raise Problem("ORIGIN_FORBIDDEN", "secrets do not belong into pages: no token is issued to a browser")
        # No quota: without a token an operator could not finish what it has begun.
        self._check_place(request, client.operator)
        if asked.scopes is not None and not asked.scopes <= client.scopes:
            raise Problem("SCOPE_INVALID", f"the client has the scopes {', '.join(sorted(client.scopes))}")
        return asked.client_id, client.scopes if asked.scopes is None else asked.scopes

    async def _bearer(self, token: str, operation: Operation) -> tuple[Client, str]:
        """The client of a token, and its id. Raises Problem."""
        grant = await self._tokens.verified(token)
        client = await self._clients.get(grant.client_id)
        if client is None or client.retired:
            raise Problem("TOKEN_INVALID", f"client '{grant.client_id[:80]}' is retired")
        if operation.scope not in grant.scopes & client.scopes:
            raise Problem("SCOPE_MISSING", f"this needs a token with the scope '{operation.scope}'")
        return client, grant.client_id

    async def _admit(self, request: Call, operator: Operator, nonce: str | None, nonce_with_work: bool) -> None:
        """Checks all that does not depend on how an operator has proved itself. Raises Problem."""
        self._check_place(request, operator)
        request[LEAVE] = await self._quotas.admit(operator.operator_id, operator.quota, request[OPERATION])
        # Last of all: what is refused before does not use the nonce up, nor fill the memory.
        if nonce is None:
            request[NONCE] = None
            return
        try:
            use = self._nonces.hold(operator.operator_id, nonce)
            if nonce_with_work:
                request[NONCE] = use
            else:
                await self._nonces.write(use)
        except Problem as problem:
            self.refused(operator, request[OPERATION], problem)
            raise

    def refused(self, operator: Operator, operation: Operation, problem: Problem) -> None:
        """What others replay is not taken from the quota of an operator."""
        if problem.code == "NONCE_REUSED":
            self._quotas.give_back(operator.operator_id, operator.quota, operation)

    async def _signer(self, request: Call, body: bytes) -> Key:
        """The key that signed the request. Raises Problem."""
        given = request.headers
        key_id, timestamp = given.get(signing.KEY_ID, ""), given.get(signing.TIMESTAMP, "")
        # Bytes beyond ASCII arrive as surrogates, which can be neither signed nor stored.
        if not all(given.get(name, "").isascii() for name in signing.HEADERS) or not request.raw_path.isascii():
            raise Problem("SIGNATURE_INVALID", "the signing headers and the path are ASCII; percent-encode the rest")
        if key_id and signing.TIMESTAMP not in given and signing.NONCE not in given:
            key = await self._keys.get(key_id)
            # Whether plain signatures are taken, only those learn who can sign.
            if key is not None and not key.retired and signing.plainly_verified(key.secret, given, body):
                if key.operator.plain_signatures and not self._config.in_production:
                    return key
                raise Problem(
                    "SIGNATURE_INVALID", "a signature of the body alone is not taken; sign all of the request"
                )
        if not key_id or not given.get(signing.NONCE) or not given.get(signing.SIGNATURE):
            names = f"{signing.KEY_ID}, {signing.TIMESTAMP}, {signing.NONCE} and {signing.SIGNATURE}"
            raise Problem("SIGNATURE_INVALID", f"sign the request with {names}")
        if len(given[signing.NONCE]) > NONCE_CHARS_MAX:
            raise Problem("SIGNATURE_INVALID", f"{signing.NONCE} has at most {NONCE_CHARS_MAX} characters")
        key = await self._keys.get(key_id)
        if key is None or not signing.verified(key.secret, given, request.method, request.raw_path, body):
            wrong = "unknown key, or the signature does not fit the request as it arrived"
            raise Problem("SIGNATURE_INVALID", wrong)
        if key.retired:
            raise Problem("KEY_RETIRED", f"key '{key_id}' is retired; sign with a newer one")
        skew = signing.skew_seconds(timestamp, datetime.now(UTC))
        if skew is None:
            raise Problem("TIMESTAMP_SKEW", f"'{timestamp[:40]}' is not a time like 2026-01-31T12:00:00.000Z")
        if skew > self._config.signature_window_s:
            raise Problem(
                "TIMESTAMP_SKEW",
                f"{skew:.0f} s from the server's clock; allowed are {self._config.signature_window_s} s",
            )
        return key

    def leave(self, request: Call) -> None:
        """A request is answered, whether it was let through or not."""
        leave = request.get(LEAVE)
        if leave is not None:
            leave()

    def _check_place(self, request: Call, operator: Operator) -> None:
        """Raises Problem when an operator does not call from there, or not with that certificate."""
        origin = request.headers.get("Origin")
        if origin is not None:
            if origin not in operator.origins:
                raise Problem("ORIGIN_FORBIDDEN", f"'{origin[:200]}' is no origin of operator '{operator.operator_id}'")
            request[ORIGIN] = origin
        if operator.networks:
            self._check_network(request, operator)
        if operator.certificates:
            self._check_certificate(request, operator)

    def _address(self, request: Call) -> Address | None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        forwarded_for = request.headers.getall("X-Forwarded-For", [])
        return caller(str(peer[0]) if peer else "", forwarded_for, self._trusted)

    def address_of(self, request: Call) -> str:
        """From where a request comes, for those who read of it."""
        return str(self._address(request) or "an address that cannot be read")

    def _check_network(self, request: Call, operator: Operator) -> None:
        address = self._address(request)
        if address is None or not within(address, operator.networks):
            shown = self.address_of(request)
            raise Problem("FORBIDDEN", f"{shown} is in none of the networks of operator '{operator.operator_id}'")

    def _check_certificate(self, request: Call, operator: Operator) -> None:
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        name = common_name(certificate)
        if name not in operator.certificates:
            shown = f"the certificate of '{name[:80]}'" if name else "a connection without a certificate"
            raise Problem("FORBIDDEN", f"{shown} is none of operator '{operator.operator_id}'")

    async def _read_key(self, key_id: str) -> Key | None:
        async with self._stores() as store:
            record = await store.find_key(key_id)
        if record is None:
            return None
        secret = self._sealer.open(record["secret_sealed"], f"key:{key_id}")
        return Key(Operator.of(record), secret, record["person"], record["retired_at"] is not None)

    async def _read_client(self, client_id: str) -> Client | None:
        async with self._stores() as store:
            record = await store.find_client(client_id)
        if record is None:
            return None
        scopes = frozenset(record["scopes"])
        retired = record["retired_at"] is not None
        return Client(Operator.of(record), record["secret_digest"], scopes, record["person"], retired)
