"""Writes ballots of earlier into a roll that is filled but not yet open for new ones."""

from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from shards import keys
from shards.client import ShardClient
from shards.errors import ReplayRefused
from shards.events import EventId
from shards.functions import fcall
from shards.records import Repeat, encode_record, encode_repeats
from shards.roll import RollInfo

CALLS_A_BATCH = 512


class CastBallot(NamedTuple):
    """A ballot that was accepted, and the duplicate attempts after it, oldest first."""

    ballot_hash: bytes
    vote: str
    request_id: bytes
    attempts: int
    repeats: Sequence[Repeat]


async def begin_replay(client: ShardClient) -> set[int]:
    """Open the shards and return those to fill: all, or what an earlier run left.

    From now on a load cannot open them for ballots. Raises `ReplayRefused` for a cluster that was
    in use, `Unavailable`.
    """
    states = await client.call_each(
        lambda shard: fcall("replay_begin", (keys.meta_key(shard), keys.outbox_key(shard)))
    )
    used = [shard for shard, state in enumerate(states) if state == b"used"]
    if used:
        raise ReplayRefused(
            f"{len(used)} of {keys.SHARDS} shards hold a roll or events already; "
            "a replay needs an empty cluster"
        )
    return {shard for shard, state in enumerate(states) if state == b"open"}


async def fill_ballots(client: ShardClient, info: RollInfo, ballots: Iterable[CastBallot]) -> int:
    """Write ballots, sorted by hash; return how many were not there yet. Safe to repeat.

    Raises `ReplayRefused` for a ballot that is not on the roll or that the roll holds otherwise,
    `Unavailable`.
    """

    def place(ballot: CastBallot) -> tuple[int, int]:
        shard = keys.shard_of(ballot.ballot_hash)
        return shard, keys.bucket_of(ballot.ballot_hash, info.buckets_per_shard)

    written = 0
    buckets = ((where, list(together)) for where, together in groupby(ballots, place))
    while batch := list(islice(buckets, CALLS_A_BATCH)):
        replies = await client.call_all(
            (shard, _fill_command(info, shard, bucket, together))
            for (shard, bucket), together in batch
        )
        for (_, together), (refusal, number) in zip(batch, replies, strict=True):
            if refusal:
                ballot_hash = together[number - 1].ballot_hash.hex()
                reason = "is not on this roll" if refusal == -1 else "has another record already"
                raise ReplayRefused(f"ballot {ballot_hash} {reason}")
            written += number
    return written


async def continue_after(client: ShardClient, info: RollInfo, last: dict[int, EventId]) -> None:
    """Let the event ids of shards continue above the last ones given before.

    Raises `Unavailable`, and `ShardsError` for a shard that has events or is not open.
    """
    await client.call_all(
        (
            shard,
            fcall(
                "replay_continue_after",
                (keys.outbox_key(shard), keys.meta_key(shard)),
                info.roll_id,
                f"{ms}-{seq}",
            ),
        )
        for shard, (ms, seq) in last.items()
    )


async def continue_trail_after(client: ShardClient, info: RollInfo, last: EventId) -> None:
    """Let the ids of the review queue's trail continue above the last one that was copied before.

    Entries below it would never be copied. Shard 0 must be open still. Raises `Unavailable`.
    """
    trail, meta = keys.review_trail_key(), keys.meta_key(0)
    last_id = "{}-{}".format(*last)
    await client.call(0, fcall("replay_continue_trail_after", (trail, meta), info.roll_id, last_id))


async def finish_replay(client: ShardClient, info: RollInfo, shards: Iterable[int]) -> None:
    """Open the shards for ballots; raises as `continue_after` does."""
    await client.call_all(
        (shard, fcall("replay_finish", (keys.meta_key(shard),), info.roll_id)) for shard in shards
    )


def _fill_command(info: RollInfo, shard: int, bucket: int, ballots: Sequence[CastBallot]) -> bytes:
    key = keys.bucket_key(shard, bucket)
    arguments: list[bytes] = []
    for ballot in ballots:
        arguments.append(keys.field_of(ballot.ballot_hash))
        arguments.append(encode_record(ballot.request_id, ballot.vote, ballot.attempts))
    again = [ballot for ballot in ballots if ballot.repeats]
    repeats_keys = [keys.repeats_key(shard, keys.field_of(b.ballot_hash)) for b in again]
    arguments += [encode_repeats(ballot.repeats) for ballot in again]
    return fcall(
        "replay_fill",
        (key, keys.meta_key(shard), *repeats_keys),
        info.roll_id,
        len(ballots),
        *arguments,
    )
