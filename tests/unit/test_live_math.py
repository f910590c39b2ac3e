"""Live math monitoring: exact against brute force, evidence as a martingale, levels, events, injected faults."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import live_math
import numpy as np
import pytest
from rgs_server.happenings import spin_finished
from scipy.stats import binom, chi2_contingency
from spin_rows import played_round

from rgs_core import Engine, derive_key, games
from rgs_core.__main__ import main
from rgs_core.commands.monitor import null_law
from rgs_core.monitor.counts import Cell, Counts, Status, classed, rolled_up, stake_bucket, sums_of
from rgs_core.monitor.evidence import MIXED, anytime, live_weeks, log_e
from rgs_core.monitor.exact_sum import Stakes, SumLaw, normal, rtp_band, rtp_p
from rgs_core.monitor.null_law import NullLaw, null_of
from rgs_core.monitor.p_values import classes_p, joined, p_values
from rgs_core.monitor.reading import EventsError, read_csv, read_events
from rgs_core.monitor.verdicts import false_discoveries, judge
from rgs_core.outcome import Outcome, Spin

EURO = 10**18
SMALL = null_of(
    np.array([0, 1, 4, 30]), np.array([0.62, 0.25, 0.12, 0.01]), label="small", stake_units=2, feature_probability=0.02
)


@pytest.fixture(scope="module")
def embers() -> NullLaw:
    return live_math.null("ember_sevens/rtp_95")


@pytest.fixture(scope="module")
def lanterns() -> NullLaw:
    return live_math.null("lantern_tide/rtp_96")


def cell_of(null: NullLaw, **changes: str) -> Cell:
    given = {"game": "g", "channel": "", "operator": "op", "stakes": "EUR 1"} | changes
    return Cell(build_hash=null.build_hash, mode=null.mode, **given)


def drawn(null: NullLaw, n: int, seed: int, stake: int = EURO, status: Status = "normal", times: int = 1) -> Counts:
    """n rounds of the law itself; wins `times` what they are."""
    counts, generator = Counts(), np.random.default_rng(seed)
    for units, many in zip(null.units.tolist(), generator.multinomial(n, null.probabilities).tolist(), strict=True):
        if many:
            counts.add(stake, times * units * stake // null.stake_units, status, times=many)
    if null.feature_probability is not None:
        counts.known, counts.triggered = n, int(generator.binomial(n, null.feature_probability))
    return counts


# --- the law


def test_the_null_is_the_certified_law(lanterns: NullLaw) -> None:
    assert lanterns.mean == pytest.approx(0.9649575753, abs=1e-6)
    assert lanterns.class_probabilities.sum() == pytest.approx(1)
    assert lanterns.class_of(0) == 0
    assert list(lanterns.last) == sorted(set(lanterns.last.tolist()))
    for i, p in enumerate(lanterns.class_probabilities):
        inside = [lanterns.class_of(int(u)) == i for u in lanterns.units]
        assert lanterns.probabilities[inside].sum() == pytest.approx(p)


def test_wins_that_cannot_be(embers: NullLaw) -> None:
    assert embers.possible(1040, 10**6)
    assert not embers.possible(1041, 10**6)  # above the maximum
    assert not embers.possible(-1, 10**6)
    hole = next(u for u in range(1040) if u not in set(embers.units.tolist()))
    assert not embers.possible(hole, 10**6)
    assert embers.possible(hole, 10**12)  # there the rounding of the law could have hidden it
    assert not replace(embers, step=5).possible(1, 10)


@pytest.mark.parametrize("n", [500, 10_000, 300_000])
def test_truncated_moments(embers: NullLaw, n: int) -> None:
    body = embers.truncated(n)
    assert body is not None
    x = np.where(embers.units <= body.most_units, embers.stakes, 0.0)
    mean = float(x @ embers.probabilities)
    central = [float((x - mean) ** k @ embers.probabilities) for k in (2, 3)]
    assert (body.mean, body.sd) == (pytest.approx(mean), pytest.approx(math.sqrt(central[0])))
    assert central[1] / central[0] ** 1.5 <= 0.1 * math.sqrt(n)
    assert body.beyond == pytest.approx(float(embers.probabilities[embers.units > body.most_units].sum()), abs=1e-15)


# --- T1


def brute(null: NullLaw, levels: dict[int, int]) -> np.ndarray:
    """Law of the sum by convolving round after round; entry i is i half stakes."""
    total = np.ones(1)
    for stake, n in levels.items():
        one = np.bincount(null.units * stake, null.probabilities)
        for _ in range(n):
            total = np.convolve(total, one)
    return total


@pytest.mark.parametrize("levels", [{1: 40}, {1: 25, 3: 10, 10: 4}, {200: 12, 500: 4}])
def test_bands_and_p_values_equal_brute_force(levels: dict[int, int]) -> None:
    total = brute(SMALL, levels)
    below, stakes = np.cumsum(total), Stakes.of(levels)
    law = SumLaw(SMALL, stakes)
    low, high = (int(np.searchsorted(below, q)) / 2 / stakes.total for q in (0.025, 0.975))
    assert law.band() == (pytest.approx(low), pytest.approx(high))
    step = 2 * law.unit
    for win in (0, *range(step, 12 * stakes.total, max(step, stakes.total // 7 * step))):
        place = win * 2
        if place >= len(total):
            break
        tail = total[place:].sum() if win >= SMALL.mean * stakes.total else total[: place + 1].sum()
        assert rtp_p(SMALL, stakes, win) == pytest.approx(min(1.0, 2 * tail), rel=1e-6)


def test_far_tails_have_relative_accuracy() -> None:
    coin = null_of(np.array([0, 1]), np.array([0.7, 0.3]), label="coin", stake_units=1)
    law = SumLaw(coin, Stakes.of({1: 5_000}))
    for wins in (1_100, 1_250, 1_700, 2_000):
        tail = binom.sf(wins - 1, 5_000, 0.3) if wins >= 1_500 else binom.cdf(wins, 5_000, 0.3)
        assert law.p_value(wins) == pytest.approx(2 * float(tail), rel=1e-4)


def test_the_normal_law_only_where_the_skew_is_small(embers: NullLaw) -> None:
    assert not normal(embers, Stakes.of({1: 10_000}))
    assert normal(embers, Stakes.of({1: 100_000}))
    assert not normal(embers, Stakes.of({1: 100_000, 1_000: 100}))  # few high stakes decide the sum
    stakes = Stakes.of({1: 100_000})
    assert rtp_band(embers, stakes) == pytest.approx(SumLaw(embers, stakes).band(), abs=2e-3)


@pytest.mark.parametrize("n", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("mixed", [False, True])
def test_bands_cover_what_they_say(n: int, mixed: bool) -> None:
    share = live_math.coverage("ember_sevens/rtp_95", live_math.mixed(n) if mixed else {100: n}, 8_000)
    assert 0.94 <= share <= 0.96


# --- T2 to T6


@pytest.mark.timeout(900)
def test_tests_hold_their_level(lanterns: NullLaw) -> None:
    """Healthy windows of two stakes: p-values below 0.05 in 5 % of them, give or take four standard errors."""
    runs, small = 150, dict.fromkeys(("body", "classes", "feature", "tail", "bias"), 0)
    for run in range(runs):
        counts = drawn(lanterns, 12_000, 3 * run)
        counts.merge(drawn(lanterns, 6_000, 3 * run + 1, stake=2 * EURO))
        counts.merge(drawn(lanterns, 2_000, 3 * run + 2, status="retried"))
        known = p_values(counts, classed(counts, lanterns), lanterns).known()
        for name in small:
            small[name] += known[name] < 0.05
    for name, count in small.items():
        assert count / runs < 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs), name
        assert count / runs > 0.005, name


def test_classes_are_joined_from_the_rare_end() -> None:
    assert joined(np.array([100.0, 30.0, 15.0, 4.0, 3.0]), 20).tolist() == [0, 1, 2]
    assert joined(np.array([100.0, 5.0, 3.0]), 20).tolist() == [0]
    assert classes_p(np.array([10, 0]), np.array([0.9, 0.1])) is None


def test_two_samples_as_scipy_does(embers: NullLaw) -> None:
    counts = drawn(embers, 40_000, 1)
    counts.merge(drawn(embers, 30_000, 2, status="voided"))
    p = p_values(counts, classed(counts, embers), embers)
    table = np.zeros((2, len(embers.last)))
    for status, stake, win, n in counts:
        table[int(status != "normal"), embers.class_of(win * embers.stake_units // stake)] += n
    starts = joined(table.sum(axis=0) * 3 / 7, 5.0)
    assert p.bias == pytest.approx(chi2_contingency(np.add.reduceat(table, starts, axis=1), correction=False).pvalue)


# --- T7


def test_evidence_is_a_martingale() -> None:
    """E after one more round, averaged by the certified law, is E: exactly what makes it safe to look."""
    p, generator = SMALL.class_probabilities, np.random.default_rng(5)
    for n in (0, 10, 5_000, 10**6):
        counts = generator.multinomial(n, p)
        following = np.exp(log_e(counts + np.eye(len(p), dtype=np.int64), p) - log_e(counts, p))
        assert float(following @ p) == pytest.approx(1, rel=1e-5)
    assert log_e(np.zeros(len(p), np.int64), p) == pytest.approx(0, abs=1e-9)


def test_evidence_by_its_definition() -> None:
    counts, p = [7, 2, 1], [0.5, 0.3, 0.2]
    each = []
    for a in MIXED:
        value = math.lgamma(a) - math.lgamma(a + 10)
        value += sum(
            math.lgamma(a * q + n) - math.lgamma(a * q) - n * math.log(q) for n, q in zip(counts, p, strict=True)
        )
        each.append(math.exp(value))
    assert float(log_e(np.array(counts), np.array(p))) == pytest.approx(math.log(sum(each) / len(each)), abs=1e-6)


def test_fresh_processes_find_late_faults_with_raised_thresholds() -> None:
    assert live_weeks(0) == [1]
    assert live_weeks(13) == [1, 2]
    assert live_weeks(7 * 30) == [1, *range(24, 32)]
    generator, p = np.random.default_rng(6), np.array([0.7, 0.2, 0.1])
    daily = np.concatenate(
        [generator.multinomial(20_000, p, 180), generator.multinomial(20_000, [0.7, 0.205, 0.095], 6)]
    )
    late, week = anytime(daily, p)
    assert week > 20
    assert late > float(log_e(daily.sum(axis=0), p))
    for days in (1, 8, 60, 186):  # the same numbers as those of the simulated fleets
        assert anytime(daily[:days], p)[0] == pytest.approx(live_math.raised(daily[None], p)[0, days - 1])


def test_healthy_fleets_are_not_paged() -> None:
    found = live_math.healthy(20)
    assert found.paged == 0


@pytest.mark.parametrize("fault", live_math.FAULTS, ids=lambda fault: fault.name)
def test_faults_are_found_in_time(fault: live_math.Fault) -> None:
    assert live_math.find(fault, 10).in_time == 1


# --- verdicts


def test_levels(lanterns: NullLaw, embers: NullLaw) -> None:
    nulls = {(null.build_hash, null.mode): null for null in (lanterns, embers)}
    healthy, few = cell_of(embers), cell_of(embers, operator="few")
    wrong, impossible = cell_of(lanterns, operator="wrong"), cell_of(lanterns, operator="impossible")
    other = live_math.other_profile(lanterns)
    faulty = null_of(other.units, other.probabilities, label="", stake_units=lanterns.stake_units)
    days = {cell: {9: drawn(embers, 400_000, 1)} for cell in (healthy, few, impossible)}
    days[few] = {9: drawn(embers, 300, 2)}
    days[wrong] = {9: drawn(faulty, 200_000, 3)}
    days[impossible] = {9: drawn(lanterns, 100, 4)}
    days[impossible][9].add(EURO, 123_456_789 * EURO)
    found = {verdict.cell: verdict for verdict in judge(days, nulls, names={9: "2026-01-09"})}
    assert found[healthy].level in ("within", "info")
    assert found[healthy].window == ("2026-01-09", "2026-01-09")
    assert found[few].level in ("insufficient", "info")
    assert found[few].detectable_drift == pytest.approx(2.8016 * embers.sd / math.sqrt(300))
    assert found[wrong].level == "page"
    assert "evidence of wins since week 1" in found[wrong].reasons
    assert found[impossible].level == "page"
    assert found[impossible].impossible == ((EURO, 123_456_789 * EURO, 1),)
    assert json.loads(json.dumps(found[wrong].row()))["null_digest"] == lanterns.digest


def test_investigate_needs_two_windows_or_many_cells(embers: NullLaw) -> None:
    """A feature rate that is low on two days running; on the first one it may be chance among twenty cells."""
    null = replace(embers, feature_probability=0.01)
    nulls = {(null.build_hash, null.mode): null}
    days = {cell_of(null, operator=f"op{i}"): {d: drawn(null, 20_000, 50 * d + i) for d in (1, 2)} for i in range(20)}
    ill = cell_of(null, operator="op0")
    for day in (1, 2):
        days[ill][day].triggered = int(binom.ppf(0.002, 20_000, 0.01))
    assert next(v for v in judge(days, nulls) if v.cell == ill).level == "investigate"
    first = {cell: {1: counted[1]} for cell, counted in days.items()}
    assert next(v for v in judge(first, nulls) if v.cell == ill).level == "info"
    assert next(v for v in judge({ill: days[ill]}, nulls, windows=(2,)) if v.cell == ill).level == "investigate"


def test_every_window_is_judged_and_evidence_is_that_of_all_days(embers: NullLaw) -> None:
    nulls = {(embers.build_hash, embers.mode): embers}
    cell = cell_of(embers)
    days = {cell: {day: drawn(embers, 1_000 * day, day) for day in (1, 2, 3)}}
    every = judge(days, nulls, windows=(1, 2, 30))
    assert [(v.window, v.n) for v in every] == [(("3", "3"), 3_000), (("2", "3"), 5_000), (("-26", "3"), 6_000)]
    assert [judge(days, nulls, windows=(length,))[0].row() for length in (1, 2, 30)] == [v.row() for v in every]
    assert len({str(v.evidence) for v in every}) == 1
    with pytest.raises(ValueError, match="at least one day"):
        judge(days, nulls, windows=(1, 0))


def test_sums_are_those_of_each_operator_and_of_all(embers: NullLaw) -> None:
    """Each once: a sum of one cell, or of one operator alone, is there already."""
    cells = [
        cell_of(embers, operator="a", stakes="EUR 1", channel="mobile"),
        cell_of(embers, operator="a", stakes="EUR 2", channel=""),
        cell_of(embers, operator="b", stakes="EUR 1", channel="mobile"),
        cell_of(embers, operator="b", stakes="JPY 100", channel="mobile"),
        cell_of(embers, operator="a", stakes="SEK 5", channel="mobile"),
        cell_of(embers, operator="a", stakes="SEK 10", channel="mobile"),
    ]
    days = {cell: {n: drawn(embers, 10 * (n + 1), n)} for n, cell in enumerate(cells)}
    found = sums_of(days)
    names = {(cell.operator, cell.stakes, cell.channel): sorted(counted) for cell, counted in found.items()}
    assert names == {("a", "EUR", "all"): [0, 1], ("all", "EUR", "all"): [0, 1, 2], ("a", "SEK", "all"): [4, 5]}
    everything = next(counted for cell, counted in found.items() if cell.operator == "all")
    assert all(everything[n] == days[cells[n]][n] for n in range(3))
    assert sums_of({cells[0]: days[cells[0]]}) == {}


def test_a_day_that_grows_is_classed_anew(embers: NullLaw) -> None:
    counts = drawn(embers, 500, 1)
    before = classed(counts, embers).all.sum()
    assert classed(counts, embers) is classed(counts, embers), "a day that does not change is classed once"
    counts.add(EURO, 0)
    assert classed(counts, embers).all.sum() == before + 1
    counts.merge(drawn(embers, 7, 2))
    assert classed(counts, embers).all.sum() == before + 8


def test_below_volume_is_never_within(embers: NullLaw) -> None:
    nulls = {(embers.build_hash, embers.mode): embers}
    for seed in range(20):
        (verdict,) = judge({cell_of(embers): {1: drawn(embers, 2_000, seed)}}, nulls)
        assert verdict.level != "within"


def test_false_discovery_rate() -> None:
    """The example of Benjamini and Hochberg's paper: of 15 p-values the first four are rejected at 5 %."""
    p = (
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1,
    )
    cells = {cell_of(SMALL, operator=f"op{i}"): value for i, value in enumerate(p)}
    assert false_discoveries(cells, 0.05) == set(list(cells)[:4])


def test_a_build_without_an_exact_law_is_judged_by_its_certificate() -> None:
    build, path = games.find_build("rose_window")
    null = null_law(build, path)
    assert not null.exact
    assert null.class_probabilities.sum() == pytest.approx(1)
    wins = Engine(build).wins(derive_key(bytes(32), ""), 0, 20_000)
    counts = Counts()
    for units in wins.tolist():
        counts.add(20 * EURO, units * 20 * EURO // null.stake_units)
    (verdict,) = judge({cell_of(null): {1: counts}}, {(null.build_hash, null.mode): null})
    assert verdict.level == "insufficient"
    assert verdict.band is None
    assert verdict.p.keys() == {"classes"}
    assert not verdict.exact_null


# --- events


def events(wins: Iterable[int], build_name: str = "ember_sevens", days: int = 3) -> Iterator[bytes]:
    """What the service writes of rounds with such wins in units."""
    build = games.find_build(build_name)[0]
    cost, start = build.play.cost_units, datetime(2026, 1, 1, tzinfo=UTC)
    for nonce, units in enumerate(wins):
        factor = (1, 2, 10)[nonce % 3]
        outcome = Outcome((Spin("base", 0, (), (), (), ()),), units)
        played = played_round(build, outcome, nonce)._replace(
            operator_id="op",
            game_id="embers",
            stake_minor=cost * factor,
            unit_minor=factor,
            created_at=start + timedelta(days=nonce // 3 % days),
        )
        yield spin_finished(played, units * factor, feature=False)


def test_events_give_the_same_numbers_in_any_order_and_in_parts(embers: NullLaw) -> None:
    wins = Engine(games.find_build("ember_sevens")[0]).wins(derive_key(bytes(32), ""), 0, 3_000).tolist()
    lines = [line.decode() for line in events(wins)]
    nulls = {(embers.build_hash, "base"): embers}
    whole = read_events(lines, "whole")
    shuffled = [*lines, *lines[:50]]
    random.Random(1).shuffle(shuffled)
    again = read_events(shuffled, "again")
    assert again.repeated == 50
    rows = [verdict.row() for verdict in judge(whole.days, nulls, names=whole.names)]
    assert [verdict.row() for verdict in judge(again.days, nulls, names=again.names)] == rows
    parts = [read_events(lines[:1_000], "a"), read_events(lines[1_000:], "b")]
    merged = {
        cell: {day: Counts.together(p.days[cell][day] for p in parts if day in p.days.get(cell, {})) for day in counted}
        for cell, counted in whole.days.items()
    }
    assert [verdict.row() for verdict in judge(merged, nulls, names=whole.names)] == rows
    total = Counts.together(counts for counted in whole.days.values() for counts in counted.values())
    assert total.n == 3_000
    assert total.win == sum(units * (1, 2, 10)[i % 3] for i, units in enumerate(wins)) * EURO // 100
    assert {cell.stakes for cell in whole.days} == {"EUR 0.05", "EUR 0.1", "EUR 0.5"}
    assert {cell.stakes for cell in rolled_up(whole.days, ["stakes"])} == {"EUR"}


@pytest.mark.parametrize("seed", range(5))
def test_what_became_of_a_round_counts_in_any_order(seed: int) -> None:
    lines = [json.loads(line) for line in events([0, 5, 10, 1040])]
    spins = [line["spin_id"] for line in lines]
    later = [
        {"type": "round_voided", "spin_id": spins[0]},
        {"type": "round_status", "spin_id": spins[1], "status": "retried"},
        {"type": "round_status", "spin_id": spins[2], "status": "recovered"},
        {"type": "round_voided", "round_id": "never-played"},
        {"type": "round_voided", "spin_id": "of-another-file"},
    ]
    everything = [json.dumps(event) for event in [*lines, *later, *later, lines[0]]]
    random.Random(seed).shuffle(everything)
    found = read_events(everything, "events")
    expected = read_events(
        [
            json.dumps({**line, "status": status})
            for line, status in zip(lines, ("voided", "retried", "recovered", "normal"), strict=True)
        ],
        "said at once",
    )
    assert found.days == expected.days
    assert (found.repeated, found.others) == (1, 0)
    with pytest.raises(EventsError, match="line 1: status is 'lost'"):
        read_events([json.dumps({"type": "round_status", "spin_id": "s", "status": "lost"})], "events")


def test_clouds_and_tables_count_alike() -> None:
    lines = [line.decode() for line in events([0, 5, 10, 1040])]
    plain = read_events(lines, "plain").days
    assert read_events([json.dumps({"data": json.loads(x), "type": "spin_finished"}) for x in lines], "x").days == plain
    fields = list(json.loads(lines[0]))
    # Amounts as the events write them, with their zeros: parsed as decimals.
    rows = [",".join(str(json.loads(x, parse_float=Decimal)[f]) for f in fields) for x in lines]
    assert read_csv([",".join(fields), *rows], "csv").days == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stake": "ten"}, "line 2: stake is 'ten'"),
        ({"stake": 0}, "line 2: stake is 0"),
        ({"win": -1}, "line 2: win is -1"),
        ({"win": True}, "line 2: win is True"),
        ({"win": "NaN"}, "line 2: win is"),
        ({"win": "0.0000000000000000001"}, "at most 18 decimal places"),
        ({"ts": "yesterday"}, "line 2: ts is"),
        ({"ts": "2026-02-30T00:00:00Z"}, "line 2: ts is"),
        ({"build_hash": None}, "line 2: build_hash is missing"),
        ({"status": "lost"}, "line 2: status is 'lost'"),
        ({"feature": 3}, "line 2: feature is 3"),
        ({"spin_id": "s0", "win": 7}, "comes twice with different amounts"),
    ],
)
def test_bad_events_are_named(change: dict[str, object], message: str) -> None:
    first, second = (json.loads(line) for line in events([0, 5]))
    with pytest.raises(EventsError, match=message):
        read_events([json.dumps(first), json.dumps(second | change)], "events.jsonl")
    with pytest.raises(EventsError, match=r"events.jsonl, line 1: not JSON"):
        read_events(["{"], "events.jsonl")


def test_stake_buckets() -> None:
    named = {
        1: "0.000000000000000001",
        EURO // 5: "0.2",
        EURO * 45 // 100: "0.2",
        EURO: "1",
        3 * EURO: "2",
        99 * EURO: "50",
    }
    assert {stake: stake_bucket("EUR", stake) for stake in named} == {s: f"EUR {t}" for s, t in named.items()}


def test_the_command_tells_a_right_build_from_a_wrong_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong = (games.find_build(f"ember_sevens/{profile}")[0] for profile in ("rtp_95", "rtp_93"))
    path = tmp_path / "events.jsonl"
    for played, code in ((right, 0), (wrong, 1)):
        wins = Engine(played).wins(derive_key(bytes(32), ""), 0, 60_003).tolist()
        path.write_bytes(b"\n".join(events(wins)))
        assert main(["monitor", str(path), "--over", "stakes,channel", "--json"]) == code
        answer = json.loads(capsys.readouterr().out)
        assert answer["ok"] == (code == 0)
        (verdict,) = answer["verdicts"]
        assert verdict["label"] == "ember_sevens/rtp_95"
        assert verdict["n"] == 20_001  # the last of three days
    assert main(["monitor", str(path), "--over", "stakes"]) == 1
    assert "evidence of wins" in capsys.readouterr().out
    path.write_text(json.dumps(json.loads(next(events([0]))) | {"build_hash": "sha256:00"}))
    assert main(["monitor", str(path)]) == 2
    assert "give its model file with --model" in capsys.readouterr().err
