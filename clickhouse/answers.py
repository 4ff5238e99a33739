"""Answers that can be told from rubbish.

An HTTP 200 alone says nothing: a proxy's page, an empty or a cut body have it too, and the driver
takes an empty one for no rows. A JSON document is whole or it is none.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from clickhouse_connect.driver import AsyncClient

from clickhouse.errors import ClickHouseUnavailable
from clickhouse.retry import NO_ANSWER, classified
from clickhouse.sql import read_query

Row = TypeVar("Row")


class _Document(msgspec.Struct, Generic[Row]):
    """The parts of ClickHouse's format JSONCompact that we rely on."""

    data: list[Row]
    rows: int


async def read_rows(
    client: AsyncClient, query: str, row: type[Row], parameters: Mapping[str, Any] | None = None
) -> list[Row]:
    """Return the rows, each a `row`, of `queries/<query>.sql`.

    Raises ClickHouseUnavailable, also when what came is no whole answer, and ClickHouseRejected.
    """
    with classified():
        body = await client.raw_query(
            read_query(query),
            dict(parameters or {}),
            settings={"output_format_json_quote_64bit_integers": 0},
            fmt="JSONCompact",
        )
    try:
        document = msgspec.json.decode(body, type=_Document[row])  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = None
    if document is None or document.rows != len(document.data):
        raise ClickHouseUnavailable(f"ClickHouse: {NO_ANSWER}")
    return document.data
