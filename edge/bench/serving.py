"""Edges with a loaded cluster behind them, and ballots to send to them."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import aiohttp
import msgspec

from edge.demo.electorate import Electorate, prepare, read_cards
from edge.errors import StartError
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.options import Durability, DurabilityMode, RedisOptions
from shards.ports import free_ports
from shards.process import LocalProcess, within

READY_TIMEOUT_S = 30.0
POLL_S = 0.05
PATIENCE_S = 60.0  # of a loader on a machine that is kept busy
VOTE_PATH = "/api/v1/vote"


class Target(NamedTuple):
    """Where to send, the edges and servers behind it, and a file of ballots.

    The file has a ballot a line, each another elector's.
    """

    urls: Sequence[str]
    edges: Sequence[LocalProcess]
    servers: Sequence[LocalProcess]
    ballots: Path

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Stop edges and servers for less than a cluster's node timeout.

        Servers that have nothing to do wake up hundreds of times a second all the same, which
        takes an eighth from what is measured beside them.
        """
        processes = [*self.edges, *self.servers]
        try:
            for process in processes:
                process.send(signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                process.send(signal.SIGCONT)

    def split(self, parts: int) -> list[Path]:
        """Share the ballots out among files, so that each is sent once."""
        files = [self.ballots.with_suffix(f".{number}") for number in range(parts)]
        ballots = self.ballots.read_bytes().splitlines(keepends=True)
        for number, file in enumerate(files):
            file.write_bytes(b"".join(ballots[number::parts]))
        return files


def patient(cluster: LocalCluster, mode: DurabilityMode = "memory") -> RedisOptions:
    """Return options for a client that fills or measures a cluster."""
    return RedisOptions(cluster.url, Durability(mode), timeout_s=PATIENCE_S)


@asynccontextmanager
async def serving(
    durability: DurabilityMode, electors: int, *, primaries: int = 3, edges: int = 1
) -> AsyncIterator[Target]:
    """Start primaries, a replica each if `durability` asks for it, and edges."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, electors, None, lambda *_: None)
        cluster = LocalCluster(
            data / "redis",
            primaries=primaries,
            replicas_per_primary=1 if durability == "replicated" else 0,
            appendonly=durability != "memory",
        )
        async with cluster:
            election = load_election(electorate.election_file)
            async with await ShardClient.connect(patient(cluster)) as client:
                await load_roll(client, electorate.database, election)
            settings = {"SCRUTIN_REDIS_URL": cluster.url, "SCRUTIN_DURABILITY": durability}
            argv = [sys.executable, "-P", "-m", "edge", "serve"]
            started = [_edge(n, argv, settings, electorate, data) for n in range(edges)]
            async with _running(started) as urls:
                yield Target(urls, started, cluster.nodes, write_ballots(electorate, data))


@asynccontextmanager
async def hollow(electors: int) -> AsyncIterator[Target]:
    """Start an edge that answers 202 after hashing, with nothing behind it."""
    with tempfile.TemporaryDirectory(prefix="scrutin-bench-") as text:
        data = Path(text)
        electorate = prepare(data, electors, None, lambda *_: None)
        argv = [sys.executable, "-P", "-m", "edge.bench.hollow"]
        started = [_edge(0, argv, {}, electorate, data)]
        async with _running(started) as urls:
            yield Target(urls, started, [], write_ballots(electorate, data))


def write_ballots(electorate: Electorate, directory: Path) -> Path:
    """Write a ballot of every elector, a line each, with a request id as the voters' pages send."""
    ballots = directory / "ballots.jsonl"
    with ballots.open("wb") as file:
        for card in read_cards(electorate.csv_file):
            file.write(
                msgspec.json.encode(card._asdict() | {"vote": "oui", "request_id": uuid4()}) + b"\n"
            )
    return ballots


def _edge(
    number: int, argv: list[str], settings: dict[str, str], electorate: Electorate, data: Path
) -> LocalProcess:
    env = settings | {
        "SCRUTIN_ELECTION": str(electorate.election_file),
        "SCRUTIN_PORT": str(free_ports(1)[0]),
        "SCRUTIN_RATE_LIMIT_PER_S": "1000000",
        "SCRUTIN_EXEMPT_LOOPBACK": "true",
    }
    return LocalProcess(f"edge-{number}", argv, log=data / f"edge-{number}.log", env=env)


@asynccontextmanager
async def _running(edges: Sequence[LocalProcess]) -> AsyncIterator[list[str]]:
    """Start edges, wait until they take votes, give their URLs, stop them."""
    urls = [f"http://127.0.0.1:{edge.env['SCRUTIN_PORT']}" for edge in edges]
    try:
        for edge in edges:
            edge.start()
        for url, edge in zip(urls, edges, strict=True):
            await _ready(url, edge)
        yield urls
    finally:
        for edge in edges:
            edge.stop()


async def _ready(url: str, edge: LocalProcess) -> None:
    async with aiohttp.ClientSession() as http, within(READY_TIMEOUT_S, "the edge is not ready"):
        while True:
            if not edge.alive:
                raise StartError(f"the edge ended:\n{edge.log_tail()}")
            try:
                async with http.get(f"{url}/api/v1/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # not listening yet
            await asyncio.sleep(POLL_S)
