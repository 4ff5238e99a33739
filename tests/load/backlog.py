"""How fast a backlog drains after ClickHouse was away: `python -m tests.load.backlog`.

Fills the outbox with one event an elector while no drainer runs, then drains it with one drainer
process' code and prints rows a second, both tables written.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from clickhouse.connection import connect
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.tally import read_tallies
from edge.demo.electorate import SAMPLE_LAW, prepare
from shards import keys
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.outbox import Outbox
from shards.roll import RollStore

VOTERS = 256


async def measure(events: int) -> None:
    """Fill, drain, print."""
    with tempfile.TemporaryDirectory(prefix="scrutin-backlog-") as directory:
        data = Path(directory)
        electorate = prepare(data, events, None, lambda *_: None)
        clickhouse = LocalClickHouse(data / "clickhouse")
        await asyncio.to_thread(clickhouse.start)
        try:
            async with LocalCluster(data / "redis", replicas_per_primary=0) as cluster:
                options = RedisOptions(cluster.url, Durability("fsync"))
                client = await ShardClient.connect(options)
                election = load_election(electorate.election_file)
                await load_roll(client, electorate.database, election)
                await _fill(
                    client,
                    (electorate.database.read(s) for s in electorate.database.manifest.shards),
                )
                await _drain(client, clickhouse.url, events)
                await client.aclose()
        finally:
            clickhouse.stop()


async def _fill(client: ShardClient, files: Iterator[bytes]) -> None:
    store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
    size = keys.HASH_SIZE_BYTES
    ballots = (file[start : start + size] for file in files for start in range(0, len(file), size))

    async def voter() -> None:
        for ballot in ballots:
            await store.cast(ballot, SAMPLE_LAW, "oui", ballot[:16])

    began_s = time.monotonic()
    await asyncio.gather(*(voter() for _ in range(VOTERS)))
    sys.stdout.write(f"filled in {time.monotonic() - began_s:.1f} s\n")


async def _drain(client: ShardClient, clickhouse_url: str, events: int) -> None:
    clickhouse = await connect(clickhouse_url)
    await migrate(clickhouse)
    drainer = Drainer(Outbox(client, owner="bench"), client, clickhouse, DrainOptions())
    began_s = time.monotonic()
    rows = 0
    while rows < events:
        rows += await drainer.run_once()
    took_s = time.monotonic() - began_s
    [tally] = await read_tallies(clickhouse)
    await clickhouse.close()
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} cores: {rows:,} events in {took_s:.1f} s, "
        f"{rows / took_s:,.0f} rows/s into both tables; counted {tally.oui_count:,}\n"
    )
    if tally.oui_count != events:
        sys.exit("the count is not the number of ballots")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    uvloop.run(measure(parser.parse_args().events))


if __name__ == "__main__":
    main()
