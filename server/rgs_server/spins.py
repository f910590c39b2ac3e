"""POST /rgs/v1/spins without HTTP: bytes in, durable bytes out.

A worker has a few lanes; a session always uses the same lane. A lane commits one batch at a time, and
whatever arrives meanwhile goes into its next batch, so one disk write serves many spins and a single
spin never waits for a timer. A batch is drawn with the nonces that follow in each session and written
in one statement, which takes a row only if its key, spin and round are new and its nonce is the next.
What was not taken is looked up: it was answered before, clashes, or the session had moved on in another
worker and is drawn again. An outcome that was not written was never shown to anybody.

While the database writes a batch, the worker draws the next one, as if the first were written already. Where it
is not, in any part of a session, what was drawn ahead in that session is thrown away and drawn again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import orjson

from rgs_core.errors import RgsError
from rgs_core.language.model import BASE_MODE, MECHANIC_VERSION
from rgs_core.outcome import Played
from rgs_core.seeds import derive_key
from rgs_server import answers, happenings
from rgs_server.catalogue import Playable
from rgs_server.clock import Clock
from rgs_server.config import Config
from rgs_server.contract.money import format_amount, parse_amount
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import SpinRequest, decode_spin
from rgs_server.nonces import NonceMemory, Use, kept_seconds, reused
from rgs_server.play_limits import PlayerLimits, check_limits, check_mode
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.seamless import IN_PROGRESS_WAIT_S, Cashier, in_progress
from rgs_server.sessions import Rulebook, seed_context
from rgs_server.store import BY_KEY, EventRow, SpinRow, Store, Taken, released_after
from rgs_server.telemetry.context import CONTEXT, RequestContext
from rgs_server.telemetry.metrics import Metrics

log = logging.getLogger("rgs.spins")

CONNECTION_LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, TimeoutError)
DATABASE_BUSY = (
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.OperatorInterventionError,  # shutdowns, cancelled queries
    asyncpg.InsufficientResourcesError,  # disk or memory full
    asyncpg.ReadOnlySQLTransactionError,  # the server became a standby
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
BACKOFF_S = 0.05
EXPIRY_S = 0.05
"""How often spins are looked for that were not answered in time: a timer for each of them would cost more than its draw."""
EVENT_IDS = 256
"""Drawn at once."""
SHARED_READS = 8
"""Spins in a row that nobody else played between, after which a session is taken to be this worker's alone."""
COLLISIONS_MAX = 3
"""Attempts of a single spin that another worker forestalls; it is seen in the next one."""

LANE_SETTINGS = {
    # Durable before it is answered, whatever the role or the database says.
    "synchronous_commit": "on",
    **BY_KEY,
}

IDEMPOTENCY_KEY = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
"""As in the body: printable characters. Bytes of a header that are no UTF-8 arrive as surrogates."""


class Answer(NamedTuple):
    """The bytes of a spin's answer; `replayed` when they were given before."""

    body: bytes
    replayed: bool


@dataclass(slots=True)
class Session:
    """What a lane keeps of a session. `next_nonce` may lag behind other workers; the commit finds out."""

    player_id: str = field(repr=False)
    game_id: str
    playable: Playable
    build_label: str
    key: bytes = field(repr=False)
    currency: str
    exponent: int
    next_nonce: int
    version: int
    balance_minor: int | None
    closed: bool
    seamless: bool
    geo: str
    limits: PlayerLimits
    waiting_round: str | None
    choose_within: timedelta
    unwritten: int = 0
    """Spins that were drawn and are not on record yet: nonce, balance and the rest are as they are to be after them."""
    moved: bool = False
    """Something may have changed elsewhere: nothing more is drawn before it is read again."""
    shared: int = 0
    """Above 0: another worker played it lately. It is read before each spin, which costs less than to draw in vain."""
    told: str = ""
    """The last event that a refused round has caused."""


class SessionMoved(Exception):
    """What is kept of a session may be out of date: read it again before anything is refused for it."""


class DebitFirst(Exception):
    """The stake has to be taken at the platform's wallet before anything is drawn."""

    def __init__(self, session: Session) -> None:
        self.session = session


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


class Drawn(NamedTuple):
    """A spin that was played and not written yet, with what was kept of its session then."""

    pending: Pending
    row: SpinRow
    session: Session


@dataclass(slots=True)
class Batch:
    """Spins that one statement writes or refuses."""

    drawn: list[Drawn] = field(default_factory=list)
    refused: list[tuple[Pending, Problem | DebitFirst | None]] = field(default_factory=list)
    """They are told so when it is sure that they were not answered before. None: drawn, and not taken."""
    names: set[tuple[str, str, str]] = field(default_factory=set)
    """Of spins and rounds: one that stood twice would spoil the statement for all."""

    def __len__(self) -> int:
        return len(self.drawn) + len(self.refused)

    def spins(self) -> list[Pending]:
        return [*(pending for pending, _, _ in self.drawn), *(pending for pending, _ in self.refused)]


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


class Lane:
    """One connection and one commit at a time."""

    def __init__(
        self,
        config: Config,
        url: str,
        rules: Rulebook,
        sealer: Sealer,
        cashier: Cashier,
        clock: Clock,
        metrics: Metrics,
        look: Callable[[], None],
    ) -> None:
        self._look = look
        self._config = config
        self._metrics = metrics
        self._url = url
        self._rules = rules
        self._clock = clock
        self._sealer = sealer
        self._cashier = cashier
        self._event_ids = event_ids()
        self._debits: set[asyncio.Task[None]] = set()
        self._queue: deque[Pending] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._store: Store | None = None
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._unplayable: set[tuple[str, str]] = set()
        self._just_read: set[tuple[str, str]] = set()
        self._ahead: Batch | None = None
        """What is drawn while another batch is written; None while none is."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="spin lane")

    async def stop(self) -> None:
        await asyncio.gather(*self._debits)
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    @property
    def waiting(self) -> int:
        """Spins that wait for a commit."""
        return len(self._queue) + (0 if self._ahead is None else len(self._ahead))

    def submit(self, pending: Pending) -> None:
        """Draws a spin ahead or queues it. Raises Problem when the queue is full or the service is stopping."""
        if self._stopping:
            raise Problem("MAINTENANCE", "the service is stopping; repeat the request, another worker takes it")
        ahead, session = self._ahead, self._sessions.get(pending.session_key)
        if (
            ahead is not None
            and len(ahead) < self._config.batch_max
            and session is not None
            and not session.shared
            and self._add(ahead, pending)
        ):
            return
        if len(self._queue) >= self._config.queue_max:
            raise Problem("OVERLOADED", f"{len(self._queue)} spins are waiting; repeat the same request later")
        self._queue.append(pending)
        self._arrived.set()

    async def _run(self) -> None:
        while True:
            batch, self._ahead = self._ahead or Batch(), None
            if not batch and not self._queue:
                if self._stopping:
                    break
                self._arrived.clear()
                await self._arrived.wait()
            room = self._config.batch_max - len(batch)
            queued = [self._queue.popleft() for _ in range(min(len(self._queue), room))]
            try:
                await self._settle(batch, queued)
            except Exception:
                # The lane must outlive any fault: without it every later spin would hang.
                log.exception("a batch of %d spins failed", len(batch) + len(queued))
                self._take_back()
                self._sessions.clear()
                await self._disconnect()
                for pending in (*batch.spins(), *queued):
                    pending.fail(Problem("INTERNAL", "the spin could not be settled; repeat the same request"))
        await self._disconnect()

    async def _settle(self, batch: Batch, queued: list[Pending], *, alone: bool = False) -> None:
        """Writes a batch with what is queued, trying again while deadlines allow. `alone`: nothing is drawn meanwhile."""
        pause = BACKOFF_S
        collisions = 0
        spins = [*batch.spins(), *queued]
        while spins:
            try:
                store = await self._connected()
                await self._load(store, queued)
                self._queue.extendleft(reversed([pending for pending in queued if not self._add(batch, pending)]))
                self._just_read.clear()
                spins = batch.spins()
                if spins:
                    self._ahead = None if alone else Batch()
                    await self._write(store, batch)
                return
            except (*CONNECTION_LOST, *DATABASE_BUSY) as error:
                # Committed or not is unknown here; the next attempt finds out by the same keys.
                log.warning("database trouble, trying again: %r", error)
                self._metrics.database_retries.add()
                for pending in spins:
                    pending.delay("database")
                self._take_back()
                self._forget(spins)
                await self._disconnect()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.5)
            except asyncpg.PostgresError as error:
                self._take_back()
                self._forget(spins)
                if len(spins) > 1:
                    # One row spoils a whole statement: settle them one by one.
                    for pending in spins:
                        await self._settle(Batch(), [pending], alone=True)
                    return
                collisions += isinstance(error, asyncpg.UniqueViolationError)
                if not 0 < collisions < COLLISIONS_MAX:
                    log.error("the database refused a spin: %s", error, extra=spins[0].names())
                    spins[0].fail(Problem("INTERNAL", "the spin could not be written; repeat the same request"))
                    return
                await asyncio.sleep(BACKOFF_S)
            batch, queued = Batch(), self._drop_expired(spins)
            spins = queued

    def _drop_expired(self, spins: Sequence[Pending]) -> list[Pending]:
        now = time.monotonic()
        for pending in spins:
            if pending.deadline <= now:
                pending.fail(Problem("INTERNAL", "the database did not answer in time; repeat the same request"))
        return [pending for pending in spins if pending.deadline > now]

    def _take_back(self) -> None:
        """Queues what was drawn ahead, as if it had not been."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            spins = ahead.spins()
            self._forget(spins)
            self._queue.extendleft(reversed(spins))

    def _add(self, batch: Batch, pending: Pending) -> bool:
        """Draws or refuses a spin in a batch; False when it has to wait for another one."""
        own = names_of(pending)
        session = self._sessions.get(pending.session_key)
        if own & batch.names or (session is not None and session.moved):
            return False
        try:
            drawn = self._draw(pending, session)
        except (Problem, DebitFirst) as reason:
            batch.refused.append((pending, reason))
        except SessionMoved:
            assert session is not None
            session.moved = True
            return False
        else:
            batch.drawn.append(drawn)
        batch.names |= own
        return True

    async def _write(self, store: Store, batch: Batch) -> None:
        """Commits a batch and answers its spins; those that another worker forestalled are queued."""
        started = time.perf_counter()
        taken = await self._commit(store, [drawn.row for drawn in batch.drawn], batch.spins())
        seconds = time.perf_counter() - started
        if batch.drawn:
            self._metrics.commit_seconds.observe(seconds)
            self._metrics.batch_spins.observe(len(batch.drawn))
        refused = batch.refused
        forestalled: set[tuple[str, str]] = set()
        for pending, row, session in batch.drawn:
            session.unwritten -= 1
            if (row.operator_id, row.spin_id) in taken.spins:
                if pending.context is not None and pending.context.span is not None:
                    pending.context.span.contained("commit", seconds, spins=len(batch.drawn))
                pending.answer(row.response, replayed=False)
                played = self._metrics.played(session.game_id, session.build_label, row.mode, session.currency)
                played.begun(row.stake_minor)
                if row.choice is None:
                    played.won(row.win_minor)
                if session.seamless and row.choice is None:
                    self._cashier.look()  # its win is to be paid
            else:
                refused.append((pending, None))
                forestalled.add(pending.session_key)
        if taken.spins:
            self._look()
        if forestalled:
            self._undo(forestalled)
        if taken.replayed:
            for pending, _ in refused:
                if pending.replayed(taken):
                    pending.fail(reused())
            refused = [(pending, reason) for pending, reason in refused if not pending.replayed(taken)]
        if refused:
            await self._tell(store, refused)
            again = await self._resolve(store, refused)
            for pending in again:
                pending.delay("redrawn")
            self._queue.extendleft(reversed(again))

    def _undo(self, sessions: set[tuple[str, str]]) -> None:
        """Has sessions read again, and what was drawn ahead in them drawn again."""
        for key in sessions & self._sessions.keys():
            self._sessions[key].moved = True
        ahead = self._ahead
        if ahead is None:
            return
        wrong = [drawn for drawn in ahead.drawn if drawn.pending.session_key in sessions]
        if wrong:
            ahead.drawn = [drawn for drawn in ahead.drawn if drawn.pending.session_key not in sessions]
            for pending, _, session in wrong:
                pending.delay("redrawn")
                session.unwritten -= 1
                ahead.names -= names_of(pending)
            self._queue.extendleft(reversed([drawn.pending for drawn in wrong]))

    async def _commit(self, store: Store, rows: Sequence[SpinRow], spins: Sequence[Pending]) -> Taken:
        """Writes rows with the nonces of the spins that are theirs or are to be refused."""
        uses = sorted(pending.nonce for pending in spins if pending.nonce is not None)
        digests, claims = [use.digest for use in uses], [use.claim for use in uses]
        kept_s = kept_seconds(self._config)
        if rows:
            return await store.commit_spins(rows, MECHANIC_VERSION, digests, claims, kept_s)
        new = await store.remember_nonces(digests, claims, kept_s) if uses else set()
        return Taken(set(), set(digests) - new)

    async def _tell(self, store: Store, refused: Sequence[tuple[Pending, Problem | DebitFirst | None]]) -> None:
        """Writes what the platform has to know of rounds that are refused, once each."""
        try:
            now = self._clock()
        except Problem:  # nobody knows what time it is; the next refusal is told of
            return
        events: dict[str, EventRow] = {}
        for pending, reason in refused:
            session = self._sessions.get(pending.session_key)
            if not isinstance(reason, Problem):
                continue
            facts, reminders, nonce = None, 0, 0
            if session is not None:
                facts = session.player_id, session.game_id, session.playable.build.build_hash
                reminders, nonce = session.limits.reminders(now), session.next_nonce
            event = happenings.round_refused(reason, *pending.session_key, facts, reminders, nonce, now)
            if event is not None and (session is None or session.told != event.event_id):
                events[event.event_id] = event
        await store.add_events(list(events.values()))
        for event in events.values():
            session = self._sessions.get((event.operator_id, event.session_id or ""))
            if session is not None:
                session.told = event.event_id

    async def _resolve(
        self, store: Store, refused: Sequence[tuple[Pending, Problem | DebitFirst | None]]
    ) -> list[Pending]:
        """Answers what is on record; of the rest fails what was refused and returns what was too early."""
        spins = [pending for pending, _ in refused]
        records = await store.find_answers(
            [p.operator_id for p in spins],
            [p.idempotency_key for p in spins],
            [p.request.spin_id for p in spins],
            [p.request.round_id for p in spins],
            [p.request.session_id for p in spins],
        )
        again: list[Pending] = []
        for (pending, problem), record in zip(refused, records, strict=True):
            if record["fingerprint"] is not None:
                if record["fingerprint"] == pending.fingerprint:
                    pending.answer(record["response"], replayed=True)
                else:
                    pending.fail(conflict(pending))
            elif record["spin_exists"]:
                spin_id = pending.request.spin_id
                pending.fail(Problem("IDEMPOTENCY_CONFLICT", f"spin '{spin_id}' was played under another key"))
            elif record["round_exists"]:
                round_id = pending.request.round_id
                pending.fail(Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' was played; open a new one"))
            elif record["round_ended"]:
                round_id = pending.request.round_id
                pending.fail(Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' was voided; open a new one"))
            elif record["debit_elsewhere"]:
                detail = f"the stake of spin '{pending.request.spin_id}' or its round was asked for in another session"
                pending.fail(Problem("IDEMPOTENCY_CONFLICT", detail))
            elif isinstance(problem, DebitFirst):
                self._start_debit(pending, problem.session)
            elif problem is not None:
                pending.fail(problem)
            elif record["debit_state"] in ("abandoned", "refused"):
                round_id = pending.request.round_id
                pending.fail(Problem("ROUND_ALREADY_CLOSED", f"the debit of round '{round_id}' is rolled back"))
            elif record["waiting_round"] is not None:
                pending.fail(waits_for_choice(record["waiting_round"]))
            elif record["open_round"] is not None:
                other = record["open_round"]
                pending.fail(Problem("ROUND_OPEN", f"round '{other}' of this player in this game is not settled"))
            else:
                again.append(pending)  # another worker used the nonce: read the session and draw again
        return again

    def _start_debit(self, pending: Pending, session: Session) -> None:
        """Takes the stake at the wallet, beside the lane; the spin then comes back."""
        task = asyncio.create_task(self._debit(pending, session))
        self._debits.add(task)
        task.add_done_callback(self._debits.discard)

    async def _debit(self, pending: Pending, session: Session) -> None:
        request = pending.request
        pending.deadline = time.monotonic() + self._cashier.debit_budget_s + self._config.commit_timeout_ms / 1000
        try:
            await self._cashier.debit(
                pending.operator_id,
                request.session_id,
                request.spin_id,
                request.round_id,
                pending.stake_minor,
                pending.fingerprint,
                session.player_id,
                session.game_id,
                None if pending.context is None else pending.context.traceparent,
            )
            pending.debited = True
            self.submit(pending)
        except Problem as problem:
            pending.fail(problem)
            return
        except Exception:
            log.exception("a debit failed", extra=pending.names())
            pending.fail(Problem("INTERNAL", "the debit could not be made; repeat the same request"))
            return
        try:
            await asyncio.shield(pending.future)
        except Problem as problem:
            # What is not refused for good may come back and find its debit, until its time is over.
            if problem.kind.money_state == "none" and not problem.kind.retryable:
                reason = f"the spin was refused: {problem.code}"
                await self._cashier.give_back(pending.operator_id, request.session_id, request.spin_id, reason)

    def _draw(self, pending: Pending, session: Session | None) -> Drawn:
        """Plays the next spin of a session. Raises Problem, SessionMoved or DebitFirst before any draw."""
        request = pending.request
        if session is None and pending.session_key in self._unplayable:
            raise Problem("BUILD_UNAVAILABLE", "this worker cannot play the session's build; repeat the same request")
        if session is None:
            raise Problem("SESSION_UNKNOWN", f"no session '{request.session_id}'; open it with POST /rgs/v1/sessions")
        if session.closed:
            raise Problem("SESSION_CLOSED", f"session '{request.session_id}' was closed; open a new one")
        if request.stake.currency != session.currency:
            raise Problem("STAKE_NOT_ALLOWED", f"the session plays in {session.currency}, not {request.stake.currency}")
        playable = session.playable.in_mode(request.mode)
        if playable is None:
            known = ", ".join(other.build.mode for other in session.playable.modes)
            raise Problem("MODE_NOT_ALLOWED", f"mode '{request.mode}' is not certified; {known} can be played")
        check_mode(session.limits, playable)
        build = playable.build
        unit_minor, rest = divmod(pending.stake_minor, build.play.cost_units)
        if rest or unit_minor == 0:
            step = format_amount(build.play.cost_units, session.exponent)
            raise Problem("STAKE_NOT_ALLOWED", f"{build.label} takes multiples of {step} {session.currency}")
        created_at = self._clock()
        # Nobody is refused for what may be different by now.
        certain = pending.session_key in self._just_read and not session.unwritten
        if session.waiting_round is not None:
            if not certain:
                raise SessionMoved
            raise waits_for_choice(session.waiting_round)
        try:
            self._check_play(session, created_at, pending.stake_minor)
        except Problem:
            if not certain:
                raise SessionMoved from None
            raise
        balance_minor = session.balance_minor
        if balance_minor is not None:
            balance_minor -= pending.stake_minor
            if balance_minor < 0:
                if not certain:
                    raise SessionMoved
                held = format_amount(balance_minor + pending.stake_minor, session.exponent)
                raise Problem("INSUFFICIENT_FUNDS", f"the session holds {held} {session.currency}")
        if session.seamless and not pending.debited:
            if not certain:
                raise SessionMoved  # another worker may have blocked the player: such a stake is not even asked for
            raise DebitFirst(session)
        nonce = session.next_nonce
        asked = None
        try:
            if playable.staged is None:
                outcome: Played = playable.engine.spin(session.key, nonce)
            else:
                outcome, question = playable.staged.play(session.key, nonce, ())
                if question is not None:
                    asked = answers.Asked(1, *question, created_at + session.choose_within)
        except RgsError as error:
            log.error("round %d cannot be played: %s", nonce, error, extra=pending.names())
            raise Problem(
                "ROUND_UNPLAYABLE", "the next round of this session cannot be drawn; open a new session"
            ) from error
        event_id = next(self._event_ids)
        won_minor = outcome.win_units * unit_minor
        win_minor = won_minor if asked is None else 0  # nothing is paid before the round is over
        if balance_minor is not None:
            balance_minor += win_minor
        following = (
            []
            if asked is not None
            else happenings.feature_events(
                build,
                outcome,
                telemetry_ref=event_id,
                created_at=created_at,
                spin_id=request.spin_id,
                round_id=request.round_id,
                session_id=request.session_id,
                player_id=session.player_id,
                game_id=session.game_id,
                operator_id=pending.operator_id,
                unit_minor=unit_minor,
                currency=session.currency,
                exponent=session.exponent,
            )
        )
        row = SpinRow(
            operator_id=pending.operator_id,
            session_id=request.session_id,
            spin_id=request.spin_id,
            round_id=request.round_id,
            idempotency_key=pending.idempotency_key,
            fingerprint=pending.fingerprint,
            nonce=nonce,
            spin_type=request.spin_type,
            mode=request.mode,
            stake_minor=pending.stake_minor,
            win_minor=win_minor,
            win_units=outcome.win_units,
            choice=None if asked is None else asked.choice,
            options=None if asked is None else orjson.dumps(asked.options).decode(),
            won_minor=won_minor,
            choose_by=None if asked is None else asked.choose_by,
            outcome_digest=bytes.fromhex(outcome.digest()),
            telemetry_ref=event_id,
            response=answers.spin_answer(
                build,
                outcome,
                spin_id=request.spin_id,
                round_id=request.round_id,
                nonce=nonce,
                stake_minor=pending.stake_minor,
                unit_minor=unit_minor,
                currency=session.currency,
                exponent=session.exponent,
                telemetry_ref=event_id,
                balance_minor=balance_minor,
                asked=asked,
            ),
            event=answers.spin_event(
                build,
                event_id=event_id,
                created_at=created_at,
                spin_id=request.spin_id,
                round_id=request.round_id,
                session_id=request.session_id,
                stake_minor=pending.stake_minor,
                win_minor=win_minor,
                currency=session.currency,
                exponent=session.exponent,
                game_id=session.game_id,
                player_id=session.player_id,
                operator_id=pending.operator_id,
                spin_type=request.spin_type,
                mode=request.mode,
                nonce=nonce,
                feature=bool(following),
                base_win_minor=outcome.spins[0].win_units * unit_minor,
            ),
            created_at=created_at,
            session_version=session.version,
            nonce_digest=None if pending.nonce is None else pending.nonce.digest,
            traceparent=None if pending.context is None else pending.context.traceparent,
            following=following,
        )
        session.unwritten += 1
        session.next_nonce = nonce + 1
        session.balance_minor = balance_minor
        session.limits.last_round_at = created_at
        session.waiting_round = None if asked is None else request.round_id
        return Drawn(pending, row, session)

    def _check_play(self, session: Session, now: datetime, stake_minor: int) -> None:
        """Raises Problem where no round may begin: the build, the player, the market."""
        if self._rules.files is not None:
            self._rules.files.require_unchanged()
        build_hash = session.playable.build.build_hash
        if not self._rules.registry.allows(build_hash, session.geo, now):
            reasons = self._rules.registry.reasons(session.playable, session.geo, now)
            raise Problem("BUILD_NOT_CERTIFIED", "; ".join(reason.detail for reason in reasons))
        market = session.limits.market
        if session.unwritten and market is not None and market.cycle_ms:
            raise Problem("TOO_FAST", "another round of the session is being written", retry_after_ms=market.cycle_ms)
        check_limits(session.limits, now, stake_minor, session.currency, session.exponent)

    # -- sessions and connection ----------------------------------------------------------------

    async def _load(self, store: Store, batch: Sequence[Pending]) -> None:
        """Reads the sessions of a batch that are not kept, or are at rest and may have moved."""
        kept = self._sessions
        missing = {
            p.session_key
            for p in batch
            if (session := kept.get(p.session_key)) is None
            or ((session.moved or session.shared) and not session.unwritten)
        }
        self._unplayable.clear()
        self._just_read = missing
        if missing:
            operators, sessions = zip(*sorted(missing), strict=True)
            records = await store.load_sessions(list(operators), list(sessions))
            before = {key: kept.pop(key, None) for key in missing}
            for record in records:
                self._keep(record, before[record["operator_id"], record["session_id"]])
        for pending in batch:
            if pending.session_key in self._sessions:
                self._sessions.move_to_end(pending.session_key)
        while len(self._sessions) > max(self._config.session_cache_max, len(batch)):
            self._sessions.popitem(last=False)

    def _keep(self, record: asyncpg.Record, before: Session | None) -> None:
        """Keeps a session as it was read; what never changes is taken from what was kept before."""
        operator_id, session_id = record["operator_id"], record["session_id"]
        playable = self._rules.catalogue.get(record["build_hash"])
        if playable is None:
            log.error("session %s needs build %s, which is not loaded", session_id, record["build_hash"])
            self._unplayable.add((operator_id, session_id))
            return
        shared = 0
        if before is not None:
            key = before.key
            shared = SHARED_READS if record["next_nonce"] != before.next_nonce else max(0, before.shared - 1)
        else:
            try:
                seed = self._sealer.open(record["seed_sealed"], seed_context(operator_id, session_id))
            except SealBroken as error:
                log.error("%s", error)
                self._unplayable.add((operator_id, session_id))
                return
            key = derive_key(seed, record["client_seed"])
        self._sessions[operator_id, session_id] = Session(
            player_id=record["player_id"],
            game_id=record["game_id"],
            playable=playable,
            key=key,
            build_label=playable.build.label,
            currency=record["currency"],
            exponent=record["exponent"],
            next_nonce=record["next_nonce"],
            version=record["version"],
            balance_minor=None if record["balance_minor"] is None else int(record["balance_minor"]),
            closed=record["closed_at"] is not None,
            seamless=record["wallet"] == "seamless",
            geo=record["geo"],
            waiting_round=record["waiting_round"],
            choose_within=timedelta(seconds=record["choose_within_s"]),
            shared=shared,
            limits=PlayerLimits(
                self._rules.market_of(record["geo"]) if record["enforces_markets"] else None,
                record["created_at"],
                record["age"],
                record["time_limit_min"],
                record["blocked"],
                record["acknowledged"],
                record["acknowledged_at"],
                record["last_round_at"],
            ),
        )

    def _forget(self, batch: Sequence[Pending]) -> None:
        for pending in batch:
            self._sessions.pop(pending.session_key, None)

    async def _connected(self) -> Store:
        """The lane's own connection; a pool would take a broken one back and hand it out again."""
        if self._store is None or self._store.connection.is_closed():
            timeout = self._config.commit_timeout_ms / 1000
            self._metrics.database_connects.add()
            self._store = Store(
                await asyncpg.connect(
                    self._url,
                    timeout=timeout,
                    command_timeout=timeout,
                    server_settings={**LANE_SETTINGS, **released_after(timeout)},
                )
            )
        return self._store

    async def _disconnect(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.connection.terminate()


def names_of(pending: Pending) -> set[tuple[str, str, str]]:
    """Of its spin and its round."""
    operator_id, request = pending.operator_id, pending.request
    return {(operator_id, "spin", request.spin_id), (operator_id, "round", request.round_id)}


def event_ids() -> Iterator[str]:
    """Ids of 128 random bits each, without end. The kernel is asked for many at once: a call costs more than the rest."""
    while True:
        digits = os.urandom(16 * EVENT_IDS).hex()
        for start in range(0, 32 * EVENT_IDS, 32):
            yield f"evt-{digits[start : start + 32]}"


def waits_for_choice(round_id: str) -> Problem:
    """The session plays on when a round is decided."""
    return Problem("ROUND_OPEN", f"round '{round_id}' waits for a choice: POST /rgs/v1/rounds/{{round_id}}/choices")


def conflict(pending: Pending) -> Problem:
    """The key belongs to another request."""
    return Problem(
        "IDEMPOTENCY_CONFLICT",
        f"idempotency key '{pending.idempotency_key}' was used for another request; a new spin needs a new key",
    )
