"""Months: what is owed by the figures of now, what was closed, and the true-up between them.

A closed month never changes. What becomes of its rounds later (a void, a changed agreement is not) is a line of the next
month that is closed, so that all lines about a month add up to its figures of today.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import asyncpg

from rgs_server.billing.fees import Due, Terms, allocate, due, terms_of, weight
from rgs_server.billing.figures import Figures, Row, by_currency, by_month
from rgs_server.store import Store

TRUED_MONTHS = 24
"""Closed months that are looked at again."""


class MonthRefused(Exception):
    """A month cannot be closed; the message says why."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Terms of an operator, for months from `valid_from` on until another one follows."""

    agreement_id: str
    valid_from: date
    terms: Terms


@dataclass(frozen=True, slots=True)
class Charged:
    """The rows of a month with their fees, and how each currency's fee came about."""

    rows: list[Row]
    dues: dict[str, Due]
    agreement: Agreement | None


def month_of(text: str) -> date:
    """The first day of a month written 2026-01. Raises MonthRefused."""
    try:
        return datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        raise MonthRefused(f"'{text}' is not a month like 2026-01") from None


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def midnight(day: date) -> datetime:
    """Its beginning in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def read_rows(store: Store, operator_id: str | None, since: date, until: date) -> list[Row]:
    """Figures by day, from `since` until before `until`, without fees; of one operator or of all."""
    return [Row.of(row) for row in await store.report_days(midnight(since), midnight(until), operator_id)]


async def agreement_of(store: Store, operator_id: str, month: date) -> Agreement | None:
    """The terms that hold in a month."""
    record = await store.agreement_of(operator_id, month)
    if record is None:
        return None
    return Agreement(record["agreement_id"], record["valid_from"], terms_of(json.loads(record["terms"])))


def charge(rows: Sequence[Row], agreement: Agreement | None, carried: dict[str, int]) -> Charged:
    """Fees of an operator's rows of one month; `carried` in minor units of each currency. Raises TermsRefused."""
    if agreement is None:
        return Charged(list(rows), {}, None)
    dues = {
        currency: due(agreement.terms, currency, figures, carried.get(currency, 0))
        for currency, figures in by_currency(rows).items()
    }
    charged = list(rows)
    for currency, owed in dues.items():
        mine = [i for i, row in enumerate(rows) if row.currency == currency]
        shares = allocate(owed.fee_minor, [weight(agreement.terms, rows[i]) for i in mine])
        for i, share in zip(mine, shares, strict=True):
            charged[i] = replace(rows[i], royalty_due_minor=share)
    return Charged(charged, dues, agreement)


async def report(store: Store, operator_id: str, since: date, until: date) -> list[Row]:
    """Figures by day with the fees that have come due by them. Fees are of whole months: those of a month that is not over
    are its fees so far. Raises TermsRefused."""
    found: list[Row] = []
    month = since.replace(day=1)
    while month < until:
        rows = await read_rows(store, operator_id, month, next_month(month))
        charged = charge(rows, await agreement_of(store, operator_id, month), await _carried(store, operator_id, month))
        found += [row for row in charged.rows if since <= row.day < until]
        month = next_month(month)
    return found


async def _carried(store: Store, operator_id: str, month: date) -> dict[str, int]:
    return {row["currency"]: int(row["carried_minor"]) for row in await store.carried_into(operator_id, month)}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a closed month. `about`: the month that it is about, an earlier one for a true-up."""

    about: date
    row: Row

    @classmethod
    def of(cls, record: asyncpg.Record) -> Line:
        """From a row of closing_lines."""
        figures = Figures(
            record["spins_total"],
            record["eligible_spins"],
            int(record["turnover_minor"]),
            int(record["win_minor"]),
            int(record["jackpot_contrib_minor"]),
            int(record["bonus_cost_minor"]),
        )
        names = (record["operator_id"], record["game_id"], record["build_hash"], record["currency"], record["exponent"])
        return cls(record["about"], Row(*names, record["month"], figures, int(record["royalty_due_minor"])))

    @property
    def kind(self) -> str:
        return "fee" if self.about == self.row.day else "true_up"


async def close_month(store: Store, operator_id: str, month: date, now: datetime) -> tuple[list[Line], bool]:
    """Closes a month of an operator, with true-ups of earlier ones: (its lines, whether it had been closed before).

    Raises MonthRefused or TermsRefused; nothing is written then.
    """
    if now < midnight(next_month(month)):
        raise MonthRefused(f"{month:%Y-%m} is not over; it ends at {midnight(next_month(month)):%Y-%m-%d} 00:00 UTC")
    async with store.connection.transaction(isolation="repeatable_read"):
        closed = [row["month"] for row in await store.closed_months(operator_id)]
        if month in closed:
            return [Line.of(row) for row in await store.closing_lines(operator_id, month)], True
        if closed and month < max(closed):
            raise MonthRefused(f"{max(closed):%Y-%m} is closed already; months are closed in their order")
        if closed and month > next_month(max(closed)):
            raise MonthRefused(f"close {next_month(max(closed)):%Y-%m} first; months are closed in their order")
        charged = await _charged(store, operator_id, month)
        lines = [Line(month, row) for row in charged.rows]
        for earlier in sorted(closed)[-TRUED_MONTHS:]:
            lines += [Line(earlier, replace(row, day=month)) for row in await _true_up(store, operator_id, earlier)]
        await store.close_month(operator_id, month, now)
        await store.add_closing_totals(operator_id, month, _totals(charged))
        await store.add_closing_lines([_values(line) for line in lines])
    return lines, False


async def _charged(store: Store, operator_id: str, month: date) -> Charged:
    rows = by_month(await read_rows(store, operator_id, month, next_month(month)))
    return charge(rows, await agreement_of(store, operator_id, month), await _carried(store, operator_id, month))


async def _true_up(store: Store, operator_id: str, month: date) -> list[Row]:
    """What is missing in the lines about a closed month; empty where they are right."""
    today = {row.place: row for row in (await _charged(store, operator_id, month)).rows}
    booked: dict[tuple[str, str, str], Row] = {}
    for line in [Line.of(row) for row in await store.lines_about(operator_id, month)]:
        before = booked.get(line.row.place)
        booked[line.row.place] = line.row if before is None else _sum(before, line.row)
    missing = []
    for place in sorted(today.keys() | booked.keys()):
        new, old = today.get(place), booked.get(place)
        row = new or old
        assert row is not None
        figures = (new.figures if new else Figures()) - (old.figures if old else Figures())
        fee = (new.royalty_due_minor if new else 0) - (old.royalty_due_minor if old else 0)
        if figures != Figures() or fee:
            missing.append(replace(row, figures=figures, royalty_due_minor=fee))
    return missing


def _sum(one: Row, other: Row) -> Row:
    fee = one.royalty_due_minor + other.royalty_due_minor
    return replace(one, figures=one.figures + other.figures, royalty_due_minor=fee)


def _totals(charged: Charged) -> list[tuple[str, str | None, int, int]]:
    """(currency, agreement, fee, what the next month begins with)."""
    name = None if charged.agreement is None else charged.agreement.agreement_id
    return [(currency, name, owed.fee_minor, owed.carried_minor) for currency, owed in charged.dues.items()]


def _values(line: Line) -> tuple[object, ...]:
    row, figures = line.row, line.row.figures
    return (
        row.operator_id, row.day, line.about, row.game_id, row.build_hash, row.currency, row.exponent, figures.spins_total,
        figures.eligible_spins, figures.turnover_minor, figures.win_minor, figures.jackpot_contrib_minor,
        figures.bonus_cost_minor, row.royalty_due_minor,
    )  # fmt: skip


def total_fee(lines: Iterable[Line]) -> dict[tuple[str, int], int]:
    """The fees of lines by currency and its exponent."""
    sums: dict[tuple[str, int], int] = {}
    for line in lines:
        key = (line.row.currency, line.row.exponent)
        sums[key] = sums.get(key, 0) + line.row.royalty_due_minor
    return sums
