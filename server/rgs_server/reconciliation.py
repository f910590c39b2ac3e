"""An operator's list of transactions against ours: what is missing, double, different or late.

The list is CSV with a line of names: `txn_id, amount, currency, status, time`, in any order; further columns are skipped.
Transactions are named as the operator's wallet or platform knows them: `debit:…`, `credit:…` and `rollback:…` at a
wallet, `in:…` and `out:…` of sessions that hold money, and the platform's own names in settlements.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TextIO

from rgs_server.clock import read_time, time_text
from rgs_server.contract.money import format_amount, parse_amount
from rgs_server.contract.problems import Problem

COLUMNS = ("txn_id", "amount", "currency", "status", "time")
STATUSES = ("posted", "refused", "rolled_back")
Fault = Literal["missing", "unknown", "duplicate", "amount", "status", "late"]


class ListRefused(Exception):
    """The operator's list cannot be read; the message has the line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction as one side knows it; `exponent` is that of the currency. Not `certain`: a debit that was given up
    without a verdict, and its rollback, which may both have moved money or neither."""

    txn_id: str
    minor: int
    currency: str
    exponent: int
    status: str
    time: datetime
    certain: bool = True

    @property
    def shown(self) -> str:
        """Its amount for people."""
        return f"{format_amount(self.minor, self.exponent)} {self.currency}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two sides differ; `theirs` and `ours` for people."""

    fault: Fault
    txn_id: str
    theirs: str
    ours: str


def read_list(file: TextIO, exponents: Mapping[str, int]) -> Iterator[Entry]:
    """The entries of an operator's list. Raises ListRefused with line and remedy."""
    reader = csv.DictReader(file)
    lacking = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if lacking:
        raise ListRefused(f"line 1: no column {', '.join(lacking)}; the first line names {', '.join(COLUMNS)}")
    for row in reader:
        line = reader.line_num
        values = {name: (row[name] or "").strip() for name in COLUMNS}
        time = read_time(values["time"])
        if time is None:
            raise ListRefused(f"line {line}: time '{values['time']}' is not like 2026-01-31T12:00:00.000Z")
        if values["status"] not in STATUSES:
            raise ListRefused(f"line {line}: status '{values['status']}' is not {', '.join(STATUSES)}")
        if not values["txn_id"]:
            raise ListRefused(f"line {line}: no txn_id")
        try:
            minor = parse_amount(values["amount"].encode(), values["currency"])
        except Problem as problem:
            raise ListRefused(f"line {line}: {problem.detail}") from None
        currency = values["currency"]
        yield Entry(values["txn_id"], minor, currency, exponents[currency], values["status"], time)


def differences(theirs: Iterable[Entry], ours: Mapping[str, Entry], late_s: float) -> Iterator[Difference]:
    """Every way in which the two sides differ; nothing where they agree.

    A transaction that has moved nothing on our side (refused) need not be in the list. One is late when its
    times are more than `late_s` apart.
    """
    seen: set[str] = set()
    for entry in theirs:
        txn_id = entry.txn_id
        if txn_id in seen:
            yield Difference("duplicate", txn_id, entry.shown, "once")
            continue
        seen.add(txn_id)
        own = ours.get(txn_id)
        if own is None:
            if entry.status == "posted":
                yield Difference("unknown", txn_id, entry.shown, "-")
            continue
        if own.certain and entry.status != own.status:
            yield Difference("status", txn_id, entry.status, own.status)
        if (entry.minor, entry.currency) != (own.minor, own.currency):
            yield Difference("amount", txn_id, entry.shown, own.shown)
        if own.certain and abs((entry.time - own.time).total_seconds()) > late_s:
            yield Difference("late", txn_id, time_text(entry.time), time_text(own.time))
    for txn_id, own in ours.items():
        if own.certain and own.status == "posted" and txn_id not in seen:
            yield Difference("missing", txn_id, "-", own.shown)
