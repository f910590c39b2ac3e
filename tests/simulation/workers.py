"""Workers: the real code of the service in the place of a process each, and the requests that they are asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from rgs_server import balances, choices, players, sessions, settlement, spin_lane
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.nonces import NonceMemory
from rgs_server.service import Service
from rgs_server.store import Store
from rgs_server.sweeping import BATCH, close_idle, report_unsettled
from simulation import histories as h
from simulation.model import Answer
from simulation.wallet import MoodyWallets
from simulation.wire import Connection, Link

if TYPE_CHECKING:
    from simulation.runner import Run

WORKERS = 2


def reach(part: spin_lane.Lane | NonceMemory, link: Link) -> None:
    """Gives something that has a connection of its own the worker's link in its place."""

    async def connected() -> Store:
        if part._store is None or part._store.connection.is_closed():
            part._store = Store(link.connection())  # type: ignore[arg-type]
        return part._store

    part._connected = connected  # type: ignore[method-assign]


class Pool:
    """As much of a pool as `Service.store` uses."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[Connection]:
        yield self._link.connection()


class Worker:
    """One worker process: everything that the service keeps in memory, until a crash."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.link = Link(run.wire)
        config = Config(workers=WORKERS)
        service = Service(config, "", run.rules, run.sealer, run.clock)
        service._pool = Pool(self.link)  # type: ignore[assignment]
        service.cashier._client = MoodyWallets(self.link, run.books, run.moods)  # type: ignore[assignment]
        (lane,) = service.desk._lanes
        for part in (lane, service._nonces):
            reach(part, self.link)
        service.desk.start()
        self.service, self.lane = service, lane

    @property
    def busy(self) -> set[asyncio.Task[None]]:
        """What goes on behind the answers."""
        writer = self.service._nonces._writer
        tasks = {*self.lane._debits, *self.service.cashier._paying}
        return tasks if writer is None or writer.done() else {*tasks, writer}

    async def idle(self) -> None:
        while busy := self.busy:
            await asyncio.wait(busy)

    async def answer(self, op: h.Op) -> Answer | None:
        """What a request is answered; None where nobody knows what became of it."""
        try:
            answer: Answer = await self.CALLS[type(op)](self, op)
        except Problem as problem:
            return None if problem.code == "INTERNAL" else Answer(problem.code)
        return answer

    async def _spin(self, op: h.Spin) -> Answer:
        body = encoded(
            spin_id=op.spin, round_id=op.round, session_id=op.session, idempotency_key=op.key,
            stake=amount(op.stake_minor, op.currency), **({} if op.mode == h.BASE else {"mode": op.mode}),
        )  # fmt: skip
        name = self._run.names[op.operator]
        nonce = self.service._nonces.hold(name, op.nonce) if op.nonce else None  # as the gate does
        answer = await self.service.desk.play(name, body, None, nonce)
        self._run.answered[op.operator].setdefault(op.key, answer.body)
        return shown(*answer)

    async def _open(self, op: h.Open) -> Answer:
        name = self._run.names[op.operator]
        fields: dict[str, Any] = {"wallet": op.wallet} if op.wallet else {}
        body = encoded(
            session_id=op.session, operator_id=name, player_id=op.player, game_id=op.game, build_hash=self._run.games[op.game].hash,
            geo="DE", currency=op.currency, client_seed=op.client_seed, **fields,
        )  # fmt: skip
        async with self.service.store() as store:
            return shown(
                *await sessions.open_session(store, self._run.sealer, self._run.rules, name, body, self._run.clock())
            )

    async def _settle(self, op: h.Settle) -> Answer:
        body = encoded(debit_tx=op.debit_tx, credit_tx=op.credit_tx)
        async with self.service.store() as store:
            return shown(
                *await settlement.settle(store, self._run.names[op.operator], op.round, body, self._run.clock())
            )

    async def _void(self, op: h.Void) -> Answer:
        body = encoded(session_id=op.session, reason=op.reason)
        async with self.service.store() as store:
            return shown(*await settlement.void(store, self._run.names[op.operator], op.round, body, self._run.clock()))

    async def _choose(self, op: h.Chosen) -> Answer:
        body = encoded(step=op.step, choice=op.choice, option=op.option)
        name = self._run.names[op.operator]
        async with self.service.store() as store:
            return shown(
                *await choices.choose(
                    store, self.service.builds, name, op.round, body, self._run.clock(), self.service.metrics
                )
            )

    async def _transfer_in(self, op: h.TransferIn) -> Answer:
        body = encoded(transfer_id=op.transfer, amount=amount(op.amount_minor, op.currency))
        async with self.service.store() as store:
            return shown(
                *await balances.transfer_in(store, self._run.names[op.operator], op.session, body, self._run.clock())
            )

    async def _close(self, op: h.Close) -> Answer:
        async with self.service.store() as store:
            name = self._run.names[op.operator]
            return shown(*await balances.close_session(store, self._run.sealer, name, op.session, self._run.clock()))

    async def _block(self, op: h.Block) -> Answer:
        body = encoded(self_excluded=op.blocked)
        async with self.service.store() as store:
            return shown(
                *await players.set_flags(store, self._run.names[op.operator], op.player, body, self._run.clock())
            )

    async def _read_round(self, op: h.ReadRound) -> Answer:
        async with self.service.store() as store:
            return shown(await settlement.round_state(store, self._run.names[op.operator], op.round), False)

    async def _read_session(self, op: h.ReadSession) -> Answer:
        async with self.service.store() as store:
            return shown(await balances.session_state(store, self._run.names[op.operator], op.session), False)

    async def _pay(self, op: h.Pay) -> Answer:
        await self.service.cashier.pay_due()
        return Answer("")

    async def _sweep(self, op: h.Sweep) -> Answer:
        async with self.service.store() as store:
            await choices.decide_overdue(store, self.service.builds, self._run.clock(), BATCH, self.service.metrics)
            await report_unsettled(store, self._run.clock())
            await close_idle(store, self._run.sealer, self._run.clock())
        return Answer("")

    async def _wait(self, op: h.Wait) -> Answer:
        self._run.let_pass(op.seconds)
        return Answer("")

    CALLS: ClassVar[dict[type[h.Op], Callable[..., Any]]] = {
        h.Spin: _spin, h.Open: _open, h.Settle: _settle, h.Void: _void, h.TransferIn: _transfer_in, h.Close: _close,
        h.Block: _block, h.ReadRound: _read_round, h.ReadSession: _read_session, h.Pay: _pay, h.Sweep: _sweep,
        h.Wait: _wait, h.Chosen: _choose,
    }  # fmt: skip


def encoded(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def amount(minor: int, currency: str) -> dict[str, str]:
    return {"amount": f"{minor // 100}.{minor % 100:02d}", "currency": currency}


def shown(body: bytes, replayed: bool) -> Answer:
    """What an answer shows, amounts as minor units."""
    fields = json.loads(body)
    for name, value in (fields.pop("outcome", None) or {}).items():
        fields[name] = value
    shows = {
        name: int(value["minor"]) if isinstance(value, dict) and "minor" in value else value
        for name, value in fields.items()
    }
    if isinstance(shows.get("paid_out"), dict):
        shows["paid_out"] = int(shows["paid_out"]["amount"]["minor"])
    if isinstance(shows.get("awaiting"), dict):
        asked = shows["awaiting"]
        shows["awaiting"] = (asked["step"], asked["choice"], tuple(asked["options"]), int(asked["won"]["minor"]))
    if isinstance(shows.get("open_rounds"), list):
        shows["open_rounds"] = sorted(row["round_id"] for row in shows["open_rounds"])
    return Answer("", body, shows, replayed)
