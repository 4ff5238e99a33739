"""What the client does when nodes die, stall, move their slots or forget their functions."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from uuid import uuid4

import pytest

from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.connection import ConnectionLost
from shards.errors import ConfigurationError, NotConfirmed, Unavailable
from shards.freezing import freeze
from shards.lane import Lane, NotSent
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.outbox import Outbox
from shards.review import ReviewCase, ReviewDesk
from shards.roll import Cast, RollStore
from shards.topology import CONNECT_TIMEOUT_S, Address, Endpoint, endpoint_of
from tests.support.edges import until
from tests.support.primaries import primary_of, replica_of
from tests.support.rolls import LAW, Roll, close_at

T = TypeVar("T")
FAILOVER_TIMEOUT_S = 20


@pytest.fixture
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCluster]:
    """A cluster of this test's own, to be broken."""
    async with LocalCluster(tmp_path_factory.mktemp("broken"), node_timeout_ms=1000) as running:
        yield running


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask as a voter's page does: again, with the same request id, until there is an answer."""
    async with asyncio.timeout(FAILOVER_TIMEOUT_S):
        while True:
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(0.05)


async def stop_replicas(cluster: LocalCluster) -> None:
    for node in cluster.nodes:
        async with node.client() as redis:
            if (await redis.info("replication"))["role"] == "slave":
                node.send(signal.SIGSTOP)


async def test_votes_survive_the_primarys_death(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    victim = await primary_of(cluster, 0)
    ballots = [ballot_hash(*elector) for elector in roll.electors[:600]]

    async def vote(ballot: bytes) -> Cast:
        request_id = os.urandom(16)
        return await insist(lambda: store.cast(ballot, LAW, "oui", request_id))

    async with asyncio.TaskGroup() as group:
        votes = [group.create_task(vote(ballot)) for ballot in ballots[:300]]
        await asyncio.wait(votes, return_when=asyncio.FIRST_COMPLETED)
        victim.kill()
        votes += [group.create_task(vote(ballot)) for ballot in ballots[300:]]
        successor = await insist(lambda: primary_of(cluster, 0))
        assert successor is not victim
        victim.start()  # its shards have no replica until it is back
    assert {task.result() for task in votes} == {Cast("accepted")}
    await cluster.wait_healthy()
    batch = await Outbox(client, owner="test").read(100_000)
    assert sorted(event.vote_hash for event in batch.events) == sorted(ballots)
    for ballot in ballots:
        again = await insist(partial(store.cast, ballot, LAW, "oui", b"n" * 16))
        assert again == Cast("duplicate", 1)


async def test_an_answer_is_not_given_before_a_replica_has_the_vote(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    await stop_replicas(cluster)
    ballot = ballot_hash(*roll.electors[0])
    with pytest.raises(NotConfirmed, match="replicas"):
        await store.cast(ballot, LAW, "oui", b"a" * 16)
    for node in cluster.nodes:
        node.send(signal.SIGCONT)
    assert await insist(lambda: store.cast(ballot, LAW, "oui", b"a" * 16)) == Cast("accepted")


async def test_what_was_done_before_is_not_taken_for_confirmed(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """The call sent again is that of a client which has written nothing to wait for."""
    await close_at(client, datetime.now(UTC), LAW)
    taken, decided = (ReviewCase(digit * 64, "duplicate", LAW, 1, 1, 0, 0) for digit in "ab")
    for case in (taken, decided):
        assert (await ReviewDesk(client).claim(case, "Aude", uuid4())).done
    await ReviewDesk(client).resolve(decided.case_id, "Aude", "harmless", "why", uuid4())
    act_id = uuid4()
    acts: list[Callable[[ShardClient], Awaitable[object]]] = [
        lambda of: freeze(of, store.info.roll_id, [LAW]),
        lambda of: ReviewDesk(of).resolve(taken.case_id, "Aude", "fault", "why", act_id),
        lambda of: ReviewDesk(of).reopen(decided.case_id, "Aude", "why", act_id),
    ]
    await stop_replicas(cluster)
    for act in acts:
        for _ in range(2):
            options = RedisOptions(cluster.url, Durability("replicated"))
            async with await ShardClient.connect(options) as other:
                with pytest.raises(NotConfirmed):
                    await act(other)
    for node in cluster.nodes:
        node.send(signal.SIGCONT)


async def test_a_lost_connection_is_mended_unseen(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    for number, elector in enumerate(roll.electors[:20]):
        async with (await primary_of(cluster, ballot_hash(*elector)[0])).client() as redis:
            await redis.client_kill_filter(_type="normal", skipme=True)
        cast = await store.cast(ballot_hash(*elector), LAW, "non", number.to_bytes(16))
        assert cast == Cast("accepted")


async def test_votes_follow_a_shard_that_moves(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """Migrate a shard key by key while its electors vote: MOVED, ASK and TRYAGAIN on the way."""
    shard = ballot_hash(*roll.electors[0])[0]
    slot = keys.slot(shard)
    source = await primary_of(cluster, shard)
    primaries = [await primary_of(cluster, other) for other in range(8)]
    target = next(node for node in primaries if node is not source)
    ballots = [h for h in (ballot_hash(*e) for e in roll.electors) if h[0] == shard]
    done = asyncio.Event()
    answers: list[Cast] = []

    async def keep_voting() -> None:
        while not done.is_set() or len(answers) < len(ballots):
            ballot = ballots[len(answers) % len(ballots)]
            answers.append(
                await insist(lambda: store.cast(ballot, LAW, "oui", ballot[:16]))  # noqa: B023
            )

    async with source.client() as old, target.client() as new, asyncio.TaskGroup() as group:
        source_id, target_id = await old.cluster("MYID"), await new.cluster("MYID")
        voting = group.create_task(keep_voting())
        await new.cluster("SETSLOT", slot, "IMPORTING", source_id)
        await old.cluster("SETSLOT", slot, "MIGRATING", target_id)
        while moving := await old.cluster("GETKEYSINSLOT", slot, 3):
            await old.migrate("127.0.0.1", target.port, moving, 0, 5000)
        # The slot is still the source's, its keys are the target's: only ASK leads there.
        assert await client.call(shard, pack("XLEN", keys.outbox_key(shard))) > 0
        await new.cluster("SETSLOT", slot, "NODE", target_id)
        await old.cluster("SETSLOT", slot, "NODE", target_id)
        done.set()
        await voting
    assert set(answers) == {Cast("accepted")}
    async with target.client() as new:
        assert await new.xlen(keys.outbox_key(shard).decode()) == len(ballots)


async def test_a_stalled_server_costs_no_more_than_the_timeout(
    cluster: LocalCluster, store: RollStore
) -> None:
    options = RedisOptions(cluster.url, Durability("memory", timeout_ms=100), timeout_s=2.0)
    client = await ShardClient.connect(options)
    try:
        await client.ping()
        for node in cluster.nodes:
            node.send(signal.SIGSTOP)
        began_at = asyncio.get_running_loop().time()
        with pytest.raises(NotConfirmed):
            await client.call(0, pack("SET", keys.tag(0) + b":test", ""))
        assert asyncio.get_running_loop().time() - began_at < 1.5 * options.timeout_s
        for node in cluster.nodes:
            node.send(signal.SIGCONT)
        await insist(lambda: store.cast(b"s" * 32, LAW, "oui", b"a" * 16))
    finally:
        await client.aclose()


class Sending:
    """Tells when calls leave."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    def batch_sent(self, size: int) -> None:
        assert size > 0
        self.began.set()

    def durability_waited(self, seconds: float) -> None:
        assert seconds >= 0


async def test_a_server_that_takes_connections_and_answers_nothing_is_said_to(
    cluster: LocalCluster,
) -> None:
    """A time-out has no text of its own."""
    primary = await primary_of(cluster, 0)
    address, asking = Address("127.0.0.1", primary.port), Endpoint(None, [pack("PING")])
    timeout_s = 2 * CONNECT_TIMEOUT_S
    lane = Lane(address, asking, Durability("memory"), timeout_s=timeout_s, observer=None)
    primary.send(signal.SIGSTOP)
    try:
        with pytest.raises(NotSent, match=rf"^127.0.0.1:{primary.port}: no answer in time$"):
            await lane.submit(pack("PING"))
    finally:
        primary.send(signal.SIGCONT)
        await lane.aclose()


async def test_a_stalled_server_leaves_known_what_was_sent(cluster: LocalCluster) -> None:
    primary = await primary_of(cluster, 0)
    durability, sending = Durability("fsync"), Sending()
    address = Address("127.0.0.1", primary.port)
    lane = Lane(address, endpoint_of(cluster.url), durability, timeout_s=1.0, observer=sending)
    write = pack("SET", keys.tag(0) + b":test", "")
    await lane.submit(write)
    primary.send(signal.SIGSTOP)
    sending.began.clear()
    sent = lane.submit(write)
    await sending.began.wait()
    waiting = lane.submit(write)  # for the confirmation of the one before
    with pytest.raises(ConnectionLost):
        await sent
    with pytest.raises(NotSent):
        await waiting
    primary.send(signal.SIGCONT)
    await lane.aclose()


async def test_a_call_that_is_lost_where_it_was_sent_on_to_may_have_been_executed(
    cluster: LocalCluster,
) -> None:
    """A voter must not be told that nothing was recorded."""
    options = RedisOptions(cluster.url, Durability("fsync"), timeout_s=1.0)
    async with await ShardClient.connect(options) as client:
        await client.ping()
        primary, routes = await primary_of(cluster, 0), client.routes()
        other = next(shard for shard, node in enumerate(routes) if node != routes[0])
        client._take_route(0, client._routes[other])
        primary.send(signal.SIGSTOP)
        with pytest.raises(NotConfirmed):
            await client.call(0, pack("SET", keys.tag(0) + b":test", ""))
        primary.send(signal.SIGCONT)


async def test_a_closed_client_connects_no_more(cluster: LocalCluster) -> None:
    before = asyncio.all_tasks()
    options, sending = RedisOptions(cluster.url, timeout_s=FAILOVER_TIMEOUT_S), Sending()
    client = await ShardClient.connect(options, sending)
    write = pack("SET", keys.tag(0) + b":test", "")
    await client.call(0, write)
    for node in cluster.nodes:
        node.send(signal.SIGSTOP)
    sending.began.clear()
    calling = asyncio.create_task(client.call(0, write))
    await sending.began.wait()
    await client.aclose()
    for node in cluster.nodes:
        node.send(signal.SIGCONT)
    async with asyncio.timeout(FAILOVER_TIMEOUT_S / 4):  # at once, not at the end of its time
        with pytest.raises(NotConfirmed, match="closed"):
            await calling
        with pytest.raises(Unavailable, match="closed"):
            await client.call(0, write)
        with pytest.raises(Unavailable, match="closed"):
            await client.refresh()
    assert asyncio.all_tasks() <= before  # a look at the map would open connections again


async def test_who_waits_for_the_map_is_told_that_the_client_is_closed(
    cluster: LocalCluster,
) -> None:
    """Cancelled is only who was cancelled: a request would end without an answer."""
    client = await ShardClient.connect(RedisOptions(cluster.url))
    for node in cluster.nodes:
        node.send(signal.SIGSTOP)
    waiting = asyncio.create_task(client.refresh())
    await asyncio.sleep(0)
    await client.aclose()
    for node in cluster.nodes:
        node.send(signal.SIGCONT)
    with pytest.raises(Unavailable, match="closed"):
        await waiting


async def test_a_look_at_the_map_that_nobody_waits_for_any_more_may_fail(
    cluster: LocalCluster, client: ShardClient
) -> None:
    """A call that ran out of time leaves it to the others; alone it would be logged by asyncio."""
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    for node in cluster.nodes:
        node.kill()
    try:
        waiting = asyncio.create_task(client.refresh())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        asking = client._topology._refresh
        assert asking is not None
        await asyncio.wait({asking})
        del asking
        with pytest.raises(Unavailable, match="no Redis node answers"):
            await client.refresh()
        gc.collect()
        await asyncio.sleep(0)
        assert complaints == []
    finally:
        loop.set_exception_handler(None)


async def test_who_is_down_and_which_primary_lacks_a_replica(
    cluster: LocalCluster, client: ShardClient
) -> None:
    replica = cluster.nodes[-1]  # the first three are the primaries
    name = f"127.0.0.1:{replica.port}"
    members = await client.members()
    assert len(members) == len(cluster.nodes)
    assert all(members.values())
    assert all(state.replicas_online == 1 for state in (await client.primaries()).values())
    replica.kill()
    try:

        async def agreed() -> bool:
            await client.refresh()
            return not (await client.members())[name]

        await until(agreed, "a replica that is down")
        online = [state.replicas_online for state in (await client.primaries()).values()]
        assert sorted(online) == [0, 1, 1]
        assert all(state.aof_ok for state in (await client.primaries()).values())
        with pytest.raises(Unavailable, match=f"{replica.name} ended"):
            await cluster.wait_healthy()
    finally:
        replica.start()
        await cluster.wait_healthy()


async def test_nobody_waits_for_replicas_that_the_cluster_does_not_list(
    cluster: LocalCluster,
) -> None:
    """With a time-out of two minutes; and one that is back confirms before the map lists it."""
    primary = await primary_of(cluster, 0)
    replica = await replica_of(cluster, primary)
    patient = Durability("replicated", timeout_ms=120_000)
    async with await ShardClient.connect(RedisOptions(cluster.url, patient, timeout_s=120)) as one:
        [lane] = (lane for lane in one._lanes.values() if lane.address.port == primary.port)
        replica.kill()
        try:

            async def unlisted() -> bool:
                await one.refresh()
                return lane.replicas == 0

            await until(unlisted, "a replica that is listed no more")
            async with asyncio.timeout(60):
                with pytest.raises(NotConfirmed, match="on 0 of 1 replicas"):
                    await one.call(0, pack("SET", "{00}:k", "v"))
        finally:
            replica.start()
            await cluster.wait_healthy()
        lane.replicas = 0
        assert await one.call(0, pack("SET", "{00}:k", "v")) == b"OK"


async def test_a_replica_that_is_slow_is_waited_for(cluster: LocalCluster) -> None:
    """As long as the cluster lists it."""
    replica = await replica_of(cluster, await primary_of(cluster, 0))
    durability = Durability("replicated", timeout_ms=4000)
    async with await ShardClient.connect(RedisOptions(cluster.url, durability, timeout_s=5)) as one:
        replica.send(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.5, replica.send, signal.SIGCONT)
        assert await one.call(0, pack("SET", "{00}:k", "v")) == b"OK"


async def test_no_cluster_at_all() -> None:
    with pytest.raises(Unavailable, match="no Redis node answers"):
        await ShardClient.connect(RedisOptions("redis://127.0.0.1:1"))


async def test_a_cluster_started_again_has_its_data(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = [ballot_hash(*elector) for elector in roll.electors[:100]]
    await asyncio.gather(*(store.cast(ballot, LAW, "oui", b"a" * 16) for ballot in ballots))
    for node in cluster.nodes:
        node.kill()
    await cluster.start()
    batch = await Outbox(client, owner="test").read(10_000)
    assert {event.vote_hash for event in batch.events} == set(ballots)
    assert await store.cast(ballots[0], LAW, "oui", b"b" * 16) == Cast("duplicate", 1)


async def test_a_server_that_may_forget_is_refused(
    cluster: LocalCluster, client: ShardClient
) -> None:
    await client.check_servers()
    node = cluster.nodes[4]
    for name, value in (
        ("maxmemory-policy", "allkeys-lru"), ("appendfsync", "everysec"), ("appendonly", "no"),
    ):  # fmt: skip
        async with node.client() as redis:
            before = str((await redis.config_get(name))[name])
            await redis.config_set(name, value)
            with pytest.raises(ConfigurationError, match=f"{node.port} has {name} {value}"):
                await client.check_servers()
            await redis.config_set(name, before)


async def test_a_lost_shard_keeps_nothing_from_the_others(
    cluster: LocalCluster, store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = [ballot_hash(*elector) for elector in roll.electors[:300]]
    await asyncio.gather(*(store.cast(ballot, LAW, "oui", b"a" * 16) for ballot in ballots))
    lost = {h for h in ballots if await primary_of(cluster, h[0]) is cluster.nodes[0]}
    for node in (cluster.nodes[0], cluster.nodes[3]):  # a primary and its replica
        node.kill()
    options = RedisOptions(
        cluster.url.replace(str(cluster.nodes[0].port), str(cluster.nodes[1].port))
    )
    newcomer = await ShardClient.connect(options)
    try:
        await newcomer.check_servers()
        assert len(await newcomer.ping()) == 1
        assert len(await newcomer.node_memory()) == 2
        reopened = await RollStore.open(newcomer, scheme="sha256", key_fingerprint="")
        outbox = Outbox(newcomer, owner="test")
        batch = await outbox.read(100_000)
        assert {event.vote_hash for event in batch.events} == set(ballots) - lost
        assert batch.complete_until_ms is None
        assert await outbox.trim(batch) == []
        depths = await outbox.depth()
        assert depths.keys().isdisjoint(h[0] for h in lost)
        assert depths.keys() >= set(batch.trims)
        assert not any(depth.events for depth in depths.values())
        with pytest.raises(Unavailable, match="shards do not answer"):
            await outbox.waiting()
        there = next(h for h in ballots if h not in lost)
        assert await reopened.cast(there, LAW, "oui", b"b" * 16) == Cast("duplicate", 1)
        with pytest.raises(Unavailable):
            await reopened.cast(next(iter(lost)), LAW, "oui", b"b" * 16)
    finally:
        await newcomer.aclose()
