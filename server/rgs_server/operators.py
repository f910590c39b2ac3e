"""Opening operators: their keys and the builds they may offer."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import asyncpg

from rgs_server.addresses import Network
from rgs_server.catalogue import load_catalogue
from rgs_server.client import Credentials
from rgs_server.config import Config
from rgs_server.master_key import read_master_key
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


async def add_operator(config: Config, operator_id: str, key_id: str, *, reveal_seeds: bool) -> Credentials:
    """Opens an operator with a new key, and every build of the catalogue under its own id and hash.

    `reveal_seeds` is for sandboxes: replays then show seeds of open sessions. Raises OperatorRefused.
    """
    secret = secrets.token_urlsafe(32)
    sealed = Sealer(read_master_key(config.master_key_path)).seal(secret.encode(), f"key:{key_id}")
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        async with connection.transaction():
            await store.add_operator(operator_id, reveal_seeds)
            if not await store.add_key(key_id, operator_id, sealed):
                raise OperatorRefused(f"key '{key_id}' is retired, or another operator's; choose another id")
            for build_hash, playable in load_catalogue(config.models_dir).items():
                await store.add_game(operator_id, playable.build.model.id, build_hash, build_hash)
    finally:
        await connection.close()
    scheme = "https" if config.tls_cert_file else "http"
    return Credentials(f"{scheme}://{config.host}:{config.port}", operator_id, key_id, secret)


async def change_operator(
    config: Config,
    operator_id: str,
    *,
    retire: str | None = None,
    networks: Sequence[Network] | None = None,
    certificates: Sequence[str] | None = None,
    rules: Rules | None = None,
    wallet: tuple[str, str] | None = None,
) -> None:
    """Retires a key; sets the networks and certificates from which an operator may call, an empty list: any; says how
    the money of its sessions to come moves, and the URL of its wallet with the key that signs for it. None leaves what is there. Workers know keys, networks and certificates
    within RGS_KEY_CACHE_S. Raises OperatorRefused."""
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        async with connection.transaction():
            if retire is not None and not await store.retire_key(retire, operator_id):
                raise OperatorRefused(f"operator '{operator_id}' has no live key '{retire}'")
            if networks is not None:
                await store.set_networks(operator_id, networks)
            if certificates is not None:
                await store.set_certificates(operator_id, certificates)
            if wallet is not None and not await store.set_wallet(operator_id, *wallet):
                raise OperatorRefused(f"operator '{operator_id}' has no live key '{wallet[1]}'")
            if rules is not None and not await store.set_rules(operator_id, *astuple(rules)):
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
