"""docs/recovery.md: which replica to promote when primaries are gone."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from shards import keys
from shards.localcluster import LocalCluster, LocalNode
from tests.operations.runbook import Shell
from tests.support.edges import until

DOCS = Path(__file__).parents[2] / "docs"
OUTBOX = keys.outbox_key(0)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LocalCluster]:
    async with LocalCluster(
        tmp_path / "redis", replicas_per_primary=2, node_timeout_ms=1000
    ) as running:
        yield running


def commands() -> tuple[str, str]:
    """Return the page's two commands: what asks a server how far it is, and what promotes it."""
    text = (DOCS / "recovery.md").read_text()
    section = text.partition("## Every primary's disk lost")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    ask, _, promote = block.partition("valkey-cli -h FURTHEST")
    return ask, "valkey-cli -h FURTHEST" + promote


def at(command: str, node: LocalNode) -> str:
    return re.sub("-h (HOST|FURTHEST) -p PORT", f"-h 127.0.0.1 -p {node.port}", command)


async def role(node: LocalNode) -> str:
    async with node.client() as redis:
        return str((await redis.info("replication"))["role"])


async def events(node: LocalNode) -> int:
    """Return how many events a server has of shard 0, whatever its role."""
    async with node.client() as redis:
        return int((await redis.info("commandstats")).get("cmdstat_xadd", {}).get("calls", 0))


async def test_the_replica_that_was_away_is_not_promoted(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    shell, (ask, promote) = Shell(tmp_path, {}), commands()
    primaries = [node for node in cluster.nodes if await role(node) == "master"]
    primary = await _primary_of_outbox(primaries)
    replicas = await _replicas_of(primary, cluster)
    late, steady = replicas

    async def append() -> None:
        async with primary.client() as redis:
            await redis.xadd(OUTBOX, {"h": "x"})

    async def both_have(count: int) -> bool:
        return [await events(node) for node in replicas] == [count, count]

    await append()
    await until(lambda: both_have(1), "both replicas to have the first event")
    late.kill()
    await append()

    async def steady_has_both() -> bool:
        return await events(steady) == 2

    await until(steady_has_both, "the other replica to have the second event")
    for node in primaries:
        node.kill()
    late.start()
    await late.wait_ready()
    for node in (late, steady):  # started again, both say that their offset is 0
        node.kill()
        node.start()
        await node.wait_ready()
    furthest = {node: shell.run(at(ask, node)).strip() for node in replicas}
    assert furthest[late] < furthest[steady]
    shell.run(at(promote, steady))

    async def promoted() -> bool:
        return await role(steady) == "master"

    await until(promoted, "the replica to take over")
    async with steady.client() as redis:
        await redis.config_set("cluster-allow-reads-when-down", "yes")
        assert await redis.xlen(OUTBOX) == 2


async def _primary_of_outbox(primaries: list[LocalNode]) -> LocalNode:
    for node in primaries:
        async with node.client() as redis:
            try:
                await redis.exists(OUTBOX)
            except RedisError:
                continue  # MOVED
            return node
    raise AssertionError("no primary has shard 0")


async def _replicas_of(primary: LocalNode, cluster: LocalCluster) -> list[LocalNode]:
    found = []
    for node in cluster.nodes:
        async with node.client() as redis:
            told = await redis.info("replication")
        if told["role"] == "slave" and told["master_port"] == primary.port:
            found.append(node)
    return found
