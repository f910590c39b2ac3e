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
from rgs_core.closed_form import SpinFigures, count_law, mean_multiplier
from rgs_core.distribution import SessionOdds, WinLaw, feature_law, win_law
from rgs_core.errors import AnalysisError
from rgs_core.joint import Joint
from rgs_core.mechanics import FreeSpinsTrigger, Scatter
from rgs_core.model import START_STATE, Build
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
                law = analysis.law or win_law(analysis.cycle)
                feature = feature_law(analysis.cycle)
            except AnalysisError as error:
                skipped = str(error)
        return cls(analysis, law, feature, skipped, simulation, sessions or SESSIONS)

    @property
    def build(self) -> Build:
        return self.analysis.build

    @property
    def rtp(self) -> float | None:
        """Exact RTP, None when it is unknown."""
        return None if self.analysis.rtp is None else float(self.analysis.rtp)

    @property
    def cost_units(self) -> int:
        """Units that a round costs: "a stake" of all figures."""
        return self.build.play.cost_units

    def frames(self, confidence: float = 0.95) -> dict[str, Any]:
        """Every section as a pandas data frame, by its title."""
        import pandas as pd

        return {
            section.title: pd.DataFrame([[cell.value for cell in row] for row in section.rows], columns=section.columns)
            for section in self.sections(confidence)
        }

    def __repr__(self) -> str:
        return f"<Sheet {self.build.label}, RTP {'unknown' if self.rtp is None else f'{self.rtp:.6%}'}>"

    def _repr_html_(self) -> str:
        from rgs_core.report.html import section_html

        return "".join(section_html(section) for section in self.sections())

    def sections(self, confidence: float = 0.95) -> list[Section]:
        """Everything, in the order of a PAR sheet."""
        closed = self.analysis.closed
        spins = list(closed.figures.values()) if closed else []
        sections = [self.round_section()]
        if self.simulation is not None:
            sections += [self.simulation_section(confidence), self.classes_section()]
        if self.law is not None:
            sections += [self.wins_section(), self.sessions_section()]
        if self.feature is not None:
            sections.append(self.feature_section())
        sections += [self.contribution_section(spin) for spin in spins]
        for spin in spins:
            sections += [self.pay_section(spin, name) for name in dict.fromkeys(p.evaluator for p in spin.prizes)]
            sections += [self.count_section(spin)]
        if closed is None:
            sections += [self.state_section(name, law) for name, law in self.analysis.laws.items() if law]
            for name, by_symbol in self.analysis.special_states.items():
                sections += [self.state_section(f"{name}, {symbol}", law) for symbol, law in by_symbol.items()]
        sections.append(self.methods_section())
        sections += [
            self.symbols_section(name)
            for name in dict.fromkeys(n for s in self.build.model.states.values() for n in s.strip_sets)
        ]
        return [section for section in sections if section.rows]

    def round_section(self) -> Section:
        """RTP and its parts, hit and bonus frequency, volatility."""
        figures, closed, cycle = self.analysis, self.analysis.closed, self.analysis.cycle
        unknown = Cell("not computed")
        rows = [row("RTP", unknown if figures.rtp is None else percent(figures.rtp), figures.methods["rtp"])]
        rows += [row(f"  {name}", percent(part)) for name, part in figures.rtp_parts.items()]
        p, spins = figures.feature_probability, figures.free_spins_per_feature
        bought = self.build.play.start != START_STATE
        if p and len(self.build.model.states) > 1:
            starts = "further spins are won" if bought else "free spins start"
            if spins is not None:
                rows.append(row(starts, one_in(p), f"{float(spins):.6f} spins"))
            else:
                rows.append(row(starts, one_in(p)))
            rows.append(
                row(
                    "  within",
                    Cell(rounds_within(p, 0.5), "count"),
                    f"rounds in half of all cases, {rounds_within(p, 0.95):,} in 95 %",
                )
            )
            if figures.feature_win is not None:
                what = "mean win of the further spins" if bought else "mean win of the feature"
                rows.append(
                    row(what, stakes(figures.feature_win), "in stakes" if not bought else "in costs of the mode")
                )
            if closed and closed.free:
                further = Cell(float(closed.free.spins_awarded), "number")
                rows.append(row("further spins per free spin", further, "before the cap"))
        if closed:
            rows += [
                row(f"{name} for each paid spin", probability(p), str(one_in(p)))
                for name, p in closed.paid.trigger_hits.items()
            ]
            if closed.paid.line_hit_frequency:
                rows.append(row("hit frequency of one line", percent(closed.paid.line_hit_frequency)))
        if figures.hit_frequency is not None:
            rows.append(row("hit frequency", percent(figures.hit_frequency), str(one_in(figures.hit_frequency))))
        if figures.paid_spin_hit_frequency is not None:
            rows.append(row("  paid spin alone", percent(figures.paid_spin_hit_frequency)))
        if figures.sd is not None:
            alone = "" if figures.paid_spin_sd is None else f"paid spin alone {figures.paid_spin_sd:.6f} x"
            rows.append(row("standard deviation", stakes(figures.sd), alone))
            index = Cell(figures.volatility_index(), "number")
            rows.append(row("volatility index, 90 %", index, f"{Z_90} standard deviations"))
        if cycle is None:
            rows.append(row("hit frequency, volatility", unknown, figures.cycle_skipped))
            return Section("Round", ("figure", "value", ""), tuple(rows))
        if cycle.capped:
            assert self.build.model.win_units_cap is not None
            most = self.build.model.win_units_cap / self.cost_units
            chance = self.law.at_least(most) if self.law else 0.0
            often = f", {one_in(chance)}" if self.law and chance > self.law.error else ""
            rows.append(row("maximum win", stakes(most), f"declared, ends the round{often}"))
        else:
            reached = "possible" if cycle.max_win_reached else "upper bound"
            rows.append(row("maximum win", stakes(cycle.max_win_units / self.cost_units), reached))
        if cycle.neglected:
            cap = Cell(self.build.model.free_spins_max, "count")
            rows.append(
                row("most free spins", cap, f"cut off at most {cycle.neglected:.0e} free spins a round: neglected")
            )
        rows.append(row("combinations of the paid spin", Cell(cycle.combinations, "count")))
        prizes = closed.paid.prizes if closed else ()
        top = max(prizes, key=lambda prize: prize.pay_units, default=None)
        if closed and top is not None:
            odds = one_in(top.hits / closed.paid.cycle)
            where = "on one line" if top.times > 1 else "in a spin"
            rows.append(row(f"top award, {top.count} {top.symbol}", odds, f"{where}, {top.pay_units:,} units"))
        return Section("Round", ("figure", "value", ""), tuple(rows))

    def methods_section(self) -> Section:
        """How the law of each state was computed, or why it is unknown."""
        rows = [
            (Cell(name.removeprefix("state ")), Cell(text))
            for name, text in self.analysis.methods.items()
            if name.startswith("state ")
        ]
        shown = self.analysis.closed is None or len(rows) > 2
        return Section("How the figures were computed", ("state", "method"), tuple(rows) if shown else ())

    def state_section(self, name: str, law: Joint) -> Section:
        """One spin of a state that has no closed form."""
        rows = [row(part, percent(units / self.cost_units)) for part, units in law.parts_mean.items()]
        rows.append(row("hit frequency", percent(law.hit_frequency)))
        rows.append(row("standard deviation", stakes(float(law.variance_units) ** 0.5 / self.cost_units)))
        rows += [
            row(f"spins of '{state}' awarded", Cell(float(mean), "number"))
            for state, mean in law.award_mean.items()
            if mean
        ]
        rows += [
            row(f"{trigger} played", Cell(float(mean), "number")) for trigger, mean in law.plays_mean().items() if mean
        ]
        if len(law.steps) > 1:
            rows += [
                row(
                    f"reaches step {i} of its cascade",
                    probability(Fraction(n, law.cycle)),
                    str(one_in(Fraction(n, law.cycle))),
                )
                for i, n in enumerate(law.steps[1:], start=2)
            ]
        return Section(f"A spin of state '{name}'", ("figure", "value", ""), tuple(rows))

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
        mean = self.analysis.feature_win
        rows = [] if mean is None else [row("mean", stakes(mean))]
        rows += [row(f"{q * 100:g} % of features win at most", stakes(law.quantile(q))) for q in QUANTILES[:5]]
        rows.append(row("nothing", percent(float(law.probabilities[0]))))
        return Section("Win of the free spins of a round that has any, exact", ("figure", "value", ""), tuple(rows))

    def contribution_section(self, spin: SpinFigures) -> Section:
        """RTP of one spin of a state by symbol and evaluator."""
        cost = self.cost_units
        listed = {prize.evaluator for prize in spin.prizes}
        several = len(listed) > 1
        rows: list[tuple[Cell, ...]] = []
        for (name, symbol), units in symbol_contributions(spin).items():
            label = f"{symbol} in {name}" if several or name != "lines" else f"{symbol} on lines"
            rows.append((Cell(label), percent(units / cost), percent(units / (spin.mean_units or 1))))
        for name, units in spin.parts.items():
            if name not in listed:
                rows.append((Cell(name), percent(units / cost), percent(units / (spin.mean_units or 1))))
        return Section(
            f"What a spin of state '{spin.state}' pays", ("part", "of the stake", "of the spin's win"), tuple(rows)
        )

    def pay_section(self, spin: SpinFigures, evaluator: str) -> Section:
        """The pay table of an evaluator: hits, and what each prize returns; of lines by the line."""
        prizes = [prize for prize in spin.prizes if prize.evaluator == evaluator]
        times = prizes[0].times
        rows = tuple(
            (
                Cell(prize.symbol),
                Cell(prize.count, "count"),
                Cell(prize.pay_units, "count"),
                Cell(float(prize.hits), "count"),
                Cell(float(spin.cycle / prize.hits), "odds"),
                Cell(float(prize.mean_units), "count"),
                percent(prize.hits * prize.mean_units * times / spin.cycle / self.cost_units),
            )
            for prize in prizes
        )
        hits = sum((prize.hits for prize in prizes), Fraction(0))
        total = (
            Cell("all"), Cell(None), Cell(None), Cell(float(hits), "count"),
            Cell(float(spin.cycle / hits), "odds"), Cell(None),
            percent(spin.parts[evaluator] / self.cost_units),
        )  # fmt: skip
        what = "one line" if times > 1 else f"'{evaluator}'"
        return Section(
            f"Pay table of state '{spin.state}', {what}, {spin.cycle:,} combinations",
            ("symbol", "count", "pays, units", "hits a line" if times > 1 else "hits", "1 in", "mean, units",
             "of the stake, all lines" if times > 1 else "of the stake"),
            (*rows, total),
            "Combinations and hits count stop weights; where lines differ, hits are their average. "
            "The mean is with the multipliers of wilds and those drawn for a spin.",
        )  # fmt: skip

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
            for (n,), p in sorted(count_law(model, strips, (evaluator.symbol,), state).items()):
                units = evaluator.pay(n) * unit * state.multiplier_for(name, evaluator.symbol, n)
                if units:
                    factor = mean_multiplier(state, name, evaluator.symbol, n)
                    share = percent(p * evaluator.pay(n) * unit * factor / self.cost_units)
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
            for (n,), p in sorted(count_law(model, strips, (trigger.symbol,), state).items()):
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
    none = Cell(None)

    def known(value: Fraction | float | None, form: Form = "percent") -> Cell:
        return none if value is None else Cell(float(value), form)

    def line(
        name: str, value: Cell, interval: tuple[float, float] | None = None, exact: Cell | None = None
    ) -> tuple[Cell, ...]:
        low, high = (percent(bound) for bound in interval) if interval else (none, none)
        return (Cell(name), value, low, high, exact or none)

    rows = [
        line(
            "RTP",
            percent(simulation.rtp),
            simulation.rtp_interval(confidence),
            known(analysis.rtp if analysis else None),
        )
    ]
    for name, part in simulation.rtp_parts.items():
        rows.append(line(f"  {name}", percent(part), None, known(analysis.rtp_parts.get(name) if analysis else None)))
    hits = simulation.interval(totals["hits"], confidence)
    rows.append(
        line(
            "hit frequency",
            percent(simulation.hit_frequency),
            hits,
            known(analysis.hit_frequency if analysis else None),
        )
    )
    if len(totals["spins"]) > 1:
        features = simulation.interval(totals["features"], confidence)
        exact = known(analysis.feature_probability if analysis else None)
        rows.append(line("free spins start", percent(simulation.feature_frequency), features, exact))
        spins = known(analysis.free_spins_per_feature if analysis else None, "number")
        rows.append(line("free spins per feature", Cell(simulation.free_spins_per_feature, "number"), None, spins))
    for name, frequency in simulation.trigger_frequencies.items():
        exact = known(closed.paid.trigger_hits.get(name) if closed else None, "probability")
        rows.append(line(f"{name} for each paid spin", probability(frequency), None, exact))
    rows.append(
        line("standard deviation", stakes(simulation.sd), None, known(analysis.sd if analysis else None, "stakes"))
    )
    rows.append(line("largest win", stakes(simulation.max_win)))
    return Section(
        f"{simulation.build.label}, {simulation.rounds:,} rounds",
        ("figure", "estimate", f"{confidence * 100:g} % from", "to", *(("exact",) if analysis else ())),
        tuple(row if analysis else row[:-1] for row in rows),
        f"Rounds {simulation.first_nonce:,} to {simulation.first_nonce + simulation.rounds - 1:,} of key "
        f"{simulation.key_id[:16]}… (SHA-256); the largest win is round {totals['win_max_nonce']}.",
    )


def symbol_contributions(spin: SpinFigures) -> dict[tuple[str, str], Fraction]:
    """Mean units that a spin pays by evaluator and symbol."""
    units: dict[tuple[str, str], Fraction] = {}
    for prize in spin.prizes:
        mean = prize.hits * prize.mean_units * prize.times / spin.cycle
        key = prize.evaluator, prize.symbol
        units[key] = units.get(key, Fraction(0)) + mean
    return units


def rounds_within(p: Fraction | float, share: float) -> int:
    """Rounds within which something of probability p comes up in `share` of all cases."""
    p = float(p)
    return 1 if p >= 1 else math.ceil(math.log(1 - share) / math.log1p(-p)) if p > 0 else 0


def row(name: str, value: Cell, note: str = "", *, noise: float = 0.0) -> tuple[Cell, ...]:
    """A row of figure, value and note. A probability below `noise` is said to be so."""
    if isinstance(value.value, float) and noise and value.value < noise:
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
