"""`scrutin migrate`: ClickHouse's schema."""

from typing import Any

from rich.console import Console

from clickhouse.connection import connected
from clickhouse.migrations import migrate as migrate_schema
from edge.commands.running import run, settings_of, with_settings


@with_settings("clickhouse_url")
def migrate(**flags: Any) -> int:  # noqa: ANN401 (one for each setting)
    """Bring ClickHouse's schema up to this release; roles and rows stay as they are.

    May be run again, also while votes are drained. Needs a user with ALL ON scrutin.*; drainers
    whose user has the role `drainer` wait for it.
    """

    async def work() -> None:
        async with connected(settings_of(flags).clickhouse_url) as clickhouse:
            applied = await migrate_schema(clickhouse)
        console = Console(highlight=False)
        for name in applied:
            console.print(f"migration applied: {name}")
        if not applied:
            console.print("the schema is this release's")

    return run(work)
