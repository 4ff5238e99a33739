"""Benchmark of what a vote takes of each part: what a deployment is sized by."""

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil

from clickhouse.connection import connected
from edge.bench.generators import wrk
from edge.bench.online import CONNECTIONS, ELECTORS_A_SECOND
from edge.bench.outcome import Figure, Outcome
from edge.bench.serving import VOTE_PATH, patient, write_ballots
from edge.bench.size import Size
from edge.demo.electorate import prepare
from edge.demo.stack import PRIMARIES, Ports, Stack
from edge.errors import StartError
from shards.client import ShardClient
from shards.localcluster import LocalNode
from shards.outbox import Outbox
from shards.ports import free_ports
from shards.process import LocalProcess

POLL_S = 0.2
ROWS = """
    SELECT sum(bytes_on_disk) FROM system.parts WHERE database = 'scrutin' AND active
"""


async def costs(size: Size) -> Outcome:
    """Processor time and bytes that a vote takes of every part, replicated."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, ELECTORS_A_SECOND * size.seconds, None, lambda *_: None)
        ballots = write_ballots(electorate, data)
        stack = Stack(data, Ports(*free_ports(2)))
        try:
            await stack.start_engines()
            await stack.load(electorate)
            await stack.start_services()
            return await _spend(stack, ballots, size)
        finally:
            await asyncio.to_thread(stack.stop)


async def _spend(stack: Stack, ballots: Path, size: Size) -> Outcome:
    primaries, replicas = stack.cluster.nodes[:PRIMARIES], stack.cluster.nodes[PRIMARIES:]
    parts: dict[str, Iterable[LocalProcess]] = {
        "edge": [stack.edge],
        "primaries, together": primaries,
        "replicas of each, together": replicas,
        "drainer": stack.drainers,
        "ClickHouse": [stack.clickhouse],
    }
    before_s = {part: _processor_s(processes) for part, processes in parts.items()}
    sent_before = [await _replicated_bytes(node) for node in primaries]
    url = stack.url + VOTE_PATH
    load = await asyncio.to_thread(wrk, url, ballots, connections=CONNECTIONS, seconds=size.seconds)
    if load.failed:
        raise StartError(f"{load.failed} ballots were not accepted")
    async with await ShardClient.connect(patient(stack.cluster)) as client:
        outbox = Outbox(client, owner="bench")
        while await outbox.waiting():  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
    async with connected(stack.clickhouse.url) as clickhouse:
        [[votes]] = (await clickhouse.query("SELECT count() FROM scrutin.ballots")).result_rows
        [[stored_bytes]] = (await clickhouse.query(ROWS)).result_rows
    spent_us = {
        part: 1e6 * (_processor_s(processes) - before_s[part]) / votes
        for part, processes in parts.items()
    }
    sent = [await _replicated_bytes(node) for node in primaries]
    return Outcome(
        "costs",
        "What a vote takes: processor time of every part from the request until it is counted, "
        "at as many votes as this machine takes.",
        f"{CONNECTIONS} connections for {size.seconds} s, replicated, 3 primaries and 3 replicas",
        [
            *(Figure(part, spent, "us/vote", "lower") for part, spent in spent_us.items()),
            Figure(
                "replication, to each replica", (sum(sent) - sum(sent_before)) / votes,
                "bytes/vote", "lower",
            ),
            Figure("tables on disk", stored_bytes / votes, "bytes/vote", "lower"),
        ],
        notes=[
            f"{votes:,} votes were cast.",
            "Of ClickHouse, and of the drainer, what they do without votes is in it.",
        ],
        loop="closed",
    )  # fmt: skip


def _processor_s(processes: Iterable[LocalProcess]) -> float:
    """Return the processor time that processes have used so far."""
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


async def _replicated_bytes(node: LocalNode) -> int:
    async with node.client() as redis:
        return int((await redis.info("replication"))["master_repl_offset"])
