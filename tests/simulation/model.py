"""The rules of the money, as plain Python: what each request has to be answered, and what is true afterwards.

This is an oracle: it shares no code with the service. It knows one operator, and one request at a time; requests at the same
time have to be answered as if one had come after the other. Amounts are minor units.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulation.histories import (
    CHOOSE_S,
    IDLE_S,
    SETTLE_S,
    STAKES,
    Block,
    Choose,
    Chosen,
    Close,
    Op,
    Open,
    ReadRound,
    ReadSession,
    Settle,
    Spin,
    Sweep,
    Terms,
    TransferIn,
    Void,
)

OPEN, COMPLETED, VOIDED = "open", "completed", "voided"
DEBIT_PENDING, AWAITING_INPUT, SETTLING = "debit_pending", "awaiting_input", "settling"

Question = tuple[str, tuple[str, ...]]
"""A choice and its options; the first is taken for a player who does not answer."""
Draw = Callable[[int, str, tuple[tuple[str, str], ...]], tuple[int, Question | None]]
"""Of a session: what the round of a nonce has won, in units, in a mode and after some decisions, and what it asks next."""

WALLET_VERDICTS = {"INSUFFICIENT_FUNDS", "WALLET_REFUSED"}
IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
ASKED_S = 11
"""The longest that a worker may have a debit: three tries of 2.5 s each, and 3.5 s that nobody heard of it."""


@dataclass(frozen=True)
class Answer:
    """What was answered: a problem code, or "" with a body. `replayed`: it was given before."""

    code: str
    body: bytes = b""
    shows: Mapping[str, Any] = field(default_factory=dict)
    replayed: bool = False


@dataclass
class Expected:
    """What has to be answered. `body`: the very bytes, where they were answered before."""

    codes: set[str]
    shows: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    replayed: bool = False

    def differs(self, answer: Answer, lost: bool = False) -> str:
        """How an answer is wrong; empty where it is right. `lost`: a connection broke on the way, so the service may have
        done it without having heard of it, and calls its answer one that was given before."""
        if answer.code not in self.codes:
            return (
                f"answered {answer.code or '200'}, the rules say {' or '.join(c or '200' for c in sorted(self.codes))}"
            )
        if answer.code:
            return ""
        if answer.replayed != self.replayed and not (lost and answer.replayed):
            return f"replayed is {answer.replayed}, the rules say {self.replayed}"
        if self.body is not None and answer.body != self.body:
            return f"other bytes than before: {answer.body!r} instead of {self.body!r}"
        for name, value in self.shows.items():
            seen = answer.shows.get(name)
            if seen not in value if isinstance(value, set) else seen != value:
                return f"{name} is {seen!r}, the rules say {value!r}"
        return ""


def refusal(*codes: str) -> Expected:
    return Expected(set(codes))


@dataclass
class Session:
    opened: Open
    wallet: str
    draw: Draw
    body: bytes
    touched_s: float
    next_nonce: int = 0
    balance: int = 0
    blocked: bool = False
    closed: bool = False
    close_body: bytes | None = None
    reported: bool = False  # closed by the sweeper


@dataclass
class Decision:
    """`body`: what was answered, where it was heard."""

    choice: str
    option: str
    made_by: str = "player"
    body: bytes | None = None


@dataclass
class Round:
    """A round that was played, or voided before it could be."""

    session: str
    spin: Spin | None = None
    nonce: int = 0
    win: int = 0  # of a round that is over
    asked: Question | None = None
    won: int = 0  # so far, while something is asked
    choose_by_s: float = 0.0
    decisions: list[Decision] = field(default_factory=list)
    waits: bool = False  # for its settlement
    due_s: float = 0.0
    overdue: bool = False  # and was reported
    ended: Settle | Void | None = None
    end_body: bytes | None = None

    @property
    def state(self) -> str:
        if isinstance(self.ended, Void):
            return VOIDED
        if self.asked is not None:
            return AWAITING_INPUT
        return OPEN if self.waits and self.ended is None else COMPLETED


@dataclass
class Debit:
    """A stake that the wallet of the platform was asked for."""

    spin: Spin
    asked_s: float  # when it was asked for last
    state: str = "pending"  # accepted, refused, abandoned
    code: str = ""
    unknown: bool = False  # was answered WALLET_TIMEOUT: it is given up at once where nobody else has drawn its spin


@dataclass
class Model:
    """One operator. `took`: whether its wallet holds the debit of a spin now; `moods`: what it answered of it, ever."""

    terms: Terms
    drawer: Callable[[bytes, Open], Draw]
    took: Callable[[str], bool]
    moods: Callable[[str], set[str]]
    now_s: float = 0.0
    sessions: dict[str, Session] = field(default_factory=dict)
    rounds: dict[str, Round] = field(default_factory=dict)
    spins: dict[str, Spin] = field(default_factory=dict)
    answers: dict[str, tuple[Spin, bytes]] = field(default_factory=dict)
    transfers: dict[str, tuple[TransferIn, bytes | None, dict[str, Any]]] = field(default_factory=dict)
    debits: dict[str, Debit] = field(default_factory=dict)
    blocked: dict[str, bool] = field(default_factory=dict)
    wallet_net: Counter[str] = field(default_factory=Counter)  # of players, at the platform's wallet
    nonces: set[str] = field(default_factory=set)
    unsettled_events: int = 0
    autoclosed_events: int = 0

    def apply(self, op: Op, answer: Answer | None) -> Expected:
        """The answer that a request has to get, and what it changes. `answer`: the one it got, for what only the service
        can know (its seed, its bytes) and for what the wallet decides; None where it was not heard."""
        return RULES[type(op)](self, op, answer)

    # -- sessions -------------------------------------------------------------------------------

    def open(self, op: Open, answer: Answer | None) -> Expected:
        session = self.sessions.get(op.session)
        if session is not None:
            same = session.opened == op
            return Expected({""}, body=session.body, replayed=True) if same else refusal("IDEMPOTENCY_CONFLICT")
        if self.blocked.get(op.player):
            return refusal("RG_BLOCKED")
        wallet = op.wallet or self.terms.wallets[0]
        if wallet not in self.terms.wallets:
            return refusal("WALLET_MISMATCH")
        body = answer.body if answer is not None else b""
        self.sessions[op.session] = Session(op, wallet, self.drawer(body, op), body, self.now_s)
        return Expected({""}, {"wallet": wallet, "open_rounds": self.waiting(op)})

    def waiting(self, opened: Open, but: str | None = None) -> list[str]:
        """Rounds of a session's player in its game that wait for a choice or for their settlement."""
        found: list[str] = []
        for name, played in self.rounds.items():
            of = self.sessions[played.session].opened
            if (
                name != but
                and played.state in (OPEN, AWAITING_INPUT)
                and (of.player, of.game) == (opened.player, opened.game)
            ):
                found.append(name)
        return sorted(found)

    def asking(self, session_id: str) -> Round | None:
        """The round of a session that waits for a choice."""
        return next((r for r in self.rounds.values() if r.session == session_id and r.asked is not None), None)

    def close(self, op: Close, answer: Answer | None) -> Expected:
        session = self.sessions.get(op.session)
        if session is None:
            return refusal("SESSION_UNKNOWN")
        if self.asking(op.session) is not None:
            return refusal("ROUND_OPEN")
        before, body = session.closed, session.close_body
        paid = session.balance
        if not before:
            self._end(session)
        if answer is not None and not answer.code:
            session.close_body = answer.body
        shows = {} if before else {"rounds": session.next_nonce, "paid_out": paid or None, "reason": "asked"}
        return Expected({""}, shows, body, before)

    @staticmethod
    def _end(session: Session) -> None:
        session.closed, session.balance = True, 0

    def block(self, op: Block, answer: Answer | None) -> Expected:
        self.blocked[op.player] = op.blocked
        mine = [s for s in self.sessions.values() if s.opened.player == op.player and not s.closed]
        for session in mine:
            session.blocked = op.blocked
        return Expected({""}, {"open_sessions": len(mine)})

    # -- rounds ---------------------------------------------------------------------------------

    def spin(self, op: Spin, answer: Answer | None) -> Expected:
        if op.nonce in self.nonces:
            return refusal("NONCE_REUSED")
        if op.nonce:
            self.nonces.add(op.nonce)
        if op.key in self.answers:
            first, body = self.answers[op.key]
            return Expected({""}, body=body, replayed=True) if first == op else refusal("IDEMPOTENCY_CONFLICT")
        if op.spin in self.spins:
            return refusal("IDEMPOTENCY_CONFLICT")
        if op.round in self.rounds:
            return refusal("ROUND_ALREADY_CLOSED")
        asked = [
            debit.spin for debit in self.debits.values() if op.spin == debit.spin.spin or op.round == debit.spin.round
        ]
        if any(spin.session != op.session for spin in asked):
            return refusal("IDEMPOTENCY_CONFLICT")
        session = self.sessions.get(op.session)
        if session is None:
            return refusal("SESSION_UNKNOWN")
        cost = STAKES.get((session.opened.game, op.mode))
        # Any reason will do: what a worker remembers of a session decides which one it meets first.
        reasons = {
            "SESSION_CLOSED": session.closed,
            "MODE_NOT_ALLOWED": cost is None,
            "STAKE_NOT_ALLOWED": op.currency != session.opened.currency or (cost is not None and op.stake_minor % cost),
            "RG_BLOCKED": session.blocked,
            "INSUFFICIENT_FUNDS": session.wallet == "transfer" and session.balance < op.stake_minor,
        }
        others = self.waiting(session.opened, but=op.round) if self.terms.one_round else []
        waits = bool(others) or self.asking(op.session) is not None
        if any(reasons.values()):
            return refusal(*(code for code, holds in reasons.items() if holds), *(["ROUND_OPEN"] if waits else []))
        if session.wallet == "seamless":
            return self._seamless_spin(op, session, waits, answer)
        return refusal("ROUND_OPEN") if waits else self._play(op, session, answer)

    def _play(self, op: Spin, session: Session, answer: Answer | None) -> Expected:
        nonce = session.next_nonce
        session.next_nonce += 1
        if session.wallet == "transfer":
            session.balance -= op.stake_minor
        if session.wallet == "seamless":
            self.wallet_net[session.opened.player] -= op.stake_minor
        played = self.rounds[op.round] = Round(op.session, op, nonce)
        self.spins[op.spin] = op
        self.answers[op.key] = (op, answer.body if answer is not None else b"")
        return self._go_on(played)

    def _go_on(self, played: Round) -> Expected:
        """A round after its last decision: it asks for the next one, or it is over and its win is paid."""
        spin, session = played.spin, self.sessions[played.session]
        assert spin is not None
        made = tuple((decision.choice, decision.option) for decision in played.decisions)
        units, played.asked = session.draw(played.nonce, spin.mode, made)
        won = units * (spin.stake_minor // STAKES[session.opened.game, spin.mode])
        if played.asked is not None:
            played.won, played.choose_by_s = won, self.now_s + CHOOSE_S
        else:
            played.win = won
            if session.wallet == "transfer":
                session.balance += won
            if session.wallet == "seamless":
                self.wallet_net[session.opened.player] += won
            played.waits = session.wallet == "platform" and self.terms.settles
            played.due_s = session.touched_s = self.now_s
            played.due_s += SETTLE_S
        return Expected({""}, {
            "nonce": played.nonce, "win": played.win, "stake": spin.stake_minor, "awaiting": self._awaiting(played),
            "balance": session.balance if session.wallet == "transfer" else None,
        })  # fmt: skip

    @staticmethod
    def _awaiting(played: Round) -> Any:
        """Step, choice, options, what was won so far; None where nothing is asked."""
        return None if played.asked is None else (len(played.decisions) + 1, *played.asked, played.won)

    def resolve(self, op: Choose) -> Chosen:
        """The request that a choice becomes where the round is now."""
        played = self.rounds.get(op.round)
        made = [] if played is None else played.decisions
        choice, options = ("tide", ("neap", "spring", "storm")) if played is None or not played.asked else played.asked
        step, option = len(made) + 1, options[op.pick % len(options)]
        if made and (op.how in ("again", "other") or played is None or played.asked is None):
            step, choice, option = len(made), made[-1].choice, made[-1].option
            option = "another" if op.how == "other" else option
        elif op.how == "wrong":
            choice, option = (choice, "another") if op.pick % 2 else ("another", option)
        elif op.how == "ahead":
            step += 1
        return Chosen(op.operator, op.round, step, choice, option)

    def choose(self, op: Chosen, answer: Answer | None) -> Expected:
        played = self.rounds.get(op.round)
        if played is not None and op.step <= len(played.decisions):
            made = played.decisions[op.step - 1]
            if (made.choice, made.option) != (op.choice, op.option):
                return refusal("IDEMPOTENCY_CONFLICT")
            body = made.body
            if answer is not None and not answer.code:
                made.body = answer.body
            return Expected({""}, body=body, replayed=True)
        if played is None or played.asked is None:
            known = played is not None or self._debited(op.round) is not None
            return refusal("ROUND_ALREADY_CLOSED" if known else "ROUND_UNKNOWN")
        choice, options = played.asked
        if op.step != len(played.decisions) + 1 or op.choice != choice or op.option not in options:
            return refusal("CHOICE_NOT_OFFERED")
        played.decisions.append(Decision(op.choice, op.option, "player", answer.body if answer is not None else None))
        return self._go_on(played)

    def _seamless_spin(self, op: Spin, session: Session, waits: bool, answer: Answer | None) -> Expected:
        """The wallet decides, and the answer has to be what it decided."""
        debit = self.debits.get(op.spin)
        too_early = ["ROUND_OPEN"] if waits else []
        if debit is None and any(other.spin.round == op.round for other in self.debits.values()):
            return refusal("ROUND_ALREADY_CLOSED", *too_early)
        if debit is not None and (debit.spin.round, debit.spin.session, debit.spin.stake_minor) != (
            op.round, op.session, op.stake_minor,
        ):  # fmt: skip
            return refusal("IDEMPOTENCY_CONFLICT", *too_early)
        if debit is not None and debit.state == "refused":
            return refusal(*([debit.code] if debit.code else WALLET_VERDICTS), *too_early)
        if debit is not None and debit.state == "abandoned":
            return refusal("ROUND_ALREADY_CLOSED", *too_early)
        if debit is None and waits and answer is not None and answer.code == "ROUND_OPEN":
            return refusal(answer.code)  # before its stake was asked for, or after it: the wallet's steps will tell
        if debit is None:
            debit = self.debits[op.spin] = Debit(op, self.now_s)
        elif debit.state == "pending":
            if answer is not None and answer.code == IN_PROGRESS and self.now_s <= debit.asked_s + ASKED_S:
                return refusal(IN_PROGRESS)  # nobody knows yet that the worker that asked is gone
            debit.asked_s = self.now_s
        seen, moods = (answer.code if answer is not None else None), self.moods(op.spin)
        if seen == "" and self.took(op.spin) and not waits:
            debit.state = "accepted"
            return self._play(op, session, answer)
        if seen in WALLET_VERDICTS and "refused" in moods:
            debit.state, debit.code = "refused", seen
            return refusal(seen)
        if seen == "ROUND_ALREADY_CLOSED" and debit.unknown:
            return refusal(seen)
        if seen == "WALLET_TIMEOUT" and "unknown" in moods:
            debit.unknown = True
            return refusal(seen)
        if seen == "ROUND_OPEN" and waits:
            return refusal(seen)
        return refusal("ROUND_OPEN" if waits else "(what the wallet said)")

    def may_debit(self, op: Spin) -> bool:
        """Whether a worker may ask the wallet for the stake of a spin, if it does not know all of this."""
        session = self.sessions.get(op.session)
        return session is not None and session.wallet == "seamless" and op.spin not in self.spins

    def settle(self, op: Settle, answer: Answer | None) -> Expected:
        played = self.rounds.get(op.round)
        if played is None:
            asked = any(debit.spin.round == op.round for debit in self.debits.values())
            return refusal("WALLET_MISMATCH" if asked else "ROUND_UNKNOWN")
        before, body = played.ended is not None, played.end_body
        if played.ended is None:
            assert played.spin is not None
            if self.sessions[played.session].wallet != "platform":
                return refusal("WALLET_MISMATCH")
            if played.asked is not None:
                return refusal("ROUND_OPEN")
            if played.win and op.credit_tx is None:
                return refusal("VALIDATION_FAILED")
            played.ended = op
        if isinstance(played.ended, Void):
            return refusal("ROUND_ALREADY_CLOSED")
        if played.ended != op:
            return refusal("IDEMPOTENCY_CONFLICT")
        if answer is not None and not answer.code:
            played.end_body = answer.body
        return Expected(
            {""}, self._round_shows(op.round) | {"debit_tx": op.debit_tx, "credit_tx": op.credit_tx}, body, before
        )

    def void(self, op: Void, answer: Answer | None) -> Expected:
        session = self.sessions.get(op.session)
        if session is None:
            return refusal("SESSION_UNKNOWN")
        if session.wallet != "platform":
            return refusal("WALLET_MISMATCH")
        played = self.rounds.get(op.round)
        of = played.session if played is not None else self._debited(op.round)
        if of is not None and of != op.session:
            return refusal("ROUND_UNKNOWN")
        if played is not None and played.state == COMPLETED:
            return refusal("ROUND_ALREADY_CLOSED")
        if played is not None and played.asked is not None:
            return refusal("ROUND_OPEN")
        if played is None:
            played = self.rounds[op.round] = Round(op.session)
        before, body = played.ended is not None, played.end_body
        if played.ended is None:
            played.ended = op
        assert isinstance(played.ended, Void)
        if played.ended.reason != op.reason:
            return refusal("IDEMPOTENCY_CONFLICT")
        if answer is not None and not answer.code:
            played.end_body = answer.body
        return Expected({""}, self._round_shows(op.round) | {"reason": op.reason}, body, before)

    def _debited(self, round_id: str) -> str | None:
        """The session that asked its wallet for the stake of a round."""
        return next((debit.spin.session for debit in self.debits.values() if debit.spin.round == round_id), None)

    def _round_shows(self, round_id: str) -> dict[str, Any]:
        played = self.rounds[round_id]
        spin = played.spin
        state: Any = played.state
        if spin is not None and played.asked is not None:
            shows = {"spin_id": spin.spin, "stake": spin.stake_minor, "win": None, "awaiting": self._awaiting(played)}
            return {"state": AWAITING_INPUT, **shows}
        if self.sessions[played.session].wallet == "seamless":
            state = {SETTLING, COMPLETED}
        if spin is None:
            return {"state": state, "spin_id": None, "stake": None, "win": None, "awaiting": None}
        return {"state": state, "spin_id": spin.spin, "stake": spin.stake_minor, "win": played.win, "awaiting": None}

    def read_round(self, op: ReadRound, answer: Answer | None) -> Expected:
        if op.round in self.rounds:
            return Expected({""}, self._round_shows(op.round))
        for debit in self.debits.values():
            if debit.spin.round == op.round:
                states = {"pending": {DEBIT_PENDING}, "accepted": {OPEN}, "refused": {VOIDED}, "abandoned": {VOIDED}}
                return Expected({""}, {"state": states[debit.state], "stake": debit.spin.stake_minor, "win": None})
        return refusal("ROUND_UNKNOWN")

    def read_session(self, op: ReadSession, answer: Answer | None) -> Expected:
        session = self.sessions.get(op.session)
        if session is None:
            return refusal("SESSION_UNKNOWN")
        return Expected(
            {""},
            {
                "balance": session.balance if session.wallet == "transfer" else None,
                "next_nonce": session.next_nonce,
                "state": "closed" if session.closed else "open",
                "open_rounds": self.waiting(session.opened),
            },
        )

    # -- transfers and time ---------------------------------------------------------------------

    def transfer_in(self, op: TransferIn, answer: Answer | None) -> Expected:
        before = op.transfer in self.transfers
        if not before:
            session = self.sessions.get(op.session)
            if session is None:
                return refusal("SESSION_UNKNOWN")
            if session.wallet != "transfer":
                return refusal("WALLET_MISMATCH")
            if op.currency != session.opened.currency or op.amount_minor == 0:
                return refusal("VALIDATION_FAILED")
            if session.closed:
                return refusal("SESSION_CLOSED")
            shows = {"amount": op.amount_minor, "balance_before": session.balance}
            session.balance += op.amount_minor
            session.touched_s = self.now_s
            self.transfers[op.transfer] = (op, None, shows | {"balance_after": session.balance})
        first, body, shows = self.transfers[op.transfer]
        if first != op:
            return refusal("IDEMPOTENCY_CONFLICT")
        if answer is not None and not answer.code:
            self.transfers[op.transfer] = (first, answer.body, shows)
        return Expected({""}, shows, body, before)

    def sweep(self, op: Sweep, answer: Answer | None) -> Expected:
        """What time has brought: choices are made for players, rounds unsettled for too long are reported, balances left
        behind are paid out."""
        for played in self.rounds.values():
            if played.asked is not None and played.choose_by_s <= self.now_s:
                self.autoclosed_events += 1
                while played.asked is not None:
                    choice, options = played.asked
                    played.decisions.append(Decision(choice, options[0], "time"))
                    self._go_on(played)
        for played in self.rounds.values():
            if played.waits and played.ended is None and not played.overdue and played.due_s <= self.now_s:
                played.overdue = True
                self.unsettled_events += 1
        for session in self.sessions.values():
            asks = self.asking(session.opened.session) is not None
            if session.balance > 0 and session.touched_s + IDLE_S <= self.now_s and not asks:
                self._end(session)
                session.reported = True
        return Expected({""})

    # -- what must be on record -----------------------------------------------------------------

    def record_of(self, op: Op) -> Any:
        """What is on record of a request: to find out whether one that was not answered was done."""
        match op:
            case Open():
                session = self.sessions.get(op.session)
                return None if session is None else (session.opened.player, session.wallet, session.opened.client_seed)
            case Spin():
                known = self.answers.get(op.key)
                return None if known is None else (known[0].spin, known[0].round, self.rounds[known[0].round].nonce)
            case Settle() | Void():
                played = self.rounds.get(op.round)
                match None if played is None else played.ended:
                    case Settle(debit_tx=debit_tx, credit_tx=credit_tx):
                        return ("settled", debit_tx, credit_tx, None)
                    case Void(reason=reason):
                        return ("voided", None, None, reason)
                return None
            case Chosen():
                played = self.rounds.get(op.round)
                made = None if played is None else dict(enumerate(played.decisions, 1)).get(op.step)
                return None if made is None else (made.choice, made.option)
            case TransferIn():
                known_transfer = self.transfers.get(op.transfer)
                return None if known_transfer is None else (known_transfer[0].session, known_transfer[0].amount_minor)
            case Close():
                session = self.sessions.get(op.session)
                return session is not None and session.closed
            case Block():
                return self.blocked.get(op.player)
        return None

    def accounts(self) -> dict[tuple[str, str], int]:
        """Sums of the ledger by session and account, once nothing is under way at a wallet."""
        sums: Counter[tuple[str, str]] = Counter()
        for op, _, _ in self.transfers.values():
            sums[op.session, "session"] += op.amount_minor
            sums[op.session, "platform"] -= op.amount_minor
        for played in self.rounds.values():
            if played.spin is None or isinstance(played.ended, Void):
                continue
            session = self.sessions[played.session]
            net = played.win - played.spin.stake_minor
            sums[played.session, "session" if session.wallet == "transfer" else "platform"] += net
            sums[played.session, "game"] -= net
        for name, session in self.sessions.items():
            if session.wallet == "transfer":
                held = sums[name, "session"] - session.balance  # was paid out
                sums[name, "session"] -= held
                sums[name, "platform"] += held
        return {account: amount for account, amount in sums.items() if amount}


RULES: dict[type[Op], Callable[[Model, Any, Answer | None], Expected]] = {
    Open: Model.open,
    Spin: Model.spin,
    Settle: Model.settle,
    Void: Model.void,
    TransferIn: Model.transfer_in,
    Close: Model.close,
    Block: Model.block,
    ReadRound: Model.read_round,
    ReadSession: Model.read_session,
    Chosen: Model.choose,
    Sweep: Model.sweep,
}
"""The rule of each kind of request; another kind is another line."""
