"""The tally of every law, from the ballots."""

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from shards.results import LawTally


async def read_tallies(client: AsyncClient) -> list[LawTally]:
    """Count the accepted ballots of every law that has one, by law id.

    Raises ClickHouseUnavailable, ClickHouseRejected.
    """
    rows = await read_rows(client, "tallies", tuple[str, int, int])
    return [LawTally(*row) for row in rows]
