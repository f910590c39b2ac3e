"""Answers and events from outcomes and records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import orjson
from msgspec import UNSET, Raw

from rgs_core.outcome import Award, FreeSpinsAward, JackpotWin, Played, Window
from rgs_server.catalogue import Playable
from rgs_server.clock import time_text
from rgs_server.contract.answers import (
    AuditRecord,
    Awaiting,
    BonusAward,
    BonusRetrigger,
    BonusTrigger,
    CellVerdict,
    Ending,
    Feature,
    GameRow,
    JackpotAward,
    ModeRow,
    Money,
    OpenRound,
    RoundAnswer,
    SessionClosed,
    SessionState,
    SpinAnswer,
    SpinOutcome,
    SpinRecord,
    TransactionAnswer,
    encode,
    money,
)
from rgs_server.contract.money import format_amount
from rgs_server.played_round import PlayedRound
from rgs_server.rounds import Facts, State, state_of


def features(awards: Iterable[tuple[int, Award]], unit_minor: int, currency: str, exponent: int) -> list[Feature]:
    """What spins triggered, in order: awards with the numbers of their spins."""
    rows: list[Feature] = []
    for sub_spin, award in awards:
        if isinstance(award, FreeSpinsAward):
            kind = BonusTrigger if sub_spin == 0 else BonusRetrigger
            rows.append(kind(award.trigger, award.spins))
        elif isinstance(award, JackpotWin):
            rows.append(JackpotAward(award.trigger, award.jackpot))
        else:
            win = money(award.amount_units * unit_minor, currency, exponent)
            rows.append(BonusAward(award.trigger, award.line, win))
    return rows


def rows_of(window: Window) -> list[list[str | None]]:
    """Rows of a grid from the top; None where a reel is shorter."""
    height = max(map(len, window))
    if all(len(reel) == height for reel in window):
        return list(map(list, zip(*window, strict=True)))
    return [[reel[row] if row < len(reel) else None for reel in window] for row in range(height)]


def spin_outcome(outcome: Played, unit_minor: int, currency: str, exponent: int, *, paid: bool = True) -> SpinOutcome:
    """What a round paid and showed, as it is answered. Not `paid`: it waits for a choice, and its win is still 0."""
    return SpinOutcome(
        win=money(outcome.win_units * unit_minor if paid else 0, currency, exponent),
        features=features(outcome.awards, unit_minor, currency, exponent),
        symbols=rows_of(outcome.window),
    )


def spin_answer(played: PlayedRound, balance_minor: int | None, asked: Asked | None = None) -> bytes:
    """The answer to a spin, or to a choice in its round; these bytes are stored and sent again for the same key."""
    currency, exponent = played.currency, played.exponent
    return encode(
        SpinAnswer(
            spin_id=played.spin_id,
            round_id=played.round_id,
            outcome=spin_outcome(played.outcome, played.unit_minor, currency, exponent, paid=asked is None),
            stake=money(played.stake_minor, currency, exponent),
            rgs_txns=[],
            build_hash=played.build.build_hash,
            nonce=played.nonce,
            telemetry_ref=played.telemetry_ref,
            balance=UNSET if balance_minor is None else money(balance_minor, currency, exponent),
            awaiting=UNSET if asked is None else awaiting(asked, played.won_minor, currency, exponent),
        )
    )


class Asked(NamedTuple):
    """What a round waits for: the step, its question, until when."""

    step: int
    choice: str
    options: Sequence[str]
    choose_by: datetime


def awaiting(asked: Asked, won_minor: int, currency: str, exponent: int) -> Awaiting:
    """What a round waits for, with what it has won so far."""
    won = money(won_minor, currency, exponent)
    return Awaiting(asked.step, asked.choice, list(asked.options), won, time_text(asked.choose_by))


def awaited(record: asyncpg.Record, choose_by: datetime | None) -> Awaiting | None:
    """What the round of a record waits for; None where it does not."""
    if record["choice"] is None or choose_by is None:
        return None
    asked = Asked(record["step"], record["choice"], record["options"], choose_by)
    return awaiting(asked, int(record["won_minor"]), record["currency"], record["exponent"])


def spin_record(record: asyncpg.Record) -> SpinRecord:
    """A stored spin, with the answer that was given."""
    currency, exponent = record["currency"], record["exponent"]
    return SpinRecord(
        spin_id=record["spin_id"],
        round_id=record["round_id"],
        session_id=record["session_id"],
        operator_id=record["operator_id"],
        player_id=record["player_id"],
        game_id=record["game_id"],
        build_hash=record["build_hash"],
        spin_type=record["spin_type"],
        stake=money(int(record["stake_minor"]), currency, exponent),
        win=money(int(record["win_minor"]), currency, exponent),
        nonce=record["nonce"],
        created_at=time_text(record["created_at"]),
        telemetry_ref=record["telemetry_ref"],
        answer=Raw(record["response"]),
        mode=record["mode"],
    )


def cell_verdict(record: asyncpg.Record) -> CellVerdict:
    """A stored verdict."""
    found = orjson.loads(record["verdict"])
    return CellVerdict(
        game_id=record["game_id"],
        build_hash=record["build_hash"],
        mode=record["mode"],
        spin_type=record["spin_type"],
        stakes=record["stakes"],
        level=record["level"],
        reasons=found["reasons"],
        day=record["day"].isoformat(),
        rounds=found["n"],
        rtp=found["rtp"],
        rtp_certified=found["theory"],
        band=found["band"],
        judged_at=time_text(record["judged_at"]),
        channel=record["channel"],
        window_days=record["window_days"],
    )


def shown(minor: int, currency: str, exponent: int) -> str:
    """An amount for people: 3.40 EUR."""
    return f"{format_amount(int(minor), exponent)} {currency}"


def amount(record: asyncpg.Record, name: str) -> Money | None:
    """An amount of a record, None where it has none."""
    minor = record[name]
    return None if minor is None else money(int(minor), record["currency"], record["exponent"])


def time_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else time_text(moment)


def round_answer(record: asyncpg.Record) -> RoundAnswer:
    """A round with its money, from `find_round`."""
    return RoundAnswer(
        round_id=record["round_id"],
        session_id=record["session_id"],
        state=state_of(facts(record)),
        known=record["spin_id"] is not None,
        spin_id=record["spin_id"],
        stake=amount(record, "stake_minor"),
        win=amount(record, "win_minor"),
        played_at=time_or_none(record["played_at"]),
        settle_by=time_or_none(record["due_at"]),
        ended_at=time_or_none(record["ended_at"]),
        debit_tx=record["debit_tx"] or record["debit_step"],
        credit_tx=record["credit_tx"] or record["credit_step"],
        reason=record["reason"] or record["debit_error"],
        awaiting=awaited(record, record["choose_by"]),
        answer=UNSET if record["answer"] is None else Raw(record["answer"]),
    )


def facts(record: asyncpg.Record) -> Facts:
    """What `find_round` found of a round."""
    return Facts(
        record["played"],
        record["ending"],
        record["due_at"] is not None,
        record["debit_state"],
        record["credit_state"],
        record["choices_made"],
        record["choice"] is not None,
    )


def open_round(record: asyncpg.Record) -> OpenRound:
    """A round that waits for its settlement or for a choice, from `open_rounds_of`."""
    currency, exponent = record["currency"], record["exponent"]
    return OpenRound(
        round_id=record["round_id"],
        spin_id=record["spin_id"],
        session_id=record["session_id"],
        state=State.OPEN if record["choice"] is None else State.AWAITING_INPUT,
        stake=money(int(record["stake_minor"]), currency, exponent),
        win=money(int(record["win_minor"]), currency, exponent),
        played_at=time_text(record["created_at"]),
        settle_by=time_text(record["due_at"]),
        awaiting=awaited(record, record["due_at"]),
    )


def ending(record: asyncpg.Record) -> Ending:
    """Rounds that ended alike."""
    currency, exponent = record["currency"], record["exponent"]
    return Ending(
        ending=record["ending"],
        rounds=record["rounds"],
        stake=money(int(record["stake_minor"]), currency, exponent),
        win=money(int(record["win_minor"]), currency, exponent),
    )


def transaction(record: asyncpg.Record) -> TransactionAnswer:
    """A row of the ledger."""
    return TransactionAnswer(
        txn_id=record["txn_id"],
        kind=record["kind"],
        status="posted",
        session_id=record["session_id"],
        round_id=record["round_id"],
        spin_id=record["spin_id"],
        debit_account=record["debit_account"],
        credit_account=record["credit_account"],
        amount=money(int(record["amount_minor"]), record["currency"], record["exponent"]),
        balance_before=amount(record, "balance_before_minor"),
        balance_after=amount(record, "balance_after_minor"),
        created_at=time_text(record["created_at"]),
    )


def wallet_step(record: asyncpg.Record) -> TransactionAnswer:
    """A step that the wallet of the platform has not taken yet, or refused."""
    return TransactionAnswer(
        txn_id=record["txn_id"],
        kind=record["kind"],
        status=record["state"],
        session_id=record["session_id"],
        round_id=record["round_id"],
        spin_id=record["spin_id"],
        debit_account="payable" if record["kind"] == "credit" else "platform",
        credit_account="held" if record["kind"] == "debit" else "platform",
        amount=money(int(record["amount_minor"]), record["currency"], record["exponent"]),
        balance_before=None,
        balance_after=None,
        created_at=time_text(record["created_at"]),
        attempts=record["attempts"],
        next_try_at=time_or_none(record["next_try_at"]),
        last_error=record["last_error"],
    )


def session_state(session: asyncpg.Record, rounds: Sequence[asyncpg.Record]) -> SessionState:
    """A session as it is now."""
    return SessionState(
        session_id=session["session_id"],
        player_id=session["player_id"],
        game_id=session["game_id"],
        build_hash=session["build_hash"],
        state="open" if session["closed_at"] is None else "closed",
        wallet=session["wallet"],
        currency=session["currency"],
        balance=amount(session, "balance_minor"),
        next_nonce=session["next_nonce"],
        open_rounds=[open_round(record) for record in rounds],
        created_at=time_text(session["created_at"]),
        closed_at=time_or_none(session["closed_at"]),
    )


def session_closed(session: asyncpg.Record, paid: asyncpg.Record | None, server_seed: bytes) -> SessionClosed:
    """The end of a session."""
    return SessionClosed(
        session_id=session["session_id"],
        rounds=session["next_nonce"],
        seed_commitment=session["seed_commitment"].hex(),
        server_seed=server_seed.hex(),
        client_seed=session["client_seed"],
        paid_out=None if paid is None else transaction(paid),
        reason=session["close_reason"],
        closed_at=time_text(session["closed_at"]),
    )


def audit_record(record: asyncpg.Record | Mapping[str, Any], server_seed: bytes | None) -> AuditRecord:
    """What `rgs replay` needs to recompute a spin without this service."""
    return AuditRecord(
        derivation="rgs-rng-1",
        mechanic_version=record["mechanic_version"],
        build_hash=record["build_hash"],
        seed_commitment=record["seed_commitment"].hex(),
        server_seed=server_seed.hex() if server_seed else None,
        client_seed=record["client_seed"],
        nonce=record["nonce"],
        win_units=record["win_units"],
        outcome_digest=record["outcome_digest"].hex(),
        spin_id=record["spin_id"],
        session_id=record["session_id"],
        created_at=time_text(record["created_at"]),
        mode=record["mode"],
        policy=record["policy"] or UNSET,
    )


def answered_win_minor(response: bytes) -> int:
    """The win in minor units that a stored answer told the platform."""
    return int(json.loads(response)["outcome"]["win"]["minor"])


def game(game_id: str, build_ref: str, playable: Playable) -> GameRow:
    """A row of the catalogue; the RTP is the certified one."""
    build, certificate = playable.build, playable.certificate
    model = build.model
    return GameRow(
        game_id=game_id,
        build_ref=build_ref,
        build_hash=build.build_hash,
        model=model.id,
        title=model.title,
        version=model.version,
        rtp_profile=build.profile.name,
        rtp=float(certificate.declared["rtp"]),
        reels=model.reels,
        rows=model.rows,
        lines=len(model.paylines_of(model.states["base"])),
        stake_step_minor=model.stake_units,
        modes=[
            ModeRow(
                mode=played.build.mode,
                stake_step_minor=played.build.play.cost_units,
                rtp=float(played.certificate.declared["rtp"]),
                buys_feature=played.buys_feature,
            )
            for played in playable.others.values()
        ],
    )
