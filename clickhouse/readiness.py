"""Whether a drainer would find what it writes to, seen without changing anything."""

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.errors import ClickHouseRejected
from clickhouse.retry import classified
from clickhouse.sql import read_migrations, read_query

DRAINED = ("vote_audit", "ballots", "review_decisions", "review_networks")


async def unmigrated(client: AsyncClient) -> str:
    """Say what the next drainer, or `scrutin migrate`, has to do first; empty for nothing.

    Raises ClickHouseRejected that names a table that cannot be used, or where the user may not
    bring the schema up to date, and ClickHouseUnavailable.
    """
    tables = {name for (name,) in await read_rows(client, "tables", tuple[str])}
    if not tables:
        return "no schema yet, or none that this user may see"
    if missing := ", ".join(await _missing(client, tables)):
        with classified():
            may_change = bool(await client.command(read_query("may_create_database")))
        if not may_change:
            raise ClickHouseRejected(f"the schema lacks {missing}, and this user may not change it")
        return f"the schema lacks {missing}"
    for table in DRAINED:
        await _look_into(client, table)
    return ""


async def _missing(client: AsyncClient, tables: set[str]) -> list[str]:
    """Name the migrations that a drainer would apply."""
    recorded: set[str] = set()
    if "schema_migrations" in tables:
        with classified():
            rows = (await client.query(read_query("applied_migrations"))).result_rows
        recorded = {name for name, _ in rows}
    return [script.name for script in read_migrations() if script.name not in recorded]


async def _look_into(client: AsyncClient, table: str) -> None:
    try:
        with classified():
            await client.query(read_query("look_into"), parameters={"table": table})
    except ClickHouseRejected as error:
        raise ClickHouseRejected(f"{table}: {error}") from None
