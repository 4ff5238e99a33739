"""The whole vote path: CSV to tally over HTTP, whole and with processes killed on the way."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.demo.electorate import SAMPLE_LAW, Electorate, prepare
from edge.demo.stack import Ports, Stack
from edge.demo.supervisor import Supervisor
from shards.client import ShardClient
from shards.options import Durability, RedisOptions
from shards.outbox import Outbox
from shards.ports import free_ports
from tests.support.campaign import differences, plan, read_stored, send, wait_counted
from tests.support.rolls import read_electors

ELECTORS = 20_000


class Running:
    """A stack with its electors loaded."""

    def __init__(self, stack: Stack, electorate: Electorate) -> None:
        self.stack = stack
        self.electors = read_electors(electorate.csv_file)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    stack = Stack(tmp_path, Ports(*free_ports(2)))
    try:
        electorate = prepare(tmp_path, ELECTORS, None, lambda *_: None)
        await stack.start_engines()
        await stack.load(electorate)
        await stack.start_services()
        yield Running(stack, electorate)
    finally:
        await asyncio.to_thread(stack.stop)


async def until_drained(running: Running) -> None:
    """Wait until every attempt has left the outbox."""
    client = await ShardClient.connect(
        RedisOptions(running.stack.cluster.url, Durability("memory"))
    )
    try:
        outbox = Outbox(client, owner="test")
        async with asyncio.timeout(60):
            while await outbox.waiting():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await client.aclose()


async def test_answers_and_tables_agree_with_the_clients_log(running: Running) -> None:
    attempts = plan(running.electors, attempts=6000, seed=1)
    log = await send(running.stack.url, attempts, connections=100)
    await wait_counted(running.stack.url, SAMPLE_LAW, 4500)
    await until_drained(running)
    stored = await read_stored(running.stack.clickhouse.url, running.stack.url, SAMPLE_LAW)
    assert len(stored.audit) == 6000
    assert differences(log, stored) == []


async def kill_when_serving(running: Running, rng: random.Random, kills: int) -> None:
    """Kill edge and drainer in turn, each time while votes are being taken."""
    for number in range(kills):
        await running.stack.wait_ready()
        await asyncio.sleep(rng.uniform(0.1, 0.6))
        victim = (running.stack.edge, running.stack.drainer)[number % 2]
        victim.kill()


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_202_is_counted_once_though_edge_and_drainer_are_killed(
    running: Running, seed: int
) -> None:
    attempts = plan(running.electors, attempts=12_000, seed=seed)
    stop = asyncio.Event()
    restarts: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(running.stack.processes, restarts.append)
        tasks.create_task(supervisor.watch(stop))
        killing = tasks.create_task(kill_when_serving(running, random.Random(seed), kills=4))
        log = await send(running.stack.url, attempts, connections=20)
        assert killing.done(), "the votes were over before all kills"
        await wait_counted(running.stack.url, SAMPLE_LAW, 9000)
        await until_drained(running)
        stop.set()
    assert len(restarts) >= 4
    stored = await read_stored(running.stack.clickhouse.url, running.stack.url, SAMPLE_LAW)
    assert differences(log, stored) == []
