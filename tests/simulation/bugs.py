"""Bugs to plant, one at a time: the simulation has to find each.

Python is changed by replacing an attribute, Lua by replacing a line in the library as the client
loads it; only while a test asks for it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

import hiredis
import msgspec

from clickhouse import sink
from clickhouse.answers import read_rows
from clickhouse.drainer import Drainer
from clickhouse.errors import ClickHouseUnavailable
from clickhouse.running_count import RunningCount
from clickhouse.sink import VoteSink
from shards import functions, lane
from shards.command import pack
from shards.completeness import Fence, Watermark
from shards.connection import PipelinedConnection
from shards.lane import Lane
from shards.outbox import Outbox, OutboxBatch
from shards.results import LawTally
from shards.roll import Cast
from tests.simulation.plan import Request
from tests.simulation.programs import Edge

Plant = AbstractContextManager[Any]


def _lua(library: str, *changes: tuple[str, str]) -> Plant:
    """Change lines of a library; each must be there."""
    commands = list(functions.load_commands())
    index = functions.LIBRARIES.index(library)
    reader = hiredis.Reader()
    reader.feed(commands[index])
    *words, code = reader.gets()
    for line, instead in changes:
        assert line.encode() in code, f"{library}.lua has changed: {line}"
        code = code.replace(line.encode(), instead.encode(), 1)
    commands[index] = pack(*words, code)
    return patch.object(functions, "load_commands", lambda: commands)


def confirmation_unchecked() -> Plant:
    return patch.object(lane, "_shortfall", lambda _reply, _needed: None)


def replicas_unchecked() -> Plant:
    shortfall = lane._shortfall
    return patch.object(lane, "_shortfall", lambda reply, _needed: shortfall(reply, 0))


def confirmed_on_another_connection() -> Plant:
    confirm = Lane._confirm

    async def confirmed(self: Lane, connection: PipelinedConnection) -> str | None:
        host, port = self.address
        try:
            other = await PipelinedConnection.open(host, port, tls=None, handshake=[], timeout_s=1)
        except OSError as error:
            return str(error)
        try:
            return await confirm(self, other)
        finally:
            other.abort()

    return patch.object(Lane, "_confirm", confirmed)


def retry_of_accepted_not_written() -> Plant:
    line = "redis.call('HSET', bucket, field, record)\n      if string.sub"
    return _lua("cast", (line, "if string.sub"))


def retry_of_duplicate_not_written() -> Plant:
    line = "redis.call('HSET', bucket, field, record)\n      if repeat_choice"
    return _lua("cast", (line, "if repeat_choice"))


def request_id_ignored() -> Plant:
    line = "if string.sub(record, 2, 17) == request_id then"
    return _lua("cast", (line, "if false then"))


def attempts_counted_twice() -> Plant:
    line = "local ago, repeat_choice = find_repeat(repeats, request_id)"
    return _lua("cast", (line, "local ago, repeat_choice = nil, nil"))


def duplicates_not_counted() -> Plant:
    line = "redis.call('HSET', bucket, field, string.sub(record, 1, 17) .. attempt)"
    return _lua("cast", (line, "redis.call('HSET', bucket, field, record)"))


def conflict_not_written() -> Plant:
    line = "redis.call('HSET', bucket, field, record)\n      if string.sub"
    unwritten = "if string.sub(record, 1, 1) ~= choice then return CONFLICT end\n      "
    return _lua("cast", (line, unwritten + line))


def lease_outlives_the_clock() -> Plant:
    return _lua("outbox", ("then owner = nil end", "then end"))


def empty_outbox_not_confirmed() -> Plant:
    return _lua("outbox", ("redis.call('SET', keys[3], redis.call('GET', keys[3]) or '0')", ""))


def retry_makes_a_new_id() -> Plant:
    cast = Edge._cast

    async def renamed(self: Edge, request: Request) -> Cast:
        return await cast(self, request._replace(request_id=random.randbytes(16)))

    return patch.object(Edge, "_cast", renamed)


def no_fence() -> Plant:
    """Read the outbox as it is, without a write that could be confirmed."""
    return _lua(
        "outbox",
        (
            "local owner = redis.call('GET', keys[2])",
            """do
                return { now_ms, length, first, last, 1 }
            end
            local owner = redis.call('GET', keys[2])""",
        ),
        ("if redis.call('GET', keys[2]) ~= args[1] then return -1 end", ""),
    )


def trimmed_before_inserted() -> Plant:
    store = Drainer._store

    async def trimming(self: Drainer, batch: OutboxBatch) -> None:
        await self._outbox.trim(batch)
        await store(self, batch)

    return patch.object(Drainer, "_store", trimming)


def trimmed_too_far() -> Plant:
    trim = Outbox.trim

    async def further(self: Outbox, batch: OutboxBatch) -> list[int]:
        trims = {shard: (ms + 10, seq) for shard, (ms, seq) in batch.trims.items()}
        return await trim(self, msgspec.structs.replace(batch, trims=trims))

    return patch.object(Outbox, "trim", further)


def failed_insert_taken_for_done() -> Plant:
    store = VoteSink.store

    async def careless(self: VoteSink, batch: OutboxBatch) -> None:
        try:
            await store(self, batch)
        except ClickHouseUnavailable:
            return

    return patch.object(VoteSink, "store", careless)


def proof_not_asked_for() -> Plant:
    async def trusting(*_: object) -> None:
        return None

    return patch.object(sink, "table_lacking", trusting)


class _AddedUp:
    """A tally made by adding batch to batch."""

    def __init__(self) -> None:
        self._counts: WeakKeyDictionary[Any, Counter[tuple[str, str]]] = WeakKeyDictionary()
        self._store = VoteSink.store

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        return self._counts.setdefault(asyncio.get_running_loop(), Counter())

    async def store(self, sink: VoteSink, batch: OutboxBatch) -> None:
        await self._store(sink, batch)
        self.counts.update((e.law_id, e.vote) for e in batch.events if e.status == "accepted")

    async def read(self, *_: object) -> list[LawTally]:
        counts = self.counts
        laws = sorted({law for law, _ in counts})
        return [LawTally(law, counts[law, "oui"], counts[law, "non"]) for law in laws]


@contextmanager
def tally_by_adding_batches() -> Iterator[None]:
    added = _AddedUp()

    async def store(self: VoteSink, batch: OutboxBatch) -> None:
        await added.store(self, batch)

    with (
        patch.object(RunningCount, "count", added.read),
        patch.object(VoteSink, "store", store),
    ):
        yield


def settled_count_not_checked() -> Plant:
    checked = RunningCount.count

    async def count(self: RunningCount, now_ms: int) -> list[LawTally]:
        from_ms = self._settled.until_ms
        times = {"from_ms": from_ms, "until_ms": from_ms}
        [(rows, _, _)] = await read_rows(self._client, "audit_rows", tuple[int, int, str], times)
        self._settled = self._settled._replace(rows=rows)
        return await checked(self, now_ms)

    return patch.object(RunningCount, "count", count)


def complete_while_rows_are_left() -> Plant:
    return patch.object(Watermark, "reached", lambda *_: True)


def watermark_forgets_shards() -> Plant:
    """Take a shard that did not answer for one that has let go of everything."""

    def after(self: Watermark, fences: dict[int, Fence]) -> Watermark:
        there = {shard: last for shard, last in self.behind.items() if shard in fences}
        return self._replace(behind={s: last for s, last in there.items() if fences[s].holds(last)})

    return patch.object(Watermark, "after", after)


BUGS: dict[Callable[[], Plant], tuple[str, ...]] = {
    # Each with the kinds of faults that can show it; with none, days as they come.
    confirmation_unchecked: (),
    replicas_unchecked: (),
    confirmed_on_another_connection: (),
    retry_of_accepted_not_written: ("node_isolated",),
    retry_of_duplicate_not_written: ("node_isolated",),
    conflict_not_written: ("node_isolated",),
    request_id_ignored: (),
    attempts_counted_twice: (),
    duplicates_not_counted: (),
    retry_makes_a_new_id: (),
    no_fence: ("behind_and_promoted",),
    empty_outbox_not_confirmed: ("node_frozen",),
    lease_outlives_the_clock: ("clock_moved", "program_killed"),
    trimmed_before_inserted: (),
    trimmed_too_far: (),
    failed_insert_taken_for_done: (),
    proof_not_asked_for: ("clickhouse_troubled",),
    tally_by_adding_batches: (),
    settled_count_not_checked: ("clock_moved",),
    complete_while_rows_are_left: (),
    watermark_forgets_shards: (),
}
