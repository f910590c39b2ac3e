"""rgs audit: is an export of the audit log whole, and is a leaf in the log. Needs public keys, and nothing of the service."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from rgs_core.audit.export import Report, read_checkpoint, verify_export
from rgs_core.audit.notes import Checkpoint, VerifierKey, read_keys
from rgs_core.audit.proofs import read_proof
from rgs_core.audit.sessions import session_document
from rgs_core.commands.arguments import OFF, OK, add_json
from rgs_core.commands.replay import build_of
from rgs_core.errors import AuditError
from rgs_core.language.model import Build

HELP = "verify an export of the audit log, or the proof that something is in it; exit 1 when something is wrong"
EXAMPLES = """\
  rgs audit verify january/ --key studio.pub
  rgs audit verify january/ --key studio.pub --checkpoint newest.txt
  rgs audit proof spin-1.json --key studio.pub      (the answer of GET /rgs/v1/audit/spins/spin-1)
  rgs audit session records.json --out session.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="find every change, loss, insertion, reordering and cut of an export")
    verify.add_argument("export", metavar="EXPORT", type=Path, help="folder that 'rgs-server audit export' has made")
    proof = actions.add_parser("proof", help="verify that a leaf is in the log")
    proof.add_argument("proof", metavar="PROOF", type=Path, help="JSON that the service has answered")
    session = actions.add_parser("session", help="write a finished session with all numbers drawn, for docs/verify")
    session.add_argument("records", metavar="RECORDS", type=Path, help="that 'rgs-server audit session' has written")
    session.add_argument("--model", help="model file of the build; a shipped game by default")
    session.add_argument(
        "--out", metavar="FILE", required=True, type=Path, help="for the page and the script in docs/verify"
    )
    for action in (verify, proof, session):
        action.add_argument(
            "--key",
            metavar="FILE",
            required=action is not session,
            help="public key of the log (name+id+key), in a file or as it is",
        )
    for action in (verify, proof):
        add_json(action)
    verify.add_argument(
        "--checkpoint",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="a checkpoint that you have kept; the newest one shows that nothing was cut off; may be repeated",
    )


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "session":
        return run_session(args, console)
    keys = keys_of(args.key)
    if args.action == "proof":
        return run_proof(args, keys, console)
    seen = [read_checkpoint(path, keys) for path in args.checkpoint]
    report = verify_export(args.export, keys, seen)
    if args.json:
        print(json.dumps({"whole": report.whole, "faults": report.faults, "not_listed": report.not_listed}, indent=2))
    else:
        show(report, len(seen), console)
    return OK if report.whole else OFF


def keys_of(text: str) -> list[VerifierKey]:
    """Public keys in a file, or one given as text. Raises AuditError, OSError."""
    path = Path(text)
    return read_keys(text if "+" in text and not path.exists() else path.read_text("utf-8", "replace"))


def run_proof(args: argparse.Namespace, keys: list[VerifierKey], console: Console) -> int:
    proof = read_proof(args.proof.read_text("utf-8", "replace"))
    faults = proof.faults(keys)
    if args.json:
        print(json.dumps({"proved": not faults, "faults": faults, "leaf": proof.leaf}, indent=2))
    elif faults:
        console.print("[bold red]NOT PROVED[/bold red]")
    else:
        console.print(f"[bold green]PROVED[/bold green]: leaf {proof.position} of {proof.tree_size}")
        console.print(proof.leaf, markup=False, highlight=False, soft_wrap=True)
    if not args.json:
        for fault in faults:
            console.print(f"  {fault}", markup=False, highlight=False, soft_wrap=True)
    return OFF if faults else OK


def run_session(args: argparse.Namespace, console: Console) -> int:
    document = json.loads(args.records.read_text("utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("records"), list):
        raise AuditError(f"{args.records} holds no records of a session")
    builds: dict[tuple[str, str, str], Build] = {}

    def build(record: Mapping[str, Any]) -> Build:
        name = (record["build_hash"], record["mode"], record.get("policy", ""))
        if name not in builds:
            builds[name] = build_of(record, args.model)
        return builds[name]

    for name in ("rounds_played", "log"):
        if name not in document:
            raise AuditError(f"{args.records} has no '{name}'; write it with 'rgs-server audit session'")
    log = document["log"]
    if args.key is not None:
        checkpoint = Checkpoint.open(log["checkpoint"], keys_of(args.key))
        if (checkpoint.size, checkpoint.root.hex()) != (log["size"], log["root"]):
            raise AuditError(f"{args.records}: the checkpoint is of another log than 'log' says")
    session = session_document(document["records"], document["rounds_played"], log, build)
    args.out.write_text(json.dumps(session, ensure_ascii=False) + "\n", "utf-8")
    signed = "signed with that key" if args.key is not None else "its signature was not looked at: give --key"
    console.print(
        f"{args.out}: {len(session['rounds']):,} rounds, all of them replayed, and in the log of {log['size']:,} leaves with "
        f"root {log['root']} ({signed})",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    return OK


def show(report: Report, seen: int, console: Console) -> None:
    manifest, checkpoint = report.manifest, report.checkpoint
    if manifest is not None:
        console.print(f"log {manifest.log}, {manifest.since} to {manifest.until}", markup=False, highlight=False)
        end = manifest.first_position + manifest.leaves
        console.print(f"leaves {manifest.first_position:,} to {end:,} of {manifest.tree_size:,}", highlight=False)
    if checkpoint is not None:
        console.print(f"checkpoint of {checkpoint.time}; {seen} others compared", highlight=False)
    for fault in report.faults:
        console.print(f"  {fault}", markup=False, highlight=False, soft_wrap=True)
    if report.not_listed:
        console.print(f"  and {report.not_listed:,} more")
    if not report.whole:
        console.print("[bold red]NOT WHOLE[/bold red]: this is not what the log has held.")
    elif seen:
        console.print("[bold green]WHOLE[/bold green], and it agrees with the checkpoints given.")
    else:
        console.print(
            "[bold green]WHOLE[/bold green] by its own checkpoint. Give --checkpoint with one that you have kept: only that "
            "shows that the log was not written anew."
        )
