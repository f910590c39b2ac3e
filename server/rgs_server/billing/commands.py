"""The commands of reports and fees: report, fees, close-month, invoice."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from rgs_server.billing.fees import TermsRefused, read_terms, terms_text
from rgs_server.billing.figures import Row
from rgs_server.billing.files import COLUMNS, cells, signed, write
from rgs_server.billing.invoices import converted, issue, read_rates
from rgs_server.billing.months import Line, close_month, month_of, report, total_fee
from rgs_server.clock import system_clock
from rgs_server.config import Config, ConfigError
from rgs_server.contract.money import EXPONENTS
from rgs_server.store import Store

DAYS_MAX = 3660
NUMBERS = ("spins_total", "eligible_spins", "turnover", "ggr", "netwin", "royalty_due")
COMMANDS = ("report", "fees", "close-month", "invoice")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describes them."""
    shown = commands.add_parser("report", help="figures of an operator by game, build, currency and day, with fees")
    shown.add_argument("operator_id", metavar="OPERATOR_ID")
    shown.add_argument("--from", dest="first", metavar="DAY", required=True, help="such as 2026-01-01 (UTC)")
    shown.add_argument("--to", dest="last", metavar="DAY", required=True, help="the last day, included")
    shown.add_argument("--out", metavar="FILE", help="write .csv, .xlsx or .parquet instead")
    fees = commands.add_parser("fees", help="show what an operator pays, or agree on it")
    fees.add_argument("operator_id", metavar="OPERATOR_ID")
    fees.add_argument("--terms", metavar="FILE", help="TOML: kind per_spin, turnover or revenue_share")
    fees.add_argument("--agreement", metavar="ID", help="name of the agreement")
    fees.add_argument("--from", dest="first", metavar="MONTH", help="from this month on, such as 2026-01")
    close = commands.add_parser("close-month", help="close a month of an operator, with true-ups of earlier ones")
    close.add_argument("operator_id", metavar="OPERATOR_ID")
    close.add_argument("month", metavar="MONTH", help="such as 2026-01; it is over")
    invoice = commands.add_parser("invoice", help="fees of a closed month in one currency")
    invoice.add_argument("operator_id", metavar="OPERATOR_ID")
    invoice.add_argument("month", metavar="MONTH")
    invoice.add_argument("--currency", metavar="CODE", required=True)
    invoice.add_argument("--rates", metavar="FILE", help="CSV with currency, rate, date, source")


async def run_command(config: Config, args: argparse.Namespace) -> int:
    """Runs one of COMMANDS; its exit code. Raises what its use case raises."""
    if args.command == "report":
        return await show_report(config, args)
    if args.command == "fees":
        return await agree(config, args)
    if args.command == "close-month":
        return await close(config, args)
    return await show_invoice(config, args)


@asynccontextmanager
async def reading(config: Config) -> AsyncIterator[Store]:
    """A connection of its own, which changes nothing and is given up after minutes; spins have others."""
    settings = {"default_transaction_read_only": "on", "statement_timeout": "600s", "lock_timeout": "5s"}
    connection = await asyncpg.connect(config.report_url or config.database_url, server_settings=settings)
    try:
        yield Store(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def writing(config: Config) -> AsyncIterator[Store]:
    connection = await asyncpg.connect(config.database_url, server_settings={"lock_timeout": "5s"})
    try:
        yield Store(connection)
    finally:
        await connection.close()


def day_of(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name}: '{text}' is not a day like 2026-01-31") from None


async def show_report(config: Config, args: argparse.Namespace) -> int:
    first, last = day_of(args.first, "--from"), day_of(args.last, "--to")
    if not 0 <= (last - first).days < DAYS_MAX:
        raise ConfigError(f"--from and --to: {first} to {last} is no period of 1 to {DAYS_MAX} days")
    async with reading(config) as store:
        rows = await report(store, args.operator_id, first, date.fromordinal(last.toordinal() + 1))
    if args.out is not None:
        write(rows, Path(args.out))
        print(f"{len(rows)} rows in {args.out}")
        return 0
    table(rows, f"{args.operator_id}, {first} to {last}")
    return 0


def table(rows: Sequence[Row], title: str) -> None:
    """Shows rows to people; files have more columns."""
    if not rows:
        print(f"{title}: nothing was played")
        return
    shown = Table(title=title)
    names = ("day", "game_id", "build_hash", "currency", *NUMBERS)
    for name in names:
        shown.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=True)
    for row in rows:
        values = dict(zip(COLUMNS, cells(row), strict=True))
        values["build_hash"] = str(values["build_hash"])[:15]
        shown.add_row(*(str(values[name]) for name in names))
    Console(width=None if sys.stdout.isatty() else 300).print(shown)


async def agree(config: Config, args: argparse.Namespace) -> int:
    given = (args.terms, args.agreement, args.first)
    if any(value is not None for value in given) and any(value is None for value in given):
        raise ConfigError("give --terms, --agreement and --from together")
    async with writing(config) as store:
        if args.terms is not None:
            text = Path(args.terms).read_text("utf-8")
            try:
                read_terms(text)
            except TermsRefused as error:
                raise TermsRefused(f"{args.terms}: {error}") from None
            month = month_of(args.first)
            closed = [row["month"] for row in await store.closed_months(args.operator_id)]
            if closed and month <= max(closed):
                raise ConfigError(f"--from: {max(closed):%Y-%m} is closed; agree on a later month")
            kept = terms_text(tomllib.loads(text))
            try:
                await store.add_agreement(args.operator_id, args.agreement, month, kept, system_clock())
            except asyncpg.UniqueViolationError:
                raise ConfigError(f"'{args.agreement}' is an agreement already, or {month:%Y-%m} has one") from None
            except asyncpg.ForeignKeyViolationError:
                raise ConfigError(f"no operator '{args.operator_id}'") from None
        agreements = await store.agreements(args.operator_id)
    for row in agreements:
        print(f"{row['agreement_id']}  from {row['valid_from']:%Y-%m}  {json.loads(row['terms'])['kind']}")
    if not agreements:
        print(f"nothing is agreed with {args.operator_id}: no fees are due")
    return 0


async def close(config: Config, args: argparse.Namespace) -> int:
    month = month_of(args.month)
    async with writing(config) as store:
        lines, before = await close_month(store, args.operator_id, month, system_clock())
    print(f"{args.operator_id} {month:%Y-%m} {'was closed before' if before else 'is closed'}")
    for kind in ("fee", "true_up"):
        show_lines([line for line in lines if line.kind == kind], "true-up" if kind == "true_up" else kind)
    return 0


def show_lines(lines: Sequence[Line], name: str) -> None:
    """The sum of lines in each currency."""
    for (currency, exponent), minor in sorted(total_fee(lines).items()):
        print(f"{name:8}{len(lines):4} lines  {signed(minor, exponent)} {currency}")


async def show_invoice(config: Config, args: argparse.Namespace) -> int:
    month, currency = month_of(args.month), args.currency
    if currency not in EXPONENTS:
        raise ConfigError(f"--currency: no currency '{currency}'; use an ISO 4217 code such as EUR")
    rates = {}
    if args.rates is not None:
        with open(args.rates, encoding="utf-8", newline="") as file:
            rates = dict(read_rates(file))
    async with reading(config) as store:
        if month not in [row["month"] for row in await store.closed_months(args.operator_id)]:
            raise ConfigError(
                f"{month:%Y-%m} is not closed; run 'rgs-server close-month {args.operator_id} {args.month}'"
            )
        lines = [Line.of(row) for row in await store.closing_lines(args.operator_id, month)]
    found = converted(lines, currency, rates)
    async with writing(config) as store:
        issued = await issue(store, args.operator_id, month, currency, found, system_clock())
    exponent = EXPONENTS[currency]
    for row in found:
        source = "" if row.rate is None else f"  at {float(row.rate.rate):.12g} of {row.rate.day}, {row.rate.source}"
        amount, in_currency = signed(row.fee_minor, row.exponent), signed(row.converted_minor, exponent)
        print(f"{amount:>20} {row.currency}  {in_currency:>20} {currency}{source}")
    as_before = "" if issued.fresh else ", as it was made before"
    print(
        f"invoice {issued.number} of {args.operator_id} for {month:%Y-%m}{as_before}: {signed(issued.total_minor, exponent)} {currency}"
    )
    if issued.number > 1:
        print(f"true-up of invoice {issued.number - 1}: {signed(issued.true_up_minor, exponent)} {currency}")
    return 0
