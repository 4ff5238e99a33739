"""A primary is lost in a cluster as it is shipped: two replicas, its own timeouts."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from hashgen import ballot_hash
from shards import keys
from shards.client import ShardClient
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from tests.integration.edge.conftest import OPEN, ballot, new_id, write_election
from tests.support.edges import EdgeProcess
from tests.support.rolls import Elector, load, make_roll, open_election

ELECTORS = 600
FAILOVER_MAX_S = 15.0
RETRY_PAUSE_S = 0.1
ARRIVAL_EVERY_S = 0.05
UNTOUCHED_MAX_S = 3.0  # less than a node's time-out, so none of them waited for the failover
SPARED_REFUSED_MAX = 2  # a busy disk may keep a vote unconfirmed; a failover would keep a hundred


async def vote(http: httpx.AsyncClient, elector: Elector, refusals: list[float]) -> float:
    """Vote until it is accepted, noting when it was refused meanwhile; return when it was."""
    body = ballot(elector, request_id=new_id())
    while True:
        answer = await http.post("/api/v1/vote", json=body)
        if answer.status_code == 202:
            return time.monotonic()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        refusals.append(time.monotonic())
        await asyncio.sleep(RETRY_PAUSE_S)


def electors_of(electors: list[Elector], first: int, end: int) -> Iterator[Elector]:
    """Return those whose slot is in a range."""
    for elector in electors:
        if first <= keys.slot(keys.shard_of(ballot_hash(*elector))) < end:
            yield elector


async def test_only_the_lost_shards_voters_wait_and_not_for_long(tmp_path: Path) -> None:
    roll = make_roll(tmp_path / "roll", ELECTORS)
    election = write_election(tmp_path / "election.toml", "live", {OPEN: (-1, 1)})
    async with LocalCluster(tmp_path / "redis", replicas_per_primary=2) as cluster:
        client = await ShardClient.connect(RedisOptions(cluster.url))
        await load(client, roll, open_election(OPEN))
        await client.aclose()
        third = 16384 // 3
        lost = electors_of(roll.electors, third, 2 * third)
        others = electors_of(roll.electors, 2 * third + 1, 16384)
        settings = {"redis_url": cluster.url, "election": election, "exempt_loopback": True}
        async with (
            EdgeProcess(tmp_path / "edge", **settings) as edge,
            httpx.AsyncClient(base_url=edge.url, timeout=10) as http,
            asyncio.TaskGroup() as voters,
        ):
            refused: list[float] = []
            spared: list[float] = []
            cluster.nodes[1].kill()
            killed_s = time.monotonic()
            waiting = [voters.create_task(vote(http, next(lost), refused)) for _ in range(20)]
            while not all(voter.done() for voter in waiting):
                began_s = time.monotonic()
                assert await vote(http, next(others), spared) - began_s < UNTOUCHED_MAX_S
                await asyncio.sleep(ARRIVAL_EVERY_S)
            assert refused, "nobody was told to come again: nothing was tried"
            assert len(spared) <= SPARED_REFUSED_MAX
            assert max(voter.result() for voter in waiting) - killed_s < FAILOVER_MAX_S
