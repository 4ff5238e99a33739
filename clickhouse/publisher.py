"""Publishes the tally snapshot that edges serve."""

import time

from clickhouse_connect.driver import AsyncClient

from clickhouse.tally import read_tallies
from shards.client import ShardClient
from shards.results import ResultsSnapshot, publish_results

# Counting may take this part of the time at most: with many ballots it is what takes longest.
_BUSY_PART_MAX = 0.2
_QUIET_INTERVAL_S = 1.0


class TallyPublisher:
    """Decides when to count anew, counts, and publishes.

    `interval_s` after the last time if something was drained since, else a second after it, to
    say that the tally is still complete. Another drainer may have stored ballots meanwhile, so
    it is always counted, never remembered.
    """

    def __init__(
        self, redis: ShardClient, clickhouse: AsyncClient, *, interval_s: float = 0.5
    ) -> None:
        self._redis = redis
        self._clickhouse = clickhouse
        self._interval_s = interval_s
        self._complete_until_ms = 0
        self._drained = True
        self._due_s = 0.0
        self._published_s = 0.0

    def drained(self, rows: int, complete_until_ms: int | None) -> None:
        """Note a batch that is stored: its rows, and up to when nothing is missing any more."""
        self._drained |= rows > 0
        if complete_until_ms is not None:
            self._complete_until_ms = max(self._complete_until_ms, complete_until_ms)

    async def publish_if_due(self) -> None:
        """Count and publish if it is time.

        Raises ClickHouseUnavailable, ClickHouseRejected, or shards' Unavailable.
        """
        now_s = time.monotonic()
        if now_s < self._due_s or not (self._drained or self._quiet(now_s)):
            return
        complete_until_ms = self._complete_until_ms
        tallies = await read_tallies(self._clickhouse)
        counted_s = time.monotonic() - now_s
        snapshot = ResultsSnapshot(tallies, int(time.time() * 1000), complete_until_ms)
        await publish_results(self._redis, snapshot)
        self._drained = False
        self._published_s = now_s
        self._due_s = now_s + max(self._interval_s, counted_s / _BUSY_PART_MAX)

    def _quiet(self, now_s: float) -> bool:
        return now_s - self._published_s >= _QUIET_INTERVAL_S
