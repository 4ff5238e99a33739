"""A real Prometheus scrapes a running demo: rules evaluate, dashboards have something to show.

And nothing that the day wrote anywhere tells who an elector is.
"""

import re
from collections.abc import Iterator

import pytest

from tests.observability.day import Day, election_day
from tests.observability.files import ROOT, alerts, panels, selectors
from tests.support.demo import eventually
from tests.support.hashgen_oracle import ballot_hash
from tests.support.identities import Identities
from tests.support.rolls import Elector

TIMEOUT_S = 90.0


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with election_day(tmp_path_factory.mktemp("day")) as running:
        yield running


@pytest.fixture(scope="module")
def evening(day: Day) -> Day:
    """The day, when nobody votes any more."""
    day.voters.stop()
    return day


def without_series(day: Day, queries: set[str]) -> set[str]:
    """Return the queries that have nothing to show: no series, or none with a number."""
    return {
        query
        for query in queries
        if all(series["value"][1] == "NaN" for series in day.prometheus.query(query))
    }


def test_every_target_is_scraped_and_every_rule_evaluates(day: Day) -> None:
    def evaluated() -> bool:
        groups = day.prometheus.get("/rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in rules} == {alert.name for alert in alerts()}
        assert not [rule for rule in rules if rule["health"] == "err"], rules
        return all(rule["health"] == "ok" for rule in rules)

    eventually(evaluated, TIMEOUT_S)

    def scraped() -> bool:
        targets = day.prometheus.query("count by (job) (up == 1)")
        counts = {target["metric"]["job"]: target["value"][1] for target in targets}
        return counts == {"edge": "2", "drainer": "1", "node": "1"}

    eventually(scraped, TIMEOUT_S)


def test_every_query_of_the_dashboards_returns_series(day: Day) -> None:
    missing = {panel.query for panel in panels()}
    assert len(missing) > 40

    def shown() -> bool:
        missing.intersection_update(without_series(day, missing))
        return not missing

    try:
        eventually(shown, TIMEOUT_S)
    except AssertionError:
        pytest.fail(f"nothing to show: {missing}")


def test_every_alert_watches_series_that_are_there(day: Day) -> None:
    """An alert on a misspelt series would never fire, and nobody would notice."""
    watched = {selector for alert in alerts() for selector in selectors(alert.expression)}
    assert len(watched) > 20
    eventually(lambda: not without_series(day, watched), TIMEOUT_S)
    for alert in alerts():
        day.prometheus.query(alert.expression)


def test_what_runbooks_ask_clickhouse_can_be_asked(day: Day) -> None:
    written = "".join(path.read_text() for path in (ROOT / "docs/runbooks").glob("*.md"))
    in_quotes = r"""SCRUTIN_CLICKHOUSE_URL" -d (['"])(.+)\1$"""
    written_down = [statement for _, statement in re.findall(in_quotes, written, re.MULTILINE)]
    # Those of disaster recovery, which drop and restore, are run by its own tests.
    asked = [statement for statement in written_down if statement.startswith("SELECT ")]
    assert len(asked) >= 3
    for statement in asked:
        day.demo.sql(statement)


def test_edges_add_up_to_the_count(evening: Day) -> None:
    """Two processes, each of which counts for itself: no vote is missing or there twice."""
    prometheus, answers = evening.prometheus, evening.voters.answers
    odd = 1  # the one of the odd votes that is well-formed and on the roll, and its duplicates
    counted = "sum(max by (law_id) (ballots_counted))"
    accepted = 'sum(votes_validated_total{status="accepted"})'

    def add_up() -> bool:
        """Edges are scraped one after the other."""
        return all(
            prometheus.query(count) != [] and prometheus.value(count) == answers[202] + odd
            for count in (counted, accepted)
        )

    eventually(add_up, TIMEOUT_S)
    by_edge = prometheus.query('votes_validated_total{status="accepted"}')
    assert all(float(series["value"][1]) > 0 for series in by_edge)
    assert len(by_edge) == 2


def test_nothing_written_identifies_an_elector_or_a_ballot(evening: Day) -> None:
    assert {202, 403, 409} <= set(evening.voters.answers)
    written = evening.written()
    for source in (
        "/edge.log", "drainer.log", "demo.log", "second-edge.log", "prometheus.log", "server.log",
    ):  # fmt: skip
        assert any(name.endswith(source) and text for name, text in written.items()), source
    assert "Redis is partly" in "".join(written.values()), "the kill was to be talked about"
    found = {source: evening.identities.found_in(text) for source, text in written.items()}
    assert not {source: kinds for source, kinds in found.items() if kinds}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ('{"event": "vote of 012345674"}', "NAS"),
        ("2026-11-24 23:10:00 012 345 674", "NAS"),
        ("nas=012-345-674&", "NAS"),
        ("code ABC12345.", "code"),
        ("/fr/abc12345/", "code"),
        (f"[{ballot_hash('012345674', 'ABC12345', 'L1').hex()}]", "hash"),
    ],
)
def test_what_is_looked_for_would_be_found(written: str, kind: str) -> None:
    identities = Identities([Elector("012345674", "ABC12345", "L1")])
    assert identities.found_in("1012345674 ABC123456 accepted 2026-11-24T23:10:00.012345Z") == []
    assert identities.found_in(f"before {written} after") == [kind]
