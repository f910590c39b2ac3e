"""Rows of spins as a lane writes them, without a game; rounds as they are told of, without a session."""

from __future__ import annotations

from datetime import UTC, datetime

from rgs_server.played_round import PlayedRound
from rgs_server.store import SpinRow

from rgs_core.language.model import Build
from rgs_core.outcome import Played

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


def played_round(build: Build, outcome: Played, nonce: int) -> PlayedRound:
    """A round of 1 minor unit a unit."""
    return PlayedRound(
        build=build,
        outcome=outcome,
        operator_id="o",
        session_id="n",
        player_id="p",
        game_id="g",
        spin_id=f"s{nonce}",
        round_id=f"r{nonce}",
        spin_type="cash",
        mode="base",
        nonce=nonce,
        stake_minor=build.play.cost_units,
        unit_minor=1,
        currency="EUR",
        exponent=2,
        channel="",
        telemetry_ref=f"evt-{nonce}",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
