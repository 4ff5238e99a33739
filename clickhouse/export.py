"""Aggregates as Parquet files, for whoever has no ClickHouse."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ExportError
from clickhouse.retry import classified
from clickhouse.sql import read_query
from hashgen.output import appearing_directory, check_unused

RESULTS = "vote_results"
TURNOUT = ("turnout_by_minute", "attempts_by_minute", "duplicates_by_count")
_MAGIC = b"PAR1"  # a Parquet file begins and ends with it


class ExportedFile(NamedTuple):
    """A file that was written."""

    path: Path
    size_bytes: int


async def export(client: AsyncClient, directory: Path, *, with_results: bool) -> list[ExportedFile]:
    """Write a file for each view of counts to `directory`, which appears whole or not at all.

    What was chosen is among them only `with_results`. Raises hashgen's UsageError when the
    directory is in use or another run writes it, ExportError for an answer that is no file,
    OSError, ClickHouseUnavailable, ClickHouseRejected.
    """
    check_unused(directory)
    files = []
    with appearing_directory(directory) as partial:
        for view in (*TURNOUT, RESULTS) if with_results else TURNOUT:
            content = await _read(client, view)
            file = f"{view}.parquet"
            await asyncio.to_thread((partial / file).write_bytes, content)
            files.append(ExportedFile(directory / file, len(content)))
    return files


async def _read(client: AsyncClient, view: str) -> bytes:
    with classified():
        content: bytes = await client.raw_query(
            read_query("export_view"), {"view": view}, fmt="Parquet"
        )
    if not (content.startswith(_MAGIC) and content.endswith(_MAGIC)):
        raise ExportError("what answered is not ClickHouse, or was cut short")
    return content
