"""How long proof and recovery take: `python -m tests.load.recovery --electors 200000`.

A roll of which a share has voted, a sixth of them twice; then verify, both kinds of copy, a
snapshot of every Redis server, replay into the emptied cluster, both kinds of restore into emptied
tables, and verify again. Exits 1 when anything differs.
"""

import argparse
import asyncio
import random
import resource
import sys
import tempfile
from pathlib import Path

import uvloop
from clickhouse_connect.driver import AsyncClient

from clickhouse.backup import back_up, restore
from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connect
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.replay import replay
from clickhouse.verify import Verifier
from hashgen import ballot_hash
from shards.client import ShardClient
from shards.localcluster import POLL_S, LocalCluster, LocalNode
from shards.options import Durability, RedisOptions
from shards.roll import RollStore
from tests.load.full_path import Clock
from tests.support.draining import drain
from tests.support.rolls import LAW, Elector, Roll, empty, load, make_roll, open_election

COPY = "Disk('backups', 'copy')"
SNAPSHOT_TIMEOUT_S = 120.0
AGAIN = 1 / 6
VOTES_AT_ONCE = 2000


async def run(electors: int, turnout: float, data: Path) -> int:
    """Run once; return the number of differences."""
    roll = make_roll(data, electors)
    election = open_election(LAW)
    clickhouse = LocalClickHouse(data / "clickhouse")
    async with LocalCluster(data / "redis") as cluster:
        await clickhouse.astart()
        # This process waits for no disk: what is measured is reading, comparing and writing.
        redis = await ShardClient.connect(RedisOptions(cluster.url, Durability("memory")))
        tables = await connect(clickhouse.url, timeout_s=WHOLE_TABLES_TIMEOUT_S)
        await migrate(tables)
        clock = Clock()
        try:
            await load(redis, roll, election)
            clock.done("load", electors)
            votes = await vote(redis, roll, turnout)
            clock.done("vote", votes)
            await drain(redis, tables)
            clock.done("drain", votes)
            found = await verify(redis, tables)
            clock.done("verify", electors)
            await back_up(tables, data / "copy")
            clock.done("scrutin backup", votes)
            await tables.command(f"BACKUP DATABASE scrutin TO {COPY}")
            clock.done("BACKUP", votes)
            await snapshot(cluster)
            clock.done("snapshots of Redis", electors)
            await empty(cluster)
            clock.done("empty the cluster", 1)
            await replay(redis, tables, roll.database, election)
            clock.done("replay, load included", electors)
            await tables.command("DROP DATABASE scrutin SYNC")
            await restore(tables, data / "copy")
            clock.done("scrutin restore", votes)
            await tables.command("DROP DATABASE scrutin SYNC")
            await tables.command(f"RESTORE DATABASE scrutin FROM {COPY}")
            clock.done("RESTORE", votes)
            found += await verify(redis, tables)
            clock.done("verify again", electors)
        finally:
            await tables.close()
            await redis.aclose()
            await asyncio.to_thread(clickhouse.stop)
    return found


async def vote(redis: ShardClient, roll: Roll, turnout: float) -> int:
    """Cast the day's votes and return how many."""
    store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
    rng = random.Random(1)
    voters = rng.sample(roll.electors, int(len(roll.electors) * turnout))
    votes = voters + rng.sample(voters, int(len(voters) * AGAIN))

    async def cast(elector: Elector) -> None:
        choice = rng.choice(("oui", "non"))
        await store.cast(ballot_hash(*elector), elector.law_id, choice, rng.randbytes(16))

    for first in range(0, len(votes), VOTES_AT_ONCE):
        await asyncio.gather(*map(cast, votes[first : first + VOTES_AT_ONCE]))
    return len(votes)


async def snapshot(cluster: LocalCluster) -> None:
    """Have every server write its snapshot, all at once, and wait for them."""
    async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
        await asyncio.gather(*(_snapshot(node) for node in cluster.nodes))


async def _snapshot(node: LocalNode) -> None:
    async with node.client() as redis:
        await redis.bgsave()
        while (await redis.info("persistence"))["rdb_bgsave_in_progress"]:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def verify(redis: ShardClient, tables: AsyncClient) -> int:
    """Verify and return the number of differences, listing the first."""
    found = await Verifier(redis, tables, settled=True).run()
    sys.stdout.write("".join(f"  {difference}\n" for difference in found.differences))
    return found.differences_total


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--electors", type=int, default=200_000)
    parser.add_argument("--turnout", type=float, default=0.6, help="share of them that votes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scrutin-recovery-") as data:
        found = uvloop.run(run(given.electors, given.turnout, Path(data)))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"peak memory of this process {peak_mib:.0f} MiB; differences: {found}\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
