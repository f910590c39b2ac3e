"""Writing an export, file by file; what is in it is said in `export`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, Callable, Sequence
from pathlib import Path

from rgs_core.audit.export import CHECKPOINT, LEAVES, MANIFEST, SIGNATURE, Manifest, signature_text
from rgs_core.audit.merkle import Span
from rgs_core.audit.notes import Checkpoint, VerifierKey, sign_note


async def write_export(
    folder: Path,
    leaves: AsyncIterable[Sequence[bytes]],
    *,
    span: Span,
    since: str,
    until: str,
    checkpoint: Checkpoint,
    note: str,
    earlier: Sequence[bytes],
    later: Sequence[bytes],
    key: VerifierKey,
    sign: Callable[[bytes], bytes],
) -> Manifest:
    """Writes the leaves at the positions of `span`, in parts, with the `note` of a checkpoint. The folder is made anew.

    Raises FileExistsError.
    """
    folder.mkdir(parents=True)
    digest, size = hashlib.sha256(), 0
    with (folder / LEAVES).open("xb") as file:
        async for part in leaves:
            raw = b"".join(leaf + b"\n" for leaf in part)
            file.write(raw)
            digest.update(raw)
            size += len(raw)
    (folder / CHECKPOINT).write_bytes(note.encode())
    manifest = Manifest(
        log=checkpoint.origin,
        since=since,
        until=until,
        first_position=span.first,
        leaves=span.end - span.first,
        tree_size=checkpoint.size,
        earlier=tuple(earlier),
        later=tuple(later),
        files={
            LEAVES: (digest.hexdigest(), size),
            CHECKPOINT: (hashlib.sha256(note.encode()).hexdigest(), len(note.encode())),
        },
    )
    raw = manifest.encode()
    (folder / MANIFEST).write_bytes(raw)
    (folder / SIGNATURE).write_bytes(sign_note(signature_text(raw), key, sign).encode())
    return manifest
