"""Stores an outbox batch: one insert a table, safe to repeat, and a look at what was stored.

The batch's token lets ClickHouse drop an insert that it already has. That is only thrift: the
tables collapse equal events whether or not a block comes twice, and however it is cut.
"""

import asyncio
import uuid
from collections.abc import Sequence
from itertools import compress
from typing import Any

from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseUnavailable
from clickhouse.proof import table_lacking
from clickhouse.retry import classified
from shards.events import OutboxEvent
from shards.outbox import OutboxBatch

# More than any batch has, so that the server makes one block of it, written whole or not at all.
BLOCK_ROWS_MAX = 10_000_000

Columns = dict[str, Sequence[Any]]

_COLUMNS = {
    "shard": "UInt8",
    "stream_ms": "UInt64",
    "stream_seq": "UInt32",
    "vote_hash": "String",
    "law_id": "LowCardinality(String)",
    "vote": "Enum8('oui' = 1, 'non' = 2)",
    "status": "Enum8('accepted' = 1, 'duplicate' = 2, 'invalid' = 3)",
    "request_id": "UUID",
    "attempt": "UInt32",
}
_BALLOT_COLUMNS = ("shard", "stream_ms", "stream_seq", "vote_hash", "law_id", "vote", "request_id")


class VoteSink:
    """Writes batches to `vote_audit` and, of accepted events, to `ballots`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._unproven = ""  # token of a batch that was inserted and then not found

    async def store(self, batch: OutboxBatch) -> None:
        """Return once both tables are seen to have the batch; safe to repeat.

        Raises ClickHouseUnavailable, when some of it may be stored, and ClickHouseRejected.
        """
        # A server that drops for its token what it has not must not drop it again.
        token = uuid.uuid4().hex if batch.token == self._unproven else batch.token
        # Not on the event loop: 100,000 rows take some 50 ms, and an edge may live there too.
        audit = await asyncio.to_thread(_columns, batch.events)
        await self._insert("vote_audit", audit, token)
        accepted = [event for event in batch.events if event.status == "accepted"]
        if accepted:
            ballots = await asyncio.to_thread(_ballots, audit)
            await self._insert("ballots", ballots, token)
        if lacking := await table_lacking(self._client, batch, accepted):
            self._unproven = batch.token
            raise ClickHouseUnavailable(
                f"ClickHouse: an insert was answered, but {lacking} lacks rows of it"
            )

    async def _insert(self, table: str, columns: Columns, token: str) -> None:
        with classified():
            await self._client.insert(
                f"scrutin.{table}",
                list(columns.values()),
                column_names=list(columns),
                column_type_names=[_COLUMNS[name] for name in columns],
                column_oriented=True,
                settings={
                    "async_insert": 0,
                    "insert_deduplicate": 1,
                    "insert_deduplication_token": f"{token}-{table}",
                    "max_insert_threads": 1,
                    "min_insert_block_size_rows": BLOCK_ROWS_MAX,
                    "min_insert_block_size_bytes": 0,
                },
            )


def _columns(events: Sequence[OutboxEvent]) -> Columns:
    """Turn events, at least one, into columns by name."""
    columns: Columns = dict(zip(events[0]._fields, zip(*events, strict=True), strict=True))
    columns["vote_hash"] = [vote_hash.hex() for vote_hash in columns["vote_hash"]]
    # as numbers, which the client writes in a third of the time that bytes take
    columns["request_id"] = list(map(int.from_bytes, columns["request_id"]))
    return {name: columns[name] for name in _COLUMNS}


def _ballots(audit: Columns) -> Columns:
    """Pick what `ballots` gets from the columns of `vote_audit`."""
    accepted = [status == "accepted" for status in audit["status"]]
    return {name: list(compress(audit[name], accepted)) for name in _BALLOT_COLUMNS}
