"""Edges and drainers as processes: the production code, started, killed and started anew."""

import asyncio
from typing import NamedTuple

from clickhouse_connect.driver import AsyncClient

from clickhouse.drainer import Drainer
from shards.client import ShardClient
from shards.errors import Unavailable
from shards.outbox import Outbox
from shards.roll import Cast, RollStore
from tests.simulation.cluster import Cluster, SimulatedTopology
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network, Program
from tests.simulation.plan import Plan, Request
from tests.simulation.trace import Trace

BOOT_PAUSE_S = 0.05


class Site(NamedTuple):
    """Where programs run."""

    plan: Plan
    loop: VirtualLoop
    network: Network
    cluster: Cluster
    trace: Trace


class Process:
    """A program that is there again a while after it was killed."""

    def __init__(self, name: str, site: Site) -> None:
        self.name = name
        self._site = site
        self._lives = 0
        self.start()

    @property
    def alive(self) -> bool:
        return self.program.alive

    def start(self) -> None:
        """Start, with nothing remembered."""
        self._lives += 1
        self.program = Program(self.name)
        self.main = self.program.spawn(self._site.loop, self._main())

    def kill(self) -> None:
        """End without warning."""
        self.program.kill()

    async def _main(self) -> None:
        raise NotImplementedError

    async def _connect(self) -> ShardClient:
        topology = SimulatedTopology(self._site.cluster, self._site.network)
        client = ShardClient(self._site.plan.redis, topology, None)
        while True:
            try:
                await client.refresh()
            except Unavailable:
                await asyncio.sleep(BOOT_PAUSE_S)
            else:
                return client


class Edge(Process):
    """Casts the ballots that voters send it."""

    def start(self) -> None:
        self._store: RollStore | None = None
        super().start()

    def cast(self, request: Request) -> "asyncio.Task[Cast]":
        """Begin to handle a request."""
        return self.program.spawn(self._site.loop, self._cast(request))

    async def _cast(self, request: Request) -> Cast:
        if self._store is None:
            raise Unavailable("still starting")
        return await self._store.cast(request.ballot, request.law, request.vote, request.request_id)

    async def _main(self) -> None:
        client = await self._connect()
        while self._store is None:
            try:
                self._store = await RollStore.open(client, scheme="sha256", key_fingerprint="")
            except Unavailable:
                await asyncio.sleep(BOOT_PAUSE_S)


class DrainerProcess(Process):
    """Runs a drainer."""

    def __init__(self, name: str, site: Site, clickhouse: AsyncClient) -> None:
        self._clickhouse = clickhouse
        super().__init__(name, site)

    async def _main(self) -> None:
        plan = self._site.plan
        client = await self._connect()
        owner = f"{self.name}-{self._lives}"
        outbox = Outbox(client, owner=owner, lease_ms=plan.lease_ms)
        drainer = Drainer(outbox, client, self._clickhouse, plan.drain)
        await drainer.run(asyncio.Event())
