"""The outbox: the events of all shards, read up to a fence, trimmed once they are stored."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.completeness import Fence, Watermark
from shards.connection import Reply
from shards.errors import StrangeEntry, Unavailable
from shards.events import EventId, OutboxEvent, decode_event_id, decode_events, encode_event_id
from shards.functions import fcall

DECODED_AT_ONCE = 1000  # events; some two milliseconds
SHARE_ROWS_MAX = 10_000  # a shard's part of a batch, which keeps its server from votes for 8 ms


class OutboxBatch(msgspec.Struct, frozen=True):
    """Events to store together.

    `trims`: the last event id of each shard in the batch. `token` names exactly this batch.
    `complete_until_ms`: every event decided before this server time is in this batch or was
    trimmed before it; None when there is no such time since the batch before. `leases`: the token
    of the lease under which each shard was read. `left_out`: why some shards give nothing.
    """

    events: list[OutboxEvent]
    trims: dict[int, EventId]
    token: str
    complete_until_ms: int | None
    leases: dict[int, int] = {}
    left_out: list[StrangeEntry] = []


class ShardDepth(NamedTuple):
    """What waits in the outbox of one shard, and since when the oldest of it; 0 for nothing."""

    events: int
    oldest_age_s: float


class Outbox:
    """Reads and trims the outbox streams under a lease a shard.

    The lease spares work: two drainers on one shard store the same rows twice, which the tables
    collapse. Its token keeps a drainer that was away from trimming what it read before others
    took over.
    """

    def __init__(self, client: ShardClient, *, owner: str, lease_ms: int = 3000) -> None:
        self.lease_ms = lease_ms
        self._client = client
        self._owner = owner
        self._watermark: Watermark | None = None  # not reached yet

    async def read(self, rows_max: int) -> OutboxBatch:
        """Fence the shards, then read what lies before the fences, about `rows_max` rows.

        A shard that no primary serves is left for later, and so is one whose primary changes
        meanwhile: an old one that wakes may be asked for what the new one has fenced, and has
        events of its own, never confirmed. One with an entry that is no attempt is left out until
        somebody has looked at it. Raises `Unavailable` when none answers: nothing is lost, read
        again.
        """
        moves = self._client.moves()
        fences = await self._fence()
        readable = {shard: fence for shard, fence in fences.items() if fence.lease}
        share = _share((fence.length for fence in readable.values()), rows_max)
        slices = await self._client.call_reachable(
            (shard, _slice_command(shard, fence, share)) for shard, fence in readable.items()
        )
        moved = [now != before for now, before in zip(self._client.moves(), moves, strict=True)]
        events: list[OutboxEvent] = []
        trims: dict[int, EventId] = {}
        left_out: list[StrangeEntry] = []
        name = hashlib.sha256()
        for shard, entries in slices.items():
            if not entries or moved[shard]:  # trimmed by another drainer meanwhile
                continue
            try:
                events += await _decode(shard, entries)
            except StrangeEntry as error:
                left_out.append(error)
                continue
            name.update(b"%02x %b %b\n" % (shard, entries[0][0], entries[-1][0]))
            trims[shard] = decode_event_id(entries[-1][0])
        leases = {shard: readable[shard].lease for shard in trims}
        complete_until_ms = self._complete_until(fences, trims)
        return OutboxBatch(events, trims, name.hexdigest(), complete_until_ms, leases, left_out)

    async def renew(self, batch: OutboxBatch) -> None:
        """Keep the batch's leases while it is being stored; raises `Unavailable`."""
        await self._client.call_reachable(
            (
                shard,
                fcall(
                    "renew",
                    (keys.lease_key(shard), keys.token_key(shard)),
                    self._owner,
                    token,
                    self.lease_ms,
                ),
            )
            for shard, token in batch.leases.items()
        )

    async def trim(self, batch: OutboxBatch) -> list[int]:
        """Drop a stored batch from the outbox; safe to repeat; raises `Unavailable`.

        Returns the shards that still have it: another drainer took a lease since it was read, or
        no primary answers. Nothing is lost then, the events are read and stored again.
        """
        dropped = await self._client.call_reachable(
            (
                shard,
                fcall(
                    "trim",
                    (keys.outbox_key(shard), keys.token_key(shard)),
                    batch.leases[shard],
                    f"{ms}-{seq + 1}",
                ),
            )
            for shard, (ms, seq) in batch.trims.items()
        )
        return [shard for shard in batch.trims if dropped.get(shard, -1) < 0]

    async def release(self) -> None:
        """Give the leases back, so that another drainer need not wait for them to expire.

        Raises `Unavailable` when no shard answers.
        """
        await self._client.call_reachable(
            (shard, fcall("release", (keys.lease_key(shard),), self._owner))
            for shard in range(keys.SHARDS)
        )

    async def depth(self) -> dict[int, ShardDepth]:
        """Measure what waits, by shard, in those that answer; raises `Unavailable`."""
        depths = await self._client.call_reachable(
            (shard, fcall("depth", (keys.outbox_key(shard),))) for shard in range(keys.SHARDS)
        )
        return {
            shard: ShardDepth(events, age_ms / 1000) for shard, (events, age_ms) in depths.items()
        }

    async def waiting(self) -> int:
        """Count all that waits; raises `Unavailable`, also when not every shard answers."""
        depths = await self.depth()
        if silent := keys.SHARDS - len(depths):
            raise Unavailable(f"{silent} shards do not answer, and what waits there is not known")
        return sum(depth.events for depth in depths.values())

    async def _fence(self) -> dict[int, Fence]:
        replies = await self._client.call_reachable(
            (
                shard,
                fcall(
                    "fence",
                    (keys.outbox_key(shard), keys.lease_key(shard), keys.token_key(shard)),
                    self._owner,
                    self.lease_ms,
                ),
            )
            for shard in range(keys.SHARDS)
        )
        return {shard: Fence.of(*reply) for shard, reply in replies.items()}

    def _complete_until(self, fences: dict[int, Fence], trims: dict[int, EventId]) -> int | None:
        """Return up to when nothing is missing once these events are stored, None if unknown.

        That is now when nothing is left. Else, and with other drainers something always may be, it
        is the time of an earlier look, of which everything has been stored since.
        """
        now = Watermark.at(fences) if len(fences) == keys.SHARDS else None
        if now is not None and now.reached(trims):
            self._watermark = None
            return now.until_ms
        held = self._watermark.after(fences) if self._watermark is not None else None
        if held is not None and held.reached(trims):
            self._watermark = now
            return held.until_ms
        self._watermark = now if held is None else held
        return None


def _share(lengths: Iterable[int], rows_max: int) -> int:
    """Return how much a shard may give of a batch: what some do not have, others may give."""
    share, left, waiting = 1, rows_max, sorted(lengths)
    for before, length in enumerate(waiting):
        share = max(1, left // (len(waiting) - before))
        if length > share:
            break
        left -= length
    return min(share, SHARE_ROWS_MAX)


async def _decode(shard: int, entries: list[Reply]) -> list[OutboxEvent]:
    """Decode all of a shard or nothing; raises `StrangeEntry`."""
    events: list[OutboxEvent] = []
    for first in range(0, len(entries), DECODED_AT_ONCE):
        events += decode_events(shard, entries[first : first + DECODED_AT_ONCE])
        await asyncio.sleep(0)  # an edge that votes wait for may share this loop
    return events


def _slice_command(shard: int, fence: Fence, count: int) -> bytes:
    last = encode_event_id(fence.last)
    return pack("XRANGE", keys.outbox_key(shard), "-", last, "COUNT", count)
