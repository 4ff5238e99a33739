"""Every documented query, in the role it is for, against plain Python."""

import random

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.sink import VoteSink
from shards.events import OutboxEvent
from tests.analysts.expected import ANSWERS, Day
from tests.analysts.queries import Query, read_queries
from tests.support.clickhouse import batch_of, random_events, rows

QUERIES = read_queries()
EVENING_MS = 1_790_035_199_800
STRETCH = 70  # so that the events are hours apart, with minutes between in which none came


def a_day(seed: int) -> list[OutboxEvent]:
    """Make events over some hours, with a burst of strangers in one minute."""
    rng = random.Random(seed)
    events = [
        event._replace(stream_ms=EVENING_MS + (event.stream_ms - EVENING_MS) * 1000 * STRETCH)
        for event in random_events(rng, 900, first_ms=EVENING_MS)
    ]
    burst = [
        OutboxEvent(
            vote_hash[0], EVENING_MS + 7_200_000 + number, 0, vote_hash, "L2025-001", "oui",
            "invalid", rng.randbytes(16), 0,
        )
        for number, vote_hash in enumerate(rng.randbytes(32) for _ in range(40))
    ]  # fmt: skip
    return events + burst


def test_every_query_has_its_answer() -> None:
    assert [query.name for query in QUERIES] == list(ANSWERS)
    assert sum(query.role == "analyst" for query in QUERIES) >= 12


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
async def test_answers_as_plain_python_does(
    client: AsyncClient, clickhouse_server: LocalClickHouse, query: Query
) -> None:
    seed = 11
    events = a_day(seed)
    if query.name == "13-ballots-and-accepted-attempts":  # a second acceptance of one ballot
        first = next(event for event in events if event.status == "accepted")
        events.append(first._replace(stream_ms=first.stream_ms + 1, request_id=bytes(16)))
    for _ in range(2):  # stored twice: rows that are not yet collapsed must not show
        await VoteSink(client).store(batch_of(events))
    url = clickhouse_server.url.replace("://", f"://{query.role}@")
    async with connected(url) as asking:
        found = await rows(asking, query.statement)
    expected = list(ANSWERS[query.name](Day(events)))
    assert expected, "nothing is asked of this query"
    assert found == expected


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
async def test_answers_before_the_first_ballot(
    client: AsyncClient, clickhouse_server: LocalClickHouse, query: Query
) -> None:
    async with connected(clickhouse_server.url.replace("://", f"://{query.role}@")) as asking:
        found = await rows(asking, query.statement)
    assert all(not any(row) for row in found), "nothing, or nothing but zeros"
