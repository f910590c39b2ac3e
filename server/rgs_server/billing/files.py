"""Reports as files: CSV with amounts as exact decimals, an Excel workbook, a Parquet table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from rgs_core.errors import RgsError
from rgs_server.billing.figures import Row
from rgs_server.contract.answers import ReportRow
from rgs_server.contract.money import format_amount

COLUMNS = (
    "operator_id", "game_id", "build_hash", "currency", "day", "spins_total", "eligible_spins", "turnover", "win", "ggr", "netwin",
    "jackpot_contrib", "bonus_cost", "royalty_due",
)  # fmt: skip
AMOUNTS = COLUMNS[7:]
SUFFIXES = (".csv", ".xlsx", ".parquet")


class FileRefused(Exception):
    """A report cannot be written like that."""


def cells(row: Row) -> tuple[str | int, ...]:
    """A row as text and whole numbers; amounts as decimals of their currency."""
    figures = row.figures
    amounts = (
        figures.turnover_minor, figures.win_minor, figures.ggr_minor, figures.netwin_minor, figures.jackpot_contrib_minor,
        figures.bonus_cost_minor, row.royalty_due_minor,
    )  # fmt: skip
    return (
        row.operator_id, row.game_id, row.build_hash, row.currency, row.day.isoformat(), figures.spins_total,
        figures.eligible_spins, *(signed(minor, row.exponent) for minor in amounts),
    )  # fmt: skip


def report_row(row: Row) -> ReportRow:
    """A row as the contract shows it."""
    values = dict(zip(COLUMNS, cells(row), strict=True))
    del values["operator_id"], values["win"]
    return ReportRow(**values)  # type: ignore[arg-type]


def signed(minor: int, exponent: int) -> str:
    """A decimal, negative for a loss."""
    return f"-{format_amount(-minor, exponent)}" if minor < 0 else format_amount(minor, exponent)


def write(rows: Iterable[Row], path: Path) -> None:
    """Writes a report in the format that the name ends with. Raises FileRefused, or RgsError for a missing package."""
    if path.suffix not in SUFFIXES:
        raise FileRefused(f"{path}: the name ends with {', '.join(SUFFIXES)}")
    table = [cells(row) for row in rows]
    part = path.with_suffix(path.suffix + ".part")
    try:
        {".csv": _csv, ".xlsx": _workbook, ".parquet": _parquet}[path.suffix](table, part)
    except ImportError as error:
        raise RgsError(f"this format needs {error.name}: pip install 'rgs-core[report]'") from None
    part.replace(path)  # whole or not at all


def _csv(table: Sequence[Sequence[str | int]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(table)


def _workbook(table: Sequence[Sequence[str | int]], path: Path) -> None:
    """Amounts are numbers where Excel's fifteen digits hold them, else text."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.active
    sheet.title = "report"
    sheet.append(COLUMNS)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    first = len(COLUMNS) - len(AMOUNTS)
    for row in table:
        amounts = [Decimal(text) if len(str(text).strip("-").replace(".", "")) <= 15 else text for text in row[first:]]
        sheet.append([*row[:first], *amounts])
    with path.open("wb") as file:
        book.save(file)


def _parquet(table: Sequence[Sequence[str | int]], path: Path) -> None:
    """Amounts are decimal(38, 18), which every engine reads exactly."""
    import pyarrow as pa
    import pyarrow.parquet

    types = {"spins_total": pa.int64(), "eligible_spins": pa.int64(), "day": pa.date32()}
    types |= dict.fromkeys(AMOUNTS, pa.decimal128(38, 18))
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    columns = [list(column) for column in zip(*table, strict=True)] or [[] for _ in COLUMNS]
    arrays = []
    for field, column in zip(schema, columns, strict=True):
        if pa.types.is_decimal(field.type):
            arrays.append(pa.array([Decimal(text) for text in column], type=field.type))
        elif pa.types.is_date(field.type):
            arrays.append(pa.array(column, type=pa.string()).cast(field.type))
        else:
            arrays.append(pa.array(column, type=field.type))
    pyarrow.parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
