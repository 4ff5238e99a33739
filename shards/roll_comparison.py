"""Holds the electors in Redis against the hash database that they were loaded from, one by one."""

from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import msgspec

from hashgen.database import HashDatabase, Manifest
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.load import Bucket, buckets_of, roll_info
from shards.roll import RollInfo


class ShardMatch(NamedTuple):
    """What Redis and the database have of one shard, by the first 13 bytes of the hashes.

    `matched`: how many electors both have; `missing`: the database alone; `unknown`: Redis alone.
    """

    matched: int
    missing: set[bytes]
    unknown: set[bytes]


def is_of(manifest: Manifest, info: RollInfo) -> bool:
    """Say whether a loaded roll says of itself what a manifest does; its layout is its own."""
    layout = {
        "buckets_per_shard": info.buckets_per_shard,
        "field_size_bytes": info.field_size_bytes,
    }
    return msgspec.structs.replace(roll_info(manifest), **layout) == info


async def match_shards(
    client: ShardClient, info: RollInfo, database: HashDatabase
) -> AsyncIterator[ShardMatch]:
    """Compare a checked database with the roll in Redis, shard after shard, all of them.

    Only who is on the roll, which votes do not change. Raises `Unavailable`, DatabaseError.
    """
    parts = _by_shard(buckets_of(database, info.buckets_per_shard))
    for shard, buckets in enumerate(parts):
        replies = await client.call_in_turn(
            (shard, pack("HKEYS", keys.bucket_key(shard, number)))
            for number in range(info.buckets_per_shard)
        )
        loaded = {(number, field) for number, fields in enumerate(replies) for field in fields}
        known = {(bucket.number, field) for bucket in buckets for field in _fields(bucket)}
        beginning = bytes([shard])
        yield ShardMatch(
            matched=len(loaded & known),
            missing={beginning + field for _, field in known - loaded},
            unknown={beginning + field for _, field in loaded - known},
        )


def _by_shard(buckets: Iterator[Bucket]) -> Iterator[list[Bucket]]:
    """Yield the buckets of each shard, none for a shard that has none."""
    found = groupby(buckets, attrgetter("shard"))
    number, held = next(found, (None, iter(())))
    for shard in range(keys.SHARDS):
        if shard != number:
            yield []
            continue
        yield list(held)
        number, held = next(found, (None, iter(())))


def _fields(bucket: Bucket) -> Iterator[bytes]:
    size = keys.FIELD_SIZE_BYTES
    for start in range(0, len(bucket.fields), size):
        yield bucket.fields[start : start + size]
