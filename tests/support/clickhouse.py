"""Help for tests of ClickHouse: raw requests, random votes with an oracle, bad networks."""

import asyncio
import contextlib
import random
import urllib.error
import urllib.request
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from hashlib import sha256
from typing import NamedTuple

import pytest
from clickhouse_connect.driver import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from shards.events import OutboxEvent
from shards.outbox import OutboxBatch

LAWS = ("L2025-001", "L2025-002", "é$'`\\\n")  # the last: nothing may depend on quoting


class Answer(NamedTuple):
    """A raw HTTP answer."""

    status: int
    headers: Message
    body: bytes


def send(
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Answer:
    """Send a request with nothing but the standard library, as curl would."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


def random_events(rng: random.Random, count: int, *, first_ms: int) -> list[OutboxEvent]:
    """Make the events of one outbox: ballots, their duplicates, strangers; ids all different."""
    events: list[OutboxEvent] = []
    attempts: dict[tuple[str, bytes], int] = {}
    last_seq: dict[tuple[int, int], int] = defaultdict(lambda: -1)
    ballots = [(rng.choice(LAWS), rng.randbytes(32)) for _ in range(max(1, count // 2))]
    for number in range(count):
        law_id, vote_hash = rng.choice(ballots)
        status, attempt = "accepted", 0
        if rng.random() < 0.1:
            vote_hash, status = rng.randbytes(32), "invalid"
        elif (law_id, vote_hash) in attempts:
            attempt = attempts[law_id, vote_hash] = attempts[law_id, vote_hash] + 1
            status = "duplicate"
        else:
            attempts[law_id, vote_hash] = 0
        shard, stream_ms = vote_hash[0], first_ms + number // 3
        last_seq[shard, stream_ms] += 1
        events.append(
            OutboxEvent(
                shard,
                stream_ms,
                last_seq[shard, stream_ms],
                vote_hash,
                law_id,
                rng.choice(("oui", "non")),
                status,
                rng.randbytes(16),
                attempt,
            )
        )
    return events


def batch_of(events: Iterable[OutboxEvent]) -> OutboxBatch:
    """Make a batch as the outbox would name it."""
    events = sorted(events)
    trims = {event.shard: (event.stream_ms, event.stream_seq) for event in events}
    token = sha256(repr(events).encode()).hexdigest()
    return OutboxBatch(events, trims, token, None)


def as_time(event: OutboxEvent) -> datetime:
    """Give an event's time as the views do."""
    return datetime.fromtimestamp(event.stream_ms // 1000, UTC).replace(
        microsecond=event.stream_ms % 1000 * 1000
    )


@dataclass
class Oracle:
    """What tables and views must show of a list of distinct events, in plain Python."""

    events: list[OutboxEvent]
    ballots: dict[tuple[str, str], OutboxEvent] = field(init=False)

    def __post_init__(self) -> None:
        self.ballots = {}
        for event in sorted(self.events, key=lambda event: event[:3]):
            if event.status == "accepted":
                self.ballots.setdefault((event.law_id, event.vote_hash.hex()), event)

    def vote_audit(self) -> set[tuple[object, ...]]:
        return {
            (
                event.shard,
                event.stream_ms,
                event.stream_seq,
                event.vote_hash.hex(),
                event.law_id,
                event.vote,
                event.status,
                as_time(event),
                uuid.UUID(bytes=event.request_id),
                event.attempt,
            )
            for event in self.events
        }

    def ballot_rows(self) -> set[tuple[object, ...]]:
        return {
            (law_id, vote_hash, event.vote, as_time(event), uuid.UUID(bytes=event.request_id))
            for (law_id, vote_hash), event in self.ballots.items()
        }

    def vote_results(self) -> set[tuple[object, ...]]:
        laws = {law_id for law_id, _ in self.ballots}
        return {(law_id, *self._tally(law_id)) for law_id in laws}

    def _tally(self, law_id: str) -> tuple[int, int, datetime]:
        events = [event for (law, _), event in self.ballots.items() if law == law_id]
        votes = [event.vote for event in events]
        return votes.count("oui"), votes.count("non"), max(map(as_time, events))

    def duplicate_attempts(self) -> set[tuple[object, ...]]:
        times: dict[str, list[datetime]] = defaultdict(list)
        for event in self.events:
            if event.status == "duplicate":
                times[event.vote_hash.hex()].append(as_time(event))
        return {(hash_, len(seen), min(seen), max(seen)) for hash_, seen in times.items()}

    def review_queue(self) -> set[tuple[object, ...]]:
        return {
            (
                as_time(event),
                event.status,
                event.law_id,
                event.vote_hash.hex(),
                event.vote,
                event.attempt,
                uuid.UUID(bytes=event.request_id),
                *event[:3],
            )
            for event in self.events
            if event.status != "accepted"
        }

    def turnout_by_minute(self) -> set[tuple[object, ...]]:
        counts: dict[tuple[datetime, str], int] = defaultdict(int)
        for (law_id, _), event in self.ballots.items():
            counts[as_time(event).replace(second=0, microsecond=0), law_id] += 1
        return {(*key, count) for key, count in counts.items()}


def accepted_twice(first_ms: int) -> list[OutboxEvent]:
    """Return what Redis accepts of one elector after it lost a vote that it had confirmed."""
    first = OutboxEvent(
        7, first_ms, 1, bytes([7]) * 32, "L2025-001", "oui", "accepted", bytes(16), 0
    )
    return [first, first._replace(stream_ms=first_ms + 1, vote="non", request_id=bytes([1]) * 16)]


async def rows(client: AsyncClient, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in (await client.query(statement, tz_mode="aware")).result_rows]


async def denied(client: AsyncClient, statement: str) -> None:
    """Expect that the engine refuses a statement for want of a right."""
    with pytest.raises(DatabaseError, match=r"ACCESS_DENIED"):
        await client.raw_query(statement)


async def assert_agrees(client: AsyncClient, events: Sequence[OutboxEvent]) -> None:
    oracle = Oracle(list(events))
    ballots = "SELECT law_id, vote_hash, vote, timestamp, request_id FROM scrutin.ballots FINAL"
    expected: dict[str, Callable[[], set[tuple[object, ...]]]] = {
        "SELECT * FROM scrutin.vote_audit FINAL": oracle.vote_audit,
        ballots: oracle.ballot_rows,
        "SELECT * FROM scrutin.vote_results": oracle.vote_results,
        "SELECT * FROM scrutin.duplicate_attempts": oracle.duplicate_attempts,
        "SELECT * FROM scrutin.review_queue": oracle.review_queue,
        "SELECT * FROM scrutin.turnout_by_minute": oracle.turnout_by_minute,
    }
    for statement, of_oracle in expected.items():
        found = await rows(client, statement)
        assert len(found) == len(set(found)), f"doubled rows: {statement}"
        assert set(found) == of_oracle(), statement


class FaultProxy:
    """A TCP proxy in front of a server, whose answers can be swallowed.

    While `swallowing`, requests reach the server and are executed, but no answer comes back:
    the client learns nothing until it gives up. `swallowed` counts the answers' chunks.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.swallowing = False
        self.swallowed = 0
        self.port = 0
        self._changed = asyncio.Condition()
        self._ends: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Future[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FaultProxy"]:
        """Serve on a free port inside the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for end in self._ends:
                end.close()
            await asyncio.gather(*self._serving)
            await server.wait_closed()

    async def swallowed_more_than(self, chunks: int) -> None:
        """Wait until that much was swallowed since the proxy was made."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.swallowed > chunks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        with contextlib.suppress(OSError):
            answers, requests = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.append(requests)
            self._ends.update(ends)
            # Either direction's end closes the other's, so both come to an end.
            await asyncio.gather(
                self._pass_on(reader, requests, may_swallow=False),
                self._pass_on(answers, writer, may_swallow=True),
            )
        for end in ends:
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()
        self._ends.difference_update(ends)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_swallow: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if may_swallow and self.swallowing:
                    async with self._changed:
                        self.swallowed += 1
                        self._changed.notify_all()
                else:
                    writer.write(data)
                    await writer.drain()
        writer.close()
