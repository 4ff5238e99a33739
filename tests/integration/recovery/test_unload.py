"""A roll that was loaded by mistake is unloaded, as long as nobody has tried to vote on it."""

import asyncio
import random
from pathlib import Path

import pytest
from clickhouse_connect.driver import AsyncClient

from edge.accuracy.wiping import NOTHING, wipe
from edge.errors import AccuracyRefused
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.errors import ShardsError
from shards.roll import RollStore, read_roll_info
from shards.wiping import keys_left, stop_taking
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import LAWS, Day
from tests.support.ballots import stranger, vote_of
from tests.support.edges import until
from tests.support.rolls import Roll, load, make_roll, open_election


async def test_another_roll_can_be_loaded(
    redis: ShardClient, clickhouse: AsyncClient, roll: Roll, stores: dict[str, str], tmp_path: Path
) -> None:
    await load(redis, roll, open_election(*LAWS))
    await redis.call(3, pack("HDEL", keys.meta_key(3), "ready"))  # as a load that was killed
    roll_id = roll.database.manifest.roll_id
    code, _, errors = await scrutin("roll", "unload", "0" * 64, **stores)
    assert (code, roll_id in errors) == (2, True), errors
    assert await keys_left(redis) != []
    code, out, errors = await scrutin("roll", "unload", roll_id, **stores)
    assert (code, out) == (0, f"unloaded     {roll_id}\n"), errors
    assert await keys_left(redis) == []
    other = make_roll(tmp_path, 100, laws=LAWS, seed=4)
    await load(redis, other, open_election(*LAWS))
    assert (await read_roll_info(redis)).roll_id == other.database.manifest.roll_id


async def test_one_attempt_is_enough_to_refuse(
    redis: ShardClient, clickhouse: AsyncClient, roll: Roll, stores: dict[str, str]
) -> None:
    await load(redis, roll, open_election(*LAWS))
    roll_id = roll.database.manifest.roll_id
    store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
    assert (await store.cast(*stranger(LAWS[0], random.Random(1)))).status == "invalid"
    code, _, errors = await scrutin("roll", "unload", roll_id, **stores)
    assert (code, "there are 1 votes or attempts" in errors) == (2, True), errors
    assert (await read_roll_info(redis)).roll_id == roll_id


async def test_a_days_votes_are_not_removed(day: Day, stores: dict[str, str]) -> None:
    before = await keys_left(day.redis)
    code, _, errors = await scrutin("roll", "unload", day.store.info.roll_id, **stores)
    assert (code, "nothing is removed" in errors) == (2, True), errors
    assert await keys_left(day.redis) == before


@pytest.mark.parametrize("again", [False, True])
async def test_a_roll_that_is_loaded_meanwhile_stays(
    redis: ShardClient, clickhouse: AsyncClient, roll: Roll, tmp_path: Path, again: bool
) -> None:
    """The same one, or another: none before all is gone, and then it is not removed."""
    await load(redis, roll, open_election(*LAWS))
    other = roll if again else make_roll(tmp_path, 100, laws=LAWS, seed=4)
    roll_id = roll.database.manifest.roll_id
    unloading = asyncio.create_task(wipe(redis, clickhouse, roll_id, NOTHING, settle_s=3.0))

    async def has(field: str) -> bool:
        key = keys.meta_key(keys.SHARDS - 1)
        return await redis.call(keys.SHARDS - 1, pack("HGET", key, field)) is not None

    async def stopped() -> bool:
        return not await has("ready")

    async def gone() -> bool:
        return not await has("removing")

    await until(stopped, "a shard that takes no ballots")
    with pytest.raises(ShardsError, match="REMOVING"):
        await load(redis, other, open_election(*LAWS))
    await until(gone, "no roll")
    await load(redis, other, open_election(*LAWS))
    store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
    vote = vote_of(other.electors[0], random.Random(2))
    assert (await store.cast(*vote)).status == "accepted"
    with pytest.raises(AccuracyRefused, match="loaded meanwhile"):
        await unloading
    assert (await store.cast(*vote)).status == "accepted"  # as before: it is kept
    assert (await read_roll_info(redis)).roll_id == other.database.manifest.roll_id


async def test_what_a_killed_unload_stopped_is_loaded_again(
    day: Day, roll: Roll, stores: dict[str, str]
) -> None:
    """It is refused because of the votes, and then does not keep a load from finishing."""
    await stop_taking(day.redis)
    with pytest.raises(ShardsError, match="REMOVING"):
        await load(day.redis, roll, open_election(*LAWS))
    code, _, errors = await scrutin("roll", "unload", day.store.info.roll_id, **stores)
    assert (code, "nothing is removed" in errors) == (2, True), errors
    await load(day.redis, roll, open_election(*LAWS))
    assert (await read_roll_info(day.redis)).roll_id == day.store.info.roll_id
