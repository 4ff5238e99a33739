"""Benchmarks of counting: how fast the outbox drains, and what the tally costs."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.running_count import RunningCount
from clickhouse.tally import read_tallies
from edge import collector
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
from shards.results import LawTally

TALLIES = 10
RECOUNTS = 3
BATCH_ROWS = 100_000
VOTES_A_MS = 10
EVENTS = """
INSERT INTO scrutin.{table} ({columns})
SELECT {columns} FROM (
    SELECT number % 256 AS shard, intDiv(number, {votes_a_ms}) + rand() % 1000 AS stream_ms,
        number AS stream_seq, lower(hex(SHA256(toString(number)))) AS vote_hash,
        concat('L2025-00', toString(number % 2)) AS law_id,
        if(number % 3 = 0, 'non', 'oui') AS vote, 'accepted' AS status,
        generateUUIDv4() AS request_id, 0 AS attempt
    FROM numbers({start}, {count})
)
"""
COLUMNS = {
    "vote_audit": (
        "shard, stream_ms, stream_seq, vote_hash, law_id, vote, status, request_id, attempt"
    ),
    "ballots": "law_id, vote_hash, vote, request_id, shard, stream_ms, stream_seq",
}


async def drain(size: Size) -> Outcome:
    """Drain a backlog, as after ClickHouse was away, with one drainer."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, size.ballots, None, lambda *_: None)
        async with (
            _engine(data) as url,
            connected(url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as clickhouse,
            LocalCluster(data / "redis", replicas_per_primary=0) as cluster,
            await ShardClient.connect(patient(cluster, "fsync")) as client,
        ):
            await load_roll(client, electorate.database, load_election(electorate.election_file))
            await all_vote(client, electorate.database)
            drainer = Drainer(Outbox(client, owner="bench"), client, clickhouse, DrainOptions())
            collector.settle()  # as a drainer's process does
            began_s = time.perf_counter()
            rows = 0
            while rows < size.ballots:
                rows += await drainer.run_once()
            took_s = time.perf_counter() - began_s
            counted = sum(law.oui_count for law in await read_tallies(clickhouse))
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
            for insert in _inserts(size.electors):
                await clickhouse.command(insert)
            now_ms = int(1000 * time.time())  # later than all of them
            running = partial(RunningCount, clickhouse, settle_ms=DrainOptions().settle_ms)
            firsts_ms = [await _ms(partial(running().count, now_ms), size) for _ in range(TALLIES)]
            count = running()
            for _ in range(2):  # to know what is the newest, and to settle what is older
                await count.count(now_ms)
            snapshots_ms = [await _ms(partial(count.count, now_ms), size) for _ in range(TALLIES)]
            recount = partial(read_tallies, clickhouse)
            recounts_ms = [await _ms(recount, size) for _ in range(RECOUNTS)]
    return Outcome(
        "tally",
        "A snapshot of all results, as the drainer takes it: the first, and those that go on from "
        "what was counted. And the ballots themselves counted, as it does now and then.",
        f"{size.electors:,} ballots, in parts as many batches left them, as if "
        f"{1000 * VOTES_A_MS:,} had come a second",
        [
            Figure("snapshot, median", median(snapshots_ms), "ms", "lower", goal=200),
            Figure("snapshot, slowest", max(snapshots_ms), "ms", "lower"),
            Figure("first snapshot, median", median(firsts_ms), "ms", "lower", goal=200),
            Figure(
                "first snapshot, a million ballots", median(firsts_ms) / size.electors * 1e6, "ms",
                "lower",
            ),
            Figure("ballots themselves", median(recounts_ms), "ms", "lower"),
        ],
    )  # fmt: skip


def _inserts(ballots: int) -> Iterator[str]:
    """Make statements that fill the tables as a drainer does: batches, in the order of time."""
    for start in range(0, ballots, BATCH_ROWS):
        count = min(BATCH_ROWS, ballots - start)
        for table, columns in COLUMNS.items():
            yield EVENTS.format(
                table=table, columns=columns, votes_a_ms=VOTES_A_MS, start=start, count=count
            )


async def _ms(read: Callable[[], Awaitable[list[LawTally]]], size: Size) -> float:
    """Return how long a count takes; raises `StartError` when it is wrong."""
    began_s = time.perf_counter()
    tallies = await read()
    took_ms = 1000 * (time.perf_counter() - began_s)
    counted = sum(law.oui_count + law.non_count for law in tallies)
    if counted != size.electors:
        raise StartError(f"{counted:,} ballots were counted of {size.electors:,}")
    return took_ms


@asynccontextmanager
async def _engine(data: Path) -> AsyncIterator[str]:
    """Start a local ClickHouse with empty tables; yield its URL."""
    server = LocalClickHouse(data / "clickhouse")
    await server.astart()
    try:
        async with connected(server.url) as clickhouse:
            await migrate(clickhouse)
        yield server.url
    finally:
        await asyncio.to_thread(server.stop)
