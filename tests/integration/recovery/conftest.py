"""A roll with a day's votes in Redis and ClickHouse."""

import random
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from shards.client import ShardClient
from shards.events import OutboxEvent
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.roll import RollStore
from tests.support.ballots import Answered, cast_all, draw
from tests.support.clickhouse import random_events
from tests.support.draining import drain
from tests.support.rolls import Roll, empty, load, make_roll, open_election

LAWS = ("L2025-001", "L2025-002")
ELECTORS = 1000
VOTERS = 600


class Day(NamedTuple):
    """Both stores after a day's votes, all drained, and the log of the answers."""

    redis: ShardClient
    clickhouse: AsyncClient
    store: RollStore
    log: list[Answered]

    def first_accepted(self) -> Answered:
        """Return the first vote that was accepted."""
        return next(answer for answer in self.log if answer.cast.status == "accepted")

    async def drain(self) -> None:
        """Move all that waits to the tables and publish the results."""
        await drain(self.redis, self.clickhouse)


async def emptied(client: AsyncClient) -> AsyncClient:
    await client.command("DROP DATABASE scrutin SYNC")
    return client


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalClickHouse]:
    with LocalClickHouse(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def stores(cluster: LocalCluster, clickhouse_server: LocalClickHouse) -> dict[str, str]:
    """Settings of a command that works on both stores."""
    return {
        "redis_url": cluster.url, "clickhouse_url": clickhouse_server.url, "durability": "fsync",
    }  # fmt: skip


@pytest.fixture
async def clickhouse(clickhouse_server: LocalClickHouse) -> AsyncIterator[AsyncClient]:
    client = await connect(clickhouse_server.url)
    await client.command("DROP DATABASE IF EXISTS scrutin SYNC")
    await migrate(client)
    yield client
    await client.close()


@pytest.fixture
def events() -> list[OutboxEvent]:
    return random_events(random.Random(8), 3000, first_ms=1_790_000_000_000)


@pytest.fixture(scope="session")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Roll:
    return make_roll(tmp_path_factory.mktemp("roll"), ELECTORS, laws=LAWS)


@pytest.fixture
async def redis(cluster: LocalCluster) -> AsyncIterator[ShardClient]:
    """A client of the cluster, which is empty."""
    await empty(cluster)
    client = await ShardClient.connect(RedisOptions(cluster.url, Durability("fsync")))
    yield client
    await client.aclose()


@pytest.fixture
async def day(redis: ShardClient, clickhouse: AsyncClient, roll: Roll) -> Day:
    await load(redis, roll, open_election(*LAWS))
    store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
    log = await cast_all(store, draw(roll, random.Random(17), VOTERS))
    day = Day(redis, clickhouse, store, log)
    await day.drain()
    return day
