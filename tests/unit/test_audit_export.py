"""Exports of the audit log: whole ones pass, and every change, loss, insertion, reordering and cut is found.

Two opponents. One has no key: whatever he does to the bytes of an export is found. The other one has the key of the log
and writes a whole new export; him, a checkpoint that somebody has kept gives away.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rgs_core.__main__ import main
from rgs_core.audit import ed25519, notes
from rgs_core.audit.export import (
    CHECKPOINT,
    FILES,
    LEAVES,
    MANIFEST,
    SIGNATURE,
    Manifest,
    signature_text,
    verify_export,
)
from rgs_core.audit.merkle import Frontier, Node, Span, full_nodes, hashes_of, inclusion_spans, later_spans, leaf_hash
from rgs_core.audit.notes import Checkpoint, VerifierKey, sign_note
from rgs_core.audit.proofs import read_proof
from rgs_core.audit.writing import write_export
from rgs_core.errors import AuditError

SIGNER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY = VerifierKey("rgs-audit-test", SIGNER.public_key().public_bytes_raw())
SIZE = 13
SINCE, UNTIL = 3, 9
"""Leaf n is of second n; the range holds leaves 3 to 8, so the export those of 2 to 9."""


@pytest.fixture(autouse=True)
def _each_signature_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is a pure function of what is signed: thousands of damaged exports share theirs."""
    monkeypatch.setattr(notes, "signed_by", functools.cache(ed25519.signed_by))


def at(second: int) -> str:
    return f"2026-01-31T12:00:{second:02d}.000Z"


def leaves(size: int = SIZE, word: str = "fact") -> list[bytes]:
    return [
        json.dumps({"position": n, "sequenced_at": at(n), "fact": f"{word} {n}"}, separators=(",", ":")).encode()
        for n in range(size)
    ]


def tree(log: Sequence[bytes]) -> tuple[Frontier, dict[Node, bytes]]:
    frontier, nodes = Frontier(), {}
    for leaf in log:
        nodes.update(frontier.extend([leaf_hash(leaf)]))
    return frontier, nodes


def checkpoint_of(log: Sequence[bytes], second: int | None = None) -> Checkpoint:
    return Checkpoint(KEY.name, len(log), tree(log)[0].root, at(len(log) if second is None else second))


def export(
    folder: Path,
    log: Sequence[bytes],
    since: int = SINCE,
    until: int = UNTIL,
    *,
    span: Span | None = None,
    second: int | None = None,
) -> Path:
    """Writes the export of a log as the service does."""
    _, nodes = tree(log)
    checkpoint = checkpoint_of(log, second)
    span = span or Span(max(since - 1, 0), min(until + 1, len(log)))

    async def parts() -> AsyncIterator[Sequence[bytes]]:
        for place in range(span.first, span.end, 3):
            yield log[place : min(place + 3, span.end)]

    asyncio.run(
        write_export(
            folder,
            parts(),
            span=span,
            since=at(since),
            until=at(until),
            checkpoint=checkpoint,
            note=sign_note(checkpoint.text(), KEY, SIGNER.sign),
            earlier=[nodes[node] for node in full_nodes(Span(0, span.first))],
            later=hashes_of(later_spans(span.end, len(log)), nodes.__getitem__),
            key=KEY,
            sign=SIGNER.sign,
        )
    )
    return folder


def sign_again(folder: Path, **changes: object) -> None:
    """What somebody with the key does after he has changed files: a manifest that fits them."""
    manifest = Manifest.decode((folder / MANIFEST).read_bytes())
    raw = {name: (folder / name).read_bytes() for name in (LEAVES, CHECKPOINT)}
    files = {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in raw.items()}
    written = replace(manifest, files=files, **changes).encode()  # type: ignore[arg-type]
    (folder / MANIFEST).write_bytes(written)
    (folder / SIGNATURE).write_text(sign_note(signature_text(written), KEY, SIGNER.sign))


def faults(folder: Path, *seen: Checkpoint) -> list[str]:
    return verify_export(folder, [KEY], seen).faults


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return export(tmp_path / "whole", leaves())


def test_whole_exports_pass(tmp_path: Path) -> None:
    """Every range of logs of every size, also of the empty log and ranges without leaves."""
    number = 0
    for size in (0, 1, 2, 7, 8, 13):
        for since in range(size + 1):
            for until in range(since + 1, size + 2):
                number += 1
                folder = export(tmp_path / str(number), leaves(size), since, until, second=max(size, until))
                assert faults(folder) == []
                seen = [checkpoint_of(leaves(n)) for n in range(max(since - 1, 0), min(until + 1, size) + 1)]
                assert faults(folder, *seen) == []


def damaged(raw: bytes) -> Iterator[bytes]:
    """Each byte changed in one bit, changed in another, lost, doubled; a byte inserted at each place; every cut."""
    for place in range(len(raw)):
        head, byte, tail = raw[:place], raw[place], raw[place + 1 :]
        yield head + bytes([byte ^ 1]) + tail
        yield head + bytes([byte ^ 0x80]) + tail
        yield head + tail
        yield head + bytes([byte, byte]) + tail
        yield head + b" " + raw[place:]
        yield head
    yield raw + b"\n"
    yield raw + b"{}"


@pytest.mark.parametrize("name", FILES)
def test_every_damage_to_every_byte_is_found(whole: Path, name: str) -> None:
    raw = (whole / name).read_bytes()
    tried = 0
    for changed in damaged(raw):
        if changed != raw:
            (whole / name).write_bytes(changed)
            assert faults(whole), f"{name}: not found, {changed!r}"
            tried += 1
    assert tried > 5 * len(raw)
    (whole / name).write_bytes(raw)
    assert faults(whole) == []


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_missing_or_too_many(whole: Path, tmp_path: Path, name: str) -> None:
    raw = (whole / name).read_bytes()
    (whole / f"{name}.old").write_bytes(raw)
    assert faults(whole) == [f"{name}.old: does not belong to an export"]
    (whole / f"{name}.old").unlink()
    (whole / name).unlink()
    assert faults(whole) == [f"{name}: is missing"]
    other = export(tmp_path / "other", leaves(word="lie"))
    shutil.copy(other / name, whole / name)
    assert faults(whole), "the file of another export of the same key"


def rearranged(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Every loss, insertion and reordering of lines, and cuts at both ends."""
    count = len(lines)
    for n in range(count):
        yield "lost", lines[:n] + lines[n + 1 :]
        yield "doubled", lines[: n + 1] + lines[n:]
        yield (
            "inserted",
            [*lines[:n], b'{"position":%d,"sequenced_at":"%s"}\n' % (n + 2, at(n + 2).encode()), *lines[n:]],
        )
        yield "changed", [*lines[:n], lines[n].replace(b"fact", b"Fact"), *lines[n + 1 :]]
        yield "cut at the end", lines[:n]
        for other in range(n + 1, count):
            swapped = list(lines)
            swapped[n], swapped[other] = swapped[other], swapped[n]
            yield "swapped", swapped
            yield "moved", [*lines[:n], *lines[n + 1 : other + 1], lines[n], *lines[other + 1 :]]
            yield "run lost", lines[:n] + lines[other:]
    for n in range(1, count):
        yield "cut at the beginning", lines[n:]
    yield "backwards", lines[::-1]


def test_leaves_do_not_fit_the_root_even_with_a_new_manifest(whole: Path) -> None:
    """The key's owner may sign any manifest; the checkpoint stays as it was published."""
    lines = (whole / LEAVES).read_bytes().splitlines(keepends=True)
    for what, changed in rearranged(lines):
        if changed == lines:
            continue
        (whole / LEAVES).write_bytes(b"".join(changed))
        for count in {len(lines), len(changed)}:
            try:
                sign_again(whole, leaves=count)
            except AuditError:  # pragma: no cover - such a manifest cannot be written
                continue
            assert faults(whole), what


Forgery = Callable[[list[bytes]], list[bytes]]


def renumbered(log: list[bytes]) -> list[bytes]:
    """With positions and times that look right."""
    return [
        json.dumps({**json.loads(leaf), "position": n, "sequenced_at": at(n)}, separators=(",", ":")).encode()
        for n, leaf in enumerate(log)
    ]


FORGERIES: dict[str, Forgery] = {
    "changed": lambda log: [*log[:5], log[5].replace(b"fact 5", b"fact 6"), *log[6:]],
    "lost": lambda log: renumbered(log[:5] + log[6:]),
    "inserted": lambda log: renumbered([*log[:5], b'{"fact":"never was"}', *log[5:]]),
    "reordered": lambda log: renumbered([*log[:5], log[6], log[5], *log[7:]]),
    "first changed": lambda log: [log[0].replace(b"fact", b"Fact"), *log[1:]],
    "cut": lambda log: log[:7],
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_log_written_anew_with_the_key_is_given_away_by_a_checkpoint(tmp_path: Path, name: str) -> None:
    log = leaves()
    forged = export(tmp_path / "forged", FORGERIES[name](list(log)), second=30)
    assert faults(forged) == [], "by itself it is a whole export: somebody with the key made it"
    kept = checkpoint_of(log[:8])
    assert faults(forged, kept), name
    assert faults(export(tmp_path / "true", log), kept) == []


def test_a_cut_export_shows_without_any_checkpoint_kept(tmp_path: Path) -> None:
    """The last leaves left away, with an authentic older checkpoint: it is of a time when the range was not over."""
    folder = export(tmp_path / "cut", leaves(7))
    assert faults(folder) == [f"{CHECKPOINT}: is of {at(7)}, when the range was not over ({at(UNTIL)})"]
    newest = checkpoint_of(leaves())
    assert any("13 were seen" in fault for fault in faults(folder, newest))


@pytest.mark.parametrize(
    ("span", "message"),
    [
        (Span(3, 10), "nothing before"),
        (Span(4, 10), "nothing before"),
        (Span(2, 9), "nothing else before"),
        (Span(2, 8), "nothing else before"),
        (Span(1, 10), "outside of the range"),
        (Span(2, 11), "outside of the range"),
        (Span(2, 13), "outside of the range"),
        (Span(5, 5), "nothing before"),
    ],
)
def test_a_range_is_whole_and_no_more(tmp_path: Path, span: Span, message: str) -> None:
    folder = export(tmp_path / "range", leaves(), span=span)
    assert any(message in fault for fault in faults(folder)), faults(folder)


def test_a_log_that_was_cut_and_goes_on(tmp_path: Path) -> None:
    """Older checkpoints with more leaves, and other checkpoints of another root or log."""
    folder = export(tmp_path / "whole", leaves())
    assert any("two logs" in f for f in faults(folder, replace(checkpoint_of(leaves(12)), time=at(20))))
    assert any("two logs" in f for f in faults(folder, checkpoint_of(leaves(word="lie"))))
    assert any("another log" in f for f in faults(folder, replace(checkpoint_of(leaves(8)), origin="x")))
    assert any("cannot prove" in f for f in faults(folder, checkpoint_of(leaves(1))))
    assert any("cannot prove" in f for f in faults(folder, checkpoint_of(leaves(11))))


def test_leaves_out_of_time_are_seen(tmp_path: Path) -> None:
    log = leaves()
    log[6] = log[6].replace(at(6).encode(), at(4).encode())
    assert any("before the leaf above" in fault for fault in faults(export(tmp_path / "late", log)))


def test_leaves_that_say_another_position_are_seen(tmp_path: Path) -> None:
    """Though the tree holds them: the log was written wrongly."""
    log = leaves()
    log[6] = log[6].replace(b":6,", b":7,")
    assert faults(export(tmp_path / "moved", log)) == [f"{LEAVES} line 5: is the leaf of position 7, not of 6"]


@pytest.mark.parametrize("leaf", [b"[]", b"{", b'{"position":5}', b'{"position":true,"sequenced_at":"x"}', b'{"position":5,"sequenced_at":"yesterday"}'])  # fmt: skip
def test_leaves_of_another_form_are_seen(tmp_path: Path, leaf: bytes) -> None:
    log = leaves()
    log[5] = leaf
    assert any(fault.startswith(f"{LEAVES} line 4") for fault in faults(export(tmp_path / "form", log)))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"}, {"more": 1}, {"log": 1}, {"since": "x"}, {"until": at(0)}, {"first_position": -1}, {"leaves": 99},
        {"tree_size": 2**70}, {"tree_size": True}, {"earlier": []}, {"earlier": ["00"]}, {"later": ["x"]}, {"later": 1},
        {"files": []}, {"files": {}}, {"files": {LEAVES: {"sha256": "", "bytes": "1"}}},
    ],
)  # fmt: skip
def test_manifests_of_another_form(whole: Path, change: dict[str, object]) -> None:
    document = json.loads((whole / MANIFEST).read_bytes())
    (whole / MANIFEST).write_text(json.dumps(document | change))
    assert faults(whole)[0].startswith(MANIFEST)


def test_a_proof_of_one_leaf_and_every_damage_to_it() -> None:
    log = leaves()
    _, nodes = tree(log)
    path = [value.hex() for value in hashes_of(inclusion_spans(5, SIZE), nodes.__getitem__)]
    note = sign_note(checkpoint_of(log).text(), KEY, SIGNER.sign)
    proof = {"leaf": log[5].decode(), "position": 5, "tree_size": SIZE, "path": path, "checkpoint": note}
    assert read_proof(json.dumps(proof)).faults([KEY]) == []
    for change in (
        {"leaf": log[6].decode()}, {"position": 4}, {"tree_size": 12}, {"path": path[1:]}, {"path": [*path, path[0]]},
        {"path": path[::-1]}, {"checkpoint": note.replace("13", "12")}, {"checkpoint": ""},
    ):  # fmt: skip
        assert read_proof(json.dumps(proof | change)).faults([KEY]), change
    for change in ({"leaf": 1}, {"path": ["00"]}, {"path": 1}, {"position": "5"}, {"leaf": "\ud800"}):
        with pytest.raises(AuditError):
            read_proof(json.dumps(proof | change))


def test_the_command(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, kept = tmp_path / "log.pub", tmp_path / "kept.txt"
    key.write_text(f"# the log\n{KEY}\n")
    kept.write_text(sign_note(checkpoint_of(leaves(8)).text(), KEY, SIGNER.sign))
    assert main(["audit", "verify", str(whole), "--key", str(key)]) == 0
    assert "Give --checkpoint" in capsys.readouterr().out
    assert main(["audit", "verify", str(whole), "--key", str(KEY), "--checkpoint", str(kept)]) == 0
    assert "agrees with the checkpoints" in capsys.readouterr().out
    (whole / LEAVES).write_bytes((whole / LEAVES).read_bytes().replace(b"fact 5", b"fact 6"))
    assert main(["audit", "verify", str(whole), "--key", str(key)]) == 1
    said = capsys.readouterr().out
    assert "another SHA-256" in said
    assert "do not amount to the root" in said
    assert main(["audit", "verify", str(whole), "--key", str(key), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["faults"]) == 2
    assert main(["audit", "verify", str(tmp_path / "none"), "--key", str(key)]) == 2
    assert main(["audit", "verify", str(whole), "--key", "nobody+00000000+AAAA"]) == 2
