"""The HTTP application of one worker: routes, signatures, errors, life cycle."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext

import asyncpg
import msgspec
from aiohttp import web

from rgs_server import answers, routes
from rgs_server.audit.verify_page import add_verify_page
from rgs_server.console.routes import add_console
from rgs_server.contract import pages
from rgs_server.contract.answers import GameRow, GamesAnswer, Health, JwkSet, Ready, encode
from rgs_server.contract.asyncapi import asyncapi_document
from rgs_server.contract.openapi import with_contact
from rgs_server.contract.operations import OPERATIONS, ROOT, Operation
from rgs_server.contract.problems import PAGES, Problem
from rgs_server.contract.requests import decode_session
from rgs_server.contract.versions import answer_type, ending_headers
from rgs_server.drawing import waits_for_choice
from rgs_server.gate import CALLER, OPERATION, ORIGIN
from rgs_server.origins import answer_headers
from rgs_server.play.routes import add_play
from rgs_server.recall import replay
from rgs_server.service import REPLAYED, SERVICE, Service, json_answer
from rgs_server.sessions import open_session
from rgs_server.spin_calls import count_answer, count_refusal, play, problem_reply
from rgs_server.telemetry.context import CONTEXT, RequestContext
from rgs_server.telemetry.metrics import NO_OPERATION
from rgs_server.tls import STRICT_TRANSPORT

GAMES_MAX = 1000

log = logging.getLogger("rgs.http")

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""Headers of all that has to do with tokens (RFC 6749, section 5.1)."""


def create_app(service: Service) -> web.Application:
    """The application around a service."""
    app = web.Application(
        middlewares=[observing_middleware, problems_middleware], client_max_size=service.config.body_bytes_max
    )
    app[SERVICE] = service
    handlers: dict[str, Handler] = {
        "openSession": open_session_request,
        "playSpin": play_spin,
        "getSpin": get_spin,
        "replaySpin": replay_spin,
        **routes.HANDLERS,
        "listGames": list_games,
        "issueToken": issue_token,
        "getKeys": get_keys,
        "getHealth": get_health,
        "getReady": get_ready,
        "getStatus": get_status,
    }
    for operation in OPERATIONS:
        handler = endpoint(operation, handlers[operation.operation_id])
        for path in [operation.full_path, *([ROOT + operation.path] if operation.versioned else [])]:
            app.router.add_route(operation.method, path, handler)
    app.router.add_get("/openapi.json", get_document)
    app.router.add_get("/asyncapi.json", get_events_document)
    app.router.add_get("/docs", get_reference)
    app.router.add_get("/docs/assets/{name}", get_asset)
    app.router.add_get(PAGES, get_problem)
    app.router.add_get(PAGES + "{code}", get_problem)

    add_verify_page(app)
    add_console(app, service)
    if service.config.play == "on":
        add_play(app, service)

    async def life(_: web.Application) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app.cleanup_ctx.append(life)
    return app


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def observing_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Names a request for what is logged below, and counts it with the time that it took. Those that fail or are slow are
    logged."""
    service = request.app[SERVICE]
    context = RequestContext(request, service.tracing)
    CONTEXT.set(context)  # a connection's next request sets its own
    started = time.perf_counter()
    response = await handler(request)
    seconds = time.perf_counter() - started
    operation = request.get(OPERATION)
    context.end(response.status)
    operation_id = NO_OPERATION if operation is None else operation.operation_id
    count_answer(service, operation_id, request.method, response.status, seconds)
    return response


@web.middleware
async def problems_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every error into a problem document, and asks for new connections while draining."""
    service = request.app[SERVICE]
    try:
        media_type = answer_type(request.path, request.headers.get("Accept", ""))
        response = await service.origins.preflight(request) or await handler(request)
        if response.content_type == "application/json":
            response.content_type = media_type
    except Problem as problem:
        response = problem_answer(request, problem)
    except web.HTTPRequestEntityTooLarge:
        operation = request.get(OPERATION)
        most = max(service.config.body_bytes_max, 0 if operation is None else operation.body_bytes_max)
        response = problem_answer(request, Problem("BODY_TOO_LARGE", f"a body has at most {most} bytes"))
    except web.HTTPNotFound:
        response = problem_answer(request, Problem("NOT_FOUND", f"no resource {request.path[:200]}"))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = problem_answer(request, Problem("METHOD_NOT_ALLOWED", f"use {allowed}"))
        response.headers["Allow"] = allowed
    except (asyncio.CancelledError, web.HTTPException):
        raise
    except Exception:
        log.exception("%s failed", request.method)
        response = problem_answer(request, Problem("INTERNAL", "an unexpected fault; repeat the same request"))
    if service.draining:
        response.force_close()
    if (origin := request.get(ORIGIN)) is not None:
        response.headers.update(answer_headers(origin))
    if request.secure:
        response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT
    return response


def problem_answer(request: web.Request, problem: Problem) -> web.Response:
    context = CONTEXT.get() or RequestContext(request)
    operation = request.get(OPERATION)
    caller = request.get(CALLER)
    count_refusal(request.app[SERVICE].metrics, NO_OPERATION if operation is None else operation.operation_id, problem)
    reply = problem_reply(problem, request.path, context.trace_id, operation, caller)
    answer = web.Response(
        body=reply.body, status=reply.status, content_type=reply.media_type, headers=dict(reply.headers)
    )
    if operation is not None and operation.form:
        answer.headers.update(NOT_STORED)
    return answer


async def body_of(request: web.Request, most_s: float) -> None:
    """Waits for the body, before the request has a place among those that are answered: to send a head costs nothing, and
    whoever sends only heads must not keep others out."""
    if not request.content.is_eof():
        try:
            async with asyncio.timeout(most_s):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(headers={"Connection": "close"}) from None


def endpoint(operation: Operation, handler: Handler) -> Handler:
    """The handler of an operation: within the bounds of the worker, with the headers of an operation that ends."""
    headers = ending_headers(operation)

    async def answer(original: web.Request) -> web.StreamResponse:
        service = original.app[SERVICE]
        original[OPERATION] = operation
        request = original
        if operation.body_bytes_max > service.config.body_bytes_max:
            request = original.clone(client_max_size=operation.body_bytes_max)
        await body_of(request, service.config.body_timeout_ms / 1000)
        # Probes tell whether the worker lives, not whether it has much to do.
        with service.quotas.place(operation) if operation.versioned else nullcontext():
            try:
                response = await handler(request)
            finally:
                service.gate.leave(request)
                original.update(request)  # who called, for what is said of a refusal
        if REPLAYED in response.headers:
            response.set_status(request[CALLER].duplicate_status)
        response.headers.update(headers)
        return response

    return answer


# --- Endpoints: decode, call, encode ---------------------------------------------------------------


async def open_session_request(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = await request.read()
    operator_id = await service.gate.operator(request, body)
    if await service.player_tokens.required(operator_id):
        await service.player_tokens.admit(operator_id, decode_session(body))
    async with service.store() as store:
        answer, replayed = await open_session(store, service.sealer, service.rules, operator_id, body, service.clock())
    return json_answer(answer, replayed)


async def play_spin(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    body = await request.read()
    return json_answer(*await play(service, request, body))


async def stored_spin(request: web.Request) -> asyncpg.Record:
    """The spin in the path, of the operator that signed. Raises Problem."""
    service = request.app[SERVICE]
    operator_id = await service.gate.operator(request, await request.read())
    spin_id = request.match_info["spin_id"]
    record = waiting = None
    if "\x00" not in spin_id:
        async with service.store() as store:
            record = await store.find_spin(operator_id, spin_id)
            waiting = None if record is not None else await store.find_waiting_spin(operator_id, spin_id)
    if waiting is not None:
        raise waits_for_choice(waiting["round_id"])
    if record is None:
        raise Problem("SPIN_UNKNOWN", f"no spin '{spin_id[:255]}'")
    return record


async def get_spin(request: web.Request) -> web.Response:
    return json_answer(encode(answers.spin_record(await stored_spin(request))))


async def replay_spin(request: web.Request) -> web.Response:
    """Recomputes a spin from its seed and nonce and compares it with its record."""
    service = request.app[SERVICE]
    record = await stored_spin(request)
    return json_answer(encode(await replay(service.archive, service.rules.catalogue, service.sealer, record)))


async def list_games(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    operator_id = await service.gate.operator(request, await request.read())
    limit = request.query.get("limit", str(GAMES_MAX))
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= GAMES_MAX:
        raise Problem("VALIDATION_FAILED", f"limit: '{limit[:20]}' is not a whole number from 1 to {GAMES_MAX}")
    async with service.store() as store:
        offered = await store.list_games(operator_id)
    after = request.query.get("cursor", "")
    rows = [
        answers.game(game["game_id"], game["build_ref"], playable)
        for game in offered
        if f"{game['game_id']}/{game['build_ref']}" > after
        and (playable := service.rules.catalogue.get(game["build_hash"])) is not None
    ]
    rows.sort(key=cursor_of)
    part = rows[: int(limit)]
    body = encode(GamesAnswer(part, cursor_of(part[-1]) if len(part) < len(rows) else None))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = {name.strip().removeprefix("W/") for name in request.headers.get("If-None-Match", "").split(",")}
    if tag in known:
        return web.Response(status=304, headers={"ETag": tag})
    answer = json_answer(body)
    answer.headers["ETag"] = tag
    return answer


def cursor_of(row: GameRow) -> str:
    """The place of a row in the catalogue."""
    return f"{row.game_id}/{row.build_ref}"


async def issue_token(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    client_id, scopes = await service.gate.client(request, await request.read())
    answer = json_answer(encode(await service.tokens.issue(client_id, scopes)))
    answer.headers.update(NOT_STORED)
    return answer


async def get_keys(request: web.Request) -> web.Response:
    answer = json_answer(encode(JwkSet([key.jwk for key in await request.app[SERVICE].token_keys.live()])))
    answer.headers["Cache-Control"] = "public, max-age=60"
    return answer


async def get_health(_: web.Request) -> web.Response:
    """The process is alive."""
    return json_answer(encode(Health("ok")))


async def get_ready(request: web.Request) -> web.Response:
    """The worker takes spins: the database answers and it is not being stopped."""
    service = request.app[SERVICE]
    if service.draining:
        raise Problem("MAINTENANCE", "the worker is stopping")
    async with service.store() as store:
        await store.ready()
    return json_answer(encode(Ready("ready", len(service.rules.catalogue))))


async def get_status(request: web.Request) -> web.Response:
    """For people where a browser asks, else for machines."""
    state = await request.app[SERVICE].status_board.read()
    if "text/html" in request.headers.get("Accept", ""):
        answer = page(pages.status_page(state))
    else:
        answer = json_answer(encode(state))
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Accept"
    return answer


# --- Documents and pages: nothing in them is secret, nothing is signed -------------------------------


async def get_document(request: web.Request) -> web.Response:
    document = with_contact(request.app[SERVICE].config.contact)
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")


async def get_events_document(_: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode(asyncapi_document()), content_type="application/json")


def page(text: str) -> web.Response:
    headers = {"Content-Security-Policy": pages.POLICY, "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, content_type="text/html", headers=headers)


async def get_reference(_: web.Request) -> web.Response:
    return page(pages.REFERENCE)


async def get_asset(request: web.Request) -> web.Response:
    found = pages.asset(request.match_info["name"])
    if found is None:
        raise Problem("NOT_FOUND", f"no file {request.path[:200]}")
    body, media_type = found
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, content_type=media_type, charset="utf-8", headers=headers)


async def get_problem(request: web.Request) -> web.Response:
    code = request.match_info.get("code")
    text = pages.problem_page(code) if code else pages.problems_page()
    if text is None:
        raise Problem("NOT_FOUND", f"no problem '{request.match_info['code'][:80]}'; {PAGES} lists them")
    return page(text)
