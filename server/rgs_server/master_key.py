"""The master keys that seal seeds and secrets: lines of 64 hex digits in a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class MasterKeyError(Exception):
    """The master key file is missing or malformed. Its content is never part of a message."""


def read_master_keys(path: Path) -> tuple[bytes, ...]:
    """The 32-byte keys in a file, one a line: the first one seals, all of them open. Raises MasterKeyError."""
    try:
        keys = tuple(bytes.fromhex(line) for line in path.read_text("ascii").split())
    except FileNotFoundError:
        raise MasterKeyError(f"no master key file {path}; set RGS_MASTER_KEY_FILE") from None
    except (OSError, ValueError):
        raise MasterKeyError(f"{path} does not hold 64 hex digits") from None
    if not keys or any(len(key) != 32 for key in keys):
        raise MasterKeyError(f"{path} does not hold 64 hex digits, or several lines of them")
    return keys


def ensure_master_key(path: Path) -> None:
    """Makes a new key file (mode 0600) when there is none; for the embedded database only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
