"""Reading and trimming the outbox."""

import os

from hashgen import ballot_hash
from shards.client import ShardClient
from shards.outbox import Outbox, OutboxBatch
from shards.roll import RollStore
from tests.support.rolls import LAW, Roll


async def vote(store: RollStore, roll: Roll, first: int, count: int) -> set[bytes]:
    ballots = {ballot_hash(*elector) for elector in roll.electors[first : first + count]}
    for ballot in ballots:
        await store.cast(ballot, LAW, "oui", os.urandom(16))
    return ballots


def hashes(batch: OutboxBatch) -> set[bytes]:
    return {event.vote_hash for event in batch.events}


async def test_an_untrimmed_batch_comes_again_under_the_same_token(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    outbox = Outbox(client, owner="a")
    ballots = await vote(store, roll, 0, 300)
    first, again = await outbox.read(10_000), await outbox.read(10_000)
    assert hashes(first) == ballots
    assert again.events == first.events
    assert again.token == first.token
    await outbox.trim(first)
    await outbox.trim(first)
    more = await vote(store, roll, 300, 10)
    assert hashes(await outbox.read(10_000)) == more
    assert (await outbox.read(10_000)).token != first.token


async def test_completeness_is_claimed_only_when_all_is_read(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    outbox = Outbox(client, owner="a")
    ballots = await vote(store, roll, 0, 600)
    part = await outbox.read(200)
    assert len(part.events) < 600
    assert part.complete_until_ms is None
    seen: set[bytes] = set()
    while batch := await outbox.read(200):
        if not batch.events:
            break
        seen |= hashes(batch)
        last_event_ms = max(event.stream_ms for event in batch.events)
        if batch.complete_until_ms is not None:
            assert batch.complete_until_ms >= last_event_ms
        await outbox.trim(batch)
    assert seen == ballots
    assert batch.complete_until_ms is not None


async def test_a_lease_keeps_another_drainer_away_until_released(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = await vote(store, roll, 0, 100)
    ours, theirs = Outbox(client, owner="a"), Outbox(client, owner="b")
    assert hashes(await ours.read(10_000)) == ballots
    kept_away = await theirs.read(10_000)
    assert kept_away.events == []
    assert kept_away.complete_until_ms is None
    await ours.release()
    assert hashes(await theirs.read(10_000)) == ballots


async def test_a_lease_expires(store: RollStore, client: ShardClient, roll: Roll) -> None:
    ballots = await vote(store, roll, 0, 10)
    await Outbox(client, owner="gone", lease_ms=1).read(1000)
    seen: set[bytes] = set()
    while seen != ballots:
        seen |= hashes(await Outbox(client, owner="next").read(1000))


async def test_depth_tells_how_much_waits_and_since_when(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    outbox = Outbox(client, owner="a")
    assert sum(group.events for group in await outbox.depth()) == 0
    ballots = await vote(store, roll, 0, 100)
    depths = {group.shard_group: group for group in await outbox.depth()}
    for digit, group in depths.items():
        assert group.events == sum(ballot.hex()[0] == digit for ballot in ballots)
        assert 0 <= group.oldest_age_s < 60
    await outbox.trim(await outbox.read(10_000))
    assert sum(group.events for group in await outbox.depth()) == 0
