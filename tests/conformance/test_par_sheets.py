"""Published slot mathematics, reproduced to every printed digit.

The sheets in par_sheets/ are data with their sources; models/ holds the same games as model files.
A published figure printed with d decimals must equal ours rounded to d decimals.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rgs_core.exact.analysis import Analysis, analyse
from rgs_core.exact.stats import Distribution, confidence_band
from rgs_core.language.model_file import load

HERE = Path(__file__).parent


def sheet(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((HERE / "par_sheets" / f"{name}.json").read_text(), parse_float=Decimal)
    return data


def analysis(name: str, profile: str) -> Analysis:
    return analyse(load(HERE / "models" / f"{name}.toml").build(profile))


def printed(value: Fraction | float, published: Decimal | str) -> bool:
    """Whether a value rounds to a figure as it was printed, half up, all decimals counted."""
    figure = Decimal(published)
    decimals = max(0, -int(figure.as_tuple().exponent))
    scaled = Fraction(value) * 10**decimals
    return int(scaled + Fraction(1, 2)) == int(figure * 10**decimals)


def test_printed_counts_every_decimal() -> None:
    assert printed(Fraction(97045, 100000), Decimal("0.97045"))
    assert printed(Fraction(970449, 1000000), Decimal("0.97045"))
    assert not printed(Fraction(970459, 1000000), Decimal("0.97045"))


def test_atkins_diet_all_eight_published_figures() -> None:
    profile = sheet("wizard-atkins-diet")["profiles"][0]
    published = profile["published"]
    figures = analysis("atkins_diet", "rtp_97_046")
    closed, cycle = figures.closed, figures.cycle
    assert cycle is not None
    assert cycle.rtp == closed.rtp
    ours = {
        "rtp": closed.rtp,
        "rtp_line_pays": closed.rtp_parts["lines"],
        "rtp_scatter": closed.rtp_parts["scatter"],
        "rtp_bonus": closed.rtp_parts["free spins"],
        "bonus_probability_per_spin": closed.feature_probability,
        "expected_free_spins_per_bonus": closed.free_spins_per_feature,
        "expected_bonus_win_x_bet": closed.feature_win,
        "hit_frequency_per_line": closed.paid.line_hit_frequency,
    }
    assert ours.keys() == published.keys() - {"combinations"}
    assert cycle.combinations == published["combinations"]
    for name, value in ours.items():
        assert printed(value, published[name]), (name, float(value), published[name])
    recomputed = profile["recomputed"]
    assert cycle.sd == pytest.approx(float(recomputed["round_sd_20_lines_in_total_bets"]), abs=5e-7)
    assert float(cycle.paid_spin_hit_frequency) == pytest.approx(
        float(recomputed["base_spin_hit_frequency_20_lines"]), abs=1e-10
    )


@pytest.mark.parametrize("version", ["85.0", "96.2"])
def test_lobstermania_sheet(version: str) -> None:
    """The PAR sheet takes one line for the whole game; three scatters of a reel never share a window."""
    data = sheet("igt-lobstermania")
    profile = next(p for p in data["profiles"] if p["id"] == version)
    published = profile["published"]
    figures = analysis("lobstermania_15_lines", f"rtp_{version.replace('.', '_')}").closed
    total = figures.paid.cycle
    assert total == published["combinations"]
    assert printed(figures.rtp, Decimal(version) / 100)
    lines = {(p.symbol, p.count): p for p in figures.paid.prizes}
    jackpot = lines["Wild", 5]
    assert printed(total / jackpot.hits, Decimal(published["plays_per_jackpot"]))
    bonus = figures.paid.trigger_hits["BuoyBonus"] / 15
    assert printed(1 / bonus, Decimal(published["plays_per_bonus"]))
    assert bonus * total == published["bonus_combinations"]
    bonus_units = figures.rtp_parts["BuoyBonus"] / bonus
    assert printed(bonus_units, published["average_bonus_credits"])

    scatter = data["scatter"]["pays"]
    from rgs_core.exact.closed_form import count_law

    model = figures.build.model
    law = count_law(model, figures.build.strips(model.states["base"]), ("Scatter",))
    hits = {n: p * total for (n,), p in law.items() if n >= 3}
    assert sum(hits.values()) == published["scatter_hits_of_259440000"]
    assert sum(n * scatter[str(k)] for k, n in hits.items()) == published["scatter_pays_of_259440000"]

    line_hits = sum(p.hits for p in lines.values())
    all_hits = line_hits + sum(hits.values()) + bonus * total
    assert printed(all_hits / total, published["hit_frequency_per_line"])
    prize_structure(published, lines, hits, scatter, bonus * total)


def prize_structure(published: Any, lines: Any, scatters: Any, scatter_pays: Any, bonus_hits: Fraction) -> None:
    """Per cent of hits and of pays by prize, the bonus counted as one prize of 330."""
    by_prize: dict[int, Fraction] = {}
    for prize in lines.values():
        by_prize[prize.pay_units] = by_prize.get(prize.pay_units, Fraction(0)) + prize.hits
    for count, hits in scatters.items():
        pay = scatter_pays[str(count)]
        by_prize[pay] = by_prize.get(pay, Fraction(0)) + hits
    by_prize[330] = bonus_hits
    all_hits = sum(by_prize.values())
    all_pays = sum(pay * hits for pay, hits in by_prize.items())
    table = published["prize_structure_percent_of_hits_and_of_pays"]
    assert {int(pay) for pay in table} == by_prize.keys()
    one = Fraction(1, 100)  # the sheet rounds its own inputs: one unit of its last digit
    for pay, (of_hits, of_pays) in table.items():
        hits = by_prize[int(pay)]
        assert abs(100 * hits / all_hits - Fraction(of_hits)) <= one, pay
        assert abs(100 * int(pay) * hits / all_pays - Fraction(of_pays)) <= one, pay


@pytest.mark.parametrize("version", ["85.0", "96.2"])
def test_lobstermania_on_one_line_has_the_same_rtp(version: str) -> None:
    profile = f"rtp_{version.replace('.', '_')}"
    one, fifteen = analysis("lobstermania_1_line", profile), analysis("lobstermania_15_lines", profile)
    assert one.closed.rtp == fifteen.closed.rtp
    recomputed = next(p for p in sheet("igt-lobstermania")["profiles"] if p["id"] == version)["recomputed"]
    assert fifteen.cycle is not None
    assert float(fifteen.cycle.hit_frequency) == pytest.approx(
        float(recomputed["spin_hit_frequency_15_lines_with_example_strips"]), abs=1e-10
    )


@pytest.mark.parametrize("version", ["93.791949", "95.655629"])
def test_sizzling_hot(version: str) -> None:
    profile = next(p for p in sheet("slotopol-sizzling-hot")["profiles"] if p["id"] == version)
    figures = analysis("sizzling_hot", f"rtp_{version.replace('.', '_')}")
    assert figures.cycle is not None
    assert printed(figures.closed.rtp * 100, version)
    text = profile["published"]["as_printed"][-1]
    lined, scatter = re.findall(r"([\d.]+)\((?:lined|scatter)\)", text)
    assert printed(figures.closed.rtp_parts["lines"] * 100, lined)
    assert printed(figures.closed.rtp_parts["scatter"] * 100, scatter)
    assert figures.cycle.combinations == 9765625
    assert printed(figures.cycle.hit_frequency, profile["recomputed"]["hit_frequency"])
    assert printed(figures.cycle.sd, profile["recomputed"]["sd"])


@pytest.mark.parametrize("version", ["86.256517", "95.007187"])
def test_cleopatra(version: str) -> None:
    profile = next(p for p in sheet("slotopol-cleopatra")["profiles"] if p["id"] == version)
    figures = analysis("cleopatra", f"rtp_{version.replace('.', '_')}")
    closed, cycle = figures.closed, figures.cycle
    assert cycle is not None
    assert closed.free is not None
    assert printed(closed.rtp * 100, version)
    lines = profile["published"]["as_printed"]
    bonus, base = [line for line in lines if line.startswith("symbols")]
    stake = closed.build.model.stake_units
    for text, spin in ((bonus, closed.free), (base, closed.paid)):
        lined, scatter, total = re.findall(r"[\d.]+(?=\(lined\)|\(scatter\)|%)", text)
        assert printed(spin.parts["lines"] / stake * 100, lined)
        assert printed(spin.parts["scatter"] / stake * 100, scatter)
        assert printed(spin.mean_units / stake * 100, total)
    q, sq = re.findall(r"q = ([\d.]+), sq = 1/\(1-q\) = ([\d.]+)", lines[3])[0]
    assert printed(closed.free.spins_awarded, q)
    assert printed(1 / (1 - closed.free.spins_awarded), sq)
    assert printed(1 / closed.feature_probability, "166.88")
    for name, value in (("base_spin_sd", cycle.paid_spin_sd), ("round_sd", cycle.sd)):
        assert printed(value, profile["recomputed"][name])


def test_double_diamond_deluxe_statistics() -> None:
    """Variance, volatility index and bands of a published win distribution."""
    data = sheet("igt-double-diamond-deluxe-distribution")
    published = data["profiles"][0]["published"]
    game = Distribution({row["pays_credits"]: row["hits"] for row in data["win_distribution"]}, stake=3)
    assert game.total == data["combinations"]
    # Printed as 40.313421; the table's own rows give 40.3134205, half a unit of the last digit away.
    assert float(game.variance) == pytest.approx(float(published["variance"]), abs=1.5e-6)
    assert printed(game.sd, published["sd"])
    assert printed(game.hit_frequency, published["hit_frequency"])
    assert printed(game.volatility_index(1.65), published["volatility_index"])
    assert printed(Fraction(game.total, 8), Decimal(published["plays_per_jackpot"]))
    assert printed(game.rtp, published["rtp_table_1"])
    # Table 2 prints 92.584 %; its own rows give 92.613 %. Its bands follow from 92.584 % and the sd.
    assert not printed(game.rtp, published["rtp_table_2"])
    assert printed(game.rtp, "0.92613")
    for plays, (low, high) in published["confidence_90_percent_bands"].items():
        ours = confidence_band(float(published["rtp_table_2"]), game.sd, int(plays), 1.65)
        # The sheet cuts some and rounds other last digits: one unit of the last digit.
        assert ours[0] * 100 == pytest.approx(float(low), abs=0.011)
        assert ours[1] * 100 == pytest.approx(float(high), abs=0.011)
