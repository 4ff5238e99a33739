"""compose's balancer, run for real: what one address can take of it."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.balancer import Balancer
from tests.support.edges import until
from tests.support.tls import HOST

CONNECTIONS_MAX = 3
SILENCE_MAX_S = 12.0  # the configuration says 10
OTHER_ADDRESS = "127.0.0.2"


@pytest.fixture
async def balancer(tmp_path: Path) -> AsyncIterator[Balancer]:
    running = Balancer(tmp_path, CONNECTIONS_MAX)
    running.process.start()

    async def listens() -> bool:
        assert running.process.alive, running.process.log_tail()
        try:
            return await speaks_tls(running, running.port, OTHER_ADDRESS)
        except OSError:
            return False

    try:
        await until(listens, "the balancer")
        yield running
    finally:
        running.process.stop()


async def closed_after_s(reader: asyncio.StreamReader) -> float:
    """Return how long a connection lasts on which nothing is sent."""
    started = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        await reader.read(1)
    return time.monotonic() - started


async def speaks_tls(balancer: Balancer, port: int, source: str) -> bool:
    """Say whether somebody at that address gets a connection."""
    context = ssl.create_default_context(cafile=balancer.authority.file)
    try:
        _, writer = await asyncio.open_connection(HOST, port, ssl=context, local_addr=(source, 0))
    except (ConnectionResetError, ssl.SSLError):
        return False
    writer.close()
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        await writer.wait_closed()
    return True


async def test_one_address_that_says_nothing_takes_its_share_and_for_a_short_time(
    balancer: Balancer,
) -> None:
    silent = [await asyncio.open_connection(HOST, balancer.port) for _ in range(CONNECTIONS_MAX)]
    ends = asyncio.gather(*(closed_after_s(reader) for reader, _ in silent))
    for port in (balancer.port, balancer.auditors_port):
        assert not await speaks_tls(balancer, port, HOST), "one share for both ways in"
        assert await speaks_tls(balancer, port, OTHER_ADDRESS)
    assert not ends.done(), "they are there all the while"
    assert max(await ends) < SILENCE_MAX_S
    assert await speaks_tls(balancer, balancer.port, HOST)
    for _, writer in silent:
        writer.close()
