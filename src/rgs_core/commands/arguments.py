"""Arguments that several commands share, and how they become builds and keys."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rgs_core.game import DEFAULT_SEED
from rgs_core.games import find_build
from rgs_core.language.model import Build
from rgs_core.language.policies import with_policy
from rgs_core.seeds import derive_key, parse_server_seed

OK, OFF, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: fine; something is off (a figure, a replay); wrong use or a bad file; Ctrl-C."""


def add_game(parser: argparse.ArgumentParser) -> None:
    """GAME, --profile and --mode."""
    parser.add_argument("game", metavar="GAME", help="shipped game id, GAME/PROFILE[@MODE], or path of a model file")
    parser.add_argument("--profile", help="RTP profile; the first of the file by default")
    parser.add_argument("--mode", help="mode of play, such as a bonus buy; the base mode by default")


def add_policy(parser: argparse.ArgumentParser) -> None:
    """--policy."""
    parser.add_argument(
        "--policy",
        metavar="TEXT",
        help="what the player chooses and gambles, as 'doors=few, gamble=red*2'; the first options and no gamble by "
        "default",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON for machines instead of tables")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """--seed or --server-seed, and --client-seed."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--seed", default=DEFAULT_SEED, help="any text; its SHA-256 is the server seed (default: %(default)s)"
    )
    group.add_argument("--server-seed", metavar="HEX", help="server seed of a session, 64 hex digits")
    parser.add_argument("--client-seed", default="", help="client seed of the session (default: empty)")


def chosen_build(args: argparse.Namespace) -> tuple[Build, Path]:
    """The build that GAME, --profile, --mode and --policy name, and its model file."""
    build, path = find_build(args.game, args.profile, args.mode)
    policy = getattr(args, "policy", None)
    return (with_policy(build, policy) if policy is not None else build), path


def chosen_server_seed(args: argparse.Namespace) -> bytes:
    """The server seed from the seed arguments. Raises SeedError."""
    if args.server_seed is not None:
        return parse_server_seed(args.server_seed)
    return hashlib.sha256(args.seed.encode()).digest()


def chosen_key(args: argparse.Namespace) -> bytes:
    """The key from the seed arguments. Raises SeedError."""
    return derive_key(chosen_server_seed(args), args.client_seed)


def count(text: str) -> int:
    """A positive whole number, also written 1e6, 1_000_000 or 2.5e8."""
    plain = text.replace("_", "").replace(",", "")
    try:
        value = int(plain) if plain.lstrip("+").isdigit() else int(float(plain))
        whole = plain.lstrip("+").isdigit() or float(plain) == value
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if value < 1 or not whole:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive whole number")
    return value


def nonce(text: str) -> int:
    """A spin number in [0, 2^64)."""
    if not text.isdigit() or int(text) >= 2**64:
        raise argparse.ArgumentTypeError(f"'{text}' is not a spin number from 0 to 2^64 - 1")
    return int(text)


@contextmanager
def written(name: str) -> Iterator[Path]:
    """A temporary path that becomes the file `name` when the block ends well: whole or not at all."""
    target = Path(name)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
