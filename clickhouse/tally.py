"""The tally of every law, from the ballots."""

from clickhouse_connect.driver import AsyncClient

from clickhouse.retry import classified
from clickhouse.sql import read_query
from shards.results import LawTally


async def read_tallies(client: AsyncClient) -> list[LawTally]:
    """Count the accepted ballots of every law that has one, by law id.

    Raises ClickHouseUnavailable, ClickHouseRejected.
    """
    with classified():
        result = await client.query(read_query("tallies"))
    return [LawTally(*row) for row in result.result_rows]
