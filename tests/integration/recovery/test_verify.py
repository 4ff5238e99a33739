"""Verify passes when all is well, also while votes go on, and finds every planted difference."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from clickhouse.errors import ClickHouseRejected
from clickhouse.history import Ballot, History
from clickhouse.verify import Verification, Verifier
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.events import OutboxEvent
from shards.functions import fcall
from shards.localcluster import LocalCluster
from shards.options import Durability, RedisOptions
from shards.results import publish_results, read_results
from tests.integration.recovery.conftest import LAWS, VOTERS, Day
from tests.support.ballots import Vote, cast_all, stranger, vote_of
from tests.support.rolls import Elector, Roll, empty, load, open_election


async def verified(day: Day, *, settled: bool = True, differences_max: int = 20) -> Verification:
    verifier = Verifier(day.redis, day.clickhouse, settled=settled, differences_max=differences_max)
    return await verifier.run()


async def test_all_agrees_and_the_counts_are_those_of_the_answers(day: Day) -> None:
    found = await verified(day)
    answered = Counter(answer.cast.status for answer in day.log)
    assert found.differences == []
    assert found.differences_total == 0
    assert (found.electors, found.voted, found.ballots) == (2000, VOTERS, VOTERS)
    assert answered == {
        "accepted": VOTERS, "duplicate": found.duplicates, "invalid": found.refused
    }  # fmt: skip
    assert found.audit_events == len(day.log)
    assert (found.waiting, found.moving) == (0, 0)


async def test_what_waits_in_the_outbox_is_accounted_for(day: Day, roll: Roll) -> None:
    rng = random.Random(3)
    await cast_all(day.store, [vote_of(elector, rng) for elector in roll.electors])
    found = await verified(day, settled=False)
    assert found.differences == []
    assert found.waiting == len(roll.electors)
    settled = await verified(day)
    assert set(settled.differences_by_kind) == {"not-settled"}
    await day.drain()
    assert (await verified(day)).differences == []


async def test_never_a_false_difference_while_votes_are_taken_and_drained(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    """Few voters, so that most of them vote again while they are being read."""
    rng = random.Random(5)
    few = rng.sample(roll.electors, 300)
    stop = asyncio.Event()
    moving = 0
    reader = await ShardClient.connect(RedisOptions(cluster.url, Durability("memory")))

    async def vote() -> None:
        while not stop.is_set():
            votes = [vote_of(rng.choice(few), rng) for _ in range(50)]
            await cast_all(day.store, [*votes, stranger(LAWS[0], rng)])

    async def drain() -> None:
        while not stop.is_set():
            await day.drain()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(vote())
        tasks.create_task(drain())
        while moving < 500:
            found = await Verifier(reader, day.clickhouse).run()
            assert found.differences == []
            moving += found.moving
        stop.set()
    await reader.aclose()
    await day.drain()
    assert (await verified(day)).differences == []


class Meddling(History):
    """Lets votes be taken, and all be drained, between any two readings of the tables."""

    def __init__(self, day: Day, voters: list[Elector]) -> None:
        super().__init__(day.clickhouse)
        self._day = day
        self._voters = voters
        self._rng = random.Random(12)

    async def meddle(self) -> None:
        await cast_all(self._day.store, [vote_of(voter, self._rng) for voter in self._voters])
        await self._day.drain()

    async def events(self, shards: range) -> list[OutboxEvent]:
        events = await super().events(shards)
        await self.meddle()
        return events

    async def ballots(self, shards: range) -> list[Ballot]:
        ballots = await super().ballots(shards)
        await self.meddle()
        return ballots


async def test_what_is_drained_between_two_readings_is_no_difference(day: Day, roll: Roll) -> None:
    rng = random.Random(12)
    await cast_all(day.store, [vote_of(elector, rng) for elector in roll.electors])
    verifier = Verifier(day.redis, day.clickhouse)
    verifier._history = Meddling(day, roll.electors[:300])
    found = await verifier.run()
    assert found.differences == []
    assert found.waiting == len(roll.electors)


Plant = Callable[[Day, Vote], Awaitable[object]]


def bucket(day: Day, vote: Vote) -> bytes:
    number = keys.bucket_of(vote.ballot, day.store.info.buckets_per_shard)
    return keys.bucket_key(vote.ballot[0], number)


async def set_record(day: Day, vote: Vote, record: bytes) -> None:
    field = keys.field_of(vote.ballot)
    await day.redis.call(vote.ballot[0], pack("HSET", bucket(day, vote), field, record))


async def forget_vote(day: Day, vote: Vote) -> None:
    await set_record(day, vote, b"0")


async def flip_choice(day: Day, vote: Vote) -> None:
    other = b"n" if vote.vote == "oui" else b"o"
    await set_record(day, vote, other + vote.request_id)


async def other_request(day: Day, vote: Vote) -> None:
    await set_record(day, vote, vote.vote[:1].encode() + b"x" * 16)


async def count_once_more(day: Day, vote: Vote) -> None:
    await set_record(day, vote, vote.vote[:1].encode() + vote.request_id + b"1")


async def remove_elector(day: Day, vote: Vote) -> None:
    field = keys.field_of(vote.ballot)
    await day.redis.call(vote.ballot[0], pack("HDEL", bucket(day, vote), field))


async def lose_ballot(day: Day, vote: Vote) -> None:
    await day.clickhouse.command(
        "DELETE FROM scrutin.ballots WHERE vote_hash = {h:String}",
        parameters={"h": vote.ballot.hex()},
    )


async def lose_event(day: Day, vote: Vote) -> None:
    await day.clickhouse.command(
        "DELETE FROM scrutin.vote_audit WHERE vote_hash = {h:String}",
        parameters={"h": vote.ballot.hex()},
    )


async def lose_both(day: Day, vote: Vote) -> None:
    await lose_ballot(day, vote)
    await lose_event(day, vote)


async def copy_event(day: Day, vote: Vote, change: str) -> None:
    await day.clickhouse.command(
        "INSERT INTO scrutin.vote_audit (shard, stream_ms, stream_seq, vote_hash, law_id, vote,"
        " status, request_id, attempt) SELECT shard, stream_ms, stream_seq, vote_hash, law_id,"
        f" vote, status, request_id, attempt FROM (SELECT * REPLACE({change}) FROM (SELECT *"
        " FROM scrutin.vote_audit WHERE vote_hash = {h:String} AND status = 'accepted'))",
        parameters={"h": vote.ballot.hex()},
    )


async def accept_twice(day: Day, vote: Vote) -> None:
    await copy_event(day, vote, "stream_ms - 1 AS stream_ms")


async def event_of_two_contents(day: Day, vote: Vote) -> None:
    await day.clickhouse.command("SYSTEM STOP MERGES scrutin.vote_audit")
    await copy_event(day, vote, "generateUUIDv4() AS request_id")


async def event_of_the_future(day: Day, vote: Vote) -> None:
    await copy_event(day, vote, "stream_ms + 3600000 AS stream_ms")


async def duplicate_misnumbered(day: Day, vote: Vote) -> None:
    await copy_event(
        day, vote, "stream_seq + 100 AS stream_seq, 'duplicate' AS status, toUInt32(2) AS attempt"
    )


async def refuse_elector(day: Day, vote: Vote) -> None:
    await copy_event(day, vote, "stream_ms - 1 AS stream_ms, 'invalid' AS status")


async def second_ballot(day: Day, vote: Vote) -> None:
    await day.clickhouse.command(
        "INSERT INTO scrutin.ballots (law_id, vote_hash, vote, request_id, shard, stream_ms,"
        " stream_seq) SELECT law_id, vote_hash, vote, generateUUIDv4(), shard, stream_ms - 1,"
        " stream_seq FROM scrutin.ballots WHERE vote_hash = {h:String}",
        parameters={"h": vote.ballot.hex()},
    )


async def ballot_of_a_stranger(day: Day, vote: Vote) -> None:
    await day.clickhouse.command(
        "INSERT INTO scrutin.ballots (law_id, vote_hash, vote, request_id, shard, stream_ms,"
        " stream_seq) VALUES ({l:String}, {h:String}, 'oui', {r:UUID}, {s:UInt8}, 1, 0)",
        parameters={
            "l": vote.law_id,
            "h": (vote.ballot[:1] + b"s" * 31).hex(),
            "r": str(uuid.uuid4()),
            "s": vote.ballot[0],
        },
    )


async def wrong_view(day: Day, vote: Vote) -> None:
    """As if two batches had been added up."""
    await day.clickhouse.command(
        "CREATE OR REPLACE VIEW scrutin.vote_results AS SELECT law_id,"
        " 2 * countIf(vote = 'oui') AS oui_count, countIf(vote = 'non') AS non_count,"
        " max(timestamp) AS updated_at FROM scrutin.ballots FINAL GROUP BY law_id"
    )


async def other_repeats(day: Day, vote: Vote) -> None:
    again = next(a.vote for a in day.log if a.cast.attempt_count > 35)
    key = keys.repeats_key(again.ballot[0], keys.field_of(again.ballot))
    held = await day.redis.call(again.ballot[0], pack("GET", key))
    await day.redis.call(again.ballot[0], pack("SET", key, held[17:]))


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (forget_vote, {"not-voted"}),
        (flip_choice, {"record"}),
        (other_request, {"record"}),
        (count_once_more, {"record"}),
        (remove_elector, {"not-on-roll", "electors"}),
        (lose_ballot, {"no-ballot", "published"}),
        (lose_event, {"ballot-without-event", "no-event"}),
        (lose_both, {"no-event", "published"}),
        (accept_twice, {"accepted-again", "ballot-differs"}),
        (event_of_two_contents, {"event-twice"}),
        (event_of_the_future, {"lost-by-redis"}),
        (duplicate_misnumbered, {"attempts", "record", "repeats"}),
        (refuse_elector, {"refused-elector"}),
        (second_ballot, {"ballot-twice", "ballot-differs"}),
        (ballot_of_a_stranger, {"ballot-without-event", "published"}),
        (wrong_view, {"total", "published"}),
        (other_repeats, {"repeats"}),
    ],
)
async def test_every_planted_difference_is_found(day: Day, plant: Plant, kinds: set[str]) -> None:
    once = Counter(answer.vote.ballot for answer in day.log)
    vote = next(a.vote for a in day.log if once[a.vote.ballot] == 1 and a.cast.status == "accepted")
    await plant(day, vote)
    found = await verified(day)
    assert set(found.differences_by_kind) >= kinds
    consequences = {"total"}
    if plant is event_of_two_contents:  # which of the two is taken for the event is chance
        consequences |= {"ballot-differs", "record"}
    assert set(found.differences_by_kind) <= kinds | consequences
    if plant not in (other_repeats, ballot_of_a_stranger):
        named = {difference.vote_hash for difference in found.differences}
        assert all(vote.ballot.hex().startswith(name) for name in named)


async def test_a_stale_publication_is_a_difference_only_when_settled(day: Day) -> None:
    snapshot = await read_results(day.redis)
    assert snapshot is not None
    await day.redis.call(0, pack("DEL", keys.results_key()))
    assert (await verified(day, settled=False)).differences == []
    assert set((await verified(day)).differences_by_kind) == {"published"}
    more = [tally for tally in snapshot.tallies for _ in range(1)]
    ahead = [type(t)(t.law_id, t.oui_count + 1, t.non_count) for t in more]
    await publish_results(day.redis, type(snapshot)(ahead, 1, 0))
    assert set((await verified(day, settled=False)).differences_by_kind) == {"published"}


async def test_a_cluster_that_lost_its_votes_is_found(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    await empty(cluster)
    await load(day.redis, roll, open_election(*LAWS))
    found = await verified(day, settled=False, differences_max=5)
    assert found.differences_by_kind["lost-by-redis"] == len(day.log) + VOTERS
    assert found.differences_total == sum(found.differences_by_kind.values())
    assert len(found.differences) == 5


async def test_a_row_whose_hash_is_none_is_named(day: Day) -> None:
    await day.clickhouse.command(
        "INSERT INTO scrutin.vote_audit (shard, stream_ms, stream_seq, vote_hash, law_id, vote,"
        " status, request_id, attempt) VALUES (1, 1, 1, 'abc', 'L', 'oui', 'invalid',"
        " generateUUIDv4(), 0)"
    )
    with pytest.raises(ClickHouseRejected, match="1 rows"):
        await verified(day)


async def test_reading_writes_nothing(day: Day) -> None:
    async def offsets() -> list[bytes]:
        return await day.redis.call_each(
            lambda shard: fcall("last_event", (keys.outbox_key(shard),))
        )

    before = await offsets()
    await verified(day)
    assert await offsets() == before


async def test_a_shard_without_events_has_none(redis: ShardClient) -> None:
    assert await redis.call(9, fcall("last_event", (keys.outbox_key(9),))) == b"0-0"
