"""The system as production runs it, on this machine: two replicas a shard, edges behind a balancer.

Processes as in `tests/chaos/stack.py`, without proxies between them: nothing is cut here, and a
thousand votes a second have to pass.
"""

import asyncio
import sys
from pathlib import Path

import httpx

from clickhouse.local.process import LocalClickHouse
from hashgen.database import HashDatabase
from shards.client import ShardClient
from shards.election import load_election
from shards.errors import Unavailable
from shards.load import load_roll
from shards.localcluster import LocalCluster
from shards.options import RedisOptions
from shards.outbox import Outbox
from shards.ports import free_ports
from shards.process import LocalProcess
from tests.support.edges import until

PRIMARIES = 3
REPLICAS = 2
EDGES = 2
DRAINERS = 2
SHUTDOWN_DELAY_S = 5.0  # the balancer shares the machine, and may look late
# As in k8s/base/redis/config/redis.conf: a primary that is told to end hands over first.
REDIS_FLAGS = [
    "--shutdown-on-sigterm", "failover", "--cluster-allow-replica-migration", "no",
]  # fmt: skip
START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 120.0


class Service(LocalProcess):
    """An edge or a drainer, and the page that tells whether it is at work."""

    def __init__(
        self, name: str, argv: list[str], *, log: Path, env: dict[str, str], url: str, at_work: str
    ) -> None:
        super().__init__(name, [sys.executable, "-P", "-m", "edge", *argv], log=log, env=env)
        self.url = url
        self._page, self._says = at_work.split(" ", 1)

    async def wait_at_work(self) -> None:
        """Wait until its page says that it works; fail with its log when it ends instead."""
        async with httpx.AsyncClient() as http:

            async def works() -> bool:
                assert self.alive, f"{self.name} ended:\n{self.log_tail()}"
                try:
                    answer = await http.get(self.url + self._page)
                except httpx.TransportError:
                    return False
                return answer.status_code == 200 and self._says in answer.text

            await until(works, f"{self.name} at work", START_TIMEOUT_S)


class Deployment:
    """All processes, with data and logs in a directory."""

    def __init__(self, directory: Path, election: Path, *, replicas: int = REPLICAS) -> None:
        self.directory = directory
        self.election = election
        directory.mkdir(parents=True, exist_ok=True)
        nodes = PRIMARIES * (1 + replicas)
        ports = free_ports(2 * nodes + 1 + EDGES + DRAINERS)
        self.cluster = LocalCluster(
            directory / "redis", replicas_per_primary=replicas, ports=ports[: 2 * nodes]
        )
        for node in self.cluster.nodes:
            node.argv += REDIS_FLAGS
        self.clickhouse = LocalClickHouse(directory / "clickhouse", ports[2 * nodes])
        rest = ports[2 * nodes + 1 :]
        self.edges = [self._edge(n, port) for n, port in enumerate(rest[:EDGES])]
        self.drainers = [self._drainer(n, port) for n, port in enumerate(rest[EDGES:])]

    def _edge(self, number: int, port: int) -> Service:
        return self._service(
            f"edge-{number}", port, ["serve", "--port", str(port)], "/api/v1/ready ready"
        )

    def _drainer(self, number: int, port: int) -> Service:
        where = ["--metrics-host", "127.0.0.1", "--metrics-port", str(port)]
        return self._service(
            f"drainer-{number}", port, ["drain", *where], "/metrics drainer_running 1.0"
        )

    def _service(self, name: str, port: int, argv: list[str], at_work: str) -> Service:
        env = {
            "SCRUTIN_REDIS_URL": self.cluster.url,
            "SCRUTIN_CLICKHOUSE_URL": self.clickhouse.url,
            "SCRUTIN_ELECTION": str(self.election),
            "SCRUTIN_RATE_LIMIT_PER_S": "100000",
            "SCRUTIN_EXEMPT_LOOPBACK": "true",
            "SCRUTIN_SHUTDOWN_DELAY_S": str(SHUTDOWN_DELAY_S),
        }
        log, url = self.directory / f"{name}.log", f"http://127.0.0.1:{port}"
        return Service(name, argv, log=log, env=env, url=url, at_work=at_work)

    @property
    def services(self) -> list[Service]:
        """Drainers and edges."""
        return [*self.drainers, *self.edges]

    @property
    def edge_urls(self) -> list[str]:
        """Base URLs of the edges."""
        return [edge.url for edge in self.edges]

    async def start(self, database: HashDatabase) -> None:
        """Start all, load the roll and wait until votes are taken."""
        await asyncio.gather(self.cluster.start(), self.clickhouse.astart())
        redis = await self.connect()
        try:
            await load_roll(redis, database, load_election(self.election))
        finally:
            await redis.aclose()
        for service in self.services:
            service.start()
        for service in self.services:
            await service.wait_at_work()

    def stop(self) -> None:
        """Stop everything."""
        for process in (*self.services, self.clickhouse):
            process.stop()
        self.cluster.stop()

    async def connect(self) -> ShardClient:
        """Return a client of the cluster."""
        return await ShardClient.connect(RedisOptions(self.cluster.url))

    async def drained(self) -> None:
        """Wait until no attempt waits for ClickHouse any more."""
        redis = await self.connect()
        outbox = Outbox(redis, owner="operations")
        try:

            async def nothing_waits() -> bool:
                try:
                    return not await outbox.waiting()
                except Unavailable:
                    return False

            await until(nothing_waits, "an empty outbox", DRAIN_TIMEOUT_S)
        finally:
            await redis.aclose()
