"""Endpoints of rounds, money, players and builds: decode, call, encode."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

from aiohttp import web

from rgs_server import balances, players, settlement
from rgs_server.answers import cell_verdict, spin_record
from rgs_server.audit import proofs
from rgs_server.billing.files import report_row
from rgs_server.choices import choose
from rgs_server.clock import read_time
from rgs_server.contract.answers import ReportAnswer, SpinsAnswer, VerdictsAnswer, encode
from rgs_server.contract.problems import Problem
from rgs_server.envelopes import session_events
from rgs_server.gate import PERSON
from rgs_server.recall import recall
from rgs_server.reported import take_reported
from rgs_server.resolutions import resolve
from rgs_server.service import SERVICE, json_answer
from rgs_server.sessions import validate
from rgs_server.store import Store

ENDINGS_DAYS = 30
REPORT_DAYS = 92
SPINS_MAX = 100
NONCE_MAX = 2**63 - 2
SEQ_MAX = 2**63 - 1
SIZE_MAX = 2**63 - 1

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


async def report_days(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    today = service.clock().date()
    last = day(request, "last") or today
    first = day(request, "first") or last - timedelta(days=ENDINGS_DAYS)
    if not 0 <= (last - first).days < REPORT_DAYS:
        raise Problem("VALIDATION_FAILED", f"first and last: {first} to {last} is no period of 1 to {REPORT_DAYS} days")
    rows = await service.reports.days(operator_id, first, last)
    return json_answer(encode(ReportAnswer(operator_id, str(first), str(last), [report_row(row) for row in rows])))


async def list_verdicts(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        rows = await store.last_verdicts(operator_id)
    return json_answer(encode(VerdictsAnswer([cell_verdict(row) for row in rows])))


def day(request: web.Request, name: str) -> date | None:
    """A day of the query; None where it is not there. Raises Problem."""
    text = request.query.get(name)
    try:
        return None if text is None else datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise Problem("VALIDATION_FAILED", f"{name}: '{str(text)[:40]}' is not a day like 2026-01-31") from None


async def list_spins(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    after, last = (number(request, name, most) for name, most in (("after_nonce", NONCE_MAX), ("last", SPINS_MAX)))
    if after is not None and last is not None:
        raise Problem("VALIDATION_FAILED", "send after_nonce or last, not both")
    if last == 0:
        raise Problem("VALIDATION_FAILED", "last: no rounds; send a number from 1 on")
    async with request.app[SERVICE].store() as store:
        next_nonce = (await balances.read_session(store, operator_id, session_id))["next_nonce"]
        first = 0 if after is None else after + 1
        records = await store.list_spins(
            operator_id, session_id, first if last is None else max(0, next_nonce - last), SPINS_MAX
        )
    more = bool(records) and records[-1]["nonce"] + 1 < next_nonce
    return json_answer(encode(SpinsAnswer([spin_record(record) for record in records], next_nonce, more)))


async def list_events(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    after_seq = number(request, "after_seq", SEQ_MAX) or 0
    async with request.app[SERVICE].store() as store:
        return json_answer(await session_events(store, operator_id, session_id, after_seq))


async def report_events(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    async with service.store() as store:
        return json_answer(await take_reported(store, operator_id, body, service.clock()))


def number(request: web.Request, name: str, most: int) -> int | None:
    """A whole number of the query; None where it is not there. Raises Problem."""
    text = request.query.get(name)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) > most:
        raise Problem("VALIDATION_FAILED", f"{name}: '{text[:40]}' is not a whole number from 0 to {most}")
    return int(text)


async def recall_round(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    round_id = path_id(request, "round_id", "ROUND_UNKNOWN")
    async with service.store() as store:
        spin_id = await store.find_spin_of_round(operator_id, round_id)
        record = None if spin_id is None else await store.find_spin(operator_id, spin_id)
    if record is None:
        raise Problem("ROUND_UNKNOWN", f"no round '{round_id[:255]}' was played")
    return json_answer(encode(await recall(service.archive, service.rules.catalogue, service.sealer, record)))


async def close_session(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    service = request.app[SERVICE]
    session_id = path_id(request, "session_id", "SESSION_UNKNOWN")
    async with service.store() as store:
        answer = await balances.close_session(store, service.sealer, operator_id, session_id, service.clock())
    return json_answer(*answer)


async def choose_in_round(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    round_id = path_id(request, "round_id", "ROUND_UNKNOWN")
    async with service.store() as store:
        answer = await choose(store, service.builds, operator_id, round_id, body, service.clock(), service.metrics)
    service.cashier.look()  # a win may be due
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
        return json_answer(await players.acknowledge(store, service.rules, operator_id, session_id, service.clock()))


async def validate_build(request: web.Request) -> web.Response:
    operator_id, body = await caller(request)
    service = request.app[SERVICE]
    async with service.store() as store:
        return json_answer(await validate(store, service.rules, operator_id, body, service.clock()))


async def list_unfinished(request: web.Request) -> web.Response:
    operator_id, _ = await caller(request)
    async with request.app[SERVICE].store() as store:
        return json_answer(await balances.unfinished(store, operator_id))


async def get_checkpoint(request: web.Request) -> web.Response:
    await caller(request)
    async with request.app[SERVICE].store() as store:
        return json_answer(await proofs.newest_checkpoint(store))


async def prove_consistency(request: web.Request) -> web.Response:
    await caller(request)
    first, second = (number(request, name, SIZE_MAX) for name in ("first", "second"))
    async with request.app[SERVICE].store() as store:
        return json_answer(await proofs.consistency_proof(store, first, second))


HANDLERS: dict[str, Handler] = {
    "getRound": read(settlement.round_state, "round_id", "ROUND_UNKNOWN"),
    "chooseInRound": choose_in_round,
    "recallRound": recall_round,
    "settleRound": step(settlement.settle, "round_id", "ROUND_UNKNOWN"),
    "voidRound": step(settlement.void, "round_id", "ROUND_UNKNOWN"),
    "countEndings": count_endings,
    "reportDays": report_days,
    "listVerdicts": list_verdicts,
    "listSpins": list_spins,
    "listEvents": list_events,
    "reportEvents": report_events,
    "getSession": read(balances.session_state, "session_id", "SESSION_UNKNOWN"),
    "transferIn": step(balances.transfer_in, "session_id", "SESSION_UNKNOWN"),
    "closeSession": close_session,
    "acknowledgeReminder": acknowledge_reminder,
    "setPlayerFlags": step(players.set_flags, "player_id", "VALIDATION_FAILED"),
    "validateBuild": validate_build,
    "listUnfinished": list_unfinished,
    "resolveTransaction": resolve_transaction,
    "getCheckpoint": get_checkpoint,
    "proveSpin": read(proofs.spin_proof, "spin_id", "SPIN_UNKNOWN"),
    "proveTransaction": read(proofs.transaction_proof, "txn_id", "TRANSACTION_UNKNOWN"),
    "proveConsistency": prove_consistency,
    "getTransaction": read(balances.read_transaction, "txn_id", "TRANSACTION_UNKNOWN"),
}
"""By the id of their operation."""
