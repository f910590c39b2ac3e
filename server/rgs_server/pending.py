"""A spin that was asked for, while it waits for its commit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import SpinRequest
from rgs_server.nonces import Use
from rgs_server.store import Taken
from rgs_server.telemetry.context import RequestContext


class Answer(NamedTuple):
    """The bytes of a spin's answer; `replayed` when they were given before."""

    body: bytes
    replayed: bool


@dataclass(slots=True, eq=False)
class Pending:
    """A decoded spin that waits for its commit."""

    operator_id: str
    request: SpinRequest
    idempotency_key: str
    fingerprint: bytes
    stake_minor: int
    deadline: float
    future: asyncio.Future[Answer]
    """Done with the answer, and never cancelled: shield it."""
    first: asyncio.Future[Answer]
    """The same for the request that sent the spin, which may leave without an end to the work: a shield costs more."""
    debited: bool = False
    nonce: Use | None = None
    """Of the signature, where there is one: written no later than the spin is answered."""
    causes: tuple[str, ...] = ()
    """Why it did not go straight through."""
    context: RequestContext | None = None
    """The request that asked for it."""

    @property
    def session_key(self) -> tuple[str, str]:
        return self.operator_id, self.request.session_id

    def replayed(self, taken: Taken) -> bool:
        """Whether its nonce was used by another request before."""
        return self.nonce is not None and self.nonce.digest in taken.replayed

    def names(self) -> dict[str, str]:
        """What a line of the log says of it."""
        request = self.request
        own = {"operator": self.operator_id, "session_id": request.session_id, "spin_id": request.spin_id}
        return own if self.context is None else {**self.context.fields(), **own}

    def delay(self, cause: str) -> None:
        """Takes down why it did not go straight through, each cause once."""
        if cause not in self.causes:
            self.causes = (*self.causes, cause)

    def answer(self, body: bytes, replayed: bool) -> None:
        if not self.future.done():
            self.future.set_result(answer := Answer(body, replayed))
            if not self.first.done():
                self.first.set_result(answer)

    def fail(self, problem: Problem) -> None:
        if not self.future.done():
            self.future.set_exception(problem)
            if not self.first.done():
                self.first.set_exception(problem)


def conflict(pending: Pending) -> Problem:
    """The key belongs to another request."""
    return Problem(
        "IDEMPOTENCY_CONFLICT",
        f"idempotency key '{pending.idempotency_key}' was used for another request; a new spin needs a new key",
    )
