"""What wrk saw of servers that do not behave."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.bench.generators import wrk
from edge.errors import StartError

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
LINE = b'{"nas":"012345678"}\n'


@asynccontextmanager
async def answering(breaks: Callable[[int], bool]) -> AsyncIterator[str]:
    """Accept every ballot but those, by number, at which the connection breaks; yield the URL."""
    numbers = itertools.count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(LINE.rstrip()):
                if breaks(next(numbers)):
                    writer.transport.abort()
                writer.write(ACCEPTED)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/api/v1/vote"


async def test_connections_that_break_are_failures(tmp_path: Path) -> None:
    ballots = tmp_path / "ballots.jsonl"
    ballots.write_bytes(LINE * 200_000)
    async with answering(lambda number: number % 100 == 0) as url:
        load = await asyncio.to_thread(wrk, url, ballots, connections=4, seconds=1)
    assert load.failed > 0
    async with answering(lambda _: False) as url:
        load = await asyncio.to_thread(wrk, url, ballots, connections=4, seconds=1)
    assert load.failed == 0


async def test_ballots_that_do_not_last_are_said(tmp_path: Path) -> None:
    ballots = tmp_path / "ballots.jsonl"
    ballots.write_bytes(LINE * 20)
    async with answering(lambda _: False) as url:
        with pytest.raises(StartError, match="all ballots were sent before 1 s"):
            await asyncio.to_thread(wrk, url, ballots, connections=4, seconds=1)
