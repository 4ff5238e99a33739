"""The demo's processes: a cluster, ClickHouse, an edge and a drainer."""

import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from clickhouse.local.process import LocalClickHouse
from edge.demo.electorate import Electorate
from edge.errors import StartError
from shards.client import ShardClient
from shards.election import load_election
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.options import Durability, DurabilityMode, RedisOptions
from shards.ports import free_ports
from shards.process import LocalProcess, within

PRIMARIES = 3
REPLICAS_PER_PRIMARY = 1
READY_TIMEOUT_S = 30.0
POLL_S = 0.05
RATE_LIMIT_PER_S = 100_000
TOKEN_BYTES = 16


class Ports(NamedTuple):
    """Where the demo listens."""

    http: int
    clickhouse: int


class Stack:
    """All processes of the demo, with their data below one directory.

    Each primary has `replicas`: by default one if `durability` asks for one, else none. Without
    `appendonly` Redis writes no log, which only the durability `memory` allows.
    """

    def __init__(
        self,
        data: Path,
        ports: Ports,
        durability: DurabilityMode = "replicated",
        *,
        replicas: int | None = None,
        drainers: int = 1,
        appendonly: bool = True,
    ) -> None:
        self._data = data
        self._ports = ports
        self._durability = durability
        if replicas is None:
            replicas = REPLICAS_PER_PRIMARY if durability == "replicated" else 0
        cluster_ports = _cluster_ports(data, PRIMARIES * (1 + replicas), ports)
        self.cluster = LocalCluster(
            data / "redis",
            primaries=PRIMARIES,
            replicas_per_primary=replicas,
            appendonly=appendonly,
            ports=cluster_ports,
        )
        self.clickhouse = LocalClickHouse(data / "clickhouse", ports.clickhouse)
        self.ops_token_file = _token_file(data, "ops-token")
        self.review_token_file = _token_file(data, "review-token")
        self.review_write_token_file = _token_file(data, "review-write-token")
        self.edge = self._service("edge", "serve")
        [self._drainer_metrics_port] = free_ports(1, besides=[*ports, *cluster_ports])
        self.drainer = self._service(
            "drainer", "drain", "--metrics-port", str(self._drainer_metrics_port)
        )
        self.drainers = [
            self.drainer,
            *(self._service(f"drainer-{number}", "drain") for number in range(1, drainers)),
        ]

    @property
    def url(self) -> str:
        """Base URL of the edge."""
        return f"http://127.0.0.1:{self._ports.http}"

    @property
    def drainer_metrics_url(self) -> str:
        """Where the drainer's metrics are."""
        return f"http://127.0.0.1:{self._drainer_metrics_port}/metrics"

    @property
    def processes(self) -> list[LocalProcess]:
        """Every process, in the order to start them."""
        return [*self.cluster.nodes, self.clickhouse, *self.drainers, self.edge]

    async def start_engines(self) -> None:
        """Start Redis and ClickHouse; raises their errors when one does not come up."""
        await asyncio.gather(self.cluster.start(), self.clickhouse.astart())

    async def load(self, electorate: Electorate) -> None:
        """Load the roll; what was loaded or voted on already stays as it is."""
        options = RedisOptions(self.cluster.url, Durability(self._durability))
        async with await ShardClient.connect(options) as client:
            await load_roll(client, electorate.database, load_election(electorate.election_file))

    async def start_services(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Start drainers and edge, and wait as `wait_ready` does."""
        services = (*self.drainers, self.edge)
        for service in services:
            service.start()
        await self.wait_ready(watch=services, timeout_s=timeout_s)

    async def wait_ready(
        self, watch: Sequence[LocalProcess] = (), timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Wait until the edge takes votes and knows the count.

        Raises `StartError` when one of `watch` ends instead, TimeoutError after `timeout_s`.
        """
        async with aiohttp.ClientSession() as http, within(timeout_s, "the edge is not ready"):
            while not await self._ready(http):
                for process in watch:
                    if not process.alive:
                        raise StartError(f"the {process.name} ended:\n{process.log_tail()}")
                await asyncio.sleep(POLL_S)

    def stop(self) -> None:
        """Stop everything: first who takes votes, last who keeps them."""
        for process in (self.edge, *self.drainers, self.clickhouse):
            process.stop()
        self.cluster.stop()

    async def _ready(self, http: aiohttp.ClientSession) -> bool:
        """Say whether the edge takes votes and has a first count from the drainer."""
        law = load_election(self._data / "election.toml").laws[0]
        for path in ("/api/v1/ready", f"/api/v1/results/{law.id}"):
            try:
                async with http.get(self.url + path) as answer:
                    if answer.status != 200:
                        return False
            except aiohttp.ClientError:
                return False
        return True

    def _service(self, name: str, role: str, *flags: str) -> LocalProcess:
        env = {
            "SCRUTIN_REDIS_URL": self.cluster.url,
            "SCRUTIN_CLICKHOUSE_URL": self.clickhouse.url,
            "SCRUTIN_DURABILITY": self._durability,
            "SCRUTIN_MIN_REPLICAS": str(REPLICAS_PER_PRIMARY),
            "SCRUTIN_ELECTION": str(self._data / "election.toml"),
            "SCRUTIN_PORT": str(self._ports.http),
            "SCRUTIN_RATE_LIMIT_PER_S": str(RATE_LIMIT_PER_S),
            "SCRUTIN_EXEMPT_LOOPBACK": "true",
            "SCRUTIN_OPS_TOKEN_FILE": str(self.ops_token_file),
            "SCRUTIN_REVIEW_TOKEN_FILE": str(self.review_token_file),
            "SCRUTIN_REVIEW_WRITE_TOKEN_FILE": str(self.review_write_token_file),
        }
        argv = [sys.executable, "-P", "-m", "edge", role, *flags]
        return LocalProcess(name, argv, log=self._data / f"{name}.log", env=env)


def _token_file(data: Path, name: str) -> Path:
    """Return a file with a token that opens pages, made once, readable to its owner alone."""
    file = data / name
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    return file


def _cluster_ports(data: Path, nodes: int, besides: Ports) -> list[int]:
    """Return the cluster's ports: those of an earlier run on this data, else free ones.

    Nodes know each other by port, so a cluster keeps them.
    """
    kept = data / "redis-ports.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=list[int])
    ports = free_ports(2 * nodes, besides)
    kept.write_bytes(msgspec.json.encode(ports))
    return ports
