"""Rebuilds the voted state in an empty cluster from the tables.

Who has voted is a duplicate again, with the right count, and the request that was accepted is
accepted again. Nothing is decided before all of it is there. May be killed and run again.
"""

import time
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter

import msgspec
from clickhouse_connect.driver import AsyncClient

from clickhouse.history import Ballot, History, shard_ranges
from clickhouse.review import read_last_entry
from clickhouse.tally import read_tallies
from hashgen.database import HashDatabase
from shards.client import ShardClient
from shards.election import Election
from shards.errors import ReplayRefused
from shards.events import OutboxEvent
from shards.load import fill_roll
from shards.records import Repeat
from shards.replay import (
    CastBallot,
    begin_replay,
    continue_after,
    continue_trail_after,
    fill_ballots,
    finish_replay,
)
from shards.results import ResultsSnapshot, publish_results
from shards.roll import RollInfo

Progress = Callable[[str, int], None]  # a step's name, and how much was done since the last call
LOADING, REPLAYING = "loading", "replaying"


class Replayed(msgspec.Struct, frozen=True):
    """What was done.

    `ballots` in the tables, of which `written` were not in the roll yet; `completed`: ballots that
    were in vote_audit alone.
    """

    electors: int
    ballots: int
    written: int
    completed: int


async def replay(
    redis: ShardClient,
    clickhouse: AsyncClient,
    database: HashDatabase,
    election: Election,
    progress: Progress = lambda _step, _count: None,
) -> Replayed:
    """Load a checked database into an empty cluster, replay the ballots, open the roll.

    No drainer may run that still holds events of the cluster that is gone. Raises
    `ReplayRefused`, what `load_roll` raises, ClickHouseUnavailable, ClickHouseRejected.
    """
    history = History(clickhouse)
    await history.check_form()
    rows = await history.rows()
    if not any(rows):
        raise ReplayRefused(
            "the tables hold no attempt to vote: is this the right ClickHouse? "
            "A roll without votes is loaded with `scrutin roll load`"
        )
    shards = await begin_replay(redis)
    info = await fill_roll(redis, database, election, lambda count: progress(LOADING, count))
    ballots = written = completed = 0
    for part in shard_ranges(max(rows)):
        events, stored = await history.events(part), await history.ballots(part)
        cast = list(cast_ballots(events, stored))
        missing = len(cast) - len({ballot.vote_hash for ballot in stored})
        if missing:
            await history.complete_ballots(part)
        to_fill = [ballot for ballot in cast if ballot.ballot_hash[0] in shards]
        written += await fill_ballots(redis, info, to_fill)
        ballots, completed = ballots + len(cast), completed + missing
        progress(REPLAYING, len(cast))
    await _open(redis, clickhouse, info, shards)
    # Complete up to no time: the drainers will say more.
    tallies = await read_tallies(clickhouse)
    await publish_results(redis, ResultsSnapshot(tallies, int(time.time() * 1000), 0))
    return Replayed(info.electors, ballots, written, completed)


def cast_ballots(events: list[OutboxEvent], ballots: list[Ballot]) -> Iterator[CastBallot]:
    """Yield what the roll shall hold, by hash; events and ballots are sorted by hash and event id.

    Of several events that accepted a ballot the first counts, whichever table has it.
    """
    accepted: dict[bytes, Ballot] = {}
    stored = [Ballot(*e[:6], e.request_id) for e in events if e.status == "accepted"]
    for ballot in sorted(stored + ballots, key=attrgetter("stream_ms", "stream_seq")):
        accepted.setdefault(ballot.vote_hash, ballot)
    again = sorted(
        (event for event in events if event.status == "duplicate"),
        key=attrgetter("vote_hash", "attempt"),
    )
    duplicates = {
        vote_hash: list(rows) for vote_hash, rows in groupby(again, attrgetter("vote_hash"))
    }
    for vote_hash, ballot in sorted(accepted.items()):
        attempts = duplicates.get(vote_hash, [])
        yield CastBallot(
            vote_hash,
            ballot.vote,
            ballot.request_id,
            attempts[-1].attempt if attempts else 0,
            [Repeat(event.request_id, event.vote) for event in attempts],
        )


async def _open(
    redis: ShardClient, clickhouse: AsyncClient, info: RollInfo, shards: set[int]
) -> None:
    last = await History(clickhouse).last_events()
    await continue_after(redis, info, {shard: last[shard] for shard in shards & last.keys()})
    entry = await read_last_entry(clickhouse)
    if 0 in shards and entry > (0, 0):
        await continue_trail_after(redis, info, entry)
    await finish_replay(redis, info, shards)
