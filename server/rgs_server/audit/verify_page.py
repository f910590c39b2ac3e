"""The page that verifies a finished session: one file, which may be saved and used offline."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from aiohttp import web

PATH = "/verify"


def verify_page() -> tuple[str, dict[str, str]]:
    """The page and its headers: its own script and style may run, and nothing may be loaded or sent."""
    text = resources.files("rgs_server.audit").joinpath("assets/verify_session.html").read_text("utf-8")
    script, style = (allowed(text, name) for name in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return text, {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def allowed(text: str, element: str) -> str:
    """The source expressions of the inline elements of a name (Content Security Policy 3, section 2.3.1)."""
    found = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode() for inner in found)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def add_verify_page(app: web.Application) -> None:
    """Adds the route. Anybody may read the page: it knows nothing of the service."""
    text, headers = verify_page()

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html", headers=headers)

    app.router.add_get(PATH, index)
