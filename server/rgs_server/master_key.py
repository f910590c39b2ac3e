"""The master key that seals seeds and secrets: 64 hex digits in a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class MasterKeyError(Exception):
    """The master key file is missing or malformed. Its content is never part of a message."""


def read_master_key(path: Path) -> bytes:
    """The 32-byte key in a file. Raises MasterKeyError."""
    try:
        text = path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError:
        raise MasterKeyError(f"no master key file {path}; set RGS_MASTER_KEY_FILE") from None
    except (OSError, ValueError):
        raise MasterKeyError(f"{path} does not hold 64 hex digits") from None
    if len(key) != 32:
        raise MasterKeyError(f"{path} does not hold 64 hex digits")
    return key


def ensure_master_key(path: Path) -> None:
    """Makes a new key file (mode 0600) when there is none; for the embedded database only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
