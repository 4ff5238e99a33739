"""Loading a roll: checked, resumable, never over a cast ballot."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from hashgen import BallotHasher, ballot_hash
from hashgen.errors import DatabaseError
from hashgen.generate import Options
from shards import keys
from shards.census import on_roll
from shards.client import ShardClient
from shards.command import pack
from shards.election import Election
from shards.errors import ConfigurationError, RollConflict, RollLost, RollMissing, ShardsError
from shards.load import buckets_of, count_electors, load_roll
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.roll import RollStore, read_roll_info
from tests.support.rolls import LAW, Roll, load, make_roll, open_election


@pytest.mark.parametrize("options", [Options(), Options(shard_size=7), Options(format="binary")])
async def test_every_elector_can_vote_whatever_the_files(
    client: ShardClient, tmp_path: Path, options: Options
) -> None:
    roll = make_roll(tmp_path, 300, laws=(LAW, "L2"), options=options)
    await load(client, roll, open_election(LAW, "L2"))
    store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
    assert store.info.laws == {LAW: 300, "L2": 300}
    for elector in roll.electors:
        cast = await store.cast(ballot_hash(*elector), elector.law_id, "non", b"r" * 16)
        assert cast.status == "accepted"


async def test_buckets_are_whole_and_small_enough_for_a_listpack(
    tmp_path: Path,
) -> None:
    roll = make_roll(tmp_path, 50_000, options=Options(shard_size=999))
    buckets = list(buckets_of(roll.database, 5))
    places = [(bucket.shard, bucket.number) for bucket in buckets]
    assert places == sorted(set(places))
    assert sum(bucket.electors for bucket in buckets) == 50_000
    assert max(bucket.electors for bucket in buckets) <= 128


async def test_loading_again_leaves_cast_ballots_alone(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = [ballot_hash(*elector) for elector in roll.electors[:50]]
    for ballot in ballots:
        await store.cast(ballot, LAW, "oui", ballot[:16])
    await load(client, roll, open_election(LAW))
    for ballot in ballots:
        assert (await store.cast(ballot, LAW, "oui", b"x" * 16)).status == "duplicate"


async def test_a_killed_load_goes_on(client: ShardClient, roll: Roll) -> None:
    rng = random.Random(5)
    for _ in range(5):
        stop_after = rng.randrange(1, 3000)
        done = 0

        def count(electors: int, limit: int = stop_after) -> None:
            nonlocal done
            done += electors
            if done >= limit:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await load_roll(client, roll.database, open_election(LAW), count)
        with pytest.raises(RollMissing):
            await read_roll_info(client)
    await load(client, roll, open_election(LAW))
    info = await read_roll_info(client)
    counts = await count_electors(client, info.buckets_per_shard)
    assert sum(counts) == info.electors == len(roll.electors)


async def test_many_hashes_are_looked_up_a_bounded_number_at_a_time(
    cluster: LocalCluster, store: RollStore, roll: Roll
) -> None:
    known = [ballot_hash(*elector) for elector in roll.electors[:1500]]
    strangers = [ballot_hash(nas, code[::-1] + "X", law) for nas, code, law in roll.electors[:1500]]
    client = await ShardClient.connect(RedisOptions(cluster.url, waiting_max=1025))
    try:
        found = await on_roll(client, known + strangers, store.info.buckets_per_shard)
    finally:
        await client.aclose()
    assert found == set(known)


@pytest.mark.parametrize("shard", [0, 3])
@pytest.mark.parametrize("whole_shard", [False, True])
async def test_electors_lost_from_a_roll_in_use_are_not_filled_again(
    store: RollStore, client: ShardClient, roll: Roll, shard: int, whole_shard: bool
) -> None:
    ballot = next(h for h in (ballot_hash(*e) for e in roll.electors) if h[0] == shard)
    assert (await store.cast(ballot, LAW, "oui", b"a" * 16)).status == "accepted"
    await client.call(shard, pack("DEL", keys.bucket_key(shard, 0)))
    if whole_shard:
        await client.call(shard, pack("DEL", keys.meta_key(shard)))
    with pytest.raises(RollLost, match="scrutin replay"):
        await load(client, roll, open_election(LAW))
    assert await client.call(shard, pack("EXISTS", keys.bucket_key(shard, 0))) == 0


async def test_one_elector_who_is_gone_is_no_reason_to_load_again(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    """Buckets that are there are not filled again, so that it would be said for ever."""
    ballot = next(h for h in (ballot_hash(*e) for e in roll.electors) if h[0] == 3)
    bucket = keys.bucket_key(3, keys.bucket_of(ballot, store.info.buckets_per_shard))
    await client.call(3, pack("HDEL", bucket, keys.field_of(ballot)))
    with pytest.raises(RollLost, match=r"holds 2999 electors.*scrutin replay"):
        await load(client, roll, open_election(LAW))


def _until(closes_at: datetime) -> Election:
    election = open_election(LAW)
    laws = [msgspec.structs.replace(law, closes_at=closes_at) for law in election.laws]
    return msgspec.structs.replace(election, laws=laws)


async def test_a_law_that_has_closed_is_opened_again_only_on_purpose(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    ballots = [ballot_hash(*elector) for elector in roll.electors[:2]]
    now = datetime.now(UTC)
    await load(client, roll, _until(now + timedelta(hours=2)))  # longer, while it is open
    with pytest.raises(ShardsError, match=f"PAST law {LAW} may have taken votes since"):
        await load(client, roll, _until(now))
    soon = datetime.now(UTC) + timedelta(seconds=2)
    await load(client, roll, _until(soon))  # shorter
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.01)
    assert (await store.cast(ballots[0], LAW, "oui", b"a" * 16)).status == "closed"
    longer = open_election(LAW)
    with pytest.raises(ShardsError, match=f"CLOSED law {LAW} has closed.*--reopen"):
        await load(client, roll, longer)
    assert (await store.cast(ballots[0], LAW, "oui", b"a" * 16)).status == "closed"
    await load(client, roll, _until(soon))  # as it is
    await load_roll(client, roll.database, longer, reopen=True)
    assert (await store.cast(ballots[1], LAW, "oui", b"b" * 16)).status == "accepted"


async def test_a_law_is_not_closed_by_a_roll_that_never_took_ballots(
    client: ShardClient, roll: Roll
) -> None:
    """As when a load is stopped because its hours are of another day."""

    def stop(_electors: int) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await load_roll(client, roll.database, _until(datetime.now(UTC)), stop)
    await load(client, roll, open_election(LAW))
    store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
    ballot = ballot_hash(*roll.electors[0])
    assert (await store.cast(ballot, LAW, "oui", b"a" * 16)).status == "accepted"


async def test_a_load_killed_while_opening_the_shards_goes_on(
    store: RollStore, client: ShardClient, roll: Roll
) -> None:
    await client.call(3, pack("HDEL", keys.meta_key(3), "ready"))
    await load(client, roll, open_election(LAW))
    assert (await read_roll_info(client)).electors == len(roll.electors)


async def test_a_foreign_elector_in_the_cluster_is_noticed(client: ShardClient, roll: Roll) -> None:
    await load(client, roll, open_election(LAW))
    await client.call(3, pack("HSET", keys.bucket_key(3, 0), "f" * 16, "0"))
    with pytest.raises(ShardsError, match="3001 electors"):
        await load(client, roll, open_election(LAW))


async def test_another_roll_is_refused(client: ShardClient, roll: Roll, tmp_path: Path) -> None:
    await load(client, roll, open_election(LAW))
    other = make_roll(tmp_path / "other", 100, seed=1)
    with pytest.raises(RollConflict, match="takes one roll"):
        await load(client, other, open_election(LAW))


async def test_a_roll_in_another_layout_is_neither_used_nor_filled(
    client: ShardClient, roll: Roll
) -> None:
    await load(client, roll, open_election(LAW))
    info = await read_roll_info(client)
    older = msgspec.json.encode(msgspec.structs.replace(info, field_size_bytes=16))
    await client.call_each(lambda shard: pack("HSET", keys.meta_key(shard), "info", older))
    with pytest.raises(RollConflict, match="layout"):
        await RollStore.open(client, scheme=info.scheme, key_fingerprint=info.key_fingerprint)
    with pytest.raises(RollConflict, match="layout"):
        await load(client, roll, open_election(LAW))
    assert await client.call(0, pack("HGET", keys.meta_key(0), "info")) == older


async def test_the_same_electors_under_another_scheme_are_refused(
    client: ShardClient, roll: Roll, tmp_path: Path
) -> None:
    await load(client, roll, open_election(LAW))
    keyed = make_roll(tmp_path, 3000, hasher=BallotHasher("hmac-sha256", b"k" * 32))
    with pytest.raises(RollConflict):
        await load(client, keyed, open_election(LAW))


async def test_a_law_without_a_window_is_refused(client: ShardClient, roll: Roll) -> None:
    with pytest.raises(ConfigurationError, match=LAW):
        await load_roll(client, roll.database, open_election("L-other"))


async def test_a_damaged_file_is_noticed_before_anything_is_written(
    client: ShardClient, tmp_path: Path
) -> None:
    roll = make_roll(tmp_path, 1000, options=Options(shard_size=100, format="binary"))
    last = roll.database.directory / roll.database.manifest.shards[-1].file
    damaged = bytearray(last.read_bytes())
    damaged[50] ^= 1
    last.write_bytes(damaged)
    with pytest.raises(DatabaseError, match=last.name):
        await load(client, roll, open_election(LAW))
    with pytest.raises(RollMissing, match="no roll is loaded"):
        await read_roll_info(client)
