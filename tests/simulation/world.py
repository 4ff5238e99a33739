"""One simulated day: a seed in, broken promises and a trace out."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hiredis
import msgspec

import clickhouse.drainer
import clickhouse.publisher
from shards import functions, keys
from shards.functions import fcall
from shards.roll import RollInfo
from tests.simulation.cluster import Cluster
from tests.simulation.faults import Faults
from tests.simulation.invariants import published, same_tally, violations
from tests.simulation.loop import EPOCH_S, LoopTime, Stuck, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.plan import LAWS, Plan, draw
from tests.simulation.programs import DrainerProcess, Edge, Process, Site
from tests.simulation.store import Executor, Store
from tests.simulation.trace import Trace
from tests.simulation.voters import Voters
from tests.simulation.warehouse import Warehouse

CALM_S = 30.0  # after the last fault, all must be answered and drained by then
LOOK_S = 0.1
FAULTS_END_S = 60.0  # whatever the seed, they are over by then
ROLL_ID = "5eed"

Execute = Callable[..., Any]


class Day(msgspec.Struct):
    """What came of a seed."""

    seed: int
    violations: list[str]
    trace: list[str]
    answers: int
    simulated_s: float


def run(seed: int, *kinds: str) -> Day:
    """Simulate a seed's day, with these kinds of faults only if any are named.

    The same seed and kinds give the same day.
    """
    plan = draw(seed, kinds)
    loop = VirtualLoop()
    random.seed(seed)  # the production code's own pauses
    rng = random.Random(seed + 1)
    with _simulated(plan, loop):
        world = _World(plan, loop, rng)
        try:
            broken = loop.run_until_complete(world.day())
        except Stuck:
            broken = ["the simulation is stuck: somebody waits for what never comes"]
        finally:
            simulated_s = loop.time()
            trace = list(world.site.trace.lines)
            loop.finish()
    return Day(seed, broken + loop.errors, trace, len(world.voters.answers), simulated_s)


@contextmanager
def _simulated(plan: Plan, loop: VirtualLoop) -> Iterator[None]:
    """Let the production modules see a roll of few shards, and the loop's time."""
    clock = LoopTime(loop)
    shards, keys.SHARDS = keys.SHARDS, plan.shards
    drainer, publisher = vars(clickhouse.drainer), vars(clickhouse.publisher)
    time = drainer["time"]
    drainer["time"] = publisher["time"] = clock
    try:
        yield
    finally:
        keys.SHARDS = shards
        drainer["time"] = publisher["time"] = time


class _World:
    def __init__(self, plan: Plan, loop: VirtualLoop, rng: random.Random) -> None:
        trace = Trace(loop)
        network = Network(loop, random.Random(rng.random()))
        loop.connector = network
        loop.thread_s = network.latency_s
        cluster = Cluster(plan.groups, plan.replicas, loop, network, rng, trace)
        self.site = Site(plan, loop, network, cluster, trace)
        self._warehouse = Warehouse(loop, random.Random(rng.random()), trace)
        self._load_roll()
        edges = [Edge(f"edge{n}", self.site) for n in range(plan.edges)]
        self._drainers = [
            DrainerProcess(f"drain{n}", self.site, self._warehouse.client())
            for n in range(plan.drainers)
        ]
        self.voters = Voters(plan, edges, random.Random(rng.random()), trace)
        processes: list[Process] = [*edges, *self._drainers]
        self._faults = Faults(self.site, processes, self._warehouse, random.Random(rng.random()))
        self._faults.schedule()

    async def day(self) -> list[str]:
        """Let the day pass, then calm, and return what is broken."""
        voting = asyncio.ensure_future(self.voters.vote())
        await self._until(lambda: not self._faults.active, FAULTS_END_S)
        assert not self._faults.active, "a fault does not end"
        self.site.trace.note("world", "faults are over")
        await self._until(lambda: voting.done() and self._drained(), CALM_S)
        broken = self.voters.errors + self._unsettled(voting)
        broken += violations(
            self.site.plan,
            self.voters.answers,
            self._warehouse,
            self.site.cluster,
            one_clock=self._faults.one_clock,
        )
        return broken

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Look now and then whether it is done, for so long at the most."""
        end_s = self.site.loop.time() + seconds
        while not done() and self.site.loop.time() < end_s:  # noqa: ASYNC110 - the model tells nobody
            await asyncio.sleep(LOOK_S)

    def _unsettled(self, voting: "asyncio.Future[None]") -> list[str]:
        """Invariant 5, and that every voter who insists is answered."""
        broken = []
        if not voting.done():
            broken.append(f"voters still wait {CALM_S} s after the last fault")
        elif (error := voting.exception()) is not None:
            broken.append(f"the voters' own error: {error!r}")
        if not self._drained():
            broken.append(f"not drained and published {CALM_S} s after the last fault")
        broken += [
            f"{drainer.name} ended: {drainer.main.exception()!r}"
            for drainer in self._drainers
            if drainer.main.done()
        ]
        return broken

    def _drained(self) -> bool:
        cluster = self.site.cluster
        for group in range(len(cluster.groups)):
            if any(stream.entries for stream in cluster.primary(group).store.streams.values()):
                return False
        snapshot = published(cluster)
        return snapshot is not None and same_tally(snapshot, self._warehouse)

    def _load_roll(self) -> None:
        """Give every node its shards' part of the roll, through the loader's own functions."""
        plan = self.site.plan
        counts = {law: sum(1 for _, of in plan.roll if of == law) for law in LAWS}
        info = RollInfo(ROLL_ID, "sha256", "", len(plan.roll), counts, 1, keys.FIELD_SIZE_BYTES)
        fields: dict[int, list[bytes]] = {shard: [] for shard in range(plan.shards)}
        for ballot, _ in plan.roll:
            fields[keys.shard_of(ballot)].append(keys.field_of(ballot))
        facts = [b"info", msgspec.json.encode(info)]
        for law in LAWS:
            facts += [b"opens:" + law.encode(), b"0", b"closes:" + law.encode(), b"9" * 14]
        for group, nodes in enumerate(self.site.cluster.groups):
            loader = Executor(Store([]), EPOCH_S * 1000)
            load = loader.execute
            for command in functions.load_commands():
                load(*_words(command))
            for shard, electors in fields.items():
                if self.site.cluster.group_of(shard) == group:
                    _load_shard(load, shard, facts, electors)
            for node in nodes:
                node.take_log([tuple(loader.effects)])


def _load_shard(load: Execute, shard: int, facts: list[bytes], electors: list[bytes]) -> None:
    meta = keys.meta_key(shard)
    load(*_words(fcall("roll_begin", (meta,), ROLL_ID, 0, *facts)))
    if electors:
        bucket = keys.bucket_key(shard, 0)
        load(*_words(fcall("roll_fill", (bucket, meta), ROLL_ID, b"".join(electors))))
    load(*_words(fcall("roll_finish", (meta,), ROLL_ID)))


def _words(command: bytes) -> list[bytes]:
    """Unpack a command."""
    reader = hiredis.Reader()
    reader.feed(command)
    words: list[bytes] = reader.gets()
    return words
