"""Fees: rates by tiers, waterfalls, rounding once, splits that lose nothing; terms with their errors."""

from __future__ import annotations

import io
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rgs_server.billing.fees import Terms, TermsRefused, allocate, due, read_terms
from rgs_server.billing.figures import Figures, Row, by_month
from rgs_server.billing.files import COLUMNS, FileRefused, write
from rgs_server.billing.invoices import RatesRefused, converted, read_rates
from rgs_server.billing.months import Agreement, Line, charge, next_month

PER_SPIN = 'kind = "per_spin"\n[fee]\nEUR = "0.0025"\nJPY = "0.4"'
TIERS = """
kind = "turnover"
[[tiers.EUR]]
up_to = "100.00"
rate = "0.01"
[[tiers.EUR]]
up_to = "1000.00"
rate = "0.005"
[[tiers.EUR]]
rate = "0.001"
"""
SHARE = """
kind = "revenue_share"
share = "0.12"
negative = "carry"
holds = [
  { name = "bonus_cost" },
  { name = "jackpot_contrib" },
  { name = "gaming tax", rate = "0.20" },
  { name = "platform", rate = "0.05", of = "rest" },
  { name = "licence", rate = "0.001", of = "turnover" },
]
"""


def figures(turnover: int, win: int, spins: int = 1, **more: int) -> Figures:
    return Figures(spins, spins, turnover, win, **more)


@pytest.mark.parametrize(
    ("spins", "fee"),
    [(0, 0), (1, 0), (2, 0), (3, 1), (6, 2), (10, 2), (100, 25)],  # 0.25 cents each: halves go to the even cent
)
def test_a_fee_per_spin(spins: int, fee: int) -> None:
    assert due(read_terms(PER_SPIN), "EUR", figures(100, 0, spins)).fee_minor == fee
    assert due(read_terms(PER_SPIN), "JPY", figures(100, 0, 5)).fee_minor == 2


@pytest.mark.parametrize(
    ("turnover", "fee"),
    [(0, 0), (10_000, 100), (10_001, 100), (10_100, 100), (10_200, 101), (100_000, 550), (1_100_000, 1550)],
)
def test_each_rate_is_for_the_part_in_its_tier(turnover: int, fee: int) -> None:
    found = due(read_terms(TIERS), "EUR", figures(turnover, 0))
    assert found.fee_minor == fee
    assert sum((amount for _, amount in found.steps), Fraction(0)) == pytest.approx(fee, abs=0.5)


def test_the_waterfall() -> None:
    """1,000 staked, 700 won: 300, less 10 and 5, less 20 % of 300, less 5 % of the rest, less a thousandth of 1,000."""
    found = due(read_terms(SHARE), "EUR", figures(100_000, 70_000, bonus_cost_minor=1000, jackpot_contrib_minor=500))
    left = 30_000 - 1000 - 500 - 6000
    left -= left * Fraction(5, 100) + 100
    assert dict(found.steps)["net win"] == round(left) == 21_275
    assert found.fee_minor == 2553
    assert found.carried_minor == 0


def test_a_lost_month_is_carried_or_forgiven() -> None:
    lost = figures(10_000, 30_000)
    carried = due(read_terms(SHARE), "EUR", lost)
    assert (carried.fee_minor, carried.carried_minor) == (0, -20_010)  # nothing is held of a loss but the licence
    after = due(read_terms(SHARE), "EUR", figures(100_000, 60_000), carried.carried_minor)
    net = 40_000 - 8000 - 1600 - 100 - 20_010
    assert (after.fee_minor, after.carried_minor) == (round(net * Fraction(12, 100)), 0)
    forgiving = read_terms(SHARE.replace("carry", "forgive"))
    assert due(forgiving, "EUR", lost).carried_minor == 0


def test_a_currency_that_was_not_agreed_on() -> None:
    with pytest.raises(TermsRefused, match="nothing for SEK, only for EUR, JPY"):
        due(read_terms(PER_SPIN), "SEK", figures(1, 0))


@given(st.integers(0, 10**15), st.lists(st.fractions(min_value=0, max_value=10**9), min_size=1, max_size=20))
def test_nothing_is_lost_in_a_split(total: int, weights: list[Fraction]) -> None:
    shares = allocate(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    if whole:
        assert all(abs(share - total * w / whole) < 1 for share, w in zip(shares, weights, strict=True))


def test_the_largest_remainders_get_the_rest() -> None:
    assert allocate(10, [1, 1, 1]) == [4, 3, 3]
    assert allocate(2, [Fraction(1, 3), Fraction(2, 3)]) == [1, 1]
    assert allocate(5, [0, -3]) == [5, 0]
    assert allocate(0, []) == []


def rows(*turnovers: int) -> list[Row]:
    day = date(2026, 1, 5)
    return [
        Row("op", f"g{i}", "sha256:" + "0" * 64, "EUR", 2, day, figures(turnover, turnover // 2))
        for i, turnover in enumerate(turnovers)
    ]


def test_fees_are_split_among_games() -> None:
    agreement = Agreement("a", date(2026, 1, 1), read_terms(TIERS))
    charged = charge(rows(3333, 3333, 3334), agreement, {})
    assert [row.royalty_due_minor for row in charged.rows] == [33, 33, 34]
    assert charged.dues["EUR"].fee_minor == 100
    assert charge(rows(1), None, {}).rows == rows(1)


def test_months_are_sums_of_days() -> None:
    one, other = rows(100), rows(200)
    (month,) = by_month([*one, *other])
    assert (month.day, month.figures.turnover_minor, month.figures.spins_total) == (date(2026, 1, 1), 300, 2)
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 1)) == date(2026, 2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = ", "the file is no TOML"),
        ('kind = "lump"', "kind: 'lump' is not 'per_spin', 'turnover' or 'revenue_share'"),
        ('kind = "per_spin"', "fee: write a table with an entry for each currency"),
        ('kind = "per_spin"\n[fee]\nEUX = "1"', "fee.EUX: no such currency"),
        ('kind = "per_spin"\n[fee]\nEUR = 0.1', 'fee.EUR: 0.1 is no decimal in quotes; write it like "0.002"'),
        ('kind = "per_spin"\nfees = 1\n[fee]\nEUR = "1"', "fees: unknown; here are kind, fee"),
        (TIERS.replace('"1000.00"', '"50.00"'), "tiers.EUR[1].up_to: 50.00 is not above the tier before"),
        (TIERS + 'up_to = "5000"', "tiers.EUR[2]: the last tier has no up_to, every other one has"),
        (SHARE.replace('"0.12"', '"1.2"'), 'share: 1.2 is more than all; write 12 % as "0.12"'),
        (SHARE.replace("carry", "lose"), "negative: 'lose' is not 'forgive' or 'carry'"),
        (SHARE.replace('"bonus_cost"', '"tax"'), "holds[0]: 'tax' has no rate; only bonus_cost and jackpot_contrib"),
        (SHARE.replace('"rest"', '"all"'), "holds[3].of: 'all' is not one of ggr, turnover, rest"),
    ],
)
def test_terms_that_are_none(text: str, message: str) -> None:
    with pytest.raises(TermsRefused) as caught:
        read_terms(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [PER_SPIN, TIERS, SHARE])
def test_terms_are_read(text: str) -> None:
    terms: Terms = read_terms(text)
    assert f'"{terms.kind}"' in text


RATES = "currency,rate,date,source\nSEK,0.0875,2026-02-01,ECB\nJPY,0.0061,2026-02-01,ECB\n"


def test_fees_in_the_currency_of_the_invoice() -> None:
    day = date(2026, 1, 1)
    lines = [
        Line(day, Row("op", "g", "h", name, exponent, day, Figures(), fee))
        for name, exponent, fee in (("EUR", 2, 1000), ("SEK", 2, 20_000), ("SEK", 2, -100), ("JPY", 0, 5000))
    ]
    found = {row.currency: row.converted_minor for row in converted(lines, "EUR", read_rates(io.StringIO(RATES)))}
    assert found == {"EUR": 1000, "SEK": round(199 * Fraction("8.75")), "JPY": 3050}
    with pytest.raises(RatesRefused, match="no rate of JPY in EUR"):
        converted(lines, "EUR", read_rates(io.StringIO(RATES.splitlines()[0] + "\nSEK,1,2026-02-01,x")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("currency,rate,date\n", "line 1: no column source"),
        (RATES + "SEK,1,2026-02-01,ECB\n", "line 4: a second rate of SEK"),
        (RATES.replace("0.0875", "0"), "line 2: rate '0' is no decimal above 0"),
        (RATES.replace("SEK", "SEX"), "line 2: no currency 'SEX'"),
        (RATES.replace(",ECB\nJPY", ",\nJPY"), "line 2: say the date"),
    ],
)
def test_rates_that_are_none(text: str, message: str) -> None:
    with pytest.raises(RatesRefused, match=message):
        read_rates(io.StringIO(text))


def test_files_hold_the_same(tmp_path: Path) -> None:
    import openpyxl
    import pyarrow.parquet

    table = [*rows(100_00, 5), Row("op", "g", "h", "ETH", 18, date(2026, 1, 6), figures(10**20 + 1, 3 * 10**20), -5)]
    for suffix in (".csv", ".xlsx", ".parquet"):
        write(table, tmp_path / f"r{suffix}")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert lines[1].split(",")[5:12] == ["1", "1", "100.00", "50.00", "50.00", "50.00", "0.00"]
    eth = lines[3].split(",")
    assert (eth[7], eth[9], eth[13]) == ("100.000000000000000001", "-199.999999999999999999", "-0.000000000000000005")
    parquet = pyarrow.parquet.read_table(tmp_path / "r.parquet").to_pylist()
    assert str(parquet[2]["ggr"]) == eth[9]
    assert parquet[0]["day"] == date(2026, 1, 5)
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx").active
    assert [cell.value for cell in sheet[1]] == list(COLUMNS)
    assert sheet["H2"].value == 100
    assert sheet["J4"].value == eth[9]  # more digits than Excel's numbers hold
    with pytest.raises(FileRefused, match="the name ends with"):
        write(table, tmp_path / "r.pdf")
