"""A count that goes on from what it remembers is the count of all that is in the table."""

import random
from collections import Counter
from typing import Any

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse import running_count
from clickhouse.answers import read_rows
from clickhouse.running_count import RunningCount
from clickhouse.sink import VoteSink
from shards.outbox import OutboxEvent
from shards.results import LawTally
from tests.support.clickhouse import batch_of, random_events

BEFORE_MIDNIGHT_MS = 1_790_035_199_800  # events cross from one partition into the next
SECOND_MS = 1000


def tallied(events: list[OutboxEvent]) -> list[LawTally]:
    counts = Counter((event.law_id, event.vote) for event in events if event.status == "accepted")
    laws = sorted({law_id for law_id, _ in counts})
    return [LawTally(law_id, counts[law_id, "oui"], counts[law_id, "non"]) for law_id in laws]


async def store(client: AsyncClient, events: list[OutboxEvent]) -> None:
    await VoteSink(client).store(batch_of(events))


@pytest.fixture
def asked_from(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From which time on attempts were read, count by count."""
    times = []

    async def noted(client: AsyncClient, query: str, row: Any, where: dict[str, int]) -> list[Any]:
        if query == "accepted":
            times.append(where["from_ms"])
        return await read_rows(client, query, row, where)

    monkeypatch.setattr(running_count, "read_rows", noted)
    return times


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_to_the_table(client: AsyncClient, seed: int) -> None:
    """Batches in order and late, repeated in other cuts, merged, and gone with their day."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    stored: list[OutboxEvent] = []
    count = RunningCount(client)
    now_ms = BEFORE_MIDNIGHT_MS - SECOND_MS
    for _ in range(25):
        kind = rng.choice(("new", "new", "new", "late", "again", "merge", "lost"))
        if kind in ("new", "late"):
            now_ms += rng.randrange(200)
            first_ms = now_ms if kind == "new" else now_ms - rng.randrange(SECOND_MS)
            # another shard's sequence for each batch: no two of their events have one name
            batch = [
                event._replace(stream_seq=event.stream_seq + len(stored))
                for event in random_events(rng, 30, first_ms=first_ms)
            ]
            await store(client, batch)
            stored += batch
        elif kind == "again" and stored:
            await store(client, rng.sample(stored, rng.randint(1, len(stored))))
        elif kind == "merge":
            await client.command("OPTIMIZE TABLE scrutin.vote_audit FINAL")
        elif kind == "lost" and rng.random() < 0.3:
            await client.command("TRUNCATE TABLE scrutin.vote_audit")
            stored.clear()
        until_ms = rng.choice((0, now_ms, now_ms - rng.randrange(SECOND_MS), now_ms + 50))
        assert await count.count(until_ms) == tallied(stored), kind


async def test_what_is_settled_is_not_read_again(
    client: AsyncClient, asked_from: list[int]
) -> None:
    """Until a row comes late, or one goes: then everything is, once."""
    at_ms = BEFORE_MIDNIGHT_MS
    events = random_events(random.Random(5), 60, first_ms=at_ms)
    late = random_events(random.Random(6), 3, first_ms=at_ms - 1)
    count = RunningCount(client)
    await store(client, events[:30])
    await count.count(at_ms + 10)
    await store(client, events[30:])
    await count.count(at_ms + 20)
    assert await count.count(at_ms + 15) == tallied(events)  # a time before the one that is settled
    assert asked_from == [0, at_ms + 10, at_ms + 20]
    await store(client, late)
    assert await count.count(at_ms + 30) == tallied([*events, *late])
    await count.count(at_ms + 30)
    assert asked_from[3:] == [0, at_ms + 30]
    await client.command("TRUNCATE TABLE scrutin.vote_audit")
    assert await count.count(at_ms + 30) == []
    assert asked_from[5:] == [0]


@pytest.mark.parametrize("query", ["audit_rows", "accepted"])
@pytest.mark.parametrize("age_ms", [1, 100])
async def test_a_row_that_comes_while_it_is_counted_is_in_the_next_count(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, query: str, age_ms: int
) -> None:
    """Late by little, of what is just being settled, or of what was settled before."""
    at_ms = BEFORE_MIDNIGHT_MS
    events = random_events(random.Random(7), 30, first_ms=at_ms - 200)
    [late] = random_events(random.Random(8), 1, first_ms=at_ms - age_ms)
    late = late._replace(status="accepted")
    count = RunningCount(client)
    await store(client, events)
    await count.count(at_ms - 50)
    left = [late]

    async def overtaken(client: AsyncClient, asked: str, *rest: Any) -> list[Any]:
        rows = await read_rows(client, asked, *rest)
        if asked == query and left:
            await store(client, [left.pop()])
        return rows

    monkeypatch.setattr(running_count, "read_rows", overtaken)
    await count.count(at_ms)
    assert not left
    for _ in range(2):
        assert await count.count(at_ms) == tallied([*events, late])


async def test_a_recount_takes_nothing_for_granted(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a count that goes on meanwhile undo it."""
    at_ms = BEFORE_MIDNIGHT_MS
    events = random_events(random.Random(9), 30, first_ms=at_ms - 200)
    count = RunningCount(client)
    await store(client, events)
    await count.count(at_ms)
    count._settled = count._settled._replace(tallies=[])  # as if other rows had been counted
    assert await count.count(at_ms) == []
    recounted = False

    async def overtaken(client: AsyncClient, *asked: Any) -> list[Any]:
        nonlocal recounted
        rows = await read_rows(client, *asked)
        if not recounted:
            recounted = True
            await count.recount(at_ms)
        return rows

    monkeypatch.setattr(running_count, "read_rows", overtaken)
    assert await count.count(at_ms) == []
    assert await count.count(at_ms) == tallied(events)
