"""The command `rgs-server`: run the service, open operators, send signed requests."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from rgs_core.errors import RgsError
from rgs_server import sandbox
from rgs_server.client import Client, Credentials, curl_line
from rgs_server.config import Config, ConfigError, read_config
from rgs_server.contract.compatibility import broken_promises
from rgs_server.contract.openapi import document
from rgs_server.logs import configure_logging
from rgs_server.master_key import MasterKeyError
from rgs_server.operators import add_operator
from rgs_server.postgres import PostgresUnavailable
from rgs_server.store import SchemaMismatch
from rgs_server.supervisor import AlreadyRunning, DatabaseUnreachable, Supervisor, WorkerFailed

EXAMPLES = """\
examples:
  rgs-server sandbox                          service, embedded database, demo operator, one spin shown
  RGS_DATABASE_URL=postgresql://… RGS_MASTER_KEY_FILE=/run/secrets/master rgs-server serve
  rgs-server operator op-acme --key key-acme-1   prints the new secret once
  rgs-server call GET /rgs/v1/games              signed with the sandbox credentials
  rgs-server call POST /rgs/v1/spins '{"spin_id": "…", …}'
  rgs-server call --curl POST /rgs/v1/spins @spin.json
  rgs-server openapi > openapi.json              the contract; the service has it at /openapi.json and /docs

Settings are RGS_* environment variables; docs/operations.md lists them.
exit codes: 0 fine, 1 the request was answered with an error, 2 wrong use or a failed start"""


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
    operator = commands.add_parser("operator", help="open an operator or give it a new key")
    operator.add_argument("operator_id", metavar="OPERATOR_ID")
    operator.add_argument("--key", required=True, metavar="KEY_ID", help="id of the new signing key")
    operator.add_argument("--write", metavar="FILE", help="write the credentials for 'call' to a file (mode 0600)")
    call = commands.add_parser("call", help="send a signed request and print the answer")
    call.add_argument("method", metavar="METHOD", choices=["GET", "POST"])
    call.add_argument("target", metavar="PATH", help="path and query, such as /rgs/v1/games")
    call.add_argument("body", metavar="BODY", nargs="?", default="", help="JSON, @FILE, or @- for standard input")
    call.add_argument("--credentials", metavar="FILE", help="default: sandbox.json in RGS_DATA_DIR")
    call.add_argument("--curl", action="store_true", help="print the signed curl line instead; valid for minutes")
    contract = commands.add_parser("openapi", help="print the contract, or compare it with an older one")
    contract.add_argument("--against", metavar="FILE", help="fail when it takes away or narrows what FILE promised")
    contract.add_argument(
        "--write", metavar="FILE", help="write it to FILE, unless that would break what FILE promised"
    )
    return root


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    args = parser().parse_args(arguments)
    try:
        if args.command == "openapi":
            return openapi(args.against, args.write)
        config = read_config()
        if args.command == "serve":
            return run(serve(config))
        if args.command == "sandbox":
            return run(serve(config, sandboxed=True))
        if args.command == "operator":
            return run(new_operator(config, args.operator_id, args.key, args.write))
        return run(call(config, args))
    except (
        AlreadyRunning, ConfigError, DatabaseUnreachable, MasterKeyError, PostgresUnavailable, RgsError, sandbox.SandboxFailed, SchemaMismatch, WorkerFailed,
        OSError, asyncpg.PostgresError, aiohttp.ClientError,
    ) as error:  # fmt: skip
        print(f"rgs-server {args.command}: {error}", file=sys.stderr)
        return 2


def run(job: Coroutine[Any, Any, int]) -> int:
    """Runs a coroutine to its end. On the standard loop: uvloop cannot start a child as another user."""
    return asyncio.run(job)


async def serve(config: Config, *, sandboxed: bool = False) -> int:
    if sandboxed:
        config = replace(config, log_level="warning")  # for people: only what needs attention
    configure_logging(config.log_level)
    await Supervisor(config).run(sandbox.show if sandboxed else None)
    if sandboxed:
        print(f"\nStopped. Sessions and spins are kept in {config.data_path}.")
    return 0


async def new_operator(config: Config, operator_id: str, key_id: str, file: str | None) -> int:
    if not config.database_url:
        raise ConfigError("set RGS_DATABASE_URL: operators are opened in the database of the service")
    credentials = await add_operator(config, operator_id, key_id, reveal_seeds=False)
    if file is not None:
        credentials.write(Path(file))
        print(f"operator {operator_id}, key {key_id}; credentials in {file}")
    else:
        print(f"operator {operator_id}, key {key_id}\nsecret {credentials.secret}\nIt is not shown again.")
    return 0


async def call(config: Config, args: argparse.Namespace) -> int:
    path = Path(args.credentials) if args.credentials else config.data_path / "sandbox.json"
    if not path.is_file():
        raise ConfigError(f"no credentials {path}; start the sandbox here first, or give --credentials")
    credentials = Credentials.read(path)
    body = read_body(args.body)
    if args.curl:
        print(curl_line(credentials, args.method, args.target, body))
        return 0
    async with Client(credentials) as client:
        try:
            reply = await client.send(args.method, args.target, body)
        except TimeoutError:
            raise OSError(f"no answer from {credentials.url}") from None
    print(reply.body.decode())
    return 0 if reply.status < 400 else 1


def openapi(against: str | None, write: str | None) -> int:
    text = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    older = against or (write if write and Path(write).exists() else None)
    broken = broken_promises(json.loads(Path(older).read_text("utf-8")), document()) if older else []
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


def read_body(text: str) -> bytes:
    """A body given as text, as @FILE, or as @- for standard input."""
    if text == "@-":
        return sys.stdin.buffer.read()
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()


if __name__ == "__main__":
    sys.exit(main())
