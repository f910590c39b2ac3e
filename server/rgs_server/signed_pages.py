"""Pages and their files: each with its hash (SRI), all of them in a signed list.

The list is signed with ed25519; the public half of the key stands in the page itself. The loader checks the signature and gives
every hash to the browser, which refuses a file that was changed on its way. The page and its loader are in the list as well, for
those who know the key from elsewhere: `rgs-server pages` prints it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cached_property
from importlib import resources

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rgs_server.sealing import Sealer

LOADED = {
    "console": ("console.css", "symbols.js", "lines.js", "console.js"),
    "play": ("play.css", "symbols.js", "lines.js", "play.js"),
}
"""The pages, with what their loader loads, in order."""
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
    """The page of a folder of the service, served under `root` (such as /play).

    All workers have the same key, derived from the master key: the page may come from one and its list from another.
    """

    def __init__(self, sealer: Sealer, name: str) -> None:
        self.root = f"/{name}"
        self._key = Ed25519PrivateKey.from_private_bytes(sealer.derived(f"assets of {self.root}"))
        self._loaded = LOADED[name]
        package = resources.files("rgs_server")
        places = (package.joinpath(SHARED), package.joinpath(name, "assets"))
        self._files = {file.name: file.read_bytes() for place in places for file in place.iterdir() if file.is_file()}

    def asset(self, name: str) -> tuple[bytes, str] | None:
        """A file and its media type; None when there is none."""
        body, suffix = self._files.get(name), name[name.rfind(".") :]
        return None if body is None or suffix not in TYPES else (body, TYPES[suffix])

    @cached_property
    def key(self) -> str:
        """The public key of the list, in base64."""
        public = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(public).decode()

    @cached_property
    def index(self) -> str:
        """The page, with the hash of the loader and the public key."""
        text = self._files["index.html"].decode()
        given = {
            "root": self.root,
            "loader": integrity(self._files["loader.js"]),
            "key": self.key,
        }
        for name, value in given.items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    @cached_property
    def hashes(self) -> dict[str, list[dict[str, str]]]:
        """`page`: the page and its loader; `files`: what that loads, in this order; each with its name and hash."""
        found = {"page": {"index.html": self.index.encode(), "loader.js": self._files["loader.js"]}}
        found["files"] = {name: self._files[name] for name in self._loaded}
        return {
            part: [{"name": name, "integrity": integrity(body)} for name, body in bodies.items()]
            for part, bodies in found.items()
        }

    @cached_property
    def manifest(self) -> bytes:
        """The signed list: `hashes`, and the `signature` of their JSON without spaces."""
        signature = self._key.sign(json.dumps(self.hashes, separators=(",", ":")).encode())
        return json.dumps({**self.hashes, "signature": base64.b64encode(signature).decode()}).encode()
