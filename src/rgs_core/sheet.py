"""The PAR sheet of a build as data: sections of named figures, for terminal, page, workbook and programs.

A cell is a number with the form in which people read it; every output renders the same sections, so none
can disagree with another. With a simulation the sheet also holds its estimates beside the exact figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from rgs_core.analysis import Analysis, analyse
from rgs_core.closed_form import SpinFigures, count_law
from rgs_core.distribution import SessionOdds, WinLaw, feature_law, win_law
from rgs_core.errors import AnalysisError
from rgs_core.model import Build, FreeSpinsTrigger, Scatter
from rgs_core.montecarlo import TABLE_EDGES_TENTHS, Simulation, class_labels
from rgs_core.stats import Z_90

Form = Literal["text", "percent", "stakes", "count", "number", "odds", "probability"]

ABOVE_STAKES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
QUANTILES = (0.5, 0.75, 0.9, 0.99, 0.999, 0.9999)
CAPS_STAKES = (100, 500, 1_000, 5_000)
SESSIONS = ((50, 500), (100, 1_000), (200, 2_000))
"""(bankroll in stakes, spins) of the sessions shown."""

SESSION_WORK_MAX = 30_000_000
"""Of a session shown without being asked for."""

NOISE = 1e-11
"""Probabilities below this, or below the error of the law, are shown as such."""


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


@dataclass(frozen=True, repr=False)
class Sheet:
    """All figures of a build. `law` (of a round's win) and `feature` (of its free spins, where there are any)
    are None, with `law_skipped` saying why, when there is no exact law."""

    analysis: Analysis
    law: WinLaw | None
    feature: WinLaw | None
    law_skipped: str
    simulation: Simulation | None = None
    sessions: tuple[tuple[int, int], ...] = SESSIONS

    @classmethod
    def of(
        cls,
        build: Build,
        simulation: Simulation | None = None,
        *,
        visit: bool = False,
        sessions: tuple[tuple[int, int], ...] | None = None,
    ) -> Sheet:
        """The sheet of a build; `sessions` as SESSIONS. Raises AnalysisError as `analyse` does."""
        analysis = analyse(build, visit=visit)
        law = feature = None
        skipped = analysis.cycle_skipped
        if analysis.cycle is not None:
            try:
                law, feature = win_law(analysis.cycle), feature_law(analysis.cycle)
            except AnalysisError as error:
                skipped = str(error)
        return cls(analysis, law, feature, skipped, simulation, sessions or SESSIONS)

    @property
    def build(self) -> Build:
        return self.analysis.closed.build

    @property
    def rtp(self) -> float:
        """Exact RTP."""
        return float(self.analysis.closed.rtp)

    def frames(self, confidence: float = 0.95) -> dict[str, Any]:
        """Every section as a pandas data frame, by its title."""
        import pandas as pd

        return {
            section.title: pd.DataFrame([[cell.value for cell in row] for row in section.rows], columns=section.columns)
            for section in self.sections(confidence)
        }

    def __repr__(self) -> str:
        return f"<Sheet {self.build.label}, RTP {self.rtp:.6%}>"

    def _repr_html_(self) -> str:
        from rgs_core.report.html import section_html

        return "".join(section_html(section) for section in self.sections())

    def sections(self, confidence: float = 0.95) -> list[Section]:
        """Everything, in the order of a PAR sheet."""
        closed = self.analysis.closed
        spins = [spin for spin in (closed.paid, closed.free) if spin]
        sections = [self.round_section()]
        if self.simulation is not None:
            sections += [self.simulation_section(confidence), self.classes_section()]
        if self.law is not None:
            sections += [self.wins_section(), self.sessions_section()]
        if self.feature is not None:
            sections.append(self.feature_section())
        sections += [self.contribution_section(spin) for spin in spins]
        for spin in spins:
            sections += [self.pay_section(spin)] if spin.prizes else []
            sections += [self.count_section(spin)]
        sections += [
            self.symbols_section(name) for name in dict.fromkeys(s.strips for s in self.build.model.states.values())
        ]
        return [section for section in sections if section.rows]

    def round_section(self) -> Section:
        """RTP and its parts, hit and bonus frequency, volatility."""
        closed, cycle = self.analysis.closed, self.analysis.cycle
        ways = "closed form = full cycle" if cycle else "closed form"
        if self.analysis.visited:
            ways += ", merged and visited"
        rows = [row("RTP", percent(closed.rtp), ways)]
        rows += [row(f"  {name}", percent(part)) for name, part in closed.rtp_parts.items()]
        if closed.free and closed.feature_probability:
            p = closed.feature_probability
            rows += [
                row("free spins start", one_in(p), f"{float(closed.free_spins_per_feature):.6f} spins"),
                row(
                    "  within",
                    Cell(rounds_within(p, 0.5), "count"),
                    f"rounds in half of all cases, {rounds_within(p, 0.95):,} in 95 %",
                ),
                row("mean win of the feature", stakes(closed.feature_win), "in stakes"),
                row("further spins per free spin", Cell(float(closed.free.spins_awarded), "number"), "before the cap"),
            ]
        rows += [
            row(f"{name} for each paid spin", probability(p), str(one_in(p)))
            for name, p in closed.paid.trigger_hits.items()
        ]
        rows.append(row("hit frequency of one line", percent(closed.paid.line_hit_frequency)))
        if cycle is None:
            rows.append(row("hit frequency, volatility", Cell("not computed"), self.analysis.cycle_skipped))
            return Section("Round", ("figure", "value", ""), tuple(rows))
        most = cycle.max_win_units / self.build.model.stake_units
        rows += [
            row("hit frequency", percent(cycle.hit_frequency), str(one_in(cycle.hit_frequency))),
            row("  paid spin alone", percent(cycle.paid_spin_hit_frequency)),
            row("standard deviation", stakes(cycle.sd), f"paid spin alone {cycle.paid_spin_sd:.6f} x"),
            row("volatility index, 90 %", Cell(cycle.volatility_index(), "number"), f"{Z_90} standard deviations"),
            row("maximum win", stakes(most), "possible" if cycle.max_win_reached else "upper bound"),
            row("combinations of the paid spin", Cell(cycle.combinations, "count")),
        ]
        top = max(closed.paid.prizes, key=lambda prize: prize.pay_units, default=None)
        if top is not None:
            odds = one_in(top.hits / closed.paid.cycle)
            rows.append(row(f"top award, {top.count} {top.symbol}", odds, f"on one line, {top.pay_units:,} units"))
        return Section("Round", ("figure", "value", ""), tuple(rows))

    def wins_section(self) -> Section:
        """How likely large wins are, quantiles, and the RTP under a cap."""
        assert self.law is not None
        law, rows = self.law, []
        most = float(law.stakes[-1])
        for limit in ABOVE_STAKES:
            p = law.above(limit)
            if limit <= most or p > 0:
                rows.append(row(f"win above {limit:,} x", probability(p), str(one_in(p)), noise=max(NOISE, law.error)))
        rows += [row(f"{q * 100:g} % of rounds win at most", stakes(law.quantile(q))) for q in QUANTILES]
        rows += [
            row(f"RTP if wins were capped at {cap:,} x", percent(law.rtp_capped(cap)))
            for cap in CAPS_STAKES
            if cap < most
        ]
        return Section(
            "Law of the win of a round, exact",
            ("figure", "value", ""),
            tuple(rows),
            f"Error of each probability at most {law.error:.1e}.",
        )

    def session_odds(self) -> list[SessionOdds]:
        """Odds of `sessions`; of the usual ones those that would take more than a few seconds are left out."""
        assert self.law is not None
        law = self.law
        asked = self.sessions is not SESSIONS
        chosen = [s for s in self.sessions if asked or law.session_work(*s) <= SESSION_WORK_MAX]
        return [law.session(bankroll, spins) for bankroll, spins in chosen]

    def sessions_section(self) -> Section:
        """What becomes of a player's money."""
        rows = tuple(
            (
                Cell(f"{odds.bankroll:,} stakes, {odds.spins:,} spins"),
                Cell(odds.ruined, "percent"),
                Cell(odds.doubled, "percent"),
                Cell(odds.neither, "percent"),
                Cell(odds.mean_left, "stakes"),
            )
            for odds in self.session_odds()
        )
        left_out = (
            "" if len(rows) == len(self.sessions) else "Longer ones take a while for this game: --session STAKES:SPINS."
        )
        return Section(
            "Sessions of one stake a spin, exact",
            ("session", "ruined", "doubled first", "neither", "then left"),
            rows,
            left_out,
        )

    def feature_section(self) -> Section:
        """What the free spins of a round win, where it has any."""
        assert self.feature is not None
        law = self.feature
        rows = [row("mean", stakes(self.analysis.closed.feature_win))]
        rows += [row(f"{q * 100:g} % of features win at most", stakes(law.quantile(q))) for q in QUANTILES[:5]]
        rows.append(row("nothing", percent(float(law.probabilities[0]))))
        return Section("Win of the free spins of a round that has any, exact", ("figure", "value", ""), tuple(rows))

    def contribution_section(self, spin: SpinFigures) -> Section:
        """RTP of one spin of a state by symbol and evaluator."""
        stake = self.build.model.stake_units
        model = self.build.model
        lines = model.lines_of(model.states[spin.state])
        rows: list[tuple[Cell, ...]] = []
        for symbol, units in symbol_contributions(spin, len(lines.paylines) if lines else 0).items():
            rows.append((Cell(f"{symbol} on lines"), percent(units / stake), percent(units / (spin.mean_units or 1))))
        for name, units in spin.parts.items():
            if lines is None or name != lines.name:
                rows.append((Cell(name), percent(units / stake), percent(units / (spin.mean_units or 1))))
        return Section(
            f"What a spin of state '{spin.state}' pays", ("part", "of the stake", "of the spin's win"), tuple(rows)
        )

    def pay_section(self, spin: SpinFigures) -> Section:
        """The pay table of a state: hits of one line, and what each prize returns on all lines."""
        model = self.build.model
        lines = model.lines_of(model.states[spin.state])
        count = len(lines.paylines) if lines else 0
        rows = tuple(
            (
                Cell(prize.symbol),
                Cell(prize.count, "count"),
                Cell(prize.pay_units, "count"),
                Cell(float(prize.hits), "count"),
                Cell(float(spin.cycle / prize.hits), "odds"),
                Cell(float(prize.mean_units), "count"),
                percent(prize.hits * prize.mean_units * count / spin.cycle / model.stake_units),
            )
            for prize in spin.prizes
        )
        hits = sum((prize.hits for prize in spin.prizes), Fraction(0))
        total = (
            Cell("all"), Cell(None), Cell(None), Cell(float(hits), "count"),
            Cell(float(spin.cycle / hits), "odds"), Cell(None),
            percent(spin.parts[lines.name] / model.stake_units if lines else 0),
        )  # fmt: skip
        return Section(
            f"Pay table of state '{spin.state}', one line, {spin.cycle:,} combinations",
            ("symbol", "count", "pays, units", "hits a line", "1 in", "mean, units", "of the stake, all lines"),
            (*rows, total),
            "Combinations and hits count stop weights; where lines differ, hits are their average. "
            "The mean is with wild multipliers.",
        )

    def count_section(self, spin: SpinFigures) -> Section:
        """What counted symbols pay and award, by their number in view."""
        model = self.build.model
        state = model.states[spin.state]
        strips = self.build.strips(state)
        rows: list[tuple[Cell, ...]] = []
        for name in state.evaluators:
            evaluator = model.evaluators[name]
            if not isinstance(evaluator, Scatter):
                continue
            unit = model.basis_units(evaluator.of)
            for (n,), p in sorted(count_law(model, strips, (evaluator.symbol,)).items()):
                units = evaluator.pay(n) * unit * state.multiplier_for(name, evaluator.symbol, n)
                if units:
                    share = percent(p * units / model.stake_units)
                    rows.append(
                        (
                            Cell(name),
                            Cell(evaluator.symbol),
                            Cell(n, "count"),
                            Cell(f"{units:,} units"),
                            odds_of(p),
                            share,
                        )
                    )
        for trigger in state.triggers:
            if not isinstance(trigger, FreeSpinsTrigger):
                continue
            for (n,), p in sorted(count_law(model, strips, (trigger.symbol,)).items()):
                if trigger.award(n):
                    award = Cell(f"{trigger.award(n):,} spins")
                    rows.append(
                        (Cell(trigger.name), Cell(trigger.symbol), Cell(n, "count"), award, odds_of(p), Cell(None))
                    )
        return Section(
            f"Counted symbols of state '{spin.state}'",
            ("part", "symbol", "in view", "pays or awards", "1 in", "of the stake"),
            tuple(rows),
        )

    def symbols_section(self, strips: str) -> Section:
        """How often each symbol is on each reel of a strip set, in stop weights."""
        reels = self.build.profile.strips[strips]
        weights = [dict.fromkeys(self.build.model.symbols, 0) for _ in reels]
        for reel, strip in zip(weights, reels, strict=True):
            for symbol, weight in zip(strip.symbols, strip.weights, strict=True):
                reel[symbol] += weight
        rows = [
            (Cell(symbol), *(Cell(reel[symbol], "count") for reel in weights)) for symbol in self.build.model.symbols
        ]
        rows.append((Cell("all"), *(Cell(strip.total, "count") for strip in reels)))
        return Section(
            f"Symbols of strip set '{strips}', by weight",
            ("symbol", *(f"reel {i + 1}" for i in range(len(reels)))),
            tuple(rows),
        )

    def simulation_section(self, confidence: float) -> Section:
        """Estimates with their intervals beside the exact figures."""
        assert self.simulation is not None
        return estimates(self.simulation, confidence, self.analysis)

    def classes_section(self) -> Section:
        """Win classes: simulated, and expected by the exact law."""
        assert self.simulation is not None
        counted = self.simulation.distribution.tolist()
        expected: list[float | None] = [None] * len(counted)
        if self.law is not None:
            edges = tuple(edge / 10 for edge in TABLE_EDGES_TENTHS)
            expected = [float(p) * self.simulation.rounds for p in self.law.class_probabilities(edges)]
        rows = tuple(
            (
                Cell(label),
                Cell(n, "count"),
                Cell(n / self.simulation.rounds, "percent"),
                Cell(wanted if wanted is None else round(wanted, 2), "count"),
            )
            for label, n, wanted in zip(class_labels(), counted, expected, strict=True)
        )
        return Section("Win classes", ("win, stakes", "rounds", "share", "expected"), rows)


def estimates(simulation: Simulation, confidence: float, analysis: Analysis | None = None) -> Section:
    """What a simulation estimates, with intervals, and the exact figures where there are some."""
    totals = simulation.totals
    closed = analysis.closed if analysis else None
    cycle = analysis.cycle if analysis else None
    none = Cell(None)

    def line(
        name: str, value: Cell, interval: tuple[float, float] | None = None, exact: Cell | None = None
    ) -> tuple[Cell, ...]:
        low, high = (percent(bound) for bound in interval) if interval else (none, none)
        return (Cell(name), value, low, high, exact or none)

    rows = [
        line(
            "RTP", percent(simulation.rtp), simulation.rtp_interval(confidence), percent(closed.rtp) if closed else none
        )
    ]
    for name, part in simulation.rtp_parts.items():
        known = closed is not None and name in closed.rtp_parts
        rows.append(
            line(f"  {name}", percent(part), None, percent(closed.rtp_parts[name]) if closed and known else none)
        )
    hits = simulation.interval(totals["hits"], confidence)
    rows.append(
        line("hit frequency", percent(simulation.hit_frequency), hits, percent(cycle.hit_frequency) if cycle else none)
    )
    if len(totals["spins"]) > 1:
        features = simulation.interval(totals["features"], confidence)
        exact = percent(closed.feature_probability) if closed else none
        rows.append(line("free spins start", percent(simulation.feature_frequency), features, exact))
        spins = Cell(float(closed.free_spins_per_feature), "number") if closed else none
        rows.append(line("free spins per feature", Cell(simulation.free_spins_per_feature, "number"), None, spins))
    for name, frequency in simulation.trigger_frequencies.items():
        exact = probability(closed.paid.trigger_hits[name]) if closed else none
        rows.append(line(f"{name} for each paid spin", probability(frequency), None, exact))
    rows.append(line("standard deviation", stakes(simulation.sd), None, stakes(cycle.sd) if cycle else none))
    rows.append(line("largest win", stakes(simulation.max_win)))
    return Section(
        f"{simulation.build.label}, {simulation.rounds:,} rounds",
        ("figure", "estimate", f"{confidence * 100:g} % from", "to", *(("exact",) if analysis else ())),
        tuple(row if analysis else row[:-1] for row in rows),
        f"Rounds {simulation.first_nonce:,} to {simulation.first_nonce + simulation.rounds - 1:,} of key "
        f"{simulation.key_id[:16]}… (SHA-256); the largest win is round {totals['win_max_nonce']}.",
    )


def symbol_contributions(spin: SpinFigures, lines: int) -> dict[str, Fraction]:
    """Mean units that all lines of a spin pay, by symbol."""
    units: dict[str, Fraction] = {}
    for prize in spin.prizes:
        mean = prize.hits * prize.mean_units * lines / spin.cycle
        units[prize.symbol] = units.get(prize.symbol, Fraction(0)) + mean
    return units


def rounds_within(p: Fraction | float, share: float) -> int:
    """Rounds within which something of probability p comes up in `share` of all cases."""
    p = float(p)
    return 1 if p >= 1 else math.ceil(math.log(1 - share) / math.log1p(-p)) if p > 0 else 0


def row(name: str, value: Cell, note: str = "", *, noise: float = 0.0) -> tuple[Cell, ...]:
    """A row of figure, value and note. A probability below `noise` is said to be so."""
    if isinstance(value.value, float) and value.value < noise:
        return Cell(name), Cell(f"below {noise:.0e}"), Cell("")
    return Cell(name), value, Cell(note)


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
