"""Sections of a sheet that a simulation fills: estimates with their errors, win classes, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rgs_core.engine.tables import state_names
from rgs_core.exact.analysis import FURTHER, MAXIMUM, Analysis
from rgs_core.exact.distribution import WinLaw
from rgs_core.exact.stats import Z_90
from rgs_core.sheet.sections import Cell, Form, Section, percent, probability, spin_of, stakes
from rgs_core.simulation.montecarlo import TABLE_EDGES_TENTHS, Simulation, class_labels
from rgs_core.simulation.session_sampling import SampledSessions
from rgs_core.simulation.stratified import Stratified


def estimates(simulation: Simulation, confidence: float, analysis: Analysis | None = None) -> Section:
    """What a simulation estimates, with standard errors and intervals, and the exact figures where there are some."""
    totals = simulation.totals
    closed = analysis.closed if analysis else None
    none = Cell(None)

    def known(value: Fraction | float | None, form: Form = "percent") -> Cell:
        return none if value is None else Cell(float(value), form)

    def line(
        name: str,
        value: Cell,
        error: float | None = None,
        interval: tuple[float, float] | None = None,
        exact: Cell = none,
    ) -> tuple[Cell, ...]:
        low, high = (percent(bound) for bound in interval) if interval else (none, none)
        return (Cell(name), value, known(error), low, high, exact)

    rows = [
        line(
            "RTP",
            percent(simulation.rtp),
            simulation.rtp_error,
            simulation.rtp_interval(confidence),
            known(analysis.rtp if analysis else None),
        )
    ]
    play = simulation.build.play
    start = state_names(simulation.build.model).index(play.start)
    # Spins of the first state that a bought feature awards cannot be told from those that were paid for.
    again = totals["spins"][start] > simulation.rounds * play.spins
    for name, part in simulation.rtp_parts.items():
        if again and (name != FURTHER or part):
            rows.append(
                line(f"  {name}, of other states" if name == FURTHER else f"  {name}, all spins", percent(part))
            )
        elif not again:
            rows.append(
                line(f"  {name}", percent(part), exact=known(analysis.rtp_parts.get(name) if analysis else None))
            )
    if totals["capped"]:
        taken = simulation.rtp - sum(simulation.rtp_parts.values())
        rows.append(
            line(f"  {MAXIMUM}", percent(taken), exact=known(analysis.rtp_parts.get(MAXIMUM) if analysis else None))
        )
    rows.append(
        line(
            "hit frequency",
            percent(simulation.hit_frequency),
            simulation.frequency_error(totals["hits"]),
            simulation.interval(totals["hits"], confidence),
            known(analysis.hit_frequency if analysis else None),
        )
    )
    if len(totals["spins"]) > 1:
        features = totals["features"]
        rows.append(
            line(
                "free spins start",
                percent(simulation.feature_frequency),
                simulation.frequency_error(features),
                simulation.interval(features, confidence),
                known(analysis.feature_probability if analysis else None),
            )
        )
        spins = known(analysis.free_spins_per_feature if analysis else None, "number")
        rows.append(line("free spins per feature", Cell(simulation.free_spins_per_feature, "number"), exact=spins))
    for name, frequency in simulation.trigger_frequencies.items():
        exact = known(closed.paid.trigger_hits.get(name) if closed else None, "probability")
        rows.append(line(f"{name} {spin_of(simulation.build)}", probability(frequency), exact=exact))
    rows.append(
        line("standard deviation", stakes(simulation.sd), exact=known(analysis.sd if analysis else None, "stakes"))
    )
    index = analysis.volatility_index() if analysis else None
    rows.append(line("volatility index, 90 %", Cell(Z_90 * simulation.sd, "number"), exact=known(index, "number")))
    rows.append(line("largest win", stakes(simulation.max_win)))
    if simulation.build.model.win_max is not None:
        rows.append(line("maximum win reached", probability(totals["capped"] / simulation.rounds)))
    return Section(
        f"{simulation.build.label}, {simulation.rounds:,} rounds",
        ("figure", "estimate", "standard error", f"{confidence * 100:g} % from", "to", "exact"),
        tuple(rows),
        f"Rounds {simulation.first_nonce:,} to {simulation.first_nonce + simulation.rounds - 1:,} of key "
        f"{simulation.key_id[:16]}… (SHA-256); the largest win is round {totals['win_max_nonce']}.",
    ).trimmed()


def classes_section(simulation: Simulation, law: WinLaw | None) -> Section:
    """Win classes: simulated, and expected by the exact law where there is one."""
    counted = simulation.distribution.tolist()
    expected: list[float | None] = [None] * len(counted)
    if law is not None:
        edges = tuple(edge / 10 for edge in TABLE_EDGES_TENTHS)
        expected = [round(float(p) * simulation.rounds, 2) for p in law.class_probabilities(edges)]
    rows = tuple(
        (Cell(label), Cell(n, "count"), Cell(n / simulation.rounds, "percent"), Cell(wanted, "count"))
        for label, n, wanted in zip(class_labels(), counted, expected, strict=True)
    )
    return Section("Win classes", ("win, stakes", "rounds", "share", "expected"), rows).trimmed()


def strata_section(stratified: Stratified, confidence: float) -> Section:
    """What rounds are worth by how often a symbol stops in the paid spin, and the RTP that follows."""
    low, high = stratified.rtp_interval(confidence)
    rows = [
        (
            Cell(stratum.label),
            probability(stratum.probability),
            Cell(stratum.rounds, "count"),
            stakes(stratum.mean),
            Cell(stratum.sd / stratum.rounds**0.5, "stakes"),
            percent(float(stratum.probability) * stratum.mean),
        )
        for stratum in stratified.strata
    ]
    total = Cell("RTP"), Cell(1.0, "probability"), Cell(stratified.rounds, "count"), percent(stratified.rtp)
    return Section(
        f"RTP by the number of '{stratified.symbol}' when the reels stop",
        ("in view", "exact odds", "rounds", "mean win", "standard error", "of the stake"),
        (*rows, (*total, percent(stratified.rtp_error), percent(stratified.rtp))),
        f"Simulated in strata: {confidence * 100:g} % from {low * 100:.4f} to {high * 100:.4f} %.",
    )


def sampled_section(sampled: Sequence[SampledSessions], confidence: float) -> Section:
    """What becomes of a player's money, as sessions that were played out say."""
    rows = []
    for played in sampled:
        for name, count in (("ruined", played.ruined), ("doubled first", played.doubled), ("neither", played.neither)):
            low, high = played.interval(count, confidence)
            label = f"{played.bankroll:,} stakes, {played.spins:,} spins: {name}"
            left = stakes(played.mean_left) if name == "neither" and count else Cell(None)
            rows.append((Cell(label), percent(count / played.sessions), percent(low), percent(high), left))
    return Section(
        "Sessions of one stake a spin, estimated",
        ("session", "estimate", f"{confidence * 100:g} % from", "to", "then left"),
        tuple(rows),
        f"Of {', '.join(f'{played.sessions:,}' for played in sampled)} sessions that were played out.",
    )
