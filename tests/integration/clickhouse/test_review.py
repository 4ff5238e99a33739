"""Cases against plain Python, the trail copied whole, and what no case may show."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.review import (
    all_cases,
    read_attempts,
    read_cases,
    read_last_entry,
    read_snapshot,
    read_trail,
)
from clickhouse.review_keeper import ReviewKeeper
from clickhouse.review_networks import REFUSED_MIN
from clickhouse.sink import VoteSink
from shards.client import ShardClient
from shards.events import OutboxEvent
from shards.networks import NetworkCount, add_counts
from shards.review import ReviewCase, ReviewDesk
from tests.support.clickhouse import batch_of, random_events, rows

AT_MS = 1_790_035_199_800  # 2026-09-21 23:59:59.800: cases cross from one day into the next
MINUTE_MS = 60_000
MANY, UNKNOWN_MANY = 5, 30
As = Callable[[str], AbstractAsyncContextManager[AsyncClient]]


def cases_by_hash(events: list[OutboxEvent]) -> dict[str, ReviewCase]:
    """Return the cases of single ballots, in plain Python."""
    refused: dict[bytes, list[OutboxEvent]] = defaultdict(list)
    for event in events:
        if event.status != "accepted":
            refused[event.vote_hash].append(event)
    return {
        vote_hash.hex(): ReviewCase(
            vote_hash.hex(),
            "many-attempts" if len(found) >= MANY else found[0].status,  # type: ignore[arg-type]
            found[0].law_id,
            len(found),
            1,
            min(event.stream_ms for event in found),
            max(event.stream_ms for event in found),
        )
        for vote_hash, found in refused.items()
    }


def unknown(count: int, first_ms: int, rng: random.Random) -> list[OutboxEvent]:
    """Make invalid attempts at so many different hashes within a minute."""
    hashes = [rng.randbytes(32) for _ in range(count)]
    return [
        OutboxEvent(h[0], first_ms + n, 0, h, "L2025-001", "oui", "invalid", rng.randbytes(16), 0)
        for n, h in enumerate(hashes)
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_cases_are_those_of_the_attempts(client: AsyncClient, seed: int) -> None:
    events = random_events(random.Random(seed), 400, first_ms=AT_MS)
    for size in (400, 170):  # whatever is inserted how often, and however it is cut
        for start in range(0, len(events), size):
            await VoteSink(client).store(batch_of(events[start : start + size]))
    expected = cases_by_hash(events)
    found = [case async for case in all_cases(client, page_rows=7)]
    assert [case.case_id for case in found] == sorted(case.case_id for case in found)
    singles = {case.case_id: case for case in found if case.kind != "unknown-hashes"}
    assert singles == expected
    first = await read_cases(client, limit=5)
    most = sorted((case.attempts for case in found), reverse=True)
    assert [case.attempts for case in first] == most[:5]
    for law_id in {case.law_id for case in found if case.law_id}:
        of_law = await read_cases(client, law_id=law_id, limit=1000)
        assert {c.case_id for c in of_law} == {i for i, c in expected.items() if c.law_id == law_id}


async def test_many_attempts_at_one_ballot_are_a_kind_of_their_own(client: AsyncClient) -> None:
    ballot = OutboxEvent(1, AT_MS, 0, b"\1" * 32, "L1", "oui", "accepted", bytes(16), 0)
    again = [
        ballot._replace(stream_ms=AT_MS + n, status="duplicate", attempt=n) for n in range(1, MANY)
    ]
    await VoteSink(client).store(batch_of([ballot, *again]))
    (case,) = await read_cases(client)
    assert (case.kind, case.attempts) == ("duplicate", MANY - 1)
    await VoteSink(client).store(
        batch_of([ballot._replace(stream_ms=AT_MS + 99, status="duplicate", attempt=MANY)])
    )
    (case,) = await read_cases(client, kind="many-attempts")
    assert case.attempts == MANY
    attempts = await read_attempts(client, case.case_id)
    assert [attempt.attempt for attempt in attempts] == [0, *range(1, MANY + 1)]
    assert await read_cases(client, kind="duplicate") == []


async def test_many_unknown_hashes_in_a_minute_are_a_case_of_their_hour(
    client: AsyncClient,
) -> None:
    rng = random.Random(1)
    hour_ms = 1_790_035_200_000  # 2026-09-22 00:00
    bursts = [
        *unknown(UNKNOWN_MANY, hour_ms + 5 * MINUTE_MS, rng),
        *unknown(UNKNOWN_MANY + 3, hour_ms + 9 * MINUTE_MS, rng),
        *unknown(UNKNOWN_MANY - 1, hour_ms + 20 * MINUTE_MS, rng),  # too few
        *unknown(UNKNOWN_MANY, hour_ms + 70 * MINUTE_MS, rng),
    ]
    again = [event._replace(stream_seq=1) for event in bursts[:3]]  # the same hashes once more
    await VoteSink(client).store(batch_of([*bursts, *again]))
    found = {case.case_id: case for case in await read_cases(client, kind="unknown-hashes")}
    assert {name: (case.attempts, case.hashes) for name, case in found.items()} == {
        "unknown-20260922T00Z": (2 * UNKNOWN_MANY + 6, 2 * UNKNOWN_MANY + 3),
        "unknown-20260922T01Z": (UNKNOWN_MANY, UNKNOWN_MANY),
    }
    first = found["unknown-20260922T00Z"]
    assert first.first_ms == hour_ms + 5 * MINUTE_MS


async def test_the_snapshot_is_the_undecided_and_decisions_are_copied_whole(
    client: AsyncClient, redis: ShardClient
) -> None:
    events = random_events(random.Random(3), 300, first_ms=AT_MS)
    await VoteSink(client).store(batch_of(events))
    keeper, desk = ReviewKeeper(redis, client, owner="test"), ReviewDesk(redis)
    await keeper.keep()
    published = await desk.published()
    assert published is not None
    assert published.cases == await read_snapshot(client)
    harmless, reopened, claimed = published.cases[:3]
    for case in (harmless, reopened, claimed):
        await desk.claim(case, "Aude", uuid4())
    for case in (harmless, reopened):
        await desk.resolve(case.case_id, "Aude", "harmless", "Zoé’s “phone”; =1", uuid4())
    await desk.reopen(reopened.case_id, "Béa", "More is known.", uuid4())
    for _ in range(2):
        await keeper.keep()
    assert await read_trail(client, page_rows=2) == await desk.trail((0, 0), 100)
    assert await keeper.copy_trail() == 0
    published = await desk.published()
    assert published is not None
    shown = {case.case_id for case in published.cases}
    assert harmless.case_id not in shown
    assert {reopened.case_id, claimed.case_id} <= shown
    (case,) = await read_cases(client, decided=True)
    assert case.case_id == harmless.case_id
    states = await rows(client, "SELECT state, decided_by, why FROM scrutin.review_cases"
                        f" WHERE case_id = '{harmless.case_id}'")  # fmt: skip
    assert states == [("resolved", "Aude", "Zoé’s “phone”; =1")]
    # another attempt comes: the case is back
    event = next(event for event in events if event.vote_hash.hex() == harmless.case_id)
    later = event._replace(stream_ms=AT_MS + 10**6, status="duplicate", attempt=99)
    await VoteSink(client).store(batch_of([later]))
    await keeper.keep()
    published = await desk.published()
    assert published is not None
    assert harmless.case_id in {case.case_id for case in published.cases}


async def test_entries_are_copied_as_they_come(client: AsyncClient, redis: ShardClient) -> None:
    desk = ReviewDesk(redis)
    keeper = ReviewKeeper(redis, client, owner="test", entries_max=2)
    cases = [ReviewCase(f"{n:064x}", "invalid", "", 1, 1, AT_MS, AT_MS) for n in range(5)]
    for count in (5, 0, 3):
        for case in cases[:count]:
            await desk.claim(case, "Aude", uuid4())
            await desk.resolve(case.case_id, "Aude", "fault", "Ours.", uuid4())
            await desk.reopen(case.case_id, "Aude", "Not ours.", uuid4())
        assert await keeper.copy_trail() == 3 * count
    assert await read_trail(client) == await desk.trail((0, 0), 100)


async def test_a_copy_that_was_interrupted_is_made_whole(
    client: AsyncClient, redis: ShardClient
) -> None:
    desk, keeper = ReviewDesk(redis), ReviewKeeper(redis, client, owner="test")
    for number in range(5):
        case = ReviewCase(f"{number:064x}", "invalid", "", 1, 1, AT_MS, AT_MS)
        await desk.claim(case, "Aude", uuid4())
    assert await keeper.copy_trail() == 5
    await client.command("ALTER TABLE scrutin.review_decisions DELETE WHERE 1",
                         settings={"mutations_sync": 2})  # fmt: skip
    assert await read_last_entry(client) == (0, 0)
    assert await keeper.copy_trail() == 5
    entries = await read_trail(client)
    assert Counter(entry.case_id for entry in entries) == {f"{n:064x}": 1 for n in range(5)}


async def test_a_network_with_many_refused_votes_is_a_case_and_others_are_not_stored(
    client: AsyncClient, redis: ShardClient
) -> None:
    hour = datetime.now(UTC).strftime("%Y%m%dT%H")
    busy, quiet = "0123456789abcdef", "fedcba9876543210"
    counts = [NetworkCount(busy, REFUSED_MIN - 1, 1), NetworkCount(quiet, 0, REFUSED_MIN - 1)]
    await add_counts(redis, hour, counts)
    keeper = ReviewKeeper(redis, client, owner="test")
    for _ in range(2):
        await keeper.keep()
    (case,) = await read_cases(client, kind="network-burst")
    assert case.case_id == f"network-{busy}-{hour}Z"
    assert (case.attempts, case.hashes) == (REFUSED_MIN, 0)
    await add_counts(redis, hour, [NetworkCount(busy, 0, 4)])
    await keeper.keep()
    (case,) = await read_cases(client, kind="network-burst")
    assert case.attempts == REFUSED_MIN + 4
    stored = await rows(client, "SELECT network, duplicates, invalid FROM scrutin.review_networks"
                        " FINAL")  # fmt: skip
    assert stored == [(busy, REFUSED_MIN - 1, 5)]


async def test_no_case_has_a_choice_and_no_network_a_hash(client: AsyncClient) -> None:
    columns = await rows(
        client,
        "SELECT table, name FROM system.columns WHERE database = 'scrutin'"
        " AND table LIKE 'review\\\\_%' AND table != 'review_queue'",
    )
    tables = {str(table) for table, _ in columns}
    assert tables == {"review_cases", "review_decisions", "review_networks"}
    assert not {name for _, name in columns} & {"vote", "choice", "address"}
    of_networks = {name for table, name in columns if table == "review_networks"}
    assert of_networks == {"hour", "network", "duplicates", "invalid", "refused"}
    events = random_events(random.Random(4), 200, first_ms=AT_MS)
    await VoteSink(client).store(batch_of(events))
    found = [case async for case in all_cases(client)]
    assert found
    for case in found:
        assert not {"oui", "non"} & set(map(str, case.__struct_fields__))
        assert "oui" not in repr(case)
        assert "non'" not in repr(case)


async def test_roles_suffice(
    client: AsyncClient, redis: ShardClient, clickhouse_server: LocalClickHouse
) -> None:
    """An auditor reads all of it and writes none; a drainer keeps it current."""
    await VoteSink(client).store(batch_of(random_events(random.Random(5), 100, first_ms=AT_MS)))
    desk = ReviewDesk(redis)
    as_role: As = lambda role: connected(clickhouse_server.url.replace("://", f"://{role}@"))  # noqa: E731
    (case, *_) = await read_cases(client)
    await desk.claim(case, "Aude", uuid4())
    async with as_role("drainer") as drainer:
        await ReviewKeeper(redis, drainer, owner="test").keep()
    async with as_role("auditor") as auditor:
        assert await read_cases(auditor) == await read_cases(client)
        assert await read_attempts(auditor, case.case_id)
        assert len(await read_trail(auditor)) == 1
