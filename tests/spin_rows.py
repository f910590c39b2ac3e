"""Rows of spins as a lane writes them, without a game."""

from __future__ import annotations

from datetime import UTC, datetime

from rgs_server.store import SpinRow

ROW = SpinRow(
    operator_id="op-sandbox",
    session_id="",
    spin_id="",
    round_id="",
    idempotency_key="",
    fingerprint=b"f" * 32,
    nonce=0,
    spin_type="cash",
    stake_minor=100,
    win_minor=0,
    win_units=0,
    outcome_digest=b"d" * 32,
    telemetry_ref="",
    response=b"{}",
    event=b"{}",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def row(session: str, name: str, nonce: int) -> SpinRow:
    """A spin that loses, with ids that say its session and its name."""
    unique = f"{session}-{name}"
    return ROW._replace(
        session_id=session,
        spin_id=unique,
        round_id=unique,
        idempotency_key=unique,
        telemetry_ref=unique,
        nonce=nonce,
    )
