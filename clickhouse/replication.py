"""How the schema differs on a server that is one of several replicas.

Such a server says who it is by macros: {cluster}, {shard} and {replica}. There the database is a
replicated one, and tables use the replicated kind of the engine that their file names; path and
name come from the server's defaults. Migrations are the same files, and the same checksums, on
both.
"""

import re

from clickhouse_connect.driver import AsyncClient

from clickhouse.sql import read_query

MACROS = frozenset({"cluster", "shard", "replica"})
# A replica that is away does later what the others did: nobody waits for it.
REPLICATED_DDL = {"distributed_ddl_output_mode": "none_only_active"}

_ENGINE = re.compile(r"^(ENGINE\s*=\s*)(\w*MergeTree)\b", re.MULTILINE)


async def create_database(client: AsyncClient) -> bool:
    """Create the database if it is missing; say whether it is a replicated one.

    Raises the driver's errors, for `classified`.
    """
    if await is_replica(client):
        await client.command(read_query("create_replicated_database"), settings=REPLICATED_DDL)
    else:
        await client.command(read_query("create_database"))
    (found,) = (await client.query(read_query("database_engine"))).result_rows
    return bool(found[0] == "Replicated")


async def is_replica(client: AsyncClient) -> bool:
    """Say whether the server is one of several replicas; raises the driver's errors."""
    macros = {row[0] for row in (await client.query(read_query("macros"))).result_rows}
    return macros >= MACROS


def on_cluster(statement: str) -> str:
    """Return a statement on roles so that every replica carries it out: they are not tables."""
    if statement.startswith("GRANT"):
        return statement.replace("GRANT", "GRANT ON CLUSTER '{cluster}'", 1)
    return f"{statement} ON CLUSTER '{{cluster}}'"


def replicated(statement: str) -> str:
    """Return a statement with the replicated kind of its table's engine."""
    return _ENGINE.sub(r"\1Replicated\2", statement)
