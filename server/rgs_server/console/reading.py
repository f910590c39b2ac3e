"""What the console shows, from the database. Amounts are minor units with their currency and exponent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import orjson

from rgs_server.answers import cell_verdict
from rgs_server.archive import BuildLost
from rgs_server.audit.verdicts import spin_verdict
from rgs_server.choices import Builds
from rgs_server.clock import read_time, time_text
from rgs_server.contract.problems import Problem
from rgs_server.play.scenes import scenes
from rgs_server.recall import recompute, seed_of
from rgs_server.sessions import Rulebook
from rgs_server.store import Store

ROWS_MAX = 100
DAYS = 30


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
                "sink": row["sink"],
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
    """What the monitor found of each build, mode and currency on each of the last days: the RTP of up to thirty days until
    then, over as many operators, stakes and channels as there are, with the exact band of so many rounds at such stakes."""
    groups: dict[tuple[str, ...], list[asyncpg.Record]] = {}
    for row in await store.widest_verdicts(today - timedelta(days=DAYS)):
        groups.setdefault((row["build_hash"], row["mode"], row["spin_type"], row["currency"]), []).append(row)
    return [group_of(rows, rules) for _, rows in sorted(groups.items())]


async def read_verdicts(store: Store, rules: Rulebook) -> list[dict[str, Any]]:
    """The last verdict of each cell and window, of all operators; those that stand out first."""
    levels = ("page", "investigate", "info", "insufficient", "within")
    rows = await store.last_verdicts(None)
    found = []
    for row in sorted(rows, key=lambda row: (levels.index(row["level"]), row["operator_id"], row["game_id"])):
        shown = msgspec.to_builtins(cell_verdict(row))
        found.append({"operator_id": row["operator_id"], "build": label_of(row["build_hash"], rules), **shown})
    return found


def group_of(rows: list[asyncpg.Record], rules: Rulebook) -> dict[str, Any]:
    """The days of one build in one mode and currency."""
    last = rows[-1]
    days = []
    for row in rows:
        found = orjson.loads(row["verdict"])
        names = ("rtp", "band", "theory")
        days.append(
            {
                **{name: found[name] for name in names},
                "day": row["day"].isoformat(),
                "rounds": row["rounds"],
                "window_days": row["window_days"],
                "level": row["level"],
                "operator_id": row["operator_id"],
            }
        )
    return {
        "build": label_of(last["build_hash"], rules),
        **{name: last[name] for name in ("build_hash", "mode", "spin_type", "currency")},
        "days": days,
    }


def label_of(build_hash: str, rules: Rulebook) -> str:
    """A build as people name it, or the beginning of its hash where it is not loaded."""
    playable = rules.catalogue.get(build_hash)
    return build_hash[:15] if playable is None else playable.build.label
