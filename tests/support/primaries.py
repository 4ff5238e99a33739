"""Which server of a local cluster has a shard, and which follows it."""

from redis.exceptions import RedisError

from shards import keys
from shards.errors import Unavailable
from shards.localcluster import LocalCluster, LocalNode


async def primary_of(cluster: LocalCluster, shard: int) -> LocalNode:
    """Return the server that takes a shard's votes; raises `Unavailable` when none does."""
    for node in cluster.nodes:
        if not node.alive:
            continue
        async with node.client() as redis:
            if (await redis.info("replication"))["role"] != "master":
                continue
            try:
                await redis.exists(keys.meta_key(shard).decode())
            except RedisError:
                continue  # MOVED: another primary's shard
            return node
    raise Unavailable(f"no primary serves shard {shard:02x}")


async def replica_of(cluster: LocalCluster, primary: LocalNode) -> LocalNode:
    """Return a server that follows a primary; raises `Unavailable` when none does."""
    for node in cluster.nodes:
        if not node.alive:
            continue
        async with node.client() as redis:
            if (await redis.info("replication")).get("master_port") == primary.port:
                return node
    raise Unavailable(f"{primary.name} has no replica")
