"""Paths under /play: the page, its files, and what it asks for. Only in a sandbox (`RGS_PLAY=on`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, Struct

from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import Decoder
from rgs_server.play.casino import Casino
from rgs_server.play.pages import POLICY, Pages
from rgs_server.service import Service

HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Opening(Struct, frozen=True):
    """A new session."""

    game_id: Annotated[str, Meta(max_length=64)]
    build_hash: Annotated[str, Meta(max_length=80)]
    client_seed: Annotated[str, Meta(max_length=64)] = ""


class Playing(Struct, frozen=True):
    """A round."""

    spin_id: Annotated[str, Meta(min_length=16, max_length=64)]
    stake_minor: Annotated[int, Meta(gt=0, le=10_000_000)]
    mode: Annotated[str, Meta(max_length=32)] = "base"


_OPENING = Decoder(Opening)
_PLAYING = Decoder(Playing)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_play(app: web.Application, service: Service) -> None:
    """Adds the routes."""
    casino = Casino(service)
    # One key for all workers: the page may come from one and its list from another.
    pages = Pages(Ed25519PrivateKey.from_private_bytes(service.sealer.derived("play assets")))

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=pages.index, content_type="text/html", headers=HEADERS)

    async def manifest(_: web.Request) -> web.Response:
        return web.Response(body=pages.manifest, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def asset(request: web.Request) -> web.Response:
        found = pages.asset(request.match_info["name"])
        if found is None:
            raise Problem("NOT_FOUND", f"no file {request.path[:200]}")
        body, media_type = found
        return web.Response(body=body, content_type=media_type, charset="utf-8", headers=HEADERS)

    async def games(_: web.Request) -> web.Response:
        return answer({"games": await casino.games()})

    async def open_session(request: web.Request) -> web.Response:
        wanted = _OPENING.decode(await changing(request))
        return answer(await casino.open(wanted.game_id, wanted.build_hash, wanted.client_seed))

    async def state(request: web.Request) -> web.Response:
        return answer(await casino.state(request.match_info["session_id"]))

    async def spin(request: web.Request) -> web.Response:
        wanted = _PLAYING.decode(await changing(request))
        session_id = request.match_info["session_id"]
        return answer(await casino.spin(session_id, wanted.spin_id, wanted.stake_minor, wanted.mode))

    async def decide(request: web.Request) -> web.Response:
        body = await changing(request)
        return answer(await casino.choose(request.match_info["session_id"], request.match_info["round_id"], body))

    async def history(request: web.Request) -> web.Response:
        return answer({"rounds": await casino.history(request.match_info["session_id"])})

    async def watch(request: web.Request) -> web.Response:
        return answer(await casino.watch(request.match_info["session_id"], request.match_info["spin_id"]))

    async def close(request: web.Request) -> web.Response:
        await changing(request)
        return answer(await casino.close(request.match_info["session_id"]))

    session = "/play/api/sessions/{session_id}"
    routes: list[tuple[str, str, Handler]] = [
        ("GET", "/play", index),
        ("GET", "/play/manifest.json", manifest),
        ("GET", "/play/assets/{name}", asset),
        ("GET", "/play/api/games", games),
        ("POST", "/play/api/sessions", open_session),
        ("GET", session, state),
        ("POST", session + "/spins", spin),
        ("POST", session + "/rounds/{round_id}/choices", decide),
        ("GET", session + "/history", history),
        ("GET", session + "/spins/{spin_id}", watch),
        ("POST", session + "/close", close),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)


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
