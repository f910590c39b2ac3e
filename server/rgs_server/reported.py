"""What platforms report of their side: taken once, kept, told on the bus; what they say of our rounds is compared with the record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import asyncpg
import msgspec
from msgspec import UNSET, Raw

from rgs_server.clock import read_time, time_text
from rgs_server.contract.answers import encode
from rgs_server.contract.events import EventBatchAnswer, EventResult, PlatformEvent
from rgs_server.contract.money import parse_amount
from rgs_server.contract.problems import Problem
from rgs_server.contract.requests import ReportedEvent, decode_batch, decode_reported
from rgs_server.happenings import event_id_of, row_of
from rgs_server.store import EventRow, Store

COMPARED = ("round_id", "session_id", "player_id", "game_id", "currency", "spin_type")
"""Fields that are equal or not; amounts and the build have more than one form."""

_exact: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class Report(NamedTuple):
    """An event of a batch that can be read."""

    place: int
    event_id: str
    told: ReportedEvent
    fields: dict[str, Any]
    raw: bytes


async def take_reported(store: Store, operator_id: str, body: bytes, now: datetime) -> bytes:
    """Takes 1 to 500 events; a result for each. Raises Problem where the body is no batch."""
    results: dict[int, EventResult] = {}
    reports: list[Report] = []
    for index, raw in enumerate(decode_batch(body).events):
        try:
            reports.append(_read(index, operator_id, bytes(raw)))
        except Problem as problem:
            results[index] = EventResult(index, "refused", code=problem.code, detail=problem.detail)
    spins = {report.told.spin_id for report in reports if report.told.type == "spin_finished"}
    records = await store.reported_spins(operator_id, [spin_id for spin_id in spins if spin_id is not None])
    by_spin = {record["spin_id"]: record for record in records}
    found = {report.place: _compare(report, by_spin) for report in reports}
    rows: dict[str, EventRow] = {}
    for report in reports:  # of those with one id the first counts
        record, differences = found[report.place]
        event = PlatformEvent(report.event_id, time_text(now), operator_id, Raw(report.raw), record, differences)
        rows.setdefault(report.event_id, row_of(event, operator_id, None, now))
    written = await store.add_events(list(rows.values()))
    # Read after writing: also those that another request has written meanwhile.
    payloads = await store.event_payloads([report.event_id for report in reports])
    for report in reports:
        if report.fields != _exact.decode(payloads[report.event_id])["reported"]:
            detail = f"event_id: '{report.told.event_id}' was another event"
            results[report.place] = EventResult(report.place, "refused", code="IDEMPOTENCY_CONFLICT", detail=detail)
            continue
        status: Literal["accepted", "duplicate"] = "accepted" if report.event_id in written else "duplicate"
        written.discard(report.event_id)
        results[report.place] = EventResult(report.place, status, report.event_id, *found[report.place])
    return encode(_answer([results[index] for index in sorted(results)]))


def _answer(results: list[EventResult]) -> EventBatchAnswer:
    counts = Counter(result.status for result in results)
    return EventBatchAnswer(counts["accepted"], counts["duplicate"], counts["refused"], results)


def _read(index: int, operator_id: str, raw: bytes) -> Report:
    """Raises Problem."""
    told = decode_reported(raw)
    if read_time(told.ts) is None:
        raise Problem("VALIDATION_FAILED", f"ts: '{told.ts}' is not a time like 2026-01-31T12:00:00.000Z")
    if told.operator_id not in (None, operator_id):
        raise Problem("FORBIDDEN", f"operator_id: the event is of '{told.operator_id}'; the caller is '{operator_id}'")
    name = ("id", told.event_id) if told.event_id is not None else ("bytes", hashlib.sha256(raw).hexdigest())
    try:
        fields = _exact.decode(raw)
    except (ArithmeticError, ValueError):  # a number that no decimal can hold
        raise Problem("VALIDATION_FAILED", "a number is too large") from None
    return Report(index, event_id_of("platform", operator_id, *name), told, fields, raw)


def _compare(report: Report, by_spin: Mapping[str, asyncpg.Record]) -> tuple[Any, Any]:
    """(`record`, `differences`) of an event; unset where there is nothing to compare."""
    if report.told.type != "spin_finished" or report.told.spin_id is None:
        return UNSET, UNSET
    record = by_spin.get(report.told.spin_id)
    if record is None:
        return "unknown", UNSET
    found = differences(report.fields, record)
    return ("different", found) if found else ("equal", UNSET)


def differences(fields: Mapping[str, Any], record: asyncpg.Record) -> list[str]:
    """Fields that are there and say something else than the record. An event that leaves one out does not contradict."""
    found = [name for name in COMPARED if name in fields and fields[name] != record[name]]
    if "build_hash" in fields and fields["build_hash"] not in (record["build_hash"], *record["build_refs"]):
        found.append("build_hash")
    found += [name for name in ("stake", "win") if name in fields and not _same(fields[name], record, f"{name}_minor")]
    return found


def _same(told: Any, record: asyncpg.Record, name: str) -> bool:
    """Whether an amount, a number or its text, is that of the record."""
    try:
        return parse_amount(str(told).encode(), record["currency"]) == int(record[name])
    except Problem:
        return False
