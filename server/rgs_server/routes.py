"""Endpoints of rounds, money, players and builds: decode, call, encode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from rgs_server import balances, players, settlement
from rgs_server.answers import round_answer
from rgs_server.clock import read_time
from rgs_server.contract.answers import encode
from rgs_server.contract.problems import Problem
from rgs_server.service import SERVICE, json_answer
from rgs_server.sessions import validate

ENDINGS_DAYS = 30


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


async def get_round(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        record = await settlement.read_round(store, operator_id, path_id(request, "round_id", "ROUND_UNKNOWN"))
    return json_answer(encode(round_answer(record)))


async def settle_round(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    round_id = path_id(request, "round_id", "ROUND_UNKNOWN")
    async with service.store() as store:
        return json_answer(*await settlement.settle(store, operator_id, round_id, body, service.clock()))


async def void_round(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    round_id = path_id(request, "round_id", "ROUND_UNKNOWN")
    async with service.store() as store:
        return json_answer(*await settlement.void(store, operator_id, round_id, body, service.clock()))


async def count_endings(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    asked = request.query.get("since")
    since = service.clock() - timedelta(days=ENDINGS_DAYS) if asked is None else read_time(asked)
    if since is None:
        raise Problem("VALIDATION_FAILED", f"since: '{str(asked)[:40]}' is not a time like 2026-01-31T12:00:00.000Z")
    async with service.store() as store:
        return json_answer(await settlement.endings(store, operator_id, since))


async def get_session(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
        return json_answer(await balances.session_state(store, operator_id, session_id))


async def transfer_in(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    async with service.store() as store:
        return json_answer(*await balances.transfer_in(store, operator_id, session_id, body, service.clock()))


async def close_session(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    async with service.store() as store:
        answer = await balances.close_session(store, service.sealer, operator_id, session_id, service.clock())
    return json_answer(*answer)


async def acknowledge_reminder(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    async with service.store() as store:
        market = service.rules.unknown_market
        return json_answer(await players.acknowledge(store, market, operator_id, session_id, service.clock()))


async def set_player_flags(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    player_id = path_id(request, "player_id", "VALIDATION_FAILED")
    async with service.store() as store:
        return json_answer(await players.set_flags(store, operator_id, player_id, body, service.clock()))


async def validate_build(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    async with service.store() as store:
        return json_answer(await validate(store, service.rules, operator_id, body, service.clock()))


async def list_unfinished(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        return json_answer(await balances.unfinished(store, operator_id))


async def get_transaction(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        txn_id = path_id(request, "txn_id", "TRANSACTION_UNKNOWN")
        return json_answer(await balances.read_transaction(store, operator_id, txn_id))


HANDLERS: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "getRound": get_round,
    "settleRound": settle_round,
    "voidRound": void_round,
    "countEndings": count_endings,
    "getSession": get_session,
    "transferIn": transfer_in,
    "closeSession": close_session,
    "acknowledgeReminder": acknowledge_reminder,
    "setPlayerFlags": set_player_flags,
    "validateBuild": validate_build,
    "listUnfinished": list_unfinished,
    "getTransaction": get_transaction,
}
"""By the id of their operation."""
