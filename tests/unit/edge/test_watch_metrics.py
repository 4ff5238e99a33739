"""What an edge publishes of what it saw."""

from datetime import UTC, datetime
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry

from edge.watch_metrics import WatchMetrics
from shards.election import Election, Law
from shards.results import LawTally, ResultsSnapshot
from shards.servers import NodeMemory, PrimaryState

OPENS, CLOSES = datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 5, 2, tzinfo=UTC)
STATE = PrimaryState(NodeMemory(used_bytes=700, max_bytes=1000), replicas_online=2, aof_ok=True)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def watched(registry: CollectorRegistry) -> WatchMetrics:
    return WatchMetrics(registry)


def election(results: Literal["live", "after_close"]) -> Election:
    laws = [Law(law_id, "Loi", "Law", OPENS, CLOSES) for law_id in ("L1", "L2")]
    return Election("Référendum", "Referendum", laws, results)


@pytest.mark.parametrize(("results", "shown"), [("live", 3.0), ("after_close", None)])
def test_choices_are_published_only_where_results_are_live(
    registry: CollectorRegistry,
    watched: WatchMetrics,
    results: Literal["live", "after_close"],
    shown: float | None,
) -> None:
    snapshot = ResultsSnapshot([LawTally("L1", 3, 4)], 2000, 1000)
    watched.results_are(snapshot, election(results))
    assert registry.get_sample_value("ballots_counted", {"law_id": "L1"}) == 7
    assert registry.get_sample_value("ballots_counted", {"law_id": "L2"}) == 0
    assert registry.get_sample_value("votes_by_law", {"law_id": "L1", "choice": "oui"}) == shown
    assert registry.get_sample_value("results_updated_timestamp_seconds") == 2


def test_a_cluster_that_does_not_answer_has_no_figures_and_no_node_up(
    registry: CollectorRegistry, watched: WatchMetrics
) -> None:
    watched.members_are({"r1": True, "r2": False})
    watched.primaries_are({"r1": STATE})
    assert registry.get_sample_value("redis_up", {"node": "r1"}) == 1
    assert registry.get_sample_value("redis_replicas_online", {"node": "r1"}) == 2
    watched.nobody_answers()
    assert registry.get_sample_value("redis_up", {"node": "r1"}) == 0
    assert registry.get_sample_value("redis_memory_used_bytes", {"node": "r1"}) is None


def test_forgotten_nodes_are_dropped(registry: CollectorRegistry, watched: WatchMetrics) -> None:
    watched.members_are({"r1": False, "r2": True})
    watched.members_are({"r2": True})
    assert registry.get_sample_value("redis_up", {"node": "r1"}) is None


def test_exactly_one_state_of_redis(registry: CollectorRegistry, watched: WatchMetrics) -> None:
    for state in ("unreachable", "writable"):
        watched.redis_is(state)
    states = {
        sample.labels["state"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "redis_state"
    }
    assert states.pop("writable") == 1
    assert set(states.values()) == {0}
