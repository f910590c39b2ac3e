"""The sheet as one HTML page: tables and SVG charts, no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape

from rgs_core.report.charts import charts
from rgs_core.report.html import section_html
from rgs_core.sheet.sheet import Sheet

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 62rem; background: #fff; color: #1f2328;
       font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
header { border-bottom: 2px solid #0b6e99; margin-bottom: 2rem; padding-bottom: 1rem; }
h1 { margin: 0 0 .2rem; font-size: 1.9rem; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.15rem; }
code { color: #57606a; font-size: .8rem; overflow-wrap: anywhere; }
.lead { display: flex; flex-wrap: wrap; gap: .6rem 2.4rem; margin: 1.2rem 0 0; padding: 0; }
.lead div { min-width: 7rem; }
.lead dt { color: #57606a; font-size: .8rem; }
.lead dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .28rem .7rem .28rem 0; text-align: left; border-bottom: 1px solid #eaeef2; vertical-align: top; }
th { color: #57606a; font-weight: 600; font-size: .85rem; border-bottom-color: #afb8c1; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { white-space: pre; }
figure { margin: 2rem 0 0; }
figure svg { width: 100%; height: auto; }
figcaption { font-weight: 600; font-size: 1.15rem; margin-bottom: .3rem; }
figcaption small, .remark { display: block; color: #57606a; font-weight: 400; font-size: .85rem; }
@media print { body { padding: 0; max-width: none; } h2, figure, table { break-inside: avoid; } }
"""


def page(sheet: Sheet, confidence: float) -> str:
    """The whole page."""
    model = sheet.build.model
    title = escape(f"{model.title} {model.version}")
    figures = "".join(
        f"<figure><figcaption>{escape(name)}<small>{escape(explanation)}</small></figcaption>{svg}</figure>"
        for name, explanation, svg in charts(sheet, confidence)
    )
    sections = sheet.sections(confidence)
    tables = "".join(section_html(section) for section in sections[1:])
    mark = f'<p class="remark">{escape(model.callback_note)}</p>' if model.callbacks else ""
    note = f'<p class="remark">{escape(sheet.remark)}</p>' if sheet.remark else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}, {escape(sheet.build.label)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{escape(sheet.build.label)}{": " if model.description else ""}{escape(model.description)}</p>
<code>{escape(sheet.build.build_hash)}</code>
<dl class="lead">{"".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in lead(sheet))}</dl>
</header>
{mark}{note}
{section_html(sections[0])}
{figures}
{tables}
</body>
</html>
"""


def lead(sheet: Sheet) -> list[tuple[str, str]]:
    """The few figures that everybody asks for first."""
    figures, index = sheet.analysis, sheet.analysis.volatility_index()
    simulation = sheet.simulation
    shown = [] if sheet.rtp is None else [("RTP", f"{sheet.rtp * 100:.4f} %")]
    if figures.hit_frequency is not None:
        shown.append(("hit frequency", f"{float(figures.hit_frequency) * 100:.2f} %"))
    if index is not None:
        shown.append(("volatility index, 90 %", f"{index:.3f}"))
    if len(sheet.build.model.states) > 1 and figures.feature_probability:
        shown.append(("free spins", f"1 in {1 / float(figures.feature_probability):,.1f}"))
    if simulation is not None:
        error = f"{simulation.rtp * 100:.4f} % ± {simulation.rtp_error * 100:.4f} %"
        shown.append(("simulated RTP, standard error", error))
        shown.append(("rounds", f"{simulation.rounds:,}"))
    return shown
