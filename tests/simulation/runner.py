"""Plays histories on the real code of the service and a real PostgreSQL, beside the model, and compares."""

from __future__ import annotations

import asyncio
import copy
import functools
import hashlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from rgs_server import balances, choices, players, sessions, settlement, spins
from rgs_server.catalogue import Playable
from rgs_server.config import Config
from rgs_server.contract.problems import Problem
from rgs_server.nonces import NonceMemory
from rgs_server.registry import Registry
from rgs_server.sealing import Sealer
from rgs_server.service import Service
from rgs_server.sessions import Rulebook
from rgs_server.store import Store
from rgs_server.sweeping import BATCH, close_idle, report_unsettled
from simulation import histories as h
from simulation.model import IN_PROGRESS, RULES, Answer, Debit, Draw, Model
from simulation.wallet import MoodyWallets, WalletBook
from simulation.wire import Connection, Link, VirtualLoop, Wire

from rgs_core._engine import Engine
from rgs_core.seeds import derive_key
from rgs_core.stages import StagedRounds, has_choices

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
MASTER_KEY = bytes(range(32))
DRAIN_S, DRAINS_MAX = 1000, 12
STEP_S_MAX = 120
WORKERS = 2

_runs = itertools.count(1)


class Differs(Exception):
    """The service and the model do not agree; the message says where."""


@dataclass(frozen=True)
class Game:
    """A build that is played, and what plays it for the model: an engine of our own for each mode, or rounds in stages."""

    playable: Playable
    engines: Mapping[str, Engine | StagedRounds]

    @staticmethod
    def of(playable: Playable) -> Game:
        builds = [played.build for played in playable.modes]
        return Game(playable, {b.mode: StagedRounds(b) if has_choices(b) else Engine(b) for b in builds})

    @property
    def hash(self) -> str:
        return self.playable.build.build_hash

    def draw(
        self, key: bytes, nonce: int, mode: str, decisions: tuple[tuple[str, str], ...]
    ) -> tuple[int, tuple[str, tuple[str, ...]] | None]:
        """What a round has won, in units, and what it asks."""
        engine = self.engines[mode]
        if isinstance(engine, Engine):
            return int(engine.spin(key, nonce).win_units), None
        outcome, question = engine.play(key, nonce, decisions)
        return outcome.win_units, None if question is None else tuple(question)  # type: ignore[return-value]


def reach(part: spins.Lane | NonceMemory, link: Link) -> None:
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

    async def idle(self) -> None:
        """Until nothing goes on behind the answers."""
        while self.lane._debits or self.service.cashier._paying:
            await asyncio.wait([*self.lane._debits, *self.service.cashier._paying])
        writer = self.service._nonces._writer
        if writer is not None:
            await writer


class Run:
    """One history: two workers, the model of each operator, and a clock that begins anew."""

    def __init__(self, loop: VirtualLoop, wire: Wire, games: Mapping[str, Game], history: h.History) -> None:
        self.loop, self.wire, self.games, self.history = loop, wire, games, history
        self.rules = Rulebook({game.hash: game.playable for game in games.values()}, Registry(None), "strictest")
        self.sealer = Sealer(MASTER_KEY)
        self.tag = f"run{next(_runs)}"
        self.random = random.Random(history.seed)
        self.seeds: dict[str, bytes] = {}  # by commitment
        self.moods: list[str] = []
        self.names = [f"{self.tag}{'AB'[n]}" for n in range(len(history.operators))]
        self.books = {f"http://wallet/{name}": WalletBook() for name in self.names}
        self.models = [
            Model(terms, self._drawer, book.holds, lambda spin, book=book: book.heard[spin])  # type: ignore[misc]
            for terms, book in zip(history.operators, self.books.values(), strict=True)
        ]
        self.answered: list[dict[str, bytes]] = [{} for _ in self.names]
        self.step = 0

    # -- what the service gets from its surroundings --------------------------------------------

    def clock(self) -> datetime:
        return EPOCH + timedelta(milliseconds=round(self.loop.now_s * 1000))

    def new_seed(self) -> bytes:
        seed = self.random.randbytes(32)
        self.seeds[hashlib.sha256(seed).hexdigest()] = seed
        return seed

    def fraction(self) -> float:
        return self.random.random()

    def _drawer(self, body: bytes, opened: h.Open) -> Draw:
        """The rounds of a session by nonce, from the seed that its answer has committed to."""
        if not body:
            return lambda nonce, mode, decisions: (0, None)  # it has not been opened: the answer was a refusal
        key = derive_key(self.seeds[json.loads(body)["seed_commitment"]], opened.client_seed)
        return functools.partial(self.games[opened.game].draw, key)

    # -- the whole history ----------------------------------------------------------------------

    async def play(self) -> None:
        """Raises Differs."""
        await self._add_operators()
        self.workers = [Worker(self) for _ in range(WORKERS)]
        for number, step in enumerate(self.history.steps):
            self.step = number
            await self._play_step(step)
        self.step = len(self.history.steps)
        await self._drain()
        for operator in range(len(self.names)):
            await Inspection(self, operator).check()

    async def _add_operators(self) -> None:
        for name, terms in zip(self.names, self.history.operators, strict=True):
            sealed = self.sealer.seal(b"secret", f"key:{name}")
            settle_s = h.SETTLE_S if terms.settles else None
            hashes = [game.hash for game in self.games.values()]
            values = (name, list(terms.wallets), settle_s, terms.one_round, h.IDLE_S, sealed, list(self.games), hashes)
            await self.wire.ask("execute", ADD_OPERATOR, *values, f"http://wallet/{name}", h.CHOOSE_S)

    async def clean(self) -> None:
        """Nothing is left that a later history could find due."""
        for name in self.names:
            await self.wire.ask("execute", LEAVE_NOTHING_DUE, name)

    async def _play_step(self, step: h.Step) -> None:
        for model in self.models:
            model.now_s = self.loop.now_s
        ops = [self.models[op.operator].resolve(op) if isinstance(op, h.Choose) else op for op in step.ops]
        self.moods[:] = step.moods
        self._bound()
        for number, worker in enumerate(self.workers):
            worker.link.arm(step.fault if step.fault is not None and step.fault.worker == number else None)
        tasks = [
            asyncio.create_task(self._answer(self.workers[worker], op))
            for op, worker in zip(ops, step.workers, strict=True)
        ]
        links = [self.workers[worker].link for worker in step.workers]
        for task, link in zip(tasks, links, strict=True):
            await asyncio.wait([task, link.crashed], return_when=asyncio.FIRST_COMPLETED)
        for number, worker in enumerate(self.workers):
            idle = asyncio.create_task(worker.idle())
            await asyncio.wait([idle, worker.link.crashed], return_when=asyncio.FIRST_COMPLETED)
            worker.link.arm(None)
            if worker.link.dead:
                self.workers[number] = Worker(self)
        answers = [task.result() if task.done() else None for task in tasks]
        if step.fault is None and None in answers:
            raise Differs("answered INTERNAL, and nothing was wrong")
        for operator in range(len(self.names)):
            mine = [
                (op, answer)
                for op, answer in zip(ops, answers, strict=True)
                if op.operator == operator or isinstance(op, h.Sweep)  # which knows no operators
            ]
            if mine:
                await self._explain(operator, mine, step.fault is not None and step.fault.kind == "lost")

    def _pass(self, seconds: float) -> None:
        """Lets time pass while nothing is under way, so that no timer has to be met on the way."""
        self.loop.now_s += seconds
        self._bound()

    def _bound(self) -> None:
        self.loop.until_s = self.loop.now_s + STEP_S_MAX

    # -- one request ----------------------------------------------------------------------------

    async def _answer(self, worker: Worker, op: h.Op) -> Answer | None:
        """What a request is answered; None where nobody knows what became of it."""
        try:
            answer: Answer = await self.CALLS[type(op)](self, worker.service, op)
        except Problem as problem:
            return None if problem.code == "INTERNAL" else Answer(problem.code)
        return answer

    async def _spin(self, service: Service, op: h.Spin) -> Answer:
        body = encoded(
            spin_id=op.spin, round_id=op.round, session_id=op.session, idempotency_key=op.key,
            stake=amount(op.stake_minor, op.currency), **({} if op.mode == h.BASE else {"mode": op.mode}),
        )  # fmt: skip
        name = self.names[op.operator]
        nonce = service._nonces.hold(name, op.nonce) if op.nonce else None  # as the gate does
        answer = await service.desk.play(name, body, None, nonce)
        self.answered[op.operator].setdefault(op.key, answer.body)
        return shown(*answer)

    async def _open(self, service: Service, op: h.Open) -> Answer:
        name = self.names[op.operator]
        fields: dict[str, Any] = {"wallet": op.wallet} if op.wallet else {}
        body = encoded(
            session_id=op.session, operator_id=name, player_id=op.player, game_id=op.game, build_hash=self.games[op.game].hash,
            geo="DE", currency=op.currency, client_seed=op.client_seed, **fields,
        )  # fmt: skip
        async with service.store() as store:
            return shown(*await sessions.open_session(store, self.sealer, self.rules, name, body, self.clock()))

    async def _settle(self, service: Service, op: h.Settle) -> Answer:
        body = encoded(debit_tx=op.debit_tx, credit_tx=op.credit_tx)
        async with service.store() as store:
            return shown(*await settlement.settle(store, self.names[op.operator], op.round, body, self.clock()))

    async def _void(self, service: Service, op: h.Void) -> Answer:
        body = encoded(session_id=op.session, reason=op.reason)
        async with service.store() as store:
            return shown(*await settlement.void(store, self.names[op.operator], op.round, body, self.clock()))

    async def _choose(self, service: Service, op: h.Chosen) -> Answer:
        body = encoded(step=op.step, choice=op.choice, option=op.option)
        name = self.names[op.operator]
        async with service.store() as store:
            return shown(*await choices.choose(store, service.builds, name, op.round, body, self.clock()))

    async def _transfer_in(self, service: Service, op: h.TransferIn) -> Answer:
        body = encoded(transfer_id=op.transfer, amount=amount(op.amount_minor, op.currency))
        async with service.store() as store:
            return shown(*await balances.transfer_in(store, self.names[op.operator], op.session, body, self.clock()))

    async def _close(self, service: Service, op: h.Close) -> Answer:
        async with service.store() as store:
            name = self.names[op.operator]
            return shown(*await balances.close_session(store, self.sealer, name, op.session, self.clock()))

    async def _block(self, service: Service, op: h.Block) -> Answer:
        body = encoded(self_excluded=op.blocked)
        async with service.store() as store:
            return shown(*await players.set_flags(store, self.names[op.operator], op.player, body, self.clock()))

    async def _read_round(self, service: Service, op: h.ReadRound) -> Answer:
        async with service.store() as store:
            return shown(await settlement.round_state(store, self.names[op.operator], op.round), False)

    async def _read_session(self, service: Service, op: h.ReadSession) -> Answer:
        async with service.store() as store:
            return shown(await balances.session_state(store, self.names[op.operator], op.session), False)

    async def _pay(self, service: Service, op: h.Pay) -> Answer:
        await service.cashier.pay_due()
        return Answer("")

    async def _sweep(self, service: Service, op: h.Sweep) -> Answer:
        async with service.store() as store:
            await choices.decide_overdue(store, service.builds, self.clock(), BATCH)
            await report_unsettled(store, self.clock())
            await close_idle(store, self.sealer, self.clock())
        return Answer("")

    async def _wait(self, service: Service, op: h.Wait) -> Answer:
        self._pass(op.seconds)
        return Answer("")

    CALLS: ClassVar[dict[type[h.Op], Callable[..., Any]]] = {
        h.Spin: _spin, h.Open: _open, h.Settle: _settle, h.Void: _void, h.TransferIn: _transfer_in, h.Close: _close,
        h.Block: _block, h.ReadRound: _read_round, h.ReadSession: _read_session, h.Pay: _pay, h.Sweep: _sweep,
        h.Wait: _wait, h.Chosen: _choose,
    }  # fmt: skip

    # -- the model's word on it -----------------------------------------------------------------

    async def _explain(self, operator: int, told: list[tuple[h.Op, Answer | None]], lost: bool) -> None:
        """Some order of what was done has to explain all answers, and what is on record of what was not answered."""
        unanswered = [op for op, answer in told if answer is None]
        if any(isinstance(op, h.Sweep) for op in unanswered):
            # Which of its work was done before a fault is seen by doing it again.
            await self._answer(self.workers[0], h.Sweep(operator))
            told = [(op, Answer("") if isinstance(op, h.Sweep) else answer) for op, answer in told]
        told = [pair for pair in told if type(pair[0]) in RULES]
        unanswered = [op for op, answer in told if answer is None]
        found = [await self._record_of(operator, op) for op in unanswered]
        wrong: list[str] = []
        before = self.models[operator]
        for order in itertools.permutations(told):
            for done in itertools.product((True, False), repeat=len(unanswered)):
                model = before if len(told) == 1 and not unanswered else clone(before)
                known = dict(zip(map(id, unanswered), zip(done, found, strict=True), strict=True))
                why = self._tell(model, order, known, lost)
                why = why or next(
                    (
                        f"not answered: {op.line()}; on record is {record}, the rules say {model.record_of(op)}"
                        for op, (record, _) in zip(unanswered, found, strict=True)
                        if model.record_of(op) != record
                    ),
                    "",
                )
                if not why:
                    self.models[operator] = model
                    await self._learn_debits(operator, [op for op, _ in told if isinstance(op, h.Spin)])
                    await self._learn_nonces(operator, [op for op in unanswered if isinstance(op, h.Spin)])
                    return
                wrong.append(why)
        raise Differs("\n      nor: ".join(dict.fromkeys(wrong)))

    @staticmethod
    def _tell(
        model: Model,
        order: tuple[tuple[h.Op, Answer | None], ...],
        unanswered: dict[int, tuple[bool, tuple[Any, bytes]]],
        lost: bool,
    ) -> str:
        """Tells a model of requests in an order; what is wrong about their answers."""
        for op, answer in order:
            if answer is None:
                done, (record, body) = unanswered[id(op)]
                if done and record is not None:
                    model.apply(op, Answer("", body) if body else None)
                continue
            if answer.code == "IDEMPOTENCY_CONFLICT" and any(same_key(op, other) for other, _ in order if other != op):
                continue  # a key that is being answered is taken already, whatever becomes of it
            if answer.code == "NONCE_REUSED" and any(same_nonce(op, other) for other, heard in order if heard is None):
                continue
            if answer.code == IN_PROGRESS and sum(same_spin(op, other) for other, _ in order) > 1:
                continue
            difference = model.apply(op, answer).differs(answer, lost)
            if difference:
                return f"{op.line()}: {difference}"
        return ""

    async def _record_of(self, operator: int, op: h.Op) -> tuple[Any, bytes]:
        """What is on record of a request that was not answered, in the words of `Model.record_of`; with its answer."""
        name = self.names[operator]

        async def one(sql: str, *values: Any) -> Any:
            row = await self.wire.ask("fetchrow", sql, name, *values)
            return None if row is None else tuple(row)

        match op:
            case h.Open():
                row = await one(
                    "SELECT player_id, wallet, client_seed, response FROM sessions WHERE operator_id = $1 AND session_id = $2",
                    op.session,
                )
                return (None, b"") if row is None else (row[:3], row[3])
            case h.Spin():
                row = await one(
                    "SELECT p.spin_id, p.round_id, p.nonce, k.response FROM idempotency k JOIN "
                    "(SELECT operator_id, idempotency_key, spin_id, round_id, nonce FROM spins UNION ALL "
                    "SELECT operator_id, idempotency_key, spin_id, round_id, nonce FROM waiting_rounds) p "
                    "ON p.operator_id = k.operator_id AND p.idempotency_key = k.key "
                    "WHERE k.operator_id = $1 AND k.key = $2",
                    op.key,
                )
                return (None, b"") if row is None else (row[:3], row[3])
            case h.Settle() | h.Void():
                sql = "SELECT ending, debit_tx, credit_tx, reason FROM round_ends WHERE operator_id = $1 AND round_id = $2"
                return await one(sql, op.round), b""
            case h.Chosen():
                sql = "SELECT choice, option, response FROM choices WHERE operator_id = $1 AND round_id = $2 AND step = $3"
                row = await one(sql, op.round, op.step)
                return (None, b"") if row is None else (row[:2], row[2])
            case h.TransferIn():
                sql = "SELECT session_id, amount_minor::bigint FROM ledger WHERE operator_id = $1 AND txn_id = 'in:' || $2"
                return await one(sql, op.transfer), b""
            case h.Close():
                sql = "SELECT closed_at IS NOT NULL FROM sessions WHERE operator_id = $1 AND session_id = $2"
                row = await one(sql, op.session)
                return row is not None and row[0], b""
            case h.Block():
                sql = "SELECT self_excluded FROM player_flags WHERE operator_id = $1 AND player_id = $2"
                row = await one(sql, op.player)
                return (None if row is None else row[0]), b""
        return None, b""

    STEPS: ClassVar[dict[str, set[str]]] = {
        "pending": {"pending", "accepted", "refused", "abandoned"},
        "accepted": {"accepted", "abandoned"},
        "refused": {"refused"},
        "abandoned": {"abandoned"},
    }

    async def _learn_debits(self, operator: int, asked: list[h.Spin]) -> None:
        """How far the debits have come; none goes back, and none of a played spin is given up.

        Also those of spins that were `asked` for and refused: a worker may have asked the wallet before it knew."""
        model = self.models[operator]
        new = {op.spin: op for op in asked if op.spin not in model.debits and model.may_debit(op)}
        if not new and all(debit.state in ("refused", "abandoned") for debit in model.debits.values()):
            return
        sql = "SELECT spin_id, state, last_error FROM wallet_steps WHERE operator_id = $1 AND kind = 'debit'"
        rows = {row["spin_id"]: row for row in await self.wire.ask("fetch", sql, self.names[operator])}
        model.debits |= {spin_id: Debit(op, model.now_s) for spin_id, op in new.items()}
        for spin_id, debit in list(model.debits.items()):
            if spin_id not in rows:
                del model.debits[spin_id]  # it was never asked for
                continue
            state = rows[spin_id]["state"]
            if state not in self.STEPS[debit.state] or (spin_id in model.spins and state != "accepted"):
                played = ", and its spin was played" if spin_id in model.spins else ""
                raise Differs(f"the debit of {spin_id} was {debit.state} and is {state}{played}")
            debit.state = state
            if state == "refused":
                known = rows[spin_id]["last_error"] == "INSUFFICIENT_FUNDS"
                debit.code = "INSUFFICIENT_FUNDS" if known else "WALLET_REFUSED"

    async def _learn_nonces(self, operator: int, unanswered: list[h.Spin]) -> None:
        """Whether the nonces of requests without an answer are used up: they may be where nothing else was done."""
        nonces = self.models[operator].nonces
        for op in unanswered:
            digest = hashlib.sha256(f"{self.names[operator]}\0{op.nonce}".encode()).digest()[:16]
            if op.nonce and await self.wire.ask("fetchval", "SELECT digest FROM nonces WHERE digest = $1", digest):
                nonces.add(op.nonce)
            else:
                nonces.discard(op.nonce)

    async def _drain(self) -> None:
        """Time goes on until nothing is under way at the wallets, which take everything now."""
        self.moods.clear()
        if not any("seamless" in terms.wallets for terms in self.history.operators):
            return
        for _ in range(DRAINS_MAX):
            self._pass(DRAIN_S)
            await self.workers[0].service.cashier.pay_due()
            await self.workers[0].idle()
            sql = "SELECT count(*) FROM wallet_steps WHERE operator_id = ANY ($1::text[]) AND next_try_at IS NOT NULL"
            if not await self.wire.ask("fetchval", sql, self.names):
                break
        else:
            raise Differs("steps at the wallet are still under way, though it takes everything")
        for operator in range(len(self.names)):
            await self._learn_debits(operator, [])


class Inspection:
    """What is on record of one operator at the end, against the model."""

    def __init__(self, run: Run, operator: int) -> None:
        self._run = run
        self._operator = operator
        self._model = run.models[operator]
        self._name = run.names[operator]

    async def _rows(self, sql: str) -> list[Any]:
        return [tuple(row) for row in await self._run.wire.ask("fetch", sql, self._name)]

    @staticmethod
    def _same(what: str, found: Any, ruled: Any) -> None:
        if found != ruled:
            raise Differs(f"at the end: {what}: on record {found}, the rules say {ruled}")

    async def check(self) -> None:
        """Raises Differs."""
        model = self._model
        sessions_sql = "SELECT session_id, balance_minor::bigint, next_nonce, closed_at IS NOT NULL FROM sessions WHERE operator_id = $1"
        ruled = {
            (name, s.balance if s.wallet == "transfer" else None, s.next_nonce, s.closed)
            for name, s in model.sessions.items()
        }
        self._same("sessions", set(await self._rows(sessions_sql)), ruled)
        spins_sql = "SELECT spin_id, round_id, session_id, nonce, stake_minor::bigint, win_minor::bigint FROM spins WHERE operator_id = $1"
        played = [(r, p) for r, p in model.rounds.items() if p.spin is not None and p.asked is None]
        ruled = {(p.spin.spin, r, p.session, p.nonce, p.spin.stake_minor, p.win) for r, p in played}  # type: ignore[union-attr]
        self._same("spins", set(await self._rows(spins_sql)), ruled)
        await self._check_ends()
        await self._check_choices()
        await self._check_answers()
        await self._check_money()
        events_sql = "SELECT event_type, count(*) FROM outbox WHERE operator_id = $1 GROUP BY event_type"
        counts = {
            "spin_finished": len(played), "round_unsettled": model.unsettled_events, "session_swept": model.swept_events,
            "round_autoclosed": model.autoclosed_events,
        }  # fmt: skip
        self._same("events", dict(await self._rows(events_sql)), {kind: n for kind, n in counts.items() if n})
        events_sql = "SELECT payload FROM outbox WHERE operator_id = $1 AND event_type = 'spin_finished'"
        told = sorted(json.loads(row[0])["spin_id"] for row in await self._rows(events_sql))
        self._same("spins that events tell of", told, sorted(p.spin.spin for _, p in played))  # type: ignore[union-attr]

    async def _check_ends(self) -> None:
        model = self._model
        ends_sql = "SELECT round_id, ending FROM round_ends WHERE operator_id = $1"
        ruled = {
            (name, "settled" if isinstance(played.ended, h.Settle) else "voided")
            for name, played in model.rounds.items()
            if played.ended is not None
        }
        self._same("ends of rounds", set(await self._rows(ends_sql)), ruled)
        open_sql = "SELECT round_id, reported_at IS NOT NULL FROM open_rounds WHERE operator_id = $1"
        waiting = {(n, p.overdue) for n, p in model.rounds.items() if p.waits and p.ended is None}
        self._same("open rounds", set(await self._rows(open_sql)), waiting)

    async def _check_choices(self) -> None:
        model = self._model
        sql = "SELECT round_id, nonce, choice, options, won_minor::bigint FROM waiting_rounds WHERE operator_id = $1"
        found = {(name, nonce, choice, *options, won) for name, nonce, choice, options, won in await self._rows(sql)}
        ruled = {(n, p.nonce, p.asked[0], *p.asked[1], p.won) for n, p in model.rounds.items() if p.asked is not None}
        self._same("rounds that wait for a choice", found, ruled)
        sql = "SELECT round_id, step, choice, option, made_by, response FROM choices WHERE operator_id = $1"
        rows = {(name, step): (rest, body) for name, step, *rest, body in await self._rows(sql)}
        made = {(n, step): d for n, p in model.rounds.items() for step, d in enumerate(p.decisions, 1)}
        ruled_rest = {place: [d.choice, d.option, d.made_by] for place, d in made.items()}
        self._same("choices", {place: rest for place, (rest, _) in rows.items()}, ruled_rest)
        for place, decision in made.items():
            if decision.body is not None:
                self._same(f"the answer of choice {place}", rows[place][1], decision.body)

    async def _check_answers(self) -> None:
        sql = "SELECT key, response FROM idempotency WHERE operator_id = $1"
        stored = dict(await self._rows(sql))
        self._same("keys", set(stored), set(self._model.answers))
        for key, body in self._run.answered[self._operator].items():
            self._same(f"the answer of {key}", stored.get(key), body)

    async def _check_money(self) -> None:
        model = self._model
        sql = (
            "SELECT session_id, account, sum(change)::bigint, currency FROM ("
            "SELECT session_id, credit_account AS account, amount_minor AS change, currency FROM ledger WHERE operator_id = $1"
            " UNION ALL SELECT session_id, debit_account, -amount_minor, currency FROM ledger WHERE operator_id = $1) t"
            " GROUP BY session_id, account, currency HAVING sum(change) <> 0"
        )
        sums = {(session, account): minor for session, account, minor, _ in await self._rows(sql)}
        self._same("sum of all accounts", sum(sums.values()), 0)
        self._same("accounts", sums, model.accounts())
        net = {player: minor for player, minor in self._run.books[f"http://wallet/{self._name}"].net.items() if minor}
        self._same("the wallet's book", net, {player: minor for player, minor in model.wallet_net.items() if minor})


ADD_OPERATOR = """
WITH operator AS (
    INSERT INTO operators (operator_id, wallets, settle_within_s, one_round, idle_close_s, choose_within_s, enforces_markets)
    VALUES ($1, $2, $3, $4, $5, $10, false)
),
key AS (INSERT INTO operator_keys (key_id, operator_id, secret_sealed) VALUES ($1, $1, $6)),
wallet AS (INSERT INTO operator_wallets (operator_id, url, key_id) VALUES ($1, $9, $1))
INSERT INTO operator_games (operator_id, game_id, build_ref, build_hash)
SELECT $1, game_id, build_hash, build_hash FROM unnest($7::text[], $8::text[]) AS t(game_id, build_hash)
"""

LEAVE_NOTHING_DUE = """
WITH rounds AS (DELETE FROM open_rounds WHERE operator_id = $1),
choices AS (DELETE FROM waiting_rounds WHERE operator_id = $1),
steps AS (DELETE FROM wallet_steps WHERE operator_id = $1),
events AS (DELETE FROM outbox WHERE operator_id = $1)
UPDATE operators SET idle_close_s = NULL WHERE operator_id = $1
"""


def clone(model: Model) -> Model:
    """A copy to try an order on; what never changes is shared."""
    shared = {id(part): part for part in (model.drawer, model.took, model.moods, model.terms)}
    for session in model.sessions.values():
        shared[id(session.draw)] = session.draw
    return copy.deepcopy(model, shared)


def same_key(op: h.Op, other: h.Op) -> bool:
    return isinstance(op, h.Spin) and isinstance(other, h.Spin) and op.key == other.key


def same_spin(op: h.Op, other: h.Op) -> bool:
    return isinstance(op, h.Spin) and isinstance(other, h.Spin) and op.spin == other.spin


def same_nonce(op: h.Op, other: h.Op) -> bool:
    return isinstance(op, h.Spin) and isinstance(other, h.Spin) and op.nonce == other.nonce


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
