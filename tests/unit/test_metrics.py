"""Numbers of workers, and their sums."""

from __future__ import annotations

import json
import re
from pathlib import Path

import orjson
import pytest
from prometheus_client.metrics_core import Metric
from rgs_server.contract.problems import KINDS
from rgs_server.telemetry.catalogue import ALL, COUNTED, READ
from rgs_server.telemetry.instruments import Counter, Description, Family, Histogram
from rgs_server.telemetry.metrics import CAUSES, Metrics
from rgs_server.telemetry.totals import Totals

ROOT = Path(__file__).parents[2]


def sent(metrics: Metrics) -> dict[str, list[tuple[list[str], float | list[float]]]]:
    """A snapshot as it arrives."""
    return orjson.loads(orjson.dumps(metrics.snapshot()))  # type: ignore[no-any-return]


def value(totals: Totals, name: str, **labels: str) -> float:
    """A sample of the page."""
    found = [
        sample.value
        for metric in totals.metrics()
        for sample in metric.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return float(found[0])


def test_buckets_hold_what_is_up_to_their_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(seconds)
    assert histogram.state() == [2, 2, 1, 14.0]


def test_a_metric_has_all_its_labels() -> None:
    family = Family(Description("spins", "counter", "", ("game", "mode")), Counter)
    assert family.of("g", "base") is family.of("g", "base")
    with pytest.raises(ValueError, match="spins has the labels"):
        family.of("g")


def test_workers_add_up_and_buckets_are_cumulative() -> None:
    totals = Totals()
    for worker, seconds in (("0", 0.004), ("1", 0.25)):
        metrics = Metrics()
        metrics.answered("playSpin", 200, seconds)
        metrics.played("g", "g/rtp_96", "base", "EUR").begun(100)
        metrics.watch("rgs_queue_spins", lambda: 7)
        totals.report(worker, sent(metrics))
    request = {"operation": "playSpin", "class": "2xx"}
    name = "rgs_request_duration_seconds"
    assert value(totals, f"{name}_bucket", le="0.003", **request) == 0
    assert value(totals, f"{name}_bucket", le="0.005", **request) == 1
    assert value(totals, f"{name}_bucket", le="0.3", **request) == 2
    assert value(totals, f"{name}_bucket", le="+Inf", **request) == value(totals, f"{name}_count", **request) == 2
    assert value(totals, f"{name}_sum", **request) == pytest.approx(0.254)
    assert value(totals, "rgs_stakes_minor_total", game="g", currency="EUR") == 200
    assert value(totals, "rgs_queue_spins", worker="1") == 7  # of each worker: a full queue must not hide in a sum


def test_nothing_falls_when_a_worker_ends_and_another_takes_its_number() -> None:
    totals = Totals()
    metrics = Metrics()
    metrics.played("g", "b", "base", "EUR").won(500)
    for _ in range(3):
        totals.report("0", sent(metrics))  # the same numbers again are no new ones
    totals.end("0")
    assert value(totals, "rgs_wins_minor_total") == 500
    assert not [sample for metric in totals.metrics() if metric.type == "gauge" for sample in metric.samples]
    totals.report("0", sent(Metrics()))
    assert value(totals, "rgs_wins_minor_total") == 500
    metrics = Metrics()
    metrics.played("g", "b", "base", "EUR").won(1)
    totals.report("0", sent(metrics))
    totals.end("0")
    totals.end("1")  # never reported
    assert value(totals, "rgs_wins_minor_total") == 501


def test_money_stays_exact_beyond_what_floats_add() -> None:
    metrics = Metrics()
    played = metrics.played("g", "b", "base", "JPY")
    played.won(2**53)
    played.won(1)
    assert sent(metrics)["rgs_wins_minor"][0][1] == 2**53 + 1


def test_the_first_fault_of_a_kind_is_a_rise() -> None:
    totals = Totals()
    totals.report("0", sent(Metrics()))
    assert value(totals, "rgs_errors_total", operation="playSpin", code="INTERNAL") == 0
    for cause in CAUSES:
        assert value(totals, "rgs_spins_elastic_total", cause=cause) == 0


def test_codes_of_errors_are_those_of_the_contract() -> None:
    metrics = Metrics()
    for code in KINDS:
        metrics.refused("playSpin", code)
    with pytest.raises(AssertionError):
        metrics.refused("playSpin", "whatever a caller wrote")


def test_names_follow_the_rules_of_prometheus() -> None:
    names = [description.name for description in ALL]
    assert len(names) == len(set(names))
    for description in ALL:
        assert re.fullmatch(r"rgs(_[a-z]+)+", description.name), description.name
        assert not description.name.endswith("_total"), "the page adds that"
        assert description.meaning.endswith(".")
        assert (description.kind == "histogram") == bool(description.bounds)
        assert list(description.bounds) == sorted(set(description.bounds))
    assert all(description.kind != "gauge" for description in COUNTED)
    assert all(description.kind == "gauge" for description in READ)


def test_every_metric_and_every_cause_is_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    for description in ALL:
        assert f"`{description.name}{'_total' if description.kind == 'counter' else ''}`" in text, description.name
    for cause in CAUSES:
        assert f"`{cause}`" in text, cause


def test_a_snapshot_is_json() -> None:
    assert json.loads(orjson.dumps(Metrics().snapshot())).keys() == {d.name for d in (*COUNTED, *READ)}
    assert isinstance(next(Totals().metrics()), Metric)
