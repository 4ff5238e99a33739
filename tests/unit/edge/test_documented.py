"""Nothing that others rely on may be missing from the reference."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from clickhouse.comparison import Kind
from edge.app import make_app
from edge.cli import COMMANDS
from edge.cli import make_app as make_command_line
from edge.draining import DrainMetrics
from edge.metrics import VOTE_STATUSES, make_registry
from edge.openapi import openapi_document
from edge.problems import KINDS
from edge.settings import Settings, flag, variable
from edge.urls import CLICKHOUSE_URL, REDIS_URL
from tests.support.rolls import LAW, open_election

REFERENCE = (Path(__file__).parents[3] / "docs/reference.md").read_text()
DOCUMENTED = set(re.findall(r"`([^`]+)`", REFERENCE))


@pytest.fixture
def registry() -> CollectorRegistry:
    return make_registry()


def test_every_setting(registry: CollectorRegistry) -> None:
    for field in msgspec.structs.fields(Settings):
        assert variable(field.name) in DOCUMENTED
        assert flag(field.name) in DOCUMENTED
        row = next(line for line in REFERENCE.splitlines() if f"`{variable(field.name)}`" in line)
        default = "" if field.default in (None, ()) else f"`{field.default}`"
        assert default in row, f"the default of {field.name}"
    assert REDIS_URL.options | CLICKHOUSE_URL.options <= DOCUMENTED


def test_every_route_and_command(registry: CollectorRegistry) -> None:
    app, _ = make_app(Settings(), open_election(LAW), registry, lambda: None)
    in_openapi = set(openapi_document()["paths"])
    for path in app.route_paths():
        assert path in DOCUMENTED
        is_page = path in {"/", "/fr", "/en"} or path.startswith(("/fr/", "/en/", "/static/"))
        assert is_page or path in in_openapi, path
    assert in_openapi <= set(app.route_paths())
    for name in COMMANDS:
        assert any(text.startswith(f"scrutin {name}") for text in DOCUMENTED), name


def test_every_metric_and_none_that_is_not(registry: CollectorRegistry) -> None:
    make_app(Settings(), open_election(LAW), registry, lambda: None)
    DrainMetrics(registry)
    names = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    section = REFERENCE[REFERENCE.index("## Metrics") :].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z]+_\w+)", section)) == names


def test_every_problem() -> None:
    for kind in KINDS:
        row = f"| `{kind.code}` | {kind.status} | {kind.title_en} | {kind.title_fr} |"
        assert row in REFERENCE


def test_the_vote_route_can_count_every_answer_that_it_documents() -> None:
    documented = openapi_document()["paths"]["/api/v1/vote"]["post"]["responses"]
    assert {int(status) for status in documented} == set(VOTE_STATUSES)


def test_every_kind_of_difference() -> None:
    for kind in get_args(Kind):
        assert f"| `{kind}` |" in REFERENCE


def test_every_command_says_what_it_is_for() -> None:
    app = make_command_line()
    for name, (_, help_text) in COMMANDS.items():
        assert help_text.endswith(".")
        assert name in app
