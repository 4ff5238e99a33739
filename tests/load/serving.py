"""An edge with a loaded cluster behind it, and ballots to send to it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from edge.demo.electorate import prepare, read_cards
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster, free_ports
from shards.options import Durability, DurabilityMode, RedisOptions
from shards.process import LocalProcess

PRIMARIES = 3
READY_TIMEOUT_S = 30.0


class Target(NamedTuple):
    """Where to send, and a file with a ballot a line, each of another elector."""

    url: str
    ballots: Path


@asynccontextmanager
async def serving(durability: DurabilityMode, electors: int) -> AsyncIterator[Target]:
    """Start three primaries, a replica each if `durability` asks for it, and one edge."""
    with tempfile.TemporaryDirectory(prefix="scrutin-load-") as directory:
        data = Path(directory)
        electorate = prepare(data, electors, None, lambda *_: None)
        ballots = data / "ballots.jsonl"
        with ballots.open("wb") as file:
            for card in read_cards(electorate.csv_file):
                file.write(msgspec.json.encode(card._asdict() | {"vote": "oui"}) + b"\n")
        cluster = LocalCluster(
            data / "redis",
            primaries=PRIMARIES,
            replicas_per_primary=1 if durability == "replicated" else 0,
            appendonly=durability != "memory",
        )
        async with cluster:
            client = await ShardClient.connect(RedisOptions(cluster.url, Durability("memory")))
            try:
                await load_roll(
                    client, electorate.database, load_election(electorate.election_file)
                )
            finally:
                await client.aclose()
            edge = _edge(cluster, durability, electorate.election_file, data)
            edge.start()
            try:
                url = f"http://127.0.0.1:{edge.env['SCRUTIN_PORT']}"
                await _ready(url, edge)
                yield Target(url, ballots)
            finally:
                edge.stop()


def _edge(
    cluster: LocalCluster, durability: DurabilityMode, election: Path, data: Path
) -> LocalProcess:
    env = {
        "SCRUTIN_REDIS_URL": cluster.url,
        "SCRUTIN_DURABILITY": durability,
        "SCRUTIN_ELECTION": str(election),
        "SCRUTIN_PORT": str(free_ports(1)[0]),
        "SCRUTIN_RATE_LIMIT_PER_S": "1000000",
        "SCRUTIN_EXEMPT_LOOPBACK": "true",
    }
    argv = [sys.executable, "-P", "-m", "edge", "serve"]
    return LocalProcess("edge", argv, log=data / "edge.log", env=env)


async def _ready(url: str, edge: LocalProcess) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(READY_TIMEOUT_S):
        while True:
            if not edge.alive:
                sys.exit(f"the edge ended:\n{edge.log_tail()}")
            try:
                async with http.get(f"{url}/api/v1/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # not listening yet
            await asyncio.sleep(0.05)
