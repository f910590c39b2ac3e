"""The sandbox: a service with a fictitious operator, and one spin played and replayed for people to see."""

from __future__ import annotations

import json
import secrets
import sys

import asyncpg
from rich.console import Console
from rich.panel import Panel

from rgs_core import games
from rgs_core._engine import Engine
from rgs_core.commands.drawing import draw_round
from rgs_core.model_file import load
from rgs_core.seeds import derive_key
from rgs_server.catalogue import load_catalogue
from rgs_server.client import Client, Credentials
from rgs_server.config import Config
from rgs_server.master_key import read_master_key
from rgs_server.sealing import Sealer
from rgs_server.store import Store

OPERATOR = "op-sandbox"
KEY_ID = "key-sandbox"
GAME = "lantern_tide"

# The example request of the integration guide uses these names; in the sandbox they work as printed.
EXAMPLE_OPERATOR = "op-…"
EXAMPLE_GAME = ("g-BookOf…", "sha256:…")


async def add_operator(config: Config, operator_id: str, key_id: str, *, reveal_seeds: bool) -> Credentials:
    """Opens an operator with a new key and every build of the catalogue under its own id and hash."""
    secret = secrets.token_urlsafe(32)
    sealed = Sealer(read_master_key(config.master_key_path)).seal(secret.encode(), f"key:{key_id}")
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        async with connection.transaction():
            await store.add_operator(operator_id, reveal_seeds)
            await store.add_key(key_id, operator_id, sealed)
            for build_hash, playable in load_catalogue(config.models_dir).items():
                await store.add_game(operator_id, playable.build.model.id, build_hash, build_hash)
    finally:
        await connection.close()
    return Credentials(f"http://{config.host}:{config.port}", operator_id, key_id, secret)


async def add_example_names(config: Config, operator_id: str) -> None:
    """Lets the literal example of the integration guide open a session of the first shipped build."""
    build = load(games.find(GAME)).build()
    connection = await asyncpg.connect(config.database_url)
    try:
        await Store(connection).add_game(operator_id, *EXAMPLE_GAME, build.build_hash)
    finally:
        await connection.close()


async def show(config: Config) -> None:
    """Opens the sandbox operator, plays a signed spin over HTTP, replays it and prints both."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    credentials = await add_operator(config, OPERATOR, KEY_ID, reveal_seeds=True)
    await add_example_names(config, OPERATOR)
    path = config.data_path / "sandbox.json"
    credentials.write(path)
    async with Client(credentials) as client:
        await client.wait_until_ready()
        await _play_and_replay(console, client)
    _next_steps(console, config)


async def _play_and_replay(console: Console, client: Client) -> None:
    build = load(games.find(GAME)).build()
    tag = secrets.token_hex(4)
    session = {
        "session_id": f"s-{tag}",
        "operator_id": OPERATOR,
        "player_id": "p-demo",
        "game_id": GAME,
        "build_hash": build.build_hash,
        "geo": "DE",
        "currency": "EUR",
        "client_seed": "sandbox",
    }
    opened = await client.send("POST", "/rgs/v1/sessions", json.dumps(session).encode())
    spin = {
        "spin_id": f"spin-{tag}",
        "round_id": f"rnd-{tag}",
        "session_id": f"s-{tag}",
        "stake": {"amount": 1.00, "currency": "EUR"},
        "spin_type": "cash",
        "idempotency_key": f"spin-{tag}",
    }
    body = json.dumps(spin).encode()
    played = await client.send("POST", "/rgs/v1/spins", body)
    again = await client.send("POST", "/rgs/v1/spins", body)
    replay = (await client.send("GET", f"/rgs/v1/spins/spin-{tag}/replay")).json()
    if opened.status != 200 or played.status != 200:
        raise RuntimeError(f"the sandbox spin failed: {opened.body.decode()} {played.body.decode()}")
    console.print(Panel(f"[bold]{build.model.title}[/bold]  {build.label}  {build.build_hash[:26]}…", expand=False))
    console.print(f"seed commitment  {opened.json()['seed_commitment']}")
    console.print("[bold]POST /rgs/v1/spins[/bold]", json.dumps(spin), soft_wrap=True)
    console.print(f"[green]{played.status}[/green]", played.body.decode(), soft_wrap=True, highlight=False)
    same = "same bytes" if again.body == played.body else "DIFFERENT BYTES"
    console.print(f"sent again: {same}, Idempotent-Replayed: {again.headers.get('Idempotent-Replayed')}")
    record = replay["audit_record"]
    key = derive_key(bytes.fromhex(record["server_seed"]), record["client_seed"])
    console.print(f"\n[bold]GET /rgs/v1/spins/spin-{tag}/replay[/bold]  recomputed from seed and nonce {record['nonce']}")
    draw_round(console, build, Engine(build).spin(key, record["nonce"]))
    good = replay["result"] == "match"
    console.print(f"replay: [bold {'green' if good else 'red'}]{replay['result'].upper()}[/]  {replay['checks']}")


def _next_steps(console: Console, config: Config) -> None:
    url = f"http://{config.host}:{config.port}"
    console.print(
        Panel(
            "\n".join(
                [
                    f"[bold]Serving {url}[/bold] with {config.workers} workers until Ctrl-C. Go on in another shell:",
                    "",
                    f"  curl {url}/readyz",
                    "  .venv/bin/rgs-server call GET /rgs/v1/games",
                    "  .venv/bin/rgs-server call POST /rgs/v1/spins @- < my_spin.json",
                    "  .venv/bin/rgs-server call --curl GET /rgs/v1/games       (prints the signed curl line)",
                    "  .venv/bin/rgs parsheet lantern_tide",
                    "  .venv/bin/rgs simulate lantern_tide --spins 1e7",
                ]
            ),
            expand=False,
        )
    )
