"""A row that cannot be stored is quoted by nobody, whatever the driver says of it."""

import traceback

import pytest
from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseRejected
from clickhouse.retry import classified

ROW = "9f86d081884c7d65 L2025-001 oui"
IN_HEX = ROW.encode().hex(" ")


async def test_a_row_that_the_driver_refuses(
    client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ClickHouseRejected, match="DataError") as caught, classified():
        await client.insert(
            "scrutin.vote_audit", [[ROW]], ["vote_hash"], column_type_names=["FixedString(2)"]
        )
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert ROW not in said
    assert IN_HEX not in said


async def test_a_row_that_the_server_refuses(
    client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Exception, match="code") as caught, classified():
        await client.raw_insert("scrutin.vote_audit", ["shard"], ROW.encode(), fmt="CSV")
    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert ROW[:16] not in said
