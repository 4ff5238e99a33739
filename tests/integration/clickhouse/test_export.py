"""Aggregates as Parquet files, read by another engine than the one that wrote them."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.connection import connected
from clickhouse.errors import ClickHouseRejected
from clickhouse.export import RESULTS, TURNOUT, export
from clickhouse.local.process import LocalClickHouse
from clickhouse.sink import VoteSink
from hashgen.errors import UsageError
from tests.support.clickhouse import Oracle, batch_of, random_events

AT_MS = 1_790_035_199_800


def table(path: Path) -> set[tuple[object, ...]]:
    return {tuple(row.values()) for row in pq.read_table(path).to_pylist()}


def sizes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in directory.iterdir()}


async def test_files_hold_what_the_views_say(
    client: AsyncClient, clickhouse_server: LocalClickHouse, tmp_path: Path
) -> None:
    events = random_events(random.Random(9), 400, first_ms=AT_MS)
    await VoteSink(client).store(batch_of(events))
    url = clickhouse_server.url.replace("://", "://analyst@")
    async with connected(url) as analyst:
        files = await export(analyst, tmp_path / "day", with_results=True)
    names = {f"{view}.parquet" for view in (*TURNOUT, RESULTS)}
    assert sizes(tmp_path / "day") == {file.path.name: file.size_bytes for file in files}
    assert sizes(tmp_path / "day").keys() == names
    oracle = Oracle(events)
    assert table(tmp_path / "day/turnout_by_minute.parquet") == oracle.turnout_by_minute()
    assert table(tmp_path / "day/vote_results.parquet") == oracle.vote_results()
    minutes = pq.read_schema(tmp_path / "day/turnout_by_minute.parquet").field("minute").type
    assert minutes.tz == "UTC"


async def test_choices_are_left_out_unless_asked_for(client: AsyncClient, tmp_path: Path) -> None:
    files = await export(client, tmp_path / "day", with_results=False)
    assert [file.path.stem for file in files] == list(TURNOUT)
    for file in files:
        assert not {"vote", "oui_count", "vote_hash"} & set(pq.read_schema(file.path).names)


async def test_nothing_is_written_over(client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="name a new directory"):
        await export(client, tmp_path, with_results=False)
    assert sizes(tmp_path) == {"notes": 4}


async def test_without_the_right_there_is_no_directory(
    client: AsyncClient, clickhouse_server: LocalClickHouse, tmp_path: Path
) -> None:
    async with connected(clickhouse_server.url.replace("://", "://backup@")) as other:
        with pytest.raises(ClickHouseRejected, match="grants"):
            await export(other, tmp_path / "day", with_results=False)
    assert sizes(tmp_path) == {}
