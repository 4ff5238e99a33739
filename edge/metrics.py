"""What this instance counts and measures, in Prometheus' terms."""

from collections.abc import Callable
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from edge.watch_metrics import WatchMetrics
from shards.roll import Cast, CastStatus

MEDIA_TYPE = CONTENT_TYPE_LATEST
LATENCY_BUCKETS_S = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
VOTE_ROUTE = "/api/v1/vote"
VOTE_STATUSES = (202, 400, 403, 405, 408, 409, 413, 415, 422, 429, 500, 503)


def make_registry() -> CollectorRegistry:
    """Return a registry of this process alone, with what the system says of it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class EdgeMetrics:
    """The metrics of an edge; also the observer of its cluster client."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        submitted = Counter("votes_submitted", "Votes received, well-formed", registry=registry)
        validated = Counter(
            "votes_validated", "Votes decided, by the decision", ["status"], registry=registry
        )
        duplicates = Counter(
            "duplicate_attempts", "Attempts after an accepted vote", registry=registry
        )
        latency = Histogram(
            "validation_latency_seconds",
            "From the hash to the roll's confirmed decision",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.requests = Histogram(
            "api_request_duration_seconds",
            "From a request's headers to its answer",
            ["route", "status"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        batches = Histogram(
            "microbatch_size", "Calls sent to a Redis node together", buckets=BATCH_BUCKETS,
            registry=registry,
        )  # fmt: skip
        durability = Histogram(
            "durability_wait_seconds",
            "From a batch's sending to its confirmation on disks",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.watched = WatchMetrics(registry)
        # children bound here, so that a vote costs no look-up by label
        self.submitted: Callable[[], None] = submitted.inc
        self.validation_took: Callable[[float], None] = latency.observe
        self.batch_sent: Callable[[float], None] = batches.observe
        self.durability_waited: Callable[[float], None] = durability.observe
        self._duplicate = duplicates.inc
        self._decided = {
            status: validated.labels(status=status).inc for status in get_args(CastStatus)
        }
        self._vote_took = {
            status: self.requests.labels(route=VOTE_ROUTE, status=str(status)).observe
            for status in VOTE_STATUSES
        }
        self.decided_count = 0

    def decided(self, cast: Cast) -> None:
        """Count a decision."""
        self.decided_count += 1
        self._decided[cast.status]()
        if cast.status == "duplicate":
            self._duplicate()

    def vote_answered(self, status: int, seconds: float) -> None:
        """Count an answer of the vote route."""
        self._vote_took[status](seconds)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer of another route."""
        self.requests.labels(route=route, status=str(status)).observe(seconds)

    def value(self, name: str, **labels: str) -> float:
        """Return a metric's value, 0 before the first."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def exposition(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self.registry)
