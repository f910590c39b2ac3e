"""Routes of pages: the page, its signed list and files; what requests of pages have in common."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from rgs_server.contract.problems import Problem
from rgs_server.signed_pages import HEADERS, SignedPage


def add_page(app: web.Application, page: SignedPage) -> None:
    """Adds the routes of a page under its root."""
    root = page.root

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=page.index, content_type="text/html", headers=HEADERS)

    async def manifest(_: web.Request) -> web.Response:
        return web.Response(body=page.manifest, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def asset(request: web.Request) -> web.Response:
        found = page.asset(request.match_info["name"])
        if found is None:
            raise Problem("NOT_FOUND", f"no file {request.path[:200]}")
        body, media_type = found
        return web.Response(body=body, content_type=media_type, charset="utf-8", headers=HEADERS)

    app.router.add_get(root, index)
    app.router.add_get(f"{root}/manifest.json", manifest)
    app.router.add_get(f"{root}/assets/{{name}}", asset)


async def changing(request: web.Request) -> bytes:
    """The body of a request that changes something: it comes from our own page. Raises Problem."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise Problem("ORIGIN_FORBIDDEN", "only the page of this service plays here")
    if request.content_type != "application/json":
        raise Problem("VALIDATION_FAILED", "send application/json")
    return await request.read()


def answer(body: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json", headers={"Cache-Control": "no-store"})
