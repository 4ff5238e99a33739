"""Kubernetes is given the alerts that compose/prometheus has, all of them and as they are."""

from pathlib import Path
from typing import Any

import yaml

from compose.kubernetes.__main__ import MANIFEST, render
from tests.observability.files import RULES, read_yaml
from tests.observability.test_alerts import run
from tests.support.manifests import OVERLAYS, name_of, of_kind

WITH_OPERATOR = "prod"


def shipped() -> list[dict[str, Any]]:
    return [group for path in RULES for group in read_yaml(path)["groups"]]


def test_the_committed_manifest_is_what_the_rules_make() -> None:
    assert MANIFEST.read_text() == render(), "run `make rules`"


def test_every_group_is_there_word_for_word() -> None:
    assert read_yaml(MANIFEST)["spec"]["groups"] == shipped()


def test_production_brings_all_of_them() -> None:
    assert WITH_OPERATOR in OVERLAYS
    built = {name_of(rule): rule["spec"] for rule in of_kind(WITH_OPERATOR, "PrometheusRule")}
    assert set(built) == {"scrutin", "scrutin-kubernetes"}
    assert built["scrutin"]["groups"] == shipped()


def test_prometheus_takes_them(tmp_path: Path) -> None:
    for rule in of_kind(WITH_OPERATOR, "PrometheusRule"):
        path = tmp_path / f"{name_of(rule)}.yml"
        path.write_text(yaml.safe_dump(rule["spec"]))
        run("promtool", "check", "rules", "--lint=all", "--lint-fatal", path)
