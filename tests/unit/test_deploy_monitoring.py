"""Prometheus, its alerts, Grafana's dashboard and KEDA's triggers ask for what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from promql_parser import AggregateExpr, Expr, VectorSelector

from tests import exposed_metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/retort.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


ALERTS = [rule for group in load("deploy/prometheus/alerts.yml")["groups"] for rule in group["rules"]]
COMPOSE = load("docker-compose.yml")


def queries() -> Iterator[tuple[str, str]]:
    """Where each query stands, and the query."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"].replace("$__rate_interval", "1m")
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for trigger in load("deploy/kubernetes/autoscaling.yaml")["spec"]["triggers"]:
        yield f"autoscaling {trigger['name']}", trigger["metadata"]["query"]


QUERIES = dict(queries())


def nodes(query: str) -> list[Expr]:
    found: list[Expr] = []
    promql_parser.walk(promql_parser.parse(query), pre_visit=found.append)
    return found


def selectors(query: str) -> list[VectorSelector]:
    return [node for node in nodes(query) if isinstance(node, VectorSelector)]


@pytest.mark.parametrize("place", QUERIES)
def test_every_query_asks_for_metrics_and_labels_that_exist(place: str) -> None:
    exposed = exposed_metrics.sample_labels()

    asked = selectors(QUERIES[place])

    assert asked
    assert {str(selector.name) for selector in asked} <= exposed.keys()
    for selector in asked:
        assert {matcher.name for matcher in selector.matchers.matchers} <= exposed[str(selector.name)]


@pytest.mark.parametrize("place", QUERIES)
def test_every_query_groups_by_labels_that_exist(place: str) -> None:
    exposed = exposed_metrics.sample_labels()

    for node in nodes(QUERIES[place]):
        if isinstance(node, AggregateExpr) and node.modifier:
            below = frozenset[str]().union(*(exposed[str(one.name)] for one in selectors(node.expr.prettify())))
            assert set(node.modifier.labels) <= below


def test_the_dashboard_leaves_no_metric_out_that_moves() -> None:
    shown = {str(selector.name) for query in QUERIES.values() for selector in selectors(query)}
    constant = {"retort_backlog_bytes", "retort_late_chunks", "retort_resent_chunks", "retort_ready"}

    unseen = {
        name
        for name, (kind, _) in exposed_metrics.families().items()
        if not shown & {name + suffix for suffix in exposed_metrics.SUFFIXES[kind]}
    }

    assert unseen == constant


def test_panels_have_a_place_of_their_own() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        spot = panel["gridPos"]
        for x in range(spot["x"], spot["x"] + spot["w"]):
            for y in range(spot["y"], spot["y"] + spot["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_panels_ask_the_data_source_that_the_reader_chose() -> None:
    [variable] = DASHBOARD["templating"]["list"]

    assert variable["type"] == "datasource"
    assert {panel["datasource"]["uid"] for panel in PANELS} == {f"${{{variable['name']}}}"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    page, anchor = rule["annotations"]["runbook"].split("#")

    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    assert anchor == rule["alert"].lower()
    assert f"\n## {rule['alert']}\n" in (ROOT / page).read_text(encoding="utf-8")
    if "for" in rule:
        promql_parser.parse_duration(rule["for"])


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_summary_names_only_labels_that_the_alert_keeps(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = {label for node in nodes(rule["expr"]) if isinstance(node, AggregateExpr) and node.modifier
            for label in node.modifier.labels}  # fmt: skip
    if not any(isinstance(node, AggregateExpr) for node in nodes(rule["expr"])):
        kept |= {"instance", "job"}

    assert named <= kept


def test_the_runbook_has_no_entry_for_an_alert_that_is_gone() -> None:
    entries = re.findall(r"^## (Retort\w+)$", (ROOT / "docs/alerts.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert entries == [rule["alert"] for rule in ALERTS]


def test_every_metric_is_documented() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(retort_\w+)` \|", page, re.MULTILINE))

    names = {name + ("_total" if kind == "counter" else "") for name, (kind, _) in exposed_metrics.families().items()}

    assert documented == names


def test_prometheus_scrapes_the_services_of_docker_compose() -> None:
    config = load("deploy/prometheus/prometheus.yml")
    targets = {
        source["names"][0]: source["port"] for job in config["scrape_configs"] for source in job["dns_sd_configs"]
    }

    assert targets == {"api": 8001, "worker": 9100, "notifier": 9100}
    assert targets.keys() <= COMPOSE["services"].keys()
    for service, port in targets.items():
        dockerfile = (ROOT / f"Dockerfile.{service}").read_text(encoding="utf-8")
        assert re.search(rf"^EXPOSE (\d+ )*{port}$", dockerfile, re.MULTILINE)
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])


def test_the_mounted_configuration_is_there() -> None:
    for service in ("prometheus", "grafana", "proxy"):
        for volume in COMPOSE["services"][service]["volumes"]:
            source, _, _ = volume.partition(":")
            assert source in COMPOSE["volumes"] or (ROOT / source).exists()
    [provider] = load("deploy/grafana/provisioning/dashboards/retort.yml")["providers"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in COMPOSE["services"]["grafana"]["volumes"]
    [source] = load("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
