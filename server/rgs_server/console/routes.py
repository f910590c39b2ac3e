"""Paths under /console: the page, its login, and what it reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, Struct

from rgs_server.audit.proofs import spin_proof
from rgs_server.console.people import LIFETIME_S, People
from rgs_server.console.reading import Search, find_rounds, read_open, read_round, read_rtp, read_verdicts
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import Decoder
from rgs_server.page_routes import add_page, answer, changing
from rgs_server.service import Service
from rgs_server.signed_pages import SignedPage
from rgs_server.telemetry.minutes import read_traffic

COOKIE = "rgs-console"
TEXT_MAX = 255


class Login(Struct, frozen=True):
    """Who it is."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Annotated[str, Meta(min_length=1, max_length=128)]


_LOGIN = Decoder(Login)

Reader = Callable[[web.Request], Awaitable[dict[str, Any]]]


def add_console(app: web.Application, service: Service) -> None:
    """Adds the routes."""
    people = People(service.store, service.sealer, service.clock)

    async def login(request: web.Request) -> web.Response:
        wanted = _LOGIN.decode(await changing(request))
        cookie = await people.login(wanted.name, wanted.password, service.gate.address_of(request))
        response = answer({"name": wanted.name})
        response.set_cookie(
            COOKIE, cookie, max_age=LIFETIME_S, path="/console", httponly=True, samesite="Strict", secure=request.secure
        )
        return response

    async def logout(request: web.Request) -> web.Response:
        await changing(request)
        response = answer({})
        response.del_cookie(COOKIE, path="/console")
        return response

    def reading(reader: Reader) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.Response:
            name = await people.known(request.cookies.get(COOKIE, ""))
            return answer({"person": name, **await reader(request)})

        return handler

    async def me(_: web.Request) -> dict[str, Any]:
        return {}

    async def rounds(request: web.Request) -> dict[str, Any]:
        search = Search(*(text(request, name) for name in ("id", "session", "player", "since", "until")))
        async with service.reports.store() as store:
            return {"rounds": await find_rounds(store, search, service.clock())}

    async def one_round(request: web.Request) -> dict[str, Any]:
        async with service.reports.store() as store:
            return {"round": await read_round(store, service.builds, text(request, "operator"), text(request, "spin"))}

    async def proof(request: web.Request) -> web.Response:
        await people.known(request.cookies.get(COOKIE, ""))
        async with service.reports.store() as store:
            body = await spin_proof(store, text(request, "operator"), text(request, "spin"))
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def under_way(_: web.Request) -> dict[str, Any]:
        async with service.reports.store() as store:
            return await read_open(store)

    async def traffic(_: web.Request) -> dict[str, Any]:
        async with service.reports.store() as store:
            return await read_traffic(store, service.clock())

    async def rtp(_: web.Request) -> dict[str, Any]:
        async with service.reports.store() as store:
            return {
                "verdicts": await read_verdicts(store, service.rules),
                "builds": await read_rtp(store, service.rules, service.clock().date()),
                "unjudged": [dict(row) for row in await store.unjudged_builds()],
            }

    add_page(app, SignedPage(service.sealer, "console"))
    app.router.add_get("/console/api/proof", proof)
    app.router.add_post("/console/api/login", login)
    app.router.add_post("/console/api/logout", logout)
    for path, reader in (
        ("me", me),
        ("rounds", rounds),
        ("round", one_round),
        ("open", under_way),
        ("rtp", rtp),
        ("traffic", traffic),
    ):
        app.router.add_get(f"/console/api/{path}", reading(reader))


def text(request: web.Request, name: str) -> str:
    """A text of the query. Raises Problem."""
    value = request.query.get(name, "").strip()
    if len(value) > TEXT_MAX or "\x00" in value:
        raise Problem("VALIDATION_FAILED", f"{name}: at most {TEXT_MAX} characters")
    return value
