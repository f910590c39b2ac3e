"""A lane of spins: one connection, one commit at a time.

Whatever arrives while a batch is committed goes into the next one, so one disk write serves many spins and a single
spin never waits for a timer. A batch is drawn with the nonces that follow in each session and written
in one statement, which takes a row only if its key, spin and round are new and its nonce is the next.
What was not taken is looked up: it was answered before, clashes, or the session had moved on in another
worker and is drawn again. An outcome that was not written was never shown to anybody.

While the database writes a batch, the worker draws the next one, as if the first were written already. Where it
is not, in any part of a session, what was drawn ahead in that session is thrown away and drawn again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from rgs_core.language.model import MECHANIC_VERSION
from rgs_server import happenings
from rgs_server.clock import Clock
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.drawing import DebitFirst, Drawing, Drawn, SessionMoved, waits_for_choice
from rgs_server.kept_sessions import KeptSessions, Session
from rgs_server.nonces import kept_seconds, reused
from rgs_server.pending import Pending, conflict
from rgs_server.sealing import Sealer
from rgs_server.seamless import Cashier
from rgs_server.sessions import Rulebook
from rgs_server.store import BY_KEY, EventRow, Store, Taken, released_after
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
COLLISIONS_MAX = 3
"""Attempts of a single spin that another worker forestalls; it is seen in the next one."""

LANE_SETTINGS = {
    # Durable before it is answered, whatever the role or the database says.
    "synchronous_commit": "on",
    **BY_KEY,
}


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
        self._clock = clock
        self._cashier = cashier
        self._debits: set[asyncio.Task[None]] = set()
        self._queue: deque[Pending] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._store: Store | None = None
        self._sessions = KeptSessions(rules, sealer, config.session_cache_max)
        self._drawing = Drawing(rules, self._sessions, clock)
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
                self._sessions.forget_all()
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
                await self._sessions.load(store, queued)
                self._queue.extendleft(reversed([pending for pending in queued if not self._add(batch, pending)]))
                self._sessions.just_read.clear()
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
                self._sessions.forget(spins)
                await self._disconnect()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.5)
            except asyncpg.PostgresError as error:
                self._take_back()
                self._sessions.forget(spins)
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
            self._sessions.forget(spins)
            self._queue.extendleft(reversed(spins))

    def _add(self, batch: Batch, pending: Pending) -> bool:
        """Draws or refuses a spin in a batch; False when it has to wait for another one."""
        own = names_of(pending)
        session = self._sessions.get(pending.session_key)
        if own & batch.names or (session is not None and session.moved):
            return False
        try:
            drawn = self._drawing.draw(pending, session)
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
        taken = await self._commit(store, batch)
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
        for session in self._sessions.of(sessions):
            session.moved = True
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

    async def _commit(self, store: Store, batch: Batch) -> Taken:
        """Writes rows with the nonces of the spins that are theirs or are to be refused."""
        uses = sorted(pending.nonce for pending in batch.spins() if pending.nonce is not None)
        digests, claims = [use.digest for use in uses], [use.claim for use in uses]
        kept_s = kept_seconds(self._config)
        if batch.drawn:
            rows = [drawn.row for drawn in batch.drawn]
            finished = all(drawn.ends for drawn in batch.drawn)
            return await store.commit_spins(rows, MECHANIC_VERSION, digests, claims, kept_s, finished=finished)
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
