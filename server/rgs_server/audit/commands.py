"""The command `rgs-server audit`: exports, the public key, and how long facts are kept."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

import asyncpg

from rgs_core.audit.export import FILES
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.critical_files import critical_files, digest_of, hashed
from rgs_server.audit.exporting import export_range
from rgs_server.audit.log_keys import public_keys, rotate_log_key
from rgs_server.audit.places import place_of
from rgs_server.audit.session_records import session_records
from rgs_server.clock import read_time, time_text
from rgs_server.config import Config, ConfigError
from rgs_server.master_key import read_master_keys
from rgs_server.sealing import Sealer
from rgs_server.store import Store

KEEP_DAYS_MIN = 365
ERASED_AT_ONCE = 1000
LOGGED_WITHIN_S = 5
"""A fact has its place in the log so soon, or something is wrong; then the next checkpoint has to come."""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    key = actions.add_parser("key", help="print the public keys, for those who verify; the first one signs now")
    key.add_argument("--rotate", action="store_true", help="make a new key, which signs from the next checkpoint on")
    export = actions.add_parser("export", help="write what was logged in a range of time to a new folder")
    export.add_argument("--from", dest="since", metavar="TIME", required=True, help="such as 2026-01-31T00:00:00.000Z")
    export.add_argument("--to", dest="until", metavar="TIME", required=True, help="the end, not included")
    export.add_argument("--out", metavar="FOLDER", type=Path, required=True)
    export.add_argument("--publish", action="store_true", help="write it to RGS_AUDIT_PLACE, too, under exports/FOLDER")
    actions.add_parser("files", help="print the digests of the critical files, and the one of all for RGS_FILES_DIGEST")
    records = actions.add_parser("session", help="write the audit records of a closed session, for 'rgs audit session'")
    records.add_argument("operator_id", metavar="OPERATOR_ID")
    records.add_argument("session_id", metavar="SESSION_ID")
    records.add_argument("--out", metavar="FILE", type=Path, required=True)
    keep = actions.add_parser("retention", help="say how long facts are kept, or erase those whose time is over")
    keep.add_argument("--keep-days", metavar="N", type=int, help=f"from {KEEP_DAYS_MIN} on; 0: for ever")
    keep.add_argument("--erase", action="store_true", help="erase now; leaves stay in the tree as hashes")
    hold = actions.add_parser("hold", help="keep facts whatever the retention says; without arguments: list holds")
    hold.add_argument("hold_id", metavar="HOLD_ID", nargs="?")
    hold.add_argument("--operator", metavar="OPERATOR_ID", default="", help="its facts alone; default: all")
    hold.add_argument("--from", dest="since", metavar="TIME", help="of facts written from then on")
    hold.add_argument("--to", dest="until", metavar="TIME", help="the end, not included")
    hold.add_argument("--reason", metavar="TEXT", help="such as the file number of the court")
    hold.add_argument("--release", action="store_true", help="end the hold")


async def run(config: Config, args: argparse.Namespace) -> int:
    """Raises ConfigError and what the actions raise."""
    if args.action == "export":
        return await export(config, args)
    if args.action == "session":
        return await session(config, args)
    # Retention and holds belong to the owner of the tables: workers cannot touch them.
    connection = await asyncpg.connect(config.owner_database_url or config.database_url)
    try:
        store = AuditStore(connection)
        if args.action == "key":
            if args.rotate:
                await rotate_log_key(store, Sealer(*read_master_keys(config.master_key_path)))
            for number, public in enumerate(await public_keys(store)):
                print(f"# {'has signed before' if number else 'signs now'}\n{public}")
            return 0
        return await (retention if args.action == "retention" else hold)(store, args)
    finally:
        await connection.close()


async def session(config: Config, args: argparse.Namespace) -> int:
    sealer = Sealer(*read_master_keys(config.master_key_path))
    connection = await asyncpg.connect(config.database_url)
    try:
        wait_s = config.checkpoint_s + LOGGED_WITHIN_S
        records = await session_records(Store(connection), sealer, args.operator_id, args.session_id, wait_s)
    finally:
        await connection.close()
    args.out.write_bytes(records)
    print(f"{args.out}: its rounds with their places in the log; the seed is in it, as it is public now")
    return 0


def files(config: Config) -> int:
    digests = hashed(critical_files(config))
    for name, digest in digests.items():
        print(f"{digest}  {name}")
    print(f"RGS_FILES_DIGEST={digest_of(digests)}")
    return 0


async def export(config: Config, args: argparse.Namespace) -> int:
    since, until = range_of(args)
    sealer = Sealer(*read_master_keys(config.master_key_path))
    place = place_of(config) if args.publish else None
    if args.publish and place is None:
        raise ConfigError("--publish: set RGS_AUDIT_PLACE")
    manifest = await export_range(config.database_url, sealer, since, until, args.out)
    if place is not None:
        for name in FILES:
            await place.put(f"exports/{args.out.name}/{name}", (args.out / name).read_bytes())
    end = manifest.first_position + manifest.leaves
    print(f"{args.out}: leaves {manifest.first_position:,} to {end:,} of {manifest.tree_size:,}, verified")
    return 0


async def retention(store: AuditStore, args: argparse.Namespace) -> int:
    if args.keep_days is not None:
        if args.keep_days == 0:
            await store.keep_forever()
            print("facts are kept for ever")
        elif args.keep_days < KEEP_DAYS_MIN:
            raise ConfigError(f"--keep-days: at least {KEEP_DAYS_MIN}, or 0 for ever")
        else:
            await store.set_retention(args.keep_days)
            print(f"facts are kept for {args.keep_days} days, and as long as they are held")
    if args.erase:
        erased = 0
        while count := await store.erase_expired(ERASED_AT_ONCE):
            erased += count
        print(f"{erased:,} facts are erased; their leaves stay in the tree as hashes")
    elif args.keep_days is None:
        raise ConfigError("nothing to do: give --keep-days or --erase")
    return 0


async def hold(store: AuditStore, args: argparse.Namespace) -> int:
    if args.hold_id is None:
        for row in await store.list_holds():
            ended = f"released {time_text(row['released_at'])}" if row["released_at"] else "holds"
            whose = row["operator_id"] or "all operators"
            print(
                f"{row['hold_id']}  {whose}  {time_text(row['since'])} to {time_text(row['until'])}  {ended}  {row['reason']}"
            )
        return 0
    if args.release:
        if not await store.release_hold(args.hold_id):
            raise ConfigError(f"no hold '{args.hold_id}' that holds")
        print(f"hold {args.hold_id} is released")
        return 0
    since, until = range_of(args)
    if not args.reason:
        raise ConfigError("give --reason: whoever reads the log wants to know")
    if not await store.place_hold(args.hold_id, args.operator, since, until, args.reason):
        raise ConfigError(f"there is a hold '{args.hold_id}' already; choose another id")
    print(f"facts of {args.operator or 'all operators'} from {args.since} to {args.until} are held")
    return 0


def range_of(args: argparse.Namespace) -> tuple[datetime, datetime]:
    """--from and --to. Raises ConfigError."""
    since, until = (None if text is None else read_time(text) for text in (args.since, args.until))
    if since is None or until is None or since >= until:
        raise ConfigError("--from and --to are times like 2026-01-31T00:00:00.000Z, the first one before the second")
    return since, until
