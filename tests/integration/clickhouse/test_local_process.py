"""The local engine as a process: its data, its death, its password."""

import asyncio
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import aiohttp
import psutil
import pytest

from clickhouse.connection import connect
from clickhouse.errors import ClickHouseRejected, LocalClickHouseError
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from clickhouse.sink import VoteSink
from tests.support.clickhouse import batch_of, random_events, send

# A block a row: no block may sleep longer than three seconds.
ASLEEP = "SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size = 1"
COUNT = b"SELECT count() FROM vote_audit FINAL"


async def test_confirmed_rows_survive_kill_and_restart(tmp_path: Path) -> None:
    server = LocalClickHouse(tmp_path)
    events = random_events(random.Random(1), 900, first_ms=1_790_000_000_000)
    with server:
        url = server.url
        for start in range(0, len(events), 300):
            client = await connect(server.url)
            await migrate(client)
            await VoteSink(client).store(batch_of(events[start : start + 300]))
            await client.close()
            server.kill()
            assert not server.alive
            server.start()
            assert server.url == url
            assert send(url, COUNT).body == b"%d\n" % (start + 300)


async def test_a_start_that_is_cancelled_leaves_no_engine(tmp_path: Path) -> None:
    server = LocalClickHouse(tmp_path)
    starting = asyncio.create_task(server.astart())
    await asyncio.sleep(0)  # it runs until its first pause
    assert server.alive
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not server.alive


def test_stops_cleanly_in_the_middle_of_a_query(tmp_path: Path) -> None:
    server = LocalClickHouse(tmp_path)
    server.start()
    slow = b"SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 7"
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(send(server.url, slow))
        except OSError as error:
            outcome.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while (
        b"sipHash64"
        not in send(
            server.url, b"SELECT query FROM system.processes WHERE query LIKE 'SELECT count()%'"
        ).body
    ):
        assert asking.is_alive()
    started_s = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started_s < 8
    asking.join()
    assert len(outcome) == 1


async def test_many_waiting_are_refused_not_piled_up(tmp_path: Path) -> None:
    server = LocalClickHouse(tmp_path)
    server.start()
    try:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask() -> tuple[int, str]:
                async with session.post(server.url, data=ASLEEP) as answer:
                    return answer.status, await answer.text()

            asking = [asyncio.create_task(ask()) for _ in range(205)]
            first, others = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            # Those that found a place are still asleep.
            for task in first:
                status, text = task.result()
                assert (status, "TOO_MANY_SIMULTANEOUS_QUERIES" in text) == (500, True)
    finally:
        server.kill()


def test_interrupt_ends_it_too(tmp_path: Path) -> None:
    server = LocalClickHouse(tmp_path)
    server.start()
    server.send(signal.SIGINT)
    assert server.stop() == 0


def test_taken_port_is_an_error_that_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = LocalClickHouse(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(LocalClickHouseError, match="address already in use"):
            server.start()
        assert not server.alive


def test_directory_in_use_is_an_error(tmp_path: Path) -> None:
    with LocalClickHouse(tmp_path):
        second = LocalClickHouse(tmp_path)
        with pytest.raises(LocalClickHouseError, match=r"clickhouse\.local: "):
            second.start()


async def test_password(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    with LocalClickHouse(tmp_path / "server", password_file=secret) as server:
        refused = send(server.url, b"SELECT 1")
        assert (refused.status, refused.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert b"open sesame" not in refused.body
        assert send(f"{server.url}/?password=open%20sesame", b"SELECT 1").body == b"1\n"
        assert send(server.url, b"SELECT 1", {"X-ClickHouse-Key": "open sesame"}).status == 200
        port = server.url.rsplit(":", 1)[1]
        client = await connect(f"http://default:open%20sesame@127.0.0.1:{port}")
        assert await client.command("SELECT 1") == 1
        await client.close()
        with pytest.raises(ClickHouseRejected, match="check the user, the password"):
            await connect(f"http://default:wrong@127.0.0.1:{port}")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_does_not_outlive_its_parent(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from clickhouse.local.process import LocalClickHouse\n"
        "server = LocalClickHouse(pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        server.wait(timeout=20)
