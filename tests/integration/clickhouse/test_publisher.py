"""What a publisher of the tally believes of the tables."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.publisher import TallyPublisher
from clickhouse.running_count import RunningCount
from clickhouse.sink import VoteSink
from shards.client import ShardClient
from shards.results import LawTally, ResultsSnapshot, publish_results, read_results
from tests.support.clickhouse import accepted_twice, batch_of

FIRST_MS = 1_790_000_000_000


async def test_a_publisher_that_begins_keeps_the_correction_made_before(
    redis: ShardClient, client: AsyncClient
) -> None:
    """With a backlog, which is not complete up to any time and so puts the recount off."""
    await VoteSink(client).store(batch_of(accepted_twice(FIRST_MS)))
    ballots = [LawTally("L2025-001", 1, 0)]
    await publish_results(redis, ResultsSnapshot(ballots, 1, FIRST_MS + 2, corrected=-1))
    publisher = TallyPublisher(redis, client)
    publisher.drained(1, None)
    await publisher.publish_if_due()
    snapshot = await read_results(redis)
    assert snapshot is not None
    assert (snapshot.tallies, snapshot.corrected) == (ballots, -1)


async def test_a_count_is_as_old_as_its_beginning(
    redis: ShardClient, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes seconds with very many ballots, and those of meanwhile need not be in it."""
    begun_at_ms, counted = 0, RunningCount.count

    async def count(of: RunningCount, now_ms: int) -> list[LawTally]:
        nonlocal begun_at_ms
        begun_at_ms = int(time.time() * 1000)
        await asyncio.sleep(0.01)  # so that its end is another millisecond than its beginning
        return await counted(of, now_ms)

    monkeypatch.setattr(RunningCount, "count", count)
    await TallyPublisher(redis, client).publish_if_due()
    snapshot = await read_results(redis)
    assert snapshot is not None
    assert 0 < snapshot.updated_at_ms <= begun_at_ms


async def test_a_difference_of_the_tables_is_believed_when_it_is_found_twice(
    redis: ShardClient, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch between the tables looks like one, once a clock was set back; the next look tells."""
    none: list[LawTally] = []
    fewer = [LawTally("L2025-001", -1, 0)]
    found = [fewer, none, fewer, fewer]

    async def read(*_: object) -> list[LawTally]:
        return found.pop(0)

    monkeypatch.setattr("clickhouse.publisher.read_corrections", read)
    publisher = TallyPublisher(redis, client)
    publisher.drained(0, 1_000_000)
    for expected in (none, none):
        await publisher.recount_if_due()
        assert publisher._corrections == expected
    publisher.drained(0, 2_000_000)
    for expected in (none, fewer):
        await publisher.recount_if_due()
        assert publisher._corrections == expected
    assert found == []


async def test_a_correction_is_looked_at_again_soon(
    redis: ShardClient, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a copy is restored its ballots are there before their attempts."""
    none: list[LawTally] = []
    more = [LawTally("L2025-001", 100, 0)]
    found = [more, more, none, none]

    async def read(*_: object) -> list[LawTally]:
        return found.pop(0)

    monkeypatch.setattr("clickhouse.publisher.read_corrections", read)
    publisher = TallyPublisher(redis, client)
    for until_ms, expected in (
        (1_000_000, none), (1_000_000, more), (1_009_999, more),
        (1_010_000, more), (1_010_000, none),
    ):  # fmt: skip
        publisher.drained(0, until_ms)
        await publisher.recount_if_due()
        assert publisher._corrections == expected
    assert found == []


async def test_a_clock_that_was_set_back_puts_no_look_off(
    redis: ShardClient, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a difference would go unseen until the clock is where it was."""
    looked_until_ms = []

    async def read(_: AsyncClient, until_ms: int) -> list[LawTally]:
        looked_until_ms.append(until_ms)
        return []

    monkeypatch.setattr("clickhouse.publisher.read_corrections", read)
    publisher = TallyPublisher(redis, client)
    for until_ms in (3_600_000, 3_601_000, 1_000_000, 1_001_000):
        publisher.drained(0, until_ms)
        await publisher.recount_if_due()
    assert looked_until_ms == [3_600_000, 1_000_000]


async def test_a_time_of_before_the_clock_was_set_back_is_published_no_longer(
    redis: ShardClient, client: AsyncClient
) -> None:
    """Or results would be final while votes are still taken."""
    publisher = TallyPublisher(redis, client)
    now_ms = int(time.time() * 1000)
    for complete_until_ms in (now_ms + 3_600_000, now_ms):
        publisher.drained(1, complete_until_ms)
        publisher._due_s = 0.0
        await publisher.publish_if_due()
        snapshot = await read_results(redis)
        assert snapshot is not None
        assert snapshot.complete_until_ms == complete_until_ms


async def test_what_was_counted_is_counted_anew_now_and_then(
    redis: ShardClient, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the tables are complete up to no time, and cannot be compared."""
    now_s = 1000.0
    clock = SimpleNamespace(monotonic=lambda: now_s, time=time.time)
    monkeypatch.setattr("clickhouse.publisher.time", clock)
    await VoteSink(client).store(batch_of(accepted_twice(FIRST_MS)))
    publisher = TallyPublisher(redis, client, settle_ms=0)
    for _ in range(2):
        await publisher._accepted.count(FIRST_MS + 1000)
    settled = publisher._accepted._settled
    assert settled.tallies == [LawTally("L2025-001", 1, 0)]
    publisher._accepted._settled = settled._replace(tallies=())  # as if it were of other rows
    for wait_s, expected in ((0, (0, 1)), (299, (0, 1)), (2, (1, 1))):
        now_s += wait_s
        publisher.drained(1, None)
        await publisher.recount_if_due()
        await publisher.publish_if_due()
        snapshot = await read_results(redis)
        assert snapshot is not None
        assert [(law.oui_count, law.non_count) for law in snapshot.tallies] == [expected]
