"""Reads what the tables hold, a range of shards at a time, in the order of the ballot hashes.

Rows stored twice are equal and come once. FINAL is not used: of two rows that should be equal and
are not it would hide one.
"""

from collections.abc import Iterator
from itertools import starmap
from typing import Any, Literal, NamedTuple

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.errors import ClickHouseRejected, ClickHouseUnavailable
from clickhouse.retry import NO_ANSWER, classified
from clickhouse.sql import read_query
from shards.events import EventId, OutboxEvent
from shards.keys import SHARDS

ROWS_AT_ONCE = 200_000

Table = Literal["ballots", "vote_audit"]


class Ballot(NamedTuple):
    """A row of `ballots`."""

    shard: int
    stream_ms: int
    stream_seq: int
    vote_hash: bytes
    law_id: str
    vote: str
    request_id: bytes


class Rows(NamedTuple):
    """How many rows the tables have, those stored twice counted twice."""

    vote_audit: int
    ballots: int


class History:
    """The tables, read in parts. All raise ClickHouseUnavailable, ClickHouseRejected."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def rows(self) -> Rows:
        """Count rows."""
        [counts] = await read_rows(self._client, "count_rows", tuple[int, int])
        return Rows(*counts)

    async def check_form(self) -> None:
        """Raise ClickHouseRejected also when a row's hash is none or not of its shard."""
        [(malformed,)] = await read_rows(self._client, "malformed", tuple[int])
        if malformed:
            raise ClickHouseRejected(
                f"{malformed} rows of vote_audit and ballots have a vote_hash that is no hash or "
                "not of their shard; nothing of ours writes such rows"
            )

    async def last_events(self) -> dict[int, EventId]:
        """Return the highest event id of each shard that has one."""
        rows = await read_rows(self._client, "last_events", tuple[int, int, int])
        return {shard: (ms, seq) for shard, ms, seq in rows}

    async def events(self, shards: range) -> list[OutboxEvent]:
        """Read the attempts of shards, by hash and event id."""
        rows = await self._read("events_of_shards", "vote_audit", shards)
        return list(starmap(OutboxEvent, rows))

    async def ballots(self, shards: range) -> list[Ballot]:
        """Read the accepted ballots of shards, by hash and event id."""
        return list(starmap(Ballot, await self._read("ballots_of_shards", "ballots", shards)))

    async def complete_ballots(self, shards: range) -> None:
        """Add the ballots that vote_audit has and `ballots` lacks; safe to repeat.

        A drainer stores `vote_audit` first, and may have ended in between. Raises
        ClickHouseUnavailable also when they are still missing after.
        """
        missing = await self._ballots_missing(shards)
        if not missing:
            return
        with classified():
            await self._client.command(
                read_query("complete_ballots"),
                parameters=_bounds(shards),
                settings={"insert_deduplicate": 0},
            )
        # Those that are missing only now are on their way: a drainer is between its two inserts.
        if left := missing & await self._ballots_missing(shards):
            raise ClickHouseUnavailable(
                f"ClickHouse: an insert was answered, but ballots lacks {len(left):,} ballots of it"
            )

    async def _ballots_missing(self, shards: range) -> set[tuple[str, str]]:
        bounds = _bounds(shards)
        return set(await read_rows(self._client, "ballots_missing", tuple[str, str], bounds))

    async def _read(self, query: str, table: Table, shards: range) -> list[tuple[Any, ...]]:
        least = await count_events(self._client, table, shards)
        with classified():
            result = await self._client.query(read_query(query), parameters=_bounds(shards))
        if result.row_count < least:
            raise ClickHouseUnavailable(f"ClickHouse: {table}: {NO_ANSWER}")
        return list(zip(*result.result_columns, strict=True)) if result.row_count else []


async def count_events(client: AsyncClient, table: Table, shards: range) -> int:
    """Return how many events of shards a table has: rows that are read later are not fewer.

    An answer that was cut short, or is none, has fewer. Raises ClickHouseUnavailable,
    ClickHouseRejected.
    """
    asked = {"table": table, **_bounds(shards)}
    [(events,)] = await read_rows(client, "count_events", tuple[int], asked)
    return events


def shard_ranges(rows: int, rows_max: int = ROWS_AT_ONCE) -> Iterator[range]:
    """Cut the shards into ranges of about `rows_max` rows at most, out of `rows` in all."""
    size = SHARDS
    while size > 1 and rows * size > rows_max * SHARDS:
        size //= 2
    for first in range(0, SHARDS, size):
        yield range(first, first + size)


def _bounds(shards: range) -> dict[str, int]:
    return {"first": shards[0], "last": shards[-1]}
