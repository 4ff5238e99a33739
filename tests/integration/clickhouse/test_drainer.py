"""The drainer between the real cluster and the real engine, and everything that can be between."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.errors import ClickHouseRejected, ClickHouseUnavailable
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.publisher import TallyPublisher
from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.command import pack
from shards.events import OutboxEvent
from shards.outbox import Outbox
from shards.results import LawTally, ResultsSnapshot, read_results
from shards.roll import RollStore
from tests.support.clickhouse import (
    FaultProxy,
    Oracle,
    accepted_twice,
    assert_agrees,
    random_events,
)
from tests.support.rolls import load, make_roll, open_election

FIRST_MS = 1_790_000_000_000
QUICK = DrainOptions(rows_max=300, pace_ms=5, publish_ms=20, backoff_ms_min=10, backoff_ms_max=50)


class Log:
    """Keeps what a drainer tells its observer."""

    def __init__(self) -> None:
        self.rows = 0
        self.up: list[bool] = []

    def inserted(self, rows: int, seconds: float) -> None:
        assert seconds > 0
        self.rows += rows

    def clickhouse_up(self, up: bool) -> None:
        if [up] != self.up[-1:]:
            self.up.append(up)


@pytest.fixture
def events() -> list[OutboxEvent]:
    return random_events(random.Random(7), 2000, first_ms=FIRST_MS)


async def append(redis: ShardClient, events: Sequence[OutboxEvent]) -> None:
    """Write events to the outbox under the ids that they have, as the cast function does."""
    commands = []
    for event in sorted(events):
        head = ("XADD", keys.outbox_key(event.shard), f"{event.stream_ms}-{event.stream_seq}")
        vote = ("h", event.vote_hash, "l", event.law_id, "v", event.vote)
        outcome = ("s", event.status, "r", event.request_id, "n", event.attempt)
        command = pack(*head, *vote, *outcome)
        commands.append((event.shard, command))
    await redis.call_all(commands)


async def waiting(redis: ShardClient) -> int:
    return await Outbox(redis, owner="test").waiting()


def drainer(
    redis: ShardClient,
    client: AsyncClient,
    *,
    owner: str = "a",
    options: DrainOptions = QUICK,
    log: Log | None = None,
) -> Drainer:
    return Drainer(Outbox(redis, owner=owner, lease_ms=500), redis, client, options, log)


@contextlib.asynccontextmanager
async def running(drainer: Drainer) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(drainer.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for a condition; the test's own timeout bounds it."""
    while True:
        held = holds()
        if held is True or (held is not False and await held):
            return
        await asyncio.sleep(0.02)


async def drained(redis: ShardClient) -> None:
    async def holds() -> bool:
        return await waiting(redis) == 0

    await until(holds)


async def snapshot_after(redis: ShardClient, ms: int) -> ResultsSnapshot:
    """Wait for a tally that is complete up to a time later than `ms`."""
    while True:
        snapshot = await read_results(redis)
        if snapshot is not None and snapshot.complete_until_ms > ms:
            return snapshot
        await asyncio.sleep(0.02)


def assert_snapshot_agrees(snapshot: ResultsSnapshot, events: Sequence[OutboxEvent]) -> None:
    published = {(tally.law_id, tally.oui_count, tally.non_count) for tally in snapshot.tallies}
    assert published == {row[:3] for row in Oracle(list(events)).vote_results()}


async def count(client: AsyncClient, table: str) -> int:
    return int(str(await client.command(f"SELECT count() FROM scrutin.{table}")))


async def test_it_follows_the_number_of_replicas(redis: ShardClient, client: AsyncClient) -> None:
    """What it reads must be on all there are, not on as many as there were when it began."""
    for lane in redis._lanes.values():
        lane.replicas = 0
    await drainer(redis, client).run_once()
    assert {lane.replicas for lane in redis._lanes.values()} == {1}


async def test_drains_and_publishes(
    redis: ShardClient, client: AsyncClient, events: list[OutboxEvent]
) -> None:
    log = Log()
    await append(redis, events)
    async with running(drainer(redis, client, log=log)):
        await drained(redis)
        snapshot = await snapshot_after(redis, 0)
        assert_snapshot_agrees(snapshot, events)
    await assert_agrees(client, events)
    assert log.rows == len(events)
    assert log.up == [True]


async def test_a_ballot_that_was_accepted_twice_ends_counted_once(
    redis: ShardClient, client: AsyncClient
) -> None:
    await append(redis, accepted_twice(FIRST_MS))

    async def counted_once() -> bool:
        snapshot = await read_results(redis)
        return snapshot is not None and snapshot.tallies == [LawTally("L2025-001", 1, 0)]

    async with running(drainer(redis, client)):
        await until(counted_once)


async def test_a_recount_that_fails_for_no_known_reason_ends_the_drainer_loudly(
    redis: ShardClient, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: TallyPublisher) -> None:
        raise LookupError("a row that nobody foresaw")

    monkeypatch.setattr(TallyPublisher, "recount_if_due", fails)
    with pytest.raises(LookupError, match="nobody foresaw"):
        await drainer(redis, client).run(asyncio.Event())


async def test_idle_tally_is_kept_fresh(redis: ShardClient, client: AsyncClient) -> None:
    async with running(drainer(redis, client)):
        first = await snapshot_after(redis, 0)
        second = await snapshot_after(redis, first.complete_until_ms)
        assert second.complete_until_ms - first.complete_until_ms < 3000
        assert second.updated_at_ms > first.updated_at_ms


async def test_unknown_outcome_is_sent_again_before_anything_else(
    redis: ShardClient,
    client: AsyncClient,
    clickhouse_server: LocalClickHouse,
    events: list[OutboxEvent],
) -> None:
    """The insert is applied, its answer is lost; meanwhile more events come."""
    port = int(clickhouse_server.url.rsplit(":", 1)[1])
    async with FaultProxy(port).running() as proxy:
        through_proxy = await connect(proxy.url, timeout_s=3)
        one = drainer(redis, through_proxy, options=DrainOptions())
        first, later = events[:150], events[150:300]
        await append(redis, first)
        proxy.swallowing = True
        with pytest.raises(ClickHouseUnavailable):
            await one.run_once()
        assert proxy.swallowed > 0
        assert await waiting(redis) == len(first)

        async def applied() -> bool:
            return await count(client, "vote_audit") == len(first)

        await until(applied)
        await append(redis, later)
        proxy.swallowing = False
        # The same batch first, which the token makes free; then the rest.
        assert await one.run_once() == len(first)
        assert await waiting(redis) == len(later)
        assert await one.run_once() == len(later)
        assert await waiting(redis) == 0
        await through_proxy.close()
    assert await count(client, "vote_audit") == 300  # without FINAL: nothing was written twice
    await assert_agrees(client, events[:300])


async def test_lost_answers_all_along(
    redis: ShardClient,
    client: AsyncClient,
    clickhouse_server: LocalClickHouse,
    events: list[OutboxEvent],
) -> None:
    rng, log = random.Random(11), Log()
    port = int(clickhouse_server.url.rsplit(":", 1)[1])
    async with FaultProxy(port).running() as proxy:
        through_proxy = await connect(proxy.url, timeout_s=1)
        async with running(drainer(redis, through_proxy, log=log)):
            for start in range(0, len(events), 400):
                proxy.swallowing = True
                swallowed = proxy.swallowed
                await append(redis, events[start : start + 400])
                await proxy.swallowed_more_than(swallowed)
                await asyncio.sleep(rng.random() / 50)
                proxy.swallowing = False
            await drained(redis)
        await through_proxy.close()
    assert False in log.up
    assert log.up[-1]
    await assert_agrees(client, events)


async def test_crash_anywhere_repeats_and_loses_nothing(
    redis: ShardClient, client: AsyncClient, events: list[OutboxEvent]
) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    rng = random.Random(seed)
    await append(redis, events)
    for life in range(30):
        task = asyncio.create_task(drainer(redis, client, owner=f"life {life}").run_once())
        await asyncio.wait({task}, timeout=rng.random() / 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with running(drainer(redis, client, owner="last")):
        await drained(redis)
    await assert_agrees(client, events)


async def test_several_drainers_at_once(
    redis: ShardClient, client: AsyncClient, events: list[OutboxEvent]
) -> None:
    await append(redis, events)
    async with contextlib.AsyncExitStack() as stack:
        for owner in "abc":
            await stack.enter_async_context(running(drainer(redis, client, owner=owner)))
        await drained(redis)
    await assert_agrees(client, events)


async def test_inserts_slower_than_the_lease_come_to_an_end(
    redis: ShardClient,
    client: AsyncClient,
    clickhouse_server: LocalClickHouse,
    events: list[OutboxEvent],
) -> None:
    """A second drainer waits meanwhile and does not take the batch away."""
    port = int(clickhouse_server.url.rsplit(":", 1)[1])
    await append(redis, events)
    async with FaultProxy(port).running() as proxy:
        slow = await connect(proxy.url, timeout_s=4)
        outbox = Outbox(redis, owner="slow", lease_ms=2000)
        proxy.swallowing = True
        task = asyncio.create_task(Drainer(outbox, redis, slow, DrainOptions()).run_once())
        await proxy.swallowed_more_than(0)
        other = Outbox(redis, owner="other", lease_ms=2000)
        taken = [len((await other.read(10_000)).events) async for _ in _while_running(task)]
        with pytest.raises(ClickHouseUnavailable):
            await task
        assert taken
        assert not any(taken)
        await slow.close()


async def _while_running(task: asyncio.Task[int]) -> AsyncIterator[None]:
    while not task.done():
        yield
        await asyncio.sleep(0.02)  # whoever asks without pause starves the other's renewals


async def test_a_batch_that_another_drainer_took_over_is_stored_once(
    redis: ShardClient, client: AsyncClient, events: list[OutboxEvent]
) -> None:
    await append(redis, events)
    stalled = Outbox(redis, owner="stalled", lease_ms=1)
    one = Drainer(stalled, redis, client, DrainOptions())
    batch = await stalled.read(10_000)
    other = Outbox(redis, owner="other")
    while len((await other.read(10_000)).events) < len(events):
        pass
    one._pending = batch  # what a drainer holds that was stopped between reading and storing
    assert await one.run_once() == len(events)
    assert await waiting(redis) == len(events)
    published = await read_results(redis)
    assert published is None or not published.complete_until_ms, "it had no lease to say so"
    assert await Drainer(other, redis, client, DrainOptions()).run_once() == len(events)
    assert await waiting(redis) == 0
    await assert_agrees(client, events)


async def test_clickhouse_killed_and_restarted(
    redis: ShardClient, tmp_path: Path, events: list[OutboxEvent]
) -> None:
    log = Log()
    with LocalClickHouse(tmp_path) as server:
        client = await connect(server.url, timeout_s=5)
        await migrate(client)
        async with running(drainer(redis, client, log=log)):
            for start in range(0, len(events), 500):
                await append(redis, events[start : start + 250])
                await asyncio.to_thread(server.kill)
                await append(redis, events[start + 250 : start + 500])
                await until(lambda: log.up[-1:] == [False])
                assert await waiting(redis) >= 250
                await asyncio.to_thread(server.start)
                await drained(redis)
        await assert_agrees(client, events)
        await client.close()
    assert log.up == [False, True] * 4 or log.up == [True, *[False, True] * 4]


async def test_what_waiting_does_not_cure_stops_it_loudly(
    redis: ShardClient,
    client: AsyncClient,
    events: list[OutboxEvent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Log()
    await append(redis, events)
    await client.command("DROP DATABASE scrutin SYNC")
    with pytest.raises(ClickHouseRejected, match="run the migrations"):
        await drainer(redis, client, log=log).run(asyncio.Event())
    assert log.up == [False]
    assert await waiting(redis) == len(events)
    assert "The drainer stops" in caplog.text
    await migrate(client)
    async with running(drainer(redis, client)):
        await drained(redis)
    await assert_agrees(client, events)


async def test_stops_in_time_while_clickhouse_is_silent(
    redis: ShardClient,
    clickhouse_server: LocalClickHouse,
    client: AsyncClient,
    events: list[OutboxEvent],
) -> None:
    options = DrainOptions(stop_grace_ms=200)
    port = int(clickhouse_server.url.rsplit(":", 1)[1])
    async with FaultProxy(port).running() as proxy:
        through_proxy = await connect(proxy.url, timeout_s=60)
        proxy.swallowing = True
        await append(redis, events)
        stop = asyncio.Event()
        task = asyncio.create_task(drainer(redis, through_proxy, options=options).run(stop))
        await proxy.swallowed_more_than(0)
        stop.set()
        await asyncio.wait_for(task, 5)
        await through_proxy.close()
    assert await waiting(redis) == len(events)


async def test_real_ballots_are_counted_once(
    redis: ShardClient, client: AsyncClient, tmp_path: Path
) -> None:
    """From an electors' CSV: the answers given, the tables and the tally agree."""
    laws = ("L2025-001", "L2025-002")
    roll = await asyncio.to_thread(make_roll, tmp_path, 600, laws=laws)
    await load(redis, roll, open_election(*laws))
    store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
    rng, answered = random.Random(3), dict.fromkeys(("accepted", "duplicate", "invalid"), 0)
    tally = {law_id: {"oui": 0, "non": 0} for law_id in laws}

    async def vote() -> None:
        elector = rng.choice(roll.electors)
        ballot, choice = ballot_hash(*elector), rng.choice(("oui", "non"))
        if rng.random() < 0.05:
            ballot = rng.randbytes(32)
        cast = await store.cast(ballot, elector.law_id, choice, rng.randbytes(16))
        answered[cast.status] += 1
        if cast.status == "accepted":
            tally[elector.law_id][choice] += 1

    async with running(drainer(redis, client)):
        for _ in range(20):
            await asyncio.gather(*(vote() for _ in range(50)))
        await drained(redis)
    rows = await client.query(
        "SELECT status, count() FROM scrutin.vote_audit FINAL GROUP BY status"
    )
    assert {row[0]: row[1] for row in rows.result_rows} == answered
    results = await client.query("SELECT law_id, oui_count, non_count FROM scrutin.vote_results")
    assert {row[0]: {"oui": row[1], "non": row[2]} for row in results.result_rows} == tally
    duplicates = await client.command("SELECT sum(attempt_count) FROM scrutin.duplicate_attempts")
    assert duplicates == answered["duplicate"]
