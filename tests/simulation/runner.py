"""Plays histories on the real code of the service and a real PostgreSQL, beside the model, and compares."""

from __future__ import annotations

import asyncio
import copy
import functools
import hashlib
import itertools
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from rgs_server.catalogue import Playable
from rgs_server.registry import Registry
from rgs_server.sealing import Sealer
from rgs_server.sessions import Rulebook
from simulation import histories as h
from simulation.inspection import Inspection
from simulation.model import IN_PROGRESS, RULES, Answer, Debit, Draw, Model
from simulation.wallet import WalletBook
from simulation.wire import Differs, VirtualLoop, Wire
from simulation.workers import WORKERS, Worker

from rgs_core._engine import Engine
from rgs_core.seeds import derive_key
from rgs_core.stages import StagedRounds, has_choices

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
MASTER_KEY = bytes(range(32))
DRAIN_S, DRAINS_MAX = 1000, 12
STEP_S_MAX = 120

_runs = itertools.count(1)


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
            asyncio.create_task(self.workers[worker].answer(op)) for op, worker in zip(ops, step.workers, strict=True)
        ]
        links = [self.workers[worker].link for worker in step.workers]
        for task, link in zip(tasks, links, strict=True):
            await asyncio.wait([task, link.crashed], return_when=asyncio.FIRST_COMPLETED)
        for number, worker in enumerate(self.workers):
            if worker.busy:
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

    def let_pass(self, seconds: float) -> None:
        """Lets time pass while nothing is under way, so that no timer has to be met on the way."""
        self.loop.now_s += seconds
        self._bound()

    def _bound(self) -> None:
        self.loop.until_s = self.loop.now_s + STEP_S_MAX

    # -- the model's word on it -----------------------------------------------------------------

    async def _explain(self, operator: int, told: list[tuple[h.Op, Answer | None]], lost: bool) -> None:
        """Some order of what was done has to explain all answers, and what is on record of what was not answered."""
        unanswered = [op for op, answer in told if answer is None]
        if any(isinstance(op, h.Sweep) for op in unanswered):
            # Which of its work was done before a fault is seen by doing it again.
            await self.workers[0].answer(h.Sweep(operator))
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
            clash = answer.code == "IDEMPOTENCY_CONFLICT" and any(in_the_way(op, other) for other, _ in order)
            taken_up = answer.code == IN_PROGRESS and sum(same_spin(op, other) for other, _ in order) > 1
            if clash or taken_up:  # what is being answered is taken already, whatever becomes of it
                model.nonces |= {op.nonce} - {""}  # type: ignore[attr-defined]
                continue
            if answer.code == "NONCE_REUSED" and any(same_nonce(op, other) for other, heard in order if heard is None):
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
        new = [op for op in asked if op.spin not in model.debits and model.may_debit(op)]
        if not new and all(debit.state in ("refused", "abandoned") for debit in model.debits.values()):
            return
        sql = (
            "SELECT spin_id, session_id, round_id, amount_minor::bigint, state, last_error "
            "FROM wallet_steps WHERE operator_id = $1 AND kind = 'debit'"
        )
        rows = {row["spin_id"]: row for row in await self.wire.ask("fetch", sql, self.names[operator])}
        for op in new:  # of several with the same name one was first
            if op.spin in rows and tuple(rows[op.spin])[1:4] == (op.session, op.round, op.stake_minor):
                model.debits[op.spin] = Debit(op, model.now_s)
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
            self.let_pass(DRAIN_S)
            await self.workers[0].service.cashier.pay_due()
            await self.workers[0].idle()
            sql = "SELECT count(*) FROM wallet_steps WHERE operator_id = ANY ($1::text[]) AND next_try_at IS NOT NULL"
            if not await self.wire.ask("fetchval", sql, self.names):
                break
        else:
            raise Differs("steps at the wallet are still under way, though it takes everything")
        for operator in range(len(self.names)):
            await self._learn_debits(operator, [])


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


def in_the_way(op: h.Op, other: h.Op) -> bool:
    """Whether one takes the key of the other, or the stake of its round in another session."""
    if not (isinstance(op, h.Spin) and isinstance(other, h.Spin)) or op == other:
        return False
    elsewhere = op.session != other.session and (op.spin == other.spin or op.round == other.round)
    return op.key == other.key or elsewhere


def same_spin(op: h.Op, other: h.Op) -> bool:
    return isinstance(op, h.Spin) and isinstance(other, h.Spin) and op.spin == other.spin


def same_nonce(op: h.Op, other: h.Op) -> bool:
    return isinstance(op, h.Spin) and isinstance(other, h.Spin) and op.nonce == other.nonce
