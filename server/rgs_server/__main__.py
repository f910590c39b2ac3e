"""The command `rgs-server`: run the service, open operators, send signed requests."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from rgs_core.errors import RgsError
from rgs_server import sandbox
from rgs_server.acting import acting, with_database
from rgs_server.addresses import networks
from rgs_server.audit import commands as audit
from rgs_server.audit.exporting import ExportRefused
from rgs_server.audit.log_keys import LogKeyMissing
from rgs_server.audit.tree import LogBroken
from rgs_server.audit.write_once import AlreadyWritten
from rgs_server.billing.commands import COMMANDS, add_commands, run_command
from rgs_server.billing.fees import TermsRefused
from rgs_server.billing.files import FileRefused
from rgs_server.billing.invoices import RatesRefused
from rgs_server.billing.months import MonthRefused
from rgs_server.client import Client, Credentials, client_context, curl_line
from rgs_server.clock import read_time, system_clock
from rgs_server.config import EMBEDDED, Config, ConfigError, read_config
from rgs_server.console.people import add_person
from rgs_server.contract.asyncapi import asyncapi_document
from rgs_server.contract.compatibility import broken_messages, broken_promises
from rgs_server.contract.money import EXPONENTS
from rgs_server.contract.openapi import document
from rgs_server.logs import configure_logging
from rgs_server.master_key import MasterKeyError, read_master_keys
from rgs_server.nats_server import NatsUnavailable, find_server
from rgs_server.operators import (
    WALLETS,
    OperatorRefused,
    Rules,
    Statuses,
    add_client,
    add_operator,
    change_operator,
    set_player_tokens,
)
from rgs_server.postgres import PostgresUnavailable
from rgs_server.quotas import Quota
from rgs_server.receivers import bus_state, replay_events, set_webhook, webhook_state
from rgs_server.reconciliation import Entry, ListRefused, differences, read_list
from rgs_server.registry import RegistryRefused, read_registry, sign_registry
from rgs_server.resealing import reseal
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.signed_pages import LOADED, SignedPage
from rgs_server.store import SchemaMismatch, Store
from rgs_server.supervisor import AlreadyRunning, DatabaseUnreachable, Supervisor, WorkerFailed
from rgs_server.token_keys import KeyUnknown, change_token_keys

EXAMPLES = """\
examples:
  rgs-server sandbox                          service, embedded database, demo operator, one spin shown
  RGS_DATABASE_URL=postgresql://… RGS_MASTER_KEY_FILE=/run/secrets/master rgs-server serve
  rgs-server operator op-acme --key key-acme-2   prints the new secret once; the old key goes on
  rgs-server operator op-acme --key key-anna --person anna   whose key it is, for what takes two persons
  rgs-server operator op-acme --retire key-acme-1 --networks 192.0.2.0/24
  rgs-server operator op-acme --rate 200 --burst 400 --in-flight 64
  rgs-server operator op-acme --client acme-backend --scopes play,read
  rgs-server operator op-acme --player-keys https://acme.example/jwks.json --player-audience studio
  rgs-server webhook op-acme --url https://acme.example/rgs   prints the secret that signs events
  rgs-server keys --rotate                       a new key signs access tokens
  rgs-server operator op-acme --wallets transfer,platform --settle-within 60
  rgs-server reconcile op-acme january.csv --since 2026-01-01T00:00:00.000Z --until 2026-02-01T00:00:00.000Z
  rgs-server audit key > studio.pub
  rgs-server audit export --from 2026-01-01T00:00:00.000Z --to 2026-02-01T00:00:00.000Z --out january
  rgs-server call GET /rgs/v1/games              signed with the sandbox credentials
  rgs-server call POST /rgs/v1/spins '{"spin_id": "…", …}'
  rgs-server call --curl POST /rgs/v1/spins @spin.json
  rgs-server openapi > openapi.json              the contract; the service has it at /openapi.json and /docs
  rgs-server asyncapi > asyncapi.json            the same of events; /asyncapi.json
  rgs-server bus                                 what waits for the bus

Settings are RGS_* environment variables; docs/operations.md lists them.
exit codes: 0 fine, 1 the request was answered with an error or the lists differ, 2 wrong use or a failed start"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(
        prog="rgs-server",
        description="The spin service.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("serve", help="run the service until SIGTERM or Ctrl-C")
    commands.add_parser("sandbox", help="serve with a demo operator, play one spin and replay it")
    operator = commands.add_parser("operator", help="open an operator, give it a key, say from where it may call")
    operator.add_argument("operator_id", metavar="OPERATOR_ID")
    operator.add_argument("--key", metavar="KEY_ID", help="id of a new signing key; several may be live")
    operator.add_argument(
        "--person", metavar="NAME", help="whose key or client it is: two persons close failed steps at a wallet"
    )
    operator.add_argument("--write", metavar="FILE", help="write the credentials for 'call' to a file (mode 0600)")
    operator.add_argument("--retire", metavar="KEY_ID", help="refuse a key from now on")
    operator.add_argument("--networks", metavar="LIST", help="10.0.0.0/8,192.0.2.7: from where it calls; '': anywhere")
    operator.add_argument("--certificates", metavar="LIST", help="common names, separated by commas; '': any")
    operator.add_argument(
        "--wallets",
        metavar="LIST",
        help="platform, transfer, seamless: who moves players' money; the first is the usual",
    )
    operator.add_argument(
        "--wallet-url", metavar="URL", help="where the wallet of the operator is, for 'seamless'; needs --wallet-key"
    )
    operator.add_argument("--wallet-key", metavar="KEY_ID", help="key of the operator with which we sign calls of it")
    operator.add_argument(
        "--settle-within", metavar="S", type=seconds, help="rounds wait so long for their settlement; 0: for none"
    )
    operator.add_argument(
        "--one-round", choices=["yes", "no"], help="whether a player has one open round in a game at most"
    )
    operator.add_argument(
        "--markets",
        choices=["enforced", "shown"],
        help="whether rules of countries bind here, or at the platform alone",
    )
    operator.add_argument(
        "--idle-close",
        metavar="S",
        type=seconds,
        help="close sessions with a balance so long after the last spin; 0: never",
    )
    operator.add_argument(
        "--choose-within",
        metavar="S",
        type=seconds,
        help="rounds wait so long for a choice of their player, then the usual one is made; a day at first",
    )
    operator.add_argument("--origins", metavar="LIST", help="https://games.example,…: pages that may call; '': none")
    operator.add_argument(
        "--plain-signatures", choices=["on", "off"], help="take HMAC-SHA256 of the body alone; never in production"
    )
    operator.add_argument(
        "--duplicates",
        type=int,
        choices=[200, 409, 425],
        help="status of an answer that was given before, body as before",
    )
    operator.add_argument(
        "--conflicts", type=int, choices=[409, 422], help="status where an idempotency key was used for another request"
    )
    operator.add_argument("--client", metavar="CLIENT_ID", help="id of a client that gets access tokens (OAuth 2.0)")
    operator.add_argument("--scopes", metavar="LIST", default="play,read", help="of the client (default: %(default)s)")
    operator.add_argument("--retire-client", metavar="CLIENT_ID", help="refuse a client and its tokens from now on")
    operator.add_argument(
        "--player-keys",
        metavar="URL",
        help="sessions need tokens of players, signed by keys there; 'shared': by a secret",
    )
    operator.add_argument("--player-audience", metavar="AUD", default="", help="their aud (default: RGS_TOKEN_ISSUER)")
    operator.add_argument("--player-issuer", metavar="ISS", default="", help="their iss (default: any)")
    operator.add_argument("--rate", metavar="N", type=float, help="calls a second over all workers; 0: no limit")
    operator.add_argument("--burst", metavar="N", type=int, help="calls at once after a pause; 0: those of a second")
    operator.add_argument(
        "--in-flight", metavar="N", type=int, help="calls at the same time, per worker; 0: as for all"
    )
    keys = commands.add_parser("keys", help="show the keys that sign access tokens, or change them")
    keys.add_argument("--rotate", action="store_true", help="make a new key; the one before stays good for its tokens")
    keys.add_argument("--retire", metavar="KID", help="refuse a key and its tokens from now on, when it has leaked")
    webhook = commands.add_parser("webhook", help="say where an operator takes its events, or send some again")
    webhook.add_argument("operator_id", metavar="OPERATOR_ID")
    webhook.add_argument("--url", metavar="URL", help="events are sent there, signed with a new secret; '': nowhere")
    webhook.add_argument("--replay", action="store_true", help="send again what was put aside")
    console = commands.add_parser("console", help="let a person look at the console, with a new password")
    console.add_argument("name", metavar="NAME")
    console.add_argument("--retire", action="store_true", help="let the person look no more")
    commands.add_parser("pages", help="print the keys and files of the pages, for those who check what browsers get")
    commands.add_parser("reseal", help="seal every secret anew under the first key of RGS_MASTER_KEY_FILE")
    call = commands.add_parser("call", help="send a signed request and print the answer")
    call.add_argument("method", metavar="METHOD", choices=["GET", "POST"])
    call.add_argument("target", metavar="PATH", help="path and query, such as /rgs/v1/games")
    call.add_argument("body", metavar="BODY", nargs="?", default="", help="JSON, @FILE, or @- for standard input")
    call.add_argument("--credentials", metavar="FILE", help="default: sandbox.json in RGS_DATA_DIR")
    call.add_argument("--ca", metavar="FILE", help="authority of the service's certificate (PEM)")
    call.add_argument("--certificate", metavar="FILE", help="own certificate with its key (PEM), for mutual TLS")
    call.add_argument("--curl", action="store_true", help="print the signed curl line instead; valid once, for minutes")
    compare = commands.add_parser("reconcile", help="compare an operator's list of transactions with ours")
    compare.add_argument("operator_id", metavar="OPERATOR_ID")
    compare.add_argument(
        "list", metavar="FILE", help="CSV with txn_id, amount, currency, status, time; - for standard input"
    )
    compare.add_argument("--since", metavar="TIME", required=True, help="such as 2026-01-31T00:00:00.000Z")
    compare.add_argument("--until", metavar="TIME", required=True, help="the end, not included")
    compare.add_argument("--late", metavar="S", type=seconds, default=300, help="times may differ by so much (300)")
    registry = commands.add_parser("registry", help="sign the registry of certified builds, or check it")
    registry.add_argument("file", metavar="FILE", help="JSON with entries; signed in place")
    registry.add_argument("--sign", metavar="KEY", help="ed25519 private key (PEM)")
    registry.add_argument("--check", metavar="KEY", help="ed25519 public key (PEM)")
    audit.configure(commands.add_parser("audit", help="export the audit log, print its key, say how long it is kept"))
    add_commands(commands)
    bus = commands.add_parser("bus", help="show what waits for the bus, or turn it off")
    bus.add_argument("--off", action="store_true", help="nothing is owed to it any more, from now on")
    for name, what in (("openapi", "the contract"), ("asyncapi", "the contract of events")):
        contract = commands.add_parser(name, help=f"print {what}, or compare it with an older one")
        contract.add_argument("--against", metavar="FILE", help="fail when it takes away or narrows what FILE promised")
        contract.add_argument(
            "--write", metavar="FILE", help="write it to FILE, unless that would break what FILE promised"
        )
    return root


def seconds(text: str) -> int:
    """A duration on the command line."""
    if not text.isdigit() or int(text) > 31_536_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds up to a year")
    return int(text)


def operator_rules(args: argparse.Namespace) -> Rules | None:
    """What the arguments say of an operator's sessions; None: nothing. Raises ConfigError."""
    wallets = None if args.wallets is None else [name.strip() for name in args.wallets.split(",")]
    unknown = set(wallets or ()) - set(WALLETS)
    if unknown or (wallets is not None and len(set(wallets)) < len(wallets)):
        raise ConfigError(f"--wallets: '{args.wallets}' is not a list of {' and '.join(WALLETS)}")
    one_round = None if args.one_round is None else args.one_round == "yes"
    markets = None if args.markets is None else args.markets == "enforced"
    if args.choose_within == 0:
        raise ConfigError("--choose-within: players have some time to choose; give 1 second or more")
    rules = Rules(wallets, args.settle_within, one_round, args.idle_close, markets, args.choose_within)
    return None if rules == Rules() else rules


def person_of(args: argparse.Namespace) -> str | None:
    """Whose the key or client is that the arguments add; None: nobody was named. Raises ConfigError."""
    if args.person is None:
        return None
    if args.key is None and args.client is None:
        raise ConfigError("--person says whose key or client is added: give --key or --client too")
    name = str(args.person).strip()
    if not (name.isprintable() and 1 <= len(name) <= 80):
        raise ConfigError("--person: give a name of 1 to 80 printable characters")
    return name


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    args = parser().parse_args(arguments)
    try:
        if args.command == "openapi":
            return contract(document(), broken_promises, args.against, args.write)
        if args.command == "asyncapi":
            return contract(asyncapi_document(), broken_messages, args.against, args.write)
        if args.command == "registry":
            return registry(args.file, args.sign, args.check)
        config = read_config()
        if args.command == "serve":
            return run(serve(config))
        if args.command == "sandbox":
            return run(serve(config, sandboxed=True))
        if args.command == "call":
            return run(call(config, args))
        if args.command == "pages":
            return pages(config)
        if args.command == "audit" and args.action == "files":
            return audit.files(config)
        # All others are acts in the database of the service.
        config = acting(with_database(config), args.command)
        if args.command == "operator":
            return run(operator(config, args))
        if args.command == "reconcile":
            return run(reconcile(config, args))
        if args.command == "audit":
            return run(audit.run(config, args))
        if args.command in COMMANDS:
            return run(run_command(config, args))
        if args.command == "reseal":
            return run(seal_again(config))
        if args.command == "console":
            return run(let_in(config, args.name, args.retire))
        if args.command == "webhook":
            return run(webhook(config, args))
        if args.command == "bus":
            return run(bus(config, off=args.off))
        return run(keys(config, args))
    except (
        AlreadyRunning, AlreadyWritten, ConfigError, DatabaseUnreachable, ExportRefused, FileRefused, KeyUnknown, ListRefused, LogBroken, LogKeyMissing, MasterKeyError, MonthRefused, NatsUnavailable, OperatorRefused, PostgresUnavailable, RatesRefused, RegistryRefused, RgsError, sandbox.SandboxFailed, SchemaMismatch, SealBroken, TermsRefused, WorkerFailed,
        OSError, asyncpg.PostgresError, aiohttp.ClientError,
    ) as error:  # fmt: skip
        print(f"rgs-server {args.command}: {error}", file=sys.stderr)
        return 2


def run(job: Coroutine[Any, Any, int]) -> int:
    """Runs a coroutine to its end. On the standard loop: uvloop cannot start a child as another user."""
    return asyncio.run(job)


async def serve(config: Config, *, sandboxed: bool = False) -> int:
    if sandboxed:
        # For people: only what needs attention, and games to look at.
        config = replace(config, log_level="warning", play="off" if config.in_production else "on")
        if not config.nats_url and find_server() is not None:
            config = replace(config, nats_url=EMBEDDED)
    configure_logging(config.log_level)
    await Supervisor(config).run(sandbox.show if sandboxed else None)
    if sandboxed:
        print(f"\nStopped. Sessions and spins are kept in {config.data_path}.")
    return 0


async def seal_again(config: Config) -> int:
    done = await reseal(config, lambda so_far: print(f"{so_far:,} sealed anew", file=sys.stderr))
    print(f"{done:,} secrets are sealed anew; all are under the first key now")
    return 0


def pages(config: Config) -> int:
    sealer = Sealer(*read_master_keys(config.master_key_path))
    for page in (SignedPage(sealer, name) for name in LOADED):
        print(f"{page.root}  ed25519 {page.key}")
        for file in (*page.hashes["page"], *page.hashes["files"]):
            print(f"  {file['integrity']}  {file['name']}")
    return 0


async def let_in(config: Config, name: str, retire: bool) -> int:
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise ConfigError("NAME has 1 to 64 printable characters")
    connection = await asyncpg.connect(config.database_url)
    try:
        store = Store(connection)
        if retire:
            if not await store.retire_person(name):
                raise ConfigError(f"nobody is let in as '{name}'")
            print(f"{name} looks no more")
            return 0
        password = await add_person(store, name, system_clock())
    finally:
        await connection.close()
    if password is None:
        raise ConfigError(f"'{name}' is retired; take another name")
    print(f"name {name}\npassword {password}\nIt is not shown again. The console is at /console.")
    return 0


async def webhook(config: Config, args: argparse.Namespace) -> int:
    if args.url is not None:
        secret = await set_webhook(config, args.operator_id, args.url)
        if secret is not None:
            print(f"events go to {args.url}\nsecret {secret}\nIt is not shown again.")
    if args.replay:
        print(f"{await replay_events(config, args.operator_id)} events are sent again")
    print(await webhook_state(config, args.operator_id))
    return 0


async def bus(config: Config, *, off: bool) -> int:
    print(await bus_state(config, off=off))
    return 0


async def operator(config: Config, args: argparse.Namespace) -> int:
    rules = operator_rules(args)
    person = person_of(args)
    if (args.wallet_url is None) != (args.wallet_key is None):
        raise ConfigError("give --wallet-url and --wallet-key together")
    if args.wallet_url is not None and not args.wallet_url.startswith(("http://", "https://")):
        raise ConfigError(f"--wallet-url: '{args.wallet_url}' does not begin with https:// or http://")
    wallet = None if args.wallet_url is None else (args.wallet_url.rstrip("/"), args.wallet_key)
    limits = (args.rate, args.burst, args.in_flight)
    if any(limit is not None and not 0 <= limit < 1e6 for limit in limits):
        raise ConfigError("--rate, --burst and --in-flight are numbers from 0 to a million")
    quota = Quota(*limits) if any(limit is not None for limit in limits) else None
    origins = None if args.origins is None else [text.strip() for text in args.origins.split(",") if text.strip()]
    plain = None if args.plain_signatures is None else args.plain_signatures == "on"
    wanted = Statuses(args.duplicates, args.conflicts)
    statuses = None if wanted == Statuses() else wanted
    changes = (
        args.retire, args.retire_client, args.networks, args.certificates, rules, wallet, quota, origins, plain, statuses,
    )  # fmt: skip
    added = (args.key, args.client, args.player_keys)
    if all(given is None for given in (*added, *changes)):
        raise ConfigError("nothing to do: give --key or something to change")
    try:
        allowed = None if args.networks is None else networks(args.networks)
    except ValueError as error:
        raise ConfigError(f"--networks: {error}") from None
    names = (
        None if args.certificates is None else [name.strip() for name in args.certificates.split(",") if name.strip()]
    )
    operator_id = args.operator_id
    if args.key is not None:
        credentials = await add_operator(config, operator_id, args.key, reveal_seeds=False, person=person)
        if args.write is not None:
            credentials.write(Path(args.write))
            print(f"operator {operator_id}, key {args.key}; credentials in {args.write}")
        else:
            print(f"operator {operator_id}, key {args.key}\nsecret {credentials.secret}\nIt is not shown again.")
    if args.client is not None:
        scopes = args.scopes.replace(",", " ").split()
        secret = await add_client(config, operator_id, args.client, scopes, person)
        print(f"client {args.client}, scopes {' '.join(scopes)}\nsecret {secret}\nIt is not shown again.")
    if args.player_keys is not None:
        shared = await set_player_tokens(
            config, operator_id, args.player_keys, audience=args.player_audience, issuer=args.player_issuer
        )
        if shared is not None:
            print(f"secret of players' tokens {shared}\nIt is not shown again.")
        print(f"sessions need {'a token of the player' if args.player_keys else 'no token of the player'}")
    if any(change is not None for change in changes):
        await change_operator(
            config, operator_id, retire=args.retire, retire_client=args.retire_client, networks=allowed,
            certificates=names, rules=rules, wallet=wallet, quota=quota, origins=origins, plain_signatures=plain,
            statuses=statuses,
        )  # fmt: skip
        if args.retire_client is not None:
            print(f"client {args.retire_client} is retired; workers refuse its tokens within {config.key_cache_s} s")
        if wallet is not None:
            print(f"the wallet is at {wallet[0]}; calls are signed with key {wallet[1]}")
        if rules is not None:
            print("sessions to come are bound by that; open ones stay as they are")
        if args.retire is not None:
            print(f"key {args.retire} is retired; workers refuse it within {config.key_cache_s} s")
        if allowed is not None:
            print(f"calls come from {', '.join(map(str, allowed)) or 'anywhere'}")
        if names is not None:
            print(f"calls come with a certificate of {', '.join(names) or 'anybody, or none'}")
        if origins is not None:
            print(f"pages of {', '.join(origins) or 'no origin'} may call")
        if plain is not None:
            print(f"signatures of the body alone are {'taken' if plain else 'refused'}")
        if quota is not None:
            print(f"the quota is changed; workers know within {config.key_cache_s} s")
    return 0


async def keys(config: Config, args: argparse.Namespace) -> int:
    live, retired = await change_token_keys(config, rotate=args.rotate, retire=args.retire)
    for number, kid in enumerate(live):
        print(f"{kid}  {'published' if number else 'signs'}")
    for kid in retired:
        print(f"{kid}  retired; workers refuse its tokens within {config.key_cache_s} s")
    return 0


async def reconcile(config: Config, args: argparse.Namespace) -> int:
    since, until = read_time(args.since), read_time(args.until)
    if since is None or until is None:
        raise ConfigError("--since and --until are times like 2026-01-31T00:00:00.000Z")
    connection = await asyncpg.connect(config.database_url)
    try:
        rows = await Store(connection).moved_with(args.operator_id, since, until)
    finally:
        await connection.close()
    ours = {
        row["txn_id"]: Entry(
            row["txn_id"],
            int(row["amount_minor"]),
            row["currency"],
            row["exponent"],
            row["status"],
            row["moved_at"],
            row["certain"],
        )
        for row in rows
    }
    with nullcontext(sys.stdin) if args.list == "-" else open(args.list, encoding="utf-8", newline="") as file:
        found = list(differences(read_list(file, EXPONENTS), ours, args.late))
    for difference in found:
        print(f"{difference.fault:9}  {difference.txn_id}  theirs {difference.theirs}  ours {difference.ours}")
    print(f"{len(ours)} transactions on our side, {len(found)} differences", file=sys.stderr)
    return 1 if found else 0


async def call(config: Config, args: argparse.Namespace) -> int:
    path = Path(args.credentials) if args.credentials else config.data_path / "sandbox.json"
    if not path.is_file():
        raise ConfigError(f"no credentials {path}; start the sandbox here first, or give --credentials")
    credentials = Credentials.read(path)
    body = read_body(args.body)
    if args.curl:
        print(curl_line(credentials, args.method, args.target, body))
        return 0
    async with Client(credentials, client_context(args.ca, args.certificate)) as client:
        try:
            reply = await client.send(args.method, args.target, body)
        except TimeoutError:
            raise OSError(f"no answer from {credentials.url}") from None
    print(reply.body.decode())
    return 0 if reply.status < 400 else 1


def contract(
    today: dict[str, Any],
    broken_by: Callable[[dict[str, Any], dict[str, Any]], list[str]],
    against: str | None,
    write: str | None,
) -> int:
    text = json.dumps(today, indent=1, ensure_ascii=False) + "\n"
    older = against or (write if write and Path(write).exists() else None)
    broken = broken_by(json.loads(Path(older).read_text("utf-8")), today) if older else []
    for promise in broken:
        print(f"breaks {older}: {promise}", file=sys.stderr)
    if broken:
        print("Add beside it, or serve it under /rgs/v2.", file=sys.stderr)
        return 1
    if write:
        Path(write).write_text(text, "utf-8")
    elif not against:
        print(text, end="")
    return 0


def registry(file: str, private_key: str | None, public_key: str | None) -> int:
    if private_key is None and public_key is None:
        raise ConfigError("nothing to do: give --sign or --check")
    if private_key is not None:
        sign_registry(Path(file), Path(private_key))
        print(f"{file} is signed")
    if public_key is not None:
        read_registry(file, public_key)
        print(f"{file}: the signature is right")
    return 0


def read_body(text: str) -> bytes:
    """A body given as text, as @FILE, or as @- for standard input."""
    if text == "@-":
        return sys.stdin.buffer.read()
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()


if __name__ == "__main__":
    sys.exit(main())
