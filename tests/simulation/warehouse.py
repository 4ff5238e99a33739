"""A simulated ClickHouse: the two tables, as far as the drainer and its promises go.

An insert takes effect whole or not at all, sometimes late; its answer may be lost or false; a token
that is still remembered drops a block; of equal keys FINAL shows one row.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
from clickhouse_connect.driver import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from clickhouse.sql import read_query
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import PROGRAM
from tests.simulation.trace import Trace

Row = dict[str, Any]
EventName = tuple[int, int, int]
HOST = "clickhouse"


class Warehouse:
    """The server. `trouble` is how often a request fails, `away` refuses them all."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, trace: Trace) -> None:
        self.away = False
        self.trouble = 0.0
        self.tables: dict[str, list[Row]] = {"vote_audit": [], "ballots": []}
        self._loop, self._rng, self._trace = loop, rng, trace
        self._tokens_kept = rng.choice([0, 2, 1000])
        self._tokens: list[str] = []
        self._slowness_s = rng.choice([0.002, 0.02, 0.1])

    def client(self) -> AsyncClient:
        """Return what the drainer takes for the driver's client."""
        return cast("AsyncClient", _Client(self))

    def audit(self) -> dict[EventName, Row]:
        """Return `vote_audit FINAL` by event."""
        return {event_name(row): row for row in self.tables["vote_audit"]}

    def ballots(self) -> dict[tuple[str, str], Row]:
        """Return `ballots FINAL` by law and hash: the earliest event of each counts."""
        kept: dict[tuple[str, str], Row] = {}
        for row in self.tables["ballots"]:
            key = row["law_id"], row["vote_hash"]
            if key not in kept or _earlier(row, kept[key]):
                kept[key] = row
        return kept

    def tallies(self) -> list[tuple[str, int, int]]:
        """Return the rows of `vote_results`."""
        return _tallied(self.ballots().values())

    async def answer(self, delay_parts: float = 1.0) -> None:
        """Let time pass, and perhaps fail."""
        await asyncio.sleep(self._slowness_s * delay_parts * (0.5 + self._rng.random()))
        if self.away:
            raise OperationalError("connection refused")
        if self._rng.random() < self.trouble:
            if self._rng.random() < 0.5:
                raise DatabaseError("too many parts", code=252)
            raise OperationalError("connection reset")

    def select(self, query: str, where: dict[str, Any]) -> list[Any]:
        """Answer one of our queries."""
        if query == read_query("tallies"):
            return self.tallies()
        if query == read_query("accepted"):
            return self._accepted(where["from_ms"], where["until_ms"])
        if query == read_query("audit_rows"):
            times = [row["stream_ms"] for row in self.tables["vote_audit"]]
            old = sum(ms < where["from_ms"] for ms in times)
            return [[old, sum(ms < where["until_ms"] for ms in times) - old, HOST]]
        if query == read_query("corrections"):
            return self._corrections(where["until_ms"])
        if query == read_query("stored_ballots"):
            asked = set(where["ballots"])
            return [list(key) for key in self.ballots() if key in asked]
        if query == read_query("stored_events"):
            return [list(name) for name in self._between(where["table"], where)]
        assert query == read_query("count_stored"), query
        return [[len(self._between(table, where)) for table in ("vote_audit", "ballots")]]

    def _accepted(self, from_ms: int, until_ms: int) -> list[tuple[object, ...]]:
        rows = [
            row
            for row in self.audit().values()
            if row["status"] == "accepted" and row["stream_ms"] >= from_ms
        ]
        until = {
            law: votes for law, *votes in _tallied(r for r in rows if r["stream_ms"] < until_ms)
        }
        newest = {row["law_id"]: row["stream_ms"] for row in sorted(rows, key=event_time)}
        return [
            (law, *until.get(law, (0, 0)), oui, non, newest[law], HOST)
            for law, oui, non in _tallied(rows)
        ]

    def _corrections(self, until_ms: int) -> list[tuple[str, int, int]]:
        def counted(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
            return Counter(
                (row["law_id"], row["vote"]) for row in rows if row["stream_ms"] < until_ms
            )

        more = counted(self.ballots().values())
        more.subtract(counted(r for r in self.audit().values() if r["status"] == "accepted"))
        laws = sorted({law for law, _ in more})
        rows = [(law, more[law, "oui"], more[law, "non"]) for law in laws]
        return [row for row in rows if any(row[1:])]

    def _between(self, table: str, where: dict[str, Any]) -> set[EventName]:
        names = {event_name(row) for row in self.tables[table]}
        firsts, lasts = where["firsts"], where["lasts"]
        return {
            (shard, ms, seq)
            for shard, ms, seq in names
            if firsts[shard] <= (ms << 20) + seq <= lasts[shard]
        }

    async def insert(self, table: str, rows: list[Row], token: str) -> None:
        """Insert a block; however it ends, it may have been applied or not, or be applied later."""
        who = PROGRAM.get().name
        await self.answer()
        fate = self._rng.random() / max(self.trouble, 1e-9)
        if fate < 0.2:  # something between has answered
            self._trace.note(who, f"{table}: {len(rows)} rows went nowhere")
            return
        if fate < 0.4:  # applied after the caller has given up
            late_s = self._rng.uniform(0.01, 1.0)
            self._loop.call_later(late_s, self._apply, who, table, rows, token)
            raise OperationalError("timed out")
        self._apply(who, table, rows, token)
        await asyncio.sleep(self._slowness_s * self._rng.random())
        if fate < 1:
            raise OperationalError("connection reset while waiting for the answer")

    def _apply(self, who: str, table: str, rows: list[Row], token: str) -> None:
        if token in self._tokens:
            self._trace.note(who, f"{table}: dropped a block it has")
            return
        self._tokens = [*self._tokens, token][-self._tokens_kept :] if self._tokens_kept else []
        self.tables[table] += rows
        self._trace.note(who, f"{table}: {len(rows)} rows")


def event_name(row: Row) -> EventName:
    """Return what names a row's event."""
    return row["shard"], row["stream_ms"], row["stream_seq"]


def event_time(row: Row) -> int:
    """Return when a row's event was decided."""
    return int(row["stream_ms"])


def _tallied(rows: Iterable[Row]) -> list[tuple[str, int, int]]:
    counts: dict[str, list[int]] = {}
    for row in rows:
        counts.setdefault(row["law_id"], [0, 0])[row["vote"] == "non"] += 1
    return [(law, oui, non) for law, (oui, non) in sorted(counts.items())]


def _earlier(one: Row, other: Row) -> bool:
    return (one["stream_ms"], one["stream_seq"]) < (other["stream_ms"], other["stream_seq"])


class _Client:
    """The driver's client, as far as our code uses it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    async def insert(
        self,
        table: str,
        data: Sequence[Sequence[Any]],
        *,
        column_names: list[str],
        settings: dict[str, Any],
        **_: object,
    ) -> None:
        rows = [dict(zip(column_names, row, strict=True)) for row in zip(*data, strict=True)]
        for row in rows:
            row["request_id"] = row["request_id"].to_bytes(16)
        token = settings["insert_deduplication_token"]
        await self._warehouse.insert(table.removeprefix("scrutin."), rows, token)

    async def raw_query(self, query: str, parameters: dict[str, Any], **_: object) -> bytes:
        await self._warehouse.answer(0.5)
        data = self._warehouse.select(query, parameters)
        return msgspec.json.encode({"data": data, "rows": len(data)})
