"""The comparison of one shard: what may be seen of votes that came while it was read."""

import itertools
import random

import pytest

from clickhouse.comparison import ShardComparison, ShardRead, event_id
from clickhouse.history import Ballot
from clickhouse.replay import cast_ballots
from shards.census import ShardCensus
from shards.events import EventId, OutboxEvent
from shards.keys import field_of
from shards.records import Repeat, encode_record, encode_repeats
from tests.support.clickhouse import accepted_twice

SHARD = 0xAB
HASHES = [bytes([SHARD]) + bytes([number]) * 31 for number in range(4)]


def day(rng: random.Random, count: int) -> list[OutboxEvent]:
    """Draw the events of one shard, in order; several in a ms."""
    attempts: dict[bytes, int] = {}
    events = []
    for number in range(count):
        vote_hash = rng.choice(HASHES)
        attempt = attempts.get(vote_hash, -1) + 1
        attempts[vote_hash] = attempt
        status = "duplicate" if attempt else "accepted"
        vote, request_id = rng.choice(("oui", "non")), rng.randbytes(16)
        events.append(
            OutboxEvent(
                SHARD,
                100 + number // 2,
                number % 2,
                vote_hash,
                "L",
                vote,
                status,
                request_id,
                attempt,
            )
        )
    return events


def census_at(events: list[OutboxEvent], seen: dict[bytes, int], fences: slice) -> ShardCensus:
    """Make the census of a shard of which each elector was read after so many of all events."""
    ids = [(0, 0)] + [event_id(event) for event in events]
    records, repeats = {}, {}
    for vote_hash, upto in seen.items():
        mine = [event for event in events[:upto] if event.vote_hash == vote_hash]
        if mine:
            again = [Repeat(event.request_id, event.vote) for event in mine[1:]]
            field = field_of(vote_hash)
            records[field] = encode_record(mine[0].request_id, mine[0].vote, len(again))
            if again:
                repeats[field] = encode_repeats(again)
    return ShardCensus(SHARD, 4, records, repeats, ids[fences.start], ids[fences.stop])


def ballots_of(events: list[OutboxEvent]) -> list[Ballot]:
    return [Ballot(*e[:6], e.request_id) for e in events if e.status == "accepted"]


def by_hash(events: list[OutboxEvent]) -> list[OutboxEvent]:
    return sorted(events, key=lambda event: (event.vote_hash, event_id(event)))


def compare(
    events: list[OutboxEvent],
    census: ShardCensus,
    *,
    trimmed: int,
    audited: int,
    latest: EventId,
) -> ShardComparison:
    """Compare when so many events were trimmed, and so many of the others are stored already."""
    last = sum(event_id(event) <= census.last for event in events)
    return ShardComparison(
        ShardRead(
            census=census,
            waiting=events[trimmed:last],
            ballots=sorted(ballots_of(events[:audited]), key=lambda b: (b.vote_hash, event_id(b))),
            events=by_hash(events[:audited]),
            latest=latest,
        )
    )


@pytest.mark.parametrize("seed", range(200))
def test_whatever_moves_while_a_shard_is_read_is_no_difference(seed: int) -> None:
    rng = random.Random(seed)
    events = day(rng, 60)
    first, last, audited = sorted(rng.randrange(61) for _ in range(3))
    trimmed = rng.randrange(min(last, audited) + 1)
    seen = {vote_hash: rng.randrange(first, last + 1) for vote_hash in HASHES}
    latest = event_id(events[audited - 1]) if audited else (0, 0)
    comparison = compare(
        events,
        census_at(events, seen, slice(first, last)),
        trimmed=trimmed,
        audited=audited,
        latest=max(latest, (0, 0)),
    )
    assert comparison.differences == []
    assert comparison.absent == set()


def test_a_record_older_than_the_first_fence_is_a_difference() -> None:
    events = day(random.Random(1), 40)
    newest = dict.fromkeys(HASHES, 40)
    for vote_hash in HASHES:
        last = max(n for n, event in enumerate(events) if event.vote_hash == vote_hash)
        census = census_at(events, newest | {vote_hash: last}, slice(40, 40))
        found = compare(events, census, trimmed=40, audited=40, latest=event_id(events[-1]))
        assert {(d.kind, d.vote_hash) for d in found.differences} == {
            ("record", vote_hash.hex()),
            ("repeats", vote_hash.hex()),
        }


def test_an_event_in_neither_outbox_nor_tables_is_a_difference() -> None:
    events = day(random.Random(2), 40)
    for missing in events:
        left = [event for event in events if event != missing]
        census = census_at(events, dict.fromkeys(HASHES, 40), slice(40, 40))
        latest = event_id(events[-1])
        found = compare(left, census, trimmed=0, audited=0, latest=latest)
        named = {difference.vote_hash for difference in found.differences}
        known = bytes([missing.shard]) + field_of(missing.vote_hash)
        assert named == {missing.vote_hash.hex()} or named == {known.hex()}


def test_a_vote_that_the_roll_lost_is_missed_though_it_was_the_shards_last() -> None:
    [event] = day(random.Random(5), 1)
    for fences, absent in ((slice(1, 1), {event.vote_hash}), (slice(0, 1), set())):
        census = census_at([event], {}, fences)
        read = ShardRead(census, [], ballots_of([event]), [event], event_id(event))
        assert ShardComparison(read).absent == absent


def test_a_ballot_may_be_missing_only_while_its_event_waits() -> None:
    events = day(random.Random(3), 40)
    census = census_at(events, dict.fromkeys(HASHES, 40), slice(40, 40))
    for waiting, kinds in ((events, set()), ([], {"no-ballot"})):
        read = ShardRead(
            census=census,
            waiting=waiting,
            ballots=[],
            events=by_hash(events),
            latest=event_id(events[-1]),
        )
        assert {difference.kind for difference in ShardComparison(read).differences} == kinds


def test_what_is_replayed_is_what_the_roll_held() -> None:
    """The records that a replay writes are those of the shard, whichever table has the ballot."""
    events = day(random.Random(4), 200)
    census = census_at(events, dict.fromkeys(HASHES, 200), slice(200, 200))
    for kept in itertools.product((True, False), repeat=2):
        in_audit = [e for e in events if kept[0] or e.status != "accepted"]
        ballots = ballots_of(events) if kept[1] or not kept[0] else []
        replayed = list(cast_ballots(by_hash(in_audit), by_hash_of(ballots)))
        assert {
            field_of(b.ballot_hash): encode_record(b.request_id, b.vote, b.attempts)
            for b in replayed
        } == census.records
        assert {
            field_of(b.ballot_hash): encode_repeats(b.repeats) for b in replayed if b.repeats
        } == census.repeats


def test_of_two_events_that_accepted_a_ballot_the_first_is_replayed() -> None:
    first, again = accepted_twice(100)
    of_first, of_again = ballots_of([first]), ballots_of([again])
    for events, ballots in (([first, again], of_first), ([first], of_again), ([again], of_first)):
        [replayed] = cast_ballots(events, ballots)
        assert (replayed.request_id, replayed.vote) == (first.request_id, first.vote)


def by_hash_of(ballots: list[Ballot]) -> list[Ballot]:
    return sorted(ballots, key=lambda ballot: ballot.vote_hash)
