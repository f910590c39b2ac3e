"""Events, from what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import asyncpg
from msgspec import UNSET, structs

from rgs_core.outcome import FreeSpinsAward, JackpotWin
from rgs_server.clock import time_text
from rgs_server.contract.answers import SessionClosed, encode, number
from rgs_server.contract.events import (
    BonusAwarded,
    BonusTriggered,
    Event,
    JackpotWon,
    RgEvent,
    RoundAutoclosed,
    RoundStatus,
    RoundUnsettled,
    RoundVoided,
    SessionEnded,
    SessionSwept,
    SpinFinished,
    TechnicalError,
    type_of,
)
from rgs_server.contract.problems import Problem
from rgs_server.played_round import PlayedRound
from rgs_server.store import EventRow

RG_KINDS = {"RG_LIMIT": "limit_reached", "RG_ACK_REQUIRED": "reminder_due", "RG_BREAK": "break"}
"""Refusals of a round that the platform is told of, once each time they begin."""
ERROR_KINDS = {"ROUND_UNPLAYABLE": "round_unplayable", "BUILD_UNAVAILABLE": "build_unavailable"}


def event_id_of(what: str, *names: str) -> str:
    """The id of what happens once to what is named so. Names are of callers: joined as they are they could be mistaken for
    others, and stand in no header."""
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()
    return f"evt-{what}-{digest[:32]}"


def row_of(event: Event, operator_id: str, session_id: str | None, now: datetime) -> EventRow:
    """An event as it is written."""
    return EventRow(event.event_id, operator_id, session_id, type_of(type(event)), encode(event), now)


def spin_finished(played: PlayedRound, win_minor: int, *, feature: bool) -> bytes:
    """The event `spin_finished`, as it is told."""
    exponent = played.exponent
    return encode(
        SpinFinished(
            event_id=played.telemetry_ref,
            ts=time_text(played.created_at),
            spin_id=played.spin_id,
            round_id=played.round_id,
            session_id=played.session_id,
            stake=number(played.stake_minor, exponent),
            win=number(win_minor, exponent),
            currency=played.currency,
            game_id=played.game_id,
            build_hash=played.build.build_hash,
            player_id=played.player_id,
            operator_id=played.operator_id,
            spin_type=played.spin_type,
            mode=played.mode,
            nonce=played.nonce,
            feature=feature,
            base_win=number(played.outcome.paid_spin_units * played.unit_minor, exponent),
            channel=played.channel or UNSET,
        )
    )


def feature_events(played: PlayedRound) -> list[tuple[str, str, bytes]]:
    """What follows `spin_finished` of a round, in order: (event_id, event_type, payload)."""
    found: list[tuple[str, str, bytes]] = []
    for sub_spin, award in played.outcome.awards:
        event_id = f"{played.telemetry_ref}-{len(found) + 1}"
        facts = (
            event_id, time_text(played.created_at), played.spin_id, played.round_id, played.session_id,
            played.player_id, played.game_id, played.operator_id, played.build.build_hash,
        )  # fmt: skip
        event: Event
        if isinstance(award, FreeSpinsAward):
            event = BonusTriggered(*facts, award.trigger, award.spins, sub_spin > 0)
        elif isinstance(award, JackpotWin):
            event = JackpotWon(*facts, award.trigger, award.jackpot)
        else:
            win = number(award.amount_units * played.unit_minor, played.exponent)
            event = BonusAwarded(*facts, award.trigger, win, played.currency)
        found.append((event_id, type_of(type(event)), encode(event)))
    return found


def round_unsettled(record: asyncpg.Record, now: datetime) -> EventRow:
    """A round that waits for its settlement for too long, from `overdue_rounds`."""
    operator_id, exponent = record["operator_id"], record["exponent"]
    event = RoundUnsettled(
        event_id_of("unsettled", operator_id, record["round_id"]),
        time_text(now),
        *_round(record),
        record["build_hash"],
        stake=number(int(record["stake_minor"]), exponent),
        win=number(int(record["win_minor"]), exponent),
        currency=record["currency"],
        due_at=time_text(record["due_at"]),
    )
    return row_of(event, operator_id, record["session_id"], now)


def round_voided(record: asyncpg.Record, session: asyncpg.Record, now: datetime) -> EventRow:
    """A round that its platform took back, from `find_round` after that."""
    operator_id, exponent = session["operator_id"], session["exponent"]
    event = RoundVoided(
        event_id_of("voided", operator_id, record["round_id"]),
        time_text(now),
        record["round_id"],
        session["session_id"],
        session["player_id"],
        session["game_id"],
        operator_id,
        session["build_hash"],
        record["reason"],
    )
    if record["played"]:
        event = structs.replace(
            event,
            spin_id=record["spin_id"],
            stake=number(int(record["stake_minor"]), exponent),
            win=number(int(record["win_minor"]), exponent),
            currency=session["currency"],
        )
    return row_of(event, operator_id, session["session_id"], now)


def round_status(record: asyncpg.Record, now: datetime) -> EventRow:
    """What live math monitoring counts a round as, from `count_slice`."""
    operator_id = record["operator_id"]
    event_id = event_id_of("status", operator_id, record["round_id"])
    event = RoundStatus(event_id, time_text(now), *_round(record), record["build_hash"], record["status"])
    return row_of(event, operator_id, record["session_id"], now)


def round_autoclosed(record: asyncpg.Record, build_hash: str, decided: Sequence[str], now: datetime) -> EventRow:
    """What was decided for a player who did not, `decided` as choice=option."""
    operator_id = record["operator_id"]
    event_id = event_id_of("autoclosed", operator_id, record["round_id"])
    event = RoundAutoclosed(event_id, time_text(now), *_round(record), build_hash, list(decided))
    return row_of(event, operator_id, record["session_id"], now)


def _round(record: asyncpg.Record) -> tuple[str, str, str, str, str, str]:
    """The fields of RoundEvent between its time and its build."""
    return (
        record["spin_id"], record["round_id"], record["session_id"], record["player_id"], record["game_id"],
        record["operator_id"],
    )  # fmt: skip


def session_ended(operator_id: str, session: SessionClosed, now: datetime) -> EventRow:
    """The end of a session: asked for, or because it was idle."""
    kind, name = (SessionSwept, "swept") if session.reason == "idle" else (SessionEnded, "closed")
    event = kind(event_id_of(name, operator_id, session.session_id), time_text(now), operator_id, session)
    return row_of(event, operator_id, session.session_id, now)


def flagged(operator_id: str, player_id: str, blocked: bool, event_id: str, now: datetime) -> EventRow:
    """The platform has blocked a player, or lets him play again."""
    event = RgEvent(event_id, time_text(now), "blocked" if blocked else "unblocked", operator_id, player_id)
    return row_of(event, operator_id, None, now)


def acknowledged(session: asyncpg.Record, reminders: int, resumes_at: str | None, now: datetime) -> EventRow:
    """The player was reminded of the time."""
    operator_id, session_id = session["operator_id"], session["session_id"]
    event = RgEvent(
        event_id_of("acknowledged", operator_id, session_id, str(reminders)),
        time_text(now),
        "acknowledged",
        operator_id,
        session["player_id"],
        session_id,
        session["game_id"],
        session["build_hash"],
        reminders=reminders,
        resumes_at=UNSET if resumes_at is None else resumes_at,
    )
    return row_of(event, operator_id, session_id, now)


def round_refused(
    problem: Problem,
    operator_id: str,
    session_id: str,
    facts: tuple[str, str, str] | None,
    reminders: int,
    nonce: int,
    now: datetime,
) -> EventRow | None:
    """What the platform is told of a round that was refused; None: the answer says enough. The id is that of the state that
    refuses and not of the round, so that it is told once. `facts`: player, game and build, where a worker knows the session."""
    if problem.code in ERROR_KINDS:
        kind = ERROR_KINDS[problem.code]
        event: Event = TechnicalError(
            event_id_of(kind, operator_id, session_id, str(nonce)),
            time_text(now),
            kind,
            operator_id,
            session_id,
            problem.detail,
            build_hash=UNSET if facts is None else facts[2],
        )
    elif problem.code in RG_KINDS and facts is not None:
        kind = RG_KINDS[problem.code]
        event = RgEvent(
            event_id_of(kind, operator_id, session_id, str(reminders)),
            time_text(now),
            kind,
            operator_id,
            facts[0],
            session_id,
            facts[1],
            facts[2],
            detail=problem.detail,
            reminders=reminders,
        )
    else:
        return None
    return row_of(event, operator_id, session_id, now)


def step_failed(step: asyncpg.Record, reason: str, now: datetime) -> EventRow:
    """Money at the platform's wallet is not moved any more by itself."""
    event = TechnicalError(
        event_id_of("failed", step["operator_id"], step["txn_id"], str(step["attempts"])),
        time_text(now),
        "wallet_step_failed",
        step["operator_id"],
        step["session_id"],
        reason,
        step["round_id"],
        step["spin_id"],
        step["txn_id"],
    )
    return row_of(event, step["operator_id"], step["session_id"], now)
