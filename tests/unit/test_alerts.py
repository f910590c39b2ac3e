"""Alerts and dashboards ask for metrics that there are, each alert is tested both ways, and somebody knows what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rgs_server.contract.operations import OPERATIONS
from rgs_server.telemetry.catalogue import ALL, READ
from rgs_server.telemetry.instruments import Description

ROOT = Path(__file__).parents[2]
FILES = ROOT / "server/observability"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FILES / "rules.yml").read_text("utf-8"))["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
DASHBOARDS = sorted((FILES / "dashboards").glob("*.json"))
LABELS_OF_SCRAPES = {"instance", "job", "le"}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: make debian-tools")


def exposed(description: Description) -> dict[str, set[str]]:
    """Names of samples with their labels."""
    labels = {*description.labels, *LABELS_OF_SCRAPES, *(("worker",) if description in READ else ())}
    suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}[description.kind]
    return {f"{description.name}{suffix}": labels for suffix in suffixes}


SAMPLES: dict[str, set[str]] = {name: labels for description in ALL for name, labels in exposed(description).items()}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


def dashboards() -> list[tuple[str, str]]:
    """(panel, expression) of all dashboards."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"])
        for path in DASHBOARDS
        for panel in json.loads(path.read_text("utf-8"))["panels"]
        for target in panel.get("targets", [])
    ]


EXPRESSIONS = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in RULES] + dashboards()


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=[place for place, _ in EXPRESSIONS])
def test_what_is_asked_for_is_exposed(place: str, expression: str) -> None:
    recorded = set(re.findall(r"\brgs:[\w:]+", expression))
    assert recorded <= RECORDED
    rest = re.sub(r"\brgs:[\w:]+", "", expression)
    asked = re.findall(r"\b(rgs_\w+)(?:\{([^}]*)\})?", rest)
    assert asked or recorded or expression.startswith("up{"), place
    for name, matchers in asked:
        assert name in SAMPLES, f"{place}: the service has no {name}"
        used = set(re.findall(r"(\w+)\s*[=!]", matchers))
        assert used <= SAMPLES[name], f"{place}: {name} has no label {used - SAMPLES[name]}"
    if asked:
        known = set.union(*(SAMPLES[name] for name, _ in asked))
        grouped = {label.strip() for part in re.findall(r"\bby \(([^)]*)\)", rest) for label in part.split(",")}
        assert grouped <= known, f"{place}: none of these has {grouped - known}"


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_each_alert_says_how_grave_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings


def test_no_section_is_of_an_alert_that_is_gone() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    assert re.findall(r"^#+ (Rgs\w+)$", text, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_runbooks_call_operations_that_there_are() -> None:
    runbooks = (ROOT / "docs/operations.md").read_text("utf-8").partition("## Alerts")[2]
    known = {f"{operation.method} {operation.full_path}" for operation in OPERATIONS}
    called = set(re.findall(r"`((?:GET|POST) /rgs/[^`]+)`", runbooks))
    assert called
    assert called <= known


def test_each_alert_has_a_firing_and_a_silent_case() -> None:
    tests = yaml.safe_load((FILES / "rules_test.yml").read_text("utf-8"))["tests"]
    cases = {(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]}
    assert cases == {(rule["alert"], fires) for rule in ALERTS for fires in (True, False)}
    for test in tests:
        for series in test["input_series"]:
            name = series["series"].partition("{")[0]
            assert name == "up" or name in SAMPLES, f"{test['name']}: the service has no {name}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_can_be_provisioned(path: Path) -> None:
    dashboard = json.loads(path.read_text("utf-8"))
    assert dashboard["uid"] == path.stem
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(places) == len(set(places)), "panels lie on each other"
    for panel in dashboard["panels"]:
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource"]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_reads_the_rules() -> None:
    promtool("check", "rules", FILES / "rules.yml")


@needs_promtool
def test_alerts_fire_and_are_silent() -> None:
    promtool("test", "rules", FILES / "rules_test.yml")


@needs_promtool
def test_queries_of_dashboards_are_promql(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": expression} for n, (_, expression) in enumerate(dashboards())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    promtool("check", "rules", file)
