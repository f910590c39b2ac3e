"""A call of POST /rgs/v1/spins from its headers and its body to the bytes that answer it, without a framework."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from multidict import CIMultiDict

from rgs_server.contract.operations import OPERATIONS, Operation
from rgs_server.contract.problems import Problem
from rgs_server.contract.versions import answer_type, ending_headers
from rgs_server.gate import CALLER, NONCE, OPERATION, Call, Operator
from rgs_server.service import REPLAYED, Service
from rgs_server.telemetry.context import CONTEXT, RequestContext
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.http")

SPIN = next(operation for operation in OPERATIONS if operation.operation_id == "playSpin")
PATH = SPIN.full_path
REQUEST = "%s was answered with %d"


class Reply(NamedTuple):
    """An answer before it is put into HTTP."""

    status: int
    media_type: str
    headers: Mapping[str, str]
    body: bytes


class SpinCall(dict[Any, Any]):
    """A call as the gate sees it; what the gate finds out is kept in it."""

    __slots__ = ("headers", "transport")
    match_info: ClassVar[Mapping[str, str]] = {}
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
        context = RequestContext(call, service.tracing)
        CONTEXT.set(context)  # of the task of this request
        started = time.perf_counter()
        reply = await self._answer(call, context, body)
        context.end(reply.status)
        count_answer(service, SPIN.operation_id, SPIN.method, reply.status, time.perf_counter() - started)
        return reply

    async def _answer(self, call: SpinCall, context: RequestContext, body: bytes) -> Reply:
        service, headers = self.service, call.headers
        try:
            media_type = answer_type(PATH, headers.get("Accept", ""))
            call[OPERATION] = SPIN
            with service.quotas.place(SPIN):
                try:
                    answer, replayed = await play(service, call, body)
                finally:
                    service.gate.leave(call)
        except Problem as problem:
            return self._refusal(call, context, problem)
        except Exception:
            log.exception("POST %s failed", PATH)
            return self._refusal(call, context, Problem("INTERNAL", "an unexpected fault; repeat the same request"))
        if replayed:
            return Reply(call[CALLER].duplicate_status, media_type, {REPLAYED: "true", **self._headers}, answer)
        return Reply(200, media_type, self._headers, answer)

    def _refusal(self, call: SpinCall, context: RequestContext, problem: Problem) -> Reply:
        count_refusal(self.service.metrics, SPIN.operation_id, problem)
        return problem_reply(problem, PATH, context.trace_id, call.get(OPERATION), call.get(CALLER))


def count_answer(service: Service, operation_id: str, method: str, status: int, seconds: float) -> None:
    """Counts a request that was answered; those that failed or were slow are logged."""
    service.metrics.answered(operation_id, status, seconds)
    if status >= 500 or seconds >= service.slow_s:
        log.warning(REQUEST, method, status, extra={"duration_ms": round(1000 * seconds, 1)})
    elif log.isEnabledFor(logging.DEBUG):
        log.debug(REQUEST, method, status, extra={"duration_ms": round(1000 * seconds, 1)})


def count_refusal(metrics: Metrics, operation_id: str, problem: Problem) -> None:
    """Counts a problem by its code, and logs those that are our own."""
    metrics.refused(operation_id, problem.code)
    if problem.kind.status >= 500:
        log.warning("%s", problem)
    elif log.isEnabledFor(logging.DEBUG):
        log.debug("%s", problem)


def problem_reply(
    problem: Problem, path: str, trace_id: str, operation: Operation | None, operator: Operator | None
) -> Reply:
    """A problem as it is answered, by an operation where one was called and to an operator where it is known."""
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
