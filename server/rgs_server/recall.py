"""Rounds that were played, rebuilt from their seed and nonce: the verdict of a replay, and the steps as they were shown.

A round is a pure function of its build, seed and nonce, so the record keeps no grids: they are computed again and
compared with the digest and the answer of then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg
import msgspec
from msgspec import Raw, Struct

from rgs_core.language.model import MECHANIC_VERSION, Build
from rgs_core.outcome import Outcome, Spin, Win
from rgs_core.seeds import derive_key
from rgs_server import answers
from rgs_server.archive import BuildArchive, BuildLost
from rgs_server.catalogue import Playable
from rgs_server.clock import time_text
from rgs_server.contract.answers import (
    RecallAnswer,
    RecalledCascade,
    RecalledSpin,
    RecalledWin,
    ReplayAnswer,
    SpinOutcome,
    money,
)
from rgs_server.sealing import Sealer
from rgs_server.sessions import seed_context

log = logging.getLogger("rgs.recall")


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A round that was played again, and what of it is as it was: by name of what was compared."""

    build: Build
    outcome: Outcome
    unit_minor: int
    checks: Mapping[str, bool]
    retired: bool

    @property
    def matches(self) -> bool:
        return all(self.checks.values())


def seed_of(sealer: Sealer, record: asyncpg.Record) -> bytes:
    """The server seed of a spin's session, from `find_spin`."""
    return sealer.open(record["seed_sealed"], seed_context(record["operator_id"], record["session_id"]))


async def recompute(
    archive: BuildArchive, catalogue: Mapping[str, Playable], seed: bytes, record: asyncpg.Record
) -> Recomputed:
    """Plays a stored spin again. Raises BuildLost where nothing here can."""
    if record["mechanic_version"] != MECHANIC_VERSION:
        version = record["mechanic_version"]
        raise BuildLost(f"it was played by mechanic {version}, this version plays {MECHANIC_VERSION}")
    found = await archive.find(catalogue, record["build_hash"], record["mode"])
    outcome = found.play(derive_key(seed, record["client_seed"]), record["nonce"], record["policy"])
    unit_minor = int(record["stake_minor"]) // found.build.play.cost_units
    checks = {
        "outcome_digest": outcome.digest() == record["outcome_digest"].hex(),
        "win_units": outcome.win_units == record["win_units"],
        "win_minor": outcome.win_units * unit_minor == int(record["win_minor"]),
        "answer": answers.answered_win_minor(record["response"]) == int(record["win_minor"]),
    }
    if not all(checks.values()):
        log.error("spin %s does not replay: %s", record["spin_id"], checks)
    return Recomputed(found.build, outcome, unit_minor, checks, found.retired)


async def replay(
    archive: BuildArchive, catalogue: Mapping[str, Playable], sealer: Sealer, record: asyncpg.Record
) -> ReplayAnswer:
    """The verdict on a stored spin, with its audit record and, if it can be played, its outcome."""
    seed = seed_of(sealer, record)
    audited = answers.audit_record(record, seed if record["seed_is_public"] else None)
    try:
        again = await recompute(archive, catalogue, seed, record)
    except BuildLost as error:
        reason = f"{error}; replay it with its model file and 'rgs replay'"
        return ReplayAnswer("unavailable", record["spin_id"], audited, reason=reason)
    result: Literal["match", "mismatch"] = "match" if again.matches else "mismatch"
    outcome = again.outcome.as_dict()
    return ReplayAnswer(result, record["spin_id"], audited, checks=dict(again.checks), outcome=outcome)


async def recall(
    archive: BuildArchive, catalogue: Mapping[str, Playable], sealer: Sealer, record: asyncpg.Record
) -> RecallAnswer:
    """A round as it was shown, step by step; what is on record where it cannot be played again."""
    result: Literal["match", "mismatch", "stored"]
    reason: str | None = None
    try:
        again = await recompute(archive, catalogue, seed_of(sealer, record), record)
    except BuildLost as error:
        result, retired, reason = "stored", True, f"{error}; the steps are what was answered"
        checks: dict[str, bool] = {}
        spins = [stored_spin(record)]
    else:
        retired = again.retired
        shown = answers.spin_outcome(again.outcome, again.unit_minor, record["currency"], record["exponent"])
        checks = {**again.checks, "shown": shown == answered_outcome(record)}
        currency, exponent = record["currency"], record["exponent"]
        records = again.outcome.as_dict()["spins"]
        pairs = zip(again.outcome.spins, records, strict=True)
        spins = [recalled(again, spin, full, currency, exponent) for spin, full in pairs]
        result = "match" if all(checks.values()) else "mismatch"
    return RecallAnswer(
        result=result,
        reason=reason,
        checks=checks,
        round_id=record["round_id"],
        spin_id=record["spin_id"],
        session_id=record["session_id"],
        player_id=record["player_id"],
        game_id=record["game_id"],
        build_hash=record["build_hash"],
        retired=retired,
        mode=record["mode"],
        nonce=record["nonce"],
        played_at=time_text(record["created_at"]),
        stake=money(int(record["stake_minor"]), record["currency"], record["exponent"]),
        win=money(int(record["win_minor"]), record["currency"], record["exponent"]),
        spins=spins,
        answer=Raw(record["response"]),
    )


def recalled(again: Recomputed, spin: Spin, full: dict[str, Any], currency: str, exponent: int) -> RecalledSpin:
    """One spin of a round that was played again; `full`: its record in the outcome."""

    def wins(found: Sequence[Win]) -> list[RecalledWin]:
        return [
            RecalledWin(
                win.evaluator,
                win.line,
                win.symbol,
                win.count,
                money(win.amount_units * again.unit_minor, currency, exponent),
                [list(cell) for cell in win.cells],
            )
            for win in found
        ]

    return RecalledSpin(
        sub_spin=spin.sub_spin,
        state=spin.state,
        symbols=answers.rows_of(spin.window),
        wins=wins(spin.wins),
        cascades=[RecalledCascade(answers.rows_of(step.window), wins(step.wins)) for step in spin.steps],
        closing=wins(spin.closing),
        features=answers.features(spin.numbered_awards, again.unit_minor, currency, exponent),
        win=money(spin.win_units * again.unit_minor, currency, exponent),
        record=full,
    )


def stored_spin(record: asyncpg.Record) -> RecalledSpin:
    """What the answer of then tells of the paid spin; what followed it is not on record by itself."""
    shown = answered_outcome(record)
    return RecalledSpin(0, None, shown.symbols, [], [], [], shown.features, None, None)


class Answered(Struct, frozen=True):
    """What is looked at of a stored answer."""

    outcome: SpinOutcome


def answered_outcome(record: asyncpg.Record) -> SpinOutcome:
    """What a stored answer showed."""
    return msgspec.json.decode(record["response"], type=Answered).outcome
