"""Scrutin's own processes as the other side of the contest."""

from pathlib import Path

from clickhouse.connection import connect
from clickhouse.tally import read_tallies
from edge.demo.electorate import Electorate
from edge.demo.stack import Ports, Stack
from shards.options import DurabilityMode
from shards.ports import free_ports
from shards.process import LocalProcess
from tests.load.baseline.ledger import Tally
from tests.load.baseline.usage import RedisMemory

# The generator waits for either side as long: an answer "not confirmed in time" ends no run.
PATIENCE = {
    "SCRUTIN_DURABILITY_TIMEOUT_MS": "20000",
    "SCRUTIN_REDIS_TIMEOUT_S": "20",
    "SCRUTIN_SHUTDOWN_TIMEOUT_S": "25",
}


class OurStack:
    """Three primaries, one edge, one drainer, ClickHouse, in one of the durability modes."""

    def __init__(self, directory: Path, electorate: Electorate, durability: DurabilityMode) -> None:
        directory.mkdir()
        (directory / "election.toml").write_bytes(electorate.election_file.read_bytes())
        self.name = f"scrutin, {durability}"
        self._stack = Stack(directory, Ports(*free_ports(2)), durability)
        self._stack.edge.env |= PATIENCE
        self.url = self._stack.url

    @property
    def processes(self) -> list[LocalProcess]:
        """Every process."""
        return self._stack.processes

    async def start_engines(self) -> None:
        """Start the servers, empty."""
        await self._stack.start_engines()

    async def load(self, electorate: Electorate) -> None:
        """Load the roll."""
        await self._stack.load(electorate)

    async def start_services(self) -> None:
        """Start edge and drainer."""
        await self._stack.start_services()

    async def redis_memory(self) -> RedisMemory:
        """Return what the primaries hold together."""
        primaries = []
        for node in self._stack.cluster.nodes:
            async with node.client() as redis:
                if (await redis.info("replication"))["role"] == "master":
                    primaries.append(await RedisMemory.of(redis))
        return RedisMemory(*map(sum, zip(*primaries, strict=True)))

    async def tally(self) -> Tally:
        """Return the count in ClickHouse."""
        clickhouse = await connect(self._stack.clickhouse.url)
        try:
            tallies = await read_tallies(clickhouse)
        finally:
            await clickhouse.close()
        return Tally(sum(t.oui_count for t in tallies), sum(t.non_count for t in tallies))

    def stop(self) -> None:
        """Stop everything."""
        self._stack.stop()
