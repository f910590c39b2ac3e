"""Sections of a sheet as data: tables of cells, each a number with the form in which people read it.

Terminal, page, workbook and notebook render the same sections, so none can disagree with another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import compress
from typing import Literal

from rgs_core.language.model import START_STATE, Build

Form = Literal["text", "percent", "stakes", "count", "number", "odds", "probability"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and how people read it: `percent` and `probability` are fractions of 1."""

    value: float | int | str | None
    form: Form = "text"

    def __str__(self) -> str:
        value = self.value
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if self.form == "percent":
            return f"{value * 100:.6f} %"
        if self.form == "stakes":
            return f"{value:,.6f} x".replace(".000000 x", " x")
        if self.form == "count":
            return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}"
        if self.form == "odds":
            return f"{value:,.2f}"
        if self.form == "probability":
            return "0" if value == 0 else f"{value:.9f}" if value >= 1e-4 else f"{value:.4e}"
        return f"{value:,.6f}"


@dataclass(frozen=True, slots=True)
class Section:
    """A table: title, column names, rows of cells, and a remark under it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    remark: str = ""

    def trimmed(self) -> Section:
        """The same without columns that say nothing in any row."""
        told = [any(row[i].value not in (None, "") for row in self.rows) for i in range(len(self.columns))]
        return replace(
            self,
            columns=tuple(compress(self.columns, told)),
            rows=tuple(tuple(compress(row, told)) for row in self.rows),
        )


def row(name: str, value: Cell, note: str = "", *, noise: float = 0.0) -> tuple[Cell, ...]:
    """A row of figure, value and note. A probability below `noise` is said to be so."""
    if isinstance(value.value, float) and noise and value.value < noise:
        return Cell(name), Cell(f"below {noise:.0e}"), Cell("")
    return Cell(name), value, Cell(note)


def spin_of(build: Build) -> str:
    """What a frequency of a mode's first state is counted by."""
    start = build.play.start
    return "for each paid spin" if start == START_STATE else f"for each spin of '{start}'"


def percent(value: Fraction | float) -> Cell:
    return Cell(float(value), "percent")


def stakes(value: Fraction | float) -> Cell:
    return Cell(float(value), "stakes")


def probability(value: Fraction | float) -> Cell:
    return Cell(float(value), "probability")


def odds_of(p: Fraction) -> Cell:
    """1 / p as a number."""
    return Cell(float(1 / p), "odds")


def one_in(value: Fraction | float) -> Cell:
    """ "1 in 105.41", or "never"."""
    return Cell(f"1 in {1 / float(value):,.2f}" if value else "never")
