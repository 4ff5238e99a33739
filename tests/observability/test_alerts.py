"""Every alert is well-formed, fires when it should and only then, and has a runbook."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.cli import COMMANDS
from edge.settings import Settings, variable
from tests.observability.files import (
    ALERTMANAGER,
    PROMETHEUS,
    ROOT,
    RULE_TESTS,
    RULES,
    Alert,
    alerts,
    read_yaml,
    selectors,
)

SECTIONS = ["Meaning", "Impact", "What to do"]
PROCEDURES = ["disaster-recovery", "election-day"]  # runbooks of no alert


def run(*command: object, cwd: Path = PROMETHEUS) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_configuration_and_rules() -> None:
    assert f"{len(RULES)} rule files found" in run("promtool", "check", "config", "prometheus.yml")
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)


def test_alertmanager_takes_its_configuration_and_sends_pages_to_who_is_paged() -> None:
    run("amtool", "check-config", ALERTMANAGER)
    for severity in ("page", "ticket"):
        route = ["amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}"]
        assert run(*route, f"severity={severity}").strip() == severity


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_fire_when_they_should_and_only_then(path: Path) -> None:
    run("promtool", "test", "rules", path.name, cwd=path.parent)


def test_each_alert_is_seen_to_fire_and_to_stay_silent() -> None:
    tried: dict[str, set[bool]] = defaultdict(set)
    for path in RULE_TESTS:
        for case in read_yaml(path)["tests"]:
            for check in case["alert_rule_test"]:
                tried[check["alertname"]].add(bool(check["exp_alerts"]))
    assert tried == {alert.name: {True, False} for alert in alerts()}


def test_a_rule_that_never_fires_would_be_noticed(tmp_path: Path) -> None:
    """The tests above are worth something: spoil a rule and its own test fails."""
    spoilt = read_yaml(PROMETHEUS / "rules/redis.yml")
    spoilt["groups"][0]["rules"][0]["expr"] = "max by (node) (redis_up) == 2"
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "rules/redis.yml").write_text(yaml.safe_dump(spoilt))
    case = (PROMETHEUS / "tests/redis.yml").read_text()
    (tmp_path / "tests/redis.yml").write_text(case)
    with pytest.raises(AssertionError, match="RedisNodeDown"):
        run("promtool", "test", "rules", "redis.yml", cwd=tmp_path / "tests")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_each_alert_has_a_runbook(alert: Alert) -> None:
    assert alert.severity in {"page", "ticket"}
    assert alert.runbook == ROOT / f"docs/runbooks/{alert.name}.md"
    title, *parts = re.split(r"^##? ", alert.runbook.read_text(), flags=re.MULTILINE)[1:]
    assert title.strip() == alert.name
    assert [part.partition("\n")[0] for part in parts] == SECTIONS
    assert all(part.partition("\n")[2].strip() for part in parts)
    overview = (ROOT / "docs/observability.md").read_text()
    assert f"(runbooks/{alert.name}.md)" in overview


def test_runbooks_name_only_what_there_is() -> None:
    written = sorted((ROOT / "docs/runbooks").glob("*.md"))
    assert [path.stem for path in written] == sorted(a.name for a in alerts()) + PROCEDURES
    variables = {variable(name) for name in Settings.__struct_fields__}
    for path in written:
        text = path.read_text()
        for command in re.findall(r"(?:^|`|time )\s*scrutin ([a-z-]+)", text, re.MULTILINE):
            assert command in COMMANDS, f"{path.name}: scrutin {command}"
        assert set(re.findall(r"SCRUTIN_\w+", text)) <= variables, path.name
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_inhibitions_name_only_alerts_there_are() -> None:
    names = {alert.name for alert in alerts()}
    for rule in read_yaml(ALERTMANAGER)["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            assert set(re.findall(r"\w+", matcher.partition("=")[2])) <= names, matcher


def test_jobs_that_alerts_name_are_scraped_in_compose_and_in_kubernetes() -> None:
    """An alert on a job of another name would never fire."""
    named = {job for alert in alerts() for job in re.findall(r'job="(\w+)"', alert.expression)}
    assert named == {"edge", "drainer"}
    scraped = read_yaml(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    assert named <= {job["job_name"] for job in scraped}
    monitors = yaml.safe_load_all(
        (ROOT / "k8s/components/monitoring/service-monitors.yaml").read_text()
    )
    assert named <= {job_of(monitor) for monitor in monitors}


def job_of(monitor: dict[str, Any]) -> str:
    """Return the job of a ServiceMonitor's series: its service's name, unless relabelled."""
    for relabeling in monitor["spec"]["endpoints"][0].get("relabelings", []):
        if relabeling["targetLabel"] == "job":
            return str(relabeling["replacement"])
    return str(monitor["metadata"]["name"])


def test_the_series_of_an_expression() -> None:
    expression = """
        max by (node) (redis_up{job=~"a|b"}) < on () group_left () max(x_needed)
        and deriv(sum(max by (group) (depth))[10m:1m]) > 0 or up {job="edge"} == 0
    """
    assert selectors(expression) == {
        'redis_up{job=~"a|b"}', "x_needed", "depth", 'up{job="edge"}',
    }  # fmt: skip
