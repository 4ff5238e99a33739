"""Migrations: once, twice, at once, edited, interrupted."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect
from clickhouse.errors import MigrationError
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.sql import Script, read_migrations

NAMES = [script.name for script in read_migrations()]


@pytest.fixture
async def bare(
    clickhouse_server: LocalClickHouse,
) -> AsyncIterator[AsyncClient]:
    client = await connect(clickhouse_server.url)
    await client.command("DROP DATABASE IF EXISTS scrutin SYNC")
    yield client
    await client.close()


async def recorded(client: AsyncClient) -> list[str]:
    statement = "SELECT name FROM scrutin.schema_migrations FINAL ORDER BY name"
    return [row[0] for row in (await client.query(statement)).result_rows]


async def test_applies_all_once(bare: AsyncClient) -> None:
    assert await migrate(bare) == NAMES
    assert await recorded(bare) == NAMES
    assert await migrate(bare) == []


async def test_several_at_once(bare: AsyncClient, clickhouse_server: LocalClickHouse) -> None:
    clients = [await connect(clickhouse_server.url) for _ in range(4)]
    try:
        await asyncio.gather(*(migrate(client) for client in clients))
    finally:
        for client in clients:
            await client.close()
    assert await recorded(bare) == NAMES
    assert (await bare.query("SELECT * FROM scrutin.vote_results")).result_rows == []


async def test_edited_migration_is_refused(bare: AsyncClient) -> None:
    first, *rest = read_migrations()
    await migrate(bare)
    edited = Script(first.name, first.text.replace("Every attempt", "Each attempt"))
    with pytest.raises(MigrationError, match=r"0001_votes\.sql"):
        await migrate(bare, [edited, *rest])


async def shapes(client: AsyncClient) -> list[tuple[str, str]]:
    """Return what was made, but for the numbers that a table gets when it is made."""
    statement = "SELECT name, create_table_query FROM system.tables WHERE database = 'scrutin'"
    return sorted((row[0], row[1]) for row in (await client.query(statement)).result_rows)


async def test_every_statement_may_be_repeated(bare: AsyncClient) -> None:
    await migrate(bare)
    before = await shapes(bare)
    await bare.command("TRUNCATE TABLE scrutin.schema_migrations")
    assert await migrate(bare) == NAMES
    assert await shapes(bare) == before


async def test_whatever_is_gone_is_made_again_when_asked_to_mend_and_only_then(
    bare: AsyncClient,
) -> None:
    await migrate(bare)
    before = await shapes(bare)
    for name, statement in before:
        if name == "schema_migrations":
            continue
        kind = "VIEW" if statement.startswith("CREATE VIEW") else "TABLE"
        await bare.command(f"DROP {kind} scrutin.{name} SYNC")
        assert await migrate(bare) == []
        assert len(await shapes(bare)) == len(before) - 1
        assert await migrate(bare, mend=True) == NAMES, name
        assert await shapes(bare) == before
    assert await migrate(bare, mend=True) == []


async def test_what_a_newer_release_made_is_not_mended(bare: AsyncClient) -> None:
    """Its view would be replaced by an older one."""
    newer = Script("9999_more.sql", "SELECT 1;\n")
    await migrate(bare, [*read_migrations(), newer])
    await bare.command("DROP VIEW scrutin.vote_results SYNC")
    before = await shapes(bare)
    with pytest.raises(MigrationError, match=r"vote_results is gone.*9999_more\.sql"):
        await migrate(bare, mend=True)
    assert await shapes(bare) == before


async def test_interrupted_migration_is_run_again(bare: AsyncClient) -> None:
    first = read_migrations()[0]
    half = Script(first.name, first.text.split(";\n")[0] + ";\nSELECT throwIf(1);\n")
    with pytest.raises(Exception, match="THROW_IF"):
        await migrate(bare, [half])
    assert await recorded(bare) == []
    assert await migrate(bare) == NAMES
