"""Up to when everything that was decided is stored, though the outbox may never be empty."""

from collections.abc import Mapping
from typing import NamedTuple

from shards.events import EventId, decode_event_id


class Fence(NamedTuple):
    """A shard's outbox at one moment of its server's time: how many events, the first and the last.

    `lease`: the token of our lease, 0 when another drainer has the shard or there is nothing in it.
    """

    now_ms: int
    length: int
    first: EventId
    last: EventId
    lease: int

    @classmethod
    def of(cls, now_ms: int, length: int, first: bytes, last: bytes, lease: int) -> "Fence":
        """Make it of a server's reply."""
        return cls(now_ms, length, decode_event_id(first), decode_event_id(last), lease)

    def holds(self, event_id: EventId) -> bool:
        """Say whether an event up to this one is still there."""
        return self.length > 0 and self.first <= event_id


class Watermark(NamedTuple):
    """All shards at one moment: what each held then, and still holds, as far as is known.

    What was decided in a shard before its fence has ids up to the last one at that moment. So
    once every shard has let go of these, nothing decided before `until_ms` waits any more, however
    much came since, whoever stored it, and whatever the clocks did meanwhile.
    """

    until_ms: int
    behind: dict[int, EventId]

    @classmethod
    def at(cls, fences: Mapping[int, Fence]) -> "Watermark":
        """Make one of all shards' fences."""
        behind = {shard: fence.last for shard, fence in fences.items() if fence.length}
        return cls(min(fence.now_ms for fence in fences.values()), behind)

    def after(self, fences: Mapping[int, Fence]) -> "Watermark":
        """Return what is left of it by later fences, of those shards that answered."""
        behind = {
            shard: last
            for shard, last in self.behind.items()
            if shard not in fences or fences[shard].holds(last)
        }
        return self._replace(behind=behind)

    def reached(self, stored: Mapping[int, EventId]) -> bool:
        """Say whether nothing is left once a batch is stored: the last id of each of its shards."""
        return all(shard in stored and stored[shard] >= last for shard, last in self.behind.items())
