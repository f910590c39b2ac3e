"""Random histories: what platforms, time and faults do, drawn from one number.

A history is drawn before anything is played, so any step can be left out and the rest still means the same.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field
from typing import ClassVar

STAKE_STEP_MINOR = 10  # a stake of every game
SEVENS, TIDES = "sevens", "tides"
BASE, BUY = "base", "buy"
STAKES = {(SEVENS, BASE): 5, (TIDES, BASE): 10, (TIDES, BUY): 225}
"""Games and their modes, with the smallest stake in minor units. Rounds of tides may ask for a choice; bought ones do."""
IDLE_S, SETTLE_S, CHOOSE_S = 3600, 3600, 1800
LONG_S = 7200
STEPS_MAX = 6
"""Of the default histories, but for those that open sessions; every planted fault is found by histories as short as that."""


@dataclass(frozen=True)
class Op:
    """One request of a platform, or something that time brings. `operator`: 0 or 1."""

    operator: int

    def line(self) -> str:
        values = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.name != "operator"]
        return f"{'AB'[self.operator]} {type(self).__name__}({', '.join(values)})"


@dataclass(frozen=True)
class Open(Op):
    session: str
    player: str
    wallet: str | None
    currency: str
    client_seed: str
    game: str = SEVENS


@dataclass(frozen=True)
class Spin(Op):
    key: str
    spin: str
    round: str
    session: str
    stake_minor: int
    currency: str
    mode: str = BASE
    nonce: str = field(default="", compare=False)
    """Of its signature; two requests with the same one are one that was captured. Empty: not signed."""


@dataclass(frozen=True)
class Choose(Op):
    """The player decides. What is asked is not known when a history is drawn, so `how` says it: next: what is asked, by its
    option number `pick`; again: the last decision once more; other: that step otherwise; wrong: what is not offered; ahead:
    a step too far. `Chosen` is what it becomes."""

    round: str
    how: str
    pick: int


@dataclass(frozen=True)
class Chosen(Op):
    round: str
    step: int
    choice: str
    option: str


@dataclass(frozen=True)
class Settle(Op):
    round: str
    debit_tx: str
    credit_tx: str | None


@dataclass(frozen=True)
class Void(Op):
    round: str
    session: str
    reason: str


@dataclass(frozen=True)
class TransferIn(Op):
    session: str
    transfer: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Close(Op):
    session: str


@dataclass(frozen=True)
class Block(Op):
    player: str
    blocked: bool


@dataclass(frozen=True)
class ReadRound(Op):
    round: str


@dataclass(frozen=True)
class ReadSession(Op):
    session: str


@dataclass(frozen=True)
class Pay(Op):
    """The cashier looks at what is due at the wallets."""


@dataclass(frozen=True)
class Sweep(Op):
    """The sweeper looks at what time has brought."""


@dataclass(frozen=True)
class Wait(Op):
    seconds: int


@dataclass(frozen=True)
class Fault:
    """What happens at a message from a worker to the database, counted from the beginning of the step.

    `crash`: the worker is gone, and whatever it had begun with it; `lost`: its connection breaks. `after`: the database
    has done what the message said, and nobody hears of it.
    """

    kind: str
    message: int
    after: bool
    worker: int

    def line(self) -> str:
        return f"{self.kind} of worker {self.worker} {'after' if self.after else 'before'} its message {self.message}"


@dataclass(frozen=True)
class Step:
    """One or two requests at once, each at a worker. `moods`: how wallets take the calls of this step, in turn."""

    ops: tuple[Op, ...]
    workers: tuple[int, ...]
    fault: Fault | None = None
    moods: tuple[str, ...] = ()

    def line(self) -> str:
        parts = [f"[{worker}] {op.line()}" for op, worker in zip(self.ops, self.workers, strict=True)]
        text = "  at once  ".join(parts)
        text += f"   wallet: {', '.join(self.moods)}" if self.moods else ""
        return text + (f"   !! {self.fault.line()}" if self.fault else "")


@dataclass(frozen=True)
class Terms:
    """What an operator has agreed to; the first wallet is the usual one."""

    wallets: tuple[str, ...]
    settles: bool
    one_round: bool

    def line(self) -> str:
        return f"wallets {'/'.join(self.wallets)}, {'settles' if self.settles else 'never settles'}" + (
            ", one round at a time" if self.one_round else ""
        )


@dataclass(frozen=True)
class History:
    seed: int
    operators: tuple[Terms, ...]
    steps: tuple[Step, ...] = field(default=())
    steps_max: int = 0  # with which it was drawn; 0: it was written by hand

    def lines(self) -> list[str]:
        head = [f"operator {'AB'[n]}: {terms.line()}" for n, terms in enumerate(self.operators)]
        return [*head, *(f"{n:3} {step.line()}" for n, step in enumerate(self.steps))]


class Author:
    """Draws one history."""

    WEIGHTS: ClassVar[dict[str, int]] = {
        "spin": 34, "settle": 10, "void": 9, "transfer": 12, "close": 4, "block": 2, "read_round": 4, "read_session": 3,
        "open": 6, "repeat": 14, "pay": 4, "sweep": 3, "wait": 5, "choose": 12,
    }  # fmt: skip
    MOODS = ("accept", "accept", "accept", "refuse", "lost", "error", "hang")

    def __init__(self, seed: int, steps_max: int = STEPS_MAX) -> None:
        self.seed = seed
        self.steps_max = steps_max
        self.random = random.Random(seed)
        self.operators: tuple[Terms, ...] = ()
        self.asked: list[Op] = []
        self.sessions: list[list[Open]] = [[], []]
        self.spins: list[list[Spin]] = [[], []]
        self.number = 0

    def history(self) -> History:
        draw = self.random
        operators = self.operators = tuple(self._terms() for _ in range(draw.choice((1, 1, 1, 2))))
        steps = [Step((self.open(n),), (0,)) for n in range(len(operators)) for _ in range(draw.randint(1, 2))]
        steps += [
            Step((TransferIn(n, opened.session, self._id("t"), 1000, "EUR"),), (0,))
            for n, known in enumerate(self.sessions)
            for opened in known
            if self._wallet(opened) == "transfer"
        ]
        for _ in range(draw.randint(2, self.steps_max)):
            steps.append(self._step(operators))
            if any(isinstance(op, Wait) and op.seconds == LONG_S for op in steps[-1].ops):
                steps.append(Step((Sweep(0),), (0,)))
        return History(self.seed, operators, tuple(steps), self.steps_max)

    def _terms(self) -> Terms:
        draw = self.random
        wallets = draw.choice((("platform",), ("transfer",), ("seamless",), ("platform", "transfer", "seamless")))
        return Terms(wallets, draw.random() < 0.75, draw.random() < 0.25)

    def _step(self, operators: tuple[Terms, ...]) -> Step:
        draw = self.random
        ops = [self._op(draw.randrange(len(operators)))]
        if draw.random() < 0.2 and not isinstance(ops[0], (Wait, Sweep, Pay)):
            other = self._beside(ops[0]) if draw.random() < 0.6 else self._op(draw.randrange(len(operators)))
            # A session is read in two parts, which are of two moments where something changes it meanwhile.
            if not isinstance(other, Wait) and not any(isinstance(op, ReadSession) for op in (ops[0], other)):
                ops.append(other)
        workers = tuple(draw.choice((0, 0, 1)) for _ in ops)
        fault = None
        if draw.random() < 0.15:
            kind = draw.choice(("crash", "crash", "lost"))
            fault = Fault(kind, draw.choice((0, 0, 1, 1, 2, 3, 4, 5, 6)), draw.random() < 0.5, draw.choice(workers))
        moods: tuple[str, ...] = ()
        if any(self._seamless(op) for op in ops):
            moods = tuple(draw.choice(self.MOODS) for _ in range(draw.randint(1, 4)))
        return Step(tuple(ops), workers, fault, moods)

    def _seamless(self, op: Op) -> bool:
        return isinstance(op, Pay) or (
            isinstance(op, Spin)
            and any(s.session == op.session and self._wallet(s) == "seamless" for s in self.sessions[op.operator])
        )

    def _wallet(self, op: Open) -> str:
        return op.wallet or self.operators[op.operator].wallets[0]

    def _beside(self, op: Op) -> Op:
        """Something that may get into the way of a request."""
        draw = self.random
        n = op.operator
        if isinstance(op, Spin):
            return draw.choice(
                (
                    op,
                    self._signed(op),
                    self._signed(op),
                    self._signed(dataclasses.replace(op, stake_minor=op.stake_minor + STAKE_STEP_MINOR)),
                    self.new_spin(n, op.session),
                    Void(n, op.round, op.session, "timeout"),
                    Close(n, op.session),
                    TransferIn(n, op.session, self._id("t"), 500, "EUR"),
                )
            )
        if isinstance(op, Choose):
            others = (op, op, dataclasses.replace(op, pick=op.pick + 1), Sweep(n), ReadRound(n, op.round))
            session = next((spin.session for spin in self.spins[n] if spin.round == op.round), self._session(n))
            return draw.choice(
                (*others, self.new_spin(n, session), Close(n, session), Void(n, op.round, session, "late"))
            )
        if isinstance(op, Settle):
            return draw.choice((op, Void(n, op.round, self._session(n), "late"), ReadRound(n, op.round)))
        if isinstance(op, (TransferIn, Close)):
            return draw.choice((op, Close(n, op.session), self.new_spin(n, op.session)))
        return op

    def _op(self, n: int) -> Op:
        draw = self.random
        kind = draw.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
        op: Op = getattr(self, kind)(n)
        self.asked.append(op)
        return op

    # -- single requests ------------------------------------------------------------------------

    def _id(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"

    def _session(self, n: int) -> str:
        known = self.sessions[n]
        return self.random.choice(known).session if known and self.random.random() < 0.97 else "s-unknown"

    def _round(self, n: int) -> str:
        known = self.spins[n][-6:]
        return self.random.choice(known).round if known and self.random.random() < 0.93 else self._id("r-unplayed-")

    def open(self, n: int) -> Op:
        draw = self.random
        if self.sessions[n] and draw.random() < 0.25:
            known = draw.choice(self.sessions[n])
            return known if draw.random() < 0.5 else dataclasses.replace(known, client_seed="another")
        wallets = self.operators[n].wallets if draw.random() < 0.9 else ("platform", "transfer", "seamless")
        wallet = draw.choice((None, *wallets))
        game = draw.choice((SEVENS, TIDES))
        op = Open(n, self._id("s"), f"p{draw.randint(1, 2)}", wallet, "EUR", draw.choice(("", "lucky")), game)
        self.sessions[n].append(op)
        return op

    def new_spin(self, n: int, session: str) -> Spin:
        number = self._id("")
        stake, mode = STAKE_STEP_MINOR * self.random.choice((1, 1, 4, 20, 40)), BASE
        games = {opened.session: opened.game for opened in self.sessions[n]}
        if self.random.random() < (0.2 if games.get(session) == TIDES else 0.01):
            stake, mode = STAKES[TIDES, BUY], BUY
        op = Spin(n, f"k{number}", f"spin{number}", f"r{number}", session, stake, "EUR", mode, f"n{number}")
        self.spins[n].append(op)
        return op

    def _signed(self, op: Spin) -> Spin:
        """The same request with a signature of its own, as platforms repeat it."""
        return dataclasses.replace(op, nonce=self._id("n"))

    def spin(self, n: int) -> Op:
        draw = self.random
        op = self.new_spin(n, self._session(n))
        odds = draw.random()
        if odds < 0.03:
            return dataclasses.replace(op, currency="USD")
        if odds < 0.06:
            return dataclasses.replace(op, stake_minor=op.stake_minor + 1)
        if odds < 0.10 and len(self.spins[n]) > 1:
            return dataclasses.replace(op, round=draw.choice(self.spins[n]).round)
        return op

    def repeat(self, n: int) -> Op:
        """A request of before, as it was or with something changed."""
        draw = self.random
        mine = [op for op in self.asked[-8:] if op.operator == n and not isinstance(op, (Wait, Sweep, Pay))]
        if not mine:
            return self.spin(n)
        op = draw.choice(mine)
        if draw.random() < 0.6:
            return self._signed(op) if isinstance(op, Spin) and draw.random() < 0.7 else op
        match op:
            case Spin():
                changed = (
                    {"stake_minor": op.stake_minor + STAKE_STEP_MINOR},
                    {"key": self._id("k")},
                    {"spin": self._id("spin"), "key": self._id("k")},
                    {"round": self._id("r"), "key": self._id("k")},
                    {"session": self._session(n)},
                )
                return self._signed(dataclasses.replace(op, **draw.choice(changed)))
            case Settle():
                return dataclasses.replace(op, debit_tx="another")
            case Void():
                return dataclasses.replace(op, reason="another")
            case TransferIn():
                return dataclasses.replace(op, amount_minor=op.amount_minor + 1)
        return op

    def settle(self, n: int) -> Op:
        number = self._id("")
        return Settle(n, self._round(n), f"d{number}", f"c{number}" if self.random.random() < 0.9 else None)

    def choose(self, n: int) -> Op:
        how = self.random.choices(("next", "again", "other", "wrong", "ahead"), (70, 10, 8, 6, 6))[0]
        tides = {opened.session for opened in self.sessions[n] if opened.game == TIDES}
        asking = [spin.round for spin in self.spins[n][-6:] if spin.session in tides]
        name = self.random.choice(asking) if asking and self.random.random() < 0.9 else self._round(n)
        return Choose(n, name, how, self.random.choice((0, 0, 1, 2, 3)))

    def void(self, n: int) -> Op:
        return Void(n, self._round(n), self._session(n), self.random.choice(("timeout", "error")))

    def transfer(self, n: int) -> Op:
        draw = self.random
        currency = "USD" if draw.random() < 0.04 else "EUR"
        return TransferIn(n, self._session(n), self._id("t"), draw.choice((0, 50, 300, 1000)), currency)

    def close(self, n: int) -> Op:
        return Close(n, self._session(n))

    def block(self, n: int) -> Op:
        return Block(n, f"p{self.random.randint(1, 2)}", self.random.random() < 0.5)

    def read_round(self, n: int) -> Op:
        return ReadRound(n, self._round(n))

    def read_session(self, n: int) -> Op:
        return ReadSession(n, self._session(n))

    def pay(self, n: int) -> Op:
        return Pay(n)

    def sweep(self, n: int) -> Op:
        return Sweep(n)

    def wait(self, n: int) -> Op:
        return Wait(n, self.random.choice((1, 20, LONG_S, LONG_S)))
