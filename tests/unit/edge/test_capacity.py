from pathlib import Path

import msgspec
import pytest

from edge.bench.capacity import Costs, Premises, plan
from edge.bench.outcome import Results, read_results
from edge.bench.sizing import ELECTORS, VOTES_PER_S, costs_table, plans_table
from edge.errors import StartError

DOCS = Path(__file__).parents[3] / "docs"
COSTS = Costs(
    edge_us=100,
    primary_us=50,
    replica_us=20,
    drainer_us=10,
    clickhouse_us=20,
    table_bytes=100,
    replication_bytes=300,
    voted_bytes=40,
    event_bytes=200,
    load_s_a_million=2,
    count_ms_a_million=15,
)


def test_cores_follow_the_rate() -> None:
    small, large = (plan(COSTS, 8_000_000, rate, Premises()) for rate in (10_000, 100_000))
    assert (small.edge_cores, large.edge_cores) == (2, 20)  # 100 us a vote, half of a core
    assert (small.primaries, large.primaries) == (3, 10)
    assert (small.drainers, large.drainers) == (1, 2)
    assert (large.clickhouse_cores, large.redis_servers) == (12, 30)


def test_memory_follows_the_electors_and_the_outage() -> None:
    calm = Premises(outage_s=0)
    small, large = (plan(COSTS, electors, 1_000, calm) for electors in (8_000_000, 400_000_000))
    assert small.redis_bytes == 3 * 2 * 8_000_000 * 40
    assert large.redis_bytes == 50 * small.redis_bytes
    assert large.primaries == 4  # 32 GB of 8 GiB servers
    stormy = plan(COSTS, 8_000_000, 1_000, Premises(outage_s=100))
    assert stormy.redis_bytes - small.redis_bytes == 3 * 2 * 1_000 * 100 * 200


def test_what_is_full_first() -> None:
    def full_first(costs: Costs, electors: int) -> str:
        return plan(costs, electors, 10_000, Premises()).full_first

    assert full_first(COSTS, 8_000_000) == "edges, at 20,000 votes/s"
    slow_tables = msgspec.structs.replace(COSTS, clickhouse_us=49)
    assert full_first(slow_tables, 8_000_000) == "edges, at 20,000 votes/s"
    assert full_first(msgspec.structs.replace(slow_tables, edge_us=49), 8_000_000) == (
        "ClickHouse, at 20,408 votes/s"
    )


def test_only_the_first_count_grows_with_the_electors() -> None:
    small, large = (plan(COSTS, e, 1_000, Premises()) for e in (8_000_000, 400_000_000))
    assert (small.first_count_ms, large.first_count_ms) == (120, 6_000)
    assert small.full_first == large.full_first


def test_a_roll_has_256_shards() -> None:
    with pytest.raises(StartError, match="256 shards"):
        plan(COSTS, 8_000_000, 10_000_000, Premises())


def test_a_missing_benchmark_is_named() -> None:
    with pytest.raises(StartError, match="scrutin bench run costs"):
        Costs.of(Results("a machine", "scrutin 1"))


QUOTED = [
    (
        "reliability.md",
        "throughput",
        "replicated, against memory",
        "`replicated` takes {:.2f} of the",
    ),
    ("reliability.md", "latency", "p99", "waits longer than {:.1f} ms"),
    ("capacity.md", "scale", "load an elector, whole roll against an eighth", "takes {:.2f} times"),
    ("capacity.md", "scale", "memory an elector, whole roll against an eighth", "is {:.2f} times"),
    ("capacity.md", "scale", "votes, two edges against one", "two edges take {:.2f} times"),
]


@pytest.mark.parametrize(("page", "measured_by", "name", "words"), QUOTED)
def test_pages_quote_the_committed_results(
    page: str, measured_by: str, name: str, words: str
) -> None:
    outcome = read_results(DOCS / "bench-results.json").outcome(measured_by)
    assert outcome is not None
    [value] = [figure.value for figure in outcome.figures if figure.name == name]
    assert words.format(value) in (DOCS / page).read_text()


def test_the_page_shows_what_the_committed_results_give() -> None:
    costs = Costs.of(read_results(DOCS / "bench-results.json"))
    page = (DOCS / "capacity.md").read_text()
    assert costs_table(costs) in page
    plans = [
        plan(costs, electors, rate, Premises()) for electors in ELECTORS for rate in VOTES_PER_S
    ]
    assert plans_table(plans) in page
