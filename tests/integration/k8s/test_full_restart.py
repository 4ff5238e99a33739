"""The Redis cluster of k8s/ when pods go and come back elsewhere, by its own start script."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.errors import ConfigurationError, ShardsError, Unavailable
from shards.formation import form_cluster
from shards.member import Server
from shards.options import RedisOptions
from shards.review import ReviewDesk
from shards.roll import RollStore
from tests.support.pods import RedisPod, RedisPods
from tests.support.rolls import LAW, Elector, Roll, load, make_roll, open_election

ELECTORS = 600
VOTERS = 60
PODS = 6
HEAL_MAX_S = 45.0
POLL_S = 0.1


@pytest.fixture(scope="module")
def roll(tmp_path_factory: pytest.TempPathFactory) -> Roll:
    return make_roll(tmp_path_factory.mktemp("roll"), ELECTORS)


@pytest.fixture(scope="module")
async def pods(tmp_path_factory: pytest.TempPathFactory, roll: Roll) -> AsyncIterator[RedisPods]:
    """A cluster with a roll, of which some have voted."""
    pods = RedisPods(tmp_path_factory.mktemp("pods"))
    with pods.network.names_resolve():
        pods.start()
        try:
            await formed(pods)
            client = await connected(pods)
            await load(client, roll, open_election(LAW))
            await client.aclose()
            assert await cast_all(pods, roll.electors[:VOTERS], b"first") == {"accepted"}
            yield pods
        finally:
            pods.stop()


async def connected(pods: RedisPods) -> ShardClient:
    """Connect as edges do: their user, by name, waiting for replicas' disks."""
    return await ShardClient.connect(RedisOptions(pods.url("scrutin"), timeout_s=10.0))


async def cast_all(pods: RedisPods, electors: list[Elector], request: bytes) -> set[str]:
    """Cast a ballot for each and return the different outcomes."""
    client = await connected(pods)
    try:
        store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
        casts = [
            store.cast(ballot_hash(*elector), LAW, "oui", request.ljust(16, b"0"))
            for elector in electors
        ]
        return {cast.status for cast in await asyncio.gather(*casts)}
    finally:
        await client.aclose()


async def formed(pods: RedisPods) -> list[str]:
    """Run what the Job runs, as it does: again until it succeeds; return the new replicas."""
    replicas = []
    async with asyncio.timeout(HEAL_MAX_S):
        while True:
            try:
                done = await form_cluster(pods.url("operator"), pods.addresses)
            except Unavailable:
                await asyncio.sleep(POLL_S)
                continue
            replicas += done.replicas
            if not done.missing:
                return replicas
            await asyncio.sleep(POLL_S)


async def until(pods: RedisPods, holds: Callable[[Server], Awaitable[bool]]) -> None:
    """Wait until something holds for every server."""
    async with asyncio.timeout(HEAL_MAX_S), asked(pods) as servers:
        for server in servers:
            while not (server.answers and await holds(server)):
                await asyncio.sleep(POLL_S)
                await server.look()


async def whole(server: Server) -> bool:
    members = await server.members()
    return all(member.linked for member in members.values()) and await server.settled()


async def alone(server: Server) -> bool:
    others = (await server.members()).items()
    return not any(member.linked for node_id, member in others if node_id != server.node_id)


async def only_ours(server: Server) -> bool:
    return len(await server.members()) == PODS


async def all_hold(pods: RedisPods, holds: Callable[[Server], Awaitable[bool]]) -> bool:
    """Say whether something holds for every server, all of which answer."""
    async with asked(pods) as servers:
        return all([await holds(server) for server in servers])


async def a_primary(pods: RedisPods) -> RedisPod:
    """Return a pod that has slots."""
    async with asked(pods) as servers:
        for pod, server in zip(pods.pods, servers, strict=True):
            if (await server.myself()).slots:
                return pod
    raise AssertionError("no server has slots")


@asynccontextmanager
async def asked(pods: RedisPods) -> AsyncIterator[list[Server]]:
    """Yield the servers of all pods, looked at."""
    servers = [Server(pods.url("operator"), pod.address) for pod in pods.pods]
    try:
        for server in servers:
            await server.look()
        yield servers
    finally:
        for server in servers:
            await server.aclose()


async def test_a_cluster_is_formed_once(pods: RedisPods) -> None:
    done = await form_cluster(pods.url("operator"), pods.addresses)
    assert (done.slots_given, done.replicas, done.forgotten, done.missing) == (0, [], [], [])


async def test_auditors_work_on_cases_by_their_own_account(pods: RedisPods) -> None:
    client = await ShardClient.connect(RedisOptions(pods.url("auditor"), timeout_s=10.0))
    try:
        assert await ReviewDesk(client).trail((0, 0), 1) == []
        with pytest.raises(ShardsError, match="NOPERM"):
            await client.call(0, pack("HGETALL", keys.meta_key(0)))
    finally:
        await client.aclose()


async def test_all_pods_come_back_elsewhere_and_every_vote_is_there(
    pods: RedisPods, roll: Roll
) -> None:
    pods.stop()
    pods.move()
    pods.network.publish()
    pods.start()
    await until(pods, whole)
    assert await cast_all(pods, roll.electors[:VOTERS], b"second") == {"duplicate"}
    assert await cast_all(pods, roll.electors[VOTERS : 2 * VOTERS], b"first") == {"accepted"}


async def test_it_is_enough_that_the_last_pod_finds_the_others(pods: RedisPods, roll: Roll) -> None:
    pods.stop()
    pods.network.hide()
    pods.move()
    for pod in pods.pods:
        if pod is pods.pods[-1]:
            pods.network.publish()
        pod.start(lookup_timeout_s=0)
    await until(pods, whole)
    assert await cast_all(pods, roll.electors[:VOTERS], b"third") == {"duplicate"}


async def test_pods_that_find_nobody_are_brought_together_by_the_job(
    pods: RedisPods, roll: Roll
) -> None:
    pods.stop()
    pods.network.hide()
    pods.move()
    pods.start(lookup_timeout_s=0)
    # Without names to look up nobody is found: what the start script does is needed.
    await until(pods, alone)
    pods.network.publish()
    assert await formed(pods) == []
    assert await cast_all(pods, roll.electors[:VOTERS], b"fourth") == {"duplicate"}


async def test_a_server_without_its_data_does_not_start(pods: RedisPods) -> None:
    pod = pods.pods[0]
    kept = pod.volume / "appendonlydir"
    pod.process.stop()
    kept.rename(pod.volume / "elsewhere")
    try:
        pod.start()
        assert await asyncio.to_thread(wait_ended, pod) == 1
        assert "no data: not starting" in pod.process.log_tail()
    finally:
        (pod.volume / "elsewhere").rename(kept)
        pod.start()
    await until(pods, whole)


async def test_a_primary_with_an_empty_volume_comes_back_as_a_replica(
    pods: RedisPods, roll: Roll
) -> None:
    primary = await a_primary(pods)
    primary.process.kill()
    primary.lose_volume()
    pods.network.move(primary.name)
    pods.network.publish()
    primary.start()
    replicas: list[str] = []
    async with asyncio.timeout(HEAL_MAX_S):
        # As the CronJob does: the old id can be forgotten once a replica has its slots.
        while str(primary.address) not in replicas or not await all_hold(pods, only_ours):
            replicas += await formed(pods)
    await until(pods, whole)
    assert await cast_all(pods, roll.electors[:VOTERS], b"fifth") == {"duplicate"}


async def test_slots_that_nobody_has_are_not_given_where_there_are_votes(pods: RedisPods) -> None:
    await until(pods, whole)
    async with asked(pods) as servers:
        for server in servers:
            await server.redis.cluster("DELSLOTS", 0)
        with pytest.raises(ConfigurationError, match="recovery"):
            await form_cluster(pods.url("operator"), pods.addresses)


def wait_ended(pod: RedisPod) -> int | None:
    """Return the exit code of a pod that ends by itself."""
    while pod.process.alive:
        time.sleep(POLL_S)
    return pod.process.exit_code
