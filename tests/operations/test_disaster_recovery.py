"""docs/runbooks/disaster-recovery.md: its commands, in its order, between real disasters."""

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from clickhouse.connection import connected
from clickhouse.drainer import Drainer, DrainOptions
from clickhouse.local.process import LocalClickHouse
from clickhouse.migrations import migrate
from shards.client import ShardClient
from shards.localcluster import LocalCluster, LocalNode
from shards.options import RedisOptions
from shards.outbox import Outbox
from shards.ports import free_ports
from shards.results import LawTally, ResultsSnapshot, publish_results, read_results
from shards.roll import RollStore
from tests.integration.edge.conftest import write_election
from tests.operations.runbook import Shell, blocks
from tests.support.ballots import Vote, cast_all, vote_of
from tests.support.draining import drain
from tests.support.edges import until
from tests.support.rolls import LAW, Roll, make_roll

ELECTORS = 600
# As in k8s/base/redis/config/redis.conf.
SNAPSHOTS = ["--save", "60 1", "--stop-writes-on-bgsave-error", "no"]


class World:
    """Both stores, what is to be known of the votes, and a shell for the runbook's commands."""

    def __init__(self, directory: Path) -> None:
        self.roll: Roll = make_roll(directory / "roll", ELECTORS)
        self.directory = directory
        self.clickhouse = LocalClickHouse(directory / "clickhouse")
        self.voters = iter(self.roll.electors)
        self.cast: list[Vote] = []
        self._ports = free_ports(12)
        self._rng = random.Random(3)
        self.cluster = self._cluster()
        self.shell = Shell(
            directory,
            {
                "SCRUTIN_REDIS_URL": self.cluster.url,
                "SCRUTIN_CLICKHOUSE_URL": self.clickhouse.url,
                "SCRUTIN_ELECTION": str(
                    write_election(directory / "election.toml", "live", {LAW: (-1, 1)})
                ),
                "ROLL": str(self.roll.database.directory),
                "COPIES": str(directory / "copies"),
            },
        )

    def _cluster(self) -> LocalCluster:
        cluster = LocalCluster(self.directory / "redis", ports=self._ports)
        for node in cluster.nodes:
            node.argv += SNAPSHOTS
        return cluster

    def run(
        self,
        section: str,
        *,
        number: int | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Run a section's commands, or one block of them."""
        commands = [b.text for b in blocks("disaster-recovery") if b[:2] == (section, "sh")]
        for text in commands if number is None else commands[number : number + 1]:
            self.shell.run(text, env, cwd)

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[ShardClient]:
        client = await ShardClient.connect(RedisOptions(self.cluster.url))
        try:
            yield client
        finally:
            await client.aclose()

    async def vote(self, voters: int) -> list[Vote]:
        """Have some more electors vote, and drain."""
        votes = [vote_of(next(self.voters), self._rng) for _ in range(voters)]
        async with self.redis() as redis:
            store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
            assert {answer.cast.status for answer in await cast_all(store, votes)} == {"accepted"}
        return votes

    async def drain(self) -> None:
        """Move all that waits to the tables."""
        async with self.redis() as redis, connected(self.clickhouse.url) as tables:
            await migrate(tables)
            await drain(redis, tables)

    async def publish(self, ballots: int) -> None:
        """Have so many ballots published."""
        now_ms = time.time_ns() // 1_000_000
        async with self.redis() as redis:
            snapshot = ResultsSnapshot([LawTally(LAW, ballots, 0)], now_ms, now_ms)
            await publish_results(redis, snapshot)

    async def published(self) -> int:
        """Return how many ballots are published."""
        async with self.redis() as redis:
            snapshot = await read_results(redis)
        assert snapshot is not None
        return sum(tally.oui_count + tally.non_count for tally in snapshot.tallies)

    async def store(self) -> None:
        """Move what waits to the tables, whatever is published."""
        async with self.redis() as redis, connected(self.clickhouse.url) as tables:
            await migrate(tables)
            outbox = Outbox(redis, owner="meanwhile")
            await Drainer(outbox, redis, tables, DrainOptions()).run_once()
            await outbox.release()

    async def statuses(self, votes: list[Vote]) -> set[str]:
        """Send votes again, each as another request."""
        again = [vote._replace(request_id=self._rng.randbytes(16)) for vote in votes]
        async with self.redis() as redis:
            store = await RollStore.open(redis, scheme="sha256", key_fingerprint="")
            return {answer.cast.status for answer in await cast_all(store, again)}

    async def lose_redis(self) -> None:
        """Take all servers and their disks; start an empty cluster in their place."""
        for node in self.cluster.nodes:
            node.kill()
        shutil.rmtree(self.directory / "redis")
        self.cluster = self._cluster()
        await self.cluster.start()

    async def lose_clickhouse(self) -> None:
        """Take the server and its tables, not the copies; start an empty one."""
        self.clickhouse.kill()
        shutil.rmtree(self.directory / "clickhouse/data")
        await self.clickhouse.astart()

    async def snapshots_are_made(self) -> None:
        """Have every server write a snapshot by itself, as it does each minute."""
        before = {node: await _last_save(node) for node in self.cluster.nodes}

        async def all_newer() -> bool:
            return all([await _last_save(node) > at_s for node, at_s in before.items()])

        await self._snapshots_each("1 1")  # a minute would be long to wait
        await until(all_newer, "a snapshot of every server")
        await self._snapshots_each("60 1")

    async def _snapshots_each(self, seconds_and_changes: str) -> None:
        for node in self.cluster.nodes:
            async with node.client() as redis:
                await redis.config_set("save", seconds_and_changes)

    async def lose_append_only_files(self) -> None:
        """Kill every server and spoil what it appended."""
        for node in self.cluster.nodes:
            node.kill()
            for file in (node.log.parent / "appendonlydir").glob("*.aof"):
                file.write_bytes(b"spoilt" + file.read_bytes()[6:])
            for file in (node.log.parent / "appendonlydir").glob("*.rdb"):
                file.write_bytes(b"spoilt")

    async def start_from_snapshots(self) -> None:
        """What the runbook says of starting, done by whoever starts servers here."""
        for node in self.cluster.nodes:
            self.run("Append-only files are damaged", number=0, cwd=node.log.parent)
        always = {node: list(node.argv) for node in self.cluster.nodes}
        for node in self.cluster.nodes:
            node.argv += ["--appendonly", "no"]
            node.start()
            await node.wait_ready()
        await self.cluster.wait_healthy()
        for node in self.cluster.nodes:
            url = f"redis://127.0.0.1:{node.port}"
            self.run("Append-only files are damaged", number=1, env={"NODE_URL": url})
        await self.cluster.wait_healthy()
        for node in self.cluster.nodes:
            node.kill()
            node.argv = always[node]
            node.start()
            await node.wait_ready()
        await self.cluster.wait_healthy()


async def _last_save(node: LocalNode) -> float:
    async with node.client() as redis:
        return float((await redis.lastsave()).timestamp())


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    world = World(tmp_path_factory.mktemp("disaster"))
    try:
        await asyncio.gather(world.cluster.start(), world.clickhouse.astart())
        yield world
    finally:
        world.cluster.stop()
        world.clickhouse.stop()


@pytest.mark.timeout(300)
async def test_its_commands_bring_back_what_it_says(world: World) -> None:
    world.shell.run('scrutin roll load "$ROLL"')
    world.run("What is kept")

    morning = await world.vote(200)
    await world.drain()
    world.run("Copies of ClickHouse", number=0)
    noon = await world.vote(50)
    await world.drain()
    world.run("Copies of ClickHouse", number=1)
    copies = world.directory / "clickhouse/backups"
    assert _ballots_bytes(copies / "noon") < _ballots_bytes(copies / "opening")

    for number in (0, 1):  # either kind of copy
        await world.publish(1000)  # as if more had been stored since
        await world.lose_clickhouse()
        meanwhile = await world.vote(5) if number else []  # the next loss would take them
        await world.store()  # nobody stopped a drainer: its rows are nowhere else now
        world.run("ClickHouse is lost", number=number)
        await world.drain()
        assert await world.published() == len(morning + noon + meanwhile)

    await world.lose_redis()
    world.run("Redis is lost, disks too")
    assert await world.statuses(morning + noon) == {"duplicate"}

    await world.snapshots_are_made()
    late = await world.vote(5)
    await world.lose_append_only_files()
    await world.start_from_snapshots()
    assert await world.statuses(morning + noon) == {"duplicate"}
    assert await world.statuses(late) == {"accepted"}, "it says that these may vote again"

    await world.lose_clickhouse()
    await world.lose_redis()
    world.run("Everything but copies")
    assert await world.statuses(morning + noon) == {"duplicate"}
    assert await world.statuses(late) == {"accepted"}


def _ballots_bytes(copy: Path) -> int:
    """Return what a copy has of the ballots' own data."""
    data = copy.rglob("ballots/**/data.*")
    return sum(path.stat().st_size for path in data)


async def test_statements_for_servers_are_statements(world: World) -> None:
    """What nothing here can run is parsed by the engine at least."""
    asked = [b.text for b in blocks("disaster-recovery") if b.kind == "sql"]
    statements = [text for block in asked for text in block.split(";\n") if text.strip()]
    assert len(statements) == 3
    async with httpx.AsyncClient(base_url=world.clickhouse.url) as http:
        for statement in statements:
            answer = await http.post("/", content=f"EXPLAIN AST {statement}")
            assert answer.status_code == 200, answer.text
            spoilt = await http.post("/", content=f"EXPLAIN AST {statement.replace(' TO ', ' ')}x")
            assert spoilt.status_code == 400


def test_every_command_was_run() -> None:
    """The test above names sections: one that is added to the runbook must be added there."""
    sections = [b.section for b in blocks("disaster-recovery") if b.kind == "sh"]
    assert sections == [
        "What is kept",
        "Copies of ClickHouse",
        "Copies of ClickHouse",
        "ClickHouse is lost",
        "ClickHouse is lost",
        "Redis is lost, disks too",
        "Append-only files are damaged",
        "Append-only files are damaged",
        "Everything but copies",
    ]
