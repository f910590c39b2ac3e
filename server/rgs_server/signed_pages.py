"""Pages and their files: each with its hash (SRI), all of them in a signed list.

The list is signed with ed25519; the public half of the key stands in the page itself. The loader checks the signature and gives
every hash to the browser, which refuses a file that was changed on its way.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib import resources

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rgs_server.sealing import Sealer

TYPES = {".js": "text/javascript", ".css": "text/css"}
SHARED = "shared_assets"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing comes from elsewhere."""
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def integrity(body: bytes) -> str:
    """Subresource Integrity (W3C): the hash as an attribute has it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()


class SignedPage:
    """The page of a folder of the service, served under `root` (such as /play); `loaded`: what its loader loads, in order.

    All workers have the same key, derived from the master key: the page may come from one and its list from another.
    """

    def __init__(self, sealer: Sealer, folder: str, root: str, loaded: Sequence[str]) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(sealer.derived(f"assets of {root}"))
        self._root = root
        self._loaded = loaded
        package = resources.files("rgs_server")
        places = (package.joinpath(SHARED), package.joinpath(folder, "assets"))
        self._files = {file.name: file.read_bytes() for place in places for file in place.iterdir() if file.is_file()}

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """A file and its media type; None when there is none."""
        body, suffix = self._files.get(name), name[name.rfind(".") :]
        return None if body is None or suffix not in TYPES else (body, TYPES[suffix])

    @cached_property
    def index(self) -> str:
        """The page, with the hash of the loader and the public key."""
        public = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        text = self._files["index.html"].decode()
        given = {
            "root": self._root,
            "loader": integrity(self._files["loader.js"]),
            "key": base64.b64encode(public).decode(),
        }
        for name, value in given.items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    @cached_property
    def manifest(self) -> bytes:
        """The signed list: `files` in the order of loading, `signature` of their JSON without spaces."""
        files = [{"name": name, "integrity": integrity(self._files[name])} for name in self._loaded]
        signature = self._key.sign(json.dumps(files, separators=(",", ":")).encode())
        return json.dumps({"files": files, "signature": base64.b64encode(signature).decode()}).encode()
