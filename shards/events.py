"""The events of an outbox stream: one decided attempt each."""

from typing import NamedTuple

from shards.connection import Reply
from shards.errors import StrangeEntry
from shards.keys import outbox_key

EventId = tuple[int, int]  # stream ms, stream seq

NAMES = [b"h", b"l", b"v", b"s", b"r", b"n"]  # in the order of lua/cast.lua
VOTES = {b"oui": "oui", b"non": "non"}
STATUSES = {b"accepted": "accepted", b"duplicate": "duplicate", b"invalid": "invalid"}
HASH_BYTES, REQUEST_ID_BYTES = 32, 16


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
    """Make events of a shard's stream entries; raises `StrangeEntry`."""
    events = []
    for event_id, fields in entries:
        ms, _, seq = event_id.partition(b"-")
        try:
            vote_hash, law_id, vote, status, request_id, attempt = fields[1::2]
            event = OutboxEvent(
                shard,
                int(ms),
                int(seq),
                vote_hash,
                law_id.decode(),
                VOTES[vote],
                STATUSES[status],
                request_id,
                int(attempt),
            )
        except (ValueError, KeyError):
            raise _strange(shard, event_id) from None
        if (
            fields[::2] != NAMES
            or len(vote_hash) != HASH_BYTES
            or len(request_id) != REQUEST_ID_BYTES
        ):
            raise _strange(shard, event_id)
        events.append(event)
    return events


def _strange(shard: int, event_id: bytes) -> StrangeEntry:
    key, entry = outbox_key(shard).decode(), event_id.decode()
    return StrangeEntry(
        f"{key} holds an entry that is no attempt, {entry}, and its attempts wait. Nothing of "
        f"Scrutin's writes one: look at it (XRANGE {key} {entry} {entry}), "
        f"then remove it (XDEL {key} {entry})"
    )
