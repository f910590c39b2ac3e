"""Steps at the platform's wallet that nobody tries any more, closed by hand: one person proposes, another one confirms.

Persons are told apart by whose key or client the request came with, which the operator of the service says when it is
added; a key or client that nobody was named for counts as a person of its own. Nothing is moved by a proposal; it lapses after a
day. With the confirmation the step is booked as if the wallet had taken it (`paid`), or tried once more (`retry`).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import asyncpg

from rgs_server.clock import time_text
from rgs_server.contract.answers import ResolutionAnswer, encode
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import decode_resolution
from rgs_server.gate import Person
from rgs_server.store import Store

log = logging.getLogger("rgs.resolutions")

LAPSES_AFTER = timedelta(days=1)


async def resolve(
    store: Store, operator_id: str, person: Person, txn_id: str, body: bytes, now: datetime
) -> tuple[bytes, bool]:
    """Proposes how a failed step ends, or confirms it: (answer, whether it was given before). Raises Problem."""
    request = decode_resolution(body)
    async with store.connection.transaction():
        step = await store.lock_step(operator_id, txn_id)
        if step is None:
            raise Problem("TRANSACTION_UNKNOWN", f"no step '{txn_id}' at your wallet")
        found = await store.find_resolution(operator_id, txn_id)
        if found is not None and found["confirmed_at"] is None and found["proposed_at"] + LAPSES_AFTER < now:
            found = None
        ended = found is not None and found["confirmed_at"] is not None
        if step["state"] == "failed" and ended:
            found, ended = None, False  # it was tried once more, and has failed again
        if step["state"] != "failed" and not ended:
            raise Problem(
                "RESOLUTION_REFUSED", f"'{txn_id}' is {step['state']}; only steps that have failed are closed by hand"
            )
        if found is None:
            await store.propose_resolution(operator_id, txn_id, request.resolution, request.reason, *person, now)
            log.warning("%s of %s: '%s' is proposed by %s (%s)", txn_id, operator_id, request.resolution, *person)
            return await _answer(store, operator_id, txn_id), False
        if found["resolution"] != request.resolution:
            raise Problem(
                "RESOLUTION_REFUSED",
                f"'{found['resolution']}' was proposed for '{txn_id}'; confirm that, or let it lapse",
            )
        if person.by == found["proposed_by"] or person.name == found["proposed_person"] or ended:
            return await _answer(store, operator_id, txn_id), True
        await store.confirm_resolution(operator_id, txn_id, *person, now)
        if request.resolution == "paid":
            await store.accept_step(operator_id, txn_id, now)
        else:
            await store.try_step_again(operator_id, txn_id, now)
        log.warning("%s of %s: '%s' is confirmed by %s (%s)", txn_id, operator_id, request.resolution, *person)
        return await _answer(store, operator_id, txn_id), False


async def _answer(store: Store, operator_id: str, txn_id: str) -> bytes:
    record: asyncpg.Record | None = await store.find_resolution(operator_id, txn_id)
    assert record is not None
    confirmed = record["confirmed_at"]
    return encode(
        ResolutionAnswer(
            txn_id=txn_id,
            resolution=record["resolution"],
            state="proposed" if confirmed is None else "confirmed",
            reason=record["reason"],
            proposed_by=record["proposed_by"],
            proposed_at=time_text(record["proposed_at"]),
            lapses_at=None if confirmed else time_text(record["proposed_at"] + LAPSES_AFTER),
            confirmed_by=record["confirmed_by"],
            confirmed_at=None if confirmed is None else time_text(confirmed),
            proposed_person=record["proposed_person"],
            confirmed_person=record["confirmed_person"],
        )
    )
