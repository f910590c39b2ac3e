"""rgs replay: recompute a recorded round and say whether it is the same, bit for bit."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from rgs_core import games, reference
from rgs_core.commands.arguments import OFF, OK, add_json
from rgs_core.commands.drawing import draw_callback_note, draw_round
from rgs_core.engine.playing import player
from rgs_core.errors import RgsError
from rgs_core.language.model import BASE_MODE, Build
from rgs_core.language.model_file import load
from rgs_core.language.policies import with_policy
from rgs_core.seeds import commitment, derive_key, parse_server_seed

HELP = "recompute a round from its audit record: MATCH or MISMATCH"
EXAMPLES = """\
  rgs replay record.json
  rgs replay record.json --model old_version.toml
  curl … /rgs/v1/spins/SPIN_ID/replay | rgs replay -"""

RECORD_BYTES_MAX = 8 * 1024 * 1024


class RecordError(RgsError):
    """An audit record lacks a field or has one of the wrong form."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD", help="audit record in JSON, - for standard input")
    parser.add_argument("--model", help="model file of the build; a shipped game of the record's hash by default")
    add_json(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    record = read_record(args.record)
    build = build_of(record, args.model)
    seed = parse_server_seed(text(record, "server_seed"))
    key = derive_key(seed, text(record, "client_seed"))
    nonce = record.get("nonce")
    if isinstance(nonce, bool) or not isinstance(nonce, int) or not 0 <= nonce < 2**64:
        raise RecordError(f"record.nonce is {nonce!r}; it is a whole number from 0 to 2^64 - 1")
    played = player(build).spin(key, nonce)
    slow = reference.play(build, key, nonce)
    checks = {
        "seed_commitment": commitment(seed) == text(record, "seed_commitment"),
        "build_hash": build.build_hash == text(record, "build_hash"),
        "outcome_digest": played.digest() == text(record, "outcome_digest"),
        "win_units": played.win_units == record.get("win_units"),
        # The rules of a callback are in the reference alone; there only the words come from two sources.
        "reference_words" if build.model.callbacks else "reference_equals_engine": slow == played,
    }
    match = all(checks.values())
    if args.json:
        print(json.dumps({"match": match, "checks": checks, "digest": played.digest()}, indent=2))
        return OK if match else OFF
    draw_round(console, build, played)
    draw_callback_note(console, build)
    for name, good in checks.items():
        console.print(f"  {name:24} {'[green]equal[/green]' if good else '[bold red]DIFFERENT[/bold red]'}")
    console.print("[bold green]MATCH[/bold green]" if match else "[bold red]MISMATCH[/bold red]")
    return OK if match else OFF


def read_record(name: str) -> Mapping[str, Any]:
    """The audit record in a file; also found under "audit_record" in an answer of the service."""
    raw = sys.stdin.read(RECORD_BYTES_MAX) if name == "-" else Path(name).read_text("utf-8")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{name} is not JSON: {error}") from None
    record = document.get("audit_record", document) if isinstance(document, dict) else document
    if not isinstance(record, dict):
        raise RecordError(f"{name} holds no audit record; it is a JSON object with build_hash, server_seed and nonce")
    return record


def build_of(record: Mapping[str, Any], model_file: str | None) -> Build:
    """The build whose hash the record names, from a given file or the shipped games."""
    wanted = text(record, "build_hash")
    files = [Path(model_file)] if model_file else list(games.shipped().values())
    builds = [build for path in files for build in games.builds(load(path))]
    mode = record.get("mode", BASE_MODE)
    for build in builds:
        if build.build_hash == wanted:
            if mode != BASE_MODE and mode not in build.model.modes:
                raise RecordError(
                    f"record.mode is {mode!r}; {build.label} has {', '.join(build.model.modes) or 'none'}"
                )
            played = build.model.build(build.profile.name, mode)
            return with_policy(played, text(record, "policy")) if "policy" in record else played
    where = model_file or "the shipped games"
    raise RecordError(f"no build {wanted} in {where}; give the model file of that version with --model")


def text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        remedy = "; the service shows it to sandbox operators only" if name == "server_seed" else ""
        raise RecordError(f"record.{name} is missing or not text{remedy}")
    return value
