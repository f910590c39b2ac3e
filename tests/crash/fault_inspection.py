"""What is on record of a session, and what has to be true of it whatever was done to the service."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from crash.fault_rig import ANSWER_S, Rig

COUNTS = """
SELECT s.next_nonce, s.event_count, s.balance_minor AS balance, (s.closed_at IS NOT NULL)::int AS closed,
  (SELECT count(*) FROM spins WHERE session_id = $1) AS spins,
  (SELECT count(*) FROM spins WHERE session_id = $1 AND win_minor > 0) AS winning,
  (SELECT coalesce(sum(stake_minor), 0) FROM spins WHERE session_id = $1) AS stake,
  (SELECT count(*) FROM waiting_rounds WHERE session_id = $1) AS waiting,
  (SELECT count(*) FROM open_rounds WHERE session_id = $1) AS open_rounds,
  (SELECT count(*) FROM round_ends WHERE session_id = $1 AND ending = 'settled') AS settled,
  (SELECT count(*) FROM round_ends WHERE session_id = $1 AND ending = 'voided') AS voided,
  (SELECT count(*) FROM events WHERE session_id = $1 AND event_type = 'spin_finished') AS finished,
  (SELECT count(*) FROM events WHERE session_id = $1) AS events,
  (SELECT coalesce(max(seq), 0) FROM events WHERE session_id = $1) AS last_seq,
  (SELECT count(*) FROM idempotency WHERE key IN (SELECT idempotency_key FROM spins WHERE session_id = $1
      UNION ALL SELECT idempotency_key FROM waiting_rounds WHERE session_id = $1)) AS answers,
  (SELECT count(*) FROM choices WHERE round_id IN (SELECT round_id FROM spins WHERE session_id = $1
      UNION ALL SELECT round_id FROM waiting_rounds WHERE session_id = $1)) AS choices,
  (SELECT count(*) FROM wallet_steps WHERE session_id = $1 AND kind = 'debit' AND state = 'accepted') AS debits,
  (SELECT count(*) FROM wallet_steps WHERE session_id = $1 AND kind = 'credit') AS credits,
  (SELECT count(*) FROM wallet_steps WHERE session_id = $1 AND kind = 'rollback') AS rollbacks
FROM sessions s WHERE session_id = $1
"""
UNDER_WAY = "SELECT kind, state, last_error FROM wallet_steps WHERE session_id = $1 AND next_try_at IS NOT NULL"
PASS_TIME = "UPDATE wallet_steps SET next_try_at = now() WHERE session_id = $1 AND next_try_at > now() + interval '1 s'"


async def settled(rig: Rig, session_id: str) -> None:
    """Waits until nothing of a session is under way at the wallet; what is to be tried again is due at once."""
    until = time.monotonic() + ANSWER_S
    while rows := await rig.fetch(UNDER_WAY, session_id):
        assert time.monotonic() < until, f"{session_id} is stuck: {[dict(row) for row in rows]}"
        await rig.fetch(PASS_TIME, session_id)
        await asyncio.sleep(0.02)


async def inspect(rig: Rig, session_id: str) -> dict[str, int]:
    """Raises AssertionError where anything happened twice, in part, or is not over; else what is on record."""
    await settled(rig, session_id)
    (row,) = await rig.fetch(COUNTS, session_id)
    found: dict[str, Any] = {name: value for name, value in row.items() if value is not None}
    ledger = await rig.fetch("SELECT * FROM ledger WHERE session_id = $1", session_id)
    accounts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for entry in ledger:
        accounts[entry["credit_account"]] += int(entry["amount_minor"])
        accounts[entry["debit_account"]] -= int(entry["amount_minor"])
        kinds[entry["kind"]] += 1
    balance = int(found.get("balance", 0))
    begun = found["spins"] + found["waiting"]
    nonces = await rig.fetch(
        "SELECT nonce FROM spins WHERE session_id = $1 UNION ALL SELECT nonce FROM waiting_rounds WHERE session_id = $1",
        session_id,
    )
    chain = [entry for entry in ledger if entry["balance_after_minor"] is not None]
    befores = sorted([balance, *(int(entry["balance_before_minor"]) for entry in chain)])
    afters = sorted([0, *(int(entry["balance_after_minor"]) for entry in chain)])
    has_to_be = {
        "sum of the ledger": (sum(accounts.values()), 0),
        "held": (accounts["held"], 0),
        "payable": (accounts["payable"], 0),
        "balance": (balance, accounts["session"]),
        "chain of balances": (befores, afters),
        "nonces": (sorted(row["nonce"] for row in nonces), list(range(found["next_nonce"]))),
        "rounds": (begun, found["next_nonce"]),
        "answers": (found["answers"], begun),
        "stakes": (kinds["stake"], begun),
        "wins": (kinds["win"], found["winning"]),
        "finished": (found["finished"], found["spins"]),
        "events": (found["events"], found["last_seq"]),
        "numbered events": (found["event_count"], found["last_seq"]),
        "void wins": (kinds["void_win"] <= kinds["void_stake"], True),
    }
    if rig.wallet_server.balances.get(player := f"p-{session_id}") is not None:
        moved = rig.wallet_server.balances[player] - rig.wallet_server.start_minor
        has_to_be["moved at the wallet"] = (accounts["platform"], moved)
        has_to_be["credits"] = (found["credits"], found["spins"])
    wrong = {name: pair for name, pair in has_to_be.items() if pair[0] != pair[1]}
    assert not wrong, f"{session_id}: {wrong}; on record: {found}, {dict(kinds)}"
    more = {
        "wins": kinds["win"], "void_stakes": kinds["void_stake"], "transfers_in": kinds["in"],
        "transfers_out": kinds["out"], "game": accounts["game"],
    }  # fmt: skip
    return {name: int(value) for name, value in (found | more).items()}
