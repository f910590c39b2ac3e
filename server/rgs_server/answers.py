"""Answers and events from outcomes and records."""

from __future__ import annotations

import json
from datetime import datetime

import asyncpg
import orjson
from msgspec import Raw

from rgs_core.certified.certificate import Certificate
from rgs_core.language.model import Build
from rgs_core.outcome import FreeSpinsAward, JackpotWin, Played
from rgs_server.contract.answers import (
    AuditRecord,
    BonusAward,
    BonusRetrigger,
    BonusTrigger,
    Feature,
    GameRow,
    JackpotAward,
    SpinAnswer,
    SpinOutcome,
    SpinRecord,
    encode,
    money,
)
from rgs_server.contract.money import format_amount
from rgs_server.signing import time_text


def features(build: Build, outcome: Played, unit_minor: int, currency: str, exponent: int) -> list[Feature]:
    """What the round triggered, in order."""
    rows: list[Feature] = []
    for spin in outcome.spins:
        for award in spin.awards:
            if isinstance(award, FreeSpinsAward):
                kind = BonusTrigger if spin.sub_spin == 0 else BonusRetrigger
                rows.append(kind(award.trigger, award.spins))
            elif isinstance(award, JackpotWin):
                rows.append(JackpotAward(award.trigger, award.jackpot))
            else:
                win = money(award.amount_units * unit_minor, currency, exponent)
                rows.append(BonusAward(award.trigger, award.line, win))
    return rows


def spin_answer(
    build: Build,
    outcome: Played,
    *,
    spin_id: str,
    round_id: str,
    nonce: int,
    stake_minor: int,
    unit_minor: int,
    currency: str,
    exponent: int,
    telemetry_ref: str,
) -> bytes:
    """The answer to a spin; these bytes are stored and sent again for the same key."""
    window = outcome.spins[0].window
    height = max(len(reel) for reel in window)
    return encode(
        SpinAnswer(
            spin_id=spin_id,
            round_id=round_id,
            outcome=SpinOutcome(
                win=money(outcome.win_units * unit_minor, currency, exponent),
                features=features(build, outcome, unit_minor, currency, exponent),
                symbols=[[reel[row] if row < len(reel) else None for reel in window] for row in range(height)],
            ),
            stake=money(stake_minor, currency, exponent),
            rgs_txns=[],
            build_hash=build.build_hash,
            nonce=nonce,
            telemetry_ref=telemetry_ref,
        )
    )


def spin_event(
    build: Build,
    *,
    event_id: str,
    created_at: datetime,
    spin_id: str,
    round_id: str,
    session_id: str,
    stake_minor: int,
    win_minor: int,
    currency: str,
    exponent: int,
    game_id: str,
    player_id: str,
    operator_id: str,
    spin_type: str,
) -> bytes:
    """The event `spin_finished`."""
    return orjson.dumps(
        {
            "type": "spin_finished",
            "event_id": event_id,
            "ts": time_text(created_at),
            "spin_id": spin_id,
            "round_id": round_id,
            "session_id": session_id,
            "stake": orjson.Fragment(format_amount(stake_minor, exponent)),
            "win": orjson.Fragment(format_amount(win_minor, exponent)),
            "currency": currency,
            "game_id": game_id,
            "build_hash": build.build_hash,
            "player_id": player_id,
            "operator_id": operator_id,
            "spin_type": spin_type,
        }
    )


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
    )


def audit_record(record: asyncpg.Record, server_seed: bytes | None) -> AuditRecord:
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
    )


def answered_win_minor(response: bytes) -> int:
    """The win in minor units that a stored answer told the platform."""
    return int(json.loads(response)["outcome"]["win"]["minor"])


def game(game_id: str, build_ref: str, build: Build, certificate: Certificate) -> GameRow:
    """A row of the catalogue; the RTP is the certified one."""
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
    )
