"""Players who may not go on: flags that the platform pushes, reminders that were acknowledged."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from rgs_server import happenings
from rgs_server.clock import time_text
from rgs_server.contract.answers import Acknowledged, PlayerFlags, encode
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import decode_flags
from rgs_server.play_limits import reminders_due
from rgs_server.sessions import Rulebook
from rgs_server.store import Store


async def set_flags(store: Store, operator_id: str, player_id: str, body: bytes, now: datetime) -> tuple[bytes, bool]:
    """Blocks or unblocks a player in all sessions, open ones and those to come: (answer, False). Raises Problem.

    Rounds that were begun are settled and paid as ever.
    """
    request = decode_flags(body)
    async with store.connection.transaction():
        sessions = await block(store, operator_id, player_id, request.self_excluded, now)
    return encode(PlayerFlags(player_id=player_id, self_excluded=request.self_excluded, open_sessions=sessions)), False


async def block(store: Store, operator_id: str, player_id: str, blocked: bool, now: datetime) -> int:
    """Sets the flag of a player, in a transaction; returns to how many open sessions that applies."""
    sessions = await store.set_player_flags(operator_id, player_id, blocked, now)
    event_id = f"evt-{secrets.token_hex(16)}"
    await store.add_events([happenings.flagged(operator_id, player_id, blocked, event_id, now)])
    return sessions


async def acknowledge(store: Store, rules: Rulebook, operator_id: str, session_id: str, now: datetime) -> bytes:
    """The player was reminded of the time: play may go on, after the market's break. Raises Problem."""
    async with store.connection.transaction():
        session = await store.change_session(operator_id, session_id)
        if session is None:
            raise Problem("SESSION_UNKNOWN", f"no session '{session_id}'")
        market = rules.market_of(session["geo"])
        due, resumes_at = 0, None
        if market is not None and market.reminder_min:
            due = reminders_due(session["created_at"], market.reminder_min, now)
            at = session["acknowledged_at"]
            if due > session["acknowledged"]:
                await store.acknowledge(operator_id, session_id, due, now)
                at = now
            resumes_at = None if at is None else time_text(at + timedelta(minutes=market.break_min))
            if at == now:
                await store.add_events([happenings.acknowledged(session, due, resumes_at, now)])
    return encode(Acknowledged(session_id=session_id, reminders=due, resumes_at=resumes_at))
