"""`scrutin bench capacity`: size a deployment by what was measured."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from edge.bench.capacity import Costs, Plan, Premises, plan
from edge.bench.outcome import read_results
from edge.commands.running import run

ELECTORS = (8_000_000, 40_000_000, 400_000_000)
VOTES_PER_S = (1_000, 10_000, 100_000)
GB = 1e9
DEFAULTS = Premises()
MEASURED = {
    "edge_us": "edge, us a vote",
    "primary_us": "primary, us a vote",
    "replica_us": "replica, us a vote",
    "drainer_us": "drainer, us a vote",
    "clickhouse_us": "clickhouse, us a vote",
    "table_bytes": "tables, bytes a vote",
    "replication_bytes": "replication to each replica, bytes a vote",
    "voted_bytes": "voted, bytes an elector in Redis",
    "event_bytes": "event that waits in the outbox, bytes",
    "load_s_a_million": "load, s a million electors",
    "count_ms_a_million": "first count, ms a million ballots",
}
COLUMNS = (
    "electors", "votes/s at the peak", "edges (cores)", "Redis servers (cores)", "memory",
    "drainers", "ClickHouse cores", "tables", "replication", "roll loaded in", "first count",
    "full first",
)  # fmt: skip

Above0 = Annotated[int, Parameter(validator=Number(gte=1))]


def capacity(
    *,
    results: Path = Path("bench-results/results.json"),
    electors: Above0 | None = None,
    votes_per_s: Above0 | None = None,
    busy_max: Annotated[float, Parameter(validator=Number(gt=0, lte=1))] = DEFAULTS.busy_max,
    node_gib: Above0 = DEFAULTS.node_bytes // 2**30,
    outage_s: Annotated[int, Parameter(validator=Number(gte=0))] = DEFAULTS.outage_s,
) -> int:
    """Size a deployment by what the benchmarks costs, roll and tally measured.

    Prints a table in Markdown, a line for each size: docs/capacity.md says how it is reckoned.
    Exits 1 when a benchmark is missing from the results.

    Parameters
    ----------
    results
        What `scrutin bench run costs roll tally` found.
    electors
        Electors on the roll (default: 8, 40 and 400 million).
    votes_per_s
        Attempts a second at the peak (default: 1,000, 10,000 and 100,000).
    busy_max
        Share of a core that the peak may take.
    node_gib
        Memory for the data of one Redis server.
    outage_s
        How long ClickHouse may be away at the peak.

    """

    async def work() -> None:
        costs = Costs.of(read_results(results))
        premises = Premises(busy_max, node_gib * 2**30, outage_s)
        plans = [
            plan(costs, roll, rate, premises)
            for roll in ([electors] if electors else ELECTORS)
            for rate in ([votes_per_s] if votes_per_s else VOTES_PER_S)
        ]
        sys.stdout.write(costs_table(costs) + "\n" + plans_table(plans))

    return run(work)


def costs_table(costs: Costs) -> str:
    """Return what was measured, as a table."""
    values = msgspec.structs.asdict(costs)
    rows = [(label, f"{values[name]:,.1f}") for name, label in MEASURED.items()]
    return _table(("measured", "value"), rows)


def plans_table(plans: list[Plan]) -> str:
    """Return deployments, a line each."""
    return _table(COLUMNS, [_line(plan) for plan in plans])


def _line(plan: Plan) -> tuple[str, ...]:
    return (
        f"{plan.electors:,}",
        f"{plan.votes_per_s:,}",
        f"{plan.edge_cores:,}",
        f"{plan.redis_servers:,} ({plan.redis_cores:,})",
        f"{plan.redis_bytes / GB:,.1f} GB",
        f"{plan.drainers:,}",
        f"{plan.clickhouse_cores:,}",
        f"{plan.tables_bytes / GB:,.1f} GB",
        f"{plan.network_bytes_per_s / 1e6:,.1f} MB/s",
        f"{plan.load_s:,.0f} s",
        f"{plan.first_count_ms / 1000:,.1f} s",
        plan.full_first,
    )


def _table(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
