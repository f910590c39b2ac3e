"""POST /rgs/v1/spins without HTTP: bytes in, durable bytes out.

A worker has a few lanes; a session always uses the same lane. A lane commits one batch at a time, and
whatever arrives meanwhile goes into its next batch, so one disk write serves many spins and a single
spin never waits for a timer. A batch is drawn with the nonces that follow in each session and written
in one statement, which takes a row only if its key, spin and round are new and its nonce is the next.
What was not taken is looked up: it was answered before, clashes, or the session had moved on in another
worker and is drawn again. An outcome that was not written was never shown to anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg
import orjson

from rgs_core.errors import RgsError
from rgs_core.language.model import BASE_MODE, MECHANIC_VERSION
from rgs_core.seeds import derive_key
from rgs_server import answers
from rgs_server.catalogue import Playable
from rgs_server.clock import Clock
from rgs_server.config import Config
from rgs_server.contract.money import format_amount, parse_amount
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import SpinRequest, decode_spin
from rgs_server.markets import market_of
from rgs_server.play_limits import PlayerLimits, check_limits, check_mode
from rgs_server.sealing import SealBroken, Sealer
from rgs_server.seamless import Cashier
from rgs_server.sessions import Rulebook, seed_context
from rgs_server.store import SpinRow, Store

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
    # A statement that we gave up on must not wait in the server for ever, one backend for each try.
    "client_connection_check_interval": "1s",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""A lane finds single rows by their keys. Plans are made while tables are small and kept, and a plan
that reads whole tables would cost more with every spin."""

IDEMPOTENCY_KEY = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
"""As in the body: printable characters. Bytes of a header that are no UTF-8 arrive as surrogates."""


class Answer(NamedTuple):
    """The bytes of a spin's answer; `replayed` when they were given before."""

    body: bytes
    replayed: bool


@dataclass(slots=True)
class Session:
    """What a lane keeps of a session. `next_nonce` may lag behind other workers; the commit finds out."""

    player_id: str
    game_id: str
    playable: Playable
    key: bytes
    currency: str
    exponent: int
    next_nonce: int
    version: int
    balance_minor: int | None
    closed: bool
    seamless: bool
    geo: str
    limits: PlayerLimits


class SessionMoved(Exception):
    """What is kept of a session may be out of date: read it again before anything is refused for it."""


class DebitFirst(Exception):
    """The stake has to be taken at the platform's wallet before anything is drawn."""


@dataclass(slots=True)
class Ahead:
    """What the drawn spins of a batch do to a session once they are written."""

    spins: int = 0
    net_minor: int = 0


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
    debited: bool = False

    @property
    def session_key(self) -> tuple[str, str]:
        return self.operator_id, self.request.session_id

    def answer(self, body: bytes, replayed: bool) -> None:
        if not self.future.done():
            self.future.set_result(Answer(body, replayed))

    def fail(self, problem: Problem) -> None:
        if not self.future.done():
            self.future.set_exception(problem)


class SpinDesk:
    """Takes spins, joins repeated ones, and hands the rest to the lane of their session."""

    def __init__(
        self, config: Config, url: str, rules: Rulebook, sealer: Sealer, cashier: Cashier, clock: Clock
    ) -> None:
        self._config = config
        self._lanes = [Lane(config, url, rules, sealer, cashier, clock) for _ in range(config.commit_lanes)]
        self._in_flight: dict[tuple[str, str], Pending] = {}

    def start(self) -> None:
        for lane in self._lanes:
            lane.start()

    async def stop(self) -> None:
        """Finishes what is queued, then closes the connections."""
        await asyncio.gather(*(lane.stop() for lane in self._lanes))

    async def play(self, operator_id: str, body: bytes, header_key: str | None) -> Answer:
        """Plays a spin or repeats its answer. Raises Problem."""
        pending = self._decode(operator_id, body, header_key)
        scope = (operator_id, pending.idempotency_key)
        running = self._in_flight.get(scope)
        if running is not None:
            if running.fingerprint != pending.fingerprint:
                raise conflict(pending)
            answer = await self._wait(running)
            return Answer(answer.body, True)
        lane = self._lanes[hash(pending.session_key) % len(self._lanes)]
        lane.submit(pending)
        self._in_flight[scope] = pending
        pending.future.add_done_callback(lambda _: self._in_flight.pop(scope, None))
        return await self._wait(pending)

    async def _wait(self, pending: Pending) -> Answer:
        while True:
            try:
                # Shielded: a client that hangs up must not undo a commit that is under way.
                return await asyncio.wait_for(asyncio.shield(pending.future), pending.deadline - time.monotonic())
            except TimeoutError:
                if pending.deadline <= time.monotonic():  # a wallet that has to be asked takes more time
                    raise Problem("INTERNAL", "the commit did not finish in time; repeat the same request") from None

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
        return Pending(
            operator_id=operator_id,
            request=request,
            idempotency_key=key,
            fingerprint=hashlib.sha256(orjson.dumps(parts)).digest(),
            stake_minor=minor,
            deadline=time.monotonic() + self._config.commit_timeout_ms / 1000,
            future=asyncio.get_running_loop().create_future(),
        )


class Lane:
    """One connection and one commit at a time."""

    def __init__(
        self, config: Config, url: str, rules: Rulebook, sealer: Sealer, cashier: Cashier, clock: Clock
    ) -> None:
        self._config = config
        self._url = url
        self._rules = rules
        self._clock = clock
        self._sealer = sealer
        self._cashier = cashier
        self._debits: set[asyncio.Task[None]] = set()
        self._queue: deque[Pending] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._store: Store | None = None
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._unplayable: set[tuple[str, str]] = set()
        self._just_read: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="spin lane")

    async def stop(self) -> None:
        await asyncio.gather(*self._debits)
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    def submit(self, pending: Pending) -> None:
        """Queues a spin. Raises Problem when the queue is full or the service is stopping."""
        if self._stopping:
            raise Problem("MAINTENANCE", "the service is stopping; repeat the request, another worker takes it")
        if len(self._queue) >= self._config.queue_max:
            raise Problem("OVERLOADED", f"{len(self._queue)} spins are waiting; repeat the same request later")
        self._queue.append(pending)
        self._arrived.set()

    async def _run(self) -> None:
        while not (self._stopping and not self._queue):
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._config.batch_max))]
            try:
                await self._settle(batch)
            except Exception:
                # The lane must outlive any fault: without it every later spin would hang.
                log.exception("a batch of %d spins failed", len(batch))
                self._sessions.clear()
                await self._disconnect()
                for pending in batch:
                    pending.fail(Problem("INTERNAL", "the spin could not be settled; repeat the same request"))
        await self._disconnect()

    async def _settle(self, batch: list[Pending]) -> None:
        """Answers every spin of a batch, trying again while their deadlines allow."""
        pause = BACKOFF_S
        collisions = 0
        while batch:
            try:
                store = await self._connected()
                batch = await self._attempt(store, batch)
                pause = BACKOFF_S
            except (*CONNECTION_LOST, *DATABASE_BUSY) as error:
                # Committed or not is unknown here; the next attempt finds out by the same keys.
                log.warning("database trouble, trying again: %r", error)
                self._forget(batch)
                await self._disconnect()
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.5)
            except asyncpg.PostgresError as error:
                self._forget(batch)
                if len(batch) > 1:
                    # One row spoils a whole statement: settle them one by one.
                    for pending in batch:
                        await self._settle([pending])
                    return
                collisions += isinstance(error, asyncpg.UniqueViolationError)
                if not 0 < collisions < COLLISIONS_MAX:
                    log.error("the database refused a spin: %s", error)
                    batch[0].fail(Problem("INTERNAL", "the spin could not be written; repeat the same request"))
                    return
                await asyncio.sleep(BACKOFF_S)
            batch = self._drop_expired(batch)

    def _drop_expired(self, batch: list[Pending]) -> list[Pending]:
        now = time.monotonic()
        for pending in batch:
            if pending.deadline <= now:
                pending.fail(Problem("INTERNAL", "the database did not answer in time; repeat the same request"))
        return [pending for pending in batch if pending.deadline > now]

    async def _attempt(self, store: Store, batch: list[Pending]) -> list[Pending]:
        """One draw and commit. Returns the spins to be drawn again."""
        await self._load(store, batch)
        drawn: list[tuple[Pending, SpinRow]] = []
        refused: list[tuple[Pending, Problem | DebitFirst | None]] = []
        aheads: dict[tuple[str, str], Ahead] = {}
        names: set[tuple[str, str, str]] = set()
        later: list[Pending] = []
        moved: list[Pending] = []
        for pending in batch:
            # A spin or round that stands twice in a batch would spoil the statement for all.
            own = {
                (pending.operator_id, "spin", pending.request.spin_id),
                (pending.operator_id, "round", pending.request.round_id),
            }
            if own & names:
                later.append(pending)
                continue
            names |= own
            ahead = aheads.setdefault(pending.session_key, Ahead())
            try:
                row = self._draw(pending, ahead)
                drawn.append((pending, row))
                ahead.spins += 1
                ahead.net_minor += row.win_minor - row.stake_minor
            except (Problem, DebitFirst) as reason:
                refused.append((pending, reason))
            except SessionMoved:
                later.append(pending)
                moved.append(pending)
        if drawn:
            taken = await store.commit_spins([row for _, row in drawn], MECHANIC_VERSION)
            for pending, row in drawn:
                if (row.operator_id, row.spin_id) in taken:
                    session = self._sessions[pending.session_key]
                    session.next_nonce = row.nonce + 1
                    session.limits.last_round_at = row.created_at
                    if session.balance_minor is not None:
                        session.balance_minor += row.win_minor - row.stake_minor
                    pending.answer(row.response, replayed=False)
                    if session.seamless:
                        self._cashier.look()  # its win is to be paid
                else:
                    refused.append((pending, None))
        again = await self._resolve(store, refused) if refused else []
        self._forget(moved)
        return again + later

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
                self._start_debit(pending)
            elif problem is not None:
                pending.fail(problem)
            elif record["debit_state"] in ("abandoned", "refused"):
                round_id = pending.request.round_id
                pending.fail(Problem("ROUND_ALREADY_CLOSED", f"the debit of round '{round_id}' is rolled back"))
            elif record["open_round"] is not None:
                other = record["open_round"]
                pending.fail(Problem("ROUND_OPEN", f"round '{other}' of this player in this game is not settled"))
            else:
                again.append(pending)  # another worker used the nonce: read the session and draw again
        self._forget(again)
        return again

    def _start_debit(self, pending: Pending) -> None:
        """Takes the stake at the wallet, beside the lane; the spin then comes back."""
        task = asyncio.create_task(self._debit(pending, self._sessions[pending.session_key]))
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
            )
            pending.debited = True
            self.submit(pending)
        except Problem as problem:
            pending.fail(problem)
            return
        except Exception:
            log.exception("a debit failed")
            pending.fail(Problem("INTERNAL", "the debit could not be made; repeat the same request"))
            return
        try:
            await asyncio.shield(pending.future)
        except Problem as problem:
            # What is not refused for good may come back and find its debit, until its time is over.
            if problem.kind.money_state == "none" and not problem.kind.retryable:
                reason = f"the spin was refused: {problem.code}"
                await self._cashier.give_back(pending.operator_id, request.session_id, request.spin_id, reason)

    def _draw(self, pending: Pending, ahead: Ahead) -> SpinRow:
        """Plays the spin that follows those `ahead`. Raises Problem or SessionMoved before any draw."""
        request = pending.request
        session = self._sessions.get(pending.session_key)
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
        just_read = pending.session_key in self._just_read and not ahead.spins
        try:
            self._check_play(session, created_at, pending.stake_minor, ahead)
        except Problem:
            if not just_read:
                raise SessionMoved from None
            raise
        balance_minor = session.balance_minor
        if balance_minor is not None:
            balance_minor += ahead.net_minor - pending.stake_minor
            if balance_minor < 0:
                if not just_read:
                    raise SessionMoved
                held = format_amount(balance_minor + pending.stake_minor, session.exponent)
                raise Problem("INSUFFICIENT_FUNDS", f"the session holds {held} {session.currency}")
        if session.seamless and not pending.debited:
            if not just_read:
                raise SessionMoved  # another worker may have blocked the player: such a stake is not even asked for
            raise DebitFirst
        nonce = session.next_nonce + ahead.spins
        try:
            outcome = playable.engine.spin(session.key, nonce)
        except RgsError as error:
            log.error("round %d of session %s cannot be played: %s", nonce, request.session_id, error)
            raise Problem(
                "ROUND_UNPLAYABLE", "the next round of this session cannot be drawn; open a new session"
            ) from error
        event_id = f"evt-{secrets.token_hex(16)}"
        win_minor = outcome.win_units * unit_minor
        return SpinRow(
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
                balance_minor=None if balance_minor is None else balance_minor + win_minor,
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
            ),
            created_at=created_at,
            session_version=session.version,
        )

    def _check_play(self, session: Session, now: datetime, stake_minor: int, ahead: Ahead) -> None:
        """Raises Problem where no round may begin: the build, the player, the market."""
        build_hash = session.playable.build.build_hash
        if not self._rules.registry.allows(build_hash, session.geo, now):
            reasons = self._rules.registry.reasons(session.playable, session.geo, now)
            raise Problem("BUILD_NOT_CERTIFIED", "; ".join(reason.detail for reason in reasons))
        market = session.limits.market
        if ahead.spins and market is not None and market.cycle_ms:
            raise Problem("TOO_FAST", "another round of the session is being written", retry_after_ms=market.cycle_ms)
        check_limits(session.limits, now, stake_minor, session.currency, session.exponent)

    # -- sessions and connection ----------------------------------------------------------------

    async def _load(self, store: Store, batch: Sequence[Pending]) -> None:
        """Reads the sessions of a batch that are not kept."""
        missing = {p.session_key for p in batch} - self._sessions.keys()
        self._unplayable.clear()
        self._just_read = missing
        if missing:
            operators, sessions = zip(*sorted(missing), strict=True)
            for record in await store.load_sessions(list(operators), list(sessions)):
                self._keep(record)
        for pending in batch:
            if pending.session_key in self._sessions:
                self._sessions.move_to_end(pending.session_key)
        while len(self._sessions) > max(self._config.session_cache_max, len(batch)):
            self._sessions.popitem(last=False)

    def _keep(self, record: asyncpg.Record) -> None:
        operator_id, session_id = record["operator_id"], record["session_id"]
        playable = self._rules.catalogue.get(record["build_hash"])
        if playable is None:
            log.error("session %s needs build %s, which is not loaded", session_id, record["build_hash"])
            self._unplayable.add((operator_id, session_id))
            return
        try:
            seed = self._sealer.open(record["seed_sealed"], seed_context(operator_id, session_id))
        except SealBroken as error:
            log.error("%s", error)
            self._unplayable.add((operator_id, session_id))
            return
        self._sessions[operator_id, session_id] = Session(
            player_id=record["player_id"],
            game_id=record["game_id"],
            playable=playable,
            key=derive_key(seed, record["client_seed"]),
            currency=record["currency"],
            exponent=record["exponent"],
            next_nonce=record["next_nonce"],
            version=record["version"],
            balance_minor=None if record["balance_minor"] is None else int(record["balance_minor"]),
            closed=record["closed_at"] is not None,
            seamless=record["wallet"] == "seamless",
            geo=record["geo"],
            limits=PlayerLimits(
                market_of(record["geo"], self._rules.unknown_market) if record["enforces_markets"] else None,
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
            self._store = Store(
                await asyncpg.connect(
                    self._url,
                    timeout=timeout,
                    command_timeout=timeout,
                    # Below our own limit, so that the server gives up before we do.
                    server_settings={**LANE_SETTINGS, "lock_timeout": f"{int(800 * timeout)}ms"},
                )
            )
        return self._store

    async def _disconnect(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.connection.terminate()


def conflict(pending: Pending) -> Problem:
    """The key belongs to another request."""
    return Problem(
        "IDEMPOTENCY_CONFLICT",
        f"idempotency key '{pending.idempotency_key}' was used for another request; a new spin needs a new key",
    )
