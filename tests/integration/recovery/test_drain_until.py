"""What is said of an outbox that a closing waits for in vain while servers are gone."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.closing import drain_until
from clickhouse.errors import Unreconciled
from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from tests.integration.recovery.conftest import LAWS
from tests.support.primaries import primary_of
from tests.support.rolls import Roll, load, open_election


class Mortal(NamedTuple):
    """A loaded cluster whose servers may be killed."""

    cluster: LocalCluster
    redis: ShardClient


@pytest.fixture
async def mortal(roll: Roll, tmp_path: Path) -> AsyncIterator[Mortal]:
    async with LocalCluster(tmp_path / "redis", replicas_per_primary=0) as cluster:
        options = RedisOptions(cluster.url, Durability("memory", timeout_ms=500), timeout_s=0.5)
        async with await ShardClient.connect(options) as redis:
            await load(redis, roll, open_election(*LAWS))
            yield Mortal(cluster, redis)


async def test_what_waits_in_a_shard_that_does_not_answer_is_not_called_nothing(
    clickhouse: AsyncClient, mortal: Mortal
) -> None:
    results_at = await primary_of(mortal.cluster, 0)
    next(node for node in mortal.cluster.nodes if node is not results_at).kill()
    with pytest.raises(Unreconciled, match=r"\d+ shards do not answer after 0 s"):
        await drain_until(mortal.redis, clickhouse, int(time.time() * 1000), timeout_s=0)


async def test_why_it_is_not_drained_is_said_though_redis_goes_away(
    clickhouse: AsyncClient, mortal: Mortal
) -> None:
    def waiting(_done: int, _total: int) -> None:
        for node in mortal.cluster.nodes:
            node.kill()

    until_ms = int(time.time() * 1000) + 60_000
    with pytest.raises(Unreconciled, match="after 0 s"):
        await drain_until(mortal.redis, clickhouse, until_ms, timeout_s=0, waiting=waiting)
