"""Benchmarks of counting: how fast the outbox drains, and what the tally costs."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.tally import read_tallies
from edge.bench.outcome import Figure, Outcome
from edge.bench.roll import all_vote
from edge.bench.serving import patient
from edge.bench.size import Size
from edge.demo.electorate import prepare
from edge.errors import StartError
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.outbox import Outbox

TALLIES = 10
BALLOTS = """
INSERT INTO scrutin.ballots (law_id, vote_hash, vote, request_id, shard, stream_ms, stream_seq)
SELECT concat('L2025-00', toString(number % 2)), lower(hex(SHA256(toString(number)))),
       if(number % 3 = 0, 'non', 'oui'), generateUUIDv4(), number % 256, number, 0
FROM numbers({count})
"""


async def drain(size: Size) -> Outcome:
    """Drain a backlog, as after ClickHouse was away, with one drainer."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, size.ballots, None, lambda *_: None)
        async with (
            _engine(data) as url,
            connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
            LocalCluster(data / "redis", replicas_per_primary=0) as cluster,
        ):
            client = await ShardClient.connect(patient(cluster, "fsync"))
            await load_roll(client, electorate.database, load_election(electorate.election_file))
            await all_vote(client, electorate.database)
            drainer = Drainer(Outbox(client, owner="bench"), client, clickhouse, DrainOptions())
            began_s = time.perf_counter()
            rows = 0
            while rows < size.ballots:
                rows += await drainer.run_once()
            took_s = time.perf_counter() - began_s
            counted = sum(law.oui_count for law in await read_tallies(clickhouse))
            await client.aclose()
    if counted != size.ballots:
        raise StartError(f"{counted:,} ballots were counted of {size.ballots:,}")
    return Outcome(
        "drain",
        "A backlog of accepted votes into ClickHouse: audit and ballots, read back, trimmed.",
        f"{size.ballots:,} events, one drainer, fsync",
        [Figure("drained", rows / took_s, "events/s", goal=100_000)],
    )


async def tally(size: Size) -> Outcome:
    """Count everything, as for each snapshot of the results."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        async with (
            _engine(Path(text)) as url,
            connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
        ):
            await clickhouse.command(BALLOTS.format(count=size.electors))
            times_ms = []
            for _ in range(TALLIES):
                began_s = time.perf_counter()
                counted = sum(
                    law.oui_count + law.non_count for law in await read_tallies(clickhouse)
                )
                times_ms.append(1000 * (time.perf_counter() - began_s))
    if counted != size.electors:
        raise StartError(f"{counted:,} ballots were counted of {size.electors:,}")
    return Outcome(
        "tally",
        "A snapshot of all results from the ballots.",
        f"{size.electors:,} ballots",
        [
            Figure("median", sorted(times_ms)[TALLIES // 2], "ms", "lower", goal=200),
            Figure("slowest", max(times_ms), "ms", "lower"),
        ],
    )


@asynccontextmanager
async def _engine(data: Path) -> AsyncIterator[str]:
    """Start a local ClickHouse with empty tables; yield its URL."""
    server = LocalClickHouse(data / "clickhouse")
    await asyncio.to_thread(server.start)
    try:
        async with connected(server.url) as clickhouse:
            await migrate(clickhouse)
        yield server.url
    finally:
        await asyncio.to_thread(server.stop)
