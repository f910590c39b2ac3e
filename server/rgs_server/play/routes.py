"""Paths under /play: the page, its files, and what it asks for. Only in a sandbox (`RGS_PLAY=on`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from rgs_server.contract.requests import Decoder
from rgs_server.page_routes import add_page, answer, changing
from rgs_server.play.casino import Casino
from rgs_server.service import Service
from rgs_server.signed_pages import SignedPage


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
    add_page(app, SignedPage(service.sealer, "play"))

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

    async def session_file(request: web.Request) -> web.Response:
        body = await casino.session_file(request.match_info["session_id"])
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def close(request: web.Request) -> web.Response:
        await changing(request)
        return answer(await casino.close(request.match_info["session_id"]))

    session = "/play/api/sessions/{session_id}"
    routes: list[tuple[str, str, Handler]] = [
        ("GET", "/play/api/games", games),
        ("POST", "/play/api/sessions", open_session),
        ("GET", session, state),
        ("POST", session + "/spins", spin),
        ("POST", session + "/rounds/{round_id}/choices", decide),
        ("GET", session + "/history", history),
        ("GET", session + "/spins/{spin_id}", watch),
        ("POST", session + "/close", close),
        ("GET", session + "/file", session_file),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)
