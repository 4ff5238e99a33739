"""Proves that Redis, audit, ballots and results say the same, or says where they do not.

It only reads, and may run while votes are taken and drained: `clickhouse/comparison.py` says what
is compared then. Totals are held between those read before and after. `settled` asks for more:
nothing moves, the outbox is empty and the published results are those of the ballots. With the hash
database, every elector on the roll is looked for in it, and the other way round: stores that agree
may all have been told of an elector who is none.
"""

from collections import Counter
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

import msgspec
from clickhouse_connect.driver import AsyncClient

from clickhouse.comparison import Difference, ShardComparison, ShardRead, event_id
from clickhouse.history import History, shard_ranges
from clickhouse.totals import (
    AUDIT,
    Totals,
    count_totals,
    is_of_choice,
    read_totals,
    totals_of_tallies,
)
from hashgen.database import HashDatabase
from shards.census import last_events, on_roll, read_census, read_waiting
from shards.client import ShardClient
from shards.errors import RollConflict
from shards.keys import SHARDS
from shards.results import ResultsSnapshot, read_results
from shards.roll import RollInfo, read_roll_info
from shards.roll_comparison import is_of, match_shards

Progress = Callable[[int], None]  # told how many shards were read since the last call
DIFFERENCES_MAX = 20


class Verification(msgspec.Struct):
    """What was compared and what differs.

    `electors` and `voted` as the roll has them; `matched`: electors who are in the hash database
    too, 0 without it; `audit_events` and `ballots` as the tables do;
    `refused`: hashes refused as invalid; `waiting`: events in the outbox; `moving`: events decided
    while their shard was being read. `differences` lists the first ones found,
    `differences_by_kind` counts all.
    """

    electors: int = 0
    matched: int = 0
    voted: int = 0
    audit_events: int = 0
    ballots: int = 0
    duplicates: int = 0
    refused: int = 0
    waiting: int = 0
    moving: int = 0
    differences_total: int = 0
    differences_by_kind: dict[str, int] = {}
    differences: list[Difference] = []


def readings(database: HashDatabase | None) -> int:
    """Return how many shards progress is told of in all: with a database each is read twice."""
    return SHARDS if database is None else 2 * SHARDS


class Verifier:
    """One comparison of everything; for one use."""

    def __init__(
        self,
        redis: ShardClient,
        clickhouse: AsyncClient,
        *,
        database: HashDatabase | None = None,
        settled: bool = False,
        differences_max: int = DIFFERENCES_MAX,
    ) -> None:
        self._redis = redis
        self._clickhouse = clickhouse
        self._history = History(clickhouse)
        self._database = database
        self._settled = settled
        self._differences_max = differences_max
        self._found = Verification()
        self._counted: Totals = Counter()

    async def run(self, progress: Progress | None = None) -> Verification:
        """Compare all shards and the totals.

        A database has been checked with its `check()`. Raises shards' `Unavailable` (`RollMissing`
        while a shard is not ready), `RollConflict` for the database of another roll, DatabaseError,
        ClickHouseUnavailable, ClickHouseRejected.
        """
        info = await read_roll_info(self._redis)
        if self._database is not None:
            await self._compare_electors(info, self._database, progress)
        await self._history.check_form()
        published = await read_results(self._redis)
        before = await read_totals(self._clickhouse)
        for shards in shard_ranges(max(info.electors, *await self._history.rows())):
            await self._compare_shards(info, shards)
            if progress is not None:
                progress(len(shards))
        after = await read_totals(self._clickhouse)
        self._compare_totals(before, after)
        self._compare_published(published, after)
        self._conclude(info)
        return self._found

    async def _compare_electors(
        self, info: RollInfo, database: HashDatabase, progress: Progress | None
    ) -> None:
        if not is_of(database.manifest, info):
            raise RollConflict(f"{database.directory} is of another roll than the one loaded")
        async for match in match_shards(self._redis, info, database):
            self._found.matched += match.matched
            for beginning in sorted(match.missing):
                text = "is in the hash database, and not on the roll"
                self._add(Difference("not-loaded", beginning.hex(), text))
            for beginning in sorted(match.unknown):
                text = "is on the roll, and not in the hash database"
                self._add(Difference("not-in-database", beginning.hex(), text))
            if progress is not None:
                progress(1)

    async def _compare_shards(self, info: RollInfo, shards: range) -> None:
        # The order of reading is what the comparison rests on.
        census = await read_census(self._redis, shards, info.buckets_per_shard)
        waiting = {
            shard: await read_waiting(self._redis, shard, census[shard].last) for shard in shards
        }
        ballots = await self._history.ballots(shards)
        events = await self._history.events(shards)
        latest = await last_events(self._redis, shards)
        self._counted += count_totals(events, ballots)
        self._found.ballots += len(ballots)
        ballots_of = {shard: list(rows) for shard, rows in groupby(ballots, attrgetter("shard"))}
        events_of = {shard: list(rows) for shard, rows in groupby(events, attrgetter("shard"))}
        for shard in shards:
            read = ShardRead(
                census=census[shard],
                waiting=waiting[shard],
                ballots=ballots_of.get(shard, []),
                events=events_of.get(shard, []),
                latest=latest[shard],
            )
            await self._compare_shard(info, read)

    async def _compare_shard(self, info: RollInfo, read: ShardRead) -> None:
        found, census = self._found, read.census
        comparison = ShardComparison(read)
        found.electors += census.electors
        found.voted += len(census.records)
        found.duplicates += comparison.duplicates
        found.refused += len(comparison.refused)
        found.waiting += len(read.waiting)
        moved = {event_id(event) for event in (*read.waiting, *read.events)}
        found.moving += sum(census.first < moment <= read.latest for moment in moved)
        for difference in comparison.differences:
            self._add(difference)
        known = await on_roll(
            self._redis, comparison.absent | comparison.refused, info.buckets_per_shard
        )
        for vote_hash in comparison.absent & known:
            text = "was accepted, and has not voted by the roll"
            self._add(Difference("not-voted", vote_hash.hex(), text))
        for vote_hash in comparison.absent - known:
            text = "was accepted, and is not on the roll"
            self._add(Difference("not-on-roll", vote_hash.hex(), text))
        for vote_hash in comparison.refused & known:
            text = "was refused as invalid, and is on the roll"
            self._add(Difference("refused-elector", vote_hash.hex(), text))

    def _compare_totals(self, before: Totals, after: Totals) -> None:
        """Hold each total, counted part by part, between those read before and after."""
        self._found.audit_events = self._counted[AUDIT]
        for name in sorted(before | after | self._counted):
            if not before[name] <= self._counted[name] <= after[name]:
                by = "{} by the view, {} by the rows"
                self._add(Difference("total", "", _told(name, by, after, self._counted)))

    def _compare_published(self, published: ResultsSnapshot | None, after: Totals) -> None:
        """Hold the published results to the count: they may lag behind, never run ahead."""
        shown = totals_of_tallies(published.tallies if published else [])
        counted = [name for name in after if name.startswith("vote_results")]
        for name in sorted({*shown, *counted}):
            if shown[name] > after[name] or (self._settled and shown[name] < after[name]):
                by = "{} published, {} counted"
                self._add(Difference("published", "", _told(name, by, shown, after)))

    def _conclude(self, info: RollInfo) -> None:
        found = self._found
        if found.electors != info.electors:
            text = f"the roll has {found.electors} of its {info.electors} electors"
            self._add(Difference("electors", "", text))
        if self._settled and found.waiting + found.moving:
            text = f"{found.waiting} events wait in the outbox, {found.moving} came meanwhile"
            self._add(Difference("not-settled", "", text))

    def _add(self, difference: Difference) -> None:
        found = self._found
        found.differences_total += 1
        count = found.differences_by_kind.get(difference.kind, 0)
        found.differences_by_kind[difference.kind] = count + 1
        if len(found.differences) < self._differences_max:
            found.differences.append(difference)


def _told(name: str, text: str, one: Totals, other: Totals) -> str:
    """Say that two totals differ; of what was chosen no number, which may not be known yet."""
    if not is_of_choice(name):
        return f"{name}: {text.format(one[name], other[name])}"
    return f"{name}: {text.format('fewer' if one[name] < other[name] else 'more', 'not so many')}"
