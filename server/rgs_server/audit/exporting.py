"""Exports of the log for a range of time, which `rgs audit verify` checks without this service."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import asyncpg

from rgs_core.audit.export import Manifest, verify_export
from rgs_core.audit.merkle import Span, later_spans, leaf_hash
from rgs_core.audit.notes import Checkpoint
from rgs_core.audit.writing import write_export
from rgs_server.audit.audit_store import AuditStore
from rgs_server.audit.log_keys import LogKey, log_key, public_keys
from rgs_server.audit.tree import LogBroken, frontier_at, span_hashes
from rgs_server.clock import time_text
from rgs_server.sealing import Sealer

PART = 2000
"""Leaves in one query."""


class ExportRefused(Exception):
    """A range or a session cannot be exported; the message says why."""


class NotLogged(ExportRefused):
    """The signed log does not have it yet, or no longer."""


async def export_range(url: str, sealer: Sealer, since: datetime, until: datetime, folder: Path) -> Manifest:
    """Exports what was sequenced from `since` until before `until`, and verifies what was written.

    That it was made is a fact of the log, too. Raises ExportRefused, FileExistsError, LogBroken, SealBroken.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; an export is written once")
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    connection = await asyncpg.connect(url)
    try:
        store = AuditStore(connection)
        key = await log_key(store, sealer)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            manifest = await _write(store, key, since, until, draft)
        report = verify_export(draft, await public_keys(store))
        if not report.whole:
            raise LogBroken("what was exported is not what was signed: " + "; ".join(report.faults))
        told = {"since": manifest.since, "until": manifest.until, "leaves": manifest.leaves, "size": manifest.tree_size}
        await store.add_fact("export", manifest.since, json.dumps(told))
        draft.rename(folder)
        return manifest
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        await connection.close()


async def _write(store: AuditStore, key: LogKey, since: datetime, until: datetime, folder: Path) -> Manifest:
    checkpoint, note, span = await _range(store, since, until)
    return await write_export(
        folder,
        _leaves(store, span),
        span=span,
        since=time_text(since),
        until=time_text(until),
        checkpoint=checkpoint,
        note=note,
        earlier=(await frontier_at(store, span.first)).hashes,
        later=await span_hashes(store, later_spans(span.end, checkpoint.size)),
        key=key.public,
        sign=key.sign,
    )


async def _range(store: AuditStore, since: datetime, until: datetime) -> tuple[Checkpoint, str, Span]:
    """The checkpoint, and the leaves of the range with the one before and the one behind it."""
    row = await store.last_checkpoint()
    if row is None:
        raise ExportRefused("the log was not signed yet")
    if row["made_at"] < until:
        raise ExportRefused(
            f"the newest checkpoint is of {time_text(row['made_at'])}; a range ends no later, or it could still grow"
        )
    size = row["tree_size"]
    first, end = await store.position_at(since), await store.position_at(until)
    first = size if first is None else min(first, size)
    end = size if end is None else min(end, size)
    checkpoint = Checkpoint.parse(row["note"].partition("\n\n")[0] + "\n")
    return checkpoint, row["note"], Span(max(first - 1, 0), min(end + 1, size))


async def _leaves(store: AuditStore, span: Span) -> AsyncIterator[Sequence[bytes]]:
    for first in range(span.first, span.end, PART):
        part = Span(first, min(first + PART, span.end))
        rows = await store.read_leaves(part)
        if [row["position"] for row in rows] != list(range(*part)):
            raise LogBroken(f"leaves {part.first} to {part.end} are not all there")
        for row in rows:
            if row["kind"] is None:
                raise ExportRefused(f"the fact of leaf {row['position']} was erased; begin the range later")
            if row["leaf"] is None:
                raise LogBroken(f"the {row['kind']} that leaf {row['position']} tells is gone")
            if leaf_hash(row["leaf"].encode()) != row["leaf_hash"]:
                raise LogBroken(f"the fact of leaf {row['position']} is not the one that was hashed")
        yield [row["leaf"].encode() for row in rows]
