"""Keeps the review queue current beside a drainer: the trail copied, the cases published."""

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime

from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseError
from clickhouse.review import read_last_entry, read_snapshot, store_entries
from clickhouse.review_networks import copy_networks
from shards.client import ShardClient
from shards.errors import ShardsError
from shards.review import CasesSnapshot, ReviewDesk

INTERVAL_S = 2.0
# Computing cases reads all refused attempts: it may take this part of the time at most.
BUSY_PART_MAX = 0.1
TURN_MS = 1500  # less than the interval: several drainers take turns
ENTRIES_MAX = 1000

log = logging.getLogger(__name__)


class ReviewKeeper:
    """One of any number; votes and their drain never wait for it.

    `entries_max`: as many entries of the trail are copied at once.
    """

    def __init__(
        self,
        redis: ShardClient,
        clickhouse: AsyncClient,
        *,
        owner: str,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._redis = redis
        self._desk = ReviewDesk(redis)
        self._clickhouse = clickhouse
        self._owner = owner
        self._entries_max = entries_max
        self._publish_due_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it current until `stop` is set; what fails is tried again."""
        failing = False
        while not stop.is_set():
            try:
                if await self._desk.take_turn(self._owner, TURN_MS):
                    await self._keep_in_turn()
                failing = False
            except (ClickHouseError, ShardsError) as error:
                if not failing:
                    log.warning("The review queue is not current, which is tried again: %s", error)
                failing = True
            except Exception:
                # Nobody's ballots wait for this; it is loud, and the drainer goes on.
                log.exception("keeping the review queue current failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), INTERVAL_S)

    async def keep(self) -> None:
        """Copy the trail and the networks, then publish the cases; safe to repeat.

        Raises ClickHouseUnavailable, ClickHouseRejected, or shards' Unavailable.
        """
        await self._copy()
        await self._publish()

    async def _keep_in_turn(self) -> None:
        """Copy, and publish unless that was done just now and takes long."""
        await self._copy()
        began_s = time.monotonic()
        if began_s >= self._publish_due_s:
            await self._publish()
            took_s = time.monotonic() - began_s
            self._publish_due_s = began_s + took_s / BUSY_PART_MAX

    async def _copy(self) -> None:
        await self.copy_trail()
        await copy_networks(self._redis, self._clickhouse, datetime.now(UTC))

    async def _publish(self) -> None:
        cases = await read_snapshot(self._clickhouse)
        await self._desk.publish(CasesSnapshot(cases, time.time_ns() // 1_000_000))

    async def copy_trail(self) -> int:
        """Copy the entries that ClickHouse lacks and return how many; raises as above."""
        copied = 0
        after = await read_last_entry(self._clickhouse)
        while entries := await self._desk.trail(after, self._entries_max):
            # A write that is confirmed confirms what is before it: no entry is copied that a
            # failover could still undo.
            await self._desk.confirm()
            await store_entries(self._clickhouse, entries)
            copied += len(entries)
            after = entries[-1].entry_ms, entries[-1].entry_seq
        return copied
