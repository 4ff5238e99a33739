"""Empties the tables that votes and auditors fill, and says what they hold. The schema stays.

Whoever calls this makes sure that nothing in them is anybody's vote.
"""

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.retry import classified
from clickhouse.sql import read_query, split_statements


async def rows_by_table(client: AsyncClient) -> dict[str, int]:
    """Count the rows of each table, as stored; raises ClickHouseUnavailable, ClickHouseRejected."""
    return dict(await read_rows(client, "rows_by_table", tuple[str, int]))


async def empty_tables(client: AsyncClient) -> None:
    """Remove every row, which takes the right to truncate; safe to repeat; raises as above."""
    for statement in split_statements(read_query("empty_tables")):
        with classified():
            await client.command(statement)
