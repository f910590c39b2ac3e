"""Which build may be played where: the signed matrix of game, country, RTP profile and build hash.

The registry is a JSON file whose entries are signed with ed25519 (RFC 8032) by whoever certifies; the service only has
the public key. Without a registry every build of the catalogue may be played everywhere, as in a sandbox.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from rgs_server.catalogue import Playable
from rgs_server.markets import Market

ANYWHERE = "*"


class RegistryRefused(Exception):
    """The registry cannot be used; the message says why."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate: one build of one game with one profile, in one country or ("*") in all."""

    game_id: str
    country: str
    rtp_profile: str
    build_hash: str
    certificate_id: str
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None = None


class SignedRegistry(Struct, frozen=True, forbid_unknown_fields=True):
    """The file. `signature`: hex, of the entries as `signed_bytes` writes them."""

    entries: list[Entry]
    signature: str = ""


def signed_bytes(entries: list[Entry]) -> bytes:
    """What is signed: the entries as JSON, in the order of the file, fields in the order of `Entry`."""
    return b"rgs-registry-1\n" + msgspec.json.encode(entries)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a build may not be played somewhere."""

    code: str
    detail: str


class Registry:
    """The entries by build. `file_digest`: SHA-256 of the file in hex; `signed_by`: the raw public key in hex."""

    def __init__(self, entries: list[Entry] | None, file_digest: str = "", signed_by: str = "") -> None:
        self.file_digest, self.signed_by = file_digest, signed_by
        self._open = entries is None
        self._entries: dict[str, list[Entry]] = {}
        for entry in entries or []:
            self._entries.setdefault(entry.build_hash, []).append(entry)

    @property
    def entries(self) -> int:
        return sum(map(len, self._entries.values()))

    def fact(self) -> bytes:
        """What the audit log keeps of it, as JSON: all of the rules."""
        entries = [entry for of_build in self._entries.values() for entry in of_build]
        return msgspec.json.encode({"file_sha256": self.file_digest, "signed_by": self.signed_by, "entries": entries})

    @property
    def builds(self) -> int:
        return len(self._entries)

    def certificate_of(self, build_hash: str, country: str, now: datetime) -> Entry | None:
        """The entry by which a build may be played now; None where there is none."""
        for entry in self._entries.get(build_hash, ()):
            if entry.country in (country, ANYWHERE) and self._why_not(entry, now) is None:
                return entry
        return None

    def allows(self, build_hash: str, country: str, now: datetime) -> bool:
        """Whether a build may be played now."""
        return self._open or self.certificate_of(build_hash, country, now) is not None

    def reasons(self, playable: Playable, country: str, now: datetime) -> list[Reason]:
        """Why a build may not be played in a country; empty: it may."""
        build = playable.build
        if self.allows(build.build_hash, country, now):
            return []
        of_build = self._entries.get(build.build_hash, [])
        here = [entry for entry in of_build if entry.country in (country, ANYWHERE)]
        found = [reason for entry in here if (reason := self._why_not(entry, now)) is not None]
        if found:
            return found
        if of_build:
            countries = ", ".join(sorted({entry.country for entry in of_build}))
            return [Reason("OTHER_COUNTRY", f"the build is certified for {countries}, not for {country}")]
        others = [e for es in self._entries.values() for e in es if e.game_id == build.model.id]
        here = [entry for entry in others if entry.country in (country, ANYWHERE)]
        if here:
            names = ", ".join(sorted({entry.rtp_profile for entry in here}))
            return [Reason("OTHER_BUILD", f"another build of the game is certified for {country} (profiles: {names})")]
        return [Reason("NOT_CERTIFIED", "no certificate names this build")]

    @staticmethod
    def _why_not(entry: Entry, now: datetime) -> Reason | None:
        name = f"certificate {entry.certificate_id}"
        if entry.revoked_at is not None and entry.revoked_at <= now:
            return Reason("REVOKED", f"{name} was revoked on {entry.revoked_at:%Y-%m-%d}")
        if now < entry.valid_from:
            return Reason("NOT_YET_VALID", f"{name} is valid from {entry.valid_from:%Y-%m-%d} on")
        if now >= entry.valid_until:
            return Reason("EXPIRED", f"{name} was valid until {entry.valid_until:%Y-%m-%d}")
        return None


def market_reasons(playable: Playable, market: Market) -> list[Reason]:
    """What of a build a market does not take."""
    rtp = float(playable.certificate.declared["rtp"])
    if rtp < market.rtp_min:
        least = f"{market.rtp_min:.2%}"
        return [Reason("RTP_BELOW_MARKET", f"returns {rtp:.2%}; {market.title} asks for {least} at least")]
    return []


def read_registry(file: str, public_key_file: str) -> Registry:
    """The registry of a file, whose signature is checked; that of a sandbox where no file is named.

    Raises RegistryRefused.
    """
    if not file:
        return Registry(None)
    try:
        written = Path(file).read_bytes()
        signed = msgspec.json.decode(written, type=SignedRegistry)
        key = serialization.load_pem_public_key(Path(public_key_file).read_bytes())
    except OSError as error:
        raise RegistryRefused(f"{error.filename}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise RegistryRefused(f"{file} with key {public_key_file}: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise RegistryRefused(f"{public_key_file} is no ed25519 public key")
    try:
        key.verify(bytes.fromhex(signed.signature), signed_bytes(signed.entries))
    except (InvalidSignature, ValueError):
        raise RegistryRefused(f"{file}: the signature does not fit the entries and {public_key_file}") from None
    return Registry(signed.entries, hashlib.sha256(written).hexdigest(), key.public_bytes_raw().hex())


def sign_registry(file: Path, private_key_file: Path) -> None:
    """Signs the entries of a file in place. Raises RegistryRefused."""
    try:
        unsigned = msgspec.json.decode(file.read_bytes(), type=SignedRegistry)
        key = serialization.load_pem_private_key(private_key_file.read_bytes(), password=None)
    except OSError as error:
        raise RegistryRefused(f"{error.filename}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise RegistryRefused(f"{file} with key {private_key_file}: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryRefused(f"{private_key_file} is no ed25519 private key")
    signature = key.sign(signed_bytes(unsigned.entries)).hex()
    signed = msgspec.json.format(msgspec.json.encode(SignedRegistry(unsigned.entries, signature)), indent=1)
    written = file.with_suffix(file.suffix + ".new")
    written.write_bytes(signed + b"\n")
    written.replace(file)
