"""Pages about the API that need nothing from elsewhere: the rendered OpenAPI document, and one for each problem.

Swagger UI comes from the wheel of aiohttp-swagger3; nothing of it but these files is used.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib import resources

from rgs_server.contract.answers import StatusAnswer
from rgs_server.contract.problems import KINDS, PAGES

SWAGGER_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: whatever is missing is missing, not fetched."""

STYLE = """\
body { margin: 0 auto; max-width: 44rem; padding: 2rem 1rem; font: 16px/1.6 system-ui, sans-serif; color: #1d2433; background: #fff }
h1 { font-size: 1.5rem; margin: .2em 0 } code { font: .92em ui-monospace, monospace; background: #f1f4f9; padding: .1em .35em; border-radius: 4px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.2rem } dt { color: #5a6478 } dd { margin: 0 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e3e8f0; vertical-align: top }
a { color: #1750c4 } @media (prefers-color-scheme: dark) { body { color: #e6eaf2; background: #14181f } code { background: #232a36 }
a { color: #8db4ff } dt { color: #9aa6bb } td, th { border-color: #2c3442 } }
"""
REFERENCE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>rgs-core API</title><link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="reference"></div>
<noscript>The same as data: <a href="/openapi.json">openapi.json</a>.</noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/reference.js"></script></body>
</html>
"""
SCRIPT = """\
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null,
  supportedSubmitMethods: [], defaultModelsExpandDepth: 0, docExpansion: "list" });
"""


@cache
def asset(name: str) -> tuple[bytes, str] | None:
    """A file of the page and its media type; None when there is no such file."""
    if name == "reference.js":
        return SCRIPT.encode(), "text/javascript"
    if name not in SWAGGER_FILES:
        return None
    file = resources.files("aiohttp_swagger3").joinpath("swagger_ui", name)
    return file.read_bytes(), SWAGGER_FILES[name]


def problem_page(code: str) -> str | None:
    """The page of a code; None when there is none."""
    kind = KINDS.get(code)
    if kind is None:
        return None
    retry = "yes, the same request with the same key" if kind.retryable else "no"
    rows = {
        "Status": str(kind.status),
        "Money": {"none": "nothing moved", "moved": "moved", "unknown": "unknown until you repeat"}[kind.money_state],
        "Repeat": retry,
        "What to do": marked(kind.remedy),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows.items())
    return _page(code, f"<p>{escape(kind.title)}.</p><dl>{listed}</dl>")


def problems_page() -> str:
    """All codes."""
    rows = "".join(
        f"<tr><td>{kind.status}</td><td><a href='{PAGES}{code}'><code>{code}</code></a></td><td>{escape(kind.title)}</td></tr>"
        for code, kind in KINDS.items()
    )
    return _page("Problems", f"<table><tr><th>Status</th><th>Code</th><th>Meaning</th></tr>{rows}</table>")


def status_page(state: StatusAnswer) -> str:
    """The state of the service for people."""
    rows = "".join(f"<dt>{escape(part.name)}</dt><dd>{escape(part.status)}</dd>" for part in state.components)
    incident = "".join(f"<p>{escape(line)}</p>" for line in (state.incident or "").splitlines() if line.strip())
    contact = (
        f"<dt>contact</dt><dd><a href='{escape(state.contact)}'>{escape(state.contact)}</a></dd>"
        if state.contact
        else ""
    )
    rest = f"<dt>version</dt><dd>{escape(state.version)}</dd><dt>seen</dt><dd>{escape(state.time)}</dd>{contact}"
    return _page(f"Service: {state.status}", f"{incident}<dl>{rows}{rest}</dl>")


def marked(text: str) -> str:
    """Text with `code` in it, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _page(title: str, body: str) -> str:
    links = f"<p><a href='/docs'>API</a> · <a href='{PAGES}'>all problems</a></p>"
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{title} · rgs-core</title><style>{STYLE}</style></head><body><h1>{title}</h1>{body}{links}</body></html>"
    )
