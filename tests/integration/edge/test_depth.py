"""What waits in the outbox shows, whatever becomes of ClickHouse."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from math import isnan
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from clickhouse.local.process import LocalClickHouse
from edge import depth
from edge.draining import DrainMetrics
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.outbox import Outbox, ShardDepth
from shards.ports import free_ports
from tests.integration.edge.conftest import OPEN, Elections, ballot
from tests.support.edges import EdgeProcess, drainer_process, until
from tests.support.rolls import Elector


@pytest.fixture
async def clickhouse(tmp_path: Path) -> AsyncIterator[LocalClickHouse]:
    server = LocalClickHouse(tmp_path / "clickhouse")
    yield server
    server.send(signal.SIGCONT)
    await asyncio.to_thread(server.stop)


def outbox_in(metrics: str) -> tuple[float, float]:
    """Return depth and age as metrics say them."""
    depths = re.findall(r"^outbox_depth\{.*\} (\S+)$", metrics, re.MULTILINE)
    (age,) = re.findall(r"^outbox_oldest_age_seconds (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, depths)), float(age)


@pytest.mark.parametrize("beside_serving", [False, True])
@pytest.mark.parametrize("clickhouse_is", ["silent", "not there"])
async def test_it_rises_without_clickhouse(
    loaded: LocalCluster,
    elections: Elections,
    electors: dict[str, Iterator[Elector]],
    clickhouse: LocalClickHouse,
    tmp_path: Path,
    clickhouse_is: str,
    *,
    beside_serving: bool,
) -> None:
    settings = {
        "redis_url": loaded.url,
        "election": elections.live,
        "clickhouse_url": clickhouse.url,
    }
    if clickhouse_is == "silent":
        await clickhouse.astart()
    port = free_ports(1)[0]
    drainer = drainer_process(tmp_path, port, **settings)
    arguments = ["--drain"] if beside_serving else []
    async with (
        EdgeProcess(tmp_path, *arguments, **settings) as edge,
        httpx.AsyncClient(base_url=edge.url) as http,
    ):
        metrics_url = edge.url if beside_serving else f"http://127.0.0.1:{port}"

        async def shown() -> str:
            try:
                return (await http.get(f"{metrics_url}/metrics")).text
            except httpx.TransportError:
                return ""

        async def vote() -> None:
            answer = await http.post("/api/v1/vote", json=ballot(next(electors[OPEN])))
            assert answer.status_code == 202

        async def rises() -> None:
            """Both, from what they are now."""
            depth_before, age_before = outbox_in(await shown())
            await vote()

            async def risen() -> bool:
                depth, age = outbox_in(await shown())
                return depth > depth_before and age > age_before + 1

            await until(risen, f"more than {depth_before} attempts, {age_before} s")

        async def says(line: str) -> bool:
            return line in await shown()

        try:
            if not beside_serving:
                drainer.start()
            if clickhouse_is == "silent":
                await until(lambda: says("drainer_running 1.0"), "a drainer that runs")
                clickhouse.send(signal.SIGSTOP)
            await until(lambda: says('outbox_depth{shard_group="f"}'), "a depth")
            await vote()
            await rises()
            await rises()
        finally:
            assert drainer.stop() in (0, None)


def test_nothing_is_claimed_before_it_was_measured() -> None:
    registry = CollectorRegistry()
    DrainMetrics(registry)
    age = registry.get_sample_value("outbox_oldest_age_seconds")
    assert age is not None
    assert isnan(age)
    assert registry.get_sample_value("outbox_depth", {"shard_group": "0"}) is None


def test_of_a_shard_that_does_not_answer_it_says_what_was_last_there() -> None:
    registry = CollectorRegistry()
    metrics = DrainMetrics(registry)
    metrics.depth({0x2A: ShardDepth(5, 40.0), 0x2B: ShardDepth(1, 2.0), 0x3A: ShardDepth(7, 1.0)})
    metrics.depth({0x2B: ShardDepth(2, 3.0), 0x3A: ShardDepth(0, 0.0)})
    assert registry.get_sample_value("outbox_depth", {"shard_group": "2"}) == 7
    assert registry.get_sample_value("outbox_depth", {"shard_group": "3"}) == 0
    assert registry.get_sample_value("outbox_oldest_age_seconds") == 40.0


async def test_a_failure_that_nobody_foresaw_is_said_and_outlived(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    measure, failed, told = Outbox.depth, asyncio.Event(), asyncio.Event()

    async def fails_once(self: Outbox) -> dict[int, ShardDepth]:
        if failed.is_set():
            return await measure(self)
        failed.set()
        raise LookupError("a shard that nobody foresaw")

    monkeypatch.setattr(Outbox, "depth", fails_once)
    monkeypatch.setattr(depth, "FAILED_PAUSE_S", 0.01)
    async with depth.depth_measured(RedisOptions(cluster.url), lambda _: told.set()):
        await asyncio.wait_for(told.wait(), 10)
    assert "nobody foresaw" in caplog.text
