"""Moves decided attempts from the outbox to ClickHouse, and tells Redis the tally.

Read, insert, trim, in that order: a crash anywhere repeats work and loses none. A batch whose
insert may or may not have been applied is inserted again, the same rows with the same token,
before anything else is read.
"""

import asyncio
import contextlib
import gc
import logging
import random
import time
from typing import Protocol

import msgspec
from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseRejected, ClickHouseUnavailable
from clickhouse.publisher import TallyPublisher
from clickhouse.sink import BLOCK_ROWS_MAX, VoteSink
from shards.client import ShardClient
from shards.errors import StrangeEntry, Unavailable
from shards.outbox import Outbox, OutboxBatch

RECOUNT_LOOK_S = 1.0
LEFT_OUT_SAID_S = 60.0  # somebody has to act: do not fill the log meanwhile
MAP_LOOK_S = 5.0  # as often as an edge: a batch waits for every replica there is

log = logging.getLogger(__name__)


class DrainOptions(msgspec.Struct, frozen=True):
    """How much and how often.

    `rows_max` bounds a batch. `pace_ms` is the least time from one batch to the next when it was
    not full, so that inserts stay few and large. `publish_ms` is the least time between two
    tallies: less than the pace, or every other batch would come too early for one. Attempts that
    are stored within `settle_ms` of their time are counted without reading all others anew.
    Failures are followed by random pauses whose bound doubles from `backoff_ms_min` to
    `backoff_ms_max`. A stop leaves `stop_grace_ms` to the batch in hand.
    """

    rows_max: int = 100_000
    pace_ms: int = 500
    publish_ms: int = 250
    settle_ms: int = 5000
    backoff_ms_min: int = 100
    backoff_ms_max: int = 5000
    stop_grace_ms: int = 3000

    def __post_init__(self) -> None:
        if not 0 < self.rows_max < BLOCK_ROWS_MAX:
            raise ValueError(f"rows_max must be between 1 and {BLOCK_ROWS_MAX - 1}")
        if not 0 < self.backoff_ms_min <= self.backoff_ms_max:
            raise ValueError("backoff_ms_min must be positive and at most backoff_ms_max")
        times_ms = self.pace_ms, self.publish_ms, self.settle_ms, self.stop_grace_ms
        if min(times_ms) < 0:
            raise ValueError("times must not be negative")


class DrainObserver(Protocol):
    """Is told what a drainer does, for metrics."""

    def inserted(self, rows: int, seconds: float) -> None:
        """Count a batch that both tables have."""

    def clickhouse_up(self, up: bool) -> None:
        """Note whether ClickHouse answered the latest time."""


class Drainer:
    """One drainer. Any number may run at once, in any number of processes."""

    def __init__(
        self,
        outbox: Outbox,
        redis: ShardClient,
        clickhouse: AsyncClient,
        options: DrainOptions,
        observer: DrainObserver | None = None,
    ) -> None:
        self._outbox = outbox
        self._redis = redis
        self._sink = VoteSink(clickhouse)
        self._publisher = TallyPublisher(
            redis,
            clickhouse,
            interval_s=options.publish_ms / 1000,
            settle_ms=options.settle_ms,
        )
        self._options = options
        self._observer = observer
        self._pending: OutboxBatch | None = None
        self._map_due_s = 0.0
        self._left_out_due_s = 0.0
        self._failures = 0

    async def run_once(self) -> int:
        """Drain one batch, publish the tally if it is due, and return the rows drained.

        Raises ClickHouseUnavailable, ClickHouseRejected or shards' Unavailable; nothing is lost
        then, and the next call resumes with the same batch.
        """
        # Now, when no batch is there to be walked: what one leaves in cycles holds megabytes. Old
        # objects are not looked at: in a large process that would take longer than the batch.
        gc.collect(1)
        if time.monotonic() >= self._map_due_s:
            await self._redis.refresh()
            self._map_due_s = time.monotonic() + MAP_LOOK_S
        batch = self._pending or await self._outbox.read(self._options.rows_max)
        self._say_left_out(batch.left_out)
        complete_until_ms = batch.complete_until_ms
        if batch.events:
            self._pending = batch
            await self._store(batch)
            refused = await self._outbox.trim(batch)
            self._pending = None
            if refused:  # lease lost or no primary: they are read again, the tables collapse them
                log.info(
                    "%d shards of a stored batch stay for whoever drains them next", len(refused)
                )
                complete_until_ms = None  # to say so is for whoever empties the outbox
        self._publisher.drained(len(batch.events), complete_until_ms)
        await self._publisher.publish_if_due()
        return len(batch.events)

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until `stop` is set; what passes is waited out, whatever it is.

        Raises ClickHouseRejected when somebody has to act; the outbox keeps everything.
        """
        work = asyncio.create_task(self._drain(stop))
        recounting = asyncio.create_task(self._recount())
        stopping = asyncio.create_task(stop.wait())
        try:
            # The recount ends only by a failure that nobody foresaw, which ends the drainer too.
            tasks = {work, stopping, recounting}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({work}, timeout=self._options.stop_grace_ms / 1000)
        finally:
            stopping.cancel()
            recounting.cancel()
            # Between any two steps a batch can be left: it is read again.
            work.cancel()
            await asyncio.wait({work, recounting})
        for task in (work, recounting):
            if not task.cancelled():
                task.result()

    async def _drain(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began_s = time.monotonic()
            try:
                rows = await self.run_once()
            except (ClickHouseUnavailable, Unavailable) as error:
                await _pause(stop, self._failed(error))
            except ClickHouseRejected as error:
                self._up(up=False)
                log.critical("The drainer stops, the outbox keeps every vote: %s", error)
                raise
            else:
                self._succeeded()
                # The outbox shares a batch out among shards, so a full one may be a little less.
                if 2 * rows < self._options.rows_max:
                    taken_s = time.monotonic() - began_s
                    await _pause(stop, self._options.pace_ms / 1000 - taken_s)
        with contextlib.suppress(Unavailable):  # the leases then expire by themselves
            await self._outbox.release()

    async def _recount(self) -> None:
        while True:
            await asyncio.sleep(RECOUNT_LOOK_S)
            try:
                await self._publisher.recount_if_due()
            except (ClickHouseUnavailable, ClickHouseRejected) as error:
                log.warning("The ballots could not be recounted, which is tried again: %s", error)

    async def _store(self, batch: OutboxBatch) -> None:
        started_s = time.perf_counter()
        keeping = asyncio.create_task(self._keep_leases(batch))
        try:
            await self._sink.store(batch)
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})  # which a cancellation of our own ends
        if not keeping.cancelled():
            keeping.result()
        if self._observer:
            self._observer.inserted(len(batch.events), time.perf_counter() - started_s)

    async def _keep_leases(self, batch: OutboxBatch) -> None:
        """Two drainers slower than their leases would take every batch from each other."""
        while True:
            await asyncio.sleep(self._outbox.lease_ms / 3000)
            with contextlib.suppress(Unavailable):  # the trim will tell whether it was lost
                await self._outbox.renew(batch)

    def _say_left_out(self, errors: list[StrangeEntry]) -> None:
        if errors and time.monotonic() >= self._left_out_due_s:
            self._left_out_due_s = time.monotonic() + LEFT_OUT_SAID_S
            for error in errors:
                log.error("A shard is not drained: %s", error)

    def _failed(self, error: Exception) -> float:
        """Note a failure and return the pause in seconds that follows it."""
        if isinstance(error, ClickHouseUnavailable):
            self._up(up=False)
        if self._failures == 0:
            log.warning("Draining is interrupted and will go on by itself: %s", error)
        bound_ms = min(
            self._options.backoff_ms_max, self._options.backoff_ms_min << min(self._failures, 20)
        )
        self._failures += 1
        return random.uniform(bound_ms / 2, bound_ms) / 1000  # noqa: S311 - spreads retries only

    def _succeeded(self) -> None:
        if self._failures:
            log.info("Draining goes on after %d failures", self._failures)
        self._failures = 0
        self._up(up=True)

    def _up(self, *, up: bool) -> None:
        if self._observer:
            self._observer.clickhouse_up(up)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
