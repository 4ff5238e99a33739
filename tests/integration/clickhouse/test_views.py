"""Tables and views against a plain Python oracle, whatever is inserted how often."""

import random
from collections.abc import AsyncIterator

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.migrations import migrate
from clickhouse.running_count import RunningCount
from clickhouse.sink import VoteSink
from clickhouse.tally import read_corrections, read_tallies, summed
from shards.events import OutboxEvent
from shards.results import LawTally
from tests.support.clickhouse import assert_agrees, batch_of, random_events, rows

BEFORE_MIDNIGHT_MS = 1_790_035_199_800  # events cross from one partition into the next


@pytest.mark.parametrize("seed", range(4))
async def test_views_agree_with_oracle_whatever_is_repeated(client: AsyncClient, seed: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)
    events = random_events(rng, 600, first_ms=BEFORE_MIDNIGHT_MS)
    sink = VoteSink(client)
    # One drainer's cut, part of it sent twice; then another's cut of the same events.
    for size in (250, 170):
        for start in range(0, len(events), size):
            batch = batch_of(events[start : start + size])
            for _ in range(rng.choice((1, 2))):
                await sink.store(batch)
    await assert_agrees(client, events)


@pytest.fixture
async def unmerged(client: AsyncClient) -> AsyncIterator[AsyncClient]:
    """A client of tables whose parts stay as they were inserted."""
    await client.command("SYSTEM STOP MERGES")
    yield client
    await client.command("SYSTEM START MERGES")


async def test_batch_sent_again_is_not_written_again(unmerged: AsyncClient) -> None:
    batch = batch_of(random_events(random.Random(5), 50, first_ms=BEFORE_MIDNIGHT_MS - 10**7))
    for _ in range(3):
        await VoteSink(unmerged).store(batch)
    assert await rows(unmerged, "SELECT count() FROM scrutin.vote_audit") == [(50,)]


async def test_one_insert_makes_one_part(unmerged: AsyncClient) -> None:
    events = random_events(random.Random(6), 60_000, first_ms=BEFORE_MIDNIGHT_MS - 10**8)
    await VoteSink(unmerged).store(batch_of(events))
    parts = (
        "SELECT table, count() FROM system.parts"
        " WHERE active AND table IN ('vote_audit', 'ballots') GROUP BY table ORDER BY table"
    )
    assert await rows(unmerged, parts) == [("ballots", 1), ("vote_audit", 1)]


@pytest.mark.parametrize("first_is_stored_first", [True, False])
async def test_first_of_two_accepted_events_counts(
    client: AsyncClient, *, first_is_stored_first: bool
) -> None:
    vote_hash = bytes(32)
    at_ms = BEFORE_MIDNIGHT_MS
    first = OutboxEvent(0, at_ms, 7, vote_hash, "L2025-001", "oui", "accepted", bytes(16), 0)
    second = first._replace(stream_seq=8, vote="non", request_id=bytes([1]) * 16)
    third = first._replace(stream_ms=at_ms + 1, stream_seq=0, vote="non")
    order = [first, second, third]
    for event in order if first_is_stored_first else reversed(order):
        await VoteSink(client).store(batch_of([event]))
    assert await read_tallies(client) == [LawTally("L2025-001", 1, 0)]
    await client.command("OPTIMIZE TABLE scrutin.ballots FINAL")
    assert await read_tallies(client) == [LawTally("L2025-001", 1, 0)]
    await assert_agrees(client, order)
    accepted = await RunningCount(client, settle_ms=0).count(at_ms)
    assert accepted == [LawTally("L2025-001", 1, 2)]
    assert await read_corrections(client, at_ms) == []  # up to there, all is well
    assert await read_corrections(client, at_ms + 1) == [LawTally("L2025-001", 0, -1)]
    corrections = await read_corrections(client, at_ms + 2)
    assert summed(accepted, corrections) == await read_tallies(client)


async def test_everything_is_commented(client: AsyncClient) -> None:
    await client.command("DROP DATABASE scrutin SYNC")  # and what other tests made in it
    await migrate(client)
    uncommented = await rows(
        client,
        "SELECT name, '' FROM system.tables WHERE database = 'scrutin' AND comment = ''"
        " UNION ALL SELECT table, name FROM system.columns"
        " WHERE database = 'scrutin' AND comment = ''",
    )
    assert uncommented == []


async def test_only_accepted_attempts_are_ballots(client: AsyncClient) -> None:
    events = random_events(random.Random(8), 200, first_ms=BEFORE_MIDNIGHT_MS)
    await VoteSink(client).store(batch_of(event for event in events if event.status != "accepted"))
    assert await rows(client, "SELECT * FROM scrutin.ballots") == []
    assert await rows(client, "SELECT count() > 0 FROM scrutin.review_queue") == [(1,)]
