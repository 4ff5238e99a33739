"""How large a deployment must be: a model fitted to what the benchmarks measured."""

from math import ceil

import msgspec

from edge.bench.outcome import Results
from edge.errors import StartError
from shards.keys import SHARDS

PRIMARIES_MIN = 3  # fewer cannot agree on who takes a lost one's place
REPLICAS = 2  # of each primary, as production runs
CLICKHOUSE_REPLICAS = 3
COPY_ON_WRITE = 2.0  # a server that writes its log anew may need each page twice


class Costs(msgspec.Struct, frozen=True):
    """What was measured: microseconds and bytes a vote or an elector."""

    edge_us: float
    primary_us: float
    replica_us: float
    drainer_us: float
    clickhouse_us: float
    table_bytes: float
    replication_bytes: float
    voted_bytes: float
    event_bytes: float
    load_s_a_million: float
    count_ms_a_million: float

    @classmethod
    def of(cls, results: Results) -> "Costs":
        """Take them from results; raises `StartError` naming the benchmark that is missing."""
        return cls(
            edge_us=_value(results, "costs", "edge"),
            primary_us=_value(results, "costs", "primaries, together"),
            replica_us=_value(results, "costs", "replicas of each, together"),
            drainer_us=_value(results, "costs", "drainer"),
            clickhouse_us=_value(results, "costs", "ClickHouse"),
            table_bytes=_value(results, "costs", "tables on disk"),
            replication_bytes=_value(results, "costs", "replication, to each replica"),
            voted_bytes=_value(results, "roll", "all voted"),
            event_bytes=_value(results, "roll", "an event waiting to be drained"),
            load_s_a_million=_value(results, "roll", "load, a million electors"),
            count_ms_a_million=_value(results, "tally", "first snapshot, a million ballots"),
        )


class Premises(msgspec.Struct, frozen=True):
    """What the operator decides.

    `busy_max`: the share of a core that the peak may take, so that the rest bears bursts and a
    lost node. `node_bytes`: memory for the data of one Redis server. `outage_s`: how long
    ClickHouse may be away at the peak with the outbox in memory.
    """

    busy_max: float = 0.5
    node_bytes: int = 8 * 2**30
    outage_s: int = 600


class Plan(msgspec.Struct, frozen=True):
    """A deployment: cores, servers, bytes; `full_first`: what is too small first, and when."""

    electors: int
    votes_per_s: int
    edge_cores: int
    primaries: int
    redis_cores: int
    redis_bytes: int
    drainers: int
    clickhouse_cores: int
    tables_bytes: int
    network_bytes_per_s: int
    load_s: float
    first_count_ms: float
    full_first: str

    @property
    def redis_servers(self) -> int:
        """Primaries and their replicas."""
        return self.primaries * (1 + REPLICAS)


def plan(costs: Costs, electors: int, votes_per_s: int, premises: Premises) -> Plan:
    """Size a deployment for so many electors and, at the peak, attempts a second."""
    busy = premises.busy_max

    def cores(us: float) -> int:
        return max(1, ceil(votes_per_s * us / 1e6 / busy))

    roll_bytes = electors * costs.voted_bytes
    outbox_bytes = votes_per_s * premises.outage_s * costs.event_bytes
    redis_bytes = (roll_bytes + outbox_bytes) * COPY_ON_WRITE
    primaries = max(PRIMARIES_MIN, cores(costs.primary_us), ceil(redis_bytes / premises.node_bytes))
    if primaries > SHARDS:
        raise StartError(f"{primaries} primaries are more than the {SHARDS} shards of the roll")
    edge_cores, drainers = max(2, cores(costs.edge_us)), cores(costs.drainer_us)
    clickhouse_cores = cores(costs.clickhouse_us)
    limits = {
        "edges": edge_cores / costs.edge_us,
        "Redis primaries": primaries / costs.primary_us,
        "drainers": drainers / costs.drainer_us,
        "ClickHouse": clickhouse_cores / costs.clickhouse_us,
    }
    return Plan(
        electors=electors,
        votes_per_s=votes_per_s,
        edge_cores=edge_cores,
        primaries=primaries,
        redis_cores=primaries + REPLICAS * cores(costs.replica_us),
        redis_bytes=round(redis_bytes) * (1 + REPLICAS),
        drainers=drainers,
        clickhouse_cores=clickhouse_cores * CLICKHOUSE_REPLICAS,
        tables_bytes=round(electors * costs.table_bytes) * CLICKHOUSE_REPLICAS,
        network_bytes_per_s=round(votes_per_s * costs.replication_bytes * REPLICAS),
        load_s=electors / 1e6 * costs.load_s_a_million,
        first_count_ms=electors / 1e6 * costs.count_ms_a_million,
        full_first=_full_first(limits),
    )


def _full_first(votes_per_us: dict[str, float]) -> str:
    part = min(votes_per_us, key=lambda name: votes_per_us[name])
    return f"{part}, at {votes_per_us[part] * 1e6:,.0f} votes/s"


def _value(results: Results, benchmark: str, name: str) -> float:
    outcome = results.outcome(benchmark)
    figures = {figure.name: figure.value for figure in outcome.figures} if outcome else {}
    if name not in figures:
        raise StartError(
            f"the results have no {name!r} of {benchmark}: scrutin bench run {benchmark}"
        )
    return figures[name]
