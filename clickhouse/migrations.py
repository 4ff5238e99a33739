"""Brings the schema up to this release.

ClickHouse has no transactions over DDL, so each statement is safe to repeat and a migration is
recorded only after its last one: interrupted, or run by two programs at once, it is simply run
again. Files are never edited once released; a change is a new file. A database that already has
newer migrations than this release is left as it is: migrations only add. Among replicas one of
them migrates, and the others follow (`clickhouse.replication`).

What is recorded is believed. Only a restore looks for the tables as well: to anybody else a table
that was dropped must not come back as an empty one.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from clickhouse_connect.driver import AsyncClient

from clickhouse.answers import read_rows
from clickhouse.errors import ClickHouseRejected, MigrationError
from clickhouse.replication import REPLICATED_DDL, create_database, replicated
from clickhouse.retry import classified
from clickhouse.sql import Script, read_migrations, read_query, split_statements

Run = Callable[[AsyncClient, str], Awaitable[None]]  # carries out one statement of the schema

_MADE = re.compile(r"^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW) scrutin\.(\w+)", re.MULTILINE)


async def migrate(
    client: AsyncClient, scripts: Sequence[Script] | None = None, *, mend: bool = False
) -> list[str]:
    """Apply the migrations that are missing, in order; return the names of those applied.

    With `mend` these are all of them when a table or view that they make is gone.

    `scripts` are this release's own if not given. Where none is missing, a user who may not change
    the schema only reads; one who may makes the database again on a replica that lost it. Raises
    MigrationError if one that is recorded was edited since, or to mend what a newer release made;
    ClickHouseUnavailable, ClickHouseRejected, also when some are missing and the user may not
    change the schema.
    """
    scripts = read_migrations() if scripts is None else scripts
    with classified():
        recorded = await _recorded(client)
        _check(scripts, recorded)
        missing = [script for script in scripts if script.name not in recorded]
        if mend and recorded and (gone := await _gone(client, scripts)):
            if newer := recorded.keys() - {script.name for script in scripts}:
                raise MigrationError(
                    f"{', '.join(sorted(gone))} is gone, and a newer release made it: "
                    f"{', '.join(sorted(newer))} is not in this one; run that release"
                )
            missing = list(scripts)
        may_change = bool(await client.command(read_query("may_create_database")))
        if missing and not may_change:
            raise ClickHouseRejected(
                f"the schema lacks {', '.join(script.name for script in missing)}, and the user "
                "in the ClickHouse URL may not change it: run `scrutin migrate` as one who may"
            )
        if may_change:
            run = _replicated if await create_database(client) else _alone
            await run(client, read_query("create_schema_migrations"))
            for script in missing:
                await _apply(client, run, script)
        return [script.name for script in missing]


def _check(scripts: Sequence[Script], recorded: Mapping[str, str]) -> None:
    for script in scripts:
        if recorded.get(script.name, _checksum(script)) != _checksum(script):
            raise MigrationError(
                f"{script.name} was applied to this database with other contents than it has "
                f"now; restore the file and put the change in a new one"
            )


def _checksum(script: Script) -> str:
    return hashlib.sha256(script.text.encode()).hexdigest()


async def _gone(client: AsyncClient, scripts: Sequence[Script]) -> set[str]:
    """Name the tables and views that the scripts make and the database lacks."""
    made = {name for script in scripts for name in _MADE.findall(script.text)}
    return made - {name for (name,) in await read_rows(client, "tables", tuple[str])}


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


async def _apply(client: AsyncClient, run: Run, script: Script) -> None:
    for statement in split_statements(script.text):
        await run(client, statement)
    await client.insert(
        "scrutin.schema_migrations",
        [[script.name, _checksum(script).encode(), datetime.now(UTC)]],
        column_names=["name", "checksum", "applied_at"],
        column_type_names=["String", "FixedString(64)", "DateTime64(3, 'UTC')"],
        settings={"async_insert": 0},
    )
