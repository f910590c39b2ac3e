"""Opening operators: their keys and the builds they may offer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import asyncpg

from rgs_server.addresses import Network
from rgs_server.catalogue import load_catalogue
from rgs_server.client import Credentials
from rgs_server.config import Config
from rgs_server.contract.operations import SCOPES
from rgs_server.master_key import read_master_keys
from rgs_server.origins import well_formed
from rgs_server.player_tokens import acceptable, context_of
from rgs_server.quotas import Quota
from rgs_server.sealing import Sealer
from rgs_server.store import Store


class OperatorRefused(Exception):
    """What was asked for an operator cannot be done; nothing was changed."""


WALLETS = ("platform", "transfer", "seamless")
"""Who moves a player's money: the platform; the player, to the session; the service, at the platform's wallet."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What binds an operator's sessions to come. None leaves what is there; 0 seconds: never."""

    wallets: list[str] | None = None  # the first is the usual one
    settle_within_s: int | None = None  # rounds wait so long for their settlement
    one_round: bool | None = None  # a player has one open round in a game
    idle_close_s: int | None = None  # sessions with a balance are closed after so long without a spin
    enforces_markets: bool | None = None  # whether rules of countries bind here
    choose_within_s: int | None = None  # after that choices are made for the player; always some time


RESERVED = ("all",)
"""What stands for all operators where operators are named."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """HTTP statuses that an operator asked for; None leaves what is there."""

    duplicate: int | None = None  # of an answer that was given before, with the same body
    conflict: int | None = None  # of IDEMPOTENCY_CONFLICT


async def add_operator(
    config: Config, operator_id: str, key_id: str, *, reveal_seeds: bool, person: str | None = None
) -> Credentials:
    """Opens an operator with a new key, and every build of the catalogue under its own id and hash.

    `reveal_seeds` is for sandboxes: replays then show seeds of open sessions. `person`: whose key it is, for what takes two
    persons; None: as before, or nobody's but its own. Raises OperatorRefused.
    """
    if operator_id in RESERVED:
        raise OperatorRefused(f"'{operator_id}' means something else in reports and figures; choose another id")
    secret = secrets.token_urlsafe(32)
    sealed = Sealer(*read_master_keys(config.master_key_path)).seal(secret.encode(), f"key:{key_id}")
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        async with connection.transaction():
            await store.add_operator(operator_id, reveal_seeds)
            if not await store.add_key(key_id, operator_id, sealed, person):
                raise OperatorRefused(f"key '{key_id}' is retired, or another operator's; choose another id")
            for build_hash, playable in load_catalogue(config.models_dir, in_production=config.in_production).items():
                await store.add_game(operator_id, playable.build.model.id, build_hash, build_hash)
    finally:
        await connection.close()
    scheme = "https" if config.tls_cert_file else "http"
    return Credentials(f"{scheme}://{config.host}:{config.port}", operator_id, key_id, secret)


async def add_client(
    config: Config, operator_id: str, client_id: str, scopes: Sequence[str], person: str | None = None
) -> str:
    """Opens a client of an operator that exists, for access tokens; returns its secret. `person` as of a key. Raises
    OperatorRefused."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise OperatorRefused(f"no scope '{', '.join(unknown)}'; scopes are {', '.join(SCOPES)}")
    secret = secrets.token_urlsafe(32)
    connection = await asyncpg.connect(config.database_url)
    try:
        digest = hashlib.sha256(secret.encode()).digest()
        if not await Store(connection).add_client(client_id, operator_id, digest, scopes, person):
            raise OperatorRefused(f"client '{client_id}' is retired, or another operator's; choose another id")
    except asyncpg.ForeignKeyViolationError:
        raise OperatorRefused(f"no operator '{operator_id}'; open it with --key first") from None
    finally:
        await connection.close()
    return secret


async def set_player_tokens(
    config: Config, operator_id: str, keys: str, *, audience: str = "", issuer: str = ""
) -> str | None:
    """How an operator signs tokens of its players. `keys`: where it publishes them, or `shared` for a secret, which is
    returned; empty: it sends no tokens. Raises OperatorRefused."""
    secret = secrets.token_urlsafe(32) if keys == "shared" else None
    if keys and secret is None and not acceptable(keys):
        raise OperatorRefused(f"'{keys}' is no place for keys; give https://…, or 'shared'")
    sealer = Sealer(*read_master_keys(config.master_key_path))
    sealed = sealer.seal(secret.encode(), context_of(operator_id)) if secret is not None else None
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        if keys:
            url = None if secret is not None else keys
            await store.set_player_rule(operator_id, audience or config.token_issuer, issuer or None, url, sealed)
        else:
            await store.drop_player_rule(operator_id)
    except asyncpg.ForeignKeyViolationError:
        raise OperatorRefused(f"no operator '{operator_id}'; open it with --key first") from None
    finally:
        await connection.close()
    return secret


async def change_operator(
    config: Config,
    operator_id: str,
    *,
    retire: str | None = None,
    retire_client: str | None = None,
    networks: Sequence[Network] | None = None,
    certificates: Sequence[str] | None = None,
    rules: Rules | None = None,
    wallet: tuple[str, str] | None = None,
    quota: Quota | None = None,
    origins: Sequence[str] | None = None,
    plain_signatures: bool | None = None,
    statuses: Statuses | None = None,
) -> None:
    """Changes what it is given, and leaves the rest.

    Retires a key or a client. Sets the networks and certificates from which an operator may call, an empty list: any; its
    quota, 0: none; the origins of its pages; whether it may sign bodies alone; statuses of repeated and refused keys; how the money of its sessions to come
    moves; the URL of its wallet with the key that signs for it. Workers know within RGS_KEY_CACHE_S. Raises
    OperatorRefused.
    """
    if plain_signatures and config.in_production:
        raise OperatorRefused("signatures of the body alone are not for production: captured, they are good for ever")
    wrong = [origin for origin in origins or () if not well_formed(origin)]
    if wrong:
        raise OperatorRefused(f"'{wrong[0]}' is no origin; write it like https://games.example")
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        async with connection.transaction():
            if retire is not None and not await store.retire_key(retire, operator_id):
                raise OperatorRefused(f"operator '{operator_id}' has no live key '{retire}'")
            if retire_client is not None and not await store.retire_client(retire_client, operator_id):
                raise OperatorRefused(f"operator '{operator_id}' has no live client '{retire_client}'")
            if networks is not None:
                await store.set_networks(operator_id, networks)
            if certificates is not None:
                await store.set_certificates(operator_id, certificates)
            if wallet is not None and not await store.set_wallet(operator_id, *wallet):
                raise OperatorRefused(f"operator '{operator_id}' has no live key '{wallet[1]}'")
            if origins is not None:
                await store.set_origins(operator_id, origins)
            known = [
                rules is None or await store.set_rules(operator_id, *astuple(rules)),
                plain_signatures is None or await store.set_plain_signatures(operator_id, plain_signatures),
                quota is None or await store.set_quota(operator_id, *astuple(quota)),
                statuses is None or await store.set_statuses(operator_id, *astuple(statuses)),
            ]
            if not all(known):
                raise OperatorRefused(f"no operator '{operator_id}'; open it with --key first")
    except asyncpg.ForeignKeyViolationError:
        raise OperatorRefused(f"no operator '{operator_id}'; open it with --key first") from None
    finally:
        await connection.close()


async def add_game_name(config: Config, operator_id: str, game_id: str, build_ref: str, build_hash: str) -> None:
    """Lets an operator call a build by names of its own."""
    connection = await asyncpg.connect(config.database_url)
    try:
        await Store(connection).add_game(operator_id, game_id, build_ref, build_hash)
    finally:
        await connection.close()
