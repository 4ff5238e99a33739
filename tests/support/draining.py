"""The outbox moved to the tables, to the last event."""

from clickhouse_connect.driver import AsyncClient

from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.tally import read_tallies
from shards.client import ShardClient
from shards.outbox import Outbox
from shards.results import read_results


async def drain(redis: ShardClient, clickhouse: AsyncClient) -> None:
    """Drain until nothing waits and the results published are those of the tables."""
    outbox = Outbox(redis, owner="test")
    drainer = Drainer(outbox, redis, clickhouse, DrainOptions(publish_ms=0))
    while True:
        rows = await drainer.run_once()
        published = await read_results(redis)
        if not rows and published and published.tallies == await read_tallies(clickhouse):
            break
    await outbox.release()
