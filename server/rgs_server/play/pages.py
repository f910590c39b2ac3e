"""The page of the games and its files: each with its hash (SRI), all of them in a signed list.

The list is signed with ed25519; the public half of the key stands in the page itself. The loader checks the signature and gives every hash to the browser, which refuses a file that was changed on its way.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cached_property
from importlib import resources

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
LOADED = ("play.css", "play.js", "symbols.js")
"""What the loader loads, in this order."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing comes from elsewhere."""


def integrity(body: bytes) -> str:
    """Subresource Integrity (W3C): the hash as an attribute has it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()


class Pages:
    """The files, read once."""

    def __init__(self, signing_key: Ed25519PrivateKey) -> None:
        self._key = signing_key
        folder = resources.files("rgs_server.play").joinpath("assets")
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name[-3:] != ".py"}

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """A file and its media type; None when there is none."""
        body = self._files.get(name)
        return None if body is None or name == "index.html" else (body, TYPES[name[name.rindex(".") :]])

    @cached_property
    def index(self) -> str:
        """The page, with the hash of the loader and the public key."""
        public = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        text = self._files["index.html"].decode()
        text = text.replace("{{loader}}", integrity(self._files["loader.js"]))
        return text.replace("{{key}}", base64.b64encode(public).decode())

    @cached_property
    def manifest(self) -> bytes:
        """The signed list: `files` in the order of loading, `signature` of their canonical JSON."""
        files = [{"name": name, "integrity": integrity(self._files[name])} for name in LOADED]
        signature = self._key.sign(json.dumps(files, separators=(",", ":")).encode())
        return json.dumps({"files": files, "signature": base64.b64encode(signature).decode()}).encode()
