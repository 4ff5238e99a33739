"""Proof, from ClickHouse itself, that a batch is stored.

The outbox is trimmed on this alone. An insert's own answer proves nothing: whatever stands between
may say 200, and a server may drop an insert whose token it remembers though the rows are gone.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from shards.events import OutboxEvent
from shards.keys import SHARDS
from shards.outbox import OutboxBatch

# A hash has 64 digits and a law's id 50 at most: the parameter stays below 100 KiB.
BALLOTS_ASKED_MAX = 500
_SEQ_BITS = 20  # in a number that orders the ids of one shard, as `earliness` in the tables


async def table_lacking(
    client: AsyncClient, batch: OutboxBatch, accepted: Sequence[OutboxEvent]
) -> str | None:
    """Name a table that lacks some of a batch, `accepted` being its events for `ballots`.

    Raises ClickHouseUnavailable, ClickHouseRejected: then nothing is known.
    """
    where = await asyncio.to_thread(_where, batch)
    # Counting takes a tenth of the time of comparing, and settles it but for rare cases: a table
    # may have more, after a failover that undid stored events, and `ballots` less, see below.
    counted = await read_rows(client, "count_stored", tuple[int, int], where)
    if counted == [(len(batch.events), len(accepted))]:
        return None
    if await _missing(client, "vote_audit", batch.events, where):
        return "vote_audit"
    # Of two events that accepted one ballot the table keeps the earlier; it still has the ballot.
    absent = await _missing(client, "ballots", accepted, where)
    for start in range(0, len(absent), BALLOTS_ASKED_MAX):
        if not await _have_ballots(client, absent[start : start + BALLOTS_ASKED_MAX]):
            return "ballots"
    return None


async def _missing(
    client: AsyncClient, table: str, events: Sequence[OutboxEvent], where: dict[str, Any]
) -> list[OutboxEvent]:
    asked = {"table": table, **where}
    ids = set(await read_rows(client, "stored_events", tuple[int, int, int], asked))
    return [event for event in events if event[:3] not in ids]


async def _have_ballots(client: AsyncClient, events: Sequence[OutboxEvent]) -> bool:
    ballots = {(event.law_id, event.vote_hash.hex()) for event in events}
    asked = {"ballots": sorted(ballots)}
    return ballots == set(await read_rows(client, "stored_ballots", tuple[str, str], asked))


def _where(batch: OutboxBatch) -> dict[str, Any]:
    """Make the parameters that select what lies from each shard's first event to its last."""
    begins = {event.shard: event[1:3] for event in reversed(batch.events)}
    firsts, lasts = [1] * SHARDS, [0] * SHARDS  # nothing lies from 1 to 0
    for shard, (ms, seq) in begins.items():
        firsts[shard] = (ms << _SEQ_BITS) + seq
    for shard, (ms, seq) in batch.trims.items():
        lasts[shard] = (ms << _SEQ_BITS) + seq
    return {
        "first_ms": min(begins.values())[0],
        "last_ms": max(batch.trims.values())[0],
        "firsts": firsts,
        "lasts": lasts,
    }
