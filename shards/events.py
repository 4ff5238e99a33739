"""The events of an outbox stream: one decided attempt each."""

from typing import NamedTuple

from shards.connection import Reply

EventId = tuple[int, int]  # stream ms, stream seq


class OutboxEvent(NamedTuple):
    """One decided attempt; `attempt` is the n of the n-th duplicate, else 0."""

    shard: int
    stream_ms: int
    stream_seq: int
    vote_hash: bytes
    law_id: str
    vote: str
    status: str
    request_id: bytes
    attempt: int


def decode_event_id(text: bytes) -> EventId:
    """Parse a stream entry's id."""
    ms, seq = text.split(b"-")
    return int(ms), int(seq)


def encode_event_id(event_id: EventId) -> bytes:
    """Write a stream entry's id."""
    return b"%d-%d" % event_id


def decode_events(shard: int, entries: list[Reply]) -> list[OutboxEvent]:
    """Make events of a shard's stream entries."""
    events = []
    for event_id, fields in entries:
        ms, _, seq = event_id.partition(b"-")
        # names and values in turn, their order fixed by lua/cast.lua: h, l, v, s, r, n
        vote_hash, law_id, vote, status, request_id, attempt = fields[1::2]
        event = OutboxEvent(
            shard,
            int(ms),
            int(seq),
            vote_hash,
            law_id.decode(),
            vote.decode(),
            status.decode(),
            request_id,
            int(attempt),
        )
        events.append(event)
    return events
