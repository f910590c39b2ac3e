"""How the platform ends the money of a round, where it moves the money itself: settlement or void.

The outcome is sealed when the spin is answered. The platform then says under which of its transactions it took the
stake and paid the win, or voids the round. Whatever ended a round first stands; the same request gets the same bytes.
"""

from __future__ import annotations

import logging
from datetime import datetime

import asyncpg

from rgs_server import answers, happenings
from rgs_server.clock import time_text
from rgs_server.contract.answers import EndingsAnswer, encode
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import decode_settlement, decode_void
from rgs_server.rounds import State, state_of
from rgs_server.store import Store

log = logging.getLogger("rgs.rounds")


async def read_round(store: Store, operator_id: str, round_id: str) -> asyncpg.Record:
    """The round on record. Raises Problem."""
    record = await store.find_round(operator_id, round_id)
    if record is None:
        raise Problem("ROUND_UNKNOWN", f"no round '{round_id}'")
    return record


async def round_state(store: Store, operator_id: str, round_id: str) -> bytes:
    """Where the money of a round is. Raises Problem."""
    return encode(answers.round_answer(await read_round(store, operator_id, round_id)))


async def settle(store: Store, operator_id: str, round_id: str, body: bytes, now: datetime) -> tuple[bytes, bool]:
    """Ends a round with its money moved: (answer, whether it was given before). Raises Problem."""
    request = decode_settlement(body)
    record = await read_round(store, operator_id, round_id)
    before = record["ending"] is not None
    if not before:
        if record["wallet"] != "platform":
            raise Problem("WALLET_MISMATCH", f"we move the money of round '{round_id}' ourselves")
        if state_of(answers.facts(record)) is State.AWAITING_INPUT:
            raise waits(record)
        if record["win_minor"] > 0 and request.credit_tx is None:
            win = answers.shown(record["win_minor"], record["currency"], record["exponent"])
            raise Problem("VALIDATION_FAILED", f"credit_tx: the round won {win}; name the transaction that paid it")
        # Not by us where the same settlement, or a void, has come at the same time.
        before = not await store.settle_round(operator_id, round_id, request.debit_tx, request.credit_tx, now)
        record = await read_round(store, operator_id, round_id)
    if record["ending"] == "voided":
        raise Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' was voided")
    if (record["debit_tx"], record["credit_tx"]) != (request.debit_tx, request.credit_tx):
        raise Problem("IDEMPOTENCY_CONFLICT", f"round '{round_id}' was settled with other transactions")
    return encode(answers.round_answer(record)), before


async def void(store: Store, operator_id: str, round_id: str, body: bytes, now: datetime) -> tuple[bytes, bool]:
    """Takes a round back, or keeps one that was never played from being played: (answer, whether it was given before).

    Raises Problem.
    """
    request = decode_void(body)
    # Spins of the session are written before this transaction or see that the round was voided.
    async with store.connection.transaction():
        session = await store.change_session(operator_id, request.session_id)
        if session is None:
            raise Problem("SESSION_UNKNOWN", f"no session '{request.session_id}'")
        if session["wallet"] != "platform":
            raise Problem("WALLET_MISMATCH", f"we move the money of round '{round_id}' ourselves")
        record = await store.find_round(operator_id, round_id)
        before = None if record is None else record["ending"]
        if record is not None and record["session_id"] != request.session_id:
            raise Problem("ROUND_UNKNOWN", f"no round '{round_id}' in session '{request.session_id}'")
        if record is not None and state_of(answers.facts(record)) is State.COMPLETED:
            raise Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' is completed; its money has moved")
        if record is not None and state_of(answers.facts(record)) is State.AWAITING_INPUT:
            raise waits(record)
        if before is None:
            await store.void_round(operator_id, round_id, request.session_id, request.reason, now)
            record = await read_round(store, operator_id, round_id)
            await store.add_events([happenings.round_voided(record, session, now)])
            if record["played"]:
                log.warning("operator %s voided round %s after its outcome was sealed", operator_id, round_id)
    assert record is not None
    if record["ending"] == "settled":  # meanwhile: nothing keeps a settlement from a round whose session we have
        raise Problem("ROUND_ALREADY_CLOSED", f"round '{round_id}' is completed; its money has moved")
    if record["reason"] != request.reason:
        raise Problem("IDEMPOTENCY_CONFLICT", f"round '{round_id}' was voided with another reason")
    return encode(answers.round_answer(record)), before is not None


def waits(record: asyncpg.Record) -> Problem:
    """A round is ended when its player has decided; its money cannot be."""
    asked, until = record["choice"], time_text(record["choose_by"])
    return Problem(
        "ROUND_OPEN",
        f"round '{record['round_id']}' waits for a choice ({asked}); it is decided for the player at {until}",
    )


async def endings(store: Store, operator_id: str, since: datetime) -> bytes:
    """How an operator's rounds ended: one that voids what wins shops for outcomes."""
    rows = await store.count_endings(operator_id, since)
    return encode(EndingsAnswer(since=time_text(since), endings=[answers.ending(row) for row in rows]))
