"""What the console shows, from the database. Amounts are minor units with their currency and exponent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from rgs_server.answers import cell_verdict
from rgs_server.archive import BuildLost
from rgs_server.audit.verdicts import spin_verdict
from rgs_server.billing.figures import Row
from rgs_server.choices import Builds
from rgs_server.clock import read_time, time_text
from rgs_server.contract.problems import Problem
from rgs_server.play.scenes import scenes
from rgs_server.recall import recompute, seed_of
from rgs_server.sessions import Rulebook
from rgs_server.store import Store

ROWS_MAX = 100
DAYS = 30
Z_95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: one of them, or the newest rounds."""

    any_id: str = ""
    session_id: str = ""
    player_id: str = ""
    since: str = ""
    until: str = ""


async def find_rounds(store: Store, search: Search, now: datetime) -> list[dict[str, Any]]:
    """The rounds that a search finds, the newest first. Raises Problem."""
    if search.any_id:
        rows = await store.shown_by_id(search.any_id, ROWS_MAX)
    elif search.session_id:
        rows = await store.shown_of_session(search.session_id, ROWS_MAX)
    elif search.player_id:
        rows = await store.shown_of_player(search.player_id, ROWS_MAX)
    else:
        until = moment(search.until, "until") or now + timedelta(seconds=1)
        since = moment(search.since, "since") or until - timedelta(hours=24)
        rows = await store.shown_by_time(since, until, ROWS_MAX)
    return [round_row(row) for row in rows]


def moment(text: str, name: str) -> datetime | None:
    """A time of the query. Raises Problem."""
    if not text:
        return None
    found = read_time(text)
    if found is None:
        raise Problem("VALIDATION_FAILED", f"{name}: '{text[:40]}' is not a time like 2026-01-31T12:00:00.000Z")
    return found


def round_row(row: asyncpg.Record) -> dict[str, Any]:
    """A round in a list."""
    names = (
        "operator_id",
        "spin_id",
        "round_id",
        "session_id",
        "player_id",
        "game_id",
        "mode",
        "nonce",
        "currency",
        "exponent",
    )
    return {
        **{name: row[name] for name in names},
        "stake_minor": int(row["stake_minor"]),
        "win_minor": int(row["win_minor"]),
        "played_at": time_text(row["created_at"]),
    }


async def read_round(store: Store, builds: Builds, operator_id: str, spin_id: str) -> dict[str, Any]:
    """A round with its money in time, drawn again from its seed, and its proof in the audit log. Raises Problem."""
    record = await store.find_spin(operator_id, spin_id)
    if record is None:
        raise Problem("SPIN_UNKNOWN", f"no spin '{spin_id[:255]}' of '{operator_id[:255]}'")
    timeline = [
        {
            "at": time_text(row["at"]),
            "what": row["what"],
            "detail": row["detail"],
            "amount_minor": None if row["amount_minor"] is None else int(row["amount_minor"]),
        }
        for row in await store.timeline(operator_id, record["round_id"], spin_id)
    ]
    return {
        **round_row(record),
        "build_hash": record["build_hash"],
        "mechanic_version": record["mechanic_version"],
        "policy": record["policy"],
        "geo": record["geo"],
        "seed_commitment": record["seed_commitment"].hex(),
        "outcome_digest": record["outcome_digest"].hex(),
        "telemetry_ref": record["telemetry_ref"],
        "idempotency_key": record["idempotency_key"],
        "timeline": timeline,
        "replay": await replayed(record, builds),
        "audit": asdict(await spin_verdict(store, operator_id, spin_id)),
    }


async def replayed(record: asyncpg.Record, builds: Builds) -> dict[str, Any]:
    """The verdict on a round, with its scenes where it could be played."""
    try:
        again = await recompute(builds.archive, builds.rules.catalogue, seed_of(builds.sealer, record), record)
    except BuildLost as error:
        return {"result": "unavailable", "reason": str(error), "scenes": []}
    return {
        "result": "match" if again.matches else "mismatch",
        "digest": again.outcome.digest(),
        "symbols": list(again.build.model.symbols),
        "scenes": scenes(again.build, again.outcome, again.unit_minor),
    }


async def read_open(store: Store) -> dict[str, Any]:
    """What is under way, of all operators: steps at wallets, rounds that wait, events."""
    return {
        "steps": [
            {
                **{
                    name: row[name]
                    for name in (
                        "operator_id",
                        "txn_id",
                        "kind",
                        "state",
                        "attempts",
                        "last_error",
                        "currency",
                        "exponent",
                    )
                },
                "amount_minor": int(row["amount_minor"]),
                "since": time_text(row["created_at"]),
                "next_try_at": None if row["next_try_at"] is None else time_text(row["next_try_at"]),
            }
            for row in await store.unfinished_everywhere(ROWS_MAX)
        ],
        "rounds": [
            {
                **{name: row[name] for name in ("operator_id", "round_id", "spin_id", "session_id", "waits_for")},
                "due_at": time_text(row["due_at"]),
            }
            for row in await store.waiting_everywhere(ROWS_MAX)
        ],
        "events": [
            {
                "operator_id": row["operator_id"],
                "waiting": row["waiting"],
                "dead": row["dead"],
                "url": row["url"],
                "disabled": row["disabled_at"] is not None,
                "oldest_at": None if row["oldest_at"] is None else time_text(row["oldest_at"]),
                "last_error": row["last_error"],
            }
            for row in await store.events_everywhere()
        ],
    }


async def read_rtp(store: Store, rules: Rulebook, today: date) -> list[dict[str, Any]]:
    """The RTP of each build and currency over the last days: by day, and all of them together with its band.

    The band is that of the certified mean with z sigma / sqrt(n) at 95 %, for stakes of one size (UKGC, live RTP guide); wins
    that are skew or stakes that differ widen what is normal. Verdicts are the monitor's (`read_verdicts`), not this picture's.
    """
    first = today - timedelta(days=DAYS - 1)
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    rows = [Row.of(row) for row in await store.report_days(begin, begin + timedelta(days=DAYS), None)]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.build_hash, row.currency), []).append(row)
    return [group_of(build_hash, currency, found, rules) for (build_hash, currency), found in sorted(groups.items())]


async def read_verdicts(store: Store, rules: Rulebook) -> list[dict[str, Any]]:
    """The last verdict of each cell, of all operators; those that stand out first."""
    levels = ("page", "investigate", "info", "insufficient", "within")
    rows = await store.last_verdicts(None)
    found = []
    for row in sorted(rows, key=lambda row: (levels.index(row["level"]), row["operator_id"], row["game_id"])):
        playable = rules.catalogue.get(row["build_hash"])
        label = row["build_hash"][:15] if playable is None else playable.build.label
        shown = msgspec.to_builtins(cell_verdict(row))
        found.append({"operator_id": row["operator_id"], "build": label, **shown})
    return found


def group_of(build_hash: str, currency: str, rows: list[Row], rules: Rulebook) -> dict[str, Any]:
    """The days of one build in one currency, all operators together."""
    playable = rules.catalogue.get(build_hash)
    declared: Mapping[str, Any] = {} if playable is None else playable.certificate.declared
    rtp, sd = (float(declared[name]) if name in declared else None for name in ("rtp", "sd"))
    days: list[dict[str, Any]] = []
    spins = turnover = won = 0
    for day in sorted({row.day for row in rows}):
        today = [row.figures for row in rows if row.day == day]
        spins += sum(f.eligible_spins for f in today)
        turnover += sum(f.turnover_minor for f in today)
        won += sum(f.win_minor for f in today)
        staked = sum(f.turnover_minor for f in today)
        days.append(
            {
                "day": day.isoformat(),
                "spins": sum(f.eligible_spins for f in today),
                "rtp": sum(f.win_minor for f in today) / staked if staked else None,
                "so_far": won / turnover if turnover else None,
                "half_width": None if sd is None or not spins else Z_95 * sd / spins**0.5,
            }
        )
    label = build_hash[:15] if playable is None else playable.build.label
    return {
        "build": label,
        "build_hash": build_hash,
        "currency": currency,
        "rtp": rtp,
        "sd": sd,
        "spins": spins,
        "days": days,
    }
