"""All of Redis killed at once while votes come in: what was answered is there again."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shards.client import ShardClient
from shards.errors import Unavailable
from shards.localcluster import LocalCluster
from shards.options import Durability, DurabilityMode, RedisOptions
from shards.ports import free_ports
from shards.roll import RollStore
from tests.integration.recovery.conftest import LAWS
from tests.support.ballots import Answered, Vote, vote_of
from tests.support.edges import until
from tests.support.rolls import Roll, load, open_election

VOTERS = 50
ANSWERS_BEFORE_THE_KILL = 400


class Tier:
    """A cluster of its own, killed while votes were taken, and the answers given before."""

    def __init__(self, directory: Path, ports: list[int], mode: DurabilityMode) -> None:
        self.directory = directory
        self.ports = ports
        self.mode = mode
        self.cluster = LocalCluster(directory, ports=ports)
        self.log: list[Answered] = []
        self.unanswered: list[Vote] = []

    def options(self, url: str) -> RedisOptions:
        return RedisOptions(url, Durability(self.mode))

    async def vote_until_killed(self, roll: Roll) -> None:
        await self.cluster.start()
        client = await ShardClient.connect(self.options(self.cluster.url))
        await load(client, roll, open_election(*LAWS))
        store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
        rng, killed = random.Random(11), asyncio.Event()
        voters = iter(rng.choices(roll.electors, k=100_000))

        async def vote() -> None:
            while not killed.is_set():
                one = vote_of(next(voters), rng)
                try:
                    self.log.append(Answered(one, await store.cast(*one)))
                except Unavailable:
                    self.unanswered.append(one)

        async def answered() -> bool:
            return len(self.log) >= ANSWERS_BEFORE_THE_KILL

        async def refused() -> bool:
            return bool(self.unanswered)

        async def kill() -> None:
            try:
                await until(answered, "answers")
                if self.mode == "replicated":  # nothing may be answered on one disk alone
                    for node in self.cluster.nodes[3:]:
                        node.kill()
                    await until(refused, "a vote that no replica confirms")
                for node in self.cluster.nodes:
                    node.kill()
            finally:
                killed.set()

        await asyncio.gather(kill(), *(vote() for _ in range(VOTERS)))
        await client.aclose()

    async def assert_nothing_answered_is_lost(self, client: ShardClient) -> None:
        """Send every vote again: those answered get the same answer, the others a true one."""
        store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
        assert len(self.log) >= ANSWERS_BEFORE_THE_KILL
        assert self.unanswered
        for vote, cast in self.log:
            assert await store.cast(*vote) == cast
        for vote in self.unanswered:
            assert (await store.cast(*vote)).status in ("accepted", "duplicate")


@pytest.fixture(params=["replicated", "fsync"])
async def killed(request: pytest.FixtureRequest, roll: Roll, tmp_path: Path) -> AsyncIterator[Tier]:
    tier = Tier(tmp_path / "redis", free_ports(12), request.param)
    try:
        await tier.vote_until_killed(roll)
        yield tier
    finally:
        tier.cluster.stop()


async def test_restarted_on_its_disks(killed: Tier) -> None:
    await killed.cluster.start()
    client = await ShardClient.connect(killed.options(killed.cluster.url))
    await killed.assert_nothing_answered_is_lost(client)
    await client.aclose()


async def test_started_elsewhere_on_a_copy_of_the_disks(killed: Tier) -> None:
    copy = killed.directory.with_name("copy")
    await asyncio.to_thread(shutil.copytree, killed.directory, copy)
    await asyncio.to_thread(shutil.rmtree, killed.directory)
    async with LocalCluster(copy, ports=killed.ports) as cluster:
        client = await ShardClient.connect(killed.options(cluster.url))
        await killed.assert_nothing_answered_is_lost(client)
        await client.aclose()


@pytest.mark.parametrize("killed", ["replicated"], indirect=True)
async def test_replicas_take_over_when_every_primary_lost_its_disk(killed: Tier) -> None:
    """They cannot elect themselves: a majority of primaries is gone. An operator tells them to."""
    survivors = killed.cluster.nodes[3:]
    for node in killed.cluster.nodes[:3]:
        await asyncio.to_thread(shutil.rmtree, node.log.parent)
    for node in survivors:
        node.start()
    for node in survivors:
        await node.wait_ready()
        async with node.client() as redis:
            await redis.cluster("FAILOVER", "TAKEOVER")

    async def all_slots_served() -> bool:
        states = []
        for node in survivors:
            async with node.client() as redis:
                info = await redis.cluster("INFO")
                states.append((info["cluster_state"], info["cluster_slots_ok"]))
        return set(states) == {("ok", "16384")}

    await until(all_slots_served, "every slot served by the survivors")
    url = f"redis://127.0.0.1:{survivors[0].port}"
    client = await ShardClient.connect(RedisOptions(url, Durability("fsync")))
    await killed.assert_nothing_answered_is_lost(client)
    await client.aclose()
