"""The review queue as ClickHouse has it: cases of attempts, and the trail that was copied."""

from collections.abc import AsyncIterator
from typing import NamedTuple, cast
from uuid import UUID

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.retry import classified
from shards.review import Kind, ReviewCase, ReviewDesk, TrailEntry

SNAPSHOT_CASES_MAX = 100  # of each kind
ATTEMPTS_MAX = 1000
PAGE_ROWS = 50_000
_TRAIL_COLUMNS = {
    "entry_ms": "UInt64",
    "entry_seq": "UInt32",
    "case_id": "String",
    "action": "Enum8('claim' = 1, 'resolve' = 2, 'reopen' = 3)",
    "auditor": "String",
    "decision": "LowCardinality(String)",
    "why": "String",
    "attempts": "UInt64",
    "act_id": "UUID",
}


class Queue(NamedTuple):
    """Both halves of the queue: who has what, and what there is."""

    desk: ReviewDesk
    clickhouse: AsyncClient


class Attempt(NamedTuple):
    """One attempt with a ballot, but for choice and request id. Its time in ms since 1970."""

    at_ms: int
    status: str
    law_id: str
    attempt: int


async def read_cases(
    client: AsyncClient,
    *,
    kind: str = "",
    law_id: str = "",
    case_id: str = "",
    decided: bool | None = None,
    limit: int = 50,
) -> list[ReviewCase]:
    """Return cases, those with the most attempts first; empty and None let all through.

    `decided` is what the copied trail says, seconds behind Redis. Raises ClickHouseUnavailable,
    ClickHouseRejected.
    """
    parameters: dict[str, object] = {
        "kind": kind,
        "law_id": law_id,
        "case_id": case_id,
        "decided": "" if decided is None else "yes" if decided else "no",
        "limit": limit,
    }
    return await _read_cases(client, "review_cases", parameters)


async def read_snapshot(client: AsyncClient) -> list[ReviewCase]:
    """Return the undecided cases to show first, at most 100 of each kind; raises as above."""
    return await _read_cases(client, "review_snapshot", {"limit": SNAPSHOT_CASES_MAX})


async def all_cases(client: AsyncClient, page_rows: int = PAGE_ROWS) -> AsyncIterator[ReviewCase]:
    """Yield every case in the order of their ids, so many read at once; raises as above."""
    after = ""
    while True:
        cases = await _read_cases(client, "review_export", {"after": after, "limit": page_rows})
        for case in cases:
            yield case
        if len(cases) < page_rows:
            return
        after = cases[-1].case_id


async def read_attempts(client: AsyncClient, vote_hash: str) -> list[Attempt]:
    """Return the attempts with a ballot, at most 1000, the earliest first; raises as above."""
    parameters = {"vote_hash": vote_hash, "limit": ATTEMPTS_MAX}
    found = await read_rows(client, "review_attempts", tuple[int, str, str, int], parameters)
    return [Attempt(*row) for row in found]


async def read_last_entry(client: AsyncClient) -> tuple[int, int]:
    """Return ms and seq of the latest entry that was copied, zeros for none; raises as above."""
    found = await read_rows(client, "review_last_entry", tuple[int, int])
    return found[0] if found else (0, 0)


async def read_trail(client: AsyncClient, page_rows: int = PAGE_ROWS) -> list[TrailEntry]:
    """Return all entries that were copied, the earliest first; raises as above."""
    entries: list[TrailEntry] = []
    while True:
        after = (entries[-1].entry_ms, entries[-1].entry_seq) if entries else (0, 0)
        parameters = {"after_ms": after[0], "after_seq": after[1], "limit": page_rows}
        found = await read_rows(
            client,
            "review_trail",
            tuple[int, int, str, str, str, str, str, int, UUID],
            parameters,
        )
        entries += [TrailEntry(*values) for values in found]
        if len(found) < page_rows:
            return entries


async def store_entries(client: AsyncClient, entries: list[TrailEntry]) -> None:
    """Copy entries of the trail; safe to repeat; raises as above."""
    rows = [[getattr(entry, name) for name in _TRAIL_COLUMNS] for entry in entries]
    await _insert(client, "review_decisions", rows, _TRAIL_COLUMNS)


async def _insert(
    client: AsyncClient, table: str, rows: list[list[object]], columns: dict[str, str]
) -> None:
    with classified():
        await client.insert(
            f"scrutin.{table}",
            rows,
            column_names=list(columns),
            column_type_names=list(columns.values()),
            settings={"async_insert": 0},
        )


async def _read_cases(
    client: AsyncClient, query: str, parameters: dict[str, object]
) -> list[ReviewCase]:
    rows = await read_rows(client, query, tuple[str, str, str, int, int, int, int], parameters)
    return [ReviewCase(row[0], cast("Kind", row[1]), *row[2:]) for row in rows]
