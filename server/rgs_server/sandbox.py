"""The sandbox: a service with a fictitious operator, and one spin played and replayed for people to see."""

from __future__ import annotations

import json
import secrets
import sys

from rich.console import Console

from rgs_core import games
from rgs_core._engine import Engine
from rgs_core.commands.drawing import draw_round
from rgs_core.language.model import Build
from rgs_core.language.model_file import load
from rgs_core.seeds import derive_key
from rgs_server.client import Client, Credentials, curl_line, write_private
from rgs_server.config import Config
from rgs_server.operators import WALLETS, Rules, add_client, add_game_name, add_operator, change_operator

OPERATOR, KEY_ID, CLIENT_ID = "op-sandbox", "key-sandbox", "client-sandbox"
GAME = "lantern_tide"
SPINS_SHOWN_MAX = 50

# The literal examples of the integration guide name this operator, game and build; here they work unchanged.
EXAMPLE_OPERATOR, EXAMPLE_KEY_ID = "op-…", "key-example"
EXAMPLE_GAME, EXAMPLE_BUILD = "g-BookOf…", "sha256:…"


class SandboxFailed(Exception):
    """The demo spin did not work; the message holds the answers."""


async def open_operators(config: Config) -> Credentials:
    """Opens the sandbox operator and that of the examples; writes their credentials to the data folder."""
    build = load(games.find(GAME)).build()
    for operator_id, key_id, file in (
        (EXAMPLE_OPERATOR, EXAMPLE_KEY_ID, "example.json"),
        (OPERATOR, KEY_ID, "sandbox.json"),
    ):
        credentials = await add_operator(config, operator_id, key_id, reveal_seeds=True)
        await add_game_name(config, operator_id, EXAMPLE_GAME, EXAMPLE_BUILD, build.build_hash)
        await change_operator(config, operator_id, rules=Rules(wallets=list(WALLETS), enforces_markets=False))
        credentials.write(config.data_path / file)
    secret = await add_client(config, OPERATOR, CLIENT_ID, ["play", "read"])
    write_private(config.data_path / "client.json", {"client_id": CLIENT_ID, "client_secret": secret})
    return credentials


async def show(config: Config) -> None:
    """Plays signed spins over HTTP until one wins, replays it, and prints both with the next steps."""
    console = Console(width=None if sys.stdout.isatty() else 110, soft_wrap=True, highlight=False)
    credentials = await open_operators(config)
    build = load(games.find(GAME)).build()
    async with Client(credentials) as client:
        await client.wait_until_ready()
        session_id, spin_id = await _play(console, client, build)
        await _replay(console, client, build, spin_id)
    _next_steps(console, config, credentials, session_id, spin_id)


async def _play(console: Console, client: Client, build: Build) -> tuple[str, str]:
    tag = secrets.token_hex(4)
    session_id = f"s-{tag}"
    session = {
        "session_id": session_id,
        "operator_id": client.credentials.operator_id,
        "player_id": "p-demo",
        "game_id": GAME,
        "build_hash": build.build_hash,
        "geo": "DE",
        "currency": "EUR",
        "client_seed": "sandbox",
    }
    opened = await client.send("POST", "/rgs/v1/sessions", json.dumps(session).encode())
    if opened.status != 200:
        raise SandboxFailed(opened.body.decode())
    for number in range(1, SPINS_SHOWN_MAX + 1):
        spin_id = f"spin-{tag}-{number}"
        body = spin_body(spin_id, session_id)
        played = await client.send("POST", "/rgs/v1/spins", body)
        if played.status != 200:
            raise SandboxFailed(played.body.decode())
        if played.json()["outcome"]["win"]["minor"]:
            break
    again = await client.send("POST", "/rgs/v1/spins", body)
    same = "the same bytes" if again.body == played.body else "DIFFERENT BYTES"
    console.print(f"[bold]{build.model.title}[/bold]  {build.label}  {build.build_hash}")
    console.print(f"seed commitment  {opened.json()['seed_commitment']}\n")
    console.print(f"[bold]POST /rgs/v1/spins[/bold]  (spin {number} of the session)")
    console.print(body.decode())
    console.print(f"[green]{played.status}[/green] {played.body.decode()}")
    console.print(f"sent again: {same}, Idempotent-Replayed: {again.headers.get('Idempotent-Replayed')}\n")
    return session_id, spin_id


async def _replay(console: Console, client: Client, build: Build, spin_id: str) -> None:
    target = f"/rgs/v1/spins/{spin_id}/replay"
    replay = (await client.send("GET", target)).json()
    record = replay["audit_record"]
    key = derive_key(bytes.fromhex(record["server_seed"]), record["client_seed"])
    console.print(f"[bold]GET {target}[/bold]  recomputed from the seed and nonce {record['nonce']}")
    draw_round(console, build, Engine(build).spin(key, record["nonce"]))
    colour = "green" if replay["result"] == "match" else "red"
    checks = ", ".join(name for name, good in replay["checks"].items() if good)
    console.print(f"replay: [bold {colour}]{replay['result'].upper()}[/]  ({checks} equal)\n")


def spin_body(spin_id: str, session_id: str) -> bytes:
    """A spin of 1.00 EUR as the contract writes it."""
    return (
        f'{{"spin_id": "{spin_id}", "round_id": "rnd-{spin_id}", "session_id": "{session_id}", '
        f'"stake": {{"amount": 1.00, "currency": "EUR"}}, "spin_type": "cash", "idempotency_key": "{spin_id}"}}'
    ).encode()


def _next_steps(console: Console, config: Config, credentials: Credentials, session_id: str, spin_id: str) -> None:
    url = credentials.url
    steps = [
        f"curl {url}/readyz",
        f"rgs-server call POST /rgs/v1/spins '{spin_body(f'{spin_id}-next', session_id).decode()}'",
        f"rgs-server call GET /rgs/v1/spins/{spin_id}/replay | rgs replay -",
        "rgs-server call GET /rgs/v1/games",
        "rgs-server console ada        a password for /console, where rounds are looked at",
        "rgs parsheet lantern_tide",
        "rgs simulate lantern_tide --spins 1e7",
    ]
    signed = curl_line(credentials, "GET", f"/rgs/v1/spins/{spin_id}", b"")
    console.print(f"[bold]Serving {url} with {config.workers} workers until Ctrl-C.[/bold] In another shell, after")
    console.print("[bold]. .venv/bin/activate[/bold]\n")
    console.print(f"  {url}/play   the games in a browser, with play money\n", markup=False)
    for step in steps:
        console.print(f"  {step}", markup=False)
    console.print(f"\nSigned for curl, good once and for {config.signature_window_s} seconds:\n")
    console.print(f"  {signed}", markup=False)
