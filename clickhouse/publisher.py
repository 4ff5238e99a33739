"""Publishes the tally snapshot that edges serve."""

import logging
import time

from clickhouse_connect.driver import AsyncClient

from clickhouse.running_count import RunningCount
from clickhouse.tally import read_corrections, summed
from shards.client import ShardClient
from shards.results import LawTally, ResultsSnapshot, publish_results, read_results

# Counting may take this part of the time at most: with many ballots a whole count takes longest.
_BUSY_PART_MAX = 0.2
_QUIET_INTERVAL_S = 1.0
_RECOUNT_S = 300
_CORRECTED_RECOUNT_S = 10

log = logging.getLogger(__name__)


class TallyPublisher:
    """Decides when to count anew, counts, and publishes.

    `interval_s` after the last time if something was drained since, else a second after it, to
    say that the tally is still complete. Another drainer may have stored votes meanwhile, so
    what is new is counted in the table, never added up from batches. Accepted attempts are
    counted, which is quick, those older than `settle_ms` now and then; `recount_if_due` compares
    them with the ballots.
    """

    def __init__(
        self,
        redis: ShardClient,
        clickhouse: AsyncClient,
        *,
        interval_s: float = 0.5,
        settle_ms: int = 5000,
    ) -> None:
        self._redis = redis
        self._clickhouse = clickhouse
        self._accepted = RunningCount(clickhouse, settle_ms=settle_ms)
        self._interval_s = interval_s
        self._corrections: list[LawTally] = []
        self._suspected: list[LawTally] = []  # what the latest look found
        self._complete_until_ms = 0
        self._compared_until_ms = 0
        self._recount_due_s = time.monotonic() + _RECOUNT_S
        self._begun = False
        self._drained = True
        self._due_s = 0.0
        self._published_s = 0.0

    def drained(self, rows: int, complete_until_ms: int | None) -> None:
        """Note a batch that is stored: its rows, and up to when nothing is missing any more."""
        self._drained |= rows > 0
        if complete_until_ms is not None:
            # Also an earlier time: the one before may be from before a clock was set back.
            self._complete_until_ms = complete_until_ms

    async def publish_if_due(self) -> None:
        """Count and publish if it is time.

        Raises ClickHouseUnavailable, ClickHouseRejected, or shards' Unavailable.
        """
        now_s = time.monotonic()
        if now_s < self._due_s or not (self._drained or self._quiet(now_s)):
            return
        if not self._begun:
            await self._take_over()
            self._begun = True
        complete_until_ms = self._complete_until_ms
        begun_ms = int(time.time() * 1000)  # what comes while it is counted is perhaps not in it
        accepted = await self._accepted.count(begun_ms)
        counted_s = time.monotonic() - now_s
        tallies = summed(accepted, self._corrections)
        corrected_by = sum(law.oui_count + law.non_count for law in self._corrections)
        snapshot = ResultsSnapshot(tallies, begun_ms, complete_until_ms, corrected_by)
        await publish_results(self._redis, snapshot)
        self._drained = False
        self._published_s = now_s
        self._due_s = now_s + max(self._interval_s, counted_s / _BUSY_PART_MAX)

    async def recount_if_due(self) -> None:
        """Count what was counted before anew, and compare it with the ballots, each five minutes.

        Takes seconds with millions of ballots: not for the way of those that are being stored.
        Raises ClickHouseUnavailable, ClickHouseRejected.
        """
        now_s = time.monotonic()
        if now_s >= self._recount_due_s:
            await self._accepted.recount(int(time.time() * 1000))
            self._recount_due_s = now_s + _RECOUNT_S
        await self._compare_if_due()

    async def _compare_if_due(self) -> None:
        """Look for corrections, at first and every five minutes of the servers' time.

        What is found is believed when it is found twice, and looked at again every ten seconds: it
        may be the half of a copy that is being restored.
        """
        until_ms = self._complete_until_ms
        interval_s = _CORRECTED_RECOUNT_S if self._corrections else _RECOUNT_S
        if 0 <= until_ms - self._compared_until_ms < 1000 * interval_s:
            return
        corrections = await read_corrections(self._clickhouse, until_ms)
        suspected, self._suspected = self._suspected, corrections
        if corrections not in (self._corrections, suspected):
            # After a server's clock was set back a batch on its way from one table to the other
            # looks like this, too, and is there at the next look.
            return
        self._compared_until_ms = until_ms
        if corrections != self._corrections:
            log.warning(
                "Accepted attempts are not the ballots, which alone count: Redis lost votes that "
                "it had confirmed, or a table lost rows; see `scrutin verify`"
            )
            self._corrections = corrections

    async def _take_over(self) -> None:
        """Keep the correction of what was published before this publisher began.

        Until its first recount, which a backlog puts off, it would take the correction back.
        """
        published = await read_results(self._redis)
        if published is not None and published.corrected:
            until_ms = published.complete_until_ms
            self._corrections = await read_corrections(self._clickhouse, until_ms)

    def _quiet(self, now_s: float) -> bool:
        return now_s - self._published_s >= _QUIET_INTERVAL_S
