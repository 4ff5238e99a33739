"""How long every documented query takes at scale, and how large rows are."""

import asyncio
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import WHOLE_TABLES_TIMEOUT_S, connected
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from tests.analysts.day import fill
from tests.analysts.figures import Choice, Figures, Took
from tests.analysts.queries import read_queries
from tests.support.clickhouse import rows

REPEATS = 3
_PARTS = "SELECT count() FROM system.parts WHERE active AND database = 'scrutin'"
_COLUMNS = """
SELECT table, column, sum(column_bytes_on_disk) / sum(rows)
FROM system.parts_columns
WHERE active AND database = 'scrutin' AND table IN ('ballots', 'vote_audit')
GROUP BY table, column
ORDER BY table, column
"""


async def measure(audit_rows: int, choices: list[Choice]) -> Figures:
    """Fill tables in a directory of their own and run every query; takes minutes."""
    with tempfile.TemporaryDirectory(prefix="scrutin-analysts-") as directory:
        server = LocalClickHouse(Path(directory))
        await server.astart()
        try:
            async with connected(server.url, timeout_s=WHOLE_TABLES_TIMEOUT_S) as client:
                await migrate(client)
                ballots = await fill(client, audit_rows)
                await _merges_ended(client)
                ((parts,),) = await rows(client, _PARTS)
                voting = await _run_all(client)
                for table in ("ballots", "vote_audit"):
                    await client.command(f"OPTIMIZE TABLE scrutin.{table} FINAL")
                merged = await _run_all(client)
                sizes = await rows(client, _COLUMNS)
                version = client.server_version
        finally:
            await asyncio.to_thread(server.stop)
    return Figures(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        engine=str(version),
        ballots=ballots,
        audit_rows=audit_rows,
        parts=int(str(parts)),
        repeats=REPEATS,
        queries={name: Took(voting[name], merged[name]) for name in voting},
        bytes_a_row=_by_table(sizes),
        choices=choices,
    )


async def _merges_ended(client: AsyncClient) -> None:
    """Wait: a day's batches came in two minutes here, and left the merges of a day behind."""
    while (await rows(client, "SELECT count() FROM system.merges")) != [(0,)]:  # noqa: ASYNC110
        await asyncio.sleep(0.5)


async def _run_all(client: AsyncClient) -> dict[str, float]:
    """Return each query's median, in ms."""
    took = {}
    for query in read_queries():
        times_ms = []
        for _ in range(REPEATS):
            began_s = time.perf_counter()
            await client.raw_query(query.statement, fmt="Native")
            times_ms.append(1000 * (time.perf_counter() - began_s))
        took[query.name] = round(median(times_ms), 1)
    return took


def _by_table(sizes: list[tuple[object, ...]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for table, column, size in sizes:
        found.setdefault(str(table), {})[str(column)] = round(float(str(size)), 3)
    return found
