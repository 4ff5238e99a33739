"""The local engine, shared by the session, and a migrated, empty schema in it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from tests.support.rolls import empty


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
async def redis(cluster: LocalCluster) -> AsyncIterator[ShardClient]:
    await empty(cluster)
    client = await ShardClient.connect(RedisOptions(cluster.url))
    yield client
    await client.aclose()
