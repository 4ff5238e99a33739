"""The local engine, shared by the session, and a migrated, empty schema in it."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect, connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.sink import VoteSink
from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from tests.support.clickhouse import batch_of, random_events
from tests.support.rolls import empty

AT_MS = 1_790_035_199_800
As = Callable[[str], AbstractAsyncContextManager[AsyncClient]]


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalClickHouse]:
    with LocalClickHouse(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
async def client(clickhouse_server: LocalClickHouse) -> AsyncIterator[AsyncClient]:
    client = await connect(clickhouse_server.url)
    await migrate(client)
    for table in ("vote_audit", "ballots", "review_decisions", "review_networks"):
        await client.command(f"TRUNCATE TABLE scrutin.{table}")
    yield client
    await client.close()


@pytest.fixture
def client_of(clickhouse_server: LocalClickHouse) -> As:
    """Connect in a role, as it is once choices may be known."""
    return lambda role: connected(clickhouse_server.url.replace("://", f"://{role}@"))


@pytest.fixture
async def stored(client: AsyncClient) -> AsyncClient:
    """300 attempts, in ClickHouse."""
    await VoteSink(client).store(batch_of(random_events(random.Random(3), 300, first_ms=AT_MS)))
    return client


@pytest.fixture
async def redis(cluster: LocalCluster) -> AsyncIterator[ShardClient]:
    await empty(cluster)
    client = await ShardClient.connect(RedisOptions(cluster.url))
    yield client
    await client.aclose()
