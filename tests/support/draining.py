"""The outbox moved to the tables, to the last event."""

from clickhouse_connect.driver import AsyncClient

from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.tally import read_tallies
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.outbox import Outbox
from shards.results import read_results


async def drain(redis: ShardClient, clickhouse: AsyncClient) -> None:
    """Drain until nothing waits and the results published are those of the tables.

    A drainer reads the shards that answer; on a busy machine one that does not may hold votes.
    """
    outbox = Outbox(redis, owner="test")
    drainer = Drainer(outbox, redis, clickhouse, DrainOptions(publish_ms=0))
    while True:
        rows = await drainer.run_once()
        waiting = await redis.call_each(lambda shard: pack("XLEN", keys.outbox_key(shard)))
        published = await read_results(redis)
        if rows or any(waiting) or published is None:
            continue
        if published.tallies == await read_tallies(clickhouse):
            break
    await outbox.release()
