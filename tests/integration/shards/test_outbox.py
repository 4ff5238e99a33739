"""Reading and trimming the outbox."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable

import pytest

from hashgen import ballot_hash
from shards import keys
from shards import outbox as outbox_module
from shards.client import ShardClient
from shards.command import pack
from shards.connection import Reply
from shards.events import OutboxEvent, decode_events
from shards.localcluster import LocalCluster
from shards.outbox import Outbox, OutboxBatch
from shards.roll import RollStore
from tests.support.rolls import LAW, Roll, empty, load, open_election


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


async def test_others_have_their_turn_while_much_is_read(
    store: RollStore, client: ShardClient, roll: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "DECODED_AT_ONCE", 10)
    turns, decoded = 0, []

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def noting(shard: int, entries: list[Reply]) -> list[OutboxEvent]:
        decoded.append((turns, len(entries)))
        return decode_events(shard, entries)

    voter = ballot_hash(*roll.electors[0])
    for _ in range(35):
        await store.cast(voter, LAW, "oui", os.urandom(16))
    monkeypatch.setattr(outbox_module, "decode_events", noting)
    others = asyncio.create_task(take_turns())
    batch = await Outbox(client, owner="a").read(10_000)
    others.cancel()
    assert [event.attempt for event in batch.events] == list(range(35))
    assert [size for _, size in decoded] == [10, 10, 10, 5]
    assert len({turn for turn, _ in decoded}) == len(decoded)


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


async def test_completeness_comes_though_another_drainer_always_has_something(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """As when ballots and guesses never cease, and no moment finds every outbox empty."""
    ours, theirs = Outbox(client, owner="a"), Outbox(client, owner="b")
    await vote(store, roll, 0, 50)
    stored = await theirs.read(10_000)
    assert (await ours.read(10_000)).complete_until_ms is None
    await vote(store, roll, 50, 50)
    waiting = await theirs.read(10_000)
    assert (await ours.read(10_000)).complete_until_ms is None
    await theirs.trim(stored)
    reached = await ours.read(10_000)
    assert reached.events == []
    assert reached.complete_until_ms is not None
    newer = [event for event in waiting.events if event not in stored.events]
    assert max(event.stream_ms for event in stored.events) <= reached.complete_until_ms
    assert reached.complete_until_ms <= min(event.stream_ms for event in newer)


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


async def test_a_shard_whose_primary_changes_while_it_is_read_is_left_for_later(
    store: RollStore, client: ShardClient, roll: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the map is learnt, after the fence, from a primary that has been replaced."""
    ballots = await vote(store, roll, 0, 300)
    shard = min(ballot[0] for ballot in ballots)
    routes = client.routes()
    other = next(number for number, node in enumerate(routes) if node != routes[shard])
    call_reachable = client.call_reachable

    async def fence_and_go_astray(commands: Iterable[tuple[int, bytes]]) -> dict[int, Reply]:
        monkeypatch.undo()
        replies = await call_reachable(commands)
        client._take_route(shard, client._routes[other])
        return replies

    outbox = Outbox(client, owner="a")
    monkeypatch.setattr(client, "call_reachable", fence_and_go_astray)
    batch = await outbox.read(10_000)
    assert hashes(batch) == {ballot for ballot in ballots if ballot[0] != shard}
    assert batch.complete_until_ms is None
    assert hashes(await outbox.read(10_000)) == ballots


async def test_depth_tells_how_much_waits_and_since_when(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    outbox = Outbox(client, owner="a")
    assert await outbox.waiting() == 0
    ballots = await vote(store, roll, 0, 100)
    for shard, depth in (await outbox.depth()).items():
        assert depth.events == sum(ballot[0] == shard for ballot in ballots)
        assert 0 <= depth.oldest_age_s < 60
    await outbox.trim(await outbox.read(10_000))
    assert await outbox.waiting() == 0


async def taken_over(ballots: set[bytes], outbox: Outbox) -> OutboxBatch:
    """Read until every lease before has expired and all ballots come."""
    while True:
        batch = await outbox.read(10_000)
        if hashes(batch) == ballots:
            return batch


async def test_a_drainer_that_was_away_trims_nothing_that_others_took_over(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = await vote(store, roll, 0, 50)
    stalled, next_one = Outbox(client, owner="a", lease_ms=1), Outbox(client, owner="b")
    batch = await taken_over(ballots, stalled)
    theirs = await taken_over(ballots, next_one)
    assert sorted(await stalled.trim(batch)) == sorted(batch.trims)
    assert hashes(await next_one.read(10_000)) == ballots
    assert await next_one.trim(theirs) == []
    assert (await next_one.read(10_000)).events == []


async def test_a_restarted_drainer_of_the_same_name_has_other_leases(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = await vote(store, roll, 0, 20)
    before = await taken_over(ballots, Outbox(client, owner="a", lease_ms=1))
    after = await taken_over(ballots, Outbox(client, owner="a", lease_ms=1))
    assert all(after.leases[shard] > token for shard, token in before.leases.items())
    assert sorted(await Outbox(client, owner="a").trim(before)) == sorted(before.trims)


async def test_a_lease_from_before_the_clock_was_set_back_is_void(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = await vote(store, roll, 0, 100)
    hour_ms = 3_600_000
    await Outbox(client, owner="before", lease_ms=hour_ms).read(1000)
    assert hashes(await Outbox(client, owner="after").read(1000)) == ballots


async def test_an_expired_lease_that_nobody_took_still_trims(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    await vote(store, roll, 0, 20)
    outbox = Outbox(client, owner="a", lease_ms=1)
    batch = await outbox.read(10_000)
    while await client.call(*lease_of(batch)):
        pass
    assert await outbox.trim(batch) == []
    assert (await outbox.read(10_000)).events == []


async def test_a_renewed_lease_outlives_its_time(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    await vote(store, roll, 0, 20)
    batch = await Outbox(client, owner="a", lease_ms=500).read(10_000)
    await Outbox(client, owner="a", lease_ms=60_000).renew(batch)
    shard = next(iter(batch.leases))
    assert await client.call(shard, pack("PTTL", keys.lease_key(shard))) > 500
    other = await Outbox(client, owner="b").read(10_000)
    assert other.events == []


async def test_a_lost_lease_is_not_renewed(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = await vote(store, roll, 0, 20)
    stalled = Outbox(client, owner="a", lease_ms=1)
    batch = await taken_over(ballots, stalled)
    await taken_over(ballots, Outbox(client, owner="b"))
    await stalled.renew(batch)
    shard = next(iter(batch.leases))
    assert await client.call(*lease_of(batch)) == b"b", shard


async def test_a_stalled_drainer_trims_nothing_of_a_shard_that_was_rebuilt(
    store: RollStore, client: ShardClient, roll: Roll, cluster: LocalCluster
) -> None:
    await vote(store, roll, 0, 20)
    stalled = Outbox(client, owner="a")
    batch = await stalled.read(10_000)
    await empty(cluster)
    await load(client, roll, open_election(LAW))
    ballots = await vote(store, roll, 0, 20)
    assert sorted(await stalled.trim(batch)) == sorted(batch.trims)  # not leased to anybody yet
    again = await Outbox(client, owner="b").read(10_000)
    assert hashes(again) == ballots
    assert sorted(await stalled.trim(batch)) == sorted(batch.trims)
    assert not set(batch.leases.items()) & set(again.leases.items())


def lease_of(batch: OutboxBatch) -> tuple[int, bytes]:
    """Return the call that reads who holds the batch's first shard."""
    shard = next(iter(batch.leases))
    return shard, pack("GET", keys.lease_key(shard))


def guesses(shard: int, count: int) -> list[tuple[int, bytes]]:
    """Return calls that append refused attempts to a shard, as many as somebody may send there."""
    key, ballot = keys.outbox_key(shard), bytes([shard]) + bytes(31)
    vote = ("h", ballot, "l", LAW, "v", "oui", "s", "invalid", "r", bytes(16), "n", 0)
    return [(shard, pack("XADD", key, "*", *vote))] * count


async def test_a_batch_is_filled_by_shards_that_have_more(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """Else one that is flooded, beside others that are not, would empty by a 256th of a batch."""
    ballots = await vote(store, roll, 0, 300)
    assert len({ballot[0] for ballot in ballots}) > 100
    flooded = next(iter(ballots))[0]
    await client.call_in_turn(guesses(flooded, 900))
    batch = await Outbox(client, owner="a").read(1000)
    assert ballots - {ballot for ballot in ballots if ballot[0] == flooded} < hashes(batch)
    assert len(batch.events) == 1000


async def test_several_that_have_more_share_what_is_left(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    for shard, count in {3: 10, 100: 300, 200: 250, 255: 40}.items():
        await client.call_in_turn(guesses(shard, count))
    batch = await Outbox(client, owner="a").read(200)
    assert Counter(event.shard for event in batch.events) == {3: 10, 100: 75, 200: 75, 255: 40}


async def test_no_shard_gives_more_than_its_server_can_read_at_once(
    store: RollStore, client: ShardClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "SHARE_ROWS_MAX", 50)
    await client.call_in_turn(guesses(7, 80))
    assert len((await Outbox(client, owner="a").read(1000)).events) == 50


async def test_a_shard_with_an_entry_that_is_no_attempt_keeps_all_it_has(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """The others are read meanwhile, and nothing says that the count is complete."""
    before = await vote(store, roll, 0, 200)
    shard = next(iter(before))[0]
    entry = await client.call(shard, pack("XADD", keys.outbox_key(shard), "*", "note", "a test"))
    ballots = before | await vote(store, roll, 200, 200)
    held = {ballot for ballot in ballots if ballot[0] == shard}
    outbox = Outbox(client, owner="a")
    for expected in (ballots - held, set()):
        batch = await outbox.read(10_000)
        assert hashes(batch) == expected
        assert batch.complete_until_ms is None
        assert [entry.decode() in str(error) for error in batch.left_out] == [True]
        assert await outbox.trim(batch) == []
    assert await outbox.waiting() == len(held) + 1
    await client.call(shard, pack("XDEL", keys.outbox_key(shard), entry))
    batch = await outbox.read(10_000)
    assert hashes(batch) == held
    assert batch.complete_until_ms is not None
    assert batch.left_out == []
