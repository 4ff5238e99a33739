"""Accepted attempts counted again and again: what was counted once need not be read again."""

from typing import NamedTuple

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.tally import summed
from shards.results import LawTally


class _Settled(NamedTuple):
    """The count of what was decided before a time, from so many rows of the table."""

    until_ms: int
    rows: int
    tallies: list[LawTally]


_NOTHING = _Settled(0, 0, [])


class RunningCount:
    """Counts the accepted attempts of every law; costs what is new, whatever the table holds.

    What is settled is remembered, with the number of rows it was counted from, which ClickHouse
    tells without reading them. While that number stays, the count does. A row that comes late, of
    a server whose clock was set back say, or rows that go, as when another copy is restored,
    change it; so does a merge that collapses repeated rows. Then everything is counted anew.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._settled = _NOTHING

    async def count(self, complete_until_ms: int) -> list[LawTally]:
        """Count by law id, and remember what was decided before `complete_until_ms`.

        Any time gives the right count; one up to which the table is complete gives it quickly the
        next time, too. Raises ClickHouseUnavailable, ClickHouseRejected.
        """
        before = self._settled
        settled, tallies = await self._count_from(before, complete_until_ms)
        if self._settled is before:  # else a recount has ended meanwhile
            self._settled = settled
        return tallies

    async def recount(self, complete_until_ms: int) -> None:
        """Count everything and remember that, whatever was remembered; raises as above.

        As many rows may in theory be other rows. Counts may go on meanwhile.
        """
        self._settled, _ = await self._count_from(_NOTHING, complete_until_ms)

    async def _count_from(
        self, settled: _Settled, until_ms: int
    ) -> tuple[_Settled, list[LawTally]]:
        times = {"from_ms": settled.until_ms, "until_ms": max(settled.until_ms, until_ms)}
        # Rows before tallies: what comes between them makes the next count a whole one.
        [(old_rows, new_rows)] = await read_rows(self._client, "audit_rows", tuple[int, int], times)
        if old_rows != settled.rows:
            settled = _NOTHING
            times["from_ms"] = 0
        counted = await read_rows(self._client, "accepted", tuple[str, int, int, int, int], times)
        until = [LawTally(law_id, oui, non) for law_id, oui, non, _, _ in counted]
        everything = [LawTally(law_id, oui, non) for law_id, _, _, oui, non in counted]
        return (
            _Settled(times["until_ms"], old_rows + new_rows, summed(settled.tallies, until)),
            summed(settled.tallies, everything),
        )
