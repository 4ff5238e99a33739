"""A count that goes on from what it remembers is the count of all that is in the table."""

import random
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse import running_count
from clickhouse.answers import read_rows
from clickhouse.running_count import RunningCount
from clickhouse.sink import VoteSink
from shards.events import OutboxEvent
from shards.results import LawTally
from tests.support.clickhouse import LAWS, batch_of, random_events

BEFORE_MIDNIGHT_MS = 1_790_035_199_800  # events cross from one partition into the next
SECOND_MS = 1000


def tallied(events: list[OutboxEvent]) -> list[LawTally]:
    counts = Counter((event.law_id, event.vote) for event in events if event.status == "accepted")
    laws = sorted({law_id for law_id, _ in counts})
    return [LawTally(law_id, counts[law_id, "oui"], counts[law_id, "non"]) for law_id in laws]


def accepted(times_ms: Iterable[int], number: int = 0) -> list[OutboxEvent]:
    """Make a ballot for each time."""
    return [
        OutboxEvent(
            0, at_ms, number, sha256(b"%d-%d" % (at_ms, number)).digest(), LAWS[0],
            "oui", "accepted", bytes(16), 0,
        )
        for at_ms in times_ms
    ]  # fmt: skip


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
    count = RunningCount(client, settle_ms=rng.choice((0, 50)))
    now_ms = BEFORE_MIDNIGHT_MS - SECOND_MS
    for step in range(60):
        kind = rng.choice(("new", "new", "new", "late", "again", "merge", "lost"))
        if kind in ("new", "late"):
            now_ms += rng.randrange(200)
            first_ms = now_ms if kind == "new" else now_ms - rng.randrange(SECOND_MS)
            # numbers of their own for each batch: no two events have one name
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
        if kind == "merge":  # as many rows may have come late: then a recount tells
            await count.recount(now_ms)
        if step % 2:
            at_ms = rng.choice((0, now_ms, now_ms - rng.randrange(SECOND_MS), now_ms + 50))
            assert await count.count(at_ms) == tallied(stored), kind


async def test_what_is_settled_is_not_read_again(
    client: AsyncClient, asked_from: list[int]
) -> None:
    """Until a row comes late, or one goes: then everything is, once."""
    at_ms = BEFORE_MIDNIGHT_MS
    events = accepted(range(at_ms, at_ms + 20))
    [late] = accepted([at_ms - 1])
    count = RunningCount(client, settle_ms=5)
    await store(client, events[:10])
    await count.count(at_ms + 100)  # finds out how new the newest is
    await count.count(at_ms + 100)
    await store(client, events[10:])
    await count.count(at_ms + 100)
    assert await count.count(at_ms + 8) == tallied(events)  # the clock was set back
    assert asked_from == [0, 0, at_ms + 4, at_ms + 4]
    await count.count(at_ms + 100)
    await count.count(at_ms + 100)
    assert asked_from[4:] == [at_ms + 4, at_ms + 14]
    await store(client, [late])
    assert await count.count(at_ms + 100) == tallied([*events, late])
    await count.count(at_ms + 100)
    assert asked_from[6:] == [0, at_ms + 14]
    await client.command("TRUNCATE TABLE scrutin.vote_audit")
    assert await count.count(at_ms + 100) == []
    assert asked_from[8:] == [0]


async def test_what_two_replicas_say_is_not_put_together(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, asked_from: list[int]
) -> None:
    """One may have fewer rows than the other: their count is shown and not remembered."""
    at_ms = BEFORE_MIDNIGHT_MS
    events = accepted(range(at_ms, at_ms + 20))
    count = RunningCount(client, settle_ms=5)
    await store(client, events)
    counted = running_count._Counted

    with monkeypatch.context() as changed:
        changed.setattr(
            running_count, "_Counted", lambda *row: counted(*row)._replace(host="another")
        )
        for _ in range(3):
            assert await count.count(at_ms + 100) == tallied(events)
    assert asked_from == [0, 0, 0]
    await count.count(at_ms + 100)
    await count.count(at_ms + 100)
    assert asked_from[3:] == [0, at_ms + 14]


@pytest.mark.parametrize("query", ["audit_rows", "accepted"])
@pytest.mark.parametrize("age_ms", [25, 95])
async def test_a_row_that_comes_while_it_is_counted_is_in_the_next_count(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, query: str, age_ms: int
) -> None:
    """Late by little, of what is just being settled, or of what was settled before."""
    at_ms = BEFORE_MIDNIGHT_MS
    events = accepted(range(at_ms - 100, at_ms))
    [late] = accepted([at_ms - age_ms], number=1)
    count = RunningCount(client, settle_ms=5)
    await store(client, events[:50])
    for _ in range(2):
        await count.count(at_ms)
    await store(client, events[50:])
    await count.count(at_ms)  # finds out how new the newest is; the next one settles it
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
    events = accepted(range(at_ms, at_ms + 20))
    count = RunningCount(client, settle_ms=0)
    await store(client, events)
    for _ in range(2):
        await count.count(at_ms + 100)
    count._settled = count._settled._replace(tallies=())  # as if other rows had been counted
    [newest] = tallied(events[-1:])
    assert await count.count(at_ms + 100) == [newest]
    recounted = False

    async def overtaken(client: AsyncClient, *asked: Any) -> list[Any]:
        nonlocal recounted
        rows = await read_rows(client, *asked)
        if not recounted:
            recounted = True
            await count.recount(at_ms + 100)
        return rows

    monkeypatch.setattr(running_count, "read_rows", overtaken)
    assert await count.count(at_ms + 100) == [newest]
    assert await count.count(at_ms + 100) == tallied(events)
