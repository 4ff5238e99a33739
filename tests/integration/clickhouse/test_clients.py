"""Unmodified clickhouse-connect, sync and async, against the local engine."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import clickhouse_connect
import pytest
from clickhouse_connect.driver import AsyncClient, Client
from clickhouse_connect.driver.exceptions import DatabaseError

from clickhouse.local.process import LocalClickHouse

COLUMNS = {
    "a": "UInt64",
    "b": "UInt8",
    "c": "UInt32",
    "d": "String",
    "e": "LowCardinality(String)",
    "f": "Enum8('oui' = 1, 'non' = 2)",
    "g": "DateTime64(3, 'UTC')",
    "h": "UUID",
    "i": "FixedString(4)",
    "j": "Nullable(Float64)",  # ten columns: a Native block that begins with a newline byte
}
ROWS = [
    (
        2**64 - 1 - number,
        number % 256,
        number,
        f"é\n\t\\'{number}\0",
        f"L{number % 3}",
        ("oui", "non")[number % 2],
        datetime(2026, 11, 24, 12, 30, number % 60, 123_000, UTC),
        uuid.UUID(int=number << 64 | 5),
        b"ab\0" + bytes([number % 256]),
        None if number % 5 == 0 else number / 3,
    )
    for number in range(2000)
]
COMPRESSIONS = [False, True, "lz4", "zstd", "gzip"]


@pytest.fixture
def table(clickhouse_server: LocalClickHouse) -> Iterator[str]:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with clickhouse_connect.get_client(dsn=clickhouse_server.url) as client:
        client.command("DROP TABLE IF EXISTS scrutin.typed SYNC")
        client.command(f"CREATE TABLE scrutin.typed ({columns}) ENGINE = MergeTree ORDER BY c")
        yield "scrutin.typed"


@pytest.fixture
def sync_client(clickhouse_server: LocalClickHouse) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=clickhouse_server.url) as client:
        yield client


@pytest.fixture
async def async_client(clickhouse_server: LocalClickHouse) -> AsyncIterator[AsyncClient]:
    client = await clickhouse_connect.get_async_client(dsn=clickhouse_server.url)
    yield client
    await client.close()


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_sync_round_trip(
    clickhouse_server: LocalClickHouse, table: str, *, compress: bool | str
) -> None:
    with clickhouse_connect.get_client(dsn=clickhouse_server.url, compress=compress) as client:
        summary = client.insert(table, ROWS, column_names=list(COLUMNS))
        assert summary.written_rows == len(ROWS)
        result = client.query(f"SELECT * FROM {table} ORDER BY c", tz_mode="aware")
        assert result.result_rows == ROWS


@pytest.mark.parametrize("compress", COMPRESSIONS)
async def test_async_round_trip(
    clickhouse_server: LocalClickHouse, table: str, *, compress: bool | str
) -> None:
    client = await clickhouse_connect.get_async_client(dsn=clickhouse_server.url, compress=compress)
    try:
        await client.insert(
            table,
            list(zip(*ROWS, strict=True)),
            column_names=list(COLUMNS),
            column_type_names=list(COLUMNS.values()),
            column_oriented=True,
            settings={"async_insert": 0},
        )
        result = await client.query(f"SELECT * FROM {table} ORDER BY c", tz_mode="aware")
        assert result.result_rows == ROWS
    finally:
        await client.close()


def test_command(sync_client: Client) -> None:
    assert sync_client.command("SELECT 1") == 1
    assert sync_client.command("SELECT 1 WHERE 0") == ""
    assert sync_client.ping()
    assert str(sync_client.server_version).startswith("26.")


def test_parameters(sync_client: Client) -> None:
    values = {"text": "it's \\ \t{} é", "number": 7, "names": ["a'b", "c"], "none": None}
    statement = "SELECT {text:String}, {number:UInt8}, {names:Array(String)}, {none:Nullable(Int8)}"
    assert sync_client.query(statement, parameters=values).result_rows == [tuple(values.values())]


def test_long_parameters_go_as_a_form(sync_client: Client) -> None:
    text = "x" * 50_000
    result = sync_client.query("SELECT length({t:String})", parameters={"t": text})
    assert result.result_rows == [(50_000,)]


def test_settings_of_a_query(sync_client: Client) -> None:
    asked = "SELECT getSetting('max_threads')"
    assert sync_client.query(asked, settings={"max_threads": 9}).result_rows == [(9,)]
    assert sync_client.query(asked).result_rows != [(9,)]


def test_columns_of_no_rows(sync_client: Client, table: str) -> None:
    result = sync_client.query(f"SELECT * FROM {table} LIMIT 0")
    assert result.column_names == tuple(COLUMNS)
    assert sync_client.query(f"SELECT * FROM {table} WHERE 0").result_rows == []


def test_streams(sync_client: Client) -> None:
    with sync_client.query_row_block_stream("SELECT number FROM numbers(200000)") as blocks:
        assert sum(len(block) for block in blocks) == 200_000


def test_raw_insert(sync_client: Client, table: str) -> None:
    sync_client.raw_insert(table, ["c", "d"], b"1,x\n2,y\n", fmt="CSV", compression=None)
    assert sync_client.query(f"SELECT c, d FROM {table} ORDER BY c").result_rows == [
        (1, "x"),
        (2, "y"),
    ]


def test_error(sync_client: Client) -> None:
    with pytest.raises(DatabaseError) as caught:
        sync_client.query("SELECT * FROM nowhere")
    assert (caught.value.code, caught.value.name) == (60, "UNKNOWN_TABLE")


async def test_many_at_once(async_client: AsyncClient) -> None:
    results = await asyncio.gather(
        *(
            async_client.query("SELECT {n:UInt32}", parameters={"n": number})
            for number in range(100)
        )
    )
    assert [result.result_rows[0][0] for result in results] == list(range(100))


async def test_slow_query_does_not_hold_up_others(async_client: AsyncClient) -> None:
    slow = asyncio.ensure_future(
        async_client.query("SELECT sleepEachRow(0.5) FROM numbers(6) SETTINGS max_block_size = 1")
    )
    await async_client.query("SELECT 1")
    assert not slow.done()
    await slow
