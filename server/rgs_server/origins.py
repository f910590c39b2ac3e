"""Pages that call: origins that operators have registered, for browsers (the Fetch standard's CORS protocol).

No origin but a registered one is ever named in an answer, and never `*`: what a page of somebody else sends is refused
before anything is done, not only hidden from it. Cookies are not used, so no answer allows credentials.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from rgs_server import signing
from rgs_server.addresses import plain
from rgs_server.config import Config
from rgs_server.contract.operations import ROOT
from rgs_server.contract.problems import Problem
from rgs_server.kept import Kept
from rgs_server.store import Stores

REQUEST_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "traceparent", *signing.HEADERS)
ANSWER_HEADERS = ("Idempotent-Replayed", "Retry-After", "Deprecation", "Sunset")
PREFLIGHT_S = 600
"""How long a browser may keep what it was told."""


def well_formed(origin: str) -> bool:
    """Whether a text is an origin as browsers send it: https://host, or http on this machine, with no more than a port."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    named = f"[{host}]" if ":" in host else host
    if not host.isascii() or origin != f"{parts.scheme}://{named}{'' if port is None else f':{port}'}" or "*" in host:
        return False
    address = plain(host)
    local = host == "localhost" or (address is not None and address.is_loopback)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return bool(host) and port != default and (parts.scheme == "https" or (parts.scheme == "http" and local))


class Origins:
    """Answers preflights: whether a page may ask at all. Whose page it is, the request itself tells."""

    def __init__(self, config: Config, stores: Stores) -> None:
        self._stores = stores
        self._known = Kept(self._read, config.key_cache_s)

    async def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a preflight; None where the request is none. Raises Problem ORIGIN_FORBIDDEN."""
        origin = request.headers.get("Origin")
        if request.method != "OPTIONS" or origin is None or "Access-Control-Request-Method" not in request.headers:
            return None
        refused = request.match_info.http_exception
        if not isinstance(refused, web.HTTPMethodNotAllowed) or not request.path.startswith(f"{ROOT}/"):
            return None
        if request.path.endswith("/oauth/token") or not await self._known.get(origin):
            raise Problem("ORIGIN_FORBIDDEN", f"'{origin[:200]}' is no origin of an operator")
        allowed = {
            "Access-Control-Allow-Methods": ", ".join(sorted(refused.allowed_methods)),
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(PREFLIGHT_S),
        }
        return web.Response(status=204, headers={**answer_headers(origin), **allowed})

    async def _read(self, origin: str) -> bool | None:
        async with self._stores() as store:
            return await store.knows_origin(origin) or None


def answer_headers(origin: str) -> dict[str, str]:
    """What lets a page of a registered origin read an answer."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(ANSWER_HEADERS),
        "Vary": "Origin",
    }
