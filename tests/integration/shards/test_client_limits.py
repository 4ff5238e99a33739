"""What the client does when servers have too little memory, no functions or too much to do."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from hashgen import ballot_hash
from shards import functions, keys
from shards.client import ShardClient
from shards.errors import Overloaded, Unavailable
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.roll import Cast, RollStore
from tests.support.primaries import primary_of
from tests.support.rolls import LAW, Roll


@asynccontextmanager
async def memory(redis: Redis, size_bytes: int) -> AsyncIterator[None]:
    """Give a server so much memory, and afterwards all it wants."""
    await redis.config_set("maxmemory", size_bytes)
    try:
        yield
    finally:
        await redis.config_set("maxmemory", 0)


async def test_forgotten_functions_are_loaded_again(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    for node in cluster.nodes:
        async with node.client() as redis:
            if (await redis.info("replication"))["role"] == "master":
                await redis.function_flush("SYNC")
    casts = [store.cast(ballot_hash(*e), LAW, "oui", b"a" * 16) for e in roll.electors[:200]]
    assert set(await asyncio.gather(*casts)) == {Cast("accepted")}


async def test_a_full_server_refuses_and_writes_nothing(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    ballot = ballot_hash(*roll.electors[0])
    async with (await primary_of(cluster, ballot[0])).client() as redis:
        async with memory(redis, 1):
            with pytest.raises(Unavailable, match="OOM"):
                await store.cast(ballot, LAW, "oui", b"a" * 16)
        assert await redis.xlen(keys.outbox_key(ballot[0]).decode()) == 0
    assert await store.cast(ballot, LAW, "oui", b"a" * 16) == Cast("accepted")


async def test_calls_over_the_bound_are_refused_at_once(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    options = RedisOptions(cluster.url, Durability("memory"), waiting_max=10)
    client = await ShardClient.connect(options)
    try:
        narrow = RollStore(client, store.info)
        casts = (narrow.cast(ballot_hash(*e), LAW, "oui", b"a" * 16) for e in roll.electors[:100])
        answers = await asyncio.gather(*casts, return_exceptions=True)
    finally:
        await client.aclose()
    assert answers.count(Cast("accepted")) == 10
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 90


async def test_a_nearly_full_server_gets_no_new_ballots(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """Nobody's second sending counts, but whoever sends again is told what became of the first."""
    ballot = ballot_hash(*roll.electors[0])
    on_it = [h for h in (ballot_hash(*e) for e in roll.electors) if h[0] == ballot[0]]
    voter, repeater = on_it[1:3]
    for request_id in (b"1" * 16, b"2" * 16):
        await store.cast(repeater, LAW, "oui", request_id)
    await store.cast(voter, LAW, "oui", b"a" * 16)
    async with (await primary_of(cluster, ballot[0])).client() as redis:
        used_bytes = int((await redis.info("memory"))["used_memory"])
        async with memory(redis, used_bytes):
            await client.node_memory()
            waiting = await redis.xlen(keys.outbox_key(ballot[0]))
            for new in (
                (ballot, LAW, "oui", b"a" * 16),
                (voter, LAW, "oui", b"b" * 16),
                (bytes([ballot[0]]) + b"stranger" * 3 + b"1234567", LAW, "oui", b"a" * 16),
            ):
                with pytest.raises(Overloaded, match="nearly full"):
                    await store.cast(*new)
            assert await store.cast(voter, LAW, "oui", b"a" * 16) == Cast("accepted")
            assert await store.cast(voter, LAW, "non", b"a" * 16) == Cast("conflict")
            assert await store.cast(repeater, LAW, "oui", b"2" * 16) == Cast("duplicate", 1)
            assert await redis.xlen(keys.outbox_key(ballot[0])) == waiting
            others = [
                h for h in (ballot_hash(*e) for e in roll.electors) if not client.is_full(h[0])
            ]
            assert await store.cast(others[0], LAW, "oui", b"a" * 16) == Cast("accepted")
        async with memory(redis, 2 * used_bytes):
            await client.node_memory()
            assert await store.cast(ballot, LAW, "oui", b"a" * 16) == Cast("accepted")
            assert await store.cast(voter, LAW, "oui", b"b" * 16) == Cast("duplicate", 1)


async def test_functions_that_cannot_be_loaded_are_a_passing_trouble(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    ballot = ballot_hash(*roll.electors[0])
    async with (await primary_of(cluster, ballot[0])).client() as redis:
        await redis.function_flush("SYNC")
        async with memory(redis, 1):
            with pytest.raises(Unavailable, match="OOM"):
                await store.cast(ballot, LAW, "oui", b"a" * 16)
    assert await store.cast(ballot, LAW, "oui", b"a" * 16) == Cast("accepted")


async def test_functions_of_another_version_are_left_alone(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballot = ballot_hash(*roll.electors[0])
    name = functions.qualified("cast").decode()
    async with (await primary_of(cluster, ballot[0])).client() as redis:
        await redis.function_flush("SYNC")
        digest = name.rpartition("_")[2]
        old = functions.sources()[0].decode().replace(digest, "0ld")
        await redis.function_load(old)
        assert await store.cast(ballot, LAW, "oui", b"a" * 16) == Cast("accepted")
        libraries = [library[1].decode() for library in await redis.function_list()]
    assert {"scrutin_cast_0ld", name} <= set(libraries)


async def test_a_load_that_fails_when_nobody_waits_any_more_is_no_error_of_its_own(
    cluster: LocalCluster,
) -> None:
    """A call that ran out of time leaves it to the others; alone it would be logged by asyncio."""
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    client = await ShardClient.connect(RedisOptions(cluster.url, Durability("memory")))
    try:
        lane = client._routes[0]
        assert lane is not None
        client._loading(lane)
        await client.aclose()
        await asyncio.sleep(0)
        client._loads.clear()
        gc.collect()
        await asyncio.sleep(0)
        assert complaints == []
    finally:
        loop.set_exception_handler(None)
