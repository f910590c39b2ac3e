"""A call of POST /rgs/v1/spins from its headers and its body to the bytes that answer it, without a framework."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from multidict import CIMultiDict

from rgs_server.contract.operations import OPERATIONS, Operation
from rgs_server.contract.problems import Problem
from rgs_server.contract.versions import answer_type, ending_headers
from rgs_server.gate import CALLER, NONCE, OPERATION, Call, Operator
from rgs_server.service import REPLAYED, Service

log = logging.getLogger("rgs.http")

SPIN = next(operation for operation in OPERATIONS if operation.operation_id == "playSpin")
PATH = SPIN.full_path
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, level 1."""


class Reply(NamedTuple):
    """An answer before it is put into HTTP."""

    status: int
    media_type: str
    headers: Mapping[str, str]
    body: bytes


class SpinCall(dict[Any, Any]):
    """A call as the gate sees it; what the gate finds out is kept in it."""

    __slots__ = ("headers", "transport")
    method = SPIN.method
    raw_path = PATH

    def __init__(self, headers: CIMultiDict[str], transport: asyncio.BaseTransport | None) -> None:
        super().__init__()
        self.headers = headers
        self.transport = transport


async def play(service: Service, call: Call, body: bytes) -> tuple[bytes, bool]:
    """Lets a call through the gate and plays it: the answer, and whether it was given before. Raises Problem."""
    operator_id = await service.gate.operator(call, body, nonce_with_work=True)
    try:
        answer = await service.desk.play(operator_id, body, call.headers.get("Idempotency-Key"), call[NONCE])
    except Problem as problem:
        service.gate.refused(call[CALLER], SPIN, problem)
        raise
    return answer.body, answer.replayed


class SpinCalls:
    """Answers calls, also those that are refused, as the application does."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._headers = ending_headers(SPIN)

    async def answer(self, headers: CIMultiDict[str], transport: asyncio.BaseTransport | None, body: bytes) -> Reply:
        service = self.service
        call = SpinCall(headers, transport)
        try:
            media_type = answer_type(PATH, headers.get("Accept", ""))
            call[OPERATION] = SPIN
            with service.quotas.place(SPIN):
                try:
                    answer, replayed = await play(service, call, body)
                finally:
                    service.gate.leave(call)
        except Problem as problem:
            return self._refusal(call, problem)
        except Exception:
            log.exception("POST %s failed", PATH)
            return self._refusal(call, Problem("INTERNAL", "an unexpected fault; repeat the same request"))
        if replayed:
            return Reply(call[CALLER].duplicate_status, media_type, {REPLAYED: "true", **self._headers}, answer)
        return Reply(200, media_type, self._headers, answer)

    @staticmethod
    def _refusal(call: SpinCall, problem: Problem) -> Reply:
        return problem_reply(problem, PATH, call.headers.get("traceparent", ""), call.get(OPERATION), call.get(CALLER))


def problem_reply(
    problem: Problem, path: str, traceparent: str, operation: Operation | None, operator: Operator | None
) -> Reply:
    """A problem as it is answered, by an operation where one was called and to an operator where it is known."""
    match = TRACEPARENT.fullmatch(traceparent)
    trace_id = match[1] if match else secrets.token_hex(16)
    oauth = operation is not None and operation.form
    conflicts = problem.code == "IDEMPOTENCY_CONFLICT" and operator is not None
    status = operator.conflict_status if conflicts and operator is not None else problem.kind.status
    headers: dict[str, str] = {}
    if problem.kind.status == 401 or problem.code == "SCOPE_MISSING":
        headers["WWW-Authenticate"] = challenge(problem.code, operation)
    if problem.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-problem.retry_after_ms // 1000))
    media_type = "application/json" if oauth else "application/problem+json"
    return Reply(status, media_type, headers, problem.body(path, trace_id, status=status, oauth=oauth))


def challenge(code: str, operation: Operation | None) -> str:
    """WWW-Authenticate of a refused request (RFC 9110, section 11.6.1; RFC 6750, section 3)."""
    if operation is not None and operation.form:
        return 'Basic realm="rgs", charset="UTF-8"'
    if code == "SCOPE_MISSING" and operation is not None:
        return f'Bearer realm="rgs", error="insufficient_scope", scope="{operation.scope}"'
    return 'Bearer realm="rgs"' + (', error="invalid_token"' if code.startswith("TOKEN_") else "")
