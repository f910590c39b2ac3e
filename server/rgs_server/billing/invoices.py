"""Fees of a closed month in one currency, by a table of rates that says where they come from.

The service never converts money of players; an invoice is in the currency of the agreement. The same month with
another table, such as that of the quarter's end, is another invoice, whose true-up is the difference.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TextIO

from rgs_server.billing.fees import DECIMAL
from rgs_server.billing.months import Line, total_fee
from rgs_server.contract.money import EXPONENTS
from rgs_server.store import Store

COLUMNS = ("currency", "rate", "date", "source")


class RatesRefused(Exception):
    """A table of rates cannot be used; the message has the line."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many units of the invoice's currency for one unit of another."""

    rate: Fraction
    day: date
    source: str


@dataclass(frozen=True, slots=True)
class Converted:
    """The fee of a currency, and the same in the currency of the invoice; `rate` is None where it is that one."""

    currency: str
    exponent: int
    fee_minor: int
    converted_minor: int
    rate: Rate | None


def read_rates(file: TextIO) -> Mapping[str, Rate]:
    """Rates by currency. Raises RatesRefused."""
    reader = csv.DictReader(file)
    lacking = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if lacking:
        raise RatesRefused(f"line 1: no column {', '.join(lacking)}; the first line names {', '.join(COLUMNS)}")
    rates: dict[str, Rate] = {}
    for row in reader:
        line, values = reader.line_num, {name: (row[name] or "").strip() for name in COLUMNS}
        currency = values["currency"]
        if currency not in EXPONENTS:
            raise RatesRefused(f"line {line}: no currency '{currency}'")
        if currency in rates:
            raise RatesRefused(f"line {line}: a second rate of {currency}")
        if not DECIMAL.fullmatch(values["rate"]) or not Fraction(values["rate"]):
            raise RatesRefused(f"line {line}: rate '{values['rate']}' is no decimal above 0")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", values["date"]) or not values["source"]:
            raise RatesRefused(f"line {line}: say the date (2026-01-31) and the source of the rate")
        rates[currency] = Rate(Fraction(values["rate"]), date.fromisoformat(values["date"]), values["source"])
    return rates


def converted(lines: Iterable[Line], currency: str, rates: Mapping[str, Rate]) -> list[Converted]:
    """The fees of a month in one currency, each rounded to its minor unit (halves to even). Raises RatesRefused."""
    found = []
    for (name, exponent), fee_minor in sorted(total_fee(lines).items()):
        if name == currency:
            found.append(Converted(name, exponent, fee_minor, fee_minor, None))
            continue
        rate = rates.get(name)
        if rate is None:
            raise RatesRefused(f"no rate of {name} in {currency}; add a line to the table of rates")
        minor = round(fee_minor * rate.rate * 10 ** EXPONENTS[currency] / Fraction(10**exponent))
        found.append(Converted(name, exponent, fee_minor, minor, rate))
    return found


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice that is on record. `true_up_minor`: less what the one before it came to; `fresh`: it was made now."""

    number: int
    total_minor: int
    true_up_minor: int
    fresh: bool


async def issue(
    store: Store, operator_id: str, month: date, currency: str, rows: Sequence[Converted], now: datetime
) -> Invoice:
    """Writes the invoice of a closed month down; the same amounts at the same rates are the invoice that was made before.

    Raises asyncpg.UniqueViolationError where another is being made at the same moment.
    """
    before = await store.last_invoice(operator_id, month, currency)
    fees, total_minor = fees_of(rows), sum(row.converted_minor for row in rows)
    if before is not None and before["fees"] == fees:
        return Invoice(before["number"], int(before["total_minor"]), int(before["true_up_minor"]), fresh=False)
    number = 1 if before is None else before["number"] + 1
    true_up_minor = 0 if before is None else total_minor - int(before["total_minor"])
    amounts = (Decimal(total_minor), Decimal(true_up_minor))
    await store.add_invoice(operator_id, month, currency, number, EXPONENTS[currency], *amounts, fees, now)
    return Invoice(number, total_minor, true_up_minor, fresh=True)


def fees_of(rows: Sequence[Converted]) -> str:
    """What is kept of the amounts of an invoice: each with its rate and the source of that."""
    fees = [
        {
            "currency": row.currency,
            "exponent": row.exponent,
            "fee_minor": row.fee_minor,
            "converted_minor": row.converted_minor,
            **(
                {}
                if row.rate is None
                else {"rate": str(row.rate.rate), "day": row.rate.day.isoformat(), "source": row.rate.source}
            ),
        }
        for row in rows
    ]
    return json.dumps(fees, ensure_ascii=False)
