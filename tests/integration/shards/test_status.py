"""What `read_status` counts."""

import asyncio
from datetime import timedelta

import pytest

from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.errors import RollMissing
from shards.load import load_roll
from shards.roll import RollStore
from shards.status import Window, read_status, read_windows
from tests.support.rolls import LAW, Roll, open_election


async def test_nothing_loaded(client: ShardClient) -> None:
    with pytest.raises(RollMissing, match="no roll is loaded"):
        await read_status(client)


async def test_a_complete_roll(store: RollStore, client: ShardClient, roll: Roll) -> None:
    for elector in roll.electors[:7]:
        await store.cast(ballot_hash(*elector), LAW, "oui", b"r" * 16)
    status = await read_status(client)
    assert status.complete
    assert (status.electors_loaded, status.shards_ready) == (len(roll.electors), keys.SHARDS)
    assert status.outbox_events == 7
    window = status.windows[LAW]
    assert (window.closes_at - window.opens_at).total_seconds() == 7200
    assert len(status.nodes) == 3


async def test_a_load_that_was_killed(client: ShardClient, roll: Roll) -> None:
    def stop(_: int) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await load_roll(client, roll.database, open_election(LAW), stop)
    status = await read_status(client)
    assert not status.complete
    assert 0 < status.electors_loaded <= len(roll.electors)
    assert status.shards_ready == 0


async def test_a_loss_after_the_load(store: RollStore, client: ShardClient) -> None:
    await client.call(9, pack("DEL", keys.bucket_key(9, 0)))
    status = await read_status(client)
    assert not status.complete
    assert status.shards_ready == keys.SHARDS


async def test_windows_are_as_wide_as_any_shard_has_them(
    store: RollStore, client: ShardClient
) -> None:
    before = (await read_windows(client, [LAW, "L1999-999"]))[LAW]
    later_ms = round(before.closes_at.timestamp() * 1000) + 60_000
    await client.call(9, pack("HSET", keys.meta_key(9), f"closes:{LAW}", later_ms))
    windows = await read_windows(client, ["L1999-999", LAW])
    later = before.closes_at + timedelta(minutes=1)
    assert windows == {LAW: Window(before.opens_at, later)}, "and an unknown law has none"
