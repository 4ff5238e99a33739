"""Accepted attempts counted again and again: what was counted once need not be read again."""

from collections.abc import Sequence
from typing import NamedTuple

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.tally import summed
from shards.results import LawTally


class _Settled(NamedTuple):
    """The count of what was decided before a time, from so many rows; the newest attempt seen."""

    until_ms: int = 0
    rows: int = 0
    tallies: Sequence[LawTally] = ()
    newest_ms: int = 0


class _Counted(NamedTuple):
    """A row of `queries/accepted.sql`."""

    law_id: str
    settled_oui: int
    settled_non: int
    oui: int
    non: int
    newest_ms: int
    host: str


class RunningCount:
    """Counts the accepted attempts of every law; costs what is new while rows come in time.

    What is older than `settle_ms` is remembered, with the number of rows it was counted from, which
    ClickHouse tells without reading them. While that number stays, the count does. A row that comes
    later than that, with a backlog say, or rows that go, as when another copy is restored, change
    it; so does a merge that collapses repeated rows. Then everything is counted anew.
    """

    def __init__(self, client: AsyncClient, *, settle_ms: int) -> None:
        self._client = client
        self._settle_ms = settle_ms
        self._settled = _Settled()

    async def count(self, now_ms: int) -> list[LawTally]:
        """Count by law id; raises ClickHouseUnavailable, ClickHouseRejected."""
        before = self._settled
        settled, tallies = await self._count_on(before, now_ms)
        if self._settled is before:  # else a recount has ended meanwhile
            self._settled = settled
        return tallies

    async def recount(self, now_ms: int) -> None:
        """Count everything and remember that, whatever was remembered; raises as above.

        The number of rows stays when as many are merged away as come late. Counts may go on
        meanwhile.
        """
        forgotten = _Settled(newest_ms=self._settled.newest_ms)
        self._settled, _ = await self._count_on(forgotten, now_ms)

    async def _count_on(self, settled: _Settled, now_ms: int) -> tuple[_Settled, list[LawTally]]:
        until_ms = max(settled.until_ms, min(now_ms, settled.newest_ms) - self._settle_ms)
        times = {"from_ms": settled.until_ms, "until_ms": until_ms}
        # Rows before tallies: what comes between them makes the next count a whole one.
        [(rows, new_rows, host)] = await read_rows(
            self._client, "audit_rows", tuple[int, int, str], times
        )
        if rows != settled.rows:
            return await self._count_on(_Settled(newest_ms=settled.newest_ms), now_ms)
        counted = [
            _Counted(*row)
            for row in await read_rows(
                self._client, "accepted", tuple[str, int, int, int, int, int, str], times
            )
        ]
        tallies = summed(settled.tallies, (LawTally(c.law_id, c.oui, c.non) for c in counted))
        newest_ms = max([settled.newest_ms, *(c.newest_ms for c in counted)])
        if {c.host for c in counted} != {host}:  # another replica may lack what the one had
            return settled._replace(newest_ms=newest_ms), tallies
        until = (LawTally(c.law_id, c.settled_oui, c.settled_non) for c in counted)
        rows += new_rows
        return _Settled(until_ms, rows, summed(settled.tallies, until), newest_ms), tallies
