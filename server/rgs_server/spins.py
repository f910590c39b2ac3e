"""POST /rgs/v1/spins without HTTP: bytes in, durable bytes out.

The desk reads a request, lets one that is under way already wait for the first, and hands the rest to a lane
(`spin_lane`). A worker has one lane, or a few; a session always uses the same one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable

import orjson

from rgs_core.language.model import BASE_MODE
from rgs_server.clock import Clock
from rgs_server.config import Config
from rgs_server.contract.money import parse_amount
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import decode_spin
from rgs_server.nonces import NonceMemory, Use
from rgs_server.pending import Answer, Pending, conflict
from rgs_server.sealing import Sealer
from rgs_server.seamless import IN_PROGRESS_WAIT_S, Cashier, in_progress
from rgs_server.sessions import Rulebook
from rgs_server.spin_lane import Lane
from rgs_server.telemetry.context import CONTEXT
from rgs_server.telemetry.metrics import Metrics

EXPIRY_S = 0.05
"""How often spins are looked for that were not answered in time: a timer for each of them would cost more than its draw."""

IDEMPOTENCY_KEY = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
"""As in the body: printable characters. Bytes of a header that are no UTF-8 arrive as surrogates."""


class SpinDesk:
    """Takes spins, joins repeated ones, and hands the rest to the lane of their session."""

    def __init__(
        self,
        config: Config,
        url: str,
        rules: Rulebook,
        sealer: Sealer,
        cashier: Cashier,
        nonces: NonceMemory,
        clock: Clock,
        metrics: Metrics,
        look: Callable[[], None],
    ) -> None:
        """`look` is called when events were written, which somebody may be waiting for."""
        self._config = config
        self._nonces = nonces
        self._metrics = metrics
        self._lanes = [
            Lane(config, url, rules, sealer, cashier, clock, metrics, look) for _ in range(config.commit_lanes)
        ]
        self._in_flight: dict[tuple[str, str], Pending] = {}
        self._expiry: asyncio.Task[None] | None = None
        metrics.watch("rgs_queue_spins", lambda: self.waiting)
        metrics.watch("rgs_queue_spins_max", lambda: config.queue_max)

    @property
    def waiting(self) -> int:
        """Spins that wait in the fullest lane."""
        return max(lane.waiting for lane in self._lanes)

    def start(self) -> None:
        self._expiry = asyncio.create_task(self._expire(), name="spin expiry")
        for lane in self._lanes:
            lane.start()

    async def stop(self) -> None:
        """Finishes what is queued, then closes the connections."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes))
        if self._expiry is not None:
            self._expiry.cancel()

    async def play(self, operator_id: str, body: bytes, header_key: str | None, nonce: Use | None = None) -> Answer:
        """Plays a spin or repeats its answer, and writes the nonce of its signature. Raises Problem."""
        try:
            pending = self._decode(operator_id, body, header_key)
            pending.nonce = nonce
            scope = (operator_id, pending.idempotency_key)
            running = self._in_flight.get(scope)
            if running is None:
                self._lanes[hash(pending.session_key) % len(self._lanes)].submit(pending)
        except Problem:
            if nonce is not None:  # what is refused must not be taken when somebody sends it again
                await self._nonces.write(nonce)
            raise
        if running is not None:
            if nonce is not None:
                await self._nonces.write(nonce)
            if running.fingerprint != pending.fingerprint:
                raise conflict(pending)
            try:
                # Shielded: those who joined may leave, the first one's answer is not theirs to give up.
                answer = await asyncio.wait_for(asyncio.shield(running.future), IN_PROGRESS_WAIT_S)
            except TimeoutError:
                raise in_progress(pending.request.spin_id) from None
            except Problem as problem:
                if problem.code != "NONCE_REUSED":
                    raise
                # The first one was captured, this one was not: its own nonce is written by now.
                return await self.play(operator_id, body, header_key)
            self._metrics.spin_answered(True, ())
            return Answer(answer.body, True)
        self._in_flight[scope] = pending
        pending.future.add_done_callback(lambda future: self._ended(scope, nonce, future))
        answer = await pending.first
        self._metrics.spin_answered(answer.replayed, pending.causes)
        return answer

    def _ended(self, scope: tuple[str, str], nonce: Use | None, future: asyncio.Future[Answer]) -> None:
        future.exception()  # seen, also where nobody else looks
        self._in_flight.pop(scope, None)
        if nonce is not None:
            self._nonces.release(nonce)

    async def _expire(self) -> None:
        """Answers those whose time is over, whatever their lane is doing; a commit that is under way goes on."""
        while True:
            await asyncio.sleep(EXPIRY_S)
            now = time.monotonic()
            for pending in [pending for pending in self._in_flight.values() if pending.deadline <= now]:
                pending.fail(Problem("INTERNAL", "the commit did not finish in time; repeat the same request"))

    def _decode(self, operator_id: str, body: bytes, header_key: str | None) -> Pending:
        request = decode_spin(body)
        if header_key is not None and not IDEMPOTENCY_KEY.fullmatch(header_key):
            raise Problem("VALIDATION_FAILED", "the Idempotency-Key header is not 1 to 255 printable characters")
        key = header_key if request.idempotency_key is None else request.idempotency_key
        if key is None:
            raise Problem(
                "IDEMPOTENCY_KEY_REQUIRED",
                "send idempotency_key in the body or as the Idempotency-Key header",
            )
        if header_key is not None and key != header_key:
            raise Problem(
                "VALIDATION_FAILED", "idempotency_key and the Idempotency-Key header differ; send one of them"
            )
        if request.spin_type != "cash":
            raise Problem("VALIDATION_FAILED", f"spin_type '{request.spin_type}' is not offered; use 'cash'")
        minor = parse_amount(bytes(request.stake.amount), request.stake.currency)
        # The parsed request and not its text: 1.0 is 1.00, and the order of the keys does not matter.
        parts = [
            request.spin_id, request.round_id, request.session_id, str(minor), request.stake.currency, request.spin_type,
            *([] if request.mode == BASE_MODE else [request.mode]),  # so as before there were modes
        ]  # fmt: skip
        loop = asyncio.get_running_loop()
        return Pending(
            operator_id=operator_id,
            request=request,
            idempotency_key=key,
            fingerprint=hashlib.sha256(orjson.dumps(parts)).digest(),
            stake_minor=minor,
            deadline=time.monotonic() + self._config.commit_timeout_ms / 1000,
            future=loop.create_future(),
            first=loop.create_future(),
            context=CONTEXT.get(),
        )
