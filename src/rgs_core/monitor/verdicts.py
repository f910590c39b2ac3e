"""Levels of cells from p-values, evidence and impossible wins, and the rows that are kept.

*page*: evidence of at least m / alpha, where m counts all live e-processes of the fleet (Ville's inequality: at most
alpha of fleets without a fault are ever paged), or an impossible win. *investigate*: p < 0.01 of the same test in two
consecutive disjoint windows, or a cell that the Benjamini-Hochberg procedure at 1 % over all cells singles out (JRSS B
57, 1995). *info*: p < 0.05. Otherwise *insufficient*, where the volume could not show a drift of DRIFT_MAX, or *within*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from rgs_core import __version__
from rgs_core.monitor.counts import Cell, ClassCounts, Counts, classed
from rgs_core.monitor.evidence import anytime
from rgs_core.monitor.exact_sum import rtp_band
from rgs_core.monitor.null_law import NullLaw
from rgs_core.monitor.p_values import ESTIMATE_SHARE, PValues, p_values

Level = Literal["insufficient", "within", "info", "investigate", "page"]

ALPHA = 0.01
"""Probability that a fleet without a fault is ever paged, over its whole life."""

INFO_P, REPEATED_P, FDR = 0.05, 0.01, 0.01

DRIFT_MAX = 0.05
"""A cell that could not show an RTP off by this (power 80 % at 95 %) is below volume."""

PROCESSES = 3
"""E-processes of a cell: wins, rounds with a feature, wins of rounds that are not normal."""


@dataclass(frozen=True)
class Evidence:
    """The most evidence of an e-process as ln E less the raised threshold, and the week (from 1) it began in."""

    log_e: float
    week: int


@dataclass(frozen=True)
class Verdict:
    """What is kept of a cell and a window. Amounts in 10^-18 of the currency; RTPs as fractions.

    `window`: its first and last day. `detectable_drift`: of the RTP, at this volume. `impossible`: (stake, win, rounds).
    `evidence` by process, to be compared with `log_threshold`; over all days, not the window alone.
    """

    cell: Cell
    label: str
    level: Level
    reasons: tuple[str, ...]
    window: tuple[str, str]
    n: int
    n_eff: float
    stake: int
    win: int
    rtp: float
    theory: float
    sd: float
    band: tuple[float, float] | None
    detectable_drift: float
    p: Mapping[str, float]
    evidence: Mapping[str, Evidence]
    log_threshold: float
    impossible: tuple[tuple[int, int, int], ...]
    exact_null: bool
    null_digest: str
    code_version: str = __version__

    def row(self) -> dict[str, Any]:
        """JSON-ready; numbers that are not finite are None."""
        row = asdict(self)
        row["detectable_drift"] = self.detectable_drift if math.isfinite(self.detectable_drift) else None
        return row


@dataclass(frozen=True)
class _Whole:
    """What all days of a cell say."""

    null: NullLaw
    evidence: Mapping[str, Evidence]
    impossible: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class _Look:
    """A window of a cell, before it is seen beside the others; `previous`: of the window before it."""

    counts: Counts
    p: PValues
    previous: PValues


def judge(
    days: Mapping[Cell, Mapping[int, Counts]],
    nulls: Mapping[tuple[str, str], NullLaw],
    *,
    windows: Sequence[int] = (1,),
    names: Mapping[int, str] | None = None,
    alpha: float = ALPHA,
) -> list[Verdict]:
    """Verdicts of all cells on the last day that any of them has, for windows of so many days each.

    `days`: counts by cell and day (whole numbers, consecutive for consecutive days). `nulls`: by (build_hash, mode).
    `windows`: lengths in days of the windows of T1 to T6; the one before each is the other of two consecutive ones. The
    e-processes know all days, so their evidence is that of all windows. `names` of days, for rows. KeyError for a cell whose null is missing.
    """
    if min(windows) < 1:
        raise ValueError("a window has at least one day")
    if not days:
        return []
    last = max(day for counted in days.values() for day in counted)
    log_threshold = math.log(len(days) * PROCESSES / alpha)
    whole = {cell: _whole(counted, nulls[cell.build_hash, cell.mode], last) for cell, counted in sorted(days.items())}
    verdicts: list[Verdict] = []
    for length in windows:
        span = (last - length + 1, last)
        looks = {cell: _look(days[cell], one.null, span) for cell, one in whole.items()}
        flagged = false_discoveries({cell: look.p.smallest() for cell, look in looks.items()}, FDR)
        first, end = ((names or {}).get(day, str(day)) for day in span)
        verdicts += [
            _verdict(cell, one, looks[cell], cell in flagged, log_threshold, (first, end))
            for cell, one in whole.items()
        ]
    return verdicts


def false_discoveries(p: Mapping[Cell, float], rate: float) -> set[Cell]:
    """Cells that Benjamini and Hochberg's procedure rejects: at most `rate` of them are false on average."""
    ranked = sorted(p, key=lambda cell: p[cell])
    most = max((i for i, cell in enumerate(ranked, start=1) if p[cell] <= rate * i / len(p)), default=0)
    return set(ranked[:most])


def _look(counted: Mapping[int, Counts], null: NullLaw, span: tuple[int, int]) -> _Look:
    first, last = span
    length = last - first + 1

    def window(begin: int) -> tuple[Counts, PValues]:
        counts = Counts.together(counted[day] for day in range(begin, begin + length) if day in counted)
        return counts, p_values(counts, classed(counts, null), null)

    counts, p = window(first)
    _, previous = window(first - length)
    return _Look(counts, p, previous)


def _whole(counted: Mapping[int, Counts], null: NullLaw, last: int) -> _Whole:
    began = min(counted)
    # Impossible wins are looked for in all days: one that was seen stays seen until somebody has looked at it.
    whole = Counts.together(counted.values())
    by_day = [classed(counted[day], null) if day in counted else None for day in range(began, last + 1)]
    evidence = _evidence(by_day, counted, began, null, whole.n)
    return _Whole(null, evidence, classed(whole, null).impossible)


def _evidence(
    by_day: Sequence[ClassCounts | None], counted: Mapping[int, Counts], began: int, null: NullLaw, n: int
) -> dict[str, Evidence]:
    """T7 of all three processes. Estimated laws have one only while they are as good as exact."""
    if not null.exact and n * ESTIMATE_SHARE > null.estimated_rounds:
        return {}
    nothing = np.zeros(len(null.last), dtype=np.int64)
    daily = {
        "wins": np.stack([nothing if day is None else day.all for day in by_day]),
        "exceptional": np.stack([nothing if day is None else day.exceptional for day in by_day]),
    }
    probabilities = {"wins": null.class_probabilities, "exceptional": null.class_probabilities}
    if null.feature_probability is not None:
        share = null.feature_probability
        of_days = [counted.get(began + i, Counts()) for i in range(len(by_day))]
        daily["feature"] = np.array([(day.known - day.triggered, day.triggered) for day in of_days], dtype=np.int64)
        probabilities["feature"] = np.array([1 - share, share])
    return {name: Evidence(*anytime(counts, probabilities[name])) for name, counts in daily.items() if counts.any()}


def _verdict(
    cell: Cell, one: _Whole, look: _Look, flagged: bool, log_threshold: float, window: tuple[str, str]
) -> Verdict:
    null, counts, stakes = one.null, look.counts, look.counts.stakes
    reasons: list[str] = []
    level: Level = "insufficient" if null.drift(stakes.n_eff) > DRIFT_MAX else "within"
    known, previous = look.p.known(), look.previous.known()
    if small := [name for name, p in known.items() if p < INFO_P]:
        level, reasons = "info", [f"p < {INFO_P:g} of {', '.join(small)}"]
    if twice := [name for name, p in known.items() if max(p, previous.get(name, 1.0)) < REPEATED_P]:
        level, reasons = (
            "investigate",
            [*reasons, f"p < {REPEATED_P:g} in two consecutive windows of {', '.join(twice)}"],
        )
    if flagged:
        level, reasons = "investigate", [*reasons, f"false discovery rate of {FDR:.0%} over all cells"]
    for name, evidence in one.evidence.items():
        if evidence.log_e >= log_threshold:
            level, reasons = "page", [*reasons, f"evidence of {name} since week {evidence.week}"]
    if one.impossible:
        level, reasons = "page", [*reasons, "wins that the certified law does not have"]
    return Verdict(
        cell=cell,
        label=null.label,
        level=level,
        reasons=tuple(reasons),
        window=window,
        n=counts.n,
        n_eff=stakes.n_eff,
        stake=stakes.total,
        win=counts.win,
        rtp=counts.win / stakes.total if stakes.total else 0.0,
        theory=null.mean,
        sd=null.sd,
        band=rtp_band(null, stakes) if counts.n else None,
        detectable_drift=null.drift(stakes.n_eff),
        p=known,
        evidence=dict(one.evidence),
        log_threshold=log_threshold,
        impossible=one.impossible,
        exact_null=null.exact,
        null_digest=null.digest,
    )
