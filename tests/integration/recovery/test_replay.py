"""All of Redis is gone; the tables and the hash database bring it back."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseRejected
from clickhouse.replay import LOADING, REPLAYING, Replayed, replay
from clickhouse.review import read_trail, store_entries
from clickhouse.review_keeper import ReviewKeeper
from clickhouse.verify import Verifier
from shards import keys
from shards.census import last_events
from shards.client import ShardClient
from shards.command import pack
from shards.errors import ReplayRefused, RollMissing, ShardsError
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.outbox import Outbox
from shards.records import REPEATS_MAX
from shards.results import read_results
from shards.review import ReviewCase, ReviewDesk, TrailEntry
from shards.roll import RollStore, read_roll_info
from tests.integration.recovery.conftest import LAWS, VOTERS, Day
from tests.support.ballots import cast_all, vote_of
from tests.support.rolls import Roll, empty, load, make_roll, open_election

CASE = ReviewCase("ab" * 32, "duplicate", LAWS[0], 1, 1, 0, 0)


async def rebuild(day: Day, roll: Roll) -> Replayed:
    return await replay(day.redis, day.clickhouse, roll.database, open_election(*LAWS))


async def differences(day: Day) -> list[object]:
    return list((await Verifier(day.redis, day.clickhouse, settled=True).run()).differences)


async def test_every_answer_is_given_again(day: Day, roll: Roll, cluster: LocalCluster) -> None:
    await empty(cluster)
    replayed = await rebuild(day, roll)
    assert replayed == Replayed(len(roll.electors), VOTERS, VOTERS, 0)
    assert await differences(day) == []
    # Of each voter's attempts the latest ones are remembered by request.
    counts = Counter(a.vote.ballot for a in day.log if a.cast.status == "duplicate")
    remembered = [
        answer
        for answer in day.log
        if answer.cast.attempt_count == 0
        or answer.cast.attempt_count > counts[answer.vote.ballot] - REPEATS_MAX
    ]
    assert len(remembered) < len(day.log)
    again = await cast_all(day.store, [answer.vote for answer in remembered])
    assert again == remembered
    waiting = await Outbox(day.redis, owner="x").read(10_000)
    assert {event.status for event in waiting.events} == {"invalid"}  # nothing else was added


async def test_a_new_attempt_is_a_duplicate_with_the_next_number(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    counts = Counter(a.vote.ballot for a in day.log if a.cast.status == "duplicate")
    voters = {a.vote.ballot for a in day.log if a.cast.status == "accepted"}
    await empty(cluster)
    await rebuild(day, roll)
    rng = random.Random(1)
    answers = await cast_all(day.store, [vote_of(elector, rng) for elector in roll.electors])
    for vote, cast in answers:
        if vote.ballot in voters:
            assert cast == ("duplicate", counts[vote.ballot] + 1)
        else:
            assert cast == ("accepted", 0)
    await day.drain()
    assert await differences(day) == []


async def test_results_are_there_at_once(day: Day, roll: Roll, cluster: LocalCluster) -> None:
    before = await read_results(day.redis)
    await empty(cluster)
    await rebuild(day, roll)
    after = await read_results(day.redis)
    assert before is not None
    assert after is not None
    assert after.tallies == before.tallies
    assert after.complete_until_ms == 0


async def test_event_ids_go_on_above_those_before_though_the_clock_is_behind(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    """The events of the tables are an hour ahead of the servers, whose clocks were set back."""
    ahead_ms = 3_600_000
    columns = "shard, stream_ms, stream_seq, vote_hash, law_id, vote, request_id"
    for table, more in (("vote_audit", ", status, attempt"), ("ballots", "")):
        await day.clickhouse.command(f"CREATE TABLE scrutin.kept AS scrutin.{table}")
        await day.clickhouse.command(
            f"INSERT INTO scrutin.kept ({columns}{more}) SELECT {columns}{more} FROM"
            f" (SELECT * REPLACE(stream_ms + {ahead_ms} AS stream_ms) FROM scrutin.{table})"
        )
        await day.clickhouse.command(f"EXCHANGE TABLES scrutin.kept AND scrutin.{table}")
        await day.clickhouse.command("DROP TABLE scrutin.kept SYNC")
    held = await day.clickhouse.query("SELECT shard, stream_ms, stream_seq FROM scrutin.vote_audit")
    highest: dict[int, tuple[int, int]] = {}
    for shard, ms, seq in held.result_rows:
        highest[shard] = max(highest.get(shard, (0, 0)), (ms, seq))
    await empty(cluster)
    await rebuild(day, roll)
    given = await last_events(day.redis, range(keys.SHARDS))
    assert {shard: given[shard] for shard in highest} == highest
    rng = random.Random(2)
    await cast_all(day.store, [vote_of(elector, rng) for elector in roll.electors])
    batch = await Outbox(day.redis, owner="x").read(10_000)
    assert len(batch.events) == len(roll.electors)
    assert all(event[1:3] > highest.get(event.shard, (0, 0)) for event in batch.events)
    await Outbox(day.redis, owner="x").release()
    await day.drain()
    assert await differences(day) == []


@pytest.mark.parametrize("entries_before", [0, 1])
async def test_decisions_after_it_are_copied_though_the_clock_is_behind(
    day: Day, roll: Roll, cluster: LocalCluster, entries_before: int
) -> None:
    """The trail's last entry is an hour ahead; an auditor may be quicker than the replay."""
    ahead_ms, act_id = time.time_ns() // 1_000_000 + 3_600_000, UUID(int=1)
    ahead = TrailEntry(ahead_ms, 3, CASE.case_id, "claim", "Ana", "", "", 1, act_id)
    await store_entries(day.clickhouse, [ahead])
    await empty(cluster)
    desk = ReviewDesk(day.redis)
    for number in range(entries_before):
        other = msgspec.structs.replace(CASE, case_id=f"{number:064x}")
        assert (await desk.claim(other, "Ben", UUID(int=2))).done
    for _ in range(2):
        await rebuild(day, roll)
        await day.redis.call(0, pack("HSET", keys.meta_key(0), "replay", "open"))  # as if killed
    for _ in range(2):
        await rebuild(day, roll)
    assert len(await desk.latest(10)) == entries_before
    assert (await desk.claim(CASE, "Ana", UUID(int=3))).done
    assert (await desk.resolve(CASE.case_id, "Ana", "harmless", "as before", UUID(int=4))).done
    assert await ReviewKeeper(day.redis, day.clickhouse, owner="x").copy_trail() == 2
    copied = await read_trail(day.clickhouse)
    assert [entry.act_id.int for entry in copied] == [1, 3, 4]
    assert copied[0] == ahead


async def test_a_killed_replay_goes_on_and_decides_nothing_before_its_end(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    await empty(cluster)
    election = open_election(*LAWS)
    rng = random.Random(4)
    # Right after each of its two steps, and anywhere.
    for killed_at, wait_s in (
        (LOADING, 30.0),
        (REPLAYING, 30.0),
        *(("", rng.random() / 5) for _ in range(4)),
    ):
        done: set[str] = set()

        def note(step: str, _count: int, killed_at: str = killed_at, done: set[str] = done) -> None:
            done.add(step)
            if step == killed_at:
                raise asyncio.CancelledError

        task = asyncio.create_task(replay(day.redis, day.clickhouse, roll.database, election, note))
        await asyncio.wait({task}, timeout=wait_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if REPLAYING in done and not killed_at:
            break  # every ballot was there: it may have opened shards
        assert task.cancelled()
        with pytest.raises(RollMissing):
            await read_roll_info(day.redis)
        with pytest.raises(RollMissing):
            await day.store.cast(*day.first_accepted().vote)
        # An impatient operator: a load must not open who has voted to vote again.
        with pytest.raises(ShardsError, match="REPLAYING"):
            await load_roll(day.redis, roll.database, election)
    await rebuild(day, roll)
    assert await differences(day) == []
    assert (await rebuild(day, roll)).written == 0
    assert await differences(day) == []


async def test_killed_between_shards_opening_it_goes_on(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    """Some shards take votes already; the others are finished, the votes left alone."""
    await empty(cluster)
    await rebuild(day, roll)
    reopened = range(40)
    for shard in reopened:
        await day.redis.call(shard, pack("HSET", keys.meta_key(shard), "replay", "open"))
        await day.redis.call(shard, pack("HDEL", keys.meta_key(shard), "ready"))
    rng = random.Random(6)
    votes = [vote_of(elector, rng) for elector in roll.electors]
    answers = await cast_all(day.store, [v for v in votes if v.ballot[0] not in reopened])
    assert {answer.cast.status for answer in answers} == {"accepted", "duplicate"}
    assert (await rebuild(day, roll)).written == 0
    await day.drain()
    assert await differences(day) == []


async def test_a_ballot_that_only_the_audit_has_counts_again(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    """A drainer ended between its two inserts, then Redis was lost with the outbox."""
    vote = day.first_accepted().vote
    await day.clickhouse.command(
        "DELETE FROM scrutin.ballots WHERE vote_hash = {h:String}",
        parameters={"h": vote.ballot.hex()},
    )
    await empty(cluster)
    assert (await rebuild(day, roll)).completed == 1
    assert await differences(day) == []
    assert (await day.store.cast(*vote)).status == "accepted"


async def test_a_cluster_with_a_roll_is_refused(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    with pytest.raises(ReplayRefused, match="empty cluster"):
        await rebuild(day, roll)
    await empty(cluster)
    await load(day.redis, roll, open_election(*LAWS))
    with pytest.raises(ReplayRefused, match="empty cluster"):
        await rebuild(day, roll)


async def test_a_cluster_with_events_alone_is_refused(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    await empty(cluster)
    await day.redis.call(7, pack("XADD", keys.outbox_key(7), "1-1", "x", ""))
    with pytest.raises(ReplayRefused, match="1 of 256"):
        await rebuild(day, roll)


async def test_ballots_of_another_roll_are_refused_and_nothing_opens(
    day: Day, cluster: LocalCluster, tmp_path: Path
) -> None:
    await empty(cluster)
    other = make_roll(tmp_path, 500, laws=LAWS, seed=9)
    with pytest.raises(ReplayRefused, match="not on this roll"):
        await rebuild(day, other)
    with pytest.raises(RollMissing):
        await read_roll_info(day.redis)


async def test_a_record_that_differs_is_never_overwritten(
    day: Day, roll: Roll, cluster: LocalCluster
) -> None:
    await empty(cluster)
    task_done = asyncio.CancelledError

    def stop(step: str, _count: int) -> None:
        if step == "replaying":
            raise task_done

    with pytest.raises(task_done):
        await replay(day.redis, day.clickhouse, roll.database, open_election(*LAWS), stop)
    ballot = day.first_accepted().vote.ballot
    bucket = keys.bucket_of(ballot, day.store.info.buckets_per_shard)
    key, field = keys.bucket_key(ballot[0], bucket), keys.field_of(ballot)
    await day.redis.call(ballot[0], pack("HSET", key, field, b"o" + b"y" * 16))
    with pytest.raises(ReplayRefused, match=ballot.hex()):
        await rebuild(day, roll)


async def test_empty_tables_are_refused(
    redis: ShardClient, clickhouse: AsyncClient, roll: Roll
) -> None:
    with pytest.raises(ReplayRefused, match="right ClickHouse"):
        await replay(redis, clickhouse, roll.database, open_election(*LAWS))
    await load(redis, roll, open_election(*LAWS))  # nothing was begun


async def test_missing_tables_are_refused(
    redis: ShardClient, clickhouse: AsyncClient, roll: Roll
) -> None:
    await clickhouse.command("DROP DATABASE scrutin SYNC")
    with pytest.raises(ClickHouseRejected):
        await replay(redis, clickhouse, roll.database, open_election(*LAWS))


async def test_the_store_opens_as_before(day: Day, roll: Roll, cluster: LocalCluster) -> None:
    await empty(cluster)
    await rebuild(day, roll)
    store = await RollStore.open(day.redis, scheme="sha256", key_fingerprint="")
    assert store.info == day.store.info
