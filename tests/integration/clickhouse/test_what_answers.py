"""What is said of a ClickHouse that is none, or that breaks off: which store, and what happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clickhouse.answers import read_rows
from clickhouse.connection import connect, connected
from clickhouse.errors import ClickHouseRejected, ClickHouseUnavailable
from clickhouse.history import History
from clickhouse.local.process import LocalClickHouse
from clickhouse.retry import classified
from tests.support.clickhouse import FaultProxy
from tests.support.liar import PAGE, Liar

NO_CLICKHOUSE = "^ClickHouse: .*what answers is not ClickHouse, or its answer was cut short"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Serve these bytes to whoever sends a request, and close; yield host and port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("body", [PAGE, b""])
async def test_a_page_in_its_place(clickhouse_server: LocalClickHouse, body: bytes) -> None:
    async with Liar(clickhouse_server.url).running() as liar, connected(liar.url) as client:
        liar.body = body
        with pytest.raises(ClickHouseUnavailable, match=NO_CLICKHOUSE):
            await read_rows(client, "count_rows", tuple[int, int])
        with pytest.raises(ClickHouseUnavailable, match=NO_CLICKHOUSE):
            await connect(liar.url)


@pytest.mark.usefixtures("client")
async def test_rows_that_are_cut_short(clickhouse_server: LocalClickHouse) -> None:
    """In the driver's own format, in the middle of a number."""
    cut = b"\x01\x03\x01a\x06UInt64\x07\x00"
    async with (
        Liar(clickhouse_server.url, body=cut, only=b"SELECT 7").running() as liar,
        connected(liar.url) as client,
    ):
        with pytest.raises(ClickHouseUnavailable, match=NO_CLICKHOUSE), classified():
            await client.query("SELECT 7 AS a")
        assert liar.told == 1


async def test_one_that_hangs(clickhouse_server: LocalClickHouse) -> None:
    async with (
        FaultProxy(int(clickhouse_server.url.rpartition(":")[2])).running() as proxy,
        connected(proxy.url, timeout_s=0.3) as client,
    ):
        proxy.swallowing = True
        with pytest.raises(ClickHouseUnavailable, match=r"^ClickHouse: Network Error: Timeout"):
            await History(client).rows()


async def test_no_part_of_the_url_but_the_server_is_told() -> None:
    async with answering(b"HTTP/1.1 2oo what\r\n\r\n") as where:
        with pytest.raises(ClickHouseUnavailable, match=r"^ClickHouse: Network Error") as caught:
            await connect(f"http://drainer:s3cret-w0rd@{where}/?client_name=hidden-value")
    assert str(caught.value).endswith(f"http://{where}")


async def test_an_option_of_the_url_that_is_none_is_named() -> None:
    with pytest.raises(ClickHouseRejected, match=r"an option .* among role, secure$"):
        await connect("http://127.0.0.1:1?role=x&secure=1")
