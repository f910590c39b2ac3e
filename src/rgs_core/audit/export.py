"""Exports of the audit log for a range of time, and what can be found wrong with one.

An export is a folder of four files:

* `leaves.jsonl`: the leaves, one a line; a line without its line feed is what the tree hashes. They are those of the range
  and, where there are any, the one before and the one after it, which show that the range is whole.
* `checkpoint.txt`: the newest checkpoint of the log, a signed note.
* `manifest.json`: range, positions, the hashes that join the leaves with the root, and SHA-256 and size of both files.
* `manifest.sig`: a signed note with the SHA-256 of the manifest.

Who changes a byte without the key breaks a signature. Who has the key cannot change what older checkpoints, which others
keep, have said: `verify_export` takes any number of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rgs_core.audit.merkle import HASH_BYTES, Frontier, Span, full_nodes, grown_root, later_spans, leaf_hash
from rgs_core.audit.notes import NOTE_BYTES_MAX, SIZE_MAX, TIME, Checkpoint, VerifierKey, open_note
from rgs_core.errors import AuditError

FORMAT = "rgs-audit-export-1"
LEAVES, CHECKPOINT, MANIFEST, SIGNATURE = "leaves.jsonl", "checkpoint.txt", "manifest.json", "manifest.sig"
FILES = (LEAVES, CHECKPOINT, MANIFEST, SIGNATURE)
MANIFEST_BYTES_MAX = 1024 * 1024
LEAF_BYTES_MAX = 1024 * 1024
FAULTS_MAX = 100
"""So many faults are listed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export says of itself. Times as in checkpoints; `since` belongs to the range, `until` does not. `earlier`
    are the hashes of the full subtrees before the first leaf, `later` those of the subtrees behind the last one."""

    log: str
    since: str
    until: str
    first_position: int
    leaves: int
    tree_size: int
    earlier: tuple[bytes, ...]
    later: tuple[bytes, ...]
    files: dict[str, tuple[str, int]]

    def encode(self) -> bytes:
        """The bytes of manifest.json."""
        document = {
            "format": FORMAT,
            "log": self.log,
            "since": self.since,
            "until": self.until,
            "first_position": self.first_position,
            "leaves": self.leaves,
            "tree_size": self.tree_size,
            "earlier": [value.hex() for value in self.earlier],
            "later": [value.hex() for value in self.later],
            "files": {name: {"sha256": digest, "bytes": size} for name, (digest, size) in self.files.items()},
        }
        return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """Raises AuditError where a member is missing, unknown or of the wrong form."""
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise AuditError(f"no JSON: {error}") from None
        names = {
            "format", "log", "since", "until", "first_position", "leaves", "tree_size", "earlier", "later", "files",
        }  # fmt: skip
        if not isinstance(document, dict) or document.keys() != names:
            raise AuditError(f"not an object of {', '.join(sorted(names))}")
        if document["format"] != FORMAT:
            raise AuditError(f"format: {document['format']!r} is not {FORMAT!r}")
        log, since, until = (_of(document, name, str) for name in ("log", "since", "until"))
        if not TIME.fullmatch(since) or not TIME.fullmatch(until) or since >= until:
            raise AuditError(f"since and until: {since[:40]!r} to {until[:40]!r} is no range of time")
        first, count, size = (_of(document, name, int) for name in ("first_position", "leaves", "tree_size"))
        if not 0 <= first <= first + count <= size <= SIZE_MAX:
            raise AuditError(f"{count} leaves from position {first} on are no part of a tree of {size}")
        earlier, later = (_hashes(document, name) for name in ("earlier", "later"))
        if len(earlier) != len(full_nodes(Span(0, first))) or len(later) != len(later_spans(first + count, size)):
            raise AuditError("earlier and later: not as many hashes as this range of this tree needs")
        files = {}
        for name in (LEAVES, CHECKPOINT):
            file = _of(_of(document, "files", dict), name, dict)
            files[name] = (_of(file, "sha256", str), _of(file, "bytes", int))
        return cls(log, since, until, first, count, size, earlier, later, files)


def _of(document: dict[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if type(value) is not kind:
        raise AuditError(f"{name}: {str(value)[:40]!r} is not of type {kind.__name__}")
    return value


def _hashes(document: dict[str, Any], name: str) -> tuple[bytes, ...]:
    try:
        hashes = tuple(bytes.fromhex(text) for text in _of(document, name, list))
    except (TypeError, ValueError):
        raise AuditError(f"{name}: no list of hashes in hexadecimal") from None
    if any(len(value) != HASH_BYTES for value in hashes):
        raise AuditError(f"{name}: a hash has {HASH_BYTES} bytes")
    return hashes


def signature_text(manifest: bytes) -> str:
    """What the signature of a manifest signs."""
    return f"{FORMAT}\nsha256 {hashlib.sha256(manifest).hexdigest()}\n"


class Leaf(NamedTuple):
    """What verification reads of a leaf."""

    position: int
    sequenced_at: str


def read_leaf(raw: bytes) -> Leaf:
    """Raises AuditError."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise AuditError("no JSON") from None
    if not isinstance(document, dict):
        raise AuditError("no JSON object")
    leaf = Leaf(_of(document, "position", int), _of(document, "sequenced_at", str))
    if not TIME.fullmatch(leaf.sequenced_at):
        raise AuditError(f"sequenced_at: {leaf.sequenced_at[:40]!r} is no time")
    return leaf


@dataclass(slots=True)
class Report:
    """What a verification found. `faults` is empty when the export is whole."""

    faults: list[str] = field(default_factory=list)
    not_listed: int = 0
    manifest: Manifest | None = None
    checkpoint: Checkpoint | None = None

    @property
    def whole(self) -> bool:
        return not self.faults

    def add(self, where: str, fault: object) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(f"{where}: {fault}")
        else:
            self.not_listed += 1


def verify_export(folder: Path, keys: Sequence[VerifierKey], seen: Sequence[Checkpoint] = ()) -> Report:
    """Checks an export against the public keys of its log, and against checkpoints that were `seen` before.

    Nothing in the export is believed: whatever does not follow from a signature is a fault. Raises OSError where the
    folder cannot be read.
    """
    report = Report()
    names = {path.name for path in folder.iterdir()}
    for name in sorted(names.symmetric_difference(FILES)):
        report.add(name, "is missing" if name in FILES else "does not belong to an export")
    if not names.issuperset(FILES):
        return report
    report.manifest = _verified_manifest(folder, keys, report)
    report.checkpoint = _verified_checkpoint(folder, keys, report)
    if report.manifest is not None:
        _verify_files(folder, report.manifest, report)
        _verify_leaves(folder, report.manifest, report, seen)
    return report


def _verified_manifest(folder: Path, keys: Sequence[VerifierKey], report: Report) -> Manifest | None:
    try:
        raw = _read(folder / MANIFEST, MANIFEST_BYTES_MAX)
        manifest = Manifest.decode(raw)
    except AuditError as error:
        report.add(MANIFEST, error)
        return None
    try:
        if open_note(_text(folder / SIGNATURE), keys) != signature_text(raw):
            report.add(SIGNATURE, f"signs another text than {MANIFEST}")
    except AuditError as error:
        report.add(SIGNATURE, error)
    if all(key.name != manifest.log for key in keys):
        report.add(MANIFEST, f"is of the log '{manifest.log[:80]}', which none of the keys is for")
    if manifest.encode() != raw:
        report.add(MANIFEST, "is not written as exports write it")
    return manifest


def _verified_checkpoint(folder: Path, keys: Sequence[VerifierKey], report: Report) -> Checkpoint | None:
    try:
        return Checkpoint.open(_text(folder / CHECKPOINT), keys)
    except AuditError as error:
        report.add(CHECKPOINT, error)
        return None


def _verify_files(folder: Path, manifest: Manifest, report: Report) -> None:
    for name, (expected, size) in manifest.files.items():
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
            found = file.tell()
        if found != size:
            report.add(name, f"has {found} bytes, the manifest says {size}")
        if digest.hexdigest() != expected:
            report.add(name, "has another SHA-256 than the manifest says")


def _verify_leaves(folder: Path, manifest: Manifest, report: Report, seen: Sequence[Checkpoint]) -> None:
    """Order, range and root. Along the way the root after each leaf is known, so that every checkpoint seen between the
    first leaf and the last is compared exactly."""
    checkpoint = report.checkpoint
    frontier = Frontier(manifest.first_position, manifest.earlier)
    wanted: dict[int, list[Checkpoint]] = {}
    for other in seen:
        wanted.setdefault(other.size, []).append(other)
    _compare_root(frontier.size, frontier.root, wanted, report)
    times = ["", "", ""]  # of the first leaf, the last one, and the one before it
    inside = 0
    for number, line in enumerate(_lines(folder / LEAVES), 1):
        where = f"{LEAVES} line {number}"
        if not line.endswith(b"\n"):
            report.add(where, "is cut off or too long")
        frontier.extend([leaf_hash(line.removesuffix(b"\n"))])
        _compare_root(frontier.size, frontier.root, wanted, report)
        try:
            leaf = read_leaf(line)
        except AuditError as error:
            report.add(where, error)
            continue
        if leaf.position != frontier.size - 1:
            report.add(where, f"is the leaf of position {leaf.position}, not of {frontier.size - 1}")
        if leaf.sequenced_at < times[1]:
            report.add(where, f"is of {leaf.sequenced_at}, before the leaf above it")
        times = [times[0] or leaf.sequenced_at, leaf.sequenced_at, times[1]]
        inside += manifest.since <= leaf.sequenced_at < manifest.until
    count = frontier.size - manifest.first_position
    if count != manifest.leaves:
        report.add(LEAVES, f"has {count} leaves, the manifest says {manifest.leaves}")
    _verify_borders(manifest, report, count, inside, times[0], times[1])
    if checkpoint is None:
        return
    if checkpoint.size != manifest.tree_size:
        report.add(CHECKPOINT, f"is of {checkpoint.size} leaves, the manifest of {manifest.tree_size}")
    if checkpoint.origin != manifest.log:
        report.add(CHECKPOINT, f"is of the log '{checkpoint.origin[:80]}', the manifest of '{manifest.log[:80]}'")
    if grown_root(frontier, checkpoint.size, manifest.later) != checkpoint.root:
        report.add(LEAVES, "do not amount to the root of the checkpoint: some were changed, lost, added or moved")
    for other in seen:
        _compare_seen(other, checkpoint, frontier.size, manifest, report)


def _verify_borders(
    manifest: Manifest, report: Report, count: int, inside: int, first_time: str, last_time: str
) -> None:
    """One leaf before the range unless it begins with the first of all, one behind it unless it ends with the last of all,
    which the checkpoint says to be the last of its time."""
    before = int(count > 0 and first_time < manifest.since)
    behind = int(count > 0 and last_time >= manifest.until)
    if not before and manifest.first_position > 0:
        report.add(LEAVES, f"do not show that nothing before {manifest.since} belongs to the range")
    at_end = manifest.first_position + count == manifest.tree_size
    if not behind and not at_end:
        report.add(LEAVES, f"do not show that nothing else before {manifest.until} belongs to the range")
    if not behind and at_end and report.checkpoint is not None and report.checkpoint.time < manifest.until:
        report.add(CHECKPOINT, f"is of {report.checkpoint.time}, when the range was not over ({manifest.until})")
    if inside + before + behind != count:
        report.add(LEAVES, "has leaves outside of the range, beside the one before it and the one behind it")


def _compare_root(size: int, root: bytes, wanted: dict[int, list[Checkpoint]], report: Report) -> None:
    for other in wanted.get(size, ()):
        if other.root != root:
            report.add(LEAVES, f"do not amount to the root that the checkpoint of {other.time} has for {size} leaves")


def _compare_seen(other: Checkpoint, checkpoint: Checkpoint, end: int, manifest: Manifest, report: Report) -> None:
    if other.origin != checkpoint.origin:
        report.add("seen checkpoint", f"is of another log, '{other.origin[:80]}'")
    elif other.size > checkpoint.size:
        report.add(
            CHECKPOINT,
            f"has {checkpoint.size} leaves, but {other.size} were seen at {other.time}: the export was cut, or is older",
        )
    elif other.time > checkpoint.time and other.size < checkpoint.size:
        report.add("seen checkpoint", f"of {other.time} has fewer leaves than the older one of the export: two logs")
    elif other.size == checkpoint.size:
        if other.root != checkpoint.root:
            report.add("seen checkpoint", f"of {other.size} leaves has another root than that of the export: two logs")
    elif not manifest.first_position <= other.size <= end:
        report.add(
            "seen checkpoint",
            f"of {other.size} leaves lies outside of the leaves {manifest.first_position} to {end} of the export, which "
            "cannot prove it; take an export whose range holds its time",
        )


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LEAF_BYTES_MAX):
            yield line


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise AuditError(f"has more than {most} bytes")
    return raw


def _text(path: Path) -> str:
    try:
        return _read(path, NOTE_BYTES_MAX).decode()
    except UnicodeDecodeError:
        raise AuditError("is no UTF-8") from None


def read_checkpoint(path: Path, keys: Sequence[VerifierKey]) -> Checkpoint:
    """A checkpoint in a file of its own. Raises AuditError, OSError."""
    try:
        return Checkpoint.open(_text(path), keys)
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None
