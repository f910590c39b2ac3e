"""Money that is transferred into a session, played from its balance, and transferred out when it is closed."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from rgs_server import answers, happenings
from rgs_server.contract.answers import UnfinishedAnswer, encode
from rgs_server.contract.money import parse_amount
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import decode_transfer
from rgs_server.sealing import Sealer
from rgs_server.sessions import seed_context
from rgs_server.store import Store

UNFINISHED_MAX = 200


async def read_session(store: Store, operator_id: str, session_id: str) -> asyncpg.Record:
    """The session on record. Raises Problem."""
    record = await store.find_session(operator_id, session_id)
    if record is None:
        raise Problem("SESSION_UNKNOWN", f"no session '{session_id}'; open it with POST /rgs/v1/sessions")
    return record


async def session_state(store: Store, operator_id: str, session_id: str) -> bytes:
    """What a session holds and which rounds of its player are open. Raises Problem."""
    session = await read_session(store, operator_id, session_id)
    rounds = await store.open_rounds_of(operator_id, session["player_id"], session["game_id"])
    return encode(answers.session_state(session, rounds))


async def transfer_in(
    store: Store, operator_id: str, session_id: str, body: bytes, now: datetime
) -> tuple[bytes, bool]:
    """Adds to the balance of a session, once for a `transfer_id`: (answer, whether it was given before).

    Raises Problem.
    """
    request = decode_transfer(body)
    currency = request.amount.currency
    amount_minor = parse_amount(bytes(request.amount.amount), currency)
    txn_id = f"in:{request.transfer_id}"
    record = await store.find_transaction(operator_id, txn_id)
    before = record is not None
    if record is None:
        session = await read_session(store, operator_id, session_id)
        if session["wallet"] != "transfer":
            raise Problem("WALLET_MISMATCH", f"session '{session_id}' plays with money at the platform")
        if currency != session["currency"]:
            raise Problem("VALIDATION_FAILED", f"the session plays in {session['currency']}, not {currency}")
        if amount_minor == 0:
            raise Problem("VALIDATION_FAILED", "amount: nothing is transferred; send an amount above 0")
        try:
            # Not by us where the same transfer has come at the same time.
            before = not await store.transfer_in(operator_id, session_id, request.transfer_id, amount_minor, now)
        except asyncpg.UniqueViolationError:
            before = True  # the same transfer arrived twice at once
        record = await store.find_transaction(operator_id, txn_id)
        if record is None:
            raise Problem("SESSION_CLOSED", f"session '{session_id}' is closed; its balance was paid out")
    if (record["session_id"], record["amount_minor"], record["currency"]) != (session_id, amount_minor, currency):
        raise Problem("IDEMPOTENCY_CONFLICT", f"transfer '{request.transfer_id}' was made with another request")
    return encode(answers.transaction(record)), before


async def close_session(
    store: Store, sealer: Sealer, operator_id: str, session_id: str, now: datetime, reason: str = "asked"
) -> tuple[bytes, bool]:
    """Ends a session and pays its balance out, once: (answer, whether it was given before). Raises Problem."""
    async with store.connection.transaction():
        # Spins of the session are written before this transaction or find it closed.
        await store.lock_session(operator_id, session_id)
        closed = await store.close_session(operator_id, session_id, now, reason)
        session = await read_session(store, operator_id, session_id)
        if session["closed_at"] is None:
            rounds = await store.open_rounds_of(operator_id, session["player_id"], session["game_id"])
            waiting = next(row for row in rounds if row["choice"] is not None and row["session_id"] == session_id)
            asked = waiting["round_id"]
            raise Problem("ROUND_OPEN", f"round '{asked}' of the session waits for a choice; decide it first")
        paid = await store.find_transaction(operator_id, f"out:{session_id}")
        seed = sealer.open(session["seed_sealed"], seed_context(operator_id, session_id))
        answer = answers.session_closed(session, paid, seed)
        if closed is not None:
            await store.add_events([happenings.session_ended(operator_id, answer, now)])
    return encode(answer), closed is None


async def read_transaction(store: Store, operator_id: str, txn_id: str) -> bytes:
    """A movement of money on record. Raises Problem."""
    record = await store.find_transaction(operator_id, txn_id)
    if record is not None:
        return encode(answers.transaction(record))
    waiting = await store.find_step(operator_id, txn_id)
    if waiting is None:
        raise Problem("TRANSACTION_UNKNOWN", f"no transaction '{txn_id}'")
    return encode(answers.wallet_step(waiting))


async def unfinished(store: Store, operator_id: str) -> bytes:
    """Steps at the operator's wallet that have not ended as they should."""
    steps = await store.unfinished_steps(operator_id, UNFINISHED_MAX)
    return encode(UnfinishedAnswer([answers.wallet_step(step) for step in steps]))
