"""All processes of the system, and what can be done to them.

Three primaries and three replicas, ClickHouse, two edges, two drainers. Every connection between
them goes through the network's proxies.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
from redis.asyncio import Redis
from redis.exceptions import ClusterDownError, RedisError

from clickhouse.local.process import LocalClickHouse
from shards import keys
from shards.localcluster import LocalCluster, LocalNode
from shards.ports import free_ports
from shards.process import LocalProcess
from tests.chaos.clocks import Clocks
from tests.chaos.electorate import Electorate
from tests.chaos.network import Network

NODE_TIMEOUT_MS = 1000
HEAL_TIMEOUT_S = 40.0
POLL_S = 0.02
NODES = 6
EDGES = 2
DRAINERS = 2
# Shorter than shipped, so that a run is over sooner; their relations are the same.
SERVICE_SETTINGS = {
    "SCRUTIN_REDIS_TIMEOUT_S": "1.0",
    "SCRUTIN_DURABILITY_TIMEOUT_MS": "400",
    "SCRUTIN_BODY_TIMEOUT_S": "2.0",
}


async def eventually(holds: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until it holds; say whether it did in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
    return holds()


class ChaosStack:
    """The processes, in one directory, with the electors given."""

    def __init__(
        self,
        directory: Path,
        electorate: Electorate,
        network: Network,
        *,
        node_timeout_ms: int = NODE_TIMEOUT_MS,
    ) -> None:
        self.directory = directory
        self.electorate = electorate
        self.network = network
        ports = free_ports(2 * NODES + 1 + EDGES)
        self.cluster = LocalCluster(
            directory / "redis", ports=ports[: 2 * NODES], node_timeout_ms=node_timeout_ms
        )
        self.clickhouse = LocalClickHouse(directory / "clickhouse", ports[2 * NODES])
        self.clocks = Clocks(directory / "clocks")
        self.edge_ports = ports[2 * NODES + 1 :]
        self.edges: list[LocalProcess] = []
        self.drainers: list[LocalProcess] = []
        self.redis_url = ""
        self.clickhouse_url = ""
        self._frozen: set[LocalProcess] = set()
        self._killed: set[LocalProcess] = set()

    @property
    def nodes(self) -> list[LocalNode]:
        """The Redis servers."""
        return self.cluster.nodes

    @property
    def edge_urls(self) -> list[str]:
        """Base URLs of the edges."""
        return [f"http://127.0.0.1:{port}" for port in self.edge_ports]

    @property
    def processes(self) -> list[LocalProcess]:
        """Every process, in the order to start them."""
        return [*self.nodes, self.clickhouse, *self.drainers, *self.edges]

    async def start(self) -> None:
        """Start all, load the roll and wait until votes are taken."""
        await self._wire()
        await asyncio.gather(self.cluster.start(), self.clickhouse.astart())
        await self._load()
        for process in (*self.drainers, *self.edges):
            process.start()
        await self.wait_well()

    def stop(self) -> None:
        """Stop everything at once; the data is of no more use."""
        for process in self.processes:
            process.kill()

    async def _wire(self) -> None:
        """Put proxies before the servers, and give the nodes addresses to call from."""
        network = self.network
        for number, node in enumerate(self.nodes):
            bus_port = int(node.argv[node.argv.index("--cluster-port") + 1])
            address = f"127.0.1.{number + 1}"
            network.names[address] = node.name
            announced = await network.expose(node.name, node.port)
            announced_bus = await network.expose(node.name, bus_port)
            node.argv += ["--cluster-announce-ip", "127.0.0.1"]
            node.argv += ["--cluster-announce-port", str(announced)]
            node.argv += ["--cluster-announce-bus-port", str(announced_bus)]
            node.argv += ["--bind-source-addr", address]
            if number == 0:
                self.redis_url = f"redis://127.0.0.1:{announced}"
        clickhouse_port = int(self.clickhouse.url.rpartition(":")[2])
        port = await network.expose("clickhouse", clickhouse_port)
        self.clickhouse_url = f"http://127.0.0.1:{port}"
        self.edges = [
            self._service(f"edge-{number}", "serve", "--port", str(port))
            for number, port in enumerate(self.edge_ports)
        ]
        self.drainers = [self._service(f"drainer-{number}", "drain") for number in range(DRAINERS)]
        for process in (*self.nodes, *self.edges, *self.drainers):
            self.clocks.give(process)
        for node in self.nodes:
            # A file that may not grow then is an error to the server, as a full disk is, no signal.
            node.argv = ["/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh", *node.argv]

    def _service(self, name: str, *arguments: str) -> LocalProcess:
        env = SERVICE_SETTINGS | {
            "SCRUTIN_REDIS_URL": self.redis_url,
            "SCRUTIN_CLICKHOUSE_URL": self.clickhouse_url,
            "SCRUTIN_ELECTION": str(self.electorate.election),
            "SCRUTIN_RATE_LIMIT_PER_S": "100000",
            "SCRUTIN_EXEMPT_LOOPBACK": "true",
        }
        argv = [sys.executable, "-P", "-m", "edge", *arguments]
        return LocalProcess(name, argv, log=self.directory / f"{name}.log", env=env)

    async def _load(self) -> None:
        patience = ["--redis-timeout-s", "30", "--durability-timeout-ms", "30000"]
        database = str(self.electorate.database)
        loader = self._service("loader", "roll", "load", database, *patience)
        loader.start()
        await eventually(lambda: not loader.alive, HEAL_TIMEOUT_S)
        assert loader.exit_code == 0, loader.log_tail()

    # What a fault does

    def kill(self, *processes: LocalProcess) -> None:
        """Kill processes, those already dead included."""
        for process in processes:
            self._frozen.discard(process)
            self._killed.add(process)
            process.kill()

    def freeze(self, process: LocalProcess) -> None:
        """Stop a process in its tracks, until `thaw`."""
        self._frozen.add(process)
        process.send(signal.SIGSTOP)

    def thaw(self, process: LocalProcess) -> None:
        """Let a frozen process go on."""
        self._frozen.discard(process)
        process.send(signal.SIGCONT)

    async def revive(self, *processes: LocalProcess) -> None:
        """Start processes that are dead."""
        for process in processes:
            if not process.alive:
                await asyncio.to_thread(process.start)
                self._killed.discard(process)

    async def node_id(self, node: LocalNode) -> str:
        """Return by what name the cluster knows a server."""
        async with node.client() as redis:
            return str((await redis.cluster("MYID")).decode())

    async def replace(self, node: LocalNode, lost_id: str, primary: LocalNode) -> None:
        """Join an empty server as a replica, where the node `lost_id` was: an operator's work."""
        node.initialise()
        await self.revive(node)
        await node.wait_ready()
        async with node.client() as redis, primary.client() as leader:
            for other in self.nodes:
                if other is not node:
                    async with other.client() as peer:
                        await peer.cluster("FORGET", lost_id)
            leader_id = await leader.cluster("MYID")
            bus_port = node.argv[node.argv.index("--cluster-announce-bus-port") + 1]
            await leader.cluster("MEET", "127.0.0.1", _announced(node), bus_port)
            async with asyncio.timeout(HEAL_TIMEOUT_S):
                while True:
                    try:
                        await redis.cluster("REPLICATE", leader_id)
                    except RedisError:  # gossip has not told it of its primary yet
                        await asyncio.sleep(POLL_S)
                    else:
                        return

    async def role(self, node: LocalNode) -> str:
        """Return `master`, `slave`, or `` when it does not answer."""
        try:
            async with Redis(host="127.0.0.1", port=node.port, socket_timeout=0.3) as redis:
                return str((await redis.role())[0].decode())
        except (RedisError, OSError):
            return ""

    async def primary(self, part: int) -> LocalNode:
        """Return the primary that serves the middle slot of a third of the slots."""
        return (await self.pair(part))[0]

    async def pair(self, part: int) -> tuple[LocalNode, LocalNode]:
        """Return that primary and its replica, both at one moment."""
        slot = _middle(part)
        async with asyncio.timeout(HEAL_TIMEOUT_S):
            while True:
                for node in self.nodes:
                    if replicas := await self._replicas_seen_by(node, slot):
                        return node, replicas[0]
                await asyncio.sleep(POLL_S)

    async def _replicas_seen_by(self, node: LocalNode, slot: int) -> list[LocalNode] | None:
        """Return the replicas of a slot's primary as it knows them, None of any other server."""
        try:
            async with Redis(host="127.0.0.1", port=node.port, socket_timeout=1) as redis:
                if (await redis.role())[0] != b"master":
                    return None
                known = dict(await redis.cluster("NODES"))
        except (RedisError, OSError):
            return None
        [me] = [entry for entry in known.values() if "myself" in entry["flags"]]
        if not any(int(part[0]) <= slot <= int(part[-1]) for part in me["slots"]):
            return None
        ours = [key for key, entry in known.items() if entry["master_id"] == me["node_id"]]
        return [self._node_at(key.rpartition(":")[2]) for key in ours]

    def _node_at(self, port: str) -> LocalNode:
        [node] = [node for node in self.nodes if port == _announced(node)]
        return node

    async def failed_over(self, replica: LocalNode, timeout_s: float = 15.0) -> bool:
        """Wait until a replica is primary; say whether it became so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while await self.role(replica) != "master":  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
                return True
        return False

    async def successor(
        self, part: int, lost: LocalNode, timeout_s: float = 15.0
    ) -> LocalNode | None:
        """Wait until another server than the lost one is a part's primary; return it, or None.

        It may have been so before: a machine that stands still for a second makes elections.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    for node in self.nodes:
                        if node is lost:
                            continue
                        if await self._replicas_seen_by(node, _middle(part)) is not None:
                            return node
                    await asyncio.sleep(POLL_S)
        return None

    # What a check asks

    async def outbox_events(self) -> int:
        """Count what waits in the outboxes; raises RedisError unless every shard answers."""
        total = 0
        counted = set()
        for node in self.nodes:
            async with node.client() as redis:
                if (await redis.role())[0] != b"master":
                    continue
                pipeline = redis.pipeline(transaction=False)
                for shard in range(keys.SHARDS):
                    pipeline.xlen(keys.outbox_key(shard))
                for shard, length in enumerate(await pipeline.execute(raise_on_error=False)):
                    if isinstance(length, int):
                        counted.add(shard)
                        total += length
        if len(counted) < keys.SHARDS:
            raise ClusterDownError(f"{len(counted)} shards said what waits in their outboxes")
        return total

    async def heal(self) -> list[str]:
        """Mend and start whatever a fault left broken, and wait until all is well.

        Returns which services had ended by themselves.
        """
        self.network.mend_all()
        for process in list(self._frozen):
            self.thaw(process)
        for process in (*self.nodes, *self.edges, *self.drainers):
            self.clocks.skew(process, 0)
        fallen = [
            f"{process.name} ended by itself ({process.how_it_ended}):\n{process.log_tail(3)}"
            for process in (*self.edges, *self.drainers, self.clickhouse)
            if not process.alive and process not in self._killed
        ]
        await self.revive(*self.processes)
        for node in self.nodes:
            await node.wait_ready()
            async with node.client() as redis:
                await redis.config_set("maxmemory", 0)
        await self.wait_well()
        return fallen

    async def wait_well(self) -> None:
        """Wait until every replica is in step and both edges take votes."""
        async with asyncio.timeout(HEAL_TIMEOUT_S):
            await self.cluster.wait_healthy()
            async with aiohttp.ClientSession() as http:
                for url in self.edge_urls:
                    while not await _ready(http, url):  # noqa: ASYNC110
                        await asyncio.sleep(POLL_S)


def _middle(part: int) -> int:
    """Return the middle slot of a third of the slots."""
    return 16384 * (2 * part + 1) // 6


def _announced(node: LocalNode) -> str:
    """Return the port under which the cluster knows a node."""
    return node.argv[node.argv.index("--cluster-announce-port") + 1]


async def _ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/api/v1/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False


@contextlib.asynccontextmanager
async def running(
    directory: Path,
    electorate: Electorate,
    *,
    node_timeout_ms: int = NODE_TIMEOUT_MS,
) -> AsyncIterator[ChaosStack]:
    """Start a stack for the block."""
    async with Network().running() as network:
        stack = ChaosStack(directory, electorate, network, node_timeout_ms=node_timeout_ms)
        try:
            await stack.start()
            yield stack
        finally:
            await asyncio.to_thread(stack.stop)
