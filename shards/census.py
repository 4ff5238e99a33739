"""Reads what Redis holds of whole shards, for comparison with the tables.

A shard is read in many steps while votes may go on. Every event has an id, and a shard gives them
in order, so fences (the last id given at a moment) tell which events the reading may or may not
have seen.
"""

from collections.abc import Collection, Iterable

import msgspec

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.events import EventId, OutboxEvent, decode_event_id, decode_events
from shards.functions import fcall
from shards.records import ONCE_BYTES

BUCKETS_A_CALL = 64  # the server is busy for about a millisecond
EVENTS_A_CALL = 1000


class ShardCensus(msgspec.Struct, frozen=True):
    """The electors of one shard.

    `records`: of those who have voted, record by field; `repeats`: what is kept of their
    duplicate attempts, by field. Both hold every event up to `first` and none after `last`.
    """

    shard: int
    electors: int
    records: dict[bytes, bytes]
    repeats: dict[bytes, bytes]
    first: EventId
    last: EventId


async def read_census(
    client: ShardClient, shards: Iterable[int], buckets_per_shard: int
) -> dict[int, ShardCensus]:
    """Read all electors of some shards; raises `Unavailable`."""
    shards = list(shards)
    firsts = await last_events(client, shards)
    records: dict[int, dict[bytes, bytes]] = {}
    repeats: dict[int, dict[bytes, bytes]] = {}
    electors: dict[int, int] = {}
    for shard in shards:
        replies = await client.call_all(
            (shard, fcall("census", buckets)) for buckets in _buckets(shard, buckets_per_shard)
        )
        electors[shard] = sum(reply[0] for reply in replies)
        records[shard] = {
            reply[place]: reply[place + 1] for reply in replies for place in range(1, len(reply), 2)
        }
        again = [field for field, record in records[shard].items() if len(record) > ONCE_BYTES]
        repeats[shard] = await _repeats(client, shard, again)
    lasts = await last_events(client, shards)
    return {
        shard: ShardCensus(
            shard, electors[shard], records[shard], repeats[shard], firsts[shard], lasts[shard]
        )
        for shard in shards
    }


async def last_events(client: ShardClient, shards: Iterable[int]) -> dict[int, EventId]:
    """Return the last event id that each shard gave, (0, 0) for none; raises `Unavailable`."""
    shards = list(shards)
    ids = await client.call_all(
        (shard, fcall("last_event", (keys.outbox_key(shard),))) for shard in shards
    )
    return {shard: decode_event_id(event_id) for shard, event_id in zip(shards, ids, strict=True)}


async def read_waiting(client: ShardClient, shard: int, last: EventId) -> list[OutboxEvent]:
    """Read the events up to `last` that are still in a shard's outbox.

    Raises `Unavailable` and `StrangeEntry`.
    """
    events: list[OutboxEvent] = []
    start = "-"
    while True:
        command = pack(
            "XRANGE", keys.outbox_key(shard), start, f"{last[0]}-{last[1]}", "COUNT", EVENTS_A_CALL
        )
        entries = await client.call(shard, command)
        events += decode_events(shard, entries)
        if len(entries) < EVENTS_A_CALL:
            return events
        start = f"({entries[-1][0].decode()}"


async def on_roll(
    client: ShardClient, ballot_hashes: Collection[bytes], buckets_per_shard: int
) -> set[bytes]:
    """Return those of some hashes that are on the roll; raises `Unavailable`."""

    def look(ballot_hash: bytes) -> tuple[int, bytes]:
        shard, bucket = ballot_hash[0], keys.bucket_of(ballot_hash, buckets_per_shard)
        key = keys.bucket_key(shard, bucket)
        return shard, pack("HEXISTS", key, keys.field_of(ballot_hash))

    found = await client.call_in_turn(look(ballot_hash) for ballot_hash in ballot_hashes)
    return {hash_ for hash_, there in zip(ballot_hashes, found, strict=True) if there}


def _buckets(shard: int, buckets_per_shard: int) -> Iterable[tuple[bytes, ...]]:
    for first in range(0, buckets_per_shard, BUCKETS_A_CALL):
        end = min(first + BUCKETS_A_CALL, buckets_per_shard)
        yield tuple(keys.bucket_key(shard, bucket) for bucket in range(first, end))


async def _repeats(client: ShardClient, shard: int, fields: list[bytes]) -> dict[bytes, bytes]:
    kept = await client.call_in_turn(
        (shard, pack("GET", keys.repeats_key(shard, field))) for field in fields
    )
    return {field: value or b"" for field, value in zip(fields, kept, strict=True)}
