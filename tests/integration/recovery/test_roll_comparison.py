"""An elector who was put on the roll in Redis is found, whatever all stores agree on."""

import random
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clickhouse.verify import Verification, Verifier
from edge.records.signing_keys import make_signing_key
from hashgen.database import HashDatabase
from shards import keys
from shards.command import pack
from shards.errors import RollConflict
from tests.integration.edge.test_commands import scrutin
from tests.integration.recovery.conftest import LAWS, Day
from tests.support.ballots import vote_of
from tests.support.rolls import Roll, close_at, load, make_roll, open_election


async def verified(day: Day, database: HashDatabase | None) -> Verification:
    return await Verifier(day.redis, day.clickhouse, database=database, settled=True).run()


async def swap_elector(day: Day, roll: Roll) -> tuple[bytes, bytes]:
    """Give the place of somebody who has not voted to a card that was never issued, and vote."""
    voted = {answer.vote.ballot for answer in day.log}
    votes = [vote_of(elector, random.Random(1)) for elector in roll.electors]
    idle = next(vote for vote in votes if vote.ballot not in voted)
    shard, rng = idle.ballot[0], random.Random(2)
    forged = idle.ballot[:1] + rng.randbytes(31)
    await day.redis.call(shard, pack("HDEL", _bucket(day, idle.ballot), keys.field_of(idle.ballot)))
    await day.redis.call(shard, pack("HSET", _bucket(day, forged), keys.field_of(forged), "0"))
    cast = await day.store.cast(forged, LAWS[0], "oui", uuid.uuid4().bytes)
    assert cast.status == "accepted"
    await day.drain()
    return idle.ballot, forged


def _bucket(day: Day, ballot: bytes) -> bytes:
    return keys.bucket_key(ballot[0], keys.bucket_of(ballot, day.store.info.buckets_per_shard))


async def test_all_electors_are_those_of_the_database(day: Day, roll: Roll) -> None:
    found = await verified(day, roll.database)
    assert found.differences == []
    assert found.matched == found.electors == len(roll.electors)
    assert (await verified(day, None)).matched == 0


async def test_an_elector_who_was_swapped_is_found(day: Day, roll: Roll) -> None:
    gone, forged = await swap_elector(day, roll)
    assert (await verified(day, None)).differences == []  # all stores were told the same
    found = await verified(day, roll.database)
    assert [(kind, name) for kind, name, _ in found.differences] == [
        ("not-loaded", gone[:13].hex()),
        ("not-in-database", forged[:13].hex()),
    ]
    assert found.matched == found.electors - 1


async def test_an_empty_shard_is_compared_too(day: Day, tmp_path: Path, roll: Roll) -> None:
    """A small roll leaves shards without electors."""
    few = make_roll(tmp_path, 40, laws=LAWS)
    await day.redis.call_each(lambda shard: pack("DEL", keys.meta_key(shard)))
    size = day.store.info.buckets_per_shard
    await day.redis.call_all(
        (shard, pack("DEL", keys.bucket_key(shard, bucket)))
        for shard in range(keys.SHARDS)
        for bucket in range(size)
    )
    await load(day.redis, few, open_election(*LAWS))
    used = {entry[0] for entry in _hashes(few.database)}
    empty = next(shard for shard in range(keys.SHARDS) if shard not in used)
    field = b"\1" * keys.FIELD_SIZE_BYTES
    await day.redis.call(empty, pack("HSET", keys.bucket_key(empty, 0), field, "0"))
    found = await verified(day, few.database)
    assert found.matched == len(few.electors)
    names = [name for kind, name, _ in found.differences if kind == "not-in-database"]
    assert names == [(bytes([empty]) + field).hex()]


def _hashes(database: HashDatabase) -> list[bytes]:
    joined = b"".join(database.read(entry) for entry in database.manifest.shards)
    return [joined[start : start + 32] for start in range(0, len(joined), 32)]


async def test_the_database_of_another_roll_is_refused(day: Day, tmp_path: Path) -> None:
    other = make_roll(tmp_path, 100, laws=LAWS, seed=4)
    with pytest.raises(RollConflict, match="of another roll"):
        await verified(day, other.database)


async def test_commands_hold_the_roll_against_the_database(
    day: Day, roll: Roll, stores: dict[str, str], tmp_path: Path
) -> None:
    directory = str(roll.database.directory)
    key = tmp_path / "key.pem"
    make_signing_key(key)
    where = {name: value for name, value in stores.items() if name != "durability"}
    code, out, errors = await scrutin("verify", "--roll", directory, **where)
    assert (code, "2,000 of them are in the hash database" in out) == (0, True), out + errors

    gone, forged = await swap_elector(day, roll)
    code, out, _ = await scrutin("verify", "--roll", directory, **where)
    assert (code, gone[:13].hex() in out, forged[:13].hex() in out) == (1, True, True), out

    await close_at(day.redis, datetime.now(UTC), *LAWS)
    records = tmp_path / "records"
    records.mkdir()
    close = ("close", "--signing-key", str(key), "--directory", str(records))
    code, _, errors = await scrutin(*close, "--roll", directory, **stores)
    assert (code, "not-in-database: 1" in errors) == (1, True), errors
    assert list(records.iterdir()) == []
    code, out, errors = await scrutin(*close, **stores)  # nobody looked
    assert code == 0, errors
