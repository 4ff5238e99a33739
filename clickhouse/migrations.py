"""Brings the schema up to this release.

ClickHouse has no transactions over DDL, so each statement is safe to repeat and a migration is
recorded only after its last one: interrupted, or run by two programs at once, it is simply run
again. Files are never edited once released; a change is a new file. A database that already has
newer migrations than this release is left as it is: migrations only add. Among replicas one of
them migrates, and the others follow (`clickhouse.replication`).
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseRejected, MigrationError
from clickhouse.replication import REPLICATED_DDL, create_database, replicated
from clickhouse.retry import classified
from clickhouse.sql import Script, read_migrations, read_query, split_statements

Run = Callable[[AsyncClient, str], Awaitable[None]]  # carries out one statement of the schema


async def migrate(client: AsyncClient, scripts: Sequence[Script] | None = None) -> list[str]:
    """Apply the migrations that are missing, in order; return the names of those applied.

    `scripts` are this release's own if not given. Where none is missing, a user who may not change
    the schema only reads; one who may makes the database again on a replica that lost it. Raises
    MigrationError if one that is recorded was edited since, ClickHouseUnavailable,
    ClickHouseRejected, also when some are missing and the user may not change the schema.
    """
    with classified():
        recorded = await _recorded(client)
        missing = []
        for script in read_migrations() if scripts is None else scripts:
            checksum = hashlib.sha256(script.text.encode()).hexdigest()
            if script.name not in recorded:
                missing.append((script, checksum))
            elif recorded[script.name] != checksum:
                raise MigrationError(
                    f"{script.name} was applied to this database with other contents than it has "
                    f"now; restore the file and put the change in a new one"
                )
        may_change = bool(await client.command(read_query("may_create_database")))
        if missing and not may_change:
            raise ClickHouseRejected(
                f"the schema lacks {', '.join(script.name for script, _ in missing)}, and the user "
                "in the ClickHouse URL may not change it: run `scrutin migrate` as one who may"
            )
        if may_change:
            run = _replicated if await create_database(client) else _alone
            await run(client, read_query("create_schema_migrations"))
            for script, checksum in missing:
                await _apply(client, run, script, checksum)
        return [script.name for script, _ in missing]


async def _recorded(client: AsyncClient) -> dict[str, str]:
    """Read what was applied: nothing where there is no table of it, or none this user may see."""
    if not (await client.query(read_query("find_schema_migrations"))).result_rows:
        return {}
    rows = (await client.query(read_query("applied_migrations"))).result_rows
    return {name: checksum.decode() for name, checksum in rows}


async def _alone(client: AsyncClient, statement: str) -> None:
    await client.command(statement)


async def _replicated(client: AsyncClient, statement: str) -> None:
    await client.command(replicated(statement), settings=REPLICATED_DDL)


async def _apply(client: AsyncClient, run: Run, script: Script, checksum: str) -> None:
    for statement in split_statements(script.text):
        await run(client, statement)
    await client.insert(
        "scrutin.schema_migrations",
        [[script.name, checksum.encode(), datetime.now(UTC)]],
        column_names=["name", "checksum", "applied_at"],
        column_type_names=["String", "FixedString(64)", "DateTime64(3, 'UTC')"],
        settings={"async_insert": 0},
    )
