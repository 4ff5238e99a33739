"""Compares one shard's electors in Redis with its events and ballots in the tables.

Votes may go on meanwhile. What was read is, in this order: the roll between two fences (`first`
and `last` of the census), the outbox up to `last`, the tables, and a fence after all (`latest`).
An event leaves the outbox only when both tables have it; so:

- every event up to `last` is in the outbox as read, or in both tables;
- an elector's record is the one after some event between `first` and `last`;
- events after `last` say nothing and are left out; after `latest` there can be none.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple

import msgspec

from clickhouse.history import Ballot
from shards.census import ShardCensus
from shards.events import EventId, OutboxEvent
from shards.keys import field_of
from shards.records import Repeat, encode_record, encode_repeats

Kind = Literal[
    "not-voted",
    "not-on-roll",
    "not-loaded",
    "not-in-database",
    "no-event",
    "record",
    "repeats",
    "never-accepted",
    "accepted-again",
    "attempts",
    "refused-elector",
    "event-twice",
    "lost-by-redis",
    "no-ballot",
    "ballot-twice",
    "ballot-differs",
    "ballot-without-event",
    "electors",
    "total",
    "published",
    "not-settled",
]


class Difference(NamedTuple):
    """One fact that two stores do not share.

    `vote_hash` in hex: 32 bytes, 13 where only the roll knows of it, empty for a total. The
    reference says what each kind means.
    """

    kind: Kind
    vote_hash: str
    text: str


class ShardRead(msgspec.Struct, frozen=True):
    """All that was read of a shard. Events and ballots are sorted by hash and event id."""

    census: ShardCensus
    waiting: list[OutboxEvent]
    ballots: list[Ballot]
    events: list[OutboxEvent]
    latest: EventId


class ShardComparison:
    """Compares on construction.

    `differences`: what was found; `absent`: ballots accepted that the roll does not show;
    `refused`: hashes refused as invalid, which must not be on the roll.
    """

    def __init__(self, read: ShardRead) -> None:
        self.differences: list[Difference] = []
        self.absent: set[bytes] = set()
        self.refused: set[bytes] = set()
        self.duplicates = 0
        self._census = read.census
        self._waiting_ids = {event_id(event) for event in read.waiting}
        self._records = dict(read.census.records)
        ballots = [ballot for ballot in read.ballots if self._known(ballot, read.latest)]
        self._ballots = {
            vote_hash: list(rows) for vote_hash, rows in groupby(ballots, attrgetter("vote_hash"))
        }
        for vote_hash, events in groupby(self._merged(read), attrgetter("vote_hash")):
            self._compare(vote_hash, list(events))
        self._compare_the_rest()

    def _known(self, row: OutboxEvent | Ballot, latest: EventId) -> bool:
        """Say whether a row is within the comparison; report one that Redis never gave."""
        if event_id(row) > latest:
            text = f"event {_name(row)} is later than any that its shard in Redis knows of"
            self._add("lost-by-redis", row.vote_hash, text)
        return event_id(row) <= self._census.last

    def _merged(self, read: ShardRead) -> Iterator[OutboxEvent]:
        """Yield the events of tables and outbox, each once, by hash and event id."""
        events = [event for event in read.events if self._known(event, read.latest)]
        by_id: dict[EventId, OutboxEvent] = {}
        for event in events + read.waiting:
            held = by_id.setdefault(event_id(event), event)
            if held != event:
                text = f"event {_name(event)} stands for two different attempts"
                self._add("event-twice", event.vote_hash, text)
        if read.waiting:
            return iter(sorted(by_id.values(), key=lambda e: (e.vote_hash, event_id(e))))
        return iter(by_id.values())

    def _compare(self, vote_hash: bytes, events: list[OutboxEvent]) -> None:
        cast = [event for event in events if event.status != "invalid"]
        if len(cast) < len(events):
            self.refused.add(vote_hash)
        ballots = self._ballots.pop(vote_hash, [])
        if not cast:
            return
        accepted = cast[0]
        duplicates = [event for event in cast[1:] if event.status == "duplicate"]
        self.duplicates += len(duplicates)
        if accepted.status != "accepted":
            self._add("never-accepted", vote_hash, "has duplicates and no accepted attempt")
            self._records.pop(field_of(vote_hash), None)
            return
        if len(duplicates) < len(cast) - 1:
            self._add("accepted-again", vote_hash, "was accepted more than once")
        if [event.attempt for event in duplicates] != list(range(1, len(duplicates) + 1)):
            self._add("attempts", vote_hash, "has duplicates that are not numbered 1, 2, 3, …")
        self._compare_record(accepted, duplicates)
        self._compare_ballots(accepted, ballots)

    def _compare_record(self, accepted: OutboxEvent, duplicates: Sequence[OutboxEvent]) -> None:
        """Hold the roll's record against the attempts, as many as it may have seen."""
        field, first = field_of(accepted.vote_hash), self._census.first
        record = self._records.pop(field, None)
        if record is None:
            if event_id(accepted) <= first:
                self.absent.add(accepted.vote_hash)
            return
        seen = sum(event_id(event) <= first for event in duplicates)
        counts = range(seen, len(duplicates) + 1)
        expected = [encode_record(accepted.request_id, accepted.vote, n) for n in counts]
        if record not in expected:
            self._add("record", accepted.vote_hash, _explain(record, expected))
        if counts[-1]:
            repeats = [Repeat(event.request_id, event.vote) for event in duplicates]
            held = self._census.repeats.get(field, b"")
            if held not in [encode_repeats(repeats[:n]) for n in counts]:
                text = "the roll remembers other duplicate attempts"
                self._add("repeats", accepted.vote_hash, text)

    def _compare_ballots(self, accepted: OutboxEvent, ballots: Sequence[Ballot]) -> None:
        vote_hash = accepted.vote_hash
        if not ballots:
            if event_id(accepted) not in self._waiting_ids:
                self._add("no-ballot", vote_hash, "was accepted and drained, and is not in ballots")
            return
        if len(ballots) > 1:
            self._add("ballot-twice", vote_hash, "has more than one ballot")
        if ballots[0] != _ballot_of(accepted):
            self._add("ballot-differs", vote_hash, "has a ballot other than the one accepted")

    def _compare_the_rest(self) -> None:
        """Report what no event accounts for."""
        for vote_hash in self._ballots:
            self._add("ballot-without-event", vote_hash, "has a ballot and no accepted attempt")
        for field in self._records:
            # The roll keeps only the hash's beginning: the shard and the field.
            known = bytes([self._census.shard]) + field
            self._add("no-event", known, "voted by the roll; neither vote_audit nor outbox knows")

    def _add(self, kind: Kind, vote_hash: bytes, text: str) -> None:
        self.differences.append(Difference(kind, vote_hash.hex(), text))


def event_id(row: OutboxEvent | Ballot) -> EventId:
    """Return the id of an event, or of the event that accepted a ballot."""
    return row.stream_ms, row.stream_seq


def _name(row: OutboxEvent | Ballot) -> str:
    return f"{row.shard:02x}/{row.stream_ms}-{row.stream_seq}"


def _ballot_of(event: OutboxEvent) -> Ballot:
    return Ballot(*event[:6], request_id=event.request_id)


def _explain(record: bytes, expected: Sequence[bytes]) -> str:
    """Say what is wrong with a record, never the choice."""
    parts = {"choice": slice(0, 1), "request id": slice(1, 17), "attempt count": slice(17, None)}
    wrong = [
        name for name, part in parts.items() if record[part] not in [one[part] for one in expected]
    ]
    return f"the roll has another {' and '.join(wrong) or 'attempt count'}"
