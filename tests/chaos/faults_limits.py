"""What runs out, goes wrong or goes missing on one machine: memory, disk, clock, code, slots."""

import asyncio
import resource
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shards import keys
from shards.localcluster import LocalNode
from tests.chaos.run import Overtaken, Run
from tests.chaos.stack import POLL_S, eventually

DRAIN_WHILE_FULL_TIMEOUT_S = 10.0
EXIT_TIMEOUT_S = 10.0
GOSSIP_TIMEOUT_S = 10.0
HOUR_S = 3600


async def functions_flushed(run: Run) -> None:
    """Somebody flushes the servers' functions, several times."""
    for _ in range(run.rng.randint(1, 3)):
        await run.moment(0.05, 0.4)
        for part in run.rng.sample(range(3), run.rng.randint(1, 3)):
            async with (await run.stack.primary(part)).client() as redis:
                await redis.function_flush("SYNC")
        await run.answers(50, 200)


async def memory_full(run: Run) -> None:
    """A primary reaches its maxmemory. Votes are refused, and the outbox must still drain."""
    await run.moment()
    node = await run.stack.primary(run.rng.randrange(3))
    async with node.client() as redis:
        await redis.config_set("maxmemory", 1)
        try:
            await run.troubles(20, 200)
            await _drains(node)
        finally:
            await redis.config_set("maxmemory", 0)


async def _drains(node: LocalNode) -> None:
    """Wait until a full primary's outbox is empty."""
    async with node.client() as redis, asyncio.timeout(DRAIN_WHILE_FULL_TIMEOUT_S):
        waiting = [None]
        while waiting:
            pipeline = redis.pipeline(transaction=False)
            for shard in range(keys.SHARDS):
                pipeline.xlen(keys.outbox_key(shard))
            lengths = await pipeline.execute(raise_on_error=False)
            waiting = [n for n in lengths if n and not isinstance(n, RedisError)]
            await asyncio.sleep(POLL_S)


async def disk_full(run: Run) -> None:
    """A server's append-only file cannot grow any more."""
    await run.moment()
    part = run.rng.randrange(3)
    primary, replica = await run.stack.pair(part)
    node = replica if run.rng.random() < 0.3 else primary
    if node.pid is None:
        raise Overtaken("the server is down")
    room = run.rng.randint(0, 4096)
    limit = max(path.stat().st_size for path in aof_directory(node).glob("*.incr.aof")) + room
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (limit, limit))
    await eventually(lambda: not node.alive, EXIT_TIMEOUT_S)
    if node.alive:
        raise Overtaken("the server had nothing to write")
    if node is not replica and run.rng.random() < 0.7:
        await run.stack.failed_over(replica)
    await run.stack.revive(node)


async def clock_off(run: Run) -> None:
    """A machine's clock jumps by an hour, and back again."""
    await run.moment(0.05, 0.3)
    stack = run.stack
    part = run.rng.randrange(3)
    pair = await stack.pair(part)
    process = run.rng.choice([*pair, pair[0], *stack.drainers, *stack.edges])
    stack.clocks.skew(process, run.rng.choice((-HOUR_S, HOUR_S)))
    await run.answers(300, 900)
    if process is pair[0] and run.rng.random() < 0.5:
        stack.kill(process)
        await stack.failed_over(pair[1])
        await stack.revive(process)


async def slots_moved(run: Run) -> None:
    """Some shards' slots move to another primary while their votes come in."""
    await run.moment()
    source_part, target_part = run.rng.sample(range(3), 2)
    source = await run.stack.primary(source_part)
    target = await run.stack.primary(target_part)
    async with source.client() as redis:
        served = range(*part_of(source_part))
        held = [
            slot
            for slot in sorted({keys.slot(shard) for shard in range(keys.SHARDS)})
            if slot in served and await redis.cluster("COUNTKEYSINSLOT", slot)
        ]
    for slot in run.rng.sample(held, 3):
        await move_slot(source, target, slot)
        await move_slot(target, source, slot)


def part_of(part: int) -> tuple[int, int]:
    """Return first slot and end of a third of the slots."""
    return 16384 * part // 3, 16384 * (part + 1) // 3


async def move_slot(source: LocalNode, target: LocalNode, slot: int) -> None:
    """Move one slot key by key, as a resharding tool does, until both servers know of it.

    Moved back before gossip has told the source how new the target's claim is, the older move
    would win: the source would drop the slot, and its keys with it.
    """
    async with source.client() as giver, target.client() as taker:
        # redis-py would decode the names, which are bytes of ours
        giver.response_callbacks.pop("CLUSTER GETKEYSINSLOT")
        giver_id, taker_id = await giver.cluster("MYID"), await taker.cluster("MYID")
        await taker.cluster("SETSLOT", slot, "IMPORTING", giver_id)
        await giver.cluster("SETSLOT", slot, "MIGRATING", taker_id)
        while moving := await giver.cluster("GETKEYSINSLOT", slot, 10):
            await giver.migrate("127.0.0.1", target.port, moving, 0, 5000)
        await taker.cluster("SETSLOT", slot, "NODE", taker_id)
        await giver.cluster("SETSLOT", slot, "NODE", taker_id)
        async with asyncio.timeout(GOSSIP_TIMEOUT_S):
            while await _epoch(giver, taker_id) != await _epoch(taker, taker_id):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)


async def _epoch(redis: Redis, node_id: bytes) -> str:
    """Return how new a server thinks a node's claim to its slots is."""
    nodes = (await redis.cluster("NODES")).values()
    return next(str(node["epoch"]) for node in nodes if node["node_id"] == node_id.decode())


def aof_directory(node: LocalNode) -> Path:
    """Return where a server keeps its append-only files."""
    return node.log.parent / "appendonlydir"
