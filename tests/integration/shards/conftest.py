"""A loaded roll on the real cluster, and clients of it."""

from collections.abc import AsyncIterator

import pytest

from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.roll import RollStore
from tests.support.rolls import LAW, Roll, empty, load, make_roll, open_election

ELECTORS = 3000


@pytest.fixture(scope="session")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Roll:
    return make_roll(tmp_path_factory.mktemp("roll"), ELECTORS)


@pytest.fixture
async def client(cluster: LocalCluster) -> AsyncIterator[ShardClient]:
    """A client of an empty cluster, waiting for replicas as in production."""
    await empty(cluster)
    client = await ShardClient.connect(RedisOptions(cluster.url, Durability("replicated")))
    yield client
    await client.aclose()


@pytest.fixture
async def store(client: ShardClient, roll: Roll) -> RollStore:
    """The roll, loaded and open for ballots."""
    await load(client, roll, open_election(LAW))
    return await RollStore.open(client, scheme="sha256", key_fingerprint="")
