"""The sheet as an Excel workbook: a summary laid out as a PAR sheet, pay tables, strips, win law, classes."""

from __future__ import annotations

from typing import Any

from openpyxl import Workbook
from openpyxl.chart import Reference, ScatterChart, Series
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from rgs_core.sheet.pay_sections import reel_name
from rgs_core.sheet.sections import Cell, Section
from rgs_core.sheet.sheet import ABOVE_STAKES, Sheet
from rgs_core.simulation.montecarlo import EDGES_TENTHS

FORMATS = {
    "percent": "0.000000%",
    "probability": "0.000000000",
    "stakes": '#,##0.000000" x"',
    "number": "#,##0.000000",
    "odds": "#,##0.00",
    "count": "#,##0",
}
HEAD = PatternFill("solid", fgColor="0B6E99")
HEAD_FONT = Font(bold=True, color="FFFFFF")
TITLE_FONT = Font(bold=True, size=14)
SECTION_FONT = Font(bold=True, size=12, color="0B6E99")


def workbook(sheet: Sheet, confidence: float) -> Workbook:
    """Sheets: PAR sheet, Pay tables, Strips, Wins (exact law), Simulation (with one)."""
    book = Workbook()
    front = book.active
    assert isinstance(front, Worksheet)
    front.title = "PAR sheet"
    model = sheet.build.model
    front.append([f"{model.title} {model.version}"])
    front["A1"].font = TITLE_FONT
    front.append([sheet.build.label])
    front.append([sheet.build.build_hash])
    if sheet.remark:
        front.append([sheet.remark])
    pays = book.create_sheet("Pay tables")
    for section in sheet.sections(confidence):
        append(pays if section.title.startswith(("Pay table", "Counted symbols")) else front, section)
    strips(book.create_sheet("Strips"), sheet)
    if sheet.law is not None:
        wins(book.create_sheet("Wins"), sheet)
    if sheet.simulation is not None:
        classes(book.create_sheet("Simulation"), sheet)
    for worksheet in book.worksheets:
        fit(worksheet)
    return book


def append(worksheet: Worksheet, section: Section) -> None:
    """A section below what is there."""
    worksheet.append([])
    worksheet.append([section.title])
    worksheet.cell(worksheet.max_row, 1).font = SECTION_FONT
    head(worksheet, list(section.columns))
    for row in section.rows:
        worksheet.append([cell.value for cell in row])
        for column, cell in enumerate(row, 1):
            style(worksheet.cell(worksheet.max_row, column), cell)
    if section.remark:
        worksheet.append([section.remark])


def head(worksheet: Worksheet, names: list[str]) -> None:
    """A row of column names."""
    worksheet.append(names)
    for column in range(1, len(names) + 1):
        cell = worksheet.cell(worksheet.max_row, column)
        cell.fill, cell.font = HEAD, HEAD_FONT


def style(target: Any, cell: Cell) -> None:
    """The number format of a cell, so that Excel computes with numbers and shows what people expect."""
    if isinstance(cell.value, (int, float)):
        target.number_format = FORMATS.get(cell.form, "General")
        if cell.form == "count" and not float(cell.value).is_integer():
            target.number_format = "#,##0.0000"
        if cell.form == "probability" and 0 < abs(cell.value) < 1e-4:
            target.number_format = "0.0000E+00"
    elif isinstance(cell.value, str) and cell.value.startswith("  "):
        target.alignment = Alignment(indent=1)


def strips(worksheet: Worksheet, sheet: Sheet) -> None:
    """Every strip set: stop, and symbol and weight of each reel."""
    build = sheet.build
    for state in build.model.states.values():
        worksheet.append([f"State '{state.name}', strip set '{state.strips}'"])
        worksheet.cell(worksheet.max_row, 1).font = SECTION_FONT
        reels = build.profile.strips[state.strips]
        head(
            worksheet,
            ["stop", *(f"{reel_name(build, i)}{part}" for i in range(len(reels)) for part in ("", " weight"))],
        )
        for stop in range(max(len(reel.symbols) for reel in reels)):
            values: list[Any] = [stop]
            for reel in reels:
                inside = stop < len(reel.symbols)
                values += [reel.symbols[stop], reel.weights[stop]] if inside else [None, None]
            worksheet.append(values)
        worksheet.append([])


def wins(worksheet: Worksheet, sheet: Sheet) -> None:
    """P(win >= x) and a chart of it on logarithmic axes."""
    assert sheet.law is not None
    head(worksheet, ["win, stakes", "probability of more"])
    for limit in (*(edge / 10 for edge in EDGES_TENTHS[1:] if edge < 10), *ABOVE_STAKES):
        probability = sheet.law.above(limit)
        if probability > sheet.law.error * 10:
            worksheet.append([limit, probability])
            worksheet.cell(worksheet.max_row, 2).number_format = "0.0000E+00"
    chart = ScatterChart()
    chart.title = "How likely large wins are"
    chart.style = 2
    chart.x_axis.title, chart.y_axis.title = "win, stakes", "probability"
    for axis in (chart.x_axis, chart.y_axis):
        axis.scaling.logBase = 10
        axis.delete = False
    rows = worksheet.max_row
    series = Series(
        Reference(worksheet, min_col=2, min_row=2, max_row=rows),
        Reference(worksheet, min_col=1, min_row=2, max_row=rows),
    )
    chart.series.append(series)
    chart.legend = None
    worksheet.add_chart(chart, "D2")


def classes(worksheet: Worksheet, sheet: Sheet) -> None:
    """All win classes of the simulation, and how the RTP settled."""
    assert sheet.simulation is not None
    head(worksheet, ["above, stakes", "up to, stakes", "rounds", "", "rounds so far", "RTP", "standard error"])
    edges = [edge / 10 for edge in EDGES_TENTHS]
    left = list(zip([None, *edges], [*edges, None], sheet.simulation.classes.tolist(), strict=True))
    right = sheet.simulation.convergence().tolist()
    for i in range(max(len(left), len(right))):
        worksheet.append([*(left[i] if i < len(left) else (None,) * 3), None, *(right[i] if i < len(right) else ())])
        for column in (6, 7):
            worksheet.cell(worksheet.max_row, column).number_format = "0.000000%"


def fit(worksheet: Worksheet) -> None:
    """Column widths from their contents; long sentences may run over."""
    for column in range(1, worksheet.max_column + 1):
        widths = [
            len(str(cell.value))
            for (cell,) in worksheet.iter_rows(min_col=column, max_col=column)
            if cell.value is not None
        ]
        worksheet.column_dimensions[get_column_letter(column)].width = min(
            38, max([8, *(w for w in widths if w < 60)]) + 2
        )
