"""Sessions whose money we move at the platform's wallet: debit before the draw, credit until it is taken.

A stake is written down before it is asked for, and drawn only once the wallet has taken it; the credit is written in the
same transaction as the outcome. So whatever is killed when, a look at the rows that are due finishes every round: a debit
of which nothing became is abandoned and rolled back, a credit or a rollback is asked for until it is accepted. What was
asked for so long that nobody believes in it any more has failed, and waits for people.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from datetime import datetime, timedelta

import asyncpg

from rgs_server import happenings
from rgs_server.background import Background
from rgs_server.backoff import fraction, next_try
from rgs_server.clock import Clock
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.sealing import Sealer
from rgs_server.store import Store, Stores
from rgs_server.telemetry.metrics import Metrics
from rgs_server.telemetry.tracing import Tracing
from rgs_server.wallet_api import Verdict, Wallet, WalletClient, step_body

log = logging.getLogger("rgs.wallet")

BATCH = 64
IN_FLIGHT_MAX = 64
"""Steps of one operator that are asked for at the same time, more or less a batch."""
GIVE_UP_AFTER = timedelta(hours=24)
POLL_S = 1.0
IN_PROGRESS_WAIT_S = 2.0
"""How long a repeated request waits for the first one."""
TURN_S = 0.1
"""Between looks whether another worker has its verdict."""
NO_WALLET = "the operator has no wallet; set it with 'rgs-server operator --wallet-url'"


class Cashier:
    """Asks wallets for stakes, and pays what is due."""

    def __init__(
        self, config: Config, stores: Stores, sealer: Sealer, clock: Clock, metrics: Metrics, tracing: Tracing
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._stores = stores
        self._sealer = sealer
        self._clock = clock
        self._client = WalletClient(config.wallet_timeout_ms, metrics, tracing)
        self._due = asyncio.Event()
        self._background = Background("cashier")
        self._paying: dict[asyncio.Task[None], str] = {}
        """Steps that wallets are asked for now, and whose they are."""

    def start(self) -> None:
        self._background.begin(self._run())

    async def stop(self) -> None:
        await self._background.end()
        for task in self._paying:
            task.cancel()
        await asyncio.gather(*self._paying, return_exceptions=True)
        await self._client.close()

    def look(self) -> None:
        """Something may be due."""
        self._due.set()

    @property
    def debit_budget_s(self) -> float:
        """How long a debit may take with all its tries."""
        return self._config.wallet_tries * (self._config.wallet_timeout_ms / 1000 + 0.5)

    async def debit(
        self,
        operator_id: str,
        session_id: str,
        spin_id: str,
        round_id: str,
        stake_minor: int,
        fingerprint: bytes,
        player_id: str,
        game_id: str,
        traceparent: str | None,
    ) -> None:
        """Returns when the wallet has taken the stake. Raises Problem when it has not, or when nobody knows."""
        txn_id = f"debit:{spin_id}"
        now = self._clock()
        # A drawn spin has to be written within the budget too, or the debit is rolled back.
        due = now + timedelta(seconds=self.debit_budget_s + self._config.commit_timeout_ms / 1000)
        async with self._stores() as store:
            wallet = await self._wallet(store, operator_id)
            asked_until = now + self._asking
            mine = await store.begin_debit(
                operator_id, session_id, spin_id, round_id, stake_minor, fingerprint, now, due, asked_until, traceparent
            )
            step = await store.find_step(operator_id, txn_id)
            session = None if step is not None else await store.find_session(operator_id, session_id)
        if step is None:
            if session is not None and session["closed_at"] is not None:  # by another worker: ours did not know
                raise Problem("SESSION_CLOSED", f"session '{session_id}' was closed; open a new one")
            raise Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' has another spin; open a new one")
        if step["fingerprint"] != fingerprint:
            raise Problem("IDEMPOTENCY_CONFLICT", f"spin '{spin_id}' was asked for with another request")
        if step["state"] == "pending" and not mine:
            step = await self._turn(operator_id, txn_id, spin_id)
        if step["state"] == "pending":
            await self._ask(wallet, step, player_id, game_id)
            async with self._stores() as store:
                step = await store.find_step(operator_id, txn_id)
            assert step is not None
        elif step["state"] == "accepted":
            self._metrics.elastic["recovered"].add()
        match step["state"]:
            case "accepted":
                return
            case "refused":
                code = "INSUFFICIENT_FUNDS" if step["last_error"] == "INSUFFICIENT_FUNDS" else "WALLET_REFUSED"
                raise Problem(code, f"the wallet refused the stake: {step['last_error']}")
            case "abandoned":
                raise Problem("ROUND_ALREADY_CLOSED", f"the debit of round '{round_id}' is rolled back; open a new one")
        raise Problem("WALLET_TIMEOUT", step["last_error"] or "the wallet did not answer")

    @property
    def _asking(self) -> timedelta:
        """How long a worker that asks a wallet has the debit: for one try with its pause. Who has not come back then is
        gone."""
        return timedelta(milliseconds=self._config.wallet_timeout_ms + 1500)

    async def _turn(self, operator_id: str, txn_id: str, spin_id: str) -> asyncpg.Record:
        """A debit that another request has begun: with its verdict, or pending and ours because nobody asks any more.
        Raises Problem when it is still asked for after IN_PROGRESS_WAIT_S."""
        until = time.monotonic() + IN_PROGRESS_WAIT_S
        while True:
            now = self._clock()
            async with self._stores() as store:
                mine = await store.claim_debit(operator_id, txn_id, now, now + self._asking)
                step = await store.find_step(operator_id, txn_id)
            assert step is not None
            if mine or step["state"] != "pending":
                return step
            if time.monotonic() >= until:
                raise in_progress(spin_id)
            await asyncio.sleep(TURN_S)

    async def give_back(self, operator_id: str, session_id: str, spin_id: str, reason: str) -> None:
        """Rolls the debit of a spin back that was refused after it; if not now, then when its time is over."""
        try:
            async with self._stores() as store:
                await abandon(store, operator_id, f"debit:{spin_id}", session_id, self._clock(), reason)
        except Problem as problem:
            log.warning("the debit of %s is not given back yet: %s", spin_id, problem.detail)
        self.look()

    async def _wallet(self, store: Store, operator_id: str) -> Wallet:
        record = await store.wallet_of(operator_id)
        if record is None:
            raise Problem("WALLET_REFUSED", NO_WALLET)
        secret = self._sealer.open(record["secret_sealed"], f"key:{record['key_id']}")
        return Wallet(record["url"], record["key_id"], secret)

    async def _ask(self, wallet: Wallet, step: asyncpg.Record, player_id: str, game_id: str) -> None:
        """Asks for a stake; without a verdict the debit is abandoned."""
        body = step_body(step, player_id, game_id)
        operator_id, txn_id = step["operator_id"], step["txn_id"]
        for attempt in range(self._config.wallet_tries):
            if attempt:
                await asyncio.sleep(0.5 * fraction())
                async with self._stores() as store:
                    await store.keep_debit(operator_id, txn_id, self._clock() + self._asking)
            verdict = await self._client.call(wallet, operator_id, "debit", body, step["traceparent"])
            if verdict.status != "unknown":
                break
        if attempt and verdict.status == "accepted":
            self._metrics.elastic["debit_retried"].add()
        async with self._stores() as store:
            match verdict.status:
                case "accepted":
                    await store.accept_step(operator_id, txn_id, self._clock())
                case "refused":
                    await store.refuse_debit(
                        operator_id, txn_id, self._clock(), verdict.code or verdict.reason or "refused"
                    )
                case _:
                    log.warning("debit %s of %s: %s", txn_id, operator_id, verdict.reason)
                    await abandon(store, operator_id, txn_id, step["session_id"], self._clock(), verdict.reason)
                    self.look()
        if verdict.status == "unknown":
            raise Problem("WALLET_TIMEOUT", verdict.reason)

    # -- what is due ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._due.clear()
            try:
                more = await self.pay_due()
            except Problem as problem:
                log.warning("nothing is paid: %s", problem.detail)
                more = False
            except Exception:
                log.exception("paying failed")
                more = False
            if not more:
                try:
                    await asyncio.wait_for(self._due.wait(), POLL_S)
                except TimeoutError:
                    continue

    async def pay_due(self) -> bool:
        """One look at what is due; whether there was anything. Nobody waits for the wallets here: one that hangs delays the
        steps of its own operator, and no more than so many of them are under way."""
        now = self._clock()
        lease = now + timedelta(milliseconds=2 * self._config.wallet_timeout_ms + 5000)
        async with self._stores() as store:
            for debit in await store.overdue_debits(now, BATCH):
                reason = "nothing became of it in time"
                await abandon(store, debit["operator_id"], debit["txn_id"], debit["session_id"], now, reason)
            asked = Counter(self._paying.values())
            busy = [operator_id for operator_id, steps in asked.items() if steps >= IN_FLIGHT_MAX]
            steps = await store.claim_steps(now, BATCH, lease, busy)
            wallets: dict[str, Wallet | None] = {}
            for operator_id in {step["operator_id"] for step in steps}:
                try:
                    wallets[operator_id] = await self._wallet(store, operator_id)
                except Problem:
                    wallets[operator_id] = None
        for step in steps:
            task = asyncio.create_task(self._pay(wallets[step["operator_id"]], step))
            self._paying[task] = step["operator_id"]
            task.add_done_callback(self._paid)
        return bool(steps)

    def _paid(self, task: asyncio.Task[None]) -> None:
        del self._paying[task]
        self.look()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.warning("a step is due again later: %r", fault)

    async def _pay(self, wallet: Wallet | None, step: asyncpg.Record) -> None:
        if wallet is None:
            verdict = Verdict("unknown", reason=NO_WALLET)
        else:
            body = step_body(step, step["player_id"], step["game_id"])
            verdict = await self._client.call(wallet, step["operator_id"], step["kind"], body, step["traceparent"])
        operator_id, txn_id, now = step["operator_id"], step["txn_id"], self._clock()
        async with self._stores() as store:
            if verdict.status == "accepted":
                await store.accept_step(operator_id, txn_id, now)
                if step["kind"] == "credit" and step["attempts"] > 1:
                    self._metrics.elastic["credit_late"].add()
                return
            reason = f"refused: {verdict.code or verdict.reason}" if verdict.status == "refused" else verdict.reason
            if now - step["created_at"] > GIVE_UP_AFTER:
                log.error("%s of %s has failed: %s", txn_id, operator_id, reason)
                # The session first, as those do who write spins: what is told of it is numbered.
                async with store.connection.transaction():
                    await store.lock_session(operator_id, step["session_id"])
                    await store.fail_step(operator_id, txn_id, now, reason)
                    await store.add_events([happenings.step_failed(step, reason, now)])
            else:
                await store.postpone_step(operator_id, txn_id, next_try(now, step["attempts"]), reason)


def in_progress(spin_id: str) -> Problem:
    """Another request for the same spin is still under way."""
    return Problem("IDEMPOTENCY_IN_PROGRESS", f"spin '{spin_id}' is still being played for an earlier request; repeat")


async def abandon(store: Store, operator_id: str, txn_id: str, session_id: str, now: datetime, reason: str) -> None:
    """Gives a debit up and has it rolled back, unless its spin was drawn."""
    async with store.connection.transaction():
        await store.change_session(operator_id, session_id)
        await store.abandon_debit(operator_id, txn_id, now, reason)
