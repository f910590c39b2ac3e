"""Signed notes, verifier keys and checkpoints: published vectors, and what is refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rgs_core.audit.ed25519 import ORDER, signed_by
from rgs_core.audit.notes import Checkpoint, VerifierKey, open_note, read_keys, sign_note
from rgs_core.errors import AuditError

# RFC 8032, section 7.1: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
# The example of golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
SIGNER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY = VerifierKey("rgs-audit-test", SIGNER.public_key().public_bytes_raw())
CHECKPOINT = Checkpoint(KEY.name, 7, b"r" * 32, "2026-01-31T12:00:00.000Z")


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_signatures_of_the_rfc(public: str, message: str, signature: str) -> None:
    key, text, signed = map(bytes.fromhex, (public, message, signature))
    assert signed_by(key, text, signed)
    assert not signed_by(key, text + b"x", signed)
    higher = (int.from_bytes(signed[32:], "little") + ORDER).to_bytes(32, "little")
    assert not signed_by(key, text, signed[:32] + higher), "a signature has one form only"


def test_every_changed_bit_of_a_signature_is_seen() -> None:
    signature = SIGNER.sign(b"message")
    assert signed_by(KEY.public, b"message", signature)
    for bit in range(0, 512, 7):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert not signed_by(KEY.public, b"message", bytes(changed))
    assert not signed_by(KEY.public, b"message", signature[:-1])
    assert not signed_by((2**255 - 18).to_bytes(32, "little"), b"message", signature), "not the only form of its point"


def test_the_example_of_signed_notes() -> None:
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert open_note(GO_NOTE, [key]) == GO_NOTE.split("\n\n")[0] + "\n"
    with pytest.raises(AuditError, match="does not fit"):
        open_note(GO_NOTE.replace("answer", "Answer"), [key])


def test_a_checkpoint_comes_back() -> None:
    note = sign_note(CHECKPOINT.text(), KEY, SIGNER.sign)
    assert Checkpoint.open(note, [VerifierKey.parse(str(KEY))]) == CHECKPOINT
    with pytest.raises(AuditError, match="not signed by PeterNeumann"):
        Checkpoint.open(note, [VerifierKey.parse(GO_KEY)])
    others = note + "— somebody AAAAAAAA\n"
    assert Checkpoint.open(others, [KEY]) == CHECKPOINT, "further signatures are passed over"


def test_a_checkpoint_is_of_the_log_that_signs_it() -> None:
    note = sign_note(CHECKPOINT.text().replace("rgs-audit-test", "another"), KEY, SIGNER.sign)
    with pytest.raises(AuditError, match="log 'another'"):
        Checkpoint.open(note, [KEY])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n7\n", "\n07\n", "size"),
        ("\n7\n", f"\n{10**19}\n", "size"),
        ("\n7\n", "\n-7\n", "size"),
        ("time ", "Time ", "line like"),
        (".000Z", "Z", "line like"),
        ("cnJy", "cnJ", "root"),
        ("\ntime 2026-01-31T12:00:00.000Z", "", "lines of"),
    ],
)
def test_what_is_no_checkpoint(old: str, new: str, message: str) -> None:
    text = CHECKPOINT.text().replace(old, new, 1)
    assert text != CHECKPOINT.text()
    with pytest.raises(AuditError, match=message):
        Checkpoint.open(sign_note(text, KEY, SIGNER.sign), [KEY])


@pytest.mark.parametrize("note", ["", "text\n", "text\n\n", "text\n\n— x\n", "text\n\n— x AAAA", "text\n\n- x AAAAAAAA\n", "x" * 20000])  # fmt: skip
def test_what_is_no_note(note: str) -> None:
    with pytest.raises(AuditError):
        open_note(note, [KEY])


@pytest.mark.parametrize("text", ["", "# none\n", "name", "a+b", "a b+00000000+AAAA", f"{KEY}x", str(KEY).replace("+", "+0", 1)])  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(AuditError):
        read_keys(text)
