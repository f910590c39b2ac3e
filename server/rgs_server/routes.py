"""Endpoints of rounds, money, players and builds: decode, call, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from aiohttp import web

from rgs_server import balances, players, settlement
from rgs_server.clock import read_time
from rgs_server.contract.problems import Problem
from rgs_server.gate import PERSON
from rgs_server.resolutions import resolve
from rgs_server.service import SERVICE, json_answer
from rgs_server.sessions import validate
from rgs_server.store import Store

ENDINGS_DAYS = 30

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def caller(request: web.Request) -> tuple[str, bytes]:
    """The operator that signed, and the body. Raises Problem."""
    body = await request.read()
    return await request.app[SERVICE].gate.operator(request, body), body


def path_id(request: web.Request, name: str, code: str) -> str:
    """An id in the path. Raises Problem `code` where nothing can be called like that."""
    value = request.match_info[name]
    if "\x00" in value:
        raise Problem(code, f"no {name} with a zero character")
    return value


def read(use_case: Callable[[Store, str, str], Awaitable[bytes]], name: str, unknown: str) -> Handler:
    """The endpoint of a use case that reads what an id in the path names."""

    async def answer(request: web.Request) -> web.Response:
        operator_id, _ = await caller(request)
        async with request.app[SERVICE].store() as store:
            return json_answer(await use_case(store, operator_id, path_id(request, name, unknown)))

    return answer


Step = Callable[[Store, str, str, bytes, datetime], Awaitable[tuple[bytes, bool]]]


def step(use_case: Step, name: str, unknown: str) -> Handler:
    """The endpoint of a use case that changes what an id in the path names, once."""

    async def answer(request: web.Request) -> web.Response:
        operator_id, body = await caller(request)
        service = request.app[SERVICE]
        value = path_id(request, name, unknown)
        async with service.store() as store:
            return json_answer(*await use_case(store, operator_id, value, body, service.clock()))

    return answer


async def count_endings(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    asked = request.query.get("since")
    since = service.clock() - timedelta(days=ENDINGS_DAYS) if asked is None else read_time(asked)
    if since is None:
        raise Problem("VALIDATION_FAILED", f"since: '{str(asked)[:40]}' is not a time like 2026-01-31T12:00:00.000Z")
    async with service.store() as store:
        return json_answer(await settlement.endings(store, operator_id, since))


async def close_session(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    async with service.store() as store:
        answer = await balances.close_session(store, service.sealer, operator_id, session_id, service.clock())
    return json_answer(*answer)


async def resolve_transaction(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    txn_id = path_id(request, "txn_id", "TRANSACTION_UNKNOWN")
    async with service.store() as store:
        answer = await resolve(store, operator_id, request[PERSON], txn_id, body, service.clock())
    service.cashier.look()  # what is tried once more is due now
    return json_answer(*answer)


async def acknowledge_reminder(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    async with service.store() as store:
        market = service.rules.unknown_market
        return json_answer(await players.acknowledge(store, market, operator_id, session_id, service.clock()))


async def validate_build(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    async with service.store() as store:
        return json_answer(await validate(store, service.rules, operator_id, body, service.clock()))


async def list_unfinished(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        return json_answer(await balances.unfinished(store, operator_id))


HANDLERS: dict[str, Handler] = {
    "getRound": read(settlement.round_state, "round_id", "ROUND_UNKNOWN"),
    "settleRound": step(settlement.settle, "round_id", "ROUND_UNKNOWN"),
    "voidRound": step(settlement.void, "round_id", "ROUND_UNKNOWN"),
    "countEndings": count_endings,
    "getSession": read(balances.session_state, "session_id", "SESSION_UNKNOWN"),
    "transferIn": step(balances.transfer_in, "session_id", "SESSION_UNKNOWN"),
    "closeSession": close_session,
    "acknowledgeReminder": acknowledge_reminder,
    "setPlayerFlags": step(players.set_flags, "player_id", "VALIDATION_FAILED"),
    "validateBuild": validate_build,
    "listUnfinished": list_unfinished,
    "resolveTransaction": resolve_transaction,
    "getTransaction": read(balances.read_transaction, "txn_id", "TRANSACTION_UNKNOWN"),
}
"""By the id of their operation."""
