"""The schema as replicas get it, as far as an engine without Keeper can tell: it reads it.

Making the tables needs servers that replicate, which the local engine is not.
"""

from collections.abc import AsyncIterator

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connect
from clickhouse.local.process import LocalClickHouse
from clickhouse.replication import REPLICATED_DDL, create_database, replicated
from clickhouse.sql import read_migrations, read_query, split_statements

STATEMENTS = [
    read_query("create_schema_migrations"),
    *(part for script in read_migrations() for part in split_statements(script.text)),
]


@pytest.fixture
async def client(clickhouse_server: LocalClickHouse) -> AsyncIterator[AsyncClient]:
    client = await connect(clickhouse_server.url)
    yield client
    await client.close()


async def test_a_server_alone_gets_a_database_of_its_own(client: AsyncClient) -> None:
    assert not await create_database(client)
    assert "Replicated" not in "".join(STATEMENTS)


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
async def test_the_engine_reads_every_statement_for_replicas(
    client: AsyncClient, statement: str
) -> None:
    tree = await client.raw_query(f"EXPLAIN AST {replicated(statement)}", settings=REPLICATED_DDL)
    text = tree.decode()
    assert ("Function ReplicatedReplacingMergeTree" in text) == ("ENGINE" in statement)


async def test_every_table_that_keeps_rows_is_replicated(client: AsyncClient) -> None:
    changed = [statement for statement in STATEMENTS if replicated(statement) != statement]
    tables = [statement for statement in STATEMENTS if "CREATE TABLE" in statement]
    assert changed == tables
    known = await client.query("SELECT name FROM system.table_engines")
    assert ("ReplicatedReplacingMergeTree",) in known.result_rows


async def test_the_replicated_database_is_read_too(client: AsyncClient) -> None:
    tree = await client.raw_query("EXPLAIN AST " + read_query("create_replicated_database"))
    assert "Function Replicated" in tree.decode()
