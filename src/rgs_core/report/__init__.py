"""Sheets for people who do not read terminals: a page with charts, an Excel workbook, a Parquet table.

Needs the packages of the extra `report`; what is missing is named with the remedy.
"""

from __future__ import annotations

from pathlib import Path

from rgs_core.errors import RgsError
from rgs_core.sheet.sheet import Sheet
from rgs_core.simulation.montecarlo import Simulation


class ReportError(RgsError):
    """A package for reports is missing."""


def write_page(sheet: Sheet, path: Path, confidence: float = 0.95) -> None:
    """One HTML file with everything in it; no scripts, nothing loaded from elsewhere."""
    try:
        from rgs_core.report.page import page
    except ImportError as error:
        raise _missing(error) from None
    path.write_text(page(sheet, confidence), "utf-8")


def write_workbook(sheet: Sheet, path: Path, confidence: float = 0.95) -> None:
    """An .xlsx workbook laid out as a PAR sheet, with numbers as numbers."""
    try:
        from rgs_core.report.workbook import workbook
    except ImportError as error:
        raise _missing(error) from None
    workbook(sheet, confidence).save(path)


def write_parquet(simulation: Simulation, path: Path) -> None:
    """The win classes of a simulation as a Parquet table; its state is in the file's metadata."""
    try:
        import pyarrow.parquet

        from rgs_core.report.columns import class_table
    except ImportError as error:
        raise _missing(error) from None
    pyarrow.parquet.write_table(class_table(simulation), path)


def _missing(error: ImportError) -> ReportError:
    return ReportError(f"reports need {error.name}: pip install 'rgs-core[report]'")
