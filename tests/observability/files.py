"""Where the deployment's observability is, and what is in it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "compose/prometheus"
ALERTMANAGER = ROOT / "compose/alertmanager/alertmanager.yml"
GRAFANA = ROOT / "compose/grafana"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
NOT_A_METRIC = frozenset({"and", "or", "unless", "bool"})


class Alert(NamedTuple):
    """An alert as its rule says it."""

    name: str
    expression: str
    severity: str
    runbook: Path


class Panel(NamedTuple):
    """One query of a dashboard's panel."""

    dashboard: str
    title: str
    query: str


def alerts() -> list[Alert]:
    """Return every alert."""
    return [
        Alert(
            rule["alert"],
            rule["expr"],
            rule["labels"]["severity"],
            ROOT / rule["annotations"]["runbook_url"],
        )
        for path in RULES
        for group in read_yaml(path)["groups"]
        for rule in group["rules"]
    ]


def panels() -> Iterator[Panel]:
    """Return every query of every dashboard, its variables filled in for a few seconds' data."""
    for path in sorted((GRAFANA / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"].replace("$__rate_interval", "30s")
                yield Panel(path.stem, panel["title"], query.replace("$instance", ".+"))


def selectors(expression: str) -> set[str]:
    """Return the series that an expression of PromQL asks for, each with its matchers."""
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)", " ", expression)
    bare = re.sub(r"\[[^]]*\]", " ", bare)
    found = re.findall(r'([a-z_]\w*) *(\{(?:[^}"]|"[^"]*")*\})?(?! *\(|\w)', bare)
    return {name + matchers for name, matchers in found if name not in NOT_A_METRIC}


def read_yaml(path: Path) -> Any:
    """Return what a file holds."""
    return yaml.safe_load(path.read_text())
