"""What an edge saw last of the election and of what it depends on, in Prometheus' terms.

Every edge exports these of the same cluster, so dashboards take the maximum over edges.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Gauge

from shards.election import Election, Law
from shards.results import ResultsSnapshot
from shards.servers import PrimaryState

RedisState = Literal["unreachable", "not_writable", "partly_writable", "writable"]


class WatchMetrics:
    """Gauges that the watch sets once a second; none of them is on a vote's way."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, labels, registry=registry)

        self._ready = gauge("edge_ready", "Whether this instance takes votes")
        self._in_flight = gauge("votes_in_flight", "Votes read and not decided yet")
        self.votes_per_second = gauge("votes_per_second", "Votes decided in the last second")
        self._opens = gauge("law_opens_timestamp_seconds", "When votes are taken from", "law_id")
        self._closes = gauge("law_closes_timestamp_seconds", "When votes end", "law_id")
        self._electors = gauge("roll_electors", "Electors on the roll", "law_id")
        self._ballots = gauge("ballots_counted", "Ballots in the published count", "law_id")
        self._votes = gauge(
            "votes_by_law", "Ballots counted, only where results are published live",
            "law_id", "choice",
        )  # fmt: skip
        self._updated = gauge(
            "results_updated_timestamp_seconds", "When counting began for the published count"
        )
        self._complete = gauge(
            "results_complete_until_timestamp_seconds",
            "Every vote accepted before this is in the count",
        )
        self._redis_state = gauge("redis_state", "1 for the state that Redis is in", "state")
        self._redis_up = gauge("redis_up", "Whether the cluster reaches a node", "node")
        self._memory = gauge("redis_memory_used_bytes", "Memory of a Redis primary", "node")
        self._memory_max = gauge("redis_memory_max_bytes", "Its limit, 0 for none", "node")
        self._replicas = gauge("redis_replicas_online", "Replicas in step with it", "node")
        self._replicas_needed = gauge(
            "redis_replicas_needed", "Replicas without which votes are not confirmed"
        )
        self._members: list[str] = []
        self._aof_ok = gauge("redis_aof_ok", "Whether its latest write to disk went well", "node")

    def lives(self, *, ready: Callable[[], bool], in_flight: Callable[[], int]) -> None:
        """Take what is read only when somebody asks."""
        self._ready.set_function(ready)
        self._in_flight.set_function(in_flight)

    def needs_replicas(self, replicas: int) -> None:
        """Publish how many replicas have to confirm a vote."""
        self._replicas_needed.set(replicas)

    def laws_are(self, laws: Iterable[Law]) -> None:
        """Publish the windows."""
        for law in laws:
            self._opens.labels(law_id=law.id).set(law.opens_at.timestamp())
            self._closes.labels(law_id=law.id).set(law.closes_at.timestamp())

    def roll_is(self, electors: Mapping[str, int]) -> None:
        """Publish the number of electors by law."""
        for law_id, count in electors.items():
            self._electors.labels(law_id=law_id).set(count)

    def results_are(self, snapshot: ResultsSnapshot, election: Election) -> None:
        """Publish how many ballots are counted, and the choices only where results are live."""
        self._updated.set(snapshot.updated_at_ms / 1000)
        self._complete.set(snapshot.complete_until_ms / 1000)
        for law in election.laws:  # one that nobody has voted on has no tally
            self._ballots.labels(law_id=law.id)
        for tally in snapshot.tallies:
            self._ballots.labels(law_id=tally.law_id).set(tally.oui_count + tally.non_count)
            if election.results == "live":
                self._votes.labels(law_id=tally.law_id, choice="oui").set(tally.oui_count)
                self._votes.labels(law_id=tally.law_id, choice="non").set(tally.non_count)

    def redis_is(self, state: RedisState) -> None:
        """Publish the state."""
        for each in get_args(RedisState):
            self._redis_state.labels(state=each).set(each == state)

    def primaries_are(self, primaries: Mapping[str, PrimaryState]) -> None:
        """Publish what primaries say; nodes that are none any more are dropped."""
        for gauge in (self._memory, self._memory_max, self._replicas, self._aof_ok):
            gauge.clear()
        for node, state in primaries.items():
            self._memory.labels(node=node).set(state.memory.used_bytes)
            self._memory_max.labels(node=node).set(state.memory.max_bytes)
            self._replicas.labels(node=node).set(state.replicas_online)
            self._aof_ok.labels(node=node).set(state.aof_ok)

    def members_are(self, members: Mapping[str, bool]) -> None:
        """Publish which nodes are up; those that the cluster forgot are dropped."""
        self._redis_up.clear()
        for node, up in members.items():
            self._redis_up.labels(node=node).set(up)
        self._members = list(members)

    def nobody_answers(self) -> None:
        """Publish that no node of the cluster can be asked."""
        self.primaries_are({})
        self.members_are(dict.fromkeys(self._members, False))
