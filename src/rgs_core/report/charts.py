"""Charts of a sheet as SVG text, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from rgs_core.exact.distribution import WinLaw
from rgs_core.exact.stats import z_for
from rgs_core.sheet.pay_sections import symbol_contributions
from rgs_core.sheet.sheet import NOISE, Sheet
from rgs_core.simulation.montecarlo import EDGES_TENTHS

EXACT, SIMULATED, SOFT = "#0b6e99", "#d9730d", "#9fc5d8"
SIZE = (7.6, 3.6)

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "rgs-core",
}


def charts(sheet: Sheet, confidence: float) -> list[tuple[str, str, str]]:
    """(title, explanation, SVG) of every chart that the sheet has data for."""
    drawn = []
    for title, explanation, draw in (
        ("How likely large wins are", "P(win of a round > x): line exact, dots simulated.", win_chart),
        (
            "How the estimate settled",
            f"RTP of the rounds so far with its {confidence * 100:g} % band.",
            convergence_chart,
        ),
        ("Where the return comes from", "Per cent of the stake, by part and by symbol.", contribution_chart),
        ("What a bonus wins", "Win of the free spins of a round that has any, exact.", feature_chart),
    ):
        figure = Figure(figsize=SIZE, layout="constrained")
        with matplotlib.rc_context(STYLE):
            if draw(figure.subplots(), sheet, confidence):
                drawn.append((title, explanation, svg(figure)))
    return drawn


def svg(figure: Figure) -> str:
    """The figure as an <svg> element, equal for equal figures."""
    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = out.getvalue()
    return re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", text[text.index("<svg") :], count=1)


def win_chart(axes: Axes, sheet: Sheet, confidence: float) -> bool:
    """Survival function of the win, on logarithmic axes."""
    del confidence
    if sheet.law is not None:
        survival = np.append(np.cumsum(sheet.law.probabilities[::-1])[::-1][1:], 0.0)  # P(win > x)
        stakes = sheet.law.stakes
        shown = (survival > max(NOISE, sheet.law.error)) & (stakes > 0)
        thin = np.unique(np.geomspace(1, max(2, int(shown.sum())), 1500).astype(int)) - 1
        indices = np.flatnonzero(shown)
        thin = thin[thin < len(indices)]
    if sheet.law is not None and len(indices):
        axes.step(
            stakes[indices[thin]], survival[indices[thin]], where="post", color=EXACT, linewidth=1.6, label="exact"
        )
    if sheet.simulation is not None:
        counted = sheet.simulation.classes
        above = np.cumsum(counted[::-1])[::-1][1:] / sheet.simulation.rounds
        edges = np.array(EDGES_TENTHS) / 10
        dots = (above > 0) & (edges > 0)
    if sheet.simulation is not None and dots.any():
        axes.plot(edges[dots], above[dots], "o", color=SIMULATED, markersize=3.5, label="simulated")
    if not axes.lines:
        return False
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("win, stakes")
    axes.set_ylabel("probability")
    axes.legend()
    return True


def convergence_chart(axes: Axes, sheet: Sheet, confidence: float) -> bool:
    """RTP so far against rounds, with its band and the exact value."""
    if sheet.simulation is None or len(sheet.simulation.shards) < 2:
        return False
    rounds, rtp, error = sheet.simulation.convergence().T
    z = z_for(confidence)
    axes.fill_between(
        rounds, 100 * (rtp - z * error), 100 * (rtp + z * error), color=SIMULATED, alpha=0.18, linewidth=0
    )
    axes.plot(rounds, 100 * rtp, color=SIMULATED, linewidth=1.4, label="simulated")
    if sheet.rtp is not None:
        axes.axhline(100 * sheet.rtp, color=EXACT, linewidth=1.2, label="exact")
    axes.set_xscale("log")
    axes.set_xlabel("rounds")
    axes.set_ylabel("RTP, %")
    axes.legend()
    return True


def contribution_chart(axes: Axes, sheet: Sheet, confidence: float) -> bool:
    """Bars of the RTP by part of the round, then of the paid spin's lines by symbol."""
    del confidence
    closed = sheet.analysis.closed
    bars = [(name, float(part), EXACT) for name, part in sheet.analysis.rtp_parts.items()]
    if closed is not None:
        bars += [
            (f"{symbol} in {name}", float(units / sheet.cost_units), SOFT)
            for (name, symbol), units in sorted(symbol_contributions(closed.paid).items(), key=lambda item: -item[1])
        ]
    if not bars:
        return False
    names, values, colours = zip(*reversed(bars), strict=True)
    drawn = axes.barh(names, [100 * value for value in values], color=colours, height=0.7)
    axes.bar_label(drawn, fmt="%.2f", padding=3, fontsize=8)
    axes.set_xlabel("% of the stake")
    axes.grid(axis="y", visible=False)
    return True


def feature_chart(axes: Axes, sheet: Sheet, confidence: float) -> bool:
    """Histogram of what the free spins win, in classes of equal ratio."""
    del confidence
    law: WinLaw | None = sheet.feature
    if law is None:
        return False
    high = max(law.quantile(0.9995), 2.0)
    low = max(float(law.stakes[1]) if len(law.stakes) > 1 else 0.1, high / 1e4)
    if not low < high or law.rtp == 0:
        return False
    edges = np.geomspace(low, high, 48)
    share = np.histogram(law.stakes, bins=edges, weights=law.probabilities)[0]
    axes.bar(edges[:-1], 100 * share, width=np.diff(edges), align="edge", color=SOFT, edgecolor=EXACT, linewidth=0.5)
    axes.axvline(law.rtp, color=SIMULATED, linewidth=1.2, label=f"mean {law.rtp:,.2f} x")
    axes.set_xscale("log")
    axes.set_xlabel("win of the free spins, stakes")
    axes.set_ylabel("% of features")
    axes.legend()
    return True
