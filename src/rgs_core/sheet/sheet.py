"""The PAR sheet of a build as data: sections of named figures, for terminal, page, workbook and programs.

With a simulation the sheet also holds its estimates beside the exact figures; where a game has none, they stand alone,
beside what is exact in any case: pay tables, and figures of the states that have some.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rgs_core.errors import AnalysisError
from rgs_core.exact.analysis import Analysis, analyse
from rgs_core.exact.distribution import RoundGrid, SessionOdds, WinLaw, feature_law
from rgs_core.exact.gamble_law import law_with_bets
from rgs_core.exact.jackpots import jackpot_figures
from rgs_core.exact.joint import Joint
from rgs_core.exact.policy_figures import policy_figures
from rgs_core.exact.stats import Z_90
from rgs_core.language.model import START_STATE, Build
from rgs_core.sheet.estimate_sections import classes_section, estimates, sampled_section, strata_section
from rgs_core.sheet.pay_sections import (
    contribution_section,
    count_section,
    listed_section,
    pay_section,
    symbols_section,
)
from rgs_core.sheet.sections import Cell, Section, one_in, percent, probability, row, spin_of, stakes
from rgs_core.simulation.montecarlo import Simulation
from rgs_core.simulation.session_sampling import SampledSessions
from rgs_core.simulation.stratified import Stratified

ABOVE_STAKES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
QUANTILES = (0.5, 0.75, 0.9, 0.99, 0.999, 0.9999)
CAPS_STAKES = (100, 500, 1_000, 5_000)
SESSIONS = ((50, 500), (100, 1_000), (200, 2_000))
"""(bankroll in stakes, spins) of the sessions shown."""

SESSION_WORK_MAX = 30_000_000
"""Of a session shown without being asked for."""

NOISE = 1e-11
"""Probabilities below this, or below the error of the law, are shown as such."""


@dataclass(frozen=True, repr=False)
class Sheet:
    """All figures of a build. `law` (of a round's win) and `feature` (of its free spins, where there are any)
    are None, with `law_skipped` saying why, when there is no exact law. `sampled`: sessions that were played out;
    `stratified`: the RTP by strata of the first grid."""

    analysis: Analysis
    law: WinLaw | None
    feature: WinLaw | None
    law_skipped: str
    simulation: Simulation | None = None
    sessions: tuple[tuple[int, int], ...] = SESSIONS
    sampled: tuple[SampledSessions, ...] = ()
    stratified: Stratified | None = None

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
            grid: RoundGrid | None = None
            try:
                grid = RoundGrid(analysis.cycle, further=analysis.cycle.paid is not None)
                law = analysis.law or law_with_bets(analysis.cycle, grid)
            except AnalysisError as error:
                skipped = str(error)
            with suppress(AnalysisError):
                feature = feature_law(analysis.cycle, grid) if law else None
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
        analysis, build = self.analysis, self.build
        sections = [self.round_section(), self.jackpots_section(), self.policies_section()]
        if self.simulation is not None:
            sections += [estimates(self.simulation, confidence, analysis), classes_section(self.simulation, self.law)]
        if self.law is not None:
            sections += [self.wins_section(), self.sessions_section()]
        if self.stratified is not None:
            sections.append(strata_section(self.stratified, confidence))
        if self.sampled:
            sections.append(sampled_section(self.sampled, confidence))
        if self.feature is not None:
            sections.append(self.feature_section())
        spins = list(analysis.figures.values())
        sections += [contribution_section(build, spin) for spin in spins]
        for spin in spins:
            paying = dict.fromkeys(prize.evaluator for prize in spin.prizes)
            sections += [pay_section(build, spin, name) for name in paying]
            sections += [count_section(build, spin)]
        shown = {name for spin in spins for name in spin.parts}
        states = [build.model.states[name] for name in analysis.laws]  # those that the mode reaches
        listed = dict.fromkeys(name for state in states for name in state.evaluators if name not in shown)
        sections += [listed_section(build, name) for name in listed]
        if analysis.closed is None:
            sections += [self.state_section(name, law) for name, law in analysis.laws.items() if law]
            for name, by_symbol in analysis.special_states.items():
                sections += [self.state_section(f"{name}, {symbol}", law) for symbol, law in by_symbol.items()]
        sections.append(self.methods_section())
        sections += [
            symbols_section(build, name) for name in dict.fromkeys(n for state in states for n in state.strip_sets)
        ]
        return [section.trimmed() for section in sections if section.rows]

    @property
    def remark(self) -> str:
        """Why there is no exact law of wins, and where the figures come from; "" where there is one."""
        if self.law is not None:
            return ""
        told = [
            str(cell) for section in (self.round_section(), self.methods_section()) for r in section.rows for cell in r
        ]
        reason = "the reason is above" if any(self.law_skipped in text for text in told) else self.law_skipped
        if self.simulation is None:
            return f"No exact law of wins: {reason}."
        return f"No exact law of wins: {reason}. Estimates are of {self.simulation.rounds:,} simulated rounds."

    def round_section(self) -> Section:
        """RTP and its parts, hit and bonus frequency, volatility."""
        figures, closed, cycle = self.analysis, self.analysis.closed, self.analysis.cycle
        rows = []
        if figures.rtp is not None:
            rows.append(row("RTP", percent(figures.rtp), figures.methods["rtp"]))
        elif source := cycle or closed:
            gamble = self.build.model.gamble
            what = "gamble" if gamble is not None and gamble.plays else "maximum win"
            rows.append(row(f"RTP before the {what}", percent(source.rtp), figures.methods["rtp"]))
        elif self.simulation is None:
            rows.append(row("RTP", Cell("not computed")))
        rows += [row(f"callback of '{name}'", Cell(label)) for name, label in self.build.model.callbacks.items()]
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
                row(f"{name} {spin_of(self.build)}", probability(p), str(one_in(p)))
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
            return Section("Round", ("figure", "value", ""), tuple(rows))
        gamble = self.build.model.gamble
        if gamble is not None and gamble.plays:
            most = float(self.law.stakes[-1]) if self.law else 0.0
            rows += [row("maximum win", stakes(most), "with the gamble")] if self.law else []
        elif cycle.capped:
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
        if cycle.paid is not None:
            rows.append(row("combinations of the paid spin", Cell(cycle.combinations, "count")))
        prizes = closed.paid.prizes if closed else ()
        top = max(prizes, key=lambda prize: prize.pay_units, default=None)
        if closed and top is not None:
            odds = one_in(top.hits / closed.paid.cycle)
            where = "on one line" if top.times > 1 else "in a spin"
            rows.append(row(f"top award, {top.count} {top.symbol}", odds, f"{where}, {top.pay_units:,} units"))
        return Section("Round", ("figure", "value", ""), tuple(rows))

    def jackpots_section(self) -> Section:
        """The pools of the service: how often they are won, what is in them, and what they return."""
        cycle = self.analysis.cycle
        found = jackpot_figures(cycle) if cycle is not None else []
        rows = [
            (
                Cell(figures.jackpot.name),
                Cell(float(figures.rounds), "odds"),
                stakes(figures.value),
                percent(figures.rtp),
            )
            for figures in found
        ]
        if rows and self.rtp is not None:
            total = float(sum((figures.rtp for figures in found), Fraction(0))) + self.rtp
            rows.append((Cell("game and jackpots"), Cell(None), Cell(None), percent(total)))
        return Section(
            "Jackpots, which the service pays",
            ("jackpot", "won once in rounds", "pool then, mean", "RTP"),
            tuple(rows),
            "They are no part of the RTP above.",
        )

    def policies_section(self) -> Section:
        """The figures by what the player chooses, where the game lets him choose."""
        found = policy_figures(self.analysis)
        rows = tuple(
            (
                Cell(figures.policy),
                *(Cell("not computed") if x is None else percent(x) for x in (figures.rtp, figures.hit_frequency)),
                Cell("not computed") if figures.sd is None else stakes(figures.sd),
            )
            for figures in found
        )
        reasons = dict.fromkeys(figures.reason for figures in found if figures.reason)
        return Section(
            "By what the player chooses",
            ("policy", "RTP", "hit frequency", "standard deviation"),
            rows,
            "Bets are made on every win, on the first options. The whole sheet of a policy: --policy 'CHOICE=OPTION'."
            + "".join(f" Not computed: {reason}." for reason in reasons),
        )

    def methods_section(self) -> Section:
        """How the law of each state was computed, or why it is unknown and simulated."""
        methods = self.analysis.methods
        named = {key.removeprefix("state "): text for key, text in methods.items() if key.startswith("state ")}
        simulated = "simulated: " if self.simulation is not None else ""
        rows = [
            (Cell(name), Cell(f"{simulated}{text}" if name in self.analysis.skipped else text))
            for name, text in named.items()
        ]
        # Where all states merge there is nothing to tell.
        shown = self.analysis.closed is None or len(rows) > 2 or any(":" in text for text in named.values())
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


def rounds_within(p: Fraction | float, share: float) -> int:
    """Rounds within which something of probability p comes up in `share` of all cases."""
    p = float(p)
    return 1 if p >= 1 else math.ceil(math.log(1 - share) / math.log1p(-p)) if p > 0 else 0
