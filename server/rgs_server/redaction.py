"""What never reaches a log: secrets, signatures, tokens, seeds, passwords in URLs, and ids of players.

Nothing of that is written on purpose. This is the second line: it finds such texts by their form wherever they come from, an
exception of a library or the detail of a database error, and takes out more rather than less.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

REDACTED = "[redacted]"
FORBIDDEN_NAMES = re.compile(
    r"secret|signature|token|jwt|password|passwd|authorization|cookie|seed|player_id|private|master_key", re.IGNORECASE
)
"""Fields of these names are left out, whatever is in them."""

PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Rows in details of PostgreSQL: values of any column may stand there, players among them.
    (re.compile(r"(Key \([^\n]*?\)=)\([^\n]*"), rf"\1({REDACTED})"),
    (re.compile(r"(Failing row contains )\([^\n]*"), rf"\1({REDACTED})"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/@]+@"), rf"\1:{REDACTED}@"),
    (re.compile(r"(/players/)[^\s/?'\"]+"), rf"\1{REDACTED}"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?"), REDACTED),  # JSON Web Tokens
    (re.compile(r"\bwhsec_[\w+/=-]+"), REDACTED),
    (
        re.compile(
            r"(['\"]?(?:player_id|client_secret|secret|signature|password|jwt|client_assertion)['\"]?\s*[=:]\s*)"
            r"(b?'[^']*'|b?\"[^\"]*\"|[^\s,&;}\])]+)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # 256 bits in hex, but for hashes of builds, which say so; in base64 of either alphabet.
    (re.compile(r"(?<!sha256:)(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])"), REDACTED),
    (re.compile(r"(?<![\w+/=-])(?:[\w-]{43}|[\w+/]{43}=)(?![\w+/=-])"), REDACTED),
)


def redacted(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Takes secrets out of a line; a processor of structlog."""
    for name, value in line.items():
        if FORBIDDEN_NAMES.search(name):
            line[name] = REDACTED
        elif isinstance(value, str):
            line[name] = redacted(value)
        elif not isinstance(value, (int, float, bool, type(None))):
            line[name] = redacted(str(value))
    return line
