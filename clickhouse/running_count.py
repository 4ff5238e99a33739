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
        settled = self._settled
        times = {"from_ms": settled.until_ms, "until_ms": max(settled.until_ms, complete_until_ms)}
        # Rows before tallies: what comes between them makes the next count a whole one.
        [(old_rows, new_rows)] = await read_rows(self._client, "audit_rows", tuple[int, int], times)
        if old_rows != settled.rows:
            settled = _NOTHING
            times["from_ms"] = 0
        counted = await read_rows(self._client, "accepted", tuple[str, int, int, int, int], times)
        until = [LawTally(law_id, oui, non) for law_id, oui, non, _, _ in counted]
        until = summed(settled.tallies, until)
        self._settled = _Settled(times["until_ms"], old_rows + new_rows, until)
        return summed(settled.tallies, [LawTally(law_id, *all_) for law_id, _, _, *all_ in counted])
