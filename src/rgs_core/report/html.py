"""Sections as HTML tables, for the page and for notebooks."""

from __future__ import annotations

from html import escape

from rgs_core.sheet.sections import Section


def section_html(section: Section) -> str:
    """A section as a table under a heading."""
    numeric = [
        any(isinstance(row[column].value, (int, float)) for row in section.rows)
        for column in range(len(section.columns))
    ]

    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="number"' if numeric[column] else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, name) for i, name in enumerate(section.columns))
    rows = "".join(f"<tr>{''.join(cell('td', i, str(c)) for i, c in enumerate(row))}</tr>" for row in section.rows)
    remark = f'<p class="remark">{escape(section.remark)}</p>' if section.remark else ""
    return (
        f"<h2>{escape(section.title)}</h2>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{remark}'
    )
